"""Many seeds: trained side by side as each would be alone, and compared in pairs."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.records import Band, Training
from gradparity.parity_tests.processes import parallel
from gradparity.parity_tests.suite.support import ROOT
from gradparity.parity_tests.training.plan import Plan, TrainingDiverged
from gradparity.parity_tests.training.run import run_trainings
from gradparity.parity_tests.training.seeds import (
    bands,
    interval,
    paired,
    sign_flip,
    tasks,
)
from gradparity.reference.datasets import load as load_dataset
from gradparity.reports import runner
from gradparity.reports.figures.gallery import draw
from gradparity.reports.pages import report_html, report_markdown
from gradparity.reports.results import Results
from gradparity.reports.tables import several_seeds
from gradparity.reports.tables.accuracy import LECTURE_ACCURACY
from gradparity.reports.tables.overview import problems

PLAN = Plan.of(load_dataset("digits"), steps=60, seed=5)
TESTS = len(PLAN.dataset.t_test)
COMMAND = [sys.executable, "-m", "gradparity", "train", "--dataset", "digits"]


def of_seeds(seeds: list[int]) -> list[Training]:
    """Trainings of `reference` and, under another name, the same again."""
    found = []
    for seed in seeds:
        plan = Plan.of(PLAN.dataset, steps=40, seed=seed)
        (training,) = run_trainings(plan, ["float64"], [load("reference")])
        found += [training, training.model_copy(update={"implementation": "torch"})]
    return found


@pytest.fixture(scope="module")
def trainings() -> list[Training]:
    return of_seeds([0, 1, 2])


def scored(training: Training, right: int) -> Training:
    """One that ends with so many test samples right, as many unlike the reference's."""
    epoch = training.epochs[-1].model_copy(update={"test_accuracy": right / TESTS})
    return training.model_copy(update={"epochs": [*training.epochs[:-1], epoch]})


def without_times(trainings: list[Training]) -> list[dict[str, Any]]:
    return [training.model_dump(exclude={"seconds"}) for training in trainings]


def test_a_seed_alone_has_the_same_bits_as_among_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Another number of threads may sum in another order, and a seed alone has more.
    monkeypatch.setattr(parallel, "threads", lambda tasks, jobs: 1)
    several = tasks(PLAN, 2, ["float64", "float32"], ["reference", "torch"])
    assert [(t.seed, t.dtype) for t in several[1:3]] == [(6, "float64"), (5, "float32")]
    counted: list[int] = []
    with parallel.started(several) as at_work:
        found = at_work.wait(counted.append)
    assert sum(counted) == sum(task.total for task in several) == 4 * 2 * 60
    with parallel.started(several[3:]) as at_work:
        (alone,) = at_work.wait()
    assert without_times(alone.trainings) == without_times(found[3].trainings)
    assert {(t.seed, t.dtype) for t in alone.trainings} == {(6, "float32")}


def test_a_training_that_diverges_in_a_process_of_its_own_says_so() -> None:
    wild = [
        replace(t, learning_rate=1e30)
        for t in tasks(PLAN, 2, ["float32"], ["reference"])
    ]
    with (
        pytest.raises(TrainingDiverged, match="reference diverged"),
        parallel.started(wild) as at_work,
    ):
        at_work.wait()


def test_what_is_not_waited_for_is_ended_without_a_word(
    recwarn: pytest.WarningsRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "gettempdir", lambda: tmp_path)
    some = tasks(PLAN, 2, ["float64"], ["reference"])
    long = [replace(task, steps=10**6) for task in some]
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError), parallel.started(long):
        1 / 0  # noqa: B018
    assert time.monotonic() - begun < 30
    assert not recwarn.list
    assert list(tmp_path.iterdir()) == []


class Fatal(parallel.Trainings):
    """Ends the process it is in."""

    def run(self, progress: Any) -> parallel.TrainingResults:
        os.kill(os.getpid(), signal.SIGTERM)
        return parallel.TrainingResults()


