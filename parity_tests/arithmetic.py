"""How each implementation computes: what its rounding bounds are made of.

The unit roundoff is the dtype's. How well exp and log are computed, and whether tiny
numbers are flushed to zero, is the implementation's own affair and was measured.
"""

from typing import Any

from reference.rounding import Arithmetic


def arithmetic(implementation: str, dtype: Any) -> Arithmetic:
    """That of an implementation in a dtype."""
    return Arithmetic.of(
        dtype, exp=4.0, log=4.0, flushes=implementation.startswith("jax")
    )
