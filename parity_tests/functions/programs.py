"""What a room recorded of a function, as a program whose rounding can be bounded."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradparity.reference.rounding.operations import OPERATIONS
from gradparity.reference.rounding.programs import Step

Arrays = dict[str, np.ndarray]


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
    """

    values: list[np.ndarray]
    inputs: list[int]
    outputs: list[int]
    seeds: list[int | None]
    gradients: list[int | None]
    executed: list[Executed]
    dtype: str = field(default="float64")

    @classmethod
    def of(cls, recorded: dict[str, Any], dtype: str) -> "Recording":
        """From what a room's `record` returns."""
        steps = enumerate(recorded["steps"])
        executed = [Executed(number=number, **step) for number, step in steps]
        rest = {name: value for name, value in recorded.items() if name != "steps"}
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
        """The steps that an operator comes to. A constant that the dtype does not have is
        rounded first.
        """
        found = []
        for operation, operands, settings, result in executed.meaning or ():
            names = []
            for operand in operands:
                name = self.called(executed, operand)
                if isinstance(operand, float) and not self.has(operand):
                    found.append(Step(f"{name}'", OPERATIONS["rounded"], (name,)))
                    name += "'"
                names.append(name)
            made = self.called(executed, result)
            found.append(Step(made, OPERATIONS[operation], tuple(names), settings))
        return found

    def has(self, constant: float) -> bool:
        """Whether the dtype has this number."""
        with np.errstate(over="ignore"):
            return (
                not np.isfinite(constant)
                or float(np.dtype(self.dtype).type(constant)) == constant
            )

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
