"""How long a training step takes, of every loop that is timed.

There is one process for each number of threads, and only one of them ever works. Each
round goes through all contenders in all processes, in an order of its own, so that a
machine that is faster or slower for a while is so for all of them.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any

import joblib

from gradparity.parity_tests.benchmarks.commands import how, text
from gradparity.parity_tests.benchmarks.loops import CONTENDERS, Contender
from gradparity.parity_tests.benchmarks.series import Series
from gradparity.parity_tests.benchmarks.work import SAMPLES
from gradparity.parity_tests.processes.settings import WAITING, threads
from gradparity.reference.data.cleanup import at_end

MICROSECONDS = 1e6
EVERY = tuple(contender.name for contender in CONTENDERS)

Missing = dict[str, str]  # why a loop cannot be started, by its name


@dataclass(frozen=True)
class Setting:
    """What is trained."""

    dtype: str
    batch_size: int
    hidden: int
    samples: int = SAMPLES


@dataclass(frozen=True)
class Plan:
    """What is measured: every contender in every setting with every number of threads.

    `steps` are those of the stretches that are not timed and that are; with None they
    are chosen by each process so that a timed one takes a tenth of a second. Of the
    rounds, `one_in` so many is made, and the `fewest` at least.
    """

    part: str
    contenders: tuple[str, ...]
    settings: tuple[Setting, ...]
    threads: tuple[int, ...]
    steps: tuple[int, int] | None = None
    one_in: int = 1
    fewest: int = 1

    def rounds(self, of: int) -> int:
        return max(self.fewest, of // self.one_in)

    def count(self, rounds: int) -> int:
        """How often `measure` calls `progress`: once to prepare, and once a round."""
        loops = len(self.contenders) * len(self.settings) * len(self.threads)
        return loops * (1 + self.rounds(rounds))


def step_plan() -> Plan:
    """The lecture's training, in both dtypes, with all threads and with one."""
    return Plan(
        part="step",
        contenders=EVERY,
        settings=tuple(Setting(dtype, 100, 50) for dtype in ("float32", "float64")),
        threads=tuple(dict.fromkeys([joblib.cpu_count(), 1])),
        steps=(50, 200),
    )


def sweep_plan() -> Plan:
    """From small to large: where does the arithmetic outweigh all the rest?"""
    sizes = [(batch_size, 50) for batch_size in (1, 10, 100, 1_000, 10_000)]
    sizes += [(100, hidden) for hidden in (10, 200, 500, 2_000)]
    return Plan(
        part="sweep",
        contenders=EVERY,
        settings=tuple(Setting("float32", *size) for size in sizes),
        threads=(joblib.cpu_count(),),
        one_in=3,
        fewest=3,
    )


def measure(
    plan: Plan, rounds: int, progress: Callable[[int], object] = lambda done: None
) -> tuple[list[Series], Missing]:
    """Every loop of a plan: µs per step, a repeat for each round; and why any cannot be
    measured.

    `progress` is called with 1, `plan.count(rounds)` times. Raises ChildProcessError if a
    process is ended that measures.
    """
    rounds = plan.rounds(rounds)
    order = random.Random(0)
    found: list[Series] = []
    missing: Missing = {}
    with ExitStack() as stack:
        workers = [stack.enter_context(started(count)) for count in plan.threads]
        for setting in plan.settings:
            taken = [
                _prepare(each, plan, setting, rounds, progress, missing)
                for each in workers
            ]
            for _ in range(rounds):
                pairs = [*zip(workers, taken, strict=True)]
                for worker, values in order.sample(pairs, len(pairs)):
                    for name in order.sample([*values], len(values)):
                        seconds = worker.ask(do="measure", name=name)["seconds"]
                        values[name].append(MICROSECONDS * seconds)
                        progress(1)
            for count, values in zip(plan.threads, taken, strict=True):
                found += [
                    _series(plan.part, contender, setting, count, values)
                    for contender in CONTENDERS
                    if contender.name in values
                ]
    return found, missing


def _prepare(
    worker: "Worker",
    plan: Plan,
    setting: Setting,
    rounds: int,
    progress: Callable[[int], object],
    missing: Missing,
) -> dict[str, list[float]]:
    """No values yet of every contender that can be measured here; why others cannot be is
    added to `missing`.
    """
    worker.ask(do="forget")
    values: dict[str, list[float]] = {}
    for seed, name in enumerate(plan.contenders):
        answer = worker.ask(
            do="prepare",
            name=name,
            setting=asdict(setting),
            seed=seed,
            repeats=rounds,
            steps=plan.steps,
        )
        progress(1)
        if "missing" in answer:
            missing[name] = answer["missing"]
            for _ in range(rounds):
                progress(1)
        else:
            values[name] = []
    return values


def _series(
    part: str,
    contender: Contender,
    setting: Setting,
    count: int,
    values: dict[str, list[float]],
) -> Series:
    return Series(
        part=part,
        name=contender.name,
        kind=contender.kind,
        framework=contender.framework,
        dtype=setting.dtype,
        threads=count,
        batch_size=setting.batch_size,
        hidden=setting.hidden,
        unit="µs",
        values=tuple(values[contender.name]),
        note=contender.note,
    )


class Worker:
    """A process that measures (`worker.py`), as it is seen from here."""

    def __init__(self, process: "subprocess.Popen[str]", said: IO[bytes]) -> None:
        self._process, self._said = process, said
        self.pid = process.pid

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order and wait for the answer.

        Raises ChildProcessError if the process ends instead.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # then there is no answer either
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        answer = process.stdout.readline()
        if not answer.endswith("\n"):
            raise ChildProcessError(self._why(process.wait()))
        return json.loads(answer)

    def _why(self, status: int) -> str:
        """How it ended, and a guess or the last that it said."""
        last = text(self._said).strip().splitlines()[-1:]
        why = ["was there too little memory?"] if status < 0 else last
        return ": ".join([f"a process that measured {how(status)}", *why])


@contextmanager
def started(count: int) -> Iterator[Worker]:
    """A process with so many threads, which is gone when the block is left."""
    command = [sys.executable, "-m", "gradparity.parity_tests.benchmarks.worker"]
    with TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env={**WAITING, **os.environ, **threads(count)},
            start_new_session=True,  # Ctrl-C is for us alone, who end it
        )
        with at_end(partial(_kill, process)):
            try:
                yield Worker(process, said)
            finally:
                _kill(process)  # it has nothing to put in order
                process.wait()
                for pipe in (process.stdin, process.stdout):
                    assert pipe is not None
                    with suppress(BrokenPipeError):
                        pipe.close()


def _kill(process: "subprocess.Popen[str]") -> None:
    """Twice does no harm."""
    with suppress(OSError):
        process.kill()
