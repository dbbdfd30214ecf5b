"""Products of a network's gradient and Hessian with a direction, by the R-operator."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import Labels, check_shape
from gradparity.reference.networks import TWO_LAYER_NET, Batch, Chain, Params
from gradparity.reference.networks.chain import held
from gradparity.reference.second_order import activations, arithmetic, linear, losses

FAMILIES = (arithmetic, activations, linear, losses)
MOVING = {
    name.removeprefix("R"): getattr(family, name)
    for family in FAMILIES
    for name in family.__all__
}


def loss_jvp(
    params: Params,
    x: Batch,
    t: Labels,
    direction: Params,
    chain: Chain = TWO_LAYER_NET,
) -> Any:
    """How fast a network's loss grows as its parameters move in a direction."""
    return _moved_loss(params, x, t, direction, chain)[-1]


def loss_hvp(
    params: Params,
    x: Batch,
    t: Labels,
    direction: Params,
    chain: Chain = TWO_LAYER_NET,
) -> Params:
    """The Hessian of a network's loss times a direction, by parameter.

    Four passes: forward, r_forward, backward, and r_backward beside it.

    Args:
        params: of the network, by name.
        x, t: a batch; it does not move.
        direction: arrays in the shapes of the parameters.
        chain: the network's layers.
    """
    layers, loss, _ = _moved_loss(params, x, t, direction, chain)
    first, *others = layers.values()
    dout, Rdout = loss.backward(), loss.r_backward(1, 0)
    for layer in reversed(others):
        dout, Rdout = layer.backward(dout), layer.r_backward(dout, Rdout)
    first.r_backward(dout, Rdout)
    return {
        name: getattr(layers[layer.name], "Rd" + own)
        for layer in chain.layers
        for own, name in held(layer)
    }


def _moved_loss(
    params: Params, x: Batch, t: Labels, direction: Params, chain: Chain
) -> tuple[dict[str, Any], Any, Any]:
    """The network's layers and its loss after forward and r_forward, and Rloss."""
    for name, value in params.items():
        check_shape(chain.name, "R" + name, direction[name], value.shape)
    layers: dict[str, Any] = {}
    out: Any = x
    Rout: Any = np.zeros_like(x)
    for name, kind, names in chain.layers:
        layer = layers[name] = MOVING[kind.__name__](*(params[n] for n in names))
        out = layer.forward(out)
        Rout = layer.r_forward(Rout, *(direction[n] for n in names))
    loss = MOVING[chain.last.__name__]()
    loss.forward(out, t)
    return layers, loss, loss.r_forward(Rout)
