"""What is composed of operations, in NumPy, PyTorch and JAX compiled by XLA: GELU in three
forms, a layer normalization in two, a step of Adam. Each is written down once, for all of
them and for the truth, and once for `Bounded`.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.suite.reference.test_functions import wider, with_seen
from gradparity.reference.rounding import Arithmetic, Bounded, elementary
from gradparity.reference.rounding.bounded import erf, erfc

Array = Any


class InNumpy:
    """NumPy under the names that the programs below use; in a wider dtype, the truth."""

    name = "reference"
    tanh, sqrt = np.tanh, np.sqrt

    def erf(self, x: Array) -> Array:
        return erf(x).astype(x.dtype)

    def erfc(self, x: Array) -> Array:
        return erfc(x).astype(x.dtype)

    def rsqrt(self, x: Array) -> Array:
        return 1 / np.sqrt(x)

    def mean(self, x: Array) -> Array:
        return x.mean(axis=-1, keepdims=True)

    def run(
        self, program: Callable[..., Array], arrays: list[np.ndarray]
    ) -> np.ndarray:
        return program(self, *arrays)


class Truth(InNumpy):
    def erf(self, x: Array) -> Array:
        return elementary.erf(x)

    def erfc(self, x: Array) -> Array:
        return elementary.erfc(x)


class InTorch(InNumpy):
    name = "torch"

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")
        for function in ("tanh", "sqrt", "erf", "erfc", "rsqrt"):
            setattr(self, function, getattr(self.torch, function))

    def mean(self, x: Array) -> Array:
        return x.mean(dim=-1, keepdim=True)

    def run(
        self, program: Callable[..., Array], arrays: list[np.ndarray]
    ) -> np.ndarray:
        return program(self, *map(self.torch.from_numpy, arrays)).numpy()


class InJax(InNumpy):
    name = "jax"

    def __init__(self) -> None:
        self.jax = pytest.importorskip("jax")
        self.tanh, self.sqrt = self.jax.numpy.tanh, self.jax.numpy.sqrt
        for function in ("erf", "erfc", "rsqrt"):
            setattr(self, function, getattr(self.jax.lax, function))

    def run(
        self, program: Callable[..., Array], arrays: list[np.ndarray]
    ) -> np.ndarray:
        wide = (
            self.jax.enable_x64(True)
            if arrays[0].dtype == np.float64
            else nullcontext()
        )
        with wide:
            return np.asarray(self.compiled(program, arrays[0].dtype.name)(*arrays))

    @cache  # noqa: B019  (there is one of these)
    def compiled(
        self, program: Callable[..., Array], dtype: str
    ) -> Callable[..., Array]:
        return self.jax.jit(lambda *arrays: program(self, *arrays))


FRAMEWORKS = {"numpy": InNumpy, "torch": InTorch, "jax": InJax}


@cache
def loaded(name: str) -> InNumpy:
    return FRAMEWORKS[name]()


# --- The programs ---------------------------------------------------------------------

ROOT, CUBIC, TWO_OVER_PI = math.sqrt(0.5), 0.044715, math.sqrt(2 / math.pi)
EPSILON, FIRST, SECOND, RATE = 1e-5, 0.9, 0.999, 1e-3
STEP = 3


def gelu_erf(f: Any, x: Array) -> Array:
    return 0.5 * x * (1 + f.erf(x * ROOT))


def gelu_erfc(f: Any, x: Array) -> Array:
    return 0.5 * x * f.erfc(-x * ROOT)


def gelu_tanh(f: Any, x: Array) -> Array:
    return 0.5 * x * (1 + f.tanh(TWO_OVER_PI * (x + CUBIC * x**3)))


def layer_norm(f: Any, x: Array) -> Array:
    d = x - f.mean(x)
    return d / f.sqrt(f.mean(d * d) + EPSILON)


def layer_norm_rsqrt(f: Any, x: Array) -> Array:
    d = x - f.mean(x)
    return d * f.rsqrt(f.mean(d * d) + EPSILON)


def adam(f: Any, p: Array, g: Array, m: Array, v: Array) -> Array:
    m = FIRST * m + (1 - FIRST) * g
    v = SECOND * v + (1 - SECOND) * (g * g)
    m, v = m / (1 - FIRST**STEP), v / (1 - SECOND**STEP)
    return p - RATE * m / (f.sqrt(v) + 1e-8)


# --- And their bounds -----------------------------------------------------------------


def rounded(x: Bounded, value: float) -> Bounded:
    """A constant, as the dtype has it."""
    return x.constant(value).rounded()


def bound_of_gelu_erf(x: Bounded) -> Bounded:
    return x.constant(0.5) * x * (x.constant(1.0) + (x * rounded(x, ROOT)).erf())


def bound_of_gelu_erfc(x: Bounded) -> Bounded:
    return x.constant(0.5) * x * (-x * rounded(x, ROOT)).erfc()


def bound_of_gelu_tanh(x: Bounded) -> Bounded:
    inner = rounded(x, TWO_OVER_PI) * (x + rounded(x, CUBIC) * x.pow(3))
    return x.constant(0.5) * x * (x.constant(1.0) + inner.tanh())


def bound_of_layer_norm(x: Bounded) -> Bounded:
    n = x.value.shape[-1]
    d = x - x.sum(axis=-1, keepdims=True).over(n)
    variance = (d * d).sum(axis=-1, keepdims=True).over(n)
    return d.over_sqrt(variance + rounded(x, EPSILON))


def bound_of_adam(p: Bounded, g: Bounded, m: Bounded, v: Bounded) -> Bounded:
    """A division by a constant may be a product with its reciprocal."""
    m = rounded(g, FIRST) * m + rounded(g, 1 - FIRST) * g
    v = rounded(g, SECOND) * v + rounded(g, 1 - SECOND) * (g * g)
    m, v = (
        state / rounded(g, by)
        for state, by in ((m, 1 - FIRST**STEP), (v, 1 - SECOND**STEP))
    )
    m, v = m.rounded(), v.rounded()
    below = v.sqrt(nonnegative=True) + rounded(g, 1e-8)
    return p - rounded(g, RATE) * m / below


BOUNDS: dict[Callable[..., Array], Callable[..., Bounded]] = {
    gelu_erf: bound_of_gelu_erf,
    gelu_erfc: bound_of_gelu_erfc,
    gelu_tanh: bound_of_gelu_tanh,
    layer_norm: bound_of_layer_norm,
    layer_norm_rsqrt: bound_of_layer_norm,
    adam: bound_of_adam,
}


# --- What is compared -----------------------------------------------------------------


@cache
def arithmetic_of(name: str, dtype: str) -> Arithmetic:
    """Of a framework, with what is seen here of the functions that were not measured."""
    f = loaded(name)

    def run(function: str) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: f.run(lambda f, x: getattr(f, function)(x), [x])

    own = arithmetic(BACKENDS[f.name], dtype)
    return with_seen(own, dtype, {to: run(to) for to in ("erf", "erfc", "rsqrt")})


def inputs(program: Callable[..., Array], dtype: str, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if program is adam:
        p, g, m, v = rng.normal(size=(4, 16, 32))
        sizes = 10.0 ** rng.uniform(-6, 0, g.shape)
        given = [p, g * sizes, m * sizes, v**2 * sizes**2]
    else:
        given = [rng.normal(size=(16, 32)) * 10.0 ** rng.uniform(-2, 0.7, (16, 1))]
    return [v.astype(dtype) for v in given]


def worst(program: Callable[..., Array], name: str, dtype: str, seeds: range) -> float:
    """The largest error of a program as a multiple of its bound."""
    wide, own, found = wider(dtype), arithmetic_of(name, dtype), 0.0
    for seed in seeds:
        arrays = inputs(program, dtype, seed)
        value = loaded(name).run(program, arrays)
        assert value.dtype == dtype
        truth = program(Truth(), *(v.astype(wide) for v in arrays))
        with np.errstate(all="ignore"):
            bounded = BOUNDS[program](*(Bounded.exact(v, own) for v in arrays))
        found = max(found, float(np.max(np.abs(value - truth) / bounded.error)))
    return found


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("program", BOUNDS, ids=lambda p: p.__name__)
def test_there_is_no_false_alarm(
    program: Callable[..., Array], name: str, dtype: str
) -> None:
    found = worst(program, name, dtype, range(5))
    print(f"{program.__name__} {name} {dtype} {found:.3f}")
    assert 0.02 <= found <= 1


@pytest.mark.deep
@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("program", BOUNDS, ids=lambda p: p.__name__)
def test_there_is_none_over_many_seeds(
    program: Callable[..., Array], name: str, dtype: str
) -> None:
    assert worst(program, name, dtype, range(1000)) <= 1


@pytest.mark.parametrize(
    ("program", "name", "value"),
    [
        (gelu_erf, "ROOT", 0.7071),
        (gelu_tanh, "CUBIC", 0.0447),
        (layer_norm, "EPSILON", 1e-6),
        (adam, "SECOND", 0.99),
        (adam, "STEP", 4),
    ],
)
def test_what_is_wrong_is_no_rounding(
    program: Callable[..., Array],
    name: str,
    value: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A constant that is another one in what is computed only."""
    arrays = inputs(program, "float32", 0)
    with monkeypatch.context() as patch:
        patch.setitem(program.__globals__, name, value)
        computed = program(loaded("numpy"), *arrays)
    own = arithmetic_of("numpy", "float32")
    with np.errstate(all="ignore"):
        bounded = BOUNDS[program](*(Bounded.exact(v, own) for v in arrays))
    assert (np.abs(computed - bounded.value) > bounded.error).any()
