"""Where the elements of an array come from, for whatever only copies and selects.

An operation that moves elements is run a second and a third time, on arrays that hold
the numbers of their own elements: what comes out says which element went where. Two such
runs tell what moved from what is a constant, and from what was computed.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Call = Callable[..., Any]
Moves = tuple[np.ndarray, Any]


def tree_map(leaf: Callable[[Any], Any], tree: Any) -> Any:
    """The tuples, lists, dictionaries and slices of `tree`, with `leaf` of all else."""
    if type(tree) in (tuple, list):
        return type(tree)([tree_map(leaf, part) for part in tree])
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(tree_map(leaf, part) for part in tree))
    if type(tree) is dict:
        return {name: tree_map(leaf, part) for name, part in tree.items()}
    if type(tree) is slice:
        ends = (tree.start, tree.stop, tree.step)
        return slice(*(tree_map(leaf, end) for end in ends))
    return leaf(tree)


def leaves_of(tree: Any) -> Iterator[Any]:
    """All that `tree_map` calls a leaf, in the same order."""
    found: list[Any] = []
    tree_map(found.append, tree)
    yield from found


def is_floating(array: Any) -> bool:
    """Whether this is an array of real floating-point numbers."""
    return isinstance(array, np.ndarray) and array.dtype.kind == "f"


def same(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether two arrays are the same bit for bit, or number for number where there is
    no integer of that size.
    """
    if (x.shape, x.dtype) != (y.shape, y.dtype):
        return False
    if x.dtype.itemsize <= 8:
        bits = f"i{x.dtype.itemsize}"
        return bool((x.view(bits) == y.view(bits)).all())
    return np.array_equal(x, y, equal_nan=True)


def moves(
    call: Call,
    tree: Any,
    result: np.ndarray,
    part: Callable[[Any], Any] = lambda result: result,
) -> Moves | None:
    """The source and the fill of a move that takes the floating-point arrays in `tree`
    to `result`, or None where `call` does more than to move.

    Args:
        call: what was run; it is run again, twice, on trees of numbers.
        tree: its arguments, arrays without a subclass.
        result: what it gave for them.
        part: which of the things that `call` gives is meant.
    """
    arrays = [leaf for leaf in leaves_of(tree) if is_floating(leaf)]
    total = sum(array.size for array in arrays)
    with np.errstate(all="ignore"):
        try:
            first, second = (
                np.asarray(part(call(numbered(tree, start))), np.float64)
                for start in (1, 1 + total)
            )
        except (TypeError, ValueError, IndexError):
            return None
        if first.shape != result.shape or second.shape != result.shape:
            return None
        moved = (second - first == total) & (total > 0)
    constant = (first == second) | (np.isnan(first) & np.isnan(second))
    if not (moved | constant).all():
        return None
    source = np.where(moved, first - 1, -1).astype(np.int64)
    fill = np.where(moved, 0, result).astype(result.dtype)
    every = [array.astype(result.dtype).ravel() for array in arrays]
    if not same(apply(every, source, fill), result):
        return None
    return source, fill if fill.any() else 0.0


def numbered(tree: Any, start: int) -> Any:
    """The tree with the numbers of the elements, from `start` on, in place of those of
    its floating-point arrays. They lie in memory as the arrays do.
    """
    after = start

    def numbers(leaf: Any) -> Any:
        nonlocal after
        if not is_floating(leaf):
            return leaf
        found = np.empty_like(leaf, np.float64, subok=False)
        found[...] = np.arange(after, after + leaf.size).reshape(leaf.shape)
        after += leaf.size
        return found

    return tree_map(numbers, tree)


def apply(arrays: list[np.ndarray], source: np.ndarray, fill: Any) -> np.ndarray:
    """What a move makes of arrays of one dtype."""
    every = np.concatenate([*(array.ravel() for array in arrays), np.zeros(1)])
    dtype = arrays[0].dtype if arrays else np.asarray(fill).dtype
    return np.where(source < 0, fill, every[source]).astype(dtype)


def source_of_view(owner: np.ndarray, view: np.ndarray) -> np.ndarray | None:
    """For each element of a view, its number among the elements of the array that owns
    the memory; None where the two do not have their elements in the same places.
    """
    size = owner.itemsize
    low, high = np.lib.array_utils.byte_bounds(owner)
    offsets = (address(view) - low, address(owner) - low)
    strides = (*view.strides, *owner.strides)
    if view.dtype != owner.dtype or any(n % size for n in (*offsets, *strides)):
        return None
    memory = np.full((high - low) // size, -1)
    laid = [
        np.ndarray(
            array.shape,
            memory.dtype,
            buffer=memory.data,
            offset=offset // size * memory.itemsize,
            strides=[n // size * memory.itemsize for n in array.strides],
        )
        for array, offset in zip((view, owner), offsets, strict=True)
    ]
    laid[1][...] = np.arange(owner.size).reshape(owner.shape)
    source = laid[0].copy()
    return None if (source < 0).any() else source


def address(array: np.ndarray) -> int:
    """Where the first element of an array is."""
    return int(array.__array_interface__["data"][0])
