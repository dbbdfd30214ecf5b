"""Networks made of the layers."""

from gradparity.torch_impl.arrays import Labels, Scores
from gradparity.torch_impl.networks.two_layer_net import (
    Batch,
    Params,
    TwoLayerNet,
    from_sequential,
    to_sequential,
)

__all__ = [
    "Batch",
    "Labels",
    "Params",
    "Scores",
    "TwoLayerNet",
    "from_sequential",
    "to_sequential",
]
