"""What the reports say in tables and sentences, as data; and three ways to print it.

A `Table` is headers and rows of text. On a terminal Rich draws it, piped it is plain
text and in `report.md` it is Markdown, the latter two by tabulate.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from tabulate import tabulate

from gradparity.parity_tests.catalogue.divergences import gone_in
from gradparity.parity_tests.checking.exhaustive import FLOATS
from gradparity.parity_tests.implementations.registry import IMPLEMENTATIONS, OUTSIDERS
from gradparity.parity_tests.measuring.elementary import Measured
from gradparity.parity_tests.measuring.records import (
    Among,
    Check,
    Divergence,
    Exhaustive,
    MutantResult,
    MutantSummary,
    Summary,
    Training,
    TruthCheck,
    Verdict,
)
from gradparity.parity_tests.measuring.wording import listed
from gradparity.parity_tests.training.run import disagreements, unexplained
from gradparity.reports.results import Environment, Results

# Accuracy on the training and on the test set as the lecture's script printed it, once
# an epoch, on MNIST.
LECTURE_ACCURACY = [
    (0.1163, 0.1222),
    (0.9045, 0.9083),
    (0.9244, 0.9273),
    (0.9397, 0.9403),
    (0.9471, 0.9487),
    (0.9534, 0.9509),
    (0.9593, 0.9571),
    (0.9623, 0.9601),
    (0.9645, 0.9607),
    (0.9693, 0.9655),
    (0.9707, 0.9665),
    (0.9730, 0.9683),
    (0.9742, 0.9688),
    (0.9764, 0.9701),
    (0.9759, 0.9692),
    (0.9773, 0.9688),
    (0.98035, 0.97),
]

LEGEND = (
    "Each cell: the largest difference from the truth, and how much of the rounding "
    "bound it uses (1.00 would be all of it); after a stroke, how much of the probable "
    "bound, where that is a sharper one. '=' means the same bits as the reference "
    "in the same dtype; for the reference itself, those of the truth rounded once."
)
ELEMENTARY = (
    "The largest error that was seen of each implementation, with any of the instruction "
    "sets it has code for. The rounding bounds allow just that; in float64, where not "
    "all numbers can be tried, the next half of an ulp."
)
R_LEGEND = (
    "R is Pearlmutter's operator: how something moves as the inputs do, in a random "
    "direction. Rout is a Jacobian-vector product (forward mode), Rdx and the like are "
    "Hessian-vector products (forward mode over reverse)."
)
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
EXHAUSTIVE_LEGEND = (
    "differing: on how many inputs the bits are not the reference's; all NaN count as "
    "one, and the sign of zero counts. max ulp, at: the largest error among normal "
    "numbers, and the input where it occurs. documented: errors that rounding does not "
    "explain, by reason. By kind of input, normal ones told apart by their true result: "
    "on how many the implementations differ from the reference, and the largest error "
    "in ulps."
)
EXPLAINED = "every error is rounding or documented"
SEVERITY = [
    Verdict.MISSING,
    Verdict.IDENTICAL,
    Verdict.WITHIN_BOUND,
    Verdict.DOCUMENTED,
    Verdict.FAIL,
]


@dataclass(frozen=True)
class Table:
    """Headers and rows, all text already."""

    title: str
    headers: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        body = tabulate(self.rows, self.headers, "simple", disable_numparse=True)
        return f"{self.title}\n\n{body}\n"

    def markdown(self) -> str:
        cells = [[cell.replace("|", r"\|") for cell in row] for row in self.rows]
        return tabulate(cells, self.headers, "github", disable_numparse=True) + "\n"

    def print(self, console: Console) -> None:
        """Draw it on a terminal; plain text where there is none."""
        if not console.is_terminal:
            console.file.write(self.text() + "\n")
            return
        drawn = RichTable(
            title=self.title,
            title_justify="left",
            box=SIMPLE_HEAD,
            show_edge=False,
            padding=(0, 1, 0, 0),
        )
        headers = [header.replace("-", "-\n") for header in self.headers]
        columns = list(zip(headers, *self.rows, strict=True))
        for header, width in zip(headers, widths(columns, console.width), strict=True):
            drawn.add_column(header, width=width, overflow="fold")
        for row in self.rows:
            style = "bold red" if any("FAIL" in cell for cell in row) else None
            drawn.add_row(*map(escape, row), style=style)
        console.print(drawn)


def widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide each column may be, two blanks apart, to fit in the room: as its longest
    line if there is room enough, as its longest word if possible, or less.
    """
    found = [
        max(cell_len(line) for c in column for line in c.split("\n"))
        for column in columns
    ]
    words = [
        max(cell_len(w) for c in column for w in [*c.split(), ""]) for column in columns
    ]
    while sum(found) + 2 * len(found) > room:
        spare = [width - word for width, word in zip(found, words, strict=True)]
        widest = spare if max(spare) > 0 else found
        if max(found) == 1:
            break
        found[widest.index(max(widest))] -= 1
    return found


