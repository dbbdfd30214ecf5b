"""What is wrong with a class, in a sentence.

The known mistakes are planted in the reference and asked the same as a submission. One
is named only if it gives, in every case, what the submission gave, for each quantity that
it makes wrong. Where none does, the sentence is about how the result is related to the
right one; and where a class is built from others that are wrong, about those.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any

from gradparity.parity_tests.grading.course import BOOK, SUBJECTS
from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.findings import Findings, Found
from gradparity.parity_tests.grading.outcomes import NETWORK
from gradparity.parity_tests.grading.records import Diagnosis
from gradparity.parity_tests.grading.relations import relation
from gradparity.parity_tests.grading.tasks import LABELS, ONE_HOT, VECTOR, tasks_of
from gradparity.parity_tests.grading.truths import LOSSES
from gradparity.parity_tests.grading.wrong import (
    CLOSE,
    FORWARD,
    LOSS_CLOSE,
    Relation,
    close,
    listed,
)
from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.reference.networks import TwoLayerNet

KINDS_OF_LABELS = {LABELS: "labels as numbers", ONE_HOT: "labels in one-hot rows"}
LOCK = RLock()  # many submissions are judged side by side; this is computed once


@dataclass(frozen=True, eq=False)
class Known:
    """A known mistake, and what comes of it."""

    mutant: Mutant
    findings: Findings
    quantities: frozenset[str]  # that it makes wrong, if only at extreme values

    @classmethod
    def of(cls, mutant: Mutant, name: str, definition: Any) -> "Known":
        outcomes = exercise({name: definition}, tasks_of(name))
        findings = Findings.of(name, outcomes)
        wrong = frozenset(f.quantity for f in findings.found if not f.right)
        return cls(mutant, findings, wrong)


def known(name: str) -> tuple[Known, ...]:
    """The catalogue's mistakes in a class or function that make something wrong."""
    with LOCK:
        return _known(name)


@cache
def _known(name: str) -> tuple[Known, ...]:
    planted = (
        Known.of(mutant, name, mutant.definition)
        for mutant in MUTANTS
        if mutant.layer == name
        and mutant.implementation == "reference"
        and mutant.scope != "training"
    )
    return tuple(each for each in planted if each.quantities)


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
    looked_at = mistake.quantities if quantities is None else quantities
    seen = False
    for mine, theirs in zip(findings.found, mistake.findings.found, strict=True):
        counts = mine.right or findings.counts(mine) or mine.group == group
        counts &= only in (None, mine.group) and mine.group != VECTOR
        if mine.quantity in looked_at and counts:
            if not agree(mine, theirs):
                return False
            # The share of a few samples that are right may be the same by chance.
            seen |= not mine.right and mine.quantity != "accuracy"
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
        failed = (mine.raised is None) == (theirs.raised is None)
        return mine.value is None and theirs.value is None and failed
    is_loss = LOSSES.get(mine.expected.task.name) == mine.quantity
    tolerance = max(CLOSE[mine.dtype], LOSS_CLOSE * is_loss)
    return close(mine.value, theirs.value, tolerance)


def explanations(findings: Findings) -> list[Known]:
    """Known mistakes for as many of the wrong quantities as there are any for.

    That which explains most comes first, and each quantity is explained once.
    """
    left = set(findings.wrong)
    explained: set[str] = set()
    chosen = []
    fitting = [m for m in known(findings.name) if explains(m, findings)]
    for mistake in sorted(fitting, key=lambda m: -len(m.quantities)):
        if mistake.quantities & left and not mistake.quantities & explained:
            chosen.append(mistake)
            explained |= mistake.quantities
    return chosen


def forward_explanation(findings: Findings) -> Known | None:
    """A known mistake whose results forward are a submission's, if the gradients are not:
    they may well belong to the right function.
    """
    for mistake in known(findings.name):
        forward = mistake.quantities & set(FORWARD)
        if forward and explains(mistake, findings, forward):
            return mistake
    return None


# --- Sentences ------------------------------------------------------------------------


def diagnose(findings: Mapping[str, Findings]) -> Iterator[Diagnosis]:
    """What is wrong with each name that has something wrong.

    Args:
        findings: of all names that a submission offers, by name.
    """
    broken = [name for name, of_it in findings.items() if of_it.wrong]
    for name in findings:
        if name in broken:
            parts = [part for part in SUBJECTS[name].built_from if part in broken]
            yield from diagnose_one(findings[name], [findings[part] for part in parts])


