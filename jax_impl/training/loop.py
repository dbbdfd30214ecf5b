"""Training on mini-batches; mirrors `reference/training/`.

The loop between two stops is one compiled program (`lax.scan` over the mini-batches),
so that Python is not in the way of every step.
"""

from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from gradparity.jax_impl.networks import TWO_LAYER_NET, Chain, Network, Params
from gradparity.jax_impl.training.optimizers import SGD, State

NumpyParams = dict[str, Float[np.ndarray, "..."]]
Stop = tuple[int, NumpyParams, Float[np.ndarray, "steps"], tuple[float, float] | None]

# XLA compiles one program for each length of scan; any distance is a sum of these.
SCAN_LENGTHS = (100, 10, 1)


@partial(jax.jit, static_argnames="chain")
def run_steps(
    params: Params,
    state: State,
    x_train: Float[Array, "samples in"],
    t_train: Int[Array, "samples"],
    batches: Int[Array, "steps batch"],
    optimizer: Any,
    chain: Chain = TWO_LAYER_NET,
) -> tuple[tuple[Params, State], Float[Array, "steps"]]:
    """Parameters and the optimizer's state after these steps, and the loss of each step
    before its update.

    The data set is an argument, not closed over: it would be compiled in as a constant.
    """

    loss = Network(chain).loss

    def step(
        reached: tuple[Params, State], batch: Int[Array, "batch"]
    ) -> tuple[tuple[Params, State], Float[Array, ""]]:
        params, state = reached
        x, t = x_train[batch], t_train[batch]  # 1. choose a mini-batch
        batch_loss, gradients = jax.value_and_grad(loss)(params, x, t)  # 2. gradient
        reached = optimizer.step(params, gradients, state)  # 3. update the parameters
        return reached, batch_loss  # 4. repeat

    return jax.lax.scan(step, (params, state), batches)


def train(
    params: NumpyParams,
    train_set: tuple[Float[np.ndarray, "samples in"], Int[np.ndarray, "samples"]],
    test_set: tuple[Float[np.ndarray, "tests in"], Int[np.ndarray, "tests"]],
    batches: Int[np.ndarray, "steps batch"],
    learning_rate: float = 0.1,
    *,
    stops: Collection[int] = (),
    evaluate: Collection[int] = (),
    optimizer: Any = SGD,
    state: State | None = None,
    chain: Chain = TWO_LAYER_NET,
) -> Iterator[Stop]:
    """Train from `params` on the given mini-batches; arguments and what is yielded as
    in the reference. The 64-bit mode is on while this runs, and only then.
    """
    network, steps = Network(chain), len(batches)
    wanted = sorted({step for step in stops if 0 < step < steps} | {steps})
    with jax.enable_x64(True):
        arrays = network.from_params(params)
        train_arrays, test_arrays = jax.device_put((train_set, test_set))
        indices = jax.device_put(batches)
        dtype = next(iter(arrays.values())).dtype
        rule = optimizer(jnp.asarray(learning_rate, dtype))
        reached = arrays, rule.start(arrays) | jax.device_put(state or {})
    done = 0
    for stop in wanted:
        with jax.enable_x64(True):  # not across a yield: that is the caller's time
            pieces = []
            for length in SCAN_LENGTHS:
                while stop - done >= length:
                    piece = indices[done : done + length]
                    reached, losses = run_steps(
                        *(*reached, *train_arrays, piece, rule), chain=chain
                    )
                    pieces.append(losses)
                    done += length
            accuracies = None
            if stop in evaluate:
                accuracies = (
                    network.accuracy(reached[0], *train_arrays),
                    network.accuracy(reached[0], *test_arrays),
                )
            arrays, memory = jax.tree.map(np.array, reached)
            if state is not None:
                state.update(memory)
            all_losses = np.concatenate([np.asarray(piece) for piece in pieces])
        yield stop, arrays, all_losses, accuracies
