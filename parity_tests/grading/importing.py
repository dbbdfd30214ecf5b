"""Where a submission's imports find what they name: its own files, under whatever name and
from whatever folder; what was handed out; and stand-ins for what is not there.
"""

import sys
from collections.abc import Collection
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradparity.parity_tests.grading import source_text
from gradparity.parity_tests.grading.libraries import OURS
from gradparity.parity_tests.grading.stand_ins import Fill, missing, stand_in

if TYPE_CHECKING:
    from gradparity.parity_tests.grading.loading import Submission

HERE = str(Path(__file__).parent)
# The package of what has a name that something else has, too. No file is called that.
APART = "its/own"
# Packages of others: `from keras.layers import Dense` does not mean a file layers.py.
OF_OTHERS = (
    *("keras", "tensorflow", "torch", "torchvision", "chainer", "jax", "flax"),
    *("sklearn", "scipy", "pandas", "matplotlib", "seaborn", "cv2", "PIL", "skimage"),
    *("google", "IPython", "kaggle", "tqdm", "numba", "mxnet", "paddle", "dezero"),
)


class Finder(FileFinder):
    """Finds a submission's files, but for whoever wants something else of their name."""

    def __init__(
        self, path: str, taken: Collection[str], submission: "Submission"
    ) -> None:
        loader = lambda name, path: Source(name, path, submission)  # noqa: E731
        super().__init__(path, (loader, [".py"]))  # type: ignore[arg-type]
        self._taken, self._submission = taken, submission

    def find_spec(self, name: str, target: ModuleType | None = None) -> Any:
        spec = None if name in self._taken else super().find_spec(name, target)
        if spec is None:
            return None
        loaded = self._submission.loaded(spec.origin)
        if loaded is None or loaded is sys.modules.get(name):
            return spec
        return spec_from_loader(name, _Same(self._submission, Path(str(spec.origin))))


class Source(SourceFileLoader):
    """Of lines such as `!pip install` and `%matplotlib inline`, which are no Python, a
    file that was saved from a notebook may have some: they do nothing.
    """

    def __init__(self, name: str, path: str, submission: "Submission") -> None:
        super().__init__(name, path)
        self._submission = submission

    def source_to_code(  # type: ignore[override]
        self, data: Any, path: Any, *, _optimize: int = -1
    ) -> Any:
        return source_text.compiled(data, path)

    def exec_module(self, module: ModuleType) -> None:
        data = self.get_data(self.path)
        self._submission.run(module, self.source_to_code(data, self.path), data)


class Packages(MetaPathFinder):
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


class Elsewhere(MetaPathFinder):
    """Finds what nobody else has found: a file of the submission that lies in another
    folder than it is looked for, the nearest to who looks; what was handed out; and what
    is stood in for.
    """

    def __init__(self, submission: "Submission") -> None:
        self._submission = submission
        self._missing: set[str] = set()

    def find_spec(
        self, name: str, path: object, target: object = None
    ) -> ModuleSpec | None:
        submission = self._submission
        asking = _who_asks(submission)
        if file := self._elsewhere(name, asking):
            return spec_from_loader(name, _Same(submission, file))
        if spec := self._handed_out(name):
            return spec
        if (fill := stand_in(name)) is not None:
            if name == "cupy":
                submission.note("cupy", name)
        elif self._may_be_missing(name, asking):
            fill = missing(name)
            self._missing.add(name)
            if "." not in name:
                submission.note("absent", name)
        else:
            return None
        return spec_from_loader(name, _StandIn(fill), is_package=True)

    def _elsewhere(self, name: str, asking: tuple[str, int] | None) -> Path | None:
        top, last = name.partition(".")[0], name.rpartition(".")[2]
        submission, is_dotted = self._submission, name != last
        found = [file for file in submission.files if file.stem == last]
        inside = [file.relative_to(submission.root) for file in submission.files]
        folders = {part for file in inside for part in file.parts[:-1]}
        # A package of this name, and not a file, is meant by `import common.layers`.
        is_package = not is_dotted and name in folders & {"common", "dataset"}
        if is_package or (is_dotted and top in OF_OTHERS):
            return None
        if asking is not None:
            here, start = submission.root / asking[0], submission.start
            if is_dotted:  # who asks for another one does not mean himself
                found = [file for file in found if file != here]
            found.sort(
                key=lambda file: (
                    *(file.parent != here.parent, not file.is_relative_to(start)),
                    *(len(file.parts), file),
                )
            )
        return found[0] if found else None

    def _handed_out(self, name: str) -> ModuleSpec | None:
        for folder in self._submission.lent:
            places = [folder / Path(*name.split("."))]
            if "." not in name:
                places += [each / name for each in sorted(folder.iterdir())]
            for place in places:
                for file in (place / "__init__.py", place.with_suffix(".py")):
                    if file.is_file():
                        return spec_from_file_location(name, file)
                if place.is_dir():
                    spec = ModuleSpec(name, None, is_package=True)
                    spec.submodule_search_locations = [str(place)]
                    return spec
        return None

    def _may_be_missing(self, name: str, asking: tuple[str, int] | None) -> bool:
        """Whether a module is one of a third party, for one of whose files it is asked; and
        who asks does not know what to do without.
        """
        if asking is None or source_text.is_guarded(
            self._submission.root / asking[0], asking[1]
        ):
            return False
        package = name.rpartition(".")[0]
        return not package or package in self._missing


def _who_asks(submission: "Submission") -> tuple[str, int] | None:
    """The file of the submission, and the line, that an import is made for, if it is."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if "importlib" not in name and not name.startswith(HERE):
            file = submission.file(name)
            return (file, frame.f_lineno) if file else None
        frame = frame.f_back  # type: ignore[assignment]
    return None


class _Same(Loader):
    """A module that is loaded, or to be, under another name."""

    def __init__(self, submission: "Submission", file: Path) -> None:
        self._submission, self._file = submission, file

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._submission.module(self._file)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _StandIn(Loader):
    def __init__(self, fill: Fill) -> None:
        self._fill = fill

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._fill(module)
