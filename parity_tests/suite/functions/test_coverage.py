"""Which of PyTorch's operators have no rule: of all public functions of
`torch.nn.functional`, these and no others.
"""

import inspect
import warnings
from importlib import import_module
from typing import Any

import pytest

from gradparity.parity_tests.functions.programs import Recording
from gradparity.parity_tests.functions.rooms import record

torch = pytest.importorskip("torch")
calls = import_module("gradparity.parity_tests.suite.functions.functional")
replayed = import_module(
    "gradparity.parity_tests.suite.torch_impl.test_program"
).replayed

# By function, the operators for which nothing is known but what they returned.
WITHOUT: dict[str, set[str]] = {
    "acos": {"acos"},
    "atan": {"atan"},
    "atan2": {"atan2"},
    "bilinear": {"_trilinear"},
    "cdist": {"_cdist_forward", "_cdist_backward"},
    "conv_tbc": {"conv_tbc"},
    "cosh": {"cosh", "sinh"},
    "ctc_loss": {"_ctc_loss", "_ctc_loss_backward"},
    "embedding_bag": {"_embedding_bag", "_embedding_bag_backward"},
    "exp2": {"exp2"},
    "grid_sample": {"grid_sampler_2d_backward"},
    "interpolate, bicubic": {"upsample_bicubic2d_backward"},
    "interpolate, bilinear": {"upsample_bilinear2d_backward"},
    "interpolate, linear": {"upsample_linear1d_backward"},
    "inverse": {"linalg_inv_ex"},
    "lgamma": {"lgamma", "digamma"},
    "log2": {"log2"},
    "multi_margin_loss": {"multi_margin_loss_backward"},
    "multilabel_margin_loss": {
        "multilabel_margin_loss_forward",
        "multilabel_margin_loss_backward",
    },
    "pdist": {"_pdist_forward", "_pdist_backward"},
    "rrelu": {"rrelu_with_noise"},
}
# PyTorch's kernel multiplies by a sixth in float32, whatever the dtype: it is wrong, and
# the meaning is not.
WRONG = {"hardsigmoid"}


def recorded(name: str) -> Recording:
    function, leaves = calls.CALLS[name]

    def outputs(*tensors: Any) -> tuple[Any, ...]:
        torch.manual_seed(0)
        return (function(*tensors),)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return record("torch", outputs, leaves, "float64")


@pytest.mark.parametrize("name", calls.CALLS)
def test_of_functional(name: str) -> None:
    """What has a rule gives what PyTorch computed; what has none is known by name."""
    recording = recorded(name)
    unknown = {s.operator for s in recording.executed if s.meaning is None}
    assert unknown == {f"aten::{each}" for each in WITHOUT.get(name, ())}
    if name not in WRONG:
        replayed(recording)


LISTED = "2.13"  # the PyTorch whose public functions all have a call
NOT_CALLED = {
    *("assert_int_or_pair", "boolean_dispatch", "handle_torch_function"),
    *("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"),
    # Other names for what is called, and layers that `TransformerEncoderLayer` calls.
    *("native_channel_shuffle", "upsample", "upsample_bilinear", "upsample_nearest"),
    "multi_head_attention_forward",
    # Matrix products that CPUs do not have.
    *("grouped_mm", "scaled_grouped_mm", "scaled_mm"),
}


@pytest.mark.skipif(not torch.__version__.startswith(LISTED), reason="another PyTorch")
def test_every_public_function_is_called() -> None:
    F = torch.nn.functional
    public = {
        name
        for name in dir(F)
        if not name.startswith("_") and not name.endswith(("_", "_with_indices"))
        if callable(getattr(F, name)) and not inspect.isclass(getattr(F, name))
        if getattr(F, name).__module__ != "typing"
    }
    told = {name.partition(" ")[0].rstrip(",") for name in calls.CALLS}
    assert public - told == NOT_CALLED
