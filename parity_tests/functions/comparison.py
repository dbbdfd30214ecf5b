"""Two or more functions, compared on the same inputs: three questions, and what was found.

Are they the same function? Both run in float64, on the user's numbers and on generic ones
(`judging`). Is every operator computed as well as it can be, in each dtype (`operators`)?
And how far may rounding take the results, and which steps make it so (`drift`)? Where they
are not the same, the first step that differs is looked for (`parting`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from gradparity.parity_tests.catalogue.spec import generator
from gradparity.parity_tests.functions import FEW, UnusableInput, listed
from gradparity.parity_tests.functions.arguments import Call, running
from gradparity.parity_tests.functions.calling import flat, prepare
from gradparity.parity_tests.functions.drift import Share, budget_of
from gradparity.parity_tests.functions.inputs import Given, generic
from gradparity.parity_tests.functions.judging import Judged, Number, judge
from gradparity.parity_tests.functions.mistakes import Mistake, mistake
from gradparity.parity_tests.functions.models import underived as derived_wrongly
from gradparity.parity_tests.functions.operators import Operators, judge_operators
from gradparity.parity_tests.functions.parting import (
    Parting,
    Row,
    Side,
    partings,
    rows,
    sides,
)
from gradparity.parity_tests.functions.programs import Arrays, Recording
from gradparity.parity_tests.functions.remarks import remarks
from gradparity.parity_tests.functions.rooms import BACKENDS, compiled, record
from gradparity.parity_tests.functions.targets import Target
from gradparity.parity_tests.functions.trees import Tree
from gradparity.parity_tests.measuring.arithmetic import arithmetic

YOURS, GENERIC = "the numbers given", "generic numbers"


@dataclass(frozen=True, eq=False)
class Ran:
    """A function as it ran in a dtype on some inputs."""

    call: Call
    dtype: str

    @cached_property
    def recording(self) -> Recording:
        return self.again(None)

    def again(self, noise: tuple[float, int] | None) -> Recording:
        """Another run, with noise of this scale and seed."""
        call = self.call
        framework = call.target.framework
        with running(call.target):
            return record(
                framework, call.function, call.leaves, self.dtype, self.seeds, noise
            )

    @property
    def seeds(self) -> list[np.ndarray | None]:
        """What arrives at each output."""
        shapes = self.call.shapes
        return self.call.seeds or [np.ones(shape, self.dtype) for shape in shapes]

    def compiled(self) -> Arrays:
        """The quantities as JAX has them where it compiles the function as a whole."""
        call = self.call
        with running(call.target):
            outputs, gradients = compiled(call.function, call.leaves, self.seeds)
        pairs = zip(call.gradient_names, gradients, strict=True)
        found = dict(zip(call.output_names, outputs, strict=True))
        return found | {name: g for name, g in pairs if name and g is not None}

    @cached_property
    def quantities(self) -> dict[str, int]:
        """The numbers of values of what is compared: outputs, and gradients if there are
        any, by name.
        """
        call, recording = self.call, self.recording
        found = dict(zip(call.output_names, recording.outputs, strict=True))
        if call.differentiated:
            pairs = zip(call.gradient_names, recording.gradients, strict=True)
            found |= {name: n for name, n in pairs if name and n is not None}
        return found

    @property
    def values(self) -> Arrays:
        return {name: self.recording.values[n] for name, n in self.quantities.items()}

    def judged(self, dtype: str) -> Judged:
        """With the arithmetic that its framework has in a dtype, which bounds are of."""
        if dtype not in self.sides:
            self.sides[dtype] = self._judged(dtype)
        return self.sides[dtype]

    @cached_property
    def sides(self) -> dict[str, Judged]:
        return {}

    def _judged(self, dtype: str) -> Judged:
        unit = arithmetic(BACKENDS[self.call.target.framework], dtype).unlimited
        noisy = lambda scale, seed: self.again((scale, seed))  # noqa: E731
        return Judged(self.recording, self.quantities, unit, noisy)


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
    names = called([target.name for target in prepared.targets])
    inputs = [prepared.inputs, generic(prepared.inputs)]
    narrow = [dtype for dtype in dtypes if dtype != "float64"]
    runs = {
        name: [
            ran(target, inputs[0], "float64", prepared.dout),
            with_seeds(ran(target, inputs[1], "float64", prepared.dout)),
        ]
        for name, target in zip(names, prepared.targets, strict=True)
    }
    others = {
        (name, dtype): ran(target, inputs[0], dtype, prepared.dout)
        for name, target in zip(names, prepared.targets, strict=True)
        for dtype in narrow
    }
    every = [*(run for each in runs.values() for run in each), *others.values()]
    renamed = name_alike([run.call for run in every])
    for run in every:
        run.recording  # noqa: B018
        advance()
    empty = empties(every)
    judged = {name: [each.judged("float64") for each in runs[name]] for name in names}
    first, *rest = names
    pairs = []
    for name in rest:
        pairs.append(pair((first, name), judged, runs, others, narrow))
        advance()
    operators, budgets, wholes = {}, {}, {}
    for name in names:
        framework = runs[name][0].call.target.framework
        for dtype in dtypes:
            own = runs[name][0] if dtype == "float64" else others[name, dtype]
            side = runs[name][0].judged(dtype)
            operators[name, dtype] = judge_operators(own.recording, side.arithmetic)
            if framework == "jax":
                lots = [own.values, own.compiled()]
                wholes[name, dtype] = Tried(dtype, YOURS, judge([side, side], lots))
            advance()
    for each in (pair for pair in pairs if pair.same_function):
        for tried in each.tried:
            if tried.on != YOURS or tried.dtype not in dtypes:
                continue
            for name in each.names:
                side = runs[name][0].judged(tried.dtype)
                for number in tried.numbers:
                    key = name, tried.dtype, number.quantity
                    if key not in budgets and number.at is not None:
                        budgets[key] = budget_of(side, number)
                side.forget()
    calls = [runs[name][0].call for name in names]
    lossy = [
        f"{name}: {remark}"
        for name in names
        for remark in remarks(runs[name][0].recording)
    ]
    called_for = [note for call in calls for note in said(call)]
    notes = [*prepared.notes, *renamed, *empty, *called_for, *lossy]
    return Comparison(
        names,
        {name: call.target.framework for name, call in zip(names, calls, strict=True)},
        pairs,
        operators,
        wholes,
        budgets,
        list(dict.fromkeys(notes)),
        dict(zip(names, calls, strict=True)),
        others | {(name, "float64"): runs[name][0] for name in names},
        judged,
    )


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


def ran(target: Target, inputs: Mapping[str, Tree], dtype: str, dout: Tree) -> Ran:
    return Ran(flat(target, inputs, dtype, dout), dtype)


def with_seeds(run: Ran) -> Ran:
    """The same with another number for each element that arrives at the outputs: a sum of
    them all hides what cancels. At a single number arrives 1, as at any loss.
    """
    rng = generator("what arrives at the outputs")
    run.call.seeds = [
        rng.standard_normal(shape) if shape else np.ones(())
        for shape in run.call.shapes
    ]
    return run


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


def pair(
    names: tuple[str, str],
    judged: Mapping[str, Sequence[Judged]],
    runs: Mapping[str, Sequence[Ran]],
    others: Mapping[tuple[str, str], Ran],
    narrow: Sequence[str],
) -> Pair:
    """Compare two."""
    one, other = names
    tried = [
        Tried("float64", on, judge(both))
        for on, both in zip(
            (YOURS, GENERIC), zip(judged[one], judged[other], strict=True), strict=True
        )
    ]
    for dtype in narrow:
        both = [runs[name][0].judged(dtype) for name in names]
        values = [others[name, dtype].values for name in names]
        tried.append(Tried(dtype, YOURS, judge(both, values)))
    quantities = [runs[name][0].quantities for name in names]
    missing = {
        name: [q for q in there if q not in elsewhere]
        for name, there, elsewhere in zip(
            names, quantities, quantities[::-1], strict=True
        )
    }
    wide = [each for each in tried if each.dtype == "float64"]
    wrong = [number.quantity for each in wide for number in each.wrong]
    parted, named, underived = None, None, {}
    returned = {name: runs[name][0].call.output_names for name in names}
    outputs = returned if returned[one] != returned[other] else {}
    lots = [*zip(judged[one], judged[other], strict=True)]
    # Where the numbers given say nothing, the generic ones come first.
    both_sides = sides(lots[::-1] if wrong and wide[0].same else lots)
    if wrong and not outputs:
        forward = not {*returned[one]}.isdisjoint(wrong)
        parted = partings(*both_sides, list(dict.fromkeys(wrong)), forward)
        named = mistake(names, lots, parted)
        for name in names:
            wrongly = derived_wrongly(judged[name][-1]) or []
            underived[name] = [each.quantity for each in wrongly]
    found = filled(underived), filled(missing)
    return Pair(names, tried, parted, named, *found, outputs, both_sides)


def filled(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without those that have none."""
    return {name: each for name, each in found.items() if each}
