"""`gradparity report`: all of it, written to a directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from gradparity.reports.commands import choices
from gradparity.reports.commands.bench import PARTS
from gradparity.reports.commands.options import (
    Everything,
    Jobs,
    Seeds,
    TrainingOptions,
    takes,
)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where it is written: of a dataclass's bases, the fields of the last come first."""

    output: Annotated[
        Path,
        Option(help="The directory to write; an earlier report there is replaced."),
    ] = Path("gradparity-report")


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions, Output):
    """How `report` is called."""

    implementations: Everything = "all"
    seeds: Seeds = None
    exhaustive: Annotated[
        bool,
        Option(
            "--exhaustive",
            help="Also try every float32 on the element-wise layers: a quarter of an "
            "hour more.",
        ),
    ] = False
    bench: Annotated[
        bool,
        Option(
            "--bench", help="Also measure how fast it is, as `gradparity bench` does."
        ),
    ] = False
    jobs: Jobs = None


@takes(Options)
def report(options: Options) -> None:
    """All of it, written to a directory: results.json, report.md, report.html, figures."""
    choices.require_report("gradparity report")
    from gradparity.parity_tests.processes import parallel
    from gradparity.parity_tests.training.plan import Plan
    from gradparity.reports import runner, writing
    from gradparity.reports.console import say, working
    from gradparity.reports.results import DatasetInfo
    from gradparity.reports.tables.overview import headline, problems

    dtypes = choices.choose_dtypes(options.dtype)
    names = choices.choose_implementations(options.implementations, outsiders=True)
    choices.check_rate(options.learning_rate)
    if options.exhaustive:
        choices.check_every_float32(dtypes)
    target = writing.check_target(options.output)
    loaded = choices.load_dataset(options.dataset, options.data_dir)
    with parallel.sharing(loaded) as data:
        plan = Plan.of(
            *(data, options.steps, options.batch_size, options.learning_rate),
            options.seed,
        )
        mnist = data.name == "mnist"  # of which the part "report" times another
        timed = [part for part in PARTS if mnist or part != "report"]
        results = runner.report(
            *(plan, DatasetInfo.of(data), dtypes, names),
            *(options.exhaustive, options.seeds or 0),
            jobs=options.jobs,
            bench=tuple(timed) if options.bench else (),
            data_dir=options.data_dir,
        )
        say(str(headline(results)))
        with working("Drawing and writing"):
            writing.write(results, data, target)
    say(str(options.output / "report.html"), is_path=True)
    raise typer.Exit(1 if problems(results) else 0)
