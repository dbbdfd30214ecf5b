"""Variations of what a step is: an operator's settings, the axis of a reduction, a mask, a
function, a step too many, or what goes into it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.programs import Executed
from gradparity.parity_tests.functions.sentences import apart, number
from gradparity.parity_tests.functions.variations import (
    PRODUCTS,
    Context,
    Variation,
    constants_of,
    factor_of,
    input_of,
    is_constant,
    role,
    same_as,
    sided,
)
from gradparity.reference.rounding.operations import OPERATIONS
from gradparity.reference.rounding.programs import Step

ELEMENTWISE = (
    *("exp", "log", "tanh", "sigmoid", "relu", "erf", "abs", "sqrt", "sin", "cos"),
)
BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
VERBS = {"add": "adds", "multiply": "multiplies", "divide": "divides"}
EXTREMES = ("maximum", "minimum")
PAIRS = 60  # of values that may stand in each other's place

# What kind of mistake another setting of an operator is, where that has a name.
SETTINGS = {
    **dict.fromkeys(("dim", "axis", "axes"), "axis"),
    **dict.fromkeys(("eps", "epsilon"), "eps"),
    **dict.fromkeys(("min", "max", "min_val", "max_val"), "clip"),
    "negative_slope": "slope",
    "ignore_index": "ignored",
}
# Settings that other variations say better, or that say nothing.
UNSAID = {
    *("reduction", "correction", "approximate", "other", "value", "exponent", "y"),
    *("constants", "shape", "implicit", "new_sizes", "half_to_float"),
}


# --- Operators ----------------------------------------------------------------------------


def resettled(known: Context) -> Iterator[Variation]:
    """The same operator with other settings: where the two part, both call it."""
    own, theirs = known.firsts
    if own is None or theirs is None or own.operator != theirs.operator:
        return
    told = settings_told(own, theirs, known.judged, known.first)
    if told is None:
        return
    every = [
        [
            step
            for step in judged.recording.executed
            if (step.operator, repr(step.settings))
            == (first.operator, repr(first.settings))
            and step.phase == "forward"
        ]
        for judged, first in zip(known.judged, (own, theirs), strict=True)
    ]
    tries = [[(own, theirs)]]
    if len(every[0]) == len(every[1]) > 1:
        tries.insert(0, [*zip(*every, strict=True)])
    for pairs in tries:
        steps: dict[str, Sequence[Step]] = {}
        for here, there in pairs:
            steps |= grafted(here, there, known)
        if steps:
            name, said, facts = told
            yield Variation(name, said, facts, next(iter(steps)), steps)


def instead(known: Context) -> Iterator[Variation]:
    """Another operator of the same operands, where the two part."""
    own, theirs = known.firsts
    if own is None or theirs is None or own.operator == theirs.operator:
        return
    steps = grafted(own, theirs, known)
    facts = known.sided(own.code, theirs.code)
    if steps:
        yield Variation("function", "operation", facts, next(iter(steps)), steps)


def settings_told(
    own: Executed, theirs: Executed, judged: tuple[Judged, Judged], first: bool
) -> tuple[str, str, dict[str, str]] | None:
    """Which of an operator's settings is another: the kind of mistake, its sentence and
    what stands in that; None if it is not one setting alone.
    """
    if own.settings.keys() != theirs.settings.keys():
        return None
    unlike = [
        key
        for key, value in own.settings.items()
        if repr(value) != repr(theirs.settings[key])
    ]
    if len(unlike) != 1 or unlike[0] in UNSAID:
        return None
    key = unlike[0]
    values = [each.settings[key] for each in (own, theirs)]
    name = SETTINGS.get(key, "setting")
    if name == "axis":
        ranks = [
            each.recording.values[step.operands[0]].ndim
            for each, step in zip(judged, (own, theirs), strict=True)
        ]
        a, b = (axes_said(axes_of(v, n)) for v, n in zip(values, ranks, strict=True))
        return name, "axis", sided(a, b, first)
    if all(type(value) in (int, float) for value in values):
        a, b = apart(*map(float, values))
    else:
        a, b = map(str, values)
    return name, "setting", sided(a, b, first) | {"what": key}


def grafted(own: Executed, theirs: Executed, known: Context) -> dict[str, list[Step]]:
    """The steps of an operator as the other calls it, in the place of one's own."""
    recording = known.judged[0].recording
    mine = recording.entries(own)
    if not mine or not theirs.meaning or len(own.operands) != len(theirs.operands):
        return {}
    here = dict(zip(theirs.operands, own.operands, strict=True))
    here |= dict(zip(theirs.results, own.results, strict=False))
    meaning = [
        (
            operation,
            [here.get(o, o) if isinstance(o, int) else o for o in operands],
            settings,
            here.get(result, result) if isinstance(result, int) else result,
        )
        for operation, operands, settings, result in theirs.meaning
    ]
    found = recording.entries(replace(own, meaning=meaning))
    wanted = {step.name for step in known.own.steps}
    left = [step.name for step in mine if step.name in wanted]
    return {name: [] for name in left[1:]} | {left[0]: found} if left else {}


