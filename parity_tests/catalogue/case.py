"""A case: a layer or the network with concrete inputs, in any dtype."""

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Literal, Self

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.processor_mode import ieee

Kind = Literal["typical", "edge", "invalid"]


@dataclass(frozen=True)
class Corners:
    """The numbers at which something happens in a dtype.

    Cases are written down in float64. In a narrower dtype these of float64 become its
    own, so that "the smallest subnormal" is one in each.
    """

    tiny: float  # the smallest subnormal number
    subnormal: float  # the largest
    normal: float  # the smallest normal number
    low_root: float  # its square is subnormal, and 1 / that overflows
    root: float  # its square is subnormal, and 1 / that a number
    high_root: float  # its square overflows, and 1 / that is subnormal
    large: float  # half of the largest
    largest: float
    half_eps: float  # half-way from 1 to the next number: 1 + half_eps is a tie
    below_one: float
    above_one: float
    saturated: float  # where the sigmoid has come to 1
    exp_normal: float  # exp(-x) is a normal number still,
    exp_subnormal: float  # and at the next number no longer
    exp_last: float  # exp(x) is finite still,
    exp_over: float  # and at the next number no longer
    exp_tiny: float  # exp(-x) is the smallest subnormal number
    exp_zero: float  # and here 0

    @classmethod
    @cache
    @ieee()
    def of(cls, dtype: Any) -> Self:
        info, to = np.finfo(dtype), np.dtype(dtype).type

        def up_to(x: float) -> Any:
            """The largest number of the dtype that is not above x."""
            return to(x) if to(x) <= x else np.nextafter(to(x), to(-np.inf))

        exp_normal = up_to(-np.log(np.float64(info.smallest_normal)))
        exp_last = up_to(np.log(np.float64(info.max)))
        tiny = np.nextafter(to(0), to(1))
        exp_tiny = -np.log(np.float64(tiny))
        return cls(
            tiny=tiny,
            subnormal=np.nextafter(info.smallest_normal, to(0)),
            normal=info.smallest_normal,
            low_root=np.sqrt(info.smallest_normal) / 4,
            root=np.sqrt(info.smallest_normal) * 0.75,
            high_root=np.sqrt(info.max) * 4,
            large=info.max / 2,
            largest=info.max,
            half_eps=info.eps / 2,
            below_one=1 - info.epsneg,
            above_one=1 + info.eps,
            saturated=to(np.log(8 / info.eps)),
            exp_normal=exp_normal,
            exp_subnormal=np.nextafter(exp_normal, to(np.inf)),
            exp_last=exp_last,
            exp_over=np.nextafter(exp_last, to(np.inf)),
            exp_tiny=to(exp_tiny),
            exp_zero=to(exp_tiny + np.log(4)),
        )


@dataclass(frozen=True, eq=False)
class Case:
    """A layer, its inputs and the derivative that arrives from above.

    `dout` is an array; where there are several outputs, a tuple of one for each.
    `refusal`, for an invalid case, is what the error must say: which argument, what was
    expected, what came. `spelled` is another way of writing the layer, of those in
    `spellings.py`.
    """

    layer: str
    name: str
    inputs: Arrays
    dout: Any
    kind: Kind = "typical"
    source: str = ""
    refusal: tuple[str, ...] = ()
    spelled: str = ""

    @property
    def id(self) -> str:
        return f"{self.layer}/{self.name}"

    @property
    def arguments(self) -> Arrays:
        """Every array that an implementation is handed."""
        if isinstance(self.dout, tuple):
            douts = {f"dout {i}": dout for i, dout in enumerate(self.dout, start=1)}
            return self.inputs | douts
        return {**self.inputs, "dout": self.dout}

    def to(self, dtype: Any) -> Self:
        """The case in a dtype, in arrays of its own. One-hot labels have this dtype as
        well; integers keep theirs.
        """
        inputs = {name: cast(value, dtype) for name, value in self.inputs.items()}
        if isinstance(self.dout, tuple):
            dout: Any = tuple(cast(each, dtype) for each in self.dout)
        else:
            dout = cast(self.dout, dtype)
        return replace(self, inputs=inputs, dout=dout)

    def flushed(self) -> Self:
        """The case as a processor sees it to which subnormal numbers are zero."""
        inputs = {name: without_subnormals(v) for name, v in self.inputs.items()}
        if isinstance(self.dout, tuple):
            dout: Any = tuple(map(without_subnormals, self.dout))
        else:
            dout = without_subnormals(self.dout)
        return replace(self, inputs=inputs, dout=dout)


