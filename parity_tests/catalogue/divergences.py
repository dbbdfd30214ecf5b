"""Where implementations legitimately differ: at which numbers, what each returns, and why.

An entry is a rule: it tells the elements of a layer's result by the numbers that go in,
and the exact value that each listed implementation has there, in every case of that
layer. A check comes to `documented divergence` if these elements are exactly so and all
others are within their bound. Anything else is a FAIL, so that an upgrade which changes
the behaviour is noticed.

Zeros of either sign are equal, as everywhere in IEEE 754; entries tell them apart.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from typing import Any

import numpy as np
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.implementations.backends import (
    BACKENDS,
    UNKNOWN,
    Backend,
)
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.arithmetic import fuses
from gradparity.parity_tests.measuring.comparison import alike
from gradparity.parity_tests.measuring.records import Divergence

Value = float | Callable[..., Any]

NAN, INF = float("nan"), float("inf")
NUMPY = ("reference",)
TORCH = ("torch", "torch-composed")
JAX = ("jax", "jax-composed", "jax-jit")
ALL = (*NUMPY, *TORCH, *JAX)
FUSED = ("torch", "jax", "jax-jit")
COMPOSED = ("torch-composed", "jax-composed")
GONE = "this divergence is gone"


@dataclass(frozen=True, eq=False)
class Documented:
    """One divergence.

    `when` tells its elements, and `returns` what the implementations have there, a value
    or how it comes about. Both are functions of the layer's inputs, of `dout` and of the
    `out` and the `result` (of this quantity) that the implementation itself came to,
    whichever they name. `spelled`, where it is not the layer itself that they compute, is
    one of `spellings.py`. `versions` gives the versions of a framework that behave so,
    where not all do: of the implementations in any other version the entry says nothing.
    """

    id: str
    layer: str
    quantity: str
    where: str
    when: Callable[..., Any]
    returns: dict[tuple[str, ...], Value]
    why: str
    source: str = "measured"
    dtypes: tuple[str, ...] = DTYPES
    spelled: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @cached_property
    def by_backend(self) -> dict[Backend, Value]:
        return {BACKENDS[n]: v for names, v in self.returns.items() for n in names}

    def speaks_of(self, case: Any, quantity: str, dtype: str, backend: Backend) -> bool:
        """Whether it says anything of this quantity of this implementation."""
        return self.knows(case, quantity, dtype, backend) and self.applies_to(backend)

    def knows(self, case: Any, quantity: str, dtype: str, backend: Backend) -> bool:
        """Whether it does in some version of the framework."""
        return (
            (self.layer, self.quantity) == (case.layer, quantity)
            and self.spelled == case.spelled
            and dtype in self.dtypes
            and backend in self.by_backend
        )

    def applies_to(self, backend: Backend) -> bool:
        """Whether the installed version of its framework is one of `versions`."""
        return all(
            installed(framework) in SpecifierSet(versions)
            for framework, versions in self.versions.items()
            if framework == backend.framework
        )

    def at(self, case: Any, results: Arrays, backend: Backend) -> tuple[Any, Any]:
        """Which elements it speaks of, and what all of them would be."""
        like = results[self.quantity]
        given = {**case.inputs, "dout": case.dout, "out": results["out"]}
        given["result"] = like
        value = self.by_backend[backend]
        with np.errstate(all="ignore"):
            here = _call(self.when, given)
            values = _call(value, given) if callable(value) else value
        values = np.asarray(values, like.dtype)
        return np.broadcast_to(here, like.shape), np.broadcast_to(values, like.shape)

    def gone(self, case: Any, at: tuple[int, ...], was: Any, now: Any, is_: Any) -> str:
        """The sentence for an element that has come to be right, as the truth `is_`."""
        but = "" if now == is_ or is_ != is_ else f" {is_}, but for rounding"
        return (
            f"{GONE}: {self.where}, was {was}, now {now}, which is the truth{but}, "
            f"at {place(case, at)}"
        )

    def example(self, seen: "Seen") -> tuple[int, ...] | None:
        """The first of its elements that differs from the truth, if it has any."""
        backend = BACKENDS.get(seen.name, UNKNOWN)
        if not seen.results or not self.speaks_of(
            seen.case, self.quantity, seen.dtype, backend
        ):
            return None
        here, _ = self.at(seen.case, seen.results, backend)
        with np.errstate(over="ignore"):
            right = seen.truth[self.quantity].astype(seen.dtype)
        found = np.argwhere(here & ~alike(seen.results[self.quantity], right))
        return tuple(map(int, found[0])) if len(found) else None


@cache
def installed(framework: str) -> Version:
    """Its version. A preview counts as the release that it leads to."""
    return Version(Version(metadata.version(framework)).base_version)


def _call(function: Callable[..., Any], given: Arrays) -> Any:
    """With the arguments that it names."""
    return function(
        **{name: given[name] for name in inspect.signature(function).parameters}
    )


# --- The words that the rules are made of ---------------------------------------------


def subnormal(x: Any) -> Any:
    return (x != 0) & (np.abs(x) < np.finfo(x.dtype).smallest_normal)


def flushed(x: Any) -> Any:
    """As XLA's programs see it: subnormal numbers are zeros of their sign."""
    return np.where(subnormal(x), np.copysign(x.dtype.type(0), x), x)