# --- Axes ---------------------------------------------------------------------------------


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes of a reduction, counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(int(each) % ndim for each in np.ravel(axis)))


def axes_said(axes: Sequence[int]) -> str:
    return str(axes[0]) if len(axes) == 1 else str(tuple(axes))


REDUCTIONS = ("sum", "max", "min", "mean", "variance")


def other_axes(step: Step, known: Context) -> Iterator[Variation]:
    """A reduction along another axis: it alone, and with it all that run along the same."""
    if step.operation.name not in REDUCTIONS:
        return
    x = known.values[step.operands[0]]
    if x.ndim < 2:
        return
    own = axes_of(step.settings.get("axis"), x.ndim)
    choices = [
        *combinations(range(x.ndim), len(own)),
        *(
            each
            for n in range(1, x.ndim + 1)
            if n != len(own)
            for each in combinations(range(x.ndim), n)
        ),
    ]
    for axes in choices:
        if axes == own:
            continue
        facts = known.sided(axes_said(own), axes_said(axes))
        alone = {step.name: [along(step, axes)]}
        every = {}
        for each in known.own.steps:
            if each.operation.name in REDUCTIONS:
                y = known.values[each.operands[0]]
                if y.ndim == x.ndim and own == axes_of(
                    each.settings.get("axis"), y.ndim
                ):
                    every[each.name] = [along(each, axes)]
            elif (put := put_back(each, x.shape, own, axes, known)) is not None:
                every[each.name] = [put]
        yield Variation("axis", "axis", facts, step.name, alone)
        if len(every) > 1:
            yield Variation("axis", "axis", facts, step.name, every)


def along(step: Step, axes: Sequence[int]) -> Step:
    axis = axes[0] if len(axes) == 1 else tuple(axes)
    return replace(step, settings={**step.settings, "axis": axis})


def put_back(
    step: Step,
    shape: Sequence[int],
    own: Sequence[int],
    axes: Sequence[int],
    known: Context,
) -> Step | None:
    """The step that puts what was reduced beside what it was reduced from, as it is after
    a reduction along other axes; None if it is no such step.
    """
    if step.operation.name != "move" or len(step.operands) != 1:
        return None
    source = step.settings["source"]
    for each in ([], shape):  # with sizes of 1, and repeated along them
        if not np.array_equal(source, places(shape, own, each)):
            continue
        found = places(shape, axes, each)
        return replace(step, settings={**step.settings, "source": found})
    return None


def places(shape: Sequence[int], axes: Sequence[int], to: Sequence[int]) -> np.ndarray:
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    found = np.arange(math.prod(kept)).reshape(kept)
    return np.broadcast_to(found, to) if len(to) else found


# --- Roots and masks ----------------------------------------------------------------------


