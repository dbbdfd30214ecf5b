"""Two functions are told apart by one mistake, forward or backward, at its line and by its
name; and two that are the same, however differently they are written, are not.
"""

import inspect
import linecache
from pathlib import Path
from typing import Any

import pytest

from gradparity.parity_tests.functions import inputs, targets
from gradparity.parity_tests.functions.comparison import (
    Comparison,
    Pair,
    compare_functions,
)
from gradparity.parity_tests.mutants.pairs import ALIKE, DIFFERENT
from gradparity.parity_tests.mutants.pairs import Pair as Written

# Whose first step that differs is found in neither, and why.
NOT_LOCATED = {"labels-from-one"}
# Mistakes that no variation makes.
NOT_NAMED = {
    "relu-by-maximum",
    "root-chosen-afterwards",
    "multiplied-after-the-softmax",
    "heads-by-reshape-alone",
    "neighbours-rotated",
    "derivative-of-the-input",
    "square-forgotten",
    "gradient-at-zero",
    "rounded-straight-through",
    "factors-in-the-wrong-order",
    "weights-not-transposed",
    "summed-from-the-front",
    "diagonal-alone",
    "sum-forgotten",
    "inner-mean-over-n-minus-1",
    "repeated-index-lost",
    "all-equals-get-everything",
    "ends-repeated",
    "flattened-with-channels-last",
    "post-norm",
    "labels-from-one",
    "last-batch-dropped",
    "smoothing-left-on",
    "spread-over-the-others",
    "statistics-stopped",
    "batch-norm-over-features",
    "channels-dealt-to-groups",
    "reset-before-the-product",
    "returns-from-the-front",
    "first-of-the-largest",
    "norm-at-zero",
}
# How a kind of mistake may be named, where it is not by the kind itself.
NAMED = {
    "bias": {"missing"},
    "branch": {"stopped"},
    "ignored": {"mean_sum"},
    "missing_term": {"stopped"},
    "momentum": {"constant"},
    "order": {"order", "swapped"},
    "padding": {"mask"},
    "reduction": {"mean_sum"},
    "scale": {"scale", "constant"},
    "slope": {"constant"},
    "squared": {"squared", "scale"},
    "temperature": {"constant"},
}


def compared(pair: Written) -> Comparison:
    for name in pair.frameworks:
        if name != "numpy":
            pytest.importorskip(name)
    both = zip((pair.f, pair.g), pair.frameworks, "fg", strict=True)
    given = [targets.of(f, name=name, framework=kind) for f, kind, name in both]
    return compare_functions(given, inputs.of(pair.inputs()), ["float32", "float64"])


def line(where: str, function: Any) -> str:
    """The line of source that a place names."""
    file = inspect.getsourcefile(inspect.unwrap(function)) or ""
    name, _, number = where.rpartition(":")
    same = Path(name).name == Path(file).name
    return linecache.getline(file, int(number)) if same else ""


def located(found: Pair, pair: Written) -> bool:
    """Whether the first step that differs is at the mistake, in either of the two."""
    assert found.partings is not None
    of_f, of_g = (
        line(parting.steps[0].where, function) if parting.steps else ""
        for parting, function in zip(found.partings, (pair.f, pair.g), strict=True)
    )
    return pair.is_at("f", of_f) or pair.is_at("g", of_g)


def some(pairs: list[Written]) -> list[Any]:
    """All of them; those that JAX compiles for long, but for a few, in the deep run."""
    return [
        pytest.param(
            pair,
            id=pair.name,
            marks=[pytest.mark.deep] if "jax" in pair.frameworks and number % 4 else [],
        )
        for number, pair in enumerate(pairs)
    ]


@pytest.mark.parametrize("pair", some(DIFFERENT))
def test_one_mistake_is_told_located_and_named(pair: Written) -> None:
    (found,) = compared(pair).pairs
    assert not found.same_function
    wide = [tried for tried in found.tried if tried.dtype == "float64"]
    outputs = any(n.quantity.startswith("out") for each in wide for n in each.wrong)
    assert outputs == (pair.phase == "forward")
    assert located(found, pair) == (pair.name not in NOT_LOCATED)
    assert (found.mistake is not None) == (pair.name not in NOT_NAMED)
    if found.mistake is not None:
        assert found.mistake.name in NAMED.get(pair.mistake, {pair.mistake})


@pytest.mark.parametrize("pair", some(ALIKE))
def test_the_same_function_is_the_same_however_it_is_written(pair: Written) -> None:
    found = compared(pair)
    assert found.pairs[0].same
    assert [each.failed for each in found.operators.values() if each.failed] == []
    assert found.same


def test_enough_are_located_and_named() -> None:
    """Of 40 pairs, 36 were to be located and 30 named: what is reached is kept."""
    assert len(DIFFERENT) - len(NOT_LOCATED) >= 101
    assert len(DIFFERENT) - len(NOT_NAMED) >= 71
