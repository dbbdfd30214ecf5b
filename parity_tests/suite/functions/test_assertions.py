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
