"""What happens under the hood: the pages of `gradparity explain`.

What a call can be refused for stands here, where it needs none of the page's libraries.
"""


class UnusableInput(ValueError):
    """A value that was given cannot be used."""


class UnusableFunction(ValueError):
    """The function that was named is not there, or cannot be shown."""
