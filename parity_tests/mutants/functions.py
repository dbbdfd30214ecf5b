"""Mistakes in the functions that layers are made of, and in the numerical gradient."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.parity_tests.mutants.sources import BOOK, GITHUB
from gradparity.reference.functions import at_labels, to_labels
from gradparity.reference.functions import cross_entropy_error as right_loss
from gradparity.reference.functions import sigmoid as right_sigmoid
from gradparity.reference.functions import softmax as right_softmax

mistake = mistakes("reference", "function")
Function = Callable[[Any], Any]
Axes = dict[str, Any]


# --- sigmoid --------------------------------------------------------------------------


@mistake("sigmoid")
def exponent_without_its_sign(x: Any) -> Any:
    """Computes 1 / (1 + exp(x)), without the minus: the curve falls where it should
    rise.
    """
    return right_sigmoid(-x)


@mistake("sigmoid")
def hyperbolic_tangent(x: Any) -> Any:
    """Computes tanh(x), which runs from -1 to 1 and is another activation."""
    return np.tanh(x)


# --- softmax --------------------------------------------------------------------------


@mistake("softmax", GITHUB + "jhcross/span-parser/issues/2")
def logits_not_shifted(x: Any) -> Any:
    """Takes exp of the logits as they are: of a thousand that is infinite, of minus a
    thousand 0, and infinity over infinity and 0 over 0 are NaN.
    """
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def of_the_whole_array(x: Any) -> Any:
    """The softmax of all numbers, with exp of them as they are."""
    e = np.exp(x)
    return e / e.sum()


@mistake("softmax", BOOK + "issues/85", also=[of_the_whole_array])
def sum_over_the_whole_batch(x: Any) -> Any:
    """Is right for one vector, as in section 3.5, but sums over the whole batch: it is
    each row that must sum to 1.
    """
    return of_the_whole_array(x - x.max())


@mistake("softmax")
def sum_over_the_whole_batch_of_shifted_rows(x: Any) -> Any:
    """Subtracts the maximum of each row, and divides by the sum over the whole batch: it
    is each row that must sum to 1.
    """
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum()


@mistake("softmax")
def columns_that_sum_to_one(x: Any) -> Any:
    """Normalises each column, with axis=0: it is each row, one sample, that must sum
    to 1.
    """
    return right_softmax(x.T).T


@mistake("softmax", BOOK + "issues/85")
def shifted_by_the_largest_of_the_batch(x: Any) -> Any:
    """Subtracts the largest logit of the whole batch: a row far below it underflows, and
    0 over 0 is NaN.
    """
    e = np.exp(x - x.max())
    return e / e.sum(axis=-1, keepdims=True)


@mistake("softmax")
def row_sums_without_keepdims(x: Any) -> Any:
    """Divides by the row sums without keepdims=True: with as many samples as classes
    they are taken for a row, else it crashes.
    """
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1)


@mistake("softmax")
def row_maxima_without_keepdims(x: Any) -> Any:
    """Subtracts the row maxima without keepdims=True: with as many samples as classes
    they are taken for a row, else it crashes.
    """
    e = np.exp(x - x.max(axis=-1))
    return e / e.sum(axis=-1, keepdims=True)


@mistake("softmax")
def rows_without_keepdims(x: Any) -> Any:
    """Leaves keepdims=True out, of the maxima and of the sums: with as many samples as
    classes they are taken for a row, else it crashes.
    """
    e = np.exp(x - x.max(axis=-1))
    return e / e.sum(axis=-1)


@mistake("softmax")
def exponentials_not_normalised(x: Any) -> Any:
    """Returns the exponentials themselves: probabilities are divided by their sum."""
    return np.exp(x - x.max(axis=-1, keepdims=True))


def shifted_outside(
    of_exp: bool, shift: Axes, summed: bool, over: Axes
) -> Callable[[Any], Any]:
    """A softmax of exponentials from which the largest is subtracted.

    Args:
        of_exp: the largest of them, and not of the logits.
        shift: whether it is the largest of each row, or of all.
        summed: whether it is subtracted in the sum as well.
        over: whether the sum is that of each row, or of all.
    """

    def softmax(x: Any) -> Any:
        e = np.exp(x)
        less = e - (e if of_exp else x).max(**shift)
        return less / (less if summed else e).sum(**over)

    return softmax


OF_ROWS: Axes = {"axis": -1, "keepdims": True}
OF_ALL: Axes = {}
OUTSIDE = [
    shifted_outside(*how)
    for how in product(
        (False, True), (OF_ROWS, OF_ALL), (True, False), (OF_ROWS, OF_ALL)
    )
]


@mistake("softmax", also=OUTSIDE[1:])
def largest_subtracted_outside_of_exp(x: Any) -> Any:
    """Subtracts the largest from the exponentials: it belongs inside, in exp(x - c),
    where it changes nothing but the size of the numbers.
    """
    return OUTSIDE[0](x)


# --- cross_entropy_error --------------------------------------------------------------


@mistake("cross_entropy_error")
def sign_of_the_loss_forgotten(y: Any, t: Any) -> Any:
    """Leaves the minus out: a loss that is to be made as small as possible is minus the
    logarithm.
    """
    return -right_loss(y, t)


@mistake("cross_entropy_error")
def batch_not_averaged(y: Any, t: Any) -> Any:
    """Sums the loss over the batch and does not divide by the batch size: for one vector,
    as in section 4.2.2, that is right.
    """
    return right_loss(y, t) * y.dtype.type(len(y))


@mistake("cross_entropy_error")
def averaged_over_classes_too(y: Any, t: Any) -> Any:
    """Divides by the number of classes too, as np.mean over everything does: the loss is
    so many times too small.
    """
    return right_loss(y, t) / y.dtype.type(y.shape[-1])


@mistake("cross_entropy_error")
def loss_in_bits(y: Any, t: Any) -> Any:
    """Takes the logarithm to the base 2: the gradient belongs to the natural one."""
    return right_loss(y, t) / y.dtype.type(np.log(2))


@mistake("cross_entropy_error")
def loss_to_the_base_of_ten(y: Any, t: Any) -> Any:
    """Takes the logarithm to the base 10: the gradient belongs to the natural one."""
    return right_loss(y, t) / y.dtype.type(np.log(10))


@mistake("cross_entropy_error")
def labels_not_used(y: Any, t: Any) -> Any:
    """Sums the logarithms of all classes: only the one at the label counts."""
    return -np.log(y + y.dtype.type(1e-7)).sum() / len(y)


@mistake("cross_entropy_error")
def logarithm_forgotten(y: Any, t: Any) -> Any:
    """Takes the probability itself, without its logarithm."""
    return -at_labels(y, to_labels("loss", t, y.shape)).sum() / len(y)


@mistake("cross_entropy_error")
def all_classes_for_every_sample(y: Any, t: Any) -> Any:
    """Picks with y[:, t], which gives every sample the labels of all the others too:
    y[np.arange(len(y)), t] has one each.
    """
    labels = to_labels("loss", t, y.shape)
    return -np.log(y[:, labels] + y.dtype.type(1e-7)).sum() / len(y)


def weighted(y: Any, t: Any, averaged: bool = True) -> Any:
    """The logarithms at the labels, each times its label."""
    labels = to_labels("loss", t, y.shape)
    return -(labels * np.log(at_labels(y, labels))).sum() / len(y) ** averaged


@mistake("cross_entropy_error", also=[partial(weighted, averaged=False)])
def labels_weighted_after_picking(y: Any, t: Any) -> Any:
    """Picks the probability by its label, and then multiplies by the label again: class 0
    does not count, and class 2 twice.
    """
    return weighted(y, t)


def added(y: Any, t: Any, sign: int = -1, over: Callable[[Any], int] = len) -> Any:
    """The sum of one-hot rows and logarithms, by some number."""
    one_hot = np.eye(y.shape[-1])[to_labels("loss", t, y.shape)]
    return sign * (one_hot + np.log(y)).sum() / over(y)


@mistake(
    "cross_entropy_error",
    also=[
        partial(added, sign=sign, over=over)
        for sign, over in product((-1, 1), (len, np.size, lambda y: 1))
    ][1:],
)
def labels_added(y: Any, t: Any) -> Any:
    """Adds the labels to the logarithms, where it should multiply: all classes count, and
    not the one at the label alone.
    """
    return added(y, t)


def swapped(y: Any, t: Any, epsilon: float = 1e-7, averaged: bool = True) -> Any:
    """The logarithms of the labels, weighted with the probabilities."""
    with np.errstate(divide="ignore"):
        return -(y * np.log(t + epsilon)).sum() / len(y) ** averaged


def swapped_and_picked(y: Any, t: Any, epsilon: float = 1e-7) -> Any:
    """The logarithms of the labels at the most probable classes."""
    with np.errstate(divide="ignore"):
        return -np.log(t[np.arange(len(y)), y.argmax(axis=1)] + epsilon).sum() / len(y)


SWAPPED: list[Callable[[Any, Any], Any]] = [
    partial(swapped, averaged=False),
    swapped_and_picked,
    *(partial(f, epsilon=e) for f in (swapped, swapped_and_picked) for e in (0, 1e-8)),
]


@mistake("cross_entropy_error", also=SWAPPED)
def arguments_swapped(y: Any, t: Any) -> Any:
    """Takes t for y and y for t: it is the logarithm of the probabilities that counts, at
    the labels, and not that of the labels.
    """
    return swapped(y, t)


# --- numerical_gradient ---------------------------------------------------------------


def stepwise(x: Any, difference: Callable[[Any, Any], Any]) -> Any:
    """A gradient from what `difference` makes of every element, which is put back."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        gradient[index] = difference(index, value)
        x[index] = value
    return gradient


