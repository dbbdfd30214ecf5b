"""Products of a network's gradient and Hessian with a direction, by torch.func."""

from collections.abc import Callable
from typing import Any

import torch

from gradparity.torch_impl.arrays import Labels
from gradparity.torch_impl.networks import TWO_LAYER_NET, Batch, Chain, Network, Params


def loss_jvp(
    params: Params,
    x: Batch,
    t: Labels,
    direction: Params,
    chain: Chain = TWO_LAYER_NET,
) -> Any:
    """How fast a network's loss grows as its parameters move in a direction."""
    return torch.func.jvp(_loss(params, x, t, chain), (params,), (direction,))[1]


def loss_hvp(
    params: Params,
    x: Batch,
    t: Labels,
    direction: Params,
    chain: Chain = TWO_LAYER_NET,
) -> Params:
    """The Hessian of a network's loss times a direction, by parameter."""
    gradient = torch.func.grad(_loss(params, x, t, chain))
    return torch.func.jvp(gradient, (params,), (direction,))[1]


def _loss(params: Params, x: Batch, t: Labels, chain: Chain) -> Callable[[Params], Any]:
    """The loss as a function of the parameters alone."""
    network = Network(chain, params)

    def loss(params: Params) -> Any:
        scores = torch.func.functional_call(network, params, (x,))
        return chain.last(scores, t)

    return loss
