"""What networks should answer, and how far rounding may take them from that.

The truth is what a network by hand computes in a wider dtype. The bound follows the values
through the same network, in every way that is usual to write its activation and its loss.
Gradients by central differences are off by more: see `Stating.difference`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.asking_networks import (
    GIVEN,
    NUMERICAL,
    NUMERICALLY,
)
from gradparity.parity_tests.grading.outcomes import Arrays, Call, Task
from gradparity.parity_tests.grading.rights import Right, Stated
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.mutants.networks_by_hand import (
    ByHand,
    Convolved,
    flat,
    patches,
    spread,
    squares,
)
from gradparity.reference.functions import at_labels, to_labels
from gradparity.reference.rounding import (
    RULES,
    Arithmetic,
    Bounded,
    Bounds,
    gamma,
    picked,
)

# The steps that central differences may take.
LEAST_STEP = {"float64": 1e-6, "float32": 1e-4}
LARGEST_STEP = 1e-3

Settings = Mapping[str, Any]


def stated(task: Task, number: int, settings: Settings) -> Iterator[tuple[str, Stated]]:
    """What is right of every quantity of a call.

    Args:
        settings: what the network is, where the call does not say it.
    """
    stating = Stating(task.calls[number], settings)
    names = [name for name in task.calls[number].inputs if name not in GIVEN]
    quantities = ["predict", "loss", "accuracy", *("d" + name for name in names)]
    if NUMERICALLY in task.case:
        quantities.append(NUMERICAL)
    for quantity in quantities:
        yield quantity, stating.of(quantity)


@dataclass(frozen=True, eq=False)
class Asked:
    """A network, and a batch: what a call asks, in a dtype."""

    call: Call
    settings: Settings
    dtype: Any = np.float64

    @cached_property
    def params(self) -> Arrays:
        given = self.call.inputs.items()
        return {name: v.astype(self.dtype) for name, v in given if name not in GIVEN}

    @cached_property
    def network(self) -> ByHand:
        """What is right, on parameters of its own."""
        inputs, settings = self.call.inputs, dict(self.settings)
        if "decay" in inputs:
            settings["decay"] = float(inputs["decay"])
            settings["hidden"] = "sigmoid" if inputs["sigmoid"] else "relu"
        kind = Convolved if inputs["W1"].ndim > 2 else ByHand
        return kind.on(self.params, **settings)

    @property
    def x(self) -> np.ndarray:
        return self.call.inputs["x"].astype(self.dtype)

    @cached_property
    def labels(self) -> np.ndarray:
        classes = self.params[f"b{self.network.depth}"].size
        t = self.call.inputs["t"]
        return to_labels("loss", t, (len(t), classes))

    @cached_property
    def one_hot(self) -> np.ndarray:
        classes = self.params[f"b{self.network.depth}"].size
        return np.arange(classes) == self.labels[:, None]


class Stating:
    """What is right of a call, computed when it is asked for, and once."""

    def __init__(self, call: Call, settings: Settings) -> None:
        self.call, self.settings = call, settings
        self.flow = cache(partial(Flow, call, settings))
        self.forward = cache(lambda dtype, epsilon: self.flow(dtype).forward(epsilon))
        self.backward = cache(lambda dtype, epsilon: self.flow(dtype).backward(epsilon))
        self.truncated = cache(self._truncated)
        self.rounded = cache(self._rounded)

    def of(self, quantity: str) -> Stated:
        if quantity == NUMERICAL:
            return Stated(self.differences)
        if quantity == "loss":
            return Stated(lambda dtype, epsilon: self.forward(dtype, epsilon)[quantity])
        if quantity in ("predict", "accuracy"):
            return Stated(lambda dtype, epsilon: self.forward(dtype, 0.0)[quantity])
        return Stated(
            lambda dtype, epsilon: self.backward(dtype, 0.0)[quantity],
            lambda dtype, epsilon: self.backward(dtype, epsilon)[quantity],
            partial(self.difference, quantity),
        )

    def difference(self, quantity: str, dtype: str, epsilon: float) -> Right:
        """A gradient of the loss by central differences, (L(p + h) - L(p - h)) / 2 h.

        It is off by what the truth's own differences are off by, which grows with h: the
        bound is that of the largest step. What is added to the probabilities is left out
        there, for it changes that by a small share, and the book's h leaves a hundredth of
        it. Either loss is off by its roundings, and by those of p + h and p - h times the
        derivative; both are divided by 2 h, and the less h is, the more of it there is:
        the bound is that of the smallest step.
        """
        exact = self.backward(dtype, epsilon)[quantity]
        p, h = self.call.inputs[quantity[1:]], LEAST_STEP[dtype]
        u, size = Arithmetic.of(dtype).u, np.abs(exact.truth).astype(np.float64)
        off = self.rounded(dtype, epsilon) + u * (np.abs(p) + LARGEST_STEP) * size
        allowed = exact.allowed + self.truncated(dtype)[quantity]
        return Right(exact.truth, allowed + off / h + gamma(3, u) * size)

    def differences(self, dtype: str, epsilon: float) -> Right:
        """Those of all parameters in a row."""
        names = self.flow(dtype).asked.params
        parts = [self.difference("d" + name, dtype, epsilon) for name in names]
        truth, allowed = (
            np.concatenate([np.ravel(getattr(part, of)) for part in parts])
            for of in ("truth", "allowed")
        )
        return Right(truth, allowed)

    def _rounded(self, dtype: str, epsilon: float) -> float:
        """What rounding does to the loss. A step moves that little: it is the larger of
        the loss as it is, and that of parameters which are all larger by a step.
        """
        further = {
            name: value if name in GIVEN else value + LARGEST_STEP * np.sign(value)
            for name, value in self.call.inputs.items()
        }
        beside = Flow(Call(further), self.settings, dtype)
        flows = (self.flow(dtype), beside)
        return max(float(flow.forward(epsilon)["loss"].allowed) for flow in flows)

    def _truncated(self, dtype: str) -> Arrays:
        """What the truth's own differences are off by, with the largest step."""
        asked = Asked(self.call, self.settings, truth_dtype(dtype))
        network, x, t = asked.network, asked.x, self.call.inputs["t"]
        h, exact, found = asked.dtype(LARGEST_STEP), network.gradient(x, t), {}
        for name, p in asked.params.items():
            off = np.zeros(p.shape)
            for at in np.ndindex(p.shape):
                before, losses = p[at], []
                for moved in (before + h, before - h):
                    p[at] = moved
                    losses.append(network.loss(x, t))
                p[at] = before
                off[at] = abs((losses[0] - losses[1]) / (2 * h) - exact[name][at])
            found["d" + name] = off
        return found


