"""Products of the network's gradient and Hessian with a direction, by jax.jvp."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from gradparity.jax_impl import networks
from gradparity.jax_impl.arrays import Labels
from gradparity.jax_impl.networks import Batch, Params


def loss_jvp(params: Params, x: Batch, t: Labels, direction: Params) -> Any:
    """How fast TwoLayerNet's loss grows as its parameters move in a direction."""
    return jax.jvp(_loss(x, t), (params,), (direction,))[1]


def loss_hvp(params: Params, x: Batch, t: Labels, direction: Params) -> Params:
    """The Hessian of TwoLayerNet's loss times a direction, by parameter."""
    gradient = jax.grad(_loss(x, t))
    return jax.jvp(gradient, (params,), (direction,))[1]


def _loss(x: Batch, t: Labels) -> Callable[[Params], Any]:
    """The loss as a function of the parameters alone."""
    return partial(networks.loss, x=x, t=t)
