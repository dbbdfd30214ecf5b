"""Which input goes to which parameter of a function: by name, and where two functions call
their parameters differently, by position.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.parity_tests.functions import UnusableInput
from gradparity.parity_tests.functions.targets import Parameter, Target
from gradparity.parity_tests.functions.trees import Setting, Tree


@dataclass(frozen=True, eq=False)
class Match:
    """What a function is given.

    Args:
        taken: of every parameter that is given something, the name of the input.
        held: of a module's own parameters, the name of the input that takes its place.
        more: inputs that are given by position after these, or by name.
        idle: inputs that the function does not take.
    """

    taken: dict[str, str]
    held: dict[str, str]
    more: list[str]
    idle: list[str]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The inputs and the parameters that are called differently."""
        both = {**self.taken, **self.held}
        return [(name, own) for own, name in both.items() if name != own]


def match(target: Target, inputs: Mapping[str, Tree]) -> Match:
    """What a function is given of these inputs.

    Raises `UnusableInput` where a parameter goes without, or nobody can tell which input
    is meant for it.
    """
    if target.parameters is None:
        return Match({}, {}, list(inputs), [])
    taken = {p.name: p.name for p in target.parameters if p.name in inputs}
    held = {own: own for own in target.held if own in inputs}
    used = {*taken, *held}
    left = [name for name in inputs if name not in used]
    by_position, by_name = target.takes_more
    missing = [p for p in target.parameters if p.required and p.name not in taken]
    if missing:
        free = [
            p
            for p in target.parameters
            if p.name not in taken and p.positional and not p.setting
        ]
        found = dict(by_place(target, missing, free, left, inputs))
        taken |= found
        left = [name for name in left if name not in found.values()]
    elif by_position or by_name:
        return Match(taken, held, left, [])
    own = [name for name in target.held if name not in held]
    shapes = [np.shape(target.held[name]) for name in own]
    if own and [np.shape(inputs[name]) for name in left] == shapes:
        held |= dict(zip(own, left, strict=True))
        left = []
    return Match(taken, held, [], left)


def by_place(
    target: Target,
    missing: Sequence[Parameter],
    free: Sequence[Parameter],
    left: Sequence[str],
    inputs: Mapping[str, Tree],
) -> Iterator[tuple[str, str]]:
    """Yield parameters and the inputs that are left for them, in order.

    Raises `UnusableInput` unless there are as many as there can be.
    """
    if len(left) < len(missing):
        wanted = missing[len(left)].name
        raise UnusableInput(
            f"the input {wanted} is missing: {target.name} takes {target.signature}"
        )
    arrays = [name for name in left if not isinstance(inputs[name], Setting)]
    names = arrays if len(arrays) == len(missing) else list(left)
    places = list(missing) if len(names) == len(missing) else list(free)
    if target.held or len(names) > len(places):
        names, places = first_of(names, missing, inputs), list(missing)
    if not names:
        raise UnusableInput(
            f"{target.name} takes {target.signature}: nobody can tell which of "
            f"{', '.join(left)} is its {missing[0].name}"
        )
    yield from zip((p.name for p in places), names, strict=False)


def first_of(
    names: Sequence[str], missing: Sequence[Parameter], inputs: Mapping[str, Tree]
) -> list[str]:
    """The first of the names, for the parameters that have to be given something; none
    where they are not the first of all inputs.
    """
    found = [*names][: len(missing)]
    return found if found == [*inputs][: len(missing)] else []


def settings_of(targets: Sequence[Target]) -> set[str]:
    """The names of parameters that take a number or a word, and no array."""
    return {p.name for target in targets for p in target.parameters or () if p.setting}


def as_setting(value: Tree, parameters: Sequence[Parameter]) -> Tree:
    """A given number, or a few, as what the parameters of this name have by default."""
    if not isinstance(value, np.ndarray) or value.ndim > 1:
        return value
    (default, *_) = [p.default for p in parameters if p.setting]
    if value.ndim == 1:
        if not isinstance(default, tuple | list):
            return value
        parts = [plain(part) for part in value.tolist()]
        return Setting(tuple(parts) if isinstance(default, tuple) else parts)
    found = plain(value.item())
    if isinstance(default, float) and not isinstance(found, bool):
        found = float(found)
    return Setting(found)


def plain(number: Any) -> Any:
    """Whole numbers as integers."""
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return number
