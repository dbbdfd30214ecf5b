"""Where two programs part: the first step whose operands the other one has, too, and whose
result it has not.

Nothing is matched by name. No two of the numbers are alike by chance, so a value of one
program that the other has as well, in whatever order or shape, is the same value; it has to
be so on all numbers that were tried, the user's own and the generic ones. Two programs
that are written differently have values that only one of them has. What is looked for is
therefore traced back from the results that differ: through values that the other lacks, to
where it has all that went in.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations, takewhile

import numpy as np

from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.programs import Executed, Recording

Classes = dict[int, int]
LEAST, MOST = 8 * 2.0**-53, 1e-9  # of the largest element: what counts as equal
UNKNOWN = 1e-11  # the same where there is no bound


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
    def sorted(self) -> dict[int, list[np.ndarray]]:
        return {}

    def distinct(self, number: int) -> list[np.ndarray]:
        """The elements in order, each once."""
        if number not in self.sorted:
            self.sorted[number] = [np.unique(value) for value in self.values(number)]
        return self.sorted[number]


def room(judged: Judged, number: int) -> float:
    """How far rounding may have taken any element of a value: by its bound, if it has one,
    within what can be told apart.
    """
    value = judged.recording.values[number]
    size = float(np.max(np.abs(value), initial=0, where=np.isfinite(value)))
    error = judged.error(number)
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
        if step is not None and number not in recording.moving:  # a constant
            return False
        if step is None or recording.values[number].dtype.kind != "f":
            return step is not None and any(map(missing, step.operands))
        if number not in there:
            return forward or step.number not in recording.leading
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
        found = there.get(step.results[0])
        common.append((step, None if found is None else made_there.get(found)))
    return Parting(first, common, [suspects[number] for number in order])


# --- Side by side -------------------------------------------------------------------------


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
