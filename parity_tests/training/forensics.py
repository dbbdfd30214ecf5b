"""Where two trainings part, and why: found, named and proved by replaying it.

Two implementations start from the same parameters and see the same mini-batches; what
they make of them differs by rounding. A network with ReLU is smooth as long as every
pre-activation keeps its sign, and then small differences stay small. They no longer do
where a pre-activation is so close to zero that it is positive in one implementation and
not in the other: one lets a sample through and the other does not.

In symbols: A and B have the parameters a and b, and take a step to a' and b'. Let F(p) be
the exact result of such a step from p with the ReLUs open where A's are. Then

    (a' - b') - (F(a) - F(b))

is what the two steps have made of rounding, for which there is a bound, element by
element; or of a ReLU that is open in A and shut in B, for which there is none. All that
rounding did in earlier steps is in a and b, and so in F(a) - F(b). A step parts the
trajectories where this is beyond the bound.

Two steps are of interest. The first of all that do this may move the parameters by less
than they are apart already. The first that leaps does it by more than rounding could move
any parameter of that tensor, and is what one sees in a curve.

Cost: while the reference trains, those of its pre-activations that come near zero are
noted. Only where another's parameters, known at the plan's stops, may put one of these on
the other side are steps taken again. The leap is found by bisection over the stops.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gradparity.parity_tests.checking import local
from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.implementations.user_supplied import its_own_affair
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.records import Apart, Parting, Together
from gradparity.parity_tests.training.plan import Plan, Trained, Trajectory, in_dtype
from gradparity.reference.layers import Relu
from gradparity.reference.networks import TWO_LAYER_NET, Chain
from gradparity.reference.rounding import Arithmetic, network_bounds, step_bounds

LATER = (1, 10, 50)  # so many steps after the parting, the gap is told again
RECENT = 4  # parameters that a replay remembers beside those it was given
STRIDE = 10  # steps in one call, where one after another is not asked for
SLACK = 4.0  # roundings of a pre-activation, when it is asked who may have flipped


class Notes(NamedTuple):
    """What came near zero in front of the reference's ReLU: `near` has a row for each,
    (step, sample in the batch, hidden unit), `values` what it was, and `nearest` is the
    smallest of all.
    """

    near: np.ndarray
    values: np.ndarray
    nearest: float


class Watch(LectureStyle):
    """The reference, which takes notes while it trains; the last by dtype."""

    def __init__(self) -> None:
        super().__init__("reference")
        self.plain, self.train = self.train, self.noting
        self.notes: dict[str, Notes] = {}

    def noting(self, params: Arrays, *arguments: Any, **options: Any) -> Iterator[Any]:
        """As `reference.training.train`."""
        relu = NotingRelu()
        yield from self.plain(params, *arguments, chain=noted_by(relu), **options)
        near, values = np.concatenate(relu.near), np.concatenate(relu.values)
        self.notes[params["W1"].dtype.name] = Notes(near, values, relu.nearest)


def noted_by(relu: "NotingRelu") -> Chain:
    """The network's chain with this for its ReLU."""
    layers = (
        layer._replace(kind=lambda: relu) if layer.kind is Relu else layer
        for layer in TWO_LAYER_NET.layers
    )
    return replace(TWO_LAYER_NET, layers=tuple(layers))


class NotingRelu(Relu):
    """A ReLU that notes what comes near zero, where it is not only to predict."""

    def __init__(self) -> None:
        super().__init__()
        self.nearest = np.inf
        self.near: list[np.ndarray] = []
        self.values: list[np.ndarray] = []

    def forward(self, x: Any) -> Any:
        self.x = x
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        size = np.abs(self.x)
        self.nearest = min(self.nearest, float(size.min()))
        sample, unit = np.nonzero(size < nearness(self.x.dtype))
        step = np.full_like(sample, len(self.near) + 1)
        self.near.append(np.stack([step, sample, unit], axis=-1))
        self.values.append(self.x[sample, unit])
        return super().backward(dout)


