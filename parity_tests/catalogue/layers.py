"""The specs of all layers, in the order in which the reference lists them."""

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
