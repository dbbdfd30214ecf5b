"""Other steps in the place of one: the mistakes that people make when they write a function
down once more. Here are what a variation is, and those of its numbers: another constant, a
factor, a mean for a sum. `rearranged` has those of its steps.

Several explanations may come to the same on some numbers. Those come first that the two
programs have in so many words: a constant is exchanged for one of the other's own, a sum
is divided by the number of its own elements, and by no other size.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.models import Model
from gradparity.parity_tests.functions.parting import Parting
from gradparity.parity_tests.functions.programs import Arrays, Executed
from gradparity.parity_tests.functions.sentences import Facts, apart, number
from gradparity.reference.rounding.operations import OPERATIONS
from gradparity.reference.rounding.programs import Step

SMALL = 0.02  # a constant that is added and smaller than this is an epsilon
FAR = math.log(
    100
)  # a constant in the place of another is no further from it, if likely
PASSING = (
    "move",
    "reshape",
    "broadcast",
    "cast",
    "negate",
)  # as many, of the same size
Fixed = Mapping[str, float]
Factor = tuple[str, float]  # "multiply" or "divide", and by what


@dataclass(frozen=True, eq=False)
class Variation:
    """Other steps in the place of some.

    Args:
        name: of the kind of mistake.
        said: which of `SENTENCES` tells it.
        facts: what stands in that sentence, beside the names of the functions.
        at: the value that the first of them makes.
        steps: by the value that a step makes, those in its place.
    """

    name: str
    said: str
    facts: Facts
    at: str
    steps: Mapping[str, Sequence[Step]]


@dataclass(frozen=True, eq=False)
class Context:
    """What variations know beside the step: the model and its values, what was recorded of
    both functions, and what they are called.

    Args:
        own: the function whose steps are varied.
        values: all of its values.
        judged: both as recorded, it first.
        partings: where they part, its own first.
        names: of both, in the order in which they were given.
        first: whether it is the first of these.
    """

    own: Model
    values: Arrays
    judged: tuple[Judged, Judged]
    partings: tuple[Parting, Parting]
    names: tuple[str, str]
    first: bool

    @cached_property
    def makers(self) -> dict[str, Step]:
        return {step.name: step for step in self.own.steps}

    @cached_property
    def moving(self) -> set[str]:
        """The values that come of inputs."""
        return moving(self.own)

    @cached_property
    def other(self) -> Model | None:
        """The other function; None where a step of it has no rule."""
        return Model.of(self.judged[1])

    @cached_property
    def theirs(self) -> list[Step]:
        """The other's steps, those of its forward pass if outputs come of them."""
        program = self.judged[1].recording.program
        return [*(program if self.other is None else self.other.steps)]

    @cached_property
    def their_values(self) -> Arrays:
        return {} if self.other is None else self.other.values()

    @cached_property
    def fixed(self) -> tuple[Fixed, Fixed]:
        """The values here and there that are one number, whatever the inputs."""
        theirs = {} if self.other is None else fixed(self.other, self.their_values)
        return fixed(self.own, self.values), theirs

    @cached_property
    def means(self) -> tuple[Counter[int], Counter[int]]:
        """Over how many elements means are taken, here and there."""
        own = Counter(means(self.own.steps, self.values))
        return own, Counter(means(self.theirs, self.their_values) if self.other else ())

    @cached_property
    def operations(self) -> set[str]:
        """What the other is made of."""
        return {step.operation.name for step in self.theirs}

    @cached_property
    def constants(self) -> set[float]:
        """The numbers that the other has."""
        return {value for step in self.theirs for value, _ in constants_of(step)}

    @cached_property
    def epsilons(self) -> set[float]:
        """Those of them that are added, and small."""
        found = ((s, c) for s in self.theirs for c, _ in constants_of(s))
        return {c for step, c in found if role(step, c) == "eps"}

    @cached_property
    def factors(self) -> tuple[set[Factor], set[Factor]]:
        """What is multiplied with and divided by, here and there."""
        here, there = self.fixed
        return factors_of(self.own.steps, here), factors_of(self.theirs, there)

    @cached_property
    def divisors(self) -> set[float]:
        """What the other divides by, whole numbers that a mean may be taken over."""
        found = {
            c if verb == "divide" else 1 / c for verb, c in self.factors[1] if c != 0
        }
        for step in self.theirs:
            if step.operation.name == "move" and np.ndim(step.settings["source"]) == 0:
                found.add(float(np.ravel(step.settings.get("fill", 0.0))[0]))
        return {float(round(n)) for n in found if math.isclose(n, round(n))}

    @property
    def firsts(self) -> tuple[Executed | None, Executed | None]:
        """The first step of each that differs, as it ran on these numbers."""
        found: list[Executed | None] = []
        for parting, judged in zip(self.partings, self.judged, strict=True):
            executed = judged.recording.executed
            number = parting.steps[0].number if parting.steps else len(executed)
            found.append(executed[number] if number < len(executed) else None)
        return found[0], found[1]

    @cached_property
    def widths(self) -> set[int]:
        """Over how many elements the sums of matrix products go."""
        products = [s for s in self.own.steps if s.operation.name in PRODUCTS]
        return {self.values[step.operands[0]].shape[-1] for step in products}

    def executed(self, name: str) -> Executed | None:
        """The step as it ran that made a value."""
        owner = self.judged[0].recording.owner(name)
        return None if owner is None else self.judged[0].recording.executed[owner]

    def does(self, own: bool = True) -> dict[str, str]:
        """Who does something, and who does not."""
        names = self.names if own == self.first else self.names[::-1]
        return {"who": names[0], "without": names[1]}

    def sided(self, own: str, other: str) -> dict[str, str]:
        """What one has, and the other."""
        return sided(own, other, self.first)

    def numbers(self, own: float, other: float) -> dict[str, str]:
        return self.sided(*apart(own, other))

    def varied(
        self, name: str, said: str, facts: Facts, step: Step, *steps: Step
    ) -> Variation:
        return Variation(name, said, facts, step.name, {step.name: steps})


