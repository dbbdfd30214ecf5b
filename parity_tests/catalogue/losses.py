"""The specs of the losses."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.activations import normalized
from gradparity.parity_tests.catalogue.case import WIDE, Case, case, invalid
from gradparity.parity_tests.catalogue.edges import (
    INF,
    NAN,
    SCORES,
    edge,
    one_hot,
    spelled,
    with_rows,
)
from gradparity.parity_tests.catalogue.exact import Exact, log
from gradparity.parity_tests.catalogue.spec import (
    LOSS,
    MANY,
    Domain,
    Generator,
    Input,
    Layer,
    OwnCases,
    anywhere,
    probabilities,
)

BATCH = (100, 10)
FORMS = {"": False, ", one-hot": True}
ABOVE = {"0": 0.0, "tiny": WIDE.tiny, "inf": INF, "NaN": NAN}
SURE = np.array([[80.0, 0, 0, 0], [0, 60, -20, 0]])


def _refused(layer: str, scores: str) -> Iterator[Case]:
    """The labels that a layer refuses which ends in a loss."""

    right = np.full((3, 4), 0.25)

    def refused(name: str, *refusal: str, t: Any, x: Any = right) -> Case:
        return invalid(layer, name, *refusal, **{scores: x, "t": t})

    two_hot = one_hot([0, 1, 2], 4) + np.eye(3, 4, 1)
    yield refused("label too large", "t", "0..3", "4", t=[0, 1, 4])
    yield refused("negative label", "t", "0..3", "-1", t=[0, -1, 3])
    yield refused("too few labels", "t", "(3,)", "(2,)", t=[0, 1])
    yield refused("labels in a column", "t", "(3,)", "(3, 1)", t=[[0], [1], [2]])
    yield refused("fractional labels", "t", "integers", "float", t=[0.0, 1.0, 2.0])
    yield refused("not one-hot", "t", "zeros and ones", t=right)
    yield refused("two-hot", "t", "single 1", t=two_hot)
    cube = np.ones((2, 3, 4))
    yield refused("rank 3", scores, "rank 1 or 2", "rank 3", x=cube, t=[0, 1])


def _edges(
    layer: str, scores: str, domain: Domain, rng: Generator
) -> Callable[..., Case]:
    """Of a layer that ends in a loss: a function of what stands in its first rows."""

    def loss(
        name: str, *rows: list[float], dout: float = 1.0, hot: bool = False
    ) -> Case:
        """With the label 0 in the first rows."""
        drawn, t = domain.draw(rng, BATCH), rng.integers(10, size=100)
        t[: len(rows)] = 0
        inputs: Any = {scores: with_rows(drawn, *rows), "t": one_hot(t) if hot else t}
        return edge(layer, name, dout, **inputs)

    return loss


def _cross_entropy(rng: Generator) -> Iterator[Case]:
    loss = _edges("CrossEntropy", "y", probabilities, rng)
    y, t = probabilities.draw(rng, BATCH), rng.integers(10, size=100)
    yield case("CrossEntropy", "scaled dout", -2.5, y=y, t=t)
    yield from _refused("CrossEntropy", "y")
    improbable = with_rows(np.full(BATCH, 0.1), [1e-16, 1.0], [1.0, 1e-16])
    first_two = np.array([0, 1] + [0] * 98)
    yield edge("CrossEntropy", "improbable labels", y=improbable, t=first_two)
    subnormal = [[WIDE.tiny], [WIDE.subnormal], [WIDE.normal]]
    zeros = [[0.5, 0.0, -0.0, 0.5], [0.5, WIDE.tiny], [0.5, WIDE.normal]]
    for form, hot in FORMS.items():
        yield loss("certain" + form, [1.0] + [0.0] * 9, hot=hot)
        yield loss("0 at the label" + form, [0.0, 1.0], [-0.0, 1.0], hot=hot)
        yield loss("0 and subnormal elsewhere" + form, *zeros, hot=hot)
        yield loss("NaN elsewhere" + form, [0.5, NAN], hot=hot)
        yield loss("negative and inf elsewhere" + form, [0.5, -0.5, INF], hot=hot)
        for name, dout in ABOVE.items():
            yield loss(f"{name} from above{form}", dout=dout, hot=hot)
    yield loss("0 at the label, tiny from above", [0.0, 1.0], dout=WIDE.tiny)
    yield loss("next to 1 at the label", [WIDE.below_one], [WIDE.above_one])
    yield loss("subnormal at the label", *subnormal)
    yield loss("negative at the label", [-0.5])
    yield loss("inf at the label", [INF])
    yield loss("NaN at the label", [NAN])


def _softmax_with_loss(rng: Generator) -> Iterator[Case]:
    loss = _edges("SoftmaxWithLoss", "x", anywhere, rng)
    x, t = anywhere.draw(rng, BATCH), rng.integers(10, size=100)
    yield case("SoftmaxWithLoss", "scaled dout", -2.5, x=x, t=t)
    yield from _refused("SoftmaxWithLoss", "x")
    finite = [row for row in SCORES.values() if np.isfinite(row).all()]
    ends = (WIDE.exp_normal, WIDE.exp_subnormal, WIDE.exp_zero)
    wrong = [[-end, 0.0] + [-1e4] * 8 for end in ends]
    for form, hot in FORMS.items():
        yield loss("finite" + form, *finite, hot=hot)
        yield loss("sure and wrong" + form, *wrong, hot=hot)
        yield loss("masked" + form, SCORES["masked with -inf"], hot=hot)
        yield loss("-inf at the label" + form, [-INF], hot=hot)
        for name in ("inf", "inf and -inf", "nothing but -inf", "NaN"):
            yield loss(name + form, SCORES[name], hot=hot)
        for name, dout in ABOVE.items():
            yield loss(f"{name} from above{form}", dout=dout, hot=hot)
    yield loss("inf elsewhere", [0.0, INF])
    sure_and_wrong = {"x": [[-1e3, 0.0]], "t": [[1.0, 0.0]]}
    spelling = "-log(softmax(x) + 1e-7)"
    yield spelled("SoftmaxWithLoss", spelling, 1.0, **sure_and_wrong)


LAST = 20


def _last_of(layer: str, scores: str, sure: list[float], unsure: float) -> OwnCases:
    """A loss to which the last samples of many alone add anything."""

    def many(rng: Generator) -> Iterator[Case]:
        drawn = np.tile(sure, (MANY, 1))
        drawn[-LAST:] = unsure
        inputs: Any = {scores: drawn, "t": np.zeros(MANY, int)}
        yield edge(layer, "the last of many samples", **inputs)

    return many


def _improbable(rng: Generator) -> Iterator[Case]:
    y = np.array([[1e-30, 1], [1e-30, 1]])
    yield edge("CrossEntropy", "small, extreme", -2.5, y=y, t=[0, 1])


def _sure(rng: Generator) -> Iterator[Case]:
    yield edge("SoftmaxWithLoss", "small, right", -2.5, x=SURE, t=[0, 1])
    yield edge("SoftmaxWithLoss", "small, wrong", -2.5, x=SURE, t=[1, 2])


def mean_cross_entropy(y: Exact, t: np.ndarray) -> Any:
    return -log(y[np.arange(len(t)), t]).sum() / len(t)


LABELS = Input("t", kind="labels")
SPECS = (
    Layer(
        "CrossEntropy",
        (Input("y", domain=probabilities), LABELS),
        mean_cross_entropy,
        form=LOSS,
        own=_cross_entropy,
        small=_improbable,
        many=_last_of("CrossEntropy", "y", [1.0, 0.25, 0.25], 0.25),
    ),
    Layer(
        "SoftmaxWithLoss",
        (Input("x"), LABELS),
        lambda x, t: mean_cross_entropy(normalized(x), t),
        form=LOSS,
        own=_softmax_with_loss,
        small=_sure,
        many=_last_of("SoftmaxWithLoss", "x", [0.0, -200.0, -200.0], 0.0),
    ),
)