def vanishes(x: Any) -> Any:
    """Is 0 to those who flush."""
    return flushed(x) == 0


def zero_times_inf(x: Any, y: Any) -> Any:
    """For those who flush, and nobody else."""
    return subnormal(x) & np.isinf(y) | np.isinf(x) & subnormal(y)


def at_overflow(x: Any) -> Any:
    """Whether rounding decides if exp(-x) overflows: some come to the largest number."""
    return -x <= np.log(np.finfo(x.dtype).max) * (1 + np.finfo(x.dtype).eps)


def in_whole_vectors(x: Any) -> bool:
    """Whether XLA's log of a subnormal number is -inf in an array of this size. With 3, 5,
    6 or 7 float32, or 8 more, it is -103.97208 in those that leave a vector unfilled.
    """
    return x.dtype == np.float64 or x.size >= 16 or x.size % 8 not in (3, 5, 6, 7)


def hot(t: Any, like: Any) -> Any:
    """Which elements the labels point at."""
    if t.shape == like.shape:
        return t == 1
    return np.arange(like.shape[-1]) == t[..., None]


def at_label(y: Any, t: Any) -> Any:
    """The elements at the labels, in a column."""
    labels = t.argmax(axis=-1) if t.shape == y.shape else t
    return np.take_along_axis(y, labels[..., None], axis=-1)


def shifted_exp(x: Any) -> Any:
    """The numerators of a softmax."""
    return np.exp(x - x.max(axis=-1, keepdims=True))


def softmax(x: Any) -> Any:
    e = shifted_exp(x)
    return e / e.sum(axis=-1, keepdims=True)


# --- Sources --------------------------------------------------------------------------

FLUSHING = "https://github.com/jax-ml/jax/issues/16200"
LOG_OF_SUBNORMAL = "https://github.com/jax-ml/jax/issues/37762"
SIGMOID_FROM_NODES = "https://github.com/jax-ml/jax/issues/7205"
FUSED_MULTIPLY_ADD = "https://github.com/openxla/xla/issues/41579"
ONE_HOT = "https://github.com/google-deepmind/optax/issues/896"
ZERO_OVER_ZERO = "https://github.com/pytorch/pytorch/issues/31829"
JAX_MAXIMUM = "https://github.com/jax-ml/jax/issues/37821"
CLAMP = "https://github.com/pytorch/pytorch/issues/195931"
EXP_OVERFLOWS_EARLY = "https://github.com/shibatch/sleef/issues/523"
LOG_OF_SOFTMAX = "https://github.com/pytorch/pytorch/issues/1620"
DAZ = "XLA's programs run with the processor's FTZ and DAZ set: to them, subnormal "

# --- The divergences, layer by layer --------------------------------------------------

MULTIPLICATION = [
    Documented(
        id=f"mul-{quantity}-inf-times-subnormal",
        layer="MulLayer",
        quantity=quantity,
        where=f"{what}, inf times a subnormal number",
        when=when,
        returns={JAX: NAN},
        why=DAZ + "numbers are 0, and inf * 0 is NaN.",
        source=FLUSHING,
    )
    for quantity, what, when in (
        ("out", "x y", lambda x, y: zero_times_inf(x, y)),
        ("dx", "derivative of x, dout y", lambda y, dout: zero_times_inf(dout, y)),
        ("dy", "derivative of y, dout x", lambda x, dout: zero_times_inf(dout, x)),
    )
]


def overflows_against(apple: Any, apple_num: Any, orange: Any, orange_num: Any) -> Any:
    """The first product overflows, and the second one is the opposite infinity."""
    apples, oranges = apple * apple_num, orange * orange_num
    finite = np.isfinite(apple) & np.isfinite(apple_num)
    return finite & np.isinf(apples) & (apples == -oranges)


