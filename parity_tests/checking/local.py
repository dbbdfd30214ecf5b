"""Every tensor of a network, judged on the tensors that the implementation itself had.

A bound of the whole network grows with every layer, by about the norm of its weights, until
mistakes fit into it. That of a single step does not: what it took is known, and so is how
far rounding can take what it returns from that. A mistake that is in no step, such as one
that is made where nothing is traced, is seen by the bound of the whole alone, so that both
are held.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.backends import NUMPY
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import Allowed, compare
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.reference.networks import TWO_LAYER_NET, Chain
from gradparity.reference.networks.chain import held
from gradparity.reference.rounding import Arithmetic, local_bounds

UNTRACED = "judged as a part of the whole alone: what it is computed from is not traced"
WRONG_STEP = "right as a part of the whole, and wrong for what went into this step"


def local_truth(
    params: Arrays, x: Any, t: Any, own: Arrays, dtype: Any, chain: Chain
) -> Arrays:
    """What every step should return for what it took, computed by the reference's layers
    in this dtype; where that is not traced, nothing.
    """
    wide = {name: value.astype(dtype) for name, value in {**own, "x": x}.items()}
    found: Arrays = {}
    for before, layer in chain.links:
        if before not in wide:
            continue
        node = layer.kind(*(params[name].astype(dtype) for name in layer.params))
        found[layer.name] = node.forward(wide[before])
        if "d" + layer.name in wide:
            found["d" + before] = node.backward(wide["d" + layer.name])
            for name, called in held(layer):
                found["d" + called] = getattr(node, "d" + name)
    if layer.name in wide:
        last = chain.last()
        found["loss"] = last.forward(wide[layer.name], t)
        found |= {"y": last.y, "d" + layer.name: last.backward()}
    return {name: np.asarray(value) for name, value in found.items()}


def local_standard(
    params: Arrays,
    x: Any,
    t: Any,
    own: Arrays,
    dtype: str,
    judged_by: Sequence[Arithmetic],
    chain: Chain = TWO_LAYER_NET,
) -> dict[str, tuple[np.ndarray, Allowed]]:
    """By quantity, what each step should return for what it took, and how far rounding in
    any of these arithmetics can have taken it from there.
    """
    wide = truth_dtype(dtype)
    truth = local_truth(params, x, t, own, wide, chain)
    of_truth, *certain = (
        local_bounds(params, x, t, own, each, chain)
        for each in (arithmetic(NUMPY, wide), *dict.fromkeys(judged_by))
    )
    found = {}
    for name, value in truth.items():
        each = [Allowed.of(b[name], b[name], of_truth[name]) for b in certain]
        found[name] = value, reduce(Allowed.or_of, each)
    return found


def compared(
    params: Arrays,
    x: Any,
    t: Any,
    own: Arrays,
    dtype: str,
    arithmetics: Sequence[Arithmetic],
) -> dict[str, dict[str, Any]]:
    """What comes of each step by itself (`comparison.compare`), by quantity; of a step that
    takes what is not traced, nothing.
    """
    unlimited = [each.unlimited for each in arithmetics]
    standard = local_standard(params, x, t, own, dtype, unlimited)
    return {
        name: compare(own[name], truth, allowed, dtype, None)
        for name, (truth, allowed) in standard.items()
        if name in own
    }


def judge(
    case: Any,
    dtype: str,
    own: Arrays,
    arithmetics: Sequence[Arithmetic],
    found: dict[str, dict[str, Any]],
) -> None:
    """Add to what was found of a network case's quantities what comes of each by itself.

    Whoever is right as a whole and wrong in a step is wrong.
    """
    own = {
        name: value
        for name, value in own.items()
        if name in found and found[name].get("bound_ratio") is not None
    }
    steps = compared(case.params, case.x, case.t, own, dtype, arithmetics)
    for name, row in found.items():
        if name not in steps:
            if row["verdict"] not in (Verdict.FAIL, Verdict.MISSING):
                row.setdefault("note", UNTRACED)
            continue
        step = steps[name]
        row["local_ratio"] = step["bound_ratio"]
        if step["verdict"] == Verdict.FAIL and row["verdict"] != Verdict.FAIL:
            row |= {"verdict": Verdict.FAIL, "worst": step["worst"], "note": WRONG_STEP}
