"""What functions should give that are no layer's, and how far rounding may take them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.outcomes import Arrays, Task
from gradparity.parity_tests.grading.rights import (
    Answers,
    Choice,
    Results,
    Right,
    allowance,
    computed,
    nearest,
)
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.reference.rounding import Arithmetic, Bounded, gamma

LEAST_STEP = {"float64": 1e-7, "float32": 1e-4}  # that numerical_gradient may take
LARGEST_STEP = 1e-2


def exactly(
    formula: Callable[[Any], Any], task: Task, number: int, dtype: str
) -> Iterator[tuple[str, Right]]:
    """What no rounding can change."""
    (x,) = task.calls[number].inputs.values()
    truth = formula(x.astype(truth_dtype(dtype)))
    yield "out", Right(truth, np.zeros(truth.shape))


def sigmoid_grad(task: Task, number: int, dtype: str) -> Iterator[tuple[str, Right]]:
    """y (1 - y); or e / (1 + e)**2 with e = exp(-x), or exp(x)."""
    x, wide = task.calls[number].inputs["x"], truth_dtype(dtype)
    e = np.exp(-np.abs(x.astype(wide)))
    truth = e / (1 + e) ** 2
    allowed = 0.0
    for each in (dtype, wide):
        given = Bounded.exact(x, arithmetic(NUMPY, each))
        one, y = given.constant(1.0), given.sigmoid()
        ways = [y * (one - y)]
        for power in (given.exp(), (-given).exp()):
            ways.append(power / ((one + power) * (one + power)))
        allowed = allowed + np.max([way.error for way in ways], axis=0)
    yield "out", Right(truth, np.asarray(allowed))


def squared_error(
    task: Task, number: int, dtype: str, mean: bool
) -> Iterator[tuple[str, Right | Choice]]:
    """Half the sum of the squares, as in the book; or, by its name, their mean, or half
    of that.
    """
    y, t = (task.calls[number].inputs[name] for name in ("y", "t"))
    wide = truth_dtype(dtype)
    squares = np.asarray(((y.astype(wide) - t) ** 2).sum())
    # A difference, a square, the sum, and a factor and a quotient.
    roundings = allowance(2 + 1 + y.size + 2, dtype)
    factors = [0.5, 1 / wide(y.size), 0.5 / wide(y.size)] if mean else [0.5]
    rights = [Right(c * squares, roundings * c * squares) for c in factors]

    def choose(results: Results) -> Right:
        return nearest(results[-1].get("out"), rights)

    yield "out", choose


def columns(
    task: Task, number: int, dtype: str, back: bool
) -> Iterator[tuple[str, Right]]:
    """im2col moves numbers; col2im adds those that come from the same place."""
    given = {name: value.copy() for name, value in task.calls[number].inputs.items()}
    sizes = {name: given[name].item() for name in SIZES_OF_COLUMNS}
    shape = tuple(given["input_shape"]) if back else given["x"].shape
    places = where_from(shape, **sizes)
    if not back:
        padded = pad(given["x"].astype(truth_dtype(dtype)), sizes["pad"])
        truth = padded.reshape(-1)[places]
        yield "out", Right(truth, np.zeros(truth.shape))
        return
    most = sizes["filter_h"] * sizes["filter_w"]
    collected = partial(collect, places=places, shape=shape, pad=sizes["pad"])
    yield "out", computed(collected, dtype, given["col"], roundings=most)


SIZES_OF_COLUMNS = ("filter_h", "filter_w", "stride", "pad")


def pad(x: np.ndarray, width: int) -> np.ndarray:
    """With so many zeros around the last two axes."""
    return np.pad(x, [(0, 0), (0, 0), (width, width), (width, width)])


def where_from(
    shape: tuple[int, ...], filter_h: int, filter_w: int, stride: int, pad: int
) -> np.ndarray:
    """Where in the padded images the elements of a column matrix come from: a row for each
    position of the filter, in it channel, height and width.
    """
    n, c, h, w = shape
    h, w = h + 2 * pad, w + 2 * pad
    at = np.arange(n * c * h * w).reshape(n, c, h, w)
    rows = [
        at[i, :, y : y + filter_h, x : x + filter_w].reshape(-1)
        for i in range(n)
        for y in range(0, h - filter_h + 1, stride)
        for x in range(0, w - filter_w + 1, stride)
    ]
    return np.stack(rows)


def collect(
    col: np.ndarray, places: np.ndarray, shape: tuple[int, ...], pad: int
) -> np.ndarray:
    """The sums of what is in a column matrix, where it came from, without the padding."""
    n, c, h, w = shape
    padded = np.zeros(n * c * (h + 2 * pad) * (w + 2 * pad), col.dtype)
    np.add.at(padded, places, col)
    images = padded.reshape(n, c, h + 2 * pad, w + 2 * pad)
    return images[:, :, pad : h + pad, pad : w + pad]


def neighbours(x: np.ndarray) -> np.ndarray:
    """The sum of the elements before and after each, of a vector."""
    padded = np.pad(x, 1)
    return padded[:-2] + padded[2:]


def gradient(task: Task, number: int, dtype: str) -> Iterator[tuple[str, Right]]:
    """Of numerical_gradient, and of numerical_diff."""
    yield "gradient", right_gradient(task.calls[number].inputs, dtype)


def right_gradient(inputs: Arrays, dtype: str) -> Right:
    """That of sum(a x**2 + b x + c x**3) + p sum(x_i x_(i+1)), and what rounding does to
    its central differences; they are off by c h**2 besides.

    Either value of f is off by the roundings of its sum, and by those of x + h and x - h
    times the derivative; both are divided by 2 h. The smaller the step, the more of it:
    the bound is that of the smallest reasonable one, and at 0 that of the largest.
    """
    x, a, b = (inputs[name] for name in ("x", "a", "b"))
    c, p = (inputs.get(name, np.zeros(())) for name in ("c", "p"))
    u, size = Arithmetic.of(dtype).u, np.abs(x)
    near = neighbours(x) if "p" in inputs else np.zeros_like(x)
    truth = 2 * a * x + b + 3 * c * x**2 + p * near
    allowed = np.zeros_like(x)
    terms = x.size + 3 if "p" not in inputs else 3 * x.size + 8
    around = np.abs(p) * (neighbours(size) if "p" in inputs else near)
    for h in (LEAST_STEP[dtype], LARGEST_STEP):
        beside = size + h
        moved, rest = (
            np.abs(a) * v**2 + np.abs(b) * v + np.abs(c) * v**3 + around * v
            for v in (beside, size)
        )
        # The other terms are where they are; this one has its element moved.
        total = rest.sum() - rest + moved
        slope = 2 * np.abs(a) * beside + np.abs(b) + 3 * np.abs(c) * beside**2 + around
        off = gamma(terms, u) * total + slope * u * beside
        allowed = np.maximum(allowed, off / h + gamma(3, u) * np.abs(truth))
    allowed = allowed + np.abs(c) * LARGEST_STEP**2
    return Right(truth.astype(truth_dtype(dtype)), allowed)


ANSWERS: dict[str, Answers] = {
    "numerical_gradient": gradient,
    "numerical_diff": gradient,
    "step_function": partial(exactly, lambda x: (x > 0).astype(x.dtype)),
    "relu": partial(exactly, lambda x: np.maximum(x, 0)),
    "sigmoid_grad": sigmoid_grad,
    "mean_squared_error": partial(squared_error, mean=True),
    "sum_squared_error": partial(squared_error, mean=False),
    "im2col": partial(columns, back=False),
    "col2im": partial(columns, back=True),
}
