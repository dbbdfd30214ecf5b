"""What a submission reaches for that it did not bring: other files than its own.

Python tells of each file that it opens. What a submission opens in another way, as through
ctypes, is not seen: this is for a remark to whoever grades, and Landlock is what keeps it
from reading.
"""

import os
import sys
from collections.abc import Collection
from pathlib import Path

EVENTS = frozenset({"open", "os.listdir", "os.scandir"})
MOST, LONGEST = 50, 200
# What libraries look into for devices, and Python for the lines of a traceback.
UNREMARKABLE = (Path("/dev"), Path(os.devnull), Path(__file__).resolve().parent)


class Reading:
    """Watches from `begin` on for paths outside of `own`, of what is there."""

    def __init__(self, own: Collection[Path]) -> None:
        self._files: list[str] = []
        self._folders: list[str] = []
        self._own = tuple(map(str, (*own, *UNREMARKABLE)))
        self._below = tuple(f"{path}{os.sep}" for path in (*own, UNREMARKABLE[-1]))

    @property
    def elsewhere(self) -> list[str]:
        """The first of the files, and then of the folders."""
        return [*self._files, *self._folders]

    def begin(self) -> None:
        fsdecode, real, exists = os.fsdecode, os.path.realpath, os.path.lexists
        own, below, seen = self._own, self._below, set[str]()
        files, folders = self._files, self._folders

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            if event not in EVENTS:
                return
            try:
                kept = files if event == "open" else folders
                path = real(fsdecode(arguments[0]))  # type: ignore[arg-type]
                if path in own or path.startswith(below) or path in seen:
                    return
                if len(kept) < MOST and exists(path):
                    seen.add(path)
                    kept.append(path[:LONGEST])
            except BaseException:  # it is no path, or no text, or there is no memory
                return

        sys.addaudithook(watch)
