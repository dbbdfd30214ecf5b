"""One seed says little: do implementations differ in what they learn, from many?

Within a seed everything but arithmetic is the same, so differences are taken by seed
before anything is made of them.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from gradparity.parity_tests.measuring.records import Band, Paired, Training
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.parity_tests.processes.parallel import Trainings
from gradparity.parity_tests.training.agreement import disagreements
from gradparity.parity_tests.training.plan import Plan


def tasks(
    plan: Plan,
    count: int,
    dtypes: Sequence[str],
    implementations: Sequence[str],
    find_partings: bool = False,
) -> list[Trainings]:
    """The trainings of `plan` from its seed and the count - 1 that follow it.

    The first of the implementations is the reference.
    """
    return [
        Trainings(
            dataset=plan.dataset,
            steps=plan.steps,
            batch_size=plan.batches.shape[1],
            learning_rate=plan.learning_rate,
            seed=seed,
            dtype=dtype,
            implementations=tuple(implementations),
            find_partings=find_partings,
        )
        for dtype in dtypes
        for seed in range(plan.seed, plan.seed + count)
    ]


def paired(trainings: Sequence[Training], tests: int) -> list[Paired]:
    """Every implementation and dtype against the reference, over all seeds.

    Args:
        trainings: of all seeds; the reference's are among them.
        tests: the number of test samples.
    """
    references = {
        (t.dtype, t.seed): t for t in trainings if t.implementation == "reference"
    }
    others = [t for t in trainings if t.implementation != "reference"]
    rows = []
    for (implementation, dtype), group in grouped(
        others, "implementation", "dtype"
    ).items():
        pairs = [(t, references[dtype, t.seed]) for t in group]
        more_right = [right(t, tests) - right(of, tests) for t, of in pairs]
        some = any(more_right)
        differing = [t.test_predictions_differing for t in group]
        rows.append(
            Paired(
                implementation=implementation,
                dtype=dtype,
                differences=[count / tests for count in more_right],
                mean=sum(more_right) / tests / len(group),
                interval=interval(np.array(more_right) / tests) if some else None,
                p=sign_flip(more_right) if some else None,
                seeds_differing=sum(count > 0 for count in differing),
                test_predictions_differing=sum(differing),
                disagreements=[
                    f"{sentence} (seed {t.seed})"
                    for t, of in pairs
                    for sentence in disagreements([of, t], tests)
                ],
            )
        )
    return rows


def right(training: Training, tests: int) -> int:
    """How many test samples the final network classifies as they are labelled."""
    return round(training.epochs[-1].test_accuracy * tests)


def interval(differences: np.ndarray) -> tuple[float, float]:
    """Where their mean lies with 95 % confidence, by Student's t."""
    from scipy import stats  # not before it is needed: it takes half a second

    mean = float(np.mean(differences))
    wide = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    return mean - float(wide), mean + float(wide)


def sign_flip(differences: Sequence[int]) -> float:
    """The exact two-sided p of the paired permutation test on the mean.

    If two implementations are as good as each other, every difference might as well
    have had the other sign: of all 2^n ways to choose signs, the share that comes to a
    sum at least as far from 0. Whole numbers have few sums, so that all ways can be
    counted for any n. (Fisher, The Design of Experiments, 1935, section 21.)
    """
    ways = Counter({0: 1})
    for size in map(abs, differences):
        both: Counter[int] = Counter()
        for total, count in ways.items():
            both[total + size] += count
            both[total - size] += count
        ways = both
    observed = abs(sum(differences))
    as_far = sum(count for total, count in ways.items() if abs(total) >= observed)
    return as_far / 2 ** len(differences)


def bands(trainings: Sequence[Training]) -> Iterator[Band]:
    """The reference's accuracies over all seeds, for each dtype and row of accuracies."""
    reference = [t for t in trainings if t.implementation == "reference"]
    for dtype, group in grouped(reference, "dtype").items():
        for at in zip(*(t.epochs for t in group), strict=True):
            yield Band(
                dtype=dtype,
                epoch=at[0].epoch,
                step=at[0].step,
                seeds=len(group),
                train_accuracy=spread([epoch.train_accuracy for epoch in at]),
                test_accuracy=spread([epoch.test_accuracy for epoch in at]),
            )


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """The lowest, the mean and the highest."""
    return min(values), math.fsum(values) / len(values), max(values)
