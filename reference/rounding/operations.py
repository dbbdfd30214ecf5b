"""The operations that a program is made of, a row each: what is known of it is data.

A row says how its result is bounded, which is for `Bounded` to know, and how a derivative
goes back through it, which is written by hand. An operation that `Bounded` has is added by
a row of its own; nothing else needs to know of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Values
from gradparity.reference.rounding.floating_point import BFLOAT16, Arithmetic
from gradparity.reference.rounding.moves import (
    collected,
    from_collected,
    moved,
    moved_back,
)
from gradparity.reference.rounding.rules.losses import picked

Pull = Callable[..., Values]


@dataclass(frozen=True, eq=False)
class Operation:
    """What is known of an operation. Its settings are whatever is no floating-point array:
    axes, labels, constants.

    Args:
        name: what it is called.
        bounded: from its operands and settings to its result, each with its bound.
        pulls: for each operand, from the derivative `g` of a number with respect to the
            result, the result, the operands and the settings to the derivative with
            respect to that operand (a vector-Jacobian product). What was broadcast need
            not be summed again.
        independent: its errors are roundings, each of another number. Those of an
            elementary function or of a rounded constant may all have the same sign.
        in_doubt: where operands that are off by their errors may take another branch, for
            each operand; None where there are no branches.
        pull_of: of any number of operands, in place of `pulls`: the same function for
            each of them, which takes first which one it is for.
    """

    name: str
    bounded: Callable[..., Bounded]
    pulls: tuple[Pull, ...] = ()
    independent: bool = True
    in_doubt: Callable[..., tuple[Any, ...]] | None = None
    pull_of: Pull | None = None

    def pulls_of(self, operands: int) -> tuple[Pull, ...]:
        """One for each of so many operands."""
        if self.pull_of is None:
            return self.pulls
        return tuple(partial(self.pull_of, which) for which in range(operands))


def nothing(g: Values, result: Values, x: Values, *others: Values) -> Values:
    """The derivative with respect to what only decides: 0, but for the jump."""
    return np.zeros_like(x)


def open_where_positive(x: Values, y: Values) -> Values:
    """y where x > 0, and 0 elsewhere: the lecture's mask, which lets NaN pass."""
    return np.where(x <= 0, 0, y)


def near_zero(x: Bounded, *others: Bounded) -> tuple[Any, ...]:
    """Where x may be on the other side of 0: twice its error is more than enough for what
    rounding in float64 has done to x itself.
    """
    return (np.abs(x.value) <= 2 * x.error, *(False for _ in others))


def close(x: Bounded, y: Bounded) -> tuple[Any, ...]:
    """Where either of the two may be the larger."""
    either = np.abs(x.value - y.value) <= 2 * (x.error + y.error)
    return either, either


def ahead(x: Values, y: Values) -> Values:
    """1 where x is the larger, a half where the two are equal, and else 0."""
    return (1 + np.sign(x - y)) / 2


def bell(x: Values) -> Values:
    """The derivative of erf."""
    return 2 / np.sqrt(np.pi) * np.exp(-(x**2))


