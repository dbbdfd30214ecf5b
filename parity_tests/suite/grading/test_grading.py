"""What is right passes `grade`, however it is written; what is wrong fails.

Submissions run in this process here: what they are run in otherwise has tests of its own.
"""

import ast
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.grading import diagnosis, truths
from gradparity.parity_tests.grading.cautions import OF_THE_BOOK
from gradparity.parity_tests.grading.course import SETTINGS, SUBJECTS
from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.outcomes import (
    GRADED,
    Outcome,
    Raised,
    Ran,
    Remark,
)
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.grading.tasks import all_tasks, tasks_of
from gradparity.parity_tests.grading.truths import expected
from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.parity_tests.suite.support import SUBMISSIONS
from gradparity.reference import functions, gradient, layers, networks

LECTURE = SUBMISSIONS / "lecture"
# What the reference has, and every one of the correct submissions.
CHAPTER_5 = [name for name in GRADED if not SUBJECTS[name].further]
FILES = ("functions", "gradient", "layers", "two_layer_net")

pytestmark = pytest.mark.usefixtures("without_shape_checks")


def as_one_file(folder: Path, *names: str) -> str:
    """Files of a folder, without what they import of each other and of `common`."""
    others = tuple(f"from {name} " for name in names)
    lines = [
        line
        for name in names
        for line in (folder / f"{name}.py").read_text(encoding="utf-8").splitlines()
        if not line.startswith((*others, "from common.", "sys."))
    ]
    return "\n".join(lines) + "\n"


def lecture() -> str:
    """The transcription of the lecture's code."""
    return as_one_file(LECTURE, *FILES)


def offered_by(source: str, name: str = "submission.py") -> dict[str, Any]:
    """What a submission's source defines."""
    namespace: dict[str, Any] = {}
    exec(compile(source, name, "exec"), namespace)
    return namespace


def ran(names: dict[str, Any]) -> Ran:
    """The names, asked everything in this process."""
    offered = tuple(name for name in GRADED if name in names)
    own = lambda file: file == "submission.py"  # noqa: E731
    return Ran(offered, tuple(exercise(names, all_tasks(), own)))


def graded(source: str) -> GradedFile:
    return judge("submission.py", ran(offered_by(source)))


def warned(found: GradedFile) -> set[tuple[str | None, str]]:
    return {(warning.class_, warning.kind) for warning in found.warnings}


# --- What is right --------------------------------------------------------------------


def the_reference() -> dict[str, Any]:
    return {**vars(functions), **vars(gradient), **vars(layers), **vars(networks)}


def test_the_reference_passes() -> None:
    found = judge("reference", ran(the_reference()))
    assert found.status == "pass", found
    assert [each.name for each in found.classes] == CHAPTER_5
    assert found.diagnosis == []
    assert found.missing == []
    assert warned(found) == {("cross_entropy_error", "epsilon")}
    for each in found.classes:
        for row in each.quantities:
            assert row.cases > 0
            assert row.wrong == 0
            assert row.bound_ratio is not None
            assert row.bound_ratio <= 1
            assert row.case is not None
            assert row.worst is not None


@pytest.fixture
def lecture_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where `from layers import *` finds the lecture's own."""
    monkeypatch.syspath_prepend(str(LECTURE))
    yield
    for name in FILES:
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("lecture_folder")
def test_the_lectures_files_pass_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])  # the file itself appends to it
    names: dict[str, Any] = {}
    for name in FILES:
        source = (LECTURE / f"{name}.py").read_text(encoding="utf-8")
        exec(compile(source, name, "exec"), names)
    found = judge("lecture", ran(names))
    assert found.status == "pass", found.diagnosis
    assert warned(found) == {
        ("Relu", "wrote"),
        ("Relu", "shares"),
        ("SoftmaxWithLoss", "dtype"),
        ("SoftmaxWithLoss", "dout ignored"),
        ("SoftmaxWithLoss", "epsilon"),
        ("TwoLayerNet", "epsilon"),
        ("cross_entropy_error", "epsilon"),
    }
    assert found == judge("lecture", ran(offered_by(lecture())))
    sentences = [w.sentence for w in found.warnings if w.class_ == "Relu"]
    assert any("writes into what it is given, `dout`" in s for s in sentences)
    (epsilon,) = (
        w.sentence
        for w in found.warnings
        if (w.class_, w.kind) == ("SoftmaxWithLoss", "epsilon")
    )
    assert epsilon == (
        "`SoftmaxWithLoss` adds 1e-7 in the logarithm: the gradient (y - t) / N is not "
        "exactly that loss's derivative."
    )


