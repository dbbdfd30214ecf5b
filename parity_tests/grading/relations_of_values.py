"""Relations of a wrong value to the right one that say just what it is: its transpose, a
multiple of it, what another quantity should be.
"""

from collections.abc import Callable

import numpy as np

from gradparity.parity_tests.grading.asking_networks import PARAMS
from gradparity.parity_tests.grading.findings import Found
from gradparity.parity_tests.grading.wrong import (
    ARGUMENTS,
    CLOSE,
    Wrong,
    close,
    near,
    same_inputs,
    tolerance,
    value,
)


def transposed(wrong: Wrong) -> str | None:
    matrices = wrong.came and all(f.truth.ndim == 2 for f in wrong.wrong)
    if matrices and all(near(f, f.truth.T) for f in wrong.found):
        return "{is} the transpose of the right {one}"
    return None


def reshaped(wrong: Wrong) -> str | None:
    """The right numbers in another shape."""
    if not wrong.came or wrong.shaped:
        return None
    for f in wrong.found:
        if not close(value(f).ravel(), f.truth.ravel(), CLOSE[f.dtype]):
            return None
    return "{has} the right numbers in another shape: " + shapes(wrong)


def of_another_shape(wrong: Wrong) -> str | None:
    if not wrong.came or wrong.shaped:
        return None
    return "{has} another shape: " + shapes(wrong)


def shapes(wrong: Wrong) -> str:
    """The first shape that is not right, with its case if there are others."""
    odd = [f for f in wrong.wrong if value(f).shape != f.truth.shape]
    first = odd[0]
    where = "" if len(odd) == len(wrong.found) else f", in the case “{first.case}”"
    return f"{value(first).shape} where {first.truth.shape} is right{where}"


def reordered(wrong: Wrong) -> str | None:
    """The right numbers in other places."""
    if all(
        close(np.sort(value(f), None), np.sort(f.truth, None), CLOSE[f.dtype])
        for f in wrong.found
    ):
        return "{has} the right numbers in another order"
    return None


def all_zeros(wrong: Wrong) -> str | None:
    if not any(value(f).any() for f in wrong.found):
        return "{is} zero everywhere"
    return None


def not_finite(wrong: Wrong) -> str | None:
    """NaN or infinite, wherever it is wrong."""
    if any(np.isfinite(value(f)).all() for f in wrong.wrong):
        return None
    nan = any(np.isnan(value(f)).any() for f in wrong.wrong)
    what = "{is} NaN" if nan else "{is} infinite"
    if all("rows far apart" in f.case for f in wrong.wrong):
        return what + " where one row of logits is far below the others"
    if all("large logits" in f.case or "rows far apart" in f.case for f in wrong.wrong):
        return what + " where the logits are large"
    for name in ("x", "y"):
        if all(is_only_at_zero(f, f.input(name)) for f in wrong.wrong):
            return f"{what} where {name} = 0"
    return (
        what if len(wrong.wrong) == len(wrong.found) else f"{what} in {wrong.how_many}"
    )


def is_only_at_zero(found: Found, x: np.ndarray | None) -> bool:
    """Whether it is not finite where an element of x is 0, and nowhere else."""
    infinite = ~np.isfinite(value(found))
    return x is not None and x.shape == infinite.shape and not x[infinite].any()


def multiplied(wrong: Wrong) -> str | None:
    """The right one times a number."""
    known: list[tuple[Found, float]] = []
    for f in wrong.found:
        c = factor(f)
        if c is None:
            return None
        if c != 0:
            known.append((f, c))
    if all(abs(c - 1) < LEAST_FACTOR for _, c in known):
        return None
    for name, formula in FACTORS.items():
        expected = [(f, c, e) for f, c in known if np.isfinite(e := formula(f))]
        if expected and all(
            np.isclose(c, e, rtol=tolerance(f)) for f, c, e in expected
        ):
            return name if name == OPPOSITE else f"{{is}} the right {{one}} {name}"
    first = known[0][1]
    if abs(first - 1) < LEAST_FACTOR:
        return None
    if all(np.isclose(c, first, rtol=tolerance(f)) for f, c in known):
        return f"{{is}} the right {{one}} times {first:.6g}"
    return None


def factor(found: Found) -> float | None:
    """What the right one is multiplied by; 0 where that is all zeros, and any will do."""
    came, truth = (np.asarray(v, np.float64) for v in (value(found), found.truth))
    if not truth.any():
        return None if came.any() else 0.0
    at = np.unravel_index(np.argmax(np.abs(truth)), truth.shape)
    c = float(came[at] / truth[at])
    fits = np.isfinite(c) and c != 0 and close(came, c * truth, tolerance(found))
    return c if fits else None


def given_size(found: Found, axis: int) -> float:
    """How many inputs (0) or outputs (1) an affine layer has."""
    W = found.input("W")
    return float("nan") if W is None or W.ndim > 2 else float(W.shape[axis])


def less_one(found: Found) -> float:
    """N / (N - 1), or no number for a batch of one."""
    return found.batch / (found.batch - 1) if found.batch > 1 else float("nan")


