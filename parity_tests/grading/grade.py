"""Grades submissions: each is run by a process of its own, and judged in this one."""

import errno
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from gradparity.parity_tests.grading import launching
from gradparity.parity_tests.grading.confinement import Limits
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.launching import (
    INTERFERED,
    OFTEN,
    PRINTED,
    Stopped,
)
from gradparity.parity_tests.grading.messages import short
from gradparity.parity_tests.grading.outcomes import Note, Raised, Ran
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.grading.submission_files import (
    Found,
    Part,
    PassedOver,
    Unusable,
    as_module,
    find,
    helpers,
    is_one,
    is_work,
    why_not,
)
from gradparity.parity_tests.grading.tasks import all_tasks
from gradparity.reference.data.cleanup import at_end

# The lecture's own `common/`, for who brings none.
HANDED_OUT = Path(__file__).resolve().parent / "handed_out" / "common"
LEAST_LOADING = 3.0  # seconds
PAUSES = (0.1, 0.4, 1.5, 5.0)  # seconds between two attempts
SHORTAGES = {
    getattr(errno, name)
    for name in ("EAGAIN", "ENOMEM", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE")
    if hasattr(errno, name)
}

__all__ = ["Limits", "Unusable", "grade", "grade_all", "is_class", "submissions"]


def is_class(path: Path) -> bool:
    """Is there a folder at the path with one submission or several in it?"""
    return path.is_dir() and not path.is_symlink() and not is_one(path)


def check_given(folder: Path | None) -> None:
    """Raise Unusable if this is no folder that can be handed out."""
    if folder is not None and not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise Unusable(f"{folder} {what}: expected what the course hands out")


def submissions(path: Path, one: bool = False) -> list[Path]:
    """A file, or a folder that is one submission; else all in it that may be one, whether
    it can be graded or not.

    Args:
        path: the file or folder.
        one: whether a folder is one submission whatever is in it.

    Raises:
        Unusable: there is none that can be.
    """
    if one or not is_class(path):
        find(path)
        return [path]
    handed_out = helpers(path)
    entries = [
        each
        for each in sorted(path.iterdir())
        if is_work(each) and each not in handed_out
    ]
    found = [
        each
        for each in entries
        if each.name != "__init__.py" or each.is_symlink() or each.stat().st_size
    ]
    if all(map(why_not, found)):
        but = [f"; {each.name} {why_not(each)}" for each in found[:3]]
        none = f"{path} has no .py file and no folder in it"
        raise Unusable("".join([none, *but]))
    return found


def grade(
    path: Path,
    limits: Limits | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    given: Path | None = None,
    others: Collection[Path] = (),
) -> GradedFile:
    """What is said of a submission; if that goes wrong, then why. What the machine has too
    little of is waited for.

    Args:
        path: a file or folder.
        limits: what it may use.
        stopped: is asked often whether to give up.
        given: a folder of what was handed out, which it may import from.
        others: other submissions, which it may not.

    Raises:
        Stopped: it was stopped.
    """
    shown = _shown(path)
    pauses = iter(PAUSES)
    while True:
        try:
            found = find(path, others)
            return judge(shown, ran(found, limits, stopped, given), found)
        except Stopped:
            raise
        except PassedOver as error:
            return GradedFile(path=shown, status="skipped", problem=short(error.why))
        except Exception as error:  # the others are to be graded nonetheless
            if is_shortage(error) and (pause := next(pauses, None)):
                wait(pause, stopped)
                continue
            if isinstance(error, Unusable) and not is_shortage(error):
                problem = short(str(error))
                return GradedFile(path=shown, status="unloadable", problem=problem)
            problem = short(f"could not be graded: {type(error).__name__}: {error}")
            return GradedFile(path=shown, status="ungraded", problem=problem)


def ran(
    found: Found,
    limits: Limits | None,
    stopped: Callable[[], bool],
    given: Path | None,
) -> Ran:
    """What came of all parts of a submission."""
    limits = limits or Limits()
    least = min(limits.seconds, LEAST_LOADING)
    lent = [HANDED_OUT] if given is None else [given, HANDED_OUT]

    def launched(part: Part) -> Ran:
        once = partial(
            launching.run, found, part, all_tasks(), limits, stopped=stopped, lent=lent
        )
        whole = once(loading=max(limits.seconds / 3, least))
        if whole.broke is None or INTERFERED in whole.broke:
            return whole
        # When nobody reads any more what it prints, it fails, and is loaded nevertheless.
        cut = any(note.kind == "top level" for note in whole.notes)
        if whole.offered and not (cut and whole.broke.startswith(PRINTED)):
            return whole
        alone = once(alone=True)
        if not alone.offered:
            return whole
        why = Raised("", whole.broke.removesuffix(" at its end"))
        notes = [
            replace(note, raised=why) if note.kind == "top level" else note
            for note in alone.notes
        ]
        seconds = whole.seconds + alone.seconds
        return replace(alone, notes=tuple(notes), seconds=seconds)

    return together(found.parts, [launched(part) for part in found.parts])


def together(parts: Sequence[Part], came: Sequence[Ran]) -> Ran:
    """What came of several parts as if it were one."""
    if len(parts) == 1:
        return came[0]
    unloadable = [each.unloadable for each in came]
    nothing = all(unloadable)
    notes = [note for each in came for note in each.notes]
    for part, raised in zip(parts, unloadable, strict=True):
        if raised and not nothing:
            files = dict.fromkeys(as_module(d.file).as_posix() for d in part.chosen)
            notes += [Note("not loaded", file, raised) for file in files]
    return Ran(
        offered=tuple(name for each in came for name in each.offered),
        outcomes=tuple(outcome for each in came for outcome in each.outcomes),
        unloadable=unloadable[0] if nothing else None,
        broke=next((each.broke for each in came if each.broke), None),
        printed=sum(each.printed for each in came),
        first_printed=next((e.first_printed for e in came if e.printed), ""),
        reached_for=tuple(path for each in came for path in each.reached_for),
        notes=tuple(notes),
        seconds=sum(each.seconds for each in came),
    )


def is_shortage(error: BaseException | None) -> bool:
    """Whether it may go well a little later: of processes, threads, memory, space or
    descriptors there are too few, for this process or for the one that it started.
    """
    if isinstance(error, Unusable):
        return is_shortage(error.__cause__)
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in SHORTAGES
    if isinstance(error, RuntimeError):
        return "can't start new thread" in str(error)
    return isinstance(error, MemoryError | ChildProcessError)


def wait(seconds: float, stopped: Callable[[], bool]) -> None:
    """Raises Stopped if it was stopped meanwhile."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if stopped():
            raise Stopped
        time.sleep(min(left, OFTEN))


def _shown(path: Path) -> str:
    """The path as text: a name may be any bytes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def grade_all(
    paths: Sequence[Path],
    jobs: int = 2,
    limits: Limits | None = None,
    given: Path | None = None,
) -> Iterator[GradedFile]:
    """What is said of each, in their order, as soon as it is known.

    Args:
        jobs: how many are run at once.
        limits: what each may use.
        given: a folder of what was handed out, which they may import from.
    """
    all_tasks()  # once, and not by several threads at the same time
    one = partial(grade, limits=limits, given=given, others=paths)
    pool = _Pool(paths, jobs, one)
    with at_end(pool.stop):
        pool.start()
        yield from pool.in_order()


class _Pool:
    """Threads that grade, until all is done or they are stopped."""

    def __init__(
        self, paths: Sequence[Path], jobs: int, one: Callable[..., GradedFile]
    ) -> None:
        self._count, self._one = len(paths), one
        self._left = iter(enumerate(paths))
        self._lock = threading.Lock()
        self._done: SimpleQueue[tuple[int, GradedFile]] = SimpleQueue()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(max(1, min(jobs, len(paths))))
        ]

    def start(self) -> None:
        """As many threads as there can be, but one at least; raises RuntimeError."""
        for number, thread in enumerate(self._threads):
            try:
                thread.start()
            except RuntimeError:
                if not number:
                    raise
                break

    def stop(self) -> None:
        """No more is begun, and what runs is given up; twice does no harm."""
        self._stopped = True
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def in_order(self) -> Iterator[GradedFile]:
        """The results in the order of the paths."""
        waiting: dict[int, GradedFile] = {}
        for number in range(self._count):
            while number not in waiting:
                found, result = self._done.get()
                waiting[found] = result
            yield waiting.pop(number)

    def _work(self) -> None:
        while not self._stopped:
            with self._lock:
                number, path = next(self._left, (-1, None))
            if path is None:
                return
            try:
                result = self._one(path, stopped=lambda: self._stopped)
            except Stopped:
                return
            self._done.put((number, result))
