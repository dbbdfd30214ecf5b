"""Submissions that mean well: found, loaded as their authors would, and heard."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.grading import grade as grading
from gradparity.parity_tests.grading import launching, messages
from gradparity.parity_tests.grading.confinement import Limits
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.grade import (
    grade,
    grade_all,
    is_class,
    submissions,
)
from gradparity.parity_tests.grading.libraries import search_path
from gradparity.parity_tests.grading.messages import Malformed, NoNumbers, Reader
from gradparity.parity_tests.grading.outcomes import (
    Call,
    Outcome,
    Raised,
    Ran,
    Remark,
    Task,
)
from gradparity.parity_tests.grading.submission_files import Unusable, find
from gradparity.parity_tests.grading.tasks import all_tasks, tasks_of
from gradparity.parity_tests.suite.support import ROOT, SUBMISSIONS

COLAB = SUBMISSIONS / "colab"
RELU = """
import numpy as np

class Relu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return np.where(self.mask, 0, dout)
"""


def launch(
    path: Path,
    tasks: Sequence[Task],
    limits: Limits | None = None,
    without: Collection[str] = (),
) -> Ran:
    """What comes of the first part of a submission, which is run once."""
    found = find(path)
    return launching.run(found, found.parts[0], tasks, limits, without=without)


@pytest.fixture(autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the folders of submissions are made, of which none may stay."""
    path = tmp_path_factory.mktemp("launched")
    before, tempfile.tempdir = tempfile.tempdir, str(path)
    yield path
    tempfile.tempdir = before
    assert list(path.iterdir()) == []


def written(where: Path, **files: str) -> Path:
    """A folder of files, all of which end in .py."""
    for name, text in files.items():
        path = where / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return where


def loaded(where: Path, **files: str) -> Ran:
    """What comes of a folder with these files, which is asked for Relu only."""
    return launch(written(where, **files), tasks_of("Relu"))


def raised(where: Path, **files: str) -> tuple[str, str | None, int | None, str]:
    """Why it cannot be loaded: what, and in which line of which file."""
    ran = loaded(where, **files)
    assert ran.unloadable, ran
    assert ran.broke is None
    assert ran.outcomes == ()
    found = ran.unloadable
    return f"{found.kind}: {found.message}", found.file, found.line, found.source


# Where its author wrote it.


@pytest.mark.parametrize("name", ["colab", "lecture"])
def test_the_lectures_files_pass_as_they_are(name: str) -> None:
    result = grade(SUBMISSIONS / name)
    assert result.problem is None
    assert result.status == "pass"
    assert result.missing == []


def test_the_reference_passes(tmp_path: Path) -> None:
    reference = ROOT / "reference"
    elsewhere = shutil.copytree(reference, tmp_path / "reference")
    for each in grade_all([reference, elsewhere]):
        assert (each.status, each.problem, each.missing) == ("pass", None, [])


def test_a_file_of_the_lectures_finds_the_others() -> None:
    ran = launch(COLAB / "tl_nn.py", tasks_of("TwoLayerNet"))
    assert ran.unloadable is None
    assert ran.offered == ("TwoLayerNet",)
    assert not any(outcome.raised for outcome in ran.outcomes)
    ran = launch(COLAB / "common" / "functions.py", all_tasks())
    of_chapter_5 = [name for name in ran.offered if not SUBJECTS[name].further]
    assert of_chapter_5 == ["sigmoid", "softmax", "cross_entropy_error"]


def test_what_is_missing_beside_a_file_is_told(tmp_path: Path) -> None:
    shutil.copy(COLAB / "layers.py", tmp_path)
    ran = launch(tmp_path / "layers.py", tasks_of("Relu"))
    assert ran.unloadable == Raised(
        "ModuleNotFoundError",
        "No module named 'common.functions'",
        "layers.py",
        10,
        "from common.functions import *",
    )


def test_training_outside_of_a_function_fails_with_its_line() -> None:
    ran = launch(COLAB / "train_mnist.py", tasks_of("Relu"))
    assert ran.unloadable
    assert "there are no data where a submission is graded" in ran.unloadable.message
    assert (ran.unloadable.file, ran.unloadable.line) == ("train_mnist.py", 11)
    assert ran.unloadable.source.startswith("(x_train, t_train), (x_test, t_test) = ")


