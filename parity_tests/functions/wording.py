"""What was found out about functions, in sentences: the same ones wherever it is told."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gradparity.parity_tests.functions import FEW, are
from gradparity.parity_tests.functions.comparison import YOURS, Comparison, Pair, Tried
from gradparity.parity_tests.functions.judging import Number
from gradparity.parity_tests.functions.operators import Failed
from gradparity.parity_tests.functions.parting import Parting
from gradparity.parity_tests.functions.programs import Executed, Recording
from gradparity.parity_tests.functions.sentences import apart
from gradparity.parity_tests.measuring.wording import listed

NONE = "none: all that it computes, the other computes, too"
MORE = 10.0  # times as much rounding: that is worth a sentence


def answer(found: Comparison) -> str:
    """The first sentence: the same, or not; and where not, in what. Of several pairs that
    differ, or operators that are computed wrong, it tells the first or the worst.
    """
    if wrong := differing(found):
        others = [listed([*pair.names]) for pair in wrong[1:]]
        return differ(wrong[0]) + "".join(f"; so do {each}" for each in others)
    if failed := computed_wrong(found):
        more = f"; and {len(failed) - 1} more" if failed[1:] else ""
        return f"The same function, but not computed right: {failed[0]}{more}"
    names = listed(found.names)
    quantities = [n.quantity for n in found.pairs[0].tried[0].numbers]
    dtypes = listed(list(dict.fromkeys(t.dtype for t in found.pairs[0].tried)))
    agree = "agrees" if len(quantities) == 1 else "agree"
    return (
        f"{names} are the same function: {listed(quantities, FEW)} {agree} in {dtypes}"
    )


def differing(found: Comparison) -> list[Pair]:
    return [pair for pair in found.pairs if not pair.same]


def computed_wrong(found: Comparison) -> list[str]:
    """What is further off than its rounding can be, in a sentence each, the worst first:
    operators, and JAX's functions as they are compiled.
    """
    each = [
        (failed.ratio, f"{name} in {dtype}: {unsound(failed)}")
        for (name, dtype), operators in found.operators.items()
        for failed in operators.failed
    ]
    each.sort(key=lambda pair: -pair[0])
    return [said for _, said in each] + [
        by_how_much(tried.wrong[0], (name, f"{name} under jit"), dtype)
        for (name, dtype), tried in found.wholes.items()
        if not tried.same
    ]


def report(found: Comparison) -> Iterator[str]:
    """All that is said before any table, line by line: the answer; where the two part, the
    mistake and who is wrong; and notes.
    """
    yield f"{answer(found)}."
    wrong = differing(found)
    for pair in found.pairs:
        if pair in wrong[1:]:
            yield f"  {differ(pair)}"
        for name, step in first_steps(pair):
            yield f"  first to differ in {name}: {step}"
        if pair.mistake is not None:
            yield f"  the mistake: {pair.mistake.sentence}"
        for sentence in guilty(pair):
            yield f"  who is wrong: {sentence}"
        for sentence in lossier(pair):
            yield f"  rounding: {sentence}"
        for sentence in out_of_range(found, pair):
            yield f"  range: {sentence}"
        for name, quantities in pair.missing.items():
            (without,) = {*pair.names} - {name}
            what = listed(quantities, FEW)
            yield f"  not compared: {what}, which {name} has and {without} has not"
    for note in found.notes:
        yield f"  note: {note}"


def differ(pair: Pair) -> str:
    """How two functions differ."""
    names = listed([*pair.names])
    if pair.outputs:
        each = [
            f"{name} returns {listed(out, FEW)}" for name, out in pair.outputs.items()
        ]
        return f"{names} differ: {', '.join(each)}"
    assert pair.furthest is not None
    tried, first = pair.furthest
    if pair.same_function:
        start = f"{names} are the same function, but not in {tried.dtype}"
    elif tried.on == YOURS:
        start = f"{names} differ"
    else:
        start = f"{names} differ, though not on the numbers given"
    said = f"{start}: {by_how_much(first, pair.names, tried.dtype)}"
    alike = [each for each in pair.tried if each.dtype == tried.dtype]
    wrong = dict.fromkeys(n.quantity for each in alike for n in each.wrong)
    others = [quantity for quantity in wrong if quantity != first.quantity]
    if others:
        said += f"; so do{'es' if len(others) == 1 else ''} {listed(others, FEW)}"
    return said


def by_how_much(number: Number, names: Sequence[str], dtype: str) -> str:
    """What two have for a quantity, and how far that is beyond rounding."""
    if number.unlike:
        each = zip(number.unlike, names, strict=True)
        return f"{number.quantity} has {listed([f'{has} in {n}' for has, n in each])}"
    values = listed(
        [
            f"{value} ({name})"
            for name, value in zip(names, told_apart(number.values), strict=True)
        ]
    )
    said = f"{number.quantity}{place(number.at or ())} is {values}"
    if number.ratio is None:
        return f"{said}; {number.note}" if number.note else said
    if not math.isfinite(number.difference) or number.certain == 0:
        return said
    how = (
        "noise of one rounding a step took it"
        if number.estimated
        else "rounding can take it"
    )
    return f"{said}: {number.ratio:.3g} times as far apart as {how} in {dtype}"


def place(at: Sequence[int]) -> str:
    return f"[{', '.join(map(str, at))}]" if at else ""


def told_apart(values: Sequence[object]) -> list[str]:
    """Values that stand beside each other. Those that differ have a digit more than tells
    them apart, so that it is seen by how much.
    """
    return apart(*values, spare=1)


def unsound(failed: Failed) -> str:
    """What an operator got wrong."""
    step = failed.step
    where = f" ({step.where})" if step.where else ""
    at = f" at {place(failed.at)}" if failed.at else ""
    value, truth = told_apart([failed.value, failed.truth])
    if value == truth:
        truth += " but for less than float64 tells apart"
    return (
        f"{step.operator}{where} gives {value}{at}, exact is {truth}: "
        f"{failed.ratio:.3g} times as far off as its rounding can be"
    )


def first_steps(pair: Pair) -> Iterator[tuple[str, str]]:
    """For each of the two, its name and its first step that differs."""
    if pair.partings is None:
        return
    for name, parting in zip(pair.names, pair.partings, strict=True):
        yield name, first_step(parting)


def guilty(pair: Pair) -> Iterator[str]:
    """Whose gradients are not the derivatives of what it computes, in a sentence each."""
    for name, quantities in pair.underived.items():
        those = "the derivative" + ("s" if len(quantities) > 1 else "")
        yield (
            f"{listed(quantities, FEW)} of {name} {are(quantities)} not {those} of what "
            f"{name} computes"
        )


def lossier(pair: Pair) -> Iterator[str]:
    """In which of two functions that are the same rounding can do much more, in a sentence
    about the dtype that was tried last, and the quantity in which that shows most.
    """
    tried = [each for each in pair.tried if each.on == YOURS][-1]
    ratios = [
        (max(n.bounds) / min(n.bounds), n)
        for n in tried.numbers
        if len(n.bounds) == 2 and not n.estimated and min(n.bounds) > 0
    ]
    ratio, number = max(ratios, key=lambda each: each[0], default=(0.0, None))
    if pair.same_function and number is not None and MORE <= ratio < math.inf:
        names = [*pair.names]
        if number.bounds[0] < number.bounds[1]:
            names.reverse()
        yield (
            f"in {tried.dtype} it can take {number.quantity} of {names[0]} {ratio:.2g} "
            f"times as far as that of {names[1]}"
        )


def out_of_range(found: Comparison, pair: Pair) -> Iterator[str]:
    """In which step numbers stop being finite, where two are the same but not in a dtype
    with a smaller range.
    """
    for tried in pair.tried if pair.same_function else ():
        for name in pair.names:
            values = [n.values[pair.names.index(name)] for n in tried.wrong if n.values]
            if all(map(math.isfinite, values)):
                continue
            step = first_infinite(found.ran[name, tried.dtype].recording)
            if step is not None:
                yield f"in {tried.dtype} {name} leaves the finite numbers in {told(step)}"


def first_infinite(recording: Recording) -> Executed | None:
    """The first step of finite numbers whose result is not finite."""
    finite = [v.dtype.kind != "f" or np.isfinite(v).all() for v in recording.values]
    for step in recording.executed:
        if all(finite[n] for n in step.operands) and not all(
            finite[n] for n in step.results
        ):
            return step
    return None


def first_step(parting: Parting) -> str:
    if not parting.steps:
        return NONE
    return told(parting.steps[0])


def told(step: Executed) -> str:
    """A step: what runs, forward or backward, and where that stands."""
    where = f"  {step.where}" if step.where else ""
    return f"{step.stage}  {step.code}{where}"


def rounding(tried: Tried) -> Iterator[tuple[str, Number]]:
    """The quantities that agree, with what is to be said about each."""
    for number in tried.numbers:
        if number.same:
            yield number.quantity, number
