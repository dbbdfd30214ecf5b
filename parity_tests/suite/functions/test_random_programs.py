"""Random programs of ten operations, written in PyTorch and in JAX: they are never taken
for different; and where an operation of one of them is replaced, that is told and located.

By `make test-deep`, 10,000 of each, in ten parts.
"""

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gradparity.parity_tests.functions.judging import Judged, judge
from gradparity.parity_tests.functions.operators import judge_operators
from gradparity.parity_tests.functions.parting import Parting, partings, sides
from gradparity.parity_tests.functions.programs import Executed
from gradparity.parity_tests.functions.rooms import BACKENDS, record
from gradparity.parity_tests.measuring.arithmetic import arithmetic

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
F, jnp, nn = torch.nn.functional, jax.numpy, jax.nn

pytestmark = pytest.mark.usefixtures("without_shape_checks")
DEEP = settings().max_examples >= 1000
PARTS = pytest.mark.parametrize("part", range(10 if DEEP else 1))
EXAMPLES = settings().max_examples // (10 if DEEP else 4)
Array = Any
ROWS, COLUMNS = 3, 4
STEPS = 10
EPS = 1e-5
SEEN = 1e-8  # a relative difference that is one

# What both have, of one operand or two, a line each.
IN_TORCH: dict[str, Callable[..., Array]] = {
    "tanh": lambda x: torch.tanh(x),
    "sine": lambda x: torch.sin(x),
    "cosine": lambda x: torch.cos(x),
    "sigmoid": lambda x: torch.sigmoid(x),
    "bell": lambda x: torch.exp(-x * x),
    "logarithm": lambda x: torch.log(x * x + 1),
    "root": lambda x: torch.sqrt(x * x + 1),
    "gelu": lambda x: F.gelu(x),
    "silu": lambda x: F.silu(x),
    "softplus": lambda x: F.softplus(x),
    "relu": lambda x: torch.relu(x),
    "size": lambda x: torch.abs(x),
    "softmax": lambda x: torch.softmax(x, -1),
    "log softmax": lambda x: torch.log_softmax(x, -1),
    "layer norm": lambda x: F.layer_norm(x, (COLUMNS,), eps=EPS),
    "centred": lambda x: x - x.mean(-1, keepdim=True),
    "cumulative": lambda x: torch.cumsum(x, -1),
    "turned": lambda x: torch.flip(x, (0,)),
    "third": lambda x: x / 3,
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "product": lambda x, y: x * y,
    "quotient": lambda x, y: x / (1 + y * y),
    "larger": lambda x, y: torch.maximum(x, y),
    "smaller": lambda x, y: torch.minimum(x, y),
    "weighted": lambda x, y: x * y.sum(-1, keepdim=True),
    "matrix product": lambda x, y: x @ (y.T @ y) / 4,
    "chosen": lambda x, y: torch.where(y > 0, x, y),
}
IN_JAX: dict[str, Callable[..., Array]] = {
    "tanh": lambda x: jnp.tanh(x),
    "sine": lambda x: jnp.sin(x),
    "cosine": lambda x: jnp.cos(x),
    "sigmoid": lambda x: nn.sigmoid(x),
    "bell": lambda x: jnp.exp(-(x * x)),
    "logarithm": lambda x: jnp.log(1 + x**2),
    "root": lambda x: jnp.sqrt(1 + x * x),
    "gelu": lambda x: nn.gelu(x, approximate=False),
    "silu": lambda x: x * nn.sigmoid(x),
    "softplus": lambda x: nn.softplus(x),
    "relu": lambda x: nn.relu(x),
    "size": lambda x: jnp.abs(x),
    "softmax": lambda x: nn.softmax(x, -1),
    "log softmax": lambda x: nn.log_softmax(x, -1),
    "layer norm": lambda x: nn.standardize(x, -1, epsilon=EPS),
    "centred": lambda x: x - jnp.mean(x, -1, keepdims=True),
    "cumulative": lambda x: x @ jnp.triu(jnp.ones((COLUMNS, COLUMNS), x.dtype)),
    "turned": lambda x: x[::-1],
    "third": lambda x: x / 3,
    "sum": lambda x, y: y + x,
    "difference": lambda x, y: x - y,
    "product": lambda x, y: y * x,
    "quotient": lambda x, y: x / (1 + y**2),
    "larger": lambda x, y: jnp.maximum(x, y),
    "smaller": lambda x, y: jnp.minimum(x, y),
    "weighted": lambda x, y: x * y.sum(-1, keepdims=True),
    "matrix product": lambda x, y: x @ (y.T @ y) / 4,
    "chosen": lambda x, y: jnp.where(y > 0, x, y),
}
TABLES = {"torch": IN_TORCH, "jax": IN_JAX}
UNARY = [
    name for name, f in IN_TORCH.items() if len(inspect.signature(f).parameters) == 1
]
BINARY = [name for name in IN_TORCH if name not in UNARY]


@dataclass(frozen=True)
class Operation:
    """One of a program: its name, and the numbers of its operands among what came before,
    from the last one backwards.
    """

    name: str
    operands: tuple[int, ...]


Program = tuple[Operation, ...]


@st.composite
def programs(draw: Any) -> Program:
    """Each operation takes what the one before it made, so that nothing is idle."""
    found = []
    for step in range(STEPS):
        name = draw(st.sampled_from(UNARY + BINARY))
        others = st.integers(1, step + 1)  # two inputs are there from the beginning
        found.append(Operation(name, (0,) if name in UNARY else (0, draw(others))))
    return tuple(found)


