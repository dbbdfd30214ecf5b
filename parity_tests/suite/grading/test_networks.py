"""How networks are asked: what they are built from, and which network they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.grading.asking_networks import NUMERICAL, NUMERICALLY
from gradparity.parity_tests.grading.cautions import OF_THE_BOOK
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.diagnosis import Known, diagnose, explains, known
from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.outcomes import GRADED, NETWORK
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.grading.rights import Right
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.grading.truths import expected
from gradparity.parity_tests.grading.truths_of_networks import Flow
from gradparity.parity_tests.grading.variants import Variant, variants
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.mutants import MUTANTS, OF_THE_COURSE, Mutant
from gradparity.parity_tests.mutants.networks_by_hand import ByHand, Convolved, Deep
from gradparity.parity_tests.suite.grading.test_grading import (
    as_one_file,
    lecture,
    offered_by,
    ran,
)
from gradparity.parity_tests.suite.support import HANDED_OUT, SUBMISSIONS

pytestmark = pytest.mark.usefixtures("without_shape_checks")


def used(names: dict[str, Any], asked: str) -> set[str]:
    """What each first call is said to use, which must be the same for all but those by
    central differences.
    """
    names = {name: names[name] for name in GRADED if name in names}
    found = [
        {remark.what for remark in outcome.remarks if remark.kind == "uses"}
        for outcome in exercise(names, tasks_of(asked))
        if outcome.call == 0 and NUMERICALLY not in outcome.case
    ]
    assert all(each == found[0] for each in found)
    return found[0]


def test_what_a_network_is_built_from_is_seen_while_it_runs() -> None:
    names = offered_by(lecture())
    whole = {"Affine", "Relu", "SoftmaxWithLoss", "softmax", "cross_entropy_error"}
    assert used(names, "TwoLayerNet") == whole
    assert used(names, "SoftmaxWithLoss") == {"softmax", "cross_entropy_error"}
    assert used(names, "Sigmoid") == set()


def test_what_is_inherited_is_used_as_well() -> None:
    names = offered_by(lecture() + "\nBase = Relu\nclass Relu(Base):\n    pass\n")
    assert "Relu" in used(names, "TwoLayerNet")


# --- What is right --------------------------------------------------------------------

KINDS = {
    variant.name: variant.of(ByHand)
    for variant in variants(NETWORK)
    if variant.name or variant.of(ByHand) is ByHand
}
FURTHER = {"MultiLayerNet": Deep, "SimpleConvNet": Convolved}


def judged(name: str, definition: Any) -> GradedFile:
    return judge("submission.py", ran({name: definition}))


def sentences(found: GradedFile) -> dict[str, str]:
    return {warning.kind: warning.sentence for warning in found.warnings}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_network_is_right_and_is_told(kind: str) -> None:
    found = judged(NETWORK, KINDS[kind])
    assert found.status == "pass", found.diagnosis
    assert {*sentences(found)} == {kind} - {""}


@pytest.mark.parametrize("name", FURTHER)
def test_further_networks_are_right(name: str) -> None:
    found = judged(name, FURTHER[name])
    assert found.status == "pass", found.diagnosis
    assert found.warnings == []
    assert name not in judge("", ran({NETWORK: ByHand})).missing


def test_the_books_networks_and_optimizers_are_right() -> None:
    """As they are handed out, and in the lecture's transcription."""
    names = ("util", "functions", "gradient", "layers", "optimizer", "multi_layer_net")
    source = as_one_file(HANDED_OUT / "common", *names)
    source += as_one_file(SUBMISSIONS / "book" / "ch07", "simple_convnet")
    offered = offered_by(source)
    asked = [n for n, s in SUBJECTS.items() if s.kind in ("network", "optimizer")]
    found = judge("", ran({name: offered[name] for name in asked if name in offered}))
    assert [each.name for each in found.classes] == [n for n in asked if n != NETWORK]
    assert found.status == "pass", found.diagnosis
    assert {warning.sentence for warning in found.warnings} <= OF_THE_BOOK
    assert {*sentences(found)} == {"epsilon"}