BILL = [
    Documented(
        id="fruit-inf-minus-inf",
        layer="BuyFruit",
        quantity="out",
        where="a b + c d, if a b overflows to one side and c d to the other",
        when=overflows_against,
        returns={
            (*NUMPY, *TORCH, "jax"): NAN,
            ("jax-jit",): lambda orange, orange_num, tax: (
                flushed(orange) * flushed(orange_num) * flushed(tax) if fuses() else NAN
            ),
        },
        why="Each product is rounded to an infinity, and inf - inf is NaN. Compiled, a * b "
        "and the sum are one FMA, whose product is not rounded: only c * d is infinite.",
        source=FUSED_MULTIPLY_ADD,
    ),
    Documented(
        id="fruit-dtax-inf-minus-inf",
        layer="BuyFruit",
        quantity="dtax",
        where="the same in the derivative of the tax",
        when=overflows_against,
        returns={
            (*NUMPY, *TORCH, "jax"): NAN,
            ("jax-jit",): lambda orange, orange_num, dout: (
                flushed(orange) * flushed(orange_num) * flushed(dout)
                if fuses()
                else NAN
            ),
        },
        why="As in the bill itself, which the derivative of the tax is.",
        source=FUSED_MULTIPLY_ADD,
    ),
    Documented(
        id="fruit-free-of-tax",
        layer="BuyFruit",
        quantity="out",
        where="a sum that overflows, times 0",
        when=lambda apple, apple_num, tax: np.isinf(apple * apple_num) & (tax == 0),
        returns={ALL: NAN},
        why="The sum is rounded to inf before it is multiplied, and inf * 0 is NaN.",
    ),
    *(
        Documented(
            id=f"fruit-{quantity}-inf-times-subnormal",
            layer="BuyFruit",
            quantity=quantity,
            where=f"{what}, inf times a subnormal number",
            when=lambda apple, apple_num: zero_times_inf(apple, apple_num),
            returns={JAX: NAN},
            why=DAZ + "numbers are 0, and inf * 0 is NaN.",
            source=FLUSHING,
        )
        for quantity, what in (("out", "bill"), ("dtax", "derivative of the tax"))
    ),
]

RELU = [
    Documented(
        id="relu-of-minus-zero",
        layer="Relu",
        quantity="out",
        where="of -0.0",
        when=lambda x: (x == 0) & np.signbit(x),
        returns={("torch",): -0.0},
        why="torch.relu is clamp_min(x, 0), which returns x itself where x >= 0, and "
        "-0.0 >= 0 holds. The lecture's mask x <= 0 replaces it by 0.",
        source="https://github.com/pytorch/pytorch/pull/196039",
    ),
    Documented(
        id="relu-derivative-at-nan",
        layer="Relu",
        quantity="dx",
        where="derivative at NaN",
        when=lambda x: np.isnan(x),
        returns={("jax", "jax-jit"): 0.0},
        why="jax.nn.relu's rule is select(x > 0, dout, 0), and NaN > 0 is false; the "
        "lecture's mask stops dout where x <= 0, and NaN <= 0 is false as well.",
        source="https://github.com/jax-ml/jax/pull/2342",
    ),
    Documented(
        id="relu-of-subnormal",
        layer="Relu",
        quantity="out",
        where="of a subnormal number",
        when=lambda x: subnormal(x) & (x > 0),
        returns={JAX: 0.0},
        why=DAZ + "numbers are 0.",
        source=FLUSHING,
    ),
    Documented(
        id="relu-derivative-at-subnormal",
        layer="Relu",
        quantity="dx",
        where="derivative at a subnormal number",
        when=lambda x: subnormal(x) & (x > 0),
        returns={JAX: 0.0},
        why=DAZ + "numbers are 0, and 0 > 0 is false.",
        source=FLUSHING,
    ),
]

EXPONENTIAL = [
    Documented(
        id="exp-comes-to-subnormal",
        layer="Exp",
        quantity="out",
        where="exp(x), if it is subnormal",
        when=lambda x: subnormal(np.exp(x)),
        returns={JAX: 0.0},
        why=DAZ + "results are 0.",
        source=FLUSHING,
    ),
    Documented(
        id="exp-derivative-overflows",
        layer="Exp",
        quantity="dx",
        where="derivative, dout exp(x), if exp(x) overflows",
        when=lambda x, out: np.isfinite(x) & np.isinf(out),
        returns={
            (*NUMPY, *TORCH): lambda dout, out: dout * out,
            JAX: lambda dout, out: flushed(dout) * out,
        },
        why="The product may well be a number, but inf is multiplied: that is inf again, "
        "or NaN where dout is 0, or subnormal and counts as 0.",
    ),
    Documented(
        id="exp-derivative-underflows",
        layer="Exp",
        quantity="dx",
        where="derivative for dout = inf, if exp(x) underflows to 0",
        when=lambda out, dout: (out == 0) & np.isinf(dout),
        returns={ALL: NAN},
        why="exp(x) is never 0, and inf times it would be inf; but 0 * inf is NaN. To JAX, "
        "subnormal results are 0 already.",
    ),
    Documented(
        id="exp-derivative-inf-times-subnormal",
        layer="Exp",
        quantity="dx",
        where="derivative at inf for a subnormal dout",
        when=lambda x, dout: np.isinf(x) & (x > 0) & subnormal(dout),
        returns={JAX: NAN},
        why=DAZ + "numbers are 0, and 0 * inf is NaN.",
        source=FLUSHING,
    ),
]

