"""A light process that waits for the one that does the work, and says how it ended.

Python obeys signals between two of its instructions: not while C code runs, as in
`9**9**9`. And a process that C code has ended, or `os._exit(0)`, says nothing any more.
So a program that calls `apart` is two processes. The guard is the one that the shell
knows; it is forked off before anything of size is imported, hands signals on, and ends
as the other one has ended. What it should know of that one, it reads in memory that both
share: whose code runs there, and what is to be removed.
"""

import mmap
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
OFTEN = 0.5  # seconds between two looks
SOON = (
    3.0  # seconds in which a signal must be obeyed, and orphans may end by themselves
)
PATIENCE = 15.0  # seconds in which what has begun to end must have ended
LONG = 10.0  # seconds after which it is said what is being waited for

STAGE, STATUS, FORKED = range(3)  # bytes at the beginning of the memory
WORKING, ENDING, ENDED = range(3)  # stages
NOTE = struct.Struct("=Bd4080s")  # its kind, since when, and a text
CODE, PATH = 1, 2  # kinds: code of somebody's own that runs; what is to be removed
HEAD = 16
SIZE = HEAD + 64 * NOTE.size


class Notes:
    """What a process lets another one know, in memory that they share."""

    def __init__(self, memory: Any) -> None:
        self.memory = memory
        self._free = [*range(HEAD, len(memory) - NOTE.size + 1, NOTE.size)]
        self._told: set[tuple[float, str]] = set()

    @contextmanager
    def noted(self, kind: int, text: str) -> Iterator[None]:
        """It is so, as long as the block lasts."""
        encoded = os.fsencode(text)
        if not self._free or len(encoded) > NOTE.size - 9:
            yield  # it is for messages, and for what SIGKILL leaves
            return
        place = self._free.pop()
        NOTE.pack_into(self.memory, place, kind, time.monotonic(), encoded)
        try:
            yield
        finally:
            self.memory[place] = 0
            self._free.append(place)

    def read(self, kind: int) -> dict[tuple[float, str], None]:
        """What is so now, and since when; what was so first comes first."""
        places = range(HEAD, len(self.memory) - NOTE.size + 1, NOTE.size)
        kinds = [place for place in places if self.memory[place] == kind]
        found = [NOTE.unpack_from(self.memory, place)[1:] for place in kinds]
        texts = sorted((since, os.fsdecode(t.rstrip(b"\0"))) for since, t in found)
        return dict.fromkeys(texts)

    def tell_what_takes_long(self) -> None:
        """Say once, on standard error, which code has been running for LONG."""
        for note in self.read(CODE):
            if time.monotonic() - note[0] > LONG and note not in self._told:
                self._told.add(note)
                say(f"waiting for {note[1]}, for {LONG:g} s so far")


def where(*told: Notes) -> str:
    """` in Relu of mine.py`: the code of somebody's own that runs; "" if none does."""
    texts = dict.fromkeys(text for each in told for _, text in each.read(CODE))
    return f" in {' or '.join(texts)}" if texts else ""


notes = Notes(bytearray(SIZE))
_guard = 0  # the guard's process, if there is one


def use(memory: Any) -> None:
    """From now on, what this process has to note is noted there."""
    global notes
    notes = Notes(memory)


def noted(kind: int, text: str) -> Any:
    """A block in which this is so, for whoever shares this process's memory to know."""
    return notes.noted(kind, text)


def say(sentence: str) -> None:
    """Print it on standard error, wherever the program is."""
    with suppress(OSError):
        os.write(2, f"gradparity: {sentence}\n".encode(errors="backslashreplace"))


def child_came_back(what: str) -> NoReturn:
    """End this process, which somebody's code has forked off and sent back into ours."""
    if not notes.memory[FORKED]:
        notes.memory[FORKED] = 1
        say(f"{what} forked, and the child came back from it: the child was ended")
    os._exit(1)


def obeyed() -> list[signal.Signals]:
    """The signals that ask a program to end, but for those that it was started to ignore
    (nohup).
    """
    known = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    return [each for each in known if signal.getsignal(each) != signal.SIG_IGN]


def die_of(number: int) -> NoReturn:
    """End as a program does that this signal has ended."""
    with suppress(OSError):  # SIGKILL
        signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container survives its signals


