"""Limits that a process puts on itself before it runs what somebody else has written.

What a process gives up in this way nothing gives back to it: no privilege is needed to
confine oneself, and none helps out of it. Every system offers something else; `confine`
takes what there is and says what is lacking. Linux offers most: a filter of system calls
takes away new processes, the network and all that reaches other processes (`seccomp`),
and Landlock takes away other files.
"""

import errno
import math
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from gradparity.parity_tests.grading.landlock import reach_only
from gradparity.parity_tests.grading.linux import give_up_privileges, prctl
from gradparity.parity_tests.grading.seccomp import filter_calls, threads_of

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Of one submission: seconds by the clock, bytes of address space, of any one file,
    of all that it leaves in its working folder, and of all results; processes, of which
    it is the first; and threads. Of these, libraries make some for each processor.
    """

    seconds: float = 30.0
    memory: int = 2048 * MIB
    file_size: int = 16 * MIB
    folder_size: int = 64 * MIB
    answer_size: int = 64 * MIB
    processes: int = 1
    threads: int = 32 + 4 * (os.cpu_count() or 1)


# What can be lacking, and what that means to whoever grades.
LACKING = {
    "memory": "the memory of a submission is not limited",
    "sizes": "the size of a file that a submission writes is not limited",
    "files": "a submission can read and write whatever the user can, other submissions "
    "included, and see the environment of other processes",
    "calls": "a submission can reach the network and other processes",
    "processes": "a submission can start processes",
    "threads": "the threads of a submission are not limited",
}
OPEN_FILES = 64


def confine(
    limits: Limits,
    readable: Collection[Path],
    writable: Path,
    without: Collection[str] = (),
) -> tuple[list[str], int | None]:
    """Confine this process, for good.

    Args:
        readable: the folders and files that may be read from now on.
        writable: the one folder in which files may be read and written.
        without: keys of `LACKING` that are to be lacking here as on another system.

    Returns:
        The keys of `LACKING` that this system does not offer; and the descriptor for
        `seccomp.answer_threads`, which another process is to be given, if there is one.

    Raises:
        RuntimeError: the process has another thread, which would stay as it is.
    """
    if threads_of(os.getpid()) > 1:
        raise RuntimeError("a process with several threads cannot be confined")
    _done(give_up_privileges)
    steps: dict[str, Callable[[], None]] = {
        "memory": lambda: _limit_memory(limits),
        "sizes": lambda: _limit_sizes(limits),
        "files": lambda: reach_only(readable, [writable]),
        "calls": lambda: listening.append(filter_calls()),
    }
    listening: list[int | None] = []
    lacking = [key for key in steps if key in without or not _done(steps[key])]
    if "calls" in lacking and (
        "processes" in without or not _done(lambda: _limit_processes(limits))
    ):
        lacking.append("processes")
    listener = listening[0] if listening else None
    if listener is None or "threads" in without:
        lacking.append("threads")
    return lacking, listener


def _done(step: Callable[[], None]) -> bool:
    try:
        step()
    except (ImportError, OSError, ValueError):
        return False
    return True


def _limit_memory(limits: Limits) -> None:
    if sys.platform == "darwin":
        raise OSError(errno.ENOSYS, "macOS does not keep to RLIMIT_AS")
    _limit("AS", limits.memory)


def _limit_sizes(limits: Limits) -> None:
    """And the processor's time, should nobody look at the clock."""
    seconds = math.ceil(limits.seconds) + 1
    for name, value in (
        ("FSIZE", limits.file_size),
        ("CORE", 0),
        ("NOFILE", OPEN_FILES),
        ("CPU", seconds),
    ):
        _limit(name, value)


def _limit_processes(limits: Limits) -> None:
    """All processes of the user count, so that there can be none beside."""
    if os.name == "nt" or os.getuid() == 0:
        raise OSError(errno.EPERM, "there is no limit of processes that would bind")
    _limit("NPROC", limits.processes)


def _limit(name: str, value: int) -> None:
    import resource  # Windows has none

    kind = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(kind)[1]
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (most, most))


def end_with_parent(parent: int) -> None:
    """Have this process killed when the thread that started it is no more (Linux)."""
    if sys.platform == "linux":
        prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
        if os.getppid() != parent:  # which is no more already
            os._exit(1)
