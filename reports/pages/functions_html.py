"""Functions that were compared, as a page: one file that asks for nothing else.

What functions and their files are called, their lines and their messages are somebody
else's: `visible` makes them harmless, and Jinja escapes them. The sentences come from
`functions.wording`, so that they are those of the text.
"""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from gradparity.parity_tests.functions import wording
from gradparity.parity_tests.functions.comparison import YOURS, Comparison, Pair
from gradparity.parity_tests.functions.drift import Share
from gradparity.parity_tests.functions.judging import Number
from gradparity.reports import writing
from gradparity.reports.pages import steps
from gradparity.reports.pages.report_html import shown, with_keys
from gradparity.reports.pages.templating import environment
from gradparity.reports.tables import functions
from gradparity.reports.visible import LONGEST, visible

GENERATOR = '<meta name="generator" content="gradparity compare">'
LONG = 20  # rows of a table that is not folded
TOLD = 3  # steps of a budget, and operators that are computed wrong
NAMES = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}
PACKAGES = {"numpy": "numpy", "torch": "torch", "jax": "jax"}


@dataclass(frozen=True)
class Shares:
    """A number's error budget: the steps that make most of it, and what is left."""

    name: str
    quantity: str
    told: Sequence[Share]
    rest: float


def check_target(path: Path) -> None:
    """Raise `UnusableTarget` if a page cannot be written there."""
    writing.check_file("--html", path, GENERATOR, "page of a comparison")


def write(path: Path, found: Comparison) -> None:
    """The page, whole or not at all. Raises `UnusableTarget` if it cannot be written."""
    writing.write_file(path, render(found))


def render(found: Comparison) -> str:
    """The page, as the text of an HTML file."""
    template = templates().get_template("functions.html.j2")
    operators = functions.operators(found).without_empty()
    rows = with_keys(operators)
    numeric = [key is not None for _, key in rows[0]]
    return template.render(
        found=found,
        generator=Markup(GENERATOR),
        names=wording.listed(found.names),
        verdict=verdict(found),
        sentence=wording.answer(found) + ".",
        differing=[pair for pair in found.pairs if not pair.same],
        counts=counts(found),
        pairs=[
            (pair, steps.picture(found, pair, number))
            for number, pair in enumerate(found.pairs, 1)
        ],
        operators=operators,
        operator_heads=[*zip(operators.headers, numeric, strict=True)],
        operator_rows=rows,
        failed=wording.computed_wrong(found),
        budgets=budgets(found),
        inputs=inputs(found),
        versions=versions(found),
        NAMES=NAMES,
        YOURS=YOURS,
        LONG=LONG,
        TOLD=TOLD,
    )


@cache
def templates() -> Environment:
    made = environment()
    made.filters |= {
        "visible": visible,
        "said": lambda text: visible(text, LONGEST),
        "shown": shown,
        "told_apart": lambda n: n.unlike or wording.told_apart(n.values),
        "place": wording.place,
        "percent": percent,
        "first_steps": wording.first_steps,
        "share": lambda ratio: min(max(ratio, 0.0), 1.0) if ratio == ratio else 1.0,
    }
    return made


def verdict(found: Comparison) -> str:
    """The answer in a few words."""
    if found.same:
        return "The same function"
    if all(pair.same for pair in found.pairs):
        return "The same function, but not computed right"
    if all(pair.same_function for pair in found.pairs):
        return "The same function, but not in every dtype"
    return "Not the same function"


def counts(found: Comparison) -> list[tuple[str, int, str]]:
    """The key numbers: word, number and how it is coloured."""
    numbers = {
        (pair.names, number.quantity): False
        for pair in found.pairs
        for number in all_of(pair)
    }
    for pair in found.pairs:
        for tried in pair.tried:
            for number in tried.wrong:
                numbers[pair.names, number.quantity] = True
    judged = found.operators.values()
    differing = sum(numbers.values())
    failed = sum(len(each.failed) for each in judged)
    without = sum(sum(each.unjudged.values()) for each in judged)
    return [
        ("quantities the same", len(numbers) - differing, "v1"),
        ("quantities that differ", differing, "v4"),
        ("operators judged", sum(each.judged for each in judged), "v2"),
        ("beyond their rounding", failed, "v4"),
        ("without a rule", without, "v3"),
    ]


def all_of(pair: Pair) -> Iterator[Number]:
    for tried in pair.tried:
        yield from tried.numbers


def budgets(found: Comparison) -> list[tuple[str, list[Shares]]]:
    """By dtype."""
    tables: dict[str, list[Shares]] = {}
    for (name, dtype, quantity), shares in found.budgets.items():
        if shares:
            told = shares[:TOLD]
            rest = max(1.0 - sum(share.share for share in told), 0.0)
            tables.setdefault(dtype, []).append(Shares(name, quantity, told, rest))
    return sorted(tables.items())


def inputs(found: Comparison) -> list[tuple[str, str, str]]:
    """What the functions were given: the name, what kind of array it is, its numbers."""
    rows: dict[str, tuple[str, str, str]] = {}
    for call in found.calls.values():
        for name, leaf in zip(call.names, call.leaves, strict=True):
            kind = f"{leaf.dtype} {list(leaf.shape)}" if leaf.ndim else str(leaf.dtype)
            rows.setdefault(name, (name, kind, steps.numbers(leaf)))
    return [*rows.values()]


def versions(found: Comparison) -> list[str]:
    """What it was compared with, and when."""
    used = [name for name in PACKAGES if name in found.frameworks.values()]
    packages = {"gradparity": "gradparity", "numpy": "NumPy"}
    packages |= {PACKAGES[name]: NAMES[name] for name in used}
    said = [f"{name} {metadata.version(package)}" for package, name in packages.items()]
    python = f"Python {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}"
    return [said[0], python, *said[1:], machine, date.today().isoformat()]


def percent(value: Any) -> str:
    """A share of something, for people."""
    if value is None:
        return "–"
    if not value < 10:
        return f"{shown(value)} times"
    return f"{value:.0%}" if value >= 0.01 or value == 0 else f"{100 * value:.1g}%"
