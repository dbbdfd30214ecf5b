"""What JAX traces of a function and its gradients: the jaxprs of `jax.vjp`."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def floating(array: Any) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))


def merged(
    are_floating: Sequence[bool], floats: Sequence[Any], others: Sequence[Any] | None
) -> list[Any]:
    """Both kinds in the order of the outputs; None for the others where they have none."""
    first, second = iter(floats), iter(others or [])
    return [
        next(first) if is_float else next(second, None) for is_float in are_floating
    ]


class Traced:
    """The jaxprs of a function's `vjp`: `forward` returns the floating outputs, the
    others, and what `backward` takes before the seeds.

    `arguments` are the places of the leaves that `forward` takes. `backward` is None
    where no leaf is floating.
    """

    def __init__(
        self, function: Callable[..., Any], leaves: Sequence[np.ndarray]
    ) -> None:
        self.function = function
        self.leaves: list[Any] = [jnp.asarray(leaf) for leaf in leaves]
        self.are_floating: list[bool] = []
        self.floats = [i for i, leaf in enumerate(self.leaves) if floating(leaf)]
        refuse_complex(self.leaves)
        self.arguments = list(range(len(leaves)))
        try:
            self.trace()
        except Exception:  # of many kinds, where the value of an integer is missing
            if self.arguments == self.floats:
                raise
            self.arguments = self.floats
            try:
                self.trace()
            except TypeError:  # what is computed from them by JAX has no value either
                self.leaves = [
                    mine if floating(mine) else np.asarray(mine) for mine in self.leaves
                ]
                self.trace()

    def trace(self) -> None:
        given = [self.leaves[i] for i in self.arguments]
        try:
            self.forward, shapes = jax.make_jaxpr(self.vjp, return_shape=True)(*given)
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError) as error:
            raise TypeError(
                "JAX cannot trace the function: it asks for the value of an argument "
                f"({type(error).__name__})"
            ) from error
        floats, _, back = shapes
        self.backward = None
        if back is not None:
            self.backward = jax.make_jaxpr(lambda back, seeds: back(seeds))(
                back, floats
            )

    def vjp(self, *arguments: Any) -> Any:
        """(floating outputs, other outputs, from seeds to gradients)."""
        given = [*self.leaves]
        for i, argument in zip(self.arguments, arguments, strict=True):
            given[i] = argument

        def of_floats(*floats: Any) -> Any:
            for i, value in zip(self.floats, floats, strict=True):
                given[i] = value
            found = self.function(*given)
            outs = found if isinstance(found, tuple | list) else (found,)
            outs = [jnp.asarray(out) for out in outs]
            refuse_complex(outs)
            self.are_floating = [floating(out) for out in outs]
            chosen = [out for out in outs if floating(out)]
            return chosen, [out for out in outs if not floating(out)]

        if not self.floats:
            return *of_floats(), None
        floats, back, others = jax.vjp(
            of_floats, *(given[i] for i in self.floats), has_aux=True
        )
        return floats, others, back


def refuse_complex(arrays: Sequence[Any], operator: str = "", where: str = "") -> None:
    """Raise ValueError, with the equation and its line, where there are complex numbers."""
    if any(jnp.issubdtype(array.dtype, jnp.complexfloating) for array in arrays):
        at = f", as in {operator}" if operator else ""
        raise ValueError(
            f"complex numbers are not compared{at}" + (f" ({where})" if where else "")
        )
