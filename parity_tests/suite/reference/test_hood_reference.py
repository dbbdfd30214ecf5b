"""What is seen in a layer that runs is what it computes, and looking leaves no trace."""

import inspect
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.suite.support import ROOT
from gradparity.reference import hood, layers, training
from gradparity.reference.functions import softmax
from gradparity.reference.gradient import numerical_gradient
from gradparity.reference.hood import nodes
from gradparity.reference.networks import TwoLayerNet

RNG = np.random.default_rng(0)
f32: Any = np.float32
X, T = np.array([[0.3, 2.9, 4.0], [1.0, -0.5, 0.2]]), np.array([2, 0])
RELU = {"x": np.array([[1.0, -0.5], [-2.0, 3.0]], f32)}
RELU_DOUT = np.array([[1, 2], [3, 4]], f32)
BILL = {
    "apple": 100.0,
    "apple_num": 2.0,
    "orange": 150.0,
    "orange_num": 3.0,
    "tax": 1.1,
}
AFFINE = {
    "x": np.array([[1.0, -1, 2], [0, 3, 1]], f32),
    "W": np.array([[0.5, -1], [1, 0], [-0.5, 2]], f32),
    "b": np.array([0.1, -0.2], f32),
}
NETWORK = {
    "x": RNG.standard_normal((2, 3)),
    "t": np.array([0, 1]),
    "W1": RNG.standard_normal((3, 4)),
    "b1": RNG.standard_normal(4),
    "W2": RNG.standard_normal((4, 2)),
    "b2": RNG.standard_normal(2),
}
ONE = np.array(1.0)
EXAMPLES: Any = {
    "BuyFruit": (layers.BuyFruit, {k: np.array(v) for k, v in BILL.items()}, ONE),
    "Relu": (layers.Relu, RELU, RELU_DOUT),
    "Sigmoid": (layers.Sigmoid, RELU, RELU_DOUT),
    "SigmoidGraph": (layers.SigmoidGraph, RELU, RELU_DOUT),
    "Affine": (layers.Affine, AFFINE, RELU_DOUT),
    "Affine, one": (layers.Affine, AFFINE | {"x": AFFINE["x"][0]}, RELU_DOUT[0]),
    "AffineGraph": (nodes.AffineGraph, AFFINE, RELU_DOUT),
    "Softmax": (layers.Softmax, {"x": X}, X - 1),
    "CrossEntropy": (layers.CrossEntropy, {"y": softmax(X), "t": T}, ONE),
    "SoftmaxWithLoss": (layers.SoftmaxWithLoss, {"x": X, "t": T}, ONE),
    "SoftmaxWithLossGraph": (nodes.SoftmaxWithLossGraph, {"x": X, "t": T}, ONE),
}
example = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
NODES: Any = {  # the arguments of forward
    "Dot": (nodes.Dot, {"x": AFFINE["x"], "W": AFFINE["W"]}),
    "Dot, one": (nodes.Dot, {"x": AFFINE["x"][0], "W": AFFINE["W"]}),
    "AddBias": (nodes.AddBias, {"x": RELU["x"], "b": AFFINE["b"]}),
    "AddBias, one": (nodes.AddBias, {"x": RELU["x"][0], "b": AFFINE["b"]}),
    "SumRows": (nodes.SumRows, {"x": X}),
    "SumRows, one": (nodes.SumRows, {"x": X[0]}),
    "Divide": (nodes.Divide, {"x": X, "y": np.array([[2.0], [-0.5]])}),
    "Divide, one": (nodes.Divide, {"x": X[0], "y": np.array([2.0])}),
    "MeanAtLabels": (nodes.MeanAtLabels, {"x": X, "t": T}),
    "SoftmaxWithLossGraph": (nodes.SoftmaxWithLossGraph, {"x": X, "t": T}),
    "SoftmaxWithLossGraph, one": (nodes.SoftmaxWithLossGraph, {"x": X[0], "t": T[0]}),
}


