"""The functions that layers are made of, right over the whole range of their input."""

from typing import Any

import numpy as np
from jaxtyping import Shaped

from gradparity.reference.arrays import Float, Number, Value, check_floats, check_rank


def sigmoid(x: Float[np.ndarray, "..."] | Number) -> Float[np.ndarray, "..."] | Number:
    """1 / (1 + exp(-x)), element by element, for x of any shape.

    exp is only ever taken of -|x|, so that nothing overflows: for x < 0 the fraction is
    expanded by exp(x), which gives exp(x) / (1 + exp(x)).
    """
    e = np.exp(np.where(x < 0, x, -x))
    y = 1 / (1 + e)
    return np.where(x < 0, e * y, y)[()]


def softmax(
    x: Float[np.ndarray, "*batch classes"],
) -> Float[np.ndarray, "*batch classes"]:
    """exp(x_k) / sum_j exp(x_j) along the last axis: one sample or a batch of them.

    The largest logit is subtracted first. It cancels in the fraction, and no exp
    can then overflow (Goodfellow et al., Deep Learning, section 4.1).

    Raises TypeError or ValueError unless x is floating-point, of rank 1 or 2.
    """
    check_floats("softmax", x=x)
    check_rank("softmax", "x", x, 1, 2)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy_error(
    y: Float[np.ndarray, "*batch classes"],
    t: Shaped[np.ndarray, "*labels"] | int | np.integer,
) -> Value:
    """-log(y_t + 1e-7), averaged over the batch: the lecture's function.

    The 1e-7 keeps the logarithm finite at y_t = 0. It also makes this a slightly
    different function from the one whose derivative is (y - t) / N, which is why
    `SoftmaxWithLoss` does not call it.

    Args:
        y: probabilities, (classes,) or (batch, classes).
        t: labels, () or (batch,), or one-hot in the shape of y.
    """
    check_floats("cross_entropy_error", y=y)
    check_rank("cross_entropy_error", "y", y, 1, 2)
    y_t = at_labels(y, to_labels("cross_entropy_error", t, y.shape))
    return -np.log(y_t + 1e-7).sum() / y_t.size


def at_labels(
    y: Float[np.ndarray, "*batch classes"], labels: Shaped[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch"]:
    """The entry of every row of y that its label points at."""
    return np.take_along_axis(y, labels[..., np.newaxis], axis=-1)[..., 0]


def to_one_hot(
    labels: Shaped[np.ndarray, "*batch"], classes: int, dtype: Any = np.float64
) -> Float[np.ndarray, "*batch classes"]:
    """A row of zeros with a one at the label, for every label.

    Raises TypeError or ValueError unless the labels are integers in 0..classes-1.
    """
    shape = (*np.shape(labels), classes)
    return np.eye(classes, dtype=dtype)[to_labels("to_one_hot", labels, shape)]


def to_labels(
    layer: str, t: Any, shape: tuple[int, ...]
) -> Shaped[np.ndarray, "*batch"]:
    """Label indices, from indices or from one-hot rows, for scores of the given shape.

    Which of the two it is is told by the rank alone, (batch,) or (batch, classes),
    never by the number of elements: with one class, or a batch of one, those agree.

    Raises:
        TypeError: indices that are not integers.
        ValueError: another shape, an index outside 0..classes-1, or a row that is
            not zeros and a single one.
    """
    t, classes = np.asarray(t), shape[-1]
    if t.shape == shape:
        if t.dtype == object or not ((t == 0) | (t == 1)).all():
            raise ValueError(f"{layer}: t (one-hot) must hold zeros and ones only")
        if not (t.sum(axis=-1) == 1).all():
            raise ValueError(f"{layer}: every row of t (one-hot) must hold a single 1")
        return np.asarray(t.argmax(axis=-1))
    if t.shape != shape[:-1]:
        raise ValueError(
            f"{layer}: t must have shape {shape[:-1]} (labels) or {shape} (one-hot), "
            f"got {t.shape}"
        )
    if not np.issubdtype(t.dtype, np.integer):
        raise TypeError(f"{layer}: t (labels) must be integers, got dtype {t.dtype}")
    if not 0 <= t.min() <= t.max() < classes:
        wrong = t.min() if t.min() < 0 else t.max()
        raise ValueError(
            f"{layer}: t (labels) must lie in 0..{classes - 1}, got {wrong}"
        )
    return t
