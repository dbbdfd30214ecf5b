"""Where trainings part: that it is found, first and last, and proved."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.records import Parting, Together
from gradparity.parity_tests.suite.planted import (
    SAMPLE,
    TINY,
    UNIT,
    Wide,
    most_drift,
    plant,
)
from gradparity.parity_tests.training.forensics import (
    Notes,
    Pair,
    Replay,
    Watch,
    investigate,
)
from gradparity.parity_tests.training.outcome import (
    confusion,
    disagreements,
    discordant,
)
from gradparity.parity_tests.training.plan import Plan, Trained
from gradparity.parity_tests.training.run import run_trainings
from gradparity.reference.datasets import load as load_dataset
from gradparity.reports.tables.partings import parting_sentences

STEPS = 150
PLANTED, LAST = 6, 20  # the step at which a ReLU turns, and the last of that training


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.of(load_dataset("digits"), steps=STEPS)


@pytest.fixture(scope="module")
def planted_plan() -> Plan:
    return plant(Plan.of(load_dataset("digits"), steps=LAST), PLANTED)


def trained_in(plan: Plan, dtype: str, *others: Implementation) -> Trained:
    found: dict[str, Trained] = {}
    implementations = [Watch(), *others]
    run_trainings(plan, [dtype], implementations, inspect=found.__setitem__)
    return found[dtype]


def pair_of(plan: Plan, dtype: str, trained: Trained, name: str) -> tuple[Pair, Notes]:
    watch, trajectory = trained["reference"]
    assert isinstance(watch, Watch)
    reference = Replay.of(plan, dtype, load("reference"), trajectory)
    other = Replay.of(plan, dtype, *trained[name])
    return Pair(reference, other), watch.notes[dtype]


@pytest.fixture(scope="module", params=["torch", "jax"])
def narrow(request: pytest.FixtureRequest, plan: Plan) -> tuple[str, Trained]:
    """Trained in float32, where they may part or not."""
    pytest.importorskip(request.param)
    return request.param, trained_in(plan, "float32", load(request.param))


@pytest.fixture(scope="module", params=["torch", "jax"])
def parted(request: pytest.FixtureRequest, planted_plan: Plan) -> tuple[str, Trained]:
    """Trained in float32 where they part at the step that was planted."""
    pytest.importorskip(request.param)
    other = Wide(load(request.param))
    return request.param, trained_in(planted_plan, "float32", other)


def found_in(
    plan: Plan, dtype: str, trained: Trained
) -> tuple[list[Parting], list[Together]]:
    return investigate(plan, dtype, trained)


def test_a_parting_is_found_and_proved(
    planted_plan: Plan, parted: tuple[str, Trained]
) -> None:
    name, trained = parted
    (parting,), together = found_in(planted_plan, "float32", trained)
    assert not together
    assert parting.implementation == name
    assert (parting.first, parting.leap) == (True, True)
    assert (parting.step, parting.sample, parting.unit) == (PLANTED, SAMPLE, UNIT)
    assert (parting.flips, parting.forced) == (1, 1)
    assert parting.verified
    assert parting.forced_ratio <= 1 < parting.ratio
    assert parting.local_ratio is not None
    assert 0 < parting.local_ratio <= 1
    assert parting.jump > parting.allowed
    assert parting.label == planted_plan.dataset.t_train[SAMPLE]
    z = parting.preactivation
    assert z == {"reference": 0, name: TINY, "truth": TINY}
    for who, mask in parting.masks.items():
        assert mask[UNIT] == (z[who] > 0)
        # What an implementation computes is within its bound of what is exact for it.
        assert abs(z[who] - parting.exact[who]) <= (parting.bound or 0)
    assert z["truth"] == parting.exact["reference"]
    after = parting.later[0]
    assert after.forced is not None
    assert parting.gap_before < after.gap
    assert after.forced < after.gap


def test_no_step_before_the_first_parting_is_beyond_its_bound(
    planted_plan: Plan, parted: tuple[str, Trained]
) -> None:
    """Every step is taken again: none is forgotten by looking at suspects only."""
    name, trained = parted
    pair, notes = pair_of(planted_plan, "float32", trained, name)
    first = next(
        step
        for step in range(1, LAST + 1)
        if pair.excess(step, pair.other.at(step)).ratio > 1
    )
    assert pair.parting(notes) == first == PLANTED
    assert not any(pair.flips(step) for step in range(1, first))


def test_wherever_others_part_a_relu_explains_it(
    plan: Plan, narrow: tuple[str, Trained]
) -> None:
    """Whether and where they do is the machine's; that it is proved is not."""
    name, trained = narrow
    partings, together = found_in(plan, "float32", trained)
    assert len(together) == (not partings)
    assert all(parting.verified for parting in partings)
    pair, notes = pair_of(plan, "float32", trained, name)
    first = pair.parting(notes) or STEPS + 1
    for step in range(1, first):
        assert pair.excess(step, pair.other.at(step)).ratio <= 1
        if pair.flips(step):
            assert step in [*pair.suspects(notes)]


def test_a_replay_makes_the_same_bits(plan: Plan, narrow: tuple[str, Trained]) -> None:
    name, trained = narrow
    pair, _ = pair_of(plan, "float32", trained, name)
    for replay in (pair.reference, pair.other):
        for start, stop in pairwise([0, *plan.stops[:9]]):
            params = replay.known[start]
            for step in range(start + 1, stop + 1):
                params = replay.step(step, params)
            for key, value in replay.known[stop].items():
                np.testing.assert_array_equal(params[key], value)


