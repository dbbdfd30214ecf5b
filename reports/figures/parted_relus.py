"""The picture of the ReLUs that part two trainings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from gradparity.parity_tests.measuring.records import Parting
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.figures import styles
from gradparity.reports.pages.svg import INK, Figure, blank, figure
from gradparity.reports.tables.partings import which

MOST_PARTINGS = 4


def parted(partings: Sequence[Parting], images: styles.Pixels | None) -> Figure | None:
    """For each ReLU that parted any: the image, the pre-activations and the masks."""
    found = [p for p in partings if p.masks and p.sample is not None]
    same = grouped(found, "dtype", "step", "sample", "unit")
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
    names = styles.unique(name for group in shown for p in group for name in p.masks)
    handles = [styles.handle(name, *styles.look(name)) for name in names]
    handles.append(styles.handle("exact", "|", INK, ms=12, mew=1.5))
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
    p, who = group[0], styles.listed(p.implementation for p in group)
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
        marker, colour = styles.look(name)
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
        colour = styles.look(name)[1]
        for place, opened in enumerate(mask):
            fill = colour if opened else "none"
            axes.plot([place], [-y], "s", ms=3.6, mec=colour, mfc=fill, mew=0.6)
    differing = np.flatnonzero((masks != masks[0]).any(axis=0))
    for unit in differing:
        corner, height = (unit - 0.7, 0.4 - len(names)), len(names) + 0.2
        axes.add_patch(
            Rectangle(corner, 1.4, height, fill=False, ec=styles.PURPLE, lw=1.6)
        )
    axes.set(xlim=(-1, masks.shape[1]), ylim=(-len(names) + 0.2, 0.8))
    axes.set_yticks(-np.arange(len(names)), names)
    axes.tick_params(axis="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(differing, [f"unit {u}" for u in differing])
