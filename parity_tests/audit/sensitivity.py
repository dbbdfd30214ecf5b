"""Can the suite fail? It is run against every mutant, in the place of what is right.

A mutant in a layer or in the network goes through the same cases and the same comparison
as an implementation does, bad input left out: what is to be noticed are wrong numbers. A
mutant in a training loop takes a few steps on the digits, in float64, and is held against
the reference as every training is. A mutant of a function is asked what `gradparity grade`
asks of a submission's.
"""

import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    LAYERS_AND_NETWORK,
    NETWORK_CASES,
    SHAPE_CASES,
)
from gradparity.parity_tests.checking.values import Prepared, check, raised_by
from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.implementations.backends import BACKENDS, UNKNOWN, Backend
from gradparity.parity_tests.implementations.contract import (
    Implementation,
    NotInstalled,
)
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.comparison import Allowed
from gradparity.parity_tests.measuring.dtypes import FLOAT64_DRIFT
from gradparity.parity_tests.measuring.records import Check, MutantResult, Verdict
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.parity_tests.training.agreement import disagreement
from gradparity.parity_tests.training.plan import Plan, Trajectory
from gradparity.parity_tests.training.run import train

TRAINING = "TwoLayerNet/training"
STEPS = 4
# Shapes that every run of the suite has come first; the others cost JAX a compilation.
STAGES: tuple[list[Any], ...] = ([*LAYER_CASES, *NETWORK_CASES], [*SHAPE_CASES])
FAMILIES = ("numpy", "torch", "jax")
# The layer, or network, with whose mistakes those of a function are shown.
HOME = {
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "cross_entropy_error": "CrossEntropy",
    "numerical_gradient": "TwoLayerNet",
}


def chosen(
    layers: Sequence[str] = LAYERS_AND_NETWORK,
    implementations: Sequence[str] = tuple(BACKENDS),
) -> list[Mutant]:
    """The mutants of these layers and frameworks, in the order of the cases' catalogue."""
    families = {family(name) for name in implementations}
    wanted = [
        m for m in MUTANTS if home(m) in layers and family(m.implementation) in families
    ]
    return sorted(
        wanted,
        key=lambda m: (
            LAYERS_AND_NETWORK.index(home(m)),
            FAMILIES.index(family(m.implementation)),
        ),
    )


def home(mutant: Mutant) -> str:
    """The layer, or TwoLayerNet, that it belongs to."""
    return HOME.get(mutant.layer, mutant.layer)


def family(implementation: str) -> str:
    """Its framework."""
    return BACKENDS.get(implementation, UNKNOWN).framework


def examine(mutant: Mutant, until_caught: bool = False) -> MutantResult:
    """What the suite says of a mutant; if need be, no more than whether it is caught in
    each dtype.
    """
    about: dict[str, Any] = {
        "name": mutant.name,
        "scope": mutant.scope,
        "layer": mutant.layer,
        "implementation": mutant.implementation,
        "sentence": mutant.sentence,
        "source": mutant.source,
    }
    try:
        mistaken = None if mutant.scope == "function" else mutant.load()
    except NotInstalled as reason:
        return MutantResult(**about, caught=None, note=str(reason))
    rows: list[Check] = []
    failed: list[Check] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # wrong code may well warn; that is not a check
        rows_of = (
            function_checks(mutant) if mistaken is None else checks(mutant, mistaken)
        )
        for row in rows_of:
            rows.append(row)
            if row.verdict == Verdict.FAIL:
                failed.append(row)
            if until_caught and {row.dtype for row in failed} == {*DTYPES}:
                break
    for first in failed[:1]:
        about |= {
            "first": first.case,
            "quantity": first.quantity,
            "dtype": first.dtype,
            "bound_ratio": first.bound_ratio,
            "note": first.note,
        }
    return MutantResult(
        **about,
        caught=bool(failed),
        checks=len(rows),
        failed=len(failed),
        by=list(dict.fromkeys(row.case for row in failed)),
        largest={
            dtype: max((r for row in group for r in ratios(row)), default=None)
            for dtype, group in sorted(grouped(failed, "dtype").items(), reverse=True)
        },
    )


