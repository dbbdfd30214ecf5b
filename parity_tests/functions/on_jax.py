"""Functions of JAX arrays: traced or run once, and flat for the room's `record`."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.arguments import (
    Arguments,
    Call,
    Outputs,
    outputs,
    seed,
)
from gradparity.parity_tests.functions.holding import bindings, handed_over, note
from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.implementations.user_supplied import code_of, packages


def call(arguments: Arguments, seeds: Sequence[np.ndarray] | None) -> Call:
    """The function, after it has been traced; or run, where it needs numbers."""
    jax = framework("jax")
    function = Function(arguments)
    wide = any(leaf.dtype == np.float64 for leaf in arguments.leaves)
    with jax.enable_x64(wide):
        leaves = [jax.numpy.asarray(leaf) for leaf in arguments.leaves]
        found = traced(function, leaves) or function.run(leaves)
    return Call(
        arguments.target,
        arguments.names,
        arguments.leaves,
        function,
        [*found.arrays],
        [tuple(np.shape(each)) for each in found.arrays.values()],
        None if seeds is None else [*seeds],
        notes=found.notes
        + note(function.bindings, arguments.target.name, arguments.dtype),
    )


def numbers(call: Call) -> list[np.ndarray]:
    """The program that the function is traced to, as text, and the constants in it;
    nothing where it cannot be traced.
    """
    jax = framework("jax")
    wide = any(leaf.dtype == np.float64 for leaf in call.leaves)
    with jax.enable_x64(wide):
        leaves = [jax.numpy.asarray(leaf) for leaf in call.leaves]
        try:
            # One function is traced once only.
            found = jax.make_jaxpr(lambda *given: call.function(*given))(*leaves)
        except Exception:  # what there is to say of it is said of the run
            return []
    program = re.sub(r"0x[0-9a-f]+", "", str(found.jaxpr))  # without addresses
    constants = [each for each in found.consts if hasattr(each, "dtype")]
    return [np.array(program), *map(np.asarray, constants)]


def traced(function: "Function", leaves: Sequence[Any]) -> Outputs | None:
    """What it returns, without numbers; None where it cannot be traced."""
    jax = framework("jax")
    found: list[Outputs] = []
    floats = [index for index, leaf in enumerate(leaves) if leaf.dtype.kind == "f"]

    def of_floats(*given: Any) -> Any:
        every = list(leaves)
        for index, leaf in zip(floats, given, strict=True):
            every[index] = leaf
        found.append(function.run(every))
        return tuple(found[-1].arrays.values())

    try:
        jax.eval_shape(of_floats, *(leaves[index] for index in floats))
    except Exception:  # what there is to say of it is said of the run
        return None
    return found[-1]


class Function:
    """Of JAX arrays by position to a tuple of JAX arrays."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.bindings = bindings(arguments.target.function)

    def __call__(self, *leaves: Any) -> tuple[Any, ...]:
        return tuple(self.run(leaves).arrays.values())

    def run(self, leaves: Sequence[Any]) -> Outputs:
        """What it returns of these arrays."""
        target = self.arguments.target
        by_position, by_name = self.arguments.build(leaves)
        own = handed_over(self.bindings, self.arguments.dtype)
        with own, code_of(target.name):
            seed()
            returned = target.function(*by_position, **by_name)
        return outputs(target, returned, is_array)


def is_array(end: Any) -> bool:
    """Whether it is one of JAX's arrays, of which there are several kinds."""
    ours = packages([type(end)]) & {"jax", "jaxlib"}
    return bool(ours) and hasattr(end, "shape") and hasattr(end, "dtype")
