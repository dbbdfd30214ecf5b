"""Which files are a submission: one, or those of a folder that are to be looked at.

They are found and read here, in the process that grades, and what the submission's own
process gets is a copy: whatever it does, the original stays as it is.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# The lecture's files, the last of them of those who follow this project's names.
KNOWN = (
    "layers.py",
    "functions.py",
    "gradient.py",
    "tl_nn.py",
    "two_layer_net.py",
    "networks.py",
)
# Folders that are part of a submission, and not submissions of a class.
SHELVES = re.compile(r"common|src|ch\d+", re.IGNORECASE)
MOST_FILES, LARGEST, DEEPEST = 200, 1 << 20, 6


class Unusable(ValueError):
    """There is nothing at a path that could be a submission."""


@dataclass(frozen=True)
class Found:
    """A submission's folder, the files in it, and those that are looked at for names.

    The files go by their place in the folder; those that are only to be imported are
    among them.
    """

    folder: Path
    files: tuple[Path, ...]
    asked: tuple[Path, ...]

    def copy(self, to: Path) -> None:
        """Write them anew, into a folder that is made.

        Raises:
            Unusable: one of them cannot be read, or is too large.
        """
        to.mkdir(parents=True)
        for file in self.files:
            copy = to / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(_content(self.folder / file))


def find(path: Path) -> Found:
    """The submission at a path: a .py file, or a folder.

    Beside a file, the lecture's files that lie there are to be imported.

    Raises:
        Unusable: there is none.
    """
    if path.is_symlink():
        raise Unusable(f"{path} is a link: expected what it points to")
    if path.is_dir():
        files = tuple(sorted(_python_files(path), key=_near_first))
        if not files:
            raise Unusable(f"{path} has no .py file in it")
        return Found(path, files, next(filter(None, _choices(files))))
    if not path.exists():
        raise Unusable(f"{path} does not exist")
    if path.suffix != ".py":
        raise Unusable(f"{path} is no submission: expected a .py file or a folder")
    folder = path.absolute().parent
    if SHELVES.fullmatch(folder.name):
        folder = folder.parent
    asked = path.absolute().relative_to(folder)
    beside = [
        file.relative_to(folder)
        for place in (folder, *_shelves(folder))
        for file in map(place.joinpath, KNOWN)
        if _is_plain(file)
    ]
    return Found(folder, tuple(dict.fromkeys([asked, *beside])), (asked,))


def is_one(folder: Path) -> bool:
    """Is this folder one submission, rather than a class of them?"""
    places = [folder, *_shelves(folder)]
    return any(_is_plain(place / name) for place in places for name in KNOWN)


def _shelves(folder: Path) -> list[Path]:
    found = [each for each in _entries(folder) if SHELVES.fullmatch(each.name)]
    return [each for each in found if each.is_dir()]


def _choices(files: tuple[Path, ...]) -> Iterator[tuple[Path, ...]]:
    """The files that are looked at are the first of these that there are."""

    def those(wanted: Callable[[Path], bool]) -> tuple[Path, ...]:
        return tuple(file for file in files if wanted(file))

    known = those(lambda file: _module(file).name in KNOWN)
    near = [f for f in known if all(map(SHELVES.fullmatch, _module(f).parts[:-1]))]
    for some in (near, known):
        yield tuple(sorted(some, key=lambda file: KNOWN.index(_module(file).name)))
    yield those(lambda file: len(file.parts) == 1)
    yield files


def _module(file: Path) -> Path:
    """The file, or `layers.py` for the `layers/__init__.py` of a package."""
    package = file.name == "__init__.py" and len(file.parts) > 1
    return file.parent.with_suffix(".py") if package else file


def _near_first(file: Path) -> tuple[int, Path]:
    return len(file.parts), file


def _python_files(folder: Path) -> list[Path]:
    """All below a folder; of what is hidden and of virtual environments, none."""
    found: list[Path] = []
    left = [folder]
    while left:
        for entry in _entries(left.pop()):
            place = entry.relative_to(folder)
            if entry.is_dir() and len(place.parts) < DEEPEST:
                left.append(entry)
            elif entry.suffix == ".py" and _is_plain(entry):
                found.append(place)
            if len(found) > MOST_FILES:
                raise Unusable(f"{folder} has more than {MOST_FILES} .py files in it")
    return found


def _entries(folder: Path) -> list[Path]:
    """What is in a folder and may belong to a submission; no links."""
    try:
        entries = sorted(folder.iterdir())
        if (folder / "pyvenv.cfg").exists():
            return []
    except OSError as error:
        raise Unusable(f"cannot read {folder}: {error.strerror}") from error
    return [
        entry
        for entry in entries
        if not entry.name.startswith((".", "__pycache__")) and not entry.is_symlink()
    ]


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _content(path: Path) -> bytes:
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unusable(f"{path.name} is no file")
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Unusable(f"cannot read {path.name}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise Unusable(f"{path.name} is larger than {LARGEST >> 20} MiB")
    return content