def as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def build(layer: Any, inputs: Any) -> tuple[Any, dict[str, Any]]:
    own = [name for name in inspect.signature(layer).parameters if name in inputs]
    rest = {name: value for name, value in inputs.items() if name not in own}
    return layer(**{name: inputs[name] for name in own}), rest


def run(layer: Any, inputs: Any, dout: Any) -> tuple[Any, dict[str, Any]]:
    """The output and the gradient of every input that has one, without looking."""
    made, rest = build(layer, inputs)
    out = made.forward(**rest)
    differentiable = [name for name in rest if name != "t"]
    flow = zip(differentiable, as_tuple(made.backward(dout)), strict=True)
    gradients = {name: getattr(made, f"d{name}", None) for name in inputs} | dict(flow)
    return out, gradients


def alike(found: Any, expected: Any) -> None:
    """The same bits, shape and dtype."""
    np.testing.assert_array_equal(found, expected, strict=True)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("samples", [None, 1, 2, 33])
def test_the_graph_of_affine_is_affine_bit_for_bit(
    samples: int | None, dtype: str
) -> None:
    shape = () if samples is None else (samples,)
    draw = np.random.default_rng(1).integers
    x, W, b, dout = (
        (draw(-3, 4, size) / 7).astype(dtype)  # with zeros among them, and inexact
        for size in ((*shape, 5), (5, 4), (4,), (*shape, 4))
    )
    graph, joined = nodes.AffineGraph(W, b), layers.Affine(W, b)
    alike(graph.forward(x), joined.forward(x))
    alike(graph.backward(dout), joined.backward(dout))
    alike(graph.dW, joined.dW)
    alike(graph.db, joined.db)


@pytest.mark.parametrize("t", [T, np.eye(3)[T]], ids=["labels", "one-hot"])
@pytest.mark.parametrize("samples", [slice(None), 0], ids=["batch", "one"])
def test_the_graph_of_the_loss_is_the_loss(t: np.ndarray, samples: Any) -> None:
    graph, joined = nodes.SoftmaxWithLossGraph(), layers.SoftmaxWithLoss()
    loss, expected = (one.forward(X[samples], t[samples]) for one in (graph, joined))
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    for dout in ((), (0.5,)):
        dx = graph.backward(*dout)
        np.testing.assert_allclose(dx, joined.backward(*dout), rtol=0, atol=1e-15)
        assert dx.shape == X[samples].shape


@pytest.mark.parametrize(("node", "inputs"), NODES.values(), ids=NODES.keys())
def test_the_nodes_by_central_differences(node: Any, inputs: Any) -> None:
    inputs = {k: np.array(v, int if k == "t" else float) for k, v in inputs.items()}
    dout = np.asarray(RNG.standard_normal(np.shape(node().forward(**inputs))))
    _, gradients = run(node, inputs, dout)
    for name in inputs.keys() - {"t"}:
        numerical = numerical_gradient(
            lambda _: (node().forward(**inputs) * dout).sum(), inputs[name]
        )
        np.testing.assert_allclose(gradients[name], numerical, rtol=1e-6, atol=1e-7)


def test_affine_graph_by_central_differences() -> None:
    inputs = {name: value.astype(float) for name, value in AFFINE.items()}
    _, gradients = run(nodes.AffineGraph, inputs, RELU_DOUT.astype(float))
    for name, value in inputs.items():
        numerical = numerical_gradient(
            lambda _: (
                run(nodes.AffineGraph, inputs, RELU_DOUT * 1.0)[0] * RELU_DOUT
            ).sum(),
            value,
        )
        np.testing.assert_allclose(gradients[name], numerical, rtol=1e-6, atol=1e-7)


# The maximum is a constant to Shift, but not to differences.
AND_SHIFT = NODES | {"Shift": (nodes.Shift, {"x": X})}


