"""The affine layer: the product with a matrix, and a bias."""

import torch
from jaxtyping import Float
from torch import Tensor

from gradparity.torch_impl.arrays import check_floats, check_rank, check_shape

__all__ = ["affine", "affine_composed"]


def affine(
    x: Float[Tensor, "..."], W: Float[Tensor, "in out"], b: Float[Tensor, "out"]
) -> Float[Tensor, "*batch out"]:
    """b + x @ W in one operator, for one sample or a batch (of tensors, flattened)."""
    flat = _flat(x, W, b)
    return torch.addmm(b, flat, W) if flat.ndim > 1 else torch.addmv(b, W.T, flat)


def affine_composed(
    x: Float[Tensor, "..."], W: Float[Tensor, "in out"], b: Float[Tensor, "out"]
) -> Float[Tensor, "*batch out"]:
    """x @ W + b from products and a sum over the inputs."""
    return (_flat(x, W, b)[..., None] * W).sum(dim=-2) + b


def _flat(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """x as (in,) or (batch, in), once it is sure that W and b fit it."""
    check_floats("Affine", x=x, W=W, b=b)
    check_rank("Affine", "W", W, 2)
    check_shape("Affine", "b", b, W.shape[1:])
    check_rank("Affine", "x", x, 1, x.ndim or 2)  # any but 0
    flat = x.flatten(1) if x.ndim > 2 else x
    if flat.shape[-1] != W.shape[0]:
        raise ValueError(
            f"Affine: x has {flat.shape[-1]} features, W expects {W.shape[0]} "
            f"(x: {tuple(x.shape)}, W: {tuple(W.shape)})"
        )
    return flat
