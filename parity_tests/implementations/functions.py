"""Pure functions of all their inputs, which a framework differentiates: what the adaptors
of PyTorch and JAX have in common.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from types import ModuleType
from typing import Any, Self

from gradparity.parity_tests.implementations.contract import function_name


class FunctionStyle:
    """Pure functions of all their inputs; the framework differentiates them."""

    def __init__(
        self, name: str, layers: ModuleType, namespace: Any, form: str = ""
    ) -> None:
        self.name = name
        self.layers = layers
        self.namespace = namespace
        self.form = form
        self.spelling: Callable[..., Any] | None = None

    def offers(self, layer: str) -> bool:
        """Whether the layer has this form."""
        return hasattr(self.layers, function_name(layer) + self.form)

    def judged_as(self, layer: str) -> tuple[str, ...]:
        return (self.name,)

    def function(self, layer: str) -> Callable[..., Any]:
        """The layer in this form, or the spelling that is used for it."""
        if self.spelling is not None:
            return partial(self.spelling, self.namespace)
        return getattr(self.layers, function_name(layer) + self.form)

    def _spelled(self, spelling: Callable[..., Any]) -> Self:
        other = copy(self)
        other.spelling = spelling
        return other
