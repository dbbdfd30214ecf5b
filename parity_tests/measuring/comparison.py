"""One computed tensor against the truth: how far apart, where, and is it rounding."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradparity.parity_tests.measuring.dtypes import is_wider, record
from gradparity.parity_tests.measuring.records import Verdict, Worst
from gradparity.reference.rounding import Bounded

NO_WIDER = "it is the truth itself: no dtype is wider here"


@dataclass(frozen=True, eq=False)
class Allowed:
    """How far a computed tensor may be from the computed truth, element by element.

    `certain` no rounding can exceed; beyond `probable` it goes with a probability that
    `reference.rounding.probable_gamma` tells. Both are the sum of two bounds, of what
    was computed and of the truth, neither of which is exact.
    """

    certain: np.ndarray
    probable: np.ndarray

    @classmethod
    def of(cls, certain: Bounded, probable: Bounded, truth: Bounded) -> "Allowed":
        with np.errstate(over="ignore"):
            return cls(certain.error + truth.error, probable.error + truth.error)

    def or_of(self, other: "Allowed") -> "Allowed":
        """As far as either of the two allows, where both have a bound; or else one."""
        return Allowed(
            larger(self.certain, other.certain), larger(self.probable, other.probable)
        )

    def but_for(self, elements: np.ndarray) -> "Allowed":
        """Without a bound for these: there, only the truth rounded once is right."""
        return replace(self, certain=np.where(elements, np.inf, self.certain))


def larger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The larger of two bounds, of which an infinite one is none."""
    both = np.isfinite(a) & np.isfinite(b)
    return np.where(both, np.maximum(a, b), np.fmin(a, b))


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a and b agree in every bit; all NaN count as one."""
    return a.shape == b.shape and a.dtype == b.dtype and bool(alike(a, b).all())


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which elements agree in every bit; all NaN count as one."""
    nan = np.isnan(a) & np.isnan(b)
    return nan | ((a == b) & (np.signbit(a) == np.signbit(b)))


def compare(
    value: np.ndarray,
    truth: np.ndarray,
    allowed: Allowed,
    dtype: str,
    reference: np.ndarray | None,
    flushed: bool = False,
) -> dict[str, Any]:
    """The metrics and the verdict, under the names of `records.Check`.

    Where there is no bound, because something may overflow on the way or a divisor come
    to 0, the truth rounded once is right, and of anything else nothing can be said, if
    the truth is a number: that is a verdict of its own, unless the tensor is wrong
    elsewhere. Where no dtype is wider, the truth is what the reference computed, so that
    the reference is not judged by it; if it is another, because the reference is wrong,
    that shows.

    Args:
        value: what an implementation computed.
        truth: what it should be, in a wider dtype where there is one.
        allowed: how far rounding can have taken it.
        dtype: the dtype that `value` must have.
        reference: what the reference computes in the dtype of `value`; None where
            `value` is that. `identical` means its bits, or, for the reference itself,
            those of the truth rounded once.
        flushed: subnormal numbers were zero to the processor, so that what is infinite
            by right may be no number.
    """
    for what, expected, came in (
        ("dtype", dtype, str(value.dtype)),
        ("shape", truth.shape, value.shape),
    ):
        if came != expected:
            note = f"expected {what} {expected}, got {came}"
            return {"verdict": Verdict.FAIL, "note": note}
    with np.errstate(all="ignore"):
        rounded, known = truth.astype(dtype), record(dtype)
        largest = known.info.max
        error = distance(value, truth)
        unbounded = ~np.isfinite(allowed.certain)
        error = np.where(unbounded & (value == rounded), 0, error)
        unbounded &= (error > 0) & (np.isfinite(truth) | flushed)
        # From half a spacing above the largest number on, rounding is to infinity: that
        # far off is an infinite value then.
        beyond = truth.dtype.type(largest) * (1 + known.u / 2)
        short = np.maximum(beyond - np.sign(value) * truth, 0)
        overflows = np.isinf(value) & (short <= allowed.certain)
        error = np.where(overflows, short, error)
        # The spacing of the largest number is infinite, that of its neighbour is not.
        below = np.clip(np.abs(rounded), 0, np.nextafter(largest, 0))
        ulp = np.spacing(below).astype(truth.dtype)
        bounded_error = np.where(unbounded, 0, error)
        ratio, probable = (
            share(bounded_error, bound) for bound in (allowed.certain, allowed.probable)
        )
        result: dict[str, Any] = {
            "shape": list(value.shape),
            "max_abs": float(error.max()),
            "max_rel": float(share(error, np.abs(truth)).max()),
            "max_ulp": float(share(error, ulp).max()),
            "bound_ratio": float(ratio.max()),
            "probable_ratio": float(probable.max()),
            "worst": worst(
                error if unbounded.any() and ratio.max() <= 1 else ratio,
                value,
                truth,
                allowed.certain,
            ),
        }
        if reference is not None:
            result["max_abs_reference"] = float(distance(value, reference).max())
    if result["bound_ratio"] > 1:
        verdict = Verdict.FAIL
    elif unbounded.any():
        verdict = Verdict.NO_BOUND
        result["note"] = f"no bound for {unbounded.sum():,} of {value.size:,} elements"
    elif reference is None and not is_wider(truth.dtype, dtype):
        return {"verdict": Verdict.NOT_JUDGED, "note": NO_WIDER}
    elif same_bits(value, rounded if reference is None else reference):
        verdict = Verdict.IDENTICAL
    else:
        verdict = Verdict.WITHIN_BOUND
    return result | {"verdict": verdict}


def worst(
    ratio: np.ndarray,
    value: np.ndarray,
    truth: np.ndarray,
    bound: np.ndarray | None = None,
) -> Worst:
    """The element in which the ratio is largest."""
    at = np.unravel_index(np.argmax(ratio), ratio.shape)
    return Worst(
        index=[int(i) for i in at],
        value=float(value[at]),
        truth=float(truth[at]),
        bound=None if bound is None else float(bound[at]),
    )


def distance(value: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|value - truth|: 0 where both are the same infinity or NaN, infinite where only one
    of them is.
    """
    wide = value.astype(truth.dtype)
    same = (wide == truth) | (np.isnan(wide) & np.isnan(truth))
    apart = np.where(same, 0, np.abs(wide - truth))
    return np.where(np.isnan(apart), np.inf, apart)


def share(error: np.ndarray, of: np.ndarray) -> np.ndarray:
    """error / of: 0 where there is no error; infinite where there is one and `of` is 0 or
    no number at all.
    """
    ratio = np.where(error == 0, 0, error / np.where(np.isfinite(of), of, 0))
    return np.where(np.isnan(ratio), np.inf, ratio)
