"""Products of a network's gradient and Hessian with a direction, by jax.jvp."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from gradparity.jax_impl.arrays import Labels
from gradparity.jax_impl.networks import TWO_LAYER_NET, Batch, Chain, Network, Params


def loss_jvp(
    params: Params,
    x: Batch,
    t: Labels,
    direction: Params,
    chain: Chain = TWO_LAYER_NET,
) -> Any:
    """How fast a network's loss grows as its parameters move in a direction."""
    return jax.jvp(_loss(x, t, chain), (params,), (direction,))[1]


def loss_hvp(
    params: Params,
    x: Batch,
    t: Labels,
    direction: Params,
    chain: Chain = TWO_LAYER_NET,
) -> Params:
    """The Hessian of a network's loss times a direction, by parameter."""
    gradient = jax.grad(_loss(x, t, chain))
    return jax.jvp(gradient, (params,), (direction,))[1]


def _loss(x: Batch, t: Labels, chain: Chain) -> Callable[[Params], Any]:
    """The loss as a function of the parameters alone."""
    return partial(Network(chain).loss, x=x, t=t)
