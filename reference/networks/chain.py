"""A network as data: named layers in a chain, with a loss at its end."""

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradparity.reference.arrays import Float, check_floats, check_rank, check_shape
from gradparity.reference.layers import Affine

Params = dict[str, Float[np.ndarray, "..."]]


class Layer(NamedTuple):
    """A layer of a chain: its name there, its class, and the names of the parameters
    that the class is constructed with.
    """

    name: str
    kind: Any
    params: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """Layers, each of which takes what the one before it returns, and last a loss."""

    name: str
    layers: tuple[Layer, ...]
    last: Any

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(name for layer in self.layers for name in layer.params)

    @property
    def links(self) -> list[tuple[str, Layer]]:
        """Every layer, with the name of what goes into it."""
        names = ["x", *(layer.name for layer in self.layers)]
        return list(zip(names, self.layers, strict=False))

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of everything that flows through, in the order it is computed."""
        names = [layer.name for layer in self.layers]
        back = [(before, *layer.params) for before, layer in reversed(self.links)]
        gradients = [names[-1], *(name for each in back for name in each)]
        return (*names, "loss", "y", *("d" + name for name in gradients))

    def check(self, params: Params) -> None:
        """Raise TypeError or ValueError unless these are floating-point arrays of one
        dtype whose shapes fit together; between affine layers, the width stays.
        """
        check_floats(self.name, **params)
        affine = [layer.params for layer in self.layers if layer.kind is Affine]
        for W, _ in affine:
            check_rank(self.name, W, params[W], 2)
        width = None
        for W, b in affine:
            before, after = params[W].shape
            check_shape(self.name, W, params[W], (width or before, after))
            check_shape(self.name, b, params[b], (after,))
            width = after


@cache
def held(layer: Layer) -> tuple[tuple[str, str], ...]:
    """What the layer's class calls each of its parameters, and the chain: W, W1."""
    own = inspect.signature(layer.kind).parameters
    return tuple(zip(own, layer.params, strict=False))
