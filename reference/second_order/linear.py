"""The R-operator on the affine layer."""

from gradparity.reference.arrays import Array
from gradparity.reference.layers.linear import Affine

__all__ = ["RAffine"]


class RAffine(Affine):
    """out = x @ W + b, dx = dout @ W.T, dW = x.T @ dout, db = dout summed.

    R{dx} is returned, R{dW} and R{db} are attributes, as their originals are.
    """

    def r_forward(self, Rx: Array, RW: Array, Rb: Array) -> Array:
        self.Rx, self.RW = Rx.reshape(self.x.shape), RW
        Rout = self.Rx @ self.W + self.x @ RW + Rb
        return Rout.reshape(self.out_shape)

    def r_backward(self, dout: Array, Rdout: Array) -> Array:
        dout, Rdout = (d.reshape(len(self.x), -1) for d in (dout, Rdout))
        self.RdW = self.Rx.T @ dout + self.x.T @ Rdout
        self.Rdb = Rdout.sum(axis=0)
        Rdx = Rdout @ self.W.T + dout @ self.RW.T
        return Rdx.reshape(self.original_x_shape)
