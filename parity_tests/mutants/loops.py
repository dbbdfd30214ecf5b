"""Training loops to make mistakes in: the lecture's, PyTorch's and JAX's.

They do what each implementation's own `train` does, in the way in which scripts mostly
write it (`optim.SGD`, a jitted step), every part a method of its own, so that a mistake
is one method. The suite is to find nothing wrong with these three.
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from parity_tests.implementations import Arrays
from parity_tests.mutants.lazily import Lazily, jax, torch
from reference.networks import TwoLayerNet

torch_networks = Lazily("torch_impl.networks")
jax_networks = Lazily("jax_impl.networks")


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
        for name, gradient in gradients.items():
            self.network.params[name] -= self.rate * gradient

    def params(self) -> Arrays:
        """Copies of the parameters as they are now."""
        return {name: value.copy() for name, value in self.network.params.items()}

    def accuracy(self, x: np.ndarray, t: np.ndarray) -> float:
        return TwoLayerNet.from_params(self.params()).accuracy(x, t)


class TorchLoop(NumpyLoop):
    """The same with `nn.Module`, `backward()` and `optim.SGD`."""

    def __init__(self, params: Arrays, rate: float) -> None:
        super().__init__(params, rate)
        self.optimizer = self.build_optimizer()

    def build(self, params: Arrays) -> Any:
        tensors = {k: torch.from_numpy(v) for k, v in params.items()}
        return torch_networks.TwoLayerNet.from_params(tensors)

    def build_optimizer(self) -> Any:
        return torch.optim.SGD(self.network.parameters(), lr=self.rate)

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        self.optimizer.zero_grad()
        loss = self.loss(torch.from_numpy(x), torch.from_numpy(t))
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def loss(self, x: Any, t: Any) -> Any:
        return self.network.loss(x, t)

    def params(self) -> Arrays:
        state = self.network.state_dict()
        return {name: value.numpy().copy() for name, value in state.items()}


class JaxLoop(NumpyLoop):
    """The same with a jitted step that takes parameters to parameters."""

    def __init__(self, params: Arrays, rate: float) -> None:
        super().__init__(params, rate)
        self.jitted = jax.jit(self.updated)

    def build(self, params: Arrays) -> Any:
        with jax.enable_x64(True):
            return jax_networks.from_params(params)

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        with jax.enable_x64(True):
            self.network, loss = self.jitted(self.network, x, t)
            return float(loss)

    def updated(self, params: Any, x: Any, t: Any) -> Any:
        """The parameters after a step, and the loss before it."""
        loss, gradients = self.loss_and_gradients(params, x, t)
        return jax.tree.map(lambda p, g: p - self.rate * g, params, gradients), loss

    def loss_and_gradients(self, params: Any, x: Any, t: Any) -> Any:
        return jax.value_and_grad(jax_networks.loss)(params, x, t)

    def params(self) -> Arrays:
        return {name: np.array(value) for name, value in self.network.items()}


def run(
    kind: type[NumpyLoop],
    params: Arrays,
    train_set: tuple[np.ndarray, np.ndarray],
    test_set: tuple[np.ndarray, np.ndarray],
    batches: np.ndarray,
    learning_rate: float = 0.1,
    *,
    stops: Collection[int] = (),
    evaluate: Collection[int] = (),
) -> Iterator[Any]:
    """Train with one of the loops; arguments and what is yielded as for
    `reference.training.train`.
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
            yield step, loop.params(), np.array(losses), accuracies
            losses = []
