"""How networks are asked: what they are built from, and which network they are."""

from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.grading.asking_networks import NUMERICAL, NUMERICALLY
from gradparity.parity_tests.grading.diagnosis import diagnose, explains, known
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
    lecture,
    offered_by,
    ran,
)

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
    for name in (NETWORK, *FURTHER)
    for variant in variants(name)
    for mutant in OF_THE_COURSE
    if mutant.layer == (variant.mistakes or name)
]
# What is no mistake in a kind of network: the ReLU of what a ReLU has given is the same.
NONE = {("softmax-in-predict", "slope-of-what-is-activated-already")}


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
    if (variant.name, mutant.name) in NONE:
        assert found == []
        return
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


def test_mistakes_in_networks_are_told_apart() -> None:
    for name in (NETWORK, *FURTHER):
        for variant in variants(name)[1:2] or variants(name):
            for one in known(name, variant):
                for other in known(name, variant):
                    if one is not other and other.quantities >= one.quantities:
                        assert not explains(other, one.findings), (
                            f"{one.mutant.name} is taken for {other.mutant.name}"
                        )
