"""`gradparity grade`: submissions, one or a class."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from gradparity.reports.commands.choices import Unusable, choose, require_report
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
    results: Annotated[
        Path | None,
        Option(
            metavar="PATH",
            help="Also write results.json for Gradescope there; for a class a directory "
            "with one for each.",
        ),
    ] = None
    expect: Annotated[
        str | None,
        Option(
            metavar="NAMES",
            help="Classes and functions that are to be there, with commas: what is "
            "absent is a failure, and points are given for these.",
        ),
    ] = None
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
    lang: Annotated[str, Option(metavar="en|ja", help="The language.")] = "en"
    as_json: AsJson = False


@takes(Options)
def grade(options: Options) -> None:
    """Grade somebody else's layers, each submission in a process of its own, and name
    the mistakes.
    """
    from gradparity.reports import grades
    from gradparity.reports.japanese import speaking, spoken

    choose("language", [options.lang], ("en", "ja"))
    expected = names_expected(options)
    with speaking(options.lang):
        paths, is_class = submissions(options)
        files = [grades.held_to(each, expected) for each in graded(options, paths)]
        status = grades.exit_status(files, is_class)
        show(options, files, is_class)
        write(options, files, is_class)
        if status == 2:
            raise Unusable(spoken(grades.cannot_be_loaded(files[0])))
    raise typer.Exit(status)


def names_expected(options: Options) -> list[str]:
    """What is to be there. Raises `Unusable` if it is none of what is graded."""
    from gradparity.parity_tests.grading.course import SUBJECTS

    if options.expect is None:
        return []
    names = [name.strip() for name in options.expect.split(",")]
    return choose("class or function", names, SUBJECTS)


def submissions(options: Options) -> tuple[list[Path], bool]:
    """The submissions, and whether they are a class. Raises `Unusable` where there are
    none, and `UnusableTarget` where something cannot be written that is asked for.
    """
    from gradparity.parity_tests.grading import grade
    from gradparity.reports import grade_book
    from gradparity.reports.japanese import spoken

    path, html, csv = options.path, options.html, options.csv
    try:
        grade.check_given(options.given)
    except grade.Unusable as error:
        raise Unusable(spoken(str(error))) from error
    is_class = not options.one and grade.is_class(path)
    try:
        paths = grade.submissions(path, one=not is_class)
    except grade.Unusable as error:
        if is_class or options.results is None or not path.exists():
            raise Unusable(spoken(str(error))) from error
        paths = [path]  # whoever reads its results is to be told why it has none
    if csv is not None:
        grade_book.check_csv(csv)
    if options.results is not None:
        grade_book.check_results(options.results, is_class)
    asked = [("--html", html), ("--csv", csv), ("--results", options.results)]
    targets = [(option, place) for option, place in asked if place is not None]
    if refusal := grade_book.same_places(targets):
        raise Unusable(spoken(refusal))
    if html is not None:
        require_report("--html")
        from gradparity.reports.pages import grading_html

        grading_html.check_target(html, is_class)
    if is_class:  # what is written into its folder or handed out is nobody's work
        written = [os.path.realpath(place) for _, place in targets]
        if options.given is not None:
            written.append(os.path.realpath(options.given))
        paths = [
            each
            for each in paths
            if not grade_book.is_ours(each)
            and not (written and os.path.realpath(each) in written)
        ]
    return paths, is_class


def graded(options: Options, paths: Sequence[Path]) -> "list[GradedFile]":
    """What is found of each submission."""
    from gradparity.parity_tests.grading import grade, launching
    from gradparity.parity_tests.processes.settings import most_processes
    from gradparity.reports.console import bar, note
    from gradparity.reports.japanese import spoken

    for sentence in launching.lacking_here():
        note(spoken(f"warning: on this system {sentence}"))
    limits = grade.Limits(seconds=options.time_limit)
    files = []
    with bar("Grading", len(paths)) as advance:
        jobs = min(options.jobs or os.cpu_count() or 1, most_processes())
        for found in grade.grade_all(paths, jobs, limits, options.given):
            files.append(found)
            advance()
    return files


def write(options: Options, files: "Sequence[GradedFile]", is_class: bool) -> None:
    """Write the pages, the table and the results that were asked for, and print where.

    Raises `UnusableTarget` where one cannot be written.
    """
    from gradparity.reports import grade_book, grades, writing

    asked: list[tuple[Path, Callable[[], None]]] = []
    expected = names_expected(options)
    if options.csv is not None:
        table = partial(grade_book.write_csv, options.csv, files, expected)
        asked.append((options.csv, table))
    if options.results is not None:
        all_of_it = options.results, files, is_class, expected
        asked.append((options.results, partial(grade_book.write_results, *all_of_it)))
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
    from gradparity.reports import grades, grades_class
    from gradparity.reports.console import print_json
    from gradparity.reports.japanese import graded_spoken, spoken

    if options.as_json:
        lacking = [*map(spoken, launching.lacking_here())]
        print_json(files=grades.plain([*map(graded_spoken, files)]), lacking=lacking)
        return
    if is_class:
        grades_class.show_all(files)
    elif grades.exit_status(files, is_class) != 2:
        grades.show(files[0])
