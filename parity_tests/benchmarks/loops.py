"""The loops that are timed: the floor, ours, and what users would write themselves.

All are given the same `Work`, and each gathers its mini-batches itself. A loop is a
generator: every `next` makes the steps of one more stretch, so that the start is not
timed, and yields a function that returns its arrays, which only tests call.

- *floor*: what no loop can do without, the five matrix products of a step and the
  gathering of its batch. Into arrays that are there already, they are no faster.
- *ours*: each implementation's own `train`. The reference's takes notes in a report,
  of what comes near zero in front of its ReLU; here it does not.
- *idiomatic*: PyTorch's nn.Module and optim.SGD, with DataLoader and without; JAX with
  optax and one jitted call for each step; scikit-learn's MLPClassifier. They keep the
  loss of every step, as ours do.
- *lecture*: in the form of its script: parameters of float64 whatever the images are,
  labels one-hot, and the loss computed once more after the update.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from gradparity.parity_tests.benchmarks.work import CLASSES, Work
from gradparity.parity_tests.implementations import outsiders
from gradparity.parity_tests.implementations.contract import Arrays, framework
from gradparity.parity_tests.implementations.registry import load

Loop = Iterator[Callable[[], Arrays]]


@dataclass(frozen=True)
class Contender:
    """A loop that is timed. `start` raises NotInstalled, at the first `next`, where its
    framework is not there.
    """

    name: str
    kind: str
    framework: str
    start: Callable[[Work], Loop]
    note: str | None = None


# --- The floor ------------------------------------------------------------------------


def products(x: Any, W1: Any, W2: Any) -> dict[str, Any]:
    """The five of a step, of arrays of any framework; and what they are of."""
    first = x @ W1
    scores = first @ W2
    dfirst = scores @ W2.T
    found = {"x": x, "first": first, "scores": scores, "dfirst": dfirst}
    return found | {"dW2": first.T @ scores, "dW1": x.T @ dfirst}


def numpy_floor(work: Work) -> Loop:
    W1, W2 = work.params["W1"], work.params["W2"]
    for stretch in work.stretches:
        for batch in stretch:
            held = products(work.images.take(batch, axis=0), W1, W2)
        yield partial(dict, held)


def torch_floor(work: Work) -> Loop:
    torch = framework("torch")
    images = torch.from_numpy(work.images)
    W1, W2 = (torch.tensor(work.params[name]) for name in ("W1", "W2"))
    for stretch in work.stretches:
        for batch in torch.from_numpy(stretch):
            held = products(images.index_select(0, batch), W1, W2)
        yield partial(_to_numpy, held)


def jax_floor(work: Work) -> Loop:
    """In one compiled loop. Every step leaves its derivatives as the loop's state, lest
    they be left out as never used.
    """
    jax = framework("jax")

    @jax.jit
    def run(W1: Any, W2: Any, images: Any, batches: Any) -> Any:
        def step(left: Any, batch: Any) -> Any:
            found = products(images[batch], W1, W2)
            return {name: found[name] for name in left}, None

        left = {"dW2": jax.numpy.zeros_like(W2), "dW1": jax.numpy.zeros_like(W1)}
        return jax.lax.scan(step, left, batches)[0]

    with jax.enable_x64(True):
        given = jax.device_put((work.params["W1"], work.params["W2"], work.images))
    for stretch in work.stretches:
        with jax.enable_x64(True):  # not across a yield: that is the caller's time
            left = jax.block_until_ready(run(*given, stretch))
        yield partial(_to_numpy, left)


def _to_numpy(arrays: Any) -> Arrays:
    return {name: np.asarray(value) for name, value in arrays.items()}


# --- Ours -----------------------------------------------------------------------------


def ours(name: str) -> Callable[[Work], Loop]:
    """The implementation's `train`; to copy the parameters at a stop is part of it."""

    def loop(work: Work) -> Loop:
        train: Any = load(name).train
        data = work.images, work.labels
        few = work.images[:1], work.labels[:1]
        stops = frozenset(work.stops)
        for _, reached, _, _ in train(
            work.params, data, few, work.batches, work.rate, stops=stops
        ):
            yield partial(dict, reached)

    return loop


# --- Idiomatic ------------------------------------------------------------------------


def torch_nn(work: Work, with_loader: bool = False) -> Loop:
    """The model is the one that trainings are compared with (`TorchSgd`)."""
    torch, outsider = framework("torch"), outsiders.TorchSgd()
    images, labels = torch.from_numpy(work.images), torch.from_numpy(work.labels)
    model = outsider.model(work.params)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=work.rate)
    if with_loader:  # of which the order is that of our mini-batches
        data = framework("torch.utils.data")
        dataset = data.TensorDataset(images, labels)
        batches = iter(data.DataLoader(dataset, batch_sampler=work.batches.tolist()))
    else:
        batches = ((images[b], labels[b]) for b in torch.from_numpy(work.batches))
    losses: list[Any] = []
    for length in work.lengths:
        for x, t in islice(batches, length):
            optimizer.zero_grad()
            loss = criterion(model(x), t)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).numpy()
        losses.clear()
        yield partial(outsider.reached, model)


