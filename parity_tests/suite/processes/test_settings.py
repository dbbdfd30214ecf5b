"""How processes are set up, and what becomes of tasks in one and in several."""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.processes import parallel
from gradparity.parity_tests.processes.settings import (
    give_back_memory,
    keep_memory,
    threads,
)


def test_one_thread_is_said_to_every_library() -> None:
    assert threads(1).items() >= {
        ("OPENBLAS_NUM_THREADS", "1"),
        ("OMP_NUM_THREADS", "1"),
        ("NPROC", "1"),
    }
    assert "--xla_cpu_multi_thread_eigen=false" in threads(1)["XLA_FLAGS"]
    assert threads(3)["NPROC"] == "3"
    assert "XLA_FLAGS" not in threads(3)


@pytest.mark.parametrize(
    ("processors", "tasks", "jobs", "expected"),
    [(2, 4, None, 1), (16, 4, None, 4), (16, 4, 2, 8), (2, 1, 2, 2), (2, 4, 1, 2)],
)
def test_processors_are_divided(
    processors: int,
    tasks: int,
    jobs: int | None,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: processors)
    assert parallel.threads(tasks, jobs) == expected


@dataclass(frozen=True)
class Look:
    """Tells which process it runs in and with how many threads; and has JAX compile."""

    total: int = 1

    def run(self, progress: Callable[[int], object]) -> Any:
        jax = framework("jax")
        jax.jit(lambda x: x * 3 + self.total)(np.ones(self.total + 5))
        pools = threadpool_info()
        progress(self.total)
        blas = {p["num_threads"] for p in pools if p["user_api"] == "blas"}
        return os.getpid(), os.getppid(), blas, os.environ.get("NPROC")


@pytest.mark.parametrize("jobs", [1, 2])
def test_tasks_run_in_so_many_processes(jobs: int) -> None:
    pytest.importorskip("jax")
    counted: list[int] = []
    with parallel.started([Look(3), Look(4)], jobs) as running:
        found = running.wait(counted.append)
    assert sum(counted) == 7
    assert running.compiled > 0
    if jobs == 1:
        assert {pid for pid, *_ in found} == {os.getpid()}
        return
    share = parallel.threads(2, jobs)
    for pid, parent, blas, processors in found:
        assert pid != os.getpid() == parent
        assert (blas, processors) == ({share}, str(share))


def test_glibc_is_asked_only_for_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []
    library = SimpleNamespace(mallopt=lambda *what: asked.append(what))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    keep_memory()
    give_back_memory()  # which this library, like Apple's, cannot do
    settings = [] if os.name == "nt" else [(-1, 2**24), (-3, 2**23)]
    assert asked == settings
