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
from gradparity.parity_tests.implementations.contract import Arrays

NAN, INF = np.nan, np.inf
ONE_ARRAY = (
    *("Relu", "Negate", "Exp", "Log", "PlusOne", "Reciprocal"),
    *("SigmoidGraph", "Sigmoid"),
)
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
_rng = np.random.default_rng(8)


def normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


def labels() -> np.ndarray:
    return _rng.integers(10, size=100)


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


def one_hot(t: np.ndarray) -> np.ndarray:
    return np.eye(10)[t]


def edge(layer: str, name: str, dout: Any = 1.0, **inputs: Any) -> Case:
    return case(layer, name, dout, kind="edge", **inputs)


def _one_array() -> Iterator[Case]:
    for layer in ONE_ARRAY:
        columns = 50 if layer == "Relu" else 10
        x, dout = down(NUMBERS, columns), across(FROM_ABOVE, columns)
        yield edge(layer, "special numbers", dout, x=x)


def _add_and_mul() -> Iterator[Case]:
    cancelling = {"x": [1.0, 1e-3, -3.0, 1e8, 0.1], "y": [-0.999, -1e-3, 3.1, -1, -0.3]}
    for layer in ("AddLayer", "MulLayer"):
        inputs = {"x": down(NUMBERS), "y": across(FROM_ABOVE)}
        dout = across(np.roll(FROM_ABOVE, 3))
        yield edge(layer, "special numbers", dout, **inputs)
        inputs = {name: across(values) for name, values in cancelling.items()}
        yield edge(layer, "cancelling", np.ones((100, 10)), **inputs)


def _fruit() -> Iterator[Case]:
    bills = [
        # apple, apple_num, orange, orange_num, tax
        (100.0, 2.0, -100.0, 2.0, 1.1),  # cancels
        (0.1, 3.0, -0.3, 1.0, 1.1),  # cancels but for the rounding of a product
        (WIDE.large, 4.0, 1.0, 1.0, 0.0),  # overflows, and then nothing is charged
        (WIDE.large, 4.0, WIDE.large, -4.0, 1.0),  # overflows to both sides
        (WIDE.large, 4.0, -INF, 1.0, 1.0),  # overflows, against an infinity
        (WIDE.low_root, WIDE.low_root, 0.0, 0.0, WIDE.large),  # underflows on the way
        (WIDE.tiny, WIDE.large, WIDE.subnormal, 1.0, 1.0),
        (INF, WIDE.tiny, 1.0, 1.0, 1.0),
        (INF, 0.0, 1.0, 1.0, 1.0),
        (NAN, 1.0, 1.0, 1.0, 1.0),
    ]
    names = ("apple", "apple_num", "orange", "orange_num", "tax")
    inputs = dict(zip(names, map(across, zip(*bills, strict=True)), strict=True))
    yield edge("BuyFruit", "special numbers", np.ones((100, 10)), **inputs)


def _affine() -> Iterator[Case]:
    def affine(name: str, **changed: Any) -> Case:
        inputs = {"x": normal(100, 50), "W": normal(50, 10), "b": normal(10)}
        inputs |= {"dout": normal(100, 10), **changed}
        return edge("Affine", name, **inputs)

    x, W, dout = normal(100, 50), normal(50, 10), normal(100, 10)
    x[: len(NUMBERS), 0] = NUMBERS
    W[0] = [1.0, -1.5, 0.0, -0.0, WIDE.tiny, -WIDE.normal, 1e-3, -1e3, 1.0, 1.0]
    yield affine("special numbers in x", x=x, W=W)
    W = normal(50, 10)
    W[0] = FROM_ABOVE
    yield affine("special numbers in W", W=W)
    dout[: len(NUMBERS), 0] = NUMBERS
    yield affine("special numbers in b and dout", b=FROM_ABOVE, dout=dout)
    x, W = normal(100, 50), normal(50, 10)
    x[:, 1::2], W[1::2] = -x[:, ::2], W[::2]
    yield affine("cancelling", x=x, W=W)
    yield affine("zeros", x=np.zeros((100, 50)), b=np.zeros(10))
    yield affine("subnormal", x=1e-3 * WIDE.normal * normal(100, 50))


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


def _softmax() -> Iterator[Case]:
    x = with_rows(normal(100, 10), *SCORES.values())
    yield edge("Softmax", "special numbers", normal(100, 10), x=x)
    dout = with_rows(
        normal(100, 10),
        *(np.zeros(10), np.full(10, 3.3), np.full(10, WIDE.tiny), [WIDE.normal] * 10),
        *([WIDE.large / 16, -WIDE.large / 16], [WIDE.largest, -WIDE.largest]),
        *([INF], [-INF], [INF, -INF], [NAN]),
    )
    yield edge("Softmax", "special numbers from above", dout, x=np.zeros((100, 10)))


