"""The elementary functions, a row each: what a library computes, and how well is measured.

No library promises how its exponential is rounded, so an `Arithmetic` says for each of
these rows how many roundings it may be off. `ranges` are where that has to be measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.reference.rounding.error_function import erf, erfc

PERIODIC = 2.0**14  # to which sines and cosines are measured
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
        absolute: its errors are no part of the result, however small that is, but are
            counted in the spacing at 1.
    """

    name: str
    function: Callable[[Any], Any]
    ranges: Callable[[Any], list[Range]]
    absolute: bool = False


def underflow_of_erfc(f: Any) -> float:
    """Return the x to which erfc(x), below exp(-x**2) / (x sqrt(pi)), is not subnormal."""
    least, x = 2 * float(f.smallest_normal), 1.0
    for _ in range(20):
        x = float(np.sqrt(-np.log(least * x * np.sqrt(np.pi))))
    return x


def normal_cdf(x: Any) -> Any:
    """Return how much of a standard normal distribution is below x."""
    return erfc(-x / np.sqrt(x.dtype.type(2))) / 2


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
    # As (1 + erf(x / sqrt(2))) / 2, which has no digit of its own where it comes to 0.
    Elementary("normal cdf", normal_cdf, lambda f: [
        (sign, f.eps, np.sqrt(-2 * np.log(f.eps))) for sign in (1, -1)
    ], absolute=True),
    # Near 0 they are x, but for x**2 / 2, and towards infinity log(x) and exp(x).
    Elementary("log1p", np.log1p, lambda f: [
        (1, f.eps, f.max), (-1, f.eps, 1 - f.epsneg),
    ]),
    Elementary("expm1", np.expm1, lambda f: [
        (1, f.eps, np.log(f.max / 2)), (-1, f.eps, -np.log(f.eps / 4)),
    ]),
    # As far as a float32 is known to some thousandth of the period.
    Elementary("sin", np.sin, lambda f: [(1, f.eps, PERIODIC)]),
    Elementary("cos", np.cos, lambda f: [(1, f.eps, PERIODIC)]),
    # IEEE 754 has it rounded correctly, and so have processors; not so all libraries.
    Elementary("sqrt", np.sqrt, lambda f: [(1, f.smallest_normal, f.max)]),
    Elementary("rsqrt", lambda x: 1 / np.sqrt(x), lambda f: [
        (1, f.smallest_normal, f.max),
    ]),
    # A power, where it is neither a product nor a root: x**x from the lowest to the
    # highest, which sees logarithms of all sizes, and arguments of exp.
    Elementary("pow", lambda x: x**x, lambda f: [
        (1, f.eps, np.log(f.max) / np.log(np.log(f.max))),
    ]),
)  # fmt: skip
ELEMENTARY = {row.name: row for row in ROWS}
