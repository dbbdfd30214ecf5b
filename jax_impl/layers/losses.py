"""The losses: one number that says how far off the probabilities are."""

import jax
import jax.numpy as jnp
from jax import Array as JaxArray

from gradparity.jax_impl.arrays import (
    Labels,
    Number,
    Scores,
    check_floats,
    check_labels,
    check_rank,
)
from gradparity.jax_impl.layers.activations import softmax_composed

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
    return _negative_mean(jnp.log(y), check_labels("CrossEntropy", t, y))


def cross_entropy_composed(y: Scores, t: Labels) -> Number:
    """The same, but the label's probability is picked first."""
    check_floats("CrossEntropy", y=y)
    check_rank("CrossEntropy", "y", y, 1, 2)
    t = check_labels("CrossEntropy", t, y)
    labels = t.argmax(axis=-1) if t.shape == y.shape else t
    return -jnp.log(jnp.take_along_axis(y, labels[..., None], axis=-1)).mean()


def _negative_mean(log_y: JaxArray, t: JaxArray) -> JaxArray:
    """Minus the log-probability at the labels, averaged over the batch."""
    if t.shape == log_y.shape:
        return -(t * log_y).sum(axis=-1).mean()
    return -jnp.take_along_axis(log_y, t[..., None], axis=-1).mean()


def softmax_with_loss(x: Scores, t: Labels) -> Number:
    """The mean cross entropy of softmax(x) and labels t, through log_softmax."""
    check_floats("SoftmaxWithLoss", x=x)
    check_rank("SoftmaxWithLoss", "x", x, 1, 2)
    t = check_labels("SoftmaxWithLoss", t, x)
    return _negative_mean(jax.nn.log_softmax(x, axis=-1), t)


def softmax_with_loss_composed(x: Scores, t: Labels) -> Number:
    """Two nodes: fine until a probability underflows, and then log(0)."""
    check_floats("SoftmaxWithLoss", x=x)
    check_rank("SoftmaxWithLoss", "x", x, 1, 2)
    t = check_labels("SoftmaxWithLoss", t, x)
    return cross_entropy_composed(softmax_composed(x), t)
