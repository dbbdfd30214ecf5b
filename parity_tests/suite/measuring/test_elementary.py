"""Elementary functions are as accurate as was measured; where one is not, that is said."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp

import gradparity
from gradparity.parity_tests.audit.oracle import to_exact
from gradparity.parity_tests.checking.accuracy import functions_of, less_accurate
from gradparity.parity_tests.implementations.backends import (
    BACKENDS,
    NUMPY,
    UNKNOWN,
)
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.measuring import elementary, elementary_errors
from gradparity.parity_tests.measuring.dtypes import is_wider, truth_dtype
from gradparity.parity_tests.measuring.elementary import Measurement, Row, key, ulps
from gradparity.parity_tests.measuring.elementary_errors import (
    CLASSES,
    PLACES,
    Place,
    grid,
    measure,
    sums,
)
from gradparity.parity_tests.suite.support import skip_unless_built_in
from gradparity.reference.rounding.elementary import ELEMENTARY
from gradparity.reports.commands.application import app
from gradparity.reports.environment import describe, with_accuracy
from gradparity.reports.tables.gradients import warnings
from gradparity.reports.tables.overview import environment_table

NEEDS_WIDER = pytest.mark.skipif(
    not is_wider(np.longdouble, np.float64), reason="no dtype is wider than float64"
)


# --- What was measured ----------------------------------------------------------------


@NEEDS_WIDER
@pytest.mark.parametrize("points", [2**15, pytest.param(2**17, marks=pytest.mark.deep)])
@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p.function}-{p.layer}")
def test_elementary_functions_are_as_good_as_was_measured(
    place: Place, dtype: str, implementation: Implementation, points: int
) -> None:
    skip_unless_built_in(implementation)
    if not place.is_in(implementation.backend.framework):
        pytest.skip(f"it is not seen in {implementation.name}")
    composed = implementation.backend.form == "composed"
    if place.layer and not implementation.offers(place.layer):
        pytest.skip(f"{implementation.name} computes it as its fused form does")
    if place.layer == "SoftmaxWithLoss" and composed:
        pytest.skip(f"the loss of {implementation.name} is the log of a probability")
    (found,) = measure([implementation], place, dtype, points)
    assert found.inputs > 50
    at_least = 0.3 if place.layer == "SoftmaxWithLoss" else 0.4
    most = ulps(place.function, dtype, implementation.backend)
    assert at_least < found.ulps <= most, found.at


def test_a_measurement_says_of_what_it_is() -> None:
    for each in elementary.measurements():
        assert {*each.versions} >= {"numpy", "torch", "jax", "jaxlib"}
        assert each.note or {*each.features} == {"numpy", "torch", "xla"}
        keys = [key(row) for row in each.rows]
        assert len({*keys}) == len(keys)
    rows = elementary.measured()
    places = {(place.function, place.layer): place for place in PLACES}
    assert {(row.function, row.layer) for row in rows} == {*places}
    for row in rows:
        place = places[row.function, row.layer]
        ends = [(float(s * lo), float(s * hi)) for s, lo, hi in place.ends(row.dtype)]
        assert row.ranges == ends
        assert row.every == (row.inputs == place.all_there_are(row.dtype))
        assert not ends or any(low <= row.at <= high for low, high in map(sorted, ends))


def test_every_float32_was_tried_with_every_set_of_instructions() -> None:
    """Of the functions that layers have; where one came later, no AVX-512 was at hand."""
    rows = [row for row in elementary.measured() if row.platform == "Linux x86_64"]
    for place in PLACES:
        at = place.function, place.layer
        of = [row for row in rows if (row.function, row.layer) == at]
        assert {row.instructions for row in of} >= {"AVX2", "SSE4.2"}
        if place.layer and place.ends("float32"):
            assert all(row.every for row in of if row.dtype == "float32")


def test_what_nobody_has_measured_has_no_bound_and_who_was_not_has_the_worst() -> None:
    rows = elementary.measured()
    assert ulps("exp", "float32", UNKNOWN) == max(
        row.allowed for row in rows if (row.function, row.dtype) == ("exp", "float32")
    )
    assert ulps("no such function", "float32", NUMPY) == np.inf


def test_of_a_sample_a_fiftieth_more_and_the_next_half_of_an_ulp_is_allowed() -> None:
    row = elementary.measured()[0]
    for every, found, allowed in (
        (True, 0.6, 0.6),
        (False, 0.6, 1.0),
        (False, 1.47, 1.5),
        (False, 1.48, 2.0),
    ):
        assert row.model_copy(update={"every": every, "ulps": found}).allowed == allowed


# --- A machine more -------------------------------------------------------------------


def measurement(platform: str, *functions: str, ulps: float = 1.0) -> Measurement:
    found: dict[str, Any] = {"implementation": "torch", "inputs": 1, "at": 1.0}
    found |= {"dtype": "float32", "layer": "", "ulps": ulps}
    return Measurement(
        platform=platform,
        processor="one",
        instructions="all",
        versions={"torch": str(ulps)},
        rows=[Row(function=f, **found) for f in functions],
    )


def test_what_is_measured_anew_replaces_that_of_this_machine_alone() -> None:
    linux, windows = measurement("Linux", "exp", "log"), measurement("Windows", "exp")
    anew = measurement("Linux", "exp", ulps=2.0)
    found = elementary.renewed([linux, windows], [anew])
    kept = measurement("Linux", "log")
    assert sorted(found, key=str) == sorted([kept, windows, anew], key=str)
    assert elementary.renewed([linux], [measurement("Linux", "exp", "log")]) == [linux]
    more = elementary.renewed([linux], [measurement("Linux", "tanh")])
    assert more == [measurement("Linux", "exp", "log", "tanh")]


def test_the_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "elementary.json"
    elementary.write(elementary.measurements(), path)
    assert path.read_text("utf-8") == elementary.DATA.read_text("utf-8")


# --- At which numbers -----------------------------------------------------------------


def orders(terms: np.ndarray) -> Iterator[np.ndarray]:
    """Sums one after the other, from either end, and in pairs."""
    for some in (terms, terms[::-1]):
        yield np.add.accumulate(some)[-1]
    yield terms.sum()


def test_sums_of_exps_are_what_they_are_taken_for(dtype: str) -> None:
    """Whoever is off by up to four ulps, and in whatever order they are added."""
    found = sums(dtype, 2**8)
    assert found[0] == 1
    assert found[-1] == CLASSES
    assert (found != np.round(found)).mean() > 0.4
    for total in found:
        ones = int(total)
        left = truth_dtype(dtype)(total - ones)
        e = np.exp(np.log(left).astype(dtype).astype(left.dtype)) if left else left
        for off in (-4, 0, 4):
            term = (e + off * np.spacing(left.astype(dtype))).astype(dtype)
            terms = np.append(np.ones(ones, dtype), term if left else [])
            assert {float(each) for each in orders(terms.astype(dtype))} == {total}


def test_a_sample_has_the_numbers_near_which_algorithms_change() -> None:
    (exp,) = (p for p in PLACES if (p.function, p.layer) == ("exp", "Exp"))
    (log,) = (p for p in PLACES if (p.function, p.layer) == ("log", "Log"))
    tried = np.concatenate([*grid(exp, "float64", 2**20)])
    f: Any = np.finfo(np.float64)
    for number in (f.eps / 4, np.log(f.max / 2)):
        assert number in tried
    ratio = np.log(np.longdouble(2)) / 256
    above = tried[tried > 1]
    away = np.abs(above - np.round(above / ratio) * ratio)
    assert (away < 3 * np.spacing(above)).sum() > 10_000
    tried = np.concatenate([*grid(log, "float64", 2**16)])
    one = np.float64(1)
    for number in (
        np.nextafter(one, 0),
        np.nextafter(one, 2),
        f.smallest_normal,
        f.max,
    ):
        assert number in tried
    assert (np.abs(tried - 1) < 1e-3).sum() > 1000


# --- The truth of erf and erfc --------------------------------------------------------


@pytest.mark.parametrize("function", ["erf", "erfc"])
@pytest.mark.parametrize("wide", [np.float64, np.longdouble])
def test_erf_and_erfc_are_what_mpmath_says(function: str, wide: Any) -> None:
    last = 9.0 if function == "erf" or wide is np.float64 else 26.5
    x = np.concatenate([np.linspace(-6, last, 301), np.geomspace(1e-16, 1, 60), [0.0]])
    x = np.append(x, [np.nextafter(1, 0), np.pi / 0.4]).astype(wide)
    value = ELEMENTARY[function].function(x)
    assert value.dtype == wide
    with mp.workdps(60):
        truth = [getattr(mp, function)(each) for each in to_exact(x)]
        apart = [abs(v - t) for v, t in zip(to_exact(value), truth, strict=True)]
        off = [a / abs(t) if t else a for a, t in zip(apart, truth, strict=True)]
    assert max(off) < 16 * float(np.finfo(wide).eps)


# --- The check ------------------------------------------------------------------------


def test_which_functions_the_bounds_of_a_layer_rest_on() -> None:
    assert functions_of(["Relu", "Affine"]) == ()
    assert functions_of(["Tanh"]) == ("tanh",)
    assert functions_of(["TwoLayerNet"]) == ("exp", "exp near overflow", "log")


@NEEDS_WIDER
def test_here_nothing_is_less_accurate_than_was_measured() -> None:
    names = [name for name in BACKENDS if name not in ("jax", "jax-composed")]
    assert less_accurate(names) == []


@pytest.fixture
def worse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyTorch's exp, off by some ulps more at a number where another was worst before."""
    torch = pytest.importorskip("torch")
    right = torch.exp

    def exp(x: Any) -> Any:
        value = right(x)
        there = (x > -62.0296) & (x < -62.0295)
        return torch.where(there, value * (1 + 2.0**-20), value)

    monkeypatch.setattr(torch, "exp", exp)
    elementary_errors.exceeded.cache_clear()
    yield
    elementary_errors.exceeded.cache_clear()


