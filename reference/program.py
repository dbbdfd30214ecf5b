"""What a function that is written in NumPy executes, forward and by hand backward."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradparity.reference.layouts import same
from gradparity.reference.recorded import Recorded, constructors_recorded
from gradparity.reference.tape import Replacements, Step, Tape

Function = Callable[[list[Any], list[Any]], tuple[Sequence[Any], Sequence[Any] | None]]
Arrays = Sequence[np.ndarray]


def record(
    function: Function,
    leaves: Arrays,
    seeds: Sequence[np.ndarray | None] | None = None,
    *,
    noise: tuple[float, int] | None = None,
    replace: Replacements | None = None,
) -> dict[str, Any]:
    """Run a function and its gradients, and return what was executed: the values that
    appeared and the steps that made them.

    What comes from outside and changes with the inputs was computed from them where it
    could not be seen. Where there is any doubt, the function is run again on inputs that
    are a little off, and such arrays are given as "numpy: not recorded".

    Args:
        function: from the leaves and the seeds to the outputs and the gradients, one for
            each leaf, or None instead of them or of any. It gets copies.
        leaves: the inputs.
        seeds: for each output the derivative with respect to it, or None where it has
            none. Instead of them, None: the function is given no seeds.
        noise: the size and the seed of random numbers, r uniform in -1..1: every
            floating-point result of a step that does more than move is multiplied by
            1 + size * r.
        replace: by the numbers of steps, what makes of the results of a step others.

    Raises:
        TypeError: a leaf is complex, or no array of numbers.
        ValueError: a step to be replaced is none, or none that gives anything new; or
            there are complex numbers on the way.
    """
    leaves = [np.asarray(leaf) for leaf in leaves]
    seeds = None if seeds is None else list(seeds)
    for leaf in leaves:
        if leaf.dtype.kind not in "biuf":
            raise TypeError(f"record: no numbers that are real, got dtype {leaf.dtype}")
    state = np.random.get_state()
    run = _Run(Tape(Recorded, noise, replace), leaves, seeds)
    run.go(function)
    if run.tape.outside:
        computed = _changed(run, function, state)
        if computed:
            run.put_back()
            np.random.set_state(state)
            run = _Run(Tape(Recorded, noise, replace, computed), leaves, seeds)
            run.go(function)
    missed = set(replace or {}) - run.tape.replaced
    if missed:
        raise ValueError(f"record: nothing to replace in step {min(missed)}")
    return run.as_dict()


class _Run:
    """One run of a function on a tape."""

    def __init__(self, tape: Tape, leaves: Arrays, seeds: Any) -> None:
        self.tape, self.leaves, self.seeds = tape, leaves, seeds
        self.inputs: list[int] = []
        self.given: list[int | None] = []
        self.outputs: list[int] = []
        self.gradients: list[int | None] = []

    def go(self, function: Function) -> None:
        tape = self.tape

        def held(array: Any, numbers: list[Any]) -> Any:
            if array is None:
                numbers.append(None)
                return None
            array = np.array(array)
            numbers.append(tape.add(array))
            return tape.hold(array, numbers[-1])

        leaves = [held(leaf, self.inputs) for leaf in self.leaves]
        seeds = [held(seed, self.given) for seed in self.seeds or ()]
        with (
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
            constructors_recorded(),
            tape.recording(),
        ):
            warnings.simplefilter("ignore", RuntimeWarning)
            outputs, gradients = function(leaves, seeds)
            self.outputs = [self.number(output) for output in outputs]
            if gradients is None:
                self.gradients = [None for _ in self.leaves]
            else:
                pairs = zip(gradients, self.leaves, strict=True)
                self.gradients = [self.gradient(*pair) for pair in pairs]

    def number(self, array: Any) -> int:
        """The number of the value that the function gave."""
        array = self.tape.scalar(array)
        if not isinstance(array, np.ndarray):
            array = np.asarray(array)
        return self.tape.index(array)

    def gradient(self, gradient: Any, leaf: np.ndarray) -> int | None:
        if gradient is None or leaf.dtype.kind != "f":
            return None
        return self.number(gradient)

    def put_back(self) -> list[np.ndarray]:
        """What came from outside is what it was before the run; what it is now."""
        now = []
        for array, first in self.tape.found:
            now.append(array.copy())
            if not same(array, first) and array.flags.writeable:
                array[...] = first
        return now

    def as_dict(self) -> dict[str, Any]:
        tape = self.tape
        given = self.given or [None for _ in self.outputs]
        gradients = [number for number in self.gradients if number is not None]
        _tell_phases(tape.steps, self.outputs, gradients)
        return {
            "values": tape.values,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "seeds": given,
            "gradients": self.gradients,
            "steps": tape.steps,
        }


def _changed(run: _Run, function: Function, state: Any) -> frozenset[int]:
    """The numbers of what came from outside and is another for inputs a little off; all
    of it if the function then takes another way.
    """
    after, random_after = run.put_back(), np.random.get_state()
    np.random.set_state(state)
    tape = Tape(Recorded, meanings=False)
    shifted = [_shifted(leaf) for leaf in run.leaves]
    seeds = run.seeds and [
        s if s is None else _shifted(np.asarray(s)) for s in run.seeds
    ]
    again = _Run(tape, shifted, seeds)
    try:
        again.go(function)
    except Exception:  # whatever it raises there: nothing is known then
        tape.outside = []
    finally:
        np.random.set_state(random_after)
        again.put_back()
        for (array, _), value in zip(run.tape.found, after, strict=True):
            if not same(array, value):
                array[...] = value
    first, second = run.tape.outside, tape.outside
    kinds = [[(x.shape, x.dtype) for x in outside] for outside in (first, second)]
    if kinds[0] != kinds[1]:
        return frozenset(range(len(first)))
    pairs = enumerate(zip(first, second, strict=True))
    return frozenset(i for i, (x, y) in pairs if not same(x, y))


def _shifted(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    r = np.random.default_rng(0).uniform(0.5, 1, array.shape)
    return (array * (1 + 1e-3 * r)).astype(array.dtype)


def _tell_phases(steps: list[Step], outputs: list[int], gradients: list[int]) -> None:
    """Forward is what the outputs come of. What neither they nor the gradients come of
    is where it stands.
    """
    makers = {value: i for i, step in enumerate(steps) for value in step["results"]}

    def behind(values: Sequence[int]) -> set[int]:
        found: set[int] = set()
        open_ = [makers[value] for value in values if value in makers]
        while open_:
            number = open_.pop()
            if number not in found:
                found.add(number)
                operands = steps[number]["operands"]
                open_ += [makers[value] for value in operands if value in makers]
        return found

    forward, backward = behind(outputs), behind(gradients)
    last = max(forward, default=-1)
    for i, step in enumerate(steps):
        is_forward = i in forward or (i not in backward and i < last)
        step["phase"] = "forward" if is_forward else "backward"
