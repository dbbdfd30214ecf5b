"""What the class of a layer takes, read off its constructor.

Its positional parameters are arrays that the layer holds, as Affine does W and b. Those
that go by keyword only are settings, which are no arrays. Everything else is an input of
`forward`.
"""

import inspect
from collections.abc import Mapping
from typing import Any


def held_by(layer: type) -> tuple[str, ...]:
    """Return the names of the arrays that the constructor of a layer takes."""
    parameters = inspect.signature(layer).parameters.values()
    return tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)


def build(
    layer: type, inputs: Mapping[str, Any], **settings: Any
) -> tuple[Any, dict[str, Any]]:
    """Return the layer, constructed from its part of the inputs, and the rest of them, by
    name and in their order, for forward.
    """
    held = held_by(layer)
    rest = {name: value for name, value in inputs.items() if name not in held}
    return layer(*(inputs[name] for name in held), **settings), rest
