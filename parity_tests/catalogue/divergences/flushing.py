"""Subnormal numbers that are zeros: XLA's programs run with the processor's FTZ and DAZ.

Where JAX evaluates the reference's formula, its results at these elements are those of
the reference on arrays that flush, bit for bit: `BY_THE_FORMULA`. Where it evaluates
another one they are not, and the rule is written out, `BY_ANOTHER_FORMULA`: the
derivative of 1 / x divides by x * x, which is subnormal where (1 / x)**2 is finite;
CrossEntropy divides dout by N first and, fused, takes the logarithm of every class;
and the composed loss takes the logarithm of a softmax that has been flushed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.catalogue.divergences.entry import (
    JAX,
    NAN,
    Documented,
    Value,
)
from gradparity.parity_tests.catalogue.divergences.words import (
    at_label,
    flushed,
    hot,
    logs_to_inf,
    picked_loss,
    share,
    shifted_exp,
    softmax,
    subnormal,
    tiny_share,
    vanishes,
)
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.numpy_adaptor import run_class
from gradparity.parity_tests.measuring.comparison import alike
from gradparity.reference import layers

FLUSHING = "https://github.com/jax-ml/jax/issues/16200"
LOG_OF_SUBNORMAL = "https://github.com/jax-ml/jax/issues/37762"
DAZ = "XLA's programs run with the processor's FTZ and DAZ set: to them, subnormal "


class FlushingArray(np.ndarray):
    """An array whose arithmetic takes subnormal operands for zeros of their sign, and
    returns zeros for subnormal results. What only moves numbers leaves them as they are.
    """

    def __array_ufunc__(
        self, ufunc: Any, method: str, *given: Any, **named: Any
    ) -> Any:
        operands = (
            flushed(np.asarray(x)) if isinstance(x, FlushingArray) else x for x in given
        )
        return flushing(getattr(ufunc, method)(*operands, **named), flushed)

    def __array_function__(self, *call: Any) -> Any:
        return flushing(super().__array_function__(*call))


def flushing(result: Any, then: Callable[[Any], Any] = np.asarray) -> Any:
    """A result of NumPy's as an array that flushes, if it holds floating-point numbers."""
    if getattr(result, "dtype", np.dtype(bool)).kind != "f":
        return result
    return then(result).view(FlushingArray)


@lru_cache(maxsize=8)  # of one case, several implementations and quantities are asked
def computed(case: Case, flush: bool) -> Arrays:
    """The reference's results for a case, in arithmetic that flushes or does not."""
    inputs, dout = case.inputs, case.dout
    if flush:
        inputs, dout = {k: flushing(v) for k, v in inputs.items()}, flushing(dout)
    return run_class(getattr(layers, case.layer), LAYERS[case.layer], inputs, dout)


def changes(ftz: Any, ieee: Any) -> Any:
    """Where flushing makes any difference."""
    return ~alike(ftz, ieee)


def comes_to_nan(ftz: Any, ieee: Any) -> Any:
    """Where it makes NaN of a number: it is 0 * inf or 0 / 0."""
    return np.isnan(ftz) & ~np.isnan(ieee)


@dataclass(frozen=True, eq=False, kw_only=True)
class Flushed(Documented):
    """A divergence that is nothing but the reference's formula in arithmetic that flushes.

    Its rules may name `ftz` and `ieee` as well: the reference's results with flushing and
    without.
    """

    when: Callable[..., Any] = changes
    returns: dict[tuple[str, ...], Value] = field(
        default_factory=lambda: {JAX: lambda ftz: ftz}
    )
    source: str = FLUSHING

    def given(self, case: Case, results: Arrays) -> Arrays:
        ftz, ieee = (computed(case, flush)[self.quantity] for flush in (True, False))
        return {**super().given(case, results), "ftz": ftz, "ieee": ieee}