COLAB_LINES = {
    "drive": "from google.colab import drive\ndrive.mount('/content/drive')",
    "files": "import google.colab\nfor name in google.colab.files.upload(): print(name)",
    "more of it": "from google.colab.patches import cv2_imshow\ncv2_imshow(1)[2].x",
    "magic": "%matplotlib inline\n!pip install numpy\n%cd '/content'\nif 1:\n  !ls",
    "its functions": "get_ipython().system('ls')\nget_ipython().magic('time')",
    "IPython": "from IPython.display import clear_output",
    "the path": "import sys, os\nsys.path.append(os.pardir)\nsys.path.append('/content')",
    "the folder": "import os\nos.chdir('/content/drive/My Drive/lecture')",
    "data": "from dataset.mnist import load_mnist",
    "data beside": "from mnist import load_mnist",
    "a main part": "if __name__ == '__main__':\n    raise ValueError",
    "arguments": "import argparse\nargparse.ArgumentParser().parse_args()",
    "an exit": "exit",
}


@pytest.mark.parametrize("name", COLAB_LINES)
def test_lines_of_notebooks_do_no_harm(name: str, tmp_path: Path) -> None:
    ran = loaded(tmp_path, layers=COLAB_LINES[name] + RELU)
    assert ran.unloadable is None
    assert ran.broke is None
    assert ran.offered == ("Relu",)
    assert ran.printed == 0


def test_plots_can_be_drawn(tmp_path: Path) -> None:
    plots = """
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    plt.show()
    figure.savefig("figure.png")
    """
    ran = loaded(tmp_path, layers=dedent(plots) + RELU)
    assert ran.unloadable is None
    assert ran.broke is None
    assert [path.name for path in tmp_path.iterdir()] == ["layers.py"]


IMPORTS = {
    "beside": {"layers": "from functions import *", "functions": RELU},
    "in common": {
        "ch05/layers": "from common.functions import *",
        "common/functions": RELU,
    },
    "as if in common": {"layers": "from common.functions import *", "functions": RELU},
    "in another folder": {
        "layers": "from functions import *",
        "common/functions": RELU,
    },
    "up and down": {
        "ch05/layers": "import sys; sys.path.insert(0, '..')\nimport up",
        "up": "import functions",
        "functions": RELU,
    },
    "as a package": {
        "__init__": "",
        "layers": "from .functions import Relu",
        "functions": RELU,
    },
    "as a part of one": {
        "common/__init__": "",
        "common/layers": "from .functions import *",
        "common/functions": RELU,
    },
    "by the folder's name": {
        "__init__": "",
        "layers": "from submitted.functions import Relu",
        "functions": RELU,
    },
    "in a circle": {
        "layers": "import functions\n" + RELU,
        "functions": "import layers",
    },
    "from an unknown file": {"layers": "from mine import *", "mine": RELU},
}


@pytest.mark.parametrize("name", IMPORTS)
def test_imports_are_found(name: str, tmp_path: Path) -> None:
    ran = loaded(tmp_path / "submitted", **IMPORTS[name])
    assert ran.unloadable is None
    assert ran.broke is None
    assert ran.offered == ("Relu",)
    assert not any(outcome.raised for outcome in ran.outcomes)


def test_a_file_is_one_module_by_all_its_names(tmp_path: Path) -> None:
    ran = loaded(
        tmp_path,
        layers="from common.functions import *\nimport functions\nprint('layers')\n"
        + RELU,
        functions="print('functions')\ndef softmax(x): return x\n",
        gradient="import common.functions, functions\n"
        "assert common.functions is functions\n"
        "def numerical_gradient(f, x): return x\n",
    )
    assert ran.unloadable is None
    assert (ran.first_printed, ran.printed) == ("functions", 17)


@pytest.mark.parametrize(
    "name",
    ["2024-11 (final).v2", "json", "numpy", "random", "gradparity", "sys", "レイヤ"],
)
def test_a_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text(RELU, encoding="utf-8")
    ran = launch(path, tasks_of("Relu"))
    assert ran.offered == ("Relu",)
    assert ran.unloadable is None


