"""What NumPy's calls compute, in the operations that rounding is known for.

A meaning is a list of entries (operation, operands, settings, result). An operand is the
number of a value, the name that an earlier entry gave its result, or a constant of the
program. None says that no rule is known.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradparity.reference.layouts import Moves

Name = int | float | str
Entry = tuple[str, list[Name], dict[str, Any], Name]
Meaning = list[Entry] | None
MOST = 10_000_000  # elements that an array may have that is only written down here


class Operand(NamedTuple):
    """What an operation takes: its name, and the array or number itself."""

    name: Name
    array: Any

    @property
    def dtype(self) -> Any:
        """The dtype of a floating-point array; None of anything else."""
        dtype = getattr(self.array, "dtype", None)
        return dtype if dtype is not None and dtype.kind == "f" else None


class Writer:
    """Writes entries down, each with a name for its result."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __call__(self, operation: str, *operands: Name, **settings: Any) -> str:
        result = f"{operation}{len(self.entries)}"
        self.entries.append((operation, list(operands), settings, result))
        return result

    def finished(self, result: int) -> list[Entry]:
        """The entries, the last of which makes `result`."""
        *others, last = self.entries
        return [*others, (*last[:3], result)]

    def widened(self, operands: Sequence[Operand], dtype: Any) -> list[Name]:
        """The names of operands that all have the dtype that is computed in."""
        return [
            x.name
            if isinstance(x.name, float) or x.dtype in (None, dtype)
            else self("cast", x.name, dtype=str(dtype))
            for x in operands
        ]


Rule = Callable[
    ..., Any
]  # of a writer and the names; what it gives is the last entry's


def times(w: Writer, x: Name, y: Name) -> Any:
    if isinstance(y, float):
        return w("scale", x, factor=y)
    return w("scale", y, factor=x) if isinstance(x, float) else w("multiply", x, y)


def divided(w: Writer, x: Name, y: Name) -> Any:
    if isinstance(y, float):
        return w("over", x, n=y)
    return w("reciprocal", y) if x == 1.0 and type(x) is float else w("divide", x, y)


def to_power(w: Writer, x: Name, y: Name) -> Any:
    return w("power", x, exponent=y) if isinstance(y, float) else w("raised", x, y)


def array_to_power(w: Writer, x: Name, y: Name) -> Any:
    """`x ** y` of an array, which NumPy does without a power where it can."""
    if y == 2.0 and type(y) is float:
        return w("multiply", x, x)
    if y in (0.5, -1.0) and type(y) is float:
        return w("sqrt" if y > 0 else "reciprocal", x)
    return to_power(w, x, y)


def log_add_exp(w: Writer, x: Name, y: Name) -> Any:
    far = w("negate", w("abs", w("subtract", x, y)))
    return w("add", w("maximum", x, y), w("log1p", w("exp", far)))


def clip(w: Writer, x: Name, low: Name, high: Name) -> Any:
    return w("minimum", w("maximum", x, low), high)


def as_is(operation: str) -> Rule:
    return lambda w, *names: w(operation, *names)


SAME = ["add", "subtract", "reciprocal", "exp", "log", "tanh", "sqrt", "log1p", "expm1"]
SAME += ["maximum", "minimum", "sin", "cos", "erf", "erfc", "matmul"]
ELEMENTWISE: dict[str, Rule] = {
    **{name: as_is(name) for name in SAME},
    **{"negative": as_is("negate"), "absolute": as_is("abs"), "fabs": as_is("abs")},
    **{"expit": as_is("sigmoid"), "multiply": times, "divide": divided},
    **{"power": to_power, "float_power": to_power, "array_power": array_to_power},
    "square": lambda w, x: w("multiply", x, x),
    "exp2": lambda w, x: w("exp", w("scale", x, factor=float(np.log(2)))),
    "log2": lambda w, x: w("over", w("log", x), n=float(np.log(2))),
    "log10": lambda w, x: w("over", w("log", x), n=float(np.log(10))),
    "tan": lambda w, x: w("divide", w("sin", x), w("cos", x)),
    "radians": lambda w, x: w("scale", x, factor=float(np.pi / 180)),
    "deg2rad": lambda w, x: w("scale", x, factor=float(np.pi / 180)),
    "degrees": lambda w, x: w("scale", x, factor=float(180 / np.pi)),
    "rad2deg": lambda w, x: w("scale", x, factor=float(180 / np.pi)),
    **{"logaddexp": log_add_exp, "clip": clip},
}
UNCHANGED = {"positive", "conjugate"}
STEPWISE = {
    "sign",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "fix",
    "floor_divide",
    "heaviside",
}


