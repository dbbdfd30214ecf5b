"""What networks are asked: their parameters are filled in, and then batches.

In float64, which is what the lecture's parameters are.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gradparity.parity_tests.grading.asking_networks import (
    DECAY,
    NUMERICALLY,
    SIGMOID,
)
from gradparity.parity_tests.grading.drawing import Drawing, call, single
from gradparity.parity_tests.grading.outcomes import NETWORK, Arrays, Call, Task

LABELS, ONE_HOT = "labels", "one-hot"
# Groups of cases that a network may refuse, for want of a setting.
DECLINABLE = (SIGMOID, DECAY)
SIZES = (12, 7, 5)  # of the layers of the network of two,
DEEP = (6, 5, 4, 3)  # and of the one of several
IMAGE, FILTERS, SIZE = (1, 8, 8), 3, 3  # of the convolutional one


def tasks() -> Iterator[Task]:
    yield from two_layers()
    yield from several_layers()
    yield from convolution()


def parameters(draw: Drawing, *widths: int) -> Arrays:
    """Of affine layers, small enough that no probability is tiny."""
    found = {}
    for n, (before, after) in enumerate(pairwise(widths), 1):
        found[f"W{n}"] = draw.normal(before, after, scale=0.4)
        found[f"b{n}"] = draw.normal(after, scale=0.4)
    return found


def targets(draw: Drawing, size: int, classes: int, labels: bool) -> np.ndarray:
    return (draw.labels if labels else draw.one_hot)(size, classes)


def two_layers() -> Iterator[Task]:
    draw = Drawing(7)
    inputs, _, classes = SIZES

    def batch(size: int, labels: bool = False) -> Call:
        return call(
            **parameters(draw, *SIZES),
            x=single(draw.rng.random((size, inputs))),
            t=targets(draw, size, classes, labels),
        )

    def network(case: str, *calls: Call) -> Task:
        return Task(NETWORK, case, "float64", calls)

    first = batch(6)
    others = Call(batch(6).inputs | {"x": first.inputs["x"]})  # other parameters
    yield network(ONE_HOT, first, others, first, batch(4))
    yield network(LABELS, batch(6, labels=True), batch(4, labels=True))
    yield network("one-hot, as many samples as classes", batch(classes))
    yield network("one-hot, one sample", batch(1))
    yield network(f"{ONE_HOT}, {NUMERICALLY}", batch(3))


def several_layers() -> Iterator[Task]:
    draw = Drawing(8)

    def batch(
        size: int, labels: bool = False, *, sigmoid: bool = False, decay: float = 0.0
    ) -> Call:
        return call(
            **parameters(draw, *DEEP),
            x=draw.normal(size, DEEP[0]),
            t=targets(draw, size, DEEP[-1], labels),
            sigmoid=sigmoid,
            decay=decay,
        )

    def network(case: str, *calls: Call) -> Task:
        return Task("MultiLayerNet", case, "float64", calls)

    first = batch(5)
    yield network(ONE_HOT, first, batch(5), first, batch(4))
    yield network(LABELS, batch(5, labels=True))
    yield network(SIGMOID, batch(5, sigmoid=True), batch(3, sigmoid=True))
    yield network(DECAY, batch(5, decay=0.125), batch(4, decay=0.125))
    yield network(f"{SIGMOID}, {DECAY}", batch(4, sigmoid=True, decay=0.125))
    yield network(f"{ONE_HOT}, {NUMERICALLY}", batch(3))


def convolution() -> Iterator[Task]:
    draw = Drawing(9)
    pooled = FILTERS * ((IMAGE[1] - SIZE + 1) // 2) ** 2

    def batch(size: int, labels: bool = False) -> Call:
        dense = parameters(draw, FILTERS, pooled, 5, 4)
        kernel = draw.normal(FILTERS, IMAGE[0], SIZE, SIZE, scale=0.4)
        bias = draw.normal(FILTERS, scale=0.4)
        dense |= {"W1": kernel, "b1": bias}
        x = single(draw.rng.random((size, *IMAGE)))
        return call(**dense, x=x, t=targets(draw, size, 4, labels))

    def network(case: str, *calls: Call) -> Task:
        return Task("SimpleConvNet", case, "float64", calls)

    first = batch(4)
    yield network(ONE_HOT, first, batch(4), first, batch(3))
    yield network(LABELS, batch(4, labels=True), batch(2, labels=True))
    yield network("one-hot, one sample", batch(1))
