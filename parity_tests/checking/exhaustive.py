"""Every float32 there is through the element-wise layers, against the float64 truth.

A function of one float32 has 2**32 inputs and no more: here its values and derivatives
are not sampled but known. What is special is counted apart, so that it does not hide
what happens among normal numbers: NaN, infinite, zero and subnormal inputs, and normal
inputs whose true result is infinite, zero or subnormal in float32.

An error passes if rounding explains it (`ALLOWED`), the flushing of subnormals, or a
divergence that the catalogue documents; any other has failed.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.divergences import documented
from gradparity.parity_tests.catalogue.layers import LAYERS as SPECS
from gradparity.parity_tests.checking.explained import (
    OVERFLOW,
    QUANTITIES,
    SMALLEST_NORMAL,
    Explained,
    allowed,
    distance,
    ones,
    sigmoid,
)
from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.implementations.user_supplied import Left, Own
from gradparity.parity_tests.measuring.records import Among, Exhaustive, Verdict
from gradparity.reference import layers

FLOATS = 2**32
CHUNK = 2**19  # inputs at a time: few for the caches, many for what each call costs
FORGETTING = 256  # chunks, see `let_jax_forget`
WORKERS = min(os.cpu_count() or 1, 2)  # more would take more than a gibibyte

# The bits of a float32, its sign taken off, are in the order of its magnitude: a class
# begins where the one before it ends.
CLASSES = ("zero", "subnormal", "normal", "infinite", "NaN")
BEGIN = np.array([0, 1, 0x00800000, 0x7F800000, 0x7F800001], np.uint32)
SUBNORMAL, NORMAL = CLASSES.index("subnormal"), CLASSES.index("normal")
# Normal inputs are told apart by their true result, and the others by their class.
KINDS = [*(f"{name} result" for name in CLASSES), *CLASSES]
KINDS[NORMAL] = "normal"

ULPS = 2**23  # of a number, in the power of two that it begins with


def inputs(first: int, last: int, stride: int = 1) -> np.ndarray:
    """One float32 from each of these slots of `stride` neighbours.

    With stride 1 that is every float32, in the order of their bits. Else a slot gives
    now this one and now that, so that low bits vary as high ones do; but a power of two,
    a zero and an infinity that begin a slot are always taken.
    """
    bits = np.arange(first, last, dtype=np.uint64)
    if stride > 1:
        bits *= np.uint64(stride)
        mantissa, exponent = bits % np.uint64(2**23), bits // np.uint64(2**23)
        bits += spread(mantissa * (2 * exponent + 1)) * np.uint64(stride) >> np.uint64(
            32
        )
    return bits.astype(np.uint32).view(np.float32)


def spread(number: Any) -> Any:
    """Into 0..2**32-1, neighbours far apart: multiples of 2**32 / golden ratio."""
    return number * 2654435769 % 2**32


def classify(values: np.ndarray) -> np.ndarray:
    """The place of every float32 in `CLASSES`; a single one where all are alike, as
    neighbours nearly always are.
    """
    bits = values.view(np.uint32) & 0x7FFFFFFF
    least, largest = np.searchsorted(BEGIN, (bits.min(), bits.max()), "right") - 1
    return least if least == largest else np.searchsorted(BEGIN, bits, "right") - 1


def one_nan(values: np.ndarray) -> np.ndarray:
    """All NaN count as one: the same bits for each."""
    if np.isnan(values.max()):
        return np.where(np.isnan(values), np.float32(np.nan), values)
    return values


def truth_of(layer: str, x: np.ndarray) -> Arrays:
    """`out`, and `dx` for a dout of 1, in float64."""
    x = x.astype(np.float64)
    if layer in ("Sigmoid", "SigmoidGraph"):
        return sigmoid(x)
    return of_reference(layer, x)


def of_reference(layer: str, x: np.ndarray) -> Arrays:
    """The same in the dtype of x: `run_layer` would see to it as well that nothing is
    kept of an earlier batch, at twice the cost.
    """
    node = getattr(layers, layer)(**SPECS[layer].settings)
    out = node.forward(x)
    return {"out": out, "dx": node.backward(ones(x.size, x.dtype))}


# The element-wise layers of one array.
LAYERS = [
    name for name, spec in SPECS.items() if spec.elementwise and len(spec.inputs) == 1
]


# JAX has the processor flush subnormals, both as results and as inputs. A sigmoid also
# is 0 in place of a subnormal when exp(-x) overflows.
RESULT_FLUSHED, INPUT_FLUSHED = "0 for a subnormal", "a subnormal taken for 0"
ROUNDING, FAILED, DIFFERING = "rounding", "failed", "differing"


@dataclass(frozen=True)
class Tally:
    """What was found of some inputs; `documented` counts by reason."""

    inputs: int = 0
    differing: int = 0
    failed: int = 0
    documented: Counter[str] = field(default_factory=Counter)
    max_ulp: float = 0.0
    at: float | None = None
    value: float | None = None
    truth: float | None = None

    def __add__(self, other: "Tally") -> "Tally":
        worst = other if other.max_ulp > self.max_ulp else self
        return Tally(
            self.inputs + other.inputs,
            self.differing + other.differing,
            self.failed + other.failed,
            self.documented + other.documented,
            *(worst.max_ulp, worst.at, worst.value, worst.truth),
        )


Tallies = Mapping[str, Tally]  # by kind
Key = tuple[str, str, str]  # layer, quantity, implementation


class Yardstick:
    """What one quantity of a layer is measured by, at these x."""

    def __init__(
        self,
        layer: str,
        quantity: str,
        x: np.ndarray,
        of_x: np.ndarray,
        truth: np.ndarray,
        reference: np.ndarray,
    ) -> None:
        self.layer, self.quantity = layer, quantity
        self.x, self.truth = x, truth
        self.reference = one_nan(reference).view(np.uint32)
        rounded = truth.astype(np.float32)
        kinds = np.where(of_x == NORMAL, classify(rounded), of_x + len(CLASSES))
        present, numbers = np.unique(kinds, return_counts=True)
        numbers *= len(x) // kinds.size  # one kind may stand for all
        self.numbers = dict(zip(present.tolist(), numbers.tolist(), strict=True))
        self.kinds = np.broadcast_to(kinds, x.shape)
        power = (rounded.view(np.uint32) & 0x7F800000).view(np.float32)
        self.power = np.clip(power, SMALLEST_NORMAL, OVERFLOW / 2, out=power)
        self._measured: list[tuple[np.ndarray, Explained, Tallies]] = []

    def measure(
        self, results: Arrays, judged_as: Sequence[Backend], any_form: bool = False
    ) -> Tallies:
        """What is found of an implementation's float32; once for all who agree on every
        bit and are allowed the same, unless it takes a divergence to explain them, which
        may be of some alone.
        """
        value = results[self.quantity]
        by = allowed(self.layer, self.quantity, tuple(judged_as), any_form)
        tallies = self._known(value, by) or self._known(value := one_nan(value), by)
        if tallies:
            return tallies
        bits = value.view(np.uint32)
        error = self._error(value)
        worst = self._worst(error)
        found = {DIFFERING: np.flatnonzero(bits != self.reference)}
        always = by.roundings / 2 / ULPS  # what n roundings explain anywhere
        left = np.array([], int)
        if max(error[at] for at in worst.values()) > always:
            explained, left = self._explain(value, np.flatnonzero(error > always), by)
            found |= explained
        if special := left.size > 0:
            found |= self._documented(results, judged_as, left)
        tallies = {
            KINDS[kind]: self._tally(kind, at, value, error, found)
            for kind, at in worst.items()
        }
        if not special:
            self._measured.append((bits, by, tallies))
        return tallies

    def _known(self, value: np.ndarray, by: Explained) -> Tallies | None:
        """What was found of the same bits before, where as much was allowed."""
        bits = value.view(np.uint32)
        for known, as_much, tallies in self._measured:
            if as_much == by and (bits == known).all():
                return tallies
        return None

    def _error(self, value: np.ndarray) -> np.ndarray:
        """In units of `ULPS` ulps; infinite where one of value and truth is NaN."""
        error = value - self.truth
        np.abs(error, out=error)
        if error.max() == 0:
            return error
        error /= self.power
        if not np.isfinite(error.max()):
            error = distance(value, self.truth) / self.power
            error[np.isnan(value) & np.isnan(self.truth)] = 0
            error[np.isnan(error)] = np.inf
        return error

    def _worst(self, error: np.ndarray) -> dict[int, int]:
        """By kind, where the largest error is."""
        if len(self.numbers) == 1:
            return dict.fromkeys(self.numbers, int(error.argmax()))
        places = {kind: np.flatnonzero(self.kinds == kind) for kind in self.numbers}
        return {kind: int(at[error[at].argmax()]) for kind, at in places.items()}

    def _explain(
        self, value: np.ndarray, left: np.ndarray, by: Explained
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """By reason, the places whose error it explains, of those that are left; and what
        is left then.
        """
        found = {}
        for why, explains in (
            (ROUNDING, self._is_rounded),
            (RESULT_FLUSHED, self._is_flushed),
            (INPUT_FLUSHED, self._is_of_zero),
        ):
            if left.size:
                holds = explains(by, self.x[left], self.truth[left], value[left])
                found[why], left = left[holds], left[~holds]
        found.pop(ROUNDING, None)
        return found, left

    def _documented(
        self, results: Arrays, judged_as: Sequence[Backend], left: np.ndarray
    ) -> dict[str, np.ndarray]:
        """By divergence, the places that it explains, and the places that have failed."""
        found: dict[str, list[np.ndarray]] = {}
        inputs = {"x": self.x[left]}
        case = Case(self.layer, "every float32", inputs, ones(left.size, np.float32))
        own = {name: value[left] for name, value in results.items()}
        failed = np.ones(left.size, bool)
        for backend in judged_as:
            for entry in documented(case, self.quantity, "float32", backend):
                holds = failed & entry.holds(case, own, backend)
                found.setdefault(entry.where, []).append(left[holds])
                failed &= ~holds
        return {why: np.concatenate(at) for why, at in found.items()} | {
            FAILED: left[failed]
        }

    def _is_rounded(
        self, by: Explained, x: np.ndarray, truth: np.ndarray, value: np.ndarray
    ) -> np.ndarray:
        return distance(value, truth) <= by.error(x, truth)

    def _is_flushed(
        self, by: Explained, x: np.ndarray, truth: np.ndarray, value: np.ndarray
    ) -> np.ndarray:
        least = np.abs(truth) - by.error(x, truth)
        return (value == 0) & (least < SMALLEST_NORMAL)

    def _is_of_zero(
        self, by: Explained, x: np.ndarray, truth: np.ndarray, value: np.ndarray
    ) -> np.ndarray:
        zero = np.copysign(np.float32(0), x)
        of_zero = truth_of(self.layer, zero)[self.quantity]
        return (classify(x) == SUBNORMAL) & self._is_rounded(by, zero, of_zero, value)

    def _tally(
        self,
        kind: int,
        worst: int,
        value: np.ndarray,
        error: np.ndarray,
        found: Mapping[str, np.ndarray],
    ) -> Tally:
        """What was found where inputs are of this kind."""
        counts = Counter(
            {why: int((self.kinds[at] == kind).sum()) for why, at in found.items()}
        )
        arrays = (self.x, value, self.truth) if error[worst] else ()
        return Tally(
            self.numbers[kind],
            counts.pop(DIFFERING),
            counts.pop(FAILED, 0),
            +counts,
            float(error[worst]) * ULPS,
            *(float(array[worst]) for array in arrays),
        )


@contextmanager
def one_thread_in_torch() -> Iterator[None]:
    """The chunks are shared out among threads already."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def let_jax_forget() -> None:
    """To differentiate relu, not jitted, takes JAX 0.10.2 longer each time: after 8,000
    times, five times as long, for something is kept of every call.
    """
    jax = sys.modules.get("jax")
    if jax is not None:
        jax.clear_caches()


