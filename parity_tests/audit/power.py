"""How small a fault is certainly caught, in every quantity of every layer.

Whoever only rounds is no further from the computed truth T than the allowance A. A fault
multiplies what it returned, which is at least |T| - A, by 1 + f; the result is further from
T than A, whatever the rounding was, if f (|T| - A) - A > A. So f > 2 A / (|T| - A) is
certainly caught, and where A is not below |T|, no f is. About half of that is caught as a
rule, when what was rounded happens to be close to the truth.

A fault of all elements at once is caught by the best of them, one that is in a single
element, wherever that is, if it would be in the worst. Either need be caught in one case
only, since a fault of the code is there in all. Cases of a single element say nothing of
one among many. Elements that are 0 or no finite number cannot show a relative fault, and
those without a bound none at all; special inputs, where divergences are documented, are
left out.

A tensor of a network is held against the bound of the whole and against that of its own
step. Here the step takes the truth's tensors, rounded once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, NETWORK_CASES
from gradparity.parity_tests.checking.every_case import AS_LONG
from gradparity.parity_tests.checking.local import local_standard
from gradparity.parity_tests.checking.values import (
    Prepared,
    check,
    load_all,
    offers,
    quantities,
)
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.implementations.user_supplied import is_own
from gradparity.parity_tests.measuring.comparison import Allowed, distance
from gradparity.parity_tests.measuring.processor_mode import ieee
from gradparity.parity_tests.measuring.records import Fault, Power, Verdict

EVERY: list[Case | NetworkCase] = [*LAYER_CASES, *NETWORK_CASES]
TYPICAL = [case for case in EVERY if case.kind == "typical"]


def least_fault(truth: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Of each element, the relative fault beyond which each is certainly caught; infinite
    where none is, NaN where none can show.
    """
    size = np.abs(truth)
    askable = (size > 0) & np.isfinite(size) & np.isfinite(allowed)
    with np.errstate(all="ignore"):
        fault = np.where(size > allowed, 2 * allowed / (size - allowed), np.inf)
    return np.where(askable, fault, np.nan).astype(np.float64)


def faults(
    truth: np.ndarray, allowed: Allowed, case: str, by: Any = "whole"
) -> tuple[Fault | None, Fault | None]:
    """The least fault of all elements of a tensor, and of one wherever it is; None where
    there is none, or one element only.
    """
    found = least_fault(truth, allowed.certain)
    found = found[~np.isnan(found)]

    def fault(size: float) -> Fault | None:
        about: Any = {"case": case, "shape": [*truth.shape], "by": by}
        return Fault(size=size, **about) if np.isfinite(size) else None

    if not found.size:
        return None, None
    every, one = fault(float(found.min())), fault(float(found.max()))
    return every, one if found.size > 1 else None


def smaller(a: Fault | None, b: Fault | None) -> Fault | None:
    """The smaller of the two, if there are two; of equals the first."""
    if a is None or b is None:
        return a or b
    return a if a.size <= b.size else b


def tensors(
    prepared: Prepared, implementation: Implementation
) -> Iterator[tuple[str, str, np.ndarray, Allowed]]:
    """Yield the quantities of a case, by whose bound they are held, the truth and how far
    an implementation may be from it.
    """
    case, dtype = prepared.case, prepared.dtype
    backends = implementation.judged_as(case.layer)
    settings = {"any_form": is_own(implementation.name)}
    whole = prepared.allowed(*backends, **settings)
    by_step = judged_by_step(prepared, implementation)
    for name in by_step:
        yield name, "whole", prepared.truth[name], whole[name]
    if isinstance(case, NetworkCase):
        judged_by = [a.unlimited for a in prepared.arithmetics(*backends, **settings)]
        own = {name: v.astype(dtype) for name, v in prepared.truth.items()}
        given: Any = prepared.case
        steps = local_standard(given.params, given.x, given.t, own, dtype, judged_by)
        for name, (truth, allowed) in steps.items():
            if by_step.get(name):
                yield name, "step", truth, allowed