def moving(model: Model) -> set[str]:
    """The values that come of inputs."""
    found = {*model.inputs.values()}
    for step in model.steps:
        if not found.isdisjoint(step.operands):
            found.add(step.name)
    return found


def fixed(model: Model, values: Arrays) -> Fixed:
    """The values that are one number, whatever the inputs."""
    varying = moving(model)
    still = {name: np.ravel(v) for name, v in values.items() if name not in varying}
    return {
        name: float(v[0]) for name, v in still.items() if v.size and (v == v[0]).all()
    }


def sided(own: str, other: str, first: bool) -> dict[str, str]:
    """What two have, in the order in which they were given."""
    return {"a": own, "b": other} if first else {"a": other, "b": own}


PRODUCTS = ("matmul", "affine")
Way = Callable[[Step, Context], Iterator[Variation]]
Changed = Callable[[Step, float], Step]


def same_as(name: str, operand: str, shape: Sequence[int]) -> Step:
    """A step that takes a value as it is."""
    source = np.arange(math.prod(shape)).reshape(shape)
    settings = {"source": source, "fill": 0.0}
    return Step(name, OPERATIONS["move"], (operand,), settings)


def input_of(name: str, known: Context) -> str | None:
    """What the input is called that a value is, in whatever shape; None if it is none."""
    while (inner := known.makers.get(name)) and len(inner.operands) == 1:
        if inner.operation.name not in PASSING or inner.operation.name == "negate":
            break
        name = inner.operands[0]
    return {n: q.removeprefix("d") for q, n in known.own.inputs.items()}.get(name)


# --- Constants ----------------------------------------------------------------------------


def role(step: Step, constant: float) -> str:
    """What a constant is for."""
    operation = step.operation.name
    if operation in ("maximum", "minimum"):
        return "clip"
    if operation == "power":
        return "power"
    if operation == "add" and 0 < abs(constant) < SMALL:
        return "eps"
    return "constant"


def is_constant(step: Step) -> bool:
    """Whether it makes an array of one number."""
    return step.operation.name == "move" and bool(
        np.all(step.settings["source"] < 0)
        and np.size(np.unique(step.settings["fill"])) == 1
    )


