"""Products of the network's gradient and Hessian with a direction, by the R-operator."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import Labels, check_shape
from gradparity.reference.networks import Batch, Params
from gradparity.reference.second_order.activations import RRelu
from gradparity.reference.second_order.linear import RAffine
from gradparity.reference.second_order.losses import RSoftmaxWithLoss


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
