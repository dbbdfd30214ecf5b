"""The nodes inside the layers that join several: `Affine` and `SoftmaxWithLoss`.

`layers/` joins these nodes, because joined they are shorter, faster and right over a
wider range. Here they are apart, as a computational graph is drawn with them, in the
same interface: each is one step of a derivation, and the composites at the end put the
steps together.
"""

from typing import Any

import numpy as np

from gradparity.reference.arrays import (
    Float,
    Labels,
    Value,
    check_dout,
    check_floats,
    check_rank,
    check_shape,
    ieee,
)
from gradparity.reference.functions import at_labels, to_labels
from gradparity.reference.layers import Exp, Log

Rows = Float[np.ndarray, "*batch columns"]  # one sample, or a batch of them
RowsIn = Float[np.ndarray, "*batch in"]
RowsOut = Float[np.ndarray, "*batch out"]
Column = Float[np.ndarray, "*batch 1"]
Matrix = Float[np.ndarray, "in out"]
Bias = Float[np.ndarray, "out"]


class Dot:
    """x @ W for one sample or a batch; each sample is a row.

    As in a product of numbers, the derivative of each input has the other as a factor,
    here transposed so that the shapes fit: dx = dout @ W.T and dW = x.T @ dout.
    """

    sign = "dot"

    def __init__(self) -> None:
        self.x: Any = None
        self.W: Any = None

    @ieee
    def forward(self, x: RowsIn, W: Matrix) -> RowsOut:
        check_floats("Dot", x=x, W=W)
        check_rank("Dot", "x", x, 1, 2)
        check_rank("Dot", "W", W, 2)
        check_shape("Dot", "x", x, (*x.shape[:-1], len(W)))
        self.x, self.W = x, W
        return x @ W

    @ieee
    def backward(self, dout: RowsOut) -> tuple[RowsIn, Matrix]:
        check_dout("Dot", dout, self.out_shape)
        dx = dout @ self.W.T
        dW = np.atleast_2d(self.x).T @ np.atleast_2d(dout)  # one sample: a batch of one
        return dx, dW

    @property
    def out_shape(self) -> tuple[int, ...] | None:
        """The shape of x with the columns of W; None before forward."""
        return None if self.x is None else (*self.x.shape[:-1], self.W.shape[1])


class AddBias:
    """x + b, the same b for every sample. So db is the sum over the batch."""

    sign = "+"

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    @ieee
    def forward(self, x: RowsOut, b: Bias) -> RowsOut:
        check_floats("AddBias", x=x, b=b)
        check_rank("AddBias", "x", x, 1, 2)
        check_shape("AddBias", "b", b, x.shape[-1:])
        self.out_shape = x.shape
        return x + b

    @ieee
    def backward(self, dout: RowsOut) -> tuple[RowsOut, Bias]:
        check_dout("AddBias", dout, self.out_shape)
        return dout * 1, np.atleast_2d(dout).sum(axis=0)


class Shift:
    """x minus the largest entry of its row, so that no exp after it can overflow.

    The maximum depends on x, but is taken as a constant: it cancels in the fraction
    that softmax is, so whatever went back through it would cancel, too.
    """

    sign = "− max"

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    @ieee
    def forward(self, x: Rows) -> Rows:
        check_floats("Shift", x=x)
        check_rank("Shift", "x", x, 1, 2)
        self.out_shape = x.shape
        return x - x.max(axis=-1, keepdims=True)

    def backward(self, dout: Rows) -> Rows:
        check_dout("Shift", dout, self.out_shape)
        return dout * 1


class SumRows:
    """The sum of every row, as a column. Backward hands dout to every entry summed."""

    sign = "sum"

    def __init__(self) -> None:
        self.x_shape: Any = None

    @ieee
    def forward(self, x: Rows) -> Column:
        check_floats("SumRows", x=x)
        check_rank("SumRows", "x", x, 1, 2)
        self.x_shape = x.shape
        return x.sum(axis=-1, keepdims=True)

    def backward(self, dout: Column) -> Rows:
        shape = self.x_shape
        check_dout("SumRows", dout, None if shape is None else (*shape[:-1], 1))
        return np.repeat(dout, shape[-1], axis=-1)


