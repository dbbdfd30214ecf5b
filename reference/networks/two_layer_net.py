"""The two-layer network: affine, ReLU, affine, softmax with loss."""

from typing import Any

import numpy as np

from gradparity.reference.layers import Affine, Relu, SoftmaxWithLoss
from gradparity.reference.networks.chain import Chain, Layer, Params
from gradparity.reference.networks.network import Network

TWO_LAYER_NET = Chain(
    "TwoLayerNet",
    (
        Layer("Affine1", Affine, ("W1", "b1")),
        Layer("Relu1", Relu),
        Layer("Affine2", Affine, ("W2", "b2")),
    ),
    SoftmaxWithLoss,
)


class TwoLayerNet(Network):
    """The lecture's network.

    Args:
        input_size, hidden_size, output_size: the widths, 784, 50 and 10 for MNIST.
        weight_init_std: weights are drawn from a normal distribution of this standard
            deviation; biases start at zero.
        rng: where the weights are drawn from: NumPy's global generator, as in the
            lecture, or a `numpy.random.Generator`.
        dtype: of the parameters, and so of everything computed from them.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        rng: Any = np.random,
        dtype: Any = np.float64,
    ) -> None:
        W1 = weight_init_std * rng.standard_normal((input_size, hidden_size))
        W2 = weight_init_std * rng.standard_normal((hidden_size, output_size))
        params: Params = {
            "W1": W1.astype(dtype),
            "b1": np.zeros(hidden_size, dtype),
            "W2": W2.astype(dtype),
            "b2": np.zeros(output_size, dtype),
        }
        super().__init__(TWO_LAYER_NET, params)

    @classmethod
    def from_params(cls, params: Params) -> "TwoLayerNet":
        """A network on the given W1, b1, W2 and b2, which it uses without a copy.

        Raises TypeError or ValueError unless they are floating-point arrays of one
        dtype whose shapes fit together.
        """
        network = cls.__new__(cls)
        super(TwoLayerNet, network).__init__(TWO_LAYER_NET, params)
        return network