@pytest.mark.parametrize(("node", "inputs"), AND_SHIFT.values(), ids=AND_SHIFT.keys())
def test_the_nodes_keep_the_dtype_and_their_inputs(
    node: Any, inputs: Any, dtype: str
) -> None:
    inputs = {k: v if k == "t" else v.astype(dtype) for k, v in inputs.items()}
    before = {name: value.copy() for name, value in inputs.items()}
    out = node().forward(**inputs)
    dout = np.ones_like(out)
    out, gradients = run(node, inputs, dout)
    assert {
        value.dtype for value in (out, *gradients.values()) if value is not None
    } == {np.dtype(dtype)}
    assert (dout == 1).all()
    for name, value in before.items():
        alike(inputs[name], value)
        if gradients[name] is not None:
            assert gradients[name].shape == value.shape
            assert not np.shares_memory(gradients[name], dout)


def without_forward(node: Any) -> Callable[[], Any]:
    return lambda: node.backward(np.ones((2, 3)))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nodes.Dot().forward(X, np.ones((2, 3))), "Dot: x must have shape"),
        (lambda: nodes.Dot().forward(X[None], X.T), "Dot: x must have rank 1 or 2"),
        (lambda: nodes.Dot().forward(X, X[0]), "Dot: W must have rank 2"),
        (lambda: nodes.AddBias().forward(X, X), "AddBias: b must have shape"),
        (lambda: nodes.AddBias().forward(X[None], X[0]), "AddBias: x must have rank"),
        (lambda: nodes.Shift().forward(X[None]), "Shift: x must have rank"),
        (lambda: nodes.SumRows().forward(X[None]), "SumRows: x must have rank"),
        (lambda: nodes.Divide().forward(X, X), "Divide: y must have shape"),
        (lambda: nodes.Divide().forward(X[None], X), "Divide: x must have rank"),
        (lambda: nodes.MeanAtLabels().forward(X, T[:1]), "MeanAtLabels: t must have"),
        (lambda: nodes.MeanAtLabels().forward(X[None], T), "MeanAtLabels: x must have"),
        (lambda: nodes.AffineGraph(X.T, X[0]).forward(X), "AddBias: b must have shape"),
        *(
            (without_forward(node), f"{type(node).__name__}: backward needs a forward")
            for node in (
                *(nodes.Dot(), nodes.AddBias(), nodes.Shift(), nodes.SumRows()),
                *(nodes.Divide(), nodes.MeanAtLabels(), nodes.SoftmaxWithLossGraph()),
                nodes.AffineGraph(X.T, T * 1.0),
            )
        ),
    ],
)
def test_the_nodes_refuse_by_name(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=message):
        call()


@pytest.fixture(autouse=True)
def no_trace_is_left() -> Iterator[None]:
    before = sys.gettrace()
    yield
    assert sys.gettrace() is before


@example
def test_the_graph_has_the_numbers_of_a_plain_run(example: Any) -> None:
    layer, inputs, dout = example
    out, gradients = run(layer, inputs, dout)
    graph = hood.graph(layer, inputs, dout)
    edges = {edge["name"]: edge for edge in graph["edges"]}
    assert [*edges][: len(inputs)] == [*inputs]
    assert len(edges) == len(graph["edges"]) == len(inputs) + len(graph["nodes"])
    alike(edges["out"]["value"], out)
    alike(edges["out"]["gradient"], dout)
    for name, value in inputs.items():
        alike(edges[name]["value"], value)
        if name == "t":
            assert edges[name]["gradient"] is None
        else:
            alike(edges[name]["gradient"], gradients[name])


@example
def test_an_edge_gets_the_sum_of_what_its_nodes_send(example: Any) -> None:
    graph = hood.graph(*example)
    sent: dict[int, list[Any]] = {}
    for node in graph["nodes"]:
        assert all(i < node["output"] for i in node["inputs"])
        for i, gradient in zip(node["inputs"], node["gradients"], strict=True):
            sent.setdefault(i, []).append(gradient)
    for i, edge in enumerate(graph["edges"][:-1]):
        expected = None if edge["gradient"] is None else sum(sent[i])
        np.testing.assert_array_equal(edge["gradient"], expected)


