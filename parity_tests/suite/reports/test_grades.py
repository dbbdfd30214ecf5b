"""What `gradparity grade` says and writes, mostly of gradings that are made up here.

What is graded how is tested elsewhere; here it is how that is said, and that nothing
which somebody else has written acts on a terminal, a page or a spreadsheet.
"""

import csv
import errno
import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from gradparity.parity_tests.grading import grade as grading
from gradparity.parity_tests.grading import launching
from gradparity.parity_tests.grading.records import (
    Diagnosis,
    Graded,
    GradedClass,
    GradedFile,
    Place,
    Skipped,
    Warned,
)
from gradparity.parity_tests.measuring.records import Worst
from gradparity.parity_tests.suite.reports.test_cli import gradparity
from gradparity.reports import grade_book, grades, grades_class
from gradparity.reports.commands import application
from gradparity.reports.pages import grading_html
from gradparity.reports.visible import is_seen, visible

HOSTILE = (
    "=cmd|'calc'!A1.py",
    "\x1b[31mred.py",
    "<script>alert(1);.py",
    "[red]markup[bold].py",
    ":skull:.py",
    "\u202egnp.exe.py",
    'quo"te,comma;semi.py',
    "@SUM(1+1).py",
    "line\nbreak\r\tand tab.py",
    "\udcff\x00\x9b2J.py",
    "{{ 7 * 7 }} {% raise %}.py",
    "田中.py",
    "-" * 3000 + ".py",
    "\u3164\u2800\u115f\ufe0f\u034f\xa0.py",
)
BAD = "<b onload=alert(1)>\x1b]0;mine\x07 [bold]\u202e\r\n=1+1 " + "x" * 2000
SENTENCE = (
    "Your `dx` is the right one times the batch size: `SoftmaxWithLoss.backward` does "
    "not divide by `batch_size`."
)


def right(*names: str, cases: int = 8) -> list[Graded]:
    return [
        Graded(
            quantity=name,
            cases=cases,
            wrong=0,
            verdict="pass",
            bound_ratio=0.25 + k / 7,
            case="batch",
            dtype="float32",
            worst=Worst(index=[2, k], value=0.5, truth=0.5 + 1e-8),
        )
        for k, name in enumerate(names)
    ]


def wrong(name: str, ratio: float | None = 1.7e6, **more: Any) -> Graded:
    found: dict[str, Any] = {"quantity": name, "cases": 8, "wrong": 7} | more
    return Graded(
        verdict="FAIL",
        bound_ratio=ratio,
        case="batch",
        dtype="float64",
        worst=Worst(index=[1, 3], value=-0.73105857863, truth=-0.14621171573),
        **found,
    )


def graded_class(name: str, *rows: Graded) -> GradedClass:
    fails = any(row.verdict == "FAIL" for row in rows)
    return GradedClass(
        name=name, verdict="FAIL" if fails else "pass", quantities=[*rows]
    )


def diagnosis(name: str = "SoftmaxWithLoss", **more: Any) -> Diagnosis:
    found: dict[str, Any] = {
        "quantities": ["dx"],
        "mistake": "mean-forgotten-in-backward",
        "known": True,
        "sentence": SENTENCE,
        "reread": "slide 46, SoftmaxWithLoss",
    }
    return Diagnosis.model_validate({"class": name} | found | more)


def warned(sentence: str, name: str | None = "Relu", kind: str = "wrote") -> Warned:
    found = {"class": name, "kind": kind, "sentence": sentence}
    return Warned.model_validate(found)


def passing(path: str = "class/right.py") -> GradedFile:
    classes = [
        graded_class("AddLayer", *right("out", "dx", "dy")),
        graded_class("Relu", *right("out", "dx")),
    ]
    return GradedFile(path=path, status="pass", classes=classes, seconds=0.8)


def failing(path: str = "class/wrong.py") -> GradedFile:
    """A submission with everything in it."""
    raised = "raised AttributeError: no attribute 'y' (line 40: return self.y - self.t)"
    return GradedFile(
        path=path,
        status="fail",
        classes=[
            graded_class("sigmoid", *right("out")),
            graded_class("AddLayer", *right("out", "dx", "dy")),
            graded_class("Relu", *right("out", "dx")),
            graded_class(
                "Affine", *right("out", "dx"), wrong("dW", math.inf), *right("db")
            ),
            graded_class("SoftmaxWithLoss", *right("out"), wrong("dx", wrong=6)),
            graded_class(
                "TwoLayerNet",
                *right("predict", "loss", "accuracy"),
                wrong("dW1", math.nan, note=raised),
                Graded(quantity="db1", cases=4, wrong=4, verdict="FAIL", note=raised),
            ),
        ],
        diagnosis=[
            diagnosis(),
            diagnosis(
                "Affine",
                quantities=["dW"],
                mistake="transposed",
                known=False,
                sentence="Your `dW` is the transpose of the right one",
                relation="dW is the right one, transposed",
                reread="slide 38",
            ),
            diagnosis(
                "TwoLayerNet",
                quantities=["dW1", "db1"],
                mistake=None,
                known=False,
                sentence="These are wrong in a way that is none of the known ones.",
                reread="",
            ),
        ],
        warnings=[
            warned("`backward` writes into its argument `dout`: whoever uses it next."),
            warned(f'It prints 3 characters: "{BAD}"', None, "printed"),
        ],
        missing=["MulLayer", "numerical_gradient"],
        seconds=1.25,
    )