def test_a_process_that_is_ended_gets_one_sentence() -> None:
    (task,) = tasks(PLAN, 1, ["float64"], ["reference"])
    fatal = Fatal(**vars(task))
    with (
        pytest.raises(ChildProcessError, match=r"was ended by SIGTERM$"),
        parallel.started([fatal]) as at_work,
    ):
        at_work.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="what is shared has no name there")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_process_behind(
    kind: signal.Signals, tmp_path: Path
) -> None:
    """Every process holds the pipe that is its standard error until it ends."""
    alone = "--implementations", "reference", "--dtype", "float64"
    at_work = subprocess.Popen(
        [*COMMAND, *alone, "--seeds", "4", "--steps", "2000000", "--batch-size", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    until = time.monotonic() + 60
    while not steps_are_made(tmp_path, seeds=4):
        if time.monotonic() > until or at_work.poll() is not None:
            os.killpg(at_work.pid, signal.SIGKILL)
            pytest.fail("the trainings did not begin")
        time.sleep(0.1)
    # Ctrl-C reaches all processes of a terminal; other signals the one they are sent to.
    (os.killpg if kind == signal.SIGINT else os.kill)(at_work.pid, kind)
    printed, said = at_work.communicate(timeout=20)
    assert at_work.returncode == -kind
    assert printed == ""
    assert said == "data set: digits. The digits were asked for by name.\n"
    assert list(tmp_path.iterdir()) == []


def steps_are_made(folder: Path, seeds: int) -> bool:
    """Whether any process has counted a step in the file for that, which has no name."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(descriptor).startswith(str(folder)):
                steps = np.fromfile(descriptor, np.int64)
                if steps.size == seeds and steps.any():
                    return True
    return False


@pytest.mark.parametrize(
    "differences",
    [[1, -1], [1, 1, -1], [0, 3, -1, 2], [5, 2, 2, 9, 1, 0, 4, -1, 3, 7], [-4] * 6],
)
def test_the_sign_flip_test_is_scipys_where_that_is_exact(
    differences: list[int],
) -> None:
    values = np.array(differences, float)
    expected = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=2 ** len(values)
    )
    assert sign_flip(differences) == pytest.approx(expected.pvalue, abs=1e-12)


def test_the_interval_is_students() -> None:
    values = np.array([0.001, -0.002, 0.0005, 0.003])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(values) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert interval(np.array([0.25, 0.25])) == (0.25, 0.25)


def test_pairs_are_made_by_seed_whatever_the_order(trainings: list[Training]) -> None:
    first, second, third = (t for t in trainings if t.implementation == "reference")
    others = [t for t in trainings if t.implementation == "torch"]
    ahead = [
        scored(t, round(of.epochs[-1].test_accuracy * TESTS) + more)
        for t, of, more in zip(others, (first, second, third), (2, 0, -1), strict=True)
    ]
    ahead[0] = ahead[0].model_copy(update={"test_predictions_differing": 4})
    (row,) = paired([*reversed(ahead), first, third, second], TESTS)
    assert row.differences == [-1 / TESTS, 0, 2 / TESTS]
    assert row.mean == pytest.approx(1 / 3 / TESTS)
    assert row.p == sign_flip([2, -1, 0])
    assert row.interval == interval(np.array(row.differences))
    assert (row.seeds_differing, row.test_predictions_differing) == (1, 4)
    assert [s.rpartition(" (")[2] for s in row.disagreements] == ["seed 2)", "seed 0)"]
    (cells,) = several_seeds.paired_table([row]).rows
    assert cells[-2:] == ["1 of 3", "4"]


def test_where_nothing_differs_there_is_nothing_to_test(
    trainings: list[Training],
) -> None:
    (row,) = paired(trainings, TESTS)
    assert (row.mean, row.interval, row.p, row.disagreements) == (0, None, None, [])
    (cells,) = several_seeds.paired_table([row]).rows
    assert "all 3 differences are 0: nothing to test" in cells
    assert not any("nan" in cell.lower() for cell in cells)


def test_bands_hold_every_seed(trainings: list[Training]) -> None:
    references = [t for t in trainings if t.implementation == "reference"]
    found = list(bands(trainings))
    assert [band.step for band in found] == [e.step for e in references[0].epochs]
    for number, band in enumerate(found):
        values = [t.epochs[number].test_accuracy for t in references]
        low, mean, high = band.test_accuracy
        assert (band.seeds, low, high) == (3, min(values), max(values))
        assert mean == pytest.approx(sum(values) / 3)


def test_the_lectures_rows_are_placed_in_words() -> None:
    epochs = range(len(LECTURE_ACCURACY))
    placed = {
        0: "train below, test above",
        1: "both inside",
        2: "train inside, test above",
    }
    wide = [(0.2, 0.3, 0.4), (0.9, 0.91, 0.92), (0.9, 0.91, 0.93)]
    narrow = [(0.05, 0.06, 0.07), (0.9, 0.9, 0.92), (0.9, 0.91, 0.92)]
    rows = [
        Band(
            dtype="float64",
            epoch=epoch,
            step=600 * epoch + 1,
            seeds=3,
            train_accuracy=wide[min(epoch, 2)],
            test_accuracy=narrow[min(epoch, 2)],
        )
        for epoch in epochs
    ]
    end = rows[-1].model_copy(update={"epoch": 17, "step": 10_000})
    (table,) = several_seeds.band_tables([*rows, end])
    assert {number: table.rows[number][-1] for number in placed} == placed
    assert table.rows[-1][0] == "end"
    assert (table.rows[-1][2], table.rows[-1][-1]) == ("", "")
    assert table.rows[16][2] == "0.9804/0.9700"


def trained(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_train_prints_pairs_as_json() -> None:
    done = trained(
        *("--seeds", "2", "--seed", "3", "--steps", "20", "--json"),
        *("--dtype", "float64", "--implementations", "sklearn"),
    )
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert set(found) == {"training", "untrained", "seeds"}
    assert [(t["implementation"], t["seed"]) for t in found["training"]] == [
        (name, seed) for seed in (3, 4) for name in ("reference", "sklearn")
    ]
    (row,) = found["seeds"]
    assert row["differences"] == [0, 0]
    assert row["p"] is None


def test_one_seed_cannot_be_compared() -> None:
    done = trained("--seeds", "1")
    assert done.returncode == 2
    assert "--seeds" in done.stderr


def test_a_report_shows_what_came_of_several_seeds(trainings: list[Training]) -> None:
    published = Results.read(ROOT / "reports" / "published")
    plain = published.model_copy(update={"seeds": [], "bands": []})
    pairs = paired(trainings, TESTS)
    found = {"seeds": pairs, "bands": list(bands(trainings))}
    results = plain.model_copy(update=found)
    pictures = draw(results, None)
    assert "seeds" in {picture.name for picture in pictures}
    assert "seeds" not in {picture.name for picture in draw(plain, None)}
    text = report_markdown.render(results, pictures)
    page = report_html.render(results, pictures)
    for table in several_seeds.seed_tables(results):
        assert table.markdown().rstrip() in text
        assert f"<h3>{table.title.replace(chr(39), '&#39;')}</h3>" in page
    assert "several seeds" not in report_markdown.render(plain, [])
    wrong = pairs[0].model_copy(update={"disagreements": ["it drifts (seed 1)"]})
    spoilt = results.model_copy(update={"seeds": [wrong]})
    assert problems(spoilt) == ["it drifts (seed 1)"]


def test_a_report_trains_outsiders_in_float64() -> None:
    (task,) = runner.outside_tasks(PLAN, ["float32", "float64"], ["sklearn"])
    assert (task.dtype, task.seed) == ("float64", 5)
    assert task.implementations == ("reference", "sklearn")
    assert runner.outside_tasks(PLAN, ["float32"], ["sklearn"]) == []
    assert runner.outside_tasks(PLAN, ["float64"], []) == []
