"""Anybody's functions, compared: are two of them the same, and if not, where do they part?

What a call can be refused for stands here, where it needs no framework.
"""


class UnusableInput(ValueError):
    """A value that was given cannot be used."""


class UnusableFunction(ValueError):
    """The function that was named is not there, or cannot be taken."""
