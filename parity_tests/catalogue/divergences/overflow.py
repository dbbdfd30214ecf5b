"""Numbers that are too large or too small: what came to inf or 0 is computed with."""

from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.divergences.entry import (
    ALL,
    COMPOSED,
    JAX,
    NAN,
    NUMPY,
    TORCH,
    Documented,
)
from gradparity.parity_tests.catalogue.divergences.words import (
    at_label,
    flushed,
    hot,
    is_zero,
    picked_loss,
    shifted_exp,
    softmax,
    tiny_share,
)
from gradparity.parity_tests.measuring.arithmetic import fuses

LOG_OF_SOFTMAX = "https://github.com/pytorch/pytorch/issues/1620"
FUSED_MULTIPLY_ADD = "https://github.com/openxla/xla/issues/41579"
SIGMOID_FROM_NODES = "https://github.com/jax-ml/jax/issues/7205"
EXP_OVERFLOWS_EARLY = "https://github.com/shibatch/sleef/issues/523"


def overflows_against(apple: Any, apple_num: Any, orange: Any, orange_num: Any) -> Any:
    """The first product overflows, and the second one is the opposite infinity."""
    apples, oranges = apple * apple_num, orange * orange_num
    finite = np.isfinite(apple) & np.isfinite(apple_num)
    return finite & np.isinf(apples) & (apples == -oranges)


def at_overflow(x: Any) -> Any:
    """Whether rounding decides if exp(-x) overflows: some come to the largest number."""
    return -x <= np.log(np.finfo(x.dtype).max) * (1 + np.finfo(x.dtype).eps)


