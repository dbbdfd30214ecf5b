"""Names and constructors as people write them: told, and no mistake."""

from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.grading.exercise import UNFIT, exercise
from gradparity.parity_tests.grading.spelling import is_size, misspelt
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.suite.grading.test_grading import (
    graded,
    lecture,
    offered_by,
    warned,
)

pytestmark = pytest.mark.usefixtures("without_shape_checks")

AFFINE = """
import numpy as np
class Affine:
    def __init__(self, {arguments}):
        {made}
    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return self.x @ {W} + {b}
    def backward(self, dout):
        dW, db = self.x.T @ dout, dout.sum(axis=0)
        {kept}
        dx = (dout @ {W}.T).reshape(self.shape)
        return {returned}
"""
GIVEN = {
    "arguments": "W, b",
    "made": "self.W, self.b = W, b",
    "W": "self.W",
    "b": "self.b",
    "kept": "self.dW, self.db = dW, db",
    "returned": "dx",
}
BOTH = "np.random.randn({0}, {1}), np.zeros({1})"


def affine(**how: str) -> str:
    return AFFINE.format(**(GIVEN | how))


# How the gradients are kept, and the names that are told.
NAMED = [
    ("self.dw, self.db = dW, db", {"dw"}),
    ("self.d_W, self.d_b = dW, db", {"d_W", "d_b"}),
    ("self.grad_W, self.b_grad = dW, db", {"grad_W", "b_grad"}),
    ("self.gradW, self.dB = dW, db", {"gradW", "dB"}),
    ("self.dWeights, self.dbias = dW, db", {"dWeights", "dbias"}),
    ("self.dW = None; self.dw, self.db = dW, db", {"dw"}),
    ("self.grads = [dW, db]", {"grads[0]", "grads[1]"}),
    ("self.grads = [db, dW]", {"grads[0]", "grads[1]"}),
    ("self.grads = {'W': dW, 'b': db}", {"grads['W']", "grads['b']"}),
    ("self.grads = {'dW': dW, 'db': db}", {"grads['dW']", "grads['db']"}),
    ("self.dW, self.db, self.dw = dW, db, 0", set()),
    ("self.dW, self.db = dW, db; self.grads = [0, 0]", set()),
]


@pytest.mark.parametrize(("kept", "names"), NAMED, ids=range(len(NAMED)))
def test_gradients_are_found_under_other_names(kept: str, names: set[str]) -> None:
    found = graded(affine(kept=kept))
    assert found.status == "pass", found.diagnosis
    said = " ".join(w.sentence for w in found.warnings if w.kind == "named")
    assert all(f"`{name}`" in said for name in names)
    assert bool(said) == bool(names)


def test_gradients_may_be_returned_beside_dx() -> None:
    found = graded(affine(kept="pass", returned="dx, dW, db"))
    assert found.status == "pass", found.diagnosis
    assert warned(found) == {("Affine", "named")}


def test_a_wrong_gradient_under_another_name_is_wrong() -> None:
    (named,) = graded(affine(kept="self.dw, self.db = dW, db / len(dout)")).diagnosis
    assert named.mistake == "bias-gradient-averaged"


def test_a_network_may_call_its_gradients_otherwise() -> None:
    source = lecture()
    for name in ("W1", "b1", "W2", "b2"):
        source = source.replace(f"grads['{name}']", f"grads['d{name}']")
    assert source != lecture()
    names = offered_by(source)
    outcomes = list(
        exercise({"TwoLayerNet": names["TwoLayerNet"]}, tasks_of("TwoLayerNet"))
    )
    assert all({"dW1", "db1", "dW2", "db2"} <= {*o.results} for o in outcomes)
    assert any(remark.what == "dW1, dW1" for o in outcomes for remark in o.remarks)


# Constructors, and the kinds of remarks on them.
MADE = [
    (affine(arguments="b, W"), set()),
    (affine(arguments="weight, bias", made="self.W, self.b = weight, bias"), set()),
    (affine(arguments="n, m", made="self.W, self.b = " + BOTH.format("n", "m")), {"made"}),
    (affine(arguments="output_size, input_size",
            made="self.W, self.b = " + BOTH.format("input_size", "output_size")), {"made"}),
    (affine(arguments="n_in, n_out", W="self.params[0]", b="self.params[1]",
            made=f"self.params = [{BOTH.format('n_in', 'n_out')}]"), {"made"}),
    (affine(arguments="n, m", W="self.params['W']", b="self.params['b']",
            made="self.params = dict(zip('Wb', (" + BOTH.format("n", "m") + ")))"),
     {"made"}),
    (affine(arguments="n, m", W="self.weight", b="self.bias",
            made="self.weight, self.bias = " + BOTH.format("n", "m")), {"made"}),
    # The list and the attributes are the same arrays.
    (affine(arguments="n, m", W="self.params[0]", made="self.W, self.b = "
            + BOTH.format("n", "m") + "; self.params = [self.W, self.b]"), {"made"}),
    # A bias in a row has a gradient in a row.
    (affine(arguments="n, m", kept="self.dW, self.db = dW, db[None]",
            made="self.W, self.b = np.random.randn(n, m), np.zeros((1, m))"), {"made"}),
    ("import numpy as np\nclass Relu:\n    def __init__(self, name, size):\n        pass\n"
     "    def forward(self, x):\n        self.on = x > 0\n        return x * self.on\n"
     "    def backward(self, dout):\n        return dout * self.on\n", {"needless"}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "kinds"), MADE, ids=range(len(MADE)))
