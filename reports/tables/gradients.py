"""How far values and gradients are from the truth: typical inputs, and special ones apart.

Edge cases are where numbers overflow, vanish or are not defined; differences are large
there for good reasons, so that they would hide what happens on ordinary inputs.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gradparity.parity_tests.measuring.records import Check, Exceeded, Verdict
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table, number
from gradparity.reports.tables.verdicts import SEVERITY

KINDS = {"typical": "Gradient differences", "edge": "Special inputs"}
LEGEND = (
    "Each cell: the largest difference from the truth, and how much of the rounding "
    "bound it uses (1.00 would be all of it); after a stroke, how much of the probable "
    "bound, where that is a sharper one; and of a network's tensor, how much of the bound "
    "of its own step, on what went into that. '=' means the same bits as the reference "
    "in the same dtype; for the reference itself, those of the truth rounded once. "
    "'no bound': something may overflow on the way or a divisor come to 0, and of the "
    "difference nothing can be said. 'not judged': where no dtype is wider, the reference "
    "is the truth itself."
)
SPECIAL = (
    "Zeros, infinities, NaN, subnormal and extreme numbers, ties, and unusual layouts and "
    "spellings. 'documented' means that some of these cases are documented divergences, "
    "which have a table of their own; the numbers beside it are those of all other cases."
)
R_LEGEND = (
    "R is Pearlmutter's operator: how something moves as the inputs do, in a random "
    "direction. Rout is a Jacobian-vector product (forward mode), Rdx and the like are "
    "Hessian-vector products (forward mode over reverse)."
)
METRICS = (
    *("max_abs", "max_rel", "max_ulp"),
    *("bound_ratio", "probable_ratio", "local_ratio", "max_abs_reference"),
)


def gradient_rows(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """One row for each layer, quantity, dtype and implementation, and each kind of input
    (`typical` or `edge`): the worst of its cases.

    Documented divergences give a row its verdict but not its numbers, which are those
    of the other cases. Refusals of bad input are left out.
    """
    groups = grouped(
        (check for check in checks if check.kind in KINDS),
        *("layer", "quantity", "dtype", "implementation", "kind"),
    )
    rows = []
    for (layer, quantity, dtype, implementation, kind), group in groups.items():
        plain = [c for c in group if c.verdict != Verdict.DOCUMENTED]
        measured = [c for c in plain if c.bound_ratio is not None]
        worst = max(measured, key=lambda c: c.bound_ratio or 0, default=group[0])
        row: dict[str, Any] = {
            "layer": layer,
            "quantity": quantity,
            "dtype": dtype,
            "implementation": implementation,
            "kind": kind,
            "cases": len(group),
        }
        for metric in METRICS:
            values = [getattr(c, metric) for c in measured]
            row[metric] = max((v for v in values if v is not None), default=None)
        row |= {
            "verdict": max((c.verdict for c in group), key=SEVERITY.index),
            "others": max((c.verdict for c in plain), key=SEVERITY.index, default=None),
            "worst_case": worst.case,
            "worst": worst.worst,
            "note": next((c.note for c in group if c.note), None),
        }
        rows.append(row)
    return rows


def gradient_tables(
    checks: Iterable[Check], kind: str, title: str = ""
) -> Iterator[Table]:
    """For each dtype, of inputs of this kind: layers and quantities down,
    implementations across. See LEGEND.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in gradient_rows(checks):
        if row["kind"] == kind:
            groups.setdefault(row["dtype"], []).append(row)
    for dtype, rows in groups.items():
        yield gradient_table(f"{title or KINDS[kind]}, {dtype}", rows)


def gradient_table(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Layers and quantities down, implementations across."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        cells = lines.setdefault((row["layer"], row["quantity"]), {})
        cells[row["implementation"]] = cell(row)
    longest_first = sorted(lines.values(), key=len, reverse=True)
    names = dict.fromkeys(name for cells in longest_first for name in cells)
    return Table(
        title,
        ["layer", "quantity", *names],
        [[*key, *(cells.get(n, "") for n in names)] for key, cells in lines.items()],
    )


def cell(row: dict[str, Any]) -> str:
    """A row of `gradient_rows` in one cell; see LEGEND."""
    match row["verdict"]:
        case Verdict.MISSING:
            return "missing"
        case Verdict.FAIL:
            used = row["bound_ratio"]
            times = "" if used is None else f" ({used:.3g} x bound)"
            return f"FAIL {number(row['max_abs'])}{times}"
        case Verdict.NOT_JUDGED:
            return "not judged"
        case Verdict.NO_BOUND:
            return f"no bound {number(row['max_abs'])}"
    value = ""
    if row["others"] == Verdict.IDENTICAL:
        value = "="
    elif row["bound_ratio"] is not None:
        value = f"{number(row['max_abs'])} {shares(row)}"
    is_documented = row["verdict"] == Verdict.DOCUMENTED
    said = " ".join(filter(None, [value, "documented" * is_documented]))
    return said or str(row["verdict"])


def shares(row: dict[str, Any]) -> str:
    """Of the bound, and of the probable bound where they differ: 0.08/0.31. Of a network's
    tensor, then of the bound of its own step: 0.001, step 0.08.
    """
    certain, probable = f"{row['bound_ratio']:.2g}", f"{row['probable_ratio']:.2g}"
    said = certain if certain == probable else f"{certain}/{probable}"
    step = row["local_ratio"]
    return said if step is None else f"{said}, step {step:.2g}"


def warnings(
    checks: Iterable[Check], exceeded: Iterable[Exceeded] | None = ()
) -> list[str]:
    """A sentence for everything that is within its bound, but improbable; and for every
    function that is computed less accurately than bounds allow.
    """
    return [each.sentence.rstrip(".") for each in exceeded or ()] + [
        f"{c.case} {c.quantity} in {c.dtype} is {c.probable_ratio:.3g} times the probable "
        f"bound for {c.implementation}: within the bound, but worth looking into"
        for c in checks
        if c.verdict == Verdict.WITHIN_BOUND and (c.probable_ratio or 0) > 1
    ]
