"""What a submission reaches for that it did not bring: other files than its own.

Python tells of each file that it opens. What a submission opens in another way is not
seen: this is for a remark to whoever grades, and Landlock is what keeps it from reading.
"""

import os
import sys
from collections.abc import Collection
from pathlib import Path

EVENTS = frozenset({"open", "os.listdir", "os.scandir"})
MOST, LONGEST = 5, 200
# What libraries look into for devices, and Python for the lines of a traceback.
UNREMARKABLE = (Path("/dev"), Path(os.devnull), Path(__file__).resolve().parent)


class Reading:
    """Watches from `begin` on; `elsewhere` are the first paths outside of `own`, of what
    is there.
    """

    def __init__(self, own: Collection[Path]) -> None:
        self.elsewhere: list[str] = []
        self._own = tuple(map(str, (*own, *UNREMARKABLE)))
        self._below = tuple(f"{path}{os.sep}" for path in (*own, UNREMARKABLE[-1]))

    def begin(self) -> None:
        fsdecode, real, exists = os.fsdecode, os.path.realpath, os.path.lexists
        own, below, elsewhere, seen = self._own, self._below, self.elsewhere, set[str]()

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            if event not in EVENTS or len(elsewhere) >= MOST:
                return
            try:
                path = real(fsdecode(arguments[0]))  # type: ignore[arg-type]
                if path in own or path.startswith(below) or path in seen:
                    return
                seen.add(path)
                if exists(path):
                    elsewhere.append(path[:LONGEST])
            except BaseException:  # it is no path, or no text, or there is no memory
                return

        sys.addaudithook(watch)
