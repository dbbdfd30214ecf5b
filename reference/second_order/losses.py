"""The R-operator on the losses."""

import numpy as np

from gradparity.reference.arrays import Array, Value
from gradparity.reference.functions import at_labels
from gradparity.reference.layers.losses import CrossEntropy, SoftmaxWithLoss

__all__ = ["RCrossEntropy", "RSoftmaxWithLoss"]


class RCrossEntropy(CrossEntropy):
    """out = -mean(log(y_t)), dy_t = -dout / (batch * y_t), and 0 elsewhere."""

    def r_forward(self, Ry: Array) -> Value:
        self.Ry = Ry
        Rlog = at_labels(Ry, self.labels) / at_labels(self.y, self.labels)
        return -Rlog.sum() / self.labels.size

    def r_backward(self, dout: Value, Rdout: Value) -> Array:
        y_t, Ry_t = (at_labels(value, self.labels) for value in (self.y, self.Ry))
        dy_t = -dout / (y_t * self.labels.size)
        Rdy_t = -Rdout / (y_t * self.labels.size) - dy_t * Ry_t / y_t
        Rdy = np.zeros_like(self.y)
        column = self.labels[..., np.newaxis]
        np.put_along_axis(Rdy, column, Rdy_t[..., np.newaxis], axis=-1)
        return Rdy


class RSoftmaxWithLoss(SoftmaxWithLoss):
    """The derivative of the loss is (y - t) / batch, so Rloss is that times Rx, and R{dx}
    has the softmax's Ry where dx has y - t: the labels do not move.
    """

    def r_forward(self, Rx: Array) -> Value:
        self.Ry = self.y * (Rx - (Rx * self.y).sum(axis=-1, keepdims=True))
        Rlog_y_t = at_labels(Rx, self.labels) - (Rx * self.y).sum(axis=-1)
        return -Rlog_y_t.sum() / self.labels.size

    def r_backward(self, dout: Value, Rdout: Value) -> Array:
        t = np.arange(self.y.shape[-1]) == self.labels[..., np.newaxis]
        return (self.Ry * dout + (self.y - t) * Rdout) / self.labels.size
