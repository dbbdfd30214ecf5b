"""Means, sums, extremes, norms and distances."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import halves, mask, normal
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_numpy,
    in_torch,
)
from gradparity.parity_tests.mutants.sources import GITHUB

X = {"x": normal(4, 8)}
SHIFTED = {"x": normal(4, 8, mean=3.0)}
TWO = {"x": normal(4, 6), "y": normal(4, 6)}
MASKED = {"x": normal(4, 8), "keep": mask(4, 8)}
TIES = {"x": halves(4, 8)}


# --- Means and variances --------------------------------------------------------------


@in_torch
def standardised(x: Any) -> Any:
    """Columns less their mean, divided by their standard deviation over n."""
    return (x - x.mean(0)) / x.std(0, correction=0)


@alike(standardised, SHIFTED)
@in_jax
def standardised_by_squares(x: Any) -> Any:
    """The variance as the mean of the squares less the square of the mean."""
    mean = jnp.mean(x, axis=0)
    return (x - mean) / jnp.sqrt(jnp.mean(x**2, axis=0) - mean**2)


@different(
    "biased",
    "forward",
    standardised,
    X,
    at=("correction=0", "ddof=1"),
    source=GITHUB + "pytorch/pytorch/issues/60528",
)
@in_jax
def standardised_by_the_sample(x: Any) -> Any:
    """Divides by n - 1, as for a sample."""
    return (x - x.mean(0)) / x.std(0, ddof=1)


@in_torch
def variance(x: Any) -> Any:
    """PyTorch's own, over n."""
    return x.var(-1, correction=0)


