"""What was found out about functions, in sentences: the same ones wherever it is told."""

import math
from collections.abc import Iterator, Sequence

from gradparity.parity_tests.functions.comparison import YOURS, Comparison, Pair, Tried
from gradparity.parity_tests.functions.judging import Number
from gradparity.parity_tests.functions.operators import Failed
from gradparity.parity_tests.functions.parting import Parting
from gradparity.parity_tests.functions.programs import Executed

MORE = 10.0  # times as much rounding: that is worth a sentence


def answer(found: Comparison) -> str:
    """The first sentence: the same, or not; and where not, in what."""
    wrong = [pair for pair in found.pairs if not pair.same]
    if wrong:
        return "; ".join(map(differ, wrong))
    failed = [
        f"{name} in {dtype}: {unsound(each.failed[0])}"
        for (name, dtype), each in found.operators.items()
        if each.failed
    ]
    failed += [
        by_how_much(each.wrong[0], (name, f"{name} under jit"), dtype)
        for (name, dtype), each in found.wholes.items()
        if not each.same
    ]
    if failed:
        return f"The same function, but not computed right: {'; '.join(failed)}"
    names = listed(found.names)
    quantities = listed([n.quantity for n in found.pairs[0].tried[0].numbers])
    dtypes = listed(list(dict.fromkeys(t.dtype for t in found.pairs[0].tried)))
    return f"{names} are the same function: {quantities} agree in {dtypes}"


def report(found: Comparison) -> Iterator[str]:
    """All that is said before any table, line by line: the answer; where the two part, the
    mistake and who is wrong; and notes.
    """
    yield f"{answer(found)}."
    for pair in found.pairs:
        for name, step in first_steps(pair):
            yield f"  first to differ in {name}: {step}"
        if pair.mistake is not None:
            yield f"  the mistake: {pair.mistake.sentence}"
        for sentence in guilty(pair):
            yield f"  who is wrong: {sentence}"
        for sentence in lossier(pair):
            yield f"  rounding: {sentence}"
        for name, quantities in pair.missing.items():
            yield f"  not compared: {listed(quantities)}, which only {name} has"
    for note in found.notes:
        yield f"  note: {note}"


def differ(pair: Pair) -> str:
    """How two functions differ."""
    names = listed([*pair.names])
    if pair.outputs:
        each = [f"{name} returns {listed(out)}" for name, out in pair.outputs.items()]
        return f"{names} differ: {listed(each)}"
    tried = next(each for each in pair.tried if not each.same)
    if pair.same_function:
        start = f"{names} are the same function, but not in {tried.dtype}"
    elif tried.on == YOURS:
        start = f"{names} differ"
    else:
        start = f"{names} differ, though not on the numbers given"
    first = tried.wrong[0]
    said = f"{start}: {by_how_much(first, pair.names, tried.dtype)}"
    alike = [each for each in pair.tried if each.dtype == tried.dtype]
    wrong = dict.fromkeys(n.quantity for each in alike for n in each.wrong)
    others = [quantity for quantity in wrong if quantity != first.quantity]
    if others:
        said += f"; so do{'es' if len(others) == 1 else ''} {listed(others)}"
    return said


def by_how_much(number: Number, names: Sequence[str], dtype: str) -> str:
    """What two have for a quantity, and how far that is beyond rounding."""
    if number.at is None:
        return f"{number.quantity} has {number.note}"
    values = " and ".join(
        f"{shown(value)} ({name})"
        for name, value in zip(names, number.values, strict=True)
    )
    said = f"{number.quantity}{place(number.at)} is {values}"
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


def shown(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def unsound(failed: Failed) -> str:
    """What an operator got wrong."""
    step = failed.step
    where = f" ({step.where})" if step.where else ""
    return (
        f"{step.operator}{where} gives {failed.value!r} at {place(failed.at) or '[]'}, "
        f"exact is {failed.truth!r}: {failed.ratio:.3g} times as far off as its rounding "
        "can be"
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
        are = (
            "are not the derivatives"
            if len(quantities) > 1
            else "is not the derivative"
        )
        yield f"{listed(quantities)} of {name} {are} of what {name} computes"


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


def first_step(parting: Parting) -> str:
    if not parting.steps:
        return "nothing that the other does not make"
    return told(parting.steps[0])


def told(step: Executed) -> str:
    """A step: what runs, forward or backward, and where that stands."""
    where = f"  {step.where}" if step.where else ""
    return f"{step.phase}  {step.code}{where}"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def rounding(tried: Tried) -> Iterator[tuple[str, Number]]:
    """The quantities that agree, with what is to be said about each."""
    for number in tried.numbers:
        if number.same:
            yield number.quantity, number
