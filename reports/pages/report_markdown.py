"""`report.md`: the same report for those who read it in a repository."""

from collections.abc import Sequence
from itertools import groupby

from gradparity.reports import benches, tables, trainings
from gradparity.reports.benches import SPEED
from gradparity.reports.results import Results
from gradparity.reports.svg import Figure


def render(results: Results, figures: Sequence[Figure]) -> str:
    """The whole page; figures are linked as `figures/NAME.svg`."""
    return "\n".join(
        part.rstrip() + "\n"
        for part in (
            "# Gradient parity",
            f"**{tables.headline(results)}**",
            dataset(results),
            *failures(results),
            *checks(results),
            *truth(results),
            *training(results),
            *trained(results),
            *bench(results, [drawn(f) for f in figures if f.name == SPEED]),
            *(drawn(f) for f in figures if f.name != SPEED),
            *divergences(results),
            *exhaustive(results),
            *refusals(results),
            *elementary(results),
            *environment(results),
        )
    )


def dataset(results: Results) -> str:
    info = results.environment.dataset
    if info is None:
        return ""
    size = f"{info.train:,} images to train on, {info.test:,} to test on"
    return f"Data set: **{info.name}** ({info.source}; {size}). {info.why}"


def failures(results: Results) -> list[str]:
    table = tables.failure_table(results.checks)
    return [f"## {table.title}", table.markdown()] if table.rows else []


def checks(results: Results) -> list[str]:
    parts: list[str] = []
    for layer, group in groupby(
        tables.gradient_tables(results.checks), key=lambda found: found[0]
    ):
        parts.append(f"### {layer}")
        for _, dtype, table in group:
            parts += [dtype, table.markdown()]
    warnings = [f"Warning: {sentence}." for sentence in tables.warnings(results.checks)]
    heading = "## Gradient differences"
    return [heading, tables.LEGEND, tables.R_LEGEND, *warnings, *parts] if parts else []


def truth(results: Results) -> list[str]:
    parts = ["## Is the truth true?"] if results.truth else []
    for sentence, table in tables.truth_tables(results.truth):
        parts += [f"### {table.title}", sentence, table.markdown()]
    return parts


def training(results: Results) -> list[str]:
    if not results.training:
        return []
    info = results.environment.dataset
    parts = ["## Training", tables.training_table(results.training).markdown()]
    for dtype in dict.fromkeys(t.dtype for t in results.training):
        mnist = info is not None and info.name == "mnist"
        table = tables.accuracy_table(results.training, dtype, mnist)
        parts += [f"### {table.title}", table.markdown()]
    return parts


def trained(results: Results) -> list[str]:
    parts = []
    for section in trainings.sections(results):
        parts += [f"## {section.title}", section.text]
        parts += ["\n".join(f"- {said}" for said in section.sentences)]
        for table in section.tables:
            parts += [f"### {table.title}", table.markdown()]
    return parts


def bench(results: Results, pictures: Sequence[str]) -> list[str]:
    """How fast it was, where that was measured."""
    tables = list(benches.parts(results.bench)) if results.bench else []
    if not results.bench or not tables:
        return []
    parts = ["## Speed", benches.LEGEND, *pictures]
    parts.append("\n".join(f"- {said}" for said in benches.sentences(results.bench)))
    for table, under in tables:
        parts += [f"### {table.title}", table.markdown(), under]
    return list(filter(None, parts))


def drawn(figure: Figure) -> str:
    return f"![{figure.alt}](figures/{figure.name}.svg)\n\n{figure.caption}"


def divergences(results: Results) -> list[str]:
    if not results.divergences:
        return []
    table = tables.divergence_table(results.divergences)
    reasons = "\n".join(tables.reasons(results.divergences))
    return [f"## {table.title}", table.markdown(), reasons]


def exhaustive(results: Results) -> list[str]:
    rows = results.exhaustive
    if not rows:
        return []
    table = tables.exhaustive_table(rows)
    parts = [f"## {table.title}", tables.EXHAUSTIVE_LEGEND, table.markdown()]
    for table in tables.kind_tables(rows):
        parts += [f"### {table.title}", table.markdown()]
    return [*parts, "\n".join(f"- {s}" for s in tables.exhaustive_sentences(rows))]


def refusals(results: Results) -> list[str]:
    table = tables.refusal_table(results.checks)
    return [f"## {table.title}", table.markdown()] if table.rows else []


def elementary(results: Results) -> list[str]:
    table = tables.elementary_table(results.elementary)
    if not table.rows:
        return []
    return [f"## {table.title}", tables.ELEMENTARY, table.markdown()]


def environment(results: Results) -> list[str]:
    return [
        "## Environment",
        tables.environment_table(results.environment).markdown(),
        "What NumPy by hand, PyTorch and JAX each do under the hood, step by step and "
        "with the same numbers: `gradparity explain`, or `make docs` for all pages.",
    ]