def roots(step: Step, known: Context) -> Iterator[Variation]:
    """An epsilon inside a root or outside it."""
    inner = known.makers.get(step.operands[0])
    if step.operation.name in ("sqrt", "rsqrt"):
        if inner is None or inner.operation.name != "add":
            return
        for position, name in enumerate(inner.operands):
            if not name.startswith("= "):
                continue
            rest = inner.operands[1 - position]
            root = Step(f"{step.name} root", OPERATIONS["sqrt"], (rest,))
            last = [Step(step.name, OPERATIONS["add"], (root.name, name))]
            if step.operation.name == "rsqrt":
                last[0] = replace(last[0], name=f"{step.name} plus")
                made = last[0].name
                last.append(Step(step.name, OPERATIONS["reciprocal"], (made,)))
            yield known.varied("eps", "eps in root", known.does(), step, root, *last)
    if step.operation.name == "add":
        for position, name in enumerate(step.operands):
            inner = known.makers.get(step.operands[1 - position])
            is_root = inner is not None and inner.operation.name == "sqrt"
            if not name.startswith("= ") or inner is None or not is_root:
                continue
            both = inner.operands[0], name
            plus = Step(f"{step.name} plus", OPERATIONS["add"], both)
            found = Step(step.name, OPERATIONS["sqrt"], (plus.name,))
            facts = known.does(own=False)
            yield known.varied("eps", "eps in root", facts, step, plus, found)


def masks(step: Step, known: Context) -> Iterator[Variation]:
    """A mask that is off by one, not there, or filled with another number."""
    if step.operation.name != "move" or is_constant(step):
        return
    source = step.settings["source"]
    if source.ndim == 0 or not (source < 0).any():
        return
    fill = np.unique(np.broadcast_to(step.settings["fill"], source.shape)[source < 0])
    for constant in sorted({*known.constants, 0.0, -np.inf, -1e9} - {*fill.tolist()}):
        facts = known.numbers(float(fill[0]), constant)
        found = replace(step, settings={**step.settings, "fill": constant})
        yield known.varied("mask", "fill", facts, step, found)
    x = known.values[step.operands[0]]
    if x.size == source.size and len(step.operands) == 1:
        numbers = np.arange(source.size).reshape(source.shape)
        other_way = np.where(source < 0, numbers, -1)
        found = replace(step, settings={**step.settings, "source": other_way})
        yield known.varied("mask", "mask the other way", {}, step, found)
        ways = product(range(source.ndim), (1, -1), (None, True, False))
        for axis, by, new in ways:
            shut = np.where(shifted(source < 0, by, axis, new), -1, numbers)
            found = replace(step, settings={**step.settings, "source": shut})
            yield known.varied("mask", "mask off by one", {}, step, found)
        whole = same_as(step.name, step.operands[0], source.shape)
        yield known.varied("mask", "masks", known.does(), step, whole)


def shifted(mask: np.ndarray, by: int, axis: int, new: bool | None) -> np.ndarray:
    """The mask, moved along an axis; what comes in is `new`, or as its neighbour."""
    moved = np.arange(mask.shape[axis]) + by
    found = np.take(mask, moved.clip(0, mask.shape[axis] - 1), axis)
    if new is not None:
        np.moveaxis(found, axis, 0)[-1 if by > 0 else 0] = new
    return found


# --- Functions ----------------------------------------------------------------------------


def functions(step: Step, known: Context) -> Iterator[Variation]:
    """Another function in the place of one."""
    operation = step.operation.name
    if step.name not in known.moving:
        return
    if operation in ("erf", "normal_cdf"):
        yield from tanh_for_erf(step, known)
    # Those of a constant are told as factors.
    has_constant = any(name in known.fixed[0] for name in step.operands)
    for alike in (ELEMENTWISE, (*BINARY,)[: 2 if has_constant else 4], EXTREMES):
        for name in alike if operation in alike else ():
            if name != operation and name in known.operations:
                facts = known.sided(*(BINARY.get(n, n) for n in (operation, name)))
                kind = (
                    "sign" if {name, operation} == {"add", "subtract"} else "function"
                )
                found = replace(step, operation=OPERATIONS[name])
                yield known.varied(kind, "operation", facts, step, found)
    if operation == "log":
        for base in (2, 10):
            inner = replace(step, name=f"{step.name} e")
            factor = {"factor": 1 / math.log(base)}
            found = Step(step.name, OPERATIONS["scale"], (inner.name,), factor)
            facts = known.does() | {"a": str(base)}
            yield known.varied("base", "base", facts, step, inner, found)


