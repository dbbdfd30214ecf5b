"""Arithmetic, node by node: sums, products and what the sigmoid is made of."""

import jax.numpy as jnp

from gradparity.jax_impl.arrays import Array, check_alike, check_floats

__all__ = [
    "add_layer",
    "mul_layer",
    "buy_fruit",
    "negate",
    "exp",
    "log",
    "plus_one",
    "reciprocal",
]


def add_layer(x: Array, y: Array) -> Array:
    """x + y."""
    check_alike("AddLayer", x=x, y=y)
    return x + y


def mul_layer(x: Array, y: Array) -> Array:
    """x * y, element by element."""
    check_alike("MulLayer", x=x, y=y)
    return x * y


def buy_fruit(
    apple: Array, apple_num: Array, orange: Array, orange_num: Array, tax: Array
) -> Array:
    """(apple * apple_num + orange * orange_num) * tax."""
    check_alike(
        "BuyFruit",
        apple=apple,
        apple_num=apple_num,
        orange=orange,
        orange_num=orange_num,
        tax=tax,
    )
    apple_price = mul_layer(apple, apple_num)
    orange_price = mul_layer(orange, orange_num)
    return mul_layer(add_layer(apple_price, orange_price), tax)


def negate(x: Array) -> Array:
    """x * (-1)."""
    check_floats("Negate", x=x)
    return x * -1


def exp(x: Array) -> Array:
    """exp(x)."""
    check_floats("Exp", x=x)
    return jnp.exp(x)


def log(x: Array) -> Array:
    """log(x), the natural logarithm."""
    check_floats("Log", x=x)
    return jnp.log(x)


def plus_one(x: Array) -> Array:
    """x + 1."""
    check_floats("PlusOne", x=x)
    return x + 1


def reciprocal(x: Array) -> Array:
    """1 / x."""
    check_floats("Reciprocal", x=x)
    return 1 / x
