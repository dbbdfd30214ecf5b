"""A network that is made of a chain: predict, loss, gradient and trace."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import Float, Labels, Scores, check_floats
from gradparity.reference.functions import to_labels
from gradparity.reference.gradient import numerical_gradient
from gradparity.reference.networks.chain import Chain, Params, held

Batch = Float[np.ndarray, "*batch in"]


class Network:
    """A chain of layers on parameters. `params` is the truth: what it holds is what is
    used, whether it was changed in place (`params["W1"] -= ...`) or rebound.

    Args:
        chain: the layers.
        params: by name; they are used without a copy.

    Raises TypeError or ValueError unless they fit the layers.
    """

    def __init__(self, chain: Chain, params: Params) -> None:
        chain.check(params)
        self.chain, self.params = chain, params
        self._build()

    def _build(self) -> None:
        self.layers: dict[str, Any] = {
            layer.name: layer.kind(*(self.params[name] for name in layer.params))
            for layer in self.chain.layers
        }
        self.lastLayer = self.chain.last()

    def _bind(self) -> None:
        """Hand the layers what `params` holds now: it may have been rebound."""
        for layer in self.chain.layers:
            for own, name in held(layer):
                setattr(self.layers[layer.name], own, self.params[name])

    def _cast(self, x: Any) -> Any:
        check_floats(self.chain.layers[0].kind.__name__, x=x)  # that it goes into
        return x.astype(self.params[self.chain.params[0]].dtype, copy=False)

    def predict(self, x: Batch) -> Scores:
        """The scores (logits) of every class; their softmax is the probabilities.

        x takes the dtype of the parameters: the lecture's images are float32, its
        weights float64.
        """
        self._bind()
        x = self._cast(x)
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x: Batch, t: Labels) -> Any:
        """The mean cross entropy over the batch."""
        return self.lastLayer.forward(self.predict(x), t)

    def accuracy(self, x: Batch, t: Labels) -> float:
        """The fraction of samples whose largest score is at the label."""
        y = self.predict(x)
        labels = to_labels(self.chain.name, t, y.shape)
        return float(np.mean(y.argmax(axis=-1) == labels))

    def numerical_gradient(self, x: Batch, t: Labels) -> Params:
        """The gradients of the loss by central differences: slow, to check by."""
        return {
            name: numerical_gradient(lambda _: self.loss(x, t), value)
            for name, value in self.params.items()
        }

    def gradient(self, x: Batch, t: Labels) -> Params:
        """The gradients of the loss by backpropagation, under the parameters' names."""
        self.loss(x, t)
        first, *others = self.layers.values()
        dout = self.lastLayer.backward()
        for layer in reversed(others):
            dout = layer.backward(dout)
        getattr(first, "backward_params", first.backward)(dout)  # nobody wants its dx
        return {
            name: getattr(self.layers[layer.name], "d" + own)
            for layer in self.chain.layers
            for own, name in held(layer)
        }

    def trace(self, x: Batch, t: Labels) -> dict[str, Any]:
        """Everything that flows through the network, in the order it is computed.

        Forward: what every layer returns, under its name (the last are the scores),
        loss, y (the probabilities). Backward: d and a name, the derivative of the loss
        with respect to what it names; after that of what went into a layer, those of
        its parameters.
        """
        self._bind()
        flow: dict[str, Any] = {"x": self._cast(x)}
        for before, layer in self.chain.links:
            flow[layer.name] = self.layers[layer.name].forward(flow[before])
        scores = layer.name
        flow["loss"] = self.lastLayer.forward(flow[scores], t)
        flow["y"] = self.lastLayer.y
        flow["d" + scores] = self.lastLayer.backward()
        for before, layer in reversed(self.chain.links):
            node = self.layers[layer.name]
            flow["d" + before] = node.backward(flow["d" + layer.name])
            for own, name in held(layer):
                flow["d" + name] = getattr(node, "d" + own)
        del flow["x"]
        return flow
