"""The cases: layers with concrete inputs and a dout, and inputs that must be refused.

This list is the only place where a case is written down; tests, tables and reports are
views of it. One more case is one more line. One more shape costs more: JAX compiles
every operation anew for it, so `LAYER_CASES`, which the command runs too, share the few
shapes of the lecture's network, and `SHAPE_CASES` are for the pytest suite alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.case import (
    Case,
    Kind,
    NetworkCase,
    case,
    invalid,
)
from gradparity.parity_tests.catalogue.edges import (
    LAYER_EDGES,
    NETWORK_EDGES,
    SHAPE_EDGES,
)

LECTURE = "lecture on backpropagation; Deep Learning from Scratch, chapter 5"

_rng = np.random.default_rng(5)


def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
    return scale * _rng.standard_normal(shape)


def away_from_zero(x: np.ndarray) -> np.ndarray:
    return x + np.copysign(0.5, x)


def probabilities(*shape: int) -> np.ndarray:
    """Rows that sum to 1, none of it so small that differences of its log are coarse."""
    drawn = _rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    return 0.9 * drawn + 0.1 / shape[-1]


def labels(batch: int, classes: int) -> np.ndarray:
    return _rng.integers(classes, size=batch)


def one_hot(t: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[t]


def rows(*rows: list[float], rest: float = 0.0, columns: int = 10) -> np.ndarray:
    """A batch with these in the upper left corner, and `rest` elsewhere."""
    filled = np.full((100, columns), rest)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = row
    return filled


def elementwise(layer: str, x: np.ndarray) -> list[Case]:
    """What every function of one array is tried on, beside this batch of its own."""
    return [
        case(layer, "batch", normal(*x.shape), x=x),
        invalid(layer, "integers", "x", "floating-point", "int64", x=[1, 2, 3]),
        invalid(layer, "objects", "x", "floating-point", "object", x=np.array([None])),
        invalid(layer, "empty batch", "x", "empty", "(0, 3)", x=np.zeros((0, 3))),
        invalid(
            layer,
            "dout of another shape",
            *("dout", "(2, 3)", "(3,)"),
            dout=np.ones(3),
            x=np.ones((2, 3)),
        ),
    ]


def _add_and_mul() -> list[Case]:
    cases = []
    for layer, x, y in (("AddLayer", 200.0, 450.0), ("MulLayer", 100.0, 2.0)):
        cases += [
            case(layer, "lecture", 1.1, x=x, y=y, source=LECTURE),
            case(layer, "batch", normal(100, 10), x=normal(100, 10), y=normal(100, 10)),
            invalid(
                layer,
                "mismatched shapes",
                *("one shape", "x: (2, 3)", "y: (3, 2)"),
                x=np.ones((2, 3)),
                y=np.ones((3, 2)),
            ),
            invalid(layer, "integers", "y", "floating-point", "int64", x=[1.0], y=[2]),
            invalid(
                layer,
                "mixed dtypes",
                *("one dtype", "float16"),
                x=np.ones(2),
                y=np.ones(2, np.float16),
            ),
            invalid(layer, "empty", "x", "empty", "(0,)", x=np.ones(0), y=np.ones(0)),
        ]
    return cases


def _fruit() -> list[Case]:
    names = ("apple", "apple_num", "orange", "orange_num", "tax")
    lecture: dict[str, Any] = dict(
        zip(names, (100.0, 2.0, 150.0, 3.0, 1.1), strict=True)
    )
    bills: Any = np.abs(normal(5, 4)) + 0.1
    return [
        case(
            "BuyFruit",
            "lecture",
            source=LECTURE,
            **lecture,
        ),
        invalid(
            "BuyFruit",
            "one price missing",
            *("one shape", "tax: (3,)"),
            **dict(zip(names, [*bills[:-1], bills[-1][:3]], strict=True)),
        ),
    ]


def _one_array() -> list[Case]:
    hidden = 50  # Relu's cases are as wide as the layer that it has in the network
    lecture = rows([1.0, -0.5], [-2.0, 3.0], rest=1.0, columns=hidden)
    return [
        *elementwise("Relu", normal(100, hidden)),
        case("Relu", "lecture", normal(100, hidden), x=lecture, source=LECTURE),
        *elementwise("Negate", normal(100, 10)),
        *elementwise("Exp", normal(100, 10, scale=5)),
        *elementwise("Log", np.exp(normal(100, 10))),
        *elementwise("PlusOne", normal(100, 10)),
        *elementwise("Reciprocal", away_from_zero(normal(100, 10))),
        *elementwise("SigmoidGraph", normal(100, 10, scale=3)),
        *elementwise("Sigmoid", normal(100, 10, scale=3)),
        case("Sigmoid", "wide", normal(100, 10), x=np.linspace(-20, 20, 1000).reshape(100, 10)),
    ]  # fmt: skip


def _affine() -> list[Case]:
    def affine(name: str, x: Any, W: Any, b: Any, dout: Any, **more: Any) -> Case:
        return case("Affine", name, dout, x=x, W=W, b=b, **more)

    def refused(name: str, *refusal: str, x: Any, W: Any, b: Any) -> Case:
        return invalid("Affine", name, *refusal, x=x, W=W, b=b)

    W, b = normal(50, 10), normal(10)
    return [
        affine("one vector", normal(50), W, b, normal(10)),
        affine("batch", normal(100, 50), W, b, normal(100, 10)),
        affine("rank 4", normal(100, 5, 2, 5), W, b, normal(100, 10)),
        affine("all positive", *map(np.abs, (normal(100, 50), W, b, normal(100, 10)))),
        refused("mismatched shapes", "x has 3", "W expects 5", x=normal(2, 3), W=normal(5, 10), b=b),
        refused("bias of another width", "b", "(10,)", "(3,)", x=normal(2, 50), W=W, b=normal(3)),
        refused("W is a vector", "W", "rank 2", "rank 1", x=normal(2, 3), W=normal(3), b=b),
        refused("x is a number", "x", "rank 1 or 2", "rank 0", x=1.0, W=W, b=b),
        refused("integers", "x", "floating-point", "int64", x=np.ones((2, 50), int), W=W, b=b),
        refused("objects", "W", "floating-point", "object", x=normal(2, 50), W=W.astype(object), b=b),
        refused("mixed dtypes", "one dtype", "float16", x=normal(2, 50), W=W.astype(np.float16), b=b),
        refused("empty batch", "x", "empty", "(0, 50)", x=np.zeros((0, 50)), W=W, b=b),
        invalid("Affine", "dout of another shape", "dout", "(2, 10)", "(2, 3)", dout=normal(2, 3), x=normal(2, 50), W=W, b=b),
    ]  # fmt: skip


def _softmax() -> list[Case]:
    return [
        case(
            "Softmax",
            "lecture",
            normal(100, 10),
            x=rows([0.3, 2.9, 4.0]),
            source=LECTURE,
        ),
        case("Softmax", "batch", normal(100, 10), x=normal(100, 10, scale=3)),
        case("Softmax", "ties", normal(100, 10), x=np.ones((100, 10))),
        invalid("Softmax", "rank 3", "x", "rank 1 or 2", "rank 3", x=normal(2, 3, 4)),
        invalid("Softmax", "integers", "x", "floating-point", "int64", x=[1, 2]),
        invalid("Softmax", "empty batch", "x", "empty", "(0, 3)", x=np.ones((0, 3))),
    ]


def _loss(layer: str, scores: str, make: Callable[..., np.ndarray]) -> list[Case]:
    """What every layer that ends in a loss is tried on."""
    t = labels(100, 10)

    def loss(name: str, x: Any, t: Any, dout: float = 1.0) -> Case:
        return case(layer, name, dout, **{scores: x, "t": t})

    def refused(name: str, *refusal: str, x: Any = None, t: Any) -> Case:
        x = make(3, 4) if x is None else x
        return invalid(layer, name, *refusal, **{scores: x, "t": t})

    return [
        loss("labels", make(100, 10), t),
        loss("scaled dout", make(100, 10), t, -2.5),
        refused("label too large", "t", "0..3", "4", t=[0, 1, 4]),
        refused("negative label", "t", "0..3", "-1", t=[0, -1, 3]),
        refused("too few labels", "t", "(3,)", "(2,)", t=[0, 1]),
        refused("labels in a column", "t", "(3,)", "(3, 1)", t=[[0], [1], [2]]),
        refused("fractional labels", "t", "integers", "float64", t=[0.0, 1.0, 2.0]),
        refused("not one-hot", "t", "zeros and ones", t=np.full((3, 4), 0.25)),
        refused("two-hot", "t", "single 1", t=one_hot(np.array([0, 1, 2]), 4) + np.eye(3, 4, 1)),
        refused("rank 3", scores, "rank 1 or 2", "rank 3", x=normal(2, 3, 4), t=[0, 1]),
        refused("integers", scores, "floating-point", "int64", x=[[1, 2]], t=[0]),
        refused("empty batch", scores, "empty", "(0, 4)", x=np.ones((0, 4)), t=np.ones(0, int)),
    ]  # fmt: skip


def _losses() -> list[Case]:
    hot = one_hot(labels(100, 10), 10)
    improbable = rows([1e-16, 1.0], [1.0, 1e-16], rest=0.1)
    first_two = np.array([0, 1] + [0] * 98)
    return [
        *_loss("CrossEntropy", "y", probabilities),
        case(
            "CrossEntropy", "improbable labels", y=improbable, t=first_two, kind="edge"
        ),
        *_loss("SoftmaxWithLoss", "x", normal),
        case("SoftmaxWithLoss", "one-hot", x=normal(100, 10), t=hot),
    ]


def layer_cases() -> list[Case]:
    """Every layer's cases, layers in the order of `reference/layers/`."""
    return [
        *_add_and_mul(),
        *_fruit(),
        *_one_array(),
        *_affine(),
        *_softmax(),
        *_losses(),
    ]


