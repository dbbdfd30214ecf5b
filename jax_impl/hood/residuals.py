"""What the function returned by `jax.vjp` keeps from forward to backward."""

from gradparity.jax_impl.hood.execution import Vjp
from gradparity.jax_impl.hood.running import (
    Arrays,
    Found,
    Function,
    Traced,
    as_numpy,
    mode_for,
)


def remembered(function: Function, inputs: Arrays) -> list[Found]:
    """The arrays that the function returned by `jax.vjp` keeps, its residuals.

    Name, owner and place are those of the equation that made an array; an input only has
    its name, and a number that stands in the program is its own. Beside what all
    implementations say: `variable`, its name in `steps`, and `read`, whether the backward
    pass reads it at all. This is what JAX keeps as it traces; where it runs a nested
    `jit` at once, it may keep a copy of what that was given as well.
    """
    with mode_for(inputs):
        vjp = Vjp(Traced(function, inputs))
        makers = {var: line for line in vjp.forward for var in line.outs}
        read = {var for line in vjp.backward for var in line.variables}
        places = {var: name for name, var in vjp.program.inputs.items()}
        places.setdefault(vjp.out, "out")
        found = []
        for var in vjp.kept:
            value, line = as_numpy(vjp.program.values[var]), makers.get(var)
            saved = {
                "name": line.eqn.primitive.name if line else vjp.names[var],
                "owner": line.owner if line else "",
                "shape": value.shape,
                "dtype": value.dtype.name,
                "bytes": value.nbytes,
                "same_as": places.get(var, ""),
                "where": line.where if line else "",
                "value": value,
                "variable": vjp.names[var],
                "read": var in read or var in vjp.gradients,
            }
            places.setdefault(var, f"{saved['owner']}.{saved['name']}")
            found.append(saved)
        return found
