"""Where two programs part: the first step whose operands the other one has, too, and whose
result it has not.

Nothing is matched by name. No two of the numbers are alike by chance, so a value of one
program that the other has as well, in whatever order or shape, is the same value; it has to
be so on all numbers that were tried, the user's own and the generic ones. Two programs
that are written differently have values that only one of them has. What is looked for is
therefore traced back from the results that differ: through values that the other lacks, to
where it has all that went in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.programs import Executed, Recording

LEAST, MOST = 8 * 2.0**-53, 1e-9  # of the largest element: what counts as equal
UNKNOWN = 1e-11  # the same where there is no bound
ALLOCATES = ("zeros_like", "ones_like", "full_like", "empty_like")


@dataclass(frozen=True)
class Parting:
    """Where one of the two parts from the other.

    Args:
        steps: the first that differ, in order: those whose operands the other has.
        common: the steps before, each with the one of the other program that makes the
            same value; None where it makes it out of others.
        suspects: all that lie between there and the results that differ, and whose own
            results the other has not.
    """

    steps: list[Executed]
    common: list[tuple[Executed, Executed | None]]
    suspects: list[Executed]

    @property
    def after(self) -> int:
        """How many steps follow from the first."""
        return max(len(self.suspects) - len(self.steps[:1]), 0)


@dataclass(frozen=True, eq=False)
class Side:
    """A program on several lots of numbers, step by step the same."""

    judged: Sequence[Judged]

    @property
    def recording(self) -> Recording:
        return self.judged[0].recording

    def values(self, number: int) -> list[np.ndarray]:
        return [each.recording.values[number] for each in self.judged]

    def tolerance(self, number: int) -> list[float]:
        """How far rounding may have taken any element of a value."""
        if number not in self.rooms:
            self.rooms[number] = [room(judged, number) for judged in self.judged]
        return self.rooms[number]

    @cached_property
    def rooms(self) -> dict[int, list[float]]:
        return {}

    @cached_property
    def floats(self) -> list[int]:
        values = self.recording.values
        return [n for n, v in enumerate(values) if v.dtype.kind == "f" and v.size]

    @cached_property
    def marks(self) -> np.ndarray:
        """For each value what no order, shape or repetition changes: its extremes, and
        whether it is finite.
        """
        rows = []
        for number in self.floats:
            row: list[float] = []
            for value in self.values(number):
                finite = value[np.isfinite(value)].astype(np.float64)
                if finite.size:
                    row += [finite.min(), finite.max(), finite.size == value.size]
                else:
                    row += [0.0, 0.0, False]
            rows.append(row)
        return np.array(rows).reshape(len(self.floats), -1)

    @cached_property
    def tolerances(self) -> np.ndarray:
        """Those of the marks."""
        rows = [
            [t for most in self.tolerance(number) for t in (most, most, 0.0)]
            for number in self.floats
        ]
        return np.array(rows).reshape(len(self.floats), -1)

    @cached_property
    def hidden(self) -> "list[Hidden]":
        """What fused operators make on the way, by what they are known to compute."""
        found = []
        for step in self.recording.executed:
            for entry in step.meaning or ():
                name = f"{step.number}.{entry[3]}"
                made = [judged.whole.get(name) for judged in self.judged]
                if isinstance(entry[3], str) and all(
                    m and np.size(m.value) for m in made
                ):
                    values = [np.asarray(m.value) for m in made if m]
                    rooms = [
                        room_of(v, m.error)
                        for v, m in zip(values, made, strict=True)
                        if m
                    ]
                    found.append(Hidden(step.number, [*map(np.unique, values)], rooms))
        return found

    def inside(self, other: "Side", number: int) -> Executed | None:
        """The operator that makes another program's value on the way to its results. What
        outputs come of there has to come of an operator that outputs come of.
        """
        leads = other.recording.leads(number)
        for each in self.hidden:
            if (each.step in self.recording.leading or not leads) and each.is_in(
                other, number
            ):
                return self.recording.executed[each.step]
        return None

    @cached_property
    def sorted(self) -> dict[int, list[np.ndarray]]:
        return {}

    def distinct(self, number: int) -> list[np.ndarray]:
        """The elements in order, each once."""
        if number not in self.sorted:
            self.sorted[number] = [np.unique(value) for value in self.values(number)]
        return self.sorted[number]


@dataclass(frozen=True, eq=False)
class Hidden:
    """A value that a fused operator makes on the way to its results: on each lot of
    numbers, its elements in order, each once, and how far rounding may have taken any.

    Args:
        step: which of the steps it is in.
        lots, rooms: the elements, and the room for rounding.
    """

    step: int
    lots: list[np.ndarray]
    rooms: list[float]

    def is_in(self, side: Side, number: int) -> bool:
        """Whether a value of a program is this one, in whatever order or shape."""
        rooms = zip(self.rooms, side.tolerance(number), strict=True)
        room = [a + b for a, b in rooms]
        every = zip(self.lots, side.distinct(number), room, strict=True)
        return all(
            len(a)
            and len(b)
            and close(a[[0, -1]], b[[0, -1]], most)
            and alike(a, b, most)
            for a, b, most in every
        )


def room(judged: Judged, number: int) -> float:
    """How far rounding may have taken any element of a value: by its bound, if it has one,
    within what can be told apart.
    """
    return room_of(judged.recording.values[number], judged.error(number))


def room_of(value: np.ndarray, error: np.ndarray | None) -> float:
    size = float(np.max(np.abs(value), initial=0, where=np.isfinite(value)))
    if error is None or not np.isfinite(error).all():
        return UNKNOWN * size
    return float(np.clip(np.max(error, initial=0), LEAST * size, MOST * size))


def sides(pairs: Sequence[tuple[Judged, Judged]]) -> tuple[Side, Side]:
    """The two programs on all numbers on which both take the same steps; on the first
    alone, if there are no others.
    """
    first = pairs[0]

    def alike(pair: tuple[Judged, Judged]) -> bool:
        return all(
            [s.operator for s in own.recording.executed]
            == [s.operator for s in other.recording.executed]
            for own, other in zip(pair, first, strict=True)
        )

    kept = [first, *(pair for pair in pairs[1:] if alike(pair))]
    one, other = zip(*kept, strict=True)
    return Side(one), Side(other)


def near(one: Side, other: Side) -> Iterator[tuple[int, list[int]]]:
    """Yield each value of one with those of the other that have the same extremes."""
    if not one.floats or not other.floats:
        return
    own, theirs = one.marks, other.marks
    for i, number in enumerate(one.floats):
        room = one.tolerances[i] + other.tolerances
        alike = (np.abs(theirs - own[i]) <= room).all(axis=1)
        yield number, [other.floats[j] for j in np.flatnonzero(alike)]


def counterparts(one: Side, other: Side) -> dict[int, int]:
    """For each value of one that the other has, too, which it is there."""
    found: dict[int, int] = {}
    for number, candidates in near(one, other):
        # First one that outputs come of, too, and of these one that lies in the same way.
        shape, leads = one.values(number)[0].shape, one.recording.leads(number)
        candidates.sort(
            key=lambda n, shape=shape, leads=leads: (  # type: ignore[misc]
                other.recording.leads(n) != leads,
                other.values(n)[0].shape != shape,
            )
        )
        for candidate in candidates:
            if same_value(one, number, other, candidate):
                found[number] = candidate
                break
    return found


def same_value(one: Side, number: int, other: Side, candidate: int) -> bool:
    """Whether two values are the same numbers, in whatever order, shape or repetition."""
    rooms = zip(one.tolerance(number), other.tolerance(candidate), strict=True)
    room = [a + b for a, b in rooms]
    pairs = zip(one.values(number), other.values(candidate), room, strict=True)
    if all(a.shape == b.shape and close(a, b, most) for a, b, most in pairs):
        return True
    pairs = zip(one.distinct(number), other.distinct(candidate), room, strict=True)
    return all(alike(a, b, most) for a, b, most in pairs)


def in_place(one: Side, number: int, other: Side, candidate: int | None) -> bool:
    """Whether two values are the same, element by element."""
    if candidate is None:
        return False
    pairs = zip(one.values(number), other.values(candidate), strict=True)
    rooms = zip(one.tolerance(number), other.tolerance(candidate), strict=True)
    return all(
        a.shape == b.shape and close(a, b, sum(room))
        for (a, b), room in zip(pairs, rooms, strict=True)
    )


def same_layout(one: Side, number: int, other: Side, candidate: int) -> bool:
    """Whether two values are the same element by element, but for dimensions of size 1,
    the order of dimensions, another shape of the same row of numbers, and broadcasting.
    """
    pairs = zip(one.values(number), other.values(candidate), strict=True)
    rooms = zip(one.tolerance(number), other.tolerance(candidate), strict=True)
    return all(
        laid_out(np.squeeze(a), np.squeeze(b), sum(room))
        for (a, b), room in zip(pairs, rooms, strict=True)
    )


def laid_out(a: np.ndarray, b: np.ndarray, most: float) -> bool:
    if a.size == b.size:
        orders = permutations(range(a.ndim)) if a.ndim == b.ndim <= 4 else ()
        turned = (a.transpose(order) for order in orders)
        if any(each.shape == b.shape and close(each, b, most) for each in turned):
            return True
        return close(a.ravel(), b.ravel(), most)
    small, large = (a, b) if a.size < b.size else (b, a)
    try:
        spread = np.broadcast_to(small, large.shape)
    except ValueError:
        return False
    return close(spread, large, most)


def close(a: np.ndarray, b: np.ndarray, most: float) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=0, atol=most, equal_nan=True))


def alike(a: np.ndarray, b: np.ndarray, most: float) -> bool:
    """Whether each of these sorted numbers is among the others, and the reverse."""
    if len(a) == len(b) and close(a, b, most):
        return True
    if not len(a) or not len(b) or np.isnan(a[-1]) != np.isnan(b[-1]):
        return False
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    return among(a, b, most) and among(b, a, most)


def among(a: np.ndarray, b: np.ndarray, most: float) -> bool:
    """Whether each of a is one of b, which are sorted."""
    if not len(b):
        return not len(a)
    place = np.searchsorted(b, a).clip(max=len(b) - 1)
    with np.errstate(all="ignore"):
        off = np.minimum(np.abs(b[place] - a), np.abs(b[np.maximum(place - 1, 0)] - a))
        off = np.where(b[place] == a, 0.0, off)
    return bool((off <= most).all())


def partings(
    one: Side, other: Side, wrong: Sequence[str], forward: bool
) -> tuple[Parting, Parting]:
    """Where each of the two parts from the other.

    Args:
        one, other: the programs.
        wrong: the quantities that differ.
        forward: whether an output is among them; otherwise forward is right, however
            differently it is written.
    """
    there = counterparts(one, other)
    back = counterparts(other, one)
    for first, second in inputs_of(one, other):
        there[first], back[second] = second, first

    def both(doubted: bool) -> tuple[Parting, Parting]:
        return (
            parting(one, other, there, wrong, forward, doubted),
            parting(other, one, back, wrong, forward, doubted),
        )

    found = both(doubted=False)
    # Each has all that the other makes, but returns another part of it.
    return found if any(each.steps for each in found) else both(doubted=True)


def inputs_of(one: Side, other: Side) -> list[tuple[int, int]]:
    """The inputs of both in pairs. Where one takes more, they are known by their values,
    as anything else.
    """
    own, theirs = one.recording.inputs, other.recording.inputs
    return [*zip(own, theirs, strict=True)] if len(own) == len(theirs) else []


def parting(
    one: Side,
    other: Side,
    there: dict[int, int],
    wrong: Sequence[str],
    forward: bool,
    doubted: bool,
) -> Parting:
    """Where one parts from the other: back from what is wrong, through what the other
    lacks, to steps whose operands it has. There is no such step where the other makes all
    of it, too, and goes on from there.

    Args:
        one, other: the programs.
        there: for each value of one that the other has, which it is there.
        wrong: the quantities that differ.
        forward: whether an output is among them.
        doubted: whether what makes them is taken to differ, whatever the other has.
    """
    recording, makers = one.recording, one.recording.makers
    quantities = one.judged[0].quantities

    def missing(number: int) -> bool:
        step = makers.get(number)
        if step is not None and (
            number not in recording.moving or step.operator.endswith(ALLOCATES)
        ):  # a constant
            return False
        if step is None or recording.values[number].dtype.kind != "f":
            return step is not None and any(map(missing, step.operands))
        if number not in there:
            may = forward or step.number not in recording.leading
            return may and other.inside(one, number) is None
        # What outputs come of is in the other, too, if outputs come of it there.
        leads = recording.leads(number)
        return forward and leads and not other.recording.leads(there[number])

    def misplaced(number: int) -> bool:
        """Whether the other has these numbers, but in other places."""
        made = number in makers and number in recording.moving
        return made and not in_place(one, number, other, there.get(number))

    suspects: dict[int, Executed] = {}
    wrong = [name for name in wrong if name in quantities]
    if forward:  # from there on, gradients differ anyway
        wrong = [name for name in wrong if quantities[name] in recording.outputs]
    for name in wrong[:1] if doubted else wrong:
        result = quantities[name]
        lacks = missing if missing(result) else misplaced
        todo = [result]
        if doubted and result in makers:
            suspects[makers[result].number] = makers[result]
            todo = [*makers[result].operands]
        while todo:
            number = todo.pop()
            if not lacks(number) or makers[number].number in suspects:
                continue
            suspects[makers[number].number] = makers[number]
            todo += makers[number].operands
    lacking = {n for step in suspects.values() for n in step.results}
    order = sorted(suspects)
    first = [
        suspects[number]
        for number in order
        if lacking.isdisjoint(suspects[number].operands)
    ]
    if forward:
        in_forward = [step for step in first if step.number in recording.leading]
        first = in_forward or first
    ends = [makers[quantities[n]].number for n in wrong if quantities[n] in makers]
    start = first[0].number if first else max(ends, default=-1) + 1
    made_there = other.recording.makers
    common = []
    for step in recording.executed[:start]:
        if not step.results:
            continue
        made = step.results[0]
        if made in there:
            common.append((step, made_there.get(there[made])))
        else:
            common.append((step, other.inside(one, made)))
    return Parting(first, common, [suspects[number] for number in order])
