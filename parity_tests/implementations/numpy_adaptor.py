"""Classes with forward and backward, in the lecture's style, as implementations."""

import inspect
from importlib import import_module
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.backends import NUMPY, Backend
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    another_batch,
    differentiable,
    products,
)


def run_class(kind: type, inputs: Arrays, dout: np.ndarray) -> Arrays:
    """`out` and `d...` of a class with forward and backward.

    The constructor takes the last of a layer's inputs (Affine's W and b), forward the
    others; backward returns the derivatives of forward's inputs, and those of the
    constructor's are attributes (dW, db). A network's layers see one batch after
    another, and so does a layer here: what it keeps of an earlier one must not show.
    """
    held = len(inspect.signature(kind).parameters)
    names, values = list(inputs), list(inputs.values())
    split = len(inputs) - held
    node = kind(*values[split:])
    failed: Exception | None = None
    try:
        earlier = node.forward(*another_batch(values[:split]))
        node.backward(np.ones_like(earlier))
    except Exception as error:  # bad input is refused below, with its own shapes
        failed = error
    results = {"out": node.forward(*values[:split])}
    gradients = node.backward(dout)
    if not isinstance(gradients, tuple):
        gradients = (gradients,)
    forward_names = [n for n in differentiable(inputs) if n in names[:split]]
    for name, gradient in zip(forward_names, gradients, strict=True):
        results["d" + name] = gradient
    for name in names[split:]:
        results["d" + name] = getattr(node, "d" + name)
    if failed is not None:
        raise failed
    return {name: np.asarray(value) for name, value in results.items()}


class LectureStyle:
    """Classes with forward and backward (`run_class`), in the modules of a package."""

    spelled = None

    def __init__(
        self, name: str, package: str = "reference", backend: Backend = NUMPY
    ) -> None:
        self.name = name
        self.backend = backend
        self.package = package
        self.layers = import_module(f"gradparity.{package}.layers")
        self.networks = import_module(f"gradparity.{package}.networks")
        self.train = import_module(f"gradparity.{package}.training").train

    def offers(self, layer: str) -> bool:
        return hasattr(self.layers, layer)

    def judged_as(self, layer: str) -> tuple[Backend, ...]:
        return (self.backend,)

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        return run_class(getattr(self.layers, layer), inputs, dout)

    def run_network(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        flow = self.networks.TwoLayerNet.from_params(params).trace(x, t)
        return {name: np.asarray(value) for name, value in flow.items()}

    def predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        return self.networks.TwoLayerNet.from_params(params).predict(x)

    def products(self, layer: str, *arguments: Any) -> Arrays:
        room = import_module(f"gradparity.{self.package}.second_order")
        by_hand = getattr(room, "R" + layer, None)  # there is no RTwoLayerNet
        found = products(room, by_hand, *arguments)
        return {name: np.asarray(value) for name, value in found.items()}
