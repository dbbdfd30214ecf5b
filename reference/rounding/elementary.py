"""The elementary functions, a row each: what a library computes, and how well is measured.

No library promises how its exponential is rounded, so an `Arithmetic` says for each of
these rows how many roundings it may be off. `ranges` are where that has to be measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# The sign of the numbers, and their sizes from low to high.
Range = tuple[int, Any, Any]


@dataclass(frozen=True)
class Elementary:
    """A function of one number.

    Args:
        name: what it is called in the measured data.
        function: on arrays; in a wider dtype it is the truth.
        ranges: for a `numpy.finfo`, where the result is not known beforehand and far
            enough from the subnormal numbers not to be taken for one.
    """

    name: str
    function: Callable[[Any], Any]
    ranges: Callable[[Any], list[Range]]


ROWS = (
    Elementary("exp", np.exp, lambda f: [
        (1, f.eps / 4, np.log(f.max / 2)),
        (-1, f.eps / 4, -np.log(2 * f.smallest_normal)),
    ]),
    # Where the result lies in the last binade, XLA is less accurate: its scaling by
    # powers of 2 ends at the one before.
    Elementary("exp near overflow", np.exp, lambda f: [
        (1, np.nextafter(np.log(f.max / 2), f.max), np.nextafter(np.log(f.max), 0)),
    ]),
    Elementary("log", np.log, lambda f: [(1, f.smallest_normal, f.max)]),
    # Beyond the upper end it has come to 1, with some room for whoever gets there late.
    Elementary("tanh", np.tanh, lambda f: [
        (sign, f.eps / 4, 2 * np.arctanh(1 - f.epsneg)) for sign in (1, -1)
    ]),
)  # fmt: skip
ELEMENTARY = {row.name: row for row in ROWS}
