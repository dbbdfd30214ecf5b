"""Zeros whose sign is not that of the reference's."""

import numpy as np

from gradparity.parity_tests.catalogue.divergences.entry import Documented

SIGNS_OF_ZERO = [
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