@cache
def nearness(dtype: Any) -> float:
    """What is near zero: as long as only rounding lies between two implementations, their
    pre-activations are much closer than this.
    """
    return float(np.sqrt(np.finfo(dtype).eps))


@dataclass(eq=False)
class Replay:
    """A training that can be taken up at any step."""

    plan: Plan
    dtype: str
    implementation: Implementation
    known: dict[int, Arrays]  # parameters after so many steps
    recent: dict[int, Arrays] = field(default_factory=dict)  # the last of the others

    @classmethod
    def of(
        cls,
        plan: Plan,
        dtype: str,
        implementation: Implementation,
        trajectory: Trajectory,
    ) -> "Replay":
        start = {name: value.astype(dtype) for name, value in plan.params.items()}
        reached = zip(plan.stops, trajectory.params, strict=True)
        return cls(plan, dtype, implementation, {0: start, **dict(reached)})

    @property
    def name(self) -> str:
        return self.implementation.name

    @property
    def arithmetic(self) -> Arithmetic:
        return arithmetic(self.implementation.backend, self.dtype)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The images and labels of a step, counted from 1."""
        data = in_dtype(self.plan.dataset, self.dtype)
        chosen = self.plan.batches[step - 1]
        return data.x_train[chosen], data.t_train[chosen]

    def at(self, step: int) -> Arrays:
        """The parameters after so many steps."""
        reached = {**self.known, **self.recent}
        at = max(known for known in reached if known <= step)
        params = reached[at]
        while at < step:
            count = STRIDE if step - at > STRIDE else 1
            params = self.run(at + 1, count, params)
            at += count
            self.recent[at] = params
            if len(self.recent) > RECENT:
                del self.recent[next(iter(self.recent))]
        return params

    def step(
        self, step: int, params: Arrays, forced: Sequence[tuple[int, int]] = ()
    ) -> Arrays:
        """The parameters after this step, taken from `params` by the implementation."""
        return self.run(step, 1, params, forced)

    def run(
        self,
        first: int,
        count: int,
        params: Arrays,
        forced: Sequence[tuple[int, int]] = (),
    ) -> Arrays:
        """The parameters after so many steps, taken from `params`.

        Args:
            first: the first of the steps, counted from 1.
            count: how many.
            params: those before.
            forced: (sample in the batch, hidden unit) of a single step, where the ReLU is
                to be open if it is shut, and shut if it is open.
        """
        batches = [self.batch(step) for step in range(first, first + count)]
        x, t = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        if forced:
            x, params = self._forced(x, params, forced)
        assert self.implementation.train is not None
        order = np.arange(len(x)).reshape(count, -1)
        rate = self.plan.learning_rate
        stops = self.implementation.train(params, (x, t), (x, t), order, rate)
        *_, (_, reached, _, _) = stops
        pixels = x.shape[1] - len(forced)
        return {**reached, "W1": reached["W1"][:pixels]}

    def worst_tensor(self, step: int, params: Arrays) -> tuple[Any, Any]:
        """That of the tensors of this step which uses the largest share of its bound,
        judged on what the implementation itself computed it from, and the share; None and
        None where the implementation traces no network.
        """
        network = self.implementation.run_network
        if network is None:
            return None, None
        x, t = self.batch(step)
        own = {
            name: value
            for name, value in network(params, x, t).items()
            if not its_own_affair(self.implementation, name)
        }
        found = local.compared(params, x, t, own, self.dtype, [self.arithmetic])
        shares = {name: row.get("bound_ratio", np.inf) for name, row in found.items()}
        worst = max(shares, key=lambda name: shares[name])
        return worst, shares[worst]

    def preactivations(self, step: int, params: Arrays) -> np.ndarray:
        """What the implementation hands its ReLU in this step, (batch, hidden)."""
        return self._affine(self.batch(step)[0], params)

    def _affine(self, x: np.ndarray, params: Arrays) -> np.ndarray:
        inputs = {"x": x, "W": params["W1"], "b": params["b1"]}
        dout = np.zeros((len(x), len(params["b1"])), x.dtype)
        return self.implementation.run_layer("Affine", inputs, dout)["out"]

    def _forced(
        self, x: np.ndarray, params: Arrays, forced: Sequence[tuple[int, int]]
    ) -> tuple[np.ndarray, Arrays]:
        """The batch and the parameters with one pixel more for each of `forced`: it is 1
        in that sample, 0 in all others, and its one weight lifts that unit's
        pre-activation over zero, or presses it below.

        So any implementation can be forced, from outside, and by no more than it takes.
        """
        z = self._affine(x, params)
        for sample, unit in forced:
            size = max(abs(float(z[sample, unit])), float(np.finfo(self.dtype).tiny))
            shut = z[sample, unit] <= 0
            pixel = np.zeros((len(x), 1), x.dtype)
            pixel[sample] = 1
            wider = np.concatenate([x, pixel], axis=1)
            while (z[sample, unit] <= 0) == shut:
                size *= 2
                row = np.zeros((1, z.shape[1]), x.dtype)
                row[0, unit] = size if shut else -size
                lifted = {**params, "W1": np.concatenate([params["W1"], row])}
                z = self._affine(wider, lifted)
            x, params = wider, lifted
        return x, params


class Excess(NamedTuple):
    """What a step has added to a difference, beyond the exact step: by how many times the
    bound, in the element where that is most, and the two numbers; and the largest that
    was added to a tensor, by the largest bound in it.
    """

    ratio: float
    jump: float
    allowed: float
    leap: float


@dataclass(eq=False)
class Pair:
    """The reference's training and another's, in the same dtype."""

    reference: Replay
    other: Replay
    rate: float = field(init=False)  # as both multiply with it

    def __post_init__(self) -> None:
        to = np.dtype(self.reference.dtype).type
        self.rate = float(to(self.reference.plan.learning_rate))

    def gap(self, step: int) -> float:
        """The largest difference of a parameter after so many steps."""
        return gap(*self.at(step))

    def mask(self, step: int) -> np.ndarray:
        """Which of the reference's ReLUs are open in this step."""
        z = self.reference.preactivations(step, self.reference.at(step - 1))
        return ~(z <= 0)

    def allowed(self, step: int) -> tuple[Arrays, Arrays]:
        """For each tensor F(a) - F(b), and how far from it rounding can take what this
        step makes of a and b. The truth is computed in float64, which rounds as well.
        """
        x, t = self.reference.batch(step)
        mask, own = self.mask(step), arithmetic(NUMPY, np.float64)
        exact: list[Arrays] = []
        errors: Arrays = {}
        for params, replay in zip(
            self.at(step - 1), (self.reference, self.other), strict=True
        ):
            for used in (replay.arithmetic, own):
                bounded = step_bounds(params, x, t, self.rate, used, mask)
                for name, value in bounded.items():
                    errors[name] = errors.get(name, 0.0) + value.error
            exact.append({name: value.value for name, value in bounded.items()})
        return {name: exact[0][name] - exact[1][name] for name in errors}, errors

    def excess(self, step: int, after: Arrays) -> Excess:
        """What this step adds to the difference, if it takes the other to `after`."""
        exact, allowed = self.allowed(step)
        reference = self.reference.at(step)
        found = Excess(0.0, 0.0, 0.0, 0.0)
        for name, bound in allowed.items():
            apart = reference[name].astype(np.longdouble) - after[name]
            jump = np.abs(apart - exact[name]).astype(np.float64)
            at = np.unravel_index(np.argmax(jump / bound), jump.shape)
            here = float(jump[at] / bound[at]), float(jump[at]), float(bound[at])
            leap = max(found.leap, float(jump.max() / bound.max()))
            found = Excess(*max(here, found[:3]), leap)
        return found

    def at(self, step: int) -> tuple[Arrays, Arrays]:
        return self.reference.at(step), self.other.at(step)

    def apart(self, step: int) -> bool:
        """Whether so much lies between them that some step may have been a leap."""
        following = min(step + 1, self.plan.steps)
        _, allowed = self.allowed(following)
        a, b = self.at(step)
        return any(np.abs(a[n] - b[n]).max() > np.max(allowed[n]) / 2 for n in allowed)

    @property
    def plan(self) -> Plan:
        return self.reference.plan

    def leap(self) -> int | None:
        """The first step that moves a tensor by more than rounding could any element."""
        stops = [0, *self.plan.stops]
        if not self.apart(stops[-1]):
            return None
        first = bisect_left(stops, True, key=self.apart)
        for step in range(stops[max(first - 1, 0)] + 1, self.plan.steps + 1):
            grown = self.gap(step) > 1.5 * self.gap(step - 1)
            if grown and self.excess(step, self.other.at(step)).leap > 1:
                return step
        return None

    def parting(self, notes: Notes) -> int | None:
        """The first step that parts the two at all."""
        for step in self.suspects(notes):
            if self.flips(step) and self.excess(step, self.other.at(step)).ratio > 1:
                return step
        return None

    def suspects(self, notes: Notes) -> Iterator[int]:
        """The steps in which some ReLU is open in one and shut in the other.

        Only where the reference's pre-activation is no further from zero than twice what
        the other's parameters make of it, and rounding, is the other's computed. Where
        that may be any of them, not only those that are near zero, every step is one.
        """
        u = float(np.finfo(notes.values.dtype).eps) / 2
        for start, stop in pairwise([0, *self.plan.stops]):
            first, last = np.searchsorted(notes.near[:, 0], [start + 1, stop + 1])
            steps, samples, units = notes.near[first:last].T
            x, values = self.images(steps, samples), notes.values[first:last]
            moved, wide = np.zeros(len(units)), False
            for at in (start, stop):
                a, b = self.at(at)
                dW1, db1 = (a[n].astype(float) - b[n] for n in ("W1", "b1"))
                moved = np.maximum(moved, np.abs(dotted(x, dW1, units) + db1[units]))
                of_all = self.reference.batch(max(at, 1))[0] @ dW1 + db1
                wide |= bool(2 * np.abs(of_all).max() > nearness(values.dtype))
            W1, b1 = (np.abs(self.reference.at(stop)[name]) for name in ("W1", "b1"))
            rounding = SLACK * u * (dotted(x, W1, units) + b1[units])
            close = np.abs(values) <= 2 * moved + rounding
            for step in range(start + 1, stop + 1) if wide else np.unique(steps[close]):
                here = close & (steps == step)
                place = samples[here], units[here]
                if wide or self._turned(int(step), place, values[here]):
                    yield int(step)

    def _turned(self, step: int, place: Any, values: np.ndarray) -> bool:
        """Whether the other has one of these on the other side of zero."""
        z = self.other.preactivations(step, self.other.at(step - 1))[place]
        return bool(((z > 0) != (values > 0)).any())

    def images(self, steps: np.ndarray, samples: np.ndarray) -> np.ndarray:
        data = in_dtype(self.plan.dataset, self.reference.dtype)
        return data.x_train[self.plan.batches[steps - 1, samples]]

    def flips(self, step: int) -> list[tuple[int, int]]:
        """Where one's ReLU is open in this step and the other's shut: (sample in the
        batch, hidden unit), those that move a parameter furthest first.
        """
        a, b = self.at(step - 1)
        open_a = self.reference.preactivations(step, a) > 0
        open_b = self.other.preactivations(step, b) > 0
        found = np.argwhere(open_a != open_b)
        if not len(found):
            return []
        x, t = self.reference.batch(step)
        network = self.reference.implementation.run_network
        assert network is not None
        weight = np.abs(network(a, x, t)["dRelu1"]) * np.abs(x).max(-1, keepdims=True)
        return sorted(
            ((int(i), int(j)) for i, j in found), key=lambda at: -weight[at].item()
        )


