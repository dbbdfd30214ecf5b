"""The process that a submission runs in, and its guard.

The process that is launched forks before it imports anything of size. What it was becomes
the guard, which waits and passes on how the other one ended: whoever kills its parent
kills the guard. The other confines itself, loads the submission, asks it what is to be
asked and sends the answers. Both end when the grader does. Where there is no fork
(Windows) there is no guard.
"""

import ctypes.util
import errno
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from gradparity.parity_tests.grading.confinement import (
    OPEN_FILES,
    Limits,
    confine,
    end_with_parent,
)
from gradparity.parity_tests.grading.seccomp import answer_threads

# How it ends if answers cannot be sent: on POSIX by the signal of those who write where
# nobody reads, and elsewhere with a status that no program has by chance.
DISTURBED = -signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 0x65706970
RESERVE = 16 << 20  # bytes, so that it can be told that there are no more
# How it is run: the path to all that it imports is that of the grader.
START = (
    "import json, sys; sys.path[:] = json.load(open(sys.argv[1], 'rb'))['path']; "
    "from gradparity.parity_tests.grading.child import main; main()"
)


def main() -> NoReturn:
    """Run a submission; the first argument is a file with the settings, which may be
    longer than an argument.

    Standard input is the grader's life: at its end, the grader is no more. Standard
    output is where answers go, and standard error where the submission prints.
    """
    settings = json.loads(Path(sys.argv[1]).read_bytes())
    life, channel = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    if hasattr(os, "fork"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, nobody is waited for
        launched = os.getpid()
        to_guard, from_other = socket.socketpair()
        if other := os.fork():
            os.close(channel)
            os.dup2(2, 1)
            to_guard.close()
            _guard(life, other, from_other, Limits(**settings["limits"]).threads)
        os.close(life)
        from_other.close()
        end_with_parent(launched)
    else:
        to_guard = None
        _when_left_alone(life, lambda: os._exit(1))
    _work(settings, channel, to_guard)


def _guard(life: int, other: int, told: socket.socket, threads: int) -> NoReturn:
    def count_threads() -> None:
        _, listeners, _, _ = socket.recv_fds(told, 1, 1)
        for listener in listeners:
            answer_threads(listener, other, threads)

    _when_left_alone(life, lambda: os.kill(other, signal.SIGKILL))
    threading.Thread(target=count_threads, daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
    if status < 0:
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _when_left_alone(life: int, act: Callable[[], object]) -> None:
    def wait() -> None:
        os.read(life, 1)
        act()

    threading.Thread(target=wait, daemon=True).start()


def _work(
    settings: dict[str, Any], channel: int, to_guard: socket.socket | None
) -> NoReturn:
    limits, end, kill = Limits(**settings["limits"]), os._exit, signal.raise_signal
    try:
        answer = _prepared(settings, channel, to_guard, limits)
    except BaseException as error:
        os.write(1, f"{type(error).__name__}: {error}".encode())
        end(1)
    # The process is the submission's, and anything is possible.
    with suppress(BaseException):
        answer()
    with suppress(BaseException):
        if DISTURBED < 0:
            signal.signal(-DISTURBED, signal.SIG_DFL)
            kill(-DISTURBED)
    end(abs(DISTURBED))


def _prepared(
    settings: dict[str, Any],
    channel: int,
    to_guard: socket.socket | None,
    limits: Limits,
) -> Callable[[], NoReturn]:
    """All that is needed is taken hold of now: later it may be something else's name, or
    cannot be read any more.
    """
    root, working = Path(settings["root"]), Path(settings["working"])
    os.chdir(working)
    tempfile.tempdir = str(working)  # to look for one, it would have to remove a file
    # Some libraries ask for others by name, for which this would start a compiler, with
    # a file that it would have to remove.
    ctypes.util._findLib_gcc = lambda name: None  # type: ignore[attr-defined]
    from gradparity.parity_tests.grading.exercise import exercise
    from gradparity.parity_tests.grading.libraries import import_path, readable
    from gradparity.parity_tests.grading.loading import Submission
    from gradparity.parity_tests.grading.messages import (
        NoNumbers,
        Reader,
        of_note,
        of_outcome,
        of_raised,
        packed,
        short,
        to_task,
    )
    from gradparity.parity_tests.grading.outcomes import Outcome, Raised
    from gradparity.parity_tests.grading.reading import Reading

    content = Path(settings["tasks"]).read_bytes()
    tasks = [to_task(message) for message in Reader(len(content)).feed(content)]
    files, wanted = settings["files"], settings["wanted"]
    submission = Submission(
        root,
        settings["cells"],
        [Path(each) for each in settings["lent"]],
        start=Path(settings["start"]),
        alone=settings["alone"],
        told=lambda error: broken(error, limits),
    )
    sys.argv[:] = [str(root / settings["script"])]
    sys.path[:] = import_path()
    own = [*readable(), root.parent]  # by whose listing a package is found
    _, listener = confine(limits, own, working, settings["without"])
    if to_guard:
        if listener is not None:
            socket.send_fds(to_guard, [b" "], [listener])
            os.close(listener)
        to_guard.close()
    reading = Reading(own)
    answered, reserve = 0, [bytes(RESERVE)]
    write, end, printed = os.write, os._exit, sys.stdout
    for name in [name for name in sys.modules if name.startswith("gradparity")]:
        del sys.modules[name]

    def send(message: bytes) -> None:
        left = memoryview(message)
        while left:
            left = left[write(channel, left) :]

    def finish(kind: str, **more: Any) -> NoReturn:
        flush(printed)
        send(packed({"kind": kind, "reached_for": reading.elsewhere, **more}))
        end(0)

    def break_off(error: BaseException, sentence: str) -> NoReturn:
        file, line, source, cell = submission.place(error)
        where = "" if line is None else f"line {line}: {source}"
        if where and cell is not None:
            where = f"cell {cell}, {where}"
        if where and len(submission.files) > 1:
            where = f"{file}, {where}"
        finish("broke", sentence=sentence, where=short(where))

    def message(outcome: Outcome) -> bytes:
        nonlocal answered
        answered += sum(result.nbytes for result in outcome.results.values())
        if answered > limits.answer_size:
            excess = f"answered with more than {amount(limits.answer_size)}"
            finish("broke", sentence=excess, where="")
        if outcome.raised:
            raised = outcome.raised
            if inside := submission.file(raised.file):
                place = submission.shown(inside, raised.line, raised.source)
                raised = Raised(raised.kind, raised.message, *place)
            else:
                raised = replace(raised, file=None)
            outcome = replace(outcome, raised=raised)
        try:
            return of_outcome(outcome)
        except NoNumbers as error:
            raised = Raised("TypeError", str(error))
            return of_outcome(replace(outcome, results={}, raised=raised))

    send(packed({"kind": "ready"}))

    def is_own(file: str) -> bool:
        return submission.file(file) is not None

    def answer() -> NoReturn:
        reading.begin()
        try:
            names = submission.load(files, wanted)
        except BaseException as error:
            reserve.clear()
            if sentence := broken(error, limits):
                break_off(error, sentence)
            finish("unloadable", raised=of_raised(submission.raised(error)))
        notes = [of_note(note) for note in submission.notes]
        send(packed({"kind": "offered", "names": [*names], "notes": notes}))
        try:
            for outcome in exercise(names, tasks, is_own):
                send(message(outcome))
        except BaseException as error:
            reserve.clear()
            break_off(
                error, broken(error, limits) or f"raised {type(error).__name__[:40]}"
            )
        finish("end")

    return answer


def flush(printed: Any) -> None:
    """What a submission printed, if it can still be written."""
    with suppress(BaseException):
        printed.flush()


def broken(error: BaseException, limits: Limits) -> str | None:
    """Which rule it was that led to this exception, if it was one."""
    for each in _chain(error):
        if isinstance(each, SystemExit):
            return f"called sys.exit({str(each.code)[:40] if each.args else ''})"
        if isinstance(each, MemoryError):
            return f"needed more than {amount(limits.memory)} of memory"
        if type(each).__name__ == "gaierror":
            return _RULES[errno.EPERM]
        if isinstance(each, RuntimeError) and "start new thread" in str(each):
            return "started more threads than it may"
        if isinstance(each, OSError) and each.errno in _RULES:
            return _RULES[each.errno].format(size=amount(limits.file_size))
    return None


_RULES = {
    errno.EPERM: "tried to start a process, to reach the network, to signal another "
    "process or to change what is not its own",
    errno.EACCES: "tried to reach a file that it may not",
    errno.EROFS: "tried to reach a file that it may not",
    errno.EFBIG: "wrote more than {size} to a file",
    errno.EMFILE: f"opened more than {OPEN_FILES} files at once",
}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it came of; there may be a circle."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def amount(size: int) -> str:
    """Bytes, to read.

    >>> amount(2 << 30), amount(16 << 20)
    ('2 GiB', '16 MiB')
    """
    unit, name = (1 << 30, "GiB") if size >= 1 << 30 else (1 << 20, "MiB")
    return f"{size / unit:g} {name}"
