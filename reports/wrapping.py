"""Where a line of text may end, in English and in Japanese."""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

WIDE = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60"
TOKENS = re.compile(rf"[{WIDE}]|[^\s{WIDE}]+|\s+")
NEVER_FIRST = "、。，．）」』】〕！？：；ー々"  # of a line, in Japanese
NEVER_LAST = "（「『【〔"


def wide_break(before: str) -> bool:
    """Whether a line that ended so goes on without a space, as Japanese does."""
    return bool(before) and re.match(rf"[{WIDE}]", before[-1]) is not None


def wrap(text: Text, width: int) -> Iterator[Text]:
    """Lines of at most so many columns, broken between words, or between the characters
    of Japanese where its rules allow.
    """
    cuts, column = [], 0
    tokens = TOKENS.findall(text.plain)
    position = 0
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        held = token + (following if following[:1] in NEVER_FIRST else "")
        if token[-1] in NEVER_LAST:
            held += following
        full = column + cell_len(held.rstrip()) > width and token.strip()
        if column and full and token[0] not in NEVER_FIRST:
            cuts.append(position)
            column = 0
        column += cell_len(token)
        position += len(token)
    for line in text.divide(cuts):
        line.rstrip()
        yield line
