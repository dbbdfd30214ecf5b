"""What the answers to the tasks should be, and how far rounding may take them from that.

There is more than one right way to write a layer, and the bound is that of the worst of
them. A loss may also be that of slightly larger probabilities, as in the lecture's code.
All of this depends on the tasks alone, and is computed once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.catalogue.spec import LOSS
from gradparity.parity_tests.checking.values import Prepared, error_bounds
from gradparity.parity_tests.grading import (
    truths_of_functions,
    truths_of_layers,
    truths_of_networks,
    truths_of_optimizers,
)
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.outcomes import Call, Task
from gradparity.parity_tests.grading.rights import (
    EPSILONS,
    Answers,
    Choice,
    Results,
    Right,
    Stated,
)
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.grading.variants import Variant, variants
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.reference.functions import at_labels, softmax, to_labels
from gradparity.reference.rounding import (
    Arithmetic,
    Bounded,
    Bounds,
    bounds,
    gamma,
    picked,
)
from gradparity.reference.rounding import shifted as shifted_rows

# A function is the output of a layer.
LAYER_OF = {
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "cross_entropy_error": "CrossEntropy",
}
# Where the loss of a class is, and what people add to its probabilities.
LOSSES = {"cross_entropy_error": "out", "SoftmaxWithLoss": "out"} | {
    name: "loss" for name, subject in SUBJECTS.items() if subject.kind == "network"
}
LOCK = RLock()  # many submissions are judged side by side; this is computed once
# What is no case of the catalogue's kind.
FURTHER: dict[str, Answers] = {
    **truths_of_functions.ANSWERS,
    **truths_of_layers.ANSWERS,
}
# What states the truths of the classes of a kind, where it is not said here.
STATING = {
    "network": truths_of_networks.stated,
    "optimizer": truths_of_optimizers.stated,
}
R = TypeVar("R")
By = Mapping[str, Mapping[tuple[str, float], R]]


@dataclass(frozen=True, eq=False)
class Expected:
    """One quantity of one call, and what is right of it."""

    task: Task
    number: int
    quantity: str
    stated: Stated

    @property
    def call(self) -> Call:
        return self.task.calls[self.number]

    @property
    def is_whole(self) -> bool:
        """Whether what is right are whole numbers, exactly."""
        right = self.stated.right(self.task.dtype, 0.0)
        if not isinstance(right, Right) or right.allowed.any():
            return False
        return bool((right.truth % 1 == 0).all())

    def right(self, dtype: str, epsilon: float, results: Results) -> Right | str:
        """Given the results of the task's calls up to this one; or why none is right."""
        right = self.stated.right(dtype, epsilon)
        return right if isinstance(right, Right) else right(results)


def expected(name: str, variant: Variant | None = None) -> tuple[Expected, ...]:
    """All that is expected of a class or function, or of a variant of it, in the order in
    which it is asked.
    """
    with LOCK:
        return _expected(name, variant or variants(name)[0])


@cache
def _expected(name: str, variant: Variant) -> tuple[Expected, ...]:
    stating = STATING.get(SUBJECTS[name].kind, stated)
    return tuple(
        Expected(task, number, quantity, of_it)
        for task in tasks_of(name)
        for number in range(len(task.calls))
        for quantity, of_it in stating(task, number, variant.settings)
    )


def stated(
    task: Task, number: int, settings: Mapping[str, Any]
) -> Iterator[tuple[str, Stated]]:
    """What is right of every quantity of a call."""
    # What comes in a narrower dtype than was asked is judged in that.
    dtypes = dict.fromkeys((task.dtype, "float32"))
    rights = {dtype: dict(right_answers(task, number, dtype)) for dtype in dtypes}
    exact = {
        dtype: dict(derivatives(task.name, task.calls[number], dtype))
        for dtype in dtypes
    }
    for quantity in {q: None for q, _ in rights[task.dtype]}:
        right = partial(found_in, rights, quantity)
        yield quantity, Stated(right, partial(perhaps_in, exact, quantity))


