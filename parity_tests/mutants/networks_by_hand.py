"""Networks by hand, as they should be, for arrays of any dtype.

Computed in a wide one, they are the truth that submissions are held against; a mistake is
one method that is otherwise (`mistakes_by_hand`).
"""

from itertools import pairwise
from typing import Any

import numpy as np

from gradparity.reference.functions import sigmoid, to_one_hot

Arrays = dict[str, np.ndarray]


class ByHand:
    """Affine layers with an activation between them, and a softmax with the cross entropy
    at the end; `predicts` tells whether predict returns scores or probabilities.
    """

    hidden, predicts, decay = "relu", "scores", 0.0

    def __init__(self, *widths: int) -> None:
        self.params: Arrays = {}
        for n, (before, after) in enumerate(pairwise(widths), 1):
            self.params[f"W{n}"] = np.zeros((before, after))
            self.params[f"b{n}"] = np.zeros(after)

    @classmethod
    def on(cls, params: Arrays, **settings: Any) -> "ByHand":
        """A network on these parameters, which it uses without a copy."""
        network = cls.__new__(cls)
        network.params = params
        vars(network).update(settings)
        return network

    @property
    def depth(self) -> int:
        return len(self.params) // 2

    # --- Forward ---

    def forward(self, x: Any) -> Any:
        """The scores; what goes into each layer is kept, and what its activation gives."""
        self.taken, self.given = [], []
        for n in range(1, self.depth + 1):
            x = self.enter(n, x)
            self.taken.append(x)
            x = self.affine(n, x)
            if n < self.depth:
                x = self.activate(x)
                self.given.append(x)
                x = self.leave(n, x)
        return x

    def enter(self, n: int, x: Any) -> Any:
        return x.reshape(len(x), -1)

    def leave(self, n: int, z: Any) -> Any:
        return z

    def matrix(self, n: int) -> Any:
        return self.params[f"W{n}"]

    def affine(self, n: int, x: Any) -> Any:
        return x @ self.matrix(n) + self.params[f"b{n}"]

    def activate(self, a: Any) -> Any:
        return sigmoid(a) if self.hidden == "sigmoid" else np.maximum(a, 0)

    def softmax(self, scores: Any) -> Any:
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def predict(self, x: Any) -> Any:
        scores = self.forward(x)
        return self.softmax(scores) if self.predicts == "probabilities" else scores

    def loss(self, x: Any, t: Any) -> Any:
        y = self.softmax(self.forward(x))
        return self.cross_entropy(y, one_hot(t, y)) + self.penalty()

    def cross_entropy(self, y: Any, t: Any) -> Any:
        return -np.log((y * t).sum(axis=1)).sum() / len(y)

    def penalty(self) -> Any:
        squares = [(W * W).sum() for name, W in self.params.items() if name[0] == "W"]
        return self.decay * sum(squares) / 2 if self.decay else 0.0

    def accuracy(self, x: Any, t: Any) -> float:
        y = self.predict(x)
        return float((y.argmax(axis=1) == one_hot(t, y).argmax(axis=1)).mean())

    # --- Backward ---

    def gradient(self, x: Any, t: Any) -> Arrays:
        y = self.softmax(self.forward(x))
        return self.backward(self.of_scores(y, one_hot(t, y)))

    def of_scores(self, y: Any, t: Any) -> Any:
        return (y - t) / len(y)

    def backward(self, d: Any) -> Arrays:
        """The gradients of the parameters, from those of the scores."""
        gradients: Arrays = {}
        for n in range(self.depth, 0, -1):
            taken = self.taken[n - 1]
            rows, columns = flat(taken), flat(d)
            W = self.params[f"W{n}"]
            dW = (
                (rows.T @ columns).T.reshape(W.shape)
                if W.ndim > 2
                else rows.T @ columns
            )
            gradients[f"W{n}"] = self.decayed(dW, W)
            gradients[f"b{n}"] = self.of_bias(n, columns)
            if n > 1:
                z = self.given[n - 2]
                d = self.enter_back(n - 1, d @ self.matrix(n).T, z)
                d = d * self.slope(z)
        return gradients

    def enter_back(self, n: int, d: Any, z: Any) -> Any:
        return d

    def slope(self, z: Any) -> Any:
        """The derivative of the activation, of what it has given."""
        return z * (1 - z) if self.hidden == "sigmoid" else z > 0

    def decayed(self, dW: Any, W: Any) -> Any:
        return dW + self.decay * W if self.decay else dW

    def of_bias(self, n: int, d: Any) -> Any:
        return d.sum(axis=0)


class Deep(ByHand):
    """The book's MultiLayerNet."""

    def __init__(
        self,
        input_size: int,
        hidden_size_list: list[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: Any = "relu",
        weight_decay_lambda: float = 0,
    ) -> None:
        super().__init__(input_size, *hidden_size_list, output_size)
        self.hidden, self.decay = activation, weight_decay_lambda


class Convolved(ByHand):
    """The book's SimpleConvNet: its first layer is a convolution, which a ReLU and the
    largest of every two by two follow.
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int],
        conv_param: dict[str, int],
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
    ) -> None:
        channels, height, width = input_dim
        filters, size = conv_param["filter_num"], conv_param["filter_size"]
        pooled = filters * ((height - size + 1) // 2) * ((width - size + 1) // 2)
        super().__init__(0, filters, hidden_size, output_size)
        self.params["W1"] = np.zeros((filters, channels, size, size))
        self.params["W2"] = np.zeros((pooled, hidden_size))

    def enter(self, n: int, x: Any) -> Any:
        return patches(x, *self.params["W1"].shape[2:]) if n == 1 else x

    def matrix(self, n: int) -> Any:
        W = self.params[f"W{n}"]
        return W.reshape(len(W), -1).T if n == 1 else W

    def leave(self, n: int, z: Any) -> Any:
        if n > 1:
            return z
        largest = squares(z).max(axis=-1)
        return largest.reshape(len(z), -1)

    def enter_back(self, n: int, d: Any, z: Any) -> Any:
        return spread(d, squares(z).argmax(axis=-1), z.shape) if n == 1 else d


def one_hot(t: Any, y: Any) -> Any:
    return t if t.ndim == 2 else to_one_hot(t, y.shape[1])


def flat(x: Any) -> Any:
    """A row for each sample and place."""
    return x.reshape(-1, x.shape[-1])


def patches(x: Any, height: int, width: int) -> Any:
    """Of (sample, channel, row, column), what a filter sees, by sample, row and column."""
    seen = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(2, 3))
    return seen.transpose(0, 2, 3, 1, 4, 5).reshape(len(x), *seen.shape[2:4], -1)


def squares(z: Any) -> Any:
    """Of (sample, row, column, filter), the four of every two by two: by sample, filter,
    row and column.
    """
    samples, height, width, filters = z.shape
    parted = z.reshape(samples, height // 2, 2, width // 2, 2, filters)
    in_order = parted.transpose(0, 5, 1, 3, 2, 4)
    return in_order.reshape(samples, filters, height // 2, width // 2, 4)


def spread(d: Any, largest: Any, shape: tuple[int, ...]) -> Any:
    """What comes back to the places that were the largest of their square."""
    samples, height, width, filters = shape
    d = d.reshape(largest.shape)
    four = np.where(np.arange(4) == largest[..., None], d[..., None], 0)
    parted = four.reshape(samples, filters, height // 2, width // 2, 2, 2)
    return parted.transpose(0, 2, 4, 3, 5, 1).reshape(shape)
