"""What is recorded of NumPy's ufuncs, functions and constructors, each by its kind."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradparity.reference.contractions import (
    contraction,
    dot_labels,
    einsum_labels,
    tensordot_labels,
)
from gradparity.reference.layouts import is_floating, leaves_of
from gradparity.reference.meanings import (
    Meaning,
    Operand,
    accumulation,
    chosen,
    counted,
    elementwise,
    is_data,
    norm,
    numbers,
    outer,
    reduction,
    scattered,
)
from gradparity.reference.tape import (
    Held,
    Tape,
    bare,
    bare_array,
    call_in_words,
    plain_settings,
)

Results = list[np.ndarray]
# Those that are written in Python and come to other calls, which are recorded.
COMPOSED_NAMES = """
mean var std sum prod amax amin max min any all cumsum cumprod cumulative_sum average diff
ptp clip put_along_axis take_along_axis
"""
MOVE_NAMES = """
where concatenate concat stack hstack vstack dstack column_stack row_stack transpose
permute_dims matrix_transpose reshape ravel moveaxis swapaxes rollaxis expand_dims squeeze
broadcast_to broadcast_arrays tile repeat roll flip fliplr flipud rot90 take pad split
array_split hsplit vsplit dsplit unstack diag diagonal diagflat tril triu atleast_1d
atleast_2d atleast_3d copy delete insert append choose select compress extract resize block
zeros_like ones_like full_like nan_to_num real trim_zeros
"""
COMPOSED, MOVES = set(COMPOSED_NAMES.split()), set(MOVE_NAMES.split())
ROUNDED = {"round", "around", "fix"}  # to what may be written down: a step function
CONDITION_FIRST = {"where", "compress", "extract"}
OVERWRITES = {"copyto", "put", "putmask", "place", "fill_diagonal"}
CONSTRUCTORS = (
    *("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"),
    *("zeros", "ones", "empty", "full", "eye", "identity", "arange", "linspace", "tri"),
)


def opaque(results: Results, values: list[int]) -> Meaning:
    """Of a call for which there is no rule."""
    return [] if all(is_data(result.dtype) for result in results) else None


def as_arrays(tape: Tape, inputs: Sequence[Any]) -> list[Any]:
    """The inputs, lists among them as arrays, and numbers looked at."""
    return [
        construct(tape, "array", np.array, (x,), {})
        if isinstance(x, list | tuple)
        else tape.ready(x)
        for x in inputs
    ]


def apply_operator(
    tape: Tape, name: str, call: Callable[..., Any], inputs: Sequence[Any]
) -> Any:
    """One of Python's operators, which gives what it gives of the bare arrays."""
    inputs = as_arrays(tape, inputs)
    meant = name
    if name == "power" and not isinstance(bare(inputs[0]), np.generic):
        meant = "array_power"
    return _elementwise(tape, name, call, inputs, meant)


def apply_in_place(
    tape: Tape, name: str, call: Callable[..., Any], target: Held, other: Any
) -> Any:
    """`target += other` and its like."""
    inputs = [target, *as_arrays(tape, [other])]
    meant = "array_power" if name == "power" else name
    return _elementwise(tape, name, call, inputs, meant, [target])


def _elementwise(
    tape: Tape,
    name: str,
    call: Callable[..., Any],
    inputs: Sequence[Any],
    meant: str,
    written: Sequence[np.ndarray] = (),
    kwargs: dict[str, Any] | None = None,
    known: bool = True,
    where: Any = True,
) -> Any:
    operands = [tape.operand(x) for x in inputs]
    before = [Operand(tape.index(x), np.array(bare_array(x))) for x in written]
    masked = where is not True
    constants = [float(x) for x in inputs if isinstance(x, int | float | np.number)]

    def meaning(results: Results, values: list[int]) -> Meaning:
        if len(results) > 1 or not known:
            return opaque(results, values)
        dtype = results[0].dtype
        computed = elementwise(meant, operands, values[0], dtype)
        if not masked:
            return computed
        if not before:
            return opaque(results, values)
        return chosen(computed, before[0], bare(where), values[0], dtype)

    settings = plain_settings(kwargs or {})
    code = call_in_words(name, inputs, settings)
    if constants:
        settings["constant"] = constants[0] if len(constants) == 1 else str(constants)
    more = (*written, where) if masked else ()
    return tape.run(
        f"numpy.{name}",
        (lambda *args: call(*args[: len(inputs)])) if more else call,
        (*inputs, *more),
        {},
        meaning,
        written=written,
        code=code,
        settings=settings,
    )


