"""How long JAX has compiled in this process.

JAX tells a listener of every trace, lowering and compilation when it ends, and how long it
took. They nest, and several threads compile at once, so what is counted is the time in
which any of them was going on. It is apart because whoever compiles need not know of it.
"""

import time
from collections.abc import Iterable
from functools import cache
from typing import Any

EVENTS = "/jax/core/compile/"  # tracing, lowering to MLIR, and the backend's part

_intervals: list[tuple[float, float]] = []


@cache  # a listener that is registered twice hears everything twice
def watch(jax: Any) -> None:
    """From now on, listen to JAX."""
    jax.monitoring.register_event_duration_secs_listener(_heard)


def seconds() -> float:
    """For how long JAX has compiled since it was imported, in whichever threads."""
    return union(list(_intervals))


def union(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of all that lies between the start and the end of any of these."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        covered += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return covered


def _heard(event: str, duration: float, **details: object) -> None:
    """Called by JAX at the end of what it tells of, in the thread that did it."""
    if event.startswith(EVENTS):
        now = time.perf_counter()
        _intervals.append((now - duration, now))