def shape_cases() -> list[Case]:
    """The same layers in more shapes, for the pytest suite alone: a command that is to
    answer within seconds cannot have JAX compile all of these.
    """
    fruit = ("apple", "apple_num", "orange", "orange_num", "tax")
    bills: dict[str, Any] = {name: np.abs(normal(4)) for name in fruit}
    cases = [case("BuyFruit", "four bills", normal(4), **bills)]
    for layer in ("AddLayer", "MulLayer"):
        cases.append(case(layer, "vector", normal(7), x=normal(7), y=normal(7)))
    for layer in ("Relu", "Negate", "Exp", "Log", "PlusOne", "SigmoidGraph", "Sigmoid"):
        for shape in ((), (7,), (1, 5), (3, 1), (2, 3, 4, 5)):
            x = np.exp(normal(*shape)) if layer == "Log" else normal(*shape)
            cases.append(case(layer, f"shape {shape}", normal(*shape), x=x))
    for rows, inputs, outputs in (
        *((1, 50, 10), (6, 1, 1), (1, 1, 3), (32, 200, 20)),
        (3, 7, 7),  # as many outputs as inputs: a W that is the wrong way round fits
    ):
        W, b, dout = normal(inputs, outputs), normal(outputs), normal(rows, outputs)
        name = f"{rows} x {inputs} -> {outputs}"
        cases.append(case("Affine", name, dout, x=normal(rows, inputs), W=W, b=b))
    W, b = normal(12, 4), normal(4)
    cases += [
        case("Affine", "rank 3", normal(5, 4), x=normal(5, 2, 6), W=W, b=b),
        case("Affine", "rank 5", normal(5, 4), x=normal(5, 2, 1, 3, 2), W=W, b=b),
    ]
    for shape in ((5,), (1, 5), (6, 1), (1, 1), (5, 5), (1,)):
        batch, classes = shape[:-1], shape[-1]
        t = np.asarray(_rng.integers(classes, size=batch))
        layers = (
            ("CrossEntropy", "y", probabilities),
            ("SoftmaxWithLoss", "x", normal),
        )
        for layer, scores, make in layers:
            for form, target in (("labels", t), ("one-hot", one_hot(t, classes))):
                given: dict[str, Any] = {scores: make(*shape), "t": target}
                cases.append(case(layer, f"{form}, shape {shape}", **given))
        dout = normal(*shape)
        cases.append(case("Softmax", f"shape {shape}", dout, x=normal(*shape)))
    return cases


