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
