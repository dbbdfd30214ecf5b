"""Every layer as a function of all its inputs; autograd supplies the derivatives.

The names and their order are those of `reference/layers.py`. Where PyTorch has one
operator for a layer, the layer is that operator (the fused form), and `..._composed`
spells it from primitive operators, as the reference does: the same function, but
autograd differentiates it node by node, and the rounding is different.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from gradparity.torch_impl.arrays import (
    check_alike,
    check_floats,
    check_labels,
    check_rank,
    check_shape,
)

Array = Float[Tensor, "..."]
Scores = Float[Tensor, "*batch classes"]
Labels = Shaped[Tensor, "..."]
Number = Float[Tensor, ""]


def add_layer(x: Array, y: Array) -> Array:
    """x + y."""
    check_alike("AddLayer", x=x, y=y)
    return x + y


def mul_layer(x: Array, y: Array) -> Array:
    """x * y, element by element."""
    check_alike("MulLayer", x=x, y=y)
    return x * y


def buy_fruit(
    apple: Array, apple_num: Array, orange: Array, orange_num: Array, tax: Array
) -> Array:
    """(apple * apple_num + orange * orange_num) * tax."""
    check_alike(
        "BuyFruit",
        apple=apple,
        apple_num=apple_num,
        orange=orange,
        orange_num=orange_num,
        tax=tax,
    )
    apple_price = mul_layer(apple, apple_num)
    orange_price = mul_layer(orange, orange_num)
    return mul_layer(add_layer(apple_price, orange_price), tax)


def relu(x: Array) -> Array:
    """max(0, x). The derivative at 0 is 0."""
    check_floats("Relu", x=x)
    return torch.relu(x)


def relu_composed(x: Array) -> Array:
    """The switch spelled out. `maximum(x, 0)` would have the derivative 1/2 at 0."""
    check_floats("Relu", x=x)
    return torch.where(x <= 0, 0.0, x)


def negate(x: Array) -> Array:
    """x * (-1)."""
    check_floats("Negate", x=x)
    return x * -1


def exp(x: Array) -> Array:
    """exp(x)."""
    check_floats("Exp", x=x)
    return torch.exp(x)


def log(x: Array) -> Array:
    """log(x), the natural logarithm."""
    check_floats("Log", x=x)
    return torch.log(x)


def plus_one(x: Array) -> Array:
    """x + 1."""
    check_floats("PlusOne", x=x)
    return x + 1


def reciprocal(x: Array) -> Array:
    """1 / x."""
    check_floats("Reciprocal", x=x)
    return 1 / x


def sigmoid_graph(x: Array) -> Array:
    """1 / (1 + exp(-x)) from its four nodes."""
    check_floats("SigmoidGraph", x=x)
    return reciprocal(plus_one(exp(negate(x))))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) as one operator. Its composed form is `sigmoid_graph`."""
    check_floats("Sigmoid", x=x)
    return torch.sigmoid(x)


def affine(
    x: Float[Tensor, "..."], W: Float[Tensor, "in out"], b: Float[Tensor, "out"]
) -> Float[Tensor, "*batch out"]:
    """b + x @ W in one operator, for one sample or a batch (of tensors, flattened)."""
    flat = _flat(x, W, b)
    return torch.addmm(b, flat, W) if flat.ndim > 1 else torch.addmv(b, W.T, flat)


def affine_composed(
    x: Float[Tensor, "..."], W: Float[Tensor, "in out"], b: Float[Tensor, "out"]
) -> Float[Tensor, "*batch out"]:
    """x @ W + b from products and a sum over the inputs."""
    return (_flat(x, W, b)[..., None] * W).sum(dim=-2) + b


def _flat(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """x as (in,) or (batch, in), once it is sure that W and b fit it."""
    check_floats("Affine", x=x, W=W, b=b)
    check_rank("Affine", "W", W, 2)
    check_shape("Affine", "b", b, W.shape[1:])
    check_rank("Affine", "x", x, 1, x.ndim or 2)  # any but 0
    flat = x.flatten(1) if x.ndim > 2 else x
    if flat.shape[-1] != W.shape[0]:
        raise ValueError(
            f"Affine: x has {flat.shape[-1]} features, W expects {W.shape[0]} "
            f"(x: {tuple(x.shape)}, W: {tuple(W.shape)})"
        )
    return flat


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


def cross_entropy(y: Scores, t: Labels) -> Number:
    """-log(y_t), averaged over the batch: the logarithm of all, then the label's."""
    check_floats("CrossEntropy", y=y)
    check_rank("CrossEntropy", "y", y, 1, 2)
    t = check_labels("CrossEntropy", t, y)
    if t.shape == y.shape:
        return -(t * torch.log(y)).sum(dim=-1).mean()
    return F.nll_loss(torch.log(y), t)


def cross_entropy_composed(y: Scores, t: Labels) -> Number:
    """The same, but the label's probability is picked first."""
    check_floats("CrossEntropy", y=y)
    check_rank("CrossEntropy", "y", y, 1, 2)
    t = check_labels("CrossEntropy", t, y)
    labels = t.argmax(dim=-1) if t.shape == y.shape else t
    return -torch.log(y.gather(-1, labels[..., None])).mean()


def softmax_with_loss(x: Scores, t: Labels) -> Number:
    """The mean cross entropy of softmax(x) and labels t, in one operator."""
    check_floats("SoftmaxWithLoss", x=x)
    check_rank("SoftmaxWithLoss", "x", x, 1, 2)
    return F.cross_entropy(x, check_labels("SoftmaxWithLoss", t, x))


def softmax_with_loss_composed(x: Scores, t: Labels) -> Number:
    """Two nodes: fine until a probability underflows, and then log(0)."""
    check_floats("SoftmaxWithLoss", x=x)
    check_rank("SoftmaxWithLoss", "x", x, 1, 2)
    t = check_labels("SoftmaxWithLoss", t, x)
    return cross_entropy_composed(softmax_composed(x), t)