# What is peculiar about each, and must be seen.
CORRECT = {
    "correct_other_names": {
        ("softmax", "vector"),
        ("cross_entropy_error", "vector"),
    },
    "correct_einsum": {("SoftmaxWithLoss", "epsilon")},
    "correct_chain_rule": {("SoftmaxWithLoss", "epsilon"), ("TwoLayerNet", "epsilon")},
    "correct_lists": {("Relu", "type"), ("Affine", "tensors")},
    "correct_float32": {(name, "dtype") for name in CHAPTER_5},
    "correct_in_place": {
        ("softmax", "wrote"),
        ("AddLayer", "shares"),
        ("MulLayer", "shares"),
        ("Sigmoid", "overwrote"),
        ("Affine", "overwrote"),
        ("numerical_gradient", "not restored"),
    },
}


def test_all_correct_submissions_are_graded() -> None:
    assert {path.stem for path in SUBMISSIONS.glob("correct_*.py")} == set(CORRECT)


@pytest.mark.parametrize("name", CORRECT)
def test_what_is_right_passes_however_it_is_written(name: str) -> None:
    found = graded((SUBMISSIONS / f"{name}.py").read_text(encoding="utf-8"))
    assert found.status == "pass", found.diagnosis
    assert found.missing == []
    assert found.diagnosis == []
    assert warned(found) >= CORRECT[name]
    if name == "correct_other_names":
        assert warned(found) == CORRECT[name]


def test_one_vector_is_asked_and_may_be_refused() -> None:
    of_vectors = "import numpy as np\ndef softmax(x):\n    e = np.exp(x - x.max({0}))\n"
    whole = (of_vectors + "    return e / e.sum()\n").format("")
    found = ran(offered_by(whole))
    right = {f.group for f in Findings.of("softmax", found.outcomes).found if f.right}
    wrong = {
        f.group for f in Findings.of("softmax", found.outcomes).found if not f.right
    }
    assert right == {"vector", "one sample"}
    assert "vector" not in wrong
    assert judge("", found).status == "fail"
    rows = (of_vectors + "    return e / e.sum(0)\n").format("0")
    rows = f"{rows.replace('softmax(x)', 'of(x)')}def softmax(x):\n    return np.array"
    batches = graded(f"{rows}([of(row) for row in x])\n")
    assert batches.status == "pass"
    assert warned(batches) == {("softmax", "vector")}
    odd = graded(
        "import numpy as np\n"
        "def softmax(x):\n"
        "    if x.ndim == 1:\n"
        "        return x * 0\n"
        "    e = np.exp(x - x.max(1, keepdims=True))\n"
        "    return e / e.sum(1, keepdims=True)\n"
    )
    assert odd.status == "pass"
    (warning,) = odd.warnings
    assert warning.sentence.startswith(
        "`softmax` is right for batches, and not for one"
    )


def loss(forward: str, *backward: str) -> str:
    """A SoftmaxWithLoss: the value that forward returns, and the lines of backward."""
    return (
        "class SoftmaxWithLoss:\n"
        "    def forward(self, x, t):\n"
        "        self.t = (t if t.ndim == 2 else np.eye(x.shape[1])[t]).astype(x.dtype)\n"
        "        e = np.exp(x - x.max(axis=1, keepdims=True))\n"
        "        self.y = e / e.sum(axis=1, keepdims=True)\n"
        f"        return {forward}\n" + "\n".join(f"    {line}" for line in backward)
    )


