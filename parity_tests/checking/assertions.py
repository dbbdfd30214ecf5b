"""One layer of somebody's own, in a test of their own: right to within rounding, or an
`AssertionError` that says what is not.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradparity.parity_tests import DTYPES, as_list
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, SHAPE_CASES
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.checking.values import Prepared, check
from gradparity.parity_tests.implementations.user_supplied import Own, Vjp
from gradparity.parity_tests.measuring.records import Check, Verdict


def assert_parity(
    candidate: Callable[..., Any],
    layer: str,
    *,
    dtypes: str | Sequence[str] = DTYPES,
    edges: bool = True,
    vjp: Vjp | None = None,
) -> None:
    """Assert that a class or function computes what a layer of the lecture does.

        def test_my_relu():
            assert_parity(my_relu, "Relu")

    Args:
        candidate: a class of the lecture's style (`forward` and `backward`); a function
            with a parameter `dout` that returns `out` and its gradients, a tuple or a
            dict, of NumPy arrays; or a plain function in PyTorch or JAX, which is
            differentiated. Inputs are passed by position: `(x)`, `(x, W, b)`, `(x, t)`.
        layer: what it claims to be, by the name in `reference/layers/`: "Affine".
        dtypes: one or more, in which it is tried: every input has this dtype, one-hot
            labels included, but integer labels; and every result must have it.
        edges: also at 0, infinities, NaN and subnormal numbers, where it saturates, and
            in odd layouts of memory.
        vjp: differentiates a plain function that is written for neither framework:
            `vjp(function, primals, dout)` -> `out`, and the gradient for each primal.

    Raises:
        AssertionError: a tensor is further from the truth than rounding can take it. The
            message names the first, its worst element, the error as a multiple of the
            rounding bound, and the bound.
        ValueError: there is no such layer, or nobody can tell how to differentiate the
            candidate.
    """
    if layer not in LAYERS:
        raise ValueError(f"unknown layer {layer!r}: expected {', '.join(LAYERS)}")
    dtypes = as_list(dtypes)
    if not dtypes:
        raise ValueError(
            f"expected at least one dtype of {', '.join(DTYPES)}, got none"
        )
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise ValueError(f"unknown dtype {dtype!r}: expected {', '.join(DTYPES)}")
    name = getattr(candidate, "__name__", type(candidate).__name__)
    own = Own(name, {layer: candidate, "vjp": vjp})
    kinds = ("typical", "edge") if edges else ("typical",)
    for case in [*LAYER_CASES, *SHAPE_CASES]:
        if case.layer == layer and case.kind in kinds:
            for dtype in dtypes:
                rows, _ = check(Prepared.of(case, dtype), name, own)
                for row in rows:
                    if row.verdict == Verdict.FAIL:
                        raise AssertionError(sentence(row))


def sentence(row: Check) -> str:
    """What is wrong with a tensor."""
    said = (
        f"{row.implementation} is no {row.layer}: {row.quantity} of case {row.case!r} "
        f"in {row.dtype} is wrong"
    )
    if row.worst is None or row.worst.bound is None:
        return f"{said}: {row.note}"
    at, bound, ratio = row.worst.index, row.worst.bound, row.bound_ratio or 0.0
    times = f"{ratio:.3g} times" if np.isfinite(ratio) else "beyond"
    return (
        f"{said}: at {at} it is {row.worst.value!r}, the truth is {row.worst.truth!r}; "
        f"the error is {times} the rounding bound of {bound:.3g}"
        + (f" ({row.note})" if row.note else "")
    )
