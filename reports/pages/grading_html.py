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
from gradparity.reports import grade_book, grades, grades_class, writing
from gradparity.reports.japanese import LANGUAGE, Spoken, spoken
from gradparity.reports.pages.in_japanese import speak
from gradparity.reports.pages.report_html import shown, sort_key
from gradparity.reports.pages.templating import environment
from gradparity.reports.visible import LONG, visible

INDEX = "index.html"
SYMBOLS = {
    **{"pass": "✓", "fail": "✗", "FAIL": "✗", "unloadable": "✗", "incomplete": "✗"},
    **{"partly": "✗", "stopped": "■", "skipped": "∅", "ungraded": "∅", "missing": "∅"},
    **{"not run": "○", "not graded": "∅", "remarks": "!"},
}
WORDS = {
    **{"pass": "right", "fail": "wrong", "incomplete": "incomplete"},
    **{"partly": "partly loaded", "stopped": "not finished"},
    **{"unloadable": "cannot be loaded"},
    **{"skipped": "passed over", "ungraded": "could not be graded"},
}
COLOURS = {
    **{"pass": "v1", "fail": "v4", "FAIL": "v4", "incomplete": "v4", "partly": "v4"},
    **{"stopped": "v3", "unloadable": "v4", "skipped": "v4", "ungraded": "v0"},
    **{"missing": "v0", "not run": "v0", "not graded": "v3", "remarks": "v3"},
}
ALWAYS = ("pass", "fail", "unloadable")  # counted, if there are none, too


def render(graded: GradedFile) -> str:
    """A submission's page, as the text of an HTML file."""
    wrong = grades.failed(graded)
    own = grades.own(graded)
    counts = [
        ("right", len(graded.classes) - len(wrong), "pass"),
        ("wrong", len(wrong), "FAIL"),
        ("worth knowing", len(own), "remarks"),
        ("found and not graded", grades.how_many_left_out(graded), "not graded"),
        ("not offered", len({*graded.missing} - {*graded.absent}), "missing"),
    ]
    template = templates(LANGUAGE.get()).get_template("grade.html.j2")
    return template.render(
        graded=graded,
        counts=[each for each in counts if each[1] or each[2] in (*ALWAYS, "FAIL")],
        verdict=spoken(grades.headline(graded)),
        became=grades_class.became(graded),
        left_out=grades.left_out(graded),
        own=own,
        of_the_book=grades.of_the_book(graded),
        **common(),
    )


def render_index(
    files: Sequence[GradedFile], addresses: Sequence[str], name: str
) -> str:
    """The first page of a class; `addresses` are those of its submissions' pages."""
    found = [grades_class.became(graded) for graded in files]
    counts = [
        (word, found.count(kind), kind)
        for kind, word in WORDS.items()
        if kind in found or kind in ALWAYS
    ]
    template = templates(LANGUAGE.get()).get_template("grade_index.html.j2")
    return template.render(
        rows=list(zip(files, found, addresses, strict=True)),
        name=name,
        sentence=grades_class.class_sentence(files),
        commonest=grades_class.commonest(files),
        without_verdict=[*map(spoken, grades_class.without_verdict(files))],
        subjects=grades_class.subject_table(files),
        counts=counts,
        WORDS=WORDS,
        **common(),
    )


def common() -> dict[str, object]:
    """What every page is written with."""
    return {
        "generator": Markup(grades.GENERATOR),
        "versions": versions(),
        "ratio": spoken(grades.RATIO.partition(": ")[2]),
        "lang": LANGUAGE.get(),
        "SYMBOLS": SYMBOLS,
        "COLOURS": COLOURS,
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
def templates(lang: str) -> Environment:
    """Those in a language."""
    found = environment()
    found.filters |= {
        "visible": visible,
        "said": said,
        "shown": shown,
        "sort_key": sort_key,
        "who": lambda *given: Spoken(grades.who(*given)),
        "case": lambda name: spoken(visible(name, grades.SHORT)),
        "apart": lambda worst: grades.apart(worst.value, worst.truth),
        "relation": grades.relation,
        "worth_knowing": grades.worth_knowing,
        "files_looked_at": grades.files_looked_at,
        "own": grades.own,
        "failed": grades.failed,
        "beside": grades.called_and_defined,
        "why_left_out": grades.why_left_out,
        "passed": grades_class.passed,
        "in_short": grades_class.in_short,
        "count_left_out": grades.how_many_left_out,
        "where": where,
    }
    if lang == "ja":
        speak(found)
    return found


def said(sentence: str, longest: int = LONG) -> Markup:
    """A sentence in which what stands between backticks is code."""
    parts = re.split(r"`([^`]+)`", visible(spoken(sentence), longest))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escaped(part)
        for index, part in enumerate(parts)
    )


def where(graded: GradedFile) -> str:
    """Which line of which of its files the problem is in."""
    file = Path(graded.file or graded.path).name
    return grades.spot(file, graded.line, graded.cell)


# --- Where pages go -------------------------------------------------------------------


def check_target(path: Path, is_class: bool) -> None:
    """Raise `UnusableTarget` if a page, or a folder of them, cannot be written there."""
    if not is_class:
        writing.check_file("--html", path, grades.GENERATOR, "page of a grading")
        return
    writing.check_target(path, grade_book.PAGES, "class summary", option="--html")


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
            grade_book.PAGES: record.decode() + "\n",
            INDEX: render_index(files, addresses, class_name),
            **dict(zip(addresses, map(render, files), strict=True)),
        },
    )


def address(number: int, graded: GradedFile) -> str:
    """The name of its page in the folder of a class."""
    return f"{grades.slug(number, graded)}.html"
