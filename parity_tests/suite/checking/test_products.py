"""Jacobian- and Hessian-vector products: three ways that agree, and one by hand."""

import inspect
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.audit import truth
from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import SHAPE_CASES, SMALL_CASES
from gradparity.parity_tests.checking import products
from gradparity.parity_tests.checking.products import (
    CASES,
    NAMES,
    EveryProduct,
    Moving,
    PreparedProducts,
    check,
    error_bounds,
    has_products,
)
from gradparity.parity_tests.checking.values import REFERENCE, run
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.implementations.contract import Arrays, NotInstalled
from gradparity.parity_tests.measuring.records import Check, Verdict
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.reference import second_order as by_hand
from gradparity.reference.rounding import Bounded, Dual
from gradparity.reference.rounding.correctly_rounded import CorrectlyRounded

SMALL = [c for c in SMALL_CASES if c.kind == "typical" and has_products(c)]
SHAPES = [case for case in SHAPE_CASES if has_products(case)]
by_id: Any = {"ids": lambda case: case.id}


@cache
def prepared(case: Case | NetworkCase, dtype: str) -> PreparedProducts:
    return PreparedProducts.of(Moving.of(case), dtype)


def failed(rows: list[Check]) -> list[Check]:
    return [row for row in rows if row.verdict == Verdict.FAIL]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", [*CASES, SMALL[-1]], **by_id)
def test_products(case: Case | NetworkCase, dtype: str, name: str) -> None:
    rows = check(prepared(case, dtype), name, load_or_skip(name))
    assert [row.quantity for row in rows] == [*prepared(case, dtype).truth]
    assert not failed(rows), "\n".join(map(str, failed(rows)))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", ["reference", "torch"])  # JAX compiles every shape
@pytest.mark.parametrize("case", SHAPES, **by_id)
def test_products_in_every_shape(case: Case, dtype: str, name: str) -> None:
    implementation = load_or_skip(name)
    assert not failed(check(prepared(case, dtype), name, implementation))


# Their differences are taken in mpmath's numbers, element by element.
LARGE = [case for case in SHAPES if case.name in ("a huge batch", "many classes")]


@pytest.mark.parametrize(
    "case",
    [
        *(case for case in [*SHAPES, *SMALL] if case not in LARGE),
        *(pytest.param(case, marks=pytest.mark.deep) for case in LARGE),
    ],
    **by_id,
)
def test_the_r_operator_is_what_complex_steps_find(
    case: Case | NetworkCase, dtype: str
) -> None:
    for quantity, value, other, allowed in truth.products_by_complex_step(
        case.to(dtype), dtype
    ):
        assert truth.judge(value, other, allowed)["bound_ratio"] <= 1, quantity


@pytest.mark.parametrize("case", SMALL, **by_id)
def test_the_r_operator_is_the_central_difference_of_the_gradient(
    case: Case | NetworkCase,
) -> None:
    """Of the output, and of every gradient, by h = 2**-17 in long double."""
    moving, h = Moving.of(case), 2.0**-17
    above, below = (
        run(moving.moved(step, np.longdouble), REFERENCE) for step in (h, -h)
    )
    for quantity, value in products.run(moving, REFERENCE).items():
        name = quantity.removeprefix("R")
        difference = (above[name] - below[name]) / (2 * h)
        scale = np.abs(value).max()
        np.testing.assert_allclose(value, difference, rtol=1e-7, atol=1e-8 * scale)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", SMALL, **by_id)
def test_hessians_are_symmetric(case: Case | NetworkCase, seed: int) -> None:
    """u H v = v H u, where H is that of sum(dout * out), which moves with dout too: by
    that, it moves as the output does.
    """
    u, v = Moving.of(case, 2 * seed), Moving.of(case, 2 * seed + 1)
    names = {name: "Rd" + name for name in u.direction} | {"dout": "Rout"}
    both, allowed = [], 0.0
    for along, by in ((u, v), (v, u)):
        found = products.run(by, REFERENCE)
        bounded = error_bounds(by, truth.arithmetic(NUMPY, "float64"))
        terms = {n: along.direction[n] * found[names[n]] for n in along.direction}
        both.append(sum(float(term.sum()) for term in terms.values()))
        for name, term in terms.items():
            passed = np.abs(along.direction[name]) * bounded[names[name]].error
            allowed += float(passed.sum() + 100 * 2.0**-53 * np.abs(term).sum())
    assert abs(both[0] - both[1]) <= allowed