def constants_of(step: Step) -> Iterator[tuple[float, Changed]]:
    """The constants of a step, and how it is with another in the place of each."""
    if is_constant(step):
        own = float(np.ravel(step.settings["fill"])[0])
        yield own, partial(with_setting, "fill")
        return
    for position, name in enumerate(step.operands):
        if name.startswith("= "):
            yield float(name.rstrip("'")[2:]), partial(with_operand, position)
    for key in ("factor", "n", "exponent"):
        if key in step.settings:
            yield float(step.settings[key]), partial(with_setting, key)


def with_operand(position: int, step: Step, constant: float) -> Step:
    operands = [*step.operands]
    operands[position] = f"= {constant!r}"
    return replace(step, operands=tuple(operands))


def with_setting(key: str, step: Step, constant: float) -> Step:
    return replace(step, settings={**step.settings, key: constant})


def other_constants(near: bool, step: Step, known: Context) -> Iterator[Variation]:
    """A constant of the other function in the place of one that this has: wherever it is
    used in this way, and there alone. Those come first that are as large, or both an
    epsilon.
    """
    if factor_of(step, known.fixed[0]) is not None:
        return
    for own, changed in constants_of(step):
        kind = role(step, own)

        def far(constant: float, own: float = own) -> float:
            ratio = constant / own if own else 0.0
            return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf

        def likely(constant: float, own: float = own, kind: str = kind) -> bool:
            both = kind == "eps" and constant in known.epsilons
            return both or far(constant, own) <= FAR

        usual = {0.5, 1.0, 2.0, 3.0} if kind == "power" else set()
        others = sorted((known.constants | usual) - {own}, key=far)
        for constant in (each for each in others if likely(each) == near):
            facts = known.numbers(own, constant)
            everywhere = {
                each.name: [way(each, constant)]
                for each in known.own.steps
                if each.operation is step.operation
                for value, way in constants_of(each)
                if value == own
            }
            alone = {step.name: [changed(step, constant)]}
            for steps in (everywhere, alone)[: min(len(everywhere), 2)]:
                yield Variation(kind, kind, facts, step.name, steps)


def exchanged(known: Context, candidates: Sequence[Step]) -> Iterator[Variation]:
    """All constants at once: two that change places, or all that only this one has for
    those that only the other has, in order.
    """
    own = [*dict.fromkeys(c for step in candidates for c, _ in constants_of(step))]
    theirs = [*dict.fromkeys(c for s in known.theirs for c, _ in constants_of(s))]
    every = {c for step in known.own.steps for c, _ in constants_of(step)}
    shared = [c for c in own if c in theirs and abs(c) not in (0.0, 1.0)]
    pairs = [(a, b) for i, a in enumerate(shared) for b in shared[i + 1 :]]
    for a, b in pairs[:20]:
        facts = known.numbers(a, b)
        yield from replaced(
            {a: b, b: a}, "momentum", "changed places", facts, candidates, known
        )
    mine = [c for c in own if c not in theirs]
    rest = [c for c in theirs if c not in every]
    if mine and len(mine) == len(rest):
        for order in (rest, rest[::-1])[: len(rest)]:
            changes = dict(zip(mine, order, strict=True))
            yield from replaced(
                changes, "constant", "constants", None, candidates, known
            )


def replaced(
    changes: Mapping[float, float],
    name: str,
    said: str,
    facts: Facts | None,
    candidates: Sequence[Step],
    known: Context,
) -> Iterator[Variation]:
    """The constants among these steps, exchanged."""
    steps: dict[str, Sequence[Step]] = {}
    kinds = set()
    found: dict[float, float] = {}
    for step in candidates:
        other = step
        for value, changed in constants_of(step):
            if value in changes:
                other = changed(other, changes[value])
                kinds.add(role(step, value))
                found[value] = changes[value]
        if other is not step:
            steps[step.name] = [other]
    if not steps:
        return
    if facts is None:
        name = kinds.pop() if len(kinds) == 1 else name
        pairs = [known.numbers(*pair) for pair in found.items()]
        facts = {side: [pair[side] for pair in pairs] for side in "ab"}
        if len(found) == 1:
            said, facts = name, pairs[0]
    yield Variation(name, said, facts, next(iter(steps)), steps)


# --- Factors ------------------------------------------------------------------------------