@pytest.mark.parametrize("name", [NETWORK, *FURTHER])
def test_the_bounds_are_those_of_the_truth(name: str) -> None:
    """Truth and bounds are of formulas written down twice, and agree."""
    for variant in variants(name):
        for each in expected(name, variant):
            right = each.right("float64", 0.0, [])
            assert isinstance(right, Right)
            if each.quantity != "accuracy":
                assert right.truth.dtype == truth_dtype("float64")
            assert np.isfinite(right.allowed).all()
            limit = 1e-6 if each.quantity == NUMERICAL else 1e-11
            assert (right.allowed <= limit).all(), (each.task.case, each.quantity)
        flow = Flow(each.call, variant.settings, "float64")
        (passes, _) = flow.own
        values = passes.loss(0.0)[0] | passes.gradients(0.0)
        truths = flow.forward(0.0) | flow.backward(0.0)
        for quantity, bounded in values.items():
            np.testing.assert_allclose(
                bounded.value,
                np.float64(truths[quantity].truth),
                rtol=1e-12,
                atol=1e-15,
            )


# --- Known mistakes -------------------------------------------------------------------

PLANTED = [
    (name, variant, mutant)
    for name in [NETWORK]  # the others are tried with all that is further
    for variant in variants(name)[1:2]
    for mutant in OF_THE_COURSE
    if mutant.layer == variant.mistakes
]
PLANTED += [
    (name, variant, mutant)
    for name, _, mutant in PLANTED
    for variant in variants(name)[2:]
    if mutant.name in ("slope-forgotten", "labels-not-subtracted")
]


@pytest.mark.parametrize(
    ("name", "variant", "mutant"),
    PLANTED,
    ids=[f"{name}-{variant.name}-{mutant.name}" for name, variant, mutant in PLANTED],
)
def test_a_mistake_in_a_network_is_named(
    name: str, variant: Variant, mutant: Mutant
) -> None:
    definition = variant.of(mutant.definition)
    outcomes = tuple(exercise({name: definition}, tasks_of(name)))
    findings = Findings.of(name, outcomes, variant)
    found = list(diagnose({name: findings}))
    assert [(d.mistake, d.known) for d in found] == [(mutant.name, True)]
    assert found[0].quantities == findings.wrong
    assert mutant.sentence[1:] in found[0].sentence


def test_mistakes_have_names_of_their_own() -> None:
    own = [mutant for mutant in OF_THE_COURSE if mutant.scope == "network"]
    others = {mutant.name for mutant in (*MUTANTS, *OF_THE_COURSE) if mutant not in own}
    names = [mutant.name for mutant in own]
    assert len(names) == len({*names} - others)
    for mutant in own:
        assert mutant.sentence[0].isupper()
        assert mutant.sentence.endswith(".")


def are_told_apart(mistakes: Sequence[Known]) -> None:
    for one in mistakes:
        for other in mistakes:
            if one is not other and other.quantities >= one.quantities:
                assert not explains(other, one.findings), (
                    f"{one.mutant.name} is taken for {other.mutant.name}"
                )


def test_mistakes_in_networks_are_told_apart() -> None:
    for name in (NETWORK, *FURTHER):
        for variant in variants(name)[1:2] or variants(name):
            are_told_apart(known(name, variant))


# --- As people write them -------------------------------------------------------------

