"""Linear maps: matrix products, convolutions, embeddings, and blocks made of them."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import integers, normal
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_numpy,
    in_torch,
)
from gradparity.parity_tests.mutants.sources import GITHUB

AFFINE = {"x": normal(4, 6), "W": normal(6, 3), "b": normal(3)}
LINEAR = {"x": normal(4, 6), "W": normal(3, 6), "b": normal(3)}
SQUARE = {"x": normal(4, 6), "W": normal(6, 6), "b": normal(6)}
CONV = {"x": normal(2, 3, 8), "W": normal(4, 3, 3), "b": normal(4)}
IMAGE = {"x": normal(2, 3, 4, 5), "W": normal(60, 4)}
CONV2D = {"x": normal(1, 2, 5, 6), "W": normal(3, 2, 3, 3)}
TABLE = {"W": normal(6, 4), "i": integers(6, 8)}
BLOCK = {"x": normal(4, 6), "W": normal(6, 6), "w": normal(6), "b": normal(6)}
LORA = {"x": normal(4, 6), "W": normal(6, 6), "A": normal(6, 2), "B": normal(2, 6)}


# --- Affine ---------------------------------------------------------------------------


@in_torch
def affine(x: Any, W: Any, b: Any) -> Any:
    """A product and a sum."""
    return x @ W + b


@alike(affine, AFFINE)
@in_torch
def affine_by_linear(x: Any, W: Any, b: Any) -> Any:
    """PyTorch's own, whose weights are (out, in)."""
    return F.linear(x, W.T, b)


@alike(affine, AFFINE)
@in_jax
def affine_by_einsum(x: Any, W: Any, b: Any) -> Any:
    """The product by einsum."""
    return jnp.einsum("ni,io->no", x, W) + b


@alike(affine, AFFINE)
@in_jax
def affine_by_tensordot(x: Any, W: Any, b: Any) -> Any:
    """The product by tensordot, of the transposes."""
    return jnp.tensordot(W.T, x.T, axes=1).T + b


@alike(affine, AFFINE)
@in_jax
def bias_as_a_row_of_weights(x: Any, W: Any, b: Any) -> Any:
    """The bias as one more row of the weights, for an input that is 1."""
    ones = jnp.ones((len(x), 1), dtype=x.dtype)
    return jnp.concatenate([x, ones], axis=1) @ jnp.concatenate([W, b[None]])


@alike(affine, AFFINE)
@in_numpy
def affine_by_hand(x: Any, W: Any, b: Any, dout: Any) -> Any:
    """Forward and backward by hand, as in the lecture."""
    return np.dot(x, W) + b, np.dot(dout, W.T), np.dot(x.T, dout), dout.sum(axis=0)


@in_torch
def linear(x: Any, W: Any, b: Any) -> Any:
    """PyTorch's own."""
    return F.linear(x, W, b)


@different(
    "transposed",
    "forward",
    linear,
    LINEAR,
    at=("F.linear(", ("W.reshape(", "x @ kernel")),
)
@in_jax
def kernel_reshaped(x: Any, W: Any, b: Any) -> Any:
    """Makes Flax's kernel of PyTorch's weight by reshape, and not by transposing."""
    kernel = W.reshape(6, 3)
    return x @ kernel + b


@different(
    "transposed",
    "forward",
    linear,
    SQUARE,
    at=("F.linear(", "x @ W"),
    source=GITHUB + "vllm-project/vllm/pull/41689",
)
@in_jax
def weight_not_transposed(x: Any, W: Any, b: Any) -> Any:
    """Multiplies by W as it is: with as many outputs as inputs, nobody notices."""
    return x @ W + b


@in_torch
def two_layers(x: Any, W: Any, b: Any) -> Any:
    """The same affine map twice, with a hyperbolic tangent after each."""
    h = torch.tanh(x @ W + b)
    return torch.tanh(h @ W + b)


