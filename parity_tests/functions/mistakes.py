"""Mistakes that are known from practice, tried: does one of them turn a function into the
other, exactly?

A variation changes a step of the one that was recorded, at or near where the two part, and
everything that follows is computed again, gradients included. If then every quantity is the
other's, that is what the two differ in, and it has a name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from gradparity.parity_tests.functions import are, listed
from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.models import Model, agree
from gradparity.parity_tests.functions.parting import Parting
from gradparity.parity_tests.functions.programs import Arrays, Executed
from gradparity.parity_tests.functions.variations import (
    Variation,
    constants,
    variations,
)
from gradparity.reference.rounding.programs import Step

ROOM = 1e-11  # of the largest element: two that are exactly the same function
MOST = 4000  # variations tried
NEAR = 12  # steps after the first that differs at which they are
WORK = 1e8  # numbers computed for that


@dataclass(frozen=True)
class Mistake:
    """What two functions differ in.

    Args:
        name: of the kind.
        sentence: what it is, in which of them.
        step: where.
    """

    name: str
    sentence: str
    step: Executed | None = None


def mistake(
    names: tuple[str, str],
    lots: Sequence[tuple[Judged, Judged]],
    partings: tuple[Parting, Parting],
) -> Mistake | None:
    """The known mistake in which two functions differ; None if it is none of those.

    Args:
        names: what they are called.
        lots: both, as recorded on several lots of numbers. Steps are varied on the last.
        partings: where each of them parts from the other.
    """
    judged = lots[-1]
    found = of_outputs(names, lots)
    if found is not None:
        return found
    for one, other in ((0, 1), (1, 0)):
        own, theirs = Model.of(judged[one]), judged[other]
        if own is None:
            continue
        wanted = {name: theirs.value(name) for name in theirs.quantities}
        both = names[one], names[other]
        found = varied(
            own, judged[one], wanted, both, partings[one], constants(judged[other])
        )
        if found is not None:
            return found
    return None


# --- Results ------------------------------------------------------------------------------


def of_outputs(
    names: tuple[str, str], lots: Sequence[tuple[Judged, Judged]]
) -> Mistake | None:
    """What can be seen of the outputs alone, and is so on all numbers: a factor, or a
    transposition.
    """
    one, other = names
    first = lots[0][0]
    for number, (quantity, _) in enumerate(first.quantities.items()):
        if number >= len(first.recording.outputs):
            break
        pairs = [(a.value(quantity), b.value(quantity)) for a, b in lots]
        if all(same(a, b) for a, b in pairs):
            continue
        if all(a.ndim > 1 and same(a.T, b) for a, b in pairs):
            said = f"{quantity} of {one} is that of {other}, transposed"
            return Mistake("transposed", said)
        factors = [f for a, b in pairs if (f := multiple(b, a)) is not None]
        if len(factors) < len(pairs) or not np.allclose(factors, factors[0], 1e-9, 0):
            continue
        factor = factors[0]
        shapes = [value.shape for value in first.recording.values]
        said = named_factor(factor, {n for shape in shapes for n in shape})
        kind = "sign" if factor == -1 else "mean_sum" if "mean" in said else "scale"
        return Mistake(kind, f"{quantity} of {one} is that of {other}{said}")
    return None


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


def named_factor(factor: float, sizes: set[int]) -> str:
    """How a number is said: by what it may come of."""
    if factor == -1:
        return " with the opposite sign"
    for n in sorted(sizes - {0, 1}):
        for value, said in (
            (n, f"times {n}, as a sum and a mean over {n} differ"),
            (1 / n, f"over {n}, as a mean and a sum over {n} differ"),
            (math.sqrt(n), f"times the root of {n}"),
            (1 / math.sqrt(n), f"over the root of {n}"),
            (n / (n - 1), f"times {n} / {n - 1}"),
            ((n - 1) / n, f"times {n - 1} / {n}"),
            (n * n, f"times {n} twice"),
            (1 / (n * n), f"over {n} twice: averaged twice"),
        ):
            if math.isclose(factor, value, rel_tol=1e-12):
                return f" {said}"
    for value, said in (
        (math.log(2), "log 2"),
        (1 / math.log(2), "1 / log 2"),
        (math.log(10), "log 10"),
        (1 / math.log(10), "1 / log 10"),
    ):
        if math.isclose(factor, value, rel_tol=1e-12):
            return f" times {said}: a logarithm to another base"
    return f" times {factor:.9g}"


# --- Steps ---


def varied(
    own: Model,
    judged: Judged,
    wanted: Arrays,
    names: tuple[str, str],
    parting: Parting,
    theirs: dict[str, set[float]],
) -> Mistake | None:
    """The variation of a step that makes of a function the other one."""
    near = {step.number for step in parting.suspects[:NEAR]}
    recording = judged.recording
    candidates = [s for s in own.steps if recording.owner(s.name) in near]
    outputs = [name for name in own.outputs if name in wanted]
    gradients = [name for name in own.inputs if name in wanted]
    if agree(own.recorded, wanted, outputs, ROOM):
        return stopped(own, judged, wanted, gradients, names)
    values = own.values()
    most = min(MOST, int(WORK // sum(value.size for value in values.values())))
    partial: Mistake | None = None
    for each in islice(variations(own, candidates, values, theirs, names), most):
        changed = own.with_steps(substituted(own.steps, each), each.given)
        try:
            found = changed.values(values, each.steps)
        except (ValueError, IndexError, TypeError):  # it does not fit
            continue
        if not agree(changed.results(found), wanted, outputs, ROOM):
            continue
        owner = recording.owner(each.at)
        step = None if owner is None else recording.executed[owner]
        said = Mistake(each.name, each.sentence, step)
        if agree(changed.gradients(found), wanted, gradients, 1e-9):
            return said
        partial = partial or said
    return partial


def substituted(steps: Sequence[Step], variation: Variation) -> list[Step]:
    found: list[Step] = []
    for step in steps:
        found += variation.steps.get(step.name, [step])
    return found


# --- Backward -----------------------------------------------------------------------------


def stopped(
    own: Model,
    judged: Judged,
    wanted: Arrays,
    gradients: Sequence[str],
    names: tuple[str, str],
) -> Mistake | None:
    """What is wrong with the gradients of a function whose results are right: they are
    those of this one, but for one edge of its graph or for a factor.
    """
    other = names[1]
    values = own.values()
    right = own.gradients(values)
    if not agree(right, own.recorded, gradients, 1e-9):
        return None  # this one's own are not the derivatives of what it computes
    wrong = [q for q in gradients if not agree(right, wanted, [q], 1e-9)]
    if not wrong:
        return None
    simple = of_gradients(own, right, wanted, wrong, names)
    if simple is not None:
        return simple
    edges = [
        (step.name, position)
        for step in own.steps
        for position, name in enumerate(step.operands)
        if not name.startswith("=")
    ]
    for factor, kind, said in (
        (0.0, "stopped", "the gradient is stopped"),
        (-1.0, "sign", "the gradient has the opposite sign"),
        (2.0, "scale", "the gradient is counted twice"),
    ):
        for edge in edges[:MOST]:
            found = own.gradients(values, {edge: factor})
            if agree(found, wanted, gradients, 1e-9):
                owner = judged.recording.owner(edge[0])
                step = None if owner is None else judged.recording.executed[owner]
                where = f" at {step.code}" if step is not None else ""
                return Mistake(kind, f"in {other}, {said} that goes back{where}", step)
    return None


def of_gradients(
    own: Model,
    right: Arrays,
    wanted: Arrays,
    wrong: Sequence[str],
    names: tuple[str, str],
) -> Mistake | None:
    """Zero, transposed, or a multiple."""
    other = names[1]
    said = f"{listed(wrong)} of {other} {are(wrong)}"
    if not any(wanted[q].any() for q in wrong):
        return Mistake("stopped", f"{said} zero: no gradient gets there")
    if all(
        wanted[q].ndim == 2 and agree({q: right[q].T}, wanted, [q], 1e-9) for q in wrong
    ):
        return Mistake("transposed", f"{said} transposed")
    factors = [multiple(right[q], wanted[q]) for q in wrong]
    first = factors[0]
    if first is not None and all(
        f is not None and math.isclose(f, first, rel_tol=1e-9) for f in factors
    ):
        sizes = {n for value in own.given.values() for n in value.shape}
        kind = "sign" if first == -1 else "scale"
        ones = "one" if len(wrong) == 1 else "ones"
        return Mistake(kind, f"{said} the right {ones}{named_factor(first, sizes)}")
    return None
