"""How a sentence lists things and a table groups rows; apart, because it needs nothing and
all need it.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, TypeVar

Row = TypeVar("Row")


def listed(words: Iterable[str], most: int | None = None) -> str:
    """`a`, `a and b`, `a, b and c`; empty if there are none. Of more than `most`, so many
    of them and how many more.
    """
    words = [*words]
    if most is not None and len(words) > most + 1:
        words = [*words[:most], f"{len(words) - most} more"]
    *others, last = words or [""]
    return f"{', '.join(others)} and {last}" if others else last


def grouped(rows: Iterable[Row], *fields: str) -> dict[Any, list[Row]]:
    """The rows by what they have in these fields, which are in the order in which they
    first come: by a value, or by a tuple of several.
    """
    key = attrgetter(*fields)
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
