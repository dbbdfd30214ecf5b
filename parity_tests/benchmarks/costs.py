"""What the suite itself costs: to start, to import, to check, and to compile for JAX.

Everything is measured from outside, in processes that are started for it, in turn, round
by round. It is apart from the training steps because it is about commands, not loops.
As a program, `python -m gradparity.parity_tests.benchmarks.costs jax` takes the time of the
catalogue's cases in one implementation.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.benchmarks import commands
from gradparity.parity_tests.benchmarks.series import Series
from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, NETWORK_CASES
from gradparity.parity_tests.checking.values import offers
from gradparity.parity_tests.checking.values import run as run_case
from gradparity.parity_tests.implementations.contract import (
    Implementation,
    NotInstalled,
)
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.processes import compiling

PYTHON, HELP, CHECK = "python -c pass", "gradparity --help", "gradparity check"
HELP_IMPORTS = "frameworks that --help imports"
PEAK = ", peak memory"
FEW = 2  # rounds of what takes seconds

# Prints how many of these are there once the help has been shown.
HEAVY = ("torch", "jax", "matplotlib", "sklearn")
COUNT_IMPORTS = f"""
import sys
from gradparity.__main__ import main
sys.argv = ["gradparity", "--help"]
try:
    main()
finally:
    print()
    print(len({set(HEAVY)} & {{*sys.modules}}))
"""


def cost(
    name: str,
    value: float,
    framework: str | None = None,
    unit: str = "s",
    note: str | None = None,
) -> Series:
    """One value of a row of the suite's."""
    return Series(
        part="suite",
        name=name,
        kind="cost",
        framework=framework,
        unit=unit,
        values=(value,),
        note=note,
    )


@dataclass(frozen=True)
class Command:
    """Something to run in Python, and what becomes of it in the table."""

    name: str
    arguments: tuple[str, ...]
    framework: str | None = None
    statuses: tuple[int, ...] = (0,)
    memory: bool = False

    def measure(self) -> list[Series]:
        """Raises ProcessFailed."""
        ended = commands.run(
            self.name, self.arguments, statuses=self.statuses, memory=self.memory
        )
        return self.rows(ended)

    def warm_up(self) -> list[Series]:
        """The same, of which nothing is kept."""
        self.measure()
        return []

    def rows(self, ended: commands.Ended) -> list[Series]:
        """By default, how long it took."""
        note = commands.DISAGREES if ended.status else None
        found = [cost(self.name, ended.seconds, self.framework, note=note)]
        if ended.peak is not None:
            found.append(
                cost(self.name + PEAK, ended.peak / commands.GIB, unit="GiB", note=note)
            )
        return found


class HelpImports(Command):
    """Prints a number at the end."""

    def rows(self, ended: commands.Ended) -> list[Series]:
        count = float(ended.output.splitlines()[-1])
        return [cost(self.name, count, unit="count")]


class Cases(Command):
    """The catalogue in one implementation: `time_cases`, as JSON."""

    def rows(self, ended: commands.Ended) -> list[Series]:
        found = json.loads(ended.output)
        times = {
            f"{self.name}, {when}": 1e6 * found[when] / found["cases"]
            for when in ("first time", "again")
        }
        rows = [cost(n, v, self.framework, "µs") for n, v in times.items()]
        if self.framework == "jax":
            compiled = self.name.replace("a case", "compiling all cases")
            rows.append(cost(compiled, found["compiling"], self.framework))
        return rows


STARTS = (
    Command(PYTHON, ("-c", "pass")),
    Command(HELP, ("-m", "gradparity", "--help")),
    *(
        Command(f"import {module}", ("-c", f"import {module}"), framework)
        for framework, room in (
            ("numpy", "reference"),
            ("torch", "torch_impl"),
            ("jax", "jax_impl"),
        )
        for module in (framework, f"{room}.layers")
    ),
)
LONGER = (
    # Status 1 says that something disagrees, after all has been checked.
    Command(CHECK, ("-m", "gradparity", "check"), statuses=(0, 1), memory=True),
    *(
        Cases(
            f"a case, {name}",
            ("-m", "gradparity.parity_tests.benchmarks.costs", name),
            framework,
        )
        for name, framework in (
            ("reference", "numpy"),
            ("torch", "torch"),
            ("jax", "jax"),
            ("jax-jit", "jax"),
        )
    ),
)
ONCE = HelpImports(HELP_IMPORTS, ("-c", COUNT_IMPORTS))


def count(rounds: int) -> int:
    """How often `measure` calls `progress`."""
    return 1 + (1 + rounds) * len(STARTS) + min(rounds, FEW) * len(LONGER)


def measure(rounds: int, progress: Callable[[int], object]) -> commands.Measured:
    """All of it, so many times; what takes long, at most `FEW` times.

    What cannot be imported has no rows, and a sentence in `missing`.
    """
    found = commands.Measured()

    def take(command: Command, counts: bool = True) -> None:
        found.take(command.name, command.measure if counts else command.warm_up)
        progress(1)

    take(ONCE)
    for command in STARTS:  # once for the files to be in the system's cache
        take(command, counts=False)
    for number in range(rounds):
        for command in (*STARTS, *(LONGER if number < FEW else ())):
            take(command)
    return found


# --- One implementation, in a process of its own --------------------------------------


def time_cases(name: str) -> dict[str, Any]:
    """How many cases of the catalogue an implementation answers, dtype by dtype; how many
    seconds they take the first time and when each is asked once more, at once; and what of
    that JAX has compiled.

    Raises NotInstalled.
    """
    implementation = load(name)
    every: list[Case | NetworkCase] = [*LAYER_CASES, *NETWORK_CASES]
    found: dict[str, Any] = {"cases": 0, "first time": 0.0, "again": 0.0}
    for case in every:
        if case.kind != "invalid" and offers(implementation, case):
            for dtype in DTYPES:
                found["cases"] += 1
                for when in ("first time", "again"):
                    found[when] += seconds(case.to(dtype), implementation)
    return found | {"compiling": compiling.seconds()}


def seconds(case: Case | NetworkCase, implementation: Implementation) -> float:
    """For how long it works at this."""
    started = time.perf_counter()
    run_case(case, implementation)
    return time.perf_counter() - started


if __name__ == "__main__":
    try:
        print(json.dumps(time_cases(sys.argv[1])))
    except NotInstalled as reason:
        raise SystemExit(str(reason)) from None
