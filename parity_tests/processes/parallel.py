"""What can be done side by side: in processes that share the processors among them.

Matrix products as small as the lecture's gain little from a second thread; a second
training gains all of it. So there are as many processes as processors, with one thread
each for their arithmetic; or fewer, with more.
"""

import multiprocessing.resource_tracker
import os
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from tempfile import gettempdir
from typing import Any, Protocol, Self

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor, process_executor
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.process_executor import TerminatedWorkerError

from gradparity.parity_tests.checking.values import load_all
from gradparity.parity_tests.measuring import records
from gradparity.parity_tests.processes import compiling, settings
from gradparity.parity_tests.training import forensics
from gradparity.parity_tests.training.plan import Plan, Trained, in_dtype
from gradparity.parity_tests.training.run import run_trainings
from gradparity.reference.data import guard
from gradparity.reference.data.cleanup import passing_file
from gradparity.reference.datasets import Dataset

OFTEN = 0.2  # seconds between two looks
QUIET = "ignore:resource_tracker:UserWarning"


class Task(Protocol):
    """Something to be done in a process of its own."""

    @property
    def total(self) -> int:
        """Of how many steps; about as long as those of trainings."""

    def run(self, progress: Callable[[int], object]) -> Any:
        """Do it; `progress` is told how many more steps are made."""


@dataclass
class TrainingResults:
    """All trainings, the reference always first; what forensics found of them, if that was
    asked for; those that there are none of; and the networks, by dtype and name, of those
    that were trained in this process.
    """

    trainings: list[records.Training] = field(default_factory=list)
    partings: list[records.Parting] = field(default_factory=list)
    together: list[records.Together] = field(default_factory=list)
    untrained: list[records.Untrained] = field(default_factory=list)
    networks: dict[str, Trained] = field(default_factory=dict)

    @classmethod
    def of(cls, groups: Iterable[Self]) -> Self:
        """Those of all dtypes."""
        found = cls()
        for group in groups:
            found.trainings += group.trainings
            found.partings += group.partings
            found.together += group.together
            found.untrained += group.untrained
        return found


@dataclass(frozen=True)
class Trainings:
    """Those of one seed in one dtype, by those implementations that there are, the first of
    which is the reference; and if wanted, where they part and why.

    That is found out in the same process, for steps are taken again: with another number
    of threads they would not have the same bits.
    """

    dataset: Dataset
    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    dtype: str
    implementations: tuple[str, ...]
    find_partings: bool = False

    @property
    def total(self) -> int:
        """The steps of all trainings."""
        return self.steps * len(self.implementations)

    def run(self, progress: Callable[[int], object]) -> TrainingResults:
        # From joblib they come as np.memmap, which takes longer to look samples up.
        x_train, x_test = map(np.asarray, (self.dataset.x_train, self.dataset.x_test))
        dataset = replace(self.dataset, x_train=x_train, x_test=x_test)
        given = self.steps, self.batch_size, self.learning_rate, self.seed
        plan = Plan.of(dataset, *given)
        present, missing = load_all(self.implementations, to_train=True)
        progress(self.steps * len(missing))
        if self.find_partings:
            present[0] = forensics.Watch()
        untrained = absent(missing, [self.dtype], self.seed)
        trained: Trained = {}
        trainings = run_trainings(
            plan,
            [self.dtype],
            present,
            lambda name, dtype, steps: progress(steps),
            inspect=lambda dtype, group: trained.update(group),
            failed=untrained.append,
        )
        found: tuple[list[records.Parting], list[records.Together]] = [], []
        if self.find_partings:
            found = forensics.investigate(plan, self.dtype, trained)
        return TrainingResults(trainings, *found, untrained)


def absent(
    missing: Mapping[str, str], dtypes: Sequence[str], seed: int
) -> list[records.Untrained]:
    """The trainings that there are none of, since these implementations are missing."""
    return [
        records.Untrained(
            implementation=name,
            dtype=dtype,
            seed=seed,
            verdict=records.Verdict.MISSING,
            note=reason,
        )
        for dtype in dtypes
        for name, reason in missing.items()
    ]


class Running:
    """Tasks that are being worked on. `compiled` is for how many seconds JAX compiled, of
    those that have been waited for.
    """

    def __init__(
        self,
        results: Iterator[tuple[Any, float]],
        done: np.ndarray,
        notes: Sequence[guard.Notes] = (),
    ) -> None:
        self._results, self._done, self._notes = results, done, notes
        self.compiled = 0.0

    def wait(self, progress: Callable[[int], object] = lambda steps: None) -> list[Any]:
        """What every task returns, in their order.

        Args:
            progress: called, from another thread, with the number of steps that all
                have done since it was last called.

        Raises:
            TrainingDiverged: a loss is infinite or NaN.
            ChildProcessError: a process ended before its task did.
            Exception: whatever a task raised.
        """
        ended = threading.Event()
        teller = threading.Thread(target=self._tell, args=(progress, ended))
        teller.start()
        try:
            found = list(self._results)
            self.compiled = sum(seconds for _, seconds in found)
            return [result for result, _ in found]
        except TerminatedWorkerError as error:
            said = how_it_ended(str(error)) + guard.where(*self._notes)
            raise ChildProcessError(said) from error
        finally:
            ended.set()
            teller.join()

    def _tell(self, progress: Callable[[int], object], ended: threading.Event) -> None:
        told, last = 0, False
        while not last:
            last = ended.wait(OFTEN)
            done = int(self._done.sum())
            progress(done - told)
            told = done
            for notes in self._notes:
                notes.tell_what_takes_long()


