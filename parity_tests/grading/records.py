"""What is said of a submission in the end: the objects of `grade --json`.

The fields are a format that other programs read: they may be added to, not renamed.
"""

from typing import Literal

from pydantic import ConfigDict, Field

from gradparity.parity_tests.measuring.records import Record, Worst


class Graded(Record):
    """One quantity of a class over all its cases, both dtypes: the worst of them."""

    quantity: str
    cases: int
    wrong: int
    verdict: Literal["pass", "FAIL"]
    bound_ratio: float | None = None
    case: str | None = None
    dtype: str | None = None
    worst: Worst | None = None
    note: str | None = None


class GradedClass(Record):
    """A class or function; it passes if all its quantities do."""

    name: str
    verdict: Literal["pass", "FAIL"]
    quantities: list[Graded]


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
    """Right in value, but risky; of the whole submission where there is no class."""

    model_config = ConfigDict(populate_by_name=True)

    class_: str | None = Field(alias="class")
    kind: str
    sentence: str


class GradedFile(Record):
    """A submission. `problem` is why it could not be loaded, which rule it broke, why it
    was passed over (`skipped`), or why it could not be graded (`ungraded`), which is
    nothing that it did. `passed_over` are files of it that may hold code and were not
    looked at, each with the reason.
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
    passed_over: dict[str, str] = Field(default_factory=dict)
    seconds: float = 0.0
