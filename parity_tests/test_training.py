"""Training parity over the first 100 steps, and what the training loops promise."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.dtypes import FLOAT64_DRIFT
from gradparity.parity_tests.suite.planted import clear_of_zero, most_drift
from gradparity.parity_tests.training.agreement import disagreements
from gradparity.parity_tests.training.plan import Plan, TrainingDiverged, Trajectory
from gradparity.parity_tests.training.run import run_trainings, train
from gradparity.reference.data.mnist_files import DatasetError
from gradparity.reference.datasets import Dataset
from gradparity.reference.datasets import load as load_dataset


def data_set(name: str) -> Dataset:
    if name == "mnist" and "GRADPARITY_DATA" not in os.environ:
        pytest.skip("GRADPARITY_DATA names no folder with MNIST")
    try:
        return load_dataset(name, download=False)
    except DatasetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["digits", "mnist"])
def plan(request: pytest.FixtureRequest) -> Plan:
    return Plan.of(data_set(request.param), steps=100)


@pytest.fixture(scope="module")
def digits_plan() -> Plan:
    return Plan.of(data_set("digits"), steps=100)


@cache
def cleared(plan: Plan) -> Plan:
    return clear_of_zero(plan)


@cache
def baseline(plan: Plan, dtype: str) -> Trajectory:
    return train(plan, dtype, load("reference"), None)[1]


def test_first_100_steps(plan: Plan, dtype: str, trainable: Implementation) -> None:
    if dtype == "float32":  # where rounding may flip a ReLU, at a step of the machine's
        plan = cleared(plan)
    training, _ = train(plan, dtype, trainable, baseline(plan, dtype))
    assert training.epochs[0].step == 1
    assert training.epochs[-1].step == 100
    assert [e.step for e in training.epochs] == list(plan.epoch_steps)
    assert len(training.losses) == len(plan.stops)
    assert {d.quantity for d in training.drift} == {"W1", "b1", "W2", "b2"}
    assert max(d.max_abs for d in training.drift) <= most_drift(plan, dtype)
    assert training.epochs[-1].loss < training.epochs[0].loss


def test_jax_trains_in_float64_and_leaves_the_configuration_alone(
    digits_plan: Plan,
) -> None:
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    implementation = load("jax")
    assert implementation.train is not None
    data = digits_plan.dataset
    stops = implementation.train(
        digits_plan.params,
        (data.x_train, data.t_train),
        (data.x_test, data.t_test),
        digits_plan.batches,
        stops=[1, 50],
    )
    for step, params, losses, accuracies in stops:
        assert jax.config.jax_enable_x64 == before  # also while it is suspended
        assert {value.dtype for value in params.values()} == {np.dtype("float64")}
        assert losses.dtype == np.float64
        assert accuracies is None
        assert len(losses) == {1: 1, 50: 49, 100: 50}[step]


def test_training_is_reproducible(
    digits_plan: Plan, dtype: str, trainable: Implementation
) -> None:
    _, first = train(digits_plan, dtype, trainable, None)
    _, second = train(digits_plan, dtype, trainable, None)
    for name, value in first.params[-1].items():
        np.testing.assert_array_equal(value, second.params[-1][name])


def test_torch_updates_as_its_own_optimizer_does(digits_plan: Plan, dtype: str) -> None:
    """To the last bit: both round once, where NumPy rounds the product and the sum."""
    torch = pytest.importorskip("torch")
    from gradparity.torch_impl.networks import TwoLayerNet

    _, ours = train(digits_plan, dtype, load("torch"), None)
    data = digits_plan.dataset.astype(dtype)
    x_train, t_train = map(torch.from_numpy, (data.x_train, data.t_train))
    start = {k: torch.tensor(v.astype(dtype)) for k, v in digits_plan.params.items()}
    network = TwoLayerNet.from_params(start)
    optimizer = torch.optim.SGD(network.parameters(), lr=digits_plan.learning_rate)
    for batch in torch.from_numpy(digits_plan.batches):
        optimizer.zero_grad()
        network.loss(x_train[batch], t_train[batch]).backward()
        optimizer.step()
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(ours.params[-1][name], value.numpy())


def test_initial_parameters_are_not_changed(digits_plan: Plan) -> None:
    before = {name: value.copy() for name, value in digits_plan.params.items()}
    for name in ("reference", "torch", "jax"):
        train(digits_plan, "float64", load(name), None)
    for name, value in before.items():
        np.testing.assert_array_equal(digits_plan.params[name], value)


def test_a_training_that_diverges_says_so() -> None:
    plan = Plan.of(data_set("digits"), steps=100, learning_rate=1e30)
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            TrainingDiverged, match=r"reference diverged.*not finite at step"
        ),
    ):
        train(plan, "float32", load("reference"), None)


def test_a_training_that_disagrees_is_found(digits_plan: Plan) -> None:
    trainings = run_trainings(
        digits_plan, ["float64"], [load("reference"), load("torch")]
    )
    assert disagreements(trainings, 297) == []
    drifting = trainings[1].model_copy(deep=True)
    drifting.drift[-1].max_abs = 2 * FLOAT64_DRIFT
    assert "drifts" in disagreements([trainings[0], drifting], 297)[0]
    differing = trainings[1].model_copy(update={"test_predictions_differing": 1})
    assert "predicts 1 of 297" in disagreements([trainings[0], differing], 297)[0]
    stopped = trainings[1].model_copy(update={"losses": trainings[1].losses[:-1]})
    assert "not make the same steps" in disagreements([trainings[0], stopped], 297)[0]
    loss, accuracy = (trainings[1].model_copy(deep=True) for _ in range(2))
    loss.losses[0] = (1, loss.losses[0][1] + 2 * FLOAT64_DRIFT)
    accuracy.epochs[0].train_accuracy += 1 / 1500
    for reported in (loss, accuracy):
        said = disagreements([trainings[0], reported], 297)[0]
        assert "reports a loss or an accuracy that is" in said


@pytest.mark.parametrize("steps", [1, 2, 7, 15, 16, 100, 101, 1000])
def test_plans_of_any_length_end_at_their_last_step(steps: int) -> None:
    plan = Plan.of(data_set("digits"), steps=steps)
    assert plan.stops[-1] == plan.epoch_steps[-1] == steps
    assert plan.stops[0] == plan.epoch_steps[0] == 1
    assert set(plan.epoch_steps) <= set(plan.stops)


def test_plans_differ_by_seed_only() -> None:
    data = data_set("digits")
    same, other = Plan.of(data, steps=10), Plan.of(data, steps=10, seed=1)
    again = Plan.of(data, steps=10)
    np.testing.assert_array_equal(same.batches, again.batches)
    np.testing.assert_array_equal(same.params["W1"], again.params["W1"])
    assert (same.batches != other.batches).any()
    assert (same.params["W1"] != other.params["W1"]).any()


class Failing:
    """Trains as the reference, and then its disk is full."""

    name = "torch"

    def __init__(self) -> None:
        reference = load("reference")
        self.inner, self.predict = reference.train, reference.predict

    def train(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        assert self.inner is not None
        stops = self.inner(*arguments, **options)
        yield next(stops)
        raise OSError("no space left")


def test_a_failure_ends_the_others(digits_plan: Plan) -> None:
    implementations: Any = [load("reference"), Failing(), load("reference")]
    with pytest.raises(OSError, match="no space left"):
        run_trainings(digits_plan, ["float64", "float32"], implementations)
