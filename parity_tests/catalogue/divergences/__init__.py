"""Where implementations legitimately differ: at which numbers, what each returns, and why.

An entry is a rule: it tells the elements of a layer's result by the numbers that go in,
and the exact value that each listed implementation has there, in every case of that
layer. A check comes to `documented divergence` if these elements are exactly so and all
others are within their bound. Anything else is a FAIL, so that an upgrade which changes
the behaviour is noticed.

Zeros of either sign are equal, as everywhere in IEEE 754; entries tell them apart.

The rules stand by mechanism, a file each: `flushing`, `overflow`, `cancellation`,
`not_a_number`, `ties` and `signs_of_zero`, made of the words in `words`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.divergences.cancellation import CANCELLATION
from gradparity.parity_tests.catalogue.divergences.entry import (
    GONE,
    Documented,
    Seen,
    gone_in,
    place,
)
from gradparity.parity_tests.catalogue.divergences.flushing import FLUSHED
from gradparity.parity_tests.catalogue.divergences.not_a_number import NOT_A_NUMBER
from gradparity.parity_tests.catalogue.divergences.overflow import OVERFLOW
from gradparity.parity_tests.catalogue.divergences.signs_of_zero import SIGNS_OF_ZERO
from gradparity.parity_tests.catalogue.divergences.ties import TIES
from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.measuring.records import Divergence
from gradparity.reference.layers import __all__ as LAYERS

__all__ = [
    "DOCUMENTED",
    "GONE",
    "Documented",
    "Seen",
    "documented",
    "gone_in",
    "known",
    "table",
]


def shown_at(entry: Documented) -> tuple[bool, int, bool]:
    """Its place in reports: layers as they are taught, outputs before derivatives, and
    other spellings last.
    """
    return bool(entry.spelled), LAYERS.index(entry.layer), entry.quantity != "out"


DOCUMENTED = sorted(
    [*OVERFLOW, *NOT_A_NUMBER, *TIES, *CANCELLATION, *SIGNS_OF_ZERO, *FLUSHED],
    key=shown_at,
)


def known(case: Any, quantity: str, dtype: str, backend: Backend) -> list[Documented]:
    """The entries that say anything of this quantity of this implementation, whichever
    versions they are of.
    """
    return [e for e in DOCUMENTED if e.knows(case, quantity, dtype, backend)]


def documented(
    case: Any, quantity: str, dtype: str, backend: Backend
) -> list[Documented]:
    """Those of them that are of the installed version."""
    return [e for e in known(case, quantity, dtype, backend) if e.applies_to(backend)]


def table(seen: Sequence[Seen], implementations: Sequence[str]) -> Iterator[Divergence]:
    """The rows for `results.json`: what every implementation returned at the first
    element of each divergence that is not the truth, and the truth.

    Args:
        seen: what was computed.
        implementations: which of them to show, in this order.
    """
    shown = ["truth", *implementations]
    for entry in DOCUMENTED:
        for dtype in entry.dtypes:
            examples = ((s, entry.example(s)) for s in seen if s.dtype == dtype)
            one, index = next(
                ((s, i) for s, i in examples if i is not None), (None, None)
            )
            if one is None or index is None:
                continue
            by_name = {
                s.name: s.results[entry.quantity]
                for s in seen
                if (s.case.id, s.dtype) == (one.case.id, dtype) and s.results
            }
            with np.errstate(over="ignore"):
                by_name["truth"] = one.truth[entry.quantity].astype(dtype)
            yield Divergence(
                id=entry.id,
                layer=entry.layer,
                where=entry.where,
                dtype=dtype,
                at=place(one.case, index),
                values={
                    name: str(by_name[name][index]) for name in shown if name in by_name
                },
                why=entry.why,
                source=entry.source,
            )
