"""Optimizers, as they should be, for arrays of any dtype.

Computed in a wide one, they are the truth that submissions are held against; a mistake is
one method that is otherwise (`mistakes_in_optimizers`). What is kept from step to step is
kept for each parameter: its `velocity`, or a mean of its gradient or of its square.
"""

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


class Optimizer:
    """What all have in common: a step for each parameter, which is added to it in place."""

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.steps = 0
        self.kept: dict[tuple[str, str], Any] = {}

    def update(self, params: Arrays, grads: Arrays) -> None:
        self.begin(len(params))
        for name in params:
            self.add(params, name, self.step(name, grads[name]))

    def begin(self, count: int) -> None:
        """Before the steps of so many parameters."""
        self.steps += 1

    def add(self, params: Arrays, name: str, step: Any) -> None:
        params[name] += step

    def step(self, name: str, g: Any) -> Any:
        raise NotImplementedError

    def of(self, what: str, name: str, g: Any) -> Any:
        """What is kept of a parameter; zeros before the first step."""
        return self.kept.get(self.place(what, name), np.zeros_like(g))

    def keep(self, what: str, name: str, value: Any) -> Any:
        self.kept[self.place(what, name)] = value
        return value

    def place(self, what: str, name: str) -> tuple[str, str]:
        return what, name

    def rate(self, g: Any) -> Any:
        return g.dtype.type(self.lr)


class SGD(Optimizer):
    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def step(self, name: str, g: Any) -> Any:
        return -self.rate(g) * g


class Momentum(Optimizer):
    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self.momentum = momentum

    def step(self, name: str, g: Any) -> Any:
        return self.keep("velocity", name, self.velocity(name, g))

    def velocity(self, name: str, g: Any) -> Any:
        before = self.of("velocity", name, g)
        return g.dtype.type(self.momentum) * before - self.rate(g) * g


class Nesterov(Momentum):
    """With the velocity before the step, as in the paper, or after it, as in the printed
    code.
    """

    velocity_first = True

    def step(self, name: str, g: Any) -> Any:
        before, after = self.of("velocity", name, g), self.velocity(name, g)
        self.keep("velocity", name, after)
        m = g.dtype.type(self.momentum)
        of_it = after if self.velocity_first else before
        return m * m * of_it - (1 + m) * self.rate(g) * g


class AdaGrad(Optimizer):
    epsilon, inside = 1e-7, False

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def step(self, name: str, g: Any) -> Any:
        squares = self.keep("squares", name, self.squares(name, g))
        return -self.rate(g) * g / self.root(squares)

    def squares(self, name: str, g: Any) -> Any:
        return self.of("squares", name, g) + g * g

    def root(self, squares: Any) -> Any:
        """With what keeps it from 0, which may be inside."""
        epsilon = squares.dtype.type(self.epsilon)
        if self.inside:
            return np.sqrt(squares + epsilon)
        return np.sqrt(squares) + epsilon


class RMSprop(AdaGrad):
    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__(lr)
        self.decay_rate = decay_rate

    def squares(self, name: str, g: Any) -> Any:
        rho = g.dtype.type(self.decay_rate)
        return rho * self.of("squares", name, g) + (1 - rho) * g * g


class Adam(AdaGrad):
    """With the corrections of the means in the learning rate, or in the means."""

    folded = True

    def __init__(
        self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999
    ) -> None:
        super().__init__(lr)
        self.beta1, self.beta2 = beta1, beta2

    def step(self, name: str, g: Any) -> Any:
        mean = self.keep("mean", name, self.mean("mean", name, g, self.beta1))
        of_squares = self.mean("squares", name, self.square(g), self.beta2)
        squares = self.keep("squares", name, of_squares)
        first, second = self.corrections(g)
        if self.folded:
            rate = self.rate(g) * np.sqrt(second) / first
            return -rate * mean / self.root(squares)
        return -self.rate(g) * (mean / first) / self.root(squares / second)

    def mean(self, what: str, name: str, value: Any, beta: float) -> Any:
        beta = value.dtype.type(beta)
        return beta * self.of(what, name, value) + (1 - beta) * value

    def square(self, g: Any) -> Any:
        return g * g

    def corrections(self, g: Any) -> tuple[Any, Any]:
        """What the two means are short of, as they begin with 0."""
        one = g.dtype.type(1)
        betas = (g.dtype.type(beta) for beta in (self.beta1, self.beta2))
        first, second = (one - beta**self.steps for beta in betas)
        return first, second


OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__: kind for kind in (SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam)
}