def partly(path: str = "class/partly") -> GradedFile:
    """A submission of which not everything is graded, in a notebook and a file, with names
    of its own, one that never ran, and remarks that hold of the book's code, too.
    """
    never = Graded(
        quantity="dx", cases=8, wrong=0, verdict="not run", note="has `backword`"
    )
    relu = graded_class("Relu", *right("out"), never)
    affine = graded_class("Affine", *right("out", "dx", "dW", "db"))
    notebook = Place(file="hw.ipynb", line=2, cell=3)
    of_the_book = [
        warned(f"`Affine` does {what}.", "Affine").model_copy(
            update={"of_the_book": True}
        )
        for what in ("one thing", "another")
    ]
    return GradedFile(
        path=path,
        status="pass",
        classes=[
            relu.model_copy(update={"called": "ReLU", "source": notebook}),
            affine.model_copy(
                update={
                    "called": "Affine",
                    "source": Place(file="common/layers.py", line=30),
                }
            ),
        ],
        warnings=of_the_book,
        missing=["MulLayer", "TwoLayerNet"],
        looked_at=["common/layers.py", "hw.ipynb"],
        skipped=[
            Skipped(path="report.zip", why="is an archive", kind="passed over"),
            Skipped(
                path="ch04/two_layer_net.py",
                names=["TwoLayerNet"],
                line=8,
                why="is chapter 4's",
                kind="passed over",
            ),
            Skipped(
                path="old.ipynb",
                cell=2,
                line=4,
                names=["Relu", "Sigmoid"],
                why="cannot be loaded: NameError: x",
                kind="not loaded",
            ),
        ],
    )


def unloadable(path: str = "class/broken.py", file: str = "broken.py") -> GradedFile:
    return GradedFile(
        path=path,
        status="unloadable",
        problem="SyntaxError: '(' was never closed",
        file=file,
        line=12,
        source="    return np.dot(x, W",
    )


def hostile(path: str) -> GradedFile:
    """Everything that a submission controls says something bad."""
    one = graded_class(BAD, wrong(BAD, note=BAD))
    place = Place(file=BAD, line=1, cell=2)
    return GradedFile(
        path=path,
        status="fail",
        classes=[one.model_copy(update={"called": BAD + "!", "source": place})],
        diagnosis=[diagnosis(BAD, quantities=[BAD], sentence=BAD, mistake=BAD)],
        warnings=[warned(BAD, BAD)],
        problem=BAD,
        file=path,
        line=3,
        source=BAD,
        missing=[BAD, BAD[::-1]],
        absent=[BAD],
        looked_at=[BAD, path],
        skipped=[Skipped(path=BAD, names=[BAD], why=BAD, kind="not loaded")],
        cell=4,
    )


# --- Texts of somebody else -----------------------------------------------------------


def harmless(text: str) -> bool:
    """Whether nothing in it acts on a terminal, or breaks the line."""
    return is_seen(text)


def short(text: str) -> str:
    return ascii(text)[:20]


@pytest.mark.parametrize("text", [*HOSTILE, BAD], ids=short)
def test_what_is_visible_acts_on_nothing(text: str) -> None:
    shown = visible(text, 300)
    assert harmless(shown)
    assert len(shown) <= 300
    assert visible(shown, 300) == shown


def test_codes_are_written_as_python_writes_them() -> None:
    assert visible("\x1b[31m\x9b\r\n\t\u202e\udcff\U000e0041\x7f") == (
        r"\x1b[31m\x9b\r\n\t\u202e\udcff\U000e0041\x7f"
    )
    assert visible("x = 'é 田中 🙂' + \\n") == "x = 'é 田中 🙂' + \\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * 10, "a" * 10),
        ("a" * 11, "a" * 7 + "..."),
        ("abcdef\x1b", r"abcdef\x1b"),
        ("abcdefg\x1b", "abcdefg..."),
        ("abcdef\x1b\x1b", "abcdef..."),
        ("\n" * 10**6, r"\n\n\n..."),
    ],
    ids=short,
)
def test_what_is_long_is_cut_but_no_code_is(text: str, shown: str) -> None:
    assert visible(text, 10) == shown


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "＝", "＠"])
def test_no_cell_is_a_formula(first: str) -> None:
    cell = grade_book.csv_cell(first + "cmd|' /C calc'!A0")
    assert cell[0] == "'"
    assert harmless(cell)
    assert grade_book.csv_cell("a" + first) == "a" + visible(first)


# --- Tables and sentences -------------------------------------------------------------


def test_a_class_has_a_table() -> None:
    graded = next(one for one in failing().classes if one.name == "Affine")
    table = grades.class_table(graded)
    assert table.title == "Affine"
    assert [row[:5] for row in table.rows] == [
        ["out", "8", "0", "pass", "0.25"],
        ["dx", "8", "0", "pass", "0.39"],
        ["dW", "8", "7", "FAIL", "inf"],
        ["db", "8", "0", "pass", "0.25"],
    ]
    assert table.rows[0][5] == "batch in float32 at [2, 0]"
    said = "batch in float64 at [1, 3]: -0.7311 instead of -0.1462"
    assert table.rows[2][5] == said


