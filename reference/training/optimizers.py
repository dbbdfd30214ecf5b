"""What makes of a gradient a step.

An optimizer has three parts: its state before the first step, arrays by name; a step from
parameters, gradients and state to new ones; and the bound on the rounding of that
(`reference/rounding/`).
"""

from typing import Any, NamedTuple

from gradparity.reference.networks import Params

State = dict[str, Any]


class SGD(NamedTuple):
    """Stochastic gradient descent: against the gradient, by the learning rate."""

    learning_rate: Any

    def start(self, params: Params) -> State:
        """The state before the first step: it has none."""
        return {}

    def step(
        self, params: Params, gradients: Params, state: State
    ) -> tuple[Params, State]:
        """The parameters, which are changed in place, and the state after a step."""
        for name, gradient in gradients.items():
            params[name] -= self.learning_rate * gradient
        return params, state