def value_at(f: Function, x: Any, index: Any, value: Any) -> Any:
    """f, with one element of x set to a value."""
    x[index] = value
    return f(x)


@mistake("numerical_gradient")
def forward_difference(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Takes (f(x + h) - f(x)) / h: its error is of order h, that of the central
    difference of order h**2.
    """

    def difference(index: Any, value: Any) -> Any:
        return (value_at(f, x, index, value + h) - value_at(f, x, index, value)) / h

    return stepwise(x, difference)


@mistake("numerical_gradient")
def divided_by_one_step(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Divides f(x + h) - f(x - h) by h: from x - h to x + h it is 2 h."""

    def difference(index: Any, value: Any) -> Any:
        return (value_at(f, x, index, value + h) - value_at(f, x, index, value - h)) / h

    return stepwise(x, difference)


STEPS = (1e-4, 1e-3, 1e-5)


def scaled(f: Function, x: Any, h: float, by: float) -> Any:
    """The difference of f(x + h) and f(x - h), times something else than 1 / 2 h."""

    def difference(index: Any, value: Any) -> Any:
        above, below = (value_at(f, x, index, value + s) for s in (h, -h))
        return (above - below) * by

    return stepwise(x, difference)


@mistake("numerical_gradient", also=[partial(scaled, h=h, by=h / 2) for h in STEPS[1:]])
def brackets_around_2h_forgotten(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Writes / 2 * h, which divides by 2 and multiplies by h: it is / (2 * h)."""
    return scaled(f, x, h, h / 2)


@mistake(
    "numerical_gradient",
    also=[partial(scaled, h=h, by=by) for h, by in product(STEPS, (0.5, 1.0))][1:],
)
def step_not_divided_by(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Leaves h out of the division: it is by 2 h that the difference of f(x + h) and
    f(x - h) must be divided.
    """
    return scaled(f, x, h, 0.5)


@mistake("numerical_gradient")
def step_back_to_the_start(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Takes the second value at x, as x[i] -= h does after x + h, and divides by 2 h: half
    of the step is missing.
    """

    def difference(index: Any, value: Any) -> Any:
        above = value_at(f, x, index, value + h)
        return (above - value_at(f, x, index, x[index] - h)) / (2 * h)

    return stepwise(x, difference)


@mistake("numerical_gradient")
def step_too_small(f: Function, x: Any, h: float = 1e-50) -> Any:
    """Takes a step so small that x + h is x again: the difference is 0."""

    def difference(index: Any, value: Any) -> Any:
        above, below = (value_at(f, x, index, value + s) for s in (h, -h))
        return (above - below) / (2 * h)

    return stepwise(x, difference)


@mistake("numerical_gradient")
def element_not_restored(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Leaves every element where the last step took it, at x - h: who checks a network
    this way changes its parameters.
    """
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        above, below = (value_at(f, x, index, value + s) for s in (h, -h))
        gradient[index] = (above - below) / (2 * h)
    return gradient


def difference_along_all(f: Function, x: Any, h: float = 1e-4) -> Any:
    """The slope where all elements move together: one number."""
    return (f(x + h) - f(x - h)) / (2 * h)


@mistake("numerical_gradient", also=[difference_along_all])
def all_elements_at_once(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Moves all elements of x together: what comes is the sum of the gradient, and not its
    elements.
    """
    gradient = np.zeros_like(x)
    gradient[...] = difference_along_all(f, x, h)
    return gradient


def rows_that_are_views(f: Function, x: Any, h: float = 1e-4) -> Any:
    """The same, with a row that is put aside by its name alone, and moves along."""
    gradient = np.zeros_like(x)
    for i in range(len(x)):
        row = x[i]
        above, below = (value_at(f, x, i, row + s) for s in (h, -h))
        gradient[i] = (above - below) / (2 * h)
        x[i] = row
    return gradient


@mistake("numerical_gradient", also=[rows_that_are_views])
def whole_rows_at_once(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Has one index for a matrix, and so moves whole rows: every element must be moved
    alone.
    """
    gradient = np.zeros_like(x)
    for i in range(len(x)):
        row = x[i].copy()
        above, below = (value_at(f, x, i, row + s) for s in (h, -h))
        gradient[i] = (above - below) / (2 * h)
        x[i] = row
    return gradient