def test_what_raised_has_no_numbers_but_a_note() -> None:
    network = failing().classes[-1]
    row = grades.class_table(network).rows[-1]
    assert row[4] == ""
    assert row[5].startswith("raised AttributeError: no attribute 'y' (line 40")


@pytest.mark.parametrize(
    ("value", "truth", "shown"),
    [
        (0.5, 0.25, ("0.5", "0.25")),
        (1.0000001, 1.0, ("1.0000001", "1")),
        (math.nan, 1 / 3, ("nan", "0.3333")),
        (-math.inf, 1e-300, ("-inf", "1e-300")),
        (0.1 + 0.2, 0.3, ("0.30000000000000004", "0.29999999999999999")),
    ],
)
def test_two_numbers_can_be_told_apart(
    value: float, truth: float, shown: tuple[str, str]
) -> None:
    assert grades.apart(value, truth) == shown


def test_what_is_wrong_is_said_with_what_to_reread() -> None:
    assert grades.what_is_wrong(failing()) == [
        f"SoftmaxWithLoss dx: {SENTENCE} Reread: slide 46, SoftmaxWithLoss. "
        "(mean-forgotten-in-backward)",
        "Affine dW: Your `dW` is the transpose of the right one. "
        "dW is the right one, transposed. Reread: slide 38.",
        "TwoLayerNet dW1 and db1: These are wrong in a way that is none of the known "
        "ones.",
    ]


@pytest.mark.parametrize(
    ("graded", "sentence"),
    [
        (passing(), "right.py: all 2 classes and functions are right."),
        (
            GradedFile(
                path="relu.py", status="pass", classes=[graded_class("Relu", *right())]
            ),
            "relu.py: it is right.",
        ),
        (
            failing(),
            "wrong.py: 3 of 6 classes and functions are wrong: Affine, SoftmaxWithLoss "
            "and TwoLayerNet.",
        ),
        (
            GradedFile(
                path="folder/endless", status="fail", problem="ran longer than 30 s"
            ),
            "endless is not passed: it ran longer than 30 s.",
        ),
        (
            GradedFile(
                path="a.py", status="fail", classes=[graded_class("Relu", wrong("dx"))]
            ),
            "a.py: 1 of 1 class or function is wrong: Relu.",
        ),
        (
            unloadable(),
            "broken.py cannot be loaded: SyntaxError: '(' was never closed "
            "(line 12: return np.dot(x, W).",
        ),
    ],
)
def test_a_sentence_closes_it(graded: GradedFile, sentence: str) -> None:
    assert grades.closing(graded) == sentence


def test_the_line_of_theirs_is_named() -> None:
    assert grades.cannot_be_loaded(unloadable()) == (
        "class/broken.py cannot be loaded: SyntaxError: '(' was never closed "
        "(line 12: return np.dot(x, W)"
    )
    assert "(layers.py, line 12: " in grades.cannot_be_loaded(
        unloadable("class/tanaka", "layers.py")
    )
    alone = GradedFile(path="a.py", status="unloadable", problem="It offers nothing")
    assert grades.cannot_be_loaded(alone) == (
        "a.py cannot be loaded: It offers nothing"
    )


CLASS = [
    passing("class/aoki.py"),
    failing("class/suzuki.py"),
    unloadable("class/tanaka.py"),
    failing("class/ueda"),
]


def test_what_follows_from_other_mistakes_is_none_of_its_own() -> None:
    follows = diagnosis(
        "TwoLayerNet",
        mistake=grades.FOLLOWS,
        known=False,
        sentence="It is built from `Relu`, which is wrong.",
        relation="follows from `Relu`",
        reread="",
    )
    graded = GradedFile(
        path="a.py",
        status="fail",
        problem="ran longer than 30 s in Affine",
        classes=[graded_class("TwoLayerNet", wrong("loss"))],
        diagnosis=[follows],
    )
    assert grades.what_is_wrong(graded) == [
        "It ran longer than 30 s in Affine.",
        "TwoLayerNet dx: It is built from `Relu`, which is wrong.",
    ]
    assert grades_class.commonest([graded]) == []
    assert grades_class.in_short(graded) == (
        "ran longer than 30 s in Affine; TwoLayerNet: dx follows-from-its-parts"
    )


def test_a_class_has_a_summary() -> None:
    table = grades_class.summary_table(CLASS)
    mistakes = (
        "Affine: dW transposed; SoftmaxWithLoss: dx mean-forgotten-in-backward; "
        "TwoLayerNet: dW1 and db1"
    )
    assert table.rows == [
        ["aoki.py", "pass", "2/2", "", ""],
        ["suzuki.py", "FAIL", "3/6", mistakes, "2"],
        [
            "tanaka.py",
            "not loaded",
            "",
            f"{unloadable().problem} (broken.py, line 12)",
            "",
        ],
        ["ueda", "FAIL", "3/6", mistakes, "2"],
    ]
    assert grades_class.commonest(CLASS) == [
        f"2 of 4: {SENTENCE} (SoftmaxWithLoss dx: mean-forgotten-in-backward)",
        "2 of 4: Your `dW` is the transpose of the right one. (Affine dW: transposed)",
    ]
    assert grades_class.class_sentence(CLASS) == (
        "Of 4 submissions 1 is right, 2 are wrong and 1 cannot be loaded. 3 of 4 graded."
    )


