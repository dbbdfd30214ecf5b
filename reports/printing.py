"""What `check` and `train` print: tables and sentences on standard output."""

from collections.abc import Iterable, Sequence

from gradparity.parity_tests.checking import exhaustive
from gradparity.parity_tests.measuring import records
from gradparity.parity_tests.processes.parallel import TrainingResults
from gradparity.parity_tests.training.plan import Plan
from gradparity.parity_tests.training.seeds import bands
from gradparity.reports.console import note, output, print_json, say
from gradparity.reports.tables import (
    accuracy,
    detection,
    documented,
    every_float32,
    gradients,
    partings,
    planted,
    several_seeds,
    verdicts,
)
from gradparity.reports.tables.predictions import outcome_tables
from gradparity.reports.tables.table import Table


def print_all(tables: Iterable[Table], sentences: Iterable[str]) -> None:
    """The tables that are not empty, and then the sentences."""
    for table in tables:
        if table.rows:
            table.print(output)
    for sentence in sentences:
        say(sentence)


def checks(
    found: list[records.Check], divergences: Sequence[records.Divergence]
) -> None:
    """Typical inputs first, then special ones, and then what is no number."""
    tables = [
        *(
            t
            for kind in gradients.KINDS
            for t in gradients.gradient_tables(found, kind)
        ),
        documented.divergence_table(divergences),
        verdicts.refusal_table(found),
        verdicts.failure_table(found),
    ]
    special = any(check.kind == "edge" for check in found)
    sentences = [
        gradients.LEGEND,
        *([f"Special inputs: {gradients.SPECIAL}"] if special else []),
        *(f"warning: {sentence}" for sentence in gradients.warnings(found)),
        *verdicts.remarks(found),
        *documented.gone(found),
        verdicts.checks_sentence(records.Summary.of(found)) + ".",
    ]
    print_all(tables, sentences)


def edges(
    found: list[records.Check], divergences: Sequence[records.Divergence]
) -> None:
    """Where implementations differ on special inputs, and why."""
    print_all(
        [documented.divergence_table(divergences)],
        [*documented.reasons(divergences), *documented.gone(found)],
    )
    summary = verdicts.checks_sentence(records.Summary.of(found)) + "."
    print_all([verdicts.failure_table(found)], [summary])


def mutants(found: list[records.MutantResult]) -> None:
    """Every planted mistake, and those that are not caught in a sentence each."""
    planted.mutant_table(found).print(output)
    say(planted.LARGEST)
    for mutant in found:
        if mutant.caught is False:
            say(f"Not caught: {mutant.name}. {mutant.sentence}")
    say(planted.mutants_sentence(records.MutantSummary.of(found)))


def power(found: Sequence[records.Power]) -> None:
    """A table for each dtype, and how to read it."""
    print_all(detection.power_tables(found), [detection.POWER_LEGEND])


def every_number(
    run: exhaustive.Run,
    chosen: Sequence[str],
    as_json: bool,
    exceeded: Sequence[records.Exceeded] = (),
) -> None:
    """What is known by now of these layers."""
    rows = run.rows()
    if as_json:
        print_json(exhaustive=rows, exceeded=exceeded)
    else:
        every_float32.exhaustive_table(rows).print(output)
        left = chosen[len({row.layer for row in rows}) :]
        sentences = [
            every_float32.EXHAUSTIVE_LEGEND,
            *every_float32.exhaustive_sentences(rows),
            *(f"{layer}: not tried" for layer in left),
        ]
        print_all(every_float32.kind_tables(rows), sentences)
    output.file.flush()  # a signal ends the program without doing so


def trainings(trained: TrainingResults, plan: Plan, wrong: Sequence[str]) -> None:
    """Accuracies, how the trainings end and where they part, and whether they agree."""
    tables = [
        *accuracy.accuracy_tables(trained.trainings, plan.dataset.name == "mnist"),
        accuracy.training_table(trained.trainings),
        *outcome_tables(trained.trainings),
        *partings.parting_tables(trained.partings),
    ]
    print_all(tables, partings.parting_sentences(trained.partings, trained.together))
    agreement(trained.trainings, trained.untrained, plan, wrong)


def agreement(
    trainings: Sequence[records.Training],
    untrained: Sequence[records.Untrained],
    plan: Plan,
    wrong: Sequence[str],
) -> None:
    """The trainings that there are none of, the reason for each once on standard error;
    what disagrees, or where nothing does, how closely they agree.
    """
    missing = records.Verdict.MISSING
    for reason in dict.fromkeys(u.note for u in untrained if u.verdict == missing):
        note(f"missing: {reason}")
    agreed = "; ".join(accuracy.training_sentences(trainings, len(plan.dataset.t_test)))
    said = filter(None, wrong or [agreed])
    print_all([accuracy.untrained_table(untrained)], said)


def seeds(
    trainings: Sequence[records.Training], pairs: Sequence[records.Paired], plan: Plan
) -> None:
    """The lecture's rows among those of the seeds, and the seeds in pairs."""
    if plan.dataset.name == "mnist":
        print_all(several_seeds.band_tables(list(bands(trainings))), [])
    if pairs:
        print_all([several_seeds.paired_table(pairs)], [several_seeds.PAIRED_LEGEND])