def test_every_operation_that_has_a_bound_is_differentiated() -> None:
    """A rule may use any of them, and must not get one that ignores the tangent."""
    wanted = {
        name
        for kind in (Bounded, CorrectlyRounded)
        for name, value in vars(kind).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    wanted |= {f"__{name}__" for name in ("add", "sub", "mul", "truediv", "neg")}
    made_of_others = {"gate", "min", "minimum", "over_sqrt", "sign", "signed"}
    no_number = {"equals", "may_be_largest"}
    their_own_affair = {"exactly"}
    inherited = wanted - vars(Dual).keys()
    assert inherited == made_of_others | no_number | their_own_affair


def test_at_the_kink_the_second_derivative_is_zero() -> None:
    x, one = np.array([-1.0, -0.0, 0.0, 1.0]), np.ones(4)
    relu: Any = by_hand.RRelu
    found = by_hand.hvp(relu, {"x": x}, one, {"x": one}, 0 * one)
    np.testing.assert_array_equal(found["x"], np.zeros(4))
    moved = by_hand.jvp(relu, {"x": x}, {"x": one})
    np.testing.assert_array_equal(moved, [0, 0, 0, 1])


# --- And that it can fail -------------------------------------------------------------


@pytest.mark.parametrize("case", SMALL, **by_id)
def test_a_product_that_is_a_little_wrong_fails(
    case: Case | NetworkCase, dtype: str
) -> None:
    # Its bound is wider, for errors can add up through all of its layers.
    factor = 1 + (1e-3 if isinstance(case, NetworkCase) else 1e-4)
    right = products.run(prepared(case, dtype).given, REFERENCE)
    for quantity, value in right.items():
        if not value.any():
            continue

        spoilt = (value * factor).astype(value.dtype)
        wrong: Any = SimpleNamespace()
        wrong.products = lambda *_, found=right | {quantity: spoilt}: found
        rows = failed(check(prepared(case, dtype), "reference", wrong))
        assert [row.quantity for row in rows] == [quantity]


def test_what_crashes_fails_and_what_is_not_installed_is_missing() -> None:
    def crash(*arguments: Any) -> Arrays:
        raise RuntimeError("out of luck")

    crashing: Any = SimpleNamespace(products=crash)
    case = prepared(CASES[0], "float64")
    rows = check(case, "reference", crashing)
    assert {row.note for row in rows} == {"raised RuntimeError: out of luck"}
    missing = NotInstalled("torch cannot be imported")
    rows = check(case, "torch", missing)
    assert {row.verdict for row in rows} == {Verdict.MISSING}
    assert [row.quantity for row in rows] == ["Rout", "Rdx", "Rdy"]


@pytest.mark.usefixtures("without_shape_checks")
def test_a_direction_of_another_shape_is_refused() -> None:
    x, sigmoid = np.ones((2, 3)), by_hand.RSigmoid
    with pytest.raises(ValueError, match=r"RSigmoid: Rx must have shape \(2, 3\)"):
        by_hand.jvp(sigmoid, {"x": x}, {"x": x[:1]})
    with pytest.raises(ValueError, match=r"RSigmoid: Rdout must have shape \(2, 3\)"):
        by_hand.hvp(sigmoid, {"x": x}, x, {"x": x}, x[:1])
    params = {"W1": np.ones((3, 2)), "b1": np.ones(2)}
    params |= {"W2": np.ones((2, 2)), "b2": np.ones(2)}
    with pytest.raises(ValueError, match=r"TwoLayerNet: Rb2 must have shape \(2,\)"):
        by_hand.loss_hvp(params, x, np.array([0, 1]), params | {"b2": np.ones(3)})


def test_the_rows_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "CASES", SMALL)
    assert "jax-jit" not in NAMES  # there is no such form of it
    told: list[int] = []
    task = EveryProduct(["float32"], ["reference", "jax-jit"])
    rows = task.run(told.append)
    assert sum(told) == task.total > 0
    assert {row.layer for row in rows} == {case.layer for case in SMALL}
    assert not failed(rows)
    assert not EveryProduct(["float32"], ["jax-jit"]).run(told.append)
