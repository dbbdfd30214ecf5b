"""Runs the catalogue through the implementations: from cases to rows of checks."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from gradparity.parity_tests.catalogue.case import (
    Case,
    NetworkCase,
    without_subnormals,
)
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    NETWORK_CASES,
)
from gradparity.parity_tests.catalogue.divergences import Seen, known, table
from gradparity.parity_tests.catalogue.divergences.entry import place
from gradparity.parity_tests.catalogue.layers import LAYERS, one_hot_forms
from gradparity.parity_tests.catalogue.spellings import SPELLINGS
from gradparity.parity_tests.checking import local
from gradparity.parity_tests.implementations.backends import BACKENDS, NUMPY, Backend
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    Implementation,
    NotInstalled,
)
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.implementations.user_supplied import (
    Left,
    Own,
    is_own,
    its_own_affair,
    told,
)
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import (
    Allowed,
    alike,
    compare,
    distance,
    same_bits,
)
from gradparity.parity_tests.measuring.devices import (
    changed_since,
    mode,
    numpy_flushes,
)
from gradparity.parity_tests.measuring.dtypes import record, truth_dtype
from gradparity.parity_tests.measuring.processor_mode import ieee, mode_kept
from gradparity.parity_tests.measuring.records import Check, Divergence, Verdict, Worst
from gradparity.parity_tests.processes.at_once import AtOnce
from gradparity.reference.networks import TWO_LAYER_NET
from gradparity.reference.rounding import (
    Arithmetic,
    Bounded,
    Bounds,
    bounds,
    network_bounds,
)

Loaded = Implementation | NotInstalled
NOT_OFFERED = "not offered"
FLUSHED = "0 where the truth is subnormal: it may compute in threads with another mode"
REFERENCE = load("reference")


def try_load(name: str) -> Loaded:
    """The implementation, or why there is none."""
    before = mode()
    with mode_kept():
        try:
            found = load(name)
        except NotInstalled as reason:
            return reason
        if isinstance(found, Own):  # it is imported once, and named from then on
            found.changed = found.changed or changed_since(before, "its import")
    return found


def load_all(
    names: Sequence[str], to_train: bool = False
) -> tuple[list[Implementation], dict[str, str]]:
    """The implementations that there are, or that train; and by name why any is missing."""
    present: list[Implementation] = []
    missing: dict[str, str] = {}
    for name in names:
        found = try_load(name)
        if isinstance(found, NotInstalled):
            missing[name] = str(found)
        elif to_train and found.train is None:
            missing[name] = f"{name} offers no network to train"
        else:
            present.append(found)
    return present, missing


def offers(implementation: Loaded, case: Case | NetworkCase) -> bool:
    """Whether there is anything to compare; what is not installed counts as offered."""
    if isinstance(implementation, NotInstalled):
        return True
    if isinstance(case, NetworkCase):
        return implementation.run_network is not None
    if case.spelled:
        return implementation.spelled is not None
    return implementation.offers(case.layer)


def asked(implementation: Loaded, case: Case | NetworkCase) -> bool:
    """Whether it has to answer. Somebody's own need not refuse bad input, and other
    spellings than its own are none of its business.
    """
    if not isinstance(implementation, Own):
        return True
    return case.kind != "invalid" and not (isinstance(case, Case) and case.spelled)


@dataclass(frozen=True, eq=False)
class Standard:
    """What results in a dtype are held against: the truth, the reference's, and how far
    from the truth rounding can take them. `given` is what they are results of.
    """

    given: Any
    dtype: str
    truth: Arrays
    reference: Arrays
    truth_bounds: Bounds
    by_arithmetic: dict[Arithmetic, dict[str, Allowed]] = field(default_factory=dict)
    computed: dict[Arithmetic, Bounds] = field(default_factory=dict)

    @staticmethod
    def by_reference(given: Any) -> Arrays:
        """What the reference computes, in the dtype of what is given."""
        raise NotImplementedError

    @staticmethod
    def bounds(given: Any, arithmetic: Arithmetic) -> Bounds:
        """What rounding in this arithmetic can do to every quantity."""
        raise NotImplementedError

    @classmethod
    def of(cls, given: Any, dtype: str) -> Self:
        with ieee():
            given, wide = given.to(dtype), truth_dtype(dtype)
            numpys = arithmetic(NUMPY, dtype)
            bounded = cls.bounds(given, numpys)
            truth_bounds = cls.bounds(given, arithmetic(NUMPY, wide))
            truth = cls.by_reference(given.to(wide))
            for quantity, value in truth.items():
                truth[quantity] = trusted(value, bounded[quantity])
                if truth[quantity] is not value and wide is not np.float64:
                    truth_bounds[quantity] = bounded[quantity]  # it is a float64
        own, known = cls.by_reference(given), {numpys: bounded}
        return cls(given, dtype, truth, own, truth_bounds, computed=known)

    def allowed(
        self, *backends: Backend, any_form: bool = False, flushed: bool = False
    ) -> dict[str, Allowed]:
        """How far results may be from the truth, with the arithmetic of any of these.

        Args:
            any_form: by any algorithm that there is for a layer, or by the frameworks'.
            flushed: the processor was in a mode in which subnormal numbers are zero.
        """
        first, *others = map(
            self._allowed,
            self.arithmetics(*backends, any_form=any_form, flushed=flushed),
        )
        for other in others:
            first = {
                quantity: a.or_of(other[quantity]) for quantity, a in first.items()
            }
        return first

    def arithmetics(
        self, *backends: Backend, any_form: bool = False, flushed: bool = False
    ) -> list[Arithmetic]:
        """Those of the backends, as for `allowed`."""
        return [
            replace(arithmetic(each, self.dtype, flushed), any_form=any_form)
            for each in backends
        ]

    def _allowed(self, own: Arithmetic) -> dict[str, Allowed]:
        if own not in self.by_arithmetic:  # several have the same
            certain = self.computed.get(own) or self.bounds(self.given, own)
            probable = self.bounds(self.given, own.likely)
            self.by_arithmetic[own] = {
                quantity: Allowed.of(certain[quantity], probable[quantity], truth)
                for quantity, truth in self.truth_bounds.items()
            }
        return self.by_arithmetic[own]


@dataclass(frozen=True, eq=False)
class Prepared(Standard):
    """A case in a dtype, and what its results are held against; of bad input, only the
    reference's refusal.
    """

    refusal: str | None = None

    @staticmethod
    def by_reference(given: Case | NetworkCase) -> Arrays:
        return run(given, REFERENCE)

    @staticmethod
    def bounds(given: Case | NetworkCase, arithmetic: Arithmetic) -> Bounds:
        return error_bounds(given, arithmetic)

    @property
    def case(self) -> Case | NetworkCase:
        return self.given

    @classmethod
    def of(cls, given: Case | NetworkCase, dtype: str) -> Self:
        if given.kind != "invalid":
            return super().of(given, dtype)
        with ieee():
            case = given.to(dtype)
        return cls(case, dtype, {}, {}, {}, refusal=refusal(case, REFERENCE))


def trusted(truth: np.ndarray, bounded: Bounded) -> np.ndarray:
    """The truth; or the value that goes with its bound, where the two cannot both be.

    They come from formulas written down twice, in `layers/` and in `rounding/`. If
    the reference is what is wrong, it is the reference that must fail the comparison,
    and not everybody else.
    """
    value = bounded.value.astype(truth.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        agree = (truth == value) | (np.isnan(truth) & np.isnan(value))
        # Either may be off by the bound where no dtype is wider than the one under test.
        agree |= np.abs(truth - value) <= 2 * bounded.error
        if truth.dtype != np.float64:
            # Bounds are computed in float64: beyond it there is nothing to compare.
            agree |= ~np.isfinite(value + bounded.error)
    return truth if agree.all() else value


def heading(case: Case | NetworkCase, dtype: str, name: str) -> dict[str, Any]:
    """What all rows of a case in a dtype by an implementation begin with."""
    return {
        "scope": "network" if isinstance(case, NetworkCase) else "layer",
        "case": case.id,
        "kind": case.kind,
        "layer": case.layer,
        "dtype": dtype,
        "implementation": name,
    }


def check(
    prepared: Prepared, name: str, implementation: Loaded
) -> tuple[list[Check], Arrays]:
    """The rows of one case in one dtype for one implementation, and its results."""
    case, dtype = prepared.case, prepared.dtype
    row = heading(case, dtype, name)

    def all_alike(verdict: Verdict, note: str) -> tuple[list[Check], Arrays]:
        alike = row | {"verdict": verdict, "note": note}
        return [Check(**alike, quantity=q) for q in labels(case)], {}

    if isinstance(implementation, NotInstalled):
        return all_alike(Verdict.MISSING, str(implementation))
    if not asked(implementation, case):
        return [], {}
    if not offers(implementation, case):
        own = isinstance(implementation, Own)
        return all_alike(Verdict.MISSING, NOT_OFFERED) if own else ([], {})
    if case.kind == "invalid":
        found = check_refusal(prepared, implementation)
        return [Check(**row, quantity="refusal", **found)], {}
    with ieee():
        given = case.to(dtype)  # arrays of its own, for it may write into them
    flushed, rounded = mode()
    with mode_kept():
        try:
            results = run(given, implementation)
        except Exception as error:  # whatever it is, the other rows are still wanted
            return all_alike(Verdict.FAIL, raised_by(error))
        changed = changed_since((flushed, rounded))
        flushes_now = flushed or numpy_flushes()
    judged_as = implementation.judged_as(case.layer)
    with ieee():
        settings = {
            "any_form": isinstance(implementation, Own),
            "flushed": flushes_now,
        }
        allowed = prepared.allowed(*judged_as, **settings)
        if isinstance(implementation, Own):
            changed = changed or implementation.changed
        blame = ({"note": changed} if changed else {}) | written_into(given, case)
        found = {
            q: verdict(
                *(prepared, name, q, results, allowed[q], judged_as),
                flushed=settings["flushed"],
            )
            for q in quantities(case)
        }
        if settings["flushed"] and isinstance(case, Case):
            seen = Prepared.of(case.flushed(), dtype)
            allowed = seen.allowed(*judged_as, **settings)
            for q, first in found.items():
                if first["verdict"] == Verdict.FAIL:
                    found[q] = verdict(
                        *(seen, name, q, results, allowed[q], judged_as), flushed=True
                    )
        for q, it in found.items():
            if it["verdict"] != Verdict.FAIL:
                continue
            if its_own_affair(implementation, q):
                found[q] = {"verdict": Verdict.MISSING, "note": NOT_OFFERED}
            elif lost_subnormal(it.get("worst"), dtype):
                note = "; ".join(filter(None, (it.get("note"), FLUSHED)))
                found[q] = it | {"note": note}
        if isinstance(case, NetworkCase):
            arithmetics = prepared.arithmetics(*judged_as, **settings)
            local.judge(case, dtype, results, arithmetics, found)
        return [
            Check(**row, quantity=label, **(found[q] | blame))
            for q, label in zip(quantities(case), labels(case), strict=True)
        ], results


def lost_subnormal(worst: Worst | None, dtype: str) -> bool:
    """Whether the worst element is 0, and by right too small for a normal number."""
    smallest = record(dtype).info.smallest_normal
    return worst is not None and worst.value == 0 < abs(worst.truth) < smallest


def written_into(given: Case | NetworkCase, case: Case | NetworkCase) -> dict[str, Any]:
    """A verdict, if any argument that an implementation was given is no longer that of the
    case; else nothing.
    """
    before = case.arguments
    spoilt = [n for n, v in given.arguments.items() if not same_bits(v, before[n])]
    if not spoilt:
        return {}
    return {"verdict": Verdict.FAIL, "note": f"wrote into {' and '.join(spoilt)}"}


def raised_by(error: Exception) -> str:
    if isinstance(error, Left):
        return str(error)
    return f"raised {told(error)}"


def verdict(
    prepared: Prepared,
    name: str,
    quantity: str,
    results: Arrays,
    allowed: Allowed,
    judged_as: Sequence[Backend] = (),
    flushed: bool = False,
) -> dict[str, Any]:
    """What comes of one quantity, documented divergences included. With subnormal numbers
    flushed, what is within its bound need not be as documented.

    A divergence is asserted of an implementation that is built in. Somebody's own may
    have those that are documented for any of `judged_as`, and need not.
    """
    backends = tuple(judged_as) or (BACKENDS[name],)
    own = len(backends) > 1
    if quantity not in results:
        if own and isinstance(prepared.case, NetworkCase):
            return {"verdict": Verdict.MISSING, "note": NOT_OFFERED}
        return {"verdict": Verdict.FAIL, "note": f"{quantity} was not returned"}
    value, truth = results[quantity], prepared.truth[quantity]
    reference = None if name == "reference" else prepared.reference[quantity]
    found = compare(value, truth, allowed, prepared.dtype, reference, flushed)
    if value.shape != truth.shape or value.dtype != prepared.dtype:
        return found
    with np.errstate(over="ignore", invalid="ignore"):
        right = truth.astype(value.dtype)
        bounded = np.isfinite(allowed.certain)
        near = bounded & (distance(value, truth) <= allowed.certain)
    correct = near | alike(value, right) | (value == right)
    different = np.zeros(value.shape, bool)
    seen, note = [], ""
    # Somebody's own may make one-hot rows of labels, and part where those do.
    cases = [prepared.case, *(one_hot_forms(prepared.case) if own else ())]
    entries = [
        (entry, case, each)
        for case in cases
        for each in backends
        for entry in known(case, quantity, prepared.dtype, each)
    ]
    for entry, case, each in entries:
        here, expected = entry.at(case, results, each)
        if own:
            here = here & alike(value, expected)
        unlike = here & ~alike(value, expected)
        applies = entry.applies_to(each)
        if not applies:  # what was wrong in other versions and is right in this one
            unlike &= correct & ~alike(expected, right)
        if flushed:
            unlike &= bounded & ~correct & ~alike(value, without_subnormals(expected))
        if unlike.any():
            at = tuple(map(int, np.argwhere(unlike)[0]))
            was, now = expected[at], value[at]
            note = f"{entry.id}: expected {was}, got {now}"
            if correct[at]:
                note = entry.gone(case, at, was, now, right[at])
            if applies:
                worst = Worst(index=[*at], value=float(now), truth=float(truth[at]))
                return found | {"verdict": Verdict.FAIL, "note": note, "worst": worst}
        if applies and (here & ~alike(value, right)).any():
            different |= here
            seen.append(entry.id)
    if not seen:
        return where_it_is(found, prepared.case) | ({"note": note} if note else {})
    rest, allowed = np.where(different, right, value), allowed.but_for(different)
    others = compare(rest, truth, allowed, prepared.dtype, reference, flushed)
    if others["verdict"] == Verdict.FAIL:
        return where_it_is(others, prepared.case)
    ids = ", ".join(dict.fromkeys(seen))
    note = f"{ids}; {note}" if note else ids
    if others["verdict"] == Verdict.NO_BOUND:
        return others | {"note": f"{others['note']}; elsewhere {note}"}
    return found | {"verdict": Verdict.DOCUMENTED, "note": note}


def where_it_is(found: dict[str, Any], case: Case | NetworkCase) -> dict[str, Any]:
    """What was found; of a failure of an element-wise layer, with the numbers that go into
    the element.
    """
    if found["verdict"] != Verdict.FAIL or isinstance(case, NetworkCase):
        return found
    if not LAYERS[case.layer].elementwise:
        return found
    return found | {"note": f"at {place(case, tuple(found['worst'].index))}"}


def quantities(case: Case | NetworkCase) -> Sequence[str]:
    """What is compared of a case, in the order in which it is computed."""
    if case.kind == "invalid":
        return ("refusal",)
    if isinstance(case, NetworkCase):
        return TWO_LAYER_NET.quantities
    layer = LAYERS[case.layer]
    return [*(() if case.spelled else layer.outputs), *layer.gradients]


def labels(case: Case | NetworkCase) -> Sequence[str]:
    """What the rows call these quantities."""
    if isinstance(case, Case) and case.spelled:
        return [f"{quantity} of {case.spelled}" for quantity in quantities(case)]
    return quantities(case)


def run(case: Case | NetworkCase, implementation: Implementation) -> Arrays:
    """The results of a case."""
    if isinstance(case, NetworkCase):
        assert implementation.run_network is not None
        return implementation.run_network(case.params, case.x, case.t)
    if case.spelled and implementation.spelled is not None:
        implementation = implementation.spelled(SPELLINGS[case.spelled])
    return implementation.run_layer(case.layer, case.inputs, case.dout)


def error_bounds(case: Case | NetworkCase, arithmetic: Arithmetic) -> Bounds:
    """What rounding in this arithmetic can do to every quantity of a case, as long as
    nothing overflows on the way: where something does, and it shows, that is a
    divergence to be documented.
    """
    return limited_bounds(case, arithmetic.unlimited)


def limited_bounds(case: Case | NetworkCase, arithmetic: Arithmetic) -> Bounds:
    """The same, and none where something may overflow on the way."""
    if isinstance(case, NetworkCase):
        return network_bounds(case.params, case.x, case.t, arithmetic)
    settings = LAYERS[case.layer].settings
    return bounds(case.layer, case.inputs, case.dout, arithmetic, **settings)


def refusal(case: Case | NetworkCase, implementation: Implementation) -> str | None:
    """The sentence that an implementation refuses a case with, or None if it does not.

    Only ValueError and TypeError are refusals; anything else is a crash.
    """
    try:
        run(case, implementation)
    except (ValueError, TypeError) as error:
        return str(error)
    except Exception as error:
        return raised_by(error)
    return None


def check_refusal(prepared: Prepared, implementation: Implementation) -> dict[str, Any]:
    """Whether bad input is refused, and in the reference's own words."""
    case, expected = prepared.case, prepared.refusal
    came = refusal(case, implementation)
    if came is not None and all(part in came for part in case.refusal):
        verdict = Verdict.IDENTICAL if came == expected else Verdict.FAIL
        note = came if came == expected else f"expected {expected!r}, got {came!r}"
    else:
        verdict = Verdict.FAIL
        said = "was accepted" if came is None else f"was refused with {came!r}"
        note = f"the error must name {', '.join(case.refusal)}; the input {said}"
    return {"verdict": verdict, "note": note}


