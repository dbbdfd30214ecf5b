"""What came of trying every float32 on the element-wise layers."""

from collections.abc import Iterator, Sequence

from gradparity.parity_tests.checking.exhaustive import FLOATS
from gradparity.parity_tests.measuring.records import Among, Exhaustive
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table

EXHAUSTIVE_LEGEND = (
    "differing: on how many inputs the bits are not the reference's; all NaN count as "
    "one, and the sign of zero counts. max ulp, at: the largest error among normal "
    "numbers, and the input where it occurs. documented: errors that rounding does not "
    "explain, by reason. By kind of input, normal ones told apart by their true result: "
    "on how many the implementations differ from the reference, and the largest error "
    "in ulps."
)
EXPLAINED = "every error is rounding or documented"


def ulps(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def exhaustive_table(rows: Sequence[Exhaustive]) -> Table:
    """Every float32: how far from the truth, and how often not as the reference."""
    headers = [
        *("layer", "quantity", "implementation", "inputs", "differing"),
        *("max ulp", "at", "documented", "verdict"),
    ]
    cells = [
        [
            row.layer,
            row.quantity,
            row.implementation,
            f"{row.inputs:,}",
            f"{row.differing:,}",
            ulps(row.max_ulp),
            "" if row.at is None else f"{row.at:.9g}",
            ", ".join(f"{why}: {n:,}" for why, n in row.documented.items()),
            f"{row.verdict} on {row.failed:,}" if row.failed else row.verdict,
        ]
        for row in rows
    ]
    return Table("Every float32", headers, cells)


def kind_tables(rows: Sequence[Exhaustive]) -> Iterator[Table]:
    """For each layer and quantity: kinds of input down, implementations across."""
    for (layer, quantity), group in grouped(rows, "layer", "quantity").items():
        cells = [
            [at[0].kind, f"{at[0].inputs:,}", *map(kind_cell, at)]
            for at in zip(*(row.kinds for row in group), strict=True)
        ]
        names = [row.implementation for row in group]
        title = f"{layer} {quantity} by kind of input"
        yield Table(title, ["input", "number", *names], cells)


def kind_cell(found: Among) -> str:
    """Where something differs, on how many inputs; and the largest error in ulps."""
    differing = f"{found.differing:,} differ, " if found.differing else ""
    return differing + ulps(found.max_ulp) + (" FAIL" if found.failed else "")


def exhaustive_sentences(rows: Sequence[Exhaustive]) -> list[str]:
    """A sentence for each layer: was it every float32, and do they agree?"""
    sentences = []
    for layer, group in grouped(rows, "layer").items():
        failed = [
            f"nothing explains {row.failed:,} errors in the {row.quantity} of "
            f"{row.implementation}"
            for row in group
            if row.failed
        ]
        tried = group[0].inputs
        every = f"all {FLOATS:,} float32 were tried"
        some = f"only {tried:,} of {FLOATS:,} float32 were tried"
        sentences.append(
            f"{layer}: {every if tried == FLOATS else some}, in "
            f"{group[0].seconds:,.0f} s; {', '.join(failed) or EXPLAINED}"
        )
    return sentences


def tried_sentence(rows: Sequence[Exhaustive]) -> str:
    """On what every float32 was tried, in one sentence; empty where on nothing."""
    layers = list(dict.fromkeys(row.layer for row in rows if row.inputs == FLOATS))
    return f"all {FLOATS:,} float32 were tried on {', '.join(layers)}" if layers else ""
