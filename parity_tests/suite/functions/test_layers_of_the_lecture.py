"""The lecture's layers, judged step by step by what was recorded of them, without a rule of
their own: none that is right is convicted, and every mistake of the catalogue is told.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, SHAPE_CASES
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.catalogue.spec import Layer
from gradparity.parity_tests.functions.judging import Judged, Number, judge
from gradparity.parity_tests.functions.operators import judge_operators
from gradparity.parity_tests.functions.programs import Recording
from gradparity.parity_tests.functions.rooms import BACKENDS, ROOMS
from gradparity.parity_tests.implementations.contract import another_batch, as_tuple
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.parity_tests.suite.catalogue.test_properties import layer_cases
from gradparity.parity_tests.suite.support import load_or_skip

pytestmark = pytest.mark.usefixtures("without_shape_checks")
NAMES = {"numpy": "reference", "torch": "torch", "jax": "jax"}
TYPICAL = [c for c in LAYER_CASES if c.kind == "typical" and not c.spelled]

# What is no other function, but writes into what it was given or has another dtype.
NO_OTHER_FUNCTION = {
    "dout-written-in-place",
    "input-written-in-place",
    "promoted-to-double",
    "labels-set-the-dtype",
    "loss-as-python-number",
}
# Those that take long: the first case that tells them is a large one.
SLOW = {
    "matrix-product-in-bfloat16",
    "mean-over-whole-chunks",
    "tail-of-the-losses-dropped",
    "loss-through-an-underflow",
    "probability-clipped",
    "labels-set-the-dtype",
    "loss-as-python-number",
}


def by_hand(kind: Any, layer: Layer) -> Callable[[Any, Any], Any]:
    """A class in the lecture's style as what is recorded: it sees another batch first."""
    names = [each.name for each in layer.inputs]
    moving = [name for name in layer.differentiable if name not in layer.held]

    def function(leaves: Any, seeds: Any) -> Any:
        inputs = dict(zip(names, leaves, strict=True))
        node = kind(*(inputs[name] for name in layer.held), **layer.settings)
        values = [value for name, value in inputs.items() if name not in layer.held]
        earlier = another_batch([np.array(value) for value in values])
        outputs = as_tuple(node.forward(*earlier))
        node.backward(*map(np.ones_like, outputs))
        outputs = as_tuple(node.forward(*values))
        found = dict(zip(moving, as_tuple(node.backward(*seeds)), strict=True))
        found |= {name: getattr(node, "d" + name) for name in layer.held}
        return [*outputs], [found.get(name) for name in names]

    return function


def by_autograd(function: Any, layer: Layer) -> Callable[..., tuple[Any, ...]]:
    names = [each.name for each in layer.inputs]

    def flat(*leaves: Any) -> tuple[Any, ...]:
        inputs = dict(zip(names, leaves, strict=True))
        return as_tuple(function(**inputs, **layer.settings))

    return flat


def function_of(implementation: Any, layer: str) -> Any:
    if implementation.backend.framework == "numpy":
        return by_hand(getattr(implementation.layers, layer), LAYERS[layer])
    return by_autograd(implementation.function(layer), LAYERS[layer])


def ran(room: str, function: Any, case: Case, dtype: str) -> Judged:
    layer, case = LAYERS[case.layer], case.to(dtype)
    leaves = [np.asarray(case.inputs[each.name]) for each in layer.inputs]
    seeds = [np.asarray(each) for each in as_tuple(case.dout)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = import_module(ROOMS[room]).record(function, leaves, seeds)
    recording = Recording.of(found, dtype)
    quantities = dict(zip(layer.outputs, recording.outputs, strict=True))
    pairs = zip(layer.inputs, recording.gradients, strict=True)
    quantities |= {
        "d" + each.name: number
        for each, number in pairs
        if number is not None and each.name in layer.differentiable
    }
    unit = arithmetic(BACKENDS[room], dtype).unlimited
    return Judged(recording, quantities, unit, None)


@cache
def right(room: str, case: Case, dtype: str) -> Judged:
    return ran(room, function_of(load(NAMES[room]), case.layer), case, dtype)


def differing(one: Judged, other: Judged) -> list[Number]:
    with np.errstate(all="ignore"):
        return [number for number in judge((one, other)) if not number.same]


@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.id)
def test_what_is_right_is_the_same_in_every_framework(case: Case, dtype: str) -> None:
    found = {}
    for room, name in NAMES.items():
        load_or_skip(name)
        found[room] = right(room, case, dtype)
        operators = judge_operators(found[room].recording, found[room].arithmetic)
        assert operators.failed == []
        assert operators.unjudged == {}
    for room in ("torch", "jax"):
        assert differing(found["numpy"], found[room]) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_whatever_goes_in_no_operator_is_convicted(layer: str) -> None:
    """And what comes out is the same, where it is finite."""
    load_or_skip("torch")

    @settings(max_examples=settings().max_examples // 8)
    @given(layer_cases(layer))
    def drawn(pair: tuple[Case, str]) -> None:
        case, dtype = pair
        both = []
        for room in ("numpy", "torch"):
            judged = ran(room, function_of(load(NAMES[room]), layer), case, dtype)
            operators = judge_operators(judged.recording, judged.arithmetic)
            assert operators.failed == [], room
            both.append(judged)
        if all(map(is_tame, both)):
            assert differing(*both) == []

    drawn()


def is_tame(judged: Judged) -> bool:
    """Whether all that appears is finite, and nothing so small that it loses digits."""
    least = np.finfo(judged.recording.dtype).smallest_normal
    floats = [v for v in judged.recording.values if v.dtype.kind == "f"]
    return all(
        np.isfinite(value).all() and not ((value != 0) & (np.abs(value) < least)).any()
        for value in floats
    )


# --- Mistakes -----------------------------------------------------------------------------


def cases_of(layer: str) -> Iterator[Case]:
    for kind in ("typical", "edge"):
        for case in (*LAYER_CASES, *SHAPE_CASES):
            if (case.layer, case.kind) == (layer, kind) and not case.spelled:
                yield case


def told(mutant: Mutant) -> str | None:
    """The first case in which it is another function than what it is a mutant of."""
    mistaken = mutant.load()
    room = mistaken.backend.framework
    function = function_of(mistaken, mutant.layer)
    for case in cases_of(mutant.layer):
        one = right(room, case, "float64")
        try:
            other = ran(room, function, case, "float64")
        except Exception:  # what cannot be run is not the same
            return case.id
        if one.quantities.keys() != other.quantities.keys() or differing(one, other):
            return case.id
    return None


def is_slow(mutant: Mutant) -> bool:
    return mutant.name in SLOW or mutant.implementation.startswith("jax")


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(m, marks=[pytest.mark.deep] if is_slow(m) else [])
        for m in MUTANTS
        if m.scope == "layer"
    ],
    ids=lambda mutant: mutant.name,
)
def test_every_mistake_is_another_function(mutant: Mutant) -> None:
    load_or_skip(mutant.implementation)
    is_told = mutant.name not in NO_OTHER_FUNCTION
    assert (told(mutant) is not None) == is_told
