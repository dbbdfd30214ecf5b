"""Mistakes that people really make, each a small variant of something that is right.

They are what the suite is tried on (`audit.sensitivity`): one that is not caught is a
case that is missing. A mutant is written down in one place, as a class or function
that says in its docstring what is wrong and what comes of it; the mistake is the
difference to what it is derived from. The frameworks are imported when one is used.
Those in `OF_THE_COURSE` are for grading alone.
"""

from gradparity.parity_tests.mutants import (  # noqa: F401
    activations,
    arithmetic,
    course_columns,
    course_dropout,
    course_functions,
    course_images,
    course_normalization,
    functions,
    jax_layers,
    linear,
    losses,
    mistakes_by_hand,
    mistakes_in_optimizers,
    networks,
    torch_layers,
    training,
)
from gradparity.parity_tests.mutants.mutant import MUTANTS as MUTANTS
from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE as OF_THE_COURSE
from gradparity.parity_tests.mutants.mutant import Mutant as Mutant
