"""What is known of a dtype: one record for each, and an unknown dtype is refused.

`parity_tests.DTYPES` names those in which everything is compared. It stands where
nothing is imported, since the commands' options are made of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

# When do trainings agree? In float64, when nothing but rounding can be seen: the
# parameters to 1e-13 (three implementations on MNIST were measured 4e-15 apart after
# 10,000 steps), the losses and accuracies they report as well (which were 9e-16 apart),
# and not one prediction differs. In float32 trajectories part once a
# ReLU flips, and only the outcome can agree: test accuracies to 0.003, or one sample.
FLOAT64_DRIFT = 1e-13
FLOAT32_ACCURACY = 0.003
# The GNU C library's manual, section "Known maximum errors": 2 ulps for long double.
LONGDOUBLE_ULPS = 2.0


@dataclass(frozen=True)
class Agreement:
    """How far two trainings may be apart that agree.

    Args:
        drift: the largest difference of parameters, losses and accuracies where not one
            prediction may differ; None where only the outcome can agree.
        accuracy: then, the largest difference of the test accuracies.
    """

    drift: float | None = None
    accuracy: float = 0.0


@dataclass(frozen=True, eq=False)
class Dtype:
    """A dtype, and how results in it are judged.

    Args:
        info: its `np.finfo`, or `ml_dtypes.finfo`.
        truth: the dtype that the reference computes the truth in.
        ulps: the largest error of elementary functions, where it is not one of those that
            are measured, framework by framework (`elementary.json`).
        agreement: of trainings in it; None of what nothing is trained in.
    """

    info: Any
    truth: Any
    ulps: float | None = None
    agreement: Agreement | None = None

    @property
    def u(self) -> float:
        """The unit roundoff, half the distance from 1 to the next number."""
        return float(self.info.eps) / 2


# longdouble is wider than float64 on x86 with Linux or macOS only. Where it is the same,
# the truth is as wide as what it judges, and the bound that it has itself is as large;
# and the record of float64, which comes later, is that of both.
RECORDS: dict[np.dtype[Any], Dtype] = {
    np.dtype(np.longdouble): Dtype(
        np.finfo(np.longdouble), truth=np.longdouble, ulps=LONGDOUBLE_ULPS
    ),
    np.dtype(np.float64): Dtype(
        np.finfo(np.float64),
        truth=np.longdouble,
        agreement=Agreement(drift=FLOAT64_DRIFT),
    ),
    np.dtype(np.float32): Dtype(
        np.finfo(np.float32),
        truth=np.float64,
        agreement=Agreement(accuracy=FLOAT32_ACCURACY),
    ),
}


def record(dtype: Any) -> Dtype:
    """Return what is known of a dtype. Raises `ValueError` where that is nothing."""
    try:
        return RECORDS[np.dtype(dtype)]
    except KeyError:
        known = ", ".join(each.name for each in RECORDS)
        raise ValueError(
            f"nothing is known of the dtype {np.dtype(dtype)}: expected {known}"
        ) from None


def truth_dtype(dtype: Any) -> Any:
    """Return the dtype that the reference computes the truth in, for a check in `dtype`."""
    return record(dtype).truth


def is_wider(a: Any, b: Any) -> bool:
    """Return whether a has more digits than b: longdouble has none more than float64 where
    it is the same.
    """
    return bool(np.finfo(a).eps < np.finfo(b).eps)
