"""A value with a bound on the error of whatever was computed for it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradparity.reference.rounding.floating_point import Arithmetic

Arrays = dict[str, Any]
Values = Any  # an array, or the NumPy scalar that operations make of one of rank 0


FLOAT64 = 2.0**-53  # the unit roundoff of what bounds are computed in


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

        Rounding the factors to `product_u` first changes each product by (1 + v)**2 at
        most, and then it is rounded once.
        """
        a, n = self.arithmetic, self.value.shape[-1]
        additions = n - (plus is None)
        narrowed = 2 * a.product_u + a.product_u**2
        largest = self.magnitude @ other.magnitude
        value = self.value @ other.value
        error = self.spread @ other.magnitude + np.abs(self.value) @ other.spread
        error = error + (narrowed + (1 + narrowed) * a.u) * largest
        largest = (1 + narrowed) * (1 + a.u) * largest
        if plus is not None:
            value, largest = value + plus.value, largest + plus.magnitude
            error = error + plus.spread
        error = error + self._additions(additions, value, error, largest)
        return self._summed(value, error + n * a.underflow, largest)

    def sum(self, axis: int | None = None, keepdims: bool = False) -> "Bounded":
        """Of all elements, or along an axis."""
        keep: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        n = self.value.size if axis is None else self.value.shape[axis]
        largest = self.magnitude.sum(**keep)
        value, error = self.value.sum(**keep), self.spread.sum(**keep)
        error = error + self._additions(n - 1, value, error, largest)
        return self._summed(value, error, largest)

    def _additions(self, n: int, value: Values, error: Values, size: Values) -> Values:
        """What n additions can do to a sum, in any order, of terms whose absolute values
        add up to `size`, and which themselves are off by `error` in all.

        No partial sum is larger than the positive terms together, or the negative ones,
        (size + |sum|) / 2: but for what was rounded before, n u size at most; the sum
        here is itself computed in float64.
        """
        a = self.arithmetic
        with np.errstate(invalid="ignore"):  # of infinite terms, nothing is known
            one_sided = (size + np.abs(value) + error) / 2
            one_sided = one_sided + (n + 1) * (a.u + 2 * FLOAT64) * size
        flushed = n * a.underflow if a.flushed else 0
        return a.additions(n) * np.fmin(one_sided, size) + flushed

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
        near, elsewhere = map(a.roundings, ("exp near overflow", "exp"))
        return passed._elementary(np.where(last, near, elsewhere))

    def log(self) -> "Bounded":
        lost = np.minimum(times(self.spread, 1 / self.value), 1)
        passed = self.exactly(np.log(self.value), -np.log1p(-lost))
        return passed._elementary(self.arithmetic.roundings("log"))

    def sigmoid(self) -> "Bounded":
        """1 / (1 + e) with e = exp(-|x|); for x < 0, e times that, which is one rounding
        more than 1 / (1 + exp(-x)) has.
        """
        e = self.where(self.value < 0, -self).exp()
        above = (self.constant(1.0) + e.given).reciprocal()
        y = (e.given * above).where(self.value < 0, above)
        return y.inheriting(e, flatness(e), flatness(e))

    def tanh(self) -> "Bounded":
        """No steeper than where its argument may come closest to 0, and within -1..1."""
        steepest = np.tanh(np.maximum(np.abs(self.value) - self.spread, 0))
        moved = np.minimum(times(self.spread, 1 - steepest**2), 2)
        passed = self.exactly(np.tanh(self.value), moved)
        return passed._elementary(self.arithmetic.roundings("tanh"))

    def _elementary(self, roundings: Values) -> "Bounded":
        """Below the normal numbers, so many roundings are as many halves of a spacing."""
        return self.rounded(roundings, np.maximum(roundings, 1))

    def switch(self, opened: Values, y: "Bounded", other: "Bounded") -> "Bounded":
        """y where it is opened, and the other elsewhere; it switches where self is 0.

        Where self is not further from 0 than its error, the computed one may be on the
        other side, and the result that of the other. The value here is itself a computed
        one, in float64, and may be off by as much as any in that dtype.
        """
        doubt = (1 + FLOAT64 / self.arithmetic.u) * self.error
        certain = (np.abs(self.value) > doubt) | (self.error == 0)
        certain |= np.isnan(self.value)
        chosen, left = y.where(opened, other), other.where(opened, y)
        apart = np.abs(chosen.value - left.value) + left.spread
        error = np.where(certain, chosen.error, np.maximum(chosen.error, apart))
        return chosen.exactly(chosen.value, error)

    def gate(self, y: "Bounded") -> "Bounded":
        """y where self > 0, and 0 elsewhere: the lecture's mask, which lets NaN pass."""
        return self.switch(~(self.value <= 0), y, y.constant(np.zeros_like(y.value)))

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

    def allowing(self, other: "Bounded") -> "Bounded":
        """The same, but that where the other algorithm has no bound, it is none."""
        error = np.where(np.isfinite(other.error), other.error, self.error)
        return self.exactly(self.value, np.maximum(self.error, error))


def flatness(e: Bounded) -> Values:
    """1 / (1 + e) for the least e there can be. Its square is how fast y = 1 / (1 + e)
    follows e, and e y, and y**2 e follows no faster, for |1 - e| <= 1 + e.
    """
    return 1 / (1 + np.maximum(e.value - e.spread, 0))


def through_tanh(y: Bounded, dout: Bounded) -> Bounded:
    """dout (1 - y**2) of a y = tanh(x); or dout (1 + y) (1 - y), as in JAX, which up to
    0.11.1 had e + e y with e = dout (1 - y).
    """
    one = y.constant(1.0)
    e = dout * (one - y)
    of_factors = dout * ((one + y) * (one - y))
    return (dout * (one - y * y)).either(of_factors).either(e + e * y)


Bounds = dict[str, Bounded]
