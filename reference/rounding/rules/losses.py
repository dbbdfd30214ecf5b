"""What may be lost by the losses."""

from functools import partial
from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.correctly_rounded import Values
from gradparity.reference.rounding.rules.activations import (
    drift,
    drifted,
    in_one_pass,
    shifted,
    through_max,
    unshifted,
)
from gradparity.reference.rounding.rules.registry import rule


@rule("CrossEntropy")
def cross_entropy(y: Bounded, t: Any, dout: Bounded) -> Bounds:
    """-dout / (N y_t), which is divided by N and by y_t, or by their product."""
    labels = to_indices(t, y.value.shape)
    at_label = np.arange(y.value.shape[-1]) == labels[..., None]
    dy = (dout.over(labels.size) * y.reciprocal()).either(
        dout / (y * y.constant(labels.size))
    )
    return {
        "out": -picked(y, labels).log().sum().over(labels.size),
        "dy": -dy.where(at_label, y.constant(np.zeros_like(y.value))),
    }


@rule("SoftmaxWithLoss")
def softmax_with_loss(x: Bounded, t: Any, dout: Bounded) -> Bounds:
    """-log(softmax) where layers are composed, else -log_softmax, which is log(total) - z;
    and (y - t) dout / N, with y from e / total or from exp(log_softmax).

    Another form of the logarithm is x - log(sum(exp(x))), which loses digits where the
    scores are far from 0.

    Autograd comes to y - t by multiplying y with what the logarithm passed back: one
    rounding of t, where that was divided by y_t, and two of y.
    """
    labels = to_indices(t, x.value.shape)
    one_hot = np.arange(x.value.shape[-1]) == labels[..., None]
    z = shifted(x)
    e = z.exp()
    total = e.sum(axis=-1, keepdims=True)
    y, log_y = e / total, z - total.log()
    composed = x.arithmetic.composed
    log_y_t = picked(y, labels).log() if composed else picked(log_y, labels)
    if x.arithmetic.any_form:
        log_y_t = log_y_t.allowing(picked(unshifted(x, total), labels))
    log_y_t = log_y_t.exactly(
        log_y_t.value, log_y_t.error + at_labels(drift(x), labels)
    )
    y_used = y if composed else y.either(log_y.exp())
    if x.arithmetic.any_form:
        y_used = y_used.allowing(unshifted(x, total).exp())
        y_used = y_used.allowing(e / in_one_pass(total, z))
    y_used = drifted(y_used, log_y, drift(x))
    difference = y_used.rounded(2, 1) - x.constant(one_hot).rounded(1)
    dx = (difference * dout).over(labels.size)
    if composed:
        dx = through_log(dx, y_used.magnitude + one_hot, dout, picked(y, labels))
    if x.arithmetic.any_form:
        dx = through_max(dx, x)
    return {
        "out": -log_y_t.sum().over(labels.size),
        "y": drifted(y, log_y, drift(x)),
        "dx": dx,
    }


def through_log(dx: Bounded, terms: Values, dout: Bounded, y_t: Bounded) -> Bounded:
    """dx, which passed the logarithm of y_t: divided by y_t, which may overflow, and
    multiplied by it again, which may have underflown. Four operations more may underflow.
    """
    a = dx.arithmetic
    passed = dout / y_t
    lost = a.underflow / np.maximum(y_t.value - y_t.error, 0)
    error = dx.error + lost * terms * dout.magnitude + 4 * a.underflow
    return dx.exactly(dx.value, np.where(np.isinf(passed.spread), np.inf, error))


def to_indices(t: Any, shape: tuple[int, ...]) -> np.ndarray:
    t = np.asarray(t)
    return np.asarray(t.argmax(axis=-1)) if t.shape == shape else t


def picked(x: Bounded, labels: np.ndarray) -> Bounded:
    """The entry of every row that its label points at, in a column."""
    return x.map(partial(at_labels, labels=labels))


def at_labels(x: Values, labels: np.ndarray) -> Values:
    return np.take_along_axis(x, labels[..., None], -1)
