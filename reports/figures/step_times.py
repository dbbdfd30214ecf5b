"""The picture of how the cost of a training step grows with the batch and the network.

Frameworks differ by colour, what kind of loop it is by the dash, and each contender has
a mark of its own, so that nothing hangs on colour alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gradparity.parity_tests.measuring.records import Bench, BenchRow
from gradparity.reports.figures.styles import LOOKS, PURPLE, look
from gradparity.reports.pages.svg import INK, STYLE, Figure, blank, figure
from gradparity.reports.tables.sweeps import (
    OVERHEAD,
    WORDS,
    Sweep,
    overhead_end,
    short,
    sweeps,
)
from gradparity.reports.tables.timings import SPEED

FRAMEWORKS = {
    "numpy": "reference",
    "torch": "torch",
    "jax": "jax",
    "sklearn": "sklearn",
}
DASHES: Mapping[str, Any] = {  # by kind of loop
    "floor": (0, (4, 2.5)),
    "ours": "-",
    "idiomatic": (0, (1, 1.5)),
    "lecture": (0, (7, 2, 1, 2)),
}
MARKS = ("D", "v", "P", "X", "<", ">", "*", "p", "h", "d")


def speed(bench: Bench) -> Figure | None:
    """Time of a step over both sizes, both axes logarithmic; of the first dtype and
    number of threads that sizes were measured with.
    """
    first = {sweep.axis: sweep for sweep in reversed(sweeps(bench.rows))}
    found = [first[axis] for axis in WORDS.values() if axis in first]
    if not found:
        return None
    rows = {name: row for sweep in found for name, row in sweep.rows.items()}
    looks = styles(rows.values())
    with rc_context(STYLE):
        canvas = blank(30 + 260 * len(found) + 17 * (len(rows) + 1) // 2, gap=8)
        panels = canvas.subplots(len(found), 1, squeeze=False)[:, 0]
        for axes, sweep in zip(panels, found, strict=True):
            panel(axes, sweep, looks)
        handles = [Line2D([], [], label=name, **looks[name]) for name in rows]
        canvas.legend(
            handles=handles, loc="outside lower center", ncols=2, handlelength=3.2
        )
        return figure(
            canvas,
            SPEED,
            "How a step’s time grows",
            " ".join(in_words(sweep) for sweep in found),
            "Median time of a training step; both axes are logarithmic. Where a line is "
            "flat, most of a step is what does not grow; where it is straight and steep, "
            "arithmetic that does. The dashed lines are the floors.",
        )


def panel(axes: Axes, sweep: Sweep, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """One line for each contender."""
    for name, times in sweep.times.items():
        sizes = sorted(times)
        axes.plot(sizes, [times[size] for size in sizes], **looks[name])
    axes.set(xscale="log", yscale="log", xlabel=sweep.axis, ylabel="µs for a step")
    axes.set_title(sweep.fixed)
    sizes = decades(min(sweep.sizes), max(sweep.sizes))
    times_shown = decades(*axes.get_ylim())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_yticks(times_shown, [f"{time:,}" for time in times_shown])
    axes.minorticks_off()
    axes.grid(color=INK, alpha=0.15)


def decades(low: float, high: float) -> list[int]:
    """The powers of ten from one to the other, 1 being the smallest."""
    return [10**k for k in range(12) if low <= 10**k <= high]


def styles(rows: Iterable[BenchRow]) -> dict[str, dict[str, Any]]:
    """How the line of each contender is drawn; ours as in every other picture."""
    marks, found = iter(MARKS * 9), {}
    for row in rows:
        is_ours = row.kind == "ours" and row.name in LOOKS
        colour = look(FRAMEWORKS.get(row.framework or "", ""))[1]
        colour = PURPLE if row.kind == "lecture" else colour
        mark = LOOKS[row.name][0] if is_ours else next(marks)
        found[row.name] = {
            "color": colour,
            "linestyle": DASHES.get(row.kind, "-"),
            "lw": 2 if is_ours else 1.2,
            "marker": mark,
            "ms": 5,
            "mfc": colour if is_ours else "none",
        }
    return found


def in_words(sweep: Sweep) -> str:
    """What the lines of a panel show: both ends, and how far each is flat."""
    first, *_, last = sweep.sizes
    lines = [
        f"{name} from {short(times[min(times)])} to {short(times[max(times)])}, flat up "
        f"to {overhead_end(times):,}"
        for name, times in sweep.times.items()
    ]
    return (
        f"Line chart on logarithmic axes: the µs of a training step over the {sweep.axis} "
        f"from {first:,} to {last:,} ({sweep.fixed}). {'; '.join(lines)}. Flat: less than "
        f"{OVERHEAD} times the time at the smallest size."
    )