class Run:
    """The catalogue's cases of some layers, through some implementations.

    Iterating gives the rows of one case at a time: all dtypes and implementations of
    it. They run side by side in threads, since most of the time goes into compiling and
    importing, and those let go of Python's lock. Where other processes are at work, one
    thread is enough: several take a quarter more of the processors' time in all. Somebody's
    own may fork, which OpenBLAS does not survive in another thread: nothing runs beside it.
    """

    def __init__(
        self,
        layers: Sequence[str],
        dtypes: Sequence[str],
        implementations: Sequence[str],
        edges_only: bool = False,
        threads: int | None = None,
    ) -> None:
        self.dtypes, self.implementations = dtypes, implementations
        self.threads = threads or (os.cpu_count() or 1) + 1
        everything: list[Case | NetworkCase] = [*LAYER_CASES, *NETWORK_CASES]
        self.cases = [
            case
            for case in everything
            if case.layer in layers and (case.kind == "edge" or not edges_only)
        ]
        self._seen: list[Seen] = []
        # Of typical networks, by case and dtype: what flowed through whose.
        self.flows: dict[tuple[NetworkCase, str], dict[str, Arrays]] = {}

    def whole(
        self, progress: Callable[[], object] = lambda: None
    ) -> tuple[list[Check], list[Divergence]]:
        """All checks, and the divergences documented for them; `progress` is called after
        each case.
        """
        checks: list[Check] = []
        for found in self:
            checks += found
            progress()
        return checks, self.divergences()

    def __iter__(self) -> Iterator[list[Check]]:
        own = any(map(is_own, self.implementations))
        pool = AtOnce() if own else ThreadPoolExecutor(self.threads)
        try:
            # An import is work like any other: the reference need not wait for JAX's.
            loaded = {n: pool.submit(try_load, n) for n in self.implementations}

            def submit(case: Case | NetworkCase) -> list[Future[list[Check]]]:
                prepared = [Prepared.of(case, dtype) for dtype in self.dtypes]
                pairs = [(p, n) for p in prepared for n in self.implementations]
                return [pool.submit(self._check, p, n, loaded[n]) for p, n in pairs]

            pending = map(submit, self.cases)
            for futures in pending if own else [*pending]:
                yield [row for future in futures for row in future.result()]
        finally:  # who stops early does not want to wait for the rest
            pool.shutdown(cancel_futures=True)

    def _check(
        self, prepared: Prepared, name: str, implementation: Future[Loaded]
    ) -> list[Check]:
        rows, results = check(prepared, name, implementation.result())
        case = prepared.case
        if isinstance(case, NetworkCase) and case.kind == "typical":
            self.flows.setdefault((case, prepared.dtype), {})[name] = results
        if isinstance(case, Case) and case.kind == "edge":
            if name == "reference":  # beside other spellings, stands what it returns
                results = prepared.reference
            loaded = implementation.result()
            judged_as: Sequence[Backend] = ()
            if not isinstance(loaded, NotInstalled):
                judged_as = loaded.judged_as(case.layer)
            self._seen.append(
                Seen(case, prepared.dtype, name, results, prepared.truth, judged_as)
            )
        return rows

    def divergences(self) -> list[Divergence]:
        """The documented divergences, with what every implementation returned.

        The examples are those of the first cases, in whatever order the threads ended.
        """
        place = {case.id: index for index, case in enumerate(self.cases)}
        names = self.implementations
        seen = sorted(self._seen, key=lambda s: (place[s.case.id], names.index(s.name)))
        return list(table(seen, names))
