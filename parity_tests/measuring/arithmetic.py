"""How each implementation computes: what its rounding bounds are made of.

The unit roundoff is the dtype's. The rest is the implementation's own: how well it
computes elementary functions, which was measured; whether it flushes tiny numbers to
zero, which is tried; and how precisely it was asked to multiply matrices.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.measuring.devices import factor_u, flushes
from gradparity.parity_tests.measuring.dtypes import record
from gradparity.parity_tests.measuring.elementary import measured, ulps
from gradparity.reference.rounding import Arithmetic
from gradparity.reference.rounding.elementary import ELEMENTARY
from gradparity.reference.rounding.floating_point import BFLOAT16


def arithmetic(backend: Backend, dtype: Any, flushed: bool = False) -> Arithmetic:
    """Return that of a backend in a dtype, as its framework is set now; `flushed` where
    the processor was in a mode in which subnormal numbers are zero. Of a function that was
    not measured nothing is promised: there is no bound.
    """
    name, known = np.dtype(dtype).name, record(dtype)
    there = {row.function for row in measured()}
    roundings = {
        function: 2 * (ulps(function, name, backend) if function in there else np.inf)
        if known.ulps is None
        else 2 * known.ulps
        for function in ELEMENTARY
    }
    return Arithmetic.of(
        dtype,
        flushes=flushed or flushes(backend),
        elementary=tuple(roundings.items()),
        composed=backend.form == "composed",
        factor_u=factor_u(backend) if name == "float32" else 0.0,
    )


def with_others(backend: Backend, dtype: str) -> Arithmetic:
    """That of a backend in a dtype, which knows how steps in other dtypes are computed."""
    own, single = (arithmetic(backend, each) for each in (dtype, np.float32))
    others = {each: half(each, single) for each in HALVES}
    others |= {each: arithmetic(backend, each) for each in ("float32", "float64")}
    others.pop(dtype)
    return replace(own, others=tuple(others.items()))


HALVES = {"float16": Arithmetic.of(np.float16), "bfloat16": BFLOAT16}


def half(dtype: str, single: Arithmetic) -> Arithmetic:
    """That of a dtype of 16 bits, in which functions are computed as in float32 and then
    rounded. Sums may be computed in either.
    """
    own = HALVES[dtype]
    roundings = tuple((f, 1 + n * single.u / own.u) for f, n in single.elementary)
    is_flushed = (
        dtype == "bfloat16" and single.flushed > 0
    )  # it begins where float32 does
    return replace(
        own,
        elementary=roundings,
        underflow=single.flushed if is_flushed else own.underflow,
        flushed=single.flushed if is_flushed else 0.0,
    )


@cache
def fuses() -> bool:
    """Return whether XLA compiles a product and a sum to one FMA, as it does where the
    processor has that: the product, which overflows alone, is not rounded then.
    """
    jax, largest = framework("jax"), np.finfo(np.float32).max
    product_and_sum = jax.jit(lambda a, b, c: a * b + c)
    return bool(product_and_sum(largest, np.float32(2), np.float32(-np.inf)) < 0)
