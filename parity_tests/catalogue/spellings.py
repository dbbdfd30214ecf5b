"""Other ways to write a layer: the same function, which frameworks differentiate otherwise.

Each is a function of the framework's namespace, `torch` or `jax.numpy`, and of the
layer's inputs. What is compared is the derivative, at the points of the cases in
the layers' specs; `divergences/` says what is to be expected there.
"""

from collections.abc import Callable
from typing import Any


def softmax_unshifted(xp: Any, x: Any) -> Any:
    e = xp.exp(x)
    return e / e.sum(-1)[:, None]


def loss_with_a_little_added(xp: Any, x: Any, t: Any) -> Any:
    """The lecture's loss, which adds 1e-7 lest the logarithm meets 0."""
    e = xp.exp(x - x.max())
    y_t = xp.where(t == 1, e, xp.zeros_like(e)).sum(-1) / e.sum(-1)
    return -xp.log(y_t + 1e-7).mean()


SPELLINGS: dict[str, Callable[..., Any]] = {
    "maximum(x, 0)": lambda xp, x: xp.maximum(x, xp.zeros_like(x)),
    "clip(x, 0)": lambda xp, x: xp.clip(x, 0),
    "where(x > 0, x, 0)": lambda xp, x: xp.where(x > 0, x, xp.zeros_like(x)),
    "(1 + tanh(x / 2)) / 2": lambda xp, x: (1 + xp.tanh(x / 2)) / 2,
    "exp(x) / sum(exp(x))": softmax_unshifted,
    "-log(softmax(x) + 1e-7)": loss_with_a_little_added,
}
