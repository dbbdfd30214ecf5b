"""A page as Markdown for repositories and notes: formulas in LaTeX, tables by tabulate,
pictures as files beside it or, where there are none, as text.
"""

import re
from collections.abc import Callable, Iterator
from functools import singledispatch

from tabulate import tabulate

from gradparity.reports.explain import blocks, walk
from gradparity.reports.explain.as_text import kept, total_rows
from gradparity.reports.explain.wording import ui

Address = Callable[[str], str]


def render(page: blocks.Page, address: Address | None = None) -> str:
    """The page. `address` gives the file of a picture by its name, where there is one."""
    answer = [f"**{literal(page.answer)}**"] if page.answer else []
    parts = [*answer, f"# {page.title}", page.summary]
    asked = 0
    for section in page.sections:
        parts.append(f"## {section.title}")
        for block in section.blocks:
            if isinstance(block, blocks.Exercise):
                asked += 1
                parts.append(f"### {asked}")
            parts += written(block, page.lang, address)
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


@singledispatch
def written(block: blocks.Block, lang: str, address: Address | None) -> Iterator[str]:
    """The paragraphs of a block."""
    raise TypeError(f"nothing writes {type(block).__name__}")


@written.register
def _(block: blocks.Prose, lang: str, address: Address | None) -> Iterator[str]:
    yield block.markdown


@written.register
def _(block: blocks.Formula, lang: str, address: Address | None) -> Iterator[str]:
    yield f"$$\n{block.latex}\n$$"


@written.register
def _(block: blocks.Heading, lang: str, address: Address | None) -> Iterator[str]:
    yield f"### {block.text}"


@written.register
def _(block: blocks.Picture, lang: str, address: Address | None) -> Iterator[str]:
    if address is not None:
        yield f"![{block.title}]({address(block.name)})"
    else:
        yield f"**{block.title}**"
        yield f"```text\n{walk.text_graph(block.graph, lang=lang)}\n```"
    steps = walk.sentences(block.graph, lang)
    yield "\n".join(f"1. {escaped(step.text)}" for step in steps)


@written.register
def _(block: blocks.Loop, lang: str, address: Address | None) -> Iterator[str]:
    if address is not None:
        yield f"![{block.title}]({address(block.name)})"
    yield " → ".join(block.steps) + " ↺"


@written.register
def _(block: blocks.Grid, lang: str, address: Address | None) -> Iterator[str]:
    block = block.filled()
    rows = [
        [cell(text, index in block.code) for index, text in enumerate(row)]
        for row in block.rows
    ]
    if block.title:
        yield f"**{block.title}**"
    yield tabulate(rows, block.headers, "github", disable_numparse=True)


def cell(text: str, is_code: bool = False) -> str:
    """What can stand in a table."""
    lines = [line.replace("|", r"\|") for line in text.split("\n")]
    return "<br>".join(f"`{line}`" if is_code and line else line for line in lines)


@written.register
def _(block: blocks.Listing, lang: str, address: Address | None) -> Iterator[str]:
    lines = []
    for _, code, made in block.lines:
        lines.append(code)
        indent = " " * (len(code) - len(code.lstrip()))
        lines += [f"{indent}# → {said}" for said in made]
    yield f"**`{block.title}`**"
    yield "```python\n" + "\n".join(lines) + "\n```"


@written.register
def _(block: blocks.Code, lang: str, address: Address | None) -> Iterator[str]:
    yield f"```{block.language}\n{block.text}\n```"


@written.register
def _(block: blocks.Folded, lang: str, address: Address | None) -> Iterator[str]:
    yield f"<details><summary>{block.title.replace('`', '')}</summary>"
    for part in block.blocks:
        yield from written(part, lang, address)
    yield "</details>"


@written.register
def _(block: blocks.Aligned, lang: str, address: Address | None) -> Iterator[str]:
    said = ui(lang)
    rows = []
    for row in block.rows:
        cells = []
        for name in block.names:
            does = [cell(code, True) for code in row.does.get(name, [])]
            keeps = [
                f"◆ {cell(kept(saved, said['aligned']))}"
                for saved in row.keeps.get(name, [])
            ]
            cells.append("<br>".join([*does, *keeps]))
        rows.append([said["aligned"][row.phase], cell(row.title), *cells])
    heads = [
        "",
        said["aligned"]["step"],
        *(block.label(n, said["columns"]) for n in block.names),
    ]
    totals = [["", *row] for row in total_rows(block, said)[1:]]
    yield f"**{block.title}**"
    yield tabulate([*rows, *totals], heads, "github", disable_numparse=True)
    yield block.note or said["aligned"]["note"]


@written.register
def _(block: blocks.Exercise, lang: str, address: Address | None) -> Iterator[str]:
    said = ui(lang)
    for part in (*block.question, *block.broken):
        yield from written(part, lang, address)
    if block.choices:
        yield "\n".join(f"- [ ] {choice.text}" for choice in block.choices)
    if block.hint:
        yield f"*{said['hint']}:* {block.hint}"
    yield f"<details><summary>{said['reveal']}</summary>"
    if block.answer is not None:
        yield f"**{walk.tidy(block.answer)}**"
    yield from (f"**{choice.text}**" for choice in block.choices if choice.right)
    for part in block.why:
        yield from written(part, lang, address)
    yield "</details>"


def literal(text: str) -> str:
    """A sentence that no Markdown is to be seen in; `a_b` is none."""
    return re.sub(r"[\\`*<$&]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def escaped(text: str) -> str:
    return text.replace("_", r"\_").replace("*", r"\*")
