"""The commands as plain functions: what `import gradparity` offers of them."""

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from gradparity.parity_tests import DTYPES, as_list
from gradparity.parity_tests.catalogue.cases import LAYERS_AND_NETWORK
from gradparity.parity_tests.checking.accuracy import less_accurate
from gradparity.parity_tests.checking.values import Run
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.measuring.records import Check
from gradparity.reports.commands.choices import choose, choose_implementations
from gradparity.reports.results import Results


def check(
    layers: str | Sequence[str] | None = None,
    dtypes: str | Sequence[str] = DTYPES,
    implementations: str | Sequence[str] | None = None,
) -> list[Check]:
    """Return a record for every tensor that `gradparity check` compares.

    By default those of all layers and the network, by the reference, PyTorch, JAX and
    what is registered. One name may stand alone. Raises `ValueError` where there is
    nothing of a given name, and warns where this machine is less accurate than bounds
    allow.
    """
    names = None if implementations is None else ",".join(as_list(implementations))
    wanted = LAYERS_AND_NETWORK if layers is None else as_list(layers)
    layers = choose("layer", wanted, LAYERS_AND_NETWORK)
    run = Run(
        layers,
        choose("dtype", as_list(dtypes), DTYPES),
        choose_implementations(names),
    )
    found, _ = run.whole()
    for each in less_accurate(run.implementations, layers, run.dtypes):
        warnings.warn(each.sentence, stacklevel=2)
    return found


def compare(
    a: Results | str | PathLike[str], b: Results | str | PathLike[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return what changed from one run to another, a list of rows under each heading.

    A run is a `Results`, or the path of a results.json or of its directory. Raises
    `UnreadableResults` where there is none at a path.
    """
    from gradparity.reports import compare

    runs = [
        run if isinstance(run, Results) else Results.read(Path(run)) for run in (a, b)
    ]
    return compare.compare(*runs)


def grade(path: str | PathLike[str]) -> GradedFile:
    """Return what is found of one submission, a file or a folder.

    It runs in a process of its own. Nothing is raised for what is wrong with it: its
    `status` and `problem` say what is.
    """
    from gradparity.parity_tests.grading import grade

    return grade.grade(Path(path))
