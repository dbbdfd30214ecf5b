"""Activations, and what is done to one element at a time."""

from typing import Any

import numpy as np
from scipy.special import erf

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import normal, with_zeros
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_numpy,
    in_torch,
)
from gradparity.parity_tests.mutants.sources import GITHUB

X = {"x": normal(4, 8)}
WIDE = {"x": normal(4, 8, scale=3.0)}
ZEROS = {"x": with_zeros(4, 6)}
GATED = {"x": normal(3, 4), "V": normal(4, 6), "W": normal(4, 6)}


# --- GELU -----------------------------------------------------------------------------


@in_torch
def gelu(x: Any) -> Any:
    """PyTorch's own, which is the exact one."""
    return F.gelu(x)


@alike(gelu, X)
@in_jax
def gelu_exact_in_jax(x: Any) -> Any:
    """JAX's own, asked for the exact one."""
    return jax.nn.gelu(x, approximate=False)


@alike(gelu, X)
@in_torch
def gelu_composed(x: Any) -> Any:
    """Written with erf."""
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


@alike(gelu, X)
@in_numpy
def gelu_by_hand(x: Any, dout: Any) -> Any:
    """Forward and backward by hand, with SciPy's erf."""
    cdf = 0.5 * (1 + erf(x / np.sqrt(2)))
    pdf = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    return x * cdf, dout * (cdf + x * pdf)


@in_torch
def gelu_by_tanh(x: Any) -> Any:
    """PyTorch's own, asked for the approximation."""
    return F.gelu(x, approximate="tanh")


@alike(gelu_by_tanh, X)
@in_jax
def gelu_by_tanh_in_jax(x: Any) -> Any:
    """The approximation, which is JAX's default, with the cube as a product."""
    inner = (2 / jnp.pi) ** 0.5 * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + jnp.tanh(inner))


@different(
    "erf_tanh",
    "forward",
    gelu,
    X,
    at=("F.gelu(", "jax.nn.gelu("),
    source=GITHUB + "jax-ml/jax/issues/4428",
)
@in_jax
def gelu_of_jax(x: Any) -> Any:
    """Leaves JAX's default: the GELU by tanh, where PyTorch's is by erf."""
    return jax.nn.gelu(x)


@different(
    "erf_tanh",
    "forward",
    gelu_composed,
    X,
    at=("torch.erf(", ("torch.pow(x, 3", "torch.tanh(")),
    source=GITHUB + "huggingface/candle/pull/900",
)
@in_torch
def gelu_new(x: Any) -> Any:
    """Has the approximation of GPT-2, where the weights were trained with the exact one."""
    inner = x + 0.044715 * torch.pow(x, 3.0)
    return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * inner))


@different(
    "constant",
    "forward",
    gelu_by_tanh,
    X,
    at=("F.gelu(", "0.04472"),
)
@in_jax
def constant_rounded(x: Any) -> Any:
    """Rounds the constant 0.044715 of the GELU to 0.04472."""
    inner = x + 0.04472 * x**3
    return 0.5 * x * (1 + jnp.tanh((2 / jnp.pi) ** 0.5 * inner))


# --- SiLU, sigmoid, softplus ----------------------------------------------------------


@in_torch
def silu(x: Any) -> Any:
    """PyTorch's own."""
    return F.silu(x)


@alike(silu, X)
@in_jax
def silu_by_tanh(x: Any) -> Any:
    """The sigmoid as a hyperbolic tangent of half the argument."""
    return x * (0.5 + 0.5 * jnp.tanh(0.5 * x))


