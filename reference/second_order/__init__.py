"""Second derivatives by hand: Pearlmutter's R-operator, layer by layer.

Let the inputs move: x + r Rx, with Rx their direction. R{f} is the derivative of
whatever is computed from them by r, at r = 0. It obeys the rules of differentiation,

    R{x + y} = Rx + Ry        R{x * y} = Rx * y + x * Ry        R{f(x)} = f'(x) * Rx

so every line of `forward` gives a line of `r_forward`, and every line of `backward` one
of `r_backward`, and neither costs more than a few times the line that it comes from. The
first gives Rout, the Jacobian times the direction (a JVP, forward mode). The second gives
Rdx, and since dx is a gradient, that is the Hessian times the direction: the product, for
the price of a gradient, with a matrix that nobody could store. (B. A. Pearlmutter, *Fast
exact multiplication by the Hessian*, Neural Computation 6(1), 1994.)

`r_forward` comes after `forward` and takes the directions of all inputs, `r_backward`
comes after that and takes dout and its direction. Where a mask switches (Relu), its
derivative is taken to be 0, as everywhere in the field.
"""

import inspect
from typing import Any

import numpy as np

from gradparity.reference.arrays import check_shape
from gradparity.reference.functions import at_labels
from gradparity.reference.layers import (
    AddLayer,
    Affine,
    Array,
    BuyFruit,
    CrossEntropy,
    Exp,
    Log,
    MulLayer,
    Negate,
    PlusOne,
    Reciprocal,
    Relu,
    Sigmoid,
    SigmoidGraph,
    Softmax,
    SoftmaxWithLoss,
    Value,
)
from gradparity.reference.networks import Batch, Labels, Params


class RAddLayer(AddLayer):
    """out = x + y, dx = dy = dout."""

    def r_forward(self, Rx: Value, Ry: Value) -> Value:
        return Rx + Ry

    def r_backward(self, dout: Value, Rdout: Value) -> tuple[Value, Value]:
        return Rdout * 1, Rdout * 1


class RMulLayer(MulLayer):
    """out = x * y, dx = dout * y, dy = dout * x: products, all of them."""

    def r_forward(self, Rx: Value, Ry: Value) -> Value:
        self.Rx, self.Ry = Rx, Ry
        return Rx * self.y + self.x * Ry

    def r_backward(self, dout: Value, Rdout: Value) -> tuple[Value, Value]:
        return Rdout * self.y + dout * self.Ry, Rdout * self.x + dout * self.Rx


class RBuyFruit(BuyFruit):
    """The bill node by node: forward in the one order, backward in the other."""

    mul_apple: RMulLayer
    mul_orange: RMulLayer
    add_fruit: RAddLayer
    mul_tax: RMulLayer

    def __init__(self) -> None:
        self.mul_apple, self.mul_orange = RMulLayer(), RMulLayer()
        self.add_fruit, self.mul_tax = RAddLayer(), RMulLayer()

    def r_forward(
        self,
        Rapple: Value,
        Rapple_num: Value,
        Rorange: Value,
        Rorange_num: Value,
        Rtax: Value,
    ) -> Value:
        Rapple_price = self.mul_apple.r_forward(Rapple, Rapple_num)
        Rorange_price = self.mul_orange.r_forward(Rorange, Rorange_num)
        Rfruit_price = self.add_fruit.r_forward(Rapple_price, Rorange_price)
        return self.mul_tax.r_forward(Rfruit_price, Rtax)

    def r_backward(
        self, dout: Value, Rdout: Value
    ) -> tuple[Value, Value, Value, Value, Value]:
        dfruit_price, _ = self.mul_tax.backward(dout)
        Rdfruit_price, Rdtax = self.mul_tax.r_backward(dout, Rdout)
        dapple_price, dorange_price = self.add_fruit.backward(dfruit_price)
        Rdapple_price, Rdorange_price = self.add_fruit.r_backward(
            dfruit_price, Rdfruit_price
        )
        Rdorange, Rdorange_num = self.mul_orange.r_backward(
            dorange_price, Rdorange_price
        )
        Rdapple, Rdapple_num = self.mul_apple.r_backward(dapple_price, Rdapple_price)
        return Rdapple, Rdapple_num, Rdorange, Rdorange_num, Rdtax


class RRelu(Relu):
    """The same switch for what moves; the switch itself does not."""

    def r_forward(self, Rx: Value) -> Value:
        return np.where(self.mask, 0, Rx)[()]

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return np.where(self.mask, 0, Rdout)[()]


class RNegate(Negate):
    """out = x * (-1), dx = dout * (-1)."""

    def r_forward(self, Rx: Value) -> Value:
        return Rx * -1

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * -1


class RExp(Exp):
    """out = exp(x), dx = dout * out."""

    def r_forward(self, Rx: Value) -> Value:
        self.Rout = Rx * self.out
        return self.Rout

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * self.out + dout * self.Rout


class RLog(Log):
    """out = log(x), dx = dout / x. Multiplied out, dx * x = dout, which gives
    Rdx * x + dx * Rx = Rdout.
    """

    def r_forward(self, Rx: Value) -> Value:
        self.Rx = Rx
        return Rx / self.x

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        dx = dout / self.x
        return (Rdout - dx * self.Rx) / self.x


