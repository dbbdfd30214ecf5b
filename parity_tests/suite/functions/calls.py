"""A call of every public function of `torch.nn.functional`, on an image x of the shape
(2, 4, 6, 6) and a kernel w of (4, 4, 3, 3).
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

Tensor = Any
IMAGE, KERNEL = (2, 4, 6, 6), (4, 4, 3, 3)
LABELS = torch.tensor([0, 3])
SIGNS = torch.tensor([1.0, -1.0])


def rows(x: Tensor) -> Tensor:
    return x.reshape(8, 36)[:, :6]


def line(x: Tensor) -> Tensor:
    return x.reshape(2, 4, 36)[:, :, :12]


def solid(x: Tensor) -> Tensor:
    return x.reshape(1, 2, 4, 6, 6)


def positive(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


def unpooled(pool: Any, unpool: Any, x: Tensor) -> Tensor:
    values, places = pool(x, 2, return_indices=True)
    return unpool(values, places, 2)


def several_heads(x: Tensor) -> Tensor:
    q = x.reshape(8, 2, 18)[:, :, :4]
    weights = torch.cat([rows(x)[:, :4]] * 2)[:12]
    return F.multi_head_attention_forward(
        *(q, q, q, 4, 2, weights, rows(x)[:2].ravel(), None, None, False, 0.0),
        *(rows(x)[:4, :4], rows(x)[0, :4]),
    )[0]


def distributed(x: Tensor) -> Tensor:
    lengths = torch.full((2,), 12), torch.full((2,), 2)
    scores = F.log_softmax(line(x).permute(2, 0, 1), -1)
    return F.ctc_loss(scores, torch.tensor([[1, 2], [3, 1]]), *lengths)


def seen(x: Tensor) -> Tensor:
    """Through a grid, whose points lie between those of the image."""
    grid = F.affine_grid(
        torch.tanh(rows(x)).reshape(2, -1)[:, :6].reshape(2, 2, 3), [*IMAGE]
    )
    return F.grid_sample(x, grid, align_corners=False)


def one_of(name: str, **settings: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, w: getattr(F, name)(x, **settings)


def written(name: str, **settings: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, w: getattr(F, name)(x * 1, **settings)


def of_pair(name: str, **settings: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, w: getattr(F, name)(rows(x)[:2], rows(x)[2:4], **settings)


ACTIVATIONS = (
    *("celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish"),
    *("hardtanh", "leaky_relu", "logsigmoid", "mish", "relu", "relu6", "rrelu", "selu"),
    *("sigmoid", "silu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink"),
)
IN_PLACE = ("celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "rrelu_", "selu_")
PAIRS = (
    *("huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss", "cosine_similarity"),
    "pairwise_distance",
)
CALLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    **{name: one_of(name) for name in ACTIVATIONS},
    **{name: written(name) for name in IN_PLACE},
    **{name: of_pair(name) for name in PAIRS},
    **{name: one_of(name, dim=1) for name in ("softmax", "softmin", "log_softmax")},
    **{f"dropout{n}": one_of(f"dropout{n}") for n in ("", "2d")},
    "dropout1d": lambda x, w: F.dropout1d(line(x)),
    "dropout3d": lambda x, w: F.dropout3d(solid(x)),
    "alpha_dropout": one_of("alpha_dropout", training=True),
    "feature_alpha_dropout": one_of("feature_alpha_dropout", training=True),
    "gumbel_softmax": one_of("gumbel_softmax"),
    "threshold": one_of("threshold", threshold=0.1, value=20.0),
    "threshold_": written("threshold_", threshold=0.1, value=20.0),
    "prelu": lambda x, w: F.prelu(x, w[0, :, 0, 0]),
    # Normalizations.
    "batch_norm": lambda x, w: F.batch_norm(x, None, None, training=True),
    "group_norm": one_of("group_norm", num_groups=2),
    "instance_norm": one_of("instance_norm"),
    "layer_norm": one_of("layer_norm", normalized_shape=(6, 6)),
    "rms_norm": one_of("rms_norm", normalized_shape=(6,)),
    "local_response_norm": one_of("local_response_norm", size=2),
    "normalize": one_of("normalize"),
    # Linear maps and attention.
    "linear": lambda x, w: F.linear(x, rows(x)),
    "bilinear": lambda x, w: F.bilinear(
        rows(x)[:, :4], rows(x)[:, :4], w.reshape(9, 4, 4)
    ),
    "multi_head_attention_forward": lambda x, w: several_heads(x),
    "scaled_dot_product_attention": lambda x, w: F.scaled_dot_product_attention(
        x, 2 * x, x
    ),
    "embedding": lambda x, w: F.embedding(LABELS, rows(x)),
    "embedding_bag": lambda x, w: F.embedding_bag(LABELS[None], rows(x)),
    # Convolutions.
    "conv1d": lambda x, w: F.conv1d(line(x), w[:, :, 0], padding=1),
    "conv2d": lambda x, w: F.conv2d(x, w, w[0, :, 0, 0], stride=2, padding=1),
    "conv3d": lambda x, w: F.conv3d(solid(x), w.reshape(2, 2, 4, 3, 3), padding=1),
    "conv_transpose1d": lambda x, w: F.conv_transpose1d(line(x), w[:, :, 0]),
    "conv_transpose2d": lambda x, w: F.conv_transpose2d(
        *(x, w, None, 2, 1), output_padding=1
    ),
    "conv_transpose3d": lambda x, w: F.conv_transpose3d(
        solid(x), w.reshape(2, 2, 4, 3, 3)
    ),
    "conv_tbc": lambda x, w: F.conv_tbc(
        line(x).permute(2, 0, 1), w[:, :, 0].permute(2, 1, 0), w[0, :, 0, 0]
    ),
    "fold": lambda x, w: F.fold(x.reshape(2, 16, 9), (6, 6), 2, stride=2),
    "unfold": one_of("unfold", kernel_size=3, padding=1),
    # Pooling.
    "avg_pool1d": lambda x, w: F.avg_pool1d(line(x), 3, padding=1),
    "avg_pool2d": one_of("avg_pool2d", kernel_size=3, stride=2, padding=1),
    "avg_pool3d": lambda x, w: F.avg_pool3d(solid(x), 2),
    "max_pool1d": lambda x, w: F.max_pool1d(line(x), 2),
    "max_pool2d": one_of("max_pool2d", kernel_size=3, stride=2, padding=1),
    "max_pool3d": lambda x, w: F.max_pool3d(solid(x), 2),
    "adaptive_avg_pool1d": lambda x, w: F.adaptive_avg_pool1d(line(x), 5),
    "adaptive_avg_pool2d": one_of("adaptive_avg_pool2d", output_size=(4, 1)),
    "adaptive_avg_pool3d": lambda x, w: F.adaptive_avg_pool3d(solid(x), 3),
    "adaptive_max_pool1d": lambda x, w: F.adaptive_max_pool1d(line(x), 5),
    "adaptive_max_pool2d": one_of("adaptive_max_pool2d", output_size=(4, 1)),
    "adaptive_max_pool3d": lambda x, w: F.adaptive_max_pool3d(solid(x), 3),
    "fractional_max_pool2d": one_of(
        "fractional_max_pool2d", kernel_size=2, output_size=3
    ),
    "fractional_max_pool3d": lambda x, w: F.fractional_max_pool3d(
        solid(x), 2, output_size=2
    ),
    "lp_pool1d": lambda x, w: F.lp_pool1d(positive(line(x)), 2.0, 2),
    "lp_pool2d": lambda x, w: F.lp_pool2d(positive(x), 2.0, 2),
    "lp_pool3d": lambda x, w: F.lp_pool3d(positive(solid(x)), 2.0, 2),
    "max_unpool1d": lambda x, w: unpooled(F.max_pool1d, F.max_unpool1d, line(x)),
    "max_unpool2d": lambda x, w: unpooled(F.max_pool2d, F.max_unpool2d, x),
    "max_unpool3d": lambda x, w: unpooled(F.max_pool3d, F.max_unpool3d, solid(x)),
    # Images.
    "grid_sample": lambda x, w: seen(x),
    "affine_grid": lambda x, w: F.affine_grid(rows(x)[:2].reshape(2, 2, 3), [*IMAGE]),
    "interpolate": one_of("interpolate", scale_factor=2, mode="bilinear"),
    "upsample": one_of("upsample", scale_factor=2, mode="bicubic"),
    "upsample_bilinear": one_of("upsample_bilinear", scale_factor=2),
    "upsample_nearest": one_of("upsample_nearest", scale_factor=2),
    "pad": one_of("pad", pad=(1, 2, 0, 1), mode="reflect"),
    "pixel_shuffle": one_of("pixel_shuffle", upscale_factor=2),
    "pixel_unshuffle": one_of("pixel_unshuffle", downscale_factor=2),
    "channel_shuffle": one_of("channel_shuffle", groups=2),
    "native_channel_shuffle": one_of("native_channel_shuffle", groups=2),
    # Losses.
    "binary_cross_entropy": lambda x, w: F.binary_cross_entropy(
        positive(x[0]), positive(x[1])
    ),
    "binary_cross_entropy_with_logits": lambda x, w: F.binary_cross_entropy_with_logits(
        x[0], positive(x[1])
    ),
    "cosine_embedding_loss": of_pair("cosine_embedding_loss", target=SIGNS),
    "cross_entropy": lambda x, w: F.cross_entropy(rows(x)[:2], LABELS),
    "ctc_loss": lambda x, w: distributed(x),
    "gaussian_nll_loss": lambda x, w: F.gaussian_nll_loss(
        x[0], x[1], positive(x[0]) + 0.1
    ),
    "hinge_embedding_loss": lambda x, w: F.hinge_embedding_loss(rows(x)[:2, 0], SIGNS),
    "kl_div": lambda x, w: F.kl_div(F.log_softmax(x[0], -1), F.softmax(x[1], -1)),
    "linear_cross_entropy": lambda x, w: F.linear_cross_entropy(
        rows(x)[:2], rows(x), LABELS
    ),
    "margin_ranking_loss": lambda x, w: F.margin_ranking_loss(
        rows(x)[0, :2], rows(x)[1, :2], SIGNS
    ),
    "multi_margin_loss": lambda x, w: F.multi_margin_loss(rows(x)[:2], LABELS),
    "multilabel_margin_loss": lambda x, w: F.multilabel_margin_loss(
        rows(x)[:2, :3], torch.tensor([[0, 2, -1], [1, -1, -1]])
    ),
    "multilabel_soft_margin_loss": lambda x, w: F.multilabel_soft_margin_loss(
        rows(x)[:2], positive(rows(x)[2:4])
    ),
    "nll_loss": lambda x, w: F.nll_loss(F.log_softmax(rows(x)[:2], -1), LABELS),
    "pdist": lambda x, w: F.pdist(rows(x)),
    "poisson_nll_loss": lambda x, w: F.poisson_nll_loss(x[0], positive(x[1])),
    "soft_margin_loss": lambda x, w: F.soft_margin_loss(rows(x)[:2, 0], SIGNS),
    "triplet_margin_loss": lambda x, w: F.triplet_margin_loss(
        rows(x)[:2], rows(x)[2:4], rows(x)[4:6]
    ),
    "triplet_margin_with_distance_loss": (
        lambda x, w: F.triplet_margin_with_distance_loss(
            rows(x)[:2], rows(x)[2:4], rows(x)[4:6]
        )
    ),
}
