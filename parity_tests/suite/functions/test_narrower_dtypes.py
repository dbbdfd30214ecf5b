"""What a function computes with fewer digits than its inputs have is judged with those; and
it is a part of the function, which another has as well, or is another function.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import inputs, targets
from gradparity.parity_tests.functions.comparison import Comparison, compare_functions
from gradparity.parity_tests.functions.programs import has
from gradparity.parity_tests.functions.wording import report
from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.measuring.arithmetic import with_others

Function = Callable[..., Any]
X = np.random.default_rng(0).standard_normal((4, 6))
W = np.random.default_rng(1).standard_normal((6, 3))
BOTH = ("float32", "float64")


def compared(*functions: Function, dtypes: Any = BOTH, **given: Any) -> Comparison:
    found = [targets.of(f, name=f.__name__) for f in functions]
    return compare_functions(found, inputs.of(given), list(dtypes))


def by_hand(x: Any, dout: Any) -> Any:
    y = np.exp(x.astype(np.float32))
    return y.astype(x.dtype), (y * dout.astype(np.float32)).astype(x.dtype)


def test_a_cast_of_numpy_is_judged_with_its_own_digits() -> None:
    torch = pytest.importorskip("torch")

    def cast(x: Any) -> Any:
        return torch.exp(x.float()).to(x.dtype)

    def plain(x: Any) -> Any:
        return torch.exp(x)

    assert compared(by_hand, cast, x=X).same
    found = compared(by_hand, plain, x=X)
    (pair,) = found.pairs
    assert not pair.same_function
    assert all(tried.same for tried in pair.tried if tried.dtype == "float32")
    assert [each.failed for each in found.operators.values() if each.failed] == []
    note = "note: by_hand computes in float32 in part, whatever it is handed"
    assert f"  {note}" in [*report(found)]


def test_a_cast_is_named_with_its_line() -> None:
    torch = pytest.importorskip("torch")

    def cast(x: Any, W: Any) -> Any:
        return torch.tanh(x.to(torch.bfloat16).to(x.dtype) @ W)

    def plain(x: Any, W: Any) -> Any:
        return torch.tanh(x @ W)

    (pair,) = compared(plain, cast, x=X, W=W).pairs
    assert pair.mistake is not None
    assert pair.mistake.name == "cast"
    assert re.fullmatch(
        r"cast casts to bfloat16 \(\S*test_narrower_dtypes.py:\d+\) and plain does not",
        pair.mistake.sentence,
    )
    assert pair.underived == {}


def test_another_mistake_is_found_beside_the_same_cast() -> None:
    """Which bfloat16 would hide: it is looked for without what both cast."""
    torch = pytest.importorskip("torch")

    def scaled(factor: float) -> Function:
        def function(x: Any, W: Any) -> Any:
            y = x.to(torch.bfloat16) @ W.to(torch.bfloat16)
            return y.to(x.dtype) * factor

        return function

    assert compared(scaled(3.0), scaled(3.0), x=X, W=W).same
    (pair,) = compared(scaled(3.0), scaled(3.0 + 1e-9), x=X, W=W).pairs
    assert not pair.same_function
    assert pair.mistake is not None
    assert pair.mistake.name != "cast"


def test_what_autocast_casts_in_float32_alone_is_judged_there() -> None:
    torch, jnp = pytest.importorskip("torch"), pytest.importorskip("jax.numpy")

    def autocast(x: Any, W: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return (x @ W).to(x.dtype)

    def cast(x: Any, W: Any) -> Any:
        if x.dtype == jnp.float64:
            return x @ W
        return (x.astype(jnp.bfloat16) @ W.astype(jnp.bfloat16)).astype(x.dtype)

    def plain(x: Any, W: Any) -> Any:
        return x @ W

    found = compared(autocast, cast, x=X, W=W)
    assert found.same
    (pair,) = compared(autocast, plain, x=X, W=W).pairs
    assert pair.same_function
    assert not pair.same


def test_constants_of_jax_are_no_cast() -> None:
    """What a function closes over, or makes of such, is a setting of the test."""
    torch, jnp = pytest.importorskip("torch"), pytest.importorskip("jax.numpy")
    held = jnp.asarray(W.astype(np.float32))
    theirs = torch.from_numpy(np.abs(W.astype(np.float32)))

    def closed_over(x: Any) -> Any:
        return x @ jnp.sqrt(held * held)

    def in_torch(x: Any) -> Any:
        return torch.matmul(x, theirs)

    found = compared(in_torch, closed_over, x=X)
    assert found.same
    assert found.notes == [
        "in_torch holds tensors of its own, which are handed to it in float64",
        "closed_over holds arrays of its own, which are handed to it in float64",
    ]


def test_a_constant_meets_what_is_cast_in_its_own_dtype() -> None:
    jax = pytest.importorskip("jax")
    torch, jnp = pytest.importorskip("torch"), jax.numpy
    held = jnp.asarray(W.astype(np.float32))
    theirs = torch.from_numpy(W.astype(np.float32))

    def in_jax(x: Any) -> Any:
        start = jnp.zeros(6, jnp.float32)
        _, sums = jax.lax.scan(
            lambda c, row: (c + row, c + row), start, x.astype(jnp.float32)
        )
        return (sums @ held).astype(x.dtype)

    def in_torch(x: Any) -> Any:
        return (x.float().cumsum(0) @ theirs.float()).to(x.dtype)

    found = compared(in_jax, in_torch, x=X)
    assert found.same
    assert [each.failed for each in found.operators.values() if each.failed] == []


@pytest.mark.parametrize(
    ("narrow", "constant", "is_there"),
    [
        ("bfloat16", 0.5, True),
        ("bfloat16", 0.1, False),
        ("bfloat16", 1 + 2.0**-8, False),
        ("float16", 1 + 2.0**-8, True),
        ("float16", 1e6, False),
        ("float32", 0.1, False),
        ("float32", float("inf"), True),
    ],
)
def test_which_numbers_a_dtype_has(
    narrow: str, constant: float, is_there: bool
) -> None:
    assert has(narrow, constant) == is_there


def test_functions_in_16_bits_are_those_of_float32_rounded_once_more() -> None:
    known = with_others(Backend("numpy"), "float64")
    single = known.within("float32")
    for name in ("float16", "bfloat16"):
        own = known.within(name)
        assert own.roundings("exp") == 1 + single.roundings("exp") * single.u / own.u
    assert known.within("float64") is known
    assert known.deviation.within("bfloat16").probable


def test_a_variance_of_large_numbers_is_within_what_the_mean_is_off_by() -> None:
    """The derivative by the mean is 0 there, and the error of the mean enters squared."""
    jnp = pytest.importorskip("jax.numpy")
    x = 1e6 + np.random.default_rng(0).standard_normal((3, 7))
    found = compared(lambda x: jnp.var(x, -1), lambda x: jnp.std(x, -1) ** 2, x=x)
    assert all(each.same for each in found.wholes.values())
    assert found.same
