"""Products of a layer's Jacobian and Hessian with a direction, by the R-operator."""

import inspect
from typing import Any

import numpy as np

from gradparity.reference.arrays import check_shape


def jvp(layer: Any, inputs: dict[str, Any], tangents: dict[str, Any]) -> Any:
    """Rout: the Jacobian of a layer times a direction.

    Args:
        layer: one of the classes of this package.
        inputs: the layer's, in order, by name; labels are `t`.
        tangents: the direction, for every input but the labels, in the same order.

    Raises ValueError where a tangent has not the shape of its input.
    """
    return _moved(layer, inputs, tangents)[1]


def hvp(
    layer: Any, inputs: dict[str, Any], dout: Any, tangents: dict[str, Any], Rdout: Any
) -> dict[str, Any]:
    """R{dx} of every input: the Hessian of sum(dout * out) times a direction.

    Args:
        layer, inputs, tangents: as for `jvp`.
        dout: the derivative that arrives from above.
        Rdout: how that moves; zeros where it does not.
    """
    node, Rout = _moved(layer, inputs, tangents)
    check_shape(layer.__name__, "Rdout", Rdout, np.shape(Rout))
    returned = node.r_backward(dout, Rdout)
    returned = returned if isinstance(returned, tuple) else (returned,)
    held = [name for name in tangents if hasattr(node, "Rd" + name)]
    names = [name for name in tangents if name not in held]
    return dict(zip(names, returned, strict=True)) | {
        name: getattr(node, "Rd" + name) for name in held
    }


def _moved(
    layer: Any, inputs: dict[str, Any], tangents: dict[str, Any]
) -> tuple[Any, Any]:
    """The layer after forward and r_forward, and Rout."""
    for name, tangent in tangents.items():
        check_shape(layer.__name__, "R" + name, tangent, np.shape(inputs[name]))
    values = list(inputs.values())
    split = len(values) - len(inspect.signature(layer).parameters)
    node = layer(*values[split:])
    node.forward(*values[:split])
    return node, node.r_forward(*tangents.values())
