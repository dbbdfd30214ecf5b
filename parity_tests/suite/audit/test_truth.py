"""The reference against mathematics that owes nothing to it; and that this can fail."""

import inspect
import math
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.audit import oracle, truth
from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    LAYERS_AND_NETWORK,
    SHAPE_CASES,
    SMALL_CASES,
)
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.checking.values import quantities
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.measuring.records import TruthCheck, Verdict
from gradparity.reference.datasets import load_digits
from gradparity.reference.networks import TwoLayerNet

TYPICAL = [case for case in SMALL_CASES if case.kind == "typical"]
OF_LAYERS = [case for case in TYPICAL if isinstance(case, Case)]
SHAPES = [
    case
    for case in SHAPE_CASES
    if sum(value.size for value in case.inputs.values()) <= 150
]


def failed(checks: list[TruthCheck]) -> list[TruthCheck]:
    return [check for check in checks if check.verdict == Verdict.FAIL]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("case", SMALL_CASES, ids=lambda case: case.id)
def test_the_reference_is_what_mathematics_says(case: Case | NetworkCase) -> None:
    found = list(truth.check(case))
    assert not failed(found)
    computed = {(c.quantity, c.dtype) for c in found if c.method == "mpmath"}
    every = [q for q in quantities(case) if q == "out" or q.startswith("d")]
    if isinstance(case, NetworkCase):
        every = ["loss", "dx", "dW1", "db1", "dW2", "db2"]
    assert computed == {(q, d) for q in every for d in truth.DTYPES}
    assert all(np.isfinite(c.max_abs) for c in found)


def test_every_layer_is_held_against_every_method_that_it_can_be() -> None:
    layers = {case.layer for case in TYPICAL}
    assert layers == set(LAYERS_AND_NETWORK)
    assert {case.layer for case in OF_LAYERS} == layers - {"TwoLayerNet"}
    assert set(truth.COMPOSED) <= layers


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case.id)
def test_complex_steps_in_every_shape(case: Case, dtype: str) -> None:
    compared = list(truth.gradients_by_complex_step(case.to(dtype), dtype))
    assert compared
    for quantity, value, other, allowed in compared:
        assert truth.judge(value, other, allowed)["bound_ratio"] <= 1, quantity


@pytest.mark.parametrize(
    "case",
    [c for c in LAYER_CASES if c.layer in truth.COMPOSED and c.kind == "typical"],
    ids=lambda case: case.id,
)
def test_composed_and_fused_are_the_same_function(case: Case, dtype: str) -> None:
    for quantity, value, other, allowed in truth.by_its_other_form(
        case.to(dtype), dtype
    ):
        assert truth.judge(value, other, allowed)["bound_ratio"] <= 1, quantity


class Spoilt(LectureStyle):
    """The reference with one quantity wrong, by one part in ten thousand."""

    def __init__(self, quantity: str) -> None:
        super().__init__("spoilt", "reference")
        self.quantity = quantity

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        return self.spoil(super().run_layer(layer, inputs, dout))

    def run_network(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        return self.spoil(super().run_network(params, x, t))

    def spoil(self, found: Arrays) -> Arrays:
        value = found[self.quantity]
        return found | {self.quantity: (value * (1 + 1e-4)).astype(value.dtype)}


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.id)
def test_mpmath_finds_what_is_wrong(
    case: Case | NetworkCase, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case.to(dtype)
    for quantity in oracle.results(case):
        monkeypatch.setattr(truth, "REFERENCE", Spoilt(quantity))
        for name, value, other, allowed in truth.by_mpmath(case, dtype):
            wrong = truth.judge(value, other, allowed)["verdict"] == Verdict.FAIL
            assert wrong == (name == quantity)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("case", OF_LAYERS, ids=lambda case: case.id)
def test_complex_steps_find_what_is_wrong(
    case: Case, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case.to(dtype)
    for gradient in quantities(case)[1:]:
        monkeypatch.setattr(truth, "REFERENCE", Spoilt(gradient))
        for name, value, other, allowed in truth.gradients_by_complex_step(case, dtype):
            wrong = truth.judge(value, other, allowed)["verdict"] == Verdict.FAIL
            assert wrong == (name == gradient)


def test_the_oracle_shares_nothing_with_the_reference() -> None:
    functions: list[Any] = [oracle.results, *(spec.formula for spec in LAYERS.values())]
    modules = set()
    for function in functions:  # which grows meanwhile
        modules.add(function.__module__)
        names = function.__code__.co_names
        used = (function.__globals__.get(name) for name in names)
        functions += [each for each in used if inspect.isfunction(each)]
    assert oracle.__name__ in modules
    assert not any("reference" in module for module in modules)


# --- The lecture's check --------------------------------------------------------------


def lecture_network(hidden: int = 50) -> tuple[Arrays, np.ndarray, np.ndarray]:
    """As the lecture initialises it, for its first three images (here, digits)."""
    (x, t), _ = load_digits()
    params = TwoLayerNet(64, hidden, 10, rng=np.random.default_rng(1)).params
    return params, x[: truth.IMAGES].astype(np.float64), t[: truth.IMAGES]


@pytest.mark.usefixtures("without_shape_checks")
def test_the_lectures_check() -> None:
    params, x, t = lecture_network()
    before = {name: value.copy() for name, value in params.items()}
    told: list[int] = []
    found = truth.lecture_check(params, x, t, told.append)
    assert [c.quantity for c in found] == ["dW1", "db1", "dW2", "db2"]
    assert not failed(found)
    assert sum(told) == sum(c.elements for c in found) == 64 * 50 + 50 + 500 + 10
    for name, value in params.items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_the_lectures_check_finds_what_is_wrong(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = TwoLayerNet.gradient

    def wrong(self: TwoLayerNet, x: np.ndarray, t: np.ndarray) -> Arrays:
        gradients = right(self, x, t)
        return gradients | {name: gradients[name] * (1 + 1e-6)}

    monkeypatch.setattr(TwoLayerNet, "gradient", wrong)
    assert [c.quantity for c in failed(truth.lecture_check(*lecture_network(5)))] == [
        "d" + name
    ]


@pytest.mark.usefixtures("without_shape_checks")
def test_where_a_relu_switches_the_formula_takes_a_mean_of_slopes() -> None:
    """One pre-activation is moved to h / 2: b1's quotient then is 3/4 of the slope."""
    params, x, t = lecture_network(5)
    params["b1"][2] = truth.STEP / 2 - x[0] @ params["W1"][:, 2]
    found = {c.quantity: c for c in truth.lecture_check(params, x, t)}
    assert not failed([*found.values()])
    assert found["db1"].max_abs > 1e-4 > 1e-8 > found["db2"].max_abs


def test_no_third_central_moment_is_larger_than_that_of_two_points() -> None:
    """The lemma that `difference_bounds` rests on, for distributions on 0..1."""
    rng = np.random.default_rng(0)
    most = 1 / (6 * math.sqrt(3))
    d, p = rng.random((20_000, 10)), rng.dirichlet(np.full(10, 0.1), 20_000)
    mean = (p * d).sum(axis=1, keepdims=True)
    assert np.abs((p * (d - mean) ** 3).sum(axis=1)).max() < most
    two = (1 - 1 / math.sqrt(3)) / 2
    assert two * (1 - two) * (1 - 2 * two) == pytest.approx(most, rel=1e-15)
