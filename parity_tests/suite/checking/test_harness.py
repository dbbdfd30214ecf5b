"""Negative control: the comparison must fail on what is wrong, and only on that."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradparity.parity_tests.audit import control
from gradparity.parity_tests.audit.control import Spoilt, negative_control
from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.cases import LAYER_CASES
from gradparity.parity_tests.checking import values
from gradparity.parity_tests.checking.assertions import sentence
from gradparity.parity_tests.checking.values import (
    Prepared,
    check,
    check_refusal,
    error_bounds,
    run,
    trusted,
)
from gradparity.parity_tests.implementations.backends import BACKENDS, NUMPY
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import Allowed, compare, same_bits
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.measuring.records import Verdict

VALID = [case for case in LAYER_CASES if case.kind != "invalid"]
TYPICAL = [case for case in LAYER_CASES if case.kind == "typical"]


def spoil(case: Case, dtype: str, quantity: str, factor: float) -> list[str]:
    """The quantities that fail when one is wrong."""
    spoilt = Spoilt(quantity, factor)
    rows, _ = check(Prepared.of(case, dtype), "spoilt", spoilt)
    return [row.quantity for row in rows if row.verdict == Verdict.FAIL]


@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.id)
def test_a_gradient_wrong_by_one_in_ten_thousand_fails(case: Case, dtype: str) -> None:
    for quantity, value in run(case.to(dtype), load("reference")).items():
        expected = [quantity] if value.any() else []
        assert spoil(case, dtype, quantity, 1 + 1e-4) == expected


@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.id)
def test_a_wrong_reference_fails_and_nobody_else(
    case: Case, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it is also what the truth is computed with."""
    right = values.REFERENCE
    for quantity, value in run(case.to(dtype), right).items():
        if not value.any():
            continue
        monkeypatch.setattr(values, "REFERENCE", Spoilt(quantity, 1 + 1e-4))
        prepared = Prepared.of(case, dtype)
        others, _ = check(prepared, "another", right)
        assert not [row for row in others if row.verdict == Verdict.FAIL]
        rows, _ = check(prepared, "reference", values.REFERENCE)
        failed = [row.quantity for row in rows if row.verdict == Verdict.FAIL]
        assert failed == [quantity]


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.id)
def test_the_truth_and_the_value_of_its_bound_agree(case: Case, dtype: str) -> None:
    case = case.to(dtype)
    truth = run(case.to(truth_dtype(dtype)), load("reference"))
    for quantity, bounded in error_bounds(case, arithmetic(NUMPY, dtype)).items():
        if quantity in truth:
            assert trusted(truth[quantity], bounded) is truth[quantity], quantity


def within(error: np.ndarray) -> Allowed:
    return Allowed(error, error)


PLUGIN = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart():
    from gradparity.parity_tests.checking import values
    from gradparity.parity_tests.measuring.records import Verdict

    values.compare = lambda *arguments: {"verdict": Verdict.IDENTICAL}
