"""Gradings for other programs: a table for a spreadsheet, and results for Gradescope.

`results.json` is in the format that Gradescope reads of an autograder, and that
otter-grader writes for it: "Output format" in
https://gradescope-autograders.readthedocs.io/en/latest/specs/ and `to_gradescope_dict` in
otter/test_files/__init__.py. What a submission controls is in it as plain text.
"""

import csv
import json
import os
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from gradparity.parity_tests.grading.records import GradedClass, GradedFile
from gradparity.reports import grades, grades_class, writing
from gradparity.reports.japanese import spoken, table_spoken
from gradparity.reports.visible import visible

# What makes a cell a formula, in whatever width it is typed.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
COLUMNS = (
    *("who", "status", "passed", "wrong"),
    *("mistakes", "warnings", "problem", "passed over"),
    *("points", "of", "not graded", "looked at"),
)
HEAD = f'"{COLUMNS[0]}","{COLUMNS[1]}",'  # how a table begins
PAGES = "grades.json"  # what makes a directory a graded class
SCORES = "scores.json"  # what makes a directory results of a class
RESULTS = "results.json"
WRITTEN_BY = "gradparity grade"
MARK = f'"written_by": "{WRITTEN_BY}"'  # near the beginning of results

Results = dict[str, Any]


# --- A table ----------------------------------------------------------------------------


def csv_cell(text: str) -> str:
    """The text as no spreadsheet takes it for a formula."""
    shown = visible(text)
    return "'" + shown if text.startswith(FORMULA) else shown


def csv_text(files: Sequence[GradedFile], expected: Sequence[str] = ()) -> str:
    """A row for each submission, for a spreadsheet, with a column for each class and
    function that any of them offers.
    """
    names = grades_class.subjects(files)
    text = StringIO()
    # All in quotes, so that nothing in a cell can begin another one, even for a
    # spreadsheet that separates cells by something else than commas.
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(map(csv_cell, (*COLUMNS, *names)))
    for graded in files:
        has_score = graded.status != "ungraded"
        score, most = points(scored(graded, expected)) if has_score else ("", "")
        cells = (
            grades.who(graded),
            graded.status,
            grades_class.passed(graded),
            ", ".join(one.name for one in grades.failed(graded)),
            ", ".join(grades_class.mistakes(graded.diagnosis)),
            str(len(graded.warnings)),
            spoken(grades.problem(graded)),
            "; ".join(
                f"{name} {spoken(why)}" for name, why in graded.passed_over.items()
            ),
            *(str(score), str(most)),
            "; ".join(spoken(grades.why_left_out(r)) for r in grades.left_out(graded)),
            ", ".join(graded.looked_at),
            *(grades_class.of_subject(graded, name) for name in names),
        )
        writer.writerow(map(csv_cell, cells))
    return text.getvalue()


# --- Points -----------------------------------------------------------------------------


def points(tests: Sequence[Results]) -> tuple[int, int]:
    """How many there are for these, and of how many."""
    worth = [test for test in tests if "max_score" in test]
    return sum(t["score"] for t in worth), sum(t["max_score"] for t in worth)


def scored(graded: GradedFile, expected: Sequence[str] = ()) -> list[Results]:
    """A test of results.json for each class and function, and one for what went wrong with
    the whole. Each class and function is a point, of those that are expected, or of all
    that it offers where nothing is; what is not expected has no score where something is.

    Where nothing is expected, what it has in a file that cannot be loaded counts as wrong;
    and whoever ran too long or broke a rule, or cannot be graded at all, has a point to
    lose for that.
    """
    offered = {one.name: one for one in graded.classes}
    tests = []
    if graded.problem:
        worth = {} if expected else {"score": 0, "max_score": 1}
        told = grades.ended(grades.problem(graded))
        if graded.status != "unloadable":
            told = f"It {told}"
        tests.append(a_test("The whole submission", False, told, worth))
    for name in dict.fromkeys([*expected, *offered, *grades.not_loaded(graded)]):
        one = offered.get(name)
        passed = one is not None and one.verdict == "pass"
        counts = name in expected or not expected
        worth = {"score": int(passed), "max_score": 1} if counts else {}
        told = about(graded, one) if one else absent(graded, name)
        tests.append(a_test(visible(name), passed, told, worth))
    return tests


def a_test(name: str, passed: bool, output: str, worth: Results) -> Results:
    return {
        **worth,
        "name": spoken(name),
        "status": "passed" if passed else "failed",
        "output": spoken(output),
        "output_format": "text",
        "visibility": "visible",
    }