def _lecture_sized(name: str, std: float) -> NetworkCase:
    params = {
        "W1": normal(784, 50, scale=std),
        "b1": normal(50, scale=std),
        "W2": normal(50, 10, scale=std),
        "b2": normal(10, scale=std),
    }
    x = np.maximum(_rng.uniform(-1, 1, (100, 784)), 0)  # half the pixels are blank
    return NetworkCase(name, params, x, labels(100, 10))


def _refused_network(name: str, *refusal: str, **changed: Any) -> NetworkCase:
    """A network of 6-5-4 and a batch of three, right but for what is changed."""
    arrays = {"W1": normal(6, 5), "b1": normal(5), "W2": normal(5, 4), "b2": normal(4)}
    arrays |= {"x": normal(3, 6), "t": labels(3, 4)}
    arrays |= {key: np.asarray(value) for key, value in changed.items()}
    x, t = arrays.pop("x"), arrays.pop("t")
    return NetworkCase(name, arrays, x, t, "invalid", refusal)


def network_cases() -> list[NetworkCase]:
    """TwoLayerNet in the lecture's size, as initialised and as far into a training; and
    what it must refuse.
    """
    start = _lecture_sized("start", 0.01)
    steep = _lecture_sized("steep", 0.2)
    refused = _refused_network
    return [
        start,
        steep,
        refused("W1 is a vector", "W1", "rank 2", "rank 1", W1=normal(3)),
        refused("b1 of another width", "b1", "(5,)", "(3,)", b1=normal(3)),
        refused("W2 of another height", "W2", "(5, 4)", "(6, 4)", W2=normal(6, 4)),
        refused("b2 of another width", "b2", "(4,)", "(3,)", b2=normal(3)),
        refused("integers", "W1", "floating-point", "int64", W1=np.ones((6, 5), int)),
        refused("objects", "b2", "floating-point", "object", b2=np.array([None] * 4)),
        refused("mixed dtypes", "one dtype", "float16", b1=np.ones(5, np.float16)),
        refused("x of another width", "x has 2", "W expects 6", x=normal(3, 2)),
        refused("empty batch", "x", "empty", "(0, 6)", x=np.ones((0, 6))),
        refused("label too large", "t", "0..3", "4", t=[0, 1, 4]),
        refused("too few labels", "t", "(3,)", "(1,)", t=[0]),
    ]


