"""Derivatives without backpropagation, to check it by."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.reference.arrays import Float, check_floats


def numerical_gradient(
    f: Callable[[Any], Any], x: Float[np.ndarray, "*shape"], h: float = 1e-4
) -> Float[np.ndarray, "*shape"]:
    """Central differences, (f(x + h) - f(x - h)) / 2h, one element of x at a time.

    The error is of order h**2 from the formula and u * |f| / h from rounding; the
    lecture's h = 1e-4 is near the best for float64.

    As in the lecture, `f` may ignore its argument and read the array x elsewhere: the
    element is changed in place while f runs. It is put back exactly, whatever f does.

    Args:
        f: a function of an array with a number as its value.
        x: where to differentiate; any shape.
        h: the step.

    Raises:
        TypeError: x is no floating-point array.
        ValueError: x is empty, or read-only.
    """
    check_floats("numerical_gradient", x=x)
    if not x.flags.writeable:
        raise ValueError(
            "numerical_gradient: x must be writeable, got a read-only array"
        )
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        try:
            x[index] = value + h
            above = f(x)
            x[index] = value - h
            below = f(x)
        finally:
            x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


def complex_step_gradient(
    f: Callable[[Any], Any], x: Float[np.ndarray, "*shape"], h: float = 2.0**-100
) -> Float[np.ndarray, "*shape"]:
    """Im f(x + ih) / h, one element of x at a time: no subtraction, so no cancellation.

    With h far below the unit roundoff the result is exact to a few ulps (Squire and
    Trapp, Using complex variables to estimate derivatives of real functions, SIAM
    Review 40(1), 1998); with a power of two, to divide by it is exact. f must be built
    from analytic functions and comparisons, as the layers of this package are.

    Args, errors: as for `numerical_gradient`, but x is never changed: f is given a
    complex copy of it.
    """
    check_floats("complex_step_gradient", x=x)
    z = x.astype(np.result_type(x.dtype, np.complex64))
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        z[index] += 1j * h
        gradient[index] = np.imag(f(z)) / h
        z[index] = x[index]
    return gradient
