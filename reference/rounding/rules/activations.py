"""What may be lost by the activations."""

import numpy as np

from gradparity.reference.rounding.bounded import (
    Bounded,
    Bounds,
    Values,
    flatness,
    through_tanh,
    times,
)
from gradparity.reference.rounding.rules.registry import rule


@rule("Relu")
def relu(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x.relu(), "dx": x.gate(dout)}


@rule("SigmoidGraph")
def sigmoid_graph(x: Bounded, dout: Bounded) -> Bounds:
    e = (-x).exp()
    flat = flatness(e)
    y = (e.given + x.constant(1.0)).reciprocal()
    dx = dout * (y * y) * e.given
    return {
        "out": y.inheriting(e, flat, flat),
        "dx": dx.inheriting(e, flat, flat, dout.magnitude),
    }


@rule("Sigmoid")
def sigmoid(x: Bounded, dout: Bounded) -> Bounds:
    """In y (1 - y), the error of y counts |1 - 2 y| times."""
    if x.arithmetic.composed:
        return sigmoid_graph(x, dout)
    y = x.sigmoid()
    dx = dout * (x.constant(1.0) - y.given) * y.given
    slope = np.abs(1 - 2 * y.value) + 2 * y.error
    return {"out": y, "dx": dx.inheriting(y, slope, dout.magnitude)}


@rule("Softmax")
def softmax(x: Bounded, dout: Bounded) -> Bounds:
    """dout y - y sum(dout y), where others have y (dout - sum(dout y)): the two products
    may cancel.
    """
    z = shifted(x)
    e = z.exp()
    total = e.sum(axis=-1, keepdims=True)
    y = drifted(e / total, z - total.log(), drift(x))
    weighted = dout * y
    return {"out": y, "dx": weighted - y * weighted.sum(axis=-1, keepdims=True)}


@rule("Tanh")
def tanh(x: Bounded, dout: Bounded) -> Bounds:
    """In 1 - y**2, the error of y counts |2 y| times."""
    y = x.tanh()
    slope = 2 * np.abs(y.value) + y.error
    dx = through_tanh(y.given, dout).inheriting(y, slope, dout.magnitude)
    return {"out": y, "dx": dx}


@rule("LeakyRelu")
def leaky_relu(x: Bounded, dout: Bounded, slope: float) -> Bounds:
    """The slope is rounded to the dtype of x, too."""
    opened, factor = ~(x.value <= 0), x.constant(slope).rounded()
    return {
        "out": x.switch(opened, x, factor * x),
        "dx": x.switch(opened, dout, factor * dout),
    }


def shifted(x: Bounded) -> Bounded:
    """x minus the largest of its row, as if x were exact; its error comes in `drifted`.

    What is further below than numbers go is taken to be the lowest: its exp is 0, too.
    """
    x = x.given
    z = x - x.constant(x.value.max(axis=-1, keepdims=True))
    lowest = x.constant(np.full_like(x.value, -np.finfo(np.float64).max))
    return z.where(~(np.isneginf(z.value) & np.isfinite(x.value)), lowest)


def drift(x: Bounded) -> Values:
    """How far the logarithm of a softmax is off because x is: by the error e of x, and by
    that of the logarithm of the sum, which is at most log(sum(y exp(e))). Whatever is
    subtracted from a row cancels.

    The roundings on the way are then of numbers that are off as much: those of z for the
    result and for the sum, of the logarithm of the sum, and of the last subtraction.
    """
    a, spread = x.arithmetic, x.spread
    z = x.value - x.value.max(axis=-1, keepdims=True)
    e = np.where(np.isnan(z), 1, np.exp(z))
    moved = times(np.expm1(spread), e).sum(axis=-1, keepdims=True)
    total = e.sum(axis=-1, keepdims=True)
    off = spread + np.fmin(np.log1p(moved / total), spread.max(axis=-1, keepdims=True))
    return (1 + a.growth(4 + 2 * a.roundings("log"))) * off


def drifted(y: Bounded, log_y: Bounded, by: Values) -> Bounded:
    """A softmax whose logarithm is off by so much: by a factor of exp(by) at most, but y
    stays between 0 and 1, unless it is no number.
    """
    a = y.arithmetic
    near = (y.value + y.error) * np.expm1(by)
    above = np.exp(np.fmin(log_y.value + log_y.error + by, 0))
    far = (1 + a.growth(a.roundings("exp") + 2)) * above  # exp, and a quotient or two
    far = np.where(np.isinf(by), np.inf, far)
    return y.exactly(y.value, y.error + np.where(by > 1, far, near))
