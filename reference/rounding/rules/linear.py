"""What may be lost by the affine layer."""

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.rules.registry import rule


@rule("Affine")
def affine(x: Bounded, W: Bounded, b: Bounded, dout: Bounded) -> Bounds:
    shape = x.value.shape
    rows = 1 if len(shape) == 1 else shape[0]
    flat = x.map(lambda v: v.reshape(rows, -1))
    back = affine_back(flat, W, dout.map(lambda v: v.reshape(rows, -1)))
    out = flat.matmul(W, plus=b).map(lambda v: v.reshape(dout.value.shape))
    return {"out": out, **back, "dx": back["dx"].map(lambda v: v.reshape(shape))}


def affine_back(x: Bounded, W: Bounded, dout: Bounded) -> Bounds:
    return {
        "dx": dout.matmul(W.map(np.transpose)),
        "dW": x.map(np.transpose).matmul(dout),
        "db": dout.sum(axis=0),
    }
