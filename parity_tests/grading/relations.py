"""How a wrong result is related to the right one: what can be said of any mistake.

A relation is a test that must hold in all cases, and a phrase for what it found. The
first that holds is taken, so the narrower ones come before the wider ones.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from parity_tests.grading.exercise import BESIDE, PARAMS, UNFIT
from parity_tests.grading.findings import (
    OF_TYPE,
    UNANSWERED,
    Findings,
    Found,
    described,
)
from parity_tests.grading.formulas import FORMULAS, evaluated, note
from parity_tests.grading.outcomes import FUNCTIONS, NETWORK, Remark
from parity_tests.grading.tasks import LABELS, ONE_HOT
from parity_tests.grading.truths import LOSSES

# How near a value must be to what it is taken for, relative to the largest element.
CLOSE = {"float64": 1e-9, "float32": 1e-4}
# A loss differs by what is added to the probabilities: 1e-7 over the smallest of them.
LOSS_CLOSE = 1e-4
FORWARD = ("out", "predict", "loss", "accuracy")
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


def beside_another(wrong: Wrong) -> str | None:
    """Wrong only where there is a second object of the class."""
    if unanswered(wrong) is None and all(f.case.endswith(BESIDE) for f in wrong.wrong):
        return (
            "{is} right as long as there is one object of the class, and wrong beside "
            "a second one: something is kept in the class, or in a global variable, and "
            "not in self"
        )
    return None


def raises(wrong: Wrong) -> str | None:
    """An exception, in some cases or in all."""
    raised = [f for f in wrong.wrong if f.value is None and f.raised is not None]
    if not raised or any(f.value is None and f.raised is None for f in wrong.wrong):
        return None
    first = raised[0]
    assert first.raised is not None
    what = described(first.raised)
    if first.raised.kind != UNFIT:
        what = f"`{wrong.name}` raises {what}"
    if len(raised) == len(wrong.found):
        return what + "."
    call = "" if first.first else f", on call {first.expected.number + 1}"
    return f"{what}, in the case “{first.case}”{call}."


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
    if name == NETWORK and not is_none:
        gradients = [f for f in wrong.findings.found if f.quantity[1:] in PARAMS]
        if all(f.value is None for f in gradients):
            names = listed(PARAMS)
            return f"`{name}` has no method `gradient` that returns {names} by name."
        return f"`{name}.gradient` does not return a `{quantity[1:]}`."
    if name == NETWORK:
        return f"`{name}.gradient` returns nothing: a `return` is missing."
    if is_none:
        return f"`{name}.{method}` returns nothing: a `return` is missing."
    if quantity == "dy":
        return f"`{name}.backward` returns no `dy`: there are two inputs."
    return f"`{name}` has no method `{method}`, or it returns no `{quantity}`."


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


def reordered(wrong: Wrong) -> str | None:
    """The right numbers in other places."""
    if wrong.shaped and all(
        close(np.sort(value(f), None), np.sort(f.truth, None), CLOSE[f.dtype])
        for f in wrong.found
    ):
        return "{has} the right numbers in another order"
    return None


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
    for name in ("x", "y"):
        if all(is_only_at_zero(f, f.input(name)) for f in wrong.wrong):
            return f"{what} where {name} = 0"
    return what


def is_only_at_zero(found: Found, x: np.ndarray | None) -> bool:
    """Whether it is not finite where an element of x is 0, and nowhere else."""
    infinite = ~np.isfinite(value(found))
    return x is not None and x.shape == infinite.shape and not x[infinite].any()


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
    return float("nan") if W is None else float(W.shape[axis])


def less_one(found: Found) -> float:
    """N / (N - 1), or no number for a batch of one."""
    return found.batch / (found.batch - 1) if found.batch > 1 else float("nan")


def tolerance(found: Found) -> float:
    if found.quantity == "loss" or found.truth.ndim == 0:
        return LOSS_CLOSE
    return CLOSE[found.dtype]


def classes(found: Found) -> float:
    """How many columns the last layer has; no number where there are no classes."""
    for given in (found.input("W2"), found.input("x"), found.input("y")):
        if given is not None and "W" not in found.expected.call.inputs:
            return float(np.atleast_1d(given).shape[-1])
    return float("nan")


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


def of_a_known_formula(wrong: Wrong) -> str | None:
    """What a wrong formula gives that is often written."""
    if not wrong.shaped:
        return None
    for formula, why in FORMULAS.get((wrong.name, wrong.quantity), {}).items():
        if all(is_of_formula(f, wrong.name, formula) for f in wrong.found):
            said = f"{{is}} `{formula}`{note(wrong.name, formula)}"
            return f"{said}: {why}" if why else said
    return None


def is_of_formula(found: Found, name: str, formula: str) -> bool:
    given = dict(found.expected.call.inputs)
    if found.expected.call.dout is not None:
        given["dout"] = found.expected.call.dout
    with np.errstate(all="ignore"):
        other = evaluated(name, formula, given, found.truth)
    return close(value(found), other, tolerance(found))


def by_the_sign(wrong: Wrong) -> str | None:
    """Of Relu: one multiple where x is negative, and another one where it is positive."""
    if wrong.name != "Relu" or not wrong.shaped:
        return None
    base = "x" if wrong.quantity == "out" else "dout"
    multiples = [multiple_where(wrong, base, sign) for sign in (-1, 1)]
    if None in multiples or multiples == [0, 1]:
        return None
    below, above = (times(c, base) for c in multiples)
    return f"{{is}} {below} where x is negative, and {above} where it is positive"


def multiple_where(wrong: Wrong, base: str, sign: int) -> float | None:
    """By what an argument is multiplied wherever x has this sign, if that is one number."""
    multiples = []
    for f in wrong.found:
        x, argument = f.input("x"), f.input(base)
        assert x is not None
        assert argument is not None
        here = np.sign(x) == sign
        multiples.append(value(f)[here] / argument[here])
    all_of_them = np.concatenate(multiples).astype(np.float64)
    c = float(all_of_them[0])
    return round(c, 6) + 0.0 if close(all_of_them, all_of_them * 0 + c, 1e-4) else None


def times(c: float | None, what: str) -> str:
    if c in (0, 1):
        return f"`{what}`" if c else "0"
    return f"{c:.6g} times `{what}`"


def with_more_added(wrong: Wrong) -> str | None:
    """The right one and a multiple of an argument."""
    if not wrong.shaped:
        return None
    for name in (*ARGUMENTS, *PARAMS):
        multiples = {
            multiple_added(f, name) for f in wrong.found if f.dtype == "float64"
        }
        c = next(iter(multiples)) if len(multiples) == 1 else None
        if c and all(near(f, f.truth + c * of_shape(f, name)) for f in wrong.found):
            more = "plus" if c > 0 else "minus"
            return f"{{is}} the right {{one}} {more} {times(abs(c), name)}"
    return None


def of_shape(found: Found, name: str) -> np.ndarray:
    """An argument, where it has the shape of the result, or is the bias; else zeros."""
    given = found.input(name)
    shape = found.truth.shape
    is_bias = name == "b" and given is not None and given.shape == shape[-1:]
    if given is None or not (given.shape == shape or is_bias):
        return np.zeros(shape)
    return np.asarray(np.zeros(shape) + given, np.float64)


def multiple_added(found: Found, name: str) -> float:
    """The c for which the result is nearest to the right one plus c times an argument."""
    given = of_shape(found, name)
    size = float((given * given).sum())
    off = np.asarray(value(found) - found.truth, np.float64)
    with np.errstate(all="ignore"):
        c = float((off * given).sum()) / size if size else 0.0
    return float(f"{c:.6g}") if np.isfinite(c) else 0.0


def of_one_sample(wrong: Wrong) -> str | None:
    """What one sample alone gives, of the gradients of an affine layer's parameters."""
    if wrong.name != "Affine" or not wrong.shaped or wrong.quantity == "out":
        return None
    for word, at in (("first", 0), ("last", -1)):
        if all(near(f, f_of_sample(f, at)) for f in wrong.found):
            return (
                f"{{is}} that of the {word} sample alone: those of all must be summed"
            )
    return None


