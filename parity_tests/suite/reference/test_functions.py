"""Every operation of a `Bounded` on operands that are off by as much as is said: the error
of the result is within its bound, and comes to it.

What is off is planted: the operand of the truth is as far from the computed one as its
bound allows, on either side. The truth is computed in a wider dtype.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest

from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.reference.rounding import (
    Arithmetic,
    Bounded,
    bounds,
    elementary,
    shifted,
)
from gradparity.reference.rounding.bounded import erf, erfc
from gradparity.reference.rounding.elementary import ELEMENTARY

Values = np.ndarray


def wider(dtype: str) -> Any:
    """The dtype of the truth, if there is one that is wider."""
    wide = truth_dtype(dtype)
    if np.finfo(wide).eps == np.finfo(dtype).eps:
        pytest.skip("longdouble is no wider than float64 here")
    return wide


# What is computed for a function of which no library has a dtype's own.
COMPUTED: dict[str, Callable[[Values], Values]] = {
    "erf": lambda x: erf(x).astype(x.dtype),
    "erfc": lambda x: erfc(x).astype(x.dtype),
    "normal cdf": lambda x: (1 + erf(x * x.dtype.type(0.5**0.5)).astype(x.dtype)) / 2,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "pow": lambda x: x**x,
}


def numbers(rng: np.random.Generator, dtype: str, function: str, n: int) -> Values:
    """Of the range where a function is measured: of all sizes, and of every size as many
    as there are.
    """
    found = []
    for sign, low, high in ELEMENTARY[function].ranges(np.finfo(dtype)):
        low, high = float(low), float(high)
        found.append(sign * np.exp2(rng.uniform(np.log2(low), np.log2(high), n)))
        found.append(sign * (low + rng.random(n) * (high - low)))
    return np.concatenate(found).astype(dtype)


@cache
def truths(dtype: str, function: str, points: int) -> tuple[Values, Values]:
    """So many of these, and what the function makes of them."""
    x = numbers(np.random.default_rng(0), dtype, function, points)
    return x, ELEMENTARY[function].function(x.astype(wider(dtype)))


def with_seen(
    own: Arithmetic,
    dtype: str,
    seen: dict[str, Callable[[Values], Values]],
    points: int = 2**12,
) -> Arithmetic:
    """An arithmetic with what is seen here of some functions, and a rounding more: where
    many operands are tried, it has to be looked for at as many points.
    """
    found = dict(own.elementary)
    for name, compute in seen.items():
        x, truth = truths(dtype, name, points)
        relative = 1 if ELEMENTARY[name].absolute else truth
        errors = np.abs((compute(x) - truth) / relative)
        found[name] = math.ceil(float(errors.max()) / own.u) + 1.0
    return replace(own, elementary=tuple(found.items()))


@cache
def numpy_arithmetic(dtype: str, points: int = 2**12) -> Arithmetic:
    return with_seen(arithmetic(NUMPY, dtype), dtype, COMPUTED, points)


@dataclass(frozen=True)
class Operation:
    """An operation on one or two operands.

    Args:
        bound: of `Bounded` operands.
        compute: of arrays in the dtype; and in a wider one it is the truth.
        low, high: the sizes of the operands, as powers of two.
        signed: the operands are of both signs.
        truth: where `compute` has no wider dtype.
        operands: how many.
        reach: the operands are off by up to half of this, relative to them.
    """

    bound: Callable[..., Bounded]
    compute: Callable[..., Values]
    low: float = -8
    high: float = 8
    signed: bool = False
    truth: Callable[..., Values] | None = None
    operands: int = 1
    reach: float = 1


OPERATIONS = {
    "exp": Operation(lambda x: x.exp(), np.exp, -8, 5, True),
    "log": Operation(lambda x: x.log(), np.log),
    "tanh": Operation(lambda x: x.tanh(), np.tanh, -8, 2, True),
    "sqrt": Operation(lambda x: x.sqrt(), np.sqrt, -100, 100),
    "rsqrt": Operation(lambda x: x.rsqrt(), COMPUTED["rsqrt"], -100, 100),
    "erf": Operation(
        lambda x: x.erf(), COMPUTED["erf"], -8, 2, True, elementary.erf
    ),
    "erfc": Operation(
        lambda x: x.erfc(), COMPUTED["erfc"], -8, 3, True, elementary.erfc
    ),
    "normal cdf": Operation(
        lambda x: x.normal_cdf(),
        COMPUTED["normal cdf"],
        *(-8, 2, True, elementary.normal_cdf),
    ),
    "square": Operation(lambda x: x.pow(2), lambda x: x * x, -20, 20, True),
    "cube": Operation(lambda x: x.pow(3), lambda x: x * x * x, -20, 20, True),
    "1/x**2": Operation(lambda x: x.pow(-2), lambda x: 1 / (x * x), -20, 20, True),
    "1/x*1/x": Operation(lambda x: x.pow(-2), lambda x: (1 / x) ** 2, -20, 20, True),
    "root": Operation(lambda x: x.pow(0.5), lambda x: x**0.5, -20, 20),
    "x**1.75": Operation(lambda x: x.pow(1.75), lambda x: x**1.75, -4, 4),
    "abs": Operation(lambda x: x.abs(), np.abs, signed=True, reach=20),
    "sign": Operation(lambda x: x.sign(), np.sign, signed=True, reach=20),
    "relu": Operation(
        lambda x: x.relu(), lambda x: np.maximum(x, 0), signed=True, reach=20
    ),
    "maximum": Operation(
        lambda x, y: x.maximum(y), np.maximum, -1, 1, True, operands=2
    ),
    "minimum": Operation(
        lambda x, y: x.minimum(y), np.minimum, -1, 1, True, operands=2
    ),
    "max": Operation(
        lambda x: x.map(lambda v: v.reshape(-1, 8)).max(1),
        lambda x: x.reshape(-1, 8).max(1), -1, 1, True,
    ),
    "min": Operation(
        lambda x: x.map(lambda v: v.reshape(-1, 8)).min(1, keepdims=True),
        lambda x: x.reshape(-1, 8).min(1, keepdims=True), -1, 1, True,
    ),
    "x**y": Operation(lambda x, y: x.pow(y), np.power, -3, 3, operands=2),
    "x/sqrt(y)": Operation(
        lambda x, y: x.over_sqrt(y), lambda x, y: x / np.sqrt(y), operands=2
    ),
    "x*rsqrt(y)": Operation(
        lambda x, y: x.over_sqrt(y), lambda x, y: x * (1 / np.sqrt(y)), operands=2
    ),
}  # fmt: skip


def planted(
    rng: np.random.Generator,
    dtype: str,
    operation: Operation,
    off: bool,
    own: Arithmetic,
) -> tuple[Values, Bounded]:
    """An operand as it was computed, and what it should be with the bound on its error."""
    n, u = 400, np.finfo(dtype).eps
    size = np.exp2(rng.uniform(operation.low, operation.high, n))
    signs = rng.choice([-1, 1], n) if operation.signed else 1
    computed = (signs * size).astype(dtype)
    relative = u ** rng.uniform(0.05, 1, n) * rng.choice([-1, 1], n) if off else 0.0
    relative = operation.reach * relative
    exact = computed.astype(np.float64) * (1 + relative)
    error = np.abs(exact - computed) * (1 + 2.0**-52)
    error = error / np.where(rng.random(n) < 0.5, 1, rng.uniform(0.5, 1, n))
    return computed, Bounded.exact(exact, own).exactly(exact, error)


def worst(name: str, dtype: str, off: bool, seeds: range, points: int = 2**12) -> float:
    """The largest error of an operation as a multiple of its bound."""
    operation, wide, own = (
        OPERATIONS[name],
        wider(dtype),
        numpy_arithmetic(dtype, points),
    )
    largest = 0.0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        operands = [
            planted(rng, dtype, operation, off, own) for _ in range(operation.operands)
        ]
        with np.errstate(all="ignore"):
            value = operation.compute(*(computed for computed, _ in operands))
            bounded = operation.bound(*(exact for _, exact in operands))
            truth = (operation.truth or operation.compute)(
                *(exact.value.astype(wide) for _, exact in operands)
            )
        assert not np.isnan(bounded.error).any()
        error = np.abs(value - truth)
        wrong = (error > 0) & np.isfinite(truth)
        ratio = error[wrong] / bounded.error[wrong]
        largest = max(largest, float(np.max(ratio, initial=0.0)))
    return largest


ROUNDED = {"abs", "sign", "relu", "maximum", "minimum", "max", "min"} ^ {*OPERATIONS}
MEASURED_ELSEWHERE = {"exp", "log", "tanh"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_bound_holds_and_is_sharp(name: str, dtype: str) -> None:
    """Of numbers that are given, whose results are rounded only (and some in more ways
    than here), and of such that are off.
    """
    given, off = (worst(name, dtype, off, range(3)) for off in (False, True))
    print(f"{name} {dtype}: given {given:.3f}, off {off:.4f}")
    assert 0.9 <= off <= 1
    assert given <= 1 if name in ROUNDED else given == 0
    assert given >= 0.3 or name not in ROUNDED - MEASURED_ELSEWHERE


@pytest.mark.deep
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_operand_leads_out_of_the_bound(name: str, dtype: str) -> None:
    for off in (False, True):
        assert worst(name, dtype, off, range(1000), points=2**17) <= 1


@pytest.mark.parametrize("wide", [np.float64, np.longdouble])
@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_the_truth_of_error_functions_is_true(name: str, wide: Any) -> None:
    """To 20 roundings in its own dtype, against mpmath's to 100 bits."""
    dtype = "float32" if wide is np.float64 else "float64"
    x = numbers(np.random.default_rng(1), dtype, name, 200).astype(wide)
    x = np.concatenate([x, np.array([0.5, 1, 1.0001, 2, 2.0001, -1, -3], wide)])
    with mpmath.workprec(100):
        for at, value in zip(x, ELEMENTARY[name].function(x), strict=True):
            exact = getattr(mpmath, name)(precise(at))
            assert abs(precise(value) / exact - 1) <= 20 * float(np.finfo(wide).eps)


