"""The picture of the lecture's accuracies in the band of the reference's."""

from collections.abc import Sequence

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gradparity.parity_tests.measuring.records import Band
from gradparity.reports.figures.styles import PURPLE, handle
from gradparity.reports.pages.svg import INK, Figure, blank, figure


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