TAKEN = {
    "the package": {"__init__": "", "layers": "from .mine import *", "mine": RELU},
    "the package by its name": {
        "__init__": "",
        "layers": "from {name}.mine import Relu",
        "mine": RELU,
    },
    "a file": {"layers": "import {name}\nfrom {name} import *", "{name}": RELU},
    "a folder": {"layers": "import {name}.mine\n" + RELU, "{name}/mine": "x = 1\n"},
    "a package": {
        "layers": "from {name} import mine\nRelu = mine.Relu",
        "{name}/__init__": "",
        "{name}/mine": RELU,
    },
    "a file elsewhere": {"layers": "from {name} import Relu", "ch05/{name}": RELU},
}


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("name", ["random", "types", "json"])
def test_a_name_may_be_that_of_a_module_of_pythons(
    name: str, kind: str, tmp_path: Path
) -> None:
    """And Python and NumPy find their own under it all the same."""
    check = f"""
    import copy, {name} as standard, sys
    import numpy as np
    assert getattr(sys.modules["{name}"], "__file__", None) in (
        None, copy.__file__.replace("copy.py", "{name}.py"),
        copy.__file__.replace("copy.py", "{name}/__init__.py"),
    ), sys.modules["{name}"]
    np.random.default_rng().normal()
    """
    files = {
        file.format(name=name): text.format(name=name)
        for file, text in TAKEN[kind].items()
    }
    files["layers"] += dedent(check)
    ran = loaded(tmp_path / name, **files)
    assert (ran.unloadable, ran.broke, ran.offered) == (None, None, ("Relu",))
    assert not any(outcome.raised for outcome in ran.outcomes)


def test_what_nobody_has_is_told_under_its_name(tmp_path: Path) -> None:
    text = "from random import help_me\n"
    told = raised(tmp_path, layers=text, random="x = 1\n")
    assert told[0].startswith("ImportError: cannot import name 'help_me' from ")
    told = raised(tmp_path, layers="import json.mine\n", **{"json/other": "x = 1\n"})
    assert told[0].startswith("ModuleNotFoundError: No module named 'json.mine'")


def test_names_may_be_spread_over_files(tmp_path: Path) -> None:
    ran = loaded(
        tmp_path,
        layers="from functions import softmax\n" + RELU,
        functions="def softmax(x): return x\ndef sigmoid(x): return x\n",
        other="class Affine: pass\n",
        **{"ch05/two_layer_net": "class TwoLayerNet: pass\n"},
    )
    assert ran.offered == ("sigmoid", "softmax", "Relu", "Affine", "TwoLayerNet")


def test_without_files_of_the_lectures_names_all_are_asked(tmp_path: Path) -> None:
    ran = loaded(tmp_path, mine=RELU, more="class Affine: pass\n")
    assert ran.offered == ("Relu", "Affine")


def test_what_is_defined_counts_before_what_is_imported(tmp_path: Path) -> None:
    ran = loaded(
        tmp_path,
        layers="from old import Relu\n",
        functions=RELU,
        old="class Relu:\n    def forward(self, x): raise ValueError('the old one')\n",
    )
    assert ran.offered == ("Relu",)
    assert not any(outcome.raised for outcome in ran.outcomes)


def test_what_is_not_theirs_does_not_count(tmp_path: Path) -> None:
    ran = loaded(
        tmp_path, layers="from scipy.special import softmax, expit as sigmoid\n" + RELU
    )
    assert ran.offered == ("Relu",)


@pytest.mark.parametrize("room", ["gradparity.reference.layers", "gradparity"])
def test_what_grades_is_not_there_to_be_imported(room: str, tmp_path: Path) -> None:
    told = raised(tmp_path, layers=f"import {room}\n")
    top = room.partition(".")[0]
    assert told == (
        f"ModuleNotFoundError: No module named {top!r}",
        *("layers.py", 1, f"import {room}"),
    )


# Why it cannot be loaded.


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    text = "import os\n\n\ndef forward(self, x)\n    return x\n"
    told = raised(tmp_path, layers=text)
    expected = ("SyntaxError: expected ':'", "layers.py", 4, "def forward(self, x)")
    assert told == expected
    told = raised(tmp_path, layers="from functions import *", functions=text)
    assert told == ("SyntaxError: expected ':'", "functions.py", *expected[2:])


def test_of_an_exception_the_innermost_line_of_theirs_is_told(tmp_path: Path) -> None:
    told = raised(
        tmp_path,
        layers="from common.functions import *\n",
        **{
            "common/functions": "import json\n\ndef f():\n    json.loads('{')\n\n"
            "class A(f()): pass\n"
        },
    )
    assert told[0].startswith("JSONDecodeError: Expecting property name")
    assert told[1:] == ("common/functions.py", 4, "json.loads('{')")


