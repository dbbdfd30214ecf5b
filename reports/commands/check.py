"""`gradparity check`: layer by layer, and the network."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from gradparity.parity_tests import DTYPES
from gradparity.reports.commands.choices import (
    Unusable,
    choose,
    choose_dtypes,
    choose_implementations,
)
from gradparity.reports.commands.options import (
    AsJson,
    Dtypes,
    SomeImplementations,
    takes,
)

if TYPE_CHECKING:
    from gradparity.parity_tests.checking.exhaustive import Run
    from gradparity.parity_tests.measuring.records import (
        Check,
        Divergence,
        MutantResult,
    )


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `check` is called."""

    layers: Annotated[
        list[str] | None, Argument(help="Layers, TwoLayerNet included; by default all.")
    ] = None
    implementations: SomeImplementations = None
    dtype: Dtypes = "float64,float32"
    edges: Annotated[
        bool,
        Option(
            "--edges",
            help="Only special numbers, layouts and spellings, through all "
            "implementations; and why they differ where they do.",
        ),
    ] = False
    sensitivity: Annotated[
        bool, Option("--sensitivity", help="Plant mistakes, and tell which are caught.")
    ] = False
    exhaustive: Annotated[
        bool,
        Option(
            "--exhaustive",
            help="Instead, try every float32 there is on the element-wise layers; "
            "Ctrl-C prints what is known by then.",
        ),
    ] = False
    stride: Annotated[
        int, Option(min=1, max=2**24, help="With --exhaustive: one float32 in so many.")
    ] = 1
    as_json: AsJson = False


@takes(Options)
def check(options: Options) -> None:
    """Compare layer by layer, and the network with everything that flows through it."""
    if options.exhaustive:
        raise typer.Exit(check_exhaustively(options))
    if options.stride > 1:
        raise Unusable("--stride goes with --exhaustive")
    if options.sensitivity:
        raise typer.Exit(check_sensitivity(options))
    from gradparity.parity_tests.measuring.records import Summary
    from gradparity.reports import runner
    from gradparity.reports.console import note, print_json
    from gradparity.reports.tables.verdicts import missing_reasons

    layers, dtypes, names = selected(options)
    checks, divergences = runner.check(layers, dtypes, names, edges_only=options.edges)
    summary = Summary.of(checks)
    for reason in missing_reasons(checks):
        note(f"missing: {reason}")
    if options.as_json:
        print_json(checks=checks, divergences=divergences, summary=summary)
    elif options.edges:
        show_edges(checks, divergences)
    else:
        show(checks, divergences)
    raise typer.Exit(1 if summary.failed else 0)


def selected(options: Options) -> tuple[list[str], list[str], list[str]]:
    """The layers, dtypes and implementations that are to be compared."""
    from gradparity.parity_tests.catalogue.cases import LAYERS_AND_NETWORK

    layers = choose("layer", options.layers or LAYERS_AND_NETWORK, LAYERS_AND_NETWORK)
    names = options.implementations or ("all" if options.edges else None)
    return layers, choose_dtypes(options.dtype), choose_implementations(names)


def show(checks: list["Check"], divergences: Sequence["Divergence"]) -> None:
    """Print typical inputs first, then special ones, and then what is no number."""
    from gradparity.parity_tests.measuring.records import Summary
    from gradparity.reports.console import output, say
    from gradparity.reports.tables import gradients
    from gradparity.reports.tables.documented import divergence_table, gone
    from gradparity.reports.tables.verdicts import (
        checks_sentence,
        failure_table,
        refusal_table,
    )

    for kind in gradients.KINDS:
        for table in gradients.gradient_tables(checks, kind):
            table.print(output)
    for table in (
        divergence_table(divergences),
        refusal_table(checks),
        failure_table(checks),
    ):
        if table.rows:
            table.print(output)
    say(gradients.LEGEND)
    if any(check.kind == "edge" for check in checks):
        say(f"Special inputs: {gradients.SPECIAL}")
    for sentence in gradients.warnings(checks):
        say(f"warning: {sentence}")
    for sentence in gone(checks):
        say(sentence)
    say(checks_sentence(Summary.of(checks)) + ".")


