"""Second derivatives by torch.func: forward mode, and forward mode over reverse.

Mirrors `reference/second_order.py`, where every one of these products is written out.
A layer is one of the functions of `layers.py`; inputs without a tangent do not move.
"""

from collections.abc import Callable
from typing import Any

import torch

from gradparity.torch_impl.layers import softmax_with_loss
from gradparity.torch_impl.networks import Batch, Labels, Params, TwoLayerNet

Tensors = dict[str, Any]


def jvp(layer: Callable[..., Any], inputs: Tensors, tangents: Tensors) -> Any:
    """Rout: the Jacobian of a layer times a direction."""
    moving, still = _split(inputs, tangents)
    return torch.func.jvp(lambda m: layer(**m, **still), (moving,), (tangents,))[1]


def hvp(
    layer: Callable[..., Any],
    inputs: Tensors,
    dout: Any,
    tangents: Tensors,
    Rdout: Any,
) -> Tensors:
    """R{dx} of every input: the Hessian of sum(dout * out) times a direction."""
    moving, still = _split(inputs, tangents)

    def backward(moving: Tensors, dout: Any) -> Tensors:
        back: Any = torch.func.vjp(lambda m: layer(**m, **still), moving)[1]
        return back(dout)[0]

    return torch.func.jvp(backward, (moving, dout), (tangents, Rdout))[1]


def _split(inputs: Tensors, tangents: Tensors) -> tuple[Tensors, Tensors]:
    """The inputs that move, in the order of the tangents, and the others."""
    still = {name: value for name, value in inputs.items() if name not in tangents}
    return {name: inputs[name] for name in tangents}, still


def loss_jvp(params: Params, x: Batch, t: Labels, direction: Params) -> Any:
    """How fast TwoLayerNet's loss grows as its parameters move in a direction."""
    return torch.func.jvp(_loss(params, x, t), (params,), (direction,))[1]


def loss_hvp(params: Params, x: Batch, t: Labels, direction: Params) -> Params:
    """The Hessian of TwoLayerNet's loss times a direction, by parameter."""
    gradient = torch.func.grad(_loss(params, x, t))
    return torch.func.jvp(gradient, (params,), (direction,))[1]


def _loss(params: Params, x: Batch, t: Labels) -> Callable[[Params], Any]:
    """The loss as a function of the parameters alone."""
    network = TwoLayerNet.from_params(params)

    def loss(params: Params) -> Any:
        scores = torch.func.functional_call(network, params, (x,))
        return softmax_with_loss(scores, t)

    return loss
