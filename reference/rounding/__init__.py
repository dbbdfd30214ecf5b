"""How far a correctly written layer can be from the truth, by rounding alone.

The bound follows the values through the layer, in the manner of running error analysis
(Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.3). A
`Bounded` is the exact value together with a bound on the error of any computed version
of it; every operation passes the errors of its operands on and adds its own rounding.
With u the unit roundoff of the dtype, these are the rules, and there is no other
allowance anywhere:

* +, -, *, / and 1/x: fl(a op b) = (a op b)(1 + d) + e, |d| <= u, with |e| the underflow,
  which only products and quotients have (Higham, section 2.8);
* a sum of n terms, in any order and with or without fused multiply-add: every term takes
  part in at most n - 1 additions, so the error is at most gamma(n - 1) times the sum of
  the terms' absolute values, gamma(n) = n u / (1 - n u) (Lemma 3.1, section 4.2). A dot
  product of length n has one more rounding for each product: gamma(n) |x||y| (section
  3.1). A fused multiply-add rounds less often, never more;
* exp, log and tanh: so many roundings as `Arithmetic` says, which is measured and not
  assumed;
* a division by a constant: two roundings, for a compiler may multiply by its rounded
  reciprocal;
* numbers flushed to zero, where an implementation does that: their own size.

The layers have a rule each (`rules/`), the network is put together from these
(`networks.py`), and `dual.py` takes the same rules to the bounds of second derivatives.
"""

from gradparity.reference.rounding.bounded import Arrays, Bounded, Bounds, Values, times
from gradparity.reference.rounding.dual import Dual
from gradparity.reference.rounding.floating_point import (
    LAMBDA,
    Arithmetic,
    gamma,
    probable_gamma,
)
from gradparity.reference.rounding.layers import bounds, tangent_bounds
from gradparity.reference.rounding.networks import (
    network_bounds,
    network_tangent_bounds,
    step_bounds,
)
from gradparity.reference.rounding.rules import RULES, rule
from gradparity.reference.rounding.rules.activations import shifted
from gradparity.reference.rounding.rules.losses import picked

__all__ = [
    "LAMBDA",
    "RULES",
    "Arithmetic",
    "Arrays",
    "Bounded",
    "Bounds",
    "Dual",
    "Values",
    "bounds",
    "gamma",
    "network_bounds",
    "network_tangent_bounds",
    "picked",
    "probable_gamma",
    "rule",
    "shifted",
    "step_bounds",
    "tangent_bounds",
    "times",
]
