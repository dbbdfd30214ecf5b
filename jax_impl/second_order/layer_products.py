"""Products of a layer's Jacobian and Hessian with a direction, by jax.jvp."""

from collections.abc import Callable
from typing import Any

import jax

Arrays = dict[str, Any]


def jvp(
    layer: Callable[..., Any], inputs: Arrays, tangents: Arrays, **settings: Any
) -> Any:
    """Rout: the Jacobian of a layer times a direction."""
    moving, still = _split(inputs, tangents, settings)
    return jax.jvp(lambda m: layer(**m, **still), (moving,), (tangents,))[1]


def hvp(
    layer: Callable[..., Any],
    inputs: Arrays,
    dout: Any,
    tangents: Arrays,
    Rdout: Any,
    **settings: Any,
) -> Arrays:
    """R{dx} of every input: the Hessian of sum(dout * out) times a direction."""
    moving, still = _split(inputs, tangents, settings)

    def backward(moving: Arrays, dout: Any) -> Arrays:
        back = jax.vjp(lambda m: layer(**m, **still), moving)[1]
        return back(dout)[0]

    return jax.jvp(backward, (moving, dout), (tangents, Rdout))[1]


def _split(
    inputs: Arrays, tangents: Arrays, settings: dict[str, Any]
) -> tuple[Arrays, Arrays]:
    """The inputs that move, in the order of the tangents; and the others and settings."""
    still = {name: value for name, value in inputs.items() if name not in tangents}
    return {name: inputs[name] for name in tangents}, still | settings
