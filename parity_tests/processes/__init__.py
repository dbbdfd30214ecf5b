"""Processes: how one that computes is set up (`settings`), how several share the
processors (`parallel`), and for how long JAX compiled in one (`compiling`). What is not to
run beside anything has a pool that is none (`at_once`).
"""
