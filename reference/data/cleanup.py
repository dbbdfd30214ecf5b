"""What must be put in order when a program ends, however it ends.

Python turns Ctrl-C into an exception wherever the program happens to be, and there it
can be lost: in a callback it is dropped, in a class that is being defined it becomes
another error, and libraries catch it. A program that calls `obey_signals` ends from
within the signal's handler instead, once everything that waits in `at_end` is done.
"""

import errno
import os
import re
import secrets
import signal
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

from gradparity.reference.data import guard
from gradparity.reference.data.guard import noted

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

UNFINISHED = ".unfinished"  # how the name of a file ends that is being written
PASSING = "gradparity-passing-"  # how the names of temporary folders begin
PATIENCE = 5.0  # seconds for which a lock of somebody else's is waited for
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
def passing_folder(
    parent: Path, prefix: str = PASSING, suffix: str = ""
) -> Iterator[Path]:
    """A new, empty folder in `parent`, of this user alone, that is gone when the block is
    left, whatever is in it then.

    As long as the process lives, it holds a lock on the folder itself. If it dies in the
    block (SIGKILL, a power failure), `remove_abandoned` removes the folder.
    """
    folder = parent / f"{prefix}{secrets.token_hex(4)}{suffix}"
    with (
        noted(guard.PATH, os.path.abspath(folder)),
        at_end(partial(remove, folder)),
        ExitStack() as locks,
    ):
        _claim(folder, partial(folder.mkdir, mode=0o700), locks)
        yield folder


@contextmanager
def passing_file() -> Iterator[str]:
    """The path at which other processes, too, find a new file for what may be large, as
    long as this process is in the block.

    On Linux the file has no name in any folder: the system frees it as soon as no process
    uses it, however they ended. Elsewhere it lies in a passing folder.
    """
    with ExitStack() as stack:
        file = stack.enter_context(TemporaryFile())
        path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
        if not path.exists():
            path = stack.enter_context(passing_folder(Path(gettempdir()))) / "shared"
            path.touch()
        yield str(path)


def remove_abandoned(parent: Path, prefix: str = PASSING, suffix: str = "") -> None:
    """Remove what processes that have died left in `parent`: passing folders and files that
    were being written, by how their names begin and end.

    What belongs to other users stays. Where nothing can be locked (Windows), nothing is
    removed.
    """
    ours = re.compile(f"{re.escape(prefix)}.*[0-9a-f]{{8}}{re.escape(suffix)}", re.S)
    with suppress(OSError):
        for name in filter(ours.fullmatch, os.listdir(parent)):
            path = parent / name
            with suppress(OSError), _locked(path) as is_locked:
                if is_locked and path.lstat().st_uid == os.getuid():
                    remove(path)


def _claim(path: Path, make: Callable[[], object], locks: ExitStack) -> None:
    """Make it and lock it; once more if another process has removed it in between, as
    something that was left behind.
    """
    while not os.path.lexists(path):
        make()
        with suppress(FileNotFoundError):
            locks.enter_context(_locked(path, PATIENCE))


@contextmanager
def _locked(path: Path, patience: float = 0) -> Iterator[bool]:
    """Whether it could be locked within so many seconds, until the end of the block or of
    the process.
    """
    if fcntl is None:
        yield False
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except PermissionError:
        yield False
        return
    try:
        yield _lock(descriptor, time.monotonic() + patience)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process has
            if time.monotonic() >= until:
                return False
            time.sleep(0.01)
        except OSError:  # the file system has no locks
            return False
        else:
            return True


def remove(path: Path) -> None:
    """Remove a file, or a folder and all in it, however deep, and whoever may read it. What
    cannot be removed stays, and so does what a link points to.

    What lies deep is moved to the top first: a path has a greatest length, and calls of
    functions have a greatest depth.
    """
    with suppress(OSError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
    while path.is_dir() and _emptied(path, path):
        pass


def _emptied(top: Path, folder: Path) -> bool:
    """Remove what is in a folder, and it itself if it is not the top, to which the folders
    in it are moved; was there anything to do, and did it go well?
    """
    done = False
    with suppress(OSError):
        os.chmod(folder, 0o700)
        for entry in [*os.scandir(folder)]:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry)
                done = True
            elif folder == top:
                done |= _emptied(top, Path(entry))
            else:
                os.chmod(entry, 0o700)
                os.rename(entry, top / secrets.token_hex(8))
        os.rmdir(folder)
        done = True
    return done


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is all there or not at all, as `write_together` does several."""
    write_together({path: content})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files, each of which is all there or not at all, whatever happens meanwhile;
    and all of them or none, if one cannot be written.

    They are written beside, under names that end in `UNFINISHED`, and moved into place
    when all are on the disk. Only what cannot be caught, SIGKILL or a power failure,
    leaves something under such a name, until that file is written again. An earlier file
    is replaced; a link stays, and what it points to is replaced. Of two processes that
    write the same files of a folder, one comes after the other.

    Raises OSError if one cannot be written, or if there is something in its place that is
    no regular file.
    """
    with ExitStack() as stack:
        moves = {}
        for path, content in files.items():
            path = Path(os.path.realpath(path))
            if os.path.lexists(path) and not stat.S_ISREG(path.stat().st_mode):
                raise OSError(errno.EEXIST, "there is no regular file there", str(path))
            start = f".{path.name}-"
            remove_abandoned(path.parent, start, UNFINISHED)
            beside = path.with_name(f"{start}{secrets.token_hex(4)}{UNFINISHED}")
            stack.enter_context(noted(guard.PATH, os.path.abspath(beside)))
            stack.enter_context(at_end(partial(beside.unlink, missing_ok=True)))
            _claim(beside, beside.touch, stack)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            moves[beside] = path
        folders = {path.parent for path in moves.values()} if len(moves) > 1 else ()
        for folder in sorted(folders):
            stack.enter_context(_locked(folder, PATIENCE))
        for beside, path in moves.items():
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
