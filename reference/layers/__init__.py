"""Every layer forward and backward, by hand.

A layer is a node of the computational graph. `forward` computes its output and keeps
what backward will need (the residuals); `backward` takes `dout`, the derivative of the
final value with respect to that output, and returns the derivative with respect to
each input: the chain rule, one node at a time.

The interface is that of K. Saitoh, *Deep Learning from Scratch* (O'Reilly Japan, 2016),
chapter 5, on which the lecture builds. Inputs keep their dtype (float32, float64 or
longdouble) and are never written into. Anything else is refused with a TypeError or a
ValueError that names the argument (`arrays.py`). `sign` is what a layer is called in a
drawn graph.

The families are files: `arithmetic.py`, `activations.py`, `linear.py` and `losses.py`.
"""

from gradparity.reference.layers import activations, arithmetic, linear, losses
from gradparity.reference.layers.activations import *
from gradparity.reference.layers.arithmetic import *
from gradparity.reference.layers.linear import *
from gradparity.reference.layers.losses import *

# In the order in which the lecture teaches them, then whatever else the families have.
__all__ = [
    "AddLayer",
    "MulLayer",
    "BuyFruit",
    "Relu",
    "Negate",
    "Exp",
    "Log",
    "PlusOne",
    "Reciprocal",
    "SigmoidGraph",
    "Sigmoid",
    "Affine",
    "Softmax",
    "CrossEntropy",
    "SoftmaxWithLoss",
]
__all__ += [
    name
    for family in (arithmetic, activations, linear, losses)
    for name in family.__all__
    if name not in __all__
]
