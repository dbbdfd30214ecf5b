"""Relations that tell where something is wrong, and where not: in which cases, on which
call, with which dtype; or that there is nothing to be wrong.
"""

from collections import Counter

import numpy as np

from gradparity.parity_tests.grading.course import FUNCTIONS
from gradparity.parity_tests.grading.exercise import BESIDE, PARAMS, UNFIT
from gradparity.parity_tests.grading.findings import (
    OF_TYPE,
    UNANSWERED,
    Found,
    described,
)
from gradparity.parity_tests.grading.outcomes import NETWORK, Remark
from gradparity.parity_tests.grading.tasks import LABELS, ONE_HOT
from gradparity.parity_tests.grading.wrong import (
    CLOSE,
    FORWARD,
    Wrong,
    close,
    listed,
    same_inputs,
    value,
)


def beside_another(wrong: Wrong) -> str | None:
    """Wrong only where there is a second object of the class."""
    if unanswered(wrong) is None and all(f.case.endswith(BESIDE) for f in wrong.wrong):
        return (
            "{is} right as long as there is one object of the class, and wrong beside "
            "a second one: something is kept in the class, or in a global variable, and "
            "not in self"
        )
    return None


def raises(wrong: Wrong) -> str | None:
    """An exception, in some cases or in all."""
    raised = [f for f in wrong.wrong if f.value is None and f.raised is not None]
    if not raised or any(f.value is None and f.raised is None for f in wrong.wrong):
        return None
    first = raised[0]
    assert first.raised is not None
    what = described(first.raised)
    if first.raised.kind != UNFIT:
        what = f"`{wrong.name}` raises {what}"
    if len(raised) == len(wrong.found):
        return what + "."
    call = "" if first.first else f", on call {first.expected.number + 1}"
    return f"{what}, in the case “{first.case}”{call}."


def unanswered(wrong: Wrong) -> str | None:
    """Not even an exception, in some case."""
    if any(f.note == UNANSWERED for f in wrong.found):
        return f"`{wrong.name}` has not answered everything."
    return None


def of_no_numbers(wrong: Wrong) -> str | None:
    """Something, but no array of numbers, in every case."""
    notes = {f.note or "" for f in wrong.found}
    if len(notes) == 1 and (note := notes.pop()).startswith(OF_TYPE):
        return (
            f"{{is}} of type {note.removeprefix(OF_TYPE)}, where real numbers are due"
        )
    return None


def missing(wrong: Wrong) -> str | None:
    """No result, and no exception either."""
    if not all(f.value is None and f.raised is None for f in wrong.found):
        return None
    quantity, name = wrong.quantity, wrong.name
    is_none = any(f.note == "is None" for f in wrong.found)
    if name in FUNCTIONS:
        return f"`{name}` returns nothing: a `return` is missing."
    if quantity in ("predict", "loss", "accuracy"):
        if is_none:
            return f"`{name}.{quantity}` returns nothing: a `return` is missing."
        return f"`{name}` has no method `{quantity}`."
    if quantity in ("dW", "db"):
        return f"`{name}.backward` does not set `self.{quantity}`."
    method = "forward" if quantity == "out" else "backward"
    if name == NETWORK and not is_none:
        gradients = [f for f in wrong.findings.found if f.quantity[1:] in PARAMS]
        if all(f.value is None for f in gradients):
            names = listed(PARAMS)
            return f"`{name}` has no method `gradient` that returns {names} by name."
        return f"`{name}.gradient` does not return a `{quantity[1:]}`."
    if name == NETWORK:
        return f"`{name}.gradient` returns nothing: a `return` is missing."
    if is_none:
        return f"`{name}.{method}` returns nothing: a `return` is missing."
    if quantity == "dy":
        return f"`{name}.backward` returns no `dy`: there are two inputs."
    return f"`{name}` has no method `{method}`, or it returns no `{quantity}`."


def zero_in_places(wrong: Wrong) -> str | None:
    """Right, or 0 where it should be something else."""
    for f in wrong.found:
        came = value(f)
        if not close(came, np.where(came == 0, came, f.truth), CLOSE[f.dtype]):
            return None
    return "{is} 0 in places where that is wrong, and right elsewhere"


