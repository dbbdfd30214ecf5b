"""Who is compared: the contract that every implementation meets, and who meets it.

`contract` is what the suite asks, and `backends` what an implementation computes with;
`numpy_adaptor`, `torch_adaptor` and `jax_adaptor` meet the contract for a framework's way
of writing; `built_in` names ours, `outsiders` are trainings by others, `user_supplied` is
what a user brings, with `hips_autograd` as the example, and `registry` finds any of them
by its name.
"""