def jax_a_call_a_step(work: Work) -> Loop:
    """The batch is gathered by NumPy and handed over, as JAX's own tutorials do."""
    jax, optax = framework("jax"), framework("optax")
    optimizer = optax.sgd(work.rate)

    def loss(params: Any, x: Any, t: Any) -> Any:
        hidden = jax.nn.relu(x @ params["W1"] + params["b1"])
        scores = hidden @ params["W2"] + params["b2"]
        each = optax.losses.softmax_cross_entropy_with_integer_labels(scores, t)
        return each.mean()

    @jax.jit
    def step(params: Any, memory: Any, x: Any, t: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(params, x, t)
        updates, memory = optimizer.update(gradients, memory, params)
        return optax.apply_updates(params, updates), memory, value

    with jax.enable_x64(True):
        params = jax.device_put(work.params)
        memory = optimizer.init(params)
    losses: list[Any] = []
    for stretch in work.stretches:
        with jax.enable_x64(True):
            for batch in stretch:
                x, t = work.images[batch], work.labels[batch]
                params, memory, value = step(params, memory, x, t)
                losses.append(value)  # as a number, it would have to be waited for
            jax.block_until_ready(params)
            np.array(losses)
            losses.clear()
        yield partial(_to_numpy, params)


def sklearn_classifier(work: Work) -> Loop:
    """As it is driven where trainings are compared (`implementations/outsiders.py`)."""
    outsider: Any = load("sklearn")
    data = work.images, work.labels
    advance, look = outsider.begin(work.params, data, work.batches, work.rate)
    for stop, length in zip(work.stops, work.lengths, strict=True):
        advance(stop - length, stop)
        yield look


# --- The lecture's --------------------------------------------------------------------


class LectureNet:
    """The lecture's layers, in their form and in one piece."""

    def __init__(self, params: Arrays) -> None:
        self.params = {name: value.astype(np.float64) for name, value in params.items()}

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        out = np.dot(x, self.params["W1"]) + self.params["b1"]
        self.mask = out <= 0
        self.hidden = out.copy()
        self.hidden[self.mask] = 0
        return np.dot(self.hidden, self.params["W2"]) + self.params["b2"]

    def loss(self, x: np.ndarray, t: np.ndarray) -> float:
        scores = self.predict(x).T
        scores = scores - np.max(scores, axis=0)
        self.y = (np.exp(scores) / np.sum(np.exp(scores), axis=0)).T
        chosen = self.y[np.arange(len(x)), t.argmax(axis=1)]
        return -np.sum(np.log(chosen + 1e-7)) / len(x)

    def gradient(self, x: np.ndarray, t: np.ndarray) -> Arrays:
        self.loss(x, t)
        dout = (self.y - t) / len(x)
        dhidden = np.dot(dout, self.params["W2"].T)
        grads = {"W2": np.dot(self.hidden.T, dout), "b2": np.sum(dout, axis=0)}
        dhidden[self.mask] = 0
        np.dot(dhidden, self.params["W1"].T)  # dx, which nobody asks for
        grads |= {"W1": np.dot(self.x.T, dhidden), "b1": np.sum(dhidden, axis=0)}
        return grads


def lecture(work: Work) -> Loop:
    network = LectureNet(work.params)
    x_train, t_train = work.images, np.eye(CLASSES)[work.labels]
    train_loss_list = []
    for stretch in work.stretches:
        for batch_mask in stretch:
            x_batch = x_train[batch_mask]
            t_batch = t_train[batch_mask]
            grad = network.gradient(x_batch, t_batch)
            for key in ("W1", "b1", "W2", "b2"):
                network.params[key] -= work.rate * grad[key]
            train_loss_list.append(network.loss(x_batch, t_batch))
        yield lambda: {name: value.copy() for name, value in network.params.items()}


CONTENDERS: tuple[Contender, ...] = (
    Contender("numpy floor", "floor", "numpy", numpy_floor),
    Contender("torch floor", "floor", "torch", torch_floor),
    Contender("jax floor", "floor", "jax", jax_floor),
    Contender("reference", "ours", "numpy", ours("reference")),
    Contender("torch", "ours", "torch", ours("torch")),
    Contender("jax", "ours", "jax", ours("jax")),
    Contender("torch nn + SGD", "idiomatic", "torch", torch_nn),
    Contender(
        "torch nn + SGD + DataLoader",
        "idiomatic",
        "torch",
        partial(torch_nn, with_loader=True),
    ),
    Contender(
        "jax a call a step",
        "idiomatic",
        "jax",
        jax_a_call_a_step,
        note="NumPy gathers its batches, which are then handed over",
    ),
    Contender(
        "sklearn",
        "idiomatic",
        "sklearn",
        sklearn_classifier,
        note="without MLPClassifier's checks of every mini-batch",
    ),
    Contender(
        "lecture",
        "lecture",
        "numpy",
        lecture,
        note="its parameters are float64, whatever the images are",
    ),
)
