"""`gradparity compare`: what changed between two runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument

from gradparity.reports.commands.options import AsJson, takes


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `compare` is called."""

    a: Annotated[Path, Argument(help="The earlier results.json, or its directory.")]
    b: Annotated[Path, Argument(help="The later one.")]
    as_json: AsJson = False


@takes(Options)
def compare(options: Options) -> None:
    """Tell what changed between two runs. Exit status 1 if a verdict became FAIL."""
    from gradparity.reports.compare import compare
    from gradparity.reports.console import print_json
    from gradparity.reports.results import Results

    found = compare(Results.read(options.a), Results.read(options.b))
    if options.as_json:
        print_json(**found)
    else:
        show(found)
    worse = any(row["after"] == "FAIL" for row in found["verdicts"])
    raise typer.Exit(1 if worse else 0)


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print a table for every heading under which something changed, and the counts."""
    from gradparity.reports.compare import tables
    from gradparity.reports.console import output, say

    for table in tables(found):
        table.print(output)
    counts = ", ".join(f"{heading} {len(rows)}" for heading, rows in found.items())
    say(f"Changed: {counts}.")
