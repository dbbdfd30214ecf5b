"""A page for the terminal: eighty columns, read from top to bottom.

Rich draws it, with colours on a terminal and without where it is piped. Nothing is told
by colour alone.
"""

import re
from collections.abc import Iterator, Sequence
from functools import singledispatch
from io import StringIO
from typing import Any

from markdown_it.token import Token
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gradparity.reports.console import Screen
from gradparity.reports.explain import blocks, walk
from gradparity.reports.explain.inline import parse
from gradparity.reports.explain.wording import ui
from gradparity.reports.tables.table import widths
from gradparity.reports.wrapping import wide_break, wrap

PROSE = 80  # columns: longer lines are hard to read
STYLES = {"strong": "bold", "em": "italic"}
MARKED = {"code_inline": "cyan", "math": "italic", "text": ""}


def render(page: blocks.Page, console: Console) -> None:
    """Print the page; where there is no terminal, without blanks at the ends of lines."""
    if console.is_terminal:
        _render(page, console)
        return
    plain = Screen(file=StringIO(), width=PROSE)
    _render(page, plain)
    lines = plain.file.getvalue().splitlines()  # type: ignore[attr-defined]
    console.file.write("\n".join(line.rstrip() for line in lines) + "\n")


def _render(page: blocks.Page, console: Console) -> None:
    shown = Shown(page.lang, min(console.width, PROSE))
    if page.answer:
        console.print(shown.wrapped(literal(page.answer)), style="bold")
    console.print()
    console.print(Text(page.title, "bold"))
    console.print(Text("=" * cell_len(page.title)))
    console.print(shown.wrapped(page.summary))
    for number, section in enumerate(page.sections, 1):
        console.print()
        title = f"{number}. {section.title}"
        console.print(Rule(Text(title, "bold"), align="left", characters="─"))
        for block in section.blocks:
            if isinstance(block, blocks.Folded) and not seen(block):
                continue
            console.print()
            console.print(draw(block, shown), highlight=False)
    asked = [
        b for s in page.sections for b in s.blocks if isinstance(b, blocks.Exercise)
    ]
    if asked:
        console.print()
        title = shown.ui["answers"]
        console.print(Rule(Text(title, "bold"), align="left", characters="─"))
        for number, exercise in enumerate(asked, 1):
            console.print()
            console.print(answer(number, exercise, shown), highlight=False)


class Shown:
    """What drawing needs to know: the language, the width, and how far it has counted."""

    def __init__(self, lang: str, width: int) -> None:
        self.lang, self.width = lang, width
        self.ui = ui(lang)
        self.asked = 0

    def wrapped(self, markdown: str, first: str = "", rest: str = "") -> Group:
        """Prose, with something before its first line and before the others."""
        narrow = Shown(self.lang, self.width - len(rest or first))
        lines = list(narrow._lines(parse(markdown)))
        marks = [first] + [rest or " " * len(first)] * len(lines)
        return Group(*(Text(m) + line for m, line in zip(marks, lines, strict=False)))

    def _lines(self, tokens: Sequence[Token]) -> Iterator[Text]:
        depth, mark, number = 0, "", [0]
        for token in tokens:
            if token.type in ("bullet_list_open", "ordered_list_open"):
                depth += 1
                number.append(int(token.attrGet("start") or 1))
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                depth -= 1
                number.pop()
            elif token.type == "list_item_open":
                mark = f"{number[-1]}. " if token.markup in ".)" else "- "
                number[-1] += 1
            elif token.type == "inline":
                indent = "   " * depth
                before = indent[: -len(mark) or None] + mark if depth else ""
                for line in wrap(styled(token), self.width - len(indent)):
                    yield Text(before) + line
                    before = indent
                mark = ""
                if depth == 0 and token is not tokens[-2]:
                    yield Text("")


