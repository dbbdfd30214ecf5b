"""What is decided by rounded numbers: which way it may go, and what comes of it."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from gradparity.reference.rounding import Arithmetic, Bounded, Decision

FLOAT64 = Arithmetic.of("float64")
FLOAT32 = Arithmetic.of("float32")
BOTH = [False, True]
SIDES = (-1.0, -0.5, 0.0, 0.5, 1.0)


def off(value: Any, error: Any, arithmetic: Arithmetic = FLOAT32) -> Bounded:
    value, error = np.broadcast_arrays(np.asarray(value, float), error)
    return Bounded(value, error.astype(float), arithmetic)


def random(rng: np.random.Generator) -> Bounded:
    """Numbers that are near each other, some of them without any error."""
    return off(rng.normal(size=500), np.maximum(rng.normal(size=500), 0))


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x.equals(y) if isinstance(x, Bounded) else x == y,
}


@pytest.mark.parametrize("compare", COMPARISONS.values(), ids=COMPARISONS)
def test_a_comparison_that_is_in_no_doubt_comes_out_as_it_should(
    compare: Callable[[Any, Any], Any],
) -> None:
    x, y = map(random, map(np.random.default_rng, (0, 1)))
    decided = compare(x, y)
    np.testing.assert_array_equal(decided.value, compare(x.value, y.value))
    differs = np.zeros(500, bool)
    for a, b in product(SIDES, SIDES):
        there = compare(x.value + a * x.error, y.value + b * y.error)
        differs |= there != decided.value
    assert not (differs & ~decided.doubt).any()
    assert 0.2 < decided.doubt.mean() < 0.8


def test_what_is_equal_or_no_number_is_in_no_doubt() -> None:
    x, y = off([1.0, np.nan, 0.0, np.inf], 0), off([1.0, 0.0, -0.0, np.inf], 0)
    with np.errstate(invalid="ignore"):
        decided = (x <= y) & x.equals(y)
    np.testing.assert_array_equal(decided.value, [True, False, True, True])
    assert not decided.doubt.any()


def test_which_of_two_that_may_overflow_is_larger_is_in_doubt() -> None:
    x, y = off([3.3e38, 3.3e38, 3.3e38], 2e37), off([3.35e38, -3.3e38, 1.0], 2e37)
    assert (x < y).doubt.tolist() == [True, False, False]


def test_the_values_of_a_bound_in_float64_are_off_as_well() -> None:
    assert (off(1.5, 1.0, FLOAT64) > off(0.0, 0.0, FLOAT64)).doubt
    assert not (off(1.5, 1.0) > off(0.0, 0.0)).doubt


@pytest.mark.parametrize("how", [lambda a, b: a & b, lambda a, b: a | b])
def test_a_combination_is_in_doubt_where_what_is_combined_decides_it(how: Any) -> None:
    """Over all that there is: it may come out each way that it can."""
    for values in product(BOTH, BOTH):
        for doubts in product(BOTH, BOTH):
            a, b = (
                Decision(np.array(v), np.array(d))
                for v, d in zip(values, doubts, strict=True)
            )
            found = how(a, b)
            ways = [
                BOTH if doubt else [value]
                for value, doubt in zip(values, doubts, strict=True)
            ]
            may = {bool(how(x, y)) for x, y in product(*ways)}
            assert found.value == how(*values)
            assert found.doubt == (len(may) == 2)
            assert (found.may, found.must) == (True in may, False not in may)


def test_not_is_as_much_in_doubt() -> None:
    a = Decision(np.array([True, False, True]), np.array([True, True, False]))
    np.testing.assert_array_equal((~a).value, [False, True, False])
    assert (~a).doubt is a.doubt
    assert not Decision.sure(np.ones(2, bool)).doubt.any()


def test_a_choice_is_within_its_bound_whichever_way_it_goes() -> None:
    """x where 0 < x < y, and z elsewhere; the bound is reached."""
    rng = np.random.default_rng(0)
    x, y, z = (random(rng) for _ in range(3))
    inside = (x > x.constant(0.0)) & (x < y)
    chosen = x.where(inside, z)
    worst = 0.0
    for sides in product(SIDES, repeat=3):
        a, b, c = (
            v.value + side * v.error for v, side in zip((x, y, z), sides, strict=True)
        )
        error = np.abs(np.where((a > 0) & (a < b), a, c) - chosen.value)
        assert (error <= chosen.error * (1 + 1e-12)).all()
        wrong = chosen.error > 0
        worst = max(worst, float(np.max(error[wrong] / chosen.error[wrong])))
    assert worst >= 0.99


def test_a_sure_choice_is_that_of_an_array() -> None:
    x, y = map(random, map(np.random.default_rng, (0, 1)))
    sure = x.value > y.value
    for side in ("value", "error"):
        np.testing.assert_array_equal(
            getattr(x.where(Decision.sure(sure), y), side),
            getattr(x.where(sure, y), side),
        )
