"""What the benchmark says of whole processes, and the ratios that are made of it all."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from gradparity.parity_tests.benchmarks import (
    bench,
    commands,
    costs,
    lecture_script,
    whole,
)
from gradparity.parity_tests.benchmarks.commands import (
    Ended,
    PeakMemory,
    ProcessFailed,
    run,
)
from gradparity.parity_tests.benchmarks.loops import CONTENDERS
from gradparity.parity_tests.benchmarks.ratios import LIMITS, Named, ratios
from gradparity.parity_tests.benchmarks.series import Series
from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.measuring.records import BenchRatio
from gradparity.parity_tests.processes import compiling
from gradparity.reference.data.mnist_files import DatasetError
from gradparity.reports.tables import timings

MB = 10**6
SOON = 60.0  # seconds after which what should have happened will not


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < until, "it has not happened"
        time.sleep(0.02)


@pytest.fixture
def no_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GRADPARITY_DATA", raising=False)
    monkeypatch.setattr(
        "gradparity.reference.data.mnist_files.cache_folder", lambda: tmp_path / "none"
    )


# --- JAX's compile time ---------------------------------------------------------------


def test_time_that_is_covered_twice_counts_once() -> None:
    assert compiling.union([]) == 0
    assert compiling.union([(5, 7), (0, 1)]) == 3  # apart, and in any order
    assert compiling.union([(0, 4), (1, 2), (3, 6)]) == 6  # within, and overlapping
    assert compiling.union([(0, 4), (1, 2), (2, 3)]) == 4


def test_compiling_is_noticed_and_running_is_not() -> None:
    pytest.importorskip("jax")
    jax = framework("jax")
    assert framework("jax") is jax  # whose listener is registered once
    x = jax.numpy.arange(3.0)
    before, heard = compiling.seconds(), len(compiling._intervals)
    started = time.perf_counter()
    function = jax.jit(lambda x: jax.numpy.tanh(3 * x) - 12345)
    function(x).block_until_ready()
    compiled = compiling.seconds() - before
    assert 0 < compiled <= time.perf_counter() - started
    events = len(compiling._intervals) - heard
    function(x).block_until_ready()
    assert len(compiling._intervals) - heard == events


# --- Processes ------------------------------------------------------------------------


def test_memory_is_that_of_the_process_and_all_below_it() -> None:
    holder = "held = b'x' * 200_000_000; print(flush=True); input()"
    starter = (
        "import subprocess, sys\n"
        "held = b'x' * 100_000_000\n"
        f"subprocess.run([sys.executable, '-c', {holder!r}], check=True)\n"
    )
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", starter], **pipes) as process:
        assert process.stdout is not None
        with PeakMemory(process.pid) as peak:
            process.stdout.readline()
            wait_for(lambda: peak.bytes > 300 * MB)
            process.communicate(b"\n")
    assert process.returncode == 0
    assert 300 * MB < peak.bytes < 400 * MB


def test_a_process_is_timed_and_its_output_kept() -> None:
    started = time.perf_counter()
    ended = run("a process", ["-c", "print(3)"], memory=True)
    assert 0 < ended.seconds <= time.perf_counter() - started
    assert ended.output.strip() == "3"
    assert ended.peak is not None


@pytest.mark.parametrize(
    ("code", "statuses", "sentence"),
    [
        ("raise SystemExit('no data')", (0,), "it ended with status 1: no data"),
        ("raise SystemExit(2)", (0, 1), "it ended with status 2"),
        (
            "1 / 0",
            (0, 1),
            "it ended with status 1: ZeroDivisionError: division by zero",
        ),
    ],
)
def test_a_process_that_fails_is_told_of_in_a_sentence(
    code: str, statuses: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(ProcessFailed) as failure:
        run("it", ["-c", code], statuses=statuses)
    assert str(failure.value) == sentence


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_process_that_is_killed_is_told_of_in_a_sentence() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(ProcessFailed, match=r"^it was ended by SIGKILL$"):
        run("it", ["-c", code])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_no_process_outlives_the_one_that_measures_it(tmp_path: Path) -> None:
    measured = (
        "import os, subprocess, sys\n"
        "sleeper = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "below = subprocess.Popen(sleeper)\n"
        "path = sys.argv[1]\n"
        "with open(path + '.new', 'w') as file: print(os.getpid(), below.pid, file=file)\n"
        "os.replace(path + '.new', path)\n"
        "below.wait()\n"
    )
    measuring = (
        "import sys\n"
        "from gradparity.parity_tests.benchmarks.commands import run\n"
        "from gradparity.reference.data.cleanup import obey_signals\n"
        "obey_signals()\n"
        f"run('it', ['-c', {measured!r}, sys.argv[1]], memory=True)\n"
    )
    path = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-c", measuring, str(path)]) as process:
        wait_for(path.exists)
        pids = [int(pid) for pid in path.read_text(encoding="utf-8").split()]
        process.terminate()
        process.wait()
    wait_for(lambda: not any(map(runs, pids)))


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_settings_made_for_itself_are_not_for_the_lecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OURS", "20")
    monkeypatch.setenv("THEIRS", "30")
    found = commands.environment_without({"OURS": "20", "THEIRS": "20"})
    assert "OURS" not in found
    assert found["THEIRS"] == "30"


# --- The suite's costs ----------------------------------------------------------------


def answer(name: str, arguments: Sequence[str], **given: Any) -> Ended:
    """What a process might say."""
    if name.startswith("a case"):
        found = {"cases": 100, "first time": 2.0, "again": 1.0, "compiling": 0.5}
        return Ended(3.0, 0, json.dumps(found))
    if name == "import torch":
        raise ProcessFailed("import torch ended with status 1: no torch")
    peak = commands.GIB // 2 if given["memory"] else None
    return Ended(0.25, 1 if name == costs.CHECK else 0, "help\n\n3\n", peak)


def test_costs_come_with_units_and_what_fails_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "run", answer)
    calls: list[int] = []
    found = costs.measure(3, calls.append)
    assert sum(calls) == costs.count(3)
    rows = {one.name: one for one in found.series.values()}
    told = {n: (s.values, s.unit, s.framework) for n, s in rows.items()}
    assert told["python -c pass"] == ((0.25,) * 3, "s", None)
    assert told["gradparity check"] == ((0.25,) * 2, "s", None)
    assert (
        rows["gradparity check"].note == "it ended with status 1: something disagrees"
    )
    assert told["gradparity check, peak memory"] == ((0.5,) * 2, "GiB", None)
    assert told["frameworks that --help imports"] == ((3.0,), "count", None)
    assert told["a case, jax-jit, first time"] == ((20_000.0,) * 2, "µs", "jax")
    assert told["a case, torch, again"] == ((10_000.0,) * 2, "µs", "torch")
    assert told["compiling all cases, jax"] == ((0.5,) * 2, "s", "jax")
    assert not any(name.startswith("compiling") and "torch" in name for name in rows)
    assert "import torch" not in rows
    reason = "import torch ended with status 1: no torch"
    assert found.missing == {"import torch": reason}
    assert all(one.row().part == "suite" for one in rows.values())


def test_help_is_counted_to_import_nothing_heavy() -> None:
    (row,) = costs.ONCE.rows(run(costs.ONCE.name, costs.ONCE.arguments))
    assert row.values == (0.0,)
    code = costs.COUNT_IMPORTS.replace("import sys", "import sys, sklearn", 1)
    (row,) = costs.ONCE.rows(run("what imports scikit-learn", ["-c", code]))
    assert row.values == (1.0,)


def test_all_cases_of_an_implementation_are_timed() -> None:
    found = costs.time_cases("reference")
    assert found["cases"] > 100
    assert found["first time"] > 0
    assert found["again"] > 0


def test_a_case_is_compiled_the_first_time_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("jax")
    few = [c for c in costs.LAYER_CASES if c.layer in ("AddLayer", "Relu", "Exp")]
    monkeypatch.setattr(costs, "LAYER_CASES", few)
    monkeypatch.setattr(costs, "NETWORK_CASES", [])
    compiled: list[float] = []

    def seconds(*arguments: Any) -> float:
        before = compiling.seconds()
        costs.run_case(*arguments)
        compiled.append(compiling.seconds() - before)
        return 1.0

    monkeypatch.setattr(costs, "seconds", seconds)
    found = costs.time_cases("jax-jit")
    assert found["cases"] == found["first time"] == found["again"] > 10
    assert sum(compiled[::2]) > 0
    assert sum(compiled[1::2]) == 0


# --- The whole report -----------------------------------------------------------------


def test_without_mnist_the_report_has_no_rows_and_its_ratios_say_why(
    no_mnist: None,
) -> None:
    calls: list[int] = []
    found = bench.run(["report"], 5, None, calls.append)
    assert sum(calls) == bench.count(["report"], 5)
    assert found.rows == []
    assert [ratio.name for ratio in found.ratios] == [limit.name for limit in LIMITS]
    assert all(ratio.value is None for ratio in found.ratios)
    notes = {ratio.name: ratio.note or "" for ratio in found.ratios}
    assert "MNIST was not found in" in notes["report_over_trainings"]
    assert "MNIST was not found in" in notes["jax_compile_seconds"]
    assert notes["help_imports"] == "the part suite was not measured"


def test_a_folder_without_mnist_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    def progress(done: int) -> None:
        raise AssertionError("something was measured")

    with pytest.raises(DatasetError, match="none of the four files is there"):
        bench.run(["suite", "report"], 1, tmp_path, progress)


def measure_report(
    monkeypatch: pytest.MonkeyPatch, status: int, compiled: float | None
) -> commands.Measured:
    """The whole part, where a report takes 12 seconds, and all else 2."""

    def answer(name: str, arguments: Sequence[str], **given: Any) -> Ended:
        if name != whole.REPORT:
            return Ended(2.0, 0, "2.0\n")
        if status not in given["statuses"]:
            raise ProcessFailed(f"{name} ended with status {status}: no room")
        (output,) = (a.partition("=")[2] for a in arguments if "--output" in a)
        folders.append(Path(output).parent)
        Path(output).mkdir()
        text = json.dumps({"environment": {"jax_compile_seconds": compiled}})
        (Path(output) / "results.json").write_text(text, encoding="utf-8")
        return Ended(12.0, status, "", 2 * commands.GIB)

    folders: list[Path] = []
    calls: list[int] = []
    monkeypatch.setattr(commands, "run", answer)
    monkeypatch.setattr(whole, "why_not", lambda data_dir: None)
    found = whole.measure("folder", calls.append)
    assert sum(calls) == whole.COUNT
    assert not any(folder.exists() for folder in folders)
    return found


def by_name(series: Sequence[Series], **why: Any) -> dict[str, BenchRatio]:
    return {one.name: one for one in ratios(series, **why)}


def test_a_report_is_held_against_its_trainings_and_the_lecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measure_report(monkeypatch, 0, 2.5)
    rows = [one.row() for one in found.series.values()]
    assert len(rows) == 6 + 1 + 3
    assert {row.repeats for row in rows} == {1}
    assert {row.note for row in rows if row.kind != "lecture"} == {None}
    held = by_name([*found.series.values()], missing=found.missing)
    assert held["report_over_trainings"].value == 1.0
    assert held["report_over_lecture_script"].value == 6.0
    assert held["report_peak_gib"].value == 2.0
    assert held["jax_compile_seconds"].value == 2.5
    assert held["reference_over_lecture"].note == "the part step was not measured"


def test_a_report_in_which_something_disagrees_counts_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measure_report(monkeypatch, 1, None)
    series = found.series[whole.REPORT, None]
    assert series.values == (12.0,)
    assert series.note == "it ended with status 1: something disagrees"
    held = by_name([*found.series.values()], missing=found.missing)
    compiled = held["jax_compile_seconds"]
    assert compiled.value is None
    assert compiled.note == "gradparity report, compiling JAX was not measured"


def test_a_report_that_fails_is_told_of_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measure_report(monkeypatch, 2, None)
    assert len(found.series) == 6 + 1
    held = by_name([*found.series.values()], missing=found.missing)
    sentence = "gradparity report ended with status 2: no room"
    for name in ("report_over_trainings", "report_over_lecture_script"):
        assert held[name].value is None
        assert held[name].note == sentence


def test_the_lectures_script_learns_and_tells_once_an_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = np.arange(400) % 10
    images = np.zeros((400, 784), np.float32)
    images[np.arange(400), labels] = 1.0  # a pixel for each class
    split = 20 * images, np.eye(10)[labels]
    monkeypatch.setattr(lecture_script, "load_mnist", lambda **how: (split, split))
    with redirect_stdout(io.StringIO()) as said:
        lecture_script.main(None, iters_num=42)
    rows = [line.split() for line in said.getvalue().splitlines()]
    assert len(rows) == 11  # at steps 0, 4, ..., 40, of four an epoch
    assert rows[-1] == ["1.0", "1.0"]


# --- Ratios ---------------------------------------------------------------------------


def series_of(named: Named, *values: float, threads: int = 2) -> Series:
    return Series(
        **named._asdict(),
        kind="ours",
        framework="numpy",
        threads=threads,
        unit="µs",
        values=values,
    )


def test_every_ratio_that_is_promised_is_there() -> None:
    assert {limit.name: limit.at_most for limit in LIMITS} == {
        "reference_over_floor_float32": 1.6,
        "reference_over_floor_float64": 1.4,
        "reference_over_lecture": 0.5,
        "torch_over_idiomatic": 0.8,
        "jax_over_percall": 0.55,
        "jax_compile_seconds": 3,
        "help_over_python": 10,
        "help_imports": 0,
        "report_over_trainings": 1.5,
        "report_over_lecture_script": 4,
        "report_peak_gib": 2.5,
    }


def test_ratios_name_loops_that_there_are() -> None:
    named = [name for limit in LIMITS for name in (limit.above, *limit.below)]
    steps = {name.name for name in named if name.part == "step"}
    assert steps <= {contender.name for contender in CONTENDERS}


def test_ratios_are_taken_round_by_round_with_all_threads() -> None:
    ours, floor = Named("step", "reference", "float32"), Named("step", "numpy floor")
    floor = floor._replace(dtype="float32")
    found = by_name(
        [
            series_of(ours, 100.0, 100.0, 100.0, threads=1),
            series_of(ours, 30.0, 200.0, 60.0),
            series_of(floor, 10.0, 100.0, 40.0),
            series_of(floor, 1.0, 1.0, 1.0, threads=1),
            series_of(floor._replace(dtype="float64"), 2.0, 2.0, 2.0),
        ]
    )
    one = found["reference_over_floor_float32"]
    assert (one.value, one.low, one.high) == (2.0, 1.75, 2.5)
    assert one.at_most == 1.6
    assert one.note is None
    other = found["reference_over_floor_float64"]
    assert other.value is None
    assert other.note == "reference was not measured"


def test_a_ratio_without_a_framework_says_so() -> None:
    reason = "optax cannot be imported: there is none"
    ours = Named("step", "jax", "float32")
    found = by_name([series_of(ours, 1.0)], missing={"jax a call a step": reason})
    assert found["jax_over_percall"].note == reason


def test_what_was_not_measured_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part = bench.Part(lambda _: 0, lambda *_: ([], {"import torch": "there is none"}))
    monkeypatch.setitem(bench.PLAN, "suite", part)
    found = bench.run(("suite",), 3, None)
    assert found.missing == {"import torch": "there is none"}
    assert timings.sentences(found)[-1] == "import torch: there is none."


def test_a_part_that_is_ended_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ended(*_: Any) -> Any:
        raise ChildProcessError("it was ended by SIGKILL")

    def suite(*_: Any) -> Any:
        return [costs.cost("it", 1.0)], {}

    for name, measure in (("step", ended), ("suite", suite), ("sweep", ended)):
        monkeypatch.setitem(bench.PLAN, name, bench.Part(lambda _: 0, measure))
    found = bench.run(("step", "suite", "sweep"), 3, None)
    assert [row.name for row in found.rows] == ["it"]
    assert found.missing == dict.fromkeys(("step", "sweep"), "it was ended by SIGKILL")
    with pytest.raises(ChildProcessError, match="SIGKILL"):
        bench.run(("step", "sweep"), 3, None)


def test_what_was_measured_more_often_is_not_divided() -> None:
    ours, other = (Named("step", n, "float32") for n in ("torch", "torch nn + SGD"))
    found = by_name([series_of(ours, 1.0, 2.0), series_of(other, 1.0)])
    ratio = found["torch_over_idiomatic"]
    assert ratio.value is None
    assert ratio.note == "what is divided was not measured equally often"
