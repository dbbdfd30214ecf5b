"""TwoLayerNet with everything that flows through it, forward and back."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.checking.values import Prepared, check, verdict
from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.parity_tests.suite.support import skip_unless_built_in


@lru_cache(maxsize=4)  # for all implementations
def prepared_once(network_case: NetworkCase, dtype: str) -> Prepared:
    return Prepared.of(network_case, dtype)


def test_network(
    network_case: NetworkCase, dtype: str, implementation: Implementation
) -> None:
    prepared = prepared_once(network_case, dtype)
    rows, _ = check(prepared, implementation.name, implementation)
    assert len(rows) == 13
    wrong = [row for row in rows if row.verdict == Verdict.FAIL]
    assert not wrong, f"the first tensor that differs: {wrong[0]}"


def failed(
    network_case: NetworkCase, implementation: Implementation, results: Arrays
) -> list[str]:
    """Return which of these float64 results are further from the truth than rounding can
    take them.
    """
    prepared = prepared_once(network_case, "float64")
    whose = implementation.judged_as("TwoLayerNet")
    allowed = prepared.allowed(*whose)
    return [
        name
        for name in results
        if verdict(prepared, implementation.name, name, results, allowed[name], whose)[
            "verdict"
        ]
        == Verdict.FAIL
    ]


def test_network_takes_one_hot_labels(
    network_case: NetworkCase, implementation: Implementation
) -> None:
    assert implementation.run_network is not None
    t = np.eye(network_case.params["b2"].size)[network_case.t]
    results = implementation.run_network(network_case.params, network_case.x, t)
    assert len(results) == 13
    assert failed(network_case, implementation, results) == []


def test_the_trace_is_what_loss_and_gradient_return(
    network_case: NetworkCase, implementation: Implementation
) -> None:
    """Layer by layer and as a whole, each framework computes the same function."""
    skip_unless_built_in(implementation)
    params, x, t = network_case.params, network_case.x, network_case.t
    assert implementation.run_network is not None
    flow = implementation.run_network(params, x, t)
    with NETWORKS[implementation.name](params, x, t) as network:
        gradients = network.gradient()
        whole = {"d" + name: np.asarray(value) for name, value in gradients.items()}
        whole["loss"] = np.asarray(float(network.loss()))
    assert set(whole) == {"dW1", "db1", "dW2", "db2", "loss"}
    for results in (whole, {name: flow[name] for name in whole}):
        assert failed(network_case, implementation, results) == []


class Network(NamedTuple):
    """A framework's own loss, gradient and accuracy of given parameters and samples."""

    loss: Callable[[], Any]
    gradient: Callable[[], dict[str, Any]]
    accuracy: Callable[[], float]


def on(
    loss: Callable[..., Any],
    gradient: Callable[..., dict[str, Any]],
    accuracy: Callable[..., float],
    *given: Any,
) -> Network:
    """Return the three functions of what is given."""
    return Network(
        partial(loss, *given), partial(gradient, *given), partial(accuracy, *given)
    )


@contextmanager
def in_numpy(params: Arrays, x: np.ndarray, t: np.ndarray) -> Iterator[Network]:
    from gradparity.reference.networks import TwoLayerNet

    net = TwoLayerNet.from_params(params)
    yield on(net.loss, net.gradient, net.accuracy, x, t)


@contextmanager
def in_torch(params: Arrays, x: np.ndarray, t: np.ndarray) -> Iterator[Network]:
    import torch

    from gradparity.torch_impl.networks import TwoLayerNet

    tensors = {name: torch.tensor(value.copy()) for name, value in params.items()}
    given = torch.tensor(x.copy()), torch.tensor(t.copy())
    net = TwoLayerNet.from_params(tensors)
    yield on(torch.no_grad()(net.loss), net.gradient, net.accuracy, *given)


@contextmanager
def in_jax(params: Arrays, x: np.ndarray, t: np.ndarray) -> Iterator[Network]:
    import jax

    from gradparity.jax_impl import networks as net

    with jax.enable_x64(True):
        given = net.from_params(params), jax.device_put(x), jax.device_put(t)
        yield on(net.loss, net.gradient, net.accuracy, *given)


NETWORKS: dict[str, Callable[..., AbstractContextManager[Network]]] = {
    "reference": in_numpy,
    "torch": in_torch,
    "jax": in_jax,
    "jax-jit": in_jax,
}


def test_accuracy_is_the_fraction_of_right_answers(trainable: Implementation) -> None:
    """The scores of this network are x itself."""
    skip_unless_built_in(trainable)
    eye = np.eye(4)
    params = {"W1": eye, "b1": np.zeros(4), "W2": eye, "b2": np.zeros(4)}
    x, t = eye[[0, 1, 2, 3, 3]], np.array([0, 1, 2, 3, 0])
    for labels in (t, eye[t]):
        with NETWORKS[trainable.name](params, x, labels) as network:
            assert network.accuracy() == 0.8
    with (
        NETWORKS[trainable.name](params, x, t[:1]) as network,
        pytest.raises(ValueError, match=r"TwoLayerNet: t must have shape \(5,\)"),
    ):
        network.accuracy()


def test_the_first_wrong_tensor_is_named(network_case: NetworkCase) -> None:
    """A mistake in one place is located there, although everything after it is wrong."""

    class Spoilt(LectureStyle):
        def run_network(
            self, params: dict[str, np.ndarray], x: np.ndarray, t: np.ndarray
        ) -> dict[str, np.ndarray]:
            flow = super().run_network(params, x, t)
            for name in ("dRelu1", "dAffine1", "dx", "dW1", "db1"):
                flow[name] = flow[name] * (1 + 1e-4)
            return flow

    prepared = prepared_once(network_case, "float64")
    rows, _ = check(prepared, "spoilt", Spoilt("spoilt", "reference"))
    wrong = [row.quantity for row in rows if row.verdict == Verdict.FAIL]
    assert wrong[:1] == (["dRelu1"] if prepared.truth["dRelu1"].any() else [])
