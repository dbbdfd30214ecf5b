"""The bounds are sharp enough to mean something: how much of them is used, and how small a
mistake in a single element they notice.
"""

from functools import cache
from statistics import median
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    NETWORK_CASES,
    SHAPE_CASES,
)
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.checking.values import Prepared, check, try_load
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.contract import NotInstalled
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import Allowed, compare
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.measuring.records import Verdict

NAMES = ("reference", "torch", "jax")
CASES = [*LAYER_CASES, *SHAPE_CASES]
TYPICAL = [case for case in CASES if case.kind == "typical"]
ELEMENTWISE = [name for name, layer in LAYERS.items() if layer.elementwise]


@pytest.mark.parametrize(
    ("cases", "least"), [(LAYER_CASES, 0.01), (NETWORK_CASES, 5e-4)]
)
def test_half_of_the_tensors_use_a_fair_share_of_their_bound(
    cases: list[Any], least: float
) -> None:
    """Of all tensors: also of those which are computed without any rounding."""
    worst: dict[tuple[str, str, str, str], float] = {}
    loaded = {name: try_load(name) for name in NAMES}
    present = {n: i for n, i in loaded.items() if not isinstance(i, NotInstalled)}
    for case in cases:
        if case.kind != "typical":
            continue
        for dtype in ("float64", "float32"):
            prepared = Prepared.of(case, dtype)
            for name, implementation in present.items():
                for row in check(prepared, name, implementation)[0]:
                    key = (row.layer, row.quantity, dtype, name)
                    assert row.bound_ratio is not None
                    worst[key] = max(worst.get(key, 0), row.bound_ratio)
    for name in present:
        ratios = [ratio for key, ratio in worst.items() if key[-1] == name]
        assert least <= median(ratios) <= max(ratios) <= 1


@cache
def tensors(case: Case, dtype: str) -> list[tuple[str, str, Any, Allowed]]:
    """Every implementation's bound on every quantity of a case, with the truth."""
    prepared = Prepared.of(case, dtype)
    return [
        (name, quantity, prepared.truth[quantity], allowed)
        for name in NAMES
        for quantity, allowed in prepared.allowed(BACKENDS[name]).items()
        if quantity in prepared.truth
    ]


def assert_caught(planted: Any, truth: Any, allowed: Allowed, where: Any) -> None:
    """That each of these elements, alone among right ones, is a FAIL.

    It is enough to try the one that exceeds its bound the least.
    """
    if not where.any():
        return
    beyond = np.where(where, np.abs(planted - truth) - allowed.certain, np.inf)
    index = np.unravel_index(np.argmin(beyond), truth.shape)
    value = truth.astype(planted.dtype)
    value[index] = planted[index]
    found = compare(value, truth, allowed, str(planted.dtype), None)
    assert found["verdict"] == Verdict.FAIL
    assert found["worst"].index == [int(i) for i in index]


@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.id)
def test_a_relative_error_above_the_bound_is_caught_in_every_element(
    case: Case, dtype: str
) -> None:
    """1 + 2**-20 in float32 and 1 + 2**-45 in float64, wherever the bound is below that:
    planted in the truth, which is rounded once more on the way.
    """
    change = 2.0**-20 if dtype == "float32" else 2.0**-45
    unit = np.finfo(dtype).eps / 2
    for name, quantity, truth, allowed in tensors(case, dtype):
        planted = (truth * (1 + change)).astype(dtype)
        size = np.abs(truth)
        where = allowed.certain + unit * (1 + change) * size < change * size
        if case.layer in ELEMENTWISE and dtype == "float64":
            askable = size > 0
            askable &= relative_bound(case, quantity, name, dtype) < 250
            assert where[askable].all(), (name, quantity)
        assert_caught(planted, truth, allowed, where)


def relative_bound(case: Case, quantity: str, name: str, dtype: str) -> Any:
    """The bound of an element-wise layer in units of u, relative to the value, to first
    order: what the rules of `reference.rounding` come to.

    Most have a few roundings, exp and log as many as were measured; the spec of a layer
    that is special says more. The bound of the truth comes on top; without a wider dtype
    it is as large.
    """
    unit = arithmetic(BACKENDS[name], dtype)
    both = 1 + np.finfo(truth_dtype(dtype)).eps / np.finfo(dtype).eps
    special = LAYERS[case.layer].relative_bound
    if special is None:
        return both * (4 + max(unit.roundings("exp"), unit.roundings("log")))
    return both * special(quantity, case.inputs, unit)


@pytest.mark.parametrize(
    "case", [c for c in TYPICAL if c.layer in ELEMENTWISE], ids=lambda case: case.id
)
def test_sixteen_roundings_in_one_element_are_caught(case: Case, dtype: str) -> None:
    """In element-wise layers, for every element whose bound does not allow for as many
    by itself (15, since what is planted is rounded): for all, but where the spec says
    that a layer is special.
    """
    unit = np.finfo(dtype).eps / 2
    for name, quantity, truth, allowed in tensors(case, dtype):
        planted = (truth * (1 + 16 * unit)).astype(dtype)
        askable = relative_bound(case, quantity, name, dtype) < 15 - 1e-3
        askable = np.broadcast_to(askable, truth.shape) & (truth != 0)
        special = LAYERS[case.layer].relative_bound
        assert special is not None or (askable == (truth != 0)).all()
        assert (np.abs(planted - truth) > allowed.certain)[askable].all(), quantity
        assert_caught(planted, truth, allowed, askable)


@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.id)
def test_twice_the_bound_in_one_element_is_caught(case: Case, dtype: str) -> None:
    """Always, in sums and everywhere; where the bound is 0, the next number is."""
    for _, _, truth, allowed in tensors(case, dtype):
        rounded = truth.astype(dtype)
        for side in (-1, 1):
            planted = (truth + side * 2 * allowed.certain).astype(dtype)
            planted = np.where(
                allowed.certain > 0, planted, np.nextafter(rounded, side * np.inf)
            ).astype(dtype)
            assert (np.abs(planted - truth) > allowed.certain).all()
            assert_caught(planted, truth, allowed, np.ones(truth.shape, bool))
