"""What is taken as a function, how it is called, and what is refused in a sentence."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import UnusableFunction, UnusableInput
from gradparity.parity_tests.functions.arguments import Call
from gradparity.parity_tests.functions.calling import flat, prepare
from gradparity.parity_tests.functions.comparison import compare_functions
from gradparity.parity_tests.functions.inputs import of as inputs_of
from gradparity.parity_tests.functions.inputs import parse
from gradparity.parity_tests.functions.targets import load_all
from gradparity.parity_tests.functions.targets import of as target_of
from gradparity.parity_tests.implementations.user_supplied import Left

TORCH = "import torch\nimport torch.nn.functional as F\n"
JAX = "import jax\nimport jax.numpy as jnp\n"
NUMPY = "import numpy as np\n"
ALL = TORCH + JAX + NUMPY
X = "x=[[1,-2],[3,4]]"
Calls = Callable[..., Any]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """(code, names, inputs) -> the calls of the functions in a file of this code."""
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    monkeypatch.chdir(tmp_path)

    def made(
        code: str,
        names: str,
        given: Sequence[str] = (X,),
        shapes: Sequence[str] = (),
        dtype: str = "float64",
    ) -> Any:
        Path("mine.py").write_text(code, encoding="utf-8")
        targets = load_all([f"mine.py:{name}" for name in names.split()])
        prepared = prepare(targets, parse(given, shapes))
        found = [
            flat(t, prepared.inputs, dtype, prepared.dout) for t in prepared.targets
        ]
        return SimpleNamespace(calls=found, call=found[0], prepared=prepared)

    return made


def run(call: Call) -> tuple[list[Any], list[Any] | None]:
    """Outputs, and gradients where they are by hand, as NumPy arrays."""
    if call.target.framework == "torch":
        import torch

        found = call.function(*map(torch.tensor, call.leaves))
        return [each.detach().numpy() for each in found], None
    if call.target.framework == "jax":
        import jax

        with jax.enable_x64(True):
            return [np.asarray(each) for each in call.function(*call.leaves)], None
    seeds = [np.ones(shape) for shape in call.shapes]
    outs, gradients = call.function([leaf.copy() for leaf in call.leaves], seeds)
    return [np.asarray(each) for each in outs], gradients


@pytest.mark.parametrize(
    ("code", "expected", "kind"),
    [
        ("f = torch.nn.Tanh()", "torch", "module"),
        ("f = torch.nn.Tanh", "torch", "module"),
        ("def f(): return torch.nn.Tanh()", "torch", "module"),
        ("f = partial(torch.clamp, min=0.0)", "torch", "differentiated"),
        ("f = jax.jit(lambda x: x * 2)", "jax", "differentiated"),
        ("f = jax.jit(lambda x: jnp.tanh(x))", "jax", "differentiated"),
        ("W = torch.ones(2, 2)\ndef f(x): return x @ W", "torch", "differentiated"),
        ("W = jnp.ones((2, 2))\ndef f(x): return x @ W", "jax", "differentiated"),
        ("W = np.ones((2, 2))\ndef f(x): return x @ W", "numpy", "none"),
        ("def f(x): return x * 2", "torch", "differentiated"),
        ("def f(x): return np.exp(x)", "numpy", "none"),
        ("def f(x):\n    import torch as th\n    return th.exp(x)", "torch", None),
        ("def g(x): return jnp.exp(x)\ndef f(x): return g(x) * 2", "jax", None),
        ("def f(x): return (lambda y: jnp.exp(y))(x)", "jax", None),
        ("f = torch.tanh", "torch", None),
        ("f = jnp.tanh", "jax", None),
        ("f = np.tanh", "numpy", "none"),
        ("def f(x, dout): return x * 2, dout * 2", "numpy", "returned"),
        (
            "def f(x): return np.exp(x)\ndef vjp(f, p, d): return f(*p), p",
            "numpy",
            "vjp",
        ),
        ("def f(x): return x * 2\ndef vjp(f, p, d): return f(*p), p", "numpy", "vjp"),
        ("from torch.func import vjp\ndef f(x): return x * 2", "torch", None),
        ("from jax import vjp\ndef f(x): return np.exp(x)", "numpy", "none"),
        (
            "class Own(torch.autograd.Function):\n"
            "    @staticmethod\n    def forward(ctx, x): return x * 2\n"
            "    @staticmethod\n    def backward(ctx, d): return d * 2\n"
            "f = Own",
            "torch",
            "differentiated",
        ),
        (
            "class T:\n    def __call__(self, x): return torch.tanh(x)\nf = T()",
            "torch",
            "differentiated",
        ),
        (
            "f = jax.custom_vjp(lambda x: x)\n"
            "f.defvjp(lambda x: (x, 0), lambda r, d: (d,))",
            "jax",
            "differentiated",
        ),
        (
            "class f:\n    def forward(self, x): return x * 2\n"
            "    def backward(self, dout): return dout * 2",
            "numpy",
            "class",
        ),
    ],
)
def test_what_is_taken(
    calls: Calls, code: str, expected: str, kind: str | None
) -> None:
    """Of a module that imports all three, whichever its function is written in."""
    found = calls(ALL + "from functools import partial\n" + code, "f")
    assert found.call.target.framework == expected
    assert kind is None or found.call.target.kind == kind
    assert found.call.names == ["x"]
    assert found.call.gradient_names == ["dx"]
    assert found.call.output_names == ["out"]
    assert found.call.shapes == [(2, 2)]
    assert run(found.call)[0][0].dtype == np.float64


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        ("def layer_norm(x): pass", "layernorm", "did you mean layer_norm?"),
        ("def f(x): pass", "f.g", "there is no g in mine.py:f"),
        ("f = 3", "f", "mine.py:f is of type int: expected a function"),
        ("f = torch.nn.Linear", "f", "is a class that is made of in_features, out_"),
        ("class f: pass", "f", "is a class without forward and backward"),
        ("def f(x): return x.nothing", "f", "no attribute 'nothing' (mine.py, line 3)"),
        ("def f(x): raise SystemExit(3)", "f", "mine.py:f raised SystemExit: 3"),
        ("def f(x): return torch.fft.fft(x)", "f", "out of mine.py:f is complex"),
        ("def f(x): return 'word'", "f", "builtins.str: expected tensors"),
        (
            "def f(x): return torch.exp(x).tolist()",
            "f",
            "builtins.float: expected tens",
        ),
        ("def f(x): pass", "f", "mine.py:f returns nothing"),
        ("def f(): return torch.ones(3)", "f", "takes nothing that it could be comp"),
        (
            "def f(x): return F.linear(x, torch.ones(3, 3))",
            "f",
            "shapes cannot be multi",
        ),
        (
            "1 / 0",
            "f",
            "cannot be imported: ZeroDivisionError: division by zero (mine.py",
        ),
        ("def f(x):\n  retrun x", "f", "cannot be imported: SyntaxError"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_sentence(
    calls: Calls, code: str, name: str, expected: str
) -> None:
    with pytest.raises((UnusableFunction, Left)) as refused:
        calls(TORCH + code, name)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["mine.py", "mine.py:", ":f", "mine.py:f(x)", ""])
def test_a_function_has_a_place_and_a_name(text: str) -> None:
    with pytest.raises(UnusableFunction, match=r"expected a function as file\.py:name"):
        load_all([text])


def test_a_module_is_differentiated_with_respect_to_its_parameters(
    calls: Calls,
) -> None:
    code = TORCH + (
        "f = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))\n"
        "f[0].bias.requires_grad_(False)\n"
    )
    found = calls(code, "f")
    call, module = found.call, found.call.target.function
    assert call.names == ["x", "0.weight", "1.weight", "1.bias"]
    assert call.gradient_names == ["dx", "d0.weight", "d1.weight", "d1.bias"]
    assert call.leaves[1].dtype == np.float64
    before = module[1].running_mean.clone()
    (out,), _ = run(call)
    import torch

    torch.testing.assert_close(module[1].running_mean, before)  # its own is left alone
    expected = module(torch.tensor([[1.0, -2.0], [3.0, 4.0]]))
    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-5)


def test_what_a_module_holds_is_there_for_other_functions(calls: Calls) -> None:
    code = TORCH + (
        "f = torch.nn.Linear(2, 3)\n"
        "def by_name(x, weight, bias): return x @ weight.T + bias\n"
        "def by_place(x, W, b): return x @ W.T + b\n"
    )
    found = calls(code, "f by_name by_place")
    assert [call.names for call in found.calls] == [["x", "weight", "bias"]] * 3
    assert found.calls[2].matched == [("weight", "W"), ("bias", "b")]
    one, other, third = (run(call)[0][0] for call in found.calls)
    np.testing.assert_allclose(one, other)
    np.testing.assert_array_equal(other, third)
    assert [*found.prepared.inputs] == ["x", "weight", "bias"]


def test_given_numbers_take_the_place_of_what_a_module_holds(calls: Calls) -> None:
    code = TORCH + (
        "f = torch.nn.Linear(2, 2)\ndef g(x, W, b): return F.linear(x, W, b)\n"
    )
    given = [X, "W=[[1,2],[3,4]]", "b=[5,6]"]
    found = calls(code, "f g", given)
    assert found.calls[0].matched == [("x", "input"), ("W", "weight"), ("b", "bias")]
    assert found.calls[0].names == found.calls[1].names == ["x", "W", "b"]
    np.testing.assert_array_equal(run(found.calls[0])[0], run(found.calls[1])[0])


def test_two_modules_keep_their_own_numbers_and_that_is_said(calls: Calls) -> None:
    code = TORCH + "f = torch.nn.Linear(2, 2)\ng = torch.nn.Linear(2, 2)\n"
    found = calls(code, "f g")
    assert any("numbers of its own in weight" in note for note in found.prepared.notes)
    assert not np.array_equal(run(found.calls[0])[0], run(found.calls[1])[0])


@pytest.mark.parametrize("tested", ["float64", "float32"])
@pytest.mark.parametrize("own", ["float64", "float32"])
@pytest.mark.parametrize(
    "body",
    [
        "W = torch.full((2, 2), 0.5, dtype={})\ndef f(x): return x @ W",
        "Ws = [torch.full((2, 2), 0.5, dtype={})]\ndef f(x): return F.linear(x, Ws[0])",
        "M = torch.nn.Linear(2, 2).to({})\ndef f(x): return M(x)",
        "def made(W):\n    def f(x): return x @ W\n    return f\n"
        "f = made(torch.ones(2, 2, dtype={}))",
    ],
)
def test_a_function_may_hold_tensors_of_another_dtype(
    calls: Calls, body: str, own: str, tested: str
) -> None:
    call = calls(TORCH + body.format(f"torch.{own}"), "f", dtype=tested).call
    assert str(run(call)[0][0].dtype) == tested
    assert any("tensors of its own" in note for note in call.notes) == (own != tested)


def test_what_a_function_makes_has_the_dtype_under_test(calls: Calls) -> None:
    call = calls(TORCH + "def f(x): return x * torch.tensor(0.1)", "f").call
    np.testing.assert_array_equal(run(call)[0][0], call.leaves[0] * 0.1)


@pytest.mark.parametrize(
    "code",
    [
        "y, = torch.autograd.grad((x**3).sum(), x, create_graph=True); return y",
        "y = torch.tanh(x); y.register_hook(lambda g: 2 * g); return y",
        "return torch.func.grad(lambda v: (v**3).sum())(x)",
    ],
)
def test_a_function_may_take_derivatives_itself(calls: Calls, code: str) -> None:
    found = calls(f"{TORCH}def f(x):\n    {code}\n", "f")
    assert found.call.gradient_names == ["dx"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return x if x.sum() > 0 else -x", "(TracerBoolConversionError)"),
        ("return x * float(x.sum())", "(ConcretizationTypeError)"),
        ("return jax.ops.segment_sum(x, jnp.arange(2))", "(ConcretizationTypeError)"),
        ("return jnp.fft.fft(x).real", "complex numbers are not compared, as in"),
    ],
)
def test_what_jax_cannot_trace_is_refused_with_the_line(
    calls: Calls, code: str, expected: str
) -> None:
    given = ["x=[[1.5,-2],[3,4]]"]
    calls(f"{JAX}def f(x):\n    {code}\n", "f", given)
    with pytest.raises(UnusableFunction) as refused:
        compare_functions(load_all(["mine.py:f", "mine.py:f"]), parse(given, []), [])
    assert expected in str(refused.value)
    assert str(refused.value).endswith(("(mine.py, line 4)", "(mine.py:4)"))


def test_a_function_that_writes_into_its_inputs(calls: Calls) -> None:
    code = ALL + (
        "def f(x):\n    x += 1\n    return x * torch.ones(())\n"
        "def g(x):\n    x += 1\n    return x * np.ones(())\n"
    )
    found = calls(code, "f g")
    for call in found.calls:
        before = call.leaves[0].copy()
        np.testing.assert_array_equal(run(call)[0][0], before + 1)
        np.testing.assert_array_equal(call.leaves[0], before)


# --- By hand --------------------------------------------------------------------------

BY_HAND = {
    "a tuple": "return out, dout @ W.T, x.T @ dout, dout.sum(0)",
    "two tuples": "return out, (dout @ W.T, x.T @ dout, dout.sum(0))",
    "a dict": "return dict(out=out, dx=dout @ W.T, dW=x.T @ dout, db=dout.sum(0))",
    "other letters": "return dict(out=out, dx=dout @ W.T, dw=x.T @ dout, db=dout.sum(0))",
    "out and a dict": "return out, dict(db=dout.sum(0), dx=dout @ W.T, W=x.T @ dout)",
}
CLASS = """
class f:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T
"""
VJP = """
def f(x, W, b): return x @ W + b
def vjp(f, primals, dout):
    x, W, b = primals
    return f(x, W, b), (dout @ W.T, x.T @ dout, dout.sum(0))
