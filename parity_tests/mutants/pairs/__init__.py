"""Pairs of functions by which a comparison of any two functions is tried.

`DIFFERENT` are pairs that differ by one known mistake, `ALIKE` are written differently and
are the same. They are written down by topic, side by side: each right function, the other
ways to write it, and the mistakes that are made in it. The frameworks are imported when
a function is used.
"""

from gradparity.parity_tests.mutants.pairs import (  # noqa: F401
    activations,
    attention,
    backward,
    linear,
    losses,
    narrow,
    normalisation,
    recurrent,
    reductions,
    transformed,
)
from gradparity.parity_tests.mutants.pairs.pair import ALIKE as ALIKE
from gradparity.parity_tests.mutants.pairs.pair import DIFFERENT as DIFFERENT
from gradparity.parity_tests.mutants.pairs.pair import MISTAKES as MISTAKES
from gradparity.parity_tests.mutants.pairs.pair import Pair as Pair
