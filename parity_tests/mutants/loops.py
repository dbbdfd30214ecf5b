"""Training loops to make mistakes in: `NumpyLoop` as PyTorch and JAX have it.

They do what each implementation's own `train` does, in the way in which scripts mostly
write it (`optim.SGD`, a jitted step). The suite is to find nothing wrong with these, and
with the one that they are derived from.
"""

from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.loop import NumpyLoop
from gradparity.parity_tests.mutants.lazily import Lazily, jax, torch

torch_networks = Lazily("gradparity.torch_impl.networks")
jax_networks = Lazily("gradparity.jax_impl.networks")


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
