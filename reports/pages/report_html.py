"""`report.html`: one file that holds everything it shows and asks for nothing else.

Jinja escapes whatever comes from the results; only the figures, which this package has
drawn itself, go in as they are. What there is to say comes from `reports.tables`.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from gradparity.parity_tests.measuring.records import Epoch, Training, Verdict
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.figures.styles import unique
from gradparity.reports.pages.svg import Figure
from gradparity.reports.pages.templating import environment
from gradparity.reports.results import Results
from gradparity.reports.tables import budgets, gradients, timings
from gradparity.reports.tables.accuracy import lecture_accuracy
from gradparity.reports.tables.detection import POWER_LEGEND, POWER_TITLE, power_tables
from gradparity.reports.tables.documented import joined, returning
from gradparity.reports.tables.elementary_errors import ELEMENTARY, elementary_table
from gradparity.reports.tables.every_float32 import exhaustive_sentences
from gradparity.reports.tables.overview import environment_table, headline, problems
from gradparity.reports.tables.reference_checks import truth_tables
from gradparity.reports.tables.table import Table
from gradparity.reports.tables.training_sections import ReportSection, sections
from gradparity.reports.tables.verdicts import SEVERITY, refusal_table

SYMBOLS = {
    Verdict.IDENTICAL: "=",
    Verdict.WITHIN_BOUND: "≤",
    Verdict.DOCUMENTED: "≠",
    Verdict.NO_BOUND: "?",
    Verdict.FAIL: "✗",
    Verdict.NOT_JUDGED: "–",
    Verdict.MISSING: "∅",
}
COLOURS = {
    Verdict.MISSING: "v0",
    Verdict.NOT_JUDGED: "v0",
    Verdict.IDENTICAL: "v1",
    Verdict.WITHIN_BOUND: "v2",
    Verdict.DOCUMENTED: "v3",
    Verdict.NO_BOUND: "v3",
    Verdict.FAIL: "v4",
}
FILTERS = ("layer", "dtype", "implementation", "inputs", "verdict")
INPUTS = {"typical": "typical", "edge": "special"}


def render(results: Results, figures: Sequence[Figure], pages: str = "") -> str:
    """The page, as the text of an HTML file. `pages` is the address of the site about
    what happens under the hood, where there is one.
    """
    said = headline(results)
    rows = [
        row | {"inputs": INPUTS[row["kind"]]}
        for row in gradients.gradient_rows(results.checks)
    ]
    failed = [check for check in results.checks if check.verdict == Verdict.FAIL]
    template = _templates().get_template("report.html.j2")
    return template.render(
        results=results,
        environment=results.environment,
        dataset=results.environment.dataset,
        sentence=said.verdict + ".",
        evidence=[part[:1].upper() + part[1:] for part in said.evidence],
        versions=_versions(results),
        counts=_counts(results),
        failed=failed,
        parted=problems(results)[len(failed) :],
        warnings=gradients.warnings(results.checks, results.environment.exceeded),
        rows=rows,
        differences=list(_differences(results)),
        choices={name: _choices(rows, name) for name in FILTERS},
        divergences=joined(results.divergences),
        returned=returning(results.divergences),
        truths=list(truth_tables(results.truth)),
        powers=list(power_tables(results.power)),
        POWER_TITLE=POWER_TITLE,
        POWER_LEGEND=POWER_LEGEND,
        accuracies=_accuracies(results.training, results.is_mnist),
        sections=sections(results),
        tried=exhaustive_sentences(results.exhaustive),
        refusals=refusal_table(results.checks).rows,
        elementary=elementary_table(results.elementary),
        about_elementary=ELEMENTARY,
        settings=environment_table(results.environment).rows,
        figures=_drawn(figures, ""),
        speed=_drawn(figures, timings.SPEED),
        budgeted=_drawn(figures, budgets.BUDGETS),
        budgets=_budgets(results),
        timed=list(timings.parts(results.bench)) if results.bench else [],
        about_speed=timings.sentences(results.bench) if results.bench else [],
        SPEED_LEGEND=timings.LEGEND,
        pages=pages,
        SYMBOLS=SYMBOLS,
        R_LEGEND=gradients.R_LEGEND,
    )


def _drawn(figures: Sequence[Figure], name: str) -> list[tuple[Figure, Markup]]:
    """The figure of this name, which stands in a section of its own; or all others."""
    own = (timings.SPEED, budgets.BUDGETS)
    chosen = [f for f in figures if (f.name if f.name in own else "") == name]
    return [(figure, Markup(figure.svg)) for figure in chosen]


def _budgets(results: Results) -> list[ReportSection]:
    """Which step makes the error, where that was found out."""
    tables = list(budgets.budget_tables(results.budgets))
    title, said = budgets.TITLE, budgets.LEGEND
    return [ReportSection("budgets", title, said, [], tables)] if tables else []


def shown(value: float | None) -> str:
    """Three significant digits, for people."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def abridged(values: str) -> str:
    """Numbers in a text, to nine digits: enough to tell two float32 apart."""
    return re.sub(r"\d+\.\d{9,}", lambda m: f"{float(m[0]):.9g}", values)