def in_whole_vectors(x: Any) -> bool:
    """Whether XLA's log of a subnormal number is -inf in an array of this size. With 3, 5,
    6 or 7 float32, or 8 more, it is -103.97208 in those that leave a vector unfilled.
    """
    return x.dtype == np.float64 or x.size >= 16 or x.size % 8 not in (3, 5, 6, 7)


def multiplied_loss(y: Any, t: Any) -> Any:
    """With one-hot labels, multiplied by them."""
    return -(t * np.log(y)).sum() if t.shape == y.shape else picked_loss(y, t)


BY_THE_FORMULA = [
    *(
        Flushed(
            id=f"{name}-inf-times-subnormal",
            of=of,
            where=f"{what}, inf times a subnormal number",
            when=comes_to_nan,
            why=DAZ + "numbers are 0, and inf * 0 is NaN.",
        )
        for name, of, what in (
            ("mul-out", "MulLayer.out", "x y"),
            ("mul-dx", "MulLayer.dx", "derivative of x, dout y"),
            ("mul-dy", "MulLayer.dy", "derivative of y, dout x"),
            ("fruit-out", "BuyFruit.out", "bill"),
            ("fruit-dtax", "BuyFruit.dtax", "derivative of the tax"),
        )
    ),
    Flushed(
        id="exp-comes-to-subnormal",
        of="Exp.out",
        where="exp(x), if it is subnormal",
        why=DAZ + "results are 0.",
    ),
    Flushed(
        id="exp-derivative-inf-times-subnormal",
        of="Exp.dx",
        where="derivative at inf for a subnormal dout",
        when=lambda ftz, ieee, x: comes_to_nan(ftz, ieee) & np.isinf(x),
        why=DAZ + "numbers are 0, and 0 * inf is NaN.",
    ),
    Flushed(
        id="relu-of-subnormal",
        of="Relu.out",
        where="of a subnormal number",
        why=DAZ + "numbers are 0.",
    ),
    Flushed(
        id="relu-derivative-at-subnormal",
        of="Relu.dx",
        where="derivative at a subnormal number",
        why=DAZ + "numbers are 0, and 0 > 0 is false.",
    ),
    Flushed(
        id="log-of-subnormal",
        of="Log.out",
        where="log of a subnormal number, negative ones included",
        when=lambda ftz, ieee, x: changes(ftz, ieee) & in_whole_vectors(x),
        why=DAZ + "numbers are 0, and log(0) is -inf.",
        source=LOG_OF_SUBNORMAL,
    ),
    Flushed(
        id="log-derivative-at-subnormal",
        of="Log.dx",
        where="derivative, dout / x, if x or dout is subnormal",
        why=DAZ + "numbers are 0: dout / 0 is infinite, and 0 / 0 is NaN.",
        source=LOG_OF_SUBNORMAL,
    ),
    Flushed(
        id="reciprocal-of-subnormal",
        of="Reciprocal.out",
        where="1 / x, if x or the result is subnormal",
        why=DAZ + "numbers are 0, and 1 / 0 is inf.",
    ),
    Flushed(
        id="reciprocal-derivative-subnormal",
        of="Reciprocal.dx",
        where="derivative, if the square is subnormal, or dout is and x = 0",
        when=comes_to_nan,
        why=DAZ + "numbers are 0, and 0 * inf is NaN.",
    ),
    Flushed(
        id="sigmoid-from-nodes-comes-to-subnormal",
        of="SigmoidGraph.out",
        where="1 / (1 + exp(-x)), if it is subnormal",
        why=DAZ + "results are 0.",
    ),
    Flushed(
        id="sigmoid-from-nodes-derivative-flushed",
        of="SigmoidGraph.dx",
        where="derivative for a finite dout, if y is subnormal",
        when=lambda x, dout: subnormal(1 / (1 + np.exp(-x))) & np.isfinite(dout),
        why=DAZ + "results are 0.",
    ),
    Flushed(
        id="sigmoid-from-nodes-derivative-subnormal",
        of="SigmoidGraph.dx",
        where="derivative for dout = inf, if y**2 or exp(-x) is subnormal",
        when=comes_to_nan,
        why=DAZ + "results are 0.",
    ),
    Flushed(
        id="sigmoid-comes-to-subnormal",
        of="Sigmoid.out",
        where="y, if it is subnormal",
        why=DAZ + "results are 0.",
    ),
    Flushed(
        id="affine-inf-times-subnormal",
        of="Affine.out",
        where="a dot product in which inf meets a subnormal number",
        when=comes_to_nan,
        why=DAZ + "numbers are 0, and inf * 0 is NaN.",
    ),
]

