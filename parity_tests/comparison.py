"""One computed tensor against the truth: how far apart, where, and is it rounding."""

from typing import Any

import numpy as np

from parity_tests.records import Verdict, Worst

# longdouble is the truth for float64 only where it is wider (not on Windows, nor on
# macOS on ARM); elsewhere the reference in float64 is, and both sides may err.
WIDER_THAN_FLOAT64 = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps)


def truth_dtype(dtype: Any) -> Any:
    """The dtype that the reference computes the truth in, for a check in `dtype`."""
    return np.longdouble if np.dtype(dtype) == np.float64 else np.float64


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a and b agree in every bit; all NaN count as one."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    nan = np.isnan(a) & np.isnan(b)
    return bool((nan | ((a == b) & (np.signbit(a) == np.signbit(b)))).all())


def compare(
    value: np.ndarray,
    truth: np.ndarray,
    error_bound: np.ndarray,
    dtype: str,
    reference: np.ndarray | None,
) -> dict[str, Any]:
    """The metrics and the verdict, under the names of `records.Check`.

    Args:
        value: what an implementation computed.
        truth: what it should be, in a wider dtype.
        dtype: the dtype that `value` must have.
        error_bound: how far rounding can have taken it, element by element.
        reference: what the reference computes in the dtype of `value`; None where
            `value` is that. `identical` means its bits, or, for the reference itself,
            those of the truth rounded once.
    """
    for what, expected, came in (
        ("dtype", dtype, str(value.dtype)),
        ("shape", truth.shape, value.shape),
    ):
        if came != expected:
            note = f"expected {what} {expected}, got {came}"
            return {"verdict": Verdict.FAIL, "note": note}
    with np.errstate(all="ignore"):
        wide = value.astype(truth.dtype)
        agree = (wide == truth) | (np.isnan(wide) & np.isnan(truth))
        error = np.where(agree, 0, np.abs(wide - truth))
        error = np.where(np.isnan(error), np.inf, error)
        rounded = truth.astype(dtype)
        largest = np.finfo(dtype).max
        ulp = np.spacing(np.clip(np.abs(rounded), 0, largest)).astype(truth.dtype)
        both_err = dtype == "float64" and not WIDER_THAN_FLOAT64
        allowed = 2 * error_bound if both_err else error_bound
        ratio = np.where(agree, 0, error / allowed)
        ratio = np.where(np.isnan(ratio), np.inf, ratio)
        relative = np.where(agree, 0, error / np.abs(truth))
        relative = np.where(np.isnan(relative), np.inf, relative)
        worst = np.unravel_index(np.argmax(ratio), ratio.shape)
        result: dict[str, Any] = {
            "shape": list(value.shape),
            "max_abs": float(error.max()),
            "max_rel": float(relative.max()),
            "max_ulp": float(np.where(agree, 0, error / ulp).max()),
            "bound_ratio": float(ratio.max()),
            "worst": Worst(
                index=[int(i) for i in worst],
                value=float(value[worst]),
                truth=float(truth[worst]),
            ),
        }
        if reference is not None:
            gap = np.where(
                (value == reference) | (np.isnan(value) & np.isnan(reference)),
                0,
                np.abs(value - reference),
            )
            result["max_abs_reference"] = float(
                np.where(np.isnan(gap), np.inf, gap).max()
            )
    if result["bound_ratio"] > 1:
        verdict = Verdict.FAIL
    elif same_bits(value, rounded if reference is None else reference):
        verdict = Verdict.IDENTICAL
    else:
        verdict = Verdict.WITHIN_BOUND
    return result | {"verdict": verdict}
