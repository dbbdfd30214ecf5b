"""Parts that are computed with fewer digits, whatever the dtype of the inputs."""

from typing import Any

from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import normal
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_torch,
)

# How far two may be apart, by the digits of what they cast to.
BFLOAT16, FLOAT16, FLOAT32 = 2.0**-4, 2.0**-7, 1e-5
X = {"x": normal(4, 6)}
MAP = {"x": normal(4, 6), "W": normal(6, 3)}
SCALED = {"x": normal(4, 6), "w": normal(6)}
QKV = {"q": normal(2, 5, 4), "k": normal(2, 5, 4), "v": normal(2, 5, 4)}


# --- A matrix product in bfloat16 -----------------------------------------------------


@in_torch
def product_in_bfloat16(x: Any, W: Any) -> Any:
    """As mixed precision has it: the factors are cast, and the product is cast back."""
    y = x.to(torch.bfloat16) @ W.to(torch.bfloat16)
    return torch.tanh(y.to(x.dtype))


@alike(product_in_bfloat16, MAP, within=BFLOAT16)
@in_jax
def product_of_transposes_in_bfloat16(x: Any, W: Any) -> Any:
    """The factors the other way round."""
    left, right = (each.astype(jnp.bfloat16) for each in (x, W))
    return jnp.tanh((right.T @ left.T).T.astype(x.dtype))


@in_torch
def product(x: Any, W: Any) -> Any:
    """In the dtype of its inputs."""
    return torch.tanh(x @ W)


@different(
    "cast",
    "forward",
    product,
    MAP,
    at=("torch.tanh(x @ W)", "astype(jnp.bfloat16)"),
)
@in_jax
def product_left_in_bfloat16(x: Any, W: Any) -> Any:
    """Casts both factors to bfloat16."""
    left, right = x.astype(jnp.bfloat16), W.astype(jnp.bfloat16)
    return jnp.tanh((left @ right).astype(x.dtype))


@different(
    "cast",
    "backward",
    product,
    MAP,
    at=("torch.tanh(x @ W)", "dout.to(torch.bfloat16)"),
)
@in_torch
def gradients_compressed(x: Any, W: Any) -> Any:
    """Casts what goes back to bfloat16, as when gradients are sent from one machine to
    another.
    """

    class Compressed(torch.autograd.Function):  # type: ignore[name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, dout: Any) -> Any:
            return dout.to(torch.bfloat16).to(dout.dtype)

    return torch.tanh(Compressed.apply(x @ W))


# --- An activation in float16 ---------------------------------------------------------


@in_torch
def silu_in_float16(x: Any) -> Any:
    """PyTorch's own, of half the digits."""
    return F.silu(x.half()).to(x.dtype) * 2


@alike(silu_in_float16, X, within=FLOAT16)
@in_jax
def silu_by_hand_in_float16(x: Any) -> Any:
    """By an exponential."""
    h = x.astype(jnp.float16)
    return 2 * (h / (1 + jnp.exp(-h))).astype(x.dtype)


# --- Float32 where inputs are float64 -------------------------------------------------


@in_torch
def rms_norm_in_float32(x: Any, w: Any) -> Any:
    """As language models have it: the mean of the squares in float32."""
    h = x.float()
    h = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)
    return h.to(x.dtype) * w


@alike(rms_norm_in_float32, SCALED, within=FLOAT32)
@in_jax
def rms_norm_by_division_in_float32(x: Any, w: Any) -> Any:
    """Divides by the root."""
    h = x.astype(jnp.float32)
    h = h / jnp.sqrt((h * h).mean(-1, keepdims=True) + 1e-6)
    return h.astype(x.dtype) * w


@different(
    "eps",
    "forward",
    rms_norm_in_float32,
    SCALED,
    at=("torch.rsqrt(", "jax.lax.rsqrt("),
)
@in_jax
def rms_norm_in_float32_with_another_eps(x: Any, w: Any) -> Any:
    """Has an eps of 1e-5, which float32 hardly sees."""
    h = x.astype(jnp.float32)
    h = h * jax.lax.rsqrt((h * h).mean(-1, keepdims=True) + 1e-5)
    return h.astype(x.dtype) * w


@in_torch
def rms_norm(x: Any, w: Any) -> Any:
    """In the dtype of its inputs."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * w


@different(
    "cast",
    "forward",
    rms_norm,
    SCALED,
    at=("x.pow(2)", "x.float()"),
    name="rms-norm-cast-to-float32",
)
@in_torch
def rms_norm_cast(x: Any, w: Any) -> Any:
    """Casts to float32, which only inputs of float64 notice."""
    h = x.float()
    h = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)
    return h.to(x.dtype) * w


@in_torch
def product_in_float32(x: Any, W: Any) -> Any:
    """Factors that are cast to float32."""
    return torch.tanh((x.float() @ W.float()).to(x.dtype))


@alike(product_in_float32, MAP, within=FLOAT32)
@in_jax
def product_that_prefers_float32(x: Any, W: Any) -> Any:
    """By the dtype of the result alone."""
    return jnp.tanh(
        jax.lax.dot(x, W, preferred_element_type=jnp.float32).astype(x.dtype)
    )


@in_torch
def softmax_in_float32(q: Any, k: Any, v: Any) -> Any:
    """An attention whose softmax is told to be in float32."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype) @ v


@alike(softmax_in_float32, QKV, within=FLOAT32)
@in_jax
def attention_of_jax(q: Any, k: Any, v: Any) -> Any:
    """JAX's own, whose softmax is in float32."""
    q, k, v = (each[:, :, None] for each in (q, k, v))
    return jax.nn.dot_product_attention(q, k, v)[:, :, 0]


@in_torch
def softmax_of_scores(q: Any, k: Any, v: Any) -> Any:
    """The same in the dtype of its inputs."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return torch.softmax(scores, -1) @ v


@different(
    "cast",
    "forward",
    softmax_of_scores,
    QKV,
    at=("torch.softmax(", "dtype=torch.float32"),
)
@in_torch
def softmax_told_to_be_in_float32(q: Any, k: Any, v: Any) -> Any:
    """Has a softmax in float32."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype) @ v