def number(value: float | None) -> str:
    """Two significant digits; empty where there is no value."""
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:.1e}"


def gradient_rows(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """One row for each layer, quantity, dtype and implementation: the worst of its cases.

    Documented divergences give a row its verdict but not its numbers, which are those
    of the other cases. Refusals of bad input are left out.
    """
    groups: dict[tuple[str, str, str, str], list[Check]] = {}
    for check in checks:
        if check.kind != "invalid":
            key = (check.layer, check.quantity, check.dtype, check.implementation)
            groups.setdefault(key, []).append(check)
    rows = []
    for (layer, quantity, dtype, implementation), group in groups.items():
        measured = [c for c in group if c.bound_ratio is not None]
        plain = [c for c in measured if c.verdict != Verdict.DOCUMENTED] or measured
        worst = max(plain, key=lambda c: c.bound_ratio or 0, default=group[0])
        row: dict[str, Any] = {
            "layer": layer,
            "quantity": quantity,
            "dtype": dtype,
            "implementation": implementation,
            "cases": len(group),
        }
        for metric in (
            *("max_abs", "max_rel", "max_ulp"),
            *("bound_ratio", "probable_ratio", "max_abs_reference"),
        ):
            values = [getattr(c, metric) for c in plain]
            row[metric] = max((v for v in values if v is not None), default=None)
        row |= {
            "verdict": max((c.verdict for c in group), key=SEVERITY.index),
            "worst_case": worst.case,
            "worst": worst.worst,
            "note": next((c.note for c in group if c.note), None),
        }
        rows.append(row)
    return rows


def gradient_tables(checks: Iterable[Check]) -> Iterator[tuple[str, str, Table]]:
    """For each layer and dtype: quantities down, implementations across."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in gradient_rows(checks):
        groups.setdefault((row["layer"], row["dtype"]), []).append(row)
    for (layer, dtype), rows in groups.items():
        yield layer, dtype, gradient_table(f"{layer}, {dtype}", rows)


def gradient_table(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    quantities = list(dict.fromkeys(row["quantity"] for row in rows))
    names = list(dict.fromkeys(row["implementation"] for row in rows))
    cells = {(row["quantity"], row["implementation"]): cell(row) for row in rows}
    return Table(
        title,
        ["quantity", *names],
        [[q, *(cells.get((q, n), "") for n in names)] for q in quantities],
    )


def cell(row: dict[str, Any]) -> str:
    """A row of `gradient_rows` in one cell; see LEGEND."""
    match row["verdict"]:
        case Verdict.MISSING:
            return "missing"
        case Verdict.IDENTICAL:
            return "="
        case Verdict.FAIL:
            used = row["bound_ratio"]
            times = "" if used is None else f" ({used:.3g} x bound)"
            return f"FAIL {number(row['max_abs'])}{times}"
    documented = row["verdict"] == Verdict.DOCUMENTED
    used = shares(row)
    value = f"{number(row['max_abs'])} {used}" if row["bound_ratio"] else "="
    return value + (" documented" if documented else "")


def shares(row: dict[str, Any]) -> str:
    """Of the bound, and of the probable bound where they differ: 0.08/0.31."""
    certain, probable = f"{row['bound_ratio']:.2g}", f"{row['probable_ratio']:.2g}"
    return certain if certain == probable else f"{certain}/{probable}"


def refusal_table(checks: Iterable[Check]) -> Table:
    """How bad input is refused: the sentence, and by how many implementations."""
    sentences: dict[str, list[Check]] = {}
    for check in checks:
        if check.kind == "invalid" and check.verdict != Verdict.MISSING:
            sentences.setdefault(check.case, []).append(check)
    rows = [
        [case, f"{sum(c.verdict != Verdict.FAIL for c in group)} of {len(group)}", note]
        for case, group in sentences.items()
        if (note := max((c.note or "" for c in group), key=len))
    ]
    return Table("Bad input is refused", ["case", "refused alike", "sentence"], rows)


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


def gone(checks: Iterable[Check]) -> list[str]:
    """What is noted of divergences that have disappeared, where nothing failed by it."""
    found = (gone_in(c.note) for c in checks if c.verdict != Verdict.FAIL)
    return [f"{s[0].upper()}{s[1:]}." for s in dict.fromkeys(found) if s]


def warnings(checks: Iterable[Check]) -> list[str]:
    """A sentence for everything that is within its bound, but improbable."""
    return [
        f"{c.case} {c.quantity} in {c.dtype} is {c.probable_ratio:.3g} times the probable "
        f"bound for {c.implementation}: within the bound, but worth looking into"
        for c in checks
        if c.verdict == Verdict.WITHIN_BOUND and (c.probable_ratio or 0) > 1
    ]


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


def reasons(results: Sequence[Divergence]) -> list[str]:
    """Why they are, and from where that is known, by the numbers of the table."""
    number, groups = numbers_of(results), dict[tuple[str, str], list[str]]()
    for row in {row.id: row for row in results}.values():
        groups.setdefault((row.why, row.source), []).append(str(number[row.id]))
    return [
        f"{', '.join(numbers)}. {why} ({source})"
        for (why, source), numbers in groups.items()
    ]


def numbers_of(results: Iterable[Divergence]) -> dict[str, int]:
    """By their ids, from 1."""
    return {id: i for i, id in enumerate(dict.fromkeys(row.id for row in results), 1)}


def shorten(values: str) -> str:
    """Numbers no longer than need be in a table."""
    long = r"\d+\.\d{4,}(e[-+]\d+)?"
    return re.sub(long, lambda found: f"{float(found[0]):.4g}", values)


def elementary_table(measured: Sequence[Measured]) -> Table:
    """The largest errors of exp and log that were seen, in ulps: what the bounds allow."""
    names = list(dict.fromkeys(row.implementation for row in measured))
    groups: dict[tuple[str, str, str], list[Measured]] = {}
    for row in measured:
        groups.setdefault((row.function, row.layer, row.dtype), []).append(row)
    rows = []
    for key, group in sorted(groups.items()):
        worst = [max(r.ulps for r in group if r.implementation == n) for n in names]
        tried = f"{min(r.inputs for r in group):,}"
        rows.append([*key, *(f"{ulps:.3f}" for ulps in worst), tried])
    headers = ["function", "in layer", "dtype", *names, "inputs"]
    return Table("Errors of exp and log in ulps", headers, rows)


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
    groups: dict[tuple[str, str], list[Exhaustive]] = {}
    for row in rows:
        groups.setdefault((row.layer, row.quantity), []).append(row)
    for (layer, quantity), group in groups.items():
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
    for layer in dict.fromkeys(row.layer for row in rows):
        group = [row for row in rows if row.layer == layer]
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


def lecture_accuracy(epoch: int, is_end: bool) -> tuple[float, float] | None:
    """What the lecture's script printed after the first step of this epoch, if it did."""
    if is_end or epoch >= len(LECTURE_ACCURACY):
        return None
    return LECTURE_ACCURACY[epoch]


def accuracy_table(trainings: Sequence[Training], dtype: str, mnist: bool) -> Table:
    """Train/test accuracy: epochs down, implementations across, the lecture's last."""
    chosen = [t for t in trainings if t.dtype == dtype]
    headers = ["epoch", "step", *(t.implementation for t in chosen)]
    rows = []
    for at in zip(*(t.epochs for t in chosen), strict=True):
        name = "end" if at[0].step == chosen[0].steps else str(at[0].epoch)
        row = [name, str(at[0].step)]
        row += [f"{e.train_accuracy:.4f}/{e.test_accuracy:.4f}" for e in at]
        if mnist:
            pair = lecture_accuracy(at[0].epoch, name == "end")
            row.append(f"{pair[0]:.4f}/{pair[1]:.4f}" if pair else "")
        rows.append(row)
    if mnist:
        headers.append("lecture")
    return Table(f"Accuracy on train/test, {dtype}", headers, rows)


def training_table(trainings: Sequence[Training]) -> Table:
    """How every training ended, and how far from the reference. Seconds are left out:
    trainings may run side by side, and what a step takes is told by `bench`.
    """
    rows = []
    for t in trainings:
        is_reference = t.implementation == "reference"
        end = t.epochs[-1]
        rows.append(
            [
                t.implementation,
                t.dtype,
                f"{end.loss:.4f}",
                f"{end.train_accuracy:.4f}",
                f"{end.test_accuracy:.4f}",
                "" if is_reference else number(t.largest_drift),
                "" if is_reference else str(t.test_predictions_differing),
            ]
        )
    headers = [
        *("implementation", "dtype", "loss", "train", "test"),
        *("largest drift", "predictions differing"),
    ]
    return Table("Trainings", headers, rows)


def checks_sentence(summary: Summary) -> str:
    """The checks in one sentence."""
    compared = summary.checks - summary.missing
    agreed = summary.identical + summary.within_bound
    parts = [f"{agreed:,} of {compared:,} checks differ by rounding at most"]
    if summary.documented == 1:
        parts.append("1 is a documented divergence")
    elif summary.documented:
        parts.append(f"{summary.documented:,} are documented divergences")
    if summary.failed:
        parts.append(f"{summary.failed:,} FAIL")
    if summary.missing:
        parts.append(f"{summary.missing:,} missing (not installed or not offered)")
    return ", ".join(parts)


def training_sentence(trainings: Sequence[Training], tests: int) -> str:
    """The trainings in one sentence."""
    others = [t for t in trainings if t.implementation != "reference"]
    sentences = []
    for dtype in dict.fromkeys(t.dtype for t in others):
        group = [t for t in others if t.dtype == dtype]
        drift = max(t.largest_drift for t in group)
        differing = max(t.test_predictions_differing for t in group)
        same = f"all {tests:,} test predictions agree"
        differ = f"up to {differing:,} of {tests:,} test predictions differ"
        sentences.append(
            f"after {group[0].steps:,} steps in {dtype} {differ if differing else same} "
            f"and parameters lie within {drift:.1e} of the reference's"
        )
    return "; ".join(sentences)


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


def problems(results: Results) -> list[str]:
    """A sentence for everything that disagrees; empty if all agree."""
    found = [
        f"{c.layer} {c.quantity} in {c.dtype} disagrees for {c.implementation} ({c.case})"
        for c in results.checks
        if c.verdict == Verdict.FAIL
    ]
    found += [
        f"the reference's {c.layer} {c.quantity} in {c.dtype} is {c.bound_ratio:.3g} "
        f"bounds from what the method '{c.method}' finds ({c.case})"
        for c in results.truth
        if c.verdict == Verdict.FAIL
    ]
    found += disagreements(results.training, results.tests)
    found += disagreements(results.outsiders, results.tests)
    found += unexplained(results.partings)
    found += [sentence for row in results.seeds for sentence in row.disagreements]
    return found + [
        f"{row.layer} {row.quantity} in float32 disagrees for {row.implementation} "
        f"(on {row.failed:,} of {row.inputs:,} inputs)"
        for row in results.exhaustive
        if row.failed
    ]


def headline(results: Results) -> str:
    """Do they agree? One sentence."""
    present = {c.implementation for c in results.checks if c.verdict != Verdict.MISSING}
    present |= {t.implementation for t in results.training}
    present |= {row.implementation for row in results.exhaustive}
    framework = {"reference": "NumPy", "torch": "PyTorch", "jax": "JAX"}
    names = [framework[name] for name in framework if name in present]
    built_in = {*IMPLEMENTATIONS, *OUTSIDERS}
    names += sorted(name for name in present if name not in built_in)
    if not names:
        return "Nothing was compared."
    who = listed(names)
    wrong = problems(results)
    said = [checks_sentence(results.summary) if results.checks else ""]
    said.append(truth_sentence(results.truth) if results.truth else "")
    said.append(training_sentence(results.training, results.tests))
    said.append(tried_sentence(results.exhaustive))
    evidence = "; ".join(filter(None, said))
    if wrong:
        more = f" and {len(wrong) - 1:,} more" if wrong[1:] else ""
        return f"{who} do not agree: {wrong[0]}{more}; {evidence}."
    if not names[1:]:
        return f"Only {who} was there to be checked: {evidence}."
    return f"{who} agree: {evidence}."


def environment_table(environment: Environment) -> Table:
    """Versions, machine and switches; what is not installed is missing."""
    apart = {"dataset", "packages", "switches", "threads", "announced"}
    known = environment.model_dump(exclude=apart)
    frameworks = ("torch", "jax")
    rows = [
        [name, "missing" if value is None else str(value)]
        for name, value in known.items()
        if value not in (None, "") or name in frameworks
    ]
    rows += [
        [f"threads: {name}", str(count)]
        for name, count in environment.threads.items()
        if count is not None
    ]
    further = environment.packages | environment.switches
    rows += [[name, value] for name, value in further.items()]
    rows += [
        [f"implementation: {name}", module]
        for name, module in environment.announced.items()
    ]
    return Table("Environment", ["what", "value"], rows)
