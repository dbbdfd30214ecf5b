"""The derivative at a kink: both sides of a maximum or a clip are equal, or one is NaN."""

import numpy as np

from gradparity.parity_tests.catalogue.divergences.entry import Documented
from gradparity.parity_tests.catalogue.divergences.words import flushed

JAX_MAXIMUM = "https://github.com/jax-ml/jax/issues/37821"
CLAMP = "https://github.com/pytorch/pytorch/issues/195931"

TIES = [
    Documented(
        id="relu-as-maximum",
        of="Relu.dx",
        spelled="maximum(x, 0)",
        where="derivative at 0, if spelled maximum(x, 0)",
        when=lambda x: x == 0,
        returns={("torch", "jax"): 0.5},
        why="x and 0 tie, and each of the two gets half of the derivative.",
        source=JAX_MAXIMUM,
    ),
    Documented(
        id="relu-as-maximum-at-nan",
        of="Relu.dx",
        spelled="maximum(x, 0)",
        where="derivative at NaN, if spelled maximum(x, 0)",
        when=lambda x: np.isnan(x),
        returns={("jax",): 0.0},
        why="JAX passes dout where x equals the maximum, and NaN does not equal itself.",
        source=JAX_MAXIMUM,
    ),
    Documented(
        id="leaky-relu-derivative-at-0",
        of="LeakyRelu.dx",
        where="derivative at 0",
        when=lambda x, dout: (flushed(x) == 0) & (flushed(dout) != 0),
        returns={("jax", "jax-jit"): lambda dout: dout},
        why="jax.nn.leaky_relu passes dout where x >= 0, PyTorch and the reference where "
        "x > 0 only: from the slope to 1, any is a subgradient. To JAX, subnormal numbers "
        "are 0.",
        source="https://github.com/jax-ml/jax/blob/jax-v0.10.2/jax/_src/nn/functions.py",
    ),
    Documented(
        id="relu-as-clip",
        of="Relu.dx",
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
        of="Relu.dx",
        spelled="clip(x, 0)",
        where="derivative at NaN, if spelled clip(x, 0)",
        when=lambda x: np.isnan(x),
        returns={("torch", "jax"): 0.0},
        why="NaN >= 0 is false, and NaN does not equal itself.",
    ),
    Documented(
        id="relu-as-where",
        of="Relu.dx",
        spelled="where(x > 0, x, 0)",
        where="derivative at NaN, if spelled where(x > 0, x, 0)",
        when=lambda x: np.isnan(x),
        returns={("torch", "jax"): 0.0},
        why="NaN > 0 is false.",
    ),
]
