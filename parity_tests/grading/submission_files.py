"""Which files are a submission: one, or those of a folder that are to be looked at.

They are found and read here, in the process that grades, and what the submission's own
process gets is a copy: whatever it does, the original stays as it is.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gradparity.parity_tests.grading.outcomes import GRADED
from gradparity.parity_tests.measuring.wording import listed

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
# What systems and programs leave lying, and what is about the folder: nobody's work.
NO_WORK = re.compile(
    r"__(pycache__|MACOSX)|\._.*|\.DS_Store|\.git.*|\.(venv|idea|vscode)"
    r"|\.(ipynb_checkpoints|pytest_cache|mypy_cache|ruff_cache)|Thumbs\.db|desktop\.ini"
    r"|(README|LICENSE)(\.(md|txt|rst|html?|pdf|docx?))?",
    re.IGNORECASE,
)
# Where a file defines what is graded.
DEFINES = re.compile(
    rb"^(?:class|def)\s+(%s)\b" % "|".join(GRADED).encode(), re.MULTILINE
)
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
WHY_NOT = {
    ".ipynb": "is a notebook: save it as a .py file",
    **dict.fromkeys(ARCHIVES, "is an archive: unpack it"),
}
MOST_FILES, LARGEST, DEEPEST = 200, 1 << 20, 6


class Unusable(ValueError):
    """There is nothing at a path that could be a submission."""


class PassedOver(Unusable):
    """What lies at a path may be somebody's work, and yet is not looked at; `why` begins
    with a verb.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.why = why


@dataclass(frozen=True)
class Found:
    """A submission's folder, the files in it, and those that are looked at for names.

    The files go by their place in the folder; those that are only to be imported are
    among them. `passed_over` are those that may be work, too, each with why it is not
    looked at.
    """

    folder: Path
    files: tuple[Path, ...]
    asked: tuple[Path, ...]
    passed_over: tuple[tuple[Path, str], ...] = ()

    def copy(self, to: Path) -> None:
        """Write them anew, into a folder that is made.

        Raises:
            Unusable: one of them cannot be read, or is too large.
        """
        to.mkdir(parents=True)
        for file in self.files:
            copy = to / as_module(file)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(_content(self.folder / file))


def find(path: Path) -> Found:
    """The submission at a path: a .py file, or a folder.

    Beside a file, the lecture's files that lie there are to be imported.

    Raises:
        Unusable: there is none.
    """
    if not path.exists() and not path.is_symlink():
        raise Unusable(f"{path} does not exist")
    if why := why_not(path):
        raise PassedOver(path, why)
    if path.is_dir():
        files, passed_over = _looked_at(path)
        if not files:
            but = [f"; {file} {why}" for file, why in passed_over[:3]]
            raise PassedOver(path, "".join(["has no .py file in it", *but]))
        chosen = next(filter(None, _choices(files)))
        more = _not_asked(path, files, chosen)
        return Found(path, files, chosen, (*passed_over, *more))
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


def why_not(path: Path) -> str | None:
    """Why what lies there is not looked at; None of a folder and of a .py file."""
    if path.is_symlink():
        return "is a link: expected what it points to"
    if path.is_dir() or _is_python(path):
        return None
    if not path.is_file():
        return "is no file and no folder"
    other = "is no submission: expected a .py file or a folder"
    return WHY_NOT.get(path.suffix.lower(), other)


def is_work(path: Path) -> bool:
    """Whether what lies in a folder may be somebody's work."""
    if os.path.exists(path / "pyvenv.cfg"):  # a virtual environment, or called like one
        return any(name.lower().endswith(".py") for name in os.listdir(path))
    return not NO_WORK.fullmatch(path.name)


def as_module(file: Path) -> Path:
    """The file as it can be imported: `layers.py` for `layers.PY`."""
    return file.with_suffix(".py")


