"""How far rounding can take an element-wise layer on any float32, counted by hand or by its
rule: what the exhaustive run explains an error by.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.layers import LAYERS as SPECS
from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.elementary import ulps
from gradparity.reference.rounding import bounds

QUANTITIES = ("out", "dx")
Ways = tuple[Backend, ...]  # one, or all that somebody's own may be judged by

U = 2.0**-24  # unit roundoff
HALF_SUBNORMAL = 2.0**-150  # the most that rounding to a subnormal does
SMALLEST_NORMAL = 2.0**-126
OVERFLOW = 2.0**128


def distance(value: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How far apart they are. An infinity stands for the number that would come next,
    and for all beyond.
    """
    wide = value.astype(np.float64)
    clipped = np.clip(wide, -OVERFLOW, OVERFLOW) - np.clip(truth, -OVERFLOW, OVERFLOW)
    return np.abs(np.where(np.isinf(wide), clipped, wide - truth))


@lru_cache(maxsize=4)  # all chunks but the last are of one size
def ones(size: int, dtype: Any) -> np.ndarray:
    return np.ones(size, dtype)


def sigmoid(x: np.ndarray) -> Arrays:
    """The sigmoid and its derivative without the reference's y * (1 - y), which cancels
    in float64 as well: 1 - y is the sigmoid of -x.
    """
    e = np.abs(x)
    np.exp(np.negative(e, out=e), out=e)  # in place: new memory costs more than exp
    large = e + 1
    np.divide(1, large, out=large)
    small = np.multiply(e, large, out=e)
    return {"out": np.where(x < 0, small, large), "dx": small * large}


@dataclass(frozen=True)
class Allowed:
    """The error that rounding can explain.

    A rounding is off by u in proportion, or by half a subnormal; n of them by
    gamma(n) |truth| + n 2**-150, with gamma(n) = n u / (1 - n u) (Higham, *Accuracy and
    Stability of Numerical Algorithms*, 2nd ed., section 3.1). `more` is added to that:
    what an intermediate value does, given x and the truth in float64.
    """

    roundings: float
    more: Callable[[np.ndarray, np.ndarray], Any] = lambda x, truth: 0.0

    def error(self, x: np.ndarray, truth: np.ndarray) -> np.ndarray:
        n = self.roundings
        rounding = n * U / (1 - n * U) * np.abs(truth) + n * HALF_SUBNORMAL
        return rounding + self.more(x.astype(np.float64), truth)


@dataclass(frozen=True)
class Roundings:
    """As how many the elementary functions count."""

    exp: float
    exp_near_overflow: float
    log: float

    @property
    def sigmoid(self) -> float:
        """1 / (1 + e) or e / (1 + e): an error of e reaches it no larger than it is; to
        that come a sum, a quotient and, in the reference, a product.
        """
        return self.exp + 3

    def near_overflow(self, x: np.ndarray, truth: np.ndarray) -> np.ndarray:
        more = max(self.exp_near_overflow - self.exp, 0) * U * truth
        return np.where(truth >= OVERFLOW / 2, more, 0)

    def cancelling(self, x: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Of a y that is off by h, y * (1 - y) is off by h * (1 - 2 * y) - h**2: by up to
        `sigmoid` * u, however small the derivative is.
        """
        y = sigmoid(x)["out"]
        h = self.sigmoid * (U * y + HALF_SUBNORMAL)
        return h * np.abs(1 - 2 * y) + h**2


@cache
def roundings(function: str, backends: Ways) -> float:
    """As how many a function counts, at its least accurate among backends."""
    return 2 * max(ulps(function, "float32", each) for each in backends)


# Once for those who have the same, so that what is allowed is the same as well.
counted = cache(Roundings)


def _underflowing(x: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """y**2 underflows before it is multiplied by exp(-x)."""
    return SMALLEST_NORMAL * np.exp(-x)


@dataclass(frozen=True)
class AllowedByRule:
    """The error that the layer's rounding rule explains, in the arithmetic of any of these
    backends; and what is explained otherwise, if anything is.
    """

    layer: str
    quantity: str
    backends: Ways
    any_form: bool = False
    otherwise: Allowed | None = None

    @property
    def roundings(self) -> float:
        return self.otherwise.roundings if self.otherwise else 1.0

    def error(self, x: np.ndarray, truth: np.ndarray) -> np.ndarray:
        dout = ones(x.size, x.dtype)
        form: dict[str, Any] = {"any_form": self.any_form}
        if self.otherwise:  # what is flushed is told apart
            form |= {"underflow": HALF_SUBNORMAL, "flushed": 0.0}
        own = (arithmetic(each, "float32").unlimited for each in self.backends)
        ways = {replace(each, **form) for each in own}
        settings = SPECS[self.layer].settings
        found = (bounds(self.layer, {"x": x}, dout, way, **settings) for way in ways)
        errors = [bounded[self.quantity].error for bounded in found]
        if self.otherwise:
            errors.append(self.otherwise.error(x, truth))
        return np.broadcast_to(np.max(errors, axis=0), truth.shape)


# What rounding may do to out and to dx, counted by hand: sharper than the rules, and
# faster. For layers that are not here, the rules say it.
ALLOWED: dict[str, Callable[[Roundings], tuple[Allowed, Allowed]]] = {
    "Relu": lambda r: (Allowed(0), Allowed(0)),
    "Negate": lambda r: (Allowed(0), Allowed(0)),
    "Exp": lambda r: (Allowed(r.exp, r.near_overflow), Allowed(r.exp, r.near_overflow)),
    "Log": lambda r: (Allowed(r.log), Allowed(1)),
    "PlusOne": lambda r: (Allowed(1), Allowed(0)),
    # Twice that of out, and the square's.
    "Reciprocal": lambda r: (Allowed(1), Allowed(3)),
    # y**2 * exp(-x): two for each y, two products. As a function of exp(-x) it changes,
    # in proportion, by no more than that does.
    "SigmoidGraph": lambda r: (Allowed(r.exp + 2), Allowed(r.exp + 6, _underflowing)),
    "Sigmoid": lambda r: (Allowed(r.sigmoid), Allowed(2, r.cancelling)),
}
Explained = Allowed | AllowedByRule


def allowed(
    layer: str, quantity: str, backends: Ways, any_form: bool = False
) -> Explained:
    """What rounding in the arithmetic of any of these may do to this quantity of a layer.
    Somebody's own may have all forms that the rules list.
    """
    if layer not in ALLOWED:
        return AllowedByRule(layer, quantity, backends, any_form)
    named = ("exp", "exp near overflow", "log")
    own = counted(*(roundings(name, backends) for name in named))
    by_hand = ALLOWED[layer](own)[QUANTITIES.index(quantity)]
    if any_form:
        return AllowedByRule(layer, quantity, backends, any_form, by_hand)
    return by_hand
