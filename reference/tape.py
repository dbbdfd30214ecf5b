"""What a NumPy program executed: its values, its steps, and which memory holds what.

Two arrays are one value if they show the same elements of the same memory, and nothing
was written there in between. Whatever is written makes a new value of what is written
to, and another of the array that owns the memory.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from gradparity.reference.arrays import CHECKERS
from gradparity.reference.layouts import (
    address,
    is_floating,
    leaves_of,
    moves,
    same,
    source_of_view,
    tree_map,
)
from gradparity.reference.meanings import Meaning, Operand, moved

Step = dict[str, Any]
Key = tuple[Any, ...]
Replacements = dict[int, Callable[[list[np.ndarray]], Sequence[Any]]]
NOT_RECORDED = "numpy: not recorded"
CONSTANT = "numpy: constant"
PASSED_OVER = {"", "numpy", "scipy", "contextlib", "functools"} | CHECKERS
OWN = {f"{__package__}.{name}" for name in ("tape", "recorded", "program", "calls")}
OWN |= {f"{__package__}.layouts", f"{__package__}.meanings"}
ROOT = Path(__file__).parents[1]
running: ContextVar["Tape | None"] = ContextVar("running", default=None)


class Held(np.ndarray):
    """An array that knows the memory it is a part of, and whether it is `single`: whether
    NumPy would have given a number here, which is no array.
    """

    held: "Memory | None"
    single: bool

    def __array_finalize__(self, other: Any) -> None:
        self.held = getattr(other, "held", None)
        self.single = False


def bare_array(array: Any) -> np.ndarray:
    """The same memory, without the subclass."""
    return array.view(np.ndarray) if type(array) is not np.ndarray else array


def bare(tree: Any) -> Any:
    """The arguments as they would be if nothing were recorded."""

    def strip(leaf: Any) -> Any:
        if not isinstance(leaf, Held):
            return leaf
        return bare_array(leaf)[()] if leaf.single else bare_array(leaf)

    return tree_map(strip, tree)


def bare_arrays(tree: Any) -> Any:
    """The same, what stands for a number as an array too."""
    return tree_map(lambda x: bare_array(x) if isinstance(x, np.ndarray) else x, tree)


def key_of(array: np.ndarray) -> Key:
    return address(array), array.shape, array.strides, array.dtype.str


def line_in_source() -> str:
    """`file.py:12`, the line of the user's code that runs; "" if none does."""
    frame = sys._getframe(1)
    while frame:
        module = frame.f_globals.get("__name__", "")
        if module not in OWN and module.partition(".")[0] not in PASSED_OVER:
            path = Path(frame.f_code.co_filename)
            inside = path.is_relative_to(ROOT)
            path = path.relative_to(ROOT) if inside else Path(path.name)
            return f"{path.as_posix()}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def described(leaf: Any) -> str:
    """An argument in a word or two."""
    if isinstance(leaf, np.ndarray):
        return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"
    if isinstance(leaf, slice):
        ends = ["" if n is None else str(n) for n in (leaf.start, leaf.stop)]
        step = "" if leaf.step is None else f":{leaf.step}"
        return ":".join(ends) + step
    if isinstance(leaf, tuple | list):
        inside = ", ".join(map(described, leaf))
        return f"[{inside}]" if isinstance(leaf, list) else f"({inside})"
    if leaf is Ellipsis:
        return "..."
    if isinstance(leaf, np.generic):
        return str(leaf)
    return leaf.__name__ if isinstance(leaf, type) else repr(leaf)


def call_in_words(name: str, args: Iterable[Any], kwargs: dict[str, Any]) -> str:
    """The call in one line, with the shapes of arrays in their place."""
    words = [described(arg) for arg in args]
    words += [f"{name}={described(value)}" for name, value in kwargs.items()]
    line = " ".join(f"{name}({', '.join(words)})".split())
    return line if len(line) <= 160 else line[:159] + "…"


