"""The negative control: does the comparison notice what is wrong, and only that?

A harness that compares nothing finds nothing, and would pass. So before anything else is
asked of it, it must fail on a gradient that is planted wrong.
"""

import numpy as np

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.cases import LAYER_CASES
from gradparity.parity_tests.checking.values import Prepared, check
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.measuring.records import Verdict


class Spoilt(LectureStyle):
    """The reference, but one quantity is multiplied by a factor."""

    def __init__(self, quantity: str, factor: float) -> None:
        super().__init__("spoilt", "reference")
        self.quantity, self.factor = quantity, factor

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        results = super().run_layer(layer, inputs, dout)
        value = results[self.quantity]
        results[self.quantity] = (value * self.factor).astype(value.dtype)
        return results


def negative_control() -> str | None:
    """Why nothing that the comparison says can be trusted, or None if it can.

    Affine's dW is planted one part in ten thousand too large, in each dtype: that row
    must fail and the others must not, and with nothing planted none must.
    """
    case = next(case for case in LAYER_CASES if case.id == "Affine/batch")
    for dtype in DTYPES:
        for factor, expected in ((1.0, []), (1 + 1e-4, ["dW"])):
            rows, _ = check(Prepared.of(case, dtype), "spoilt", Spoilt("dW", factor))
            failed = [row.quantity for row in rows if row.verdict == Verdict.FAIL]
            if not rows or failed != expected:
                return (
                    "the negative control failed, so nothing that the comparison says "
                    f"can be trusted: with Affine's dW in {dtype} multiplied by {factor} "
                    f"it must fail for {expected}, and it fails for {failed}"
                )
    return None
