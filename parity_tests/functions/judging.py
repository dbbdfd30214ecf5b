"""Whether two programs compute the same: numbers judged by the adjoint bounds of both.

In float64 rounding is so small that even a bound for the worst case leaves no room for a
wrong constant, a wrong formula or a missing term. What is judged of a quantity is the
element that is furthest off, against how far rounding can have taken it; so whoever agrees
there agrees everywhere. Where an operator has no rule, there is no bound: then it is tried
how far noise in every step carries, which is an estimate, and called so.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.programs import Arrays, Recording
from gradparity.reference.rounding import Arithmetic, Bounds
from gradparity.reference.rounding.adjoint import MOST, Adjoint, Budget
from gradparity.reference.rounding.programs import Step, composed

NOISE = 2.0**-40  # relative, of every result in a noisy run
RUNS = 4
Index = tuple[int, ...]
Bound = tuple[float, float, bool]
MARGIN = 16.0  # times what noise of one rounding was seen to do


@dataclass(frozen=True, eq=False)
class Judged:
    """A recorded function with what it computes how.

    Args:
        recording: what ran, in float64.
        quantities: numbers of values by what they are called: outputs and gradients.
        arithmetic: how its framework computes, in the dtype that bounds are of.
        noisy: runs it again with noise of this scale and seed, and without what it casts.
        excused: the dtypes with fewer digits that it casts to, whose rounding counts as
            rounding: a cast to any other is a part of what it computes. None for all.
    """

    recording: Recording
    quantities: dict[str, int]
    arithmetic: Arithmetic
    noisy: Callable[[float, int], Recording] | None = field(default=None)
    excused: frozenset[str] | None = field(default=None)

    @cached_property
    def program(self) -> list[Step]:
        """The steps, with no rounding where it is not excused."""
        recording = self.recording
        barred = recording.narrow - (
            recording.narrow if self.excused is None else self.excused
        )
        if not barred:
            return recording.program
        found = {}
        for executed in recording.executed:
            moves = not recording.moving.isdisjoint(executed.results)
            for step in recording.entries(executed):
                step = unrounded(step, barred, recording.dtype) if moves else step
                found[step.name] = step
        return [*found.values()]

    def value(self, quantity: str) -> np.ndarray:
        return self.recording.values[self.quantities[quantity]]

    @cached_property
    def whole(self) -> Bounds:
        """Every value with the bound of all that leads to it."""
        return composed(self.program, self.recording.given, self.arithmetic)

    def error(self, number: int) -> np.ndarray | None:
        """How far a value may be off by the bounds of all steps; None if nobody knows."""
        bounded = self.whole.get(f"v{number}")
        if bounded is None or number in self.recording.opaque:
            return None
        return np.broadcast_to(bounded.error, self.recording.values[number].shape)

    def most(self, quantity: str, at: Index) -> float:
        """How far rounding may have taken an element, whatever its order; infinite where
        nobody knows.
        """
        error = self.error(self.quantities[quantity])
        return np.inf if error is None else float(np.nan_to_num(error[at], nan=np.inf))

    def room(self, quantity: str) -> np.ndarray:
        """How far rounding may have taken each element: by the bound, or where there is
        none, by what noise did.
        """
        error = self.error(self.quantities[quantity])
        if error is None or not np.isfinite(error).all():
            error = MARGIN * self.noise.get(quantity, np.zeros(()))
        return np.broadcast_to(error, self.value(quantity).shape)

    @cached_property
    def adjoint(self) -> Adjoint:
        """The program with its local bounds."""
        errors = {name: bounded.error for name, bounded in self.whole.items()}
        recording = self.recording
        return Adjoint.of(self.program, recording.given, self.arithmetic, errors)

    def forget(self) -> None:
        """Let go of what takes as much room as the program, several times over; budgets
        that were asked for are kept.
        """
        vars(self).pop("adjoint", None)

    @cached_property
    def known(self) -> dict[tuple[str, Index], Budget]:
        return {}

    def budget(self, quantity: str, at: Index) -> Budget | None:
        """The error budget of an element; None where a step on the way has no rule."""
        number = self.quantities[quantity]
        if number in self.recording.opaque:
            return None
        if (quantity, at) not in self.known:
            weights = np.zeros(self.value(quantity).shape)
            weights[at] = 1.0
            found = self.adjoint.budget({f"v{number}": weights})
            # The derivatives take as much room as the program.
            self.known[quantity, at] = replace(found, adjoints={})
        return self.known[quantity, at]

    def farther(self, quantity: str, at: Index) -> float:
        """As much as rounding comes to at most with derivatives where values are off."""
        weights = np.zeros(self.value(quantity).shape)
        weights[at] = 1.0
        return self.adjoint.farther({f"v{self.quantities[quantity]}": weights})

    @cached_property
    def noise(self) -> dict[str, np.ndarray]:
        """How far the quantities went in runs with noise, as roundings would take them."""
        found: dict[str, np.ndarray] = {}
        if self.noisy is None:
            return found
        own, narrow = self.recording, self.recording.narrow
        narrow = narrow if self.excused is None else narrow & self.excused
        u = max(self.arithmetic.within(dtype).u for dtype in ("", *narrow))
        steady = self.noisy(0.0, 0) if own.narrow else own
        for seed in range(RUNS):
            other = self.noisy(NOISE, seed)
            for name, number in self.quantities.items():
                if own.values[number].dtype.kind != "f":
                    continue
                end = own.ends.index(number)
                there, here = (each.values[each.ends[end]] for each in (other, steady))
                with np.errstate(all="ignore"):
                    moved = np.abs(there - here) * u / NOISE
                found[name] = np.fmax(found.get(name, 0.0), moved)
        return found


def unrounded(step: Step, barred: Container[str], dtype: str) -> Step:
    """The step in the dtype of the program, if it is in one of these."""
    settings = step.settings
    if step.operation.name == "cast" and settings["dtype"] in barred:
        settings = {"dtype": dtype}
    own = "" if step.dtype in barred else step.dtype
    return replace(step, settings=settings, dtype=own)


@dataclass(frozen=True)
class Number:
    """The element of a quantity that two differ most in.

    Args:
        quantity: what it is called.
        at: its index; None where shapes or dtypes differ.
        values: that of each.
        difference: the absolute value of the difference.
        largest: the largest absolute and the largest relative difference of any element.
        certain, probable: what rounding in both comes to at most, and probably; None where
            nothing can be said.
        estimated: the bound is no bound, but what noise did.
        same: whether it is within the bound.
        bounds: by side, what rounding in it alone comes to at most.
        unlike: by side, which shape or dtype the quantity has, where these differ.
        note: a sentence, where there is more to say.
    """

    quantity: str
    at: Index | None
    values: tuple[Any, ...]
    difference: float
    largest: tuple[float, float]
    certain: float | None
    probable: float | None
    estimated: bool
    same: bool
    bounds: tuple[float, ...] = ()
    unlike: tuple[str, ...] = ()
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The difference as a share of the bound."""
        return share(self.difference, self.certain)

    @property
    def probable_ratio(self) -> float | None:
        return share(self.difference, self.probable)


