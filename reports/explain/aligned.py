"""The three side by side: which line, operator and equation computes which step.

Nothing is matched by name. All three run on the same numbers, no two of which are equal
by chance (`observing.generic`, in float64), and whatever comes to the value of a step is
that step. What comes to no step's value leads up to the next one that does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.parting import close
from gradparity.reports.explain.observing import Seen

Step = dict[str, Any]
RELATIVE = 1e-9  # in float64, of numbers that differ by a hundredth at least
PHASES = ("forward", "backward")


@dataclass(eq=False)
class Row:
    """A mathematical step: its values on generic numbers, and who computes it with what.

    `does` are the lines of code by implementation, `keeps` what is remembered of it,
    `names` the variables and statements that it is made and handed on with in the first.
    """

    phase: str
    values: list[np.ndarray]
    title: str = ""
    names: list[str] = field(default_factory=list)
    does: dict[str, list[str]] = field(default_factory=dict)
    keeps: dict[str, list[Step]] = field(default_factory=dict)

    def has(self, value: np.ndarray) -> bool:
        return any(same(value, own) for own in self.values)


@dataclass(frozen=True)
class Total:
    """What an implementation keeps: all of it, and what would not be there anyway."""

    kept: int
    extra: int

    @classmethod
    def of(cls, saved: Sequence[Step]) -> "Total":
        """Memory that two share is counted once."""
        own = [s for s in saved if "." not in s["same_as"]]
        return cls(
            sum(s["bytes"] for s in own),
            sum(s["bytes"] for s in own if not s["same_as"]),
        )


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether they are the same numbers, but for rounding, for dimensions of size 1, for
    a transposition or, with booleans, a negation.
    """
    one, other = np.squeeze(one), np.squeeze(other)
    if "b" in (one.dtype.kind, other.dtype.kind):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return bool((one == other).all() or (one != other).all())
    if one.dtype.kind != other.dtype.kind:
        return False
    return _close(one, other) or (one.ndim == 2 and _close(one, other.T))


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    largest = max(np.abs(one).max(initial=0), np.abs(other).max(initial=0))
    return close(one, other, RELATIVE * largest)


def values(step: Step) -> list[np.ndarray]:
    """The arrays that a step came to; shapes and indices are no results."""
    found = step.get("values") or [step["value"]]
    arrays = [np.asarray(value) for value in found if value is not None]
    return [array for array in arrays if array.dtype.kind in "fb" and array.size]


def align(
    base: Seen, others: Sequence[Seen], titles: Mapping[str, str] | None = None
) -> list[Row]:
    """The steps of `base`, and in each row what computes it in all implementations.

    What comes to the numbers that were given is no step of its own, unless `titles` has
    a title for it (by statement or variable).
    """
    rows = [Row("inputs", [*base.numbers.values()])]
    for phase in PHASES:
        rows += _steps(base, phase, rows, titles or {})
    for seen in others:
        for phase in PHASES:
            _assign(seen, phase, rows)
    for seen in (base, *others):
        _remember(seen, rows)
    return rows


def _steps(
    base: Seen, phase: str, before: Sequence[Row], titles: Mapping[str, str]
) -> list[Row]:
    """A row for each step of `base` whose value is new.

    A statement that only hands on what is there belongs to the row that it hands on, or
    if that was given, to the step that it prepares.
    """
    rows: list[Row] = []
    waiting: list[str] = []
    for step, code in told(base, phase):
        found = values(step)
        if not found:
            continue
        known = [row for row in rows if all(map(row.has, found))]
        if known:
            known[0].names += [step["name"], code]
            if not code.startswith("return"):
                _add(known[0], base.name, [code])
            continue
        old = any(all(map(row.has, found)) for row in before)
        if old and not {code, step["name"]} & {*titles}:
            if not code.startswith("return"):
                waiting.append(code)
            continue
        # Of numbers that were there before, nobody else has to make anything.
        row = Row(phase, [] if old else found, names=[step["name"], code])
        _add(row, base.name, [*waiting, code])
        rows.append(row)
        waiting = []
    for row in rows:
        row.title = next((titles[n] for n in reversed(row.names) if n in titles), "")
    return rows


def _add(row: Row, name: str, codes: Sequence[str]) -> None:
    does = row.does.setdefault(name, [])
    does += [code for code in dict.fromkeys(codes) if code not in does]


def told(seen: Seen, phase: str) -> list[tuple[Step, str]]:
    """The steps on generic numbers, each with its code as it is for the example."""
    generic, own = seen.generic[phase], seen.steps[phase]
    if len(generic) != len(own):  # what is done depends on the numbers
        own = generic
    return [(step, o["code"]) for step, o in zip(generic, own, strict=True)]


def _assign(seen: Seen, phase: str, rows: Sequence[Row]) -> None:
    """Put the steps of an implementation into the rows whose values they come to.

    One that comes to no row's value belongs to the next that does; or to the one before,
    if that is of the same function or autograd node and the next is not.
    """
    rows = [row for row in rows if row.phase == phase]
    waiting: list[tuple[str, str]] = []  # owner and code
    last, owner = (rows[-1] if rows else None), ""
    for step, code in told(seen, phase):
        if step["owner"] == "bookkeeping":
            continue
        found = values(step)
        fitting = [row for row in rows if any(map(row.has, found))]
        if fitting:
            while waiting and last and owner == waiting[0][0] != step["owner"]:
                _add(last, seen.name, [waiting.pop(0)[1]])
            free = [row for row in fitting if seen.name not in row.does]
            last, owner = (free or fitting)[0], step["owner"]
            _add(last, seen.name, [*(text for _, text in waiting), code])
            waiting = []
        else:
            waiting.append((step["owner"], code))
    if waiting and last is not None:
        _add(last, seen.name, [text for _, text in waiting])


def _remember(seen: Seen, rows: Sequence[Row]) -> None:
    """Tell of every value that is kept which step it comes from."""
    forward = [row for row in rows if row.phase == "forward"]
    for saved, generic in zip(seen.kept, seen.generic_kept, strict=True):
        value = np.asarray(generic["value"])
        fitting = [row for row in [rows[0], *forward] if row.has(value)]
        if not fitting:  # it is on the way to some row's value
            made = {
                code
                for step, code in told(seen, "forward")
                if any(same(value, own) for own in values(step))
            }
            fitting = [r for r in forward if made & {*r.does.get(seen.name, [])}]
        row = (fitting or forward[-1:] or rows)[0]
        row.keeps.setdefault(seen.name, []).append(saved)


def totals(there: Sequence[Seen]) -> dict[str, tuple[Total, Total | None]]:
    """By implementation: for the example, and at MNIST's size."""
    return {
        seen.name: (
            Total.of(seen.kept),
            None if seen.scaled is None else Total.of(seen.scaled),
        )
        for seen in there
    }