def diagnose_one(findings: Findings, parts: list[Findings]) -> Iterator[Diagnosis]:
    """What is wrong with a class, given those of its parts that are wrong, too."""
    left = findings.wrong
    if not (findings.name == NETWORK and any(to_blame(p, findings) for p in parts)):
        for mistake in explanations(findings):
            here = [q for q in left if q in mistake.quantities]
            left = [q for q in left if q not in here]
            yield named(findings, mistake, here)
    if left and parts:
        yield from_parts(findings, parts, left)
        return
    forward = [q for q in left if q in FORWARD]
    if forward and (mistake_forward := forward_explanation(findings)):
        left = [q for q in left if q not in forward]
        yield named(findings, mistake_forward, forward)
    for quantity in list(left):
        if found := for_one_kind_of_labels(findings, quantity):
            left = [q for q in left if q != quantity]
            yield found
    yield from related(findings, left)


def for_one_kind_of_labels(findings: Findings, quantity: str) -> Diagnosis | None:
    """The one known mistake that is made where labels are of one kind, and not where they
    are of the other: the lecture's code has a branch for each.
    """
    counted = [f for f in findings.of_quantity(quantity) if findings.counts(f)]
    kinds = {f.group for f in counted if not f.right}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind not in KINDS_OF_LABELS:
        return None
    fitting = [
        mistake
        for mistake in known(findings.name)
        if quantity in mistake.quantities
        and explains(mistake, findings, {quantity}, only=kind)
    ]
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
    mistakes = [m for m in explanations(part) if m.mutant.scope == "layer"]
    planted = [in_network(mistake.mutant) for mistake in mistakes]
    wrong = set(network.wrong)
    if any(p.quantities >= wrong and explains(p, network) for p in planted):
        return True
    harmless = bool(planted) and not any(p.quantities for p in planted)
    return part.name == "Relu" and not harmless


def from_parts(
    findings: Findings, parts: Iterable[Findings], quantities: list[str]
) -> Diagnosis:
    names = [part.name for part in parts]
    whole, verb = listed(names), "is" if len(names) == 1 else "are"
    them = "it" if len(names) == 1 else "them"
    return diagnosis(
        findings,
        quantities,
        mistake="follows-from-its-parts",
        sentence=f"{whole} {verb} wrong: if `{findings.name}` is built "
        f"from {them}, repair that first, and look again.",
        relation=f"may follow from {whole}",
        reread=reread_of(names[0]),
    )


def named(findings: Findings, mistake: Known, quantities: list[str]) -> Diagnosis:
    """A known mistake, after what can be seen of it."""
    mutant = mistake.mutant
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
        mistake=mutant.name,
        known=True,
        sentence=f"{before}`{findings.name}` {mutant.predicate}",
        relation=None if shared is None else shared.of(quantities),
    )


def related(findings: Findings, quantities: list[str]) -> Iterator[Diagnosis]:
    """Quantities that no known mistake explains, those together that are alike."""
    alike: dict[tuple[str, str] | None, list[str]] = {}
    relations: dict[tuple[str, str] | None, Relation | None] = {}
    for quantity in quantities:
        found = relation(findings, quantity)
        key = None if found is None else (found.name, found.phrase)
        alike.setdefault(key, []).append(quantity)
        relations[key] = found
    for key, here in alike.items():
        found = relations[key]
        if found is None:
            verb = "is" if len(here) == 1 else "are"
            sentence = f"Your {listed(here)} {verb} wrong in every case"
            if findings.wrong[0] in FORWARD and findings.wrong[0] not in here:
                sentence += ", which may follow from what is wrong forward."
            else:
                sentence += ", and it is none of the mistakes that are known here."
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
        "reread": reread or reread_of(findings.name),
    }
    return Diagnosis(**about)


def reread_of(name: str) -> str:
    """The section of the book, and the page of `gradparity explain` if there is one."""
    subject = SUBJECTS[name]
    page = f"; gradparity explain {subject.topic}" if subject.topic else ""
    return f"{BOOK}, {subject.section}{page}"
