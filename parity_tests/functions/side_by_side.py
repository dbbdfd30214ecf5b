"""Two programs side by side: each step of one in a row with the step of the other that
makes the same value.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from gradparity.parity_tests.functions.parting import (
    Parting,
    Side,
    counterparts,
    inputs_of,
)
from gradparity.parity_tests.functions.programs import Executed

Classes = dict[int, int]


@dataclass(frozen=True)
class Row:
    """A step of one program beside the one of the other that belongs to it.

    Args:
        one, other: the steps; None where a program has none there.
        same: whether both make the same value. Two that do not are where the programs
            part: the first of either that differs.
        twin: of a step that stands alone, the one of the other program that makes the
            same value elsewhere; None where there is none.
    """

    one: Executed | None
    other: Executed | None
    same: bool
    twin: Executed | None = None

    @property
    def phase(self) -> str:
        step = self.one or self.other
        assert step is not None
        return step.phase


def rows(
    one: Side, other: Side, parted: tuple[Parting, Parting] | None = None
) -> list[Row]:
    """All steps of two programs side by side, forward and then backward.

    Those of one stand in the order in which they ran; those of the other in an order in
    which they could have run, so that what makes the same value stands beside it.
    `parted` says where they part, if they do.
    """
    classes = alike_values(one, other)
    suspects = [each.suspects for each in parted or ()]
    wrong = {id(step) for each in suspects for step in each}
    firsts = [each.steps[0] for each in parted or () if each.steps]
    meet = len(firsts) == 2 and firsts[0].phase == firsts[1].phase
    found: list[Row] = []
    for phase in ("forward", "backward"):
        own, theirs = (
            [step for step in side.recording.executed if step.phase == phase]
            for side in (one, other)
        )
        partners = beside(own, theirs, classes, wrong)
        if meet and firsts[0].phase == phase:
            partners[firsts[0].number] = firsts[1]
        found += merged(own, theirs, partners, other.recording.makers, wrong)
    makers = first_makers(one, classes[0]), first_makers(other, classes[1])
    return [with_twin(row, classes, makers, wrong) for row in found]


def alike_values(one: Side, other: Side) -> tuple[Classes, Classes]:
    """For the values of either, which are the same: the same whole number for them, in
    both. What is no floating-point number is the same if it is so element by element.
    """
    there, back = counterparts(one, other), counterparts(other, one)
    there |= dict(inputs_of(one, other))
    pairs = [*there.items(), *((n, m) for m, n in back.items())]
    whole = {exact(other, n): n for n in range(len(other.recording.values))[::-1]}
    for number, value in enumerate(one.recording.values):
        if value.dtype.kind != "f" and (found := whole.get(exact(one, number))):
            pairs.append((number, found))
    links = [((0, number), (1, found)) for number, found in pairs]
    for which, program in enumerate((one, other)):
        links += [((which, a), (which, b)) for a, b in moved(program)]
    root: dict[tuple[int, int], tuple[int, int]] = {}

    def end(of: tuple[int, int]) -> tuple[int, int]:
        while (up := root.setdefault(of, of)) != of:
            of = up
        return of

    for first, second in links:
        root[end(first)] = end(second)
    numbers = {each: n for n, each in enumerate(dict.fromkeys(map(end, [*root])))}
    classes: tuple[Classes, Classes] = {}, {}
    for side, number in root:
        classes[side][number] = numbers[end((side, number))]
    return classes


def moved(side: Side) -> Iterator[tuple[int, int]]:
    """Values that are others in another shape or order, with these."""
    for step in side.recording.executed:
        if step.moves and len(step.operands) == len(step.results) == 1:
            pairs = zip(
                *map(side.distinct, (*step.operands, *step.results)), strict=True
            )
            if all(np.array_equal(a, b, equal_nan=True) for a, b in pairs):
                yield step.operands[0], step.results[0]


def exact(side: Side, number: int) -> tuple[object, ...]:
    """What two values have in common that are the same, bit by bit."""
    values = side.values(number)
    return (values[0].dtype.kind, values[0].shape, *(v.tobytes() for v in values))


def beside(
    own: Sequence[Executed],
    theirs: Sequence[Executed],
    classes: tuple[Classes, Classes],
    wrong: Container[int],
) -> dict[int, Executed]:
    """For steps of one, by their numbers, the ones of the other that make the same value:
    out of the same if possible, or at least not one by computing it and the other by
    moving elements.
    """
    partners: dict[int, Executed] = {}
    taken: set[int] = set()
    for care in range(3)[::-1]:
        free: dict[tuple[object, ...], list[Executed]] = {}
        for step in theirs:
            if id(step) not in wrong:
                for key in keys(step, classes[1], care):
                    free.setdefault(key, []).append(step)
        for step in own:
            if id(step) in wrong or step.number in partners:
                continue
            found = [s for k in keys(step, classes[0], care) for s in free.get(k, ())]
            left = [s for s in found if s.number not in taken]
            if left:
                partners[step.number] = left[0]
                taken.add(left[0].number)
    return partners


def keys(step: Executed, classes: Classes, care: int) -> Iterator[tuple[object, ...]]:
    """What two steps have in common that belong together; with more care, more of it."""
    operands = sorted(classes.get(number, -1) for number in step.operands)
    how = (step.moves, operands)[:care]
    for number in step.results:
        if number in classes:
            yield classes[number], repr(how)


def merged(
    own: Sequence[Executed],
    theirs: Sequence[Executed],
    partners: Mapping[int, Executed],
    makers: Mapping[int, Executed],
    wrong: Container[int],
) -> list[Row]:
    """Both in rows. A step whose partner needs what only comes later stands alone."""
    found: list[Row] = []
    left = {step.number: step for step in theirs}
    promised = {step.number for step in partners.values()}

    def needed(step: Executed) -> list[int]:
        """What has to come before it, and has not yet."""
        seen: set[int] = set()
        todo = [step]
        while todo:
            for number in todo.pop().operands:
                maker = makers.get(number)
                if maker and maker.number in left and maker.number not in seen:
                    seen.add(maker.number)
                    todo.append(maker)
        return sorted(seen)

    def put(numbers: Iterable[int]) -> None:
        found.extend(Row(None, left.pop(number), False) for number in numbers)

    for step in own:
        partner = partners.get(step.number)
        if partner is not None:
            promised.discard(partner.number)
            first = needed(partner)
            if promised.isdisjoint(first):
                put(first)
                for number in [*takewhile(partner.number.__gt__, left)]:
                    if number not in promised and not needed(left[number]):
                        put([number])
                del left[partner.number]
                found.append(Row(step, partner, id(step) not in wrong))
                continue
        found.append(Row(step, None, False))
    put([*left])
    return found


def first_makers(side: Side, classes: Classes) -> dict[int, Executed]:
    """For each class of values, the first step that makes one."""
    found: dict[int, Executed] = {}
    for step in side.recording.executed:
        for number in step.results:
            if number in classes:
                found.setdefault(classes[number], step)
    return found


def with_twin(
    row: Row,
    classes: tuple[Classes, Classes],
    makers: tuple[dict[int, Executed], dict[int, Executed]],
    wrong: Container[int],
) -> Row:
    """The row, with the step of the other program that makes the same value elsewhere."""
    step = row.one or row.other
    if step is None or (row.one and row.other) or id(step) in wrong:
        return row
    side = 0 if row.one else 1
    known = [classes[side][n] for n in step.results if n in classes[side]]
    twins = [makers[1 - side][each] for each in known if each in makers[1 - side]]
    return replace(row, twin=twins[0]) if twins else row
