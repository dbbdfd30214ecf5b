"""How the differences between two trainings grow."""

from collections.abc import Sequence

import numpy as np

from gradparity.parity_tests.measuring.records import Drift, Parting, Training
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table, number

GROWTH = (
    "The largest difference of a parameter from the reference's. Exponent: k where it "
    "grows as step^k, fitted from step 100 up to where they part, or the end. Rounding "
    "that adds up at random would give 0.5, rounding that always errs to the same side 1; "
    "gradient descent forgets some of it."
)


def growth_table(trainings: Sequence[Training], partings: Sequence[Parting]) -> Table:
    """The drift of every tensor at powers of ten and at the end, and how it grows."""
    last = max((t.steps for t in trainings if t.drift), default=0)
    shown = [10**k for k in range(12) if 10**k < last] + [last] * bool(last)
    rows = []
    for t in trainings:
        parted = [p.step for p in partings if same_run(p, t) and p.first]
        for name, found in grouped(t.drift, "quantity").items():
            at = {d.step: d.max_abs for d in found}
            exponent = fitted([d for d in found if d.step < min([*parted, np.inf])])
            cells = [number(at.get(step)) for step in shown]
            said = "" if exponent is None else f"{exponent:.2f}"
            rows.append([name, t.implementation, t.dtype, *cells, said])
    headers = [f"step {step:,}" for step in shown]
    headers = ["tensor", "implementation", "dtype", *headers, "exponent"]
    return Table("Growth of the differences", headers, rows)


def same_run(parting: Parting, training: Training) -> bool:
    run = training.implementation, training.dtype
    return (parting.implementation, parting.dtype) == run


def fitted(drift: Sequence[Drift]) -> float | None:
    """The exponent of a power of the step, by least squares of the logarithms from step
    100 on; None where there is too little to go by.
    """
    points = [(d.step, d.max_abs) for d in drift if d.step >= 100 and d.max_abs > 0]
    if len(points) < 5:
        return None
    steps, gaps = np.log(np.array(points)).T
    return float(np.polyfit(steps, gaps, 1)[0])
