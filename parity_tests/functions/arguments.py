"""What a function is handed, as a list of arrays, and what it hands back.

Random numbers are the same in every run: the generators of Python, of NumPy and of PyTorch
are seeded before each.
"""

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradparity.parity_tests.functions import UnusableFunction
from gradparity.parity_tests.functions.matching import match
from gradparity.parity_tests.functions.targets import Target, refused
from gradparity.parity_tests.functions.trees import Setting, Tree, ends, named

SEED = 0


@dataclass(eq=False)
class Call:
    """A function on inputs.

    Args:
        target: what is called; its framework is known.
        names: of the leaves: `x`, `params.w`, `params.layers[0]`.
        leaves: arrays, in this order.
        function: of arrays of the framework, in this order, to a tuple of such. Of NumPy:
            of a list of leaves and a list of seeds, to a list of outputs and a list of
            gradients by leaf, None where there is none; or to outputs and None.
        output_names: `out`, `out[1]`, `out.loss`.
        shapes: of the outputs.
        seeds: for each output, where a `dout` was given.
        matched: the inputs and the parameters that they are given to, where these are
            called differently.
        random: whether the function drew random numbers.
        notes: sentences about what it returns.
    """

    target: Target
    names: list[str]
    leaves: list[np.ndarray]
    function: Callable[..., Any]
    output_names: list[str]
    shapes: list[tuple[int, ...]]
    seeds: list[np.ndarray | None] | None = None
    matched: list[tuple[str, str]] = field(default_factory=list)
    random: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def gradient_names(self) -> list[str | None]:
        """`dx`, `dparams.w`, by leaf; None for integers and booleans."""
        return [
            f"d{name}" if leaf.dtype.kind == "f" else None
            for name, leaf in zip(self.names, self.leaves, strict=True)
        ]

    @property
    def differentiated(self) -> bool:
        """Whether there are gradients to be compared."""
        return self.target.kind != "none"


class Arguments:
    """What a function is handed of some inputs.

    `names` and `leaves` are the arrays in order; `trees` the inputs of each parameter.
    """

    def __init__(self, target: Target, inputs: Mapping[str, Tree], dtype: str) -> None:
        self.target, self.inputs, self.dtype = target, inputs, dtype
        self.match = match(target, inputs)
        taken = {*self.match.taken.values(), *self.match.held.values()}
        used = [n for n in inputs if n in taken or n in self.match.more]
        own = {n: v for n, v in target.held.items() if n not in self.match.held}
        found = [pair for name in used for pair in ends(inputs[name], name)]
        found += [(name, value.astype(dtype)) for name, value in own.items()]
        arrays = [pair for pair in found if not isinstance(pair[1], Setting)]
        self.names = [name for name, _ in arrays]
        self.leaves = [value for _, value in arrays]

    def given(self, name: str, arrays: Mapping[str, Any]) -> Any:
        """An input with these arrays in it."""
        return named(
            self.inputs[name],
            lambda path, end: end.value if isinstance(end, Setting) else arrays[path],
            name,
        )

    def build(
        self, leaves: Any, *, held: bool = False
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments by position and by name; or those of a class's constructor."""
        arrays = dict(zip(self.names, leaves, strict=True))
        by_position: list[Any] = []
        by_name: dict[str, Any] = {}
        gap = False
        for parameter in self.target.parameters or ():
            if parameter.held != held:
                continue
            name = self.match.taken.get(parameter.name)
            if name is None:
                gap = True
            elif parameter.positional and not gap:
                by_position.append(self.given(name, arrays))
            else:
                by_name[parameter.name] = self.given(name, arrays)
        for name in () if held else self.match.more:
            if self.target.takes_more[0] and not by_name:
                by_position.append(self.given(name, arrays))
            else:
                by_name[name] = self.given(name, arrays)
        return by_position, by_name

    def parameters(self, leaves: Any) -> dict[str, Any]:
        """What takes the place of a module's own parameters."""
        arrays = dict(zip(self.names, leaves, strict=True))
        return {own: arrays[self.match.held.get(own, own)] for own in self.target.held}

    def floats(self, leaves: Any) -> list[str]:
        """The names of the leaves that are differentiated."""
        return [
            n for n, v in zip(self.names, leaves, strict=True) if v.dtype.kind == "f"
        ]


@dataclass(eq=False)
class Outputs:
    """The arrays in what a function returned, by name; and what else there is in it."""

    arrays: dict[str, Any]
    others: list[str]

    @property
    def notes(self) -> list[str]:
        return [f"{each}, and is not compared" for each in self.others]


def outputs(target: Target, returned: Any, is_array: Callable[[Any], bool]) -> Outputs:
    """What a function returned.

    Raises `UnusableFunction` if there is no array in it.
    """
    arrays: dict[str, Any] = {}
    others: list[str] = []
    for path, end in ends(returned):
        name = "out" + (path if path.startswith("[") or not path else f".{path}")
        if is_array(end):
            arrays[name] = end
        else:
            kind = type(end)
            others.append(
                f"{name} of {target.name} is {kind.__module__}.{kind.__name__}"
            )
    if not arrays:
        came = others[0] if others else f"{target.name} returns nothing"
        raise UnusableFunction(f"{came}: expected {ARRAYS[target.framework]}")
    if complex_ones := [name for name, each in arrays.items() if is_complex(each)]:
        raise UnusableFunction(
            f"{complex_ones[0]} of {target.name} is complex, which is not compared"
        )
    return Outputs(arrays, others)


ARRAYS = {"torch": "tensors", "jax": "JAX arrays", "numpy": "NumPy arrays"}


def is_complex(array: Any) -> bool:
    """Whether it holds complex numbers."""
    return "complex" in str(getattr(array, "dtype", type(array)))


# --- Running it ------------------------------------------------------------------------


@contextmanager
def running(target: Target) -> Iterator[None]:
    """The block runs a function: whatever it raises becomes one sentence, the generators
    are afterwards as they were before, NumPy does not warn, and what the function prints is
    shown the first time only, since it is run many times.
    """
    printed: Any = Printed(sys.stdout, target.heard)
    quiet = np.errstate(all="ignore")
    with refused(target.name), states_kept(), quiet, redirect_stdout(printed):
        yield


class Printed:
    """Standard output while a function runs, which may print as long as it did not in an
    earlier run.
    """

    def __init__(self, stream: Any, heard: list[str]) -> None:
        self.stream, self.heard = stream, heard
        self.again = bool(heard)

    def write(self, text: str) -> int:
        if not self.again:
            self.heard.append(text)
            self.stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


# --- Random numbers ---------------------------------------------------------------------


def seed() -> None:
    """Seed every generator that functions draw from without having made it."""
    random.seed(SEED)
    np.random.seed(SEED)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(SEED)


def states() -> tuple[Any, ...]:
    """How far the generators have come, to be compared."""
    kind, keys, *rest = np.random.get_state()
    torch = sys.modules.get("torch")
    state = torch.get_rng_state().numpy().tobytes() if torch is not None else b""
    return random.getstate(), kind, np.asarray(keys).tobytes(), tuple(rest), state


@contextmanager
def states_kept() -> Iterator[None]:
    """After the block the generators are as they were before."""
    python, legacy = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    state = None if torch is None else torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        if torch is not None:
            torch.set_rng_state(state)