def f_of_sample(found: Found, at: int) -> np.ndarray:
    x, dout = found.input("x"), found.input("dout")
    assert x is not None
    assert dout is not None
    if found.quantity == "db":
        return dout[at]
    return np.outer(x[at], dout[at]) if found.quantity == "dW" else np.empty(0)


def of_more_in_the_logarithm(wrong: Wrong) -> str | None:
    """A loss of probabilities that are larger by what is too much to be harmless."""
    if wrong.name == NETWORK or LOSSES.get(wrong.name) != wrong.quantity:
        return None
    if not wrong.shaped or not all(np.isfinite(value(f)).all() for f in wrong.found):
        return None
    least, most = 1e-6, 1.0
    for _ in range(60):
        middle = float(np.sqrt(least * most))
        above = loss_of(wrong.found[0], middle) > value(wrong.found[0])
        least, most = (middle, most) if above else (least, middle)
    if all(
        np.isclose(loss_of(f, middle), value(f), rtol=CLOSE[f.dtype], atol=0)
        for f in wrong.found
    ):
        return (
            f"{{is}} that with {middle:.3g} added in the logarithm, which is too much"
        )
    return None


def loss_of(found: Found, epsilon: float) -> float:
    """The cross entropy with this added to the probabilities."""
    given = found.expected.call.inputs
    added = f"-sum(t * log(y + {epsilon!r})) / N"
    return float(evaluated(found.expected.task.name, added, given, found.truth))


