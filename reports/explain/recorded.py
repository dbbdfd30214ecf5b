"""A function of one's own as the engine recorded it, with a name for every value.

`parity_tests.functions` records functions in order to compare them, each framework's
operators in its own words. Here these are written with the names of inputs, outputs and
gradients, and looked at from above: the room's `hood` tells what else there is to see.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from itertools import count, product
from string import ascii_lowercase
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.arguments import states_kept
from gradparity.parity_tests.functions.programs import Executed, Recording
from gradparity.parity_tests.functions.running import Ran
from gradparity.parity_tests.functions.targets import sentence
from gradparity.parity_tests.implementations.user_supplied import Left
from gradparity.reports.explain.observing import ROOMS

Graph = dict[str, list[dict[str, Any]]]
PHASES = ("forward", "backward")
ARRAY = re.compile(r"\b(?:float|int|uint|bool)\d*\[[\d,]*\]")  # float32[2,3]
VALUE = re.compile(r"\bv(\d+)\b")
SIGNS = {
    **{"multiply": "×", "add": "+", "subtract": "−", "divide": "÷", "matmul": "@"},
    **{"true_divide": "÷", "power": "^", "negative": "×(−1)", "dot": "dot"},
    **{"greater": ">", "greater_equal": "≥", "less": "<", "less_equal": "≤"},
    **{"equal": "=", "not_equal": "≠"},
    **{"add.reduce": "sum", "maximum.reduce": "max", "minimum.reduce": "min"},
}


@dataclass(frozen=True, eq=False)
class Hooded:
    """What a room's `hood` tells of a function.

    Args:
        graph, kept: what `hood.graph` and `hood.remembered` return.
        more: what only this room has to show.
    """

    graph: Graph
    kept: list[dict[str, Any]]
    more: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Part:
    """A function on a page.

    Args:
        key: what it goes by in data: its framework, where no other has the same.
        name: its own, as in what was found of it.
        label: for people, with its framework.
        ran: as it ran on the numbers given, in the dtype that was asked for.
    """

    key: str
    name: str
    label: str
    ran: Ran

    @property
    def framework(self) -> str:
        return self.ran.call.target.framework

    @property
    def recording(self) -> Recording:
        return self.ran.recording

    @cached_property
    def names(self) -> dict[int, str]:
        """What every value is called."""
        return {**special(self.ran), **others(self.ran)}

    def code(self, step: Executed) -> str:
        """The call in one line, with the values' names."""
        write = {"jax": equation, "torch": operator}.get(self.framework, by_hand)
        return write(step, self.names, self.recording)

    def steps(self, phase: str) -> list[dict[str, Any]]:
        """What ran in a phase, for machines."""
        values = self.recording.values
        return [
            {
                "code": self.code(step),
                "name": self.names[step.results[0]] if step.results else "",
                "value": values[step.results[0]] if step.results else None,
                "operator": step.operator,
                "where": step.where,
            }
            for step in self.recording.executed
            if step.phase == phase
        ]

    @cached_property
    def hooded(self) -> Hooded | str | None:
        """What the room's `hood` tells; why it cannot; None where there is no more to
        tell, as of NumPy's functions.
        """
        if self.framework == "numpy":
            return None
        try:
            with states_kept(), np.errstate(all="ignore"):
                return looked(self.ran)
        except Left:
            raise
        except Exception as error:  # it looks at less than what can be compared
            return sentence(error)

    @cached_property
    def graph(self) -> Graph:
        """The picture: that of the `hood`, or else the steps of forward."""
        if isinstance(self.hooded, Hooded):
            return self.hooded.graph
        return drawn(self)

    @property
    def drawn_output(self) -> str:
        """Which of several outputs the picture shows; "" where it shows all."""
        several = len(self.ran.call.output_names) > 1
        if not several or not isinstance(self.hooded, Hooded):
            return ""
        return self.ran.call.output_names[shown_output(self.ran)]

    def facts(self) -> dict[str, Any]:
        """What was seen, for machines."""
        names = {*self.ran.call.output_names}
        values = self.ran.values
        outs = {name: value for name, value in values.items() if name in names}
        found: dict[str, Any] = {
            "name": self.name,
            "framework": self.framework,
            "out": next(iter(outs.values())) if len(outs) == 1 else outs,
            "gradients": {n: v for n, v in values.items() if n not in names},
            "graph": self.graph,
            "steps": {phase: self.steps(phase) for phase in PHASES},
        }
        if isinstance(self.hooded, Hooded):
            found |= {"remembered": self.hooded.kept, **self.hooded.more}
        return found


# --- Names ------------------------------------------------------------------------------


def special(ran: Ran) -> dict[int, str]:
    """Inputs, what arrives at the outputs, outputs and gradients."""
    call, recording = ran.call, ran.recording
    found: dict[int, str] = {}
    named = [
        *zip(recording.inputs, call.names, strict=True),
        *zip(recording.seeds, [f"d{n}" for n in call.output_names], strict=True),
        *zip(recording.outputs, call.output_names, strict=True),
        *zip(recording.gradients, call.gradient_names, strict=True),
    ]
    for number, name in named:
        if number is None or name is None or number in found:
            continue
        while name in found.values():  # an input may be called like it
            name += "_"
        found[number] = name
    return found


