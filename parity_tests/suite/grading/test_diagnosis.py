"""Mistakes as students make them are named, and what is not known is described.

Every mistake here is written anew in the lecture's code, and not taken from the catalogue:
as (what it must be called, where it is made, and old text with new text in its place).
"""

import re

import numpy as np
import pytest

from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.diagnosis import explains, known
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.outcomes import GRADED
from gradparity.parity_tests.grading.records import Diagnosis, GradedFile
from gradparity.parity_tests.grading.relations import (
    EXPLAINING,
    FAILING,
    PRECISE,
    VAGUE,
)
from gradparity.parity_tests.mutants import MUTANTS
from gradparity.parity_tests.suite.grading.test_grading import (
    CHAPTER_5,
    FITTING,
    HARMLESS,
    UNSEEN,
    graded,
    lecture,
    offered_by,
    ran,
)

pytestmark = pytest.mark.usefixtures("without_shape_checks")

Edit = tuple[str, str]

RELU_MASK = "        self.mask = (x <= 0)\n        out = x.copy()\n"
RELU_BACK = "        dout[self.mask] = 0\n        dx = dout\n"
ADD_BACK = "        dx = dout * 1\n        dy = dout * 1\n"
MUL_BACK = (
    "        dx = dout * self.y  # xとyをひっくり返す\n"
    "        dy = dout * self.x\n"
)  # fmt: skip
SIGMOID = (
    "        out = 1 / (1 + np.exp(-x))\n        self.out = out\n        return out\n"
)
SIGMOID_BACK = "dout * (1.0 - self.out) * self.out"
AFFINE = "np.dot(self.x, self.W) + self.b"
DX, DW, DB = "np.dot(dout, self.W.T)", "np.dot(self.x.T, dout)", "np.sum(dout, axis=0)"
RESTORED = (
    "        dx = dx.reshape(*self.original_x_shape)"
    "  # 入力データの形状に戻す（テンソル対応）\n"
)
KEPT_T = "        self.t = t\n"
LOSS_BACK = """\
        if self.t.size == self.y.size:  # 教師データがone-hot-vectorの場合
            dx = (self.y - self.t) / batch_size
        else:
            dx = self.y.copy()
            dx[np.arange(batch_size), self.t] -= 1
            dx = dx / batch_size
        return dx
"""
SOFTMAX = """\
        x = x.T
        x = x - np.max(x, axis=0)
        y = np.exp(x) / np.sum(np.exp(x), axis=0)
        return y.T
"""
PICKED = "y[np.arange(batch_size), t]"
ERROR = f"-np.sum(np.log({PICKED} + 1e-7)) / batch_size"
TWO_STEPS = """\
        x[idx] = tmp_val - h
        fxh2 = f(x)  # f(x-h)
        grad[idx] = (fxh1 - fxh2) / (2*h)
"""
ONE_STEP = "        fxh2 = f(x)\n        grad[idx] = (fxh1 - fxh2) / h\n"
NDITER = """\
    it = np.nditer(x, flags=['multi_index'], op_flags=['readwrite'])
    while not it.finished:
        idx = it.multi_index
        tmp_val = x[idx]
        x[idx] = float(tmp_val) + h
"""
LAYER_FORWARD = "            x = layer.forward(x)\n"
PREDICT = LAYER_FORWARD + "        return x\n"


def softmax_as(rows: str) -> Edit:
    return SOFTMAX, rows


# --- Mistakes that are known ----------------------------------------------------------

