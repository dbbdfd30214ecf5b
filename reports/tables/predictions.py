"""Whether the trained networks know the same."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from gradparity.parity_tests.measuring.records import Disagreement, Training
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table

OUTCOME = (
    "Right by one only: test samples that this network classifies right and the "
    "reference's does not, or the other way round; p is McNemar's exact test of whether "
    "that falls to either side alike. Small would mean that they do not know the same."
)


def outcome_sentences(trainings: Sequence[Training]) -> list[str]:
    """Where all know the same to the last sample."""
    return [
        f"In {dtype} the confusion matrices of {', '.join(t.implementation for t in group)}"
        " are the same."
        for dtype, group in by_dtype(trainings)
        if group[1:] and all(t.confusion == group[0].confusion for t in group)
    ]


def outcome_tables(trainings: Sequence[Training]) -> Iterator[Table]:
    """Against the reference: the test samples that only one has right; and by class, where
    any differ.
    """
    others = [t for t in trainings if t.discordant is not None]
    rows = [
        [
            *(t.implementation, t.dtype, f"{t.test_predictions_differing:,}"),
            *(f"{t.discordant.only_this:,}", f"{t.discordant.only_reference:,}"),
            f"{t.discordant.p_value:.3g}",
        ]
        for t in others
        if t.discordant
    ]
    headers = [
        *("implementation", "dtype", "predictions differing"),
        *("right only by this", "right only by the reference", "p"),
    ]
    if rows:
        yield Table("Do they know the same?", headers, rows)
    for dtype, group in by_dtype(trainings):
        if any(t.confusion != group[0].confusion for t in group):
            yield class_table(dtype, group)
            yield confusion_table(dtype, group)
    yield from disagreement_tables(trainings)


def disagreement_tables(trainings: Sequence[Training]) -> Iterator[Table]:
    """The samples on which some network differs from the reference's, and the
    probabilities that each finds for the two classes it likes best.
    """
    differing = [t for t in trainings if t.disagreements]
    for dtype, group in grouped(differing, "dtype").items():
        names = [t.implementation for t in group]
        found: dict[int, dict[str, Disagreement]] = {}
        for t in group:
            for d in t.disagreements:
                found.setdefault(d.index, {})[t.implementation] = d
        rows = []
        for index, at in sorted(found.items()):
            first = next(iter(at.values()))
            cells = [likeliest(at[n].probabilities) if n in at else "=" for n in names]
            reference = likeliest(first.reference_probabilities)
            rows.append([f"{index:,}", str(first.label), reference, *cells])
        title = f"Test samples on which they disagree, {dtype}"
        yield Table(title, ["sample", "label", "reference", *names], rows)


def likeliest(probabilities: Sequence[float]) -> str:
    """The two likeliest classes and their probabilities."""
    best = np.argsort(probabilities)[::-1][:2]
    return ", ".join(f"{k}: {probabilities[k]:.2%}" for k in best)


def by_dtype(trainings: Iterable[Training]) -> Iterator[tuple[str, list[Training]]]:
    """Those of each dtype, the reference first, if it is there and says what it knows."""
    told = [t for t in trainings if t.confusion]
    for dtype, group in grouped(told, "dtype").items():
        if group[0].implementation == "reference":
            yield dtype, group


def class_table(dtype: str, group: Sequence[Training]) -> Table:
    """How many of each class the reference has right, and the others more or less."""
    rows = []
    for label, counts in enumerate(group[0].confusion):
        right = [t.confusion[label][label] for t in group]
        share = f"{right[0]:,} ({right[0] / max(sum(counts), 1):.2%})"
        more = [f"{n - right[0]:+d}" if n != right[0] else "=" for n in right[1:]]
        rows.append([str(label), f"{sum(counts):,}", share, *more])
    headers = ["class", "samples", *(t.implementation for t in group)]
    return Table(f"Right by class, {dtype}", headers, rows)


def confusion_table(dtype: str, group: Sequence[Training]) -> Table:
    """The cells of the confusion matrix that are not the same for all."""
    matrices = np.array([t.confusion for t in group])
    cells = np.argwhere((matrices != matrices[0]).any(axis=0))
    rows = [[str(i), str(j), *map(str, matrices[:, i, j])] for i, j in cells]
    headers = ["label", "classified as", *(t.implementation for t in group)]
    return Table(f"Where the confusion matrices differ, {dtype}", headers, rows)
