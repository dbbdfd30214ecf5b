"""The bounds themselves: rounding stays within them, and they leave no room beside it."""

import math
import platform
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.implementations.backends import (
    BACKENDS,
    NUMPY,
    Backend,
)
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.devices import factor_u, flushes
from gradparity.parity_tests.measuring.dtypes import RECORDS, record
from gradparity.parity_tests.suite.support import skip_unless_built_in
from gradparity.reference.networks import parameters
from gradparity.reference.rounding import (
    LAMBDA,
    Arithmetic,
    Bounded,
    bounds,
    gamma,
    probable_gamma,
)

FLOAT32 = Arithmetic.of("float32")
EXP = (("exp", 5.0), ("exp near overflow", 5.0))


@pytest.mark.parametrize("n", [0, 1, 2, 10, 1000])
def test_gamma_contains_n_roundings(n: int) -> None:
    """All up and all down, which is the worst that they can do."""
    u = 2.0**-11
    up, down = math.fsum([(1 + u) ** n, -1]), 1 - (1 - u) ** n
    assert max(up, down) <= gamma(n, u) or n == 0
    assert gamma(n, u) <= 1.02 * n * u / (1 - n * u)
    assert gamma(0, u) == probable_gamma(0, u) == 0


def test_gamma_of_too_many_roundings_is_infinite() -> None:
    assert gamma(2**11, 2.0**-11) == math.inf


def test_probable_gamma_is_sharper_for_long_sums_only() -> None:
    u = 2.0**-24
    assert probable_gamma(784, u) < gamma(784, u) / 3
    assert FLOAT32.likely.growth(4) == FLOAT32.growth(4)
    assert FLOAT32.likely.growth(784) == probable_gamma(784, u)


def test_probable_gamma_holds_about_as_often_as_is_said() -> None:
    """With lambda = 1 it may fail for 2 exp(-1/2) > 1, so never; with 2, for 27 %."""
    rng = np.random.default_rng(0)
    u, n = 2.0**-11, 400
    roundings = rng.uniform(-u, u, (2000, n))
    grown = np.abs(np.expm1(np.log1p(roundings).sum(axis=1)))
    failed = np.mean(grown > probable_gamma(n, u, lambda_=2.0))
    assert failed <= 2 * np.exp(-2)
    assert not (grown > probable_gamma(n, u, LAMBDA)).any()


def test_arithmetic_of_a_dtype(dtype: str) -> None:
    kept, flushed = (Arithmetic.of(dtype, flushes=f) for f in (False, True))
    info: Any = np.finfo(dtype)
    assert kept.u == flushed.u == float(np.spacing(info.dtype.type(1))) / 2
    assert 0 < kept.underflow <= float(info.smallest_subnormal)
    assert kept.flushed == 0
    assert flushed.underflow == flushed.flushed == float(info.smallest_normal)


def contained(computed: Any, bounded: Bounded) -> bool:
    error = np.abs(np.asarray(computed, np.longdouble) - bounded.value)
    return bool((error <= bounded.error).all())


def test_bounds_contain_the_error_of_any_order_of_summation() -> None:
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(1, 500)), rng.normal(size=(500, 1))
    inputs = {"x": x.astype(np.float32), "W": W.astype(np.float32)}
    inputs["b"] = np.zeros(1, np.float32)
    allowed = bounds("Affine", inputs, np.ones((1, 1)), FLOAT32)["out"].error[0, 0]
    terms = inputs["x"][0] * inputs["W"][:, 0]
    truth = (inputs["x"].astype(np.float64) @ inputs["W"].astype(np.float64))[0, 0]
    errors = []
    for order in (np.argsort(terms), np.argsort(-np.abs(terms)), np.arange(500)):
        total = np.float32(0)
        for term in terms[order]:
            total += term
        errors.append(abs(total - truth))
    assert max(errors) <= allowed < 1e3 * max(errors)


def test_bounded_arithmetic_contains_what_is_computed() -> None:
    """Random expressions, in float32, against the same in float64."""
    rng = np.random.default_rng(0)
    own = arithmetic(NUMPY, "float32")
    for _ in range(200):
        a, b, c = rng.normal(size=(3, 50)).astype(np.float32)
        A, B, C = (Bounded.exact(v, own) for v in (a, b, c))
        for computed, bounded in (
            (a * b + c, A * B + C),
            ((a + b) * (b - c), (A + B) * (B - C)),
            (np.exp(a) * b, A.exp() * B),
            (np.log(1 + np.exp(a)), (Bounded.exact(1.0, own) + A.exp()).log()),
            (np.tanh(a * b), (A * B).tanh()),
            (1 / (2 + a * a), (Bounded.exact(2.0, own) + A * A).reciprocal()),
            ((a * b).sum(), (A * B).sum()),
        ):
            assert contained(computed, bounded)


def test_what_underflows_is_within_the_bound_and_nothing_larger() -> None:
    x = np.float32(2.0**-100) * np.arange(1, 50, dtype=np.float32)
    with np.errstate(under="ignore"):
        product = x * x
    exact = Bounded.exact(x, FLOAT32)
    assert contained(product, exact * exact)
    assert not contained(product + np.float32(2.0**-148), exact * exact)


