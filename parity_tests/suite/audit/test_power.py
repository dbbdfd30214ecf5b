"""What is said to be caught certainly is, and a tenth of it is let pass."""

import json
import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.audit.power import TYPICAL, Run, least_fault
from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.catalogue.cases import LAYERS_AND_NETWORK
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.checking.local import local_standard
from gradparity.parity_tests.checking.values import Prepared, quantities, run
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.comparison import Allowed, compare
from gradparity.parity_tests.measuring.records import Fault, Power, Verdict
from gradparity.parity_tests.suite.reports.test_cli import gradparity, without
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.reference.networks import TWO_LAYER_NET
from gradparity.reports.tables.detection import power_tables

MORE = 1.001  # times a fault that is only just caught
NAMES = ("reference", "torch", "jax")
ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").is_file())


def planted(value: np.ndarray, fault: float, sign: int, where: Any = ...) -> Any:
    """The value with a relative fault of that size, or with the next larger one that can
    be represented; 0 stays 0.
    """
    found, right = value.copy(), value[where]
    wide = right.astype(np.longdouble)
    wanted = wide * (1 + sign * np.longdouble(fault))
    wrong = wanted.astype(value.dtype)
    away = np.copysign(np.inf, sign * right).astype(value.dtype)
    short = np.abs(wrong - wide) <= np.abs(wanted - wide)
    wrong = np.where(short, np.nextafter(wrong, away), wrong)
    found[where] = np.where(right == 0, right, wrong)
    return found


@cache
def prepared(case: Any, dtype: str) -> Prepared:
    return Prepared.of(case, dtype)


@cache
def results(case: Any, dtype: str, name: str) -> dict[str, np.ndarray]:
    return run(case.to(dtype), load_or_skip(name))


@cache
def power(name: str, layer: str, dtype: str) -> list[Power]:
    return Run([layer], [dtype], [load_or_skip(name)]).whole()


@cache
def steps(case: Any, dtype: str, name: str) -> dict[str, tuple[np.ndarray, Allowed]]:
    standard, own = prepared(case, dtype), results(case, dtype, name)
    given: Any = standard.given
    judged_by = [a.unlimited for a in standard.arithmetics(BACKENDS[name])]
    return local_standard(given.params, given.x, given.t, own, dtype, judged_by)


def judged(row: Power, fault: Fault) -> tuple[np.ndarray, np.ndarray, Allowed]:
    """What an implementation returns in the case of the claim, the truth of it, and how
    far it may be from that.
    """
    (case,) = (each for each in TYPICAL if each.id == fault.case)
    value = results(case, row.dtype, row.implementation)[row.quantity]
    assert list(value.shape) == fault.shape
    if fault.by == "step":
        return value, *steps(case, row.dtype, row.implementation)[row.quantity]
    standard = prepared(case, row.dtype)
    allowed = standard.allowed(BACKENDS[row.implementation])[row.quantity]
    return value, standard.truth[row.quantity], allowed


def hardest(truth: np.ndarray, allowed: Allowed) -> tuple[Any, ...]:
    """The element whose fault is noticed last."""
    found = least_fault(truth, allowed.certain)
    return tuple(np.unravel_index(np.nanargmax(found), found.shape))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("name", "layer"), [*product(NAMES, LAYERS), ("reference", NetworkCase.layer)]
)
def test_a_fault_of_the_size_that_is_told_is_caught(
    name: str, layer: str, dtype: str
) -> None:
    """In what the implementation really returns: all elements at once; and alone, that
    which is noticed last and some others; of either sign.
    """
    rng = np.random.default_rng(0)
    for row in power(name, layer, dtype):
        for fault in filter(None, (row.every, row.one)):
            value, truth, allowed = judged(row, fault)
            assert compare(value, truth, allowed, dtype, None)["bound_ratio"] <= 1
            chosen: list[Any] = [...]
            if fault is row.one:
                askable = np.argwhere(~np.isnan(least_fault(truth, allowed.certain)))
                others = map(tuple, rng.permutation(askable)[:2])
                chosen = [hardest(truth, allowed), *others]
            for where, sign in product(chosen, (-1, 1)):
                wrong = planted(value, fault.size * MORE, sign, where)
                found = compare(wrong, truth, allowed, dtype, None)
                assert found["verdict"] == Verdict.FAIL, (row, where)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("layer", LAYERS_AND_NETWORK)
def test_a_tenth_of_it_passes_somewhere(layer: str, dtype: str) -> None:
    """So that what is told is no more than ten times too large, where there is rounding:
    planted in the truth, rounded once, in the element that notices it last.
    """
    for row in power("reference", layer, dtype):
        for fault in filter(None, (row.every, row.one)):
            if fault.size > 20 * np.finfo(dtype).eps:
                _, truth, allowed = judged(row, fault)
                wrong = truth.astype(dtype)
                wrong[hardest(truth, allowed)] *= 1 + fault.size / 10
                found = compare(wrong, truth, allowed, dtype, None)
                assert found["verdict"] != Verdict.FAIL, row


