"""Products of the network's gradient and Hessian with a direction, by torch.func."""

from collections.abc import Callable
from typing import Any

import torch

from gradparity.torch_impl.arrays import Labels
from gradparity.torch_impl.layers import softmax_with_loss
from gradparity.torch_impl.networks import Batch, Params, TwoLayerNet


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