def plain_settings(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Those arguments that are plain values."""
    found = {}
    for name, value in kwargs.items():
        if value is None or (name == "where" and value is True):
            continue  # as if it had not been said
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            value = value.item()
        whole = type(value) in (tuple, list) and all(
            isinstance(part, int | np.integer) for part in value
        )
        if whole:
            value = tuple(int(part) for part in value)
        if whole or isinstance(value, bool | int | float | str):
            found[name] = value
        elif isinstance(value, type | np.dtype) and name == "dtype":
            found[name] = str(np.dtype(value))
    return found


class Memory:
    """The memory that an array owns, and the values that are seen in it.

    Args:
        tape: whose it is.
        owner: the array, without a subclass.
        whole: the number of its value.
    """

    def __init__(self, tape: "Tape", owner: np.ndarray, whole: int) -> None:
        self.tape, self.owner = tape, owner
        self.bounds = np.lib.array_utils.byte_bounds(owner)
        self.write(owner, whole)

    def write(self, array: np.ndarray, whole: int) -> None:
        """All of it has a new value."""
        self.whole = whole
        self.values: dict[Key, int] = {key_of(self.owner): whole}
        self.replaced: dict[Key, np.ndarray] = {}  # what is given instead of a part

    def has(self, array: np.ndarray) -> bool:
        """Whether all of an array lies in it."""
        if not array.size:
            return key_of(array) == key_of(self.owner)
        low, high = np.lib.array_utils.byte_bounds(array)
        return self.bounds[0] <= low and high <= self.bounds[1]


class Tape:
    """Records steps.

    Args:
        shown_as: the class of the arrays that the program gets.
        noise: the size and the seed of random numbers: every floating-point result that
            is not only moved is multiplied by 1 + size * r, r uniform in -1..1.
        replace: for the numbers of steps, what makes of their results others.
        computed: the numbers of those arrays and numbers from outside that are known to
            be no constants.
        meanings: whether it is asked what the steps mean.
    """

    def __init__(
        self,
        shown_as: type[Held],
        noise: tuple[float, int] | None = None,
        replace: Replacements | None = None,
        computed: frozenset[int] = frozenset(),
        meanings: bool = True,
    ) -> None:
        self.shown_as = shown_as
        self.values: list[np.ndarray] = []
        self.steps: list[Step] = []
        self.constants: dict[int, float] = {}
        self.replace, self.replaced = replace or {}, set[int]()
        self.computed, self.meanings = computed, meanings
        self.scale = noise[0] if noise else 0.0
        self.random = np.random.default_rng(noise[1] if noise else 0)
        self.memories: list[Memory] = []
        self.known: dict[int, tuple[np.ndarray, Memory]] = {}
        self.outside: list[np.ndarray] = []  # that may or may not depend on the inputs
        self.found: list[
            tuple[np.ndarray, np.ndarray]
        ] = []  # arrays, as they were first
        self.escaped = False  # a floating-point number has become one of Python's

    @contextmanager
    def recording(self) -> Iterator[None]:
        token = running.set(self)
        try:
            yield
        finally:
            running.reset(token)

    # Values

    def add(self, array: np.ndarray) -> int:
        """The number of a new value, which is a copy."""
        self.values.append(np.array(bare_array(array), order="C"))
        return len(self.values) - 1

    def hold(self, array: np.ndarray, value: int, single: bool = False) -> Held:
        """An array with memory of its own, whose value was added."""
        return self.show(array, self.keep(array, value), single)

    def keep(self, array: np.ndarray, value: int) -> Memory:
        memory = Memory(self, array, value)
        self.memories.append(memory)
        return memory

    def show(self, array: np.ndarray, memory: Memory, single: bool = False) -> Held:
        """The array as the program gets it."""
        shown = array.view(self.shown_as)
        shown.held, shown.single = memory, single
        return shown

    def memory_of(self, array: np.ndarray) -> Memory:
        held = getattr(array, "held", None)
        if held is not None and held.tape is self and held.has(array):
            return held
        if id(array) in self.known:
            return self.known[id(array)][1]
        for memory in reversed(self.memories):
            if memory.has(array):
                break
        else:
            memory = self.from_outside(array)
        self.known[id(array)] = array, memory
        return memory

    def from_outside(self, array: np.ndarray) -> Memory:
        """An array that nobody here has made: it is a constant, or not recorded."""
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if owner.size > 4 * array.size + 1024 or not array.size:
            owner = array
        owner = bare_array(owner)
        self.found.append((owner, owner.copy()))
        origin = self.origin(owner)
        (value,) = self.emit(*origin, [], [owner], lambda i: [], changed=False)
        return self.keep(owner, value)

    def origin(self, array: np.ndarray) -> tuple[str, str]:
        """The operator of what comes from outside, and a line of code."""
        operator = CONSTANT
        if array.dtype.kind not in "biu":
            self.outside.append(np.array(array))
            if len(self.outside) - 1 in self.computed:
                operator = NOT_RECORDED
        return operator, described(array)

    def index(self, array: np.ndarray) -> int:
        """The number of the value that an array has now."""
        if array.dtype.kind == "O":
            raise ValueError("arrays of Python's objects are not compared")
        memory = self.memory_of(array)
        plain = bare_array(array)
        value = memory.values.get(key_of(plain))
        if value is not None and same(plain, self.values[value]):
            return value
        return self.look(memory, plain, "numpy.view")[0]

    def look(
        self, memory: Memory, view: np.ndarray, name: str, code: str = ""
    ) -> tuple[int, np.ndarray]:
        """The number of the value that a part of some memory has, and the array that has
        it, which is another where the step is replaced.
        """
        if not same(memory.owner, self.values[memory.whole]):
            self.written_unseen(memory)
        if key_of(view) in memory.values:
            value = memory.values[key_of(view)]
            return value, memory.replaced.get(key_of(view), view)
        whole = Operand(memory.whole, memory.owner)
        source = source_of_view(memory.owner, view)
        found = None if source is None else (source, 0.0)
        number, shown = len(self.steps), view
        (value,) = self.emit(
            name,
            code or f"view of {described(memory.owner)} as {described(view)}",
            [memory.whole],
            [view.copy()],
            lambda i: moved([whole], found, i[0], view.dtype),
        )
        if number in self.replace:
            shown = self.values[value].copy()
            self.keep(shown, value)
            memory.replaced[key_of(view)] = shown
        memory.values[key_of(view)] = value
        return value, shown

    def written_unseen(self, memory: Memory) -> None:
        """Something has written here that was not recorded: random numbers, or what was
        computed from the inputs.
        """
        operator, code = self.origin(memory.owner)
        (value,) = self.emit(
            operator, code, [], [memory.owner], lambda i: [], changed=False
        )
        memory.write(memory.owner, value)

    def scalar(self, number: Any) -> Any:
        """A number from outside as it is, or as an array if it is known to have been
        computed from the inputs.
        """
        if isinstance(number, np.floating) or (self.escaped and type(number) is float):
            array = np.asarray(number)
            operator, code = self.origin(array)
            if operator == NOT_RECORDED:
                (value,) = self.emit(operator, code, [], [array], lambda i: [])
                return self.hold(array, value, single=True)
        return number

    def ready(self, tree: Any) -> Any:
        """The arguments of a call, with the numbers among them looked at."""
        return tree_map(
            lambda x: x if isinstance(x, np.ndarray) else self.scalar(x), tree
        )

    def operand(self, leaf: Any) -> Operand:
        """An array or a number, as an operation takes it."""
        if isinstance(leaf, np.ndarray):
            value = self.index(leaf)
            return Operand(self.constants.get(value, value), bare_array(leaf))
        if isinstance(leaf, complex):
            raise ValueError(f"complex numbers are not compared, as in {leaf}")
        return Operand(float(leaf), leaf)

    def indices(self, *tree: Any) -> list[int]:
        """The numbers of the values of all arrays among arguments, in order."""
        return [
            self.index(leaf) for leaf in leaves_of(tree) if isinstance(leaf, np.ndarray)
        ]

    # Steps

    def emit(
        self,
        operator: str,
        code: str,
        operands: list[int],
        results: list[np.ndarray],
        meaning: Callable[[list[int]], Meaning],
        settings: dict[str, Any] | None = None,
        changed: bool = True,
    ) -> list[int]:
        """A step; the numbers of its results. If it is replaced, or noise is added, the
        results are written into.
        """
        if any(result.dtype.kind == "c" for result in results):
            raise ValueError(f"complex numbers are not compared, as in {operator}")
        first = len(self.values)
        numbers = [first + i for i in range(len(results))]
        unknown = operator == NOT_RECORDED or not self.meanings
        means = None if unknown else meaning(numbers)
        if operator == NOT_RECORDED and all(r.dtype.kind in "biu" for r in results):
            means = []
        if len(self.steps) in self.replace and changed:
            copies = [result.copy() for result in results]
            others = self.replace[len(self.steps)](copies)
            self.replaced.add(len(self.steps))
            for result, other in zip(results, others, strict=True):
                _write(result, other)
        elif self.scale and changed and _rounds(means):
            for result in filter(is_floating, results):
                r = self.random.uniform(-1, 1, result.shape)
                _write(result, result * (1 + self.scale * r))
        for result in results:
            self.add(result)
        if means == [] and not operands:
            for number, result in zip(numbers, results, strict=True):
                if result.ndim == 0 and result.dtype.kind in "biuf":
                    self.constants[number] = float(result)
        self.steps.append(
            {
                "operator": operator,
                "code": code,
                "phase": "",
                "where": line_in_source(),
                "module": "",
                "operands": operands,
                "results": numbers,
                "settings": settings or {},
                "meaning": means,
            }
        )
        return numbers

    def run(
        self,
        name: str,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        meaning: Callable[[Any, list[int]], Meaning],
        written: Sequence[np.ndarray] = (),
        code: str = "",
        settings: dict[str, Any] | None = None,
    ) -> Any:
        """Call it as if nothing were recorded, and record a step.

        Args:
            meaning: from the results, without a subclass, and their numbers, to what the
                step means.
            written: arrays that it writes into. Where it gives them, they are given.
        """
        operands = self.indices(args, kwargs)
        code = code or call_in_words(name.partition(".")[2], args, kwargs)
        settings = plain_settings(bare(kwargs)) if settings is None else settings
        memories = [self.memory_of(array) for array in written]
        fresh = [bare_array(array) for array in written]
        targets = [key_of(array) for array in fresh]
        given = call(*bare(args), **bare(kwargs))
        parts = list(leaves_of(given))
        places: list[int | None] = []  # among what is fresh
        for part in parts:
            place = None
            if isinstance(part, np.ndarray) and key_of(part) in targets:
                place = targets.index(key_of(part))
            elif _is_numeric(part) and self.part_of(part, args, kwargs) is None:
                place = len(fresh)
                array = np.asarray(part)
                fresh.append(array if array.base is None else array.copy())
            places.append(place)
        values: list[int] = []
        if fresh:
            values = self.emit(
                name, code, operands, fresh, lambda i: meaning(fresh, i), settings
            )
        for memory, target, value in zip(memories, fresh, values, strict=False):
            self.settle(memory, target, value)
        final = []
        for part, place in zip(parts, places, strict=True):
            if place is not None and place < len(targets):
                final.append(written[place])
            elif place is not None:
                single = isinstance(part, np.generic)
                final.append(self.hold(fresh[place], values[place], single))
            elif _is_numeric(part):
                whole = self.part_of(part, args, kwargs) or self.memory_of(part)
                shown = self.look(whole, part, name, code)[1]
                final.append(self.show(shown, self.memory_of(shown)))
            else:
                final.append(part)
        each = iter(final)
        return tree_map(lambda _: next(each), given)

    def part_of(self, array: Any, *tree: Any) -> Memory | None:
        """The memory of one of the arguments that a result is a part of."""
        if not isinstance(array, np.ndarray) or not array.size:
            return None
        for leaf in leaves_of(tree):
            if isinstance(leaf, np.ndarray):
                memory = self.memory_of(leaf)
                if memory.has(array):
                    return memory
        return None

    def settle(self, memory: Memory, target: np.ndarray, value: int) -> None:
        """What was written to has a new value, and so has all of its memory."""
        if key_of(target) == key_of(memory.owner):
            memory.write(target, value)
            return
        before = self.values[memory.whole]
        places = source_of_view(memory.owner, target)
        found = None
        if places is not None:
            source = np.arange(before.size)
            source[places.ravel()] = before.size + np.arange(target.size)
            found = source.reshape(before.shape), 0.0
        operands = [Operand(memory.whole, before), Operand(value, self.values[value])]
        (whole,) = self.emit(
            "numpy.view written",
            f"{described(target)} into {described(memory.owner)}",
            [memory.whole, value],
            [memory.owner],
            lambda i: moved(operands, found, i[0], before.dtype),
            changed=False,
        )
        memory.write(target, whole)
        memory.values[key_of(target)] = value

    def move(
        self,
        name: str,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        numbered: Callable[..., Any] | None = None,
    ) -> Any:
        """Run what only moves elements."""
        args, kwargs = self.ready(args), self.ready(kwargs)
        again = numbered or call
        options = {k: v for k, v in kwargs.items() if k != "dtype"}
        tree = bare_arrays(tuple(args)), bare_arrays(options)
        floating = [x for x in leaves_of((args, options)) if is_floating(x)]

        def meaning(results: list[np.ndarray], numbers: list[int]) -> Meaning:
            result = results[0]
            if len(results) > 1 or result.dtype.kind not in "f":
                return None if result.dtype.kind in "fc" else []
            found = moves(lambda tree: again(*tree[0], **tree[1]), tree, result)
            return moved(operands, found, numbers[0], result.dtype)

        operands = [Operand(self.index(x), bare_array(x)) for x in floating]
        return self.run(name, call, args, kwargs, meaning)

    def overwrite(
        self,
        name: str,
        call: Callable[..., Any],
        target: np.ndarray,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        numbered: Callable[..., Any] | None = None,
        code: str = "",
    ) -> None:
        """Run what only moves elements into an array: `call(target, *args)`."""
        args, kwargs = self.ready(args), self.ready(kwargs)
        floating = [x for x in leaves_of((target, args, kwargs)) if is_floating(x)]
        operands = [Operand(self.index(x), bare_array(x)) for x in floating]
        target_array = _as_array(target)
        tree = tree_map(
            lambda x: x.copy(order="K") if isinstance(x, np.ndarray) else x,
            bare_arrays((target_array, args, kwargs)),
        )

        def again(tree: Any) -> Any:
            copy = np.array(tree[0])
            (numbered or call)(copy, *tree[1], **tree[2])
            return copy

        def meaning(results: list[np.ndarray], numbers: list[int]) -> Meaning:
            found = moves(again, tree, results[0]) if is_floating(results[0]) else None
            return moved(operands, found, numbers[0], results[0].dtype)

        self.run(
            name,
            call,
            (target_array, *args),
            kwargs,
            meaning,
            written=[target_array],
            code=code,
        )


def _is_numeric(part: Any) -> bool:
    return isinstance(part, np.ndarray | np.generic) and part.dtype.kind in "biufc"


def _as_array(target: Any) -> Any:
    """A target is written into even where it stands for a number."""
    if isinstance(target, Held) and target.single:
        shown = target.view()
        shown.held = target.held
        return shown
    return target


def _write(array: np.ndarray, values: Any) -> None:
    writeable = array.flags.writeable
    array.flags.writeable = True
    array[...] = values
    array.flags.writeable = writeable


def _rounds(meaning: Meaning) -> bool:
    return meaning is None or any(entry[0] != "move" for entry in meaning)