@alike(silu, X)
@in_numpy
def silu_by_hand(x: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    s = 1 / (1 + np.exp(-x))
    return x * s, dout * (s + x * s * (1 - s))


@in_torch
def sigmoid(x: Any) -> Any:
    """PyTorch's own."""
    return torch.sigmoid(x)


@alike(sigmoid, X)
@in_torch
def sigmoid_composed(x: Any) -> Any:
    """Written with exp."""
    return 1 / (1 + torch.exp(-x))


@in_torch
def softplus(x: Any) -> Any:
    """PyTorch's own, which is linear above 20."""
    return F.softplus(x)


@alike(softplus, WIDE)
@in_jax
def softplus_by_logaddexp(x: Any) -> Any:
    """The logarithm of exp(x) + exp(0)."""
    return jnp.logaddexp(x, 0.0)


@alike(softplus, WIDE)
@in_torch
def softplus_shifted(x: Any) -> Any:
    """The positive part, and the logarithm of what remains."""
    return torch.relu(x) + torch.log1p(torch.exp(-torch.abs(x)))


@different(
    "base",
    "forward",
    softplus,
    X,
    at=("F.softplus(", "jnp.log2("),
)
@in_jax
def softplus_to_the_base_of_two(x: Any) -> Any:
    """Takes the logarithm to the base 2: exp belongs to the natural one."""
    return jnp.log2(1 + jnp.exp(x))


@in_jax
def mish(x: Any) -> Any:
    """x times the hyperbolic tangent of its softplus."""
    return x * jnp.tanh(jax.nn.softplus(x))


@alike(mish, X)
@in_torch
def mish_of_torch(x: Any) -> Any:
    """PyTorch's own."""
    return F.mish(x)


# --- Piecewise ------------------------------------------------------------------------


@in_torch
def leaky_relu(x: Any) -> Any:
    """PyTorch's own, whose slope is 0.01."""
    return F.leaky_relu(x)


@alike(leaky_relu, X)
@in_jax
def leaky_relu_as_a_maximum(x: Any) -> Any:
    """The larger of x and a hundredth of it."""
    return jnp.maximum(x, 0.01 * x)


@different(
    "slope",
    "forward",
    leaky_relu,
    X,
    at=("F.leaky_relu(", "0.2 * x"),
    source=GITHUB + "jinyu121/DW2TF/issues/2",
)
@in_jax
def slope_of_tensorflow(x: Any) -> Any:
    """Has TensorFlow's slope, 0.2, where PyTorch's is 0.01."""
    return jnp.where(x > 0, x, 0.2 * x)


@in_torch
def elu(x: Any) -> Any:
    """PyTorch's own."""
    return F.elu(x)


@alike(elu, X)
@in_numpy
def elu_by_hand(x: Any, dout: Any) -> Any:
    """Forward and backward by hand."""
    y = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return y, dout * np.where(x > 0, 1.0, y + 1)


@in_torch
def relu(x: Any) -> Any:
    """PyTorch's own, whose derivative at 0 is 0."""
    return torch.relu(x)


@alike(relu, ZEROS)
@in_jax
def relu_by_where(x: Any) -> Any:
    """A choice between x and 0."""
    return jnp.where(x > 0, x, 0.0)


@different(
    "tie",
    "backward",
    relu,
    ZEROS,
    at=("torch.relu(", "jnp.maximum("),
    source=GITHUB + "jax-ml/jax/issues/37821",
)
@in_jax
def relu_by_maximum(x: Any) -> Any:
    """Spells the ReLU maximum(x, 0), whose derivative at 0 is 1/2."""
    return jnp.maximum(x, 0)


@in_torch
def clamped(x: Any) -> Any:
    """Log standard deviations between -20 and 2, as in soft actor-critic."""
    return torch.exp(torch.clamp(x, -20.0, 2.0))


@alike(clamped, WIDE)
@in_jax
def clamped_in_jax(x: Any) -> Any:
    """The bounds one after the other."""
    return jnp.exp(jnp.minimum(jnp.maximum(x, -20.0), 2.0))


@different(
    "clip",
    "forward",
    clamped,
    {"x": normal(4, 8, scale=4.0)},
    at=("torch.clamp(", "jnp.clip("),
)
@in_jax
def another_lower_bound(x: Any) -> Any:
    """Clips at -5, where the other clips at -20."""
    return jnp.exp(jnp.clip(x, -5.0, 2.0))


@in_torch
def safe_root(x: Any) -> Any:
    """The root of what is positive, which is put in place of the rest before it."""
    positive = x > 0
    return torch.where(positive, torch.sqrt(torch.where(positive, x, 1.0)), 0.0)


@different(
    "nan",
    "backward",
    safe_root,
    ZEROS,
    at=("torch.sqrt(", "jnp.sqrt("),
    source=GITHUB + "jax-ml/jax/issues/347",
)
@in_jax
def root_chosen_afterwards(x: Any) -> Any:
    """Takes roots of all and chooses then: where none is chosen, 0 times infinity is NaN
    in the gradient.
    """
    return jnp.where(x > 0, jnp.sqrt(jnp.maximum(x, 0)), 0.0)


@alike(safe_root, ZEROS)
@in_jax
def safe_root_in_jax(x: Any) -> Any:
    """The same two choices in JAX."""
    inside = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, jnp.sqrt(inside), 0.0)


# --- Gates ----------------------------------------------------------------------------


@in_torch
def swiglu(x: Any, V: Any, W: Any) -> Any:
    """The SiLU of one product times the other."""
    return F.silu(x @ V) * (x @ W)


@alike(swiglu, GATED)
@in_jax
def swiglu_in_one_product(x: Any, V: Any, W: Any) -> Any:
    """One product with both matrices side by side, which is split."""
    gate, up = jnp.split(x @ jnp.concatenate([V, W], axis=1), 2, axis=-1)
    return gate * jax.nn.sigmoid(gate) * up


@different(
    "order",
    "forward",
    swiglu,
    GATED,
    at=("F.silu(", "jax.nn.silu("),
)
@in_jax
def gate_and_value_swapped(x: Any, V: Any, W: Any) -> Any:
    """Puts the other half through the SiLU: gate and value are swapped."""
    first = x @ V
    second = x @ W
    return first * jax.nn.silu(second)


@in_torch
def squared_relu(x: Any) -> Any:
    """The square of the ReLU."""
    return torch.relu(x) ** 2


@alike(squared_relu, X)
@in_numpy
def squared_relu_by_hand(x: Any, dout: Any) -> Any:
    """A product with itself, and the backward by hand."""
    r = np.maximum(x, 0)
    return r * r, dout * 2 * r


@different(
    "power",
    "forward",
    squared_relu,
    X,
    at=("** 2", "** 3"),
)
@in_torch
def cubed_relu(x: Any) -> Any:
    """Takes the third power, where the second was meant."""
    return torch.relu(x) ** 3
