"""The equations that `jax.vjp` runs, and the jaxprs that they stand in."""

import re
from collections.abc import Iterator
from itertools import count, product
from string import ascii_lowercase

import jax
import numpy as np

from gradparity.jax_impl.hood.recording import CALLS, RULES, Line, Program
from gradparity.jax_impl.hood.running import (
    Arrays,
    Found,
    Function,
    Traced,
    as_numpy,
    mode_for,
)


def steps(function: Function, inputs: Arrays, dout: np.ndarray) -> Found:
    """Every equation that `jax.vjp` runs: {"forward": [step], "backward": [step]}.

    All calls are looked into. An equation stands as a jaxpr prints it, but on one line,
    with long parameters left out; inputs, `dout`, `out` and the gradients `d...` have
    their names, and every other variable letters that no other has, forward or backward.
    The owner is the innermost `jit` or derivative rule, else the function of the user's
    that the equation comes from. Beside `value`, that of the first output, `values` has
    all of them.
    """
    with mode_for(inputs):
        vjp = Vjp(Traced(function, inputs, dout))

        def step(line: Line) -> Found:
            values = [as_numpy(vjp.program.values[var]) for var in line.outs]
            return {
                "code": line.code(vjp.names),
                "name": vjp.names[line.outs[0]] if line.outs else "",
                "value": values[0] if values else None,
                "values": values,
                "owner": line.owner,
                "where": line.where,
            }

        return {
            "forward": [step(line) for line in vjp.forward],
            "backward": [step(line) for line in vjp.backward],
        }


def jaxprs(function: Function, inputs: Arrays, dout: np.ndarray) -> dict[str, str]:
    """The jaxprs of the function and of its vjp as JAX prints them, with its letters:
    {"forward": str, "backward": str}.
    """
    with mode_for(inputs):
        traced = Traced(function, inputs, dout)
        _, back = traced.vjp(*traced.arguments.values())
        found = {
            "forward": traced.jaxpr(traced.call),
            "backward": jax.make_jaxpr(back)(traced.dout),
        }
        # Some versions print a function with its address, another one in each run.
        return {k: re.sub(r" at 0x\w+", "", str(v)) for k, v in found.items()}


class Vjp:
    """Both passes of `jax.vjp` as one program, run, with a name for every variable."""

    def __init__(self, traced: Traced) -> None:
        self.program = Program(traced)
        run, values, everything = self.program.run, self.program.values, CALLS | RULES
        closed, (_, back) = traced.jaxpr(traced.vjp, return_shape=True)
        self.out, *self.kept = run(closed, self.program.arguments, everything)
        self.forward = [*self.program.lines]
        # The function that JAX returned, now with the values that were computed here.
        kept = [values[var] for var in self.kept]
        back = jax.tree.unflatten(jax.tree.structure(back), kept)
        closed = jax.make_jaxpr(lambda back, dout: back(dout))(back, traced.dout)
        dout = self.program.variable(traced.dout)
        self.gradients = run(closed, [*self.kept, dout], everything)
        self.backward = self.program.lines[len(self.forward) :]

        self.names = {var: name for name, var in self.program.inputs.items()}
        douts = zip(self.gradients, ["d" + name for name in traced.floats], strict=True)
        for var, name in [(self.out, "out"), (dout, "dout"), *douts]:
            while name in self.names.values():  # an input may have it
                name += "_"
            self.names.setdefault(var, name)
        made = {var for line in self.program.lines for var in line.outs}
        fresh = (name for name in _letters() if name not in self.names.values())
        for var in values.keys() - made - self.names.keys():
            if as_numpy(values[var]).size == 1:  # a number that stands in the program
                self.names[var] = str(as_numpy(values[var]).item())
        for var in values:
            if var not in self.names:
                self.names[var] = next(fresh)


def _letters() -> Iterator[str]:
    """a, b, ..., z, aa, ab, ..."""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))
