"""What two functions differ in has the right name, in a sentence that says who does what;
and none where none is right.
"""

import re
import string
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import inputs, targets
from gradparity.parity_tests.functions.comparison import Pair, compare_functions
from gradparity.parity_tests.functions.sentences import SENTENCES, apart, number
from gradparity.reports.explain.agreement import mistaken, sentences

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
jnp = jax.numpy
F = torch.nn.functional
Function = Callable[..., Any]

RNG = np.random.default_rng(0)
X, Y, B = RNG.standard_normal((4, 5)), RNG.standard_normal((4, 5)), RNG.random(5)
SQUARE, WEIGHTS = RNG.standard_normal((4, 4)), RNG.standard_normal((5, 5))
LABELS = torch.tensor([0, 2, 1, 4])
AHEAD = torch.ones(4, 4, dtype=torch.bool)
KEPT = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])


def compared(f: Function, g: Function, **given: Any) -> Pair:
    named = [targets.of(each, name=name) for each, name in ((f, "f"), (g, "g"))]
    return compare_functions(named, inputs.of(given), ["float64"]).pairs[0]


def repeated(times: int, tanh: Function = torch.tanh) -> Function:
    def function(x: Any, w: Any) -> Any:
        for _ in range(times):
            x = tanh(x @ w)
        return x

    return function


def tied(x: Any, w: Any) -> Any:
    return torch.tanh(x @ w) @ w


def centred(x: Any) -> Any:
    return x - x.mean(-1, keepdim=True)


