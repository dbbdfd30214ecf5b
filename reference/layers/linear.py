"""The affine layer: the product with a matrix, and a bias."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import (
    Array,
    Float,
    check_dout,
    check_floats,
    check_rank,
    check_shape,
    ieee,
)

__all__ = ["Affine"]


class Affine:
    """x @ W + b for one sample or a batch.

    A batch of tensors (rank 3 and more) is flattened to (batch, in) and `dx` gets the
    tensors' shape back. Backward sums `dW` and `db` over the batch, because every
    sample used the same W and b:

        dx = dout @ W.T        dW = x.T @ dout        db = dout summed over the batch
    """

    sign = "affine"

    def __init__(
        self, W: Float[np.ndarray, "in out"], b: Float[np.ndarray, "out"]
    ) -> None:
        self.W, self.b = W, b
        self.x: Any = None
        self.original_x_shape: tuple[int, ...] | None = None
        self.dW: Any = None
        self.db: Any = None

    @ieee
    def forward(self, x: Array) -> Array:
        check_floats("Affine", x=x, W=self.W, b=self.b)
        check_rank("Affine", "W", self.W, 2)
        check_shape("Affine", "b", self.b, self.W.shape[1:])
        check_rank("Affine", "x", x, 1, x.ndim or 2)  # any but 0
        self.original_x_shape = x.shape
        self.x = x.reshape(1 if x.ndim == 1 else len(x), -1)
        if self.x.shape[1] != len(self.W):
            raise ValueError(
                f"Affine: x has {self.x.shape[1]} features, W expects {len(self.W)} "
                f"(x: {x.shape}, W: {self.W.shape})"
            )
        out = self.x @ self.W + self.b
        return out[0] if x.ndim == 1 else out

    @ieee
    def backward(self, dout: Array) -> Array:
        self.backward_params(dout)
        dx = dout.reshape(len(self.x), -1) @ self.W.T
        return dx.reshape(self.original_x_shape)

    @ieee
    def backward_params(self, dout: Array) -> None:
        """Only dW and db: all that is wanted of a network's first layer."""
        check_dout("Affine", dout, self.out_shape)
        dout = dout.reshape(len(self.x), -1)
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)

    @property
    def out_shape(self) -> tuple[int, ...] | None:
        """(out,) for one sample, (batch, out) for a batch; None before forward."""
        if self.original_x_shape is None:
            return None
        batch = self.original_x_shape[:1] if len(self.original_x_shape) > 1 else ()
        return (*batch, self.W.shape[1])
