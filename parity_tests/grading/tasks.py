"""What every submission is asked: small batches, in the lecture's use of its layers.

All numbers are numbers of float32 too, so that who computes in float32 alone starts from
the same ones. A task's calls go to one instance, with other data each time, of other
batch sizes too: what it keeps of an earlier batch shows. A case's name, up to a comma, is
its group; some groups may be wrong, or refused, and the submission is right nonetheless.
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any

import numpy as np

from gradparity.parity_tests.grading import (
    tasks_of_functions,
    tasks_of_layers,
    tasks_of_networks,
    tasks_of_optimizers,
)
from gradparity.parity_tests.grading.asking_optimizers import DEFAULTS
from gradparity.parity_tests.grading.drawing import Drawing, call, in_both, single
from gradparity.parity_tests.grading.exercise import BESIDE, CLOSURE
from gradparity.parity_tests.grading.outcomes import Task
from gradparity.parity_tests.grading.tasks_of_functions import ARRAYS, NUMBERS
from gradparity.parity_tests.grading.tasks_of_layers import NO_SQUARES
from gradparity.parity_tests.grading.tasks_of_networks import LABELS as LABELS
from gradparity.parity_tests.grading.tasks_of_networks import ONE_HOT as ONE_HOT

EXTREME, SCALED, TENSORS, VECTOR = "extreme", "scaled dout", "tensors", "vector"
MATRIX = "matrix"
# Groups in which to be wrong is a warning,
OPTIONAL = (EXTREME, SCALED, CLOSURE, VECTOR, DEFAULTS)
# and in which an exception is one; of these pairs, in one of the two.
ONE_OF_TWO = ((LABELS, ONE_HOT), (ARRAYS, NUMBERS))
DECLINABLE = (
    *(TENSORS, MATRIX, VECTOR, NO_SQUARES),
    *(*tasks_of_networks.DECLINABLE, *chain(*ONE_OF_TWO)),
)


def group(case: str) -> str:
    """Its part before the comma: `one-hot` of `one-hot, one sample`."""
    return case.partition(",")[0]


def nodes() -> Iterator[Task]:
    """The sum and the product: numbers, as in the lecture's bill, and arrays."""
    draw = Drawing(1)
    for name in ("AddLayer", "MulLayer"):
        numbers = [
            call(single(np.array(1.1)), x=200.0, y=450.0),
            call(2.0, x=100.0, y=2.0),
        ]
        yield from in_both(name, "numbers", *numbers)
        x, y = draw.normal(3, 4), draw.normal(3, 4)
        x.flat[5] = y.flat[6] = 0
        calls = [
            call(draw.normal(3, 4), x=x, y=y),
            call(draw.normal(3, 4), x=x, y=y),
            call(draw.normal(3, 4), x=draw.normal(3, 4), y=draw.normal(3, 4)),
            call(draw.normal(2, 4), x=draw.normal(2, 4), y=draw.normal(2, 4)),
        ]
        yield from in_both(name, "batch", *calls)
        yield from in_both(name, BESIDE, calls[0], calls[3])


def activations() -> Iterator[Task]:
    draw = Drawing(2)
    for name, inputs in (("Relu", draw.gates), ("Sigmoid", draw.wide)):
        x = inputs(3, 4)
        yield from in_both(
            *(name, "batch"),
            call(draw.normal(3, 4), x=x),
            call(draw.normal(3, 4), x=x),
            call(draw.normal(3, 4), x=inputs(3, 4)),
            call(draw.normal(3, 4), x=x),
        )
        yield from in_both(
            *(name, "another batch size"),
            call(draw.normal(4, 3), x=inputs(4, 3)),
            call(draw.normal(2, 3), x=inputs(2, 3)),
        )
        yield from in_both(name, "one sample", call(draw.normal(1, 5), x=inputs(1, 5)))
        yield from in_both(
            *(name, BESIDE),
            call(draw.normal(3, 4), x=inputs(3, 4)),
            call(draw.normal(3, 4), x=inputs(3, 4)),
        )
    for name in ("Sigmoid", "sigmoid"):
        dout = draw.normal(2, 4) if name == "Sigmoid" else None
        far = np.array([[-600.0, -80, -30, -20], [20, 30, 80, 600]])
        yield from in_both(name, EXTREME, call(dout, x=far))
    calls = [call(x=draw.wide(3, 4)), call(x=draw.wide(2, 4))]
    yield from in_both("sigmoid", "batch", *calls)


def affine() -> Iterator[Task]:
    draw = Drawing(3)

    def batches(
        case: str, sizes: tuple[int, int], *shapes: tuple[int, ...]
    ) -> Iterator[Task]:
        """Batches of these shapes; the first goes by twice, with another dout."""
        W, b = draw.normal(*sizes), draw.normal(sizes[1])
        xs = [draw.normal(*shape) for shape in shapes]
        calls = [
            call(draw.normal(len(x), sizes[1]), x=x, W=W, b=b) for x in [xs[0], *xs]
        ]
        yield from in_both("Affine", case, *calls)

    yield from batches("batch", (3, 5), (4, 3), (4, 3), (2, 3))
    yield from batches("as many outputs as inputs", (4, 4), (4, 4), (4, 4))
    yield from batches("one output", (3, 1), (4, 3))
    yield from batches("one sample", (3, 5), (1, 3), (1, 3))
    yield from batches(BESIDE, (3, 5), (4, 3), (4, 3))
    yield from batches(TENSORS, (6, 4), (3, 2, 1, 3), (3, 2, 1, 3), (2, 2, 1, 3))


def large(draw: Drawing) -> np.ndarray:
    """Logits of a thousand."""
    return single(1000 + draw.normal(3, 4, scale=2))


