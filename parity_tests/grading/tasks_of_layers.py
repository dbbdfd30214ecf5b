"""What is asked of the layers of chapters 6 and 7."""

from collections.abc import Iterator

import numpy as np

from gradparity.parity_tests.grading.drawing import Drawing, call, in_both, single
from gradparity.parity_tests.grading.outcomes import BESIDE, Call, Task
from gradparity.parity_tests.grading.tasks_of_functions import positions

Shape = tuple[int, int, int, int]
# Images (samples, channels, height, width), filters (number, height, width), stride and
# padding. In the first case there are as many filters as there are elements in one.
CONVOLUTIONS: dict[str, tuple[Shape, tuple[int, int, int], int, int]] = {
    "one channel": ((2, 1, 4, 4), (4, 2, 2), 1, 0),
    "several channels": ((2, 3, 4, 4), (2, 3, 3), 1, 0),
    "one sample": ((1, 2, 3, 3), (3, 2, 2), 1, 0),
    "wide images": ((2, 2, 4, 6), (3, 3, 3), 1, 0),
    "filters that are no squares": ((2, 2, 5, 5), (3, 2, 3), 1, 0),
    "padding": ((2, 2, 4, 4), (3, 3, 3), 1, 1),
    "stride of 2": ((2, 2, 6, 6), (3, 2, 2), 2, 0),
    "stride of 2, padding": ((1, 2, 5, 7), (3, 3, 3), 2, 1),
    BESIDE: ((2, 2, 4, 4), (3, 3, 3), 1, 0),
}
NO_SQUARES = "windows that are no squares"  # which not every constructor can have
# Images, windows and stride. There is no padding: what it does to negative numbers is not
# the same in all books.
POOLINGS: dict[str, tuple[Shape, tuple[int, int], int]] = {
    "windows of 2 x 2": ((2, 3, 4, 4), (2, 2), 2),
    "one channel": ((2, 1, 4, 4), (2, 2), 2),
    "one sample": ((1, 2, 4, 4), (2, 2), 2),
    "wide images": ((2, 2, 4, 6), (2, 2), 2),
    NO_SQUARES: ((2, 2, 6, 6), (2, 3), 3),
    "windows that overlap": ((2, 2, 5, 5), (3, 3), 2),
    BESIDE: ((2, 2, 4, 4), (2, 2), 2),
}


def layers() -> Iterator[Task]:
    yield from convolutions()
    yield from poolings()
    yield from dropouts()
    yield from normalizations()


def batches(shape: Shape) -> list[Shape]:
    """The first goes by twice, with another dout."""
    return [shape, shape, (shape[0] + 1, *shape[1:])]


def convolutions() -> Iterator[Task]:
    draw = Drawing(21)
    for case, (shape, (filters, *size), stride, pad) in CONVOLUTIONS.items():
        W, b = draw.normal(filters, shape[1], *size), draw.normal(filters)
        down, across = positions(shape, (size[0], size[1]), stride, pad)
        x = draw.normal(*shape)
        calls: list[Call] = []
        for batch in batches(shape):
            given = x if batch == shape else draw.normal(*batch)
            dout = draw.normal(batch[0], filters, down, across)
            calls.append(call(dout, x=given, W=W, b=b, stride=stride, pad=pad))
        yield from in_both("Convolution", case, *calls)


def poolings() -> Iterator[Task]:
    draw = Drawing(22)
    for case, (shape, size, stride) in POOLINGS.items():
        down, across = positions(shape, size, stride, 0)
        sizes = {"pool_h": size[0], "pool_w": size[1], "stride": stride, "pad": 0}
        x = draw.normal(*shape)
        calls: list[Call] = []
        for batch in batches(shape):
            given = x if batch == shape else draw.normal(*batch)
            dout = draw.normal(*batch[:2], down, across)
            calls.append(call(dout, x=given, **sizes))
        yield from in_both("Pooling", case, *calls)


def dropouts() -> Iterator[Task]:
    """Of so many elements that their share tells a ratio from another, and none of which
    is near 0; no two calls have the same.
    """
    draw = Drawing(23)

    def one(ratio: float, train: bool, dout: bool = True) -> Call:
        x = draw.normal(30, 20)
        x = single(x + np.sign(x))
        settings = {"dropout_ratio": ratio, "train_flg": train}
        return call(draw.normal(*x.shape) if dout else None, x=x, **settings)

    for case, ratio in (("training", 0.25), ("another ratio", 0.75)):
        yield from in_both("Dropout", case, one(ratio, True), one(ratio, True))
    test = one(0.25, train=True), one(0.25, train=False, dout=False)
    yield from in_both("Dropout", "test time", *test)


def normalizations() -> Iterator[Task]:
    """Of numbers so large that it does not matter what is added to the variance. With a
    momentum of one half, it does not matter either which part it is a factor of.
    """
    draw = Drawing(24)

    def batch(
        samples: int,
        features: int,
        train: bool = True,
        dout: bool = True,
        momentum: float = 0.9,
    ) -> Call:
        return call(
            draw.normal(samples, features) if dout else None,
            x=draw.normal(samples, features, scale=1000),
            gamma=single(1 + np.abs(draw.normal(features))),
            beta=draw.normal(features),
            momentum=momentum,
            train_flg=train,
        )

    def of(case: str, *calls: Call) -> Iterator[Task]:
        """With the scale, the shift and the momentum of the first, all along."""
        held = {name: calls[0].inputs[name] for name in ("gamma", "beta", "momentum")}
        these = [Call(each.inputs | held, each.dout) for each in calls]
        yield from in_both("BatchNormalization", case, *these)

    first = batch(6, 3)
    again = Call(first.inputs, draw.normal(6, 3))
    yield from of("batch", first, again, batch(4, 3))
    yield from of("as many samples as features", batch(4, 4), batch(4, 4))
    yield from of(BESIDE, batch(5, 3), batch(5, 3))
    trained = [batch(samples, 3, dout=False, momentum=0.5) for samples in (5, 6)]
    yield from of("test time", *trained, batch(4, 3, train=False, dout=False))
