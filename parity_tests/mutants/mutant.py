"""What a mutant is, and how a module writes one down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal, TypeVar

from gradparity.parity_tests.implementations.contract import (
    Implementation,
    function_name,
)
from gradparity.parity_tests.implementations.loop import run
from gradparity.parity_tests.implementations.registry import load

Scope = Literal["function", "layer", "network", "training", "optimizer"]
Definition = TypeVar("Definition")
MUTANTS: list["Mutant"] = []
# Of what is in the course, and not in the contract of an implementation.
OF_THE_COURSE: list["Mutant"] = []


@dataclass(frozen=True, eq=False)
class Mutant:
    """One mistake, in the place of what is right.

    Args:
        name: in kebab-case; no two have the same.
        scope: what is replaced: a function that layers are made of, a layer, the
            network, or the loop that trains it; of what is graded alone, an optimizer, too.
        layer: the layer or the function, or TwoLayerNet.
        implementation: whose; any name that `load` knows.
        sentence: what is wrong and what comes of it, for a beginner.
        source: where somebody has made it, as far as is known.
        definition: the wrong class or function.
        also: the same mistake as others write it, where other numbers come of it.
    """

    name: str
    scope: Scope
    layer: str
    implementation: str
    sentence: str
    source: str
    definition: Any
    also: tuple[Any, ...] = ()

    @property
    def predicate(self) -> str:
        """The sentence, to stand after a subject."""
        return self.sentence[0].lower() + self.sentence[1:]

    def load(self) -> Implementation:
        """The implementation with this mistake in it.

        Raises NotInstalled where its framework cannot be imported, and ValueError for a
        function: the contract of an implementation has none; `definition` is all.
        """
        if self.scope == "function":
            raise ValueError(f"{self.name} is a mistake in a function, {self.layer}")
        mistaken: Any = load(self.implementation)
        if self.scope == "training":
            mistaken.train = partial(run, self.definition)
        elif self.scope == "network":
            mistaken.networks = SimpleNamespace(TwoLayerNet=self.definition)
        else:
            is_class = isinstance(self.definition, type)
            name = self.layer if is_class else function_name(self.layer)
            layers = {**vars(mistaken.layers), name: self.definition}
            mistaken.layers = SimpleNamespace(**layers)
        return mistaken


def mistakes(
    implementation: str,
    scope: Scope = "layer",
    catalogue: list[Mutant] = MUTANTS,
) -> Callable[..., Callable[[Definition], Definition]]:
    """The decorator with which a module puts its mutants into the catalogue, or into
    another list.

    The name of what is decorated is the mutant's, its docstring the sentence:

        @mistake("Relu", "where it was made")
        class MaskBelowZero(Relu):
            \"""The sentence.\"""
    """

    def mistake(
        layer: str = "TwoLayerNet",
        source: str = "",
        *,
        of: str = implementation,
        also: Iterable[Any] = (),
    ) -> Callable[[Definition], Definition]:
        def register(definition: Definition) -> Definition:
            named: Any = definition
            words = function_name(named.__name__).replace("_", "-")
            sentence = " ".join(named.__doc__.split())
            about = (words, scope, layer, of, sentence, source, definition)
            catalogue.append(Mutant(*about, tuple(also)))
            return definition

        return register

    return mistake
