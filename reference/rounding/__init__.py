"""How far a correctly written layer can be from the truth, by rounding alone.

The bound follows the values through the layer, in the manner of running error analysis
(Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.3). A
`Bounded` is the exact value together with a bound on the error of any computed version
of it; every operation passes the errors of its operands on and adds its own rounding.
With u the unit roundoff of the dtype, these are the rules, and there is no other
allowance anywhere:

* +, -, *, / and 1/x: fl(a op b) = (a op b)(1 + d) + e, |d| <= u, with |e| the underflow,
  which only products and quotients have (Higham, section 2.8);
* a sum of n terms, in any order and with or without fused multiply-add: there are n - 1
  additions, each of which rounds a partial sum. None of these is larger than the positive
  terms together, or the negative ones: (S + |s|) / 2, with S the sum of the absolute
  values and s the sum. So the error is at most (n - 1) u times that, and a little more,
  since partial sums are rounded themselves; and never more than (n - 1) u S, for any n
  (Jeannerod and Rump, SIAM J. Matrix Anal. Appl. 34(2), 2013). A dot product has one more
  rounding for each product. A fused multiply-add rounds less often, never more (Lange and
  Rump, BIT 57, 2017);
  What is added up in wider numbers than it is stored in is rounded once more (Blanchard,
  Higham, Lopez, Mary and Pranesh, SIAM J. Sci. Comput. 42(3), 2020);
* exp, log, tanh, erf, erfc, 1/sqrt and powers: so many roundings as `Arithmetic` says,
  which is measured and not assumed; where it was not, there is no bound. exp(0) = 1 and
  log(1) = 0 are exact (ISO C, annex F.10). What comes of an error is the difference of two
  values, or the error times the steepest slope on the way;
* sqrt: one rounding (IEEE 754). |sqrt(a) - sqrt(b)| <= sqrt(|a - b|), so that the root of
  squares has a bound at 0, too; what else may come to a pole, or out of where a function
  is defined, has none;
* 1/sqrt(x): one operation or two; a/sqrt(b): a quotient, or a product with the reciprocal
  root, which XLA makes of it;
* x**n, for a whole number: |n| - 1 products, and a reciprocal;
* max, min, |x|, and a choice by a comparison: nothing is rounded. A comparison is in doubt
  where what is compared is no further apart than its errors (a `Decision`): then both
  results are allowed, as at the kink of ReLU;
* a division by a constant: two roundings, for a compiler may multiply by its rounded
  reciprocal;
* numbers flushed to zero, where an implementation does that: their own size.

The layers have a rule each (`rules/`), the network is put together from these
(`networks.py`), and `dual.py` takes the same rules to the bounds of second derivatives.
"""

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.correctly_rounded import Arrays, Values, times
from gradparity.reference.rounding.decision import Decision
from gradparity.reference.rounding.dual import Dual
from gradparity.reference.rounding.floating_point import (
    LAMBDA,
    TENSOR_CORE,
    Arithmetic,
    gamma,
    probable_gamma,
)
from gradparity.reference.rounding.layers import bounds, tangent_bounds
from gradparity.reference.rounding.networks import (
    local_bounds,
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
    "TENSOR_CORE",
    "Arithmetic",
    "Arrays",
    "Bounded",
    "Bounds",
    "Decision",
    "Dual",
    "Values",
    "bounds",
    "gamma",
    "local_bounds",
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
