"""The activations: what stands between the matrix products of a network."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import (
    Scores,
    Value,
    check_dout,
    check_floats,
    check_rank,
    ieee,
)
from gradparity.reference.functions import sigmoid, softmax
from gradparity.reference.layers.arithmetic import Exp, Negate, PlusOne, Reciprocal

__all__ = ["Relu", "SigmoidGraph", "Sigmoid", "Softmax", "Tanh", "LeakyRelu"]


class Relu:
    """max(0, x). The derivative is 1 where x > 0 and 0 elsewhere: a switch.

    At x = 0 it is taken to be 0, as everywhere in the field; any value in 0..1 would
    be a subgradient.
    """

    sign = "relu"

    def __init__(self) -> None:
        self.mask: Any = None

    def forward(self, x: Value) -> Value:
        check_floats("Relu", x=x)
        self.mask = x <= 0
        return np.where(self.mask, 0, x)[()]

    def backward(self, dout: Value) -> Value:
        check_dout("Relu", dout, None if self.mask is None else np.shape(self.mask))
        return np.where(self.mask, 0, dout)[()]


class SigmoidGraph:
    """1 / (1 + exp(-x)) from four nodes: * (-1), exp, + 1, 1/x.

    The chain rule through the nodes and the closed form y * (1 - y) of `Sigmoid` are
    the same function; where exp(-x) overflows, only the closed form still works.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = [Negate(), Exp(), PlusOne(), Reciprocal()]
        self.out_shape: tuple[int, ...] | None = None

    def forward(self, x: Value) -> Value:
        check_floats("SigmoidGraph", x=x)
        self.out_shape = np.shape(x)
        for node in self.nodes:
            x = node.forward(x)
        return x

    def backward(self, dout: Value) -> Value:
        check_dout("SigmoidGraph", dout, self.out_shape)
        for node in reversed(self.nodes):
            dout = node.backward(dout)
        return dout


class Sigmoid:
    """1 / (1 + exp(-x)) as one node. Backward needs the output only: y * (1 - y)."""

    sign = "sigmoid"

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Value) -> Value:
        check_floats("Sigmoid", x=x)
        self.out = sigmoid(x)
        return self.out

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Sigmoid", dout, None if self.out is None else np.shape(self.out))
        return dout * (1 - self.out) * self.out


class Softmax:
    """exp(x_k) / sum_j exp(x_j) along the last axis, for one sample or a batch.

    Every output depends on every input of its row: dy_k/dx_j = y_k * (1[k=j] - y_j).
    Summed against dout that is y * (dout - sum_k dout_k * y_k).
    """

    sign = "softmax"

    def __init__(self) -> None:
        self.y: Any = None

    @ieee
    def forward(self, x: Scores) -> Scores:
        check_floats("Softmax", x=x)
        check_rank("Softmax", "x", x, 1, 2)
        self.y = softmax(x)
        return self.y

    @ieee
    def backward(self, dout: Scores) -> Scores:
        check_dout("Softmax", dout, None if self.y is None else self.y.shape)
        return self.y * (dout - (dout * self.y).sum(axis=-1, keepdims=True))


class Tanh:
    """tanh(x). Backward needs the output only: 1 - y**2.

    It is the sigmoid, stretched: 2 * sigmoid(2 * x) - 1, and unlike that it has its zero
    at 0.
    """

    sign = "tanh"

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Value) -> Value:
        check_floats("Tanh", x=x)
        self.out = np.tanh(x)
        return self.out

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Tanh", dout, None if self.out is None else np.shape(self.out))
        return dout * (1 - self.out * self.out)


class LeakyRelu:
    """slope * x where x <= 0, and x elsewhere: a ReLU that never stops the gradient.

    At x = 0 the derivative is taken to be the slope; any value from there to 1 would be a
    subgradient.

    Args:
        slope: the derivative below 0.
    """

    sign = "leaky relu"

    def __init__(self, *, slope: float = 0.01) -> None:
        self.slope = slope
        self.mask: Any = None

    @ieee
    def forward(self, x: Value) -> Value:
        check_floats("LeakyRelu", x=x)
        self.mask = x <= 0
        return np.where(self.mask, self.slope * x, x)[()]

    @ieee
    def backward(self, dout: Value) -> Value:
        shape = None if self.mask is None else np.shape(self.mask)
        check_dout("LeakyRelu", dout, shape)
        return np.where(self.mask, self.slope * dout, dout)[()]
