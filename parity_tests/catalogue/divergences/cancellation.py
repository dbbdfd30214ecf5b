"""Differences and sums in which what matters is rounded away."""

import numpy as np

from gradparity.parity_tests.catalogue.divergences.entry import ALL, NAN, Documented
from gradparity.parity_tests.catalogue.divergences.words import flushed

RULE_OF_JAX = "https://github.com/jax-ml/jax/blob/jax-v0.10.2/jax/_src/lax/lax.py#L4508"

CANCELLATION = [
    Documented(
        id="sigmoid-derivative-where-it-is-1",
        of="Sigmoid.dx",
        where="derivative for dout = inf, if y has come to 1",
        when=lambda x, out, dout: np.isfinite(x) & (out == 1) & np.isinf(dout),
        returns={ALL: NAN},
        why="1 - y cancels to 0, and inf * 0 is NaN.",
        source="https://github.com/jax-ml/jax/issues/40385",
    ),
    Documented(
        id="sigmoid-as-tanh",
        of="Sigmoid.dx",
        spelled="(1 + tanh(x / 2)) / 2",
        where="derivative at -100, if spelled (1 + tanh(x / 2)) / 2",
        when=lambda x: x == -100,
        returns={("torch", "jax"): 0.0},
        why="tanh(-50) is rounded to -1, and 1 - tanh**2 cancels to 0.",
    ),
    Documented(
        id="tanh-derivative-where-it-is-1",
        of="Tanh.dx",
        where="derivative for dout = inf, if y has come to 1 or -1",
        when=lambda x, out, dout: np.isfinite(x) & (abs(out) == 1) & np.isinf(dout),
        returns={ALL: NAN},
        why="1 - y**2 cancels to 0, and inf * 0 is NaN.",
    ),
    Documented(
        id="tanh-derivative-below-0",
        of="Tanh.dx",
        where="derivative if y <= 0 and dout (1 - y) is infinite",
        when=lambda out, dout: (flushed(out) <= 0) & np.isinf(dout * (1 - out)),
        returns={("jax", "jax-jit"): NAN},
        why="Up to 0.11.1, JAX's derivative is e + e y with e = dout (1 - y), here "
        "infinite: where y < 0 that is inf - inf, and where y is 0, or so small that it "
        "counts as 0, inf * 0. From 0.11.2 on it is dout ((1 + y) (1 - y)).",
        source=RULE_OF_JAX,
        versions={"jax": "<0.11.2"},
    ),
    Documented(
        id="loss-with-a-little-added",
        of="SoftmaxWithLoss.dx",
        spelled="-log(softmax(x) + 1e-7)",
        where="derivative where y has come to 0, if spelled -log(softmax(x) + 1e-7)",
        when=lambda x: x == x,
        returns={("torch", "jax"): 0.0},
        why="With 1e-7 added to y the loss is flat where y is less. The lecture's own "
        "backward, (y - t) / N, is the derivative of the loss without it.",
        source="Deep Learning from Scratch, sections 4.2.2 and 5.6.3",
        versions={"jax": "<0.12"},
    ),
]
