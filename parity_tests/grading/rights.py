"""What is right: the truth, and how far from it is still right.

What depends on what came before, or on chance, is known only once there is an answer: it
is then a function of the results.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.outcomes import Task
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.reference.rounding import Arithmetic, gamma

# What people add to the probabilities in a loss.
EPSILONS = (0.0, 1e-7, 1e-5, 1e-6, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 2.0**-52)


@dataclass(frozen=True, eq=False)
class Right:
    """What is right in a dtype: the truth, and how far from it is still right."""

    truth: np.ndarray
    allowed: np.ndarray


KEEPS = "keeps "  # the beginning of why a share of elements is not right
# The results of a task's calls, up to the one in question.
Results = Sequence[Mapping[str, np.ndarray]]
# What is right, given the results; or why nothing that came is.
Choice = Callable[[Results], Right | str]
# Of a call of a task in a dtype, by quantity.
Answers = Callable[[Task, int, str], Iterator[tuple[str, Right | Choice]]]
# What is right in a dtype, and with this added to the probabilities; or nothing more.
Of = Callable[[str, float], Right | Choice]
Perhaps = Callable[[str, float], Right | None]


def nothing(dtype: str, epsilon: float) -> None:
    """No other way to be right."""
    return None


@dataclass(frozen=True, eq=False)
class Stated:
    """What is right of one quantity of a call.

    `derivatives` are right as well: the gradients of exactly the loss that has something
    added to y, where most have those of the cross entropy. `differences` are right for who
    differentiates numerically. All of it is computed when it is asked for.
    """

    right: Of
    derivatives: Perhaps = nothing
    differences: Perhaps = nothing


def computed(
    formula: Callable[..., Any], dtype: str, *arrays: np.ndarray, roundings: int
) -> Right:
    """A formula that is a sum of products, in any order, with so many roundings at most:
    it is off by gamma(roundings) times the same formula of absolute values.
    """
    wide = truth_dtype(dtype)
    truth = np.asarray(formula(*(array.astype(wide) for array in arrays)))
    size = np.abs(formula(*(np.abs(array.astype(wide)) for array in arrays)))
    return Right(truth, allowance(roundings, dtype) * np.asarray(size))


def allowance(roundings: int, dtype: str) -> float:
    """That of the dtype, and of the truth's own."""
    both = (dtype, truth_dtype(dtype))
    return float(sum(gamma(roundings, Arithmetic.of(each).u) for each in both))


def nearest(value: np.ndarray | None, rights: Sequence[Right]) -> Right:
    """That of several ways which a result is nearest to, of those of its shape."""
    fitting = [r for r in rights if value is not None and r.truth.shape == value.shape]
    if value is None or not fitting or value.dtype.kind not in "fiub":
        return rights[0]
    with np.errstate(all="ignore"):
        off = [np.abs(value - r.truth).max(initial=0) for r in fitting]
    return fitting[int(np.argmin(off))]
