"""What the layers of chapters 6 and 7 should give, and how far rounding may take them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.outcomes import Task
from gradparity.parity_tests.grading.rights import (
    KEEPS,
    Answers,
    Choice,
    Results,
    Right,
    allowance,
    computed,
    nearest,
)
from gradparity.parity_tests.grading.truths_of_functions import (
    collect,
    pad,
    where_from,
)
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.reference.rounding import Bounded

Answer = Iterator[tuple[str, Right]]


def rows_of(images: np.ndarray) -> np.ndarray:
    """Feature maps as a matrix: a row for each place, a column for each filter."""
    return images.transpose(0, 2, 3, 1).reshape(-1, images.shape[1])


def maps_of(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The feature maps of this shape that `rows_of` gives such rows of."""
    n, filters, down, across = shape
    return rows.reshape(n, down, across, filters).transpose(0, 3, 1, 2)


def convolution(task: Task, number: int, dtype: str) -> Answer:
    """Sums of products all: every element of out is one of as many products as a filter
    has elements, and the bias; of dW and db one over samples and places; and of dx one
    over filters, and over the places that saw it.
    """
    call = task.calls[number]
    x, b, dout = call.inputs["x"], call.inputs["b"], call.dout
    W, first = call.inputs["W"], task.calls[0].inputs
    assert dout is not None
    stride, width = first["stride"].item(), first["pad"].item()
    height, breadth = W.shape[2:]
    places = where_from(x.shape, height, breadth, stride, width)

    def columns(x: np.ndarray) -> np.ndarray:
        return pad(x, width).reshape(-1)[places]

    def out(x: Any, W: Any, b: Any) -> Any:
        return maps_of(columns(x) @ W.reshape(len(W), -1).T + b, dout.shape)

    def dx(dout: Any, W: Any) -> Any:
        col = rows_of(dout) @ W.reshape(len(W), -1)
        return collect(col, places, x.shape, width)

    def of_filters(x: Any, dout: Any) -> Any:
        return (rows_of(dout).T @ columns(x)).reshape(W.shape)

    def db(dout: Any) -> Any:
        return rows_of(dout).sum(axis=0)

    yield "out", computed(out, dtype, x, W, b, roundings=W[0].size + 1)
    yield "dx", computed(dx, dtype, dout, W, roundings=len(W) + height * breadth)
    yield "dW", computed(of_filters, dtype, x, dout, roundings=len(places))
    yield "db", computed(db, dtype, dout, roundings=len(places))


def pooling(task: Task, number: int, dtype: str) -> Answer:
    """The largest of every window, which no rounding changes; and sums where windows
    overlap.
    """
    call = task.calls[number]
    x, dout, first = call.inputs["x"], call.dout, task.calls[0].inputs
    assert dout is not None
    sizes = [first[name].item() for name in ("pool_h", "pool_w", "stride", "pad")]
    places = where_from(x.shape, *sizes).reshape(-1, sizes[0] * sizes[1])
    windows = x.astype(truth_dtype(dtype)).reshape(-1)[places]
    truth = maps_of(windows.max(axis=1), dout.shape)
    yield "out", Right(truth, np.zeros(truth.shape))
    is_largest = windows == windows.max(axis=1, keepdims=True)

    def dx(dout: Any) -> Any:
        given = is_largest * rows_of(dout).reshape(-1, 1)
        return collect(given, places, x.shape, 0)

    yield "dx", computed(dx, dtype, dout, roundings=sizes[0] * sizes[1])


# --- Dropout --------------------------------------------------------------------------

CERTAIN = (
    1e-9  # the probability that a right share of elements is taken for a wrong one
)


def dropout(
    task: Task, number: int, dtype: str
) -> Iterator[tuple[str, Right | Choice]]:
    """Judged by what was kept, which is for chance to say: its share, and whether backward
    and test time are in keeping with it. To scale in training is as right as to scale at
    test time.
    """
    call, wide = task.calls[number], truth_dtype(dtype)
    ratio = task.calls[0].inputs["dropout_ratio"].item()
    x, share = call.inputs["x"].astype(wide), 1 - wide(ratio)

    def scaled(value: np.ndarray) -> Right:
        return Right(value, allowance(3, dtype) * np.abs(value))

    def drawn(at: int, results: Results) -> tuple[np.ndarray, Any]:
        """Which elements a call has kept, and the factor of those."""
        given = task.calls[at].inputs["x"].astype(wide)
        came = results[at].get("out")
        if came is None or came.shape != given.shape or came.dtype.kind not in "fiub":
            return np.ones(given.shape, bool), wide(1)
        kept = came != 0
        ways = [scaled(given * kept * factor) for factor in (wide(1), 1 / share)]
        return kept, (wide(1), 1 / share)[ways.index(nearest(came, ways))]

    def forward(results: Results) -> Right | str:
        kept, factor = drawn(number, results)
        # Hoeffding's inequality, for as many elements as are drawn one by one.
        most = np.sqrt(np.log(2 / CERTAIN) / (2 * draws(kept)))
        if abs(kept.mean() - share) > most:
            came, right = f"{kept.mean():.0%}", f"{share:.0%}"
            return f"{KEEPS}{came} of the elements where {right} is right"
        return scaled(x * kept * factor)

    def backward(results: Results) -> Right:
        assert call.dout is not None
        kept, factor = drawn(number, results)
        return scaled(call.dout.astype(wide) * kept * factor)

    def at_test_time(results: Results) -> Right:
        _, factor = drawn(0, results)
        return scaled(x * share if factor == 1 else x)

    if call.inputs["train_flg"]:
        yield "out", forward
        yield "dx", backward
    else:
        yield "out", at_test_time


