"""Records the statements that a call executes, and the calls of layers among them.

Python calls a trace function before every line, which is how debuggers are made
(`sys.settrace`).
"""

import ast
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from gradparity.reference import functions, layers, training
from gradparity.reference.hood import nodes
from gradparity.reference.networks import network, two_layer_net

Step = dict[str, Any]

# Whose statements are recorded. The checks in arrays.py compute nothing.
ROOM = (layers, nodes, functions, network, two_layer_net, training)
NAMES = tuple(f"{module.__name__}." for module in ROOM)
FILES = tuple(getattr(module, "__path__", [module.__file__])[0] for module in ROOM)
EXITS: dict[type, str] = {ast.Return: "return", ast.Yield: "yield"}


@dataclass
class Call:
    """A call of some layer's forward or backward."""

    layer: Any
    method: str
    arguments: dict[str, Any]
    result: Any = None
    leaf: bool = True  # until it calls a layer inside
    where: str = ""  # the statement that returned the result


@dataclass
class Recording:
    """What was recorded. Beside each step is the object itself: while it is kept, no
    other can have its identity.
    """

    steps: list[tuple[Step, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    turn: int | None = None  # how many steps there were before the first backward
    result: Any = None


def record(call: Callable[[], Any]) -> Recording:
    run = Recording()
    unfinished: list[Call] = []

    def enter(frame: FrameType, event: str, arg: Any) -> Any:
        """A function is entered: who is to be told of its lines, if anybody?"""
        code = frame.f_code
        if not code.co_filename.startswith(FILES) or code.co_name.startswith("<"):
            return None
        at_line = _statements_of(code.co_filename)
        owner = code.co_qualname.split(".")[0]
        now: _Statement | None = None
        this: Call | None = None
        if code.co_name in ("forward", "backward"):
            me, *names = code.co_varnames[: code.co_argcount]
            arguments = {name: frame.f_locals[name] for name in names}
            this = Call(frame.f_locals[me], code.co_name, arguments)
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


class _Target(NamedTuple):
    source: str
    holder: str = ""  # of an item
    key: str = ""

    def called(self, *known: Any) -> str:
        """The source, or the item by its key: `flow["Affine1"]` of `flow[layer.name]`."""
        key = eval(self.key, *known) if self.key else None
        return f'{self.holder}["{key}"]' if isinstance(key, str) else self.source


@dataclass(frozen=True)
class _Statement:
    code: str
    where: str
    targets: tuple[_Target, ...]  # what it assigns
    exit: str  # "return" or "yield", or "" if it is neither
    body: int  # the first line inside it, or 0

    def gave(self, frame: FrameType, event: str, arg: Any) -> list[tuple[str, Any]]:
        """What it computed, now that it is finished: names and numbers.

        What it assigned is looked up by its source, in the variables of the frame.
        """
        known = frame.f_globals, frame.f_locals
        named = [(t.called(*known), eval(t.source, *known)) for t in self.targets]
        if event == "return" and self.exit:
            named = [(self.exit, arg)]
        numbers = [number for name, value in named for number in _numbers(name, value)]
        return numbers or [(", ".join(name for name, _ in named), None)]


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
            where=f"{place_of(file)}:{node.lineno}",
            targets=tuple(
                _target(lines, part)
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


def _target(lines: list[str], part: Any) -> _Target:
    """What is assigned to, in the words of its source."""
    parts = [part]
    if isinstance(part, ast.Subscript):
        parts += [part.value, part.slice]
    return _Target(
        *(lines[p.lineno - 1][p.col_offset : p.end_col_offset] for p in parts)
    )


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


def place_of(file: str) -> str:
    return Path(file).relative_to(Path(__file__).parents[2]).as_posix()