def found_in(by_dtype: By[R], quantity: str, dtype: str, epsilon: float) -> R:
    """With what is added to the probabilities, or without, where that has no part in it."""
    exact = by_dtype[dtype][quantity, 0.0]
    return by_dtype[dtype].get((quantity, epsilon), exact)


def perhaps_in(by_dtype: By[R], quantity: str, dtype: str, epsilon: float) -> R | None:
    return by_dtype[dtype].get((quantity, epsilon))


def right_answers(
    task: Task, number: int, dtype: str
) -> Iterator[tuple[tuple[str, float], Right | Choice]]:
    """Quantity and epsilon, and what is right for them."""
    name, call = task.name, task.calls[number]
    if name in FURTHER:
        for quantity, answer in FURTHER[name](task, number, dtype):
            yield (quantity, 0.0), answer
        return
    case = case_of(name, call)
    prepared = Prepared.of(case, dtype)
    own = allowances(prepared.given, arithmetic(NUMPY, dtype))
    for quantity, shown in quantities(name, prepared).items():
        truth, of_truth = prepared.truth[quantity], prepared.truth_bounds[quantity]
        yield (shown, 0.0), Right(truth, own[quantity].error + of_truth.error)
    if name in LOSSES:
        for epsilon in EPSILONS[1:]:
            yield (LOSSES[name], epsilon), loss_of_more(prepared, own, epsilon)


def case_of(name: str, call: Call) -> Case:
    """The call as a case of the catalogue's kind; a function gets a dout of zeros."""
    inputs = dict(call.inputs)
    layer = LAYER_OF.get(name, name)
    dout = call.dout
    if dout is None:
        numbers = LAYERS[layer].form is LOSS  # a loss is one
        dout = np.asarray(float(numbers)) if numbers else np.zeros_like(inputs["x"])
    return Case(layer, "graded", inputs, dout)


def quantities(name: str, prepared: Prepared) -> dict[str, str]:
    """What is looked at of a case, and what it is called there."""
    if name in LAYER_OF:
        return {"out": "out"}
    return {q: q for q in prepared.truth}


# --- More than one right way ----------------------------------------------------------


def allowances(case: Case, own: Arithmetic) -> Bounds:
    """The largest bound of all ways to compute a case, as long as nothing overflows."""
    ways = [error_bounds(case, a) for a in (own, replace(own, composed=True))]
    moving = LAYERS[case.layer].differentiable
    given = {name: Bounded.exact(case.inputs[name], own) for name in moving}
    with np.errstate(all="ignore"):
        if case.layer == "Sigmoid":
            dout = Bounded.exact(case.dout, own)
            ways.append(bounds("SigmoidGraph", case.inputs, case.dout, own.unlimited))
            ways.append(sigmoid_by_tanh(given["x"], dout))
        if case.layer == "Softmax":
            ways.append({"out": log_softmax(given["x"], shifted=True).exp()})
            ways.append({"out": log_softmax(given["x"], shifted=False).exp()})
        if case.layer == "SoftmaxWithLoss":
            dout = Bounded.exact(case.dout, own)
            ways.append(loss_by_logsumexp(given["x"], case.inputs["t"], dout))
    first = ways[0]
    for way in ways[1:]:
        for quantity, other in way.items():
            if quantity in first:
                # Where another way overflows, or keeps no digit, it is not one.
                keeps = other.error < np.abs(first[quantity].value) / 8
                error = np.where(keeps, other.error, 0)
                first[quantity] = first[quantity].either(
                    first[quantity].exactly(other.value, error)
                )
    return first


def sigmoid_by_tanh(x: Bounded, dout: Bounded) -> Bounds:
    """(1 + tanh(x / 2)) / 2, which loses digits far below 0."""
    y = (x.constant(1.0) + x.over(2).tanh()).over(2)
    dx = dout * (x.constant(1.0) - y.given) * y.given
    slope = np.abs(1 - 2 * y.value) + 2 * y.error
    return {"out": y, "dx": dx.inheriting(y, slope, dout.magnitude)}


