"""A network as data: named layers in a chain, with a loss at its end; mirrors
`reference/networks/`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jax import Array
from jaxtyping import Float

from gradparity.jax_impl.arrays import check_floats, check_rank, check_shape
from gradparity.jax_impl.layers import affine

Params = dict[str, Float[Array, "..."]]


class Layer(NamedTuple):
    """A layer of a chain: its name there, its function, and the names of the parameters
    that the function takes after x.
    """

    name: str
    kind: Callable[..., Any]
    params: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """Layers, each of which takes what the one before it returns, and last a loss."""

    name: str
    layers: tuple[Layer, ...]
    last: Callable[..., Any]

    def check(self, params: Params) -> None:
        """Raise TypeError or ValueError unless these are floating-point arrays of one
        dtype whose shapes fit together; between affine layers, the width stays.
        """
        check_floats(self.name, **params)
        pairs = [layer.params for layer in self.layers if layer.kind is affine]
        for W, _ in pairs:
            check_rank(self.name, W, params[W], 2)
        width = None
        for W, b in pairs:
            before, after = params[W].shape
            check_shape(self.name, W, params[W], (width or before, after))
            check_shape(self.name, b, params[b], (after,))
            width = after