def of_other_row_sums(wrong: Wrong) -> str | None:
    """A softmax in which every row is multiplied by something."""
    if wrong.name != "softmax" or not wrong.shaped:
        return None
    with np.errstate(all="ignore"):
        sums = [value(f).sum(axis=1, keepdims=True) for f in wrong.found]
        if not all(
            near(f, f.truth * s) for f, s in zip(wrong.found, sums, strict=True)
        ):
            return None
    furthest = max((float(s) for s in np.concatenate(sums)[:, 0]), key=apart_from_one)
    return (
        "{is} right but for the sums of its rows, which must be 1: one is "
        f"{furthest:.9g}"
    )


def apart_from_one(number: float) -> float:
    return abs(number - 1)


def of_whole_numbers(wrong: Wrong) -> str | None:
    kinds = {str(value(f).dtype) for f in wrong.found} if wrong.shaped else set()
    if len(kinds) == 1 and (kind := kinds.pop()).startswith(("int", "uint")):
        return f"{{is}} of whole numbers: the array is one of {kind}"
    return None


def zero_in_places(wrong: Wrong) -> str | None:
    """Right, or 0 where it should be something else."""
    if not wrong.shaped:
        return None
    for f in wrong.found:
        came = value(f)
        if not close(came, np.where(came == 0, came, f.truth), CLOSE[f.dtype]):
            return None
    return "{is} 0 in places where that is wrong, and right elsewhere"


def without_params(wrong: Wrong) -> str | None:
    """Of the network: the same with other parameters."""
    if wrong.name != NETWORK or not wrong.shaped:
        return None
    pairs = [
        (f, g)
        for f in wrong.found
        for g in wrong.found
        if f.expected.task is g.expected.task
        and f.expected.number < g.expected.number
        and np.array_equal(f.expected.call.inputs["x"], g.expected.call.inputs["x"])
        and not np.array_equal(
            f.expected.call.inputs["W1"], g.expected.call.inputs["W1"]
        )
    ]
    if wrong.quantity == "predict" and all(near(g, value(f)) for f, g in pairs):
        return (
            "{does} not change with what `params` holds: the layers have to use those "
            "very arrays, and not copies"
        )
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


