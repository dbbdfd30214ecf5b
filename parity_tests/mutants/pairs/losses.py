"""Losses: of classes, of distributions, of regression."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import (
    integers,
    normal,
    some_ignored,
)
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_numpy,
    in_torch,
)
from gradparity.parity_tests.mutants.sources import GITHUB

SCORES = {"x": normal(6, 5), "t": integers(5, 6)}
IGNORED = {"x": normal(6, 5), "t": some_ignored(5, 6)}
TWO = {"x": normal(5, 6), "y": normal(5, 6)}
BITS = {"x": normal(8, scale=2.0), "t": integers(2, 8)}
RATIO = {"new": normal(12, scale=0.3), "old": normal(12, scale=0.3), "a": normal(12)}
GAUSS = {"mean": normal(8), "logvar": normal(8), "y": normal(8)}


# --- Cross entropy --------------------------------------------------------------------


@in_torch
def cross_entropy(x: Any, t: Any) -> Any:
    """PyTorch's own: the mean over the batch."""
    return F.cross_entropy(x, t)


@alike(cross_entropy, SCORES)
@in_torch
def cross_entropy_composed(x: Any, t: Any) -> Any:
    """The logarithm of the softmax, and the labels' entries of it."""
    picked = F.log_softmax(x, dim=-1).gather(-1, t[:, None])
    return -picked.mean()


@alike(cross_entropy, SCORES)
@in_jax
def cross_entropy_by_logsumexp(x: Any, t: Any) -> Any:
    """The logsumexp less the label's score."""
    picked = jnp.take_along_axis(x, t[:, None], axis=-1)[:, 0]
    return (jax.nn.logsumexp(x, axis=-1) - picked).mean()


@alike(cross_entropy, SCORES)
@in_jax
def cross_entropy_of_one_hot(x: Any, t: Any) -> Any:
    """A product with one-hot rows."""
    rows = jax.nn.one_hot(t, x.shape[-1], dtype=x.dtype)
    return -(rows * jax.nn.log_softmax(x)).sum(axis=-1).mean()


@alike(cross_entropy, SCORES)
@in_numpy
def cross_entropy_by_hand(x: Any, t: Any, dout: Any) -> Any:
    """Forward and backward by hand: the softmax less the one-hot rows."""
    n = np.arange(len(x))
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    loss = -np.log(p[n, t]).mean()
    dx = dout * (p - np.eye(x.shape[-1])[t]) / len(x)
    return loss, dx


@different(
    "mean_sum",
    "forward",
    cross_entropy,
    SCORES,
    at=("F.cross_entropy(", ".sum()"),
)
@in_jax
def summed_over_the_batch(x: Any, t: Any) -> Any:
    """Sums the losses of the batch, and does not average them."""
    picked = jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], axis=-1)
    return -picked.sum()


@different(
    "averaged_twice",
    "forward",
    cross_entropy_by_logsumexp,
    SCORES,
    at=(".mean()", (".mean()", "/ len(x)")),
)
@in_jax
def mean_of_averaged(x: Any, t: Any) -> Any:
    """Divides each sample's loss by the batch size, and averages them then."""

    def of_one_sample(x: Any, t: Any) -> Any:
        return jax.nn.logsumexp(x) - x[t]

    losses = jax.vmap(of_one_sample)(x, t)
    return (losses / len(x)).mean()


@different(
    "base",
    "forward",
    cross_entropy,
    SCORES,
    at=("F.cross_entropy(", "np.log2("),
)
@in_numpy
def loss_in_bits(x: Any, t: Any, dout: Any) -> Any:
    """Takes the logarithm to the base 2."""
    n = np.arange(len(x))
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    loss = -np.log2(p[n, t]).mean()
    dx = dout * (p - np.eye(x.shape[-1])[t]) / len(x) / np.log(2)
    return loss, dx


@different(
    "one_hot",
    "forward",
    cross_entropy_of_one_hot,
    SCORES,
    at=("jax.nn.one_hot(", "jax.nn.one_hot("),
)
@in_jax
def labels_from_one(x: Any, t: Any) -> Any:
    """Counts the classes from 1: each label stands one too low, and the first is a row of
    zeros.
    """
    rows = jax.nn.one_hot(t - 1, x.shape[-1], dtype=x.dtype)
    return -(rows * jax.nn.log_softmax(x)).sum(axis=-1).mean()


