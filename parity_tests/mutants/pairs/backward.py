"""Backward passes that are wrong, though the forward is right."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import (
    halves,
    integers,
    mask,
    normal,
    with_zeros,
)
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_numpy,
    in_torch,
)

X = {"x": normal(4, 6)}
TWO = {"x": normal(4, 6), "y": normal(4, 6)}
ROWS = {"x": normal(4, 8), "w": normal(8), "b": normal(8)}
SQUARE = {"x": normal(6, 6), "W": normal(6, 6), "b": normal(6)}
SCORES = {"x": normal(6, 5), "t": integers(5, 6)}


# --- Activations ----------------------------------------------------------------------


@in_torch
def sigmoid(x: Any) -> Any:
    """PyTorch's own."""
    return torch.sigmoid(x)


@different(
    "derivative",
    "backward",
    sigmoid,
    X,
    at=("torch.sigmoid(", "x * (1 - x)"),
)
@in_torch
def derivative_of_the_input(x: Any) -> Any:
    """Puts the input into y (1 - y), which is to be had of the output."""

    class Sigmoid(torch.autograd.Function):  # type: ignore[name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return torch.sigmoid(x)

        @staticmethod
        def backward(ctx: Any, dout: Any) -> Any:
            (x,) = ctx.saved_tensors
            return dout * x * (1 - x)

    return Sigmoid.apply(x)


@in_jax
def tanh(x: Any) -> Any:
    """JAX's own."""
    return jnp.tanh(x)


