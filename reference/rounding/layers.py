"""The bounds of a layer: of what it computes, and of how that moves."""

from inspect import signature
from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.correctly_rounded import Arrays
from gradparity.reference.rounding.dual import Dual, tangents_of
from gradparity.reference.rounding.floating_point import Arithmetic
from gradparity.reference.rounding.rules import RULES


def bounds(
    layer: str, inputs: Arrays, dout: Any, arithmetic: Arithmetic, **settings: Any
) -> Bounds:
    """Every output and gradient of a layer, each with the bound on its error.

    Args:
        layer: its name.
        inputs: the layer's, under their names.
        dout: the derivative that arrives from above; of several outputs, a tuple.
        arithmetic: that of the implementation to be judged.
        settings: what is no array, by name.

    Raises KeyError where there is no rule for the layer.
    """
    parameters = signature(RULES[layer]).parameters
    given = {
        name: Bounded.exact(value, arithmetic)
        if parameters[name].annotation is Bounded
        else value  # labels, and other integers
        for name, value in inputs.items()
    }
    many = isinstance(dout, tuple)
    above: Any = [Bounded.exact(d, arithmetic) for d in (dout if many else (dout,))]
    with np.errstate(all="ignore"):  # a bound may well be infinite
        return RULES[layer](**given, dout=above if many else above[0], **settings)


def tangent_bounds(
    layer: str,
    inputs: Arrays,
    dout: Any,
    tangents: Arrays,
    Rdout: Any,
    arithmetic: Arithmetic,
    **settings: Any,
) -> Bounds:
    """`Rout` and `Rd...` of a layer, each with the bound on its error.

    Args:
        layer, inputs, dout, arithmetic, settings: as for `bounds`.
        tangents: the direction, for every input that moves.
        Rdout: and for dout.
    """
    given = {
        name: Dual.moving(value, tangents[name], arithmetic)
        if name in tangents
        else value
        for name, value in inputs.items()
    }
    with np.errstate(all="ignore"):
        moving = Dual.moving(dout, Rdout, arithmetic)
        found = RULES[layer](**given, dout=moving, **settings)
    return tangents_of(found)
