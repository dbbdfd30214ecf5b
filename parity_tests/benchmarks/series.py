"""What was measured of one thing, repeat by repeat, before medians are taken.

It is apart because every part of the benchmark returns it, and ratios need the repeats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from gradparity.parity_tests.measuring.records import BenchRow


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The median and the quartiles below and above; of one value, thrice itself.

    Raises ValueError where there is none.
    """
    if not values:
        raise ValueError("quartiles need at least one value, and there is none")
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = quantiles(values, n=4, method="inclusive")
    return median, low, high


@dataclass(frozen=True, kw_only=True)
class Series:
    """The repeats of one thing, in the order in which they were taken."""

    part: str
    name: str
    kind: str
    framework: str | None = None
    dtype: str | None = None
    threads: int | None = None
    batch_size: int | None = None
    hidden: int | None = None
    unit: str
    values: tuple[float, ...]
    note: str | None = None

    def row(self) -> BenchRow:
        """Its median and quartiles. Raises ValueError where it has no values."""
        median, low, high = quartiles(self.values)
        found: dict[str, Any] = {
            key: getattr(self, key)
            for key in BenchRow.model_fields
            if hasattr(self, key)
        }
        return BenchRow(
            **found, median=median, low=low, high=high, repeats=len(self.values)
        )


def ratio(numerator: Series, denominator: Series) -> tuple[float, float, float]:
    """The median and the quartiles of the ratios, repeat by repeat.

    Raises ValueError where they do not have as many repeats, or none.
    """
    pairs = zip(numerator.values, denominator.values, strict=True)
    return quartiles([above / below for above, below in pairs])
