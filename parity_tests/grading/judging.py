"""The verdict on a submission, from what it answered."""

from typing import Any

import numpy as np

from gradparity.parity_tests.grading.cautions import cautions, of_the_whole
from gradparity.parity_tests.grading.diagnosis import diagnose
from gradparity.parity_tests.grading.findings import UNANSWERED, Findings, Found
from gradparity.parity_tests.grading.outcomes import GRADED, Raised, Ran
from gradparity.parity_tests.grading.records import Graded, GradedClass, GradedFile
from gradparity.parity_tests.measuring.wording import listed


@np.errstate(all="ignore")  # what came may be any numbers, and signalling NaN
def judge(path: str, ran: Ran) -> GradedFile:
    """What is to be said of a submission.

    Args:
        path: what it is called.
        ran: what came of it; nothing in there is believed but the arrays.
    """
    offered = [name for name in GRADED if name in ran.offered]
    missing = [name for name in GRADED if name not in offered]
    about: dict[str, Any] = {"path": path, "seconds": ran.seconds}
    if ran.unloadable is not None:
        return GradedFile(**about, status="unloadable", **located(ran.unloadable))
    about["missing"] = missing
    if not offered and ran.broke is None:
        problem = f"offers none of {listed(GRADED)}"
        return GradedFile(**about, status="unloadable", problem=problem)
    findings = {name: Findings.of(name, ran.outcomes) for name in offered}
    if ran.broke is not None:  # what it did not come to is not its mistake
        findings = {name: f for name, f in findings.items() if complete(f)}
    classes = [graded_class(each) for each in findings.values()]
    failed = ran.broke is not None or any(c.verdict == "FAIL" for c in classes)
    return GradedFile(
        **about,
        status="fail" if failed else "pass",
        classes=classes,
        diagnosis=list(diagnose(findings)),
        warnings=[
            *(warned for each in findings.values() for warned in cautions(each)),
            *of_the_whole(ran),
        ],
        problem=ran.broke,
    )


def located(raised: Raised) -> dict[str, Any]:
    """Why and where a submission could not be loaded."""
    message = f": {raised.message}" if raised.message else ""
    return {
        "problem": f"{raised.kind}{message}",
        "file": raised.file,
        "line": raised.line,
        "source": raised.source or None,
    }


def complete(findings: Findings) -> bool:
    """Whether every call has an answer."""
    return not any(f.note == UNANSWERED for f in findings.found)


def graded_class(findings: Findings) -> GradedClass:
    rows = [graded(findings, quantity) for quantity in findings.quantities]
    passed = all(row.verdict == "pass" for row in rows)
    return GradedClass(
        name=findings.name, verdict="pass" if passed else "FAIL", quantities=rows
    )


def graded(findings: Findings, quantity: str) -> Graded:
    """One quantity: the worst of its cases."""
    counted = [f for f in findings.of_quantity(quantity) if findings.counts(f)]
    wrong = [f for f in counted if not f.right]
    worst = max(wrong or counted, key=severity)
    return Graded(
        quantity=quantity,
        cases=len(counted),
        wrong=len(wrong),
        verdict="FAIL" if wrong else "pass",
        bound_ratio=worst.ratio,
        case=worst.case,
        dtype=worst.expected.task.dtype,
        worst=worst.worst,
        note=noted(worst) if wrong else None,
    )


def noted(found: Found) -> str | None:
    """Why there is nothing to measure; and which call it was, if not the first."""
    if found.first:
        return found.note
    call = f"on call {found.expected.number + 1}"
    return f"{call}: {found.note}" if found.note else call


def severity(found: Found) -> float:
    """How wrong, for the choice of the worst: what cannot be measured is worse yet."""
    return float("inf") if found.ratio is None else found.ratio
