"""Wrong formulas that are often written, as Python spells them.

Each is what a quantity may be in the place of what is right. The names in a formula are
the inputs of the class, `dout`, and those that `note` explains.
"""

import re
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.outcomes import NETWORK

# What the names mean that are not arguments.
NAMES = {
    "t": "t in one-hot rows",
    "N": "N the batch size",
    "right": "`right` for the right one",
}
OUTPUTS = {"Sigmoid": "y the output", "SoftmaxWithLoss": "y the softmax of x"}
SIGMOID = {
    "1 / (1 + exp(x))": "the minus in exp(-x) is missing",
    "1 / 1 + exp(-x)": "as if the brackets around 1 + exp(-x) were missing",
    "1 / (1 - exp(-x))": "there is a minus where a plus belongs",
    "exp(-x)": "",
    "tanh(x)": "that is another activation",
}
BEFORE = "it is the class before the one that is meant, for labels count from 0"
AFTER = "it is the class after the one that is meant, for labels count from 0"
FORMULAS: dict[tuple[str, str], dict[str, str]] = {
    ("sigmoid", "out"): SIGMOID,
    ("Sigmoid", "out"): SIGMOID,
    ("Sigmoid", "dx"): {
        "dout * (1 - y)": "the factor y is missing",
        "dout * (1 - y**2)": "that is the rule of tanh",
        "dout * y * (1 + y)": "there is a plus where a minus belongs",
        "dout * y**2": "the factor exp(-x) is missing",
        "dout * y**2 * (1 - y)": "there is a factor y too many",
        "dout * (1 - dout)": "it is the output that belongs there",
        "1 / (1 + exp(-dout)) * (1 - 1 / (1 + exp(-dout)))": (
            "it is the output of forward that belongs there, times dout"
        ),
    },
    ("Relu", "out"): {
        "x > 0": "that is the mask",
        "log(1 + exp(x))": "that is the softplus",
        "where(x > 0, x, exp(x) - 1)": "that is the ELU",
        "1 / (1 + exp(-x))": "that is the sigmoid",
        "tanh(x)": "that is another activation",
    },
    ("Relu", "dx"): {
        "dout * x": "",
        "dout * maximum(x, 0)": "it is the mask that belongs there, and not the output",
        "dout / (1 + exp(-x))": "that is the derivative of the softplus",
        "dout * where(x > 0, 1, exp(x))": "that is the derivative of the ELU",
    },
    ("AddLayer", "out"): {
        "x * y": "that is the product",
        "x - y": "that is the difference",
    },
    ("MulLayer", "out"): {
        "x + y": "that is the sum",
        "x / y": "that is the quotient",
    },
    ("MulLayer", "dx"): {
        "dout * x * y": "the derivative of a product by one factor is the other one",
        "dout + y": "the chain rule multiplies",
    },
    ("MulLayer", "dy"): {
        "dout * x * y": "the derivative of a product by one factor is the other one",
        "dout + x": "the chain rule multiplies",
    },
    ("softmax", "out"): {
        "1 / (1 + exp(-x))": "that is the sigmoid",
        "log(softmax(x))": "that is its logarithm",
        "softmax(-x)": "the sign of x is wrong",
        "x / x.sum(axis=1, keepdims=True)": "exp is missing",
        "exp(x - x.max(axis=1, keepdims=True)) / exp(x).sum(axis=1, keepdims=True)": (
            "the largest must be subtracted in the sum as well"
        ),
        "exp(x - x.max()) / exp(x).sum()": (
            "the largest must be subtracted in the sum as well, which is that of each row"
        ),
        "softmax(x * log(2))": "its powers are those of 2, and not of e",
    },
    ("cross_entropy_error", "out"): {
        "sum((y - t)**2) / 2": "that is the sum of squared errors",
        "sum((y - t)**2) / 2 / N": "that is the mean of squared errors",
        "sum((y - t)**2) / N": "that is the mean of squared errors",
        "mean((y - t)**2)": "that is the mean of squared errors",
        "-sum(t * log(y) + (1 - t) * log(1 - y)) / N": (
            "that is the cross entropy of each class alone"
        ),
        "-log(sum(t * y)) / N": "the logarithm comes before the sum",
        "-log(sum(t * y) / N)": "the logarithm comes before the mean",
        "-sum(t * log(softmax(y))) / N": "y is the softmax already",
        "-sum(roll(t, -1, axis=1) * log(y)) / N": BEFORE,
        "-sum(roll(t, 1, axis=1) * log(y)) / N": AFTER,
    },
    ("SoftmaxWithLoss", "out"): {
        "sum((y - t)**2) / 2 / N": "that is the mean of squared errors",
        "-sum(t * log(softmax(x.T).T)) / N": "the softmax is that of the columns",
        "-sum(roll(t, -1, axis=1) * log(y)) / N": BEFORE,
    },
    ("SoftmaxWithLoss", "dx"): {
        "y - t / N": "as if the brackets around y - t were missing",
        "-t / y / N": "that is the derivative by y, which has yet to pass the softmax",
        "y / N": "t is not subtracted",
        "(y - t) * y * (1 - y) / N": "y - t is the derivative by x already",
        "(softmax(x.T).T - t) / N": "the softmax is that of the columns",
        "(y - roll(t, -1, axis=1)) / N": BEFORE,
    },
    (NETWORK, "predict"): {
        "softmax(right)": "the softmax belongs to the loss alone",
        "tanh(x @ W1 + b1) @ W2 + b2": "tanh is in the place of the ReLU",
    },
    (NETWORK, "accuracy"): {"1 - right": "that is the share of errors"},
}


def note(name: str, formula: str) -> str:
    """What the names in a formula mean, after a comma; nothing if that is plain."""
    meaning = NAMES | ({"y": OUTPUTS[name]} if name in OUTPUTS else {})
    meant = [meaning[word] for word in re.findall(r"\w+", formula) if word in meaning]
    return f", with {', '.join(dict.fromkeys(meant))}" if meant else ""


def of_rows(x: Any) -> Any:
    """The softmax of every row."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


FUNCTIONS: dict[str, Any] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "maximum": np.maximum,
    "where": np.where,
    "sum": np.sum,
    "mean": np.mean,
    "roll": np.roll,
    "softmax": of_rows,
}


@cache
def compiled(formula: str) -> CodeType:
    return compile(formula, "<formula>", "eval")


def evaluated(name: str, formula: str, given: dict[str, Any], right: Any) -> Any:
    """What a formula gives.

    Args:
        name: of the class or function.
        formula: one of `FORMULAS`.
        given: the inputs, and `dout` where there is one.
        right: what is right.
    """
    values = {
        key: np.asarray(value) if key == "t" else np.asarray(value, np.float64)
        for key, value in given.items()
    }
    scores = values.get("x", values.get("y"))
    if "t" in values and scores is not None:
        values["N"] = np.asarray(len(scores))
        if values["t"].ndim == 1:
            values["t"] = np.eye(scores.shape[1])[values["t"]]
    if name == "Sigmoid":
        values["y"] = 1 / (1 + np.exp(-values["x"]))
    if name == "SoftmaxWithLoss":
        values["y"] = of_rows(values["x"])
    names = FUNCTIONS | values | {"right": np.asarray(right, np.float64)}
    return np.asarray(eval(compiled(formula), {"__builtins__": {}}, names), np.float64)