def others(ran: Ran) -> dict[int, str]:
    """All other values: with JAX's letters, or counted."""
    taken = special(ran)
    framework = ran.call.target.framework
    counted = "r" if framework == "torch" else "v"
    names = letters() if framework == "jax" else (f"{counted}{n}" for n in count(1))
    fresh = (name for name in names if name not in taken.values())
    numbers = range(len(ran.recording.values))
    return {number: next(fresh) for number in numbers if number not in taken}


def letters() -> Iterator[str]:
    """Yield a, b, ..., z, aa, ab, ..."""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))


# --- Code -------------------------------------------------------------------------------


def equation(step: Executed, names: dict[int, str], recording: Recording) -> str:
    """An equation of a jaxpr: `b:f32[2] = mul a 2.0:f32[]`."""
    words = step.code.split(" ")
    for place, number in enumerate(step.results):
        words[place] = f"{names[number]}:{words[place].partition(':')[2]}"
    behind = len(step.operands) + len(step.settings.get("constants", ()))
    places = range(len(words) - behind, len(words))
    variables = [place for place in places if ":" not in words[place]]
    if len(variables) == len(step.operands):
        for place, number in zip(variables, step.operands, strict=True):
            words[place] = names[number]
    return " ".join(words)


def operator(step: Executed, names: dict[int, str], recording: Recording) -> str:
    """An operator of ATen: `r1 = aten::mul(x, 2)`."""
    call = VALUE.sub(lambda found: names[int(found[1])], step.code)
    if "(" not in call:
        call = f"{step.operator}({', '.join(names[n] for n in step.operands)})"
    return assigned(step, names, call)


def by_hand(step: Executed, names: dict[int, str], recording: Recording) -> str:
    """A call of NumPy: `v1 = multiply(x, 2)`."""
    values = [recording.values[number] for number in step.operands]
    written = [f"{v.dtype}[{','.join(map(str, v.shape))}]" for v in values]
    call = step.code
    if ARRAY.findall(call) == written:
        queue = iter(step.operands)
        call = ARRAY.sub(lambda _: names[next(queue)], call)
    return assigned(step, names, call or step.operator)


def assigned(step: Executed, names: dict[int, str], call: str) -> str:
    made = ", ".join(names[number] for number in step.results)
    return f"{made} = {call}" if made else call


# --- Looking from above -----------------------------------------------------------------


def shown_output(ran: Ran) -> int:
    """The first output that can be differentiated."""
    values, outputs = ran.recording.values, ran.recording.outputs
    kinds = [values[number].dtype.kind for number in outputs]
    return kinds.index("f") if "f" in kinds else 0


def looked(ran: Ran) -> Hooded:
    """Look under the hood of a room, which takes functions of arrays by name."""
    call, position = ran.call, shown_output(ran)
    hood = import_module(f"gradparity.{ROOMS[call.target.framework]}.hood")
    inputs = dict(zip(call.names, call.leaves, strict=True))
    seeds = call.seeds or [np.ones(shape, ran.dtype) for shape in call.shapes]
    function, dout = by_name(ran, position), seeds[position]
    if call.target.framework == "torch":
        more = {"nodes": hood.autograd_nodes(function, inputs, dout)}
    else:
        more = {
            "jaxprs": hood.jaxprs(function, inputs, dout),
            "compiled": hood.compiled(function, inputs, dout),
        }
    kept = hood.remembered(function, inputs)
    return Hooded(hood.graph(function, inputs, dout), kept, more)


def by_name(ran: Ran, position: int) -> Callable[..., Any]:
    """The function of arrays by name to one of its outputs."""
    call = ran.call

    def function(**arrays: Any) -> Any:
        return call.function(*(arrays[name] for name in call.names))[position]

    function.__name__ = call.target.name.rpartition(":")[2] or "function"
    return function


def drawn(part: Part) -> Graph:
    """The steps that the outputs come of, as a graph; gradients are known of the inputs
    alone.
    """
    recording = part.recording
    makers, values = recording.makers, recording.values
    needed: set[int] = set()
    todo = [*recording.outputs]
    while todo:
        number = todo.pop()
        if number not in needed:
            needed.add(number)
            todo += makers[number].operands if number in makers else []
    made = [n for step in recording.executed for n in step.results if n in needed]
    order = [*dict.fromkeys([*recording.inputs, *sorted(needed - {*made}), *made])]
    gradients = dict(zip(recording.inputs, recording.gradients, strict=True))
    place = {number: index for index, number in enumerate(order)}
    found = {number: gradients.get(number) for number in order}
    edges = [
        {
            "name": part.names[number],
            "value": values[number],
            "gradient": None if gradient is None else values[gradient],
        }
        for number, gradient in found.items()
    ]
    nodes = [
        {
            "op": sign(makers[number]),
            "inputs": [place[operand] for operand in makers[number].operands],
            "output": place[number],
            "gradients": [None for _ in makers[number].operands],
            "where": makers[number].where,
        }
        for number in made
    ]
    return {"nodes": nodes, "edges": edges}


def sign(step: Executed) -> str:
    """A short sign or word, with the number among its operands."""
    name = step.operator.rpartition("::")[2].removeprefix("numpy.")
    short = SIGNS.get(name, name)
    constant = step.settings.get("constant")
    if len(step.operands) != 1 or not isinstance(constant, float | int):
        return short
    text = f"{constant:.6g}".replace("-", "−")
    if short.isidentifier():
        return f"{short}({text})"
    first = ARRAY.search(step.code)
    comma = step.code.find(",")
    return (
        f"{text} {short}" if first and 0 < comma < first.start() else f"{short} {text}"
    )
