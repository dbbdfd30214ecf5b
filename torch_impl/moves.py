"""Operators that compute nothing, and what any meaning is written down with.

Whatever only moves elements is run on the numbers of the elements: that says where each of
its results comes from, and no rule is needed for each.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradparity.torch_impl.hood.tensors import tensors_in

Entry = tuple[str, list[Any], dict[str, Any], Any]
FIRST = 2.0**40  # elements are numbered from here on: no program's constant is as large

# What moves, chooses or repeats elements, and computes nothing.
MOVES = frozenset(
    {
        "_unsafe_view",
        "_reshape_alias",
        "alias",
        "as_strided",
        "cat",
        "clone",
        "constant_pad_nd",
        "copy",
        "copy_",
        "detach",
        "diagonal",
        "expand",
        "fill",
        "fill_",
        "flip",
        "gather",
        "im2col",
        "index",
        "index_put",
        "index_put_",
        "index_select",
        "lift",
        "lift_fresh",
        "masked_fill",
        "masked_fill_",
        "masked_select",
        "narrow",
        "permute",
        "pixel_shuffle",
        "repeat",
        "roll",
        "scatter",
        "scatter_",
        "select",
        "select_backward",
        "select_scatter",
        "slice",
        "slice_backward",
        "slice_scatter",
        "split",
        "split_with_sizes",
        "squeeze",
        "stack",
        "t",
        "take",
        "transpose",
        "tril",
        "triu",
        "unbind",
        "unfold",
        "unsqueeze",
        "view",
        "where",
        "zero_",
        "embedding",
        "reflection_pad1d",
        "reflection_pad2d",
        "replication_pad1d",
        "replication_pad2d",
        "_upsample_nearest_exact1d",
        "_upsample_nearest_exact2d",
        "_upsample_nearest_exact3d",
        "upsample_nearest1d",
        "upsample_nearest2d",
        "upsample_nearest3d",
        "unsafe_split",
        "split_copy",
    }
)


class Meaning:
    """The entries of one operator, which are added in order."""

    def __init__(self, numbers: Mapping[int, int]) -> None:
        self.numbers = numbers
        self.temporaries: dict[int, str] = {}
        self.entries: list[Entry] = []

    def operand(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            found = self.numbers.get(id(value))
            return self.temporaries[id(value)] if found is None else found
        return value if isinstance(value, str) else float(value)

    def __call__(self, operation: str, *operands: Any, **settings: Any) -> str:
        name = f"t{len(self.entries)}"
        given = [self.operand(each) for each in operands]
        self.entries.append((operation, given, settings, name))
        return name

    def returned(self, result: Any, number: Any) -> None:
        """What was computed as `result` is the value of this number."""
        if isinstance(result, str) and all(e[3] != number for e in self.entries):
            for position, entry in enumerate(self.entries):
                if entry[3] == result:
                    self.entries[position] = (*entry[:3], number)
                renamed = [number if x == result else x for x in entry[1]]
                self.entries[position] = (
                    self.entries[position][0],
                    renamed,
                    *self.entries[position][2:],
                )
        else:  # an operand, as it is
            shape = result.shape if isinstance(result, Tensor) else ()
            source = np.arange(math.prod(shape)).reshape(shape)
            settings = {"source": source, "fill": 0.0}
            self.entries.append(("move", [self.operand(result)], settings, number))


def name_of(func: Any) -> str:
    return str(func.name().partition("::")[2].partition(".")[0])


def moves(m: Meaning, func: Any, args: Any, kwargs: Any) -> Any:
    """The operator, run on numbers of elements: where each of its results comes from."""
    taken = [t for t in tensors_in((args, kwargs)) if t.is_floating_point()]
    if func._schema.is_mutable and name_of(func) in ("fill_", "zero_"):
        taken = taken[:1]
    start, numbered = FIRST, {}
    for tensor in taken:
        if id(tensor) not in numbered:
            count = torch.arange(tensor.numel(), dtype=torch.float64) + start
            numbered[id(tensor)] = count.reshape(tensor.shape)
            start += tensor.numel()
    found = func(*replaced(args, numbered), **replaced(kwargs, numbered))
    results: list[str | None] = []
    for result in tensors_in(found):
        if not result.is_floating_point():
            results.append(None)
            continue
        places = result.numpy()
        inside = (places >= FIRST) & (places < start)
        source = np.where(inside, np.where(inside, places, FIRST) - FIRST, -1)
        source = source.astype(np.int64)
        unique: dict[int, Any] = {id(t): t for t in taken}
        operands = [*unique.values()] or [0.0]
        fill = np.where(inside, 0.0, places)
        results.append(m("move", *operands, source=source, fill=fill))
    return results


def replaced(value: Any, by: Mapping[int, Tensor]) -> Any:
    """The same with other tensors in place of some; a copy, that can be written to."""
    if isinstance(value, Tensor):
        return by[id(value)].clone() if id(value) in by else value
    if isinstance(value, list | tuple):
        return type(value)(replaced(part, by) for part in value)
    if isinstance(value, dict):
        return {key: replaced(part, by) for key, part in value.items()}
    return value


def positions(view: Tensor, base: Tensor) -> np.ndarray | None:
    """For each element of a tensor, which of another's it is, that lies in the same
    memory, or -1; None where that cannot be told.
    """
    if view.dtype != base.dtype:
        return None
    own, of_base = lies_at(view), lies_at(base)
    order = np.argsort(of_base, axis=None)
    ranked = of_base.ravel()[order]
    if not ranked.size:
        return None
    found = np.searchsorted(ranked, own).clip(max=ranked.size - 1)
    return np.where(ranked[found] == own, order[found], -1)


def lies_at(tensor: Tensor) -> np.ndarray:
    places = np.full(tuple(tensor.shape), tensor.storage_offset(), np.int64)
    for axis, (size, stride) in enumerate(
        zip(tensor.shape, tensor.stride(), strict=True)
    ):
        shape = [1] * tensor.ndim
        shape[axis] = size
        places = places + (np.arange(size) * stride).reshape(shape)
    return places
