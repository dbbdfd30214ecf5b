"""The ground truth: the lecture's numbers, its dtypes, its independence of the caller."""

from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.cases import LAYER_CASES
from gradparity.parity_tests.checking.values import run
from gradparity.parity_tests.implementations.registry import load
from gradparity.reference import functions, layers
from gradparity.reference.gradient import complex_step_gradient, numerical_gradient
from gradparity.reference.networks import TwoLayerNet

DTYPES = (np.float32, np.float64, np.longdouble)
VALID = [case for case in LAYER_CASES if case.kind != "invalid"]
by_id: Any = {"ids": lambda case: case.id}


def test_the_bill() -> None:
    bill = layers.BuyFruit()
    assert bill.forward(100, 2, 150, 3, 1.1) == pytest.approx(715, rel=1e-15)
    dapple, dapple_num, dorange, dorange_num, dtax = bill.backward(1)
    assert dapple == 2.2
    assert dapple_num == pytest.approx(110, rel=1e-15)
    assert dorange == 3.3000000000000003
    assert dorange_num == pytest.approx(165, rel=1e-15)
    assert dtax == 650


@pytest.mark.parametrize("any_dtype", DTYPES)
@pytest.mark.parametrize("case", VALID, **by_id)
def test_everything_stays_in_its_dtype(case: Case, any_dtype: Any) -> None:
    for name, value in run(case.to(any_dtype), load("reference")).items():
        assert value.dtype == any_dtype, name


@pytest.mark.parametrize("any_dtype", DTYPES)
def test_the_network_stays_in_its_dtype(any_dtype: Any) -> None:
    rng = np.random.default_rng(0)
    network = TwoLayerNet(6, 5, 4, rng=rng, dtype=any_dtype)
    x, t = rng.random((3, 6)).astype(any_dtype), np.array([0, 1, 3])
    for name, value in network.trace(x, t).items():
        assert value.dtype == any_dtype, name
    for name, gradient in network.gradient(x, t).items():
        assert gradient.dtype == any_dtype, name
        network.params[name] -= 0.1 * gradient
        assert network.params[name].dtype == any_dtype


@pytest.mark.parametrize("any_dtype", DTYPES)
@pytest.mark.parametrize("function", [functions.sigmoid, functions.softmax])
def test_functions_stay_in_their_dtype(function: Any, any_dtype: Any) -> None:
    assert function(np.ones((2, 3), any_dtype)).dtype == any_dtype


def test_numerical_gradient_is_the_lectures_check() -> None:
    rng = np.random.default_rng(0)
    network = TwoLayerNet(8, 5, 4, weight_init_std=0.5, rng=rng)
    x, t = rng.random((3, 8)), np.array([0, 1, 3])
    backprop, numerical = network.gradient(x, t), network.numerical_gradient(x, t)
    for name, gradient in backprop.items():
        assert np.mean(np.abs(gradient - numerical[name])) < 1e-8, name


def test_numerical_gradient_puts_x_back_when_f_fails() -> None:
    x = np.array([1.0, 2.0])

    def fails(x: np.ndarray) -> float:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        numerical_gradient(fails, x)
    np.testing.assert_array_equal(x, [1.0, 2.0])


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("gradient", [numerical_gradient, complex_step_gradient])
def test_gradients_of_integers_are_refused(gradient: Any) -> None:
    with pytest.raises(TypeError, match="x must be a floating-point array"):
        gradient(np.sum, np.array([1, 2]))


def test_numerical_gradient_refuses_a_read_only_array() -> None:
    x = np.ones(2)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="x must be writeable"):
        numerical_gradient(np.sum, x)


@pytest.mark.parametrize("rebind", [True, False])
def test_changed_parameters_take_effect(rebind: bool) -> None:
    rng = np.random.default_rng(0)
    network = TwoLayerNet(6, 5, 4, rng=rng)
    x, t = rng.random((3, 6)), np.array([0, 1, 3])
    for name in network.params:
        before = network.loss(x, t)
        if rebind:
            network.params[name] = network.params[name] + rng.random(
                network.params[name].shape
            )
        else:
            network.params[name] += rng.random(network.params[name].shape)
        fresh = TwoLayerNet.from_params(network.params)
        assert network.loss(x, t) == fresh.loss(x, t) != before


def test_the_lectures_global_generator_is_the_default() -> None:
    np.random.seed(3)
    expected = 0.01 * np.random.randn(6, 5)
    np.random.seed(3)
    np.testing.assert_array_equal(TwoLayerNet(6, 5, 4).params["W1"], expected)


@pytest.mark.usefixtures("without_shape_checks")
def test_parameters_that_do_not_fit_are_refused() -> None:
    params = TwoLayerNet(6, 5, 4).params
    with pytest.raises(ValueError, match=r"b2 must have shape \(4,\), got \(3,\)"):
        TwoLayerNet.from_params(params | {"b2": np.zeros(3)})


def test_loss_of_a_single_class_given_as_labels() -> None:
    """(N, 1) scores and N labels have as many elements: still not one-hot."""
    layer = layers.SoftmaxWithLoss()
    assert layer.forward(np.ones((3, 1)), np.zeros(3, int)) == 0
    np.testing.assert_array_equal(layer.backward(), np.zeros((3, 1)))


@pytest.mark.parametrize("t", [np.array(2), np.array([0, 0, 1])])
def test_cross_entropy_error_of_one_vector(t: np.ndarray) -> None:
    y = np.array([0.1, 0.3, 0.6])
    expected = -np.log(0.6 + 1e-7)
    assert functions.cross_entropy_error(y, t) == pytest.approx(expected, rel=1e-15)


def test_cross_entropy_error_is_not_the_loss_of_softmax_with_loss() -> None:
    """The lecture's 1e-7 is in the function, but not in (y - t) / N."""
    x, t = np.array([[0.0, 20.0]]), np.array([0])
    lecture = functions.cross_entropy_error(functions.softmax(x), t)
    exact = layers.SoftmaxWithLoss().forward(x, t)
    assert exact == pytest.approx(20.0, abs=1e-8)
    assert lecture == pytest.approx(-np.log(np.exp(-20.0) + 1e-7), rel=1e-6)
    assert exact - lecture > 3


def test_one_hot_and_back() -> None:
    t = np.array([2, 0, 1])
    rows = functions.to_one_hot(t, 3)
    np.testing.assert_array_equal(rows, np.eye(3)[t])
    np.testing.assert_array_equal(functions.to_labels("here", rows, (3, 3)), t)
    with pytest.raises(ValueError, match=r"0\.\.2, got 3"):
        functions.to_one_hot(np.array([3]), 3)


@pytest.mark.parametrize(
    "layer", [layers.Relu(), layers.Sigmoid(), layers.Softmax(), layers.MulLayer()]
)
def test_backward_needs_a_forward(layer: Any) -> None:
    name = type(layer).__name__
    with pytest.raises(RuntimeError, match=f"{name}: backward needs a forward"):
        layer.backward(np.ones(3))


def test_saturated_sigmoid_and_softmax_do_not_overflow() -> None:
    x = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    np.testing.assert_array_equal(functions.sigmoid(x), [0, 0, 0.5, 1, 1])
    y = functions.softmax(x)
    assert y.sum() == 1
    assert np.isfinite(y).all()