def factor_of(step: Step, fixed: Fixed) -> Factor | None:
    """What a step multiplies with or divides by."""
    operation = step.operation.name
    if operation == "scale":
        return "multiply", float(step.settings["factor"])
    if operation == "over":
        return "divide", float(step.settings["n"])
    if operation == "multiply" and any(name in fixed for name in step.operands):
        return "multiply", next(fixed[n] for n in step.operands if n in fixed)
    if operation == "divide" and step.operands[1] in fixed:
        return "divide", fixed[step.operands[1]]
    return None


def factors_of(steps: Sequence[Step], fixed: Fixed) -> set[Factor]:
    found = (factor_of(step, fixed) for step in steps)
    return {factor for factor in found if factor is not None}


def by_factor(name: str, operand: str, factor: Factor) -> Step:
    verb, value = factor
    if verb == "multiply":
        return Step(name, OPERATIONS["scale"], (operand,), {"factor": value})
    return Step(name, OPERATIONS["over"], (operand,), {"n": value})


def factored(step: Step, fixed: Fixed) -> str:
    """What a step multiplies."""
    if step.operation.name != "multiply":
        return step.operands[0]
    return next((n for n in step.operands if n not in fixed), step.operands[0])


def factors(step: Step, known: Context) -> Iterator[Variation]:
    """Another factor, one that is missing, or one too many."""
    if step.name not in known.moving:
        return
    own = factor_of(step, known.fixed[0])
    mine, theirs = known.factors
    if own is not None and own[1] not in (0.0, 1.0):
        operand = factored(step, known.fixed[0])
        shape = known.values[step.name].shape
        if known.values[operand].shape == shape:
            kind, said, facts = scaling(own, known)
            named = input_of(operand, known)
            if named and said in ("multiplies", "divides"):
                said, facts = f"{said} input", facts | {"x": named}
            inner = same_as(step.name, operand, shape)
            yield known.varied(kind, said, known.does() | facts, step, inner)

        def distance(factor: Factor) -> float:
            ratio = abs(factor[1] / own[1])
            return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf

        for factor in sorted(theirs - {own}, key=distance):
            verbs = (own[0], factor[0])[:: 1 if known.first else -1]
            said = verbs[0] if verbs[0] == verbs[1] else " and ".join(verbs)
            found = by_factor(step.name, operand, factor)
            both = known.numbers(own[1], factor[1])
            yield known.varied("constant", said, both, step, found)
    inner = replace(step, name=f"{step.name} unscaled")
    for factor in sorted(each for each in theirs - mine if each[1] not in (0.0, 1.0)):
        kind, said, facts = scaling(factor, known)
        last = by_factor(step.name, inner.name, factor)
        facts = known.does(own=False) | facts
        yield known.varied(kind, said, facts, step, inner, last)


def scaling(factor: Factor, known: Context) -> tuple[str, str, dict[str, str]]:
    """How it is told that one has a factor and the other not: it may be a second mean, the
    root of the width of a matrix product, or the base of a logarithm.
    """
    verb, value = factor
    divisor = value if verb == "divide" else 1 / value
    n = round(divisor) if math.isfinite(divisor) else 0
    if math.isclose(divisor, n, rel_tol=1e-12) and all(each[n] for each in known.means):
        return "averaged_twice", "averaged twice", {"n": str(n)}
    facts = {"a": number(value)}
    said = "multiplies" if verb == "multiply" else "divides"
    for base in (2, 10):
        for way, log in (
            ("divides", math.log(base)),
            ("multiplies", 1 / math.log(base)),
        ):
            if math.isclose(divisor, log, rel_tol=1e-12):
                return "base", f"{way} by log", {"n": str(base)}
    for width in known.widths - {1}:
        if math.isclose(divisor, math.sqrt(width), rel_tol=1e-12):
            return "scale", f"{said} by root", facts | {"n": str(width)}
    return "scale", said, facts


# --- Sums and means -----------------------------------------------------------------------


