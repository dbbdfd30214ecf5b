"""Writes a report's directory so that it is either whole or absent."""

import os
import shutil
import tempfile
from pathlib import Path

from reference.datasets import Dataset
from reports import figures, markdown, page
from reports.results import Results

MARK = "results.json"  # what makes a directory a report


class UnusableTarget(ValueError):
    """The report cannot be written there."""


def check_target(target: Path) -> None:
    """Raise `UnusableTarget` where a report cannot be written, or would replace
    something that is not one.
    """
    if target.exists() and not (target / MARK).is_file():
        empty = target.is_dir() and not any(target.iterdir())
        if not empty:
            raise UnusableTarget(
                f"--output must be a new or empty directory or an earlier report, "
                f"but {target} is neither"
            )
    parent = target.absolute().parent
    existing = next(p for p in (parent, *parent.parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UnusableTarget(f"--output: {existing} is not a directory to write in")


def write(results: Results, data: Dataset, target: Path) -> None:
    """results.json, report.md, report.html and figures/, beside the target first."""
    drawn = figures.draw(results, data.x_test.reshape(-1, *data.image_shape))
    pages = {
        "report.md": markdown.render(results, drawn),
        "report.html": page.render(results, drawn),
        **{f"figures/{figure.name}.svg": figure.svg for figure in drawn},
    }
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        whole = beside / "whole"
        (whole / "figures").mkdir(parents=True)
        results.write(whole / MARK)
        for name, text in pages.items():
            (whole / name).write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(beside / "replaced")
        whole.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
