"""Homework as it is handed in: what is found in it, chosen, loaded and told."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from gradparity.parity_tests.grading import launching, submission_files
from gradparity.parity_tests.grading.confinement import Limits
from gradparity.parity_tests.grading.grade import grade, grade_all, submissions
from gradparity.parity_tests.grading.notebooks import NoNotebook, read
from gradparity.parity_tests.grading.records import GradedFile, Skipped
from gradparity.parity_tests.grading.submission_files import find
from gradparity.parity_tests.suite.grading.test_launching import RELU, written
from gradparity.parity_tests.suite.support import the_book

WRONG = RELU.replace("x <= 0", "x < 0")
OTHER = """
class AddLayer:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return dout * 1, dout * 1
"""
LAYERED = """
class TwoLayerNet:
    def __init__(self, a, b, c):
        self.last.forward()
"""
BY_HAND = "class TwoLayerNet:\n    def __init__(self, a, b, c): pass\n"


def told(found: GradedFile) -> dict[str, str]:
    """What is said of the submission as a whole, by its kind."""
    return {w.kind: w.sentence for w in found.warnings if w.class_ is None}


def verdicts(found: GradedFile) -> dict[str, str]:
    return {each.name: each.verdict for each in found.classes}


def chosen(path: Path) -> dict[str, str]:
    """Which file of a submission each subject is taken from."""
    parts = find(path).parts
    return {d.subject.name: d.file.as_posix() for p in parts for d in p.chosen}


def passed_over(path: Path) -> dict[str, str]:
    return {each.path: each.why for each in find(path).skipped}


def notebook(*cells: str | tuple[str, str], version: int = 4) -> str:
    """A notebook; a cell of text is a pair of its kind and source."""
    made: list[dict[str, Any]] = []
    for cell in cells:
        kind, source = cell if isinstance(cell, tuple) else ("code", cell)
        text = {"source" if version == 4 else "input": source.splitlines(True)}
        made.append({"cell_type": kind, **text})
    whole = {"cells": made} if version == 4 else {"worksheets": [{"cells": made}]}
    return json.dumps({**whole, "nbformat": version, "metadata": {}})


# --- Which definition is graded -------------------------------------------------------

CHOICES: dict[str, tuple[dict[str, str], str]] = {
    "wherever it stands": ({"work/week 3/a b": RELU}, "work/week 3/a b.py"),
    "under a condition": (
        {"layers": "if 1:\n" + RELU.replace("\n", "\n    ")},
        "layers.py",
    ),
    "what is not put aside": ({"layers_old": WRONG, "ch05/a": RELU}, "ch05/a.py"),
    "what is imported": ({"a": WRONG, "b": RELU, "c": "from b import *"}, "b.py"),
    "what is common": (
        {"ch05/layers": WRONG, "common/layers": RELU},
        "common/layers.py",
    ),
    "the later chapter": ({"ch05/a": RELU, "ch04/a": WRONG}, "ch05/a.py"),
    "in the larger book": (
        {"two/common/a": WRONG, "one/common/a": RELU + OTHER},
        "one/common/a.py",
    ),
    "the nearer": ({"a/b/layers": WRONG, "layers": RELU}, "layers.py"),
    "by another name": ({"ch05/a": RELU.replace("Relu", "ReLULayer")}, "ch05/a.py"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_of_several_definitions_one_is_chosen_and_the_others_are_told(
    name: str, tmp_path: Path
) -> None:
    files, expected = CHOICES[name]
    path = written(tmp_path / "one", **files)
    assert chosen(path)["Relu"] == expected
    others = {f"{f}.py" for f, text in files.items() if "class R" in text} - {expected}
    assert set(passed_over(path)) == others
    for why in passed_over(path).values():
        assert expected in why


def test_a_layered_network_goes_before_one_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path, **{"ch05/net": BY_HAND, "ch04/net": LAYERED})
    assert chosen(path) == {"TwoLayerNet": "ch04/net.py"}
    assert passed_over(path) == {
        "ch05/net.py": "defines TwoLayerNet without layers: that of ch04/net.py is graded, "
        "which has some"
    }


def test_the_students_own_goes_before_a_copy_of_the_books(tmp_path: Path) -> None:
    the_book(tmp_path)
    written(tmp_path, **{"ch03/mine": RELU})
    assert chosen(tmp_path)["Relu"] == "ch03/mine.py"
    why = passed_over(tmp_path)["common/layers.py"]
    assert why == (
        "defines Relu as the book does, word for word: that of ch03/mine.py is graded"
    )


def test_of_one_file_what_is_defined_last_is_graded(tmp_path: Path) -> None:
    written(tmp_path, layers=WRONG + RELU)
    found = grade(tmp_path)
    assert verdicts(found) == {"Relu": "pass"}
    assert found.skipped == [
        Skipped(
            path="layers.py",
            why="defines Relu again in line 14, which is what counts",
            kind="passed over",
            names=["Relu"],
            line=4,
        )
    ]


def test_a_class_is_a_layer_and_a_function_a_function(tmp_path: Path) -> None:
    text = "import numpy as np\n" + dedent("""
    class sigmoid:
        def forward(self, x):
            self.y = 1 / (1 + np.exp(-x))
            return self.y
        def backward(self, dout):
            return dout * self.y * (1 - self.y)
    def Softmax(x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    """)
    found = grade(written(tmp_path, layers=text))
    assert verdicts(found) == {"softmax": "pass", "Sigmoid": "pass"}
    assert [(c.called, c.source and c.source.line) for c in found.classes] == [
        ("Softmax", 9),
        ("sigmoid", 3),
    ]
    assert {w.sentence for w in found.warnings if w.kind == "called"} == {
        "`Softmax` is graded as `softmax`, as the book calls it.",
        "`sigmoid` is graded as `Sigmoid`, as the book calls it.",
    }


def test_what_cannot_be_the_function_is_not_graded_as_it(tmp_path: Path) -> None:
    second = BY_HAND + "    def forward(s, x, t): pass\n    def backward(s): pass\n"
    text = "def softmax(): pass\ndef sigmoid(x, dout, y): pass\ndef relu(*x): pass\n"
    text += "class SGD:\n    def step(self): pass\n"
    path = written(tmp_path, layers=text + second)
    assert chosen(path) == {"relu": "layers.py"}
    assert [each.why for each in find(path).skipped] == [
        "defines softmax, which takes no argument",
        "defines sigmoid, which needs 3 arguments, and not 1",
        "defines SGD, which has no method `update`",
        "defines TwoLayerNet, which is a network like those of the book's second volume",
    ]


def test_a_class_of_another_framework_is_another_one(tmp_path: Path) -> None:
    head = "from torch import nn\nfrom dezero import Function\n"
    classes = (
        "class Relu(nn.Module): pass\nclass Linear(Function): pass\n"
        "class Layer: pass\nclass Sigmoid(Layer): pass\n"
    )
    only = grade(
        written(tmp_path / "a", layers=head + classes.partition("class Layer")[0])
    )
    assert (only.status, only.classes) == ("unloadable", [])
    assert only.problem == "defines nothing of the course that can be graded"
    path = written(tmp_path / "b", layers=head + classes)
    assert chosen(path) == {"Sigmoid": "layers.py"}
    assert [each.why for each in find(path).skipped] == [
        "defines Relu, which is derived of another framework's `nn.Module`",
        "defines Linear, which is derived of another framework's `Function`",
    ]


def test_numpy_has_what_it_had(tmp_path: Path) -> None:
    text = RELU.replace("x <= 0", "np.array(x <= 0, dtype=np.int).astype(np.bool)")
    assert grade(written(tmp_path, layers=text)).status == "pass"


def test_a_file_may_have_the_name_of_one_in_another_package(tmp_path: Path) -> None:
    """Of two folders `common`, each has what the other has not."""
    files = {
        "sample/common/__init__": "",
        "sample/common/layers": OTHER,
        "common/layer": "from common.tools import x\n" + RELU,
        "common/tools": "x = 1\n",
    }
    found = grade(written(tmp_path, **files))
    assert (found.status, verdicts(found)) == (
        "pass",
        {"AddLayer": "pass", "Relu": "pass"},
    )


def test_two_books_are_graded_each_with_its_own_imports(tmp_path: Path) -> None:
    head = "from common.layers import *\n"
    added = {"first/common/layers": RELU, "first/ch05/a": head + OTHER}
    second = {
        "second/common/layers": "N = 1\n" + WRONG,
        "second/ch05/net": f"{head}assert N\n" + RELU.replace("Relu", "Sigmoid"),
    }
    found = grade(written(tmp_path, **added, **second))
    assert set(verdicts(found)) == {"Relu", "AddLayer", "Sigmoid"}
    assert verdicts(found)["Relu"] == "pass"
    assert found.looked_at == [
        "first/ch05/a.py",
        "first/common/layers.py",
        "second/ch05/net.py",
    ]
    assert "second/common/layers.py" in found.passed_over


@pytest.mark.parametrize(
    ("first", "then"), [("Affine", "Dense"), ("Linear", "Affine"), ("Relu", "ReLU")]
)
def test_the_books_name_goes_before_another_one(
    first: str, then: str, tmp_path: Path
) -> None:
    """In one file, where neither replaces the other."""
    written(tmp_path, layers="".join(RELU.replace("Relu", n) for n in (first, then)))
    called = {d.called for p in find(tmp_path).parts for d in p.chosen}
    assert called == {first, then} - {"Dense", "Linear", "ReLU"}
    (skipped,) = find(tmp_path).skipped
    assert "again" not in skipped.why
    assert skipped.why.endswith(
        f"as does {called.pop()} in the same file, which is graded"
    )


def test_what_is_not_run_is_told(tmp_path: Path) -> None:
    main = "if __name__ == '__main__':\n    class Affine: pass\n"
    (skipped,) = find(written(tmp_path, layers=RELU + main)).skipped
    assert (skipped.names, skipped.line) == (["Affine"], 12)
    assert "is under `if __name__" in skipped.why


@pytest.mark.parametrize(
    "after",
    [
        "from common.layers import *\n",
        "from common.layers import Relu\n",
        "import common.layers\nRelu = common.layers.Relu\n",
        "from layers import *\n",
    ],
)
def test_what_is_handed_out_is_not_graded_in_ones_place(
    after: str, tmp_path: Path
) -> None:
    found = grade(written(tmp_path, homework=WRONG + after) / "homework.py")
    assert (found.status, found.classes) == ("unloadable", [])
    (skipped,) = [each for each in found.skipped if each.kind == "not loaded"]
    assert skipped.names == ["Relu"]
    assert "then imports another one of this name" in skipped.why


# --- A file, a class, a folder --------------------------------------------------------


def test_what_a_file_imports_comes_along(tmp_path: Path) -> None:
    """And other submissions do not."""
    neighbours = {
        "common/layers": "from common.util import Base\nimport near\n" + RELU,
        "common/util": "from top import Base\n",
        "common/near": "",
        "top": "class Base: pass\n",
        "not_needed": "1 / 0\n",
    }
    written(tmp_path, **neighbours)
    path = tmp_path / "common" / "layers.py"
    assert {file.as_posix() for file in find(path).parts[0].files} == {
        f"{name}.py" for name in neighbours if name != "not_needed"
    }
    assert grade(path).status == "pass"
    (tmp_path / "__init__.py").touch()  # nor does it matter what is above
    assert grade(path).status == "pass"
    course = written(
        tmp_path / "class", aiko="from ben import Relu as R\n" + RELU, ben=RELU
    )
    first, second = grade_all([course / "aiko.py", course / "ben.py"])
    assert (first.status, second.status) == ("pass", "pass")
    assert [*told(first)] == ["absent"]
    assert told(grade(course / "aiko.py")) == {}


def test_a_folder_is_one_submission_or_a_class(tmp_path: Path) -> None:
    of_one = {
        "alone": {"homework": RELU},
        "by imports": {"a": "from b import *\n" + RELU, "b": OTHER},
        "by names": {"relu": RELU, "add_layer": OTHER},
        "in parts": {"ch04/a": RELU, "ch05/b": OTHER},
        "a package and a script": {"train": "from nn import *", "nn/layers": RELU},
        "further down": {"work/common/layers": RELU, "work/ch05/a": OTHER},
    }
    of_many = {
        "the same in each": {"aiko": RELU, "ben": RELU},
        "one of them named as the lecture's": {
            "aiko": RELU,
            "ben": RELU,
            "layers": RELU,
        },
        "with what was handed out": {
            "aiko": "import helper\n" + RELU,
            "ben": "import helper\n" + RELU,
        },
    }
    for name, files in of_one.items():
        path = written(tmp_path / name, **files)
        assert submissions(path) == [path], name
    for name, files in of_many.items():
        path = written(tmp_path / name, helper="x = 1\n", **files)
        names = [each.name for each in submissions(path)]
        assert names[:2] == ["aiko.py", "ben.py"], name
        assert ("helper.py" in names) == ("handed out" not in name)
        assert submissions(path, one=True) == [path]


def test_there_may_be_many_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is needed is copied whatever its number, and what is not looked at is told."""
    names = {f"deep/d{n}/file{n}": f"x = {n}\n" for n in range(300)}
    head = "from file299 import x\n"
    path = written(tmp_path / "many", layers=head + RELU, **names)
    found = find(path)
    assert len(found.parts[0].files) == submission_files.MOST_COPIED
    assert Path("deep/d299/file299.py") in found.parts[0].files
    assert grade(path).status == "pass"
    monkeypatch.setattr(submission_files, "MOST_READ", 100)
    assert "comes after 0 MiB of code" in passed_over(path)["deep/d0/file0.py"]
    monkeypatch.setattr(submission_files, "MOST_ENTRIES", 50)
    assert "has more in it than the 50 files" in passed_over(path)["deep"]


def test_an_encoding_that_python_does_not_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(RELU, encoding="utf-16")
    found = grade(tmp_path / "layers.py")
    assert (found.status, found.problem) == (
        "skipped",
        "is in UTF-16: save it in UTF-8",
    )


def test_a_submodule_that_is_missing_is_told(tmp_path: Path) -> None:
    written(tmp_path, layers=RELU)
    (tmp_path / ".gitmodules").write_text(
        '[submodule "book"]\n\tpath = book\n\turl = x\n'
        '[submodule "other"]\n\tpath = ../other\n'
    )
    (tmp_path / "book").mkdir()
    assert passed_over(tmp_path) == {
        "book": "is a Git submodule that was not brought along"
    }


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    path = written(tmp_path / "one", layers=RELU)
    (path / "up").symlink_to(path)
    (path / "gradient.ipynb").symlink_to(path / "layers.py")
    links = {"up", "gradient.ipynb"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(path / "functions.ipynb")
        links.add("functions.ipynb")
    found = grade(path)
    assert found.status == "pass"
    assert set(found.passed_over) == links


# --- Notebooks ------------------------------------------------------------------------


def test_a_notebook_is_graded(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    path.write_text(
        notebook(
            ("markdown", "# Class Relu: pass"),
            "%matplotlib inline\n!pip install numpy\nfiles = !ls\nnp?",
            "%%bash\nclass Relu: pass",
            "this is no Python",
            RELU + "x = data()\n",
            "%%time\ny = 1 / 0\n",
        ),
        encoding="utf-8",
    )
    found = grade(path)
    assert (found.status, verdicts(found)) == ("pass", {"Relu": "pass"})
    (relu,) = found.classes
    assert relu.source
    assert (relu.source.file, relu.source.cell, relu.source.line) == (
        "work.ipynb",
        5,
        4,
    )
    assert (
        "NameError: name 'data' is not defined (cell 5, line 11"
        in (told(found)["top level"])
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / "work.ipynb")
    found = grade(folder)
    assert found.status == "pass"
    (skipped,) = found.skipped
    assert (skipped.path, skipped.cell) == ("work.ipynb", 4)
    assert skipped.why.startswith("is not Python in cell 4: SyntaxError: ")


def test_a_cell_that_is_no_python_is_named_with_what_it_defines(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    path.write_text(
        notebook(RELU, "class Affine:\n    def backward(self, dout)\n        1")
    )
    found = grade(path)
    assert (found.status, verdicts(found)) == ("fail", {"Relu": "pass"})
    (skipped,) = found.skipped
    assert (skipped.names, skipped.cell, skipped.kind) == (["Affine"], 2, "not loaded")


@pytest.mark.parametrize(
    "cell",
    ["await something()", "return 3", "files = !ls\nprint(files[0:])", "%%bash\nls"],
)
def test_what_only_a_notebook_takes_does_no_harm(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    path.write_text(notebook(cell, RELU))
    found = grade(path)
    assert (found.status, verdicts(found)) == ("pass", {"Relu": "pass"})
    assert "top level" not in told(found)


def test_a_notebook_writes_its_files(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    cells = ["%%writefile layers.py\n" + WRONG, "from layers import Relu\nRelu()"]
    path.write_text(notebook(*cells, "%%file common/add.py\n" + OTHER))
    found = grade(path)
    assert verdicts(found) == {"AddLayer": "pass", "Relu": "FAIL"}
    assert found.looked_at == ["common/add.py", "layers.py"]
    assert told(found) == {}


def test_an_exception_in_a_notebook_has_its_cell(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    path.write_text(
        notebook("x = 1", "class Relu:\n  def forward(self, x):\n    1 / 0")
    )
    (found,) = grade(path).diagnosis
    assert "(work.ipynb, cell 2, line 3)" in found.sentence


@pytest.mark.parametrize("version", [3, 4])
def test_notebooks_are_read_in_all_versions(version: int) -> None:
    found = read(
        notebook("a = 1\nb = 2", ("markdown", "c"), "d", version=version).encode()
    )
    assert found.text == "a = 1\nb = 2\nd\n"
    assert found.cells == ((1, 1), (3, 3))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"cells": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"cells": [1, {}]}',
    ],
)
def test_what_is_no_notebook_is_told(content: bytes) -> None:
    if b"[1" in content:
        assert read(content).cells == ()
        return
    with pytest.raises(NoNotebook, match="is no notebook"):
        read(content)


# --- What it imports ------------------------------------------------------------------

STAR = "from common.functions import *\n"
LOSS = """
class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y, self.t = softmax(x), t
        return cross_entropy_error(self.y, t)

    def backward(self, dout=1):
        t = self.t
        if t.size != self.y.size:
            t = np.eye(self.y.shape[1])[t]
        return (self.y - t) / len(self.y)
"""
NUMPY = "import numpy as np\n"


@pytest.mark.parametrize(
    "head",
    [STAR, "from functions import softmax, cross_entropy_error\n"],
    ids=["common", "as if beside"],
)
def test_who_brings_no_common_gets_the_lectures(head: str, tmp_path: Path) -> None:
    written(tmp_path, layers=NUMPY + head + LOSS)
    found = grade(tmp_path)
    assert verdicts(found) == {"SoftmaxWithLoss": "pass"}
    assert told(found)["lent"] == (
        "Not handed in, and taken from what was handed out: `common/functions.py`."
    )


def test_what_the_course_hands_out_goes_before_the_lectures(tmp_path: Path) -> None:
    written(tmp_path / "one", layers=STAR + "assert given\n" + RELU)
    for name in ("common", "given/common"):
        path = written(tmp_path / name, functions="given = True\n")
        folder = path if name == "common" else path.parent
        found = grade(tmp_path / "one" / "layers.py", given=folder)
        assert (found.status, [*told(found)]) == ("pass", ["lent"])


def test_a_module_of_theirs_goes_before_a_stand_in(tmp_path: Path) -> None:
    names = ["common", "dataset", "mnist", "cupy", "functions"]
    files = {f"ch05/{name}": f"{name} = 1\n" for name in names}
    head = "".join(f"from {name} import {name}\n" for name in names)
    found = grade(written(tmp_path, **files, **{"ch05/layers": head + RELU}))
    assert (found.status, told(found)) == ("pass", {})


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("layers", "from keras.layers import Dense"),
        ("mnist", "from dataset.mnist import load_mnist"),
        ("colab", "from google.colab import drive"),
    ],
)
def test_a_file_is_not_taken_for_another_packages(
    name: str, line: str, tmp_path: Path
) -> None:
    found = grade(written(tmp_path, **{name: line + RELU}) / f"{name}.py")
    assert (found.status, verdicts(found)) == ("pass", {"Relu": "pass"})


def test_nothing_tells_where_it_was_run(tmp_path: Path) -> None:
    """Of what was handed out the file is told as it is called there."""
    text = "print(__file__)\nfrom common.layers import nobody\n" + RELU
    written(tmp_path / "given" / "common", layers="x = 1\n")
    written(tmp_path / "one", layers=text)
    found = grade(tmp_path / "one" / "layers.py", given=tmp_path / "given")
    assert "cannot import name 'nobody'" in str(found.problem)
    assert "gradparity-" not in found.model_dump_json()


def test_what_is_not_installed_fails_when_it_is_used(tmp_path: Path) -> None:
    head = """
    import pandas_of_nobody as pd, torch_of_nobody.nn.functional as F
    from torch_of_nobody import nn
    try:
        import numba_of_nobody
    except ImportError:
        numba_of_nobody = None
    class Model(nn.Module):
        pass
    assert numba_of_nobody is None and not isinstance(1, pd.DataFrame)
    """
    used = OTHER.replace("return x + y", "return pd.DataFrame(x) + y")
    found = grade(written(tmp_path, layers=dedent(head) + RELU + used))
    assert verdicts(found)["Relu"] == "pass"
    (first, *_) = found.diagnosis
    assert (
        "`pandas_of_nobody` is neither handed in nor installed here" in first.sentence
    )
    assert "pandas_of_nobody.DataFrame" in first.sentence
    assert told(found)["absent"] == (
        "Neither handed in nor installed here, so that what uses it fails: "
        "`pandas_of_nobody` and `torch_of_nobody`."
    )


def test_cupy_is_numpy(tmp_path: Path) -> None:
    head = "import cupy as np\nfrom cupy import asnumpy\nnp.cuda.Device(0).use()\n"
    found = grade(
        written(tmp_path, layers=head + RELU.replace("import numpy as np", ""))
    )
    assert (found.status, [*told(found)]) == ("pass", ["cupy"])


def test_one_file_that_cannot_be_loaded_does_not_sink_the_rest(tmp_path: Path) -> None:
    files = {
        "ch05/add": "from common.layer import *\n" + OTHER,
        "common/layers": RELU,
        "common/broken": "def softmax(x)\n    return x\n",
    }
    found = grade(written(tmp_path, **files))
    assert (found.status, verdicts(found)) == ("fail", {"Relu": "pass"})
    assert [(s.path, s.kind, s.names, s.line) for s in found.skipped] == [
        ("common/broken.py", "not loaded", ["softmax"], 1),
        ("ch05/add.py", "not loaded", ["AddLayer"], 1),
    ]
    assert "SyntaxError: expected ':'" in found.skipped[0].why
    assert "No module named 'common.layer'" in found.skipped[1].why
    assert not {"softmax", "AddLayer"} & {*found.missing}


def test_of_a_circle_both_lines_are_told(tmp_path: Path) -> None:
    written(
        tmp_path,
        layers="from functions import *\n" + RELU,
        functions="x = 1\nfrom layers import nothing\n",
    )
    found = grade(tmp_path)
    assert (found.status, found.file, found.line) == ("unloadable", "functions.py", 2)
    assert "imported by layers.py, line 1" in str(found.problem)
    assert str(tmp_path) not in str(found.problem)
    assert "gradparity-" not in str(found.problem)


# --- What it does at its top level ----------------------------------------------------

AT_TOP_LEVEL = {
    "data": ("from dataset.mnist import load_mnist\nload_mnist()", "there are no data"),
    "a file": ("x = open('weights.pkl').read()\ny = x + 1", "FileNotFoundError"),
    "the network": (
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')",
        "tried to",
    ),
    "an end": ("import sys\nsys.exit('done')", "called sys.exit(done)"),
    "a hard end": ("import os\nos._exit(3)", "ended its process, with status 3"),
    "a loop": ("while True: pass", "ran longer than 1 s"),
    "input": ("n = int(input('n?'))", "EOFError"),
    "a mistake": ("Relu().forward(None)", "TypeError"),
    "an argument": ("import sys\nN = int(sys.argv[1])", "IndexError"),
}


@pytest.mark.parametrize("name", AT_TOP_LEVEL)
def test_what_is_done_at_the_top_level_is_left_out_if_it_fails(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradparity.parity_tests.grading.grade.LEAST_LOADING", 1.0)
    code, why = AT_TOP_LEVEL[name]
    constants = "ZERO = 0\nEYE = np.eye(3) * ZERO\nf = lambda x: x * ZERO\n"
    text = RELU.replace("\nclass", f"{constants}\nclass", 1) + code + "\n"
    text = text.replace("self.mask, 0, x", "self.mask, f(EYE[0, 0]), x")
    seconds = 3 if name == "a loop" else 30
    found = grade(
        written(tmp_path, helper="import layers\n", layers=text), Limits(seconds)
    )
    assert (found.status, found.problem) == ("pass", None)
    assert why in told(found)["top level"]
    assert told(found)["top level"].startswith("The code at the top level of layers.py")


def test_who_prints_too_much_at_the_top_level_is_told_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "MOST_PRINTED", 1 << 20)
    text = RELU + "for _ in range(99): print('x' * (1 << 18), flush=True)\n"
    found = grade(written(tmp_path, layers=text))
    assert (found.status, found.problem) == ("pass", None)
    assert "printed more than 1 MiB" in told(found)["top level"]
    assert "BrokenPipe" not in told(found)["top level"]


def test_who_imports_a_file_that_trains_is_loaded(tmp_path: Path) -> None:
    files = {
        "functions": "def softmax(x):\n    return x\ntrain()\n",
        "layers": "from functions import *\n" + RELU,
    }
    found = grade(written(tmp_path, **files))
    assert verdicts(found)["Relu"] == "pass"
    assert "functions.py" in told(found)["top level"]


def test_what_runs_is_run_whole(tmp_path: Path) -> None:
    """As what it makes may be needed."""
    text = "for name in ['Relu']: globals()[name + '_'] = 1\n" + RELU
    text = text.replace("self.mask, 0, x", "self.mask, x * (Relu_ - 1), x")
    found = grade(written(tmp_path, layers=text))
    assert (found.status, told(found)) == ("pass", {})


# --- The book -------------------------------------------------------------------------


def test_the_books_repository_passes(tmp_path: Path) -> None:
    the_book(tmp_path / "book")
    found = grade(tmp_path / "book")
    assert (found.status, found.problem) == ("pass", None)
    assert found.missing == []
    assert found.diagnosis == []
    assert not [each for each in found.skipped if each.kind == "not loaded"]


def test_every_file_of_the_book_passes(tmp_path: Path) -> None:
    book = tmp_path / "book"
    the_book(book)
    files = [f for f in sorted(book.rglob("*.py")) if find(f).parts[0].chosen]
    assert len(files) > 8
    problems = {
        found.path: (found.status, found.problem, found.diagnosis)
        for found in map(grade, files)
        if found.status != "pass"
    }
    assert problems == {}


def test_a_missing_folder_to_hand_out_is_refused(tmp_path: Path) -> None:
    written(tmp_path, layers=RELU)
    call = ["-m", "gradparity", "grade", "layers.py", "--with", "nowhere"]
    call += ["--results", "results.json"]
    done = subprocess.run(
        [sys.executable, *call],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere does not exist: expected what the course hands out" in done.stderr
    assert not (tmp_path / "results.json").exists()