class Divide:
    """x / y with one divisor for every row of x.

    The derivatives are 1 / y and -x / y**2, which is minus the output over y. Every
    entry of a row used the same y, so dy is the sum over the row.
    """

    sign = "÷"

    def __init__(self) -> None:
        self.y: Any = None
        self.out: Any = None

    @ieee
    def forward(self, x: Rows, y: Column) -> Rows:
        check_floats("Divide", x=x, y=y)
        check_rank("Divide", "x", x, 1, 2)
        check_shape("Divide", "y", y, (*x.shape[:-1], 1))
        self.y = y
        self.out = x / y
        return self.out

    @ieee
    def backward(self, dout: Rows) -> tuple[Rows, Column]:
        check_dout("Divide", dout, None if self.out is None else self.out.shape)
        dy = (-dout * self.out / self.y).sum(axis=-1, keepdims=True)
        return dout / self.y, dy


class MeanAtLabels:
    """Minus the mean, over the batch, of the entry that each row's label points at.

    The derivative is -1 / batch at the label and 0 elsewhere.
    """

    sign = "− mean at t"

    def __init__(self) -> None:
        self.x_shape: Any = None
        self.dtype: Any = None
        self.labels: Any = None

    @ieee
    def forward(self, x: Rows, t: Labels) -> Value:
        check_floats("MeanAtLabels", x=x)
        check_rank("MeanAtLabels", "x", x, 1, 2)
        self.x_shape, self.dtype = x.shape, x.dtype
        self.labels = to_labels("MeanAtLabels", t, x.shape)
        return -at_labels(x, self.labels).sum() / self.labels.size

    @ieee
    def backward(self, dout: Value = 1) -> Rows:
        check_dout("MeanAtLabels", dout, None if self.x_shape is None else ())
        dx = np.zeros(self.x_shape, self.dtype)
        column = self.labels[..., np.newaxis]
        np.put_along_axis(dx, column, -dout / self.labels.size, axis=-1)
        return dx


class AffineGraph:
    """x @ W + b from two nodes, dot and +, for one sample or a batch.

    `Affine` is the same function of the same interface, and also takes tensors.
    """

    def __init__(self, W: Matrix, b: Bias) -> None:
        self.W, self.b = W, b
        self.dot, self.add_bias = Dot(), AddBias()
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: RowsIn) -> RowsOut:
        check_floats("AffineGraph", x=x, W=self.W, b=self.b)
        xW = self.dot.forward(x, self.W)
        return self.add_bias.forward(xW, self.b)

    def backward(self, dout: RowsOut) -> RowsIn:
        check_dout("AffineGraph", dout, self.add_bias.out_shape)
        dxW, self.db = self.add_bias.backward(dout)
        dx, self.dW = self.dot.backward(dxW)
        return dx


class SoftmaxWithLossGraph:
    """The mean cross entropy of softmax(x) and labels t, from six nodes.

    `SoftmaxWithLoss` joins them, and all that is left of this backward is
    (y - t) / batch. Where a probability underflows to 0, only the joined layer works.
    """

    def __init__(self) -> None:
        self.shift = Shift()
        self.exp: Any = Exp()
        self.sum_rows = SumRows()
        self.divide = Divide()
        self.log: Any = Log()
        self.mean = MeanAtLabels()

    def forward(self, x: Rows, t: Labels) -> Value:
        check_floats("SoftmaxWithLossGraph", x=x)
        z = self.shift.forward(x)
        e = self.exp.forward(z)
        total = self.sum_rows.forward(e)
        y = self.divide.forward(e, total)
        log_y = self.log.forward(y)
        return self.mean.forward(log_y, t)

    def backward(self, dout: Value = 1) -> Rows:
        shape = self.mean.x_shape
        check_dout("SoftmaxWithLossGraph", dout, None if shape is None else ())
        dlog_y = self.mean.backward(dout)
        dy = self.log.backward(dlog_y)
        de_of_divide, dtotal = self.divide.backward(dy)
        de_of_sum = self.sum_rows.backward(dtotal)
        de = de_of_divide + de_of_sum  # e went to both: the branches' derivatives add
        dz = self.exp.backward(de)
        return self.shift.backward(dz)