LOGARITHM = [
    Documented(
        id="log-of-subnormal",
        layer="Log",
        quantity="out",
        where="log of a subnormal number, negative ones included",
        when=lambda x: subnormal(x) & in_whole_vectors(x),
        returns={JAX: -INF},
        why=DAZ + "numbers are 0, and log(0) is -inf.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="log-derivative-at-subnormal",
        layer="Log",
        quantity="dx",
        where="derivative, dout / x, if x or dout is subnormal",
        when=lambda x, dout: subnormal(x) | subnormal(dout),
        returns={JAX: lambda x, dout: flushed(flushed(dout) / flushed(x))},
        why=DAZ + "numbers are 0: dout / 0 is infinite, and 0 / 0 is NaN.",
        source=LOG_OF_SUBNORMAL,
    ),
]

RECIPROCAL = [
    Documented(
        id="reciprocal-of-subnormal",
        layer="Reciprocal",
        quantity="out",
        where="1 / x, if x or the result is subnormal",
        when=lambda x: subnormal(x) | subnormal(1 / x),
        returns={JAX: lambda x: flushed(1 / flushed(x))},
        why=DAZ + "numbers are 0, and 1 / 0 is inf.",
        source=FLUSHING,
    ),
    Documented(
        id="reciprocal-derivative-overflows",
        layer="Reciprocal",
        quantity="dx",
        where="derivative, -dout (1 / x)**2, if the square overflows",
        when=lambda x, out: (x != 0) & np.isinf(out * out),
        returns={
            (*NUMPY, *TORCH): lambda out, dout: -dout * (out * out),
            JAX: lambda out, dout: -flushed(dout) * (out * out),
        },
        why="The product may well be a number, but inf is multiplied: that is inf again, "
        "or NaN where dout is 0, or subnormal and counts as 0.",
    ),
    Documented(
        id="reciprocal-derivative-of-a-square-that-underflows",
        layer="Reciprocal",
        quantity="dx",
        where="derivative, -dout (1 / x)**2, if x**2 is subnormal and 1 / that a number",
        when=lambda x, out: subnormal(x * x) & np.isfinite(out * out),
        returns={JAX: lambda x, dout: -flushed(dout) / flushed(x * x)},
        why="JAX's derivative is dout * x**-2, with x * x in the denominator: "
        + DAZ
        + "numbers are 0, and 1 / 0 is inf.",
        source=FLUSHING,
    ),
    Documented(
        id="reciprocal-derivative-underflows",
        layer="Reciprocal",
        quantity="dx",
        where="derivative for dout = inf, if the square underflows to 0",
        when=lambda x, out, dout: np.isfinite(x) & (out * out == 0) & np.isinf(dout),
        returns={ALL: NAN},
        why="The square is never 0, and inf times it would be inf; but 0 * inf is NaN.",
    ),
    Documented(
        id="reciprocal-derivative-subnormal",
        layer="Reciprocal",
        quantity="dx",
        where="derivative, if the square is subnormal, or dout is and x = 0",
        when=lambda x, out, dout: (
            subnormal(out * out) & np.isinf(dout) | (x == 0) & subnormal(dout)
        ),
        returns={JAX: NAN},
        why=DAZ + "numbers are 0, and 0 * inf is NaN.",
        source=FLUSHING,
    ),
]

SIGMOID_GRAPH = [
    Documented(
        id="sigmoid-from-nodes-overflows",
        layer="SigmoidGraph",
        quantity="out",
        where="1 / (1 + exp(-x)), if exp(-x) overflows",
        when=lambda x: np.isinf(np.exp(-x)),
        returns={ALL: 0.0},
        why="1 / (1 + inf) is 0, where the sigmoid is a subnormal number.",
        source=SIGMOID_FROM_NODES,
    ),
    Documented(
        id="sigmoid-from-nodes-comes-to-subnormal",
        layer="SigmoidGraph",
        quantity="out",
        where="1 / (1 + exp(-x)), if it is subnormal",
        when=lambda x: subnormal(1 / (1 + np.exp(-x))),
        returns={JAX: 0.0},
        why=DAZ + "results are 0.",
        source=FLUSHING,
    ),
    Documented(
        id="sigmoid-from-nodes-derivative-flushed",
        layer="SigmoidGraph",
        quantity="dx",
        where="derivative for a finite dout, if y is subnormal",
        when=lambda x, dout: subnormal(1 / (1 + np.exp(-x))) & np.isfinite(dout),
        returns={JAX: lambda dout: dout * 0},
        why=DAZ + "results are 0.",
        source=FLUSHING,
    ),
    Documented(
        id="sigmoid-from-nodes-derivative-overflows",
        layer="SigmoidGraph",
        quantity="dx",
        where="derivative, if exp(-x) overflows",
        when=lambda x, result: (
            np.isfinite(x)
            & np.isinf(np.exp(-x))
            & ~(at_overflow(x) & np.isfinite(result))
        ),
        returns={ALL: NAN},
        why="The output is 0: backward multiplies -dout * 0**2 by exp(-x) = inf, and 0 * "
        "inf is NaN. The fused sigmoid's y * (1 - y) is 0 there.",
        source=SIGMOID_FROM_NODES,
    ),
    Documented(
        id="sigmoid-from-nodes-derivative-underflows",
        layer="SigmoidGraph",
        quantity="dx",
        where="derivative for dout = inf, if y**2 or exp(-x) underflows to 0",
        when=lambda x, out, dout: (
            np.isfinite(x) & np.isinf(dout) & ((out * out == 0) | (np.exp(-x) == 0))
        ),
        returns={ALL: NAN},
        why="Neither is ever 0, and inf times it would be inf; but 0 * inf is NaN.",
    ),
    Documented(
        id="sigmoid-from-nodes-derivative-subnormal",
        layer="SigmoidGraph",
        quantity="dx",
        where="derivative for dout = inf, if y**2 or exp(-x) is subnormal",
        when=lambda x, out, dout: (
            np.isinf(dout) & (subnormal(out * out) | subnormal(np.exp(-x)))
        ),
        returns={JAX: NAN},
        why=DAZ + "results are 0.",
        source=FLUSHING,
    ),
]

