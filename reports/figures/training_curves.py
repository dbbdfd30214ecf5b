"""The report's pictures, drawn from the results and, for the digits, the test images.

Implementations differ by marker and dash as well as by colour (Okabe and Ito's, which
colour-blind readers can tell apart). What a picture shows is decided here; how it
becomes part of a page is apart, in `reports.svg`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredText
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gradparity.parity_tests.measuring.records import (
    Band,
    Check,
    Disagreement,
    Training,
    Verdict,
)
from gradparity.reports.looks import PURPLE, Pixels, handle, listed, look, unique
from gradparity.reports.partings import growth, parted
from gradparity.reports.results import Results
from gradparity.reports.speed import speed
from gradparity.reports.svg import INK, STYLE, Figure, blank, figure
from gradparity.reports.tables import LECTURE_ACCURACY

LOWEST, OVER = 1e-5, 6.0  # bound ratios are drawn between these
MOST_DIGITS = 12


def draw(
    results: Results, images: Pixels | None, train_images: Pixels | None = None
) -> list[Figure]:
    """All pictures for which there is something to show.

    Args:
        results: of the run.
        images: the test images, from 0 to 1, which `Disagreement.index` counts; None
            if they are not at hand.
        train_images: the same of those that were trained on, for `Parting.sample`.
    """
    dataset = results.environment.dataset
    mnist = dataset is not None and dataset.name == "mnist"
    training = results.training
    with matplotlib.rc_context(STYLE):
        drawn = [
            bound_ratios(results.checks),
            loss(training),
            accuracy(training, LECTURE_ACCURACY if mnist else []),
            seeds(results.bands, LECTURE_ACCURACY if mnist else []),
            growth(training, results.partings),
            parted(results.partings, train_images),
            disagreements(training, images),
            speed(results.bench) if results.bench else None,
        ]
    return [figure for figure in drawn if figure]


# --- The pictures ---------------------------------------------------------------------


def bound_ratios(checks: Iterable[Check]) -> Figure | None:
    """For each layer and implementation: how much of the rounding bound is used."""
    rated = [c for c in checks if c.bound_ratio is not None]
    if not rated:
        return None
    layers = unique(c.layer for c in rated)
    names = unique(c.implementation for c in rated)
    canvas = blank(95 + len(layers) * (10 + 6 * len(names)))
    shares, strip = canvas.subplots(1, 2, sharey=True, width_ratios=[1, 4])
    for row, layer in enumerate(layers):
        if row % 2:
            for axes in (shares, strip):
                axes.axhspan(row - 0.5, row + 0.5, color=INK, alpha=0.06, lw=0)
        for lane, name in enumerate(names):
            y = row + (lane - (len(names) - 1) / 2) / (len(names) + 0.8)
            own = [c for c in rated if (c.layer, c.implementation) == (layer, name)]
            _lane(shares, strip, y, own, 0.6 / len(names))
    shares.set(xlim=(0, 1), xticks=[0, 1], xticklabels=["0", "1"])
    shares.set(yticks=range(len(layers)), yticklabels=layers)
    shares.set_ylim(len(layers) - 0.5, -0.5)
    shares.set_xlabel("exact\n(share)")
    shares.tick_params(axis="y", length=0)
    over = any((c.bound_ratio or 0) > 1 for c in rated)
    strip.set(xscale="log", xlim=(LOWEST * 0.7, OVER * 1.4 if over else 1.5))
    ticks = [LOWEST, 1e-4, 1e-3, 1e-2, 1e-1, 1]
    strip.set_xticks(
        ticks + [OVER] * over,
        ["≤10⁻⁵", "", "10⁻³", "", "10⁻¹", "1"] + ["over"] * over,
    )
    strip.minorticks_off()
    strip.tick_params(axis="y", length=0)
    strip.axvline(1, color=INK, lw=1.2, dashes=(5, 3))
    strip.set_xlabel("others: difference ÷\nrounding bound")
    handles = [handle(name, *look(name)) for name in names]
    dtypes = unique(c.dtype for c in rated)
    if len(dtypes) > 1:
        fill = {"float64": INK}
        handles += [handle(d, "o", INK, mfc=fill.get(d, "none")) for d in dtypes]
    canvas.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure(
        canvas,
        "bound-ratios",
        "How much of the rounding bound is used",
        _ratios_in_words(rated, layers, names),
        "Each mark is one tensor of one case: its worst difference from the truth as a "
        "share of what rounding alone can explain. The bars on the left are the share "
        "of tensors with no difference at all; marks at “over” are documented "
        "divergences or failures.",
    )


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


def seeds(
    bands: Sequence[Band], lecture: Sequence[tuple[float, float]]
) -> Figure | None:
    """The lecture's rows in the band of the reference's, in the first dtype: a panel for
    the training set, and one for the test set.
    """
    group = [b for b in bands if b.dtype == bands[0].dtype]
    shown = [b for b in group if b.epoch] or group
    if not shown:
        return None
    x, count, dtype = [b.epoch for b in shown], shown[0].seeds, shown[0].dtype
    canvas = blank(430)
    panels = canvas.subplots(2, 1, sharex=True, sharey=True)
    inside = []
    for which, (axes, name) in enumerate(zip(panels, ("train", "test"), strict=True)):
        lows, means, highs = zip(
            *((b.train_accuracy, b.test_accuracy)[which] for b in shown), strict=True
        )
        axes.fill_between(x, lows, highs, color=INK, alpha=0.2, lw=0)
        axes.plot(x, means, color=INK, lw=1.2)
        rows = {k: pair[which] for k, pair in enumerate(lecture) if k in x}
        axes.plot(list(rows), list(rows.values()), "x", color=PURPLE, ms=6)
        within = zip(x, lows, highs, strict=True)
        inside.append(sum(low <= rows.get(k, -1) <= high for k, low, high in within))
        axes.set_title(f"{name}, {dtype}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color=INK, alpha=0.15)
    panels[-1].set_xlabel("epoch")
    handles = [
        Line2D([], [], label="reference, mean", color=INK, lw=1.2),
        Patch(label="lowest to highest", color=INK, alpha=0.2, lw=0),
    ]
    handles += [handle("lecture", "x", PURPLE)] if lecture else []
    canvas.legend(handles=handles, loc="outside lower center", ncols=3)
    low, _, high = shown[-1].test_accuracy
    compared = (
        f" Of the lecture’s {len(rows)} rows, {inside[0]} lie in the band of the training "
        f"set and {inside[1]} in that of the test set."
        if lecture
        else ""
    )
    return figure(
        canvas,
        "seeds",
        f"Accuracy from {count} seeds",
        f"Line chart of the reference’s train and test accuracy once an epoch: a band from "
        f"the lowest to the highest of {count} seeds, and their mean. The final test "
        f"accuracy is from {low:.4f} to {high:.4f}.{compared}",
        f"Band: the lowest to the highest of {count} seeds of the reference, from the "
        f"second row on.{' Crosses: the rows printed in the lecture.' if lecture else ''}",
    )


def disagreements(
    trainings: Sequence[Training], images: Pixels | None
) -> Figure | None:
    """The test digits that final networks classify unlike the reference's."""
    if images is None:
        return None
    found: dict[tuple[str, int], list[tuple[str, Disagreement]]] = {}
    for t in trainings:
        for d in t.disagreements:
            if d.index < len(images):
                found.setdefault((t.dtype, d.index), []).append((t.implementation, d))
    if not found:
        return None
    shown = sorted(found.items(), key=lambda item: (item[0][0] == "float32", item[0]))
    shown = shown[:MOST_DIGITS]
    columns = 3
    rows = -(-len(shown) // columns)
    most = max(len(group) for _, group in shown)
    canvas = blank(rows * (340 / columns + 15 * (4 + most)), gap=14)
    grid = canvas.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, ((dtype, index), group) in zip(grid.flat, shown, strict=False):
        axes.imshow(images[index], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        first = group[0][1]
        reference = sure(first.reference, first.reference_probabilities)
        lines = [f"{n}: {sure(d.predicted, d.probabilities)}" for n, d in group]
        lines = [f"label {first.label}", f"reference: {reference}", *lines]
        axes.set_title(f"{dtype} #{index}", fontsize=11, fontweight="normal")
        text = "\n".join(lines)
        axes.text(0, -0.08, text, transform=axes.transAxes, va="top", fontsize=11)
    said = "; ".join(
        f"number {index} ({dtype}) is a {group[0][1].label}, the reference says "
        f"{group[0][1].reference}, "
        + ", ".join(f"{name} {d.predicted}" for name, d in group)
        for (dtype, index), group in shown
    )
    count = f"{len(shown)} of {len(found)}" if found.keys() - dict(shown) else "All"
    return figure(
        canvas,
        "disagreements",
        "Digits on which final networks disagree",
        f"Pictures of {len(shown)} handwritten test digits. {said}.",
        f"{count} test digits that some final network classifies unlike the "
        "reference’s in the same dtype, with the true label, each answer and the "
        "probability it is given; those not named agree with the reference.",
    )


def sure(predicted: int, probabilities: Sequence[float]) -> str:
    """An answer and how likely its network finds it."""
    said = f" {probabilities[predicted]:.1%}" if probabilities else ""
    return f"{predicted}{said}"


# --- Parts of pictures ----------------------------------------------------------------


def _lane(
    shares: Axes, strip: Axes, y: float, checks: Sequence[Check], height: float
) -> None:
    """One implementation in one layer: a bar of exact tensors, marks for the others."""
    if not checks:
        return
    marker, colour = look(checks[0].implementation)
    exact = sum(c.bound_ratio == 0 for c in checks) / len(checks)
    shares.barh(y, exact, height=height, color=colour, lw=0)
    for narrow in (False, True):
        ratios = [c.bound_ratio for c in checks if (c.dtype != "float64") == narrow]
        # An infinite or undefined ratio is over the bound.
        x = [OVER if not r <= 1 else max(r, LOWEST) for r in ratios if r]
        fill = "none" if narrow else colour
        strip.plot(x, [y] * len(x), marker, ms=3.6, mew=0.8, mec=colour, mfc=fill)
        strip.lines[-1].set_alpha(0.85)


def _ratios_in_words(
    rated: Sequence[Check], layers: Sequence[str], names: Sequence[str]
) -> str:
    exact = sum(c.bound_ratio == 0 for c in rated)
    inside = [c for c in rated if (c.bound_ratio or 0) <= 1]
    documented = sum(c.verdict == Verdict.DOCUMENTED for c in rated)
    failed = sum(c.verdict == Verdict.FAIL for c in rated)
    largest = max(inside, key=lambda c: c.bound_ratio or 0, default=None)
    most = (
        f" The largest share of the bound used by any other is "
        f"{largest.bound_ratio:.2f} ({largest.layer} {largest.quantity}, "
        f"{largest.implementation}, {largest.dtype})."
        if largest
        else ""
    )
    return (
        f"Strip chart of {len(rated):,} compared tensors of {len(layers)} layers and "
        f"{listed(names)}. {exact:,} have no difference from the truth; {documented} "
        f"are documented divergences and {failed} fail.{most}"
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
