"""Normalisation: of rows, of groups of channels, over the batch."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import between, normal
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_numpy,
    in_torch,
)
from gradparity.parity_tests.mutants.sources import GITHUB

ROWS = {"x": normal(4, 8), "w": normal(8), "b": normal(8)}
SHIFTED = {"x": normal(4, 8, mean=3.0), "w": normal(8), "b": normal(8)}
SCALED = {"x": normal(4, 8), "w": normal(8)}
CHANNELS = {"x": normal(3, 8, 5), "w": normal(8), "b": normal(8)}
FOLDED = {
    "x": normal(4, 6),
    "W": normal(6, 8),
    "mean": normal(8),
    "var": between(0.5, 2.0, 8),
    "w": normal(8),
    "b": normal(8),
}


# --- Layer norm -----------------------------------------------------------------------


@in_torch
def layer_norm(x: Any, w: Any, b: Any) -> Any:
    """PyTorch's own, whose eps is 1e-5."""
    return F.layer_norm(x, x.shape[-1:], w, b)


@alike(layer_norm, ROWS)
@in_torch
def layer_norm_composed(x: Any, w: Any, b: Any) -> Any:
    """Two passes: the mean, and then the mean of the squared distances from it."""
    c = x - x.mean(-1, keepdim=True)
    var = (c * c).mean(-1, keepdim=True)
    return c / torch.sqrt(var + 1e-5) * w + b


