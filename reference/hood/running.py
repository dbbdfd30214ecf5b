"""Runs a layer, a network or a function on given inputs, recorded."""

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from gradparity.reference import signatures
from gradparity.reference.hood.recording import Recording, record
from gradparity.reference.networks import TwoLayerNet

Arrays = dict[str, np.ndarray]


def build(layer: Any, inputs: Arrays) -> tuple[Any, Arrays]:
    """The layer constructed from its part of the inputs, and the rest, for forward."""
    if layer is TwoLayerNet:
        params = {name: value for name, value in inputs.items() if name not in "xt"}
        return layer.from_params(params), {name: inputs[name] for name in "xt"}
    return signatures.build(layer, inputs)


def run_recorded(layer: Any, inputs: Arrays, dout: np.ndarray) -> Recording:
    if not inspect.isclass(layer):
        return record(partial(layer, **inputs))
    made, arguments = build(layer, inputs)
    if layer is TwoLayerNet:
        if dout != 1:
            raise ValueError(
                f"TwoLayerNet ends in its loss: dout must be 1, got {dout}"
            )
        return record(partial(made.trace, **arguments))

    def forward_and_backward() -> None:
        made.forward(**arguments)
        made.backward(np.array(dout))

    return record(forward_and_backward)


def layers_in(owner: str, layer: Any) -> Iterator[tuple[str, Any]]:
    """A layer and those inside it, called as the attribute or key that holds them, or
    in a list as their class.
    """
    yield owner, layer
    for name, value in vars(layer).items():
        inside = value.items() if isinstance(value, dict) else [(name, value)]
        if isinstance(value, list):
            inside = [(type(inner).__name__, inner) for inner in value]
        for key, inner in inside:
            if hasattr(inner, "forward"):
                yield from layers_in(key, inner)


def copied(inputs: Arrays) -> Arrays:
    """Each input an object of its own, so that it can be told by its identity."""
    return {name: np.array(value) for name, value in inputs.items()}


def is_float(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fc"
