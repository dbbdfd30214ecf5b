"""The pairs are what they say: alike, or different by a mistake, in plain float64."""

import inspect
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.mutants.pairs import ALIKE, DIFFERENT, MISTAKES, Pair
from gradparity.parity_tests.mutants.pairs.arrays import Arrays
from gradparity.parity_tests.mutants.pairs.pair import FRAMEWORKS, Function

Shape = tuple[int, ...]
Results = list[list[np.ndarray]]  # the outputs; and the gradients for each of SEEDS
SAME = 1e-11
APART = 1e-9


def drawn(shape: Shape) -> np.ndarray:
    return np.asarray(np.random.default_rng(7).normal(size=shape))


SEEDS: list[Callable[[Shape], np.ndarray]] = [np.ones, drawn]
EVERY = [*DIFFERENT, *ALIKE]


def floating(inputs: Arrays) -> list[str]:
    """The names of what is differentiated."""
    return [name for name, value in inputs.items() if value.dtype == np.float64]


def as_list(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple) else [found]


def by_hand(function: Function, inputs: Arrays, shape: Shape) -> Results:
    with np.errstate(all="raise"):
        found = [function(**inputs, dout=seeds(shape)) for seeds in SEEDS]
    return [[np.asarray(found[0][0])], *([*gradients] for _, *gradients in found)]


def in_torch(function: Function, inputs: Arrays) -> Results:
    torch = pytest.importorskip("torch")
    given = {name: torch.tensor(value) for name, value in inputs.items()}
    leaves = [given[name].requires_grad_() for name in floating(inputs)]
    outputs = as_list(function(**given))
    found = [[out.detach().numpy() for out in outputs]]
    for seeds in SEEDS:
        douts = [torch.tensor(seeds(tuple(out.shape))) for out in outputs]
        settings = {"retain_graph": True, "materialize_grads": True}
        gradients = torch.autograd.grad(outputs, leaves, douts, **settings)
        found.append([gradient.numpy() for gradient in gradients])
    return found


def in_jax(function: Function, inputs: Arrays) -> Results:
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        given = {name: jax.numpy.asarray(value) for name, value in inputs.items()}
        names = floating(inputs)

        def of(*leaves: Any) -> list[Any]:
            return as_list(function(**given | dict(zip(names, leaves, strict=True))))

        @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
        def run(*leaves: Any) -> list[Any]:
            outputs, pull = jax.vjp(of, *leaves)
            douts = [[jax.numpy.asarray(s(o.shape)) for o in outputs] for s in SEEDS]
            return [outputs, *(pull(each) for each in douts)]

        parts = run(*(given[name] for name in names))
        return [[np.asarray(each) for each in part] for part in parts]


@cache
def results(function: Function, pair: Pair) -> Results:
    """The outputs and the gradients of f, or of g."""
    framework, inputs = FRAMEWORKS[function], pair.inputs()
    if framework != "numpy":
        return {"torch": in_torch, "jax": in_jax}[framework](function, inputs)
    other = pair.g if function is pair.f else pair.f
    if FRAMEWORKS[other] == "numpy":  # a scalar is enough for them to show the shape
        return by_hand(function, inputs, by_hand(function, inputs, ())[0][0].shape)
    return by_hand(function, inputs, results(other, pair)[0][0].shape)


def distance(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    """The largest difference of any arrays, by the largest number in them, or by 1 where
    that is smaller; infinite where one is NaN and the other is not.
    """
    found = 0.0
    for a, b in zip(left, right, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype == np.float64
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            return np.inf
        scale = max(1.0, np.nanmax(np.abs(a)), np.nanmax(np.abs(b)))
        found = max(found, float(np.nanmax(np.abs(a - b)) / scale))
    return found


def named(pairs: list[Pair]) -> Any:
    return pytest.mark.parametrize("pair", pairs, ids=[pair.name for pair in pairs])


@named(ALIKE)
def test_what_is_alike_agrees(pair: Pair) -> None:
    f, g = results(pair.f, pair), results(pair.g, pair)
    room = pair.within or SAME
    assert [distance(*parts) <= room for parts in zip(f, g, strict=True)] == [True] * 3
    assert all(np.isfinite(each).all() for part in f for each in part)


@named(DIFFERENT)
def test_what_is_different_differs_in_its_phase(pair: Pair) -> None:
    """In the backward whatever gradient arrives."""
    f, g = results(pair.f, pair), results(pair.g, pair)
    forward, *backward = (distance(*parts) for parts in zip(f, g, strict=True))
    if pair.phase == "forward":
        assert forward > APART
    else:
        assert forward <= SAME
        assert min(backward) > APART
    assert all(np.isfinite(each).all() for part in f for each in part)


@named(DIFFERENT)
def test_the_first_difference_has_a_line(pair: Pair) -> None:
    """Each snippet stands in one line of the function, and not in its docstring."""
    for function, places in ((pair.f, pair.at_f), (pair.g, pair.at_g)):
        source = inspect.getsource(function)
        code = source[source.index("def ") :].replace(str(function.__doc__), "")
        assert places
        for place in places:
            assert sum(place in line for line in code.splitlines()) == 1, place
    assert pair.is_at("f", pair.at_f[-1])
    assert pair.is_at("g", pair.at_g[0])
    assert not pair.is_at("g", "def ")


@named(EVERY)
def test_a_pair_is_written_down_whole(pair: Pair) -> None:
    assert pair.sentence.endswith(".")
    assert pair.f is not pair.g
    inputs = pair.inputs()
    again = pair.inputs()
    for name, value in inputs.items():
        assert value.dtype in (np.float64, np.int64, np.bool_)
        assert np.array_equal(value, again[name])
    for function, framework in zip((pair.f, pair.g), pair.frameworks, strict=True):
        extra = ["dout"] if framework == "numpy" else []
        assert [*inspect.signature(function).parameters] == [*inputs, *extra]
        assert len(inspect.getsource(function).splitlines()) <= 40


def test_there_are_as_many_as_are_needed() -> None:
    assert len(DIFFERENT) >= 44
    assert len(ALIKE) >= 44
    assert sum(pair.phase == "backward" for pair in DIFFERENT) >= 12
    assert {pair.mistake for pair in DIFFERENT} == {*MISTAKES}
    assert not any(pair.mistake or pair.phase for pair in ALIKE)
    assert Counter(pair.name for pair in EVERY).most_common(1)[0][1] == 1


def test_every_mix_of_frameworks_is_among_them() -> None:
    for pairs in (DIFFERENT, ALIKE):
        mixes = Counter(frozenset(pair.frameworks) for pair in pairs)
        assert mixes[frozenset({"torch", "jax"})] >= len(pairs) // 4
        assert sum(n for mix, n in mixes.items() if len(mix) == 1) >= len(pairs) // 5
        assert sum(n for mix, n in mixes.items() if "numpy" in mix) >= len(pairs) // 6


def test_no_framework_is_imported_to_list_them() -> None:
    code = (
        "import sys; from gradparity.parity_tests.mutants.pairs import ALIKE, DIFFERENT\n"
        "[pair.inputs() for pair in (*ALIKE, *DIFFERENT)]\n"
        "assert not {'torch', 'jax'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
