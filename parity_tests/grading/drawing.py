"""The numbers that tasks are made of, always the same ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.grading.course import SETTINGS
from gradparity.parity_tests.grading.outcomes import Call, Task


class Drawing:
    """Where the tasks' numbers come from."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return single(scale * self.rng.standard_normal(shape))

    def labels(self, batch: int, classes: int) -> np.ndarray:
        return self.rng.integers(classes, size=batch)

    def one_hot(self, batch: int, classes: int) -> np.ndarray:
        return np.eye(classes)[self.labels(batch, classes)]

    def probabilities(self, batch: int, classes: int) -> np.ndarray:
        """Rows that sum to 1, and none of it small: see `LOSS_TOLERANCE`."""
        drawn = self.rng.dirichlet(np.ones(classes), batch)
        return single(0.8 * drawn + 0.2 / classes)

    def wide(self, *shape: int) -> np.ndarray:
        """Numbers near 0, and two that are not."""
        x = self.normal(*shape)
        x.flat[1], x.flat[2] = 8, -8
        return x

    def gates(self, *shape: int) -> np.ndarray:
        """Positive and negative numbers, some large and some that are exactly 0."""
        x = self.normal(*shape)
        x.flat[::4] = 0
        x.flat[1], x.flat[2] = 20, -20
        return x


def single(value: np.ndarray) -> np.ndarray:
    """Rounded to float32, in float64."""
    return value.astype(np.float32).astype(np.float64)


def call(dout: Any = None, **inputs: Any) -> Call:
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    return Call(arrays, None if dout is None else np.asarray(dout, np.float64))


def in_both(name: str, case: str, *calls: Call) -> Iterator[Task]:
    """The task in both dtypes."""
    for dtype in DTYPES:
        yield Task(name, case, dtype, tuple(in_dtype(c, dtype) for c in calls))


def in_dtype(call: Call, dtype: str) -> Call:
    """But for settings and labels: one-hot rows are float64, as the data set's are."""
    inputs = {
        name: value if name == "t" or name in SETTINGS else value.astype(dtype)
        for name, value in call.inputs.items()
    }
    return Call(inputs, None if call.dout is None else call.dout.astype(dtype))
