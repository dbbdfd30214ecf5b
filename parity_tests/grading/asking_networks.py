"""Asks networks: what has parameters, and gradients for them.

This runs in the submission's own process, as `exercise` does.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from gradparity.parity_tests.grading.making import Unfit, parameters, takes
from gradparity.parity_tests.grading.outcomes import NETWORK, Arrays, Call, Task
from gradparity.parity_tests.grading.spelling import attributes, small
from gradparity.parity_tests.grading.using import codes_of, counting

PARAMS = ("W1", "b1", "W2", "b2", "W3", "b3")
# The inputs of a call that are no parameters of the network.
GIVEN = ("x", "t", "decay", "sigmoid")
NUMERICAL = "numerical_gradient"
# What a network is asked in the cases of these names.
NUMERICALLY, SIGMOID, DECAY = "by central differences", "sigmoid", "weight decay"
# What else a method is called.
ALSO = {
    "gradient": (
        "grad",
        "grads",
        "gradients",
        "backward",
        "backprop",
        "back_propagation",
    ),
    NUMERICAL: ("numerical_grad", "numericalgradient", "num_grad", "numeric_gradient"),
    "predict": ("forward",),
    "update": ("step", "updates", "apply", "optimize"),
}
CONTAINERS = ("params", "parameters", "param", "weights")
# How the arguments of a constructor are called, in small letters and without underscores.
UNITS = (
    r"(s|sizes?|dims?|num|n|nodes?|units?|neurons?|layers?|features?|list|sizelist)?"
)
ARGUMENTS = {
    "input": rf"(n|num|dim|size)?(i|in|inp|inputs?){UNITS}",
    "hidden": rf"(n|num|dim|size)?(h|hid|hidden|hiddens){UNITS}",
    "output": rf"(n|num|dim|size)?(o|out|outputs?|c|class|classes){UNITS}",
    "activation": r"act|activations?|activationfunc(tion)?",
    "decay": r"(weight)?decay(lambda|rate)?|l2|lambda|lam|reg(ularization)?",
    "conv": r"conv(olution)?params?",
    "lr": r"lr|learningrate|eta|rate|alpha|stepsize|epsilon",
    "momentum": r"momentum|mu|beta1?|gamma|alpha|rho|m",
    "decay_rate": r"decay(rate)?|rho|beta2?|gamma|alpha|momentum",
    "beta1": r"(beta|b|rho)(1|one|m)|beta|decay1|momentum",
    "beta2": r"(beta|b|rho)(2|two|v)|decay2|decayrate|gamma",
}
ndarray, concatenate = np.ndarray, np.concatenate


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
    results: Arrays

    def attempt(self, step: Callable[[], None]) -> None: ...
    def give(self, *names: str) -> list[Any]: ...
    def keep(self, quantity: str, value: Any) -> None: ...
    def remark(self, kind: str, *what: str) -> None: ...


# --- Constructors ---------------------------------------------------------------------


def arguments(call: Call, name: str) -> dict[str, Any]:
    """What a network's constructor is given, in the book's order."""
    inputs = call.inputs
    W = inputs["W1"]
    names = [each for each in inputs if each.startswith("b")]
    hidden = [inputs[each].size for each in names[:-1]]
    output = inputs[names[-1]].size
    if name == NETWORK:
        return {"input": len(W), "hidden": hidden[0], "output": output}
    if W.ndim == 2:
        activation = "sigmoid" if inputs["sigmoid"] else "relu"
        sizes = {"input": len(W), "hidden": hidden, "output": output}
        return sizes | {"activation": activation, "decay": float(inputs["decay"])}
    conv = {"filter_num": len(W), "filter_size": W.shape[-1], "stride": 1}
    conv |= {"pad": 0, "padding": 0}  # as some call it
    dims = {"input": inputs["x"].shape[1:], "conv": conv}
    return dims | {"hidden": hidden[1], "output": output}


# What need not be handed over, since it is so anyway.
BY_ITSELF = {"activation": "relu", "decay": 0.0}


def made(offered: Any, name: str, given: Mapping[str, Any]) -> Any:
    """An instance. What the constructor calls as we do, in whatever order, it gets by name;
    otherwise what it needs comes in the book's order.

    Raises:
        Unfit: it does not take what it must have here.
    """
    names: dict[str, str] = {}
    for parameter in parameters(offered):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            continue
        spelt = small(parameter.name)
        for role in given:
            if role not in names and re.fullmatch(ARGUMENTS[role], spelt):
                names[role] = parameter.name
                break
    must = [role for role in given if role not in BY_ITSELF]
    for role, usual in BY_ITSELF.items():
        if role in given and role not in names and given[role] != usual:
            raise Unfit(f"`{name}` takes no {role}")
    if all(role in names for role in must):
        return offered(**{own: given[role] for role, own in names.items()})
    more = {names[role]: given[role] for role in BY_ITSELF if role in names}
    return offered(*(given[role] for role in must), **more)


# --- Parameters -----------------------------------------------------------------------


def fill(network: Any, name: str, asking: Asking, subject: str) -> Any:
    """Write a parameter into the network's own array, which is returned: its layers may
    hold that very array.
    """
    container, key = place_of(network, name)
    if key is None:
        raise Unfit(f"`{subject}` has no array `params[{name!r}]`")
    if key != name or container is not getattr(network, "params", None):
        asking.remark("named", name, str(key))
    array, right = container[key], asking.call.inputs[name]
    try:
        array[...] = right
    except (TypeError, ValueError):
        sizes = arguments(asking.call, subject).values()
        instance = f"{subject}({', '.join(map(str, sizes))})"
        has = (
            f"has the shape {array.shape}" if isinstance(array, ndarray) else "is none"
        )
        raise Unfit(
            f"`{instance}.params[{name!r}]` {has} where an array of the shape "
            f"{right.shape} is right"
        ) from None
    return array


def place_of(network: Any, name: str) -> tuple[Any, Any]:
    """Where a parameter is: in a dictionary, under its name or nearly so, or in an
    attribute; and its key there, which is None where there is none.
    """
    containers: list[Any] = [getattr(network, each, None) for each in CONTAINERS]
    for container in [*containers, attributes(network)]:
        if hasattr(container, "keys"):
            if name in container:
                return container, name
            for key in container:
                if isinstance(key, str) and small(key) == small(name):
                    return container, key
    return None, None


def gradient_of(gradients: Any, name: str, names: list[str]) -> tuple[Any, Any]:
    """The gradient by a parameter, of a dictionary or of a list in the order of `names`,
    and its key there; None where there is none.
    """
    if hasattr(gradients, "keys"):
        if name in gradients:
            return gradients[name], name
        wanted = {
            affix.format(small(name)) for affix in ("{}", "d{}", "grad{}", "{}grad")
        }
        for key in gradients:
            if isinstance(key, str) and small(key) in wanted:
                return gradients[key], key
    if isinstance(gradients, list | tuple) and len(gradients) == len(names):
        return gradients[names.index(name)], names.index(name)
    return None, None


# --- Calls ----------------------------------------------------------------------------


def ask_network(subject: Subject, asking: Asking) -> None:
    """The gradient comes first: it must not need a loss that was computed before."""
    name, case = subject.task.name, subject.task.case
    if subject.made is None:
        subject.made = made(subject.offered, name, arguments(asking.call, name))
    network = subject.made
    names = [each for each in asking.call.inputs if each not in GIVEN]
    for each in names:
        array = fill(network, each, asking, name)
        asking.given[each] = array, array.tobytes()

    def ask(quantity: str, *given: str) -> None:
        if method := method_of(network, quantity, len(given), asking):
            whole = quantity == "accuracy" and takes_three(method)
            size = (len(asking.call.inputs["x"]),) if whole else ()
            asking.keep(quantity, method(*asking.give(*given), *size))
        else:
            subject.has(network, quantity)  # or nearly so

    def ask_gradient() -> None:
        by_hand = method_of(network, "gradient", 2, asking)
        method = by_hand or method_of(network, NUMERICAL, 2, asking)
        if method is None:
            subject.has(network, "gradient")  # or nearly so
            return
        methods = {id(code) for code in codes_of(type(network))}
        with counting(methods) as counts:
            found = method(*asking.give("x", "t"))
        sizes = sum(asking.call.inputs[each].size for each in names)
        if not by_hand or max(counts.values(), default=0) > sizes:
            asking.remark("differences", "gradient" if by_hand else NUMERICAL)
        for each in names:
            gradient, key = gradient_of(found, each, names)
            if key is not None and key != each:
                asking.remark("named", f"d{each}", str(key))
            if key is not None or found is None:
                asking.keep(f"d{each}", gradient)

    def ask_numerical_gradient() -> None:
        method = method_of(network, NUMERICAL, 2, asking)
        if method is None or not has(network, "gradient"):
            return
        found = method(*asking.give("x", "t"))
        parts = [gradient_of(found, each, names)[0] for each in names]
        came = all(isinstance(part, ndarray) for part in parts)
        row = concatenate([part.ravel() for part in parts]) if came else None
        asking.keep(NUMERICAL, row)

    asking.attempt(ask_gradient)
    asking.attempt(lambda: ask("predict", "x"))
    asking.attempt(lambda: ask("loss", "x", "t"))
    asking.attempt(lambda: ask("accuracy", "x", "t"))
    if NUMERICALLY in case and all(f"d{each}" in asking.results for each in names):
        asking.attempt(ask_numerical_gradient)


def has(network: Any, quantity: str) -> bool:
    return any(callable(getattr(network, each, None)) for each in called(quantity))


def called(quantity: str) -> tuple[str, ...]:
    return (quantity, *ALSO.get(quantity, ()))


def method_of(network: Any, quantity: str, count: int, asking: Asking) -> Any:
    """The method that answers for a quantity, under whatever name; None if there is none.
    Under another than the book's, it has to take as many arguments.
    """
    for name in called(quantity):
        method = getattr(network, name, None)
        if callable(method) and (name == quantity or takes(method, count)):
            if name != quantity:
                asking.remark("called", quantity, name)
            return method
    return None


def takes_three(method: Any) -> bool:
    """Whether an accuracy takes the size of its batches, as that of SimpleConvNet does, of
    which what is left over is not counted.
    """
    return any(each.name == "batch_size" for each in parameters(method))