MEAN = "-(self.t * np.log(self.y{})).sum() / len(x)"
RETURNED = "    return (self.y - self.t) / len(self.y)"
TOTAL = "np.log(np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True))"
STEP = (
    "        v = x[i]\n"
    "        x[i] = v + 1e-4; a = f({0})\n"
    "        x[i] = v - 1e-4; b = f({0})\n"
    "        x[i] = v\n"
    "        g[i] = (a - b) / 2e-4\n"
    "    return g\n"
)
# Source, and the warnings, that once failed, or that were warned of without need.
WRITTEN: list[tuple[str, set[str]]] = [
    (f"def softmax(x):\n    return np.exp(x - x.max(1, keepdims=True) - {TOTAL})", set()),
    (f"def softmax(x):\n    return np.exp(x - (x.max(1, keepdims=True) + {TOTAL}))", set()),
    ("def softmax(x):\n    return np.exp(x - np.logaddexp.reduce(x, 1, keepdims=True))",
     set()),
    (loss(f"(x.max(1, keepdims=True) + {TOTAL} - x)[self.t == 1].mean()",
          "def backward(self, dout=1):", "    return dout *" + RETURNED[10:]), set()),
    (loss(MEAN.format(" + 1e-6"), "def backward(self, dout):", RETURNED),
     {"epsilon", "dout ignored"}),
    (loss(MEAN.format(""), "def backward(self):", RETURNED), {"dout ignored", "extreme"}),
    (loss(MEAN.format(" + 1e-5"), "def backward(self, dout=1):",
          "    dy = -self.t / (self.y + 1e-5) / len(self.y) * dout",
          "    return self.y * dy - self.y * (self.y * dy).sum(1, keepdims=True)"),
     {"epsilon"}),
    *((f"def cross_entropy_error(y, t):\n"
       f"    t = t if t.ndim == 1 else t.argmax(1)\n"
       f"    return -np.log(y[range(len(y)), t] + {epsilon}).mean()", {"epsilon"})
      for epsilon in ("1e-5", "1e-6", "1e-9", "2.0**-52")),
    # Of the book's chapter 4: for vectors, and for the rows of a matrix.
    ("def numerical_gradient(f, x):\n    g = np.zeros_like(x)\n"
     "    for i in range(x.size):\n" + STEP.format("x"), {"matrix"}),
    ("def numerical_gradient(f, x):\n    if x.ndim == 2:\n"
     "        return np.array([numerical_gradient(f, row) for row in x])\n"
     "    g = np.zeros_like(x)\n    for i in range(x.size):\n" + STEP.format("x"),
     {"matrix"}),
    ("class AddLayer:\n    def forward(self, x, y):\n        return x + y\n"
     "    def backward(self, dout):\n        return np.array([dout, dout])", set()),
    ("class Sigmoid:\n    def forward(self, x):\n        self.t = np.tanh(x / 2)\n"
     "        return (1 + self.t) / 2\n"
     "    def backward(self, dout):\n        return dout * (1 - self.t ** 2) / 4", set()),
    # What is put on a stack is taken from it in the opposite order.
    ("tape = []\nclass Relu:\n    def forward(self, x):\n        tape.append(x > 0)\n"
     "        return np.maximum(x, 0)\n"
     "    def backward(self, dout):\n        return dout * tape.pop()", set()),
]  # fmt: skip


@pytest.mark.parametrize(("source", "kinds"), WRITTEN, ids=range(len(WRITTEN)))
def test_what_is_right_is_warned_of_what_is_true(source: str, kinds: set[str]) -> None:
    found = graded("import numpy as np\n" + source)
    assert found.status == "pass", found.diagnosis
    # Most of them are for batches alone, which is told, too.
    assert {kind for _, kind in warned(found)} - {"vector"} == kinds


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        # The printed book's SoftmaxWithLoss is for one-hot labels alone.
        (
            "if self.t.size == self.y.size:  # 教師データがone-hot-vectorの場合",
            "if True:",
            "labels",
        ),
        ("        self.t = t\n", "        t.shape[2]\n        self.t = t\n", None),
        (
            "        self.t = t\n",
            "        self.t = np.eye(9)[t][:, :x.shape[1]]\n",
            "one-hot",
        ),
    ],
)
def test_one_kind_of_labels_is_enough(old: str, new: str, kind: str | None) -> None:
    names = offered_by(lecture().replace(old, new))
    found = judge("", ran({"SoftmaxWithLoss": names["SoftmaxWithLoss"]}))
    assert found.status == ("fail" if kind is None else "pass")
    kinds = {kind for _, kind in warned(found)} & {"labels", "one-hot"}
    assert kinds == ({kind} if kind else set())


