"""How far a correctly written layer can be from the truth, by rounding alone.

The bound follows the values through the layer, in the manner of running error analysis
(Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.3). A
`Bounded` is the exact value together with a bound on the error of any computed version
of it; every operation passes the errors of its operands on and adds its own rounding.
With u the unit roundoff of the dtype, these are the rules, and there is no other
allowance anywhere:

* +, -, *, / and 1/x: fl(a op b) = (a op b)(1 + d) + e, |d| <= u, with |e| the underflow,
  which only products and quotients have (Higham, section 2.8);
* a sum of n terms, in any order and with or without fused multiply-add: every term takes
  part in at most n - 1 additions, so the error is at most gamma(n - 1) times the sum of
  the terms' absolute values, gamma(n) = n u / (1 - n u) (Lemma 3.1, section 4.2). A dot
  product of length n has one more rounding for each product: gamma(n) |x||y| (section
  3.1). A fused multiply-add rounds less often, never more;
* exp and log: so many roundings as `Arithmetic` says, which is measured and not assumed;
* a division by a constant: two roundings, for a compiler may multiply by its rounded
  reciprocal;
* numbers flushed to zero, where an implementation does that: their own size.

Then follow the layers. Several algorithms are in use for some of them (the logarithm of
a softmax, or a log-softmax); the rule is then the one whose bound is the largest, and
says which it is. These formulas are written independently of `layers.py` on purpose: if
a layer of the reference is wrong, the two disagree.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

Arrays = dict[str, Any]
Values = Any  # an array, or the NumPy scalar that operations make of one of rank 0
LAMBDA = 7.0


@dataclass(frozen=True)
class Arithmetic:
    """How an implementation computes in a dtype.

    Args:
        u: the unit roundoff, half the distance from 1 to the next number.
        underflow: the largest error of a product or quotient that underflows: half the
            smallest subnormal number, or the smallest normal one where results are
            flushed to zero.
        flushed: numbers smaller than this count as zero; 0 where none do.
        largest: the largest finite number.
        exp, log: the largest relative errors of the functions, in units of u (an error
            of k ulps is at most 2 k u).
        exp_near_overflow: that of exp where the result is in the last binade there is.
        composed: layers are spelled from primitive operations, a loss as the logarithm
            of a softmax.
        product_u: the unit roundoff to which the factors of a matrix product are rounded
            before they are multiplied and summed in u: 2**-11 for TF32, 2**-8 for
            bfloat16, 0 where they are not.
        probable: use `probable_gamma` for sums, which may fail, in place of `gamma`.
        overflows: there is no bound where something may overflow on the way; otherwise
            the bound is that of what has not overflown.
    """

    u: float
    underflow: float
    flushed: float
    largest: float
    exp: float = 1.0
    exp_near_overflow: float = 1.0
    log: float = 1.0
    composed: bool = False
    product_u: float = 0.0
    probable: bool = False
    overflows: bool = True

    @classmethod
    def of(cls, dtype: Any, *, flushes: bool = False, **more: Any) -> "Arithmetic":
        """That of a dtype, with or without subnormal numbers."""
        info = np.finfo(dtype)
        smallest_normal = float(info.smallest_normal)
        subnormal = float(info.smallest_subnormal)
        half_subnormal = subnormal / 2 or subnormal  # float64 has no half of its own
        return cls(
            u=float(info.eps) / 2,
            underflow=smallest_normal if flushes else half_subnormal,
            flushed=smallest_normal if flushes else 0.0,
            largest=float(min(info.max, np.finfo(np.float64).max)),
            **more,
        )

    @property
    def unlimited(self) -> "Arithmetic":
        """The same where nothing overflows on the way."""
        return replace(self, overflows=False)

    @property
    def likely(self) -> "Arithmetic":
        """The same with sums judged by `probable_gamma`."""
        return replace(self, probable=True)

    def growth(self, n: Any) -> Any:
        """How much n roundings can change a value, relative to it; 0 for n = 0."""
        worst = gamma(n, self.u)
        return np.minimum(worst, probable_gamma(n, self.u)) if self.probable else worst


def gamma(n: Any, u: float) -> Any:
    """|prod (1 + d_i)^(+-1) - 1| for n roundings |d_i| <= u: n u / (1 - n u).

    Higham, Lemma 3.1; infinite where n u >= 1.
    """
    n = np.asarray(n, np.float64)
    room = 1 - n * u
    return np.where(room > 0, n * u / np.where(room > 0, room, 1), np.inf)


def probable_gamma(n: Any, u: float, lambda_: float = LAMBDA) -> Any:
    """exp(lambda sqrt(n) u + n u**2 / (1 - u)) - 1: with sqrt(n) in place of n.

    It holds for n independent roundings of mean zero with a probability of at least
    1 - 2 exp(-lambda**2 (1 - u)**2 / 2), by Hoeffding's inequality for the sum of their
    logarithms (Higham and Mary, A new approach to probabilistic rounding error analysis,
    SIAM J. Sci. Comput. 41(5), 2019, Theorem 2.4). With lambda = 7 one value fails with a
    probability of 5e-11, and a sum of n terms with n times that (Theorem 3.1).
    """
    n = np.asarray(n, np.float64)
    return np.expm1(lambda_ * np.sqrt(n) * u + n * u**2 / (1 - u))


def times(error: Values, factor: Values) -> Values:
    """An error, multiplied: what is exact stays so, even times an infinity."""
    return np.where(error == 0, 0, error * factor)


@dataclass(frozen=True, eq=False)
class Bounded:
    """A value, and a bound on the error of what was computed for it."""

    value: Values
    error: Values
    arithmetic: Arithmetic = field(repr=False)

    @classmethod
    def exact(cls, value: Any, arithmetic: Arithmetic) -> "Bounded":
        """A given number: without error, unless it is so small that it is flushed."""
        value = np.asarray(value, np.float64)
        size = np.abs(value)
        return cls(value, np.where(size < arithmetic.flushed, size, 0), arithmetic)

    def constant(self, value: Any) -> "Bounded":
        """A number in the same arithmetic."""
        return self.exact(value, self.arithmetic)

    @property
    def spread(self) -> Values:
        """The error, for whoever computes on with the value: infinite where it may have
        overflown.
        """
        over = np.abs(self.value) + self.error > self.arithmetic.largest
        over &= np.isfinite(self.value)  # what is infinite by right has not
        return np.where(over & self.arithmetic.overflows, np.inf, self.error)

    @property
    def magnitude(self) -> Values:
        """The largest absolute value that the computed version can have."""
        return np.abs(self.value) + self.spread

    def rounded(self, n: Any = 1, underflows: Any = 0) -> "Bounded":
        """After n more roundings and so many operations that may underflow.

        What is not finite is not rounded.
        """
        a, size = self.arithmetic, np.abs(self.value)
        grown = np.where(np.isfinite(size), a.growth(n) * (size + self.error), 0)
        return self.exactly(self.value, self.error + grown + underflows * a.underflow)

    def exactly(self, value: Values, error: Values) -> "Bounded":
        """The result of an operation, before its rounding."""
        return replace(self, value=value, error=error)

    def _of(self, value: Values, error: Values, *operands: Values) -> "Bounded":
        """The result of an operation on these. If they are finite and it is not, that is
        for the range of the bound's own arithmetic: nothing is known of it.
        """
        finite = np.isfinite(value)
        for operand in operands:
            finite = finite | ~np.isfinite(operand)
        return self.exactly(value, np.where(finite, error, np.inf))

    def __add__(self, other: "Bounded") -> "Bounded":
        # A sum that underflows is exact, unless it is flushed.
        flushes = self.arithmetic.flushed > 0
        value = self.value + other.value
        total = self._of(value, self.spread + other.spread, self.value, other.value)
        return total.rounded(1, flushes)

    def __neg__(self) -> "Bounded":
        return self.exactly(-self.value, self.error)

    def __sub__(self, other: "Bounded") -> "Bounded":
        return self + -other

    def __mul__(self, other: "Bounded") -> "Bounded":
        error = times(self.spread, other.magnitude)
        error = error + times(other.spread, np.abs(self.value))
        value = self.value * other.value
        return self._of(value, error, self.value, other.value).rounded(1, 1)

    def __truediv__(self, other: "Bounded") -> "Bounded":
        """Of two computed values."""
        value = self.value / other.value
        least = np.maximum(np.abs(other.value) - other.spread, 0)
        error = times(self.spread + times(other.spread, np.abs(value)), 1 / least)
        return self._of(value, error, self.value, 1 / other.value).rounded(1, 1)

    def over(self, n: int) -> "Bounded":
        """Divided by a constant, or multiplied by its rounded reciprocal."""
        return self.exactly(self.value / n, self.spread / n).rounded(2, 1)

    def reciprocal(self) -> "Bounded":
        """1 / x."""
        return self.constant(1.0) / self

    def matmul(self, other: "Bounded", plus: "Bounded | None" = None) -> "Bounded":
        """self @ other, and a further term `plus`, in one sum.

        Of n products and that term, every one takes part in at most n additions. Rounding
        the factors to `product_u` first changes each product by (1 + v)**2 at most.
        """
        a, n = self.arithmetic, self.value.shape[-1]
        narrowed = 2 * a.product_u + a.product_u**2
        roundings = n if plus is None else n + 1
        largest = self.magnitude @ other.magnitude
        value = self.value @ other.value
        error = self.spread @ other.magnitude + np.abs(self.value) @ other.spread
        error = error + (narrowed + (1 + narrowed) * a.growth(roundings)) * largest
        if plus is not None:
            value, largest = value + plus.value, largest + plus.magnitude
            error = error + plus.spread + a.growth(n) * plus.magnitude
        return self._summed(value, error + n * a.underflow, largest)

    def sum(self, axis: int | None = None, keepdims: bool = False) -> "Bounded":
        """Of all elements, or along an axis."""
        a = self.arithmetic
        keep: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        n = self.value.size if axis is None else self.value.shape[axis]
        largest = self.magnitude.sum(**keep)
        error = self.spread.sum(**keep) + a.growth(n - 1) * largest
        error = error + (n - 1) * (a.flushed > 0) * a.underflow
        return self._summed(self.value.sum(**keep), error, largest)

    def _summed(self, value: Values, error: Values, largest: Values) -> "Bounded":
        """A sum with this error, unless some part of it may overflow on the way."""
        over = (largest > self.arithmetic.largest) & self.arithmetic.overflows
        return self.exactly(value, np.where(over, np.inf, error))

    def exp(self) -> "Bounded":
        value, spread, a = np.exp(self.value), self.spread, self.arithmetic
        # exp(x + s) - exp(x): as it is where exp(s) may overflow, otherwise exactly.
        far = np.exp(self.value + spread) - value
        error = np.where(spread > 1, far, times(np.expm1(spread), value))
        passed = self._of(value, error, self.value)
        last = value + passed.error > a.largest / 2
        return passed._elementary(np.where(last, a.exp_near_overflow, a.exp))

    def log(self) -> "Bounded":
        lost = np.minimum(times(self.spread, 1 / self.value), 1)
        passed = self.exactly(np.log(self.value), -np.log1p(-lost))
        return passed._elementary(self.arithmetic.log)

    def sigmoid(self) -> "Bounded":
        """1 / (1 + e) with e = exp(-|x|); for x < 0, e times that, which is one rounding
        more than 1 / (1 + exp(-x)) has.
        """
        e = self.where(self.value < 0, -self).exp()
        above = (self.constant(1.0) + e.given).reciprocal()
        y = (e.given * above).where(self.value < 0, above)
        return y.inheriting(e, flatness(e), flatness(e))

    def _elementary(self, roundings: Values) -> "Bounded":
        """Below the normal numbers, so many roundings are as many halves of a spacing."""
        return self.rounded(roundings, np.maximum(roundings, 1))

    def gate(self, y: "Bounded") -> "Bounded":
        """y where self > 0, and 0 elsewhere: the lecture's mask, which lets NaN pass.

        Where self is not further from 0 than its error, the computed one may be on the
        other side, and the result 0 in place of y or y in place of 0.
        """
        opened = ~(self.value <= 0)
        certain = (np.abs(self.value) > self.error) | (self.error == 0)
        certain |= np.isnan(self.value)
        error = np.where(certain, np.where(opened, y.error, 0), y.magnitude)
        return y.exactly(np.where(opened, y.value, 0), error)

    def relu(self) -> "Bounded":
        """max(0, x), which moves no further than x does."""
        error = np.where(self.value + self.error <= 0, 0, self.error)
        return self.exactly(np.where(self.value <= 0, 0, self.value), error)

    def where(self, condition: Values, other: "Bounded") -> "Bounded":
        return self.exactly(
            np.where(condition, self.value, other.value),
            np.where(condition, self.error, other.error),
        )

    @property
    def given(self) -> "Bounded":
        """As if it were exact: what comes of it then is `inheriting` its error."""
        return self.exactly(self.value, np.zeros_like(self.error))

    def inheriting(self, of: "Bounded", *slope: Values) -> "Bounded":
        """With the error of `of` passed on, from which this was computed as `given`.

        Where a value is used more than once, its errors may cancel, which no rule for
        single operations can see; the derivative does.

        Args:
            of: the value that was given.
            slope: the factors of a number that |d self / d of| does not exceed.
        """
        passed = of.spread
        for factor in slope:
            passed = passed * factor
        relative = np.where(self.value == 0, 0, self.error / np.abs(self.value))
        return self.exactly(self.value, self.error + passed * (1 + relative))

    def map(self, rearrange: Callable[[Values], Values]) -> "Bounded":
        """Elements in another order or shape, or a choice of them."""
        return self.exactly(rearrange(self.value), rearrange(self.error))

    def either(self, other: "Bounded") -> "Bounded":
        """The same value by one algorithm or another: the larger of the two bounds."""
        return self.exactly(self.value, np.maximum(self.error, other.error))


Bounds = dict[str, Bounded]
RULES: dict[str, Callable[..., Bounds]] = {}


def rule(layer: str) -> Callable[[Any], Any]:
    """Marks the function that bounds a layer: its inputs and `dout` to `out` and `d...`"""

    def register(function: Any) -> Any:
        RULES[layer] = function
        return function

    return register


def bounds(layer: str, inputs: Arrays, dout: Any, arithmetic: Arithmetic) -> Bounds:
    """`out` and every gradient of a layer, each with the bound on its error.

    Args:
        layer: its name.
        inputs: the layer's, under their names; labels are `t`.
        dout: the derivative that arrives from above.
        arithmetic: that of the implementation to be judged.

    Raises KeyError where there is no rule for the layer.
    """
    given = {
        name: value if name == "t" else Bounded.exact(value, arithmetic)
        for name, value in inputs.items()
    }
    with np.errstate(all="ignore"):  # a bound may well be infinite
        return RULES[layer](**given, dout=Bounded.exact(dout, arithmetic))


def network_bounds(
    params: Arrays, x: Any, t: Any, arithmetic: Arithmetic, mask: Any = None
) -> Bounds:
    """The same for everything that flows through TwoLayerNet, named as its `trace`.

    Where a pre-activation is within its bound of zero, the ReLU may be open or shut; with
    a `mask` of what it lets through, (batch, hidden), that is taken for granted.
    """
    given = {name: Bounded.exact(v, arithmetic) for name, v in params.items()}
    with np.errstate(all="ignore"):
        return two_layer_net(**given, x=Bounded.exact(x, arithmetic), t=t, mask=mask)


def step_bounds(
    params: Arrays,
    x: Any,
    t: Any,
    learning_rate: float,
    arithmetic: Arithmetic,
    mask: Any = None,
) -> Bounds:
    """The same for the parameters after one step of gradient descent on this batch.

    The learning rate is the number that the implementation multiplies with: rounded to
    its dtype already.
    """
    flow = network_bounds(params, x, t, arithmetic, mask)
    reached = {}
    with np.errstate(all="ignore"):
        for name, value in params.items():
            before = Bounded.exact(value, arithmetic)
            step = before.constant(learning_rate) * flow["d" + name]
            reached[name] = before - step
    return reached


def two_layer_net(
    W1: Bounded,
    b1: Bounded,
    W2: Bounded,
    b2: Bounded,
    x: Bounded,
    t: Any,
    mask: Any = None,
) -> Bounds:
    def open_only(y: Bounded) -> Bounded:
        return y.map(lambda v: np.where(mask, v, 0))

    flow = {"Affine1": x.matmul(W1, plus=b1)}
    z = flow["Affine1"]
    flow["Relu1"] = z.relu() if mask is None else open_only(z)
    flow["Affine2"] = flow["Relu1"].matmul(W2, plus=b2)
    loss = softmax_with_loss(flow["Affine2"], t, x.constant(1.0))
    flow |= {"loss": loss["out"], "y": loss["y"], "dAffine2": loss["dx"]}
    back2 = affine_back(flow["Relu1"], W2, flow["dAffine2"])
    flow |= {"dRelu1": back2["dx"], "dW2": back2["dW"], "db2": back2["db"]}
    dRelu1 = flow["dRelu1"]
    flow["dAffine1"] = z.gate(dRelu1) if mask is None else open_only(dRelu1)
    back1 = affine_back(x, W1, flow["dAffine1"])
    return flow | {"dx": back1["dx"], "dW1": back1["dW"], "db1": back1["db"]}


# --- The layers -----------------------------------------------------------------------


@rule("AddLayer")
def add_layer(x: Bounded, y: Bounded, dout: Bounded) -> Bounds:
    return {"out": x + y, "dx": dout, "dy": dout}


@rule("MulLayer")
def mul_layer(x: Bounded, y: Bounded, dout: Bounded) -> Bounds:
    return {"out": x * y, "dx": dout * y, "dy": dout * x}


@rule("BuyFruit")
def buy_fruit(
    apple: Bounded,
    apple_num: Bounded,
    orange: Bounded,
    orange_num: Bounded,
    tax: Bounded,
    dout: Bounded,
) -> Bounds:
    fruit_price = apple * apple_num + orange * orange_num
    dfruit_price = dout * tax
    return {
        "out": fruit_price * tax,
        "dapple": dfruit_price * apple_num,
        "dapple_num": dfruit_price * apple,
        "dorange": dfruit_price * orange_num,
        "dorange_num": dfruit_price * orange,
        "dtax": dout * fruit_price,
    }


@rule("Relu")
def relu(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x.relu(), "dx": x.gate(dout)}


@rule("Negate")
def negate(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": -x, "dx": -dout}


@rule("Exp")
def exp(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x.exp(), "dx": dout * x.exp()}


@rule("Log")
def log(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x.log(), "dx": dout / x}


@rule("PlusOne")
def plus_one(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x + x.constant(1.0), "dx": dout}


@rule("Reciprocal")
def reciprocal(x: Bounded, dout: Bounded) -> Bounds:
    out = x.reciprocal()
    return {"out": out, "dx": -(dout * (out * out))}


def flatness(e: Bounded) -> Values:
    """1 / (1 + e) for the least e there can be. Its square is how fast y = 1 / (1 + e)
    follows e, and e y, and y**2 e follows no faster, for |1 - e| <= 1 + e.
    """
    return 1 / (1 + np.maximum(e.value - e.spread, 0))


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


def affine_back(x: Bounded, W: Bounded, dout: Bounded) -> Bounds:
    return {
        "dx": dout.matmul(W.map(np.transpose)),
        "dW": x.map(np.transpose).matmul(dout),
        "db": dout.sum(axis=0),
    }


@rule("Affine")
def affine(x: Bounded, W: Bounded, b: Bounded, dout: Bounded) -> Bounds:
    shape = x.value.shape
    rows = 1 if len(shape) == 1 else shape[0]
    flat = x.map(lambda v: v.reshape(rows, -1))
    back = affine_back(flat, W, dout.map(lambda v: v.reshape(rows, -1)))
    out = flat.matmul(W, plus=b).map(lambda v: v.reshape(dout.value.shape))
    return {"out": out, **back, "dx": back["dx"].map(lambda v: v.reshape(shape))}


def shifted(x: Bounded) -> Bounded:
    """x minus the largest of its row, as if x were exact; its error comes in `drifted`.

    What is further below than numbers go is taken to be the lowest: its exp is 0, too.
    """
    x = x.given
    z = x - x.constant(x.value.max(axis=-1, keepdims=True))
    lowest = x.constant(np.full_like(x.value, -np.finfo(np.float64).max))
    return z.where(~(np.isneginf(z.value) & np.isfinite(x.value)), lowest)


def drift(x: Bounded) -> Values:
    """How far the logarithm of a softmax is off because x is: by the error of x, and by
    that of the logarithm of the sum, which is at most the largest of the row. Whatever
    is subtracted from a row cancels.

    The roundings on the way are then of numbers that are off as much: those of z for the
    result and for the sum, of the logarithm of the sum, and of the last subtraction.
    """
    a = x.arithmetic
    off = x.spread + x.spread.max(axis=-1, keepdims=True)
    return (1 + a.growth(4 + 2 * a.log)) * off


def drifted(y: Bounded, log_y: Bounded, by: Values) -> Bounded:
    """A softmax whose logarithm is off by so much: by a factor of exp(by) at most, but y
    stays between 0 and 1, unless it is no number.
    """
    a = y.arithmetic
    near = (y.value + y.error) * np.expm1(by)
    above = np.exp(np.fmin(log_y.value + log_y.error + by, 0))
    far = (1 + a.growth(a.exp + 2)) * above  # exp, and a quotient or two
    far = np.where(np.isinf(by), np.inf, far)
    return y.exactly(y.value, y.error + np.where(by > 1, far, near))


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


def to_indices(t: Any, shape: tuple[int, ...]) -> np.ndarray:
    t = np.asarray(t)
    return np.asarray(t.argmax(axis=-1)) if t.shape == shape else t


def picked(x: Bounded, labels: np.ndarray) -> Bounded:
    """The entry of every row that its label points at, in a column."""
    return x.map(partial(at_labels, labels=labels))


def at_labels(x: Values, labels: np.ndarray) -> Values:
    return np.take_along_axis(x, labels[..., None], -1)


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
    log_y_t = log_y_t.exactly(
        log_y_t.value, log_y_t.error + at_labels(drift(x), labels)
    )
    y_used = drifted(y if composed else y.either(log_y.exp()), log_y, drift(x))
    difference = y_used.rounded(2, 1) - x.constant(one_hot).rounded(1)
    dx = (difference * dout).over(labels.size)
    if composed:
        dx = through_log(dx, y_used.magnitude + one_hot, dout, picked(y, labels))
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
