"""Looks into a layer while it runs: every statement with the number that it gave, the
computational graph with the values on its edges, and what is kept for backward.

The layers are run as they stand. Python calls a trace function before every line, which
is how debuggers are made (`sys.settrace`); what one such recording holds is all that the
functions here read.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from gradparity.reference import functions, layers, networks, training
from gradparity.reference.hood import nodes

Arrays = dict[str, np.ndarray]
Step = dict[str, Any]

# Whose statements are recorded. The checks in arrays.py compute nothing.
ROOM = {
    m.__name__: m.__file__
    for m in (layers, nodes, functions, networks.two_layer_net, training.loop)
}
METHODS = ("forward", "backward", "backward_params", "trace")  # what `listing` shows
EXITS: dict[type, str] = {ast.Return: "return", ast.Yield: "yield"}
# A name to call an edge by: a variable's, or the key in `flow["Affine1"] = ...`.
VARIABLE = re.compile(r'(?!return\b)(?:\w+\[")?(\w+)(?:"\])?')


def graph(layer: Any, inputs: Arrays, dout: np.ndarray) -> dict[str, list[Any]]:
    """The computational graph, run forward and backward: {"nodes": ..., "edges": ...}.

    A node is a layer whose forward calls no other layer's. What one layer returned and
    another was given is one edge, named after the variable that held it, else v1, v2,
    and so on. The parameters that a layer was constructed with are inputs of it, too.

    Args:
        layer: a layer's class; or `TwoLayerNet`, of which `trace` is run: it does what
            `gradient` does, but keeps all on the way and goes back as far as dx.
        inputs: the arguments of constructor and forward by name; of the network x, t,
            W1, b1, W2 and b2.
        dout: in the shape of the output. The network ends in its loss, where it is 1.

    Returns edges (name, value, gradient) with the inputs first, and nodes (op, inputs,
    output, gradients, where) in the order of forward. A node's gradients are what it
    sends back to each input; an edge's gradient is the sum of what it is sent.
    """
    inputs = _copied(inputs)
    run = _run(layer, inputs, dout)
    sent = {id(c.layer): c.result for c in run.calls if c.method == "backward"}
    variables = {}
    for step, value in run.steps[: run.turn]:
        if match := VARIABLE.fullmatch(step["name"]):
            variables[id(value)] = match[1]
    edges: list[dict[str, Any]] = []
    known: list[Any] = []  # the objects that the edges are

    def new_edge(value: Any, name: str) -> int:
        taken = ("out", "", *(edge["name"] for edge in edges))
        free = (v for i in count(1) if (v := f"v{i}") not in taken)
        name = next(free) if name in taken else name
        edges.append({"name": name, "value": np.array(value), "gradient": None})
        known.append(value)
        return len(edges) - 1

    def edge_of(value: Any, name: str) -> int:
        same = [i for i, other in enumerate(known) if other is value]
        if not same:  # if it was cast on the way, it is another object, but equal
            same = [i for i, other in enumerate(known) if _equal(other, value)]
        return same[-1] if same else new_edge(value, name)

    def node(call: _Call) -> dict[str, Any]:
        back = sent[id(call.layer)]
        flow = iter(back if isinstance(back, tuple) else (back,))
        given = [
            (name, value, next(flow) if _is_float(value) else None)
            for name, value in call.arguments.items()
        ]
        for name in inspect.signature(type(call.layer)).parameters:
            gradient = getattr(call.layer, "d" + name)
            given.append((name, getattr(call.layer, name), gradient))
        return {
            "op": getattr(call.layer, "sign", type(call.layer).__name__),
            "inputs": [edge_of(value, name) for name, value, _ in given],
            "output": new_edge(call.result, variables.get(id(call.result), "")),
            "gradients": [d if d is None else np.array(d) for *_, d in given],
            "where": call.where,
        }

    for name, value in inputs.items():
        new_edge(value, name)
    drawn = [node(c) for c in run.calls if c.method == "forward" and c.leaf]
    edges[-1].update(name="out", gradient=np.array(dout))
    for one in drawn:
        for i, gradient in zip(one["inputs"], one["gradients"], strict=True):
            if gradient is not None:
                before = edges[i]["gradient"]
                edges[i]["gradient"] = gradient if before is None else before + gradient
    return {"nodes": drawn, "edges": edges}


def steps(layer: Any, inputs: Arrays, dout: np.ndarray) -> dict[str, list[Step]]:
    """Every statement of forward and of backward with its value, as `statements` has it.

    `layer`, `inputs` and `dout` are as for `graph`; or `layer` is a plain function that
    takes the inputs by name, and `dout` is not used. Backward is all that is finished
    after a layer's backward was first called.
    """
    run = _run(layer, _copied(inputs), dout)
    every = [step for step, _ in run.steps]
    turn = len(every) if run.turn is None else run.turn
    return {"forward": every[:turn], "backward": every[turn:]}


def remembered(layer: Any, inputs: Arrays) -> list[dict[str, Any]]:
    """The arrays that a layer, or one inside it, holds between forward and backward.

    `layer` and `inputs` are as for `graph`. For each: name, owner (the layer's class,
    or what a layer inside it is called there, such as Affine1), shape, dtype, bytes,
    same_as (whose memory it is anyway: an input's, "out", or an earlier owner.name),
    where (the statement that put it there), value, and read (whether the source of
    backward reads it). A parameter that backward does not read is not kept for it.
    """
    inputs = _copied(inputs)

    def forward() -> tuple[Any, Any]:
        made, arguments = build(layer, inputs)
        network = layer is networks.TwoLayerNet
        return made, (made.loss if network else made.forward)(**arguments)

    run = _record(forward)
    made, out = run.result
    known: dict[str, Any] = {**inputs, "out": out}
    found = []
    for owner, inner in _layers(layer.__name__, made):
        parameters, reads = inspect.signature(type(inner)).parameters, _reads(inner)
        for name, value in vars(inner).items():
            if not isinstance(value, np.ndarray | np.generic):
                continue
            if name in parameters and name not in reads:
                continue
            place = (type(inner).__name__, f"self.{name}")
            put = [
                step["where"]
                for step, other in run.steps
                if other is value and (step["owner"], step["name"]) == place
            ]
            same = [key for key, other in known.items() if _one_memory(other, value)]
            found.append(
                {
                    "name": name,
                    "owner": owner,
                    "shape": value.shape,
                    "dtype": str(value.dtype),
                    "bytes": value.nbytes,
                    "same_as": same[0] if same else "",
                    "where": put[0] if put else "",
                    "value": np.array(value),
                    "read": name in reads,
                }
            )
            known[f"{owner}.{name}"] = value
    return found


def _reads(layer: Any) -> set[str]:
    """The attributes that a layer's backward mentions."""
    methods = [getattr(type(layer), m, None) for m in ("backward", "backward_params")]
    codes = [inspect.unwrap(method).__code__ for method in methods if method]
    return {name for code in codes for name in code.co_names}


def listing(layer: Any) -> list[dict[str, Any]]:
    """The source as it stands of what `steps` runs of a layer: its own methods, those
    of the layers inside, and the functions they use, each once.

    For each: owner (the class or function), file, start (its first line) and text.
    """
    found = []
    owners = [layer]
    for owner in owners:  # which grows meanwhile
        members = vars(owner) if inspect.isclass(owner) else {"": owner}
        for name, member in members.items():
            if not inspect.isfunction(member):
                continue
            function = inspect.unwrap(member)
            if name in ("", *METHODS):
                lines, start = inspect.getsourcelines(function)
                found.append(
                    {
                        "owner": owner.__name__,
                        "file": _place(function.__code__.co_filename),
                        "start": start,
                        "text": textwrap.dedent("".join(lines)),
                    }
                )
            for used in map(function.__globals__.get, function.__code__.co_names):
                if getattr(used, "__module__", "") in ROOM and used not in owners:
                    owners.append(used)
    return found


def statements(call: Callable[[], Any]) -> list[Step]:
    """Run `call()` and tell every statement of this room that it executed.

    They come in the order in which they were finished: one that calls a layer comes
    after the layer's own. Each has code, name (what it assigned, or "return"), value (a
    copy, made at that moment; None where there is no number), owner (the class or the
    function) and where. A statement that gives several values is several steps.

    The trace function that was set before is set again, whatever happens.
    """
    return [step for step, _ in _record(call).steps]


@dataclass(frozen=True)
class _Statement:
    code: str
    where: str
    targets: tuple[str, ...]  # what it assigns
    exit: str  # "return" or "yield", or "" if it is neither
    body: int  # the first line inside it, or 0

    def gave(self, frame: FrameType, event: str, arg: Any) -> list[tuple[str, Any]]:
        """What it computed, now that it is finished: names and numbers.

        What it assigned is looked up by its source, in the variables of the frame.
        """
        named = [(t, eval(t, frame.f_globals, frame.f_locals)) for t in self.targets]
        if event == "return" and self.exit:
            named = [(self.exit, arg)]
        numbers = [number for name, value in named for number in _numbers(name, value)]
        return numbers or [(", ".join(name for name, _ in named), None)]


@dataclass
class _Call:
    """A call of some layer's forward or backward."""

    layer: Any
    method: str
    arguments: dict[str, Any]
    result: Any = None
    leaf: bool = True  # until it calls a layer inside
    where: str = ""  # the statement that returned the result


@dataclass
class _Run:
    """What was recorded. Beside each step is the object itself: while it is kept, no
    other can have its identity.
    """

    steps: list[tuple[Step, Any]] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    turn: int | None = None  # how many steps there were before the first backward
    result: Any = None


def _record(call: Callable[[], Any]) -> _Run:
    run = _Run()
    unfinished: list[_Call] = []

    def enter(frame: FrameType, event: str, arg: Any) -> Any:
        """A function is entered: who is to be told of its lines, if anybody?"""
        code = frame.f_code
        if code.co_filename not in ROOM.values() or code.co_name.startswith("<"):
            return None
        at_line = _statements_of(code.co_filename)
        owner = code.co_qualname.split(".")[0]
        now: _Statement | None = None
        this: _Call | None = None
        if code.co_name in ("forward", "backward"):
            me, *names = code.co_varnames[: code.co_argcount]
            arguments = {name: frame.f_locals[name] for name in names}
            this = _Call(frame.f_locals[me], code.co_name, arguments)
            if code.co_name == "backward" and run.turn is None:
                run.turn = len(run.steps)
            if unfinished:
                unfinished[-1].leaf = False
            run.calls.append(this)
            unfinished.append(this)

        def follow(frame: FrameType, event: str, arg: Any) -> Any:
            """A line is reached, or the end: the statement before it is finished."""
            nonlocal now
            reached = at_line.get(frame.f_lineno) if event == "line" else None
            if event == "line" and reached is now:
                return follow  # one more line of the same statement
            over = now and now.targets and now.body and reached is not at_line[now.body]
            if now and event != "exception" and not over:  # over: a loop's last look
                for name, value in now.gave(frame, event, arg):
                    step: Step = {"code": now.code, "owner": owner, "where": now.where}
                    copy = None if value is None else np.array(value)
                    step |= {"name": name, "value": copy}
                    run.steps.append((step, value))
            if event == "return" and this:
                this.result, this.where = arg, now.where if now else ""
                unfinished.pop()
            now = reached
            return follow

        return follow

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        run.result = call()
    finally:
        sys.settrace(before)
    return run


@cache
def _statements_of(file: str) -> dict[int, _Statement]:
    """The statement that stands on each line of a file; of a compound one, its head."""
    source = Path(file).read_text(encoding="utf-8")
    lines = source.splitlines()
    found: dict[int, _Statement] = {}
    for node in ast.walk(ast.parse(source)):
        value = getattr(node, "value", None)
        docstring = isinstance(node, ast.Expr) and isinstance(value, ast.Constant)
        if not isinstance(node, ast.stmt) or docstring:
            continue
        body = node.body[0].lineno if hasattr(node, "body") else 0
        last = body - 1 if body else node.end_lineno or node.lineno
        assigned = getattr(node, "targets", [getattr(node, "target", ast.Pass())])
        statement = _Statement(
            code=textwrap.dedent("\n".join(lines[node.lineno - 1 : last])),
            where=f"{_place(file)}:{node.lineno}",
            targets=tuple(
                lines[part.lineno - 1][part.col_offset : part.end_col_offset]
                for target in assigned
                for part in ast.walk(target)  # x and y of `x, y = ...`
                if isinstance(part, ast.Name | ast.Attribute | ast.Subscript)
                and isinstance(part.ctx, ast.Store)
            ),
            exit=EXITS.get(type(node), EXITS.get(type(value), "")),
            body=body,
        )
        found.update(dict.fromkeys(range(node.lineno, last + 1), statement))
    return found


def _numbers(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The arrays and numbers in a value, each with a name; a shape is one of them."""
    shape = isinstance(value, tuple) and all(type(size) is int for size in value)
    if shape or isinstance(value, np.ndarray | np.generic | int | float):
        yield name, value
    elif isinstance(value, tuple | list):
        for i, part in enumerate(value):
            yield from _numbers(f"{name}[{i}]", part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _numbers(f'{name}["{key}"]', part)


def build(layer: Any, inputs: Arrays) -> tuple[Any, Arrays]:
    """The layer constructed from its part of the inputs, and the rest, for forward."""
    if layer is networks.TwoLayerNet:
        params = {name: value for name, value in inputs.items() if name not in "xt"}
        return layer.from_params(params), {name: inputs[name] for name in "xt"}
    own = inspect.signature(layer).parameters
    rest = {name: value for name, value in inputs.items() if name not in own}
    return layer(**{name: inputs[name] for name in own}), rest


def _run(layer: Any, inputs: Arrays, dout: np.ndarray) -> _Run:
    if not inspect.isclass(layer):
        return _record(partial(layer, **inputs))
    made, arguments = build(layer, inputs)
    if layer is networks.TwoLayerNet:
        if dout != 1:
            raise ValueError(
                f"TwoLayerNet ends in its loss: dout must be 1, got {dout}"
            )
        return _record(partial(made.trace, **arguments))

    def forward_and_backward() -> None:
        made.forward(**arguments)
        made.backward(np.array(dout))

    return _record(forward_and_backward)


def _layers(owner: str, layer: Any) -> Iterator[tuple[str, Any]]:
    """A layer and those inside it, called as the attribute or key that holds them, or
    in a list as their class.
    """
    yield owner, layer
    for name, value in vars(layer).items():
        inside = value.items() if isinstance(value, dict) else [(name, value)]
        if isinstance(value, list):
            inside = [(type(inner).__name__, inner) for inner in value]
        for key, inner in inside:
            if hasattr(inner, "forward"):
                yield from _layers(key, inner)


def _copied(inputs: Arrays) -> Arrays:
    """Each input an object of its own, so that it can be told by its identity."""
    return {name: np.array(value) for name, value in inputs.items()}


def _is_float(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fc"


def _equal(one: Any, other: Any) -> bool:
    cast = np.asarray(one).astype(np.asarray(other).dtype)
    return np.array_equal(cast, other, equal_nan=_is_float(other))


def _one_memory(one: Any, other: Any) -> bool:
    arrays = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    return one is other or (arrays and np.shares_memory(one, other))


def _place(file: str) -> str:
    return Path(file).relative_to(Path(__file__).parents[2]).as_posix()
