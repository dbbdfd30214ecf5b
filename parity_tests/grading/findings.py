"""Answers against what was expected: which are right, and how far off the others are.

This is the same for a submission and for the known mistakes that it is compared with.
Nothing that an answer says of itself is believed: it is looked up by what was asked.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradparity.parity_tests.grading import tasks, truths
from gradparity.parity_tests.grading.asking_networks import NUMERICAL
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.exercise import CLOSURE, NUMBERS, UNFIT
from gradparity.parity_tests.grading.outcomes import Outcome, Raised
from gradparity.parity_tests.grading.rights import EPSILONS, Perhaps, Right
from gradparity.parity_tests.grading.variants import FIRST, Variant, variants
from gradparity.parity_tests.measuring.comparison import distance, share, worst
from gradparity.parity_tests.measuring.records import Worst

OF_NONE, OF_TYPE = "is None", "is of type "
UNANSWERED = "no answer came"
NONE = np.zeros(())
NOT_RETURNED = "was not returned"

Asked = tuple[str, str, int]  # case, dtype, number of the call


@dataclass(frozen=True, eq=False)
class Found:
    """What came of one expected quantity.

    `dtype` is the one that it is judged in; `note` says why there is nothing to measure.
    What is not `reached` was never asked for: the gradient of a layer whose `forward`
    has failed, or that has none. `exact` is the gradient of exactly the loss that has
    something added to y, and `numerical` one by central differences.
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
    exact: bool = False
    reached: bool = True
    numerical: bool = False

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
    its loss adds to the probabilities; `variant` is what it is held against.
    """

    name: str
    outcomes: Mapping[Asked, Outcome]
    found: tuple[Found, ...]
    declined: frozenset[str]
    epsilon: float = 0.0
    variant: Variant = FIRST

    @classmethod
    def of(
        cls, name: str, outcomes: Iterable[Outcome], variant: Variant | None = None
    ) -> "Findings":
        """What is to be said of a name; outcomes of others are passed over. Without a
        variant, that which they speak for.
        """
        by_call = {(o.case, o.dtype, o.call): o for o in outcomes if o.name == name}
        declined = frozenset(declined_groups(name, by_call))
        variant = variant or chosen(name, by_call)
        found = look(name, by_call, 0.0, variant)
        epsilon = 0.0
        loss = truths.LOSSES.get(name)
        if not all(f.right for f in found if f.quantity == loss):
            tried = {e: look(name, by_call, e, variant) for e in EPSILONS}
            # The cases that count first; among equals, the exact loss.
            epsilon = max(
                EPSILONS,
                key=lambda e: (
                    sum(f.right for f in tried[e] if f.group not in tasks.OPTIONAL),
                    sum(f.right for f in tried[e]),
                ),
            )
            found = tried[epsilon]
        if gives_a_part(found):
            declined |= {tasks.MATRIX}
        return cls(name, by_call, found, declined, epsilon, variant)

    def counts(self, found: Found) -> bool:
        """Whether it must be right, and was asked for."""
        if found.quantity in self.left_out:
            return False
        must = found.group not in tasks.OPTIONAL and found.group not in self.declined
        return must and found.reached

    @cached_property
    def left_out(self) -> frozenset[str]:
        """What nobody need have, and it has not, or of which it cannot be said whether it
        is right: a gradient by central differences is that of a loss, and an exception is
        that of the first that raises one.
        """
        others = [f for f in self.found if f.quantity != NUMERICAL]
        spoilt = {f.asked for f in others if f.value is None}
        spoilt |= {f.asked for f in others if f.quantity == "loss" and not f.right}
        return frozenset(
            f.quantity
            for f in self.found
            if f.quantity == NUMERICAL and (f.note == NOT_RETURNED or f.asked in spoilt)
        )

    def counted(self, quantity: str) -> list[Found]:
        """What came of a quantity where it must be right."""
        return [f for f in self.found if f.quantity == quantity and self.counts(f)]

    @property
    def quantities(self) -> list[str]:
        every = dict.fromkeys(f.quantity for f in self.found)
        return [q for q in every if q not in self.left_out]

    @property
    def uses(self) -> set[str]:
        """The subjects of the submission that it was seen to be built from."""
        return used_in(self.outcomes.values())

    @property
    def wrong(self) -> list[str]:
        """The quantities that are wrong where that counts."""
        wrong = {f.quantity for f in self.found if self.counts(f) and not f.right}
        return [q for q in self.quantities if q in wrong]


def used_in(outcomes: Iterable[Outcome]) -> set[str]:
    remarks = (remark for outcome in outcomes for remark in outcome.remarks)
    return {remark.what for remark in remarks if remark.kind == "uses"}


def chosen(name: str, outcomes: Mapping[Asked, Outcome]) -> Variant:
    """What a submission is held against: the first variant that is told by what is right,
    and else that which most speaks for.
    """
    first, *others = every = variants(name)
    if not others or not outcomes:
        return first
    used = used_in(outcomes.values())
    every = tuple(v for v in every if not used.intersection(v.not_with)) or every
    for variant in every:
        if is_told(name, outcomes, variant):
            return variant

    def speaks(variant: Variant) -> tuple[int, int]:
        found = look(name, outcomes, 0.0, variant)
        counted = (f for f in found if f.group not in tasks.OPTIONAL)
        right = sum(f.right and f.quantity != "accuracy" for f in counted)
        return right, len(used.intersection(variant.uses))

    return max((v for v in every if v.in_doubt), key=speaks, default=first)


def is_told(name: str, outcomes: Mapping[Asked, Outcome], variant: Variant) -> bool:
    """Whether all that tells a variant is right, wherever it came."""
    telling = [
        each
        for each in truths.expected(name, variant)
        if tasks.group(each.task.case) not in tasks.OPTIONAL
        and each.quantity in (variant.told_by or (each.quantity,))
    ]
    for epsilon in EPSILONS if "loss" in variant.told_by else (0.0,):
        seen = False
        for each in telling:
            found = compare(each, calls_of(each, outcomes), epsilon)
            if not (found.right or (variant.told_by and found.value is None)):
                break
            seen |= found.right
        else:
            if seen:
                return True
    return False


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
    name: str, outcomes: Mapping[Asked, Outcome], epsilon: float, variant: Variant
) -> tuple[Found, ...]:
    """All that is expected of a name against what came."""
    found = []
    for each in truths.expected(name, variant):
        found.append(compare(each, calls_of(each, outcomes), epsilon))
    return tuple(found)


def calls_of(
    asked: truths.Expected, outcomes: Mapping[Asked, Outcome]
) -> list[Outcome | None]:
    """What came of the calls of its task, up to its own."""
    task = asked.task
    numbers = range(asked.number + 1)
    return [outcomes.get((task.case, task.dtype, number)) for number in numbers]


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
        why, right = right, Right(np.zeros(()) if value is None else value, NONE)
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
    assert outcome is not None
    ratio = ratios(value, right, dtype)
    if ratio.size and ratio.max() > 1 and dtype == "float64" and is_single(value):
        single = asked.right("float32", epsilon, results)
        in_single = (
            None if isinstance(single, str) else ratios(value, single, "float32")
        )
        if in_single is not None and in_single.max() <= 1:
            # Computed in float32, though its dtype is another.
            about["dtype"], ratio = "float32", in_single
    others: dict[str, Perhaps] = {"exact": asked.stated.derivatives}
    if any(remark.kind == "differences" for remark in outcome.remarks):
        others["numerical"] = asked.stated.differences
    for how, of_it in others.items():
        if ratio.size and ratio.max() > 1 and (other := of_it(dtype, epsilon)):
            of_other = ratios(value, other, dtype)
            if of_other.max() <= 1:
                about |= {"truth": other.truth, how: True}
                right, ratio = other, of_other
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
        return NOT_RETURNED
    if value.shape != truth.shape:
        return f"expected shape {truth.shape}, got {value.shape}"
    if value.dtype.kind not in NUMBERS or value.dtype == np.float16:
        return f"expected dtype {asked.task.dtype}, got {value.dtype}"
    return None


def described(raised: Raised) -> str:
    """`ValueError: its message (layers.py, line 12)`; or what we have found unfit."""
    if raised.kind == UNFIT:
        return raised.message
    return f"{raised.said}{place(raised)}"


def place(raised: Raised) -> str:
    """Where it came from, in brackets, if that is known."""
    if raised.file is None:
        return ""
    cell = "" if raised.cell is None else f"cell {raised.cell}, "
    return f" ({os.path.basename(raised.file)}, {cell}line {raised.line})"


def ratios(value: np.ndarray, right: Right, dtype: str) -> np.ndarray:
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
