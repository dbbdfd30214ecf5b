"""What must be put in order when a program ends, however it ends.

Python turns Ctrl-C into an exception wherever the program happens to be, and there it
can be lost: in a callback it is dropped, in a class that is being defined it becomes
another error, and libraries catch it. A program that calls `obey_signals` ends from
within the signal's handler instead, once everything that waits in `at_end` is done.
"""

import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from gradparity.reference.data import guard
from gradparity.reference.data.guard import noted

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

UNFINISHED = ".unfinished"  # how the name of a file ends that is being written
ABANDONABLE = "gradparity-shared-"  # how the names of temporary folders begin
_waiting: list[Callable[[], object]] = []


@contextmanager
def at_end(act: Callable[[], object]) -> Iterator[None]:
    """Do it when the block is left: at its end, by an exception, or by a signal.

    A signal may come at any point of the block, even when the act has been done: it
    must be one that can be done twice.
    """
    _waiting.append(act)
    try:
        yield
    finally:
        act()
        _waiting.remove(act)


@contextmanager
def passing_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new, empty folder in `parent` that is gone when the block is left."""
    folder = parent / f"{prefix}{secrets.token_hex(4)}"
    with (
        noted(guard.PATH, os.path.abspath(folder)),
        at_end(partial(shutil.rmtree, folder, ignore_errors=True)),
    ):
        folder.mkdir()
        yield folder


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A passing folder for what may be large. `remove_abandoned` removes it, if the process
    dies in the block (SIGKILL, a power failure).

    As long as the process lives, it holds a lock on the folder itself.
    """
    with passing_folder(parent, ABANDONABLE) as folder, _locked(folder):
        yield folder


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders in `parent` whose processes have died.

    Folders of other users stay, and so do empty ones: their processes may be about to
    lock them. Where folders cannot be locked (Windows), nothing is removed.
    """
    for folder in parent.glob(f"{ABANDONABLE}*"):
        with suppress(OSError), _locked(folder) as is_locked:
            if is_locked and folder.stat().st_uid == os.getuid() and os.listdir(folder):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether it could be locked, until the end of the block or of the process."""
    if fcntl is None:
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_locked = True
        except OSError:  # by another process; or the file system has no locks
            is_locked = False
        yield is_locked
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is all there or not at all, whatever happens meanwhile.

    It is written beside, under a name that ends in `UNFINISHED`, and moved into place
    when it is on the disk. Only what cannot be caught, SIGKILL or a power failure,
    leaves something under that name. An earlier file of that name is replaced.

    Raises OSError if it cannot be written.
    """
    beside = path.with_name(f".{path.name}-{secrets.token_hex(4)}{UNFINISHED}")
    with (
        noted(guard.PATH, os.path.abspath(beside)),
        at_end(partial(beside.unlink, missing_ok=True)),
    ):
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)


def obey_signals() -> None:
    """From now on, end as soon as a signal asks for it, with everything in order.

    To the shell, the program then has died of that signal, as is usual. A signal that
    the program was started to ignore (nohup) still is.
    """

    obeyed = guard.obeyed()

    def end(number: int, frame: object) -> None:
        guard.notes.memory[guard.STAGE] = guard.ENDING
        for each in obeyed:
            signal.signal(each, signal.SIG_IGN)
        while _waiting:
            with suppress(Exception):  # the others are still to be done
                _waiting.pop()()
        guard.die_of(number)

    for each in obeyed:
        signal.signal(each, end)
