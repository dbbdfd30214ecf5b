"""The catalogue of cases, the comparison, and the pytest suite that runs them."""

from collections.abc import Sequence

DTYPES = ("float64", "float32")  # in which everything is compared


def as_list(names: str | Sequence[str]) -> list[str]:
    """The names; one that stands alone is a list of one, and not its letters."""
    return [names] if isinstance(names, str) else list(names)
