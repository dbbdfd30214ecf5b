"""What JAX's primitives over windows compute: convolutions, poolings, and what each element
has of those before it.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradparity.jax_impl.meanings import (
    RULES,
    Equation,
    Meaning,
    Operand,
    Rule,
    indices,
    product_of,
)
from gradparity.jax_impl.moves import moved

MOST = 2**23  # elements of all windows: beyond, no rule
NOTHING = {"sum": 0.0, "product": 1.0, "max": -np.inf, "min": np.inf}


def windows_of(
    image: np.ndarray,
    sizes: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    between: Sequence[int],
    inside: Sequence[int],
) -> np.ndarray:
    """The windows over all axes of an image: first the axes of the windows, then those
    inside each; -1 where that is outside.

    Args:
        image: the numbers of the elements.
        sizes: of a window.
        strides: from one to the next.
        padding: how much there is before and after the image.
        between: how far apart elements of the image are.
        inside: how far apart elements of a window are.
    """
    config = [(*ends, apart - 1) for ends, apart in zip(padding, between, strict=True)]
    (wide,) = moved("pad", {"padding_config": config}, [image, np.asarray(-1)])
    spans = [(size - 1) * apart + 1 for size, apart in zip(sizes, inside, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(wide, spans)
    steps = (slice(None, None, int(step)) for step in (*strides, *inside))
    found: np.ndarray = windows[tuple(steps)]
    return found


def convolution(eq: Equation) -> Meaning:
    """Every window of the image as a row, times the kernels as columns."""
    params = eq.params
    numbers = params["dimension_numbers"]
    groups, batches = params["feature_group_count"], params["batch_group_count"]
    image = indices([eq.operands[0]])[0].transpose(numbers.lhs_spec)
    kernel = indices([eq.operands[1]])[0].transpose(numbers.rhs_spec)
    outs, ins, *sizes = kernel.shape
    spatial = len(sizes)
    windows = windows_of(
        image,
        [1, 1, *sizes],
        [1, 1, *params["window_strides"]],
        [(0, 0), (0, 0), *params["padding"]],
        [1, 1, *params["lhs_dilation"]],
        [1, 1, *params["rhs_dilation"]],
    )
    kept = (*windows.shape[: 2 + spatial], *windows.shape[4 + spatial :])
    windows = windows.reshape(kept)  # N, C, out..., k...
    n, _, *rest = windows.shape
    space = rest[: len(sizes)]

    # One matrix product for every group: the groups are of channels or of images.
    count = groups * batches
    grouped = windows.reshape(batches, n // batches, groups, ins, *rest)
    grouped = np.moveaxis(grouped, 2, 1).reshape(count, n // batches, ins, *rest)
    rows = np.moveaxis(grouped, 2, 2 + len(space))
    left = rows.reshape(count, n // batches * prod(space), ins * prod(sizes))
    columns = kernel.reshape(count, outs // count, ins * prod(sizes))
    right = np.swapaxes(columns, 1, 2)

    def back(product: np.ndarray) -> np.ndarray:
        split = product.reshape(count, n // batches, *space, outs // count)
        split = np.moveaxis(np.moveaxis(split, -1, 1), 2, 0)  # N, groups, outs, ...
        whole = split.reshape(n // batches, outs, *space)
        return whole.transpose(np.argsort(numbers.out_spec))

    return product_of(eq, left, right, back)


def over_windows(operation: str) -> Rule:
    """A reduction of every window."""

    def rule(eq: Equation) -> Meaning:
        x, params = eq.operands[0], eq.params
        windows = windows_of(
            indices([x])[0],
            params["window_dimensions"],
            params["window_strides"],
            params["padding"],
            params["base_dilation"],
            params["window_dilation"],
        )
        shape = np.shape(eq.results[0].value)
        return reduced(x, windows.reshape(*shape, -1), operation, eq)

    return rule


def reduced(x: Operand, source: np.ndarray, operation: str, eq: Equation) -> Meaning:
    """Rows of elements, each of which is reduced to one."""
    if source.size > MOST:
        return None
    settings = {"source": source, "fill": NOTHING[operation]}
    return [
        ("move", [x.place], settings, "rows"),
        (operation, ["rows"], {"axis": -1, "keepdims": False}, eq.result),
    ]


def cumulative(operation: str) -> Rule:
    """What an operation makes of each element and those before it."""

    def rule(eq: Equation) -> Meaning:
        x, axis = eq.operands[0], eq.params["axis"]
        lines = np.moveaxis(indices([x])[0], axis, -1)
        n = lines.shape[-1]
        if lines.size * n > MOST:
            return None
        open_ = np.tri(n, dtype=bool)
        open_ = open_.T if eq.params["reverse"] else open_
        source = np.where(open_, lines[..., None, :], -1)
        return reduced(x, np.moveaxis(source, -2, axis), operation, eq)

    return rule


def select_and_scatter_add(eq: Equation) -> Meaning:
    """What arrives at each window is added to its largest element, or its smallest: to the
    one that the derivative takes it from.
    """
    source, operand = eq.operands
    shape = np.shape(operand.value)
    with jax.enable_x64(True):
        x = jnp.asarray(np.asarray(operand.value), jnp.float64)

        def added(new: Any) -> Any:
            return eq.eqn.primitive.bind(new, x, **eq.params)

        like = jax.ShapeDtypeStruct(np.shape(source.value), jnp.float64)
        numbers = 1.0 + jnp.arange(prod(shape), dtype=jnp.float64)
        (found,) = jax.linear_transpose(added, like)(numbers.reshape(shape))
    target = np.asarray(found).astype(np.int64) - 1
    settings = {"target": target, "shape": shape}
    return [("collect", [source.place], settings, eq.result)]


RULES |= {
    "conv_general_dilated": convolution,
    "reduce_window_sum": over_windows("sum"),
    "reduce_window_max": over_windows("max"),
    "reduce_window_min": over_windows("min"),
    "select_and_scatter_add": select_and_scatter_add,
    "cumsum": cumulative("sum"),
    "cumprod": cumulative("product"),
    "cummax": cumulative("max"),
    "cummin": cumulative("min"),
}
