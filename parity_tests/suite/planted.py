"""Trainings whose ReLUs turn where they are told to, on every machine.

At which step two float32 trainings part, and whether they do, depends on the processor,
the BLAS and the number of threads. What is made here does not: pre-activations stay away
from zero, but for one that each order of summation rounds to the same zero, although it
is none.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.training.plan import Plan

PIXELS = [0, 1]  # which only the planted image has
SAMPLE, UNIT = 7, 3
TINY = 2.0**-30  # less than half the distance from 1 to the next float32 number


def clear_of_zero(plan: Plan) -> Plan:
    """Return the plan with biases that keep every pre-activation away from zero.

    The weights and the changes of a short training are much smaller than the biases, so
    that half of the ReLUs are always open, the others always shut, and no rounding turns
    any of them.
    """
    signs = np.where(np.arange(len(plan.params["b1"])) % 2, 1.0, -1.0)
    return replace(plan, params=plan.params | {"b1": signs})


def most_drift(plan: Plan, dtype: str) -> float:
    """Return how far rounding takes two trainings apart in which no ReLU flips.

    Each step rounds a parameter once in either training, by half an eps where it is
    between 1 and 2 and by less where it is smaller; what the gradients differ by is
    multiplied by the learning rate and is smaller still.
    """
    return plan.steps * float(np.finfo(dtype).eps)


def plant(plan: Plan, step: int) -> Plan:
    """Return a plan clear of zero, but for one pre-activation in this step.

    Its exact value is 1 + TINY - 1. In float32, 1 + TINY is 1 in every order of
    summation, so that the reference, which adds the bias last, computes 0, and its ReLU
    is shut; `Wide` computes TINY, and its ReLU is open. Before this step the sample is in
    no mini-batch, and afterwards it is in none; for all others the unit is shut, and so
    its parameters are not changed.
    """
    plan = clear_of_zero(plan)
    data, params = plan.dataset, {k: v.copy() for k, v in plan.params.items()}
    x_train, x_test, batches = data.x_train.copy(), data.x_test.copy(), plan.batches
    x_train[:, PIXELS] = x_test[:, PIXELS] = 0
    x_train[SAMPLE, PIXELS] = 1
    params["W1"][:, UNIT] = 0
    params["W1"][PIXELS, UNIT] = 1, TINY
    params["b1"][UNIT] = -1
    params["W2"][UNIT] = 0
    params["W2"][UNIT, data.t_train[SAMPLE]] = 1  # a gradient far beyond any rounding
    batches = np.where(batches == SAMPLE, SAMPLE + 1, batches)
    batches[step - 1, 0] = SAMPLE
    data = replace(data, x_train=x_train, x_test=x_test)
    return replace(plan, dataset=data, params=params, batches=batches)


class Wide:
    """An implementation that computes in float64 and rounds once, to the given dtype.

    It is more accurate than any bound asks for, and its float32 bits are the same in
    every order of summation, wherever the float64 result is exact.
    """

    products = spelled = None

    def __init__(self, inner: Implementation) -> None:
        self.name, self.backend, self.inner = inner.name, inner.backend, inner
        self.offers, self.judged_as = inner.offers, inner.judged_as
        self.run_network, self.predict = inner.run_network, inner.predict

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        found = self.inner.run_layer(layer, wide(inputs), dout.astype(np.float64))
        return {name: value.astype(dout.dtype) for name, value in found.items()}

    def train(
        self,
        params: Arrays,
        train_set: tuple[np.ndarray, np.ndarray],
        test_set: tuple[np.ndarray, np.ndarray],
        batches: np.ndarray,
        learning_rate: float = 0.1,
        *,
        stops: Collection[int] = (),
        evaluate: Collection[int] = (),
    ) -> Iterator[Any]:
        """Train as the inner implementation does in float64, rounding after each step."""
        assert self.inner.train is not None
        dtype = params["W1"].dtype
        sets = [(x.astype(np.float64), t) for x, t in (train_set, test_set)]
        rate = float(dtype.type(learning_rate))
        losses: list[np.ndarray] = []
        for step in range(1, len(batches) + 1):
            batch = batches[step - 1 : step]
            asked = {1} if step in evaluate else ()
            ((_, reached, loss, accuracies),) = self.inner.train(
                wide(params), *sets, batch, rate, evaluate=asked
            )
            params = {name: value.astype(dtype) for name, value in reached.items()}
            losses.append(loss)
            if step in stops or step == len(batches):
                yield step, params, np.concatenate(losses).astype(dtype), accuracies
                losses = []


def wide(arrays: Arrays) -> Arrays:
    """Return the arrays with floating-point values in float64."""
    return {
        name: value.astype(np.float64) if value.dtype.kind == "f" else value
        for name, value in arrays.items()
    }