@different(
    "reduction",
    "forward",
    cross_entropy_of_one_hot,
    SCORES,
    at=(".sum(axis=-1).mean()", ".mean()"),
)
@in_torch
def mean_over_classes_too(x: Any, t: Any) -> Any:
    """Averages over samples and classes, most of which are zeros."""
    rows = F.one_hot(t, x.shape[-1]).to(x.dtype)
    losses = rows * F.log_softmax(x, dim=-1)
    return -losses.mean()


@different(
    "dropped",
    "forward",
    cross_entropy,
    SCORES,
    at=("F.cross_entropy(", ("x[:n]", "F.cross_entropy(")),
)
@in_torch
def last_batch_dropped(x: Any, t: Any) -> Any:
    """Takes whole batches of four: two samples remain, which are left out."""
    n = len(x) // 4 * 4
    return F.cross_entropy(x[:n], t[:n])


@in_torch
def some_labels_ignored(x: Any, t: Any) -> Any:
    """PyTorch's own: the mean over those whose label is not -100."""
    return F.cross_entropy(x, t)


@alike(some_labels_ignored, IGNORED)
@in_jax
def ignored_by_where(x: Any, t: Any) -> Any:
    """The losses of all, and zeros for those that are ignored."""
    kept = t != -100
    p = jax.nn.log_softmax(x)
    picked = jnp.take_along_axis(p, jnp.where(kept, t, 0)[:, None], axis=-1)[:, 0]
    return -jnp.where(kept, picked, 0.0).sum() / kept.sum()


@different(
    "ignored",
    "forward",
    some_labels_ignored,
    IGNORED,
    at=("F.cross_entropy(", ("losses.mean()", 'reduction="none"')),
    source=GITHUB + "open-mmlab/mmsegmentation/issues/886",
)
@in_torch
def ignored_counted_in_the_mean(x: Any, t: Any) -> Any:
    """Averages the losses of all samples: those that are ignored count as zeros."""
    losses = F.cross_entropy(x, t, reduction="none")
    return losses.mean()


@in_torch
def smoothed(x: Any, t: Any) -> Any:
    """PyTorch's own: a tenth is spread over all classes, the label's among them."""
    return F.cross_entropy(x, t, label_smoothing=0.1)


@alike(smoothed, SCORES)
@in_jax
def smoothed_by_hand(x: Any, t: Any) -> Any:
    """One-hot rows, of which a tenth is taken and spread."""
    classes = x.shape[-1]
    rows = 0.9 * jax.nn.one_hot(t, classes, dtype=x.dtype) + 0.1 / classes
    return -(rows * jax.nn.log_softmax(x)).sum(axis=-1).mean()


@different(
    "label_smoothing",
    "forward",
    cross_entropy,
    SCORES,
    at=("F.cross_entropy(", ("0.1 / x.shape[-1]", "rows * logp")),
)
@in_jax
def smoothing_left_on(x: Any, t: Any) -> Any:
    """Smooths the labels, which the other does not."""
    logp = jax.nn.log_softmax(x)
    hot = jax.nn.one_hot(t, x.shape[-1], dtype=x.dtype)
    rows = 0.9 * hot + 0.1 / x.shape[-1]
    return -(rows * logp).sum(axis=-1).mean()


@different(
    "label_smoothing",
    "forward",
    smoothed_by_hand,
    SCORES,
    at=("0.1 / classes", "0.1 / (classes - 1)"),
)
@in_torch
def spread_over_the_others(x: Any, t: Any) -> Any:
    """Spreads the tenth over the other classes alone, and PyTorch over all."""
    classes = x.shape[-1]
    hot = F.one_hot(t, classes).to(x.dtype)
    rows = 0.9 * hot + 0.1 / (classes - 1) * (1 - hot)
    return -(rows * F.log_softmax(x, dim=-1)).sum(dim=-1).mean()


@in_torch
def focal(x: Any, t: Any) -> Any:
    """The focal loss, with a gamma of 2."""
    logp = F.log_softmax(x, dim=-1).gather(-1, t[:, None])
    weight = (1 - logp.exp()) ** 2
    return -(weight * logp).mean()