SIGMOID = [
    Documented(
        id="sigmoid-overflows",
        layer="Sigmoid",
        quantity="out",
        where="y, if exp(-x) overflows",
        when=lambda x: np.isinf(np.exp(-x)),
        returns={("torch",): 0.0},
        why="PyTorch computes 1 / (1 + exp(-x)), and 1 / inf is 0. The reference takes "
        "exp(x) / (1 + exp(x)) for x < 0, which is a subnormal number there.",
    ),
    Documented(
        id="sigmoid-overflows-early",
        layer="Sigmoid",
        quantity="out",
        where="y, if exp(-x) is next to overflowing",
        when=lambda x, out: (out == 0) & (x < -709.782711) & np.isfinite(np.exp(-x)),
        returns={("torch",): 0.0},
        why="Up to 2.7, PyTorch's exp in vectors of float64 is that of a SLEEF which takes "
        "everything above 709.7827111 for an overflow, 2e-6 before it is one.",
        source=EXP_OVERFLOWS_EARLY,
        dtypes=("float64",),
        versions={"torch": "<2.8"},
    ),
    Documented(
        id="sigmoid-comes-to-subnormal",
        layer="Sigmoid",
        quantity="out",
        where="y, if it is subnormal",
        when=lambda x: subnormal(np.exp(x)),
        returns={JAX: 0.0},
        why=DAZ + "results are 0.",
        source=FLUSHING,
    ),
    Documented(
        id="sigmoid-derivative-where-it-is-0",
        layer="Sigmoid",
        quantity="dx",
        where="derivative, dout y (1 - y), if y has come to 0",
        when=lambda x, out: np.isfinite(x) & (out == 0),
        returns={ALL: lambda dout: dout * 0},
        why="y is never 0, and however small may be worth something with a large dout. "
        "PyTorch and JAX come to 0 earlier than the reference, as above.",
    ),
    Documented(
        id="sigmoid-derivative-where-it-is-1",
        layer="Sigmoid",
        quantity="dx",
        where="derivative for dout = inf, if y has come to 1",
        when=lambda x, out, dout: np.isfinite(x) & (out == 1) & np.isinf(dout),
        returns={ALL: NAN},
        why="1 - y cancels to 0, and inf * 0 is NaN.",
        source="https://github.com/jax-ml/jax/issues/40385",
    ),
]


def meets_subnormal(x: Any, W: Any) -> Any:
    """Where inf in a row of x meets a subnormal number in a column of W, or the reverse."""
    x = x.reshape(len(x), -1) if x.ndim > 1 else x
    return np.isinf(x) @ subnormal(W) | subnormal(x) @ np.isinf(W)


AFFINE = [
    Documented(
        id="affine-inf-times-subnormal",
        layer="Affine",
        quantity="out",
        where="a dot product in which inf meets a subnormal number",
        when=meets_subnormal,
        returns={JAX: NAN},
        why=DAZ + "numbers are 0, and inf * 0 is NaN.",
        source=FLUSHING,
    )
]


def logs_to_inf(y: Any, t: Any, zero: Callable[[Any], Any]) -> Any:
    """Whether any probability but the labels' has a logarithm that is no number."""
    wild = zero(y) | (y < 0) | ~np.isfinite(y)
    return t.shape == y.shape and (wild & (t == 0)).any()


def is_zero(x: Any) -> Any:
    return x == 0


def share(dout: Any, y: Any) -> Any:
    """What each row gets of dout."""
    return dout / y[..., 0].size


def tiny_share(dout: Any, y: Any, zero: Callable[[Any], Any]) -> Any:
    """Whether what each row gets of dout, which is not 0, counts as 0."""
    return (dout != 0) & zero(share(dout, y))


