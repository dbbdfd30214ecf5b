"""Where things are printed: tables on standard output, progress and notes beside it."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from gradparity.reference.data.cleanup import at_end

_results: list[Console] = []
_kept: IO[str] | None = None  # standard output, where it is kept for results


def for_results(**settings: Any) -> Console:
    """A console on standard output, which `keep_output` keeps for it."""
    console = Console(file=_kept, **settings)
    _results.append(console)
    return console


output = for_results()
errors = Console(stderr=True)


def keep_output() -> None:
    """Keep standard output for results: whatever else is printed in this process and below
    it, in whatever way, goes to standard error from now on.
    """
    global _kept
    printed = sys.__stdout__
    if printed is None or output.file is not printed:
        return  # there is none, or it is not the process's own
    kept = os.dup(printed.fileno())
    _kept = os.fdopen(kept, "w", -1, printed.encoding, printed.errors)
    for console in _results:
        console.file = _kept
    try:
        os.dup2(2, printed.fileno())
    except OSError:  # standard error is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), printed.fileno())
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def say(sentence: str, console: Console = output, *, is_path: bool = False) -> None:
    """A sentence, which a terminal shows broken between words; or a path, in one piece."""
    in_one_piece = is_path or not console.is_terminal
    console.print(sentence, highlight=False, markup=False, soft_wrap=in_one_piece)


def note(sentence: str) -> None:
    """A remark that is not part of the result."""
    say(sentence, errors)


def print_json(**fields: Any) -> None:
    """One JSON object on standard output; infinity and NaN are strings in it."""
    from pydantic_core import to_json

    found = json.loads(to_json(fields, inf_nan_mode="strings"))
    output.file.write(json.dumps(found) + "\n")


class Advance(Protocol):
    """Moves a bar on by so many steps."""

    def __call__(self, steps: int = 1) -> None: ...


@contextmanager
def bar(description: str, total: int) -> Iterator[Advance]:
    """A progress bar with the time left; nothing where standard error is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=errors, disable=not errors.is_terminal)
    with at_end(progress.stop), progress:
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
    with at_end(status.stop), status:
        yield


class DownloadProgress(Protocol):
    """As `reference.datasets.fetch_mnist` calls it."""

    def __call__(self, name: str, done: int, total: int | None, /) -> None: ...


@contextmanager
def download_bars() -> Iterator[DownloadProgress]:
    """A bar for each file that is being downloaded."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    progress = Progress(*columns, console=errors, disable=not errors.is_terminal)
    with at_end(progress.stop), progress:
        tasks = {}

        def show(name: str, done: int, total: int | None, /) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done, total=total)

        yield show