def about(graded: GradedFile, one: GradedClass) -> str:
    """What is wrong with a class, what is worth knowing of it, and its table."""
    lines = [
        *(grades.diagnosed(row) for row in graded.diagnosis if row.class_ == one.name),
        *(grades.worth_knowing(r) for r in grades.own(graded) if r.class_ == one.name),
    ]
    table = table_spoken(grades.class_table(one))
    return "\n\n".join([*map(spoken, lines), table.text()])


def absent(graded: GradedFile, name: str) -> str:
    """Why there is nothing to be said of a class or function."""
    for row in graded.skipped:
        if name in row.names:
            return grades.ended(grades.why_left_out(row))
    if name in graded.missing:
        return f"{visible(name)} is expected, and not in the submission."
    return f"{visible(name)} is expected, and it did not come to it."


def results(graded: GradedFile, expected: Sequence[str] = ()) -> Results:
    """The object of results.json."""
    tests = scored(graded, expected)
    score, most = points(tests)
    of_the_whole = [row for row in grades.own(graded) if row.class_ is None]
    said = [grades.closing(graded), *map(grades.worth_knowing, of_the_whole)]
    said += [grades.ended(grades.why_left_out(r)) for r in grades.left_out(graded)]
    return {
        "extra_data": {
            "written_by": WRITTEN_BY,
            "status": graded.status,
            "max_score": most,
        },
        "score": score,
        "execution_time": round(graded.seconds, 3),
        "output": "\n".join(map(spoken, said)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def as_json(found: Results) -> str:
    return json.dumps(grades.plain(found), indent=1, ensure_ascii=False) + "\n"


# --- Where it goes ----------------------------------------------------------------------


def is_ours(path: Path) -> bool:
    """Whether an earlier call has written it: a table, a page, or a folder of a class."""
    marks = {".csv": HEAD, ".html": grades.GENERATOR, ".json": MARK}
    try:
        if path.is_dir():
            return (path / PAGES).is_file() or (path / SCORES).is_file()
        mark = marks.get(path.suffix)
        return mark is not None and path.is_file() and writing.is_ours(path, mark)
    except (OSError, ValueError):  # the name may be none
        return False


def check_csv(path: Path) -> None:
    """Raise `UnusableTarget` if the CSV cannot be written there."""
    writing.check_file("--csv", path, HEAD, "class summary")


def write_csv(
    path: Path, files: Sequence[GradedFile], expected: Sequence[str] = ()
) -> None:
    """Raises `UnusableTarget` if it cannot be written."""
    text = csv_text(files, expected)
    # A spreadsheet takes a file for UTF-8 only if it begins with a mark.
    writing.write_file(path, text, "utf-8" if text.isascii() else "utf-8-sig")


def check_results(path: Path, is_class: bool) -> None:
    """Raise `UnusableTarget` if results, or a folder of them, cannot be written there."""
    if is_class:
        writing.check_target(path, SCORES, "results of a class", option="--results")
    else:
        writing.check_file("--results", path, MARK, "results of a grading")


def write_results(
    path: Path, files: Sequence[GradedFile], is_class: bool, expected: Sequence[str]
) -> None:
    """results.json of a submission; of a class a folder with one for each, and the scores.
    What could not be graded, which is nothing that it did, has no score and no results.

    Raises `UnusableTarget` if something cannot be written.
    """
    if not is_class:
        (graded,) = files
        if graded.status == "ungraded":
            why = grades.cannot_be_loaded(graded)
            raise writing.UnusableTarget(f"{path} is not written, since {why}")
        writing.write_file(path, as_json(results(graded, expected)))
        return
    texts: dict[str, str] = {}
    scores = []
    for number, graded in enumerate(files, 1):
        row: Results = {"path": graded.path, "status": graded.status}
        if graded.status != "ungraded":
            place = f"{grades.slug(number, graded)}/{RESULTS}"
            found = results(graded, expected)
            texts[place] = as_json(found)
            row["score"] = found["score"]
            row["max_score"] = found["extra_data"]["max_score"]
            row["results"] = place
        scores.append(row)
    index = as_json({"written_by": WRITTEN_BY, "submissions": scores})
    writing.write_folder(Path(os.path.realpath(path)), {SCORES: index, **texts})


def same_places(paths: Iterable[tuple[str, Path]]) -> str:
    """Two options that name the same place, and which; empty if there are none."""
    found: dict[str, str] = {}
    for option, path in paths:
        meant = os.path.realpath(path)
        if meant in found:
            return f"{found[meant]} and {option} cannot both be {path}"
        found[meant] = option
    return ""