def is_data(dtype: Any) -> bool:
    """Whether nothing of this dtype is rounded or differentiated."""
    return np.dtype(dtype).kind not in "fc"


def elementwise(
    name: str, operands: Sequence[Operand], result: int, dtype: Any
) -> Meaning:
    """What an elementwise operation means whose result has this dtype.

    What is mixed is computed in the widest of the dtypes, and cast to that of the result
    if that is another.
    """
    if is_data(dtype) or name in STEPWISE:
        return []
    w = Writer()
    if name in UNCHANGED and operands[0].dtype == dtype:
        w("cast", operands[0].name, dtype=str(dtype))
        return w.finished(result)
    if name not in ELEMENTWISE or not all(
        is_data(x.array.dtype) or x.dtype is not None
        for x in operands
        if hasattr(x.array, "dtype")
    ):
        return None
    wide = np.result_type(dtype, *(x.dtype for x in operands if x.dtype is not None))
    done = ELEMENTWISE[name](w, *w.widened(operands, wide))
    if done is None:
        return None
    if wide != dtype:
        w("cast", done, dtype=str(dtype))
    return w.finished(result)


REDUCTIONS = {"add": "sum", "multiply": "product", "maximum": "max", "minimum": "min"}
UNIT = {"add": 0.0, "multiply": 1.0}  # what changes nothing


def reduction(
    name: str, x: Operand, result: int, dtype: Any, settings: dict[str, Any]
) -> Meaning:
    """What the `reduce` of a ufunc means."""
    if is_data(dtype):
        return []
    axis, shape = settings.get("axis", 0), np.shape(x.array)
    keepdims, where = settings.get("keepdims", False), settings.get("where", True)
    initial = settings.get("initial")
    w = Writer()
    (operand,) = w.widened([x], dtype)
    if where is not True:
        fill = UNIT.get(name, initial)
        kept = np.where(np.broadcast_to(where, shape), numbers(shape), -1)
        operand = w("move", operand, source=kept, fill=fill)
    if name not in REDUCTIONS:
        return None
    done = w(REDUCTIONS[name], operand, axis=axis, keepdims=bool(keepdims))
    if initial is not None and initial != UNIT.get(name):
        w(name, done, float(initial))
    return w.finished(result)