@different("power", "forward", focal, SCORES, at=("** 2", "** 1.5"))
@in_jax
def gamma_of_another_paper(x: Any, t: Any) -> Any:
    """Has 1.5 for the exponent of the focal loss, where the other has 2."""
    logp = jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], axis=-1)
    weight = (1 - jnp.exp(logp)) ** 1.5
    return -(weight * logp).mean()


# --- Binary ---------------------------------------------------------------------------


@in_torch
def bce_with_logits(x: Any, t: Any) -> Any:
    """PyTorch's own."""
    return F.binary_cross_entropy_with_logits(x, t.to(x.dtype))


@alike(bce_with_logits, BITS)
@in_jax
def bce_by_log_sigmoid(x: Any, t: Any) -> Any:
    """The logarithms of the sigmoids of x and of -x."""
    right, wrong = jax.nn.log_sigmoid(x), jax.nn.log_sigmoid(-x)
    return -(t * right + (1 - t) * wrong).mean()


@alike(bce_with_logits, BITS)
@in_numpy
def bce_by_hand(x: Any, t: Any, dout: Any) -> Any:
    """The stable formula, and the sigmoid less the label backward."""
    loss = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
    return loss.mean(), dout * (1 / (1 + np.exp(-x)) - t) / len(x)


@different(
    "sign",
    "forward",
    bce_by_log_sigmoid,
    BITS,
    at=("t * right + (1 - t) * wrong", "t * right - (1 - t) * wrong"),
)
@in_torch
def sign_of_the_second_term(x: Any, t: Any) -> Any:
    """Subtracts the term of the label 0, which has to be added."""
    right, wrong = F.logsigmoid(x), F.logsigmoid(-x)
    return -(t * right - (1 - t) * wrong).mean()


# --- Regression -----------------------------------------------------------------------


@in_torch
def mse(x: Any, y: Any) -> Any:
    """PyTorch's own."""
    return F.mse_loss(x, y)


@alike(mse, TWO)
@in_jax
def mse_as_a_product(x: Any, y: Any) -> Any:
    """The difference times itself, as a product of vectors."""
    d = (x - y).reshape(-1)
    return jnp.dot(d, d) / d.size