SENTENCE = re.compile(
    r"torch's exp in Exp is off by [0-9.]+ ulps in float32 here, at -62\.0295\d+: "
    r"more than the 0.986 that were measured \(AVX-512, Linux x86_64\). Bounds may be too "
    "small: run `make elementary`."
)


@NEEDS_WIDER
@pytest.mark.usefixtures("worse")
def test_a_function_that_is_worse_here_is_named() -> None:
    found = less_accurate(["reference", "torch"], ["Exp"], ["float32"])
    (sentence,) = (each.sentence for each in found)
    assert SENTENCE.fullmatch(sentence)
    assert less_accurate(["torch"], ["Relu"], ["float32"]) == []


@NEEDS_WIDER
@pytest.mark.usefixtures("worse", "without_shape_checks")
@pytest.mark.parametrize(
    "more", [[], ["--json"], ["--exhaustive", "--stride=16777216"]]
)
def test_check_warns_of_it_and_ends_as_it_would(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["check", "Exp", "--implementations=torch", "--dtype=float32", *more]
    with pytest.raises(SystemExit) as ended:
        app(options)
    printed = capsys.readouterr()
    assert ended.value.code in (0, None)
    assert SENTENCE.search(" ".join(printed.err.split()))
    if more == ["--json"]:
        (found,) = json.loads(printed.out)["exceeded"]
        assert (found["framework"], found["allowed"]) == (
            "torch",
            ulps("exp", "float32", BACKENDS["torch"]),
        )


@NEEDS_WIDER
@pytest.mark.usefixtures("worse")
def test_env_and_reports_say_so() -> None:
    looked = with_accuracy(describe())
    shown = dict(environment_table(looked).rows)["elementary functions"]
    assert SENTENCE.search(shown)
    assert looked.exceeded
    assert len(warnings([], looked.exceeded)) == len(looked.exceeded)
    assert "elementary functions" not in dict(environment_table(describe()).rows)


@NEEDS_WIDER
@pytest.mark.usefixtures("worse")
def test_so_does_the_function() -> None:
    with pytest.warns(UserWarning, match="torch's exp in Exp is off by"):
        gradparity.check("Exp", "float32", "torch")
