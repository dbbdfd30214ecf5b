"""The code of a notebook: its code cells in order, as the text of one Python file.

Lines such as `!pip install` and `%matplotlib inline` are no Python and do nothing; a cell
of another language, which begins with `%%bash` or the like, is left out, and so is a cell
that is not Python at all, which is told. Lines keep their places in their cells.
"""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# What may stand before a cell of Python.
OF_PYTHON = re.compile(r"%%(time|timeit|capture|prun|python3?|debug)\b")
WRITES = re.compile(
    r"\s*%%(?:writefile|file)[ \t]+(-a[ \t]+|--append[ \t]+)?(\S+)[^\n]*\n"
)
MAGIC = re.compile(r"^([ \t]*)[!%?]{1,2}(?=[A-Za-z./~ ])", re.MULTILINE)
HELP = re.compile(r"^([ \t]*)([\w.]+\?{1,2})[ \t]*$", re.MULTILINE)
SHELL = re.compile(r"^([ \t]*\w+[ \t]*=)([ \t]*[!%](?=[A-Za-z]).*)$", re.MULTILINE)


class NoNotebook(ValueError):
    """The text is no notebook; the message says why, and begins with a verb."""


@dataclass(frozen=True)
class Notebook:
    """The text of a notebook's code, the first line of each code cell in it (cells and
    lines from 1), and the cells that are no Python, with why. `written` are the files that
    its cells write, with their text.
    """

    text: str
    cells: tuple[tuple[int, int], ...]
    left_out: tuple[tuple[int, str, str], ...] = ()
    written: tuple[tuple[str, str], ...] = ()


def read(content: bytes) -> Notebook:
    """The code of a notebook.

    Raises:
        NoNotebook: the content is none.
    """
    try:
        whole = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NoNotebook("is no notebook: it is not JSON") from error
    lines: list[str] = []
    cells, left_out = [], []
    written: dict[str, str] = {}
    for number, source in _code_cells(whole):
        cells.append((number, len(lines) + 1))
        if found := WRITES.match(source):
            before = written.get(found[2], "") if found[1] else ""
            written[found[2]] = before + source[found.end() :] + "\n"
            source = _commented(source)
        text, why = _as_python(source)
        if why:
            left_out.append((number, why, source))
        lines += text.split("\n")
    return Notebook(
        *("\n".join(lines) + "\n", tuple(cells), tuple(left_out)),
        written=tuple(written.items()),
    )


def in_cell(cells: Sequence[Sequence[int]], line: int) -> tuple[int | None, int]:
    """The number of the cell, if there are any, and the line in it."""
    for number, first in reversed(cells):
        if line >= first:
            return number, line - first + 1
    return None, line


def without_magic(text: str) -> str:
    """The text in which lines that are no Python, but a notebook's, do nothing."""
    text = MAGIC.sub(r"\1pass  # ", text)
    return SHELL.sub(r"\1 []  # \2", HELP.sub(r"\1pass  # \2", text))


def _code_cells(whole: object) -> Iterator[tuple[int, str]]:
    """The number and the source of each code cell, cells of all kinds counted."""
    sheets = whole.get("worksheets") if isinstance(whole, dict) else None
    if isinstance(sheets, list) and sheets:  # as notebooks were until version 3
        whole = sheets[0]
    cells = whole.get("cells") if isinstance(whole, dict) else None
    if not isinstance(cells, list):
        raise NoNotebook("is no notebook: it has no list of cells")
    for number, cell in enumerate(cells, 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", cell.get("input", ""))
            if isinstance(source, list):
                source = "".join(line for line in source if isinstance(line, str))
            if isinstance(source, str):
                plain = source.encode("utf-8", "replace").decode()
                yield number, plain.replace("\r\n", "\n").replace("\r", "\n")


def _as_python(source: str) -> tuple[str, str | None]:
    """The source with as many lines, as Python; and why it was left out, if it was."""
    if source.lstrip().startswith("%%"):
        if not OF_PYTHON.match(source.lstrip()):
            return _commented(source), None
        source = MAGIC.sub(r"\1pass  # ", source, count=1)
    if (error := _mistake(source)) is None:
        return source, None
    if _mistake(without := without_magic(source)) is None:
        return without, None
    return _commented(source), error


def _mistake(source: str) -> str | None:
    """Why the source is no Python, or None if it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f" (line {error.lineno})" if error.lineno else ""
        return f"SyntaxError: {error.msg}{line}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _commented(source: str) -> str:
    return "\n".join(f"# {line}" for line in source.split("\n"))
