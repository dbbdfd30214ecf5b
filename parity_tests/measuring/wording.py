"""How a sentence lists things; apart, because it needs nothing and all need it."""

from collections.abc import Iterable


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; empty if there are none."""
    *others, last = [*words] or [""]
    return f"{', '.join(others)} and {last}" if others else last
