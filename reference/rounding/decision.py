"""Booleans that may come out the other way, because what is compared is rounded."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Decision:
    """Which way each comparison goes, and where a computed one may go the other.

    Args:
        value: which way they go.
        doubt: where what is compared is no further apart than its errors.
    """

    value: Any
    doubt: Any

    @classmethod
    def sure(cls, value: Any) -> "Decision":
        """One that is in no doubt."""
        return cls(value, np.zeros(np.shape(value), bool))

    @property
    def may(self) -> Any:
        """Where it may come out true."""
        return self.value | self.doubt

    @property
    def must(self) -> Any:
        """Where it cannot come out false."""
        return self.value & ~self.doubt

    def __invert__(self) -> "Decision":
        return Decision(~self.value, self.doubt)

    def __and__(self, other: "Decision") -> "Decision":
        may, must = self.may & other.may, self.must & other.must
        return Decision(self.value & other.value, may & ~must)

    def __or__(self, other: "Decision") -> "Decision":
        return ~(~self & ~other)