CHAPTER_4 = """
import numpy as np

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, weight_init_std=0.01):
        r = np.random.randn
        self.params = {}
        self.params['W1'] = weight_init_std * r(input_size, hidden_size)
        self.params['b1'] = np.zeros(hidden_size)
        self.params['W2'] = weight_init_std * r(hidden_size, output_size)
        self.params['b2'] = np.zeros(output_size)

    def predict(self, x):
        p = self.params
        z = sigmoid(x @ p['W1'] + p['b1'])
        return softmax(z @ p['W2'] + p['b2'])

    def loss(self, x, t):
        t = t if t.ndim == 2 else np.eye(5)[t]
        return -np.sum(t * np.log(self.predict(x) + 1e-7)) / len(x)

    def accuracy(self, x, t):
        t = t if t.ndim == 2 else np.eye(5)[t]
        return np.mean(self.predict(x).argmax(axis=1) == t.argmax(axis=1))

    def numerical_gradient(self, x, t):
        grads = {}
        for name, p in self.params.items():
            grads[name] = np.zeros_like(p)
            for at in np.ndindex(p.shape):
                before, h = p[at], 1e-4
                p[at] = before + h
                above = self.loss(x, t)
                p[at] = before - h
                below = self.loss(x, t)
                p[at] = before
                grads[name][at] = (above - below) / (2 * h)
        return grads
"""
GRADIENT = """
    def gradient(self, x, t):
        t = t if t.ndim == 2 else np.eye(5)[t]
        p = self.params
        z = sigmoid(x @ p['W1'] + p['b1'])
        dy = (softmax(z @ p['W2'] + p['b2']) - t) / len(x)
        da = dy @ p['W2'].T * z * (1 - z)
        return {'W1': x.T @ da, 'b1': da.sum(axis=0),
                'W2': z.T @ dy, 'b2': dy.sum(axis=0)}
"""
BOTH = CHAPTER_4 + GRADIENT
SIZES = "input_size, hidden_size, output_size, weight_init_std=0.01"


def net(source: str) -> GradedFile:
    return judge("submission.py", ran({NETWORK: offered_by(source)[NETWORK]}))


def rows(found: GradedFile) -> dict[str, str]:
    (network,) = found.classes
    return {row.quantity: row.verdict for row in network.quantities}


@pytest.mark.parametrize(
    ("edits", "kinds"),
    [
        ([], set()),
        ([("self.params", "self.weights"), ("p['W1']", "p['w1']"),
          ("weights['W1']", "weights['w1']"), ("{'W1'", "{'dw1'")], {"named"}),
        ([("'b2': dy", "'db2': dy")], {"named"}),
        ([("def gradient(", "def backward(")], {"called"}),
        ([(SIZES, "hidden_size, input_size, output_size"), ("weight_init_std", "1")],
         set()),
        ([(SIZES, "*, output_size, input_size, hidden_size, std=0.01"),
          ("weight_init_std", "std")], set()),
        ([(SIZES, "n, h, c"), ("weight_init_std", "1"), ("input_size", "n"),
          ("hidden_size", "h"), ("output_size", "c")], set()),
    ],
)  # fmt: skip
def test_chapter_4_is_right_under_other_names(
    edits: list[tuple[str, str]], kinds: set[str]
) -> None:
    source = BOTH
    for old, new in edits:
        source = source.replace(old, new)
    found = net(source)
    assert found.status == "pass", found.diagnosis
    assert {*sentences(found)} == {"chapter-4", "epsilon"} | kinds
    assert rows(found)[NUMERICAL] == "pass"


def test_gradients_by_differences_are_right_within_their_own_error() -> None:
    for name in ("numerical_gradient", "gradient"):
        found = net(CHAPTER_4.replace("numerical_gradient", name))
        assert found.status == "pass", found.diagnosis
        assert sentences(found)["numerical"] == (
            "`TwoLayerNet` finds `dW1`, `db1`, `dW2` and `db2` by numerical "
            "differentiation, as in section 4.5: they are right as far as central "
            "differences can be."
        )
    for old, new in (
        ("below = self.loss(x, t)", "below = 2 * loss - above"),  # of one side
        ("h = p[at], 1e-4", "h = p[at], 0.1"),
    ):
        one_side = CHAPTER_4.replace("grads = {}", "grads, loss = {}, self.loss(x, t)")
        found = net(one_side.replace(old, new))
        assert found.status == "fail", old
        assert not any(d.known for d in found.diagnosis)


