"""Relations that tell where something is wrong, and where not: in which cases, on which
call, with which dtype; or that there is nothing to be wrong.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from gradparity.parity_tests.grading.asking_networks import NUMERICAL, PARAMS
from gradparity.parity_tests.grading.course import FUNCTIONS, SUBJECTS
from gradparity.parity_tests.grading.exercise import BESIDE, UNFIT
from gradparity.parity_tests.grading.findings import (
    OF_NONE,
    OF_TYPE,
    UNANSWERED,
    Found,
    described,
)
from gradparity.parity_tests.grading.outcomes import Remark
from gradparity.parity_tests.grading.relations_of_values import multiplied
from gradparity.parity_tests.grading.rights import KEEPS
from gradparity.parity_tests.grading.tasks import LABELS, ONE_HOT
from gradparity.parity_tests.grading.wrong import (
    CLOSE,
    FORWARD,
    KEPT,
    Wrong,
    close,
    listed,
    same_inputs,
    value,
)
from gradparity.parity_tests.measuring.wording import grouped

NOTHING = "returns nothing: a `return` is missing, or it returns None."


def beside_another(wrong: Wrong) -> str | None:
    """Wrong only where there is a second object of the class."""
    if is_beside_another(wrong):
        return (
            "{is} right as long as there is one object of the class, and wrong beside "
            f"a second one: {KEPT}"
        )
    return None


def is_beside_another(wrong: Wrong) -> bool:
    """The second object comes after the first forward of the first one."""
    return all(
        f.case.endswith(BESIDE) and not (f.first and f.quantity == "out")
        for f in wrong.wrong
    )


def raises(wrong: Wrong) -> str | None:
    """An exception, in some cases or in all."""
    raised = [(f, f.failure) for f in wrong.wrong if f.failure is not None]
    if not raised:
        return None
    first, failure = raised[0]
    what = described(failure)
    if failure.kind != UNFIT:
        what = f"`{wrong.name}` raises {what}"
    if len(raised) == len(wrong.found):
        return what if what.endswith((".", "?", "!")) else what + "."
    if is_beside_another(wrong):
        return f"{what}, where there is a second object of the class: {KEPT}."
    call = "" if first.first else f", on call {first.expected.number + 1}"
    where = f"{what}, in the case “{first.case}”{call}."
    if more := len(wrong.wrong) - len(raised):
        cases = "case" if more == 1 else "cases"
        where += f" In {more} more {cases} what comes is wrong."
    return where


def unanswered(wrong: Wrong) -> str | None:
    """Not even an exception, in some case."""
    if any(f.note == UNANSWERED for f in wrong.found):
        return f"`{wrong.name}` has not answered everything."
    return None


def of_no_numbers(wrong: Wrong) -> str | None:
    """Something, but no array of numbers, in some case or in every one."""
    of_none = [f for f in wrong.wrong if (f.note or "").startswith(OF_TYPE)]
    if not of_none:
        return None
    first = of_none[0]
    kind = (first.note or "").removeprefix(OF_TYPE)
    where = "" if len(of_none) == len(wrong.found) else f" in the case “{first.case}”"
    return f"{{is}} of type {kind}{where}, where real numbers are due"


def missing(wrong: Wrong) -> str | None:
    """No result, and no exception either, in some case or in every one."""
    nothing = [
        f
        for f in wrong.wrong
        if f.value is None and not (f.failure or (f.note or "").startswith(OF_TYPE))
    ]
    if not nothing:
        return None
    is_none = any(f.note == OF_NONE for f in nothing)
    said = of_nothing(wrong, is_none)
    if len(nothing) < len(wrong.found):
        case = nothing[0].case
        return f"In the case “{case}” {said[0].lower()}{said[1:]}"
    return said


def of_nothing(wrong: Wrong, is_none: bool) -> str:
    """A sentence on what there is not: a method, or what it returns."""
    quantity, name = wrong.quantity, wrong.name
    if name in FUNCTIONS:
        return f"`{name}` {NOTHING}"
    if quantity in ("predict", "loss", "accuracy", NUMERICAL):
        if is_none:
            return f"`{name}.{quantity}` {NOTHING}"
        return f"`{name}` has no method `{quantity}`."
    if quantity[1:] in SUBJECTS[name].holds:
        return f"`{name}.backward` does not set `self.{quantity}`."
    method = "forward" if quantity == "out" else "backward"
    if SUBJECTS[name].kind == "optimizer":
        return f"`{name}` has no method `update` that takes parameters and gradients."
    if SUBJECTS[name].kind == "network":
        gradients = [f for f in wrong.findings.found if f.quantity[1:] in PARAMS]
        if any(f.value is not None for f in gradients):
            parameter = quantity[1:]
            if is_none:
                return f"`{name}.gradient` returns None for `{parameter}`."
            return f"`{name}.gradient` does not return a `{parameter}`."
        if is_none:
            return (
                f"`{name}.gradient` returns nothing: a `return` is missing, or all that is "
                "in it is None."
            )
        names = listed(list(dict.fromkeys(f.quantity[1:] for f in gradients)))
        return f"`{name}` has no method `gradient` that returns {names} by name."
    if is_none:
        return f"`{name}.{method}` {NOTHING}"
    if quantity == "dy":
        return f"`{name}.backward` returns no `dy`: there are two inputs."
    return f"`{name}` has no method `{method}`, or it returns no `{quantity}`."


def of_another_share(wrong: Wrong) -> str | None:
    """More elements, or fewer, than chance can be the reason of."""
    notes = [f.note for f in wrong.wrong if f.value is not None and f.note]
    return next((note for note in notes if note.startswith(KEEPS)), None)


def zero_in_places(wrong: Wrong) -> str | None:
    """Right, or 0 where it should be something else."""
    for f in wrong.found:
        came = value(f)
        if not close(came, np.where(came == 0, came, f.truth), CLOSE[f.dtype]):
            return None
    if wrong.name == "numerical_gradient" and not any(
        value(f).ravel()[1:].any() for f in wrong.found
    ):
        return (
            "{is} right in its first element, and 0 in the others, as if `return` were "
            "inside of the loop"
        )
    return "{is} 0 in places where that is wrong, and right elsewhere"


def right_for_one_kind_of_labels(wrong: Wrong) -> str | None:
    """Right for the one kind, and wrong for all batches with the other."""
    for kind, it, other in (
        (LABELS, "one-hot rows", "labels as numbers"),
        (ONE_HOT, "labels as numbers", "one-hot rows"),
    ):
        of_kind = [f for f in of_batches(wrong, several=True) if f.group == kind]
        rest = [f for f in wrong.found if f.group != kind]
        wrong_for_kind = of_kind and not any(f.right for f in of_kind)
        if wrong_for_kind and rest and all(f.right for f in rest):
            part = replace(wrong, found=[f for f in wrong.found if f.group == kind])
            how = multiplied(part) if part.shaped else None
            how = f"for {other} {{it}} {how}" if how else f"not for {other}"
            return f"{{is}} right for {it}, and {how}"
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
    if wrong.name == "numerical_gradient" or SUBJECTS[wrong.name].kind == "optimizer":
        return []
    return [
        f
        for f in wrong.found
        if (f.batch > 1) == several
        # a number is no batch
        and ("t" in f.inputs or np.ndim(f.inputs.get("x", f.truth)))
    ]


def right_on_the_first_call(wrong: Wrong) -> str | None:
    """Wrong in later calls alone: in all of them, or in every case that has some, and not
    just where the batch is of a size that no first one has.
    """
    later = grouped((f for f in wrong.found if not f.first), "case")
    everywhere = len(later) > 1 and all(
        any(not f.right for f in calls) for calls in later.values()
    )
    sizes = {f.batch for f in wrong.found if f.right}
    if (
        SUBJECTS[wrong.name].kind in ("function", "optimizer")
        or any(f.first for f in wrong.wrong)
        or not everywhere
        or not sizes & {f.batch for f in wrong.wrong}
    ):
        return None
    return (
        "{is} right on the first call of an object, and not on all others: something is "
        "kept, or changed, from one call to the next"
    )


def different_each_time(wrong: Wrong) -> str | None:
    """Another result for the very same call."""
    answered = [f for f in wrong.found if f.value is not None]
    for f in answered:
        for g in answered:
            again = f.expected.call is g.expected.call or (
                f.quantity in FORWARD
                and f.expected.task is g.expected.task
                and same_inputs(f, g)
            )
            if again and not close(value(f), value(g), 10 * CLOSE[f.dtype]):
                return "{is} not the same when the same is asked again"
    return None


def after_writing(wrong: Wrong, *names: str) -> str | None:
    """Wrong in those calls in which it had written into one of these arguments, and right
    in others.
    """
    for name in names:
        wrote = {
            asked
            for asked, outcome in wrong.findings.outcomes.items()
            if Remark("wrote", name) in outcome.remarks
        }
        kept = name not in ("x", "y")  # from the first call on
        rest = [
            f
            for f in wrong.found
            if f.right and (f.asked not in wrote or (kept and f.first))
        ]
        if rest and wrote and all(f.asked in wrote for f in wrong.wrong):
            return (
                f"{{is}} wrong where `{wrong.name}` has written into `{name}`, which it "
                "was given: that is likely to be why"
            )
    return None


def right_in_float64(wrong: Wrong) -> str | None:
    asked = {f.expected.task.dtype for f in wrong.wrong}
    if asked != {"float32"}:
        return None
    single = [f for f in wrong.found if f.expected.task.dtype == "float32"]
    where = "" if len(single) == len(wrong.wrong) else f" in {wrong.how_many}"
    return f"{{is}} right in float64 only, and wrong in float32{where}"


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
        if SUBJECTS[wrong.name].kind == "network" and wrong.quantity[1:] in PARAMS:
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
