"""The book's repository in its own layout: every definition that is graded is right."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.outcomes import GRADED, Ran
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.suite.support import HANDED_OUT, SUBMISSIONS, the_book

COMMON = sorted(path.stem for path in (HANDED_OUT / "common").glob("[a-z]*.py"))
CHAPTERS = SUBMISSIONS / "book"
# Another network than the one of section 5.7.2, under the same name.
CHAPTER_4 = ("ch04/two_layer_net.py", "TwoLayerNet")


def definitions(path: Path) -> list[str]:
    """The names of the classes and functions at the top of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [node.name for node in tree.body if isinstance(node, kinds)]


FILES = {
    path.relative_to(root).as_posix(): definitions(path)
    for root in (HANDED_OUT, CHAPTERS)
    for path in sorted(root.rglob("*.py"))
}
JUDGED = [
    (file, name)
    for file, names in FILES.items()
    for name in names
    if name in GRADED and (file, name) != CHAPTER_4
]


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the book lies, and its modules are found; what they draw is not drawn."""
    folder = the_book(tmp_path)
    for name in ("matplotlib", "matplotlib.pylab", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    monkeypatch.setitem(sys.modules, "mpl_toolkits.mplot3d", MagicMock())
    monkeypatch.syspath_prepend(str(folder))
    before = {*sys.modules}
    yield folder
    for name in {*sys.modules} - before:
        if name.partition(".")[0] in ("common", "dataset", "the_book"):
            del sys.modules[name]


def loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("the_book", file)
    assert spec
    assert spec.loader
    module = sys.modules["the_book"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", COMMON)
def test_what_is_handed_out_can_be_imported(name: str, book: Path) -> None:
    module = importlib.import_module(f"common.{name}")
    assert module.__file__ == str(book / "common" / f"{name}.py")


@pytest.mark.parametrize(("file", "name"), JUDGED)
def test_a_definition_of_the_book_is_right(file: str, name: str, book: Path) -> None:
    offered = {name: getattr(loaded(book / file), name)}
    found = judge(file, Ran((name,), tuple(exercise(offered, tasks_of(name)))))
    assert found.status == "pass", found.diagnosis


def test_the_book_has_all_that_is_graded() -> None:
    assert {name for _, name in JUDGED} == {*GRADED}
    assert CHAPTER_4[1] in FILES[CHAPTER_4[0]]
