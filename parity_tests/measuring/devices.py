"""What a framework does on a device, whatever the layer: one record for each of the two."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradparity.parity_tests.implementations.backends import Backend

PRODUCTS = {  # what the frameworks call it, and the unit roundoff of the factors
    "highest": 0.0,
    "float32": 0.0,
    "high": 2**-11,
    "tensorfloat32": 2**-11,
    "medium": 2**-8,
    "bfloat16": 2**-8,
}


@dataclass(frozen=True)
class Device:
    """How a framework computes on a device.

    Args:
        flushes: subnormal numbers are zero to it, both what comes in and what goes out.
        precision: to what precision the framework, its module, is set now to multiply
            float32 matrices: one of PRODUCTS; anything else counts as the lowest.
    """

    flushes: bool = False
    precision: Callable[[Any], str] = lambda framework: "highest"


def jax_precision(jax: Any) -> str:
    """Return what JAX is set to, which says nothing on a CPU."""
    if jax.default_backend() == "cpu":
        return "highest"
    return str(jax.config.jax_default_matmul_precision or "high").lower()


DEVICES = {
    ("numpy", "cpu"): Device(),
    ("torch", "cpu"): Device(precision=lambda t: t.get_float32_matmul_precision()),
    # XLA's programs run with the processor's FTZ and DAZ set.
    ("jax", "cpu"): Device(flushes=True, precision=jax_precision),
    ("unknown", "cpu"): Device(),
}


def device(backend: Backend) -> Device:
    """Return the record. Raises `ValueError` where nothing is known of the two."""
    try:
        return DEVICES[backend.framework, backend.device]
    except KeyError:
        raise ValueError(
            f"nothing is known of {backend.framework} on {backend.device}"
        ) from None


def product_u(backend: Backend) -> float:
    """To how many digits the factors of a float32 matrix product are rounded first."""
    module = sys.modules.get(backend.framework)
    if module is None:
        return 0.0
    return PRODUCTS.get(device(backend).precision(module), 2**-8)
