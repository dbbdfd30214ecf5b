"""Operations that compute nothing: they say where each element comes from, or goes to.

Whatever a framework calls them (a transposition, a slice, a concatenation, a choice by a
mask), two operations do for all: `move`, by which each element of a result is one of the
operands' or a constant, and `collect`, which adds up what goes to the same place.
"""

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Values


def moved(*operands: Bounded, source: Values, fill: Values = 0.0) -> Bounded:
    """The elements of these operands, taken in a row, at the places that `source` says;
    where that is -1, `fill`.
    """
    first = operands[0]
    value, error = (
        np.concatenate([np.ravel(each) for each in parts])
        for parts in zip(*((x.value, x.error) for x in operands), strict=True)
    )
    return first.exactly(
        np.where(source < 0, fill, taken(value, source)),
        np.where(source < 0, 0.0, taken(error, source)),
    )


def taken(values: Values, source: Values) -> Values:
    """Those at these places; of nothing, nothing can be taken."""
    return values[source] if values.size else np.zeros(np.shape(source))


def moved_back(
    which: int,
    g: Values,
    y: Values,
    *operands: Values,
    source: Values,
    fill: Values = 0.0,
) -> Values:
    """To every element of one of the operands, the sum over where it went."""
    start = sum(np.size(x) for x in operands[:which])
    size = np.size(operands[which])
    place = np.ravel(source) - start
    inside = (place >= 0) & (place < size) & (np.ravel(source) >= 0)
    sums = np.bincount(place[inside], np.ravel(g)[inside], minlength=size)
    return sums.reshape(np.shape(operands[which]))


def collected(x: Bounded, target: Values, shape: tuple[int, ...]) -> Bounded:
    """Zeros of this shape, to which each element of x is added at its place; where that is
    -1, it is left out.
    """
    return x.collect(target, shape)


def from_collected(
    g: Values, y: Values, x: Values, target: Values, shape: tuple[int, ...]
) -> Values:
    """What came to the place that each element was added to."""
    return np.where(target < 0, 0, taken(np.ravel(g), target))
