"""What is said of a submission in the end: the objects of `grade --json`.

The fields are a format that other programs read: they may be added to, not renamed.
"""

from typing import Literal

from pydantic import ConfigDict, Field

from gradparity.parity_tests.measuring.records import Record, Worst


class Graded(Record):
    """One quantity of a class over all its cases, both dtypes: the worst of them. What was
    never reached, as `dx` where there is no `forward`, is `not run`.
    """

    quantity: str
    cases: int
    wrong: int
    verdict: Literal["pass", "FAIL", "not run"]
    bound_ratio: float | None = None
    case: str | None = None
    dtype: str | None = None
    worst: Worst | None = None
    note: str | None = None


class Place(Record):
    """A line of a file of the submission; of a notebook, of the cell of that number."""

    file: str
    line: int | None = None
    cell: int | None = None


class GradedClass(Record):
    """A class or function; it passes if all its quantities do. `called` is its name in the
    submission, and `source` where it is defined.
    """

    name: str
    verdict: Literal["pass", "FAIL"]
    quantities: list[Graded]
    called: str | None = None
    source: Place | None = None


class Diagnosis(Record):
    """What is wrong with a class, in a sentence.

    `mistake` is the name of one in the catalogue, or of the nearest relation to what is
    right, or None where neither is found. `relation` says how the wrong quantity is
    related to the right one, where that can be said shortly; `reread` is the section.
    """

    model_config = ConfigDict(populate_by_name=True)

    class_: str = Field(alias="class")
    quantities: list[str]
    mistake: str | None
    known: bool
    sentence: str
    relation: str | None = None
    reread: str = ""


class Warned(Record):
    """Right in value, but risky; of the whole submission where there is no class. It may
    hold of the book's own code, too.
    """

    model_config = ConfigDict(populate_by_name=True)

    class_: str | None = Field(alias="class")
    kind: str
    sentence: str
    of_the_book: bool = False


class Skipped(Record):
    """A definition of the submission that was found and not graded, or a file that may
    have some, with the reason, which begins with a verb. `names` are the subjects that it
    defines; `kind` tells a file that could not be loaded from what was not chosen.
    """

    path: str
    why: str
    kind: Literal["passed over", "not loaded"]
    names: list[str] = Field(default_factory=list)
    line: int | None = None
    cell: int | None = None


class GradedFile(Record):
    """A submission. `problem` is why it could not be loaded, which rule it broke, why it
    was passed over (`skipped`), or why it could not be graded (`ungraded`), which is
    nothing that it did. `looked_at` are the files whose definitions are graded; `skipped`
    is all that was found and is not, and `passed_over` the same by file. `absent` is what
    whoever grades expects of it, and what it does not offer.
    """

    path: str
    status: Literal["pass", "fail", "unloadable", "skipped", "ungraded"]
    classes: list[GradedClass] = Field(default_factory=list)
    diagnosis: list[Diagnosis] = Field(default_factory=list)
    warnings: list[Warned] = Field(default_factory=list)
    problem: str | None = None
    file: str | None = None
    line: int | None = None
    source: str | None = None
    missing: list[str] = Field(default_factory=list)
    absent: list[str] = Field(default_factory=list)
    passed_over: dict[str, str] = Field(default_factory=dict)
    looked_at: list[str] = Field(default_factory=list)
    skipped: list[Skipped] = Field(default_factory=list)
    cell: int | None = None
    seconds: float = 0.0
