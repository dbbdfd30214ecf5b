"""Which function bounds which layer."""

from collections.abc import Callable
from typing import Any

from gradparity.reference.rounding.bounded import Bounds

RULES: dict[str, Callable[..., Bounds]] = {}


def rule(layer: str) -> Callable[[Any], Any]:
    """Marks the function that bounds a layer: its inputs and `dout` to `out` and `d...`"""

    def register(function: Any) -> Any:
        RULES[layer] = function
        return function

    return register
