"""Trains every implementation from the same start on the same mini-batches.

Whatever differs in the end is arithmetic: the initial parameters, the data and the
samples of every mini-batch are the same arrays for all, rounded once to the dtype.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Self

import numpy as np

from gradparity.parity_tests.implementations.registry import (
    OUTSIDERS,
    Arrays,
    Implementation,
)
from gradparity.parity_tests.measuring.records import (
    Drift,
    Epoch,
    Parting,
    Training,
    Untrained,
    Verdict,
)
from gradparity.parity_tests.training import outcome
from gradparity.parity_tests.training.checkpoints import CheckpointError, Checkpoints
from gradparity.reference.datasets import Dataset
from gradparity.reference.networks import TwoLayerNet
from gradparity.reference.training import choose_batches

TRAINABLE = ("reference", "torch", "jax")
TRAINED = (*TRAINABLE, *OUTSIDERS)
HIDDEN = 50  # the lecture's network
CLASSES = 10
MOST_ROWS = 20  # of accuracies; MNIST's 10,000 steps are 17 epochs
DRIFT_STEPS = (1, 2, 5, 10, 20, 50)  # and every hundredth of the run

# When do trainings agree? In float64, when nothing but rounding can be seen: the
# parameters to 1e-13 (three implementations on MNIST were measured 4e-15 apart after
# 10,000 steps), the losses and accuracies they report as well (which were 9e-16 apart),
# and not one prediction differs. In float32 trajectories part once a
# ReLU flips, and only the outcome can agree: test accuracies to 0.003, or one sample.
FLOAT64_DRIFT = 1e-13
FLOAT32_ACCURACY = 0.003


class TrainingDiverged(ValueError):
    """The loss is no longer a finite number."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that all trainings share."""

    dataset: Dataset
    params: Arrays
    batches: np.ndarray
    learning_rate: float
    seed: int
    steps_per_epoch: int
    epoch_steps: tuple[int, ...]
    stops: tuple[int, ...]

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        steps: int = 10_000,
        batch_size: int = 100,
        learning_rate: float = 0.1,
        seed: int = 0,
        checkpoint_every: int | None = None,
    ) -> Self:
        """The lecture's run: accuracies after the first step of every epoch and at the
        end, as its script prints them. Of many short epochs (digits have 15 steps) only
        every so many are evaluated. With `checkpoint_every`, the trainings also stop
        after every so many steps.
        """
        samples, pixels = dataset.x_train.shape
        start, order = (np.random.default_rng([seed, stream]) for stream in (0, 1))
        params = TwoLayerNet(pixels, HIDDEN, CLASSES, rng=start).params
        epoch = max(samples // batch_size, 1)
        evaluated = epoch * math.ceil(steps / epoch / MOST_ROWS)
        epoch_steps = {*range(1, steps + 1, evaluated), steps}
        every = max(steps // 100, 1)
        drift_steps = {s for s in DRIFT_STEPS if s < steps} | {
            *range(every, steps + 1, every)
        }
        if checkpoint_every is not None:
            drift_steps |= {*range(checkpoint_every, steps, checkpoint_every)}
        return cls(
            dataset=dataset,
            params=params,
            batches=choose_batches(order, samples, steps, batch_size),
            learning_rate=learning_rate,
            seed=seed,
            steps_per_epoch=epoch,
            epoch_steps=tuple(sorted(epoch_steps)),
            stops=tuple(sorted(epoch_steps | drift_steps)),
        )

    @property
    def steps(self) -> int:
        return len(self.batches)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What one training went through: the parameters at every stop; and the scores that
    the last of them give the test set.
    """

    params: list[Arrays]
    scores: np.ndarray


Trained = dict[str, tuple[Implementation, Trajectory]]


def train(
    plan: Plan,
    dtype: str,
    implementation: Implementation,
    baseline: Trajectory | None,
    progress: Callable[[int], object] = lambda steps: None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Training, Trajectory]:
    """One training, held against `baseline`, the reference's in the same dtype.

    Args:
        plan: what is shared by all.
        dtype: of data and parameters.
        implementation: one that has `train` and `predict`.
        baseline: None if this is the reference itself.
        progress: called with the number of steps done since it was last called.
        checkpoints: where it is saved at every stop, and resumed from.

    Raises:
        TrainingDiverged: a loss is infinite or NaN.
        CheckpointError: a checkpoint cannot be written.
    """
    assert implementation.train is not None
    assert implementation.predict is not None
    data = in_dtype(plan.dataset, dtype)
    params = {name: value.astype(dtype) for name, value in plan.params.items()}
    for value in params.values():
        value.flags.writeable = False  # who trains these and no copies is found out
    epochs: list[Epoch] = []
    losses: list[tuple[int, float]] = []
    drift: list[Drift] = []
    flips: list[tuple[int, int]] = []
    path: list[Arrays] = []
    done = 0
    started = time.perf_counter()
    run = (
        partial(checkpoints.train, implementation)
        if checkpoints
        else implementation.train
    )
    for step, reached, stretch, accuracies in run(
        params,
        (data.x_train, data.t_train),
        (data.x_test, data.t_test),
        plan.batches,
        plan.learning_rate,
        stops=frozenset(plan.stops),  # each step asks whether it is one
        evaluate=plan.epoch_steps,
    ):
        if not np.isfinite(stretch).all():
            first = done + 1 + int(np.argmin(np.isfinite(stretch)))
            raise TrainingDiverged(
                f"the {dtype} training of {implementation.name} diverged: its loss is "
                f"not finite at step {first} (learning rate {plan.learning_rate})"
            )
        if accuracies is not None:
            epochs.append(
                Epoch(
                    epoch=math.ceil((step - 1) / plan.steps_per_epoch),
                    step=step,
                    loss=float(stretch[-1]),
                    train_accuracy=accuracies[0],
                    test_accuracy=accuracies[1],
                )
            )
        losses.append((step, float(stretch.mean())))
        if baseline is not None:
            expected = baseline.params[len(path)]
            drift += list(differences(step, reached, expected))
            images = data.x_train[plan.batches[step - 1]]
            flips.append((step, count_flips(images, reached, expected)))
        path.append(reached)
        progress(step - done)
        done = step
    seconds = time.perf_counter() - started
    if checkpoints is not None:
        seconds += checkpoints.spent(implementation.name, dtype)
    scores = implementation.predict(path[-1], data.x_test)
    reference = scores if baseline is None else baseline.scores
    differing = outcome.disagreements(scores, reference, data.t_test)
    training = Training(
        implementation=implementation.name,
        dtype=dtype,
        steps=plan.steps,
        batch_size=plan.batches.shape[1],
        learning_rate=plan.learning_rate,
        seed=plan.seed,
        seconds=seconds,
        epochs=epochs,
        losses=losses,
        drift=drift,
        flips=flips,
        test_predictions_differing=len(differing),
        disagreements=differing,
        confusion=outcome.confusion(scores, data.t_test),
        discordant=None
        if baseline is None
        else outcome.discordant(scores, reference, data.t_test),
    )
    return training, Trajectory(path, scores)


@lru_cache(maxsize=2)  # MNIST takes a while, and all implementations take the same
def in_dtype(dataset: Dataset, dtype: str) -> Dataset:
    return dataset.astype(dtype)


def differences(step: int, params: Arrays, reference: Arrays) -> Iterator[Drift]:
    """How far each parameter tensor is from the reference's."""
    for name, value in params.items():
        gap = np.abs(value - reference[name])
        size = np.abs(reference[name])
        relative = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0)
        yield Drift(
            step=step,
            quantity=name,
            max_abs=float(gap.max()),
            max_rel=float(relative.max()),
        )


def count_flips(x: np.ndarray, params: Arrays, reference: Arrays) -> int:
    """How many ReLUs are open for these images with one's parameters and shut with the
    other's, in exact arithmetic.
    """
    x = x.astype(np.float64)
    opened, expected = (x @ p["W1"] + p["b1"] > 0 for p in (params, reference))
    return int((opened != expected).sum())


def run_trainings(
    plan: Plan,
    dtypes: Sequence[str],
    implementations: Sequence[Implementation],
    progress: Callable[[str, str, int], object] = lambda name, dtype, steps: None,
    checkpoints: Checkpoints | None = None,
    inspect: Callable[[str, Trained], object] = lambda dtype, trained: None,
    failed: Callable[[Untrained], object] | None = None,
) -> list[Training]:
    """Every implementation in every dtype, one after another; the reference, first of
    them, is what the others are held against. `inspect` is called with all of a dtype.

    Where `failed` is given, it is called with every training but the reference's that
    raises an error, and the others go on.
    """
    trainings: list[Training] = []
    for dtype in dtypes:
        trained: Trained = {}
        baseline: Trajectory | None = None
        for each in implementations:
            counted = Counted(partial(progress, each.name, dtype))
            try:
                training, path = train(
                    plan, dtype, each, baseline, counted, checkpoints
                )
            except (CheckpointError, MemoryError):
                raise
            except (Exception, SystemExit) as error:  # the others go on
                if failed is None or baseline is None:
                    raise
                failed(
                    Untrained(
                        implementation=each.name,
                        dtype=dtype,
                        seed=plan.seed,
                        verdict=Verdict.FAIL,
                        note=sentence_of(error),
                    )
                )
                counted(plan.steps - counted.steps)
                continue
            trainings.append(training)
            trained[each.name] = each, path
            baseline = baseline or path
        inspect(dtype, trained)
    return trainings


class Counted:
    """Hands on the numbers of steps that it is told, and knows their sum."""

    def __init__(self, progress: Callable[[int], object]) -> None:
        self.progress, self.steps = progress, 0

    def __call__(self, steps: int) -> None:
        self.steps += steps
        self.progress(steps)


def sentence_of(error: BaseException) -> str:
    """What a training that raised this is told to have died of, in one line."""
    if isinstance(error, TrainingDiverged):
        return str(error)
    first = str(error).strip().partition("\n")[0]
    return f"raised {type(error).__name__}{': ' if first else ''}{first}"


def disagreement(training: Training, reference: Training, tests: int) -> str | None:
    """Why a training does not agree with the reference's in its dtype, or None."""
    name, dtype = training.implementation, training.dtype
    if [step for step, _ in training.losses] != [step for step, _ in reference.losses]:
        return f"{name} in {dtype} does not make the same steps as the reference"
    if dtype == "float64":
        if training.test_predictions_differing:
            return (
                f"{name} in float64 predicts {training.test_predictions_differing} of "
                f"{tests} test samples unlike the reference"
            )
        if training.largest_drift > FLOAT64_DRIFT:
            drift = f"{training.largest_drift:.1e}"
            return f"{name} in float64 drifts {drift} from the reference"
        reported = max(gaps(training, reference), default=0.0)
        if reported > FLOAT64_DRIFT:
            return (
                f"{name} in float64 reports a loss or an accuracy that is "
                f"{reported:.1e} from the reference's"
            )
        return None
    gap = abs(training.epochs[-1].test_accuracy - reference.epochs[-1].test_accuracy)
    if gap > max(FLOAT32_ACCURACY, 1.5 / max(tests, 1)):
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
