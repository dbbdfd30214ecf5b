"""Planted mistakes, and which of them are caught."""

from collections.abc import Iterable

from gradparity.parity_tests.measuring.records import MutantResult, MutantSummary
from gradparity.reports.tables.table import Table


def mutant_table(mutants: Iterable[MutantResult]) -> Table:
    """Every planted mistake: by how many checks it was caught, and the first of them."""
    headers = ["mistake", "in", "layer", "caught by", "first", "ratio, or why"]
    rows = []
    for mutant in mutants:
        caught = f"{mutant.failed} of {mutant.checks}"
        if not mutant.caught:
            caught = "missing" if mutant.caught is None else f"FAIL {caught}"
        place = (mutant.first or "").rpartition("/")[2], mutant.quantity, mutant.dtype
        measured = mutant.note is None and mutant.bound_ratio is not None
        rows.append(
            [
                mutant.name,
                mutant.implementation,
                mutant.layer,
                caught,
                " ".join(filter(None, place)),
                f"{mutant.bound_ratio:.2g}" if measured else shortened(mutant.note),
            ]
        )
    return Table("Planted mistakes", headers, rows)


def shortened(note: str | None, longest: int = 60) -> str:
    """The first line of a note, cut where it is long."""
    line = (note or "").partition("\n")[0]
    return line if len(line) <= longest else line[: longest - 3] + "..."


def mutants_sentence(summary: MutantSummary) -> str:
    said = f"{summary.caught:,} of {summary.mutants:,} planted mistakes are caught"
    missing = f"; {summary.missing:,} could not be tried: a framework is missing"
    return said + (missing if summary.missing else "") + "."
