"""What is recorded of a function of tensors: the very values that ran, and for every
operator a meaning that comes to the same when it is computed by NumPy.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from gradparity.parity_tests.functions.programs import Recording
from gradparity.reference.rounding import Arithmetic
from gradparity.reference.rounding.programs import composed
from gradparity.torch_impl.meanings import takes
from gradparity.torch_impl.operators import ROWS
from gradparity.torch_impl.program import record

LABELS = torch.tensor([0, 1, 3])
RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((3, 4)), RNG.standard_normal(4)
Q = RNG.standard_normal((2, 2, 5, 4))
Tensor = Any


def written_to(x: Tensor, w: Tensor) -> Tensor:
    """Rows and columns that are written to through views."""
    y = x * 1
    y[0] = w
    y[:, 1] *= 2
    y.T[2].mul_(3)
    return y * y


def cell(x: Tensor, w: Tensor) -> Tensor:
    """An LSTM's cell, in one operator."""
    h = torch.ones(3, 1, dtype=x.dtype)
    weights = x[:1].T.expand(4, 4) * 1.0
    return torch.lstm_cell(x, (h, x[:, :1]), weights, x[:1, :1].expand(4, 1), w, w)[0]


def normalized(x: Tensor, w: Tensor) -> Tensor:
    """With the statistics that it keeps."""
    mean, variance = w.detach().clone(), torch.ones_like(w)
    y = F.batch_norm(x, mean, variance, training=True)
    return y * mean + variance


FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "arithmetic": lambda x, w: (x * 2 + w / 3 - 1) / (x * x + 1) - (1 - x) ** 3,
    "by number": lambda x, w: torch.add(x, w, alpha=0.1) * 0.3 + 2 / (x.abs() + 1),
    "in place": lambda x, w: (x * 2).add_(1).mul_(w).clamp_(min=0),
    "written to": written_to,
    "views": lambda x, w: (
        x.unsqueeze(0).expand(2, 3, 4).permute(2, 0, 1).flip(0) * w[:3]
    ),
    "slices": lambda x, w: x[:, 1:3] @ x[1:, 1:3].T,
    "cat": lambda x, w: torch.cat([x, torch.stack([w, w * w])], 0).T,
    "split": lambda x, w: torch.split(x, 2, 1)[1] * x.chunk(2, 1)[0],
    "index": lambda x, w: x[torch.tensor([0, 2, 2])] * w,
    "where": lambda x, w: torch.where(x > 0, x, 0.1) * w,
    "masked fill": lambda x, w: x.masked_fill(x < 0, 7.0) * w,
    "tril": lambda x, w: torch.tril(x) @ w,
    "pad": lambda x, w: F.pad(x, (1, 1)) ** 2,
    "roll": lambda x, w: torch.roll(x, 1, 0) * w,
    "gather": lambda x, w: torch.gather(x, 1, LABELS[:, None]),
    "scatter add": lambda x, w: torch.zeros_like(x).scatter_add(
        1, LABELS[:, None], x[:, :1] * 2
    ),
    "index add": lambda x, w: x.index_add(0, torch.tensor([1, 1]), x[:2] * w),
    "sort": lambda x, w: x.sort(-1).values * w,
    "topk": lambda x, w: x.topk(2, -1).values,
    "unfold": lambda x, w: x.unfold(1, 2, 1).sum(-1),
    "cumsum": lambda x, w: x.cumsum(-1) * w,
    "matmul": lambda x, w: x @ torch.diag(w) @ x.T,
    "einsum": lambda x, w: torch.einsum("ij,j,kj->ik", x, w, x),
    "linear": lambda x, w: F.linear(x, x, w[:3]),
    "reductions": lambda x, w: (
        x.sum(0) + x.mean(0, keepdim=True) + x.amax(0) - x.amin(0)
    ),
    "variance": lambda x, w: x.var(-1) + x.std(-1, correction=0) + x.std(),
    "norms": lambda x, w: torch.linalg.norm(x) + x.norm(p=1, dim=0).sum(),
    "max": lambda x, w: x.max(-1).values * w[:3] + x.min(),
    "powers": lambda x, w: x.abs() ** 1.5 + x.abs().sqrt() + x.abs().rsqrt(),
    "powers of tensors": lambda x, w: x.abs() ** w + 2**x + w.abs().pow(x[0, 0]),
    "by dtype": lambda x, w: x.sum(0, dtype=x.dtype) * w.mean(dtype=w.dtype),
    "to another place": lambda x, w: (
        torch.exp(x.detach(), out=torch.empty(x.shape, dtype=x.dtype)) * x
    ),
    "resized": lambda x, w: (
        torch.exp(x.detach(), out=torch.empty(0, dtype=x.dtype).resize_(x.shape)) * x
    ),
    "elementary": lambda x, w: torch.exp(x) + torch.log(x.abs()) + torch.tanh(x * w),
    "more elementary": lambda x, w: (
        torch.erf(x) + x.expm1() + x.abs().log1p() + x.sin()
    ),
    "softmax": lambda x, w: F.softmax(x * w, -1) * x,
    "log softmax": lambda x, w: F.log_softmax(x, -1) * w,
    "logsumexp": lambda x, w: torch.logsumexp(x, -1),
    "gelu": lambda x, w: F.gelu(x),
    "gelu by tanh": lambda x, w: F.gelu(x, approximate="tanh"),
    "silu": lambda x, w: F.silu(x),
    "leaky relu": lambda x, w: F.leaky_relu(x, 0.2),
    "elu": lambda x, w: F.elu(x),
    "selu": lambda x, w: F.selu(x),
    "mish": lambda x, w: F.mish(x),
    "softplus": lambda x, w: F.softplus(x),
    "hardswish": lambda x, w: F.hardswish(x),
    "relu6": lambda x, w: F.relu6(x),
    "glu": lambda x, w: F.glu(x),
    "log sigmoid": lambda x, w: F.logsigmoid(x),
    "clamp": lambda x, w: torch.clamp(x, -1, 1),
    "layer norm": lambda x, w: F.layer_norm(x, (4,), w, w),
    "layer norm of data": lambda x, w: F.layer_norm(torch.eye(4).to(x), (4,), w, w),
    "batch norm of data": lambda x, w: F.batch_norm(
        torch.eye(4).to(x), w.detach(), w.detach() ** 2, w, w
    ),
    "images": lambda x, w: F.group_norm(
        F.batch_norm(x.reshape(1, 4, 3, 1), None, None, w, w, training=True), 2
    ),
    "images with channels last": lambda x, w: F.group_norm(
        x.reshape(1, 3, 1, 4).permute(0, 3, 1, 2), 2, w
    ),
    "group norm": lambda x, w: F.group_norm(x, 2, w, w) * x,
    "batch norm": lambda x, w: F.batch_norm(x, None, None, w, w, training=True) * x,
    "batch norm with statistics": normalized,
    "rms norm": lambda x, w: F.rms_norm(x, (4,), w),
    "normalize": lambda x, w: F.normalize(x) * w,
    "cosine": lambda x, w: F.cosine_similarity(x, w[None]),
    "cross entropy": lambda x, w: F.cross_entropy(x, LABELS),
    "smoothed": lambda x, w: F.cross_entropy(
        x, torch.tensor([0, -100, 2]), label_smoothing=0.1
    ),
    "mean square": lambda x, w: F.mse_loss(x, x * w),
    "huber": lambda x, w: F.huber_loss(x, x * w),
    "smooth l1": lambda x, w: F.smooth_l1_loss(x, x * w),
    "l1": lambda x, w: F.l1_loss(x, x * w),
    "binary": lambda x, w: F.binary_cross_entropy_with_logits(x, torch.sigmoid(x * w)),
    "divergence": lambda x, w: F.kl_div(F.log_softmax(x, -1), F.softmax(x * w, -1)),
    "max pool": lambda x, w: F.max_pool1d(x[None], 2),
    "average pool": lambda x, w: F.avg_pool1d(x[None], 2),
    "convolution": lambda x, w: F.conv1d(x[None], x[:, :2][None]),
    "product": lambda x, w: x.prod(-1) + x.cumprod(0).sum(),
    "cell": cell,
    "embedding": lambda x, w: F.embedding(torch.tensor([0, 2, 2]), x),
    "by vmap": lambda x, w: torch.vmap(lambda row: row * w * 2)(x),
    "by grad": lambda x, w: torch.func.grad(lambda v: (v**3 * w).sum())(x),
    "by jvp": lambda x, w: torch.func.jvp(lambda v: torch.exp(v) * 2, (x,), (w + x,))[
        1
    ],
    "grad of a grad": lambda x, w: torch.autograd.grad(
        (x**3 * w).sum(), x, create_graph=True
    )[0],
    "checkpoint": lambda x, w: checkpoint(torch.tanh, x * w, use_reentrant=False),
}
NO_RULE = {
    "log2": (lambda x, w: x.abs().log2().exp(), {"aten::log2"}),
    "distances": (
        lambda x, w: torch.cdist(x, x * 2),
        {"aten::_cdist_forward", "aten::_cdist_backward"},
    ),
}


