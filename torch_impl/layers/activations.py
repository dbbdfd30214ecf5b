"""The activations: what stands between the matrix products of a network."""

import torch
import torch.nn.functional as F

from gradparity.torch_impl.arrays import Array, Scores, check_floats, check_rank
from gradparity.torch_impl.layers.arithmetic import exp, negate, plus_one, reciprocal

__all__ = [
    "relu",
    "relu_composed",
    "sigmoid_graph",
    "sigmoid",
    "softmax",
    "softmax_composed",
    "tanh",
    "leaky_relu",
]


def relu(x: Array) -> Array:
    """max(0, x). The derivative at 0 is 0."""
    check_floats("Relu", x=x)
    return torch.relu(x)


def relu_composed(x: Array) -> Array:
    """The switch spelled out. `maximum(x, 0)` would have the derivative 1/2 at 0."""
    check_floats("Relu", x=x)
    return torch.where(x <= 0, 0.0, x)


def sigmoid_graph(x: Array) -> Array:
    """1 / (1 + exp(-x)) from its four nodes."""
    check_floats("SigmoidGraph", x=x)
    return reciprocal(plus_one(exp(negate(x))))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) as one operator. Its composed form is `sigmoid_graph`."""
    check_floats("Sigmoid", x=x)
    return torch.sigmoid(x)


def softmax(x: Scores) -> Scores:
    """exp(x_k) / sum_j exp(x_j) along the last axis."""
    check_floats("Softmax", x=x)
    check_rank("Softmax", "x", x, 1, 2)
    return torch.softmax(x, dim=-1)


def softmax_composed(x: Scores) -> Scores:
    """The fraction spelled out. The maximum cancels, so no gradient flows through it."""
    check_floats("Softmax", x=x)
    check_rank("Softmax", "x", x, 1, 2)
    e = torch.exp(x - x.detach().amax(dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True)


def tanh(x: Array) -> Array:
    """tanh(x)."""
    check_floats("Tanh", x=x)
    return torch.tanh(x)


def leaky_relu(x: Array, *, slope: float = 0.01) -> Array:
    """x where x > 0, and slope * x elsewhere. The derivative at 0 is the slope."""
    check_floats("LeakyRelu", x=x)
    return F.leaky_relu(x, slope)
