"""What ATen's fused normalizations compute, a row each."""

import math
from typing import Any

import numpy as np

from gradparity.torch_impl.moves import Meaning
from gradparity.torch_impl.operators import over, row


def moments(m: Meaning, x: Any, axis: Any, n: int, eps: float) -> tuple[Any, Any]:
    """The mean, which is found while the squares are added up, and one over the standard
    deviation.
    """
    mean = m("mean", x, axis=axis, keepdims=True)
    off = m("subtract", x, mean)
    total = m("sum", m("multiply", off, off), axis=axis, keepdims=True)
    return mean, m("rsqrt", m("add", over(m, total, n), float(eps)))


def moments_of_squares(
    m: Meaning, x: Any, axis: Any, n: int, eps: float
) -> tuple[Any, Any]:
    """The same with the variance as the mean square less the squared mean."""
    mean = over(m, m("sum", x, axis=axis, keepdims=True), n)
    squares = m("sum", m("multiply", x, x), axis=axis, keepdims=True)
    variance = m("subtract", over(m, squares, n), m("multiply", mean, mean))
    return mean, m("rsqrt", m("add", m("maximum", variance, 0.0), float(eps)))


@row("native_layer_norm")
def layer_norm(
    m: Meaning, input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float
) -> Any:
    axis = tuple(range(-len(normalized_shape), 0))
    mean, rstd = moments(m, input, axis, math.prod(normalized_shape), eps)
    out = m("multiply", m("subtract", input, mean), rstd)
    if weight is not None:
        out = m("multiply", out, weight)
    if bias is not None:
        out = m("add", out, bias)
    return out, mean, rstd


@row("native_group_norm")
def group_norm(
    m: Meaning,
    input: Any,
    weight: Any,
    bias: Any,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> Any:
    """As x times a factor for each channel, and a term. Where channels come last in memory,
    the squares are added up as they are.
    """
    apart = (N, group, C // group, HxW)
    x = m("reshape", input, shape=apart)
    found = moments if input.is_contiguous() else moments_of_squares
    mean, rstd = found(m, x, (2, 3), C // group * HxW, eps)
    of_channels = (1, group, C // group, 1)
    factor = rstd
    if weight is not None:
        factor = m("multiply", rstd, m("reshape", weight, shape=of_channels))
    term = m("negate", m("multiply", factor, mean))
    if bias is not None:
        term = m("add", term, m("reshape", bias, shape=of_channels))
    out = m("add", m("multiply", x, factor), term)
    shapes = tuple(input.shape), (N, group), (N, group)
    every = zip((out, mean, rstd), shapes, strict=True)
    return [m("reshape", each, shape=shape) for each, shape in every]


@row("native_batch_norm")
def batch_norm(
    m: Meaning,
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    """As x times a factor for each channel, and a term."""
    channels = (input.shape[1],)
    shape = (1, *channels, *(1 for _ in input.shape[2:]))

    def of_channels(x: Any) -> Any:
        return m("reshape", x, shape=shape)

    if training:
        axis = tuple(i for i in range(input.ndim) if i != 1)
        n = input.numel() // max(input.shape[1], 1)
        mean = over(m, m("sum", input, axis=axis, keepdims=True), n)
        off = m("subtract", input, mean)
        total = m("sum", m("multiply", off, off), axis=axis, keepdims=True)
        variance = over(m, total, n)
    else:
        mean, variance = of_channels(running_mean), of_channels(running_var)
    factor = rstd = m("rsqrt", m("add", variance, float(eps)))
    if weight is not None:
        factor = m("multiply", rstd, of_channels(weight))
    term = m("negate", m("multiply", factor, mean))
    if bias is not None:
        term = m("add", term, of_channels(bias))
    out = m("add", m("multiply", input, factor), term)
    if training:
        found = [out, *(m("reshape", each, shape=channels) for each in (mean, rstd))]
        if running_mean is not None:
            unbiased = over(m, total, max(n - 1, 1))
            pairs = (running_mean, mean), (running_var, unbiased)
            for kept, new in pairs:
                share = m("scale", m("reshape", new, shape=channels), factor=momentum)
                rest = m("scale", kept, factor=1 - momentum)
                found.append(m("add", share, rest))
        return found
    nothing = [m("move", 0.0, source=np.zeros(0, int), fill=0.0) for _ in range(2)]
    return out, *nothing


@row("native_layer_norm_backward")
def layer_norm_backward(
    m: Meaning,
    grad_out: Any,
    input: Any,
    normalized_shape: Any,
    mean: Any,
    rstd: Any,
    weight: Any,
    bias: Any,
    output_mask: Any,
) -> Any:
    """As a multiple of what arrives, one of x, and a term: where x is far from 0, both of
    these are large, and cancel.
    """
    axis, n = tuple(range(-len(normalized_shape), 0)), math.prod(normalized_shape)
    rows = tuple(range(input.ndim - len(normalized_shape)))
    g = grad_out if weight is None else m("multiply", grad_out, weight)
    of_x = m("sum", m("multiply", g, input), axis=axis, keepdims=True)
    total = m("sum", g, axis=axis, keepdims=True)
    factor = m("subtract", m("multiply", total, mean), of_x)
    for _ in range(3):
        factor = m("multiply", factor, rstd)
    factor = over(m, factor, n)
    least = over(m, m("multiply", total, rstd), n)
    term = m("subtract", m("negate", m("multiply", factor, mean)), least)
    two = m("add", m("multiply", rstd, g), m("multiply", factor, input))
    shift = m("negate", m("multiply", rstd, mean))
    normal = m("add", m("multiply", rstd, input), shift)
    dweight = m("multiply", grad_out, normal)
    found = (
        m("add", two, term),
        m("sum", dweight, axis=rows, keepdims=False) if rows else dweight,
        m("sum", grad_out, axis=rows, keepdims=False) if rows else grad_out,
    )
    return [x if wanted else None for x, wanted in zip(found, output_mask, strict=True)]
