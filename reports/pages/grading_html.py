"""Gradings as pages: one that can be handed back, or a class with a page for each.

A page of one submission stands for itself: it needs no other file, and does not say
whose others there are. Jinja escapes whatever a submission controls, once `visible` has
made it harmless; only the commands of this package are markup.
"""

import os
import platform
import re
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from markupsafe import escape as escaped
from pydantic_core import to_json

from gradparity.parity_tests.grading import launching
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.reports import grades, writing
from gradparity.reports.pages.report_html import shown, sort_key
from gradparity.reports.pages.templating import environment
from gradparity.reports.visible import LONG, visible

INDEX = "index.html"
SYMBOLS = {
    **{"pass": "✓", "fail": "✗", "FAIL": "✗", "unloadable": "✗"},
    **{"skipped": "∅", "ungraded": "∅", "missing": "∅"},
}
WORDS = {
    **{"pass": "right", "fail": "wrong", "unloadable": "cannot be loaded"},
    **{"skipped": "passed over", "ungraded": "could not be graded"},
}


def render(graded: GradedFile) -> str:
    """A submission's page, as the text of an HTML file."""
    wrong, verdict = grades.failed(graded), grades.headline(graded)
    counts = [
        ("right", len(graded.classes) - len(wrong), "pass"),
        ("wrong", len(wrong), "FAIL"),
        ("worth knowing", len(graded.warnings), None),
        ("not offered", len(graded.missing), "missing"),
    ]
    template = templates().get_template("grade.html.j2")
    return template.render(graded=graded, counts=counts, verdict=verdict, **common())


def render_index(
    files: Sequence[GradedFile], addresses: Sequence[str], name: str
) -> str:
    """The first page of a class; `addresses` are those of its submissions' pages."""
    counts = [
        (word, sum(graded.status == status for graded in files), status)
        for status, word in WORDS.items()
    ]
    template = templates().get_template("grade_index.html.j2")
    return template.render(
        rows=list(zip(files, addresses, strict=True)),
        name=name,
        sentence=grades.class_sentence(files),
        commonest=grades.commonest(files),
        counts=counts,
        WORDS=WORDS,
        **common(),
    )


def common() -> dict[str, object]:
    """What every page is written with."""
    return {
        "generator": Markup(grades.GENERATOR),
        "versions": versions(),
        "ratio": grades.RATIO.partition(": ")[2],
        "SYMBOLS": SYMBOLS,
        "lacking": launching.lacking_here(),
    }


def versions() -> list[str]:
    """What it was graded with, and when. The frameworks have no part in it."""
    return [
        f"gradparity {metadata.version('gradparity')}",
        f"Python {platform.python_version()}",
        f"NumPy {np.__version__}",
        f"{platform.system()} {platform.machine()}",
        date.today().isoformat(),
    ]


@cache
def templates() -> Environment:
    found = environment()
    found.filters |= {
        "visible": visible,
        "said": said,
        "shown": shown,
        "sort_key": sort_key,
        "who": grades.who,
        "apart": lambda worst: grades.apart(worst.value, worst.truth),
        "relation": grades.relation,
        "worth_knowing": grades.worth_knowing,
        "passed": grades.passed,
        "wrong": lambda graded: [one.name for one in grades.failed(graded)],
        "in_short": grades.in_short,
        "passed_over": grades.passed_over,
        "file_name": file_name,
    }
    return found


def said(sentence: str, longest: int = LONG) -> Markup:
    """A sentence in which what stands between backticks is code."""
    parts = re.split(r"`([^`]+)`", visible(sentence, longest))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escaped(part)
        for index, part in enumerate(parts)
    )


def file_name(graded: GradedFile) -> str:
    """Which of its files the problem is in."""
    return visible(Path(graded.file or graded.path).name, grades.SHORT)


# --- Where pages go -------------------------------------------------------------------


def check_target(path: Path, is_class: bool) -> None:
    """Raise `UnusableTarget` if a page, or a folder of them, cannot be written there."""
    if not is_class:
        writing.check_file("--html", path, grades.GENERATOR, "page of a grading")
        return
    writing.check_target(path, grades.PAGES, "class summary", option="--html")


def write(path: Path, files: Sequence[GradedFile], class_name: str | None) -> None:
    """The page of a submission; or where they are a class, index.html and a page for each
    in a directory, which is there whole, or as it was before.

    Raises `UnusableTarget` if something cannot be written.
    """
    if class_name is None:
        (graded,) = files
        writing.write_file(path, render(graded))
        return
    addresses = [address(number, graded) for number, graded in enumerate(files, 1)]
    record = to_json({"files": grades.plain([*files])}, inf_nan_mode="strings")
    writing.write_folder(
        Path(os.path.realpath(path)),
        {
            grades.PAGES: record.decode() + "\n",
            INDEX: render_index(files, addresses, class_name),
            **dict(zip(addresses, map(render, files), strict=True)),
        },
    )


def address(number: int, graded: GradedFile) -> str:
    """A file's name that every system takes, and that no other submission has."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", Path(graded.path).stem).strip("-")[:40]
    return f"{number:03}{'-' if name else ''}{name}.html"
