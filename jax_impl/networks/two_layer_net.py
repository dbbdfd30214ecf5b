"""The two-layer network as pure functions of a parameter dictionary; mirrors
`reference/networks/`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from gradparity.jax_impl.arrays import (
    Labels,
    Number,
    Scores,
    check_floats,
    check_labels,
    check_rank,
    check_shape,
)
from gradparity.jax_impl.layers import affine, relu, softmax, softmax_with_loss

Batch = Float[Array, "*batch in"]
Params = dict[str, Float[Array, "..."]]


def init(
    key: Array,
    input_size: int,
    hidden_size: int,
    output_size: int,
    weight_init_std: float = 0.01,
    *,
    dtype: Any = jnp.float32,
) -> Params:
    """Fresh parameters; arguments as for the reference, drawn with a JAX random key."""
    key1, key2 = jax.random.split(key)
    normal = jax.random.normal
    return {
        "W1": weight_init_std * normal(key1, (input_size, hidden_size), dtype),
        "b1": jnp.zeros(hidden_size, dtype),
        "W2": weight_init_std * normal(key2, (hidden_size, output_size), dtype),
        "b2": jnp.zeros(output_size, dtype),
    }


def from_params(params: dict[str, Any]) -> Params:
    """The given W1, b1, W2 and b2 as JAX arrays.

    Raises TypeError or ValueError unless they are floating-point arrays of one dtype
    whose shapes fit together.
    """
    params = {name: jax.device_put(value) for name, value in params.items()}
    check_floats("TwoLayerNet", **params)
    check_rank("TwoLayerNet", "W1", params["W1"], 2)
    check_rank("TwoLayerNet", "W2", params["W2"], 2)
    hidden, classes = params["W1"].shape[-1], params["W2"].shape[-1]
    check_shape("TwoLayerNet", "b1", params["b1"], (hidden,))
    check_shape("TwoLayerNet", "W2", params["W2"], (hidden, classes))
    check_shape("TwoLayerNet", "b2", params["b2"], (classes,))
    return params


def predict(params: Params, x: Batch) -> Scores:
    """The scores (logits) of every class; their softmax is the probabilities."""
    hidden = relu(affine(x, params["W1"], params["b1"]))
    return affine(hidden, params["W2"], params["b2"])


def loss(params: Params, x: Batch, t: Labels) -> Number:
    """The mean cross entropy over the batch."""
    return softmax_with_loss(predict(params, x), t)


def accuracy(params: Params, x: Batch, t: Labels) -> float:
    """The fraction of samples whose largest score is at the label."""
    y = jax.jit(predict)(params, x)
    t = check_labels("TwoLayerNet", t, y)
    labels = t.argmax(axis=-1) if t.shape == y.shape else t
    return int((y.argmax(axis=-1) == labels).sum()) / labels.size


def gradient(params: Params, x: Batch, t: Labels) -> Params:
    """The gradients of the loss by jax.grad, under the parameters' names."""
    return jax.grad(loss)(params, x, t)


def trace(params: Params, x: Batch, t: Labels) -> dict[str, Any]:
    """Everything that flows through the network, named as in the reference.

    One jax.vjp for each layer: it returns the layer's output and the function that
    takes the layer's dout to the derivatives of its inputs.
    """
    flow: dict[str, Any] = {}
    flow["Affine1"], affine1_back = jax.vjp(affine, x, params["W1"], params["b1"])
    flow["Relu1"], relu1_back = jax.vjp(relu, flow["Affine1"])
    flow["Affine2"], affine2_back = jax.vjp(
        affine, flow["Relu1"], params["W2"], params["b2"]
    )
    flow["loss"], loss_back = jax.vjp(
        lambda scores: softmax_with_loss(scores, t), flow["Affine2"]
    )
    flow["y"], _ = jax.vjp(softmax, flow["Affine2"])
    (flow["dAffine2"],) = loss_back(jnp.ones_like(flow["loss"]))
    flow["dRelu1"], flow["dW2"], flow["db2"] = affine2_back(flow["dAffine2"])
    (flow["dAffine1"],) = relu1_back(flow["dRelu1"])
    flow["dx"], flow["dW1"], flow["db1"] = affine1_back(flow["dAffine1"])
    return flow