OVERFLOW = [
    Documented(
        id="fruit-inf-minus-inf",
        of="BuyFruit.out",
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
        of="BuyFruit.dtax",
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
        of="BuyFruit.out",
        where="a sum that overflows, times 0",
        when=lambda apple, apple_num, tax: np.isinf(apple * apple_num) & (tax == 0),
        returns={ALL: NAN},
        why="The sum is rounded to inf before it is multiplied, and inf * 0 is NaN.",
    ),
    Documented(
        id="exp-derivative-overflows",
        of="Exp.dx",
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
        of="Exp.dx",
        where="derivative for dout = inf, if exp(x) underflows to 0",
        when=lambda out, dout: (out == 0) & np.isinf(dout),
        returns={ALL: NAN},
        why="exp(x) is never 0, and inf times it would be inf; but 0 * inf is NaN. To JAX, "
        "subnormal results are 0 already.",
    ),
    Documented(
        id="reciprocal-derivative-overflows",
        of="Reciprocal.dx",
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
        id="reciprocal-derivative-underflows",
        of="Reciprocal.dx",
        where="derivative for dout = inf, if the square underflows to 0",
        when=lambda x, out, dout: np.isfinite(x) & (out * out == 0) & np.isinf(dout),
        returns={ALL: NAN},
        why="The square is never 0, and inf times it would be inf; but 0 * inf is NaN.",
    ),
    Documented(
        id="sigmoid-from-nodes-overflows",
        of="SigmoidGraph.out",
        where="1 / (1 + exp(-x)), if exp(-x) overflows",
        when=lambda x: np.isinf(np.exp(-x)),
        returns={ALL: 0.0},
        why="1 / (1 + inf) is 0, where the sigmoid is a subnormal number.",
        source=SIGMOID_FROM_NODES,
    ),
    Documented(
        id="sigmoid-from-nodes-derivative-overflows",
        of="SigmoidGraph.dx",
        where="derivative, if exp(-x) overflows",
        when=lambda x, result: (
            np.isinf(np.exp(-x)) & ~(at_overflow(x) & np.isfinite(result))
        ),
        returns={ALL: NAN},
        why="The output is 0: backward multiplies -dout * 0**2 by exp(-x) = inf, and 0 * "
        "inf is NaN. The fused sigmoid's y * (1 - y) is 0 there.",
        source=SIGMOID_FROM_NODES,
    ),
    Documented(
        id="sigmoid-from-nodes-derivative-underflows",
        of="SigmoidGraph.dx",
        where="derivative for dout = inf, if y**2 or exp(-x) underflows to 0",
        when=lambda x, out, dout: (
            np.isfinite(x) & np.isinf(dout) & ((out * out == 0) | (np.exp(-x) == 0))
        ),
        returns={ALL: NAN},
        why="Neither is ever 0, and inf times it would be inf; but 0 * inf is NaN.",
    ),
    Documented(
        id="sigmoid-overflows",
        of="Sigmoid.out",
        where="y, if exp(-x) overflows",
        when=lambda x: np.isinf(np.exp(-x)),
        returns={("torch",): 0.0},
        why="PyTorch computes 1 / (1 + exp(-x)), and 1 / inf is 0. The reference takes "
        "exp(x) / (1 + exp(x)) for x < 0, which is a subnormal number there.",
    ),
    Documented(
        id="sigmoid-overflows-early",
        of="Sigmoid.out",
        where="y, if exp(-x) is next to overflowing",
        when=lambda x, out: (out == 0) & (x < -709.782711) & np.isfinite(np.exp(-x)),
        returns={("torch",): 0.0},
        why="Up to 2.6, PyTorch's exp in vectors of float64 is that of a SLEEF which takes "
        "everything above 709.7827111 for an overflow, 2e-6 before it is one.",
        source=EXP_OVERFLOWS_EARLY,
        dtypes=("float64",),
        versions={"torch": "<2.7"},
    ),
    Documented(
        id="sigmoid-derivative-where-it-is-0",
        of="Sigmoid.dx",
        where="derivative, dout y (1 - y), if y has come to 0",
        when=lambda x, out: np.isfinite(x) & (out == 0),
        returns={ALL: lambda dout: dout * 0},
        why="y is never 0, and however small may be worth something with a large dout. "
        "PyTorch and JAX come to 0 earlier than the reference, as above.",
    ),
    Documented(
        id="cross-entropy-derivative-tiny-dout",
        of="CrossEntropy.dy",
        where="derivative at a label of probability 0, if dout / N underflows to 0",
        when=lambda y, t, dout: (y == 0) & hot(t, y) & tiny_share(dout, y, is_zero),
        returns={TORCH: NAN},
        why="Autograd divides dout by the batch size first, and 0 / 0 is NaN. The "
        "reference divides by their product, and dout / 0 is inf.",
    ),
    Documented(
        id="softmax-then-log-loss",
        of="SoftmaxWithLoss.out",
        where="loss of a probability that underflows to 0",
        when=lambda x, t: (at_label(softmax(x), t) == 0).any(),
        returns={COMPOSED: lambda x, t: picked_loss(softmax(x), t)},
        why="The softmax underflows to 0, and -log(0) is inf. Joined, the loss is "
        "log(sum exp(x)) - x_t, and nothing underflows.",
        source=LOG_OF_SOFTMAX,
    ),
    Documented(
        id="softmax-then-log-derivative",
        of="SoftmaxWithLoss.dx",
        where="derivative of the loss of a probability that underflows to 0",
        when=lambda x, t: at_label(shifted_exp(x), t) == 0,
        returns={COMPOSED: NAN},
        why="-1/0 from the logarithm meets the 0 of the softmax: inf * 0 is NaN.",
        source=LOG_OF_SOFTMAX,
    ),
    Documented(
        id="softmax-unshifted",
        of="Softmax.dx",
        spelled="exp(x) / sum(exp(x))",
        where="derivative at 1000 and -1000, if spelled exp(x) / sum(exp(x))",
        when=lambda x: x == x,
        returns={("torch", "jax"): NAN},
        why="exp(1000) is inf, and inf / inf is NaN; exp(-1000) is 0, and 0 / 0 is NaN.",
        source="https://github.com/tensorflow/tensorflow/issues/10142",
    ),
]
