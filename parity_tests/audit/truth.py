"""Is the truth true? The reference against mathematics that owes nothing to it.

Four ways: central differences, as in the lecture; complex steps; mpmath, to 100 digits;
and formulas that have two forms against each other. Everywhere the difference is held
against what rounding can do, and where the method has an error of its own, against that
too: there are no tolerances.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from mpmath import mp

from gradparity.parity_tests.audit import oracle
from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import SMALL_CASES
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.checking import products
from gradparity.parity_tests.checking.products import Moving
from gradparity.parity_tests.checking.values import REFERENCE, error_bounds, run
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import share, worst
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.measuring.records import TruthCheck, Verdict
from gradparity.reference.gradient import complex_step_gradient, numerical_gradient
from gradparity.reference.networks import TwoLayerNet
from gradparity.reference.rounding import RULES, Bounded, Bounds, network_bounds

DTYPES = ("float32", "float64", "longdouble")
STEP = 1e-4  # the lecture's
IMAGES = 3  # and the lecture's batch


def judge(value: Any, other: Any, allowed: Any) -> dict[str, Any]:
    """How far apart two arrays are, and how much of what is allowed that is.

    The difference itself is taken without rounding, whatever the dtypes.
    """
    with mp.workdps(oracle.DIGITS):
        apart = abs(oracle.to_exact(value) - oracle.to_exact(other))
        error = np.asarray(apart, np.float64)
    with np.errstate(all="ignore"):
        ratio = share(error, allowed)
        ulp = np.spacing(np.abs(np.asarray(other).astype(value.dtype)))
        ulps = share(error, ulp)
    return {
        "elements": error.size,
        "mean_abs": float(error.mean()),
        "max_abs": float(error.max()),
        "max_ulp": float(ulps.max()),
        "bound_ratio": float(ratio.max()),
        "worst": worst(ratio, value, np.asarray(other)),
        "verdict": Verdict.WITHIN_BOUND if ratio.max() <= 1 else Verdict.FAIL,
    }


def check(case: Case | NetworkCase) -> Iterator[TruthCheck]:
    """A small case of the reference by all methods but the lecture's, in every dtype."""
    for dtype in DTYPES:
        narrow = case.to(dtype)
        row: dict[str, Any] = {"layer": case.layer, "case": case.id, "dtype": dtype}
        for method, compare in METHODS.items():
            for quantity, value, other, allowed in compare(narrow, dtype):
                found = judge(value, other, allowed)
                yield TruthCheck(method=method, quantity=quantity, **row, **found)


Compared = Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]


def by_mpmath(case: Case | NetworkCase, dtype: str) -> Compared:
    """Output and gradients, each within its bound: this truth has no error."""
    results = run(case, REFERENCE)
    bounded = error_bounds(case, arithmetic(NUMPY, dtype))
    for quantity, truth in oracle.results(case).items():
        yield quantity, results[quantity], truth, bounded[quantity].error


def by_complex_step(case: Case | NetworkCase, dtype: str) -> Compared:
    """Gradients, and what the R-operator makes of them; the steps are taken in the wider
    dtype, of which there must be one.
    """
    if case.kind == "typical" and dtype != "longdouble":
        if isinstance(case, Case):
            yield from gradients_by_complex_step(case, dtype)
        if products.has_products(case):
            yield from products_by_complex_step(case, dtype)


def gradients_by_complex_step(case: Case, dtype: str) -> Compared:
    """Number by number."""
    wide = truth_dtype(dtype)
    results = run(case, REFERENCE)
    own, theirs = (error_bounds(case, arithmetic(NUMPY, d)) for d in (dtype, wide))
    for name in LAYERS[case.layer].differentiable:
        value = case.to(wide).inputs[name]
        found = complex_step_gradient(partial(weighted, case, name), value)
        quantity = "d" + name
        allowed = own[quantity].error + theirs[quantity].error
        yield quantity, results[quantity], found, allowed