@alike(layer_norm, ROWS)
@in_jax
def layer_norm_in_jax(x: Any, w: Any, b: Any) -> Any:
    """The variance by `jnp.var`, and a multiplication by the inverse of the root."""
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.var(x, axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * w + b


@alike(layer_norm_in_jax, SHIFTED)
@in_jax
def layer_norm_in_one_pass(x: Any, w: Any, b: Any) -> Any:
    """The variance as the mean of the squares less the square of the mean, and the weight
    multiplied into the inverse of the root.
    """
    mean = x.mean(-1, keepdims=True)
    var = (x * x).mean(-1, keepdims=True) - mean * mean
    return (x - mean) * (jax.lax.rsqrt(var + 1e-5) * w) + b


@alike(layer_norm, ROWS)
@in_numpy
def layer_norm_by_hand(x: Any, w: Any, b: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * rstd
    g = dout * w
    inner = (g * xhat).mean(-1, keepdims=True)
    dx = rstd * (g - g.mean(-1, keepdims=True) - xhat * inner)
    return xhat * w + b, dx, (dout * xhat).sum(0), dout.sum(0)


@different(
    "eps",
    "forward",
    layer_norm,
    ROWS,
    at=("F.layer_norm(", "var + 1e-6"),
    source=GITHUB + "huggingface/candle/pull/271",
)
@in_jax
def eps_of_flax(x: Any, w: Any, b: Any) -> Any:
    """Has the eps of Flax, 1e-6, where PyTorch has 1e-5."""
    c = x - x.mean(-1, keepdims=True)
    var = (c * c).mean(-1, keepdims=True)
    return c / jnp.sqrt(var + 1e-6) * w + b


@different(
    "eps",
    "forward",
    layer_norm_composed,
    ROWS,
    at=("var + 1e-5", "var + 1e-12"),
    source=GITHUB + "huggingface/transformers/pull/1089",
)
@in_torch
def eps_of_bert(x: Any, w: Any, b: Any) -> Any:
    """Has the eps of BERT, 1e-12, where PyTorch has 1e-5."""
    c = x - x.mean(-1, keepdim=True)
    var = (c * c).mean(-1, keepdim=True)
    return c / torch.sqrt(var + 1e-12) * w + b


@different(
    "eps",
    "forward",
    layer_norm_composed,
    ROWS,
    at=("torch.sqrt(var + 1e-5)", "np.sqrt(var) + 1e-5"),
)
@in_numpy
def eps_added_to_the_deviation(x: Any, w: Any, b: Any, dout: Any) -> Any:
    """Adds eps to the standard deviation: it belongs to the variance, below the root."""
    c = x - x.mean(-1, keepdims=True)
    var = (c * c).mean(-1, keepdims=True)
    std = np.sqrt(var) + 1e-5
    xhat = c / std
    g = dout * w
    inner = (g * c).mean(-1, keepdims=True) / (std * std * np.sqrt(var))
    dc = g / std - c * inner
    dx = dc - dc.mean(-1, keepdims=True)
    return xhat * w + b, dx, (dout * xhat).sum(0), dout.sum(0)


@different(
    "biased",
    "forward",
    layer_norm,
    ROWS,
    at=("F.layer_norm(", "x.var(-1"),
)
@in_torch
def variance_of_torch(x: Any, w: Any, b: Any) -> Any:
    """Takes `x.var`, which divides by n - 1 in PyTorch: a layer norm divides by n."""
    mean = x.mean(-1, keepdim=True)
    var = x.var(-1, keepdim=True)
    return (x - mean) / torch.sqrt(var + 1e-5) * w + b


@different(
    "swapped",
    "forward",
    layer_norm_composed,
    ROWS,
    at=("* w + b", "* b + w"),
)
@in_jax
def shift_and_scale_swapped(x: Any, w: Any, b: Any) -> Any:
    """Multiplies by the shift and adds the scale."""
    c = x - x.mean(-1, keepdims=True)
    var = (c * c).mean(-1, keepdims=True)
    return c / jnp.sqrt(var + 1e-5) * b + w


@different(
    "stopped",
    "backward",
    layer_norm_in_jax,
    ROWS,
    at=(
        ("jnp.mean(x", "jnp.var(x", "(x - mean)"),
        ("stop_gradient(", "(x - mean)"),
    ),
)
@in_jax
def statistics_stopped(x: Any, w: Any, b: Any) -> Any:
    """Puts stop_gradient around mean and variance, as though they were constants."""
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.var(x, axis=-1, keepdims=True)
    mean, var = jax.lax.stop_gradient((mean, var))
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * w + b


# --- RMS norm -------------------------------------------------------------------------


@in_torch
def rms_norm(x: Any, w: Any) -> Any:
    """As in LLaMA: eps below the root."""
    mean = x.pow(2).mean(-1, keepdim=True)
    return x * torch.rsqrt(mean + 1e-6) * w


@alike(rms_norm, SCALED)
@in_jax
def rms_norm_by_division(x: Any, w: Any) -> Any:
    """The mean square as a product with itself, and a division by the root."""
    mean = jnp.einsum("nd,nd->n", x, x)[:, None] / x.shape[-1]
    return x / jnp.sqrt(mean + 1e-6) * w


@alike(rms_norm, SCALED)
@in_torch
def rms_norm_of_torch(x: Any, w: Any) -> Any:
    """PyTorch's own function."""
    return F.rms_norm(x, x.shape[-1:], w, eps=1e-6)


@alike(rms_norm, SCALED)
@in_numpy
def rms_norm_by_hand(x: Any, w: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    r = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)
    g = dout * w
    dx = r * g - x * r**3 * (g * x).mean(-1, keepdims=True)
    return x * r * w, dx, (dout * x * r).sum(0)


@different(
    "eps",
    "forward",
    rms_norm,
    SCALED,
    at=("torch.rsqrt(mean", "torch.sqrt(mean)"),
    source=GITHUB + "allenai/OLMo/issues/281",
)
@in_torch
def eps_outside_the_root(x: Any, w: Any) -> Any:
    """Adds eps to the root mean square: elsewhere it stands below the root."""
    mean = x.pow(2).mean(-1, keepdim=True)
    rms = torch.sqrt(mean) + 1e-6
    return x / rms * w


@different(
    "squared",
    "forward",
    rms_norm,
    SCALED,
    at=("torch.rsqrt(", "x / (mean + 1e-6)"),
)
@in_jax
def root_forgotten(x: Any, w: Any) -> Any:
    """Divides by the mean square, and not by its root."""
    mean = (x * x).mean(-1, keepdims=True)
    return x / (mean + 1e-6) * w


# --- Batch norm -----------------------------------------------------------------------


@in_torch
def batch_norm(x: Any, w: Any, b: Any) -> Any:
    """PyTorch's own, in training."""
    return F.batch_norm(x, None, None, w, b, training=True)


@alike(batch_norm, ROWS)
@in_numpy
def batch_norm_by_hand(x: Any, w: Any, b: Any, dout: Any) -> Any:
    """Forward and backward by hand, as in the lecture."""
    xc = x - x.mean(axis=0)
    std = np.sqrt(np.mean(xc**2, axis=0) + 1e-5)
    xn = xc / std
    dxn = dout * w
    dxc = dxn / std - xn * np.mean(dxn * xn, axis=0) / std
    dx = dxc - dxc.mean(axis=0)
    return xn * w + b, dx, np.sum(xn * dout, axis=0), dout.sum(axis=0)


@alike(batch_norm, CHANNELS)
@in_jax
def batch_norm_with_channels_last(x: Any, w: Any, b: Any) -> Any:
    """Moves the channels to the end, and takes the batch and the positions for rows."""
    rows = jnp.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    c = rows - rows.mean(0)
    y = c / jnp.sqrt((c * c).mean(0) + 1e-5) * w + b
    return jnp.moveaxis(y.reshape(x.shape[0], x.shape[2], -1), -1, 1)


@in_torch
def affine_then_given_statistics(
    x: Any, W: Any, mean: Any, var: Any, w: Any, b: Any
) -> Any:
    """A matrix product, and a batch norm by means that are given, written out."""
    return (x @ W - mean) / torch.sqrt(var + 1e-5) * w + b


@alike(affine_then_given_statistics, FOLDED)
@in_jax
def batch_norm_folded(x: Any, W: Any, mean: Any, var: Any, w: Any, b: Any) -> Any:
    """The batch norm folded into the weights and the bias before it."""
    factor = w / jnp.sqrt(var + 1e-5)
    return x @ (W * factor) + (b - mean * factor)


@different(
    "biased",
    "forward",
    batch_norm,
    ROWS,
    at=("F.batch_norm(", "ddof=1"),
    source=GITHUB + "pytorch/pytorch/issues/77427",
)
@in_numpy
def variance_with_ddof_1(x: Any, w: Any, b: Any, dout: Any) -> Any:
    """Divides the variance of the batch by n - 1: that is for the running mean alone."""
    n = len(x)
    xc = x - x.mean(axis=0)
    std = np.sqrt(np.var(x, axis=0, ddof=1) + 1e-5)
    xn = xc / std
    dxn = dout * w
    dxc = dxn / std - xn * np.sum(dxn * xn, axis=0) / (n - 1) / std
    dx = dxc - dxc.mean(axis=0)
    return xn * w + b, dx, np.sum(xn * dout, axis=0), dout.sum(axis=0)


@different(
    "axis",
    "forward",
    batch_norm,
    ROWS,
    at=("F.batch_norm(", "x.mean(-1"),
)
@in_jax
def batch_norm_over_features(x: Any, w: Any, b: Any) -> Any:
    """Takes means over the features: a batch norm takes them over the batch."""
    c = x - x.mean(-1, keepdims=True)
    var = (c * c).mean(-1, keepdims=True)
    return c / jnp.sqrt(var + 1e-5) * w + b


@in_torch
def running_mean(x: Any, running: Any) -> Any:
    """A tenth of the new mean, as in PyTorch, by `lerp`."""
    return torch.lerp(running, x.mean(0), 0.1)


@alike(running_mean, {"x": normal(4, 8), "running": normal(8)})
@in_jax
def running_mean_as_a_sum(x: Any, running: Any) -> Any:
    """Momentum as in Flax, 0.9 of the old mean, which is 0.1 in PyTorch."""
    return 0.9 * running + (1 - 0.9) * x.mean(0)


@different(
    "momentum",
    "forward",
    running_mean,
    {"x": normal(4, 8), "running": normal(8)},
    at=("torch.lerp(", "0.1 * running"),
)
@in_jax
def momentum_the_other_way_round(x: Any, running: Any) -> Any:
    """Keeps a tenth of the old mean: PyTorch's momentum is the weight of the new one."""
    mean = x.mean(0)
    return 0.1 * running + 0.9 * mean


# --- Group norm -----------------------------------------------------------------------


@in_torch
def group_norm(x: Any, w: Any, b: Any) -> Any:
    """PyTorch's own, with two groups of channels."""
    return F.group_norm(x, 2, w, b)


@alike(group_norm, CHANNELS)
@in_jax
def group_norm_by_reshape(x: Any, w: Any, b: Any) -> Any:
    """Each group as a row."""
    rows = x.reshape(x.shape[0], 2, -1)
    c = rows - rows.mean(-1, keepdims=True)
    y = c / jnp.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    return y.reshape(x.shape) * w[:, None] + b[:, None]


@different(
    "order",
    "forward",
    group_norm,
    CHANNELS,
    at=("F.group_norm(", ("rows.mean(", "x.reshape(")),
)
@in_jax
def channels_dealt_to_groups(x: Any, w: Any, b: Any) -> Any:
    """Deals the channels to the groups in turn: a group is made of neighbours."""
    rows = x.reshape(x.shape[0], -1, 2, x.shape[-1])
    c = rows - rows.mean((1, 3), keepdims=True)
    y = c / jnp.sqrt((c * c).mean((1, 3), keepdims=True) + 1e-5)
    return y.reshape(x.shape) * w[:, None] + b[:, None]
