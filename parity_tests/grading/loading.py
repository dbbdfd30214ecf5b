"""Loads a submission as if it were where its author wrote it, be that Google's Colab.

This happens in the submission's process. The files lie in a folder, and the working
folder is an empty one in there, so that `sys.path.append(os.pardir)` finds them. What it
did not bring is looked for in what was handed out, in the lecture's own files, and among
the stand-ins, in this order. One file is one module, under whatever name and from whatever
folder it is imported. A file or folder may be called as a module of the standard library
is: the submission finds it, and nobody else does.

Where a file cannot be run as it is, as it trains or wants data, it is loaded again with
its imports, definitions and constants alone.
"""

import builtins
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType, TracebackType
from typing import Any

from gradparity.parity_tests.grading import source_text
from gradparity.parity_tests.grading.importing import (
    APART,
    Elsewhere,
    Finder,
    Packages,
    Source,
)
from gradparity.parity_tests.grading.libraries import OURS
from gradparity.parity_tests.grading.notebooks import in_cell
from gradparity.parity_tests.grading.outcomes import GRADED, Note, Raised
from gradparity.parity_tests.grading.stand_ins import Nothing, as_numpy_was

# A submission that forgot to rename an import must not be graded for what is ours.
ROOMS = ("reference", "torch_impl", "jax_impl")  # of it, which may be graded, too
COLAB = "/content"
MOST_NOTES = 50

Wanted = Sequence[tuple[str, str, str]]  # subject, its name there, file
Cells = Mapping[str, tuple[str, Sequence[tuple[int, int]]]]


