"""Training on mini-batches; mirrors `reference/training/`."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from gradparity.torch_impl.networks import TWO_LAYER_NET, Chain, Network
from gradparity.torch_impl.training.optimizers import SGD, State

NumpyParams = dict[str, Float[np.ndarray, "..."]]
Stop = tuple[int, NumpyParams, Float[np.ndarray, "steps"], tuple[float, float] | None]


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
    """Train a copy of `params` on the given mini-batches; arguments and what is yielded
    as in the reference.
    """
    x_train, t_train = map(torch.from_numpy, train_set)
    x_test, t_test = map(torch.from_numpy, test_set)
    network = Network(chain, to_tensors(params))
    parameters: Any = dict(network.named_parameters())
    rule = optimizer(learning_rate)
    memory = rule.start(parameters) | to_tensors(state or {})
    losses: list[torch.Tensor] = []
    for step, batch in enumerate(torch.from_numpy(batches), start=1):
        x = x_train.index_select(0, batch)  # 1. choose a mini-batch
        t = t_train.index_select(0, batch)
        loss = network.loss(x, t)  # 2. compute the gradient
        found = torch.autograd.grad(loss, list(parameters.values()))
        gradients = dict(zip(parameters, found, strict=True))
        with torch.no_grad():  # 3. update the parameters
            parameters, memory = rule.step(parameters, gradients, memory)
        losses.append(loss.detach())  # 4. repeat
        if step in stops or step == len(batches):
            accuracies = (
                (network.accuracy(x_train, t_train), network.accuracy(x_test, t_test))
                if step in evaluate
                else None
            )
            if state is not None:
                state.update(to_numpy(memory))
            yield (
                step,
                to_numpy(network.state_dict()),
                torch.stack(losses).numpy(),
                accuracies,
            )
            losses = []


def to_tensors(arrays: NumpyParams) -> dict[str, torch.Tensor]:
    """Copies as tensors, by the same names."""
    return {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}


def to_numpy(tensors: dict[str, torch.Tensor]) -> NumpyParams:
    """Copies as NumPy arrays, by the same names."""
    return {name: value.numpy().copy() for name, value in tensors.items()}
