"""Whole processes: how long they take, and how much memory they and their children hold.

What a command costs is seen from outside, as its user sees it. A process that is measured
does not outlive this one, and of one that fails there is a sentence to tell.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import IO, Self

import psutil

from gradparity.parity_tests.benchmarks.series import Series
from gradparity.reference.data.cleanup import at_end

GIB = 2**30
OFTEN = 0.05  # seconds between two looks at the memory
SHARE = 20  # and at least so many times what a look takes: it slows what is looked at
KINDS = ("pss", "uss", "rss")  # of memory, the best that a system tells of comes first
TRACEBACK = "Traceback (most recent call last)"
PATIENCE = 5.0  # seconds in which a process that is asked to end may tidy up
DISAGREES = "it ended with status 1: something disagrees"  # after all has been done


class ProcessFailed(ChildProcessError):
    """A process did not end as it should have: its name, how it ended, and why."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended: in seconds and bytes, `peak` only if it was asked for."""

    seconds: float
    status: int
    output: str
    peak: int | None = None


@dataclass
class Measured:
    """What was measured, by name and dtype; and by name or part, why anything was not."""

    series: dict[tuple[str, str | None], Series] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, more: Series) -> None:
        """Values, behind those of the same name and dtype that are there."""
        key = more.name, more.dtype
        before = self.series[key].values if key in self.series else ()
        self.series[key] = replace(more, values=(*before, *more.values))

    def take(self, name: str, work: Callable[[], Iterable[Series]]) -> None:
        """Add what it returns; or note why it failed, and not try again."""
        if name not in self.missing:
            try:
                for each in work():
                    self.add(each)
            except ProcessFailed as error:
                self.missing[name] = str(error)


class PeakMemory:
    """The most memory, in bytes, that a process and all below it have held at once, as long
    as the block lasts.

    Pages that several share count once (PSS) where the system tells, as Linux does; else
    only what is a process's own counts. What lives shorter than the time between two looks
    can be missed.
    """

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._ended = Event()
        self._looker = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._looker.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._looker.join()

    def _look(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            started = time.perf_counter()
            with suppress(psutil.NoSuchProcess):
                below = self._process.children(recursive=True)
                self.bytes = max(self.bytes, sum(map(held, [self._process, *below])))
            pause = max(OFTEN, SHARE * (time.perf_counter() - started))


def held(process: psutil.Process) -> int:
    """The bytes of memory that are a process's; 0 of one that has just ended."""
    with suppress(psutil.NoSuchProcess):
        try:
            memory = process.memory_full_info()
        except psutil.AccessDenied:  # some systems keep the rest to themselves
            memory = process.memory_info()
        return next(getattr(memory, k) for k in KINDS if hasattr(memory, k))
    return 0


def run(
    name: str,
    arguments: Sequence[str],
    *,
    statuses: Sequence[int] = (0,),
    memory: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run Python with these arguments, from start to end.

    Args:
        name: what a sentence about it calls it.
        statuses: with which it may end.
        memory: whether its peak is wanted as well.
        environment: instead of this process's own.

    Raises ProcessFailed, with one sentence, if it ends otherwise.
    """
    # Files and not pipes: whom it leaves behind could keep a pipe open.
    with TemporaryFile() as output, TemporaryFile() as errors:
        started = time.perf_counter()
        # What lies in the working folder is not to be imported in place of ours.
        process = subprocess.Popen(
            [sys.executable, "-P", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=environment,
        )
        with at_end(partial(end, psutil.Process(process.pid))):
            peak = PeakMemory(process.pid) if memory else None
            with peak or nullcontext():
                status = process.wait()
                seconds = time.perf_counter() - started
        said = text(errors).strip()
        # Python's own status after an exception is 1, which commands use otherwise.
        if status not in statuses or (status and TRACEBACK in said):
            why = [": " + line for line in said.splitlines()[-1:]]
            raise ProcessFailed("".join([name, " ", how(status), *why]))
        return Ended(seconds, status, text(output), peak.bytes if peak else None)


def end(process: psutil.Process) -> None:
    """End a process and all below it, if it still runs: first with a chance to tidy up."""
    with suppress(psutil.NoSuchProcess):
        below = process.children(recursive=True)
        process.terminate()
        psutil.wait_procs([process], PATIENCE)
        for each in (process, *below):
            with suppress(psutil.NoSuchProcess):
                each.kill()


def text(file: IO[bytes]) -> str:
    """All that was written to it."""
    file.seek(0)
    return file.read().decode(errors="replace")


def how(status: int) -> str:
    """The predicate of a sentence about a process that ended with this status."""
    if status >= 0:
        return f"ended with status {status}"
    with suppress(ValueError):  # a signal that has no name
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"


def environment_without(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, but for settings that it made for itself."""
    return {k: v for k, v in os.environ.items() if settings.get(k) != v}
