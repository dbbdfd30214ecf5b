"""The picture of which step makes the error of a gradient."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from gradparity.parity_tests.measuring.records import ErrorBudget
from gradparity.reports.figures.styles import handle, listed, look, power
from gradparity.reports.pages.svg import INK, Figure, blank, figure
from gradparity.reports.tables.budgets import BUDGETS, NO_CLAIM, Compared, shown
from gradparity.reports.tables.table import number

ALL = "all steps"
ROOM = 3.0  # beside the smallest and the largest of what is drawn


def error_budget(budgets: Sequence[ErrorBudget]) -> Figure | None:
    """For each step, how much it can and probably does add to the error of dW1, and what
    it did add in each implementation.
    """
    drawn = shown(budgets)
    if drawn is None:
        return None
    rows = rows_of(drawn)
    canvas = blank(150 + 44 * len(rows))
    axes = canvas.subplots()
    present = [
        v for bounds, errors in rows.values() for v in (*bounds, *errors.values())
    ]
    seen = [v for v in present if 0 < v < np.inf]
    low, high = min(seen) / ROOM, max(seen) * ROOM
    for row, (bounds, errors) in enumerate(rows.values()):
        bars(axes, row, bounds, low)
        marks(axes, row, errors, low)
    axes.axhline(0.5, color=INK, lw=0.8, dashes=(4, 3))
    axes.set(xscale="log", xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), list(rows))
    decades = [10.0**k for k in range(-30, 30) if low <= 10.0**k <= high]
    ticks = decades[:: max(len(decades) // 4, 1)]
    axes.set_xticks(ticks, [power(tick) for tick in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of the number")
    handles = [
        Patch(fc="none", ec=INK, lw=1, label="certain bound"),
        Patch(fc=INK, alpha=0.18, lw=0, label="probable bound"),
        *(handle(name, *look(name)) for name in drawn.by),
    ]
    canvas.legend(handles=handles, loc="outside lower center", ncols=2)
    case, dtype = drawn.any.case.rpartition("/")[2], drawn.any.dtype
    return figure(
        canvas,
        BUDGETS,
        f"Which step makes the error of {drawn.any.quantity}",
        in_words(drawn, rows),
        f"The error of {drawn.title} in {dtype}, in the case “{case}”, as a share of that "
        "number. Bars are how much of it each step can make, and probably makes, to first "
        "order; marks are what it did make. A step is named after what it computes.",
    )


def rows_of(
    drawn: Compared,
) -> dict[str, tuple[tuple[float, float], dict[str, float]]]:
    """The bounds of all steps together and of each, and by implementation the errors."""
    # Nothing is drawn where there is no claim.
    certain, probable = (drawn.largest(b) or np.nan for b in ("certain", "probable"))
    rows = {ALL: ((certain, probable), {n: drawn.actual(n) for n in drawn.by})}
    for step, found in drawn.steps.items():
        certain = max(each.certain for each in found.values()) / drawn.size
        probable = max(each.probable for each in found.values()) / drawn.size
        rows[step] = (
            (certain, probable),
            {
                name: abs(each.actual) / drawn.size
                for name, each in found.items()
                if each.actual is not None
            },
        )
    return rows


def bars(axes: Axes, row: int, bounds: tuple[float, float], low: float) -> None:
    certain, probable = bounds
    axes.barh(row, probable - low, left=low, height=0.7, color=INK, alpha=0.18, lw=0)
    axes.barh(row, certain - low, left=low, height=0.7, fc="none", ec=INK, lw=1)


def marks(axes: Axes, row: int, errors: Mapping[str, float], low: float) -> None:
    """One below the other, so that none hides another; an error of 0 is at the edge."""
    for lane, (name, error) in enumerate(errors.items()):
        y = row + (lane - (len(errors) - 1) / 2) * 0.56 / max(len(errors), 1)
        marker, colour = look(name)
        x = max(error, low)
        axes.plot(x, y, marker, ms=5, color=colour, clip_on=False)


def in_words(
    drawn: Compared,
    rows: Mapping[str, tuple[tuple[float, float], dict[str, float]]],
) -> str:
    said = "; ".join(
        f"{step}: {bounded(*bounds)}, actually "
        f"{listed(f'{number(error)} ({name})' for name, error in errors.items())}"
        for step, (bounds, errors) in rows.items()
    )
    return (
        f"Bar chart on a logarithmic axis of the error of {drawn.title}, as a share of it, "
        f"by step. {said}."
    )


def bounded(certain: float, probable: float) -> str:
    if np.isnan(certain) and np.isnan(probable):
        return NO_CLAIM
    most = NO_CLAIM if np.isnan(certain) else f"at most {number(certain)}"
    return f"{most}, probably {number(probable)}"
