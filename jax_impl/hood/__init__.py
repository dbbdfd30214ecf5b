"""What JAX does with a function of arrays: its graph, its equations, what it keeps and
what XLA compiles it to.

JAX writes a function down as a jaxpr, a list of equations. Here that list is read, run
equation by equation, and printed; so this works for any function that JAX can trace. The
names and their order are those of the other implementations' `hood/`; `jaxprs` and
`compiled` are JAX's own.

`function` is called with JAX arrays for `inputs` (argument names to NumPy arrays) and
returns one floating-point array, or there is a TypeError. Integer inputs, such as labels,
are not differentiated. Inputs of float64 switch JAX's 64-bit mode on while they are
looked at, and only then. Everything is public API; what an installed version does not
have is None, or says that it is not available.
"""

from gradparity.jax_impl.hood.execution import jaxprs, steps
from gradparity.jax_impl.hood.graphs import graph
from gradparity.jax_impl.hood.residuals import remembered
from gradparity.jax_impl.hood.xla import compiled

__all__ = ["graph", "steps", "remembered", "jaxprs", "compiled"]
