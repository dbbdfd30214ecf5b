"""The computational graph with the values on its edges."""

from collections import Counter

import numpy as np

from gradparity.torch_impl.hood.recording import record
from gradparity.torch_impl.hood.running import (
    Arrays,
    Function,
    Listed,
    apart,
    pull,
    seed,
)
from gradparity.torch_impl.hood.tensors import array_of


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
    with apart():
        recorder, out = record(function, inputs)
        order = recorder.finish(out)
        edges = [recorder.edges[i] for i in order]
        sources = [edge.source for edge in edges if edge.source]
        between = Counter(node for edge in edges for node in edge.nodes)
        found, sent = pull(*seed(out, dout), sources, between)
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
        {"name": edge.name, "value": edge.value, "gradient": array_of(gradient)}
        for edge, gradient in zip(edges, gradients, strict=True)
    ]
    return {"nodes": nodes, "edges": flow}
