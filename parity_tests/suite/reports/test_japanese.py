"""All that `grade` says is there in Japanese.

What is said of the submissions in `suite/grading` is looked at there (`conftest.py`); here
it is what stands in the source, said in a test or not.
"""

import ast
import csv
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from tabulate import tabulate

from gradparity.parity_tests.grading import confinement, formulas
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.records import (
    Diagnosis,
    Graded,
    GradedClass,
    GradedFile,
    Place,
    Skipped,
    Warned,
)
from gradparity.parity_tests.grading.relations_of_values import FACTORS, OPPOSITE
from gradparity.parity_tests.grading.tasks import all_tasks
from gradparity.parity_tests.measuring.records import Worst
from gradparity.parity_tests.mutants import MUTANTS, OF_THE_COURSE
from gradparity.parity_tests.suite.reports.test_cli import Called, called
from gradparity.parity_tests.suite.support import ROOT
from gradparity.reports import grade_book, grades, grades_class, japanese
from gradparity.reports.console import Screen
from gradparity.reports.pages import grading_html, in_japanese
from gradparity.reports.tables.table import Table

__all__ = ["called"]  # a fixture
TEMPLATES = ROOT / "reports" / "templates"
GRADING = ROOT / "parity_tests" / "grading"
# What speaks to the other process, or to whoever mends this one, and not to people.
INTERNAL = ("messages", "seccomp", "landlock", "linux", "libraries", "reading")
# Whose names and sentences are looked at below.
IN_PARTS = ("confinement", *(path.stem for path in GRADING.glob("tasks*.py")))
NOT_SAID = ("Malformed", "RuntimeError", "ChildProcessError", "ModuleNotFoundError")
REPORTS = [
    ROOT / "reports" / f"{name}.py"
    for name in ("grades", "grades_class", "grade_book", "pages/grading_html")
]
NAMES = ("TwoLayerNet by hand",)  # which is never said
# What a target is called that cannot be written, in a refusal, which is in English.
TARGETS = ("results of a class", "results of a grading", "page of a grading")
# What is filled in, in a template or a sentence; and three words in a row, as code has not.
GAP = re.compile(r"`[^`]*`|\{[^{}]*\}|\. (?=[A-Z])|(?<= )[\d.]+(?:e-\d+)?(?= )")
PROSE = re.compile(r"[A-Za-z']+ [a-z']+ [a-z']+")


