"""What ATen's convolutions and poolings compute, a row each: every window of the input as a
row of its own, by the numbers of its elements, and then products, sums or largest elements
of rows.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gradparity.torch_impl.moves import Meaning
from gradparity.torch_impl.operators import Row, over, row

Places = np.ndarray
Sizes = Sequence[int]
MOST = 2**23  # elements of all windows: beyond, no rule


# --- Where windows lie -------------------------------------------------------------------


def along(
    count: int, size: int, kernel: int, stride: int, padding: int, dilation: int
) -> Places:
    """Where the windows of a convolution lie on an axis of this size: by window and by
    element of the kernel; -1 where that is outside.
    """
    starts = np.arange(count)[:, None] * stride - padding
    places = starts + np.arange(kernel) * dilation
    return np.where((places >= 0) & (places < size), places, -1)


def back_along(
    count: int, size: int, kernel: int, stride: int, padding: int, dilation: int
) -> Places:
    """The reverse: which windows have an element of the input, by that element and by
    element of the kernel; -1 where none has.
    """
    starts = np.arange(count)[:, None] + padding - np.arange(kernel) * dilation
    places = starts // stride
    inside = (starts % stride == 0) & (places >= 0) & (places < size)
    return np.where(inside, places, -1)


def adaptive(count: int, size: int) -> Places:
    """The windows of an adaptive pooling: as equal as can be, and of one length with -1
    at the end of those that are shorter.
    """
    starts = np.arange(count) * size // count
    ends = -(-(np.arange(1, count + 1) * size) // count)
    places = starts[:, None] + np.arange(int((ends - starts).max(initial=0)))
    return np.where(places < ends[:, None], places, -1)


def together(axes: Sequence[Places], sizes: Sizes) -> Places:
    """Windows over all axes, by their places in the flat array of these sizes: so many
    windows times so many elements.
    """
    found = np.zeros((1, 1), np.int64)
    for places, size in zip(axes, sizes, strict=True):
        outside = (found < 0)[:, None, :, None] | (places < 0)[None, :, None, :]
        flat = found[:, None, :, None] * size + places[None, :, None, :]
        flat = np.where(outside, -1, flat)
        windows, elements = math.prod(flat.shape[:2]), math.prod(flat.shape[2:])
        found = flat.reshape(windows, elements)
    return found


def of_channels(places: Places, rows: int, size: int) -> Places:
    """The same windows in each of so many rows, which have so many elements each."""
    if rows * places.size > MOST:
        raise NotImplementedError
    starts = (np.arange(rows) * size)[:, None, None]
    return np.where(places < 0, -1, places + starts)


def every(value: Any, axes: int) -> list[int]:
    """A setting for each axis, of which there may be one for all."""
    found = [value] if isinstance(value, int) else [*value]
    return found * axes if len(found) == 1 else found


# --- Convolutions ------------------------------------------------------------------------


class Convolution:
    """A convolution of tensors of these shapes, by its windows.

    A transposed one is the reverse of a convolution: its result lies where the input of
    that would.
    """

    def __init__(self, input: Any, weight: Any, shape: Sizes, how: Any) -> None:
        self.transposed, self.groups = how["transposed"], how["groups"]
        self.batch, self.kernel = input.shape[0], tuple(weight.shape[2:])
        self.given, self.made = tuple(input.shape[2:]), tuple(shape[2:])
        self.weight = tuple(weight.shape)
        wide, narrow = self.given, self.made
        if self.transposed:
            wide, narrow = narrow, wide
        n = len(self.kernel)
        on_axes = (every(how[each], n) for each in ("stride", "padding", "dilation"))
        rest = [*zip(self.kernel, *on_axes, strict=True)]
        self.down = together(
            [along(c, s, *r) for c, s, r in zip(narrow, wide, rest, strict=True)], wide
        )
        self.up = together(
            [back_along(c, s, *r) for c, s, r in zip(wide, narrow, rest, strict=True)],
            narrow,
        )

    def rows(self, m: Meaning, x: Any, channels: int, sizes: Sizes, places: Any) -> str:
        """(batch, groups, windows, channels of the group times the kernel)."""
        count = self.batch * channels
        source = of_channels(places, count, math.prod(sizes))
        source = source.reshape(
            self.batch, self.groups, channels // self.groups, *places.shape
        )
        source = np.moveaxis(source, 2, 3)
        return m("move", x, source=source.reshape(*source.shape[:3], -1), fill=0.0)

    def columns(self, m: Meaning, weight: Any, of_first: bool) -> str:
        """(groups, channels that are summed over times the kernel, the other channels):
        those of the first axis of the weight, or of the second.
        """
        first, second, *kernel = self.weight
        numbers = np.arange(math.prod(self.weight))
        apart = numbers.reshape(
            self.groups, first // self.groups, second, math.prod(kernel)
        )
        apart = apart.transpose(0, 1, 3, 2) if of_first else apart.transpose(0, 2, 3, 1)
        source = apart.reshape(self.groups, -1, apart.shape[-1])
        return m("move", weight, source=source, fill=0.0)

    def image(self, m: Meaning, product: str, channels: int, sizes: Sizes) -> str:
        """From (batch, groups, places, channels of the group) to the order of a tensor."""
        shape = (self.batch, self.groups, math.prod(sizes), channels // self.groups)
        numbers = np.arange(math.prod(shape)).reshape(shape)
        source = np.moveaxis(numbers, 2, 3).reshape(self.batch, channels, *sizes)
        return m("move", product, source=source, fill=0.0)

    def forward(self, m: Meaning, x: Any, weight: Any, bias: Any) -> str:
        places = self.up if self.transposed else self.down
        first, second = self.weight[:2]
        ins, outs = (
            (first, second * self.groups)
            if self.transposed
            else (second * self.groups, first)
        )
        rows = self.rows(m, x, ins, self.given, places)
        columns = self.columns(m, weight, self.transposed)
        if bias is None:
            product = m("matmul", rows, columns)
        else:
            shape = (self.groups, 1, outs // self.groups)
            of_group = m("reshape", bias, shape=shape)
            product = m("affine", rows, columns, of_group)
        return self.image(m, product, outs, self.made)

    def to_input(self, m: Meaning, g: Any, weight: Any) -> str:
        """The reverse convolution of what arrives."""
        places = self.down if self.transposed else self.up
        first, second = self.weight[:2]
        outs, ins = (
            (second * self.groups, first)
            if self.transposed
            else (first, second * self.groups)
        )
        rows = self.rows(m, g, outs, self.made, places)
        product = m("matmul", rows, self.columns(m, weight, not self.transposed))
        return self.image(m, product, ins, self.given)

    def to_weight(self, m: Meaning, g: Any, x: Any) -> str:
        """Sums over the batch and over all windows of x times what arrives there; of a
        transposed one, the two change places.
        """
        first, second = self.weight[:2]
        flat, apart, sizes = (g, x, self.given)
        if self.transposed:
            flat, apart, sizes = (x, g, self.made)
        shape = (self.batch, self.groups, first // self.groups, len(self.down))
        numbers = np.arange(math.prod(shape)).reshape(shape)
        source = np.moveaxis(numbers, 0, 2)
        left = m("move", flat, source=source.reshape(*source.shape[:2], -1), fill=0.0)
        count = self.batch * second * self.groups
        windows = of_channels(self.down, count, math.prod(sizes))
        windows = windows.reshape(
            self.batch, self.groups, second, *self.down.shape
        ).transpose(1, 0, 3, 2, 4)
        right = m(
            "move",
            apart,
            source=windows.reshape(
                self.groups, self.batch * len(self.down), second * self.down.shape[1]
            ),
            fill=0.0,
        )
        return m("reshape", m("matmul", left, right), shape=self.weight)


def size_of(input: Any, weight: Any, how: Any) -> list[int]:
    """The shape of what a convolution returns."""
    outs, n = weight.shape[0], input.ndim - 2
    if how["transposed"]:
        outs = weight.shape[1] * how["groups"]
    made = [input.shape[0], outs]
    names = ("stride", "padding", "dilation", "output_padding")
    on_axes = (every(how[each], n) for each in names)
    for size, kernel, s, p, d, more in zip(
        input.shape[2:], weight.shape[2:], *on_axes, strict=True
    ):
        span = d * (kernel - 1) + 1
        if how["transposed"]:
            made.append((size - 1) * s - 2 * p + span + more)
        else:
            made.append((size + 2 * p - span) // s + 1)
    return made


@row("convolution", "_convolution")
def convolution(m: Meaning, input: Any, weight: Any, bias: Any, **how: Any) -> Any:
    if input.ndim != weight.ndim or not input.numel():
        return NotImplemented
    shape = size_of(input, weight, how)
    return Convolution(input, weight, shape, how).forward(m, input, weight, bias)


@row("convolution_backward")
def convolution_backward(
    m: Meaning,
    grad_output: Any,
    input: Any,
    weight: Any,
    output_mask: Any,
    **how: Any,
) -> Any:
    if input.ndim != weight.ndim or not input.numel():
        return NotImplemented
    made = Convolution(input, weight, grad_output.shape, how)
    others = tuple(i for i in range(grad_output.ndim) if i != 1)
    of_input, of_weight, of_bias = output_mask
    return (
        made.to_input(m, grad_output, weight) if of_input else None,
        made.to_weight(m, grad_output, input) if of_weight else None,
        m("sum", grad_output, axis=others, keepdims=False) if of_bias else None,
    )


# --- Pooling -----------------------------------------------------------------------------


class Pooling:
    """The windows of a pooling over the last axes of a tensor.

    Args:
        x: the tensor.
        axes: for each of its last axes, where the windows lie on it.
    """

    def __init__(self, x: Any, axes: Sequence[Places]) -> None:
        self.sizes = tuple(x.shape[-len(axes) :])
        self.shape = (*x.shape[: -len(axes)], *(len(each) for each in axes))
        self.places = together(axes, self.sizes)
        self.rows = math.prod(x.shape[: -len(axes)])
        self.whole = tuple(x.shape)

    @property
    def source(self) -> Places:
        """By row, window and element, from the flat tensor."""
        return of_channels(self.places, self.rows, math.prod(self.sizes))

    def windows(self, m: Meaning, x: Any, fill: float) -> str:
        return m("move", x, source=self.source, fill=fill)

    def sums_back(self, m: Meaning, g: Any) -> str:
        """What arrives at each window, added to all of its elements."""
        numbers = np.arange(self.rows * len(self.places)).reshape(self.rows, -1, 1)
        source = np.broadcast_to(numbers, self.source.shape)
        spread = m("move", g, source=source, fill=0.0)
        return m("collect", spread, target=self.source, shape=self.whole)

    def divided(self, m: Meaning, x: Any, counts: np.ndarray) -> Any:
        """By the number of elements of each window."""
        if (counts == counts.flat[0]).all():
            return over(m, x, int(counts.flat[0]))
        source = np.full(counts.shape, -1)
        return m("divide", x, m("move", 0.0, source=source, fill=counts * 1.0))


def pooled(
    x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> list[Places]:
    """Where the windows of a pooling lie on each axis. The last one has to start in the
    input, or before it.
    """
    n = len(kernel)
    found = []
    how = [every(each, n) for each in (stride or kernel, padding, dilation)]
    for size, k, s, p, d in zip(x.shape[-n:], kernel, *how, strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if ceil else room // s) + 1
        if ceil and (count - 1) * s >= size + p:
            count -= 1
        found.append(along(count, size, k, s, p, d))
    return found


def window_counts(
    x: Any,
    kernel: Sizes,
    stride: Any,
    padding: Any,
    axes: Sequence[Places],
    with_padding: bool,
) -> np.ndarray:
    """By what each window is divided: the elements of the input that are in it, or those
    of the padding as well.
    """
    n, found = len(kernel), np.ones(())
    how = [every(each, n) for each in (stride or kernel, padding)]
    for size, k, s, p, places in zip(x.shape[-n:], kernel, *how, axes, strict=True):
        starts = np.arange(len(places)) * s - p
        counts = (places >= 0).sum(axis=1)
        if with_padding:
            counts = np.minimum(starts + k, size + p) - starts
        found = np.multiply.outer(found, counts)
    return found


def averaging(
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Any = None,
) -> tuple[Pooling, np.ndarray]:
    """The windows of an average, and by what each is divided."""
    axes = pooled(x, kernel_size, stride, padding, 1, ceil_mode)
    pooling = Pooling(x, axes)
    counts = window_counts(x, kernel_size, stride, padding, axes, count_include_pad)
    if divisor_override is not None:
        counts = np.full(counts.shape, divisor_override)
    return pooling, np.broadcast_to(counts, pooling.shape)


@row("avg_pool2d", "avg_pool3d")
def avg_pool(m: Meaning, self: Any, kernel_size: Any, **settings: Any) -> Any:
    pooling, counts = averaging(self, kernel_size, **settings)
    sums = m("sum", pooling.windows(m, self, 0.0), axis=-1, keepdims=False)
    return pooling.divided(m, m("reshape", sums, shape=pooling.shape), counts)


@row("avg_pool2d_backward", "avg_pool3d_backward")
def avg_pool_backward(
    m: Meaning, grad_output: Any, self: Any, kernel_size: Any, **settings: Any
) -> Any:
    pooling, counts = averaging(self, kernel_size, **settings)
    return pooling.sums_back(m, pooling.divided(m, grad_output, counts))


def adaptively(x: Any, sizes: Sizes) -> tuple[Pooling, np.ndarray]:
    axes = [
        adaptive(count, size)
        for count, size in zip(sizes, x.shape[-len(sizes) :], strict=True)
    ]
    pooling = Pooling(x, axes)
    counts = (pooling.places >= 0).sum(axis=1).reshape(tuple(sizes))
    return pooling, np.broadcast_to(counts, pooling.shape)


@row("_adaptive_avg_pool2d", "_adaptive_avg_pool3d")
def adaptive_avg_pool(m: Meaning, self: Any, output_size: Any) -> Any:
    pooling, counts = adaptively(self, output_size)
    sums = m("sum", pooling.windows(m, self, 0.0), axis=-1, keepdims=False)
    return pooling.divided(m, m("reshape", sums, shape=pooling.shape), counts)


def adaptive_avg_pool_backward(axes: int) -> Row:
    def of(m: Meaning, grad_output: Any, self: Any) -> Any:
        pooling, counts = adaptively(self, grad_output.shape[-axes:])
        return pooling.sums_back(m, pooling.divided(m, grad_output, counts))

    return of


def largest(m: Meaning, x: Any, pooling: Pooling) -> tuple[str, None]:
    windows = pooling.windows(m, x, -np.inf)
    found = m("max", windows, axis=-1, keepdims=False)
    return m("reshape", found, shape=pooling.shape), None


@row("max_pool2d_with_indices", "max_pool3d_with_indices")
def max_pool(
    m: Meaning,
    self: Any,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    axes = pooled(self, kernel_size, stride, padding, dilation, ceil_mode)
    return largest(m, self, Pooling(self, axes))


@row("adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max_pool(m: Meaning, self: Any, output_size: Any) -> Any:
    return largest(m, self, adaptively(self, output_size)[0])


def to_places(m: Meaning, g: Any, shape: Sizes, indices: Any, axes: int) -> str:
    """What arrives, added to the elements that indices into each plane say."""
    rows = math.prod(shape[:-axes])
    size = math.prod(shape[-axes:])
    starts = np.arange(rows) * size
    target = indices.numpy().reshape(rows, -1) + starts[:, None]
    target = target.reshape(tuple(indices.shape))
    return m("collect", g, target=target, shape=tuple(shape))


def max_pool_backward(axes: int) -> Row:
    def of(m: Meaning, grad_output: Any, self: Any, indices: Any, **_: Any) -> Any:
        return to_places(m, grad_output, tuple(self.shape), indices, axes)

    return of


def fractional_max_pool(axes: int) -> Row:
    """By the places that PyTorch chooses with these random numbers."""
    chosen = getattr(torch.ops.aten, f"fractional_max_pool{axes}d")

    def of(m: Meaning, self: Any, *sizes: Any, **given: Any) -> Any:
        _, indices = chosen(self, *sizes, *given.values())
        rows = math.prod(self.shape[:-axes])
        starts = (np.arange(rows) * math.prod(self.shape[-axes:]))[:, None]
        source = indices.numpy().reshape(rows, -1) + starts
        shape = tuple(indices.shape)
        return m("move", self, source=source.reshape(shape), fill=0.0), None

    return of


def upsample_nearest_backward(forward: Any) -> Row:
    """To each element, the sum over its copies."""

    def of(
        m: Meaning, grad_output: Any, output_size: Any, input_size: Any, **scales: Any
    ) -> Any:
        shape = tuple(input_size)
        image = torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape)
        target = forward(image, output_size, *scales.values()).numpy()
        return m("collect", grad_output, target=target.astype(np.int64), shape=shape)

    return of


def pad_backward(forward: Any) -> Row:
    """To each element, the sum over its copies."""

    def of(m: Meaning, grad_output: Any, self: Any, padding: Any) -> Any:
        numbers = torch.arange(self.numel(), dtype=torch.float64).reshape(self.shape)
        target = forward(numbers, padding).numpy().astype(np.int64)
        return m("collect", grad_output, target=target, shape=tuple(self.shape))

    return of


for n in (2, 3):
    row(f"_adaptive_avg_pool{n}d_backward")(adaptive_avg_pool_backward(n))
    for name in (f"max_pool{n}d_with_indices", f"adaptive_max_pool{n}d"):
        row(f"{name}_backward")(max_pool_backward(n))
    row(f"fractional_max_pool{n}d")(fractional_max_pool(n))
    row(f"fractional_max_pool{n}d_backward")(max_pool_backward(n))
for name in ("upsample_nearest", "_upsample_nearest_exact"):
    for n in (1, 2, 3):
        forward = getattr(torch.ops.aten, f"{name}{n}d").default
        row(f"{name}{n}d_backward")(upsample_nearest_backward(forward))
for name in ("reflection_pad", "replication_pad"):
    for n in (1, 2, 3):
        forward = getattr(torch.ops.aten, f"{name}{n}d").default
        row(f"{name}{n}d_backward")(pad_backward(forward))
