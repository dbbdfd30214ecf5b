"""Which step makes the error: of the network's cases, by every implementation."""

from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.catalogue.cases import NETWORK_CASES
from gradparity.parity_tests.checking.budgets import budgets, lost
from gradparity.parity_tests.checking.every_case import EveryCase
from gradparity.parity_tests.checking.values import run
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.measuring.records import ErrorBudget
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.reference.datasets import load
from gradparity.reports.runner import trained_case

STEEP = next(case for case in NETWORK_CASES if case.name == "steep")


def found(
    case: NetworkCase, dtype: str, name: str, **spoilt: Any
) -> dict[tuple[str, str], ErrorBudget]:
    """The budgets of an implementation, some of whose tensors are `spoilt`."""
    case = case.to(dtype)
    flow = run(case, load_or_skip(name))
    flow |= {tensor: spoil(flow[tensor]) for tensor, spoil in spoilt.items()}
    rows = budgets(case, dtype, {name: flow})
    return {(row.quantity, row.of): row for row in rows}


@pytest.mark.parametrize("name", ["reference", "torch", "jax-jit"])
def test_errors_are_within_the_bounds_and_so_is_each_step(
    name: str, dtype: str
) -> None:
    rows = found(STEEP, dtype, name)
    assert [quantity for quantity, _ in rows] == ["loss", "dW1", "dW1", "db1", "db1"]
    for row in rows.values():
        assert row.certain is not None
        assert row.probable is not None
        assert row.actual <= row.probable < row.certain < row.composed
        assert np.isclose(sum(step.certain for step in row.steps), row.certain)
        assert [*row.steps] == sorted(row.steps, key=lambda step: -step.certain)
        for step in row.steps:
            assert step.probable <= step.certain
            if dtype == "float64":
                assert step.actual is None
            else:
                assert step.actual is not None
                assert abs(step.actual) <= step.certain


def test_the_composed_bound_is_no_claim_where_the_adjoint_one_is() -> None:
    rows = found(STEEP, "float32", "reference")
    row = next(row for (name, of), row in rows.items() if name == "dW1" and "dir" in of)
    assert row.composed > abs(row.value)
    assert row.certain is not None


def test_a_wrong_step_stands_out() -> None:
    """The scores a ten-thousandth too large: that is more than they probably can."""
    rows = found(
        STEEP, "float32", "reference", Affine2=lambda v: v * np.float32(1.0001)
    )
    (row,) = (row for (name, of), row in rows.items() if name == "dW1" and "dir" in of)
    over = [s.step for s in row.steps if s.actual and abs(s.actual) > s.probable]
    assert "Affine2" in over


def test_a_mask_that_is_unlike_the_truths_adds_its_jump() -> None:
    case = STEEP.to("float32")
    flow = run(case, load_or_skip("reference"))
    at = np.unravel_index(np.abs(flow["Affine1"]).argmin(), flow["Affine1"].shape)
    flipped = flow["Affine1"].copy()
    flipped[at] *= -1
    before, after = (
        {
            (row.quantity, row.of): row
            for row in budgets(case, "float32", {"torch": own})
        }
        for own in (flow, flow | {"Affine1": flipped})
    )
    key = next(key for key in before if key[0] == "db1" and "dir" in key[1])
    jumps = {step.step: step.certain for step in after[key].steps}
    assert "dAffine1" not in {step.step for step in before[key].steps}
    assert jumps["dAffine1"] > 0


def test_the_report_has_a_trained_network_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the lecture's size, whatever the images are; user-supplied code has no row."""
    from gradparity.parity_tests.training.plan import Plan

    plan = Plan.of(load("digits"), steps=10)
    case = trained_case(plan)
    assert case.x.shape == (100, 784)
    assert case.params["W1"].shape == (784, 50)
    assert not np.array_equal(case.params["W2"], plan.params["W2"])
    every = EveryCase(["float32"], ["reference", "mine.py"], trained=case)
    steep = STEEP.to("float32")
    flow = run(steep, load_or_skip("reference"))
    flows = {(steep, "float32"): {"reference": flow, "mine.py": flow, "torch": {}}}
    rows = every.budgets(flows)
    assert {row.implementation for row in rows} == {"reference"}
    assert [row.case for row in rows[::5]] == [
        "TwoLayerNet/steep",
        "TwoLayerNet/trained",
    ]
    assert set(BACKENDS) > {"reference"}


def test_what_a_step_lost_is_measured_on_what_it_took() -> None:
    case = STEEP.to("float32")
    flow = run(case, load_or_skip("reference"))
    spoilt = flow | {"Relu1": flow["Relu1"] + np.float32(1)}
    made = lost(case, spoilt, "float32")
    assert np.abs(made["Relu1"]).min() > 0.9
    assert np.abs(made["dAffine1"]).max() == 0
    assert lost(case, flow, "float64") == {}
