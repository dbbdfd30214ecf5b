"""What `jax_impl.program` records is what JAX does, and its meanings say what that is: on
functions of all kinds, they give the recorded results when NumPy replays them.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

jax = pytest.importorskip("jax")
jnp, lax, nn = jax.numpy, jax.lax, jax.nn
program = import_module("gradparity.jax_impl.program")
meanings = import_module("gradparity.jax_impl.meanings")
moves = import_module("gradparity.jax_impl.moves")
record = program.record

Function = Callable[..., Any]
RNG = np.random.default_rng(19)


def drawn(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


# The vocabulary, in NumPy.


def moved(*operands: Any, source: Any, fill: Any) -> Any:
    every = np.concatenate([np.ravel(x) for x in operands])
    chosen = every[source] if every.size else 0.0
    return np.where(source == -1, fill, chosen)


def collected(x: Any, target: Any, shape: Any) -> Any:
    result = np.zeros(int(np.prod(shape)))
    np.add.at(result, target[target != -1], x[target != -1])
    return result.reshape(shape)


VOCABULARY: dict[str, Function] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "product": np.prod,
    "raised": np.power,
    "negate": np.negative,
    "reciprocal": np.reciprocal,
    "scale": lambda x, factor: x * factor,
    "over": lambda x, n: x / n,
    "power": lambda x, exponent: x**exponent,
    "matmul": np.matmul,
    "sum": lambda x, axis, keepdims: np.sum(x, axis, keepdims=keepdims),
    "max": lambda x, axis, keepdims: np.max(x, axis, keepdims=keepdims),
    "min": lambda x, axis, keepdims: np.min(x, axis, keepdims=keepdims),
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "erf": special.erf,
    "erfc": special.erfc,
    "sin": np.sin,
    "cos": np.cos,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "abs": np.abs,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "cast": lambda x, dtype: x.astype(jnp.dtype(dtype)).astype(np.float64),
    "move": moved,
    "collect": collected,
}


def replayed(step: Any, values: Any) -> dict[int, Any]:
    """What the meaning of a step makes of the values that the step got."""
    known: dict[Any, Any] = {}

    def read(place: Any) -> Any:
        if isinstance(place, float):
            return np.float64(place)
        found = known[place] if place in known else values[place]
        return np.asarray(found, np.float64)

    for operation, operands, settings, result in step["meaning"]:
        with np.errstate(all="ignore"):
            known[result] = VOCABULARY[operation](*map(read, operands), **settings)
    return {place: value for place, value in known.items() if isinstance(place, int)}


STEPS = {"sign", "floor", "ceil", "round"}  # of floating numbers, without a derivative


def check(found: Any, tolerance: float = 1e-12) -> set[str]:
    """Every meaning gives what was recorded. Returns the operators that have none."""
    values, made, unknown = found["values"], set(found["inputs"]), set()
    made |= {i for i in found["seeds"] if i is not None}
    for step in found["steps"]:
        assert set(step["results"]).isdisjoint(made), step["code"]
        made |= set(step["results"])
        assert step["operator"] in step["code"]
        if step["meaning"] is None:
            unknown.add(step["operator"])
            continue
        again = replayed(step, values)
        given = [values[i] for i in step["operands"] if values[i].dtype.kind == "f"]
        is_step = step["operator"] in STEPS or step["settings"].get("y") == 0
        if step["meaning"] == [] and not is_step:
            assert not given or values[step["results"][0]].dtype.kind != "f"
        floats = [i for i in step["results"] if values[i].dtype.kind == "f"]
        assert set(again) == (set(floats) if step["meaning"] else set()), step["code"]
        used = {i for e in step["meaning"] for i in e[1] if isinstance(i, int)}
        assert used <= set(step["operands"]), step["code"]
        for i, value in again.items():
            assert value.shape == values[i].shape, step["code"]
            np.testing.assert_allclose(
                value, values[i], tolerance, tolerance, err_msg=step["code"]
            )
    return unknown


def agrees(function: Function, leaves: Any, tolerance: float = 1e-11) -> Any:
    """What was recorded, once its gradients are those of `jax.vjp`."""
    found = record(function, leaves)
    places = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind == "f"]
    with jax.enable_x64(any(leaf.dtype == np.float64 for leaf in leaves)):

        def both(*floats: Any) -> Any:
            every = [*leaves]
            for i, value in zip(places, floats, strict=True):
                every[i] = value
            return function(*every)

        def run(*floats: Any) -> Any:
            outs, back = jax.vjp(both, *floats)
            return outs, back(jax.tree.map(jnp.ones_like, outs))

        outs, slopes = jax.jit(run)(*(leaves[i] for i in places))
    values = found["values"]
    for out, i in zip(outs, found["outputs"], strict=True):
        assert values[i].dtype == out.dtype
        np.testing.assert_allclose(values[i], out, tolerance, tolerance)
    for slope, leaf in zip(slopes, places, strict=True):
        value = values[found["gradients"][leaf]]
        assert value.dtype == leaves[leaf].dtype
        np.testing.assert_allclose(value, slope, tolerance, tolerance)
    return found


def normalized(x: Any, w: Any, b: Any) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * w + b


def block(x: Any, wq: Any, wk: Any, wv: Any, wo: Any, w1: Any, w2: Any, g: Any) -> Any:
    """A transformer block of two heads."""
    batch, length, width = x.shape

    def heads(z: Any) -> Any:
        return z.reshape(batch, length, 2, width // 2).transpose(0, 2, 1, 3)

    h = normalized(x, g, 0.0)
    q, k, v = heads(h @ wq), heads(h @ wk), heads(h @ wv)
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(width // 2)
    scores = jnp.where(jnp.tril(jnp.ones((length, length), bool)), scores, -jnp.inf)
    mixed = (nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(x.shape)
    x = x + mixed @ wo
    return (x + nn.gelu(normalized(x, g, 0.0) @ w1) @ w2,)


def block_leaves(dtype: Any) -> list[np.ndarray]:
    shapes = [(2, 5, 8), (8, 8), (8, 8), (8, 8), (8, 8), (8, 16), (16, 8), (8,)]
    return [drawn(*shape, dtype=dtype) for shape in shapes]


def lstm(xs: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
    def step(state: Any, x: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(x @ W + h @ U + b, 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    (h, c), hs = lax.scan(step, (h, c), xs)
    return hs, c


def cross_entropy(x: Any, t: Any) -> Any:
    return (-jnp.take_along_axis(nn.log_softmax(x), t[:, None], 1).mean(),)


def one_hot_loss(x: Any, t: Any) -> Any:
    return (-(nn.one_hot(t, 4, dtype=x.dtype) * nn.log_softmax(x)).sum(),)


LABELS = np.array([0, 3, 3])
LSTM = [drawn(*s) for s in ((3, 2, 4), (2, 3), (2, 3), (4, 12), (3, 12), (12,))]
MODELS: dict[str, tuple[Function, list[np.ndarray]]] = {
    "transformer block": (block, block_leaves(np.float64)),
    "LSTM": (lstm, LSTM),
    "cross entropy": (cross_entropy, [drawn(3, 4), LABELS]),
    "one-hot": (one_hot_loss, [drawn(3, 4), LABELS]),
    "layer norm": (lambda *a: (normalized(*a),), [drawn(3, 4), drawn(4), drawn(4)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_step_of_a_model_has_a_meaning_that_gives_its_result(name: str) -> None:
    function, leaves = MODELS[name]
    assert check(agrees(function, leaves)) == set()


X = drawn(2, 3)
POSITIVE = np.abs(X) + 0.5
# Of `jax.nn`, what takes more than an array.
OTHERS = ("attention", "dot_general", "matmul", "config", "one_hot")
PUBLIC = [name for name, f in vars(nn).items() if callable(f) and name[0] != "_"]
ACTIVATIONS = [name for name in PUBLIC if not name.endswith(OTHERS)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_activations(name: str) -> None:
    function = getattr(nn, name)
    axis = {"axis": 0} if name == "glu" else {}
    x = POSITIVE if name == "log1mexp" else X
    found = agrees(lambda x: (function(x, **axis),), [x])
    assert check(found) == set()


def padded(x: Any) -> Any:
    return lax.pad(x, x.dtype.type(0.5), ((1, 2, 1), (-1, 1, 0)))


def conv(x: Any, k: Any, **settings: Any) -> Any:
    return (lax.conv_general_dilated(x, k, **settings),)


IMAGE, KERNEL = drawn(2, 4, 5, 6), drawn(6, 2, 3, 2)
STRIDED: dict[str, Any] = {
    "window_strides": (2, 1),
    "padding": ((1, 2), (0, 1)),
    "rhs_dilation": (1, 2),
}
SMALL: dict[str, tuple[Function, list[np.ndarray]]] = {
    "arithmetic": (lambda x, y: (x * y - x / y + 2 * x - 3 / y,), [X, POSITIVE]),
    "elementary": (
        lambda x: (jnp.log(x) + jnp.log1p(x) + jnp.expm1(x) + jnp.exp(x),),
        [POSITIVE],
    ),
    "roots": (lambda x: (jnp.sqrt(x) * lax.rsqrt(x),), [POSITIVE]),
    "waves": (lambda x: (jnp.sin(x) * jnp.cos(x) + jnp.tanh(x),), [X]),
    "errors": (lambda x: (lax.erf(x) + lax.erfc(x) + lax.logistic(x),), [X]),
    "powers": (lambda x: (x**2 + x**3 + x**-1 + x**-3 + x**7 + x**1 + x**0,), [X]),
    "real powers": (lambda x: (x**2.5 + x**-0.5,), [POSITIVE]),
    "a power that is an array": (lambda x: (x ** jnp.full((3,), 1.5),), [POSITIVE]),
    "extremes": (lambda x, y: (jnp.maximum(x, y), jnp.minimum(x, 0.1)), [X, POSITIVE]),
    "clip": (lambda x: (jnp.clip(x, -0.5, 0.5) + lax.clamp(-0.1, x, 0.1),), [X]),
    "rounded": (lambda x: (jnp.sign(x) * x + jnp.floor(x) + jnp.abs(x),), [X]),
    "masks": (lambda x: (jnp.where((x > 0) & ~(x > 1) | (x < -1), x, x * 2),), [X]),
    "reductions": (lambda x: (x.sum(0), x.max(1), x.min(), x.mean(), x.sum(())), [X]),
    "products": (lambda x: (jnp.cumprod(x, 1), x.prod()), [X]),
    "argmax": (lambda x: (x[jnp.arange(2), x.argmax(1)] * x.argmin(1),), [X]),
    "matrices": (lambda x, y: (x @ y.T, jnp.outer(x, y), x[0] @ y[0]), [X, POSITIVE]),
    "tensordot": (
        lambda x, y: (jnp.einsum("abcd,bkde->ceka", x, y),),
        [drawn(2, 3, 4, 5), drawn(3, 2, 5, 6)],
    ),
    "batched": (
        lambda x, y: (jnp.einsum("abcd,cbde->ebac", x, y),),
        [drawn(2, 3, 4, 5), drawn(4, 3, 5, 6)],
    ),
    "layouts": (
        lambda x: (
            jnp.transpose(x).reshape(3, 2)[None],
            x[:, ::-1],
            jnp.expand_dims(x, 1).squeeze(1),
            jnp.broadcast_to(x[0], (4, 3)),
            jnp.concatenate([x, x[:1] * 2], 0),
            jnp.tile(x, (2, 1)),
            jnp.repeat(x, 2, 0),
            jnp.copy(x),
            *jnp.split(x, [1], axis=1),
        ),
        [X],
    ),
    "slices": (lambda x: (x[1:, ::2], padded(x), jnp.pad(x, 1, "reflect")), [X]),
    "moving slices": (
        lambda x, i: (
            lax.dynamic_slice(x, (i, i), (1, 2)),
            lax.dynamic_update_slice(x, x[:1, :2] * 2, (i, i)),
        ),
        [X, np.array(7)],
    ),
    "embedding": (lambda W, i: (W[i] * 2,), [drawn(4, 3), np.array([[0, 3], [3, -1]])]),
    "outside": (
        lambda x, i: (
            x.at[i].get(mode="fill", fill_value=7.0),
            x.at[i].get(mode="clip"),
            x.at[i].add(2.0 * x[0], mode="drop"),
        ),
        [X, np.array([1, 5, 1])],
    ),
    "written": (
        lambda x, y: (
            x[0].at[0].set(0.0),
            x.at[1].set(y[0]),
            x.at[jnp.array([0, 1]), 2].add(y[:, 0]),
        ),
        [X, POSITIVE],
    ),
    "sorted": (lambda x: (jnp.sort(x, 1), x[:, jnp.argsort(x[0])]), [X]),
    "median": (lambda x: (jnp.median(x, 1), lax.top_k(x, 2)[0]), [X]),
    "stopped": (lambda x: (x * lax.stop_gradient(jnp.exp(x)),), [X]),
    "convolution": (
        partial(conv, window_strides=(1, 1), padding="SAME"),
        [
            IMAGE[:, :2],
            KERNEL,
        ],
    ),
    "strides": (partial(conv, **STRIDED), [IMAGE[:, :2], KERNEL]),
    "channels last": (
        partial(
            conv,
            window_strides=(1, 2),
            padding="VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
        [drawn(2, 5, 6, 3), drawn(2, 3, 3, 4)],
    ),
    "groups": (
        partial(conv, feature_group_count=2, lhs_dilation=(2, 1), **STRIDED),
        [IMAGE, KERNEL],
    ),
    "groups of images": (
        partial(conv, window_strides=(1, 1), padding="SAME", batch_group_count=2),
        [drawn(4, 2, 5, 6), KERNEL],
    ),
    "powers of arrays": (lambda x, y: (x**y, 2.0**y), [POSITIVE, X]),
    "running": (
        lambda x: (
            jnp.cumsum(x, 1),
            lax.cumsum(x, 0, reverse=True),
            jnp.cumprod(x, 0),
            lax.cummax(x, 1),
            jnp.prod(x, 1),
        ),
        [X],
    ),
    "pooling": (
        lambda x: (
            lax.reduce_window(x, 0.0, lax.add, (1, 1, 3, 3), (1, 1, 2, 2), "SAME"),
            lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 1, 2), "SAME"),
            lax.reduce_window(x, jnp.inf, lax.min, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"),
        ),
        [IMAGE],
    ),
    "a branch": (lambda x: (lax.cond(x[0, 0] > 0, jnp.sin, jnp.cos, x),), [X]),
    "a switch": (
        lambda x, i: (lax.switch(i, [jnp.sin, jnp.cos, jnp.exp], x),),
        [X, np.array(2)],
    ),
    "a loop": (lambda x: (lax.fori_loop(0, 3, lambda i, v: v * x + i, x),), [X]),
    "a reversed scan": (
        lambda x: lax.scan(lambda c, r: (c * r, c), x[0], x, reverse=True),
        [drawn(4, 3)],
    ),
    "remat": (lambda x: (jax.checkpoint(lambda v: jnp.sin(jnp.exp(v)))(x),), [X]),
    "mapped": (lambda x: (jax.vmap(lambda r: r @ r * r)(x),), [X]),
    "norm": (lambda x: (jnp.linalg.norm(x) ** 2,), [X]),
    "dropout": (
        lambda x: (x * jax.random.bernoulli(jax.random.key(0), 0.5, x.shape),),
        [X],
    ),
    "uniform": (lambda x: (x * jax.random.uniform(jax.random.key(0), x.shape),), [X]),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_primitive_has_a_meaning_that_gives_its_result(name: str) -> None:
    function, leaves = SMALL[name]
    assert check(agrees(function, leaves)) == set()


WITHOUT: dict[str, tuple[Function, list[np.ndarray], set[str]]] = {
    "powers of two": (lambda x: (jnp.exp2(x),), [X], {"exp2"}),
    "normal numbers": (
        lambda x: (x * jax.random.normal(jax.random.key(0), x.shape, x.dtype),),
        [X],
        {"erf_inv"},
    ),
    "angles": (lambda x: (jnp.arctan2(x, x + 1),), [X], {"atan2"}),
    "a tangent": (lambda x: (jnp.tan(x),), [X], {"tan"}),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_what_has_no_meaning_is_known_by_name(name: str) -> None:
    function, leaves, operators = WITHOUT[name]
    assert check(agrees(function, leaves)) == operators


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("exp", [("exp", [0], {}, 1), ("negate", [1], {}, 1)]),
        ("exp", []),
        ("exp", [("exp", [0], {}, "e")]),
    ],
)
def test_a_wrong_meaning_is_found(
    rule: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exponential(x: Any) -> Any:
        return (jnp.exp(x),)

    check(record(exponential, [X]))
    monkeypatch.setitem(meanings.RULES, rule, lambda eq: wrong)
    with pytest.raises((AssertionError, IndexError)):
        check(record(exponential, [X]))


def test_a_wrong_gradient_is_found() -> None:
    noisy = partial(record, noise=(1e-9, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "record", noisy)
        with pytest.raises(AssertionError):
            agrees(lambda x: (jnp.exp(x),), [X])


@pytest.mark.parametrize("narrow", ["float32", "float16", "bfloat16"])
def test_narrow_dtypes_stay_what_they_are(narrow: str) -> None:
    """Also where the 64-bit mode is on."""
    exact = [drawn(3, 4), drawn(4), drawn(4)]
    leaves = [leaf.astype(jnp.dtype(narrow)) for leaf in exact]

    def weak(*given: Any) -> Any:
        return normalized(*given) * 2.0 + np.pi, nn.softmax(given[0] @ given[1])

    with jax.enable_x64(True):
        found = record(weak, leaves)
    # JAX sums what is narrower in float32.
    floats = {v.dtype.name for v in found["values"] if v.dtype.kind == "f"}
    assert floats <= {narrow, "float32"}
    eps = float(jnp.finfo(narrow).eps)
    assert check(found, 64 * eps) == set()
    back = {s["operator"] for s in found["steps"] if s["phase"] == "backward"}
    assert {"mul", "reduce_sum", "dot_general"} <= back


WEIGHTS = drawn(3, 3, dtype=np.float32)
HELD = jnp.asarray(WEIGHTS)
SCALE = jnp.asarray(drawn(3, dtype=np.float32))


def held_weights(x: Any) -> Any:
    """Its own arithmetic is in float32, whatever x is."""
    W = jnp.tanh(HELD * 0.1) @ HELD
    W = W.at[1].add(HELD[0] * SCALE).at[0].set(SCALE)
    noise = jax.random.uniform(jax.random.key(0), (3,), jnp.float32)
    return (x @ W + noise * SCALE, (x.astype(jnp.float32) * 3).sum())


def test_arrays_that_the_function_closes_over_are_widened() -> None:
    found = record(held_weights, [X], widen="all")
    values = found["values"]
    used = {i for step in found["steps"] for i in step["operands"] + step["results"]}
    floats = [values[i] for i in used if values[i].dtype.kind == "f"]
    assert {v.dtype.name for v in floats} == {"float64"}
    assert check(found) == set()
    W = WEIGHTS.astype(np.float64)
    V = np.tanh(W * np.float32(0.1)) @ W
    V[1] += W[0] * np.asarray(SCALE, np.float64)
    V[0] = SCALE
    gradient = np.ones((2, 3)) @ V.T + 3
    np.testing.assert_allclose(values[found["gradients"][0]], gradient, 1e-12)


def test_without_widening_they_stay_as_they_are() -> None:
    found = record(held_weights, [X])
    kinds = {v.dtype.name for v in found["values"] if v.dtype.kind == "f"}
    assert kinds == {"float32", "float64"}
    assert check(found, 1e-6) == set()


def test_an_array_is_one_value_wherever_it_is_used() -> None:
    found = record(lambda x: (x @ HELD + x @ HELD,), [X.astype(np.float32)])
    first, second, *_ = (s for s in found["steps"] if s["operator"] == "dot_general")
    assert first["operands"] == second["operands"]
    assert np.array_equal(found["values"][first["operands"][1]], WEIGHTS)


def test_the_values_are_copies() -> None:
    x = X.copy()
    found = record(lambda v: (v * 1, v.reshape(-1)), [x])
    x[:] = 0
    for i in (*found["inputs"], *found["outputs"]):
        assert np.array_equal(found["values"][i].ravel(), X.ravel())


def test_seeds_and_outputs_of_all_kinds() -> None:
    def several(x: Any, y: Any, z: Any, n: Any) -> Any:
        return x * y, (x > 0).sum(), y, 2.0, n + 1

    leaves = [X, POSITIVE, drawn(2), np.array(3)]
    seed = drawn(2, 3)
    found = record(several, leaves, [seed, None, POSITIVE, None, None])
    values = found["values"]
    assert [i is None for i in found["seeds"]] == [False, True, False, False, True]
    assert np.array_equal(values[found["seeds"][0]], seed)
    assert found["outputs"][2] == found["inputs"][1]
    assert values[found["outputs"][3]] == 2.0
    assert values[found["outputs"][4]] == 4
    dx, dy, dz, dn = found["gradients"]
    assert dn is None
    np.testing.assert_allclose(values[dx], seed * POSITIVE)
    np.testing.assert_allclose(values[dy], seed * X + POSITIVE)
    assert np.array_equal(values[dz], np.zeros(2))
    with pytest.raises(ValueError, match="its output's shape"):
        record(lambda x: (x,), [X], [seed[0]])


def test_a_function_without_a_floating_leaf_runs_forward() -> None:
    found = record(lambda n: (n * 2, n * 0.5), [np.array([1, 2])])
    assert found["gradients"] == [None]
    assert {step["phase"] for step in found["steps"]} == {"forward"}


def test_integers_that_are_needed_while_it_is_traced_are_constants() -> None:
    def rows(x: Any, n: Any, mask: Any) -> Any:
        return (x[: int(n)] * 2 if mask.any() else x,)

    found = record(rows, [X, np.array(1), np.array([True, False])])
    assert found["values"][found["outputs"][0]].shape == (1, 3)
    assert found["values"][found["inputs"][1]].dtype.kind == "i"


def test_what_cannot_be_recorded_is_refused_in_a_sentence() -> None:
    with pytest.raises(TypeError, match="asks for the value of an argument"):
        record(lambda x: (x if x.sum() > 0 else -x,), [X])
    with pytest.raises(ValueError, match="complex"):
        record(lambda x: (x.real,), [X * 1j])
    with pytest.raises(ValueError, match="complex"):
        record(lambda x: (x * 1j,), [X])
    with pytest.raises(ValueError, match=r"complex .*, as in fft \(.*test_program.py:"):
        record(lambda x: (jnp.fft.rfft(x).real,), [X])


def scoped(x: Any) -> Any:
    with jax.named_scope("block"):
        y = nn.softmax(x)
        with jax.named_scope("dense"):
            return (jnp.sin(y),)


def test_where_a_step_stands() -> None:
    found = record(scoped, [X])
    first = scoped.__code__.co_firstlineno
    name = Path(__file__).name
    by_operator = {step["operator"]: step for step in found["steps"]}
    for operator, phase, line, module in [
        ("exp", "forward", 2, "block"),
        ("sin", "forward", 4, "block/dense"),
        ("mul", "backward", None, None),
    ]:
        step = by_operator[operator]
        assert step["phase"] == phase
        if line:
            assert step["where"].endswith(f"{name}:{first + line}")
            assert step["module"] == module
    places = {s["where"] for s in found["steps"] if s["phase"] == "backward"}
    assert {p.rpartition(":")[2] for p in places} == {str(first + 2), str(first + 4)}


def test_the_settings_are_plain() -> None:
    found = record(lambda x: (x.sum(1) + 1e-5,), [X])
    total, shifted, *_ = found["steps"]
    assert total["settings"]["axes"] == (1,)
    assert shifted["settings"] == {"constants": [1e-5]}
    assert shifted["code"] == "c:f64[2] = add b 1e-05:f64[]"


def test_noise_is_on_what_is_rounded() -> None:
    def function(x: Any) -> Any:
        return (jnp.exp(x.T).reshape(-1) * 3,)

    plain, noisy = record(function, [X]), record(function, [X], noise=(1e-3, 7))
    again = record(function, [X], noise=(1e-3, 7))
    for step in plain["steps"]:
        for i in step["results"]:
            old, new = plain["values"][i], noisy["values"][i]
            assert np.array_equal(new, again["values"][i])
            if step["operator"] == "exp":
                r = new / old - 1
                assert 1e-4 < np.abs(r).max() <= 1e-3
                assert len(np.unique(r)) == r.size
            if step["operator"] == "transpose" and step["phase"] == "forward":
                assert np.array_equal(new, old)


def test_a_step_is_replaced_and_the_rest_follows() -> None:
    def function(x: Any) -> Any:
        return (jnp.exp(jnp.sin(x)),)

    found = record(function, [X])
    at = [step["operator"] for step in found["steps"]].index("sin")
    other = record(function, [X], replace={at: lambda results: [results[0] + 1]})
    out = other["values"][other["outputs"][0]]
    np.testing.assert_allclose(out, np.exp(np.sin(X) + 1))
    gradient = other["values"][other["gradients"][0]]
    np.testing.assert_allclose(gradient, np.cos(X) * np.exp(np.sin(X) + 1))
    with pytest.raises(ValueError, match="has shape"):
        record(function, [X], replace={at: lambda results: [results[0][0]]})


HARD = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -3e-39, 1.5, -7, 3e38, 1e-20])


def test_in_arrays_of_other_lengths_the_same_bits_come_out() -> None:
    """Subnormal numbers, which XLA flushes, among them."""
    grid = np.meshgrid(HARD, [*HARD, *drawn(40)])
    x, y = (v.ravel().astype(np.float32) for v in grid)

    def every(x: Any, y: Any) -> Any:
        pairs = lax.add, lax.sub, lax.mul, lax.div, lax.max, lax.min, lax.lt, lax.eq
        singles = lax.neg, lax.abs, lax.sqrt, lax.square, lax.sign, lax.is_finite
        powers = lax.integer_pow(x, -2), lax.integer_pow(x, 3)
        return *(f(x, y) for f in pairs), *(f(x) for f in singles), *powers

    found = record(every, [x, y])
    forward = [s["operator"] for s in found["steps"] if s["phase"] == "forward"]
    assert set(forward) >= program.EXACT & {"add", "div", "sqrt", "integer_pow", "lt"}
    for out, i in zip(jax.jit(every)(x, y), found["outputs"], strict=True):
        mine, out = found["values"][i], np.asarray(out)
        assert np.array_equal(mine, out, equal_nan=out.dtype.kind == "f")
        known = ~np.isnan(out)
        if out.dtype.kind == "f":
            assert np.array_equal(np.signbit(mine[known]), np.signbit(out[known]))


def test_a_program_is_recorded_in_numpy_where_nothing_is_computed() -> None:
    """A primitive that only moves does not reach XLA, and is what XLA makes of it."""
    function, leaves = SMALL["layouts"]
    found = record(function, leaves)
    outs = function(*map(jnp.asarray, leaves))
    for out, i in zip(outs, found["outputs"], strict=True):
        np.testing.assert_allclose(found["values"][i], out, 1e-6)
    names = {step["operator"] for step in found["steps"] if step["phase"] == "forward"}
    assert names <= moves.MOVES.keys() | {"mul"}