def share(difference: float, bound: float | None) -> float | None:
    if bound is None:
        return None
    if difference == 0:
        return 0.0
    return difference / bound if bound else np.inf


def differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The absolute differences; 0 where both are the same infinity, or NaN."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(all="ignore"):
        found = np.abs(one - other)
    alike = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(alike, 0.0, np.where(np.isnan(found), np.inf, found))


def judge(
    sides: Sequence[Judged], values: Sequence[Arrays] | None = None
) -> list[Number]:
    """What two differ in, quantity by quantity.

    Args:
        sides: the two.
        values: by side, the quantities that are compared, if they are not those that were
            recorded: what came out in another dtype.
    """
    one, other = sides
    given = values or [{q: s.value(q) for q in s.quantities} for s in sides]
    found: list[Number] = []
    for quantity in one.quantities:
        if quantity not in other.quantities:
            continue
        a, b = (each[quantity] for each in given)
        if a.shape != b.shape or (a.dtype.kind == "f") != (b.dtype.kind == "f"):
            found.append(unlike(quantity, a, b))
            continue
        off = differences(a, b)
        number = settled(quantity, a, b, off)
        if off.any() and a.dtype.kind == "f":
            number = bounded(number, sides, given, furthest(off, sides, quantity))
        found.append(number)
    for side in sides:
        side.forget()
    return found


