"""What `gradparity grade` says: tables, sentences, CSV.

Names, messages and lines of code in a grading are somebody else's, and so everything goes
through `visible`, which also cuts it, whatever it is that shows it. That is also why this
has a console of its own: it must not turn `:skull:` in a file's name into a picture.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import StringIO, TextIOWrapper
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from rich.markup import escape
from rich.text import Text

from gradparity.parity_tests.grading.records import (
    Diagnosis,
    Graded,
    GradedClass,
    GradedFile,
    Warned,
)
from gradparity.parity_tests.measuring.wording import listed
from gradparity.reports import console, writing
from gradparity.reports.tables.table import Table
from gradparity.reports.visible import LONG, visible

output = console.for_results(emoji=False)

SHORT = 40  # characters: a name or a cell
# What makes a cell a formula, in whatever width it is typed.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
COLUMNS = (
    *("who", "status", "passed", "wrong"),
    *("mistakes", "warnings", "problem", "passed over"),
)
HEAD = f'"{COLUMNS[0]}","{COLUMNS[1]}",'  # how a table begins
GENERATOR = '<meta name="generator" content="gradparity grade">'  # in each page
PAGES = "grades.json"  # what makes a directory a graded class
STATUS = {
    **{"pass": "pass", "fail": "FAIL", "unloadable": "not loaded"},
    **{"skipped": "passed over", "ungraded": "not graded"},
}
NO_VERDICT = {
    "unloadable": "it cannot be loaded",
    "skipped": "it is passed over",
    "ungraded": "it could not be graded",
}
COMMONEST = 5
FOLLOWS = "follows-from-its-parts"  # of other mistakes, and none of its own
RATIO = (
    "ratio: the worst difference from the truth, divided by the most that rounding can do "
    "to a correctly written layer. Up to 1 it is rounding."
)


# --- What somebody else has written ---------------------------------------------------


def csv_cell(text: str) -> str:
    """The text as no spreadsheet takes it for a formula."""
    shown = visible(text)
    return "'" + shown if text.startswith(FORMULA) else shown


def plain(record: Any) -> Any:
    """A record as dictionaries, by the names that JSON has; for what is no Unicode (a
    file's name may be any bytes) there is its code.
    """
    if isinstance(record, GradedFile):
        record = record.model_dump(by_alias=True)
    if isinstance(record, dict):
        return {name: plain(value) for name, value in record.items()}
    if isinstance(record, list):
        return [plain(value) for value in record]
    if isinstance(record, str):
        return record.encode("utf-8", "backslashreplace").decode("utf-8")
    return record


# --- One submission -------------------------------------------------------------------


def who(graded: GradedFile, longest: int = SHORT) -> str:
    """The name of the file or folder."""
    return visible(PurePath(graded.path).name or graded.path, longest)


def class_table(graded: GradedClass) -> Table:
    """Quantities down: how many cases, the verdict, and the worst place."""
    headers = ["quantity", "cases", "wrong", "verdict", "ratio", "worst place"]
    rows = [
        [
            visible(row.quantity, SHORT),
            *(str(row.cases), str(row.wrong), row.verdict),
            "" if row.bound_ratio is None else f"{row.bound_ratio:.2g}",
            place(row),
        ]
        for row in graded.quantities
    ]
    return Table(visible(graded.name, SHORT), headers, rows)


def place(row: Graded) -> str:
    """Where it is worst; and, where it is wrong, what is there and what should be."""
    said = " in ".join(visible(part, SHORT) for part in (row.case, row.dtype) if part)
    if row.worst and row.worst.index:
        said += f" at {row.worst.index}"
    if row.worst and row.verdict == "FAIL":
        value, truth = apart(row.worst.value, row.worst.truth)
        said += f": {value} instead of {truth}"
    return "; ".join(filter(None, (said, visible(row.note or "", LONG))))


def apart(value: float, truth: float) -> tuple[str, str]:
    """Both with as few digits as are needed to tell them apart, but at least four."""
    for digits in range(4, 18):
        shown = f"{value:.{digits}g}", f"{truth:.{digits}g}"
        if shown[0] != shown[1]:
            break
    return shown


def failed(graded: GradedFile) -> list[GradedClass]:
    return [one for one in graded.classes if one.verdict == "FAIL"]


def what_is_wrong(graded: GradedFile) -> list[str]:
    """The rule that it broke, and what is wrong with its classes."""
    broke = [ended(f"It {graded.problem}")] if graded.problem else []
    return broke + [diagnosed(row) for row in graded.diagnosis]


def diagnosed(row: Diagnosis) -> str:
    parts = [
        f"{heading(row)}: {ended(row.sentence)}",
        ended(relation(row)),
        ended(row.reread and f"Reread: {row.reread}"),
        f"({visible(row.mistake, SHORT)})" if row.known and row.mistake else "",
    ]
    return " ".join(filter(None, parts))


def relation(row: Diagnosis) -> str:
    """How it is related to the right one, unless the sentence has said so."""
    told = row.relation is None or row.relation in row.sentence
    return "" if told or row.mistake == FOLLOWS else str(row.relation)


def heading(row: Diagnosis) -> str:
    """The class, and which of its quantities are meant."""
    quantities = listed([visible(name, SHORT) for name in row.quantities])
    return " ".join(filter(None, (visible(row.class_, SHORT), quantities)))


def worth_knowing(row: Warned) -> str:
    said, name = visible(row.sentence), visible(row.class_ or "", SHORT)
    return said if f"`{name}`" in said or not name else f"{name}: {said}"


def not_offered(graded: GradedFile) -> str:
    """A sentence; empty where everything is offered."""
    names = listed([visible(name, SHORT) for name in graded.missing])
    return f"Not offered, and so not graded: {names}." if names else ""


def passed_over(graded: GradedFile) -> list[str]:
    """Which of its files may hold code and were not looked at, each with why."""
    return [
        f"{visible(name, SHORT)} {visible(why)}"
        for name, why in graded.passed_over.items()
    ]


def cannot_be_loaded(graded: GradedFile, name: str = "") -> str:
    """Why, with the line of theirs that is to blame. They are called by their whole path
    unless by `name`. What could not be graded is nothing that they did.
    """
    called = name or visible(graded.path)
    if graded.status == "ungraded":
        return f"{called} {problem(graded)}"
    said = f"{called} cannot be loaded"
    return said + (f": {problem(graded)}" if graded.problem else "")


def problem(graded: GradedFile) -> str:
    """The problem, and where it is in the submission; empty if there is none."""
    place = []
    if graded.file and PurePath(graded.file).name != PurePath(graded.path).name:
        place.append(visible(PurePath(graded.file).name, SHORT))
    if graded.line is not None:
        place.append(f"line {graded.line}")
    where = ", ".join(place)
    if graded.source and graded.source.strip():
        where += (": " if where else "") + visible(graded.source.strip(), 2 * SHORT)
    return visible(graded.problem or "") + (f" ({where})" if where else "")


def headline(graded: GradedFile) -> str:
    """The verdict, without a name and a full stop."""
    if graded.status in NO_VERDICT:
        return NO_VERDICT[graded.status]
    total, wrong = len(graded.classes), len(failed(graded))
    if wrong:
        return f"{wrong} of {classes(total)} {'is' if wrong == 1 else 'are'} wrong"
    if graded.status == "fail":
        return "it is not passed"
    return f"all {classes(total)} are right" if total > 1 else "it is right"


def classes(count: int) -> str:
    return f"{count} classes and functions" if count > 1 else "1 class or function"


def closing(graded: GradedFile) -> str:
    """The whole grading in a sentence."""
    if graded.status in NO_VERDICT:
        return cannot_be_loaded(graded, who(graded)) + "."
    names = listed([visible(one.name, SHORT) for one in failed(graded)])
    if graded.status == "fail" and not names:
        return ended(f"{who(graded)} is not passed: it {problem(graded)}")
    return f"{who(graded)}: {headline(graded)}{f': {names}' if names else ''}."


def show(graded: GradedFile) -> None:
    """All there is to say of a submission that could be loaded."""
    for one in graded.classes:
        print_table(class_table(one))
    if any(row.bound_ratio is not None for c in graded.classes for row in c.quantities):
        say(RATIO, "")
    for title, sentences in (
        ("What is wrong", what_is_wrong(graded)),
        ("Worth knowing", [worth_knowing(row) for row in graded.warnings]),
        ("Passed over", [ended(each) for each in passed_over(graded)]),
    ):
        if sentences:
            say(title, *map(bullet, sentences), "")
    say(*filter(None, (not_offered(graded), closing(graded))))


# --- A folder of submissions ----------------------------------------------------------


def summary_table(files: Iterable[GradedFile]) -> Table:
    """A row for each submission."""
    headers = ["who", "verdict", "right", "what is wrong", "warnings"]
    rows = [
        [
            who(graded),
            STATUS[graded.status],
            passed(graded).replace(" of ", "/"),
            in_short(graded),
            str(len(graded.warnings) or ""),
        ]
        for graded in files
    ]
    return Table("Submissions", headers, rows)


def passed(graded: GradedFile) -> str:
    """How many of its classes and functions are right: `9 of 11`."""
    total = len(graded.classes)
    return f"{total - len(failed(graded))} of {total}" if total else ""


def in_short(graded: GradedFile) -> str:
    """The wrong classes with the mistakes that are in them; or why there are none."""
    said = [shortly(graded)] if graded.problem else []
    for one in failed(graded):
        name = visible(one.name, SHORT)
        found = mistakes(row for row in graded.diagnosis if row.class_ == one.name)
        said.append(f"{name}: {', '.join(found)}" if found else name)
    if over := passed_over(graded):
        more = f" and {len(over) - 1} more" if len(over) > 1 else ""
        said.append(f"passed over: {over[0]}{more}")
    return "; ".join(said)


def shortly(graded: GradedFile) -> str:
    place = "" if graded.line is None else f" (line {graded.line})"
    return visible(graded.problem or "", 4 * SHORT) + place


def mistakes(rows: Iterable[Diagnosis]) -> list[str]:
    """Their names, each once."""
    return list(dict.fromkeys(visible(r.mistake, SHORT) for r in rows if r.mistake))


def commonest(files: Sequence[GradedFile]) -> list[str]:
    """The mistakes that most have made: in how many submissions, which, and what it is."""
    made: dict[tuple[str, str], dict[int, Diagnosis]] = {}
    for index, graded in enumerate(files):
        for row in graded.diagnosis:
            if row.mistake and row.mistake != FOLLOWS:
                made.setdefault((row.class_, row.mistake), {})[index] = row
    ranked = sorted(made.items(), key=lambda item: -len(item[1]))
    said = []
    for (name, mistake), rows in islice(ranked, COMMONEST):
        what = f"{visible(name, SHORT)}, {visible(mistake, SHORT)}"
        first, *others = dict.fromkeys(row.sentence for row in rows.values())
        sentence = f"{'For instance: ' if others else ''}{visible(first)}"
        said.append(f"{len(rows)} of {len(files)}: {what}. {sentence}")
    return said


def class_sentence(files: Sequence[GradedFile]) -> str:
    """How many are right, how many are wrong, how many could not be loaded; and where
    some were passed over, how many are graded.
    """
    counts = [
        f"{count} {words[count != 1]}"
        for status, words in (
            ("pass", ("is right", "are right")),
            ("fail", ("is wrong", "are wrong")),
            ("unloadable", ("cannot be loaded", "cannot be loaded")),
            ("skipped", ("was passed over", "were passed over")),
            ("ungraded", ("could not be graded", "could not be graded")),
        )
        if (count := sum(graded.status == status for graded in files))
    ]
    noun = "submission" if len(files) == 1 else "submissions"
    done = sum(graded.status not in ("skipped", "ungraded") for graded in files)
    graded_ones = f" {done} of {len(files)} graded." if done < len(files) else ""
    return f"Of {len(files)} {noun} {listed(counts)}.{graded_ones}"


def show_all(files: Sequence[GradedFile]) -> None:
    """The summary of a folder of submissions."""
    print_table(summary_table(files))
    if found := commonest(files):
        say("The commonest mistakes", *map(bullet, found), "")
    say(class_sentence(files))


def csv_text(files: Iterable[GradedFile]) -> str:
    """A row for each submission, for a spreadsheet."""
    text = StringIO()
    # All in quotes, so that nothing in a cell can begin another one, even for a
    # spreadsheet that separates cells by something else than commas.
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for graded in files:
        cells = (
            who(graded, LONG),
            graded.status,
            passed(graded),
            ", ".join(one.name for one in failed(graded)),
            ", ".join(mistakes(graded.diagnosis)),
            str(len(graded.warnings)),
            problem(graded),
            "; ".join(passed_over(graded)),
        )
        writer.writerow(map(csv_cell, cells))
    return text.getvalue()


def exit_status(files: Sequence[GradedFile], is_class: bool) -> int:
    """0 all right, 1 something wrong, 2 there is no verdict on the one that there is."""
    if not is_class and files[0].status in NO_VERDICT:
        return 2
    return 0 if all(graded.status == "pass" for graded in files) else 1


# --- Where it goes --------------------------------------------------------------------


def say(*sentences: str) -> None:
    allow_any_text()
    for sentence in sentences:
        console.say(sentence, output)


def bullet(sentence: str) -> str:
    """One of several; on a terminal its lines begin below one another."""
    lines = [sentence]
    if output.is_terminal:
        lines = [*map(str, Text(sentence).wrap(output, output.width - len("- ")))]
    return "- " + "\n  ".join(line.rstrip() for line in lines)


def show_places(paths: Iterable[Path]) -> None:
    """Where something was written; a folder's first page."""
    for path in paths:
        place = path / "index.html" if path.is_dir() else path
        console.say(str(place), output, is_path=True)


def print_table(table: Table) -> None:
    """A title may not be markup any more than a cell."""
    allow_any_text()
    if output.is_terminal:
        replace(table, title=escape(table.title)).print(output)
        output.print()
    else:
        table.print(output)


def allow_any_text() -> None:
    """What standard output has no character for, as a pipe on Windows has few, becomes
    its code. Nobody has to be graded again for his name.
    """
    if isinstance(output.file, TextIOWrapper):
        output.file.reconfigure(errors="backslashreplace")


def is_ours(path: Path) -> bool:
    """Whether an earlier call has written it: a table, a page, or pages of a class."""
    try:
        if path.is_dir():
            return (path / PAGES).is_file()
        mark = {".csv": HEAD, ".html": GENERATOR}.get(path.suffix)
        return mark is not None and path.is_file() and writing.is_ours(path, mark)
    except (OSError, ValueError):  # the name may be none
        return False


def check_csv(path: Path) -> None:
    """Raise `UnusableTarget` if the CSV cannot be written there."""
    writing.check_file("--csv", path, HEAD, "class summary")


def write_csv(path: Path, files: Iterable[GradedFile]) -> None:
    """Raises `UnusableTarget` if it cannot be written."""
    text = csv_text(files)
    # A spreadsheet takes a file for UTF-8 only if it begins with a mark.
    writing.write_file(path, text, "utf-8" if text.isascii() else "utf-8-sig")


def ended(text: str | None) -> str:
    """A sentence with a full stop at its end; empty if there is none."""
    said = visible(text or "")
    return said if not said or said[-1] in ".!?" else said + "."