# --- Truth and rounding ---------------------------------------------------------------


class Passes:
    """A network forward and backward in an arithmetic, with bounds."""

    def __init__(self, asked: Asked, own: Arithmetic) -> None:
        self.asked, self.arithmetic, self.network = asked, own, asked.network
        self.convolved = isinstance(self.network, Convolved)
        with np.errstate(all="ignore"):
            self.forward()

    def forward(self) -> None:
        depth = self.network.depth
        self.given = {
            name: Bounded.exact(value, self.arithmetic)
            for name, value in self.asked.params.items()
        }
        x = Bounded.exact(self.asked.x, self.arithmetic)
        self.matrices = [self.given[f"W{n}"] for n in range(1, depth + 1)]
        if self.convolved:
            height, width = self.matrices[0].value.shape[2:]
            self.matrices[0] = self.matrices[0].map(lambda W: W.reshape(len(W), -1).T)
            x = x.map(partial(patches, height=height, width=width))
        self.taken, self.sums = [], []
        for n, W in enumerate(self.matrices, 1):
            self.taken.append(x.map(flat))
            sums = self.taken[-1].matmul(W, plus=self.given[f"b{n}"])
            sums = shaped(sums, (*x.value.shape[:-1], -1))
            self.sums.append(sums)
            if n < depth:
                x = self.activated(sums)
            if n == 1 and self.convolved:
                x = shaped(x.map(squares).max(axis=-1), (len(x.value), -1))

    def gradients(self, epsilon: float) -> Bounds:
        found: Bounds = {}
        _, d = self.loss(epsilon)
        for n in range(self.network.depth, 0, -1):
            W, d = self.matrices[n - 1], d.map(flat)
            dW = self.decayed(self.taken[n - 1].map(np.transpose).matmul(d), W)
            if n == 1 and self.convolved:
                dW = shaped(dW.map(np.transpose), self.given["W1"].value.shape)
            found |= {f"dW{n}": dW, f"db{n}": d.sum(axis=0)}
            if n > 1:
                sums, d = self.sums[n - 2], d.matmul(W.map(np.transpose))
                if n == 2 and self.convolved:
                    largest = squares(sums.value).argmax(axis=-1)
                    back = partial(spread, largest=largest, shape=sums.value.shape)
                    d = d.map(back)
                d = self.sloped(sums, d)
        return found

    def activated(self, sums: Bounded) -> Bounded:
        if self.network.hidden == "relu":
            return sums.relu()
        return RULES["Sigmoid"](sums, sums)["out"]

    def sloped(self, sums: Bounded, d: Bounded) -> Bounded:
        if self.network.hidden == "relu":
            return sums.gate(d)
        return RULES["Sigmoid"](sums, d)["dx"]

    def loss(self, epsilon: float) -> tuple[Bounds, Bounded]:
        """What comes of the scores, and their gradient.

        With something added to the probabilities, a row of it is that of (y - t) / N times
        y_t / (y_t + epsilon), with a few roundings more.
        """
        scores, labels = self.sums[-1], self.asked.labels
        found = RULES["SoftmaxWithLoss"](scores, labels, scores.constant(1.0))
        y, loss, d = found["y"], found["out"], found["dx"]
        if epsilon:
            y_t = picked(y, labels)
            above = (y_t + y.constant(epsilon).rounded(1)).rounded(1)
            loss = -above.log().sum().over(labels.size)
            share = y_t.value / above.value
            roundings = y_t.error / y_t.value + gamma(8, self.arithmetic.u)
            terms = (y.value + self.asked.one_hot) / labels.size
            d = d.exactly(share * d.value, share * d.error + roundings * terms)
        predicted = y if self.network.predicts == "probabilities" else scores
        return {"predict": predicted, "loss": self.penalised(loss)}, d

    def penalised(self, loss: Bounded) -> Bounded:
        """With half of the squares of the weights, times their decay, in any order."""
        if not self.network.decay:
            return loss
        decay = loss.constant(self.network.decay).rounded(1)
        for W in self.matrices:
            loss = loss + (decay * (W * W).sum().over(2)).rounded(1)
        return loss.rounded(len(self.matrices))

    def decayed(self, dW: Bounded, W: Bounded) -> Bounded:
        if not self.network.decay:
            return dW
        return dW + W.constant(self.network.decay).rounded(1) * W


