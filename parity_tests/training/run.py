"""Trains every implementation from the same start on the same mini-batches.

Whatever differs in the end is arithmetic: the initial parameters, the data and the
samples of every mini-batch are the same arrays for all, rounded once to the dtype.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.implementations.user_supplied import Left
from gradparity.parity_tests.measuring import records
from gradparity.parity_tests.training import outcome
from gradparity.parity_tests.training.checkpoints import CheckpointError, Checkpoints
from gradparity.parity_tests.training.plan import (
    Plan,
    Trained,
    TrainingDiverged,
    Trajectory,
    in_dtype,
)
from gradparity.reference.layers import Relu
from gradparity.reference.networks import TWO_LAYER_NET, Chain, Network


def train(
    plan: Plan,
    dtype: str,
    implementation: Implementation,
    baseline: Trajectory | None,
    progress: Callable[[int], object] = lambda steps: None,
    checkpoints: Checkpoints | None = None,
) -> tuple[records.Training, Trajectory]:
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
    epochs: list[records.Epoch] = []
    losses: list[tuple[int, float]] = []
    drift: list[records.Drift] = []
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
                records.Epoch(
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
    training = records.Training(
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


def differences(
    step: int, params: Arrays, reference: Arrays
) -> Iterator[records.Drift]:
    """How far each parameter tensor is from the reference's."""
    for name, value in params.items():
        gap = np.abs(value - reference[name])
        size = np.abs(reference[name])
        relative = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0)
        yield records.Drift(
            step=step,
            quantity=name,
            max_abs=float(gap.max()),
            max_rel=float(relative.max()),
        )


def count_flips(x: np.ndarray, *both: Arrays, chain: Chain = TWO_LAYER_NET) -> int:
    """How many ReLUs are open for these images with one's parameters and shut with the
    other's, in float64.
    """
    relus = [layer.name for layer in chain.layers if layer.kind is Relu]
    masks = []
    for params in both:
        wide = {name: value.astype(np.float64) for name, value in params.items()}
        network = Network(chain, wide)
        network.predict(x)
        masks.append([network.layers[name].mask for name in relus])
    return sum(int((a != b).sum()) for a, b in zip(*masks, strict=True))


def run_trainings(
    plan: Plan,
    dtypes: Sequence[str],
    implementations: Sequence[Implementation],
    progress: Callable[[str, str, int], object] = lambda name, dtype, steps: None,
    checkpoints: Checkpoints | None = None,
    inspect: Callable[[str, Trained], object] = lambda dtype, trained: None,
    failed: Callable[[records.Untrained], object] | None = None,
) -> list[records.Training]:
    """Every implementation in every dtype, one after another; the reference, first of
    them, is what the others are held against. `inspect` is called with all of a dtype.

    Where `failed` is given, it is called with every training but the reference's that
    raises an error, and the others go on.
    """
    trainings: list[records.Training] = []
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
                    records.Untrained(
                        implementation=each.name,
                        dtype=dtype,
                        seed=plan.seed,
                        verdict=records.Verdict.FAIL,
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
    if isinstance(error, TrainingDiverged | Left):
        return str(error)
    first = str(error).strip().partition("\n")[0]
    return f"raised {type(error).__name__}{': ' if first else ''}{first}"
