"""The array that records: what is done with it is done, and written on the tape."""

import functools
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradparity.reference import calls
from gradparity.reference.meanings import cast
from gradparity.reference.tape import (
    OWN,
    Held,
    bare,
    bare_array,
    described,
    running,
)


class Recorded(Held):
    """An array like any other. Where no tape runs, nothing of it is left in the results."""

    __array_priority__ = 1000

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: Any, *inputs: Any, **kwargs: Any
    ) -> Any:
        tape = running.get()
        if tape is not None:
            return calls.apply_ufunc(tape, ufunc, method, inputs, kwargs)
        if "out" in kwargs:
            outputs = kwargs["out"]
            kwargs["out"] = tuple(x if x is None else bare_array(x) for x in outputs)
        return getattr(ufunc, method)(*bare(inputs), **bare(kwargs))

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        tape = running.get()
        if tape is None:
            return function(*bare(args), **bare(kwargs))
        return calls.apply_function(tape, function, tuple(args), dict(kwargs))

    def __getitem__(self, key: Any) -> Any:
        return _move("getitem", operator.getitem, self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        tape = running.get()
        if tape is None:
            bare_array(self)[bare(key)] = bare(value)
            return
        if isinstance(value, list | tuple):
            (value,) = calls.as_arrays(tape, [value])
        code = f"{described(self)}[{described(key)}] = {described(value)}"
        call = operator.setitem
        tape.overwrite("numpy.setitem", call, self, (key, value), {}, code=code)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """A copy in another dtype."""
        tape = running.get()
        call = lambda x, *rest, **options: x.astype(*rest, **options)  # noqa: E731
        if tape is None:
            return call(bare(self), dtype, *args, **kwargs)
        operand = tape.operand(self)
        return tape.run(
            "numpy.ndarray.astype",
            call,
            (self, dtype, *args),
            kwargs,
            lambda results, values: cast(operand, values[0], results[0].dtype),
            settings={"dtype": str(np.dtype(dtype))},
        )

    def sort(self, axis: Any = -1, *args: Any, **kwargs: Any) -> None:
        """Sort in place."""
        order = calls.sorting(self, axis)

        def numbered(array: np.ndarray, axis: Any) -> None:
            array[...] = order(array)

        _overwrite("sort", self, axis, *args, numbered=numbered, **kwargs)

    def fill(self, value: Any) -> None:
        """Fill with a number."""
        _overwrite("fill", self, value)

    def put(self, *args: Any, **kwargs: Any) -> None:
        """Set some elements, by their numbers."""
        _overwrite("put", self, *args, **kwargs)

    def dot(self, other: Any, *args: Any) -> Any:
        """The product with a matrix or a vector."""
        return np.dot(self, other, *args)

    def item(self, *args: Any) -> Any:
        """One of Python's own numbers, which nobody sees what becomes of."""
        return _escape(bare_array(self).item(*args))

    def tolist(self) -> Any:
        """Python's own numbers."""
        return _escape(bare_array(self).tolist())

    def __float__(self) -> float:
        return float(_escape(float(bare_array(self))))

    def __round__(self, digits: int | None = None) -> Any:
        return int(np.rint(self)) if digits is None else np.round(self, digits)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __repr__(self) -> str:
        return repr(bare(self))

    def __str__(self) -> str:
        return str(bare(self))

    def __format__(self, spec: str) -> str:
        return format(bare(self), spec)


def _escape(number: Any) -> Any:
    tape = running.get()
    if tape is not None and not isinstance(number, int):
        tape.escaped = True
    return number


def _move(name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    tape = running.get()
    if tape is None:
        return call(*bare(args), **bare(kwargs))
    return tape.move(f"numpy.{name}", call, args, kwargs)


def _overwrite(name: str, target: Any, *args: Any, **options: Any) -> None:
    tape, numbered = running.get(), options.pop("numbered", None)
    call = lambda x, *rest, **kwargs: getattr(x, name)(*rest, **kwargs)  # noqa: E731
    if tape is None:
        call(bare_array(target), *bare(args), **bare(options))
        return
    tape.overwrite(f"numpy.ndarray.{name}", call, target, args, options, numbered)


def _method(name: str) -> Callable[..., Any]:
    """A method that only moves elements."""

    def call(array: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(array, name)(*args, **kwargs)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _move(f"ndarray.{name}", call, self, *args, **kwargs)

    return method


def _function(name: str) -> Callable[..., Any]:
    """A method that NumPy has as a function too."""
    return lambda self, *args, **kwargs: getattr(np, name)(self, *args, **kwargs)


def _property(name: str) -> property:
    return property(
        lambda self: _move(f"ndarray.{name}", lambda x: getattr(x, name), self)
    )


def _operator(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        tape = running.get()
        if tape is None:
            return call(*bare((self, *others)))
        return calls.apply_operator(tape, name, call, (self, *others))

    return method


def _reflected(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        tape = running.get()
        if tape is None:
            return call(*bare((other, self)))
        return calls.apply_operator(tape, name, call, (other, self))

    return method


def _in_place(
    name: str, call: Callable[..., Any], in_place: Callable[..., Any]
) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        tape = running.get()
        if self.single:  # a number is not changed: its name is given to another
            return call(self, other)
        if tape is None:
            in_place(bare_array(self), bare(other))
            return self
        return calls.apply_in_place(tape, name, in_place, self, other)

    return method


ARITHMETIC = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "pow": "power",
    "matmul": "matmul",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}
ALONE = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
COMPARED = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
COMPARED |= {"eq": "equal", "ne": "not_equal"}
METHODS = "transpose swapaxes reshape ravel flatten squeeze diagonal repeat take copy"
FUNCTIONS = "round argmax argmin argsort nonzero searchsorted trace argpartition"

for short, long in ARITHMETIC.items():
    call = getattr(operator, f"__{short}__")
    changing = getattr(operator, f"__i{short}__")
    setattr(Recorded, f"__{short}__", _operator(long, call))
    setattr(Recorded, f"__r{short}__", _reflected(long, call))
    setattr(Recorded, f"__i{short}__", _in_place(long, call, changing))
for short, long in (ALONE | COMPARED).items():
    setattr(
        Recorded, f"__{short}__", _operator(long, getattr(operator, f"__{short}__"))
    )
for name in (*METHODS.split(), "compress", "choose"):
    setattr(Recorded, name, _method(name))
for name in FUNCTIONS.split():
    setattr(Recorded, name, _function(name))
for name in ("T", "mT", "real"):
    setattr(Recorded, name, _property(name))


@contextmanager
def constructors_recorded() -> Iterator[None]:
    """While it lasts, what `np.array`, `np.zeros` and their like make is recorded where a
    tape runs. NumPy has no other way to see it.
    """
    before = {name: getattr(np, name) for name in calls.CONSTRUCTORS}
    try:
        for name, original in before.items():
            setattr(np, name, _constructor(name, original))
        yield
    finally:
        for name, original in before.items():
            setattr(np, name, original)


def _constructor(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def made(*args: Any, **kwargs: Any) -> Any:
        tape = running.get()
        asks = sys._getframe(1).f_globals.get("__name__", "")
        outside = asks.partition(".")[0] in ("numpy", "scipy") or asks in OWN
        if tape is not None and asks.endswith("stride_tricks_impl"):
            return args[0] if isinstance(args[0], Held) else original(*args, **kwargs)
        if tape is None or outside:
            return original(*args, **kwargs)
        return calls.construct(tape, name, original, args, kwargs)

    return made
