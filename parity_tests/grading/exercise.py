"""Asks a submission what is asked of it, and writes down what it answers.

This runs in the submission's own process, on NumPy and the standard library. What it
needs of NumPy it has taken hold of before a submission can put something else in its
place. In the parent's process it asks the reference, with a known mistake in it, the same.
"""

import linecache
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import signature
from traceback import walk_tb
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.asking_networks import ASKED, Unfit
from gradparity.parity_tests.grading.asking_networks import PARAMS as PARAMS
from gradparity.parity_tests.grading.course import FUNCTIONS, SUBJECTS
from gradparity.parity_tests.grading.outcomes import (
    Arrays,
    Call,
    Outcome,
    Raised,
    Remark,
    Task,
)
from gradparity.parity_tests.grading.using import noticing

# The case of numerical_gradient in which f looks at the array x and not at its argument.
CLOSURE = "f reads x elsewhere"
# The case in which there is a second object of the class, between forward and backward.
BESIDE = "two objects"
# The kind of exception that is ours: of what a network holds nothing can be made.
UNFIT = "unfit"
LARGEST = 2**20  # elements of a result
LONGEST = 500  # characters of a message

Own = Callable[[str], bool]
asarray, errstate, may_share_memory = np.asarray, np.errstate, np.may_share_memory
ndarray, generic, MaskedArray = np.ndarray, np.generic, np.ma.MaskedArray


def exercise(
    names: Mapping[str, Any], tasks: Iterable[Task], own: Own = lambda file: False
) -> Iterator[Outcome]:
    """What a namespace answers to the tasks, one call after the other.

    Args:
        names: the submission's; tasks whose class or function is not there are skipped.
        tasks: what is asked.
        own: whether a file is the submission's: a line of it is what an exception is
            blamed on.
    """
    for task in tasks:
        if task.name in names:
            subject = Subject(names[task.name], task, own, names)
            for number in range(len(task.calls)):
                yield subject.answer(number)


class Subject:
    """A function, or one instance of a class, in the course of a task."""

    def __init__(
        self, offered: Any, task: Task, own: Own, names: Mapping[str, Any]
    ) -> None:
        self.offered, self.task, self.own, self.names = offered, task, own, names
        self.made: Any = None  # the instance, from the first call on
        self.held: dict[str, tuple[np.ndarray, bytes]] = {}  # what it was made of
        self.returned: list[tuple[str, np.ndarray, bytes]] = []

    def answer(self, number: int) -> Outcome:
        """What comes of one call."""
        task, call = self.task, self.task.calls[number]
        asking = Asking(call, self.own, self.returned)
        with errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # wrong code may well warn
            if SUBJECTS[task.name].built_from and not number:
                self.ask_what_is_built(asking)
            else:
                asking.attempt(lambda: self.ask(asking))
        asking.look_back(restores=task.name == "numerical_gradient")
        self.held = {
            name: (array, array.tobytes())
            for name, (array, _) in asking.given.items()
            if name in SUBJECTS[task.name].holds
        }
        return Outcome(
            *(task.name, task.case, task.dtype, number),
            results=asking.results,
            raised=asking.raised,
            remarks=tuple(dict.fromkeys(asking.remarks)),
        )

    def ask_what_is_built(self, asking: "Asking") -> None:
        """The same, with a remark on what is used of the other names."""
        with noticing(self.names, self.task.name) as used:
            asking.attempt(lambda: self.ask(asking))
        for name in sorted(used):
            asking.remark("uses", name)

    def ask(self, asking: "Asking") -> None:
        name = self.task.name
        if asked := ASKED.get(SUBJECTS[name].kind):
            asked(self, asking)
        elif name == "numerical_gradient":
            asking.differentiate(self.offered, reads_x=self.task.case == CLOSURE)
        elif name in FUNCTIONS:
            asking.keep("out", self.offered(*asking.give(*asking.call.inputs)))
        else:
            self.ask_layer(asking)

    def ask_layer(self, asking: "Asking") -> None:
        """W and b are those of a task's first call."""
        asking.given |= self.held
        held = SUBJECTS[self.task.name].holds
        if self.made is None:
            self.made = self.offered(*asking.give(*held))
        names = [name for name in asking.call.inputs if name not in held]
        if not hasattr(self.made, "forward"):
            return
        asking.keep("out", self.made.forward(*asking.give(*names)))
        if not hasattr(self.made, "backward"):
            return
        if self.task.case.endswith(BESIDE):
            self.use_another(names, held)
        targets = ["d" + name for name in names if name != "t"]
        gradients = self.backward(asking)
        if not comes_in_parts(gradients, len(targets), asking.call):
            gradients = (gradients,)
        for target, gradient in zip(targets, gradients, strict=False):
            asking.keep(target, gradient)
        for name in held:
            if hasattr(self.made, "d" + name):
                asking.keep("d" + name, getattr(self.made, "d" + name))

    def backward(self, asking: "Asking") -> Any:
        """With a dout or without: a loss may insist on one, or want none of it."""
        backward = self.made.backward
        if "t" not in asking.call.inputs:
            return backward(*asking.give("dout"))
        if asking.call.dout is None:
            return backward() if takes(backward, 0) else backward(1)
        return backward(*asking.give("dout")) if takes(backward, 1) else backward()

    def use_another(self, names: list[str], held: tuple[str, ...]) -> None:
        """Another object of the class goes forward and backward, with the other call."""
        first, last = self.task.calls[0], self.task.calls[-1]
        inputs = {name: value.copy() for name, value in last.inputs.items()}
        another = self.offered(*(first.inputs[name].copy() for name in held))
        another.forward(*(inputs[name] for name in names))
        if last.dout is None:
            another.backward() if takes(another.backward, 0) else another.backward(1)
        else:
            another.backward(last.dout.copy())


