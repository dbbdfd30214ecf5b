"""The activations: what stands between the matrix products of a network."""

import jax
import jax.numpy as jnp

from gradparity.jax_impl.arrays import Array, Scores, check_floats, check_rank
from gradparity.jax_impl.layers.arithmetic import exp, negate, plus_one, reciprocal

__all__ = [
    "relu",
    "relu_composed",
    "sigmoid_graph",
    "sigmoid",
    "softmax",
    "softmax_composed",
    "tanh",
    "leaky_relu",
]


def relu(x: Array) -> Array:
    """max(0, x). The derivative at 0 is 0."""
    check_floats("Relu", x=x)
    return jax.nn.relu(x)


def relu_composed(x: Array) -> Array:
    """The switch spelled out. `maximum(x, 0)` would have the derivative 1/2 at 0."""
    check_floats("Relu", x=x)
    return jnp.where(x <= 0, 0, x)


def sigmoid_graph(x: Array) -> Array:
    """1 / (1 + exp(-x)) from its four nodes."""
    check_floats("SigmoidGraph", x=x)
    return reciprocal(plus_one(exp(negate(x))))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) as one operator. Its composed form is `sigmoid_graph`."""
    check_floats("Sigmoid", x=x)
    return jax.nn.sigmoid(x)


def softmax(x: Scores) -> Scores:
    """exp(x_k) / sum_j exp(x_j) along the last axis."""
    check_floats("Softmax", x=x)
    check_rank("Softmax", "x", x, 1, 2)
    return jax.nn.softmax(x, axis=-1)


def softmax_composed(x: Scores) -> Scores:
    """The fraction spelled out. The maximum cancels, so no gradient flows through it."""
    check_floats("Softmax", x=x)
    check_rank("Softmax", "x", x, 1, 2)
    e = jnp.exp(x - jax.lax.stop_gradient(x).max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def tanh(x: Array) -> Array:
    """tanh(x)."""
    check_floats("Tanh", x=x)
    return jnp.tanh(x)


def leaky_relu(x: Array, *, slope: float = 0.01) -> Array:
    """x where x > 0, and slope * x elsewhere. The derivative at 0 is 1, not the slope."""
    check_floats("LeakyRelu", x=x)
    return jax.nn.leaky_relu(x, slope)
