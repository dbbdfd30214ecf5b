"""TwoLayerNet with everything that flows through it, forward and back."""

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.checking.values import Prepared, check
from gradparity.parity_tests.implementations.registry import (
    Arrays,
    Implementation,
    LectureStyle,
)
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.parity_tests.suite.support import skip_unless_built_in


def test_network(
    network_case: NetworkCase, dtype: str, implementation: Implementation
) -> None:
    prepared = Prepared.of(network_case, dtype)
    rows, _ = check(prepared, implementation.name, implementation)
    assert len(rows) == 13
    failed = [row for row in rows if row.verdict == Verdict.FAIL]
    assert not failed, f"the first tensor that differs: {failed[0]}"


def test_network_takes_one_hot_labels(
    network_case: NetworkCase, implementation: Implementation
) -> None:
    assert implementation.run_network is not None
    labels = implementation.run_network(
        network_case.params, network_case.x, network_case.t
    )
    t = np.eye(network_case.params["b2"].size)[network_case.t]
    one_hot = implementation.run_network(network_case.params, network_case.x, t)
    for name, value in labels.items():
        np.testing.assert_allclose(one_hot[name], value, rtol=1e-12, atol=1e-15)


def test_the_trace_is_what_loss_and_gradient_return(
    network_case: NetworkCase, implementation: Implementation
) -> None:
    """Layer by layer and as a whole, each framework computes the same bits."""
    skip_unless_built_in(implementation)
    params, x, t = network_case.params, network_case.x, network_case.t
    assert implementation.run_network is not None
    flow = implementation.run_network(params, x, t)
    loss, gradients = loss_and_gradient(implementation.name, params, x, t)
    assert flow["loss"] == pytest.approx(loss, rel=1e-15)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(flow["d" + name], gradient, rtol=1e-9, atol=1e-17)


def loss_and_gradient(
    name: str, params: dict[str, np.ndarray], x: np.ndarray, t: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """Through each framework's own loss and gradient."""
    if name == "reference":
        from gradparity.reference.networks import TwoLayerNet

        network = TwoLayerNet.from_params(params)
        return float(network.loss(x, t)), network.gradient(x, t)
    if name == "torch":
        import torch

        from gradparity.torch_impl.networks import TwoLayerNet as TorchNet

        tensors = {k: torch.tensor(v.copy()) for k, v in params.items()}
        xs, ts = torch.tensor(x.copy()), torch.tensor(t.copy())
        net = TorchNet.from_params(tensors)
        gradients = {k: v.numpy() for k, v in net.gradient(xs, ts).items()}
        return float(net.loss(xs, ts).detach()), gradients
    import jax

    from gradparity.jax_impl import networks

    with jax.enable_x64(True):
        arrays = networks.from_params(params)
        xs, ts = jax.device_put(x), jax.device_put(t)
        found = networks.gradient(arrays, xs, ts)
        gradients = {k: np.asarray(v) for k, v in found.items()}
        return float(networks.loss(arrays, xs, ts)), gradients


def accuracy(name: str, params: Arrays, x: np.ndarray, t: np.ndarray) -> float:
    """Through each framework's own accuracy."""
    if name == "reference":
        from gradparity.reference.networks import TwoLayerNet

        return TwoLayerNet.from_params(params).accuracy(x, t)
    if name == "torch":
        import torch

        from gradparity.torch_impl.networks import TwoLayerNet as TorchNet

        net = TorchNet.from_params({k: torch.tensor(v) for k, v in params.items()})
        return net.accuracy(torch.tensor(x), torch.tensor(t))
    import jax

    from gradparity.jax_impl import networks

    with jax.enable_x64(True):
        arrays = networks.from_params(params)
        return networks.accuracy(arrays, jax.device_put(x), jax.device_put(t))


def test_accuracy_is_the_fraction_of_right_answers(trainable: Implementation) -> None:
    """The scores of this network are x itself."""
    skip_unless_built_in(trainable)
    eye = np.eye(4)
    params = {"W1": eye, "b1": np.zeros(4), "W2": eye, "b2": np.zeros(4)}
    x, t = eye[[0, 1, 2, 3, 3]], np.array([0, 1, 2, 3, 0])
    for labels in (t, eye[t]):
        assert accuracy(trainable.name, params, x, labels) == 0.8
    with pytest.raises(ValueError, match=r"TwoLayerNet: t must have shape \(5,\)"):
        accuracy(trainable.name, params, x, t[:1])


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

    prepared = Prepared.of(network_case, "float64")
    rows, _ = check(prepared, "spoilt", Spoilt("spoilt", "reference"))
    failed = [row.quantity for row in rows if row.verdict == Verdict.FAIL]
    assert failed[:1] == (["dRelu1"] if prepared.truth["dRelu1"].any() else [])