def takes(method: Any, arguments: int) -> bool:
    """Whether so many can be handed over, as far as the method tells."""
    try:
        signature(method).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # it has no signature
        return True
    return True


def comes_in_parts(gradients: Any, several: int, call: Call) -> bool:
    """Whether these are gradients one by one: a tuple; and where there are several, a
    list, or an array with a further axis for them.
    """
    if several > 1 and isinstance(gradients, ndarray) and call.dout is not None:
        return bool(gradients.shape == (several, *call.dout.shape))
    return isinstance(gradients, (tuple, list) if several > 1 else tuple)


class Asking:
    """One call: what is handed over, what comes back, and what is noticed."""

    def __init__(
        self, call: Call, own: Own, returned: list[tuple[str, np.ndarray, bytes]]
    ) -> None:
        self.call, self.own, self.returned = call, own, returned
        self.given: dict[str, tuple[np.ndarray, bytes]] = {}
        self.results: Arrays = {}
        self.remarks: list[Remark] = []
        self.raised: Raised | None = None

    def attempt(self, step: Callable[[], None]) -> None:
        """The step, or a note of the first exception that came of any."""
        try:
            step()
        except Exception as error:  # of any kind: it is somebody else's code
            self.raised = self.raised or raised_by(error, self.own)

    def give(self, *names: str) -> list[Any]:
        """Copies of these arguments, which may be written into; numbers as numbers."""
        arguments: list[Any] = []
        for name in names:
            value = self.call.dout if name == "dout" else self.call.inputs[name]
            assert value is not None
            copy = value.copy()
            if copy.ndim:
                self.notice_writing()  # into an earlier copy, if there is one
                self.given[name] = copy, copy.tobytes()
            arguments.append(copy if copy.ndim else copy[()])
        return arguments

    def keep(self, quantity: str, value: Any) -> None:
        """Write down a result as it is now."""
        plain = isinstance(value, generic | int | float) or type(value) is ndarray
        if not plain:
            self.remark("type", quantity, type(value).__name__)
        if value is None or isinstance(value, MaskedArray):
            return
        try:
            array = asarray(value)
        except (TypeError, ValueError):  # such as of rows that are not of one length
            return
        if array.dtype.kind not in "fiub":
            self.remark("type", quantity, f"array of {array.dtype}")
            return
        if array.size > LARGEST:
            self.remark("type", quantity, f"array of {array.size} elements")
            return
        self.results[quantity] = array.copy()
        if isinstance(value, ndarray):
            self.returned.append((quantity, array, array.tobytes()))
            for name, (argument, _) in self.given.items():
                if may_share_memory(array, argument):
                    self.remark("shares", quantity, name)

    def remark(self, kind: str, *what: str) -> None:
        self.remarks.append(Remark(kind, ", ".join(what)))

    def differentiate(self, numerical_gradient: Any, reads_x: bool) -> None:
        """Have sum(a v**2 + b v) differentiated at x; or, where they are given, that with
        c v**3, and p times every element and its neighbour.
        """
        (x,) = self.give("x")
        a, b = self.call.inputs["a"], self.call.inputs["b"]
        c, p = self.call.inputs.get("c"), self.call.inputs.get("p")

        def f(v: Any) -> Any:
            v = asarray(x if reads_x else v)
            parabola = (a * v * v + b * v).sum()
            if c is None:
                return parabola
            return parabola + (c * v * v * v).sum() + (p * v[:-1] * v[1:]).sum()

        self.keep("gradient", numerical_gradient(f, x))

    def look_back(self, restores: bool) -> None:
        """What was written into that was not to be: arguments, and earlier results."""
        self.notice_writing("not restored" if restores else "wrote")
        for at, (quantity, array, before) in enumerate(self.returned):
            now = array.tobytes()
            if now != before:
                self.remark("overwrote", quantity)
                self.returned[at] = quantity, array, now

    def notice_writing(self, kind: str = "wrote") -> None:
        for name, (array, before) in self.given.items():
            if array.tobytes() != before:
                self.remark(kind, name)


def raised_by(error: Exception, own: Own) -> Raised:
    """An exception, and the innermost line of the submission that it passed."""
    try:
        message = str(error)[:LONGEST]
    except Exception:  # its own text may be wrong, too
        message = ""
    file, line = None, None
    for frame, number in walk_tb(error.__traceback__):
        if own(frame.f_code.co_filename):
            file, line = frame.f_code.co_filename, number
    source = linecache.getline(file, line).strip() if file and line else ""
    kind = UNFIT if isinstance(error, Unfit) else type(error).__name__
    return Raised(kind, message, file, line, source[:LONGEST])
