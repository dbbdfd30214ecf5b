"""The spec of the affine layer."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.case import WIDE, Case, case, invalid
from gradparity.parity_tests.catalogue.edges import FROM_ABOVE, NUMBERS, edge
from gradparity.parity_tests.catalogue.spec import (
    MANY,
    Form,
    Generator,
    Input,
    Layer,
    Shape,
)


def _shapes(size: Shape, inputs: int) -> list[Shape]:
    """The size is that of x, and the number of outputs."""
    *x, width = size
    features = math.prod(x[1:]) if len(x) > 1 else x[0]
    return [tuple(x), (features, width), (width,), (*x[: len(x) > 1], width)]


AFFINE = Form(
    _shapes,
    batch=(100, 50, 10),
    small=(3, 2, 3, 4),
    shared=((4, 3), (3, 4, 2), (2, 3, 2, 1)),
    ranks=(2, 4),
    empty=(0, 50, 10),
    misfit=(3, 3),
    others=(
        *((1, 50, 10), (6, 1, 1), (1, 1, 3), (32, 200, 50)),
        (3, 7, 7),  # as many outputs as inputs: a W that is the wrong way round fits
        *((5, 2, 6, 4), (5, 2, 1, 3, 2, 4)),
    ),
    large={"a huge batch": (MANY, 2, 20)},
)


def _affine(rng: Generator) -> Iterator[Case]:
    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape)

    def typical(name: str, x: Any, W: Any, b: Any, dout: Any) -> Case:
        return case("Affine", name, dout, x=x, W=W, b=b)

    def refused(name: str, *refusal: str, x: Any, W: Any, b: Any) -> Case:
        return invalid("Affine", name, *refusal, x=x, W=W, b=b)

    def special(name: str, **changed: Any) -> Case:
        inputs = {"x": normal(100, 50), "W": normal(50, 10), "b": normal(10)}
        inputs |= {"dout": normal(100, 10), **changed}
        return edge("Affine", name, **inputs)

    W, b = normal(50, 10), normal(10)
    yield typical("one vector", normal(50), W, b, normal(10))
    yield typical("rank 4", normal(100, 5, 2, 5), W, b, normal(100, 10))
    above = map(np.abs, (normal(100, 50), W, b, normal(100, 10)))
    yield typical("all positive", *above)
    x = normal(2, 50)
    yield from [
        refused("mismatched shapes", "x has 3", "W expects 50", x=normal(2, 3), W=W, b=b),
        refused("bias of another width", "b", "(10,)", "(3,)", x=x, W=W, b=normal(3)),
        refused("W is a vector", "W", "rank 2", "rank 1", x=normal(2, 3), W=normal(3), b=b),
        refused("x is a number", "x", "rank 1 or 2", "rank 0", x=1.0, W=W, b=b),
    ]  # fmt: skip
    x, W, dout = normal(100, 50), normal(50, 10), normal(100, 10)
    x[: len(NUMBERS), 0] = NUMBERS
    W[0] = [1.0, -1.5, 0.0, -0.0, WIDE.tiny, -WIDE.normal, 1e-3, -1e3, 1.0, 1.0]
    yield special("special numbers in x", x=x, W=W)
    W = normal(50, 10)
    W[0] = FROM_ABOVE
    yield special("special numbers in W", W=W)
    dout[: len(NUMBERS), 0] = NUMBERS
    yield special("special numbers in b and dout", b=FROM_ABOVE, dout=dout)
    x, W = normal(100, 50), normal(50, 10)
    x[:, 1::2], W[1::2] = -x[:, ::2], W[::2]
    yield special("cancelling", x=x, W=W)
    yield special("zeros", x=np.zeros((100, 50)), b=np.zeros(10))
    yield special("subnormal", x=1e-3 * WIDE.normal * normal(100, 50))


def _ten_thousand(rng: Generator) -> Iterator[Case]:
    """Of positive numbers, so that every sum is as large as its terms together."""

    def positive(name: str, batch: int, inputs: int, outputs: int, of: Any) -> Case:
        shapes: Any = {"x": (batch, inputs), "W": (inputs, outputs), "b": outputs}
        arrays = {n: rng.uniform(1, 2, shape) for n, shape in shapes.items()}
        dout = rng.uniform(1, 2, (batch, outputs)) * of
        return edge("Affine", name, dout, **arrays)

    yield positive("ten thousand weights", 32, 200, 50, 1.0)
    # Every sample counts in one column, where it is one of 500.
    own = np.arange(MANY)[:, None] * 20 // MANY == np.arange(20)
    yield positive("every sample of many", MANY, 2, 20, own)


SPECS = (
    Layer(
        "Affine",
        (Input("x"), Input("W", held=True), Input("b", held=True)),
        lambda x, W, b: x.reshape(len(x), -1) @ W + b,
        form=AFFINE,
        own=_affine,
        many=_ten_thousand,
    ),
)
