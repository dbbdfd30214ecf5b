"""Trainings by others' means come to the reference's parameters; mistakes in them show."""

import ast
import inspect
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations import outsiders
from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS, OUTSIDERS
from gradparity.parity_tests.implementations.contract import (
    Implementation,
    NotInstalled,
    framework,
)
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.dtypes import FLOAT64_DRIFT
from gradparity.parity_tests.measuring.records import Training, Verdict
from gradparity.parity_tests.processes import parallel
from gradparity.parity_tests.suite.structure import graph, imports
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.parity_tests.training.agreement import disagreements, gaps
from gradparity.parity_tests.training.plan import Plan, Trajectory
from gradparity.parity_tests.training.run import train
from gradparity.reference.datasets import load as load_dataset
from gradparity.reports import runner
from gradparity.reports.commands.choices import Unusable, choose_implementations
from gradparity.reports.pages import report_markdown
from gradparity.reports.pages.report_html import render as render_page
from gradparity.reports.results import DatasetInfo, Results
from gradparity.reports.tables.overview import problems

PLAN = Plan.of(load_dataset("digits"), steps=150)
TESTS = len(PLAN.dataset.t_test)


@pytest.fixture(params=OUTSIDERS)
def outsider(request: pytest.FixtureRequest) -> Any:
    return load_or_skip(request.param)


@pytest.fixture(scope="module")
def reference() -> tuple[Training, Trajectory]:
    return train(PLAN, "float64", load("reference"), None)


def disagreeing(
    outsider: Implementation, reference: tuple[Training, Trajectory]
) -> list[str]:
    training, _ = train(PLAN, "float64", outsider, reference[1])
    return disagreements([reference[0], training], TESTS)


def test_an_outsider_comes_to_the_same_parameters_and_reports_the_same_losses(
    outsider: Implementation, reference: tuple[Training, Trajectory]
) -> None:
    training, trajectory = train(PLAN, "float64", outsider, reference[1])
    assert disagreements([reference[0], training], TESTS) == []
    assert training.largest_drift <= FLOAT64_DRIFT
    assert max(gaps(training, reference[0])) <= FLOAT64_DRIFT
    lasts = zip(training.epochs, reference[0].epochs, strict=True)
    assert max(abs(a.loss - b.loss) for a, b in lasts) <= FLOAT64_DRIFT
    assert {k: v.shape for k, v in trajectory.params[-1].items()} == {
        k: v.shape for k, v in PLAN.params.items()
    }


def test_an_outsider_keeps_the_dtype(outsider: Implementation) -> None:
    assert outsider.train is not None
    data = PLAN.dataset.astype("float32")
    params = {name: value.astype("float32") for name, value in PLAN.params.items()}
    sets = (data.x_train, data.t_train), (data.x_test, data.t_test)
    found = list(outsider.train(params, *sets, PLAN.batches[:12], stops=[5]))
    assert [step for step, *_ in found] == [5, 12]
    for _, reached, losses, accuracies in found:
        dtypes = {losses.dtype, *(value.dtype for value in reached.values())}
        assert dtypes == {np.dtype("float32")}
        assert accuracies is None
    assert [len(losses) for _, _, losses, _ in found] == [5, 7]
    np.testing.assert_array_equal(params["W1"], PLAN.params["W1"].astype("float32"))


def test_batches_that_lack_classes_are_no_matter(outsider: Implementation) -> None:
    plan = Plan.of(PLAN.dataset, steps=30, batch_size=1)
    first, baseline = train(plan, "float64", load("reference"), None)
    training, _ = train(plan, "float64", outsider, baseline)
    assert disagreements([first, training], TESTS) == []


