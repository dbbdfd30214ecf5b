"""The R-operator on the activations."""

import numpy as np

from gradparity.reference.arrays import Array, Value
from gradparity.reference.layers.activations import (
    Relu,
    Sigmoid,
    SigmoidGraph,
    Softmax,
    Tanh,
)
from gradparity.reference.second_order.arithmetic import (
    RExp,
    RNegate,
    RPlusOne,
    RReciprocal,
)

__all__ = ["RRelu", "RSigmoidGraph", "RSigmoid", "RSoftmax", "RTanh"]


class RRelu(Relu):
    """The same switch for what moves; the switch itself does not."""

    def r_forward(self, Rx: Value) -> Value:
        return np.where(self.mask, 0, Rx)[()]

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return np.where(self.mask, 0, Rdout)[()]


class RSigmoidGraph(SigmoidGraph):
    """Through the four nodes, and back through them."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = [RNegate(), RExp(), RPlusOne(), RReciprocal()]

    def r_forward(self, Rx: Value) -> Value:
        for node in self.nodes:
            Rx = node.r_forward(Rx)
        return Rx

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        for node in reversed(self.nodes):
            dout, Rdout = node.backward(dout), node.r_backward(dout, Rdout)
        return Rdout


class RSigmoid(Sigmoid):
    """dx = dout * (1 - out) * out, and R{(1 - out) * out} = (1 - 2 * out) * Rout."""

    def r_forward(self, Rx: Value) -> Value:
        self.Rout = Rx * (1 - self.out) * self.out
        return self.Rout

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * (1 - self.out) * self.out + dout * (
            (1 - 2 * self.out) * self.Rout
        )


class RSoftmax(Softmax):
    """Ry = y * (Rx - sum(Rx * y)): the Jacobian is symmetric, so it is as backward.

    dx = y * (dout - s) with s = sum(dout * y).
    """

    def r_forward(self, Rx: Array) -> Array:
        self.Ry = self.y * (Rx - (Rx * self.y).sum(axis=-1, keepdims=True))
        return self.Ry

    def r_backward(self, dout: Array, Rdout: Array) -> Array:
        s = (dout * self.y).sum(axis=-1, keepdims=True)
        Rs = (Rdout * self.y + dout * self.Ry).sum(axis=-1, keepdims=True)
        return self.Ry * (dout - s) + self.y * (Rdout - Rs)


class RTanh(Tanh):
    """dx = dout * (1 - out**2), and R{1 - out**2} = -2 * out * Rout."""

    def r_forward(self, Rx: Value) -> Value:
        self.Rout = Rx * (1 - self.out * self.out)
        return self.Rout

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * (1 - self.out * self.out) - dout * (2 * self.out * self.Rout)
