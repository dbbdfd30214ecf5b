"""Products of a layer's Jacobian and Hessian with a direction, by torch.func."""

import warnings
from collections.abc import Callable
from typing import Any

import torch

Tensors = dict[str, Any]

# Forward mode's own use, which PyTorch warns of from 2.14 on.
warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")


def jvp(
    layer: Callable[..., Any], inputs: Tensors, tangents: Tensors, **settings: Any
) -> Any:
    """Rout: the Jacobian of a layer times a direction."""
    moving, still = _split(inputs, tangents, settings)
    return torch.func.jvp(lambda m: layer(**m, **still), (moving,), (tangents,))[1]


def hvp(
    layer: Callable[..., Any],
    inputs: Tensors,
    dout: Any,
    tangents: Tensors,
    Rdout: Any,
    **settings: Any,
) -> Tensors:
    """R{dx} of every input: the Hessian of sum(dout * out) times a direction."""
    moving, still = _split(inputs, tangents, settings)

    def backward(moving: Tensors, dout: Any) -> Tensors:
        back: Any = torch.func.vjp(lambda m: layer(**m, **still), moving)[1]
        return back(dout)[0]

    return torch.func.jvp(backward, (moving, dout), (tangents, Rdout))[1]


def _split(
    inputs: Tensors, tangents: Tensors, settings: dict[str, Any]
) -> tuple[Tensors, Tensors]:
    """The inputs that move, in the order of the tangents; and the others and settings."""
    still = {name: value for name, value in inputs.items() if name not in tangents}
    return {name: inputs[name] for name in tangents}, still | settings
