"""How implementations look in every picture: marker, dash and colour (Okabe and Ito's,
which colour-blind readers can tell apart); and how lists and powers are written.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.lines import Line2D

from gradparity.parity_tests.measuring import wording
from gradparity.reports.pages.svg import INK

PURPLE = "#BF6A9B"
LOOKS = {  # marker, colour
    "reference": ("o", INK),
    "torch": ("s", "#D55E00"),
    "torch-composed": ("D", "#D55E00"),
    "jax": ("^", "#0072B2"),
    "jax-composed": ("P", "#0072B2"),
    "jax-jit": ("v", "#009E73"),
    "sklearn": ("P", "#009E73"),
    "optax": ("v", "#56B4E9"),
    "torch-sgd": ("D", "#E69F00"),
}
OTHERS = ("X", PURPLE)
EXPONENTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
Pixels = Float[np.ndarray, "sample row column"]


def look(name: str) -> tuple[str, str]:
    """Marker and colour of an implementation."""
    return LOOKS.get(name, OTHERS)


def unique(names: Iterable[str]) -> list[str]:
    """Each once, in the order of their first appearance."""
    return list(dict.fromkeys(names))


def listed(names: Iterable[str]) -> str:
    """`a, b and c`, each once."""
    return wording.listed(unique(names))


def power(value: float) -> str:
    """10⁻³ for 1e-3."""
    return "10" + str(round(np.log10(value))).translate(EXPONENTS)


def handle(name: str, marker: str, colour: str, **more: Any) -> Line2D:
    """A mark for a legend."""
    more = {"ls": "none", "label": name} | more
    return Line2D([], [], marker=marker, color=colour, **more)
