"""Mistakes in the nodes of arithmetic: the right layer, but for what is here."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.parity_tests.mutants.sources import BOOK_FUNCTIONS
from gradparity.reference.layers import (
    AddLayer,
    BuyFruit,
    Exp,
    Log,
    MulLayer,
    Negate,
    PlusOne,
    Reciprocal,
)

mistake = mistakes("reference")


@mistake("AddLayer")
class AdditionTreatedAsMultiplication(AddLayer):
    """Multiplies the derivative by the other input, as the product does: a sum passes it
    on unchanged.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return super().forward(x, y)

    def backward(self, dout: Any) -> Any:
        return dout * self.y, dout * self.x


@mistake("AddLayer")
class DerivativeSharedBetweenInputs(AddLayer):
    """Gives each input half of the derivative: both get all of it."""

    def backward(self, dout: Any) -> Any:
        return dout / 2, dout / 2


@mistake("AddLayer")
class SecondDerivativeForgotten(AddLayer):
    """Returns one derivative, though there are two inputs."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


@mistake("MulLayer")
class FactorsNotSwapped(MulLayer):
    """Multiplies by the input itself: the derivative of a factor is the other one."""

    def backward(self, dout: Any) -> Any:
        return dout * self.x, dout * self.y


@mistake("MulLayer")
class ProductWithoutDout(MulLayer):
    """Returns the other factor alone: what arrives from above is lost, and with it the
    chain rule.
    """

    def backward(self, dout: Any) -> Any:
        return self.y * 1, self.x * 1


@mistake("MulLayer")
class ProductWrittenIntoItsInput(MulLayer):
    """Multiplies with *=: the caller's x is overwritten, and backward uses what is there
    now.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        self.x *= y
        return self.x


@mistake("BuyFruit")
class TaxOnApplesOnly(BuyFruit):
    """Takes the derivative of the tax from the price of the apples: the oranges are
    taxed as well.
    """

    def backward(self, dout: Any) -> Any:
        *fruit, _ = super().backward(dout)
        return *fruit, dout * self.mul_apple.x * self.mul_apple.y


@mistake("BuyFruit")
class FruitMixedUp(BuyFruit):
    """Returns the derivatives in another order than the inputs came in."""

    def backward(self, dout: Any) -> Any:
        apple, apple_num, orange, orange_num, tax = super().backward(dout)
        return orange, orange_num, apple, apple_num, tax


@mistake("Negate")
class SignNotPassedBack(Negate):
    """Negates in forward only: the gradient points the wrong way."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


@mistake("Exp")
class PowerRuleForExp(Exp):
    """Differentiates exp(x) like a power, x exp(x - 1): exp is its own derivative."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        return dout * self.x * np.exp(self.x - 1)


@mistake("Log")
class LogarithmToBaseTen(Log):
    """Takes log10 for the natural logarithm: the output is 2.3 times too small, and 1 / x
    the derivative of another function.
    """

    def forward(self, x: Any) -> Any:
        super().forward(x)
        return np.log10(x)


@mistake("Log")
class MultipliedInsteadOfDivided(Log):
    """Multiplies by x: the derivative of log(x) is 1 / x."""

    def backward(self, dout: Any) -> Any:
        return dout * self.x


@mistake("Log", BOOK_FUNCTIONS)
class LogOfSlightlyMore(Log):
    """Adds 1e-7 before the logarithm, against log(0): every other value is changed too,
    the small ones most.
    """

    def forward(self, x: Any) -> Any:
        super().forward(x)
        return np.log(x + x.dtype.type(1e-7))


@mistake("PlusOne")
class ConstantDifferentiatedAsOne(PlusOne):
    """Adds 1 to the derivative as well: a constant has the derivative 0."""

    def backward(self, dout: Any) -> Any:
        return dout + 1


@mistake("Reciprocal")
class ReciprocalWithoutItsSign(Reciprocal):
    """Forgets the minus sign of -1 / x**2: the gradient points the wrong way."""

    def backward(self, dout: Any) -> Any:
        return dout * self.out**2


@mistake("Reciprocal")
class SquareForgotten(Reciprocal):
    """Divides by x where it should divide by x**2."""

    def backward(self, dout: Any) -> Any:
        return -dout * self.out