@different(
    "bias",
    "forward",
    two_layers,
    SQUARE,
    at=("h @ W + b", "h @ W"),
)
@in_jax
def second_bias_forgotten(x: Any, W: Any, b: Any) -> Any:
    """Adds the bias in the first layer and not in the second."""
    h = jnp.tanh(x @ W + b)
    return jnp.tanh(h @ W)


@in_torch
def adapted(x: Any, W: Any, A: Any, B: Any) -> Any:
    """A low-rank adapter: rank 2, and alpha 4."""
    return x @ W + (x @ A) @ B * (4 / 2)


@alike(adapted, LORA)
@in_jax
def adapter_merged(x: Any, W: Any, A: Any, B: Any) -> Any:
    """The adapter added to the weights first."""
    return x @ (W + 2.0 * (A @ B))


@different(
    "scale",
    "forward",
    adapted,
    LORA,
    at=("* (4 / 2)", "(x @ A) @ B"),
)
@in_jax
def alpha_not_divided(x: Any, W: Any, A: Any, B: Any) -> Any:
    """Multiplies by alpha, which is to be divided by the rank."""
    return x @ W + (x @ A) @ B * 4.0


# --- Convolution ----------------------------------------------------------------------


@in_torch
def conv1d(x: Any, W: Any, b: Any) -> Any:
    """PyTorch's own, with a zero at either end."""
    return F.conv1d(x, W, b, padding=1)


@alike(conv1d, CONV)
@in_jax
def conv1d_as_products(x: Any, W: Any, b: Any) -> Any:
    """A matrix product for each place of the kernel."""
    n = x.shape[-1]
    wide = jnp.pad(x, ((0, 0), (0, 0), (1, 1)))
    y = sum(
        jnp.einsum("bcn,oc->bon", wide[..., i : i + n], W[..., i]) for i in range(3)
    )
    return y + b[:, None]


@alike(conv1d, CONV)
@in_jax
def conv1d_of_lax(x: Any, W: Any, b: Any) -> Any:
    """JAX's own."""
    return jax.lax.conv(x, W, (1,), "SAME") + b[:, None]


@different(
    "padding", "forward", conv1d, CONV, at=("F.conv1d(", ("F.pad(", "F.conv1d("))
)
@in_torch
def ends_repeated(x: Any, W: Any, b: Any) -> Any:
    """Pads with the first and the last value, where the other pads with zeros."""
    wide = F.pad(x, (1, 1), mode="replicate")
    return F.conv1d(wide, W, b)


@different(
    "order",
    "forward",
    conv1d,
    CONV,
    at=("F.conv1d(", ("W[..., ::-1]", "jax.lax.conv(")),
)
@in_jax
def kernel_flipped(x: Any, W: Any, b: Any) -> Any:
    """Flips the kernel, as mathematics does and no framework."""
    flipped = W[..., ::-1]
    return jax.lax.conv(x, flipped, (1,), "SAME") + b[:, None]


@in_torch
def conv2d(x: Any, W: Any) -> Any:
    """PyTorch's own: NCHW, and weights OIHW."""
    return F.conv2d(x, W)


