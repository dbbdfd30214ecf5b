"""Options that several subcommands share, and how a dataclass becomes a command's options.

Every subcommand has a dataclass `Options`, one field for each option, so that the
command is a function of one object. Typer reads options from a signature; that of a
dataclass is the list of its fields, and `takes` hands it on.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer import Option

from gradparity.parity_tests import DTYPES
from gradparity.reference.data import guard

THREE = "reference,torch,jax"
NAMES = "reference, torch, torch-composed, jax, jax-composed, jax-jit"
TRAINED_ONLY = "trained only: sklearn, optax, torch-sgd"
BROUGHT = "of your own: package.module, path/to/file.py; or all."

Everything = Annotated[
    str, Option(metavar="NAME,...", help=f"{NAMES}; {TRAINED_ONLY}; {BROUGHT}")
]
SomeImplementations = Annotated[
    str | None,
    Option(
        metavar="NAME,...",
        help=f"{NAMES}; {BROUGHT}  [default: {THREE}, announced ones; with --edges or "
        "--exhaustive all]",
    ),
]
Dtypes = Annotated[
    str, Option("--dtype", metavar="NAME,...", help=f"{', '.join(DTYPES)}.")
]
DataDir = Annotated[
    Path | None, Option(help="A folder with MNIST's four files, raw or .gz.")
]
Seeds = Annotated[
    int | None,
    Option(
        min=2,
        help="Train from so many seeds, side by side, and compare them in pairs; the "
        "first is --seed.",
    ),
]
Jobs = Annotated[
    int | None,
    Option(
        min=1,
        help="Processes side by side; by default as many as there are processors.",
        show_default=False,
    ),
]
TrainJobs = Annotated[
    int | None,
    Option(
        min=1,
        help="Processes side by side; by default one, and with --seeds as many as there "
        "are processors.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print one JSON object instead.")]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What `train` and `report` ask of a training."""

    implementations: Annotated[
        str | None,
        Option(
            metavar="NAME,...",
            help=f"{NAMES}; {TRAINED_ONLY}; {BROUGHT}  [default: {THREE}, announced ones]",
        ),
    ] = None
    dtype: Dtypes = "float64,float32"
    dataset: Annotated[
        str,
        Option(
            metavar="auto|mnist|digits",
            help="auto: MNIST where it is present or can be fetched, else digits.",
        ),
    ] = "auto"
    data_dir: DataDir = None
    steps: Annotated[int, Option(min=1, help="Training steps.")] = 10_000
    batch_size: Annotated[int, Option(min=1, help="Samples in a mini-batch.")] = 100
    learning_rate: Annotated[float, Option(help="How far a step goes.")] = 0.1
    seed: Annotated[
        int, Option(min=0, help="Of the initial weights and the mini-batches.")
    ] = 0


Chosen = TypeVar("Chosen")


def takes(
    options: type[Chosen],
) -> Callable[[Callable[[Chosen], None]], Callable[..., None]]:
    """Return a decorator that makes a function of such an object a function of its
    fields, by keyword, with the dataclass's signature.
    """

    def decorate(command: Callable[[Chosen], None]) -> Callable[..., None]:
        @wraps(command)
        def with_fields(**fields: Any) -> None:
            try:
                command(options(**fields))
            except typer.Exit as ended:
                guard.ends_with(ended.exit_code)
                raise
            except SystemExit as error:  # typer's own is another
                from gradparity.parity_tests.implementations.user_supplied import Left

                raise Left.by(error, "code that is not ours") from error

        with_fields.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]
        return with_fields

    return decorate