def how_it_ended(said: str) -> str:
    """How a process ended, of what loky says: `... are {SIGKILL(-9), EXIT(1)}`."""
    codes = re.findall(r"(\w+)\((-?\d+)\)", said)
    signals = sorted({name for name, code in codes if int(code) < 0})
    if "SIGKILL" in signals:
        how = "by SIGKILL, as where memory runs out,"
    elif signals:
        how = f"by {', '.join(signals)}"
    else:
        statuses = sorted({code for _, code in codes})
        how = f"with exit status {', '.join(statuses) or 'unknown'}"
    return f"a process that trained or compared was ended {how}"


@contextmanager
def sharing(dataset: Dataset) -> Iterator[Dataset]:
    """The same, with its images in files that all processes share as their memory."""
    with ExitStack() as files:
        # From here on, nothing holds on to the arrays that came.
        dataset = _shared(dataset, files)
        yield dataset


def _shared(dataset: Dataset, files: ExitStack) -> Dataset:
    """The images begin at a multiple of 64 bytes, so that JAX needs no copy of its own.

    Raises OSError: there is no room for them.
    """

    def mapped(images: np.ndarray) -> np.ndarray:
        path = files.enter_context(passing_file())
        with open(path, "wb") as file:
            np.save(file, images)
        return np.asarray(np.load(path, mmap_mode="c"))

    try:
        x_train, x_test = map(mapped, (dataset.x_train, dataset.x_test))
    except OSError as error:
        raise OSError(
            f"the images cannot be put where other processes find them ({error}); "
            f"TMPDIR can name another folder than {gettempdir()}"
        ) from error
    return replace(dataset, x_train=x_train, x_test=x_test)


def _with_shared_images(tasks: Sequence[Task], files: ExitStack) -> Iterator[Task]:
    """Those that train in another dtype than their images have are given them in it."""
    found: dict[tuple[int, str], Dataset] = {}
    for task in tasks:
        if isinstance(task, Trainings) and task.dataset.x_train.dtype != task.dtype:
            key = id(task.dataset), task.dtype
            if key not in found:
                narrow = task.dataset.astype(task.dtype)
                found[key] = _shared(narrow, files)
            task = replace(task, dataset=found[key])
        yield task


def threads(tasks: int, jobs: int | None = None) -> int:
    """How many each process gets for its arithmetic, where there are so many tasks."""
    processors = joblib.cpu_count()
    return max(processors // max(min(jobs or processors, tasks), 1), 1)


@contextmanager
def started(tasks: Sequence[Task], jobs: int | None = None) -> Iterator[Running]:
    """Start the tasks; whatever of them still runs when the block is left is ended.

    Args:
        tasks: their data sets are handed on as files that all processes share.
        jobs: the number of processes; by default as there are processors. Each gets its
            share of the processors for its arithmetic. One process is this one, in which
            the tasks run when they are waited for.
    """
    wanted = min(jobs or joblib.cpu_count(), settings.most_processes())
    with ExitStack() as files:
        steps = files.enter_context(passing_file())
        done = np.memmap(steps, np.int64, "w+", shape=len(tasks))
        if wanted == 1:
            yield Running((_work(task, done, i) for i, task in enumerate(tasks)), done)
            return
        shape = len(tasks), guard.HEAD + guard.NOTE.size
        notes = files.enter_context(passing_file())
        noted = np.memmap(notes, np.uint8, "w+", shape=shape)
        share = threads(len(tasks), jobs)
        # Of arrays that cannot be written to, torch warns.
        pool = {"n_jobs": max(min(wanted, len(tasks)), 2), "mmap_mode": "c"}
        pool |= {"initializer": _settle, "initargs": (os.getpid(), share)}
        with joblib.parallel_config("loky", inner_max_num_threads=share, **pool):
            parallel = joblib.Parallel(return_as="generator", batch_size=1)
        calls = (
            joblib.delayed(_work)(task, done, number, noted[number])
            for number, task in enumerate([*_with_shared_images(tasks, files)])
        )
        with _children_without_interrupts():
            results = parallel(calls)
        try:
            yield Running(results, done, [*map(guard.Notes, noted)])
        finally:
            with warnings.catch_warnings():  # that not all has been waited for
                warnings.simplefilter("ignore")
                results.close()
            get_reusable_executor(reuse=True).shutdown(kill_workers=True)
            for each in map(guard.Notes, noted):
                guard.child_came_back_in(each)


def _work(
    task: Task, done: np.ndarray, number: int, noted: np.ndarray | None = None
) -> tuple[Any, float]:
    """What it returns, and for how many seconds JAX compiled; counts the steps that are
    made in done[number]. In another process, `noted` is where this one looks for notes.
    """
    if noted is not None:
        guard.use(noted)

    def count(steps: int) -> None:
        done[number] += steps

    before = compiling.seconds()
    result = task.run(count)
    in_dtype.cache_clear()
    settings.give_back_memory()
    return result, compiling.seconds() - before


@contextmanager
def _children_without_interrupts() -> Iterator[None]:
    """Ctrl-C does not reach the processes that are started in here, which would each say
    something; nor what joblib leaves to clean up behind us, which would warn of it.

    A process inherits which signals are blocked. This one gets its own afterwards.
    """
    said = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [said, QUIET]))
    for tracker in (resource_tracker, multiprocessing.resource_tracker):
        tracker.ensure_running()  # which would unblock them again
    if os.name != "nt":
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if os.name != "nt":
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if said is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = said


def _settle(parent: int, share: int) -> None:
    """In a new process: no life after the parent's, and so many threads.

    Of BLAS and torch, joblib sees to that; XLA obeys other variables.
    """
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it is not asked for by exceptions
    os.environ |= settings.threads(share)
    settings.keep_memory()
    # Who holds 300 MB more than after its first task would count as leaking, and be
    # replaced with a warning. MNIST's images alone are more than that.
    process_executor._USE_PSUTIL = False


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(OFTEN)
    os._exit(1)
