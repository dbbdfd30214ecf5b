"""What tests in several rooms share: where things lie, and what the options choose."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gradparity.parity_tests.checking.values import try_load
from gradparity.parity_tests.implementations import user_supplied
from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS
from gradparity.parity_tests.implementations.contract import NotInstalled

ROOT = Path(__file__).resolve().parents[2]
SUBMISSIONS = ROOT / "parity_tests" / "submissions"
HANDED_OUT = ROOT / "parity_tests" / "grading" / "handed_out"


def the_book(folder: Path) -> Path:
    """The book's repository in its own layout, put together in this folder, which is
    returned: the chapters, and `common/`, of which what is handed out is the one copy.
    """
    for part in (SUBMISSIONS / "book", HANDED_OUT):
        nothing_compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(part, folder, ignore=nothing_compiled, dirs_exist_ok=True)
    return folder


def expected_failures(path: Path) -> list[str]:
    """The lines that are neither empty nor a remark."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"--xfails-file {path}: {error}") from error
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def chosen(config: pytest.Config, option: str, valid: list[str]) -> list[str]:
    names = str(config.getoption(option))
    wanted = valid if names == "all" else names.split(",")
    for name in wanted:
        if name not in valid:
            raise pytest.UsageError(
                f"unknown {option} {name!r}: expected {', '.join(valid)}"
            )
    return wanted


def chosen_implementations(config: pytest.Config) -> list[str]:
    """Those that are built in, and somebody's own."""
    names = str(config.getoption("--implementations")).split(",")
    brought = [name for name in names if user_supplied.is_own(name)]
    try:
        for name in brought:
            loaded(name)
    except user_supplied.UnusableImplementation as error:
        raise pytest.UsageError(str(error)) from error
    return chosen(config, "--implementations", [*IMPLEMENTATIONS, *brought])


@cache
def loaded(name: str) -> Any:
    """The implementation, or why there is none: the same one for all tests, so that JAX
    compiles nothing twice.
    """
    return try_load(name)


def load_or_skip(name: str) -> Any:
    """The implementation, or a skip that says why it is missing."""
    found = loaded(name)
    if isinstance(found, NotInstalled):
        pytest.skip(str(found))
    return found


def skip_unless_built_in(implementation: Any) -> None:
    """For what only the project's own implementations promise."""
    if isinstance(implementation, user_supplied.Own):
        pytest.skip(f"nobody expects this of {implementation.name}")
