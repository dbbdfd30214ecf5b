"""`gradparity check`: layer by layer, and the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from typer import Argument, Option

from gradparity.parity_tests import DTYPES
from gradparity.reports.commands.choices import (
    Unusable,
    check_every_float32,
    choose,
    choose_dtypes,
    choose_implementations,
    nothing_was,
)
from gradparity.reports.commands.options import (
    AsJson,
    Dtypes,
    SomeImplementations,
    takes,
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
    power: Annotated[
        bool,
        Option(
            "--power", help="Tell how small a fault is certainly caught, and in what."
        ),
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
    check_options(options)
    if options.exhaustive:
        raise typer.Exit(check_exhaustively(options))
    if options.sensitivity:
        raise typer.Exit(check_sensitivity(options))
    if options.power:
        raise typer.Exit(check_power(options))
    from gradparity.parity_tests.checking import values
    from gradparity.parity_tests.checking.accuracy import less_accurate
    from gradparity.parity_tests.measuring.devices import TO_NEAREST, numpy_rounds
    from gradparity.parity_tests.measuring.records import Summary
    from gradparity.reports import printing, runner
    from gradparity.reports.console import note, print_json
    from gradparity.reports.tables.verdicts import missing_reasons

    layers, dtypes, names = selected(options)
    run = values.Run(layers, dtypes, names, edges_only=options.edges)
    checks, divergences = runner.check(run)
    summary = Summary.of(checks)
    reasons = missing_reasons(checks)
    exceeded = less_accurate(names, layers, dtypes)
    if options.as_json:
        print_json(
            checks=checks,
            divergences=divergences,
            summary=summary,
            exceeded=exceeded,
        )
    if summary.missing == summary.checks:
        raise nothing_was("checked", reasons, offered_nothing(names, layers))
    for reason in reasons:
        note(f"missing: {reason}")
    for each in exceeded:
        note(f"warning: {each.sentence}")
    if (rounds := numpy_rounds()) != TO_NEAREST:
        note(f"warning: the processor rounds {rounds}: no bound is for that mode")
    if not options.as_json:
        show = printing.edges if options.edges else printing.checks
        show(checks, divergences)
    raise typer.Exit(1 if summary.failed else 0)


def check_options(options: Options) -> None:
    """Raise if the options contradict each other."""
    ways = {
        "--edges": options.edges,
        "--sensitivity": options.sensitivity,
        "--power": options.power,
        "--exhaustive": options.exhaustive,
    }
    asked = [option for option, is_asked in ways.items() if is_asked]
    if len(asked) > 1:
        raise Unusable(
            "--edges, --sensitivity, --power and --exhaustive go one at a time, got "
            f"{' and '.join(asked)}"
        )
    if options.stride > 1 and not options.exhaustive:
        raise Unusable("--stride goes with --exhaustive")


def selected(options: Options) -> tuple[list[str], list[str], list[str]]:
    """The layers, dtypes and implementations that are to be compared."""
    from gradparity.parity_tests.catalogue.cases import LAYERS_AND_NETWORK

    layers = choose("layer", options.layers or LAYERS_AND_NETWORK, LAYERS_AND_NETWORK)
    names = chosen_implementations(options)
    return layers, choose_dtypes(options.dtype), names


def chosen_implementations(options: Options) -> list[str]:
    """Those that are asked for; by default all where all are to be compared."""
    names = options.implementations
    if names is None and (options.edges or options.exhaustive):
        names = "all"
    return choose_implementations(names)


def offered_nothing(names: Sequence[str], layers: Sequence[str]) -> str:
    """Why nothing was checked, where all that was asked for is installed."""
    return f"{', '.join(names)} offers nothing of {', '.join(layers)}"


def check_sensitivity(options: Options) -> int:
    """Plant every mistake, print which are caught, and return the exit status: 1 if one
    survives.
    """
    from gradparity.parity_tests.measuring.records import MutantSummary
    from gradparity.reports import printing, runner
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
    if summary.missing == summary.mutants:
        notes = [mutant.note for mutant in mutants if mutant.note]
        raise nothing_was("checked", notes, offered_nothing(names, layers))
    if not options.as_json:
        printing.mutants(mutants)
    return 1 if summary.survived else 0


def check_power(options: Options) -> int:
    """Print how small a fault is certainly caught, and return the exit status."""
    from gradparity.parity_tests.audit.power import Run
    from gradparity.parity_tests.checking.values import load_all
    from gradparity.reports import printing, runner
    from gradparity.reports.console import note, print_json

    layers, dtypes, names = selected(options)
    present, missing = load_all(names)
    rows = runner.detection(Run(layers, dtypes, present))
    if options.as_json:
        print_json(power=rows)
    if not rows:
        raise nothing_was("measured", missing.values(), offered_nothing(names, layers))
    for sentence in missing.values():
        note(f"missing: {sentence}")
    if not options.as_json:
        printing.power(rows)
    return 0


def check_exhaustively(options: Options) -> int:
    """Try every float32; print what is known at the end, or when a signal comes; and
    return the exit status.
    """
    from gradparity.parity_tests.checking.accuracy import less_accurate
    from gradparity.parity_tests.checking.exhaustive import LAYERS, Run
    from gradparity.parity_tests.checking.values import load_all
    from gradparity.reference.data.cleanup import at_end
    from gradparity.reports import printing, runner
    from gradparity.reports.console import note, print_json

    chosen = choose("element-wise layer", options.layers or LAYERS, LAYERS)
    check_every_float32(choose_dtypes(options.dtype))
    names = chosen_implementations(options)
    present, missing = load_all(names)
    if not any(each.offers(layer) for each in present for layer in chosen):
        if options.as_json:
            print_json(exhaustive=[])
        raise nothing_was("checked", missing.values(), offered_nothing(names, chosen))
    for sentence in missing.values():
        note(f"missing: {sentence}")
    exceeded = less_accurate(names, chosen, ["float32"])
    for each in exceeded:
        note(f"warning: {each.sentence}")
    run = Run(chosen, present, options.stride)
    shown = False

    def show_once() -> None:
        nonlocal shown
        if not shown:
            shown = True
            printing.every_number(run, chosen, options.as_json, exceeded)

    with at_end(show_once):
        runner.exhaust(run)
    return 1 if any(row.failed for row in run.rows()) else 0
