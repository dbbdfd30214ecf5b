"""The edges: they arrive as they are meant, and every divergence is as documented."""

import inspect
import re
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import pytest
from packaging.version import Version

from gradparity.parity_tests.catalogue import divergences
from gradparity.parity_tests.catalogue.case import (
    WIDE,
    Case,
    Corners,
    NetworkCase,
    cast,
)
from gradparity.parity_tests.catalogue.cases import LAYER_EDGES
from gradparity.parity_tests.catalogue.divergences import (
    DOCUMENTED,
    Documented,
    Seen,
    documented,
    table,
)
from gradparity.parity_tests.catalogue.edges import LAYOUTS, NETWORK_EDGES
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.catalogue.spellings import SPELLINGS
from gradparity.parity_tests.checking import values
from gradparity.parity_tests.checking.values import (
    Prepared,
    check,
    offers,
    run,
    verdict,
)
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS
from gradparity.parity_tests.implementations.contract import Arrays, NotInstalled
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.measuring.arithmetic import fuses
from gradparity.parity_tests.measuring.comparison import alike
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.parity_tests.suite.support import loaded

by_id: Any = {"ids": lambda entry: entry.id}


def test_the_corners_are_where_something_happens(dtype: str) -> None:
    number = np.dtype(dtype).type
    c = Corners(**{name: number(v) for name, v in asdict(Corners.of(dtype)).items()})
    half = number(0.5)
    with np.errstate(all="ignore"):
        assert c.tiny > 0
        assert c.tiny * half == 0
        assert c.subnormal == np.nextafter(c.normal, number(0)) < c.normal
        assert 0 < c.low_root**2 < c.normal
        assert np.isinf((1 / c.low_root) ** 2)
        assert 0 < c.root**2 < c.normal
        assert np.isfinite((1 / c.root) ** 2)
        assert np.isinf(c.high_root**2)
        assert 0 < (1 / c.high_root) ** 2 < c.normal
        assert np.isfinite(c.largest)
        assert np.isinf(np.nextafter(c.largest, number(np.inf)))
        assert c.large == c.largest * half
        assert 1 + c.half_eps == 1 < c.above_one == 1 + 2 * c.half_eps
        assert c.below_one == np.nextafter(number(1), number(0))
        assert 1 / (1 + np.exp(-c.saturated)) == 1
        assert np.exp(-c.exp_normal) >= c.normal > np.exp(-c.exp_subnormal)
        assert c.exp_subnormal == np.nextafter(c.exp_normal, number(np.inf))
        assert np.isfinite(np.exp(c.exp_last))
        assert np.isinf(np.exp(c.exp_over))
        assert c.exp_over == np.nextafter(c.exp_last, number(np.inf))
        assert np.exp(-c.exp_tiny) == c.tiny
        assert np.exp(-c.exp_zero) == 0


def test_corners_stay_corners_in_a_narrower_dtype_and_numbers_in_a_wider_one() -> None:
    wide = np.array([*asdict(WIDE).values(), 0.1, np.nan, np.inf])
    wide = np.concatenate([wide, -wide])
    narrow = cast(wide, np.float32)
    expected = np.array([*asdict(Corners.of(np.float32)).values(), 0.1, np.nan, np.inf])
    expected = np.concatenate([expected, -expected]).astype(np.float32)
    assert alike(narrow, expected).all()
    for dtype in (np.float64, np.longdouble):
        assert alike(cast(narrow, dtype), narrow.astype(dtype)).all()
        assert alike(cast(wide, dtype), wide.astype(dtype)).all()


