"""What optimizers are asked: several steps, each with other gradients."""

from collections.abc import Iterator

import numpy as np

from gradparity.parity_tests.grading.asking_optimizers import DEFAULTS, SETTINGS
from gradparity.parity_tests.grading.drawing import Drawing, call
from gradparity.parity_tests.grading.outcomes import Arrays, Call, Task

# Numbers that have few digits, so that nothing is lost in 1 - beta.
GIVEN = {"lr": 0.0625, "momentum": 0.75, "decay_rate": 0.875}
GIVEN |= {"beta1": 0.75, "beta2": 0.875}
# Of parameters of one shape, what is kept in one array for all of them shows in numbers.
Shapes = dict[str, tuple[int, ...]]
ALIKE: Shapes = {"W1": (2, 3), "b1": (2, 3), "W2": (2, 3), "b2": (2, 3)}
DIFFERENT: Shapes = {"W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}


def tasks() -> Iterator[Task]:
    for name in SETTINGS:
        yield from tasks_of(name)


def tasks_of(name: str) -> Iterator[Task]:
    draw = Drawing(10)
    settings = {role: GIVEN[role] for role in SETTINGS[name]}

    def gradients(shapes: Shapes) -> Arrays:
        """Large ones, beside which what is added to a root is small."""
        return {f"d{n}": draw.normal(*shape, scale=16) for n, shape in shapes.items()}

    def steps(shapes: Shapes, count: int, **more: np.ndarray) -> list[Call]:
        params = {n: draw.normal(*shape) for n, shape in shapes.items()}
        first = call(**params, **settings, **(gradients(shapes) | more))
        return [first, *(call(**(gradients(shapes) | more)) for _ in range(count - 1))]

    def optimizer(case: str, calls: list[Call]) -> Task:
        return Task(name, case, "float64", tuple(calls))

    yield optimizer("several steps", steps(ALIKE, 4))
    yield optimizer("several shapes", steps(DIFFERENT, 3))
    always = {"db1": np.zeros(3)}  # as of a unit that is never on
    yield optimizer("a gradient that is always 0", steps(DIFFERENT, 2, **always))
    yield optimizer(DEFAULTS, steps(DIFFERENT, 2))
