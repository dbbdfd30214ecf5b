"""The two-layer network as a `torch.nn.Module`; mirrors `reference/networks/`."""

import torch
from torch import Tensor

from gradparity.torch_impl.layers import affine, relu, softmax_with_loss
from gradparity.torch_impl.networks.chain import Chain, Layer, Params
from gradparity.torch_impl.networks.network import Network

TWO_LAYER_NET = Chain(
    "TwoLayerNet",
    (
        Layer("Affine1", affine, ("W1", "b1")),
        Layer("Relu1", relu),
        Layer("Affine2", affine, ("W2", "b2")),
    ),
    softmax_with_loss,
)


class TwoLayerNet(Network):
    """Affine, ReLU, affine, softmax with loss. W1 and W2 are laid out (in, out).

    Args: as for the reference; weights are drawn from PyTorch's global generator.
    """

    W1: Tensor
    b1: Tensor
    W2: Tensor
    b2: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        W1 = weight_init_std * torch.randn(input_size, hidden_size, dtype=dtype)
        W2 = weight_init_std * torch.randn(hidden_size, output_size, dtype=dtype)
        params: Params = {
            "W1": W1,
            "b1": torch.zeros(hidden_size, dtype=dtype),
            "W2": W2,
            "b2": torch.zeros(output_size, dtype=dtype),
        }
        super().__init__(TWO_LAYER_NET, params)

    @classmethod
    def from_params(cls, params: Params) -> "TwoLayerNet":
        """A network on the given W1, b1, W2 and b2, which it uses without a copy.

        Raises TypeError or ValueError unless they are floating-point tensors of one
        dtype whose shapes fit together.
        """
        network = cls.__new__(cls)
        super(TwoLayerNet, network).__init__(TWO_LAYER_NET, params)
        return network


def to_sequential(network: TwoLayerNet) -> torch.nn.Sequential:
    """The same network in PyTorch's own layers: Linear, ReLU, Linear.

    The parameters are copies. Linear keeps its weight as (out, in), so W1 and W2 are
    transposed, and come back bit for bit from `from_sequential`. The scores are the
    same but for rounding: a product with a weight that lies in memory the other way
    round may be summed in another order.
    """
    first, last = _to_linear(network.W1, network.b1), _to_linear(network.W2, network.b2)
    return torch.nn.Sequential(first, torch.nn.ReLU(), last)


def from_sequential(model: torch.nn.Sequential) -> TwoLayerNet:
    """The network of a Linear, ReLU, Linear; the parameters are copies.

    Raises:
        TypeError: the layers are others, or a Linear has no bias.
        TypeError, ValueError: as `TwoLayerNet.from_params`.
    """
    match [*model]:
        case [torch.nn.Linear() as first, torch.nn.ReLU(), torch.nn.Linear() as last]:
            pass
        case layers:
            came = ", ".join(type(layer).__name__ for layer in layers) or "none"
            raise TypeError(
                f"TwoLayerNet: layers must be Linear, ReLU, Linear, got {came}"
            )
    params: Params = {}
    for i, linear in (("1", first), ("2", last)):
        if linear.bias is None:
            raise TypeError("TwoLayerNet: a Linear must have a bias, got bias=False")
        params["W" + i] = _transposed(linear.weight)
        params["b" + i] = linear.bias.detach().clone()
    return TwoLayerNet.from_params(params)


def _to_linear(W: Tensor, b: Tensor) -> torch.nn.Linear:
    inputs, outputs = W.shape
    linear = torch.nn.Linear(inputs, outputs, device="meta")  # no random numbers drawn
    linear.weight = torch.nn.Parameter(_transposed(W))
    linear.bias = torch.nn.Parameter(b.detach().clone())
    return linear


def _transposed(weight: Tensor) -> Tensor:
    return weight.detach().T.clone(memory_format=torch.contiguous_format)
