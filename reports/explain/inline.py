"""Markdown as the words are written in it: CommonMark, and `$…$` for mathematics in plain
Unicode. The renderers read the tokens; none of them parses anything itself.
"""

from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token


@cache
def parser() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False})
    markdown.inline.ruler.before("escape", "math", _math)
    return markdown


def parse(text: str) -> list[Token]:
    """The blocks; those of type `inline` have children."""
    return parser().parse(text)


def _math(state: StateInline, silent: bool) -> bool:
    """`$x ≤ 0$` becomes a token of type `math`."""
    if state.src[state.pos] != "$":
        return False
    end = state.src.find("$", state.pos + 1)
    if end < 0 or end == state.pos + 1:
        return False
    if not silent:
        state.push("math", "", 0).content = state.src[state.pos + 1 : end]
    state.pos = end + 1
    return True
