"""How far rounding may take a number, and which steps of the program make it so."""

from dataclasses import dataclass

import numpy as np

from gradparity.parity_tests.functions.judging import Judged, Number
from gradparity.parity_tests.functions.programs import Executed

LEAST = 0.02  # a step that adds less to a bound is not told


@dataclass(frozen=True)
class Share:
    """What part of a number's bound a step adds, and which step that is."""

    share: float
    step: Executed


def budget_of(side: Judged, number: Number) -> list[Share]:
    """Which steps the bound of an element of a quantity comes of, the most first."""
    if number.at is None or side.value(number.quantity).dtype.kind != "f":
        return []
    budget = side.budget(number.quantity, number.at)
    total = 0.0 if budget is None else budget.certain
    if budget is None or not 0 < total < np.inf:
        return []
    shares: dict[int, float] = {}
    for term in budget.terms:
        step = side.recording.owner(term.step)
        if step is not None:
            shares[step] = shares.get(step, 0.0) + term.certain / total
    found = [
        Share(share, side.recording.executed[step]) for step, share in shares.items()
    ]
    found.sort(key=lambda each: -each.share)
    return [each for each in found if each.share >= LEAST]
