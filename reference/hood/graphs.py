"""The computational graph with the values on its edges."""

import re
from itertools import count
from typing import Any

import numpy as np

from gradparity.reference.hood.recording import Call
from gradparity.reference.hood.running import Arrays, copied, is_float, run_recorded
from gradparity.reference.signatures import held_by

# A name to call an edge by: a variable's, or the key in `flow["Affine1"] = ...`.
VARIABLE = re.compile(r'(?!return\b)(?:\w+\[")?(\w+)(?:"\])?')


def graph(layer: Any, inputs: Arrays, dout: np.ndarray) -> dict[str, list[Any]]:
    """The computational graph, run forward and backward: {"nodes": ..., "edges": ...}.

    A node is a layer whose forward calls no other layer's. What one layer returned and
    another was given is one edge, named after the variable that held it, else v1, v2,
    and so on. The parameters that a layer was constructed with are inputs of it, too.

    Args:
        layer: a layer's class; or `TwoLayerNet`, of which `trace` is run: it does what
            `gradient` does, but keeps all on the way and goes back as far as dx.
        inputs: the arguments of constructor and forward by name; of the network x, t,
            W1, b1, W2 and b2.
        dout: in the shape of the output. The network ends in its loss, where it is 1.

    Returns edges (name, value, gradient) with the inputs first, and nodes (op, inputs,
    output, gradients, where) in the order of forward. A node's gradients are what it
    sends back to each input; an edge's gradient is the sum of what it is sent.
    """
    inputs = copied(inputs)
    run = run_recorded(layer, inputs, dout)
    sent = {id(c.layer): c.result for c in run.calls if c.method == "backward"}
    variables = {}
    for step, value in run.steps[: run.turn]:
        if match := VARIABLE.fullmatch(step["name"]):
            variables[id(value)] = match[1]
    edges: list[dict[str, Any]] = []
    known: list[Any] = []  # the objects that the edges are

    def new_edge(value: Any, name: str) -> int:
        taken = ("out", "", *(edge["name"] for edge in edges))
        free = (v for i in count(1) if (v := f"v{i}") not in taken)
        name = next(free) if name in taken else name
        edges.append({"name": name, "value": np.array(value), "gradient": None})
        known.append(value)
        return len(edges) - 1

    def edge_of(value: Any, name: str) -> int:
        same = [i for i, other in enumerate(known) if other is value]
        if not same:  # if it was cast on the way, it is another object, but equal
            same = [i for i, other in enumerate(known) if _equal(other, value)]
        return same[-1] if same else new_edge(value, name)

    def node(call: Call) -> dict[str, Any]:
        back = sent[id(call.layer)]
        flow = iter(back if isinstance(back, tuple) else (back,))
        given = [
            (name, value, next(flow) if is_float(value) else None)
            for name, value in call.arguments.items()
        ]
        for name in held_by(type(call.layer)):
            gradient = getattr(call.layer, "d" + name)
            given.append((name, getattr(call.layer, name), gradient))
        return {
            "op": getattr(call.layer, "sign", type(call.layer).__name__),
            "inputs": [edge_of(value, name) for name, value, _ in given],
            "output": new_edge(call.result, variables.get(id(call.result), "")),
            "gradients": [d if d is None else np.array(d) for *_, d in given],
            "where": call.where,
        }

    for name, value in inputs.items():
        new_edge(value, name)
    drawn = [node(c) for c in run.calls if c.method == "forward" and c.leaf]
    edges[-1].update(name="out", gradient=np.array(dout))
    for one in drawn:
        for i, gradient in zip(one["inputs"], one["gradients"], strict=True):
            if gradient is not None:
                before = edges[i]["gradient"]
                edges[i]["gradient"] = gradient if before is None else before + gradient
    return {"nodes": drawn, "edges": edges}


def _equal(one: Any, other: Any) -> bool:
    cast = np.asarray(one).astype(np.asarray(other).dtype)
    return np.array_equal(cast, other, equal_nan=is_float(other))
