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
Array = Any  # of float64 or longdouble


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


def erf(x: Array) -> Array:
    """The error function, in the dtype of x."""
    far = np.abs(x) > 2
    near = _series(np.where(far, 0, x))
    return np.where(
        far, np.sign(x) * (1 - _fraction(np.where(far, np.abs(x), 2))), near
    )


def erfc(x: Array) -> Array:
    """1 - erf(x), without the digits that a subtraction loses, in the dtype of x."""
    far = x > 1
    return np.where(far, _fraction(np.where(far, x, 2)), 1 - erf(np.where(far, 1, x)))


def _series(x: Array) -> Array:
    """erf(x) for an x that is not large: 2 x / sqrt(pi) exp(-x**2) (1 + 2 x**2 / 3 (1 + 2
    x**2 / 5 (1 + ...))), all of whose terms have one sign.

    Abramowitz and Stegun, *Handbook of Mathematical Functions*, 7.1.6.
    """
    square, term, total, n = x * x, np.ones_like(x), np.ones_like(x), 1
    while np.any(term > np.finfo(x.dtype).eps / 8 * total):
        n += 2
        term = term * (2 * square / n)
        total = total + term
    return 2 * x * total * _normal(x)


def _fraction(x: Array) -> Array:
    """erfc(x) for an x from 1 on: exp(-x**2) / sqrt(pi) / (x + 1/2 / (x + 1 / (x + 3/2 /
    (x + ...)))); Abramowitz and Stegun, 7.1.14. The smaller x, the more of it is needed.
    """
    terms = int(20 + 500 / min(np.min(x, initial=np.inf) ** 2, 500.0))
    below = np.zeros_like(x)
    for k in range(terms, 0, -1):
        below = x.dtype.type(k) / 2 / (x + below)
    return _normal(x) / (x + below)


def _normal(x: Array) -> Array:
    """exp(-x**2) / sqrt(pi), of an x whose square is not rounded: it is taken apart into
    its first digits, whose square is exact, and the rest.
    """
    head = np.round(x * 2**16) / 2**16
    root = np.sqrt(4 * np.arctan(x.dtype.type(1)))
    return np.exp(-(head * head)) * np.exp((head - x) * (head + x)) / root


def _one(f: Any) -> Any:
    """Where erf has come to 1, with some room for whoever gets there late."""
    return np.sqrt(-2 * np.log(f.epsneg))


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
    # Below the lower end it is 2 x / sqrt(pi) all the same, and the product may underflow.
    Elementary("erf", erf, lambda f: [
        (sign, f.smallest_normal / f.eps, _one(f)) for sign in (1, -1)
    ]),
    Elementary("erfc", erfc, lambda f: [
        (1, f.eps / 4, np.sqrt(-np.log(128 * f.smallest_normal))),
        (-1, f.eps / 4, _one(f)),
    ]),
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
