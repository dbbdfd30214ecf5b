"""Sums that are made in other numbers than they are stored in: half precision added up in
float32, and tensor cores, which cut off what they add.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradparity.reference.rounding import TENSOR_CORE, Arithmetic, Bounded

FLOAT32 = Arithmetic.of("float32")
FLOAT16 = Arithmetic.of("float16", accumulator=FLOAT32)
TF32 = Arithmetic.of("float32", factor_u=2.0**-10, accumulator=TENSOR_CORE)


def ratio(computed: Any, truth: Any, bounded: Bounded) -> float:
    error = np.abs(np.asarray(computed, np.float64) - truth)
    return float(np.max(error / bounded.error))


def factors(seed: int, n: int, dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = ((20, n), (n, 30), (30,))
    x, W, b = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    return x, W, b


def exact(*arrays: np.ndarray, arithmetic: Arithmetic) -> list[Bounded]:
    return [Bounded.exact(v.astype(np.float64), arithmetic) for v in arrays]


def bfloat16() -> Any:
    return pytest.importorskip("ml_dtypes").bfloat16


def arithmetic_of(dtype: Any, **more: Any) -> Arithmetic:
    if np.dtype(dtype) == np.float16:
        return Arithmetic.of(dtype, **more)
    return Arithmetic.of(pytest.importorskip("ml_dtypes").finfo(dtype), **more)


def test_float32_added_up_in_float32_is_what_it_was() -> None:
    x, W, b = factors(0, 50, np.float32)
    plain = exact(x, W, b, arithmetic=FLOAT32)
    spelled = exact(x, W, b, arithmetic=replace(FLOAT32, accumulator=FLOAT32))
    for one, other in (
        (
            plain[0].matmul(plain[1], plain[2]),
            spelled[0].matmul(spelled[1], spelled[2]),
        ),
        (plain[0].sum(axis=1), spelled[0].sum(axis=1)),
    ):
        np.testing.assert_array_equal(one.error, other.error)


@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_that_is_added_up_in_float32(kind: str, n: int) -> None:
    """As it is spelled: products, sums in two orders, a term that is added before or after
    what is stored.
    """
    dtype: Any = np.float16 if kind == "float16" else bfloat16()
    own = arithmetic_of(dtype, accumulator=FLOAT32)
    x, W, b = factors(n, n, dtype)
    X, V, B = exact(x, W, b, arithmetic=own)
    wide = x.astype(np.float32), W.astype(np.float32), b.astype(np.float32)
    product = wide[0] @ wide[1]
    truth = X.value @ V.value
    for computed, true, bounded in (
        (product.astype(dtype), truth, X.matmul(V)),
        ((product + wide[2]).astype(dtype), truth + B.value, X.matmul(V, B)),
        (product.astype(dtype) + b, truth + B.value, X.matmul(V, B)),
        (np.flip(wide[0], 1).sum(1).astype(dtype), X.value.sum(1), X.sum(1)),
    ):
        assert computed.dtype == dtype
        assert ratio(computed, true, bounded) <= 1
    assert ratio(product.astype(dtype), truth, X.matmul(V)) >= 0.5
    if n == 300:  # added up in half precision, it may be off by far more
        alone = exact(x, W, arithmetic=replace(own, accumulator=None))
        wider = alone[0].matmul(alone[1]).error / X.matmul(V).error
        assert wider.min() > 20


def test_numpy_adds_float16_up_in_float32() -> None:
    """A hundred in a row: NumPy's own sum."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 100)).astype(np.float16)
    (X,) = exact(x, arithmetic=FLOAT16)
    came = ratio(np.array([row.sum() for row in x]), X.value.sum(1), X.sum(1))
    assert 0.5 <= came <= 1


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_the_frameworks_add_half_precision_up_in_float32(kind: str) -> None:
    torch, jax = map(pytest.importorskip, ("torch", "jax"))
    dtype: Any = np.float16 if kind == "float16" else bfloat16()
    x, W, b = factors(3, 256, dtype)
    own = arithmetic_of(dtype, accumulator=FLOAT32)
    X, V, B = exact(x, W, b, arithmetic=own)
    narrow = getattr(torch, kind)
    on_torch = [torch.from_numpy(v.astype("f4")).to(narrow) for v in (x, W, b)]
    on_jax = [jax.numpy.asarray(v) for v in (x, W, b)]
    fused = torch.addmm(on_torch[2], *on_torch[:2])
    bounded, truth = X.matmul(V, B), X.value @ V.value + B.value
    for computed in (
        (on_torch[0] @ on_torch[1] + on_torch[2]).float(),
        fused.float(),
        on_jax[0] @ on_jax[1] + on_jax[2],
    ):
        assert ratio(computed, truth, bounded) <= 1
    for summed in (on_torch[0].sum(1).float(), on_jax[0].sum(axis=1)):
        assert ratio(summed, X.value.sum(1), X.sum(axis=1)) <= 1


