"""What a function computes, from what was recorded of its forward pass, and the derivatives
of that by the reference's own rules: so it can be tried what another step would make of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.judging import Judged, differences
from gradparity.parity_tests.functions.programs import Arrays
from gradparity.reference.rounding import Arithmetic, Bounded
from gradparity.reference.rounding.programs import Step, fitted, known_where

EXACT = Arithmetic.of(np.float64).unlimited
DERIVED = 1e-11  # of the largest element: two ways to one derivative in float64
ROOM = 4.0  # times what rounding can do to one of them
NEAR = 2.0**-30  # how far around a point its kinks are looked for, and how often
POINTS = 8
JUMP = 2.0**-20  # of the largest element: a derivative that changes by more jumps
Edge = tuple[str, int]  # the value that a step makes, and which of its operands


@dataclass(frozen=True, eq=False)
class Model:
    """A forward pass as a program.

    Args:
        steps: those that the outputs come of.
        given: what it starts from, by name.
        inputs: the value of each floating-point input, by the quantity of its gradient.
        outputs: the value of each output, by quantity.
        seeds: what arrives at each output.
        recorded: the quantities as they were recorded.
    """

    steps: Sequence[Step]
    given: Arrays
    inputs: dict[str, str]
    outputs: dict[str, str]
    seeds: Arrays = field(repr=False)
    recorded: Arrays = field(repr=False)

    @classmethod
    def of(cls, judged: Judged) -> "Model | None":
        """That of what was recorded; None where a step has no rule."""
        recording, quantities = judged.recording, judged.quantities
        if not recording.opaque.isdisjoint(recording.outputs):
            return None
        by_number = {number: name for name, number in quantities.items()}
        outputs = {by_number.get(n, f"out {n}"): f"v{n}" for n in recording.outputs}
        seeds = {
            f"v{n}": np.zeros(())
            if seed is None
            else recording.values[seed].astype(np.float64)
            for n, seed in zip(recording.outputs, recording.seeds, strict=True)
        }
        inputs = {
            by_number[gradient]: f"v{number}"
            for number, gradient in zip(
                recording.inputs, recording.gradients, strict=True
            )
            if gradient in by_number
        }
        wanted, steps = {*outputs.values()}, []
        for step in reversed(recording.program):
            if step.name in wanted:
                wanted.update(step.operands)
                steps.append(step)
        wanted.update(inputs.values())
        given = {name: v for name, v in recording.given.items() if name in wanted}
        recorded = {name: judged.value(name) for name in quantities}
        return cls(steps[::-1], given, inputs, outputs, seeds, recorded)

    def seeds_from(self, judged: Judged) -> Arrays:
        """What arrives at the outputs of another function, by the values that are this
        one's.
        """
        recording, found = judged.recording, {**self.seeds}
        arriving = dict(zip(recording.outputs, recording.seeds, strict=True))
        for quantity, name in self.outputs.items():
            seed = arriving.get(judged.quantities.get(quantity, -1))
            if seed is not None:
                found[name] = recording.values[seed].astype(np.float64)
        return found

    def with_steps(self, steps: Sequence[Step], given: Arrays) -> "Model":
        """Another program for the same inputs and outputs."""
        return replace(self, steps=steps, given={**self.given, **given})

    def values(
        self, before: Arrays | None = None, instead: Collection[str] = ()
    ) -> Arrays:
        """Every value on the way.

        Args:
            before: those of another program, which is the same but for the steps that
                make some values: what does not come of these is not computed again.
            instead: their names.
        """
        found = {name: np.asarray(v, np.float64) for name, v in self.given.items()}
        changed = {*instead}
        with np.errstate(all="ignore"):
            for step in self.steps:
                same = changed.isdisjoint((step.name, *step.operands))
                if same and before is not None and step.name in before:
                    found[step.name] = before[step.name]
                    continue
                changed.add(step.name)
                given = [Bounded.exact(found[name], EXACT) for name in step.operands]
                found[step.name] = np.asarray(step.bounded(given, EXACT).value)
        return found

    def gradients(
        self, values: Arrays, factors: Mapping[Edge, float] | None = None
    ) -> Arrays:
        """The derivatives with respect to the inputs, by quantity.

        Args:
            values: what `values` returns.
            factors: what flows back along some edges is to be multiplied with.
        """
        flow: dict[str, Any] = {
            name: np.broadcast_to(self.seeds[name], values[name].shape)
            for name in self.outputs.values()
        }
        with np.errstate(all="ignore"):
            for step in reversed(self.steps):
                if step.name not in flow:
                    continue
                operands = [values[name] for name in step.operands]
                around = flow[step.name], values[step.name], *operands
                pulls = step.operation.pulls_of(len(operands))
                for position, (name, pull) in enumerate(
                    zip(step.operands, pulls, strict=True)
                ):
                    came = pull(*around, **step.settings)
                    came = known_where(flow[step.name], came)
                    came = fitted(came, operands[position].shape)
                    if factors and (step.name, position) in factors:
                        came = came * factors[step.name, position]
                    flow[name] = flow[name] + came if name in flow else came
        return {
            quantity: np.asarray(flow.get(name, np.zeros(values[name].shape)))
            for quantity, name in self.inputs.items()
        }

    def around(self, quantity: str) -> np.ndarray:
        """A gradient at some points around the inputs, in a row."""
        rng, found = np.random.default_rng(0), []
        for number in range(POINTS):
            given = {**self.given}
            for name in self.inputs.values():
                if name in given:
                    value = np.asarray(given[name], np.float64)
                    by = NEAR * rng.uniform(0.5, 1, value.shape)
                    side = rng.choice([-1.0, 1.0], value.shape)
                    side = (
                        np.full(value.shape, 1.0 - 2 * number) if number < 2 else side
                    )
                    given[name] = value + side * by * np.maximum(np.abs(value), 1e-3)
            near = replace(self, given=given)
            found.append(near.gradients(near.values())[quantity])
        return np.array(found)

    def results(self, values: Arrays) -> Arrays:
        """The outputs among the values, by quantity."""
        return {quantity: values[name] for quantity, name in self.outputs.items()}


@dataclass(frozen=True)
class Underived:
    """A gradient that is not the derivative of what a function computes: the element that
    is furthest off, what it is and what the derivative is; None where shapes differ.
    """

    quantity: str
    at: tuple[int, ...] | None = None
    value: float = np.nan
    derivative: float = np.nan


def underived(judged: Judged) -> list[Underived] | None:
    """The gradients of a function that are not the derivatives of what it computes, which
    are found by the reference's rules; None where a step has no rule.

    Where a rule itself comes to no number, as where it overflows, nothing is known. At a
    kink, whatever lies between the slopes on its sides counts as the derivative.
    """
    model = Model.of(judged)
    if model is None:
        return None
    found = []
    for name, right in model.gradients(model.values()).items():
        came = judged.value(name)
        if came.shape != right.shape:
            found.append(Underived(name))
            continue
        off = np.where(np.isnan(right), 0.0, differences(came, right))
        size = np.max(np.abs(right), initial=0, where=np.isfinite(right))
        beyond = np.where(off > DERIVED * size + ROOM * judged.room(name), off, 0.0)
        if beyond.any():
            beyond = np.where(between(came, model.around(name), size), 0.0, beyond)
        if beyond.any():
            at = tuple(int(i) for i in np.unravel_index(np.argmax(beyond), off.shape))
            found.append(Underived(name, at, float(came[at]), float(right[at])))
    return found


def between(came: np.ndarray, nearby: np.ndarray, size: float) -> np.ndarray:
    """Where a gradient lies between those at points around, if they jump there."""
    with np.errstate(all="ignore"):
        low, high = nearby.min(0), nearby.max(0)
        room = JUMP * size
        return (high - low > room) & (came >= low - room) & (came <= high + room)


def agree(found: Arrays, wanted: Arrays, names: Collection[str], room: float) -> bool:
    """Whether these quantities are the same, but for so much of their largest element."""
    for name in names:
        if name not in found or name not in wanted:
            return False
        a, b = found[name], wanted[name]
        if a.shape != b.shape:
            return False
        size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
        if not np.allclose(a, b, rtol=0, atol=room * size, equal_nan=True):
            return False
    return True