# --- Known mistakes -------------------------------------------------------------------

FITTING = [
    m
    for m in MUTANTS
    if m.implementation == "reference" and m.scope != "training" and m.layer in GRADED
]

# Right in value where the lecture uses it: the warning that each must give; or why it
# cannot be seen, where it gives none.
HARMLESS = {
    "dout-written-in-place": "wrote",
    "input-written-in-place": "wrote",
    "output-overwritten-by-backward": "overwrote",
    "promoted-to-double": "dtype",
    "labels-set-the-dtype": "dtype",
    "loss-as-python-number": "dtype",
    "dout-ignored": "dout ignored",
    "loss-of-slightly-more": "epsilon",
    "output-clipped": "extreme",
    "input-clipped": "extreme",
    "loss-through-an-underflow": "extreme",
    "sigmoid-for-relu": "sigmoid-in-chapter-5",
}
UNSEEN = {
    "mask-multiplied": "the gradient is never infinite",
    "nan-stopped": "x is never NaN",
    "batch-size-from-the-labels": "there are batches only",
    "batches-only": "there are batches only",
    "tail-of-the-batch-dropped": "there are no 101 samples",
    "one-weight-of-ten-thousand": "there are no ten thousand weights",
    "labels-taken-for-one-hot": "there is more than one class",
    "images-rounded-to-single-precision": "they are numbers of float32 already",
    "probabilities-overwritten": "nobody asks for the probabilities",
}


def planted(mutant: Mutant) -> GradedFile:
    return judge("", ran({mutant.layer: mutant.definition}))


@pytest.mark.parametrize("mutant", FITTING, ids=lambda mutant: mutant.name)
def test_a_planted_mistake_is_named(mutant: Mutant) -> None:
    found = planted(mutant)
    if mutant.name in HARMLESS:
        assert found.status == "pass", found.diagnosis
        assert HARMLESS[mutant.name] in {kind for _, kind in warned(found)}
    elif mutant.name in UNSEEN:
        assert found.status == "pass", found.diagnosis
        assert found.warnings == []
    else:
        assert found.status == "fail"
        (named,) = found.diagnosis
        assert named.known
        assert named.mistake == mutant.name
        assert mutant.sentence[1:] in named.sentence
        assert named.class_ == mutant.layer
        (failed,) = found.classes
        wrong = [row.quantity for row in failed.quantities if row.verdict == "FAIL"]
        assert named.quantities == wrong


def test_most_known_mistakes_are_failed() -> None:
    assert {*HARMLESS, *UNSEEN} <= {mutant.name for mutant in FITTING}
    assert len(FITTING) - len(HARMLESS) - len(UNSEEN) >= 75


def test_a_network_must_not_need_a_loss_before_its_gradient() -> None:
    source = lecture().replace("        self.loss(x, t)\n\n        # backward", "")
    assert source != lecture()
    found = graded(source)
    (raises,) = (d for d in found.diagnosis if d.class_ == "TwoLayerNet")
    assert raises.mistake == "raises"
    assert raises.quantities == ["dW1", "db1", "dW2", "db2"]


def test_what_is_true_of_the_books_own_code_is_known() -> None:
    """The list is what is said of the transcription, word for word."""
    rows = (SUBMISSIONS / "book" / "ch04" / "gradient_2d.py").read_text(
        encoding="utf-8"
    )
    defined = [n for n in ast.parse(rows).body if isinstance(n, ast.FunctionDef)]
    by_rows = "import numpy as np\n" + "\n".join(map(ast.unparse, defined))
    warnings = [*graded(lecture()).warnings, *graded(by_rows).warnings]
    not_further = {
        said for said in OF_THE_BOOK if not SUBJECTS[said.split("`")[1]].further
    }
    assert {warning.sentence for warning in warnings} == not_further
    assert all(warning.of_the_book for warning in warnings)
    other = graded(lecture().replace("1e-7", "1e-5"))
    of_it = {w.class_: w.of_the_book for w in other.warnings if w.kind == "epsilon"}
    assert {*of_it.values()} == {False}


