"""How small a fault is certainly caught: the worst of the implementations."""

from collections.abc import Iterator, Sequence

from gradparity.parity_tests.measuring.dtypes import record
from gradparity.parity_tests.measuring.records import Fault, Power
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table

POWER_TITLE = "How small a fault is caught"
POWER_LEGEND = (
    "The smallest relative fault that is certainly caught, whatever the rounding: of all "
    "elements at once, and of a single one, wherever it is; of the implementations, the "
    "worst. Any: the smallest change there is, for what is computed without rounding. "
    "None: in no case is any certain. Rounding: the median relative error of NumPy, as it "
    "was measured in this run. In case: the one in which the single element is caught, and "
    "the shape of its tensor; of the network, by the bound of the whole or of the step."
)


def power_tables(rows: Sequence[Power]) -> Iterator[Table]:
    """Yield one for each dtype, with a row for each quantity."""
    for dtype, of_dtype in grouped(rows, "dtype").items():
        u = f"u = {record(dtype).u:.1e}"
        title = f"Smallest fault that is certainly caught, {dtype} ({u})"
        headers = ["layer", "quantity", "all", "one", "rounding", "in case"]
        found = []
        for (layer, quantity), group in grouped(of_dtype, "layer", "quantity").items():
            every, one = (
                worst([getattr(row, which) for row in group])
                for which in ("every", "one")
            )
            alone = every is not None and every.shape == []
            found.append(
                [
                    *(layer, quantity, said(every), "" if alone else said(one)),
                    "" if group[0].rounding is None else f"{group[0].rounding:.0e}",
                    place(layer, one or every),
                ]
            )
        yield Table(title, headers, found)


def worst(found: Sequence[Fault | None]) -> Fault | None:
    """The largest; None where there is no fault that one of them certainly catches."""
    faults = [fault for fault in found if fault is not None]
    if len(faults) < len(found):
        return None
    return max(faults, key=lambda fault: fault.size)


def said(fault: Fault | None) -> str:
    """The size of a fault, in two digits."""
    if fault is None:
        return "none"
    return f"{fault.size:.1e}" if fault.size else "any"


def place(layer: str, fault: Fault | None) -> str:
    """In which case it is caught; of a network, by whose bound."""
    if fault is None:
        return ""
    by = [fault.by] if layer == "TwoLayerNet" else []
    shape = "×".join(map(str, fault.shape)) or "a number"
    return ", ".join([fault.case.partition("/")[2], shape, *by])
