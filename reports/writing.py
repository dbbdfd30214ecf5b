"""Writes a report's directory so that it is either whole or absent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from gradparity.reference.data import cleanup
from gradparity.reference.datasets import Dataset

if TYPE_CHECKING:
    from gradparity.reports.results import Results

MARK = "results.json"  # what makes a directory a report
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
    meant = target.resolve()
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


def check_writable(option: str, folder: Path) -> None:
    """Raise `UnusableTarget` if it cannot be written in, or cannot be made. Nothing is
    left there.
    """
    meant = folder.resolve()
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
    if not path.parent.is_dir():
        raise UnusableTarget(f"{option}: there is no folder {path.parent}")
    if path.exists() and not (path.is_file() and is_ours(path, mark)):
        raise UnusableTarget(
            f"{option} must name a new file or an earlier {what}, but {path} is neither"
        )
    check_writable(option, path.parent)


def is_ours(path: Path, mark: str) -> bool:
    with path.open("rb") as file:
        begins = file.read(1000)
    return not begins or mark.encode() in begins


def write(results: "Results", data: Dataset, target: Path) -> None:
    """results.json, report.md, report.html and figures/, beside the target first.

    Raises `UnusableTarget` if something cannot be written; what was there is there still.
    """
    from gradparity.reports.figures.gallery import draw  # matplotlib takes its time
    from gradparity.reports.pages import report_html, report_markdown

    pixels = (x.reshape(-1, *data.image_shape) for x in (data.x_test, data.x_train))
    drawn = draw(results, *pixels)
    pages = beside(target, PAGES)
    write_folder(
        target,
        {
            MARK: results.text(),
            "report.md": report_markdown.render(results, drawn),
            "report.html": report_html.render(results, drawn, pages),
            **{f"figures/{figure.name}.svg": figure.svg for figure in drawn},
        },
    )


def beside(target: Path, name: str, up: str = "..") -> str:
    """The address of something that lies beside `target`, as seen from within that folder
    (from a file, `up` is "."); empty if nothing lies there.
    """
    return f"{up}/{name}" if (target.parent / name).is_file() else ""


def write_folder(target: Path, files: Mapping[str, str]) -> None:
    """Texts by their paths in the folder; what was there before is replaced as a whole.

    Raises `UnusableTarget` if something cannot be written; what was there is there still.
    """
    with to_be_written(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with cleanup.passing_folder(target.parent, f".{target.name}-") as folder:
            whole, replaced = folder / "whole", folder / "replaced"
            for name, text in files.items():
                path = whole / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            _move_into_place(whole, target, replaced)


@contextmanager
def to_be_written(path: Path) -> Iterator[None]:
    """What fails to write in the block makes that path an `UnusableTarget`."""
    try:
        yield
    except OSError as error:
        raise UnusableTarget(
            f"{path} cannot be written: {error.strerror or error}"
        ) from error


def write_file(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write it whole or not at all. Raises `UnusableTarget` if it cannot be written."""
    with to_be_written(path):
        cleanup.write_whole(path, text.encode(encoding))


def _move_into_place(whole: Path, target: Path, replaced: Path) -> None:
    """Put `whole` where `target` is, and that where `replaced` is; or change nothing."""

    def put_back() -> None:
        if replaced.exists() and not target.exists():
            replaced.rename(target)

    with cleanup.at_end(put_back):
        if target.exists():
            target.rename(replaced)
        whole.rename(target)