def recorded(
    function: Callable[..., Any], *leaves: np.ndarray, **more: Any
) -> Recording:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = record(lambda *given: (function(*given),), leaves, **more)
    return Recording.of(found, "float64")


def replayed(recording: Recording) -> int:
    """Hold every value that has a meaning against what NumPy makes of the meaning, and
    return how many have one.
    """
    unit = Arithmetic.of(np.float64).unlimited
    with np.errstate(all="ignore"):
        flow = composed(recording.program, recording.given, unit)
    checked = 0
    for number, value in enumerate(recording.values):
        name = f"v{number}"
        if value.dtype.kind != "f" or name not in flow or number in recording.opaque:
            continue
        size = max(1.0, float(np.abs(value).max(initial=0)))
        assert flow[name].value.shape == value.shape
        assert np.allclose(flow[name].value, value, rtol=0, atol=1e-12 * size)
        checked += number in recording.makers
    return checked


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_operator_is_computed_again_from_its_meaning(name: str) -> None:
    recording = recorded(FUNCTIONS[name], X, W)
    assert [s.operator for s in recording.executed if s.meaning is None] == []
    assert replayed(recording)


@pytest.mark.parametrize("name", NO_RULE)
def test_operators_without_a_rule_say_so(name: str) -> None:
    function, operators = NO_RULE[name]
    recording = recorded(function, X, W)
    found = {step.operator for step in recording.executed if step.meaning is None}
    assert found
    assert found <= operators
    assert recording.gradients[0] in recording.opaque


@pytest.mark.parametrize("causal", [False, True])
def test_attention_in_one_operator(causal: bool) -> None:
    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

    recording = recorded(attention, Q, Q + 1, 2 * Q)
    assert all(step.meaning is not None for step in recording.executed)
    assert replayed(recording)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_what_autograd_returns_bit_for_bit(name: str) -> None:
    recording = recorded(FUNCTIONS[name], X, W)
    x, w = (torch.tensor(each, requires_grad=True) for each in (X, W))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = FUNCTIONS[name](x, w)
    wanted = torch.autograd.grad(out, [x, w], torch.ones_like(out), allow_unused=True)
    values = recording.values
    assert values[recording.outputs[0]].tobytes() == out.detach().numpy().tobytes()
    for number, gradient, leaf in zip(recording.gradients, wanted, (x, w), strict=True):
        expected = torch.zeros_like(leaf) if gradient is None else gradient
        assert number is not None
        assert values[number].tobytes() == expected.contiguous().numpy().tobytes()


def test_the_largest_numbers_are_no_numbers_of_elements() -> None:
    def finite(x: Tensor) -> Tensor:
        return torch.nan_to_num(torch.where(x > 0, torch.inf, x)).clamp(max=2)

    recording = recorded(finite, X)
    assert recording.values[recording.outputs[0]].max() == 2
    assert recording.outputs[0] not in recording.opaque


def test_lines_are_those_of_the_author() -> None:
    recording = recorded(lambda x, w: torch.tanh(x) * w, X, W)
    places = {step.where.partition(":")[0] for step in recording.executed}
    assert len(places) == 1
    (place,) = places
    assert place.endswith("test_program.py")


def test_noise_moves_every_result_and_replacing_one_moves_what_follows() -> None:
    plain = recorded(FUNCTIONS["softmax"], X, W)
    noisy = recorded(FUNCTIONS["softmax"], X, W, noise=(1e-6, 0))
    again = recorded(FUNCTIONS["softmax"], X, W, noise=(1e-6, 0))
    out = plain.outputs[0]
    off = np.abs(noisy.values[out] / plain.values[out] - 1)
    assert 0 < off.max() < 1e-4
    assert np.array_equal(noisy.values[out], again.values[out])
    first = plain.executed[0]
    replaced = recorded(
        FUNCTIONS["softmax"], X, W, replace={0: lambda results: [2 * results[0]]}
    )
    made = first.results[0]
    assert np.array_equal(replaced.values[made], 2 * plain.values[made])
    assert not np.allclose(replaced.values[out], plain.values[out])


