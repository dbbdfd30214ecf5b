"""What JAX does with a function of arrays: its graph, its equations, what it keeps and
what XLA compiles it to.

JAX writes a function down as a jaxpr, a list of equations. Here that list is read, run
equation by equation, and printed; so this works for any function that JAX can trace. The
names and their order are those of the other implementations' `hood.py`; `jaxprs` and
`compiled` are JAX's own.

`function` is called with JAX arrays for `inputs` (argument names to NumPy arrays) and
returns one floating-point array, or there is a TypeError. Integer inputs, such as labels,
are not differentiated. Inputs of float64 switch JAX's 64-bit mode on while they are
looked at, and only then. Everything is public API; what an installed version does not
have is None, or says that it is not available.
"""

import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Var, jaxpr_as_fun

Function = Callable[..., Any]
Arrays = dict[str, np.ndarray]
Found = dict[str, Any]

NOT_AVAILABLE = "not available in this version"

# Equations that only call others, and calls that have a derivative rule of their own.
CALLS = {"jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint"}
RULES = {"custom_jvp_call", "custom_vjp_call"}
# Equations that change how an array is laid out, but not what is in it.
LAYOUT = {
    "broadcast_in_dim",
    "convert_element_type",
    "copy",
    "reshape",
    "squeeze",
    "stop_gradient",
}
INDEXING = ("gather", "scatter", "dynamic_slice", "dynamic_update_slice")
SIGNS = {
    "mul": "×",
    "add": "+",
    "add_any": "+",
    "sub": "−",
    "div": "÷",
    "neg": "×(−1)",
    "square": "^ 2",
    "pow": "^",
    "dot_general": "dot",
    "reduce_sum": "sum",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "logistic": "sigmoid",
    "select_n": "where",
    "copy": "=",
    "conv_general_dilated": "conv",
    "gt": ">",
    "ge": "≥",
    "lt": "<",
    "le": "≤",
    "eq": "=",
    "ne": "≠",
}
COMMUTATIVE = {"mul", "add", "max", "min", "eq", "ne"}
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


def graph(function: Function, inputs: Arrays, dout: np.ndarray) -> Found:
    """The computational graph, run forward and backward: {"nodes", "edges"}.

    A node is an equation of the jaxpr. The equations of a nested `jit` are looked into;
    a call with a derivative rule of its own, such as `jax.nn.relu`, is one node of its
    name. A node's gradients are those of `jax.vjp` of that node alone.

    To keep the picture readable, three things are drawn as part of the node that uses
    them, and differentiated with it: changes of layout (`LAYOUT`), the arithmetic on
    integers that only prepares an index, and constants of one value, which become text
    ("× 2"). Behind a `stop_gradient` no gradient flows: None, not zeros. Other constants
    are edges, c1, c2..., that come from no node. Of an equation with several outputs,
    each that is used is a node.
    """
    with _mode(inputs):
        traced = _Traced(function, inputs, dout)
        program = _Program(traced)
        (out,) = program.run(traced.jaxpr(traced.call), program.arguments, CALLS)
        if all(out not in line.outs for line in program.lines):
            (out,) = program.run(jax.make_jaxpr(jnp.copy)(traced.dout), [out], CALLS)
        return _Drawing(program, out, traced.dout).drawn()


def steps(function: Function, inputs: Arrays, dout: np.ndarray) -> Found:
    """Every equation that `jax.vjp` runs: {"forward": [step], "backward": [step]}.

    All calls are looked into. An equation stands as a jaxpr prints it, but on one line,
    with long parameters left out; inputs, `dout`, `out` and the gradients `d...` have
    their names, and every other variable letters that no other has, forward or backward.
    The owner is the innermost `jit` or derivative rule, else the function of the user's
    that the equation comes from. Beside `value`, that of the first output, `values` has
    all of them.
    """
    with _mode(inputs):
        vjp = _Vjp(_Traced(function, inputs, dout))

        def step(line: _Line) -> Found:
            values = [_numpy(vjp.program.values[var]) for var in line.outs]
            return {
                "code": line.code(vjp.names),
                "name": vjp.names[line.outs[0]] if line.outs else "",
                "value": values[0] if values else None,
                "values": values,
                "owner": line.owner,
                "where": line.where,
            }

        return {
            "forward": [step(line) for line in vjp.forward],
            "backward": [step(line) for line in vjp.backward],
        }


