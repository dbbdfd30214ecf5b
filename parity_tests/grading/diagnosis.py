"""What is wrong with a class, in a sentence.

The known mistakes are planted in the reference and asked the same as a submission. One
is named only if it gives, in every case, what the submission gave, for each quantity that
it makes wrong. Where none does, the sentence is about how the result is related to the
right one; and where a class is built from others that are wrong, about those.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any

from gradparity.parity_tests.grading.course import BOOK, SUBJECTS
from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.findings import Findings, Found
from gradparity.parity_tests.grading.outcomes import NETWORK, Raised
from gradparity.parity_tests.grading.records import Diagnosis
from gradparity.parity_tests.grading.relations import relation
from gradparity.parity_tests.grading.tasks import LABELS, ONE_HOT, VECTOR, tasks_of
from gradparity.parity_tests.grading.truths import LOSSES
from gradparity.parity_tests.grading.variants import Variant, variants
from gradparity.parity_tests.grading.wrong import (
    CLOSE,
    FORWARD,
    LOSS_CLOSE,
    Relation,
    Wrong,
    close,
    listed,
)
from gradparity.parity_tests.mutants import MUTANTS, OF_THE_COURSE, Mutant
from gradparity.reference.networks import TwoLayerNet

KINDS_OF_LABELS = {LABELS: "labels as numbers", ONE_HOT: "labels in one-hot rows"}
# Exceptions because shapes do not fit: which of them it is depends on how it is written.
OF_SHAPES = {"ValueError", "IndexError", "AxisError"}
LOCK = RLock()  # many submissions are judged side by side; this is computed once


@dataclass(frozen=True, eq=False)
class Known:
    """A known mistake, and what comes of it."""

    mutant: Mutant
    definition: Any  # of the mutant, or of one of the others that it has
    findings: Findings
    quantities: frozenset[str]  # that it makes wrong, if only at extreme values

    @classmethod
    def of(
        cls, mutant: Mutant, name: str, definition: Any, variant: Variant | None = None
    ) -> "Known":
        outcomes = exercise({name: definition}, tasks_of(name))
        findings = Findings.of(name, outcomes, variant or variants(name)[0])
        wrong = {f.quantity for f in findings.found if f.reached and not f.right}
        wrong -= findings.left_out
        return cls(mutant, definition, findings, frozenset(wrong))


def known(name: str, variant: Variant | None = None) -> tuple[Known, ...]:
    """The mistakes in a class or function, or in a variant of it, that are known and make
    something wrong.
    """
    with LOCK:
        return _known(name, variant or variants(name)[0])


@cache
def _known(name: str, variant: Variant) -> tuple[Known, ...]:
    planted = (
        Known.of(mutant, name, variant.of(definition), variant)
        for mutant in (*MUTANTS, *OF_THE_COURSE)
        if mutant.layer == (variant.mistakes or name)
        and mutant.implementation == "reference"
        and mutant.scope != "training"
        for definition in (mutant.definition, *mutant.also)
    )
    return tuple(each for each in planted if each.quantities)


def known_to(findings: Findings) -> tuple[Known, ...]:
    """The same for a submission: where there is chance in a mistake, it is as in what the
    submission answered.
    """
    name, variant = findings.name, findings.variant
    mistakes = known(name, variant)
    if not any(hasattr(each.mutant.definition, "replaying") for each in mistakes):
        return mistakes
    drawn = {
        given.tobytes(): found.value != 0
        for found in findings.found
        for given in [found.input("dout" if found.quantity == "dx" else "x")]
        if found.value is not None and given is not None
        if found.value.shape == given.shape
    }
    with LOCK:
        return tuple(
            Known.of(each.mutant, name, each.definition.replaying(drawn), variant)
            for each in mistakes
        )


def in_network(mutant: Mutant) -> Known:
    """A mistake in a layer, in the network that is built from it."""
    with LOCK:
        return _in_network(mutant)


@cache
def _in_network(mutant: Mutant) -> Known:
    definition: Any = mutant.definition

    class Planted(TwoLayerNet):
        def _build(self) -> None:
            super()._build()
            for name, right in self.layers.items():
                if name.startswith(mutant.layer):
                    held = (right.W, right.b) if mutant.layer == "Affine" else ()
                    self.layers[name] = definition(*held)
            if mutant.layer == "SoftmaxWithLoss":
                self.lastLayer = definition()

    return Known.of(mutant, NETWORK, Planted)


# --- Whether a mistake is the one -----------------------------------------------------


def explains(
    mistake: Known,
    findings: Findings,
    quantities: Set[str] | None = None,
    group: str | None = None,
    only: str | None = None,
) -> bool:
    """Whether a submission is wrong as this mistake makes it, in all of its quantities or
    in these; in all cases or `only` in those of a group.

    What may be wrong, and is, can have another reason and is not looked at; unless it is
    this `group` of cases that is to be explained. Nor is what comes of one vector: many
    write batches and vectors in branches of their own.
    """
    if not writes_alike(mistake.findings, findings):
        return False
    theirs_of = mistake.findings.outcomes
    looked_at = mistake.quantities if quantities is None else quantities
    seen = False
    for mine, theirs in zip(findings.found, mistake.findings.found, strict=True):
        counts = mine.right or findings.counts(mine) or mine.group == group
        counts &= mine.reached and only in (None, mine.group) and mine.group != VECTOR
        if mine.quantity in looked_at and counts:
            if not agree(mine, theirs):
                return False
            if mine.value is None and mine.failure is None:
                came = (o[mine.asked].results for o in (findings.outcomes, theirs_of))
                if len({frozenset(results) for results in came}) > 1:
                    return False  # one that is missing is not why others are
            # The share of a few samples that are right may be the same by chance, and
            # exceptions of one kind have many reasons; unless they name the same shapes.
            tells = mine.failure is None or of_the_same_shapes(
                mine.failure, theirs.failure
            )
            seen |= tells and not mine.right and mine.quantity != "accuracy"
    return seen


def writes_alike(mistake: Findings, findings: Findings) -> bool:
    """Whether a submission writes into all arguments that the mistake writes into."""
    return all(
        remark in findings.outcomes[asked].remarks
        for asked, outcome in mistake.outcomes.items()
        for remark in outcome.remarks
        if remark.kind == "wrote" and asked in findings.outcomes
    )


def agree(mine: Found, theirs: Found) -> bool:
    """Whether both are right, or wrong in the same way."""
    if mine.right or theirs.right:
        return mine.right and theirs.right
    if mine.value is None or theirs.value is None:
        kinds = {f.failure and f.failure.kind for f in (mine, theirs)}
        alike = len(kinds) == 1 or kinds <= OF_SHAPES
        return mine.value is None and theirs.value is None and alike
    is_loss = LOSSES.get(mine.expected.task.name) == mine.quantity
    tolerance = max(CLOSE[mine.dtype], LOSS_CLOSE * is_loss)
    return close(mine.value, theirs.value, tolerance)


def of_the_same_shapes(mine: Raised | None, theirs: Raised | None) -> bool:
    """Whether both could not give an array a shape, and these are the same arrays and
    shapes, but for what may be left to be computed.
    """
    messages = [each.message for each in (mine, theirs) if each is not None]
    if len(messages) < 2 or not all("shape" in message for message in messages):
        return False
    one, other = sorted((re.findall(r"\d+", m) for m in messages), key=len)
    return len(one) >= 2 and other[: len(one)] == one


def explanations(findings: Findings) -> list[tuple[list[str], list[Known]]]:
    """Wrong quantities, and the known mistakes that explain them: more than one where
    they give the same as far as was seen.

    What explains more goes before what explains a part of that; where two explain a
    quantity that they share, and neither all of the other's, nothing is known.
    """
    wrong = findings.wrong
    fitting: dict[frozenset[str], list[Known]] = {}
    for mistake in only_once(m for m in known_to(findings) if explains(m, findings)):
        here = mistake.quantities & {*wrong}
        fitting.setdefault(here, []).append(mistake)
    largest = [q for q in fitting if not any(q < other for other in fitting)]
    alone = [
        q for q in largest if not any(q & other for other in largest if other != q)
    ]
    return [([q for q in wrong if q in here], fitting[here]) for here in alone]


def only_once(mistakes: Iterable[Known]) -> list[Known]:
    """Each mistake once, however it may be written."""
    return [*{mistake.mutant: mistake for mistake in mistakes}.values()]


def forward_explanation(findings: Findings) -> Known | None:
    """The one known mistake whose results forward are a submission's, if the gradients
    are not: they may well belong to the right function.
    """
    fitting = only_once(
        mistake
        for mistake in known_to(findings)
        if (forward := mistake.quantities & set(FORWARD))
        and explains(mistake, findings, forward)
    )
    return fitting[0] if len(fitting) == 1 else None


def meant(findings: Findings) -> Findings:
    """The same; or, where nothing that is known explains all that is wrong, held against a
    variant in which something does.
    """
    name, every = findings.name, variants(findings.name)
    if not findings.wrong or len(every) == 1 or is_explained(findings):
        return findings
    for variant in every:
        if variant.in_doubt and variant is not findings.variant:
            other = Findings.of(name, findings.outcomes.values(), variant)
            if is_explained(other):
                return other
    return findings


def is_explained(findings: Findings) -> bool:
    """Whether a known mistake explains all that is wrong."""
    wrong = {*findings.wrong}
    return any(
        mistake.quantities >= wrong and explains(mistake, findings)
        for mistake in known(findings.name, findings.variant)
    )


# --- Sentences ------------------------------------------------------------------------


def diagnose(findings: Mapping[str, Findings]) -> Iterator[Diagnosis]:
    """What is wrong with each name that has something wrong.

    Args:
        findings: of all names that a submission offers, by name.
    """
    broken = [name for name, of_it in findings.items() if of_it.wrong]
    for name in broken:
        used = findings[name].uses & {*SUBJECTS[name].built_from}
        parts = [findings[part] for part in broken if part in used]
        found = diagnose_one(findings[name], parts)
        order = findings[name].quantities
        yield from sorted(found, key=lambda said: order.index(said.quantities[0]))


def diagnose_one(findings: Findings, parts: list[Findings]) -> Iterator[Diagnosis]:
    """What is wrong with a class, given those that it uses and that are wrong, too."""
    left = findings.wrong
    if not (findings.name == NETWORK and any(to_blame(p, findings) for p in parts)):
        for here, mistakes in explanations(findings):
            # What is wrong forward is no mistake of its own where that of a part is there.
            if any(
                may_spoil(p, findings, q) for p in parts for q in here if q in FORWARD
            ) or any(of_a_part(m, p) for m in mistakes for p in parts):
                continue
            left = [q for q in left if q not in here]
            yield named(findings, mistakes, here)
    blamed: dict[tuple[str, ...], list[str]] = {}
    for quantity in left:
        names = tuple(
            part.name for part in parts if may_spoil(part, findings, quantity)
        )
        blamed.setdefault(names, []).append(quantity)
    left = blamed.pop((), [])
    for names, here in blamed.items():
        yield from_parts(findings, names, here)
    came = [q for q in left if not not_came(findings, q)]
    forward = [q for q in came if q in FORWARD]
    if forward and (mistake_forward := forward_explanation(findings)):
        left = [q for q in left if q not in forward]
        yield named(findings, [mistake_forward], forward)
    for quantity in [q for q in came if q in left]:
        if found := for_one_kind_of_labels(findings, quantity):
            left = [q for q in left if q != quantity]
            yield found
    yield from related(findings, left)


def of_a_part(mistake: Known, part: Findings) -> bool:
    """Whether a mistake is that of a part, where the class does without one."""
    return getattr(mistake.mutant.definition, "of_part", None) == part.name


def not_came(findings: Findings, quantity: str) -> set[str | None]:
    """The exceptions there are in the place of a result, and None for a result that is
    missing.
    """
    counted = findings.counted(quantity)
    return {f.failure.kind if f.failure else None for f in counted if f.value is None}


def may_spoil(part: Findings, whole: Findings, quantity: str) -> bool:
    """Whether a part that is wrong can be why a quantity of the whole is: what is right
    forward spoils gradients alone; what fails, or gives none or another shape, can make
    the whole fail.
    """
    failed = not_came(whole, quantity)
    of_part = {kind for q in part.wrong for kind in not_came(part, q)}
    if not (None in of_part or failed <= of_part | OF_SHAPES):
        return False
    return quantity not in FORWARD or any(q in FORWARD for q in part.wrong)


def for_one_kind_of_labels(findings: Findings, quantity: str) -> Diagnosis | None:
    """The one known mistake that is made where labels are of one kind, and not where they
    are of the other: the lecture's code has a branch for each.
    """
    counted = findings.counted(quantity)
    wrong = {f.group for f in counted if not f.right}
    right = {f.group for f in counted} - wrong
    if len(wrong) != 1 or len(right) != 1 or wrong | right != {*KINDS_OF_LABELS}:
        return None
    (kind,) = wrong
    fitting = only_once(
        mistake
        for mistake in known_to(findings)
        if quantity in mistake.quantities
        and explains(mistake, findings, {quantity}, only=kind)
    )
    if len(fitting) != 1:
        return None
    (mistake,) = fitting
    where = KINDS_OF_LABELS[kind]
    return diagnosis(
        findings,
        [quantity],
        mistake=mistake.mutant.name,
        known=True,
        sentence=f"For {where} alone, `{findings.name}` {mistake.mutant.predicate}",
        relation=f"wrong for {where} only",
    )


def to_blame(part: Findings, network: Findings) -> bool:
    """Whether what is wrong with a layer looks in the network like a mistake of its own.

    Either the layer's mistake is known, and makes of a right network what this one is. Or
    it is not, and the layer is the activation: the network is then as if it had another
    one, or none.
    """
    mistakes = [
        mistake
        for _, fitting in explanations(part)
        for mistake in fitting
        if mistake.mutant.scope == "layer"
    ]
    planted = [in_network(mistake.mutant) for mistake in mistakes]
    wrong = set(network.wrong)
    if any(p.quantities >= wrong and explains(p, network) for p in planted):
        return True
    harmless = bool(planted) and not any(p.quantities for p in planted)
    return part.name == "Relu" and not harmless


def from_parts(
    findings: Findings, names: Sequence[str], quantities: list[str]
) -> Diagnosis:
    whole, verb = listed(names), "is" if len(names) == 1 else "are"
    found = relation(findings, quantities[0])
    raised = found is not None and found.name == "raises"
    told = f"{found.sentence(findings.name, quantities)} " if found and raised else ""
    return diagnosis(
        findings,
        quantities,
        mistake="follows-from-its-parts",
        sentence=f"{told}`{findings.name}` is built from {whole}, which "
        f"{verb} wrong: repair that first, and look again.",
        relation=f"may follow from {whole}",
        reread=reread_of(names[0]),
    )


def named(
    findings: Findings, mistakes: Sequence[Known], quantities: list[str]
) -> Diagnosis:
    """A known mistake, after what can be seen of it; or those of which it is one."""
    predicates = [mistake.mutant.predicate for mistake in mistakes]
    if len(mistakes) > 1:
        either = "; or it ".join(p.removesuffix(".") for p in predicates)
        predicates = [f"either {either}."]
    found = {q: relation(findings, q) for q in quantities}
    seen = {str(r and r.phrase): r for r in found.values()}
    shared = next(iter(seen.values())) if len(seen) == 1 else None
    before = ""
    if shared is not None and (shared.precise or shared.name == "first-call"):
        before = shared.sentence(findings.name, quantities) + " "
    else:
        shared = None
    return diagnosis(
        findings,
        quantities,
        mistake=" or ".join(mistake.mutant.name for mistake in mistakes),
        known=len(mistakes) == 1,
        sentence=f"{before}`{findings.name}` {predicates[0]}",
        relation=None if shared is None else shared.of(quantities),
    )


def related(findings: Findings, quantities: list[str]) -> Iterator[Diagnosis]:
    """Quantities that no known mistake explains, those together that are alike."""
    first = findings.wrong[0]
    alike: dict[tuple[str, str], list[str]] = {}
    relations: dict[tuple[str, str], Relation | None] = {}
    for quantity in quantities:
        found = relation(findings, quantity)
        follows = quantity != first and first in ("out", "predict", "loss")
        why = "may follow" if follows else "unknown"
        key = (why, "") if found is None else (found.name, found.phrase)
        alike.setdefault(key, []).append(quantity)
        relations[key] = found
    for key, here in alike.items():
        found = relations[key]
        if found is None:
            sentence = unexplained(findings, here, key[0] == "may follow")
        else:
            sentence = found.sentence(findings.name, here)
            if found.phrase.endswith("NaN where the logits are large"):
                sentence += (
                    " There exp is infinite, unless the largest of the row is subtracted "
                    "first."
                )
        yield diagnosis(
            findings,
            here,
            mistake=None if found is None else found.name,
            sentence=sentence,
            relation=None if found is None else found.of(here),
        )


def unexplained(findings: Findings, quantities: list[str], may_follow: bool) -> str:
    """That they are wrong, and how often."""
    verb = "is" if len(quantities) == 1 else "are"
    often = {Wrong.of(findings, quantity).how_many for quantity in quantities}
    where = f" in {often.pop()}" if len(often) == 1 else ""
    why = (
        "which may follow from what is wrong forward"
        if may_follow
        else "and it is none of the mistakes that are known here"
    )
    return f"Your {listed(quantities)} {verb} wrong{where}, {why}."


def diagnosis(
    findings: Findings,
    quantities: list[str],
    *,
    mistake: str | None,
    sentence: str,
    relation: str | None,
    known: bool = False,
    reread: str = "",
) -> Diagnosis:
    about: dict[str, Any] = {
        "class": findings.name,
        "quantities": quantities,
        "mistake": mistake,
        "known": known,
        "sentence": sentence,
        "relation": relation,
        "reread": reread or reread_of(findings.name, findings.variant.section),
    }
    return Diagnosis(**about)


def reread_of(name: str, section: str = "") -> str:
    """The section of the book, and the page of `gradparity explain` if there is one."""
    subject = SUBJECTS[name]
    page = f"; gradparity explain {subject.topic}" if subject.topic else ""
    return f"{BOOK}, {section or subject.section}{page}"
