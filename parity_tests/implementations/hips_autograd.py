"""The layers once more, on HIPS autograd: an example of an implementation of one's own.

    gradparity check --implementations torch,parity_tests/implementations/hips_autograd.py

A plain function for each layer, on arrays of `autograd.numpy`, and `vjp`, which says how
they are differentiated. Nothing else is asked of a module; the network is put together
from its layers.
"""

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
from autograd import make_vjp
from autograd.extend import defvjp, primitive


def vjp(
    function: Callable[..., Any], primals: tuple[Any, ...], dout: Any
) -> tuple[Any, tuple[Any, ...]]:
    """`out`, and the gradient of `(out * dout).sum()` for each of the primals."""
    back, out = make_vjp(lambda primals: function(*primals))(primals)
    return out, back(dout)


def add_layer(x: Any, y: Any) -> Any:
    return x + y


def mul_layer(x: Any, y: Any) -> Any:
    return x * y


def buy_fruit(
    apple: Any, apple_num: Any, orange: Any, orange_num: Any, tax: Any
) -> Any:
    return (apple * apple_num + orange * orange_num) * tax


def relu(x: Any) -> Any:
    return np.where(x <= 0, 0, x)


def negate(x: Any) -> Any:
    return -x


def exp(x: Any) -> Any:
    return np.exp(x)


def log(x: Any) -> Any:
    return np.log(x)


def plus_one(x: Any) -> Any:
    return x + 1


def reciprocal(x: Any) -> Any:
    return 1 / x


def sigmoid_graph(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@primitive
def sigmoid(x: Any) -> Any:
    e = np.exp(np.where(x < 0, x, -x))  # never of a positive number
    return np.where(x < 0, e, 1) / (1 + e)


defvjp(sigmoid, lambda y, x: lambda dout: dout * (1 - y) * y)


def affine(x: Any, W: Any, b: Any) -> Any:
    flat = x if x.ndim == 1 else np.reshape(x, (len(x), -1))
    return np.dot(flat, W) + b


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def cross_entropy(y: Any, t: Any) -> Any:
    return -np.mean(np.log(at_labels(y, t)))


def softmax_with_loss(x: Any, t: Any) -> Any:
    z = x - np.max(x, axis=-1, keepdims=True)
    log_total = np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
    return np.mean(at_labels(log_total - z, t))


def at_labels(values: Any, t: Any) -> Any:
    """The entry of every row that its label points at, or a one-hot row."""
    labels = np.argmax(t, axis=-1) if t.shape == values.shape else t
    return values[np.arange(values.shape[-1]) == labels[..., np.newaxis]]