def right_for_one_kind_of_labels(wrong: Wrong) -> str | None:
    groups = {f.group for f in wrong.wrong}
    for kind, it, other in (
        (LABELS, "one-hot rows", "labels as numbers"),
        (ONE_HOT, "labels as numbers", "one-hot rows"),
    ):
        if groups == {kind} and {f.group for f in wrong.found} == {LABELS, ONE_HOT}:
            return f"{{is}} right for {it}, and not for {other}"
    return None


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
    return [
        f
        for f in wrong.found
        if (f.batch > 1) == several
        and ("t" in f.inputs or np.ndim(f.inputs["x"]))  # a number is no batch
    ]


def right_on_the_first_call(wrong: Wrong) -> str | None:
    """Wrong in calls only that go to an object which was called before."""
    if wrong.name not in FUNCTIONS and not any(f.first for f in wrong.wrong):
        return (
            "{is} right on the first call of an object, and not on all others: "
            "something is kept, or changed, from one call to the next"
        )
    return None


def different_each_time(wrong: Wrong) -> str | None:
    """Another result, of any quantity, for the very same call."""
    answered = [f for f in wrong.findings.found if f.value is not None]
    for f in answered:
        for g in answered:
            again = f.expected.call is g.expected.call or (
                f.quantity in FORWARD
                and f.expected.task is g.expected.task
                and same_inputs(f, g)
            )
            again &= f.quantity == g.quantity
            if again and not close(value(f), value(g), 10 * CLOSE[f.dtype]):
                return "{is} not the same when the same is asked again"
    return None


def after_writing(wrong: Wrong) -> str | None:
    """Wrong in those calls in which it had written into what it was given."""
    return written(wrong, ("x", "y"))


def after_writing_parameters(wrong: Wrong) -> str | None:
    return written(wrong, ("W", "b", *PARAMS))


def written(wrong: Wrong, names: Sequence[str]) -> str | None:
    for name in names:
        wrote = {
            asked
            for asked, outcome in wrong.findings.outcomes.items()
            if Remark("wrote", name) in outcome.remarks
        }
        if wrote and all(f.asked in wrote for f in wrong.wrong):
            return (
                f"{{is}} wrong where `{wrong.name}` has written into `{name}`, which it "
                "was given: that is likely to be why"
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
        if wrong.name == NETWORK and wrong.quantity[1:] in PARAMS:
            why += "; a numerical gradient is that near"
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
    "two-objects": beside_another,
    "transposed": transposed,
    "another-quantity": another_quantity,
    "reshaped": reshaped,
    "another-shape": of_another_shape,
    "zeros": all_zeros,
    "not-finite": not_finite,
    "factor": multiplied,
    "without-dout": without_dout,
    "one-sided-difference": of_forward_differences,
    "wrong-at-zero": wrong_at_zero,
}
# What says as much as the sentence of a known mistake, and is not put before one.
EXPLAINING: dict[str, Test] = {
    "formula": of_a_known_formula,
    "by-the-sign": by_the_sign,
    "more-added": with_more_added,
    "more-in-the-logarithm": of_more_in_the_logarithm,
    "row-sums": of_other_row_sums,
    "one-sample": of_one_sample,
    "without-params": without_params,
    "reordered": reordered,
    "whole-numbers": of_whole_numbers,
}
VAGUE: dict[str, Test] = {
    "unanswered": unanswered,
    "raises": raises,
    "no-numbers": of_no_numbers,
    "missing": missing,
    "parameters-overwritten": after_writing_parameters,
    "first-call": right_on_the_first_call,
    "not-repeatable": different_each_time,
    "right-for-one-sample": right_for_one_sample,
    "wrong-for-one-sample": wrong_for_one_sample,
    "zero-in-places": zero_in_places,
    "input-overwritten": after_writing,
    "float64-only": right_in_float64,
    "few-digits": few_digits,
    "one-kind-of-labels": right_for_one_kind_of_labels,
    "some-cases": in_some_cases,
}


def relation(findings: Findings, quantity: str) -> Relation | None:
    """The first relation that holds for a wrong quantity in all cases that count."""
    wrong = Wrong.of(findings, quantity)
    for tests in (PRECISE, EXPLAINING, VAGUE):
        for name, test in tests.items():
            if phrase := test(wrong):
                return Relation(name, phrase, tests is PRECISE)
    return None
