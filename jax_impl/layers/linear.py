"""The affine layer: the product with a matrix, and a bias."""

import jax.numpy as jnp
from jax import Array as JaxArray
from jaxtyping import Float

from gradparity.jax_impl.arrays import check_floats, check_rank, check_shape

__all__ = ["affine", "affine_composed"]


def affine(
    x: Float[JaxArray, "..."], W: Float[JaxArray, "in out"], b: Float[JaxArray, "out"]
) -> Float[JaxArray, "*batch out"]:
    """x @ W + b as one dot_general, for one sample or a batch (of flattened tensors)."""
    return jnp.dot(_flat(x, W, b), W) + b


def affine_composed(
    x: Float[JaxArray, "..."], W: Float[JaxArray, "in out"], b: Float[JaxArray, "out"]
) -> Float[JaxArray, "*batch out"]:
    """x @ W + b from products and a sum over the inputs."""
    return (_flat(x, W, b)[..., None] * W).sum(axis=-2) + b


def _flat(x: JaxArray, W: JaxArray, b: JaxArray) -> JaxArray:
    """x as (in,) or (batch, in), once it is sure that W and b fit it."""
    check_floats("Affine", x=x, W=W, b=b)
    check_rank("Affine", "W", W, 2)
    check_shape("Affine", "b", b, W.shape[1:])
    check_rank("Affine", "x", x, 1, x.ndim or 2)  # any but 0
    flat = x.reshape(len(x), -1) if x.ndim > 1 else x
    if flat.shape[-1] != len(W):
        raise ValueError(
            f"Affine: x has {flat.shape[-1]} features, W expects {len(W)} "
            f"(x: {x.shape}, W: {W.shape})"
        )
    return flat
