"""Records the calls of a function as its author wrote them, and autograd's nodes between.

A call is seen by `TorchFunctionMode`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradparity.torch_impl.hood.autograd import Node, in_order, leaf_of, name_of
from gradparity.torch_impl.hood.places import line_in_source
from gradparity.torch_impl.hood.running import (
    Arrays,
    Function,
    call_function,
    leaves_of,
    pull,
)
from gradparity.torch_impl.hood.tensors import array_of, key_of, source_of, tensors_in

SIGNS = (
    {"mul": "×", "multiply": "×", "add": "+", "sub": "−", "subtract": "−", "rsub": "−"}
    | dict.fromkeys(["div", "divide", "true_divide", "rdiv", "rtruediv"], "÷")
    | dict.fromkeys(["matmul", "mm", "mv", "dot", "bmm"], "dot")
    | dict.fromkeys(["addmm", "addmv", "baddbmm"], "dot +")
    | {"neg": "×(−1)", "negative": "×(−1)", "pow": "^", "rpow": "^"}
    | {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠"}
)
REFLECTED = ("rsub", "rdiv", "rtruediv", "rpow")  # a number stands on the left


def record(function: Function, inputs: Arrays) -> "tuple[_Recorder, Tensor]":
    leaves = leaves_of(inputs)
    with _Recorder(leaves) as recorder:
        return recorder, call_function(function, leaves)


@dataclass(eq=False)
class _Edge:
    """A tensor as it was between two operations, and the call that made it so."""

    tensor: Tensor  # kept alive, so that its id stays its own
    value: np.ndarray
    source: Any  # its place in autograd's graph; None without a derivative
    name: str = ""
    op: str = ""
    where: str = ""
    call: int = 0
    inputs: list[int] = field(default_factory=list)
    # Autograd's nodes between this edge and its inputs, the last first; and where they
    # reach these: node, position among its gradients, input.
    nodes: list[Node] = field(default_factory=list)
    ends: list[tuple[Node, int, int]] = field(default_factory=list)

    def shares(self, sent: dict[Node, list[Any]]) -> list[np.ndarray | None]:
        """What each of the inputs gets of what the nodes sent."""
        parts: dict[int, list[Any]] = {j: [] for j in self.inputs}
        for node, position, j in self.ends:
            if node in sent and sent[node][position] is not None:
                parts[j].append(sent[node][position])
        for j, some in parts.items():
            if len(some) != self.inputs.count(j):  # all of it to the first of them
                whole = np.asarray(sum(some[1:], some[0])) if some else None
                parts[j] = [whole, *[None] * (self.inputs.count(j) - 1)]
        return [parts[j].pop(0) for j in self.inputs]


class _Recorder(TorchFunctionMode):
    """The calls as the user wrote them, and every tensor that went in or came out.

    A tensor that is written to becomes another edge, as it gets another place in
    autograd's graph; so do its views, and what it is a view of. Tensors that cannot be
    read (inside torch.func) are left out: what is computed of them is one operation.
    """

    def __init__(self, leaves: dict[str, Tensor]) -> None:
        super().__init__()
        self.edges: list[_Edge] = []
        self.known: dict[Any, int] = {}
        self.calls = 0
        self.given = len(leaves)
        for name, leaf in leaves.items():
            self.add(leaf, name=name)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        operands = [*tensors_in((args, kwargs))]
        inputs = [i for i in map(self.index, operands) if i is not None]
        result = func(*args, **(kwargs or {}))
        touched = [*tensors_in(result)]
        if any(map(self.is_new, operands)):  # written to: so may be others, by views
            touched = [edge.tensor for edge in self.edges] + touched
        self.calls += 1
        made = {"op": _op(func, args, kwargs or {}), "where": line_in_source()}
        for tensor in touched:
            if self.is_new(tensor):
                self.add(tensor, **made, call=self.calls, inputs=inputs)
        return result

    def index(self, tensor: Tensor) -> int | None:
        """The edge that the tensor is now; None if it cannot be read."""
        found = self.known.get(key_of(tensor))
        return self.add(tensor) if found is None else found

    def is_new(self, tensor: Tensor) -> bool:
        """Whether it is none of the edges; without a derivative, by its bits."""
        found = self.known.get(key_of(tensor))
        if found is None or tensor.requires_grad:
            return found is None
        value = array_of(tensor)
        return value is None or value.tobytes() != self.edges[found].value.tobytes()

    def add(self, tensor: Tensor, **made: Any) -> int | None:
        value = array_of(tensor)
        if value is None:
            return None
        self.edges.append(_Edge(tensor, value, source_of(tensor), **made))
        self.known[key_of(tensor)] = len(self.edges) - 1
        return len(self.edges) - 1

    def finish(self, out: Tensor) -> list[int]:
        """All inputs and what the output comes of, named, in order of execution."""
        found = in_order(self.index(out), self.trace)
        made = [i for i in found if self.edges[i].inputs]
        later = {i: n for n, i in enumerate(sorted(made))}
        if all(later.get(j, -1) < later[i] for i in made for j in self.edges[i].inputs):
            made = [*later]  # as they were seen; but some may have been seen late
        constants = sorted(set(found) - set(made) - set(range(self.given)))
        for letter, indices in (("c", constants), ("v", made)):
            for n, i in enumerate(indices, start=1):
                self.edges[i].name = f"{letter}{n}"
        self.edges[made[-1]].name = "out"
        return [*range(self.given), *constants, *made]

    def trace(self, i: int) -> list[int]:
        """The inputs of an edge: the edges that autograd's nodes lead back to, and the
        operands without a derivative. Its op is what these nodes are called, if no call
        was seen that led from the former to it.
        """
        edge = self.edges[i]
        if edge.source is None:
            return edge.inputs
        edge.nodes.append(edge.source.node)
        for node in edge.nodes:  # which grows meanwhile
            for position, (following, number) in enumerate(node.next_functions):
                leaf = leaf_of(following)
                j = (
                    self.known.get((following, number))
                    if leaf is None
                    else self.index(leaf)
                )
                if j is not None:
                    edge.ends.append((node, position, j))
                elif following is not None and following not in edge.nodes:
                    edge.nodes.append(following)
        reached = dict.fromkeys(j for _, _, j in edge.ends)
        operands = [j for j in edge.inputs if j in reached or not self.edges[j].source]
        edge.inputs = operands + [j for j in reached if j not in operands]
        by_another = any(self.edges[j].call == edge.call for j in reached)
        if edge.inputs and (by_another or not edge.op):
            names = [name_of(node).partition("Backward")[0] for node in edge.nodes]
            edge.op = ", ".join(names[::-1])
        return edge.inputs

    def sent_by(self, edge: _Edge, gradient: Any) -> dict[Node, list[Any]]:
        """What the nodes between an edge and its inputs send for this edge alone, where
        they have several results.
        """
        if gradient is None:
            return {}
        sources = [self.edges[j].source for j in {j for _, _, j in edge.ends}]
        return pull([edge.source], [gradient], sources, edge.nodes)[1]


def _op(func: Any, args: Any, kwargs: dict[str, Any]) -> str:
    """The sign or name of a call, with the Python numbers among its operands."""
    name = getattr(func, "__name__", "call")
    if name == "__get__":  # of an attribute, as x.T
        name = getattr(func.__self__, "__name__", name)
    short = name.strip("_")
    in_place = name == short + "_"
    numbers = [_number(value) for value in args if _is_number(value)]
    if short not in SIGNS:
        called = name if in_place else short
        return f"{called}({', '.join(numbers)})" if numbers else called
    sign = SIGNS[short] + "=" * in_place
    left = short in REFLECTED or (args and _is_number(args[0]))
    more = [f"{k}={_number(value)}" for k, value in kwargs.items() if _is_number(value)]
    return " ".join([*numbers, sign, *more] if left else [sign, *numbers, *more])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: int | float) -> str:
    return repr(value).removesuffix(".0").replace("-", "−")
