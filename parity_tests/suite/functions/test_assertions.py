"""`assert_same` and `assert_gradients`, as they are called in somebody's own tests."""

from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import UnusableFunction, UnusableInput
from gradparity.parity_tests.functions.assertions import assert_gradients, assert_same

X = np.random.default_rng(0).standard_normal((4, 5))


def softmax(x: Any, dout: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, y * (dout - (dout * y).sum(axis=-1, keepdims=True))


def without_the_sum(x: Any, dout: Any) -> Any:
    y, _ = softmax(x, dout)
    return y, y * dout


def along_columns(x: Any, dout: Any) -> Any:
    y, dx = softmax(x.T, dout.T)
    return y.T, dx.T


def cubed(x: Any, dout: Any) -> Any:
    """By a library's function, for which there is no rule."""
    return np.interp(x, [-9, 9], [-9, 9]) ** 3, 3 * dout * x**2


def squared(x: Any, dout: Any) -> Any:
    return np.interp(x, [-9, 9], [-9, 9]) ** 3, 2 * dout * x**2


def test_the_same_passes() -> None:
    torch = pytest.importorskip("torch")
    assert_same(softmax, lambda x: torch.softmax(x, -1), {"x": X})
    assert_same(softmax, softmax, [X])


def test_what_differs_is_told_as_the_command_does() -> None:
    torch = pytest.importorskip("torch")

    def theirs(x: Any) -> Any:
        return torch.softmax(x, -1)

    with pytest.raises(AssertionError) as caught:
        assert_same(along_columns, theirs, {"x": X})
    first, *rest = str(caught.value).splitlines()
    assert "along_columns and " in first
    assert " differ: out[" in first
    assert any("first to differ in along_columns: forward" in line for line in rest)
    assert any("theirs: forward  aten::_softmax" in line for line in rest)


def test_who_is_wrong_is_named() -> None:
    with pytest.raises(
        AssertionError, match=r"differ, though not|differ: dx"
    ) as caught:
        assert_same(softmax, without_the_sum, {"x": X})
    said = (
        "dx of without_the_sum is not the derivative of what without_the_sum computes"
    )
    assert f"who is wrong: {said}" in str(caught.value)
    assert "dx of softmax" not in str(caught.value)


def test_gradients_are_held_against_the_derivatives() -> None:
    torch = pytest.importorskip("torch")
    assert_gradients(softmax, {"x": X})
    assert_gradients(lambda x: torch.softmax(x, -1), {"x": X})
    with pytest.raises(
        AssertionError, match=r"dx is not the derivative .* dx\[\d, \d\]"
    ):
        assert_gradients(without_the_sum, [X])


def test_without_a_rule_differences_are_taken() -> None:
    assert_gradients(cubed, {"x": X})
    with pytest.raises(AssertionError, match="central differences give"):
        assert_gradients(squared, {"x": X})


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UnusableInput, match="the input y is taken by no function"):
        assert_same(softmax, softmax, {"x": X, "y": X})
    with pytest.raises(UnusableInput, match=r"takes .*x.*, got 2 inputs"):
        assert_same(softmax, softmax, [X, X])
    with pytest.raises(UnusableFunction):
        assert_same(softmax, 3, {"x": X})  # type: ignore[arg-type]
    with pytest.raises(UnusableInput, match="no gradients"):
        assert_gradients(np.tanh, {"x": X})


def constant(x: Any, dout: Any) -> Any:
    """By a library's function, for which there is no rule; the derivative is 0."""
    return 1e6 * np.interp(x, [-9, 9], [1.0, 1.0]), 0 * dout


def test_central_differences_allow_for_rounding_where_the_derivative_is_0() -> None:
    assert_gradients(constant, {"x": X})
    assert_gradients(cubed, {"x": np.zeros(3)})
    with pytest.raises(AssertionError, match="central differences give"):
        assert_gradients(squared, {"x": 1 + 0 * X})


class Loss:
    """In the lecture's style: what arrives is 1, and nothing is done with it."""

    def forward(self, y: Any, t: Any) -> Any:
        self.off = y - t
        return 0.5 * np.sum(self.off**2) / len(y)

    def backward(self, dout: Any = 1) -> Any:
        return self.off / len(self.off), -self.off / len(self.off)


class Careless:
    """The same, but that nobody says that 1 arrives."""

    def forward(self, y: Any, t: Any) -> Any:
        self.loss = Loss()
        return self.loss.forward(y, t)

    def backward(self, dout: Any) -> Any:
        return self.loss.backward()


def loss_in_torch(y: Any, t: Any) -> Any:
    import torch

    return 0.5 * torch.sum((y - t) ** 2) / len(y)


def test_a_loss_may_take_1_for_what_arrives() -> None:
    pytest.importorskip("torch")
    given = {"y": X, "t": X[::-1].copy()}
    assert_same(Loss, loss_in_torch, given)
    assert_gradients(Loss, given)