def test_a_slip_where_something_may_be_refused_is_told() -> None:
    source = lecture().replace("np.arange(batch_size), self.t] -= 1", "i, self.t] -= 1")
    found = graded(source)
    (said,) = (
        w.sentence
        for w in found.warnings
        if w.class_ == "SoftmaxWithLoss"
        if w.kind == "labels"
    )
    assert "It raises NameError: name 'i' is not defined (submission.py, line" in said


@pytest.mark.parametrize("method", ["accuracy", "loss"])
def test_labels_that_a_network_refuses_are_told_by_method(method: str) -> None:
    start = f"    def {method}(self, x, t):\n"
    found = graded(lecture().replace(start, f"{start}        t.shape[1]\n"))
    assert found.status == "pass"
    (said,) = (w.sentence for w in found.warnings if w.kind == "labels")
    assert said.startswith(f"`TwoLayerNet.{method}` takes labels in one-hot rows only")


def test_a_mistake_at_extreme_values_is_named_in_the_warning() -> None:
    (clipped,) = (m for m in FITTING if m.name == "input-clipped")
    (warning,) = planted(clipped).warnings
    assert warning.sentence.startswith("At extreme values, `out` and `dx` of `Sigmoid`")
    assert "keeps x between -500 and 500" in warning.sentence


def test_many_are_judged_side_by_side() -> None:
    """What is computed once for all is computed by whoever comes first."""
    wrong = [m for m in FITTING if m.name in ("bias-forgotten", "mask-below-zero")]
    answers = [ran({m.layer: m.definition}) for m in wrong] * 4
    serial = [judge("", answer) for answer in answers]
    diagnosis._known.cache_clear()
    truths._expected.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(partial(judge, ""), answers)) == serial


# --- The record -----------------------------------------------------------------------


def test_the_worst_place_is_told() -> None:
    found = graded(
        "class Relu:\n"
        "    def forward(self, x):\n"
        "        self.on = x > 0\n"
        "        return x * self.on\n"
        "    def backward(self, dout):\n"
        "        dx = dout * self.on\n"
        "        if dx.shape == (2, 3):\n"
        "            dx[1, 2] += 5\n"
        "        return dx\n"
    )
    assert found.status == "fail"
    assert found.missing == [name for name in CHAPTER_5 if name != "Relu"]
    (relu,) = found.classes
    out, dx = relu.quantities
    assert (relu.verdict, out.verdict, dx.verdict) == ("FAIL", "pass", "FAIL")
    assert (dx.quantity, dx.wrong, dx.case) == ("dx", 2, "another batch size")
    assert dx.cases == out.cases > 2
    assert dx.worst is not None
    assert dx.worst.index == [1, 2]
    assert dx.worst.value - dx.worst.truth == pytest.approx(5)
    assert dx.bound_ratio == np.inf
    assert dx.note == "on call 2"


def test_an_exception_is_told_with_the_line_of_the_submission() -> None:
    found = graded(
        "class Relu:\n"
        "    def forward(self, x):\n"
        "        return helper(x)\n"
        "    def backward(self, dout):\n"
        "        return dout\n"
        "\n"
        "def helper(x):\n"
        "    return x.no_such_thing\n"
    )
    (relu,) = found.classes
    out, dx = relu.quantities
    message = "AttributeError: 'numpy.ndarray' object has no attribute 'no_such_thing'"
    assert out.note == f"raised {message} (submission.py, line 8)"
    assert (dx.verdict, dx.cases, dx.wrong, dx.note) == ("not run", 0, 0, None)
    (raises,) = found.diagnosis
    assert raises.mistake == "raises"
    assert raises.sentence == f"`Relu` raises {message} (submission.py, line 8)."