def tanh_for_erf(step: Step, known: Context) -> Iterator[Variation]:
    """GELU's approximation: erf(x / sqrt 2), by tanh(sqrt(2 / pi) (x + 0.044715 x**3)); and
    (1 + tanh(z)) / 2 is sigmoid(2 z).
    """
    a, name = step.operands[0], step.name
    is_erf = step.operation.name == "erf"
    factor, last = (math.sqrt(2), "tanh") if is_erf else (1.0, "sigmoid")
    x = Step(f"{name} x", OPERATIONS["scale"], (a,), {"factor": factor})
    square = Step(f"{name} xx", OPERATIONS["multiply"], (x.name, x.name))
    cube = Step(f"{name} xxx", OPERATIONS["multiply"], (square.name, x.name))
    third = Step(f"{name} c", OPERATIONS["scale"], (cube.name,), {"factor": 0.044715})
    both = Step(f"{name} s", OPERATIONS["add"], (x.name, third.name))
    factor = math.sqrt(2 / math.pi) * (1 if is_erf else 2)
    inner = Step(f"{name} i", OPERATIONS["scale"], (both.name,), {"factor": factor})
    steps = x, square, cube, third, both, inner
    found = Step(name, OPERATIONS[last], (inner.name,))
    yield known.varied("erf_tanh", "gelu", known.does(), step, *steps, found)


def missing(step: Step, known: Context) -> Iterator[Variation]:
    """A step that the other has not, or one that it has on top."""
    if step.name not in known.moving:
        return
    operation = step.operation.name
    shape = known.values[step.name].shape
    made = known.executed(step.name)
    if operation == "affine":
        bias = input_of(step.operands[2], known)
        said = "adds" if bias else "adds bias"
        facts = known.does() | {"a": bias or ""}
        found = replace(
            step, operation=OPERATIONS["matmul"], operands=step.operands[:2]
        )
        yield known.varied("missing", said, facts, step, found)
        return
    for name in dict.fromkeys(step.operands):
        if name.startswith("=") or known.values[name].shape != shape:
            continue
        if factor_of(step, known.fixed[0]) is not None:  # that is told as a factor
            continue
        code = made.code if made else operation
        if made is not None and sum(e[0] != "move" for e in made.meaning or ()) > 1:
            code = f"{code}: {operation}"
        kind, said, facts = "missing", "step", {"a": code}
        constants = [c for c, _ in constants_of(step)] if operation == "add" else []
        if operation == "negate":
            kind, said, facts = "sign", "sign", {}
        elif operation in ELEMENTWISE:
            said, facts = "applies", {"a": operation}
        elif operation in EXTREMES and any(constants_of(step)):
            constant = next(constants_of(step))[0]
            kind, said, facts = "clip", "clips", {"a": number(constant)}
        elif constants:
            said, facts = "adds", {"a": number(constants[0])}
            kind = "eps" if role(step, constants[0]) == "eps" else kind
        elif operation in VERBS and (other := input_of(beside(step, name), known)):
            said, facts = VERBS[operation], {"a": other}
        if operation in ("sqrt", "abs"):
            kind = "squared" if operation == "sqrt" else kind
        facts = facts if said == "sign" else known.does() | facts
        yield known.varied(kind, said, facts, step, same_as(step.name, name, shape))


def beside(step: Step, name: str) -> str:
    """What a step takes beside a value."""
    return next((each for each in step.operands if each != name), name)


