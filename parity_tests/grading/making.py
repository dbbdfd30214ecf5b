"""Makes an instance of a submission's class, whatever its constructor takes.

The book's layers are given their weights. One that makes its own is made with its sizes,
and then has ours put in their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.outcomes import Remark
from gradparity.parity_tests.grading.spelling import (
    is_size,
    places,
    small,
    spellings,
)

ndarray = np.ndarray
# What a constructor has that does not take a setting.
USUAL = {"stride": 1, "pad": 0, "momentum": 0.9}
# What both sides of a window are called where they are one.
SQUARE = spellings("size")
NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Unfit(Exception):
    """Nothing can be made of what a submission has; the message is a sentence."""


@dataclass(frozen=True, eq=False)
class Made:
    """An instance, the arrays that it was made of, and what is to be remarked on."""

    instance: Any
    held: dict[str, np.ndarray] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()


def takes(method: Any, arguments: int) -> bool:
    """Whether so many can be handed over, as far as the method tells."""
    try:
        signature(method).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # it has no signature
        return True
    return True


def parameters(function: Any) -> list[Parameter]:
    """Those that it tells of."""
    try:
        return list(signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def required(function: Any) -> list[Parameter]:
    """Those that have to be given."""
    return [
        each
        for each in parameters(function)
        if each.default is Parameter.empty
        and each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]


def call_by_name(function: Any, values: Mapping[str, Any]) -> Any:
    """The function, given these: by name where it has an argument for each that is called
    so, whatever their order, and otherwise in our order.
    """
    called: dict[str, Any] = {}
    open_ = [each.name for each in parameters(function) if each.kind in NAMED]
    for name, value in values.items():
        known = spellings(name)
        own = next((each for each in open_ if each == name), None)
        own = own or next((each for each in open_ if small(each) in known), None)
        if own is None:
            return function(*values.values())
        open_.remove(own)
        called[own] = value
    return function(**called)


def make(
    offered: Any, name: str, held: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> Made:
    """An instance that was made of these arrays and settings.

    Raises:
        Unfit: it cannot be made of them, nor of their sizes.
        Exception: what a constructor that takes them raised.
    """
    if not held and not settings:
        return without_use(offered, name)
    values = {**held, **as_it_takes(offered, settings)}
    if held and makes_its_own(offered):
        return with_ours(offered, name, held)
    try:
        return Made(call_by_name(offered, values), dict(held))
    except Exception:
        if of_its_own := of_sizes(offered, held, settings):
            return put_in(of_its_own, name, held)
        if not takes(offered, len(values)):
            raise refused(offered, name, [*held, *settings]) from None
        raise


def as_it_takes(offered: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as a constructor takes them: the share that is kept for that which is
    dropped, one size for two that are the same, and without those that it does not know,
    where they are what is usual.
    """
    found = dict(settings)
    names = [small(each.name) for each in parameters(offered)]
    if "dropout_ratio" in found and any(each.startswith("keep") for each in names):
        found["dropout_ratio"] = 1 - found["dropout_ratio"]
    window = [found.get(side) for side in ("pool_h", "pool_w")]
    if None not in window and len({*window}) == 1 and {*names} & {*SQUARE}:
        rest = {k: v for k, v in found.items() if k not in ("pool_h", "pool_w")}
        found = {"size": window[0]} | rest
    if any(each.kind is Parameter.VAR_KEYWORD for each in parameters(offered)):
        return found
    return {
        each: value
        for each, value in found.items()
        if USUAL.get(each) != value or {*names} & {*spellings(each)}
    }


def without_use(offered: Any, name: str) -> Made:
    """What takes no argument in the book; where one has to be given, None may do."""
    needless = [each.name for each in required(offered)]
    if not needless:
        return Made(offered())
    try:
        made = offered(*(None for _ in needless))
    except Exception:
        raise refused(offered, name, []) from None
    return Made(made, remarks=tuple(Remark("needless", each) for each in needless))


def makes_its_own(offered: Any) -> bool:
    """Whether what it must be given are how many inputs and outputs there are."""
    names = [each.name for each in required(offered)]
    return len(names) == 2 and {
        which for which in (0, 1) for each in names if is_size(each, which)
    } == {0, 1}


def with_ours(offered: Any, name: str, held: Mapping[str, np.ndarray]) -> Made:
    """One that makes its own weights, with ours in their place."""
    made = of_sizes(offered, held, {})
    if made is None:
        raise refused(offered, name, [*held])
    return put_in(made, name, held)


def of_sizes(
    offered: Any, held: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> Any:
    """What is made of the numbers of inputs and outputs, if it then has arrays of its own;
    or None.
    """
    first = next(iter(held), None)
    if first is None or held[first].ndim > 2:
        return None
    sizes, names = held[first].shape, [each.name for each in parameters(offered)]
    known = {
        each: value
        for setting, value in settings.items()
        for each in names
        if small(each) in spellings(setting)
    }
    try:
        if makes_its_own(offered):
            needed = [each.name for each in required(offered)]
            by_name = {each: sizes[0 if is_size(each, 0) else 1] for each in needed}
            made = offered(**by_name)
        else:
            made = offered(*sizes, **known)
    except Exception:
        return None
    return made if own_arrays(made, first, held) else None


def own_arrays(
    made: Any, name: str, held: Mapping[str, np.ndarray]
) -> list[tuple[Any, Any, np.ndarray]]:
    """Where an instance keeps an array: what it is kept in, the key there, and it."""
    found = (
        (holder, key, kept(holder, key))
        for holder, key in places(made, name, tuple(held))
    )
    return [each for each in found if isinstance(each[2], ndarray)]


def kept(holder: Any, key: Any) -> Any:
    return holder[key] if isinstance(holder, dict | list) else getattr(holder, key)


def put_in(made: Any, name: str, held: Mapping[str, np.ndarray]) -> Made:
    """Our numbers in the place of an instance's own: in its arrays, or instead of them
    where these are of another dtype.
    """
    used: dict[str, np.ndarray] = {}
    for each, ours in held.items():
        found = own_arrays(made, each, held)
        if not found:
            raise Unfit(f"`{name}` makes its own weights and keeps no array `{each}`")
        for holder, key, array in found:
            if without_ones(array.shape) != without_ones(ours.shape):
                raise Unfit(
                    f"`{name}` makes its own weights, and `{each}` has the shape "
                    f"{array.shape} where {ours.shape} is right"
                )
            if array.dtype == ours.dtype:
                array[...] = ours.reshape(array.shape)
                used[each] = array
                continue
            if each not in used:
                used[each] = ours.reshape(array.shape)
            if isinstance(holder, dict | list):
                holder[key] = used[each]
            else:
                setattr(holder, key, used[each])
    return Made(made, used, tuple(Remark("made", each) for each in held))


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def refused(offered: Any, name: str, expected: Sequence[str]) -> Unfit:
    """What was expected of a constructor, and what it takes."""
    own = ", ".join(map(str, parameters(offered)))
    return Unfit(
        f"`{name}` takes ({own}) where ({', '.join(expected)}) is expected, as in the book"
    )