def show_edges(checks: list["Check"], divergences: Sequence["Divergence"]) -> None:
    """Print where implementations differ on special inputs, and why."""
    from gradparity.parity_tests.measuring.records import Summary
    from gradparity.reports.console import output, say
    from gradparity.reports.tables.documented import divergence_table, gone, reasons
    from gradparity.reports.tables.verdicts import checks_sentence, failure_table

    divergence_table(divergences).print(output)
    for sentence in [*reasons(divergences), *gone(checks)]:
        say(sentence)
    failures = failure_table(checks)
    if failures.rows:
        failures.print(output)
    say(checks_sentence(Summary.of(checks)) + ".")


def check_sensitivity(options: Options) -> int:
    """Plant every mistake, print which are caught, and return the exit status: 1 if one
    survives.
    """
    from gradparity.parity_tests.measuring.records import MutantSummary
    from gradparity.reports import runner
    from gradparity.reports.console import print_json

    layers, dtypes, names = selected(options)
    if set(dtypes) != set(DTYPES):
        raise Unusable("--sensitivity tries both dtypes: leave --dtype out")
    mutants = runner.sensitivity(layers, names)
    if not mutants:
        raise Unusable(
            f"no mistakes can be planted in {', '.join(layers)} of {', '.join(names)}"
        )
    summary = MutantSummary.of(mutants)
    if options.as_json:
        print_json(mutants=mutants, summary=summary)
    else:
        show_mutants(mutants)
    return 1 if summary.survived else 0


def show_mutants(mutants: list["MutantResult"]) -> None:
    """Print every planted mistake, and those that are not caught in a sentence each."""
    from gradparity.parity_tests.measuring.records import MutantSummary
    from gradparity.reports.console import output, say
    from gradparity.reports.tables.planted import mutant_table, mutants_sentence

    mutant_table(mutants).print(output)
    for mutant in mutants:
        if mutant.caught is False:
            say(f"Not caught: {mutant.name}. {mutant.sentence}")
    say(mutants_sentence(MutantSummary.of(mutants)))


def check_exhaustively(options: Options) -> int:
    """Try every float32; print what is known at the end, or when a signal comes; and
    return the exit status.
    """
    from gradparity.parity_tests.checking.exhaustive import LAYERS, Run
    from gradparity.parity_tests.checking.values import load_all
    from gradparity.reference.data.cleanup import at_end
    from gradparity.reports import runner
    from gradparity.reports.console import note

    chosen = choose("element-wise layer", options.layers or LAYERS, LAYERS)
    if "float32" not in choose_dtypes(options.dtype):
        raise Unusable(f"--exhaustive tries every float32, got --dtype {options.dtype}")
    names = choose_implementations(options.implementations or "all")
    present, missing = load_all(names)
    for sentence in missing.values():
        note(f"missing: {sentence}")
    run = Run(chosen, present, options.stride)
    shown = False

    def show_once() -> None:
        nonlocal shown
        if not shown:
            shown = True
            show_exhaustive(run, chosen, options.as_json)

    with at_end(show_once):
        runner.exhaust(run)
    return 1 if any(row.failed for row in run.rows()) else 0


def show_exhaustive(run: "Run", chosen: Sequence[str], as_json: bool) -> None:
    """Print what is known by now of these layers."""
    from gradparity.reports.console import output, print_json, say
    from gradparity.reports.tables import every_float32

    rows = run.rows()
    if as_json:
        print_json(exhaustive=rows)
    else:
        every_float32.exhaustive_table(rows).print(output)
        for table in every_float32.kind_tables(rows):
            table.print(output)
        say(every_float32.EXHAUSTIVE_LEGEND)
        for sentence in every_float32.exhaustive_sentences(rows):
            say(sentence)
        for layer in chosen[len({row.layer for row in rows}) :]:
            say(f"{layer}: not tried")
    sys.stdout.flush()  # a signal ends the program without doing so