def test_the_bill() -> None:
    graph = hood.graph(*EXAMPLES["BuyFruit"])
    found = {e["name"]: (e["value"], e["gradient"]) for e in graph["edges"]}
    expected = {
        "apple": (100, 2.2),
        "apple_num": (2, 110),
        "orange": (150, 3.3),
        "orange_num": (3, 165),
        "tax": (1.1, 650),
        "apple_price": (200, 1.1),
        "orange_price": (450, 1.1),
        "fruit_price": (650, 1.1),
        "out": (715, 1),
    }
    assert [*found] == [*expected]
    for name, pair in expected.items():
        assert found[name] == pytest.approx(pair, rel=1e-15), name
    names = [edge["name"] for edge in graph["edges"]]
    drawn = [
        (node["op"], *(names[i] for i in (*node["inputs"], node["output"])))
        for node in graph["nodes"]
    ]
    assert drawn == [
        ("×", "apple", "apple_num", "apple_price"),
        ("×", "orange", "orange_num", "orange_price"),
        ("+", "apple_price", "orange_price", "fruit_price"),
        ("×", "fruit_price", "tax", "out"),
    ]


def test_the_derivatives_of_two_branches_add() -> None:
    graph = hood.graph(*EXAMPLES["SoftmaxWithLossGraph"])
    names = [edge["name"] for edge in graph["edges"]]
    assert names == ["x", "t", "z", "e", "total", "y", "log_y", "out"]
    ops = {node["op"]: node for node in graph["nodes"]}
    assert [*ops] == ["− max", "exp", "sum", "÷", "log", "− mean at t"]
    e = names.index("e")
    assert ops["sum"]["inputs"] == [e]
    assert ops["÷"]["inputs"] == [e, names.index("total")]
    branches = ops["sum"]["gradients"][0], ops["÷"]["gradients"][0]
    assert all(branch.any() for branch in branches)
    alike(graph["edges"][e]["gradient"], branches[1] + branches[0])
    # And it is what exp was handed.
    y_minus_t = np.exp(X - X.max(-1, keepdims=True)) * graph["edges"][e]["gradient"]
    alike(ops["exp"]["gradients"][0], y_minus_t)


def test_one_variable_in_two_places_and_one_array_under_two_names() -> None:
    same = np.array(3.0)
    graph = hood.graph(layers.MulLayer, {"x": same, "y": same}, ONE)
    assert graph["nodes"][0]["inputs"] == [0, 1]
    assert [edge["gradient"] for edge in graph["edges"]] == [3, 3, 1]


def test_edges_without_a_variable_are_numbered() -> None:
    graph = hood.graph(*EXAMPLES["SigmoidGraph"])
    assert [edge["name"] for edge in graph["edges"]] == ["x", "v1", "v2", "v3", "out"]
    assert [node["op"] for node in graph["nodes"]] == ["×(−1)", "exp", "+1", "1/x"]


def test_every_layer_has_a_sign() -> None:
    composites = {"BuyFruit", "SigmoidGraph", "AffineGraph", "SoftmaxWithLossGraph"}
    unsigned = {
        name
        for module in (layers, nodes)
        for name, value in vars(module).items()
        if hasattr(value, "forward") and "sign" not in vars(value)
    }
    assert unsigned == composites


