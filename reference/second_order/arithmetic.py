"""The R-operator on sums, products and what the sigmoid is made of."""

from gradparity.reference.arrays import Value
from gradparity.reference.layers.arithmetic import (
    AddLayer,
    BuyFruit,
    Exp,
    Log,
    MulLayer,
    Negate,
    PlusOne,
    Reciprocal,
)

__all__ = [
    "RAddLayer",
    "RMulLayer",
    "RBuyFruit",
    "RNegate",
    "RExp",
    "RLog",
    "RPlusOne",
    "RReciprocal",
]


class RAddLayer(AddLayer):
    """out = x + y, dx = dy = dout."""

    def r_forward(self, Rx: Value, Ry: Value) -> Value:
        return Rx + Ry

    def r_backward(self, dout: Value, Rdout: Value) -> tuple[Value, Value]:
        return Rdout * 1, Rdout * 1


class RMulLayer(MulLayer):
    """out = x * y, dx = dout * y, dy = dout * x: products, all of them."""

    def r_forward(self, Rx: Value, Ry: Value) -> Value:
        self.Rx, self.Ry = Rx, Ry
        return Rx * self.y + self.x * Ry

    def r_backward(self, dout: Value, Rdout: Value) -> tuple[Value, Value]:
        return Rdout * self.y + dout * self.Ry, Rdout * self.x + dout * self.Rx


class RBuyFruit(BuyFruit):
    """The bill node by node: forward in the one order, backward in the other."""

    mul_apple: RMulLayer
    mul_orange: RMulLayer
    add_fruit: RAddLayer
    mul_tax: RMulLayer

    def __init__(self) -> None:
        self.mul_apple, self.mul_orange = RMulLayer(), RMulLayer()
        self.add_fruit, self.mul_tax = RAddLayer(), RMulLayer()

    def r_forward(
        self,
        Rapple: Value,
        Rapple_num: Value,
        Rorange: Value,
        Rorange_num: Value,
        Rtax: Value,
    ) -> Value:
        Rapple_price = self.mul_apple.r_forward(Rapple, Rapple_num)
        Rorange_price = self.mul_orange.r_forward(Rorange, Rorange_num)
        Rfruit_price = self.add_fruit.r_forward(Rapple_price, Rorange_price)
        return self.mul_tax.r_forward(Rfruit_price, Rtax)

    def r_backward(
        self, dout: Value, Rdout: Value
    ) -> tuple[Value, Value, Value, Value, Value]:
        dfruit_price, _ = self.mul_tax.backward(dout)
        Rdfruit_price, Rdtax = self.mul_tax.r_backward(dout, Rdout)
        dapple_price, dorange_price = self.add_fruit.backward(dfruit_price)
        Rdapple_price, Rdorange_price = self.add_fruit.r_backward(
            dfruit_price, Rdfruit_price
        )
        Rdorange, Rdorange_num = self.mul_orange.r_backward(
            dorange_price, Rdorange_price
        )
        Rdapple, Rdapple_num = self.mul_apple.r_backward(dapple_price, Rdapple_price)
        return Rdapple, Rdapple_num, Rdorange, Rdorange_num, Rdtax


class RNegate(Negate):
    """out = x * (-1), dx = dout * (-1)."""

    def r_forward(self, Rx: Value) -> Value:
        return Rx * -1

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * -1


class RExp(Exp):
    """out = exp(x), dx = dout * out."""

    def r_forward(self, Rx: Value) -> Value:
        self.Rout = Rx * self.out
        return self.Rout

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * self.out + dout * self.Rout


class RLog(Log):
    """out = log(x), dx = dout / x. Multiplied out, dx * x = dout, which gives
    Rdx * x + dx * Rx = Rdout.
    """

    def r_forward(self, Rx: Value) -> Value:
        self.Rx = Rx
        return Rx / self.x

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        dx = dout / self.x
        return (Rdout - dx * self.Rx) / self.x


class RPlusOne(PlusOne):
    """out = x + 1, dx = dout: the constant does not move."""

    def r_forward(self, Rx: Value) -> Value:
        return Rx * 1

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return Rdout * 1


class RReciprocal(Reciprocal):
    """out = 1 / x, dx = -dout * out**2."""

    def r_forward(self, Rx: Value) -> Value:
        self.Rout = -Rx * self.out**2
        return self.Rout

    def r_backward(self, dout: Value, Rdout: Value) -> Value:
        return -Rdout * self.out**2 - dout * (2 * self.out * self.Rout)
