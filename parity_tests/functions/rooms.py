"""A function of any framework, recorded by the room that knows the framework."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.programs import Recording
from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.implementations.contract import framework

ROOMS = {
    "numpy": "gradparity.reference.program",
    "torch": "gradparity.torch_impl.program",
    "jax": "gradparity.jax_impl.program",
}
CASTING = ("torch", "jax")  # what a function casts can be left as it is in these
BACKENDS = {name: Backend(name) for name in ROOMS}


def compiled(
    function: Any,
    leaves: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray | None] | None,
) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Outputs and gradients of a JAX function that is compiled as a whole."""
    found = import_module("gradparity.jax_impl.whole").compiled(function, leaves, seeds)
    return found["outputs"], found["gradients"]


def record(
    name: str,
    function: Any,
    leaves: Sequence[np.ndarray],
    dtype: str,
    seeds: Sequence[np.ndarray | None] | None = None,
    noise: tuple[float, int] | None = None,
    widen: str = "constants",
) -> Recording:
    """What runs of a function of a framework on these inputs, and of its gradients.

    Args:
        name: the framework.
        function: as that room's `record` takes it.
        leaves: its inputs.
        dtype: "float32" or "float64", which floating-point ones have.
        seeds: what arrives at each output; None for ones.
        noise: its scale and seed, if there is to be any.
        widen: what is computed in float64 though the function has it in a narrower dtype:
            "constants", those of JAX (PyTorch's are exchanged when it is called); "all",
            what is cast as well; or "" for nothing.
    """
    if name != "numpy":
        framework(name)
    room = import_module(ROOMS[name])
    more: dict[str, Any] = {}
    if dtype == "float64" and name in CASTING:
        more = {"widen": widen if name == "jax" else widen == "all"}
    return Recording.of(
        room.record(function, leaves, seeds, noise=noise, **more), dtype
    )
