"""What a page is made of, whatever it is written as.

A page is sections of blocks. Each renderer (`as_text`, `as_markdown`, `as_html`) has one
function for each kind of block and knows nothing of topics.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gradparity.reports.explain.aligned import Row, Total


@dataclass(frozen=True)
class Prose:
    """Paragraphs and lists in Markdown; `$…$` is mathematics in plain Unicode."""

    markdown: str


@dataclass(frozen=True)
class Formula:
    """A displayed formula in LaTeX, and in Unicode for the terminal."""

    latex: str
    plain: str


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True, eq=False)
class Picture:
    """A computational graph, as `hood.graph` returns it."""

    name: str
    title: str
    graph: dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Loop:
    """The picture of something that is repeated."""

    name: str
    title: str
    steps: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """A table. Cells are text; those of the columns in `code` are code. Several lines in
    a cell stay lines.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    code: Sequence[int] = ()

    def filled(self) -> "Grid":
        """Without the columns that have nothing in them."""
        used = [i for i, _ in enumerate(self.headers) if any(r[i] for r in self.rows)]
        return Grid(
            self.title,
            [self.headers[i] for i in used],
            [[row[i] for i in used] for row in self.rows],
            [new for new, old in enumerate(used) if old in self.code],
        )


@dataclass(frozen=True)
class Listing:
    """Source as it stands, a line number before each line, and what each line made."""

    title: str
    lines: Sequence[tuple[int, str, Sequence[str]]]


@dataclass(frozen=True)
class Code:
    """Something that a program printed."""

    text: str
    language: str = ""


@dataclass(frozen=True, eq=False)
class Folded:
    """What is there for those who want to see it: folded where there is folding."""

    title: str
    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Choice:
    text: str
    right: bool


@dataclass(frozen=True, eq=False)
class Exercise:
    """A question with a check.

    predict: `answer` is the number, as a run gave it. choose: one of `choices` is right.
    repair: `broken` shows what is wrong, the mutant called `mistake`.
    """

    kind: Literal["predict", "choose", "repair"]
    name: str
    question: Sequence["Block"]
    why: Sequence["Block"]
    hint: str = ""
    answer: float | None = None
    choices: Sequence[Choice] = ()
    broken: Sequence["Block"] = ()
    mistake: str = ""


@dataclass(frozen=True, eq=False)
class Aligned:
    """The implementations side by side: `aligned.Row`s, and what each keeps in all.

    `labels` say what is written for `names`, and `note` what stands below, where it is not
    what all pages share.
    """

    title: str
    names: Sequence[str]
    rows: Sequence[Row]
    totals: Mapping[str, tuple[Total, Total | None]]
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def label(self, name: str, columns: Mapping[str, str]) -> str:
        """The head of a column; `columns` are those that all pages share."""
        return self.labels.get(name) or columns[name]


Block = (
    Prose
    | Formula
    | Heading
    | Picture
    | Loop
    | Grid
    | Listing
    | Code
    | Folded
    | Aligned
    | Exercise
)


@dataclass(frozen=True)
class Section:
    """A part of a page; `name` is its anchor."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, eq=False)
class Page:
    """One topic in one language. `facts` gives what was seen.

    Where functions are compared, `answer` says whether they are the same: it is the first
    thing that is told, and `same` is what it comes to.
    """

    name: str
    lang: str
    title: str
    summary: str
    sections: Sequence[Section]
    facts: Callable[[], Mapping[str, Any]]
    answer: str = ""
    same: bool = True