@pytest.mark.parametrize("dtype_of_x", ["float32", "float64"])
def test_the_network(dtype_of_x: str, dtype: str) -> None:
    inputs = {k: v if k == "t" else v.astype(dtype) for k, v in NETWORK.items()}
    inputs["x"] = x = inputs["x"].astype(dtype_of_x)
    params = {name: inputs[name] for name in ("W1", "b1", "W2", "b2")}
    flow = TwoLayerNet.from_params(params).trace(x, inputs["t"])
    graph = hood.graph(TwoLayerNet, inputs, np.ones((), dtype))
    assert [node["op"] for node in graph["nodes"]] == [
        *("affine", "relu", "affine", "softmax with loss")
    ]
    edges = {edge["name"]: edge for edge in graph["edges"]}
    assert [*edges] == [*NETWORK, "Affine1", "Relu1", "Affine2", "out"]
    alike(edges["out"]["value"], flow["loss"])
    for name in ("Affine1", "Relu1", "Affine2"):
        alike(edges[name]["value"], flow[name])
    for name in edges.keys() - {"t", "out"}:
        alike(edges[name]["gradient"], flow["d" + name])
    forward, backward = hood.steps(TwoLayerNet, inputs, ONE).values()
    for part, wanted in ((forward, False), (backward, True)):
        found = {s["name"]: s["value"] for s in part if s["owner"] == "Network"}
        for name, value in flow.items():
            key = f'flow["{name}"]'
            assert (key in found) == (name.startswith("d") == wanted)
            if key in found:
                alike(found[key], value)


def test_the_network_ends_in_its_loss() -> None:
    with pytest.raises(ValueError, match="dout must be 1, got 2"):
        hood.graph(TwoLayerNet, NETWORK, np.array(2.0))


def test_relu_statement_by_statement() -> None:
    found = hood.steps(layers.Relu, RELU, RELU_DOUT)
    mask = RELU["x"] <= 0
    forward = inspect.unwrap(layers.Relu.forward)
    first = inspect.getsourcelines(forward)[1] + 1
    expected = [
        ('check_floats("Relu", x=x)', "", None),
        ("self.mask = x <= 0", "self.mask", mask),
        ("return np.where(self.mask, 0, x)[()]", "return", np.maximum(RELU["x"], 0)),
    ]
    assert len(found["forward"]) == len(expected)
    for i, (step, (code, name, value)) in enumerate(
        zip(found["forward"], expected, strict=True)
    ):
        assert (step["code"], step["name"], step["owner"]) == (code, name, "Relu")
        assert step["where"] == f"{place_of(forward)}:{first + i}"
        np.testing.assert_array_equal(step["value"], value)
    assert [step["name"] for step in found["backward"]] == ["", "return"]
    alike(found["backward"][1]["value"], np.where(mask, 0, RELU_DOUT))


@example
def test_every_step_is_a_statement_where_it_says(example: Any) -> None:
    found = hood.steps(*example)
    assert all(found.values())
    for step in (*found["forward"], *found["backward"]):
        file, line = step["where"].split(":")
        text = (ROOT / file).read_text().splitlines()[int(line) - 1 :]
        code = step["code"].splitlines()
        indent = text[0].removesuffix(code[0])
        assert indent.isspace()
        assert [row.removeprefix(indent) for row in text[: len(code)]] == code


def place_of(function: Any) -> str:
    """`reference/layers/linear.py`, in which a function stands."""
    return Path(inspect.getfile(function)).relative_to(ROOT).as_posix()


def lines(text: str, file: str, start: int) -> set[tuple[str, int]]:
    return {(file, start + i) for i in range(len(text.splitlines()))}


@example
def test_every_line_of_the_methods_is_seen(example: Any) -> None:
    layer, inputs, dout = example
    seen = set()
    for step in chain(*hood.steps(layer, inputs, dout).values()):
        file, line = step["where"].split(":")
        seen |= lines(step["code"], file, int(line))
    for method in (layer.forward, layer.backward):
        rows, start = inspect.getsourcelines(inspect.unwrap(method))
        file = place_of(inspect.unwrap(method))
        head = next(i for i, row in enumerate(rows) if row.endswith(":\n")) + 1
        missed = lines("".join(rows[head:]), file, start + head) - seen
        # All but Affine's refusal of a wrong number of features, which is not reached.
        refusal = [i for i, row in enumerate(rows) if "raise ValueError" in row]
        first = start + refusal[0] if refusal else 0
        assert missed == {(file, first + i) for i in range(4) if refusal}