def sort_key(value: float | None) -> str:
    """What a column is sorted by; empty, and so last, where there is no number."""
    return repr(value) if value is not None and math.isfinite(value) else ""


def leading(text: str) -> float | None:
    """The number that a cell begins with, if it does."""
    found = re.match(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?", text)
    return float(found[0].replace(",", "")) if found else None


def with_keys(table: Table) -> list[list[tuple[str, str | None]]]:
    """Its rows, each cell with what it is sorted by: None in a column of words, which has
    a cell that begins with something else than a number.
    """
    columns: list[list[tuple[str, str | None]]] = []
    for cells in zip(*table.rows, strict=True):
        numbers = [leading(cell) for cell in cells]
        pairs = list(zip(cells, numbers, strict=True))
        are_words = any(cell and number is None for cell, number in pairs)
        is_sorted = any(cells) and not are_words
        columns.append(
            [(cell, sort_key(number) if is_sorted else None) for cell, number in pairs]
        )
    return [list(row) for row in zip(*columns, strict=True)]


def is_link(source: str) -> bool:
    """Whether a source is an address that a browser may be sent to."""
    return re.fullmatch(r"https?://[^\s\"<>]+", source) is not None


def _templates() -> Environment:
    templates = environment()
    templates.filters |= {"shown": shown, "sort_key": sort_key, "abridged": abridged}
    templates.filters["with_keys"] = with_keys
    templates.filters["severity"] = SEVERITY.index
    templates.filters["colour"] = COLOURS.__getitem__
    templates.filters["drift"] = _largest_drift
    templates.tests["link"] = is_link
    return templates


def _counts(results: Results) -> list[tuple[str, int, Verdict | None]]:
    """The key numbers: word, number, and the verdict it counts."""
    summary = results.summary
    return [
        ("checks", summary.checks, None),
        ("identical", summary.identical, Verdict.IDENTICAL),
        ("within bound", summary.within_bound, Verdict.WITHIN_BOUND),
        ("documented", summary.documented, Verdict.DOCUMENTED),
        *(
            [("no bound", summary.no_bound, Verdict.NO_BOUND)]
            if summary.no_bound
            else []
        ),
        *(
            [("not judged", summary.not_judged, Verdict.NOT_JUDGED)]
            if summary.not_judged
            else []
        ),
        ("failed", summary.failed, Verdict.FAIL),
        ("missing", summary.missing, Verdict.MISSING),
    ]


def _versions(results: Results) -> list[str]:
    """The run in a line: versions, machine, how long it took."""
    e = results.environment
    versions = {"Python": e.python, "NumPy": e.numpy, "PyTorch": e.torch, "JAX": e.jax}
    said = [f"{name} {v or 'not installed'}" for name, v in versions.items()]
    said += [e.platform, e.cpu, f"{e.seconds:,.0f} s" if e.seconds else "", e.started]
    return [part for part in said if part]


def _differences(results: Results) -> Iterator[ReportSection]:
    """Typical inputs, and special ones: a table for each dtype."""
    texts = {
        "typical": ("gradients", gradients.LEGEND),
        "edge": ("special", gradients.SPECIAL),
    }
    for kind, title in gradients.KINDS.items():
        tables = list(gradients.gradient_tables(results.checks, kind))
        if tables:
            anchor, text = texts[kind]
            yield ReportSection(anchor, title, text, [], tables)


def _choices(rows: Sequence[dict[str, Any]], name: str) -> list[str]:
    """What a column can be filtered by; verdicts by severity, the worst first."""
    found = unique(str(row[name]) for row in rows)
    if name == "verdict":
        return sorted(found, key=lambda v: -SEVERITY.index(Verdict(v)))
    return found


def _accuracies(trainings: Sequence[Training], mnist: bool) -> list[dict[str, Any]]:
    """For each dtype: implementations across, epochs down, the lecture beside them."""
    tables = []
    for dtype, group in grouped(trainings, "dtype").items():
        last = max(t.steps for t in group)
        by_step: dict[int, dict[str, Epoch]] = {}
        for t in group:
            for epoch in t.epochs:
                by_step.setdefault(epoch.step, {})[t.implementation] = epoch
        rows = []
        for step, at in sorted(by_step.items()):
            number, final = next(iter(at.values())).epoch, step == last
            lecture = lecture_accuracy(number, final) if mnist else None
            rows.append((number, step, final, at, lecture))
        names = [t.implementation for t in group]
        tables.append({"dtype": dtype, "names": names, "rows": rows, "mnist": mnist})
    return tables


def _largest_drift(training: Training) -> float | None:
    if training.implementation == "reference":
        return None
    return training.largest_drift if training.drift else None