def strings(path: Path, but: tuple[str, ...] = NOT_SAID) -> Iterator[str]:
    """The strings of a module that may be said: those that are filled in have `{}`.

    Args:
        path: of the module.
        but: what is not said if it is called with a string.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)  # which says nothing: a docstring
        called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if called in but or isinstance(node, ast.Compare):
            skipped.update(ast.walk(node))
        if isinstance(node, ast.JoinedStr) and node not in skipped:
            skipped.update(node.values)
            parts = [
                v.value if isinstance(v, ast.Constant) else "{}" for v in node.values
            ]
            yield "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in skipped:
            yield str(node.value)


def pieces(text: str) -> list[str]:
    """What stands between the gaps, as far as it is prose."""
    if text.startswith("import "):  # a program
        return []
    found = (piece.strip(" .,:;()“”") for piece in GAP.split(text))
    return [piece for piece in found if PROSE.search(piece)]


def by_three(text: str) -> list[str]:
    """All groups of three words that stand together."""
    words = text.replace(",", "").split()
    return [" ".join(words[at : at + 3]) for at in range(len(words) - 2)]


def templates() -> list[str]:
    return [english for english, _ in japanese.pairs()]


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in [*sorted(GRADING.glob("*.py")), *REPORTS]
        if path.stem not in (*INTERNAL, *IN_PARTS)
    ],
    ids=lambda path: path.stem,
)
def test_all_that_can_be_said_has_a_template(path: Path) -> None:
    known = "\n".join(piece for english in templates() for piece in pieces(english))
    known += "\n".join((*TARGETS, *NAMES))
    missing = [
        piece for text in strings(path) for piece in pieces(text) if piece not in known
    ]
    assert not missing, "reports/words/grading.ja.toml has no template for these"


@pytest.mark.parametrize(
    "name", [path.name for path in TEMPLATES.glob("grade*.html.j2")]
)
def test_all_that_stands_in_a_page_has_its_japanese(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = []

    def noted(text: str) -> str:
        if (said := japanese.translated(text)) is None:
            missing.append(text)
        return said or text

    monkeypatch.setattr(in_japanese, "in_japanese", noted)
    grading_html.templates.cache_clear()
    grading_html.templates("ja").get_template(name)
    grading_html.templates.cache_clear()
    assert [text for text in missing if "=" not in text and len(text) > 3] == []


def test_every_known_mistake_is_there_in_japanese() -> None:
    missing = [
        mutant.predicate
        for mutant in (*MUTANTS, *OF_THE_COURSE)
        if (mutant.layer in SUBJECTS or mutant in OF_THE_COURSE)
        and mutant.implementation == "reference"
        and mutant.scope != "training"
        and japanese.translated(f"`{mutant.layer}` {mutant.predicate}") is None
    ]
    assert not missing


def test_what_is_said_in_parts_is_there_in_japanese() -> None:
    said = [
        *(task.case for task in all_tasks()),
        *confinement.LACKING.values(),
        *(f"is the right one {each}" for each in FACTORS if each != OPPOSITE),
        *(
            f"is `{formula}`{formulas.note(name, formula)}"
            + (f": {why}" if why else "")
            for (name, _), of_it in formulas.FORMULAS.items()
            for formula, why in of_it.items()
        ),
    ]
    assert [each for each in said if japanese.translated(each) is None] == []


def test_no_template_is_left_over() -> None:
    """What nobody says any more has none. Some are composed of several strings."""
    folders = [GRADING, ROOT / "parity_tests" / "mutants", ROOT / "reports"]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    said = "\n".join(text for path in paths for text in strings(path, but=()))
    said += " ".join(mutant.predicate for mutant in (*MUTANTS, *OF_THE_COURSE))
    for path in TEMPLATES.glob("grade*.j2"):
        said += path.read_text(encoding="utf-8")
    left = []
    for english in templates():
        words = [each for piece in pieces(english) for each in by_three(piece)]
        if sum(each in said for each in words) < len(words) / 4:
            left.append(english)
    assert left == []


def test_a_template_is_filled_with_what_stands_in_the_english() -> None:
    """And it is Japanese, without a full stop."""
    for english, said in japanese.pairs():
        if len(english) == 1:  # a mark
            continue
        filled = set(re.findall(r"\{(\w+)\}", said))
        assert filled <= set(re.findall(r"\{(\w+)\}", english)), english
        assert not english.endswith("."), english
        assert not said.endswith(("。", ".")), said
        assert not PROSE.search(GAP.sub("", said)), said


# --- How a sentence is taken apart ------------------------------------------------------


@pytest.mark.parametrize(
    ("english", "said"),
    [
        (
            "Your `dx` and `dy` are the right ones divided by 2. `AddLayer` gives each "
            "input half of the derivative: both get all of it.",
            "`dx`と`dy`は、正しい値を2で割った値です。`AddLayer`は、微分を半分ずつに分けて"
            "います。加算ノードは、どちらの入力にも微分をそのまま流します。",
        ),
        (
            "K. Saitoh, Deep Learning from Scratch (O'Reilly Japan, 2016), sections 5.6.1 "
            "and 5.6.2; gradparity explain affine",
            "斎藤康毅『ゼロから作るDeep Learning』（オライリー・ジャパン、2016年）5.6.1、"
            "5.6.2節、gradparity explain affine --lang ja",
        ),
        (
            "`Relu` raises ValueError: it is. `Relu` fell over {said} (a b.py, line 3).",
            "`Relu`が例外「ValueError: it is. `Relu` fell over {said}（a b.py、3行目）」を"
            "出します。",
        ),
        (
            "Your `accuracy` is wrong in the cases “one-hot, one sample” and “labels” and "
            "1 more, and right in the others.",
            "`accuracy`は、「one-hot、1つのサンプル」、「数で表したラベル」、ほか1件の場合に"
            "誤った値で、ほかの場合は正しい値です。",
        ),
        (
            "1 of 25: `Relu` has `forwar`, no `forward`: misspelt? (Relu out: raises)",
            "25件中1件：`Relu`には`forwar`がありますが、`forward`がありません。綴りの間違い"
            "ではありませんか？（Relu out：raises）",
        ),
        (
            "`Relu` either passes all of the gradient on, as if there were no ReLU; or it "
            "sets elements of x itself to zero, for want of a copy.",
            "次のいずれかです。`Relu`は、ReLUがないかのように、勾配をすべて流しています。また"
            "は、`Relu`は、コピーをとらずに、渡されたxの要素を直接0にしています。",
        ),
        (
            "ran longer than 30 s in Affine (layers.py, line 12: while True: pass)",
            "Affineで（layers.py、12行目：while True: pass）、30秒たっても終わりませんで"
            "した",
        ),
    ],
)
def test_a_sentence_is_said_in_japanese(english: str, said: str) -> None:
    assert japanese.in_japanese(english) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.py",
        "`Relu` has a mistake that is new.",
        "SyntaxError: invalid syntax",
        "{n}",
    ],
)
def test_what_has_no_template_stays_as_it_is(text: str) -> None:
    assert japanese.in_japanese(text) == text
    assert not text or japanese.translated(text) is None


def test_what_somebody_else_says_takes_no_time() -> None:
    """However it may look like sentences of ours."""
    for part in (
        "`a` is wrong. ",
        "; ",
        " in a",
        "raised a; ",
        "`a` and ",
        "a, ",
        "“a”, ",
    ):
        japanese.in_japanese(part * 400)


def test_a_grading_has_its_sentences_in_japanese() -> None:
    """Names are as they were."""
    graded = GradedFile(
        path="a.py",
        status="fail",
        problem="ran longer than 30 s while it was loaded",
        diagnosis=[
            Diagnosis.model_validate(
                {
                    "class": "Relu",
                    "quantities": ["dx"],
                    "mistake": "zeros",
                    "known": False,
                    "sentence": "Your `dx` is zero everywhere.",
                    "relation": "is zero everywhere",
                }
            )
        ],
        warnings=[
            Warned.model_validate(
                {"class": "Relu", "kind": "is None", "sentence": "is None"}
            )
        ],
        passed_over={"is None": "is an archive: unpack it"},
        skipped=[
            Skipped(path="is None", why="is an archive: unpack it", kind="passed over")
        ],
    )
    with japanese.speaking("ja"):
        said = japanese.graded_spoken(graded)
    assert said.problem == "読み込みの途中で、30秒たっても終わりませんでした"
    (row,), (warned,) = said.diagnosis, said.warnings
    assert (row.sentence, row.relation) == ("`dx`は、すべて0です。", "すべて0です")
    assert (row.class_, row.mistake) == ("Relu", "zeros")
    assert (warned.kind, warned.sentence) == ("is None", "Noneです")
    assert said.passed_over == {"is None": "書庫です。展開してください"}
    assert (said.skipped[0].path, said.skipped[0].kind) == ("is None", "passed over")


# --- What is shown ----------------------------------------------------------------------

ENGLISH = re.compile(r"\b[a-z']+ [a-z']+\b")  # two words
# What is no English: a command, and the name of a mistake.
COMMAND = re.compile(r"(gradparity|explain|affine|--lang|ja|bias-[a-z-]+)\b")


def is_english(text: str) -> bool:
    return ENGLISH.search(COMMAND.sub("", text)) is not None


def a_class(name: str, **more: Any) -> GradedClass:
    row: dict[str, Any] = {"quantity": "dx", "cases": 8, "case": "one-hot, one sample"}
    row |= {"wrong": 0, "verdict": "pass", "bound_ratio": 0.5, "dtype": "float32"}
    row |= {"worst": Worst(index=[1, 2], value=0.5, truth=0.25)} | more
    place = Place(file="layers.py", line=3)
    return GradedClass(
        name=name,
        verdict="FAIL" if row["verdict"] == "FAIL" else "pass",
        quantities=[Graded(**row)],
        called=f"{name}Layer",
        source=place,
    )


def gradings() -> list[GradedFile]:
    """One of each kind, of which all is said that can be."""
    right, wrong = a_class("Relu"), a_class("Affine", wrong=3, verdict="FAIL")
    never = a_class("Sigmoid", wrong=8, verdict="not run", worst=None, note="is None")
    row = {
        "class": "Affine",
        "quantities": ["dW", "db"],
        "mistake": "bias-gradient-averaged",
        "known": True,
        "sentence": "Your `dW` and `db` are zero everywhere. `Affine` averages db over the "
        "batch where it should sum it.",
        "relation": "is the transpose of the right one",
        "reread": "K. Saitoh, Deep Learning from Scratch (O'Reilly Japan, 2016), section "
        "5.6.2; gradparity explain affine",
    }
    remark = {"class": "Relu", "kind": "wrote", "sentence": "no answer came"}
    whole = {"class": None, "kind": "x", "sentence": "NumPy is used for cupy."}
    skipped = [
        Skipped(
            path="old.py",
            why="defines Relu, as does layers.py, which is graded",
            kind="passed over",
            names=["Relu"],
            line=4,
        ),
        Skipped(
            path="hw.ipynb",
            why="cannot be loaded: NameError: x (layers.py, line 3: y = x)",
            kind="not loaded",
            cell=2,
        ),
        Skipped(path="a.zip", why="is an archive: unpack it", kind="passed over"),
    ]
    about: dict[str, Any] = {
        "missing": ["MulLayer", "softmax"],
        "looked_at": ["layers.py", "b.py"],
    }
    broke = "ran longer than 30 s in Affine (cell 3, line 12: f())"
    made: dict[str, Any] = {
        "diagnosis": [Diagnosis.model_validate(row)],
        "warnings": [
            Warned.model_validate(remark),
            Warned.model_validate(whole),
            Warned.model_validate(remark | {"of_the_book": True}),
        ],
        "skipped": skipped,
    }
    located: dict[str, Any] = {"file": "b.py", "line": 3, "source": "x = ("}
    return [
        GradedFile(path="a.py", status="pass", classes=[right]),
        GradedFile(path="ab", status="pass", classes=[right, right], skipped=skipped),
        GradedFile(
            path="b", status="fail", classes=[right, wrong, never], **made, **about
        ),
        GradedFile(path="c", status="fail", classes=[wrong], problem=broke, **made),
        GradedFile(path="d", status="fail", classes=[], problem=broke),
        GradedFile(
            path="e", status="fail", classes=[right], absent=["softmax"], **about
        ),
        GradedFile(path="f", status="unloadable", problem="SyntaxError: x", **located),
        GradedFile(
            path="g",
            status="unloadable",
            problem="defines none of the 9 classes and functions of the course",
        ),
        GradedFile(path="h.zip", status="skipped", problem="is an archive: unpack it"),
        GradedFile(
            path="i", status="ungraded", problem="could not be graded: OSError: x"
        ),
    ]


@pytest.fixture
def in_japan() -> Iterator[None]:
    with japanese.speaking("ja"):
        yield


@pytest.mark.usefixtures("in_japan")
@pytest.mark.parametrize("width", [None, 60])
def test_no_line_is_in_english(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int | None,
) -> None:
    """Piped, and on a terminal, whose lines are as wide as it is."""
    screen = Screen(force_terminal=width is not None, width=width, color_system=None)
    monkeypatch.setattr(grades, "output", screen)
    for graded in gradings():
        if graded.status not in grades.NO_VERDICT:
            grades.show(graded)
        print(japanese.spoken(grades.closing(graded)))
    for files in (gradings(), gradings()[:3], gradings()[6:7]):
        grades_class.show_all(files)
    lines = capsys.readouterr().out.splitlines()
    assert [*filter(is_english, lines)] == []
    assert not any("。." in line or "。 " in line for line in lines)
    if width is not None:
        assert all(cell_len(line) <= width for line in lines if line[:1] == "-")


class Texts(HTMLParser):
    """What is to be read in a page, but for code and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "code"):
            self.within.append(tag)
        read = ("aria-label", "data-label", "placeholder")
        self.found += [value or "" for name, value in attrs if name in read]
        classes = dict(attrs).get("class") or ""
        assert classes.isascii(), classes

    def handle_endtag(self, tag: str) -> None:
        if tag in self.within:
            self.within.remove(tag)

    def handle_data(self, data: str) -> None:
        if not self.within:
            self.found.append(data)


