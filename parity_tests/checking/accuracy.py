"""Whether this machine is as accurate as the bounds of some layers take it to be."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, LAYERS_AND_NETWORK
from gradparity.parity_tests.checking.values import error_bounds, load_all
from gradparity.parity_tests.measuring.devices import TO_NEAREST, numpy_rounds
from gradparity.parity_tests.measuring.elementary_errors import exceeded
from gradparity.parity_tests.measuring.records import Exceeded
from gradparity.reference.networks import TWO_LAYER_NET
from gradparity.reference.rounding import Arithmetic


@dataclass(frozen=True)
class Noting(Arithmetic):
    """It notes for which elementary functions a bound asks how accurate they are."""

    asked: set[str] = field(default_factory=set, compare=False)

    def roundings(self, function: str) -> float:
        self.asked.add(function)
        return super().roundings(function)


def functions_of(layers: Iterable[str]) -> tuple[str, ...]:
    """Return the elementary functions on which the bounds of these layers rest."""
    asked: set[str] = set()
    noting = Noting.of("float64", any_form=True, asked=asked)
    first = {
        case.layer: case for case in reversed(LAYER_CASES) if case.kind == "typical"
    }
    wanted = {*layers}
    if TWO_LAYER_NET.name in wanted:  # whose bounds are those of its layers
        kinds = [each.kind for each in TWO_LAYER_NET.layers]
        wanted |= {kind.__name__ for kind in (*kinds, TWO_LAYER_NET.last)}
    for layer in wanted - {TWO_LAYER_NET.name}:
        error_bounds(first[layer].to("float64"), noting)
    return tuple(sorted(asked))


def less_accurate(
    implementations: Sequence[str],
    layers: Sequence[str] = LAYERS_AND_NETWORK,
    dtypes: Sequence[str] = DTYPES,
) -> list[Exceeded]:
    """Return what this machine computes less accurately, in the frameworks of these
    implementations, than the bounds of these layers allow. User-supplied code may be
    written in any of them.
    """
    if (
        numpy_rounds() != TO_NEAREST
    ):  # and then nothing is as accurate as it was measured
        return []
    present, _ = load_all(implementations)
    frameworks = {b.framework for each in present for b in each.judged_as(layers[0])}
    loaded = tuple(sorted(frameworks & {*sys.modules}))
    return exceeded(loaded, tuple(dtypes), functions_of(layers))