@pytest.mark.parametrize("setting", [{"momentum": 0.9}, {"alpha": 1e-4}])
def test_another_setting_of_scikit_learn_is_noticed(
    setting: dict[str, float],
    reference: tuple[Training, Trajectory],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outsider = load_or_skip("sklearn")
    for name, value in setting.items():
        monkeypatch.setitem(outsiders.PLAIN_DESCENT, name, value)
    assert disagreeing(outsider, reference)


@pytest.mark.parametrize(
    ("name", "module", "optimizer"),
    [("optax", "optax", "sgd"), ("torch-sgd", "torch.optim", "SGD")],
)
def test_momentum_is_noticed(
    name: str,
    module: str,
    optimizer: str,
    reference: tuple[Training, Trajectory],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outsider = load_or_skip(name)
    library = pytest.importorskip(module)
    with_momentum = partial(getattr(library, optimizer), momentum=0.9)
    monkeypatch.setattr(library, optimizer, with_momentum)
    assert disagreeing(outsider, reference)


def test_outsiders_share_nothing_with_what_they_are_held_against() -> None:
    tree = ast.parse(inspect.getsource(outsiders))
    loaded = {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", None) == "framework"
        and isinstance(call.args[0], ast.Constant)
    }
    assert loaded == {"sklearn", "sklearn.neural_network", "jax", "optax", "torch"}
    found = {module for module, _ in imports(tree)}
    rest = {module.split(".")[0] for module in found} - {*sys.stdlib_module_names}
    assert rest == {"numpy", "gradparity"}
    contract = "gradparity.parity_tests.implementations"
    assert found & {*graph()} == {f"{contract}.backends", f"{contract}.contract"}


@pytest.mark.parametrize("name", OUTSIDERS)
def test_an_outsider_is_no_implementation_of_layers(name: str) -> None:
    assert name not in IMPLEMENTATIONS
    with pytest.raises(Unusable, match=f"unknown implementation '{name}': expected"):
        choose_implementations(name)
    assert name in choose_implementations("all", outsiders=True)
    outsider = load_or_skip(name)
    assert not any(outsider.offers(layer) for layer in ("Affine", "TwoLayerNet"))
    with pytest.raises(NotImplementedError, match=f"{name} has no layers"):
        outsider.run_layer("Affine", {}, np.zeros(1))


def test_train_has_a_row_for_each_and_says_which_is_missing(tmp_path: Path) -> None:
    (tmp_path / "optax.py").write_text("raise ImportError('no optax here')\n")
    names = "--implementations", "sklearn,optax"
    command = [
        sys.executable,
        "-m",
        "gradparity",
        "train",
        *names,
        "--dataset",
        "digits",
    ]
    done = subprocess.run(
        [*command, "--steps", "5", "--dtype", "float64"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert done.returncode == 0, done
    rows = done.stdout.partition("Trainings\n")[2].splitlines()
    assert [row.split()[0] for row in rows[3:5]] == ["reference", "sklearn"]
    assert (
        "missing: optax cannot be imported: ImportError: no optax here" in done.stderr
    )
    (row,) = (row for row in done.stdout.splitlines() if row.startswith("optax"))
    assert row.split()[:4] == ["optax", "float64", "0", "missing"]


class Refusing(parallel.Trainings):
    """With a setting that scikit-learn refuses."""

    def run(self, progress: Any) -> parallel.TrainingResults:
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(outsiders.PLAIN_DESCENT, "momentum", -1.0)
            return super().run(progress)


@pytest.mark.usefixtures("only_trainings")
@pytest.mark.parametrize("jobs", [1, 2])
def test_one_that_raises_is_a_row_of_the_report_and_the_others_go_on(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_or_skip("sklearn")
    tasks = runner.outside_tasks
    monkeypatch.setattr(
        runner,
        "outside_tasks",
        lambda *given: [Refusing(**vars(task)) for task in tasks(*given)],
    )
    info = DatasetInfo(name="digits", source="scikit-learn", train=0, test=TESTS)
    names = ["reference", "sklearn"]
    results = runner.report(PLAN, info, ["float64"], names, jobs=jobs)
    assert [t.implementation for t in results.training] == ["reference"]
    assert [t.implementation for t in results.outsiders] == ["reference"]
    (failed,) = results.untrained
    assert (failed.implementation, failed.verdict) == ("sklearn", Verdict.FAIL)
    assert failed.note.startswith("raised InvalidParameterError: The 'momentum' param")
    said = f"sklearn in float64 does not train: {failed.note}"
    assert problems(results) == [said]
    text, page = report_markdown.render(results, []), render_page(results, [])
    for shown in (text, page):
        assert "Not trained" in shown
        assert "raised InvalidParameterError" in shown
    assert Results.model_validate_json(results.text()) == results


def test_two_threads_are_told_the_same_of_what_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyTorch does, this raises something else when it is tried again."""
    (tmp_path / "breaks_once.py").write_text(
        "import sys, time\n"
        "time.sleep(0.2)\n"
        "again = getattr(sys, 'breaks_once', False)\n"
        "sys.breaks_once = True\n"
        "raise OSError('tried twice' if again else 'no libcudart')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def reason(_: int) -> str:
        with pytest.raises(NotInstalled) as caught:
            framework("breaks_once")
        return str(caught.value)

    with ThreadPoolExecutor(2) as pool:
        said = {*pool.map(reason, range(2))}
    assert said == {"breaks_once cannot be imported: OSError: no libcudart"}
