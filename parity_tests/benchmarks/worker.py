"""The process in which loops are timed, one stretch at a time, when it is told to.

An order is a line of JSON on its standard input, and so is the answer on its standard
output. It ends when its input does. It is a process of its own because the number of
threads is settled when the frameworks are imported; `timing.py` starts it.

    {"do": "forget"}                                    -> {}
    {"do": "prepare", "name": ..., "setting": {...},    -> {"steps": ...} or
     "seed": ..., "repeats": ..., "steps": ...}            {"missing": why}
    {"do": "measure", "name": ...}                      -> {"seconds": of one step}
"""

import gc
import json
import math
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gradparity.parity_tests.benchmarks.loops import CONTENDERS, Contender, Loop
from gradparity.parity_tests.benchmarks.work import Work
from gradparity.parity_tests.implementations.contract import NotInstalled
from gradparity.parity_tests.processes.settings import keep_memory

# PyTorch's threads look for more work for 8 ms, in which they slow down whoever is next.
PAUSE = 0.03
SLOT = 0.1  # seconds that a timed stretch should take, where steps are not given
FEWEST = 2  # steps of a timed stretch
PROBES = (2, 20, 200)  # steps that are tried for how long one takes...
LONG_ENOUGH = 0.02  # ...until they take so many seconds...
TRIES = 3  # ...even when nothing is compiled and nobody disturbs

BY_NAME = {contender.name: contender for contender in CONTENDERS}


def seconds_of(act: Callable[[], object]) -> float:
    """How long it takes, without the collection of garbage."""
    gc.disable()
    try:
        started = time.perf_counter()
        act()
        return time.perf_counter() - started
    finally:
        gc.enable()


def rounded_up(steps: float) -> int:
    """To one significant digit: JAX's `train` goes by the hundred, by ten, or by one."""
    steps = max(steps, FEWEST)
    unit = 10 ** math.floor(math.log10(steps))
    return math.ceil(steps / unit) * unit


class Loops:
    """Those that are prepared; each stays where it stopped, until all are forgotten."""

    def __init__(self) -> None:
        self._ready: dict[str, tuple[Loop, int]] = {}

    def forget(self) -> dict[str, Any]:
        self._ready.clear()
        gc.collect()
        return {}

    def prepare(
        self,
        name: str,
        setting: dict[str, Any],
        seed: int,
        repeats: int,
        steps: tuple[int, int] | None,
    ) -> dict[str, Any]:
        """Start a loop, and make the steps of one repeat, which compiles what there is to
        be compiled.

        Args:
            name: of the contender.
            setting: dtype, batch_size, hidden and samples of its `Work`.
            seed: of its mini-batches.
            repeats: how often it can be measured then.
            steps: of the stretches that are not timed and that are; or None, to have
                them chosen so that the second takes a tenth of a second.
        """
        contender = BY_NAME[name]
        try:
            untimed, timed = steps or self._choose(contender, setting, seed)
            lengths = [untimed, timed] * (1 + repeats)
            loop = contender.start(Work.of(lengths=lengths, seed=seed, **setting))
            next(loop)
            next(loop)
        except NotInstalled as reason:
            return {"missing": str(reason)}
        self._ready[name] = loop, timed
        return {"steps": timed}

    def _choose(
        self, contender: Contender, setting: dict[str, Any], seed: int
    ) -> tuple[int, int]:
        lengths = [length for length in PROBES for _ in range(TRIES)]
        loop = contender.start(Work.of(lengths=lengths, seed=seed, **setting))
        for length in PROBES:
            seconds = min(seconds_of(partial(next, loop)) for _ in range(TRIES))
            each = seconds / length
            if seconds > LONG_ENOUGH:
                break
        timed = rounded_up(SLOT / each)
        return rounded_up(timed / 4), timed

    def measure(self, name: str) -> dict[str, Any]:
        """What one step takes, after a pause and a stretch that is not timed."""
        loop, steps = self._ready[name]
        time.sleep(PAUSE)
        next(loop)
        return {"seconds": seconds_of(partial(next, loop)) / steps}


def main() -> None:
    keep_memory()
    # What libraries print is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    prepared = Loops()
    for line in sys.stdin:
        order = json.loads(line)
        answer = getattr(prepared, order.pop("do"))(**order)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
