"""The errors of the elementary functions, on which the rounding bounds rest."""

from collections.abc import Sequence

from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.measuring.elementary import Measured
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table

ELEMENTARY = (
    "The largest error that was seen of each implementation, with any of the instruction "
    "sets it has code for, in a layer or, where none is named, by itself: of every number, "
    "or of a sample. The rounding bounds allow just that; of a sample, the next half of "
    "an ulp."
)


def elementary_table(measured: Sequence[Measured]) -> Table:
    """The largest errors that were seen, in ulps: what the bounds allow."""
    present = {row.implementation for row in measured}
    names = [name for name in BACKENDS if name in present]
    rows = []
    for key, group in sorted(grouped(measured, "function", "layer", "dtype").items()):
        function, layer, dtype = key
        cells = []
        for name in names:
            ulps = [row.ulps for row in group if row.implementation == name]
            cells.append(f"{max(ulps):.3f}" if ulps else "")
        tried = max(group, key=lambda row: (row.every, row.inputs))
        kind = "all there are" if tried.every else "a sample"
        rows.append([function, layer or "–", dtype, *cells, f"{tried.inputs:,}", kind])
    headers = ["function", "in layer", "dtype", *names, "inputs", "tried"]
    return Table("Errors of elementary functions in ulps", headers, rows)
