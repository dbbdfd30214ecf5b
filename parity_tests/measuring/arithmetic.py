"""How each implementation computes: what its rounding bounds are made of.

The unit roundoff is the dtype's. The rest is the implementation's own: how well it
computes exp and log and whether it flushes tiny numbers to zero, which was measured, and
how precisely it was asked to multiply matrices.
"""

import sys
from functools import cache
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.measuring.elementary import ulps
from gradparity.reference.rounding import Arithmetic

# XLA's programs run with the processor's FTZ and DAZ set: subnormal numbers are zero to
# them, both what comes in and what goes out.
FLUSHES = ("jax",)
# The GNU C library's manual, section "Known maximum errors": 2 ulps for long double.
LONGDOUBLE_ULPS = 2.0
PRODUCTS = {  # what the frameworks call it, and the unit roundoff of the factors
    "highest": 0.0,
    "float32": 0.0,
    "high": 2**-11,
    "tensorfloat32": 2**-11,
    "medium": 2**-8,
    "bfloat16": 2**-8,
}


def arithmetic(implementation: str, dtype: Any) -> Arithmetic:
    """That of an implementation in a dtype, as its framework is set now."""
    framework, _, form = implementation.partition("-")
    name = np.dtype(dtype).name
    measured = name in ("float32", "float64")
    exp, exp_near_overflow, log = (
        2 * (ulps(function, name, implementation) if measured else LONGDOUBLE_ULPS)
        for function in ("exp", "exp near overflow", "log")
    )
    return Arithmetic.of(
        dtype,
        flushes=framework in FLUSHES,
        exp=exp,
        exp_near_overflow=exp_near_overflow,
        log=log,
        composed=form == "composed",
        product_u=product_u(framework) if name == "float32" else 0.0,
    )


def product_u(framework: str) -> float:
    """To how many digits the factors of a float32 matrix product are rounded first."""
    module = sys.modules.get(framework)
    if module is None:
        return 0.0
    if framework == "torch":
        return PRODUCTS[module.get_float32_matmul_precision()]
    if framework == "jax" and module.default_backend() != "cpu":
        precision = str(module.config.jax_default_matmul_precision or "high")
        return PRODUCTS.get(precision.lower(), 2**-8)
    return 0.0


@cache
def fuses() -> bool:
    """Return whether XLA compiles a product and a sum to one FMA, as it does where the
    processor has that: the product, which overflows alone, is not rounded then.
    """
    jax, largest = framework("jax"), np.finfo(np.float32).max
    product_and_sum = jax.jit(lambda a, b, c: a * b + c)
    return bool(product_and_sum(largest, np.float32(2), np.float32(-np.inf)) < 0)
