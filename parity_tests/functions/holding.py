"""The arrays that a function has of its own, handed to it in the dtype under test."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CellType, ModuleType
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.surroundings import LIBRARIES, names, reached
from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.implementations.user_supplied import packages

Binding = tuple[Any, str]  # what holds a value, and under which name
WIDTHS = ("float32", "float64")


@contextmanager
def handed_over(own: Sequence[Binding], dtype: str) -> Iterator[None]:
    """The block runs with the arrays of NumPy and JAX that a function has of its own in
    this dtype, where they have another one; they are put back afterwards.
    """
    before = []
    try:
        for where, name in own:
            old = held(where, name)
            new = converted(old, dtype)
            if new is not old:
                before.append((where, name, old))
                hold(where, name, new)
        yield
    finally:
        for where, name, old in reversed(before):
            hold(where, name, old)


def note(own: Sequence[Binding], name: str, dtype: str) -> list[str]:
    """A sentence, where there are such arrays."""
    if not any(is_another(held(*each), dtype) for each in own):
        return []
    return [f"{name} holds arrays of its own, which are handed to it in {dtype}"]


def bindings(function: Any) -> list[Binding]:
    """Where a function's own values are: the globals that its code names, its closures, and
    the attributes of objects; and the same of the functions of the user's that it calls.
    """
    found: list[Binding] = []
    for each in reached(function):
        if inspect.isfunction(each):
            if packages([each]) & LIBRARIES:
                continue
            around = each.__globals__
            found += [(around, name) for name in names(each.__code__) if name in around]
            found += [(cell, "") for cell in each.__closure__ or () if is_filled(cell)]
        elif not isinstance(each, ModuleType | Mapping) and not inspect.isclass(each):
            if packages([type(each)]) & LIBRARIES:
                continue
            own = getattr(each, "__dict__", None)
            found += [(own, name) for name in own] if isinstance(own, dict) else []
    return list({(id(where), name): (where, name) for where, name in found}.values())


def is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def held(where: Any, name: str) -> Any:
    return where.cell_contents if isinstance(where, CellType) else where.get(name)


def hold(where: Any, name: str, value: Any) -> None:
    if isinstance(where, CellType):
        where.cell_contents = value
    else:
        where[name] = value


def is_array(value: Any) -> bool:
    """Whether it is an array of NumPy's or JAX's, in float32 or float64."""
    ours = type(value) is np.ndarray or bool(packages([type(value)]) & {"jaxlib"})
    return ours and str(getattr(value, "dtype", "")) in WIDTHS


def is_another(value: Any, dtype: str) -> bool:
    """Whether it is an array in another dtype, or something that holds one."""
    if isinstance(value, list | tuple):
        return any(is_another(part, dtype) for part in value)
    if type(value) is dict:
        return any(is_another(part, dtype) for part in value.values())
    return is_array(value) and str(value.dtype) != dtype


def converted(value: Any, dtype: str) -> Any:
    """The same in this dtype; itself if that is nothing else."""
    if not is_another(value, dtype):
        return value
    if isinstance(value, list | tuple):
        parts = [converted(part, dtype) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if type(value) is dict:
        return {name: converted(part, dtype) for name, part in value.items()}
    array = np.asarray(value).astype(dtype)
    if isinstance(value, np.ndarray):
        return array
    return framework("jax").numpy.asarray(array)
