"""What makes of a gradient a step; mirrors `reference/training/`.

An optimizer is a tuple, and so a pytree: what it holds is an argument of a compiled loop.
"""

from typing import Any, NamedTuple

from gradparity.jax_impl.networks import Params

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
        """The parameters and the state after a step, in new arrays."""
        rate = self.learning_rate
        return {k: params[k] - rate * gradients[k] for k in params}, state