def gap(a: Arrays, b: Arrays) -> float:
    """The largest difference of any parameter."""
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


def dotted(x: np.ndarray, W: np.ndarray, units: np.ndarray) -> np.ndarray:
    """What each row of x makes of the weights of its unit."""
    return np.einsum("ni,in->n", x, W[:, units])


def investigate(
    plan: Plan,
    dtype: str,
    trained: Trained,
    advance: Callable[[], object] = lambda: None,
) -> tuple[list[Parting], list[Together]]:
    """Where each of these trainings parts from the reference's, or that it does not.

    Args:
        plan: of all the trainings.
        dtype: that of all.
        trained: by their names; the reference first, and under a `Watch`. Those without
            layers cannot say what stands in front of their ReLU, and are left out.
        advance: called after each.
    """
    watch, trajectory = trained["reference"]
    assert isinstance(watch, Watch)
    trained = {**trained, "reference": (load("reference"), trajectory)}
    replays = {
        name: Replay.of(plan, dtype, implementation, trajectory)
        for name, (implementation, trajectory) in trained.items()
        if implementation.offers("Affine")
    }
    partings, together = [], []
    for name, replay in replays.items():
        if name == "reference":
            continue
        started = time.perf_counter()
        pair = Pair(replays["reference"], replay)
        first, leap = pair.parting(watch.notes[dtype]), pair.leap()
        if leap is not None and (first is None or leap < first):
            first = leap
        for step in sorted({step for step in (first, leap) if step is not None}):
            row = explain(pair, step, replays)
            row.first, row.leap = step == first, step == leap
            row.seconds = time.perf_counter() - started
            partings.append(row)
        if first is None and leap is None:
            together.append(
                Together(
                    implementation=name,
                    dtype=dtype,
                    steps=plan.steps,
                    gap=pair.gap(plan.steps),
                    nearest=watch.notes[dtype].nearest,
                    seconds=time.perf_counter() - started,
                )
            )
        advance()
    return partings, together