@pytest.mark.usefixtures("in_japan")
def test_no_page_is_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        grading_html.launching, "lacking_here", lambda: [*confinement.LACKING.values()]
    )
    files = gradings()
    pages = [*map(grading_html.render, files)]
    pages.append(grading_html.render_index(files, ["x.html"] * len(files), "class"))
    for page in pages:
        assert '<html lang="ja">' in page
        texts = Texts()
        texts.feed(page)
        assert [*filter(is_english, texts.found)] == []


@pytest.mark.usefixtures("in_japan")
def test_what_a_submission_is_called_is_no_sentence() -> None:
    """Nor is what stands in a tag."""
    name = "is None"
    files = [GradedFile(path=f"x/{name}", status="skipped", problem="is no folder")]
    page = grading_html.render_index(files, ["pass"], name)
    assert f"<h1>{name}</h1>" in page
    assert f'<a href="pass">{name}</a>' in page
    assert 'data-status="skipped"' in page
    assert f"<h1>{name}</h1>" in grading_html.render(files[0])
    assert grades_class.summary_table(files).rows[0][0] == name


@pytest.mark.usefixtures("in_japan")
def test_results_and_tables_of_others_are_in_japanese_but_for_names() -> None:
    files = gradings()
    rows = [*csv.reader(StringIO(grade_book.csv_text(files)))]
    assert tuple(rows[0][:2]) == ("who", "status")
    sentences = {"problem", "passed over", "not graded"}
    columns = [n for n, name in enumerate(rows[0]) if name in sentences]
    assert [row[n] for row in rows[1:] for n in columns if is_english(row[n])] == []
    for graded in files[:-1]:
        found = grade_book.results(graded, ["softmax"])
        said = [found["output"], *(each["output"] for each in found["tests"])]
        assert [*filter(is_english, said)] == []


