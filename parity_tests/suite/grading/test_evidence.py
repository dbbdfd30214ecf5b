"""Nothing false is said: a mistake is named, and a part blamed, where there is evidence."""

import re
from dataclasses import replace

import pytest

from gradparity.parity_tests.grading.diagnosis import diagnose, known
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.mutants import MUTANTS
from gradparity.parity_tests.suite.grading.test_diagnosis import (
    DW,
    LAYER_FORWARD,
    PREDICT,
    SOFTMAX,
    Edit,
    graded_with,
    of,
    with_mistake,
)
from gradparity.parity_tests.suite.grading.test_grading import (
    graded,
    lecture,
    offered_by,
    ran,
)

pytestmark = pytest.mark.usefixtures("without_shape_checks")


def affine_with(edit: Edit) -> GradedFile:
    """What is said of it alone, not of the network."""
    names = offered_by(with_mistake("Affine", [edit]))
    return judge("submission.py", ran({"Affine": names["Affine"]}))


def test_what_was_never_reached_is_not_run() -> None:
    """Of a layer whose forward fails nothing is said about its gradients."""
    found = affine_with(("out = np.dot(self.x, self.W)", "out = np.dot(x, W)"))
    (affine,) = found.classes
    assert affine.verdict == "FAIL"
    rows = {
        row.quantity: (row.verdict, row.cases, row.wrong) for row in affine.quantities
    }
    assert rows.pop("out")[0] == "FAIL"
    assert {*rows.values()} == {("not run", 0, 0)}
    (diagnosis,) = of(found, "Affine")
    assert (diagnosis.mistake, diagnosis.quantities) == ("raises", ["out"])
    assert "NameError" in diagnosis.sentence


def test_what_was_reached_in_part_is_judged_by_that() -> None:
    edit = ("        self.x = x\n", "        self.x = x\n        x[1]\n")  # one sample
    found = affine_with(edit)
    (affine,) = found.classes
    out, *gradients = affine.quantities
    assert (out.verdict, affine.verdict) == ("FAIL", "FAIL")
    for row in gradients:
        assert (row.verdict, row.wrong) == ("pass", 0)
        assert row.cases == out.cases - out.wrong
    (diagnosis,) = of(found, "Affine")
    assert "IndexError" in diagnosis.sentence
    assert "in the case “one sample”" in diagnosis.sentence


WHOLE_BATCH = (SOFTMAX, "        return np.exp(x) / np.sum(np.exp(x))\n")


@pytest.mark.parametrize(
    ("edit", "mistake", "said"),
    [
        (("        return self.loss\n", ""), "missing", "returns nothing"),
        (("self.loss = cross", "self.loss = loss_of_"), "raises", "NameError"),
    ],
)
def test_no_result_is_told_though_a_part_is_wrong(
    edit: Edit, mistake: str, said: str
) -> None:
    right = re.search(
        r"^class SoftmaxWithLoss.*?(?=^class |\Z)", lecture(), re.M | re.S
    )
    assert right
    names = offered_by(with_mistake("softmax", [WHOLE_BATCH]) + right[0].replace(*edit))
    asked = ("softmax", "SoftmaxWithLoss")
    found = judge("submission.py", ran({name: names[name] for name in asked}))
    (told,) = (d for d in of(found, "SoftmaxWithLoss") if "out" in d.quantities)
    assert told.mistake == mistake
    assert said in told.sentence
    assert [d.mistake for d in of(found, "softmax")] == ["sum-over-the-whole-batch"]


def test_a_mistake_that_is_one_result_less_is_not_that_there_is_none() -> None:
    """`backward` without a `return`, once taken for one that has forgotten the second."""
    found = of(graded_with("AddLayer", [("        return dx, dy", "")]), "AddLayer")
    assert [diagnosis.mistake for diagnosis in found] == ["missing", "missing"]


def test_nothing_is_told_before_what_comes_of_it() -> None:
    """A `predict` that returns nothing raises further on, where it is used."""
    edits = [(PREDICT, LAYER_FORWARD)]
    first, *_ = of(graded_with("TwoLayerNet", edits), "TwoLayerNet")
    assert (first.mistake, first.quantities) == ("missing", ["predict"])
    assert first.sentence.startswith("`TwoLayerNet.predict` returns nothing")


def test_an_exception_of_a_part_is_told_where_it_is_raised_again() -> None:
    """A part that is no more than named is not blamed for it."""
    without = graded_with("softmax", [("        y = np.exp(x)", "        y = exp(x)")])
    (loss,) = of(without, "SoftmaxWithLoss")
    assert loss.mistake == "follows-from-its-parts"
    assert loss.sentence.startswith("`SoftmaxWithLoss` raises NameError: name 'exp' ")
    assert loss.sentence.count("raises") == 1


