"""Networks made of the layers, and the file that holds their parameters."""

from gradparity.reference.networks.two_layer_net import (
    Batch,
    Labels,
    Params,
    Scores,
    TwoLayerNet,
)

__all__ = ["Batch", "Labels", "Params", "Scores", "TwoLayerNet"]
