"""Which files are a submission: one, or those of a folder that are to be looked at.

They are found and read here, in the process that grades, and what the submission's own
process gets is a copy: whatever it does, the original stays as it is.
"""

import os
import re
import stat
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gradparity.parity_tests.grading import definitions
from gradparity.parity_tests.grading.choosing import (
    SHELVES,
    choose,
    in_parts,
    needed,
    root_of,
)
from gradparity.parity_tests.grading.course import folded
from gradparity.parity_tests.grading.definitions import Definition, Source, as_text
from gradparity.parity_tests.grading.notebooks import NoNotebook
from gradparity.parity_tests.grading.records import Skipped

# The lecture's files, the last of them of those who follow this project's names.
KNOWN = (
    "layers.py",
    "functions.py",
    "gradient.py",
    "tl_nn.py",
    "two_layer_net.py",
    "networks.py",
)
# What systems and programs leave lying, and what is about the folder: nobody's work.
NO_WORK = re.compile(
    r"__(pycache__|MACOSX)|\._.*|\.DS_Store|\.git.*|\.(venv|idea|vscode)"
    r"|\.(ipynb_checkpoints|pytest_cache|mypy_cache|ruff_cache)|Thumbs\.db|desktop\.ini"
    r"|(README|LICENSE)(\.(md|txt|rst|html?|pdf|docx?))?",
    re.IGNORECASE,
)
CODE = (".py", ".ipynb")
PACKED = (".gz", ".bz2", ".xz")
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", *PACKED)
WHY_NOT = dict.fromkeys(ARCHIVES, "is an archive: unpack it")
LARGEST, DEEPEST = 1 << 20, 20
# Of one submission: entries of folders that are looked through, and bytes that are read
# for definitions; files and bytes that are copied.
MOST_ENTRIES, MOST_READ = 20_000, 64 << 20
MOST_COPIED, MOST_BYTES = 200, 16 << 20
MOST_TOLD = 200


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
class Part:
    """What is run by one process: definitions, and the files that they need.

    `root` is the folder in which their imports begin, within that of the submission, and so
    do they in those above it. Files go by their places in the submission's folder, and
    `first` are those that are loaded where no text defines anything of the course: it may
    be made when they run.
    """

    root: Path
    chosen: tuple[Definition, ...]
    files: tuple[Path, ...]
    first: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Found:
    """A submission's folder, what of it is graded, and what is not."""

    folder: Path
    is_folder: bool
    sources: dict[Path, Source]
    parts: tuple[Part, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def looked_at(self) -> list[str]:
        """The files whose definitions are graded."""
        files = [as_text(d.file) for part in self.parts for d in part.chosen]
        return [*dict.fromkeys(files)]

    def copy(self, part: Part, to: Path) -> dict[str, Source]:
        """Write a part anew, into a folder that is made, and return which file of the copy
        is of which source.

        Raises:
            Unusable: one of them cannot be read, or is too large.
        """
        to.mkdir(parents=True)
        written: dict[str, Source] = {}
        for file in part.files:
            inside = as_module(file)
            copy = to / inside
            copy.parent.mkdir(parents=True, exist_ok=True)
            source = self.sources.get(file)
            if source is not None and (source.notebook or source.virtual):
                copy.write_text(source.text, "utf-8", "backslashreplace")
            else:
                copy.write_bytes(content_of(self.folder / file))
            if source is not None:
                written[inside.as_posix()] = source
        return written


def find(path: Path, others: Collection[Path] = ()) -> Found:
    """The submission at a path: a .py file, a notebook, or a folder.

    Beside a file, all that it imports is found, in its folder and in the parts beside that.

    Args:
        path: the file or folder.
        others: other submissions, which nothing is imported from.

    Raises:
        Unusable: there is none.
    """
    if not path.exists() and not path.is_symlink():
        raise Unusable(f"{path} does not exist")
    if why := why_not(path):
        raise PassedOver(path, why)
    return _of_folder(path) if path.is_dir() else _of_file(path, others)


def _of_folder(path: Path) -> Found:
    looked = _Looked(path)
    looked.through()
    looked.missing_submodules()
    if not looked.files:
        but = [f"; {each.path} {each.why}" for each in looked.skipped[:3]]
        raise PassedOver(path, "".join(["has no .py file in it", *but]))
    chosen, passed_over = choose(looked.sources.values())
    parts = []
    for root, of_it in in_parts(chosen):
        near = sorted(looked.files, key=lambda f: not f.is_relative_to(root))
        first = needed([d.file for d in of_it], looked.sources, near)
        files = [*dict.fromkeys([*first, *near])]
        parts.append(Part(root, tuple(of_it), _at_most(path, files, len(first))))
    if not chosen:
        copied = _at_most(path, [*looked.files], 0)
        parts = [Part(Path(), (), copied, () if passed_over else copied)]
    skipped = sorted([*looked.skipped, *passed_over], key=lambda each: each.path)
    return Found(path, True, looked.sources, tuple(parts), tuple(skipped))


def _of_file(path: Path, others: Collection[Path]) -> Found:
    """With what it imports, and what that imports."""
    folder = path.absolute().parent
    while _is_part(folder) and folder.parent != folder:
        folder = folder.parent
    asked = path.absolute().relative_to(folder)
    try:
        source = _source(folder, asked)
    except PassedOver as error:
        raise PassedOver(path, error.why) from error
    hidden = {other.absolute() for other in others}
    root = root_of(asked) or Path()
    beside = _Looked(folder, parse=False)
    for place in dict.fromkeys([path.absolute().parent, folder / root, folder]):
        beside.through(place, deep=False)
    for place in dict.fromkeys([*_shelves(folder / root), *_shelves(folder)]):
        beside.through(place)
    allowed = [f for f in beside.files if folder / f not in hidden and f != asked]
    sources = {asked: source}
    files: list[Path] = [asked]
    while True:  # what is imported is parsed only then
        found = needed(files, sources, allowed)
        if len(found) == len(files):
            break
        for file in found[len(files) :]:
            with suppress(Unusable):
                sources[file] = _source(folder, file)
        files = found
    more = {each.file: each for each in definitions.written(source)}
    sources |= more
    files = [*dict.fromkeys([*files, *more])]
    chosen, skipped = choose([source, *more.values()])
    skipped += _left_out(source)
    copied = _at_most(folder, files, len(files))
    part = Part(root, tuple(chosen), copied, () if source.definitions else (asked,))
    return Found(folder, False, sources, (part,), tuple(skipped))


def _left_out(source: Source) -> list[Skipped]:
    """The cells of a notebook that are no Python; what they define cannot be loaded."""
    return [
        Skipped(
            path=as_text(source.file),
            why=f"is not Python in cell {cell}: {why}",
            kind="not loaded" if names else "passed over",
            names=names,
            cell=cell,
        )
        for cell, why, names in definitions.left_out(source)
    ]


def _is_part(folder: Path) -> bool:
    """Whether imports of a file in it begin further up: in a shelf, or in a package."""
    is_package = folder.name.isidentifier() and (folder / "__init__.py").is_file()
    return bool(SHELVES.fullmatch(folder.name)) or is_package


def _at_most(folder: Path, files: list[Path], at_least: int) -> tuple[Path, ...]:
    """As many of the files, in their order, as are copied; those that are needed first."""
    total, found = 0, []
    for number, file in enumerate(files):
        with suppress(OSError):
            total += (folder / file).stat().st_size
        if number >= at_least and (number >= MOST_COPIED or total > MOST_BYTES):
            break
        if number > 5 * MOST_COPIED or total > 4 * MOST_BYTES:
            raise Unusable(
                f"{folder} needs more than {number} files, or too large ones"
            )
        found.append(file)
    return tuple(found)


def lend(folder: Path, to: Path) -> None:
    """Copy the Python files of a folder that is handed out, which may be imported.

    Raises:
        Unusable: one of them cannot be read, or is too large.
    """
    looked = _Looked(folder, parse=False)
    looked.through()
    for file in _at_most(folder, [*looked.files], 0):
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        (to / as_module(file)).write_bytes(content_of(folder / file))


# --- What may be one ------------------------------------------------------------------


def why_not(path: Path) -> str | None:
    """Why what lies there is not looked at; None of a folder, a .py file and a notebook."""
    if path.is_symlink():
        return "is a link: expected what it points to"
    if path.is_dir() or _is_code(path):
        return None
    if not path.is_file():
        return "is no file and no folder"
    other = "is no submission: expected a .py file, a notebook or a folder"
    return WHY_NOT.get(path.suffix.lower(), other)


def is_work(path: Path) -> bool:
    """Whether what lies in a folder may be somebody's work."""
    if os.path.exists(path / "pyvenv.cfg"):  # a virtual environment, or called like one
        return any(name.lower().endswith(".py") for name in os.listdir(path))
    return not NO_WORK.fullmatch(path.name)


def as_module(file: Path) -> Path:
    """The file as it can be imported: `layers.py` for `layers.PY` and for a notebook."""
    return file.with_suffix(".py")


def is_one(folder: Path) -> bool:
    """Is this folder one submission, rather than a class of them?

    It has one of the lecture's files, or is all that there is of code; or a part of it
    defines what is graded, and no file beside that does; or no two of its files define the
    same, and some import others, or are called as what they define.
    """
    found = entries(folder)
    here = [each for each in found if _is_code(each)]
    folders = [each for each in found if each.is_dir() and not each.is_symlink()]
    known = any(as_module(each).name in KNOWN for each in here)
    if len(found) == 1 and not known:
        return bool(here) or (bool(folders) and is_one(folders[0]))
    sources = _sources(folder)
    defining = [source for source in sources.values() if source.definitions]
    names = [n for s in defining for n in {d.subject.name for d in s.definitions}]
    once = len({*names}) == len(names)
    imported = _imported(sources)
    if known:
        return once or bool(imported)
    packages = {each.name for each in folders if _defines(each)}
    if sources and all(packages & source.imports for source in sources.values()):
        return True
    if not defining:
        return any(map(_defines, _shelves(folder)))
    return once and (all(map(_is_called_as_a_subject, defining)) or bool(imported))


def helpers(folder: Path) -> list[Path]:
    """Of the files of a class those that define nothing of the course, and that others
    import: they were handed out.
    """
    sources = _sources(folder)
    imported = _imported(sources)
    return [e for e, s in sources.items() if e.stem in imported and not s.definitions]


def _sources(folder: Path) -> dict[Path, Source]:
    """The files of code in a folder that can be read."""
    found = {}
    for each in entries(folder):
        with suppress(Unusable):
            if _is_code(each):
                found[each] = _source(folder, each.relative_to(folder))
    return found


def _imported(sources: Mapping[Path, Source]) -> set[str]:
    """Which of these files are imported by others of them, by their names."""
    stems = {each.stem for each in sources}
    return {n for each, s in sources.items() for n in s.imports & stems - {each.stem}}


def _is_called_as_a_subject(source: Source) -> bool:
    names = {folded(d.subject.name) for d in source.definitions}
    return folded(source.file.stem) in names


def _defines(folder: Path) -> bool:
    """Whether a file of a folder defines what is graded."""
    return any(source.definitions for source in _sources(folder).values())


def _source(folder: Path, file: Path) -> Source:
    """Raises Unusable if it cannot be read, is in an encoding that Python does not know
    without being told, or is called like a notebook and is none.
    """
    content = content_of(folder / file)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise PassedOver(folder / file, "is in UTF-16: save it in UTF-8")
    try:
        return definitions.source_of(file, content)
    except NoNotebook as error:
        raise PassedOver(folder / file, str(error)) from error


def _shelves(folder: Path) -> list[Path]:
    found = [each for each in entries(folder) if SHELVES.fullmatch(each.name)]
    return [each for each in found if each.is_dir() and not each.is_symlink()]


def entries(folder: Path) -> list[Path]:
    """What is in a folder and may be somebody's work."""
    try:
        return [entry for entry in sorted(folder.iterdir()) if is_work(entry)]
    except OSError as error:
        raise Unusable(f"cannot read {folder}: {error.strerror}") from error


@dataclass
class _Looked:
    """A folder that is looked through for files, and for what may be work and is not
    looked at; of what is hidden, of virtual environments and behind links, nothing is.
    """

    folder: Path
    parse: bool = True
    sources: dict[Path, Source] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    _found: dict[Path, Path] = field(default_factory=dict)
    _seen: int = 0
    _read: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that are found, the nearest first."""
        return tuple(sorted(self._found.values(), key=lambda f: (len(f.parts), f)))

    def through(self, start: Path | None = None, deep: bool = True) -> None:
        """Look through the folder, or a part of it."""
        left = [start or self.folder]
        while left:
            place = left.pop(0)
            for entry in sorted(entries(place), key=lambda e: e.suffix != ".py"):
                self._seen += 1
                if self._seen > MOST_ENTRIES:
                    self._skip(
                        place,
                        f"has more in it than the {MOST_ENTRIES} files and "
                        "folders that are looked at",
                    )
                    return
                if self._look(entry) and deep:
                    left.append(entry)

    def _look(self, entry: Path) -> bool:
        """Take a file, or say why not; True of a folder that is to be looked through."""
        place = entry.relative_to(self.folder)
        why = why_not(entry)
        if why is None and entry.name.startswith("."):
            why = "is hidden: its name begins with a dot"
        elif why is None and entry.is_dir():
            if len(place.parts) < DEEPEST:
                return True
            why = f"lies more than {DEEPEST - 1} folders deep"
        elif why is None and (taken := self._found.get(as_module(place))):
            why = None if taken == place else f"is called as {taken.name} is"
        elif why is None and self._read > MOST_READ:
            why = f"comes after {MOST_READ >> 20} MiB of code, which were looked at"
        elif why is None:
            why = self._take(place)
        if why and _may_be_code(entry):
            self._skip(entry, why)
        return False

    def _take(self, place: Path) -> str | None:
        if not self.parse:
            self._found[as_module(place)] = place
            return None
        try:
            source = _source(self.folder, place)
        except PassedOver as error:
            return error.why
        except Unusable as error:
            if isinstance(error.__cause__, OSError):
                raise
            return str(error).removeprefix(place.name).strip()
        self._found[as_module(place)] = place
        self.sources[place] = source
        self._read += len(source.text)
        self.skipped += _left_out(source)
        for each in definitions.written(source):
            if as_module(each.file) not in self._found:
                self._found[as_module(each.file)] = each.file
                self.sources[each.file] = each
        return None

    def _skip(self, entry: Path, why: str) -> None:
        if len(self.skipped) < MOST_TOLD:
            path = as_text(entry.relative_to(self.folder))
            self.skipped.append(Skipped(path=path, why=why, kind="passed over"))

    def missing_submodules(self) -> None:
        """Folders that Git would fill from somewhere else, and that are empty."""
        with suppress(Unusable):
            text = content_of(self.folder / ".gitmodules").decode("utf-8", "replace")
            for found in re.finditer(r"^\s*path\s*=\s*(\S+)\s*$", text, re.MULTILINE):
                place = self.folder / found[1]
                inside = place.is_dir() and place.is_relative_to(self.folder)
                if ".." not in found[1] and (not inside or not any(place.iterdir())):
                    self._skip(place, "is a Git submodule that was not brought along")


def _may_be_code(path: Path) -> bool:
    """Whether there may be code in what is not looked at, rather than data and pictures."""
    if path.is_dir():
        return path.is_symlink() or not path.name.startswith(".")
    kinds = [suffix.lower() for suffix in path.suffixes]
    packed = len(kinds) == 1 and kinds[0] in PACKED  # one file, as MNIST's are
    return not packed and not {*kinds}.isdisjoint({*CODE, *WHY_NOT})


def _is_code(path: Path) -> bool:
    return path.suffix.lower() in CODE and path.is_file() and not path.is_symlink()


def content_of(path: Path) -> bytes:
    """What is in a file.

    Raises:
        Unusable: it cannot be read, is no file, or is too large.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    # In a notebook there are pictures.
    most = LARGEST * (16 if path.suffix.lower() == ".ipynb" else 1)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unusable(f"{path.name} is no file")
            content = file.read(most + 1)
    except OSError as error:
        raise Unusable(f"cannot read {path.name}: {error.strerror}") from error
    if len(content) > most:
        raise Unusable(f"{path.name} is larger than {most >> 20} MiB")
    return content