def is_one(folder: Path) -> bool:
    """Is this folder one submission, rather than a class of them?

    It has one of the lecture's files; or a part of it has, such as `common/`, and no file
    beside that defines what is graded.
    """
    here = [each for each in _entries(folder) if _is_python(each)]
    if any(as_module(each).name in KNOWN for each in here):
        return True
    parts = [each for place in _shelves(folder) for each in _entries(place)]
    known = any(_is_python(each) and as_module(each).name in KNOWN for each in parts)
    return known and not any(map(_defined, here))


def _defined(path: Path) -> list[str]:
    """What is graded of what a file defines, as far as it can be read."""
    with suppress(Unusable):
        names = {name.decode() for name in DEFINES.findall(_content(path))}
        return [name for name in GRADED if name in names]
    return []


def _not_asked(
    folder: Path, files: tuple[Path, ...], asked: tuple[Path, ...]
) -> Iterator[tuple[Path, str]]:
    """Which files define what is graded, and are neither looked at nor imported."""
    texts = {}
    for file in files:
        with suppress(Unusable):
            texts[file] = _content(folder / file)
    for file in files:
        stem = re.escape(_module(file).stem.encode())
        imports = re.compile(rb"^\s*(?:from|import)\b.*\b%s\b" % stem, re.MULTILINE)
        used = any(
            imports.search(text) for other, text in texts.items() if other != file
        )
        if file not in asked and not used and (names := _defined(folder / file)):
            yield (
                file,
                f"defines {listed(names)}, and no file that is graded imports it",
            )


def _shelves(folder: Path) -> list[Path]:
    found = [each for each in _entries(folder) if SHELVES.fullmatch(each.name)]
    return [each for each in found if each.is_dir() and not each.is_symlink()]


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
    file = as_module(file)
    package = file.name == "__init__.py" and len(file.parts) > 1
    return file.parent.with_suffix(".py") if package else file


def _near_first(file: Path) -> tuple[int, Path]:
    return len(file.parts), file


def _looked_at(
    folder: Path,
) -> tuple[tuple[Path, ...], tuple[tuple[Path, str], ...]]:
    """All Python files below a folder, and what else may be one, with why it is not looked
    at; of what is hidden, of virtual environments and behind links, none.
    """
    found: dict[Path, Path] = {}
    passed_over: dict[Path, str] = {}
    left = [folder]
    while left:
        for entry in sorted(_entries(left.pop()), key=lambda e: e.suffix != ".py"):
            place = entry.relative_to(folder)
            why = why_not(entry)
            if why is None and entry.name.startswith("."):
                why = "is hidden: its name begins with a dot"
            elif why is None and entry.is_dir():
                if len(place.parts) < DEEPEST:
                    left.append(entry)
                    continue
                why = f"lies more than {DEEPEST - 1} folders deep"
            elif why is None and found.setdefault(as_module(place), place) != place:
                why = f"is called as {found[as_module(place)].name} is"
            if why and _may_be_code(entry) and len(passed_over) < MOST_FILES:
                passed_over[place] = why
            if len(found) > MOST_FILES:
                raise Unusable(f"{folder} has more than {MOST_FILES} .py files in it")
    files = tuple(sorted(found.values(), key=_near_first))
    return files, tuple((place, passed_over[place]) for place in sorted(passed_over))


def _may_be_code(path: Path) -> bool:
    """Whether there may be code in what is not looked at, rather than data and pictures."""
    if path.is_dir():
        return path.is_symlink() or not path.name.startswith(".")
    kinds = {suffix.lower() for suffix in path.suffixes}
    return bool(kinds & {".py", *WHY_NOT})


def _entries(folder: Path) -> list[Path]:
    """What is in a folder and may be somebody's work."""
    try:
        return [entry for entry in sorted(folder.iterdir()) if is_work(entry)]
    except OSError as error:
        raise Unusable(f"cannot read {folder}: {error.strerror}") from error


def _is_python(path: Path) -> bool:
    return path.suffix.lower() == ".py" and _is_plain(path)


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
