"""Softmax and attention."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import mask, normal
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_numpy,
    in_torch,
)
from gradparity.parity_tests.mutants.sources import GITHUB

X = {"x": normal(4, 6)}
WIDE = {"x": normal(4, 6, scale=4.0)}
QKV = {"q": normal(2, 5, 4), "k": normal(2, 5, 4), "v": normal(2, 5, 4)}
MASKED = QKV | {"keep": mask(2, 5)}
HEADS = {"x": normal(2, 4, 6), "W": normal(6, 6)}
ROTARY = {"x": normal(4, 6), "angle": normal(4, 3)}


# --- Softmax --------------------------------------------------------------------------


@in_torch
def softmax(x: Any) -> Any:
    """PyTorch's own."""
    return torch.softmax(x, dim=-1)


@alike(softmax, X)
@in_jax
def softmax_not_shifted(x: Any) -> Any:
    """The exponentials as they are, divided by their sum."""
    e = jnp.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


@alike(softmax, WIDE)
@in_torch
def softmax_shifted(x: Any) -> Any:
    """The maximum subtracted first, with its gradient."""
    e = torch.exp(x - x.amax(dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True)


@alike(softmax_shifted, WIDE)
@in_jax
def shift_without_gradient(x: Any) -> Any:
    """The maximum subtracted without its gradient, which is 0 in the end."""
    e = jnp.exp(x - jax.lax.stop_gradient(x.max(axis=-1, keepdims=True)))
    return e / e.sum(axis=-1, keepdims=True)


@alike(softmax, X)
@in_numpy
def softmax_by_hand(x: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, y * (dout - (dout * y).sum(axis=-1, keepdims=True))


@in_torch
def log_softmax(x: Any) -> Any:
    """PyTorch's own."""
    return F.log_softmax(x, dim=-1)


@alike(log_softmax, WIDE)
@in_jax
def log_softmax_by_logsumexp(x: Any) -> Any:
    """The scores less their logsumexp."""
    return x - jax.nn.logsumexp(x, axis=-1, keepdims=True)


@different("axis", "forward", softmax, X, at=("torch.softmax(", "jax.nn.softmax("))
@in_jax
def softmax_over_the_batch(x: Any) -> Any:
    """Takes the batch for the classes."""
    return jax.nn.softmax(x, axis=0)


@different(
    "axis",
    "forward",
    softmax_shifted,
    X,
    at=("x.amax(", "x.max(axis=0"),
)
@in_jax
def shifted_by_column_maxima(x: Any) -> Any:
    """Subtracts the maximum of each column: only what a whole row shares cancels."""
    e = jnp.exp(x - x.max(axis=0, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@different(
    "stopped",
    "backward",
    softmax_shifted,
    X,
    at=(("e.sum(", "torch.exp("), ("e.sum(", "torch.exp(")),
)
@in_torch
def denominator_detached(x: Any) -> Any:
    """Detaches the sum below the fraction: as though raising one probability lowered no
    other.
    """
    e = torch.exp(x - x.amax(dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True).detach()


# --- Attention ------------------------------------------------------------------------


@in_torch
def attention(q: Any, k: Any, v: Any) -> Any:
    """PyTorch's own."""
    return F.scaled_dot_product_attention(q, k, v)


@in_torch
def attention_composed(q: Any, k: Any, v: Any) -> Any:
    """Two matrix products with a softmax between them."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return torch.softmax(scores, dim=-1) @ v


alike(attention, QKV)(attention_composed)


@alike(attention, QKV)
@in_jax
def attention_by_einsum(q: Any, k: Any, v: Any) -> Any:
    """The scale on the queries, and products by einsum."""
    scores = jnp.einsum("btd,bsd->bts", q * q.shape[-1] ** -0.5, k)
    return jnp.einsum("bts,bsd->btd", jax.nn.softmax(scores), v)


@alike(attention_composed, QKV)
@in_numpy
def attention_by_hand(q: Any, k: Any, v: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    scale = q.shape[-1] ** -0.5
    scores = q @ k.swapaxes(-1, -2) * scale
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) * scale
    return p @ v, ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dout


@different(
    "scale",
    "forward",
    attention_composed,
    QKV,
    at=("/ q.shape[-1] ** 0.5", ("jax.nn.softmax(",)),
)
@in_jax
def scores_not_scaled(q: Any, k: Any, v: Any) -> Any:
    """Leaves out the division by the root of the width."""
    scores = q @ k.swapaxes(-1, -2)
    return jax.nn.softmax(scores) @ v


@different(
    "scale",
    "forward",
    attention_composed,
    QKV,
    at=("/ q.shape[-1] ** 0.5", "/ q.shape[-1]"),
)
@in_torch
def scaled_by_the_width(q: Any, k: Any, v: Any) -> Any:
    """Divides by the width, and not by its root."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1]
    return torch.softmax(scores, dim=-1) @ v


@different(
    "axis",
    "forward",
    attention_composed,
    QKV,
    at=("torch.softmax(", "jax.nn.softmax("),
)
@in_jax
def softmax_over_the_queries(q: Any, k: Any, v: Any) -> Any:
    """Normalises over the queries: each query's weights over the keys must sum to 1."""
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    return jax.nn.softmax(scores, axis=-2) @ v


@different(
    "transposed",
    "forward",
    attention_composed,
    QKV,
    at=(("q @ k.transpose(", "torch.softmax("), ("k @ q.swapaxes(", "softmax(")),
)
@in_jax
def keys_for_queries(q: Any, k: Any, v: Any) -> Any:
    """Multiplies keys by queries: the scores are transposed."""
    scores = k @ q.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    return jax.nn.softmax(scores) @ v


# --- Masks ----------------------------------------------------------------------------


@in_torch
def causal(q: Any, k: Any, v: Any) -> Any:
    """PyTorch's own, where none looks ahead."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@in_torch
def causal_composed(q: Any, k: Any, v: Any) -> Any:
    """What lies ahead filled with minus infinity."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    masked = scores.masked_fill(ahead, float("-inf"))
    return torch.softmax(masked, dim=-1) @ v


alike(causal, QKV)(causal_composed)


@alike(causal_composed, QKV)
@in_jax
def causal_by_a_large_number(q: Any, k: Any, v: Any) -> Any:
    """A choice between the scores and a large negative number."""
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    behind = jnp.tril(jnp.ones(scores.shape[-2:], dtype=bool))
    return jax.nn.softmax(jnp.where(behind, scores, -1e30)) @ v


@different(
    "mask",
    "forward",
    causal_composed,
    QKV,
    at=("masked_fill(", "jnp.where("),
)
@in_jax
def causal_off_by_one(q: Any, k: Any, v: Any) -> Any:
    """Lets each position look one ahead."""
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    behind = jnp.tril(jnp.ones(scores.shape[-2:], dtype=bool), 1)
    masked = jnp.where(behind, scores, -jnp.inf)
    return jax.nn.softmax(masked) @ v


@in_torch
def padded(q: Any, k: Any, v: Any, keep: Any) -> Any:
    """What is padding filled with minus infinity, before the softmax."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~keep[:, None, :], float("-inf"))
    return torch.softmax(scores, dim=-1) @ v


@alike(padded, MASKED)
@in_torch
def padded_by_addition(q: Any, k: Any, v: Any, keep: Any) -> Any:
    """PyTorch's own attention, with a mask that is added."""
    added = torch.where(keep, 0.0, float("-inf")).to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=added[:, None, :])


@different(
    "mask",
    "forward",
    padded,
    MASKED,
    at=("masked_fill(", ("softmax(scores", "weights * keep")),
)
@in_jax
def multiplied_after_the_softmax(q: Any, k: Any, v: Any, keep: Any) -> Any:
    """Multiplies the weights by the mask after the softmax: they sum to less than 1."""
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    weights = jax.nn.softmax(scores)
    return (weights * keep[:, None, :]) @ v


@different(
    "padding",
    "forward",
    padded,
    MASKED,
    at=("masked_fill(", "masked_fill("),
)
@in_torch
def padded_with_zeros(q: Any, k: Any, v: Any, keep: Any) -> Any:
    """Fills what is padding with 0, whose exponential is 1."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~keep[:, None, :], 0.0)
    return torch.softmax(scores, dim=-1) @ v


# --- Heads and positions --------------------------------------------------------------


@in_torch
def to_heads(x: Any, W: Any) -> Any:
    """A projection, split into two heads that stand before the positions."""
    y = x @ W
    return y.reshape(2, 4, 2, 3).transpose(1, 2)


@alike(to_heads, HEADS)
@in_jax
def to_heads_by_einsum(x: Any, W: Any) -> Any:
    """One product with the heads as an axis of the weights."""
    return jnp.einsum("btd,dhe->bhte", x, W.reshape(6, 2, 3))


@different(
    "transposed",
    "forward",
    to_heads,
    HEADS,
    at=(".transpose(1, 2)", "y.reshape("),
)
@in_jax
def heads_by_reshape_alone(x: Any, W: Any) -> Any:
    """Reshapes to the shape with the heads in front, and does not transpose."""
    y = x @ W
    return y.reshape(2, 2, 4, 3)


@in_torch
def rotary(x: Any, angle: Any) -> Any:
    """Rotates the pairs of each half with the other, as for LLaMA's converted weights."""
    cos = torch.cos(torch.cat([angle, angle], dim=-1))
    sin = torch.sin(torch.cat([angle, angle], dim=-1))
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-b, a], dim=-1) * sin


@alike(rotary, ROTARY)
@in_jax
def rotary_half_by_half(x: Any, angle: Any) -> Any:
    """Each half on its own, and both put together."""
    a, b = jnp.split(x, 2, axis=-1)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


@different(
    "order",
    "forward",
    rotary_half_by_half,
    ROTARY,
    at=(("jnp.split(", "jnp.concatenate("), ("a * cos", "0::2")),
    source=GITHUB + "huggingface/transformers/issues/25199",
)
@in_jax
def neighbours_rotated(x: Any, angle: Any) -> Any:
    """Rotates neighbours with each other, and not the first half with the second."""
    a, b = x[..., 0::2], x[..., 1::2]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([a * cos - b * sin, b * cos + a * sin], axis=-1).reshape(x.shape)


@different(
    "sign",
    "forward",
    rotary,
    ROTARY,
    at=("torch.cat([-b, a]", "torch.cat([b, -a]"),
)
@in_torch
def rotated_the_other_way(x: Any, angle: Any) -> Any:
    """Rotates by the opposite angle: the minus stands at the other half."""
    cos = torch.cos(torch.cat([angle, angle], dim=-1))
    sin = torch.sin(torch.cat([angle, angle], dim=-1))
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat([b, -a], dim=-1) * sin
