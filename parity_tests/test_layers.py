"""Every layer, every case, every dtype, every implementation: forward and gradients."""

from functools import lru_cache

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    LAYERS_AND_NETWORK,
    SHAPE_CASES,
)
from gradparity.parity_tests.checking.assertions import sentence
from gradparity.parity_tests.checking.values import Prepared, check, labels, refusal
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.measuring.records import Verdict


@lru_cache(maxsize=16)  # those who are given the same case come one after another
def prepared_once(case: Case, dtype: str) -> Prepared:
    return Prepared.of(case, dtype)


def test_layer(valid_case: Case, dtype: str, implementation: Implementation) -> None:
    prepared = prepared_once(valid_case, dtype)
    rows, _ = check(prepared, implementation.name, implementation)
    assert [row.quantity for row in rows] == list(labels(valid_case))
    failed = [row for row in rows if row.verdict == Verdict.FAIL]
    assert not failed, "\n".join(map(sentence, failed))


@pytest.mark.usefixtures("without_shape_checks")
def test_bad_input_is_refused(
    invalid_case: Case | NetworkCase, dtype: str, implementation: Implementation
) -> None:
    said = refusal(invalid_case.to(dtype), implementation)
    assert said is not None, "the input was accepted"
    who = said.partition(": ")[0]  # in a network, the layer that refuses
    assert who == invalid_case.layer or isinstance(invalid_case, NetworkCase)
    assert who in LAYERS_AND_NETWORK
    assert "\n" not in said
    for part in invalid_case.refusal:
        assert part in said


def test_read_only_arguments_are_accepted(implementation: Implementation) -> None:
    """That none is written into, `check` sees to."""
    typical = {c.layer: c for c in LAYER_CASES if c.kind == "typical"}
    for layer in filter(implementation.offers, typical):
        case = typical[layer].to("float32")
        for value in case.arguments.values():
            value.flags.writeable = False
        assert implementation.run_layer(layer, case.inputs, case.dout)


@pytest.mark.parametrize("dtype_of_labels", ["uint8", "int32", "int64"])
def test_labels_may_be_any_integers(
    dtype_of_labels: str, implementation: Implementation
) -> None:
    if not implementation.offers("SoftmaxWithLoss"):
        pytest.skip(f"{implementation.name} has no SoftmaxWithLoss")
    x, t = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 2])
    inputs = {"x": x, "t": t.astype(dtype_of_labels)}
    found = implementation.run_layer("SoftmaxWithLoss", inputs, np.array(1.0))
    expected = implementation.run_layer(
        "SoftmaxWithLoss", inputs | {"t": t}, np.array(1.0)
    )
    for quantity, value in expected.items():
        np.testing.assert_array_equal(found[quantity], value)


def test_case_ids_are_unique() -> None:
    ids = [case.id for case in [*LAYER_CASES, *SHAPE_CASES]]
    assert len(ids) == len(set(ids))
