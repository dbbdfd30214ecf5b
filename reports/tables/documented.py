"""Documented divergences: what every implementation returns there, and why."""

import re
from collections.abc import Iterable, Sequence

from gradparity.parity_tests.catalogue.divergences import gone_in
from gradparity.parity_tests.measuring.records import Check, Divergence, Verdict
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table


def joined(results: Iterable[Divergence]) -> list[Divergence]:
    """Those that are alike in several dtypes as one, which names them all."""
    groups: dict[tuple[str, ...], Divergence] = {}
    for row in results:
        key = (row.id, *map(shorten, row.values.values()))
        if key in groups:
            both = f"{groups[key].dtype}, {row.dtype}"
            row = groups[key].model_copy(update={"dtype": both})
        groups[key] = row
    return list(groups.values())


def returning(results: Iterable[Divergence]) -> list[str]:
    """The implementations in their order, which is that of the longest row."""
    longest_first = sorted(results, key=lambda row: -len(row.values))
    return list(dict.fromkeys(name for row in longest_first for name in row.values))


def divergence_table(results: Sequence[Divergence]) -> Table:
    """Documented divergences: what every implementation returns, to four digits."""
    names, number = returning(results), numbers_of(results)
    return Table(
        "Documented divergences",
        ["no.", "layer", "where", "dtype", *names],
        [
            [
                *(str(number[row.id]), row.layer, row.where),
                row.dtype.replace(", ", " "),
                *(shorten(row.values.get(n, "")) for n in names),
            ]
            for row in joined(results)
        ],
    )


def gone(checks: Iterable[Check]) -> list[str]:
    """What is noted of divergences that have disappeared, where nothing failed by it."""
    found = (gone_in(c.note) for c in checks if c.verdict != Verdict.FAIL)
    return [f"{s[0].upper()}{s[1:]}." for s in dict.fromkeys(found) if s]


def reasons(results: Sequence[Divergence]) -> list[str]:
    """Why they are, and from where that is known, by the numbers of the table."""
    number = numbers_of(results)
    groups = grouped({row.id: row for row in results}.values(), "why", "source")
    return [
        f"{', '.join(str(number[row.id]) for row in group)}. {why} ({source})"
        for (why, source), group in groups.items()
    ]


def numbers_of(results: Iterable[Divergence]) -> dict[str, int]:
    """By their ids, from 1."""
    return {id: i for i, id in enumerate(dict.fromkeys(row.id for row in results), 1)}


def shorten(values: str) -> str:
    """Numbers no longer than need be in a table."""
    long = r"\d+\.\d{4,}(e[-+]\d+)?"
    return re.sub(long, lambda found: f"{float(found[0]):.4g}", values)
