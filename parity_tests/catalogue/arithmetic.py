"""The specs of arithmetic, node by node."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue import exact
from gradparity.parity_tests.catalogue.case import WIDE, Case, case
from gradparity.parity_tests.catalogue.edges import INF, NAN, across, edge, extreme
from gradparity.parity_tests.catalogue.spec import (
    Generator,
    Input,
    Layer,
    OwnCases,
    away_from_zero,
    positive,
    scaled,
)

LECTURE = "lecture on backpropagation; Deep Learning from Scratch, chapter 5"
FRUIT = ("apple", "apple_num", "orange", "orange_num", "tax")


def _pair(layer: str, x: float, y: float) -> OwnCases:
    """Of a layer of two arrays: the lecture's numbers, and others that cancel."""

    def own(rng: Generator) -> Iterator[Case]:
        yield case(layer, "lecture", 1.1, x=x, y=y, source=LECTURE)
        yield edge(
            layer,
            "cancelling",
            np.ones((100, 10)),
            x=across([1.0, 1e-3, -3.0, 1e8, 0.1]),
            y=across([-0.999, -1e-3, 3.1, -1, -0.3]),
        )

    return own


def _fruit(rng: Generator) -> Iterator[Case]:
    def named(values: Any) -> dict[str, Any]:
        return dict(zip(FRUIT, values, strict=True))

    bill = named((100.0, 2.0, 150.0, 3.0, 1.1))
    yield case("BuyFruit", "lecture", source=LECTURE, **bill)
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
    inputs = named(map(across, zip(*bills, strict=True)))
    yield edge("BuyFruit", "special numbers", np.ones((100, 10)), **inputs)


SPECS = (
    Layer(
        "AddLayer",
        (Input("x"), Input("y")),
        lambda x, y: x + y,
        own=_pair("AddLayer", 200.0, 450.0),
    ),
    Layer(
        "MulLayer",
        (Input("x"), Input("y")),
        lambda x, y: x * y,
        own=_pair("MulLayer", 100.0, 2.0),
    ),
    Layer(
        "BuyFruit",
        tuple(Input(name, domain=positive) for name in FRUIT),
        lambda apple, apples, orange, oranges, tax: (
            (apple * apples + orange * oranges) * tax
        ),
        # Its dout is that of the product with the tax, which refuses it.
        but_for=("batch", "special numbers", "dout of another shape"),
        own=_fruit,
    ),
    Layer("Negate", (Input("x"),), lambda x: -x),
    Layer(
        "Exp",
        (Input("x", domain=scaled(5)),),
        exact.exp,
        elementary="exp",
        small=extreme("Exp", [-80.0, -40.0], [40.0, 80.0]),
    ),
    Layer(
        "Log",
        (Input("x", domain=positive),),
        exact.log,
        elementary="log",
        small=extreme("Log", [1e-30, 0.999], [1.001, 1e30]),
    ),
    Layer(
        "PlusOne",
        (Input("x"),),
        lambda x: x + 1,
        small=extreme("PlusOne", [1e-20, -1e-20], [1e8, -0.999]),
    ),
    Layer("Reciprocal", (Input("x", domain=away_from_zero),), lambda x: 1 / x),
)