def picked_loss(y: Any, t: Any) -> Any:
    return -np.log(at_label(y, t)).sum()


def multiplied_loss(y: Any, t: Any) -> Any:
    """With one-hot labels, multiplied by them."""
    return -(t * np.log(y)).sum() if t.shape == y.shape else picked_loss(y, t)


CROSS_ENTROPY = [
    Documented(
        id="cross-entropy-derivative-tiny-dout",
        layer="CrossEntropy",
        quantity="dy",
        where="derivative at a label of probability 0, if dout / N underflows to 0",
        when=lambda y, t, dout: (y == 0) & hot(t, y) & tiny_share(dout, y, is_zero),
        returns={TORCH: NAN},
        why="Autograd divides dout by the batch size first, and 0 / 0 is NaN. The "
        "reference divides by their product, and dout / 0 is inf.",
    ),
    Documented(
        id="cross-entropy-derivative-subnormal-dout",
        layer="CrossEntropy",
        quantity="dy",
        where="derivative at a label of probability 0, if dout / N is subnormal",
        when=lambda y, t, dout: (y == 0) & hot(t, y) & tiny_share(dout, y, vanishes),
        returns={JAX: NAN},
        why=DAZ + "numbers are 0.",
        source=FLUSHING,
    ),
    Documented(
        id="log-of-a-zero-probability",
        layer="CrossEntropy",
        quantity="dy",
        where="derivative at a wrong class of probability 0",
        when=lambda y, t: ((y == 0) | np.isnan(y)) & ~hot(t, y),
        returns={FUSED: NAN},
        why="The logarithm of all probabilities is taken before the label's is picked: "
        "backward divides the 0 that arrives at log(0) by 0. Picked first, the zeros "
        "are never touched.",
        source=ZERO_OVER_ZERO,
    ),
    Documented(
        id="log-of-a-subnormal-probability",
        layer="CrossEntropy",
        quantity="dy",
        where="derivative at a wrong class of subnormal probability",
        when=lambda y, t: subnormal(y) & ~hot(t, y),
        returns={("jax", "jax-jit"): NAN},
        why=DAZ + "numbers are 0.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="cross-entropy-derivative-one-hot",
        layer="CrossEntropy",
        quantity="dy",
        where="derivative at a wrong class for dout = inf or NaN, labels one-hot",
        when=lambda y, t, dout: (t.shape == y.shape) & ~hot(t, y) & ~np.isfinite(dout),
        returns={FUSED: NAN},
        why="Multiplying by t, where it is 0, does not stop what is not finite: 0 * inf is "
        "NaN. Picking does.",
    ),
    Documented(
        id="cross-entropy-one-hot",
        layer="CrossEntropy",
        quantity="out",
        where="loss, if a wrong class has probability 0, labels one-hot",
        when=lambda y, t: logs_to_inf(y, t, is_zero),
        returns={FUSED: NAN},
        why="t * log(y) is 0 * -inf = NaN. With label indices, or the label's probability "
        "picked first, that logarithm plays no part.",
        source=ONE_HOT,
    ),
    Documented(
        id="cross-entropy-one-hot-subnormal",
        layer="CrossEntropy",
        quantity="out",
        where="loss, if a wrong class has a subnormal probability, labels one-hot",
        when=lambda y, t: logs_to_inf(y, t, subnormal),
        returns={("jax", "jax-jit"): NAN},
        why=DAZ + "numbers are 0.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="cross-entropy-of-subnormal",
        layer="CrossEntropy",
        quantity="out",
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
        layer="CrossEntropy",
        quantity="dy",
        where="derivative, -1 / (N y), at a label of subnormal probability",
        when=lambda y, t: subnormal(y) & hot(t, y),
        returns={JAX: lambda y, dout: -flushed(share(flushed(dout), y)) / flushed(y)},
        why=DAZ + "numbers are 0, and -1 / 0 is -inf.",
        source=LOG_OF_SUBNORMAL,
    ),
]


def masked_one_hot(x: Any, t: Any) -> Any:
    """One-hot labels, and a class that is not the label's with a logarithm of -inf."""
    log_y = x - x.max(axis=-1, keepdims=True)
    return t.shape == x.shape and (np.isneginf(log_y) & (t == 0)).any()