def remembered(function: Function, inputs: Arrays) -> list[Found]:
    """The arrays that the function returned by `jax.vjp` keeps, its residuals.

    Name, owner and place are those of the equation that made an array; an input only has
    its name, and a number that stands in the program is its own. Beside what all
    implementations say: `variable`, its name in `steps`, and `read`, whether the backward
    pass reads it at all. This is what JAX keeps as it traces; where it runs a nested
    `jit` at once, it may keep a copy of what that was given as well.
    """
    with _mode(inputs):
        vjp = _Vjp(_Traced(function, inputs))
        makers = {var: line for line in vjp.forward for var in line.outs}
        read = {var for line in vjp.backward for var in line.variables}
        places = {var: name for name, var in vjp.program.inputs.items()}
        places.setdefault(vjp.out, "out")
        found = []
        for var in vjp.kept:
            value, line = _numpy(vjp.program.values[var]), makers.get(var)
            saved = {
                "name": line.eqn.primitive.name if line else vjp.names[var],
                "owner": line.owner if line else "",
                "shape": value.shape,
                "dtype": value.dtype.name,
                "bytes": value.nbytes,
                "same_as": places.get(var, ""),
                "where": line.where if line else "",
                "value": value,
                "variable": vjp.names[var],
                "read": var in read or var in vjp.gradients,
            }
            places.setdefault(var, f"{saved['owner']}.{saved['name']}")
            found.append(saved)
        return found


def jaxprs(function: Function, inputs: Arrays, dout: np.ndarray) -> dict[str, str]:
    """The jaxprs of the function and of its vjp as JAX prints them, with its letters:
    {"forward": str, "backward": str}.
    """
    with _mode(inputs):
        traced = _Traced(function, inputs, dout)
        _, back = traced.vjp(*traced.arguments.values())
        found = {
            "forward": traced.jaxpr(traced.call),
            "backward": jax.make_jaxpr(back)(traced.dout),
        }
        # Some versions print a function with its address, another one in each run.
        return {k: re.sub(r" at 0x\w+", "", str(v)) for k, v in found.items()}


def compiled(function: Function, inputs: Arrays, dout: np.ndarray) -> Found:
    """What XLA makes of it: {"forward": program, "gradient": program}.

    The gradient program computes out and all gradients, and takes dout as an argument.
    A program's `before` counts the operations of the StableHLO that JAX hands to XLA,
    those of a called function at every call, and `after` those of the optimized HLO's
    entry computation; `fusions` tells what each fusion holds. Arguments, constants,
    returns and tuples are no operations. flops, bytes and transcendentals are XLA's
    estimates, `temporary_bytes` is the memory it needs beside arguments and results, and
    `text` the optimized HLO. What a version of JAX does not tell is None.
    """
    with _mode(inputs):
        traced = _Traced(function, inputs, dout)

        def gradient(*values: Any) -> Any:
            out, back = traced.vjp(*values[:-1])
            return out, back(values[-1])

        names, values = [*traced.arguments], [*traced.arguments.values()]
        return {
            "forward": _xla(traced.call, names, values),
            "gradient": _xla(gradient, [*names, "dout"], [*values, traced.dout]),
        }


def _mode(inputs: Arrays) -> AbstractContextManager[Any]:
    """JAX's 64-bit mode where an input needs it."""
    wide = any(value.dtype == np.float64 for value in inputs.values())
    return jax.enable_x64(True) if wide else nullcontext()


def _numpy(value: Any) -> Any:
    """An array as a NumPy array, random keys as their bits; None as it is."""
    if value is not None and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return value if value is None else np.asarray(value)


def _is_float(value: Any) -> bool:
    return bool(jnp.issubdtype(value.dtype, jnp.inexact))


