"""What is trained on: the same images, labels and initial parameters for all loops.

The images are random numbers of MNIST's shape, since the speed of a step depends on the
shapes and not on what is to be seen. It is apart so that a loop can be read without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays

SAMPLES, PIXELS, CLASSES = 60_000, 784, 10  # as MNIST
# With the lecture's 0.1 and labels that are random, mini-batches of a single image shut
# nearly every ReLU, and it takes less time to set few elements to zero than half of them.
RATE = 0.001


@dataclass(frozen=True, eq=False)
class Work:
    """What a loop is given. It makes the steps of one stretch after another.

    Attributes:
        images: (60,000, 784), from 0 to 0.5, and about half of the pixels blank.
        labels: (60,000,), integers from 0 to 9.
        params: W1, b1, W2 and b2 to start from, which cannot be written to.
        batches: (steps, batch size), the samples of every mini-batch.
        lengths: how many steps each stretch has; their sum is the number of steps.
        rate: the learning rate.
    """

    images: np.ndarray
    labels: np.ndarray
    params: Arrays
    batches: np.ndarray
    lengths: tuple[int, ...]
    rate: float = RATE

    @classmethod
    def of(
        cls,
        dtype: str,
        batch_size: int,
        hidden: int,
        lengths: Sequence[int],
        *,
        seed: int = 0,
        samples: int = SAMPLES,
        rate: float = RATE,
    ) -> Self:
        """Mini-batches are drawn by `seed`: each loop that is timed should have its own.

        The one that came second would find its samples in the processor's cache, where
        the first had brought them. All the rest is the same for every seed.
        """
        images, labels = _data(dtype, samples)
        rng = np.random.default_rng(seed)
        return cls(
            images=images,
            labels=labels,
            params=_params(dtype, hidden),
            batches=rng.integers(samples, size=(sum(lengths), batch_size)),
            lengths=tuple(lengths),
            rate=rate,
        )

    @property
    def dtype(self) -> Any:
        return self.images.dtype

    @property
    def stops(self) -> list[int]:
        """The steps, counted from 1, after which the stretches end."""
        return np.cumsum(self.lengths).tolist()

    @property
    def stretches(self) -> list[np.ndarray]:
        """The mini-batches, stretch by stretch."""
        return np.split(self.batches, self.stops[:-1])


@lru_cache(maxsize=1)  # 376 MB in float64
def _data(dtype: str, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """No pixel is a subnormal number: those take other times than all the rest."""
    rng = np.random.default_rng(0)
    images = rng.random((samples, PIXELS), np.float32)
    images -= 0.5
    np.maximum(images, 0, out=images)
    return images.astype(dtype, copy=False), rng.integers(CLASSES, size=samples)


def _params(dtype: str, hidden: int) -> Arrays:
    rng = np.random.default_rng(1)
    params = {
        "W1": 0.01 * rng.standard_normal((PIXELS, hidden)),
        "b1": np.zeros(hidden),
        "W2": 0.01 * rng.standard_normal((hidden, CLASSES)),
        "b2": np.zeros(CLASSES),
    }
    params = {name: value.astype(dtype) for name, value in params.items()}
    for value in params.values():
        value.flags.writeable = False  # who trains these and no copies is found out
    return params
