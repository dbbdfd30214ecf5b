"""What `jax_impl.hood` finds is what JAX does: on the layers, on the network and on
functions that have nothing to do with them.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.suite.support import ROOT

jax = pytest.importorskip("jax")
jnp, lax, nn = jax.numpy, jax.lax, jax.nn
hood = import_module("gradparity.jax_impl.hood")
layers = import_module("gradparity.jax_impl.layers")
networks = import_module("gradparity.jax_impl.networks")

RNG = np.random.default_rng(5)
Function = Callable[..., Any]


def arrays(**values: Any) -> Arrays:
    """Lists as float32, labels as they are."""
    found = {name: np.asarray(value) for name, value in values.items()}
    return {
        k: v.astype(np.float32) if v.dtype == float else v for k, v in found.items()
    }


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def loss(x: Any, t: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    return networks.loss({"W1": W1, "b1": b1, "W2": W2, "b2": b2}, x, t)


FRUIT = arrays(apple=100.0, apple_num=2.0, orange=150.0, orange_num=3.0, tax=1.1)
X = arrays(x=[[1.0, -0.5], [-2.0, 3.0]])
AFFINE = arrays(
    x=[[1.0, -1, 2], [0, 3, 1]], W=[[0.5, -1], [1, 0], [-0.5, 2]], b=[0.1, -0.2]
)
SCORES = arrays(x=[[0.3, 2.9, 4.0], [1.0, -0.5, 0.2]], t=[2, 0])
NET = arrays(
    x=drawn(2, 3), t=[1, 0], W1=drawn(3, 4), b1=drawn(4), W2=drawn(4, 2), b2=drawn(2)
)
LAYERS: dict[str, tuple[Function, Arrays]] = {
    "buy_fruit": (layers.buy_fruit, FRUIT),
    "relu": (layers.relu, X),
    "relu_composed": (layers.relu_composed, X),
    "sigmoid": (layers.sigmoid, X),
    "sigmoid_graph": (layers.sigmoid_graph, X),
    "affine": (layers.affine, AFFINE),
    "affine_one": (layers.affine, AFFINE | {"x": AFFINE["x"][0]}),
    "affine_composed": (layers.affine_composed, AFFINE),
    "softmax_with_loss": (layers.softmax_with_loss, SCORES),
    "softmax_with_loss_composed": (layers.softmax_with_loss_composed, SCORES),
    "loss": (loss, NET),
}


@jax.jit
def doubled_sine(x: Any) -> Any:
    return jnp.sin(x) * 2


@jax.custom_vjp
def clipped(x: Any) -> Any:
    """x, with a derivative that no rule would find."""
    return x * 1


clipped.defvjp(lambda x: (x, None), lambda _, dout: (jnp.clip(dout, -0.1, 0.1),))


def recurrent(x: Any, W: Any) -> Any:
    def step(h: Any, row: Any) -> Any:
        return jnp.tanh(h @ W + row), h.sum()

    h, sums = lax.scan(step, jnp.zeros(3, x.dtype), x)
    return h.sum() * sums.mean()


def indexed(x: Any, i: Any) -> Any:
    return x[jnp.arange(3), i] * x[i, 1] + x[0, ::2].sum() + x.at[i].add(2.0).sum()


def dropped(x: Any, seed: Any) -> Any:
    return x * jax.random.bernoulli(jax.random.key(seed), 0.5, x.shape)


def one_hot_loss(x: Any, t: Any) -> Any:
    return -(nn.one_hot(t, 3, dtype=x.dtype) * nn.log_softmax(x)).sum()


def normalized(x: Any, g: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1) * g


KEY = jax.random.key(0)
TABLE = jnp.arange(3.0, dtype=jnp.float32)
V = arrays(x=drawn(3))
M = arrays(x=drawn(3, 3))
ODD: dict[str, tuple[Function, Arrays]] = {
    "one array twice": (lambda x: x * x, V),
    "a jit called again": (
        lambda x: doubled_sine(doubled_sine(x)) * doubled_sine(x),
        V,
    ),
    "scan": (recurrent, arrays(x=drawn(4, 3), W=drawn(3, 3))),
    "cond": (lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), V),
    "loop": (lambda x: lax.fori_loop(0, 3, lambda i, v: v * jnp.cos(v) + i, x), V),
    "conv": (
        lambda x, k: lax.conv(x, k, (1, 1), "SAME"),
        arrays(x=drawn(1, 2, 5, 5), k=drawn(3, 2, 3, 3)),
    ),
    "indices": (indexed, M | arrays(i=[2, 0, 1])),
    "a loop of Python": (
        lambda x, n: sum(x**k for k in range(int(n))),
        V | arrays(n=np.array(3)),
    ),
    "labels used as numbers": (one_hot_loss, M | arrays(t=[2, 0, 1])),
    "activations": (lambda x: nn.gelu(x) + nn.elu(x) + nn.softplus(x) + nn.relu6(x), M),
    "custom_vjp": (lambda x: clipped(x).sum() * 5, V),
    "checkpoint": (jax.checkpoint(lambda x: jnp.sin(jnp.exp(x))), V),
    "its own input": (lambda x, y: y, V | arrays(y=drawn(2))),
    "a constant": (lambda x: jnp.ones(2, x.dtype), V),
    "another shape": (lambda x: x.reshape(9), M),
    "a closed-over key": (lambda x: x * jax.random.bernoulli(KEY, 0.5, x.shape), V),
    "a seed": (dropped, V | arrays(seed=np.array(3))),
    "a table": (lambda x: x * TABLE, V),
    "stop_gradient": (lambda x: x * lax.stop_gradient(jnp.exp(x)), V),
    "made integers": (lambda x: x * x.astype(int) + (x > 0).astype(x.dtype), V),
    "several outputs": (lambda x: lax.top_k(x, 2)[0].sum() * jnp.split(x, 3)[1], V),
    "normalized": (normalized, arrays(x=drawn(4, 3), g=drawn(3))),
    "positional": (lambda x, /, y: x / y, V | arrays(y=drawn(3))),
    "a ufunc": (jnp.exp, V),
    "names in use": (
        lambda out, dout, a: out * dout / a,
        arrays(out=drawn(2), dout=drawn(2), a=drawn(2)),
    ),
    "an unused input": (lambda x, y: 2 * x, V | arrays(y=drawn(2))),
    "nothing": (lambda x: x * 2, arrays(x=np.zeros((0, 3)))),
}
ALL = LAYERS | ODD
every: Any = pytest.mark.parametrize("name", ALL)


def wide(inputs: Arrays) -> Arrays:
    return {k: v.astype(float) if v.dtype.kind == "f" else v for k, v in inputs.items()}


@cache
def truth(name: str, dtype: str = "float32") -> tuple[Any, ...]:
    """(function, inputs, dout, out, the gradients, the residuals) by jax.vjp."""
    function, inputs = ALL[name]
    inputs = wide(inputs) if dtype == "float64" else inputs
    with jax.enable_x64(dtype == "float64"):
        values = {k: jnp.asarray(v) for k, v in inputs.items()}
        floats = {k: v for k, v in values.items() if v.dtype.kind == "f"}

        def call(*moved: Any) -> Any:
            given = values | dict(zip(floats, moved, strict=True))
            if name in ("positional", "a ufunc"):
                return function(*given.values())
            return function(**given)

        out, back = jax.vjp(call, *floats.values())
        dout = np.arange(1, out.size + 1, dtype=dtype).reshape(out.shape)
        gradients = dict(zip(floats, back(jnp.asarray(dout)), strict=True))
        kept = [np.asarray(leaf) for leaf in jax.tree.leaves(back)]
    return function, inputs, dout, out, gradients, kept


@cache
def graph(name: str, dtype: str = "float32") -> Any:
    return hood.graph(*truth(name, dtype)[:3])


@cache
def steps(name: str) -> Any:
    return hood.steps(*truth(name)[:3])


@cache
def remembered(name: str) -> Any:
    return hood.remembered(*truth(name)[:2])


@cache
def compiled(name: str) -> Any:
    return hood.compiled(*truth(name)[:3])


def assert_equal_but_for_rounding(found: Any, expected: Any) -> None:
    """To a few units in the last place of the largest: what is nearly cancelled has
    lost its own last places.
    """
    expected = np.asarray(expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    largest = np.abs(expected).max(initial=0)
    allowed = 8 * np.finfo(expected.dtype).eps * largest
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)


def ops(name: str) -> list[str]:
    return [node["op"] for node in graph(name)["nodes"]]


def by_name(name: str) -> dict[str, Any]:
    return {edge["name"]: edge for edge in graph(name)["edges"]}


@every
def test_the_graph_has_the_gradients_of_vjp(name: str) -> None:
    _, inputs, dout, out, gradients, _ = truth(name)
    edges = graph(name)["edges"]
    assert [edge["name"] for edge in edges[: len(inputs)]] == [*inputs]
    assert len({edge["name"] for edge in edges}) == len(edges)
    assert_equal_but_for_rounding(edges[-1]["value"], out)
    np.testing.assert_array_equal(edges[-1]["gradient"], dout)
    for edge in edges[: len(inputs)]:
        np.testing.assert_array_equal(edge["value"], inputs[edge["name"]])
        if edge["name"] in gradients:
            assert_equal_but_for_rounding(edge["gradient"], gradients[edge["name"]])
        else:
            assert edge["gradient"] is None


@pytest.mark.parametrize("name", ["relu", "sigmoid_graph", "affine", "loss"])
def test_float64_is_kept(name: str) -> None:
    *_, out, gradients, _ = truth(name, "float64")
    edges = graph(name, "float64")["edges"]
    assert_equal_but_for_rounding(edges[-1]["value"], out)
    for edge in edges:
        if edge["name"] in gradients:
            assert_equal_but_for_rounding(edge["gradient"], gradients[edge["name"]])


@every
def test_the_graph_is_in_order_and_edges_have_the_sum(name: str) -> None:
    nodes, edges = graph(name)["nodes"], graph(name)["edges"]
    sent: dict[int, list[Any]] = {}
    for node in reversed(nodes):
        assert all(i < node["output"] for i in node["inputs"])
        assert len(node["inputs"]) == len(node["gradients"])
        for i, gradient in zip(node["inputs"], node["gradients"], strict=True):
            if gradient is not None:
                sent.setdefault(i, []).append(gradient)
    assert [node["output"] for node in nodes] == sorted(n["output"] for n in nodes)
    for i, edge in enumerate(edges[:-1]):
        if i in sent:
            np.testing.assert_array_equal(edge["gradient"], sum(sent[i]))
        else:
            assert edge["gradient"] is None or not edge["gradient"].any()
        if edge["gradient"] is not None:
            assert edge["gradient"].shape == edge["value"].shape


def test_a_layer_is_drawn_with_its_signs() -> None:
    assert ops("buy_fruit") == ["×", "×", "+", "×"]
    assert ops("relu") == ["relu"]
    assert ops("relu_composed") == ["≤ 0", "where(·, 0, ·)"]
    assert ops("sigmoid") == ["sigmoid"]
    assert ops("sigmoid_graph") == ["× −1", "exp", "+ 1", "1 ÷"]
    assert ops("affine") == ops("affine_one") == ["dot", "+"]
    assert ops("loss")[:5] == ["dot", "+", "relu", "dot", "+"]


def test_trivial_equations_and_indices_are_part_of_the_node() -> None:
    """Not drawn: two broadcasts, and what makes an index of the labels."""
    expected = ["max", "max −∞", "−", "exp", "sum", "log", "−", "gather", "sum"]
    assert ops("softmax_with_loss") == [*expected, "÷ 2", "×(−1)"]
    drawing = graph("softmax_with_loss")
    (gather,) = (node for node in drawing["nodes"] if node["op"] == "gather")
    assert drawing["edges"][gather["inputs"][1]]["name"] == "t"
    assert "=" in ops("labels used as numbers")  # but a label that is a number is
    assert "convert_element_type" in ops("made integers")  # this changes the values


def test_a_rule_is_one_node_and_its_derivative_is_the_rules() -> None:
    assert ops("custom_vjp")[0] == "clipped"
    (gradient,) = graph("custom_vjp")["nodes"][0]["gradients"]
    np.testing.assert_array_equal(gradient, np.full(3, 0.1, np.float32))
    assert "relu6" in ops("activations")


def test_one_array_twice_is_two_edges_with_a_gradient_each() -> None:
    (node,) = graph("one array twice")["nodes"]
    x, dout = V["x"], truth("one array twice")[2]
    assert node["inputs"] == [0, 0]
    for gradient in node["gradients"]:
        np.testing.assert_array_equal(gradient, x * dout)


def test_an_output_that_is_an_input_or_a_constant() -> None:
    assert ops("its own input") == ["="]
    assert not by_name("its own input")["x"]["gradient"].any()
    assert ops("a constant") == []
    assert not by_name("a constant")["x"]["gradient"].any()
    assert ops("another shape") == ["reshape"]


def test_an_effect_has_no_node_and_does_not_happen() -> None:
    seen: list[Any] = []

    def watched(x: Any) -> Any:
        jax.debug.callback(lambda value: seen.append(value), x)
        return x * 2

    (node,) = hood.graph(watched, V, V["x"])["nodes"]
    code, times = (step["code"] for step in hood.steps(watched, V, V["x"])["forward"])
    jax.effects_barrier()
    assert (node["op"], seen) == ("× 2", [])
    assert code.startswith("debug_callback")
    assert times == "out:f32[3] = mul x 2.0:f32[]"
    # The function is printed without its address.
    text = [hood.jaxprs(watched, V, V["x"])["forward"] for _ in range(2)]
    assert "function" in text[0]
    assert " at 0x" not in text[0]


def test_constants_are_text_or_edges_without_gradient() -> None:
    edges = by_name("a table")
    assert [*edges] == ["x", "c1", "out"]
    np.testing.assert_array_equal(edges["c1"]["value"], TABLE)
    assert edges["c1"]["gradient"] is None
    assert ops("an unused input") == ["× 2"]


def test_behind_stop_gradient_there_is_none() -> None:
    exp, times = graph("stop_gradient")["nodes"]
    assert (exp["op"], exp["gradients"]) == ("exp", [None])
    assert times["gradients"][1] is None
    assert by_name("softmax_with_loss")["v1"]["gradient"] is None


def test_several_outputs_are_a_node_for_each_that_is_used() -> None:
    assert ops("scan")[:2] == ["scan(·, 0, ·)[0]", "scan(·, 0, ·)[1]"]
    assert ops("several outputs")[:2] == ["top_k[0]", "sum"]


def test_inputs_that_are_needed_while_tracing_are_edges_too() -> None:
    assert [*by_name("a loop of Python")][:2] == ["x", "n"]


def test_a_name_in_use_is_not_given_again() -> None:
    assert [*by_name("names in use")][-2:] == ["v1", "out_"]


# What no equation makes: arrays that the function closes over, and dout where that is
# an input's name.
UNMADE = {"a table": {"a"}, "a closed-over key": {"a"}, "names in use": {"dout_"}}


@every
def test_steps_only_use_what_is_there(name: str) -> None:
    """Every name is given once, before it is used, forward and backward."""
    known, found = {*truth(name)[1], "dout"}, steps(name)
    for step in [*found["forward"], *found["backward"]]:
        left, equals, right = step["code"].rpartition(" = ")
        given = re.findall(r"(\w+):", left)
        used = re.sub(r"\[.*\]( |$)", " ", right).split()[1:]
        values = [
            word for word in used if not re.match(r"-?(\d|inf|nan|True|False)", word)
        ]
        assert {*values} - known <= UNMADE.get(name, set()), step["code"]
        assert not known & {*given}
        known |= {*given}
        assert step["name"] == (given[0] if equals else "")
        if equals:
            value, short = step["value"], left.split()[0].partition(":")[2]
            assert short.endswith(f"[{','.join(map(str, value.shape))}]") or (
                short.startswith("key<")
            )
            assert len(step["values"]) == len(given)
        else:
            assert step["value"] is None


@every
def test_steps_come_to_what_vjp_comes_to(name: str) -> None:
    *_, out, gradients, _ = truth(name)
    found = {s["name"]: s["value"] for part in steps(name).values() for s in part}
    if "out" in found:
        assert_equal_but_for_rounding(found["out"], out)
    for input_name, gradient in gradients.items():
        if "d" + input_name in found:
            assert_equal_but_for_rounding(found["d" + input_name], gradient)
    if name in LAYERS:  # where dout is handed on, nothing computes a gradient
        handed_on = {"db"} if name == "affine_one" else set()
        assert {"out", *("d" + n for n in gradients)} - {*found} == handed_on


def test_steps_as_a_jaxpr_prints_them() -> None:
    code = {part: [s["code"] for s in found] for part, found in steps("relu").items()}
    assert code["forward"] == [
        "out:f32[2,2] = max x 0.0:f32[]",
        "a:bool[2,2] = gt x 0.0:f32[]",
        "b:f32[2,2] = broadcast_in_dim 0.0:f32[]",
    ]
    assert code["backward"] == [
        "c:f32[2,2] = broadcast_in_dim 0.0:f32[]",
        "dx:f32[2,2] = select_n a c dout",
    ]
    dot = "a:f32[2,2] = dot_general[dimension_numbers=(((1,), (0,)), ((), ()))] x W"
    assert steps("affine")["forward"][0]["code"] == dot


def test_steps_say_whose_they_are_and_where_they_come_from() -> None:
    for step in steps("relu")["forward"]:
        assert step["owner"] == "relu"
        assert re.fullmatch(r"jax_impl/layers/\w+\.py:\d+", step["where"])
    owners = {step["owner"] for part in steps("loss").values() for step in part}
    assert owners == {
        "affine",
        "relu",
        "log_softmax",
        "_negative_mean",
        "take_along_axis",
    }
    sine = steps("a jit called again")["forward"][0]
    assert sine["owner"] == "doubled_sine"
    assert sine["where"].startswith("test_hood_jax.py:")
    assert graph("a ufunc")["nodes"][0]["where"] == ""  # called by nobody but hood
    key = next(s for s in steps("a closed-over key")["forward"] if "bits" in s["code"])
    assert key["where"].startswith("test_hood_jax.py:")


def test_place_of_a_line_in_the_users_code(tmp_path: Path) -> None:
    """From the folder of the outermost package; without one, the name of the file."""
    package = tmp_path / "outer" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    for file, place in [
        (tmp_path / "alone.py", "alone.py:3"),
        (package / "deep.py", "outer/inner/deep.py:3"),
        (Path("<cell>"), "<cell>:3"),
    ]:
        scope: dict[str, Any] = {"jnp": jnp}
        exec(compile("\n\ndef f(x): return jnp.sin(x)", str(file), "exec"), scope)
        (step, *_) = hood.steps(scope["f"], V, V["x"])["forward"]
        assert step["where"] == place


@pytest.mark.parametrize("name", LAYERS)
def test_remembered_is_what_the_vjp_holds(name: str) -> None:
    kept, inputs = truth(name)[-1], truth(name)[1]
    assert len(kept) == len(remembered(name))
    for array, saved in zip(kept, remembered(name), strict=True):
        assert (saved["shape"], saved["dtype"]) == (array.shape, array.dtype.name)
        assert saved["bytes"] == array.nbytes
        if array.dtype.kind == "f":
            assert_equal_but_for_rounding(saved["value"], array)
        else:
            np.testing.assert_array_equal(saved["value"], array)
        assert (saved["name"] in inputs) == bool(saved["same_as"])


def test_relu_keeps_a_boolean_and_zeros_that_nobody_reads() -> None:
    mask, zeros = remembered("relu")
    assert (mask["name"], mask["owner"], mask["dtype"]) == ("gt", "relu", "bool")
    assert (mask["bytes"], mask["same_as"], mask["read"]) == (4, "", True)
    assert (zeros["name"], zeros["read"]) == ("broadcast_in_dim", False)
    assert mask["where"].startswith("jax_impl/layers/")
    assert mask["variable"] == steps("relu")["forward"][1]["name"]


def test_sigmoid_keeps_one_array() -> None:
    (product,) = remembered("sigmoid")
    out = by_name("sigmoid")["out"]["value"]
    np.testing.assert_array_equal(product["value"], out * (1 - out))


def test_what_is_there_anyway_is_called_by_its_name() -> None:
    assert {s["same_as"] for s in remembered("affine")} == {"x", "W"}
    assert [s["same_as"] for s in remembered("a ufunc")] == ["out"]
    assert [s["name"] for s in remembered("sigmoid_graph")][::2] == ["-1.0", "1.0"]


def test_jaxprs_are_printed_as_jax_prints_them() -> None:
    found = hood.jaxprs(*truth("relu")[:3])
    assert found["forward"] == str(jax.make_jaxpr(layers.relu)(jnp.asarray(X["x"])))
    assert "select_n" in found["backward"]
    taken = hood.jaxprs(*truth("indices")[:3])["forward"]
    assert taken.startswith("{ lambda ; a:f32[3,3] b:i32[3]. let")


def test_compiled_relu_is_fused() -> None:
    for program, ops in [("forward", {"maximum"}), ("gradient", {"compare", "select"})]:
        found = compiled("relu")[program]
        assert found["after"] == {"fusion": len(found["fusions"])}
        held = [{*fusion["holds"]} for fusion in found["fusions"]]
        assert any(ops <= inside for inside in held), held
        assert ops <= {*found["before"]}
        assert (found["flops"] >= 4, found["bytes"] >= 32) == (True, True)
        assert found["temporary_bytes"] == 0
    assert "dout" in compiled("relu")["gradient"]["text"]


def test_compiled_counts() -> None:
    assert compiled("affine")["forward"]["after"]["dot"] == 1
    assert compiled("affine")["gradient"]["before"]["dot_general"] == 3
    assert compiled("sigmoid")["forward"]["transcendentals"] == 4
    again = compiled("a jit called again")["forward"]["before"]
    assert again == {"sine": 3, "broadcast_in_dim": 3, "multiply": 4}


SOME = [*LAYERS, "scan", "cond", "conv", "a seed", "names in use", "nothing"]


@pytest.mark.parametrize("name", SOME)
def test_compiled_takes_all_inputs_and_has_no_places_in_it(name: str) -> None:
    for program in compiled(name).values():
        assert {k for k, v in program.items() if v is None} <= (
            {"flops", "bytes", "transcendentals"}
            if name == "nothing"
            else {"flops", "transcendentals"}
        )
        assert "metadata" not in program["text"]
        assert "FileNames" not in program["text"]
        assert "ENTRY" in program["text"]
        assert not {"parameter", "constant", "return"} & {
            *program["before"],
            *program["after"],
        }
    if name in LAYERS:
        entry = compiled(name)["gradient"]["text"].partition("ENTRY")[2].split("\n")[0]
        for argument in [*truth(name)[1], "dout"]:
            assert re.search(rf"\b{argument}\.\d", entry), entry


@pytest.mark.parametrize("name", LAYERS)
def test_no_absolute_path(name: str) -> None:
    everything = [graph(name), steps(name), remembered(name), compiled(name)]
    text = repr([*everything, hood.jaxprs(*truth(name)[:3])])
    assert str(ROOT) not in text
    assert "site-packages" not in text
    assert all(node["where"] for node in graph(name)["nodes"])


def test_the_mode_of_the_program_is_left_alone() -> None:
    before = jax.config.jax_enable_x64
    hood.graph(*truth("relu", "float64")[:3])
    with pytest.raises(TypeError):
        hood.graph(lambda x: [x], {"x": np.zeros(2)}, np.zeros(2))
    assert jax.config.jax_enable_x64 == before
    assert jnp.asarray(1.0).dtype == ("float64" if before else "float32")


@pytest.mark.parametrize(
    ("function", "inputs", "words"),
    [
        (lambda x: (x, x), V, "must return one floating-point array, got tuple"),
        (lambda x: None, V, "must return one floating-point array, got NoneType"),
        (lambda x: x > 0, V, "must return one floating-point array, got bool"),
        (lambda x: x if x.sum() > 0 else -x, V, "asks for the value of an argument"),
        (lambda x: jnp.asarray(np.sin(x)), V, "asks for the value of an argument"),
        (lambda t: t * 1.0, arrays(t=[1, 2]), "no floating-point input"),
    ],
)
def test_what_cannot_be_looked_into(
    function: Function, inputs: Arrays, words: str
) -> None:
    for look in (hood.graph, hood.steps, hood.jaxprs, hood.compiled):
        with pytest.raises(TypeError, match=words):
            look(function, inputs, np.zeros(3))
    with pytest.raises(TypeError, match=words):
        hood.remembered(function, inputs)


def test_bad_dout_and_bad_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dout must have shape \(2, 2\), got \(2,\)"):
        hood.graph(layers.relu, X, np.zeros(2))
    with pytest.raises(ValueError, match=r"t \(labels\) must lie in 0\.\.2, got 3"):
        hood.steps(layers.softmax_with_loss, SCORES | arrays(t=[3, 0]), np.array(1.0))


def missing(*arguments: Any, **options: Any) -> Any:
    raise AttributeError("not in this version")


def test_without_source_info(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.extend.core.Jaxpr.pretty_print", missing)
    (node,) = hood.graph(*truth("relu")[:3])["nodes"]
    assert node["where"] == "not available in this version"
    assert hood.remembered(*truth("relu")[:2])[0]["where"] == node["where"]
    first = hood.steps(*truth("relu")[:3])["forward"][0]
    assert (first["owner"], first["where"]) == ("relu", node["where"])


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("Lowered.as_text", {"before"}),
        ("Compiled.as_text", {"text", "after", "fusions"}),
        ("Compiled.cost_analysis", {"flops", "bytes", "transcendentals"}),
        ("Compiled.memory_analysis", {"temporary_bytes"}),
    ],
)
def test_without_a_method(
    method: str, fields: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"jax.stages.{method}", missing)
    found = hood.compiled(*truth("sigmoid")[:3])
    for program in found.values():
        assert {name for name, value in program.items() if value is None} == fields


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.stages.Lowered.compile", missing)
    program = hood.compiled(*truth("sigmoid")[:3])["gradient"]
    assert {name for name, value in program.items() if value is not None} == {"before"}
