"""What PyTorch does with a function of tensors, in plain dicts, strings and arrays.

One function at three depths: the operations its author wrote, the operators that ATen
executed, and autograd's nodes with what they keep from forward to backward. Apart from
the layers, since it looks into any function.
"""

import inspect
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge, saved_tensors_hooks
from torch.overrides import TorchFunctionMode

Function = Callable[..., Any]
Arrays = dict[str, np.ndarray]
Listed = list[dict[str, Any]]
Node = Any  # a torch.autograd.graph.Node

NOT_AVAILABLE = "not available in this version"
SIGNS = (
    {"mul": "×", "multiply": "×", "add": "+", "sub": "−", "subtract": "−", "rsub": "−"}
    | dict.fromkeys(["div", "divide", "true_divide", "rdiv", "rtruediv"], "÷")
    | dict.fromkeys(["matmul", "mm", "mv", "dot", "bmm"], "dot")
    | dict.fromkeys(["addmm", "addmv", "baddbmm"], "dot +")
    | {"neg": "×(−1)", "negative": "×(−1)", "pow": "^", "rpow": "^"}
    | {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠"}
)
REFLECTED = ("rsub", "rdiv", "rtruediv", "rpow")  # a number stands on the left
LETTERS = {"float": "f", "bfloat": "bf", "int": "i", "uint": "u", "complex": "c"}
HANDLERS = ("_where", "__torch_function__", "__torch_dispatch__")
PASSED_OVER = ("", "torch", "jaxtyping", "beartype")  # modules that are no user's code


def graph(function: Function, inputs: Arrays, dout: np.ndarray) -> dict[str, Listed]:
    """The computational graph at the level at which the function is written.

    It holds what the output comes of. Edges: all inputs, then the constants c1, c2 ...
    (tensors from outside, or made of no tensor), then the results v1, v2 ... and out.
    A node's gradients are what autograd's own nodes between its result and its inputs
    sent back. Where no call was seen to make a result (a custom autograd function, a
    view after its base was written to), the op is the names of autograd's nodes. A
    gradient is None where PyTorch has none: for an unused input as well.

    Raises:
        TypeError: the function does not return one tensor with a derivative.
        ValueError: dout has another shape than the output.
    """
    with _apart():
        recorder, out = _record(function, inputs)
        order = recorder.finish(out)
        edges = [recorder.edges[i] for i in order]
        sources = [edge.source for edge in edges if edge.source]
        between = Counter(node for edge in edges for node in edge.nodes)
        found, sent = _pull(*_seeded(out, dout), sources, between)
        queue = iter(found)
        gradients = [next(queue) if edge.source else None for edge in edges]
        place = {i: n for n, i in enumerate(order)}
        nodes = []
        for i, edge, gradient in zip(order, edges, gradients, strict=True):
            alone = max((between[node] for node in edge.nodes), default=1) == 1
            node = {
                "op": edge.op,
                "inputs": [place[j] for j in edge.inputs],
                "output": place[i],
                "gradients": edge.shares(
                    sent if alone else recorder.sent_by(edge, gradient)
                ),
                "where": edge.where,
            }
            nodes += [node] if edge.inputs else []
    flow = [
        {"name": edge.name, "value": edge.value, "gradient": _array(gradient)}
        for edge, gradient in zip(edges, gradients, strict=True)
    ]
    return {"nodes": nodes, "edges": flow}


def steps(function: Function, inputs: Arrays, dout: np.ndarray) -> dict[str, Listed]:
    """The ATen operators in the order in which they ran, forward and backward.

    Seen by `TorchDispatchMode`, which PyTorch's documentation offers for this, though its
    module, `torch.utils._python_dispatch`, has an underscore; without it, either list is
    one step that says so. Tensors go by name: inputs, dout, what the running node had
    saved (as the node calls it), out, dx ... (the gradients), and r1, r2 ...; the same
    memory read in the same way has the same name. The owner is the autograd node that ran
    the operator, or that was recorded for its result; "" where there is none, as where
    the engine adds up at a branch; and "bookkeeping" where nothing is computed from the
    result: checks, and the aliases by which autograd saves a result.

    Raises: as `graph`.
    """
    run = _observe(function, inputs, dout)
    if not run.available:
        missing = {"code": NOT_AVAILABLE, "name": "", "value": None}
        return {way: [missing | {"owner": "", "where": ""}] for way in run.ran}
    names, numbers = dict(run.names), count(1)
    given = {p: name for p, name in names.items() if name in {*inputs, "dout"}}
    for step in sorted(chain(*run.ran.values()), key=lambda step: step.idle):
        for tensor in _tensors(step.arguments):
            names.setdefault(_place(tensor), _dtype(tensor))  # it comes from outside
        for tensor in _tensors(step.result):
            if _place(tensor) not in names:
                names[_place(tensor)] = f"r{next(numbers)}"

    def described(step: _Step, saved: list[tuple[str, Tensor]]) -> dict[str, Any]:
        known = names | {_place(tensor): name for name, tensor in saved} | given
        args, kwargs = step.arguments
        texts = [_text(value, known) for value in args]
        texts += [f"{key}={_text(value, known)}" for key, value in kwargs.items()]
        result = next(_tensors(step.result), None)
        return {
            "code": f"{step.name}({', '.join(texts)})",
            "name": "" if result is None else names[_place(result)],
            "value": step.value,
            "owner": "bookkeeping" if step.idle else _name(step.node),
            "where": step.where,
        }

    forward, backward = run.ran.values()
    return {
        "forward": [described(step, []) for step in forward],
        "backward": [
            described(step, run.saved.get(step.node, [])) for step in backward
        ],
    }


def remembered(function: Function, inputs: Arrays) -> Listed:
    """What every autograd node keeps from forward to backward, in forward order.

    Read from the nodes' attributes `_saved_...`, a prefix that PyTorch's notes on autograd
    document, and from the `saved_tensors` of custom autograd functions. If there are none,
    but `saved_tensors_hooks` saw tensors pass, then those, under the name "not available
    in this version". The bytes are those of the elements that there are in memory; a
    number among the operands counts, as PyTorch keeps a tensor of it; so does what
    `torch.utils.checkpoint` computes again.

    Raises: TypeError as `graph`.
    """
    passed: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        passed.append(tensor.detach())
        return passed[-1]

    with _apart():
        recorder, out = _record(function, inputs)
        edges = [recorder.edges[i] for i in recorder.finish(out)]
        where = {node: e.where for e in edges for node in reversed(e.nodes)}
        kept = [
            (_name(node), name, tensor, line)
            for node, line in where.items()
            for name, tensor in _saved(node)
        ]
        if not kept:
            with saved_tensors_hooks(pack, lambda tensor: tensor):
                recorder, out = _record(function, inputs)
            edges = [recorder.edges[i] for i in recorder.finish(out)]
            kept = [("", NOT_AVAILABLE, tensor, "") for tensor in passed]
    there = {_memory(edge.tensor)[0]: edge.name for edge in edges if not edge.op}
    there.setdefault(_memory(out)[0], "out")
    found = []
    for owner, name, tensor, line in kept:
        address, size = _memory(tensor)
        entry = {
            "name": name,
            "owner": owner,
            "shape": tuple(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "bytes": min(tensor.numel() * tensor.element_size(), size),
            "same_as": there.get(address, ""),
            "where": line,
            "value": _array(tensor),
        }
        there.setdefault(address, f"{owner}.{name}")
        found.append(entry)
    return found


def autograd_nodes(function: Function, inputs: Arrays, dout: np.ndarray) -> Listed:
    """Autograd's graph from the output's `grad_fn` on, every node before those it feeds.

    A node's formula is the derivative's operator as it ran, `..._backward` where there
    is one, else all that ran, in order; "" where the gradient is only passed on. Its
    settings are the Python values among the attributes `_saved_...` (see `remembered`);
    counts beyond int64 are the negative numbers that they stand for.

    Raises: as `graph`.
    """
    run = _observe(function, inputs, dout)
    place = {node: n for n, node in enumerate(run.nodes)}
    ran: dict[Node, list[str]] = {node: [] for node in run.nodes}
    for step in run.ran["backward"]:
        if step.node in ran and not step.idle:
            ran[step.node].append(step.name.rpartition("::")[2])

    def formula(names: list[str]) -> str:
        return ", ".join([name for name in names if "_backward" in name] or names)

    return [
        {
            "name": _name(node),
            "next": [place[n] for n, _ in node.next_functions if n is not None],
            "inputs": [n for n, leaf in run.leaves.items() if leaf is _leaf_of(node)],
            "saved": [name for name, _ in run.saved[node]],
            "formula": formula(ran[node]) if run.available else NOT_AVAILABLE,
            "settings": run.settings[node],
        }
        for node in run.nodes
    ]


@contextmanager
def _apart() -> Iterator[None]:
    """Derivatives on, whatever the caller has set, and the random numbers put back."""
    random = torch.random.fork_rng(devices=[])
    with torch.inference_mode(False), torch.enable_grad(), random:
        yield


def _leaves(inputs: Arrays) -> dict[str, Tensor]:
    """The inputs as tensors of their own; those that can, require a gradient."""
    leaves = {k: torch.from_numpy(np.array(v, order="C")) for k, v in inputs.items()}
    for leaf in leaves.values():
        leaf.requires_grad_(leaf.is_floating_point() or leaf.is_complex())
    return leaves


def _call(function: Function, leaves: dict[str, Tensor]) -> Tensor:
    """The function's result; called by position if it takes nothing by name."""
    try:
        kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    except ValueError:  # one of PyTorch's builtins
        kinds = {inspect.Parameter.POSITIONAL_ONLY}
    by_place = inspect.Parameter.POSITIONAL_ONLY in kinds
    out = function(*leaves.values()) if by_place else function(**leaves)
    came = f"a {type(out).__name__}" if out is not None else "None"
    if isinstance(out, Tensor):
        nodes = _sorted(out.grad_fn, _following) if out.grad_fn is not None else []
        ends = {id(_leaf_of(node)) for node in nodes}
        if ends & {id(leaf) for leaf in leaves.values()}:
            return out
        came = f"{_dtype(out)} to which no operation with a derivative leads from them"
    raise TypeError(
        f"{getattr(function, '__name__', type(function).__name__)}: must return one "
        f"tensor computed from floating-point inputs, got {came}"
    )


def _seeded(out: Tensor, dout: np.ndarray) -> tuple[list[Tensor], list[Tensor] | None]:
    """What `torch.autograd.grad` is to be given for dout to arrive at out.

    Given dout itself, it imports sympy to check the shape; but the derivative of this sum
    is dout, bit for bit.
    """
    if np.shape(dout) != out.shape:
        raise ValueError(
            f"dout must have the output's shape {tuple(out.shape)}, got {np.shape(dout)}"
        )
    given = torch.from_numpy(np.array(dout)).to(out)
    return ([out], [given]) if out.is_complex() else ([(out * given).sum()], None)


def _pull(
    outputs: list[Any],
    seeds: list[Any] | None,
    inputs: list[Any],
    nodes: Collection[Node],
) -> tuple[tuple[Any, ...], dict[Node, list[Any]]]:
    """The gradients of the inputs, and all that the nodes send back on the way."""
    flows: dict[Node, list[Any]] = {}

    def keep(node: Node, sent: Any, arrived: Any) -> None:
        flows[node] = [*map(_array, sent)]

    with _hooks(nodes, after=keep):
        found = torch.autograd.grad(
            outputs, inputs, seeds, retain_graph=True, allow_unused=True
        )
    return found, flows


def _record(function: Function, inputs: Arrays) -> "tuple[_Recorder, Tensor]":
    leaves = _leaves(inputs)
    with _Recorder(leaves) as recorder:
        return recorder, _call(function, leaves)


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
        operands = [*_tensors((args, kwargs))]
        inputs = [i for i in map(self.index, operands) if i is not None]
        result = func(*args, **(kwargs or {}))
        touched = [*_tensors(result)]
        if any(map(self.is_new, operands)):  # written to: so may be others, by views
            touched = [edge.tensor for edge in self.edges] + touched
        self.calls += 1
        made = {"op": _op(func, args, kwargs or {}), "where": _where()}
        for tensor in touched:
            if self.is_new(tensor):
                self.add(tensor, **made, call=self.calls, inputs=inputs)
        return result

    def index(self, tensor: Tensor) -> int | None:
        """The edge that the tensor is now; None if it cannot be read."""
        found = self.known.get(_key(tensor))
        return self.add(tensor) if found is None else found

    def is_new(self, tensor: Tensor) -> bool:
        """Whether it is none of the edges; without a derivative, by its bits."""
        found = self.known.get(_key(tensor))
        if found is None or tensor.requires_grad:
            return found is None
        value = _array(tensor)
        return value is None or value.tobytes() != self.edges[found].value.tobytes()

    def add(self, tensor: Tensor, **made: Any) -> int | None:
        value = _array(tensor)
        if value is None:
            return None
        self.edges.append(_Edge(tensor, value, _source(tensor), **made))
        self.known[_key(tensor)] = len(self.edges) - 1
        return len(self.edges) - 1

    def finish(self, out: Tensor) -> list[int]:
        """All inputs and what the output comes of, named, in order of execution."""
        found = _sorted(self.index(out), self.trace)
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
                leaf = _leaf_of(following)
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
            names = [_name(node).partition("Backward")[0] for node in edge.nodes]
            edge.op = ", ".join(names[::-1])
        return edge.inputs

    def sent_by(self, edge: _Edge, gradient: Any) -> dict[Node, list[Any]]:
        """What the nodes between an edge and its inputs send for this edge alone, where
        they have several results.
        """
        if gradient is None:
            return {}
        sources = [self.edges[j].source for j in {j for _, _, j in edge.ends}]
        return _pull([edge.source], [gradient], sources, edge.nodes)[1]


@dataclass(eq=False)
class _Step:
    """One operator as it ran. Arguments and result are kept, so that no memory is used
    again, and an address stands for one tensor.
    """

    name: str
    arguments: tuple[Any, dict[str, Any]]
    result: Any
    value: np.ndarray | None
    where: str
    node: Node
    idle: bool = False


@dataclass(eq=False)
class _Run:
    """One forward and backward pass, operator by operator, and autograd's nodes."""

    leaves: dict[str, Tensor]
    ran: dict[str, list[_Step]]
    nodes: list[Node] = field(default_factory=list)
    saved: dict[Node, list[tuple[str, Tensor]]] = field(default_factory=dict)
    settings: dict[Node, dict[str, Any]] = field(default_factory=dict)
    names: dict[Any, str] = field(default_factory=dict)  # by place in memory
    running: Node = None
    available: bool = True


def _observe(function: Function, inputs: Arrays, dout: np.ndarray) -> _Run:
    """Run forward and backward, and see what ran, by which node, and to what end."""
    with _apart():
        run = _Run(_leaves(inputs), {"forward": [], "backward": []})
        with _watched(run, "forward"):
            out = _call(function, run.leaves)
        seeded = _seeded(out, dout)
        run.nodes = _sorted(out.grad_fn, _following)[::-1]
        run.saved = {node: _saved(node) for node in run.nodes}
        run.settings = {node: _settings(node) for node in run.nodes}
        wanted = {name: leaf for name, leaf in run.leaves.items() if leaf.requires_grad}

        arrived: list[Tensor] = []

        def begin(node: Node, arriving: Any) -> None:
            run.running = node
            if node is out.grad_fn:  # what ran before it was to seed it
                run.ran["backward"].clear()
                arrived.extend(_tensors(arriving))

        def end(node: Node, sent: Any, arrived: Any) -> None:
            run.running = None

        with _watched(run, "backward"), _hooks(run.nodes, begin, end):
            found = torch.autograd.grad(
                seeded[0], [*wanted.values()], seeded[1], allow_unused=True
            )
    named = run.leaves | {"dout": arrived[0], "out": out}
    named |= {f"d{n}": g for n, g in zip(wanted, found, strict=True) if g is not None}
    for name, tensor in named.items():
        run.names.setdefault(_place(tensor), name)
    used = {id(out), _place(out)}
    used |= {_place(tensor) for saved in run.saved.values() for _, tensor in saved}
    for step in reversed(run.ran["forward"]):
        mark = id if step.name == "aten::detach" else _place
        step.idle = step.node is None and not used & {*map(mark, _tensors(step.result))}
        if not step.idle:
            for tensor in _tensors(step.arguments):
                used |= {id(tensor), _place(tensor)}
    for step in run.ran["backward"]:
        step.idle = step.name == "aten::detach"
    return run


@contextmanager
def _watched(run: _Run, way: str) -> Iterator[None]:
    """Within, every operator is added to `run.ran[way]`, if they can be watched."""
    try:
        from torch.utils._python_dispatch import TorchDispatchMode
    except ImportError:
        run.available = False
        yield
        return
    watch: Any = type("Watch", (_Watch, TorchDispatchMode), {})(run, run.ran[way])
    with watch:
        yield
    watch.settle()


class _Watch:
    """A `TorchDispatchMode` but for that base: it may be missing, and in a class that has
    it already, it wraps `__torch_dispatch__` in an import that takes a second.
    """

    def __init__(self, run: _Run, ran: list[_Step]) -> None:
        super().__init__()
        self.run, self.ran = run, ran

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.settle()
        result = func(*args, **(kwargs or {}))
        name = func.name().partition(".")[0]
        value = _array(next(_tensors(result), None))
        given = (args, kwargs or {})
        step = _Step(name, given, result, value, _where(), self.run.running)
        self.ran.append(step)
        return result

    def settle(self) -> None:
        """Autograd has recorded the last result by now, and nothing wrote to it yet."""
        if self.ran and self.ran[-1].node is None:
            result = next(_tensors(self.ran[-1].result), None)
            self.ran[-1].node = getattr(result, "grad_fn", None)


@contextmanager
def _hooks(
    nodes: Collection[Node],
    before: Function | None = None,
    after: Function | None = None,
) -> Iterator[None]:
    """Within, before(node, arriving) and after(node, sent, arrived) of every node run."""
    handles = [n.register_prehook(partial(before, n)) for n in nodes if before]
    handles += [n.register_hook(partial(after, n)) for n in nodes if after]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _sorted(root: Any, before: Function) -> list[Any]:
    """The root and all that comes before it, each behind what comes before itself."""
    order: list[Any] = []
    todo, seen = [(root, False)], set()
    while todo:
        one, done = todo.pop()
        if done:
            order.append(one)
        elif one not in seen:
            seen.add(one)
            todo.append((one, True))
            todo += [(other, False) for other in reversed(before(one))]
    return order


def _following(node: Node) -> list[Node]:
    return [following for following, _ in node.next_functions if following is not None]


def _leaf_of(node: Node) -> Tensor | None:
    """The tensor whose gradient the node collects, if it is an AccumulateGrad."""
    return node.variable if _name(node) == "AccumulateGrad" else None


def _attributes(node: Node) -> Iterator[tuple[str, Any]]:
    """What a node saved, by name; several tensors one by one."""
    names = [name for name in dir(node) if name.startswith("_saved_")]
    for name in [*names, "saved_tensors"]:
        try:
            value = getattr(node, name, None)
        except RuntimeError:  # it was written to since: no backward can use it
            continue
        short = name.removeprefix("_saved_")
        if isinstance(value, tuple) and any(isinstance(v, Tensor) for v in value):
            yield from ((f"{short}[{i}]", v) for i, v in enumerate(value))
        elif value is not None and not (isinstance(value, tuple) and not value):
            yield short, value


def _saved(node: Node) -> list[tuple[str, Tensor]]:
    return [(n, value) for n, value in _attributes(node) if isinstance(value, Tensor)]


def _settings(node: Node) -> dict[str, Any]:
    return {n: _plain(v) for n, v in _attributes(node) if not isinstance(v, Tensor)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    if isinstance(value, int) and value >= 2**63:
        return value - 2**64
    return value if isinstance(value, int | float | str | None) else _text(value, {})


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def _array(tensor: Tensor | None) -> np.ndarray | None:
    """A copy (what NumPy has no dtype for, as float32); None if it cannot be read."""
    if tensor is None:
        return None
    known = (torch.float16, torch.float32, torch.float64)
    try:
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
        if tensor.is_floating_point() and tensor.dtype not in known:
            tensor = tensor.float()
        return np.array(tensor.numpy())
    except (RuntimeError, TypeError):
        return None


def _source(tensor: Tensor) -> Any:
    """Its place in autograd's graph, which is another once it was written to."""
    try:
        return get_gradient_edge(tensor) if tensor.requires_grad else None
    except (RuntimeError, AttributeError):  # inside torch.func it has none
        return None


def _key(tensor: Tensor) -> Any:
    source = _source(tensor)
    return source[:2] if source else id(tensor)


def _place(tensor: Tensor) -> Any:
    """Where and how a tensor lies in memory."""
    try:
        return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
    except RuntimeError:  # it lies in no such way, as a sparse one
        return id(tensor)


def _memory(tensor: Tensor) -> tuple[int, int]:
    """Where the memory that it lies in begins, and the number of its bytes."""
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except RuntimeError:
        return id(tensor), tensor.numel() * tensor.element_size()


def _name(node: Node) -> str:
    """`torch::autograd::AccumulateGrad` without its namespace."""
    return "" if node is None else node.name().rpartition("::")[2]


def _dtype(tensor: Tensor) -> str:
    """`f32[2, 3]`."""
    name = str(tensor.dtype).removeprefix("torch.")
    kind = name.rstrip("0123456789")
    return LETTERS.get(kind, kind) + name.removeprefix(kind) + str([*tensor.shape])


def _text(value: Any, names: dict[Any, str]) -> str:
    """An argument as code; a tensor by its name, or else its dtype and shape."""
    if isinstance(value, Tensor):
        return names.get(_place(value)) or _dtype(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_text(part, names) for part in value)}]"
    return repr(value) if isinstance(value, str) else str(value).removeprefix("torch.")


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


def _where() -> str:
    """`file.py:12`, the line that runs of the function looked into; "" if none."""
    root = Path(__file__).parents[2]
    for frame, line in traceback.walk_stack(inspect.currentframe()):
        module = frame.f_globals.get("__name__", "")
        if module == __name__ and frame.f_code.co_name not in HANDLERS:
            break
        if module != __name__ and module.partition(".")[0] not in PASSED_OVER:
            path = Path(frame.f_code.co_filename)
            inside = path.is_relative_to(root)
            path = path.relative_to(root) if inside else Path(path.name)
            return f"{path.as_posix()}:{line}"
    return ""