def test_several_values_are_several_steps_and_a_shape_is_one() -> None:
    _, backward = hood.steps(*EXAMPLES["BuyFruit"]).values()
    code = "dapple, dapple_num = self.mul_apple.backward(dapple_price)"
    found = [(s["name"], float(s["value"])) for s in backward if s["code"] == code]
    assert found == [("dapple", 2.2), ("dapple_num", pytest.approx(110))]
    last = [s["name"] for s in backward[-5:]]
    assert last == [f"return[{i}]" for i in range(5)]
    forward, _ = hood.steps(*EXAMPLES["SigmoidGraph"]).values()
    shapes = [s["value"].tolist() for s in forward if s["name"] == "self.out_shape"]
    assert shapes == [[2, 2]] * 3


def test_a_statement_of_several_lines_is_one_step() -> None:
    forward, _ = hood.steps(*EXAMPLES["BuyFruit"]).values()
    first = forward[0]["code"].splitlines()
    assert (first[0], first[-1], len(first)) == ("check_alike(", ")", 8)
    assert sum(s["code"].startswith("check_alike(\n") for s in forward) == 1


def test_functions_that_a_layer_uses_are_seen_and_checks_are_not() -> None:
    forward, backward = hood.steps(*EXAMPLES["Sigmoid"]).values()
    assert [s["owner"] for s in forward] == [
        "Sigmoid",
        *["sigmoid"] * 3,
        *["Sigmoid"] * 2,
    ]
    assert {s["owner"] for s in backward} == {"Sigmoid"}


def test_a_plain_function() -> None:
    found = hood.steps(softmax, {"x": X}, ONE)
    assert not found["backward"]
    assert {step["owner"] for step in found["forward"]} == {"softmax"}
    alike(found["forward"][-1]["value"], softmax(X))
    assert found["forward"][-2]["name"] == "e"


def test_training_step_by_step() -> None:
    x = RNG.standard_normal((6, 3))
    t = np.array([0, 1, 0, 1, 1, 0])
    params = {name: NETWORK[name] for name in ("W1", "b1", "W2", "b2")}
    batches = np.array([[0, 1], [2, 3], [4, 5]])

    def train() -> Any:
        return list(training.train(params, (x, t), (x, t), batches, stops=[1, 3]))

    everything = hood.statements(train)
    found = [s for s in everything if s["owner"] == "train"]
    assert not any(s["code"].startswith("def ") for s in found)
    updates = [s for s in everything if "-=" in s["code"]]
    assert len(updates) == 3 * len(params)
    reached = {step: after for step, after, *_ in train()}
    for i, step in ((0, 1), (2, 3)):
        for update, (name, value) in zip(
            updates[4 * i :], reached[step].items(), strict=False
        ):
            assert update["name"] == f'params["{name}"]'
            alike(update["value"], value)
    loops = [s for s in found if s["code"].startswith("for step, batch")]
    assert [
        s["value"].tolist() for s in loops if s["name"] == "batch"
    ] == batches.tolist()
    chosen = [s["value"] for s in found if s["name"] == "x" and "[batch]" in s["code"]]
    np.testing.assert_array_equal(chosen, x[batches])
    codes = [s["code"] for s in found]
    assert any(code.endswith("# 1. choose a mini-batch") for code in codes)
    yielded = [s for s in found if s["name"] == "yield[0]"]
    assert [int(s["value"]) for s in yielded] == [1, 3]
    assert codes.count("losses = []") == 2


