"""Relations that explain a wrong value: a formula that it is the result of, something that
was added, a part of the batch.
"""

import numpy as np

from gradparity.parity_tests.grading.asking_networks import PARAMS
from gradparity.parity_tests.grading.findings import Found
from gradparity.parity_tests.grading.formulas import FORMULAS, evaluated, note
from gradparity.parity_tests.grading.truths import LOSSES
from gradparity.parity_tests.grading.wrong import (
    ARGUMENTS,
    CLOSE,
    Wrong,
    close,
    near,
    tolerance,
    value,
)


def of_a_known_formula(wrong: Wrong) -> str | None:
    """What a wrong formula gives that is often written."""
    of_class = wrong.findings.variant.mistakes or wrong.name
    for formula, why in FORMULAS.get((of_class, wrong.quantity), {}).items():
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
    base = "x" if wrong.quantity == "out" else "dout"
    multiples = [multiple_where(wrong, base, sign) for sign in (-1, 1)]
    if None in multiples or multiples == [0, 1]:
        return None
    below, above = (times(c, base) for c in multiples)
    if below == above:
        return f"{{is}} {below} wherever x is not 0"
    return f"{{is}} {below} where x is negative, and {above} where it is positive"


def multiple_where(wrong: Wrong, base: str, sign: int) -> float | None:
    """By what an argument is multiplied wherever x has this sign, if that is one number."""
    multiples = []
    for f in wrong.found:
        argument = f.input(base)
        assert argument is not None
        here = np.sign(f.inputs["x"]) == sign
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
    if wrong.quantity == "out":
        return None
    for word, at in (("first", 0), ("last", -1)):
        if all(near(f, f_of_sample(f, at)) for f in wrong.found):
            return (
                f"{{is}} that of the {word} sample alone: those of all must be summed"
            )
    return None


def f_of_sample(found: Found, at: int) -> np.ndarray:
    x, dout = found.inputs["x"], found.input("dout")
    assert dout is not None
    if found.quantity == "db":
        return dout[at]
    return np.outer(x[at], dout[at]) if found.quantity == "dW" else np.empty(0)


def of_more_in_the_logarithm(wrong: Wrong) -> str | None:
    """A loss of probabilities that are larger by what is too much to be harmless."""
    finite = all(np.isfinite(value(f)).all() for f in wrong.found)
    if LOSSES[wrong.name] != wrong.quantity or not finite:
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
    with np.errstate(all="ignore"):
        sums = [value(f).sum(axis=1, keepdims=True) for f in wrong.found]
        if not all(
            near(f, f.truth * s) for f, s in zip(wrong.found, sums, strict=True)
        ):
            return None
    every = np.concatenate(sums)[:, 0].astype(np.float64)
    if not np.isfinite(every).all():
        return None
    furthest = float(max(every, key=lambda s: abs(s - 1)))
    if np.isclose(every[every != 0], 1).all():
        return "{is} 0 in some rows, and right in the others"
    if all(np.isclose(value(f).sum(), 1) for f in wrong.found):
        return (
            "{is} right but for the sums of its rows: the whole sums to 1, and not each"
        )
    return (
        "{is} right but for the sums of its rows, which must be 1: one is "
        f"{furthest:.9g}"
    )


def of_whole_numbers(wrong: Wrong) -> str | None:
    if all((f.truth == np.round(f.truth)).all() for f in wrong.found):
        return None  # so are the right ones
    kinds = {str(value(f).dtype) for f in wrong.found}
    if len(kinds) == 1 and (kind := kinds.pop()).startswith(("int", "uint")):
        return f"{{is}} of whole numbers: the array is one of {kind}"
    return None


def without_params(wrong: Wrong) -> str | None:
    """Of the network: the same with other parameters."""
    pairs = [
        (f, g)
        for f, g in wrong.pairs
        if np.array_equal(f.inputs["x"], g.inputs["x"])
        and not np.array_equal(f.inputs["W1"], g.inputs["W1"])
    ]
    same = bool(pairs) and all(near(g, value(f)) for f, g in pairs)
    if wrong.quantity == "predict" and same:
        return (
            "{does} not change with what `params` holds: the layers have to use those "
            "very arrays, and not copies"
        )
    return None
