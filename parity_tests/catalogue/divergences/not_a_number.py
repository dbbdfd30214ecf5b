"""Infinities and NaN where they meet a 0, a comparison or each other."""

from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.divergences.entry import (
    FUSED,
    JAX,
    NAN,
    TORCH,
    Documented,
)
from gradparity.parity_tests.catalogue.divergences.words import (
    flushed,
    hot,
    is_zero,
    logs_to_inf,
)
from gradparity.parity_tests.catalogue.layers import LAYERS

SLOPE = LAYERS["LeakyRelu"].settings["slope"]
ONE_HOT = "https://github.com/google-deepmind/optax/issues/896"
ZERO_OVER_ZERO = "https://github.com/pytorch/pytorch/issues/31829"


def masked_one_hot(x: Any, t: Any) -> Any:
    """One-hot labels, and a class that is not the label's with a logarithm of -inf."""
    log_y = x - x.max(axis=-1, keepdims=True)
    return t.shape == x.shape and (np.isneginf(log_y) & (t == 0)).any()


def leaked_in_jax(dout: Any, result: Any) -> Any:
    """The slope times dout, or 0 of any sign where that is subnormal."""
    product = flushed(SLOPE * flushed(dout))
    return np.where(product == 0, np.copysign(0, result), product)


NOT_A_NUMBER = [
    Documented(
        id="relu-derivative-at-nan",
        of="Relu.dx",
        where="derivative at NaN",
        when=lambda x: np.isnan(x),
        returns={("jax", "jax-jit"): 0.0},
        why="jax.nn.relu's rule is select(x > 0, dout, 0), and NaN > 0 is false; the "
        "lecture's mask stops dout where x <= 0, and NaN <= 0 is false as well.",
        source="https://github.com/jax-ml/jax/pull/2342",
    ),
    Documented(
        id="leaky-relu-derivative-at-nan",
        of="LeakyRelu.dx",
        where="derivative at NaN",
        when=lambda x: np.isnan(x),
        returns={
            ("torch",): lambda dout: SLOPE * dout,
            ("jax", "jax-jit"): leaked_in_jax,
        },
        why="PyTorch passes dout where x > 0 and JAX where x >= 0, which NaN is not; the "
        "reference's mask is x <= 0, as Relu's, and NaN <= 0 is false as well.",
    ),
    Documented(
        id="log-of-a-zero-probability",
        of="CrossEntropy.dy",
        where="derivative at a wrong class of probability 0",
        when=lambda y, t: ((y == 0) | np.isnan(y)) & ~hot(t, y),
        returns={FUSED: NAN},
        why="The logarithm of all probabilities is taken before the label's is picked: "
        "backward divides the 0 that arrives at log(0) by 0. Picked first, the zeros "
        "are never touched.",
        source=ZERO_OVER_ZERO,
    ),
    Documented(
        id="cross-entropy-derivative-one-hot",
        of="CrossEntropy.dy",
        where="derivative at a wrong class for dout = inf or NaN, labels one-hot",
        when=lambda y, t, dout: (t.shape == y.shape) & ~hot(t, y) & ~np.isfinite(dout),
        returns={FUSED: NAN},
        why="Multiplying by t, where it is 0, does not stop what is not finite: 0 * inf is "
        "NaN. Picking does.",
    ),
    Documented(
        id="cross-entropy-one-hot",
        of="CrossEntropy.out",
        where="loss, if a wrong class has probability 0, labels one-hot",
        when=lambda y, t: logs_to_inf(y, t, is_zero),
        returns={FUSED: NAN},
        why="t * log(y) is 0 * -inf = NaN. With label indices, or the label's probability "
        "picked first, that logarithm plays no part.",
        source=ONE_HOT,
    ),
    Documented(
        id="loss-masked-one-hot",
        of="SoftmaxWithLoss.out",
        where="loss, if a wrong class is masked with -inf, labels one-hot",
        when=masked_one_hot,
        returns={FUSED: NAN},
        why="t * log_softmax(x) is 0 * -inf = NaN. With label indices the masked classes "
        "play no part.",
        source=ONE_HOT,
    ),
    Documented(
        id="loss-derivative-for-inf",
        of="SoftmaxWithLoss.dx",
        where="derivative at the label for dout = inf",
        when=lambda x, t, dout: hot(t, x) & np.isinf(dout),
        returns={(*TORCH, *JAX): NAN},
        why="Autograd adds what comes from the label's logit to what comes from the sum, "
        "-inf + inf. By hand the two are y - t before they are multiplied.",
    ),
    Documented(
        id="loss-derivative-for-inf-one-hot",
        of="SoftmaxWithLoss.dx",
        where="derivative at a wrong class for dout = inf, labels one-hot",
        when=lambda x, t, dout: (t.shape == x.shape) & np.isinf(dout),
        returns={FUSED: NAN},
        why="What comes from the logits is t * dout, and 0 * inf is NaN.",
    ),
]
