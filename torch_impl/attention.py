"""What ATen's softmax and attention compute, a row each."""

import math
from typing import Any

import numpy as np

from gradparity.torch_impl.moves import Meaning
from gradparity.torch_impl.operators import row


def softmax_of(m: Meaning, x: Any, axis: int) -> Any:
    z = m("subtract", x, m("max", x, axis=axis, keepdims=True))
    e = m("exp", z)
    return m("divide", e, m("sum", e, axis=axis, keepdims=True))


@row("_softmax")
def softmax(m: Meaning, self: Any, dim: int, half_to_float: bool = False) -> Any:
    return softmax_of(m, self, dim)


@row("_log_softmax")
def log_softmax(m: Meaning, self: Any, dim: int, half_to_float: bool = False) -> Any:
    z = m("subtract", self, m("max", self, axis=dim, keepdims=True))
    total = m("sum", m("exp", z), axis=dim, keepdims=True)
    return m("subtract", z, m("log", total))


@row("_softmax_backward_data")
def softmax_backward(
    m: Meaning, grad_output: Any, output: Any, dim: int, input_dtype: Any = None
) -> Any:
    return through_softmax(m, grad_output, output, dim)


def through_softmax(m: Meaning, g: Any, y: Any, axis: int) -> Any:
    weighted = m("multiply", g, y)
    total = m("sum", weighted, axis=axis, keepdims=True)
    return m("subtract", weighted, m("multiply", y, total))


@row("_log_softmax_backward_data")
def log_softmax_backward(
    m: Meaning, grad_output: Any, output: Any, dim: int, input_dtype: Any = None
) -> Any:
    total = m("sum", grad_output, axis=dim, keepdims=True)
    return m("subtract", grad_output, m("multiply", m("exp", output), total))


def scores(
    m: Meaning, query: Any, key: Any, scale: Any, is_causal: bool, mask: Any
) -> Any:
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    found = m("scale", m("matmul", query, m("transpose", key)), factor=factor)
    if mask is not None:
        found = m("add", found, mask)
    if is_causal:
        shape = (*query.shape[:-1], key.shape[-2])
        numbers = np.arange(math.prod(shape)).reshape(shape)
        source = np.where(np.tri(*shape[-2:]) > 0, numbers, -1)
        found = m("move", found, source=source, fill=-np.inf)
    return found


@row("_scaled_dot_product_flash_attention_for_cpu")
def attention(
    m: Meaning,
    query: Any,
    key: Any,
    value: Any,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    attn_mask: Any = None,
    scale: Any = None,
) -> Any:
    if dropout_p:
        return NotImplemented
    s = scores(m, query, key, scale, is_causal, attn_mask)
    largest = m("max", s, axis=-1, keepdims=True)
    e = m("exp", m("subtract", s, largest))
    total = m("sum", e, axis=-1, keepdims=True)
    out = m("matmul", m("divide", e, total), value)
    log = m("add", largest, m("log", total))
    shape = tuple(query.shape[:-1])
    return out, m("reshape", log, shape=shape)


@row("_scaled_dot_product_flash_attention_for_cpu_backward")
def attention_backward(
    m: Meaning,
    grad_out: Any,
    query: Any,
    key: Any,
    value: Any,
    out: Any,
    logsumexp: Any,
    dropout_p: float,
    is_causal: bool,
    attn_mask: Any = None,
    scale: Any = None,
) -> Any:
    if dropout_p:
        return NotImplemented
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    s = scores(m, query, key, scale, is_causal, attn_mask)
    p = softmax_of(m, s, -1)
    dv = m("matmul", m("transpose", p), grad_out)
    dp = m("matmul", grad_out, m("transpose", value))
    rows = m("sum", m("multiply", grad_out, out), axis=-1, keepdims=True)
    ds = m("scale", m("multiply", p, m("subtract", dp, rows)), factor=factor)
    return m("matmul", ds, key), m("matmul", m("transpose", ds), query), dv
