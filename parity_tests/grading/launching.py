"""Launches the process of a submission, looks after it, and hears what it answers.

What comes from there is doubted: of what was asked, each answer may come once, in the
form in which it was asked for, and anything else is a disturbance. Whatever happens, in
the end there is no process and no folder of it left.
"""

import errno
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from secrets import token_hex
from tempfile import gettempdir
from typing import Any

from gradparity.parity_tests.grading import messages
from gradparity.parity_tests.grading.child import DISTURBED, START, amount
from gradparity.parity_tests.grading.confinement import LACKING, Limits
from gradparity.parity_tests.grading.libraries import search_path
from gradparity.parity_tests.grading.messages import Malformed, Message, Reader
from gradparity.parity_tests.grading.outcomes import (
    GRADED,
    Note,
    Outcome,
    Raised,
    Ran,
    Task,
)
from gradparity.parity_tests.grading.submission_files import (
    Found,
    Part,
    as_module,
    lend,
)
from gradparity.reference.data.cleanup import at_end, passing_folder

__all__ = ["Limits", "Stopped", "lacking_here", "run"]

PRINTED = "printed more than"
INTERFERED = "disturbed the channel that results go through"
OFTEN = 0.05  # seconds between two looks
SOON = 2.0  # seconds that an end may take
BLOCK = 4096  # bytes that a file takes at least
MOST_PRINTED = 64 << 20  # bytes
CONTINUED = bytes(range(0x80, 0xC0))  # in UTF-8, all others begin a character
MOST_REMARKS = 100
OTHER_QUANTITIES = frozenset(
    {"out", "gradient", "predict", "loss", "accuracy", "numerical_gradient"}
)
# Of the environment, nothing is handed on but what Python and NumPy may need to start.
HANDED_ON = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# How many threads the arithmetic has, for whichever library does it.
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Stopped(Exception):
    """The grading was stopped from outside."""


def run(
    found: Found,
    part: Part,
    tasks: Sequence[Task],
    limits: Limits | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    without: Collection[str] = (),
    lent: Sequence[Path] = (),
    loading: float = math.inf,
    alone: bool = False,
) -> Ran:
    """Run a part of a submission in a process of its own, and ask it the tasks.

    May be called from several threads at once.

    Args:
        found: the submission.
        part: what of it is run.
        tasks: what it is asked.
        limits: what it may use.
        stopped: is asked often whether to give up.
        without: keys of `LACKING` that are to be lacking as on another system.
        lent: folders that it may import from what it did not bring.
        loading: seconds that it may take until all is defined.
        alone: whether its files are loaded without what they do at their top level.

    Raises:
        Unusable: a file cannot be read, or is too large.
        Stopped: it was stopped.
    """
    limits = limits or Limits()
    with _folder() as folder:
        name = found.folder.resolve().name if found.is_folder else ""
        root = folder / "copy" / (name or "submission")  # it may import itself by name
        sources = found.copy(part, root)
        working = root / part.root / f"working-{token_hex(4)}"
        working.mkdir()
        inside = {file: as_module(file).as_posix() for file in part.files}
        (folder / "tasks").write_bytes(_content(tuple(tasks)))
        settings = {
            "path": search_path(),
            "root": str(root),
            "start": str(root / part.root),
            "working": str(working),
            "tasks": str(folder / "tasks"),
            "script": inside[part.files[0]],
            "files": [inside[file] for file in part.first],
            "wanted": [(d.subject.name, d.called, inside[d.file]) for d in part.chosen],
            "cells": {
                file: (source.file.as_posix(), source.notebook.cells)
                for file, source in sources.items()
                if source.notebook
            },
            "lent": _copied(lent, root.parent),
            "alone": alone,
            "limits": asdict(limits),
            "without": [*without],
        }
        file = _file(folder / "settings", settings)
        launched = _Launched(
            file, working, tasks, limits, min(loading, limits.seconds), stopped
        )
        return without_paths(launched.run(), folder)


