"""A program as a list of steps: what every step computes, and how far each is off.

A step makes one value of others, all of which have names. Whoever's function it is, a list
of such steps is all that bounds need to know of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.correctly_rounded import Arrays, Values
from gradparity.reference.rounding.floating_point import Arithmetic
from gradparity.reference.rounding.operations import Operation


@dataclass(frozen=True, eq=False)
class Step:
    """The value `name`, which an operation makes of the values that `operands` names; in
    this dtype, if it is another one than the program is computed in.
    """

    name: str
    operation: Operation
    operands: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = ""

    def bounded(self, operands: Sequence[Bounded], arithmetic: Arithmetic) -> Bounded:
        """The result, in a program that is computed in this arithmetic."""
        own = arithmetic.within(self.dtype) if self.dtype else arithmetic
        given = [
            x if x.arithmetic is own else replace(x, arithmetic=own) for x in operands
        ]
        return self.operation.bounded(*given, **self.settings)


Program = Sequence[Step]


def composed(program: Program, given: Arrays, arithmetic: Arithmetic) -> Bounds:
    """Every value of a program on the given ones, with the bound of the whole: step by
    step, errors are passed on by their absolute values.
    """
    found = {name: Bounded.exact(value, arithmetic) for name, value in given.items()}
    with np.errstate(all="ignore"):  # a bound may well be infinite
        for step in program:
            operands = [found[name] for name in step.operands]
            found[step.name] = step.bounded(operands, arithmetic)
    return found


def local(
    program: Program,
    given: Arrays,
    arithmetic: Arithmetic,
    errors: Arrays | None = None,
) -> Bounds:
    """Every value of a program, each with the bound of the step alone that makes it: what
    is lost there if its operands are exact.

    Args:
        program: the steps, in an order in which they can be computed.
        given: the values that it starts from, by name.
        arithmetic: that of the implementation to be judged.
        errors: how far values are off that a branch may hang on, by name; none where a
            name is missing. Where they lead to another branch, the local bound is what
            that changes. By default, they are bounds of the whole.
    """
    if errors is None:
        errors = {}
        if any(step.operation.in_doubt for step in program):
            whole = composed(program, given, arithmetic)
            errors = {name: value.error for name, value in whole.items()}
    found = {name: Bounded.exact(value, arithmetic) for name, value in given.items()}
    with np.errstate(all="ignore"):
        for step in program:
            operands = [found[name].given for name in step.operands]
            if step.operation.in_doubt is not None:
                operands = doubted(step, operands, errors)
            found[step.name] = step.bounded(operands, arithmetic)
    return found


def doubted(step: Step, operands: Sequence[Bounded], errors: Arrays) -> list[Bounded]:
    """The operands, off by these errors where that may lead to another branch."""
    assert step.operation.in_doubt is not None
    off = [
        operand.exactly(operand.value, np.broadcast_to(errors.get(name, 0.0), shape))
        for name, operand in zip(step.operands, operands, strict=True)
        for shape in [operand.value.shape]
    ]
    where = step.operation.in_doubt(*off, **step.settings)
    return [
        each.exactly(each.value, np.where(there, each.error, 0))
        for each, there in zip(off, where, strict=True)
    ]


def pull_back(program: Program, flow: Bounds, seed: Arrays) -> Arrays:
    """The derivatives of s = sum(seed * value) with respect to every value on the way.

    Args:
        program: the steps.
        flow: their values and local bounds. Of what has no error and comes of nothing
            that has, the derivative is not needed, and left out.
        seed: by name, what some values are multiplied with.
    """
    off = {name for name, value in flow.items() if np.any(value.error)}
    for step in program:
        if off.intersection(step.operands):
            off.add(step.name)
    found = {name: np.asarray(value, np.float64) for name, value in seed.items()}
    with np.errstate(all="ignore"):
        for step in reversed(program):
            if step.name not in found:
                continue
            operands = [flow[name].value for name in step.operands]
            around = found[step.name], flow[step.name].value, *operands
            pulls = step.operation.pulls_of(len(step.operands))
            pairs = zip(step.operands, pulls, strict=True)
            for (name, pull), x in zip(pairs, operands, strict=True):
                if name in off:
                    came = known_where(found[step.name], pull(*around, **step.settings))
                    came = fitted(came, x.shape)
                    found[name] = found[name] + came if name in found else came
    return found


def known_where(g: Values, came: Values) -> Values:
    """What came of a derivative, element by element: of 0 comes 0, whatever the slope."""
    if np.shape(came) != np.shape(g) or not np.isnan(came).any():
        return came
    return np.where((g == 0) & np.isnan(came), 0, came)


def fitted(g: Values, shape: tuple[int, ...]) -> Values:
    """What came of a value of this shape that was broadcast: summed over its copies."""
    g = np.asarray(g)
    if g.shape == shape:
        return g
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    copied = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=copied, keepdims=True)
