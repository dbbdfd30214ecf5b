"""Networks made of the layers."""

from gradparity.torch_impl.arrays import Labels, Scores
from gradparity.torch_impl.networks.chain import Chain, Layer, Params
from gradparity.torch_impl.networks.network import Batch, Network
from gradparity.torch_impl.networks.two_layer_net import (
    TWO_LAYER_NET,
    TwoLayerNet,
    from_sequential,
    to_sequential,
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
    "TwoLayerNet",
    "from_sequential",
    "to_sequential",
]
