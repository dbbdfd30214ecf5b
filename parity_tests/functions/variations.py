"""Other steps in the place of one: the mistakes that people make when they write a function
down once more, from another constant to a reduction along another axis.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.judging import Judged
from gradparity.parity_tests.functions.models import Model
from gradparity.parity_tests.functions.programs import Arrays
from gradparity.reference.rounding.operations import OPERATIONS
from gradparity.reference.rounding.programs import Step

SMALL = 0.02  # a constant that is added and smaller than this is an epsilon
ELEMENTWISE = (
    "exp",
    "log",
    "tanh",
    "sigmoid",
    "relu",
    "erf",
    "abs",
    "sqrt",
    "sin",
    "cos",
)


@dataclass(frozen=True, eq=False)
class Variation:
    """Other steps in the place of some.

    Args:
        name: of the kind of mistake.
        sentence: what it is.
        at: the value that the first of them makes.
        steps: by the value that a step makes, those in its place.
        given: constants that they take.
    """

    name: str
    sentence: str
    at: str
    steps: Mapping[str, Sequence[Step]]
    given: Arrays


def constants(judged: Judged) -> dict[str, set[float]]:
    """The numbers that a program has, by where: the names of operations."""
    found: dict[str, set[float]] = {}
    for step in judged.recording.program:
        for name in step.operands:
            if name.startswith("= "):
                found.setdefault(step.operation.name, set()).add(
                    float(name[2:].rstrip("'"))
                )
        for key in ("factor", "n", "exponent"):
            if key in step.settings:
                found.setdefault(key, set()).add(float(step.settings[key]))
    return found


def variations(
    own: Model,
    candidates: Sequence[Step],
    values: Arrays,
    theirs: dict[str, set[float]],
    names: tuple[str, str],
) -> Iterator[Variation]:
    """All that are tried, the likeliest first."""
    near, far = (partial(other_constants, near=near) for near in (True, False))
    ways = (near, averaged, other_axes, roots, masks, functions, operands, far)
    context = Context(own, values, {c for each in theirs.values() for c in each}, names)
    for way in ways:
        for step in candidates:
            yield from way(step, context)


@dataclass(frozen=True, eq=False)
class Context:
    """What variations know beside the step: the model, its values, the constants that the
    other function has, and what both are called.
    """

    own: Model
    values: Arrays
    constants: set[float]
    names: tuple[str, str]

    def varied(
        self, name: str, sentence: str, step: Step, *steps: Step, **given: Any
    ) -> Variation:
        found = {step.name: steps}
        return Variation(name, sentence, step.name, found, given.get("given", {}))


def plain(name: str) -> str:
    """A constant's name, before it is rounded."""
    return name.rstrip("'")


def others(own: float, constants: set[float], near: bool) -> list[float]:
    """Constants in the place of one: those that are no more than a hundred times as large
    or as small, the nearest first; or the rest.
    """

    def far(constant: float) -> float:
        ratio = constant / own if own else 0.0
        return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf

    found = [each for each in constants - {own} if (far(each) <= math.log(100)) == near]
    return sorted(found, key=far)


def other_constants(step: Step, known: Context, near: bool) -> Iterator[Variation]:
    """A constant of the other function in the place of one that this has: wherever it is
    used in this way, and there alone.
    """
    for own, changed in constants_of(step):
        for constant in others(own, known.constants, near):
            yield from exchanged(step, known, own, constant, changed)
    is_masked = step.operation.name == "move" and np.any(step.settings["source"] < 0)
    if near and is_masked:
        yield from other_fills(step, known)


Changed = Callable[[Step, float], Step]


def constants_of(step: Step) -> Iterator[tuple[float, Changed]]:
    """The constants of a step, and how it is with another in the place of each."""
    for position, name in enumerate(step.operands):
        if name.startswith("= "):
            yield float(plain(name)[2:]), partial(with_operand, position)
    for key in ("factor", "n", "exponent"):
        if key in step.settings:
            yield float(step.settings[key]), partial(with_setting, key)


def with_operand(position: int, step: Step, constant: float) -> Step:
    operands = [*step.operands]
    operands[position] = f"= {constant!r}"
    return replace(step, operands=tuple(operands))


def with_setting(key: str, step: Step, constant: float) -> Step:
    return replace(step, settings={**step.settings, key: constant})


