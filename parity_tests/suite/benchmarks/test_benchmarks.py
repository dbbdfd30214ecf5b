"""The loops that are timed all do the same work; how they are timed; what is left of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.benchmarks import loops, timing
from gradparity.parity_tests.benchmarks.loops import CONTENDERS, Contender
from gradparity.parity_tests.benchmarks.series import Series, quartiles, ratio
from gradparity.parity_tests.benchmarks.timing import Plan, Setting
from gradparity.parity_tests.benchmarks.work import Work
from gradparity.parity_tests.benchmarks.worker import rounded_up
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    NotInstalled,
    framework,
)
from gradparity.parity_tests.training.plan import TRAINABLE

TRAINING = [contender for contender in CONTENDERS if contender.kind != "floor"]
FLOORS = [contender for contender in CONTENDERS if contender.kind == "floor"]
TINY = Setting("float32", batch_size=3, hidden=4, samples=20)
NUMPY = ("numpy floor", "reference", "lecture")
ONE = Series(
    part="step",
    name="one",
    kind="ours",
    framework="numpy",
    dtype="float32",
    threads=2,
    batch_size=100,
    hidden=50,
    unit="µs",
    values=(4.0, 1.0, 2.0, 3.0, 9.0),
    note="as it is",
)


def named(name: str) -> Contender:
    return next(contender for contender in CONTENDERS if contender.name == name)


def work(dtype: str, lengths: tuple[int, ...] = (3, 12), **others: Any) -> Work:
    settings = {"batch_size": 20, "hidden": 6, "samples": 100, "rate": 0.1, **others}
    return Work.of(dtype, lengths=lengths, **settings)


def looks(contender: Contender, given: Work) -> list[Arrays]:
    """What the loop has after each stretch."""
    try:
        return [look() for look in contender.start(given)]
    except NotInstalled as reason:
        pytest.skip(str(reason))


def by_name(contender: Contender) -> str:
    return contender.name


# --- The loops ------------------------------------------------------------------------


@pytest.mark.parametrize("contender", TRAINING, ids=by_name)
def test_whoever_trains_comes_to_the_references_parameters(
    contender: Contender,
) -> None:
    given = work("float64")
    expected = looks(named("reference"), given)
    found = looks(contender, given)
    assert len(found) == len(expected) == 2
    for reached, wanted in zip(found, expected, strict=True):
        assert reached.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(reached[name], value, rtol=0, atol=1e-12)
            assert np.abs(value - given.params[name]).max() > 1e-5
    assert np.abs(found[0]["W1"] - found[1]["W1"]).max() > 1e-5


@pytest.mark.parametrize("contender", TRAINING, ids=by_name)
def test_parameters_keep_their_dtype_but_the_lectures(contender: Contender) -> None:
    dtypes = {
        value.dtype for value in looks(contender, work("float32", (1,)))[-1].values()
    }
    assert dtypes == {np.dtype("f8" if contender.kind == "lecture" else "f4")}


@pytest.mark.parametrize("contender", FLOORS, ids=by_name)
def test_a_floor_has_the_products_of_its_last_step(
    contender: Contender, dtype: str
) -> None:
    given = work(dtype)
    x = given.images[given.batches[-1]].astype("f8")
    W1, W2 = (given.params[name].astype("f8") for name in ("W1", "W2"))
    first = x @ W1
    scores = first @ W2
    dfirst = scores @ W2.T
    expected = {"x": x, "first": first, "scores": scores, "dfirst": dfirst}
    expected |= {"dW1": x.T @ dfirst, "dW2": first.T @ scores}
    found = looks(contender, given)[-1]
    assert {"dW1", "dW2"} <= found.keys()
    for name, value in found.items():
        assert value.dtype == dtype
        np.testing.assert_allclose(
            value, expected[name], rtol=0, atol=1e-5 * np.abs(expected[name]).max()
        )


@pytest.mark.parametrize("name", TRAINABLE)
def test_ours_is_each_implementations_train(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, called = work("float32"), []

    def train(*arguments: Any, **options: Any) -> Iterator[Any]:
        called.append((arguments, options))
        yield 3, {"W1": np.ones(1)}, np.ones(3), None

    def load(wanted: str) -> Any:
        assert wanted == name
        return SimpleNamespace(train=train)

    monkeypatch.setattr(loops, "load", load)
    (look,) = named(name).start(given)
    assert look()["W1"] == 1
    (((params, data, _, batches, rate), options),) = called
    assert (params, rate) == (given.params, given.rate)
    assert batches is given.batches
    assert data[0] is given.images
    assert options == {"stops": {3, 15}}  # and nothing is evaluated meanwhile


def test_everybody_is_given_the_same_but_mini_batches_of_its_own() -> None:
    one, other = work("float64"), work("float64", seed=1)
    assert one.images is other.images
    assert one.labels is other.labels
    for name, value in one.params.items():
        np.testing.assert_array_equal(value, other.params[name])
    assert one.batches.shape == other.batches.shape == (15, 20)
    assert (one.batches != other.batches).any()
    np.testing.assert_array_equal(one.batches, work("float64").batches)
    assert [len(stretch) for stretch in one.stretches] == [3, 12]
    np.testing.assert_array_equal(np.concatenate(one.stretches), one.batches)


def test_images_are_as_large_as_mnists_and_no_number_is_subnormal() -> None:
    given = work("float32", samples=1000)
    assert given.images.shape == (1000, 784)
    some = given.images[given.images > 0]
    assert 0.4 < some.size / given.images.size < 0.6
    assert some.min() > np.finfo("f4").smallest_normal
    assert not any(value.flags.writeable for value in given.params.values())


def test_about_half_of_the_relus_stay_open() -> None:
    """How long `out[mask] = 0` takes depends on how many they are."""
    opened = {}
    for rate in (Work.rate, 0.1):
        given = work("float32", (1000,), batch_size=1, hidden=50, rate=rate)
        (reached,) = looks(named("reference"), given)
        opened[rate] = np.mean(given.images @ reached["W1"] + reached["b1"] > 0)
    assert 0.4 < opened[Work.rate] < 0.6
    assert not 0.4 < opened[0.1] < 0.6


# --- How they are timed ---------------------------------------------------------------


class Recorder:
    """In place of the processes: writes down who is asked for what."""

    def __init__(self, missing: str = "") -> None:
        self.asked: list[tuple[int, dict[str, Any]]] = []
        self.missing = missing

    @contextmanager
    def started(self, count: int) -> Iterator[Any]:
        def ask(**order: Any) -> dict[str, Any]:
            self.asked.append((count, order))
            if order["do"] == "measure":
                return {"seconds": len(self.asked) * 1e-6}
            return {"missing": "gone"} if order.get("name") == self.missing else {}

        yield SimpleNamespace(ask=ask)

    def measured(self) -> list[tuple[int, str]]:
        return [
            (n, order["name"]) for n, order in self.asked if order["do"] == "measure"
        ]


def test_a_round_goes_through_all_in_every_process_and_in_an_order_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(timing, "started", recorder.started)
    plan = Plan("step", NUMPY, (TINY,), (2, 1), (1, 2))
    found, _ = timing.measure(plan, 8)
    asked = recorder.measured()
    stretches = [asked[i : i + 3] for i in range(0, len(asked), 3)]
    assert len(stretches) == 16
    processes = [[n for n, _ in stretch] for stretch in stretches]
    assert all(len(set(stretch)) == 1 for stretch in processes)
    rounds = {(processes[i][0], processes[i + 1][0]) for i in range(0, 16, 2)}
    assert rounds == {(2, 1), (1, 2)}
    orders = [tuple(name for _, name in stretch) for stretch in stretches]
    assert {frozenset(order) for order in orders} == {frozenset(NUMPY)}
    assert len(set(orders)) > 3
    assert [(s.threads, s.name) for s in found] == [
        (n, c) for n in (2, 1) for c in NUMPY
    ]
    for series in found:
        places = [
            place
            for place, (n, order) in enumerate(recorder.asked, start=1)
            if (n, order["do"], order.get("name"))
            == (series.threads, "measure", series.name)
        ]
        assert series.values == pytest.approx(places)
    again = Recorder()
    monkeypatch.setattr(timing, "started", again.started)
    timing.measure(plan, 8)
    assert again.asked == recorder.asked


def test_a_setting_is_prepared_when_the_one_before_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(timing, "started", recorder.started)
    other = replace(TINY, dtype="float64")
    timing.measure(Plan("sweep", NUMPY[:2], (TINY, other), (2,)), 3)
    orders = [order for _, order in recorder.asked]
    done = [order["do"] for order in orders]
    assert done == (["forget"] + ["prepare"] * 2 + ["measure"] * 6) * 2
    prepared = [order for order in orders if order["do"] == "prepare"]
    assert [order["setting"]["dtype"] for order in prepared[1:3]] == [
        "float32",
        "float64",
    ]
    assert {(order["repeats"], order["steps"]) for order in prepared} == {(3, None)}
    assert prepared[0]["seed"] != prepared[1]["seed"]


@pytest.mark.parametrize("missing", ["", "reference"])
def test_progress_comes_to_what_was_counted(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "started", Recorder(missing).started)
    told: list[int] = []
    step, sweep = timing.step_plan(), timing.sweep_plan()
    for plan in (step, sweep):
        told.clear()
        found, why = timing.measure(plan, 12, told.append)
        names = {series.name for series in found}
        assert why == ({missing: "gone"} if missing else {})
        assert sum(told) == len(told) == plan.count(12)
        assert ("reference" in names) == (not missing)
    assert sweep.count(1) == sweep.count(9) < sweep.count(12)
    assert step.count(1) < step.count(2)


def test_what_is_measured() -> None:
    step, sweep = timing.step_plan(), timing.sweep_plan()
    assert step.contenders == tuple(contender.name for contender in CONTENDERS)
    assert {s.dtype for s in step.settings} == {"float32", "float64"}
    assert {(s.batch_size, s.hidden) for s in step.settings} == {(100, 50)}
    assert len(set(step.threads)) == len(step.threads)
    assert {1, *sweep.threads} == {*step.threads}
    assert sweep.contenders == step.contenders
    sizes = [(s.batch_size, s.hidden) for s in sweep.settings]
    assert len(set(sizes)) == len(sizes) == 9
    assert sorted(b for b, hidden in sizes if hidden == 50) == [
        1,
        10,
        100,
        1000,
        10_000,
    ]
    assert sorted(h for b, h in sizes if b == 100) == [10, 50, 200, 500, 2000]
    assert {s.samples for s in (*step.settings, *sweep.settings)} == {60_000}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(0.3, 2), (2, 2), (9.5, 10), (41, 50), (100, 100), (6613, 7000)],
)
def test_a_timed_stretch_has_a_round_number_of_steps(
    steps: float, expected: int
) -> None:
    assert rounded_up(steps) == expected


# --- In processes of their own --------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("reference", "jax"), id="some"),
        pytest.param(timing.step_plan().contenders, id="all", marks=pytest.mark.deep),
    ],
)
def test_loops_are_measured_in_every_setting(names: tuple[str, ...]) -> None:
    other = replace(TINY, dtype="float64", batch_size=2)
    found, _ = timing.measure(Plan("step", names, (TINY, other), (1,), (1, 2)), 2)
    there = [name for name in names if is_there(named(name).framework)]
    assert [s.name for s in found] == there * 2
    sizes = [(s.dtype, s.batch_size, s.hidden) for s in found]
    first, second = [("float32", 3, 4)] * len(there), [("float64", 2, 4)] * len(there)
    assert sizes == first + second
    for series in found:
        contender = named(series.name)
        row = series.row()
        assert (row.kind, row.framework) == (contender.kind, contender.framework)
        assert (row.part, row.unit, row.threads, row.repeats) == ("step", "µs", 1, 2)
        assert 0 < row.low <= row.median <= row.high


def is_there(module: str) -> bool:
    try:
        framework(module)
    except NotInstalled:
        return False
    return True


def test_steps_are_chosen_where_they_are_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[int] = []
    ask = timing.Worker.ask

    def asked(self: timing.Worker, **order: Any) -> dict[str, Any]:
        answer = ask(self, **order)
        answers.extend(answer[key] for key in answer if key == "steps")
        return answer

    monkeypatch.setattr(timing.Worker, "ask", asked)
    (floor,), _ = timing.measure(Plan("sweep", ("numpy floor",), (TINY,), (1,)), 1)
    (steps,) = answers
    assert steps > 200  # which take no tenth of a second
    assert len(floor.values) == 1


def test_what_is_not_installed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "jax", "optax", "sklearn"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    plan = replace(timing.step_plan(), settings=(TINY,), threads=(1,), steps=(1, 1))
    told: list[int] = []
    found, missing = timing.measure(plan, 1, told.append)
    assert [s.name for s in found] == [
        c.name for c in CONTENDERS if c.framework == "numpy"
    ]
    assert {*missing} == {c.name for c in CONTENDERS if c.framework != "numpy"}
    assert "no torch here" in missing["torch nn + SGD"]
    assert sum(told) == plan.count(1)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_a_process_has_as_many_threads_as_it_is_measured_with() -> None:
    for count in (1, 2):
        with timing.started(count) as worker:
            assert worker.ask(do="forget") == {}
            said = Path(f"/proc/{worker.pid}/environ").read_text().split("\0")
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NPROC"):
            assert f"{name}={count}" in said
        assert any(line.startswith("OPENBLAS_THREAD_TIMEOUT=") for line in said)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_process_that_is_killed_is_told_in_a_sentence() -> None:
    said = (
        r"a process that measured was ended by SIGKILL: was there too little memory\?"
    )
    with timing.started(1) as worker:
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(ChildProcessError, match=said):
            worker.ask(do="forget")


def test_a_process_that_fails_is_told_with_what_it_said_last() -> None:
    said = "a process that measured ended with status 1: KeyError: 'nobody'"
    plan = Plan("step", ("nobody",), (TINY,), (1,), (1, 1))
    with pytest.raises(ChildProcessError, match=said):
        timing.measure(plan, 1)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks into /proc")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_behind(kind: signal.Signals) -> None:
    code = (
        "from gradparity.parity_tests.benchmarks import timing\n"
        "from gradparity.reference.data.cleanup import obey_signals\n"
        "obey_signals()\n"
        "with timing.started(1) as one, timing.started(1) as other:\n"
        "    other.ask(do='forget')\n"
        "    print(one.pid, other.pid, flush=True)\n"
        "    while True:\n"
        "        one.ask(do='forget')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as measuring:
        assert measuring.stdout is not None
        assert measuring.stderr is not None
        pids = measuring.stdout.readline().split()
        assert len(pids) == 2
        measuring.send_signal(kind)
        assert measuring.wait() == -kind
        assert measuring.stderr.read() == b""
    until = time.monotonic() + 20
    while any(at_work(int(pid)) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.02)


def at_work(pid: int) -> bool:
    """Whether there is such a process, and more of it than its status for its parent."""
    try:
        return b"benchmarks.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


# --- What is made of it ---------------------------------------------------------------


def test_a_row_has_the_median_and_the_quartiles() -> None:
    row = ONE.row()
    assert (row.low, row.median, row.high, row.repeats) == (2, 3, 4, 5)
    kept = row.model_dump(exclude={"low", "median", "high", "repeats"})
    assert kept == {name: getattr(ONE, name) for name in kept}
    single = replace(ONE, values=(7.0,)).row()
    assert (single.low, single.median, single.high, single.repeats) == (7, 7, 7, 1)


def test_quartiles_are_numpys() -> None:
    rng = np.random.default_rng(0)
    for count in range(2, 9):
        values = rng.random(count).tolist()
        expected = np.quantile(values, [0.5, 0.25, 0.75])
        assert quartiles(values) == pytest.approx(expected, rel=1e-14)
    with pytest.raises(ValueError, match="at least one value, and there is none"):
        quartiles([])


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that is ten times as slow in one round is so for both."""
    slow = replace(ONE, values=(8.0, 2.0, 40.0, 6.0, 18.0))
    other = replace(ONE, values=(4.0, 1.0, 20.0, 3.0, 9.0))
    assert ratio(slow, other) == (2, 2, 2)
    above = replace(ONE, values=(1.0, 20.0, 3.0, 40.0, 5.0))
    below = replace(ONE, values=(1.0, 10.0, 1.0, 10.0, 1.0))
    median, low, high = ratio(above, below)
    assert (low, median, high) == (2, 3, 4)
    with pytest.raises(ValueError, match="shorter"):
        ratio(ONE, replace(ONE, values=(1.0,)))