def _cross_entropy() -> Iterator[Case]:
    def loss(
        name: str, *rows: list[float], dout: float = 1.0, hot: bool = False
    ) -> Case:
        """With the label 0 in the first rows."""
        y, t = with_rows(0.9 * _rng.dirichlet(np.ones(10), 100) + 0.01, *rows), labels()
        t[: len(rows)] = 0
        return edge("CrossEntropy", name, dout, y=y, t=one_hot(t) if hot else t)

    subnormal = [[WIDE.tiny], [WIDE.subnormal], [WIDE.normal]]
    zeros = [[0.5, 0.0, -0.0, 0.5], [0.5, WIDE.tiny], [0.5, WIDE.normal]]
    for hot in (False, True):
        form = ", one-hot" if hot else ""
        yield loss("certain" + form, [1.0] + [0.0] * 9, hot=hot)
        yield loss("0 at the label" + form, [0.0, 1.0], [-0.0, 1.0], hot=hot)
        yield loss("0 and subnormal elsewhere" + form, *zeros, hot=hot)
        yield loss("NaN elsewhere" + form, [0.5, NAN], hot=hot)
        yield loss("negative and inf elsewhere" + form, [0.5, -0.5, INF], hot=hot)
    yield loss("0 at the label, tiny from above", [0.0, 1.0], dout=WIDE.tiny)
    yield loss("next to 1 at the label", [WIDE.below_one], [WIDE.above_one])
    yield loss("subnormal at the label", *subnormal)
    yield loss("negative at the label", [-0.5])
    yield loss("inf at the label", [INF])
    yield loss("NaN at the label", [NAN])
    for name, dout in (("0", 0.0), ("tiny", WIDE.tiny), ("inf", INF), ("NaN", NAN)):
        yield loss(f"{name} from above", dout=dout)
        yield loss(f"{name} from above, one-hot", dout=dout, hot=True)


def _softmax_with_loss() -> Iterator[Case]:
    def loss(
        name: str, *rows: list[float], dout: float = 1.0, hot: bool = False
    ) -> Case:
        """With the label 0 in the first rows."""
        x, t = with_rows(normal(100, 10), *rows), labels()
        t[: len(rows)] = 0
        return edge("SoftmaxWithLoss", name, dout, x=x, t=one_hot(t) if hot else t)

    finite = [row for row in SCORES.values() if np.isfinite(row).all()]
    ends = (WIDE.exp_normal, WIDE.exp_subnormal, WIDE.exp_zero)
    wrong = [[-end, 0.0] + [-1e4] * 8 for end in ends]
    for hot in (False, True):
        form = ", one-hot" if hot else ""
        yield loss("finite" + form, *finite, hot=hot)
        yield loss("sure and wrong" + form, *wrong, hot=hot)
        yield loss("masked" + form, SCORES["masked with -inf"], hot=hot)
        yield loss("-inf at the label" + form, [-INF], hot=hot)
        for name in ("inf", "inf and -inf", "nothing but -inf", "NaN"):
            yield loss(name + form, SCORES[name], hot=hot)
    yield loss("inf elsewhere", [0.0, INF])
    for name, dout in (("0", 0.0), ("tiny", WIDE.tiny), ("inf", INF), ("NaN", NAN)):
        yield loss(f"{name} from above", dout=dout)
        yield loss(f"{name} from above, one-hot", dout=dout, hot=True)


# --- Other spellings ------------------------------------------------------------------


def _spellings() -> Iterator[Case]:
    def spelled(layer: str, spelling: str, **inputs: Any) -> Case:
        dout = () if "t" in inputs else np.shape(inputs["x"])
        inputs |= {"dout": np.ones(dout), "spelled": spelling}
        return edge(layer, spelling, **inputs)

    for spelling in ("maximum(x, 0)", "clip(x, 0)", "where(x > 0, x, 0)"):
        yield spelled("Relu", spelling, x=[0.0, -0.0, 1.5, -1.5, INF, -INF, NAN])
    yield spelled("Sigmoid", "(1 + tanh(x / 2)) / 2", x=[-1e2, 0.0, 1e2])
    yield spelled("Softmax", "exp(x) / sum(exp(x))", x=[[1e3, 0.0], [-1e3, -1e3]])
    sure_and_wrong = {"x": [[-1e3, 0.0]], "t": [[1.0, 0.0]]}
    yield spelled("SoftmaxWithLoss", "-log(softmax(x) + 1e-7)", **sure_and_wrong)


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


