"""How a wrong result is related to the right one: what can be said of any mistake.

A relation is a test that must hold in all cases, and a phrase for what it found. The
first that holds is taken, so the narrower ones come before the wider ones.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from parity_tests.grading.exercise import PARAMS
from parity_tests.grading.findings import (
    OF_TYPE,
    UNANSWERED,
    Findings,
    Found,
    described,
)
from parity_tests.grading.outcomes import FUNCTIONS, Remark

# How near a value must be to what it is taken for, relative to the largest element.
CLOSE = {"float64": 1e-9, "float32": 1e-4}
# A loss differs by what is added to the probabilities: 1e-7 over the smallest of them.
LOSS_CLOSE = 1e-4
ARGUMENTS = ("dout", "x", "y", "t", "W", "b")

Test = Callable[["Wrong"], str | None]


@dataclass(frozen=True, eq=False)
class Wrong:
    """A quantity that is wrong: what came where it counts."""

    name: str
    quantity: str
    found: list[Found]
    findings: Findings

    @classmethod
    def of(cls, findings: Findings, quantity: str) -> "Wrong":
        counted = [f for f in findings.of_quantity(quantity) if findings.counts(f)]
        return cls(findings.name, quantity, counted, findings)

    @property
    def wrong(self) -> list[Found]:
        return [f for f in self.found if not f.right]

    @property
    def came(self) -> bool:
        """Whether there is a result in every case."""
        return all(f.value is not None for f in self.found)

    @property
    def shaped(self) -> bool:
        """Whether it has the right shape, too, in every case."""
        return self.came and all(value(f).shape == f.truth.shape for f in self.found)


@dataclass(frozen=True, eq=False)
class Relation:
    """`phrase` completes a sentence about one result, or about several of them."""

    name: str
    phrase: str
    precise: bool  # whether it says more than in which cases something is wrong

    def sentence(self, name: str, quantities: Sequence[str]) -> str:
        """A whole sentence; the phrase has `{is}` and `{one}`, to be singular or plural."""
        said = self.of(quantities)
        return said if self.name in WHOLE else f"Your {listed(quantities)} {said}."

    def of(self, quantities: Sequence[str]) -> str:
        """The phrase about so many quantities; a whole sentence may be in their words."""
        if self.name in WHOLE:
            return self.phrase
        phrase = self.phrase
        for word, said in (PLURAL if len(quantities) > 1 else SINGULAR).items():
            phrase = phrase.replace(f"{{{word}}}", said)
        return phrase


SINGULAR = {"is": "is", "has": "has", "does": "does", "one": "one"}
PLURAL = {"is": "are", "has": "have", "does": "do", "one": "ones"}


def listed(quantities: Sequence[str]) -> str:
    """`dW`, `db` and `dx`."""
    quoted = [f"`{quantity}`" for quantity in quantities]
    *most, last = quoted
    return f"{', '.join(most)} and {last}" if most else last


def value(found: Found) -> np.ndarray:
    assert found.value is not None
    return found.value


def close(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    """Whether a is b to a share of its largest element; NaN is NaN."""
    if a.shape != b.shape:
        return False
    with np.errstate(all="ignore"):
        a, b = (np.asarray(v, np.float64) for v in (a, b))
        finite = np.isfinite(b)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
            return False
        size = np.abs(b[finite]).max(initial=0)
        return bool((np.abs(a[finite] - b[finite]) <= tolerance * size).all())


def near(found: Found, other: np.ndarray) -> bool:
    return close(value(found), other, CLOSE[found.dtype])


# --- The tests ------------------------------------------------------------------------


def raises(wrong: Wrong) -> str | None:
    """An exception, in some cases or in all."""
    raised = [f for f in wrong.wrong if f.value is None and f.raised is not None]
    if not raised or any(f.value is None and f.raised is None for f in wrong.wrong):
        return None
    first = raised[0]
    assert first.raised is not None
    what = f"`{wrong.name}` raises {described(first.raised)}"
    if len(raised) == len(wrong.found):
        return what + "."
    return f"{what}, in the case “{first.case}”."


def unanswered(wrong: Wrong) -> str | None:
    """Not even an exception, in some case."""
    if any(f.note == UNANSWERED for f in wrong.found):
        return f"`{wrong.name}` has not answered everything."
    return None


def of_no_numbers(wrong: Wrong) -> str | None:
    """Something, but no array of numbers, in every case."""
    notes = {f.note or "" for f in wrong.found}
    if len(notes) == 1 and (note := notes.pop()).startswith(OF_TYPE):
        return (
            f"{{is}} of type {note.removeprefix(OF_TYPE)}, where real numbers are due"
        )
    return None


def missing(wrong: Wrong) -> str | None:
    """No result, and no exception either."""
    if not all(f.value is None and f.raised is None for f in wrong.found):
        return None
    quantity, name = wrong.quantity, wrong.name
    is_none = any(f.note == "is None" for f in wrong.found)
    if name in FUNCTIONS:
        return f"`{name}` returns nothing: a `return` is missing."
    if quantity in ("predict", "loss", "accuracy"):
        if is_none:
            return f"`{name}.{quantity}` returns nothing: a `return` is missing."
        return f"`{name}` has no method `{quantity}`."
    if quantity in ("dW", "db"):
        return f"`{name}.backward` does not set `self.{quantity}`."
    method = "forward" if quantity == "out" else "backward"
    if name == "TwoLayerNet":
        return f"`{name}.gradient` does not return a `{quantity[1:]}`."
    if is_none:
        return f"`{name}.{method}` returns nothing: a `return` is missing."
    if quantity == "dy":
        return f"`{name}.backward` returns no `dy`: there are two inputs."
    return f"`{name}` has no method `{method}`, or it returns no `{quantity}`."


def transposed(wrong: Wrong) -> str | None:
    matrices = wrong.came and all(f.truth.ndim == 2 for f in wrong.found)
    if matrices and all(near(f, f.truth.T) for f in wrong.found):
        return "{is} the transpose of the right {one}"
    return None


def reshaped(wrong: Wrong) -> str | None:
    """The right numbers in another shape."""
    if not wrong.came or wrong.shaped:
        return None
    for f in wrong.found:
        if f.truth.size != value(f).size or not near_flat(f):
            return None
    return "{has} the right numbers in another shape: " + shapes(wrong)


def near_flat(found: Found) -> bool:
    flat = value(found).ravel()
    return close(flat, found.truth.ravel(), CLOSE[found.dtype])


def of_another_shape(wrong: Wrong) -> str | None:
    if not wrong.came or wrong.shaped:
        return None
    return "{has} another shape: " + shapes(wrong)


def shapes(wrong: Wrong) -> str:
    """The first shape that is not right."""
    first = next(f for f in wrong.wrong if value(f).shape != f.truth.shape)
    return f"{value(first).shape} where {first.truth.shape} is right"


def all_zeros(wrong: Wrong) -> str | None:
    if wrong.shaped and not any(value(f).any() for f in wrong.found):
        return "{is} zero everywhere"
    return None


def not_finite(wrong: Wrong) -> str | None:
    """NaN or infinite, wherever it is wrong."""
    if not wrong.shaped or any(np.isfinite(value(f)).all() for f in wrong.wrong):
        return None
    nan = any(np.isnan(value(f)).any() for f in wrong.wrong)
    what = "{is} NaN" if nan else "{is} infinite"
    if all("rows far apart" in f.case for f in wrong.wrong):
        return what + " where one row of logits is far below the others"
    if all("large logits" in f.case or "rows far apart" in f.case for f in wrong.wrong):
        return what + " where the logits are large"
    return what


def multiplied(wrong: Wrong) -> str | None:
    """The right one times a number."""
    if not wrong.shaped:
        return None
    known: list[tuple[Found, float]] = []
    for f in wrong.found:
        c = factor(f)
        if c is None:
            return None
        if c != 0:
            known.append((f, c))
    if not known:
        return None
    for name, formula in FACTORS.items():
        if all(np.isclose(c, formula(f), rtol=tolerance(f)) for f, c in known):
            return name if name == OPPOSITE else f"{{is}} the right {{one}} {name}"
    first = known[0][1]
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


def tolerance(found: Found) -> float:
    if found.quantity == "loss" or found.truth.ndim == 0:
        return LOSS_CLOSE
    return CLOSE[found.dtype]


def classes(found: Found) -> float:
    """How many columns the last layer has: classes, or outputs."""
    for given in (found.input("W2"), found.input("W"), found.input("x")):
        if given is not None:
            return float(np.atleast_1d(given).shape[-1])
    return float(np.atleast_1d(found.expected.call.inputs["y"]).shape[-1])


OPPOSITE = "{has} the wrong sign"
FACTORS: dict[str, Callable[[Found], float]] = {
    OPPOSITE: lambda f: -1,
    "times the batch size": lambda f: f.batch,
    "divided by the batch size": lambda f: 1 / f.batch,
    "times the square of the batch size": lambda f: f.batch**2,
    "divided by the square of the batch size": lambda f: 1 / f.batch**2,
    "times minus the batch size": lambda f: -f.batch,
    "divided by minus the batch size": lambda f: -1 / f.batch,
    "times the number of classes": classes,
    "divided by the number of classes": lambda f: 1 / classes(f),
    "times 2": lambda f: 2,
    "divided by 2": lambda f: 1 / 2,
}


def another_quantity(wrong: Wrong) -> str | None:
    """What another one should be, or an argument as it came."""
    if not wrong.shaped:
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


def without_dout(wrong: Wrong) -> str | None:
    """The same for another dout, where the right one is another."""
    if not wrong.shaped or not wrong.quantity.startswith("d"):
        return None
    pairs = [
        (f, g)
        for f in wrong.found
        for g in wrong.found
        if f.expected.task is g.expected.task
        and f.expected.number < g.expected.number
        and same_inputs(f, g)
        and f.input("dout") is not None
        and not close(f.truth, g.truth, CLOSE[f.dtype])
    ]
    if pairs and all(close(value(f), value(g), CLOSE[f.dtype]) for f, g in pairs):
        return "{does} not depend on `dout`: the chain rule multiplies by it"
    return None


def same_inputs(f: Found, g: Found) -> bool:
    a, b = f.expected.call.inputs, g.expected.call.inputs
    return all(np.array_equal(a[name], b[name]) for name in a)


def of_forward_differences(wrong: Wrong) -> str | None:
    """Of a parabola, they are off by its second derivative times half of the step."""
    if wrong.name != "numerical_gradient" or not wrong.shaped:
        return None
    steps = []
    for f in wrong.found:
        a, truth = f.input("a"), np.asarray(f.truth, np.float64)
        assert a is not None
        step = (value(f) - truth) / a
        if np.ptp(step) > 1e-2 * np.abs(step).max():
            return None
        steps.append(float(np.mean(step)))
    if np.ptp(steps) > 1e-2 * np.abs(steps).max() or not steps[0]:
        return None
    h = abs(steps[0])
    side = "f(x + h) - f(x)" if steps[0] > 0 else "f(x) - f(x - h)"
    return f"{{is}} that of a difference to one side, {side}, with h = {h:.1g}"


def wrong_at_zero(wrong: Wrong) -> str | None:
    """Wrong exactly where an element of x is 0."""
    if not wrong.shaped:
        return None
    for f in wrong.found:
        x, came = f.input("x"), value(f)
        if x is None or x.shape != came.shape:
            return None
        apart = np.abs(came - f.truth) > CLOSE[f.dtype] * np.abs(f.truth).max()
        if (apart & (x != 0)).any() or np.isnan(came).any():
            return None
    return "{is} right except where x = 0"


def right_for_one_sample(wrong: Wrong) -> str | None:
    one, more = (of_batches(wrong, several) for several in (False, True))
    if one and all(f.right for f in one) and not any(f.right for f in more):
        return "{is} right for a batch of one only"
    return None


def wrong_for_one_sample(wrong: Wrong) -> str | None:
    one, more = (of_batches(wrong, several) for several in (False, True))
    if one and all(f.right for f in more) and not any(f.right for f in one):
        return "{is} right except for a batch of one"
    return None


def of_batches(wrong: Wrong, several: bool) -> list[Found]:
    """What came of batches of one sample, or of several."""
    if wrong.name == "numerical_gradient":
        return []
    return [f for f in wrong.found if (f.batch > 1) == several and f.truth.size > 1]


def right_on_the_first_call(wrong: Wrong) -> str | None:
    """All of the class is: the second call finds what the first has left."""
    firsts = [f for f in wrong.findings.found if f.first and wrong.findings.counts(f)]
    if wrong.name not in FUNCTIONS and all(f.right for f in firsts):
        return (
            "{is} right on the first call only: something of the first batch is kept, "
            "and used for the next"
        )
    return None


def different_each_time(wrong: Wrong) -> str | None:
    """Another result, of any quantity, for the very same call."""
    answered = [f for f in wrong.findings.found if f.value is not None]
    for f in answered:
        for g in answered:
            again = f.expected.call is g.expected.call and f.quantity == g.quantity
            if again and not close(value(f), value(g), 10 * CLOSE[f.dtype]):
                return "{is} not the same when the same is asked again"
    return None


def after_writing(wrong: Wrong) -> str | None:
    """Wrong in those calls in which it had written into what it was given."""
    for name in ("x", "y", "W", "b"):
        wrote = {
            asked
            for asked, outcome in wrong.findings.outcomes.items()
            if Remark("wrote", name) in outcome.remarks
        }
        if wrote and all(f.asked in wrote for f in wrong.wrong):
            return (
                f"{{is}} wrong where `{wrong.name}` has written into its argument "
                f"`{name}`, which is likely to be why"
            )
    return None


def right_in_float64(wrong: Wrong) -> str | None:
    asked = {f.expected.task.dtype for f in wrong.wrong}
    if asked == {"float32"}:
        return "{is} right in float64 only, and wrong in float32"
    return None


def few_digits(wrong: Wrong) -> str | None:
    """Near the right one, but not within rounding of it."""
    if not wrong.shaped:
        return None
    off = 0.0
    for f in wrong.found:
        with np.errstate(all="ignore"):
            largest = np.abs(f.truth).max()
            apart = float(np.abs(value(f) - f.truth).max())
        if not np.isfinite(apart) or (largest == 0 and apart):
            return None
        off = max(off, apart / float(largest or 1))
    if 0 < off < 1e-2:
        why = "rounding does not explain it"
        if wrong.name == "numerical_gradient":
            why = "the step is too small, or too large"
        return f"{{is}} right to about {int(-np.log10(off))} digits, and {why}"
    return None


def in_some_cases(wrong: Wrong) -> str | None:
    """The cases in which it is wrong, if they are few."""
    cases = list(dict.fromkeys(f.case for f in wrong.wrong))
    all_cases = Counter(f.case for f in wrong.found)
    if len(cases) < len(all_cases):
        named = " and ".join(f"“{case}”" for case in cases[:2])
        more = f" and {len(cases) - 2} more" if len(cases) > 2 else ""
        kind = "case" if len(cases) == 1 else "cases"
        return f"{{is}} wrong in the {kind} {named}{more}, and right in the others"
    return None


# --- All of them, the narrowest first -------------------------------------------------

# Whose phrase is a sentence of its own.
WHOLE = ("unanswered", "raises", "missing")
PRECISE: dict[str, Test] = {
    "transposed": transposed,
    "reshaped": reshaped,
    "another-shape": of_another_shape,
    "zeros": all_zeros,
    "not-finite": not_finite,
    "factor": multiplied,
    "another-quantity": another_quantity,
    "without-dout": without_dout,
    "one-sided-difference": of_forward_differences,
    "wrong-at-zero": wrong_at_zero,
}
VAGUE: dict[str, Test] = {
    "unanswered": unanswered,
    "raises": raises,
    "no-numbers": of_no_numbers,
    "missing": missing,
    "first-call": right_on_the_first_call,
    "not-repeatable": different_each_time,
    "right-for-one-sample": right_for_one_sample,
    "wrong-for-one-sample": wrong_for_one_sample,
    "input-overwritten": after_writing,
    "float64-only": right_in_float64,
    "few-digits": few_digits,
    "some-cases": in_some_cases,
}


def relation(findings: Findings, quantity: str) -> Relation | None:
    """The first relation that holds for a wrong quantity in all cases that count."""
    wrong = Wrong.of(findings, quantity)
    for tests in (PRECISE, VAGUE):
        for name, test in tests.items():
            if phrase := test(wrong):
                return Relation(name, phrase, tests is PRECISE)
    return None