def run(
    implementation: Implementation, layer: str, x: np.ndarray, dout: np.ndarray
) -> Arrays:
    """Its results. Raises `Left` whatever somebody's own raises."""
    try:
        return implementation.run_layer(layer, {"x": x}, dout)
    except Exception as error:
        if not isinstance(implementation, Own) or isinstance(error, Left):
            raise
        raise Left.by(error, f"{layer} of {implementation.name}") from error


class Run:
    """Every float32, or one in `stride`, through these layers of these implementations.

    Iterating runs it and yields after every chunk. `rows` may be called at any moment,
    from a signal's handler too, for what is known by then.
    """

    def __init__(
        self,
        layers: Sequence[str],
        implementations: Sequence[Implementation],
        stride: int = 1,
    ) -> None:
        self.layers, self.implementations = layers, implementations
        self.stride, self.slots = stride, FLOATS // stride
        # From everywhere at once, so that a part of the run tells of the whole range.
        self.chunks = sorted(range(0, self.slots, CHUNK), key=spread)
        self._found: dict[Key, Tallies] = {}
        self._seconds: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self.layers) * len(self.chunks)

    def __iter__(self) -> Iterator[None]:
        pool = ThreadPoolExecutor(WORKERS)
        try:
            with one_thread_in_torch():
                for layer in self.layers:
                    started = time.perf_counter()
                    chunks = pool.map(partial(self._chunk, layer), self.chunks)
                    for number, found in enumerate(chunks):
                        if number % FORGETTING == 0:
                            let_jax_forget()
                        self._seconds[layer] = time.perf_counter() - started
                        self._found = merged(self._found, found)
                        yield
        finally:
            pool.shutdown(cancel_futures=True)

    def _chunk(self, layer: str, first: int) -> dict[Key, Tallies]:
        x = inputs(first, min(first + CHUNK, self.slots), self.stride)
        dout = ones(x.size, x.dtype)
        found = {}
        with np.errstate(all="ignore"):
            reference = of_reference(layer, x)
            of_x = classify(x)
            yardsticks = {
                quantity: Yardstick(
                    layer, quantity, x, of_x, truth, reference[quantity]
                )
                for quantity, truth in truth_of(layer, x).items()
            }
            for implementation in self.implementations:
                if not implementation.offers(layer):
                    continue
                judged_as = implementation.judged_as(layer)
                own = isinstance(implementation, Own)
                results = reference  # which need not be computed twice
                if implementation.name != "reference":
                    results = run(implementation, layer, x, dout)
                for quantity, yardstick in yardsticks.items():
                    key = (layer, quantity, implementation.name)
                    found[key] = yardstick.measure(results, judged_as, own)
        return found

    def rows(self) -> list[Exhaustive]:
        """A row for each quantity of each implementation."""
        found, seconds = self._found, self._seconds
        by_quantity = sorted(
            found, key=lambda key: (self.layers.index(key[0]), QUANTITIES.index(key[1]))
        )
        return [row(key, found[key], seconds[key[0]]) for key in by_quantity]


