"""What a call chooses, checked: names, implementations, the learning rate, the data set."""

from collections.abc import Collection, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gradparity.parity_tests import DTYPES
from gradparity.reports.commands.options import THREE

if TYPE_CHECKING:
    from gradparity.reference.datasets import Dataset

DATASETS = ("auto", "mnist", "digits")


# What `pip install "gradparity[report]"` brings, as it is imported.
REPORT = ("matplotlib", "jinja2", "markdown_it", "latex2mathml", "nbformat")


class Unusable(ValueError):
    """The call cannot be carried out as it stands."""


def require_report(what: str) -> None:
    """Raise `Unusable` unless all that pages and figures are made with is installed."""
    lacking = [name for name in REPORT if find_spec(name) is None]
    if lacking:
        raise Unusable(
            f"{what} needs {', '.join(lacking)}, not installed here: "
            "pip install 'gradparity[report]'"
        )


def require_name(text: str) -> None:
    """Raise `Unusable` if it names a file of functions, and none of these."""
    file = text.removesuffix(":")
    if file.endswith(".py") and not Path(text).is_dir():
        raise Unusable(
            f"{file} is a file of functions: expected one of them, as in {file}:name"
        )


def choose(
    what: str, names: Sequence[str], valid: Collection[str], *more: str
) -> list[str]:
    """The names, each once, or `Unusable` with a list of the valid ones, and of `more`
    that would have been one.
    """
    if not names:
        raise Unusable(f"expected at least one {what} of {', '.join(valid)}, got none")
    for name in names:
        if name not in valid:
            expected = ", ".join([*valid, *more])
            raise Unusable(f"unknown {what} {name!r}: expected {expected}")
    return list(dict.fromkeys(names))


def choose_dtypes(names: str) -> list[str]:
    """The dtypes between the commas."""
    return choose("dtype", names.split(","), DTYPES)


def check_every_float32(dtypes: Collection[str]) -> None:
    """Raise `Unusable` unless the dtypes go with --exhaustive."""
    if "float32" not in dtypes:
        raise Unusable(
            f"--exhaustive tries every float32, got --dtype {','.join(dtypes)}"
        )


def choose_implementations(names: str | None, *, outsiders: bool = False) -> list[str]:
    """The implementations; where there is training, the outsiders too.

    None are the three and what installed packages announce. Modules and files of
    somebody's own are loaded here, and not later in threads: what is unusable is refused
    at once, and no two import the same framework at the same time.
    """
    from gradparity.parity_tests.checking.values import try_load
    from gradparity.parity_tests.implementations.built_in import (
        IMPLEMENTATIONS,
        OUTSIDERS,
    )
    from gradparity.parity_tests.implementations.user_supplied import announced, is_own
    from gradparity.reports.console import note

    valid = [*IMPLEMENTATIONS, *announced(), *(OUTSIDERS if outsiders else ())]
    wanted = [*THREE.split(","), *announced()] if names is None else names.split(",")
    wanted = valid if names == "all" else wanted
    brought = [name for name in wanted if is_own(name)]
    for name in brought:
        loaded = try_load(name)
        for helper in getattr(loaded, "helpers", ()):
            note(
                f"{name}: {helper} is no layer: nobody can tell how to differentiate it"
            )
    places = "package.module or path/to/file.py"
    return choose("implementation", wanted, dict.fromkeys([*valid, *brought]), places)


def nothing_was(done: str, reasons: Iterable[str], otherwise: str) -> Unusable:
    """The refusal of a call for which nothing was done, with each reason once."""
    why = "; ".join(dict.fromkeys(reasons)) or otherwise
    return Unusable(f"nothing was {done}: {why}")


def check_rate(learning_rate: float) -> None:
    """Raise `Unusable` unless it is a positive number."""
    if not 0 < learning_rate < float("inf"):
        raise Unusable(
            f"--learning-rate must be a positive number, got {learning_rate}"
        )


def load_dataset(name: str, data_dir: Path | None) -> "Dataset":
    """The data set; says on standard error which one it is, and why."""
    from gradparity.reference.datasets import load
    from gradparity.reports.console import download_bars, note

    choose("data set", [name], DATASETS)
    if name == "digits" and data_dir is not None:
        raise Unusable(
            "--data-dir goes with --dataset auto or mnist, but the data set is digits"
        )
    with download_bars() as progress:
        data = load(name, data_dir=data_dir, progress=progress)
    note(f"data set: {data.name}. {data.why}")
    return data
