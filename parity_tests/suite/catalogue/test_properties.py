"""Whatever goes in: every result lies within its bound, or is documented.

Hypothesis draws shapes, dtypes, magnitudes, special numbers and memory layouts, 60
times a layer and always the same; `make test-deep` draws 10,000 others each time. Where
something may overflow on the way there is no bound, and such elements are skipped; it
is counted that they are the lesser part.
"""

from collections import Counter
from dataclasses import asdict
from functools import cache, partial
from itertools import compress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.case import Case, Corners, NetworkCase
from gradparity.parity_tests.catalogue.cases import LAYERS_AND_NETWORK
from gradparity.parity_tests.catalogue.divergences import documented
from gradparity.parity_tests.catalogue.edges import backwards, broadcast, strided
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.checking.values import (
    Prepared,
    limited_bounds,
    offers,
    quantities,
    run,
    verdict,
    written_into,
)
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS
from gradparity.parity_tests.implementations.contract import Arrays, NotInstalled
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import Allowed
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.parity_tests.suite.support import chosen_implementations, loaded

Draw = Any
Shape = tuple[int, ...]

MAGNITUDES = st.sampled_from([1e-3, 1.0, 10.0, 100.0, 1e4])
LAYOUTS = [np.asarray, np.asfortranarray, strided, backwards, broadcast]


def numbers(
    dtype: str, magnitude: float, least: float = -1.0, tame: bool = False
) -> st.SearchStrategy[float]:
    """Ordinary ones up to a magnitude, and among them any number and the corners; among
    tame ones rarely, and none that are infinite or NaN.
    """
    width: Any = np.dtype(dtype).itemsize * 8
    most = float(np.dtype(dtype).type(magnitude))
    ordinary = st.floats(least * most, most, width=width, allow_subnormal=False)
    corners = [0.0, *map(float, asdict(Corners.of(dtype)).values())]
    special = st.sampled_from([*corners, *(-c for c in corners)])
    other = st.floats(width=width, allow_nan=not tame, allow_infinity=not tame)
    return st.one_of(*[ordinary] * (50 if tame else 6), special, other)


@st.composite
def arrays(draw: Draw, dtype: str, shape: Shape, **limits: Any) -> np.ndarray:
    """An array of some magnitude in some layout."""
    elements = numbers(dtype, draw(MAGNITUDES), **limits)
    drawn = hnp.arrays(dtype, shape, elements=elements, fill=st.nothing())
    layout = draw(st.sampled_from(LAYOUTS)) if shape else np.asarray
    return layout(draw(drawn))


def any_shape(least: int = 0, most: int = 3) -> st.SearchStrategy[Shape]:
    return hnp.array_shapes(min_dims=least, max_dims=most, max_side=6)


@st.composite
def layer_cases(draw: Draw, layer: str) -> tuple[Case, str]:
    """A case of a layer, and the dtype that its arrays are in."""
    dtype = draw(st.sampled_from(DTYPES))

    spec = LAYERS[layer]
    any_size = any_shape(*spec.form.ranks)
    size = draw(st.one_of(st.sampled_from(spec.form.shared), any_size))
    *shapes, out = spec.shapes(size)
    inputs: Arrays = {}
    for each, shape in zip(spec.inputs, shapes, strict=True):
        if each.kind == "array":
            drawn = draw(arrays(dtype, shape, least=each.domain.least))
        else:
            indices = st.integers(0, size[-1] - 1)
            drawn = draw(hnp.arrays(np.int64, shape, elements=indices))
            if each.kind == "labels" and draw(st.booleans()):
                drawn = np.eye(size[-1])[drawn]
        inputs[each.name] = drawn
    dout = draw(arrays(dtype, out))
    return Case(layer, "drawn", inputs, dout, "edge"), dtype


@st.composite
def network_cases(draw: Draw) -> tuple[NetworkCase, str]:
    """Of tame numbers: where a NaN goes in a network is the affair of its layers."""
    dtype = draw(st.sampled_from(DTYPES))
    shapes: dict[str, Shape] = {"W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}
    params = {k: draw(arrays(dtype, shape, tame=True)) for k, shape in shapes.items()}
    x = draw(arrays(dtype, (5, 4), tame=True))
    t = draw(hnp.arrays(np.int64, 5, elements=st.integers(0, 1)))
    return NetworkCase("drawn", params, x, t, "edge"), dtype


def is_for_jax(case: Case | NetworkCase) -> bool:
    """Whether it has one of the few shapes: JAX compiles every operation anew for each,
    and the others get any.
    """
    if isinstance(case, NetworkCase):
        return True
    spec = LAYERS[case.layer]
    arrays = [case.inputs[name].shape for name in spec.differentiable]
    kinds = [each.kind == "array" for each in spec.inputs]
    shared = [compress(spec.shapes(size), kinds) for size in spec.form.shared]
    return arrays in map(list, shared)


def holds(
    case: Case | NetworkCase, dtype: str, names: list[str], count: Counter[str]
) -> None:
    """The property, of all implementations; counts the elements that were skipped."""
    prepared = Prepared.of(case, dtype)
    case = prepared.case
    before = case.to(dtype)
    limited_in = cache(partial(limited_bounds, case))  # two may share their arithmetic
    for name in names:
        implementation = loaded(name)
        if isinstance(implementation, NotInstalled) or not offers(implementation, case):
            continue
        if name.startswith("jax") and not is_for_jax(case):
            continue
        results = run(case, implementation)
        assert not written_into(case, before), name
        bounded = limited_in(arithmetic(BACKENDS[name], dtype))
        for quantity in quantities(case):
            value, truth = results[quantity], prepared.truth[quantity]
            of_truth = prepared.truth_bounds[quantity]
            error = bounded[quantity].error
            skipped = np.isinf(error) | (np.isnan(error) & ~np.isnan(truth))
            for entry in documented(case, quantity, dtype, BACKENDS[name]):
                skipped &= ~entry.at(case, results, BACKENDS[name])[0]
            with np.errstate(over="ignore"):
                judged = np.where(skipped, truth.astype(dtype), value)
            found = verdict(
                *(prepared, name, quantity, results | {quantity: judged}),
                Allowed.of(bounded[quantity], bounded[quantity], of_truth),
            )
            assert found["verdict"] != Verdict.FAIL, (name, quantity, dtype, found)
            count["skipped"] += int(skipped.sum())
            count["judged"] += int((~skipped).sum())
    count["examples"] += 1


@pytest.mark.parametrize("layer", LAYERS_AND_NETWORK)
def test_whatever_goes_in(layer: str, pytestconfig: pytest.Config) -> None:
    names = [n for n in chosen_implementations(pytestconfig) if n in IMPLEMENTATIONS]
    count: Counter[str] = Counter()

    @given(network_cases() if layer == NetworkCase.layer else layer_cases(layer))
    def drawn(pair: tuple[Case | NetworkCase, str]) -> None:
        holds(*pair, names, count)

    drawn()
    assert count["examples"] >= settings().max_examples
    assert count["judged"] > count["skipped"]
