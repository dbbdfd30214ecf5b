"""The lecture's training script on MNIST, from its first line to its last.

10,000 steps with seventeen rows of accuracy, in the form in which the lecture writes it
(`loops.LectureNet`). It is a program, and apart, so that it imports no framework:
`python -m gradparity.parity_tests.benchmarks.lecture_script [DATA_DIR]`.
"""

import sys

import numpy as np

from gradparity.parity_tests.benchmarks.loops import LectureNet
from gradparity.reference.datasets import load_mnist


def main(data_dir: str | None = None, iters_num: int = 10_000) -> None:
    """Train, and print the accuracies on the training and on the test set.

    Raises DatasetError where MNIST is not there: it is not downloaded.
    """
    (x_train, t_train), (x_test, t_test) = load_mnist(
        normalize=True, one_hot_label=True, data_dir=data_dir, download=False
    )
    network = LectureNet(
        {
            "W1": 0.01 * np.random.randn(784, 50),
            "b1": np.zeros(50),
            "W2": 0.01 * np.random.randn(50, 10),
            "b2": np.zeros(10),
        }
    )
    train_size = x_train.shape[0]
    batch_size = 100
    learning_rate = 0.1
    train_loss_list = []
    iter_per_epoch = max(train_size // batch_size, 1)
    for i in range(iters_num):
        batch_mask = np.random.choice(train_size, batch_size)
        x_batch = x_train[batch_mask]
        t_batch = t_train[batch_mask]
        grad = network.gradient(x_batch, t_batch)
        for key in ("W1", "b1", "W2", "b2"):
            network.params[key] -= learning_rate * grad[key]
        train_loss_list.append(network.loss(x_batch, t_batch))
        if i % iter_per_epoch == 0:
            print(
                accuracy(network, x_train, t_train), accuracy(network, x_test, t_test)
            )


def accuracy(network: LectureNet, x: np.ndarray, t: np.ndarray) -> float:
    """The share of images whose label gets the highest score; t is one-hot."""
    y = np.argmax(network.predict(x), axis=1)
    return float(np.sum(y == np.argmax(t, axis=1)) / len(x))


if __name__ == "__main__":
    main(next(iter(sys.argv[1:]), None))