def test_the_commonest_mistakes_are_told_and_the_others_counted() -> None:
    count = grades_class.COMMONEST + 3
    files = [
        GradedFile(
            path=f"{k}.py",
            status="fail",
            diagnosis=[diagnosis(mistake=f"mistake-{m}") for m in range(k)] * 2,
        )
        for k in range(count)
    ]
    *said, others = grades_class.commonest(files)
    assert [(text.partition(":")[0], text.rpartition(": ")[2]) for text in said] == [
        (f"{count - 1 - m} of {count}", f"mistake-{m})")
        for m in range(grades_class.COMMONEST)
    ]
    assert others == f"2 other mistakes: of each at most 2 of {count}."


def skipped(path: str = "class/aoki.ipynb") -> GradedFile:
    problem = "is a notebook: save it as a .py file"
    return GradedFile(path=path, status="skipped", problem=problem)


def passing_but(over: dict[str, str], path: str = "class/mori") -> GradedFile:
    """One in which these are passed over."""
    skipped = [Skipped(path=p, why=w, kind="passed over") for p, w in over.items()]
    return passing(path).model_copy(update={"passed_over": over, "skipped": skipped})


OVER = passing_but({"a.ipynb": "is a notebook", "b.zip": "is an archive"})


def test_what_is_passed_over_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [passing(), skipped(), OVER]
    assert grades_class.class_sentence(files) == (
        "Of 3 submissions 2 are right and 1 was passed over. 2 of 3 graded."
    )
    _, row, other = grades_class.summary_table(files).rows
    assert row == ["aoki.ipynb", "passed over", "", str(skipped().problem), ""]
    assert grades_class.summary_table(files).headers[4] == "not graded"
    assert other[4] == "2"
    assert grades_class.found_and_not_graded(files) == [
        "mori: a.ipynb is a notebook; b.zip is an archive."
    ]
    _, one, another = csv.DictReader(StringIO(grade_book.csv_text(files)))
    assert (one["status"], one["problem"]) == ("skipped", skipped().problem)
    assert another["passed over"] == "a.ipynb is a notebook; b.zip is an archive"
    grades.show(OVER)
    said = capsys.readouterr().out
    assert "\n- a.ipynb is a notebook.\n- b.zip is an archive.\n" in said
    assert "are right; 2 files were passed over." in said
    grading_html.write(tmp_path / "a", files, "class")
    pages = [p.read_text("utf-8") for p in sorted((tmp_path / "a").glob("*.html"))]
    texts = [" ".join(Elements(page).text.split()) for page in pages]
    assert "It is a notebook: save it as a .py file" in texts[1]
    assert "b.zip is an archive." in texts[2]
    assert "1 was passed over. 2 of 3 graded." in texts[3]
    assert 'data-status="skipped"' in pages[3]


@pytest.mark.parametrize(
    ("files", "is_class", "status"),
    [
        ([passing()], False, 0),
        ([failing()], False, 1),
        ([unloadable()], False, 2),
        ([passing(), passing()], True, 0),
        ([passing(), failing()], True, 1),
        ([passing(), unloadable()], True, 1),
        ([unloadable()], True, 1),
        ([passing(), skipped()], True, 1),
        ([passing(), OVER], True, 0),
    ],
)
def test_exit_status(files: list[GradedFile], is_class: bool, status: int) -> None:
    assert grades.exit_status(files, is_class) == status


def test_csv_has_a_row_for_each() -> None:
    rows = list(csv.DictReader(StringIO(grade_book.csv_text(CLASS))))
    assert [row["who"] for row in rows] == [
        *("aoki.py", "suzuki.py", "tanaka.py", "ueda")
    ]
    assert [row["status"] for row in rows] == ["pass", "fail", "unloadable", "fail"]
    assert rows[1] == {
        "who": "suzuki.py",
        "status": "fail",
        "passed": "3 of 6",
        "wrong": "Affine, SoftmaxWithLoss, TwoLayerNet",
        "mistakes": "mean-forgotten-in-backward, transposed",
        "warnings": "2",
        "problem": "",
        "passed over": "",
        "points": "3",
        "of": "6",
        "not graded": "",
        "looked at": "",
        "sigmoid": "pass",
        "AddLayer": "pass",
        "Relu": "pass",
        "Affine": "FAIL",
        "SoftmaxWithLoss": "FAIL",
        "TwoLayerNet": "FAIL",
    }
    assert rows[2]["problem"] == (
        "SyntaxError: '(' was never closed (broken.py, line 12: return np.dot(x, W)"
    )


# --- Where things are, and what is not graded -----------------------------------------


def test_a_title_says_what_it_is_called_and_where_it_is() -> None:
    titles = [grades.class_table(one).title for one in partly().classes]
    assert titles == [
        "Relu (ReLU in hw.ipynb, cell 3, line 2)",
        "Affine (common/layers.py, line 30)",
    ]
    assert grades.class_table(passing().classes[0]).title == "AddLayer"
    long = "a-name-that-is-long-" * 10
    assert grades.class_table(graded_class(long)).title == long


def test_what_never_ran_is_neither_right_nor_wrong() -> None:
    row = grades.class_table(partly().classes[0]).rows[1]
    assert row == ["dx", "", "", "not run", "", "has `backword`"]
    page = grading_html.render(partly())
    assert "○</span> not run</span>" in page
    assert "0 of 8" in Elements(page).text.partition("dx")[0]
    assert "0 of 8" not in Elements(page).text.partition("dx")[2].partition("Affine")[0]


