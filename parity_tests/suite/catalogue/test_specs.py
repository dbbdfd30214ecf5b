"""The specs say what the reference's classes say, and ask of every layer what they must."""

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.audit.truth import by_mpmath, judge
from gradparity.parity_tests.catalogue import derived
from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.cases import LAYER_CASES
from gradparity.parity_tests.catalogue.edges import LAYOUTS
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.catalogue.spec import Form, Input, Layer
from gradparity.parity_tests.checking.values import (
    REFERENCE,
    Prepared,
    check,
    quantities,
    run,
)
from gradparity.parity_tests.implementations.user_supplied import Own
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.parity_tests.mutants import MUTANTS
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.reference import layers
from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.rules import RULES
from gradparity.reference.signatures import build, held_by

# --- Every layer ----------------------------------------------------------------------


def test_the_layers_are_the_references_in_their_order() -> None:
    assert [*LAYERS] == layers.__all__


@pytest.mark.parametrize("layer", LAYERS.values(), ids=lambda layer: layer.name)
def test_a_spec_says_what_the_class_takes(layer: Layer) -> None:
    kind = getattr(layers, layer.name)
    _, *forward = inspect.signature(kind.forward).parameters
    held = held_by(kind)
    assert [each.name for each in layer.inputs] == [*forward, *held]
    assert layer.held == [*held]
    settings = inspect.signature(kind).parameters.keys() - {*held}
    assert settings == layer.settings.keys()


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_cases_of_all_kinds(layer: str) -> None:
    """And edges that are more than a layout: special numbers."""
    cases = [case for case in LAYER_CASES if case.layer == layer]
    assert {case.kind for case in cases} == {"typical", "edge", "invalid"}
    assert any(c.kind == "edge" and c.name not in LAYOUTS for c in cases)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_a_mutant(layer: str) -> None:
    """A mistake in the reference's class, which the suite must catch."""
    assert any(
        (mutant.scope, mutant.layer, mutant.implementation)
        == ("layer", layer, "reference")
        for mutant in MUTANTS
    )


@pytest.mark.parametrize("layer", LAYERS.values(), ids=lambda layer: layer.name)
def test_what_a_layer_does_not_have_is_otherwise_derived(layer: Layer) -> None:
    everything = Layer(layer.name, layer.inputs, layer.formula, form=layer.form)
    names = {case.name for case in derived.cases(everything)}
    assert names >= {*layer.but_for}


def test_a_case_more_changes_no_other() -> None:
    (case,) = (c for c in LAYER_CASES if c.id == "AddLayer/batch")
    alone = Layer("AddLayer", (Input("x"), Input("y")), np.add)
    (again,) = (c for c in derived.cases(alone) if c.name == "batch")
    for name, value in case.arguments.items():
        np.testing.assert_array_equal(value, again.arguments[name])


# --- A layer that has everything a layer may have -------------------------------------


class Gathered:
    """The rows of x at some indices, times a scale, plus b; and the scaled sum of x."""

    def __init__(self, b: Any, *, scale: float) -> None:
        self.b, self.scale = b, scale

    def forward(self, x: Any, idx: Any) -> Any:
        self.shape, self.idx, self.dtype = x.shape, idx, x.dtype
        return self.scale * x[idx] + self.b, self.scale * x.sum()

    def backward(self, drows: Any, dtotal: Any) -> Any:
        dx = np.full(self.shape, self.scale * dtotal, self.dtype)
        np.add.at(dx, self.idx, self.scale * drows)
        self.db = drows.sum(axis=0)
        return dx


def gathered(x: Any, idx: Any, b: Any, *, scale: float) -> Any:
    """The same in the arrays of a framework."""
    return scale * x[idx] + b, scale * x.sum()


def gathered_with_gradients(
    x: Any, idx: Any, b: Any, *, dout: Any, scale: float
) -> Any:
    """The same, with its gradients in their order."""
    node = Gathered(b, scale=scale)
    return (*node.forward(x, idx), node.backward(*dout), node.db)


def bounded_rows(x: Bounded, idx: Any, b: Bounded, dout: Any, scale: float) -> Bounds:
    """Its rounding rule."""
    drows, dtotal = dout
    factor = x.constant(scale)
    picks = x.constant(np.eye(len(x.value))[idx])
    return {
        "rows": factor * x.map(lambda v: v[idx]) + b,
        "total": factor * x.sum(),
        "dx": (factor * dtotal) + picks.map(np.transpose).matmul(factor * drows),
        "db": drows.sum(axis=0),
    }


