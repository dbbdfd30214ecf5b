"""The specs of all layers, in the order in which the reference lists them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gradparity.parity_tests.catalogue import activations, arithmetic, linear, losses
from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.spec import Layer
from gradparity.reference import layers
from gradparity.reference.functions import to_one_hot

_SPECS = {
    spec.name: spec
    for family in (arithmetic, activations, linear, losses)
    for spec in family.SPECS
}
LAYERS: dict[str, Layer] = {name: _SPECS[name] for name in layers.__all__}


def one_hot_forms(case: Case | NetworkCase) -> Iterator[Case]:
    """Yield a layer's case with one-hot rows in the place of its labels, if it has any
    that are indices.
    """
    if isinstance(case, NetworkCase):
        return
    for each in LAYERS[case.layer].inputs:
        t = case.inputs[each.name]
        scores = next(iter(case.inputs.values()))
        if each.kind == "labels" and t.ndim < scores.ndim:
            rows = to_one_hot(t, scores.shape[-1], scores.dtype)
            yield replace(case, inputs={**case.inputs, each.name: rows})


def settings_of(layer: str) -> Mapping[str, Any]:
    """Return what is no array, by name; nothing for the network."""
    return LAYERS[layer].settings if layer in LAYERS else {}
