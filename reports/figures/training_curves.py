"""The pictures of the loss and of the accuracy while training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredText
from matplotlib.ticker import MaxNLocator

from gradparity.parity_tests.measuring.records import Training
from gradparity.reports.figures.styles import PURPLE, handle, listed, look, unique
from gradparity.reports.pages.svg import INK, Figure, blank, figure


def loss(trainings: Sequence[Training]) -> Figure | None:
    """Loss curves, one panel for each dtype."""
    runs = [t for t in trainings if t.losses]
    if not runs:
        return None
    dtypes = unique(t.dtype for t in runs)
    canvas = blank(70 + 150 * len(dtypes))
    panels = canvas.subplots(len(dtypes), 1, sharex=True, squeeze=False)[:, 0]
    apart = {}
    for axes, dtype in zip(panels, dtypes, strict=True):
        group = [t for t in runs if t.dtype == dtype]
        for k, run in enumerate(group):
            steps, values = zip(*_joined(run.losses), strict=True)
            axes.plot(steps, values, **_woven(run.implementation, k, len(group)))
        apart[dtype] = _apart([dict(t.losses) for t in group])
        gap = f"at most {apart[dtype]:.1g} apart" if apart[dtype] else "equal"
        said = f"curves are {gap}" if group[1:] else ""
        axes.set_title(dtype)
        axes.add_artist(AnchoredText(said, "upper right", frameon=False, pad=0))
        axes.set(yscale="log", ylabel="loss")
        _plain_log(axes, [value for t in group for _, value in t.losses])
        axes.grid(axis="y", color=INK, alpha=0.15)
    panels[-1].set_xlabel("step")
    _legend_of_runs(canvas, runs)
    first, last = runs[0].losses[0][1], runs[0].losses[-1][1]
    gaps = ", ".join(f"{gap:.1g} in {dtype}" for dtype, gap in apart.items())
    return figure(
        canvas,
        "loss",
        "Loss while training",
        f"Line chart of the training loss of {listed(t.implementation for t in runs)} "
        f"over {runs[0].steps:,} steps. With {runs[0].implementation} it falls from "
        f"{first:.3g} to {last:.3g}. Largest distance between the curves of two "
        f"implementations: {gaps}.",
        "Mean loss since the last stop, log scale. Curves that coincide appear as one "
        "broad band (the first) with the others’ dashes taking turns on it.",
    )


def accuracy(
    trainings: Sequence[Training], lecture: Sequence[tuple[float, float]]
) -> Figure | None:
    """Accuracy on the training and the test set, one panel for each dtype."""
    runs = [t for t in trainings if t.epochs]
    if not runs:
        return None
    dtypes = unique(t.dtype for t in runs)
    later = [a for t in runs for e in t.epochs[1:] for a in _pair(e)]
    later += [a for pair in lecture[1:] for a in pair]
    first = [a for t in runs for a in _pair(t.epochs[0])]
    first += [a for pair in lecture[:1] for a in pair]
    low, high = min(later or first), max(later or first)
    pad = 0.06 * (high - low) + 1e-3
    broken = max(first) < low - 2 * pad
    canvas = blank(80 + len(dtypes) * 215)
    heights = [5, 1] if broken else [1]
    parts = canvas.subfigures(len(dtypes), 1, squeeze=False)[:, 0]
    for part, dtype in zip(parts, dtypes, strict=True):
        panels = part.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        panels = np.atleast_1d(panels)
        group = [t for t in runs if t.dtype == dtype]
        for axes in panels:
            _accuracy_lines(axes, group, lecture)
            axes.grid(axis="y", color=INK, alpha=0.15)
        top = panels[0]
        top.set_title(dtype)
        top.set_ylim(low - pad if broken else min([low, *first]) - pad, high + pad)
        if broken:
            _break(top, panels[1], max(first))
        end = group[0].epochs[-1]
        heights_at_end = _spread(_pair(end), 0.08 * (high - low + 2 * pad))
        for height, word in zip(heights_at_end, ("train", "test"), strict=True):
            place = (end.epoch, height)
            top.annotate(word, place, (7, 0), textcoords="offset points", va="center")
        top.margins(x=0.12)
        top.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[-1].set_xlabel("epoch")
    _legend_of_runs(canvas, runs, lecture=bool(lecture))
    ends = "; ".join(
        f"{t.implementation} {t.dtype} {t.epochs[-1].test_accuracy:.4f}" for t in runs
    )
    compared = (
        f" The lecture’s printed run ends at {lecture[-1][1]:.4f} after "
        f"{len(lecture) - 1} epochs; it began elsewhere and drew other batches."
        if lecture
        else ""
    )
    cut = " The axis is broken below the second row." if broken else ""
    return figure(
        canvas,
        "accuracy",
        "Accuracy once an epoch",
        f"Line chart of train and test accuracy over {len(runs[0].epochs)} rows, "
        f"from {min(first):.2f} to {high:.3f}. Final test accuracy: {ends}.{compared}",
        f"Each row of the accuracy table; the upper bundle is train, the lower test."
        f"{cut}{' Crosses: the rows printed in the lecture.' if lecture else ''}",
    )


def _woven(name: str, k: int, count: int) -> dict[str, Any]:
    """A line that leaves room for the others: a broad band, then dashes in turn."""
    colour = look(name)[1]
    if k == 0:
        return {"color": colour, "lw": 5, "alpha": 0.28, "solid_capstyle": "butt"}
    lengths = [8, 3, 5, 2, 6][: max(count - 1, 1)]
    period = sum(lengths) + len(lengths)
    start = sum(lengths[: k - 1]) + k - 1
    on = lengths[(k - 1) % len(lengths)]
    dashes = (period - start % period, (on, period - on))
    return {"color": colour, "lw": 1.8, "linestyle": dashes}


def _accuracy_lines(
    axes: Axes, group: Sequence[Training], lecture: Sequence[tuple[float, float]]
) -> None:
    for which in (0, 1):
        for k, run in enumerate(group):
            x = [e.epoch for e in run.epochs]
            y = [_pair(e)[which] for e in run.epochs]
            axes.plot(x, y, **_woven(run.implementation, k, len(group)))
        values = [pair[which] for pair in lecture]
        axes.plot(values, "x-", color=PURPLE, ms=5, lw=0.8)


def _break(top: Axes, bottom: Axes, high: float) -> None:
    """Two panels read as one axis with a piece left out."""
    bottom.set_ylim(0, 1.4 * high)
    top.spines.bottom.set_visible(False)
    top.tick_params(axis="x", length=0, labelbottom=False)
    slash: dict[str, Any] = {"marker": [(-1, -0.5), (1, 0.5)], "markersize": 9}
    slash |= {"linestyle": "none", "color": INK, "mew": 1, "clip_on": False}
    top.plot([0], [0], transform=top.transAxes, **slash)
    bottom.plot([0], [1], transform=bottom.transAxes, **slash)


def _plain_log(axes: Axes, values: Sequence[float]) -> None:
    """Ticks at 1, 2, 5 of each decade, in plain numbers."""
    ticks = [m * 10.0**k for k in range(-9, 4) for m in (1, 2, 5)]
    low, high = axes.get_ylim()
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _legend_of_runs(
    canvas: Canvas, runs: Sequence[Training], lecture: bool = False
) -> None:
    names = unique(t.implementation for t in runs)
    styles = [_woven(name, k, len(names)) for k, name in enumerate(names)]
    handles = [
        Line2D([], [], label=n, **style) for n, style in zip(names, styles, strict=True)
    ]
    if lecture:
        handles.append(handle("lecture", "x", PURPLE, ls="-"))
    canvas.legend(
        handles=handles, loc="outside lower center", ncols=4, handlelength=2.6
    )


def _pair(epoch: Any) -> tuple[float, float]:
    return epoch.train_accuracy, epoch.test_accuracy


def _joined(losses: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Means over very few steps joined with the next: they would look like spikes."""
    short = losses[-1][0] / 200
    joined: list[tuple[int, float]] = []
    before, total = 0, 0.0
    for (start, _), (step, mean) in zip([(0, 0.0), *losses], losses, strict=False):
        total += (step - start) * mean
        if step - before >= short or step <= 2 * short:
            joined.append((step, total / (step - before)))
            before, total = step, 0.0
    return joined or list(losses)


def _apart(curves: Sequence[dict[int, float]]) -> float:
    """The largest distance between any two curves, where both have a point."""
    steps = set(curves[0]).intersection(*curves[1:])
    return max(
        (max(c[s] for c in curves) - min(c[s] for c in curves) for s in steps),
        default=0,
    )


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """The same heights, moved up until no two are closer than `gap`."""
    placed: dict[int, float] = {}
    floor = -np.inf
    for at in sorted(range(len(heights)), key=lambda k: heights[k]):
        placed[at] = floor = max(heights[at], floor + gap)
    return [placed[k] for k in range(len(heights))]
