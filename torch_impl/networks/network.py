"""A network that is made of a chain; mirrors `reference/networks/`."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gradparity.torch_impl.arrays import Labels, Number, Scores, check_labels
from gradparity.torch_impl.layers import softmax
from gradparity.torch_impl.networks.chain import Chain, Params

Batch = Float[Tensor, "*batch in"]


class Network(torch.nn.Module):
    """A chain of layers on parameters; arguments as for the reference."""

    def __init__(self, chain: Chain, params: Params) -> None:
        super().__init__()
        chain.check(params)
        self.chain = chain
        for name in chain.params:
            setattr(self, name, torch.nn.Parameter(params[name]))

    def predict(self, x: Batch) -> Scores:
        """The scores (logits) of every class; their softmax is the probabilities."""
        for layer in self.chain.layers:
            x = layer.kind(x, *(getattr(self, name) for name in layer.params))
        return x

    forward = predict

    def loss(self, x: Batch, t: Labels) -> Number:
        """The mean cross entropy over the batch."""
        return self.chain.last(self.predict(x), t)

    @torch.no_grad()
    def accuracy(self, x: Batch, t: Labels) -> float:
        """The fraction of samples whose largest score is at the label."""
        y = self.predict(x)
        t = check_labels(self.chain.name, t, y)
        labels = t.argmax(dim=-1) if t.shape == y.shape else t
        return int((y.argmax(dim=-1) == labels).sum()) / labels.numel()

    def gradient(self, x: Batch, t: Labels) -> Params:
        """The gradients of the loss by autograd, under the parameters' names."""
        params = dict(self.named_parameters())
        gradients = torch.autograd.grad(self.loss(x, t), list(params.values()))
        return dict(zip(params, gradients, strict=True))

    def trace(self, x: Batch, t: Labels) -> dict[str, Any]:
        """Everything that flows through the network, named as in the reference."""
        scores = x = x.detach().requires_grad_()
        flow: dict[str, Any] = {}
        for layer in self.chain.layers:
            given = [getattr(self, name) for name in layer.params]
            scores = flow[layer.name] = layer.kind(scores, *given)
        sources = {**dict(reversed(flow.items())), "x": x}
        sources |= dict(self.named_parameters())
        flow["loss"] = self.chain.last(scores, t)
        flow["y"] = softmax(scores)
        gradients = torch.autograd.grad(flow["loss"], list(sources.values()))
        flow |= {f"d{k}": g for k, g in zip(sources, gradients, strict=True)}
        return {name: value.detach() for name, value in flow.items()}
