"""What trainings share, and what comes of one: the plan, and the path that was taken.

Whatever differs in the end is arithmetic: the initial parameters, the data and the
samples of every mini-batch are the same arrays for all, rounded once to the dtype.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from gradparity.parity_tests.implementations.built_in import OUTSIDERS
from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.reference.datasets import Dataset
from gradparity.reference.networks import TwoLayerNet
from gradparity.reference.training import choose_batches

TRAINABLE = ("reference", "torch", "jax")
TRAINED = (*TRAINABLE, *OUTSIDERS)
HIDDEN = 50  # the lecture's network
CLASSES = 10
MOST_ROWS = 20  # of accuracies; MNIST's 10,000 steps are 17 epochs
DRIFT_STEPS = (1, 2, 5, 10, 20, 50)  # and every hundredth of the run


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


@lru_cache(maxsize=2)  # MNIST takes a while, and all implementations take the same
def in_dtype(dataset: Dataset, dtype: str) -> Dataset:
    return dataset.astype(dtype)