def without_paths(ran: Ran, folder: Path) -> Ran:
    """The same, in which nothing tells where the submission was run."""
    at = re.compile(re.escape(str(folder)) + r"(/copy(/(lent-\d+|[^/]*))?/?)?")

    def plain(text: str) -> str:
        return at.sub("", text)

    def raised(of: Raised | None) -> Raised | None:
        return of and replace(of, message=plain(of.message))

    return replace(
        ran,
        outcomes=tuple(replace(o, raised=raised(o.raised)) for o in ran.outcomes),
        unloadable=raised(ran.unloadable),
        broke=ran.broke and plain(ran.broke),
        first_printed=plain(ran.first_printed),
        notes=tuple(replace(note, raised=raised(note.raised)) for note in ran.notes),
    )


def _copied(folders: Sequence[Path], to: Path) -> list[str]:
    """Copies of folders that may be imported from: each in one of its own, beside which is
    what is in it.
    """
    copies = []
    for number, folder in enumerate(folders):
        copy = to / f"lent-{number}"
        lend(folder, copy / folder.resolve().name)
        copies.append(str(copy))
    return copies


@lru_cache(maxsize=1)
def lacking_here() -> list[str]:
    """The sentences of `LACKING` that are true of this system."""
    code = (
        "import json, sys; sys.path[:] = json.load(open(sys.argv[1], 'rb')); "
        "from pathlib import Path; "
        "from gradparity.parity_tests.grading.confinement import Limits, confine; "
        "print(json.dumps(confine(Limits(), [], Path())[0]))"
    )
    with _folder() as folder:
        said = subprocess.run(
            [*_python(code), _file(folder / "path", search_path())],
            env=_environment(folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        ).stdout
    return [LACKING[key] for key in json.loads(said)]


def _file(path: Path, value: Any) -> str:
    """The path, at which the value is written as JSON."""
    path.write_text(json.dumps(value), encoding="ascii")
    return str(path)


def _python(code: str) -> list[str]:
    """This interpreter, which obeys no settings but the environment's."""
    return [sys.executable, "-s", "-P", "-B", "-X", "utf8", "-c", code]


def _environment(home: Path) -> dict[str, str]:
    handed_on = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    if (fonts := _fonts()).is_dir():
        handed_on["MPLCONFIGDIR"] = str(fonts)
    return {
        **handed_on,
        **{name: str(home) for name in ("HOME", "TMPDIR", "TEMP", "TMP")},
        **dict.fromkeys(THREADS, "1"),
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": "0",
    }


def _fonts() -> Path:
    """Where Matplotlib keeps its list of fonts, which takes it long to make anew."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("MPLCONFIGDIR") or Path(caches, "matplotlib"))


@lru_cache(maxsize=8)
def _content(tasks: tuple[Task, ...]) -> bytes:
    """All that is asked, written once for all submissions."""
    return b"".join(map(messages.of_task, tasks))


class _Launched:
    """A process, from its start to its end."""

    def __init__(
        self,
        settings: str,
        working: Path,
        tasks: Sequence[Task],
        limits: Limits,
        loading: float,
        stopped: Callable[[], bool],
    ) -> None:
        self._settings, self._limits, self._stopped = settings, limits, stopped
        self._loading = loading
        self._working = working
        self._answers = _Answers(tasks, limits)
        self._printed = _Printed()

    def run(self) -> Ran:
        if self._stopped():
            raise Stopped
        started = time.monotonic()
        with _process(self._settings, self._working) as process:
            assert process.stdout
            assert process.stderr
            listening = _listen(process.stdout, self._answers.take)
            reading = _listen(process.stderr, self._printed.take)
            broke = self._look_after(process, listening, started)
        for thread in (listening, reading):
            thread.join(SOON)
        answers = self._answers
        if answers.mistake is not None:
            raise answers.mistake
        broke = broke or self._printed.excess
        if broke is None and not answers.ready and not answers.disturbed:
            told = self._printed.first_line or f"status {process.returncode}"
            raise ChildProcessError(f"its process could not be prepared ({told})")
        if broke is None and answers.ended is None:
            broke = answers.disturbed or _how_it_ended(process.returncode, self._limits)
        elif broke is None and answers.disturbed:
            broke = answers.disturbed
        return answers.ran(broke, self._printed, time.monotonic() - started)

    def _look_after(
        self,
        process: subprocess.Popen[bytes],
        listening: threading.Thread,
        started: float,
    ) -> str | None:
        """Wait for the end, which may be of a rule that is broken."""
        limits, left_over = self._limits, 0
        while True:
            listening.join(OFTEN)
            if self._stopped():
                raise Stopped
            if self._answers.ended or self._answers.disturbed:
                return None
            is_loaded = self._answers.offered is not None
            most = limits.seconds if is_loaded else self._loading
            if time.monotonic() - started > most:
                return f"ran longer than {most:.3g} s"
            if excess := self._printed.excess:
                return excess
            if excess := _excess(self._working, limits.folder_size):
                return excess
            # What it sent last may still be on its way when it is gone.
            left_over += process.poll() is not None
            if left_over > SOON / OFTEN or (left_over and not listening.is_alive()):
                return None
            if not listening.is_alive():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(OFTEN)


def _how_it_ended(status: int, limits: Limits) -> str:
    """Of a process that ended without a last word."""
    if status == DISTURBED:
        return f"closed or {INTERFERED}"
    if status >= 0:
        return f"ended its process, with status {status},"
    kind = signal.Signals(-status) if -status in {*signal.Signals} else None
    if kind is not None and kind.name == "SIGXCPU":
        return f"ran longer than {limits.seconds:g} s"
    return f"was killed by signal {kind.name if kind else -status}"


def _listen(pipe: Any, take: Callable[[bytes], bool]) -> threading.Thread:
    """Hand on what comes through a pipe, until its end or until it is not taken; then it
    is closed.
    """

    def read() -> None:
        with pipe:
            while (more := os.read(pipe.fileno(), 1 << 16)) and take(more):
                pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


class _Printed:
    """What a submission writes to standard output."""

    def __init__(self) -> None:
        self.characters, self._bytes, self._first = 0, 0, b""

    def take(self, more: bytes) -> bool:
        if len(self._first) < 4 * messages.LONGEST:
            self._first += more[: 4 * messages.LONGEST]
        self._bytes += len(more)
        self.characters += len(more.translate(None, CONTINUED))
        return self.excess is None

    @property
    def excess(self) -> str | None:
        """The rule that it broke, if it did. What it does when nobody reads on may be
        anything.
        """
        if self._bytes <= MOST_PRINTED:
            return None
        return f"{PRINTED} {amount(MOST_PRINTED)}"

    @property
    def first_line(self) -> str:
        text = self._first.decode("utf-8", "replace").lstrip("\n")
        return messages.short(text.partition("\n")[0])


class _Answers:
    """What a submission says, as far as it was asked."""

    def __init__(self, tasks: Sequence[Task], limits: Limits) -> None:
        self._tasks = tasks
        self._asked = {(task.name, task.case, task.dtype): task for task in tasks}
        self._limits, self._size = limits, 0
        self._reader = Reader(limits.answer_size)
        self.ready = False
        self.offered: tuple[str, ...] | None = None
        self._notes: tuple[Note, ...] = ()
        self._outcomes: dict[tuple[str, str, str, int], Outcome] = {}
        self._unloadable: Raised | None = None
        self.mistake: Exception | None = None  # of ours
        self._broke: tuple[str, str] | None = None
        self._reached_for: tuple[str, ...] = ()
        self.ended: str | None = None
        self.disturbed: str | None = None

    def take(self, more: bytes) -> bool:
        """False if nothing more is taken."""
        self._size += len(more)
        try:
            for message in self._reader.feed(more):
                self._hear(message)
            if self._size > 2 * self._limits.answer_size:
                raise Malformed("too many answers")
        except Exception as error:
            self.disturbed = INTERFERED
            self.mistake = None if isinstance(error, Malformed) else error
            return False
        return True

    def _hear(self, message: Message) -> None:
        header, arrays = message
        kind = header.get("kind")
        hear = {
            "ready": self._hear_ready,
            "offered": self._hear_offered,
            "outcome": self._hear_outcome,
            "unloadable": self._hear_unloadable,
            "broke": self._hear_broke,
            "end": self._hear_end,
        }.get(kind if isinstance(kind, str) else "")
        early = self.ready == (kind == "ready")
        if hear is None or early or self.ended or (arrays and kind != "outcome"):
            raise Malformed("a message out of turn")
        hear(message)
        if kind not in ("ready", "offered", "outcome"):
            self._hear_last(message)
            self.ended = str(kind)

    def _hear_ready(self, message: Message) -> None:
        self.ready = True

    def _hear_offered(self, message: Message) -> None:
        names = message[0].get("names")
        if self.offered is not None or not isinstance(names, list):
            raise Malformed("a message out of turn")
        if not messages.texts(names) or not {*names} <= {*GRADED}:
            raise Malformed("names that were not asked for")
        notes = message[0].get("notes")
        if not isinstance(notes, list) or len(notes) > MOST_REMARKS:
            raise Malformed("notes that are none")
        self.offered = tuple(name for name in GRADED if name in names)
        self._notes = tuple(map(messages.to_note, notes))

    def _hear_outcome(self, message: Message) -> None:
        outcome = messages.to_outcome(message)
        key = outcome.name, outcome.case, outcome.dtype, outcome.call
        task = self._asked.get(key[:3])
        if (
            task is None
            or outcome.name not in (self.offered or ())
            or not 0 <= outcome.call < len(task.calls)
            or key in self._outcomes
            or not {*outcome.results} <= _quantities(task)
            or len(outcome.remarks) > MOST_REMARKS
        ):
            raise Malformed("an answer to what was not asked")
        self._outcomes[key] = outcome

    def _hear_unloadable(self, message: Message) -> None:
        raised = messages.to_raised(message[0].get("raised"))
        if self.offered is not None or raised is None:
            raise Malformed("a message out of turn")
        self._unloadable = raised

    def _hear_broke(self, message: Message) -> None:
        told = message[0].get("sentence"), message[0].get("where")
        if not messages.texts(told):
            raise Malformed("a rule that is none")
        sentence, where = map(str, told)
        self._broke = messages.short(sentence), messages.short(where)

    def _hear_last(self, message: Message) -> None:
        paths = message[0].get("reached_for")
        if not isinstance(paths, list) or not messages.texts(paths):
            raise Malformed("paths that are none")
        self._reached_for = tuple(map(messages.short, paths[:MOST_REMARKS]))

    def _hear_end(self, message: Message) -> None:
        if self.offered is None or self._unanswered():
            raise Malformed("an end before its time")

    def _unanswered(self) -> Task | None:
        """The first task that is open."""
        for task in self._tasks:
            if task.name in (self.offered or ()):
                for number in range(len(task.calls)):
                    key = task.name, task.case, task.dtype, number
                    if key not in self._outcomes:
                        return task
        return None

    def _when(self) -> str:
        """How far it has come."""
        if self.offered is None:
            return "while it was loaded"
        task = self._unanswered()
        return "at its end" if task is None else f"in {task.name}"

    def ran(self, broke: str | None, printed: _Printed, seconds: float) -> Ran:
        """All of it; `broke` is a rule that it did not tell of itself."""
        sentence, where = (broke, "") if broke else self._broke or (None, "")
        if sentence is not None:
            sentence = f"{sentence} {self._when()}" + (f" ({where})" if where else "")
        return Ran(
            offered=self.offered or (),
            outcomes=tuple(self._outcomes.values()),
            unloadable=None if sentence else self._unloadable,
            broke=sentence,
            printed=printed.characters,
            first_printed=printed.first_line,
            reached_for=self._reached_for,
            notes=self._notes,
            seconds=seconds,
        )


def _quantities(task: Task) -> set[str]:
    inputs = {name for call in task.calls for name in call.inputs}
    return inputs | {f"d{name}" for name in inputs} | OTHER_QUANTITIES


@contextmanager
def _process(settings: str, working: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which is gone when the block is left, with all that belongs to it."""
    process = subprocess.Popen(
        [*_python(START), settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=working,
        env=_environment(working),
        start_new_session=True,
    )
    with at_end(partial(_kill, process)):
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()  # at which the guard ends the other, and itself
            with suppress(subprocess.TimeoutExpired):
                process.wait(SOON)
            _kill(process)
            process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """It, and its group; twice does no harm."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _folder() -> AbstractContextManager[Path]:
    """A new folder that is gone when the block is left, whatever is in it."""
    return passing_folder(Path(gettempdir()).resolve())


def _excess(folder: Path, most: int) -> str | None:
    """Which rule is broken by what is in a folder, if one is."""
    size, left = 0, [str(folder)]
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    size += max(getattr(status, "st_blocks", 0) * 512, BLOCK)
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    if size > most:
                        return f"filled its folder with more than {amount(most)}"
        except FileNotFoundError:  # gone meanwhile
            continue
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return "made folders that are too deep"
            return "made a folder that cannot be looked into"
    return None