def test_all_that_was_found_and_not_graded_is_told_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    grades.show(partly())
    said = capsys.readouterr().out
    assert said.endswith(
        "Found and not graded\n"
        "- old.ipynb, cell 2, line 4 (Relu and Sigmoid) cannot be loaded: NameError: x.\n"
        "- report.zip is an archive.\n"
        "- ch04/two_layer_net.py, line 8 (TwoLayerNet) is chapter 4's.\n"
        "\n"
        "Looked at: common/layers.py and hw.ipynb.\n"
        "Not offered, and so not graded: MulLayer and TwoLayerNet.\n"
        "partly: all 2 classes and functions that were graded are right; 2 classes and "
        "functions could not be loaded; 1 more was found and not graded; 1 file was passed "
        "over.\n"
    )
    words = " ".join(Elements(grading_html.render(partly())).text.split())
    for sentence in (
        "that were graded are right; 2 classes and functions could not be loaded; 1 more",
        "old.ipynb, cell 2, line 4 (Relu and Sigmoid) cannot be loaded: NameError: x.",
        "report.zip is an archive.",
        "ReLU in hw.ipynb, cell 3, line 2",
        "Looked at: common/layers.py, hw.ipynb.",
    ):
        assert sentence in words
    one = partly().model_copy(update={"classes": partly().classes[:1]})
    assert grades.verdict(one) == "what was graded of it is right"


def test_remarks_that_hold_of_the_book_are_one_line() -> None:
    assert grades.remarks(partly()) == [
        "True of the book's own code as well: 2 more remarks, on `Affine`."
    ]
    page = grading_html.render(partly())
    assert page.index("<details") < page.index("does another") < page.index("</details")
    assert grades_class.summary_table([partly()]).headers[-1] == "looked at"


def test_a_place_in_a_notebook_has_its_cell() -> None:
    broken = unloadable("hw.ipynb", "hw.ipynb").model_copy(update={"cell": 3})
    place = "hw.ipynb, cell 3, line 12"
    assert f"({place}: return" in grades.cannot_be_loaded(broken)
    assert place in grading_html.render(broken)
    assert grades_class.in_short(broken).endswith(f"({place})")


def test_what_is_expected_and_absent_fails() -> None:
    held = grades.held_to(partly(), ["Relu", "MulLayer"])
    assert (held.status, held.absent) == ("fail", ["MulLayer"])
    assert grades.held_to(partly(), ["Relu"]) == partly()
    assert grades.held_to(unloadable(), ["Relu"]) == unloadable()
    said = "it is not passed; what was expected is not there: MulLayer; 2 classes and"
    assert grades.headline(held).startswith(said)
    assert grades.what_is_wrong(held) == [
        "Expected, and not in the submission: MulLayer."
    ]
    assert grades.not_offered(held) == "Not offered, and so not graded: TwoLayerNet."
    assert grades_class.class_sentence([held, partly()]) == (
        "Of 2 submissions 1 is right and 1 lacks what was expected."
    )
    assert "Expected, and not in the submission." in grading_html.render(held)


# --- Nothing of it acts on what shows it ----------------------------------------------

ALL_HOSTILE = [hostile(f"class/{name}") for name in HOSTILE]


