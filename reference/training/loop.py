"""Training on mini-batches, as the lecture has it."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from jaxtyping import Int

from gradparity.reference.arrays import Float
from gradparity.reference.networks import TWO_LAYER_NET, Chain, Network, Params
from gradparity.reference.training.optimizers import SGD, State

Stop = tuple[int, Params, Float[np.ndarray, "steps"], tuple[float, float] | None]


def choose_batches(
    rng: np.random.Generator, samples: int, steps: int, batch_size: int
) -> Int[np.ndarray, "steps batch"]:
    """The samples of every mini-batch, drawn with replacement: a row for each step."""
    return rng.integers(samples, size=(steps, batch_size))


def train(
    params: Params,
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
    """Train a copy of `params` on the given mini-batches; stop and tell on the way.

    Args:
        params: of the network, to start from.
        train_set, test_set: samples and their labels.
        batches: the samples of each step, as `choose_batches` makes them.
        learning_rate: how far to go against the gradient in one step.
        stops: the steps, counted from 1, after which to yield; the last always is one.
        evaluate: those of them at which the accuracies are computed.
        optimizer: what makes an optimizer of the learning rate.
        state: the optimizer's, to go on from; at every stop it becomes what it is then.
        chain: the layers of the network.

    Yields:
        (step, parameters, the loss of every step since the last stop, before its
        update, and (accuracy on train_set, accuracy on test_set) or None).
    """
    (x_train, t_train), (x_test, t_test) = train_set, test_set
    network = Network(chain, copied(params))
    rule = optimizer(learning_rate)
    memory = rule.start(network.params) | copied(state or {})
    losses: list[Any] = []
    for step, batch in enumerate(batches, start=1):
        x, t = x_train[batch], t_train[batch]  # 1. choose a mini-batch
        gradients = network.gradient(x, t)  # 2. compute the gradient
        network.params, memory = rule.step(  # 3. update the parameters
            network.params, gradients, memory
        )
        losses.append(network.lastLayer.loss)  # 4. repeat
        if step in stops or step == len(batches):
            accuracies = (
                (network.accuracy(x_train, t_train), network.accuracy(x_test, t_test))
                if step in evaluate
                else None
            )
            if state is not None:
                state.update(copied(memory))
            yield step, copied(network.params), np.array(losses), accuracies
            losses = []


def copied(arrays: dict[str, Any]) -> dict[str, Any]:
    """Copies, by the same names."""
    return {name: value.copy() for name, value in arrays.items()}
