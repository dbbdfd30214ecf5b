"""Arithmetic, node by node: sums, products and what the sigmoid is made of."""

from typing import Any

import numpy as np

from gradparity.reference.arrays import (
    Value,
    check_alike,
    check_dout,
    check_floats,
    ieee,
)

__all__ = [
    "AddLayer",
    "MulLayer",
    "BuyFruit",
    "Negate",
    "Exp",
    "Log",
    "PlusOne",
    "Reciprocal",
]


class AddLayer:
    """x + y. Addition passes the derivative on, unchanged, to both inputs.

    The `* 1` gives each an array of its own, which may be written into.
    """

    sign = "+"

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    @ieee
    def forward(self, x: Value, y: Value) -> Value:
        check_alike("AddLayer", x=x, y=y)
        self.out_shape = np.shape(x)
        return x + y

    def backward(self, dout: Value) -> tuple[Value, Value]:
        check_dout("AddLayer", dout, self.out_shape)
        return dout * 1, dout * 1


class MulLayer:
    """x * y, element by element. The derivative of each input is the other input."""

    sign = "×"

    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    @ieee
    def forward(self, x: Value, y: Value) -> Value:
        check_alike("MulLayer", x=x, y=y)
        self.x, self.y = x, y
        return x * y

    @ieee
    def backward(self, dout: Value) -> tuple[Value, Value]:
        check_dout("MulLayer", dout, None if self.x is None else np.shape(self.x))
        return dout * self.y, dout * self.x


class BuyFruit:
    """(apple * apple_num + orange * orange_num) * tax: the lecture's bill as one graph.

    Two apples at 100, three oranges at 150 and 10 % tax come to 715. An apple dearer by
    1 makes the bill dearer by 2.2; a tax factor larger by 1, by 650.
    """

    def __init__(self) -> None:
        self.mul_apple, self.mul_orange = MulLayer(), MulLayer()
        self.add_fruit, self.mul_tax = AddLayer(), MulLayer()

    def forward(
        self,
        apple: Value,
        apple_num: Value,
        orange: Value,
        orange_num: Value,
        tax: Value,
    ) -> Value:
        check_alike(
            "BuyFruit",
            apple=apple,
            apple_num=apple_num,
            orange=orange,
            orange_num=orange_num,
            tax=tax,
        )
        apple_price = self.mul_apple.forward(apple, apple_num)
        orange_price = self.mul_orange.forward(orange, orange_num)
        fruit_price = self.add_fruit.forward(apple_price, orange_price)
        return self.mul_tax.forward(fruit_price, tax)

    def backward(self, dout: Value) -> tuple[Value, Value, Value, Value, Value]:
        dfruit_price, dtax = self.mul_tax.backward(dout)
        dapple_price, dorange_price = self.add_fruit.backward(dfruit_price)
        dorange, dorange_num = self.mul_orange.backward(dorange_price)
        dapple, dapple_num = self.mul_apple.backward(dapple_price)
        return dapple, dapple_num, dorange, dorange_num, dtax


class Negate:
    """x * (-1), the first node of the sigmoid's graph."""

    sign = "×(−1)"

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    def forward(self, x: Value) -> Value:
        check_floats("Negate", x=x)
        self.out_shape = np.shape(x)
        return x * -1

    def backward(self, dout: Value) -> Value:
        check_dout("Negate", dout, self.out_shape)
        return dout * -1


class Exp:
    """exp(x), its own derivative: backward multiplies by the output."""

    sign = "exp"

    def __init__(self) -> None:
        self.out: Any = None

    @ieee
    def forward(self, x: Value) -> Value:
        check_floats("Exp", x=x)
        self.out = np.exp(x)
        return self.out

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Exp", dout, None if self.out is None else np.shape(self.out))
        return dout * self.out


class Log:
    """log(x), the natural logarithm. The derivative is 1 / x: backward divides by x."""

    sign = "log"

    def __init__(self) -> None:
        self.x: Any = None

    @ieee
    def forward(self, x: Value) -> Value:
        check_floats("Log", x=x)
        self.x = x
        return np.log(x)

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Log", dout, None if self.x is None else np.shape(self.x))
        return dout / self.x


class PlusOne:
    """x + 1. The constant has no derivative; x gets dout unchanged."""

    sign = "+1"

    def __init__(self) -> None:
        self.out_shape: tuple[int, ...] | None = None

    def forward(self, x: Value) -> Value:
        check_floats("PlusOne", x=x)
        self.out_shape = np.shape(x)
        return x + 1

    def backward(self, dout: Value) -> Value:
        check_dout("PlusOne", dout, self.out_shape)
        return dout * 1


class Reciprocal:
    """1 / x. The derivative is -1 / x**2, which is minus the output squared."""

    sign = "1/x"

    def __init__(self) -> None:
        self.out: Any = None

    @ieee
    def forward(self, x: Value) -> Value:
        check_floats("Reciprocal", x=x)
        self.out = 1 / x
        return self.out

    @ieee
    def backward(self, dout: Value) -> Value:
        check_dout("Reciprocal", dout, None if self.out is None else np.shape(self.out))
        return -dout * self.out**2