def test_a_missing_module_is_told_with_the_line_that_wants_it(tmp_path: Path) -> None:
    text = "from tensor_flow import *"
    told = raised(tmp_path, layers=f"import os\n{text}\n" + RELU)
    assert told[0] == "ModuleNotFoundError: No module named 'tensor_flow'"
    assert told[1:] == ("layers.py", 2, text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = '\x83\x8c\x83C\x83\x84'\n", "SyntaxError"),
        (b"class Relu: pass\n\0", "SyntaxError"),
        (b"x = " + b"(" * 5000, "SyntaxError"),
        (b"raise type('E' * 999, (Exception,), {})('m' * 9999)", "E" * 299 + "…"),
        (b"raise type('E', (Exception,), {'__str__': None})", "E"),
        (b"raise ValueError('\\ud800 \\x1b[31m')", "ValueError"),
    ],
)
def test_whatever_is_in_it_it_is_told(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "layers.py"
    path.write_bytes(content)
    ran = launch(path, tasks_of("Relu"))
    assert ran.unloadable
    assert ran.unloadable.kind == expected
    assert len(ran.unloadable.message) <= messages.LONGEST
    ran.unloadable.message.encode()


def test_exceptions_of_calls_have_their_line(tmp_path: Path) -> None:
    ran = loaded(
        tmp_path,
        layers="from common.functions import *\n\nclass Relu:\n"
        "    def forward(self, x):\n        return help_me(x)\n",
        **{"common/functions": "def help_me(x):\n    return x.shap\n"},
    )
    assert len(ran.outcomes) == sum(len(task.calls) for task in tasks_of("Relu"))
    for outcome in ran.outcomes:
        assert outcome.raised == Raised(
            "AttributeError",
            "'numpy.ndarray' object has no attribute 'shap'",
            *("common/functions.py", 2, "return x.shap"),
        )


def test_what_is_printed_is_counted(tmp_path: Path) -> None:
    text = "import warnings\nprint()\nprint('レイヤ')\nwarnings.warn('beware')\n"
    ran = loaded(tmp_path, layers=text + RELU)
    assert (ran.first_printed, ran.printed) == ("レイヤ", 5)
    ran = loaded(tmp_path, layers="print('x' * 100000)\n" + RELU)
    assert ran.printed == 100001
    assert len(ran.first_printed) == messages.LONGEST


def test_too_much_that_is_printed_is_told_whatever_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "MOST_PRINTED", 1 << 20)
    text = """
    try:
        print("x" * (3 << 20), flush=True)
    except OSError:
        pass
    """
    ran = loaded(tmp_path, layers=dedent(text) + RELU)
    assert ran.broke
    assert ran.broke.startswith("printed more than 1 MiB ")


def test_results_come_as_they_are(tmp_path: Path) -> None:
    text = """
    import numpy as np
    class Relu:
        def forward(self, x):
            return np.float32([[np.nan, -0.0, np.inf]])
        def backward(self, dout):
            return np.longdouble(2)
    """
    for outcome in loaded(tmp_path, layers=text).outcomes:
        out, dx = outcome.results["out"], outcome.results["dx"]
        assert out.dtype == np.float32
        assert out.tobytes() == np.array([[np.nan, -0.0, np.inf]], np.float32).tobytes()
        assert (dx.dtype, dx.shape, dx) == (np.longdouble, (), 2)


def test_too_many_results_are_told(tmp_path: Path) -> None:
    text = """
    import numpy as np
    class Relu:
        def forward(self, x):
            return np.zeros(100_000)
    """
    path = written(tmp_path, layers=text)
    ran = launch(path, tasks_of("Relu"), Limits(answer_size=2 << 20))
    assert ran.broke == "answered with more than 2 MiB in Relu"
    assert 0 < len(ran.outcomes) < 3


# Which files.


def test_the_original_stays_as_it_is(tmp_path: Path) -> None:
    """Links are not followed, and what is hidden is left alone."""
    secret = tmp_path / "secret.py"
    secret.write_text("raise ValueError('a secret')\n")
    top = written(tmp_path / "top", layers=RELU, **{"venv/lib/gradient": "1 / 0"})
    (top / "venv" / "pyvenv.cfg").touch()
    (top / "functions.py").symlink_to(secret)
    (top / "common").symlink_to(tmp_path)
    (top / ".hidden").mkdir()
    (top / ".hidden" / "gradient.py").write_text("1 / 0")
    (top / "data.csv").write_text("1")
    if hasattr(os, "mkfifo"):
        os.mkfifo(top / "gradient.py")
    assert find(top).parts[0].files == (Path("layers.py"),)
    assert loaded(top).offered == ("Relu",)