def explain(pair: Pair, step: int, replays: Mapping[str, Replay]) -> Parting:
    """Why they part in this step: which ReLU it was, and that without it they do not."""
    reference, other = pair.reference, pair.other
    before, after = pair.at(step - 1), other.at(step)
    found = pair.excess(step, after)
    flips = pair.flips(step)
    forced_ratio, forced, mended = found.ratio, 0, other
    while forced_ratio > 1 and forced < len(flips):
        forced += 1
        reached = other.step(step, before[1], flips[:forced])
        forced_ratio = pair.excess(step, reached).ratio
        mended = Replay(other.plan, other.dtype, other.implementation, {step: reached})
    steps = [step, *(step + n for n in LATER if step + n <= pair.plan.steps)]
    tensor, share = other.worst_tensor(step, before[1])
    row = Parting(
        implementation=other.name,
        dtype=other.dtype,
        step=step,
        flips=len(flips),
        forced=forced,
        gap_before=pair.gap(step - 1),
        jump=found.jump,
        allowed=found.allowed,
        ratio=found.ratio,
        forced_ratio=forced_ratio,
        verified=bool(forced) and forced_ratio <= 1,
        local_quantity=tensor,
        local_ratio=share,
        later=[
            Apart(
                step=at,
                gap=pair.gap(at),
                forced=gap(reference.at(at), mended.at(at)) if forced else None,
            )
            for at in steps
        ],
    )
    if not flips:
        return row
    sample, unit = flips[0]
    x, t = reference.batch(step)
    values, exact, masks = {}, {}, {}
    for name, replay in replays.items():
        params = replay.at(step - 1)
        z = replay.preactivations(step, params)[sample]
        values[name], masks[name] = float(z[unit]), [bool(v > 0) for v in z]
        W1, b1 = (params[n].astype(np.longdouble) for n in ("W1", "b1"))
        exact[name] = float(x[sample] @ W1[:, unit] + b1[unit])
    own = reference.arithmetic
    bounds = [network_bounds(before[0], x, t, a)["Affine1"] for a in (own, own.likely)]
    bound, probable = (float(b.error[sample, unit]) for b in bounds)
    return row.model_copy(
        update={
            "sample": int(pair.plan.batches[step - 1][sample]),
            "label": int(t[sample]),
            "unit": unit,
            "preactivation": {**values, "truth": exact["reference"]},
            "exact": exact,
            "bound": bound,
            "probable_bound": probable,
            "masks": masks,
        }
    )