def along(g: Values, x: Values, axis: Any = None, keepdims: bool = False) -> Values:
    """What a reduction of x has, at every element that went into it."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, x.shape)


def of_others(
    g: Values, y: Values, x: Values, axis: Any = None, keepdims: bool = False
) -> Values:
    """The product of all the others, which there is where one of them is 0 as well."""
    axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis))
    last = tuple(range(x.ndim - len(axes), x.ndim))
    rows = np.moveaxis(x, axes, last)
    flat = rows.reshape(*rows.shape[: x.ndim - len(axes)], -1)
    before, after = np.ones_like(flat), np.ones_like(flat)
    before[..., 1:] = np.cumprod(flat[..., :-1], -1)
    after[..., :-1] = np.cumprod(flat[..., :0:-1], -1)[..., ::-1]
    others = np.moveaxis((before * after).reshape(rows.shape), last, axes)
    return along(g, x, axis, keepdims) * others


def from_variance(
    g: Values,
    y: Values,
    x: Values,
    axis: Any = None,
    keepdims: bool = False,
    correction: float = 0,
) -> Values:
    """Twice what is left of the mean, divided by n less the correction."""
    n = np.size(x) // max(np.size(y), 1)
    off = x - x.mean(axis=axis, keepdims=True)
    return along(g, x, axis, keepdims) * 2 * off / (n - correction)


def largest(x: Bounded, axis: int | None = None, keepdims: bool = False) -> Bounded:
    return x.map(lambda v: v.max(axis=axis, keepdims=keepdims))


def at_largest(
    g: Values, y: Values, x: Values, axis: int | None = None, keepdims: bool = False
) -> Values:
    """To those that are the largest, in equal parts."""
    is_largest = x == along(y, x, axis, keepdims)
    share = is_largest / is_largest.sum(axis=axis, keepdims=True)
    return share * along(g, x, axis, keepdims)


def rivals(x: Bounded, axis: int | None = None, keepdims: bool = False) -> tuple[Any]:
    """Which elements may be the largest, where more than one may."""
    least = (x.value - x.error).max(axis=axis, keepdims=True)
    may_be = x.value + x.error >= least
    return (may_be & (may_be.sum(axis=axis, keepdims=True) > 1),)


def narrowed(x: Bounded, dtype: Any) -> Bounded:
    """To another dtype: rounded, if that has fewer digits."""
    flushes = x.arithmetic.flushed > 0
    if str(dtype) == "bfloat16":  # which NumPy itself does not know
        there = replace(BFLOAT16, flushed=2.0**-126, underflow=2.0**-126)
        there = there if flushes else BFLOAT16
    else:
        there = Arithmetic.of(dtype, flushes=flushes)
    if there.u <= x.arithmetic.u:
        return x
    rounded = replace(x, arithmetic=there).rounded(1, 1)
    return replace(rounded, arithmetic=x.arithmetic)


def logistic(x: Bounded) -> Bounded:
    """e / (1 + e) with e = exp(x) where x < 0, or 1 / (1 + exp(-x)), which is 0 where that
    exponential overflows.
    """
    y = x.sigmoid()
    over = np.exp(-(x.value - x.spread)) > x.arithmetic.largest / 2
    return y.exactly(y.value, np.where(over, np.maximum(y.error, y.value), y.error))


def put(g: Values, y: Values, x: Values, labels: Any) -> Values:
    found = np.zeros_like(x)
    np.put_along_axis(found, np.asarray(labels)[..., None], g, axis=-1)
    return found


def flip(x: Values) -> Values:
    return np.swapaxes(x, -1, -2)


def to_left(g: Values, z: Values, x: Values, y: Values, *b: Values) -> Values:
    """Of x @ y. A vector is one row on the left, and one column on the right."""
    g = g[..., None] if y.ndim == 1 else g
    if x.ndim == 1:
        g = g[..., None, :]
    came = g @ flip(y[:, None] if y.ndim == 1 else y)
    return came[..., 0, :] if x.ndim == 1 else came


def to_right(g: Values, z: Values, x: Values, y: Values, *b: Values) -> Values:
    """The same for y."""
    g = g[..., None] if y.ndim == 1 else g
    if x.ndim == 1:
        g = g[..., None, :]
    came = flip(x[None] if x.ndim == 1 else x) @ g
    return came[..., 0] if y.ndim == 1 else came


def to_exponent(g: Values, z: Values, x: Values, y: Values) -> Values:
    """Of x**y; 0 of a power of 0."""
    return np.where(z == 0, 0, g * z * np.log(x))


UNCHANGED: Pull = lambda g, *others, **settings: g  # noqa: E731

OPERATIONS = {
    row.name: row
    for row in (
        Operation("add", lambda x, y: x + y, (UNCHANGED, UNCHANGED)),
        Operation("subtract", lambda x, y: x - y, (UNCHANGED, lambda g, z, x, y: -g)),
        Operation(
            "multiply",
            lambda x, y: x * y,
            (lambda g, z, x, y: g * y, lambda g, z, x, y: g * x),
        ),
        Operation(
            "divide",
            lambda x, y: x / y,
            (lambda g, z, x, y: g / y, lambda g, z, x, y: -g * z / y),
        ),
        Operation("negate", lambda x: -x, (lambda g, y, x: -g,)),
        Operation(
            "reciprocal", lambda x: x.reciprocal(), (lambda g, y, x: -g * y * y,)
        ),
        Operation(  # by a constant, which is rounded to the dtype
            "scale",
            lambda x, factor: x * x.constant(factor).rounded(),
            (lambda g, y, x, factor: g * factor,),
            independent=False,
        ),
        Operation(  # by a constant, or times its rounded reciprocal
            "over",
            lambda x, n: x.over(n),
            (lambda g, y, x, n: g / n,),
            independent=False,
        ),
        Operation("matmul", lambda x, y: x.matmul(y), (to_left, to_right)),
        Operation(  # x @ W + b, in one sum
            "affine",
            lambda x, W, b: x.matmul(W, plus=b),
            (to_left, to_right, UNCHANGED),
        ),
        Operation(
            "sum",
            lambda x, **axes: x.sum(**axes),
            (lambda g, y, x, **axes: along(g, x, **axes),),
        ),
        Operation(
            "mean",
            lambda x, **axes: x.mean(**axes),
            (lambda g, y, x, **axes: along(g, x, **axes) * np.size(y) / np.size(x),),
        ),
        Operation("product", lambda x, **axes: x.product(**axes), (of_others,)),
        Operation("variance", lambda x, **how: x.variance(**how), (from_variance,)),
        Operation("max", largest, (at_largest,), independent=False, in_doubt=rivals),
        Operation(
            "min",
            lambda x, **axes: -largest(-x, **axes),
            (lambda g, y, x, **axes: at_largest(g, -y, -x, **axes),),
            independent=False,
            in_doubt=lambda x, **axes: rivals(-x, **axes),
        ),
        Operation("move", moved, pull_of=moved_back),
        Operation("collect", collected, (from_collected,)),
        Operation("cast", narrowed, (UNCHANGED,), independent=False),
        Operation(  # a constant of a program, which is rounded to the dtype
            "rounded", lambda x: x.rounded(), (UNCHANGED,), independent=False
        ),
        Operation("transpose", lambda x: x.map(flip), (lambda g, y, x: flip(g),)),
        Operation(
            "reshape",
            lambda x, shape: x.map(lambda v: v.reshape(shape)),
            (lambda g, y, x, shape: g.reshape(x.shape),),
        ),
        Operation(
            "broadcast",
            lambda x, shape: x.map(lambda v: np.broadcast_to(v, shape)),
            (UNCHANGED,),
        ),
        Operation(  # the entry of every row that its label points at, in a column
            "pick", lambda x, labels: picked(x, np.asarray(labels)), (put,)
        ),
        Operation(  # what a mask that is given lets through
            "select",
            lambda x, mask: x.map(lambda v: np.where(mask, v, 0)),
            (lambda g, y, x, mask: np.where(mask, g, 0),),
        ),
        Operation(
            "relu",
            lambda x: x.relu(),
            (lambda g, y, x: open_where_positive(x, g),),
            independent=False,
            in_doubt=near_zero,
        ),
        Operation(  # y where x > 0
            "gate",
            lambda x, y: x.gate(y),
            (nothing, lambda g, z, x, y: open_where_positive(x, g)),
            independent=False,
            in_doubt=near_zero,
        ),
        Operation(
            "exp", lambda x: x.exp(), (lambda g, y, x: g * y,), independent=False
        ),
        Operation(
            "log", lambda x: x.log(), (lambda g, y, x: g / x,), independent=False
        ),
        Operation(
            "log1p",
            lambda x: x.log1p(),
            (lambda g, y, x: g / (1 + x),),
            independent=False,
        ),
        Operation(
            "expm1",
            lambda x: x.expm1(),
            (lambda g, y, x: g * np.exp(x),),
            independent=False,
        ),
        Operation(
            "sin",
            lambda x: x.sin(),
            (lambda g, y, x: g * np.cos(x),),
            independent=False,
        ),
        Operation(
            "cos",
            lambda x: x.cos(),
            (lambda g, y, x: -g * np.sin(x),),
            independent=False,
        ),
        Operation(
            "sigmoid",
            logistic,
            (lambda g, y, x: g * y * (1 - y),),
            independent=False,
        ),
        Operation(
            "tanh",
            lambda x: x.tanh(),
            (lambda g, y, x: g * (1 - y * y),),
            independent=False,
        ),
        Operation(
            "erf", lambda x: x.erf(), (lambda g, y, x: g * bell(x),), independent=False
        ),
        Operation(
            "erfc",
            lambda x: x.erfc(),
            (lambda g, y, x: -g * bell(x),),
            independent=False,
        ),
        Operation(
            "normal_cdf",
            lambda x: x.normal_cdf(),
            (lambda g, y, x: g * bell(x / np.sqrt(2)) / np.sqrt(8),),
            independent=False,
        ),
        Operation("sqrt", lambda x: x.sqrt(), (lambda g, y, x: g / (2 * y),)),
        Operation(
            "rsqrt",
            lambda x: x.rsqrt(),
            (lambda g, y, x: -g * y / (2 * x),),
            independent=False,
        ),
        Operation(  # to the power of a constant
            "power",
            lambda x, exponent: x.pow(exponent),
            (lambda g, y, x, exponent: g * exponent * x ** (exponent - 1),),
            independent=False,
        ),
        Operation(  # to the power of another value
            "raised",
            lambda x, y: x.pow(y),
            (lambda g, z, x, y: g * y * x ** (y - 1), to_exponent),
            independent=False,
        ),
        Operation(
            "maximum",
            lambda x, y: x.maximum(y),
            (
                lambda g, z, x, y: g * ahead(x, y),
                lambda g, z, x, y: g * (1 - ahead(x, y)),
            ),
            independent=False,
            in_doubt=close,
        ),
        Operation(
            "minimum",
            lambda x, y: x.minimum(y),
            (
                lambda g, z, x, y: g * ahead(y, x),
                lambda g, z, x, y: g * (1 - ahead(y, x)),
            ),
            independent=False,
            in_doubt=close,
        ),
        Operation(
            "abs",
            lambda x: x.abs(),
            (lambda g, y, x: g * np.sign(x),),
            independent=False,
            in_doubt=near_zero,
        ),
    )
}
