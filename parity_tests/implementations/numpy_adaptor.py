"""Classes with forward and backward, in the lecture's style, as implementations."""

from importlib import import_module
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.layers import LAYERS, settings_of
from gradparity.parity_tests.catalogue.spec import Layer
from gradparity.parity_tests.implementations.backends import NUMPY, Backend
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    another_batch,
    as_tuple,
    products,
)


def run_class(kind: type, layer: Layer, inputs: Arrays, dout: Any) -> Arrays:
    """Return the outputs and the `d...` of a class with forward and backward.

    The constructor takes the inputs that the layer holds (Affine's W and b), and its
    settings by keyword; forward takes the other inputs. backward returns the derivatives
    of those, and the derivatives of what is held are attributes (dW, db). A network's
    layers see one batch after another, and so does a layer here: what it keeps of an
    earlier one must not show.
    """
    node = kind(*(inputs[name] for name in layer.held), **layer.settings)
    values = [v for name, v in inputs.items() if name not in layer.held]
    failed: Exception | None = None
    try:
        earlier = as_tuple(node.forward(*another_batch(values)))
        node.backward(*map(np.ones_like, earlier))
    except Exception as error:  # bad input is refused below, with its own shapes
        failed = error
    outputs = as_tuple(node.forward(*values))
    results = dict(zip(layer.outputs, outputs, strict=True))
    gradients = as_tuple(node.backward(*as_tuple(dout)))
    moving = [name for name in layer.differentiable if name not in layer.held]
    for name, gradient in zip(moving, gradients, strict=True):
        results["d" + name] = gradient
    for name in layer.held:
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

    def run_layer(self, layer: str, inputs: Arrays, dout: Any) -> Arrays:
        return run_class(getattr(self.layers, layer), LAYERS[layer], inputs, dout)

    def run_network(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        flow = self.networks.TwoLayerNet.from_params(params).trace(x, t)
        return {name: np.asarray(value) for name, value in flow.items()}

    def predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        return self.networks.TwoLayerNet.from_params(params).predict(x)

    def products(self, layer: str, *arguments: Any) -> Arrays:
        room = import_module(f"gradparity.{self.package}.second_order")
        by_hand = getattr(room, "R" + layer) if self.offers(layer) else None
        found = products(room, by_hand, *arguments, **settings_of(layer))
        return {name: np.asarray(value) for name, value in found.items()}
