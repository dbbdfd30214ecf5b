"""Every layer forward and backward, by hand.

A layer is a node of the computational graph. `forward` computes its output and keeps
what backward will need (the residuals); `backward` takes `dout`, the derivative of the
final value with respect to that output, and returns the derivative with respect to
each input: the chain rule, one node at a time.

The interface is that of K. Saitoh, *Deep Learning from Scratch* (O'Reilly Japan, 2016),
chapter 5, on which the lecture builds. Inputs keep their dtype (float32, float64 or
longdouble) and are never written into. Anything else is refused with a TypeError or a
ValueError that names the argument (`arrays.py`).
"""

from typing import Any

import numpy as np
from jaxtyping import Shaped

from gradparity.reference.arrays import (
    Float,
    Number,
    check_alike,
    check_dout,
    check_floats,
    check_rank,
    check_shape,
)
from gradparity.reference.functions import at_labels, sigmoid, softmax, to_labels

Array = Float[np.ndarray, "..."]
Value = Array | Number

# At the edges, infinity and NaN are the right answers and no reason to warn.
ieee = np.errstate(over="ignore", divide="ignore", invalid="ignore")


class AddLayer:
    """x + y. Addition passes the derivative on, unchanged, to both inputs.

    The `* 1` gives each an array of its own, which may be written into.
    """

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    @ieee
    def forward(self, x: Value, y: Value) -> Value:
        check_alike("AddLayer", x=x, y=y)
        self.out_shape = np.shape(x)
        return x + y

    def backward(self, dout: Value) -> tuple[Value, Value]:
        check_dout("AddLayer", dout, self.out_shape)
        return dout * 1, dout * 1


class MulLayer:
    """x * y, element by element. The derivative of each input is the other input."""

    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    @ieee
    def forward(self, x: Value, y: Value) -> Value:
        check_alike("MulLayer", x=x, y=y)
        self.x, self.y = x, y
        return x * y

    @ieee
    def backward(self, dout: Value) -> tuple[Value, Value]:
        check_dout("MulLayer", dout, None if self.x is None else np.shape(self.x))
        return dout * self.y, dout * self.x


class BuyFruit:
    """(apple * apple_num + orange * orange_num) * tax: the lecture's bill as one graph.

    Two apples at 100, three oranges at 150 and 10 % tax come to 715. An apple dearer by
    1 makes the bill dearer by 2.2; a tax factor larger by 1, by 650.
    """

    def __init__(self) -> None:
        self.mul_apple, self.mul_orange = MulLayer(), MulLayer()
        self.add_fruit, self.mul_tax = AddLayer(), MulLayer()

    def forward(
        self,
        apple: Value,
        apple_num: Value,
        orange: Value,
        orange_num: Value,
        tax: Value,
    ) -> Value:
        check_alike(
            "BuyFruit",
            apple=apple,
            apple_num=apple_num,
            orange=orange,
            orange_num=orange_num,
            tax=tax,
        )
        apple_price = self.mul_apple.forward(apple, apple_num)
        orange_price = self.mul_orange.forward(orange, orange_num)
        fruit_price = self.add_fruit.forward(apple_price, orange_price)
        return self.mul_tax.forward(fruit_price, tax)

    def backward(self, dout: Value) -> tuple[Value, Value, Value, Value, Value]:
        dfruit_price, dtax = self.mul_tax.backward(dout)
        dapple_price, dorange_price = self.add_fruit.backward(dfruit_price)
        dorange, dorange_num = self.mul_orange.backward(dorange_price)
        dapple, dapple_num = self.mul_apple.backward(dapple_price)
        return dapple, dapple_num, dorange, dorange_num, dtax


class Relu:
    """max(0, x). The derivative is 1 where x > 0 and 0 elsewhere: a switch.

    At x = 0 it is taken to be 0, as everywhere in the field; any value in 0..1 would
    be a subgradient.
    """

    def __init__(self) -> None:
        self.mask: Any = None

    def forward(self, x: Value) -> Value:
        check_floats("Relu", x=x)
        self.mask = x <= 0
        return np.where(self.mask, 0, x)[()]

    def backward(self, dout: Value) -> Value:
        check_dout("Relu", dout, None if self.mask is None else np.shape(self.mask))
        return np.where(self.mask, 0, dout)[()]


class Negate:
    """x * (-1), the first node of the sigmoid's graph."""

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    def forward(self, x: Value) -> Value:
        check_floats("Negate", x=x)
        self.out_shape = np.shape(x)
        return x * -1

    def backward(self, dout: Value) -> Value:
        check_dout("Negate", dout, self.out_shape)
        return dout * -1


class Exp:
    """exp(x), its own derivative: backward multiplies by the output."""

    def __init__(self) -> None:
        self.out: Any = None

    @ieee
    def forward(self, x: Value) -> Value:
        check_floats("Exp", x=x)
        self.out = np.exp(x)
        return self.out

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Exp", dout, None if self.out is None else np.shape(self.out))
        return dout * self.out


class Log:
    """log(x), the natural logarithm. The derivative is 1 / x: backward divides by x."""

    def __init__(self) -> None:
        self.x: Any = None

    @ieee
    def forward(self, x: Value) -> Value:
        check_floats("Log", x=x)
        self.x = x
        return np.log(x)

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Log", dout, None if self.x is None else np.shape(self.x))
        return dout / self.x


