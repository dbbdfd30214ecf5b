"""Every operator that ran, judged by itself: its result against the exact one of the very
operands that it got, within the bound of that operator alone.

Nothing compounds, so this is as sharp at the end of a deep network as at its beginning; and
it convicts the operator, and not whoever calls it.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from gradparity.parity_tests.functions.judging import differences
from gradparity.parity_tests.functions.programs import Executed, Recording
from gradparity.reference.rounding import Arithmetic, Bounded


@dataclass(frozen=True)
class Failed:
    """An operator whose result is further off than rounding can take it."""

    step: Executed
    ratio: float
    at: tuple[int, ...]
    value: float
    truth: float


@dataclass(frozen=True)
class Operators:
    """What came of judging the operators of a program one by one.

    Args:
        steps: how many computed floating-point numbers.
        judged: how many of these were judged; the rest are `unjudged`.
        worst: the largest error as a share of its bound, and where.
        failed: those beyond their bound, the worst first.
        unjudged: by operator, how many have no rule, or no bound for what they got.
    """

    steps: int
    judged: int
    worst: float
    at: Executed | None
    failed: list[Failed]
    unjudged: dict[str, int]


def judge_operators(recording: Recording, arithmetic: Arithmetic) -> Operators:
    """Judge every operator of a program, as it was recorded in this arithmetic. Nothing is
    said of what may have overflown.
    """
    arithmetic = replace(arithmetic, overflows=True)
    found: list[tuple[float, Executed, Failed]] = []
    unjudged: Counter[str] = Counter()
    total = 0
    for executed in recording.executed:
        floats = [n for n in executed.results if recording.values[n].dtype.kind == "f"]
        if not floats or executed.meaning == []:
            continue
        total += 1
        if executed.meaning is None:
            unjudged[executed.operator] += 1
            continue
        worst = judged(recording, executed, arithmetic)
        if worst is None:
            unjudged[executed.operator] += 1
        else:
            found.append((worst.ratio, executed, worst))
    found.sort(key=lambda each: -each[0])
    failed = [each for ratio, _, each in found if not ratio <= 1]
    first = found[0] if found else None
    return Operators(
        total,
        len(found),
        first[0] if first else 0.0,
        first[1] if first else None,
        failed,
        dict(unjudged),
    )


def judged(
    recording: Recording,
    executed: Executed,
    arithmetic: Arithmetic,
) -> Failed | None:
    """The element of its results that is furthest off; None where there is no bound."""
    flow: dict[str, Bounded] = {}
    with np.errstate(all="ignore"):
        entries = recording.entries(executed)
        for step in entries:
            for name in step.operands:
                if name not in flow:
                    flow[name] = Bounded.exact(recording.start(name), arithmetic)
            operands = [flow[name] for name in step.operands]
            flow[step.name] = step.bounded(operands, arithmetic)
    # In float64 the truth is no wider than what is judged, and as far off.
    wide = any((step.dtype or recording.dtype) == "float64" for step in entries)
    slack = 2.0 if wide else 1.0
    worst: Failed | None = None
    for number in executed.results:
        value = recording.values[number]
        bound = flow.get(f"v{number}")
        if bound is None or value.dtype.kind != "f" or not value.size:
            continue
        if bound.value.shape != value.shape:
            return None
        off = differences(value, np.asarray(bound.value))
        with np.errstate(all="ignore"):
            error = bound.spread
            ratio = np.where(off == 0, 0.0, off / (slack * error))
        unknown = ~np.isfinite(error)
        if unknown.all() and off.any():
            return None
        ratio = np.where(unknown, 0.0, np.where(np.isnan(ratio), np.inf, ratio))
        at = tuple(int(i) for i in np.unravel_index(np.argmax(ratio), ratio.shape))
        largest = float(ratio[at])
        if worst is None or largest > worst.ratio:
            truth = float(np.asarray(bound.value)[at])
            worst = Failed(executed, largest, at, float(value[at]), truth)
    return worst