def furthest(off: np.ndarray, sides: Sequence[Judged], quantity: str) -> Index:
    """Where the difference is largest, measured by how far rounding can take it."""
    scale: Any = 0.0
    for side in sides:
        error = side.error(side.quantities[quantity])
        if error is None:
            error = side.noise.get(quantity, np.abs(side.value(quantity)))
        scale = scale + np.where(np.isfinite(error), error, 0)
    with np.errstate(all="ignore"):
        ratio = np.where(off == 0, 0.0, off / scale)
    return tuple(int(i) for i in np.unravel_index(np.argmax(ratio), off.shape))


def unlike(quantity: str, a: np.ndarray, b: np.ndarray) -> Number:
    if a.shape != b.shape:
        each = f"shape {a.shape}", f"shape {b.shape}"
    else:
        each = f"dtype {a.dtype}", f"dtype {b.dtype}"
    far = np.inf, np.inf
    return Number(
        quantity, None, (), np.inf, far, None, None, False, False, unlike=each
    )


def settled(quantity: str, a: np.ndarray, b: np.ndarray, off: np.ndarray) -> Number:
    """What can be said without a bound: that they are the same, or whole numbers and
    booleans that are not.
    """
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(a.astype(np.float64)), np.abs(b.astype(np.float64)))
        relative = np.where(off == 0, 0.0, off / size)
    relative = np.where(np.isnan(relative), np.inf, relative)
    largest = float(off.max(initial=0)), float(relative.max(initial=0))
    at = (
        tuple(int(i) for i in np.unravel_index(np.argmax(off), off.shape))
        if off.size
        else ()
    )
    values = (a[at].item(), b[at].item()) if off.size else ()
    same = not off.any()
    return Number(quantity, at, values, largest[0], largest, 0.0, 0.0, False, same)


def bounded(
    number: Number, sides: Sequence[Judged], given: Sequence[Arrays], at: Index
) -> Number:
    """The number, of the element at which the difference is furthest beyond rounding."""
    a, b = (each[number.quantity][at] for each in given)
    found = replace(
        number,
        at=at,
        values=(a.item(), b.item()),
        difference=float(differences(np.asarray(a), np.asarray(b))),
    )
    bounds = [allowed(side, number.quantity, at) for side in sides]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds):
        note = "nothing is known of how far rounding can take it"
        return replace(found, certain=None, probable=None, estimated=True, note=note)
    finite = all(np.isfinite(value) for value in found.values)
    # Beyond the bounds that are passed on step by step, no order changes anything.
    most = sum(side.most(number.quantity, at) for side in sides)
    if finite and sum(bound[0] for bound in known) < found.difference <= most:
        pairs = zip(sides, known, strict=True)
        known = [farther(*each, number.quantity, at) for each in pairs]
    certain = sum(bound[0] for bound in known)
    # Of what is nothing but rounding, of any order, only these are a claim.
    if finite and np.isfinite(most):
        sizes = [abs(float(side.value(number.quantity)[at])) for side in sides]
        if all(b[0] > MOST * size for b, size in zip(known, sizes, strict=True)):
            certain = max(certain, most)
    return replace(
        found,
        certain=certain,
        probable=sum(bound[1] for bound in known),
        estimated=any(bound[2] for bound in known),
        bounds=tuple(bound[0] for bound in known),
        same=bool(finite and found.difference <= certain),
    )


def allowed(side: Judged, quantity: str, at: Index) -> Bound | None:
    """How far an element may be off: at most, probably, and whether that is an estimate;
    None where nothing is known.
    """
    budget = side.budget(quantity, at)
    if budget is not None and np.isfinite(budget.certain):
        return budget.certain, budget.probable, False
    moved = side.noise.get(quantity)
    if moved is None:
        return None
    bound = MARGIN * max(float(moved[at]), float(np.median(moved)))
    return bound, bound, True


def farther(side: Judged, bound: Bound, quantity: str, at: Index) -> Bound:
    """The bound, with what is quadratic in the errors, where it is one."""
    certain, probable, estimated = bound
    more = 0.0 if estimated else max(side.farther(quantity, at) - certain, 0.0)
    return certain + more, probable + more, estimated