def exchanged(
    step: Step, known: Context, own: float, constant: float, changed: Changed
) -> Iterator[Variation]:
    """One constant for another: in all steps of this kind that have it, and in one."""
    one, other = known.names
    kind = role(step, own)
    sentence = f"{kind_said(kind)} is {own:.9g} in {one} and {constant:.9g} in {other}"
    given = {f"= {constant!r}": np.array(constant)}
    everywhere = {
        each.name: [way(each, constant)]
        for each in known.own.steps
        if each.operation is step.operation
        for value, way in constants_of(each)
        if value == own
    }
    yield Variation(kind, sentence, step.name, everywhere, given)
    if len(everywhere) > 1:
        alone = {step.name: [changed(step, constant)]}
        yield Variation(kind, sentence, step.name, alone, given)


def other_fills(step: Step, known: Context) -> Iterator[Variation]:
    one, other = known.names
    own = np.unique(
        np.broadcast_to(step.settings["fill"], step.settings["source"].shape)
    )
    for constant in sorted({*known.constants, 0.0, -np.inf, -1e9} - {*own.tolist()}):
        yield known.varied(
            "mask",
            f"what is masked out is {own[0]:.9g} in {one} and {constant:.9g} in {other}",
            step,
            replace(step, settings={**step.settings, "fill": constant}),
        )


def role(step: Step, constant: float) -> str:
    """What a constant is for."""
    operation = step.operation.name
    if operation in ("maximum", "minimum"):
        return "clip"
    if operation == "power":
        return "power"
    if operation == "add" and 0 < abs(constant) < SMALL:
        return "eps"
    return "constant"


def kind_said(kind: str) -> str:
    return {"eps": "eps", "clip": "the bound", "power": "the exponent"}.get(
        kind, "a constant"
    )


def averaged(step: Step, known: Context) -> Iterator[Variation]:
    """A sum for a mean, one over n - 1 for one over n, and the reverse."""
    one, other = known.names
    sizes = {n for value in known.values.values() for n in np.shape(value)} - {0}
    if step.operation.name == "over":
        n = step.settings["n"]
        for m in (n - 1, n + 1):
            if m > 0:
                kind = "biased" if m == n - 1 or m == n + 1 else "mean_sum"
                yield known.varied(
                    kind,
                    f"{one} divides by {n:g} and {other} by {m:g}",
                    step,
                    replace(step, settings={"n": m}),
                )
        yield known.varied(
            "mean_sum",
            f"{one} takes a mean over {n:g} and {other} the sum",
            step,
            replace(step, settings={"n": 1.0}),
        )
        for m in sorted(sizes - {n}):
            yield known.varied(
                "mean_sum",
                f"{one} divides by {n:g} and {other} by {m:g}",
                step,
                replace(step, settings={"n": float(m)}),
            )
        twice = Step(f"{step.name} twice", OPERATIONS["over"], step.operands, {"n": n})
        yield known.varied(
            "averaged_twice",
            f"{other} divides by {n:g} twice, {one} once",
            step,
            twice,
            replace(step, operands=(twice.name,)),
        )
    if step.operation.name == "variance":
        own = step.settings["correction"]
        for correction in {0.0, 1.0} - {own}:
            yield known.varied(
                "biased",
                f"a variance is divided by n - {own:g} in {one} and by n - "
                f"{correction:g} in {other}",
                step,
                with_setting("correction", step, correction),
            )
    if step.operation.name in ("matmul", "multiply", "move", "scale"):
        yield from rescaled(step, known, sizes)
    if step.operation.name == "sum":
        whole = np.size(known.values[step.operands[0]])
        n = whole // max(np.size(known.values[step.name]), 1)
        inner = replace(step, name=f"{step.name} summed")
        for m in dict.fromkeys((n, n - 1)):
            if m > 0:
                yield known.varied(
                    "mean_sum",
                    f"{one} takes a sum and {other} divides it by {m}",
                    step,
                    inner,
                    Step(step.name, OPERATIONS["over"], (inner.name,), {"n": float(m)}),
                )


def rescaled(step: Step, known: Context, sizes: set[int]) -> Iterator[Variation]:
    """A factor that comes of a size, as the root of the width in attention."""
    one, other = known.names
    inner = replace(step, name=f"{step.name} unscaled")
    for n in sorted(sizes - {1}):
        root = math.sqrt(n)
        for factor, said in (
            (1 / root, f"{other} divides by the root of {n} and {one} does not"),
            (root, f"{one} divides by the root of {n} and {other} does not"),
            (1 / n, f"{other} divides by {n} and {one} does not"),
            (float(n), f"{one} divides by {n} and {other} does not"),
        ):
            yield known.varied(
                "scale",
                said,
                step,
                inner,
                Step(step.name, OPERATIONS["scale"], (inner.name,), {"factor": factor}),
            )


