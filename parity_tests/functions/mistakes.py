"""Mistakes that are known from practice, tried: does one of them turn a function into the
other, exactly?

A variation changes a step of the one that was recorded, at or near where the two part, and
everything that follows is computed again, gradients included. If then every quantity is the
other's, that is what the two differ in, and it has a name. What is so on some numbers may
be chance: a name has to hold on all lots of numbers, each with what was recorded there.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import combinations, islice

import numpy as np

from gradparity.parity_tests.functions import rearranged, variations
from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.models import Model, agree
from gradparity.parity_tests.functions.parting import Parting
from gradparity.parity_tests.functions.programs import Arrays, Executed
from gradparity.parity_tests.functions.sentences import (
    SENTENCES,
    Facts,
    number,
    told,
)
from gradparity.parity_tests.functions.variations import Context, Variation
from gradparity.parity_tests.measuring.wording import listed
from gradparity.reference.rounding.programs import Step

ROOM = 1e-11  # of the largest element: two that are exactly the same function
DERIVED = 1e-9  # the same of gradients
MOST = 4000  # variations tried
NEAR = 12  # steps after the first that differs at which they are
WORK = 1e8  # numbers computed for that

CONSTANT = re.compile("= [^']+")  # as programs call one that is not rounded
Lots = Sequence[tuple[Judged, Judged]]
Tries = Callable[[Context, Sequence[Step]], Iterator[Variation]]


def step_by_step(way: variations.Way) -> Tries:
    def each(known: Context, candidates: Sequence[Step]) -> Iterator[Variation]:
        for step in candidates:
            yield from way(step, known)

    return each


def settings(known: Context, candidates: Sequence[Step]) -> Iterator[Variation]:
    return rearranged.resettled(known)


def other_operator(known: Context, candidates: Sequence[Step]) -> Iterator[Variation]:
    return rearranged.instead(known)


# The likeliest first, and of what is as likely what is simplest.
LIKELY: tuple[Tries, ...] = (
    settings,
    step_by_step(variations.averaged),
    step_by_step(partial(variations.other_constants, True)),
    step_by_step(variations.factors),
    step_by_step(rearranged.other_axes),
    step_by_step(rearranged.roots),
    step_by_step(rearranged.masks),
    step_by_step(rearranged.missing),
)
OTHERS: tuple[Tries, ...] = (
    step_by_step(rearranged.functions),
    step_by_step(rearranged.operands),
    step_by_step(rearranged.added),
    variations.exchanged,
    rearranged.elsewhere,
    other_operator,
    step_by_step(partial(variations.other_constants, False)),
)


@dataclass(frozen=True)
class Mistake:
    """What two functions differ in.

    Args:
        name: of the kind.
        said: which of `SENTENCES` tells it.
        facts: what stands in that.
        step: where.
    """

    name: str
    said: str
    facts: Facts = field(default_factory=dict)
    step: Executed | None = None

    @property
    def sentence(self) -> str:
        """What it is, in which of them."""
        return told(SENTENCES[self.said], self.facts, listed)


def mistake(
    names: tuple[str, str], lots: Lots, partings: tuple[Parting, Parting]
) -> Mistake | None:
    """The known mistake in which two functions differ; None if it is none of those.

    Args:
        names: what they are called.
        lots: both, as recorded on several lots of numbers. Steps are varied on the last.
        partings: where each of them parts from the other.
    """
    quantities = lots[-1][0].quantities
    outputs = [*quantities][: len(lots[-1][0].recording.outputs)]
    sides = [Direction(names, lots, partings, first) for first in (True, False)]
    same = all(
        agree(values(lot[0]), values(lot[1]), [name], ROOM)
        for lot in lots
        for name in outputs
        if name in lot[1].quantities
    )
    if same:
        found = map(stopped, sides)
        return next((each for each in found if each is not None), None)
    return (
        swapped(names, lots, outputs)
        or varied(sides, LIKELY)
        or going_on(sides)
        or varied(sides, OTHERS)
        or of_outputs(names, lots, outputs)
        or by_setting(sides[0])
    )


def values(judged: Judged) -> Arrays:
    return {name: judged.value(name) for name in judged.quantities}


# --- One of the two -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Direction:
    """One of two functions, of which it is tried what would make of it the other.

    Args:
        names, lots, partings: those of both.
        first: whether it is the first of the two that is varied.
    """

    names: tuple[str, str]
    lots: Lots
    partings: tuple[Parting, Parting]
    first: bool

    @cached_property
    def known(self) -> list[Context | None]:
        """What is known of it on each lot of numbers; None where it is not made of steps
        whose rules reproduce what was recorded.
        """
        found: list[Context | None] = []
        one, other = self.partings if self.first else self.partings[::-1]
        for a, b in self.lots:
            lot = (a, b) if self.first else (b, a)
            own = Model.of(lot[0])
            if own is None:
                found.append(None)
                continue
            both = one, other
            found.append(Context(own, own.values(), lot, both, self.names, self.first))
        return found

    @property
    def outputs(self) -> list[str]:
        return self.given("outputs")

    @property
    def gradients(self) -> list[str]:
        return self.given("inputs")

    def given(self, which: str) -> list[str]:
        """The quantities that both have."""
        model = self.known[-1]
        wanted = self.lots[-1][1 if self.first else 0].quantities
        return (
            []
            if model is None
            else [q for q in getattr(model.own, which) if q in wanted]
        )

    def candidates(self, known: Context) -> list[Step]:
        near = {step.number for step in known.partings[0].suspects[:NEAR]}
        owner = known.judged[0].recording.owner
        return [step for step in known.own.steps if owner(step.name) in near]

    def sound(self, known: Context) -> bool:
        """Whether its steps come to what was recorded of it."""
        own = known.own
        return agree(own.results(known.values), own.recorded, self.outputs, ROOM)

    def tried(self, way: Tries, most: int) -> Iterator[tuple[Mistake, bool]]:
        """Yield what makes of its results those of the other, and whether it does so of its
        gradients.
        """
        known = self.known[-1]
        if known is None or not self.sound(known):
            return
        for each in islice(way(known, self.candidates(known)), most):
            found = with_variation(known, each)
            if found is None or not agree(
                found[0].results(found[1]), values(known.judged[1]), self.outputs, ROOM
            ):
                continue
            if not self.holds(way, each):
                continue
            names = dict(zip(("one", "other"), self.names, strict=True))
            facts = {**names, **each.facts}
            said = Mistake(each.name, each.said, facts, known.executed(each.at))
            # What arrives at outputs of another shape is what arrives at the other's.
            model = replace(found[0], seeds=found[0].seeds_from(known.judged[1]))
            wanted = values(known.judged[1])
            gradients = model.gradients(found[1])
            yield said, agree(gradients, wanted, self.gradients, DERIVED)

    def holds(self, way: Tries, variation: Variation) -> bool:
        """Whether a variation makes the other function of it on all numbers; on some of
        them they differ.
        """
        differ = False
        for known in self.known:
            if known is None or not self.sound(known):
                continue
            wanted = values(known.judged[1])
            if known is not self.known[-1]:
                alike = (
                    with_variation(known, each)
                    for each in islice(way(known, self.candidates(known)), MOST)
                    if (each.said, each.facts, each.at)
                    == (variation.said, variation.facts, variation.at)
                )
                if not any(
                    found is not None
                    and agree(found[0].results(found[1]), wanted, self.outputs, ROOM)
                    for found in alike
                ):
                    return False
            differ |= not agree(known.own.recorded, wanted, self.outputs, ROOM)
        return differ


def with_variation(known: Context, variation: Variation) -> tuple[Model, Arrays] | None:
    """A function with other steps, and its values; None if they do not fit."""
    steps: list[Step] = []
    for step in known.own.steps:
        steps += variation.steps.get(step.name, [step])
    names = {
        name for each in variation.steps.values() for s in each for name in s.operands
    }
    constants = {n: np.array(float(n[2:])) for n in names if CONSTANT.fullmatch(n)}
    changed = known.own.with_steps(steps, constants)
    try:
        return changed, changed.values(known.values, variation.steps)
    except (ValueError, IndexError, TypeError, KeyError):
        return None


def varied(directions: Sequence[Direction], ways: Sequence[Tries]) -> Mistake | None:
    """The variation of a step that makes of one function the other one."""
    partly: Mistake | None = None
    for way in ways:
        for direction in directions:
            known = direction.known[-1]
            if known is None:
                continue
            size = sum(value.size for value in known.values.values())
            for said, wholly in direction.tried(way, min(MOST, int(WORK // size))):
                if wholly:
                    return said
                partly = partly or said
    return partly


# --- Results ------------------------------------------------------------------------------


def swapped(
    names: tuple[str, str], lots: Lots, outputs: Sequence[str]
) -> Mistake | None:
    """That two outputs stand in each other's place."""
    for q, p in combinations(outputs, 2):
        crossed = [
            (one.value(a), other.value(b))
            for one, other in lots
            for a, b in ((q, p), (p, q))
            if a in one.quantities and b in other.quantities
        ]
        straight = [(one.value(q), other.value(q)) for one, other in lots]
        if all(same(a, b) for a, b in crossed) and not all(
            same(a, b) for a, b in straight
        ):
            facts = dict(zip(("one", "other", "q", "p"), (*names, q, p), strict=True))
            return Mistake("swapped", "outs swapped", facts)
    return None