def _layouts() -> Iterator[Case]:
    y = 0.9 * _rng.dirichlet(np.ones(10), 100) + 0.01
    batches: dict[str, dict[str, np.ndarray]] = {
        layer: {"x": np.abs(normal(100, 50 if layer == "Relu" else 10)) + 0.1}
        for layer in ONE_ARRAY
    }
    names = ("apple", "apple_num", "orange", "orange_num", "tax")
    batches |= {
        "AddLayer": {"x": normal(100, 10), "y": normal(100, 10)},
        "MulLayer": {"x": normal(100, 10), "y": normal(100, 10)},
        "BuyFruit": {name: normal(100, 10) for name in names},
        "Affine": {"x": normal(100, 50), "W": normal(50, 10), "b": normal(10)},
        "Softmax": {"x": normal(100, 10)},
        "CrossEntropy": {"y": y, "t": labels()},
        "SoftmaxWithLoss": {"x": normal(100, 10), "t": labels()},
    }
    for layer, inputs in batches.items():
        shape = () if "t" in inputs else (100, 50 if layer == "Relu" else 10)
        for name in LAYOUTS:
            arrays = laid_out(name, {**inputs, "dout": normal(*shape)})
            yield edge(layer, name, **arrays)


# --- Sizes ----------------------------------------------------------------------------


def _sizes() -> Iterator[Case]:
    """Batches of ten thousand, and rows of ten thousand classes."""
    n, W, b = 10_000, normal(5, 3), normal(3)
    inputs = {"x": normal(n, 5), "W": W, "b": b}
    yield edge("Affine", "a huge batch", normal(n, 3), **inputs)
    for layer in ("Relu", "Sigmoid"):
        yield edge(layer, "a huge batch", normal(n), x=normal(n))
    t, y = _rng.integers(3, size=n), _rng.dirichlet(np.full(3, 5.0), n)
    yield edge("CrossEntropy", "a huge batch", y=y, t=t)
    yield edge("SoftmaxWithLoss", "a huge batch", x=normal(n, 3), t=t)
    yield edge("SoftmaxWithLoss", "many classes", x=normal(3, n), t=np.array([0, 5, 9]))
    yield edge("Softmax", "many classes", normal(3, n), x=normal(3, n))


# --- The network ----------------------------------------------------------------------


def _network(
    name: str,
    layout: str = "",
    sizes: tuple[int, ...] = (100, 784, 50, 10),
    **changed: np.ndarray,
) -> NetworkCase:
    batch, inputs, hidden, classes = sizes
    arrays = {
        "W1": 0.1 * normal(inputs, hidden),
        "b1": 0.1 * normal(hidden),
        "W2": 0.1 * normal(hidden, classes),
        "b2": 0.1 * normal(classes),
        "x": np.maximum(_rng.uniform(-1, 1, (batch, inputs)), 0),
        **changed,
    }
    if layout:
        arrays = laid_out(layout, arrays)
    x, t = arrays.pop("x"), _rng.integers(classes, size=batch)
    return NetworkCase(name, arrays, x, t, "edge")


def _networks() -> Iterator[NetworkCase]:
    W1, b1 = 0.1 * normal(784, 50), 0.1 * normal(50)
    b1[:10] = -1e3  # dead units: below 0 for every sample
    W1[:, 10:20] = b1[10:20] = 0  # ties: exactly 0
    W1[1::2, 20:30], b1[20:30] = -W1[::2, 20:30], 0  # pairs that cancel, for some x
    x = np.repeat(np.maximum(_rng.uniform(-1, 1, (100, 392)), 0), 2, axis=1)
    yield _network("dead and tied units", W1=W1, b1=b1, x=x)
    yield _network("huge logits", W2=1e4 * normal(50, 10))
    for name in LAYOUTS:
        yield _network(name, layout=name)


def _network_sizes() -> Iterator[NetworkCase]:
    yield _network("a batch of one", sizes=(1, 6, 5, 4))
    yield _network("one class", sizes=(3, 6, 5, 1))
    yield _network("one of each", sizes=(1, 1, 1, 1))
    yield _network("a huge batch", sizes=(10_000, 6, 5, 4))


LAYER_EDGES = [
    *_add_and_mul(),
    *_fruit(),
    *_one_array(),
    *_affine(),
    *_softmax(),
    *_cross_entropy(),
    *_softmax_with_loss(),
    *_spellings(),
    *_layouts(),
]
SHAPE_EDGES = list(_sizes())
NETWORK_EDGES = list(_networks())
NETWORK_SHAPE_EDGES = list(_network_sizes())
