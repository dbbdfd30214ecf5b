"""The two-layer network as pure functions of a parameter dictionary; mirrors
`reference/networks/`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradparity.jax_impl.layers import affine, relu, softmax_with_loss
from gradparity.jax_impl.networks.chain import Chain, Layer, Params
from gradparity.jax_impl.networks.network import Network

TWO_LAYER_NET = Chain(
    "TwoLayerNet",
    (
        Layer("Affine1", affine, ("W1", "b1")),
        Layer("Relu1", relu),
        Layer("Affine2", affine, ("W2", "b2")),
    ),
    softmax_with_loss,
)


def init(
    key: Array,
    input_size: int,
    hidden_size: int,
    output_size: int,
    weight_init_std: float = 0.01,
    *,
    dtype: Any = jnp.float32,
) -> Params:
    """Fresh parameters; arguments as for the reference, drawn with a JAX random key."""
    key1, key2 = jax.random.split(key)
    normal = jax.random.normal
    return {
        "W1": weight_init_std * normal(key1, (input_size, hidden_size), dtype),
        "b1": jnp.zeros(hidden_size, dtype),
        "W2": weight_init_std * normal(key2, (hidden_size, output_size), dtype),
        "b2": jnp.zeros(output_size, dtype),
    }


_network = Network(TWO_LAYER_NET)
from_params, predict, loss = _network.from_params, _network.predict, _network.loss
accuracy, gradient, trace = _network.accuracy, _network.gradient, _network.trace
