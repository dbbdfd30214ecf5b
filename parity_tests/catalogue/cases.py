"""The cases: layers with concrete inputs and a dout, and inputs that must be refused.

What a layer has of its own is written down in its spec, in the file of its family; what
every layer has follows from the spec (`derived.py`). Tests, tables and reports are views
of these lists. JAX compiles every operation anew for a shape, so `LAYER_CASES`, which the
command runs too, share the few shapes of the lecture's network, and `SHAPE_CASES` are
for the pytest suite alone: a command that is to answer within seconds cannot have JAX
compile all of these. `SMALL_CASES` are few numbers, typical and extreme: what can be
computed to 100 digits, and differentiated number by number, within moments.
"""

from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue import derived
from gradparity.parity_tests.catalogue.case import Case, Kind, NetworkCase
from gradparity.parity_tests.catalogue.edges import NETWORK_EDGES
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.catalogue.spec import generator


def _lecture_sized(name: str, std: float) -> NetworkCase:
    rng = generator(f"TwoLayerNet/{name}")
    shapes: dict[str, Any] = {"W1": (784, 50), "b1": 50, "W2": (50, 10), "b2": 10}
    params: Any = {n: std * rng.standard_normal(shape) for n, shape in shapes.items()}
    x = np.maximum(rng.uniform(-1, 1, (100, 784)), 0)  # half the pixels are blank
    return NetworkCase(name, params, x, rng.integers(10, size=100))


def _few_sided(name: str, kind: Kind, *refusal: str, **changed: Any) -> NetworkCase:
    """A network of 6-5-4 and a batch of three, right but for what is changed."""
    rng = generator(f"TwoLayerNet/{name}")
    shapes: dict[str, Any] = {"W1": (6, 5), "b1": 5, "W2": (5, 4), "b2": 4, "x": (3, 6)}
    arrays: Any = {n: rng.standard_normal(shape) for n, shape in shapes.items()}
    arrays |= {"t": rng.integers(4, size=3)}
    arrays |= {key: np.asarray(value) for key, value in changed.items()}
    x, t = arrays.pop("x"), arrays.pop("t")
    return NetworkCase(name, arrays, x, t, kind, refusal)


def refused(name: str, *refusal: str, **changed: Any) -> NetworkCase:
    return _few_sided(name, "invalid", *refusal, **changed)


def network_cases() -> list[NetworkCase]:
    """TwoLayerNet in the lecture's size, as initialised and as far into a training; and
    what it must refuse.
    """
    start = _lecture_sized("start", 0.01)
    steep = _lecture_sized("steep", 0.2)
    return [
        start,
        steep,
        refused("W1 is a vector", "W1", "rank 2", "rank 1", W1=np.ones(3)),
        refused("b1 of another width", "b1", "(5,)", "(3,)", b1=np.ones(3)),
        refused("W2 of another height", "W2", "(5, 4)", "(6, 4)", W2=np.ones((6, 4))),
        refused("b2 of another width", "b2", "(4,)", "(3,)", b2=np.ones(3)),
        refused("integers", "W1", "floating-point", "int64", W1=np.ones((6, 5), int)),
        refused("objects", "b2", "floating-point", "object", b2=np.array([None] * 4)),
        refused("mixed dtypes", "one dtype", "float16", b1=np.ones(5, np.float16)),
        refused("x of another width", "x has 2", "W expects 6", x=np.ones((3, 2))),
        refused("empty batch", "x", "empty", "(0, 6)", x=np.ones((0, 6))),
        refused("label too large", "t", "0..3", "4", t=[0, 1, 4]),
        refused("too few labels", "t", "(3,)", "(1,)", t=[0]),
    ]


LAYER_CASES = [case for layer in LAYERS.values() for case in derived.cases(layer)]
LAYER_EDGES = [case for case in LAYER_CASES if case.kind == "edge"]
SHAPE_CASES = [case for layer in LAYERS.values() for case in derived.shape_cases(layer)]
NETWORK_CASES = [*network_cases(), *NETWORK_EDGES]
SMALL_CASES: list[Case | NetworkCase] = [
    *(case for layer in LAYERS.values() for case in derived.small_cases(layer)),
    _few_sided("small", "typical"),
]
LAYERS_AND_NETWORK = [*LAYERS, NetworkCase.layer]