def summed(name: str, makers: Mapping[str, Step], size: Callable[[str], int]) -> int:
    """Over how many elements the sum goes that a value is; 0 if it is none."""
    found = 0
    while (step := makers.get(name)) is not None:
        if step.operation.name == "sum":
            found = max(found, 1) * size(step.operands[0]) // max(size(step.name), 1)
        elif step.operation.name not in PASSING or len(step.operands) > 1:
            break
        name = step.operands[0]
    return found


def divided(step: Step, values: Arrays) -> float | None:
    """What a step divides by, be it a constant or a single number that was counted."""
    single = {
        name: float(np.ravel(values[name])[0])
        for name in step.operands
        if name.startswith("= ")
    }
    factor = factor_of(step, single)
    if factor is not None and factor[1] != 0:
        return factor[1] if factor[0] == "divide" else 1 / factor[1]
    if step.operation.name == "divide" and np.size(values[step.operands[1]]) == 1:
        return float(np.ravel(values[step.operands[1]])[0])
    return None


def averaged(step: Step, known: Context) -> Iterator[Variation]:
    """A sum for a mean, one over n - 1 for one over n, and the reverse."""

    def size(name: str) -> int:
        return int(np.size(known.values[name]))

    own = divided(step, known.values)
    operand = factored(step, known.fixed[0]) if own is not None else ""
    n = summed(operand, known.makers, size) if operand else 0
    if own is not None and n > 1:
        is_mean = math.isclose(own, n)
        is_unbiased = math.isclose(own, n - 1)

        def over(name: str, of: str, m: float) -> Step:
            return Step(name, OPERATIONS["over"], (of,), {"n": float(m)})

        for m in {n, n - 1} - {round(own)} if is_mean or is_unbiased else {n}:
            if m > 0:
                facts = known.numbers(own, m) | {"n": str(n)}
                found = over(step.name, operand, m)
                kind = "biased" if is_mean or is_unbiased else "mean_sum"
                yield known.varied(kind, "averaged", facts, step, found)
        if is_mean and known.means[0][n] > known.means[1][n]:
            whole = over(step.name, operand, 1)
            facts = known.does() | {"n": str(n)}
            twice_here = known.means[1][n] > 0
            kind = "averaged_twice" if twice_here else "mean_sum"
            said = "averaged twice" if twice_here else "mean"
            yield known.varied(kind, said, facts, step, whole)
        if is_mean:
            once = over(f"{step.name} once", operand, n)
            facts = known.does(own=False) | {"n": str(n)}
            twice = once, over(step.name, once.name, n)
            yield known.varied("averaged_twice", "averaged twice", facts, step, *twice)
        for divisor in sorted(known.divisors - {own, float(n), n - 1.0}):
            facts = known.numbers(own, divisor) | {"n": str(n)}
            found = over(step.name, operand, divisor)
            yield known.varied("mean_sum", "averaged", facts, step, found)
    if step.operation.name == "variance":
        less = float(step.settings.get("correction", 0))
        n = size(step.operands[0]) // max(size(step.name), 1)
        for correction in {0.0, 1.0} - {less}:
            facts = known.numbers(n - less, n - correction)
            found = with_setting("correction", step, correction)
            yield known.varied("biased", "variance", facts, step, found)
    if step.operation.name == "sum":
        n = summed(step.name, known.makers, size)
        inner = replace(step, name=f"{step.name} summed")
        for m in (n, n - 1):
            if m > 1 and m in known.divisors:
                last = Step(
                    step.name, OPERATIONS["over"], (inner.name,), {"n": float(m)}
                )
                facts = known.does(own=False)
                if m == n:
                    facts["n"] = str(n)
                    said = "mean"
                else:
                    facts["a"] = str(m)
                    said = "divides"
                yield known.varied("mean_sum", said, facts, step, inner, last)


def means(program: Sequence[Step], values: Arrays) -> list[int]:
    """Over how many elements means are taken in a program, one for each division."""
    makers = {step.name: step for step in program}

    def size(name: str) -> int:
        return int(np.size(values[name]))

    found = []
    for step in program:
        n = divided(step, values)
        if n is None or not n >= 2 or not math.isclose(n, round(n)):
            continue
        name = step.operands[0]
        while (inner := makers.get(name)) and divided(inner, values) is not None:
            name = inner.operands[0]
        if summed(name, makers, size) == round(n):
            found.append(round(n))
    return found