def numbers(shape: Sequence[int]) -> np.ndarray:
    """The numbers of the elements of an array of this shape."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape)


def accumulation(name: str, x: Operand, result: int, dtype: Any, axis: int) -> Meaning:
    """Running sums and the like: each of its own terms."""
    if is_data(dtype):
        return []
    shape = np.shape(x.array)
    if name not in REDUCTIONS or np.size(x.array) * shape[axis] > MOST:
        return None
    w = Writer()
    (operand,) = w.widened([x], dtype)
    lines = np.moveaxis(numbers(shape), axis, -1)
    triangle = np.tri(lines.shape[-1], dtype=bool)
    source = np.where(triangle, lines[..., np.newaxis, :], -1)
    fill = {"maximum": -np.inf, "minimum": np.inf}.get(name, UNIT.get(name))
    terms = w("move", operand, source=np.moveaxis(source, -2, axis), fill=fill)
    w(REDUCTIONS[name], terms, axis=-1, keepdims=False)
    return w.finished(result)


def scattered(
    name: str, x: Operand, target: np.ndarray, y: Operand, result: int
) -> Meaning:
    """`np.add.at`, `np.subtract.at`: sums of what goes to one place, onto what is there.

    Args:
        name: of the ufunc.
        x: what is there.
        target: for every number that is added, the place where it goes.
        y: the numbers, which are broadcast to the shape of `target`.
        result: the number of the value.
    """
    dtype = x.array.dtype
    if is_data(dtype):
        return []
    if name not in ("add", "subtract") or isinstance(y.name, float):
        return None
    w = Writer()
    (added,) = w.widened([y], dtype)
    source = np.broadcast_to(numbers(np.shape(y.array)), target.shape)
    spread = w("move", added, source=source, fill=0.0)
    sums = w("collect", spread, target=target, shape=x.array.shape)
    w(name, x.name, sums)
    return w.finished(result)


def moved(
    operands: Sequence[Operand], found: Moves | None, result: int, dtype: Any
) -> Meaning:
    """What was only moved: nothing at all, if no number came from anywhere."""
    if is_data(dtype):
        return []
    if found is None:
        return None
    source, fill = found
    if (source < 0).all():
        return []
    w = Writer()
    w("move", *w.widened(operands, dtype), source=source, fill=fill)
    return w.finished(result)


def outer(name: str, operands: Sequence[Operand], result: int, dtype: Any) -> Meaning:
    """An elementwise operation on all pairs of elements."""
    if is_data(dtype):
        return []
    w, x, y = Writer(), *operands
    if isinstance(x.name, float) or isinstance(y.name, float):
        return elementwise(name, operands, result, dtype)
    rows = np.expand_dims(x.array, tuple(range(-np.ndim(y.array), 0)))
    moved_operands = [
        Operand(w("move", part.name, source=numbers(np.shape(array)), fill=0.0), array)
        for part, array in ((x, rows), (y, y.array))
    ]
    pairs = elementwise(name, moved_operands, result, dtype)
    return None if pairs is None else [*w.entries, *pairs]


def cast(x: Operand, result: int, dtype: Any) -> Meaning:
    if is_data(dtype):
        return []
    return [("cast", [x.name], {"dtype": str(dtype)}, result)]


def chosen(
    computed: Meaning, before: Operand, where: np.ndarray, result: int, dtype: Any
) -> Meaning:
    """What is computed where a mask says so, and elsewhere is what was there."""
    if not computed:
        return computed
    w = Writer()
    w.entries = [*computed[:-1], (*computed[-1][:3], "computed")]
    here = numbers(np.shape(before.array))
    source = np.where(where, here, here + here.size)
    w("move", "computed", *w.widened([before], dtype), source=source, fill=0.0)
    return w.finished(result)


def counted(x: Operand, target: np.ndarray, result: np.ndarray, value: int) -> Meaning:
    """Sums of what goes to one place."""
    if is_data(result.dtype):
        return []
    w = Writer()
    (added,) = w.widened([x], result.dtype)
    w("collect", added, target=target, shape=result.shape)
    return w.finished(value)


def norm(x: Operand, result: int, dtype: Any, settings: dict[str, Any]) -> Meaning:
    """The length of vectors, or of a matrix as one; the sum or the largest of the sizes."""
    order, axis = settings.get("ord"), settings.get("axis")
    single = isinstance(axis, int | np.integer) or np.ndim(x.array) == 1
    single = single or settings.get("vector", False)
    known = {None: "root", 2: "root", 1: "sum", np.inf: "max", "fro": "root"}
    if order not in known or not (single or order in (None, "fro")):
        return None
    w = Writer()
    (operand,) = w.widened([x], dtype)
    axes = {"axis": axis, "keepdims": bool(settings.get("keepdims", False))}
    if known[order] == "root":
        w("sqrt", w("sum", w("multiply", operand, operand), **axes))
    else:
        w(known[order], w("abs", operand), **axes)
    return w.finished(result)