class Submission:
    """The files of a submission, in the folder `root`.

    Args:
        root: the folder.
        cells: of the files that were made of notebooks, the notebook's name and the first
            line of each cell.
        lent: folders of what others have handed out, to be imported from.
        start: the folder in it in which imports begin; they may in those above it, too.
        alone: whether nothing is run but imports, definitions and constants.
        told: makes of an exception the sentence of the rule that it broke, if it did.
    """

    def __init__(
        self,
        root: Path,
        cells: Cells | None = None,
        lent: Sequence[Path] = (),
        *,
        start: Path | None = None,
        alone: bool = False,
        told: Callable[[BaseException], str | None] = lambda error: None,
    ) -> None:
        self.root, self.alone, self._told = root, alone, told
        self._cells, self.lent = cells or {}, lent
        self.start = start or root
        self.notes: list[Note] = []
        self._asked: set[str] = set()  # names that files are being imported by
        self._loaded: dict[str, str] = {}  # files, and the names of their modules
        self.files = sorted(
            root.rglob("*.py"), key=lambda path: (len(path.parts), path)
        )
        self._known = {str(file) for file in self.files}
        is_package = root.name.isidentifier() and root / "__init__.py" in self.files
        self._package = root.name if is_package else ""
        places = [file.relative_to(root).with_suffix("").parts for file in self.files]
        names = {part for parts in places for part in (parts[0], parts[-1])}
        if self._package:
            names.add(self._package)
        self._taken = {name for name in names if _is_taken(name)}
        if self._package in ROOMS:
            self._package = f"{OURS}.{self._package}"
        elif self._package in self._taken:
            self._package = f"{APART}.{self._package}"

    def load(self, files: Sequence[str], wanted: Wanted = ()) -> dict[str, Any]:
        """What is wanted, by subject, of those files that can be loaded; or, where nothing
        is, those of `GRADED` that these files have in the end, the first of them first.

        Raises:
            BaseException: whatever they raise, if none can be loaded.
        """
        self._arrange()
        if not wanted:
            return self._whatever([self.module(self.root / file) for file in files])
        found: dict[str, Any] = {}
        first: BaseException | None = None
        for file in dict.fromkeys(file for _, _, file in wanted):
            try:
                module = self.module(self.root / file)
                for subject, called, where in wanted:
                    if where == file and not self._is_replaced(module, called):
                        found[subject] = getattr(module, called)
                    elif where == file:
                        self.notes.append(Note("replaced", subject))
            except MemoryError:
                raise
            except BaseException as error:
                first = first or error
                self.notes.append(Note("not loaded", file, self._why(error)))
        self._note_what_was_lent()
        if first is not None and not found:
            raise first
        return {name: found[name] for name in GRADED if name in found}

    def _is_replaced(self, module: ModuleType, called: str) -> bool:
        """Whether what a module has under this name is what was handed out, as an import
        came after the definition.
        """
        value = getattr(module, called)
        other = sys.modules.get(str(getattr(value, "__module__", "")))
        file = Path(str(getattr(other, "__file__", "")))
        return any(file.is_relative_to(folder) for folder in self.lent)

    def _note_what_was_lent(self) -> None:
        for module in [*sys.modules.values()]:
            file = getattr(module, "__file__", None)
            for folder in self.lent if isinstance(file, str) else ():
                place = Path(str(file))
                if place.is_relative_to(folder) and place.stat().st_size:
                    self.note("lent", place.relative_to(folder).as_posix())

    def _whatever(self, modules: Sequence[ModuleType]) -> dict[str, Any]:
        own = {
            module.__name__
            for module in [*sys.modules.values()]
            if self.file(getattr(module, "__file__", None))
        }
        found: dict[str, Any] = {}
        for here in (True, False):  # what is defined in a file, before what it imports
            for module in modules:
                for name in GRADED:
                    value = vars(module).get(name, found)
                    if value is not found and _is_own(value, own, module, here):
                        found.setdefault(name, value)
        return {name: found[name] for name in GRADED if name in found}

    def run(self, module: ModuleType, code: Any, data: bytes) -> None:
        """Run a file's code in its module; or, if that goes wrong and there is code at its
        top level, what is left without that.
        """
        name = str(module.__file__)
        self._loaded.setdefault(name, module.__name__)
        failure = None if self.alone else self._run_whole(module, code)
        if failure is None and not self.alone:
            return
        alone = source_text.definitions_alone(data, name)
        if alone is None and failure is not None:
            raise failure
        try:
            exec(alone or code, vars(module))
        except BaseException:
            if failure is None:
                raise
            raise failure from None
        if alone is not None:
            why = None if failure is None else self._why(failure)
            self.note("top level", self._called(name), why)

    def _run_whole(self, module: ModuleType, code: Any) -> BaseException | None:
        """Run it, and return what went wrong; then the module is as it was."""
        before = dict(vars(module))
        try:
            exec(code, vars(module))
        except MemoryError:
            raise
        except BaseException as error:
            vars(module).clear()
            vars(module).update(before)
            return error
        return None

    def _why(self, error: BaseException) -> Raised:
        """The rule that led to an exception, or the exception; with its place."""
        told = self._told(error)
        return Raised("", told, *self.place(error)) if told else self.raised(error)

    def _called(self, path: str) -> str:
        return self.shown(self.file(path) or "", None, "")[0]

    def note(self, kind: str, what: str, raised: Raised | None = None) -> None:
        note = Note(kind, what, raised)
        if note not in self.notes and len(self.notes) < MOST_NOTES:
            self.notes.append(note)

    def module(self, file: Path) -> ModuleType:
        """The one module of a file; it need not have the name of one."""
        if (known := self._loaded.get(str(file))) in sys.modules:
            return sys.modules[str(known)]
        inside = file.is_relative_to(self.start) and not self._package
        start = self.start if inside else self.root
        parts = file.relative_to(start).with_suffix("").parts
        if parts[-1] == "__init__":  # the module of a package is the package
            parts = parts[:-1]
        if not any("." in part for part in parts):
            apart = not self._package and parts[0] in self._taken
            name = ".".join(filter(None, [APART * apart, self._package, *parts]))
            module = self._by_name(name)
            loaded = getattr(module, "__file__", None)
            if module and self.file(loaded) == self.file(str(file)):
                return module
        name = "submitted_" + re.sub(r"\W", "_", "_".join(parts))
        if name not in sys.modules:
            loader = Source(name, str(file), self)
            spec = spec_from_file_location(name, file, loader=loader)
            assert spec
            assert spec.loader
            sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    def _by_name(self, name: str) -> ModuleType | None:
        """The module of this name; None where this is how it is imported."""
        if name in self._asked:
            return None
        self._asked.add(name)
        try:
            return importlib.import_module(name)
        finally:
            self._asked.remove(name)

    def loaded(self, file: object) -> ModuleType | None:
        """The module of a file, if it is loaded."""
        return sys.modules.get(self._loaded.get(str(file), ""))

    def file(self, path: object) -> str | None:
        """The file as it is called in the submission, if it is one of it."""
        if not isinstance(path, str) or not os.path.isabs(path):
            return None
        inside = os.path.realpath(path)
        if inside not in self._known:
            return None
        return Path(inside).relative_to(self.root).as_posix()

    def place(
        self, error: BaseException
    ) -> tuple[str | None, int | None, str, int | None]:
        """File, line, source and cell of the innermost line of the submission."""
        if isinstance(error, SyntaxError) and (file := self.file(error.filename)):
            line = error.lineno or None
            source = self._source(file, line) or (error.text or "").strip()
            return self.shown(file, line, source)
        lines = [*self._lines(error.__traceback__)]
        if not lines:
            return None, None, "", None
        return self.shown(*lines[-1], self._source(*lines[-1]))

    def shown(
        self, file: str, line: int | None, source: str
    ) -> tuple[str, int | None, str, int | None]:
        """A place as its author knows it: of a notebook, the cell and the line in it."""
        if file not in self._cells or line is None:
            return self._cells.get(file, (file,))[0], line, source, None
        name, cells = self._cells[file]
        cell, in_it = in_cell(cells, line)
        return name, in_it, source, cell

    def raised(self, error: BaseException) -> Raised:
        """An exception of the submission, with its place, and where an import led there
        from another file, with that line.
        """
        message = _told(error)
        if isinstance(error, SyntaxError):
            message = str(error.msg)
        file, line, source, cell = self.place(error)
        if isinstance(error, ImportError):
            lines = dict.fromkeys(self._lines(error.__traceback__))
            through = [each for each in lines if each[0] != file]
            for where, number in reversed(through[-3:]):
                shown = self.shown(where, number, "")
                message += f"; imported by {shown[0]}, line {shown[1]}"
        return Raised(type(error).__name__, message, file, line, source, cell)

    def _arrange(self) -> None:
        folder = str(self.root.parent if self._package else self.root)
        sys.path_hooks.insert(0, self._hook)
        sys.meta_path.insert(0, Packages(folder, self._package))
        sys.meta_path.append(Elsewhere(self))
        if not self._package.startswith(f"{APART}."):
            sys.path.insert(0, folder)
        above = [self.start, *self.start.parents]
        inside = [each for each in above if each.is_relative_to(self.root)]
        sys.path[:0] = [str(each) for each in inside if str(each) not in sys.path]
        if self._taken:
            builtins.__import__ = self._their_own(builtins.__import__)
        as_numpy_was()
        builtins.get_ipython = Nothing()  # type: ignore[attr-defined]
        os.chdir = _unless_colab(os.chdir)  # type: ignore[assignment]

    def _hook(self, path: str) -> Any:
        inside = Path(path).resolve().is_relative_to(self.root)
        if not inside or not os.path.isdir(path):
            raise ImportError
        return Finder(path, self._taken, self)

    def _their_own(self, plain: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
        """How to import where names are taken: for a file of the submission its own is
        found, unless something else of that name is loaded and has what is asked for.
        """

        def find(
            name: str,
            globals: Mapping[str, Any] | None = None,
            locals: Mapping[str, Any] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            top, asked = name.partition(".")[0], globals or {}
            mine = f"{APART}.{top}"
            if (
                level
                or top not in self._taken
                or asked.get("__name__") == mine  # whoever imports his own name
                or self.file(asked.get("__file__")) is None
            ):
                return plain(name, globals, locals, fromlist, level)
            if top in sys.modules:
                with suppress(ModuleNotFoundError):
                    found = plain(name, globals, locals, fromlist, level)
                    if all(hasattr(found, each) for each in fromlist or ()):
                        return found
            try:
                found = plain(f"{APART}.{name}", globals, locals, fromlist, level)
            except ModuleNotFoundError as error:
                if not str(error.name).startswith(APART):
                    raise
                return plain(name, globals, locals, fromlist, level)  # which says why
            return found if fromlist else sys.modules[mine]

        return find

    def _lines(self, traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
        while traceback is not None:
            file = self.file(traceback.tb_frame.f_code.co_filename)
            if file is not None:
                yield file, traceback.tb_lineno
            traceback = traceback.tb_next

    def _source(self, file: str, line: int | None) -> str:
        try:
            lines = (self.root / file).read_text("utf-8", "replace").splitlines()
            return lines[line - 1].strip() if line else ""
        except (OSError, IndexError):
            return ""


def _is_own(value: object, own: set[str], module: ModuleType, here: bool) -> bool:
    """Is it defined in this module; or, if `here` is not asked for, in any of theirs?

    What is neither class nor function may have been made here from something else.
    """
    if not isinstance(value, type | FunctionType | BuiltinFunctionType):
        return not here
    defined = value.__module__
    return defined == module.__name__ if here else defined in own


def _told(error: BaseException) -> str:
    """Its text, in one line."""
    try:
        return " ".join(str(error).split())
    except BaseException:
        return "(it cannot be told as text)"


def _is_taken(name: str) -> bool:
    """Whether something else has the name of a module."""
    known = name in sys.stdlib_module_names or name in sys.modules or name == OURS
    return known or ("." not in name and PathFinder.find_spec(name) is not None)


def _unless_colab(chdir: Callable[[Any], None]) -> Callable[[Any], None]:
    def to(path: Any) -> None:
        if not str(path).startswith(COLAB):
            chdir(path)

    return to
