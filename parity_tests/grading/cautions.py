"""What is right in value but risky: a warning each, in a sentence."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gradparity.parity_tests.grading.asking_optimizers import DEFAULTS, SETTINGS
from gradparity.parity_tests.grading.diagnosis import Known, explains, known
from gradparity.parity_tests.grading.exercise import CLOSURE
from gradparity.parity_tests.grading.findings import Findings, Found, described
from gradparity.parity_tests.grading.outcomes import NETWORK, Note, Raised, Ran
from gradparity.parity_tests.grading.records import GradedClass, Warned
from gradparity.parity_tests.grading.tasks import (
    ARRAYS,
    EXTREME,
    LABELS,
    MATRIX,
    NO_SQUARES,
    NUMBERS,
    ONE_HOT,
    SCALED,
    TENSORS,
    VECTOR,
)
from gradparity.parity_tests.grading.wrong import CLOSE, FORWARD, close, listed

# What a remark says, of the class, the quantity or argument, and what comes after it.
REMARKS = {
    "wrote": "`{name}` writes into what it is given, {what}: whoever else uses that "
    "array finds it changed.",
    "shares": "`{name}` returns {what} in the memory of `{with_}`: to change one is to "
    "change the other.",
    "overwrote": "`{name}` later changes the array that it returned as {what}: whoever "
    "kept it finds other numbers.",
    "type": "`{name}` returns {what} of type {with_} where a NumPy array is expected.",
    "called": "`{name}` has {what} as `{with_}`: the book's training calls it by its own "
    "name.",
    "rebinds": "`{name}` puts new arrays into `params`, for {what}: layers that hold the "
    "old ones, as those of section 5.7.2 do, go on with these.",
    "lists": "`{name}` takes lists of parameters and gradients, where the book's takes "
    "dictionaries.",
    "not restored": "`{name}` leaves {what} changed: who checks a network with it changes "
    "its parameters.",
    "named": "`{name}` has {what} as `{with_}`: the book's optimizers and gradient checks "
    "look for it under its own name.",
    "made": "`{name}` makes {what} itself, where the book's is given them: it was graded "
    "with other numbers in their place.",
    "needless": "`{name}` is given {what}, for which it has no use.",
}
DECLINED = {
    TENSORS: "`{name}` does not take tensors, that is, batches of more than two axes: the "
    "book's common/layers.py flattens them.",
    MATRIX: "`{name}` takes vectors only: the book's common/gradient.py takes arrays of "
    "any shape.",
    VECTOR: "`{name}` takes batches only: the book has it for one vector at first, and "
    "its common/functions.py takes both.",
    NO_SQUARES: "`{name}` takes square windows only: the book's has pool_h and pool_w.",
    NUMBERS: "`{name}` takes arrays only: the book's takes a number, too.",
    ARRAYS: "`{name}` takes numbers only: the book's goes through arrays, too.",
    LABELS: "`{name}` takes labels in one-hot rows only, and not as numbers.",
    ONE_HOT: "`{name}` takes labels as numbers only, and not in one-hot rows.",
}
PART_OF_X = (
    "`{name}` does not hand f the whole of a matrix x, but a part of it: that is right "
    "where f reads x itself, as in the lecture's gradient check, and not in general."
)
OPTIONAL = {
    SCALED: "`{name}` {scaled}: that is right as long as the loss is the end of the graph.",
    CLOSURE: "`{name}` does not change x itself: where f reads that array and not its "
    "argument, as in the lecture's gradient check, the result is wrong.",
    EXTREME: "At extreme values, {extreme}",
    VECTOR: "`{name}` is right for batches, and not for one vector, with which the book "
    "begins.",
    DEFAULTS: "`{name}` has other settings by itself than the book's, {defaults}.",
}
# What is said of what was seen while it was loaded.
NOTES = {
    "top level": "The code at the top level of {what} was left out, and its imports, "
    "definitions and constants alone were loaded{why}. Training, data and plots belong "
    "into a function.",
    "lent": "Not handed in, and taken from what was handed out: {what}.",
    "absent": "Neither handed in nor installed here, so that what uses it fails: {what}.",
    "cupy": "NumPy is used for {what}.",
}
EXACT = "the gradient (y - t) / N is not exactly that loss's derivative."
# What is true of the book's own code: a test runs it and holds this list.
OF_THE_BOOK = frozenset(
    (
        "`cross_entropy_error` adds 1e-7 in the logarithm: its value is a little less than "
        "that of the cross entropy.",
        "`Relu` returns `dx` in the memory of `dout`: to change one is to change the "
        "other.",
        "`Relu` writes into what it is given, `dout`: whoever else uses that array finds "
        "it changed.",
        "`SoftmaxWithLoss` returns `dx` in float64 where float32 went in.",
        f"`SoftmaxWithLoss` adds 1e-7 in the logarithm: {EXACT}",
        "`SoftmaxWithLoss` ignores `dout`: that is right as long as the loss is the end of "
        "the graph.",
        *(
            f"`{name}` adds 1e-7 in the logarithm: {EXACT}"
            for name in ("TwoLayerNet", "MultiLayerNet", "SimpleConvNet")
        ),
        PART_OF_X.format(name="numerical_gradient"),  # in ch04/gradient_2d.py
        # It makes arrays of zeros without a dtype.
        "`im2col` returns `out` in float64 where float32 went in.",
        "`col2im` returns `out` in float64 where float32 went in.",
        "`BatchNormalization` returns `out` in float64 where float32 went in.",
        "`Convolution` returns `out`, `dx` and `dW` in float64 where float32 went in.",
        "`Pooling` returns `out` and `dx` in float64 where float32 went in.",
    )
)
# Exceptions that come of a slip, and not of an argument that is refused.
SLIPS = ("NameError", "UnboundLocalError", "AttributeError")
NUMERICAL = (
    "`{name}` finds {what} by numerical differentiation, as in section 4.5: they are right "
    "as far as central differences can be."
)
NOTICEABLE = 1e-7  # of an output, or a gradient, at extreme values
SHOWN = 5  # paths
KINDS = {SCALED: "dout ignored", CLOSURE: "closure"}


def cautions(findings: Findings) -> Iterator[Warned]:
    """The warnings about one class or function."""
    name = findings.name

    def warned(kind: str, sentence: str) -> Warned:
        return caution(name, kind, sentence)

    for (kind, with_), what in remarks(findings).items():
        words = {"name": name, "what": listed(what), "with_": with_}
        yield warned(kind, REMARKS[kind].format(**words))
    for (verb, came, went), what in other_dtypes(findings).items():
        sentence = f"`{name}` {verb} {listed(what)} in {came} where {went} went in."
        yield warned("dtype", sentence)
    if findings.variant.sentence:
        said = findings.variant.sentence.format(name=name)
        yield warned(findings.variant.name, said)
    if numerical := [f.quantity for f in findings.found if f.numerical]:
        words = {"name": name, "what": listed(list(dict.fromkeys(numerical)))}
        yield warned("numerical", NUMERICAL.format(**words))
    if findings.epsilon:
        yield warned("epsilon", added(findings))
    if findings.wrong:
        return  # which may be the reason for what follows
    for group, template in DECLINED.items():
        if group in findings.declined:
            answered = any(
                f.value is not None and f.group == group for f in findings.found
            )
            if group == MATRIX and answered:
                template = PART_OF_X
            sentence = template.format(name=refusing(findings, group))
            yield warned(group, sentence + slip(findings, group))
    for group, template in OPTIONAL.items():
        wrong = [
            f for f in findings.found if f.group == group and f.reached and not f.right
        ]
        if group == EXTREME and not is_noticeable(findings, wrong):
            continue
        if wrong and not (findings.declined and all(f.raised for f in wrong)):
            words = {"name": name}
            if group == DEFAULTS:
                settings = SETTINGS[name].items()
                words["defaults"] = listed([f"{role}={v:g}" for role, v in settings])
            if group == EXTREME:
                words["extreme"] = at_extremes(findings, wrong)
            if group == SCALED:
                ignored = all(is_without_dout(f) for f in wrong)
                words["scaled"] = "ignores `dout`" if ignored else "wants a `dout` of 1"
            yield warned(KINDS.get(group, group), template.format(**words))


def refusing(findings: Findings, group: str) -> str:
    """What does not take a group of cases: the name, or a method of a network."""
    found = [f for f in findings.found if f.group == group]
    answered = {f.quantity for f in found if f.value is not None}
    refused = [f.quantity for f in found if f.quantity not in answered]
    if findings.name != NETWORK or not answered or not refused:
        return findings.name
    return f"{NETWORK}.{refused[0] if refused[0] in FORWARD else 'gradient'}"


def slip(findings: Findings, group: str) -> str:
    """The exception with which a group is refused, where that is hardly meant."""
    for found in findings.found:
        if found.group == group and found.raised and found.raised.kind in SLIPS:
            return f" It raises {described(found.raised)}."
    return ""


def remarks(findings: Findings) -> dict[tuple[str, str], list[str]]:
    """What was noticed, by its kind and what it goes with, each once."""
    noticed: dict[tuple[str, str], list[str]] = {}
    for outcome in findings.outcomes.values():
        for remark in outcome.remarks:
            what, _, with_ = remark.what.partition(", ")
            # Of a result that is missing, the verdict says enough.
            if remark.kind in REMARKS and with_ != "NoneType":
                together = noticed.setdefault((remark.kind, with_), [])
                if what not in together:
                    together.append(what)
    return noticed


def other_dtypes(findings: Findings) -> dict[tuple[str, str, str], list[str]]:
    """The quantities that came in another dtype than was asked, by both dtypes; or that
    have the digits of another one.
    """
    other: dict[tuple[str, str, str], list[str]] = {}
    for found in findings.found:
        asked = found.expected.task.dtype
        if found.value is None or found.note or found.quantity == "accuracy":
            continue
        if found.value.dtype.kind in "biu" and found.expected.is_whole:
            continue  # such as of a step function, which is 0 or 1
        verb, came = "returns", str(found.value.dtype)
        if came == asked:
            verb, came = "computes", found.dtype
        if came != asked:
            quantities = other.setdefault((verb, came, asked), [])
            if found.quantity not in quantities:
                quantities.append(found.quantity)
    return other


def is_without_dout(found: Found) -> bool:
    """Whether it is right but for a factor of dout that is missing."""
    dout = found.input("dout")
    if found.value is None or dout is None:
        return False
    return close(found.value * dout, found.truth, CLOSE[found.dtype])


def added(findings: Findings) -> str:
    name, epsilon = findings.name, f"{findings.epsilon:.0e}".replace("e-0", "e-")
    sentence = f"`{name}` adds {epsilon} in the logarithm: "
    if name == "cross_entropy_error" or any(f.exact for f in findings.found):
        return sentence + "its value is a little less than that of the cross entropy."
    return sentence + EXACT


def is_noticeable(findings: Findings, wrong: list[Found]) -> bool:
    """Whether it is a known mistake, or further off than a small number is from 0."""
    if not wrong:
        return False
    if extreme_mistake(findings, wrong) is not None:
        return True
    off = [abs(f.worst.value - f.worst.truth) for f in wrong if f.worst is not None]
    return len(off) < len(wrong) or not max(off) <= NOTICEABLE


def extreme_mistake(findings: Findings, wrong: list[Found]) -> Known | None:
    """The known mistake that explains what is wrong at extreme values."""
    quantities = {f.quantity for f in wrong}
    for mistake in known(findings.name, findings.variant):
        explained = explains(mistake, findings, group=EXTREME)
        if mistake.quantities >= quantities and explained:
            return mistake
    return None


def at_extremes(findings: Findings, wrong: list[Found]) -> str:
    """Which quantities are wrong at extreme values, for what known reason."""
    name = findings.name
    quantities = list(dict.fromkeys(f.quantity for f in wrong))
    verb = "is" if len(quantities) == 1 else "are"
    sentence = f"{listed(quantities)} of `{name}` {verb} wrong"
    if mistake := extreme_mistake(findings, wrong):
        return f"{sentence}. `{name}` {mistake.mutant.predicate}"
    came = [f.worst for f in wrong if f.worst is not None]
    if not came:
        return f"{sentence}: {wrong[0].note}."
    worst = max(came, key=lambda worst: abs(worst.truth))
    return f"{sentence}: {worst.value:.6g} where {worst.truth:.6g} is right."


def of_the_whole(ran: Ran) -> Iterator[Warned]:
    """The warnings about a submission as a whole."""
    if ran.printed:
        sentence = (
            f"Prints while it runs, {ran.printed:,} characters, beginning with "
            f"{ran.first_printed!r}."
        )
        yield caution(None, "prints", sentence)
    for kind in NOTES:
        yield from of_notes(kind, [n for n in ran.notes if n.kind == kind])
    if ran.reached_for:
        first, more = [*ran.reached_for[:SHOWN]], len(ran.reached_for[SHOWN:])
        what = listed([*first, f"{more} more"] if more else first)
        sentence = f"Reaches for what it did not bring: {what}."
        yield caution(None, "reads", sentence)


def of_notes(kind: str, notes: Sequence[Note]) -> Iterator[Warned]:
    """What was seen while it was loaded: each thing with its reason, or all in one
    sentence.
    """
    said = [(n.what, f": {reason(n.raised, n.what)}") for n in notes if n.raised]
    if together := [n.what for n in notes if not n.raised]:
        said.append((listed(together), ""))
    for what, why in said:
        yield caution(None, kind, NOTES[kind].format(what=what, why=why))


def reason(raised: Raised, file: str | None = None) -> str:
    """An exception or the rule that was broken, and the line of theirs, with its file
    unless that is `file`.
    """
    where = [raised.file or ""] if raised.file != file else []
    where += [f"cell {raised.cell}"] if raised.cell is not None else []
    where += [f"line {raised.line}"] if raised.line is not None else []
    place = ", ".join(filter(None, where))
    source = f": {raised.source}" if raised.source else ""
    return f"{raised.said} ({place}{source})" if place else raised.said


def of_names(classes: Iterable[GradedClass]) -> Iterator[Warned]:
    """What is called otherwise than in the book, and graded all the same."""
    for each in classes:
        if each.called and each.called != each.name:
            sentence = (
                f"`{each.called}` is graded as `{each.name}`, as the book calls it."
            )
            yield caution(each.name, "called", sentence)


def caution(name: str | None, kind: str, sentence: str) -> Warned:
    about: dict[str, Any] = {"class": name, "kind": kind, "sentence": sentence}
    return Warned(**about, of_the_book=sentence in OF_THE_BOOK)