def apply_ufunc(
    tape: Tape, ufunc: np.ufunc, method: str, inputs: Any, kwargs: dict[str, Any]
) -> Any:
    """A ufunc, or one of its methods; of Python's objects nothing is recorded."""
    if any(isinstance(x, np.ndarray) and x.dtype.kind == "O" for x in inputs):
        return getattr(ufunc, method)(*bare(inputs), **bare(kwargs))
    name = ufunc.__name__
    inputs = as_arrays(tape, inputs) if method != "at" else list(inputs)
    given = tuple(kwargs.pop("out", ()))
    out = [x for x in given if x is not None]
    targets = tuple(None if x is None else bare_array(x) for x in given)
    if given:
        kwargs_out: dict[str, Any] = {"out": targets}
    else:
        kwargs_out = {}
    if method == "at":
        return _at(tape, ufunc, *inputs)

    def call(*args: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*args, **bare(kwargs), **kwargs_out)

    where = kwargs.get("where", True)
    if method == "__call__":
        ordinary = {"casting", "subok", "dtype", "order"}
        known = set(kwargs) - {"where"} <= ordinary
        settings = {k: v for k, v in kwargs.items() if k == "dtype"}
        if where is not True:
            return _elementwise(
                tape, name, call, inputs, name, out, settings, known, where
            )
        return _elementwise(tape, name, call, inputs, name, out, settings, known)
    arrays = [x for x in inputs if isinstance(x, np.ndarray)]
    operands = [tape.operand(x) for x in inputs if not isinstance(x, list | tuple)]

    def meaning(results: Results, values: list[int]) -> Meaning:
        dtype = results[0].dtype
        if kwargs.get("dtype") not in (None, dtype) and not is_data(dtype):
            return None
        if method == "reduce":
            return reduction(name, operands[0], values[0], dtype, bare(kwargs))
        if method == "outer":
            return outer(name, operands, values[0], dtype)
        if method == "accumulate":
            axis = kwargs.get("axis", 0)
            return accumulation(name, operands[0], values[0], dtype, axis)
        return opaque(results, values)

    return tape.run(
        f"numpy.{name}.{method}",
        lambda *args: call(*args[: len(inputs)]),
        (*inputs, *(x for x in (where,) if isinstance(x, np.ndarray))),
        {},
        meaning,
        written=out,
        code=call_in_words(f"{name}.{method}", arrays, plain_settings(bare(kwargs))),
        settings=plain_settings(bare(kwargs)),
    )


def _at(tape: Tape, ufunc: np.ufunc, target: Any, key: Any, *others: Any) -> None:
    """Into an array, place by place, as often as a place is named."""
    others = tuple(as_arrays(tape, others))
    before = Operand(tape.index(target), np.array(bare_array(target)))
    operands = [tape.operand(x) for x in others]
    places = numbers(target.shape)[bare(key)]

    def meaning(results: Results, values: list[int]) -> Meaning:
        if len(operands) != 1:
            return opaque(results, values)
        return scattered(ufunc.__name__, before, places, operands[0], values[0])

    tape.run(
        f"numpy.{ufunc.__name__}.at",
        ufunc.at,
        (target, key, *others),
        {},
        meaning,
        written=[target],
    )


