"""What `gradparity grade` says of a class: what to talk about, and a row for each.

What most have wrong comes first, then how each class and function went, and then the
submissions by name, as they were handed in. A submission without wrong answers that ran too
long, broke a rule or could not be loaded is counted as that, and not among the wrong ones.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.records import Diagnosis, GradedClass, GradedFile
from gradparity.parity_tests.mutants import MUTANTS
from gradparity.reports import grades
from gradparity.reports.japanese import listed
from gradparity.reports.tables.table import Table
from gradparity.reports.visible import visible

# What became of a submission, in the order in which it is counted: in a cell, and of
# one and of several in a sentence.
BECAME = {
    "pass": ("pass", "is right", "are right"),
    "fail": ("FAIL", "is wrong", "are wrong"),
    "incomplete": (
        "incomplete",
        "lacks what was expected",
        "lack what was expected",
    ),
    "partly": (
        "partly loaded",
        "could be loaded in part only",
        "could be loaded in part only",
    ),
    "stopped": (
        "not finished",
        "ran too long or broke a rule",
        "ran too long or broke a rule",
    ),
    "unloadable": ("not loaded", "cannot be loaded", "cannot be loaded"),
    "skipped": ("passed over", "was passed over", "were passed over"),
    "ungraded": ("not graded", "could not be graded", "could not be graded"),
}
RAISES = "raises"  # what is called so in which something raises an exception
COMMONEST = 10
TOLD = 5  # of what was found in a submission and not graded
OWN_FAULT = ("pass", "fail", "incomplete")  # what is no news beside the table


def became(graded: GradedFile) -> str:
    """One of BECAME: wrong answers apart from what has other reasons."""
    if graded.status != "fail" or grades.failed(graded):
        return graded.status
    if graded.problem:
        return "stopped"
    return "incomplete" if graded.absent else "partly"


# --- What to talk about -----------------------------------------------------------------


def commonest(files: Sequence[GradedFile]) -> list[str]:
    """The mistakes that most have made: how many have made it, which it is, and where."""
    made: dict[tuple[str, str, str], dict[int, Diagnosis]] = {}
    for index, graded in enumerate(files):
        for row in graded.diagnosis:
            if row.mistake and row.mistake != grades.FOLLOWS:
                what = raised(row) if row.mistake == RAISES else ""
                made.setdefault((row.class_, row.mistake, what), {})[index] = row
    ranked = sorted(made.items(), key=lambda item: -len(item[1]))
    said = [
        mistake_of_many(len(rows), len(files), [*rows.values()])
        for _, rows in ranked[:COMMONEST]
    ]
    if rest := ranked[COMMONEST:]:
        most = len(rest[0][1])
        others = "1 other mistake" if len(rest) == 1 else f"{len(rest)} other mistakes"
        said.append(f"{others}: of each at most {most} of {len(files)}.")
    return said


def raised(row: Diagnosis) -> str:
    """An exception wherever it was raised: others are other mistakes."""
    return re.sub(r" \([^()]*line \d+\)", "", row.sentence)


def mistake_of_many(count: int, of: int, rows: Sequence[Diagnosis]) -> str:
    """How many of how many, what they have wrong, and which mistake it is in what."""
    first, *others = dict.fromkeys(map(for_many, rows))
    what = grades.ended(f"For instance: {first}" if others else first)
    quantities = dict.fromkeys(name for row in rows for name in row.quantities)
    about = " ".join([visible(rows[0].class_), listed(map(visible, quantities))])
    mistake = visible(rows[0].mistake or "")
    return f"{count} of {of}: {what} ({about.strip()}: {mistake})"


def for_many(row: Diagnosis) -> str:
    """Its sentence; of a known mistake without what it has made of one's numbers."""
    predicate = predicates().get((row.class_, row.mistake or ""))
    itself = f"`{row.class_}` {predicate}"
    of_one = row.sentence.startswith("Your ") and row.sentence.endswith(itself)
    return itself if of_one else row.sentence


@cache
def predicates() -> dict[tuple[str, str], str]:
    """What a class with a known mistake does, after its name."""
    planted = [m for m in MUTANTS if m.implementation == "reference"]
    return {(m.layer, m.name): m.predicate for m in planted}


def subject_table(files: Iterable[GradedFile]) -> Table:
    """How many have each class and function right and wrong, or not at all, of those on
    which there is a verdict; what most have wrong comes first.
    """
    graded = [each for each in files if each.status not in grades.NO_VERDICT]
    counts = {
        name: Counter(of_subject(each, name) for each in graded)
        for name in subjects(graded)
    }
    order = sorted(counts, key=lambda name: -counts[name]["FAIL"])
    kinds = {"FAIL": "wrong", "pass": "right", "not run": "not run"}
    kinds |= {"not loaded": "not loaded", "not graded": "not graded"}
    kinds |= {"missing": "not there"}
    rows = [
        [visible(name), *(str(counts[name][kind] or "") for kind in kinds)]
        for name in order
    ]
    headers = ["class or function", *kinds.values()]
    return Table("By class and function", headers, rows).without_empty()


