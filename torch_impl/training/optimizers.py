"""What makes of a gradient a step; mirrors `reference/training/`.

The update is `torch.optim.SGD`'s, to the last bit: with `alpha`, PyTorch rounds the product
and the difference once, where NumPy rounds each.
"""

from typing import Any, NamedTuple

from gradparity.torch_impl.networks import Params

State = dict[str, Any]


class SGD(NamedTuple):
    """Stochastic gradient descent: against the gradient, by the learning rate."""

    learning_rate: float

    def start(self, params: Params) -> State:
        """The state before the first step: it has none."""
        return {}

    def step(
        self, params: Params, gradients: Params, state: State
    ) -> tuple[Params, State]:
        """The parameters, which are changed in place, and the state after a step."""
        for name, gradient in gradients.items():
            params[name].sub_(gradient, alpha=self.learning_rate)
        return params, state
