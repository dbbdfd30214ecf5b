"""A table as data, and three ways to print it.

A `Table` is headers and rows of text. On a terminal Rich draws it, piped it is plain
text and in `report.md` it is Markdown, by tabulate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from tabulate import tabulate

from gradparity.reports.visible import LONGEST, visible
from gradparity.reports.wrapping import TOKENS

FAILED = ("FAIL", "不合格")


@dataclass(frozen=True)
class Table:
    """Headers and rows, all text already, each cell a line. A terminal that is too narrow
    for the longest words breaks them; or shows `records`, a row after the other.
    """

    title: str
    headers: list[str]
    rows: list[list[str]]
    records: bool = False

    def without_empty(self) -> "Table":
        """Without the columns in which there is nothing."""
        filled = [
            n for n in range(len(self.headers)) if any(row[n] for row in self.rows)
        ]
        headers = [self.headers[n] for n in filled]
        rows = [[row[n] for n in filled] for row in self.rows]
        return replace(self, headers=headers, rows=rows)

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", visible(self.title, LONGEST))
        for row in (self.headers, *self.rows):
            row[:] = [visible(cell, LONGEST) for cell in row]

    def text(self) -> str:
        rows = [[cell.strip() for cell in row] for row in (self.headers, *self.rows)]
        room = [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]
        room = [max(w, cell_len(h) + 2) for w, h in zip(room, rows[0], strict=True)]
        rows.insert(1, ["-" * width for width in room])
        body = "\n".join(in_columns(row, room) for row in rows)
        return f"{self.title}\n\n{body}\n"

    def markdown(self) -> str:
        cells = [[cell.replace("|", r"\|") for cell in row] for row in self.rows]
        return tabulate(cells, self.headers, "github", disable_numparse=True) + "\n"

    def print(self, console: Console) -> None:
        """Draw it on a terminal; plain text where there is none."""
        if not console.is_terminal:
            console.file.write(self.text() + "\n")
            return
        drawn = RichTable(
            title=self.title,
            title_justify="left",
            box=SIMPLE_HEAD,
            show_edge=False,
            padding=(0, 1, 0, 0),
        )
        headers = [header.replace("-", "-\n") for header in self.headers]
        columns = list(zip(headers, *self.rows, strict=True))
        if self.records and wide(words(columns)) > console.width:
            self.print_records(console)
            return
        for header, width in zip(headers, widths(columns, console.width), strict=True):
            drawn.add_column(header, width=width, overflow="fold")
        for row in self.rows:
            failed = any(word in cell for cell in row for word in FAILED)
            style = "bold red" if failed else None
            drawn.add_row(*map(escape, row), style=style)
        console.print(drawn)

    def print_records(self, console: Console) -> None:
        """Draw row after row, each cell on a line of its own after its header."""
        console.print(f"{self.title}\n", markup=False, highlight=False)
        for row in self.rows:
            drawn = RichTable.grid(padding=(0, 2, 0, 0))
            for header, cell in zip(self.headers, row, strict=True):
                if cell:
                    drawn.add_row(escape(header), escape(cell))
            console.print(drawn)
            console.print()


def in_columns(cells: Sequence[str], room: Sequence[int]) -> str:
    """A line of cells, two blanks apart; a Japanese character takes two columns."""
    pairs = zip(cells, room, strict=True)
    return "  ".join(
        cell + " " * (width - cell_len(cell)) for cell, width in pairs
    ).rstrip()


def words(columns: Sequence[Sequence[str]]) -> list[int]:
    """How wide the longest word of each column is; Japanese may end after any character."""
    return [
        max(cell_len(w.strip()) for c in column for w in [*TOKENS.findall(c), ""])
        for column in columns
    ]


def wide(columns: Sequence[int]) -> int:
    """How wide a table of such columns is, which are two blanks apart."""
    return sum(columns) + 2 * len(columns) - 1


def widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide each column may be, two blanks apart, to fit in the room: as its longest
    line if there is room enough, as its longest word if possible, or less.
    """
    found = [
        max(cell_len(line) for c in column for line in c.split("\n"))
        for column in columns
    ]
    longest = words(columns)
    while wide(found) > room:
        spare = [width - word for width, word in zip(found, longest, strict=True)]
        widest = spare if max(spare) > 0 else found
        if max(found) == 1:
            break
        found[widest.index(max(widest))] -= 1
    return found


def number(value: float | None) -> str:
    """Two significant digits; empty where there is no value."""
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:.1e}"
