"""A function and its gradients compiled as one, as `jax.jit` does it: XLA may fuse what
stands in the program as several equations, and rewrite it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradparity.jax_impl.tracing import Traced, floating, merged


def compiled(
    function: Callable[..., Any],
    leaves: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray | None] | None = None,
) -> dict[str, list[Any]]:
    """Run a function and its gradients as one compiled program.

    Args:
        function, leaves, seeds: as for `program.record`.

    Returns outputs, and gradients by leaf, None for those that are not floating.
    """
    leaves = [np.array(leaf) for leaf in leaves]
    with jax.enable_x64(any(leaf.dtype == np.float64 for leaf in leaves)):
        traced = Traced(function, leaves)
        given = [None] * len(traced.are_floating) if seeds is None else list(seeds)

        def whole(*arguments: Any) -> Any:
            floats, others, back = traced.vjp(*arguments)
            wanted = [s for s, f in zip(given, traced.are_floating, strict=True) if f]
            douts = [
                jnp.ones_like(out) if seed is None else jnp.asarray(seed, out.dtype)
                for out, seed in zip(floats, wanted, strict=True)
            ]
            return floats, others, [] if back is None else back(douts)

        taken = [traced.leaves[i] for i in traced.arguments]
        floats, others, slopes = jax.jit(whole)(*taken)
    outputs = merged(traced.are_floating, floats, others)
    queue = iter(slopes)
    return {
        "outputs": [np.asarray(out) for out in outputs],
        "gradients": [
            np.asarray(next(queue)) if floating(leaf) else None for leaf in leaves
        ],
    }