def styled(token: Token) -> Text:
    """One paragraph as a line with styles."""
    text, styles, link = Text(), [""], ""
    for child in token.children or ():
        kind, _, end = child.type.rpartition("_")
        if child.type == "softbreak":
            text.append(" " if not wide_break(text.plain) else "")
        elif child.type in MARKED:
            text.append(child.content, " ".join([*styles, MARKED[child.type]]).strip())
        elif kind == "link":
            if end == "open":
                link = str(child.attrGet("href"))
            elif link.removeprefix("https://") not in text.plain:
                text.append(f" ({link})")
        elif end == "open":
            styles.append(STYLES.get(kind, ""))
        elif end == "close":
            styles.pop()
    return text


@singledispatch
def draw(block: blocks.Block, shown: Shown) -> RenderableType:
    """A block, ready to be printed."""
    raise TypeError(f"nothing draws {type(block).__name__}")


@draw.register
def _(block: blocks.Prose, shown: Shown) -> RenderableType:
    return shown.wrapped(block.markdown)


@draw.register
def _(block: blocks.Formula, shown: Shown) -> RenderableType:
    return Padding(Text(block.plain, "italic"), (0, 0, 0, 4), expand=False)


@draw.register
def _(block: blocks.Heading, shown: Shown) -> RenderableType:
    return Text(plain(block.text), "bold underline")


@draw.register
def _(block: blocks.Picture, shown: Shown) -> RenderableType:
    sentences = walk.sentences(block.graph, shown.lang)
    steps = [shown.wrapped(literal(s.text), "  ", "      ") for s in sentences]
    return Group(
        Text(block.title, "bold"),
        Text(),
        Text(walk.text_graph(block.graph, shown.width, shown.lang)),
        Text(),
        *steps,
    )


@draw.register
def _(block: blocks.Loop, shown: Shown) -> RenderableType:
    steps = [f"  {number}. {step}" for number, step in enumerate(block.steps, 1)]
    arrows = ["↓"] * (len(steps) - 1) + ["↺"]
    lines = [Text(f"{s} {a}") for s, a in zip(steps, arrows, strict=True)]
    return Group(Text(block.title, "bold"), *lines)


@draw.register
def _(block: blocks.Grid, shown: Shown) -> RenderableType:
    return Group(Text(plain(block.title), "bold"), grid(block, shown.width))


def grid(block: blocks.Grid, room: int) -> Table:
    """Columns as wide as they must be."""
    block = block.filled()
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    columns = list(zip(block.headers, *block.rows, strict=True))
    for head, width in zip(block.headers, widths(columns, room), strict=True):
        table.add_column(Text(head), overflow="fold", width=width)
    for row in block.rows:
        table.add_row(
            *(Text(cell, "cyan" * (i in block.code)) for i, cell in enumerate(row))
        )
    return table


@draw.register
def _(block: blocks.Listing, shown: Shown) -> RenderableType:
    lines = [Text(block.title, "bold")]
    for number, code, made in block.lines:
        indent = " " * (len(code) - len(code.lstrip()) + 5)
        mark = f"{number:4} {indent[5:]}"
        lines += hanging(code.lstrip(), mark, shown.width, "cyan" if made else "")
        for said in made:
            lines += hanging(said, indent + "→ ", shown.width)
    return Group(*lines)


def hanging(said: str, first: str, width: int, style: str = "") -> list[Text]:
    """A line, and what does not fit in it indented like it."""
    room = max(width - len(first), 30)
    marks = [first, " " * (len(first) + 2 * (len(said) > room))]
    lines = list(wrap(Text(said, style), room)) or [Text()]
    return [Text(marks[min(i, 1)]) + line for i, line in enumerate(lines)]


@draw.register
def _(block: blocks.Code, shown: Shown) -> RenderableType:
    lines = block.text.splitlines()
    return Group(*(part for line in lines for part in code_line(line, shown.width)))


def code_line(line: str, width: int) -> list[Text]:
    """A line of code, indented; what does not fit in it, a little more."""
    indent = line[: len(line) - len(line.lstrip())]
    return hanging(line.lstrip(), f"  {indent}", width, "cyan")


@draw.register
def _(block: blocks.Folded, shown: Shown) -> RenderableType:
    return Group(*(draw(part, shown) for part in seen(block)))


