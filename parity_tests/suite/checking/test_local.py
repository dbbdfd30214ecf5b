"""Each step of a network by itself: small mistakes are caught, and nothing else is."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.catalogue.cases import NETWORK_CASES
from gradparity.parity_tests.checking.local import UNTRACED, WRONG_STEP, local_standard
from gradparity.parity_tests.checking.values import Prepared, check
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.implementations.user_supplied import Own
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import distance, share
from gradparity.parity_tests.measuring.records import Check, Verdict
from gradparity.reference.layers import Affine, Relu, SoftmaxWithLoss
from gradparity.reference.networks import TwoLayerNet

TYPICAL = [case for case in NETWORK_CASES if case.kind == "typical"]
TENSORS = (
    "Affine1",
    "Relu1",
    "Affine2",
    "dAffine2",
    "dW2",
    "db2",
    "dAffine1",
    "dW1",
    "db1",
)


def all_of_it(value: np.ndarray) -> np.ndarray:
    return value * value.dtype.type(1.001)


def one_element(value: np.ndarray) -> np.ndarray:
    """The largest, wrong by 1 %."""
    found = value.copy()
    found.flat[np.abs(value).argmax()] *= value.dtype.type(1.01)
    return found


def one_row(value: np.ndarray) -> np.ndarray:
    """The one with the largest element, wrong by a thousandth."""
    found, at = value.copy(), np.unravel_index(np.abs(value).argmax(), value.shape)
    found[at[0]] *= value.dtype.type(1.001)
    return found


class Faulty(TwoLayerNet):
    """A network in which a tensor is wrong as soon as it is computed, so that what follows
    is computed from that.
    """

    tensor, fault = "", staticmethod(all_of_it)

    def trace(self, x: Any, t: Any) -> dict[str, Any]:
        flow: dict[str, Any] = {}

        def put(name: str, value: Any) -> Any:
            flow[name] = self.fault(value) if name == self.tensor else value
            return flow[name]

        p = self.params
        affine1, relu = Affine(p["W1"], p["b1"]), Relu()
        affine2, last = Affine(p["W2"], p["b2"]), SoftmaxWithLoss()
        before = put("Affine1", affine1.forward(x.astype(p["W1"].dtype)))
        scores = put("Affine2", affine2.forward(put("Relu1", relu.forward(before))))
        put("loss", last.forward(scores, t))
        put("y", last.y)
        put("dRelu1", affine2.backward(put("dAffine2", last.backward())))
        put("dW2", affine2.dW)
        put("db2", affine2.db)
        put("dx", affine1.backward(put("dAffine1", relu.backward(flow["dRelu1"]))))
        put("dW1", affine1.dW)
        put("db1", affine1.db)
        return flow


@cache
def prepared(case: NetworkCase, dtype: str) -> Prepared:
    return Prepared.of(case, dtype)


def judged(case: NetworkCase, dtype: str, network: Any) -> dict[str, Check]:
    class Implementation:
        name = "reference"
        run_network = staticmethod(
            lambda params, x, t: {
                name: np.asarray(value)
                for name, value in network.from_params(params).trace(x, t).items()
            }
        )

        def offers(self, layer: str) -> bool:
            return True

        def judged_as(self, layer: str) -> Any:
            return (BACKENDS["reference"],)

    rows, _ = check(prepared(case, dtype), "reference", Implementation())  # type: ignore[arg-type]
    return {row.quantity: row for row in rows}


@pytest.mark.parametrize("case", TYPICAL, ids=lambda case: case.name)
@pytest.mark.parametrize("tensor", TENSORS)
@pytest.mark.parametrize("fault", [all_of_it, one_element, one_row])
def test_a_small_fault_is_caught_where_it_is(
    case: NetworkCase, tensor: str, fault: Any
) -> None:
    """In float32, where the bound of the whole lets some of these pass; and nothing that
    follows is blamed for it.
    """
    kind = type("Kind", (Faulty,), {"tensor": tensor, "fault": staticmethod(fault)})
    rows = judged(case, "float32", kind)
    wrong = [name for name, row in rows.items() if (row.local_ratio or 0) > 1]
    assert wrong == [tensor]
    assert rows[tensor].verdict == Verdict.FAIL


def test_the_bound_of_the_whole_alone_lets_it_pass() -> None:
    case = next(case for case in TYPICAL if case.name == "steep")
    kind = type("Kind", (Faulty,), {"tensor": "db1", "fault": staticmethod(all_of_it)})
    row = judged(case, "float32", kind)["db1"]
    assert row.bound_ratio is not None
    assert row.bound_ratio < 1
    assert row.note == WRONG_STEP


def test_half_of_the_steps_use_a_fair_share_of_their_bound(dtype: str) -> None:
    ratios = [
        row.local_ratio
        for case in TYPICAL
        for row in judged(case, dtype, TwoLayerNet).values()
    ]
    assert None not in ratios
    assert np.median(ratios) >= 0.01  # type: ignore[arg-type]
    assert max(ratios) <= 1  # type: ignore[type-var, operator]


def test_what_is_not_traced_is_judged_as_a_part_of_the_whole() -> None:
    class Untraced(Faulty):
        def trace(self, x: Any, t: Any) -> dict[str, Any]:
            flow = super().trace(x, t)
            return flow | {
                "Relu1": flow["Relu1"].astype(np.float16)
            }  # of another dtype

    rows = judged(TYPICAL[0], "float64", Untraced)
    for name in ("Affine2", "dW2", "dRelu1"):
        assert rows[name].local_ratio is None
        assert rows[name].note == UNTRACED
    assert rows["dW1"].local_ratio is not None


@pytest.mark.deep
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", BACKENDS)
def test_no_step_of_anybody_is_blamed(name: str, dtype: str, threads: int) -> None:
    """Over 100 seeds and three sizes of batches; one seed in ten with MNIST's sizes, for
    which libraries use their threads. XLA uses as many as there are.
    """
    implementation = load(name)
    if implementation.run_network is None:
        pytest.skip("it has no network")
    judged_by = [arithmetic(BACKENDS[name], dtype).unlimited]
    worst: dict[str, float] = {}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        sizes = (784, 50, 10) if seed % 10 == 0 else (20, 8, 5)
        for batch in (1, 7, 100):
            params = drawn_parameters(rng, sizes, dtype)
            x = rng.normal(size=(batch, sizes[0])).astype(dtype)
            t = rng.integers(0, sizes[-1], batch)
            with in_threads(threads):
                own = implementation.run_network(params, x, t)
            standard = local_standard(params, x, t, own, dtype, judged_by)
            for quantity, (truth, allowed) in standard.items():
                with np.errstate(invalid="ignore", divide="ignore"):
                    ratio = share(distance(own[quantity], truth), allowed.certain).max()
                worst[quantity] = max(worst.get(quantity, 0), float(ratio))
    assert max(worst.values()) <= 1, worst


def drawn_parameters(
    rng: np.random.Generator, sizes: tuple[int, int, int], dtype: str
) -> Arrays:
    scale = 10.0 ** rng.uniform(-2, 1)
    inputs, hidden, classes = sizes
    shapes = {
        "W1": (inputs, hidden),
        "b1": (hidden,),
        "W2": (hidden, classes),
        "b2": (classes,),
    }
    return {
        name: (rng.normal(size=shape) * scale).astype(dtype)
        for name, shape in shapes.items()
    }


@contextmanager
def in_threads(n: int) -> Iterator[None]:
    """With so many threads for the BLAS and for PyTorch."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpoolctl.threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)