def added(step: Step, known: Context) -> Iterator[Variation]:
    """A function that the other takes of what this one has as it is."""
    if step.name not in known.moving:
        return
    for name in ("sqrt", "negate", "exp", "log", "square"):
        inner = replace(step, name=f"{step.name} before")
        takes = (
            ("multiply", (inner.name,) * 2)
            if name == "square"
            else (name, (inner.name,))
        )
        last = Step(step.name, OPERATIONS[takes[0]], takes[1])
        if name == "negate":
            yield known.varied("sign", "sign", {}, step, inner, last)
            continue
        facts = known.does(own=False) | {"a": name}
        kind = "squared" if name in ("sqrt", "square") else "missing"
        yield known.varied(kind, "applies", facts, step, inner, last)


# --- What goes into steps -----------------------------------------------------------------


def operands(step: Step, known: Context) -> Iterator[Variation]:
    """Operands in another order."""
    said = {"subtract": "-", "divide": "/", "matmul": "@"}.get(step.operation.name)
    if said is not None:
        found = replace(step, operands=step.operands[::-1])
        yield known.varied("order", "order", {"a": said}, step, found)
    if step.operation.name in PRODUCTS:
        for position in (0, 1):
            name = step.operands[position]
            if known.values[name].ndim > 1:
                yield from turned(name, [step], known)


def elsewhere(known: Context, candidates: Sequence[Step]) -> Iterator[Variation]:
    """What several steps take: transposed, in reverse, or in another's place."""
    of_inputs = {name: q.removeprefix("d") for q, name in known.own.inputs.items()}
    names = dict.fromkeys(name for step in candidates for name in step.operands)
    used = [
        name
        for name in (*of_inputs, *names)
        if name in known.moving and known.values[name].ndim > 0
    ]
    used = [*dict.fromkeys(used)]
    for name in used:
        users = known.own.steps if name in of_inputs else candidates
        yield from turned(name, users, known, of_inputs.get(name))
    pairs = [
        (a, b)
        for a, b in combinations(used, 2)
        if known.values[a].shape == known.values[b].shape
        and ({a, b} <= names.keys() or {a, b} <= of_inputs.keys())
    ]
    for a, b in pairs[:PAIRS]:
        both = a in of_inputs and b in of_inputs
        users = known.own.steps if both else candidates
        steps = taking({a: b, b: a}, users)
        if not steps:
            continue
        facts = {"a": of_inputs.get(a, ""), "b": of_inputs.get(b, "")} if both else {}
        said = "swapped inputs" if both else "swapped"
        yield Variation("swapped", said, facts, next(iter(steps)), steps)


def taking(
    names: Mapping[str, str], users: Sequence[Step]
) -> dict[str, Sequence[Step]]:
    """The steps that take some values, with others in their place."""
    return {
        step.name: [
            replace(step, operands=tuple(names.get(n, n) for n in step.operands))
        ]
        for step in users
        if not names.keys().isdisjoint(step.operands)
    }


def turned(
    name: str, users: Sequence[Step], known: Context, called: str | None = None
) -> Iterator[Variation]:
    """A value transposed, or reversed along its last axes."""
    shape = known.values[name].shape
    numbers = np.arange(math.prod(shape)).reshape(shape)
    ways = []
    if len(shape) > 1:
        facts = {"a": called} if called else {}
        said = "transposed input" if called else "transposed"
        kind = "transposed"
        if 1 in shape[-2:]:
            kind, said, facts = "axis", "broadcast", {}
        ways.append((kind, said, facts, np.swapaxes(numbers, -1, -2)))
    for axes in ((-1,), (-2,), (-2, -1)):
        if len(shape) >= -min(axes):
            ways.append(("order", "reversed", {}, np.flip(numbers, axes)))
    for kind, said, facts, source in ways:
        steps = {}
        for step in users:
            if name in step.operands:
                new = f"{step.name} turned {name}"
                settings = {"source": source, "fill": 0.0}
                turn = Step(new, OPERATIONS["move"], (name,), settings)
                steps[step.name] = [turn, *taking({name: new}, [step])[step.name]]
        if steps:
            yield Variation(kind, said, facts, next(iter(steps)), steps)