def seen(block: blocks.Folded) -> list[blocks.Grid]:
    """A terminal has no folding: of what is folded elsewhere, tables are shown."""
    return [part for part in block.blocks if isinstance(part, blocks.Grid)]


@draw.register
def _(block: blocks.Aligned, shown: Shown) -> RenderableType:
    said = shown.ui["aligned"]
    lines: list[RenderableType] = [Text(block.title, "bold")]
    phase = ""
    labels = {n: block.label(n, shown.ui["columns"]) for n in block.names}
    room = max(8, *map(cell_len, labels.values()))
    for row in block.rows:
        if row.phase != phase:
            phase = row.phase
            lines += [Text(), Text(said[phase], "bold underline")]
        lines.append(Text(row.title, "bold"))
        for name in block.names:
            does, keeps = row.does.get(name, []), row.keeps.get(name, [])
            label = f"  {labels[name]}{' ' * (room - cell_len(labels[name]))} "
            for index, line in enumerate([*does, *(kept(k, said) for k in keeps)]):
                first = label if index == 0 else " " * len(label)
                lines += hanging(line, first, shown.width)
    lines += [Text(), *([totals(block, shown)] if block.totals else [])]
    lines.append(shown.wrapped(block.note or said["note"]))
    return Group(*lines)


def kept(saved: dict[str, Any], said: dict[str, Any]) -> str:
    """What is remembered of a step."""
    what = ".".join(filter(None, (saved["owner"], saved["name"])))
    text = said["keeps"].format(what=what, bytes=saved["bytes"])
    same = saved["same_as"]
    return f"{text} ({said['same_as'].format(same)})" if same else text


def totals(block: blocks.Aligned, shown: Shown) -> Table:
    rows = total_rows(block, shown.ui)
    return grid(blocks.Grid("", rows[0], rows[1:]), shown.width)


def total_rows(block: blocks.Aligned, said: Any) -> list[list[str]]:
    """What each keeps in all, for the example and at scale, under a row of names."""
    rows = [["", *(block.label(name, said["columns"]) for name in block.names)]]
    for index, size in enumerate(("example", "scaled")):
        cells = []
        for name in block.names:
            total = block.totals.get(name, (None, None))[index]
            cells.append(
                said["aligned"]["bytes"].format(
                    kept=f"{total.kept:,}", extra=f"{total.extra:,}"
                )
                if total
                else ""
            )
        if any(cells):
            rows.append([said["aligned"][size], *cells])
    return rows


@draw.register
def _(block: blocks.Exercise, shown: Shown) -> RenderableType:
    shown.asked += 1
    parts: list[RenderableType] = [
        spaced(draw(b, shown)) for b in (*block.question, *block.broken)
    ]
    for letter, choice in zip("abcdef", block.choices, strict=False):
        parts.append(shown.wrapped(choice.text, f"   {letter}) "))
    if block.hint:
        parts.append(shown.wrapped(f"{shown.ui['hint']}: {block.hint}"))
    return Group(Text(f"({shown.asked})", "bold"), *parts)


def spaced(drawn: RenderableType) -> Padding:
    return Padding(drawn, (0, 0, 1, 0), expand=False)


def answer(number: int, exercise: blocks.Exercise, shown: Shown) -> RenderableType:
    """The answer, and why it is that."""
    right = ""
    if exercise.answer is not None:
        right = walk.tidy(exercise.answer)
    for letter, choice in zip("abcdef", exercise.choices, strict=False):
        if choice.right:
            right = f"{letter})"
    why = [draw(block, shown) for block in exercise.why]
    return Group(Text(f"({number}) {right}", "bold"), *why)


def plain(markdown: str) -> str:
    """A line of Markdown without its marks."""
    return "".join(str(styled(t)) for t in parse(markdown) if t.type == "inline")


def literal(text: str) -> str:
    """Text that no Markdown is to be seen in."""
    return re.sub(r"([\\`*_\[\]<>$&])", r"\\\1", text)