class RPlusOne(PlusOne):
    """out = x + 1, dx = dout: the constant does not move."""

    def r_forward(self, Rx: Value) -> Value:
        return Rx * 1

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * 1


class RReciprocal(Reciprocal):
    """out = 1 / x, dx = -dout * out**2."""

    def r_forward(self, Rx: Value) -> Value:
        self.Rout = -Rx * self.out**2
        return self.Rout

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return -Rdout * self.out**2 - dout * (2 * self.out * self.Rout)


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


class RAffine(Affine):
    """out = x @ W + b, dx = dout @ W.T, dW = x.T @ dout, db = dout summed.

    R{dx} is returned, R{dW} and R{db} are attributes, as their originals are.
    """

    def r_forward(self, Rx: Array, RW: Array, Rb: Array) -> Array:
        self.Rx, self.RW = Rx.reshape(self.x.shape), RW
        Rout = self.Rx @ self.W + self.x @ RW + Rb
        return Rout.reshape(self.out_shape)

    def r_backward(self, dout: Array, Rdout: Array) -> Array:
        dout, Rdout = (d.reshape(len(self.x), -1) for d in (dout, Rdout))
        self.RdW = self.Rx.T @ dout + self.x.T @ Rdout
        self.Rdb = Rdout.sum(axis=0)
        Rdx = Rdout @ self.W.T + dout @ self.RW.T
        return Rdx.reshape(self.original_x_shape)


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


def jvp(layer: Any, inputs: dict[str, Any], tangents: dict[str, Any]) -> Any:
    """Rout: the Jacobian of a layer times a direction.

    Args:
        layer: one of the classes above.
        inputs: the layer's, in order, by name; labels are `t`.
        tangents: the direction, for every input but the labels, in the same order.

    Raises ValueError where a tangent has not the shape of its input.
    """
    return _moved(layer, inputs, tangents)[1]


def hvp(
    layer: Any, inputs: dict[str, Any], dout: Any, tangents: dict[str, Any], Rdout: Any
) -> dict[str, Any]:
    """R{dx} of every input: the Hessian of sum(dout * out) times a direction.

    Args:
        layer, inputs, tangents: as for `jvp`.
        dout: the derivative that arrives from above.
        Rdout: how that moves; zeros where it does not.
    """
    node, Rout = _moved(layer, inputs, tangents)
    check_shape(layer.__name__, "Rdout", Rdout, np.shape(Rout))
    returned = node.r_backward(dout, Rdout)
    returned = returned if isinstance(returned, tuple) else (returned,)
    held = [name for name in tangents if hasattr(node, "Rd" + name)]
    names = [name for name in tangents if name not in held]
    return dict(zip(names, returned, strict=True)) | {
        name: getattr(node, "Rd" + name) for name in held
    }


def _moved(
    layer: Any, inputs: dict[str, Any], tangents: dict[str, Any]
) -> tuple[Any, Any]:
    """The layer after forward and r_forward, and Rout."""
    for name, tangent in tangents.items():
        check_shape(layer.__name__, "R" + name, tangent, np.shape(inputs[name]))
    values = list(inputs.values())
    split = len(values) - len(inspect.signature(layer).parameters)
    node = layer(*values[split:])
    node.forward(*values[:split])
    return node, node.r_forward(*tangents.values())


def loss_jvp(params: Params, x: Batch, t: Labels, direction: Params) -> Any:
    """How fast TwoLayerNet's loss grows as its parameters move in a direction."""
    return _moved_loss(params, x, t, direction)[-1]


def loss_hvp(params: Params, x: Batch, t: Labels, direction: Params) -> Params:
    """The Hessian of TwoLayerNet's loss times a direction, by parameter.

    Four passes: forward, r_forward, backward, and r_backward beside it.

    Args:
        params: W1, b1, W2 and b2.
        x, t: a batch; it does not move.
        direction: arrays in the shapes of the parameters.
    """
    affine1, relu1, affine2, loss, _ = _moved_loss(params, x, t, direction)
    dout, Rdout = loss.backward(), loss.r_backward(1, 0)
    dout, Rdout = affine2.backward(dout), affine2.r_backward(dout, Rdout)
    dout, Rdout = relu1.backward(dout), relu1.r_backward(dout, Rdout)
    affine1.r_backward(dout, Rdout)
    return {"W1": affine1.RdW, "b1": affine1.Rdb, "W2": affine2.RdW, "b2": affine2.Rdb}


def _moved_loss(params: Params, x: Batch, t: Labels, direction: Params) -> Any:
    """The network's layers after forward and r_forward, and Rloss."""
    for name, value in params.items():
        check_shape("TwoLayerNet", "R" + name, direction[name], value.shape)
    affine1, relu1 = RAffine(params["W1"], params["b1"]), RRelu()
    affine2, loss = RAffine(params["W2"], params["b2"]), RSoftmaxWithLoss()
    hidden: Any = relu1.forward(affine1.forward(x))
    loss.forward(affine2.forward(hidden), t)
    Rx = np.zeros_like(x)
    Rhidden: Any = relu1.r_forward(
        affine1.r_forward(Rx, direction["W1"], direction["b1"])
    )
    Rscores = affine2.r_forward(Rhidden, direction["W2"], direction["b2"])
    return affine1, relu1, affine2, loss, loss.r_forward(Rscores)
