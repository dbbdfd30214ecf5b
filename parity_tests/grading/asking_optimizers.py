"""Asks optimizers: parameters, which they change, and one gradient after the other.

This runs in the submission's own process, as `exercise` does.
"""

from inspect import signature
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.asking_networks import (
    Asking,
    Subject,
    made,
    method_of,
)
from gradparity.parity_tests.grading.making import Unfit
from gradparity.parity_tests.grading.spelling import small

# What an optimizer is made with, in the book's order, and the book's own values.
SETTINGS: dict[str, dict[str, float]] = {
    "SGD": {"lr": 0.01},
    "Momentum": {"lr": 0.01, "momentum": 0.9},
    "Nesterov": {"lr": 0.01, "momentum": 0.9},
    "AdaGrad": {"lr": 0.01},
    "RMSprop": {"lr": 0.01, "decay_rate": 0.99},
    "Adam": {"lr": 0.001, "beta1": 0.9, "beta2": 0.999},
}
DEFAULTS = "defaults"  # the case in which it is made with its own
ndarray = np.ndarray


class State:
    """An optimizer, and the parameters that it changes, in a dictionary or a list."""

    def __init__(self, optimizer: Any, params: dict[str, Any]) -> None:
        self.optimizer, self.params = optimizer, params
        self.in_lists = False

    def update(self, method: Any, grads: dict[str, Any]) -> None:
        given: tuple[Any, Any] = self.params, grads
        if self.in_lists:
            given = [*self.params.values()], [*grads.values()]
        first = next(iter(signature(method).parameters), "")
        method(*(reversed(given) if small(first).startswith("grad") else given))
        if self.in_lists:
            self.params = dict(zip(self.params, given[0], strict=True))


def ask_optimizer(subject: Subject, asking: Asking) -> None:
    """A step with these gradients; the parameters are those of the first call."""
    grads: list[str] = [
        name for name in asking.call.inputs if name.startswith(("dW", "db"))
    ]
    first = subject.made is None
    if first:
        subject.made = begun(subject, asking, grads)
    state: State = subject.made
    method = method_of(state.optimizer, "update", 2, asking)
    if method is None:
        subject.has(state.optimizer, "update")  # or nearly so
        return
    before = {**state.params}
    given = dict(zip(names_of(grads), asking.give(*grads), strict=True))
    try:
        state.update(method, given)
    except Exception:  # of any kind: it may be made for lists
        if not first:
            raise
        other = begun(subject, asking, grads)
        other.in_lists = True
        if not goes_well(other, given):
            raise
        subject.made = state = other
        asking.remark("lists", "params")
    for name, old in before.items():
        new = state.params[name]
        if new is not old and not state.in_lists:
            asking.remark("rebinds", name)
        asking.keep(name, new.copy() if type(new) is ndarray else new)


def begun(subject: Subject, asking: Asking, grads: list[str]) -> State:
    """An optimizer before the first step, with parameters of its own."""
    params = {name: asking.call.inputs[name].copy() for name in names_of(grads)}
    return State(make(subject, asking), params)


def goes_well(state: State, grads: dict[str, Any]) -> bool:
    """Whether a step raises nothing."""
    try:
        state.update(state.optimizer.update, grads)
    except Exception:  # of any kind: it is somebody else's code
        return False
    return True


def names_of(grads: list[str]) -> list[str]:
    """Of what they are the gradients."""
    return [name[1:] for name in grads]


def make(subject: Subject, asking: Asking) -> Any:
    """An optimizer with the settings of the call. What its constructor does not take is
    set where it is kept.

    Raises:
        Unfit: it is kept nowhere.
    """
    name, inputs = subject.task.name, asking.call.inputs
    if subject.task.case == DEFAULTS:
        return subject.offered()
    settings = {role: float(inputs[role]) for role in SETTINGS[name]}
    try:
        return made(subject.offered, name, settings)
    except TypeError:
        optimizer = subject.offered()
    for role, value in settings.items():
        if not hasattr(optimizer, role):
            raise Unfit(f"`{name}` takes no {role}")
        setattr(optimizer, role, value)
    return optimizer
