"""A value with a bound on the error of whatever was computed for it: the elementary
functions of it.

What a function makes of an error is the difference of two of its values, where these can
be computed without loss, and otherwise the error times the steepest slope on the way.
"""

import math

import numpy as np

from gradparity.reference.rounding.correctly_rounded import (
    FLOAT64,
    CorrectlyRounded,
    Values,
    known,
    times,
)
from gradparity.reference.rounding.elementary import PERIODIC

erf, erfc = (np.vectorize(f, otypes=[np.float64]) for f in (math.erf, math.erfc))


class Bounded(CorrectlyRounded):
    """A value, and a bound on the error of what was computed for it."""

    def exp(self) -> "Bounded":
        """exp(0) is 1 and log(1) is 0, as the C standard has it (annex F.10)."""
        value, spread, a = np.exp(self.value), self.spread, self.arithmetic
        # exp(x + s) - exp(x): as it is where exp(s) may overflow, otherwise exactly.
        far = np.exp(self.value + spread) - value
        error = np.where(spread > 1, far, times(np.expm1(spread), value))
        passed = self._of(value, error, self.value)
        last = value + passed.error > a.largest / 2
        near, elsewhere = map(a.roundings, ("exp near overflow", "exp"))
        roundings = np.where(last, near, elsewhere)
        return passed._elementary(roundings, exact=(self.value == 0) & (spread == 0))

    def log(self) -> "Bounded":
        """There is no bound where the argument may come to 0."""
        passed = self.exactly(np.log(self.value), -np.log1p(-self._lost))
        k = self.arithmetic.roundings("log")
        return passed._elementary(k, exact=(self.value == 1) & (self.spread == 0))

    @property
    def _lost(self) -> Values:
        """The spread as a part of a positive value; 1 where that may come to 0."""
        x, spread = self.value, self.spread
        return np.where(x > spread, np.minimum(times(spread, 1 / x), 1), spread > 0)

    def log1p(self) -> "Bounded":
        """log(1 + x), which has no bound where x may come to -1."""
        above = self.exactly(1 + self.value, self.error)
        passed = self.exactly(np.log1p(self.value), -np.log1p(-above._lost))
        return passed._elementary(self.arithmetic.roundings("log1p"))

    def expm1(self) -> "Bounded":
        """exp(x) - 1, the slope of which is exp(x)."""
        value, spread = np.expm1(self.value), self.spread
        far = np.exp(self.value + spread) - np.exp(self.value)
        near = times(np.expm1(spread), np.exp(self.value))
        passed = self._of(value, np.where(spread > 1, far, near), self.value)
        return passed._elementary(self.arithmetic.roundings("expm1"))

    def sin(self) -> "Bounded":
        """No steeper than 1. There is no bound for numbers beyond those measured."""
        moved = np.minimum(self.spread, 1 + np.abs(np.sin(self.value)))
        moved = np.where(np.abs(self.value) > PERIODIC, np.inf, moved)
        passed = self.exactly(np.sin(self.value), moved)
        return passed._elementary(self.arithmetic.roundings("sin"))

    def cos(self) -> "Bounded":
        """No steeper than 1. There is no bound for numbers beyond those measured."""
        moved = np.minimum(self.spread, 1 + np.abs(np.cos(self.value)))
        moved = np.where(np.abs(self.value) > PERIODIC, np.inf, moved)
        passed = self.exactly(np.cos(self.value), moved)
        return passed._elementary(self.arithmetic.roundings("cos"))

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

    def erf(self) -> "Bounded":
        """No steeper than where its argument may come closest to 0, and within -1..1."""
        value = erf(self.value)
        moved = np.minimum(self._under_the_bell(), 1 + np.abs(value))
        return self.exactly(value, moved)._elementary(self.arithmetic.roundings("erf"))

    def erfc(self) -> "Bounded":
        """1 - erf(x), which never increases."""
        highest = erfc(self.value - self.spread)
        moved = np.minimum(self._under_the_bell(), highest)
        passed = self.exactly(erfc(self.value), moved)
        return passed._elementary(self.arithmetic.roundings("erfc"))

    def normal_cdf(self) -> "Bounded":
        """How much of a standard normal distribution is below x, by an approximation
        whose error is absolute.
        """
        half = math.sqrt(0.5)
        scaled = self.exactly(-half * self.value, half * self.spread)
        moved = np.minimum(scaled._under_the_bell(), erfc(scaled.value - scaled.spread))
        seen = self.arithmetic.roundings("normal cdf") * self.arithmetic.u
        return self.exactly(erfc(scaled.value) / 2, moved / 2 + seen)

    def _under_the_bell(self) -> Values:
        """The spread, times 2 exp(-x**2) / sqrt(pi) where that may be largest."""
        nearest = np.fmax(np.abs(self.value) - self.spread, 0)
        return times(self.spread, 2 / math.sqrt(math.pi) * np.exp(-(nearest**2)))

    def sqrt(self, nonnegative: bool = False) -> "Bounded":
        """The root, which IEEE 754 has rounded correctly, though not every library.

        Where the argument may come below 0, so that there is no root, there is no bound;
        unless it is known to be `nonnegative`, as a sum of squares is. The difference of
        two roots is then at most the root of the difference.
        """
        x, spread = self.value, self.spread
        root, least = np.sqrt(x), np.sqrt(np.maximum(x - spread, 0))
        moved = times(spread, 1 / (root + least))  # which is root - least
        across = np.inf
        if nonnegative:
            across = np.maximum(root, np.sqrt(x + spread) - root)
        moved = np.where(spread <= x, moved, across)
        passed = self.exactly(root, np.where(spread == 0, 0, moved))
        return passed.rounded(np.where(root == 0, 0, self.arithmetic.roundings("sqrt")))

    def rsqrt(self) -> "Bounded":
        """1 / sqrt(x), as these two operations or as one, which may not be rounded
        correctly. There is no bound where the argument may come to 0.
        """
        x, spread = self.value, self.spread
        root, least = np.sqrt(x), np.sqrt(np.maximum(x - spread, 0))
        moved = times(spread, 1 / (root * least * (root + least)))
        moved = np.where((spread < x) | (spread == 0), moved, np.inf)
        one = self.exactly(1 / root, moved)
        one = one._elementary(self.arithmetic.roundings("rsqrt"))
        two = self.sqrt().reciprocal()
        return two.exactly(two.value, known(two.error)).either(one)

    def over_sqrt(self, other: "Bounded") -> "Bounded":
        """self / sqrt(other), which XLA turns into self * rsqrt(other)."""
        return (self / other.sqrt()).either(self * other.rsqrt())

    def pow(self, exponent: "Bounded | float") -> "Bounded":
        """To the power of a constant, which is rounded to the dtype, or of another value.

        A number n that is whole is |n| - 1 products, and a reciprocal if n < 0; a half is
        a root. Both may be a library's pow as well, as far as that was measured. There is
        no bound where any other power is of what may come to 0.
        """
        if isinstance(exponent, Bounded):
            return self._library_pow(exponent)
        if exponent in (0.5, -0.5):
            library = self._library_pow(self.constant(exponent))
            return (self.sqrt() if exponent > 0 else self.rsqrt()).allowing(library)
        y = self.constant(exponent)
        library = self._library_pow(y if self.arithmetic.has(exponent) else y.rounded())
        if not float(exponent).is_integer():
            return library
        if exponent < 0:
            above, below = self.reciprocal(), self.pow(-exponent)
            return above.pow(-exponent).either(below.reciprocal()).allowing(library)
        return self._product(int(exponent)).allowing(library)

    def _product(self, n: int) -> "Bounded":
        """Of n factors that are all the same."""
        x, spread = np.abs(self.value), self.spread
        value, roundings = self.value**n, max(n - 1, 0)
        grown = times(np.abs(value), np.expm1(n * np.log1p(times(spread, 1 / x))))
        moved = np.where(spread < x, grown, (x + spread) ** n - x**n)
        passed = self._of(value, np.where(spread == 0, 0, known(moved)), self.value)
        return passed.rounded(roundings, roundings)

    def _library_pow(self, exponent: "Bounded") -> "Bounded":
        """The logarithm, y log(x), is furthest off in a corner of what x and y may be."""
        x, y, spread, lost = self.value, exponent.value, self.spread, self._lost
        value, log = np.power(x, y), np.log(x)
        off = value * 0.0
        for moved in (np.log1p(lost), np.log1p(-lost)):
            for by in (exponent.spread, -exponent.spread):
                corner = times(moved, y + by) + times(by, log)
                far = np.abs(np.exp(y * log + corner) - value)
                near = times(np.abs(np.expm1(corner)), np.abs(value))
                off = np.maximum(off, np.where(corner > 1, far, near))
        off = off * (1 + 8 * FLOAT64 * (1 + np.abs(y * log)))  # as it is computed here
        given = (spread == 0) & (exponent.spread == 0)
        off = np.where(given, 0, np.where(lost == 1, np.inf, known(off)))
        return self._of(value, off, x, y)._elementary(self.arithmetic.roundings("pow"))

    def _elementary(self, roundings: Values, exact: Values = False) -> "Bounded":
        """Below the normal numbers, so many roundings are as many halves of a spacing; two
        at least, for what comes out is rounded once more when it is scaled.
        """
        roundings = np.where(exact, 0, roundings)
        return self.rounded(roundings, np.maximum(roundings, 2.0 * (roundings > 0)))


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
