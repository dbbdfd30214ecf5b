"""The picture of how two trainings drift apart."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gradparity.parity_tests.measuring.records import Parting, Training
from gradparity.reports.figures import styles
from gradparity.reports.pages.svg import INK, Figure, blank, figure
from gradparity.reports.tables.drift import same_run
from gradparity.reports.tables.partings import which

FIRST, LEAP = "v", "*"  # marks on a curve


def growth(trainings: Sequence[Training], partings: Sequence[Parting]) -> Figure | None:
    """How every tensor drifts from the reference's, where they part, and how many ReLUs
    are open in one only.
    """
    runs = [t for t in trainings if any(d.max_abs > 0 for d in t.drift)]
    if not runs:
        return None
    tensors = styles.unique(d.quantity for t in runs for d in t.drift)
    last = max(t.steps for t in runs)
    canvas = blank(560)
    grid = canvas.add_gridspec(3, 2, height_ratios=[5, 5, 3])
    panels: list[Axes] = []
    for k, name in enumerate(tensors):
        axes = canvas.add_subplot(grid[k // 2, k % 2], sharey=panels[0] if k else None)
        panels.append(axes)
        axes.set_title(name)
        for t in runs:
            _curve(axes, t, name, partings)
        if k % 2:
            axes.tick_params(labelleft=False)
    low, high = (np.log10(y) for y in panels[0].get_ylim())
    decades = [10.0**k for k in range(int(np.ceil(low)), int(high) + 1)]
    panels[0].set_yticks(decades[::3], [styles.power(d) for d in decades[::3]])
    for axes in panels[::2]:
        axes.set_ylabel("largest difference")
    counts = canvas.add_subplot(grid[2, :])
    for t in runs:
        colour, fill = _ink(t)
        at = [(s, n) for s, n in t.flips if n]
        if at:
            marker = styles.look(t.implementation)[0]
            counts.plot(*zip(*at, strict=True), marker, mec=colour, mfc=fill, ms=4)
    counts.set_title("ReLUs that differ on a mini-batch")
    counts.set_ylim(bottom=0)
    counts.set_xlabel("step")
    for axes in (*panels, counts):
        axes.set(xscale="log", xlim=(0.8, last * 1.25))
        steps = [10**k for k in range(0, 12, 2) if 10**k <= last]
        axes.set_xticks(steps, [f"{s:,}" for s in steps])
        axes.minorticks_off()
        axes.grid(axis="y", color=INK, alpha=0.12)
    names = styles.unique(t.implementation for t in runs)
    handles = [styles.handle(name, *styles.look(name)) for name in names]
    handles += [
        Line2D([], [], color=INK, label="float64"),
        Line2D([], [], color=INK, label="float32", dashes=(4, 2)),
        Line2D([], [], color=INK, label="√step", alpha=0.6, dashes=(1, 2)),
    ]
    if partings:
        handles.append(styles.handle("first parting", FIRST, styles.PURPLE, ms=8))
        handles.append(styles.handle("leap", LEAP, styles.PURPLE, ms=10))
    canvas.legend(handles=handles, loc="outside lower center", ncols=3)
    ends = "; ".join(
        f"{t.implementation} {t.dtype} ends {_end(t):.1e} apart" for t in runs
    )
    parted = "; ".join(
        f"{p.implementation} {p.dtype} at step {p.step:,} ({which(p)})"
        for p in partings
    )
    return figure(
        canvas,
        "growth",
        "How the differences grow",
        f"Line charts on logarithmic axes of the largest difference from the reference's, "
        f"one for each of {styles.listed(tensors)}: {ends}. Marked where they part: "
        f"{parted or 'nowhere'}. Below, the number of ReLUs that differ on a mini-batch, "
        f"at most {max((n for t in runs for _, n in t.flips), default=0)}.",
        "Both axes logarithmic. Rounding alone makes a difference grow slowly; the dotted "
        "lines have the slope of a random walk. Where it jumps, a ReLU was open in one "
        "implementation and shut in the other; and once parameters differ by more, more "
        "ReLUs do (lowest panel, on the mini-batch of each stop).",
    )


def _end(training: Training) -> float:
    last = training.drift[-1].step
    return max(d.max_abs for d in training.drift if d.step == last)


def _ink(training: Training) -> tuple[str, str]:
    """Colour and filling of a training's marks."""
    colour = styles.look(training.implementation)[1]
    return colour, colour if training.dtype == "float64" else "none"


def _curve(
    axes: Axes, training: Training, tensor: str, partings: Sequence[Parting]
) -> None:
    drift = [d for d in training.drift if d.quantity == tensor]
    at = {d.step: d.max_abs for d in drift if 0 < d.max_abs < np.inf}
    if not at:
        return
    axes.set_yscale("log")
    colour, fill = _ink(training)
    (line,) = axes.plot(list(at), list(at.values()), color=colour, lw=1.4)
    line.set(marker=styles.look(training.implementation)[0], markersize=4, mfc=fill)
    line.set_markevery((0.0, 0.2))
    if training.dtype != "float64":
        line.set_dashes((4, 2))
    if training.implementation == "torch":
        start = next((s for s in at if s >= 100), None)
        if start is not None:
            steps = np.array([start, max(at)])
            walk = at[start] * np.sqrt(steps / start)
            axes.plot(steps, walk, color=INK, lw=1, alpha=0.6, dashes=(1, 2))
    for p in partings:
        if same_run(p, training):
            near = min(at, key=lambda step: abs(step - p.step))
            mark = FIRST if p.first else LEAP
            size = 7 if p.first else 9
            axes.plot(
                [p.step], [at[near]], mark, color=styles.PURPLE, ms=size, zorder=5
            )
