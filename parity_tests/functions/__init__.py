"""Anybody's functions, compared: are two of them the same, and if not, where do they part?

What a call can be refused for stands here, where it needs no framework.
"""

from collections.abc import Sequence

FEW = 8  # of what may be many, as many as a sentence names


class UnusableInput(ValueError):
    """A value that was given cannot be used."""


class UnusableFunction(ValueError):
    """The function that was named is not there, or cannot be taken."""


def listed(words: Sequence[str], most: int | None = None) -> str:
    """a, b and c; of more than `most`, so many of them and how many more."""
    if most is not None and len(words) > most + 1:
        words = [*words[:most], f"{len(words) - most} more"]
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def are(words: Sequence[str]) -> str:
    """The verb that goes with them."""
    return "is" if len(words) == 1 else "are"
