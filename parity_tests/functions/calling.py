"""Functions on the same inputs: in which framework each is written, which numbers are meant
as integers, and the flat function of arrays that a room's `record` takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import combinations

import numpy as np

from gradparity.parity_tests.functions import UnusableFunction, UnusableInput
from gradparity.parity_tests.functions.arguments import (
    Arguments,
    Call,
    running,
    seed,
    states,
)
from gradparity.parity_tests.functions.inputs import (
    Given,
    as_integers,
    cast,
    in_floats,
    turned,
)
from gradparity.parity_tests.functions.matching import as_setting, match, settings_of
from gradparity.parity_tests.functions.targets import Target
from gradparity.parity_tests.functions.trees import Tree, ends, mapped

MOST_TRIED = 4  # inputs of whole numbers, of which every choice is tried


@dataclass(frozen=True, eq=False)
class Prepared:
    """Functions that run on the same inputs.

    Args:
        targets: each written in one framework.
        inputs: trees by name, floats in float64: what `inputs.generic` and `flat` take.
        dout: what was given under this name, or None.
        fixed: what a module holds and another function does not take: that has its own
            numbers in their place, which are not moved.
        notes: sentences about how the inputs were taken.
    """

    targets: list[Target]
    inputs: dict[str, Tree]
    dout: Tree = None
    fixed: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


# --- Inputs that all of them take -------------------------------------------------------


def prepare(
    targets: Sequence[Target], given: Mapping[str, Given], dtype: str = "float64"
) -> Prepared:
    """Find out in which framework each function is written, and which whole numbers are
    meant as integers, by running them.

    Raises `UnusableInput` or `UnusableFunction`, with what the function said.
    """
    given = dict(given)
    takes_dout = any(
        has(each, "dout") for each in targets if "numpy" not in each.frameworks
    )
    dout = None if takes_dout else given.pop("dout", None)
    seeds = None if dout is None else cast(mapped(dout.tree, in_floats), "float64")
    first: Exception | None = None
    for inputs, notes in choices(targets, given):
        inputs = in_order(targets, with_settings(targets, inputs))
        inputs, more = with_parameters(targets, inputs)
        check_names(targets, given, inputs)
        try:
            found = settled_all(targets, inputs, dtype, seeds)
        except UnusableFunction as error:
            first = first or error
            if error.__cause__ is None:  # other numbers would not have helped
                break
            continue
        written_in = [call.target for call in found]
        notes += [*more, *not_taken(written_in, given, inputs)]
        notes += [said for call in found for said in not_repeated(call)]
        idle = {name for each in written_in for name in match(each, inputs).idle}
        fixed = frozenset(idle & {*inputs} - {*given})
        return Prepared(written_in, inputs, seeds, fixed, notes)
    assert first is not None
    raise first


def has(target: Target, name: str) -> bool:
    """Whether it has a parameter of this name."""
    return any(p.name == name for p in target.parameters or ())


def choices(
    targets: Sequence[Target], given: Mapping[str, Given]
) -> Iterator[tuple[dict[str, Tree], list[str]]]:
    """Yield the inputs with whole numbers as integers or floats: first as their names and
    annotations say, then otherwise, first one of them and at last all.
    """
    whole = [name for name, each in given.items() if each.whole]
    annotated = {p.name for each in targets for p in each.parameters or () if p.whole}
    usual = {
        name: as_integers(name, each, name in annotated) for name, each in given.items()
    }
    kinds = {name: "integers" for name in whole if are_integers(usual[name])}
    yield dict(usual), [said_of(name, kinds[name]) for name in kinds]
    sizes = range(1, len(whole) + 1) if len(whole) <= MOST_TRIED else [1, len(whole)]
    for size in sizes:
        for names in combinations(whole, size):
            others = {name: turned(given[name], usual[name]) for name in names}
            notes = [
                said_of(name, "integers" if are_integers(tree) else "floats")
                for name, tree in (usual | others).items()
                if name in names or name in kinds
            ]
            yield usual | others, notes


def said_of(name: str, kind: str) -> str:
    """How whole numbers were taken."""
    return f"{name} is taken as {kind}"


def are_integers(tree: Tree) -> bool:
    """Whether there are integers in it."""
    return any(
        isinstance(part, np.ndarray) and part.dtype.kind == "i"
        for _, part in ends(tree)
    )


def with_settings(
    targets: Sequence[Target], inputs: Mapping[str, Tree]
) -> dict[str, Tree]:
    """The inputs, those as numbers or words that some function takes as such."""
    found = dict(inputs)
    for name in settings_of(targets) & {*inputs}:
        every = [p for t in targets for p in t.parameters or () if p.name == name]
        found[name] = as_setting(found[name], every)
    return found


def in_order(targets: Sequence[Target], inputs: Mapping[str, Tree]) -> dict[str, Tree]:
    """The inputs in the order in which functions take them."""
    named = [p.name for target in targets for p in target.parameters or ()]
    order = dict.fromkeys([*(name for name in named if name in inputs), *inputs])
    return {name: inputs[name] for name in order}


def with_parameters(
    targets: Sequence[Target], inputs: Mapping[str, Tree]
) -> tuple[dict[str, Tree], list[str]]:
    """The inputs, and after them what modules hold, so that other functions can take it;
    and a sentence where two modules hold different numbers under one name.
    """
    found: dict[str, Tree] = {}
    differing: dict[str, str] = {}
    for target in targets:
        taken = match(target, inputs).held if target.held else {}
        for name, value in target.held.items():
            if name in taken:
                continue
            if name in found and not np.array_equal(found[name], value, equal_nan=True):
                differing[name] = f"{target.name} has numbers of its own in {name}"
            found.setdefault(name, value)
    own = {name: value for name, value in found.items() if name not in differing}
    return {**inputs, **own}, list(differing.values())


def check_names(
    targets: Sequence[Target], given: Mapping[str, Given], inputs: Mapping[str, Tree]
) -> None:
    """Raise `UnusableInput` where something was given that no function takes."""
    idle = [{*match(written(target), inputs).idle} for target in targets]
    for name in given:
        if all(name in each for each in idle):
            takes = "; ".join(f"{each.name} takes {each.signature}" for each in targets)
            raise UnusableInput(f"the input {name} is taken by no function: {takes}")


def written(target: Target) -> Target:
    """In the framework that is likeliest."""
    return target.written_in(target.framework)


def not_taken(
    targets: Sequence[Target], given: Mapping[str, Given], inputs: Mapping[str, Tree]
) -> list[str]:
    """Sentences about inputs that only some of the functions take."""
    found = []
    for target in targets:
        idle = [name for name in match(target, inputs).idle if name in given]
        if idle:
            found.append(f"{target.name} does not take {', '.join(idle)}")
    return found


def settled_all(
    targets: Sequence[Target], inputs: Mapping[str, Tree], dtype: str, dout: Tree
) -> list[Call]:
    """The functions as written in the first framework in which each runs: those that are
    handed `dout` at last, since that has the shape of what others return.
    """
    found: dict[int, Call] = {}
    for number in sorted(range(len(targets)), key=lambda n: has(targets[n], "dout")):
        target = targets[number]
        if found:
            shapes = next(iter(found.values())).shapes
            target = replace(target, likely=tuple(map(tuple, shapes)))
        found[number] = settled(target, inputs, dtype, dout)
    return [found[number] for number in range(len(targets))]


def settled(target: Target, inputs: Mapping[str, Tree], dtype: str, dout: Tree) -> Call:
    """The function as written in the first framework in which it runs.

    Raises `UnusableFunction` with what it said in the likeliest one.
    """
    first: UnusableFunction | None = None
    for name in target.frameworks:
        try:
            return flat(target.written_in(name), inputs, dtype, dout)
        except UnusableFunction as error:
            first = first or error
        except UnusableInput:  # in a framework that it is not written in, after all
            if first is None:
                raise
    assert first is not None
    raise first


def not_repeated(call: Call) -> Iterator[str]:
    """Yield a sentence if the function gives other numbers each time, though it is seeded.
    Of JAX it is asked whether it is another program: it draws none that it is not handed.
    """
    room = import_module(
        f"gradparity.parity_tests.functions.on_{call.target.framework}"
    )
    with running(call.target), np.errstate(all="ignore"):
        first, second = room.numbers(call), room.numbers(call)
    for one, other in zip(first, second, strict=True):
        if not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            yield (
                f"{call.target.name} gives other numbers each time: it keeps something "
                "from call to call, or draws random numbers that nobody can seed"
            )
            return


# --- A function of arrays ---------------------------------------------------------------


def flat(
    target: Target,
    inputs: Mapping[str, Tree],
    dtype: str = "float64",
    dout: Tree = None,
) -> Call:
    """The function on these inputs, after it has been run once.

    Raises `UnusableFunction` with what it said, `UnusableInput` where inputs do not go
    with its parameters.
    """
    arguments = Arguments(target, cast(dict(inputs), dtype), dtype)
    room = import_module(f"gradparity.parity_tests.functions.on_{target.framework}")
    seeds = None
    if dout is not None:
        seeds = [part for _, part in ends(cast(dout, dtype))]
    with running(target):
        seed()
        before = states()
        call: Call = room.call(arguments, seeds)
        call.random = states() != before
    call.matched = arguments.match.pairs
    check_seeds(call)
    return call


def check_seeds(call: Call) -> None:
    """Raise `UnusableInput` where what was given as dout fits no output."""
    if call.seeds is None:
        return
    shapes = [each.shape for each in call.seeds if each is not None]
    if shapes != call.shapes:
        raise UnusableInput(
            f"the input dout must have the shape of what {call.target.name} returns, "
            f"{' and '.join(map(str, call.shapes))}, got {' and '.join(map(str, shapes))}"
        )