# --- Somebody's own network -----------------------------------------------------------


class InAList:
    """A network in the lecture's style that keeps its layers in a list."""

    wrong = ""  # the gradient that is too large, by a thousandth
    apart = 1.0  # a factor that one layer leaves to another

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        self.params = {
            "W1": np.zeros((inputs, hidden)),
            "b1": np.zeros(hidden),
            "W2": np.zeros((hidden, classes)),
            "b2": np.zeros(classes),
        }
        p = self.params
        self.layers: list[Any] = [
            Affine(p["W1"], p["b1"]),
            Relu(),
            Affine(p["W2"], p["b2"]),
        ]
        self.last_layer = SoftmaxWithLoss()

    def predict(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def loss(self, x: Any, t: Any) -> Any:
        return self.last_layer.forward(self.predict(x), t)

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        self.loss(x, t)
        dout = self.last_layer.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        first, _, second = self.layers
        found = {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}
        if self.wrong:
            found[self.wrong] = found[self.wrong] * found[self.wrong].dtype.type(1.001)
        return found


class LeftToTheLast(InAList):
    """As in many hand-ins: who divides by the batch is none of the layers."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        self.last_layer = Undivided(len(x))
        found = super().gradient(x, t)
        return {name: value / value.dtype.type(len(x)) for name, value in found.items()}


class Undivided(SoftmaxWithLoss):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def backward(self, dout: Any = 1.0) -> Any:
        return super().backward(dout) * self.n


def rows_of(network: type, case: NetworkCase, dtype: str) -> dict[str, Check]:
    own = Own("mine", {"TwoLayerNet": network})
    rows, _ = check(prepared(case, dtype), "mine", own)
    return {row.quantity: row for row in rows}


def test_a_network_of_ones_own_is_judged_on_what_its_layers_hand_on(dtype: str) -> None:
    case = next(case for case in TYPICAL if case.name == "steep")
    rows = rows_of(InAList, case, dtype)
    assert rows.pop("y").verdict == Verdict.MISSING
    for row in rows.values():
        assert row.verdict in (Verdict.IDENTICAL, Verdict.WITHIN_BOUND)
        assert row.local_ratio is not None
    wrong = type("Wrong", (InAList,), {"wrong": "b1"})
    rows = rows_of(wrong, case, dtype)
    assert [q for q, row in rows.items() if row.verdict == Verdict.FAIL] == ["db1"]
    if dtype == "float32":
        assert rows["db1"].note == WRONG_STEP


def test_what_layers_hand_on_is_their_own_affair(dtype: str) -> None:
    """If it is not what ours do, the results are judged as a part of the whole."""
    for case in TYPICAL:
        rows = rows_of(LeftToTheLast, case, dtype)
        assert not any(row.verdict == Verdict.FAIL for row in rows.values())
        if len(case.x) > 1:
            assert rows["dAffine2"].verdict == Verdict.MISSING
            assert rows["dW1"].note == UNTRACED
