"""A value with a bound on the error of whatever was computed for it, and the operations
that are rounded correctly: arithmetic, sums, comparisons and choices.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from gradparity.reference.rounding.decision import Decision
from gradparity.reference.rounding.floating_point import Arithmetic

Arrays = dict[str, Any]
Values = Any  # an array, or the NumPy scalar that operations make of one of rank 0


FLOAT64 = 2.0**-53  # the unit roundoff of what bounds are computed in


def times(error: Values, factor: Values) -> Values:
    """An error, multiplied: what is exact stays so, even times an infinity."""
    return np.where(error == 0, 0, error * factor)


def passed_on(left: Values, right: Values) -> Values:
    """The product of these matrices, one of which is an error; 0 where there is none."""
    return left @ right if np.any(left) and np.any(right) else 0.0


def known(error: Values) -> Values:
    """An error, which is infinite where it is no number."""
    return np.where(np.isnan(error), np.inf, error)


@dataclass(frozen=True, eq=False)
class CorrectlyRounded:
    """A value, and a bound on the error of what was computed for it."""

    value: Values
    error: Values
    arithmetic: Arithmetic = field(repr=False)

    @classmethod
    def exact(cls, value: Any, arithmetic: Arithmetic) -> Self:
        """A given number: without error, unless it is so small that it is flushed."""
        value = np.asarray(value, np.float64)
        size = np.abs(value)
        return cls(value, np.where(size < arithmetic.flushed, size, 0), arithmetic)

    def constant(self, value: Any) -> Self:
        """A number in the same arithmetic."""
        return self.exact(value, self.arithmetic)

    @property
    def spread(self) -> Values:
        """The error, for whoever computes on with the value: infinite where it may have
        overflown.
        """
        if not self.arithmetic.overflows:
            return self.error
        over = np.abs(self.value) + self.error > self.arithmetic.largest
        over &= np.isfinite(self.value)  # what is infinite by right has not
        return np.where(over, np.inf, self.error)

    @property
    def magnitude(self) -> Values:
        """The largest absolute value that the computed version can have."""
        return np.abs(self.value) + self.spread

    def rounded(self, n: Any = 1, underflows: Any = 0) -> Self:
        """After n more roundings and so many operations that may underflow.

        What is not finite is not rounded.
        """
        a, size = self.arithmetic, np.abs(self.value)
        grown = times(a.growth(n), size + self.error)
        grown = np.where(np.isfinite(size), grown, 0)
        return self.exactly(self.value, self.error + grown + underflows * a.underflow)

    def exactly(self, value: Values, error: Values) -> Self:
        """The result of an operation, before its rounding."""
        return replace(self, value=value, error=error)

    def _of(self, value: Values, error: Values, *operands: Values) -> Self:
        """The result of an operation on these. If they are finite and it is not, that is
        for the range of the bound's own arithmetic: nothing is known of it.
        """
        finite = np.isfinite(value)
        for operand in operands:
            finite = finite | ~np.isfinite(operand)
        return self.exactly(value, np.where(finite, known(error), np.inf))

    def __add__(self, other: Self) -> Self:
        # A sum that underflows is exact, unless it is flushed; and 0 is 0.
        value = self.value + other.value
        total = self._of(value, self.spread + other.spread, self.value, other.value)
        flushes = (self.arithmetic.flushed > 0) & ((value != 0) | (total.error != 0))
        return total.rounded(1, flushes)

    def __neg__(self) -> Self:
        return self.exactly(-self.value, self.error)

    def __sub__(self, other: Self) -> Self:
        return self + -other

    def __mul__(self, other: Self) -> Self:
        error = times(self.spread, other.magnitude)
        error = error + times(other.spread, np.abs(self.value))
        value = self.value * other.value
        return self._of(value, error, self.value, other.value).rounded(1, 1)

    def __truediv__(self, other: Self) -> Self:
        """Of two computed values."""
        value = self.value / other.value
        least = np.maximum(np.abs(other.value) - other.spread, 0)
        error = times(self.spread + times(other.spread, np.abs(value)), 1 / least)
        return self._of(value, error, self.value, 1 / other.value).rounded(1, 1)

    def over(self, n: float) -> Self:
        """Divided by a constant, or multiplied by its rounded reciprocal."""
        return self.exactly(self.value / n, self.spread / n).rounded(2, 1)

    def reciprocal(self) -> Self:
        """1 / x."""
        return self.constant(1.0) / self

    def matmul(self, other: Self, plus: Self | None = None) -> Self:
        """self @ other, and a further term `plus`: in one sum, or once that is stored.

        Rounding the factors to `factor_u` first changes each product by (1 + v)**2 at
        most; and then it is rounded once, unless the accumulator has twice the digits.
        """
        a, n = self.arithmetic, self.value.shape[-1]
        u = 0.0 if a.u**2 >= a.inner.u else a.inner.u
        additions = n - (plus is None)
        narrowed = 2 * a.factor_u + a.factor_u**2
        largest = self.magnitude @ other.magnitude
        value = self.value @ other.value
        error = passed_on(self.spread, other.magnitude)
        error = error + passed_on(np.abs(self.value), other.spread)
        error = error + (narrowed + (1 + narrowed) * u) * largest
        largest = (1 + narrowed) * (1 + u) * largest
        if plus is not None:
            value, largest = value + plus.value, largest + plus.magnitude
            error = error + plus.spread
        error = error + self._additions(additions, value, error, largest)
        summed = self._summed(value, error + n * a.inner.underflow, largest)
        if plus is None or not a.stores:
            return summed
        return summed.either(self.matmul(other) + plus)

    def sum(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
    ) -> Self:
        """Of all elements, or along one axis or several."""
        keep: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        shape = np.asarray(self.value).shape
        axes = range(len(shape)) if axis is None else np.atleast_1d(axis)
        n = math.prod(shape[each] for each in axes)
        largest = self.magnitude.sum(**keep)
        value, error = self.value.sum(**keep), self.spread.sum(**keep)
        error = error + self._additions(n - 1, value, error, largest)
        return self._summed(value, error, largest)

    def product(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
    ) -> Self:
        """Of all elements, or along one axis or several, two at a time: whatever the order,
        n factors take n - 1 roundings. Where the order decides whether it overflows or
        underflows on the way, there is no bound.
        """
        shape = np.shape(self.value)
        axes = tuple(range(len(shape))) if axis is None else np.atleast_1d(axis)
        axes = tuple(int(each) % len(shape) for each in axes)
        last = tuple(range(len(shape) - len(axes), len(shape)))
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)

        def in_rows(values: Values) -> Values:
            return np.moveaxis(values, axes, last).reshape(*kept, -1)

        left = self.map(in_rows)
        size = left.magnitude
        least, most = (
            extreme(size, 1).prod(-1) for extreme in (np.minimum, np.maximum)
        )
        inside = (least > 2 * self.arithmetic.underflow) | (left.value == 0).any(-1)
        inside &= most <= self.arithmetic.largest
        if not left.value.shape[-1]:
            left = self.exactly(np.ones((*kept, 1)), np.zeros((*kept, 1)))
        while (n := left.value.shape[-1]) > 1:
            half = n // 2
            parts = ((0, half), (half, 2 * half), (2 * half, n))
            first, second, rest = (
                left.exactly(left.value[..., a:b], left.error[..., a:b])
                for a, b in parts
            )
            pairs = first * second
            value = np.concatenate([pairs.value, rest.value], -1)
            left = left.exactly(value, np.concatenate([pairs.error, rest.error], -1))
        error = np.where(inside, left.error[..., 0], np.inf)
        found = left.exactly(left.value[..., 0], error)
        if not keepdims:
            return found
        wide = tuple(1 if i in axes else n for i, n in enumerate(shape))
        return found.map(lambda v: v.reshape(wide))

    def mean(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
    ) -> Self:
        """Of all elements, or along one axis or several: their sum, divided, or means of
        ever more of them (Welford, Note on a method for calculating corrected sums of
        squares and products, Technometrics 4(3), 1962), by a few at a time, in blocks of 16
        such, and these in pairs (Chan, Golub and LeVeque, 1983).

        Of a the larger and b the smaller part, the mean is a + c (b - a), which is rounded
        four times: by at most 4 u times the mean of absolute values in both.
        """
        keep: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        total = self.sum(**keep)
        n = max(np.size(self.value) // max(np.size(total.value), 1), 1)
        depth = min(n - 1, 3 * 16 + math.log2(n))
        size = self.magnitude.sum(**keep) / n
        merged = self.spread.sum(**keep) / n + self.arithmetic.growth(4 * depth) * size
        found = total.over(n)
        merged = found.exactly(found.value, known(merged))
        return found.either(merged.rounded(0, 4 * depth))

    def variance(
        self,
        axis: int | tuple[int, ...] | None = None,
        keepdims: bool = False,
        correction: float = 0,
    ) -> Self:
        """The squares of what is left of the mean, added up and divided by n less the
        correction: with that mean, or with those that there were on the way (Welford),
        which are off by as much, but not all the same, so that nothing cancels.
        """
        mean = self.mean(axis=axis, keepdims=True)
        off = self - mean
        n = np.size(self.value) // max(np.size(mean.value), 1)
        return (off * off).sum(axis=axis, keepdims=keepdims).over(n - correction)

    def collect(self, target: Values, shape: tuple[int, ...]) -> Self:
        """Sums: what has the same number in `target` is added up there, in a result of
        this shape, whose elements are counted as they lie; -1 is left out.
        """
        kept, size = target >= 0, math.prod(shape)

        def summed(values: Values) -> Values:
            found = np.bincount(target[kept], values[kept], minlength=size)
            return found.reshape(shape)

        counts = np.bincount(target[kept], minlength=1)
        largest, value, error = map(summed, (self.magnitude, self.value, self.spread))
        additions = int(counts.max()) - 1 if counts.any() else 0
        error = error + self._additions(additions, value, error, largest)
        return self._summed(value, error, largest)

    def _additions(self, n: int, value: Values, error: Values, size: Values) -> Values:
        """What n additions can do to a sum, in any order, of terms whose absolute values
        add up to `size`, and which themselves are off by `error` in all.

        No partial sum is larger than the positive terms together, or the negative ones,
        (size + |sum|) / 2: but for what was rounded before, n u size at most; the sum
        here is itself computed in float64.
        """
        a = self.arithmetic.inner
        with np.errstate(invalid="ignore"):  # of infinite terms, nothing is known
            one_sided = (size + np.abs(value) + error) / 2
            rounded = a.operations(n) + 1
            one_sided = one_sided + rounded * (a.u + 2 * FLOAT64) * size
        flushed = n * a.underflow if a.flushed else 0
        return a.additions(n) * np.fmin(one_sided, size) + flushed

    def _summed(self, value: Values, error: Values, largest: Values) -> Self:
        """A sum with this error, unless some part of it may overflow on the way; rounded
        to what is stored, if that has fewer digits.
        """
        a = self.arithmetic
        over = (largest > a.inner.largest) & a.overflows
        summed = self.exactly(value, np.where(over, np.inf, error))
        return summed.rounded(1, 1) if a.stores else summed

    def __lt__(self, other: Self) -> Decision:
        return self._compared(np.less, other)

    def __le__(self, other: Self) -> Decision:
        return self._compared(np.less_equal, other)

    def __gt__(self, other: Self) -> Decision:
        return self._compared(np.greater, other)

    def __ge__(self, other: Self) -> Decision:
        return self._compared(np.greater_equal, other)

    def equals(self, other: Self) -> Decision:
        """Whether the two are the same number."""
        return self._compared(np.equal, other)

    def _compared(self, how: Callable[..., Any], other: Self) -> Decision:
        """A comparison, which is in doubt where the two are not further apart than their
        errors, so that the computed ones may be in another order, or where both may have
        overflown.

        The values here are themselves computed ones, in float64, and may be off by as much
        as any in that dtype.
        """
        error = self.error + other.error
        apart = np.abs(self.value - other.value)
        certain = (apart > (1 + FLOAT64 / self.arithmetic.u) * error) | (error == 0)
        certain |= np.isnan(self.value) | np.isnan(other.value)
        over = np.isinf(self.spread) & np.isinf(other.spread)
        over &= np.sign(self.value) == np.sign(other.value)
        return Decision(how(self.value, other.value), ~certain | over)

    def gate(self, y: Self) -> Self:
        """y where self > 0, and 0 elsewhere: the lecture's mask, which lets NaN pass."""
        zero = self.constant(0.0)
        return y.where(~(self <= zero), y.constant(np.zeros_like(y.value)))

    def relu(self) -> Self:
        """max(0, x), which moves no further than x does."""
        return self.maximum(self.constant(np.zeros_like(self.value)))

    def sign(self) -> Self:
        """-1, 0 or 1."""
        return self.signed(self.constant(np.ones_like(self.value)))

    def signed(self, y: Self) -> Self:
        """y times the sign of self."""
        zero, nothing = self.constant(0.0), y.constant(np.zeros_like(y.value))
        return (-y).where(self < zero, y.where(self > zero, nothing))

    def abs(self) -> Self:
        """|x|, which moves no further than x does."""
        return self.exactly(np.abs(self.value), self.error)

    def maximum(self, other: Self) -> Self:
        """The larger of the two, or NaN: no further off than either, where it may be
        either.
        """
        first = (self >= other) | Decision.sure(np.isnan(self.value))
        chosen = self.where(first.value, other)
        error = np.where(first.doubt, np.maximum(self.error, other.error), chosen.error)
        return chosen.exactly(chosen.value, error)

    def minimum(self, other: Self) -> Self:
        """The smaller of the two, or NaN."""
        return -(-self).maximum(-other)

    def max(self, axis: int, keepdims: bool = False) -> Self:
        """The largest along an axis: no further off than whatever may be it."""
        may = self.may_be_largest(axis)
        error = np.where(may, self.error, 0).max(axis=axis, keepdims=keepdims)
        return self.exactly(self.value.max(axis=axis, keepdims=keepdims), error)

    def min(self, axis: int, keepdims: bool = False) -> Self:
        """The smallest along an axis."""
        return -(-self).max(axis, keepdims)

    def may_be_largest(self, axis: int) -> Values:
        """Where the largest along an axis may be: a boolean for each element."""
        first = np.argmax(self.value, axis=axis, keepdims=True)
        return (self >= self.map(lambda v: np.take_along_axis(v, first, axis))).may

    def where(self, condition: "Values | Decision", other: Self) -> Self:
        """self where the condition holds, and other elsewhere. Where it is in doubt, the
        result may be that of the other side.
        """
        if isinstance(condition, Decision):
            chosen, left = (
                self.where(held, other) for held in (condition.value, ~condition.value)
            )
            apart = np.abs(chosen.value - left.value) + left.spread
            apart = np.where(chosen.value == left.value, left.spread, apart)
            error = np.where(
                condition.doubt, np.maximum(chosen.error, apart), chosen.error
            )
            return chosen.exactly(chosen.value, error)
        return self.exactly(
            np.where(condition, self.value, other.value),
            np.where(condition, self.error, other.error),
        )

    @property
    def given(self) -> Self:
        """As if it were exact: what comes of it then is `inheriting` its error."""
        return self.exactly(self.value, np.zeros_like(self.error))

    def inheriting(self, of: Self, *slope: Values) -> Self:
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

    def map(self, rearrange: Callable[[Values], Values]) -> Self:
        """Elements in another order or shape, or a choice of them."""
        return self.exactly(rearrange(self.value), rearrange(self.error))

    def either(self, other: Self) -> Self:
        """The same value by one algorithm or another: the larger of the two bounds."""
        return self.exactly(self.value, np.maximum(self.error, other.error))

    def allowing(self, other: Self) -> Self:
        """The same, but that where the other algorithm has no bound, it is none."""
        error = np.where(np.isfinite(other.error), other.error, self.error)
        return self.exactly(self.value, np.maximum(self.error, error))