def test_what_is_no_submission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "link.py").symlink_to(COLAB / "layers.py")
    (tmp_path / "empty").mkdir()
    large = written(tmp_path / "large", layers="#" * (1 << 20) + "\n")
    refused = {
        tmp_path / "nowhere.py": "does not exist",
        tmp_path / "notes.txt": "is no submission: expected a .py file, a notebook or",
        tmp_path / "link.py": "is a link: expected what it points to",
        tmp_path / "empty": "has no .py file in it",
        large: "has no .py file in it; layers.py is larger than 1 MiB",
    }
    for path, reason in refused.items():
        with pytest.raises(Unusable, match=reason):
            launch(path, ())
    for (path, reason), result in zip(
        refused.items(), grade_all([*refused]), strict=True
    ):
        skipped = path.name != "nowhere.py"
        status = "skipped" if skipped else "unloadable"
        assert (result.path, result.status) == (str(path), status)
        assert result.problem
        assert reason in result.problem


def test_a_class_and_a_submission_are_told_apart(tmp_path: Path) -> None:
    one = written(tmp_path / "one", train="1 / 0", **{"common/layers": RELU})
    other = written(tmp_path / "other", layers=RELU)
    for path in (one, other, other / "layers.py"):
        assert not is_class(path)
        assert submissions(path) == [path]
    files = {"zoe": RELU, "bob/layers": RELU, "adam/mine": RELU}
    course = written(tmp_path / "class", **files)
    (course / "readme.txt").touch()
    (course / ".git").mkdir()
    (course / "__pycache__").mkdir()
    (course / "eve").mkdir()
    assert is_class(course)
    found = submissions(course)
    assert [path.name for path in found] == ["adam", "bob", "eve", "zoe.py"]
    statuses = [result.status for result in grade_all(found)]
    assert statuses == ["pass", "pass", "skipped", "pass"]
    (tmp_path / "nobody").mkdir()
    for path in (tmp_path / "nobody", tmp_path / "nowhere"):
        with pytest.raises(Unusable):
            submissions(path)


def test_a_part_does_not_make_a_class_one_submission(tmp_path: Path) -> None:
    """Unless all that lies beside it is to be imported."""
    course = written(tmp_path, a=RELU, b="1 / 0\n", **{"src/layers": RELU})
    assert [each.name for each in submissions(course)] == ["a.py", "b.py", "src"]


def test_who_is_neither_graded_nor_imported_is_named(tmp_path: Path) -> None:
    """Somebody who is called as the lecture's file hides nobody."""
    files = {"layers": "from mine import Relu\n", "mine": RELU, "helper": "x = 1\n"}
    course = written(tmp_path, ben=RELU, **files, **{"aiko/layers": RELU})
    (result,) = grade_all(submissions(course))
    why = "defines Relu, as does mine.py, which is graded"
    assert result.passed_over == {"ben.py": why, "aiko/layers.py": why}
    assert result.looked_at == ["mine.py"]


HAND_INS = {
    **{"a.py": "pass", "B.PY": "pass", "__c.py": "pass", "_d.py": "pass"},
    **{
        "e/layers.PY": "pass",
        ".f.py": "pass",
        "g.ipynb": "no notebook: it is not JSON",
    },
    **{"h.zip": "an archive: unpack it", "i.tar.gz": "an archive: unpack it"},
    **{"j.py.txt": "expected a .py file", "k.pdf": "expected a .py file"},
    "l/layers.ipynb": "no .py file in it; layers.ipynb is no notebook: it is not JSON",
    "m/" * 21 + "layers.py": "m/m/m/m/m lies more than 19 folders deep",
    "ガ\u3099.py": "pass",
}
NO_WORK = (
    *("__pycache__/a.pyc", "__MACOSX/._a.py", "._a.py", ".DS_Store", ".git/config"),
    *(".ipynb_checkpoints/a.ipynb", "venv/pyvenv.cfg", "README.md", "__init__.py"),
)


