"""What an array argument may be: the annotations for shapes, and the refusals.

Every layer says with `Float[np.ndarray, "batch in"]` what it takes, and calls the
functions below to refuse anything else in one sentence that names the argument, what
was expected and what came.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import AbstractDtype, Shaped

if TYPE_CHECKING:
    from typing import Annotated as Float
else:

    class Float(AbstractDtype):
        """jaxtyping's `Float`, with longdouble (the truth for float64 is computed in
        it) and the complex types (complex-step derivatives pass through the layers).
        """

        dtypes = (
            *("float16", "float32", "float64", "longdouble"),
            *("complex64", "complex128", "clongdouble"),
        )


Number = int | float | np.inexact
Array = Float[np.ndarray, "..."]
Value = Array | Number
Scores = Float[np.ndarray, "*batch classes"]
Labels = Shaped[np.ndarray, "..."] | int | np.integer

# Whose frames stand between a caller and a layer while shapes are checked.
CHECKERS = {"jaxtyping", "beartype"}

# At the edges, infinity and NaN are the right answers and no reason to warn.
ieee = np.errstate(over="ignore", divide="ignore", invalid="ignore")


def check_floats(layer: str, **arguments: Any) -> None:
    """Refuse anything but non-empty floating-point arrays of one dtype.

    Python's own numbers pass: they take the dtype of the arrays they meet.

    Raises:
        TypeError: an argument is no floating-point array, or the dtypes differ.
        ValueError: an argument is empty.
    """
    dtypes = {}
    for name, value in arguments.items():
        if type(value) in (int, float):
            continue
        dtype = getattr(value, "dtype", None)
        if dtype is None or dtype.kind not in "fc":  # floating-point or complex
            came = type(value).__name__ if dtype is None else f"dtype {dtype}"
            raise TypeError(
                f"{layer}: {name} must be a floating-point array, got {came}"
            )
        if value.size == 0:
            raise ValueError(
                f"{layer}: {name} must not be empty, got shape {value.shape}"
            )
        dtypes[name] = dtype
    if len(set(dtypes.values())) > 1:
        came = ", ".join(f"{name}: {dtype}" for name, dtype in dtypes.items())
        raise TypeError(f"{layer}: all arguments must have one dtype, got {came}")


def check_alike(layer: str, **arguments: Any) -> None:
    """`check_floats`, and one shape: raise ValueError where the shapes differ."""
    check_floats(layer, **arguments)
    if len({np.shape(value) for value in arguments.values()}) > 1:
        came = ", ".join(f"{name}: {np.shape(v)}" for name, v in arguments.items())
        raise ValueError(f"{layer}: all arguments must have one shape, got {came}")


def check_rank(layer: str, name: str, value: Any, *ranks: int) -> None:
    """Raise ValueError unless the array `value` has one of the `ranks`."""
    if value.ndim not in ranks:
        expected = " or ".join(map(str, ranks))
        raise ValueError(
            f"{layer}: {name} must have rank {expected}, "
            f"got rank {value.ndim} (shape {value.shape})"
        )


def check_shape(layer: str, name: str, value: Any, expected: tuple[int, ...]) -> None:
    """Raise ValueError unless `value` has the shape `expected`."""
    if np.shape(value) != expected:
        raise ValueError(
            f"{layer}: {name} must have shape {expected}, got {np.shape(value)}"
        )


def check_dout(layer: str, dout: Any, expected: tuple[int, ...] | None) -> None:
    """Refuse a `dout` that does not fit what forward returned.

    Raises:
        RuntimeError: there was no forward (`expected` is None).
        TypeError, ValueError: `dout` is no floating-point array of shape `expected`.
    """
    if expected is None:
        raise RuntimeError(f"{layer}: backward needs a forward before it")
    check_floats(layer, dout=dout)
    check_shape(layer, "dout", dout, expected)
