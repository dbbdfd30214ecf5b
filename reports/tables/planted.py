"""Planted mistakes, and which of them are caught."""

import math
from collections.abc import Iterable

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.measuring.records import MutantResult, MutantSummary
from gradparity.reports.tables.table import Table


def mutant_table(mutants: Iterable[MutantResult]) -> Table:
    """Every planted mistake, the smallest first: by how many checks it was caught, the
    first of them, and how far off the furthest is, in each dtype.
    """
    headers = ["mistake", "in", "layer", "caught by", "first", "ratio, or why"]
    rows = []
    for mutant in sorted(mutants, key=smallest):
        caught = f"{mutant.failed} of {mutant.checks}"
        if not mutant.caught:
            caught = "missing" if mutant.caught is None else f"FAIL {caught}"
        place = (mutant.first or "").rpartition("/")[2], mutant.quantity, mutant.dtype
        measured = mutant.bound_ratio is not None and mutant.bound_ratio > 1
        rows.append(
            [
                mutant.name,
                mutant.implementation,
                mutant.layer,
                caught,
                " ".join(filter(None, place)),
                f"{mutant.bound_ratio:.2g}" if measured else shortened(mutant.note),
                *(largest(mutant, dtype) for dtype in DTYPES),
            ]
        )
    return Table("Planted mistakes", [*headers, *DTYPES], rows)


LARGEST = (
    "In the last columns, by how many times its bound the furthest element of any case is "
    "off; smallest first."
)


def largest(mutant: MutantResult, dtype: str) -> str:
    """By how many times its bound a mistake is off in a dtype: empty where none of it is
    seen, a cross where it is no matter of size.
    """
    if dtype not in mutant.largest:
        return ""
    ratio = mutant.largest[dtype]
    return "×" if ratio is None else f"{ratio:.2g}"


def smallest(mutant: MutantResult) -> float:
    """What a mistake comes to where it is closest to what rounding can do."""
    found = [ratio for ratio in mutant.largest.values() if ratio is not None]
    return min(found, default=math.inf)


def shortened(note: str | None, longest: int = 60) -> str:
    """The first line of a note, cut where it is long."""
    line = (note or "").partition("\n")[0]
    return line if len(line) <= longest else line[: longest - 3] + "..."


def mutants_sentence(summary: MutantSummary) -> str:
    said = f"{summary.caught:,} of {summary.mutants:,} planted mistakes are caught"
    missing = f"; {summary.missing:,} could not be tried: a framework is missing"
    return said + (missing if summary.missing else "") + "."