def test_whoever_hands_in_is_counted(tmp_path: Path) -> None:
    """Graded, or passed over with the reason; what programs leave behind is neither."""
    for name in (*HAND_INS, *NO_WORK):
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_code = path.suffix.lower() == ".py" and name != "__init__.py"
        path.write_text(RELU if is_code else "")
    course, expected = tmp_path / "class", dict(HAND_INS)
    (course / "n").mkdir()
    expected |= {"n": "has no .py file in it"}
    if sys.platform != "win32":
        (course / "o.py").symlink_to(course / "a.py")
        os.mkfifo(course / "p.py")
        expected |= {"o.py": "is a link", "p.py": "is no file and no folder"}
    found = submissions(course)
    names = [name.partition("/")[0] for name in expected]
    assert [path.name for path in found] == sorted(names)
    graded = {Path(each.path).name: each for each in grade_all(found)}
    for name, told in expected.items():
        result = graded[name.partition("/")[0]]
        if told == "pass":
            assert (result.status, result.problem) == ("pass", None), name
        else:
            assert result.status == "skipped", name
            assert told in str(result.problem), name


def test_what_is_passed_over_in_a_submission_is_named(tmp_path: Path) -> None:
    one = written(tmp_path / "one", layers=RELU)
    for name in (
        "functions.ipynb",
        "old.zip",
        "more.py.txt",
        "layers.PY",
        ".gradient.py",
    ):
        (one / name).write_text("")
    for name in ("report.pdf", "data.csv", "figure.png", ".DS_Store"):
        (one / name).write_text("")
    result = grade(one)
    assert (result.status, result.missing[:1]) == ("pass", ["sigmoid"])
    told = dict(result.passed_over)
    if "layers.PY" in told:  # where capitals make another name
        assert told.pop("layers.PY") == "is called as layers.py is"
    assert told == {
        ".gradient.py": "is hidden: its name begins with a dot",
        "functions.ipynb": "is no notebook: it is not JSON",
        "more.py.txt": "is no submission: expected a .py file, a notebook or a folder",
        "old.zip": "is an archive: unpack it",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="a name may be any bytes")
def test_what_is_passed_over_may_have_any_name(tmp_path: Path) -> None:
    one = written(tmp_path / "one", layers=RELU)
    Path(os.fsdecode(os.fsencode(one) + b"/\xff.zip")).touch()
    assert grade(one).passed_over == {r"\xff.zip": "is an archive: unpack it"}


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_folder_that_cannot_be_read_stops_nobody(tmp_path: Path) -> None:
    written(tmp_path, a=RELU, **{"b/layers": RELU})
    (tmp_path / "b").chmod(0)
    try:
        found = [*grade_all(submissions(tmp_path))]
    finally:
        (tmp_path / "b").chmod(0o700)
    assert [each.status for each in found] == ["pass", "unloadable"]


@pytest.mark.parametrize("name", ["a.ipynb", "a.zip", "a.py.txt"])
def test_where_nothing_can_be_graded_it_is_said_what_is_there(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(Unusable, match=rf"{name} is (a|an|no) "):
            submissions(path)


def test_an_error_of_ours_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, a=RELU, b=RELU)

    def judge(*arguments: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("gradparity.parity_tests.grading.grade.judge", judge)
    for result in grade_all([tmp_path / "a.py", tmp_path / "b.py"]):
        assert result.status == "ungraded"
        assert result.problem == "could not be graded: ZeroDivisionError: of ours"


def test_a_process_that_cannot_start_is_no_fault_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, layers=RELU)
    monkeypatch.setattr(grading, "PAUSES", (0.01,))
    monkeypatch.setattr(launching, "START", "raise SystemExit('no luck')")
    with pytest.raises(ChildProcessError, match=r"could not be prepared .*no luck"):
        launch(path, tasks_of("Relu"))
    result = grade(path)
    assert result.status == "ungraded"
    assert result.problem
    assert result.problem.startswith("could not be graded: ChildProcessError: ")


SHORTAGES = [
    BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.EMFILE, "Too many open files"),
    RuntimeError("can't start new thread"),
    MemoryError(),
]


def test_what_there_is_too_little_of_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, missing = written(tmp_path, layers=RELU), iter(SHORTAGES)

    run = launching.run

    def launched(*arguments: Any, **named: Any) -> Ran:
        if error := next(missing, None):
            raise error
        return run(*arguments, **named)

    monkeypatch.setattr(launching, "run", launched)
    monkeypatch.setattr(grading, "PAUSES", [0.01] * len(SHORTAGES))
    assert grade(path).status == "pass"


