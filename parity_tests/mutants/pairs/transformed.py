"""Functions that are transformed, and stay the same."""

from typing import Any

from gradparity.parity_tests.mutants.lazily import F, Lazily, jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import normal
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    in_jax,
    in_torch,
)

checkpoint = Lazily("torch.utils.checkpoint")
MLP = {"x": normal(5, 6), "W": normal(6, 4), "V": normal(4, 3)}
X = {"x": normal(4, 6)}


@in_torch
def mlp(x: Any, W: Any, V: Any) -> Any:
    """Two layers with a GELU between them."""
    return F.gelu(x @ W) @ V


@alike(mlp, MLP)
@in_torch
def mlp_with_checkpoint(x: Any, W: Any, V: Any) -> Any:
    """The hidden layer computed again in the backward."""

    def hidden(x: Any, W: Any) -> Any:
        return F.gelu(x @ W)

    return checkpoint.checkpoint(hidden, x, W, use_reentrant=False) @ V


@in_jax
def mlp_in_jax(x: Any, W: Any, V: Any) -> Any:
    """Two layers with a GELU between them."""
    return jax.nn.gelu(x @ W, approximate=False) @ V


@alike(mlp, MLP)
@in_jax
def mlp_jitted(x: Any, W: Any, V: Any) -> Any:
    """Compiled as a whole."""
    return jax.jit(mlp_in_jax)(x, W, V)


@alike(mlp_in_jax, MLP)
@in_jax
def mlp_row_by_row(x: Any, W: Any, V: Any) -> Any:
    """One sample at a time, by vmap."""
    return jax.vmap(mlp_in_jax, in_axes=(0, None, None))(x, W, V)


@alike(mlp_in_jax, MLP)
@in_jax
def mlp_rematerialised(x: Any, W: Any, V: Any) -> Any:
    """Computed again in the backward."""
    return jax.checkpoint(mlp_in_jax)(x, W, V)


@in_torch
def squares(x: Any) -> Any:
    """A power."""
    return (x**2).sum(-1) - x.sum(-1)


@alike(squares, X)
@in_torch
def squares_as_products(x: Any) -> Any:
    """A product with itself, and the parts subtracted before they are summed."""
    return (x * x - x).sum(-1)


@alike(squares, X)
@in_torch
def squares_in_place(x: Any) -> Any:
    """The same, written into a copy and into a view of a buffer."""
    y = x.clone()
    y.mul_(x).sub_(x)
    out = torch.zeros(len(x), dtype=x.dtype)
    out[:] = y.sum(-1)
    return out


@in_jax
def sum_or_product(x: Any) -> Any:
    """A choice for each row, of two that are both computed."""
    return jnp.where(x[:, 0] > 0, x.sum(axis=-1), jnp.prod(x, axis=-1))


@alike(sum_or_product, X)
@in_jax
def sum_or_product_by_cond(x: Any) -> Any:
    """A choice for each row, of which one is computed."""

    def of_one_row(row: Any) -> Any:
        return jax.lax.cond(row[0] > 0, jnp.sum, jnp.prod, row)

    return jnp.stack([of_one_row(row) for row in x])


@in_torch
def damped_wave(x: Any) -> Any:
    """The derivative of this is written by autograd."""
    return torch.sin(x) * torch.exp(-x)


@alike(damped_wave, X)
@in_torch
def own_function(x: Any) -> Any:
    """A backward of one's own, which is right."""

    class Damped(torch.autograd.Function):  # type: ignore[name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return torch.sin(x) * torch.exp(-x)

        @staticmethod
        def backward(ctx: Any, dout: Any) -> Any:
            (x,) = ctx.saved_tensors
            return dout * torch.exp(-x) * (torch.cos(x) - torch.sin(x))

    return Damped.apply(x)


@alike(damped_wave, X)
@in_jax
def own_rule(x: Any) -> Any:
    """A rule of one's own, which is right."""

    @jax.custom_vjp
    def damped(x: Any) -> Any:
        return jnp.sin(x) / jnp.exp(x)

    def backward(x: Any, d: Any) -> Any:
        return (d * jnp.exp(-x) * (jnp.cos(x) - jnp.sin(x)),)

    damped.defvjp(lambda x: (jnp.sin(x) / jnp.exp(x), x), backward)
    return damped(x)
