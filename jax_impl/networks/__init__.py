"""Networks made of the layers."""

from gradparity.jax_impl.networks.two_layer_net import (
    Batch,
    Labels,
    Params,
    Scores,
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