def test_a_step_holds_the_value_of_its_moment() -> None:
    mine = {"x": RELU["x"].copy()}
    found = hood.steps(layers.Relu, mine, RELU_DOUT)["forward"][1]
    mine["x"][:] = 0
    alike(found["value"], RELU["x"] <= 0)


def saved(layer: Any, inputs: Any) -> list[tuple[Any, ...]]:
    return [
        (f"{s['owner']}.{s['name']}", s["shape"], s["dtype"], s["bytes"], s["same_as"])
        for s in hood.remembered(layer, inputs)
    ]


def test_relu_remembers_one_boolean_for_each_element() -> None:
    assert saved(layers.Relu, RELU) == [("Relu.mask", (2, 2), "bool", 4, "")]
    (mask,) = hood.remembered(layers.Relu, RELU)
    alike(mask["value"], RELU["x"] <= 0)
    forward = hood.steps(layers.Relu, RELU, RELU_DOUT)["forward"]
    assert mask["where"] == forward[1]["where"]


@example
def test_what_is_remembered_was_put_there_where_it_says(example: Any) -> None:
    layer, inputs, _ = example
    for one in hood.remembered(layer, inputs):
        file, line = one["where"].split(":")
        row = (ROOT / file).read_text().splitlines()[int(line) - 1]
        assert f"self.{one['name']}" in row.split(" = ")[0]


def test_two_layers_may_hold_one_array_under_one_name() -> None:
    found = hood.remembered(nodes.AffineGraph, AFFINE)
    W = {one["owner"]: one["where"] for one in found if one["name"] == "W"}
    for owner, where in W.items():
        rows, start = inspect.getsourcelines(
            {"dot": nodes.Dot}.get(owner, nodes.AffineGraph)
        )
        assert start <= int(where.split(":")[1]) < start + len(rows), owner
    assert [*W] == ["dot"]  # the whole hands W on, and does not read it again


def test_it_is_told_what_backward_reads() -> None:
    given = {"x": RELU["x"], "t": np.array([0, 1])}
    found = hood.remembered(layers.SoftmaxWithLoss, given)
    read = {one["name"] for one in found if one["read"]}
    assert read == {"y", "labels"}
    assert {one["name"] for one in found} > read


def test_what_is_there_anyway_is_said_to_be() -> None:
    assert saved(layers.Affine, AFFINE) == [
        ("Affine.W", (3, 2), "float32", 24, "W"),
        ("Affine.x", (2, 3), "float32", 24, "x"),
    ]
    one = AFFINE | {"x": AFFINE["x"][0]}
    assert saved(layers.Affine, one)[1] == ("Affine.x", (1, 3), "float32", 12, "x")
    assert saved(layers.Sigmoid, RELU) == [
        ("Sigmoid.out", (2, 2), "float32", 16, "out")
    ]
    assert saved(layers.SigmoidGraph, RELU) == [
        ("Exp.out", (2, 2), "float32", 16, ""),
        ("Reciprocal.out", (2, 2), "float32", 16, "out"),
    ]
    found = saved(nodes.SoftmaxWithLossGraph, {"x": X, "t": T})
    assert ("log.x", (2, 3), "float64", 48, "divide.out") in found
    one_hot = {"x": X, "t": np.eye(3)[T]}
    same = {name: same for name, *_, same in saved(layers.SoftmaxWithLoss, one_hot)}
    assert same == {
        "SoftmaxWithLoss.loss": "out",
        "SoftmaxWithLoss.y": "",
        "SoftmaxWithLoss.t": "t",
        "SoftmaxWithLoss.labels": "",
    }