# --- Tensor cores ---------------------------------------------------------------------


def cut_off(x: np.ndarray, bits: int) -> np.ndarray:
    """Numbers with so many bits of their mantissa, and no rounding."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.trunc(np.ldexp(mantissa, bits)), exponent - bits)


def in_blocks(products: np.ndarray) -> np.ndarray:
    """A sum along the last axis: four at a time and what there is so far are aligned to
    the largest, cut off after 24 bits, and added; and the sum is cut off again.
    """
    total = np.zeros(products.shape[:-1])
    for start in range(0, products.shape[-1], 4):
        block = products[..., start : start + 4]
        terms = np.concatenate([block, total[..., None]], axis=-1)
        _, exponent = np.frexp(np.abs(terms).max(axis=-1, keepdims=True))
        aligned = np.ldexp(np.trunc(np.ldexp(terms, 24 - exponent)), exponent - 24)
        total = cut_off(aligned.sum(axis=-1), 24)
    return total


def bad(rng: np.random.Generator, n: int) -> np.ndarray:
    """Terms that are cut off whole, all but the first."""
    terms = np.full((1, n), 2.0**-23 * (1 - 2.0**-20))
    terms[:, 0] = 1
    return terms


@pytest.mark.parametrize("n", [1, 3, 4, 5, 9, 64, 501])
def test_what_tensor_cores_add_up_is_within_their_bound(n: int) -> None:
    own = replace(FLOAT32, accumulator=TENSOR_CORE)
    rng = np.random.default_rng(n)
    worst = 0.0
    for terms in (
        rng.normal(size=(50, n)),
        np.abs(rng.normal(size=(50, n))),
        bad(rng, n),
    ):
        terms = terms.astype(np.float32).astype(np.float64)
        (bounded,) = exact(terms, arithmetic=own)
        summed = bounded.sum(axis=1)
        error = np.abs(in_blocks(terms) - terms.sum(axis=1))
        worst = max(worst, float(np.max(error / summed.error)))
    assert worst <= 1
    assert worst >= 0.5 or n < 9
    if n == 501:  # more than rounding explains
        assert (error > exact(terms, arithmetic=FLOAT32)[0].sum(axis=1).error).all()


def test_factors_of_tf32_may_be_cut_off() -> None:
    rng = np.random.default_rng(0)
    x, W = (np.abs(rng.normal(size=shape)) for shape in ((20, 300), (300, 30)))
    x, W = (v.astype(np.float32).astype(np.float64) for v in (x, W))
    truth, short = x @ W, [cut_off(v, 11) for v in (x, W)]
    products = short[0][:, None, :] * short[1].T[None]
    computed = in_blocks(products)
    X, V = exact(x, W, arithmetic=TF32)
    assert ratio(computed, truth, X.matmul(V)) <= 1
    # A number whose last digits are cut off loses twice what it may if it is rounded.
    number = np.full((1, 1), 1 + 2.0**-10 - 2.0**-20)
    for factor_u, within in ((2.0**-10, True), (2.0**-11, False)):
        (one,) = exact(number, arithmetic=replace(TF32, factor_u=factor_u))
        came = ratio(cut_off(number, 11) ** 2, number**2, one.matmul(one))
        assert (came <= 1) == within
