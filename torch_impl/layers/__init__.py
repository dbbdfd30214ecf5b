"""Every layer as a function of all its inputs; autograd supplies the derivatives.

Names, files and their order are those of `reference/layers/`. Where PyTorch has one
operator for a layer, the layer is that operator (the fused form), and `..._composed`
spells it from primitive operators, as the reference does: the same function, but
autograd differentiates it node by node, and the rounding is different.
"""

from gradparity.torch_impl.layers import activations, arithmetic, linear, losses
from gradparity.torch_impl.layers.activations import *
from gradparity.torch_impl.layers.arithmetic import *
from gradparity.torch_impl.layers.linear import *
from gradparity.torch_impl.layers.losses import *

# In the order in which the lecture teaches them, then whatever else the families have.
__all__ = [
    "add_layer",
    "mul_layer",
    "buy_fruit",
    "relu",
    "relu_composed",
    "negate",
    "exp",
    "log",
    "plus_one",
    "reciprocal",
    "sigmoid_graph",
    "sigmoid",
    "affine",
    "affine_composed",
    "softmax",
    "softmax_composed",
    "cross_entropy",
    "cross_entropy_composed",
    "softmax_with_loss",
    "softmax_with_loss_composed",
]
__all__ += [
    name
    for family in (arithmetic, activations, linear, losses)
    for name in family.__all__
    if name not in __all__
]
