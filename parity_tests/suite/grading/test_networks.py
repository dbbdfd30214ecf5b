"""How networks are asked: what they are built from, and which network they are."""

from typing import Any

import pytest

from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.outcomes import GRADED
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.suite.grading.test_grading import lecture, offered_by

pytestmark = pytest.mark.usefixtures("without_shape_checks")


def used(names: dict[str, Any], asked: str) -> set[str]:
    """What each first call is said to use, which must be the same for all."""
    names = {name: names[name] for name in GRADED if name in names}
    found = [
        {remark.what for remark in outcome.remarks if remark.kind == "uses"}
        for outcome in exercise(names, tasks_of(asked))
        if outcome.call == 0
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
