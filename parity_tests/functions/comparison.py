"""Two or more functions, compared on the same inputs: three questions, and what was found.

Are they the same function? Both run in float64, on the user's numbers and on generic ones
(`judging`). Is every operator computed as well as it can be, in each dtype (`operators`)?
And how far may rounding take the results, and which steps make it so (`drift`)? Where they
are not the same, the first step that differs is looked for (`parting`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from gradparity.parity_tests.functions import FEW, UnusableInput
from gradparity.parity_tests.functions.arguments import Call
from gradparity.parity_tests.functions.calling import Prepared, prepare
from gradparity.parity_tests.functions.drift import Share, budget_of
from gradparity.parity_tests.functions.inputs import Given, generic
from gradparity.parity_tests.functions.judging import Judged, Number, judge
from gradparity.parity_tests.functions.mistakes import Mistake, mistake
from gradparity.parity_tests.functions.models import underived as derived_wrongly
from gradparity.parity_tests.functions.operators import Operators, judge_operators
from gradparity.parity_tests.functions.parting import Parting, Side, partings, sides
from gradparity.parity_tests.functions.remarks import remarks
from gradparity.parity_tests.functions.running import (
    Ran,
    ignored_by,
    ran,
    takes_one,
    with_seeds,
)
from gradparity.parity_tests.functions.side_by_side import Row, rows
from gradparity.parity_tests.functions.targets import Target
from gradparity.parity_tests.measuring.wording import listed

YOURS, GENERIC = "the numbers given", "generic numbers"


@dataclass(frozen=True)
class Tried:
    """What two functions were judged to differ in.

    Args:
        dtype: in which.
        on: which numbers.
        numbers: a number for each quantity, the one furthest beyond rounding.
    """

    dtype: str
    on: str
    numbers: list[Number]

    @property
    def same(self) -> bool:
        return all(number.same for number in self.numbers)

    @property
    def wrong(self) -> list[Number]:
        """Those that differ."""
        return [number for number in self.numbers if not number.same]


@dataclass(frozen=True)
class Pair:
    """What came of comparing one function with another.

    Args:
        names: of both.
        tried: in float64 on both lots of numbers, and in the other dtypes.
        partings: where each parts from the other, if they are not the same.
        mistake: the known one that turns one of them into the other, if there is one.
        underived: by name, gradients that are not the derivatives of the outputs.
        missing: the quantities that only one of them has.
        outputs: by name, those that each returns, if they return not as many.
        sides: both as they ran in float64: first on the numbers on which they differ.
    """

    names: tuple[str, str]
    tried: list[Tried]
    partings: tuple[Parting, Parting] | None = None
    mistake: Mistake | None = None
    underived: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    sides: tuple[Side, Side] | None = None

    @cached_property
    def rows(self) -> list[Row]:
        """All steps of both, side by side."""
        return [] if self.sides is None else rows(*self.sides, self.partings)

    @property
    def same(self) -> bool:
        return self.same_function and all(tried.same for tried in self.tried)

    @property
    def furthest(self) -> tuple[Tried, Number] | None:
        """The first lot of numbers and the first quantity in which they differ; None where
        only the outputs are not as many.
        """
        return next(
            ((tried, tried.wrong[0]) for tried in self.tried if tried.wrong), None
        )

    @property
    def same_function(self) -> bool:
        """Whether they are the same in float64, whatever other dtypes make of it."""
        wide = [tried.same for tried in self.tried if tried.dtype == "float64"]
        return not self.outputs and all(wide)


@dataclass(frozen=True)
class Comparison:
    """What was found out about functions.

    Args:
        names: what they are called, the first one being the one that others are held
            against.
        frameworks: by name.
        pairs: each of the others with the first.
        operators: by name and dtype, what came of judging operators one by one.
        wholes: by name and dtype, of JAX's functions, how far they are from that where
            they are compiled as a whole.
        budgets: by name, dtype and quantity, which steps its error comes of.
        notes: sentences about how the functions and their inputs were taken.
        calls: by name, how each was called.
        ran: by name and dtype, what ran on the numbers given.
        judged: by name, what was judged in float64, on the numbers given and on generic
            ones.
    """

    names: list[str]
    frameworks: dict[str, str]
    pairs: list[Pair]
    operators: dict[tuple[str, str], Operators]
    wholes: dict[tuple[str, str], Tried]
    budgets: dict[tuple[str, str, str], list[Share]]
    notes: list[str]
    calls: Mapping[str, Call] = field(repr=False)
    ran: dict[tuple[str, str], Ran]
    judged: dict[str, list[Judged]]

    @property
    def same(self) -> bool:
        """Whether all are the same function, and every operator is computed right."""
        right = all(not each.failed for each in self.operators.values())
        right = right and all(each.same for each in self.wholes.values())
        return right and all(pair.same for pair in self.pairs)


def compare_functions(
    targets: Sequence[Target],
    given: Mapping[str, Given],
    dtypes: Sequence[str],
    advance: Callable[[], object] = lambda: None,
) -> Comparison:
    """Compare the first of some functions with each of the others.

    Args:
        targets: the functions.
        given: the inputs by name.
        dtypes: those that are tried, besides float64.
        advance: is called after each of the `stages`.

    Raises `UnusableFunction` or `UnusableInput` where they cannot be run on these.
    """
    prepared = prepare(targets, given)
    advance()
    runs = run_all(prepared, [dtype for dtype in dtypes if dtype != "float64"])
    every = [run for each in runs.values() for run in each.every]
    renamed = name_alike([run.call for run in every])
    for run in every:
        run.recording  # noqa: B018
        advance()
    notes = [*prepared.notes, *renamed, *empties(every), *notes_of(runs)]
    first, *rest = runs.values()
    pairs, operators, wholes = [], {}, {}
    for other in rest:
        pairs.append(pair(first, other))
        advance()
    for name, each in runs.items():
        for dtype in dtypes:
            operators[name, dtype] = each.operators(dtype)
            if each.call.target.framework == "jax":
                wholes[name, dtype] = each.whole(dtype)
            advance()
    return Comparison(
        names=[*runs],
        frameworks={name: each.call.target.framework for name, each in runs.items()},
        pairs=pairs,
        operators=operators,
        wholes=wholes,
        budgets=budgets_of(pairs, runs, dtypes),
        notes=list(dict.fromkeys(called_shortly(note, runs) for note in notes)),
        calls={name: each.call for name, each in runs.items()},
        ran={
            (name, dtype): run
            for name, each in runs.items()
            for dtype, run in each.on_yours.items()
        },
        judged={
            name: [run.judged("float64") for run in each.wide]
            for name, each in runs.items()
        },
    )


@dataclass(frozen=True, eq=False)
class Runs:
    """A function as it ran: in float64 on the numbers given and on generic ones, and on the
    numbers given in other dtypes.

    Args:
        name: what it is called.
        wide: both in float64.
        narrow: those in other dtypes.
        ignored: the gradients that are the same whatever arrives at the output.
    """

    name: str
    wide: tuple[Ran, Ran]
    narrow: Mapping[str, Ran]
    ignored: Sequence[str]

    @property
    def call(self) -> Call:
        return self.wide[0].call

    @property
    def on_yours(self) -> dict[str, Ran]:
        """By dtype, what ran on the numbers given."""
        return {"float64": self.wide[0], **self.narrow}

    @property
    def every(self) -> list[Ran]:
        return [*self.wide, *self.narrow.values()]

    @property
    def casts(self) -> frozenset[str]:
        """The dtypes with fewer digits in which it computes by its own will."""
        return frozenset().union(*(run.recording.narrow for run in self.wide))

    def judged(self, dtype: str, excused: frozenset[str] | None = None) -> Judged:
        """On the numbers given, for bounds in this dtype: as it ran in float64, unless it
        casts there alone, as it does in autocast.
        """
        wide, own = self.wide[0], self.on_yours[dtype]
        casts_more = own.recording.narrow - wide.recording.narrow
        return (own if casts_more else wide).judged(dtype, excused)

    def underived(self) -> list[str]:
        """The gradients that are not the derivatives of what it computes, as far as that is
        known: what is cast has none, and is taken for not cast.
        """
        found = derived_wrongly(self.wide[-1].uncast.judged("float64"))
        return [each.quantity for each in found or ()]

    def operators(self, dtype: str) -> Operators:
        """What came of judging its operators one by one."""
        side = self.judged(dtype)
        return judge_operators(self.on_yours[dtype].recording, side.arithmetic)

    def whole(self, dtype: str) -> Tried:
        """How far it is, compiled as a whole, from that equation by equation."""
        own = self.on_yours[dtype].as_written
        side = own.judged(dtype) if dtype == "float64" else self.judged(dtype)
        return Tried(dtype, YOURS, judge([side, side], [own.values, own.compiled()]))


def run_all(prepared: Prepared, dtypes: Sequence[str]) -> dict[str, Runs]:
    """The functions by name, in float64 and in these dtypes."""
    given = prepared.inputs
    drawn = {**generic(given), **{name: given[name] for name in prepared.fixed}}
    names = called([target.name for target in prepared.targets])
    named = [*zip(names, prepared.targets, strict=True)]
    wide = {
        name: [ran(target, each, "float64", prepared.dout) for each in (given, drawn)]
        for name, target in named
    }
    ignored = {name: ignored_by(on_drawn) for name, (_, on_drawn) in wide.items()}
    # At a loss that takes 1 for what arrives, 1 arrives.
    ones = any(ignored[name] and takes_one(wide[name][1].call) for name in names)
    return {
        name: Runs(
            name=name,
            wide=(wide[name][0], with_seeds(wide[name][1], ones)),
            narrow={
                dtype: ran(target, given, dtype, prepared.dout) for dtype in dtypes
            },
            ignored=ignored[name],
        )
        for name, target in named
    }


def notes_of(runs: Mapping[str, Runs]) -> list[str]:
    """What is to be told about how functions were called, and how they compute."""
    notes = [note for each in runs.values() for note in said(each.call)]
    frameworks = {each.call.target.framework for each in runs.values()}
    if len(frameworks) > 1 and any(each.call.random for each in runs.values()):
        notes.append(
            "frameworks draw different random numbers, however they are seeded"
        )
    for name, each in runs.items():
        if each.casts:
            dtypes = listed(sorted(each.casts))
            notes.append(f"{name} computes in {dtypes} in part, whatever it is handed")
        if each.ignored and takes_one(each.call):
            notes.append(
                f"{name} takes 1 for what arrives at its output: "
                f"{listed(each.ignored)} would be the same whatever arrives"
            )
    notes += [
        f"{name}: {remark}"
        for name, each in runs.items()
        for remark in remarks(each.wide[0].recording)
    ]
    return notes


def budgets_of(
    pairs: Sequence[Pair], runs: Mapping[str, Runs], dtypes: Sequence[str]
) -> dict[tuple[str, str, str], list[Share]]:
    """Which steps the errors of functions come of that are the same."""
    budgets: dict[tuple[str, str, str], list[Share]] = {}
    for each in (pair for pair in pairs if pair.same_function):
        for tried in each.tried:
            if tried.on != YOURS or tried.dtype not in dtypes:
                continue
            for name in each.names:
                side = runs[name].judged(tried.dtype)
                for number in tried.numbers:
                    key = name, tried.dtype, number.quantity
                    if key not in budgets and number.at is not None:
                        budgets[key] = budget_of(side, number)
                side.forget()
    return budgets


def stages(count: int, dtypes: Sequence[str]) -> int:
    """In how many steps so many functions are compared: finding out what they are, running
    them, holding each against the first, and judging their operators.
    """
    narrow = sum(dtype != "float64" for dtype in dtypes)
    return 1 + count * (2 + narrow) + (count - 1) + count * len(dtypes)


def name_alike(calls: Sequence[Call]) -> list[str]:
    """Let outputs be called as the first function's are, where all have as many; and say
    so in a sentence, where they were called otherwise.
    """
    names = [call.output_names for call in calls]
    if len({len(each) for each in names}) > 1 or len({*map(tuple, names)}) == 1:
        return []
    for call in calls:
        call.output_names = [*names[0]]
    return [f"outputs are compared in order, as {', '.join(names[0])}"]


def empties(every: Sequence[Ran]) -> list[str]:
    """A sentence about the quantities that hold no numbers, of which nothing is known.

    Raises `UnusableInput` if none holds any.
    """
    found: dict[str, int] = {}
    for run in every:
        for name, value in run.values.items():
            found[name] = max(found.get(name, 0), value.size)
    empty = [name for name, size in found.items() if not size]
    if not empty:
        return []
    if len(empty) == len(found):
        raise UnusableInput(
            f"{listed(empty, FEW)} {hold(empty)}: there is nothing to compare"
        )
    return [f"{listed(empty, FEW)} {hold(empty)}"]


def hold(names: Sequence[str]) -> str:
    return "holds no numbers" if len(names) == 1 else "hold no numbers"


def called(names: Sequence[str]) -> list[str]:
    """The shortest that tells them apart."""
    short = [name.rpartition(":")[2] for name in names]
    if len({*short}) == len(short):
        return short
    if len({*names}) == len(names):
        return [*names]
    return [f"{name} ({number})" for number, name in enumerate(short, 1)]


def called_shortly(note: str, runs: Mapping[str, Runs]) -> str:
    """A sentence in which functions are called as in all others."""
    for name, each in runs.items():
        if (known := each.call.target.name).endswith(f":{name}"):
            note = note.replace(known, name)
    return note


def said(call: Call) -> list[str]:
    """What is to be told about how a function was called."""
    found = [*call.notes]
    name = call.target.name
    found += [f"{name} takes {given} as {taken}" for given, taken in call.matched]
    if call.random:
        found.append(
            f"{name} draws random numbers: all are seeded alike before each run"
        )
    return found


def pair(one: Runs, other: Runs) -> Pair:
    """Compare two."""
    names, both = (one.name, other.name), (one, other)
    lots, tried = in_float64(one, other)
    tried += [Tried(dtype, YOURS, in_dtype(both, dtype)) for dtype in one.narrow]
    quantities = [each.wide[0].quantities for each in both]
    pairs = zip(names, quantities, quantities[::-1], strict=True)
    missing = {name: [q for q in own if q not in there] for name, own, there in pairs}
    returned = {each.name: each.call.output_names for each in both}
    outputs = returned if returned[one.name] != returned[other.name] else {}
    wrong = [
        n.quantity for each in tried if each.dtype == "float64" for n in each.wrong
    ]
    # Where the numbers given say nothing, the generic ones come first.
    both_sides = sides(lots[::-1] if wrong and tried[0].same else lots)
    found = Pair(
        names=names,
        tried=tried,
        missing=filled(missing),
        outputs=outputs,
        sides=both_sides,
    )
    if not wrong or outputs:
        return found
    forward = not {*returned[one.name]}.isdisjoint(wrong)
    parted = partings(*both_sides, list(dict.fromkeys(wrong)), forward)
    underived = {each.name: each.underived() for each in both}
    named = of_casts(one, other) or of_dout(one, other, wrong)
    return replace(
        found,
        partings=parted,
        mistake=named or mistake(names, lots, parted),
        underived=filled(underived),
    )


Lots = list[tuple[Judged, Judged]]


def in_float64(one: Runs, other: Runs) -> tuple[Lots, list[Tried]]:
    """What two differ in, in float64, on the numbers given and on generic ones; and both as
    they ran there.

    What only one of them casts to fewer digits is a difference. What both do may differ by
    as much as that rounds; so they are held against each other without what they cast, too,
    where nothing but float64 is left. Both ran so, if that is where they differ.
    """
    shared = one.casts & other.casts
    lots = [
        (a.judged("float64", shared), b.judged("float64", shared))
        for a, b in zip(one.wide, other.wide, strict=True)
    ]
    tried = [
        Tried("float64", on, judge(both))
        for on, both in zip((YOURS, GENERIC), lots, strict=True)
    ]
    uncast = without_casts(one, other)
    numbers = [judge(both) for both in uncast]
    if all(number.same for each in numbers for number in each):
        return lots, tried
    return uncast, [
        replace(each, numbers=[*map(worse, each.numbers, found)])
        for each, found in zip(tried, numbers, strict=True)
    ]


def without_casts(one: Runs, other: Runs) -> Lots:
    """Both as they ran in float64 with what they cast left out: none where neither casts,
    or where that cannot be left out.
    """
    pairs = [(a.uncast, b.uncast) for a, b in zip(one.wide, other.wide, strict=True)]
    left = any(run.recording.narrow for both in pairs for run in both)
    if left or not one.casts | other.casts:
        return []
    return [(a.judged("float64"), b.judged("float64")) for a, b in pairs]


def worse(written: Number, uncast: Number) -> Number:
    """What two have for a quantity where they differ: with what they cast, or without."""
    return written if uncast.same else uncast


def in_dtype(both: Sequence[Runs], dtype: str) -> list[Number]:
    """What two differ in, in another dtype than float64."""
    one, other = (each.narrow[dtype] for each in both)
    shared = frozenset(one.recording.narrow & other.recording.narrow)
    return judge([e.judged(dtype, shared) for e in both], [one.values, other.values])


def of_casts(one: Runs, other: Runs) -> Mistake | None:
    """That one casts what the other does not, if that is all that they differ in."""
    uncast = without_casts(one, other)
    if not uncast or not all(n.same for both in uncast for n in judge(both)):
        return None
    for own, there in ((one, other), (other, one)):
        if dtypes := own.casts - there.casts:
            step = next(
                each for run in own.wide for each in run.recording.casts(dtypes)
            )
            where = f" ({step.where})" if step.where else ""
            what = [f"{dtype}{where}" for dtype in sorted(dtypes)]
            facts = {"who": own.name, "without": there.name, "a": what}
            return Mistake("cast", "cast", facts, step)
    return None


def of_dout(one: Runs, other: Runs, wrong: Sequence[str]) -> Mistake | None:
    """That one ignores what arrives at its output, if gradients differ that do."""
    for own, there in ((one, other), (other, one)):
        ignored = [name for name in own.ignored if name in wrong]
        if {*wrong} == {*ignored} - {*there.ignored}:
            return Mistake("dout", "dout", {"who": own.name, "q": ignored})
    return None


def filled(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without those that have none."""
    return {name: each for name, each in found.items() if each}
