"""That what `make bench-layers` times is right; how fast it is, no test asks."""

import numpy as np
import pytest

from gradparity.parity_tests.benchmarks.bench_layers import (
    CASES,
    CONTENDERS,
    PASSES,
    check,
)
from gradparity.parity_tests.implementations.contract import NotInstalled

# JAX compiles every shape anew, so of its layers only these: arrays, a constructor's
# arguments, numbers, and labels.
FEW = {"Relu/batch", "Affine/batch", "BuyFruit/lecture", "SoftmaxWithLoss/labels"}


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_pass_computes_what_the_reference_does(name: str, dtype: str) -> None:
    for given in CASES:
        if name.startswith("jax") and given.id not in FEW:
            continue
        try:
            with CONTENDERS[name](given.to(dtype)) as passes:
                assert tuple(passes) == PASSES
                for which, timed in passes.items():
                    check(given, dtype, which, timed())
        except NotInstalled as missing:
            pytest.skip(str(missing))


@pytest.mark.parametrize("which", PASSES)
def test_a_wrong_value_is_noticed(which: str, dtype: str) -> None:
    given = next(found for found in CASES if found.id == "Affine/batch")
    with CONTENDERS["reference"](given.to(dtype)) as passes:
        found = passes[which]()
    last = found
    while isinstance(last, tuple):
        last = last[-1]
    last[-1] += 1e-2 * np.abs(last).max()
    with pytest.raises(AssertionError, match="Mismatched elements"):
        check(given, dtype, which, found)
