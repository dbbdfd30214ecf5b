"""Writes a report's directory so that it is either whole or absent."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile, gettempdir, mkdtemp
from typing import TYPE_CHECKING

from gradparity.reference.data import cleanup
from gradparity.reference.datasets import Dataset
from gradparity.reports.console import note, output

if TYPE_CHECKING:
    from gradparity.reports.results import Results

MARK = "results.json"  # what makes a directory a report
MOST_TURNS = 100  # in which others are faster to put something in our place
PAGES = "gradparity-docs/index.html"  # beside a report, where `make` puts both


class UnusableTarget(ValueError):
    """The report cannot be written there."""


def check_target(
    target: Path, mark: str = MARK, what: str = "report", option: str = "--output"
) -> Path:
    """The directory that is meant, links followed.

    Raises `UnusableTarget` where a report cannot be written, or would replace something
    that is not one (that has no file called `mark`). Nothing is left there.
    """
    meant = resolved(option, target)
    if meant == Path.cwd():
        raise UnusableTarget(
            f"{option} must name a directory of its own, got the current one"
        )
    if meant.exists() and not (meant / mark).is_file():
        empty = meant.is_dir() and not any(meant.iterdir())
        if not empty:
            raise UnusableTarget(
                f"{option} must be a new or empty directory or an earlier {what}, "
                f"but {target} is neither"
            )
    check_writable(option, meant.parent)
    return meant


def resolved(option: str, path: Path) -> Path:
    """The path that is meant, links followed. Raises `UnusableTarget` if they never end."""
    meant = Path(os.path.realpath(path))
    if meant.is_symlink():
        raise UnusableTarget(f"{option}: {path} is a loop of links")
    return meant


def check_writable(option: str, folder: Path) -> None:
    """Raise `UnusableTarget` if it cannot be written in, or cannot be made. Nothing is
    left there.
    """
    meant = resolved(option, folder)
    existing = next(path for path in (meant, *meant.parents) if path.exists())
    try:
        with TemporaryFile(dir=existing, prefix=".", suffix=cleanup.UNFINISHED):
            pass
    except OSError as error:
        raise UnusableTarget(
            f"{option}: {existing} is not a directory to write in ({error.strerror})"
        ) from error


def check_file(option: str, path: Path, mark: str, what: str) -> None:
    """Raise `UnusableTarget` if a file cannot be written there, or would replace one that
    is neither empty nor has `mark` near its beginning, as what we have written has.
    """
    meant = resolved(option, path)
    if meant.exists() and not (meant.is_file() and is_ours(meant, mark)):
        raise UnusableTarget(
            f"{option} must name a new file or an earlier {what}, but {path} is neither"
        )
    check_place(option, path)


def check_place(option: str, path: Path) -> None:
    """Raise `UnusableTarget` if no file can be written there: its folder must be there, and
    nothing but a file in its place.
    """
    meant = resolved(option, path)
    if not meant.parent.is_dir():
        folder = meant.parent if path.is_symlink() else path.parent
        raise UnusableTarget(f"{option}: there is no folder {folder}")
    if meant.exists() and not meant.is_file():
        raise UnusableTarget(f"{option} must name a file, but {path} is none")
    check_writable(option, meant.parent)


def is_ours(path: Path, mark: str) -> bool:
    with path.open("rb") as file:
        begins = file.read(1000)
    return not begins or mark.encode() in begins


def write(results: "Results", data: Dataset, target: Path) -> None:
    """results.json, report.md, report.html and figures/, beside the target first.

    Raises `UnusableTarget` if something cannot be written; what was there is there still,
    and the run is kept elsewhere.
    """
    files = {MARK: results.text()}
    try:
        files |= pages(results, data, target)
    except Exception:
        note(kept(files))
        raise
    write_folder(target, files)


def pages(results: "Results", data: Dataset, target: Path) -> dict[str, str]:
    """What people read of a report, by its path in the folder."""
    from gradparity.reports.figures.gallery import draw  # matplotlib takes its time
    from gradparity.reports.pages import report_html, report_markdown

    pixels = (x.reshape(-1, *data.image_shape) for x in (data.x_test, data.x_train))
    drawn = draw(results, *pixels)
    return {
        "report.md": report_markdown.render(results, drawn),
        "report.html": report_html.render(results, drawn, beside(target, PAGES)),
        **{f"figures/{figure.name}.svg": figure.svg for figure in drawn},
    }


def beside(target: Path, name: str, up: str = "..") -> str:
    """The address of something that lies beside `target`, as seen from within that folder
    (from a file, `up` is "."); empty if nothing lies there.
    """
    return f"{up}/{name}" if (target.parent / name).is_file() else ""


def write_folder(target: Path, files: Mapping[str, str]) -> None:
    """Texts by their paths in the folder; what was there before is replaced as a whole.

    Raises `UnusableTarget` if something cannot be written; what was there is there still,
    and the texts are kept elsewhere.
    """
    start = f".{target.name}-"
    with to_be_written(target, files):
        target.parent.mkdir(parents=True, exist_ok=True)
        with cleanup.passing_folder(target.parent, start, cleanup.UNFINISHED) as folder:
            for name, text in files.items():
                _write(folder / "whole" / name, text)
            _move_into_place(folder, target)
        cleanup.remove_abandoned(target.parent, start, cleanup.UNFINISHED)


def write_file(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write it whole or not at all. Raises `UnusableTarget` if it cannot be written; it is
    kept elsewhere then.
    """
    content = text.encode(encoding)
    with to_be_written(path, {path.name: content}):
        cleanup.write_whole(path, content)


@contextmanager
def to_be_written(path: Path, files: Mapping[str, str | bytes]) -> Iterator[None]:
    """What fails to write in the block makes that path an `UnusableTarget`, and the files
    are kept elsewhere. What was printed before has reached its reader by then.
    """
    output.file.flush()
    try:
        yield
    except OSError as error:
        raise UnusableTarget(
            f"{path} cannot be written: {error.strerror or error}; {kept(files)}"
        ) from error


def kept(files: Mapping[str, str | bytes]) -> str:
    """Write files in a new folder where there is room for them, or for the first of them,
    and return the end of a sentence that says where.
    """
    for parent in _other_places():
        with suppress(OSError):
            folder = Path(mkdtemp(prefix="gradparity-kept-", dir=parent))
            written = []
            with suppress(OSError):
                for name, content in files.items():
                    _write(folder / name, content)
                    written.append(name)
            if written:
                what = "it" if len(written) == len(files) else written[0]
                return f"{what} is kept in {folder}"
            cleanup.remove(folder)
    return "nor anywhere else"


def _other_places() -> Iterator[str]:
    with suppress(OSError):  # where there is no room, there is no temporary folder
        yield gettempdir()
    yield os.getcwd()


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError:
        path.unlink(missing_ok=True)  # half of it is worth nothing
        raise


def _move_into_place(folder: Path, target: Path) -> None:
    """Put `whole` of the folder where `target` is, or change nothing. Another command may
    do the same: one of them is the last.
    """

    def put_back(replaced: Path) -> None:
        if replaced.exists() and not target.exists():
            replaced.rename(target)

    for turn in range(MOST_TURNS):
        replaced = folder / f"replaced-{turn}"
        with cleanup.at_end(partial(put_back, replaced)):
            with suppress(FileNotFoundError):
                target.rename(replaced)
            try:
                (folder / "whole").rename(target)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
    raise OSError(errno.EBUSY, "others write there again and again", str(target))