def judged_by_step(
    prepared: Prepared, implementation: Implementation
) -> dict[str, bool]:
    """Of each quantity that an implementation has, whether it is held against its step,
    too: of somebody's own network, that is to be seen only when it runs.
    """
    names = quantities(prepared.case)
    if not (is_own(implementation.name) and isinstance(prepared.case, NetworkCase)):
        return dict.fromkeys(names, isinstance(prepared.case, NetworkCase))
    rows, _ = check(prepared, implementation.name, implementation)
    return {
        row.quantity: row.local_ratio is not None
        for row in rows
        if row.verdict != Verdict.MISSING
    }


def of_case(prepared: Prepared, present: Sequence[Implementation]) -> Iterator[Power]:
    """Yield a row for each quantity of a case in each implementation that offers it."""
    case = prepared.case
    for implementation in present:
        if not offers(implementation, case):
            continue
        found: dict[str, Power] = {}
        for quantity, by, truth, allowed in tensors(prepared, implementation):
            every, one = faults(truth, allowed, case.id, by)
            row = Power(
                layer=case.layer,
                quantity=quantity,
                dtype=prepared.dtype,
                implementation=implementation.name,
                every=every,
                one=one,
            )
            found[quantity] = better(found[quantity], row) if quantity in found else row
        yield from found.values()


def better(a: Power, b: Power) -> Power:
    """What is caught in one of two cases."""
    return a.model_copy(
        update={"every": smaller(a.every, b.every), "one": smaller(a.one, b.one)}
    )


@dataclass
class Run:
    """The typical cases of some layers, in the arithmetic of some implementations. These
    compute nothing here, but for networks of somebody's own.
    """

    layers: Sequence[str]
    dtypes: Sequence[str]
    present: Sequence[Implementation]
    cases: list[Case | NetworkCase] = field(init=False)

    def __post_init__(self) -> None:
        self.cases = [case for case in TYPICAL if case.layer in self.layers]

    def whole(self, progress: Callable[[], object] = lambda: None) -> list[Power]:
        """A row for each quantity, dtype and implementation, in the order in which they
        are computed; `progress` is called after each case.
        """
        found: dict[tuple[str, ...], list[Power]] = {}
        errors: dict[tuple[str, ...], list[np.ndarray]] = {}
        for case in self.cases:
            for dtype in self.dtypes:
                with ieee():
                    prepared = Prepared.of(case, dtype)
                    for row in of_case(prepared, self.present):
                        what = row.layer, row.quantity, dtype, row.implementation
                        found.setdefault(what, []).append(row)
                    for name, value in prepared.reference.items():
                        relative = relative_errors(value, prepared.truth[name])
                        errors.setdefault((case.layer, name, dtype), []).append(
                            relative
                        )
            progress()
        rows = []
        for key, group in found.items():
            known = np.concatenate(errors[key[:-1]])
            typical = float(np.median(known)) if known.size else None
            row = reduce(better, group)
            rows.append(row.model_copy(update={"rounding": typical}))
        return sorted(rows, key=lambda row: self.dtypes.index(row.dtype))


def relative_errors(value: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|value - truth| / |truth| of all elements that are finite and not 0."""
    with np.errstate(all="ignore"):
        error = distance(value, truth) / np.abs(truth)
    return error[np.isfinite(error)].astype(np.float64).reshape(-1)


@dataclass(frozen=True)
class EveryPower:
    """All layers and the network, as a task (`parallel.py`)."""

    layers: Sequence[str]
    dtypes: Sequence[str]
    implementations: Sequence[str]

    @property
    def total(self) -> int:
        """In steps of trainings that take as long, as all tasks count."""
        return AS_LONG // 10 * len(self._run([]).cases)

    def run(self, progress: Callable[[int], object]) -> list[Power]:
        run = self._run(load_all(self.implementations)[0])
        return run.whole(lambda: progress(AS_LONG // 10))

    def _run(self, present: Sequence[Implementation]) -> Run:
        return Run(self.layers, self.dtypes, present)
