"""Networks as data: one that nobody has written code for has all that the lecture's has."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.backends import BACKENDS, NUMPY
from gradparity.parity_tests.implementations.contract import function_name
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.reference.layers import Affine, Relu, Sigmoid, SoftmaxWithLoss
from gradparity.reference.networks import TWO_LAYER_NET, Chain, Layer, Network
from gradparity.reference.rounding import (
    Bounds,
    network_bounds,
    network_tangent_bounds,
    step_bounds,
)

LAYERS = (
    Layer("Affine1", Affine, ("W1", "b1")),
    Layer("Relu1", Relu),
    Layer("Affine2", Affine, ("W2", "b2")),
    Layer("Sigmoid1", Sigmoid),
    Layer("Affine3", Affine, ("W3", "b3")),
)
CHAINS = {
    1: Chain("OneLayerNet", LAYERS[:1], SoftmaxWithLoss),
    3: Chain("ThreeLayerNet", LAYERS, SoftmaxWithLoss),
}
WIDTHS = 6, 5, 4, 3
X = np.random.default_rng(1).standard_normal((4, WIDTHS[0]))
T = np.array([0, 2, 1, 1])


def parameters(chain: Chain, seed: int = 0) -> dict[str, Any]:
    """Return random parameters that fit the chain."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(
            WIDTHS[i : i + 2] if name[0] == "W" else WIDTHS[i + 1]
        )
        for name in chain.params
        for i in [int(name[1]) - 1]
    }


def narrow(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: value.astype("float32") for name, value in arrays.items()}


def check_bounds(found: dict[str, Any], bounded: Bounds) -> None:
    """Everything found is within its bound, and would not be if it were 1 % larger."""
    for name, value in found.items():
        value, bound = np.asarray(value, np.float64), bounded[name]
        assert np.all(np.abs(value - bound.value) <= bound.error), name
        assert np.any(np.abs(1.01 * value - bound.value) > bound.error), name


@pytest.fixture(params=CHAINS.values(), ids=lambda chain: chain.name)
def chain(request: pytest.FixtureRequest) -> Chain:
    found: Chain = request.param
    return found


def test_the_lectures_network_is_a_chain() -> None:
    assert TWO_LAYER_NET.params == ("W1", "b1", "W2", "b2")
    assert TWO_LAYER_NET.quantities == (
        *("Affine1", "Relu1", "Affine2", "loss", "y"),
        *("dAffine2", "dRelu1", "dW2", "db2", "dAffine1", "dx", "dW1", "db1"),
    )


def test_the_trace_has_everything_in_its_order(chain: Chain) -> None:
    network = Network(chain, parameters(chain))
    flow = network.trace(X, T)
    assert (*flow,) == chain.quantities
    assert flow["loss"] == network.loss(X, T)
    for name, gradient in network.gradient(X, T).items():
        np.testing.assert_array_equal(flow["d" + name], gradient)


def test_backpropagation_is_the_gradient(chain: Chain) -> None:
    network = Network(chain, parameters(chain))
    backprop, numerical = network.gradient(X, T), network.numerical_gradient(X, T)
    assert (*backprop,) == chain.params
    for name, gradient in backprop.items():
        assert np.mean(np.abs(gradient - numerical[name])) < 1e-8, name


def test_parameters_that_do_not_fit_are_refused(chain: Chain) -> None:
    first = chain.params[0]
    with pytest.raises(ValueError, match=f"{chain.name}: {first} must have rank 2"):
        Network(chain, parameters(chain) | {first: np.ones(3)})
    last = chain.params[-1]
    with pytest.raises(ValueError, match=rf"{chain.name}: {last} must have shape \("):
        Network(chain, parameters(chain) | {last: np.ones(9)})


@pytest.mark.parametrize("room", ["reference", "torch", "jax"])
def test_rounding_stays_within_the_bounds(chain: Chain, room: str) -> None:
    params, x = narrow(parameters(chain)), X.astype("float32")
    bounded = network_bounds(
        params, x, T, arithmetic(BACKENDS[room], "float32"), chain=chain
    )
    assert (*bounded,) == chain.quantities
    flow = TRACES[room](chain, params, x)
    assert flow.keys() == bounded.keys()
    check_bounds(flow, bounded)


def mirrored(room: str, chain: Chain) -> Any:
    """Return the networks of a framework, and the same chain there."""
    networks, layers = (
        import_module(f"gradparity.{room}.{name}") for name in ("networks", "layers")
    )
    kinds = [
        getattr(layers, function_name(each.kind.__name__)) for each in chain.layers
    ]
    same = tuple(
        networks.Layer(each.name, kind, each.params)
        for each, kind in zip(chain.layers, kinds, strict=True)
    )
    return networks, networks.Chain(chain.name, same, layers.softmax_with_loss)


def by_torch(chain: Chain, params: dict[str, Any], x: Any) -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    networks, same = mirrored("torch_impl", chain)
    tensors = {name: torch.tensor(value) for name, value in params.items()}
    found = networks.Network(same, tensors).trace(torch.tensor(x), torch.tensor(T))
    return {name: value.numpy() for name, value in found.items()}


def by_jax(chain: Chain, params: dict[str, Any], x: Any) -> dict[str, Any]:
    jax = pytest.importorskip("jax")
    networks, same = mirrored("jax_impl", chain)
    network = networks.Network(same)
    given = network.from_params(params), jax.device_put(x), jax.device_put(T)
    found: dict[str, Any] = network.trace(*given)
    return found


TRACES: dict[str, Any] = {
    "reference": lambda chain, params, x: Network(chain, params).trace(x, T),
    "torch": by_torch,
    "jax": by_jax,
}


def test_products_stay_within_the_bounds(chain: Chain) -> None:
    from gradparity.reference.second_order import loss_hvp, loss_jvp

    params, direction = narrow(parameters(chain)), narrow(parameters(chain, seed=2))
    given = params, X.astype("float32"), T, direction
    bounded = network_tangent_bounds(*given, arithmetic(NUMPY, "float32"), chain)
    moved = loss_hvp(*given, chain)
    found = {"Rloss": loss_jvp(*given, chain)}
    check_bounds(found | {"Rd" + name: v for name, v in moved.items()}, bounded)


def test_a_step_stays_within_the_bounds(chain: Chain) -> None:
    params, x = narrow(parameters(chain)), X.astype("float32")
    rate = np.float32(0.1)
    own = arithmetic(NUMPY, "float32")
    bounded = step_bounds(params, x, T, float(rate), own, chain=chain)
    gradients = Network(chain, params).gradient(x, T)
    check_bounds({n: v - rate * gradients[n] for n, v in params.items()}, bounded)
