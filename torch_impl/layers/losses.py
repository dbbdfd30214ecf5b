"""The losses: one number that says how far off the probabilities are."""

import torch
import torch.nn.functional as F

from gradparity.torch_impl.arrays import (
    Labels,
    Number,
    Scores,
    check_floats,
    check_labels,
    check_rank,
)
from gradparity.torch_impl.layers.activations import softmax_composed

__all__ = [
    "cross_entropy",
    "cross_entropy_composed",
    "softmax_with_loss",
    "softmax_with_loss_composed",
]


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
