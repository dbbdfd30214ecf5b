"""Traces a function on given inputs, forward and backward."""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Function = Callable[..., Any]
Arrays = dict[str, np.ndarray]
Found = dict[str, Any]

NOT_AVAILABLE = "not available in this version"


def mode_for(inputs: Arrays) -> AbstractContextManager[Any]:
    """JAX's 64-bit mode where an input needs it."""
    wide = any(value.dtype == np.float64 for value in inputs.values())
    return jax.enable_x64(True) if wide else nullcontext()


def as_numpy(value: Any) -> Any:
    """An array as a NumPy array, random keys as their bits; None as it is."""
    if value is not None and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return value if value is None else np.asarray(value)


def is_float(value: Any) -> bool:
    return bool(jnp.issubdtype(value.dtype, jnp.inexact))


class Traced:
    """The function, its inputs as JAX arrays, and which of them it is traced with.

    Integer inputs are arguments like the others, unless the function needs their values
    while it is traced: then they are constants of it.
    """

    def __init__(
        self, function: Function, inputs: Arrays, dout: np.ndarray | None = None
    ) -> None:
        self.function = function
        self.arrays = {name: jax.device_put(value) for name, value in inputs.items()}
        self.floats = [name for name, v in self.arrays.items() if is_float(v)]
        if not self.floats:
            raise TypeError("there is no floating-point input to differentiate for")
        self.arguments = {name: self.arrays[name] for name in self.floats}
        try:
            # The integers have values here, so that labels are checked.
            out = jax.eval_shape(self.call, *self.arguments.values())
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError) as error:
            raise TypeError(
                "JAX cannot trace the function: it asks for the value of an argument "
                f"({type(error).__name__})"
            ) from error
        if not hasattr(out, "dtype") or not jnp.issubdtype(out.dtype, jnp.floating):
            came = getattr(out, "dtype", type(out).__name__)
            raise TypeError(
                f"the function must return one floating-point array, got {came}"
            )
        dout = np.ones(out.shape) if dout is None else dout
        if dout.shape != out.shape:
            raise ValueError(f"dout must have shape {out.shape}, got {dout.shape}")
        self.dout = jnp.asarray(dout, out.dtype)
        few, self.arguments = self.arguments, self.arrays
        try:
            jax.eval_shape(self.call, *self.arguments.values())
        except Exception:  # of many kinds, where a value is missing
            self.arguments = few

    def call(self, *arguments: Any) -> Any:
        """The function of its arguments' values, by name unless it wants them by place."""
        given = self.arrays | dict(zip(self.arguments, arguments, strict=True))
        try:
            kinds = [
                p.kind for p in inspect.signature(self.function).parameters.values()
            ]
        except ValueError:  # some built-in functions have no signature
            kinds = []
        by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
        if any(kind in by_place for kind in kinds):
            return self.function(*given.values())
        return self.function(**given)

    def vjp(self, *arguments: Any) -> Any:
        """(out, the function from dout to the gradients of the floating-point inputs)."""
        given = dict(zip(self.arguments, arguments, strict=True))

        def of_floats(*floats: Any) -> Any:
            moved = given | dict(zip(self.floats, floats, strict=True))
            return self.call(*moved.values())

        return jax.vjp(of_floats, *(given[name] for name in self.floats))

    def jaxpr(self, of: Function, **options: Any) -> Any:
        return jax.make_jaxpr(of, **options)(*self.arguments.values())