@alike(conv2d, CONV2D)
@in_jax
def conv2d_with_channels_last(x: Any, W: Any) -> Any:
    """NHWC and weights HWIO, and the result transposed back."""
    y = jax.lax.conv_general_dilated(
        *(x.transpose(0, 2, 3, 1), W.transpose(2, 3, 1, 0), (1, 1), "VALID"),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y.transpose(0, 3, 1, 2)


@in_torch
def flattened(x: Any, W: Any) -> Any:
    """Images flattened with channels first, and a matrix product."""
    return x.flatten(1) @ W


@alike(flattened, IMAGE)
@in_jax
def flattened_with_weights_moved(x: Any, W: Any) -> Any:
    """Images with channels last, and the rows of the weights moved accordingly."""
    rows = W.reshape(3, 4, 5, -1).transpose(1, 2, 0, 3).reshape(60, -1)
    return x.transpose(0, 2, 3, 1).reshape(len(x), -1) @ rows


@different(
    "transposed",
    "forward",
    flattened,
    IMAGE,
    at=("x.flatten(1)", ("x.transpose(", "last.reshape(")),
)
@in_jax
def flattened_with_channels_last(x: Any, W: Any) -> Any:
    """Flattens images with channels last, though the weights are for channels first."""
    last = x.transpose(0, 2, 3, 1)
    return last.reshape(len(x), -1) @ W


@in_torch
def max_pool(x: Any) -> Any:
    """PyTorch's own, of neighbours."""
    return F.max_pool1d(x, 2)


@alike(max_pool, {"x": normal(2, 3, 8)})
@in_jax
def max_pool_by_reshape(x: Any) -> Any:
    """The larger of every two."""
    return x.reshape(*x.shape[:-1], -1, 2).max(axis=-1)


# --- Embedding ------------------------------------------------------------------------


@in_torch
def embedding(W: Any, i: Any) -> Any:
    """PyTorch's own."""
    return F.embedding(i, W)


@alike(embedding, TABLE)
@in_jax
def embedding_by_one_hot(W: Any, i: Any) -> Any:
    """A product of one-hot rows with the table."""
    return jax.nn.one_hot(i, len(W), dtype=W.dtype) @ W


@alike(embedding, TABLE)
@in_numpy
def embedding_by_hand(W: Any, i: Any, dout: Any) -> Any:
    """The backward adds up what belongs to the same row."""
    dW = np.zeros_like(W)
    np.add.at(dW, i, dout)
    return W[i], dW


@different(
    "scale",
    "forward",
    embedding,
    TABLE,
    at=("F.embedding(", "W.shape[-1] ** 0.5"),
)
@in_jax
def scaled_by_the_root_of_the_width(W: Any, i: Any) -> Any:
    """Multiplies embeddings by the root of their width, as Transformers and not as BERT."""
    return W[i] * W.shape[-1] ** 0.5


# --- Blocks ---------------------------------------------------------------------------


@in_torch
def pre_norm(x: Any, W: Any, w: Any, b: Any) -> Any:
    """Normalises before the layer, and adds what came in."""
    h = F.layer_norm(x, x.shape[-1:], w, b)
    return x + torch.relu(h @ W)


@different(
    "order",
    "forward",
    pre_norm,
    BLOCK,
    at=("F.layer_norm(", ("x @ W", "F.layer_norm(")),
)
@in_torch
def post_norm(x: Any, W: Any, w: Any, b: Any) -> Any:
    """Normalises after the sum: that is the other transformer."""
    h = x + torch.relu(x @ W)
    return F.layer_norm(h, x.shape[-1:], w, b)


@in_torch
def residual(x: Any, W: Any, b: Any) -> Any:
    """What comes in, and what a layer makes of it."""
    return x + torch.tanh(x @ W + b)


@alike(residual, SQUARE)
@in_torch
def residual_in_place(x: Any, W: Any, b: Any) -> Any:
    """The same in place, in a buffer of its own."""
    y = x @ W
    y += b
    return y.tanh_().add(x)


@alike(residual, SQUARE)
@in_numpy
def residual_by_hand(x: Any, W: Any, b: Any, dout: Any) -> Any:
    """Forward and backward by hand: two gradients meet at x."""
    h = np.tanh(x @ W + b)
    da = dout * (1 - h * h)
    return x + h, dout + da @ W.T, x.T @ da, da.sum(axis=0)


@different(
    "branch",
    "backward",
    residual,
    SQUARE,
    at=("x + torch.tanh(", ("x + jnp.tanh(", "stop_gradient(")),
)
@in_jax
def shortcut_alone(x: Any, W: Any, b: Any) -> Any:
    """Stops the gradient into the layer's input: only the shortcut passes it on."""
    held = jax.lax.stop_gradient(x)
    return x + jnp.tanh(held @ W + b)
