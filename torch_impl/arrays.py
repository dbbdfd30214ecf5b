"""The annotations and the refusals of `reference/arrays.py`, for tensors."""

from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

Number = Float[Tensor, ""]
Array = Float[Tensor, "..."]
Scores = Float[Tensor, "*batch classes"]
Labels = Shaped[Tensor, "..."]


def check_floats(layer: str, **arguments: Any) -> None:
    """Refuse anything but non-empty floating-point tensors of one dtype.

    Raises:
        TypeError: an argument is no floating-point tensor, or the dtypes differ.
        ValueError: an argument is empty.
    """
    dtypes = set()
    for name, value in arguments.items():
        if not isinstance(value, torch.Tensor) or not value.dtype.is_floating_point:
            dtype = getattr(value, "dtype", None)
            came = type(value).__name__ if dtype is None else f"dtype {_name(dtype)}"
            raise TypeError(
                f"{layer}: {name} must be a floating-point array, got {came}"
            )
        if value.numel() == 0:
            raise ValueError(
                f"{layer}: {name} must not be empty, got shape {tuple(value.shape)}"
            )
        dtypes.add(value.dtype)
    if len(dtypes) > 1:
        came = ", ".join(f"{n}: {_name(v.dtype)}" for n, v in arguments.items())
        raise TypeError(f"{layer}: all arguments must have one dtype, got {came}")


def _name(dtype: torch.dtype) -> str:
    """The dtype's name as NumPy and JAX have it, so that refusals read alike."""
    return str(dtype).removeprefix("torch.")


def check_alike(layer: str, **arguments: Any) -> None:
    """`check_floats`, and one shape: raise ValueError where the shapes differ."""
    check_floats(layer, **arguments)
    if len({tuple(value.shape) for value in arguments.values()}) > 1:
        came = ", ".join(f"{name}: {tuple(v.shape)}" for name, v in arguments.items())
        raise ValueError(f"{layer}: all arguments must have one shape, got {came}")


def check_rank(layer: str, name: str, value: torch.Tensor, *ranks: int) -> None:
    """Raise ValueError unless the tensor `value` has one of the `ranks`."""
    if value.ndim not in ranks:
        expected = " or ".join(map(str, ranks))
        raise ValueError(
            f"{layer}: {name} must have rank {expected}, "
            f"got rank {value.ndim} (shape {tuple(value.shape)})"
        )


def check_shape(
    layer: str, name: str, value: torch.Tensor, expected: tuple[int, ...]
) -> None:
    """Raise ValueError unless `value` has the shape `expected`."""
    if value.shape != expected:
        raise ValueError(
            f"{layer}: {name} must have shape {tuple(expected)}, "
            f"got {tuple(value.shape)}"
        )


def check_labels(layer: str, t: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Labels as int64, or one-hot rows in the dtype of the scores; by rank, as given.

    Raises:
        TypeError: indices that are not integers.
        ValueError: another shape, an index outside 0..classes-1, or a row that is
            not zeros and a single one.
    """
    shape, classes = tuple(scores.shape), scores.shape[-1]
    if t.shape == shape:
        if not ((t == 0) | (t == 1)).all():
            raise ValueError(f"{layer}: t (one-hot) must hold zeros and ones only")
        if not (t.sum(-1) == 1).all():
            raise ValueError(f"{layer}: every row of t (one-hot) must hold a single 1")
        return t.to(scores.dtype)
    if t.shape != shape[:-1]:
        raise ValueError(
            f"{layer}: t must have shape {shape[:-1]} (labels) or {shape} (one-hot), "
            f"got {tuple(t.shape)}"
        )
    if t.is_floating_point() or t.dtype == torch.bool:
        raise TypeError(
            f"{layer}: t (labels) must be integers, got dtype {_name(t.dtype)}"
        )
    low, high = map(int, t.aminmax())
    if low < 0 or high >= classes:
        raise ValueError(
            f"{layer}: t (labels) must lie in 0..{classes - 1}, "
            f"got {low if low < 0 else high}"
        )
    return t.long()
