"""Trainings written by others, so that our three cannot be wrong together.

Each is what its library's own users would write, and shares nothing with `reference`,
`torch_impl` or `jax_impl`: not the formulas, not the loops, not the way to differentiate.
What they are given is the same: initial parameters, mini-batches, learning rate.

- `sklearn`: scikit-learn's MLPClassifier, with its own hand-written backpropagation. The
  match is exact but for rounding: `partial_fit` on one mini-batch makes one step, its
  gradient is that of the mean loss, and `loss_` is the mean loss before the update. Plain
  descent is momentum 0, without Nesterov's, and no L2 term is alpha 0. Batches that lack
  a class are no matter, and neither is its count of steps without improvement, which
  stops nothing before the step is made. Two things cannot be had. Its loss is computed
  of probabilities that are clipped to eps and 1 - eps: nothing that shows, unless a
  sample is wrong with a probability below eps (2e-16 in float64). And it refuses to go
  on with parameters that are not finite.
- `optax`: a loss of jax.nn and optax, differentiated by jax.grad, and optax.sgd.
- `torch-sgd`: torch.nn.Sequential, CrossEntropyLoss and torch.optim.SGD.

`sklearn` and `torch-sgd` take their data and return their parameters in the dtype that
they are given, `optax` in 64-bit mode, which is on while it runs, and only then.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.backends import BACKENDS, NUMPY, Backend
from gradparity.parity_tests.implementations.contract import Arrays, framework

Data = tuple[np.ndarray, np.ndarray]
Stop = tuple[int, Arrays, np.ndarray, tuple[float, float] | None]
Advance = Callable[[int, int], np.ndarray]
Look = Callable[[], Arrays]

# Of MLPClassifier. With no random_state it would draw from NumPy's global generator.
PLAIN_DESCENT: dict[str, Any] = {
    "solver": "sgd",
    "learning_rate": "constant",
    "momentum": 0.0,
    "nesterovs_momentum": False,
    "alpha": 0.0,
    "shuffle": False,
    "random_state": 0,
}


class Outsider(ABC):
    """An `Implementation` that does nothing but train."""

    name: str
    backend: Backend
    run_network = products = spelled = None

    def offers(self, layer: str) -> bool:
        return False

    def judged_as(self, layer: str) -> tuple[Backend, ...]:
        return (self.backend,)

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        raise NotImplementedError(f"{self.name} has no layers")

    @abstractmethod
    def begin(
        self, params: Arrays, train_set: Data, batches: np.ndarray, learning_rate: float
    ) -> tuple[Advance, Look]:
        """A training that starts from copies of these parameters, as two functions.

        The first makes the steps from one number (of steps made) to another, and returns
        the loss of each before its update; the second returns W1, b1, W2 and b2 as they
        are then, in arrays of their own.
        """

    @abstractmethod
    def predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        """The scores of every class, or the probabilities."""

    def train(
        self,
        params: Arrays,
        train_set: Data,
        test_set: Data,
        batches: np.ndarray,
        learning_rate: float = 0.1,
        *,
        stops: Collection[int] = (),
        evaluate: Collection[int] = (),
        state: Arrays | None = None,
    ) -> Iterator[Stop]:
        """Arguments and what is yielded as in `reference.training.train`. Gradient
        descent leaves no `state`.
        """
        advance, look = self.begin(params, train_set, batches, learning_rate)
        steps, done = len(batches), 0
        for stop in sorted({step for step in stops if 0 < step < steps} | {steps}):
            losses, reached = advance(done, stop), look()
            accuracies = (
                (self._accuracy(reached, train_set), self._accuracy(reached, test_set))
                if stop in evaluate
                else None
            )
            yield stop, reached, losses, accuracies
            done = stop

    def _accuracy(self, params: Arrays, data: Data) -> float:
        x, t = data
        return float(np.mean(self.predict(params, x).argmax(axis=-1) == t))


class ScikitLearn(Outsider):
    """MLPClassifier, driven through `partial_fit`; see the head of this file."""

    name, backend = "sklearn", NUMPY

    def __init__(self) -> None:
        self.sklearn = framework("sklearn")
        self.classifier = framework("sklearn.neural_network").MLPClassifier

    def begin(
        self, params: Arrays, train_set: Data, batches: np.ndarray, learning_rate: float
    ) -> tuple[Advance, Look]:
        x, t = train_set
        model = self._model(params, batches.shape[1], learning_rate)

        def advance(start: int, stop: int) -> np.ndarray:
            with self._unchecked():
                losses = [
                    model.partial_fit(x[batch], t[batch]).loss_
                    for batch in batches[start:stop]
                ]
                return np.array(losses, x.dtype)

        def look() -> Arrays:
            (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
            reached = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
            return {name: value.copy() for name, value in reached.items()}

        return advance, look

    def predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        with self._unchecked():
            return self._model(params, 1).predict_proba(x)

    def _model(
        self, params: Arrays, batch_size: int, learning_rate: float = 0.1
    ) -> Any:
        """One with these parameters. It gets its own by a first step, which is made on
        blank images; then they are replaced.
        """
        (pixels, hidden), classes = params["W1"].shape, len(params["b2"])
        model = self.classifier(
            hidden_layer_sizes=(hidden,),
            batch_size=batch_size,
            learning_rate_init=learning_rate,
            **PLAIN_DESCENT,
        )
        blank = np.zeros((batch_size, pixels), params["W1"].dtype)
        labels = np.zeros(batch_size, int)
        model.partial_fit(blank, labels, classes=np.arange(classes))
        model.coefs_ = [params["W1"].copy(), params["W2"].copy()]
        model.intercepts_ = [params["b1"].copy(), params["b2"].copy()]
        return model

    def _unchecked(self) -> Any:
        """To look for NaN in every mini-batch, and for mistakes in its own settings, takes
        it as long as the step.
        """
        return self.sklearn.config_context(
            assume_finite=True, skip_parameter_validation=True
        )


class Optax(Outsider):
    """jax.nn and optax; the steps between two stops are one call of a compiled loop."""

    name, backend = "optax", BACKENDS["jax-jit"]

    def __init__(self) -> None:
        self.jax, self.optax = framework("jax"), framework("optax")

    def begin(
        self, params: Arrays, train_set: Data, batches: np.ndarray, learning_rate: float
    ) -> tuple[Advance, Look]:
        jax, optax = self.jax, self.optax
        optimizer = optax.sgd(learning_rate)

        def loss(params: Any, x: Any, t: Any) -> Any:
            each = optax.losses.softmax_cross_entropy_with_integer_labels
            return each(self._scores(params, x), t).mean()

        @jax.jit
        def run(state: Any, start: int, stop: int, x: Any, t: Any, batches: Any) -> Any:
            def step(i: Any, state: Any) -> Any:
                params, memory, losses = state
                batch = batches[i]
                value, gradients = jax.value_and_grad(loss)(params, x[batch], t[batch])
                updates, memory = optimizer.update(gradients, memory, params)
                params = optax.apply_updates(params, updates)
                return params, memory, losses.at[i].set(value)

            return jax.lax.fori_loop(start, stop, step, state)

        with jax.enable_x64(True):
            given = jax.device_put((*train_set, batches))
            first = jax.device_put(params)
            losses = jax.numpy.zeros(len(batches), first["W1"].dtype)
            state = first, optimizer.init(first), losses

        def advance(start: int, stop: int) -> np.ndarray:
            nonlocal state
            with jax.enable_x64(True):
                state = run(state, start, stop, *given)
                return np.array(state[-1][start:stop])

        def look() -> Arrays:
            return {name: np.array(value) for name, value in state[0].items()}

        return advance, look

    def predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        with self.jax.enable_x64(True):
            return np.asarray(self._scores(*self.jax.device_put((params, x))))

    def _scores(self, params: Any, x: Any) -> Any:
        hidden = self.jax.nn.relu(x @ params["W1"] + params["b1"])
        return hidden @ params["W2"] + params["b2"]


class TorchSgd(Outsider):
    """torch.nn.Sequential, CrossEntropyLoss and torch.optim.SGD.

    A Linear layer keeps its weight as (out, in): W1 and W2 transposed.
    """

    name, backend = "torch-sgd", BACKENDS["torch"]

    def __init__(self) -> None:
        self.torch = framework("torch")

    def begin(
        self, params: Arrays, train_set: Data, batches: np.ndarray, learning_rate: float
    ) -> tuple[Advance, Look]:
        x, t, samples = map(self.torch.from_numpy, (*train_set, batches))
        model, loss = self.model(params), self.torch.nn.CrossEntropyLoss()
        optimizer = self.torch.optim.SGD(model.parameters(), lr=learning_rate)

        def step(batch: Any) -> Any:
            optimizer.zero_grad()
            value = loss(model(x[batch]), t[batch])
            value.backward()
            optimizer.step()
            return value.detach()

        def advance(start: int, stop: int) -> np.ndarray:
            return self.torch.stack([step(b) for b in samples[start:stop]]).numpy()

        return advance, partial(self.reached, model)

    def predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        with self.torch.no_grad():
            return self.model(params)(self.torch.from_numpy(x)).numpy()

    def reached(self, model: Any) -> Arrays:
        """Copies of its parameters."""
        first, _, second = model
        found = {"W1": first.weight.T, "b1": first.bias}
        found |= {"W2": second.weight.T, "b2": second.bias}
        return {name: value.detach().numpy().copy() for name, value in found.items()}

    def model(self, params: Arrays) -> Any:
        """One with these parameters."""
        nn = self.torch.nn
        (pixels, hidden), classes = params["W1"].shape, len(params["b2"])
        layers = nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, classes)
        weights = {"0.weight": params["W1"].T, "0.bias": params["b1"]}
        weights |= {"2.weight": params["W2"].T, "2.bias": params["b2"]}
        tensors = {k: self.torch.tensor(value) for k, value in weights.items()}
        model = nn.Sequential(*layers).to(tensors["0.bias"].dtype)
        model.load_state_dict(tensors)
        return model
