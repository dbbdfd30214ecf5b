"""A call of every public function of `torch.nn.functional`, of layers that keep a state,
and of what people compute besides, on tensors of a few elements.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradparity.parity_tests.catalogue.spec import generator

F = torch.nn.functional
Called = tuple[Callable[..., Any], list[np.ndarray]]


def drawn(*shape: int, name: str = "functional") -> np.ndarray:
    return np.asarray(generator(f"{name} {shape}").standard_normal(shape))


X, Y, Z = (drawn(3, 4, name=name) for name in "xyz")
SQUARE = drawn(3, 3)
POSITIVE = np.abs(drawn(3, 4, name="positive")) + 0.1
PART = POSITIVE / (1 + POSITIVE)  # between 0 and 1
SIGNAL, IMAGE, VOLUME = drawn(2, 4, 9), drawn(2, 4, 8, 8), drawn(2, 2, 4, 4, 4)
SMALL = drawn(2, 4, 4, 4)
LABELS, SIGNS = torch.tensor([0, 2, 1]), torch.tensor([1, -1, 1])
LONG, SHORT = torch.tensor([6]), torch.tensor([2])
HEADS = drawn(2, 2, 5, 4)
CLASSES = torch.ones(2, 4, 4, dtype=torch.long)


def like(x: Tensor, array: Any) -> Tensor:
    """An array in the dtype of a tensor."""
    return torch.as_tensor(np.asarray(array)).to(x.dtype)


def of(name: str, *given: Any, **settings: Any) -> Called:
    """A function of `torch.nn.functional`: arrays are its leaves, the rest settings."""
    leaves = [each for each in given if isinstance(each, np.ndarray)]
    rest = [each for each in given if not isinstance(each, np.ndarray)]
    return (lambda *tensors: getattr(F, name)(*tensors, *rest, **settings)), leaves


ACTIVATIONS = (
    *("celu", "elu", "selu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish"),
    *("hardtanh", "leaky_relu", "logsigmoid", "mish", "relu", "relu6", "rrelu", "silu"),
    *("softplus", "softshrink", "softsign", "tanhshrink", "tanh", "sigmoid"),
)
POOLING: dict[str, Called] = {
    "adaptive_avg_pool1d": of("adaptive_avg_pool1d", SIGNAL, 3),
    "adaptive_avg_pool2d": of("adaptive_avg_pool2d", IMAGE, 3),
    "adaptive_avg_pool3d": of("adaptive_avg_pool3d", VOLUME, 3),
    "adaptive_max_pool1d": of("adaptive_max_pool1d", SIGNAL, 4),
    "adaptive_max_pool2d": of("adaptive_max_pool2d", IMAGE, 3),
    "adaptive_max_pool3d": of("adaptive_max_pool3d", VOLUME, 3),
    "avg_pool1d": of("avg_pool1d", SIGNAL, 3, 2, 1),
    "avg_pool2d": of("avg_pool2d", IMAGE, 3, 2, 1),
    "avg_pool2d, the padding not counted": of(
        "avg_pool2d", IMAGE, 3, 2, 1, count_include_pad=False
    ),
    "avg_pool2d, rounded up": of("avg_pool2d", IMAGE, 3, 2, 1, ceil_mode=True),
    "avg_pool2d, another divisor": of("avg_pool2d", IMAGE, 2, divisor_override=3),
    "avg_pool2d of one image": of("avg_pool2d", IMAGE[0], (2, 3)),
    "avg_pool3d": of("avg_pool3d", VOLUME, 2),
    "fractional_max_pool2d": of("fractional_max_pool2d", IMAGE, 2, output_size=3),
    "lp_pool1d": of("lp_pool1d", SIGNAL, 2, 3),
    "lp_pool2d": of("lp_pool2d", IMAGE, 2, 3),
    "lp_pool3d": of("lp_pool3d", VOLUME, 2, 2),
    "max_pool1d": of("max_pool1d", SIGNAL, 3, 2, 1),
    "max_pool2d": of("max_pool2d", IMAGE, 3, 2, 1),
    "max_pool2d, dilated": of("max_pool2d", IMAGE, 2, 1, 1, 2),
    "max_pool2d, rounded up": of("max_pool2d", IMAGE, 3, 2, ceil_mode=True),
    "max_pool3d": of("max_pool3d", VOLUME, 2),
    "fractional_max_pool3d": of("fractional_max_pool3d", VOLUME, 2, output_size=2),
    "max_unpool1d": (
        lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), [2] * 1),
        [SIGNAL],
    ),
    "max_unpool2d": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), [2] * 2),
        [IMAGE],
    ),
    "max_unpool3d": (
        lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), [2] * 3),
        [VOLUME],
    ),
}
CONVOLUTIONS: dict[str, Called] = {
    "conv1d": (
        lambda x, w, b: F.conv1d(x, w, b, 2, 1),
        [SIGNAL, drawn(6, 4, 3), drawn(6)],
    ),
    "conv2d": (
        lambda x, w, b: F.conv2d(x, w, b, 2, (1, 2), (2, 1)),
        [IMAGE, drawn(6, 4, 3, 2), drawn(6)],
    ),
    "conv2d in groups": (
        lambda x, w, b: F.conv2d(x, w, b, 1, 1, 1, 2),
        [SMALL, drawn(6, 2, 3, 3), drawn(6)],
    ),
    "conv2d by channel": of("conv2d", SMALL, drawn(4, 1, 3, 3), padding=1, groups=4),
    "conv2d of one image": of("conv2d", SMALL[0], drawn(3, 4, 3, 3)),
    "conv2d of the same size": of("conv2d", SMALL, drawn(3, 4, 2, 2), padding="same"),
    "conv3d": of("conv3d", VOLUME, drawn(3, 2, 2, 2, 2)),
    "conv_transpose1d": of("conv_transpose1d", SIGNAL, drawn(4, 3, 3), stride=2),
    "conv_transpose2d": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1, 2, (2, 1)),
        [SMALL, drawn(4, 3, 3, 3), drawn(6)],
    ),
    "conv_transpose3d": of("conv_transpose3d", VOLUME, drawn(2, 3, 2, 2, 2)),
    "conv_tbc": of("conv_tbc", drawn(5, 2, 4), drawn(3, 4, 2), drawn(2)),
    "fold": of("fold", drawn(2, 12, 9), (4, 4), 2),
    "unfold": of("unfold", IMAGE, 3, 1, 1, 2),
}
NORMALIZATIONS: dict[str, Called] = {
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        [SMALL, drawn(4), drawn(4)],
    ),
    "batch_norm, evaluated": (
        lambda x, w: F.batch_norm(x, like(x, [0.0] * 4), like(x, [1.0] * 4), w),
        [SMALL, drawn(4)],
    ),
    "group_norm": of("group_norm", SMALL, 2),
    "instance_norm": of("instance_norm", SMALL),
    "layer_norm": of("layer_norm", SMALL, (4, 4)),
    "local_response_norm": of("local_response_norm", SMALL, 2),
    "normalize": of("normalize", X),
    "rms_norm": of("rms_norm", X, (4,)),
}
LOSSES: dict[str, Called] = {
    "binary_cross_entropy": (
        lambda x: F.binary_cross_entropy(torch.sigmoid(x), like(x, PART)),
        [X],
    ),
    "binary_cross_entropy_with_logits": (
        lambda x: F.binary_cross_entropy_with_logits(
            x, like(x, PART), pos_weight=like(x, POSITIVE[0])
        ),
        [X],
    ),
    "cosine_embedding_loss": of("cosine_embedding_loss", X, Y, SIGNS),
    "cross_entropy": of("cross_entropy", X, LABELS),
    "cross_entropy, smoothed": of("cross_entropy", X, LABELS, label_smoothing=0.1),
    "cross_entropy, weighted": (
        lambda x: F.cross_entropy(x, LABELS, like(x, POSITIVE[0])),
        [X],
    ),
    "cross_entropy of probabilities": (
        lambda x: F.cross_entropy(x, torch.softmax(like(x, Y), -1)),
        [X],
    ),
    "cross_entropy of images": of("cross_entropy", SMALL, CLASSES),
    "cross_entropy, by row": of("cross_entropy", X, LABELS, reduction="none"),
    "ctc_loss": (
        lambda x: F.ctc_loss(x.log_softmax(-1), torch.tensor([[1, 2]]), LONG, SHORT),
        [drawn(6, 1, 4)],
    ),
    "gaussian_nll_loss": (lambda x, y, z: F.gaussian_nll_loss(x, y, z * z), [X, Y, Z]),
    "hinge_embedding_loss": of("hinge_embedding_loss", X, torch.tensor([1, -1, 1, 1])),
    "huber_loss": of("huber_loss", X, Y, delta=0.5),
    "kl_div": (
        lambda x, y: F.kl_div(F.log_softmax(x, -1), F.softmax(y, -1)),
        [X, Y],
    ),
    "l1_loss": of("l1_loss", X, Y),
    "margin_ranking_loss": (
        lambda x, y: F.margin_ranking_loss(x, y, SIGNS, 0.5),
        [X[:, 0], Y[:, 0]],
    ),
    "mse_loss": of("mse_loss", X, Y),
    "multi_margin_loss": of("multi_margin_loss", X, LABELS),
    "multilabel_margin_loss": of(
        "multilabel_margin_loss", X, torch.tensor([[0, 1, -1, 0]] * 3)
    ),
    "multilabel_soft_margin_loss": (
        lambda x: F.multilabel_soft_margin_loss(x, like(x, PART)),
        [X],
    ),
    "nll_loss": of("nll_loss", X, LABELS),
    "poisson_nll_loss": (lambda x: F.poisson_nll_loss(x, like(x, PART)), [X]),
    "smooth_l1_loss": of("smooth_l1_loss", X, Y, beta=0.5),
    "soft_margin_loss": (
        lambda x: F.soft_margin_loss(x, like(x, [1.0, -1.0, 1.0, 1.0])),
        [X],
    ),
    "triplet_margin_loss": of("triplet_margin_loss", X, Y, Z),
    "triplet_margin_with_distance_loss": of(
        "triplet_margin_with_distance_loss", X, Y, Z
    ),
}
IMAGES: dict[str, Called] = {
    "affine_grid": of("affine_grid", drawn(2, 2, 3), [2, 1, 3, 3]),
    "channel_shuffle": of("channel_shuffle", SMALL, 2),
    "grid_sample": of("grid_sample", SMALL, np.tanh(drawn(2, 3, 3, 2))),
    "interpolate": of("interpolate", SMALL, scale_factor=2),
    "interpolate, nearest-exact": of(
        "interpolate", SMALL, scale_factor=1.5, mode="nearest-exact"
    ),
    "interpolate, linear": of("interpolate", SIGNAL, scale_factor=2, mode="linear"),
    "interpolate, bilinear": of("interpolate", SMALL, scale_factor=2, mode="bilinear"),
    "interpolate, bicubic": of("interpolate", SMALL, scale_factor=2, mode="bicubic"),
    "interpolate, area": of("interpolate", SMALL, size=3, mode="area"),
    "pad": of("pad", X, (1, 1)),
    "pad, reflected": of("pad", SIGNAL, (1, 2), "reflect"),
    "pad, repeated": of("pad", SMALL, (1, 0, 2, 1), "replicate"),
    "pad, circular": of("pad", SIGNAL, (1, 1), "circular"),
    "pixel_shuffle": of("pixel_shuffle", SMALL, 2),
    "pixel_unshuffle": of("pixel_unshuffle", SMALL, 2),
}
OTHERS: dict[str, Called] = {
    "alpha_dropout": of("alpha_dropout", X, 0.5, True),
    "bilinear": of("bilinear", X, drawn(3, 5), drawn(2, 4, 5)),
    "cosine_similarity": of("cosine_similarity", X, Y),
    "dropout": of("dropout", X),
    "dropout1d": of("dropout1d", SIGNAL),
    "dropout2d": of("dropout2d", SMALL),
    "dropout3d": of("dropout3d", VOLUME),
    "embedding": (lambda w: F.embedding(torch.tensor([0, 2, 2]), w), [X]),
    "embedding_bag": (
        lambda w: F.embedding_bag(torch.tensor([[0, 2], [1, 1]]), w),
        [X],
    ),
    "feature_alpha_dropout": of("feature_alpha_dropout", SMALL, 0.5, True),
    "gumbel_softmax": of("gumbel_softmax", X),
    "one_hot": (lambda x: x * F.one_hot(LABELS, 4), [X]),
    "linear_cross_entropy": of("linear_cross_entropy", X, drawn(5, 4), LABELS),
    "linear": of("linear", drawn(2, 3, 4), drawn(5, 4), drawn(5)),
    "log_softmax": of("log_softmax", X, -1),
    "pairwise_distance": of("pairwise_distance", X, Y),
    "pdist": of("pdist", X),
    "prelu": of("prelu", X, drawn(4)),
    "scaled_dot_product_attention": (
        lambda q: F.scaled_dot_product_attention(q, q + 1, 2 * q),
        [HEADS],
    ),
    "scaled_dot_product_attention, causal": (
        lambda q: F.scaled_dot_product_attention(q, q + 1, q, is_causal=True),
        [HEADS],
    ),
    "softmax": of("softmax", X, -1),
    "softmin": of("softmin", X, -1),
    "softplus, another beta": of("softplus", X, 2, 1),
    "threshold": of("threshold", X, 0.1, 2.0),
}
TUPLES: dict[str, Any] = {
    "addcdiv": (torch.addcdiv, X, Y, POSITIVE),
    "addcmul": (torch.addcmul, X, Y, Z),
    "baddbmm": (torch.baddbmm, drawn(2, 3, 3), drawn(2, 3, 4), drawn(2, 4, 3)),
    "cdist": (torch.cdist, X, Y),
    "cross": (torch.linalg.cross, SQUARE, SQUARE + 1),
    "cummax": (lambda x: torch.cummax(x, -1).values, X),
    "cumprod": (lambda x: torch.cumprod(x, 0), X),
    "cumsum": (lambda x: torch.cumsum(x, 0), X),
    "diff": (torch.diff, X),
    "fmax": (torch.fmax, X, Y),
    "kron": (torch.kron, X[:2, :2], Y[:2, :2]),
    "kthvalue": (lambda x: torch.kthvalue(x, 2, 0, True).values, X),
    "lerp": (lambda x, y: torch.lerp(x, y, 0.3), X, Y),
    "logaddexp": (torch.logaddexp, X, Y),
    "median": (torch.median, X),
    "median along an axis": (lambda x: torch.median(x, -1).values, X),
    "outer": (torch.outer, X[0], Y[1]),
    "prod": (torch.prod, X),
    "prod with a zero": (lambda x: torch.prod(x * (x > 0), 0), X),
    "sinc": (torch.sinc, X),
    "tensordot": (lambda x, y: torch.tensordot(x, y, ([1], [1])), X, Y),
    "trace": (torch.trace, SQUARE),
    "xlogy": (torch.xlogy, POSITIVE, PART),
    "acos": (torch.acos, PART),
    "atan": (torch.atan, X),
    "atan2": (torch.atan2, X, Y),
    "cosh": (torch.cosh, X),
    "exp2": (torch.exp2, X),
    "lgamma": (torch.lgamma, POSITIVE),
    "log2": (torch.log2, POSITIVE),
    "inverse": (torch.inverse, SQUARE),
}
TENSORS: dict[str, Called] = {
    name: (call[0], [*call[1:]]) for name, call in TUPLES.items()
}
CALLS: dict[str, Called] = {
    **{name: of(name, X) for name in ACTIVATIONS},
    **POOLING,
    **CONVOLUTIONS,
    **NORMALIZATIONS,
    **LOSSES,
    **IMAGES,
    **OTHERS,
    **TENSORS,
}


def layer(made: Callable[[], torch.nn.Module], *shape: int) -> Called:
    """A layer with weights of its own, in the dtype of what it gets."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = made()

    def function(x: Tensor) -> Any:
        found = module.to(x.dtype)(x)
        return found[0] if isinstance(found, tuple) else found

    return function, [drawn(*shape)]


nn = torch.nn
CALLS |= {
    "LSTM": layer(lambda: nn.LSTM(4, 3), 5, 2, 4),
    "GRU": layer(lambda: nn.GRU(4, 3), 5, 2, 4),
    "RNN": layer(lambda: nn.RNN(4, 3), 5, 2, 4),
    "TransformerEncoderLayer": layer(
        lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 2, 5, 8
    ),
}
