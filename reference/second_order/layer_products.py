"""Products of a layer's Jacobian and Hessian with a direction, by the R-operator."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import check_shape
from gradparity.reference.signatures import build


def jvp(
    layer: Any, inputs: dict[str, Any], tangents: dict[str, Any], **settings: Any
) -> Any:
    """Rout: the Jacobian of a layer times a direction.

    Args:
        layer: one of the classes of this package.
        inputs: the layer's, in order, by name.
        tangents: the direction, for every input that moves, in the same order: labels
            and other integers do not.
        settings: what the constructor takes by keyword.

    Raises ValueError where a tangent has not the shape of its input.
    """
    return _moved(layer, inputs, tangents, settings)[1]


def hvp(
    layer: Any,
    inputs: dict[str, Any],
    dout: Any,
    tangents: dict[str, Any],
    Rdout: Any,
    **settings: Any,
) -> dict[str, Any]:
    """R{dx} of every input: the Hessian of sum(dout * out) times a direction.

    Args:
        layer, inputs, tangents, settings: as for `jvp`.
        dout: the derivative that arrives from above.
        Rdout: how that moves; zeros where it does not.
    """
    node, Rout = _moved(layer, inputs, tangents, settings)
    check_shape(layer.__name__, "Rdout", Rdout, np.shape(Rout))
    returned = node.r_backward(dout, Rdout)
    returned = returned if isinstance(returned, tuple) else (returned,)
    held = [name for name in tangents if hasattr(node, "Rd" + name)]
    names = [name for name in tangents if name not in held]
    return dict(zip(names, returned, strict=True)) | {
        name: getattr(node, "Rd" + name) for name in held
    }


def _moved(
    layer: Any,
    inputs: dict[str, Any],
    tangents: dict[str, Any],
    settings: dict[str, Any],
) -> tuple[Any, Any]:
    """The layer after forward and r_forward, and Rout."""
    for name, tangent in tangents.items():
        check_shape(layer.__name__, "R" + name, tangent, np.shape(inputs[name]))
    node, rest = build(layer, inputs, **settings)
    node.forward(**rest)
    return node, node.r_forward(*tangents.values())
