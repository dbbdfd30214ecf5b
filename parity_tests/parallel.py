"""What can be done side by side: in processes with one thread each for their arithmetic.

Matrix products as small as the lecture's gain little from a second thread; a second
training gains all of it.
"""

import multiprocessing.resource_tracker
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Protocol

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.process_executor import TerminatedWorkerError

from parity_tests.checking import try_load
from parity_tests.implementations import NotInstalled
from parity_tests.records import Training
from parity_tests.training import Plan, run_trainings
from reference.cleanup import passing_folder
from reference.datasets import Dataset

OFTEN = 0.2  # seconds between two looks
QUIET = "ignore:resource_tracker:UserWarning"


class Task(Protocol):
    """Something to be done in a process of its own."""

    @property
    def total(self) -> int:
        """Of how many steps."""

    def run(self, progress: Callable[[int], object]) -> list[Any]:
        """Do it; `progress` is told how many more steps are made."""


@dataclass(frozen=True)
class Trainings:
    """Those of one seed in one dtype, by those implementations that there are; the first is
    the reference.
    """

    dataset: Dataset
    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    dtype: str
    implementations: tuple[str, ...]

    @property
    def total(self) -> int:
        """The steps of all trainings."""
        return self.steps * len(self.implementations)

    def run(self, progress: Callable[[int], object]) -> list[Training]:
        # From joblib they come as np.memmap, which takes longer to look samples up.
        x_train, x_test = map(np.asarray, (self.dataset.x_train, self.dataset.x_test))
        dataset = replace(self.dataset, x_train=x_train, x_test=x_test)
        settings = self.steps, self.batch_size, self.learning_rate, self.seed
        loaded = [try_load(name) for name in self.implementations]
        return run_trainings(
            Plan.of(dataset, *settings),
            [self.dtype],
            [found for found in loaded if not isinstance(found, NotInstalled)],
            lambda name, dtype, steps: progress(steps),
        )


class Running:
    """Tasks that are being worked on."""

    def __init__(self, results: Iterator[list[Any]], done: np.ndarray) -> None:
        self._results, self._done = results, done

    def wait(
        self, progress: Callable[[int], object] = lambda steps: None
    ) -> list[list[Any]]:
        """What every task returns, in their order.

        Args:
            progress: called, from another thread, with the number of steps that all
                have done since it was last called.

        Raises:
            TrainingDiverged: a loss is infinite or NaN.
            ChildProcessError: a process was ended by somebody else.
        """
        ended = threading.Event()
        teller = threading.Thread(target=self._tell, args=(progress, ended))
        teller.start()
        try:
            return list(self._results)
        except TerminatedWorkerError as error:
            raise ChildProcessError(
                "a process that trained was ended: was there too little memory?"
            ) from error
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


@contextmanager
def started(tasks: Sequence[Task], jobs: int | None = None) -> Iterator[Running]:
    """Start the tasks; whatever of them still runs when the block is left is ended.

    Args:
        tasks: their data sets are handed on as files that all processes share.
        jobs: the number of processes; by default as there are processors, but two.
    """
    processes = min(jobs or joblib.cpu_count(), len(tasks))
    with passing_folder(Path(gettempdir()), "gradparity-") as folder:
        done = np.memmap(folder / "steps", np.int64, "w+", shape=len(tasks))
        # One process would be this one. Of arrays that cannot be written to, torch warns.
        settings = {"n_jobs": max(processes, 2), "mmap_mode": "c"}
        settings |= {"initializer": _settle, "initargs": (os.getpid(),)}
        with joblib.parallel_config("loky", inner_max_num_threads=1, **settings):
            parallel = joblib.Parallel(return_as="generator", batch_size=1)
        calls = (
            joblib.delayed(_work)(task, done, number)
            for number, task in enumerate(tasks)
        )
        with _children_without_interrupts():
            results = parallel(calls)
        try:
            yield Running(results, done)
        finally:
            with warnings.catch_warnings():  # that not all has been waited for
                warnings.simplefilter("ignore")
                results.close()
            get_reusable_executor().shutdown(kill_workers=True)


def _work(task: Task, done: np.ndarray, number: int) -> list[Any]:
    """In a process of its own; counts the steps that are made in done[number]."""

    def count(steps: int) -> None:
        done[number] += steps

    return task.run(count)


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


def _settle(parent: int) -> None:
    """In a new process: no life after the parent's, and a single thread.

    Of BLAS and torch, joblib sees to that; XLA obeys other variables.
    """
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    flags = os.environ.get("XLA_FLAGS", ""), "--xla_cpu_multi_thread_eigen=false"
    os.environ |= {"NPROC": "1", "XLA_FLAGS": " ".join(flags)}


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(OFTEN)
    os._exit(1)
