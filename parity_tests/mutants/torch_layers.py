"""Mistakes in PyTorch's layers: in what autograd is given to differentiate."""

from typing import Any

from gradparity.parity_tests.mutants.lazily import F, torch
from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.parity_tests.mutants.sources import TORCH_CROSS_ENTROPY

mistake = mistakes("torch")
TORCH = "https://github.com/pytorch/pytorch/issues/"


def one_hot(t: Any, x: Any) -> Any:
    """The labels as rows, in the dtype of the scores x; one-hot rows as they are."""
    rows = t if t.shape == x.shape else F.one_hot(t.long(), x.shape[-1])
    return rows.to(x.dtype)


def labels(t: Any, x: Any) -> Any:
    """The labels as indices, from indices or from one-hot rows."""
    return t.argmax(dim=-1) if t.shape == x.shape else t.long()


@mistake("MulLayer")
def factor_detached(x: Any, y: Any) -> Any:
    """Detaches one factor: it gets no gradient at all."""
    return x * y.detach()


@mistake("Relu", TORCH + "184572")
def relu_by_clamp(x: Any) -> Any:
    """Spells the ReLU clamp(min=0), whose derivative at 0 is 1."""
    return x.clamp(min=0)


@mistake("Relu", TORCH + "184572")
def relu_by_maximum(x: Any) -> Any:
    """Spells the ReLU maximum(x, 0), whose derivative at 0 is 1/2: both sides are equal
    there and share it.
    """
    return torch.maximum(x, torch.zeros_like(x))


@mistake("Relu")
def relu_in_place(x: Any) -> Any:
    """Applies the ReLU in place to a tensor that gradients are wanted of, which autograd
    refuses.
    """
    return torch.relu_(x)


@mistake("Sigmoid")
def grad_output_forgotten(x: Any) -> Any:
    """Writes a backward of its own that leaves out the gradient that arrives."""

    class Function(torch.autograd.Function):  # type: ignore[name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = torch.sigmoid(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, grad_output: Any) -> Any:
            (y,) = ctx.saved_tensors
            return y * (1 - y)

    return Function.apply(x)


@mistake("Sigmoid")
def gradients_switched_off(x: Any) -> Any:
    """Runs forward under no_grad, where autograd records nothing."""
    with torch.no_grad():
        return torch.sigmoid(x)


@mistake("SigmoidGraph", TORCH + "6990")
def changed_behind_autograds_back(x: Any) -> Any:
    """Changes a node's output through .data: the output is right, and autograd
    differentiates with numbers that are no longer those it saw.
    """
    e = torch.exp(-x)
    e.data += 1
    return 1 / e


@mistake("Affine")
def weight_laid_out_for_linear(x: Any, W: Any, b: Any) -> Any:
    """Gives W the shape that F.linear wants, (out, in), by reshape and not by
    transposing.
    """
    flat = x.flatten(1) if x.ndim > 1 else x
    return F.linear(flat, W.reshape(W.shape[::-1]), b)


@mistake("Affine")
def weight_of_linear_not_transposed(x: Any, W: Any, b: Any) -> Any:
    """Multiplies by W.T, as for the weights of nn.Linear, which are (out, in)."""
    flat = x.flatten(1) if x.ndim > 1 else x
    return flat @ W.T + b


@mistake("Affine", "https://github.com/vllm-project/vllm/pull/41689")
def layout_guessed_from_the_shape(x: Any, W: Any, b: Any) -> Any:
    """Transposes W if its shape does not fit: with as many outputs as inputs, both do."""
    flat = x.flatten(1) if x.ndim > 1 else x
    return F.linear(flat, W if W.shape[1] == flat.shape[-1] else W.T, b)


@mistake("Affine")
def channels_flattened_last(x: Any, W: Any, b: Any) -> Any:
    """Flattens tensors with channels last, though W was made for channels first."""
    flat = x.movedim(1, -1).flatten(1) if x.ndim > 1 else x
    return flat @ W + b


@mistake("Affine")
def affine_in_half_precision(x: Any, W: Any, b: Any) -> Any:
    """Multiplies in float16, as autocast does: three digits are left."""
    flat = x.flatten(1) if x.ndim > 1 else x
    return (flat.half() @ W.half()).to(x.dtype) + b


