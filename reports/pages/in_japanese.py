"""Pages in Japanese: a template's own words, and the sentences that it is filled with.

What stands between the tags of a template is translated, and those attributes that are
read; and so is every text that is filled in there, unless it is `Spoken`, as names are.
"""

import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup

from gradparity.reports.japanese import Spoken, in_japanese
from gradparity.reports.visible import harmless

ATTRIBUTES = "aria-label|data-label|data-said|placeholder"
READ = re.compile(rf'\b({ATTRIBUTES})="([^"]+)"')
TO_BE_READ = re.compile(rf'\b(?:{ATTRIBUTES})="$')
WORDS = re.compile(r"[A-Za-z]{2}|^[,.]$")  # what has some
# What comes behind what is filled in to keep it as it is.
SPOKEN = (("rparen", ")"), ("pipe", "|"), ("name", "as_it_is"))


def speak(environment: Environment) -> None:
    """Have the templates in Japanese."""
    environment.add_extension(InJapanese)
    environment.finalize = filled
    environment.filters["as_it_is"] = lambda v: Spoken(v) if isinstance(v, str) else v
    visible = environment.filters["visible"]
    environment.filters["visible"] = lambda *given: Spoken(visible(*given))


def filled(value: Any) -> Any:
    """What a template is filled with."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return harmless(value if isinstance(value, Spoken) else in_japanese(value))


class InJapanese(Extension):
    """Of the templates of pages; what they include, such as scripts, is as it is."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """The tokens, of which the text is translated, and what is filled into a tag and
        not read stays as it is.
        """
        is_page = str(stream.name).endswith(".html.j2")
        inside = kept = False  # in a tag; and what is filled in there is not read
        for token in stream:
            if is_page and token.type == "data":
                text, inside = translated(token.value, inside)
                kept = inside and TO_BE_READ.search(token.value) is None
                yield Token(token.lineno, token.type, text)
            elif kept and token.type == "variable_begin":
                yield token
                yield Token(token.lineno, "lparen", "(")
            elif kept and token.type == "variable_end":
                for kind, value in SPOKEN:
                    yield Token(token.lineno, kind, value)
                yield token
            else:
                yield token


def translated(text: str, inside: bool) -> tuple[str, bool]:
    """A piece of a page in Japanese, and whether it ends within a tag.

    Args:
        text: the piece.
        inside: whether it begins within one.
    """
    found = []
    for piece in re.split(r"(<|>)", text):
        if piece in ("<", ">"):
            inside = piece == "<"
            found.append(piece)
        elif inside:
            found.append(READ.sub(lambda m: f'{m[1]}="{in_japanese(m[2])}"', piece))
        else:
            found.append(words(piece))
    return "".join(found), inside


def words(text: str) -> str:
    """What stands between two tags; Japanese needs no blanks around it."""
    bare = text.strip()
    said = in_japanese(bare) if WORDS.search(bare) else bare
    return text if said == bare else text.strip(" ").replace(bare, said)
