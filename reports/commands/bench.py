"""`gradparity bench`: how fast it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from gradparity.parity_tests.benchmarks import ROUNDS
from gradparity.reports.commands.choices import Unusable, choose
from gradparity.reports.commands.options import AsJson, DataDir, takes

if TYPE_CHECKING:
    from gradparity.parity_tests.measuring.records import Bench

PARTS = ("step", "sweep", "suite", "report")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `bench` is called."""

    parts: Annotated[
        list[str] | None,
        Argument(metavar="PART", help=f"{', '.join(PARTS)}; by default all."),
    ] = None
    rounds: Annotated[
        int, Option(min=3, help="How often each is timed; medians are shown.")
    ] = ROUNDS
    data_dir: DataDir = None
    figure: Annotated[
        Path | None, Option(metavar="FILE.svg", help="Also draw the part sweep there.")
    ] = None
    as_json: AsJson = False


@takes(Options)
def bench(options: Options) -> None:
    """Measure how fast it is: against the floor, and against what users would write.

    All of it takes ten minutes. The sweep takes a third of the rounds, but three at least,
    `check` two of them, the report one.
    """
    chosen, figure = choose("part", options.parts or PARTS, PARTS), options.figure
    if options.data_dir is not None and "report" not in chosen:
        raise Unusable(f"--data-dir is for the part report, got {', '.join(chosen)}")
    if figure is not None:
        check_picture(figure, chosen)
    from gradparity.reports import runner
    from gradparity.reports.console import print_json, say
    from gradparity.reports.environment import describe

    found = runner.measure(chosen, options.rounds, options.data_dir)
    if options.as_json:
        print_json(
            rows=found.rows,
            ratios={ratio.name: ratio.value for ratio in found.ratios},
            limits=found.ratios,
            missing=found.missing,
            environment=describe(),
        )
    else:
        show(found)
    if figure is not None:
        draw_sweep(found, figure)
        if not options.as_json:
            say(str(figure), is_path=True)


def show(found: "Bench") -> None:
    """Print every table, and then in sentences whether the limits are kept."""
    from gradparity.reports.console import output, say
    from gradparity.reports.environment import describe
    from gradparity.reports.tables import timings

    for table, under in timings.parts(found):
        table.print(output)
        if under or output.is_terminal:
            say(f"{under}\n" if under else "")
    for sentence in [*timings.sentences(found), timings.machine(describe())]:
        say(sentence)


def check_picture(figure: Path, parts: Sequence[str]) -> None:
    """Raise, before anything is measured, if the sweep cannot be drawn there."""
    from gradparity.reports.writing import check_file

    if "sweep" not in parts:
        raise Unusable(f"--figure draws the part sweep, got {', '.join(parts)}")
    if figure.suffix != ".svg":
        raise Unusable(f"--figure must name an .svg file, got {figure}")
    check_file("--figure", figure, "<svg", "picture")


def draw_sweep(found: "Bench", path: Path) -> None:
    """Write the picture of the sweep."""
    from gradparity.reports.figures.step_times import speed  # matplotlib takes its time
    from gradparity.reports.writing import write_file

    drawn = speed(found)
    if drawn is None:
        raise Unusable("--figure: there are no two sizes to draw a line through")
    write_file(path, drawn.svg)