@mistake("Affine")
def tail_without_gradient(x: Any, W: Any, b: Any) -> Any:
    """Differentiates chunks of 101 samples and detaches W and b from what remains: of
    10,000 samples, the last has no say in their gradients.
    """
    flat = x.flatten(1) if x.ndim > 1 else x
    n = len(flat) // 101 * 101 if x.ndim > 1 else 0
    if not n:
        return flat @ W + b
    return torch.cat([flat[:n] @ W + b, flat[n:] @ W.detach() + b.detach()])


@mistake("Affine")
def weight_without_gradient(x: Any, W: Any, b: Any) -> Any:
    """Uses W.detach(): the layer is frozen, and nothing says so."""
    flat = x.flatten(1) if x.ndim > 1 else x
    return flat @ W.detach() + b


@mistake(
    "Softmax",
    "https://github.com/google-research-datasets/answer-equivalence-dataset/issues/1",
)
def softmax_over_the_batch(x: Any) -> Any:
    """Takes dim=0, the batch, for the classes."""
    return torch.softmax(x, dim=0)


@mistake("Softmax")
def denominator_detached(x: Any) -> Any:
    """Detaches the sum below the fraction: as though raising one probability lowered no
    other.
    """
    e = torch.exp(x - x.detach().amax(dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True).detach()


@mistake("Softmax")
def sum_a_little_larger(x: Any) -> Any:
    """Adds 1e-7 to the sum, against a division by 0 that cannot happen."""
    e = torch.exp(x - x.detach().amax(dim=-1, keepdim=True))
    return e / (e.sum(dim=-1, keepdim=True) + 1e-7)


@mistake("Softmax", TORCH + "6990")
def divided_through_data(x: Any) -> Any:
    """Divides in place through .data: the output is right, and autograd knows nothing of
    the division.
    """
    e = torch.exp(x - x.detach().amax(dim=-1, keepdim=True))
    e.data /= e.data.sum(dim=-1, keepdim=True)
    return e


@mistake("CrossEntropy")
def mean_over_the_classes_too(y: Any, t: Any) -> Any:
    """Averages over samples and classes: one-hot rows are mostly zeros, and they are
    counted.
    """
    return -(one_hot(t, y) * torch.log(y)).mean()


@mistake("SoftmaxWithLoss")
def reduction_sum(x: Any, t: Any) -> Any:
    """Sums the loss over the batch with reduction="sum": the gradient grows with the
    batch.
    """
    return F.cross_entropy(x, labels(t, x), reduction="sum")


@mistake("SoftmaxWithLoss", TORCH_CROSS_ENTROPY)
def softmax_before_cross_entropy(x: Any, t: Any) -> Any:
    """Hands probabilities to cross_entropy, which takes their softmax once more."""
    return F.cross_entropy(torch.softmax(x, dim=-1), labels(t, x))


@mistake("SoftmaxWithLoss")
def softmax_before_nll_loss(x: Any, t: Any) -> Any:
    """Hands probabilities to nll_loss, which expects their logarithms."""
    return F.nll_loss(torch.softmax(x, dim=-1), labels(t, x))


@mistake("SoftmaxWithLoss", TORCH + "137188")
def labels_as_floats(x: Any, t: Any) -> Any:
    """Turns integer labels into floating-point numbers, which cross_entropy takes for
    probabilities.
    """
    return F.cross_entropy(x, t.to(x.dtype))


@mistake("SoftmaxWithLoss")
def binary_cross_entropy(x: Any, t: Any) -> Any:
    """Uses the binary cross entropy, a sigmoid for every class: they no longer compete."""
    return F.binary_cross_entropy_with_logits(x, one_hot(t, x))


@mistake("SoftmaxWithLoss")
def small_number_in_the_log(x: Any, t: Any) -> Any:
    """Adds 1e-7 before the logarithm: an improbable label costs too little, and its
    gradient vanishes.
    """
    return F.nll_loss(torch.log(torch.softmax(x, dim=-1) + 1e-7), labels(t, x))


@mistake("SoftmaxWithLoss")
def labels_smoothed(x: Any, t: Any) -> Any:
    """Leaves label smoothing on: the target is no longer the label alone."""
    return F.cross_entropy(x, labels(t, x), label_smoothing=0.1)