@pytest.mark.parametrize(
    "source",
    [
        "class Affine:\n    pass\n",
        "class Affine:\n    def __init__(self, W, b):\n        pass\n",
        "Affine = 3\n",
        "class Affine:\n    def __init__(self, W, b):\n        raise KeyError('{W}')\n",
        "class Affine:\n    def __init__(self, *a):\n        self.dW = self.db = None\n"
        "    def forward(self, x):\n        return 'x'\n"
        "    def backward(self, dout):\n        return [[1, 2], [3]]\n",
        "class TwoLayerNet:\n    def __init__(self, *a):\n        self.params = {}\n",
        "class TwoLayerNet:\n    pass\n",
        "def softmax(x):\n    return None\n",
        "def softmax(x):\n    return x.astype(np.float16)\nimport numpy as np\n",
        "def softmax(x):\n    return {'a': object()}\n",
        "def softmax(x):\n    return x.astype(complex)\n",
        "def numerical_gradient(f, x):\n    return f(x)\n",
        "numerical_gradient = None\n",
    ],
)
def test_what_answers_nothing_of_use_fails(source: str) -> None:
    found = graded(source)
    assert found.status == "fail"
    (failed,) = found.classes
    assert all(row.note for row in failed.quantities if row.verdict == "FAIL")
    assert found.diagnosis
    for each in found.diagnosis:
        assert not each.known
        assert each.sentence.endswith(".")


def test_a_wrong_dtype_is_wrong_where_digits_are_missing() -> None:
    found = graded("def sigmoid(x):\n    return (1 / (1 + 2.718281828 ** -x))\n")
    assert found.status == "fail"
    half = graded(
        "import numpy as np\n"
        "def sigmoid(x):\n    return (1 / (1 + np.exp(-x))).astype(np.float16)\n"
    )
    (row,) = half.classes[0].quantities
    assert row.note == "expected dtype float64, got float16"


def test_what_could_not_be_loaded() -> None:
    reason = Raised("SyntaxError", "invalid syntax", "layers.py", 3, "def f(:")
    found = judge("a.py", Ran(unloadable=reason))
    assert found.status == "unloadable"
    assert found.problem == "SyntaxError: invalid syntax"
    assert (found.file, found.line, found.source) == ("layers.py", 3, "def f(:")
    assert found.classes == found.diagnosis == found.warnings == []


def test_what_offers_nothing() -> None:
    found = judge("a.py", Ran())
    assert found.status == "unloadable"
    assert found.problem is not None
    assert found.problem.startswith("defines none of the ")
    assert found.missing == CHAPTER_5


def test_what_broke_a_rule_fails_with_what_it_had_answered() -> None:
    whole = ran({"AddLayer": layers.AddLayer, "Relu": layers.Relu})
    part = whole.outcomes[: len(whole.outcomes) - 2]
    found = judge("a.py", replace(whole, outcomes=part, broke="ran longer than 30 s"))
    assert found.status == "fail"
    assert found.problem == "ran longer than 30 s"
    assert [each.name for each in found.classes] == ["AddLayer"]
    assert found.diagnosis == []
    # Without a reason, what has no answer is wrong.
    found = judge("a.py", replace(whole, outcomes=part))
    assert found.status == "fail"
    (unanswered,) = found.diagnosis
    assert unanswered.sentence == "`Relu` has not answered everything."


def test_what_was_not_asked_is_not_looked_at() -> None:
    whole = ran({"AddLayer": layers.AddLayer})
    strange = [
        Outcome("AddLayer", "batch", "float64", 99, {"out": np.zeros(3)}),
        Outcome("AddLayer", "no such case", "float64", 0, {"out": np.zeros(3)}),
        Outcome("Nothing", "batch", "float64", 0, {"out": np.zeros(3)}),
        Outcome("Relu", "batch", "float64", 0, {"out": np.zeros(3)}),
    ]
    found = judge("a.py", replace(whole, outcomes=(*strange, *whole.outcomes)))
    assert found.status == "pass"
    assert [each.name for each in found.classes] == ["AddLayer"]