@alike(tanh, X)
@in_numpy
def tanh_by_hand(x: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    y = np.tanh(x)
    return y, dout * (1 - y * y)


@different("squared", "backward", tanh_by_hand, X, at=("(1 - y * y)", "(1 - y)"))
@in_numpy
def square_forgotten(x: Any, dout: Any) -> Any:
    """Has 1 - y for the derivative of tanh, which is 1 - y squared."""
    y = np.tanh(x)
    return y, dout * (1 - y)


@in_torch
def relu(x: Any) -> Any:
    """PyTorch's own."""
    return torch.relu(x)


@different(
    "tie",
    "backward",
    relu,
    {"x": with_zeros(4, 6)},
    at=("torch.relu(", "x >= 0"),
)
@in_numpy
def gradient_at_zero(x: Any, dout: Any) -> Any:
    """Lets the gradient pass where x is 0."""
    return np.maximum(x, 0), np.where(x >= 0, dout, 0.0)


@in_jax
def gelu(x: Any) -> Any:
    """JAX's own, the exact one."""
    return jax.nn.gelu(x, approximate=False)


@different(
    "missing_term",
    "backward",
    gelu,
    X,
    at=("jax.nn.gelu(", "d * cdf"),
)
@in_jax
def density_forgotten(x: Any) -> Any:
    """Has a rule that passes on the distribution alone: x times the density is missing."""

    def distribution(x: Any) -> Any:
        return 0.5 * (1 + jax.lax.erf(x / 2**0.5))

    @jax.custom_vjp
    def rule(x: Any) -> Any:
        return x * distribution(x)

    def backward(cdf: Any, d: Any) -> Any:
        return (d * cdf,)

    rule.defvjp(lambda x: (x * distribution(x), distribution(x)), backward)
    return rule(x)


@in_torch
def rounded(x: Any) -> Any:
    """PyTorch's own, whose gradient is 0."""
    return torch.round(x * 4) / 4


@different(
    "straight_through",
    "backward",
    rounded,
    X,
    at=("torch.round(", (".detach()", "torch.round(")),
)
@in_torch
def rounded_straight_through(x: Any) -> Any:
    """Passes the gradient on as though nothing had been rounded."""
    y = torch.round(x * 4) / 4
    return x + (y - x).detach()


# --- Products and sums ----------------------------------------------------------------


@in_jax
def product(x: Any, y: Any) -> Any:
    """JAX's own."""
    return x * y


@different("order", "backward", product, TWO, at=("x * y", "d * x, d * y"))
@in_jax
def factors_in_the_wrong_order(x: Any, y: Any) -> Any:
    """Returns each factor's gradient for the other."""

    @jax.custom_vjp
    def rule(x: Any, y: Any) -> Any:
        return jnp.multiply(x, y)

    def backward(saved: Any, d: Any) -> Any:
        x, y = saved
        return d * x, d * y

    rule.defvjp(lambda x, y: (jnp.multiply(x, y), (x, y)), backward)
    return rule(x, y)


@in_torch
def difference(x: Any, y: Any) -> Any:
    """PyTorch's own."""
    return torch.sub(x, y)


@alike(difference, TWO)
@in_numpy
def difference_by_hand(x: Any, y: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    dy = -dout
    return x - y, dout * 1.0, dy


@different(
    "sign",
    "backward",
    difference,
    TWO,
    at=("torch.sub(", "dy = dout"),
)
@in_numpy
def sign_not_turned(x: Any, y: Any, dout: Any) -> Any:
    """Passes the same gradient on to what is subtracted."""
    dy = dout * 1.0
    return x - y, dout * 1.0, dy


@in_torch
def affine(x: Any, W: Any, b: Any) -> Any:
    """A product and a sum."""
    return torch.addmm(b, x, W)


@different(
    "transposed",
    "backward",
    affine,
    SQUARE,
    at=("torch.addmm(", "dW = np.dot("),
)
@in_numpy
def gradient_of_the_weights_transposed(x: Any, W: Any, b: Any, dout: Any) -> Any:
    """Multiplies dout.T by x: that is the transpose of the gradient."""
    out = np.dot(x, W) + b
    dx = np.dot(dout, W.T)
    dW = np.dot(dout.T, x)
    return out, dx, dW, dout.sum(axis=0)


@different(
    "transposed",
    "backward",
    affine,
    SQUARE,
    at=("torch.addmm(", "dx = np.dot("),
)
@in_numpy
def weights_not_transposed(x: Any, W: Any, b: Any, dout: Any) -> Any:
    """Multiplies the gradient by W, which has to be transposed."""
    out = np.dot(x, W) + b
    dx = np.dot(dout, W)
    dW = np.dot(x.T, dout)
    return out, dx, dW, dout.sum(axis=0)


@in_jax
def affine_in_jax(x: Any, W: Any, b: Any) -> Any:
    """A product and a sum."""
    y = x @ W
    return y + b


@different(
    "mean_sum",
    "backward",
    affine_in_jax,
    SQUARE,
    at=("y + b", "dout.mean("),
)
@in_numpy
def bias_averaged(x: Any, W: Any, b: Any, dout: Any) -> Any:
    """Averages the gradient of the bias over the batch, which has to be summed."""
    out = np.dot(x, W) + b
    dx, dW = np.dot(dout, W.T), np.dot(x.T, dout)
    db = dout.mean(axis=0)
    return out, dx, dW, db


@in_torch
def running_sum(x: Any) -> Any:
    """PyTorch's own."""
    return torch.cumsum(x, dim=-1)


@alike(running_sum, X)
@in_numpy
def running_sum_by_hand(x: Any, dout: Any) -> Any:
    """The backward adds up from the end."""
    return np.cumsum(x, axis=-1), np.cumsum(dout[:, ::-1], axis=-1)[:, ::-1]


@different(
    "cumulative",
    "backward",
    running_sum,
    X,
    at=("torch.cumsum(", "dx = np.cumsum("),
)
@in_numpy
def summed_from_the_front(x: Any, dout: Any) -> Any:
    """Adds the gradient up from the front, as the forward does."""
    out = np.cumsum(x, axis=-1)
    dx = np.cumsum(dout, axis=-1)
    return out, dx


# --- Softmax and losses ---------------------------------------------------------------


@in_jax
def softmax(x: Any) -> Any:
    """JAX's own."""
    return jax.nn.softmax(x)


@different(
    "missing_term",
    "backward",
    softmax,
    X,
    at=("jax.nn.softmax(", "d * y * (1 - y)"),
)
@in_jax
def diagonal_alone(x: Any) -> Any:
    """Has a rule with the diagonal of the derivative alone, as for a sigmoid."""

    @jax.custom_vjp
    def rule(x: Any) -> Any:
        return jax.nn.softmax(x)

    def forward(x: Any) -> Any:
        y = jax.nn.softmax(x)
        return y, y

    def backward(y: Any, d: Any) -> Any:
        return (d * y * (1 - y),)

    rule.defvjp(forward, backward)
    return rule(x)


@in_torch
def softmax_in_torch(x: Any) -> Any:
    """PyTorch's own."""
    return torch.softmax(x, dim=-1)


@different(
    "missing_term",
    "backward",
    softmax_in_torch,
    X,
    at=("torch.softmax(", "dx = y * dout"),
)
@in_numpy
def sum_forgotten(x: Any, dout: Any) -> Any:
    """Leaves out the sum that every score's gradient gets."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    dx = y * dout
    return y, dx


@in_torch
def cross_entropy(x: Any, t: Any) -> Any:
    """PyTorch's own."""
    return F.cross_entropy(x, t)


@different(
    "mean_sum",
    "backward",
    cross_entropy,
    SCORES,
    at=("F.cross_entropy(", ("dout * (p - np.eye(",)),
)
@in_numpy
def not_divided_by_the_batch(x: Any, t: Any, dout: Any) -> Any:
    """Averages the loss, and does not divide its gradient by the batch size."""
    n = np.arange(len(x))
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    dx = dout * (p - np.eye(x.shape[-1])[t])
    return -np.log(p[n, t]).mean(), dx


@in_jax
def mse(x: Any, y: Any) -> Any:
    """The mean of the squares of the differences."""
    return jnp.mean(jnp.square(x - y))


@different("scale", "backward", mse, TWO, at=("jnp.square(", "dx = dout * d"))
@in_numpy
def two_forgotten(x: Any, y: Any, dout: Any) -> Any:
    """Leaves out the 2 that comes of the square."""
    d = x - y
    dx = dout * d / d.size
    return np.mean(d**2), dx, -dx


# --- Normalisation --------------------------------------------------------------------


@in_torch
def layer_norm(x: Any, w: Any, b: Any) -> Any:
    """PyTorch's own."""
    return F.layer_norm(x, x.shape[-1:], w, b)


@different(
    "missing_term",
    "backward",
    layer_norm,
    ROWS,
    at=("F.layer_norm(", "dx = rstd *"),
)
@in_numpy
def variance_not_differentiated(x: Any, w: Any, b: Any, dout: Any) -> Any:
    """Leaves out the term that comes of the variance."""
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * rstd
    g = dout * w
    dx = rstd * (g - g.mean(-1, keepdims=True))
    return xhat * w + b, dx, (dout * xhat).sum(0), dout.sum(0)


@different(
    "missing_term",
    "backward",
    layer_norm,
    ROWS,
    at=("F.layer_norm(", "dx = rstd *"),
)
@in_numpy
def mean_not_differentiated(x: Any, w: Any, b: Any, dout: Any) -> Any:
    """Leaves out the term that comes of the mean."""
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * rstd
    g = dout * w
    dx = rstd * (g - xhat * (g * xhat).mean(-1, keepdims=True))
    return xhat * w + b, dx, (dout * xhat).sum(0), dout.sum(0)


@different(
    "biased",
    "backward",
    layer_norm,
    ROWS,
    at=("F.layer_norm(", "inner ="),
)
@in_numpy
def inner_mean_over_n_minus_1(x: Any, w: Any, b: Any, dout: Any) -> Any:
    """Divides one mean of the backward by n - 1, though the variance has n."""
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * rstd
    g = dout * w
    inner = (g * xhat).sum(-1, keepdims=True) / (x.shape[-1] - 1)
    dx = rstd * (g - g.mean(-1, keepdims=True) - xhat * inner)
    return xhat * w + b, dx, (dout * xhat).sum(0), dout.sum(0)


# --- Selection ------------------------------------------------------------------------


@in_torch
def embedding(W: Any, i: Any) -> Any:
    """PyTorch's own."""
    return F.embedding(i, W)


@different(
    "accumulated",
    "backward",
    embedding,
    {"W": normal(6, 4), "i": integers(6, 12)},
    at=("F.embedding(", "dW[i] +="),
)
@in_numpy
def repeated_index_lost(W: Any, i: Any, dout: Any) -> Any:
    """Adds with dW[i] += dout, where an index that occurs twice counts once."""
    dW = np.zeros_like(W)
    dW[i] += dout
    return W[i], dW


@in_torch
def dropout(x: Any, keep: Any) -> Any:
    """What is kept, divided by its share, with a mask that is given."""
    return x * keep / 0.6


@alike(dropout, {"x": normal(4, 8), "keep": mask(4, 8)})
@in_numpy
def dropout_by_hand(x: Any, keep: Any, dout: Any) -> Any:
    """A choice, and the backward by hand."""
    dx = np.where(keep, dout / 0.6, 0.0)
    return np.where(keep, x / 0.6, 0.0), dx


@different(
    "scale",
    "backward",
    dropout_by_hand,
    {"x": normal(4, 8), "keep": mask(4, 8)},
    at=("dx = np.where(", "dx = dout * keep"),
)
@in_numpy
def share_forgotten(x: Any, keep: Any, dout: Any) -> Any:
    """Masks the gradient, and does not divide it by the share that is kept."""
    out = x * keep / 0.6
    dx = dout * keep
    return out, dx


@in_jax
def row_maximum(x: Any) -> Any:
    """JAX's own, which shares the gradient among equals."""
    return jnp.max(x, axis=-1)


@different(
    "tie",
    "backward",
    row_maximum,
    {"x": halves(4, 8)},
    at=("jnp.max(", "dx = "),
)
@in_numpy
def all_equals_get_everything(x: Any, dout: Any) -> Any:
    """Gives each of several equal maxima the whole gradient."""
    out = x.max(axis=-1)
    dx = np.where(x == out[:, None], dout[:, None], 0.0)
    return out, dx
