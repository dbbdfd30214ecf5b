"""The words that rules are made of: predicates and formulas of the numbers that go in."""

from collections.abc import Callable
from typing import Any

import numpy as np


def subnormal(x: Any) -> Any:
    return (x != 0) & (np.abs(x) < np.finfo(x.dtype).smallest_normal)


def flushed(x: Any) -> Any:
    """As XLA's programs see it: subnormal numbers are zeros of their sign."""
    return np.where(subnormal(x), np.copysign(x.dtype.type(0), x), x)


def vanishes(x: Any) -> Any:
    """Is 0 to those who flush."""
    return flushed(x) == 0


def hot(t: Any, like: Any) -> Any:
    """Which elements the labels point at."""
    if t.shape == like.shape:
        return t == 1
    return np.arange(like.shape[-1]) == t[..., None]


def at_label(y: Any, t: Any) -> Any:
    """The elements at the labels, in a column."""
    labels = t.argmax(axis=-1) if t.shape == y.shape else t
    return np.take_along_axis(y, labels[..., None], axis=-1)


def shifted_exp(x: Any) -> Any:
    """The numerators of a softmax."""
    return np.exp(x - x.max(axis=-1, keepdims=True))


def softmax(x: Any) -> Any:
    e = shifted_exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def logs_to_inf(y: Any, t: Any, zero: Callable[[Any], Any]) -> Any:
    """Whether any probability but the labels' has a logarithm that is no number."""
    wild = zero(y) | (y < 0) | ~np.isfinite(y)
    return t.shape == y.shape and (wild & (t == 0)).any()


def is_zero(x: Any) -> Any:
    return x == 0


def share(dout: Any, y: Any) -> Any:
    """What each row gets of dout."""
    return dout / y[..., 0].size


def tiny_share(dout: Any, y: Any, zero: Callable[[Any], Any]) -> Any:
    """Whether what each row gets of dout, which is not 0, counts as 0."""
    return (dout != 0) & zero(share(dout, y))


def picked_loss(y: Any, t: Any) -> Any:
    return -np.log(at_label(y, t)).sum()