SOFTMAX_WITH_LOSS = [
    Documented(
        id="loss-masked-one-hot",
        layer="SoftmaxWithLoss",
        quantity="out",
        where="loss, if a wrong class is masked with -inf, labels one-hot",
        when=masked_one_hot,
        returns={FUSED: NAN},
        why="t * log_softmax(x) is 0 * -inf = NaN. With label indices the masked classes "
        "play no part.",
        source=ONE_HOT,
    ),
    Documented(
        id="softmax-then-log-loss",
        layer="SoftmaxWithLoss",
        quantity="out",
        where="loss of a probability that underflows to 0",
        when=lambda x, t: (at_label(softmax(x), t) == 0).any(),
        returns={COMPOSED: lambda x, t: picked_loss(softmax(x), t)},
        why="The softmax underflows to 0, and -log(0) is inf. Joined, the loss is "
        "log(sum exp(x)) - x_t, and nothing underflows.",
        source=LOG_OF_SOFTMAX,
    ),
    Documented(
        id="softmax-then-log-derivative",
        layer="SoftmaxWithLoss",
        quantity="dx",
        where="derivative of the loss of a probability that underflows to 0",
        when=lambda x, t: at_label(shifted_exp(x), t) == 0,
        returns={COMPOSED: NAN},
        why="-1/0 from the logarithm meets the 0 of the softmax: inf * 0 is NaN.",
        source=LOG_OF_SOFTMAX,
    ),
    Documented(
        id="softmax-then-log-loss-subnormal",
        layer="SoftmaxWithLoss",
        quantity="out",
        where="loss of a probability that is subnormal",
        when=lambda x, t: subnormal(at_label(softmax(x), t)).any(),
        returns={("jax-composed",): lambda x, t: picked_loss(flushed(softmax(x)), t)},
        why=DAZ + "results are 0, and -log(0) is inf.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="softmax-then-log-derivative-subnormal",
        layer="SoftmaxWithLoss",
        quantity="dx",
        where="derivative of the loss of a probability that is subnormal",
        when=lambda x, t: subnormal(at_label(shifted_exp(x), t)),
        returns={("jax-composed",): NAN},
        why=DAZ + "results are 0, and -1/0 * 0 is NaN.",
        source=LOG_OF_SUBNORMAL,
    ),
    Documented(
        id="loss-derivative-for-inf",
        layer="SoftmaxWithLoss",
        quantity="dx",
        where="derivative at the label for dout = inf",
        when=lambda x, t, dout: hot(t, x) & np.isinf(dout),
        returns={(*TORCH, *JAX): NAN},
        why="Autograd adds what comes from the label's logit to what comes from the sum, "
        "-inf + inf. By hand the two are y - t before they are multiplied.",
    ),
    Documented(
        id="loss-derivative-for-inf-one-hot",
        layer="SoftmaxWithLoss",
        quantity="dx",
        where="derivative at a wrong class for dout = inf, labels one-hot",
        when=lambda x, t, dout: (t.shape == x.shape) & np.isinf(dout),
        returns={FUSED: NAN},
        why="What comes from the logits is t * dout, and 0 * inf is NaN.",
    ),
]

OTHER_SPELLINGS = [
    Documented(
        id="relu-as-maximum",
        layer="Relu",
        quantity="dx",
        spelled="maximum(x, 0)",
        where="derivative at 0, if spelled maximum(x, 0)",
        when=lambda x: x == 0,
        returns={("torch", "jax"): 0.5},
        why="x and 0 tie, and each of the two gets half of the derivative.",
        source=JAX_MAXIMUM,
    ),
    Documented(
        id="relu-as-maximum-at-nan",
        layer="Relu",
        quantity="dx",
        spelled="maximum(x, 0)",
        where="derivative at NaN, if spelled maximum(x, 0)",
        when=lambda x: np.isnan(x),
        returns={("jax",): 0.0},
        why="JAX passes dout where x equals the maximum, and NaN does not equal itself.",
        source=JAX_MAXIMUM,
    ),
    Documented(
        id="relu-as-clip",
        layer="Relu",
        quantity="dx",
        spelled="clip(x, 0)",
        where="derivative at 0, if spelled clip(x, 0)",
        when=lambda x: x == 0,
        returns={("torch",): 1.0, ("jax",): 0.5},
        why="PyTorch passes dout where x >= 0, and from 2.14 on where x > 0, as by hand; "
        "JAX's clip is a maximum, where x and 0 tie.",
        source=CLAMP,
        versions={"torch": "<2.14"},
    ),
    Documented(
        id="relu-as-clip-at-nan",
        layer="Relu",
        quantity="dx",
        spelled="clip(x, 0)",
        where="derivative at NaN, if spelled clip(x, 0)",
        when=lambda x: np.isnan(x),
        returns={("torch", "jax"): 0.0},
        why="NaN >= 0 is false, and NaN does not equal itself.",
    ),
    Documented(
        id="relu-as-where",
        layer="Relu",
        quantity="dx",
        spelled="where(x > 0, x, 0)",
        where="derivative at NaN, if spelled where(x > 0, x, 0)",
        when=lambda x: np.isnan(x),
        returns={("torch", "jax"): 0.0},
        why="NaN > 0 is false.",
    ),
    Documented(
        id="sigmoid-as-tanh",
        layer="Sigmoid",
        quantity="dx",
        spelled="(1 + tanh(x / 2)) / 2",
        where="derivative at -100, if spelled (1 + tanh(x / 2)) / 2",
        when=lambda x: x == -100,
        returns={("torch", "jax"): 0.0},
        why="tanh(-50) is rounded to -1, and 1 - tanh**2 cancels to 0.",
    ),
    Documented(
        id="softmax-unshifted",
        layer="Softmax",
        quantity="dx",
        spelled="exp(x) / sum(exp(x))",
        where="derivative at 1000 and -1000, if spelled exp(x) / sum(exp(x))",
        when=lambda x: x == x,
        returns={("torch", "jax"): NAN},
        why="exp(1000) is inf, and inf / inf is NaN; exp(-1000) is 0, and 0 / 0 is NaN.",
        source="https://github.com/tensorflow/tensorflow/issues/10142",
    ),
    Documented(
        id="loss-with-a-little-added",
        layer="SoftmaxWithLoss",
        quantity="dx",
        spelled="-log(softmax(x) + 1e-7)",
        where="derivative where y has come to 0, if spelled -log(softmax(x) + 1e-7)",
        when=lambda x: x == x,
        returns={("torch", "jax"): 0.0},
        why="With 1e-7 added to y the loss is flat where y is less. The lecture's own "
        "backward, (y - t) / N, is the derivative of the loss without it.",
        source="Deep Learning from Scratch, sections 4.2.2 and 5.6.3",
        versions={"jax": "<0.12"},
    ),
    Documented(
        id="loss-with-a-little-added-minus-zero",
        layer="SoftmaxWithLoss",
        quantity="dx",
        spelled="-log(softmax(x) + 1e-7)",
        where="the same derivative from JAX 0.12 on",
        when=lambda x: x == x,
        returns={("jax",): lambda t: np.where(t == 1, -0.0, 0.0)},
        why="As flat, but at the label -0.0 comes from the logarithm, and -0.0 from the "
        "maximum that x is shifted by. Up to JAX 0.11 that was 0, and -0.0 + 0 is 0.",
        versions={"jax": ">=0.12"},
    ),
]

