"""What JAX's primitives compute, in a vocabulary of few operations that all frameworks
share.

A meaning is a list of entries (operation, operands, settings, result), in order. An
operand is the number of a value, the name of a result of an earlier entry, or a constant
of the program. None: there is no rule. An empty list: the results are data, which nobody
rounds and nobody differentiates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gradparity.jax_impl.hood.recording import evaluated
from gradparity.jax_impl.moves import MOVED, MOVES, moved

Place = int | float | str
Entry = tuple[str, list[Place], dict[str, Any], Place]
Meaning = list[Entry] | None


@dataclass(frozen=True, eq=False)
class Operand:
    """An array that an equation takes or makes.

    Args:
        place: the number of the value; of a literal, the constant itself.
        value: the array.
        is_fixed: no input has anything to do with it.
    """

    place: int | float
    value: Any
    is_fixed: bool = False

    @property
    def is_floating(self) -> bool:
        return bool(jnp.issubdtype(self.value.dtype, jnp.floating))

    @property
    def is_literal(self) -> bool:
        return isinstance(self.place, float)


@dataclass(frozen=True, eq=False)
class Equation:
    """An equation that has been run, and the jaxpr that it stands in."""

    jaxpr: Any
    eqn: Any
    operands: Sequence[Operand]
    results: Sequence[Operand]

    @property
    def name(self) -> str:
        return str(self.eqn.primitive.name)

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.eqn.params)

    @property
    def places(self) -> list[Place]:
        return [operand.place for operand in self.operands]

    @property
    def result(self) -> int:
        return int(self.results[0].place)


Rule = Callable[[Equation], Meaning]


def meaning(equation: Equation) -> Meaning:
    """What the equation computes; None where there is no rule for it."""
    if not any(result.is_floating for result in equation.results):
        return []
    if equation.name in DATA or not any(o.is_floating for o in equation.operands):
        return []
    if equation.name in MOVES:
        return layout(equation)
    rule = RULES.get(equation.name)
    return rule(equation) if rule else None


def indices(operands: Sequence[Operand]) -> list[np.ndarray]:
    """Where every element of the operands stands in all of them, one after another;
    -1 for literals.
    """
    found, start = [], 0
    for operand in operands:
        shape = np.shape(operand.value)
        if operand.is_literal:
            found.append(np.full(shape, -1))
        else:
            found.append(np.arange(start, start + prod(shape)).reshape(shape))
            start += prod(shape)
    return found


def move(operands: Sequence[Operand], source: Any, result: Operand) -> Entry:
    """The result as a choice of elements of the operands that are no literals."""
    source = np.asarray(source, np.int64)
    filled = np.asarray(result.value)[source == -1].astype(np.float64)
    fill: Any = 0.0
    if filled.size:
        is_one = np.array_equal(filled, np.full_like(filled, filled[0]), equal_nan=True)
        fill = float(filled[0]) if is_one else np.asarray(result.value, np.float64)
    places: list[Place] = [o.place for o in operands if not o.is_literal]
    return ("move", places, {"source": source, "fill": fill}, result.place)


def layout(equation: Equation) -> Meaning:
    """That of a primitive of `MOVES`: it is run on the numbers of the elements."""
    chosen = MOVED.get(equation.name, slice(None))
    operands = equation.operands[chosen]
    if all(operand.is_literal for operand in operands):
        return []
    given = [np.asarray(operand.value) for operand in equation.operands]
    given[chosen] = indices(operands)
    sources = moved(equation.name, equation.params, given)
    return [
        move(operands, source, result)
        for source, result in zip(sources, equation.results, strict=True)
        if result.is_floating
    ]


def same(operation: str) -> Rule:
    """The operation of the same operands."""
    return lambda eq: [(operation, eq.places, {}, eq.result)]


def with_constant(operation: str, scaled: str, setting: str, sides: set[int]) -> Rule:
    """The operation; with a constant on one of these sides, the operation `scaled`."""

    def rule(eq: Equation) -> Meaning:
        literals = [i for i, operand in enumerate(eq.operands) if operand.is_literal]
        if len(literals) == 1 and literals[0] in sides:
            x = eq.places[1 - literals[0]]
            return [(scaled, [x], {setting: eq.places[literals[0]]}, eq.result)]
        return [(operation, eq.places, {}, eq.result)]

    return rule


def reduction(operation: str) -> Rule:
    def rule(eq: Equation) -> Meaning:
        axes = tuple(int(axis) for axis in eq.params["axes"])
        if not axes:
            return [move(eq.operands, indices(eq.operands)[0], eq.results[0])]
        return [(operation, eq.places, {"axis": axes, "keepdims": False}, eq.result)]

    return rule


def square(eq: Equation) -> Meaning:
    return [("multiply", eq.places * 2, {}, eq.result)]


def integer_pow(eq: Equation) -> Meaning:
    """By squaring, as JAX does it; the reciprocal comes last."""
    x, exponent = eq.places[0], int(eq.params["y"])
    if exponent == 0:
        return []
    entries: list[Entry] = []
    product: Place | None = None
    left = abs(exponent)

    def times(a: Place, b: Place) -> Place:
        name = f"product {len(entries)}"
        entries.append(("multiply", [a, b], {}, name))
        return name

    while left:
        if left % 2:
            product = x if product is None else times(product, x)
        left //= 2
        if left:
            x = times(x, x)
    assert product is not None
    if exponent < 0:
        return [*entries, ("reciprocal", [product], {}, eq.result)]
    if not entries:
        return [move(eq.operands, indices(eq.operands)[0], eq.results[0])]
    operation, operands, settings, _ = entries[-1]
    return [*entries[:-1], (operation, operands, settings, eq.result)]


def power(eq: Equation) -> Meaning:
    """To the power of a constant, or of other values."""
    base, exponent = eq.operands
    numbers = np.unique(np.asarray(exponent.value, np.float64))
    if not exponent.is_fixed or len(numbers) != 1:
        return [("raised", eq.places, {}, eq.result)]
    return [("power", [base.place], {"exponent": float(numbers[0])}, eq.result)]


def clamp(eq: Equation) -> Meaning:
    least, x, most = eq.places
    return [
        ("maximum", [x, least], {}, "raised"),
        ("minimum", ["raised", most], {}, eq.result),
    ]


def cast(eq: Equation) -> Meaning:
    dtype = jnp.dtype(eq.results[0].value.dtype).name
    return [("cast", eq.places, {"dtype": dtype}, eq.result)]


def reduce_precision(eq: Equation) -> Meaning:
    """A cast to the dtype of these bits, and back."""
    bits = (eq.params["exponent_bits"], eq.params["mantissa_bits"])
    dtypes = {
        (5, 10): "float16",
        (8, 7): "bfloat16",
        (8, 23): "float32",
        (11, 52): "float64",
    }
    if bits not in dtypes:
        return None
    back = jnp.dtype(eq.results[0].value.dtype).name
    return [
        ("cast", eq.places, {"dtype": dtypes[bits]}, "short"),
        ("cast", ["short"], {"dtype": back}, eq.result),
    ]


def arranged(
    x: Operand, source: np.ndarray, name: str, dtype: Any
) -> tuple[list[Entry], Place]:
    """The entries that bring an operand into the order of `source` and to the dtype, and
    where it is then.
    """
    entries: list[Entry] = []
    place: Place = x.place
    if x.value.dtype != dtype:
        settings = {"dtype": jnp.dtype(dtype).name}
        entries.append(("cast", [place], settings, f"{name} cast"))
        place = f"{name} cast"
    own = indices([x])[0]
    if source.shape != own.shape or not np.array_equal(source, own):
        settings = {"source": source, "fill": 0.0}
        entries.append(("move", [place], settings, name))
        place = name
    return entries, place


def product_of(
    eq: Equation, left: np.ndarray, right: np.ndarray, back: Callable[..., np.ndarray]
) -> Meaning:
    """A matrix product of the two operands, each in the order of its `source`; `back`
    brings an array of the product's shape to the result's.
    """
    result = eq.results[0]
    dtype = result.value.dtype
    first, x = arranged(eq.operands[0], left, "left", dtype)
    second, y = arranged(eq.operands[1], right, "right", dtype)
    shape = (*left.shape[:-1], right.shape[-1])
    source = back(np.arange(prod(shape)).reshape(shape))
    entries = [*first, *second]
    if source.shape == shape and np.array_equal(source.ravel(), np.arange(source.size)):
        return [*entries, ("matmul", [x, y], {}, result.place)]
    settings = {"source": source, "fill": 0.0}
    return [
        *entries,
        ("matmul", [x, y], {}, "product"),
        ("move", ["product"], settings, result.place),
    ]


def dot_general(eq: Equation) -> Meaning:
    """Batch, free and contracted axes of either, in this order, each as one axis."""
    (of_x, of_y), (batch_x, batch_y) = eq.params["dimension_numbers"]
    x, y = (np.shape(operand.value) for operand in eq.operands)
    free_x = [i for i in range(len(x)) if i not in (*of_x, *batch_x)]
    free_y = [i for i in range(len(y)) if i not in (*of_y, *batch_y)]
    batch = [prod(x[i] for i in batch_x)] if batch_x else []
    inner = prod(x[i] for i in of_x)
    rows, columns = prod(x[i] for i in free_x), prod(y[i] for i in free_y)
    left = indices([eq.operands[0]])[0].transpose(*batch_x, *free_x, *of_x)
    right = indices([eq.operands[1]])[0].transpose(*batch_y, *of_y, *free_y)
    shape = np.shape(eq.results[0].value)
    return product_of(
        eq,
        left.reshape(*batch, rows, inner),
        right.reshape(*batch, inner, columns),
        lambda product: product.reshape(shape),
    )


def gather(eq: Equation) -> Meaning:
    """Run on the numbers of the elements; -1 where it reads outside."""
    x, where = eq.operands
    with jax.enable_x64(True):
        given = [indices([x])[0], np.asarray(where.value)]
        (source,) = evaluated(eq.jaxpr, eq.eqn, given, eq.params | {"fill_value": -1})
    return [move([x], source, eq.results[0])]


def scatter_arguments(params: dict[str, Any]) -> dict[str, Any]:
    """What `lax.scatter` is called with, of the parameters of its primitive."""
    names = ("dimension_numbers", "indices_are_sorted", "unique_indices", "mode")
    return {name: params[name] for name in names}


def scatter(eq: Equation) -> Meaning:
    """Run on the numbers of the elements; None where what wrote last is not known."""
    x, where, updates = eq.operands
    with jax.enable_x64(True):
        own, new = indices([x, updates])
        source = lax.scatter(own, where.value, new, **scatter_arguments(eq.params))
    return checked([move([x, updates], source, eq.results[0])], [x, updates], eq)


def scatter_add(eq: Equation) -> Meaning:
    """Every update is added to the element that the derivative of scatter takes it from."""
    x, where, updates = eq.operands
    with jax.enable_x64(True):
        zeros = jnp.zeros(np.shape(x.value), jnp.float64)
        numbers = 1.0 + jnp.arange(zeros.size, dtype=jnp.float64)

        def added(new: Any) -> Any:
            return lax.scatter_add(
                zeros, where.value, new, **scatter_arguments(eq.params)
            )

        _, back = jax.vjp(added, jnp.zeros(np.shape(updates.value), jnp.float64))
        (found,) = back(numbers.reshape(zeros.shape))
    target = np.asarray(found).astype(np.int64) - 1
    settings = {"target": target, "shape": zeros.shape}
    if x.is_fixed and not np.any(np.asarray(x.value)):
        return [("collect", [updates.place], settings, eq.result)]
    return [
        ("collect", [updates.place], settings, "collected"),
        ("add", [x.place, "collected"], {}, eq.result),
    ]


def sort(eq: Equation) -> Meaning:
    """By the permutation of the values that were there."""
    axis = eq.params["dimension"]
    shape = np.shape(eq.operands[0].value)
    numbers = np.arange(prod(shape), dtype=np.int32).reshape(shape)
    arrays: list[Any] = [*(operand.value for operand in eq.operands), numbers]
    found = lax.sort(
        arrays,
        dimension=axis,
        num_keys=eq.params["num_keys"],
        is_stable=True,
    )
    entries = [
        move([operand], found[-1], result)
        for operand, result in zip(eq.operands, eq.results, strict=True)
        if result.is_floating
    ]
    floating = [operand for operand in eq.operands if operand.is_floating]
    return checked(entries, floating, eq)


def top_k(eq: Equation) -> Meaning:
    x, (values, places) = eq.operands[0], eq.results
    axis = eq.params.get("axis", -1)
    chosen = np.asarray(places.value)
    return [move([x], np.take_along_axis(indices([x])[0], chosen, axis), values)]


def checked(entries: list[Entry], operands: Sequence[Operand], eq: Equation) -> Meaning:
    """The moves, unless they do not give what was recorded, bit for bit."""
    known = {o.place: np.asarray(o.value) for o in operands if not o.is_literal}
    results = {result.place: np.asarray(result.value) for result in eq.results}
    for _, places, settings, result in entries:
        given = np.concatenate([known[place].ravel() for place in places])  # type: ignore[index]
        source = settings["source"]
        found = np.where(source == -1, settings["fill"], given[source])
        if not np.array_equal(found, results[result], equal_nan=True):  # type: ignore[index]
            return None
    return entries


UNARY = {
    "neg": "negate",
    "exp": "exp",
    "log": "log",
    "log1p": "log1p",
    "expm1": "expm1",
    "tanh": "tanh",
    "logistic": "sigmoid",
    "erf": "erf",
    "erfc": "erfc",
    "sin": "sin",
    "cos": "cos",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "abs": "abs",
}
BINARY = {
    "add": "add",
    "add_any": "add",
    "sub": "subtract",
    "max": "maximum",
    "min": "minimum",
}
REDUCTIONS = {
    "reduce_sum": "sum",
    "reduce_prod": "product",
    "reduce_max": "max",
    "reduce_min": "min",
}
# Their results are data, although they are floating.
DATA = {
    "sign",
    "floor",
    "ceil",
    "round",
    "random_bits",
    "rng_uniform",
    "rng_bit_generator",
}
RULES: dict[str, Rule] = {
    **{name: same(operation) for name, operation in (UNARY | BINARY).items()},
    **{name: reduction(operation) for name, operation in REDUCTIONS.items()},
    "mul": with_constant("multiply", "scale", "factor", {0, 1}),
    "div": with_constant("divide", "over", "n", {1}),
    "square": square,
    "integer_pow": integer_pow,
    "pow": power,
    "clamp": clamp,
    "convert_element_type": cast,
    "reduce_precision": reduce_precision,
    "dot_general": dot_general,
    "gather": gather,
    "scatter": scatter,
    "scatter-add": scatter_add,
    "sort": sort,
    "top_k": top_k,
}