def right_for_one_kind_of_labels(wrong: Wrong) -> str | None:
    groups = {f.group for f in wrong.wrong}
    for kind, it, other in (
        (LABELS, "one-hot rows", "labels as numbers"),
        (ONE_HOT, "labels as numbers", "one-hot rows"),
    ):
        if groups == {kind} and {f.group for f in wrong.found} == {LABELS, ONE_HOT}:
            return f"{{is}} right for {it}, and not for {other}"
    return None


def right_for_one_sample(wrong: Wrong) -> str | None:
    one, more = (of_batches(wrong, several) for several in (False, True))
    if one and all(f.right for f in one) and not any(f.right for f in more):
        return "{is} right for a batch of one only"
    return None


def wrong_for_one_sample(wrong: Wrong) -> str | None:
    one, more = (of_batches(wrong, several) for several in (False, True))
    if one and all(f.right for f in more) and not any(f.right for f in one):
        return "{is} right except for a batch of one"
    return None


def of_batches(wrong: Wrong, several: bool) -> list[Found]:
    """What came of batches of one sample, or of several."""
    if wrong.name == "numerical_gradient":
        return []
    return [
        f
        for f in wrong.found
        if (f.batch > 1) == several
        and ("t" in f.inputs or np.ndim(f.inputs["x"]))  # a number is no batch
    ]


def right_on_the_first_call(wrong: Wrong) -> str | None:
    """Wrong in calls only that go to an object which was called before."""
    if wrong.name not in FUNCTIONS and not any(f.first for f in wrong.wrong):
        return (
            "{is} right on the first call of an object, and not on all others: "
            "something is kept, or changed, from one call to the next"
        )
    return None


def different_each_time(wrong: Wrong) -> str | None:
    """Another result, of any quantity, for the very same call."""
    answered = [f for f in wrong.findings.found if f.value is not None]
    for f in answered:
        for g in answered:
            again = f.expected.call is g.expected.call or (
                f.quantity in FORWARD
                and f.expected.task is g.expected.task
                and same_inputs(f, g)
            )
            again &= f.quantity == g.quantity
            if again and not close(value(f), value(g), 10 * CLOSE[f.dtype]):
                return "{is} not the same when the same is asked again"
    return None


def after_writing(wrong: Wrong, *names: str) -> str | None:
    """Wrong in those calls in which it had written into one of these arguments."""
    for name in names:
        wrote = {
            asked
            for asked, outcome in wrong.findings.outcomes.items()
            if Remark("wrote", name) in outcome.remarks
        }
        if wrote and all(f.asked in wrote for f in wrong.wrong):
            return (
                f"{{is}} wrong where `{wrong.name}` has written into `{name}`, which it "
                "was given: that is likely to be why"
            )
    return None


def right_in_float64(wrong: Wrong) -> str | None:
    asked = {f.expected.task.dtype for f in wrong.wrong}
    if asked == {"float32"}:
        return "{is} right in float64 only, and wrong in float32"
    return None


def few_digits(wrong: Wrong) -> str | None:
    """Near the right one, but not within rounding of it."""
    off = 0.0
    for f in wrong.found:
        with np.errstate(all="ignore"):
            largest = np.abs(f.truth).max()
            apart = float(np.abs(value(f) - f.truth).max())
        if not np.isfinite(apart) or (largest == 0 and apart):
            return None
        off = max(off, apart / float(largest or 1))
    if 0 < off < 1e-2:
        why = "rounding does not explain it"
        if wrong.name == "numerical_gradient":
            why = "the step is too small, or too large"
        if wrong.name == NETWORK and wrong.quantity[1:] in PARAMS:
            why += "; a numerical gradient is that near"
        return f"{{is}} right to about {int(-np.log10(off))} digits, and {why}"
    return None


def in_some_cases(wrong: Wrong) -> str | None:
    """The cases in which it is wrong, if they are few."""
    cases = list(dict.fromkeys(f.case for f in wrong.wrong))
    all_cases = Counter(f.case for f in wrong.found)
    if len(cases) < len(all_cases):
        named = " and ".join(f"“{case}”" for case in cases[:2])
        more = f" and {len(cases) - 2} more" if len(cases) > 2 else ""
        kind = "case" if len(cases) == 1 else "cases"
        return f"{{is}} wrong in the {kind} {named}{more}, and right in the others"
    return None