def function_of(program: Program, room: str) -> Callable[..., tuple[Array, ...]]:
    table = TABLES[room]

    def function(x: Array, y: Array) -> tuple[Array, ...]:
        made = [x, y]
        for operation in program:
            operands = [made[-1 - back] for back in operation.operands]
            made.append(table[operation.name](*operands))
        return (made[-1],)

    return function


@cache
def leaves(dtype: str, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = (rng.uniform(-2, 2, (ROWS, COLUMNS)) for _ in range(2))
    return [x.astype(dtype), y.astype(dtype)]


def ran(program: Program, room: str, dtype: str, seed: int = 0) -> Judged:
    seeds = [np.random.default_rng(9).standard_normal((ROWS, COLUMNS)).astype(dtype)]
    run = partial(
        record, room, function_of(program, room), leaves(dtype, seed), dtype, seeds
    )
    recording = run()
    first, second = recording.gradients
    assert first is not None
    assert second is not None
    quantities = {"out": recording.outputs[0], "dx": first, "dy": second}
    unit = arithmetic(BACKENDS[room], dtype).unlimited
    return Judged(recording, quantities, unit, lambda scale, seed: run((scale, seed)))


def values(judged: Judged) -> dict[str, np.ndarray]:
    return {name: judged.value(name) for name in judged.quantities}


# The same number everywhere: its gradients are 0, and rounding of the third order.
NOTHING = tuple(
    Operation(*each)
    for each in (
        *(
            ("tanh", (0,)),
            ("layer norm", (0,)),
            ("sum", (0, 1)),
            ("difference", (0, 2)),
        ),
        *(("tanh", (0,)), ("weighted", (0, 1)), ("tanh", (0,)), ("tanh", (0,))),
        *(("cosine", (0,)), ("softmax", (0,))),
    )
)


@PARTS
@settings(max_examples=EXAMPLES)
@example(program=NOTHING)
@given(program=programs())
def test_the_same_program_is_the_same(program: Program, part: int) -> None:
    wide = [ran(program, room, "float64") for room in TABLES]
    narrow = [ran(program, room, "float32") for room in TABLES]
    for judged in (*wide, *narrow):
        found = judge_operators(judged.recording, judged.arithmetic)
        assert found.failed == []
    assert [number for number in judge(wide) if not number.same] == []
    bounded = [
        Judged(w.recording, w.quantities, n.arithmetic, w.noisy)
        for w, n in zip(wide, narrow, strict=True)
    ]
    numbers = judge(bounded, [values(each) for each in narrow])
    assert [number for number in numbers if not number.same] == []


# --- One operation replaced ---------------------------------------------------------------


@st.composite
def replaced(draw: Any) -> tuple[Program, Program, int]:
    """A program, the same with another operation in one place, and where."""
    program = draw(programs())
    place = draw(st.integers(0, STEPS - 1))
    old = program[place]
    kind = UNARY if old.name in UNARY else BINARY
    name = draw(st.sampled_from([each for each in kind if each != old.name]))
    other = (*program[:place], Operation(name, old.operands), *program[place + 1 :])
    return program, other, place


def differ(one: Judged, other: Judged) -> bool:
    """Whether there is a difference that is no rounding of numbers that are 0."""
    every = *values(one).values(), *values(other).values()
    size = max(1e-3, *(np.abs(x).max() for x in every))
    return any(
        np.abs(one.value(q) - other.value(q)).max() > SEEN * size
        for q in one.quantities
    )


def made(program: Program) -> list[np.ndarray]:
    """What the inputs are, and each operation makes, in order of size."""
    found = [torch.from_numpy(leaf) for leaf in leaves("float64", 0)]
    for operation in program:
        operands = [found[-1 - back] for back in operation.operands]
        found.append(IN_TORCH[operation.name](*operands))
    return [np.sort(each.numpy(), axis=None) for each in found]


def made_elsewhere(program: Program, other: Program, place: int) -> bool:
    """Whether either program makes, somewhere, what the other makes in this place: then
    only where it is used can tell that something was replaced.
    """
    one, two = made(program), made(other)
    alike = [
        any(np.allclose(own[place + 2], x, atol=1e-9) for x in theirs)
        for own, theirs in ((one, two), (two, one))
    ]
    return all(alike)


def at_line(step: Executed, room: str, name: str) -> bool:
    """Whether a step is where the table has this operation."""
    line = TABLES[room][name].__code__.co_firstlineno
    return step.where.rpartition(":")[2] == str(line)


@PARTS
def test_an_operation_that_is_replaced_is_told_and_located(part: int) -> None:
    count: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(replaced())
    def drawn(changed: tuple[Program, Program, int]) -> None:
        program, other, place = changed
        lots = [
            (ran(other, "torch", "float64", seed), ran(program, "jax", "float64", seed))
            for seed in (0, 1)
        ]
        if not any(differ(*pair) for pair in lots):
            count["the same function"] += 1
            return
        told = [n.quantity for pair in lots for n in judge(pair) if not n.same]
        assert told
        if all(number.same for number in judge(lots[0])):
            lots = lots[::-1]
        wrong = list(dict.fromkeys(told))
        found = partings(*sides(lots), wrong, "out" in wrong)
        names = other[place].name, program[place].name
        count["told"] += 1
        if not made_elsewhere(program, other, place):
            assert located(found, names)
            count["located"] += 1

    drawn()
    assert count["told"] + count["the same function"] >= EXAMPLES
    assert count["located"] > 4 * count["the same function"]


def located(found: tuple[Parting, Parting], names: tuple[str, str]) -> bool:
    """Whether the first step that differs is in the operation that was replaced, on either
    side.
    """
    return any(
        at_line(parting.steps[0], room, name)
        for parting, room, name in zip(found, TABLES, names, strict=True)
        if parting.steps
    )
