"""Networks made of the layers."""

from gradparity.jax_impl.arrays import Labels, Scores
from gradparity.jax_impl.networks.two_layer_net import (
    Batch,
    Params,
    accuracy,
    from_params,
    gradient,
    init,
    loss,
    predict,
    trace,
)

__all__ = [
    "Batch",
    "Labels",
    "Params",
    "Scores",
    "accuracy",
    "from_params",
    "gradient",
    "init",
    "loss",
    "predict",
    "trace",
]
