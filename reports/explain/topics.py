"""The topics of `gradparity explain`, in the lecture's order, as data.

A topic has one example or two; an example names the same function in the three rooms
and gives it concrete numbers. What there is to say about a topic is in `words/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]
MNIST_BATCH = 100


@dataclass(frozen=True, eq=False)
class Example:
    """A function in three languages, on numbers that fit on a page.

    `reference` is what is read and measured, `drawn` the same taken apart into the nodes
    of the picture; both are classes of `reference.layers`, `hood.nodes` or `networks`.
    `torch` and `jax` name functions of `layers` (for the network, of `networks`).
    `scaled` are the shapes at MNIST's size with a batch of 100.
    """

    name: str
    reference: str
    drawn: str
    function: str
    inputs: Mapping[str, Any]
    dout: Any
    scaled: Mapping[str, Shape]

    def arrays(self, dtype: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Inputs and dout; labels stay integers."""
        inputs = {
            name: np.array(value, np.int64 if name == "t" else dtype)
            for name, value in self.inputs.items()
        }
        return inputs, np.array(self.dout, dtype)

    def at_scale(self, dtype: str) -> dict[str, np.ndarray]:
        """Inputs at MNIST's size: what they hold does not matter, only how large."""
        return {
            name: np.zeros(shape, np.int64 if name == "t" else dtype)
            for name, shape in self.scaled.items()
        }


@dataclass(frozen=True, eq=False)
class Topic:
    """A page. `layers` are those of the catalogue whose parity it shows, `main` is the
    example that its words are about. `steps` says in the field's signs what the reference
    computes, by the statement or by the variable that it is assigned to.
    """

    name: str
    layers: tuple[str, ...]
    examples: tuple[Example, ...]
    main: int = 0
    steps: Mapping[str, str] = field(default_factory=dict)


BILL = {"apple": 100, "apple_num": 2, "orange": 150, "orange_num": 3, "tax": 1.1}
W, B = [[0.5, -1], [1, 0], [-0.5, 2]], [0.1, -0.2]
PAIR = [[1, -1, 2], [0, 3, 1]]
NETWORK = {
    "x": [[1, -0.5, 2], [0.5, 1, -1]],
    "t": [1, 0],
    "W1": [[0.2, -0.4, 0.1], [0.7, 0.3, -0.6], [-0.1, 0.5, 0.4]],
    "b1": [0.1, 0, -0.2],
    "W2": [[0.6, -0.3], [-0.2, 0.8], [0.5, 0.4]],
    "b2": [0, 0.1],
}


def elementwise(name: str, reference: str, x: Any, dout: Any) -> Example:
    """A layer of one input, which in the network has the hidden layer's size."""
    scaled = {"x": (MNIST_BATCH, 50)}
    return Example(name, reference, reference, name, {"x": x}, dout, scaled)


SOFTMAX_WITH_LOSS = {
    "z": "z = x − max x",
    "e": "e = exp z",
    "total": "S = Σₖ eₖ",
    "self.y": "y = e / S",
    "return np.take_along_axis(y, labels[..., np.newaxis], axis=-1)[..., 0]": "zₜ",
    "log_y_t": "log yₜ = zₜ − log S",
    "self.loss": "L = −(1/N) Σₙ log yₜ",
    "t = np.arange(self.y.shape[-1]) == self.labels[..., np.newaxis]  # one-hot": (
        "t → one-hot"
    ),
    "return (self.y - t) * dout / self.labels.size": "∂L/∂x = (y − t) / N",
}

