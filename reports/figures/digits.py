"""The picture of the test digits that final networks classify differently."""

from collections.abc import Sequence

from gradparity.parity_tests.measuring.records import Disagreement, Training
from gradparity.reports.figures.styles import Pixels
from gradparity.reports.pages.svg import Figure, blank, figure

MOST_DIGITS = 12


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