BY_ANOTHER_FORMULA = [
    Documented(
        id="reciprocal-derivative-of-a-square-that-underflows",
        of="Reciprocal.dx",
        where="derivative, -dout (1 / x)**2, if x**2 is subnormal and 1 / that a number",
        when=lambda x, out: subnormal(x * x) & np.isfinite(out * out),
        returns={JAX: lambda x, dout: -flushed(dout) / flushed(x * x)},
        why="JAX's derivative is dout * x**-2, with x * x in the denominator: "
        + DAZ
        + "numbers are 0, and 1 / 0 is inf.",
        source=FLUSHING,
    ),
    Documented(
        id="cross-entropy-derivative-subnormal-dout",
        of="CrossEntropy.dy",
        where="derivative at a label of probability 0, if dout / N is subnormal",
        when=lambda y, t, dout: (y == 0) & hot(t, y) & tiny_share(dout, y, vanishes),
        returns={JAX: NAN},
        why=DAZ + "numbers are 0.",
        source=FLUSHING,
    ),
    Documented(
        id="log-of-a-subnormal-probability",
        of="CrossEntropy.dy",
        where="derivative at a wrong class of subnormal probability",
        when=lambda y, t: subnormal(y) & ~hot(t, y),
        returns={("jax", "jax-jit"): NAN},
        why=DAZ + "numbers are 0.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="cross-entropy-one-hot-subnormal",
        of="CrossEntropy.out",
        where="loss, if a wrong class has a subnormal probability, labels one-hot",
        when=lambda y, t: logs_to_inf(y, t, subnormal),
        returns={("jax", "jax-jit"): NAN},
        why=DAZ + "numbers are 0.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="cross-entropy-of-subnormal",
        of="CrossEntropy.out",
        where="loss, if the label has a subnormal probability",
        when=lambda y, t: subnormal(at_label(y, t)).any() and in_whole_vectors(y),
        returns={
            ("jax", "jax-jit"): lambda y, t: multiplied_loss(flushed(y), t),
            ("jax-composed",): lambda y, t: picked_loss(flushed(y), t),
        },
        why=DAZ + "numbers are 0, and -log(0) is inf.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="cross-entropy-derivative-at-subnormal",
        of="CrossEntropy.dy",
        where="derivative, -1 / (N y), at a label of subnormal probability",
        when=lambda y, t: subnormal(y) & hot(t, y),
        returns={JAX: lambda y, dout: -flushed(share(flushed(dout), y)) / flushed(y)},
        why=DAZ + "numbers are 0, and -1 / 0 is -inf.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="softmax-then-log-loss-subnormal",
        of="SoftmaxWithLoss.out",
        where="loss of a probability that is subnormal",
        when=lambda x, t: subnormal(at_label(softmax(x), t)).any(),
        returns={("jax-composed",): lambda x, t: picked_loss(flushed(softmax(x)), t)},
        why=DAZ + "results are 0, and -log(0) is inf.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="softmax-then-log-derivative-subnormal",
        of="SoftmaxWithLoss.dx",
        where="derivative of the loss of a probability that is subnormal",
        when=lambda x, t: subnormal(at_label(shifted_exp(x), t)),
        returns={("jax-composed",): NAN},
        why=DAZ + "results are 0, and -1/0 * 0 is NaN.",
        source=LOG_OF_SUBNORMAL,
    ),
]

FLUSHED = [*BY_THE_FORMULA, *BY_ANOTHER_FORMULA]
