"""The whole benchmark: its parts one after another, then rows and ratios.

It is apart because it alone knows all parts; each of them can be measured without it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gradparity.parity_tests.benchmarks import costs, timing, whole
from gradparity.parity_tests.benchmarks.commands import Measured
from gradparity.parity_tests.benchmarks.ratios import ratios
from gradparity.parity_tests.benchmarks.series import Series
from gradparity.parity_tests.measuring.records import Bench

Folder = str | os.PathLike[str]
Progress = Callable[[int], object]
Found = tuple[list[Series], Mapping[str, str]]  # the second: why anything is not there


@dataclass(frozen=True)
class Part:
    """How often it calls `progress` in so many rounds; and how it is measured."""

    count: Callable[[int], int]
    measure: Callable[[int, Folder | None, Progress], Found]


def of_steps(plan: Callable[[], timing.Plan]) -> Part:
    """A part that times training steps."""
    return Part(
        lambda rounds: plan().count(rounds),
        lambda rounds, data_dir, progress: timing.measure(plan(), rounds, progress),
    )


def suite(rounds: int, data_dir: Folder | None, progress: Progress) -> Found:
    return unpacked(costs.measure(rounds, progress))


def report(rounds: int, data_dir: Folder | None, progress: Progress) -> Found:
    """Once, whatever the rounds: it takes minutes."""
    return unpacked(whole.measure(data_dir, progress))


def unpacked(measured: Measured) -> Found:
    return [*measured.series.values()], measured.missing


PLAN = {
    "step": of_steps(timing.step_plan),
    "sweep": of_steps(timing.sweep_plan),
    "suite": Part(costs.count, suite),
    "report": Part(lambda rounds: whole.COUNT, report),
}
PARTS = tuple(PLAN)


def count(parts: Sequence[str], rounds: int) -> int:
    """The sum of all numbers with which `run` calls `progress`."""
    return sum(PLAN[part].count(rounds) for part in parts)


def run(
    parts: Sequence[str],
    rounds: int,
    data_dir: Folder | None,
    progress: Progress = lambda done: None,
) -> Bench:
    """Measure these parts, in this order, while nothing else should run.

    Args:
        parts: of `PARTS`.
        rounds: how often everything is measured; what takes long, less often.
        data_dir: a folder with MNIST's four files, which "report" needs. Without it they
            are looked for where `reference.datasets.load` does, and never downloaded.
        progress: called with the number of measurements that are done.

    Raises:
        DatasetError: `data_dir` lacks a file, or one is damaged.
        ChildProcessError: a process that measures training steps is ended, and nothing
            else was measured; where something was, the part has a reason in `missing`.
    """
    if "report" in parts:
        whole.why_not(data_dir)  # raises now, and not after all else has been measured
    series: list[Series] = []
    missing: dict[str, str] = {}
    for part in parts:
        try:
            found, reasons = PLAN[part].measure(rounds, data_dir, progress)
        except ChildProcessError as error:
            if not series and part == parts[-1]:  # then there is nothing to show
                raise
            found, reasons = [], {part: str(error)}
        series += found
        missing |= reasons
    rows = [one.row() for one in series]
    return Bench(rows=rows, ratios=ratios(series, missing), missing=missing)
