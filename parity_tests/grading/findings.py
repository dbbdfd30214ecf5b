"""Answers against what was expected: which are right, and how far off the others are.

This is the same for a submission and for the known mistakes that it is compared with.
Nothing that an answer says of itself is believed: it is looked up by what was asked.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.parity_tests.grading import tasks, truths
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.exercise import CLOSURE, UNFIT
from gradparity.parity_tests.grading.outcomes import Outcome, Raised
from gradparity.parity_tests.measuring.comparison import distance, share, worst
from gradparity.parity_tests.measuring.records import Worst

NUMBERS = "fiub"  # the kinds of dtypes that can be measured
OF_NONE, OF_TYPE = "is None", "is of type "
UNANSWERED = "no answer came"
NONE = np.zeros(())

Asked = tuple[str, str, int]  # case, dtype, number of the call


@dataclass(frozen=True, eq=False)
class Found:
    """What came of one expected quantity.

    `dtype` is the one that it is judged in; `note` says why there is nothing to measure.
    What is not `reached` was never asked for: the gradient of a layer whose `forward`
    has failed, or that has none.
    """

    expected: truths.Expected
    value: np.ndarray | None
    raised: Raised | None
    dtype: str
    truth: np.ndarray
    right: bool
    ratio: float | None = None
    worst: Worst | None = None
    note: str | None = None
    exact: bool = (
        False  # the gradient of exactly the loss that has something added to y
    )
    reached: bool = True

    @property
    def quantity(self) -> str:
        return self.expected.quantity

    @property
    def failure(self) -> Raised | None:
        """The exception in the place of a result, where none came, nor anything else."""
        came = self.value is not None or (self.note or "").startswith(
            (OF_NONE, OF_TYPE)
        )
        return None if came else self.raised

    @property
    def case(self) -> str:
        return self.expected.task.case

    @property
    def group(self) -> str:
        return tasks.group(self.case)

    @property
    def asked(self) -> Asked:
        task = self.expected.task
        return task.case, task.dtype, self.expected.number

    @property
    def first(self) -> bool:
        """Whether this is of a task's first call."""
        return self.expected.number == 0

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        return self.expected.call.inputs

    def input(self, name: str) -> np.ndarray | None:
        call = self.expected.call
        return call.dout if name == "dout" else call.inputs.get(name)

    @property
    def batch(self) -> int:
        """How many samples there are; one where the input is a number, or one point."""
        if self.expected.task.name.startswith("numerical"):
            return 1
        x = self.input("x")
        x = self.input("y") if x is None else x
        return len(np.atleast_1d(np.asarray(x)))


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything about a class or function.

    `declined` are the groups of cases that it refuses and may refuse; `epsilon` is what
    its loss adds to the probabilities.
    """

    name: str
    outcomes: Mapping[Asked, Outcome]
    found: tuple[Found, ...]
    declined: frozenset[str]
    epsilon: float = 0.0

    @classmethod
    def of(cls, name: str, outcomes: Iterable[Outcome]) -> "Findings":
        """What is to be said of a name; outcomes of others are passed over."""
        by_call = {(o.case, o.dtype, o.call): o for o in outcomes if o.name == name}
        declined = frozenset(declined_groups(name, by_call))
        found = look(name, by_call, 0.0)
        epsilon = 0.0
        if name in truths.LOSSES and not all(f.right for f in found):
            tried = {e: look(name, by_call, e) for e in truths.EPSILONS}
            # The cases that count first; among equals, the exact loss.
            epsilon = max(
                truths.EPSILONS,
                key=lambda e: (
                    sum(f.right for f in tried[e] if f.group not in tasks.OPTIONAL),
                    sum(f.right for f in tried[e]),
                ),
            )
            found = tried[epsilon]
        if gives_a_part(found):
            declined |= {tasks.MATRIX}
        return cls(name, by_call, found, declined, epsilon)

    def counts(self, found: Found) -> bool:
        """Whether it must be right, and was asked for."""
        must = found.group not in tasks.OPTIONAL and found.group not in self.declined
        return must and found.reached

    def of_quantity(self, quantity: str) -> list[Found]:
        return [f for f in self.found if f.quantity == quantity]

    @property
    def quantities(self) -> list[str]:
        return list(dict.fromkeys(f.quantity for f in self.found))

    @property
    def uses(self) -> set[str]:
        """The subjects of the submission that it was seen to be built from."""
        remarks = (r for outcome in self.outcomes.values() for r in outcome.remarks)
        return {remark.what for remark in remarks if remark.kind == "uses"}

    @property
    def wrong(self) -> list[str]:
        """The quantities that are wrong where that counts."""
        wrong = {f.quantity for f in self.found if self.counts(f) and not f.right}
        return [q for q in self.quantities if q in wrong]


def declined_groups(name: str, outcomes: Mapping[Asked, Outcome]) -> list[str]:
    """The groups that may be refused in which every call has raised an exception."""
    declined = []
    for kind in tasks.DECLINABLE:
        asked = [
            outcomes.get((task.case, task.dtype, number))
            for task in tasks.tasks_of(name)
            if tasks.group(task.case) == kind
            for number in range(len(task.calls))
        ]
        if asked and all(o is not None and o.raised is not None for o in asked):
            declined.append(kind)
    for pair in tasks.ONE_OF_TWO:
        if {*pair} <= {*declined}:
            declined = [kind for kind in declined if kind not in pair]
    return declined


def gives_a_part(found: Iterable[Found]) -> bool:
    """Whether numerical_gradient moves all elements of a matrix, and yet hands f another
    array, as the book's first one for batches does, which hands it the rows.
    """
    right: dict[str, set[bool]] = {}
    for f in found:
        right.setdefault(f.group, set()).add(f.right)
    wrong = {kind for kind, all_right in right.items() if False in all_right}
    return (
        CLOSURE in right and wrong == {tasks.MATRIX} and right[tasks.MATRIX] == {False}
    )


def look(
    name: str, outcomes: Mapping[Asked, Outcome], epsilon: float
) -> tuple[Found, ...]:
    """All that is expected of a name against what came."""
    found = []
    for each in truths.expected(name):
        calls = [
            outcomes.get((each.task.case, each.task.dtype, number))
            for number in range(each.number + 1)
        ]
        found.append(compare(each, calls, epsilon))
    return tuple(found)


def compare(
    asked: truths.Expected, calls: Sequence[Outcome | None], epsilon: float
) -> Found:
    """One quantity against the truth, of the last of these calls of a task.

    It is judged in the dtype that was asked, or in float32, where the call returned that.
    """
    dtype, outcome = asked.task.dtype, calls[-1]
    results = [{} if each is None else each.results for each in calls]
    if outcome is not None and any(
        value.dtype == np.float32 for value in outcome.results.values()
    ):
        dtype = "float32"
    right = asked.right(dtype, epsilon, results)
    value = None if outcome is None else outcome.results.get(asked.quantity)
    why = None
    if isinstance(right, str):
        why, right = right, truths.Right(np.zeros(()) if value is None else value, NONE)
    about: dict[str, Any] = {
        "expected": asked,
        "value": None if value is None or value.dtype.kind not in NUMBERS else value,
        "raised": None if outcome is None else outcome.raised,
        "dtype": dtype,
        "truth": right.truth,
        "reached": is_reached(asked, outcome),
    }
    if note := unmeasurable(asked, outcome, value, right.truth) or why:
        return Found(**about, right=False, note=note)
    assert value is not None  # which would have been noted
    ratio = ratios(value, right, dtype)
    if ratio.size and ratio.max() > 1 and dtype == "float64" and is_single(value):
        single = asked.right("float32", epsilon, results)
        in_single = (
            None if isinstance(single, str) else ratios(value, single, "float32")
        )
        if in_single is not None and in_single.max() <= 1:
            # Computed in float32, though its dtype is another.
            about["dtype"], ratio = "float32", in_single
    exact = asked.derivatives.get((dtype, epsilon))
    if ratio.size and ratio.max() > 1 and exact is not None:
        of_exact = ratios(value, exact, dtype)
        if of_exact.max() <= 1:
            about |= {"truth": exact.truth, "exact": True}
            right, ratio = exact, of_exact
    return Found(
        **about,
        right=bool(ratio.max() <= 1),
        ratio=float(ratio.max()),
        worst=worst(ratio, value, right.truth),
    )


def is_reached(asked: truths.Expected, outcome: Outcome | None) -> bool:
    """Whether it was asked for: a layer's gradients are where forward has returned."""
    is_gradient = asked.quantity.startswith("d")
    if outcome is None or not is_gradient or SUBJECTS[outcome.name].kind != "layer":
        return True
    returned = {r.what.partition(", ")[0] for r in outcome.remarks if r.kind == "type"}
    return bool({"out", asked.quantity} & {*outcome.results, *returned})


