"""The two-layer network: affine, ReLU, affine, softmax with loss."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import (
    Float,
    Labels,
    Scores,
    check_floats,
    check_rank,
    check_shape,
)
from gradparity.reference.functions import to_labels
from gradparity.reference.gradient import numerical_gradient
from gradparity.reference.layers import Affine, Relu, SoftmaxWithLoss

Batch = Float[np.ndarray, "*batch in"]
Params = dict[str, Float[np.ndarray, "..."]]


class TwoLayerNet:
    """The lecture's network. `params` is the truth: what it holds is what is used,
    whether it was changed in place (`params["W1"] -= ...`) or rebound.

    Args:
        input_size, hidden_size, output_size: the widths, 784, 50 and 10 for MNIST.
        weight_init_std: weights are drawn from a normal distribution of this standard
            deviation; biases start at zero.
        rng: where the weights are drawn from: NumPy's global generator, as in the
            lecture, or a `numpy.random.Generator`.
        dtype: of the parameters, and so of everything computed from them.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        rng: Any = np.random,
        dtype: Any = np.float64,
    ) -> None:
        W1 = weight_init_std * rng.standard_normal((input_size, hidden_size))
        W2 = weight_init_std * rng.standard_normal((hidden_size, output_size))
        self.params: Params = {
            "W1": W1.astype(dtype),
            "b1": np.zeros(hidden_size, dtype),
            "W2": W2.astype(dtype),
            "b2": np.zeros(output_size, dtype),
        }
        self._build()

    @classmethod
    def from_params(cls, params: Params) -> "TwoLayerNet":
        """A network on the given W1, b1, W2 and b2, which it uses without a copy.

        Raises TypeError or ValueError unless they are floating-point arrays of one
        dtype whose shapes fit together.
        """
        check_floats("TwoLayerNet", **params)
        check_rank("TwoLayerNet", "W1", params["W1"], 2)
        check_rank("TwoLayerNet", "W2", params["W2"], 2)
        hidden, classes = params["W1"].shape[-1], params["W2"].shape[-1]
        check_shape("TwoLayerNet", "b1", params["b1"], (hidden,))
        check_shape("TwoLayerNet", "W2", params["W2"], (hidden, classes))
        check_shape("TwoLayerNet", "b2", params["b2"], (classes,))
        network = cls.__new__(cls)
        network.params = params
        network._build()
        return network

    def _build(self) -> None:
        self.layers: dict[str, Any] = {
            "Affine1": Affine(self.params["W1"], self.params["b1"]),
            "Relu1": Relu(),
            "Affine2": Affine(self.params["W2"], self.params["b2"]),
        }
        self.lastLayer = SoftmaxWithLoss()

    def _bind(self) -> None:
        """Hand the layers what `params` holds now: it may have been rebound."""
        for i in ("1", "2"):
            affine = self.layers["Affine" + i]
            affine.W, affine.b = self.params["W" + i], self.params["b" + i]

    def _cast(self, x: Any) -> Any:
        check_floats("Affine", x=x)  # the layer that it goes into
        return x.astype(self.params["W1"].dtype, copy=False)

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
        labels = to_labels("TwoLayerNet", t, y.shape)
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
        affine1, relu1, affine2 = self.layers.values()
        dout = self.lastLayer.backward()
        dout = affine2.backward(dout)
        dout = relu1.backward(dout)
        affine1.backward_params(dout)
        return {"W1": affine1.dW, "b1": affine1.db, "W2": affine2.dW, "b2": affine2.db}

    def trace(self, x: Batch, t: Labels) -> dict[str, Any]:
        """Everything that flows through the network, in the order it is computed.

        Forward: Affine1, Relu1, Affine2 (the scores), loss, y (the probabilities).
        Backward, each the derivative of the loss with respect to what it names:
        dAffine2, dRelu1, dW2, db2, dAffine1, dx, dW1, db1.
        """
        self._bind()
        affine1, relu1, affine2 = self.layers.values()
        flow: dict[str, Any] = {}
        flow["Affine1"] = affine1.forward(self._cast(x))
        flow["Relu1"] = relu1.forward(flow["Affine1"])
        flow["Affine2"] = affine2.forward(flow["Relu1"])
        flow["loss"] = self.lastLayer.forward(flow["Affine2"], t)
        flow["y"] = self.lastLayer.y
        flow["dAffine2"] = self.lastLayer.backward()
        flow["dRelu1"] = affine2.backward(flow["dAffine2"])
        flow["dW2"], flow["db2"] = affine2.dW, affine2.db
        flow["dAffine1"] = relu1.backward(flow["dRelu1"])
        flow["dx"] = affine1.backward(flow["dAffine1"])
        flow["dW1"], flow["db1"] = affine1.dW, affine1.db
        return flow