def classes(found: Found) -> float:
    """How many columns the scores have; no number where there are no classes."""
    if "t" not in found.inputs and found.expected.task.name != "softmax":
        return float("nan")
    for given in (found.input("W2"), found.input("x"), found.input("y")):
        if given is not None:
            return float(np.atleast_1d(given).shape[-1])
    return float("nan")


def columns(found: Found) -> float:
    """How many there are of a matrix x."""
    x = found.input("x")
    return float("nan") if x is None or x.ndim != 2 else float(x.shape[1])


OPPOSITE = "{has} the wrong sign"
LEAST_FACTOR = 1e-2  # what is nearer to 1 is no factor, but an error
FACTORS: dict[str, Callable[[Found], float]] = {
    OPPOSITE: lambda f: -1,
    "times the batch size": lambda f: f.batch,
    "divided by the batch size": lambda f: 1 / f.batch,
    "times the square of the batch size": lambda f: f.batch**2,
    "divided by the square of the batch size": lambda f: 1 / f.batch**2,
    "times minus the batch size": lambda f: -f.batch,
    "divided by minus the batch size": lambda f: -1 / f.batch,
    "divided by twice the batch size": lambda f: 0.5 / f.batch,
    "times N / (N - 1), where N is the batch size": less_one,
    "times the number of outputs": lambda f: given_size(f, 1),
    "divided by the number of outputs": lambda f: 1 / given_size(f, 1),
    "times the number of inputs": lambda f: given_size(f, 0),
    "divided by the number of inputs": lambda f: 1 / given_size(f, 0),
    "times the number of classes": classes,
    "divided by the number of classes": lambda f: 1 / classes(f),
    "times the batch size and divided by the number of classes": lambda f: (
        f.batch / classes(f)
    ),
    "times the number of columns of x": columns,
    "divided by the number of columns of x": lambda f: 1 / columns(f),
    "times 2": lambda f: 2,
    "divided by 2": lambda f: 1 / 2,
}


def another_quantity(wrong: Wrong) -> str | None:
    """What another one should be, or an argument as it came."""
    if not wrong.came:
        return None
    asked = {
        (f.expected.task, f.expected.number, f.quantity): f
        for f in wrong.findings.found
    }
    for other in wrong.findings.quantities:
        beside = [
            asked.get((f.expected.task, f.expected.number, other)) for f in wrong.found
        ]
        if other != wrong.quantity and all(
            b is not None and near(f, b.truth)
            for f, b in zip(wrong.found, beside, strict=True)
        ):
            return f"{{is}} what `{other}` should be"
    for name in (*ARGUMENTS, *PARAMS):
        given = [f.input(name) for f in wrong.found]
        if all(
            g is not None and near(f, g)
            for f, g in zip(wrong.found, given, strict=True)
        ):
            return f"{{is}} `{name}` as it came in"
    return None


def of_forward_differences(wrong: Wrong) -> str | None:
    """Of a parabola, they are off by its second derivative times half of the step."""
    steps = []
    for f in wrong.found:
        if "c" in f.inputs:  # which is no parabola
            continue
        step = (value(f) - np.asarray(f.truth, np.float64)) / f.inputs["a"]
        if np.ptp(step) > 1e-2 * np.abs(step).max():
            return None
        steps.append(float(np.mean(step)))
    if np.ptp(steps) > 1e-2 * np.abs(steps).max() or not steps[0]:
        return None
    h = abs(steps[0])
    side = "f(x + h) - f(x)" if steps[0] > 0 else "f(x) - f(x - h)"
    return f"{{is}} that of a difference to one side, {side}, with h = {h:.1g}"


def of_a_large_step(wrong: Wrong) -> str | None:
    """Of a cubic, central differences are off by its coefficient times h**2."""
    steps = []
    for f in wrong.wrong:
        c = f.input("c")
        if c is None:
            return None
        square = np.asarray(value(f) - f.truth, np.float64) / c
        if square.min() <= 0 or np.ptp(square) > 1e-2 * square.max():
            return None
        steps.append(float(np.sqrt(np.mean(square))))
    return f"{{is}} that of a step that is too large, h = {steps[0]:.3g}"


def wrong_at_zero(wrong: Wrong) -> str | None:
    """Wrong exactly where an element of x is 0."""
    for f in wrong.found:
        x, came = f.input("x"), value(f)
        if x is None or x.shape != came.shape:
            return None
        apart = np.abs(came - f.truth) > CLOSE[f.dtype] * np.abs(f.truth).max()
        if (apart & (x != 0)).any() or np.isnan(came).any():
            return None
    return "{is} right except where x = 0"


def without_dout(wrong: Wrong) -> str | None:
    """The same for another dout, where the right one is another."""
    if not wrong.quantity.startswith("d"):
        return None
    pairs = [
        (f, g)
        for f, g in wrong.pairs
        if same_inputs(f, g)
        and f.input("dout") is not None
        and not close(f.truth, g.truth, CLOSE[f.dtype])
    ]
    if any(f.right or g.right for f, g in pairs):
        return None
    if pairs and all(close(value(f), value(g), CLOSE[f.dtype]) for f, g in pairs):
        return "{does} not depend on `dout`: the chain rule multiplies by it"
    return None
