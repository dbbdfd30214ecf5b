"""The two-layer network as a `torch.nn.Module`; mirrors `reference/networks/`."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gradparity.torch_impl.arrays import (
    Labels,
    Number,
    Scores,
    check_floats,
    check_labels,
    check_rank,
    check_shape,
)
from gradparity.torch_impl.layers import affine, relu, softmax, softmax_with_loss

Batch = Float[Tensor, "*batch in"]
Params = dict[str, Float[Tensor, "..."]]


class TwoLayerNet(torch.nn.Module):
    """Affine, ReLU, affine, softmax with loss. W1 and W2 are laid out (in, out).

    Args: as for the reference; weights are drawn from PyTorch's global generator.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        W1 = weight_init_std * torch.randn(input_size, hidden_size, dtype=dtype)
        W2 = weight_init_std * torch.randn(hidden_size, output_size, dtype=dtype)
        self.W1 = torch.nn.Parameter(W1)
        self.b1 = torch.nn.Parameter(torch.zeros(hidden_size, dtype=dtype))
        self.W2 = torch.nn.Parameter(W2)
        self.b2 = torch.nn.Parameter(torch.zeros(output_size, dtype=dtype))

    @classmethod
    def from_params(cls, params: Params) -> "TwoLayerNet":
        """A network on the given W1, b1, W2 and b2, which it uses without a copy.

        Raises TypeError or ValueError unless they are floating-point tensors of one
        dtype whose shapes fit together.
        """
        check_floats("TwoLayerNet", **params)
        check_rank("TwoLayerNet", "W1", params["W1"], 2)
        check_rank("TwoLayerNet", "W2", params["W2"], 2)
        hidden, classes = params["W1"].shape[-1], params["W2"].shape[-1]
        check_shape("TwoLayerNet", "b1", params["b1"], (hidden,))
        check_shape("TwoLayerNet", "W2", params["W2"], (hidden, classes))
        check_shape("TwoLayerNet", "b2", params["b2"], (classes,))
        network = cls(1, 1, 1)
        for name, value in params.items():
            setattr(network, name, torch.nn.Parameter(value))
        return network

    def predict(self, x: Batch) -> Scores:
        """The scores (logits) of every class; their softmax is the probabilities."""
        return affine(relu(affine(x, self.W1, self.b1)), self.W2, self.b2)

    forward = predict

    def loss(self, x: Batch, t: Labels) -> Number:
        """The mean cross entropy over the batch."""
        return softmax_with_loss(self.predict(x), t)

    @torch.no_grad()
    def accuracy(self, x: Batch, t: Labels) -> float:
        """The fraction of samples whose largest score is at the label."""
        y = self.predict(x)
        t = check_labels("TwoLayerNet", t, y)
        labels = t.argmax(dim=-1) if t.shape == y.shape else t
        return int((y.argmax(dim=-1) == labels).sum()) / labels.numel()

    def gradient(self, x: Batch, t: Labels) -> Params:
        """The gradients of the loss by autograd, under the parameters' names."""
        params = dict(self.named_parameters())
        gradients = torch.autograd.grad(self.loss(x, t), list(params.values()))
        return dict(zip(params, gradients, strict=True))

    def trace(self, x: Batch, t: Labels) -> dict[str, Any]:
        """Everything that flows through the network, named as in the reference."""
        x = x.detach().requires_grad_()
        flow: dict[str, Any] = {}
        flow["Affine1"] = affine(x, self.W1, self.b1)
        flow["Relu1"] = relu(flow["Affine1"])
        flow["Affine2"] = affine(flow["Relu1"], self.W2, self.b2)
        flow["loss"] = softmax_with_loss(flow["Affine2"], t)
        flow["y"] = softmax(flow["Affine2"])
        sources = {name: flow[name] for name in ("Affine2", "Relu1", "Affine1")}
        sources |= {"x": x, **dict(self.named_parameters())}
        gradients = torch.autograd.grad(flow["loss"], list(sources.values()))
        flow |= {f"d{k}": g for k, g in zip(sources, gradients, strict=True)}
        return {name: value.detach() for name, value in flow.items()}


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