TOPICS = {
    topic.name: topic
    for topic in (
        Topic(
            "buy_fruit",
            ("BuyFruit", "AddLayer", "MulLayer"),
            (
                Example(
                    "buy_fruit",
                    "layers.BuyFruit",
                    "layers.BuyFruit",
                    "buy_fruit",
                    BILL,
                    1,
                    dict.fromkeys(BILL, (MNIST_BATCH,)),
                ),
            ),
            steps={
                "apple_price": "apple_price = apple · apple_num",
                "orange_price": "orange_price = orange · orange_num",
                "fruit_price": "fruit_price = apple_price + orange_price",
                "return self.mul_tax.forward(fruit_price, tax)": (
                    "L = fruit_price · tax"
                ),
                "dfruit_price": "∂L/∂fruit_price = tax",
                "dtax": "∂L/∂tax = fruit_price",
                "dorange": "∂L/∂orange = tax · orange_num",
                "dorange_num": "∂L/∂orange_num = tax · orange",
                "dapple": "∂L/∂apple = tax · apple_num",
                "dapple_num": "∂L/∂apple_num = tax · apple",
            },
        ),
        Topic(
            "relu",
            ("Relu",),
            (
                elementwise(
                    "relu", "layers.Relu", [[1, -0.5], [-2, 3]], [[1, 2], [3, 4]]
                ),
            ),
            steps={
                "self.mask": "m = [x ≤ 0]",
                "return np.where(self.mask, 0, x)[()]": "y = x · [x > 0]",
                "return np.where(self.mask, 0, dout)[()]": "∂L/∂x = ∂L/∂y · [x > 0]",
            },
        ),
        Topic(
            "sigmoid",
            ("Sigmoid", "SigmoidGraph"),
            (
                elementwise("sigmoid", "layers.Sigmoid", [-1, 0, 2], [1, 1, 1]),
                elementwise(
                    "sigmoid_graph", "layers.SigmoidGraph", [-1, 0, 2], [1, 1, 1]
                ),
            ),
            steps={
                "e": "e = exp(−|x|)",
                "y": "1 / (1 + e)",
                "self.out": "y = 1 / (1 + exp(−x))",
                "return dout * (1 - self.out) * self.out": "∂L/∂x = ∂L/∂y · y (1 − y)",
                "return x * -1": "−x",
                "self.out = np.exp(x)": "e = exp(−x)",
                "return x + 1": "1 + e",
                "self.out = 1 / x": "y = 1 / (1 + e)",
                "return -dout * self.out**2": "∂L/∂(1 + e) = −∂L/∂y · y²",
                "return dout * self.out": "∂L/∂(−x) = ∂L/∂(1 + e) · e",
                "return dout * -1": "∂L/∂x = −∂L/∂(−x)",
            },
        ),
        Topic(
            "affine",
            ("Affine",),
            (
                Example(
                    "one",
                    "layers.Affine",
                    "hood.nodes.AffineGraph",
                    "affine",
                    {"x": PAIR[0], "W": W, "b": B},
                    [1, 2],
                    {"x": (784,), "W": (784, 50), "b": (50,)},
                ),
                Example(
                    "batch",
                    "layers.Affine",
                    "hood.nodes.AffineGraph",
                    "affine",
                    {"x": PAIR, "W": W, "b": B},
                    [[1, 2], [-1, 0.5]],
                    {"x": (MNIST_BATCH, 784), "W": (784, 50), "b": (50,)},
                ),
            ),
            main=1,
            steps={
                "out": "y = x W + b",
                "self.dW": "∂L/∂W = xᵀ · ∂L/∂y",
                "self.db": "∂L/∂b = Σₙ ∂L/∂yₙ",
                "dx": "∂L/∂x = ∂L/∂y · Wᵀ",
            },
        ),
        Topic(
            "softmax_with_loss",
            ("SoftmaxWithLoss",),
            (
                Example(
                    "softmax_with_loss",
                    "layers.SoftmaxWithLoss",
                    "hood.nodes.SoftmaxWithLossGraph",
                    "softmax_with_loss",
                    {"x": [[0.3, 2.9, 4.0], [1.0, -0.5, 0.2]], "t": [2, 0]},
                    1,
                    {"x": (MNIST_BATCH, 10), "t": (MNIST_BATCH,)},
                ),
            ),
            steps=SOFTMAX_WITH_LOSS,
        ),
        Topic(
            "two_layer_net",
            ("TwoLayerNet",),
            (
                Example(
                    "two_layer_net",
                    "networks.TwoLayerNet",
                    "networks.TwoLayerNet",
                    "loss",
                    NETWORK,
                    1,
                    {
                        "x": (MNIST_BATCH, 784),
                        "t": (MNIST_BATCH,),
                        "W1": (784, 50),
                        "b1": (50,),
                        "W2": (50, 10),
                        "b2": (10,),
                    },
                ),
            ),
            steps={
                **SOFTMAX_WITH_LOSS,
                "z": "z = a₂ − max a₂",
                "self.mask": "m = [a₁ ≤ 0]",
                'flow["Affine1"]': "a₁ = x W₁ + b₁",
                'flow["Relu1"]': "h = a₁ · [a₁ > 0]",
                'flow["Affine2"]': "a₂ = h W₂ + b₂",
                'flow["dAffine2"]': "∂L/∂a₂ = (y − t) / N",
                'flow["dW2"]': "∂L/∂W₂ = hᵀ · ∂L/∂a₂",
                'flow["db2"]': "∂L/∂b₂ = Σₙ ∂L/∂a₂",
                'flow["dRelu1"]': "∂L/∂h = ∂L/∂a₂ · W₂ᵀ",
                'flow["dAffine1"]': "∂L/∂a₁ = ∂L/∂h · [a₁ > 0]",
                'flow["dW1"]': "∂L/∂W₁ = xᵀ · ∂L/∂a₁",
                'flow["db1"]': "∂L/∂b₁ = Σₙ ∂L/∂a₁",
                'flow["dx"]': "∂L/∂x = ∂L/∂a₁ · W₁ᵀ",
            },
        ),
        Topic("training", (), ()),
    )
}
