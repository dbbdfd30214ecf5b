"""The rounding bounds of derivatives, from the same rules.

A `Dual` is a `Bounded` that moves: with it goes its derivative along a direction, which
has a bound of its own. Every operation of `Bounded` is here with its derivative, so that
the rules in `rules/` take Duals as they are: a rule that bounds `out` and `dx` then
bounds R{out} and R{dx} as well, the Jacobian-vector and the Hessian-vector product, and
no layer's formula is written down twice.

Where a derivative can be arranged in more than one way, the larger bound holds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import (
    Bounded,
    Bounds,
    through_tanh,
)
from gradparity.reference.rounding.correctly_rounded import Values
from gradparity.reference.rounding.decision import Decision
from gradparity.reference.rounding.floating_point import Arithmetic


@dataclass(frozen=True, eq=False)
class Dual(Bounded):
    """A value, and its derivative along a direction, `tangent`."""

    tangent: Bounded

    @classmethod
    def of(cls, primal: Bounded, tangent: Bounded) -> "Dual":
        return cls(primal.value, primal.error, primal.arithmetic, tangent)

    @classmethod
    def moving(cls, value: Any, direction: Any, arithmetic: Arithmetic) -> "Dual":
        """A given number that moves in a given direction."""
        return cls.of(
            Bounded.exact(value, arithmetic), Bounded.exact(direction, arithmetic)
        )

    @property
    def primal(self) -> Bounded:
        return Bounded(self.value, self.error, self.arithmetic)

    @property
    def moves(self) -> bool:
        """Whether any of it does."""
        return bool(np.any(self.tangent.value) or np.any(self.tangent.error))

    def constant(self, value: Any) -> "Dual":
        """A number that does not move."""
        return self.moving(value, np.zeros_like(value), self.arithmetic)

    def rounded(self, n: Any = 1, underflows: Any = 0) -> "Dual":
        primal, tangent = self.primal, self.tangent
        return self.of(primal.rounded(n, underflows), tangent.rounded(n, underflows))

    def __add__(self, other: Any) -> "Dual":
        return self.of(self.primal + other.primal, self.tangent + other.tangent)

    def __neg__(self) -> "Dual":
        return self.of(-self.primal, -self.tangent)

    def __sub__(self, other: Any) -> "Dual":
        return self + -other

    def __mul__(self, other: Any) -> "Dual":
        x, y = self.primal, other.primal
        return self.of(x * y, self.tangent * y + x * other.tangent)

    def __truediv__(self, other: Any) -> "Dual":
        """R{x / y} = (Rx - (x / y) Ry) / y, or Rx / y - x Ry (1 / y**2)."""
        x, y = self.primal, other.primal
        quotient = x / y
        joined = (self.tangent - quotient * other.tangent) / y
        square = (y * y).reciprocal()
        apart = self.tangent / y - x * other.tangent * square
        return self.of(quotient, joined.either(apart))

    def over(self, n: float) -> "Dual":
        return self.of(self.primal.over(n), self.tangent.over(n))

    def reciprocal(self) -> "Dual":
        return self.constant(1.0) / self

    def matmul(self, other: Any, plus: Any = None) -> "Dual":
        """Two products and a further term, added in any order; 0 adds nothing, and no
        rounding either.
        """
        x, y = self.primal, other.primal
        terms = [x.matmul(other.tangent)]
        if self.moves:
            terms.append(self.tangent.matmul(y))
        if plus is None:
            return self.of(x.matmul(y), total(terms))
        return self.of(x.matmul(y, plus.primal), total([*terms, plus.tangent]))

    def sum(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
    ) -> "Dual":
        primal, tangent = self.primal, self.tangent
        return self.of(primal.sum(axis, keepdims), tangent.sum(axis, keepdims))

    def exp(self) -> "Dual":
        value = self.primal.exp()
        return self.of(value, self.tangent * value)

    def log(self) -> "Dual":
        return self.of(self.primal.log(), self.tangent / self.primal)

    def sigmoid(self) -> "Dual":
        """By y (1 - y), where 1 - y is wrong by a rounding of 1 when y is near it: that
        is more than e / (1 + e)**2 is, and all have it.
        """
        y = self.primal.sigmoid()
        return self.of(y, self.tangent * (y.constant(1.0) - y) * y)

    def tanh(self) -> "Dual":
        y = self.primal.tanh()
        return self.of(y, through_tanh(y, self.tangent))

    def erf(self) -> "Dual":
        return self.of(self.primal.erf(), self._under_the_bell_moves())

    def erfc(self) -> "Dual":
        return self.of(self.primal.erfc(), -self._under_the_bell_moves())

    def _under_the_bell_moves(self) -> Bounded:
        """2 exp(-x**2) / sqrt(pi), times the tangent."""
        x, t = self.primal, self.tangent
        height = x.constant(2 / math.sqrt(math.pi)).rounded()
        bell = (-(x * x)).exp()
        return (height * (t * bell)).either(t * (height * bell))

    def sqrt(self, nonnegative: bool = False) -> "Dual":
        """Rx / (2 sqrt(x)), or Rx (0.5 / sqrt(x))."""
        x, t = self.primal, self.tangent
        root = x.sqrt(nonnegative)
        return self.of(
            root, (t / (root + root)).either(t * x.constant(0.5).over_sqrt(x))
        )

    def rsqrt(self) -> "Dual":
        """-Rx / 2 times y / x or y**3; or what the two operations come to."""
        x, t = self.primal, self.tangent
        y, half = x.rsqrt(), x.constant(-0.5)
        cube = half * t * (y * y * y)
        return self.of(y, cube.either(t * (half * (y / x)))).either(
            self.sqrt().reciprocal()
        )

    def pow(self, exponent: Any) -> "Dual":
        """Rx n x**(n - 1), and Rn x**n log(x) where the exponent moves."""
        x, t = self.primal, self.tangent
        if not isinstance(exponent, Dual):
            factor, below = x.constant(exponent).rounded(), x.pow(exponent - 1)
            moved = (t * factor * below).either(t * (factor * below))
            return self.of(x.pow(exponent), moved)
        factor = exponent.primal
        below, power = x.pow(factor - x.constant(1.0)), x.pow(factor)
        moved = (t * factor * below).either(t * (factor * below))
        if exponent.moves:
            moved = moved + exponent.tangent * (power * x.log())
        return self.of(power, moved)

    @property
    def given(self) -> "Dual":
        """Itself: its errors are passed on operation by operation."""
        return self

    def inheriting(self, of: Any, *slope: Values) -> "Dual":
        return self

    def relu(self) -> "Dual":
        """Which does not move at the kink."""
        return self.of(self.primal.relu(), self.primal.gate(self.tangent))

    def abs(self) -> "Dual":
        return self.of(self.primal.abs(), self.primal.signed(self.tangent))

    def maximum(self, other: Any) -> "Dual":
        """Of equal ones, either may be what moves it, or both by halves."""
        x, y = self.primal, other.primal
        first = x >= y
        first = Decision(first.value, first.doubt | (x.value == y.value))
        return self.of(x.maximum(y), self.tangent.where(first, other.tangent))

    def max(self, axis: int, keepdims: bool = False) -> "Dual":
        """Of equal ones, any may be what moves it, or all by the same share."""
        x, t = self.primal, self.tangent
        may = x.may_be_largest(axis)
        first = np.argmax(x.value, axis=axis, keepdims=True)
        chosen = t.map(lambda v: np.take_along_axis(v, first, axis))
        apart = np.where(may, np.abs(t.value - chosen.value) + t.spread, 0)
        many = may.sum(axis=axis, keepdims=True)
        chosen = chosen.exactly(chosen.value, apart.max(axis=axis, keepdims=True))
        chosen = chosen.rounded(np.where(many > 1, many, 0))
        if not keepdims:
            chosen = chosen.map(lambda v: np.squeeze(v, axis))
        return self.of(x.max(axis, keepdims), chosen)

    def where(self, condition: Values | Decision, other: Any) -> "Dual":
        return self.of(
            self.primal.where(condition, other.primal),
            self.tangent.where(condition, other.tangent),
        )

    def map(self, rearrange: Callable[[Values], Values]) -> "Dual":
        return self.of(self.primal.map(rearrange), self.tangent.map(rearrange))

    def either(self, other: Any) -> "Dual":
        return self.of(
            self.primal.either(other.primal), self.tangent.either(other.tangent)
        )

    def allowing(self, other: Any) -> "Dual":
        return self.of(
            self.primal.allowing(other.primal), self.tangent.allowing(other.tangent)
        )


def total(terms: list[Bounded]) -> Bounded:
    """The sum of arrays, in any order."""
    shape = np.broadcast_shapes(*(term.value.shape for term in terms))
    values, errors = (
        np.stack([np.broadcast_to(part, shape) for part in parts])
        for parts in zip(*((term.value, term.error) for term in terms), strict=True)
    )
    return terms[0].exactly(values, errors).sum(axis=0)


def tangents_of(found: Any) -> Bounds:
    return {"R" + quantity: dual.tangent for quantity, dual in found.items()}


# What only programs have, whose derivatives are steps of their own.
OF_PROGRAMS = (
    *(
        "collect",
        "product",
        "mean",
        "variance",
        "log1p",
        "expm1",
        "sin",
        "cos",
        "normal_cdf",
    ),
)


def refused(name: str) -> Any:
    """A method in the place of one that would ignore the tangent."""

    def method(self: Dual, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{name} has no second derivative")

    return method


for _name in OF_PROGRAMS:
    setattr(Dual, _name, refused(_name))