def products_by_complex_step(case: Case | NetworkCase, dtype: str) -> Compared:
    """All of them at once: R{f(x)} is Im f(x + ih Rx) / h, for gradients as well."""
    moving, wide, h = Moving.of(case).to(dtype), truth_dtype(dtype), 2.0**-100
    found = run(moving.moved(1j * h, np.result_type(wide, np.complex64)), REFERENCE)
    own, theirs = (
        products.error_bounds(moving, arithmetic(NUMPY, d)) for d in (dtype, wide)
    )
    for quantity, value in products.run(moving, REFERENCE).items():
        stepped = np.imag(found[quantity.removeprefix("R")]) / h
        yield quantity, value, stepped, own[quantity].error + theirs[quantity].error


def weighted(case: Case, name: str, value: np.ndarray) -> Any:
    """sum(dout * layer(inputs)) with this in place of one input: its derivative is what
    backward returns for dout.
    """
    case = case.to(value.dtype)
    case = replace(case, inputs=case.inputs | {name: value})
    return np.sum(case.dout * run(case, REFERENCE)["out"])


# --- One formula in two forms ---------------------------------------------------------

# A layer's inputs and dout to its output and gradients: values, or values with bounds.
Node = Callable[..., dict[str, Any]]


def value_node(layer: str, *, dout: Any, **inputs: Any) -> Arrays:
    return REFERENCE.run_layer(layer, inputs, dout)


def bound_node(layer: str, **inputs: Any) -> Bounds:
    return RULES[layer](**inputs)


def from_fruit_nodes(
    node: Node,
    apple: Any,
    apple_num: Any,
    orange: Any,
    orange_num: Any,
    tax: Any,
    dout: Any,
) -> dict[str, Any]:
    def mul(x: Any, y: Any, dout: Any = dout) -> tuple[Any, Any, Any]:
        found = node("MulLayer", x=x, y=y, dout=dout)
        return found["out"], found["dx"], found["dy"]

    apples, oranges = mul(apple, apple_num)[0], mul(orange, orange_num)[0]
    fruit = node("AddLayer", x=apples, y=oranges, dout=dout)["out"]
    out, dfruit, dtax = mul(fruit, tax)
    both = node("AddLayer", x=apples, y=oranges, dout=dfruit)
    _, dapple, dapple_num = mul(apple, apple_num, both["dx"])
    _, dorange, dorange_num = mul(orange, orange_num, both["dy"])
    return {
        **{"out": out, "dapple": dapple, "dapple_num": dapple_num},
        **{"dorange": dorange, "dorange_num": dorange_num, "dtax": dtax},
    }


def from_softmax_then_cross_entropy(
    node: Node, x: Any, t: Any, dout: Any
) -> dict[str, Any]:
    y = node("Softmax", x=x, dout=x)["out"]
    loss = node("CrossEntropy", y=y, t=t, dout=dout)
    return {"out": loss["out"], "dx": node("Softmax", x=x, dout=loss["dy"])["dx"]}


COMPOSED: dict[str, Callable[..., dict[str, Any]]] = {
    "BuyFruit": from_fruit_nodes,
    "Sigmoid": lambda node, x, dout: node("SigmoidGraph", x=x, dout=dout),
    "SoftmaxWithLoss": from_softmax_then_cross_entropy,
}


def by_its_other_form(case: Case | NetworkCase, dtype: str) -> Compared:
    """The layer and the same from other layers, apart by the sum of their bounds."""
    if isinstance(case, NetworkCase) or case.layer not in COMPOSED:
        return
    compose, unit = COMPOSED[case.layer], arithmetic(NUMPY, dtype)
    moving = (*LAYERS[case.layer].differentiable, "dout")
    bounded = {
        name: Bounded.exact(value, unit) if name in moving else value
        for name, value in case.arguments.items()
    }
    with np.errstate(all="ignore"):
        of_composed = compose(bound_node, **bounded)
    composed = compose(value_node, **case.inputs, dout=case.dout)
    fused, of_fused = run(case, REFERENCE), error_bounds(case, unit)
    for quantity, value in composed.items():
        allowed = of_composed[quantity].error + of_fused[quantity].error
        yield quantity, value, fused[quantity], allowed


METHODS: dict[str, Callable[[Case | NetworkCase, str], Compared]] = {
    "mpmath": by_mpmath,
    "complex steps": by_complex_step,
    "other forms": by_its_other_form,
}


