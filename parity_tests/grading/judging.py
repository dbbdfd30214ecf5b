"""The verdict on a submission, from what it answered."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.cautions import (
    cautions,
    of_names,
    of_the_whole,
    reason,
)
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.definitions import Definition, as_text
from gradparity.parity_tests.grading.diagnosis import diagnose, meant
from gradparity.parity_tests.grading.findings import UNANSWERED, Findings, Found
from gradparity.parity_tests.grading.outcomes import GRADED, Raised, Ran
from gradparity.parity_tests.grading.records import (
    Graded,
    GradedClass,
    GradedFile,
    Place,
    Skipped,
)
from gradparity.parity_tests.grading.submission_files import Found as Submission
from gradparity.parity_tests.grading.submission_files import as_module


@np.errstate(all="ignore")  # what came may be any numbers, and signalling NaN
def judge(path: str, ran: Ran, submission: Submission | None = None) -> GradedFile:
    """What is to be said of a submission.

    Args:
        path: what it is called.
        ran: what came of it; nothing in there is believed but the arrays.
        submission: its files and what they define, where that is known.
    """
    offered = [name for name in GRADED if name in ran.offered]
    missing = [
        name
        for name, subject in SUBJECTS.items()
        if name not in offered and not subject.further
    ]
    about: dict[str, Any] = {"path": path, "seconds": ran.seconds}
    defined, skipped = {}, []
    if submission is not None:
        defined = {d.subject.name: d for part in submission.parts for d in part.chosen}
        skipped = [*submission.skipped, *not_loaded(ran, submission)]
        about |= {
            "skipped": skipped,
            "passed_over": {each.path: each.why for each in skipped},
            "looked_at": submission.looked_at,
        }
    if ran.unloadable is not None:
        return GradedFile(**about, status="unloadable", **located(ran.unloadable))
    about["missing"] = [name for name in missing if name not in defined]
    if not offered and ran.broke is None:
        for note in ran.notes:  # of what it did before anything was defined
            if note.kind == "top level" and note.raised:
                return GradedFile(**about, status="unloadable", **located(note.raised))
        problem = "defines nothing of the course that can be graded"
        if not skipped:
            count = len(GRADED)
            problem = f"defines none of the {count} classes and functions of the course"
        return GradedFile(**about, status="unloadable", problem=problem)
    findings = {name: meant(Findings.of(name, ran.outcomes)) for name in offered}
    if ran.broke is not None:  # what it did not come to is not its mistake
        findings = {name: f for name, f in findings.items() if complete(f)}
    classes = [
        graded_class(each).model_copy(update=origin(defined.get(name)))
        for name, each in findings.items()
    ]
    failed = ran.broke is not None or any(c.verdict == "FAIL" for c in classes)
    failed |= any(each.kind == "not loaded" for each in skipped)
    return GradedFile(
        **about,
        status="fail" if failed else "pass",
        classes=classes,
        diagnosis=list(diagnose(findings)),
        warnings=[
            *(warned for each in findings.values() for warned in cautions(each)),
            *of_the_whole(ran),
            *of_names(classes),
        ],
        problem=ran.broke,
    )


def origin(definition: Definition | None) -> dict[str, Any]:
    """What a class is called in the submission, and where it is defined."""
    if definition is None:
        return {}
    file, line, cell = as_text(definition.file), definition.line, definition.cell
    place = Place(file=file, line=line, cell=cell)
    return {"called": definition.called, "source": place}


def not_loaded(ran: Ran, submission: Submission) -> Iterator[Skipped]:
    """What is defined and could not be loaded, each with why."""
    chosen = [d for part in submission.parts for d in part.chosen]
    for note in ran.notes:
        if note.kind == "not loaded" and (raised := note.raised):
            here = [d for d in chosen if as_module(d.file).as_posix() == note.what]
            path = as_text(here[0].file) if here else raised.file or note.what
            place = (raised.line, raised.cell) if raised.file == path else (None, None)
            yield Skipped(
                path=path,
                why=f"cannot be loaded: {reason(raised)}",
                kind="not loaded",
                names=[d.subject.name for d in here],
                line=place[0],
                cell=place[1],
            )
        for each in chosen:
            if note.kind == "replaced" and note.what == each.subject.name:
                yield Skipped(
                    path=as_text(each.file),
                    why=f"defines {each.called}, and then imports another one of this name",
                    kind="not loaded",
                    names=[each.subject.name],
                    line=each.line,
                    cell=each.cell,
                )


def located(raised: Raised) -> dict[str, Any]:
    """Why and where a submission could not be loaded."""
    return {
        "problem": raised.said,
        "cell": raised.cell,
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
    counted = findings.counted(quantity)
    if not counted:
        return Graded(quantity=quantity, cases=0, wrong=0, verdict="not run")
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