def test_forcing_a_relu_turns_that_one_only(
    planted_plan: Plan, parted: tuple[str, Trained]
) -> None:
    name, trained = parted
    pair, _ = pair_of(planted_plan, "float32", trained, name)
    replay, step = pair.other, PLANTED
    before = replay.at(step - 1)
    x, _ = replay.batch(step)
    z = replay.preactivations(step, before)
    for sample, unit in ((0, UNIT), (3, 7), (3, 8), (99, 0)):
        wider, params = replay._forced(x, before, [(sample, unit)])
        forced = replay._affine(wider, params)
        opened, was = forced > 0, z > 0
        assert opened[sample, unit] != was[sample, unit]
        opened[sample, unit] = was[sample, unit]
        np.testing.assert_array_equal(opened, was)
    reached = replay.step(step, before, [(3, 7)])
    assert {k: v.shape for k, v in reached.items()} == {
        k: v.shape for k, v in before.items()
    }


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_float64_stays_together(plan: Plan, name: str) -> None:
    pytest.importorskip(name)
    partings, (together,) = found_in(
        plan, "float64", trained_in(plan, "float64", load(name))
    )
    assert not partings
    assert together.gap <= most_drift(plan, "float64")
    assert together.nearest > 1e-9
    assert together.steps == STEPS


def test_watching_changes_nothing(plan: Plan) -> None:
    data = plan.dataset.astype("float32")
    params = {k: v.astype(np.float32) for k, v in plan.params.items()}
    both = [
        [
            *implementation.train(
                *(params, (data.x_train, data.t_train), (data.x_test, data.t_test)),
                *(plan.batches, plan.learning_rate),
                stops=plan.stops,
                evaluate=plan.epoch_steps,
            )
        ]
        for implementation in (load("reference"), Watch())
        if implementation.train is not None
    ]
    assert len(both[0]) == len(plan.stops)
    for (step, reached, losses, accuracies), watched in zip(*both, strict=True):
        assert watched[0] == step
        np.testing.assert_array_equal(watched[2], losses)
        assert watched[3] == accuracies
        for key, value in reached.items():
            np.testing.assert_array_equal(watched[1][key], value)


class Altered:
    """The reference under another name, whose training goes wrong."""

    products = spelled = None

    def __init__(self, alter: Any) -> None:
        inner = load("reference")
        self.name = "torch"
        self.backend = BACKENDS["torch"]  # whose arithmetic it has
        self.alter, self.inner = alter, inner
        self.offers, self.run_layer = inner.offers, inner.run_layer
        self.judged_as = inner.judged_as
        self.run_network, self.predict = inner.run_network, inner.predict

    def train(
        self, params: Any, train_set: Any, *more: Any, **options: Any
    ) -> Iterator[Any]:
        assert self.inner.train is not None
        params, more = self.alter(params, more)
        yield from self.inner.train(params, train_set, *more, **options)


def faster(params: Any, more: Any) -> Any:
    test_set, batches, rate = more
    return params, (test_set, batches, 1.001 * rate)


def test_a_mistake_is_no_relus_doing(plan: Plan, dtype: str) -> None:
    trained = trained_in(plan, dtype, Altered(faster))
    partings, together = found_in(plan, dtype, trained)
    assert not together
    assert partings[0].first
    assert partings[0].step == 1
    assert not any(p.verified for p in partings)
    assert all(p.local_ratio is not None and p.local_ratio <= 1 for p in partings)


def test_the_tensor_of_a_step_that_is_wrong_is_named(plan: Plan, dtype: str) -> None:
    """db1 by a thousandth, which is no ReLU's doing, and within the bound of the whole."""
    altered = Altered(faster)
    inner = altered.inner.run_network
    assert inner is not None

    def wrong(*given: Any) -> dict[str, Any]:
        flow = inner(*given)
        return flow | {"db1": flow["db1"] * flow["db1"].dtype.type(1.001)}

    altered.run_network = wrong
    partings, _ = found_in(plan, dtype, trained_in(plan, dtype, altered))
    (said, *_) = parting_sentences(partings, [])
    assert partings[0].local_quantity == "db1"
    assert f"torch in {dtype} computes db1 wrong at step 1: it is" in said


def test_who_traces_no_network_is_judged_as_a_whole(plan: Plan) -> None:
    altered = Altered(faster)
    replay = Replay(plan, "float64", altered, known={})
    altered.run_network = None
    assert replay.worst_tensor(1, {}) == (None, None)


def test_what_two_networks_know() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    answers = np.array([0, 1, 2, 1, 1, 0, 2])
    others = np.array([0, 1, 1, 0, 2, 0, 1])
    scores, reference = np.eye(3)[answers], np.eye(3)[others]
    assert confusion(scores, labels) == [[1, 1, 1], [0, 2, 0], [1, 0, 1]]
    found = discordant(scores, reference, labels)
    assert (found.only_this, found.only_reference) == (2, 1)
    assert found.p_value == 1
    same = discordant(scores, scores, labels)
    assert (same.only_this, same.only_reference, same.p_value) == (0, 0, 1)
    differing = disagreements(scores, reference, labels)
    assert [d.index for d in differing] == [2, 3, 4, 6]
    for d in differing:
        assert np.argmax(d.probabilities) == d.predicted
        assert np.argmax(d.reference_probabilities) == d.reference
        assert sum(d.probabilities) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(("this", "reference", "p"), [(0, 5, 2 / 32), (1, 4, 12 / 32)])
def test_mcnemars_test_is_exact(this: int, reference: int, p: float) -> None:
    n = this + reference
    right = np.arange(n) < this
    scores, other = np.eye(2)[right.astype(int)], np.eye(2)[(~right).astype(int)]
    found = discordant(scores, other, np.ones(n, int))
    assert (found.only_this, found.only_reference) == (this, reference)
    assert found.p_value == pytest.approx(p, rel=1e-12)