@alike(variance, X)
@in_numpy
def variance_by_hand(x: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    c = x - x.mean(axis=-1, keepdims=True)
    return (c * c).mean(axis=-1), 2 * c * dout[:, None] / x.shape[-1]


@different("squared", "forward", variance, X, at=("x.var(", "np.sqrt("))
@in_numpy
def deviation(x: Any, dout: Any) -> Any:
    """Returns the standard deviation for the variance."""
    c = x - x.mean(axis=-1, keepdims=True)
    std = np.sqrt((c * c).mean(axis=-1))
    return std, c * (dout / std)[:, None] / x.shape[-1]


@in_torch
def masked_mean(x: Any, keep: Any) -> Any:
    """The mean of what is kept, by multiplication."""
    return (x * keep).sum() / keep.sum()


@alike(masked_mean, MASKED)
@in_jax
def masked_mean_by_where(x: Any, keep: Any) -> Any:
    """The mean of what is kept, by JAX's own argument."""
    return jnp.mean(x, where=keep)


@alike(masked_mean, MASKED)
@in_torch
def masked_mean_by_index(x: Any, keep: Any) -> Any:
    """The mean of what is picked out."""
    return x[keep].mean()


@different(
    "ignored",
    "forward",
    masked_mean,
    MASKED,
    at=("/ keep.sum()", ".mean()"),
    source=GITHUB + "qubvel-org/segmentation_models.pytorch/issues/852",
)
@in_jax
def masked_counted_in_the_mean(x: Any, keep: Any) -> Any:
    """Divides by the number of all elements, those masked among them."""
    return (x * keep).mean()


@in_jax
def mean(x: Any) -> Any:
    """JAX's own, over each row."""
    return jnp.mean(x, axis=-1)


@alike(mean, X)
@in_jax
def mean_as_a_product(x: Any) -> Any:
    """A product with a column of ones."""
    return x @ jnp.ones(x.shape[-1], dtype=x.dtype) / x.shape[-1]


@alike(mean, X)
@in_torch
def mean_by_pairs(x: Any) -> Any:
    """Halves added to each other, until one number is left."""
    while x.shape[-1] > 1:
        x = x[..., ::2] + x[..., 1::2]
    return x[..., 0] / 8


@different("mean_sum", "forward", mean, X, at=("jnp.mean(", ".sum(-1)"))
@in_torch
def sum_for_mean(x: Any) -> Any:
    """Adds up, and does not divide."""
    return x.sum(-1)


@different(
    "averaged_twice",
    "forward",
    mean,
    SHIFTED,
    at=("jnp.mean(", "/ x.shape[-1]"),
)
@in_torch
def mean_divided_again(x: Any) -> Any:
    """Divides the mean by the count once more."""
    return x.mean(-1) / x.shape[-1]


# --- Extremes -------------------------------------------------------------------------


@in_torch
def largest(x: Any) -> Any:
    """PyTorch's own, which shares the gradient among equals."""
    return x.amax(-1)


@alike(largest, X)
@in_jax
def largest_by_sorting(x: Any) -> Any:
    """The last of what is sorted."""
    return jnp.sort(x, axis=-1)[..., -1]


@alike(largest, X)
@in_torch
def largest_by_topk(x: Any) -> Any:
    """The first of the largest."""
    return torch.topk(x, 1, dim=-1).values[..., 0]


@alike(largest, TIES)
@in_jax
def largest_of_equals(x: Any) -> Any:
    """JAX's own, which shares the gradient among equals too."""
    return jnp.max(x, axis=-1)


@different(
    "tie",
    "backward",
    largest,
    TIES,
    at=("x.amax(", "x.gather("),
    source=GITHUB + "rusty1s/pytorch_scatter/issues/399",
)
@in_torch
def first_of_the_largest(x: Any) -> Any:
    """Picks by index: of equals, one has the whole gradient."""
    return x.gather(-1, x.argmax(-1, keepdim=True))[..., 0]


@in_torch
def logsumexp(x: Any) -> Any:
    """PyTorch's own."""
    return torch.logsumexp(x, dim=-1)


@alike(logsumexp, X)
@in_jax
def logsumexp_by_pairs(x: Any) -> Any:
    """One number after the other, by logaddexp."""
    total = x[:, 0]
    for i in range(1, x.shape[1]):
        total = jnp.logaddexp(total, x[:, i])
    return total


@alike(logsumexp, X)
@in_numpy
def logsumexp_by_hand(x: Any, dout: Any) -> Any:
    """The maximum taken out; the softmax backward."""
    m = x.max(axis=-1, keepdims=True)
    e = np.exp(x - m)
    total = e.sum(axis=-1, keepdims=True)
    return (m + np.log(total))[..., 0], dout[..., None] * e / total


# --- Norms and distances --------------------------------------------------------------


@in_torch
def square_of_the_norm(x: Any) -> Any:
    """PyTorch's norm, whose gradient at 0 is 0, squared."""
    return torch.linalg.norm(x, dim=-1) ** 2


@alike(square_of_the_norm, X)
@in_jax
def sum_of_squares(x: Any) -> Any:
    """A product of each row with itself."""
    return jnp.einsum("nd,nd->n", x, x)


@different(
    "nan",
    "backward",
    square_of_the_norm,
    {"x": lambda rng: rng.normal(size=(4, 3)) * np.array([[1], [0], [1], [0]])},
    at=("torch.linalg.norm(", "jnp.linalg.norm("),
    source=GITHUB + "jax-ml/jax/issues/4177",
)
@in_jax
def norm_at_zero(x: Any) -> Any:
    """Takes JAX's norm, whose gradient at 0 is NaN."""
    return jnp.linalg.norm(x, axis=-1) ** 2


@in_torch
def cosine_similarity(x: Any, y: Any) -> Any:
    """PyTorch's own."""
    return F.cosine_similarity(x, y, dim=-1)


@alike(cosine_similarity, TWO)
@in_jax
def cosine_of_unit_vectors(x: Any, y: Any) -> Any:
    """The product of what has been divided by its length."""
    x = x / jnp.linalg.norm(x, axis=-1, keepdims=True)
    y = y / jnp.linalg.norm(y, axis=-1, keepdims=True)
    return (x * y).sum(axis=-1)


@different(
    "axis",
    "forward",
    cosine_of_unit_vectors,
    {"x": normal(6, 6), "y": normal(6, 6)},
    at=(("norm(x", "(x * y)"), "F.cosine_similarity("),
)
@in_torch
def cosine_of_columns(x: Any, y: Any) -> Any:
    """Leaves PyTorch's default, dim=1, of what has been transposed."""
    return F.cosine_similarity(x.T, y.T)


@in_torch
def distances(x: Any, y: Any) -> Any:
    """Squares of all distances, from the differences."""
    d = x[:, None] - y[None]
    return d.pow(2).sum(-1)


@alike(distances, TWO)
@in_jax
def distances_from_products(x: Any, y: Any) -> Any:
    """Squares of all distances, from the norms and the products."""
    xx, yy = (x * x).sum(-1), (y * y).sum(-1)
    return xx[:, None] + yy[None] - 2 * x @ y.T


@different(
    "sign",
    "forward",
    distances_from_products,
    TWO,
    at=("- 2 * x @ y.T", "+ 2 * x @ y.T"),
)
@in_torch
def products_added(x: Any, y: Any) -> Any:
    """Adds the products, which have to be subtracted."""
    xx, yy = (x * x).sum(-1), (y * y).sum(-1)
    return xx[:, None] + yy[None] + 2 * x @ y.T


@in_torch
def entropy(x: Any) -> Any:
    """Of the softmax, in nats."""
    p = torch.softmax(x, dim=-1)
    return -(p * torch.log(p)).sum(-1)


@alike(entropy, X)
@in_jax
def entropy_by_logsumexp(x: Any) -> Any:
    """The logsumexp less the mean of the scores."""
    p = jax.nn.softmax(x)
    return jax.nn.logsumexp(x, axis=-1) - (p * x).sum(axis=-1)


@different("base", "forward", entropy, X, at=("torch.log(", "torch.log2("))
@in_torch
def entropy_in_bits(x: Any) -> Any:
    """Has the logarithm to the base 2."""
    p = torch.softmax(x, dim=-1)
    return -(p * torch.log2(p)).sum(-1)
