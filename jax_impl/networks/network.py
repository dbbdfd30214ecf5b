"""A network that is made of a chain, as pure functions of a dictionary of parameters;
mirrors `reference/networks/`.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from gradparity.jax_impl.arrays import Labels, Number, Scores, check_labels
from gradparity.jax_impl.layers import softmax
from gradparity.jax_impl.networks.chain import Chain, Params

Batch = Float[Array, "*batch in"]


@dataclass(frozen=True)
class Network:
    """The functions of a chain of layers, which take its parameters."""

    chain: Chain

    def from_params(self, params: dict[str, Any]) -> Params:
        """The given parameters as JAX arrays.

        Raises TypeError or ValueError unless they are floating-point arrays of one dtype
        whose shapes fit together.
        """
        params = {name: jax.device_put(value) for name, value in params.items()}
        self.chain.check(params)
        return params

    def predict(self, params: Params, x: Batch) -> Scores:
        """The scores (logits) of every class; their softmax is the probabilities."""
        for layer in self.chain.layers:
            x = layer.kind(x, *(params[name] for name in layer.params))
        return x

    def loss(self, params: Params, x: Batch, t: Labels) -> Number:
        """The mean cross entropy over the batch."""
        return self.chain.last(self.predict(params, x), t)

    def accuracy(self, params: Params, x: Batch, t: Labels) -> float:
        """The fraction of samples whose largest score is at the label."""
        y = jax.jit(Network.predict, static_argnums=0)(self, params, x)
        t = check_labels(self.chain.name, t, y)
        labels = t.argmax(axis=-1) if t.shape == y.shape else t
        return int((y.argmax(axis=-1) == labels).sum()) / labels.size

    def gradient(self, params: Params, x: Batch, t: Labels) -> Params:
        """The gradients of the loss by jax.grad, under the parameters' names."""
        return jax.grad(self.loss)(params, x, t)

    def trace(self, params: Params, x: Batch, t: Labels) -> dict[str, Any]:
        """Everything that flows through the network, named as in the reference.

        One jax.vjp for each layer: it returns the layer's output and the function that
        takes the layer's dout to the derivatives of its inputs.
        """
        flow: dict[str, Any] = {}
        backs = []
        before, scores = "x", x
        for name, kind, held in self.chain.layers:
            given = [params[each] for each in held]
            scores, back = jax.vjp(kind, scores, *given)
            flow[name] = scores
            backs.append(([before, *held], back))
            before = name
        flow["loss"], back = jax.vjp(lambda scores: self.chain.last(scores, t), scores)
        flow["y"], _ = jax.vjp(softmax, scores)
        (dout,) = back(jnp.ones_like(flow["loss"]))
        flow["d" + before] = dout
        for names, back in reversed(backs):
            gradients = back(dout)
            flow |= {"d" + n: g for n, g in zip(names, gradients, strict=True)}
            dout = gradients[0]
        return flow
