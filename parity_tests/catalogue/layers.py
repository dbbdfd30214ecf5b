"""The specs of all layers, in the order in which the reference lists them."""

from collections.abc import Mapping
from typing import Any

from gradparity.parity_tests.catalogue import (
    activations,
    arithmetic,
    linear,
    losses,
)
from gradparity.parity_tests.catalogue.spec import Layer
from gradparity.reference import layers

_SPECS = {
    spec.name: spec
    for family in (arithmetic, activations, linear, losses)
    for spec in family.SPECS
}
LAYERS: dict[str, Layer] = {name: _SPECS[name] for name in layers.__all__}


def settings_of(layer: str) -> Mapping[str, Any]:
    """Return what is no array, by name; nothing for the network."""
    return LAYERS[layer].settings if layer in LAYERS else {}
