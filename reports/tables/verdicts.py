"""What failed, what was refused, and how many checks agree."""

from collections.abc import Iterable

from gradparity.parity_tests.checking.local import UNTRACED
from gradparity.parity_tests.checking.values import NOT_OFFERED
from gradparity.parity_tests.measuring.records import Check, Summary, Verdict
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table

# How notes begin that are of how something was judged.
REMARKS = (UNTRACED, *(f"{who} set the processor" for who in ("it", "its import")))
SEVERITY = [
    Verdict.MISSING,
    Verdict.NOT_JUDGED,
    Verdict.IDENTICAL,
    Verdict.WITHIN_BOUND,
    Verdict.DOCUMENTED,
    Verdict.NO_BOUND,
    Verdict.FAIL,
]


def failure_table(checks: Iterable[Check]) -> Table:
    """Everything that failed, in the order in which it is computed."""
    rows = []
    for check in checks:
        if check.verdict == Verdict.FAIL:
            worst = check.worst
            place = (
                f"at {worst.index}: {worst.value!r}, truth {worst.truth!r}"
                if worst
                else ""
            )
            rows.append(
                [
                    check.layer,
                    check.quantity,
                    check.dtype,
                    check.implementation,
                    check.case,
                    "" if check.bound_ratio is None else f"{check.bound_ratio:.3g}",
                    "; ".join(filter(None, (place, check.note))),
                ]
            )
    headers = ["layer", "quantity", "dtype", "implementation", "case", "ratio", "what"]
    return Table("What disagrees", headers, rows)


def remarks(checks: Iterable[Check]) -> list[str]:
    """What is to be said of how something was judged that did not fail: of whom, and of
    which tensors.
    """
    told: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        note = check.note or ""
        if check.verdict != Verdict.FAIL and note.startswith(REMARKS):
            tensors = told.setdefault((check.implementation, note), [])
            tensors.append(f"{check.layer} {check.quantity}")
    return [
        f"{who}: {', '.join(dict.fromkeys(tensors))}: {note}."
        for (who, note), tensors in told.items()
    ]


def refusal_table(checks: Iterable[Check]) -> Table:
    """How bad input is refused: the sentence, and by how many implementations."""
    refused = [
        c for c in checks if c.kind == "invalid" and c.verdict != Verdict.MISSING
    ]
    rows = [
        [case, f"{sum(c.verdict != Verdict.FAIL for c in group)} of {len(group)}", note]
        for case, group in grouped(refused, "case").items()
        if (note := max((c.note or "" for c in group), key=len))
    ]
    return Table("Bad input is refused", ["case", "refused alike", "sentence"], rows)


def missing_reasons(checks: Iterable[Check]) -> list[str]:
    """Why implementations could not be compared at all, each reason once."""
    notes = (c.note for c in checks if c.verdict == Verdict.MISSING)
    return list(dict.fromkeys(n for n in notes if n and n != NOT_OFFERED))


def checks_sentence(summary: Summary) -> str:
    """The checks in one sentence."""
    compared = summary.checks - summary.missing - summary.not_judged
    agreed = summary.identical + summary.within_bound
    parts = [f"{agreed:,} of {compared:,} checks differ by rounding at most"]
    if summary.documented == 1:
        parts.append("1 is a documented divergence")
    elif summary.documented:
        parts.append(f"{summary.documented:,} are documented divergences")
    if summary.no_bound:
        parts.append(f"for {summary.no_bound:,} there is no bound")
    if summary.not_judged:
        parts.append(f"{summary.not_judged:,} are not judged (no dtype is wider here)")
    if summary.failed:
        parts.append(f"{summary.failed:,} FAIL")
    if summary.missing:
        parts.append(f"{summary.missing:,} missing (not installed or not offered)")
    return ", ".join(parts)
