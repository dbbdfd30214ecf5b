"""Frameworks that are imported when a mutant is used, not when it is written down."""

from importlib import import_module
from typing import Any


class Lazily:
    """A module that is imported when something of it is wanted, and not before."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


torch, F = Lazily("torch"), Lazily("torch.nn.functional")
jax, jnp = Lazily("jax"), Lazily("jax.numpy")