class _Traced:
    """The function, its inputs as JAX arrays, and which of them it is traced with.

    Integer inputs are arguments like the others, unless the function needs their values
    while it is traced: then they are constants of it.
    """

    def __init__(
        self, function: Function, inputs: Arrays, dout: np.ndarray | None = None
    ) -> None:
        self.function = function
        self.arrays = {name: jax.device_put(value) for name, value in inputs.items()}
        self.floats = [name for name, v in self.arrays.items() if _is_float(v)]
        if not self.floats:
            raise TypeError("there is no floating-point input to differentiate for")
        self.arguments = {name: self.arrays[name] for name in self.floats}
        try:
            # The integers have values here, so that labels are checked.
            out = jax.eval_shape(self.call, *self.arguments.values())
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError) as error:
            raise TypeError(
                "JAX cannot trace the function: it asks for the value of an argument "
                f"({type(error).__name__})"
            ) from error
        if not hasattr(out, "dtype") or not jnp.issubdtype(out.dtype, jnp.floating):
            came = getattr(out, "dtype", type(out).__name__)
            raise TypeError(
                f"the function must return one floating-point array, got {came}"
            )
        dout = np.ones(out.shape) if dout is None else dout
        if dout.shape != out.shape:
            raise ValueError(f"dout must have shape {out.shape}, got {dout.shape}")
        self.dout = jnp.asarray(dout, out.dtype)
        few, self.arguments = self.arguments, self.arrays
        try:
            jax.eval_shape(self.call, *self.arguments.values())
        except Exception:  # of many kinds, where a value is missing
            self.arguments = few

    def call(self, *arguments: Any) -> Any:
        """The function of its arguments' values, by name unless it wants them by place."""
        given = self.arrays | dict(zip(self.arguments, arguments, strict=True))
        try:
            kinds = [
                p.kind for p in inspect.signature(self.function).parameters.values()
            ]
        except ValueError:  # some built-in functions have no signature
            kinds = []
        by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
        if any(kind in by_place for kind in kinds):
            return self.function(*given.values())
        return self.function(**given)

    def vjp(self, *arguments: Any) -> Any:
        """(out, the function from dout to the gradients of the floating-point inputs)."""
        given = dict(zip(self.arguments, arguments, strict=True))

        def of_floats(*floats: Any) -> Any:
            moved = given | dict(zip(self.floats, floats, strict=True))
            return self.call(*moved.values())

        return jax.vjp(of_floats, *(given[name] for name in self.floats))

    def jaxpr(self, of: Function, **options: Any) -> Any:
        return jax.make_jaxpr(of, **options)(*self.arguments.values())


class _Line:
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


def _name(eqn: Any) -> str:
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
    if not found or found[1] == __file__:
        return "", ""
    return f"{_relative(found[1])}:{found[2]}", found[3]


def _relative(file: str) -> str:
    """The path from the folder that the outermost package is in."""
    path = Path(file)
    for folder in path.parents if path.is_absolute() else []:
        if not (folder / "__init__.py").exists():
            return path.relative_to(folder).as_posix()
    return path.name


class _Program:
    """Equations one after another, no call among them, and the values of all variables.

    Every equation has variables of its own, even where a function is called twice.
    """

    def __init__(self, traced: _Traced) -> None:
        self.lines: list[_Line] = []
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
                outs = self.run(inner, operands, calls, _name(eqn), place)
            else:
                line = _Line(jaxpr, eqn, operands, owner or function, place)
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


