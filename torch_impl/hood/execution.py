"""The operators that ATen executes, and autograd's nodes that run them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradparity.torch_impl.hood.autograd import (
    Node,
    following_nodes,
    in_order,
    leaf_of,
    name_of,
    saved_tensors_of,
    settings_of,
)
from gradparity.torch_impl.hood.places import line_in_source
from gradparity.torch_impl.hood.running import (
    NOT_AVAILABLE,
    Arrays,
    Function,
    Listed,
    apart,
    call_function,
    hooked,
    leaves_of,
    seed,
)
from gradparity.torch_impl.hood.tensors import (
    array_of,
    as_text,
    dtype_of,
    place_of,
    tensors_in,
)


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
        for tensor in tensors_in(step.arguments):
            names.setdefault(
                place_of(tensor), dtype_of(tensor)
            )  # it comes from outside
        for tensor in tensors_in(step.result):
            if place_of(tensor) not in names:
                names[place_of(tensor)] = f"r{next(numbers)}"

    def described(step: _Step, saved: list[tuple[str, Tensor]]) -> dict[str, Any]:
        known = names | {place_of(tensor): name for name, tensor in saved} | given
        args, kwargs = step.arguments
        texts = [as_text(value, known) for value in args]
        texts += [f"{key}={as_text(value, known)}" for key, value in kwargs.items()]
        result = next(tensors_in(step.result), None)
        return {
            "code": f"{step.name}({', '.join(texts)})",
            "name": "" if result is None else names[place_of(result)],
            "value": step.value,
            "owner": "bookkeeping" if step.idle else name_of(step.node),
            "where": step.where,
        }

    forward, backward = run.ran.values()
    return {
        "forward": [described(step, []) for step in forward],
        "backward": [
            described(step, run.saved.get(step.node, [])) for step in backward
        ],
    }


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
            "name": name_of(node),
            "next": [place[n] for n, _ in node.next_functions if n is not None],
            "inputs": [n for n, leaf in run.leaves.items() if leaf is leaf_of(node)],
            "saved": [name for name, _ in run.saved[node]],
            "formula": formula(ran[node]) if run.available else NOT_AVAILABLE,
            "settings": run.settings[node],
        }
        for node in run.nodes
    ]


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
    with apart():
        run = _Run(leaves_of(inputs), {"forward": [], "backward": []})
        with _watched(run, "forward"):
            out = call_function(function, run.leaves)
        seeded = seed(out, dout)
        run.nodes = in_order(out.grad_fn, following_nodes)[::-1]
        run.saved = {node: saved_tensors_of(node) for node in run.nodes}
        run.settings = {node: settings_of(node) for node in run.nodes}
        wanted = {name: leaf for name, leaf in run.leaves.items() if leaf.requires_grad}

        arrived: list[Tensor] = []

        def begin(node: Node, arriving: Any) -> None:
            run.running = node
            if node is out.grad_fn:  # what ran before it was to seed it
                run.ran["backward"].clear()
                arrived.extend(tensors_in(arriving))

        def end(node: Node, sent: Any, arrived: Any) -> None:
            run.running = None

        with _watched(run, "backward"), hooked(run.nodes, begin, end):
            found = torch.autograd.grad(
                seeded[0], [*wanted.values()], seeded[1], allow_unused=True
            )
    named = run.leaves | {"dout": arrived[0], "out": out}
    named |= {f"d{n}": g for n, g in zip(wanted, found, strict=True) if g is not None}
    for name, tensor in named.items():
        run.names.setdefault(place_of(tensor), name)
    used = {id(out), place_of(out)}
    used |= {place_of(tensor) for saved in run.saved.values() for _, tensor in saved}
    for step in reversed(run.ran["forward"]):
        mark = id if step.name == "aten::detach" else place_of
        step.idle = step.node is None and not used & {
            *map(mark, tensors_in(step.result))
        }
        if not step.idle:
            for tensor in tensors_in(step.arguments):
                used |= {id(tensor), place_of(tensor)}
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
        if name == "aten::detach" and self.detached(args[0]):
            self.ran[-1].result = result
            return result
        value = array_of(next(tensors_in(result), None))
        given = (args, kwargs or {})
        step = _Step(name, given, result, value, line_in_source(), self.run.running)
        self.ran.append(step)
        return result

    def detached(self, tensor: Any) -> bool:
        """Whether the last step detached it: in PyTorch 2.6, one detach() is two."""
        return (
            bool(self.ran)
            and self.ran[-1].name == "aten::detach"
            and self.ran[-1].result is tensor
        )

    def settle(self) -> None:
        """Autograd has recorded the last result by now, and nothing wrote to it yet."""
        if self.ran and self.ran[-1].node is None:
            result = next(tensors_in(self.ran[-1].result), None)
            self.ran[-1].node = getattr(result, "grad_fn", None)