def other_axes(step: Step, known: Context) -> Iterator[Variation]:
    """A reduction along another axis, which has to leave the same shape."""
    if step.operation.name not in ("sum", "max", "min"):
        return
    one, other = known.names
    x = known.values[step.operands[0]]
    keep = step.settings.get("keepdims", False)
    for axis in [*range(x.ndim), None]:
        if axis == step.settings.get("axis"):
            continue
        settings = {"axis": axis, "keepdims": keep}
        found = replace(step, settings=settings)
        said = "all axes" if axis is None else f"axis {axis}"
        had = step.settings.get("axis")
        sentence = (
            f"{step.operation.name} goes over axis {had} in {one} and {said} in {other}"
        )
        yield known.varied("axis", sentence, step, found)


def roots(step: Step, known: Context) -> Iterator[Variation]:
    """An epsilon inside a root or outside it; a root or a square that is not there."""
    one, other = known.names
    makers = {each.name: each for each in known.own.steps}
    if step.operation.name in ("sqrt", "rsqrt"):
        inner = makers.get(step.operands[0])
        if inner is not None and inner.operation.name == "add":
            for position, name in enumerate(inner.operands):
                if name.startswith("= "):
                    rest = inner.operands[1 - position]
                    root = Step(f"{step.name} root", OPERATIONS["sqrt"], (rest,))
                    last = [Step(step.name, OPERATIONS["add"], (root.name, name))]
                    if step.operation.name == "rsqrt":
                        last[0] = replace(last[0], name=f"{step.name} plus")
                        last.append(
                            Step(step.name, OPERATIONS["reciprocal"], (last[0].name,))
                        )
                    yield known.varied(
                        "eps",
                        f"eps is added inside the root in {one} and outside in {other}",
                        step,
                        root,
                        *last,
                    )
    if step.operation.name == "add":
        for position, name in enumerate(step.operands):
            inner = makers.get(step.operands[1 - position])
            if (
                name.startswith("= ")
                and inner is not None
                and inner.operation.name == "sqrt"
            ):
                plus = Step(
                    f"{step.name} plus", OPERATIONS["add"], (inner.operands[0], name)
                )
                yield known.varied(
                    "eps",
                    f"eps is added outside the root in {one} and inside in {other}",
                    step,
                    plus,
                    Step(step.name, OPERATIONS["sqrt"], (plus.name,)),
                )


def masks(step: Step, known: Context) -> Iterator[Variation]:
    """A mask that is off by one, or not there."""
    if step.operation.name != "move":
        return
    source = step.settings["source"]
    if source.ndim == 0 or not (source < 0).any():
        return
    one, other = known.names
    x = known.values[step.operands[0]]
    if x.size == source.size and len(step.operands) == 1:
        numbers = np.arange(source.size).reshape(source.shape)
        for axis in range(source.ndim):
            for by in (1, -1):
                shut = shifted(source < 0, by, axis)
                yield known.varied(
                    "mask",
                    f"the mask of {one} is off by one against that of {other}",
                    step,
                    replace(
                        step,
                        settings={
                            **step.settings,
                            "source": np.where(shut, -1, numbers),
                        },
                    ),
                )
        yield known.varied(
            "mask",
            f"{one} masks and {other} does not",
            step,
            replace(step, settings={"source": numbers, "fill": 0.0}),
        )


def shifted(mask: np.ndarray, by: int, axis: int) -> np.ndarray:
    """The mask, moved along an axis; what comes in is as its neighbour."""
    places = np.clip(np.arange(mask.shape[axis]) + by, 0, mask.shape[axis] - 1)
    return np.take(mask, places, axis)


