"""Networks made of the layers."""

from gradparity.jax_impl.arrays import Labels, Scores
from gradparity.jax_impl.networks.chain import Chain, Layer, Params
from gradparity.jax_impl.networks.network import Batch, Network
from gradparity.jax_impl.networks.two_layer_net import (
    TWO_LAYER_NET,
    accuracy,
    from_params,
    gradient,
    init,
    loss,
    predict,
    trace,
)

__all__ = [
    "TWO_LAYER_NET",
    "Batch",
    "Chain",
    "Labels",
    "Layer",
    "Network",
    "Params",
    "Scores",
    "accuracy",
    "from_params",
    "gradient",
    "init",
    "loss",
    "predict",
    "trace",
]