def test_results_and_remarks_of_any_kind_are_survived() -> None:
    odd: list[np.ndarray] = [np.zeros((0,)), np.array("text"), np.array([None])]
    odd += [np.array(np.nan), np.zeros((2, 2), bool), np.full((3, 4), np.inf)]
    odd += [np.array(1j), np.zeros(()), np.zeros((3, 4), np.float16)]
    whole = ran({"AddLayer": layers.AddLayer})
    remarks = (Remark("type", "{out}"), Remark("no such kind", ""), Remark("wrote", ""))
    for value in odd:
        outcomes = [
            replace(
                o, results={"out": value, "dx": value, "more": value}, remarks=remarks
            )
            for o in whole.outcomes
        ]
        found = judge("a.py", replace(whole, outcomes=tuple(outcomes)))
        assert found.status == "fail"
        assert found.model_dump_json(by_alias=True)


def test_printing_is_a_warning() -> None:
    whole = ran({"AddLayer": layers.AddLayer})
    found = judge("a.py", replace(whole, printed=1234, first_printed="epoch {0}"))
    assert found.status == "pass"
    (warning,) = found.warnings
    assert (warning.class_, warning.kind) == (None, "prints")
    assert "1,234 characters" in warning.sentence
    assert "'epoch {0}'" in warning.sentence


# --- What is asked --------------------------------------------------------------------


def test_all_is_asked_in_the_same_numbers_each_time() -> None:
    assert all_tasks.__wrapped__() is not all_tasks()
    for one, other in zip(all_tasks.__wrapped__(), all_tasks(), strict=True):
        assert (one.name, one.case, one.dtype) == (other.name, other.case, other.dtype)
        for a, b in zip(one.calls, other.calls, strict=True):
            assert all(np.array_equal(a.inputs[k], b.inputs[k]) for k in b.inputs)


def test_all_numbers_are_numbers_of_float32() -> None:
    for task in all_tasks():
        for call in task.calls:
            for name, value in {**call.inputs, "dout": call.dout}.items():
                if value is not None and name not in SETTINGS:
                    assert (value.astype(np.float32) == value).all(), task.case


def test_cases_have_names_of_their_own_and_expectations() -> None:
    for name in GRADED:
        asked = [(task.case, task.dtype) for task in tasks_of(name)]
        assert len(asked) == len(set(asked)) > 2
        answered = {(e.task.case, e.task.dtype) for e in expected(name)}
        assert answered == set(asked)
        several = [task for task in tasks_of(name) if len(task.calls) > 1]
        assert several or name == "numerical_gradient"


def test_arguments_are_copies() -> None:
    before = [
        {name: value.copy() for name, value in call.inputs.items()}
        for task in all_tasks()
        for call in task.calls
    ]
    found = graded((SUBMISSIONS / "correct_in_place.py").read_text(encoding="utf-8"))
    assert found.status == "pass"
    after = [call.inputs for task in all_tasks() for call in task.calls]
    for was, now in zip(before, after, strict=True):
        assert all(np.array_equal(was[name], now[name]) for name in was)


def test_a_patched_numpy_does_not_change_what_is_noticed() -> None:
    patching = (
        "import numpy as np\n"
        "saved = np.asarray, np.may_share_memory\n"
        "class Relu:\n"
        "    def forward(self, x):\n"
        "        np.asarray = lambda *a, **k: saved[0]([0.0])\n"
        "        np.may_share_memory = lambda *a, **k: False\n"
        "        x[x <= 0] = 0\n"
        "        return x\n"
        "    def backward(self, dout):\n"
        "        np.asarray, np.may_share_memory = saved\n"
        "        return dout\n"
    )
    outcomes = list(exercise(offered_by(patching), tasks_of("Relu")))
    assert all(o.results["out"].shape == o.results["dx"].shape for o in outcomes)
    seen = {(remark.kind, remark.what) for o in outcomes for remark in o.remarks}
    assert {("wrote", "x"), ("shares", "out, x"), ("shares", "dx, dout")} <= seen
