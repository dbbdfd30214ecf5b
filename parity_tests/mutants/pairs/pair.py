"""What a pair of functions is, and how a module writes one down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar
from zlib import crc32

from gradparity.parity_tests.mutants.pairs.arrays import Arrays, Maker, drawn

Function = Callable[..., Any]
Defined = TypeVar("Defined", bound=Function)
Framework = Literal["torch", "jax", "numpy"]
Phase = Literal["forward", "backward"]
Place = str | tuple[str, ...]

FRAMEWORKS: dict[Function, Framework] = {}
DIFFERENT: list["Pair"] = []
ALIKE: list["Pair"] = []

MISTAKES = {
    "accumulated": "gradients that meet in one place are not added up",
    "averaged_twice": "a mean is taken of what has been averaged already",
    "axis": "a reduction runs over another axis",
    "base": "a logarithm has another base",
    "bias": "a bias is not added, or added twice",
    "biased": "a variance is divided by n, or by n - 1",
    "branch": "one of several paths has no gradient",
    "cast": "a part is computed with fewer digits",
    "clip": "a bound of a clip differs",
    "constant": "a constant of the formula is rounded or another",
    "cumulative": "a cumulative sum runs the other way",
    "derivative": "a derivative is taken of the input where it is one of the output",
    "dropped": "the last sample is left out",
    "eps": "the small number differs, or stands outside the root",
    "erf_tanh": "the GELU is the exact one, or its approximation by tanh",
    "ignored": "what is ignored is counted in the mean",
    "label_smoothing": "labels are smoothed, or otherwise",
    "mask": "a mask is shifted by one, or applied in another place",
    "mean_sum": "a sum stands for a mean, or a mean for a sum",
    "missing_term": "a term of the derivative is missing",
    "momentum": "a running mean weighs old and new the other way round",
    "nan": "a branch that is not chosen makes the gradient NaN",
    "one_hot": "labels are counted from 1",
    "order": "operands or parts are taken in another order",
    "padding": "what is padded or masked with has another value",
    "power": "an exponent differs",
    "reduction": "a mean is over all elements, or over the batch",
    "scale": "a factor is missing or another",
    "sign": "a sign is turned",
    "slope": "the slope below 0 differs",
    "squared": "a square or a root is missing",
    "stopped": "a gradient is stopped that should go on",
    "straight_through": "a step passes its gradient on as though it were not there",
    "swapped": "two parameters stand in each other's place",
    "temperature": "logits are multiplied by a temperature, not divided",
    "tie": "equal values share the gradient in another way",
    "transposed": "a matrix is transposed, or reshaped instead",
}


@dataclass(frozen=True, eq=False)
class Pair:
    """Two functions that are the same, or that differ by one known mistake.

    Functions of PyTorch and JAX take and return their framework's arrays; those of NumPy
    take `dout` as well, and return the output and a gradient for each floating-point
    argument, in order.

    Args:
        name: in kebab-case; no two have the same.
        f: the right one, where they differ.
        g: the other.
        inputs: makes the arguments by name: float64, integer and boolean arrays, the same
            ones every time.
        sentence: how g differs from f, or how else it is written.
        mistake: a key of MISTAKES; "" where they are the same.
        phase: where they differ first; in the backward, all outputs are the same.
        at_f: what is written, in f, in the line of the first step that differs. Where
            several answers are right, any of them.
        at_g: the same, in g.
        source: where somebody has made it, as far as is known.
        within: how far they may be apart where they are the same and cast to fewer digits.
    """

    name: str
    f: Function
    g: Function
    inputs: Callable[[], Arrays]
    sentence: str
    mistake: str = ""
    phase: Phase | Literal[""] = ""
    at_f: tuple[str, ...] = ()
    at_g: tuple[str, ...] = ()
    source: str = ""
    within: float = 0.0

    @property
    def frameworks(self) -> tuple[Framework, Framework]:
        """What f and what g are written in."""
        return FRAMEWORKS[self.f], FRAMEWORKS[self.g]

    def is_at(self, which: Literal["f", "g"], line: str) -> bool:
        """Whether a line of the source of f, or of g, is where they differ first."""
        return any(each in line for each in (self.at_f if which == "f" else self.at_g))


def in_torch(function: Defined) -> Defined:
    """Marks a function of PyTorch's tensors."""
    FRAMEWORKS[function] = "torch"
    return function


def in_jax(function: Defined) -> Defined:
    """Marks a function of JAX's arrays."""
    FRAMEWORKS[function] = "jax"
    return function


def in_numpy(function: Defined) -> Defined:
    """Marks a function of NumPy's arrays that takes `dout` and returns gradients."""
    FRAMEWORKS[function] = "numpy"
    return function


def different(
    mistake: str,
    phase: Phase,
    f: Function,
    arrays: Mapping[str, Maker],
    *,
    at: tuple[Place, Place],
    source: str = "",
    name: str = "",
) -> Callable[[Defined], Defined]:
    """The decorator of a function that is another one than f, by a mistake. Its docstring
    is the pair's sentence, and its name the pair's, if it is given no other.
    """
    at_f, at_g = ((each,) if isinstance(each, str) else each for each in at)

    def register(g: Defined) -> Defined:
        found = of(f, g, arrays, name)
        DIFFERENT.append(Pair(*found, mistake, phase, at_f, at_g, source))
        return g

    return register


def alike(
    f: Function, arrays: Mapping[str, Maker], *, name: str = "", within: float = 0.0
) -> Callable[[Defined], Defined]:
    """The decorator of a function that is the same as f, written differently."""

    def register(g: Defined) -> Defined:
        ALIKE.append(Pair(*of(f, g, arrays, name), within=within))
        return g

    return register


def of(
    f: Function, g: Function, arrays: Mapping[str, Maker], name: str
) -> tuple[str, Function, Function, Callable[[], Arrays], str]:
    """What every pair has."""
    words = (name or g.__name__).replace("_", "-")
    inputs = partial(drawn, dict(arrays), crc32(words.encode()))
    return words, f, g, inputs, " ".join((g.__doc__ or "").split())