class _Vjp:
    """Both passes of `jax.vjp` as one program, run, with a name for every variable."""

    def __init__(self, traced: _Traced) -> None:
        self.program = _Program(traced)
        run, values, everything = self.program.run, self.program.values, CALLS | RULES
        closed, (_, back) = traced.jaxpr(traced.vjp, return_shape=True)
        self.out, *self.kept = run(closed, self.program.arguments, everything)
        self.forward = [*self.program.lines]
        # The function that JAX returned, now with the values that were computed here.
        kept = [values[var] for var in self.kept]
        back = jax.tree.unflatten(jax.tree.structure(back), kept)
        closed = jax.make_jaxpr(lambda back, dout: back(dout))(back, traced.dout)
        dout = self.program.variable(traced.dout)
        self.gradients = run(closed, [*self.kept, dout], everything)
        self.backward = self.program.lines[len(self.forward) :]

        self.names = {var: name for name, var in self.program.inputs.items()}
        douts = zip(self.gradients, ["d" + name for name in traced.floats], strict=True)
        for var, name in [(self.out, "out"), (dout, "dout"), *douts]:
            while name in self.names.values():  # an input may have it
                name += "_"
            self.names.setdefault(var, name)
        made = {var for line in self.program.lines for var in line.outs}
        fresh = (name for name in _letters() if name not in self.names.values())
        for var in values.keys() - made - self.names.keys():
            if _numpy(values[var]).size == 1:  # a number that stands in the program
                self.names[var] = str(_numpy(values[var]).item())
        for var in values:
            if var not in self.names:
                self.names[var] = next(fresh)


def _letters() -> Iterator[str]:
    """a, b, ..., z, aa, ab, ..."""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))


@dataclass(eq=False)
class _Node:
    """A line drawn with one of its outputs, and with the operands at some positions."""

    line: _Line
    output: int
    positions: list[int]
    op: str
    gradients: list[Any] = field(default_factory=list)

    @property
    def operands(self) -> list[Var]:
        return [self.line.operands[i] for i in self.positions]

    @property
    def out(self) -> Var:
        return self.line.outs[self.output]


