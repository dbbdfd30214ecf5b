"""The layers of `reference` in JAX: every derivative comes from jax.vjp or jax.grad.

JAX computes in float32 unless its 64-bit mode is on. Nothing here switches it on for
the importing program: call with `jax.enable_x64(True)` around, as `training.train`
does, to compute in float64.
"""