@alike(mse, TWO)
@in_numpy
def mse_by_hand(x: Any, y: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    d = x - y
    return np.mean(d**2), dout * 2 * d / d.size, -dout * 2 * d / d.size


@different("squared", "forward", mse, TWO, at=("F.mse_loss(", "jnp.abs("))
@in_jax
def absolute_error(x: Any, y: Any) -> Any:
    """Takes the absolute differences, and not their squares."""
    return jnp.mean(jnp.abs(x - y))


@in_torch
def huber(x: Any, y: Any) -> Any:
    """PyTorch's own, which is linear from 0.5 on."""
    return F.huber_loss(x, y, delta=0.5)


@alike(huber, TWO)
@in_jax
def huber_by_where(x: Any, y: Any) -> Any:
    """A choice between the square and the straight line."""
    d = x - y
    near = 0.5 * d * d
    far = 0.5 * (jnp.abs(d) - 0.25)
    return jnp.where(jnp.abs(d) < 0.5, near, far).mean()


@different(
    "scale",
    "forward",
    huber,
    TWO,
    at=("F.huber_loss(", "F.smooth_l1_loss("),
)
@in_torch
def smooth_l1(x: Any, y: Any) -> Any:
    """Takes smooth_l1_loss for the same: it is Huber's loss divided by delta."""
    return F.smooth_l1_loss(x, y, beta=0.5)


@in_torch
def gaussian_nll(mean: Any, logvar: Any, y: Any) -> Any:
    """Minus the logarithm of a normal density, but for a constant."""
    square = (y - mean) ** 2 / torch.exp(logvar)
    return 0.5 * (logvar + square).mean()


@alike(gaussian_nll, GAUSS)
@in_jax
def gaussian_nll_by_precision(mean: Any, logvar: Any, y: Any) -> Any:
    """A product with exp(-logvar), of the difference the other way round."""
    d = mean - y
    return (0.5 * logvar + 0.5 * d * d * jnp.exp(-logvar)).mean()


@different(
    "squared",
    "forward",
    gaussian_nll,
    GAUSS,
    at=("torch.exp(logvar)", ("0.5 * logvar)", "/ std")),
)
@in_jax
def divided_by_the_deviation(mean: Any, logvar: Any, y: Any) -> Any:
    """Divides by the standard deviation, where the variance belongs."""
    std = jnp.exp(0.5 * logvar)
    square = (y - mean) ** 2 / std
    return 0.5 * (logvar + square).mean()


# --- Distributions --------------------------------------------------------------------


@in_torch
def kl(x: Any, y: Any) -> Any:
    """The divergence of the second from the first, by PyTorch: a mean over the batch."""
    p, q = F.log_softmax(x, dim=-1), F.log_softmax(y, dim=-1)
    return F.kl_div(q, p, reduction="batchmean", log_target=True)


@alike(kl, TWO)
@in_jax
def kl_written_out(x: Any, y: Any) -> Any:
    """The sum of p times the difference of the logarithms."""
    p, q = jax.nn.log_softmax(x), jax.nn.log_softmax(y)
    return (jnp.exp(p) * (p - q)).sum(axis=-1).mean()


@different(
    "reduction",
    "forward",
    kl,
    TWO,
    at=("F.kl_div(", ".mean()"),
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html",
)
@in_torch
def mean_of_kl_div(x: Any, y: Any) -> Any:
    """Takes a mean over all elements, as kl_div by default: the divergence is a sum over
    the classes.
    """
    p, q = F.log_softmax(x, dim=-1), F.log_softmax(y, dim=-1)
    return (torch.exp(p) * (p - q)).mean()


@different(
    "order",
    "forward",
    kl_written_out,
    TWO,
    at=("jnp.exp(p) * (p - q)", "np.exp(q) * (q - p)"),
)
@in_jax
def divergence_the_other_way_round(x: Any, y: Any) -> Any:
    """Swaps the distributions: the divergence is not symmetric."""
    p, q = jax.nn.log_softmax(x), jax.nn.log_softmax(y)
    return (jnp.exp(q) * (q - p)).sum(axis=-1).mean()


@in_torch
def clipped_policy(new: Any, old: Any, a: Any) -> Any:
    """The clipped objective of PPO, of the probabilities' logarithms and advantages."""
    ratio = torch.exp(new - old)
    clipped = torch.clamp(ratio, 0.8, 1.2)
    return -torch.minimum(ratio * a, clipped * a).mean()


@alike(clipped_policy, RATIO)
@in_jax
def clipped_policy_as_a_maximum(new: Any, old: Any, a: Any) -> Any:
    """The mean of the larger loss, where the other has minus that of the smaller gain."""
    ratio = jnp.exp(new - old)
    return jnp.maximum(-a * ratio, -a * jnp.clip(ratio, 0.8, 1.2)).mean()


@different(
    "clip",
    "forward",
    clipped_policy,
    RATIO,
    at=("torch.clamp(", "jnp.clip("),
)
@in_jax
def tighter_clip(new: Any, old: Any, a: Any) -> Any:
    """Clips the ratio at 0.9 and 1.1, where the other clips at 0.8 and 1.2."""
    ratio = jnp.exp(new - old)
    clipped = jnp.clip(ratio, 0.9, 1.1)
    return -jnp.minimum(ratio * a, clipped * a).mean()


@in_torch
def distillation(x: Any, y: Any) -> Any:
    """The cross entropy with a teacher's probabilities, at a temperature of 2."""
    teacher = torch.softmax(y / 2.0, dim=-1)
    return -(teacher * F.log_softmax(x / 2.0, dim=-1)).sum(dim=-1).mean()


@different(
    "temperature",
    "forward",
    distillation,
    TWO,
    at=("y / 2.0", "y * 2.0"),
)
@in_jax
def multiplied_by_the_temperature(x: Any, y: Any) -> Any:
    """Multiplies the teacher's logits by the temperature, which divides them."""
    teacher = jax.nn.softmax(y * 2.0)
    return -(teacher * jax.nn.log_softmax(x / 2.0)).sum(axis=-1).mean()


@different(
    "stopped",
    "backward",
    distillation,
    TWO,
    at=(("y / 2.0", "x / 2.0"), ("y / 2.0", "x / 2.0")),
)
@in_torch
def teacher_stopped(x: Any, y: Any) -> Any:
    """Detaches the teacher, which the other trains too."""
    teacher = torch.softmax(y / 2.0, dim=-1).detach()
    return -(teacher * F.log_softmax(x / 2.0, dim=-1)).sum(dim=-1).mean()
