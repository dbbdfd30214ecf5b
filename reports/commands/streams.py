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
from typing import Any


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


@contextmanager
def tolerant() -> Iterator[None]:
    """In the block, nothing is raised by writing to standard output or error; when it is
    left, the process ends with status 2 if something did not reach standard output.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # what was closed is nowhere now; it would be the first file that is opened
    os.close(descriptor)
    output, _ = map(_wrapped, ("stdout", "stderr"))
    try:
        yield
    finally:
        sys.stdout.flush()
        if output.error is not None:
            reason = output.error.strerror
            print(
                f"gradparity: standard output cannot be written: {reason}",
                file=sys.stderr,
            )
        sys.stderr.flush()
        if output.error is not None:
            sys.exit(2)


def _wrapped(name: str) -> Tolerant:
    old: Any = getattr(sys, name)
    buffer = FileIO(os.devnull, "w") if old is None else old.buffer
    file = Tolerant(getattr(buffer, "raw", buffer))
    new = TextIOWrapper(
        # Python has none where its -u says so.
        file if buffer is file.file else BufferedWriter(file),  # type: ignore[type-var]
        encoding=getattr(old, "encoding", "utf-8"),
        errors=getattr(old, "errors", None),
        line_buffering=getattr(old, "line_buffering", False),
        write_through=getattr(old, "write_through", True),
    )
    setattr(sys, name, new)
    return file