def test_numbers_flushed_to_zero_are_within_the_bound_of_who_flushes() -> None:
    small = np.float32(1e-40)
    kept, flushed = (
        Bounded.exact(small, Arithmetic.of("float32", flushes=flushes))
        for flushes in (False, True)
    )
    big = np.float32(1e10)
    assert contained(np.float32(0), flushed * flushed.constant(big))
    assert not contained(np.float32(0), kept * kept.constant(big))


def test_who_computes_on_with_what_may_overflow_gets_no_bound() -> None:
    x = Bounded.exact(np.array([3e38, 1.0]), FLOAT32)
    doubled = x + x
    assert np.isfinite(doubled.error).all()
    assert list(np.isinf((doubled * x).error)) == [True, False]
    assert np.isinf(x.matmul(x.constant(np.array([1e10, 1.0]))).error)


def test_a_switch_within_its_error_of_zero_may_be_open_or_closed() -> None:
    x = Bounded(np.array([1e-9, -1e-9, 1.0, -1.0]), np.full(4, 1e-8), FLOAT32)
    passed = x.gate(x.constant(np.full(4, 5.0)))
    np.testing.assert_array_equal(passed.value, [5, 0, 5, 0])
    np.testing.assert_array_equal(passed.error, [5, 5, 0, 0])
    np.testing.assert_array_equal(x.relu().error, [1e-8, 1e-8, 1e-8, 0])


def narrowed(x: np.ndarray, bits: int) -> np.ndarray:
    """float32 rounded to so many bits of mantissa, the leading one counted."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits).astype("f4")


@pytest.mark.parametrize(("name", "bits"), [("tf32", 11), ("bfloat16", 8)])
def test_reduced_precision_products_are_judged_by_their_own_unit(
    name: str, bits: int
) -> None:
    rng = np.random.default_rng(0)
    x, W = (rng.normal(size=shape).astype("f4") for shape in ((20, 300), (300, 30)))
    product = narrowed(x, bits) @ narrowed(W, bits)
    assert contained(product, product_bound(x, W, 2.0**-bits))
    assert not contained(product, product_bound(x, W, 0.0))
    assert not contained(product, product_bound(x, W, 2.0 ** -(bits + 6)))


def test_bfloat16_products_of_jax_are_within_their_bound() -> None:
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    x, W = (rng.normal(size=shape).astype("f4") for shape in ((20, 300), (300, 30)))
    product = jax.numpy.dot(
        *(jax.numpy.asarray(v).astype("bfloat16") for v in (x, W)),
        preferred_element_type="float32",
    )
    assert contained(product, product_bound(x, W, 2.0**-8))
    assert not contained(product, product_bound(x, W, 2.0**-14))


TORCH = BACKENDS["torch"]


def product_bound(x: np.ndarray, W: np.ndarray, factor_u: float) -> Bounded:
    own = Arithmetic.of("float32", factor_u=factor_u)
    return Bounded.exact(x, own).matmul(Bounded.exact(W, own))


def test_a_lower_precision_that_torch_was_asked_for_is_taken_into_account() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_float32_matmul_precision()
    assert factor_u(TORCH) == 0.0
    try:
        torch.set_float32_matmul_precision("high")
        assert factor_u(TORCH) == 2**-10
        torch.set_float32_matmul_precision("medium")
        assert arithmetic(TORCH, "float32").factor_u == 2**-8
        assert arithmetic(TORCH, "float64").factor_u == 0.0
        assert arithmetic(NUMPY, "float32").factor_u == 0.0
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86's FTZ")
def test_who_flushes_tiny_numbers_to_zero(implementation: Implementation) -> None:
    skip_unless_built_in(implementation)
    tiny = np.full((100, 10), 2.0**-127, np.float32)
    results = implementation.run_layer("Relu", {"x": tiny}, np.ones_like(tiny))
    flushed = flushes(implementation.backend)
    assert flushed == (implementation.backend.framework == "jax")
    np.testing.assert_array_equal(results["out"], 0 if flushed else tiny)


@pytest.mark.parametrize("flushes", [False, True])
def test_the_exponential_of_0_is_1_without_rounding(flushes: bool) -> None:
    """Of an x - x, too, which is 0 whatever is flushed; of what may be off, it is not."""
    own = Arithmetic.of("float32", flushes=flushes, elementary=EXP)
    x = Bounded.exact([0.5, 1.0], own)
    e = (x - x.constant([0.5, 0.5])).exp()
    assert e.error[0] <= own.underflow
    assert e.error[1] > 5 * own.u
    off = x.exactly(np.zeros(2), np.full(2, own.u)).exp()
    assert (off.error > 5 * own.u).all()


def test_of_an_unknown_dtype_or_device_nothing_is_made_up() -> None:
    with pytest.raises(ValueError, match="nothing is known of the dtype float16"):
        arithmetic(NUMPY, np.float16)
    with pytest.raises(ValueError, match="nothing is known of torch on cuda"):
        arithmetic(Backend("torch", device="cuda"), "float32")


def test_a_dtype_has_a_record_wherever_it_is_named() -> None:
    trained = {each.name for each, known in RECORDS.items() if known.agreement}
    assert trained == {*DTYPES} == {*parameters.DTYPES}
    for name in DTYPES:
        assert record(name).u == Arithmetic.of(name).u