class Flow:
    """All that flows through a network in a dtype: the truth, and the bounds of all ways
    to compute it, and of the truth itself.
    """

    def __init__(self, call: Call, settings: Settings, dtype: str) -> None:
        self.dtype, wide = dtype, truth_dtype(dtype)
        self.asked = Asked(call, settings, wide)
        network = self.asked.network
        self.scores = network.forward(self.asked.x)
        self.y = network.softmax(self.scores)
        plain = replace(arithmetic(NUMPY, dtype).unlimited, any_form=True)
        ways = (plain, replace(plain, composed=True), arithmetic(NUMPY, wide).unlimited)
        asked = Asked(call, settings)
        *self.own, self.of_truth = (Passes(asked, way) for way in ways)

    def forward(self, epsilon: float) -> dict[str, Right]:
        """What is right forward if this is added to the probabilities in the loss."""
        network, y = self.asked.network, self.y
        predicted = y if network.predicts == "probabilities" else self.scores
        above = at_labels(y, self.asked.labels) + self.asked.dtype(epsilon)
        loss = np.asarray(-np.log(above).sum() / len(y) + network.penalty())
        counted = np.asarray((self.scores.argmax(axis=1) == self.asked.labels).mean())
        bounds = self.bounds(lambda passes: passes.loss(epsilon)[0])
        return {
            "predict": Right(predicted, bounds["predict"]),
            "loss": Right(loss, bounds["loss"]),
            # A count over a count: one rounding, or two if it is a mean.
            "accuracy": Right(counted, 2 * Arithmetic.of(self.dtype).u * counted),
        }

    def backward(self, epsilon: float) -> dict[str, Right]:
        """The gradients of exactly that loss."""
        asked, network, y = self.asked, self.asked.network, self.y
        y_t = at_labels(y, asked.labels)
        share = (y_t / (y_t + asked.dtype(epsilon)))[:, None]
        gradients = network.backward(network.of_scores(y, asked.one_hot) * share)
        bounds = self.bounds(lambda passes: passes.gradients(epsilon))
        return {
            "d" + name: Right(gradients[name], bounds["d" + name])
            for name in asked.params
        }

    def bounds(self, of: Callable[[Passes], Bounds]) -> Arrays:
        with np.errstate(all="ignore"):
            first, other, truth = (of(p) for p in (*self.own, self.of_truth))
        return {q: first[q].allowing(other[q]).error + truth[q].error for q in first}


def shaped(x: Bounded, shape: tuple[int, ...]) -> Bounded:
    return x.map(lambda v: v.reshape(shape))
