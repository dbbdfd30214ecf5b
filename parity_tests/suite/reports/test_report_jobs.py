"""A report's trainings in one process and in several, and what is timed afterwards."""

import sys
from typing import Any

import pytest

from gradparity.parity_tests.benchmarks import ROUNDS, bench
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.records import Bench, Verdict
from gradparity.parity_tests.processes.parallel import threads
from gradparity.parity_tests.training.plan import Plan
from gradparity.parity_tests.training.run import run_trainings
from gradparity.parity_tests.training.seeds import tasks
from gradparity.reference.datasets import load as load_dataset
from gradparity.reports import runner
from gradparity.reports.results import DatasetInfo

PLAN = Plan.of(load_dataset("digits"), steps=30)
INFO = DatasetInfo(name="digits", source="scikit-learn")


pytestmark = pytest.mark.usefixtures("only_trainings")


@pytest.mark.parametrize("jobs", [1, 2])
def test_trainings_are_those_of_train(jobs: int) -> None:
    dtypes, names = ["float64", "float32"], ["reference"]
    results = runner.report(PLAN, INFO, dtypes, names, jobs=jobs)
    alone = run_trainings(PLAN, dtypes, [load("reference")])
    assert [(t.dtype, t.losses[-1][0]) for t in results.training] == [
        ("float64", 30),
        ("float32", 30),
    ]
    assert results.environment.threads["each process"] == threads(3, jobs)
    if jobs == 1:  # with as many threads, to the last bit
        found, expected = (
            [t.model_dump(exclude={"seconds"}) for t in trainings]
            for trainings in (results.training, alone)
        )
        assert found == expected


def test_the_steps_of_what_is_missing_count_as_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    told: list[int] = []
    (task,) = tasks(PLAN, 1, ["float64"], ["reference", "torch"])
    found = task.run(told.append)
    assert [each.implementation for each in found.trainings] == ["reference"]
    (missing,) = found.untrained
    assert (missing.implementation, missing.verdict) == ("torch", Verdict.MISSING)
    assert "torch cannot be imported" in missing.note
    assert sum(told) == task.total == 60


def test_what_is_timed_is_timed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    timed = Bench(rows=[], ratios=[])

    def run(parts: Any, rounds: int, data_dir: Any, progress: Any) -> Bench:
        asked.append((parts, rounds, data_dir))
        return timed

    monkeypatch.setattr(bench, "run", run)
    results = runner.report(PLAN, INFO, [], ["reference"], bench=("suite",))
    assert asked == [(("suite",), ROUNDS, None)]
    assert results.bench == timed
    assert runner.report(PLAN, INFO, [], ["reference"]).bench is None
