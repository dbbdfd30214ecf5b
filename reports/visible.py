"""Text of somebody else, so that nothing in it acts on what shows it, and all is seen.

Names of files and of implementations, messages of exceptions and servers, what a file says
that was written elsewhere: whatever of it is an instruction to a terminal, changes how
other characters are shown, or cannot be seen, becomes its code. What this package prints
or writes to be read goes through here where it leaves: in `console`, `Table`, templates,
and the sentence of a refusal.
"""

import re
import unicodedata
from collections.abc import Iterator

LONG, LONGEST = 500, 2000  # characters: a message of somebody's, a sentence with it
# What is printable for Python, and yet ignorable by default in Unicode, or without ink.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U0001d159\U000e0000-\U000e0fff]"
)
WIDE_BLANK = "\u3000"  # as it stands between the parts of a Japanese name
IN_COLOURS = "\ufe0f"  # how a symbol before it is shown


def visible(text: str, longest: int = LONG) -> str:
    """The text in one line in which nothing acts on what shows it: control characters
    and what is invisible as `\\x1b` or `\\u202e`, and what is too long cut.
    """
    if len(text) <= longest and is_seen(text):
        return text
    shown, room = list[str](), longest
    for piece in pieces(text[: longest + 1]):
        shown.append(piece)
        room -= len(piece)
    if len(text) <= longest and room >= 0:
        return "".join(shown)
    while shown and room < len("..."):
        room += len(shown.pop())
    return "".join(shown) + "..."


def harmless(text: str) -> str:
    """The same of a text in lines, which may be of any length and have tabs in them."""
    return text if is_seen(text) else "".join(pieces(text, but="\n\t"))


def is_seen(text: str) -> bool:
    """Whether it is shown as it is."""
    return text.isprintable() and UNSEEN.search(text) is None


def pieces(text: str, but: str = "") -> Iterator[str]:
    """The characters, or their codes as Python writes them."""
    before = ""  # what stands there, if it is shown as it is
    for character in text:
        in_colours = (
            character == IN_COLOURS and unicodedata.category(before or " ") == "So"
        )
        if is_seen(character) or character in WIDE_BLANK + but or in_colours:
            before = character
            yield character
        else:
            before = ""
            yield character.encode("unicode_escape").decode("ascii")