class PlusOne:
    """x + 1. The constant has no derivative; x gets dout unchanged."""

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    def forward(self, x: Value) -> Value:
        check_floats("PlusOne", x=x)
        self.out_shape = np.shape(x)
        return x + 1

    def backward(self, dout: Value) -> Value:
        check_dout("PlusOne", dout, self.out_shape)
        return dout * 1


class Reciprocal:
    """1 / x. The derivative is -1 / x**2, which is minus the output squared."""

    def __init__(self) -> None:
        self.out: Any = None

    @ieee
    def forward(self, x: Value) -> Value:
        check_floats("Reciprocal", x=x)
        self.out = 1 / x
        return self.out

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Reciprocal", dout, None if self.out is None else np.shape(self.out))
        return -dout * self.out**2


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


class Affine:
    """x @ W + b for one sample or a batch.

    A batch of tensors (rank 3 and more) is flattened to (batch, in) and `dx` gets the
    tensors' shape back. Backward sums `dW` and `db` over the batch, because every
    sample used the same W and b:

        dx = dout @ W.T        dW = x.T @ dout        db = dout summed over the batch
    """

    def __init__(
        self, W: Float[np.ndarray, "in out"], b: Float[np.ndarray, "out"]
    ) -> None:
        self.W, self.b = W, b
        self.x: Any = None
        self.original_x_shape: tuple[int, ...] | None = None
        self.dW: Any = None
        self.db: Any = None

    @ieee
    def forward(self, x: Array) -> Array:
        check_floats("Affine", x=x, W=self.W, b=self.b)
        check_rank("Affine", "W", self.W, 2)
        check_shape("Affine", "b", self.b, self.W.shape[1:])
        check_rank("Affine", "x", x, 1, x.ndim or 2)  # any but 0
        self.original_x_shape = x.shape
        self.x = x.reshape(1 if x.ndim == 1 else len(x), -1)
        if self.x.shape[1] != len(self.W):
            raise ValueError(
                f"Affine: x has {self.x.shape[1]} features, W expects {len(self.W)} "
                f"(x: {x.shape}, W: {self.W.shape})"
            )
        out = self.x @ self.W + self.b
        return out[0] if x.ndim == 1 else out

    @ieee
    def backward(self, dout: Array) -> Array:
        self.backward_params(dout)
        dx = dout.reshape(len(self.x), -1) @ self.W.T
        return dx.reshape(self.original_x_shape)

    @ieee
    def backward_params(self, dout: Array) -> None:
        """Only dW and db: all that is wanted of a network's first layer."""
        check_dout("Affine", dout, self.out_shape)
        dout = dout.reshape(len(self.x), -1)
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)

    @property
    def out_shape(self) -> tuple[int, ...] | None:
        """(out,) for one sample, (batch, out) for a batch; None before forward."""
        if self.original_x_shape is None:
            return None
        batch = self.original_x_shape[:1] if len(self.original_x_shape) > 1 else ()
        return (*batch, self.W.shape[1])


class Softmax:
    """exp(x_k) / sum_j exp(x_j) along the last axis, for one sample or a batch.

    Every output depends on every input of its row: dy_k/dx_j = y_k * (1[k=j] - y_j).
    Summed against dout that is y * (dout - sum_k dout_k * y_k).
    """

    def __init__(self) -> None:
        self.y: Any = None

    @ieee
    def forward(
        self, x: Float[np.ndarray, "*batch classes"]
    ) -> Float[np.ndarray, "*batch classes"]:
        check_floats("Softmax", x=x)
        check_rank("Softmax", "x", x, 1, 2)
        self.y = softmax(x)
        return self.y

    @ieee
    def backward(
        self, dout: Float[np.ndarray, "*batch classes"]
    ) -> Float[np.ndarray, "*batch classes"]:
        check_dout("Softmax", dout, None if self.y is None else self.y.shape)
        return self.y * (dout - (dout * self.y).sum(axis=-1, keepdims=True))


class CrossEntropy:
    """-log(y_t), averaged over the batch, of probabilities y and labels t.

    The derivative is -1 / (batch * y_t) at the label and 0 elsewhere.
    """

    def __init__(self) -> None:
        self.y: Any = None
        self.labels: Any = None

    @ieee
    def forward(
        self,
        y: Float[np.ndarray, "*batch classes"],
        t: Shaped[np.ndarray, "..."] | int | np.integer,
    ) -> Number:
        check_floats("CrossEntropy", y=y)
        check_rank("CrossEntropy", "y", y, 1, 2)
        self.y, self.labels = y, to_labels("CrossEntropy", t, y.shape)
        return -np.log(at_labels(y, self.labels)).sum() / self.labels.size

    @ieee
    def backward(self, dout: Value = 1) -> Float[np.ndarray, "*batch classes"]:
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

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Any = None
        self.t: Any = None
        self.labels: Any = None

    @ieee
    def forward(
        self,
        x: Float[np.ndarray, "*batch classes"],
        t: Shaped[np.ndarray, "..."] | int | np.integer,
    ) -> Number:
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
    def backward(self, dout: Value = 1) -> Float[np.ndarray, "*batch classes"]:
        check_dout("SoftmaxWithLoss", dout, None if self.y is None else ())
        t = np.arange(self.y.shape[-1]) == self.labels[..., np.newaxis]  # one-hot
        return (self.y - t) * dout / self.labels.size
