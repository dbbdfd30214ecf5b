"""No operator of any framework is further off than its rule allows: on numbers of all
sizes, each is judged by itself against the exact result of what it got.
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions.operators import Operators, judge_operators
from gradparity.parity_tests.functions.programs import Recording
from gradparity.parity_tests.functions.rooms import BACKENDS, record
from gradparity.parity_tests.measuring.arithmetic import with_others
from gradparity.reference import functions as lecture

Arrays = list[np.ndarray]
SMALL, LARGE = 300, 25_000  # rows of four
ROWS = pytest.mark.parametrize(
    "rows", [SMALL, pytest.param(LARGE, marks=pytest.mark.deep)]
)


def drawn(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Numbers of both signs, from a thousandth to a thousand."""
    rng = np.random.default_rng(seed)
    size = 10 ** rng.uniform(-3, 3, shape)
    return np.asarray(rng.standard_normal(shape) * size).astype(dtype)


def judged(framework: str, function: Any, leaves: Arrays, **more: Any) -> Operators:
    dtype = leaves[0].dtype.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recording = record(framework, function, leaves, dtype, **more)
    return judge_operators(recording, with_others(BACKENDS[framework], dtype))


def within(found: Operators) -> None:
    """Every operator is within its bound, and none is without one."""
    told = [
        (each.step.code, each.ratio, each.value, each.truth) for each in found.failed
    ]
    assert told == []
    assert found.unjudged == {}
    assert found.judged == found.steps


# --- PyTorch ----------------------------------------------------------------------------

torch = pytest.importorskip("torch")
F = torch.nn.functional
in_torch = import_module("gradparity.parity_tests.suite.torch_impl.test_program")
# Functions of three rows, and of so many that their square is few.
OF_THREE = {
    "views",
    "scatter add",
    "linear",
    "max",
    "cell",
    "cross entropy",
    "smoothed",
}
OF_THREE |= {"images", "images with channels last", "batch norm of data"}
OF_SQUARES = {"matmul", "slices", "einsum", "product"}
WIDE: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda x: F.softmax(x, -1) * x,
    "log softmax": lambda x: F.log_softmax(x, 0),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "layer norm": lambda x: F.layer_norm(x, x.shape[1:], x[0], x[1]),
    "layer norm, alone": lambda x: F.layer_norm(x + 1000, x.shape[1:]),
    "group norm": lambda x: F.group_norm(x.reshape(-1, 10, 5), 2, x[0, :10], x[1, :10]),
    "batch norm": lambda x: F.batch_norm(x, None, None, x[0], x[1], training=True),
    "rms norm": lambda x: F.rms_norm(x, x.shape[1:], x[0]),
    "sums": lambda x: x.sum() + x.sum(0) + x.mean(-1, keepdim=True),
    "variances": lambda x: x.var(0) + x.std(-1, keepdim=True) + x.var(),
    "norm": lambda x: x / x.norm(dim=0) + x.norm(p=1),
    "matmul": lambda x: x.T @ x,
    "attention": lambda x: F.scaled_dot_product_attention(
        *(each.reshape(1, 2, -1, 5) / 100 for each in (x[:40], x[20:60], x[:40]))
    ),
    "cross entropy": lambda x: F.cross_entropy(x, torch.arange(len(x)) % x.shape[1]),
    "cumulative": lambda x: x[:50].cumsum(0) + x[:1].cumsum(-1),
}


@ROWS
@pytest.mark.parametrize("name", in_torch.FUNCTIONS)
def test_of_aten(name: str, dtype: str, rows: int) -> None:
    function = in_torch.FUNCTIONS[name]
    rows = 3 if name in OF_THREE else min(rows, 300) if name in OF_SQUARES else rows
    leaves = [drawn((rows, 4), dtype), drawn((4,), dtype, 1)]
    within(judged("torch", lambda *given: (function(*given),), leaves))