"""


def test_a_session_whose_comparison_compares_nothing_ends_at_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "plugin",
            "-k",
            "test_metrics",
            __file__,
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        check=False,
    )
    assert done.returncode == 1, done
    assert "the negative control failed" in done.stdout + done.stderr
    assert "passed" not in done.stdout


@pytest.mark.parametrize("verdict", [Verdict.IDENTICAL, Verdict.FAIL, None])
def test_the_negative_control_needs_a_comparison_that_tells(
    verdict: Verdict | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert negative_control() is None
    if verdict is None:
        monkeypatch.setattr(control, "check", lambda *arguments: ([], {}))
    else:
        found = {"verdict": verdict}
        monkeypatch.setattr(values, "compare", lambda *arguments: found)
    assert "nothing that the comparison says can be trusted" in str(negative_control())


def test_the_truth_is_wider() -> None:
    assert truth_dtype("float32") == np.float64
    assert truth_dtype("float64") == np.longdouble


@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.id)
def test_the_truth_is_computed_from_the_same_inputs_in_a_wider_dtype(
    case: Case, dtype: str
) -> None:
    prepared = Prepared.of(case, dtype)
    for value in prepared.truth.values():
        assert value.dtype == truth_dtype(dtype)
    narrow = case.to(dtype)
    for name, value in narrow.to(truth_dtype(dtype)).inputs.items():
        np.testing.assert_array_equal(value, narrow.inputs[name])


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (np.ones(3, np.float32), "expected shape (2, 2), got (3,)"),
        (np.ones((2, 2), np.float64), "expected dtype float32, got float64"),
    ],
)
def test_another_shape_or_dtype_fails(value: np.ndarray, note: str) -> None:
    found = compare(value, np.ones((2, 2)), within(np.ones((2, 2))), "float32", None)
    assert found == {"verdict": Verdict.FAIL, "note": note}


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_nan_and_inf_fail_where_the_truth_is_finite(wrong: float) -> None:
    found = compare(
        *(np.array([1.0, wrong]), np.array([1.0, 1.0]), within(np.ones(2))),
        *("float64", None),
    )
    assert found["verdict"] == Verdict.FAIL
    assert found["bound_ratio"] == found["max_abs"] == np.inf
    assert found["worst"].index == [1]


@pytest.mark.parametrize("right", [np.nan, np.inf, -np.inf])
def test_nan_and_inf_agree_with_themselves(right: float) -> None:
    both = np.array([1.0, right])
    found = compare(both, both, within(np.zeros(2)), "float64", both)
    assert found["verdict"] == Verdict.IDENTICAL
    assert found["max_abs"] == found["max_ulp"] == found["max_abs_reference"] == 0


def test_metrics() -> None:
    truth = np.array([1.0, 2.0, 0.0])
    value = np.array([1.0, 2.0 + 3 * np.spacing(2.0), 0.0])
    found = compare(value, truth, within(np.full(3, 1e-14)), "float64", truth)
    assert found["max_abs"] == 3 * np.spacing(2.0)
    assert found["max_rel"] == 1.5 * np.spacing(2.0)
    assert found["max_ulp"] == 3
    assert found["bound_ratio"] == 3 * np.spacing(2.0) / 1e-14
    assert found["verdict"] == Verdict.WITHIN_BOUND


def test_the_sign_of_zero_is_part_of_the_bits() -> None:
    assert not same_bits(np.array(0.0), np.array(-0.0))
    assert same_bits(np.array(np.nan), np.array(-np.nan))


@pytest.mark.usefixtures("without_shape_checks")
def test_an_implementation_that_accepts_bad_input_fails() -> None:
    class Lenient(LectureStyle):
        def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
            return {"out": np.zeros(1), "dx": np.zeros(1)}

    case = next(case for case in LAYER_CASES if case.kind == "invalid")
    prepared = Prepared.of(case, "float64")
    found = check_refusal(prepared, Lenient("lenient", "reference"))
    assert found["verdict"] == Verdict.FAIL
    assert "was accepted" in found["note"]


def test_an_implementation_that_crashes_fails_and_does_not_stop_the_others() -> None:
    class Crashing(LectureStyle):
        def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
            raise RuntimeError("out of luck")

    rows, _ = check(Prepared.of(TYPICAL[0], "float64"), "c", Crashing("c", "reference"))
    assert {row.verdict for row in rows} == {Verdict.FAIL}
    assert rows[0].note == "raised RuntimeError: out of luck"


def test_a_quantity_that_is_not_returned_fails() -> None:
    class Forgetful(LectureStyle):
        def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
            results = super().run_layer(layer, inputs, dout)
            del results["dx"]
            return results

    rows, _ = check(
        Prepared.of(TYPICAL[0], "float64"), "f", Forgetful("f", "reference")
    )
    failed = [row for row in rows if row.verdict == Verdict.FAIL]
    assert [row.note for row in failed] == ["dx was not returned"]


def test_a_documented_divergence_that_is_gone_fails() -> None:
    """torch.relu(-0.0) is documented to be -0.0: had it become 0.0, we would notice."""
    case = next(case for case in LAYER_CASES if case.id == "Relu/special numbers")
    prepared = Prepared.of(case, "float64")
    rows, _ = check(prepared, "torch", LectureStyle("torch", backend=BACKENDS["torch"]))
    assert rows[0].verdict == Verdict.FAIL
    gone = "this divergence is gone: of -0.0, was -0.0, now 0.0, which is the truth"
    assert gone in (rows[0].note or "")
    assert sentence(rows[0]).endswith(f"in float64 is wrong: {rows[0].note}")
