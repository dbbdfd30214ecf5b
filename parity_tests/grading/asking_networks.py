"""Asks networks: what has parameters, and gradients for them.

This runs in the submission's own process, as `exercise` does.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from gradparity.parity_tests.grading.making import Unfit
from gradparity.parity_tests.grading.outcomes import NETWORK, Call, Task

PARAMS = ("W1", "b1", "W2", "b2")
ndarray = np.ndarray


class Subject(Protocol):
    """One instance of a class, in the course of a task."""

    offered: Any
    made: Any
    task: Task

    def has(self, made: Any, method: str) -> bool: ...


class Asking(Protocol):
    """One call of it."""

    call: Call
    given: dict[str, tuple[np.ndarray, bytes]]

    def attempt(self, step: Callable[[], None]) -> None: ...
    def give(self, *names: str) -> list[Any]: ...
    def keep(self, quantity: str, value: Any) -> None: ...
    def keep_named(self, gradients: Any, name: str) -> None: ...
    def remark(self, kind: str, *what: str) -> None: ...


def ask_network(subject: Subject, asking: Asking) -> None:
    if subject.made is None:
        subject.made = subject.offered(*widths(asking.call))
    network = subject.made
    for name in PARAMS:  # in place: its layers may hold these very arrays
        array = fill(network, name, asking.call)
        asking.given[name] = array, array.tobytes()

    def ask(quantity: str, *arguments: str) -> None:
        if subject.has(network, quantity):
            method = getattr(network, quantity)
            asking.keep(quantity, method(*asking.give(*arguments)))

    def ask_gradient() -> None:
        if not subject.has(network, "gradient"):
            return
        gradients = network.gradient(*asking.give("x", "t"))
        for name in PARAMS:
            if gradients is None:
                asking.keep("d" + name, None)
            elif hasattr(gradients, "keys"):
                asking.keep_named(gradients, name)

    # The gradient comes first: it must not need a loss that was computed before.
    asking.attempt(ask_gradient)
    asking.attempt(lambda: ask("predict", "x"))
    asking.attempt(lambda: ask("loss", "x", "t"))
    asking.attempt(lambda: ask("accuracy", "x", "t"))


def widths(call: Call) -> tuple[int, int, int]:
    """Inputs, hidden units and classes."""
    return len(call.inputs["W1"]), *call.inputs["W2"].shape


def fill(network: Any, name: str, call: Call) -> Any:
    """Write a parameter into the network's own array, which is returned."""
    params: Any = getattr(network, "params", None)
    if not hasattr(params, "keys") or name not in params:
        raise Unfit(f"`{NETWORK}` has no array `params[{name!r}]`")
    array, right = params[name], call.inputs[name]
    try:
        array[...] = right
    except (TypeError, ValueError):
        made = f"{NETWORK}({', '.join(map(str, widths(call)))})"
        has = (
            f"has the shape {array.shape}" if isinstance(array, ndarray) else "is none"
        )
        raise Unfit(
            f"`{made}.params[{name!r}]` {has} where an array of the shape {right.shape} "
            "is right"
        ) from None
    return array


# Who asks a class of a kind.
ASKED: dict[str, Callable[[Subject, Asking], None]] = {"network": ask_network}
