"""Autograd's nodes: what they are called, what follows them, and what they keep."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from gradparity.torch_impl.hood.tensors import as_text

Node = Any  # a torch.autograd.graph.Node


def name_of(node: Node) -> str:
    """`torch::autograd::AccumulateGrad` without its namespace."""
    return "" if node is None else node.name().rpartition("::")[2]


def leaf_of(node: Node) -> Tensor | None:
    """The tensor whose gradient the node collects, if it is an AccumulateGrad."""
    return node.variable if name_of(node) == "AccumulateGrad" else None


def following_nodes(node: Node) -> list[Node]:
    return [following for following, _ in node.next_functions if following is not None]


def in_order(root: Any, before: Callable[..., Any]) -> list[Any]:
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


def saved_tensors_of(node: Node) -> list[tuple[str, Tensor]]:
    return [(n, value) for n, value in _attributes(node) if isinstance(value, Tensor)]


def settings_of(node: Node) -> dict[str, Any]:
    return {n: _plain(v) for n, v in _attributes(node) if not isinstance(v, Tensor)}


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


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    if isinstance(value, int) and value >= 2**63:
        return value - 2**64
    return value if isinstance(value, int | float | str | None) else as_text(value, {})