def merged(
    found: Mapping[Key, Tallies], more: Mapping[Key, Tallies]
) -> dict[Key, Tallies]:
    """Both together; neither is changed, so that either can still be read."""
    result = dict(found)
    for key, tallies in more.items():
        old = result.get(key, {})
        result[key] = {
            **old,
            **{k: old.get(k, Tally()) + t for k, t in tallies.items()},
        }
    return result


def row(key: Key, tallies: Tallies, seconds: float) -> Exhaustive:
    """What came of one quantity of one implementation."""
    layer, quantity, implementation = key
    total = sum(tallies.values(), Tally())
    normal = tallies.get("normal", Tally())
    if total.failed:
        verdict = Verdict.FAIL
    elif total.documented:
        verdict = Verdict.DOCUMENTED
    elif total.differing or total.max_ulp > 0.5:
        verdict = Verdict.WITHIN_BOUND
    else:
        verdict = Verdict.IDENTICAL
    return Exhaustive(
        layer=layer,
        quantity=quantity,
        implementation=implementation,
        inputs=total.inputs,
        differing=total.differing,
        max_ulp=normal.max_ulp,
        at=normal.at,
        documented=total.documented,
        failed=total.failed,
        verdict=verdict,
        seconds=round(seconds, 1),
        kinds=[
            Among(kind=kind, **vars(tallies[kind]))
            for kind in sorted(tallies, key=["normal", *KINDS].index)
        ],
    )