def precise(x: Any) -> mpmath.mpf:
    head = float(x)
    return mpmath.mpf(head) + mpmath.mpf(float(x - type(x)(head)))


# --- Where a function is undefined, or infinitely steep -------------------------------

FLOAT32 = Arithmetic.of("float32")


def near_zero(*values: float, error: float) -> Bounded:
    exact = Bounded.exact(np.array(values), FLOAT32)
    return exact.exactly(exact.value, np.full(len(values), error))


def test_a_root_near_zero_has_a_bound_if_it_is_one_of_squares() -> None:
    x = near_zero(0.0, 1e-9, 1e-8, 1e-6, error=1e-8)
    with np.errstate(all="ignore"):
        unknown, known = x.sqrt(), x.sqrt(nonnegative=True)
    assert np.isinf(unknown.error).tolist() == [True, True, False, False]
    for off in (-1e-8, 1e-8):
        moved = np.sqrt(np.maximum(x.value + off, 0))
        assert (np.abs(moved - known.value) <= known.error).all()
    # |sqrt(a) - sqrt(b)| <= sqrt(|a - b|)
    assert (known.error <= (1 + 1e-4) * np.sqrt(1e-8)).all()


def test_there_is_no_bound_at_a_pole() -> None:
    x = near_zero(0.0, -1e-9, 1e-9, 1e-8, 1e-6, error=1e-8)
    with np.errstate(all="ignore"):
        for found in (x.rsqrt(), x.log(), x.pow(-0.5), x.pow(-1), x.pow(1.5)):
            assert np.isinf(found.error).tolist() == [True] * 4 + [False]
        given = near_zero(0.0, error=0.0)
        assert given.rsqrt().value == np.inf
        assert given.rsqrt().error < 1e-40
        assert given.sqrt().error == 0


