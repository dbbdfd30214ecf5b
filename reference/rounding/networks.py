"""The bounds of the network: of what flows through it, and of how that moves."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.reference.networks import TWO_LAYER_NET, Chain
from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.correctly_rounded import Arrays
from gradparity.reference.rounding.dual import Dual, tangents_of
from gradparity.reference.rounding.floating_point import Arithmetic
from gradparity.reference.rounding.rules import RULES
from gradparity.reference.rounding.rules.linear import affine_back

Pass = Callable[..., Any]


def network_bounds(
    params: Arrays,
    x: Any,
    t: Any,
    arithmetic: Arithmetic,
    mask: Any = None,
    chain: Chain = TWO_LAYER_NET,
) -> Bounds:
    """Everything that flows through a network, named as its `trace`, each with the bound
    on its error.

    Where a pre-activation is within its bound of zero, the ReLU may be open or shut; with
    a `mask` of what it lets through, (batch, hidden), that is taken for granted.
    """
    given = {name: Bounded.exact(v, arithmetic) for name, v in params.items()}
    with np.errstate(all="ignore"):
        return chain_bounds(chain, given, Bounded.exact(x, arithmetic), t, mask)


def step_bounds(
    params: Arrays,
    x: Any,
    t: Any,
    learning_rate: float,
    arithmetic: Arithmetic,
    mask: Any = None,
    chain: Chain = TWO_LAYER_NET,
    optimizer: str = "SGD",
) -> Bounds:
    """The same for the parameters after one step of an optimizer without state.

    The learning rate is the number that the implementation multiplies with: rounded to
    its dtype already.
    """
    flow = network_bounds(params, x, t, arithmetic, mask, chain)
    given = {name: Bounded.exact(v, arithmetic) for name, v in params.items()}
    rate = Bounded.exact(learning_rate, arithmetic)
    with np.errstate(all="ignore"):
        return {n: STEPS[optimizer](rate, v, flow["d" + n]) for n, v in given.items()}


def network_tangent_bounds(
    params: Arrays,
    x: Any,
    t: Any,
    direction: Arrays,
    arithmetic: Arithmetic,
    chain: Chain = TWO_LAYER_NET,
) -> Bounds:
    """The same for everything that flows through a network, if its parameters move."""
    given: Arrays = {
        name: Dual.moving(value, direction[name], arithmetic)
        for name, value in params.items()
    }
    still = Dual.moving(x, np.zeros_like(x), arithmetic)
    with np.errstate(all="ignore"):
        return tangents_of(chain_bounds(chain, given, still, t))


def local_bounds(
    params: Arrays,
    x: Any,
    t: Any,
    own: Arrays,
    arithmetic: Arithmetic,
    chain: Chain = TWO_LAYER_NET,
) -> Bounds:
    """The bound of every step of a network by itself, on the tensors that an
    implementation had there: what it computed from these may be off by no more.

    Args:
        own: what the implementation says flowed through its network, by the names of its
            `trace`. Where some of it is missing, so are the bounds of what follows.
    """
    given = {name: Bounded.exact(v, arithmetic) for name, v in params.items()}
    traced = {name: Bounded.exact(v, arithmetic) for name, v in own.items()}
    with np.errstate(all="ignore"):
        return chain_bounds(chain, given, Bounded.exact(x, arithmetic), t, own=traced)


def chain_bounds(
    chain: Chain, given: Arrays, x: Any, t: Any, mask: Any = None, own: Any = None
) -> Bounds:
    """Everything that flows through a chain of these (bounded) parameters and x; step by
    step where `own` says what each step took.
    """
    found: Bounds = {}

    def step(compute: Pass, taken: list[str], names: list[str], *more: Any) -> None:
        flow = (found if own is None else own) | {"x": x}
        if all(name in flow for name in taken):
            made = compute(*(flow[name] for name in taken), *more)
            found.update(zip(names, made, strict=True))

    for before, layer in chain.links:
        forward, _ = passes(layer.kind.__name__, mask)
        params = [given[name] for name in layer.params]
        step(lambda x, *p, f=forward: [f(x, *p)], [before], [layer.name], *params)
    scores = layer.name
    rule, one = RULES[chain.last.__name__], x.constant(1.0)
    step(
        lambda scores: [rule(scores, t, one)[q] for q in ("out", "y", "dx")],
        *([scores], ["loss", "y", "d" + scores]),
    )
    for before, layer in reversed(chain.links):
        _, backward = passes(layer.kind.__name__, mask)
        params = [given[name] for name in layer.params]
        step(
            lambda x, dout, *p, f=backward: f(x, *p, dout),
            [before, "d" + layer.name],
            ["d" + name for name in (before, *layer.params)],
            *params,
        )
    return found


def passes(layer: str, mask: Any = None) -> tuple[Pass, Pass]:
    """The rule of a layer as two: from its inputs to what it returns, and from these and
    dout to their gradients. Where a rule is not known in halves, the other is computed
    as well; what it returns then has the shape of x.
    """
    if layer == "Relu" and mask is not None:
        return (lambda x: open_only(x, mask)), (lambda x, dout: [open_only(dout, mask)])
    if layer in HALVES:
        return HALVES[layer]

    def whole(*given: Any) -> list[Bounded]:
        return [*RULES[layer](*given).values()]

    return (
        lambda *inputs: whole(*inputs, inputs[0])[0],
        lambda *inputs_and_dout: whole(*inputs_and_dout)[1:],
    )


def open_only(x: Bounded, mask: Any) -> Bounded:
    return x.map(lambda v: np.where(mask, v, 0))


# By optimizer: what comes of the learning rate, a parameter and its gradient.
STEPS: dict[str, Callable[[Bounded, Bounded, Bounded], Bounded]] = {
    "SGD": lambda rate, before, gradient: before - rate * gradient,
}
HALVES: dict[str, tuple[Pass, Pass]] = {
    "Affine": (
        lambda x, W, b: x.matmul(W, plus=b),
        lambda x, W, b, dout: affine_back(x, W, dout).values(),
    ),
    "Relu": (lambda x: x.relu(), lambda x, dout: [x.gate(dout)]),
}
