"""A whole run: do they agree, what disagrees, and what the run depended on."""

from dataclasses import dataclass

from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS, OUTSIDERS
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.parity_tests.measuring.wording import listed
from gradparity.parity_tests.training.agreement import disagreements, unexplained
from gradparity.reports.results import Environment, Results
from gradparity.reports.tables.accuracy import failures_to_train, training_sentences
from gradparity.reports.tables.every_float32 import tried_sentence
from gradparity.reports.tables.reference_checks import truth_sentence
from gradparity.reports.tables.table import Table
from gradparity.reports.tables.verdicts import checks_sentence


def problems(results: Results) -> list[str]:
    """A sentence for everything that disagrees; empty if all agree."""
    found = [
        f"{c.layer} {c.quantity} in {c.dtype} disagrees for {c.implementation} ({c.case})"
        for c in results.checks
        if c.verdict == Verdict.FAIL
    ]
    found += [
        f"the reference's {c.layer} {c.quantity} in {c.dtype} is {c.bound_ratio:.3g} "
        f"bounds from what the method '{c.method}' finds ({c.case})"
        for c in results.truth
        if c.verdict == Verdict.FAIL
    ]
    found += disagreements(results.training, results.tests)
    found += disagreements(results.outsiders, results.tests)
    found += failures_to_train(results.untrained)
    found += unexplained(results.partings)
    found += [sentence for row in results.seeds for sentence in row.disagreements]
    return found + [
        f"{row.layer} {row.quantity} in float32 disagrees for {row.implementation} "
        f"(on {row.failed:,} of {row.inputs:,} inputs)"
        for row in results.exhaustive
        if row.failed
    ]


@dataclass(frozen=True)
class Headline:
    """Whether they agree, and by what evidence; as text, one sentence."""

    verdict: str
    evidence: list[str]

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.verdict, "; ".join(self.evidence)])) + "."


def headline(results: Results) -> Headline:
    """Do they agree?"""
    present = {c.implementation for c in results.checks if c.verdict != Verdict.MISSING}
    present |= {t.implementation for t in results.training}
    present |= {row.implementation for row in results.exhaustive}
    framework = {"reference": "NumPy", "torch": "PyTorch", "jax": "JAX"}
    names = [framework[name] for name in framework if name in present]
    built_in = {*IMPLEMENTATIONS, *OUTSIDERS}
    names += sorted(name for name in present if name not in built_in)
    if not names:
        return Headline("Nothing was compared", [])
    who = listed(names)
    wrong = problems(results)
    said = [
        checks_sentence(results.summary) if results.checks else "",
        truth_sentence(results.truth) if results.truth else "",
        *training_sentences(results.training, results.tests),
        tried_sentence(results.exhaustive),
    ]
    evidence = list(filter(None, said))
    if wrong:
        more = f" and {len(wrong) - 1:,} more" if wrong[1:] else ""
        return Headline(f"{who} do not agree", [f"{wrong[0]}{more}", *evidence])
    if not names[1:]:
        return Headline(f"Only {who} was there to be checked", evidence)
    return Headline(f"{who} agree", evidence)


def environment_table(environment: Environment) -> Table:
    """Versions, machine and switches; of a framework that is missing, why."""
    apart = {"dataset", "packages", "switches", "threads", "announced", "missing"}
    apart |= {"exceeded"}
    known = environment.model_dump(exclude=apart)
    frameworks = ("torch", "jax")
    rows = [
        [name, missing(environment, name) if value is None else str(value)]
        for name, value in known.items()
        if value not in (None, "") or name in frameworks
    ]
    rows += [
        [f"threads: {name}", str(count)]
        for name, count in environment.threads.items()
        if count is not None
    ]
    further = environment.packages | environment.switches
    rows += [[name, value] for name, value in further.items()]
    if environment.exceeded is not None:
        said = " ".join(each.sentence for each in environment.exceeded)
        rows.append(["elementary functions", said or "as accurate as was measured"])
    rows += [
        [f"implementation: {name}", module]
        for name, module in environment.announced.items()
    ]
    return Table("Environment", ["what", "value"], rows)


def missing(environment: Environment, name: str) -> str:
    """What stands in place of a version, with the reason where it is known."""
    why = environment.missing.get(name)
    return f"missing: {why}" if why else "missing"