def apply_function(
    tape: Tape, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """One of NumPy's functions that is no ufunc."""
    name = function.__name__
    path = f"{function.__module__}.{name}".removeprefix("numpy.")
    if path in COMPOSED:
        return np.ndarray.__array_function__(
            np.empty(0).view(tape.shown_as), function, (tape.shown_as,), args, kwargs
        )
    if "out" in kwargs and kwargs["out"] is not None:
        out = kwargs.pop("out")
        found = apply_function(tape, function, args, kwargs)
        return apply_in_place_of(tape, out, found)
    args, kwargs = tape.ready(args), tape.ready(kwargs)
    if path in CONDITION_FIRST and len(args) > 1:
        args = (tape_bool(args[0]), *args[1:])
    if path in MOVES:
        return tape.move(f"numpy.{path}", function, args, kwargs)
    if path == "empty_like":
        return tape.move("numpy.empty_like", np.zeros_like, args, kwargs)
    if path == "sort":
        return tape.move("numpy.sort", np.sort, args, kwargs, sorting(*args, **kwargs))
    if path in OVERWRITES:
        tape.overwrite(f"numpy.{path}", function, args[0], args[1:], kwargs)
        return None
    rule = SUMS_OF_PRODUCTS.get(path)
    if rule is not None:
        return _sum_of_products(tape, path, function, args, kwargs, rule)
    return tape.run(
        f"numpy.{path}", function, args, kwargs, _rule(tape, path, args, kwargs)
    )


def _rule(tape: Tape, path: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """What a few functions mean that are neither moves nor sums of products."""
    if path in ROUNDED:
        return lambda results, values: []
    first = args[0] if args else None
    if path in ("linalg.norm", "linalg.vector_norm") and is_floating(first):
        x = tape.operand(first)
        names = dict(zip(("ord", "axis", "keepdims"), bare(args[1:]), strict=False))
        settings = names | kwargs | {"vector": path == "linalg.vector_norm"}
        return lambda results, values: norm(x, values[0], results[0].dtype, settings)
    weights = kwargs.get("weights", args[1] if len(args) > 1 else None)
    if path == "bincount" and is_floating(weights):
        y, target = tape.operand(weights), np.asarray(bare(first))
        return lambda results, values: counted(y, target, results[0], values[0])
    return opaque


def apply_in_place_of(tape: Tape, out: Any, found: Any) -> Any:
    """What was computed, copied to where it is wanted."""
    out = out[0] if isinstance(out, tuple) else out
    tape.overwrite("numpy.setitem", operator.setitem, out, (..., found), {})
    return out


def tape_bool(condition: Any) -> Any:
    """A condition as truth values, of which no derivative is taken."""
    if isinstance(condition, np.ndarray) and condition.dtype.kind == "f":
        return condition != 0
    return condition


def sorting(x: Any, axis: Any = -1, **options: Any) -> Callable[..., Any]:
    """What moves elements to where sorting moves those of `x`."""
    plain = np.array(bare(x))

    def call(numbered: np.ndarray, *args: Any, **kwargs: Any) -> np.ndarray:
        if axis is None:
            return numbered.ravel()[np.argsort(plain.ravel(), kind="stable")]
        order = np.argsort(plain, axis, kind="stable")
        return np.take_along_axis(numbered, order, axis)

    return call


Labels = tuple[list[str], str] | None


def _einsum(args: Any, kwargs: Any, ranks: list[int]) -> Labels:
    return einsum_labels(args[0], ranks) if isinstance(args[0], str) else None


def _are_two(ranks: list[int]) -> bool:
    return len(ranks) == 2 and 0 not in ranks


def _dot(args: Any, kwargs: Any, ranks: list[int]) -> Labels:
    return dot_labels(ranks) if _are_two(ranks) else None


def _inner(args: Any, kwargs: Any, ranks: list[int]) -> Labels:
    return tensordot_labels(ranks, ([-1], [-1])) if _are_two(ranks) else None


def _outer(args: Any, kwargs: Any, ranks: list[int]) -> Labels:
    return (["", ""], "") if _are_two(ranks) else None


def _tensordot(args: Any, kwargs: Any, ranks: list[int]) -> Labels:
    if not _are_two(ranks):
        return None
    axes = args[2] if len(args) > 2 else kwargs.get("axes", 2)
    return tensordot_labels(ranks, axes)


def _trace(args: Any, kwargs: Any, ranks: list[int]) -> Labels:
    return (["aa"], "") if ranks == [2] and len(args) == 1 and not kwargs else None


SUMS_OF_PRODUCTS: dict[str, Callable[..., Labels]] = {
    **{"einsum": _einsum, "dot": _dot, "inner": _inner, "tensordot": _tensordot},
    **{"outer": _outer, "linalg.outer": _outer, "linalg.tensordot": _tensordot},
    **{"vdot": lambda *given: (["a", "a"], "") if given[2] == [1, 1] else None},
    "trace": _trace,
}


def _sum_of_products(
    tape: Tape, path: str, function: Any, args: Any, kwargs: Any, rule: Any
) -> Any:
    operands = [tape.operand(x) for x in leaves_of(args) if isinstance(x, np.ndarray)]
    ranks = [np.ndim(x.array) for x in operands]
    labels = rule(bare(args), bare(kwargs), ranks)

    def meaning(results: Results, values: list[int]) -> Meaning:
        dtype = results[0].dtype
        if labels is None or len(labels[0]) != len(operands):
            if path == "dot" and labels is None:
                both = [tape.operand(x) for x in args[:2]]
                return elementwise("multiply", both, values[0], dtype)
            return opaque(results, values)
        if path in ("outer", "linalg.outer"):
            vectors = [Operand(x.name, np.ravel(x.array)) for x in operands]
            return outer("multiply", vectors, values[0], dtype)
        return contraction(operands, labels[0], labels[1], values[0], dtype)

    return tape.run(f"numpy.{path}", function, args, kwargs, meaning)


def construct(
    tape: Tape, name: str, call: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> Any:
    """An array of constants, or one that is made of others."""
    kwargs = {k: v for k, v in kwargs.items() if v is not None or k == "dtype"}
    if any(isinstance(x, Held) for x in leaves_of((args, kwargs))):
        again = call
        if name.startswith("as") or name == "array":
            again = lambda x, *rest, **options: call(x, **options)  # noqa: E731
        return tape.move(f"numpy.{name}", call, args, kwargs, again)
    made = (np.zeros if name == "empty" else call)(*args, **kwargs)
    if type(made) is not np.ndarray or made.dtype.kind not in "biuf":
        return made
    given = [x for x in leaves_of(args) if isinstance(x, np.ndarray | np.generic)]
    if any(x is made or np.may_share_memory(x, made) for x in given):
        return tape.show(made, tape.memory_of(made))
    operator, code = f"numpy.{name}", call_in_words(name, args, kwargs)
    if tape.escaped or given:
        origin = tape.origin(made)[0]
        operator = origin if origin != "numpy: constant" else operator
    settings = plain_settings(kwargs)
    made = made if made.base is None else made.copy()
    (value,) = tape.emit(operator, code, [], [made], lambda i: [], settings)
    return tape.hold(made, value)