def test_the_layers_inside_remember_under_their_names() -> None:
    bill = {name: same for name, *_, same in saved(*EXAMPLES["BuyFruit"][:2])}
    assert bill == {
        "mul_apple.x": "apple",
        "mul_apple.y": "apple_num",
        "mul_orange.x": "orange",
        "mul_orange.y": "orange_num",
        "mul_tax.x": "",
        "mul_tax.y": "tax",
    }
    network = {
        name: (size, same) for name, _, _, size, same in saved(TwoLayerNet, NETWORK)
    }
    assert network["Relu1.mask"] == (2 * 4, "")
    assert network["Affine1.x"] == (2 * 3 * 8, "x")
    assert network["Affine2.x"] == (2 * 4 * 8, "")
    assert network["Affine2.W"] == (4 * 2 * 8, "W2")
    assert network["lastLayer.labels"] == (2 * 8, "t")
    assert not any(name.endswith(("dW", "db")) for name in network)


@example
def test_the_listing_is_the_source_of_the_steps(example: Any) -> None:
    layer, inputs, dout = example
    listed = hood.listing(layer)
    assert [one["owner"] for one in listed][:2] == [layer.__name__] * 2
    covered: set[tuple[str, int]] = set()
    for one in listed:
        rows = one["text"].splitlines()
        source = (ROOT / one["file"]).read_text().splitlines()[one["start"] - 1 :]
        assert [row.strip() for row in source[: len(rows)]] == [r.strip() for r in rows]
        place = lines(one["text"], one["file"], one["start"])
        assert not place & covered
        covered |= place
    # Only what a check asks for is not listed.
    properties: Any = layers.Affine.out_shape, nodes.Dot.out_shape
    checked = [inspect.getsource(one.fget) for one in properties]
    for step in chain(*hood.steps(layer, inputs, dout).values()):
        file, line = step["where"].split(":")
        assert (file, int(line)) in covered or any(step["code"] in c for c in checked)


def test_the_listing_of_what_is_inside() -> None:
    owners = [one["owner"] for one in hood.listing(nodes.AffineGraph)]
    assert owners == [*["AffineGraph"] * 2, *["Dot"] * 2, *["AddBias"] * 2]
    owners = [one["owner"] for one in hood.listing(TwoLayerNet)]
    assert owners == [
        *("TwoLayerNet", *["Affine"] * 3, *["Relu"] * 2, *["SoftmaxWithLoss"] * 2),
        *("to_labels", "at_labels"),
    ]
    texts = [one["text"] for one in hood.listing(layers.Sigmoid)]
    assert texts[-1].startswith("def sigmoid(")
    assert texts[1].startswith("@ieee\ndef backward(")


def test_the_trace_function_that_was_there_is_set_again() -> None:
    heard = []

    def theirs(frame: Any, event: str, arg: Any) -> Any:
        heard.append(frame.f_code.co_name)

    def fails() -> None:
        layers.Relu().forward(RELU["x"])
        raise KeyError

    before = sys.gettrace()
    sys.settrace(theirs)
    try:
        hood.steps(layers.Relu, RELU, RELU_DOUT)
        after_steps = sys.gettrace()
        try:
            hood.statements(fails)
        except KeyError:
            heard.append("KeyError")
        after_failure = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after_steps is after_failure is theirs
    assert "KeyError" in heard
    assert "steps" in heard


@pytest.mark.usefixtures("without_shape_checks")
def test_a_layers_refusal_comes_through_as_it_is() -> None:
    with pytest.raises(TypeError, match="Relu: x must be a floating-point array"):
        hood.steps(layers.Relu, {"x": np.array([1, 2])}, ONE)
    with pytest.raises(ValueError, match="Dot: x must have shape"):
        hood.graph(nodes.AffineGraph, AFFINE | {"x": X[:, :2].astype(f32)}, RELU_DOUT)


def test_another_recording_inside_of_one() -> None:
    inner: list[Any] = []

    def call() -> None:
        layers.Relu().forward(RELU["x"])
        inner.extend(hood.statements(lambda: layers.Exp().forward(RELU["x"])))
        layers.Log().forward(RELU["x"] ** 2)

    outer = {step["owner"] for step in hood.statements(call)}
    assert outer == {"Relu", "Log"}
    assert {step["owner"] for step in inner} == {"Exp"}
