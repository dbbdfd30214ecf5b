"""The primitives that only copy, select or lay out, in NumPy: bit for bit what they are in
XLA, and without a compilation for each of their shapes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Params = dict[str, Any]
Move = Callable[..., Any]


def slices(starts: Sequence[Any], sizes: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(start, start + size) for start, size in zip(starts, sizes, strict=True)
    )


def clamped(
    starts: Sequence[Any], sizes: Sequence[int], shape: Sequence[int]
) -> list[int]:
    """Where a slice of these sizes starts: inside the array, wherever it was asked for."""
    return [
        max(0, min(int(start), whole - size))
        for start, size, whole in zip(starts, sizes, shape, strict=True)
    ]


def broadcast_in_dim(params: Params, x: np.ndarray) -> np.ndarray:
    ones = np.ones(len(params["shape"]), int)
    for own, axis in enumerate(params["broadcast_dimensions"]):
        ones[axis] = x.shape[own]
    return np.broadcast_to(x.reshape(ones), params["shape"])


def reshape(params: Params, x: np.ndarray) -> np.ndarray:
    if params.get("dimensions") is not None:
        x = x.transpose(params["dimensions"])
    return x.reshape(params["new_sizes"])


def sliced(params: Params, x: np.ndarray) -> np.ndarray:
    starts, limits = params["start_indices"], params["limit_indices"]
    strides = params["strides"] or (1,) * x.ndim
    return x[tuple(map(slice, starts, limits, strides))]


def dynamic_slice(params: Params, x: np.ndarray, *starts: np.ndarray) -> np.ndarray:
    sizes = params["slice_sizes"]
    return x[slices(clamped(starts, sizes, x.shape), sizes)]


def dynamic_update_slice(
    params: Params, x: np.ndarray, update: np.ndarray, *starts: np.ndarray
) -> np.ndarray:
    result = x.copy()
    result[slices(clamped(starts, update.shape, x.shape), update.shape)] = update
    return result


def pad(params: Params, x: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """With `padding` before, after and between the elements; less than 0 cuts off."""
    config = [tuple(map(int, each)) for each in params["padding_config"]]
    wide = [
        low + n + max(n - 1, 0) * inner + high
        for n, (low, high, inner) in zip(x.shape, config, strict=True)
    ]
    spread = [
        n + max(n - 1, 0) * inner
        for n, (_, _, inner) in zip(x.shape, config, strict=True)
    ]
    inside = np.full(spread, padding, x.dtype)
    inside[tuple(slice(None, None, inner + 1) for _, _, inner in config)] = x
    result = np.full(wide, padding, x.dtype)
    place, part = [], []
    for n, whole, (low, _, _) in zip(spread, wide, config, strict=True):
        first, last = max(low, 0), max(min(low + n, whole), max(low, 0))
        place.append(slice(first, last))
        part.append(slice(first - low, last - low))
    result[tuple(place)] = inside[tuple(part)]
    return result


def select_n(params: Params, which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    result = np.array(cases[0])
    for number, case in enumerate(cases[1:], 1):
        result = np.where(which == number, case, result)
    return result


def split(params: Params, x: np.ndarray) -> list[np.ndarray]:
    ends = np.cumsum(params["sizes"])[:-1]
    return np.split(x, [int(end) for end in ends], axis=params["axis"])


def iota(params: Params) -> np.ndarray:
    shape, axis = params["shape"], params["dimension"]
    column = [-1 if i == axis else 1 for i in range(len(shape))]
    numbers = np.arange(shape[axis]).astype(params["dtype"])
    return np.broadcast_to(numbers.reshape(column), shape)


MOVES: dict[str, Move] = {
    "broadcast_in_dim": broadcast_in_dim,
    "reshape": reshape,
    "transpose": lambda params, x: x.transpose(params["permutation"]),
    "squeeze": lambda params, x: np.squeeze(x, tuple(params["dimensions"])),
    "expand_dims": lambda params, x: np.expand_dims(x, tuple(params["dimensions"])),
    "slice": sliced,
    "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice,
    "concatenate": lambda params, *xs: np.concatenate(xs, params["dimension"]),
    "pad": pad,
    "rev": lambda params, x: np.flip(x, tuple(params["dimensions"])),
    "tile": lambda params, x: np.tile(x, params["reps"]),
    "select_n": select_n,
    "split": split,
    "copy": lambda params, x: x,
    "copy_p": lambda params, x: x,
    "stop_gradient": lambda params, x: x,
    "iota": iota,
    "optimization_barrier": lambda params, *xs: list(xs),
}
# Which operands are moved; the others say where to. All of them where nothing is said.
MOVED = {
    "select_n": slice(1, None),
    "dynamic_slice": slice(0, 1),
    "dynamic_update_slice": slice(0, 2),
}


def moved(name: str, params: Params, operands: Sequence[np.ndarray]) -> list[Any]:
    """What a primitive of `MOVES` makes of the operands, in arrays of its own."""
    result = MOVES[name](params, *operands)
    results = result if isinstance(result, list) else [result]
    return [np.array(each) for each in results]