@contextmanager
def apart() -> Iterator[None]:
    """The block, and what comes after it, in a process of its own, with a guard.

    Where a process cannot be forked, as on Windows, there is no guard.
    """
    global _guard
    if hasattr(os, "fork"):
        use(mmap.mmap(-1, SIZE))
        _guard = os.getpid()
        # Who is asked to end before both are ready, is asked when they are.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, obeyed())
        try:
            if worker := os.fork():
                _wait_for(worker, mask)
        except BlockingIOError:  # there are too few processes for a guard
            _guard = 0
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    status = 1
    try:
        yield
        status = 0
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
        status = code & 0xFF if isinstance(code, int) else 1
        raise
    finally:
        notes.memory[STATUS] = status or notes.memory[STATUS]
        notes.memory[STAGE] = ENDED


def ends_with(status: int) -> None:
    """What the command has come to, should the code that it runs keep it from ending so."""
    notes.memory[STATUS] = status & 0xFF


def child_came_back_in(other: Notes) -> None:
    """Note here what has been noted in another process's memory."""
    notes.memory[FORKED] |= other.memory[FORKED]


def end_with_guard() -> None:
    """From now on, SIGKILL to the guard ends this process as well, where it can."""
    if _guard:
        _ask_linux(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != _guard:
            os._exit(1)


def _ask_linux(option: int, value: int) -> None:
    """prctl(option, value), where there is one."""
    if sys.platform == "linux":
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _wait_for(worker: int, mask: set[Any]) -> NoReturn:
    """Hand on what signals come, until the other process has ended; and end like it.
    `mask` are those that are blocked.
    """
    asked: list[int] = []
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    for each in obeyed():
        signal.signal(each, lambda number, _: asked.append(number))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _ask_linux(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans become children of the guard
    handed_on, late = 0, False
    last = float("inf")
    while (status := _reaped(worker)) is None:
        stage = notes.memory[STAGE]
        for number in asked[handed_on:]:
            os.kill(worker, number)
            handed_on += 1
            last = min(last, time.monotonic() + SOON)
        if stage == ENDED and last == float("inf"):
            last = time.monotonic() + PATIENCE
        grace = PATIENCE if stage == ENDING else 0.0
        if time.monotonic() > last + grace:
            late = True
            os.kill(worker, signal.SIGKILL)
        notes.tell_what_takes_long()
        if select.select([woken], [], [], OFTEN)[0]:
            os.read(woken, 4096)
    _end_orphans()
    _remove_what_is_left()
    _end_like(os.waitstatus_to_exitcode(status), asked, late)


def _reaped(worker: int) -> int | None:
    """How it has ended; None as long as it has not. Orphans that have ended are waited
    for, too.
    """
    while True:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child in (0, worker):
            return status if child else None


def _end_orphans() -> None:
    """End what the other process has left, once it had time to end by itself."""
    until = time.monotonic() + SOON
    with suppress(ChildProcessError):  # until there are none
        while True:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                if time.monotonic() > until:
                    for child in _children():
                        os.kill(child, signal.SIGKILL)
                time.sleep(0.01)


def _children() -> Iterator[int]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            parent = status.read_bytes().rpartition(b")")[2].split()[1]
            if int(parent) == os.getpid():
                yield int(status.parent.name)


def _remove_what_is_left() -> None:
    """What the other process would have removed at its end, had it come to it."""
    import shutil

    for _, path in notes.read(PATH):
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            os.unlink(path)


def _end_like(code: int, asked: list[int], late: bool) -> NoReturn:
    """End with the status of the other process; say how it ended if it did not say so."""
    if notes.memory[STAGE] == ENDED:
        if late:
            say("what had been started did not end by itself, and was ended")
        elif code < 0:
            die_of(-code)
        os._exit(notes.memory[STATUS] or max(code, 0) or notes.memory[FORKED])
    place = where(notes)
    if asked and code == 128 + asked[0]:  # the signal was blocked
        die_of(asked[0])
    if code < 0 and (asked or not place):
        if late and os.isatty(2):
            os.write(2, b"\x1b[?25h")  # a progress bar hides the cursor
        die_of(asked[0] if late else -code)
    how = f"ended itself with status {code}"
    if code < 0:
        how = f"was ended by {name_of(-code)}"
    say(f"the process {how}{place}")
    os._exit(2)


def name_of(number: int) -> str:
    """A signal's name; or its number, if it has none."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
