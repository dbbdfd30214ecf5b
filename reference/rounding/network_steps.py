"""A network as a program: the steps of its chain, forward and backward, named as its trace.

A step is what a framework has one function for, bounded by the rule of the layer that it
belongs to: so the list stands for every algorithm that the rule does.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from gradparity.reference.networks import TWO_LAYER_NET, Chain
from gradparity.reference.rounding.bounded import Bounded, Values
from gradparity.reference.rounding.networks import passes
from gradparity.reference.rounding.operations import OPERATIONS, Operation, near_zero
from gradparity.reference.rounding.programs import Step
from gradparity.reference.rounding.rules import RULES
from gradparity.reference.rounding.rules.losses import to_indices

Curve = Callable[[Values], Values]


def elementwise(
    layer: str, slope: Curve, curvature: Curve, **more: Any
) -> tuple[Operation, Operation]:
    """The passes of a layer as operations: of x, and of x and what comes from above. Its
    first and second derivatives are all that goes back through them.
    """
    forward, backward = passes(layer)
    return (
        Operation(layer, forward, (lambda g, y, x: g * slope(x),), **more),
        Operation(
            f"{layer}, backward",
            lambda x, dout: next(iter(backward(x, dout))),
            (
                lambda g, dx, x, dout: g * dout * curvature(x),
                lambda g, dx, x, dout: g * slope(x),
            ),
            **more,
        ),
    )


def sigmoid(x: Values) -> Values:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def sigmoid_slope(x: Values) -> Values:
    return sigmoid(x) * sigmoid(-x)


def tanh_slope(x: Values) -> Values:
    return 1 - np.tanh(x) ** 2


SIGMOID: Any = {
    "slope": sigmoid_slope,
    "curvature": lambda x: sigmoid_slope(x) * (sigmoid(-x) - sigmoid(x)),
    "independent": False,
}
ACTIVATIONS = {
    "Relu": elementwise(
        "Relu",
        slope=lambda x: np.where(x <= 0, 0.0, 1.0),
        curvature=np.zeros_like,
        independent=False,
        in_doubt=near_zero,
    ),
    "Sigmoid": elementwise("Sigmoid", **SIGMOID),
    "SigmoidGraph": elementwise("SigmoidGraph", **SIGMOID),
    "Tanh": elementwise(
        "Tanh",
        slope=tanh_slope,
        curvature=lambda x: -2 * np.tanh(x) * tanh_slope(x),
        independent=False,
    ),
}


def softmax(x: Values) -> Values:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def through_softmax(g: Values, y: Values, x: Values, t: Any) -> Values:
    p = softmax(x)
    return p * (g - (g * p).sum(axis=-1, keepdims=True))


def through_mean(g: Values, dx: Values, x: Values, t: Any) -> Values:
    """That of (y - t) / N."""
    return through_softmax(g, dx, x, t) / len(x)


def through_loss(g: Values, loss: Values, x: Values, t: Any) -> Values:
    labels = to_indices(t, x.shape)
    one_hot = np.arange(x.shape[-1]) == labels[..., None]
    return g * (softmax(x) - one_hot) / len(x)


def of_loss(quantity: str, x: Bounded, t: Any) -> Bounded:
    return RULES["SoftmaxWithLoss"](x, t, x.constant(1.0))[quantity]


# What comes of the scores: its name in the trace (None: d and the scores'), what it is to
# the rule, and how a derivative goes back through it.
LOSSES = {
    "SoftmaxWithLoss": (
        ("loss", "out", through_loss),
        ("y", "y", through_softmax),
        (None, "dx", through_mean),
    ),
}


def network_steps(t: Any, chain: Chain = TWO_LAYER_NET) -> list[Step]:
    """The steps of a network, on "x" and its parameters under their names.

    Args:
        t: the labels.
        chain: affine layers, those of `ACTIVATIONS`, and at the end one of `LOSSES`.

    Raises ValueError if it has another layer.
    """
    for kind in (*(layer.kind for layer in chain.layers), chain.last):
        if kind.__name__ not in {"Affine", *ACTIVATIONS, *LOSSES}:
            known = ", ".join(("Affine", *ACTIVATIONS, *LOSSES))
            raise ValueError(f"{chain.name}: expected {known}, got {kind.__name__}")
    return [*forward(chain), *at_the_end(chain, t), *backward(chain)]


def forward(chain: Chain) -> Iterator[Step]:
    for before, layer in chain.links:
        kind = layer.kind.__name__
        operation = (
            ACTIVATIONS[kind][0] if kind in ACTIVATIONS else OPERATIONS["affine"]
        )
        yield Step(layer.name, operation, (before, *layer.params))


def at_the_end(chain: Chain, t: Any) -> Iterator[Step]:
    scores = chain.layers[-1].name
    for name, quantity, pull in LOSSES[chain.last.__name__]:
        operation = Operation(
            f"{chain.last.__name__}, {quantity}",
            partial(of_loss, quantity),
            (pull,),
            independent=False,
        )
        yield Step(name or "d" + scores, operation, (scores,), {"t": t})


def backward(chain: Chain) -> Iterator[Step]:
    matmul, transpose = OPERATIONS["matmul"], OPERATIONS["transpose"]
    for before, layer in reversed(chain.links):
        kind, dout = layer.kind.__name__, "d" + layer.name
        if kind in ACTIVATIONS:
            yield Step("d" + before, ACTIVATIONS[kind][1], (before, dout))
            continue
        W, b = layer.params
        yield Step(f"{W}.T", transpose, (W,))
        yield Step("d" + before, matmul, (dout, f"{W}.T"))
        yield Step(f"{before}.T", transpose, (before,))
        yield Step("d" + W, matmul, (f"{before}.T", dout))
        yield Step("d" + b, OPERATIONS["sum"], (dout,), {"axis": 0})