KNOWN: list[tuple[str, str, list[Edit]]] = [
    ("addition-treated-as-multiplication", "AddLayer", [
        ("        out = x + y\n", "        self.x, self.y = x, y\n        out = x + y\n"),
        (ADD_BACK, "        dx = dout * self.y\n        dy = dout * self.x\n"),
    ]),
    ("derivative-shared-between-inputs", "AddLayer", [
        (ADD_BACK, "        dx = 0.5 * dout\n        dy = 0.5 * dout\n"),
    ]),
    ("second-derivative-forgotten", "AddLayer", [("return dx, dy", "return dx")]),
    ("factors-not-swapped", "MulLayer", [
        (MUL_BACK, "        dx = dout * self.x\n        dy = dout * self.y\n"),
    ]),
    ("product-without-dout", "MulLayer", [
        (MUL_BACK, "        dx = self.y\n        dy = self.x\n"),
    ]),
    ("mask-below-zero", "Relu", [("(x <= 0)", "(x < 0)")]),
    ("mask-below-zero", "Relu", [
        (RELU_MASK, RELU_MASK.replace("(x <= 0)", "(x >= 0)")),
        ("        out[self.mask] = 0\n", "        out[~self.mask] = 0\n"),
        (RELU_BACK, "        dx = dout * self.mask\n"),
    ]),
    ("mask-the-wrong-way-round", "Relu", [("dout[self.mask]", "dout[~self.mask]")]),
    ("mask-of-the-gradient", "Relu", [("dout[self.mask]", "dout[dout < 0]")]),
    ("mask-applied-to-the-input", "Relu", [
        ("        out = x.copy()\n", "        self.x = x\n        out = x.copy()\n"),
        (RELU_BACK, "        dx = self.x * (self.x > 0)\n"),
    ]),
    ("mask-of-the-first-batch", "Relu", [
        (RELU_MASK, "        if self.mask is None:\n            self.mask = x <= 0\n"),
        ("        out[self.mask] = 0\n", "        out = np.maximum(x, 0)\n"),
    ]),
    ("gradient-not-stopped", "Relu", [("        dout[self.mask] = 0\n", "")]),
    ("leaky-below-zero", "Relu", [
        ("        out[self.mask] = 0\n", "        out[self.mask] *= 0.01\n"),
    ]),
    ("derivative-from-the-input", "Sigmoid", [
        (SIGMOID, "        self.x = x\n        return 1 / (1 + np.exp(-x))\n"),
        (SIGMOID_BACK, "dout * self.x * (1 - self.x)"),
    ]),
    ("one-minus-y-forgotten", "Sigmoid", [(SIGMOID_BACK, "dout * self.out")]),
    ("sigmoid-derivative-forgotten", "Sigmoid", [(SIGMOID_BACK, "dout")]),
    ("sigmoid-taken-twice", "Sigmoid", [
        (SIGMOID_BACK, "dout * sigmoid(self.out) * (1 - sigmoid(self.out))"),
    ]),
    ("bias-forgotten", "Affine", [(" + self.b", "")]),
    ("weight-not-transposed", "Affine", [(DX, "np.dot(dout, self.W)")]),
    ("weight-reshaped-not-transposed", "Affine", [
        (DX, "np.dot(dout, self.W.reshape(self.W.shape[1], self.W.shape[0]))"),
    ]),
    ("weight-gradient-transposed", "Affine", [(DW, "np.dot(dout.T, self.x)")]),
    ("weight-gradient-averaged", "Affine", [(DW, DW + " / len(dout)")]),
    ("weight-gradient-of-one-sample", "Affine", [
        (DW, "np.dot(self.x[:1].T, dout[:1])"),
    ]),
    ("weight-decay-left-on", "Affine", [(DW, DW + " + 0.0001 * self.W")]),
    ("bias-gradient-averaged", "Affine", [(DB, "np.mean(dout, axis=0)")]),
    ("bias-gradient-summed-over-all", "Affine", [(DB, "np.sum(dout)")]),
    ("bias-gradient-over-the-wrong-axis", "Affine", [(DB, "np.sum(dout, axis=1)")]),
    ("bias-gradient-in-a-row", "Affine", [(DB, "np.sum(dout, axis=0, keepdims=True)")]),
    ("bias-gradient-not-summed", "Affine", [(DB, "dout")]),
    ("gradients-accumulated", "Affine", [
        ("        self.dW = None\n        self.db = None\n",
         "        self.dW = np.zeros_like(W)\n        self.db = np.zeros_like(b)\n"),
        (f"self.dW = {DW}", f"self.dW += {DW}"),
        (f"self.db = {DB}", f"self.db += {DB}"),
    ]),
    ("input-of-the-first-batch", "Affine", [
        ("        self.x = x\n", "        if self.x is None:\n            self.x = x\n"),
        ("np.dot(self.x, self.W)", "np.dot(x, self.W)"),
    ]),
    ("shape-not-restored", "Affine", [(RESTORED, "")]),
    ("flattened-columns-first", "Affine", [("[0], -1)", "[0], -1, order='F')")]),
    ("batch-of-one-squeezed", "Affine", [(AFFINE, f"np.squeeze({AFFINE})")]),
    ("summed-in-half-precision", "Affine", [
        ("np.dot(self.x, self.W)",
         "np.dot(np.float16(self.x), np.float16(self.W)).astype(x.dtype)"),
    ]),
    ("batch-size-forgotten", "SoftmaxWithLoss", [
        (LOSS_BACK, LOSS_BACK.replace(" / batch_size", "")),
    ]),
    ("batch-size-divided-twice", "SoftmaxWithLoss", [
        ("        return dx", "        return dx / batch_size"),
    ]),
    ("batch-size-of-the-first-batch", "SoftmaxWithLoss", [
        ("        batch_size = self.t.shape[0]\n",
         "        if not hasattr(self, 'n'):\n            self.n = self.t.shape[0]\n"),
        ("np.arange(batch_size)", "np.arange(len(dx))"),
        ("/ batch_size", "/ self.n"),
    ]),
    ("one-hot-taken-for-labels", "SoftmaxWithLoss", [
        (KEPT_T, "        if t.ndim > 1:\n            t = np.int64(t[:, 0])\n" + KEPT_T),
    ]),
    ("classes-counted-from-one", "SoftmaxWithLoss", [
        (KEPT_T, "        t = t if t.ndim == 1 else t.argmax(axis=1)\n"
         "        t = t + 1\n        t[t == x.shape[1]] = 0\n" + KEPT_T),
    ]),
    ("target-minus-output", "SoftmaxWithLoss", [("return dx", "return -dx")]),
    ("scores-minus-target", "SoftmaxWithLoss", [
        ("        return self.loss", "        self.y = x\n        return self.loss"),
    ]),
    ("gradient-at-the-label-only", "SoftmaxWithLoss", [
        (LOSS_BACK, "        t = self.t if self.t.ndim == 1 else self.t.argmax(axis=1)\n"
         "        dx = np.zeros_like(self.y)\n        i = np.arange(batch_size)\n"
         "        dx[i, t] = (self.y[i, t] - 1) / batch_size\n        return dx\n"),
    ]),
    ("softmax-applied-twice", "SoftmaxWithLoss", [("softmax(x)", "softmax(softmax(x))")]),
    ("largest-instead-of-sum", "SoftmaxWithLoss", [
        ("        return self.loss",
         "        t = t if t.ndim == 1 else t.argmax(axis=1)\n"
         "        return max(-np.log(self.y[range(len(t)), t]))"),
    ]),
    ("softmax-of-slightly-less", "SoftmaxWithLoss", [
        ("        self.y = softmax(x)\n",
         "        x = x - np.max(x, axis=1, keepdims=True)\n"
         "        total = np.sum(np.exp(x), axis=1, keepdims=True) + 1e-7\n"
         "        self.y = np.exp(x) / total\n"),
        ("cross_entropy_error(self.y, self.t)",
         "np.mean(np.log(total[:, 0]) - x[range(len(x)), "
         "t if t.ndim == 1 else t.argmax(axis=1)])"),
    ]),
    ("exponent-without-its-sign", "sigmoid", [("np.exp(-x)", "np.exp(x)")]),
    ("hyperbolic-tangent", "sigmoid", [
        ("1 / (1 + np.exp(-x))", "(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))"),
    ]),
    ("logits-not-shifted", "softmax", [("        x = x - np.max(x, axis=0)\n", "")]),
    ("sum-over-the-whole-batch", "softmax", [("if x.ndim == 2:", "if x.ndim == 3:")]),
    ("sum-over-the-whole-batch-of-shifted-rows", "softmax", [
        ("np.sum(np.exp(x), axis=0)", "np.sum(np.exp(x))"),
    ]),
    ("columns-that-sum-to-one", "softmax", [
        ("        x = x.T\n", ""), ("return y.T", "return y"),
    ]),
    ("shifted-by-the-largest-of-the-batch", "softmax", [
        ("np.max(x, axis=0)", "np.max(x)"),
    ]),
    ("row-sums-without-keepdims", "softmax", [
        (SOFTMAX, "        e = np.exp(x - np.max(x, axis=1, keepdims=True))\n"
         "        return e / np.sum(e, axis=1)\n"),
    ]),
    ("row-maxima-without-keepdims", "softmax", [
        (SOFTMAX, "        e = np.exp(x - np.max(x, axis=1))\n"
         "        return e / np.sum(e, axis=1, keepdims=True)\n"),
    ]),
    ("rows-without-keepdims", "softmax", [
        (SOFTMAX, "        e = np.exp(x - np.max(x, axis=1))\n"
         "        return e / np.sum(e, axis=1)\n"),
    ]),
    ("exponentials-not-normalised", "softmax", [
        (" / np.sum(np.exp(x), axis=0)", ""),
    ]),
    ("sign-of-the-loss-forgotten", "cross_entropy_error", [("-np.sum", "np.sum")]),
    ("batch-not-averaged", "cross_entropy_error", [(" / batch_size", "")]),
    ("averaged-over-classes-too", "cross_entropy_error", [
        (ERROR, "-np.mean(np.eye(y.shape[1])[t] * np.log(y + 1e-7))"),
    ]),
    ("loss-in-bits", "cross_entropy_error", [("np.log(", "np.log2(")]),
    ("loss-to-the-base-of-ten", "cross_entropy_error", [("np.log(", "np.log10(")]),
    ("labels-not-used", "cross_entropy_error", [(PICKED, "y")]),
    ("logarithm-forgotten", "cross_entropy_error", [
        (f"np.log({PICKED} + 1e-7)", PICKED),
    ]),
    ("all-classes-for-every-sample", "cross_entropy_error", [(PICKED, "y[:, t]")]),
    ("forward-difference", "numerical_gradient", [
        (TWO_STEPS, "        x[idx] = tmp_val\n" + ONE_STEP),
    ]),
    ("divided-by-one-step", "numerical_gradient", [("(2*h)", "h")]),
    ("step-back-to-the-start", "numerical_gradient", [("= tmp_val - h", "-= h")]),
    ("step-too-small", "numerical_gradient", [("h = 1e-4", "h = 10e-50")]),
    ("element-not-restored", "numerical_gradient", [
        ("        x[idx] = tmp_val  # 値を元に戻す\n", ""),
    ]),
    ("all-elements-at-once", "numerical_gradient", [
        (" = float(tmp_val) + h", " = tmp_val"), ("fxh1 = f(x)", "fxh1 = f(x + h)"),
        (" = tmp_val - h", " = tmp_val"), ("fxh2 = f(x)", "fxh2 = f(x - h)"),
    ]),
    ("whole-rows-at-once", "numerical_gradient", [
        (NDITER, "    for idx in range(x.shape[0]):\n"
         "        tmp_val = x[idx].copy()\n        x[idx] = tmp_val + h\n"),
        ("        it.iternext()\n", ""),
    ]),
    ("relu-on-the-scores", "TwoLayerNet", [
        ("        self.lastLayer =", "        self.layers['Relu2'] = Relu()\n"
         "        self.lastLayer ="),
    ]),
    ("relu-on-the-scores", "TwoLayerNet", [
        (PREDICT, LAYER_FORWARD + "        return np.maximum(x, 0)\n"),
    ]),
    ("softmax-in-predict", "TwoLayerNet", [
        (PREDICT, LAYER_FORWARD + "        return softmax(x)\n"),
    ]),
    ("no-activation", "TwoLayerNet", [("        self.layers['Relu1'] = Relu()\n", "")]),
    ("relu-skipped-in-backward", "TwoLayerNet", [
        ("        layers.reverse()\n", "        layers.reverse()\n        layers.pop(1)\n"),
    ]),
    ("activations-in-half-precision", "TwoLayerNet", [
        (LAYER_FORWARD, LAYER_FORWARD + "            if isinstance(layer, Relu):\n"
         "                x = np.float64(np.float16(x))\n"),
    ]),
    ("images-scaled-twice", "TwoLayerNet", [
        ("        for layer in self", "        x = x / 255.0\n        for layer in self"),
    ]),
    ("sum-over-the-whole-batch", "softmax", [
        (SOFTMAX, "        return np.exp(x) / np.sum(np.exp(x))\n"),
    ]),
    ("largest-subtracted-outside-of-exp", "softmax", [
        (SOFTMAX, "        e = np.exp(x) - np.max(x, axis=1, keepdims=True)\n"
         "        return e / np.sum(e, axis=1, keepdims=True)\n"),
    ]),
    ("largest-subtracted-outside-of-exp", "softmax", [
        (SOFTMAX, "        e = np.exp(x)\n        e = e - np.max(e)\n"
         "        return e / np.sum(e)\n"),
    ]),
    ("largest-subtracted-outside-of-exp", "softmax", [
        (SOFTMAX, "        return (np.exp(x) - np.max(x)) / np.sum(np.exp(x))\n"),
    ]),
    ("labels-weighted-after-picking", "cross_entropy_error", [
        (ERROR, f"-np.sum(t * np.log({PICKED} + 1e-7)) / batch_size"),
    ]),
    ("labels-weighted-after-picking", "cross_entropy_error", [
        (ERROR, f"-np.sum(t * np.log({PICKED} + 1e-7))"),
    ]),
    ("labels-added", "cross_entropy_error", [
        (ERROR, "np.sum(np.eye(y.shape[1])[t] + np.log(y + 1e-7))"),
    ]),
    ("labels-added", "cross_entropy_error", [
        ("    if t.size == y.size:\n        t = t.argmax(axis=1)\n", ""),
        (ERROR, "-np.sum(t + np.log(y + 1e-7)) / batch_size"),
    ]),
    ("arguments-swapped", "cross_entropy_error", [("(y, t):", "(t, y):")]),
    ("arguments-swapped", "cross_entropy_error", [
        ("    if t.size == y.size:\n        t = t.argmax(axis=1)\n", ""),
        (ERROR, "-np.sum(y * np.log(t + 1e-7)) / batch_size"),
    ]),
    ("loss-arguments-swapped", "SoftmaxWithLoss", [
        ("cross_entropy_error(self.y, self.t)", "cross_entropy_error(self.t, self.y)"),
    ]),
    ("whole-rows-at-once", "numerical_gradient", [
        (NDITER, "    for idx in range(x.shape[0]):\n"
         "        tmp_val = x[idx]\n        x[idx] = tmp_val + h\n"),
        ("        it.iternext()\n", ""),
    ]),
    ("brackets-around-2h-forgotten", "numerical_gradient", [("/ (2*h)", "/ 2*h")]),
    ("brackets-around-2h-forgotten", "numerical_gradient", [
        ("/ (2*h)", "/ 2*h"), ("h = 1e-4", "h = 1e-3"),
    ]),
    ("step-not-divided-by", "numerical_gradient", [("/ (2*h)", "/ 2")]),
    ("step-not-divided-by", "numerical_gradient", [(" / (2*h)", "")]),
    ("factors-swapped-in-forward", "Affine", [
        ("np.dot(self.x, self.W)", "np.dot(self.W, self.x)"),
    ]),
    ("factors-of-dx-swapped", "Affine", [(DX, "np.dot(self.W.T, dout)")]),
    ("factors-of-dw-swapped", "Affine", [(DW, "np.dot(dout, self.x.T)")]),
    ("input-not-transposed", "Affine", [(DW, "np.dot(self.x, dout)")]),
    ("sigmoid-on-the-scores", "TwoLayerNet", [
        ("        self.lastLayer =", "        self.layers['Sigmoid2'] = Sigmoid()\n"
         "        self.lastLayer ="),
    ]),
    ("sigmoid-on-the-scores", "TwoLayerNet", [
        ("Relu()", "Sigmoid()"),
        ("        self.lastLayer =", "        self.layers['Sigmoid2'] = Sigmoid()\n"
         "        self.lastLayer ="),
    ]),
    ("first-bias-not-used", "TwoLayerNet", [
        ("self.params['b1'])", "np.zeros(hidden_size))"),
    ]),
]  # fmt: skip


