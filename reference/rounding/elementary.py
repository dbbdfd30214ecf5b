"""The elementary functions, a row each: what a library computes, and how well is measured.

No library promises how its exponential is rounded, so an `Arithmetic` says for each of
these rows how many roundings it may be off. `ranges` are where that has to be measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.reference.rounding.error_function import erf, erfc

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


def underflow_of_erfc(f: Any) -> float:
    """Return the x to which erfc(x), below exp(-x**2) / (x sqrt(pi)), is not subnormal."""
    least, x = 2 * float(f.smallest_normal), 1.0
    for _ in range(20):
        x = float(np.sqrt(-np.log(least * x * np.sqrt(np.pi))))
    return x


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
    # Where x**2 is -log(eps), erfc(x) is less than eps / 7: erf is 1 there, and erfc(-x) 2.
    Elementary("erf", erf, lambda f: [
        (sign, f.eps, np.sqrt(-np.log(f.eps))) for sign in (1, -1)
    ]),
    Elementary("erfc", erfc, lambda f: [
        (1, f.eps, underflow_of_erfc(f)), (-1, f.eps, np.sqrt(-np.log(f.eps))),
    ]),
    Elementary("rsqrt", lambda x: 1 / np.sqrt(x), lambda f: [
        (1, f.smallest_normal, f.max),
    ]),
    # A power, where it is neither a product nor a root: x**x from the lowest to the
    # highest, which sees logarithms of all sizes, and arguments of exp. No layer needs it,
    # and nobody's was measured.
    Elementary("pow", lambda x: x**x, lambda f: [
        (1, f.eps, np.log(f.max) / np.log(np.log(f.max))),
    ]),
)  # fmt: skip
ELEMENTARY = {row.name: row for row in ROWS}
