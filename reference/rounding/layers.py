"""The bounds of a layer: of what it computes, and of how that moves."""

from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Arrays, Bounded, Bounds
from gradparity.reference.rounding.dual import Dual, tangents_of
from gradparity.reference.rounding.floating_point import Arithmetic
from gradparity.reference.rounding.rules import RULES


def bounds(layer: str, inputs: Arrays, dout: Any, arithmetic: Arithmetic) -> Bounds:
    """`out` and every gradient of a layer, each with the bound on its error.

    Args:
        layer: its name.
        inputs: the layer's, under their names; labels are `t`.
        dout: the derivative that arrives from above.
        arithmetic: that of the implementation to be judged.

    Raises KeyError where there is no rule for the layer.
    """
    given = {
        name: value if name == "t" else Bounded.exact(value, arithmetic)
        for name, value in inputs.items()
    }
    with np.errstate(all="ignore"):  # a bound may well be infinite
        return RULES[layer](**given, dout=Bounded.exact(dout, arithmetic))


def tangent_bounds(
    layer: str,
    inputs: Arrays,
    dout: Any,
    tangents: Arrays,
    Rdout: Any,
    arithmetic: Arithmetic,
) -> Bounds:
    """`Rout` and `Rd...` of a layer, each with the bound on its error.

    Args:
        layer, inputs, dout, arithmetic: as for `bounds`.
        tangents: the direction, for every input but the labels.
        Rdout: and for dout.
    """
    given = {
        name: value if name == "t" else Dual.moving(value, tangents[name], arithmetic)
        for name, value in inputs.items()
    }
    with np.errstate(all="ignore"):
        found = RULES[layer](**given, dout=Dual.moving(dout, Rdout, arithmetic))
    return tangents_of(found)