# --- The lecture's check --------------------------------------------------------------


def lecture_check(
    params: Arrays,
    x: np.ndarray,
    t: np.ndarray,
    progress: Callable[[int], object] = lambda numbers: None,
) -> list[TruthCheck]:
    """Backpropagation against central differences, for every parameter of the network.

    Args:
        params: of the network; they are changed on the way, and put back.
        x, t: a batch of few images.
        progress: is told how many more numbers have been differentiated.
    """
    network = TwoLayerNet.from_params(params)
    backprop = network.gradient(x, t)
    allowed = difference_bounds(params, x, t)
    checks = []
    for name, value in params.items():
        numerical = np.empty_like(value)
        for row, into in zip(*map(np.atleast_2d, (value, numerical)), strict=True):
            into[:] = numerical_gradient(lambda _: network.loss(x, t), row, STEP)
            progress(row.size)
        found = judge(numerical, backprop[name], allowed[name])
        row_of: dict[str, Any] = {"layer": "TwoLayerNet", "case": "TwoLayerNet/lecture"}
        row_of |= {"quantity": "d" + name, "dtype": str(value.dtype)}
        checks.append(TruthCheck(method="central differences", **row_of, **found))
    return checks


def difference_bounds(params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
    """How far (L(w + h) - L(w - h)) / 2h can be from what backpropagation computes.

    Move one parameter by s. As long as no Relu switches, the scores of sample n are
    a + s d, and its loss is log(sum exp(a + s d)) minus one of them. Its derivative by s
    is at most `reach` = max(d) - min(d); its third is the third central moment of d under
    the softmax's probabilities, at most reach**3 / (6 sqrt(3)) whatever these are: of all
    distributions on an interval, one of two points has the largest. So the formula's own
    error, h**2 / 6 times that, is known without any look at the loss.

    Where a Relu may switch within h, the quotient is a mean of slopes, each within reach.
    To that come the rounding of both losses (its bound is taken at w itself), of w + h
    and w - h, of the quotient, and of backpropagation.
    """
    unit = arithmetic(NUMPY, x.dtype)
    bounded = network_bounds(params, x, t, unit)
    near = np.abs(bounded["Affine1"].value) - bounded["Affine1"].error
    hidden = bounded["Relu1"].magnitude
    spread = np.ptp(params["W2"], axis=1)
    reach = {
        "W1": np.abs(x)[:, :, np.newaxis] * spread,
        "b1": np.broadcast_to(spread, hidden.shape),
        "W2": np.broadcast_to(hidden[:, :, np.newaxis], (len(x), *params["W2"].shape)),
        "b2": np.ones((len(x), *params["b2"].shape)),
    }
    switches = {
        "W1": near[:, np.newaxis] <= STEP * np.abs(x)[:, :, np.newaxis],
        "b1": near <= STEP,
    }
    allowed = {}
    for name, each in reach.items():
        slope = each.mean(axis=0)
        formula = STEP**2 / 6 * (each**3).mean(axis=0) / (6 * math.sqrt(3))
        mask = (2 * each * switches.get(name, False)).mean(axis=0)
        steps = unit.u * ((np.abs(params[name]) + STEP) / STEP + 3) * slope
        rounding = bounded["loss"].error / STEP + steps + bounded["d" + name].error
        allowed[name] = formula + mask + rounding
    return allowed


@dataclass(frozen=True)
class EveryCheck:
    """All of them: of the small cases, and the lecture's on its network.

    Args: as for `lecture_check`.
    """

    params: Arrays
    x: np.ndarray
    t: np.ndarray

    @property
    def total(self) -> int:
        """The cases and the parameters."""
        return len(SMALL_CASES) + sum(value.size for value in self.params.values())

    def run(self, progress: Callable[[int], object]) -> list[TruthCheck]:
        checks: list[TruthCheck] = []
        for case in SMALL_CASES:
            checks += check(case)
            progress(1)
        params = {name: value.copy() for name, value in self.params.items()}
        return checks + lecture_check(params, self.x, self.t, progress)
