"""Networks made of the layers, and the file that holds their parameters."""

from gradparity.reference.arrays import Labels, Scores
from gradparity.reference.networks.two_layer_net import Batch, Params, TwoLayerNet

__all__ = ["Batch", "Labels", "Params", "Scores", "TwoLayerNet"]