class _Drawing:
    """Which lines become nodes, which edges join them, and what flows back.

    The `origin` of a variable is the one whose edge stands for it: itself, or the only
    one that it was made of by lines left aside. What depends on no input has none.
    """

    def __init__(self, program: _Program, out: Var, dout: Any) -> None:
        self.program, self.out = program, out
        inputs = program.inputs.items()
        self.names = {var: name for name, var in inputs}  # of the edges, in order
        self.origin = {var: var for _, var in inputs}
        self.maker: dict[Var, _Line] = {}  # of what was made aside
        self.nodes: list[_Node] = []
        lines, used, self.moving = self.needed()
        indexing = _indexing(lines)
        for line in lines:
            origins = {self.origin[v] for v in line.variables if v in self.origin}
            aside = line in indexing or _is_layout(line)
            if aside and len(origins) == 1 and out not in line.outs:
                self.origin |= dict.fromkeys(line.outs, *origins)
                self.maker |= dict.fromkeys(line.outs, line)
            else:
                self.origin |= {var: var for var in line.outs}
                outputs = [k for k, var in enumerate(line.outs) if var in used]
                self.nodes += [self.node(line, k) for k in outputs]
        self.name(out, "v")  # a constant comes from no node
        self.gradients = {out: dout}
        for node in reversed(self.nodes):
            self.go_back(node)

    def needed(self) -> tuple[list[_Line], set[Var], set[Var]]:
        """The lines between the inputs and the output, the variables that they use, and
        those that gradients flow through: not integers, and nothing behind stop_gradient.
        """
        live, used, lines = {*self.origin}, {self.out}, []
        moving = {var for var in live if _is_float(var.aval)}
        for line in self.program.lines:
            if not live.isdisjoint(line.variables):
                live.update(line.outs)
            stops = line.eqn.primitive.name == "stop_gradient"
            if not stops and not moving.isdisjoint(line.variables):
                moving.update(var for var in line.outs if _is_float(var.aval))
        for line in reversed(self.program.lines):
            if not (live & used).isdisjoint(line.outs):
                used.update(line.variables)
                lines.append(line)
        return lines[::-1], used, moving

    def node(self, line: _Line, output: int) -> _Node:
        """The node, its edges named."""
        order = list(range(len(line.operands)))
        if line.eqn.primitive.name == "select_n" and len(order) == 3:
            order = [0, 2, 1]  # as `where` has them: first what a true one chooses
        texts = [self.text(line.operands[i]) for i in order]
        positions = [i for i, text in zip(order, texts, strict=True) if not text]
        op = _op(line.eqn, texts) + (f"[{output}]" if len(line.outs) > 1 else "")
        node = _Node(line, output, positions, op)
        for var in node.operands:
            self.name(self.origin.get(var, var), "c")
        self.name(node.out, "v")
        return node

    def name(self, var: Var, letter: str) -> None:
        wanted = ["out", "out_"] if var is self.out else []
        fresh = (*wanted, *(f"{letter}{i}" for i in range(1, len(self.names) + 2)))
        taken = self.names.values()
        self.names.setdefault(var, next(name for name in fresh if name not in taken))

    def text(self, operand: Any) -> str:
        """A constant of one value as text; empty for all that has an edge."""
        if isinstance(operand, Var) and operand in self.origin:
            return ""
        values = np.unique(_numpy(self.program.value(operand)))
        if values.size != 1:
            return ""
        number = values.dtype.kind in "fiu"
        text = f"{values[0]:.6g}" if number else str(values[0])
        return text.replace("-", "−").replace("inf", "∞")

    def go_back(self, node: _Node) -> None:
        """From the gradient of its output to those of its inputs, added up by edge."""
        operands, dout = node.operands, self.gradients.get(node.out)
        node.gradients = [None] * len(operands)
        moving = [k for k, var in enumerate(operands) if var in self.moving]
        if dout is None or not moving:
            return

        def forward(*values: Any) -> Any:
            given = dict(zip((node.positions[k] for k in moving), values, strict=True))
            return node.line.run(
                *(
                    self.again(a, given[i]) if i in given else self.program.values[a]
                    for i, a in enumerate(node.line.operands)
                    if isinstance(a, Var)
                )
            )[node.output]

        origins = [self.origin[operands[k]] for k in moving]
        gradients = jax.vjp(forward, *(self.program.values[v] for v in origins))[1](
            dout
        )
        for k, origin, gradient in zip(moving, origins, gradients, strict=True):
            node.gradients[k] = gradient
            known = self.gradients.get(origin)
            self.gradients[origin] = gradient if known is None else known + gradient

    def again(self, var: Var, value: Any) -> Any:
        """The variable, made of another value of its origin."""
        if var not in self.maker:
            return value if var in self.origin else self.program.values[var]
        line = self.maker[var]
        outs = line.run(*(self.again(v, value) for v in line.variables))
        return outs[line.outs.index(var)]

    def drawn(self) -> Found:
        """Everything as plain data; a floating-point input always has a gradient."""
        for var in self.program.inputs.values():
            if _is_float(var.aval) and var not in self.gradients:
                self.gradients[var] = jnp.zeros_like(self.program.values[var])
        edges = [
            {
                "name": name,
                "value": _numpy(self.program.values[var]),
                "gradient": _numpy(self.gradients.get(var)),
            }
            for var, name in self.names.items()
        ]
        index = {var: i for i, var in enumerate(self.names)}
        nodes = [
            {
                "op": node.op,
                "inputs": [index[self.origin.get(v, v)] for v in node.operands],
                "output": index[node.out],
                "gradients": [_numpy(gradient) for gradient in node.gradients],
                "where": node.line.where,
            }
            for node in self.nodes
        ]
        return {"nodes": nodes, "edges": edges}


def _indexing(lines: list[_Line]) -> set[_Line]:
    """The lines of integers that only prepare where others read or write."""
    found: set[_Line] = set()
    users = defaultdict[Var, list[_Line]](list)
    for line in reversed(lines):
        if not any(_is_float(v.aval) for v in [*line.variables, *line.outs]) and all(
            user in found or user.eqn.primitive.name.startswith(INDEXING)
            for var in line.outs
            for user in users[var]
        ):
            found.add(line)
        for var in line.variables:
            users[var].append(line)
    return found


def _is_layout(line: _Line) -> bool:
    """Whether the line changes no value: a float made an integer does."""
    floats = [_is_float(v.aval) for v in [*line.operands[:1], *line.outs]]
    return line.eqn.primitive.name in LAYOUT and floats != [True, False]


