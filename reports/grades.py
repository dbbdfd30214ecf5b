"""What `gradparity grade` says of one submission: tables and sentences.

Names, messages and lines of code in a grading are somebody else's, and so everything goes
through `visible`, whatever it is that shows it. That is also why this has a console of its
own: it must not turn `:skull:` in a file's name into a picture. Names are shown whole;
what a message quotes is cut.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path, PurePath
from typing import Any

from rich.markup import escape
from rich.text import Text

from gradparity.parity_tests.grading.records import (
    Diagnosis,
    Graded,
    GradedClass,
    GradedFile,
    Skipped,
    Warned,
)
from gradparity.reports import console
from gradparity.reports.japanese import Spoken, listed, spoken, table_spoken
from gradparity.reports.tables.table import Table
from gradparity.reports.visible import LONG, visible
from gradparity.reports.wrapping import wrap

output = console.for_results(emoji=False)

SHORT = 40  # characters: a cell
MOST = 3  # files in a cell
GENERATOR = '<meta name="generator" content="gradparity grade">'  # in each page
FIRST = ("index.html", "scores.json")  # of what is written into a folder
NO_VERDICT = {
    "unloadable": "it cannot be loaded",
    "skipped": "it is passed over",
    "ungraded": "it could not be graded",
}
FOLLOWS = "follows-from-its-parts"  # of other mistakes, and none of its own
RATIO = (
    "ratio: the worst difference from the truth, divided by the most that rounding can do "
    "to a correctly written layer. Up to 1 it is rounding."
)


# --- What somebody else has written ---------------------------------------------------


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


# --- What it is called, and where it is ------------------------------------------------


def who(graded: GradedFile, longest: int = LONG) -> str:
    """The name of the file or folder."""
    return visible(Path(graded.path).name or Path(graded.path).resolve().name, longest)


def slug(number: int, graded: GradedFile) -> str:
    """A name that every system takes, and that no other submission has."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", Path(graded.path).stem).strip("-")[:40]
    return f"{number:03}{'-' if name else ''}{name}"


def spot(file: str | None, line: int | None = None, cell: int | None = None) -> str:
    """Where something stands: `layers.py, line 12`, or `hw.ipynb, cell 3, line 2`."""
    parts = [
        visible(file) if file else "",
        "" if cell is None else f"cell {cell}",
        "" if line is None else f"line {line}",
    ]
    return ", ".join(filter(None, parts))


def called_and_defined(one: GradedClass) -> str:
    """What it is called there, if that is another name, and where it is defined: `ReLU in
    layers.py, line 12`. Empty where there is nothing to tell.
    """
    other = visible(one.called) if one.called and one.called != one.name else ""
    place = one.source
    where = spot(place.file, place.line, place.cell) if place else ""
    return " in ".join(filter(None, (other, where)))


def titled(one: GradedClass) -> str:
    """Its name, and beside it what it is called and where it is defined."""
    beside = called_and_defined(one)
    return visible(one.name) + (f" ({beside})" if beside else "")


# --- One submission -------------------------------------------------------------------


def held_to(graded: GradedFile, expected: Collection[str]) -> GradedFile:
    """The same, failed where something is absent that whoever grades expects."""
    absent = [name for name in expected if name in graded.missing]
    if not absent or graded.status in NO_VERDICT:
        return graded
    return graded.model_copy(update={"status": "fail", "absent": absent})


def class_table(graded: GradedClass) -> Table:
    """Quantities down: how many cases, the verdict, and the worst place."""
    headers = ["quantity", "cases", "wrong", "verdict", "ratio", "worst place"]
    rows = [
        [
            visible(row.quantity),
            *(
                ["", ""]
                if row.verdict == "not run"
                else [str(row.cases), str(row.wrong)]
            ),
            row.verdict,
            "" if row.bound_ratio is None else f"{row.bound_ratio:.2g}",
            worst_place(row),
        ]
        for row in graded.quantities
    ]
    return Table(titled(graded), headers, rows)


def worst_place(row: Graded) -> str:
    """Where it is worst; and, where it is wrong, what is there and what should be."""
    said = " in ".join(visible(part, SHORT) for part in (row.case, row.dtype) if part)
    if row.worst and row.worst.index:
        said += f" at {row.worst.index}"
    if row.worst and row.verdict == "FAIL":
        value, truth = apart(row.worst.value, row.worst.truth)
        said += f": {value} instead of {truth}"
    return "; ".join(filter(None, (said, visible(row.note or ""))))


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
    """The rule that it broke, what is absent, and what is wrong with its classes."""
    broke = [ended(f"It {problem(graded)}")] if graded.problem else []
    names = listed(map(visible, graded.absent))
    absent = [f"Expected, and not in the submission: {names}."]
    return [
        *broke,
        *(absent if graded.absent else []),
        *(diagnosed(row) for row in graded.diagnosis),
    ]


