"""A quantity that is wrong, and what can be said of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradparity.parity_tests.grading.findings import Findings, Found
from gradparity.parity_tests.measuring import wording

# How near a value must be to what it is taken for, relative to the largest element.
CLOSE = {"float64": 1e-9, "float32": 1e-4}
# A loss differs by what is added to the probabilities: 1e-7 over the smallest of them.
LOSS_CLOSE = 1e-4
FORWARD = ("out", "predict", "loss", "accuracy")
ARGUMENTS = ("dout", "x", "y", "t", "W", "b")
# Whose phrase is a sentence of its own.
WHOLE = ("unanswered", "raises", "missing")
KEPT = "something is kept in the class, or in a global variable, and not in self"
Test = Callable[["Wrong"], str | None]


@dataclass(frozen=True, eq=False)
class Wrong:
    """A quantity that is wrong: what came where it counts."""

    name: str
    quantity: str
    found: list[Found]
    findings: Findings

    @classmethod
    def of(cls, findings: Findings, quantity: str) -> "Wrong":
        return cls(findings.name, quantity, findings.counted(quantity), findings)

    @property
    def wrong(self) -> list[Found]:
        return [f for f in self.found if not f.right]

    @property
    def how_many(self) -> str:
        """Of its cases: `every case`, or `3 of 18 cases`."""
        wrong, cases = len(self.wrong), len(self.found)
        return "every case" if wrong == cases else f"{wrong} of {cases} cases"

    @property
    def came(self) -> bool:
        """Whether there is a result in every case."""
        return all(f.value is not None for f in self.found)

    @property
    def shaped(self) -> bool:
        """Whether it has the right shape, too, in every case."""
        return self.came and all(value(f).shape == f.truth.shape for f in self.found)

    @property
    def pairs(self) -> list[tuple[Found, Found]]:
        """An earlier and a later call of the same object, in all combinations."""
        return [
            (f, g)
            for f in self.found
            for g in self.found
            if f.expected.task is g.expected.task
            and f.expected.number < g.expected.number
        ]


@dataclass(frozen=True, eq=False)
class Relation:
    """`phrase` completes a sentence about one result, or about several of them."""

    name: str
    phrase: str
    precise: bool  # whether it says more than in which cases something is wrong

    def sentence(self, name: str, quantities: Sequence[str]) -> str:
        """A whole sentence; the phrase has `{is}` and `{one}`, to be singular or plural."""
        said = self.of(quantities)
        return said if self.name in WHOLE else f"Your {listed(quantities)} {said}."

    def of(self, quantities: Sequence[str]) -> str:
        """The phrase about so many quantities; a whole sentence may be in their words."""
        if self.name in WHOLE:
            return self.phrase
        phrase = self.phrase
        for word, said in (PLURAL if len(quantities) > 1 else SINGULAR).items():
            phrase = phrase.replace(f"{{{word}}}", said)
        return phrase


SINGULAR = {"is": "is", "has": "has", "does": "does", "one": "one", "it": "it"}
PLURAL = {"is": "are", "has": "have", "does": "do", "one": "ones", "it": "they"}


def listed(quantities: Sequence[str]) -> str:
    """`dW`, `db` and `dx`, each as code."""
    return wording.listed(f"`{quantity}`" for quantity in quantities)


def value(found: Found) -> np.ndarray:
    assert found.value is not None
    return found.value


def close(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    """Whether a is b to a share of its largest element; NaN is NaN."""
    if a.shape != b.shape:
        return False
    with np.errstate(all="ignore"):
        a, b = (np.asarray(v, np.float64) for v in (a, b))
        finite = np.isfinite(b)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
            return False
        size = np.abs(b[finite]).max(initial=0)
        return bool((np.abs(a[finite] - b[finite]) <= tolerance * size).all())


def near(found: Found, other: np.ndarray) -> bool:
    return close(value(found), other, CLOSE[found.dtype])


def same_inputs(f: Found, g: Found) -> bool:
    a, b = f.expected.call.inputs, g.expected.call.inputs
    return all(np.array_equal(a[name], b[name]) for name in a)


def tolerance(found: Found) -> float:
    if found.quantity == "loss" or found.truth.ndim == 0:
        return LOSS_CLOSE
    return CLOSE[found.dtype]