NAMES: dict[str, tuple[Function, Function, dict[str, Any], str, str]] = {
    # A plain factor is no size, no root of one and no square.
    "a factor of 2": (
        *(lambda x: torch.tanh(x) * 2, torch.tanh, {"x": X}),
        *("scale", "f multiplies by 2 and g does not"),
    ),
    "a factor that is a size": (
        *(lambda x: torch.tanh(x) * 3, torch.tanh, {"x": X[:, :3]}),
        *("scale", "f multiplies by 3 and g does not"),
    ),
    "a factor that is the size of the batch": (
        *(lambda x: torch.tanh(x).sum(-1), lambda x: jnp.tanh(x).sum(-1) * 4, {"x": X}),
        *("scale", "g multiplies by 4 and f does not"),
    ),
    "a mean is divided": (
        *(lambda x: x.mean(-1) / 1.1, lambda x: x.mean(-1), {"x": X}),
        *("scale", "f divides by 1.1 and g does not"),
    ),
    "one operand is doubled": (
        lambda x, b: torch.tanh(x + b),
        lambda x, b: torch.tanh(x + 2 * b),
        {"x": X, "b": B},
        *("scale", "g multiplies b by 2 and f does not"),
    ),
    "a factor of almost 1": (
        *(lambda x: torch.tanh(x) * (1 + 1e-9), torch.tanh, {"x": X}),
        *("scale", "f multiplies by 1.000000001 and g does not"),
    ),
    "the root of a width": (
        *(lambda x: x @ x / 2, lambda x: x @ x, {"x": SQUARE}),
        *("scale", "f divides by 2, the root of the width 4, and g does not"),
    ),
    "a temperature": (
        *(lambda x: torch.exp(x / 2), lambda x: torch.exp(x * 2), {"x": X}),
        *("constant", "f divides by 2 and g multiplies by 2"),
    ),
    "dropout without its scale": (
        *(lambda x: x * KEPT / 0.8, lambda x: x * KEPT, {"x": X}),
        *("scale", "f divides by 0.8 and g does not"),
    ),
    # Sums and means.
    "a mean and a sum": (
        *(lambda x: torch.tanh(x).mean(), lambda x: torch.tanh(x).sum(), {"x": X}),
        *("mean_sum", "f takes a mean over 20 and g the sum"),
    ),
    "a mean that is divided once more": (
        *(lambda x: x.exp().mean(0), lambda x: x.exp().mean(0) / 4, {"x": X}),
        *("averaged_twice", "g divides by 4 twice and f once"),
    ),
    "another axis": (
        lambda x: F.log_softmax(x, -1),
        lambda x: F.log_softmax(x, 0),
        {"x": X},
        *("axis", "a reduction runs along axis 1 in f and along axis 0 in g"),
    ),
    "another axis in JAX": (
        lambda x: jax.nn.softmax(x, -1),
        lambda x: jax.nn.softmax(x, 0),
        {"x": X},
        *("axis", "a reduction runs along axis 1 in f and along axis 0 in g"),
    ),
    "a mean without keepdim": (
        *(centred, lambda x: x - x.mean(-1), {"x": SQUARE}),
        *("axis", "a value in f is broadcast along another axis than in g"),
    ),
    # Constants and settings.
    "an eps that is missing": (
        lambda x: x / (x.norm() + 1e-8),
        lambda x: x / x.norm(),
        {"x": X},
        *("eps", "f adds 1e-08 and g does not"),
    ),
    "an eps far from another": (
        lambda x: x / (x.norm() + 1e-3),
        lambda x: x / (x.norm() + 1e-8),
        {"x": X},
        *("eps", "eps is 0.001 in f and 1e-08 in g"),
    ),
    "momentum": (
        lambda v, x: 0.9 * v + 0.1 * x,
        lambda v, x: 0.1 * v + 0.9 * x,
        {"v": Y, "x": X},
        *("momentum", "0.9 and 0.1 stand in each other's place in f and g"),
    ),
    "delta of Huber": (
        lambda x, y: F.huber_loss(x, y),
        lambda x, y: F.huber_loss(x, y, delta=0.5),
        {"x": X, "y": Y},
        *("setting", "delta is 1 in f and 0.5 in g"),
    ),
    "beta of smooth L1": (
        lambda x, y: F.smooth_l1_loss(x, y),
        lambda x, y: F.smooth_l1_loss(x, y, beta=0.5),
        {"x": X, "y": Y},
        *("setting", "beta is 1 in f and 0.5 in g"),
    ),
    "one bound": (
        *(lambda x: x.clamp(-1, 1), lambda x: x.clamp(-1, 2), {"x": 2 * X}),
        *("clip", "max is 1 in f and 2 in g"),
    ),
    "label smoothing": (
        lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.2),
        lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.1),
        {"x": X},
        *("constant", "constants are 0.04 and 0.8 in f and 0.02 and 0.9 in g"),
    ),
    "two constants": (
        lambda x: F.layer_norm(x, (5,)) * 2,
        lambda x: F.layer_norm(x, (5,), eps=1e-6) * 3,
        {"x": X},
        *("constant", "constants are 1e-05 and 2 in f and 1e-06 and 3 in g"),
    ),
    "a mask the other way round": (
        lambda x: x.masked_fill(AHEAD.triu(1), 0.0),
        lambda x: x.masked_fill(~AHEAD.triu(1), 0.0),
        {"x": SQUARE},
        *("mask", "f masks what g keeps, and keeps what it masks"),
    ),
    "a mask off by one": (
        lambda x: torch.softmax(x.masked_fill(AHEAD.triu(1), -1e9), -1),
        lambda x: torch.softmax(x.masked_fill(AHEAD.triu(0), -1e9), -1),
        {"x": SQUARE},
        *("mask", "the mask of f is shifted by one against that of g"),
    ),
    # Steps.
    "a cast": (
        lambda x: torch.softmax(x.float(), -1).double(),
        lambda x: torch.softmax(x, -1),
        {"x": X},
        *("cast", "f casts to float32 (here) and g does not"),
    ),
    "a round more": (
        *(repeated(2), repeated(3), {"x": X, "w": WEIGHTS}),
        *("dropped", "g goes on from what f returns, with aten::mm(v5, v1)"),
    ),
    "weights that are tied, transposed once": (
        tied,
        lambda x, w: torch.tanh(x @ w) @ w.T,
        {"x": X, "w": WEIGHTS},
        *("transposed", "a matrix in f is the transpose of that in g"),
    ),
    "weights that are tied, transposed twice": (
        tied,
        lambda x, w: torch.tanh(x @ w.T) @ w.T,
        {"x": X, "w": WEIGHTS},
        *("transposed", "f takes the transpose of w where g takes w"),
    ),
    "a softmax of a softmax": (
        lambda x: torch.softmax(x, -1),
        lambda x: torch.softmax(torch.softmax(x, -1), -1),
        {"x": X},
        *(
            "dropped",
            "g goes on from what f returns, with aten::_softmax(v1, -1, False)",
        ),
    ),
    "a weight": (
        *(lambda x, w: x.tanh() * w, lambda x, w: x.tanh() + 0 * w, {"x": X, "w": Y}),
        *("missing", "f multiplies by w and g does not"),
    ),
    "a residual": (
        lambda x, w: torch.relu(x @ w),
        lambda x, w: x + jax.nn.relu(x @ w),
        {"x": X, "w": WEIGHTS},
        *("missing", "g adds x and f does not"),
    ),
    "a bias": (
        lambda x, w, b: F.linear(x, w, b),
        lambda x, w, b: x @ w.T + 0 * b,
        {"x": X, "w": WEIGHTS, "b": B},
        *("missing", "f adds b and g does not"),
    ),
    "a sign": (
        *(lambda x, y: x - y, lambda x, y: jnp.add(x, y), {"x": X, "y": Y}),
        *("sign", "f has - where g has +"),
    ),
    "another function": (
        *(F.silu, F.gelu, {"x": X}),
        *("function", "f has aten::silu(v0) where g has aten::gelu(v0)"),
    ),
    "a root of what is positive": (
        *(lambda x: x.var(-1), lambda x: x.var(-1).sqrt(), {"x": X}),
        *("squared", "g applies sqrt and f does not"),
    ),
    "a logarithm to another base": (
        *(lambda x: x.exp().sum(0).log2(), lambda x: x.exp().sum(0).log(), {"x": X}),
        *("base", "a logarithm is natural in g and to base 2 in f"),
    ),
    "a kernel in reverse": (
        lambda x, w: jnp.convolve(x, w, mode="valid"),
        lambda x, w: jnp.correlate(x, w, mode="valid"),
        {"x": X[0], "w": Y[0, :3]},
        *("order", "a value in f is that in g in reverse order"),
    ),
    "outputs in each other's place": (
        lambda x: (torch.tanh(x), torch.exp(x)),
        lambda x: (torch.exp(x), torch.tanh(x)),
        {"x": X},
        *("swapped", "out[0] of f is out[1] of g, and the reverse"),
    ),
    # Gradients.
    "a gradient that is stopped": (
        lambda x: x * torch.sigmoid(x).detach(),
        lambda x: x * torch.sigmoid(x),
        {"x": X},
        *("stopped", "f stops the gradient that goes back through aten::sigmoid(v0)"),
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_mistake_has_its_name_and_a_sentence(case: str) -> None:
    f, g, given, name, sentence = NAMES[case]
    found = compared(f, g, **given)
    assert found.mistake is not None
    told = re.sub(r"\(\S*test_mistakes.py:\d+\)", "(here)", found.mistake.sentence)
    assert (found.mistake.name, told) == (name, sentence)


NOTHING: dict[str, tuple[Function, Function]] = {
    "a square and a double": (lambda x: x * x, lambda x: 2 * x),
    "numbers that make both the same": (lambda x: x * 2, lambda x: x * x),
    "two mistakes": (lambda x: torch.tanh(x) + 3, lambda x: torch.sin(x) * 5),
}


@pytest.mark.parametrize("case", NOTHING)
def test_what_is_no_known_mistake_has_no_name(case: str) -> None:
    found = compared(*NOTHING[case], x=np.full(3, 2.0))
    assert not found.same_function
    assert found.mistake is None


@pytest.mark.parametrize("other", [torch.tanh, jnp.tanh])
def test_a_round_more_is_where_two_part(other: Function) -> None:
    """The last step of the one that ends is made by both, and is not where they part."""
    found = compared(repeated(3), repeated(2, other), x=X, w=WEIGHTS)
    assert found.partings is not None
    one, two = found.partings
    assert [step.operator for step in one.steps[:1]] == ["aten::mm"]
    assert one.steps[0].number == 4
    assert two.steps == []
    assert two.common[-1][0].results == [two_output(found)]


def two_output(found: Pair) -> int:
    assert found.sides is not None
    return found.sides[1].recording.outputs[0]


def test_what_both_make_and_return_in_another_place_is_told() -> None:
    found = compared(
        lambda x: (torch.tanh(x), torch.exp(x)),
        lambda x: (torch.exp(x), torch.tanh(x)),
        x=X,
    )
    assert found.partings is not None
    operators = [parting.steps[0].operator for parting in found.partings]
    assert operators == ["aten::tanh", "aten::exp"]


def test_numbers_are_told_apart() -> None:
    assert apart(1e-5, 1e-6) == ["1e-05", "1e-06"]
    assert apart(0.1, 0.1 + 1e-12) == ["0.1", "0.100000000001"]
    assert number(1 + 1e-9) == "1.000000001"
    assert [number(each) for each in (1.0, 0.0, 0.5)] == ["1", "0", "0.5"]


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_sentence_is_translated() -> None:
    japanese = sentences("ja")["mistakes"]
    assert japanese.keys() == SENTENCES.keys()
    for said, sentence in SENTENCES.items():
        assert places(japanese[said]) <= places(sentence), said


def test_a_mistake_is_told_in_japanese() -> None:
    found = compared(lambda x, y: (x * y).sum(), lambda x, y: (x * y).mean(), x=X, y=Y)
    assert found.mistake is not None
    said = mistaken(found.mistake, "ja")
    assert said == "gは20個の平均を、fは合計を求めます"