def with_mistake(where: str, edits: list[Edit]) -> str:
    """The lecture's code, with other text in one class or function."""
    source = lecture()
    pattern = rf"^(?:class|def) {where}\b.*?(?=^(?:class|def) |\Z)"
    (body,) = re.findall(pattern, source, re.MULTILINE | re.DOTALL)
    edited = body
    for old, new in edits:
        assert old in edited, f"{where} has no {old!r}"
        edited = edited.replace(old, new)
    return source.replace(body, edited)


def of(found: GradedFile, name: str) -> list[Diagnosis]:
    return [diagnosis for diagnosis in found.diagnosis if diagnosis.class_ == name]


def graded_with(where: str, edits: list[Edit]) -> GradedFile:
    """What is said of a mistake, and of what is built from the place that it is in."""
    names = offered_by(with_mistake(where, edits))
    asked = [
        name
        for name in GRADED
        if name in names and (name == where or where in SUBJECTS[name].built_from)
    ]
    return judge("submission.py", ran({name: names[name] for name in asked}))


@pytest.mark.parametrize(
    ("mistake", "where", "edits"), KNOWN, ids=[f"{w}-{m}" for m, w, _ in KNOWN]
)
def test_a_known_mistake_is_named(mistake: str, where: str, edits: list[Edit]) -> None:
    found = graded_with(where, edits)
    assert found.status == "fail"
    first, *rest = of(found, where)
    assert first.mistake == mistake
    assert first.known
    (mutant,) = (m for m in MUTANTS if m.name == mistake)
    assert mutant.sentence[1:] in first.sentence
    assert SUBJECTS[where].section in first.reread
    # What follows from it further on is described, and nothing else is named.
    assert not any(other.known for other in rest)
    for other in found.diagnosis:
        if other.class_ != where:
            assert other.mistake == "follows-from-its-parts"
            assert f"`{where}`" in other.sentence


