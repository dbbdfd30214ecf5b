"""Every planted mistake is caught, and what is right is not."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.audit.sensitivity import HOME, chosen, examine, family
from gradparity.parity_tests.implementations.contract import (
    Implementation,
    NotInstalled,
)
from gradparity.parity_tests.implementations.loop import NumpyLoop
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.records import MutantResult
from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.parity_tests.mutants.loops import JaxLoop, TorchLoop
from gradparity.parity_tests.mutants.mutant import Scope
from gradparity.parity_tests.suite.reports.test_cli import (
    environment,
    gradparity,
    without,
)
from gradparity.reference import functions, gradient
from gradparity.reference.networks import TwoLayerNet
from gradparity.reports.tables.planted import mutant_table


def load_or_skip(mutant: Mutant) -> None:
    if mutant.scope == "function":
        return
    try:
        mutant.load()
    except NotInstalled as reason:
        pytest.skip(str(reason))


# Mistakes in one dtype that are none in the other.
ONE_DTYPE = {
    "default-dtype": "float64",
    "computed-in-single-precision": "float64",
    "images-rounded-to-single-precision": "float64",
    "input-clipped": "float64",  # where it is, float32 comes to 0 in any case
    "promoted-to-double": "float32",
    "labels-set-the-dtype": "float32",
    "loss-as-python-number": "float32",
}


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("mutant", chosen(), ids=lambda mutant: mutant.name)
def test_a_planted_mistake_is_caught(mutant: Mutant) -> None:
    """In each dtype, layers and the network in float32 as well."""
    load_or_skip(mutant)
    found = examine(mutant, until_caught=True)
    assert found.caught
    assert (found.bound_ratio or 2) > 1 or found.note
    assert all(ratio is None or ratio > 1 for ratio in found.largest.values())
    if mutant.scope in ("layer", "network"):
        expected = ONE_DTYPE.get(mutant.name)
        assert {*found.largest} == ({expected} if expected else {*DTYPES})


class Unchanged(Mutant):
    """A layer as it is."""

    def load(self) -> Implementation:
        return load(self.implementation)


def nothing_wrong() -> list[Mutant]:
    """What the mutants are mistakes in. The layers of the frameworks are all tested in
    `test_layers.py`.
    """

    def right(kind: type[Mutant], scope: Scope, layer: str, *what: Any) -> Mutant:
        implementation, definition = what
        name = f"{implementation}-{layer}-{scope}"
        return kind(name, scope, layer, implementation, "", "", definition)

    layers = {m.layer: None for m in chosen() if m.scope == "layer"}
    known = {**vars(functions), **vars(gradient)}
    loops = {"reference": NumpyLoop, "torch": TorchLoop, "jax": JaxLoop}
    return [
        *(right(Unchanged, "layer", layer, "reference", None) for layer in layers),
        right(Unchanged, "layer", "MulLayer", "torch", None),
        right(Unchanged, "layer", "MulLayer", "jax-jit", None),
        *(right(Mutant, "function", f, "reference", known[f]) for f in HOME),
        right(Mutant, "network", "TwoLayerNet", "reference", TwoLayerNet),
        *(right(Mutant, "training", "TwoLayerNet", *each) for each in loops.items()),
    ]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("right", nothing_wrong(), ids=lambda right: right.name)
def test_what_is_right_is_not_caught(right: Mutant) -> None:
    load_or_skip(right)
    found = examine(right)
    assert found.caught is False, found
    assert found.checks > 0
    assert found.by == []


def test_the_catalogue_of_mistakes() -> None:
    names = Counter(mutant.name for mutant in MUTANTS)
    assert names.most_common(1)[0][1] == 1
    assert len(names) >= 60
    scopes = Counter((family(m.implementation), m.scope) for m in MUTANTS)
    assert scopes["numpy", "layer"] >= 35
    assert scopes["numpy", "function"] >= 20
    assert scopes["torch", "layer"] >= 12
    assert scopes["jax", "layer"] >= 10
    assert scopes["numpy", "network"] >= 5
    for name in ("numpy", "torch", "jax"):
        assert scopes[name, "training"] >= 5
    for mutant in MUTANTS:
        assert mutant.sentence[0].isupper(), mutant.name
        assert mutant.sentence.endswith("."), mutant.name
        assert mutant.source == "" or mutant.source.startswith("https://")
    assert sorted(names) == sorted(mutant.name for mutant in chosen())


def test_the_catalogue_of_mistakes_imports_no_framework() -> None:
    code = (
        "import sys; from gradparity.parity_tests.mutants import MUTANTS\n"
        "sys.exit(str({'torch', 'jax'} & set(sys.modules)) * (not MUTANTS) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sensitivity_prints_json(tmp_path: Path) -> None:
    done = gradparity(
        tmp_path, "check", "AddLayer", "PlusOne", "--sensitivity", "--json"
    )
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert set(found) == {"mutants", "summary"}
    mutants = found["mutants"]
    summary = {"mutants": len(mutants), "caught": len(mutants)}
    assert found["summary"] == summary | {"survived": 0, "missing": 0}
    assert {row["layer"] for row in mutants} == {"AddLayer", "PlusOne"}
    for row in mutants:
        assert row["caught"] is True
        assert row["first"] in row["by"]
        assert {"name", "implementation", "sentence", "bound_ratio"} <= set(row)
    assert mutants[0]["bound_ratio"] == "Infinity"  # AddLayer's dx is exact


def test_sensitivity_prints_a_table(tmp_path: Path) -> None:
    done = gradparity(tmp_path, "check", "AddLayer", "--sensitivity")
    assert done.returncode == 0, done
    assert "derivative-shared-between-inputs" in done.stdout
    assert re.search(r"AddLayer +\d+ of \d+ +batch dx", done.stdout)
    assert "3 of 3 planted mistakes are caught." in done.stdout


def test_the_mistake_nearest_to_rounding_comes_first() -> None:
    def of(name: str, **largest: float | None) -> MutantResult:
        about: Any = dict.fromkeys(
            ("layer", "implementation", "sentence", "source"), ""
        )
        return MutantResult(
            name=name, scope="layer", caught=True, largest=largest, **about
        )

    found = [of("a crash", float64=None), of("far", float64=1e9, float32=20.0)]
    found += [of("near", float64=1e12, float32=2.0), of("in one", float32=1e5)]
    rows = mutant_table(found).rows
    assert [(row[0], *row[-2:]) for row in rows] == [
        ("near", "1e+12", "2"),
        ("far", "1e+09", "20"),
        ("in one", "", "1e+05"),
        ("a crash", "×", ""),
    ]


def test_a_mistake_that_survives_is_named_and_exits_with_1(tmp_path: Path) -> None:
    plant = (
        "from gradparity.parity_tests.mutants.mutant import mistakes\n"
        "from gradparity.reference.layers import AddLayer\n"
        "class Harmless(AddLayer):\n"
        "    'Does nothing wrong.'\n"
        "mistakes('reference')('AddLayer')(Harmless)\n"
        "from gradparity.reports.commands.application import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", plant, "check", "AddLayer", "--sensitivity"],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        check=False,
    )
    assert done.returncode == 1, done
    assert "FAIL 0 of " in done.stdout
    assert "Not caught: harmless. Does nothing wrong." in done.stdout
    assert "3 of 4 planted mistakes are caught." in done.stdout


def test_mistakes_in_a_framework_that_is_missing_have_not_survived(
    tmp_path: Path,
) -> None:
    done = gradparity(
        tmp_path,
        *("check", "MulLayer", "--sensitivity", "--json"),
        PYTHONPATH=without(tmp_path, "torch", "jax"),
    )
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    missing = [row for row in found["mutants"] if row["caught"] is None]
    assert {row["implementation"] for row in missing} == {"torch", "jax-jit"}
    assert "no torch here" in missing[0]["note"]
    assert found["summary"]["missing"] == len(missing)
    assert found["summary"]["survived"] == 0


def test_a_mistake_in_a_function_is_shown_with_its_layer(tmp_path: Path) -> None:
    done = gradparity(
        tmp_path,
        *("check", "CrossEntropy", "--sensitivity", "--json"),
        *("--implementations", "reference"),
    )
    assert done.returncode == 0, done
    mutants = json.loads(done.stdout)["mutants"]
    layers = {row["layer"] for row in mutants}
    assert layers == {"CrossEntropy", "cross_entropy_error"}
    (signless,) = (m for m in mutants if m["name"] == "sign-of-the-loss-forgotten")
    assert signless["caught"] is True
    assert signless["first"] == "cross_entropy_error/labels"


def test_a_function_is_no_implementation() -> None:
    (mutant,) = (m for m in MUTANTS if m.name == "forward-difference")
    with pytest.raises(ValueError, match="mistake in a function, numerical_gradient"):
        mutant.load()
