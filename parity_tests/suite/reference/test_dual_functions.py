"""The derivatives of every operation: what a `Dual` says is true, and its bound holds for
what JAX differentiates.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.suite.reference.test_functions import (
    numpy_arithmetic,
    with_seen,
)
from gradparity.reference.rounding import Arithmetic, Dual

OPERATIONS: dict[str, tuple[Callable[..., Dual], Callable[..., Any]]] = {
    "sqrt": (lambda x: x.sqrt(), lambda f, x: f.sqrt(x)),
    "sqrt of squares": (lambda x: x.sqrt(nonnegative=True), lambda f, x: f.sqrt(x)),
    "rsqrt": (lambda x: x.rsqrt(), lambda f, x: f.rsqrt(x)),
    "1/sqrt": (lambda x: x.rsqrt(), lambda f, x: 1 / f.sqrt(x)),
    "y/sqrt": (lambda x, y: y.over_sqrt(x), lambda f, x, y: y / f.sqrt(x)),
    "erf": (lambda x: x.erf(), lambda f, x: f.erf(x)),
    "erfc": (lambda x: x.erfc(), lambda f, x: f.erfc(x)),
    "x**3": (lambda x: x.pow(3), lambda f, x: x**3),
    "x**-2": (lambda x: x.pow(-2), lambda f, x: x**-2),
    "x**0.5": (lambda x: x.pow(0.5), lambda f, x: f.pow(x, 0.5)),
    "x**1.75": (lambda x: x.pow(1.75), lambda f, x: f.pow(x, 1.75)),
    "x**y": (lambda x, y: x.pow(y), lambda f, x, y: f.pow(x, y)),
    "abs": (lambda x: x.abs(), lambda f, x: f.abs(x)),
    "sign": (lambda x: x.sign(), lambda f, x: f.sign(x)),
    "relu": (lambda x: x.relu(), lambda f, x: f.maximum(x, 0 * x)),
    "maximum": (lambda x, y: x.maximum(y), lambda f, x, y: f.maximum(x, y)),
    "minimum": (lambda x, y: x.minimum(y), lambda f, x, y: f.minimum(x, y)),
    "max": (
        lambda x: x.map(lambda v: v.reshape(-1, 5)).max(1),
        lambda f, x: f.max(x.reshape(-1, 5), axis=1),
    ),
    "min": (
        lambda x: x.map(lambda v: v.reshape(-1, 5)).min(0, keepdims=True),
        lambda f, x: f.min(x.reshape(-1, 5), axis=0, keepdims=True),
    ),
    "where": (
        lambda x, y: (x * x).where(~(x < y), y.sqrt()),
        lambda f, x, y: f.where(x < y, f.sqrt(y), x * x),
    ),
}


class OfJax:
    """JAX's functions under one name."""

    def __init__(self) -> None:
        self.jax = pytest.importorskip("jax")

    def __getattr__(self, name: str) -> Any:
        lax = ("rsqrt", "erf", "erfc", "pow")
        return getattr(self.jax.lax if name in lax else self.jax.numpy, name)


def numbers(operation: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One operand or two, and a direction for each."""
    how = OPERATIONS[operation][0]
    count = how.__code__.co_argcount
    rng = np.random.default_rng(0)
    x = [np.exp2(rng.uniform(-3, 2, 60)).astype(np.float32) for _ in range(count)]
    t = [rng.normal(size=60).astype(np.float32) for _ in range(count)]
    return x, t


def dual_of(operation: str, x: list[Any], t: list[Any], own: Arithmetic) -> Dual:
    return OPERATIONS[operation][0](
        *(Dual.moving(v, d, own) for v, d in zip(x, t, strict=True))
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_tangent_is_the_difference_quotient_of_the_values(operation: str) -> None:
    x, t = ([v.astype(np.float64) for v in given] for given in numbers(operation))
    own, h = numpy_arithmetic("float32"), 2.0**-20
    ahead, here, behind = (
        dual_of(
            operation,
            [v + k * h * d for v, d in zip(x, t, strict=True)],
            t,
            own,
        )
        for k in (1.0, 0.0, -1.0)
    )
    quotient = (ahead.value - behind.value) / (2 * h)
    np.testing.assert_allclose(here.tangent.value, quotient, rtol=1e-7, atol=1e-7)


@cache
def jax_arithmetic() -> Arithmetic:
    f = OfJax()
    seen: dict[str, Callable[[Any], Any]] = {
        "erf": f.erf,
        "erfc": f.erfc,
        "rsqrt": f.rsqrt,
        "pow": lambda x: f.pow(x, x),
    }
    own = arithmetic(BACKENDS["jax"], "float32")
    return with_seen(own, "float32", {name: f.jax.jit(to) for name, to in seen.items()})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_jax_differentiates_is_within_the_bound(operation: str) -> None:
    f, (x, t) = OfJax(), numbers(operation)
    with np.errstate(all="ignore"):
        found = dual_of(operation, x, t, jax_arithmetic())
    program = OPERATIONS[operation][1]
    jvp = f.jax.jit(lambda x, t: f.jax.jvp(lambda *x: program(f, *x), x, t))
    value, tangent = jvp(tuple(x), tuple(t))
    for computed, bounded in ((value, found.primal), (tangent, found.tangent)):
        error = np.abs(np.asarray(computed, np.float64) - bounded.value)
        assert (error <= bounded.error).all()
        assert (bounded.error <= 1e-5 * (np.abs(bounded.value) + 10)).all()


def test_at_a_tie_any_of_the_equal_ones_may_move() -> None:
    """JAX takes the mean of them, others the first."""
    x, t = np.array([2.0, 2.0, 1.0, 2.0]), np.array([3.0, -1.0, 100.0, 1.0])
    dual = Dual.moving(x, t, numpy_arithmetic("float32"))
    largest, pairs = dual.max(0).tangent, dual.maximum(dual.map(np.flip)).tangent
    for chosen in (3.0, -1.0, 1.0, 1.0 + 2.0**-24):
        assert abs(chosen - largest.value) <= largest.error
    assert abs(100 - largest.value) > largest.error
    assert abs(1.0 - pairs.value[0]) <= pairs.error[0]
    assert abs(2.0 - pairs.value[0]) <= pairs.error[0]
    assert pairs.value[2] == -1.0
    assert pairs.error[2] == 0


def test_where_the_slope_is_infinite_or_jumps_the_bound_says_so() -> None:
    own = numpy_arithmetic("float32")
    x = Dual.moving(np.array([0.0, 1e-9, 1.0]), np.ones(3), own)
    x = x.exactly(x.value, np.array([0.0, 1e-8, 1e-8]))
    with np.errstate(all="ignore"):
        root = x.sqrt(nonnegative=True)
        assert np.isfinite(root.error).all()
        assert np.isinf(root.tangent.error[1])
        assert np.isfinite(root.tangent.error[2])
    assert x.abs().tangent.error.tolist() == [0, 2, 0]
    assert x.abs().tangent.value.tolist() == [0, 1, 1]
    assert x.sign().tangent.error.tolist() == [0, 0, 0]
