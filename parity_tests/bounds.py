"""How far a correctly written layer can be from the truth, by rounding alone.

The bound follows the values through the layer, in the manner of running error analysis
(Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., sections 3.1-3.3): a
`Bounded` is an exact value together with a bound on the error of any computed version
of it, and every operation adds what its own rounding can do:

* one operation: u times the result, with u the unit roundoff;
* a sum of n terms in any order, with or without fused multiply-add: gamma(n) times the
  sum of the terms' absolute values, gamma(n) = n u / (1 - n u);
* exp and log: `ELEMENTARY` roundings, since no library promises one;
* a division: two, since a compiler may multiply by a rounded reciprocal;
* each: the smallest normal number, which is what flushing a subnormal to zero costs.

The layers' formulas below are therefore stated once more, in the form with the largest
rounding error among those in use. That is the only place where the allowance is stated.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from parity_tests.implementations import Arrays, function_name

ELEMENTARY = 4  # 2 ulps, in units of u


@dataclass(frozen=True)
class Unit:
    """What one rounding does in a dtype."""

    u: float
    tiny: float

    @classmethod
    def of(cls, dtype: Any) -> Self:
        info = np.finfo(dtype)
        return cls(float(info.eps) / 2, float(info.smallest_normal))

    def gamma(self, n: int) -> float:
        return n * self.u / (1 - n * self.u)


@dataclass(frozen=True, eq=False)
class Bounded:
    """A value, and a bound on the error of what was computed for it."""

    value: np.ndarray
    error: np.ndarray
    unit: Unit

    @classmethod
    def exact(cls, value: Any, unit: Unit) -> Self:
        value = np.asarray(value, np.float64)
        return cls(value, np.zeros_like(value), unit)

    @property
    def magnitude(self) -> np.ndarray:
        """The largest absolute value that the computed version can have."""
        return np.abs(self.value) + self.error

    def _rounded(self, value: np.ndarray, error: np.ndarray, n: int = 1) -> "Bounded":
        unit = self.unit
        error = error + unit.gamma(n) * (np.abs(value) + error) + n * unit.tiny
        return Bounded(value, error, unit)

    def __add__(self, other: "Bounded") -> "Bounded":
        return self._rounded(self.value + other.value, self.error + other.error)

    def __neg__(self) -> "Bounded":
        return Bounded(-self.value, self.error, self.unit)

    def __sub__(self, other: "Bounded") -> "Bounded":
        return self + -other

    def __mul__(self, other: "Bounded") -> "Bounded":
        error = self.error * other.magnitude + np.abs(self.value) * other.error
        return self._rounded(self.value * other.value, error)

    def __truediv__(self, n: int) -> "Bounded":
        return self._rounded(self.value / n, self.error / n, 2)

    def matmul(self, other: "Bounded", extra_terms: int = 0) -> "Bounded":
        """self @ other, in a sum that holds `extra_terms` further terms."""
        n = self.value.shape[-1] + extra_terms
        error = self.error @ other.magnitude + np.abs(self.value) @ other.error
        error += self.unit.gamma(n) * (self.magnitude @ other.magnitude)
        return Bounded(self.value @ other.value, error + n * self.unit.tiny, self.unit)

    def sum(self, axis: int | None = None, keepdims: bool = False) -> "Bounded":
        n = self.value.size if axis is None else self.value.shape[axis]
        keep: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        error = self.error.sum(**keep)
        error = error + self.unit.gamma(n - 1) * self.magnitude.sum(**keep)
        return Bounded(self.value.sum(**keep), error, self.unit)

    def exp(self) -> "Bounded":
        value = np.exp(self.value)
        return self._rounded(value, value * np.expm1(self.error), ELEMENTARY)

    def log(self) -> "Bounded":
        least = self.value - self.error
        error = np.where(least > 0, self.error / np.where(least > 0, least, 1), np.inf)
        return self._rounded(np.log(self.value), error, ELEMENTARY)

    def reciprocal(self) -> "Bounded":
        least = np.abs(self.value) - self.error
        safe = np.where(least > 0, least, 1) * np.abs(self.value)
        error = np.where(least > 0, self.error / safe, np.inf)
        return self._rounded(1 / self.value, error, 2)

    def where(self, condition: np.ndarray, other: "Bounded") -> "Bounded":
        return Bounded(
            np.where(condition, self.value, other.value),
            np.where(condition, self.error, other.error),
            self.unit,
        )

    def map(self, f: Any) -> "Bounded":
        """A rearrangement of elements (reshape, transpose, indexing)."""
        return Bounded(f(self.value), f(self.error), self.unit)


Bounds = dict[str, Bounded]


def bounds(layer: str, inputs: Arrays, dout: np.ndarray, dtype: Any) -> Bounds:
    """For `out` and every gradient of a layer, the bound on its error in `dtype`."""
    unit = Unit.of(dtype)
    exact = {k: v if k == "t" else Bounded.exact(v, unit) for k, v in inputs.items()}
    rule = globals()[function_name(layer)]
    with np.errstate(all="ignore"):  # a bound may well be infinite
        return rule(**exact, dout=Bounded.exact(dout, unit))


def network_bounds(params: Arrays, x: np.ndarray, t: np.ndarray, dtype: Any) -> Bounds:
    """The same for everything that flows through TwoLayerNet."""
    unit = Unit.of(dtype)
    with np.errstate(all="ignore"):
        exact = {k: Bounded.exact(v, unit) for k, v in params.items()}
        W1, b1, W2, b2 = (exact[name] for name in ("W1", "b1", "W2", "b2"))
        xs = Bounded.exact(x, unit)
        flow = {"Affine1": _affine_out(xs, W1, b1)}
        flow["Relu1"] = _relu_out(flow["Affine1"])
        flow["Affine2"] = _affine_out(flow["Relu1"], W2, b2)
        loss = softmax_with_loss(flow["Affine2"], t, Bounded.exact(1.0, unit))
        flow |= {"loss": loss["out"], "y": loss["y"], "dAffine2": loss["dx"]}
        back2 = affine(flow["Relu1"], W2, b2, flow["dAffine2"])
        flow |= {"dRelu1": back2["dx"], "dW2": back2["dW"], "db2": back2["db"]}
        flow["dAffine1"] = relu(flow["Affine1"], flow["dRelu1"])["dx"]
        back1 = affine(xs, W1, b1, flow["dAffine1"])
        return flow | {"dx": back1["dx"], "dW1": back1["dW"], "db1": back1["db"]}


def add_layer(x: Bounded, y: Bounded, dout: Bounded) -> Bounds:
    return {"out": x + y, "dx": dout, "dy": dout}


def mul_layer(x: Bounded, y: Bounded, dout: Bounded) -> Bounds:
    return {"out": x * y, "dx": dout * y, "dy": dout * x}


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


def _relu_out(x: Bounded) -> Bounded:
    # The computed x may be on the other side of 0, but no further than its error.
    positive = np.maximum(x.value, 0)
    return Bounded(positive, np.where(x.value + x.error <= 0, 0, x.error), x.unit)


def relu(x: Bounded, dout: Bounded) -> Bounds:
    passed = ~(x.value <= 0)  # the lecture's mask: NaN is passed on
    certain = np.abs(x.value) > x.error
    certain |= x.error == 0
    error = np.where(certain, np.where(passed, dout.error, 0), dout.magnitude)
    dx = Bounded(np.where(passed, dout.value, 0), error, x.unit)
    return {"out": _relu_out(x), "dx": dx}


def negate(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": -x, "dx": -dout}


def exp(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x.exp(), "dx": dout * x.exp()}


def plus_one(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x + Bounded.exact(1.0, x.unit), "dx": dout}


def reciprocal(x: Bounded, dout: Bounded) -> Bounds:
    out = x.reciprocal()
    return {"out": out, "dx": -(dout * (out * out))}


def sigmoid_graph(x: Bounded, dout: Bounded) -> Bounds:
    e = (-x).exp()
    out = (e + Bounded.exact(1.0, x.unit)).reciprocal()
    return {"out": out, "dx": dout * (out * out) * e}


def sigmoid(x: Bounded, dout: Bounded) -> Bounds:
    one = Bounded.exact(1.0, x.unit)
    e = (-x).map(lambda v: np.where(x.value < 0, -v, v)).exp()  # exp(-|x|)
    y = (e + one).reciprocal()
    y = (e * y).where(x.value < 0, y)
    return {"out": y, "dx": dout * (one - y) * y}


def _affine_out(x: Bounded, W: Bounded, b: Bounded) -> Bounded:
    n = len(W.value) + 1
    product = x.matmul(W, extra_terms=1)
    error = product.error + b.error + x.unit.gamma(n) * b.magnitude
    return Bounded(product.value + b.value, error, x.unit)


def affine(x: Bounded, W: Bounded, b: Bounded, dout: Bounded) -> Bounds:
    shape = x.value.shape
    rows = 1 if len(shape) == 1 else shape[0]
    x = x.map(lambda v: v.reshape(rows, -1))
    flat_dout = dout.map(lambda v: v.reshape(rows, -1))
    return {
        "out": _affine_out(x, W, b).map(lambda v: v.reshape(dout.value.shape)),
        "dx": flat_dout.matmul(W.map(np.transpose)).map(lambda v: v.reshape(shape)),
        "dW": x.map(np.transpose).matmul(flat_dout),
        "db": flat_dout.sum(axis=0),
    }


def _log_softmax(x: Bounded) -> Bounded:
    z = x - x.map(lambda v: np.take_along_axis(v, x.value.argmax(-1)[..., None], -1))
    return z - z.exp().sum(axis=-1, keepdims=True).log()


def _softmax_out(x: Bounded) -> Bounded:
    # exp(log y), as some do, is less accurate than exp(x) / sum by the rounding of
    # log y; the further rounding covers the division of the others.
    y = _log_softmax(x).exp()
    return y._rounded(y.value, y.error, 2)


def softmax(x: Bounded, dout: Bounded) -> Bounds:
    y = _softmax_out(x)
    weighted = dout * y
    return {"out": y, "dx": weighted - y * weighted.sum(axis=-1, keepdims=True)}


def _labels(t: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return t.argmax(axis=-1) if t.shape == shape else t


def cross_entropy(y: Bounded, t: np.ndarray, dout: Bounded) -> Bounds:
    labels = _labels(t, y.value.shape)
    y_t = y.map(lambda v: np.take_along_axis(v, labels[..., None], -1))
    at_label = np.arange(y.value.shape[-1]) == labels[..., None]
    dy = -(dout * y.reciprocal() / labels.size)
    return {
        "out": -(y_t.log().sum() / labels.size),
        "dy": dy.where(at_label, Bounded.exact(np.zeros_like(y.value), y.unit)),
    }


def softmax_with_loss(x: Bounded, t: np.ndarray, dout: Bounded) -> Bounds:
    labels = _labels(t, x.value.shape)
    column = labels[..., None]
    y = _softmax_out(x)
    one_hot = (np.arange(x.value.shape[-1]) == column).astype(np.float64)
    log_y_t = _log_softmax(x).map(lambda v: np.take_along_axis(v, column, -1))
    y_t = y.map(lambda v: np.take_along_axis(v, column, -1))
    # Through log(softmax) instead, the relative error of y_t is an error of the log,
    # and y_t cancels against 1 / y_t: each leaves its rounding on the result.
    loss = log_y_t._rounded(log_y_t.value, y_t.error / y_t.value, ELEMENTARY)
    detour = y.unit.gamma(2 * ELEMENTARY) * (y.value + one_hot)
    dx = Bounded(y.value - one_hot, y.error + detour, x.unit)
    return {
        "out": -(loss.sum() / labels.size),
        "y": y,
        "dx": dx * dout / labels.size,
    }
