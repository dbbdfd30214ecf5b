"""Every layer as the formula that a textbook has for it, to 100 digits.

It shares nothing with the reference. At that precision, and with mpmath's unlimited
exponents, nothing overflows and no form of a formula is better than another, so that the
plainest will do; and a derivative is a central difference, so that no backward formula is
written down a second time.

Arrays are NumPy's, of mpmath's numbers (dtype object). The formula of a layer stands in
its spec.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from mpmath import mp

from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.exact import Exact, to_exact
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.implementations.contract import Arrays, as_tuple

DIGITS = 100
STEP = mp.mpf(10) ** -25  # relative: the error is of its square, and 50 digits are left


def two_layer_net(
    W1: Exact, b1: Exact, W2: Exact, b2: Exact, x: Exact, t: np.ndarray
) -> Any:
    affine, relu, loss = (
        LAYERS[name].formula for name in ("Affine", "Relu", "SoftmaxWithLoss")
    )
    return loss(affine(relu(affine(x, W1, b1)), W2, b2), t)


def results(case: Case | NetworkCase) -> dict[str, Exact]:
    """The outputs (of the network: the loss) and every gradient.

    The inputs are taken as the case has them, rounded to its dtype. Labels are indices.
    """
    function: Callable[..., Any]
    outputs: tuple[str, ...]
    if isinstance(case, NetworkCase):
        given, dout, outputs = case.arguments, np.ones(()), ("loss",)
        function, moving = two_layer_net, [*case.params, "x"]
    else:
        layer = LAYERS[case.layer]
        given, dout, outputs = case.inputs, case.dout, layer.outputs
        function = partial(layer.formula, **layer.settings)
        moving = layer.differentiable
    with mp.workdps(DIGITS):
        inputs = {k: to_exact(v) if k in moving else v for k, v in given.items()}
        returned = as_tuple(function(*inputs.values()))
        found = dict(zip(outputs, map(np.asarray, returned), strict=True))
        douts = [to_exact(each) for each in as_tuple(dout)]
        for name in moving:
            found["d" + name] = gradient(function, inputs, name, douts)
    return found


def gradient(
    function: Callable[..., Any], inputs: Arrays, name: str, douts: Sequence[Exact]
) -> Exact:
    """The derivative of sum(dout * function(inputs)) with respect to one input; of
    several outputs, of the sum over them.
    """
    found = np.empty_like(inputs[name])
    for index in np.ndindex(found.shape):
        x = inputs[name][index]
        h = STEP * abs(x) if x else STEP
        sides = []
        for moved in (x + h, x - h):
            value = inputs[name].copy()
            value[index] = moved
            sides.append(as_tuple(function(*(inputs | {name: value}).values())))
        weighted = (np.sum(d * (a - b)) for d, a, b in zip(douts, *sides, strict=True))
        found[index] = sum(weighted) / (2 * h)
    return found
