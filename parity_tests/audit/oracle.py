"""Every layer as the formula that a textbook has for it, to 100 digits.

It shares nothing with the reference. At that precision, and with mpmath's unlimited
exponents, nothing overflows and no form of a formula is better than another, so that the
plainest will do; and a derivative is a central difference, so that no backward formula is
written down a second time.

Arrays are NumPy's, of mpmath's numbers (dtype object). A formula has the layer's
inputs as its arguments.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp

from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.implementations.contract import Arrays, differentiable

DIGITS = 100
STEP = mp.mpf(10) ** -25  # relative: the error is of its square, and 50 digits are left

Exact = np.ndarray  # of mpmath's numbers
exp, log = (np.frompyfunc(function, 1, 1) for function in (mp.exp, mp.log))
to_exact: Callable[[Any], Exact] = np.frompyfunc(mp.convert, 1, 1)


def add_layer(x: Exact, y: Exact) -> Exact:
    return x + y


def mul_layer(x: Exact, y: Exact) -> Exact:
    return x * y


def buy_fruit(
    apple: Exact, apple_num: Exact, orange: Exact, orange_num: Exact, tax: Exact
) -> Exact:
    return (apple * apple_num + orange * orange_num) * tax


def relu(x: Exact) -> Exact:
    return np.where(x > 0, x, 0 * x)


def negate(x: Exact) -> Exact:
    return -x


def plus_one(x: Exact) -> Exact:
    return x + 1


def reciprocal(x: Exact) -> Exact:
    return 1 / x


def sigmoid(x: Exact) -> Exact:
    return 1 / (1 + exp(-x))


def affine(x: Exact, W: Exact, b: Exact) -> Exact:
    return x.reshape(len(x), -1) @ W + b


def softmax(x: Exact) -> Exact:
    return exp(x) / exp(x).sum(axis=-1, keepdims=True)


def cross_entropy(y: Exact, t: np.ndarray) -> Any:
    return -log(y[np.arange(len(t)), t]).sum() / len(t)


def softmax_with_loss(x: Exact, t: np.ndarray) -> Any:
    return cross_entropy(softmax(x), t)


def two_layer_net(
    W1: Exact, b1: Exact, W2: Exact, b2: Exact, x: Exact, t: np.ndarray
) -> Any:
    return softmax_with_loss(affine(relu(affine(x, W1, b1)), W2, b2), t)


FORMULAS: dict[str, Callable[..., Any]] = {
    "AddLayer": add_layer,
    "MulLayer": mul_layer,
    "BuyFruit": buy_fruit,
    "Relu": relu,
    "Negate": negate,
    "Exp": exp,
    "Log": log,
    "PlusOne": plus_one,
    "Reciprocal": reciprocal,
    "SigmoidGraph": sigmoid,
    "Sigmoid": sigmoid,
    "Affine": affine,
    "Softmax": softmax,
    "CrossEntropy": cross_entropy,
    "SoftmaxWithLoss": softmax_with_loss,
    "TwoLayerNet": two_layer_net,
}


def results(case: Case | NetworkCase) -> dict[str, Exact]:
    """The output (of the network: the loss) and every gradient.

    The inputs are taken as the case has them, rounded to its dtype. Labels are indices.
    """
    if isinstance(case, NetworkCase):
        given, dout, out = (
            {**case.params, "x": case.x, "t": case.t},
            np.ones(()),
            "loss",
        )
    else:
        given, dout, out = case.inputs, case.dout, "out"
    function = FORMULAS[case.layer]
    with mp.workdps(DIGITS):
        inputs = {k: v if k == "t" else to_exact(v) for k, v in given.items()}
        found = {out: np.asarray(function(*inputs.values()))}
        for name in differentiable(given):
            found["d" + name] = gradient(function, inputs, name, to_exact(dout))
    return found


def gradient(
    function: Callable[..., Any], inputs: Arrays, name: str, dout: Exact
) -> Exact:
    """The derivative of sum(dout * function(inputs)) with respect to one input."""
    found = np.empty_like(inputs[name])
    for index in np.ndindex(found.shape):
        x = inputs[name][index]
        h = STEP * abs(x) if x else STEP
        sides = []
        for moved in (x + h, x - h):
            value = inputs[name].copy()
            value[index] = moved
            sides.append(function(*(inputs | {name: value}).values()))
        found[index] = np.sum(dout * (sides[0] - sides[1])) / (2 * h)
    return found
