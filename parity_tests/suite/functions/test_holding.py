"""Arrays that a function has of its own are handed to it in the dtype under test, whatever
framework they are of, and are afterwards what they were.
"""

from typing import Any

import numpy as np
import pytest

from gradparity import assert_same
from gradparity.parity_tests.functions.holding import bindings, handed_over

torch = pytest.importorskip("torch")
jnp: Any = pytest.importorskip("jax.numpy")

V = np.array([0.5, 2.0, 1.25], np.float32)
OF_TORCH, OF_JAX, NESTED = torch.tensor(V), jnp.asarray(V), {"v": [V]}
X = np.linspace(-2, 3, 6).reshape(2, 3)


def with_tensor(x: Any) -> Any:
    return x / torch.sqrt(OF_TORCH + 1e-5)


def with_jax(x: Any) -> Any:
    return x / jnp.sqrt(OF_JAX + 1e-5)


def with_numpy_in_jax(x: Any) -> Any:
    return x / jnp.sqrt(V + 1e-5)


def with_numpy_in_torch(x: Any) -> Any:
    return x / torch.sqrt(torch.from_numpy(V) + 1e-5)


def nested(x: Any, dout: Any) -> Any:
    root = np.sqrt(NESTED["v"][0] + 1e-5)
    return x / root, dout / root


def closed_over() -> Any:
    own = V * 1

    def function(x: Any, dout: Any) -> Any:
        return x / np.sqrt(own + 1e-5), dout / np.sqrt(own + 1e-5)

    return function


@pytest.mark.parametrize(
    "other",
    [with_jax, with_numpy_in_jax, with_numpy_in_torch, nested, closed_over()],
)
def test_constants_are_not_a_difference(other: Any) -> None:
    assert_same(with_tensor, other, [X])
    assert V.dtype == OF_JAX.dtype == NESTED["v"][0].dtype == np.float32


def test_they_are_put_back_whatever_happens() -> None:
    def raises() -> None:
        with handed_over(bindings(with_numpy_in_jax), "float64"):
            raise RuntimeError(V.dtype)

    with pytest.raises(RuntimeError, match="float64"):
        raises()
    assert V.dtype == np.float32


def test_a_modules_weights_that_the_other_has_of_its_own_are_not_moved() -> None:
    module = torch.nn.Linear(3, 2)
    weight, bias = (each.detach().numpy() for each in module.parameters())
    assert_same(module, lambda x: jnp.dot(x, weight.T) + bias, [X])
