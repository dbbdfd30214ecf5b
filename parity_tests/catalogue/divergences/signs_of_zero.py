"""Zeros whose sign is not that of the reference's."""

import numpy as np

from gradparity.parity_tests.catalogue.divergences.entry import Documented
from gradparity.parity_tests.catalogue.divergences.words import flushed

SIGNS_OF_ZERO = [
    Documented(
        id="relu-of-minus-zero",
        of="Relu.out",
        where="of -0.0",
        when=lambda x: (x == 0) & np.signbit(x),
        returns={("torch",): -0.0},
        why="torch.relu is clamp_min(x, 0), which returns x itself where x >= 0, and "
        "-0.0 >= 0 holds. The lecture's mask x <= 0 replaces it by 0.",
        source="https://github.com/pytorch/pytorch/pull/196039",
    ),
    Documented(
        id="leaky-relu-derivative-minus-zero",
        of="LeakyRelu.dx",
        where="derivative for dout = -0.0",
        when=lambda dout: flushed(dout) == 0,
        returns={("jax", "jax-jit"): 0.0},
        why="The derivative of where(x >= 0, x, slope x) is the sum of what comes through "
        "either side, one of which is 0, and -0.0 + 0 is 0.",
    ),
    Documented(
        id="tanh-derivative-minus-zero",
        of="Tanh.dx",
        where="derivative if y is -1, or if dout is 0 and y negative or -0.0",
        when=lambda out, dout: (
            np.isfinite(dout * (1 - out))
            & ((out == -1) | (np.signbit(out) & (flushed(dout) == 0)))
        ),
        returns={("jax", "jax-jit"): 0.0},
        why="e + e y with e = dout (1 - y) is there a sum of zeros of both signs, or of a "
        "number and its opposite, and that is 0.0, for a negative dout as well.",
        versions={"jax": "<0.11.2"},
    ),
    Documented(
        id="loss-with-a-little-added-minus-zero",
        of="SoftmaxWithLoss.dx",
        spelled="-log(softmax(x) + 1e-7)",
        where="the same derivative from JAX 0.12 on",
        when=lambda x: x == x,
        returns={("jax",): lambda t: np.where(t == 1, -0.0, 0.0)},
        why="As flat, but at the label -0.0 comes from the logarithm, and -0.0 from the "
        "maximum that x is shifted by. Up to JAX 0.11 that was 0, and -0.0 + 0 is 0.",
        versions={"jax": ">=0.12"},
    ),
]
