"""Runs a function of tensors on given inputs, forward and backward."""

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradparity.torch_impl.hood.autograd import Node, following_nodes, in_order, leaf_of
from gradparity.torch_impl.hood.tensors import array_of, dtype_of

Function = Callable[..., Any]
Arrays = dict[str, np.ndarray]
Listed = list[dict[str, Any]]

NOT_AVAILABLE = "not available in this version"


@contextmanager
def apart() -> Iterator[None]:
    """Derivatives on, whatever the caller has set, and the random numbers put back."""
    random = torch.random.fork_rng(devices=[])
    with torch.inference_mode(False), torch.enable_grad(), random:
        yield


def leaves_of(inputs: Arrays) -> dict[str, Tensor]:
    """The inputs as tensors of their own; those that can, require a gradient."""
    leaves = {k: torch.from_numpy(np.array(v, order="C")) for k, v in inputs.items()}
    for leaf in leaves.values():
        leaf.requires_grad_(leaf.is_floating_point() or leaf.is_complex())
    return leaves


def call_function(function: Function, leaves: dict[str, Tensor]) -> Tensor:
    """The function's result; called by position if it takes nothing by name."""
    try:
        kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    except ValueError:  # one of PyTorch's builtins
        kinds = {inspect.Parameter.POSITIONAL_ONLY}
    by_place = inspect.Parameter.POSITIONAL_ONLY in kinds
    out = function(*leaves.values()) if by_place else function(**leaves)
    came = f"a {type(out).__name__}" if out is not None else "None"
    if isinstance(out, Tensor):
        nodes = (
            in_order(out.grad_fn, following_nodes) if out.grad_fn is not None else []
        )
        ends = {id(leaf_of(node)) for node in nodes}
        if ends & {id(leaf) for leaf in leaves.values()}:
            return out
        came = (
            f"{dtype_of(out)} to which no operation with a derivative leads from them"
        )
    raise TypeError(
        f"{getattr(function, '__name__', type(function).__name__)}: must return one "
        f"tensor computed from floating-point inputs, got {came}"
    )


def seed(out: Tensor, dout: np.ndarray) -> tuple[list[Tensor], list[Tensor] | None]:
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


def pull(
    outputs: list[Any],
    seeds: list[Any] | None,
    inputs: list[Any],
    nodes: Collection[Node],
) -> tuple[tuple[Any, ...], dict[Node, list[Any]]]:
    """The gradients of the inputs, and all that the nodes send back on the way."""
    flows: dict[Node, list[Any]] = {}

    def keep(node: Node, sent: Any, arrived: Any) -> None:
        flows[node] = [*map(array_of, sent)]

    with hooked(nodes, after=keep):
        found = torch.autograd.grad(
            outputs, inputs, seeds, retain_graph=True, allow_unused=True
        )
    return found, flows


@contextmanager
def hooked(
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
