"""The comparison can fail: a relative difference of 1e-9, planted in any one step of a
program in float64, is told, and the first step that differs is that one.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions.judging import Judged, judge
from gradparity.parity_tests.functions.parting import Parting, partings, sides
from gradparity.parity_tests.functions.programs import Recording
from gradparity.parity_tests.functions.rooms import BACKENDS, ROOMS
from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.measuring.arithmetic import arithmetic

PLANTED = 1e-9
RNG = np.random.default_rng(0)
LEAVES = [RNG.standard_normal(shape) for shape in ((3, 4), (4, 4), (4,))]
Array = Any


def in_framework(xp: Any, name: str) -> dict[str, Callable[..., tuple[Array, ...]]]:
    """Functions that read alike in PyTorch and JAX."""
    keep: dict[str, Any] = {"keepdim" if name == "torch" else "keepdims": True}

    def held(x: Array) -> Array:
        """As if it were a constant."""
        return x.detach() if name == "torch" else framework("jax").lax.stop_gradient(x)

    def norm(x: Array, w: Array, b: Array) -> tuple[Array, ...]:
        off = x - x.mean(-1, **keep)
        return (off / xp.sqrt((off * off).mean(-1, **keep) + 1e-5) * b,)

    def network(x: Array, w: Array, b: Array) -> tuple[Array, ...]:
        h = xp.tanh(x @ w + b)
        return ((h @ w / (1 + xp.exp(-x))).sum(),)

    def loss(x: Array, w: Array, b: Array) -> tuple[Array, ...]:
        e = xp.exp(x @ w + b)
        p = e / e.sum(-1, **keep)
        return (-(xp.log(p) * x).sum(-1).mean(),)

    def softmax(x: Array, w: Array, b: Array) -> tuple[Array, ...]:
        e = xp.exp(x - held(xp.amax(x, -1, **keep)))
        return (e / e.sum(-1, **keep) * b,)

    return {"norm": norm, "network": network, "loss": loss, "softmax": softmax}


def norm_by_hand(leaves: Any, seeds: Any) -> Any:
    (x, _, b), (dout,) = leaves, seeds
    off = x - x.mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt(np.mean(off * off, axis=-1, keepdims=True) + 1e-5)
    y, g = off * rstd, dout * b
    along = y * np.mean(g * y, axis=-1, keepdims=True)
    dx = rstd * (g - g.mean(axis=-1, keepdims=True) - along)
    return [y * b], [dx, None, np.sum(dout * y, axis=0)]


def network_by_hand(leaves: Any, seeds: Any) -> Any:
    (x, w, b), (dout,) = leaves, seeds
    h, s = np.tanh(x @ w + b), 1 / (1 + np.exp(-x))
    da = dout * s
    dh = da @ w.T * (1 - h * h)
    dx = dh @ w.T + dout * (h @ w) * s * (1 - s)
    return [np.sum(h @ w * s)], [dx, h.T @ da + x.T @ dh, dh.sum(axis=0)]


def loss_by_hand(leaves: Any, seeds: Any) -> Any:
    (x, w, b), (dout,) = leaves, seeds
    e = np.exp(x @ w + b)
    p = e / np.sum(e, axis=-1, keepdims=True)
    log = np.log(p)
    d = dout * (p * np.sum(x, axis=-1, keepdims=True) - x) / 3
    out = -np.mean(np.sum(log * x, axis=-1))
    return [out], [d @ w.T - dout * log / 3, x.T @ d, d.sum(axis=0)]


BY_HAND = {"norm": norm_by_hand, "network": network_by_hand, "loss": loss_by_hand}
# The others take longer than what they add is worth every time.
ALWAYS = {"torch": ["network"], "jax": ["network"], "numpy": [*BY_HAND]}
NAMES = [
    pytest.param(room, name, marks=[] if name in ALWAYS[room] else [pytest.mark.deep])
    for room in ROOMS
    for name in BY_HAND
]


def function_of(room: str, name: str) -> Any:
    if room == "numpy":
        return BY_HAND[name]
    module = pytest.importorskip(room)
    return in_framework(module if room == "torch" else module.numpy, room)[name]


def ran(room: str, name: str, replace: Any = None) -> Judged:
    function = function_of(room, name)
    shape = (3, 4) if name in ("norm", "softmax") else ()
    seeds = [np.random.default_rng(1).standard_normal(shape) if shape else np.ones(())]
    found = import_module(ROOMS[room]).record(function, LEAVES, seeds, replace=replace)
    recording = Recording.of(found, "float64")
    gradients = zip(("dx", "dw", "db"), recording.gradients, strict=True)
    quantities = {"out": recording.outputs[0]}
    quantities |= {q: n for q, n in gradients if n is not None}
    unit = arithmetic(BACKENDS[room], "float64").unlimited
    return Judged(recording, quantities, unit, None)


def planted_at(right: Judged, room: str, name: str, step: int) -> Judged | None:
    """The program with a difference in the results of a step; None where there is none:
    they are no numbers, or 0, or only another view.
    """
    values, rng = right.recording.values, np.random.default_rng(step)
    results = right.recording.executed[step].results
    if not any(values[n].dtype.kind == "f" and values[n].any() for n in results):
        return None
    factors = [
        1 + PLANTED * rng.uniform(0.5, 1, values[n].shape) * rng.choice([-1, 1])
        for n in results
    ]

    def changed(found: list[Any]) -> list[Any]:
        pairs = zip(found, factors, strict=False)  # nothing, where it is a view
        return [x * factor if x.dtype.kind == "f" else x for x, factor in pairs]

    wrong = ran(room, name, {step: changed})
    after = wrong.recording.values
    same = all(np.array_equal(values[n], after[n], equal_nan=True) for n in results)
    return None if same else wrong


def parted(right: Judged, wrong: Judged) -> tuple[list[str], tuple[Parting, Parting]]:
    """What differs, and where the first step is."""
    told = [number.quantity for number in judge((right, wrong)) if not number.same]
    return told, partings(*sides([(right, wrong)]), told, "out" in told)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(("room", "name"), NAMES)
def test_a_difference_in_any_step_is_told_and_located(room: str, name: str) -> None:
    right = ran(room, name)
    tried = 0
    for step in right.recording.executed:
        wrong = planted_at(right, room, name, step.number)
        if wrong is None or not reaches(right, step.results):
            continue
        told, (_, there) = parted(right, wrong)
        assert told, step
        assert [each.number for each in there.steps][:1] == [step.number], step
        assert ("out" in told) == (step.number in right.recording.leading), step
        tried += 1
    assert tried >= 14


def reaches(right: Judged, results: list[int]) -> bool:
    """Whether anything that is compared comes of these values."""
    recording = right.recording
    todo, seen = [*right.quantities.values()], set()
    while todo:
        number = todo.pop()
        if number not in seen:
            seen.add(number)
            step = recording.makers.get(number)
            todo += step.operands if step is not None else []
    return not seen.isdisjoint(results)


@pytest.mark.parametrize(("room", "name"), NAMES)
def test_nothing_is_told_where_nothing_is_planted(room: str, name: str) -> None:
    assert all(number.same for number in judge((ran(room, name), ran(room, name))))


@pytest.mark.parametrize(
    ("room", "operator"), [("torch", "aten::amax"), ("jax", "reduce_max")]
)
def test_what_cancels_is_no_difference(room: str, operator: str) -> None:
    """Whatever is subtracted from a row, its softmax is the same function."""
    right = ran(room, "softmax")
    (step,) = (s for s in right.recording.executed if s.operator == operator)
    wrong = planted_at(right, room, "softmax", step.number)
    assert wrong is not None
    out = right.value("out"), wrong.value("out")
    assert not np.array_equal(*out)
    assert all(number.same for number in judge((right, wrong)))