def test_only_parts_that_are_used_are_blamed() -> None:
    source = lecture() + (
        "class Affine:\n    def __init__(self, W, b):\n        self.W, self.b = W, b\n"
        "    def forward(self, x):\n        return x @ self.W\n"
        "class SoftmaxWithLoss:\n    def forward(self, x, t):\n        return 3.0\n"
        "    def backward(self, dout=1):\n        return np.zeros((1, 1))\n"
        "def softmax(x):\n    return x\n"
    )
    names = offered_by(source)
    asked = ("softmax", "Affine", "SoftmaxWithLoss")
    found = judge("submission.py", ran({name: names[name] for name in asked}))
    assert len(found.diagnosis) >= 4
    assert not any(d.mistake == "follows-from-its-parts" for d in found.diagnosis)


def test_what_is_right_forward_spoils_nothing_forward() -> None:
    """An Affine that is wrong in its gradients alone is not why predict is."""
    wrong = with_mistake("Affine", [(DW, DW + " / len(dout)")])
    source = wrong.replace(PREDICT, LAYER_FORWARD + "        return x + 1\n")
    blamed = {d.mistake: d.quantities for d in of(graded(source), "TwoLayerNet")}
    assert blamed == {"follows-from-its-parts": ["dW1", "dW2"], None: ["predict"]}


def test_where_two_mistakes_give_the_same_neither_is_named() -> None:
    """Of one sample, a sum over the batch and one over its rows are the same."""
    whole = ran(
        {"softmax": offered_by(with_mistake("softmax", [WHOLE_BATCH]))["softmax"]}
    )
    findings = Findings.of("softmax", whole.outcomes)
    (first, second) = (known("softmax")[i] for i in (0, 1))
    twins = [replace(each, findings=findings) for each in (first, second)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "gradparity.parity_tests.grading.diagnosis.known", lambda *_: twins
        )
        (found,) = diagnose({"softmax": findings})
    names = [each.mutant.name for each in twins]
    assert (found.mistake, found.known) == (" or ".join(names), False)
    assert found.sentence.startswith("`softmax` either ")
    assert "; or it " in found.sentence
    assert found.sentence.endswith(".")


@pytest.mark.parametrize(
    ("where", "edits", "mistake"),
    [
        # A batch of two comes after others alone: it need not be that it comes later.
        ("Relu", [("dx = dout", "dx = dout * (1 + (dout.shape == (2, 3)))")], "some-cases"),
        ("TwoLayerNet", [(PREDICT, LAYER_FORWARD + "        return x + (len(x) == 4)\n")],
         "some-cases"),
        # It writes into x wherever it is wrong, and everywhere else as well.
        ("Relu", [("        out = x.copy()\n", "        out = x\n"),
                  ("dx = dout", "dx = dout + dout ** 3")], None),
        # Three one-hot rows are no kind of labels.
        ("SoftmaxWithLoss", [
            ("        return dx", "        if self.t.ndim > 1 and len(dx) == 3:\n"
             "            dx = dx + dx ** 2\n        return dx"),
        ], "some-cases"),
    ],
)  # fmt: skip
def test_nothing_is_said_that_may_be_chance(
    where: str, edits: list[Edit], mistake: str | None
) -> None:
    first, *_ = of(graded_with(where, edits), where)
    assert first.mistake == mistake


def test_nothing_is_said_of_labels_that_are_refused() -> None:
    """A mistake that is known is not said to be one for the other labels alone."""
    edits = [
        (
            "        self.loss = cross",
            "        t.reshape(x.shape)\n        self.loss = cross",
        ),
        ("dx = (self.y - self.t) / batch_size", "dx = (self.y - self.t)"),
    ]
    (found,) = of(graded_with("SoftmaxWithLoss", edits), "SoftmaxWithLoss")
    assert found.mistake == "batch-size-forgotten"
    assert "alone" not in found.sentence


def test_an_accuracy_of_wrong_scores_has_no_mistake_of_its_own() -> None:
    """Whatever the share of a few samples is by chance, it follows from the scores."""
    edit = (PREDICT, LAYER_FORWARD + "        return -np.tanh(x)\n")
    found = of(graded_with("TwoLayerNet", [edit]), "TwoLayerNet")
    (accuracy,) = (d for d in found if "accuracy" in d.quantities)
    assert accuracy.mistake is None
    assert "which may follow from what is wrong forward" in accuracy.sentence


def test_however_a_mistake_is_written_it_is_the_same() -> None:
    """What a mutant's other spellings give is named as that mutant."""
    for mutant in MUTANTS:
        for definition in mutant.also:
            found = judge("", ran({mutant.layer: definition}))
            (named,) = found.diagnosis
            assert (named.mistake, named.known) == (mutant.name, True)
