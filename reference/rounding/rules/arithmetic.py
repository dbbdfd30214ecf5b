"""What may be lost by sums, products and what the sigmoid is made of."""

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.rules.registry import rule


@rule("AddLayer")
def add_layer(x: Bounded, y: Bounded, dout: Bounded) -> Bounds:
    return {"out": x + y, "dx": dout, "dy": dout}


@rule("MulLayer")
def mul_layer(x: Bounded, y: Bounded, dout: Bounded) -> Bounds:
    return {"out": x * y, "dx": dout * y, "dy": dout * x}


@rule("BuyFruit")
def buy_fruit(
    apple: Bounded,
    apple_num: Bounded,
    orange: Bounded,
    orange_num: Bounded,
    tax: Bounded,
    dout: Bounded,
) -> Bounds:
    fruit_price = apple * apple_num + orange * orange_num
    dfruit_price = dout * tax
    return {
        "out": fruit_price * tax,
        "dapple": dfruit_price * apple_num,
        "dapple_num": dfruit_price * apple,
        "dorange": dfruit_price * orange_num,
        "dorange_num": dfruit_price * orange,
        "dtax": dout * fruit_price,
    }


@rule("Negate")
def negate(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": -x, "dx": -dout}


@rule("Exp")
def exp(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x.exp(), "dx": dout * x.exp()}


@rule("Log")
def log(x: Bounded, dout: Bounded) -> Bounds:
    """dout / x, or dout times 1 / x."""
    return {"out": x.log(), "dx": (dout / x).either(dout * x.reciprocal())}


@rule("PlusOne")
def plus_one(x: Bounded, dout: Bounded) -> Bounds:
    return {"out": x + x.constant(1.0), "dx": dout}


@rule("Reciprocal")
def reciprocal(x: Bounded, dout: Bounded) -> Bounds:
    """dx is -dout (1 / x)**2, in whichever order code of one's own multiplies: where dout
    is subnormal, a product with it may lose all its digits.
    """
    out = x.reciprocal()
    dx = dout * (out * out)
    if x.arithmetic.any_form:
        for form in (dout * out * out, dout / x / x, dout * out / x, dout / (x * x)):
            dx = dx.allowing(form)
    return {"out": out, "dx": -dx}