def small_cases() -> list[Case | NetworkCase]:
    """Every layer and the network on few numbers, typical and extreme: what can be
    computed to 100 digits, and differentiated number by number, within moments.
    """

    def few(layer: str, x: np.ndarray) -> Case:
        return case(layer, "small", normal(*x.shape), x=x)

    def extreme(layer: str, *rows: list[float]) -> Case:
        x = np.array(rows)
        return case(layer, "small, extreme", normal(*x.shape), kind="edge", x=x)

    def joined(layer: str, name: str, t: list[int], **scores: Any) -> Case:
        kind: Kind = "edge" if "," in name else "typical"
        return case(layer, name, -2.5, kind=kind, **scores, t=np.array(t))

    fruit = ("apple", "apple_num", "orange", "orange_num", "tax")
    bills: dict[str, Any] = {name: np.abs(normal(3)) for name in fruit}
    saturated = ([-80.0, -40.0], [40.0, 80.0])
    sure = np.array([[80.0, 0, 0, 0], [0, 60, -20, 0]])
    sides = {"W1": normal(6, 5), "b1": normal(5), "W2": normal(5, 4), "b2": normal(4)}
    return [
        *(case(n, "small", normal(3, 4), x=normal(3, 4), y=normal(3, 4)) for n in ("AddLayer", "MulLayer")),
        case("BuyFruit", "small", normal(3), **bills),
        few("Relu", normal(3, 4)),
        extreme("Relu", [1e-30, -1e-30], [1e30, -1e30]),
        few("Negate", normal(3, 4)),
        few("Exp", normal(3, 4, scale=5)),
        extreme("Exp", *saturated),
        few("Log", np.exp(normal(3, 4))),
        extreme("Log", [1e-30, 0.999], [1.001, 1e30]),
        few("PlusOne", normal(3, 4)),
        extreme("PlusOne", [1e-20, -1e-20], [1e8, -0.999]),
        few("Reciprocal", away_from_zero(normal(3, 4))),
        few("SigmoidGraph", normal(3, 4, scale=3)),
        extreme("SigmoidGraph", *saturated),
        few("Sigmoid", normal(3, 4, scale=3)),
        extreme("Sigmoid", *saturated),
        case("Affine", "small", normal(3, 4), x=normal(3, 2, 3), W=normal(6, 4), b=normal(4)),
        few("Softmax", normal(3, 4, scale=3)),
        extreme("Softmax", [1000, 0, -1000, 999], [-1e4, -1e4, -1e4, -1e4], [0, 60, -20, 0]),
        joined("CrossEntropy", "small", [0, 3, 1], y=probabilities(3, 4)),
        joined("CrossEntropy", "small, extreme", [0, 1], y=np.array([[1e-30, 1], [1e-30, 1]])),
        joined("SoftmaxWithLoss", "small", [0, 3, 1], x=normal(3, 4)),
        joined("SoftmaxWithLoss", "small, right", [0, 1], x=sure),
        joined("SoftmaxWithLoss", "small, wrong", [1, 2], x=sure),
        NetworkCase("small", sides, normal(3, 6), labels(3, 4)),
    ]  # fmt: skip


_layer_cases = [*layer_cases(), *LAYER_EDGES]
LAYERS = list(dict.fromkeys(case.layer for case in _layer_cases))
# One layer after another: who has compiled something for one can then let go of it.
LAYER_CASES = sorted(_layer_cases, key=lambda case: LAYERS.index(case.layer))
SHAPE_CASES = [*shape_cases(), *SHAPE_EDGES]
NETWORK_CASES = [*network_cases(), *NETWORK_EDGES]
SMALL_CASES = small_cases()
LAYERS_AND_NETWORK = [*LAYERS, NetworkCase.layer]