def by_setting(direction: Direction) -> Mistake | None:
    """Of an operator without a rule: the same one, of the same values, has another setting
    where the two part.
    """
    firsts = [each.steps[0] for each in direction.partings if each.steps]
    if len(firsts) < 2 or firsts[0].operator != firsts[1].operator:
        return None
    own, theirs = firsts
    told = rearranged.settings_told(own, theirs, direction.lots[0], True)
    if told is None or len(own.operands) != len(theirs.operands):
        return None
    for one, other in direction.lots:
        for a, b in zip(own.operands, theirs.operands, strict=True):
            if not same(one.recording.values[a], other.recording.values[b]):
                return None
    name, said, facts = told
    both = dict(zip(("one", "other"), direction.names, strict=True))
    return Mistake(name, said, both | facts, own)


def going_on(directions: Sequence[Direction]) -> Mistake | None:
    """That one returns what the other computes on the way."""
    for direction in directions:
        more, less = direction.partings[:: 1 if direction.first else -1]
        if not more.steps or less.steps or more.steps[0].phase == "backward":
            continue
        names = direction.names[:: 1 if direction.first else -1]
        step = more.steps[0]
        facts = {"who": names[0], "without": names[1], "a": step.code}
        return Mistake("dropped", "goes on", facts, step)
    return None