def draws(kept: np.ndarray) -> int:
    """How many elements were drawn for themselves: some drop whole columns, or rows."""
    if (kept == kept[:1]).all():
        return int(kept.shape[1])
    return int(kept.shape[0] if (kept == kept[:, :1]).all() else kept.size)


# --- BatchNormalization ---------------------------------------------------------------

MOST_ADDED = 1e-3  # to a deviation, so that nothing is divided by 0
Number = Any  # an array, or one with a bound


def root(value: Number) -> Number:
    return value.sqrt() if isinstance(value, Bounded) else np.sqrt(value)


def mean(value: Number) -> Number:
    return value.mean(axis=0, keepdims=True)


def normalized(x: Number, gamma: Number, beta: Number, dout: Number = None) -> Any:
    """Out and the gradients, with nothing added to the variance."""
    xc = x - mean(x)
    std = root(mean(xc * xc))
    xn = xc / std
    found = {"out": gamma * xn + beta}
    if dout is not None:
        dxn = dout * gamma
        dxc = dxn / std - xn * (mean(dxn * xn) / std)
        found |= {"dx": dxc - mean(dxc)}
        found |= {"dgamma": (dout * xn).sum(axis=0), "dbeta": dout.sum(axis=0)}
    return found


def running(
    xs: Sequence[Number], x: Number, gamma: Number, beta: Number, first: float | None
) -> Number:
    """Out at test time, after training on these, with a momentum of one half. The running
    variance begins with a number, or as that of the first batch.
    """
    means, variances = [], []
    for each in xs:
        means.append(mean(each))
        variances.append(mean((each - means[-1]) * (each - means[-1])))
    half: Number = x.constant(0.5) if isinstance(x, Bounded) else 0.5
    mean_now, var_now = means[0], variances[0]
    if first is not None:
        start: Number = x.constant(first) if isinstance(x, Bounded) else first
        mean_now, var_now = half * means[0], half * start + half * variances[0]
    for m, v in zip(means[1:], variances[1:], strict=True):
        mean_now, var_now = half * mean_now + half * m, half * var_now + half * v
    return gamma * ((x - mean_now) / root(var_now)) + beta


def batch_normalization(
    task: Task, number: int, dtype: str
) -> Iterator[tuple[str, Right | Choice]]:
    """Whatever is added to variance or deviation, up to `MOST_ADDED`; and at test time
    however the running variance begins.
    """
    call = task.calls[number]
    gamma, beta = (task.calls[0].inputs[name] for name in ("gamma", "beta"))
    x = call.inputs["x"]
    if not call.inputs["train_flg"]:
        before = [each.inputs["x"] for each in task.calls[:number]]
        rights = [
            at_test_time(before, x, gamma, beta, first, dtype) for first in (0, 1, None)
        ]
        yield "out", lambda results: nearest(results[-1].get("out"), rights)
        return
    wide = truth_dtype(dtype)
    arrays = [x, gamma, beta, *([] if call.dout is None else [call.dout])]
    exact = [array.astype(wide) for array in arrays]
    truth = normalized(*exact)
    off = added(*exact)
    for quantity, value in truth.items():
        error = np.asarray(off[quantity])
        for each in (dtype, wide):
            own = [Bounded.exact(array, arithmetic(NUMPY, each)) for array in arrays]
            bound = normalized(*own)
            error = error + bound[quantity].error
        yield quantity, Right(np.asarray(value), error)


def added(x: Any, gamma: Any, beta: Any, dout: Any = None) -> dict[str, Any]:
    """How far off the results may be by what is added to the deviation: one over it, and
    one over its cube, are between what they are without and with the most of it.
    """
    xc = x - mean(x)
    std = root(mean(xc * xc))
    less, cubes = (std**-n - (std + MOST_ADDED) ** -n for n in (1, 3))
    found = {"out": np.abs(gamma * xc) * less}
    if dout is not None:
        g = dout - mean(dout)
        found["dx"] = np.abs(gamma * g) * less
        found["dx"] = found["dx"] + np.abs(gamma * xc * mean(dout * xc)) * cubes
        found["dgamma"] = np.abs(dout * xc * less).sum(axis=0)
        found["dbeta"] = np.zeros_like(gamma)
    return found


def at_test_time(
    before: Sequence[np.ndarray],
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    first: float | None,
    dtype: str,
) -> Right:
    """With a running variance that began so."""
    wide = truth_dtype(dtype)
    arrays = [*before, x, gamma, beta]

    def of(values: list[Number]) -> Number:
        *xs, last, scale, shift = values
        return running(xs, last, scale, shift, first)

    exact = [array.astype(wide) for array in arrays]
    truth = of(exact)
    # One over the deviation is at least what it is in the smallest of them.
    least = 0.25 * min(root(mean((e - mean(e)) ** 2)).min() for e in exact[:-3])
    error = np.abs(truth - exact[-1]) * (MOST_ADDED / least)
    for each in (dtype, wide):
        own = [Bounded.exact(array, arithmetic(NUMPY, each)) for array in arrays]
        error = error + of(own).error
    return Right(truth, error)


ANSWERS: dict[str, Answers] = {
    "Convolution": convolution,
    "Pooling": pooling,
    "Dropout": dropout,
    "BatchNormalization": batch_normalization,
}