def diagnosed(row: Diagnosis) -> str:
    parts = [
        f"{heading(row)}: {ended(row.sentence)}",
        ended(relation(row)),
        ended(row.reread and f"Reread: {row.reread}"),
        f"({visible(row.mistake)})" if row.known and row.mistake else "",
    ]
    return " ".join(filter(None, parts))


def relation(row: Diagnosis) -> str:
    """How it is related to the right one, unless the sentence has said so."""
    told = row.relation is None or row.relation in row.sentence
    return "" if told or row.mistake == FOLLOWS else str(row.relation)


def heading(row: Diagnosis) -> str:
    """The class, and which of its quantities are meant."""
    quantities = listed(visible(name) for name in row.quantities)
    return " ".join(filter(None, (visible(row.class_), quantities)))


def own(graded: GradedFile) -> list[Warned]:
    """What is worth knowing of the submission and does not hold of the book's own code."""
    return [row for row in graded.warnings if not row.of_the_book]


def of_the_book(graded: GradedFile) -> list[Warned]:
    return [row for row in graded.warnings if row.of_the_book]


def worth_knowing(row: Warned) -> str:
    said, name = visible(row.sentence), visible(row.class_ or "")
    return said if f"`{name}`" in said or not name else f"{name}: {said}"


def remarks(graded: GradedFile) -> list[str]:
    """Sentences; those that hold of the book's own code are one."""
    said = [worth_knowing(row) for row in own(graded)]
    return [*said, folded] if (folded := as_the_book(graded)) else said


def as_the_book(graded: GradedFile) -> str:
    """How many remarks hold of the book's own code, too, and on what; empty if none."""
    rows = of_the_book(graded)
    about = dict.fromkeys(f"`{visible(r.class_)}`" for r in rows if r.class_)
    if not rows:
        return ""
    count = "1 more remark" if len(rows) == 1 else f"{len(rows)} more remarks"
    names = listed(about) or spoken("the whole of it")
    return f"True of the book's own code as well: {count}, on {names}."


def not_offered(graded: GradedFile) -> str:
    """A sentence; empty where everything is offered or expected."""
    names = [visible(name) for name in graded.missing if name not in graded.absent]
    return f"Not offered, and so not graded: {listed(names)}." if names else ""


def files_looked_at(graded: GradedFile) -> list[str]:
    """Which files the definitions stand in; none where that is the file itself."""
    names = [visible(name) for name in graded.looked_at]
    return [] if names == [who(graded)] else names


def looked_at(graded: GradedFile) -> str:
    """A sentence; empty where there is nothing to tell."""
    names = files_looked_at(graded)
    return f"Looked at: {listed(names)}." if names else ""


# --- What was found and not graded ------------------------------------------------------


def left_out(graded: GradedFile) -> list[Skipped]:
    """All that was found and is not graded, what could not be loaded first."""
    return sorted(graded.skipped, key=lambda row: row.kind != "not loaded")


def not_loaded(graded: GradedFile) -> list[str]:
    """The classes and functions in files that could not be loaded."""
    return [n for row in graded.skipped if row.kind == "not loaded" for n in row.names]


def why_left_out(row: Skipped) -> str:
    """Where it is, what it defines, and why it is not graded."""
    names = listed(visible(name) for name in row.names)
    beside = f" ({names})" if names else ""
    return f"{spot(row.path, row.line, row.cell)}{beside} {visible(row.why)}"


def how_many_left_out(graded: GradedFile) -> int:
    """Classes and functions, and files of which nobody knows what they define."""
    return sum(len(row.names) or 1 for row in graded.skipped)


def counted(graded: GradedFile) -> list[str]:
    """What was expected and not found, and what was found and not graded, in clauses:
    nothing of it is left out in silence.
    """
    rows = graded.skipped
    broken = len(not_loaded(graded))
    names = sum(len(row.names) for row in rows if row.kind == "passed over")
    over = sum(not row.names and row.kind == "passed over" for row in rows)
    unloaded = len({r.path for r in rows if not r.names and r.kind == "not loaded"})
    clauses = []
    if graded.absent:
        absent = listed(map(visible, graded.absent))
        clauses.append(f"what was expected is not there: {absent}")
    if broken:
        clauses.append(f"{classes(broken)} could not be loaded")
    if unloaded:
        clauses.append(f"{some_files(unloaded)} could not be loaded")
    if names:
        were = "was" if names == 1 else "were"
        clauses.append(f"{names} more {were} found and not graded")
    if over:
        clauses.append(
            f"{some_files(over)} {'was' if over == 1 else 'were'} passed over"
        )
    return clauses


def some_files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


# --- The verdict ------------------------------------------------------------------------


