"""Where things are printed: tables on standard output, progress and notes beside it."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Timer
from typing import IO, Any, Protocol

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment

from gradparity.reference.data.cleanup import at_end
from gradparity.reports.commands import streams
from gradparity.reports.visible import LONGEST, harmless, visible

_results: list[Console] = []
_kept: IO[str] | None = None  # standard output, where it is kept for results


class Screen(Console):
    """A console on which nothing that is shown acts, whoever has written it."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(harmless(text), style)


def for_results(**settings: Any) -> Screen:
    """A console on standard output, which `keep_output` keeps for it."""
    console = Screen(file=_kept, **settings)
    _results.append(console)
    return console


output = for_results()
errors = Screen(stderr=True)


def keep_output() -> None:
    """Keep standard output for results: whatever else is printed in this process and below
    it, in whatever way, goes to standard error from now on.
    """
    global _kept
    if _kept is None and (kept := streams.kept()):
        _kept = kept
        for console in _results:
            console.file = kept


def say(sentence: str, console: Console = output, *, is_path: bool = False) -> None:
    """A sentence, which a terminal shows broken between words; or a path, in one piece."""
    in_one_piece = is_path or not console.is_terminal
    sentence = visible(sentence, LONGEST) if is_path else harmless(sentence)
    console.print(sentence, highlight=False, markup=False, soft_wrap=in_one_piece)


def note(sentence: str) -> None:
    """A remark that is not part of the result."""
    say(visible(sentence, LONGEST), errors)


def print_json(**fields: Any) -> None:
    """One JSON object on standard output; infinity and NaN are strings in it."""
    from pydantic_core import to_json

    found = json.loads(to_json(fields, inf_nan_mode="strings"))
    output.file.write(json.dumps(found) + "\n")


def stopped(stop: Callable[[], object]) -> None:
    """Stop what moves on the terminal, and show the cursor. A signal may have come in the
    middle of writing: what the console says from then on is not written any more.
    """
    stop()
    if errors.is_terminal:
        with suppress(OSError):
            os.write(2, b"\x1b[?25h")


class Advance(Protocol):
    """Moves a bar on by so many steps."""

    def __call__(self, steps: int = 1) -> None: ...


@contextmanager
def bar(description: str, total: int, after: float = 0.0) -> Iterator[Advance]:
    """A progress bar with the time left, which appears after so many seconds; nothing where
    standard error is no terminal.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    at_once = after == 0
    progress = Progress(
        *columns,
        console=errors,
        disable=not errors.is_terminal,
        redirect_stdout=at_once,  # in another thread nobody exchanges these
        redirect_stderr=at_once,
    )
    timer = Timer(after, progress.start)
    timer.daemon = True

    def stop() -> None:
        timer.cancel()
        progress.stop()

    with at_end(partial(stopped, stop)):
        (progress if at_once else timer).start()
        task = progress.add_task(description, total=total)

        def advance(steps: int = 1) -> None:
            progress.update(task, advance=steps)

        yield advance


@contextmanager
def working(description: str) -> Iterator[None]:
    """A sign of life for what has no steps to count; nothing where there is no terminal."""
    if not errors.is_terminal:
        yield
        return
    status = errors.status(description)
    with at_end(partial(stopped, status.stop)), status:
        yield


class DownloadProgress(Protocol):
    """As `reference.datasets.fetch_mnist` calls it."""

    def __call__(self, name: str, done: int, total: int | None, /) -> None: ...


@contextmanager
def download_bars() -> Iterator[DownloadProgress]:
    """A bar for each file that is being downloaded."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    progress = Progress(*columns, console=errors, disable=not errors.is_terminal)
    with at_end(partial(stopped, progress.stop)), progress:
        tasks = {}

        def show(name: str, done: int, total: int | None, /) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done, total=total)

        yield show