def test_what_ignores_dout_is_told_so() -> None:
    pytest.importorskip("torch")
    given = {"y": X, "t": X[::-1].copy()}
    said = "dy and dt of .* would be the same whatever arrives at its output: dout is"
    with pytest.raises(AssertionError, match=f"(?s)though not on .* mistake: {said}"):
        assert_same(Careless, loss_in_torch, given)
    with pytest.raises(AssertionError, match=said):
        assert_gradients(Careless, given)


def test_a_loss_that_ignores_what_arrives_is_found_in_torch() -> None:
    torch = pytest.importorskip("torch")

    class Ignoring(torch.autograd.Function):  # type: ignore[name-defined]
        @staticmethod
        def forward(ctx: Any, y: Any) -> Any:
            ctx.save_for_backward(y)
            return (y * y).sum()

        @staticmethod
        def backward(ctx: Any, dout: Any) -> Any:
            return 2 * ctx.saved_tensors[0]

    with pytest.raises(AssertionError, match="dy is not the derivative"):
        assert_gradients(lambda y: Ignoring.apply(y), {"y": X})


def test_what_is_cast_has_the_derivative_of_what_is_not() -> None:
    torch = pytest.importorskip("torch")
    assert_gradients(lambda x: torch.tanh(x.to(torch.bfloat16)).to(x.dtype), {"x": X})


# --- Kinks, overflow and NaN --------------------------------------------------------------


def relu_by_hand(x: Any, dout: Any) -> Any:
    return np.maximum(x, 0), dout * (x > 0)


def clip_by_hand(x: Any, dout: Any) -> Any:
    return np.clip(x, -1, 1), dout * ((x > -1) & (x < 1))


def leaky_where_it_is_not(x: Any, dout: Any) -> Any:
    return np.maximum(x, 0), dout * (x > -0.5)


def tanh_but_for_a_billionth(x: Any, dout: Any) -> Any:
    y = np.tanh(x)
    return y, dout * (1 - y * y) * (1 + 1e-9)


@pytest.mark.parametrize("function", [relu_by_hand, clip_by_hand])
def test_at_a_kink_what_lies_between_is_right(function: Any) -> None:
    assert_gradients(function, [np.array([1.0, 0.0, -1.0, 2.0])])


@pytest.mark.parametrize("name", ["softplus", "elu", "mish", "selu", "celu"])
def test_where_a_rule_overflows_nobody_is_convicted(name: str) -> None:
    torch = pytest.importorskip("torch")
    function = getattr(torch.nn.functional, name)
    assert_gradients(function, [np.array([1000.0, 1.0, -2.0])])


@pytest.mark.parametrize("function", [leaky_where_it_is_not, tanh_but_for_a_billionth])
def test_what_is_wrong_beside_a_kink_or_by_little_is_told(function: Any) -> None:
    with pytest.raises(AssertionError, match="dx is not the derivative"):
        assert_gradients(function, [np.array([1.0, 0.5, -0.2])])


def test_a_gradient_that_is_not_a_number_is_told() -> None:
    torch = pytest.importorskip("torch")

    def rooted(x: Any) -> Any:
        return torch.where(x > 0, torch.sqrt(x), 0.0)

    with pytest.raises(AssertionError, match=r"dx\[0\] is nan, the derivative is 0"):
        assert_gradients(rooted, [np.array([-1.0, 2.0])])


# --- What functions of NumPy return -------------------------------------------------------


def pooled(x: Any, dout: Any) -> Any:
    windows = x.reshape(-1, 2)
    largest = windows.max(1)
    return largest, ((windows == largest[:, None]) * dout[:, None]).reshape(x.shape)


def two_outputs(x: Any, w: Any, dout: Any) -> Any:
    first, second = dout
    return (x * w, x + w), first * w + second, first * x + second


def loss(x: Any, t: Any, dout: Any) -> Any:
    return ((x - t) ** 2).mean(), dout * 2 * (x - t) / x.size, None


def test_dout_has_the_shape_of_what_the_other_returns() -> None:
    torch = pytest.importorskip("torch")
    x = np.array([1.0, 3.0, -2.0, 0.5, 4.0, -1.0])
    assert_same(lambda x: torch.amax(x.reshape(-1, 2), 1), pooled, [x])
    assert_same(lambda x, w: (x * w, x + w), two_outputs, [x, x + 1])


def test_a_gradient_that_there_is_not_is_not_zero() -> None:
    torch = pytest.importorskip("torch")
    assert_same(torch.nn.functional.mse_loss, loss, {"input": X, "target": X + 1})


def test_a_list_of_numbers_is_an_array() -> None:
    torch = pytest.importorskip("torch")
    assert_same(torch.tanh, lambda x: torch.sinh(x) / torch.cosh(x), [[[0.5, 1.0]]])
    assert_same(lambda xs: xs[0] * xs[1], lambda xs: xs[1] * xs[0], {"xs": [X, X]})


def test_what_cannot_be_run_is_told_without_what_leads_there() -> None:
    def raises(x: Any) -> Any:
        raise RuntimeError("no such thing")

    with pytest.raises(UnusableFunction, match="no such thing") as told:
        assert_same(raises, raises, [X])
    assert told.value.__suppress_context__
    assert told.value.__cause__ is None
