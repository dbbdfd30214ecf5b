"""What a framework does on a device, whatever the layer: one record for each of the two."""

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.backends import Backend

# What the frameworks call it, and the unit roundoff of the factors. The last digits of
# float32 may be cut off where TF32 is used, which loses twice as much as rounding does.
PRODUCTS = {
    "highest": 0.0,
    "float32": 0.0,
    "high": 2**-10,
    "tensorfloat32": 2**-10,
    "medium": 2**-8,
    "bfloat16": 2**-8,
}


@dataclass(frozen=True)
class Device:
    """How a framework computes on a device.

    Args:
        flushes: whether subnormal numbers are zero to the framework, its module, in this
            thread now, what comes in or what goes out.
        precision: to what precision the framework, its module, is set now to multiply
            float32 matrices: one of PRODUCTS; anything else counts as the lowest.
    """

    flushes: Callable[[Any], bool]
    precision: Callable[[Any], str] = lambda framework: "highest"


def jax_precision(jax: Any) -> str:
    """Return what JAX is set to, which says nothing on a CPU."""
    if jax.default_backend() == "cpu":
        return "highest"
    return str(jax.config.jax_default_matmul_precision or "high").lower()


NORMAL = np.array(
    [2.0**-126], np.float32
)  # the smallest normal number, and one that is below it
SUBNORMAL = np.array([1 << 20], np.uint32).view(np.float32)
TO_NEAREST = "to nearest"
EIGHTH, LARGE = (np.array([v], np.float32) for v in (0.125, 2.0**100))


def numpy_flushes(numpy: Any = np) -> bool:
    """Return whether the processor does, which has a mode for each thread: a library that
    was built for speed may have changed it, or `torch.set_flush_denormal`.
    """
    return not ((NORMAL * EIGHTH).all() and (SUBNORMAL * LARGE).all())


def numpy_rounds() -> str:
    """Return which way the processor rounds in this thread now."""
    one, little = np.float64(1), np.float64(2.0**-60)
    if one + little > one:
        return "upward"
    if -one - little < -one:
        return "downward"
    return "towards zero" if one - little < one else TO_NEAREST


def mode() -> tuple[bool, str]:
    """Return what this thread's floating-point mode is, as far as results depend on it."""
    return numpy_flushes(), numpy_rounds()


def changed_since(before: tuple[bool, str], who: str = "it") -> str:
    """Return a sentence on who has changed the mode; empty where nobody has."""
    flushes, rounds = mode()
    if rounds != before[1]:
        return f"{who} set the processor to round {rounds}"
    if flushes and not before[0]:
        return f"{who} set the processor so that subnormal numbers are zero"
    return ""


def torch_flushes(torch: Any) -> bool:
    """Return whether PyTorch does."""
    normal, subnormal, eighth, large = map(
        torch.from_numpy, (NORMAL, SUBNORMAL, EIGHTH, LARGE)
    )
    return not bool((normal * eighth).all() and (subnormal * large).all())


@cache
def jax_flushes(jax: Any) -> bool:
    """Return whether JAX does. XLA's programs set the mode, whatever the thread has."""
    with jax.ensure_compile_time_eval():
        product = jax.numpy.multiply(NORMAL, EIGHTH)
        return not bool(np.asarray(product).view(np.uint32).all())


DEVICES = {
    ("numpy", "cpu"): Device(numpy_flushes),
    ("torch", "cpu"): Device(torch_flushes, lambda t: t.get_float32_matmul_precision()),
    ("jax", "cpu"): Device(jax_flushes, jax_precision),
    ("unknown", "cpu"): Device(numpy_flushes),
}


def device(backend: Backend) -> Device:
    """Return the record. Raises `ValueError` where nothing is known of the two."""
    try:
        return DEVICES[backend.framework, backend.device]
    except KeyError:
        raise ValueError(
            f"nothing is known of {backend.framework} on {backend.device}"
        ) from None


def flushes(backend: Backend) -> bool:
    """Return whether subnormal numbers are zero to a backend, in this thread now. One
    that is not imported computes nothing, and is taken for the processor.
    """
    module = sys.modules.get(backend.framework)
    known = device(backend)
    return numpy_flushes() if module is None else known.flushes(module)


def factor_u(backend: Backend) -> float:
    """To how many digits the factors of a float32 matrix product are rounded first."""
    module = sys.modules.get(backend.framework)
    if module is None:
        return 0.0
    return PRODUCTS.get(device(backend).precision(module), 2**-8)


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
