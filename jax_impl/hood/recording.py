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
        operands = [
            names[a] if isinstance(a, Var) else number(a) for a in self.operands
        ]
        return printed(self.eqn, [names[var] for var in self.outs], operands)


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
            place, function, _ = source(jaxpr, eqn)
            place = place or where
            inner = called(eqn) if eqn.primitive.name in calls else None
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


def evaluated(
    jaxpr: Any, eqn: Any, operands: Sequence[Any], params: dict[str, Any]
) -> list[Any]:
    """What an equation of the jaxpr makes of other operands, with other parameters."""
    variables = [Var(a.aval) for a in eqn.invars]
    outs = [Var(var.aval) for var in eqn.outvars]
    alone = jaxpr.replace(
        constvars=[],
        invars=variables,
        outvars=outs,
        eqns=[eqn.replace(invars=variables, outvars=outs, params=params)],
    )
    return list(jaxpr_as_fun(ClosedJaxpr(alone, ()))(*operands))


def printed(eqn: Any, outs: list[str], operands: list[str]) -> str:
    """The equation as a jaxpr prints it, on one line, with these names."""
    typed = [
        f"{name}:{short(var.aval)}" for name, var in zip(outs, eqn.outvars, strict=True)
    ]
    said = " ".join(parameters(eqn.params))
    name = eqn.primitive.name + (f"[{said}]" if said else "")
    return " ".join([*typed, *(["="] if outs else []), name, *operands])


def number(literal: Any) -> str:
    """A literal as a jaxpr prints it."""
    return f"{np.asarray(literal.val).item()}:{short(literal.aval)}"


def short(aval: Any) -> str:
    """f32[2,3]"""
    dtype = str(aval.dtype)
    for long in ("bfloat", "float", "uint", "int", "complex"):
        dtype = dtype.replace(long, "bf" if long == "bfloat" else long[0])
    return f"{dtype}[{','.join(map(str, aval.shape))}]"


def parameters(params: dict[str, Any]) -> Iterator[str]:
    """The parameters that say something, the long ones only by name."""
    for name, value in params.items():
        text = re.sub(r"np\.\w+\((-?\w+)\)", r"\1", str(value))
        if text not in ("None", "False", "()", "") and name not in SILENT:
            yield f"{name}={text if len(text) < 30 else '…'}"


def called(eqn: Any) -> Any:
    """The closed jaxpr that the equation calls, if it calls one."""
    inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    closed = inner is None or hasattr(inner, "consts")
    return inner if closed else ClosedJaxpr(inner, ())


def name_of(eqn: Any) -> str:
    """The name of the function that the equation calls, else of its primitive."""
    info = getattr(getattr(called(eqn), "jaxpr", None), "debug_info", None)
    name = eqn.params.get("name") or getattr(info, "func_name", "")
    return str(name).lstrip("_") or str(eqn.primitive.name)


def source(jaxpr: Any, eqn: Any) -> tuple[str, str, str]:
    """The place in the user's code that the equation comes from, its function there, and
    the named scopes around it; empty where JAX knows none.
    """
    bare = eqn.replace(params={})  # no other equations are in it
    try:
        alone = jaxpr.replace(constvars=[], invars=[], outvars=[], eqns=[bare])
        text = alone.pretty_print(
            source_info=True,
            name_stack=True,
            custom_pp_eqn_rules=False,
            use_color=False,
        )
    except Exception:
        return NOT_AVAILABLE, "", ""
    scope = re.search(r"# \[(.*)\]", text)
    scopes = _scopes(scope[1]) if scope else ""
    found = re.search(r"# (\S.*?):(\d+)(?::\d+)? \((.*)\)", text)
    if not found or _is_own(Path(found[1])):
        return "", "", scopes
    return f"{_relative(found[1])}:{found[2]}", found[3], scopes


def _is_own(file: Path) -> bool:
    """Whether the file is one of those that trace for the user."""
    here = Path(__file__).parent
    callers = here.parents[1] / "parity_tests" / "functions"
    return file.parent in (here, here.parent, callers)


def _scopes(stack: str) -> str:
    """`transpose(jvp(block))/dense` -> `block/dense`: without JAX's own transformations."""
    bare = re.sub(r"\bp?jit\([^()]*\)", "", stack)
    bare = re.sub(r"\w+\(|\)", "", bare)
    return "/".join(part for part in bare.split("/") if part)


def _relative(file: str) -> str:
    """The path from the folder that the outermost package is in."""
    path = Path(file)
    for folder in path.parents if path.is_absolute() else []:
        if not (folder / "__init__.py").exists():
            return path.relative_to(folder).as_posix()
    return path.name
