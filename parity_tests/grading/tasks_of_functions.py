"""What is asked of the functions of the book that are no part of a layer of chapter 5."""

from collections.abc import Iterator

import numpy as np

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.grading.drawing import Drawing, call, in_both, single
from gradparity.parity_tests.grading.outcomes import Call, Task

NUMBERS = "one number"  # which whoever changes an array in place cannot take
ARRAYS = "arrays"  # of which section 3.2.2 has a first version that takes numbers only


def functions() -> Iterator[Task]:
    yield from elementwise()
    yield from differences()
    yield from squares()
    yield from columns()


def elementwise() -> Iterator[Task]:
    """Not at 0, where the book's own functions do not agree."""
    draw = Drawing(11)
    for name in ("step_function", "relu", "sigmoid_grad"):
        calls = [call(x=draw.normal(*shape, scale=2)) for shape in ((6,), (3, 4))]
        yield from in_both(name, ARRAYS, *calls)
        numbers = (1.5, -0.75, 20.0, -20.0)
        yield from in_both(name, NUMBERS, *(call(x=x) for x in numbers))


def differences() -> Iterator[Task]:
    """Of a x**2 + b x, and of that with a cube, which shows a step that is too large."""
    draw = Drawing(12)
    a, b = (single(2 + np.abs(draw.normal(4))), draw.normal(4))
    for case, at in (("parabola", (5.0, -2.5)), ("near 0", (0.125, 0.0))):
        calls = [
            call(x=x, a=a[i], b=b[i]) for i, x in enumerate(at)
        ]  # numbers, as in section 4.3.1
        yield Task("numerical_diff", case, "float64", tuple(calls))
    cubic = call(x=1.5, a=a[2], b=b[2], c=0.5)
    yield Task("numerical_diff", "curved", "float64", (cubic,))


def squares() -> Iterator[Task]:
    """Of one vector of probabilities, as in section 4.2.1."""
    draw = Drawing(13)

    def one(classes: int) -> Call:
        t = np.eye(classes)[draw.labels(1, classes)[0]]
        return call(y=draw.probabilities(1, classes)[0], t=t)

    for case, sizes in (("ten classes", (10, 10)), ("other classes", (4, 7))):
        calls = [one(classes) for classes in sizes]
        for name in ("mean_squared_error", "sum_squared_error"):
            for dtype in DTYPES:  # of t, too, which is what y is compared with
                of_it = (
                    Call({n: v.astype(dtype) for n, v in c.inputs.items()})
                    for c in calls
                )
                yield Task(name, case, dtype, tuple(of_it))


# Images (samples, channels, height, width), filter, stride and padding.
SHAPES = {
    "one channel": ((1, 1, 4, 4), (2, 2), 1, 0),
    "several channels": ((2, 3, 4, 4), (3, 3), 1, 0),
    "wide images": ((2, 2, 4, 6), (3, 3), 1, 0),
    "filter that is no square": ((2, 2, 5, 5), (2, 3), 1, 0),
    "padding": ((2, 2, 4, 4), (3, 3), 1, 1),
    "stride of 2": ((2, 2, 6, 6), (2, 2), 2, 0),
    "stride of 2, padding": ((1, 2, 5, 7), (3, 3), 2, 1),
}


def positions(
    shape: tuple[int, ...], size: tuple[int, int], stride: int, pad: int
) -> tuple[int, int]:
    """How many places of a filter there are, from top to bottom and from left to right."""
    down, across = (
        (n + 2 * pad - k) // stride + 1 for n, k in zip(shape[2:], size, strict=True)
    )
    return down, across


def columns() -> Iterator[Task]:
    draw = Drawing(14)
    for case, (shape, size, stride, pad) in SHAPES.items():
        sizes = {
            "filter_h": size[0],
            "filter_w": size[1],
            "stride": stride,
            "pad": pad,
        }
        down, across = positions(shape, size, stride, pad)
        width = shape[1] * size[0] * size[1]
        batches = (shape, (shape[0] + 1, *shape[1:]))
        of_images = [call(x=draw.normal(*batch), **sizes) for batch in batches]
        of_columns = [
            call(
                col=draw.normal(batch[0] * down * across, width),
                input_shape=np.array(batch),
                **sizes,
            )
            for batch in batches
        ]
        yield from in_both("im2col", case, *of_images)
        yield from in_both("col2im", case, *of_columns)
