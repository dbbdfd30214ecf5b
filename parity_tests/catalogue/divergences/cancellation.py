"""Differences and sums in which what matters is rounded away."""

import numpy as np

from gradparity.parity_tests.catalogue.divergences.entry import ALL, NAN, Documented

CANCELLATION = [
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
]
