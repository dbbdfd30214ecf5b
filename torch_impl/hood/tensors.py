"""Tensors as plain data: their values, their place in memory, and what to call them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

LETTERS = {"float": "f", "bfloat": "bf", "int": "i", "uint": "u", "complex": "c"}


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(part)


def array_of(tensor: Tensor | None) -> np.ndarray | None:
    """A copy (what NumPy has no dtype for, as float32); None if it cannot be read."""
    if tensor is None:
        return None
    known = (torch.float16, torch.float32, torch.float64)
    try:
        if tensor._is_zerotensor():  # which has no memory
            tensor = torch.zeros(tensor.shape, dtype=tensor.dtype)
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
        if tensor.is_floating_point() and tensor.dtype not in known:
            tensor = tensor.float()
        return tensor.clone().numpy()  # what NumPy has seen cannot be resized any more
    except (RuntimeError, TypeError):
        return None


def source_of(tensor: Tensor) -> Any:
    """Its place in autograd's graph, which is another once it was written to."""
    try:
        return get_gradient_edge(tensor) if tensor.requires_grad else None
    except (RuntimeError, AttributeError):  # inside torch.func it has none
        return None


def key_of(tensor: Tensor) -> Any:
    source = source_of(tensor)
    return source[:2] if source else id(tensor)


def place_of(tensor: Tensor) -> Any:
    """Where and how a tensor lies in memory."""
    try:
        return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
    except RuntimeError:  # it lies in no such way, as a sparse one
        return id(tensor)


def memory_of(tensor: Tensor) -> tuple[int, int]:
    """Where the memory that it lies in begins, and the number of its bytes."""
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except RuntimeError:
        return id(tensor), tensor.numel() * tensor.element_size()


def dtype_of(tensor: Tensor) -> str:
    """`f32[2, 3]`."""
    name = str(tensor.dtype).removeprefix("torch.")
    kind = name.rstrip("0123456789")
    return LETTERS.get(kind, kind) + name.removeprefix(kind) + str([*tensor.shape])


def as_text(value: Any, names: dict[Any, str]) -> str:
    """An argument as code; a tensor by its name, or else its dtype and shape."""
    if isinstance(value, Tensor):
        return names.get(place_of(value)) or dtype_of(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(as_text(part, names) for part in value)}]"
    return repr(value) if isinstance(value, str) else str(value).removeprefix("torch.")
