"""`gradparity grade`: submissions, one or a class."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from gradparity.reports.commands.choices import Unusable, require_report
from gradparity.reports.commands.options import AsJson, takes

if TYPE_CHECKING:
    from gradparity.parity_tests.grading.records import GradedFile


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `grade` is called."""

    path: Annotated[
        Path,
        Argument(
            help="A file, a folder with layers.py or the like, or a folder of "
            "submissions: a class."
        ),
    ]
    html: Annotated[
        Path | None,
        Option(
            metavar="PATH",
            help="Also write a page to hand back there; for a class a directory with a "
            "page for each and index.html.",
        ),
    ] = None
    csv: Annotated[
        Path | None,
        Option(metavar="FILE", help="Also write a row for each submission there."),
    ] = None
    given: Annotated[
        Path | None,
        Option(
            "--with",
            metavar="FOLDER",
            help="What the course hands out, which submissions may import. Without it "
            "the lecture's own common/ is there for who brings none.",
        ),
    ] = None
    one: Annotated[
        bool,
        Option("--one", help="The folder is one submission, whatever is in it."),
    ] = False
    time_limit: Annotated[
        int, Option(min=1, max=86_400, metavar="SECONDS", help="For each submission.")
    ] = 30
    jobs: Annotated[
        int | None,
        Option(
            min=1,
            help="Submissions at a time.  [default: the number of processors]",
            show_default=False,
        ),
    ] = None
    as_json: AsJson = False


@takes(Options)
def grade(options: Options) -> None:
    """Grade somebody else's layers, each submission in a process of its own, and name
    the mistakes.
    """
    from gradparity.reports import grades

    paths, is_class = submissions(options)
    files = graded(options, paths)
    status = grades.exit_status(files, is_class)
    show(options, files, is_class)
    write(options, files, is_class)
    if status == 2:
        raise Unusable(grades.cannot_be_loaded(files[0]))
    raise typer.Exit(status)


def submissions(options: Options) -> tuple[list[Path], bool]:
    """The submissions, and whether they are a class. Raises `Unusable` where there are
    none, and `UnusableTarget` where something cannot be written that is asked for.
    """
    from gradparity.parity_tests.grading import grade
    from gradparity.reports import grades

    path, html, csv = options.path, options.html, options.csv
    try:
        paths, is_class = grade.submissions(path, options.one), False
        is_class = not options.one and grade.is_class(path)
        grade.check_given(options.given)
    except grade.Unusable as error:
        raise Unusable(str(error)) from error
    if csv is not None:
        grades.check_csv(csv)
        if html is not None and os.path.realpath(html) == os.path.realpath(csv):
            raise Unusable(f"--html and --csv cannot both be {html}")
    if html is not None:
        require_report("--html")
        from gradparity.reports.pages import grading_html

        grading_html.check_target(html, is_class)
    if is_class:  # what an earlier call has written into its folder is nobody's work
        written = [os.path.realpath(each) for each in (html, csv) if each is not None]
        paths = [
            each
            for each in paths
            if not grades.is_ours(each)
            and not (
                options.given
                and os.path.realpath(each) == os.path.realpath(options.given)
            )
            and not (written and os.path.realpath(each) in written)
        ]
    return paths, is_class


def graded(options: Options, paths: Sequence[Path]) -> "list[GradedFile]":
    """What is found of each submission."""
    from gradparity.parity_tests.grading import grade, launching
    from gradparity.parity_tests.processes.settings import most_processes
    from gradparity.reports.console import bar, note

    for sentence in launching.lacking_here():
        note(f"warning: on this system {sentence}")
    limits = grade.Limits(seconds=options.time_limit)
    files = []
    with bar("Grading", len(paths)) as advance:
        jobs = min(options.jobs or os.cpu_count() or 1, most_processes())
        for found in grade.grade_all(paths, jobs, limits, options.given):
            files.append(found)
            advance()
    return files


def write(options: Options, files: "Sequence[GradedFile]", is_class: bool) -> None:
    """Write the pages and the table that were asked for, and print where they are.

    Raises `UnusableTarget` where one cannot be written.
    """
    from gradparity.reports import grades, writing

    asked: list[tuple[Path, Callable[[], None]]] = []
    if options.csv is not None:
        asked.append((options.csv, partial(grades.write_csv, options.csv, files)))
    if options.html is not None:
        from gradparity.reports.pages import grading_html

        name = options.path.resolve().name if is_class else None
        page = partial(grading_html.write, options.html, files, name)
        asked.append((options.html, page))
    failures = []
    for path, act in asked:
        try:
            act()
        except writing.UnusableTarget as failure:  # the other one is written still
            failures.append(str(failure))
        else:
            if not options.as_json:
                grades.show_places([path])
    if failures:
        raise writing.UnusableTarget("; ".join(failures))


def show(options: Options, files: "list[GradedFile]", is_class: bool) -> None:
    """Print the gradings; nothing of a single submission that cannot be loaded."""
    from gradparity.parity_tests.grading import launching
    from gradparity.reports import grades
    from gradparity.reports.console import print_json

    if options.as_json:
        print_json(files=grades.plain(files), lacking=launching.lacking_here())
        return
    if is_class:
        grades.show_all(files)
    elif grades.exit_status(files, is_class) != 2:
        grades.show(files[0])