def ratios(row: Check) -> Iterator[float]:
    """Yield how many times its bound a tensor is off, if that is what is wrong with it."""
    ratio = max(row.bound_ratio or 0, row.local_ratio or 0)
    if ratio > 1:
        yield ratio


def checks(mutant: Mutant, mistaken: Implementation) -> Iterator[Check]:
    """The rows of all cases of the mutant's layer; of further shapes only if there is a
    dtype in which the first find nothing.
    """
    if mutant.scope == "training":
        yield from training_checks(mistaken)
        return
    caught: set[str] = set()
    for stage in STAGES:
        for case in stage:
            if case.layer == mutant.layer and case.kind != "invalid":
                for dtype in DTYPES:
                    prepared = prepare(case, dtype)
                    rows, _ = check(prepared, mutant.implementation, mistaken)
                    caught |= {r.dtype for r in rows if r.verdict == Verdict.FAIL}
                    yield from rows
        if caught == {*DTYPES}:
            return


def function_checks(mutant: Mutant) -> Iterator[Check]:
    """A row for every call; to write into an argument is wrong here, as everywhere."""
    outcomes = exercise({mutant.layer: mutant.definition}, tasks_of(mutant.layer))
    findings = Findings.of(mutant.layer, outcomes)
    for found in findings.found:
        remarks = findings.outcomes[found.asked].remarks
        spoilt = [r.what for r in remarks if r.kind in ("wrote", "not restored")]
        note = f"wrote into {' and '.join(spoilt)}" if spoilt else found.note
        yield Check(
            scope="layer",
            case=f"{mutant.layer}/{found.case}",
            kind="typical",
            layer=mutant.layer,
            quantity=found.quantity,
            dtype=found.expected.task.dtype,
            implementation=mutant.implementation,
            bound_ratio=found.ratio,
            worst=found.worst,
            verdict=Verdict.WITHIN_BOUND
            if found.right and not spoilt
            else Verdict.FAIL,
            note=note,
        )


class Reused(Prepared):
    """What one mutant is held against, many are."""

    def allowed(self, *backends: Backend, **settings: bool) -> dict[str, Allowed]:
        return allowed(self, *backends, **settings)


@cache
def prepare(case: Case | NetworkCase, dtype: str) -> Reused:
    return Reused.of(case, dtype)


@cache
def allowed(
    prepared: Reused, *backends: Backend, **settings: bool
) -> dict[str, Allowed]:
    return Prepared.allowed(prepared, *backends, **settings)


@cache
def baseline() -> tuple[Plan, Any, Trajectory]:
    """A few steps on the digits, and where the reference goes in them."""
    from gradparity.reference.datasets import load as load_dataset

    plan = Plan.of(load_dataset("digits"), steps=STEPS)
    return plan, *train(plan, "float64", load("reference"), None)


def training_checks(mistaken: Implementation) -> Iterator[Check]:
    """A row for every parameter after every step, and one for the training as a whole."""
    plan, right, trajectory = baseline()
    row: dict[str, Any] = {
        "scope": "network",
        "kind": "typical",
        "layer": "TwoLayerNet",
        "dtype": "float64",
        "implementation": mistaken.name,
    }
    try:
        found, _ = train(plan, "float64", mistaken, trajectory)
    except Exception as error:  # whatever it is, it has been noticed
        note = raised_by(error)
        yield Check(
            **row, case=TRAINING, quantity="all", verdict=Verdict.FAIL, note=note
        )
        return
    for drift in found.drift:
        ratio = drift.max_abs / FLOAT64_DRIFT
        yield Check(
            **row,
            case=f"{TRAINING}, step {drift.step}",
            quantity=drift.quantity,
            bound_ratio=ratio,
            verdict=Verdict.FAIL if ratio > 1 else Verdict.WITHIN_BOUND,
        )
    sentence = disagreement(found, right, len(plan.dataset.t_test))
    yield Check(
        **row,
        case=TRAINING,
        quantity="all",
        verdict=Verdict.FAIL if sentence else Verdict.WITHIN_BOUND,
        note=sentence,
    )
