"""The specs of the activations."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.arithmetic import LECTURE
from gradparity.parity_tests.catalogue.case import WIDE, Case, case, invalid
from gradparity.parity_tests.catalogue.edges import (
    INF,
    NAN,
    SCORES,
    edge,
    extreme,
    spelled,
    with_rows,
)
from gradparity.parity_tests.catalogue.exact import Exact, exp, tanh
from gradparity.parity_tests.catalogue.spec import (
    MANY,
    ROWS,
    Generator,
    Input,
    Layer,
    scaled,
)
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.reference.functions import sigmoid

HIDDEN = 50  # Relu's cases are as wide as the layer that it has in the network
SATURATED = ([-80.0, -40.0], [40.0, 80.0])


def _relu(rng: Generator) -> Iterator[Case]:
    x = with_rows(np.ones((100, HIDDEN)), [1.0, -0.5], [-2.0, 3.0])
    dout = rng.standard_normal(x.shape)
    yield case("Relu", "lecture", dout, x=x, source=LECTURE)
    x = np.array([0.0, -0.0, 1.5, -1.5, INF, -INF, NAN])
    for spelling in ("maximum(x, 0)", "clip(x, 0)", "where(x > 0, x, 0)"):
        yield spelled("Relu", spelling, np.ones(7), x=x)


def _sigmoid(rng: Generator) -> Iterator[Case]:
    x = np.linspace(-20, 20, 1000).reshape(100, 10)
    yield case("Sigmoid", "wide", rng.standard_normal(x.shape), x=x)
    x = rng.uniform(-2, 2, (100, 10))
    yield case("Sigmoid", "not saturated", rng.standard_normal(x.shape), x=x)
    x = np.array([-1e2, 0.0, 1e2])
    yield spelled("Sigmoid", "(1 + tanh(x / 2)) / 2", np.ones(3), x=x)


def _softmax(rng: Generator) -> Iterator[Case]:
    def normal() -> np.ndarray:
        return rng.standard_normal((100, 10))

    lecture = with_rows(np.zeros((100, 10)), [0.3, 2.9, 4.0])
    yield case("Softmax", "lecture", normal(), x=lecture, source=LECTURE)
    yield case("Softmax", "ties", normal(), x=np.ones((100, 10)))
    cube = np.ones((2, 3, 4))
    yield invalid("Softmax", "rank 3", "x", "rank 1 or 2", "rank 3", x=cube)
    x = with_rows(normal(), *SCORES.values())
    yield edge("Softmax", "special numbers", normal(), x=x)
    dout = with_rows(
        normal(),
        *(np.zeros(10), np.full(10, 3.3), np.full(10, WIDE.tiny), [WIDE.normal] * 10),
        *([WIDE.large / 16, -WIDE.large / 16], [WIDE.largest, -WIDE.largest]),
        *([INF], [-INF], [INF, -INF], [NAN]),
    )
    yield edge("Softmax", "special numbers from above", dout, x=np.zeros((100, 10)))
    x = np.array([[1e3, 0.0], [-1e3, -1e3]])
    yield spelled("Softmax", "exp(x) / sum(exp(x))", np.ones((2, 2)), x=x)
    x, turns = rng.uniform(-1, 1, (100, 10)), np.where(np.arange(10) % 2, 1, -1)
    yield case("Softmax", "not saturated", turns * rng.uniform(4, 5, x.shape), x=x)


def _many_classes(rng: Generator) -> Iterator[Case]:
    x = np.full((3, MANY), -200.0)
    x[:, -20:] = rng.uniform(-1, 1, (3, 20))
    yield edge("Softmax", "the last of many classes", rng.standard_normal(x.shape), x=x)


def _tanh(rng: Generator) -> Iterator[Case]:
    x = rng.uniform(-1, 1, (100, 10))
    yield case("Tanh", "not saturated", rng.standard_normal(x.shape), x=x)
    x = np.array([10.0, 21.5, -10.0, -21.5])
    yield edge("Tanh", "where it comes to 1", np.full(4, INF), x=x)


def logistic(x: Exact) -> Exact:
    return 1 / (1 + exp(-x))


def normalized(x: Exact) -> Exact:
    return exp(x) / exp(x).sum(axis=-1, keepdims=True)


def _bound_of_graph(quantity: str, inputs: Arrays, unit: Any) -> Any:
    """y as 1 / (1 + e) from a given e = exp(-x), and dout * (y * y) * e."""
    if quantity == "out":
        return unit.roundings("exp") * (1 - sigmoid(inputs["x"])) + 2
    return unit.roundings("exp") + 2 * 2 + 3


def _bound_of_sigmoid(quantity: str, inputs: Arrays, unit: Any) -> Any:
    """y as 1 / (1 + e), or as s / (1 + s) with s = exp(-|x|) where x < 0. The derivative
    y * (1 - y) is special: 1 - y takes over the roundings of y, and may be much smaller.
    """
    x, k = inputs["x"], unit.roundings("exp")
    y = sigmoid(x)
    of_y = np.where(x < 0, 3, 2)
    if quantity == "out":
        return k * (1 - y) + of_y
    return np.abs(1 - 2 * y) * (k + of_y / (1 - y)) + 3


def _bound_of_tanh(quantity: str, inputs: Arrays, unit: Any) -> Any:
    """1 - y**2 takes over the roundings of y and of its square, and may be much smaller;
    so may e + e y, whose terms have 2 roundings and 3. dout (1 + y) (1 - y) has 4.
    """
    y, k = np.tanh(inputs["x"]), unit.roundings("tanh")
    if quantity == "out":
        return k
    share = y * y / (1 - y * y)
    of_sum = 1 + (2 + 3 * np.abs(y)) / (1 + y)
    return 2 * k * share + np.maximum(4, np.maximum(2 + share, of_sum))


SPECS = (
    Layer(
        "Relu",
        (Input("x"),),
        lambda x: np.where(x > 0, x, 0 * x),
        batch=(100, HIDDEN),
        own=_relu,
        small=extreme("Relu", [1e-30, -1e-30], [1e30, -1e30]),
    ),
    Layer(
        "SigmoidGraph",
        (Input("x", domain=scaled(3)),),
        logistic,
        small=extreme("SigmoidGraph", *SATURATED),
        relative_bound=_bound_of_graph,
    ),
    Layer(
        "Sigmoid",
        (Input("x", domain=scaled(3)),),
        logistic,
        own=_sigmoid,
        small=extreme("Sigmoid", *SATURATED),
        relative_bound=_bound_of_sigmoid,
    ),
    Layer(
        "Softmax",
        (Input("x", domain=scaled(3)),),
        normalized,
        form=ROWS,
        own=_softmax,
        many=_many_classes,
        small=extreme(
            "Softmax", [1000, 0, -1000, 999], [-1e4, -1e4, -1e4, -1e4], [0, 60, -20, 0]
        ),
    ),
    Layer(
        "Tanh",
        (Input("x", domain=scaled(1.5)),),
        tanh,
        elementary="tanh",
        own=_tanh,
        small=extreme("Tanh", [1e-30, -1e-4], [-9.0, 18.0]),
        relative_bound=_bound_of_tanh,
    ),
    Layer(
        "LeakyRelu",
        (Input("x"),),
        lambda x, slope: np.where(x > 0, x, slope * x),
        settings={"slope": 0.01},
        small=extreme("LeakyRelu", [1e-30, -1e-30], [1e30, -1e30]),
    ),
)
