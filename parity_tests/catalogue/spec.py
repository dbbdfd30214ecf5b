"""The spec of a layer: all that the suite has to be told of one.

From it the suite derives the cases that every layer has (`derived.py`), the random ones,
and how an implementation is handed its inputs. The specs are data, in the files of the
layers' families; `layers.py` lists them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.implementations.contract import Arrays

Shape = tuple[int, ...]
Generator = np.random.Generator
InputKind = Literal["array", "labels", "integers"]
OwnCases = Callable[[Generator], Iterable[Case]]


# --- The numbers of an input ----------------------------------------------------------


@dataclass(frozen=True)
class Domain:
    """Where the numbers of an input lie.

    Args:
        draw: typical ones, of a shape.
        least: the smallest that is defined, as a share of the largest.
    """

    draw: Callable[[Generator, Shape], np.ndarray]
    least: float = -1.0


def scaled(scale: float) -> Domain:
    """Normally distributed numbers with this standard deviation."""
    return Domain(lambda rng, shape: np.asarray(scale * rng.standard_normal(shape)))


def _away_from_zero(rng: Generator, shape: Shape) -> np.ndarray:
    x = np.asarray(rng.standard_normal(shape))
    return x + np.copysign(0.5, x)


def _probabilities(rng: Generator, shape: Shape) -> np.ndarray:
    """Rows that sum to 1, none of it so small that differences of its log are coarse."""
    drawn = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    return 0.9 * drawn + 0.1 / shape[-1]


anywhere = scaled(1.0)
away_from_zero = Domain(_away_from_zero)
positive = Domain(lambda rng, shape: np.exp(rng.standard_normal(shape)), least=0.0)
probabilities = Domain(_probabilities, least=0.0)


@dataclass(frozen=True)
class Input:
    """An input of a layer.

    Args:
        name: of the argument.
        kind: an `array` is differentiated; `labels` are indices of a class, or one-hot
            rows; `integers` are indices. The last two have no derivative. Both lie below
            the last number of a size.
        held: whether the constructor takes it, and not forward.
        domain: where the numbers of an array lie.
    """

    name: str
    kind: InputKind = "array"
    held: bool = False
    domain: Domain = anywhere


# --- Its shapes -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Form:
    """How the shapes of a layer's inputs and output follow from one size.

    Args:
        shapes: of a size and the number of inputs, the shapes of the inputs and then of
            the outputs.
        batch: the size of a batch of the lecture's network.
        small: the size of what can be computed to 100 digits.
        shared: sizes that random cases have for everybody; JAX compiles anew for others.
        ranks: the fewest and most axes of any size.
        empty: a size without elements.
        misfit: a dout of this shape does not fit `small`.
        others: further sizes.
        large: sizes of ten thousands, by name.
    """

    shapes: Callable[[Shape, int], list[Shape]]
    batch: Shape
    small: Shape
    shared: tuple[Shape, ...]
    ranks: tuple[int, int]
    empty: Shape
    misfit: Shape
    others: tuple[Shape, ...]
    large: Mapping[str, Shape]


MANY = 10_000
ELEMENTWISE = Form(
    lambda size, inputs: [size] * (inputs + 1),
    batch=(100, 10),
    small=(3, 4),
    shared=((), (5,), (3, 4)),
    ranks=(0, 3),
    empty=(0, 3),
    misfit=(3,),
    others=((), (7,), (1, 5), (3, 1), (2, 3, 4, 5)),
    large={"a huge batch": (MANY,)},
)
ROWS = Form(
    lambda size, inputs: [size] * (inputs + 1),
    batch=(100, 10),
    small=(3, 4),
    shared=((4,), (3, 4), (2, 1)),
    ranks=(1, 2),
    empty=(0, 3),
    misfit=(3,),
    others=((5,), (1, 5), (6, 1), (1, 1), (5, 5), (1,)),
    large={"many classes": (3, MANY)},
)
# Scores or probabilities, and a label for each row, to a number.
LOSS = replace(
    ROWS,
    shapes=lambda size, inputs: [size, size[:-1], ()],
    empty=(0, 4),
    large={"a huge batch": (MANY, 3), "many classes": (3, MANY)},
)


# --- The layer ------------------------------------------------------------------------


def no_cases(rng: Generator) -> Iterable[Case]:
    """What a layer has of its own that has nothing."""
    return ()


@dataclass(frozen=True, eq=False)
class Layer:
    """All that the suite has to be told of a layer.

    Args:
        name: of the reference's class.
        inputs: those of forward, then those that the constructor holds.
        formula: what a textbook has for it, of the inputs and the settings: arrays of
            mpmath's numbers (`exact.py`), and labels as indices.
        settings: what is no array, by name: handed to the constructor, and to functions,
            by keyword.
        outputs: their names, in order. Of several, `dout` is a tuple.
        elementary: the name of the elementary function that it is, if it is one; how
            well implementations compute that is measured in it.
        form: how shapes follow from a size.
        batch: the size of its typical batch, if it is not the form's.
        but_for: the derived cases that it does not have, by name.
        own: the cases that only this layer has, of every kind.
        small: those of few extreme numbers, to be computed to 100 digits.
        many: those of ten thousand numbers, in sizes that its form has.
        relative_bound: of a quantity of an element-wise layer, by `(quantity, inputs,
            arithmetic)`: the bound in units of the roundoff, relative to the value, to
            first order. None where it is a few roundings everywhere.
    """

    name: str
    inputs: tuple[Input, ...]
    formula: Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    outputs: tuple[str, ...] = ("out",)
    elementary: str = ""
    form: Form = ELEMENTWISE
    batch: Shape = ()
    but_for: tuple[str, ...] = ()
    own: OwnCases = no_cases
    small: OwnCases = no_cases
    many: OwnCases = no_cases
    relative_bound: Callable[[str, Arrays, Any], Any] | None = None

    @property
    def elementwise(self) -> bool:
        """Whether every element of the output depends on one element of each input."""
        return self.form is ELEMENTWISE

    @property
    def differentiable(self) -> list[str]:
        """The names of the inputs that have a derivative."""
        return [each.name for each in self.inputs if each.kind == "array"]

    @property
    def held(self) -> list[str]:
        """The names of the inputs that the constructor takes."""
        return [each.name for each in self.inputs if each.held]

    @property
    def gradients(self) -> list[str]:
        """What the derivatives of the inputs are called."""
        return ["d" + name for name in self.differentiable]

    def shapes(self, size: Shape) -> list[Shape]:
        """Those of the inputs and then of the outputs."""
        return self.form.shapes(size, len(self.inputs))

    def drawn(
        self, size: Shape, rng: Generator, one_hot: bool = False
    ) -> dict[str, Any]:
        """Typical inputs and a `dout`, by name; labels as indices or one-hot rows."""
        every = self.shapes(size)
        shapes, outs = every[: len(self.inputs)], every[len(self.inputs) :]
        douts = tuple(np.asarray(rng.standard_normal(out)) for out in outs)
        found: dict[str, Any] = {"dout": douts if len(douts) > 1 else douts[0]}
        for each, shape in zip(self.inputs, shapes, strict=True):
            if each.kind == "array":
                value = np.asarray(each.domain.draw(rng, shape))
            else:
                value = np.asarray(rng.integers(size[-1], size=shape))
                if one_hot and each.kind == "labels":
                    value = np.eye(size[-1])[value]
            found[each.name] = value
        return found


def generator(name: str) -> Generator:
    """A generator of its own for everything that has a name: a case more, or a layer,
    changes the numbers of no other.
    """
    return np.random.default_rng([*name.encode()])
