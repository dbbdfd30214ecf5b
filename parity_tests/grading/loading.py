"""Loads a submission as if it were where its author wrote it, be that Google's Colab.

This happens in the submission's process. The files lie in a folder, and the working
folder is an empty one in there, so that `sys.path.append(os.pardir)` finds them; what
only Colab has, and the data, are stood in for. One file is one module, under whatever
name and from whatever folder it is imported. A file or folder may be called as a module
of the standard library is: the submission finds it, and nobody else does.
"""

import builtins
import importlib
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import (
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from importlib.util import module_from_spec, spec_from_file_location, spec_from_loader
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType, TracebackType
from typing import Any

from gradparity.parity_tests.grading.libraries import OURS
from gradparity.parity_tests.grading.outcomes import GRADED, Raised

# A submission that forgot to rename an import must not be graded for what is ours.
ROOMS = ("reference", "torch_impl", "jax_impl")  # of it, which may be graded, too
# The package of what has a name that something else has, too. No file is called that.
APART = "its/own"
COLAB = "/content"
MAGIC = re.compile(rb"^([ \t]*)[!%]{1,2}(?=[A-Za-z])", re.MULTILINE)


class Submission:
    """The files of a submission, in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = sorted(
            root.rglob("*.py"), key=lambda path: (len(path.parts), path)
        )
        self._known = {str(file) for file in self.files}
        self._package = root.name if root / "__init__.py" in self.files else ""
        places = [file.relative_to(root).with_suffix("").parts for file in self.files]
        names = {part for parts in places for part in (parts[0], parts[-1])}
        if self._package:
            names = {self._package}
        self._taken = {name for name in names if _is_taken(name)}
        if self._package in ROOMS:
            self._package = f"{OURS}.{self._package}"
        elif self._package in self._taken:
            self._package = f"{APART}.{self._package}"

    def load(self, files: Sequence[str]) -> dict[str, Any]:
        """Those of `GRADED` that these files define, the first of them first.

        Raises:
            BaseException: whatever they raise.
        """
        self._arrange()
        modules = [self.module(self.root / file) for file in files]
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

    def module(self, file: Path) -> ModuleType:
        """The one module of a file; it need not have the name of one."""
        parts = file.relative_to(self.root).with_suffix("").parts
        if parts[-1] == "__init__":  # the module of a package is the package
            parts = parts[:-1]
        if not any("." in part for part in parts):
            apart = not self._package and parts[0] in self._taken
            name = ".".join(filter(None, [APART * apart, self._package, *parts]))
            module = importlib.import_module(name)
            loaded = getattr(module, "__file__", None)
            if self.file(loaded) == self.file(str(file)):
                return module
        name = "submitted_" + re.sub(r"\W", "_", "_".join(parts))
        if name not in sys.modules:
            spec = spec_from_file_location(name, file, loader=_Source(name, str(file)))
            assert spec
            assert spec.loader
            sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    def file(self, path: object) -> str | None:
        """The file as it is called in the submission, if it is one of it."""
        if not isinstance(path, str) or not os.path.isabs(path):
            return None
        inside = os.path.realpath(path)
        if inside not in self._known:
            return None
        return Path(inside).relative_to(self.root).as_posix()

    def place(self, error: BaseException) -> tuple[str | None, int | None, str]:
        """File, line and source of the innermost line of the submission."""
        if isinstance(error, SyntaxError) and (file := self.file(error.filename)):
            line = error.lineno or None
            return file, line, self._source(file, line) or (error.text or "").strip()
        lines = [*self._lines(error.__traceback__)]
        if not lines:
            return None, None, ""
        return *lines[-1], self._source(*lines[-1])

    def raised(self, error: BaseException) -> Raised:
        """An exception of the submission, with its place."""
        message = _told(error)
        if isinstance(error, SyntaxError):
            message = str(error.msg)
        return Raised(type(error).__name__, message, *self.place(error))

    def _arrange(self) -> None:
        folder = str(self.root.parent if self._package else self.root)
        sys.path_hooks.insert(0, self._hook)
        sys.meta_path.insert(0, _Packages(folder, self._package))
        sys.meta_path.append(_Elsewhere(self))
        if not self._package.startswith(f"{APART}."):
            sys.path.insert(0, folder)
        if self._taken:
            builtins.__import__ = self._their_own(builtins.__import__)
        builtins.get_ipython = _Nothing()  # type: ignore[attr-defined]
        os.chdir = _unless_colab(os.chdir)  # type: ignore[assignment]

    def _hook(self, path: str) -> Any:
        inside = Path(path).resolve().is_relative_to(self.root)
        if not inside or not os.path.isdir(path):
            raise ImportError
        return _Finder(path, self._taken)

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
    try:
        return str(error)
    except BaseException:
        return "(it cannot be told as text)"


def _is_taken(name: str) -> bool:
    """Whether something else has the name of a module."""
    known = name in sys.stdlib_module_names or name in sys.modules or name == OURS
    return known or ("." not in name and PathFinder.find_spec(name) is not None)


class _Finder(FileFinder):
    """Finds a submission's files, but for whoever wants something else of their name."""

    def __init__(self, path: str, taken: Collection[str]) -> None:
        super().__init__(path, (_Source, [".py"]))
        self._taken = taken

    def find_spec(self, name: str, target: ModuleType | None = None) -> Any:
        return None if name in self._taken else super().find_spec(name, target)


class _Source(SourceFileLoader):
    """Of lines such as `!pip install` and `%matplotlib inline`, which are no Python, a
    file that was saved from a notebook may have some: they do nothing.
    """

    def source_to_code(  # type: ignore[override]
        self, data: Any, path: Any, *, _optimize: int = -1
    ) -> Any:
        try:
            return super().source_to_code(data, path, _optimize=_optimize)
        except SyntaxError:
            without = MAGIC.sub(rb"\1pass  # ", data)
            if without == data:
                raise
        return super().source_to_code(without, path, _optimize=_optimize)


class _Packages(MetaPathFinder):
    """The package that grades is not there for a submission; one of its rooms, if that is
    the submission, is found where it lies, and so is what is kept apart.
    """

    def __init__(self, folder: str, package: str) -> None:
        self._folder, self._package = folder, package

    def find_spec(
        self, name: str, path: object, target: object = None
    ) -> ModuleSpec | None:
        if name not in (OURS, APART):
            return None
        if name == OURS and not self._package.startswith(f"{OURS}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        found = ModuleSpec(name, None, is_package=True)
        found.submodule_search_locations = [self._folder]
        return found


class _Elsewhere(MetaPathFinder):
    """Finds what nobody else has found: a file of the submission that lies in another
    folder than it is looked for, and what is stood in for.
    """

    def __init__(self, submission: Submission) -> None:
        self._submission = submission

    def find_spec(
        self, name: str, path: object, target: object = None
    ) -> ModuleSpec | None:
        last = name.rpartition(".")[2]
        for file in self._submission.files:
            if file.stem == last and last not in ("common", "dataset"):
                return spec_from_loader(name, _Same(self._submission, file))
        if (maker := _stand_in(name)) is None:
            return None
        return spec_from_loader(name, _StandIn(maker), is_package=True)


class _Same(Loader):
    """A module that is loaded, or to be, under another name."""

    def __init__(self, submission: Submission, file: Path) -> None:
        self._submission, self._file = submission, file

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._submission.module(self._file)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _StandIn(Loader):
    def __init__(self, fill: Callable[[ModuleType], None]) -> None:
        self._fill = fill

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._fill(module)


class _Nothing:
    """Does nothing, whatever is asked of it."""

    def __call__(self, *arguments: object, **named: object) -> "_Nothing":
        return self

    def __getattr__(self, name: str) -> "_Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> "_Nothing":
        return self

    def __iter__(self) -> Iterator[object]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def _stand_in(name: str) -> Callable[[ModuleType], None] | None:
    """What fills the module of this name, if it is one that is stood in for."""
    if name in ("google", "common"):
        return _fill_with_no_more
    if name == "IPython" or name.startswith(("google.colab", "IPython.")):
        return _fill_with_nothing
    if name in ("dataset", "dataset.mnist", "mnist"):
        return _fill_without_data
    return None


def _fill_with_no_more(module: ModuleType) -> None:
    """The package is there, for the modules in it."""


def _fill_with_nothing(module: ModuleType) -> None:
    def nothing(name: str) -> _Nothing:
        return getattr(_Nothing(), name)

    module.__getattr__ = nothing  # type: ignore[method-assign]


def _fill_without_data(module: ModuleType) -> None:
    def load_mnist(*arguments: object, **named: object) -> None:
        raise RuntimeError(
            "there are no data where a submission is graded: what needs them belongs "
            'into a function, or under if __name__ == "__main__":'
        )

    module.load_mnist = load_mnist  # type: ignore[attr-defined]


def _unless_colab(chdir: Callable[[Any], None]) -> Callable[[Any], None]:
    def to(path: Any) -> None:
        if not str(path).startswith(COLAB):
            chdir(path)

    return to
