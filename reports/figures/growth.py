"""The pictures of how two trainings drift apart, and of the ReLU that parts them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from gradparity.parity_tests.measuring.records import Parting, Training
from gradparity.reports.looks import PURPLE, Pixels, handle, listed, look, power, unique
from gradparity.reports.svg import INK, Figure, blank, figure
from gradparity.reports.trainings import by_tensor, same_run, which

MOST_PARTINGS = 4
FIRST, LEAP = "v", "*"  # marks on a curve


def growth(trainings: Sequence[Training], partings: Sequence[Parting]) -> Figure | None:
    """How every tensor drifts from the reference's, where they part, and how many ReLUs
    are open in one only.
    """
    runs = [t for t in trainings if any(d.max_abs > 0 for d in t.drift)]
    if not runs:
        return None
    tensors = unique(d.quantity for t in runs for d in t.drift)
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
    panels[0].set_yticks(decades[::3], [power(d) for d in decades[::3]])
    for axes in panels[::2]:
        axes.set_ylabel("largest difference")
    counts = canvas.add_subplot(grid[2, :])
    for t in runs:
        colour, fill = _ink(t)
        at = [(s, n) for s, n in t.flips if n]
        if at:
            marker = look(t.implementation)[0]
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
    names = unique(t.implementation for t in runs)
    handles = [handle(name, *look(name)) for name in names]
    handles += [
        Line2D([], [], color=INK, label="float64"),
        Line2D([], [], color=INK, label="float32", dashes=(4, 2)),
        Line2D([], [], color=INK, label="√step", alpha=0.6, dashes=(1, 2)),
    ]
    if partings:
        handles.append(handle("first parting", FIRST, PURPLE, ms=8))
        handles.append(handle("leap", LEAP, PURPLE, ms=10))
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
        f"one for each of {listed(tensors)}: {ends}. Marked where they part: "
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
    colour = look(training.implementation)[1]
    return colour, colour if training.dtype == "float64" else "none"


def _curve(
    axes: Axes, training: Training, tensor: str, partings: Sequence[Parting]
) -> None:
    drift = dict(by_tensor(training.drift)).get(tensor, [])
    at = {d.step: d.max_abs for d in drift if 0 < d.max_abs < np.inf}
    if not at:
        return
    axes.set_yscale("log")
    colour, fill = _ink(training)
    (line,) = axes.plot(list(at), list(at.values()), color=colour, lw=1.4)
    line.set(marker=look(training.implementation)[0], markersize=4, mfc=fill)
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
            axes.plot([p.step], [at[near]], mark, color=PURPLE, ms=size, zorder=5)


def parted(partings: Sequence[Parting], images: Pixels | None) -> Figure | None:
    """For each ReLU that parted any: the image, the pre-activations and the masks."""
    same: dict[Any, list[Parting]] = {}
    for p in partings:
        if p.masks and p.sample is not None:
            same.setdefault((p.dtype, p.step, p.sample, p.unit), []).append(p)
    shown = list(same.values())[:MOST_PARTINGS]
    if images is None or not shown:
        return None
    canvas = blank(175 * len(shown) + 10 * sum(map(len, shown)) + 25, gap=8)
    rows = canvas.subfigures(len(shown), 1, squeeze=False)[:, 0]
    for row, group in zip(rows, shown, strict=True):
        p = group[0]
        row.suptitle(_heading(group), x=0.01, ha="left", fontsize=12, fontweight="bold")
        heights = [3, 1 + 0.5 * len(group)]
        grid = row.add_gridspec(2, 2, width_ratios=[1, 3.2], height_ratios=heights)
        digit = row.add_subplot(grid[:, 0])
        digit.imshow(images[p.sample], cmap="gray", vmin=0, vmax=1)
        digit.set_axis_off()
        digit.set_title(f"{p.sample:,}: a {p.label}", fontsize=11, fontweight="normal")
        names = ["reference", *(p.implementation for p in group)]
        _number_line(row.add_subplot(grid[0, 1]), p, names)
        _masks(row.add_subplot(grid[1, 1]), p, names)
    names = unique(name for group in shown for p in group for name in p.masks)
    handles = [handle(name, *look(name)) for name in names]
    handles.append(handle("exact", "|", INK, ms=12, mew=1.5))
    canvas.legend(handles=handles, loc="outside lower center", ncols=4)
    said = " ".join(
        f"{_heading(group)}: image {p.sample:,}, a {p.label}: "
        + ", ".join(f"{name} {z:.1e}" for name, z in p.preactivation.items())
        + "."
        for group in shown
        for p in group[:1]
    )
    return figure(
        canvas,
        "partings",
        "The ReLUs that part them",
        f"For {len(shown)} partings the training image, the pre-activations on a line "
        f"around zero, and which of the hidden units are open for it. {said}",
        "Above: what stands in front of one hidden unit's ReLU, in each implementation "
        "from its own parameters, and in exact arithmetic from the reference's. Left of "
        "zero it is shut. Below: the units that are open (filled) for this image; framed "
        "where they differ.",
    )


def _heading(group: Sequence[Parting]) -> str:
    p, who = group[0], listed(p.implementation for p in group)
    return f"{who} in {p.dtype}, step {p.step:,} ({which(p)}): unit {p.unit}"


def _number_line(axes: Axes, p: Parting, names: Sequence[str]) -> None:
    """The pre-activations of these around zero; others, where they are far, at the edge."""
    values = {name: p.preactivation[name] for name in p.masks}
    truth = p.preactivation["truth"]
    most = max(abs(v) for v in [*(values[name] for name in names), truth])
    top = len(values) + 0.4
    axes.set(xlim=(-1.35 * most, 1.35 * most), ylim=(-0.5, top), yticks=[])
    axes.spines.left.set_visible(False)
    axes.axvspan(-1.35 * most, 0, color=INK, alpha=0.08, lw=0)
    axes.axvline(0, color=INK, lw=1)
    axes.plot([truth, truth], [-0.5, top], color=INK, lw=1, dashes=(2, 2))
    for y, (name, value) in enumerate(reversed(values.items())):
        marker, colour = look(name)
        x = float(np.clip(value, -1.25 * most, 1.25 * most))
        axes.plot([x], [y], marker, color=colour, ms=8)
        if x != value:
            side = -1 if x > 0 else 1
            place = (12 * side, 0)
            way: dict[str, Any] = {"ha": "right" if x > 0 else "left", "va": "center"}
            axes.annotate(
                f"{value:.0e}", (x, y), place, textcoords="offset points", **way
            )
    for where, word, edge in ((0.02, "shut", "left"), (0.98, "open", "right")):
        axes.text(where, 0.98, word, transform=axes.transAxes, ha=edge, va="top")
        axes.texts[-1].set_fontsize(11)
    tick = float(f"{most:.0e}")
    axes.set_xticks([-tick, 0, tick])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0e}" if x else "0"))


def _masks(axes: Axes, p: Parting, names: Sequence[str]) -> None:
    masks = np.array([p.masks[name] for name in names])
    for y, (name, mask) in enumerate(zip(names, masks, strict=True)):
        colour = look(name)[1]
        for place, opened in enumerate(mask):
            fill = colour if opened else "none"
            axes.plot([place], [-y], "s", ms=3.6, mec=colour, mfc=fill, mew=0.6)
    differing = np.flatnonzero((masks != masks[0]).any(axis=0))
    for unit in differing:
        corner, height = (unit - 0.7, 0.4 - len(names)), len(names) + 0.2
        axes.add_patch(Rectangle(corner, 1.4, height, fill=False, ec=PURPLE, lw=1.6))
    axes.set(xlim=(-1, masks.shape[1]), ylim=(-len(names) + 0.2, 0.8))
    axes.set_yticks(-np.arange(len(names)), names)
    axes.tick_params(axis="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(differing, [f"unit {u}" for u in differing])
