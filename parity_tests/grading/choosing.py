"""Which of several definitions of one subject is graded, and which files it needs.

What is made of another framework's classes goes last; the student's own before a copy of
the book's; a network of layers before chapter 4's; what other files import before what none
does; what is in `common/` before what is in a chapter, and the later chapter before the
earlier; and what is in the folder with most subjects before what is in another one. All
others are told, each with the reason.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from gradparity.parity_tests.grading.course import SUBJECTS, folded
from gradparity.parity_tests.grading.definitions import Definition, Source, as_text
from gradparity.parity_tests.grading.records import Skipped

# Folders that are a part of a submission; their parent is where imports begin.
SHELVES = re.compile(
    r"common|src|dataset|ch(ap(ter)?)?[-_ ]?\d+.*|第?\d+章", re.IGNORECASE
)
CHAPTER = re.compile(
    r"(?:ch(?:ap(?:ter)?)?[-_ ]?|第)(\d+)|(\d)(?=[-_.]|$)", re.IGNORECASE
)
# How files are called that somebody has put aside.
ASIDE = re.compile(
    r"(^|[_\-. (])(old|bak|backup|copy|orig|tmp|temp|tests?|sample|naive)"
    r"(?=$|[_\-. )\d])|コピー",
    re.IGNORECASE,
)
NOWHERE, COMMON = 50, 100  # the chapter of what is in none, and of what all of them use


def chapter(file: Path) -> int:
    """The chapter that a file is in, as its name or its folders tell."""
    for part in reversed(file.parts):
        if part.lower() == "common":
            return COMMON
        if found := CHAPTER.match(part):
            return int(found[1] or found[2])
    return NOWHERE


def root_of(file: Path) -> Path | None:
    """The folder in which the imports of a file begin: the one above its shelf, or None
    where it is in none.
    """
    for depth in reversed(range(len(file.parts) - 1)):
        if SHELVES.fullmatch(file.parts[depth]):
            return Path(*file.parts[:depth])
    return None


def choose(sources: Iterable[Source]) -> tuple[list[Definition], list[Skipped]]:
    """The definitions that are graded, in the order of the subjects, and the others."""
    sources = [*sources]
    everything = [each for source in sources for each in source.definitions]
    found = [each for each in everything if not each.unfit]
    size = _sizes(found)
    main = max(size, key=lambda root: size[root], default=None)
    imported = {name for source in sources for name in source.imports}

    def key(each: Definition) -> tuple[int, ...]:
        """What decides, the first number first, and the smallest is best."""
        return (
            each.foreign,
            root_of(each.file) != main and folded(each.called) in each.subject.also,
            each.origin is not None,
            each.subject.kind == "network" and not each.layered,
            bool(ASIDE.search(each.file.stem)),
            each.file.stem not in imported,
            -chapter(each.file),
            each.called != each.subject.name,
            -size[root_of(each.file)],
            each.file.suffix.lower() != ".py",
            len(each.file.parts),
        )

    chosen = []
    skipped = [
        _told(d, f"defines {d.called}, which {d.unfit}") for d in everything if d.unfit
    ]
    for name in SUBJECTS:
        those = [each for each in found if each.subject.name == name]
        if not those:
            continue
        # Of one file, what is defined last is what there is.
        last = {(each.file, each.called): each for each in those}
        best = min(last.values(), key=lambda each: (key(each), each.file))
        chosen.append(best)
        skipped += [
            _skipped(each, best, last[each.file, each.called])
            for each in those
            if each is not best
        ]
    return chosen, skipped


def _sizes(found: Iterable[Definition]) -> dict[Path | None, int]:
    """How many subjects are defined below each root."""
    names: dict[Path | None, set[str]] = {}
    for each in found:
        names.setdefault(root_of(each.file), set()).add(each.subject.name)
    return {root: len(of_it) for root, of_it in names.items()}


def _skipped(each: Definition, best: Definition, last: Definition) -> Skipped:
    """Why a definition is not graded."""
    if each is not last:
        again = f"line {last.line}" if last.cell is None else f"cell {last.cell}"
        why = f"defines {each.called} again in {again}, which is what counts"
    else:
        place = as_text(best.file)
        if best.file == each.file:
            place = f"{best.called} in the same file"
        if each.origin is not None and best.origin is None:
            why = (
                f"defines {each.called} as the book does, word for word: that of {place} "
                "is graded"
            )
        elif each.foreign and not best.foreign:
            why = (
                f"defines {each.called} beside classes of another framework: that of "
                f"{place} is graded"
            )
        elif best.layered and not each.layered and each.subject.kind == "network":
            why = (
                f"defines {each.called} without layers: that of {place} is graded, which "
                "has some"
            )
        else:
            why = f"defines {each.called}, as does {place}, which is graded"
    return _told(each, why)


def _told(each: Definition, why: str) -> Skipped:
    return Skipped(
        path=as_text(each.file),
        why=why,
        kind="passed over",
        names=[each.subject.name],
        line=each.line,
        cell=each.cell,
    )


# --- What they need -------------------------------------------------------------------


def needed(
    first: Collection[Path], sources: Mapping[Path, Source], allowed: Collection[Path]
) -> list[Path]:
    """These files, and those of the allowed ones that they import, and what these import.

    A file is imported where its name, or that of a folder that it makes a package of, is
    part of what is imported.
    """
    by_name: dict[str, list[Path]] = {}
    for file in allowed:
        # `import common.layers` runs common/__init__.py, too.
        names = file.parts[:-1] if file.stem == "__init__" else [file.stem]
        for name in names:
            by_name.setdefault(name, []).append(file)
    found, left = dict.fromkeys(first), list(first)
    while left:
        source = sources.get(left.pop())
        for name in source.imports if source else ():
            for file in by_name.get(name, ()):
                if file not in found:
                    found[file] = None
                    left.append(file)
    return [*found]


def in_parts(chosen: Iterable[Definition]) -> Iterator[tuple[Path, list[Definition]]]:
    """The definitions by the folder in which their imports begin: there are several where
    there are two books in one clone. What is in no shelf goes with the first.
    """
    parts: dict[Path | None, list[Definition]] = {}
    for each in chosen:
        parts.setdefault(root_of(each.file), []).append(each)
    loose = parts.pop(None, [])
    if not parts:
        parts = {Path(): []}
    for number, (root, of_it) in enumerate(parts.items()):
        yield root or Path(), of_it + (loose if not number else [])
