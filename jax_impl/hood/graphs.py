"""The computational graph with the values on its edges."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Var

from gradparity.jax_impl.hood.recording import CALLS, RULES, Line, Program, name_of
from gradparity.jax_impl.hood.running import (
    Arrays,
    Found,
    Function,
    Traced,
    as_numpy,
    is_float,
    mode_for,
)

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
    with mode_for(inputs):
        traced = Traced(function, inputs, dout)
        program = Program(traced)
        (out,) = program.run(traced.jaxpr(traced.call), program.arguments, CALLS)
        if all(out not in line.outs for line in program.lines):
            (out,) = program.run(jax.make_jaxpr(jnp.copy)(traced.dout), [out], CALLS)
        return _Drawing(program, out, traced.dout).drawn()


@dataclass(eq=False)
class _Node:
    """A line drawn with one of its outputs, and with the operands at some positions."""

    line: Line
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

    def __init__(self, program: Program, out: Var, dout: Any) -> None:
        self.program, self.out = program, out
        inputs = program.inputs.items()
        self.names = {var: name for name, var in inputs}  # of the edges, in order
        self.origin = {var: var for _, var in inputs}
        self.maker: dict[Var, Line] = {}  # of what was made aside
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

    def needed(self) -> tuple[list[Line], set[Var], set[Var]]:
        """The lines between the inputs and the output, the variables that they use, and
        those that gradients flow through: not integers, and nothing behind stop_gradient.
        """
        live, used, lines = {*self.origin}, {self.out}, []
        moving = {var for var in live if is_float(var.aval)}
        for line in self.program.lines:
            if not live.isdisjoint(line.variables):
                live.update(line.outs)
            stops = line.eqn.primitive.name == "stop_gradient"
            if not stops and not moving.isdisjoint(line.variables):
                moving.update(var for var in line.outs if is_float(var.aval))
        for line in reversed(self.program.lines):
            if not (live & used).isdisjoint(line.outs):
                used.update(line.variables)
                lines.append(line)
        return lines[::-1], used, moving

    def node(self, line: Line, output: int) -> _Node:
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
        values = np.unique(as_numpy(self.program.value(operand)))
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
            if is_float(var.aval) and var not in self.gradients:
                self.gradients[var] = jnp.zeros_like(self.program.values[var])
        edges = [
            {
                "name": name,
                "value": as_numpy(self.program.values[var]),
                "gradient": as_numpy(self.gradients.get(var)),
            }
            for var, name in self.names.items()
        ]
        index = {var: i for i, var in enumerate(self.names)}
        nodes = [
            {
                "op": node.op,
                "inputs": [index[self.origin.get(v, v)] for v in node.operands],
                "output": index[node.out],
                "gradients": [as_numpy(gradient) for gradient in node.gradients],
                "where": node.line.where,
            }
            for node in self.nodes
        ]
        return {"nodes": nodes, "edges": edges}


def _indexing(lines: list[Line]) -> set[Line]:
    """The lines of integers that only prepare where others read or write."""
    found: set[Line] = set()
    users = defaultdict[Var, list[Line]](list)
    for line in reversed(lines):
        if not any(is_float(v.aval) for v in [*line.variables, *line.outs]) and all(
            user in found or user.eqn.primitive.name.startswith(INDEXING)
            for var in line.outs
            for user in users[var]
        ):
            found.add(line)
        for var in line.variables:
            users[var].append(line)
    return found


def _is_layout(line: Line) -> bool:
    """Whether the line changes no value: a float made an integer does."""
    floats = [is_float(v.aval) for v in [*line.operands[:1], *line.outs]]
    return line.eqn.primitive.name in LAYOUT and floats != [True, False]


def _op(eqn: Any, texts: list[str]) -> str:
    """A short sign or word, with the constants that are text."""
    primitive = eqn.primitive.name
    sign = SIGNS.get(primitive, name_of(eqn) if primitive in RULES else primitive)
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
