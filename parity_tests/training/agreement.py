"""When do two trainings agree?"""

from collections.abc import Iterator, Sequence
from typing import Any

from gradparity.parity_tests.measuring.dtypes import record
from gradparity.parity_tests.measuring.records import Parting, Training


def disagreement(training: Training, reference: Training, tests: int) -> str | None:
    """Why a training does not agree with the reference's in its dtype, or None."""
    name, dtype = training.implementation, training.dtype
    if [step for step, _ in training.losses] != [step for step, _ in reference.losses]:
        return f"{name} in {dtype} does not make the same steps as the reference"
    rule = record(dtype).agreement
    assert rule is not None
    if rule.drift is not None:
        if training.test_predictions_differing:
            return (
                f"{name} in {dtype} predicts {training.test_predictions_differing} of "
                f"{tests} test samples unlike the reference"
            )
        if training.largest_drift > rule.drift:
            drift = f"{training.largest_drift:.1e}"
            return f"{name} in {dtype} drifts {drift} from the reference"
        reported = max(gaps(training, reference), default=0.0)
        if reported > rule.drift:
            return (
                f"{name} in {dtype} reports a loss or an accuracy that is "
                f"{reported:.1e} from the reference's"
            )
        return None
    gap = abs(training.epochs[-1].test_accuracy - reference.epochs[-1].test_accuracy)
    if gap > max(rule.accuracy, 1.5 / max(tests, 1)):
        return f"{name} in {dtype} ends {gap:.4f} from the reference's test accuracy"
    return None


def gaps(training: Training, reference: Training) -> Iterator[float]:
    """How far what two trainings report is apart: every loss and every accuracy."""
    for (_, a), (_, b) in zip(training.losses, reference.losses, strict=True):
        yield abs(a - b)
    for at, of in zip(training.epochs, reference.epochs, strict=True):
        yield abs(at.train_accuracy - of.train_accuracy)
        yield abs(at.test_accuracy - of.test_accuracy)


def disagreements(trainings: Sequence[Training], tests: int) -> list[str]:
    """A sentence for every training that does not agree with the reference's."""
    reference: dict[str, Any] = {
        t.dtype: t for t in trainings if t.implementation == "reference"
    }
    found = (
        disagreement(t, reference[t.dtype], tests)
        for t in trainings
        if t.dtype in reference
    )
    return [sentence for sentence in found if sentence is not None]


def unexplained(partings: Sequence[Parting]) -> list[str]:
    """A sentence for every parting that is no ReLU's doing."""
    return [
        f"{p.implementation} in {p.dtype} parts from the reference at step {p.step:,} by "
        f"{p.forced_ratio:.3g} times what rounding can do, and no ReLU explains it"
        for p in partings
        if not p.verified
    ]