def test_of_a_function_that_was_not_measured_there_is_no_bound() -> None:
    nothing = tuple((name, math.inf) for name in ELEMENTARY)
    x = Bounded.exact(np.array([0.5]), Arithmetic.of("float32", elementary=nothing))
    with np.errstate(all="ignore"):
        for found in (x.exp(), x.erf(), x.erfc(), x.sqrt(), x.rsqrt(), x.pow(1.5)):
            assert np.isinf(found.error).all()
    assert np.isfinite(x.pow(3).error).all()


# --- What is exact --------------------------------------------------------------------


def test_exp_of_0_is_1_and_log_of_1_is_0(dtype: str) -> None:
    """Of given numbers, and of no others."""
    own = arithmetic(NUMPY, dtype)
    exact = Bounded.exact(np.array([0.0, 1.0]), own)
    with np.errstate(all="ignore"):
        assert exact.log().error[1] == 0
    assert exact.exp().error[0] == 0 < exact.exp().error[1]
    off = exact.exactly(exact.value, np.full(2, 1e-30))
    assert off.exp().error[0] >= own.u
    with np.errstate(all="ignore"):
        assert off.log().error[1] > 0


@pytest.mark.parametrize("name", ["torch", "jax", "jax-jit", "reference"])
def test_every_library_has_it_so(name: str, dtype: str) -> None:
    """In all the places that have an exponential or a logarithm of their own."""
    implementation = load_or_skip(name)
    for shape in ((7,), (1000,)):
        zero, one = np.zeros(shape, dtype), np.ones(shape, dtype)
        assert (implementation.run_layer("Exp", {"x": zero}, one)["out"] == 1).all()
        assert (implementation.run_layer("Log", {"x": one}, one)["out"] == 0).all()
    for n in (1, 100):
        # All others are so far below that the largest one's exponential is the sum.
        x = np.full((3, n), -1000, dtype)
        x[:, n // 2] = 0.3
        y = implementation.run_layer("Softmax", {"x": x}, np.ones_like(x))["out"]
        assert (y == (x == x.max())).all()
        given, dout = {"x": x, "t": np.full(3, n // 2)}, np.ones((), dtype)
        assert implementation.run_layer("SoftmaxWithLoss", given, dout)["out"] == 0


def test_a_sum_that_is_off_by_1e_7_is_seen_in_a_softmax() -> None:
    """Of one class, where nothing but the division is rounded."""
    own, x = arithmetic(NUMPY, "float32"), np.array([[0.3]], np.float32)
    bounded = bounds("Softmax", {"x": x}, np.ones_like(x), own)["out"]
    e = np.exp(x - x.max())
    assert np.abs(e / e.sum() - bounded.value) <= bounded.error
    assert np.abs(e / (e.sum() + np.float32(1e-7)) - bounded.value) > bounded.error


def test_which_one_is_the_largest_must_be_known_for_its_exp_to_be_exact() -> None:
    """Two scores that are off may change places, and the other one is rounded then."""
    own = arithmetic(NUMPY, "float32")
    x = Bounded.exact(np.array([[0.3, 0.3 - 1e-6]]), own)
    off = x.exactly(x.value, np.full_like(x.value, 1e-5))
    assert shifted(x).exp().error[0, 0] == 0
    assert shifted(off).exp().error[0, 0] >= own.roundings("exp") * own.u
