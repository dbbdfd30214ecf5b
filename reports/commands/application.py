"""The `gradparity` command: its subcommands, and how it ends.

Exit status: 0 all agree, 1 something disagrees, 2 the call or its input is unusable, or
we have failed. Each subcommand imports what it needs when it runs, so that `--help` pays
for no framework.
"""

import gc
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gradparity.parity_tests.processes.settings import WAITING, keep_memory
from gradparity.reference.data import guard
from gradparity.reference.data.cleanup import remove_abandoned
from gradparity.reports.commands import (
    bench,
    check,
    compare,
    data,
    env,
    explain,
    grade,
    report,
    train,
)
from gradparity.reports.commands.choices import Unusable
from gradparity.reports.visible import LONGEST, harmless, visible

DEFECT = "gradparity: a defect of gradparity, which says nothing of what it was asked"


class Commands(TyperGroup):
    """The subcommands; what is refused about a call may name a file of somebody's."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with visible_refusals():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        with visible_refusals():
            return super().invoke(ctx)


@contextmanager
def visible_refusals() -> Iterator[None]:
    """What is said of a call that cannot be parsed acts on no terminal."""
    try:
        yield
    except Exception as error:  # of Click's, which is not always there to be imported
        if isinstance(message := getattr(error, "message", None), str):
            error.message = harmless(message)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="gradparity",
    cls=Commands,
    help="A hand-written NumPy backpropagation is the truth; PyTorch and JAX are checked "
    "against it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    *(check.check, train.train, report.report, explain.explain, grade.grade),
    *(compare.compare, bench.bench, env.env),
):
    app.command()(command)
app.add_typer(data.app, name="data")


def show_version(is_asked: bool) -> None:
    """Print the version, and end."""
    if is_asked:
        import gradparity

        print(f"gradparity {gradparity.__version__}")
        raise typer.Exit


@app.callback()
def before(
    is_asked: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version, and end.",
            callback=show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Take the options that stand before a subcommand, and prepare for it."""
    from gradparity.reports.console import keep_output

    guard.end_with_guard()
    keep_output()


def main() -> None:
    """Run the command; every refusal is one sentence on standard error."""
    # Every refusal of bad input is an exception, and JAX takes its time over each
    # traceback to shorten it.
    os.environ.setdefault("JAX_TRACEBACK_FILTERING", "off")
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    keep_memory()
    with suppress(OSError):  # there may be no room for anything temporary
        remove_abandoned(Path(gettempdir()))
    # An import makes many objects and hardly any garbage: PyTorch's and JAX's take a
    # fifth longer when it is looked for after every 700 of them.
    gc.set_threshold(100_000, 10, 10)
    try:
        app()
    except Exception as error:
        if not is_refusal(error):  # which must not be taken for an answer
            traceback.print_exc()
            print(DEFECT, file=sys.stderr)
            sys.exit(2)
        print(f"gradparity: {visible(str(error), LONGEST)}", file=sys.stderr)
        sys.exit(2)
    finally:
        # What PyTorch and JAX are made of need not be searched for garbage at the end:
        # that would take more than half a second.
        gc.freeze()


def is_refusal(error: Exception) -> bool:
    """Whether an exception is about the call, its input or the machine, and not a defect
    of ours.
    """
    from gradparity.parity_tests.implementations.user_supplied import (
        UnusableImplementation,
    )
    from gradparity.parity_tests.training.checkpoints import CheckpointError
    from gradparity.parity_tests.training.plan import TrainingDiverged
    from gradparity.reference.data.mnist_files import DatasetError
    from gradparity.reports.explain import UnusableFunction, UnusableInput
    from gradparity.reports.results import UnreadableResults
    from gradparity.reports.writing import UnusableTarget

    refusals = (
        *(Unusable, UnusableFunction, UnusableImplementation, UnusableInput),
        *(CheckpointError, DatasetError, TrainingDiverged, UnreadableResults),
        *(UnusableTarget, OSError, MemoryError),
    )
    return isinstance(error, refusals)
