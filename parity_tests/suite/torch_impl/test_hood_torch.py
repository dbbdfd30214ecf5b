"""What `torch_impl.hood` says of a function, held against autograd itself."""

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.suite.support import ROOT

torch: Any = pytest.importorskip("torch")
F = torch.nn.functional

from gradparity.parity_tests.implementations.contract import Arrays  # noqa: E402
from gradparity.torch_impl import hood, layers  # noqa: E402
from gradparity.torch_impl.networks import TwoLayerNet  # noqa: E402

rng = np.random.default_rng(5)
linear = torch.nn.Linear(3, 2, dtype=torch.float64)
network = TwoLayerNet(3, 4, 2)


class Cube(torch.autograd.Function):
    """x**3 + 0 * k with a backward of its own, of which only the saved x is seen."""

    @staticmethod
    def forward(ctx: Any, x: Any, k: float) -> Any:
        ctx.save_for_backward(x)
        return torch.from_numpy(x.detach().numpy() ** 3)

    @staticmethod
    def backward(ctx: Any, *dout: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 3 * x * x * dout[0], None


def loss(x: Any, t: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    scores = torch.func.functional_call(network, params, (x,))
    return layers.softmax_with_loss(scores, t)


def many_uses(x: Any) -> Any:
    y = x.exp()
    return (y * y + y / y.sum() + x).mean()


def broadcast(x: Any) -> Any:
    return x + x[0] + x[:, :1] * torch.tensor(2.0)


def in_place(x: Any) -> Any:
    y = x * 2
    y.add_(1)
    y *= y.detach() + 3
    return y.relu_()


def views_written_to(x: Any) -> Any:
    y = x * 2
    row = y[0]
    row.mul_(3)
    y[1] = row + row
    y.T[0].add_(1)
    return row.sum() * y


def filled(x: Any) -> Any:
    out = torch.zeros(4, dtype=x.dtype)
    out[0] = x.sum()
    out[1:3] = x[0, :2]
    return out


def masked(x: Any) -> Any:
    mask = torch.zeros_like(x)
    mask[0] = 1
    return torch.where(x > 0.1, x * mask, -x)


def several_outputs(x: Any) -> Any:
    a, b = x.unbind(0)
    largest, at = x.max(dim=1)
    return a * b + a + largest.sum() * at.sum()


def random(x: Any) -> Any:
    return F.dropout(x, 0.5) * x


def convolved(x: Any) -> Any:
    kernel = torch.ones(1, 1, 2, 2, dtype=x.dtype)
    return F.layer_norm(F.conv2d(x[None, None], kernel)[0, 0], (2,))


def modules(x: Any) -> Any:
    return linear(x).relu()


def custom(x: Any) -> Any:
    return Cube.apply(Cube.apply(x, 1.0), 2.0) * x


def mapped(x: Any) -> Any:
    once = torch.func.vmap(lambda row: row.sin() * 2)(x)
    return torch.func.vmap(torch.exp)(once) * 2 + once


def derivative(x: Any) -> Any:
    return torch.func.grad(lambda x: x.sin().sum())(x)


def penalty(x: Any) -> Any:
    (dx,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    return (dx**2).sum()


def other_dtypes(x: Any) -> Any:
    pair = torch.view_as_complex(torch.stack([x, x.bfloat16().to(x)], -1))
    return (pair.conj() * pair).real


def by_position(x: Any, /) -> Any:
    return F.mse_loss(x, x * 2) + F.normalize(x)


def long_chain(x: Any) -> Any:
    for _ in range(1100):
        x = x * 1.001
    return x


ODD = [
    *(many_uses, broadcast, in_place, views_written_to, filled, masked, random),
    *(several_outputs, convolved, modules, custom, mapped, derivative, penalty),
    *(other_dtypes, by_position),
]
AFFINE = {name: rng.normal(size=n) for name, n in (("x", (2, 3)), ("W", (3, 2)))}
AFFINE |= {"b": rng.normal(size=2)}
LABELLED = {"x": rng.normal(size=(2, 3)), "t": np.array([2, 0])}
PARAMS = {
    name: np.asarray(rng.normal(size=shape))
    for name, shape in {"W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}.items()
}
CASES: list[tuple[Callable[..., Any], Arrays]] = [
    *((function, {"x": rng.normal(size=(2, 3))}) for function in ODD),
    *((layers.relu, {"x": AFFINE["x"]}), (layers.relu_composed, {"x": AFFINE["x"]})),
    *((layers.sigmoid, {"x": AFFINE["b"]}), (layers.sigmoid_graph, {"x": AFFINE["b"]})),
    *((layers.affine, AFFINE), (layers.affine_composed, AFFINE)),
    (layers.affine, AFFINE | {"x": AFFINE["x"][0]}),
    *(
        (layers.softmax_with_loss, LABELLED),
        (layers.softmax_with_loss_composed, LABELLED),
    ),
    (
        layers.buy_fruit,
        {
            k: np.array(rng.normal())
            for k in ("apple", "apple_num", "orange", "orange_num", "tax")
        },
    ),
    (loss, {"x": AFFINE["x"], "t": np.array([1, 0])} | PARAMS),
]
each_case = pytest.mark.parametrize(
    ("function", "inputs"), CASES, ids=[function.__name__ for function, _ in CASES]
)
X = np.array([[1.0, -0.5], [-2.0, 3.0]], np.float32)
DOUT = np.array([[1, 2], [3, 4]], np.float32)


def by_autograd(function: Any, inputs: Arrays) -> tuple[Any, np.ndarray, Arrays]:
    """The output, a dout, and the gradients."""
    leaves = {k: torch.tensor(v) for k, v in inputs.items()}
    moving = {k: v.requires_grad_() for k, v in leaves.items() if v.is_floating_point()}
    with torch.random.fork_rng(devices=[]):
        out = function(*leaves.values())
    dout = rng.normal(size=out.shape)
    found = torch.autograd.grad(out, [*moving.values()], torch.tensor(dout).to(out))
    gradients = {k: g.numpy() for k, g in zip(moving, found, strict=True)}
    return out.detach(), dout, gradients


def sent_to(graph: Any, i: int) -> list[np.ndarray]:
    """What all nodes send back to an edge."""
    return [
        gradient
        for node in graph["nodes"]
        for j, gradient in zip(node["inputs"], node["gradients"], strict=True)
        if j == i and gradient is not None
    ]


@each_case
def test_gradients_are_autograds(function: Any, inputs: Arrays) -> None:
    out, dout, expected = by_autograd(function, inputs)
    state = torch.get_rng_state()
    edges = hood.graph(function, inputs, dout)["edges"]
    assert torch.equal(torch.get_rng_state(), state)
    assert [edge["name"] for edge in edges[: len(inputs)]] == [*inputs]
    for name, edge in zip(inputs, edges, strict=False):
        np.testing.assert_array_equal(edge["value"], inputs[name])
        if name in expected:
            np.testing.assert_array_equal(edge["gradient"], expected[name])
        else:
            assert edge["gradient"] is None
    assert edges[-1]["name"] == "out"
    np.testing.assert_array_equal(edges[-1]["value"], out.numpy())
    np.testing.assert_array_equal(edges[-1]["gradient"], dout)
    names = [edge["name"] for edge in edges]
    assert len({*names}) == len(names)


@each_case
def test_what_the_nodes_send_adds_up_to_the_gradient(
    function: Any, inputs: Arrays
) -> None:
    _, dout, _ = by_autograd(function, inputs)
    graph = hood.graph(function, inputs, dout)
    for i, edge in enumerate(graph["edges"][:-1]):
        sent = sent_to(graph, i)
        assert {g.shape for g in sent} <= {edge["value"].shape}
        if edge["gradient"] is None:
            assert not sent
        else:
            # bfloat16 adds up with two digits; everything else is in float64
            rtol = 1e-2 if function is other_dtypes else 1e-12
            np.testing.assert_allclose(sum(sent), edge["gradient"], rtol=rtol)


@each_case
def test_nodes_are_in_order_of_execution(function: Any, inputs: Arrays) -> None:
    _, dout, _ = by_autograd(function, inputs)
    graph = hood.graph(function, inputs, dout)
    known = {
        i
        for i, e in enumerate(graph["edges"])
        if e["name"] in inputs or e["name"][0] == "c"
    }
    for node in graph["nodes"]:
        assert {*node["inputs"]} <= known
        assert node["output"] not in known
        known.add(node["output"])
    assert known == {*range(len(graph["edges"]))}


@each_case
def test_steps_come_to_the_output_and_the_gradients(
    function: Any, inputs: Arrays
) -> None:
    out, dout, expected = by_autograd(function, inputs)
    steps = hood.steps(function, inputs, dout)
    for step in [*steps["forward"], *steps["backward"]]:
        assert re.fullmatch(r"\w+::\w+\(.*\)", step["code"])
    nodes = {node["name"] for node in hood.autograd_nodes(function, inputs, dout)}
    owners = {step["owner"] for step in steps["backward"]}
    assert owners <= nodes | {"", "bookkeeping"}
    if function is not filled:  # which writes into the output, by views of it
        last = [s["value"] for s in steps["forward"] if s["name"] == "out"][-1]
        np.testing.assert_array_equal(last.reshape(out.shape), out.numpy())
    for name, gradient in expected.items():
        found = [s["value"] for s in steps["backward"] if s["name"] == "d" + name]
        last = found[-1] if found else dout  # which is only handed on
        np.testing.assert_array_equal(last.reshape(gradient.shape), gradient)


@each_case
def test_autograds_nodes_come_before_those_they_feed(
    function: Any, inputs: Arrays
) -> None:
    _, dout, expected = by_autograd(function, inputs)
    nodes = hood.autograd_nodes(function, inputs, dout)
    assert all(later > n for n, node in enumerate(nodes) for later in node["next"])
    reached = {later for node in nodes for later in node["next"]}
    assert reached == {*range(1, len(nodes))}
    leaves = [name for node in nodes for name in node["inputs"]]
    assert sorted(leaves) == sorted(expected)


@each_case
def test_what_is_remembered_is_what_the_nodes_saved(
    function: Any, inputs: Arrays
) -> None:
    _, dout, _ = by_autograd(function, inputs)
    saved = hood.remembered(function, inputs)
    nodes = hood.autograd_nodes(function, inputs, dout)
    expected = [(node["name"], name) for node in nodes for name in node["saved"]]
    assert sorted((s["owner"], s["name"]) for s in saved) == sorted(expected)
    there = {*inputs, "out"}
    for entry in saved:
        value = entry["value"]
        assert entry["bytes"] <= value.size * value.itemsize
        assert (
            not entry["same_as"]
            or entry["same_as"][0] == "c"
            or (entry["same_as"] in there)
        )
        there.add(f"{entry['owner']}.{entry['name']}")


def test_relu_remembers_its_result() -> None:
    (saved,) = hood.remembered(layers.relu, {"x": X})
    np.testing.assert_array_equal(saved.pop("value"), np.maximum(X, 0))
    where = saved.pop("where")
    assert saved == {
        "name": "result",
        "owner": "ReluBackward0",
        "shape": (2, 2),
        "dtype": "float32",
        "bytes": 16,
        "same_as": "out",
    }
    path, line = where.split(":")
    assert path.startswith("torch_impl/layers/")
    assert "torch.relu(x)" in (ROOT / path).read_text().splitlines()[int(line) - 1]


def test_relus_steps() -> None:
    steps = hood.steps(layers.relu, {"x": X}, DOUT)
    told = [
        (step["code"], step["name"], step["owner"])
        for step in [*steps["forward"], *steps["backward"]]
        if step["owner"] != "bookkeeping"
    ]
    assert told == [
        ("aten::relu(x)", "out", "ReluBackward0"),
        ("aten::threshold_backward(dout, result, 0)", "dx", "ReluBackward0"),
    ]
    assert steps["forward"][0]["where"].startswith("torch_impl/layers/")
    nodes = hood.autograd_nodes(layers.relu, {"x": X}, DOUT)
    assert [node["formula"] for node in nodes] == ["threshold_backward", ""]
    assert nodes[0]["saved"] == ["result"]
    assert nodes[1]["inputs"] == ["x"]


def test_sigmoids_graph_reads_as_the_lecture_draws_it() -> None:
    x, dout = np.array([-1.0, 0, 2]), np.ones(3)
    nodes = hood.graph(layers.sigmoid_graph, {"x": x}, dout)["nodes"]
    assert [node["op"] for node in nodes] == ["× −1", "exp", "+ 1", "1 ÷"]
    nodes = hood.graph(layers.sigmoid, {"x": x}, dout)["nodes"]
    assert [node["op"] for node in nodes] == ["sigmoid"]


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (lambda x: 2 - x, "2 −"),
        (lambda x: 3 / x, "3 ÷"),
        (lambda x: 2**x, "2 ^"),
        (lambda x: x**2, "^ 2"),
        (lambda x: -x, "×(−1)"),
        (lambda x: x @ x, "dot"),
        (lambda x: x.T, "T"),
        (lambda x: x.sum(0), "sum(0)"),
        (lambda x: torch.add(x, x, alpha=2), "+ alpha=2"),
        (lambda x: torch.addmm(x, x, x), "dot +"),
        (lambda x: F.relu(x), "relu"),
        (torch.exp, "exp"),
    ],
)
def test_signs(function: Any, op: str) -> None:
    graph = hood.graph(
        function, {"x": X.clip(0.5)}, DOUT[0] if op == "sum(0)" else DOUT
    )
    assert [node["op"] for node in graph["nodes"]] == [op]


def test_a_branch_shows_both_contributions() -> None:
    dout = np.array(1.0)
    graph = hood.graph(many_uses, {"x": AFFINE["x"]}, dout)
    y = [edge["name"] for edge in graph["edges"]].index("v1")
    # y * y sends to either operand; y / sum(y) once, and once by the sum
    assert len(sent_to(graph, y)) == 4
    steps = hood.steps(many_uses, {"x": AFFINE["x"]}, dout)["backward"]
    sums = [step["code"] for step in steps if step["owner"] == ""]
    assert len(sums) == 4
    assert all(code.startswith("aten::add(") for code in sums)


def test_what_is_not_seen_as_a_call_has_autograds_names() -> None:
    def ops(function: Any) -> list[tuple[str, list[str]]]:
        _, dout, _ = by_autograd(function, {"x": AFFINE["x"]})
        graph = hood.graph(function, {"x": AFFINE["x"]}, dout)
        names = [edge["name"] for edge in graph["edges"]]
        return [(n["op"], [names[i] for i in n["inputs"]]) for n in graph["nodes"]]

    assert ops(custom) == [("Cube", ["x"]), ("Cube", ["v1"]), ("×", ["v2", "x"])]
    assert ops(mapped)[0] == ("Sin, Mul", ["x"])
    assert ops(views_written_to)[:3] == [
        ("× 2", ["x"]),
        ("×= 3", ["v1"]),
        ("AsStrided", ["v2"]),
    ]


def test_checks_are_bookkeeping_and_what_is_computed_is_not() -> None:
    _, dout, _ = by_autograd(layers.softmax_with_loss_composed, LABELLED)
    steps = hood.steps(layers.softmax_with_loss_composed, LABELLED, dout)["forward"]
    idle = [s["code"] for s in steps if s["owner"] == "bookkeeping"]
    used = [s["code"] for s in steps if s["owner"] != "bookkeeping"]
    assert {code.partition("(")[0] for code in idle} == {
        "aten::aminmax",
        "aten::_local_scalar_dense",
        "aten::detach",
    }
    assert used[:3] == [
        "aten::detach(x)",  # the author's own, so that no gradient flows
        "aten::amax(x, [-1], True)",
        "aten::sub(x, r1)",
    ]
    _, dout, _ = by_autograd(filled, {"x": AFFINE["x"]})
    steps = hood.steps(filled, {"x": AFFINE["x"]}, dout)["forward"]
    writes = [s["owner"] for s in steps if s["code"].startswith("aten::copy_(")]
    assert writes == ["AsStridedBackward0"] * 2
    graph = hood.graph(layers.softmax_with_loss, LABELLED, np.array(1.0))
    assert [node["op"] for node in graph["nodes"]] == ["cross_entropy"]


def test_a_detach_of_what_was_just_detached_is_not_shown_again() -> None:
    """As PyTorch 2.6 runs every detach."""
    x = np.ones(3)
    steps = hood.steps(lambda x: x.detach().detach() * x, {"x": x}, x)["forward"]
    assert [step["code"] for step in steps] == ["aten::detach(x)", "aten::mul(x, x)"]


def test_what_memory_is_extra() -> None:
    def kept(function: Any) -> dict[str, tuple[int, str]]:
        saved = hood.remembered(function, {"x": X})
        return {f"{s['owner']}.{s['name']}": (s["bytes"], s["same_as"]) for s in saved}

    weight = torch.nn.Parameter(torch.ones(2, 2))
    assert kept(lambda x: x + 1) == {}
    assert kept(lambda x: x * x) == {
        "MulBackward0.other": (16, "x"),
        "MulBackward0.self": (16, "x"),
    }
    assert kept(lambda x: x * -1) == {"MulBackward0.other": (8, "")}  # an int64
    assert kept(lambda x: x.T * weight) == {
        "MulBackward0.other": (16, "c1"),
        "MulBackward0.self": (16, "x"),
    }
    made_inside = kept(lambda x: x * torch.ones(2, 2))
    assert made_inside == {"MulBackward0.other": (16, "")}
    assert kept(lambda x: (x + 1).exp().log() + 1) == {
        "ExpBackward0.result": (16, ""),
        "LogBackward0.self": (16, "ExpBackward0.result"),
    }
    assert kept(lambda x: x * torch.tensor(2.0).expand(2, 2))["MulBackward0.other"] == (
        4,
        "",
    )


def test_settings_are_plain_values() -> None:
    nodes = hood.autograd_nodes(layers.softmax_with_loss, LABELLED, np.array(1.0))
    assert nodes[0]["settings"] == {"ignore_index": -100, "reduction": 1}
    assert nodes[0]["formula"] == "nll_loss_backward"
    assert nodes[1]["settings"] == {"dim": 1}
    nodes = hood.autograd_nodes(lambda x: x.sum(-1), {"x": X}, DOUT[0])
    assert nodes[0]["settings"]["dim"] == (-1,)
    assert nodes[0]["settings"]["keepdim"] is False


def test_without_the_modules_with_an_underscore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils._python_dispatch", None)
    steps = hood.steps(layers.relu, {"x": X}, DOUT)
    for way in ("forward", "backward"):
        (step,) = steps[way]
        assert step["code"] == "not available in this version"
        assert step["value"] is None
    nodes = hood.autograd_nodes(layers.relu, {"x": X}, DOUT)
    assert nodes[0]["name"] == "ReluBackward0"
    assert nodes[0]["formula"] == "not available in this version"
    assert hood.graph(layers.relu, {"x": X}, DOUT)["nodes"][0]["op"] == "relu"


def test_without_the_attributes_with_an_underscore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{hood.__name__}.autograd._attributes", lambda node: iter(()))
    (saved,) = hood.remembered(layers.relu, {"x": X})
    assert saved["name"] == "not available in this version"
    assert (saved["bytes"], saved["same_as"]) == (16, "out")
    (first, second) = hood.remembered(lambda x: (y := x.exp()) * y.log(), {"x": X})[:2]
    assert first["same_as"] == ""
    assert "." in second["same_as"]


@pytest.mark.parametrize("look", ["graph", "steps", "autograd_nodes", "remembered"])
@pytest.mark.parametrize(
    ("function", "came"),
    [
        (lambda x: (x, x), "a tuple"),
        (lambda x: None, "None"),
        (lambda x: float(x.sum().detach()), "a float"),
        (lambda x: x > 0, r"bool\[2, 2\]"),
        (lambda x: x.detach() * 2, r"f32\[2, 2\]"),
        (lambda x: x, r"f32\[2, 2\]"),
        (lambda x: linear.weight.sum(), r"f64\[\]"),
    ],
)
def test_refuses_what_has_no_derivative(look: str, function: Any, came: str) -> None:
    arguments = [] if look == "remembered" else [DOUT]
    with pytest.raises(TypeError, match=rf"must return one tensor .*, got {came}"):
        getattr(hood, look)(function, {"x": X}, *arguments)


@pytest.mark.parametrize("look", ["graph", "steps", "autograd_nodes"])
def test_refuses_another_shape_of_dout(look: str) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\), got \(2,\)"):
        getattr(hood, look)(layers.relu, {"x": X}, DOUT[0])


def test_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    before = weight.exp()  # part of the caller's own graph
    inputs, dout = {"x": X.copy()}, DOUT.copy()
    called: list[Any] = []

    def spied(hook: Any, node: Any) -> Any:
        def call(*arguments: Any) -> Any:
            called.append(node)
            return hook(node, *arguments)

        return call

    def function(x: Any) -> Any:
        y = torch.sin(x * before)
        return y.mul_(torch.rand(2, 2))

    def fails(x: Any) -> Any:
        raise KeyError(x)

    monkeypatch.setattr(f"{hood.__name__}.running.partial", spied)
    state = torch.get_rng_state()
    for look in (hood.graph, hood.steps, hood.autograd_nodes):
        look(function, inputs, dout)
        with torch.no_grad():
            assert look(function, inputs, dout)
            assert not torch.is_grad_enabled()
        with torch.inference_mode():
            assert look(function, inputs, dout)
        with pytest.raises(KeyError):
            look(fails, inputs, dout)
    hood.remembered(function, inputs)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(inputs["x"], X)
    np.testing.assert_array_equal(dout, DOUT)
    gradients = [weight.grad]
    assert gradients == [None]
    assert called
    called.clear()

    def seen(*_: Any) -> None:
        pytest.fail("a mode is still on")

    for module in ("recording", "execution"):
        monkeypatch.setattr(f"{hood.__name__}.{module}.line_in_source", seen)
    before.sum().backward()
    assert not called, "a hook is still there"
    assert torch.equal(weight.grad, before)


def test_a_custom_functions_saved_tensors() -> None:
    saved = hood.remembered(custom, {"x": AFFINE["x"]})
    cubes = [s for s in saved if s["owner"] == "CubeBackward"]
    assert [s["name"] for s in cubes] == ["saved_tensors[0]"] * 2
    assert [s["same_as"] for s in cubes] == ["x", ""]


def test_a_long_chain() -> None:
    graph = hood.graph(long_chain, {"x": X[0]}, DOUT[0])
    assert len(graph["nodes"]) == 1100
    expected = DOUT[0]
    for _ in range(1100):
        expected = expected * np.float32(1.001)
    np.testing.assert_allclose(graph["edges"][0]["gradient"], expected, rtol=1e-5)


@each_case
def test_no_place_on_somebodys_machine(function: Any, inputs: Arrays) -> None:
    _, dout, _ = by_autograd(function, inputs)
    told = hood.graph(function, inputs, dout)["nodes"]
    told += [s for way in hood.steps(function, inputs, dout).values() for s in way]
    lines = {entry["where"] for entry in told} - {""}
    for line in lines:
        assert re.fullmatch(r"(torch_impl|parity_tests)/[\w/]+\.py:\d+", line)
    assert lines
    nodes = hood.graph(torch.relu, {"input": X}, DOUT)["nodes"]  # no line at all
    assert [node["where"] for node in nodes] == [""]
