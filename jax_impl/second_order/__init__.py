"""Second derivatives by jax.jvp: forward mode, and forward mode over reverse.

Mirrors `reference/second_order.py`, where every one of these products is written out.
A layer is one of the functions of `layers.py`; inputs without a tangent do not move.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from gradparity.jax_impl import networks
from gradparity.jax_impl.networks import Batch, Labels, Params

Arrays = dict[str, Any]


def jvp(layer: Callable[..., Any], inputs: Arrays, tangents: Arrays) -> Any:
    """Rout: the Jacobian of a layer times a direction."""
    moving, still = _split(inputs, tangents)
    return jax.jvp(lambda m: layer(**m, **still), (moving,), (tangents,))[1]


def hvp(
    layer: Callable[..., Any],
    inputs: Arrays,
    dout: Any,
    tangents: Arrays,
    Rdout: Any,
) -> Arrays:
    """R{dx} of every input: the Hessian of sum(dout * out) times a direction."""
    moving, still = _split(inputs, tangents)

    def backward(moving: Arrays, dout: Any) -> Arrays:
        back = jax.vjp(lambda m: layer(**m, **still), moving)[1]
        return back(dout)[0]

    return jax.jvp(backward, (moving, dout), (tangents, Rdout))[1]


def _split(inputs: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
    """The inputs that move, in the order of the tangents, and the others."""
    still = {name: value for name, value in inputs.items() if name not in tangents}
    return {name: inputs[name] for name in tangents}, still


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
