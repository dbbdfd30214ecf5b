"""Writes a report's directory so that it is either whole or absent."""

from contextlib import AbstractContextManager
from pathlib import Path

from reference.cleanup import at_end, passing_folder
from reference.datasets import Dataset
from reports import figures, markdown, page
from reports.results import Results

MARK = "results.json"  # what makes a directory a report


class UnusableTarget(ValueError):
    """The report cannot be written there."""


def check_target(target: Path) -> Path:
    """The directory that is meant, links followed.

    Raises `UnusableTarget` where a report cannot be written, or would replace something
    that is not one. Nothing is left there.
    """
    meant = target.resolve()
    if meant == Path.cwd():
        raise UnusableTarget(
            "--output must name a directory of its own, got the current one"
        )
    if meant.exists() and not (meant / MARK).is_file():
        empty = meant.is_dir() and not any(meant.iterdir())
        if not empty:
            raise UnusableTarget(
                f"--output must be a new or empty directory or an earlier report, "
                f"but {target} is neither"
            )
    existing = next(parent for parent in meant.parents if parent.exists())
    try:
        with _beside(meant, existing):
            return meant
    except OSError as error:
        raise UnusableTarget(
            f"--output: {existing} is not a directory to write in ({error.strerror})"
        ) from error


def write(results: Results, data: Dataset, target: Path) -> None:
    """results.json, report.md, report.html and figures/, beside the target first.

    Raises `UnusableTarget` if something cannot be written; what was there is there still.
    """
    pixels = (x.reshape(-1, *data.image_shape) for x in (data.x_test, data.x_train))
    drawn = figures.draw(results, *pixels)
    pages = {
        "report.md": markdown.render(results, drawn),
        "report.html": page.render(results, drawn),
        **{f"figures/{figure.name}.svg": figure.svg for figure in drawn},
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target, target.parent) as beside:
            whole, replaced = beside / "whole", beside / "replaced"
            (whole / "figures").mkdir(parents=True)
            results.write(whole / MARK)
            for name, text in pages.items():
                (whole / name).write_text(text, encoding="utf-8")
            _move_into_place(whole, target, replaced)
    except OSError as error:
        raise UnusableTarget(
            f"{target} cannot be written: {error.strerror or error}"
        ) from error


def _beside(target: Path, parent: Path) -> AbstractContextManager[Path]:
    return passing_folder(parent, f".{target.name}-")


def _move_into_place(whole: Path, target: Path, replaced: Path) -> None:
    """Put `whole` where `target` is, and that where `replaced` is; or change nothing."""

    def put_back() -> None:
        if replaced.exists() and not target.exists():
            replaced.rename(target)

    with at_end(put_back):
        if target.exists():
            target.rename(replaced)
        whole.rename(target)
