"""Every layer as a pure function of all its inputs; jax.vjp supplies the derivatives.

The names and their order are those of `reference/layers.py`. Where JAX has a function
for a layer, with a derivative rule of its own, the layer is that function (the fused
form), and `..._composed` spells it from primitives, as the reference does: the same
function, but differentiated node by node, and the rounding is different.
"""

import jax
import jax.numpy as jnp
from jax import Array as JaxArray
from jaxtyping import Float, Shaped

from gradparity.jax_impl.arrays import (
    check_alike,
    check_floats,
    check_labels,
    check_rank,
    check_shape,
)

Array = Float[JaxArray, "..."]
Scores = Float[JaxArray, "*batch classes"]
Labels = Shaped[JaxArray, "..."]
Number = Float[JaxArray, ""]


def add_layer(x: Array, y: Array) -> Array:
    """x + y."""
    check_alike("AddLayer", x=x, y=y)
    return x + y


def mul_layer(x: Array, y: Array) -> Array:
    """x * y, element by element."""
    check_alike("MulLayer", x=x, y=y)
    return x * y


def buy_fruit(
    apple: Array, apple_num: Array, orange: Array, orange_num: Array, tax: Array
) -> Array:
    """(apple * apple_num + orange * orange_num) * tax."""
    check_alike(
        "BuyFruit",
        apple=apple,
        apple_num=apple_num,
        orange=orange,
        orange_num=orange_num,
        tax=tax,
    )
    apple_price = mul_layer(apple, apple_num)
    orange_price = mul_layer(orange, orange_num)
    return mul_layer(add_layer(apple_price, orange_price), tax)


def relu(x: Array) -> Array:
    """max(0, x). The derivative at 0 is 0."""
    check_floats("Relu", x=x)
    return jax.nn.relu(x)


def relu_composed(x: Array) -> Array:
    """The switch spelled out. `maximum(x, 0)` would have the derivative 1/2 at 0."""
    check_floats("Relu", x=x)
    return jnp.where(x <= 0, 0, x)


def negate(x: Array) -> Array:
    """x * (-1)."""
    check_floats("Negate", x=x)
    return x * -1


def exp(x: Array) -> Array:
    """exp(x)."""
    check_floats("Exp", x=x)
    return jnp.exp(x)


def log(x: Array) -> Array:
    """log(x), the natural logarithm."""
    check_floats("Log", x=x)
    return jnp.log(x)


def plus_one(x: Array) -> Array:
    """x + 1."""
    check_floats("PlusOne", x=x)
    return x + 1


def reciprocal(x: Array) -> Array:
    """1 / x."""
    check_floats("Reciprocal", x=x)
    return 1 / x


def sigmoid_graph(x: Array) -> Array:
    """1 / (1 + exp(-x)) from its four nodes."""
    check_floats("SigmoidGraph", x=x)
    return reciprocal(plus_one(exp(negate(x))))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) as one operator. Its composed form is `sigmoid_graph`."""
    check_floats("Sigmoid", x=x)
    return jax.nn.sigmoid(x)


def affine(
    x: Float[JaxArray, "..."], W: Float[JaxArray, "in out"], b: Float[JaxArray, "out"]
) -> Float[JaxArray, "*batch out"]:
    """x @ W + b as one dot_general, for one sample or a batch (of flattened tensors)."""
    return jnp.dot(_flat(x, W, b), W) + b


def affine_composed(
    x: Float[JaxArray, "..."], W: Float[JaxArray, "in out"], b: Float[JaxArray, "out"]
) -> Float[JaxArray, "*batch out"]:
    """x @ W + b from products and a sum over the inputs."""
    return (_flat(x, W, b)[..., None] * W).sum(axis=-2) + b


def _flat(x: JaxArray, W: JaxArray, b: JaxArray) -> JaxArray:
    """x as (in,) or (batch, in), once it is sure that W and b fit it."""
    check_floats("Affine", x=x, W=W, b=b)
    check_rank("Affine", "W", W, 2)
    check_shape("Affine", "b", b, W.shape[1:])
    check_rank("Affine", "x", x, 1, x.ndim or 2)  # any but 0
    flat = x.reshape(len(x), -1) if x.ndim > 1 else x
    if flat.shape[-1] != len(W):
        raise ValueError(
            f"Affine: x has {flat.shape[-1]} features, W expects {len(W)} "
            f"(x: {x.shape}, W: {W.shape})"
        )
    return flat


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


def cross_entropy(y: Scores, t: Labels) -> Number:
    """-log(y_t), averaged over the batch: the logarithm of all, then the label's."""
    check_floats("CrossEntropy", y=y)
    check_rank("CrossEntropy", "y", y, 1, 2)
    return _negative_mean(jnp.log(y), check_labels("CrossEntropy", t, y))


def cross_entropy_composed(y: Scores, t: Labels) -> Number:
    """The same, but the label's probability is picked first."""
    check_floats("CrossEntropy", y=y)
    check_rank("CrossEntropy", "y", y, 1, 2)
    t = check_labels("CrossEntropy", t, y)
    labels = t.argmax(axis=-1) if t.shape == y.shape else t
    return -jnp.log(jnp.take_along_axis(y, labels[..., None], axis=-1)).mean()


def _negative_mean(log_y: JaxArray, t: JaxArray) -> JaxArray:
    """Minus the log-probability at the labels, averaged over the batch."""
    if t.shape == log_y.shape:
        return -(t * log_y).sum(axis=-1).mean()
    return -jnp.take_along_axis(log_y, t[..., None], axis=-1).mean()


def softmax_with_loss(x: Scores, t: Labels) -> Number:
    """The mean cross entropy of softmax(x) and labels t, through log_softmax."""
    check_floats("SoftmaxWithLoss", x=x)
    check_rank("SoftmaxWithLoss", "x", x, 1, 2)
    t = check_labels("SoftmaxWithLoss", t, x)
    return _negative_mean(jax.nn.log_softmax(x, axis=-1), t)


def softmax_with_loss_composed(x: Scores, t: Labels) -> Number:
    """Two nodes: fine until a probability underflows, and then log(0)."""
    check_floats("SoftmaxWithLoss", x=x)
    check_rank("SoftmaxWithLoss", "x", x, 1, 2)
    t = check_labels("SoftmaxWithLoss", t, x)
    return cross_entropy_composed(softmax_composed(x), t)