def subjects(files: Iterable[GradedFile]) -> list[str]:
    """The classes and functions that any of them offers, if only in a file that cannot be
    loaded, or that are expected, in the course's order.
    """
    found: dict[str, None] = {}
    for graded in files:
        found |= dict.fromkeys(one.name for one in graded.classes)
        found |= dict.fromkeys(graded.absent)
        found |= dict.fromkeys(grades.not_loaded(graded))
    known = [name for name in SUBJECTS if name in found]
    return [*known, *(name for name in found if name not in SUBJECTS)]


def of_subject(graded: GradedFile, name: str) -> str:
    """What is to be said of a class or function in a word; nothing where there is no
    verdict. What it did not come to is not run.
    """
    for one in graded.classes:
        if one.name == name:
            return of_class(one)
    found = {row.kind for row in graded.skipped if name in row.names}
    further = name in SUBJECTS and SUBJECTS[name].further
    if found:
        return "not loaded" if "not loaded" in found else "not graded"
    if name in graded.missing:
        return "missing"
    return "not run" if became(graded) == "stopped" and not further else ""


def of_class(one: GradedClass) -> str:
    never = all(row.verdict == "not run" for row in one.quantities)
    return "not run" if one.quantities and never else one.verdict


def without_verdict(files: Sequence[GradedFile]) -> list[str]:
    """Who ran too long or could not be loaded and the like, kind by kind."""
    said = []
    for kind, (_, one, several) in BECAME.items():
        names = [grades.who(graded) for graded in files if became(graded) == kind]
        if names and kind not in OWN_FAULT:
            words = one if len(names) == 1 else several
            said.append(f"{len(names)} of {len(files)} {words}: {listed(names)}.")
    return said


# --- The submissions --------------------------------------------------------------------


def summary_table(files: Iterable[GradedFile]) -> Table:
    """A row for each submission."""
    headers = ["who", "verdict", "right", "what is wrong"]
    headers += ["not graded", "looked at", "remarks"]
    rows = [
        [
            grades.who(graded),
            BECAME[became(graded)][0],
            passed(graded).replace(" of ", "/"),
            in_short(graded),
            str(grades.how_many_left_out(graded) or ""),
            listed(grades.files_looked_at(graded), grades.MOST),
            str(len(grades.own(graded)) or ""),
        ]
        for graded in files
    ]
    return replace(Table("Submissions", headers, rows).without_empty(), records=True)


def passed(graded: GradedFile) -> str:
    """How many of its classes and functions are right: `9 of 11`."""
    total = len(graded.classes)
    return f"{total - len(grades.failed(graded))} of {total}" if total else ""


def in_short(graded: GradedFile) -> str:
    """The wrong classes, where they are, and the mistakes that are in them; or why there
    are none.
    """
    said = [shortly(graded)] if graded.problem else []
    if graded.absent:
        said.append(f"not there: {listed(map(visible, graded.absent))}")
    for one in grades.failed(graded):
        found = [of_which(row) for row in graded.diagnosis if row.class_ == one.name]
        name = grades.titled(one)
        said.append(f"{name}: {', '.join(found)}" if found else name)
    return "; ".join(said)


def of_which(row: Diagnosis) -> str:
    """Which of its quantities are wrong, and with which mistake, if that has a name."""
    quantities = listed(map(visible, row.quantities))
    return " ".join(filter(None, (quantities, visible(row.mistake or ""))))


def shortly(graded: GradedFile) -> str:
    """Why, and the line."""
    where = grades.at(graded)
    return visible(graded.problem or "") + (f" ({where})" if where else "")


def mistakes(rows: Iterable[Diagnosis]) -> list[str]:
    """Their names, each once."""
    return list(dict.fromkeys(visible(row.mistake) for row in rows if row.mistake))


def found_and_not_graded(files: Iterable[GradedFile]) -> list[str]:
    """Of each submission in which something was found and is not graded, what and why; of
    many the first, since its own page tells them all.
    """
    said = []
    for graded in files:
        rows = [*map(grades.why_left_out, grades.left_out(graded))]
        if len(rows) > TOLD:
            rows[TOLD:] = [f"and {len(rows) - TOLD} more"]
        if rows:
            said.append(f"{grades.who(graded)}: {'; '.join(rows)}.")
    return said


def class_sentence(files: Sequence[GradedFile]) -> str:
    """How many are right, how many are wrong, how many could not be loaded; and where
    some were passed over, how many are graded.
    """
    found = Counter(map(became, files))
    counts = [
        f"{found[kind]} {one if found[kind] == 1 else several}"
        for kind, (_, one, several) in BECAME.items()
        if found[kind]
    ]
    noun = "submission" if len(files) == 1 else "submissions"
    done = sum(graded.status in ("pass", "fail") for graded in files)
    graded_ones = f" {done} of {len(files)} graded." if done < len(files) else ""
    return f"Of {len(files)} {noun} {listed(counts)}.{graded_ones}"


def show_all(files: Sequence[GradedFile]) -> None:
    """The summary of a folder of submissions."""
    for title, sentences in (
        ("What to talk about in class", commonest(files)),
        ("Not graded to the end", without_verdict(files)),
    ):
        if sentences:
            grades.say(title, *map(grades.bullet, sentences), "")
    if (table := subject_table(files)).rows:
        grades.print_table(table)
    grades.print_table(summary_table(files))
    if left_out := found_and_not_graded(files):
        grades.say("Found and not graded", *map(grades.bullet, left_out), "")
    grades.say(class_sentence(files))
