"""erf and erfc in the dtype of what they are given, which NumPy has not.

Both are correct to some roundings of that dtype, so that in a wider one they are the truth.
"""

from typing import Any

import numpy as np

TERMS = 40  # of the series, for |x| < 1; the last is below 1e-30
STEP = 0.4  # of the trapezoidal rule, which is off by exp(-(pi / STEP)**2), 2e-27
NODES = 20  # exp(-(NODES * STEP)**2) is below 1e-27


def erf(x: Any) -> Any:
    """Return 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
    return _of_both(np.asarray(x))[0]


def erfc(x: Any) -> Any:
    """Return 1 - erf(x), which keeps its digits where erf comes to 1."""
    return _of_both(np.asarray(x))[1]


def _of_both(x: Any) -> tuple[Any, Any]:
    size = np.abs(x)
    near = size < 1
    above, rest = np.empty_like(size), np.empty_like(size)
    above[near], rest[~near] = _series(size[near]), _tail(size[~near])
    above[~near], rest[near] = 1 - rest[~near], 1 - above[near]
    return np.copysign(above, x), np.where(x < 0, 1 + above, rest)


def _pi(dtype: Any) -> Any:
    return dtype.type("3.14159265358979323846264338327950288")


def _gauss(x: Any) -> Any:
    """exp(-x**2). Of x**2, which may be hundreds, no digit is rounded off: the upper half
    of the digits of x has an exact square.
    """
    high = x.astype(np.float32).astype(x.dtype)
    return np.exp(-high * high) * np.exp((high - x) * (high + x))


def _series(x: Any) -> Any:
    """erf for 0 <= x < 1: terms that are all positive (Abramowitz and Stegun 7.1.6)."""
    twice = 2 * x * x
    total = np.ones_like(x)
    for n in range(TERMS, 0, -1):
        total = 1 + twice / (2 * n + 1) * total
    return 2 / np.sqrt(_pi(x.dtype)) * x * _gauss(x) * total


def _tail(x: Any) -> Any:
    """erfc for x >= 1: the trapezoidal rule on exp(-t**2) / (t**2 + x**2), and what its
    poles add where they are near (Chiarella and Reichel, On the evaluation of integrals
    related to the error function, Math. Comp. 22, 1968).
    """
    h, pi = x.dtype.type(STEP), _pi(x.dtype)
    square = x * x
    total = 1 / (2 * square)
    for k in range(1, NODES + 1):
        t = k * k * h * h
        total = total + np.exp(-t) / (t + square)
    poles = np.where(x < pi / h, 2 / np.expm1(2 * pi * np.minimum(x, pi / h) / h), 0)
    return 2 * h * x * _gauss(x) / pi * total - poles
