"""Mistakes in functions of the book that no layer of the contract is made of."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE, mistakes
from gradparity.reference.functions import sigmoid

mistake = mistakes("reference", "function", OF_THE_COURSE)
Function = Callable[[Any], Any]


# --- step_function, relu and their like -----------------------------------------------


@mistake("step_function")
def sign_in_place_of_a_step(x: Any) -> Any:
    """Gives -1 below 0, where a step function gives 0."""
    return np.sign(x)


@mistake("step_function")
def step_the_wrong_way_round(x: Any) -> Any:
    """Gives 1 below 0 and 0 above."""
    return np.where(x > 0, 0, 1)


@mistake("step_function")
def ramp_in_place_of_a_step(x: Any) -> Any:
    """Gives x itself above 0, as ReLU does; a step function gives 1."""
    return np.maximum(0, x)


@mistake("relu")
def step_in_place_of_a_ramp(x: Any) -> Any:
    """Gives 1 above 0, which is its derivative; ReLU gives x itself."""
    return np.where(x > 0, 1.0, 0.0).astype(np.asarray(x).dtype)


@mistake("relu")
def negative_part_kept(x: Any) -> Any:
    """Takes the smaller of 0 and x, and so keeps what it should stop."""
    return np.minimum(0, x)


@mistake("relu")
def absolute_value_taken(x: Any) -> Any:
    """Turns the sign of what is below 0, where that should become 0."""
    return np.abs(x)


@mistake("relu")
def a_hundredth_below_zero(x: Any) -> Any:
    """Lets a hundredth of what is below 0 through: that is the leaky ReLU."""
    return np.where(x > 0, x, np.asarray(x) * np.asarray(x).dtype.type(0.01))


@mistake("sigmoid_grad")
def derivative_of_what_is_given(x: Any) -> Any:
    """Computes x (1 - x), as if it were given y = sigmoid(x) and not x."""
    return x * (1 - x)


@mistake("sigmoid_grad")
def factor_of_one_minus_y_forgotten(x: Any) -> Any:
    """Gives y, or sigmoid(x); the derivative is y (1 - y)."""
    return sigmoid(x)


@mistake("sigmoid_grad")
def factor_of_y_forgotten(x: Any) -> Any:
    """Gives 1 - y, with y = sigmoid(x); the derivative is y (1 - y)."""
    return 1 - sigmoid(x)


@mistake("sigmoid_grad")
def sigmoid_of_the_sigmoid(x: Any) -> Any:
    """Applies the sigmoid twice before it takes y (1 - y)."""
    y = sigmoid(sigmoid(x))
    return y * (1 - y)


# --- numerical_diff -------------------------------------------------------------------


@mistake("numerical_diff")
def difference_to_one_side(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Takes (f(x + h) - f(x)) / h: its error is of order h, that of the central
    difference of order h**2.
    """
    return (f(x + h) - f(x)) / h


@mistake("numerical_diff")
def central_difference_over_one_step(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Divides f(x + h) - f(x - h) by h: from x - h to x + h it is 2 h."""
    return (f(x + h) - f(x - h)) / h


@mistake("numerical_diff")
def one_side_over_two_steps(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Divides f(x + h) - f(x) by 2 h, though it is h from the one to the other."""
    return (f(x + h) - f(x)) / (2 * h)


@mistake("numerical_diff")
def step_lost_to_rounding(f: Function, x: Any, h: float = 1e-50) -> Any:
    """Takes a step so small that x + h is x again, and the difference 0."""
    return (f(x + h) - f(x)) / h


@mistake("numerical_diff")
def divided_and_then_multiplied(f: Function, x: Any, h: float = 1e-4) -> Any:
    """Writes / 2 * h, without brackets: that divides by 2 and then multiplies by h."""
    return (f(x + h) - f(x - h)) / 2 * h


# --- mean_squared_error and sum_squared_error -----------------------------------------


def half_forgotten(y: Any, t: Any) -> Any:
    """Leaves out the factor of one half that the book's has."""
    return ((y - t) ** 2).sum()


def differences_not_squared(y: Any, t: Any) -> Any:
    """Adds up the differences as they are: those above and below cancel."""
    return 0.5 * (y - t).sum()


def sum_squared(y: Any, t: Any) -> Any:
    """Squares the sum of the differences, where it should add up their squares."""
    return 0.5 * (y - t).sum() ** 2


def absolute_differences(y: Any, t: Any) -> Any:
    """Adds up absolute values, where it should add up squares."""
    return 0.5 * np.abs(y - t).sum()


def errors_not_summed(y: Any, t: Any) -> Any:
    """Gives an error for each class; the loss is one number, their sum."""
    return 0.5 * (y - t) ** 2


def root_of_the_squares(y: Any, t: Any) -> Any:
    """Takes the root of the sum of the squares, which is a distance."""
    return np.sqrt(((y - t) ** 2).sum())


def values_added(y: Any, t: Any) -> Any:
    """Squares the sum of y and t, where it should be their difference."""
    return 0.5 * ((y + t) ** 2).sum()


for function in (
    *(half_forgotten, differences_not_squared, sum_squared, absolute_differences),
    *(errors_not_summed, root_of_the_squares, values_added),
):
    mistake("mean_squared_error")(function)
    mistake("sum_squared_error")(function)
