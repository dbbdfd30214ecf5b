"""Pure functions of all their inputs, which a framework differentiates: what the adaptors
of PyTorch and JAX have in common.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from types import ModuleType
from typing import Any, Self

import numpy as np

from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.implementations.contract import function_name


class FunctionStyle:
    """Pure functions of all their inputs; the framework differentiates them."""

    def __init__(
        self, name: str, backend: Backend, layers: ModuleType, namespace: Any
    ) -> None:
        self.name = name
        self.backend = backend
        self.layers = layers
        self.namespace = namespace
        self.ending = "_composed" if backend.form == "composed" else ""
        self.spelling: Callable[..., Any] | None = None

    def offers(self, layer: str) -> bool:
        """Whether the layer has this form."""
        return hasattr(self.layers, function_name(layer) + self.ending)

    def judged_as(self, layer: str) -> tuple[Backend, ...]:
        return (self.backend,)

    def function(self, layer: str) -> Callable[..., Any]:
        """The layer in this form, or the spelling that is used for it."""
        if self.spelling is not None:
            return partial(self.spelling, self.namespace)
        return getattr(self.layers, function_name(layer) + self.ending)

    def _spelled(self, spelling: Callable[..., Any]) -> Self:
        other = copy(self)
        other.spelling = spelling
        return other


def converted(tree: Any, convert: Callable[[np.ndarray], Any]) -> Any:
    """The same tuple or dictionary, of a framework's arrays."""
    if isinstance(tree, dict):
        return {name: converted(value, convert) for name, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(converted(value, convert) for value in tree)
    return convert(tree)