def test_a_file_that_cannot_be_opened_for_now_is_not_called_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, layers=RELU)

    def full(*arguments: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(grading, "PAUSES", ())
    with monkeypatch.context() as within:
        within.setattr("os.open", full)
        assert grade(path).status == "ungraded"


def test_many_threads_may_launch(tmp_path: Path) -> None:
    paths = [written(tmp_path, **{f"s{n}": f"print({n})" + RELU}) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        files = [path / f"s{n}.py" for n, path in enumerate(paths)]
        found = pool.map(lambda path: launch(path, tasks_of("Relu")), files)
    assert [ran.first_printed for ran in found] == [*map(str, range(8))]


def test_the_child_imports_nothing_of_size(tmp_path: Path) -> None:
    names = "('pydantic', 'scipy', 'torch', 'jax', 'jaxtyping', 'parity_tests')"
    text = f"import sys\nprint([name for name in {names} if name in sys.modules])\n"
    assert loaded(tmp_path, layers=text + RELU).first_printed == "[]"


def test_every_submission_has_its_own_name(tmp_path: Path) -> None:
    """However long it is; and on Linux, it need not be Unicode."""
    folder = tmp_path / ("a" * 200) / ("b" * 200)
    names = [b"one.py", b"other.py"]
    if sys.platform == "linux":
        names += [b"\xfe.py", b"\xff.py"]
    folder.mkdir(parents=True)
    paths = [folder / os.fsdecode(name) for name in names]
    for path in paths:
        path.write_text(RELU)
    results = [*grade_all(paths)]
    assert [each.status for each in results] == ["pass"] * len(names)
    expected = ["one.py", "other.py", r"\xfe.py", r"\xff.py"][: len(names)]
    assert [Path(each.path).name for each in results] == expected


@pytest.mark.skipif(sys.platform == "win32", reason="paths are short there")
def test_many_long_paths_are_no_argument(tmp_path: Path) -> None:
    deep = "/".join(letter * 200 for letter in "abc")
    names = [f"{deep}/{number:0200}" for number in range(190)]
    ran = loaded(tmp_path / "all", **dict.fromkeys(names, RELU))
    assert (ran.offered, ran.unloadable) == (("Relu",), None)


# What goes to and fro.


def same(one: Outcome, other: Outcome) -> bool:
    names = ("name", "case", "dtype", "call", "raised", "remarks")
    arrays = [
        {key: (a.dtype, a.shape, a.tobytes()) for key, a in each.results.items()}
        for each in (one, other)
    ]
    return arrays[0] == arrays[1] and all(
        getattr(one, name) == getattr(other, name) for name in names
    )


OUTCOME = Outcome(
    *("Affine", "batch", "float32", 1),
    results={
        "out": np.array([[1.5, np.nan], [-0.0, np.inf]], np.float32),
        "dx": np.zeros((0, 3)),
        "dW": np.array(True),
        "db": np.arange(6, dtype=np.int64).reshape(2, 3)[:, ::2],
    },
    raised=Raised("ValueError", "no\nway", "layers.py", 3, "x = 1"),
    remarks=(Remark("wrote", "x"), Remark("shares", "dx, dout")),
)


def read(content: bytes, most: int = 1 << 20) -> list[messages.Message]:
    reader = Reader(most)
    found = [*reader.feed(content)]
    reader.end()
    return found


def test_outcomes_and_tasks_come_through() -> None:
    content = messages.of_outcome(OUTCOME)
    reader = Reader(1 << 20)
    found = [m for at in range(len(content)) for m in reader.feed(content[at : at + 1])]
    assert len(found) == 1
    assert same(messages.to_outcome(found[0]), OUTCOME)
    sent = b"".join(map(messages.of_task, all_tasks()))
    for task, message in zip(all_tasks(), read(sent, len(sent)), strict=True):
        arrived = messages.to_task(message)
        assert (arrived.name, arrived.case, arrived.dtype) == (
            *(task.name, task.case, task.dtype),
        )
        for one, other in zip(arrived.calls, task.calls, strict=True):
            assert (one.dout is None) == (other.dout is None)
            assert [*one.inputs] == [*other.inputs]
            for name, array in one.inputs.items():
                assert array.tobytes() == other.inputs[name].tobytes()
                assert array.flags.writeable


def test_only_numbers_are_sent() -> None:
    for array in (np.array(["a"]), np.array([1j]), np.array([None])):
        with pytest.raises(NoNumbers):
            messages.packed({}, [array])


def test_what_is_garbled_is_refused_and_no_more() -> None:
    """Whatever is changed: it is read as something, or refused."""
    content = messages.of_outcome(OUTCOME)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(3000):
        garbled = bytearray(content)
        for at in rng.integers(len(garbled), size=rng.integers(1, 4)):
            garbled[at] = rng.integers(256)
        try:
            for message in read(bytes(garbled)):
                messages.to_outcome(message)
        except Malformed:
            refused += 1
    assert 1000 < refused < 3000


@pytest.mark.parametrize(
    "head",
    [
        "[]",
        "{}",
        '{"arrays": 1}',
        '{"arrays": [["O", [1]]]}',
        '{"arrays": [["<f8", [-1]]]}',
        '{"arrays": [["<f8", [true]]]}',
        '{"arrays": [["<f8", [1.0]]]}',
        '{"arrays": [["<f8", [4294967296, 4294967296]]]}',
        '{"arrays": [["<f8", [1, 1, 1, 1, 1, 1, 1, 1, 1]]]}',
        '{"arrays": [["<f8", [2]]]}',
        '{"arrays": []}',
        '{"arrays": [[[], []]]}',
        "[" * 60000,
        '{"arrays": ' + "9" * 5000 + "}",
    ],
)
def test_a_header_is_doubted(head: str) -> None:
    content = messages.LENGTHS.pack(len(head), 8) + head.encode() + bytes(8)
    with pytest.raises(Malformed):
        read(content)


TASK = Task(
    *("Relu", "batch", "float64"),
    calls=(Call({"x": np.zeros(2)}, np.zeros(2)), Call({"x": np.zeros(2)})),
)


def heard(*sent: bytes) -> launching._Answers:
    answers = launching._Answers([TASK], Limits())
    for message in (told("ready"), *sent):
        answers.take(message)
    return answers


def told(kind: str, **more: object) -> bytes:
    return messages.packed({"kind": kind, "reached_for": [], **more})


def answer(call: object = 0, name: str = "Relu", **results: np.ndarray) -> bytes:
    return messages.of_outcome(Outcome(name, "batch", "float64", call, results))  # type: ignore[arg-type]


OFFERED = told("offered", names=["Relu"], notes=[])
WHOLE = (OFFERED, answer(0, out=np.zeros(2), dx=np.zeros(2)), answer(1), told("end"))
REASON = Raised("ValueError", "no")


def test_what_was_asked_for_is_heard() -> None:
    answers = heard(*WHOLE)
    assert (answers.ended, answers.disturbed) == ("end", None)
    assert len(answers.ran(None, launching._Printed(), 1.0).outcomes) == 2
    answers = heard(told("unloadable", raised=messages.of_raised(REASON)))
    assert answers.ran(None, launching._Printed(), 1.0).unloadable == REASON


@pytest.mark.parametrize(
    "sent",
    [
        [answer(0)],
        [told("end")],
        [OFFERED, told("end")],
        [OFFERED, answer(0), told("end")],
        [OFFERED, OFFERED],
        [told("ready")],
        [told("offered", names=["Relu"])],
        [told("offered", names=["Relu"], notes=[["absent", 1, None]])],
        [told("offered", names="Relu", notes=[])],
        [told("offered", names=["Softmax"], notes=[])],
        [told("offered", names=[["Relu"]], notes=[])],
        [told("offered", notes=[])],
        [OFFERED, answer(0), answer(0)],
        [OFFERED, answer(2)],
        [OFFERED, answer(-1)],
        [OFFERED, answer("0")],
        [OFFERED, answer(0, name="Affine")],
        [OFFERED, answer(0, verdict=np.zeros(1))],
        [OFFERED, answer(0, dy=np.zeros(1))],
        [told("unloadable", raised=None)],
        [told("unloadable", raised={"kind": 1})],
        [OFFERED, told("unloadable", raised=messages.of_raised(REASON))],
        [told("broke", sentence="", where=None)],
        [told("verdict")],
        [messages.packed({"kind": ["end"]})],
        [messages.packed({"kind": "offered", "names": []}, [np.zeros(1)])],
        [*WHOLE[:-1], told("end", reached_for=None)],
        [*WHOLE[:-1], told("end", reached_for=[1])],
        [*WHOLE, told("end")],
        [*WHOLE, b"\xff" * 20],
        [b"pass" * 10],
    ],
)
def test_what_was_not_asked_for_is_a_disturbance(sent: list[bytes]) -> None:
    answers = heard(*sent)
    assert answers.disturbed == "disturbed the channel that results go through"


def test_the_path_to_imports_is_that_of_the_grader() -> None:
    path = search_path()
    assert str(Path(np.__file__).parents[1]) in path
    assert all(Path(each).is_absolute() for each in path)
    assert sys.executable == launching._python("")[0]
