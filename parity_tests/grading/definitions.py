"""What files define, by their text alone: nothing of it is run.

A definition is a class or function at the top level of a file, be it under an `if` or a
`try`, whose name is that of a subject of the course as people write it; or a lambda, or
another name for something, that is given such a name.
"""

import ast
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from pathlib import Path

from gradparity.parity_tests.grading import notebooks
from gradparity.parity_tests.grading.copies import origin
from gradparity.parity_tests.grading.course import (
    SUBJECTS,
    Subject,
    folded,
    subject_of,
)
from gradparity.parity_tests.grading.source_text import blocks_of, is_main, parsed

# What classes of other frameworks are derived from: of a module, or by themselves; and what
# others are derived from in a file of such classes.
OF_FRAMEWORKS = ("Module", "Layer", "Model", "Function")
FRAMEWORKS = ("Module", "Model", "Function")
FOREIGN = (*FRAMEWORKS, "Optimizer")
IMPORT = re.compile(r"^[ \t]*(?:from|import)\b[^\n(#]*(?:\([^)]*\))?", re.MULTILINE)
WORD = re.compile(r"\w+")
WITHOUT_METHODS = ("object", "ABC", "NamedTuple")
DEFINITION = re.compile(r"^[ \t]*(class|def)[ \t]+(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Definition:
    """A definition of a subject.

    `called` is its name in the file, and `line` that in the `cell`, if it is a notebook;
    `unfit` is why it is something else in spite of its name, beginning with a verb.
    `layered` is whether it calls `forward` or `backward` of anything, as a network of
    layers does and chapter 4's does not; `foreign` whether classes of another framework are
    beside it; `origin` where in the book it stands word for word, or None where it is
    somebody's own.
    """

    subject: Subject
    called: str
    file: Path
    line: int
    cell: int | None = None
    unfit: str | None = None
    layered: bool = False
    foreign: bool = False
    origin: str | None = None


@dataclass(frozen=True)
class Source:
    """A file of a submission: its text as Python, which for a notebook is that of its
    cells. What is `virtual` is no file, but is written by a notebook's cell.
    """

    file: Path
    text: str
    notebook: notebooks.Notebook | None = None
    virtual: bool = False

    @cached_property
    def tree(self) -> ast.Module | None:
        """The text, parsed; None where it is no Python."""
        return parsed(self.text)

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """Its definitions of subjects, in the order of the text; where that is no Python,
        what looks like some.
        """
        if not self._may_define:
            return ()
        if self.tree is None:
            return tuple(self._alike())
        return tuple(self._defined(self.tree.body))

    @cached_property
    def _classes(self) -> dict[str, ast.ClassDef]:
        nodes = ast.walk(self.tree) if self.tree else ()
        return {each.name: each for each in nodes if isinstance(each, ast.ClassDef)}

    @cached_property
    def _is_foreign(self) -> bool:
        return any(
            _of_a_framework(base, FOREIGN)
            for each in self._classes.values()
            for base in each.bases
        )

    def _derived(self, node: ast.stmt) -> str | None:
        """Of which class of another framework it is derived, unless that is defined here;
        or None.
        """
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            name = ast.unparse(base)
            if _of_a_framework(base, FRAMEWORKS) and name not in self._classes:
                return f"is derived of another framework's `{name}`"
        return None

    @cached_property
    def imports(self) -> frozenset[str]:
        """The parts of all names that it imports, wherever in its text."""
        found: set[str] = set()
        for line in IMPORT.findall(self.text):
            found.update(WORD.findall(line))
        return frozenset(found)

    def place(self, line: int) -> tuple[int, int | None]:
        """The line, which in a notebook is one of a cell, and the cell."""
        cells = self.notebook.cells if self.notebook else ()
        cell, in_it = notebooks.in_cell(cells, line)
        return in_it, cell

    @property
    def _may_define(self) -> bool:
        """Whether there is a name of the course in it, as most files have none."""
        if any(name in self.text for name in SUBJECTS):
            return True
        return any(self._alike())

    def _alike(self) -> Iterator[Definition]:
        for found in DEFINITION.finditer(self.text):
            subject = subject_of(found[2], is_class=found[1] == "class")
            if subject:
                at = self.place(self.text.count("\n", 0, found.start()) + 1)
                yield Definition(subject, found[2], self.file, *at)

    def _defined(self, nodes: list[ast.stmt]) -> Iterator[Definition]:
        for node in nodes:
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    is_class = isinstance(node, ast.ClassDef)
                    if subject := subject_of(name, is_class=is_class):
                        lines = [node.lineno, *(d.lineno for d in node.decorator_list)]
                        text = ast.get_source_segment(self.text, node) or ""
                        yield Definition(
                            *(subject, name, self.file, *self.place(min(lines))),
                            unfit=_unfit(subject, node) or self._derived(node),
                            layered=_is_layered(node),
                            foreign=self._is_foreign,
                            origin=origin(text),
                        )
                case ast.Assign(
                    targets=[ast.Name(id=name)], value=ast.Lambda() | ast.Name()
                ) if name in SUBJECTS:
                    at = self.place(node.lineno)
                    yield Definition(SUBJECTS[name], name, self.file, *at)
                case ast.If() | ast.Try() | ast.With():
                    why = "is not run, as it is under `if __name__ == ...`"
                    for each in chain.from_iterable(
                        map(self._defined, blocks_of(node))
                    ):
                        yield replace(each, unfit=why) if is_main(node) else each


def as_text(path: Path) -> str:
    """The path, with slashes, as text: a name may be any bytes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _of_a_framework(base: ast.expr, alone: Collection[str]) -> bool:
    """Whether a class derived of this is one of another framework, as far as one sees: of
    one of these names, or of what a module has.
    """
    if isinstance(base, ast.Attribute):
        return base.attr in OF_FRAMEWORKS
    return isinstance(base, ast.Name) and base.id in alone


def _unfit(subject: Subject, node: ast.stmt) -> str | None:
    """Why it is something else than the subject, whatever its name; or None."""
    if isinstance(node, ast.ClassDef):
        methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
        if (
            subject.kind == "network"
            and {"forward", "backward"} <= methods
            and not any("grad" in name.lower() for name in methods)
        ):
            return "is a network like those of the book's second volume"
        if (
            folded(node.name) in subject.also
            and subject.kind == "layer"
            and not node.bases
            and not get_close_matches("forward", methods, 1, 0.6)
            and not get_close_matches("backward", methods, 1, 0.6)
        ):
            return "has neither `forward` nor `backward`"
        own = all(ast.unparse(base) in WITHOUT_METHODS for base in node.bases)
        updates = get_close_matches("update", methods, 1, 0.6)
        if subject.kind == "optimizer" and own and not updates:
            return "has no method `update`"
    if isinstance(node, ast.FunctionDef):
        names = node.args
        all_of_them = [*names.posonlyargs, *names.args]
        needed = len(all_of_them) - len(names.defaults)
        if not (all_of_them or names.vararg or names.kwonlyargs):
            return "takes no argument"
        if needed > subject.arguments and not subject.settings:
            return f"needs {needed} arguments, and not {subject.arguments}"
    return None


def _is_layered(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Attribute) and each.attr in ("forward", "backward")
        for each in ast.walk(node)
    )


def written(source: Source) -> Iterator[Source]:
    """The files that the cells of a notebook write, if it is one and they are Python."""
    for name, text in source.notebook.written if source.notebook else ():
        place = Path(name)
        if (
            place.suffix == ".py"
            and not place.is_absolute()
            and ".." not in place.parts
        ):
            yield Source(source.file.parent / place, text, virtual=True)


def left_out(source: Source) -> Iterator[tuple[int, str, list[str]]]:
    """The cells of a notebook that are no Python: number, why, and what they define."""
    for number, why, text in source.notebook.left_out if source.notebook else ():
        alike = Source(source.file, text)._alike()
        yield number, why, [each.subject.name for each in alike]


def source_of(file: Path, content: bytes) -> Source:
    """A file's content as a source.

    Raises:
        NoNotebook: it is called like a notebook, and is none.
    """
    if file.suffix.lower() == ".ipynb":
        notebook = notebooks.read(content)
        return Source(file, notebook.text, notebook)
    return Source(file, _decoded(content))


def _decoded(content: bytes) -> str:
    """As Python would read it; in the encoding that it declares, if it declares one."""
    declared = re.match(rb"(?:[^\n]*\n)?[^\n]*coding[:=][ \t]*([-\w.]+)", content)
    for encoding in (declared and declared[1].decode("ascii", "replace"), "utf-8-sig"):
        try:
            if encoding:
                return content.decode(encoding).replace("\r\n", "\n")
        except (LookupError, UnicodeDecodeError):
            continue
    return content.decode("utf-8", "replace").replace("\r\n", "\n")
