"""Asks a submission what is asked of it, and writes down what it answers.

This runs in the submission's own process, on NumPy and the standard library. What it
needs of NumPy it has taken hold of before a submission can put something else in its
place. In the parent's process it asks the reference, with a known mistake in it, the same.
"""

import linecache
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from traceback import walk_tb
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.asking_networks import ask_network
from gradparity.parity_tests.grading.asking_optimizers import ask_optimizer
from gradparity.parity_tests.grading.course import SETTINGS, SUBJECTS
from gradparity.parity_tests.grading.making import Unfit, call_by_name, make, takes
from gradparity.parity_tests.grading.outcomes import BESIDE as BESIDE
from gradparity.parity_tests.grading.outcomes import (
    Arrays,
    Call,
    Outcome,
    Raised,
    Remark,
    Task,
)
from gradparity.parity_tests.grading.spelling import (
    attributes,
    gradient,
    in_container,
    misspelt,
    small,
    spellings,
)
from gradparity.parity_tests.grading.using import noticing

# The case of numerical_gradient in which f looks at the array x and not at its argument.
CLOSURE = "f reads x elsewhere"
# The kind of exception that is ours: nothing can be made of what a submission has.
UNFIT = "unfit"
NUMBERS = "fiub"  # the kinds of dtypes that can be measured
LARGEST = 2**20  # elements of a result
LONGEST = 500  # characters of a message
# Who asks a class of a kind.
ASKED = {"network": ask_network, "optimizer": ask_optimizer}

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
        self.row = SUBJECTS[task.name]
        self.made: Any = None  # the instance, from the first call on
        self.held: dict[str, tuple[np.ndarray, bytes]] = {}  # what it was made of
        self.returned: list[tuple[str, np.ndarray, bytes]] = []

    def answer(self, number: int) -> Outcome:
        """What comes of one call."""
        task, call = self.task, self.task.calls[number]
        asking = Asking(call, self.own, self.returned)
        with errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # wrong code may well warn
            if self.row.built_from and not number:
                self.ask_what_is_built(asking)
            else:
                asking.attempt(lambda: self.ask(asking))
        asking.look_back(restores=self.row.differentiates)
        self.held = {
            name: (array, array.tobytes())
            for name, (array, _) in asking.given.items()
            if name in self.row.holds
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
        if asked := ASKED.get(self.row.kind):
            asked(self, asking)
        elif self.row.kind == "function":
            self.ask_function(asking)
        else:
            self.ask_layer(asking)

    def ask_function(self, asking: "Asking") -> None:
        if self.row.differentiates:
            asking.differentiate(self.offered, reads_x=self.task.case == CLOSURE)
            return
        names = [*asking.call.inputs]
        arguments = dict(zip(names, asking.give(*names), strict=True))
        if self.row.settings:
            asking.keep("out", call_by_name(self.offered, arguments))
        else:
            asking.keep("out", self.offered(*arguments.values()))

    def ask_layer(self, asking: "Asking") -> None:
        """W, b and the settings are those of a task's first call."""
        asking.given |= self.held
        held, settings = self.row.holds, self.row.settings
        if self.made is None:
            self.make(asking)
        names = [n for n in asking.call.inputs if n not in (*held, *settings)]
        if not self.has(self.made, "forward"):
            return
        asking.keep("out", self.forward(asking, names))
        if asking.call.dout is None and "t" not in names:
            return
        if not self.has(self.made, "backward"):
            return
        if self.task.case.endswith(BESIDE):
            self.use_another(names)
        targets = ["d" + name for name in names if name not in ("t", *self.row.modes)]
        gradients = self.backward(asking)
        if not comes_in_parts(gradients, len(targets), asking.call):
            gradients = (gradients,)
        for target, one in zip(targets, gradients, strict=False):
            asking.keep(target, one)
        if isinstance(gradients, tuple) and len(gradients) > len(targets):
            asking.returned_beside = gradients[len(targets) :]
        for name in held:
            asking.keep_gradient(self.made, name, held)

    def has(self, made: Any, method: str) -> bool:
        """Whether there is such a method; raises Unfit where it is called nearly so."""
        if hasattr(made, method):
            return True
        if other := misspelt(made, method):
            name = self.task.name
            raise Unfit(f"`{name}` has `{other}`, no `{method}`: misspelt?")
        return False

    def make(self, asking: "Asking") -> None:
        held, settings = self.row.holds, self.row.settings
        made = make(
            *(self.offered, self.task.name),
            dict(zip(held, asking.give(*held), strict=True)),
            dict(zip(settings, asking.give(*settings), strict=True)),
        )
        self.made = made.instance
        asking.given |= {n: (array, array.tobytes()) for n, array in made.held.items()}
        asking.remarks += made.remarks

    def forward(self, asking: "Asking", names: list[str]) -> Any:
        arguments = dict(zip(names, asking.give(*names), strict=True))
        if self.row.modes:
            return self.in_mode(arguments)
        return self.made.forward(*arguments.values())

    def in_mode(self, arguments: dict[str, Any]) -> Any:
        """Forward in training or at test time, as an argument or an attribute says."""
        forward = self.made.forward
        if takes(forward, len(arguments)):
            return call_by_name(forward, arguments)
        for mode in self.row.modes:
            value, name = arguments.pop(mode), self.task.name
            kept = {**vars(type(self.made)), **attributes(self.made)}
            own = [each for each in kept if small(each) in spellings(mode)]
            if not own and not value:
                raise Unfit(
                    f"`{name}.forward` takes no `{mode}`: there is no test time"
                )
            for each in own:
                setattr(self.made, each, value)
        return forward(*arguments.values())

    def backward(self, asking: "Asking") -> Any:
        """With a dout or without: a loss may insist on one, or want none of it."""
        backward = self.made.backward
        if "t" not in asking.call.inputs:
            return backward(*asking.give("dout"))
        if asking.call.dout is None:
            return backward() if takes(backward, 0) else backward(1)
        return backward(*asking.give("dout")) if takes(backward, 1) else backward()

    def use_another(self, names: list[str]) -> None:
        """Another object of the class goes forward and backward, with the other call."""
        first, last = (Asking(self.task.calls[n], self.own, []) for n in (0, -1))
        other = Subject(self.offered, self.task, self.own, self.names)
        other.make(first)
        other.forward(last, names)
        other.backward(last)


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
        self.returned_beside: tuple[Any, ...] = ()  # what backward returns besides dx

    def attempt(self, step: Callable[[], None]) -> None:
        """The step, or a note of the first exception that came of any."""
        try:
            step()
        except Exception as error:  # of any kind: it is somebody else's code
            self.raised = self.raised or raised_by(error, self.own)

    def give(self, *names: str) -> list[Any]:
        """Copies of these arguments, which may be written into; numbers as numbers, and
        settings as they are in Python.
        """
        arguments: list[Any] = []
        for name in names:
            value = self.call.dout if name == "dout" else self.call.inputs[name]
            assert value is not None
            if name in SETTINGS:
                arguments.append(
                    value.item() if value.ndim == 0 else (*value.tolist(),)
                )
                continue
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
        if array.dtype.kind not in NUMBERS:
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

    def keep_gradient(self, made: Any, name: str, of: tuple[str, ...]) -> None:
        """Write down the gradient by one of the arrays `of` a layer, if there is one under
        any name, and remark on that name.
        """
        shape, own = self.call.inputs[name].shape, self.given[name][0].shape
        found = gradient(made, name, of, shape)
        if (found is None or found[0] is None) and self.returned_beside:
            beside = in_container([*self.returned_beside], name, of, shape)
            if beside is not None:
                found = beside[0], f"backward(dout)[{int(beside[1]) + 1}]"
        if found is None:
            return
        value, called = found
        if called != "d" + name:
            self.remark("named", "d" + name, called)
        if own != shape and isinstance(value, ndarray) and value.shape == own:
            value = value.reshape(shape)  # as the layer's own array is
        self.keep("d" + name, value)

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
            cubic = parabola + (c * v * v * v).sum()
            return cubic if p is None else cubic + (p * v[:-1] * v[1:]).sum()

        self.keep("gradient", call_by_name(numerical_gradient, {"f": f, "x": x}))

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
