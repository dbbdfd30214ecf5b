"""What may be lost by the activations."""

import numpy as np

from gradparity.reference.rounding.bounded import (
    Bounded,
    Bounds,
    flatness,
    through_tanh,
)
from gradparity.reference.rounding.correctly_rounded import Values, times
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
    """In y (1 - y), the error of y counts |1 - 2 y| times. Other forms are y - y**2,
    sigmoid(x) sigmoid(-x) and e / (1 + e)**2; (1 + tanh(x / 2)) / 2 is not among them, for
    it has no digit left where x is far below 0.
    """
    if x.arithmetic.composed:
        return sigmoid_graph(x, dout)
    y = x.sigmoid()
    dx = dout * (x.constant(1.0) - y.given) * y.given
    slope = np.abs(1 - 2 * y.value) + 2 * y.error
    dx = dx.inheriting(y, slope, dout.magnitude)
    if x.arithmetic.any_form:
        square = dout * (y.given - y.given * y.given)
        dx = dx.allowing(square.inheriting(y, slope, dout.magnitude))
        e = x.where(x.value < 0, -x).exp()
        below = x.constant(1.0) + e
        squares = (dout * e / (below * below), dout * e / below / below)
        for form in (dout * y * (-x).sigmoid(), *squares):
            dx = dx.allowing(form)
    return {"out": y, "dx": dx}


@rule("Softmax")
def softmax(x: Bounded, dout: Bounded) -> Bounds:
    """dout y - y sum(dout y), where others have y (dout - sum(dout y)): the two products
    may cancel. Composed, it is e (dout / total - sum(dout e) / total**2). Other forms of
    y are exp(x - log(sum(exp(x)))), and the sum in one pass with the largest so far.
    """
    z = shifted(x)
    e = z.exp()
    total = e.sum(axis=-1, keepdims=True)
    log_y = z - total.log()
    y = e / total
    if x.arithmetic.any_form:
        y = y.allowing(unshifted(x, total).exp()).allowing(e / in_one_pass(total, z))
    y = drifted(y, log_y, drift(x))
    weighted = dout * y
    dx = weighted - y * weighted.sum(axis=-1, keepdims=True)
    if x.arithmetic.any_form:
        back = (dout * y / total).sum(axis=-1, keepdims=True)
        dx = dx.allowing(e * (dout / total - back)).allowing(by_jacobian(y, dout, dx))
        dx = through_max(dx, x)
    return {"out": y, "dx": dx}


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
    closed, factor = x <= x.constant(0.0), x.constant(slope).rounded()
    return {
        "out": (factor * x).where(closed, x),
        "dx": (factor * dout).where(closed, dout),
    }


def by_jacobian(y: Bounded, dout: Bounded, dx: Bounded) -> Bounded:
    """dx as the sum over j of dout_j (y_i [i = j] - y_i y_j): there y_i is in each of the
    products, which are rounded once more and may underflow.
    """
    a, n = y.arithmetic, y.value.shape[-1]
    sizes = dout.magnitude, y.magnitude * dout.magnitude
    outs, products = (size.sum(axis=-1, keepdims=True) for size in sizes)
    more = a.growth(2) * y.magnitude * products + a.underflow * (outs + n)
    return dx.exactly(dx.value, dx.error + more)


def shifted(x: Bounded) -> Bounded:
    """x minus the largest of its row, as if x were exact; its error comes in `drifted`.

    What is further below than numbers go is taken to be the lowest: its exp is 0, too. And
    0 is taken to be rounded, where it is not known for sure which one is the largest: of
    that one alone exp is exact.
    """
    unsure = np.where(
        (x.spread == 0).all(axis=-1, keepdims=True), 0, x.arithmetic.underflow
    )
    x = x.given
    z = x - x.constant(x.value.max(axis=-1, keepdims=True))
    lowest = x.constant(np.full_like(x.value, -np.finfo(np.float64).max))
    z = z.where(~(np.isneginf(z.value) & np.isfinite(x.value)), lowest)
    return z.exactly(z.value, np.maximum(z.error, unsure))


def unshifted(x: Bounded, total: Bounded) -> Bounded:
    """The logarithm of a softmax as x - (m + log(total)), with m the largest of the row:
    the sum in brackets is rounded as a number of the size of m is.
    """
    x = x.given
    largest = x.constant(x.value.max(axis=-1, keepdims=True))
    return x - (largest + total.log())


def in_one_pass(total: Bounded, z: Bounded) -> Bounded:
    """The sum of exponentials, where the terms so far are scaled by another exponential
    whenever a larger one comes: n - 1 times at most, with arguments that add up to the
    range of the row, or as much of it as can be seen.
    """
    a, n = total.arithmetic, z.value.shape[-1]
    finite = np.where(np.isfinite(z.value), z.value, 0)
    along = np.minimum(-finite.min(axis=-1, keepdims=True), 2 * np.log(a.largest))
    return total.rounded((n - 1) * (a.roundings("exp") + 1) + along, n)


def through_max(dx: Bounded, x: Bounded) -> Bounded:
    """dx where the largest of the row, which is subtracted, is differentiated as well:
    what it gets is the sum of all, which is 0 but for their errors.
    """
    largest = (x.value - x.spread).max(axis=-1, keepdims=True)
    moved = dx - dx.sum(axis=-1, keepdims=True)
    return dx.allowing(moved.where(x.value + x.spread >= largest, dx))


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
