"""Where implementations legitimately differ: which case, what each returns, and why.

An entry names elements of one quantity of a case and the exact value that each listed
implementation has there. The check of that quantity then comes to `documented
divergence` if these elements are exactly so and all others are within their bound;
anything else is a FAIL, so that an upgrade which changes the behaviour is noticed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity_tests.implementations import Arrays
from parity_tests.records import Divergence

Index = tuple[int, ...]
NAN, INF = float("nan"), float("inf")
BOTH = ("float64", "float32")


@dataclass(frozen=True, eq=False)
class Documented:
    """One divergence; `values` gives the listed implementations' elements."""

    id: str
    where: str
    case: str
    quantity: str
    at: tuple[Index, ...]
    values: dict[str, float]
    why: str
    source: str
    dtypes: tuple[str, ...] = BOTH

    def applies(
        self, case: str, quantity: str, dtype: str, implementation: str
    ) -> bool:
        return (
            (self.case, self.quantity) == (case, quantity)
            and dtype in self.dtypes
            and implementation in self.values
        )


def everywhere(value: float, *names: str) -> dict[str, float]:
    return dict.fromkeys(names, value)


DOCUMENTED = [
    Documented(
        id="relu-of-minus-zero",
        where="relu(-0.0)",
        case="Relu/special",
        quantity="out",
        at=((0, 0),),
        values=everywhere(-0.0, "torch"),
        why="torch.relu is clamp_min(x, 0), which returns x itself where x >= 0, and "
        "-0.0 >= 0 holds. The lecture's mask x <= 0 replaces it by 0.",
        source="https://github.com/pytorch/pytorch/pull/196039",
    ),
    Documented(
        id="relu-derivative-at-nan",
        where="derivative of relu at NaN",
        case="Relu/special",
        quantity="dx",
        at=((0, 1),),
        values=everywhere(0.0, "jax", "jax-jit"),
        why="JAX passes dout where x > 0, and NaN > 0 is false; the lecture's mask "
        "stops it where x <= 0, and NaN <= 0 is false as well, so it is passed on.",
        source="measured; jax.nn.relu's rule is select(x > 0, g, 0)",
    ),
    Documented(
        id="relu-of-subnormal",
        where="relu of a subnormal, 1e-40",
        case="Relu/special",
        quantity="out",
        at=((0, 2),),
        values=everywhere(0.0, "jax", "jax-composed", "jax-jit"),
        why="JAX has the processor flush subnormal numbers to zero (FTZ and DAZ).",
        source="https://github.com/jax-ml/jax/issues/16200",
        dtypes=("float32",),
    ),
    Documented(
        id="relu-derivative-at-subnormal",
        where="derivative of relu at a subnormal, 1e-40",
        case="Relu/special",
        quantity="dx",
        at=((0, 2),),
        values=everywhere(0.0, "jax", "jax-composed", "jax-jit"),
        why="With subnormals flushed to zero, 1e-40 > 0 is false.",
        source="https://github.com/jax-ml/jax/issues/16200",
        dtypes=("float32",),
    ),
    Documented(
        id="sigmoid-from-nodes-overflows",
        where="derivative of the sigmoid from primitive nodes at -104",
        case="SigmoidGraph/overflowing",
        quantity="dx",
        at=((0, 0),),
        values=everywhere(NAN, "reference", "torch", "jax", "jax-jit"),
        why="exp(104) is inf in float32 and the output 0; backward multiplies -dout * "
        "0**2 by inf, which is NaN. The fused sigmoid's y * (1 - y) is 0 there.",
        source="measured; the reason why frameworks fuse the sigmoid",
        dtypes=("float32",),
    ),
    Documented(
        id="log-of-a-zero-probability",
        where="derivative of the cross entropy where a wrong class has probability 0",
        case="CrossEntropy/a zero elsewhere",
        quantity="dy",
        at=((0, 2), (1, 0)),
        values=everywhere(NAN, "torch", "jax", "jax-jit"),
        why="The logarithm of all probabilities is taken before the label's is picked: "
        "backward divides the 0 that arrives at log(0) by 0. Picked first, the zeros "
        "are never touched.",
        source="measured",
    ),
    Documented(
        id="softmax-then-log-loss",
        where="loss of a probability that underflows, softmax and log apart",
        case="SoftmaxWithLoss/sure and wrong",
        quantity="out",
        at=((),),
        values=everywhere(INF, "torch-composed", "jax-composed"),
        why="exp(-120) underflows to 0 in float32 and -log(0) is inf. Joined, the "
        "loss is log(sum exp(x)) - x_t, and nothing underflows.",
        source="measured; Deep Learning, Goodfellow et al., section 4.1",
        dtypes=("float32",),
    ),
    Documented(
        id="softmax-then-log-derivative",
        where="derivative of that loss",
        case="SoftmaxWithLoss/sure and wrong",
        quantity="dx",
        at=tuple((1, column) for column in range(10)),
        values=everywhere(NAN, "torch-composed", "jax-composed"),
        why="-1/0 from the logarithm meets the 0 of the softmax: inf * 0 is NaN.",
        source="measured; Deep Learning, Goodfellow et al., section 4.1",
        dtypes=("float32",),
    ),
]


def documented(
    case: str, quantity: str, dtype: str, implementation: str
) -> list[Documented]:
    """The entries that speak of this quantity of this implementation."""
    return [
        entry
        for entry in DOCUMENTED
        if entry.applies(case, quantity, dtype, implementation)
    ]


def table(
    results: dict[tuple[str, str, str], Arrays], implementations: Sequence[str]
) -> Iterator[Divergence]:
    """The rows for `results.json`: what every implementation was seen to return.

    Args:
        results: what was computed, by (case, dtype, implementation).
        implementations: which of them to show, in this order.
    """
    for entry in DOCUMENTED:
        for dtype in entry.dtypes:
            values: dict[str, Any] = {}
            for name in implementations:
                arrays = results.get((entry.case, dtype, name))
                if arrays is not None:
                    found = [arrays[entry.quantity][index] for index in entry.at]
                    distinct = dict.fromkeys(str(np.float64(value)) for value in found)
                    shown = [*distinct][:3] + ["..."] * (len(distinct) > 3)
                    values[name] = ", ".join(shown)
            if values:
                yield Divergence(
                    id=entry.id,
                    where=entry.where,
                    dtype=dtype,
                    values=values,
                    why=entry.why,
                    source=entry.source,
                )
