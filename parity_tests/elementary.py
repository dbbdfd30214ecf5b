"""How well exp and log are computed: measured, and kept as data in `elementary.json`.

No library promises how its exponential is rounded, and which one runs depends on the
instructions that the processor has. So the rounding bounds allow each implementation
the largest error that was seen of it, in ulps, over all float32 and a fine grid of
float64. `make elementary` renews the data; the suite looks at a coarser grid each time.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from parity_tests.comparison import truth_dtype
from parity_tests.implementations import Implementation, load
from parity_tests.records import Record

DATA = Path(__file__).with_name("elementary.json")
FUNCTIONS: dict[str, Callable[[Any], Any]] = {"Exp": np.exp, "Log": np.log}
MEASURED = ("reference", "torch", "jax")  # jitted, JAX computes the same
CHUNK = 2**18
GRID = {"float32": 2**32, "float64": 2**26}  # points at most; of float32, all there are

# What makes the libraries do without the instructions that a processor has.
NO_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}
NO_AVX512 |= {"ATEN_CPU_CAPABILITY": "avx2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
NO_AVX = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
NO_AVX |= {"ATEN_CPU_CAPABILITY": "default", "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}
INSTRUCTIONS = {"AVX-512": {}, "AVX2": NO_AVX512, "SSE4.2": NO_AVX}


class Measured(Record):
    """The largest error of a function that was seen, among so many inputs."""

    layer: str
    dtype: str
    implementation: str
    instructions: str
    inputs: int
    ulps: float
    at: float


def grid(layer: str, dtype: str, points: int) -> Iterator[np.ndarray]:
    """Chunks of the numbers whose exp or log is normal and not known beforehand: every
    k-th of their bit patterns, which makes them evenly spaced in each octave.
    """
    info: Any = np.finfo(dtype)
    integers: Any = np.dtype(dtype).str.replace("f", "i")
    tiny, huge = info.smallest_normal, info.max
    # Of less than a quarter of eps, exp is 1 or its neighbour.
    nothing, overflow, underflow = info.eps / 4, np.log(huge), -np.log(tiny)
    ranges: dict[str, list[tuple[int, Any, Any]]] = {
        "Exp": [(1, nothing, overflow), (-1, nothing, underflow)],
        "Log": [(1, tiny, huge)],
    }
    for sign, low, high in ranges[layer]:
        first, last = (int(np.array(end, dtype).view(integers)) for end in (low, high))
        # An odd step, so that the last bits of the patterns take all values.
        step = max((last - first) * len(ranges[layer]) // points, 1) | 1
        for start in range(first, last - CHUNK * step + 1, CHUNK * step):
            patterns = start + step * np.arange(CHUNK, dtype=integers)
            yield sign * patterns.view(dtype)


def measure(
    implementation: Implementation, layer: str, dtype: str, points: int
) -> tuple[int, float, float]:
    """How many inputs were tried, the largest error in ulps, and the input it is at."""
    inputs, worst, at = 0, 0.0, 0.0
    wide = truth_dtype(dtype)
    for x in grid(layer, dtype, points):
        value = implementation.run_layer(layer, {"x": x}, np.ones_like(x))["out"]
        truth = FUNCTIONS[layer](x.astype(wide))
        ulp = np.spacing(np.abs(truth).astype(dtype)).astype(wide)
        errors = np.abs(value - truth) / ulp
        k = int(np.argmax(errors))
        if errors[k] > worst:
            worst, at = float(errors[k]), float(x[k])
        inputs += len(x)
    return inputs, worst, at


@cache
def measured() -> list[Measured]:
    """The data."""
    return TypeAdapter(list[Measured]).validate_json(DATA.read_bytes())


@cache
def ulps(layer: str, dtype: str, implementation: str) -> float:
    """The largest error of an implementation's exp or log, with any instructions.

    All float32 were tried: it cannot be larger. Among float64 it can, so that the next
    half is taken. An implementation that was not measured gets the largest of all.
    """
    framework = implementation.split("-")[0]
    rows = [row for row in measured() if (row.layer, row.dtype) == (layer, dtype)]
    own = [row for row in rows if row.implementation == framework] or rows
    largest = max(row.ulps for row in own)
    return largest if dtype == "float32" else np.ceil(2 * largest) / 2


def main() -> None:
    """Measure with these instructions; or, without an argument, with all in turn."""
    if len(sys.argv) == 1:
        print(f"on {platform.processor() or platform.machine()}", file=sys.stderr)
        rows: list[Any] = []
        for name, switches in INSTRUCTIONS.items():
            found = subprocess.run(
                [sys.executable, "-m", "parity_tests.elementary", name],
                env=os.environ | switches,
                stdout=subprocess.PIPE,
                check=True,
            )
            rows += json.loads(found.stdout)
        DATA.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        return
    found_here = []
    for name in MEASURED:
        for dtype, points in GRID.items():
            for layer in FUNCTIONS:
                tried, worst, at = measure(load(name), layer, dtype, points)
                row = Measured(
                    layer=layer,
                    dtype=dtype,
                    implementation=name,
                    instructions=sys.argv[1],
                    inputs=tried,
                    ulps=worst,
                    at=at,
                )
                print(row, file=sys.stderr)
                found_here.append(row.model_dump())
    print(json.dumps(found_here))


if __name__ == "__main__":
    main()
