"""What a layer keeps from forward to backward."""

import inspect
from typing import Any

import numpy as np

from gradparity.reference.hood.recording import record
from gradparity.reference.hood.running import Arrays, build, copied, layers_in
from gradparity.reference.networks import TwoLayerNet
from gradparity.reference.signatures import held_by


def remembered(layer: Any, inputs: Arrays) -> list[dict[str, Any]]:
    """The arrays that a layer, or one inside it, holds between forward and backward.

    `layer` and `inputs` are as for `graph`. For each: name, owner (the layer's class,
    or what a layer inside it is called there, such as Affine1), shape, dtype, bytes,
    same_as (whose memory it is anyway: an input's, "out", or an earlier owner.name),
    where (the statement that put it there), value, and read (whether the source of
    backward reads it). A parameter that backward does not read is not kept for it.
    """
    inputs = copied(inputs)

    def forward() -> tuple[Any, Any]:
        made, arguments = build(layer, inputs)
        network = layer is TwoLayerNet
        return made, (made.loss if network else made.forward)(**arguments)

    run = record(forward)
    made, out = run.result
    known: dict[str, Any] = {**inputs, "out": out}
    found = []
    for owner, inner in layers_in(layer.__name__, made):
        parameters, reads = held_by(type(inner)), _reads(inner)
        for name, value in vars(inner).items():
            if not isinstance(value, np.ndarray | np.generic):
                continue
            if name in parameters and name not in reads:
                continue
            place = (type(inner).__name__, f"self.{name}")
            put = [
                step["where"]
                for step, other in run.steps
                if other is value and (step["owner"], step["name"]) == place
            ]
            same = [key for key, other in known.items() if _one_memory(other, value)]
            found.append(
                {
                    "name": name,
                    "owner": owner,
                    "shape": value.shape,
                    "dtype": str(value.dtype),
                    "bytes": value.nbytes,
                    "same_as": same[0] if same else "",
                    "where": put[0] if put else "",
                    "value": np.array(value),
                    "read": name in reads,
                }
            )
            known[f"{owner}.{name}"] = value
    return found


def _reads(layer: Any) -> set[str]:
    """The attributes that a layer's backward mentions."""
    methods = [getattr(type(layer), m, None) for m in ("backward", "backward_params")]
    codes = [inspect.unwrap(method).__code__ for method in methods if method]
    return {name for code in codes for name in code.co_names}


def _one_memory(one: Any, other: Any) -> bool:
    arrays = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    return one is other or (arrays and np.shares_memory(one, other))
