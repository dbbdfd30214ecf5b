"""What ATen's operators compute, a row each, in the words of `reference/rounding`.

A row takes the meaning that it adds to and the operator's arguments by name, and returns
what stands for each result: a temporary, an operand as it is, or None for what is not told.
NotImplemented stands for a form of the operator that has no row.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradparity.torch_impl.moves import Meaning, moves

Row = Callable[..., Any]


ROWS: dict[str, Row] = {}


def row(*names: str) -> Callable[[Row], Row]:
    def added(function: Row) -> Row:
        ROWS.update(dict.fromkeys(names, function))
        return function

    return added


def named(operation: str) -> Row:
    return lambda m, self, **rest: m(operation, self)


ROWS |= {
    name: named({"abs": "abs", "neg": "negate"}.get(name, name))
    for name in (
        "abs",
        "neg",
        "reciprocal",
        "exp",
        "log",
        "log1p",
        "expm1",
        "sin",
        "cos",
        "tanh",
        "erf",
        "erfc",
        "sqrt",
        "rsqrt",
        "sigmoid",
        "relu",
    )
}


def times(m: Meaning, value: Any, factor: Any) -> Any:
    """A product with a Python number, which may be 1."""
    if isinstance(factor, int | float) and not isinstance(factor, bool):
        return value if factor == 1 else m("scale", value, factor=float(factor))
    return m("multiply", value, factor)


@row("add")
def add(m: Meaning, self: Any, other: Any, alpha: Any = 1) -> Any:
    return m("add", self, times(m, other, alpha))


@row("sub", "subtract")
def sub(m: Meaning, self: Any, other: Any, alpha: Any = 1) -> Any:
    return m("subtract", self, times(m, other, alpha))


@row("rsub")
def rsub(m: Meaning, self: Any, other: Any, alpha: Any = 1) -> Any:
    return m("subtract", other, times(m, self, alpha))


@row("mul", "multiply")
def mul(m: Meaning, self: Any, other: Any) -> Any:
    if isinstance(self, Tensor | str):
        return times(m, self, other)
    return times(m, other, self)


@row("div", "divide", "true_divide")
def div(m: Meaning, self: Any, other: Any, rounding_mode: Any = None) -> Any:
    if rounding_mode is not None:
        return NotImplemented
    if isinstance(other, int | float):
        return over(m, self, other)
    return m("divide", self, other)


def over(m: Meaning, value: Any, n: Any) -> Any:
    return value if n == 1 else m("over", value, n=float(n))


@row("pow")
def power(m: Meaning, self: Any, exponent: Any) -> Any:
    if isinstance(self, complex) or isinstance(exponent, complex):
        return NotImplemented
    if not isinstance(exponent, int | float):
        return m("raised", self, exponent)
    if exponent == 2:
        return m("multiply", self, self)
    return self if exponent == 1 else m("power", self, exponent=float(exponent))


@row("square")
def square(m: Meaning, self: Any) -> Any:
    return m("multiply", self, self)


@row("maximum")
def maximum(m: Meaning, self: Any, other: Any) -> Any:
    return m("maximum", self, other)


@row("minimum")
def minimum(m: Meaning, self: Any, other: Any) -> Any:
    return m("minimum", self, other)


@row("clamp", "clip", "clamp_min", "clamp_max", "hardtanh")
def clamp(
    m: Meaning, self: Any, min: Any = None, max: Any = None, **bounds: Any
) -> Any:
    low, high = bounds.get("min_val", min), bounds.get("max_val", max)
    found = self if low is None else m("maximum", self, low)
    return found if high is None else m("minimum", found, high)


@row("threshold_backward")
def threshold_backward(m: Meaning, grad_output: Any, self: Any, threshold: Any) -> Any:
    return m("gate", self, grad_output) if threshold == 0 else NotImplemented


@row("hardshrink_backward", "softshrink_backward")
def shrink_backward(m: Meaning, given: Any, self: Any, lambd: float) -> Any:
    """Nothing for what is shrunk to 0."""
    numbers = np.arange(self.numel()).reshape(tuple(self.shape))
    shut = ((self >= -lambd) & (self <= lambd)).numpy()
    return m("move", given, source=np.where(shut, -1, numbers), fill=0.0)


@row("sigmoid_backward")
def sigmoid_backward(m: Meaning, grad_output: Any, output: Any) -> Any:
    rest = m("subtract", 1.0, output)
    return m("multiply", grad_output, m("multiply", rest, output))


@row("tanh_backward")
def tanh_backward(m: Meaning, grad_output: Any, output: Any) -> Any:
    rest = m("subtract", 1.0, m("multiply", output, output))
    return m("multiply", grad_output, rest)


@row("gelu")
def gelu(m: Meaning, self: Any, approximate: str = "none") -> Any:
    """The distribution function is computed as (1 + erf(x / sqrt(2))) / 2, with other
    approximations of erf than `torch.erf` has.
    """
    if approximate != "none":
        return NotImplemented
    twice = m("scale", m("normal_cdf", self), factor=2.0)
    return m("multiply", m("scale", self, factor=0.5), twice)


@row("gelu_backward")
def gelu_backward(
    m: Meaning, grad_output: Any, self: Any, approximate: str = "none"
) -> Any:
    if approximate != "none":
        return NotImplemented
    bell = m("exp", m("scale", m("multiply", self, self), factor=-0.5))
    density = m("scale", bell, factor=1 / math.sqrt(2 * math.pi))
    slope = m("add", m("normal_cdf", self), m("multiply", self, density))
    return m("multiply", grad_output, slope)


def axes_of(dim: Any) -> Any:
    """As NumPy has them: all of them where there are none."""
    if dim is None or isinstance(dim, int):
        return dim
    return tuple(dim) or None


def count_of(tensor: Tensor, axis: Any) -> int:
    if axis is None:
        return tensor.numel()
    axes = (axis,) if isinstance(axis, int) else axis
    return math.prod(tensor.shape[each] for each in axes)


def in_dtype(m: Meaning, value: Any, dtype: Any) -> Any:
    """As it is handed on where the result is asked for in another dtype."""
    if dtype is None or not isinstance(value, Tensor) or value.dtype == dtype:
        return value
    return m("cast", value, dtype=named_dtype(dtype))


@row("sum")
def sum_(
    m: Meaning, self: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    x = in_dtype(m, self, dtype)
    return m("sum", x, axis=axes_of(dim), keepdims=keepdim)


@row("mean")
def mean(
    m: Meaning, self: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    axis = axes_of(dim)
    total = sum_(m, self, dim, keepdim, dtype)
    return over(m, total, count_of(self, axis))


@row("var")
def var(
    m: Meaning,
    self: Any,
    dim: Any = None,
    unbiased: bool = True,
    correction: Any = None,
    keepdim: bool = False,
) -> Any:
    axis = axes_of(dim)
    less = int(unbiased) if correction is None else correction
    how = {"axis": axis, "keepdims": keepdim, "correction": float(less)}
    return m("variance", self, **how)


@row("std")
def std(m: Meaning, self: Any, **settings: Any) -> Any:
    return m("sqrt", var(m, self, **settings))


@row("var_mean")
def var_mean(m: Meaning, self: Any, dim: Any = None, **settings: Any) -> Any:
    kept = settings.get("keepdim", False)
    return var(m, self, dim, **settings), mean(m, self, dim, kept)


@row("amax")
def amax(m: Meaning, self: Any, dim: Any = (), keepdim: bool = False) -> Any:
    return m("max", self, axis=axes_of(dim), keepdims=keepdim)


@row("amin")
def amin(m: Meaning, self: Any, dim: Any = (), keepdim: bool = False) -> Any:
    return m("min", self, axis=axes_of(dim), keepdims=keepdim)


@row("max")
def max_(m: Meaning, self: Any, dim: Any = None, keepdim: bool = False) -> Any:
    found = m("max", self, axis=dim, keepdims=keepdim)
    return found if dim is None else (found, None)


@row("min")
def min_(m: Meaning, self: Any, dim: Any = None, keepdim: bool = False) -> Any:
    found = m("min", self, axis=dim, keepdims=keepdim)
    return found if dim is None else (found, None)


@row("fmax")
def fmax(m: Meaning, self: Any, other: Any) -> Any:
    """As the maximum, where neither is NaN."""
    if self.isnan().any() or other.isnan().any():
        return NotImplemented
    return m("maximum", self, other)


@row("fmin")
def fmin(m: Meaning, self: Any, other: Any) -> Any:
    """As the minimum, where neither is NaN."""
    if self.isnan().any() or other.isnan().any():
        return NotImplemented
    return m("minimum", self, other)


def chosen(m: Meaning, self: Any, dim: int, keepdim: bool, places: Tensor) -> Any:
    """One of the elements along an axis, by the places that PyTorch returns with it."""
    numbers = torch.arange(self.numel()).reshape(self.shape)
    places = places if keepdim else places.unsqueeze(dim)
    found = torch.gather(numbers, dim, places)
    source = found if keepdim else found.squeeze(dim)
    return m("move", self, source=source.numpy(), fill=0.0), None


@row("kthvalue")
def kthvalue(
    m: Meaning, self: Any, k: int, dim: int = -1, keepdim: bool = False
) -> Any:
    places = torch.kthvalue(self, k, dim, keepdim).indices
    return chosen(m, self, dim, keepdim, places)


@row("median")
def median(m: Meaning, self: Any, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is not None:
        places = torch.median(self, dim, keepdim).indices
        return chosen(m, self, dim, keepdim, places)
    flat = m("reshape", self, shape=(self.numel(),))
    place = torch.median(self.reshape(-1), 0).indices
    return m("move", flat, source=place.numpy(), fill=0.0)


@row("sort")
def sort(
    m: Meaning, self: Any, dim: int = -1, descending: bool = False, **_: Any
) -> Any:
    found = torch.sort(self, stable=True, dim=dim, descending=descending)
    places = found.indices
    numbers = torch.arange(self.numel()).reshape(self.shape)
    source = torch.gather(numbers, dim, places).numpy()
    return m("move", self, source=source, fill=0.0), None


@row("topk")
def topk(m: Meaning, self: Any, k: int, dim: int = -1, **settings: Any) -> Any:
    places = torch.topk(self, k, dim, **settings).indices
    numbers = torch.arange(self.numel()).reshape(self.shape)
    source = torch.gather(numbers, dim, places).numpy()
    return m("move", self, source=source, fill=0.0), None


@row("mm", "bmm")
def mm(m: Meaning, self: Any, mat2: Any) -> Any:
    return m("matmul", self, mat2)


@row("addmm", "baddbmm")
def addmm(m: Meaning, self: Any, beta: Any = 1, alpha: Any = 1, **given: Any) -> Any:
    left, right = [value for value in given.values() if isinstance(value, Tensor)]
    if beta == 1 and alpha == 1:
        return m("affine", left, right, self)
    product = times(m, m("matmul", left, right), alpha)
    return m("add", times(m, self, beta), product)


@row("dot", "vdot")
def dot(m: Meaning, self: Any, **given: Any) -> Any:
    return m("matmul", self, *given.values())


@row("mv")
def mv(m: Meaning, self: Any, vec: Any) -> Any:
    return m("matmul", self, vec)


@row("_to_copy")
def to_copy(m: Meaning, self: Any, dtype: Any = None, **_: Any) -> Any:
    return m("cast", self, dtype=named_dtype(dtype or self.dtype))


def named_dtype(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


@row("nll_loss_backward")
def nll_loss_backward(
    m: Meaning,
    grad_output: Any,
    self: Any,
    target: Any,
    weight: Any,
    reduction: int,
    ignore_index: int,
    total_weight: Any,
) -> Any:
    """To the label of each row, and 0 elsewhere, whatever arrives."""
    labels = target.numpy().reshape(-1)
    classes, rows = self.shape[-1], np.arange(labels.size)
    kept = labels != ignore_index
    g = m("negate", grad_output)
    if reduction == 1:
        g = m("divide", g, total_weight)
    of_row = rows if reduction == 0 else np.zeros_like(rows)
    g = m("move", g, source=np.where(kept, of_row, -1), fill=0.0)
    if weight is not None:
        of_label = np.where(kept, labels, -1)
        g = m("multiply", g, m("move", weight, source=of_label, fill=0.0))
    at_label = np.arange(classes) == np.where(kept, labels, -1)[:, None]
    source = np.where(at_label, rows[:, None], -1).reshape(tuple(self.shape))
    return m("move", g, source=source, fill=0.0)


@row("embedding_dense_backward")
def embedding_dense_backward(
    m: Meaning,
    grad_output: Any,
    indices: Any,
    num_weights: int,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> Any:
    if scale_grad_by_freq:
        return NotImplemented
    size = grad_output.shape[-1]
    target = indices.numpy()[..., None] * size + np.arange(size)
    target = np.where(indices.numpy()[..., None] == padding_idx, -1, target)
    return m("collect", grad_output, target=target, shape=(num_weights, size))


@row("index_put", "_index_put_impl")
def index_put(
    m: Meaning, self: Any, indices: Any, values: Any, accumulate: bool = False, **_: Any
) -> Any:
    func = torch.ops.aten.index_put.default
    if not accumulate:
        return moves(m, func, (self, indices, values), {})
    numbers = torch.arange(self.numel()).reshape(self.shape)
    places = numbers[tuple(slice(None) if i is None else i for i in indices)]
    source = positions_when_broadcast(values, places)
    spread = m("move", values, source=source, fill=0.0)
    sums = m("collect", spread, target=places.numpy(), shape=tuple(self.shape))
    return m("add", self, sums)


def positions_when_broadcast(tensor: Tensor, shape_of: Tensor) -> np.ndarray:
    numbers = torch.arange(tensor.numel()).reshape(tensor.shape)
    return np.broadcast_to(numbers.numpy(), tuple(shape_of.shape))


@row("scatter_add")
def scatter_add(m: Meaning, self: Any, dim: int, index: Any, src: Any) -> Any:
    numbers = torch.arange(self.numel()).reshape(self.shape)
    places = torch.gather(numbers, dim, index)
    size = tuple(slice(n) for n in index.shape)
    own = torch.arange(src.numel()).reshape(src.shape)[size].numpy()
    part = m("move", src, source=own, fill=0.0)
    sums = m("collect", part, target=places.numpy(), shape=tuple(self.shape))
    return m("add", self, sums)


@row("index_add")
def index_add(
    m: Meaning, self: Any, dim: int, index: Any, source: Any, alpha: Any = 1
) -> Any:
    numbers = torch.arange(self.numel()).reshape(self.shape)
    places = torch.index_select(numbers, dim, index).numpy()
    part = times(m, source, alpha)
    return m("add", self, m("collect", part, target=places, shape=tuple(self.shape)))


@row("unfold_backward")
def unfold_backward(
    m: Meaning, grad_in: Any, input_sizes: Any, dim: int, size: int, step: int
) -> Any:
    shape = tuple(input_sizes)
    numbers = torch.arange(math.prod(shape)).reshape(shape).unfold(dim, size, step)
    return m("collect", grad_in, target=numbers.numpy(), shape=shape)


def before(
    m: Meaning, value: Any, x: Tensor, dim: int, operation: str, fill: float
) -> Any:
    """What an operation makes of each element and those before it, each as if it were by
    itself: of a value that has the shape of x.
    """
    if not x.ndim:
        return value
    if x.numel() * x.shape[dim] > 2**22:
        raise NotImplementedError
    numbers = torch.arange(x.numel()).reshape(x.shape).movedim(dim, -1).numpy()
    n = numbers.shape[-1]
    source = np.where(np.tri(n) > 0, numbers[..., None, :], -1)
    rows = m("move", value, source=source, fill=fill)
    found = m(operation, rows, axis=-1, keepdims=False)
    order = np.moveaxis(np.arange(x.numel()).reshape(numbers.shape), -1, dim)
    return m("move", found, source=order, fill=0.0)


@row("cumsum")
def cumsum(m: Meaning, self: Any, dim: int, dtype: Any = None) -> Any:
    return before(m, in_dtype(m, self, dtype), self, dim, "sum", 0.0)


@row("cumprod")
def cumprod(m: Meaning, self: Any, dim: int, dtype: Any = None) -> Any:
    return before(m, in_dtype(m, self, dtype), self, dim, "product", 1.0)


@row("cummax")
def cummax(m: Meaning, self: Any, dim: int) -> Any:
    return before(m, self, self, dim, "max", -np.inf), None


@row("cummin")
def cummin(m: Meaning, self: Any, dim: int) -> Any:
    return before(m, self, self, dim, "min", np.inf), None


@row("prod")
def product(
    m: Meaning, self: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    return m("product", in_dtype(m, self, dtype), axis=dim, keepdims=keepdim)


@row("linalg_vector_norm")
def vector_norm(
    m: Meaning,
    self: Any,
    ord: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
) -> Any:
    axis, x = axes_of(dim), in_dtype(m, self, dtype)
    if ord == 2:
        total = m("sum", m("multiply", x, x), axis=axis, keepdims=keepdim)
        return m("sqrt", total)
    if ord == 1:
        return m("sum", m("abs", x), axis=axis, keepdims=keepdim)
    return NotImplemented