def of_outputs(
    names: tuple[str, str], lots: Lots, outputs: Sequence[str]
) -> Mistake | None:
    """What can be seen of the outputs alone, and is so on all numbers: a factor, or a
    transposition.
    """
    both = dict(zip(("one", "other"), names, strict=True))
    for quantity in outputs:
        facts = both | {"q": quantity}
        pairs = [(a.value(quantity), b.value(quantity)) for a, b in lots]
        if all(same(a, b) for a, b in pairs):
            continue
        if all(a.ndim > 1 and same(a.T, b) for a, b in pairs):
            return Mistake("transposed", "out transposed", facts)
        factors = [f for a, b in pairs if (f := multiple(b, a)) is not None]
        if len(factors) < len(pairs) or not np.allclose(factors, factors[0], 1e-11, 0):
            continue
        return by_factor(factors[0], names, facts, lots[-1])
    return None


def by_factor(
    factor: float,
    names: tuple[str, str],
    facts: dict[str, str],
    lot: tuple[Judged, Judged],
) -> Mistake:
    """What it comes of that one result is a multiple of the other."""
    if factor == -1:
        return Mistake("sign", "out negated", facts)
    counts = [averages(judged) for judged in lot]
    for n in {*counts[0], *counts[1]}:
        for value, who in ((1 / n, 0), (float(n), 1)):
            more, less = counts[who][n], counts[1 - who][n]
            if more > less and math.isclose(factor, value, rel_tol=1e-12):
                told = {"who": names[who], "without": names[1 - who], "n": str(n)}
                kind = "averaged_twice" if less else "mean_sum"
                return Mistake(kind, "averaged twice" if less else "mean", told)
    facts = facts | {"a": number(factor)}
    has_log = any(
        step.operation.name in ("log", "log1p")
        for judged in lot
        for step in judged.recording.program
    )
    for base in (2, 10) if has_log else ():
        for value in (math.log(base), 1 / math.log(base)):
            if math.isclose(factor, value, rel_tol=1e-12):
                return Mistake("base", "out in base", facts | {"b": str(base)})
    return Mistake("scale", "out times", facts)


