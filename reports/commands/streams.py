"""Standard output and error where they cannot be written: a full disk, a pipe that nobody
reads any more.

The command goes on then, so that files it was asked for are written all the same; and
ends with status 2 instead of what nobody could read.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter, FileIO, RawIOBase, TextIOWrapper
from typing import Any, TextIO


class Tolerant(RawIOBase):
    """Writes to a file, and keeps in `error` why that failed, if it did."""

    def __init__(self, file: RawIOBase) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, content: Any, /) -> int | None:
        try:
            return self.file.write(content)
        except OSError as error:
            self.error = error
            return memoryview(content).nbytes

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.file.fileno()

    def isatty(self) -> bool:
        return self.file.isatty()


_watched: list[tuple[TextIO, Tolerant]] = []  # standard output, and what is kept of it


@contextmanager
def tolerant() -> Iterator[None]:
    """In the block, nothing is raised by writing to standard output or error; when it is
    left, the process ends with status 2 if something did not reach standard output.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # what was closed is nowhere now; it would be the first file that is opened
    os.close(descriptor)
    sys.stdout, output = _wrapped(sys.stdout)
    sys.stderr, _ = _wrapped(sys.stderr)
    _watched.append((sys.stdout, output))
    try:
        yield
    finally:
        for stream, _ in _watched:
            stream.flush()
        errors = [file.error for _, file in _watched if file.error is not None]
        for error in errors[:1]:
            print(
                f"gradparity: standard output cannot be written: {error.strerror}",
                file=sys.stderr,
            )
        sys.stderr.flush()
        if errors:
            sys.exit(2)


def kept() -> TextIO | None:
    """Standard output, for whoever is handed this; what else is printed in this process
    and below it, in whatever way, goes to standard error from now on.

    None where standard output is not the process's own.
    """
    try:
        if sys.stdout.fileno() != 1:
            return None
    except (OSError, ValueError, AttributeError):  # it is no file, or none at all
        return None
    sys.stdout.flush()
    results, file = _wrapped(sys.stdout, FileIO(os.dup(1), "w"))
    _watched.append((results, file))
    os.dup2(2, 1)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    return results


def _wrapped(old: Any, raw: FileIO | None = None) -> tuple[TextIO, Tolerant]:
    """A stream like the old one, on the same file or on another."""
    buffer = FileIO(os.devnull, "w") if old is None else old.buffer
    own: Any = getattr(buffer, "raw", buffer)
    file = Tolerant(raw or own)
    new = TextIOWrapper(
        # Python has none where its -u says so.
        file if buffer is own else BufferedWriter(file),  # type: ignore[type-var]
        encoding=getattr(old, "encoding", "utf-8"),
        errors=getattr(old, "errors", None),
        line_buffering=getattr(old, "line_buffering", False),
        write_through=getattr(old, "write_through", True),
    )
    return new, file