def larger(draw: Drawing) -> np.ndarray:
    """Logits of fifty, the exp of which is large, but not infinite."""
    return single(50 + draw.normal(3, 4, scale=2))


def apart(draw: Drawing) -> np.ndarray:
    """One row far below the others."""
    return single(draw.normal(3, 4, scale=2) - np.array([[0.0], [1000], [0]]))


def losses() -> Iterator[Task]:
    draw = Drawing(4)

    def one_hot(
        case: str, *xs: np.ndarray, dout: float | None = None
    ) -> Iterator[Task]:
        calls = [call(dout, x=x, t=draw.one_hot(*x.shape)) for x in xs]
        yield from in_both("SoftmaxWithLoss", case, *calls)

    sizes = ((4, 3), (4, 3), (2, 3))
    calls = [call(x=draw.normal(*s), t=draw.labels(*s)) for s in sizes]
    yield from in_both("SoftmaxWithLoss", LABELS, *calls)
    calls = [call(x=x, t=draw.labels(3, 4)) for x in (large(draw), apart(draw))]
    yield from in_both("SoftmaxWithLoss", "labels, large logits", *calls)
    yield from one_hot(ONE_HOT, *(draw.normal(*s) for s in sizes))
    yield from one_hot("one-hot, dout of 1", *map(draw.normal, (4, 4), (3, 3)), dout=1)
    yield from one_hot(
        "one-hot, as many samples as classes", draw.normal(4, 4), draw.normal(4, 4)
    )
    yield from one_hot("one-hot, one sample", draw.normal(1, 4), draw.normal(1, 4))
    yield from one_hot("one-hot, large logits", large(draw), large(draw))
    yield from one_hot("one-hot, rows far apart", apart(draw), apart(draw))
    yield from one_hot(f"one-hot, {BESIDE}", draw.normal(4, 3), draw.normal(4, 3))
    yield from one_hot(SCALED, draw.normal(4, 3), dout=-2.5)
    x, t = np.array([[1000.0, 0, 1], [2, 1, 0]]), np.eye(3)[[1, 2]]
    yield from in_both("SoftmaxWithLoss", EXTREME, call(x=x, t=t))


def functions() -> Iterator[Task]:
    draw = Drawing(5)

    def softmax(case: str, *xs: np.ndarray) -> Iterator[Task]:
        yield from in_both("softmax", case, *(call(x=x) for x in xs))

    def cross_entropy(case: str, t: Any, *sizes: tuple[int, int]) -> Iterator[Task]:
        calls = [call(y=draw.probabilities(*s), t=t(*s)) for s in sizes]
        yield from in_both("cross_entropy_error", case, *calls)

    yield from softmax("batch", draw.normal(4, 3, scale=2), draw.normal(2, 3))
    yield from softmax("as many samples as classes", draw.normal(4, 4))
    yield from softmax("one sample", draw.normal(1, 4))
    yield from softmax("large logits", large(draw), large(draw), larger(draw))
    yield from softmax("rows far apart", apart(draw))
    other = Drawing(8)
    yield from softmax(VECTOR, other.normal(4, scale=2), other.normal(3))
    yield from softmax(f"{VECTOR}, large logits", large(other)[0])
    yield from cross_entropy(LABELS, draw.labels, (4, 3), (2, 3))
    yield from cross_entropy(ONE_HOT, draw.one_hot, (4, 3), (2, 3))
    yield from cross_entropy(
        "one-hot, as many samples as classes", draw.one_hot, (4, 4)
    )
    yield from cross_entropy("one-hot, one sample", draw.one_hot, (1, 4))
    rows = [(other.probabilities(1, n), other.labels(1, n)) for n in (4, 3)]
    calls = [call(y=y[0], t=np.eye(y.size)[t[0]]) for y, t in rows]
    yield from in_both("cross_entropy_error", VECTOR, *calls)
    y = single(np.array([[1e-30, 0.25, 0.75], [0.5, 0.25, 0.25]]))
    yield from in_both("cross_entropy_error", EXTREME, call(y=y, t=np.eye(3)[[0, 1]]))


def numerical_gradients() -> Iterator[Task]:
    """Of sum(a v**2 + b v), whose central differences have no error but rounding; and of
    a function with products in it, which shows what is not put back, and with cubes,
    which show a step that is too large.
    """
    draw = Drawing(6)

    def parabola(case: str, x: np.ndarray) -> Task:
        a, b = single(1.5 + np.abs(draw.normal(*x.shape))), draw.normal(*x.shape)
        return Task("numerical_gradient", case, "float64", (call(x=x, a=a, b=b),))

    yield parabola("vector", draw.normal(5))
    yield parabola(MATRIX, draw.normal(3, 4))
    yield parabola("matrix, square", draw.normal(3, 3))
    yield parabola("x of zeros", np.zeros(4))
    yield parabola(CLOSURE, draw.normal(2, 3))
    a, b, x = (draw.normal(4) for _ in range(3))
    curved = call(x=x, a=a, b=b, c=np.full(4, 0.5), p=8.0)
    yield Task("numerical_gradient", "curved", "float64", (curved,))


@cache
def all_tasks() -> tuple[Task, ...]:
    """Every task, always with the same numbers."""
    return (
        *functions(),
        *numerical_gradients(),
        *nodes(),
        *activations(),
        *affine(),
        *losses(),
        *tasks_of_functions.functions(),
        *tasks_of_layers.layers(),
        *tasks_of_networks.tasks(),
        *tasks_of_optimizers.tasks(),
    )


@cache
def tasks_of(name: str) -> tuple[Task, ...]:
    """Those of a class or function."""
    return tuple(task for task in all_tasks() if task.name == name)
