"""Networks made of the layers, and the file that holds their parameters."""

from gradparity.reference.arrays import Labels, Scores
from gradparity.reference.networks.chain import Chain, Layer, Params
from gradparity.reference.networks.network import Batch, Network
from gradparity.reference.networks.two_layer_net import TWO_LAYER_NET, TwoLayerNet

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
]
