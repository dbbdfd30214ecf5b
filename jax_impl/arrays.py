"""The annotations and the refusals of `reference/arrays.py`, for JAX arrays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array as JaxArray
from jaxtyping import Float, Shaped

Number = Float[JaxArray, ""]
Array = Float[JaxArray, "..."]
Scores = Float[JaxArray, "*batch classes"]
Labels = Shaped[JaxArray, "..."]


def check_floats(layer: str, **arguments: Any) -> None:
    """Refuse anything but non-empty floating-point arrays of one dtype.

    Raises:
        TypeError: an argument is no floating-point array, or the dtypes differ.
        ValueError: an argument is empty.
    """
    for name, value in arguments.items():
        dtype = getattr(value, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            came = type(value).__name__ if dtype is None else f"dtype {dtype}"
            raise TypeError(
                f"{layer}: {name} must be a floating-point array, got {came}"
            )
        if value.size == 0:
            raise ValueError(
                f"{layer}: {name} must not be empty, got shape {value.shape}"
            )
    if len({value.dtype for value in arguments.values()}) > 1:
        came = ", ".join(f"{name}: {v.dtype}" for name, v in arguments.items())
        raise TypeError(f"{layer}: all arguments must have one dtype, got {came}")


def check_alike(layer: str, **arguments: Any) -> None:
    """`check_floats`, and one shape: raise ValueError where the shapes differ."""
    check_floats(layer, **arguments)
    if len({value.shape for value in arguments.values()}) > 1:
        came = ", ".join(f"{name}: {v.shape}" for name, v in arguments.items())
        raise ValueError(f"{layer}: all arguments must have one shape, got {came}")


def check_rank(layer: str, name: str, value: jax.Array, *ranks: int) -> None:
    """Raise ValueError unless the array `value` has one of the `ranks`."""
    if value.ndim not in ranks:
        expected = " or ".join(map(str, ranks))
        raise ValueError(
            f"{layer}: {name} must have rank {expected}, "
            f"got rank {value.ndim} (shape {value.shape})"
        )


def check_shape(
    layer: str, name: str, value: jax.Array, expected: tuple[int, ...]
) -> None:
    """Raise ValueError unless `value` has the shape `expected`."""
    if value.shape != expected:
        raise ValueError(
            f"{layer}: {name} must have shape {expected}, got {value.shape}"
        )


def check_labels(layer: str, t: jax.Array, scores: jax.Array) -> jax.Array:
    """Labels, or one-hot rows in the dtype of the scores; by rank, as given.

    Under `jax.jit`, labels that are an argument of the jitted function have no values
    yet: only their shape and dtype are checked. Labels closed over are checked whole.

    Raises:
        TypeError: indices that are not integers.
        ValueError: another shape, an index outside 0..classes-1, or a row that is
            not zeros and a single one.
    """
    shape, classes = scores.shape, scores.shape[-1]
    # NumPy looks at the values: under jit, even a comparison of constants is traced.
    values = None if isinstance(t, jax.core.Tracer) else np.asarray(t)
    if t.shape == shape:
        if values is not None and not ((values == 0) | (values == 1)).all():
            raise ValueError(f"{layer}: t (one-hot) must hold zeros and ones only")
        if values is not None and not (values.sum(-1) == 1).all():
            raise ValueError(f"{layer}: every row of t (one-hot) must hold a single 1")
        return t.astype(scores.dtype)
    if t.shape != shape[:-1]:
        raise ValueError(
            f"{layer}: t must have shape {shape[:-1]} (labels) or {shape} (one-hot), "
            f"got {t.shape}"
        )
    if not jnp.issubdtype(t.dtype, jnp.integer):
        raise TypeError(f"{layer}: t (labels) must be integers, got dtype {t.dtype}")
    if values is not None and not 0 <= values.min() <= values.max() < classes:
        wrong = values.min() if values.min() < 0 else values.max()
        raise ValueError(
            f"{layer}: t (labels) must lie in 0..{classes - 1}, got {wrong}"
        )
    return t
