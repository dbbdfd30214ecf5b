"""The edges: special numbers, memory layouts and sizes at which implementations may part.

One array holds many special numbers, since a case costs more than an element: an
element-wise layer meets all of them in its input, down the rows, together with all that
may arrive from above, across the columns. In a loss, which is one number, every edge is
a case of its own.
"""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.case import WIDE, Case, NetworkCase, case
from gradparity.parity_tests.catalogue.spec import Generator, OwnCases, generator
from gradparity.parity_tests.implementations.contract import Arrays

NAN, INF = np.nan, np.inf
SIZES = (
    *(0.0, WIDE.tiny, WIDE.subnormal, WIDE.normal, WIDE.low_root, WIDE.root),
    WIDE.half_eps,
    *(WIDE.below_one, 1.0, WIDE.above_one, 1.5, WIDE.saturated, 40.0),
    *(WIDE.exp_normal, WIDE.exp_subnormal, WIDE.exp_last, WIDE.exp_over),
    *(WIDE.exp_tiny, WIDE.exp_zero, 1e4, WIDE.high_root, WIDE.large, WIDE.largest),
    INF,
)
NUMBERS = np.array([*SIZES, *(-size for size in SIZES), NAN])
FROM_ABOVE = np.array(
    [1.0, -1.5, 0.0, -0.0, WIDE.tiny, -WIDE.normal, WIDE.large, INF, -INF, NAN]
)


def edge(layer: str, name: str, dout: Any = 1.0, **inputs: Any) -> Case:
    return case(layer, name, dout, kind="edge", **inputs)


def down(values: Any, columns: int = 10) -> np.ndarray:
    """A batch of 100 rows with these values in every column, over and over."""
    return np.repeat(np.resize(values, 100)[:, None], columns, axis=1)


def across(values: Any, columns: int = 10) -> np.ndarray:
    """A batch of 100 rows with these values in every row."""
    return np.tile(np.resize(values, columns), (100, 1))


def with_rows(batch: np.ndarray, *rows: Any) -> np.ndarray:
    """The batch, but with these for its first rows; a shorter one leaves the rest."""
    batch = batch.copy()
    for i, row in enumerate(rows):
        batch[i, : len(row)] = row
    return batch


def one_hot(t: Any, classes: int = 10) -> np.ndarray:
    return np.eye(classes)[t]


SCORES: dict[str, list[float]] = {
    "ties": [0.0] * 10,
    "zeros of both signs": [0.0, -0.0] * 5,
    "all but one far below": [0.0] + [-1e4] * 9,
    "one far above": [1e3] + [0.0] * 9,
    "two far above": [1e3, 1e3] + [0.0] * 8,
    "masked with -inf": [1.0, 2.0] + [-INF] * 8,
    "masked with the lowest number": [1.0, 2.0] + [-WIDE.largest] * 8,
    "the widest range": [WIDE.largest, -WIDE.largest] + [0.0] * 8,
    "the largest, tied": [WIDE.largest] * 10,
    "subnormal": [WIDE.tiny, -WIDE.tiny, WIDE.subnormal, WIDE.normal] + [0.0] * 6,
    "the ends of exp": [
        *(0.0, -WIDE.exp_normal, -WIDE.exp_subnormal, -WIDE.exp_last),
        *(-WIDE.exp_tiny, -WIDE.exp_zero, -WIDE.saturated, -WIDE.half_eps, 0.0, 0.0),
    ],
    "inf": [INF] + [0.0] * 9,
    "inf and -inf": [INF, -INF] + [0.0] * 8,
    "nothing but -inf": [-INF] * 10,
    "NaN": [NAN] + [0.0] * 9,
}


def extreme(layer: str, *rows: list[float]) -> OwnCases:
    """A layer of one array on these rows: few enough for 100 digits."""

    def small(rng: Generator) -> Iterator[Case]:
        x = np.array(rows, float)
        yield edge(layer, "small, extreme", rng.standard_normal(x.shape), x=x)

    return small


def spelled(layer: str, spelling: str, dout: Any, **inputs: Any) -> Case:
    """The layer as it is spelled in `spellings.py`."""
    inputs = {"spelled": spelling, **inputs}
    return edge(layer, spelling, dout, **inputs)


# --- Memory layouts -------------------------------------------------------------------


def strided(value: np.ndarray) -> np.ndarray:
    """Every other element of an array twice as large in each direction."""
    wide = np.zeros([2 * n for n in value.shape], value.dtype)
    view = wide[tuple([slice(None, None, 2)] * value.ndim)]
    view[...] = value
    return view


def backwards(value: np.ndarray) -> np.ndarray:
    """With negative strides."""
    return np.ascontiguousarray(np.flip(value))[
        tuple([slice(None, None, -1)] * value.ndim)
    ]


def broadcast(value: np.ndarray) -> np.ndarray:
    """Its first row or number, over and over, with a stride of zero."""
    return np.broadcast_to(value[:1], value.shape)


LAYOUTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], ...]] = {
    "strided, Fortran-ordered, backwards": (strided, np.asfortranarray, backwards),
    "broadcast, strided, Fortran-ordered": (broadcast, strided, np.asfortranarray),
}


def laid_out(layout: str, arrays: Arrays) -> Arrays:
    """The arrays, each in the next of the layout's forms; numbers as they are."""
    return {
        name: form(value) if value.ndim else value
        for (name, value), form in zip(arrays.items(), cycle(LAYOUTS[layout]))
    }


# --- The network ----------------------------------------------------------------------


def _network(
    name: str,
    layout: str = "",
    sizes: tuple[int, ...] = (100, 784, 50, 10),
    **changed: np.ndarray,
) -> NetworkCase:
    rng = generator(f"TwoLayerNet/{name}")
    batch, inputs, hidden, classes = sizes
    normal = rng.standard_normal
    arrays = {
        "W1": 0.1 * normal((inputs, hidden)),
        "b1": 0.1 * normal(hidden),
        "W2": 0.1 * normal((hidden, classes)),
        "b2": 0.1 * normal(classes),
        "x": np.maximum(rng.uniform(-1, 1, (batch, inputs)), 0),
        **changed,
    }
    if layout:
        arrays = laid_out(layout, arrays)
    x, t = arrays.pop("x"), rng.integers(classes, size=batch)
    return NetworkCase(name, arrays, x, t, "edge")


def _networks() -> Iterator[NetworkCase]:
    rng = generator("TwoLayerNet/edges")
    W1, b1 = 0.1 * rng.standard_normal((784, 50)), 0.1 * rng.standard_normal(50)
    b1[:10] = -1e3  # dead units: below 0 for every sample
    W1[:, 10:20] = b1[10:20] = 0  # ties: exactly 0
    W1[1::2, 20:30], b1[20:30] = -W1[::2, 20:30], 0  # pairs that cancel, for some x
    x = np.repeat(np.maximum(rng.uniform(-1, 1, (100, 392)), 0), 2, axis=1)
    yield _network("dead and tied units", W1=W1, b1=b1, x=x)
    yield _network("huge logits", W2=1e4 * rng.standard_normal((50, 10)))
    for name in LAYOUTS:
        yield _network(name, layout=name)


def _network_sizes() -> Iterator[NetworkCase]:
    yield _network("a batch of one", sizes=(1, 6, 5, 4))
    yield _network("one class", sizes=(3, 6, 5, 1))
    yield _network("one of each", sizes=(1, 1, 1, 1))
    yield _network("a huge batch", sizes=(10_000, 6, 5, 4))


NETWORK_EDGES = list(_networks())
NETWORK_SHAPE_EDGES = list(_network_sizes())
