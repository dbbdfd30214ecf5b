"""Which definitions are the book's, word for word: told by digests of their tokens.

`book.json` has the digests of all classes and functions that the repositories of the book
and of its second volume have had at their top level, and of what is handed out here; no
text of theirs. `make book` renews it. Comments, docstrings, blank lines, spaces and the
kind of quotes do not count. This is read where a submission is looked for, and imports
only the standard library.
"""

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from textwrap import dedent

DATA = Path(__file__).with_name("book.json")
DIGITS = 16  # of the SHA-256
MARKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t", tokenize.DEDENT: "\b"}
DROPPED = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER)
LITERAL = re.compile(r"(\w*)('''|\"\"\"|'|\")(.*)\2", re.DOTALL)
QUOTE = re.compile(r"\\?['\"]")


def origin(source: str) -> str | None:
    """Where in the book a definition of this source is, such as `common/layers.py`, or
    None where it is somebody's own, or no Python.
    """
    return _origins().get(digest(source) or "")


def digest(source: str) -> str | None:
    """Of a definition's source lines the digest, the same in every version of Python; or
    None if they are no Python.
    """
    text = dedent(source.replace("\r\n", "\n").replace("\r", "\n")) + "\n"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes that there are not
            ast.parse(text)
            tokens = "\0".join(_normal(text))
    except (SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError):
        return None
    return sha256(tokens.encode("utf-8", "replace")).hexdigest()[:DIGITS]


def _normal(text: str) -> Iterator[str]:
    """The tokens of all statements but those that are a string and nothing else."""
    statement: list[str] = []
    for kind, token in _tokens(text):
        statement.append(MARKS.get(kind, token))
        if kind in MARKS:
            alone = all(each.startswith('"') for each in statement[:-1])
            if kind != tokenize.NEWLINE or not alone:
                yield from statement
            statement = []


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """The tokens, of literals their normal form. From Python 3.12 on an f-string comes in
    parts, and is put together again.
    """
    lines = io.StringIO(text).readlines()
    begins, depth = (0, 0), 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            begins = begins if depth else token.start
            depth += 1
        elif kind == "FSTRING_END":
            depth -= 1
            if not depth:
                yield tokenize.STRING, _literal(_between(lines, begins, token.end))
        elif not depth and token.type not in DROPPED:
            is_string = token.type == tokenize.STRING
            yield token.type, _literal(token.string) if is_string else token.string


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text from one row and column to another; rows are counted from 1."""
    rows = lines[start[0] - 1 : end[0]]
    rows[-1] = rows[-1][: end[1]]
    rows[0] = rows[0][start[1] :]
    return "".join(rows)


def _literal(token: str) -> str:
    """A string as it would be between double quotes, which come first."""
    found = LITERAL.fullmatch(token)
    if not found:
        return token
    prefix, _, body = found.groups()
    letters = "".join(sorted(prefix.lower().replace("u", "")))
    return f'"{letters}"' + QUOTE.sub('"', body)


@cache
def _origins() -> dict[str, str]:
    """Every digest's place."""
    files = json.loads(DATA.read_text(encoding="utf-8"))
    return {each: place for place, digests in files.items() for each in digests}
