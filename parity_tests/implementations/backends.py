"""What an implementation computes with, as data: nobody reads it off a name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """What an implementation computes with: whose arithmetic it has, and where it differs.

    Args:
        framework: whose functions it calls.
        form: `fused` where a layer is the function that the framework has for it, `jit`
            where that is compiled as a whole, `composed` where a layer is spelled from
            primitive operations.
        device: where it runs, as the framework calls it.
    """

    framework: str
    form: str = "fused"
    device: str = "cpu"


# Those of the implementations that are built in, by name.
BACKENDS = {
    "reference": Backend("numpy"),
    "torch": Backend("torch"),
    "torch-composed": Backend("torch", "composed"),
    "jax": Backend("jax"),
    "jax-composed": Backend("jax", "composed"),
    "jax-jit": Backend("jax", "jit"),
}
NUMPY = BACKENDS["reference"]
UNKNOWN = Backend("unknown")  # of user-supplied code: by whom exp and log are computed


def of_framework(framework: str) -> tuple[Backend, ...]:
    """Return all forms that are built in of a framework."""
    return tuple(b for b in BACKENDS.values() if b.framework == framework)