def log_softmax(x: Bounded, shifted: bool) -> Bounded:
    """z - log(sum(exp(z))), with z less its largest; or x - logsumexp(x), where both may
    be large, and the sum may come term by term, with a logaddexp for each.
    """
    z = shifted_rows(x)
    log_total = z.exp().sum(axis=-1, keepdims=True).log()
    if shifted:
        return z - log_total
    largest = x.constant(x.value.max(axis=-1, keepdims=True))
    return x - (log_total + largest).rounded(x.value.shape[-1])


def loss_by_logsumexp(x: Bounded, t: np.ndarray, dout: Bounded) -> Bounds:
    """The mean of logsumexp(x) - x at the labels; and (y - t) dout / N."""
    log_y = log_softmax(x, shifted=False)
    labels = to_labels("loss", t, x.value.shape)
    one_hot = np.arange(x.value.shape[-1]) == labels[..., None]
    difference = log_y.exp().rounded(2, 1) - x.constant(one_hot).rounded(1)
    return {
        "out": -picked(log_y, labels).sum().over(labels.size),
        "dx": (difference * dout).over(labels.size),
    }


def loss_of_more(prepared: Prepared, own: Bounds, epsilon: float) -> Right:
    """The mean of -log(y + epsilon) at the labels."""
    wide = truth_dtype(prepared.dtype)
    truth, bounded, of_truth = probabilities(prepared, own)
    labels = to_labels("loss", prepared.given.inputs["t"], truth.shape)
    loss = -np.log(at_labels(truth, labels) + wide(epsilon)).sum() / labels.size
    allowed = 0.0
    with np.errstate(all="ignore"):
        for y in (bounded, of_truth):
            y_t = (picked(y, labels) + y.constant(epsilon)).rounded(1)
            allowed += (-y_t.log().sum().over(labels.size)).error
    return Right(np.asarray(loss), np.asarray(allowed))


def derivatives(
    name: str, call: Call, dtype: str
) -> Iterator[tuple[tuple[str, float], Right]]:
    """The gradients of exactly the loss that has something added to y.

    A row of them is that of (y - t) / N times y_t / (y_t + epsilon), with a few roundings
    more.
    """
    if name != "SoftmaxWithLoss":
        return
    case = case_of(name, call)
    prepared = Prepared.of(case, dtype)
    own = allowances(prepared.given, arithmetic(NUMPY, dtype))
    y, bounded, _ = probabilities(prepared, own)
    labels = to_labels("loss", call.inputs["t"], y.shape)
    one_hot = np.arange(y.shape[-1]) == labels[..., None]
    scale = np.abs(prepared.given.dout)
    y_t = at_labels(y, labels)[..., None]
    for epsilon in EPSILONS[1:]:
        share = y_t / (y_t + y.dtype.type(epsilon))
        with np.errstate(all="ignore"):  # where y_t is 0, nothing can be said
            roundings = at_labels(bounded.error, labels)[..., None] / y_t
            roundings = roundings + gamma(8, Arithmetic.of(dtype).u)
            error = share * (own["dx"].error + prepared.truth_bounds["dx"].error)
            error = error + roundings * (y + one_hot) * scale / labels.size
        yield ("dx", epsilon), Right(prepared.truth["dx"] * share, error)


def probabilities(
    prepared: Prepared, own: Bounds
) -> tuple[np.ndarray, Bounded, Bounded]:
    """The truth of what a loss takes the logarithm of, what bounds it, and the truth."""
    case, wide = prepared.given, truth_dtype(prepared.dtype)
    if case.layer == "CrossEntropy":
        y = case.inputs["y"]
        exact = Bounded.exact(y, arithmetic(NUMPY, prepared.dtype))
        of_truth = Bounded.exact(y, arithmetic(NUMPY, wide))
        return y.astype(wide), exact, of_truth
    truth = softmax(case.inputs["x"].astype(wide))
    return truth, own["y"], prepared.truth_bounds["y"]


# --- What is no layer -----------------------------------------------------------------