"""


@pytest.mark.parametrize(
    "code",
    [
        *(
            f"def f(x, W, b, dout):\n    out = x @ W + b\n    {e}"
            for e in BY_HAND.values()
        ),
        CLASS,
        VJP,
    ],
    ids=[*BY_HAND, "a class", "a vjp"],
)
def test_gradients_by_hand(calls: Calls, code: str) -> None:
    call = calls(NUMPY + code, "f", (), ["x=3,4", "W=4,2", "b=2"]).call
    assert call.target.framework == "numpy"
    assert call.names == ["x", "W", "b"]
    x, W, b = call.leaves
    outs, gradients = run(call)
    dout = np.ones((3, 2))
    np.testing.assert_allclose(outs[0], x @ W + b)
    assert gradients is not None
    for found, expected in zip(
        gradients, (dout @ W.T, x.T @ dout, dout.sum(0)), strict=True
    ):
        np.testing.assert_allclose(found, expected)


def test_what_is_known_of_a_function_is_found_only_once(calls: Calls) -> None:
    def f(x: Any, dout: Any) -> Any:
        return np.exp(x), np.exp(x) * dout

    given = inputs_of({"x": np.ones(2)})
    known = target_of(f, framework="numpy")
    once = prepare([known], given).targets
    assert [each.kind for each in (known, *once)] == ["returned", "returned"]
    (twice,) = prepare(once, given).targets
    assert flat(twice, {"x": np.ones(2)}).differentiated


def test_integers_have_no_gradient_by_hand(calls: Calls) -> None:
    for returned in ("out, dW", "out, dW, None"):
        code = NUMPY + (
            "def f(W, idx, dout):\n    out = W[idx]\n    dW = np.zeros_like(W)\n"
            f"    np.add.at(dW, idx, dout)\n    return {returned}\n"
        )
        call = calls(code, "f", ["W=[[1,2],[3,4],[5,6]]", "idx=[0,2,2]"]).call
        _, gradients = run(call)
        assert gradients is not None
        np.testing.assert_array_equal(gradients[0], [[1, 1], [0, 0], [2, 2]])
        assert gradients[1] is None
        assert call.gradient_names == ["dW", None]


def test_gradients_that_are_not_there_are_told(calls: Calls) -> None:
    code = NUMPY + "def f(x, w, dout): return dict(out=x * w, dx=dout * w)\n"
    call = calls(code, "f", ["x=[1,2]", "w=[3,4]"]).call
    assert call.notes == ["mine.py:f has no gradient of w"]
    with pytest.raises(UnusableFunction, match="must return out, dx, dw, got 2"):
        calls(
            NUMPY + "def f(x, w, dout): return x * w, dout * w",
            "f",
            ["x=[1,2]", "w=[3,4]"],
        )


def test_nested_gradients_by_hand(calls: Calls) -> None:
    code = NUMPY + (
        "def f(x, p, dout):\n"
        "    out = x * p['w'] + p['b']\n"
        "    return out, dout * p['w'], {'w': dout * x, 'b': dout}\n"
    )
    call = calls(code, "f", ["x=[1,2]", 'p={"b": [5.0, 6.0], "w": [3.0, 4.0]}']).call
    assert call.names == ["x", "p.b", "p.w"]
    assert call.gradient_names == ["dx", "dp.b", "dp.w"]
    _, gradients = run(call)
    assert gradients is not None
    np.testing.assert_array_equal(gradients, [[3, 4], [1, 1], [1, 2]])


# --- Names, outputs and settings --------------------------------------------------------


def test_inputs_go_by_position_where_the_names_are_others(calls: Calls) -> None:
    code = TORCH + (
        "def f(x, w, b): return torch.exp(x) * w + b\n"
        "def g(inp, weight, eps=1e-5, bias=None): return torch.exp(inp) * weight + bias\n"
        "def h(b, x, weight): return torch.exp(x) * weight + b\n"
    )
    given = ["b=[5,6]", "w=[3,4]", "x=[1,2]"]
    found = calls(code, "f g h", given)
    assert [*found.prepared.inputs] == ["x", "w", "b"]
    assert found.calls[1].matched == [("x", "inp"), ("w", "weight"), ("b", "bias")]
    assert found.calls[2].matched == [("w", "weight")]
    for call in found.calls:
        assert call.names == ["x", "w", "b"]
        np.testing.assert_array_equal(run(call)[0], run(found.call)[0])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            ["x=[1]", "w=[2]", "z=[3]"],
            "the input z is taken by no function: mine.py:f ta",
        ),
        (["x=[1]"], "the input w is missing: mine.py:f takes x, w"),
        (["x=[1]", "w=[2]", "w=[2]"], "the input w is given twice"),
        (
            ["x=[1]", "w=[1]", "dout=[1,2]"],
            "dout must have the shape of what mine.py:f",
        ),
    ],
)
def test_inputs_that_do_not_go_with_the_parameters(
    calls: Calls, given: list[str], expected: str
) -> None:
    code = TORCH + "def f(x, w): return x * w\ndef g(x, w): return w * x\n"
    with pytest.raises(UnusableInput, match=expected.replace(".", r"\.")):
        calls(code, "f g", given)


def test_an_input_that_only_one_takes_is_told(calls: Calls) -> None:
    code = TORCH + "def f(x, w): return x * w\ndef g(x): return x * torch.ones(())\n"
    found = calls(code, "f g", ["x=[1]", "w=[2]"])
    assert found.prepared.notes == ["mine.py:g does not take w"]
    assert found.calls[1].names == ["x"]


def test_functions_that_take_different_inputs_are_compared(calls: Calls) -> None:
    given = ["x=[1.5,2]", "w=[3.5,4]"]
    calls(
        f"{NUMPY}{TORCH}def f(x, w, dout): return x * w, dout * w, dout * x\n"
        "def g(x): return torch.tanh(x) * 2\n",
        "f g",
        given,
    )
    targets = load_all(["mine.py:f", "mine.py:g"])
    (pair,) = compare_functions(targets, parse(given, []), []).pairs
    assert pair.missing == {"f": ["dw"]}
    assert pair.partings is not None
    found = [each.steps[0].operator for each in pair.partings]
    assert found == ["numpy.multiply", "aten::tanh"]


def test_settings_are_no_arrays(calls: Calls) -> None:
    code = TORCH + (
        "def f(x, axis: int, *, eps=1e-5, way='sum', size=(1, 1)):\n"
        "    assert isinstance(axis, int) and isinstance(eps, float)\n"
        "    assert size == (2, 1)\n"
        "    return getattr(torch, way)(x, axis) + eps\n"
    )
    given = [X, "axis=1", "eps=1", 'way="mean"', "size=[2,1]"]
    found = calls(code, "f", given)
    assert found.call.names == ["x"]
    np.testing.assert_array_equal(run(found.call)[0][0], [0.5, 4.5])


def test_outputs_have_names(calls: Calls) -> None:
    code = ALL + (
        "from collections import namedtuple\n"
        "Pair = namedtuple('Pair', 'loss logits')\n"
        "def f(x): return Pair(torch.sum(x), [x, None])\n"
        "def g(x): return {'loss': jnp.sum(x), 'more': (x, 3)}\n"
    )
    found = calls(code, "f g")
    assert found.calls[0].output_names == ["out.loss", "out.logits[0]"]
    assert found.calls[1].output_names == ["out.loss", "out.more[0]"]
    assert found.calls[1].notes == [
        "out.more[1] of mine.py:g is builtins.int, and is not compared"
    ]


def test_named_tuples_go_in_as_they_are() -> None:
    pytest.importorskip("torch")
    from collections import namedtuple

    kind = namedtuple("kind", "w b")

    def f(x: Any, params: Any) -> Any:
        import torch

        return torch.exp(x) * params.w + params.b[0]

    given = {"x": np.ones(2), "params": kind(np.ones(2), [np.ones(1)])}
    prepared = prepare([target_of(f)], inputs_of(given))
    call = flat(prepared.targets[0], prepared.inputs)
    assert call.names == ["x", "params.w", "params.b[0]"]
    np.testing.assert_allclose(run(call)[0][0], np.exp(1) + 1)


def test_numbers_tell_a_jax_function_the_way(calls: Calls) -> None:
    code = JAX + "def f(x): return jnp.exp(x) if x[0, 0] > 0 else x\n"
    assert calls(code, "f").call.shapes == [(2, 2)]


# --- Random numbers ---------------------------------------------------------------------


def test_random_numbers_are_seeded_and_told(calls: Calls) -> None:
    code = ALL + (
        "import random\n"
        "def f(x): return F.dropout(x, 0.5)\n"
        "def g(x): return F.dropout(x * 1, 0.5)\n"
        "def h(x): return np.exp(x) * np.random.rand(2, 2) + random.random()\n"
        "def k(x): return torch.exp(x)\n"
        "def n(x): return torch.exp(x) * float(np.random.default_rng().random())\n"
    )
    found = calls(code, "f g h k n")
    assert [call.random for call in found.calls] == [True, True, True, False, False]
    np.testing.assert_array_equal(run(found.calls[0])[0], run(found.calls[1])[0])
    assert [note for note in found.prepared.notes if "seed" in note] == [
        "mine.py:n gives other numbers each time: it keeps something from call to call, or "
        "draws random numbers that nobody can seed"
    ]


def test_what_is_kept_from_call_to_call_is_told(calls: Calls) -> None:
    code = ALL + (
        "count = [0]\n"
        "def f(x): count[0] += 1; return torch.sin(x) * count[0]\n"
        "def g(x): count[0] += 1; return jnp.sin(x) * count[0]\n"
        "def h(x): return jax.nn.softmax(jax.nn.relu(x)) * jax.nn.gelu(x)\n"
        "def k(x): return jax.jit(h)(x)\n"
    )
    notes = calls(code, "f g h k").prepared.notes
    assert [note.partition(":")[2][:29] for note in notes] == [
        "f gives other numbers each ti",
        "g gives other numbers each ti",
    ]


def test_the_generators_are_left_as_they_were(calls: Calls) -> None:
    import torch

    before = (
        random.getstate(),
        str(np.random.get_state()),
        torch.get_rng_state().tolist(),
    )
    calls(ALL + "def f(x): return F.dropout(x, 0.5) * np.random.rand()\n", "f")
    after = (
        random.getstate(),
        str(np.random.get_state()),
        torch.get_rng_state().tolist(),
    )
    assert before == after