# --- Tables -----------------------------------------------------------------------------


def test_a_japanese_character_takes_two_columns() -> None:
    table = Table(
        "表", ["名前", "what"], [["田中.py", " 正 "], ["a.py", ""], ["", "xyz"]]
    )
    assert table.text().splitlines()[2:] == [
        "名前     what",
        "-------  ------",
        "田中.py  正",
        "a.py",
        "         xyz",
    ]


@pytest.mark.parametrize("rows", [[], [["a", ""]], [["a b", "x" * 20], ["", "z"]]])
def test_a_plain_table_is_as_tabulate_has_it(rows: list[list[str]]) -> None:
    heads = ["one", "another"]
    plain = tabulate(rows, heads, "simple", disable_numparse=True)
    assert Table("", heads, rows).text() == f"\n\n{plain}\n"


# --- The command ------------------------------------------------------------------------


HOMEWORK = """
class AddLayer:
    def forward(self, x, y):
        return x + y
    def backward(self, dout):
        return dout
"""


def test_the_command_speaks_japanese(called: Called, tmp_path: Path) -> None:
    """Its refusals, too; and in JSON names are as they are."""
    Path("homework.py").write_text(HOMEWORK)
    done = called("grade", "homework.py", "--lang", "ja", "--html", "page.html")
    assert done.returncode == 1
    said = "`AddLayer`は、入力が2つあるのに、微分を1つしか返していません。"
    assert said in done.stdout
    page = Path("page.html").read_text("utf-8")
    assert said.replace("`AddLayer`", "<code>AddLayer</code>") in page
    assert "homework.py：採点した1個に誤りがあります（AddLayer）。" in done.stdout

    done = called("grade", "homework.py", "--lang", "ja", "--json")
    (graded,) = json.loads(done.stdout)["files"]
    (row,) = graded["diagnosis"]
    assert (row["class"], row["mistake"]) == ("AddLayer", "second-derivative-forgotten")
    assert (row["sentence"], graded["status"]) == (said, "fail")

    done = called("grade", "nothing.py", "--lang", "ja")
    assert (done.returncode, done.stderr) == (2, "gradparity: nothing.pyはありません\n")
    assert called("grade", "homework.py", "--lang", "fr").returncode == 2
