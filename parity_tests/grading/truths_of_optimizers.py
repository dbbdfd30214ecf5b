"""What parameters should be after each step of an optimizer, and how far rounding may take
them from that.

The truth is computed in a wider dtype, step by step. The bound follows the same steps, in
the ways that it is usual to write them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.asking_optimizers import DEFAULTS, SETTINGS
from gradparity.parity_tests.grading.outcomes import Arrays, Task
from gradparity.parity_tests.grading.rights import Right, Stated
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.mutants.optimizers import OPTIMIZERS
from gradparity.reference.rounding import Arithmetic, Bounded

Settings = Mapping[str, Any]


def stated(task: Task, number: int, settings: Settings) -> Iterator[tuple[str, Stated]]:
    """What is right of every parameter after a step."""
    whole = course(task, tuple(sorted(settings.items())))

    def after(name: str, dtype: str, epsilon: float) -> Right:
        return whole(dtype)[number][name]

    for name in names_of(task):
        yield name, Stated(partial(after, name))


def names_of(task: Task) -> list[str]:
    given = task.calls[0].inputs
    return [name[1:] for name in given if name.startswith(("dW", "db"))]


@cache
def course(
    task: Task, settings: tuple[tuple[str, Any], ...]
) -> Callable[[str], list[dict[str, Right]]]:
    """What is right after every step, in a dtype, computed once for each."""
    return cache(lambda dtype: list(steps(task, dict(settings), dtype)))


def steps(task: Task, settings: Settings, dtype: str) -> Iterator[dict[str, Right]]:
    wide = truth_dtype(dtype)
    inputs, numbers = task.calls[0].inputs, SETTINGS[task.name]
    if task.case != DEFAULTS:
        numbers = {role: float(inputs[role]) for role in numbers}
    optimizer = OPTIMIZERS[task.name](**numbers)
    vars(optimizer).update(settings)
    params = {name: inputs[name].astype(wide) for name in names_of(task)}
    own, of_truth = (arithmetic(NUMPY, each) for each in (dtype, np.dtype(wide).name))
    ways = [
        Way(STEPS[task.name], number, {**numbers, **settings}, each)
        for each in (own, of_truth)
        for number in range(WAYS)
    ]
    for way in ways:
        way.params = Bounded.exact(in_a_row(inputs[name] for name in params), way.own)
    for call in task.calls:
        gradients = {name: call.inputs[f"d{name}"] for name in params}
        optimizer.update(params, {n: g.astype(wide) for n, g in gradients.items()})
        for way in ways:
            way.step(in_a_row(gradients[name] for name in params))
        errors = np.asarray([way.params.error for way in ways])
        allowed = errors[:WAYS].max(axis=0) + errors[WAYS:].max(axis=0)
        yield dict(rights(params, allowed))


def in_a_row(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """The elements of all: what an optimizer does, it does to each by itself."""
    return np.concatenate([array.ravel() for array in arrays])


def rights(params: Arrays, allowed: np.ndarray) -> Iterator[tuple[str, Right]]:
    """Each parameter as it is now, with its part of that row."""
    start = 0
    for name, value in params.items():
        end = start + value.size
        yield name, Right(value.copy(), allowed[start:end].reshape(value.shape))
        start = end


# --- Steps with bounds ----------------------------------------------------------------

WAYS = 2  # that each optimizer is written in


@dataclass(eq=False)
class Way:
    """An optimizer, written in one way, with bounds, and the parameters in a row."""

    of: "Callable[[Way, Bounded], list[Bounded]]"  # what is added, one by one
    number: int
    numbers: Settings
    own: Arithmetic
    params: Bounded = field(init=False)
    taken: int = 0
    kept: dict[str, Bounded] = field(default_factory=dict)

    def step(self, gradients: np.ndarray) -> None:
        """Change the parameters by a step."""
        self.taken += 1
        with np.errstate(all="ignore"):
            for change in self.of(self, Bounded.exact(gradients, self.own)):
                self.params = self.params + change

    def constant(self, role: str) -> Bounded:
        """One of the settings, rounded where it has more digits than there are."""
        value = Bounded.exact(self.numbers[role], self.own)
        return value if self.own.has(self.numbers[role]) else value.rounded(1)

    def less(self, x: Bounded) -> Bounded:
        """1 - x."""
        return x.constant(1.0) - x

    def before(self, what: str) -> Bounded:
        zeros = self.params.constant(np.zeros_like(self.params.value))
        return self.kept.get(what, zeros)

    def keep(self, what: str, value: Bounded) -> Bounded:
        self.kept[what] = value
        return value

    def mean(self, what: str, value: Bounded, beta: Bounded) -> Bounded:
        """beta m + (1 - beta) g, or m + (1 - beta) (g - m)."""
        m = self.before(what)
        if self.number:
            return self.keep(what, m + self.less(beta) * (value - m))
        return self.keep(what, beta * m + self.less(beta) * value)

    def root(self, squares: Bounded) -> Bounded:
        """The root, or a power of a half, with what keeps it from 0."""
        epsilon = self.constant("epsilon")
        if self.numbers["inside"]:
            return (squares + epsilon).sqrt(nonnegative=True).rounded(1)
        return squares.sqrt(nonnegative=True).rounded(1) + epsilon


def sgd(way: Way, g: Bounded) -> list[Bounded]:
    return [-(way.constant("lr") * g)]


def momentum(way: Way, g: Bounded) -> list[Bounded]:
    """With the learning rate in the velocity, or outside."""
    lr, m, v = way.constant("lr"), way.constant("momentum"), way.before("v")
    if way.number:
        return [-(lr * way.keep("v", m * v + g))]
    return [way.keep("v", m * v - lr * g)]


def nesterov(way: Way, g: Bounded) -> list[Bounded]:
    """In two steps, as in the book's code; or in one, which may be (1 + m) v' - m v where
    v is the velocity before the step.
    """
    lr, m, v = way.constant("lr"), way.constant("momentum"), way.before("v")
    after = way.keep("v", m * v - lr * g)
    above = m.constant(1.0) + m
    of_it = after if way.numbers["velocity_first"] else v
    if not way.number:
        return [m * m * of_it, -(above * lr * g)]
    if way.numbers["velocity_first"]:
        return [m * m * of_it - above * lr * g]
    return [above * after - m * v]


def adagrad(way: Way, g: Bounded) -> list[Bounded]:
    squares = way.keep("h", way.before("h") + g * g)
    return [-(way.constant("lr") * g / way.root(squares))]


def rmsprop(way: Way, g: Bounded) -> list[Bounded]:
    rho = way.constant("decay_rate")
    squares = way.mean("h", (g * g).rounded(1), rho)
    return [-(way.constant("lr") * g / way.root(squares))]


def adam(way: Way, g: Bounded) -> list[Bounded]:
    betas = [way.constant(role) for role in ("beta1", "beta2")]
    m = way.mean("m", g, betas[0])
    v = way.mean("v", (g * g).rounded(1), betas[1])
    first, second = (way.less(beta.pow(way.taken)) for beta in betas)
    lr = way.constant("lr")
    if way.numbers["folded"]:
        return [-(lr * second.sqrt() / first * m / way.root(v))]
    return [-(lr * (m / first) / way.root(v / second))]


STEPS: dict[str, Callable[[Way, Bounded], list[Bounded]]] = {
    "SGD": sgd,
    "Momentum": momentum,
    "Nesterov": nesterov,
    "AdaGrad": adagrad,
    "RMSprop": rmsprop,
    "Adam": adam,
}