def test_nearly_all_known_mistakes_that_fit_are_tried() -> None:
    """But for one with random numbers, and one that is another with numbers alone."""
    tried = {mistake for mistake, _, _ in KNOWN}
    failed = {mutant.name for mutant in FITTING} - {*HARMLESS, *UNSEEN}
    assert failed - tried == {"dropout-left-on", "product-written-into-its-input"}


# --- Several mistakes -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("mistake", "kind", "edit"),
    [
        (
            *("batch-size-forgotten", "labels in one-hot rows"),
            ("dx = (self.y - self.t) / batch_size", "dx = self.y - self.t"),
        ),
        (
            *("batch-size-forgotten", "labels as numbers"),
            ("            dx = dx / batch_size\n", ""),
        ),
        (
            *("target-minus-output", "labels in one-hot rows"),
            ("(self.y - self.t) / batch", "(self.t - self.y) / batch"),
        ),
    ],
)
def test_a_mistake_in_one_of_two_branches_is_named(
    mistake: str, kind: str, edit: Edit
) -> None:
    (found,) = of(graded_with("SoftmaxWithLoss", [edit]), "SoftmaxWithLoss")
    assert (found.mistake, found.known) == (mistake, True)
    assert found.sentence.startswith(f"For {kind} alone, `SoftmaxWithLoss` ")


