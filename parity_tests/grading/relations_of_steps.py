"""Relations of what an optimizer makes of parameters to what they should be: by how much
they are moved.
"""

import numpy as np

from gradparity.parity_tests.grading.wrong import Wrong, close, value

CLOSE = 1e-9  # of a step, to the largest in it
LEAST = 1e-3  # what a step that is wrong is off by, of itself


def first_steps(wrong: Wrong) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of the first steps that move a parameter: how they do, and how they should."""
    found = []
    for f in wrong.found:
        before = f.inputs.get(f.quantity)
        if f.first and before is not None and (f.truth != before).any():
            found.append((step(before, value(f)), step(before, f.truth)))
    return found


def step(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.asarray(after - before, np.float64)


def of_the_step_alone(wrong: Wrong) -> str | None:
    """The step in the place of the parameter."""
    for f in wrong.found:
        before = f.inputs.get(f.quantity)
        if before is None or not f.first:
            continue
        if not close(value(f), step(before, f.truth), CLOSE):
            return None
    return "{is} the step alone, which must be added to what the parameter was"


def of_longer_steps(wrong: Wrong) -> str | None:
    """The right first step times a number, in every case."""
    steps = first_steps(wrong)
    factors = [float((a * b).sum() / (b * b).sum()) for a, b in steps]
    if not factors or abs(factors[0] - 1) < LEAST or not np.isfinite(factors[0]):
        return None
    c = factors[0]
    if not all(close(a, c * b, CLOSE) for a, b in steps):
        return None
    if abs(c) < CLOSE:
        return "{is} not moved by the first step"
    if abs(c + 1) < LEAST:
        return "{is} moved in the wrong direction by the first step"
    return f"{{is}} moved by {c:.6g} times the right step in the first one"


def after_the_first_step(wrong: Wrong) -> str | None:
    """Right after the first step, and wrong after some later one."""
    if any(f.first for f in wrong.wrong):
        return None
    return (
        "{is} right after the first step, and not after all others: look at what is kept "
        "from one step to the next"
    )