def test_a_gradient_by_differences_is_judged_beside_a_gradient() -> None:
    found = net(BOTH.replace("(2 * h)", "h"))
    assert found.status == "fail"
    assert [q for q, verdict in rows(found).items() if verdict != "pass"] == [NUMERICAL]
    (told,) = found.diagnosis
    assert told.sentence.startswith(
        "Your `numerical_gradient` is the right one times 2."
    )
    # Of a loss that is wrong, or without one, nothing is said of its differences.
    assert NUMERICAL not in rows(net(BOTH.replace("-np.sum", "-2 * np.sum")))
    assert NUMERICAL not in rows(net(BOTH.replace("numerical_gradient", "slowly")))
    found = net(BOTH.replace("grads = {}", "grads = {}[x.size]"))
    assert [d.mistake for d in found.diagnosis] == ["raises"]


def test_what_is_nearly_a_gradient_is_none() -> None:
    """Only who computes differences has their error."""
    found = net(BOTH.replace("'b1': da.sum(axis=0)", "'b1': da.sum(axis=0) + 1e-9"))
    assert [d.quantities for d in found.diagnosis] == [["db1"]]


@pytest.mark.parametrize(
    ("old", "new", "mistake", "kind"),
    [
        (" * z * (1 - z)", "", "slope-forgotten", "chapter-4"),
        (" * z * (1 - z)", " * sigmoid(z) * (1 - sigmoid(z))",
         "slope-of-what-is-activated-already", "chapter-4"),
        ("- t) / len(x)", "- t)", "gradient-of-the-batch-not-averaged", "chapter-4"),
        ("da.sum(axis=0),", "da,", None, "chapter-4"),
        ("softmax(z", "softmax(sigmoid(z", "sigmoid-before-the-softmax", "chapter-4"),
    ],
)  # fmt: skip
def test_a_mistake_in_chapter_4_is_named(
    old: str, new: str, mistake: str | None, kind: str
) -> None:
    source = BOTH.replace(old, new)
    if mistake == "sigmoid-before-the-softmax":
        source = source.replace("p['b2'])", "p['b2']))")
    found = net(source)
    assert found.status == "fail"
    assert [d.mistake for d in found.diagnosis if d.known] == [mistake] * bool(mistake)
    assert kind in sentences(found)
    for told in found.diagnosis:
        assert "section 4.5.1" in told.reread
        assert "first call" not in told.sentence


@pytest.mark.parametrize(
    ("edits", "kind"),
    [
        ([("return softmax(z @ p['W2'] + p['b2'])", "return z @ p['W2'] + p['b2']"),
          ("np.log(self.predict(x)", "np.log(softmax(self.predict(x))")],
         "sigmoid-in-chapter-5"),
        ([("1 / (1 + np.exp(-x))", "np.maximum(x, 0)"), ("z * (1 - z)", "(z > 0)")],
         "softmax-in-predict"),
    ],
)  # fmt: skip
def test_a_mixed_network_is_judged_for_what_it_is(
    edits: list[tuple[str, str]], kind: str
) -> None:
    source = BOTH
    for old, new in edits:
        source = source.replace(old, new)
    found = net(source)
    assert found.status == "pass", found.diagnosis
    assert kind in sentences(found)


def test_a_layer_that_is_another_makes_no_other_network() -> None:
    """With a Relu that is a sigmoid, the network is not one with a sigmoid by right."""
    source = lecture() + (
        "\nclass Relu:\n"
        "    def forward(self, x):\n"
        "        self.out = 1 / (1 + np.exp(-x))\n        return self.out\n"
        "    def backward(self, dout):\n"
        "        return dout * self.out * (1 - self.out)\n"
    )
    names = offered_by(source)
    found = judge("", ran({name: names[name] for name in ("Relu", NETWORK)}))
    assert {each.name: each.verdict for each in found.classes} == {
        "Relu": "FAIL",
        NETWORK: "FAIL",
    }
    assert not {"chapter-4", "sigmoid-in-chapter-5"} & {*sentences(found)}