def unmeasurable(
    asked: truths.Expected,
    outcome: Outcome | None,
    value: np.ndarray | None,
    truth: np.ndarray,
) -> str | None:
    """Why there is nothing to measure, if there is not."""
    if outcome is None:
        return UNANSWERED
    if value is None:
        types = [r.what for r in outcome.remarks if r.kind == "type"]
        for what in types:
            quantity, _, kind = what.partition(", ")
            if quantity == asked.quantity:
                return OF_NONE if kind == "NoneType" else OF_TYPE + kind
        if outcome.raised is not None:
            ours = outcome.raised.kind == UNFIT
            return ("" if ours else "raised ") + described(outcome.raised)
        return "was not returned"
    if value.shape != truth.shape:
        return f"expected shape {truth.shape}, got {value.shape}"
    if value.dtype.kind not in NUMBERS or value.dtype == np.float16:
        return f"expected dtype {asked.task.dtype}, got {value.dtype}"
    return None


def described(raised: Raised) -> str:
    """`ValueError: its message (layers.py, line 12)`; or what we have found unfit."""
    if raised.kind == UNFIT:
        return raised.message
    message = f": {raised.message}" if raised.message else ""
    return f"{raised.kind}{message}{place(raised)}"


def place(raised: Raised) -> str:
    """Where it came from, in brackets, if that is known."""
    if raised.file is None:
        return ""
    cell = "" if raised.cell is None else f"cell {raised.cell}, "
    return f" ({os.path.basename(raised.file)}, {cell}line {raised.line})"


def ratios(value: np.ndarray, right: truths.Right, dtype: str) -> np.ndarray:
    """The share of what is allowed that every element is off.

    Where nothing can be said of what is allowed, the truth rounded once is right.
    """
    with np.errstate(all="ignore"):
        error = distance(value, right.truth)
        unknown = ~np.isfinite(right.allowed)
        if unknown.any():
            rounded = value == right.truth.astype(dtype)
            error = np.where(unknown & rounded, 0, error)
        return np.asarray(share(error, right.allowed))


def is_single(value: np.ndarray) -> bool:
    """Whether all are numbers of float32: then they were computed in it."""
    with np.errstate(over="ignore"):
        return bool((value.astype(np.float32) == value).all())