def functions(step: Step, known: Context) -> Iterator[Variation]:
    """Another function, one that is missing, or one too many."""
    one, other = known.names
    operation = step.operation.name
    if operation in ("erf", "normal_cdf"):
        yield from tanh_for_erf(step, known)
    if operation in ELEMENTWISE:
        for name in ELEMENTWISE:
            if name != operation:
                yield known.varied(
                    "function",
                    f"{operation} in {one} is {name} in {other}",
                    step,
                    replace(step, operation=OPERATIONS[name]),
                )
    if operation == "log":
        for base in (2, 10):
            inner = replace(step, name=f"{step.name} e")
            yield known.varied(
                "base",
                f"the logarithm is natural in {one} and to base {base} in {other}",
                step,
                inner,
                Step(
                    step.name,
                    OPERATIONS["scale"],
                    (inner.name,),
                    {"factor": 1 / math.log(base)},
                ),
            )
    shape = known.values[step.name].shape
    for name in dict.fromkeys(step.operands):
        if known.values.get(name, np.zeros(0)).shape == shape and not name.startswith(
            "="
        ):
            source = np.arange(math.prod(shape)).reshape(shape)
            yield known.varied(
                "missing",
                f"{one} has {an(operation)} that {other} has not",
                step,
                Step(
                    step.name,
                    OPERATIONS["move"],
                    (name,),
                    {"source": source, "fill": 0.0},
                ),
            )
    for name in ("sqrt", "negate", "exp", "log", "square"):
        inner = replace(step, name=f"{step.name} before")
        made = (
            ("multiply", (inner.name,) * 2)
            if name == "square"
            else (name, (inner.name,))
        )
        kind = {"sqrt": "squared", "square": "squared", "negate": "sign"}.get(
            name, "missing"
        )
        yield known.varied(
            kind,
            f"{other} has {an(name)} that {one} has not",
            step,
            inner,
            Step(step.name, OPERATIONS[made[0]], made[1]),
        )


def an(operation: str) -> str:
    said = {
        "sqrt": "a root",
        "square": "a square",
        "negate": "a minus sign",
        "add": "an addition",
        "exp": "an exponential",
        "log": "a logarithm",
        "multiply": "a product",
        "divide": "a division",
        "scale": "a factor",
        "over": "a division",
        "subtract": "a subtraction",
        "move": "a choice or an order",
    }
    return said.get(operation, f"a {operation}")


def tanh_for_erf(step: Step, known: Context) -> Iterator[Variation]:
    """GELU's approximation: erf(x / sqrt 2), by tanh(sqrt(2 / pi) (x + 0.044715 x**3)); and
    (1 + tanh(z)) / 2 is sigmoid(2 z).
    """
    one, other = known.names
    a, name = step.operands[0], step.name
    is_erf = step.operation.name == "erf"
    factor, last = (math.sqrt(2), "tanh") if is_erf else (1.0, "sigmoid")
    x = Step(f"{name} x", OPERATIONS["scale"], (a,), {"factor": factor})
    square = Step(f"{name} xx", OPERATIONS["multiply"], (x.name, x.name))
    cube = Step(f"{name} xxx", OPERATIONS["multiply"], (square.name, x.name))
    third = Step(f"{name} c", OPERATIONS["scale"], (cube.name,), {"factor": 0.044715})
    both = Step(f"{name} s", OPERATIONS["add"], (x.name, third.name))
    inner = Step(
        f"{name} i",
        OPERATIONS["scale"],
        (both.name,),
        {"factor": math.sqrt(2 / math.pi) * (1 if is_erf else 2)},
    )
    yield known.varied(
        "erf_tanh",
        f"GELU is by erf in {one} and by its approximation with tanh in {other}",
        step,
        *(x, square, cube, third, both, inner),
        Step(name, OPERATIONS[last], (inner.name,)),
    )


def operands(step: Step, known: Context) -> Iterator[Variation]:
    """Operands that are swapped or transposed."""
    one, other = known.names
    operation = step.operation.name
    if operation in ("subtract", "divide", "matmul"):
        yield known.varied(
            "order",
            f"the operands of {an(operation)} are swapped",
            step,
            replace(step, operands=step.operands[::-1]),
        )
    if operation in ("matmul", "affine"):
        for position in (0, 1):
            x = known.values[step.operands[position]]
            if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
                continue
            flipped = Step(
                f"{step.name} flipped",
                OPERATIONS["transpose"],
                (step.operands[position],),
            )
            given = [*step.operands]
            given[position] = flipped.name
            yield known.varied(
                "transposed",
                f"a factor of a matrix product is transposed in {other} and not in {one}",
                step,
                flipped,
                replace(step, operands=tuple(given)),
            )
    if operation in ("maximum", "minimum"):
        swapped = {"maximum": "minimum", "minimum": "maximum"}[operation]
        yield known.varied(
            "function",
            f"{operation} in {one} is {swapped} in {other}",
            step,
            replace(step, operation=OPERATIONS[swapped]),
        )
