"""Runs a jaxpr equation by equation, and records the values of all its variables."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Var, jaxpr_as_fun

from gradparity.jax_impl.hood.running import NOT_AVAILABLE, Traced

# Equations that only call others, and calls that have a derivative rule of their own.
CALLS = {"jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint"}
RULES = {"custom_jvp_call", "custom_vjp_call"}
# Parameters that say how to compute, or what the types say already.
SILENT = {
    "accuracy",
    "mode",
    "precision",
    "preferred_element_type",
    "shape",
    "unroll",
    "weak_type",
}


class Line:
    """An equation on its own: `run` takes the values of its `variables` and returns those
    of its `outs`.
    """

    def __init__(
        self, jaxpr: Any, eqn: Any, operands: list[Any], owner: str, where: str
    ) -> None:
        self.eqn, self.owner, self.where = eqn, owner, where
        self.operands = operands  # variables and literals
        self.variables = [a for a in operands if isinstance(a, Var)]
        self.outs = [Var(var.aval) for var in eqn.outvars]
        # An operand that is there twice becomes two: each has its own gradient.
        places = [Var(a.aval) if isinstance(a, Var) else a for a in operands]
        alone = jaxpr.replace(
            constvars=[],
            invars=[a for a in places if isinstance(a, Var)],
            outvars=self.outs,
            eqns=[eqn.replace(invars=places, outvars=self.outs)],
        )
        self.run = jaxpr_as_fun(ClosedJaxpr(alone, ()))

    def code(self, names: dict[Var, str]) -> str:
        """The equation as a jaxpr prints it, on one line."""

        def shown(a: Any) -> str:
            if isinstance(a, Var):
                return names[a]
            return f"{np.asarray(a.val).item()}:{_short(a.aval)}"

        outs = [f"{names[var]}:{_short(var.aval)}" for var in self.outs]
        parameters = " ".join(_parameters(self.eqn.params))
        name = self.eqn.primitive.name + (f"[{parameters}]" if parameters else "")
        equals = ["="] if outs else []
        return " ".join([*outs, *equals, name, *map(shown, self.operands)])


class Program:
    """Equations one after another, no call among them, and the values of all variables.

    Every equation has variables of its own, even where a function is called twice.
    """

    def __init__(self, traced: Traced) -> None:
        self.lines: list[Line] = []
        self.values: dict[Var, Any] = {}
        self.inputs = {name: self.variable(v) for name, v in traced.arrays.items()}
        self.arguments = [self.inputs[name] for name in traced.arguments]

    def variable(self, value: Any) -> Var:
        """The variable that has this very array, or a new one."""
        same = (var for var, known in self.values.items() if known is value)
        var = next(same, None) or Var(jax.typeof(value))
        self.values[var] = value
        return var

    def value(self, atom: Any) -> Any:
        if isinstance(atom, Var):
            return self.values[atom]
        return jnp.asarray(atom.val, atom.aval.dtype)

    def run(
        self,
        closed: Any,
        arguments: Sequence[Any],
        calls: set[str],
        owner: str = "",
        where: str = "",
    ) -> list[Var]:
        """Run a jaxpr on variables or literals, and return the variables of its results.

        `calls` are the primitives to look into.
        """
        jaxpr = closed.jaxpr
        own: dict[Any, Any] = dict(zip(jaxpr.invars, arguments, strict=True))
        constants = map(self.variable, closed.consts)
        own |= dict(zip(jaxpr.constvars, constants, strict=True))
        for eqn in jaxpr.eqns:
            operands = [own[a] if isinstance(a, Var) else a for a in eqn.invars]
            place, function = _source(jaxpr, eqn)
            place = place or where
            inner = _called(eqn) if eqn.primitive.name in calls else None
            if inner:
                outs = self.run(inner, operands, calls, name_of(eqn), place)
            else:
                line = Line(jaxpr, eqn, operands, owner or function, place)
                self.lines.append(line)
                outs = line.outs
                if outs:  # without, it is there for an effect, such as printing
                    values = line.run(*map(self.values.get, line.variables))
                    self.values |= dict(zip(outs, values, strict=True))
            own |= dict(zip(eqn.outvars, outs, strict=True))
        results = [own[a] if isinstance(a, Var) else a for a in jaxpr.outvars]
        return [
            a if isinstance(a, Var) else self.variable(self.value(a)) for a in results
        ]


def _short(aval: Any) -> str:
    """f32[2,3]"""
    dtype = str(aval.dtype)
    for long in ("bfloat", "float", "uint", "int", "complex"):
        dtype = dtype.replace(long, "bf" if long == "bfloat" else long[0])
    return f"{dtype}[{','.join(map(str, aval.shape))}]"


def _parameters(params: dict[str, Any]) -> Iterator[str]:
    """The parameters that say something, the long ones only by name."""
    for name, value in params.items():
        text = re.sub(r"np\.\w+\((-?\w+)\)", r"\1", str(value))
        if text not in ("None", "False", "()", "") and name not in SILENT:
            yield f"{name}={text if len(text) < 30 else '…'}"


def _called(eqn: Any) -> Any:
    """The closed jaxpr that the equation calls, if it calls one."""
    inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    closed = inner is None or hasattr(inner, "consts")
    return inner if closed else ClosedJaxpr(inner, ())


def name_of(eqn: Any) -> str:
    """The name of the function that the equation calls, else of its primitive."""
    info = getattr(getattr(_called(eqn), "jaxpr", None), "debug_info", None)
    name = eqn.params.get("name") or getattr(info, "func_name", "")
    return str(name).lstrip("_") or str(eqn.primitive.name)


def _source(jaxpr: Any, eqn: Any) -> tuple[str, str]:
    """The place in the user's code that the equation comes from, and its function there;
    empty where JAX knows none.
    """
    bare = eqn.replace(params={})  # no other equations are in it
    try:
        alone = jaxpr.replace(constvars=[], invars=[], outvars=[], eqns=[bare])
        text = alone.pretty_print(
            source_info=True, custom_pp_eqn_rules=False, use_color=False
        )
    except Exception:
        return NOT_AVAILABLE, ""
    found = re.search(r"# (\S.*?):(\d+)(?::\d+)? \((.*)\)", text)
    if not found or Path(found[1]).parent == Path(__file__).parent:
        return "", ""
    return f"{_relative(found[1])}:{found[2]}", found[3]


def _relative(file: str) -> str:
    """The path from the folder that the outermost package is in."""
    path = Path(file)
    for folder in path.parents if path.is_absolute() else []:
        if not (folder / "__init__.py").exists():
            return path.relative_to(folder).as_posix()
    return path.name
