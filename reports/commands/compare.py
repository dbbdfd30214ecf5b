"""`gradparity compare`: what changed between two runs; whether functions are the same."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from gradparity.reports.commands import choices
from gradparity.reports.commands.options import AsJson, takes

FUNCTION = re.compile(r"[^:].*:[^\W\d]\w*(\.[^\W\d]\w*)*")
DTYPES = "float32,float64"
PATIENCE = 2.0  # seconds without a progress bar


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `compare` is called."""

    compared: Annotated[
        list[str],
        Argument(
            metavar="A B",
            help="An earlier and a later results.json, or their directories; or "
            "functions, file.py:name or module:name, in NumPy, PyTorch or JAX.",
        ),
    ]
    given: Annotated[
        list[str] | None,
        Option(
            "--input",
            metavar="NAME=VALUE",
            help='Of functions: numbers, x=[1,-2], x=values.npy or p={"w": [1]}; for '
            "each input once. Those left out come of example_inputs() beside one of them.",
        ),
    ] = None
    shapes: Annotated[
        list[str] | None,
        Option(
            "--shape",
            metavar="NAME=SIZES",
            help="Of functions: numbers drawn, x=4,5; or x=4:positive, i=3:int<10, "
            "m=3:bool.",
        ),
    ] = None
    dtype: Annotated[
        str | None,
        Option(
            metavar="NAME,...",
            help=f"Of functions: float32, float64.  [default: {DTYPES}]",
        ),
    ] = None
    html: Annotated[
        Path | None,
        Option(metavar="FILE", help="Of functions: also write a page there."),
    ] = None
    as_json: AsJson = False


@takes(Options)
def compare(options: Options) -> None:
    """Tell what changed between two runs; exit status 1 if a verdict became FAIL. Or tell
    whether functions are the same, gradients included; exit status 1 if they are not.
    """
    for text in options.compared:
        choices.require_name(text)
    kinds = {is_function(text) for text in options.compared}
    if len(kinds) > 1:
        raise choices.Unusable(
            "compare takes functions or results.json, not both, got "
            f"{' and '.join(options.compared)}"
        )
    if len(options.compared) < 2:
        raise choices.Unusable(
            f"compare takes two or more, got only {options.compared[0]}"
        )
    raise typer.Exit(compare_functions(options) if True in kinds else runs(options))


def is_function(text: str) -> bool:
    """Whether it names a function, `file.py:name`; `C:\\runs` does not, nor does what is
    there under this name.
    """
    return FUNCTION.fullmatch(text) is not None and not Path(text).exists()


def runs(options: Options) -> int:
    """Compare two results.json, and return the exit status."""
    from gradparity.reports.compare import compare
    from gradparity.reports.console import print_json
    from gradparity.reports.results import Results

    for name in ("given", "shapes", "dtype", "html"):
        if getattr(options, name):
            option = {"given": "input", "shapes": "shape"}.get(name, name)
            raise choices.Unusable(f"--{option} goes with functions, file.py:name")
    if len(options.compared) > 2:
        raise choices.Unusable(
            f"compare takes two results.json, got {len(options.compared)}"
        )
    a, b = (Results.read(Path(text)) for text in options.compared)
    found = compare(a, b)
    if options.as_json:
        print_json(**found)
    else:
        show(found)
    return 1 if any(row["after"] == "FAIL" for row in found["verdicts"]) else 0


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print a table for every heading under which something changed, and the counts."""
    from gradparity.reports.compare import tables
    from gradparity.reports.console import output, say

    for table in tables(found):
        table.print(output)
    counts = ", ".join(f"{heading} {len(rows)}" for heading, rows in found.items())
    say(f"Changed: {counts}.")


def compare_functions(options: Options) -> int:
    """Compare functions, and return the exit status."""
    dtypes = choices.choose_dtypes(options.dtype or DTYPES)
    if options.html is not None:
        choices.require_report("--html")
        from gradparity.reports.pages import functions_html

        functions_html.check_target(options.html)
    from gradparity.parity_tests.functions import comparison, inputs, targets
    from gradparity.reports.console import bar, print_json, say
    from gradparity.reports.tables import functions

    given = inputs.parse(options.given or [], options.shapes or [])
    loaded = targets.load_all(options.compared)
    given = inputs.with_examples(loaded, given)
    total = comparison.stages(len(loaded), dtypes)
    with bar("Running and comparing", total, after=PATIENCE) as advance:
        found = comparison.compare_functions(loaded, given, dtypes, advance)
    if options.as_json:
        print_json(**functions.facts(found))
    else:
        functions.show(found)
    if options.html is not None:
        functions_html.write(options.html, found)
        if not options.as_json:
            say(str(options.html), is_path=True)
    return 0 if found.same else 1
