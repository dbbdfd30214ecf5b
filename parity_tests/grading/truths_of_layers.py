"""What the layers of chapters 6 and 7 should give, and how far rounding may take them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.outcomes import Task
from gradparity.parity_tests.grading.rights import Answers, Right, computed
from gradparity.parity_tests.grading.truths_of_functions import (
    collect,
    pad,
    where_from,
)
from gradparity.parity_tests.measuring.dtypes import truth_dtype

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


ANSWERS: dict[str, Answers] = {"Convolution": convolution, "Pooling": pooling}
