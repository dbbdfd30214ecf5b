"""How trainings end: accuracies beside the lecture's, and the distance to the reference."""

from collections.abc import Iterator, Sequence

from gradparity.parity_tests.measuring.records import Training, Untrained, Verdict
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table, number

# Accuracy on the training and on the test set as the lecture's script printed it, once
# an epoch, on MNIST.
LECTURE_ACCURACY = [
    (0.1163, 0.1222),
    (0.9045, 0.9083),
    (0.9244, 0.9273),
    (0.9397, 0.9403),
    (0.9471, 0.9487),
    (0.9534, 0.9509),
    (0.9593, 0.9571),
    (0.9623, 0.9601),
    (0.9645, 0.9607),
    (0.9693, 0.9655),
    (0.9707, 0.9665),
    (0.9730, 0.9683),
    (0.9742, 0.9688),
    (0.9764, 0.9701),
    (0.9759, 0.9692),
    (0.9773, 0.9688),
    (0.98035, 0.97),
]


def lecture_accuracy(epoch: int, is_end: bool) -> tuple[float, float] | None:
    """What the lecture's script printed after the first step of this epoch, if it did."""
    if is_end or epoch >= len(LECTURE_ACCURACY):
        return None
    return LECTURE_ACCURACY[epoch]


def accuracy_tables(trainings: Sequence[Training], mnist: bool) -> Iterator[Table]:
    """Train/test accuracy in each dtype: epochs down, implementations across, the
    lecture's last.
    """
    for dtype, group in grouped(trainings, "dtype").items():
        headers = ["epoch", "step", *(t.implementation for t in group)]
        rows = []
        for at in zip(*(t.epochs for t in group), strict=True):
            name = "end" if at[0].step == group[0].steps else str(at[0].epoch)
            row = [name, str(at[0].step)]
            row += [f"{e.train_accuracy:.4f}/{e.test_accuracy:.4f}" for e in at]
            if mnist:
                pair = lecture_accuracy(at[0].epoch, name == "end")
                row.append(f"{pair[0]:.4f}/{pair[1]:.4f}" if pair else "")
            rows.append(row)
        headers += ["lecture"] * mnist
        yield Table(f"Accuracy on train/test, {dtype}", headers, rows)


def training_table(trainings: Sequence[Training]) -> Table:
    """How every training ended, and how far from the reference. Seconds are left out:
    trainings may run side by side, and what a step takes is told by `bench`.
    """
    rows = []
    for t in trainings:
        is_reference = t.implementation == "reference"
        end = t.epochs[-1]
        ends = (end.loss, end.train_accuracy, end.test_accuracy)
        apart = number(t.largest_drift), str(t.test_predictions_differing)
        rows.append(
            [
                *(t.implementation, t.dtype, *(f"{value:.4f}" for value in ends)),
                *(("", "") if is_reference else apart),
            ]
        )
    headers = [
        *("implementation", "dtype", "loss", "train", "test"),
        *("largest drift", "predictions differing"),
    ]
    return Table("Trainings", headers, rows)


def training_sentences(trainings: Sequence[Training], tests: int) -> list[str]:
    """For each dtype, how near the trainings end to the reference's."""
    others = [t for t in trainings if t.implementation != "reference"]
    sentences = []
    for dtype, group in grouped(others, "dtype").items():
        drift = max(t.largest_drift for t in group)
        differing = max(t.test_predictions_differing for t in group)
        same = f"all {tests:,} test predictions agree"
        differ = f"up to {differing:,} of {tests:,} test predictions differ"
        sentences.append(
            f"after {group[0].steps:,} steps in {dtype} {differ if differing else same} "
            f"and parameters lie within {drift:.1e} of the reference's"
        )
    return sentences


def untrained_table(untrained: Sequence[Untrained]) -> Table:
    """The trainings that there are none of, and why."""
    rows = [
        [u.implementation, u.dtype, str(u.seed), u.verdict.value, u.note]
        for u in untrained
    ]
    headers = ["implementation", "dtype", "seed", "verdict", "why"]
    return Table("Not trained", headers, rows)


def failures_to_train(untrained: Sequence[Untrained]) -> list[str]:
    """A sentence for each that raised an error."""
    return [u.sentence for u in untrained if u.verdict == Verdict.FAIL]