@pytest.mark.parametrize("seed", [371, 1395, 1564])
def test_an_accuracy_that_is_the_same_by_chance_names_no_mistake(seed: int) -> None:
    """Weights that nobody sets are random, and so is the accuracy that they come to."""
    (edits,) = (edits for name, _, edits, _ in RELATED if name == "without-params")
    np.random.seed(seed)
    found = of(graded_with("TwoLayerNet", edits), "TwoLayerNet")
    assert found[0].mistake == "without-params"
    assert not any(diagnosis.known for diagnosis in found)


def test_several_mistakes_in_a_class_are_all_named() -> None:
    edits = [
        (AFFINE, "np.dot(self.x, self.W)"),
        (DW, DW + " / len(dout)"),
        (DB, "dout"),
    ]
    found = graded(with_mistake("Affine", edits))
    named = {d.mistake: d.quantities for d in of(found, "Affine")}
    assert named == {
        "bias-forgotten": ["out"],
        "weight-gradient-averaged": ["dW"],
        "bias-gradient-not-summed": ["db"],
    }


def test_a_network_of_its_own_mistake_beside_that_of_a_layer() -> None:
    harmless = with_mistake("Relu", [("(x <= 0)", "(x < 0)")])
    loop = "        for layer in self"
    found = graded(harmless.replace(loop, f"        x = x / 255\n{loop}"))
    assert [d.mistake for d in of(found, "TwoLayerNet")] == ["images-scaled-twice"]
    assert [d.mistake for d in of(found, "Relu")] == ["mask-below-zero"]


@pytest.mark.parametrize(
    "body",
    [
        # In the network, as if it had another activation: it is the layer that has.
        "        self.out = 1 / (1 + np.exp(-x))\n        return self.out\n"
        "    def backward(self, dout):\n"
        "        return dout * self.out * (1 - self.out)\n",
        "        return x * 1\n    def backward(self, dout):\n        return dout * 1\n",
    ],
)
def test_a_layer_that_is_another_is_not_a_mistake_of_the_network(body: str) -> None:
    source = lecture() + "\nclass Relu:\n    def forward(self, x):\n" + body
    found = graded(source)
    assert of(found, "Relu")
    (network,) = of(found, "TwoLayerNet")
    assert network.mistake == "follows-from-its-parts"
    assert network.relation == "may follow from `Relu`"
    assert network.sentence == (
        "`TwoLayerNet` is built from `Relu`, which is wrong: repair that first, and look "
        "again."
    )
    assert "5.5.1" in network.reread


# --- Relations ------------------------------------------------------------------------

