"""Second derivatives by hand: Pearlmutter's R-operator, layer by layer.

Let the inputs move: x + r Rx, with Rx their direction. R{f} is the derivative of
whatever is computed from them by r, at r = 0. It obeys the rules of differentiation,

    R{x + y} = Rx + Ry        R{x * y} = Rx * y + x * Ry        R{f(x)} = f'(x) * Rx

so every line of `forward` gives a line of `r_forward`, and every line of `backward` one
of `r_backward`, and neither costs more than a few times the line that it comes from. The
first gives Rout, the Jacobian times the direction (a JVP, forward mode). The second gives
Rdx, and since dx is a gradient, that is the Hessian times the direction: the product, for
the price of a gradient, with a matrix that nobody could store. (B. A. Pearlmutter, *Fast
exact multiplication by the Hessian*, Neural Computation 6(1), 1994.)

`r_forward` comes after `forward` and takes the directions of all inputs, `r_backward`
comes after that and takes dout and its direction. Where a mask switches (Relu), its
derivative is taken to be 0, as everywhere in the field.
"""

from gradparity.reference.second_order import activations, arithmetic, linear, losses
from gradparity.reference.second_order.activations import *
from gradparity.reference.second_order.arithmetic import *
from gradparity.reference.second_order.layer_products import hvp, jvp
from gradparity.reference.second_order.linear import *
from gradparity.reference.second_order.losses import *
from gradparity.reference.second_order.network_products import loss_hvp, loss_jvp

__all__ = ["jvp", "hvp", "loss_jvp", "loss_hvp"]
__all__ += [
    name
    for family in (arithmetic, activations, linear, losses)
    for name in family.__all__
]
