"""What a room recorded of a function, as a program whose rounding can be bounded."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradparity.reference.rounding.operations import OPERATIONS
from gradparity.reference.rounding.programs import Step

Arrays = dict[str, np.ndarray]
# How many digits a number of each dtype has.
DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}


@dataclass(frozen=True, eq=False)
class Executed:
    """An operator as it ran.

    Args:
        number: which of the steps it is.
        operator: what its framework calls it.
        code: the call, in one line.
        phase: "forward" or "backward".
        where: the line of the source that it belongs to; "" where there is none.
        module: the path in the module tree.
        operands, results: numbers of values.
        settings: what it was told beside its arrays.
        meaning: its entries, (operation, operands, settings, result); None if no rule is
            known, and empty if it computes data that nothing is rounded for.
        kept: whether it runs forward and only gradients come of it: JAX computes then
            what the backward phase takes.
        written: the dtype of what it makes as the function has it, where it is computed in
            float64 all the same; constants are rounded to it.
    """

    number: int
    operator: str
    code: str
    phase: str
    where: str
    module: str
    operands: list[int]
    results: list[int]
    settings: dict[str, Any]
    meaning: list[Any] | None
    kept: bool = False
    written: str = ""

    @property
    def stage(self) -> str:
        """The phase in words."""
        return f"{self.phase}, kept for the backward" if self.kept else self.phase

    @property
    def moves(self) -> bool:
        """Whether it computes nothing: it only says where elements come from."""
        entries = self.meaning or []
        return bool(entries) and all(entry[0] == "move" for entry in entries)


@dataclass(frozen=True, eq=False)
class Recording:
    """A function and its gradients as they were executed on some numbers.

    Args:
        values: every array that appeared.
        inputs, outputs, seeds, gradients: the numbers of values.
        executed: the steps.
        dtypes: those of the values; NumPy has no array of some.
        widened: constants that the function has in a narrower dtype were computed with in
            this one.
    """

    values: list[np.ndarray]
    inputs: list[int]
    outputs: list[int]
    seeds: list[int | None]
    gradients: list[int | None]
    executed: list[Executed]
    dtype: str = field(default="float64")
    dtypes: list[str] = field(default_factory=list)
    widened: bool = False

    @classmethod
    def of(cls, recorded: dict[str, Any], dtype: str) -> "Recording":
        """From what a room's `record` returns."""
        steps = enumerate(recorded["steps"])
        executed = [Executed(number=number, **step) for number, step in steps]
        own = {"dtypes": [value.dtype.name for value in recorded["values"]]}
        rest = own | {name: v for name, v in recorded.items() if name != "steps"}
        made = cls(executed=executed, dtype=dtype, **rest)
        only = made.before(made.gradients) - made.leading
        kept = [
            replace(each, kept=True)
            if each.number in only and each.phase == "forward"
            else each
            for each in executed
        ]
        return cls(executed=kept, dtype=dtype, **rest)

    @cached_property
    def ends(self) -> list[int]:
        """The numbers of outputs and gradients; -1 of a gradient that there is not."""
        gradients = (-1 if number is None else number for number in self.gradients)
        return [*self.outputs, *gradients]

    @cached_property
    def makers(self) -> dict[int, Executed]:
        """The step that makes each value, by its number."""
        return {number: step for step in self.executed for number in step.results}

    @cached_property
    def leading(self) -> set[int]:
        """The numbers of the steps that outputs come of. JAX computes in its forward phase
        what only gradients come of, too.
        """
        return self.before(self.outputs)

    def before(self, ends: Sequence[int | None]) -> set[int]:
        """The numbers of the steps that these values come of."""
        found: set[int] = set()
        todo = [end for end in ends if end is not None]
        while todo:
            step = self.makers.get(todo.pop())
            if step is not None and step.number not in found:
                found.add(step.number)
                todo += step.operands
        return found

    def leads(self, number: int) -> bool:
        """Whether outputs come of a value, or nothing made it."""
        step = self.makers.get(number)
        return step is None or step.number in self.leading

    @cached_property
    def moving(self) -> set[int]:
        """The values that come of inputs or seeds, and these themselves."""
        found = {*self.inputs, *(seed for seed in self.seeds if seed is not None)}
        for step in self.executed:
            if not found.isdisjoint(step.operands):
                found.update(step.results)
        return found

    @cached_property
    def narrow(self) -> set[str]:
        """The dtypes with fewer digits in which there are values that come of inputs."""
        own = DIGITS[self.dtype]
        found = {self.dtypes[number] for number in self.moving}
        return {dtype for dtype in found if DIGITS.get(dtype, own) < own}

    def casts(self, dtypes: Container[str]) -> Iterator[Executed]:
        """The steps that bring what comes of inputs from another dtype to one of these."""
        for step in self.executed:
            came = {self.dtypes[n] for n in step.operands if n in self.moving}
            made = {self.dtypes[n] for n in step.results if self.dtypes[n] in dtypes}
            if came and made - came:
                yield step

    @cached_property
    def opaque(self) -> set[int]:
        """The values that come of a step without a rule."""
        found: set[int] = set()
        for step in self.executed:
            floats = [n for n in step.results if self.values[n].dtype.kind == "f"]
            unknown = step.meaning is None or not found.isdisjoint(step.operands)
            if unknown and step.meaning != []:
                found.update(floats)
        return found

    @cached_property
    def program(self) -> list[Step]:
        """The steps whose meaning is known, in the words of `reference/rounding`."""
        found = {
            step.name: step for each in self.executed for step in self.entries(each)
        }
        return [*found.values()]

    def entries(self, executed: Executed) -> list[Step]:
        """The steps that an operator comes to, each in the dtype of what it makes.

        Operands with more digits are rounded to that first, which allows for more than
        rounding the result; and so are constants that the dtype does not have.
        """
        found: list[Step] = []
        temporaries: dict[str, str] = {}

        def kind(operand: Any) -> str:
            """The dtype of a value or a temporary; "" of constants and whole numbers."""
            if isinstance(operand, str):
                return temporaries[operand]
            dtype = "" if isinstance(operand, float) else self.dtypes[operand]
            return dtype if dtype in DIGITS else ""

        def add(name: str, operation: str, of: list[str], dtype: str, how: Any) -> None:
            other = "" if dtype == self.dtype else dtype
            found.append(Step(name, OPERATIONS[operation], tuple(of), how, other))

        floats = [kind(number) for number in executed.results if kind(number)]
        for operation, operands, settings, result in executed.meaning or ():
            kinds = [kind(operand) for operand in operands]
            widest = max(kinds, key=lambda each: DIGITS.get(each, 0), default="")
            dtype = widest or (floats[0] if floats else self.dtype)
            if not isinstance(result, str):
                dtype = kind(result) or dtype
            if operation == "cast":  # from the dtype of its operand
                temporaries[str(result)] = str(settings["dtype"])
                dtype = widest or dtype
            else:
                temporaries[str(result)] = dtype
            names = []
            for operand, own in zip(operands, kinds, strict=True):
                name = self.called(executed, operand)
                if isinstance(operand, float) and executed.written:
                    # Whether it was rounded cannot be seen, unless it has few digits.
                    if not has("bfloat16", operand):
                        rounded = f"{executed.number}.{name} {executed.written}"
                        add(rounded, "rounded", [name], executed.written, {})
                        name = rounded
                elif isinstance(operand, float) and not has(dtype, operand):
                    rounded = f"{name}'"
                    if dtype != self.dtype:
                        rounded = f"{executed.number}.{name} {dtype}"
                    add(rounded, "rounded", [name], dtype, {})
                    name = rounded
                elif operation != "cast" and DIGITS.get(own, 0) > DIGITS[dtype]:
                    rounded = f"{executed.number}.{name} {dtype}"
                    add(rounded, "cast", [name], own, {"dtype": dtype})
                    name = rounded
                names.append(name)
            add(self.called(executed, result), operation, names, dtype, settings)
        return found

    @staticmethod
    def called(step: Executed, operand: Any) -> str:
        """A value by its number, a temporary of a step, or a constant."""
        if isinstance(operand, str):
            return f"{step.number}.{operand}"
        return f"= {operand!r}" if isinstance(operand, float) else f"v{operand}"

    def owner(self, name: str) -> int | None:
        """The step that makes a value or a temporary; None of what was given."""
        if name.startswith("v"):
            step = self.makers.get(int(name[1:]))
            return None if step is None else step.number
        return None if name.startswith("=") else int(name.partition(".")[0])

    def start(self, name: str) -> np.ndarray:
        """A constant, or a value as it was recorded."""
        if name.startswith("= "):
            return np.array(float(name[2:]))
        return self.values[int(name[1:])]

    @cached_property
    def given(self) -> Arrays:
        """What the program starts from: inputs, seeds, data and constants."""
        made = {step.name for step in self.program}
        ends = (*self.inputs, *self.outputs, *self.gradients, *self.seeds)
        names = [f"v{number}" for number in ends if number is not None]
        names += [name for step in self.program for name in step.operands]
        return {name: self.start(name) for name in names if name not in made}


def has(dtype: str, constant: float) -> bool:
    """Whether a dtype has this number."""
    if not np.isfinite(constant):
        return True
    with np.errstate(over="ignore"):
        if dtype == "bfloat16":  # the upper half of float32
            single = np.float32(constant)
            return float(single) == constant and not single.view(np.uint32) & 0xFFFF
        return float(np.dtype(dtype).type(constant)) == constant