def test_what_makes_its_own_weights_is_given_ours(source: str, kinds: set[str]) -> None:
    """In the dtype that was asked: none of them is told to return another one."""
    found = graded(source)
    assert found.status == "pass", found.diagnosis
    assert {kind for _, kind in warned(found)} == kinds


REFUSED = [
    (affine(arguments="n, m, k", made="pass"),
     "`Affine` takes (n, m, k) where (W, b) is expected, as in the book"),
    (affine(arguments="input_size, output_size", made="pass"),
     "`Affine` takes (input_size, output_size) where (W, b) is expected, as in the book"),
    (affine(arguments="n, m", made="self.W = np.random.randn(n, m)"),
     "`Affine` makes its own weights and keeps no array `b`"),
    (affine(arguments="n, m", made="self.W, self.b = np.random.randn(m, n), np.zeros(m)"),
     "`Affine` makes its own weights, and `W` has the shape (5, 3) where (3, 5) is right"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_made_is_refused_in_a_sentence(
    source: str, sentence: str
) -> None:
    (outcome, *_) = exercise(offered_by(source), tasks_of("Affine"))
    assert outcome.raised is not None
    assert (outcome.raised.kind, outcome.raised.message) == (UNFIT, sentence)


def test_what_a_constructor_of_the_right_kind_raises_is_told() -> None:
    source = affine(made="self.W = W; self.b = bais")
    (outcome, *_) = exercise(offered_by(source), tasks_of("Affine"))
    assert outcome.raised is not None
    assert outcome.raised.kind == "NameError"


@pytest.mark.parametrize("name", ["forwar", "foward", "forword", "Forward", "forwards"])
def test_a_misspelt_method_is_told_as_that(name: str) -> None:
    source = lecture().replace("def forward", f"def {name}")
    (outcome, *_) = exercise({"Relu": offered_by(source)["Relu"]}, tasks_of("Relu"))
    assert outcome.raised is not None
    assert outcome.raised.kind == UNFIT
    assert outcome.raised.message == f"`Relu` has `{name}`, no `forward`: misspelt?"
    assert outcome.results == {}


def test_what_comes_before_a_misspelt_method_is_run() -> None:
    source = lecture().replace("def backward", "def bacward")
    (outcome, *_) = exercise({"Relu": offered_by(source)["Relu"]}, tasks_of("Relu"))
    assert [*outcome.results] == ["out"]
    assert outcome.raised is not None
    assert outcome.raised.message == "`Relu` has `bacward`, no `backward`: misspelt?"
    source = lecture().replace("def predict", "def pred")
    network = {
        "TwoLayerNet": offered_by(source.replace("self.predict", "self.pred"))[
            "TwoLayerNet"
        ]
    }
    (outcome, *_) = exercise(network, tasks_of("TwoLayerNet"))
    assert {"loss", "accuracy", "dW1"} <= {*outcome.results}
    assert outcome.raised is not None
    assert outcome.raised.message == "`TwoLayerNet` has `pred`, no `predict`: misspelt?"


def test_another_method_is_not_misspelt() -> None:
    class Network:
        def numerical_gradient(self) -> None: ...

        def backward(self) -> None: ...

        backwards = np.zeros(3)

    assert misspelt(Network(), "gradient") is None
    assert misspelt(Network(), "forward") is None

    class Other(Network):
        def back(self) -> None: ...

    assert misspelt(Other(), "backward") == "back"


@pytest.mark.parametrize(
    "name", ["input_size", "n_in", "in_features", "inputs", "indim"]
)
def test_sizes_are_known_by_their_names(name: str) -> None:
    assert is_size(name, 0)
    assert is_size(name.replace("in", "out"), 1)
    assert not is_size(name, 1)
    anything: Any = ["index", "W", "b", "x", "init"]
    assert not any(is_size(each, 0) for each in anything)


def test_the_function_may_come_second() -> None:
    text = """
def numerical_diff(x, func):
    return (func(x + 1e-4) - func(x - 1e-4)) / 2e-4
"""
    assert graded(text).status == "pass"
