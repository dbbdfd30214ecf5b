"""Second derivatives by jax.jvp: forward mode, and forward mode over reverse.

Mirrors `reference/second_order/`, where every one of these products is written out.
A layer is one of the functions of `layers/`; inputs without a tangent do not move.
"""

from gradparity.jax_impl.second_order.layer_products import hvp, jvp
from gradparity.jax_impl.second_order.network_products import loss_hvp, loss_jvp

__all__ = ["jvp", "hvp", "loss_jvp", "loss_hvp"]