def _op(eqn: Any, texts: list[str]) -> str:
    """A short sign or word, with the constants that are text."""
    primitive = eqn.primitive.name
    sign = SIGNS.get(primitive, _name(eqn) if primitive in RULES else primitive)
    if primitive == "integer_pow":
        sign = f"^ {eqn.params['y']}"
    if not any(texts):
        return sign
    if primitive in COMMUTATIVE and not texts[1]:
        texts = texts[::-1]
    if len(texts) == 2 and texts[1]:
        return f"{sign} {texts[1]}"
    if len(texts) == 2 and not sign.isidentifier():
        return f"{texts[0]} {sign}"
    return f"{sign}({', '.join(text or '·' for text in texts)})"


def _xla(function: Function, names: list[str], values: list[Any]) -> Found:
    """What XLA makes of a function of arguments of these names."""

    def main(*arguments: Any) -> Any:
        return function(*arguments)

    # JAX takes the names in the program from the signature; one that is there twice has
    # an underscore the second time.
    unique = [n + "_" * names[:i].count(n) for i, n in enumerate(names)]
    kind = inspect.Parameter.POSITIONAL_ONLY
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in unique])
    vars(main)["__signature__"] = signature
    lowered = jax.jit(main).lower(*values)
    program = _or_none(lowered.compile)
    text = _or_none(lambda: _without_metadata(program.as_text()))
    after = _or_none(lambda: _hlo_operations(text)) or {}
    costs = _or_none(lambda: dict(program.cost_analysis())) or {}
    memory = _or_none(lambda: program.memory_analysis().temp_size_in_bytes)
    return {
        "before": _or_none(lambda: _stablehlo_counts(lowered.as_text())),
        "after": after.get("counts"),
        "fusions": after.get("fusions"),
        "flops": costs.get("flops"),
        "bytes": costs.get("bytes accessed"),
        "transcendentals": costs.get("transcendentals"),
        "temporary_bytes": memory,
        "text": text,
    }


def _or_none(ask: Callable[[], Any]) -> Any:
    """What this version of JAX answers, or None where it does not."""
    try:
        return ask()
    except Exception:
        return None


def _stablehlo_counts(text: str) -> dict[str, int]:
    """The operations of main, those of a function at every call of it."""
    parts = re.split(r"func\.func[^@\n]*@([\w.$]+)", text)
    bodies = dict(zip(parts[1::2], parts[2::2], strict=True))
    operation = re.compile(r'^\s*(?:%[^=]*= )?"?\w*hlo\.(\w+)', re.M)

    def counts(name: str) -> Counter[str]:
        found = Counter(operation.findall(bodies[name]))
        for called in re.findall(r"\bcall @([\w.$]+)", bodies[name]):
            found += counts(called)
        return found

    return _without(counts("main"), "constant", "return")


def _hlo_operations(text: str) -> Found:
    """The operations of the entry computation, and what its fusions hold."""
    operation = r"^\s+(?:ROOT )?%?([\w.-]+) = (?:\(.*?\)|\S+) ([\w-]+)\((.*)"
    blocks = re.findall(r"^(ENTRY )?%?([\w.-]+) \(.*\{\n((?:.*\n)*?)\}", text, re.M)
    holds = {name: re.findall(operation, body, re.M) for _, name, body in blocks}
    (entry,) = (holds[name] for is_entry, name, _ in blocks if is_entry)
    nothing = ("parameter", "constant", "tuple", "get-tuple-element")
    fusions = []
    for name, kind, rest in entry:
        called = re.search(r"calls=%?([\w.-]+)", rest)
        if kind == "fusion" and called:
            inside = Counter(kind for _, kind, _ in holds[called[1]])
            fusions.append({"name": name, "holds": [*_without(inside, *nothing)]})
    counts = Counter(kind for _, kind, _ in entry)
    return {"counts": _without(counts, *nothing), "fusions": fusions}


def _without(counts: Counter[str], *names: str) -> dict[str, int]:
    return {name: number for name, number in counts.items() if name not in names}


def _without_metadata(text: str) -> str:
    """Optimized HLO without the places in the source that everything came from."""
    tables = "FileNames|FunctionNames|FileLocations|StackFrames"
    text = re.sub(rf"^(?:{tables})\n(?:.+\n)*\n*", "", text, flags=re.M)
    return re.sub(r', metadata=\{(?:"[^"]*"|[^"}])*\}', "", text).strip() + "\n"
