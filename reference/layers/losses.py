"""The losses: one number that says how far off the probabilities are."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import (
    Labels,
    Scores,
    Value,
    check_dout,
    check_floats,
    check_rank,
    ieee,
)
from gradparity.reference.functions import at_labels, to_labels

__all__ = ["CrossEntropy", "SoftmaxWithLoss"]


class CrossEntropy:
    """-log(y_t), averaged over the batch, of probabilities y and labels t.

    The derivative is -1 / (batch * y_t) at the label and 0 elsewhere.
    """

    sign = "cross entropy"

    def __init__(self) -> None:
        self.y: Any = None
        self.labels: Any = None

    @ieee
    def forward(self, y: Scores, t: Labels) -> Value:
        check_floats("CrossEntropy", y=y)
        check_rank("CrossEntropy", "y", y, 1, 2)
        self.y, self.labels = y, to_labels("CrossEntropy", t, y.shape)
        return -np.log(at_labels(y, self.labels)).sum() / self.labels.size

    @ieee
    def backward(self, dout: Value = 1) -> Scores:
        check_dout("CrossEntropy", dout, None if self.y is None else ())
        dy = np.zeros_like(self.y)
        column = self.labels[..., np.newaxis]
        dy_t = -dout / (np.take_along_axis(self.y, column, -1) * self.labels.size)
        np.put_along_axis(dy, column, dy_t, axis=-1)
        return dy


class SoftmaxWithLoss:
    """The mean cross entropy of softmax(x) and labels t: a number.

    Forward takes the logarithm before the exponential can underflow:
    -log(y_t) = log(sum_j exp(x_j)) - x_t. Backward is what makes the pair worth
    joining: everything cancels but (y - t) / batch, with t one-hot.

    The loss is a mean over the batch, so dx is already divided by the batch size.
    """

    sign = "softmax with loss"

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Any = None
        self.t: Any = None
        self.labels: Any = None

    @ieee
    def forward(self, x: Scores, t: Labels) -> Value:
        check_floats("SoftmaxWithLoss", x=x)
        check_rank("SoftmaxWithLoss", "x", x, 1, 2)
        self.t, self.labels = t, to_labels("SoftmaxWithLoss", t, x.shape)
        z = x - x.max(axis=-1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=-1, keepdims=True)
        self.y = e / total
        log_y_t = at_labels(z, self.labels) - np.log(total[..., 0])
        self.loss = -log_y_t.sum() / self.labels.size
        return self.loss

    @ieee
    def backward(self, dout: Value = 1) -> Scores:
        check_dout("SoftmaxWithLoss", dout, None if self.y is None else ())
        t = np.arange(self.y.shape[-1]) == self.labels[..., np.newaxis]  # one-hot
        return (self.y - t) * dout / self.labels.size