SPEC = Layer(
    "Gathered",
    (Input("x"), Input("idx", kind="integers"), Input("b", held=True)),
    gathered,
    settings={"scale": 0.5},
    outputs=("rows", "total"),
    form=Form(  # a size has indices, columns and rows
        lambda size, inputs: [size[:0:-1], size[:1], size[1:2], size[:2], ()],
        batch=(9, 3, 7),
        small=(5, 3, 4),
        shared=((5, 3, 4),),
        ranks=(3, 3),
        empty=(0, 3, 4),
        misfit=(3,),
        others=((1, 1, 1),),
        large={},
    ),
)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Case:
    """A typical case of the layer, which is a layer as long as the test runs."""
    monkeypatch.setitem(LAYERS, "Gathered", SPEC)
    monkeypatch.setitem(RULES, "Gathered", bounded_rows)
    mine = SimpleNamespace(Gathered=Gathered, gathered=gathered)
    monkeypatch.setattr(REFERENCE, "layers", mine)
    return next(case for case in derived.cases(SPEC) if case.name == "batch")


NAMES = ["rows", "total", "dx", "db"]


@pytest.mark.parametrize(
    "name", ["reference", "torch", "jax", "jax-jit", "a class", "a function"]
)
def test_settings_integers_and_several_outputs(
    registered: Case, name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = registered.to(dtype)
    assert quantities(case) == NAMES
    if name.startswith("a "):
        offered = Gathered if name == "a class" else gathered_with_gradients
        implementation: Any = Own("mine", {"Gathered": offered})
    else:
        implementation = load_or_skip(name)
        mine = SimpleNamespace(Gathered=Gathered, gathered=gathered)
        monkeypatch.setattr(implementation, "layers", mine)
    found = run(case, implementation)
    assert [*found] == NAMES
    x, idx, b = case.inputs["x"], case.inputs["idx"], case.inputs["b"]
    assert idx.dtype == np.int64
    drows, dtotal = case.dout
    assert drows.dtype == dtype
    picks = np.eye(len(x))[idx]
    expected = {
        "rows": 0.5 * picks @ x + b,
        "total": 0.5 * x.sum(),
        "dx": 0.5 * picks.T @ drows + 0.5 * dtotal,
        "db": drows.sum(axis=0),
    }
    tolerance = 100 * float(np.finfo(dtype).eps)
    for quantity, value in found.items():
        assert value.dtype == dtype
        np.testing.assert_allclose(value, expected[quantity], tolerance, tolerance)


def test_the_reference_builds_it(registered: Case) -> None:
    """With what it holds by position, whatever else there is, and settings by keyword."""
    assert held_by(Gathered) == ("b",)
    made, rest = build(Gathered, registered.inputs, **SPEC.settings)
    assert (made.b is registered.inputs["b"], made.scale) == (True, 0.5)
    assert [*rest] == ["x", "idx"]


def test_its_layouts_and_refusals_have_a_cotangent_for_each_output() -> None:
    for case in derived.cases(SPEC):
        assert len(case.dout) == 2
        assert len(case.arguments) == 5


def test_its_outputs_and_gradients_have_bounds(registered: Case, dtype: str) -> None:
    prepared = Prepared.of(registered, dtype)
    implementation = Own("mine", {"Gathered": gathered_with_gradients})
    for name, each in {"reference": REFERENCE, "mine": implementation}.items():
        rows, _ = check(prepared, name, each)
        assert [row.quantity for row in rows] == NAMES
        assert {row.verdict for row in rows} <= {
            *(Verdict.IDENTICAL, Verdict.WITHIN_BOUND)
        }


@pytest.mark.usefixtures("registered")
def test_its_outputs_and_gradients_are_what_100_digits_say() -> None:
    case = next(each for each in derived.small_cases(SPEC) if each.name == "small")
    for dtype in DTYPES:
        rows = list(by_mpmath(case.to(dtype), dtype))
        assert [row[0] for row in rows] == NAMES
        for quantity, value, truth, allowed in rows:
            assert judge(value, truth, allowed)["bound_ratio"] <= 1, quantity