@ROWS
@pytest.mark.parametrize("name", WIDE)
def test_of_aten_in_long_rows(name: str, dtype: str, rows: int) -> None:
    x = drawn((max(rows * 4 // 50, 60), 50), dtype)
    within(judged("torch", lambda x: (WIDE[name](x),), [x]))


# --- JAX --------------------------------------------------------------------------------

jax = pytest.importorskip("jax")
nn = jax.nn
in_jax = import_module("gradparity.parity_tests.suite.jax_impl.test_program")


@ROWS
@pytest.mark.parametrize("name", in_jax.ACTIVATIONS)
def test_of_xla(name: str, dtype: str, rows: int) -> None:
    function, settings = getattr(nn, name), {"axis": -1} if name == "glu" else {}
    x = drawn((rows, 4), dtype)
    x = np.abs(x) if name == "log1mexp" else x
    within(judged("jax", lambda x: (function(x, **settings),), [x]))


# --- NumPy ------------------------------------------------------------------------------


def layer_norm(x: Any, dout: Any) -> Any:
    off = x - x.mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt(np.mean(off * off, axis=-1, keepdims=True) + 1e-5)
    y = off * rstd
    along = dout.mean(axis=-1, keepdims=True)
    return y, rstd * (dout - along - y * np.mean(dout * y, axis=-1, keepdims=True))


def gelu(x: Any, dout: Any) -> Any:
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    t = np.tanh(inner)
    slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
    return 0.5 * x * (1 + t), dout * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * slope)


def softplus(x: Any, dout: Any) -> Any:
    y = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y, dout / (1 + np.exp(-np.clip(x, -80, 80)))


def softmax(x: Any, dout: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, y * (dout - np.sum(dout * y, axis=-1, keepdims=True))


def elementary(x: Any, dout: Any) -> Any:
    size = np.abs(x) + 1e-3
    y = np.sin(x) + np.cos(x) + np.log(size) + np.expm1(-size) + np.sqrt(size)
    slope = np.cos(x) - np.sin(x)
    of_size = 1 / size - np.exp(-size) + 0.5 / np.sqrt(size)
    return y, dout * (slope + np.where(x < 0, -of_size, of_size))


def products(x: Any, dout: Any) -> Any:
    square = x.T @ x
    return x @ square, dout @ square.T + x @ (x.T @ dout) + x @ (dout.T @ x)


def rows_shifted(x: Any, dout: Any) -> Any:
    y = np.concatenate([x[1:], x[:1]]).transpose()[::-1]
    back = dout[::-1].transpose()
    return y, np.concatenate([back[-1:], back[:-1]])


BY_HAND = {
    each.__name__: each
    for each in (
        *(layer_norm, gelu, softplus, softmax, elementary, products, rows_shifted),
    )
} | {"sigmoid": lambda x, dout: (lecture.sigmoid(x), dout)}


@ROWS
@pytest.mark.parametrize("name", BY_HAND)
def test_of_numpy(name: str, dtype: str, rows: int) -> None:
    x = drawn((rows, 4), dtype)
    y = BY_HAND[name](x, x if name != "rows_shifted" else x.T)[0]

    def function(leaves: Any, seeds: Any) -> Any:
        out, dx = BY_HAND[name](*leaves, *seeds)
        return [out], [dx]

    within(judged("numpy", function, [x], seeds=[drawn(y.shape, dtype, 2)]))


# --- In other dtypes than the program's ---------------------------------------------------


def in_tensors(dtype: str) -> Callable[..., Any]:
    def function(x: Any) -> Any:
        y = x.to(getattr(torch, dtype))
        z = torch.exp(-y.abs()) @ F.softmax(y.T, -1) + y.sum(-1, keepdim=True) / 3
        return (F.layer_norm(z, z.shape[1:]) * torch.tanh(0.3 * z)).to(x.dtype)

    return lambda x: (function(x),)


def in_equations(dtype: str) -> Callable[..., Any]:
    def function(x: Any) -> Any:
        y = x.astype(dtype)
        z = (
            jax.numpy.exp(-abs(y)) @ jax.nn.softmax(y.T, -1)
            + y.sum(-1, keepdims=True) / 3
        )
        return ((z - z.mean(-1, keepdims=True)) * jax.numpy.tanh(0.3 * z)).astype(
            x.dtype
        )

    return lambda x: (function(x),)


def in_calls(dtype: str) -> Callable[..., Any]:
    def function(x: Any) -> Any:
        y = x.astype(dtype)
        z = np.exp(-abs(y)) @ np.tanh(y.T) + y.sum(-1, keepdims=True) / 3
        return ((z - z.sum(-1, keepdims=True) / 7) * np.sqrt(abs(z))).astype(x.dtype)

    return lambda leaves, seeds: ([function(leaves[0])], None)


@pytest.mark.parametrize("inside", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("framework", ["torch", "jax", "numpy"])
def test_of_what_is_computed_in_another_dtype(
    framework: str, dtype: str, inside: str
) -> None:
    if inside == dtype or (framework, inside) == ("numpy", "bfloat16"):
        return  # which NumPy has not
    made = {"torch": in_tensors, "jax": in_equations, "numpy": in_calls}[framework]
    x = np.random.default_rng(0).standard_normal((6, 100)).astype(dtype)
    within(judged(framework, made(inside), [x]))


@pytest.mark.parametrize("inside", ["bfloat16", "float16"])
def test_a_fault_in_another_dtype_is_seen(dtype: str, inside: str) -> None:
    """Of four roundings in that dtype."""
    room = import_module("gradparity.torch_impl.program")
    off = 1 + 4 * float(torch.finfo(getattr(torch, inside)).eps)
    x, unit = drawn((3, 4), dtype), with_others(BACKENDS["torch"], dtype)
    found = room.record(
        lambda x: (torch.tanh(x.to(getattr(torch, inside))).to(x.dtype),),
        *([x], None),
        replace={1: lambda results: [np.asarray(results[0] * off)]},
    )
    (failed,) = judge_operators(Recording.of(found, dtype), unit).failed
    assert failed.step.operator == "aten::tanh"