def test_seeds_arrive_at_each_output() -> None:
    def two(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, w * 3

    seeds = [np.full(X.shape, 5.0), np.arange(4.0)]
    found = record(two, [X, W], seeds)
    dx, dw = (found["values"][number] for number in found["gradients"])
    assert np.array_equal(dx, np.full(X.shape, 10.0))
    assert np.array_equal(dw, 3 * np.arange(4.0))


def test_integers_have_no_gradient_and_what_is_not_reached_has_zeros() -> None:
    found = record(lambda x, i, w: (x[i] * 2,), [X, np.array([0, 2]), W])
    assert found["gradients"][1] is None
    assert not found["values"][found["gradients"][2]].any()


# Overloads of operators that have a row, which this row does not take. Tensors on a CPU
# come to none of them.
NOT_TAKEN = {
    "aten::bmm.dtype",
    "aten::bmm.dtype_out",
    "aten::mm.dtype",
    "aten::mm.dtype_out",
    *(f"aten::{name}.{which}" for name in ("max", "min") for which in ("other", "out")),
}


def test_rows_take_every_overload_of_their_operators() -> None:
    """But for those that are named: they have no rule."""
    found = set()
    for name, each in ROWS.items():
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads():
            schema = getattr(packet, overload)._schema
            types = [str(argument.type) for argument in schema.arguments]
            if "Tensor" not in types:  # of Python's numbers
                continue
            others = [a.name for a in schema.arguments[1:] if not a.is_out]
            if not takes(each, dict.fromkeys(others)):
                found.add(f"aten::{name}.{overload}")
    assert found <= NOT_TAKEN


def test_what_a_row_does_not_take_has_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, "tanh", lambda m, self, more: m("tanh", self))
    recording = recorded(lambda x: torch.tanh(x), X)
    assert recording.executed[0].meaning is None


@pytest.mark.parametrize("noise", [None, (1e-6, 0)])
def test_zeros_without_memory_and_shapes_alone(noise: Any) -> None:
    def tangent(x: Tensor) -> Tensor:
        shape = torch.empty(3, 4, device="meta").T.shape
        return torch.func.jvp(lambda v: v * 2, (x,), (x,))[1].T * shape[0]

    recording = recorded(tangent, X, noise=noise)
    assert np.allclose(recording.values[recording.outputs[0]], X.T * 8, rtol=1e-4)


def test_memory_that_was_not_written_to_is_always_the_same() -> None:
    def filled(x: Tensor) -> Tensor:
        torch.full((3, 4), 7.0, dtype=x.dtype) * 2  # leaves its numbers behind
        y = torch.empty_like(x)
        y[0] = x[0]
        return y * 2

    recording = recorded(filled, X)
    (empty,) = [s for s in recording.executed if s.operator == "aten::empty_like"]
    assert empty.operands == []
    assert not recording.values[empty.results[0]].any()
    assert not recording.values[recording.outputs[0]][1:].any()
    replayed(recording)


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: torch.view_as_complex(x.reshape(6, 2)).abs(), "view_as_complex"),
        (lambda x: torch.fft.rfft(x).real, "_fft_r2c"),
        (lambda x: (x * 1j).imag, "mul"),
        (lambda x: x.to_sparse().to_dense(), "_to_sparse"),
        (lambda x: x.to_sparse_csr() @ x.T, "_to_sparse_csr"),
        (lambda x: torch.nested.as_nested_tensor([x]).sum(), ".*nested"),
        (lambda x: Turned.apply(x), "mul in the backward of .*test_program.py:"),
    ],
)
def test_what_is_not_compared_is_refused_on_the_way(
    function: Any, operator: str
) -> None:
    with pytest.raises(ValueError, match=f"not compared, as in aten::{operator}"):
        recorded(function, X)


class Turned(torch.autograd.Function):
    """Complex on its way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return (d * 2j).imag


class Block(torch.nn.Module):
    """Two levels, and one step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) * 2


def test_steps_stand_in_the_tree_of_modules() -> None:
    block, other = Block().double(), torch.nn.Sigmoid()
    recording = recorded(lambda x: other(block(x)), X)
    found = {(s.operator, s.phase): s.module for s in recording.executed}
    assert found["aten::tanh", "forward"] == "body.1"
    assert found["aten::tanh_backward", "backward"] == "body.1"
    assert found["aten::addmm", "forward"] == "body.0"
    assert found["aten::mm", "backward"] == "body.0"
    assert found["aten::mul", "forward"] == ""
    lines = {s.where for s in recording.executed if s.module.startswith("body")}
    assert len(lines) == 1  # where the author calls it


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(TypeError, match="expected tensors, got float"):
        record(lambda x: (1.0,), [X])
