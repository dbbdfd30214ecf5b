"""Where in the book a definition stands word for word."""


def origin(source: str) -> str | None:
    """Where in the book this definition is, such as `common/layers.py`, or None."""
    return None
