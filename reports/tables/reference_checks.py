"""The reference against mathematics that owes nothing to it."""

from collections.abc import Iterator, Sequence

from gradparity.parity_tests.measuring.records import TruthCheck, Verdict
from gradparity.reports.tables.table import Table, number

TRUTH = {
    "central differences": "The lecture's check: backpropagation against "
    "(L(w + h) - L(w - h)) / 2h for every parameter of its network, on the first three "
    "images, with h = 1e-4. The bound is the formula's own error, which is known, and "
    "rounding; where a Relu switches within h, the formula takes a mean of two slopes.",
    "complex steps": "Every gradient and every product against Im f(x + ih) / h, taken in "
    "the wider dtype.",
    "mpmath": "Every output and gradient against the textbook's formula, computed and "
    "differentiated to 100 digits; saturated softmax and sigmoid included.",
    "other forms": "Layers against the same function put together from other layers.",
}


def truth_tables(checks: Sequence[TruthCheck]) -> Iterator[tuple[str, Table]]:
    """For every method, what it is, in a sentence, and how far the reference is from it:
    the worst of the cases, as in LEGEND.
    """
    for method, sentence in TRUTH.items():
        found = [c for c in checks if c.method == method]
        title = f"By {method}"
        if method == "central differences" and found:
            headers = ["key", "numbers", "mean difference", "largest", "of the bound"]
            rows = [
                [
                    *(c.quantity.removeprefix("d"), f"{c.elements:,}"),
                    *(number(c.mean_abs), number(c.max_abs), f"{c.bound_ratio:.2f}"),
                ]
                for c in found
            ]
            yield sentence, Table(title, headers, rows)
        elif found:
            yield sentence, truth_table(title, found)


def truth_table(title: str, checks: Sequence[TruthCheck]) -> Table:
    """Layers and quantities down, dtypes across."""
    dtypes = list(dict.fromkeys(c.dtype for c in checks))
    worst: dict[tuple[str, str], dict[str, TruthCheck]] = {}
    for c in checks:
        cells = worst.setdefault((c.layer, c.quantity), {})
        cells[c.dtype] = max(cells.get(c.dtype, c), c, key=lambda c: c.bound_ratio)
    rows = [
        [*key, *(truth_cell(cells.get(dtype)) for dtype in dtypes)]
        for key, cells in worst.items()
    ]
    return Table(title, ["layer", "quantity", *dtypes], rows)


def truth_cell(check: TruthCheck | None) -> str:
    if check is None:
        return ""
    if not check.max_abs:
        return "0"
    failed = "FAIL " if check.verdict == Verdict.FAIL else ""
    return f"{failed}{number(check.max_abs)} {check.bound_ratio:.2f}"


def truth_sentence(checks: Sequence[TruthCheck]) -> str:
    """The checks of the reference itself in one sentence."""
    right = sum(c.verdict != Verdict.FAIL for c in checks)
    by = ", ".join(dict.fromkeys(c.method for c in checks))
    return f"{right:,} of {len(checks):,} tensors of the reference are confirmed ({by})"