DOCUMENTED = [
    *MULTIPLICATION,
    *BILL,
    *RELU,
    *EXPONENTIAL,
    *LOGARITHM,
    *RECIPROCAL,
    *SIGMOID_GRAPH,
    *SIGMOID,
    *AFFINE,
    *CROSS_ENTROPY,
    *SOFTMAX_WITH_LOSS,
    *OTHER_SPELLINGS,
]


def gone_in(note: str | None) -> str:
    """The sentence of a divergence that is gone, at the end of a note; empty if none is."""
    _, gone, sentence = (note or "").partition(GONE)
    return gone + sentence


def known(case: Any, quantity: str, dtype: str, backend: Backend) -> list[Documented]:
    """The entries that say anything of this quantity of this implementation, whichever
    versions they are of.
    """
    return [e for e in DOCUMENTED if e.knows(case, quantity, dtype, backend)]


def documented(
    case: Any, quantity: str, dtype: str, backend: Backend
) -> list[Documented]:
    """Those of them that are of the installed version."""
    return [e for e in known(case, quantity, dtype, backend) if e.applies_to(backend)]


# --- What was seen of them ------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Seen:
    """What an implementation returned for a case, and what it should have."""

    case: Case
    dtype: str
    name: str
    results: Arrays
    truth: Arrays


def table(seen: Sequence[Seen], implementations: Sequence[str]) -> Iterator[Divergence]:
    """The rows for `results.json`: what every implementation returned at the first
    element of each divergence that is not the truth, and the truth.

    Args:
        seen: what was computed.
        implementations: which of them to show, in this order.
    """
    shown = ["truth", *implementations]
    for entry in DOCUMENTED:
        for dtype in entry.dtypes:
            examples = ((s, entry.example(s)) for s in seen if s.dtype == dtype)
            one, index = next(
                ((s, i) for s, i in examples if i is not None), (None, None)
            )
            if one is None or index is None:
                continue
            by_name = {
                s.name: s.results[entry.quantity]
                for s in seen
                if (s.case.id, s.dtype) == (one.case.id, dtype) and s.results
            }
            with np.errstate(over="ignore"):
                by_name["truth"] = one.truth[entry.quantity].astype(dtype)
            yield Divergence(
                id=entry.id,
                layer=entry.layer,
                where=entry.where,
                dtype=dtype,
                at=place(one.case, index),
                values={
                    name: str(by_name[name][index]) for name in shown if name in by_name
                },
                why=entry.why,
                source=entry.source,
            )


def place(case: Case, index: tuple[int, ...]) -> str:
    """The numbers that go into an element, or the case where it is more than these."""
    given = {**case.inputs, "dout": case.dout}
    shapes = {value.shape for value in given.values()}
    if len(shapes) > 1 or case.layer == "Softmax":
        return case.id
    return ", ".join(f"{name} = {value[index]!s}" for name, value in given.items())