def steps(value: np.ndarray) -> list[int]:
    """From one element to the next, in elements, along each axis that has a next."""
    pairs = zip(value.strides, value.shape, strict=True)
    return [stride // value.itemsize for stride, n in pairs if n > 1]


EDGES: list[Case | NetworkCase] = [*LAYER_EDGES, *NETWORK_EDGES]
LAID_OUT = [c for c in EDGES if c.name in LAYOUTS]


@pytest.mark.parametrize("laid_out", LAID_OUT, **by_id)
def test_layouts_survive_a_cast(laid_out: Case | NetworkCase, dtype: str) -> None:
    before, after = laid_out.arguments, laid_out.to(dtype).arguments
    for name, value in after.items():
        assert steps(value) == steps(before[name]), name
        if before[name].dtype.kind == "f":
            assert value.dtype == dtype
            np.testing.assert_array_equal(value, before[name].astype(dtype))


def test_every_layout_is_there() -> None:
    seen = [v for c in LAID_OUT for v in c.arguments.values() if v.ndim == 2]
    assert any(not v.flags.c_contiguous and not v.flags.f_contiguous for v in seen)
    assert any(v.flags.f_contiguous and not v.flags.c_contiguous for v in seen)
    assert any(0 in v.strides for v in seen)
    assert any(min(v.strides) < 0 for v in seen)
    assert len({c.layer for c in LAID_OUT}) == len({c.layer for c in LAYER_EDGES}) + 1


def test_what_lies_between_the_elements_is_nan() -> None:
    every_other = cast(np.arange(12.0)[::2], np.float32)
    assert every_other.base is not None
    memory = np.lib.stride_tricks.as_strided(every_other, (11,), (4,))
    np.testing.assert_array_equal(memory[::2], np.arange(12)[::2])
    assert np.isnan(memory[1::2]).all()


def test_layouts_arrive_at_the_implementation(dtype: str) -> None:
    class Watching(LectureStyle):
        def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
            self.seen = {**inputs, "dout": dout}
            return super().run_layer(layer, inputs, dout)

    watching = Watching("watching", "reference")
    for laid_out in LAID_OUT:
        if isinstance(laid_out, Case):
            check(Prepared.of(laid_out, dtype), "watching", watching)
            for name, value in laid_out.arguments.items():
                assert steps(watching.seen[name]) == steps(value)


def test_layouts_arrive_at_a_tensor() -> None:
    pytest.importorskip("torch")
    torch = loaded("torch")
    wide = np.arange(24.0).reshape(4, 6)
    for value in (
        wide.T,
        wide[::2, ::3],
        np.lib.stride_tricks.as_strided(wide, (4, 6), (0, 8)),
    ):
        tensor = torch._tensor("Relu", "x", value)
        assert list(tensor.stride()) == [s // 8 for s in value.strides]
    for value in (wide[::-1], np.broadcast_to(wide[0], (4, 6))):  # backwards, read-only
        assert torch._tensor("Relu", "x", value).tolist() == value.tolist()


# --- Divergences ----------------------------------------------------------------------


@cache
def prepared(edge: Case, dtype: str) -> Prepared:
    return Prepared.of(edge, dtype)


@cache
def seen(edge: Case, dtype: str, name: str) -> Seen:
    """What came of a case; nothing where it is not offered, or not installed."""
    implementation, ready = loaded(name), prepared(edge, dtype)
    results: Arrays = {}
    if not isinstance(implementation, NotInstalled) and offers(implementation, edge):
        results = run(edge.to(dtype), implementation)
    return Seen(edge.to(dtype), dtype, name, results, ready.truth, (BACKENDS[name],))


def of_layer(entry: Documented) -> list[Case]:
    return [
        e for e in LAYER_EDGES if (e.layer, e.spelled) == (entry.layer, entry.spelled)
    ]


by_id_of_case = {edge.id: edge for edge in LAYER_EDGES}


def pairs() -> list[Any]:
    return [
        pytest.param(entry, dtype, id=f"{entry.id}-{dtype}")
        for entry in DOCUMENTED
        for dtype in entry.dtypes
    ]


@pytest.mark.parametrize(("entry", "its_dtype"), pairs())
def test_every_documented_divergence_is_seen_and_its_change_is_noticed(
    entry: Documented, its_dtype: str
) -> None:
    for name in (n for n, backend in BACKENDS.items() if backend in entry.by_backend):
        runs = [seen(edge, its_dtype, name) for edge in of_layer(entry)]
        if not any(run.results for run in runs):
            continue  # there is no such form, or it is not installed
        if not entry.applies_to(BACKENDS[name]):
            continue
        edge = next(
            (
                e
                for e, r in zip(of_layer(entry), runs, strict=True)
                if entry.example(r) is not None
            ),
            None,
        )
        if edge is None and name.startswith("jax") and not fuses():
            assert entry.id == "tanh-derivative-where-it-is-1"
            continue  # XLA's tanh comes to 1 later without FMA: where the truth does, too
        assert edge is not None, f"{name} differs nowhere from the truth"
        found = seen(edge, its_dtype, name)
        example = entry.example(found)
        assert example is not None
        value = found.results[entry.quantity].copy()
        # Where it is NaN, some rules say nothing of a finite result.
        wrong = np.inf if np.isnan(value[example]) else 7.0
        value[example] = wrong
        ready = prepared(by_id_of_case[found.case.id], its_dtype)
        allowed = ready.allowed(BACKENDS[name])[entry.quantity]
        spoilt = found.results | {entry.quantity: value}
        verdicts = [
            verdict(ready, name, entry.quantity, results, allowed)
            for results in (found.results, spoilt)
        ]
        assert verdicts[0]["verdict"] == Verdict.DOCUMENTED
        assert entry.id in verdicts[0]["note"]
        assert verdicts[1]["verdict"] == Verdict.FAIL
        # A rule that looks at this quantity itself may say nothing of another value.
        looks_at = {*inspect.signature(entry.when).parameters}
        if not looks_at & {"result", *(["out"] if entry.quantity == "out" else [])}:
            assert re.search(f"(got|now) {wrong}", verdicts[1]["note"])


SIGNED = [
    name
    for name, layer in LAYERS.items()
    if layer.elementwise and "special numbers" not in layer.but_for
]


@pytest.mark.parametrize("layer", SIGNED)
def test_zeros_have_the_sign_of_the_references_unless_documented(
    layer: str, dtype: str
) -> None:
    """Where nothing is summed; in sums, and where classes are masked, signs vary."""
    edge = by_id_of_case[f"{layer}/special numbers"]
    for name in IMPLEMENTATIONS:
        its = seen(edge, dtype, name)
        for quantity, value in its.results.items():
            expected = prepared(edge, dtype).reference[quantity]
            both_zero = (value == 0) & (expected == 0)
            unlike = both_zero & ~alike(value, expected)
            for entry in documented(its.case, quantity, dtype, BACKENDS[name]):
                unlike &= ~entry.at(its.case, its.results, BACKENDS[name])[0]
            assert not unlike.any(), (name, quantity, np.argwhere(unlike)[0])


def test_the_table_tells_of_every_divergence_once_for_each_dtype() -> None:
    edges = [e for e in LAYER_EDGES if e.layer == "Relu"]
    names = ["reference", "torch", "jax"]
    runs = [
        seen(e, dtype, name)
        for e in edges
        for dtype in ("float64", "float32")
        for name in names
    ]
    rows = list(table(runs, names))
    expected = [
        (e.id, dtype) for e in DOCUMENTED if e.layer == "Relu" for dtype in e.dtypes
    ]
    installed = all(not isinstance(loaded(name), NotInstalled) for name in names)
    if installed:
        assert [(row.id, row.dtype) for row in rows] == expected
        minus_zero = next(row for row in rows if row.id == "relu-of-minus-zero")
        assert minus_zero.at.startswith("x = -0.0, dout = ")
        assert minus_zero.values["truth"] == minus_zero.values["reference"] == "0.0"
        assert minus_zero.values["torch"] == "-0.0"


def test_every_spelling_has_a_case_and_a_divergence() -> None:
    spelled = [edge.spelled for edge in LAYER_EDGES if edge.spelled]
    assert spelled == list(SPELLINGS)
    assert {e.spelled for e in DOCUMENTED if e.spelled} == set(SPELLINGS)


def test_ids_are_unique() -> None:
    assert len({entry.id for entry in DOCUMENTED}) == len(DOCUMENTED)


@pytest.mark.parametrize("entry", DOCUMENTED, **by_id)
def test_every_entry_says_why_and_from_where(entry: Documented) -> None:
    assert entry.why.endswith(".")
    assert (
        entry.source == "measured" or "/" in entry.source or "section" in entry.source
    )


def test_an_edge_that_is_not_accounted_for_makes_the_command_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from typer.testing import CliRunner

    from gradparity.reports.commands.application import app

    pytest.importorskip("torch")
    arguments = ["check", "Relu", "--edges", "--implementations", "torch"]
    accounted = CliRunner().invoke(app, arguments)
    assert accounted.exit_code == 0
    assert "of -0.0" in accounted.output
    assert "1. torch.relu is clamp_min(x, 0)" in accounted.output
    others = [entry for entry in DOCUMENTED if entry.id != "relu-as-clip-at-nan"]
    monkeypatch.setattr(divergences, "DOCUMENTED", others)
    unaccounted = CliRunner().invoke(app, arguments)
    assert unaccounted.exit_code == 1
    assert "Relu/clip(x, 0)" in unaccounted.output


# --- Divergences that are gone --------------------------------------------------------

CLIPPED = "derivative at 0, if spelled clip(x, 0)"
AT_0 = "which is the truth, at x = 0.0, dout = 1.0"
IS_GONE = f"{divergences.GONE}: {CLIPPED}, was 1.0, now 0.0, {AT_0}"


def clipped(
    version: str, at_0: float, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What is said of a PyTorch of this version whose clip has this derivative at 0."""
    monkeypatch.setattr(divergences.entry, "installed", lambda _: Version(version))
    ready = prepared(by_id_of_case["Relu/clip(x, 0)"], "float32")
    dx = np.array([at_0, at_0, 1, 0, 1, 0, 0], np.float32)
    results = ready.reference | {"dx": dx}
    return verdict(
        ready, "torch", "dx", results, ready.allowed(BACKENDS["torch"])["dx"]
    )


@pytest.mark.parametrize(
    ("version", "at_0", "expected", "note"),
    [
        ("2.13.0", 1.0, Verdict.DOCUMENTED, "relu-as-clip, relu-as-clip-at-nan"),
        ("2.13.0", 0.0, Verdict.FAIL, IS_GONE),
        ("2.13.0", 0.25, Verdict.FAIL, "relu-as-clip: expected 1.0, got 0.25"),
        ("2.14.1", 0.0, Verdict.DOCUMENTED, f"relu-as-clip-at-nan; {IS_GONE}"),
        ("2.14.1", 1.0, Verdict.FAIL, "at x = 0.0, dout = 1.0"),
    ],
)
def test_a_divergence_is_asserted_in_its_versions_only_and_missed_where_it_is_gone(
    version: str,
    at_0: float,
    expected: Verdict,
    note: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = clipped(version, at_0, monkeypatch)
    assert (found["verdict"], found.get("note")) == (expected, note)
    if note == IS_GONE:
        assert (found["worst"].index, found["worst"].value) == ([0], 0.0)


def test_right_but_for_rounding_is_gone_as_well() -> None:
    entry = next(e for e in DOCUMENTED if e.id == "sigmoid-overflows")
    found = seen(by_id_of_case["Sigmoid/special numbers"], "float64", "torch")
    if not found.results:
        pytest.skip("PyTorch is not installed")
    at = entry.example(found)
    assert at is not None
    ready = prepared(by_id_of_case[found.case.id], "float64")
    right = ready.truth["out"].astype("float64")[at]
    out = found.results["out"].copy()
    out[at] = np.nextafter(right, 1)
    allowed = ready.allowed(BACKENDS["torch"])["out"]
    note = verdict(ready, "torch", "out", found.results | {"out": out}, allowed)["note"]
    assert (
        f"was 0.0, now {out[at]}, which is the truth {right}, but for rounding" in note
    )


@pytest.mark.parametrize(
    ("version", "applies"),
    [("2.13.0+cpu", True), ("2.14.0a0+git1", False), ("2.14.1", False)],
)
def test_a_version_counts_without_what_is_appended(
    version: str, applies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divergences.entry.metadata, "version", lambda _: version)
    divergences.entry.installed.cache_clear()
    clip = next(e for e in DOCUMENTED if e.id == "relu-as-clip")
    try:
        assert clip.applies_to(BACKENDS["torch"]) == applies
        assert clip.applies_to(BACKENDS["jax"])  # its range is one of PyTorch's
    finally:
        divergences.entry.installed.cache_clear()


def test_the_command_says_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PyTorch whose clip is the lecture's ReLU, in a version that is not known for it;
    and in one that is.
    """
    from typer.testing import CliRunner

    from gradparity.reports.commands.application import app

    pytest.importorskip("torch")
    zero_at_0 = {"clip(x, 0)": lambda xp, x: xp.clip(x, 0) * (x.detach() != 0)}
    arguments = ["check", "Relu", "--edges", "--implementations", "torch"]
    monkeypatch.setattr(values, "SPELLINGS", SPELLINGS | zero_at_0)
    for version, status in (("2.13.0", 1), ("2.14.1", 0)):
        monkeypatch.setattr(
            divergences.entry, "installed", lambda _, v=version: Version(v)
        )
        done = CliRunner().invoke(app, arguments)
        assert IS_GONE[1:] in done.output
        assert done.exit_code == status
