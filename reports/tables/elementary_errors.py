"""The errors of the elementary functions, on which the rounding bounds rest."""

from collections.abc import Sequence

from gradparity.parity_tests.measuring.elementary import Measured
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table

ELEMENTARY = (
    "The largest error that was seen of each implementation, with any of the instruction "
    "sets it has code for. The rounding bounds allow just that; in float64, where not "
    "all numbers can be tried, the next half of an ulp."
)


def elementary_table(measured: Sequence[Measured]) -> Table:
    """The largest errors that were seen, in ulps: what the bounds allow."""
    names = list(dict.fromkeys(row.implementation for row in measured))
    groups = grouped(measured, "function", "layer", "dtype")
    rows = []
    for key, group in sorted(groups.items()):
        worst = [max(r.ulps for r in group if r.implementation == n) for n in names]
        tried = f"{min(r.inputs for r in group):,}"
        rows.append([*key, *(f"{ulps:.3f}" for ulps in worst), tried])
    headers = ["function", "in layer", "dtype", *names, "inputs"]
    return Table("Errors of exp, log and tanh in ulps", headers, rows)