@dataclass(frozen=True, eq=False)
class NetworkCase:
    """TwoLayerNet's parameters and a batch."""

    name: str
    params: Arrays
    x: np.ndarray
    t: np.ndarray
    kind: Kind = "typical"
    refusal: tuple[str, ...] = ()
    layer: str = "TwoLayerNet"

    @property
    def id(self) -> str:
        return f"{self.layer}/{self.name}"

    @property
    def arguments(self) -> Arrays:
        """Everything that an implementation is handed."""
        return {**self.params, "x": self.x, "t": self.t}

    def to(self, dtype: Any) -> Self:
        """The same as of `Case`."""
        params = {name: cast(value, dtype) for name, value in self.params.items()}
        x, t = cast(self.x, dtype), cast(self.t, dtype)
        return replace(self, params=params, x=x, t=t)


def without_subnormals(value: np.ndarray) -> np.ndarray:
    """A copy, laid out in memory as it is, with zeros of their signs in their place."""
    if value.dtype not in (np.float64, np.float32):
        return value
    small = np.abs(value) < np.finfo(value.dtype).smallest_normal
    return laid_out_as(value, np.where(small, np.copysign(0, value), value))


def cast(value: np.ndarray, dtype: Any) -> np.ndarray:
    """A copy, laid out in memory as it is: of a float32 or float64 array in this dtype, of
    any other in its own.
    """
    if value.dtype not in (np.float64, np.float32):
        return laid_out_as(value, value)
    with np.errstate(over="ignore"):  # of the largest float64, which is set below
        result = laid_out_as(value, value.astype(dtype))
    if not np.can_cast(value.dtype, dtype):
        size = np.abs(value)
        for corner in fields(Corners):
            here = size == getattr(WIDE, corner.name)
            if here.any():
                narrow = getattr(Corners.of(dtype), corner.name)
                result[here] = np.copysign(narrow, value[here])
    return result


def laid_out_as(like: np.ndarray, value: np.ndarray) -> np.ndarray:
    """A copy of `value` that is strided in memory as `like`, whose shape it has.

    What lies between the elements is NaN: nobody must read it.
    """
    if not value.size:
        return value.copy()
    steps = [stride // like.itemsize for stride in like.strides]
    ends = [step * (n - 1) for step, n in zip(steps, like.shape, strict=True)]
    first = -sum(end for end in ends if end < 0)
    length = first + 1 + sum(end for end in ends if end > 0)
    between = np.nan if value.dtype.kind == "f" else 0
    memory = np.full(length, between, value.dtype)
    copy = np.lib.stride_tricks.as_strided(
        memory[first:], value.shape, [step * memory.itemsize for step in steps]
    )
    copy[...] = value
    return copy


def case(
    layer: str,
    name: str,
    dout: Any = 1.0,
    *,
    kind: Kind = "typical",
    source: str = "",
    refusal: tuple[str, ...] = (),
    spelled: str = "",
    **inputs: Any,
) -> Case:
    arrays = {key: np.asarray(value) for key, value in inputs.items()}
    dout = dout if isinstance(dout, tuple) else np.asarray(dout)
    return Case(layer, name, arrays, dout, kind, source, refusal, spelled)


def invalid(
    layer: str, name: str, *refusal: str, dout: Any = 1.0, **inputs: Any
) -> Case:
    return case(layer, name, dout, kind="invalid", refusal=refusal, **inputs)


WIDE = Corners.of(np.float64)
