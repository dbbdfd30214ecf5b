"""The rules by the families of the layers.

Several algorithms are in use for some layers (the logarithm of a softmax, or a
log-softmax); the rule is then the one whose bound is the largest, and says which it is.
These formulas are written independently of `reference/layers/` on purpose: if a layer of
the reference is wrong, the two disagree.
"""

from gradparity.reference.rounding.rules import activations, arithmetic, linear, losses
from gradparity.reference.rounding.rules.registry import RULES, rule

__all__ = ["RULES", "activations", "arithmetic", "linear", "losses", "rule"]
