"""`report.md`: the same report for those who read it in a repository."""

from collections.abc import Sequence

from gradparity.reports.pages.svg import Figure
from gradparity.reports.results import Results
from gradparity.reports.tables import (
    budgets,
    every_float32,
    gradients,
    timings,
    verdicts,
)
from gradparity.reports.tables.accuracy import accuracy_tables, training_table
from gradparity.reports.tables.detection import POWER_LEGEND, POWER_TITLE, power_tables
from gradparity.reports.tables.documented import divergence_table, reasons
from gradparity.reports.tables.elementary_errors import ELEMENTARY, elementary_table
from gradparity.reports.tables.overview import environment_table, headline
from gradparity.reports.tables.reference_checks import truth_tables
from gradparity.reports.tables.training_sections import sections
from gradparity.reports.visible import harmless

OWN_SECTIONS = (timings.SPEED, budgets.BUDGETS)  # that figures stand in


def render(results: Results, figures: Sequence[Figure]) -> str:
    """The whole page; figures are linked as `figures/NAME.svg`."""
    parts = (
        part.rstrip() + "\n"
        for part in (
            "# Gradient parity",
            f"**{headline(results)}**",
            dataset(results),
            *failures(results),
            *checks(results),
            *divergences(results),
            *truth(results),
            *budgeted(
                results, [drawn(f) for f in figures if f.name == budgets.BUDGETS]
            ),
            *power(results),
            *training(results),
            *trained(results),
            *bench(results, [drawn(f) for f in figures if f.name == timings.SPEED]),
            *(drawn(f) for f in figures if f.name not in OWN_SECTIONS),
            *exhaustive(results),
            *refusals(results),
            *elementary(results),
            *environment(results),
        )
    )
    return harmless("\n".join(parts))


def dataset(results: Results) -> str:
    info = results.environment.dataset
    if info is None:
        return ""
    size = f"{info.train:,} images to train on, {info.test:,} to test on"
    return f"Data set: **{info.name}** ({info.source}; {size}). {info.why}"


def failures(results: Results) -> list[str]:
    table = verdicts.failure_table(results.checks)
    return [f"## {table.title}", table.markdown()] if table.rows else []


def checks(results: Results) -> list[str]:
    """Typical inputs first, then special ones: where they differ most, and least surely,
    is not what a reader looks for.
    """
    about = {
        "typical": [
            *(gradients.LEGEND, gradients.R_LEGEND),
            *(
                f"Missing: {reason}."
                for reason in verdicts.missing_reasons(results.checks)
            ),
            *(
                f"Warning: {sentence}."
                for sentence in gradients.warnings(
                    results.checks, results.environment.exceeded
                )
            ),
        ],
        "edge": [gradients.SPECIAL],
    }
    parts = []
    for kind, heading in gradients.KINDS.items():
        tables = list(gradients.gradient_tables(results.checks, kind))
        if tables:
            parts += [f"## {heading}", *about[kind]]
        for table in tables:
            parts += [f"### {table.title}", table.markdown()]
    return parts


def truth(results: Results) -> list[str]:
    parts = ["## Is the truth true?"] if results.truth else []
    for sentence, table in truth_tables(results.truth):
        parts += [f"### {table.title}", sentence, table.markdown()]
    return parts


def budgeted(results: Results, pictures: Sequence[str]) -> list[str]:
    """Which step makes the error, where that was found out."""
    tables = list(budgets.budget_tables(results.budgets))
    parts = [f"## {budgets.TITLE}", budgets.LEGEND, *pictures] if tables else []
    for table in tables:
        parts += [f"### {table.title}", table.markdown()]
    return parts


def power(results: Results) -> list[str]:
    """How small a fault would have been seen, folded: it is the same in every run."""
    if not results.power:
        return []
    parts = [f"## {POWER_TITLE}", POWER_LEGEND]
    for table in power_tables(results.power):
        summary = f"<details><summary>{table.title}</summary>"
        parts += [summary, table.markdown(), "</details>"]
    return parts


def training(results: Results) -> list[str]:
    if not results.training:
        return []
    parts = ["## Training", training_table(results.training).markdown()]
    for table in accuracy_tables(results.training, results.is_mnist):
        parts += [f"### {table.title}", table.markdown()]
    return parts


def trained(results: Results) -> list[str]:
    parts = []
    for section in sections(results):
        parts += [f"## {section.title}", section.text]
        parts += ["\n".join(f"- {said}" for said in section.sentences)]
        for table in section.tables:
            parts += [f"### {table.title}", table.markdown()]
    return parts


def bench(results: Results, pictures: Sequence[str]) -> list[str]:
    """How fast it was, where that was measured."""
    tables = list(timings.parts(results.bench)) if results.bench else []
    if not results.bench or not tables:
        return []
    parts = ["## Speed", timings.LEGEND, *pictures]
    parts.append("\n".join(f"- {said}" for said in timings.sentences(results.bench)))
    for table, under in tables:
        parts += [f"### {table.title}", table.markdown(), under]
    return list(filter(None, parts))


def drawn(figure: Figure) -> str:
    return f"![{figure.alt}](figures/{figure.name}.svg)\n\n{figure.caption}"


def divergences(results: Results) -> list[str]:
    if not results.divergences:
        return []
    table = divergence_table(results.divergences)
    why = "\n".join(reasons(results.divergences))
    return [f"## {table.title}", table.markdown(), why]


def exhaustive(results: Results) -> list[str]:
    rows = results.exhaustive
    if not rows:
        return []
    table = every_float32.exhaustive_table(rows)
    parts = [f"## {table.title}", every_float32.EXHAUSTIVE_LEGEND, table.markdown()]
    for table in every_float32.kind_tables(rows):
        parts += [f"### {table.title}", table.markdown()]
    return [
        *parts,
        "\n".join(f"- {s}" for s in every_float32.exhaustive_sentences(rows)),
    ]


def refusals(results: Results) -> list[str]:
    table = verdicts.refusal_table(results.checks)
    return [f"## {table.title}", table.markdown()] if table.rows else []


def elementary(results: Results) -> list[str]:
    table = elementary_table(results.elementary)
    if not table.rows:
        return []
    return [f"## {table.title}", ELEMENTARY, table.markdown()]


def environment(results: Results) -> list[str]:
    return [
        "## Environment",
        environment_table(results.environment).markdown(),
        "What NumPy by hand, PyTorch and JAX each do under the hood, step by step and "
        "with the same numbers: `gradparity explain`, or `make docs` for all pages.",
    ]
