"""Which step makes the error of a gradient: adjoint bounds of networks, and what was lost.

The loss of a network, and of the gradients of its first layer, which all steps lead to, a
sum along a random direction and the element whose bound is the largest.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.catalogue.spec import generator
from gradparity.parity_tests.checking.local import local_truth
from gradparity.parity_tests.checking.values import REFERENCE, run
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.measuring.processor_mode import ieee
from gradparity.parity_tests.measuring.records import ErrorBudget, StepError
from gradparity.reference.networks import TWO_LAYER_NET
from gradparity.reference.rounding import Bounds
from gradparity.reference.rounding.adjoint import Budget, error_budgets
from gradparity.reference.rounding.network_steps import network_steps
from gradparity.reference.rounding.programs import Program, composed

RANDOM = "along a random direction"
CHAIN = TWO_LAYER_NET
GRADIENTS = tuple("d" + name for name in CHAIN.layers[0].params)
WANTED = {"loss", *GRADIENTS}


class Number(NamedTuple):
    """What is judged: of a quantity, the sum of its elements times `weights`."""

    quantity: str
    of: str
    weights: np.ndarray

    def taken(self, flow: Arrays, dtype: Any) -> Any:
        return np.sum(self.weights * flow[self.quantity].astype(dtype))


def numbers(case: NetworkCase, whole: Bounds) -> Iterator[Number]:
    """Those that are judged of a case with these bounds."""
    yield Number("loss", "", np.ones(()))
    for quantity in GRADIENTS:
        bound = whole[quantity].error
        rng = generator(f"{case.id}/{quantity}")
        yield Number(quantity, RANDOM, rng.standard_normal(bound.shape))
        at = np.unravel_index(bound.argmax(), bound.shape)
        element = np.zeros(bound.shape)
        element[at] = 1
        place = ", ".join(map(str, at))
        yield Number(quantity, f"[{place}], where its bound is largest", element)


def budgets(
    case: NetworkCase, dtype: str, flows: Mapping[str, Arrays]
) -> list[ErrorBudget]:
    """What the numbers of a case in a dtype are off by, and why.

    Args:
        case: the network and a batch, in that dtype.
        dtype: its name.
        flows: by implementation, what flowed through its network.
    """
    with ieee():
        wide = truth_dtype(dtype)
        truth = run(case.to(wide), REFERENCE)
        program = leading_to(network_steps(case.t, CHAIN), WANTED)
        given = {"x": case.x, **case.params}
        rows: list[ErrorBudget] = []
        wanted: dict[int, Number] = {}
        known: dict[Any, tuple[Bounds, dict[int, Budget]]] = {}
        for name, own in flows.items():
            unit = arithmetic(BACKENDS[name], dtype).unlimited
            elsewhere = other_side(program, own, truth)
            # Several have the same arithmetic, and hardly ever other masks.
            alike = unit, name if any(map(np.any, elsewhere.values())) else ""
            if alike not in known:
                whole = composed(program, given, unit)
                wanted = wanted or dict(enumerate(numbers(case, whole)))
                seeds = {i: {each.quantity: each.weights} for i, each in wanted.items()}
                budgeted = error_budgets(program, given, seeds, unit, elsewhere)
                known[alike] = whole, budgeted
            whole, found = known[alike]
            made = lost(case, own, dtype)
            for i, number in wanted.items():
                error = float(number.taken(own, wide) - number.taken(truth, wide))
                row = case.id, dtype, name
                rows.append(recorded(row, number, found[i], whole, error, made))
        return rows


def lost(case: NetworkCase, own: Arrays, dtype: str) -> Arrays:
    """What each step was off by, on what it took. In float64 that would take a wider
    dtype, which is slow, and is not asked.
    """
    if dtype == "float64":
        return {}
    right = local_truth(case.params, case.x, case.t, own, np.float64, CHAIN)
    return {name: own[name] - value for name, value in right.items()}


def leading_to(program: Program, names: set[str]) -> Program:
    """The steps that these values come of."""
    wanted, found = set(names), []
    for step in reversed(program):
        if step.name in wanted:
            wanted.update(step.operands)
            found.append(step)
    return found[::-1]


def other_side(program: Program, own: Arrays, truth: Arrays) -> dict[str, Any]:
    """How far values are off that a branch hangs on, where an implementation's are on
    another side of 0 than the truth.
    """
    names = {
        name
        for step in program
        if step.operation.in_doubt is not None
        for name in step.operands
        if name in own
    }
    return {
        name: np.where(
            (own[name] > 0) != (truth[name] > 0),
            np.abs(own[name] - truth[name]).astype(np.float64),
            0,
        )
        for name in names
    }


def recorded(
    row: tuple[str, str, str],
    number: Number,
    budget: Budget,
    whole: Bounds,
    error: float,
    made: Mapping[str, Any],
) -> ErrorBudget:
    """A row of what was found; `made` is what each step was off by."""
    case, dtype, implementation = row
    share = budget.share(made)
    return ErrorBudget(
        case=case,
        dtype=dtype,
        implementation=implementation,
        quantity=number.quantity,
        of=number.of,
        value=budget.value,
        composed=float(np.sum(np.abs(number.weights) * whole[number.quantity].error)),
        certain=budget.claimed(budget.certain),
        probable=budget.claimed(budget.probable),
        actual=abs(error),
        steps=[
            StepError(
                step=term.step,
                certain=term.certain,
                probable=term.probable,
                actual=share.get(term.step),
            )
            for term in budget.terms
        ],
    )
