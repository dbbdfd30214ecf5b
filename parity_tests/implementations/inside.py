"""What flows inside somebody's network: what its layers hand on while it works."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.reference.networks import TWO_LAYER_NET as CHAIN

LAST = ("lastLayer", "last_layer")  # what the layer of the loss is called


def parts(network: Any) -> list[Any]:
    """Return the layers of a network in the lecture's style, in their order, whether it
    has a dictionary of them or a list; without that of the loss, where that is apart.
    """
    layers = getattr(network, "layers", ())
    return [*(layers.values() if isinstance(layers, Mapping) else layers)]


def listen(network: Any) -> Arrays:
    """Return a dictionary in which stands, from now on, what the layers of a network in the
    lecture's style returned last, by the names of `trace`. Nothing does where they are
    others, in number, than the network's; or where nothing can be hung on them.
    """
    flow: Arrays = {}
    found = parts(network)
    found += [getattr(network, name) for name in LAST if hasattr(network, name)]
    if len(found) != len(CHAIN.links) + 1:
        return flow
    *others, last = found
    for part, (before, layer) in zip(others, CHAIN.links, strict=True):
        note(part, "forward", layer.name, flow)
        note(part, "backward", "d" + before, flow)
    note(last, "backward", "d" + layer.name, flow)
    return flow


def note(part: Any, method: str, name: str, flow: Arrays) -> None:
    """Have what the method of a layer returns copied into `flow`, under this name."""
    inner: Callable[..., Any] | None = getattr(part, method, None)
    if inner is None:
        return

    def noted(*given: Any, **named: Any) -> Any:
        returned = inner(*given, **named)
        flow[name] = np.array(returned)  # of its own, for who follows may write into it
        return returned

    try:
        setattr(part, method, noted)
    except (AttributeError, TypeError):  # __slots__, or a frozen class
        return
