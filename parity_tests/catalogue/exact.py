"""The functions that formulas are made of, on NumPy's arrays of mpmath's numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

Exact = np.ndarray  # of mpmath's numbers (dtype object)


def of_mpmath(name: str) -> Callable[[Any], Exact]:
    """Return a function of mpmath, element by element; mpmath is imported when it is
    called, for few commands need it.
    """

    def function(x: Any) -> Exact:
        from mpmath import mp

        return np.frompyfunc(getattr(mp, name), 1, 1)(x)

    return function


exp, log, tanh, to_exact = map(of_mpmath, ("exp", "log", "tanh", "convert"))
