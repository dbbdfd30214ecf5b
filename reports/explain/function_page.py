"""The page of somebody's own function, written in PyTorch, in JAX, or fit for both.

There is no reference to hold it against and nobody has written words for it; what can be
seen without them is shown: the graph, both frameworks under the hood, and the two side by
side.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import NotInstalled, framework
from gradparity.parity_tests.implementations.user_supplied import (
    Left,
    code_of,
    import_target,
)
from gradparity.reports.explain import UnusableFunction, blocks
from gradparity.reports.explain.layer_page import alignment, jax_blocks, torch_blocks
from gradparity.reports.explain.observing import Look, Seen, facts, generic, see, there
from gradparity.reports.explain.wording import ui

Arrays = dict[str, np.ndarray]
Function = Callable[..., Any]


def load(target: str) -> Function:
    """The function that `module:function` or `file.py:function` names; modules of the
    current folder count.

    Raises `UnusableFunction` if there is none, `UnusableImplementation` if the module
    cannot be imported.
    """
    module_name, _, name = target.rpartition(":")
    module = import_target(module_name)
    function = getattr(module, name, None)
    if not callable(function):
        came = "nothing of that name" if function is None else type(function).__name__
        raise UnusableFunction(
            f"{target}: expected a function {name!r} in {module_name}, got {came}"
        )

    @wraps(function)
    def watched(*values: Any, **named: Any) -> Any:
        with code_of(target):
            return function(*values, **named)

    return watched


def arrays(function: Function, given: Mapping[str, np.ndarray]) -> Arrays:
    """The inputs in the order of the function's parameters.

    Raises `UnusableFunction` where one is missing, or is no parameter.
    """
    parameters = inspect.signature(function).parameters.values()
    wanted = [p.name for p in parameters]
    needed = [p.name for p in parameters if p.default is p.empty]
    for name in given:
        if name not in (*wanted, "dout"):
            raise UnusableFunction(
                f"--input {name}: expected one of {', '.join(wanted)}, or dout"
            )
    for name in needed:
        if name not in given:
            raise UnusableFunction(
                f"--input {name}=... is missing: {function.__name__} takes "
                f"{', '.join(wanted)}"
            )
    return {name: given[name] for name in wanted if name in given}


def look(functions: list[Function], given: Mapping[str, np.ndarray]) -> Look:
    """Each function in the framework that it is written in; or why it runs in neither.

    Raises `UnusableFunction` if none of them runs in any.
    """
    found: Look = {}
    refused: dict[str, str] = {}
    for name, shape in (("jax", jax_shape), ("torch", torch_shape)):
        for function in functions:
            if isinstance(found.get(name), Seen):
                continue
            try:
                framework(name)
                inputs = arrays(function, given)
                dout = given.get("dout", np.ones(shape(function, inputs), "float32"))
                others = generic({**inputs, "dout": dout})
                found[name] = see(name, function, inputs, dout, others)
            except NotInstalled as missing:
                found[name] = str(missing)
            except UnusableFunction:
                raise
            except Exception as error:  # it is written for the other one
                said = " ".join(str(error).split())[:200]
                kind = "" if isinstance(error, Left) else f"{type(error).__name__}: "
                refused[name] = f"{name}: {kind}{said}"
    if not any(isinstance(seen, Seen) for seen in found.values()):
        reasons = [*refused.values(), *map(str, found.values())]
        raise UnusableFunction(
            f"{functions[0].__name__} runs neither on tensors nor on JAX arrays; "
            + "; ".join(reasons)
        )
    for name, reason in refused.items():
        found.setdefault(name, reason)
    return found


def torch_shape(function: Function, inputs: Arrays) -> tuple[int, ...]:
    """Of what it returns."""
    torch = framework("torch")
    with torch.no_grad():
        out = function(**{k: torch.tensor(v) for k, v in inputs.items()})
    if not isinstance(out, torch.Tensor):
        raise TypeError(f"it must return a tensor, got {type(out).__name__}")
    return tuple(out.shape)


def jax_shape(function: Function, inputs: Arrays) -> tuple[int, ...]:
    """Of what it returns."""
    jax = framework("jax")
    out = function(**{k: jax.numpy.asarray(v) for k, v in inputs.items()})
    if not isinstance(out, jax.Array):
        raise TypeError(f"it must return a JAX array, got {type(out).__name__}")
    return out.shape


class FunctionRun:
    """`module:function`, or two such with a comma between, on these inputs."""

    def __init__(self, targets: str, given: Mapping[str, np.ndarray]) -> None:
        """Raises `UnusableFunction`."""
        self.targets, self.given = targets, given
        functions = [load(target) for target in targets.split(",")]
        self.name = functions[0].__name__
        self.seen = look(functions, given)

    def facts(self) -> dict[str, Any]:
        """What was seen, for machines."""
        found = facts(self.seen)
        return {"topic": self.targets, "inputs": self.given, "implementations": found}


def build(run: FunctionRun, lang: str) -> blocks.Page:
    """The page in one language."""
    said = ui(lang)
    title = said["graph_of"].format(run.name)
    parts: dict[str, list[blocks.Block]] = {
        "graph": [blocks.Picture("own", title, there(run.seen)[0].graph)],
        "torch": shown(run.seen["torch"], torch_blocks, said),
        "jax": shown(run.seen["jax"], jax_blocks, said),
        "aligned": [side_by_side(run, said)],
    }
    sections = [blocks.Section(k, said["sections"][k], v) for k, v in parts.items()]
    summary = said["own_summary"]
    return blocks.Page(run.name, lang, run.targets, summary, sections, run.facts)


def shown(seen: Seen | str, drawn: Any, said: Mapping[str, Any]) -> list[blocks.Block]:
    if isinstance(seen, Seen):
        return list(drawn(seen, said))
    return [
        blocks.Prose(
            said["missing"].format(seen.replace("*", r"\*").replace("_", r"\_"))
        )
    ]


def side_by_side(run: FunctionRun, said: Mapping[str, Any]) -> blocks.Aligned:
    """Both, step by step; the steps are those of the first."""
    table = alignment(run.seen, list(run.given), {}, said)
    for number, row in enumerate(table.rows[1:], 1):
        row.title = str(number)
    return replace(table, names=sorted(table.names, reverse=True))