def on_terminal(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> str:
    file = StringIO()
    terminal = Console(file=file, width=80, force_terminal=True, emoji=False)
    monkeypatch.setattr(grades, "output", terminal)
    act()
    return file.getvalue()


def without_styles(text: str) -> list[Text]:
    return [Text.from_ansi(line) for line in text.split("\n")]


def test_a_terminal_shows_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    said = on_terminal(monkeypatch, lambda: grades_class.show_all(ALL_HOSTILE))
    lines = without_styles(said)
    assert all(line.cell_len <= 80 for line in lines)
    plain = "\n".join(line.plain for line in lines)
    assert harmless(plain.replace("\n", ""))
    for name in ("[red]markup[bold].py", ":skull:.py", r"\x1b[31mred.py", "田中.py"):
        assert name in plain
    # The only instructions to the terminal are ours: bold, red, italic, and their end.
    assert {*re.findall(r"\x1b\[?[^m]*m?", said)} == {
        *("\x1b[1m", "\x1b[3m", "\x1b[0m")
    }


@pytest.mark.parametrize("graded", [failing(), passing(), hostile(HOSTILE[0])])
def test_a_terminal_shows_a_submission(
    monkeypatch: pytest.MonkeyPatch, graded: GradedFile
) -> None:
    said = on_terminal(monkeypatch, lambda: grades.show(graded))
    lines = without_styles(said)
    assert all(line.cell_len <= 80 for line in lines)
    assert harmless("".join(line.plain for line in lines))
    assert ("What is wrong" in said) == bool(graded.diagnosis)
    assert ("Worth knowing" in said) == bool(graded.warnings)
    assert ("Not offered" in said) == bool(graded.missing)


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    grades_class.show_all(ALL_HOSTILE)
    grades.show(ALL_HOSTILE[2])
    said = capsys.readouterr().out
    assert harmless(said.replace("\n", ""))
    for name in (":skull:.py", "[red]markup[bold].py", "<script>alert(1);.py"):
        assert name in said


def test_a_pipe_that_knows_few_characters_gets_their_codes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", pipe)
    grades_class.show_all([passing("田中.py")])
    pipe.flush()
    assert rb"\u7530\u4e2d.py" in pipe.buffer.getvalue()


def test_csv_holds_nothing_that_acts() -> None:
    rows = list(csv.reader(StringIO(grade_book.csv_text(ALL_HOSTILE))))
    assert len(rows) == 1 + len(HOSTILE)
    for row in rows:
        assert len(row) == len(grade_book.COLUMNS) + 1  # of all the same class
        for cell in row:
            assert harmless(cell)
            assert not cell.startswith(("=", "+", "-", "@"))
    assert [row[0] for row in rows[1:3]] == ["'=cmd|'calc'!A1.py", r"\x1b[31mred.py"]


class Elements(HTMLParser):
    """The tags of a page, its attributes, and its text but for style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags = list[str]()
        self.attributes = list[tuple[str, str | None]]()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] not in (["style"], ["script"]):
            self.text += data


@pytest.mark.parametrize("name", HOSTILE, ids=short)
def test_a_page_holds_nothing_that_acts(name: str) -> None:
    page = grading_html.render(hostile(f"class/{name}"))
    found = Elements(page)
    assert harmless(page.replace("\n", ""))
    assert "script" not in found.tags
    assert "b" not in found.tags
    assert not [key for key, _ in found.attributes if key.startswith("on")]
    assert visible(name, 120) in found.text
    assert "<b onload=alert(1)>\\x1b]0;mine" in found.text


def test_a_class_page_holds_nothing_that_acts(tmp_path: Path) -> None:
    grading_html.write(tmp_path / "a", ALL_HOSTILE, HOSTILE[2])
    page = (tmp_path / "a" / "index.html").read_text(encoding="utf-8")
    found = Elements(page)
    assert found.tags.count("script") == 1
    assert "b" not in found.tags
    links = [value for key, value in found.attributes if key == "href"]
    pages = [link for link in links if link and link.endswith(".html")]
    assert pages == sorted(p.name for p in (tmp_path / "a").glob("[0-9]*.html"))
    assert len(pages) == len(HOSTILE)
    assert all(re.fullmatch(r"\d{3}[-\w]*\.html", name, re.ASCII) for name in pages)


# --- Pages ----------------------------------------------------------------------------


def test_a_page_says_everything() -> None:
    found = Elements(grading_html.render(failing("somewhere/else/suzuki.py")))
    words = " ".join(found.text.split())
    for said in (
        *("suzuki.py", "3 of 6 classes and functions are wrong"),
        "Your dx is the right one times the batch size",
        *("slide 46, SoftmaxWithLoss", "mean-forgotten-in-backward"),
        *("backward writes into its argument dout", "MulLayer", "numerical_gradient"),
        *("raised AttributeError", "gradparity 0.", "NumPy", "Python"),
    ):
        assert said in words
    assert "somewhere" not in words
    assert [id for key, id in found.attributes if key == "id" if id and "class-" in id]


@pytest.mark.parametrize("is_class", [True, False])
def test_pages_load_nothing(tmp_path: Path, is_class: bool) -> None:
    name = "class" if is_class else None
    grading_html.write(tmp_path / "a", CLASS if is_class else CLASS[:1], name)
    for path in (tmp_path / "a").glob("*.html") if is_class else [tmp_path / "a"]:
        page = path.read_text(encoding="utf-8")
        for key, value in Elements(page).attributes:
            local = (value or "").startswith(("#", "data:,", "0"))
            assert key not in ("src", "action")
            assert key != "href" or local
        assert "url(" not in page
        assert "@import" not in page


def test_an_unloadable_page_shows_the_line() -> None:
    words = Elements(grading_html.render(unloadable())).text
    for said in ("It cannot be loaded", "'(' was never closed", "broken.py, line 12"):
        assert said in words
    assert "    return np.dot(x, W" in words


def test_a_class_is_whole_and_replaces_only_a_class(tmp_path: Path) -> None:
    target = tmp_path / "graded"
    for files in (CLASS, CLASS[:1]):
        grading_html.check_target(target, True)
        grading_html.write(target, files, "class")
        assert len([*target.iterdir()]) == len(files) + 2
    assert [p.name for p in tmp_path.iterdir()] == ["graded"]
    record = json.loads((target / "grades.json").read_text(encoding="utf-8"))
    assert [GradedFile.model_validate(row) for row in record["files"]] == CLASS[:1]


# --- The command ----------------------------------------------------------------------


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """`gradparity grade` in an empty folder, with gradings that are made up."""
    monkeypatch.chdir(tmp_path)

    def run(
        files: Sequence[GradedFile], *arguments: str, lacking: Sequence[str] = ()
    ) -> Any:
        def grade_all(
            paths: Any, jobs: int, limits: Any, given: Any
        ) -> Iterator[GradedFile]:
            asked.append((jobs, limits))
            yield from files

        asked: list[Any] = []
        paths = [Path(graded.path) for graded in files]
        monkeypatch.setattr(grading, "submissions", lambda path, one: paths)
        monkeypatch.setattr(grading, "is_class", lambda path: path == Path("class"))
        monkeypatch.setattr(grading, "grade_all", grade_all)
        monkeypatch.setattr(launching, "lacking_here", lambda: lacking)
        monkeypatch.setattr(sys, "argv", ["gradparity", "grade", *arguments])
        with pytest.raises(SystemExit) as ended:
            application.main()
        said = capsys.readouterr()
        return SimpleNamespace(
            status=ended.value.code, out=said.out, err=said.err, asked=asked
        )

    return run


def test_one_submission_is_graded(command: Callable[..., Any]) -> None:
    done = command([failing()], "wrong.py")
    assert (done.status, done.err) == (1, "")
    parts = ("sigmoid", "Affine", "What is wrong", "Worth knowing", "Not offered")
    places = [done.out.index(part) for part in parts]
    assert places == sorted(places)
    assert done.out.endswith("Affine, SoftmaxWithLoss and TwoLayerNet.\n")
    assert command([passing()], "right.py").status == 0


def test_what_cannot_be_loaded_gets_one_sentence(command: Callable[..., Any]) -> None:
    done = command([unloadable()], "broken.py")
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "gradparity: class/broken.py cannot be loaded: SyntaxError: '(' was never "
        "closed (line 12: return np.dot(x, W)\n"
    )
    done = command([unloadable()], "broken.py", "--json")
    assert done.status == 2
    assert json.loads(done.out)["files"][0]["status"] == "unloadable"
    done = command([unloadable("\x1b[2J.py", "\x1b[2J.py")], "a.py")
    assert harmless(done.err.strip())


def test_a_class_is_graded(command: Callable[..., Any]) -> None:
    done = command(CLASS, "class")
    assert (done.status, done.err) == (1, "")
    assert done.out.startswith("What to talk about in class\n- 2 of 4: Your `dx` is")
    assert done.out.endswith("1 cannot be loaded. 3 of 4 graded.\n")


def test_options_reach_the_engine(command: Callable[..., Any]) -> None:
    done = command([passing()], "a.py", "--time-limit", "7", "--jobs", "3")
    ((jobs, limits),) = done.asked
    assert jobs == 3
    assert limits.seconds == 7
    assert command([passing()], "a.py").asked[0][1].seconds == 30


def test_what_is_not_limited_here_is_said(command: Callable[..., Any]) -> None:
    done = command([passing()], "a.py", "--json", lacking=["a submission can fork"])
    assert done.status == 0
    assert done.err == "warning: on this system a submission can fork\n"
    assert json.loads(done.out)


def test_json_is_read_back(command: Callable[..., Any]) -> None:
    done = command([failing(), *ALL_HOSTILE], "class", "--json")
    assert harmless(done.out.strip())
    found = json.loads(done.out)
    assert set(found) == {"files", "lacking"}
    first, *others = (GradedFile.model_validate(row) for row in found["files"])
    # NaN is unlike itself.
    assert repr(first) == repr(failing())
    assert [one.path for one in others][:9] == [one.path for one in ALL_HOSTILE][:9]
    assert found["files"][0]["diagnosis"][0]["class"] == "SoftmaxWithLoss"
    assert found["files"][0]["classes"][3]["quantities"][2]["bound_ratio"] == "Infinity"


@pytest.mark.parametrize("as_json", [False, True])
def test_files_are_written(
    command: Callable[..., Any], tmp_path: Path, as_json: bool
) -> None:
    more = ["--json"] if as_json else []
    for _ in range(2):  # once more: what we have written is ours to replace
        one = command([failing()], "a.py", "--html", "a.html", "--csv", "a.csv", *more)
        both = command(CLASS, "class", "--html", "a", "--csv", "all.csv", *more)
    assert (one.status, both.status) == (1, 1)
    assert one.out.endswith("a.csv\na.html\n") != as_json
    assert both.out.endswith("all.csv\na/index.html\n") != as_json
    assert {p.name for p in tmp_path.iterdir()} == {"a.html", "a.csv", "a", "all.csv"}
    text = (tmp_path / "all.csv").read_text(encoding="utf-8")
    assert text.count("\n") == 1 + len(CLASS)
    assert "wrong.py" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_a_page_is_written_of_what_cannot_be_loaded(
    command: Callable[..., Any], tmp_path: Path
) -> None:
    done = command([unloadable()], "a.py", "--html", "a.html")
    assert (done.status, done.out) == (2, "a.html\n")
    assert "never closed" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_a_spreadsheet_knows_names_that_are_not_ascii(
    command: Callable[..., Any], tmp_path: Path
) -> None:
    command([passing("class/田中.py")], "class", "--csv", "a.csv")
    content = (tmp_path / "a.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(StringIO(content.decode("utf-8-sig")))
    assert row["who"] == "田中.py"


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        ("a.py", ["--html", "work"], "--html must name a new file or an earlier page"),
        ("a.py", ["--html", "work/thesis"], "--html must name a new file"),
        ("a.py", ["--csv", "work/thesis"], "--csv must name a new file"),
        ("a.py", ["--csv", "work"], "--csv must name a new file or an earlier class"),
        ("class", ["--csv", "work/page.html"], "--csv must name a new file"),
        ("a.py", ["--html", "nowhere/a"], "--html: there is no folder nowhere"),
        ("class", ["--csv", "nowhere/a"], "--csv: there is no folder nowhere"),
        ("class", ["--html", "work"], "--html must be a new or empty directory or an"),
        ("class", ["--html", "work/thesis"], "--html must be a new or empty directory"),
        ("class", ["--html", "."], "--html must name a directory of its own"),
        ("class", ["--html", "work/thesis/a"], "--html: "),
        ("a.py", ["--html", "a", "--csv", "./a"], "--html and --csv cannot both be a"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nothing_of_somebody_else_is_replaced(
    command: Callable[..., Any],
    tmp_path: Path,
    path: str,
    options: list[str],
    sentence: str,
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis").write_text("years of work")
    (tmp_path / "work" / "page.html").write_text(grading_html.render(passing()))
    done = command([passing()], path, *options)
    assert (done.status, done.out) == (2, "")
    assert done.asked == []
    assert done.err.startswith(f"gradparity: {sentence}")
    assert done.err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["work"]
    assert (tmp_path / "work" / "thesis").read_text() == "years of work"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux's processes")
@pytest.mark.parametrize("path", ["a.py", "class"])
@pytest.mark.parametrize("option", ["--html", "--csv"])
def test_a_folder_that_cannot_be_written_is_refused_at_once(
    command: Callable[..., Any], option: str, path: str
) -> None:
    done = command([passing()], path, option, "/proc/a")
    assert (done.status, done.out, done.asked) == (2, "", [])
    assert done.err.startswith(f"gradparity: {option}: /proc is not a directory to")


def test_a_disk_that_is_full_loses_nothing_and_leaves_nothing_half_written(
    command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = command(CLASS, "class", "--csv", "a.csv")
    assert (done.status, "Of 4 submissions" in done.out) == (2, True)
    said, _, place = done.err.rstrip().rpartition("; it is kept in ")
    assert said == "gradparity: a.csv cannot be written: No space left on device"
    assert "tanaka.py" in (Path(place) / "a.csv").read_text()
    assert [*tmp_path.iterdir()] == [Path(place)]


@pytest.mark.parametrize(
    "options",
    [["--time-limit", "0"], ["--jobs", "0"], ["--time-limit", "nan"], ["--html"], []],
    ids=" ".join,
)
def test_what_cannot_be_parsed_exits_with_2(
    command: Callable[..., Any], options: list[str]
) -> None:
    done = command([passing()], *(["a.py", *options] if options else []))
    assert (done.status, done.out, done.asked if options else []) == (2, "", [])


# --- For real -------------------------------------------------------------------------

RELU = """
class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout = dout.copy()
        dout[self.mask] = 0
        return dout{}
"""


def said_of_it(done: Any) -> list[str]:
    """Standard error, but for what is lacking on this system."""
    lines = done.stderr.splitlines()
    return [line for line in lines if not line.startswith("warning: on this system ")]


def test_a_class_is_graded_for_real(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "right.py").write_text(RELU.format(""))
    (folder / "=1+1[red].py").write_text(RELU.format(" * 2"))
    (folder / "broken.py").write_text(RELU.format("("))
    done = gradparity(
        *(tmp_path, "grade", "class", "--jobs", "2"),
        *("--html", "graded", "--csv", "graded.csv", "--json"),
    )
    assert (done.returncode, said_of_it(done)) == (1, [])
    files = [GradedFile.model_validate(f) for f in json.loads(done.stdout)["files"]]
    status = {Path(graded.path).name: graded.status for graded in files}
    assert status["right.py"] == "pass"
    assert status["broken.py"] == "unloadable"
    assert status["=1+1[red].py"] == "fail"
    with (tmp_path / "graded.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["who"]: row for row in csv.DictReader(file)}
    assert rows["right.py"]["passed"] == "1 of 1"
    assert rows["'=1+1[red].py"]["wrong"] == "Relu"
    assert "line 12: return dout(" in rows["broken.py"]["problem"]
    assert len([*(tmp_path / "graded").iterdir()]) == 3 + 2


def test_what_is_written_into_the_class_is_no_submission(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one.py", "other.py"):
        (tmp_path / name).write_text(RELU.format(""))
    monkeypatch.chdir(tmp_path)
    call = ["grade", ".", "--html", "pages", "--csv", "all.csv", "--results", "scores"]
    call.append("--json")
    monkeypatch.setattr(sys, "argv", ["gradparity", *call])
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            application.main()
        assert ended.value.code == 0
        assert len(json.loads(capsys.readouterr().out)["files"]) == 2


def test_a_file_is_graded_for_real(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import numpy as np\nx = (\x1b[31m1\n")
    done = gradparity(tmp_path, "grade", "broken.py")
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = said_of_it(done)
    assert sentence.startswith("gradparity: broken.py cannot be loaded: SyntaxError")
    assert "line 2: x = (\\x1b[31m1" in sentence
    assert harmless(sentence)
    (tmp_path / "right.py").write_text(RELU.format(""))
    done = gradparity(tmp_path, "grade", "right.py")
    assert (done.returncode, said_of_it(done)) == (0, [])
    assert done.stdout.startswith("Relu (right.py, line 2)\n")
    assert done.stdout.endswith("right.py: it is right.\n")


@pytest.mark.parametrize("path", ["nowhere.py", "notes.txt", "empty"])
def test_what_cannot_be_a_submission_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "notes.txt").write_text("no Python")
    (tmp_path / "empty").mkdir()
    done = gradparity(tmp_path, "grade", path)
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = said_of_it(done)
    assert sentence.startswith("gradparity: ")
    assert path in sentence
