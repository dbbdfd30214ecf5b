"""What the whole report costs on MNIST: beside its six trainings, and the lecture's script.

Each is a process of its own, with all threads, and runs while nothing else does. It is
apart because it takes minutes and needs the real MNIST, which is never downloaded for it.
As a program, `python -m gradparity.parity_tests.benchmarks.whole torch float32
[DATA_DIR]` trains once and prints the seconds that it took.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import joblib

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.benchmarks import commands
from gradparity.parity_tests.benchmarks.series import Series
from gradparity.parity_tests.implementations.contract import NotInstalled
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.processes.settings import WAITING, keep_memory
from gradparity.parity_tests.training.plan import HIDDEN, TRAINABLE, Plan
from gradparity.parity_tests.training.run import train
from gradparity.reference import datasets
from gradparity.reference.data.cleanup import passing_folder

REPORT, LECTURE = "gradparity report", "lecture's script"
PEAK, COMPILING = f"{REPORT}, peak memory", f"{REPORT}, compiling JAX"
COUNT = len(TRAINABLE) * len(DTYPES) + 2  # how often `measure` calls `progress`
BATCH_SIZE = 100  # what `report` takes by default, and the lecture

Found = Iterable[Series]


def training_name(implementation: str) -> str:
    """What its row is called."""
    return f"training, {implementation}"


def measure(
    data_dir: str | os.PathLike[str] | None, progress: Callable[[int], object]
) -> commands.Measured:
    """All of it, once: the report in between the trainings of one dtype and those
    of the other, so that a machine that grows slower meanwhile is slower for both.

    Without MNIST there is nothing but the reason, under "report" in `missing`. What fails
    has a sentence there under its name.

    Raises DatasetError: `data_dir` lacks one of MNIST's files, or one is damaged.
    """
    found = commands.Measured()
    reason = why_not(data_dir)
    if reason is not None:
        found.missing["report"] = reason
        progress(COUNT)
        return found

    def take(name: str, work: Callable[[], Found]) -> None:
        found.take(name, work)
        progress(1)

    def take_trainings(dtype: str) -> None:
        for name in TRAINABLE:
            take(training_name(name), partial(training, name, dtype, data_dir))

    first, *others = DTYPES
    take_trainings(first)
    take(LECTURE, partial(lecture, data_dir))
    take(REPORT, partial(report, data_dir))
    for dtype in others:
        take_trainings(dtype)
    return found


def why_not(data_dir: str | os.PathLike[str] | None) -> str | None:
    """Why there is no MNIST, or None.

    Raises DatasetError: `data_dir` lacks one of its files, or one is damaged.
    """
    try:
        datasets.load_mnist(data_dir=data_dir, download=False, normalize=False)
    except datasets.MnistUnavailable as error:
        return str(error)
    return None


def training(name: str, dtype: str, data_dir: str | os.PathLike[str] | None) -> Found:
    """One training of the length of a report's; loading the data and importing not
    counted.
    """
    ended = commands.run(
        f"{training_name(name)} in {dtype}",
        (
            *("-m", "gradparity.parity_tests.benchmarks.whole"),
            *(name, dtype, *folder(data_dir)),
        ),
        environment={**WAITING, **os.environ},
    )
    framework = "numpy" if name == "reference" else name
    seconds = float(ended.output)
    yield row(training_name(name), "ours", seconds, framework=framework, dtype=dtype)


def lecture(data_dir: str | os.PathLike[str] | None) -> Found:
    """The lecture's script, in the surroundings in which anybody would run it."""
    ended = commands.run(
        LECTURE,
        ("-m", "gradparity.parity_tests.benchmarks.lecture_script", *folder(data_dir)),
        environment=commands.environment_without(WAITING),
    )
    note = "without our settings of threads and memory; verifies MNIST's checksums"
    yield row(LECTURE, "lecture", ended.seconds, framework="numpy", note=note)


def report(data_dir: str | os.PathLike[str] | None) -> Found:
    """The command, written into a folder that is gone afterwards."""
    with passing_folder(Path(gettempdir())) as place:
        output = place / "report"
        given = [f"--data-dir={each}" for each in folder(data_dir)]
        ended = commands.run(
            REPORT,
            ("-m", *REPORT.split(), "--dataset=mnist", f"--output={output}", *given),
            statuses=(0, 1),
            memory=True,
        )
        results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    assert ended.peak is not None
    found = {REPORT: (ended.seconds, "s"), PEAK: (ended.peak / commands.GIB, "GiB")}
    compiled = results["environment"].get("jax_compile_seconds")
    if compiled is not None:
        found[COMPILING] = compiled, "s"
    note = commands.DISAGREES if ended.status else None
    for name, (value, unit) in found.items():
        yield row(name, "cost", value, unit=unit, note=note)


def row(name: str, kind: str, value: float, unit: str = "s", **more: Any) -> Series:
    """One value of a row of this part."""
    return Series(
        part="report",
        name=name,
        kind=kind,
        threads=joblib.cpu_count(),
        batch_size=BATCH_SIZE,
        hidden=HIDDEN,
        unit=unit,
        values=(value,),
        **more,
    )


def folder(data_dir: str | os.PathLike[str] | None) -> list[str]:
    """An argument, where a folder is named."""
    return [] if data_dir is None else [os.fspath(data_dir)]


def train_once(name: str, dtype: str, data_dir: str | None = None) -> float:
    """How many seconds the training takes that `report` makes by default.

    Raises NotInstalled; DatasetError where MNIST is not there.
    """
    keep_memory()
    dataset = datasets.load("mnist", data_dir=data_dir, download=False)
    return train(Plan.of(dataset), dtype, load(name), None)[0].seconds


if __name__ == "__main__":
    try:
        print(train_once(*sys.argv[1:]))
    except (NotInstalled, datasets.DatasetError) as reason:
        raise SystemExit(str(reason)) from None
