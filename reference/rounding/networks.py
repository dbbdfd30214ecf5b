"""The bounds of the network: of what flows through it, and of how that moves."""

from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Arrays, Bounded, Bounds
from gradparity.reference.rounding.dual import Dual, tangents_of
from gradparity.reference.rounding.floating_point import Arithmetic
from gradparity.reference.rounding.rules.linear import affine_back
from gradparity.reference.rounding.rules.losses import softmax_with_loss


def network_bounds(
    params: Arrays, x: Any, t: Any, arithmetic: Arithmetic, mask: Any = None
) -> Bounds:
    """The same for everything that flows through TwoLayerNet, named as its `trace`.

    Where a pre-activation is within its bound of zero, the ReLU may be open or shut; with
    a `mask` of what it lets through, (batch, hidden), that is taken for granted.
    """
    given = {name: Bounded.exact(v, arithmetic) for name, v in params.items()}
    with np.errstate(all="ignore"):
        return two_layer_net(**given, x=Bounded.exact(x, arithmetic), t=t, mask=mask)


def step_bounds(
    params: Arrays,
    x: Any,
    t: Any,
    learning_rate: float,
    arithmetic: Arithmetic,
    mask: Any = None,
) -> Bounds:
    """The same for the parameters after one step of gradient descent on this batch.

    The learning rate is the number that the implementation multiplies with: rounded to
    its dtype already.
    """
    flow = network_bounds(params, x, t, arithmetic, mask)
    reached = {}
    with np.errstate(all="ignore"):
        for name, value in params.items():
            before = Bounded.exact(value, arithmetic)
            step = before.constant(learning_rate) * flow["d" + name]
            reached[name] = before - step
    return reached


def network_tangent_bounds(
    params: Arrays, x: Any, t: Any, direction: Arrays, arithmetic: Arithmetic
) -> Bounds:
    """The same for everything that flows through TwoLayerNet, if its parameters move."""
    direction = direction | {"x": np.zeros_like(x)}
    given: dict[str, Any] = {
        name: Dual.moving(value, direction[name], arithmetic)
        for name, value in (params | {"x": x}).items()
    }
    with np.errstate(all="ignore"):
        return tangents_of(two_layer_net(**given, t=t))


def two_layer_net(
    W1: Bounded,
    b1: Bounded,
    W2: Bounded,
    b2: Bounded,
    x: Bounded,
    t: Any,
    mask: Any = None,
) -> Bounds:
    def open_only(y: Bounded) -> Bounded:
        return y.map(lambda v: np.where(mask, v, 0))

    flow = {"Affine1": x.matmul(W1, plus=b1)}
    z = flow["Affine1"]
    flow["Relu1"] = z.relu() if mask is None else open_only(z)
    flow["Affine2"] = flow["Relu1"].matmul(W2, plus=b2)
    loss = softmax_with_loss(flow["Affine2"], t, x.constant(1.0))
    flow |= {"loss": loss["out"], "y": loss["y"], "dAffine2": loss["dx"]}
    back2 = affine_back(flow["Relu1"], W2, flow["dAffine2"])
    flow |= {"dRelu1": back2["dx"], "dW2": back2["dW"], "db2": back2["db"]}
    dRelu1 = flow["dRelu1"]
    flow["dAffine1"] = z.gate(dRelu1) if mask is None else open_only(dRelu1)
    back1 = affine_back(x, W1, flow["dAffine1"])
    return flow | {"dx": back1["dx"], "dW1": back1["dW"], "db1": back1["db"]}
