"""A function as it runs in a dtype on some inputs, once or with noise, and how its numbers
are judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gradparity.parity_tests.catalogue.spec import generator
from gradparity.parity_tests.functions import on_numpy
from gradparity.parity_tests.functions.arguments import Call, running
from gradparity.parity_tests.functions.calling import flat
from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.programs import Arrays, Recording
from gradparity.parity_tests.functions.rooms import (
    BACKENDS,
    CASTING,
    compiled,
    record,
)
from gradparity.parity_tests.functions.targets import Target
from gradparity.parity_tests.functions.trees import Tree
from gradparity.parity_tests.measuring.arithmetic import with_others


@dataclass(frozen=True, eq=False)
class Ran:
    """A function as it ran in a dtype on some inputs.

    Args:
        call: the function, on these.
        dtype: that of its floating-point inputs.
        widen: what it has in a narrower dtype and is computed in float64, as in `record`.
    """

    call: Call
    dtype: str
    widen: str = "constants"

    @cached_property
    def recording(self) -> Recording:
        return self.again(None)

    def again(self, noise: tuple[float, int] | None) -> Recording:
        """Another run, with noise of this scale and seed."""
        call = self.call
        framework = call.target.framework
        with running(call.target):
            return record(
                *(framework, call.function, call.leaves, self.dtype, self.seeds, noise),
                widen=self.widen,
            )

    @cached_property
    def uncast(self) -> "Ran":
        """The same with what it casts left in float64; itself where it casts nothing, or
        where that cannot be done.
        """
        can = self.call.target.framework in CASTING and self.recording.narrow
        return replace(self, widen="all") if can else self

    @cached_property
    def as_written(self) -> "Ran":
        """The same with nothing in another dtype than it is written in."""
        return replace(self, widen="") if self.recording.widened else self

    @property
    def seeds(self) -> list[np.ndarray | None]:
        """What arrives at each output."""
        shapes = self.call.shapes
        return self.call.seeds or [np.ones(shape, self.dtype) for shape in shapes]

    def compiled(self) -> Arrays:
        """The quantities as JAX has them where it compiles the function as a whole."""
        call = self.call
        with running(call.target):
            outputs, gradients = compiled(call.function, call.leaves, self.seeds)
        pairs = zip(call.gradient_names, gradients, strict=True)
        found = dict(zip(call.output_names, outputs, strict=True))
        return found | {name: g for name, g in pairs if name and g is not None}

    @cached_property
    def quantities(self) -> dict[str, int]:
        """The numbers of values of what is compared: outputs, and gradients if there are
        any, by name.
        """
        call, recording = self.call, self.recording
        found = dict(zip(call.output_names, recording.outputs, strict=True))
        if call.differentiated:
            pairs = zip(call.gradient_names, recording.gradients, strict=True)
            found |= {name: n for name, n in pairs if name and n is not None}
        return found

    @property
    def values(self) -> Arrays:
        return {name: self.recording.values[n] for name, n in self.quantities.items()}

    def judged(self, dtype: str, excused: frozenset[str] | None = None) -> Judged:
        """With the arithmetic that its framework has in a dtype, which bounds are of.

        Args:
            dtype: that in which it is judged.
            excused: as for `Judged`.
        """
        narrow = self.recording.narrow
        if excused is not None and excused >= narrow:
            excused = None
        if (dtype, excused) not in self.sides:
            unit = with_others(BACKENDS[self.call.target.framework], dtype).unlimited
            noisy = lambda scale, seed: self.uncast.again((scale, seed))  # noqa: E731
            self.sides[dtype, excused] = Judged(
                self.recording, self.quantities, unit, noisy, excused
            )
        return self.sides[dtype, excused]

    @cached_property
    def sides(self) -> dict[tuple[str, frozenset[str] | None], Judged]:
        return {}


def ran(target: Target, inputs: Mapping[str, Tree], dtype: str, dout: Tree) -> Ran:
    return Ran(flat(target, inputs, dtype, dout), dtype)


def with_seeds(run: Ran, ones: bool = False) -> Ran:
    """The same with another number for each element that arrives at the outputs: a sum of
    them all hides what cancels. `ones` is for what is a single number, as a loss is.
    """
    rng = generator("what arrives at the outputs")
    drawn = [np.asarray(rng.standard_normal(shape)) for shape in run.call.shapes]
    run.call.seeds = [
        np.ones(()) if ones and each.ndim == 0 else each for each in drawn
    ]
    return run


def ignored_by(run: Ran) -> list[str]:
    """The gradients of a function, by name, that are the same whatever arrives at its
    outputs. PyTorch and JAX multiply with that themselves.
    """
    call = run.call
    if call.target.framework != "numpy" or not call.differentiated:
        return []
    with running(call.target):
        return on_numpy.ignored(call)


def takes_one(call: Call) -> bool:
    """Whether a function returns a single number, and says itself that 1 arrives there."""
    return call.shapes == [()] and on_numpy.has_default(call.target)
