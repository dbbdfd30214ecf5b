"""Functions of one's own side by side: in one row stands what comes to the same value.

Whether two values are the same is decided as in `compare`: on the numbers given and on
generic ones, both in float64, within what rounding can do. What is shown is the run on the
numbers given, in the dtype that was asked for. What comes to no value of the others stands
in the row of the value that it leads to; or, where it leads to none, in a row of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property

import numpy as np

from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.parting import Side, near, same_layout, sides
from gradparity.parity_tests.functions.programs import Executed, Recording
from gradparity.reports.explain.aligned import PHASES, Row
from gradparity.reports.explain.recorded import Hooded, Part


@dataclass(frozen=True, eq=False)
class Column:
    """A function with what it was judged by.

    Args:
        part: the function as it ran.
        judged: its runs in float64, on the numbers given and on generic ones.
    """

    part: Part
    judged: Sequence[Judged]

    @property
    def recording(self) -> Recording:
        return self.part.recording

    @cached_property
    def side(self) -> Side:
        """On all numbers on which it takes the same steps."""
        return sides([(judged, judged) for judged in self.judged])[0]

    @cached_property
    def wide(self) -> dict[int, int]:
        """For each value of the run that is shown which one it is in float64."""
        return same_values(self.recording, self.judged[0].recording)

    @cached_property
    def makes(self) -> dict[int, list[int]]:
        """For each step that comes to a value of its own, the numbers of its results: the
        first, and all that are outputs or gradients. What only lays out another value
        otherwise comes to none.
        """
        found: dict[int, list[int]] = {}
        ends = {*self.recording.outputs, *self.recording.gradients}
        for step in self.recording.executed:
            values = self.recording.values
            floats = [n for n in step.results if values[n].dtype.kind == "f"]
            floats = [n for n in floats if values[n].size]
            if floats and not self.lays_out(step):
                found[step.number] = [n for n in floats if n in {floats[0], *ends}]
        return found

    def lays_out(self, step: Executed) -> bool:
        """Whether its result is the only operand, made in the same phase, in another
        shape.
        """
        if not step.moves or len(step.operands) != 1 or len(step.results) != 1:
            return False
        maker = self.recording.makers.get(step.operands[0])
        if maker is None or maker.phase != step.phase:
            return False
        one, other = self.wide.get(step.operands[0]), self.wide.get(step.results[0])
        if one is None or other is None:
            return False
        return same_layout(self.side, one, self.side, other)


def same_values(one: Recording, other: Recording) -> dict[int, int]:
    """Which value of one run is which of another of the same function: they are made by
    the same operators in the same order, as far as they are.
    """
    found: dict[int, int] = {}
    for own, theirs in (
        (one.inputs, other.inputs),
        (one.seeds, other.seeds),
        (one.outputs, other.outputs),
        (one.gradients, other.gradients),
    ):
        pairs = zip(own, theirs, strict=True)
        found |= {a: b for a, b in pairs if a is not None and b is not None}
    for a, b in same_steps(one, other).items():
        results = one.executed[a].results, other.executed[b].results
        if len(results[0]) == len(results[1]):
            found |= zip(*results, strict=True)
    return found


def same_steps(one: Recording, other: Recording) -> dict[int, int]:
    """Which step of one run of a function is which of another."""
    own, theirs = ([step.operator for step in run.executed] for run in (one, other))
    matcher = SequenceMatcher(a=own, b=theirs, autojunk=False)
    return {
        a + i: b + i
        for a, b, size in matcher.get_matching_blocks()
        for i in range(size)
    }


@dataclass(eq=False)
class Place:
    """A row in the making: which steps stand in it, by the key of their function."""

    phase: str
    does: dict[str, list[int]] = field(default_factory=dict)

    def add(self, column: Column, step: Executed) -> None:
        self.does.setdefault(column.part.key, []).append(step.number)


def rows(columns: Sequence[Column], only: str) -> list[Row]:
    """The rows: the first for what is given, then those of forward and of backward.

    Args:
        columns: the functions, of which the first gives the order.
        only: the title of a row in which one function stands alone.
    """
    places = [place for phase in PHASES for place in placed(columns, phase)]
    first = given(columns)
    found = [row(n, place, columns, only) for n, place in enumerate(places, 1)]
    for column in columns:
        key = column.part.key
        by_step = {
            number: row
            for place, row in zip(places, found, strict=True)
            for number in place.does.get(key, ())
        }
        remember(column, first, by_step)
    return [first, *found]


def given(columns: Sequence[Column]) -> Row:
    """What is there before anything runs."""
    names: dict[str, None] = {}
    for column in columns:
        numbers = [*column.recording.inputs, *column.recording.seeds]
        names |= dict.fromkeys(column.part.names[n] for n in numbers if n is not None)
    return Row("inputs", [], ", ".join(names))


def row(number: int, place: Place, columns: Sequence[Column], only: str) -> Row:
    """What stands in a place, as code."""
    found = Row(place.phase, [], str(number))
    for column in columns:
        part, executed = column.part, column.recording.executed
        if steps := place.does.get(part.key):
            found.does[part.key] = [part.code(executed[n]) for n in sorted(steps)]
            alone = part.name
    if len(found.does) == 1 < len(columns):
        found.title = only.format(number, alone)
    return found


def placed(columns: Sequence[Column], phase: str) -> list[Place]:
    """The rows of a phase."""
    base, *others = columns
    found: list[Place] = []
    where: dict[int, Place] = {}  # by step of the first
    known = equals(base, base)
    for step in steps_of(base, phase):
        if step.number not in base.makes:
            continue
        place = first_of(base, known, base.makes[step.number], where)
        if place is None:
            place = Place(phase)
            found.append(place)
        where[step.number] = place
        place.add(base, step)
    add_rest(base, phase, where, found)
    for other in others:
        theirs: dict[int, Place] = {}
        known, back = equals(other, base), equals(base, other)
        # Of what computes several values at once, the other must have all.
        shared = {n: p for n, p in where.items() if whole(base.makes.get(n, []), back)}
        for step in steps_of(other, phase):
            place = first_of(base, known, other.makes.get(step.number, []), shared)
            if place is not None:
                theirs[step.number] = place
                place.add(other, step)
        add_rest(other, phase, theirs, found)
    return found


def steps_of(column: Column, phase: str) -> Iterator[Executed]:
    return (step for step in column.recording.executed if step.phase == phase)


def equals(one: Column, other: Column) -> dict[int, list[int]]:
    """For each value of one those of the other that are the same element by element."""
    own, theirs = sides([*zip(one.judged, other.judged, strict=True)])
    wide = {
        number: [c for c in candidates if same_layout(own, number, theirs, c)]
        for number, candidates in near(own, theirs)
    }
    back: dict[int, list[int]] = {}
    for number, there in other.wide.items():
        back.setdefault(there, []).append(number)
    return {
        number: [n for c in wide.get(there, ()) for n in back.get(c, ())]
        for number, there in one.wide.items()
    }


def whole(made: Sequence[int], known: Mapping[int, Sequence[int]]) -> bool:
    """Whether each of these values is known, and there is one."""
    return bool(made) and all(known.get(value) for value in made)


def first_of(
    base: Column,
    known: Mapping[int, Sequence[int]],
    made: Sequence[int],
    where: Mapping[int, Place],
) -> Place | None:
    """The place in which the first function makes one of these values, if it has all."""
    makers = base.recording.makers
    for value in made if whole(made, known) else ():
        for same in known[value]:
            maker = makers.get(same)
            if maker and maker.number in where and same in base.makes[maker.number]:
                return where[maker.number]
    return None


def add_rest(
    column: Column, phase: str, where: dict[int, Place], places: list[Place]
) -> None:
    """Find a place for the steps that have none: that of the value which they lay out, or
    lead to; or else one of their own, behind that of the step before.
    """
    makers = column.recording.makers

    def put(step: Executed, place: Place) -> None:
        where[step.number] = place
        place.add(column, step)

    def lead(step: Executed, through: bool) -> None:
        """Put what leads to a step beside it, through steps that make values or not."""
        todo = [*step.operands]
        while todo:
            maker = makers.get(todo.pop())
            if maker is None or maker.phase != phase or maker.number in where:
                continue
            if through or maker.number not in column.makes:
                put(maker, where[step.number])
                todo += maker.operands

    def lay_out() -> None:
        for step in steps_of(column, phase):
            if step.number not in where and column.lays_out(step):
                maker = makers[step.operands[0]].number
                if maker in where:
                    put(step, where[maker])

    lay_out()
    for step in [s for s in steps_of(column, phase) if s.number in where]:
        lead(step, through=True)

    def behind(last: Place | None) -> int:
        """Where the next row of this function comes: behind those of others alone."""
        index = 0 if last is None else places.index(last) + 1
        while index < len(places) and column.part.key not in places[index].does:
            index += 1
        return index

    for makes in (True, False):
        last: Place | None = None
        for step in steps_of(column, phase):
            if step.number not in where and (step.number in column.makes) == makes:
                place = Place(phase)
                places.insert(behind(last), place)
                put(step, place)
                lead(step, through=False)
            last = where.get(step.number, last)
        lay_out()


def remember(column: Column, first: Row, by_step: Mapping[int, Row]) -> None:
    """Tell of every array that is kept which step it comes from."""
    part = column.part
    if not isinstance(part.hooded, Hooded):
        return
    makers, inputs = column.recording.makers, {*column.recording.inputs}
    for saved in part.hooded.kept:
        value = np.asarray(saved["value"])
        alike = [
            number
            for number, own in enumerate(column.recording.values)
            if (own.dtype, own.shape) == (value.dtype, value.shape)
            and own.tobytes() == value.tobytes()
        ]
        steps = [] if inputs & {*alike} else [makers[n] for n in alike if n in makers]
        at = [s for s in steps if s.where == saved["where"]] or steps
        if not alike and saved["where"]:
            every = column.recording.executed
            at = [step for step in every if step.where == saved["where"]]
        forward = [step for step in at if step.phase == "forward"]
        found = by_step.get(forward[0].number, first) if forward else first
        found.keeps.setdefault(part.key, []).append(saved)
