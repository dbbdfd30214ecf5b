"""Anybody's functions, compared: are two of them the same, and if not, where do they part?

What a call can be refused for stands here, where it needs no framework.
"""

from collections.abc import Sequence

FEW = 8  # of what may be many, as many as a sentence names


class UnusableInput(ValueError):
    """A value that was given cannot be used."""


class UnusableFunction(ValueError):
    """The function that was named is not there, or cannot be taken."""


def are(words: Sequence[str]) -> str:
    """The verb that goes with them."""
    return "is" if len(words) == 1 else "are"
