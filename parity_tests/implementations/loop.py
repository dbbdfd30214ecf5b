"""A training loop of which every part is a method, so that one can be another.

Mistakes are made in it (`mutants/training.py`), and somebody's own implementation is
trained by it (`user_supplied.py`).
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.reference.networks import TwoLayerNet
from gradparity.reference.training import SGD


class NumpyLoop:
    """Mini-batch stochastic gradient descent, as the lecture has it."""

    def __init__(self, params: Arrays, rate: float) -> None:
        self.rate = rate
        self.network = self.build({k: v.copy() for k, v in params.items()})

    def build(self, params: Arrays) -> Any:
        return TwoLayerNet.from_params(params)

    def order(self, batches: np.ndarray) -> np.ndarray:
        """The mini-batches in the order in which they are trained on."""
        return batches

    def choose(self, x: np.ndarray, t: np.ndarray, batch: np.ndarray) -> Any:
        return x[batch], t[batch]

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        """One step, and the loss before it."""
        gradients = self.gradient(x, t)
        loss = self.network.lastLayer.loss
        self.update(gradients)
        return float(loss)

    def gradient(self, x: np.ndarray, t: np.ndarray) -> Arrays:
        return self.network.gradient(x, t)

    def update(self, gradients: Arrays) -> None:
        SGD(self.rate).step(self.network.params, gradients, {})

    def params(self) -> Arrays:
        """Copies of the parameters as they are now."""
        return {name: value.copy() for name, value in self.network.params.items()}

    def accuracy(self, x: np.ndarray, t: np.ndarray) -> float:
        return TwoLayerNet.from_params(self.params()).accuracy(x, t)


def run(
    kind: Callable[[Arrays, float], NumpyLoop],
    params: Arrays,
    train_set: tuple[np.ndarray, np.ndarray],
    test_set: tuple[np.ndarray, np.ndarray],
    batches: np.ndarray,
    learning_rate: float = 0.1,
    *,
    stops: Collection[int] = (),
    evaluate: Collection[int] = (),
    state: Arrays | None = None,
) -> Iterator[Any]:
    """Train with one of the loops; arguments and what is yielded as for
    `reference.training.train`. Gradient descent leaves no `state`.
    """
    loop = kind(params, learning_rate)
    batches = loop.order(batches)
    losses: list[float] = []
    for step, batch in enumerate(batches, start=1):
        losses.append(loop.step(*loop.choose(*train_set, batch)))
        if step in stops or step == len(batches):
            accuracies = (
                (loop.accuracy(*train_set), loop.accuracy(*test_set))
                if step in evaluate
                else None
            )
            yield step, loop.params(), np.array(losses, train_set[0].dtype), accuracies
            losses = []
