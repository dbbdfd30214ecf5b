"""How well exp, log and tanh are computed: measured, and kept in `elementary.json`.

No library promises how its exponential is rounded. Which one runs depends on the layer
(PyTorch's softmax has another than `torch.exp`) and on the instructions that the
processor has. So the rounding bounds allow each framework the largest error that was
seen of it, in ulps, over all float32 and a fine grid of float64. `make elementary` renews
the data, with the instructions that the processor has; the suite looks at a coarser grid
each time.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.implementations.backends import BACKENDS, Backend
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.dtypes import truth_dtype
from gradparity.parity_tests.measuring.records import Record
from gradparity.reference.rounding.elementary import ELEMENTARY, Range

DATA = Path(__file__).with_name("elementary.json")
MEASURED = ("reference", "torch", "jax", "jax-jit")
CHUNK = 2**18
CLASSES = 1000
GRID = {"float32": 2**32, "float64": 2**26}  # points at most; of float32, all there are

# What makes the libraries do without the instructions that a processor has.
NO_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}
NO_AVX512 |= {"ATEN_CPU_CAPABILITY": "avx2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
NO_AVX = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
NO_AVX |= {"ATEN_CPU_CAPABILITY": "default", "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}
INSTRUCTIONS = {"AVX-512": {}, "AVX2": NO_AVX512, "SSE4.2": NO_AVX}


class Measured(Record):
    """The largest error of a function that was seen in a layer, among so many inputs."""

    function: str
    layer: str
    dtype: str
    implementation: str
    instructions: str
    inputs: int
    ulps: float
    at: float


def elementwise(
    implementation: Implementation, layer: str, x: np.ndarray
) -> np.ndarray:
    """What a layer that is the function makes of x."""
    return implementation.run_layer(layer, {"x": x}, np.ones_like(x))["out"]


def exp_in_softmax(
    implementation: Implementation, layer: str, x: np.ndarray
) -> np.ndarray:
    """The softmax of (x, 0) for an x so far below 0 that the sum of the exps is 1."""
    pair = np.stack([x, np.zeros_like(x)], axis=-1)
    results = implementation.run_layer(layer, {"x": pair}, np.ones_like(pair))
    return results["out"][:, 0]


def log_in_loss(
    implementation: Implementation, layer: str, x: np.ndarray
) -> np.ndarray:
    """The loss of one among n scores of 0, the others being out of sight: log(n)."""
    losses = []
    for n in x:
        scores = np.where(np.arange(CLASSES) < n, 0, -1e4).astype(x.dtype)[np.newaxis]
        given = {"x": scores, "t": np.zeros(1, np.int64)}
        losses.append(implementation.run_layer(layer, given, np.ones((), x.dtype)))
    return np.array([results["out"] for results in losses])


@dataclass(frozen=True)
class Place:
    """Where a function can be seen: `compute` isolates it in a layer.

    `ranges` are those of the function, where the layer does not let less of it be seen.
    """

    function: str
    layer: str
    compute: Callable[[Implementation, str, np.ndarray], np.ndarray] = elementwise
    ranges: Callable[[Any], list[Range]] | None = None

    def ends(self, dtype: str) -> list[Range]:
        """The ranges in a dtype."""
        return (self.ranges or ELEMENTARY[self.function].ranges)(np.finfo(dtype))


PLACES = [
    *(Place(s.elementary, s.name) for s in LAYERS.values() if s.elementary),
    Place("exp near overflow", "Exp"),
    Place("exp", "Softmax", exp_in_softmax, lambda f: [
        (-1, -np.log(f.eps / 4), -np.log(2 * f.smallest_normal)),
    ]),
    Place("log", "SoftmaxWithLoss", log_in_loss, lambda f: []),
]  # fmt: skip


def grid(place: Place, dtype: str, points: int) -> Iterator[np.ndarray]:
    """Chunks of every k-th number, by their bit patterns: evenly spaced in each octave."""
    integers: Any = np.dtype(dtype).str.replace("f", "i")
    ranges = place.ends(dtype)
    for sign, low, high in ranges:
        first, last = (int(np.array(end, dtype).view(integers)) for end in (low, high))
        # An odd step, so that the last bits of the patterns take all values.
        step = max((last - first) * len(ranges) // points, 1) | 1
        for start in range(first, last + 1, CHUNK * step):
            stop = min(start + CHUNK * step, last + 1)
            patterns = np.arange(start, stop, step, dtype=integers)
            yield sign * patterns.view(dtype)
    if not ranges:  # each of these takes a run of its own
        yield np.arange(1, CLASSES + 1, max(2**20 // points, 1), dtype=dtype)


def measure(
    implementation: Implementation, place: Place, dtype: str, points: int
) -> tuple[int, float, float]:
    """How many inputs were tried, the largest error in ulps, and the input it is at."""
    inputs, worst, at = 0, 0.0, 0.0
    wide = truth_dtype(dtype)
    for x in grid(place, dtype, points):
        value = place.compute(implementation, place.layer, x)
        truth = ELEMENTARY[place.function].function(x.astype(wide))
        ulp = np.spacing(np.abs(truth).astype(dtype)).astype(wide)
        errors = np.nan_to_num(np.abs(value - truth) / ulp, nan=np.inf)
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
def ulps(function: str, dtype: str, backend: Backend) -> float:
    """The largest error of a framework's function, in any layer, with any instructions.

    All float32 were tried: it cannot be larger. Among float64 it can, so that the next
    half is taken. A framework that was not measured gets the largest of all.
    """
    rows = [r for r in measured() if (r.function, r.dtype) == (function, dtype)]
    of = backend.framework
    own = [r for r in rows if BACKENDS[r.implementation].framework == of] or rows
    largest = max(row.ulps for row in own)
    return largest if dtype == "float32" else np.ceil(2 * largest) / 2


def has_avx512() -> bool:
    """Whether NumPy sees AVX-512 on this processor."""
    found = np.lib.introspect.opt_func_info(func_name="^exp$")
    return found["exp"]["ff"]["current"] in ("AVX512_SKX", "X86_V4")


def measured_here(instructions: str, places: Sequence[Place]) -> Iterator[Measured]:
    """Every place in this process, which has these instructions."""
    for name, (dtype, points), place in product(MEASURED, GRID.items(), places):
        inputs, worst, at = measure(load(name), place, dtype, points)
        yield Measured(
            function=place.function,
            layer=place.layer,
            dtype=dtype,
            implementation=name,
            instructions=instructions,
            inputs=inputs,
            ulps=worst,
            at=at,
        )


def measured_in_turn(functions: Sequence[str]) -> list[Measured]:
    """With each set of instructions that this processor has, in a process of its own."""
    found = []
    for name, switches in INSTRUCTIONS.items():
        if name == "AVX-512" and not has_avx512():
            print("no AVX-512 here: what was measured with it stays", file=sys.stderr)
            continue
        command = [sys.executable, "-m", __spec__.name, "--instructions", name]
        output = subprocess.run(
            [*command, *functions],
            env=os.environ | switches,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        found += [Measured.model_validate_json(line) for line in output.splitlines()]
    return found


def key(row: Measured) -> tuple[Any, ...]:
    """Where a row stands in the data."""
    return (
        list(INSTRUCTIONS).index(row.instructions),
        MEASURED.index(row.implementation),
        list(GRID).index(row.dtype),
        list(ELEMENTARY).index(row.function),
        row.layer,
    )


def main() -> None:
    """Renew the data, or of it what is of some functions; or, with `--instructions`,
    print a row a line of what is measured in this process.
    """
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("functions", nargs="*", help="which to measure (default: all)")
    parser.add_argument(
        "--instructions", choices=INSTRUCTIONS, help="those of this run"
    )
    given = parser.parse_args()
    functions = given.functions or list(ELEMENTARY)
    if unknown := [name for name in functions if name not in ELEMENTARY]:
        parser.error(f"expected some of {', '.join(ELEMENTARY)}, got {unknown[0]}")
    if given.instructions:
        places = [place for place in PLACES if place.function in functions]
        for row in measured_here(given.instructions, places):
            print(row, file=sys.stderr)
            print(row.model_dump_json(), flush=True)
        return
    rows = {key(row): row for row in (*measured(), *measured_in_turn(functions))}
    in_order = [rows[at].model_dump() for at in sorted(rows)]
    DATA.write_text(json.dumps(in_order, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