def cannot_be_loaded(graded: GradedFile, name: str = "") -> str:
    """Why, with the line of theirs that is to blame. They are called by their whole path
    unless by `name`. What could not be graded is nothing that they did.
    """
    called = name or visible(graded.path)
    if graded.status in ("ungraded", "skipped"):
        return f"{called} {problem(graded)}"
    said = f"{called} cannot be loaded"
    return said + (f": {problem(graded)}" if graded.problem else "")


def problem(graded: GradedFile) -> str:
    """The problem, and where it is in the submission; empty if there is none."""
    where = at(graded)
    if graded.source and graded.source.strip():
        where += (": " if where else "") + visible(graded.source.strip(), 2 * SHORT)
    return visible(graded.problem or "") + (f" ({where})" if where else "")


def at(graded: GradedFile) -> str:
    """Where in the submission the problem is."""
    file = PurePath(graded.file).name if graded.file else None
    other = file if file != PurePath(graded.path).name or graded.cell else None
    return spot(other, graded.line, graded.cell)


def headline(graded: GradedFile) -> str:
    """The verdict, without a name and a full stop; and what it is not on."""
    if graded.status in NO_VERDICT:
        return NO_VERDICT[graded.status]
    return "; ".join([verdict(graded), *counted(graded)])


def verdict(graded: GradedFile) -> str:
    """Of what was graded, without a name and a full stop."""
    total, wrong = len(graded.classes), len(failed(graded))
    if wrong:
        return f"{wrong} of {classes(total)} {'is' if wrong == 1 else 'are'} wrong"
    if graded.problem or graded.absent or not total:
        return "it is not passed"
    if graded.status == "fail":
        return "what could be loaded of it is right"
    if total == 1:
        return "what was graded of it is right" if graded.skipped else "it is right"
    if graded.skipped:
        return f"all {classes(total)} that were graded are right"
    return f"all {classes(total)} are right"


def classes(count: int) -> str:
    return f"{count} classes and functions" if count > 1 else "1 class or function"


def closing(graded: GradedFile) -> str:
    """The whole grading in a sentence."""
    if graded.status in NO_VERDICT:
        return cannot_be_loaded(graded, who(graded)) + "."
    names = [visible(one.name) for one in failed(graded)]
    told = f": {listed(names)}" if names else ""
    if graded.problem and not names:
        said = f"{who(graded)} is not passed: it {problem(graded)}"
    else:
        said = f"{who(graded)}: {verdict(graded)}{told}"
    return ended("; ".join([said, *counted(graded)]))


def show(graded: GradedFile) -> None:
    """All there is to say of a submission that could be loaded."""
    for one in graded.classes:
        print_table(class_table(one))
    if any(row.bound_ratio is not None for c in graded.classes for row in c.quantities):
        say(RATIO, "")
    for title, sentences in (
        ("What is wrong", what_is_wrong(graded)),
        ("Worth knowing", remarks(graded)),
        ("Found and not graded", [ended(why_left_out(r)) for r in left_out(graded)]),
    ):
        if sentences:
            say(title, *map(bullet, sentences), "")
    say(*filter(None, (looked_at(graded), not_offered(graded), closing(graded))))


def exit_status(files: Sequence[GradedFile], is_class: bool) -> int:
    """0 all right, 1 something wrong, 2 there is no verdict on the one that there is."""
    if not is_class and files[0].status in NO_VERDICT:
        return 2
    return 0 if all(graded.status == "pass" for graded in files) else 1


# --- Where it goes --------------------------------------------------------------------


def say(*sentences: str) -> None:
    allow_any_text()
    for sentence in map(spoken, sentences):
        console.say("\n".join(lines(sentence, output.width)), output)


def bullet(sentence: str) -> str:
    """One of several; on a terminal its lines begin below one another."""
    return Spoken("- " + "\n  ".join(lines(spoken(sentence), output.width - len("- "))))


def lines(sentence: str, width: int) -> list[str]:
    """The sentence; on a terminal as many lines as it takes, broken as its language is."""
    if not output.is_terminal or "\n" in sentence:
        return [sentence]
    if isinstance(sentence, Spoken):
        return [str(line) for line in wrap(Text(sentence), width)]
    return [str(line).rstrip() for line in Text(sentence).wrap(output, width)]


def show_places(paths: Iterable[Path]) -> None:
    """Where something was written; of a folder what is to be looked at first."""
    for path in paths:
        first = (path / name for name in FIRST if (path / name).is_file())
        console.say(str(next(first, path)), output, is_path=True)


def print_table(table: Table) -> None:
    """A title may not be markup any more than a cell."""
    allow_any_text()
    table = table_spoken(table)
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


def ended(text: str | None) -> str:
    """A sentence with a full stop at its end; empty if there is none."""
    said = visible(text or "")
    return said if not said or said[-1] in ".!?。？" else said + "."