RELATED: list[tuple[str, str, list[Edit], str | None]] = [
    ("reshaped", "Affine", [(DX, DX), (RESTORED, "        dx = dx.ravel()\n")],
     "has the right numbers in another shape: (12,) where (4, 3) is right"),
    ("another-shape", "Affine", [(DW, "np.sum(self.x)")],
     "has another shape: () where (3, 5) is right"),
    ("zeros", "Affine", [(DW, "0 * self.W")], "is zero everywhere"),
    ("zeros", "numerical_gradient", [("grad[idx] =", "grad_idx =")], "is zero everywhere"),
    ("large-step", "numerical_gradient", [("h = 1e-4", "h = 0.5")],
     "is that of a step that is too large, h = 0.5"),
    ("not-finite", "Sigmoid", [(SIGMOID_BACK, "dout / 0")], "is infinite"),
    ("not-finite", "Relu", [("dx = dout", "dx = dout * np.nan")], "is NaN"),
    ("factor", "Relu", [("dx = dout", "dx = -dout")], "has the wrong sign"),
    ("factor", "Affine", [(DX, DX + " * len(dout)")],
     "is the right one times the batch size"),
    ("factor", "Affine", [(DX, DX + " / len(dout)")],
     "is the right one divided by the batch size"),
    ("factor", "Affine", [(DW, DW + " * 3")], "is the right one times 3"),
    ("factor", "Affine", [(DW, DW + " / 2")], "is the right one divided by 2"),
    ("factor", "Affine", [(DW, DW + " * dout.shape[1]")],
     "is the right one times the number of outputs"),
    ("factor", "SoftmaxWithLoss", [("return dx", "return dx / dx.shape[1]")],
     "is the right one divided by the number of classes"),
    ("factor", "SoftmaxWithLoss", [("return dx", "return dx * batch_size ** 2")],
     "is the right one times the square of the batch size"),
    ("factor", "SoftmaxWithLoss", [("return dx", "return -dx * batch_size")],
     "is the right one times minus the batch size"),
    ("factor", "cross_entropy_error", [("/ batch_size", "/ batch_size ** 2")],
     "is the right one divided by the batch size"),
    ("factor", "Sigmoid", [(SIGMOID_BACK, SIGMOID_BACK + " / dout.shape[1]")],
     "is the right one divided by the number of columns of x"),
    ("another-quantity", "Affine", [(f"self.dW = {DW}", "self.dW = self.W")],
     "is `W` as it came in"),
    ("another-quantity", "TwoLayerNet", [("['Affine2'].db", "['Affine2'].b")],
     "is `b2` as it came in"),
    ("without-dout", "Sigmoid", [("dout * (1.0", "(1.0")],
     "does not depend on `dout`: the chain rule multiplies by it"),
    ("one-sided-difference", "numerical_gradient",
     [("h = 1e-4", "h = 1e-6"), (TWO_STEPS, "        x[idx] = tmp_val\n" + ONE_STEP)],
     "is that of a difference to one side, f(x + h) - f(x), with h = 1e-06"),
    ("wrong-at-zero", "Relu", [
        ("        out = x.copy()\n", "        self.x = x\n        out = x.copy()\n"),
        ("dx = dout", "dx = dout + 0.5 * (self.x == 0)"),
    ], "is right except where x = 0"),
    ("raises", "Affine", [(DW, "np.dot(self.x, self.y)")], None),
    ("raises", "TwoLayerNet", [
        ("np.zeros(hidden_size)", "np.zeros(output_size)"),
    ], "`TwoLayerNet(12, 7, 5).params['b1']` has the shape (5,) where an array of the "
     "shape (7,) is right."),
    ("raises", "TwoLayerNet", [("self.params['b2']", "self.params['c2']")],
     "`TwoLayerNet` has no array `params['b2']`."),
    ("missing", "TwoLayerNet", [("        return grads\n\n", "\n\n"),
                                ("        return grads", "")],
     "`TwoLayerNet.gradient` returns nothing: a `return` is missing, or all that "
     "is in it is None."),
    ("missing", "TwoLayerNet", [
        ("            dout = layer.backward(dout)\n", "            pass\n"),
    ], "`TwoLayerNet.gradient` returns nothing: a `return` is missing, or all that is in "
     "it is None."),
    ("missing", "TwoLayerNet", [("self.layers['Affine1'].db", "None")],
     "`TwoLayerNet.gradient` returns None for `b1`."),
    ("missing", "TwoLayerNet", [("def gradient(", "def compute("),
                                ("def numerical_gradient(", "def slowly(")],
     "`TwoLayerNet` has no method `gradient` that returns `W1`, `b1`, `W2` and `b2` by "
     "name."),
    ("no-numbers", "SoftmaxWithLoss", [("return self.loss", "return self.loss, self.y")],
     "is of type tuple, where real numbers are due"),
    ("two-objects", "Relu", [("self.mask", "Relu.mask")],
     "is right as long as there is one object of the class, and wrong beside a second "
     "one: something is kept in the class, or in a global variable, and not in self"),
    ("two-objects", "SoftmaxWithLoss", [("self.t", "SoftmaxWithLoss.t")], None),
    ("another-quantity", "Affine", [("return dx", "return self.dW, self.db, dx")],
     "is what `dW` should be"),
    ("another-quantity", "MulLayer", [
        (MUL_BACK, "        dx = dy = dout * self.y\n"),
    ], "is what `dx` should be"),
    ("reordered", "Affine", [(DW, "np.dot(dout.T, self.x).reshape(self.W.shape)")],
     "has the right numbers in another order"),
    ("formula", "Relu", [
        ("        out[self.mask] = 0\n", "        out = np.log(1 + np.exp(x))\n"),
    ], "is `log(1 + exp(x))`: that is the softplus"),
    ("formula", "Relu", [
        ("out[self.mask] = 0", "out = np.where(x > 0, x, np.exp(x) - 1)"),
    ], "is `where(x > 0, x, exp(x) - 1)`: that is the ELU"),
    ("formula", "Sigmoid", [(SIGMOID_BACK, "dout * (1.0 - self.out ** 2)")],
     "is `dout * (1 - y**2)`, with y the output: that is the rule of tanh"),
    ("formula", "Sigmoid", [("1 / (1 + np.exp(-x))", "1 / 1 + np.exp(-x)")],
     "is `1 / 1 + exp(-x)`: as if the brackets around 1 + exp(-x) were missing"),
    # Once taken for a product that overwrites its input.
    ("formula", "MulLayer", [("dy = dout * self.x", "dy = dx * self.x")],
     "is `dout * x * y`: the derivative of a product by one factor is the other one"),
    ("formula", "softmax", [
        ("y = np.exp(x) /", "y = x /"), ("np.sum(np.exp(x)", "np.sum(x"),
        ("        x = x - np.max(x, axis=0)\n", ""),
    ], "is `x / x.sum(axis=1, keepdims=True)`: exp is missing"),
    ("formula", "cross_entropy_error", [
        (ERROR, "np.sum((y - np.eye(y.shape[1])[t]) ** 2) / 2 / batch_size"),
    ], "is `sum((y - t)**2) / 2 / N`, with t in one-hot rows, N the batch size: that is "
     "the mean of squared errors"),
    ("formula", "cross_entropy_error", [(PICKED, PICKED.replace("t]", "t - 1]"))], None),
    ("formula", "SoftmaxWithLoss", [
        (KEPT_T, KEPT_T + "        hot = t if t.ndim > 1 else np.eye(x.shape[1])[t]\n"
         "        self.hot = hot\n"),
        (LOSS_BACK, "        return -self.hot / self.y / batch_size\n"),
    ], None),
    ("formula", "TwoLayerNet", [
        (PREDICT, LAYER_FORWARD + "        return softmax(x)\n"),
        ("return self.lastLayer.forward(y, t)",
         "return self.lastLayer.forward(2 * np.log(y), t)"),
    ], "is `softmax(right)`, with `right` for the right one: the softmax belongs to the "
     "loss alone"),
    ("by-the-sign", "Relu", [("out[self.mask] = 0", "out[self.mask] *= 0.1")],
     "is 0.1 times `x` where x is negative, and `x` where it is positive"),
    ("by-the-sign", "Relu", [("        out[self.mask] = 0\n", "        out = np.abs(x)\n")],
     "is -1 times `x` where x is negative, and `x` where it is positive"),
    ("more-added", "Affine", [(DW, DW + " + 0.01 * self.W")],
     "is the right one plus 0.01 times `W`"),
    ("more-added", "Affine", [(" + self.b", " - self.b")],
     "is the right one minus 2 times `b`"),
    ("more-in-the-logarithm", "cross_entropy_error", [("1e-7", "1e-3")],
     "is that with 0.001 added in the logarithm, which is too much"),
    ("row-sums", "softmax", [
        ("np.sum(np.exp(x), axis=0)", "(np.sum(np.exp(x), axis=0) + 1)"),
    ], None),
    ("one-sample", "Affine", [(DB, "dout[-1] * 1")],
     "is that of the last sample alone: those of all must be summed"),
    ("without-params", "TwoLayerNet", [
        ("Affine(self.params['W1'], self.params['b1'])",
         "Affine(self.params['W1'] * 1, self.params['b1'] * 1)"),
        ("Affine(self.params['W2'], self.params['b2'])",
         "Affine(self.params['W2'] * 1, self.params['b2'] * 1)"),
    ], "does not change with what `params` holds: the layers have to use those very "
     "arrays, and not copies"),
    ("whole-numbers", "numerical_gradient", [("np.zeros_like(x)", "np.zeros_like(x, int)")],
     "is of whole numbers: the array is one of int64"),
    ("zero-in-places", "numerical_gradient", [("it.iternext()", "return grad")],
     "is right in its first element, and 0 in the others, as if `return` were inside of "
     "the loop"),
    ("zero-in-places", "Affine", [(DW, DW + " * np.eye(*self.W.shape)")],
     "is 0 in places where that is wrong, and right elsewhere"),
    ("row-sums", "softmax", [(SOFTMAX, "        y = np.zeros_like(x)\n"
     "        y[0] = np.exp(x[0] - np.max(x[0]))\n        y[0] /= np.sum(y[0])\n"
     "        return y\n")], "is 0 in some rows, and right in the others"),
    ("one-kind-of-labels", "SoftmaxWithLoss", [
        ("(self.y - self.t) / batch_size", "(self.y - self.t) / self.t.size"),
    ], "is right for labels as numbers, and for one-hot rows it is the right one divided "
     "by the number of classes"),
    ("formula", "SoftmaxWithLoss", [
        ("(self.y - self.t) / batch_size", "self.y - self.t / batch_size"),
        ("            dx[np.arange(batch_size), self.t] -= 1\n"
         "            dx = dx / batch_size",
         "            dx -= np.eye(dx.shape[1])[self.t] / batch_size"),
    ], None),
    ("formula", "softmax", [
        (SOFTMAX, "        return np.exp(x - np.max(x)) / np.sum(np.exp(x))\n"),
    ], None),
    ("parameters-overwritten", "Affine", [
        (f"self.dW = {DW}", f"self.dW = {DW}\n        self.W -= 0.1 * self.dW"),
    ], "are wrong where `Affine` has written into `W`, which it was given: that is likely "
     "to be why"),
    ("one-kind-of-labels", "SoftmaxWithLoss", [
        ("            dx[np.arange(batch_size), self.t] -= 1\n", ""),
    ], "is right for one-hot rows, and not for labels as numbers"),
    ("not-finite", "Relu", [("dx = dout", "dx = dout * (self.mask + 1 / (self.z != 0))"),
                            ("        out = x.copy()\n", "        self.z = x\n"
                             "        out = x.copy()\n")], None),
    ("not-finite", "numerical_gradient", [
        ("float(tmp_val) + h", "tmp_val * (1 + h)"), ("tmp_val - h", "tmp_val * (1 - h)"),
        ("(2*h)", "(2*h*tmp_val)"),
    ], "is NaN where x = 0"),
    ("factor", "SoftmaxWithLoss", [("/ batch_size", "/ max(batch_size - 1, 1)")],
     "is the right one times N / (N - 1), where N is the batch size"),
    ("factor", "SoftmaxWithLoss", [("/ batch_size", "/ self.y.shape[1]")],
     "is the right one times the batch size and divided by the number of classes"),
    ("factor", "Affine", [(DW, DW + " / (2 * len(dout))")],
     "is the right one divided by twice the batch size"),
    ("few-digits", "softmax", [("np.exp(x) / np", "1e-9 + np.exp(x) / np")],
     "is right to about 7 digits, and rounding does not explain it"),
    ("right-for-one-sample", "cross_entropy_error", [
        (ERROR, "-np.log(y[0, t[0]] + 1e-7)"),
    ], "is right for a batch of one only"),
    ("no-numbers", "Affine", [(DW, "'dW'")], "is of type str, where real numbers are due"),
    ("missing", "Affine", [(f"self.db = {DB}", f"db = {DB}")],
     "`Affine.backward` does not set `self.db`."),
    ("missing", "Relu", [("        return out\n", "")],
     "`Relu.forward` returns nothing: a `return` is missing, or it returns None."),
    ("missing", "Relu", [("        return dx\n", "")],
     "`Relu.backward` returns nothing: a `return` is missing, or it returns None."),
    ("missing", "TwoLayerNet", [("def accuracy(", "def score(")],
     "`TwoLayerNet` has no method `accuracy`."),
    ("right-for-one-sample", "SoftmaxWithLoss", [
        ("return dx", "return dx + 0.001 * (batch_size - 1)"),
    ], "is right for a batch of one only"),
    ("wrong-for-one-sample", "Affine", [
        (DX, DX + " * (1 + 0.5 * (len(dout) == 1))"),
    ], "is right except for a batch of one"),
    ("first-call", "Relu", [
        ("dx = dout", "self.n = getattr(self, 'n', 0) + 1\n        dx = dout * self.n"),
    ], "is right on the first call of an object, and not on all others: something is "
     "kept, or changed, from one call to the next"),
    ("not-repeatable", "TwoLayerNet", [
        ("        return self.lastLayer.forward(y, t)",
         "        return self.lastLayer.forward(y, t) + np.random.rand()"),
    ], "is not the same when the same is asked again"),
    ("input-overwritten", "MulLayer", [
        ("        out = x * y\n        return out\n", "        x *= y\n        return x\n"),
    ], "is wrong where `MulLayer` has written into `x`, which it was given: that is likely "
     "to be why"),
    ("float64-only", "Sigmoid", [
        (SIGMOID_BACK, SIGMOID_BACK + " * (1 + (dout.dtype == np.float32) * dout)"),
    ], "is right in float64 only, and wrong in float32"),
    ("few-digits", "Affine", [(DW, f"np.round({DW}, 4)")],
     "is right to about 4 digits, and rounding does not explain it"),
    ("few-digits", "numerical_gradient", [("h = 1e-4", "h = 1e-10")],
     "is right to about 5 digits, and the step is too small, or too large"),
    ("some-cases", "Affine", [(DX, DX + " + (self.W.shape[0] == 6)")],
     "is wrong in the case “tensors”, and right in the others"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("relation", "where", "edits", "phrase"),
    RELATED,
    ids=[f"{w}-{r}-{i}" for i, (r, w, _, _) in enumerate(RELATED)],
)
def test_what_is_not_known_is_described(
    relation: str, where: str, edits: list[Edit], phrase: str | None
) -> None:
    found = graded_with(where, edits)
    assert found.status == "fail"
    diagnosis, *_ = of(found, where)
    assert (diagnosis.mistake, diagnosis.known) == (relation, False)
    if phrase is not None:
        assert diagnosis.relation == phrase
        assert phrase.removesuffix(".") in diagnosis.sentence


def test_every_relation_is_tried() -> None:
    tried = {relation for relation, *_ in RELATED}
    elsewhere = {"transposed", "unanswered"}  # below, and in test_grading.py
    elsewhere |= {"share-kept"}  # in test_further.py
    elsewhere |= {"step-alone", "longer-steps", "first-step"}  # in test_optimizers.py
    assert {*FAILING, *PRECISE, *EXPLAINING, *VAGUE} == tried | elsewhere


@pytest.mark.parametrize(
    ("where", "edits", "sentence"),
    [
        ("Affine", [(DW, f"{DW.replace('self.x.T, dout', 'dout.T, self.x')}")],
         "Your `dW` is the transpose of the right one. `Affine` computes dout.T @ x"),
        ("SoftmaxWithLoss", [(LOSS_BACK, LOSS_BACK.replace(" / batch_size", ""))],
         "Your `dx` is the right one times the batch size. `SoftmaxWithLoss` forgets"),
        ("AddLayer", [("dout * 1", "dout / 2")],
         "Your `dx` and `dy` are the right ones divided by 2. `AddLayer` gives each"),
        ("softmax", [("        x = x - np.max(x, axis=0)\n", "")],
         "Your `out` is NaN where the logits are large. `softmax` takes exp of"),
        ("softmax", [("np.max(x, axis=0)", "np.max(x)")],
         "Your `out` is NaN where one row of logits is far below the others. `softmax`"),
        ("Relu", [("(x <= 0)", "(x < 0)")],
         "Your `dx` is right except where x = 0. `Relu` stops the gradient where x < 0"),
        ("Affine", [(" + self.b", "")], "`Affine` leaves the bias out of forward"),
        ("Relu", [("dx = dout", "dx = dout + 0.1 * dout ** 3")],
         "Your `dx` is wrong in every case, and it is none of the mistakes that are"),
        ("Relu", [("self.mask] = 0", "self.mask] = -1")],
         "Your `out` is wrong in every case, and it is none of the mistakes that are"),
    ],
)  # fmt: skip
def test_the_sentence_begins_with_what_can_be_seen(
    where: str, edits: list[Edit], sentence: str
) -> None:
    diagnosis, *_ = of(graded_with(where, edits), where)
    assert diagnosis.sentence.startswith(sentence)
    assert diagnosis.sentence.endswith(".")


def test_whole_numbers_are_no_reason_where_they_are_right() -> None:
    (found,) = graded("def step_function(x):\n    return 1 * (x > 1)\n").diagnosis
    assert found.mistake == "zero-in-places"


def test_what_may_follow_is_told_as_that() -> None:
    _, dx = of(graded_with("Relu", [("self.mask] = 0", "self.mask] = -1")]), "Relu")
    assert dx.sentence == (
        "Your `dx` is wrong in every case, which may follow from what is wrong forward."
    )


def test_what_a_submission_says_is_no_template() -> None:
    found = graded(
        "class Relu:\n"
        "    def forward(self, x):\n"
        "        raise ValueError('{is} {0} {name}')\n"
    )
    (diagnosis,) = found.diagnosis
    assert "{is} {0} {name}" in diagnosis.sentence
    assert "{is} {0} {name}" in str(diagnosis.relation)


def test_mistakes_are_told_apart() -> None:
    """No two of a class give the same results: the first of them could be the wrong one."""
    for name in CHAPTER_5:
        for one in known(name):
            for other in known(name):
                # Of one that is a part of another, the whole is named.
                part = other.quantities & {*one.findings.wrong} < one.quantities
                if one.mutant is not other.mutant and not part:
                    assert not explains(other, one.findings), (
                        f"{one.mutant.name} is taken for {other.mutant.name}"
                    )