def test_the_least_fault_of_an_element() -> None:
    truth = np.array([1.0, -1.0, 1.0, 0.0, np.inf, 1.0, 1.0])
    allowed = np.array([0.0, 0.1, 1.0, 0.1, 0.1, np.inf, np.nan])
    expected = [0.0, 0.2 / 0.9, np.inf, np.nan, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(least_fault(truth, allowed), expected)


def test_there_is_a_row_for_everything_that_is_compared(dtype: str) -> None:
    for layer in LAYERS_AND_NETWORK:
        expected = (
            TWO_LAYER_NET.quantities
            if layer == NetworkCase.layer
            else quantities(next(c for c in TYPICAL if c.layer == layer))
        )
        rows = power("reference", layer, dtype)
        assert [row.quantity for row in rows] == [*expected]
        assert all(row.every is not None for row in rows)
        assert all(row.rounding is not None for row in rows)


@pytest.mark.parametrize("layer", [n for n, each in LAYERS.items() if each.elementwise])
def test_a_thousandth_in_any_element_is_caught_in_every_elementwise_layer(
    layer: str, dtype: str
) -> None:
    for row in power("reference", layer, dtype):
        if row.every is not None and row.every.shape:
            assert row.one is not None
            assert row.one.size < 1e-3


def test_one_element_says_nothing_of_one_among_many() -> None:
    (row,) = (
        r for r in power("reference", "CrossEntropy", "float32") if r.quantity == "out"
    )
    assert row.every is not None
    assert row.every.shape == []
    assert row.one is None


# --- The command ----------------------------------------------------------------------


def test_power_prints_json(tmp_path: Path) -> None:
    done = gradparity(
        tmp_path,
        *("check", "AddLayer", "Tanh", "--power", "--json", "--dtype", "float32"),
        *("--implementations", "reference"),
    )
    assert done.returncode == 0, done
    rows = json.loads(done.stdout)["power"]
    assert {(row["layer"], row["dtype"]) for row in rows} == {
        ("AddLayer", "float32"),
        ("Tanh", "float32"),
    }
    (dx,) = (r for r in rows if (r["layer"], r["quantity"]) == ("AddLayer", "dx"))
    assert dx["every"]["size"] == 0
    assert dx["one"] == dx["every"]


def test_power_without_a_framework(tmp_path: Path) -> None:
    done = gradparity(
        tmp_path, "check", "Exp", "--power", PYTHONPATH=without(tmp_path, "torch")
    )
    assert done.returncode == 0, done
    assert "missing: " in done.stderr
    only = ("check", "Exp", "--power", "--implementations", "torch")
    done = gradparity(tmp_path, *only, PYTHONPATH=without(tmp_path, "torch"))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_the_manual_shows_what_it_prints(tmp_path: Path) -> None:
    """On every machine, but for the column of what was measured in the run."""
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    text = (ROOT / "docs" / "en" / "sensitivity.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"\$ gradparity (check --power.*?)\n```", text, re.DOTALL)
    command, _, expected = shown.partition("\n")
    done = gradparity(tmp_path, *command.split())
    assert done.returncode == 0, done

    def settled(output: str) -> list[str]:
        lines = [re.sub(r"\b\de-\d\d\b", "", line) for line in output.splitlines()]
        return [re.sub(r"  +|-{4,}", " ", line).rstrip() for line in lines]

    assert settled(done.stdout.rstrip()) == settled(expected)


def test_both_dtypes_have_their_table() -> None:
    rows = [row for d in DTYPES for row in power("reference", "Affine", d)]
    assert [len(table.rows) for table in power_tables(rows)] == [4, 4]


UNTRACED = """
from gradparity.reference.networks import TwoLayerNet as Right


class TwoLayerNet:
    def __init__(self, inputs, hidden, classes):
        self.params = {}

    def predict(self, x):
        return Right.from_params(self.params).predict(x)

    def loss(self, x, t):
        return Right.from_params(self.params).loss(x, t)

    def gradient(self, x, t):
        return Right.from_params(self.params).gradient(x, t)
"""


def test_nothing_is_promised_of_steps_that_are_not_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network of somebody's own: neither of what it does not show, nor by a bound on
    what it is not held against.
    """
    monkeypatch.chdir(tmp_path)
    Path("untraced.py").write_text(UNTRACED, encoding="utf-8")
    found = Run(["TwoLayerNet"], ["float32"], [load("untraced.py")]).whole()
    by = {row.quantity: row.every.by for row in found if row.every}
    assert {*by} == {"Affine2", "loss", "dW1", "db1", "dW2", "db2"}
    # The loss is computed from the scores, which are shown.
    assert {name for name, which in by.items() if which == "step"} <= {"loss"}