def averages(judged: Judged) -> Counter[int]:
    """Over how many elements a function takes means, gradients included."""
    recorded = {name: bounded.value for name, bounded in judged.whole.items()}
    return Counter(variations.means(judged.recording.program, recorded))


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two values are, but for rounding."""
    return a.dtype.kind == b.dtype.kind and agree({"": a}, {"": b}, [""], ROOM)


def multiple(a: np.ndarray, b: np.ndarray) -> float | None:
    """The number that b is a times; None if there is none."""
    if a.shape != b.shape or not np.isfinite(a).all() or not np.isfinite(b).all():
        return None
    if not a.any() or not b.any():
        return None
    at = np.unravel_index(np.argmax(np.abs(a)), a.shape)
    factor = float(b[at] / a[at])
    size = float(np.max(np.abs(b)))
    return factor if np.allclose(factor * a, b, rtol=0, atol=ROOM * size) else None


# --- Backward -----------------------------------------------------------------------------


def stopped(direction: Direction) -> Mistake | None:
    """What is wrong with the gradients of the other function, whose results are right: they
    are those of this one, but for one edge of its graph or for a factor.
    """
    known = direction.known[-1]
    if known is None:
        return None
    own, gradients = known.own, direction.gradients
    wanted = values(known.judged[1])
    right = own.gradients(known.values)
    if not agree(right, own.recorded, gradients, DERIVED):
        return None  # this one's own are not the derivatives of what it computes
    wrong = [q for q in gradients if not agree(right, wanted, [q], DERIVED)]
    if not wrong:
        return None
    simple = of_gradients(known, right, wanted, wrong)
    if simple is not None:
        return simple
    edges = [
        (step.name, position)
        for step in own.steps
        for position, name in enumerate(step.operands)
        if not name.startswith("=")
    ]
    for factor, kind, said in (
        (0.0, "stopped", "stopped"),
        (-1.0, "sign", "turned back"),
        (2.0, "scale", "doubled"),
    ):
        for edge in edges[:MOST]:
            step = known.executed(edge[0])
            # Inside a fused operator, which the other may not have, it is a part of it.
            inside = step is None or len(step.meaning or ()) > 1
            if inside and kind != "stopped":
                continue
            found = own.gradients(known.values, {edge: factor})
            if agree(found, wanted, gradients, DERIVED):
                facts = known.does(own=False) | {"a": step.code if step else edge[0]}
                return Mistake(kind, "left out" if inside else said, facts, step)
    return None


def of_gradients(
    known: Context, right: Arrays, wanted: Arrays, wrong: Sequence[str]
) -> Mistake | None:
    """Zero, transposed, or a multiple."""
    facts = known.does(own=False) | {"q": wrong}
    if not any(wanted[q].any() for q in wrong):
        return Mistake("stopped", "zero", facts)
    if all(
        wanted[q].ndim == 2 and agree({q: right[q].T}, wanted, [q], DERIVED)
        for q in wrong
    ):
        return Mistake("transposed", "gradient transposed", facts)
    factors = [multiple(right[q], wanted[q]) for q in wrong]
    first = factors[0]
    if first is None or not all(
        f is not None and math.isclose(f, first, rel_tol=1e-9) for f in factors
    ):
        return None
    if first == -1:
        return Mistake("sign", "gradient negated", facts)
    own, theirs = map(averages, known.judged)
    forward = Counter(variations.means(known.own.steps, known.values))
    for n in {*forward, *theirs}:
        facts = facts | {"n": str(n)}
        if forward[n] and math.isclose(first, n, rel_tol=1e-12):
            return Mistake("mean_sum", "gradient of sum", facts)
        if forward[n] and math.isclose(first, 1 / n, rel_tol=1e-12):
            return Mistake("averaged_twice", "gradient averaged twice", facts)
        if theirs[n] > own[n] and math.isclose(first, 1 / n, rel_tol=1e-12):
            return Mistake("mean_sum", "gradient of mean", facts)
    return Mistake("scale", "gradient times", facts | {"a": number(first)})
