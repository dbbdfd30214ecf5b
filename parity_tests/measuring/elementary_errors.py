"""Measures the errors of elementary functions: all of them, or a few as a check.

`make elementary` renews what `elementary.json` has of this machine, with each set of
instructions that its processor has. Every run looks at a few numbers (`exceeded`), and
warns where this machine is less accurate than any that was measured.
"""

import argparse
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.implementations.backends import BACKENDS, Backend
from gradparity.parity_tests.implementations.contract import Implementation, framework
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.devices import processor
from gradparity.parity_tests.measuring.dtypes import is_wider, truth_dtype
from gradparity.parity_tests.measuring.elementary import (
    Measurement,
    Row,
    largest,
    measured,
    measurements,
    renewed,
    write,
)
from gradparity.parity_tests.measuring.processor_mode import ieee
from gradparity.parity_tests.measuring.records import Exceeded
from gradparity.reference.rounding.elementary import ELEMENTARY, Range

MEASURED = ("reference", "torch", "jax", "jax-jit")
CHUNK = 2**18
CLASSES = 1000
SUMS = 2**12  # at most, of exps in the loss, each of which takes a run of its own
NEIGHBOURS = 4  # on either side of a number near which a function may be less accurate
FEW = 2**9  # points of a check
VERSIONS = ("numpy", "torch", "jax", "jaxlib")

# What makes the libraries do without the instructions that a processor has.
NO_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}
NO_AVX512 |= {"ATEN_CPU_CAPABILITY": "avx2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
NO_AVX512 |= {"ONEDNN_MAX_CPU_ISA": "AVX2"}
NO_AVX = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
NO_AVX |= {"ATEN_CPU_CAPABILITY": "default", "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}
NO_AVX |= {"ONEDNN_MAX_CPU_ISA": "SSE41"}
X86 = {"AVX-512": {}, "AVX2": NO_AVX512, "SSE4.2": NO_AVX}


# --- Functions by themselves ----------------------------------------------------------


def _erf(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The C library's, which Python offers for float64."""
    function = np.frompyfunc(getattr(math, name), 1, 1)
    return lambda x: function(x).astype(x.dtype)


NUMPY: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "erf": _erf("erf"),
    "erfc": _erf("erfc"),
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sin": np.sin,
    "cos": np.cos,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "pow": lambda x: np.power(x, x),
}


def alone(
    implementation: Implementation, functions: Sequence[str], xs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """What a framework's own functions make of an array each."""
    backend = implementation.backend
    groups: dict[tuple[str, Any], list[int]] = {}
    for k, (function, x) in enumerate(zip(functions, xs, strict=True)):
        groups.setdefault((function.split()[0], x.dtype), []).append(k)
    together = [np.concatenate([xs[k] for k in group]) for group in groups.values()]
    names = tuple(name for name, _ in groups)
    values = of_framework(backend, names, together)
    found = list(xs)
    for group, value in zip(groups.values(), values, strict=True):
        ends = np.cumsum([len(xs[k]) for k in group])[:-1]
        for k, part in zip(group, np.split(value, ends), strict=True):
            found[k] = part
    return found


def of_framework(
    backend: Backend, names: tuple[str, ...], xs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """What its functions of these names make of an array each."""
    if backend.framework == "numpy":
        return [NUMPY[name](x) for name, x in zip(names, xs, strict=True)]
    module = framework(backend.framework)
    if backend.framework == "torch":
        pairs = zip(names, map(module.from_numpy, xs), strict=True)
        return [of_one(module, name)(x).numpy() for name, x in pairs]
    with module.enable_x64(True):
        found = program_of(names, backend.form == "jit")(*map(module.device_put, xs))
        return [np.asarray(value) for value in found]


def of_one(module: Any, name: str) -> Callable[[Any], Any]:
    """A framework's function of one number; of a power, x**x."""
    function = getattr(module, name)
    return (lambda x: function(x, x)) if name == "pow" else function


@cache
def program_of(names: Sequence[str], jit: bool) -> Callable[..., Any]:
    """JAX's functions of these names, of an array each, in one program."""
    jax = framework("jax")
    functions = [of_one(jax.lax, name) for name in names]

    def program(*xs: Any) -> list[Any]:
        return [function(x) for function, x in zip(functions, xs, strict=True)]

    return jax.jit(program) if jit else program


# --- Where they can be seen -----------------------------------------------------------


def by_itself(
    implementation: Implementation, place: "Place", x: np.ndarray
) -> np.ndarray:
    """What the framework's function makes of x."""
    return alone(implementation, [place.function], [x])[0]


def elementwise(
    implementation: Implementation, place: "Place", x: np.ndarray
) -> np.ndarray:
    """What a layer that is the function makes of x."""
    return implementation.run_layer(place.layer, {"x": x}, np.ones_like(x))["out"]


def exp_in_softmax(
    implementation: Implementation, place: "Place", x: np.ndarray
) -> np.ndarray:
    """The softmax of (x, 0) for an x so far below 0 that the sum of the exps is 1."""
    pair = np.stack([x, np.zeros_like(x)], axis=-1)
    results = implementation.run_layer(place.layer, {"x": pair}, np.ones_like(pair))
    return results["out"][:, 0]


def log_in_loss(
    implementation: Implementation, place: "Place", x: np.ndarray
) -> np.ndarray:
    """The loss of the first of some scores, of whose exps the sum is x: log(x).

    As many scores as x has ones are 0; one is the logarithm of what is left, if anything
    is (`sums` says how exactly); and the others are out of sight.
    """
    losses = []
    for total in x:
        ones = int(total)
        scores = np.where(np.arange(CLASSES + 1) < ones, 0, -1e4).astype(x.dtype)
        if total > ones:
            scores[-1] = np.log(truth_dtype(x.dtype)(total - ones))
        given = {"x": scores[np.newaxis], "t": np.zeros(1, np.int64)}
        one = np.ones((), x.dtype)
        losses.append(implementation.run_layer(place.layer, given, one)["out"])
    return np.array(losses)


def cdf_in_gelu(
    implementation: Implementation, place: "Place", x: np.ndarray
) -> np.ndarray:
    """What PyTorch's GELU multiplies x with, in the wider dtype. It is oneDNN that computes
    float32 that lie side by side, and ATen all others: the worse of the two.
    """
    torch = framework("torch")
    numbers = torch.from_numpy(x)
    spread = torch.stack([numbers, numbers], 1)[:, 0]
    gelu, truth = torch.nn.functional.gelu, truth_of(place.function, x)
    one, other = (
        gelu(each).numpy() / x.astype(truth.dtype) for each in (numbers, spread)
    )
    return np.where(np.abs(one - truth) > np.abs(other - truth), one, other)


def sums(dtype: str, points: int) -> np.ndarray:
    """Numbers in 1..CLASSES that are certainly what any implementation has for a sum of
    exps of that many: n, or n and a small fraction.

    exp(0) is 1, and the exp of the fraction's logarithm is off by so little that adding
    it to 1 gives the fraction again. For an exp that is off by at most 4 ulps, and a
    logarithm rounded to the dtype, that is so for fractions below 1 / 32; of those that
    are multiples of the spacing at n, all further additions are exact.
    """
    f: Any = np.finfo(dtype)
    integers = np.arange(1, CLASSES + 1, max(CLASSES // points, 1))
    n = np.tile(integers, max(points // len(integers) // 2, 1))
    spacing = np.spacing(n.astype(dtype)).astype(np.float64)
    octaves = -np.log2(spacing) - 5
    drawn = np.modf(np.arange(1, len(n) + 1) * (np.sqrt(5) - 1) / 2)[0]
    fractions = np.floor(2 ** (octaves * drawn)) * spacing
    near_1 = 1 + f.eps * np.floor(np.geomspace(1, 2.0**-5 / f.eps, max(points // 2, 2)))
    found = np.concatenate([integers, n + fractions, near_1])
    return np.unique(found[found <= CLASSES].astype(dtype))


@dataclass(frozen=True)
class Place:
    """Where a function can be seen: `compute` isolates it in a layer; or by itself.

    `ranges` are those of the function, where the layer does not let less of it be seen;
    `sample` is how many float64 are tried at most, and `single` how many float32;
    `only` is the framework that it can be seen in, if it is one alone.
    """

    function: str
    layer: str
    compute: Callable[[Implementation, "Place", np.ndarray], np.ndarray] = elementwise
    ranges: Callable[[Any], list[Range]] | None = None
    sample: int = 2**26
    single: int = 2**32  # all there are
    only: str = ""

    def points(self, dtype: str) -> int:
        """At most so many are tried."""
        return self.single if dtype == "float32" else self.sample

    def is_in(self, framework: str) -> bool:
        return self.only in ("", framework)

    def ends(self, dtype: str) -> list[Range]:
        """The ranges in a dtype."""
        return (self.ranges or ELEMENTARY[self.function].ranges)(np.finfo(dtype))

    def all_there_are(self, dtype: str) -> int:
        """How many numbers the ranges have; 0 where there are none."""
        return sum(last - first + 1 for _, first, last in self.patterns(dtype))

    def patterns(self, dtype: str) -> list[tuple[int, int, int]]:
        """The ranges, with the bits of their ends as integers: in order of magnitude."""
        ends = [(s, np.array(pair, dtype)) for s, *pair in self.ends(dtype)]
        bits = [(s, pair.view(same_size(dtype))) for s, pair in ends]
        return [(s, int(first), int(last)) for s, (first, last) in bits]


IN_LAYERS = [
    *(Place(s.elementary, s.name) for s in LAYERS.values() if s.elementary),
    Place("exp near overflow", "Exp"),
    Place("exp", "Softmax", exp_in_softmax, lambda f: [
        (-1, -np.log(f.eps / 4), -np.log(2 * f.smallest_normal)),
    ]),
    Place("log", "SoftmaxWithLoss", log_in_loss, lambda f: []),
]  # fmt: skip
SLOW = ("erf", "erfc")  # the truth takes a microsecond a number
BY_THEMSELVES = [
    Place(name, "", by_itself, sample=2**24 if name in SLOW else 2**26)
    for name in ELEMENTARY
    if name.split()[0] in NUMPY
]
# A function that no layer shows is measured by itself.
PLACES = [
    *IN_LAYERS,
    *(p for p in BY_THEMSELVES if p.function not in {q.function for q in IN_LAYERS}),
    Place("normal cdf", "", cdf_in_gelu, sample=2**24, single=2**26, only="torch"),
]


# --- At which numbers -----------------------------------------------------------------


def same_size(dtype: str) -> Any:
    """The integers of as many bits."""
    return np.dtype(dtype).str.replace("f", "i")


def grid(place: Place, dtype: str, points: int) -> Iterator[np.ndarray]:
    """Chunks of every k-th number, by their bit patterns: evenly spaced in each octave.
    Where those are not all there are, those near which errors may be larger, too.
    """
    integers, ranges = same_size(dtype), place.patterns(dtype)
    for sign, first, last in ranges:
        # An odd step, so that the last bits of the patterns take all values.
        step = max((last - first) * len(ranges) // points, 1) | 1
        for start in range(first, last + 1, CHUNK * step):
            stop = min(start + CHUNK * step, last + 1)
            patterns = np.arange(start, stop, step, dtype=integers)
            yield sign * patterns.view(dtype)
        if step > 1:
            near = neighbourhoods(first, last, dtype, points // len(ranges) // 2)
            for start in range(0, len(near), CHUNK):
                yield sign * near[start : start + CHUNK]
    if not ranges:  # each of these takes a run of its own
        yield sums(dtype, min(points // 2**10, SUMS) or 1)


def neighbourhoods(first: int, last: int, dtype: str, points: int) -> np.ndarray:
    """Numbers near those where algorithms change over, from one bit pattern to another:
    the ends; multiples of ln 2 / 256, at whose halves an exponential takes another power
    of 2 or another entry of its table; numbers of eight bits, which tables of logarithms
    begin with; and 1, from either side, in each octave of the distance.
    """
    integers = same_size(dtype)
    low, high = np.array([first, last], integers).view(dtype)
    each = max(points // (2 * NEIGHBOURS + 1) // 4, 2)  # of four groups
    eighths = np.arange(8, 16)[:, np.newaxis] / 16
    distances = np.ldexp(eighths, np.arange(1 - np.finfo(dtype).nmant, 0))
    ratio = np.log(np.longdouble(2)) / 256
    count = min(high / ratio, 2**18)
    multiples = np.arange(1, count + 1, max(count // each, 1)) * ratio
    exponents = np.arange(np.frexp(low)[1], np.frexp(high)[1] + 1)
    exponents = exponents[:: max(128 * len(exponents) // each, 1)]
    short = np.ldexp(np.arange(128, 256)[:, np.newaxis] / 256, exponents)
    centres = [np.array([low, high], dtype)]
    for group in (1 - distances, 1 + distances, multiples, short):
        inside = np.ravel(group)
        inside = inside[(inside >= low) & (inside <= high)]
        centres.append(inside[:: max(-(-len(inside) // each), 1)].astype(dtype))
    patterns = np.concatenate(centres).view(integers)[:, np.newaxis]
    near = np.unique(patterns + np.arange(-NEIGHBOURS, NEIGHBOURS + 1, dtype=integers))
    return near[(near >= first) & (near <= last)].view(dtype)


# --- The errors -----------------------------------------------------------------------


@dataclass(frozen=True)
class Worst:
    """Of so many inputs, the largest error, in ulps, and the input it is at."""

    inputs: int = 0
    ulps: float = 0.0
    at: float = 0.0

    def __or__(self, other: "Worst") -> "Worst":
        worst = other if other.ulps > self.ulps else self
        return Worst(self.inputs + other.inputs, worst.ulps, worst.at)


def worst(function: str, value: np.ndarray, truth: np.ndarray, x: np.ndarray) -> Worst:
    """How far what was computed of x for a function is from the truth."""
    size = np.ones_like(truth) if ELEMENTARY[function].absolute else np.abs(truth)
    ulp = np.spacing(size.astype(x.dtype)).astype(truth.dtype)
    errors = np.nan_to_num(np.abs(value - truth) / ulp, nan=np.inf)
    k = int(np.argmax(errors))
    return Worst(len(x), float(errors[k]), float(x[k]))


def truth_of(function: str, x: np.ndarray) -> np.ndarray:
    """What a function is at x, in the wider dtype."""
    return ELEMENTARY[function].function(x.astype(truth_dtype(x.dtype)))


def measure(
    implementations: Sequence[Implementation], place: Place, dtype: str, points: int
) -> list[Worst]:
    """The largest error of each of the implementations, on the same numbers."""
    found = [Worst()] * len(implementations)
    for x in grid(place, dtype, points):
        truth = truth_of(place.function, x)
        found = [
            so_far | worst(place.function, place.compute(each, place, x), truth, x)
            for so_far, each in zip(found, implementations, strict=True)
        ]
    return found


# --- The check ------------------------------------------------------------------------


@cache
def exceeded(
    frameworks: Sequence[str], dtypes: Sequence[str], functions: Sequence[str]
) -> list[Exceeded]:
    """What this machine computes less accurately than the bounds allow, by the largest
    error among a few numbers and those that were worst before. All are tuples.

    JAX's functions are one program, since to compile takes long; those of others are seen
    in the layers, too. Where no dtype is wider, there is nothing to look at. They compute
    in the mode that is in force, and what they are held against does not.
    """
    found = []
    dtypes = [dtype for dtype in dtypes if is_wider(truth_dtype(dtype), dtype)]
    for name in MEASURED[:2] + MEASURED[3:]:
        if not functions or BACKENDS[name].framework not in frameworks:
            continue
        each = load(name)
        compiled = each.backend.form == "jit"
        places = BY_THEMSELVES if compiled else PLACES
        places = [p for p in places if p.is_in(each.backend.framework)]
        pairs = [(p, d) for p in places if p.function in functions for d in dtypes]
        with ieee():
            xs = [few(place, dtype) for place, dtype in pairs]
            truths = [
                truth_of(p.function, x) for (p, _), x in zip(pairs, xs, strict=True)
            ]
        if compiled and pairs:
            results = alone(each, [place.function for place, _ in pairs], xs)
        else:
            results = [
                place.compute(each, place, x)
                for (place, _), x in zip(pairs, xs, strict=True)
            ]
        for (place, dtype), *at_these in zip(pairs, results, truths, xs, strict=True):
            with ieee():
                here = worst(place.function, *at_these)
            row = largest(place.function, dtype, each.backend)
            if row is not None and here.ulps > row.allowed:
                found.append(
                    Exceeded(
                        function=place.function,
                        layer=place.layer,
                        dtype=dtype,
                        framework=each.backend.framework,
                        ulps=here.ulps,
                        at=here.at,
                        allowed=row.allowed,
                        measured=f"{row.instructions}, {row.platform}",
                    )
                )
    return found


def few(place: Place, dtype: str) -> np.ndarray:
    """A coarse grid, and where any implementation was found to be worst."""
    ranges = place.ends(dtype)
    known = [
        row.at
        for row in measured()
        if (row.function, row.dtype) == (place.function, dtype)
        and (any(lo <= s * row.at <= hi for s, lo, hi in ranges) or (
            not ranges and row.layer == place.layer
        ))
    ]  # fmt: skip
    return np.concatenate([*grid(place, dtype, FEW), np.array(known, dtype)])


# --- The whole of it ------------------------------------------------------------------


def instructions_here() -> dict[str, dict[str, str]]:
    """The sets of instructions to measure with, and what switches the others off: of x86,
    as far as the processor has them; elsewhere, what there is.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return {platform.machine(): {}}
    found = np.lib.introspect.opt_func_info(func_name="^exp$")
    has_avx512 = found["exp"]["ff"]["current"] in ("AVX512_SKX", "X86_V4")
    return {name: X86[name] for name in X86 if has_avx512 or name != "AVX-512"}


def versions() -> dict[str, str]:
    """Those of the libraries, and of the C library, which NumPy and Python compute with."""
    found = {name: framework(name).__version__ for name in VERSIONS}
    return found | {"libc": " ".join(platform.libc_ver()).strip() or platform.release()}


def features() -> dict[str, str]:
    """The processor's instructions, as the libraries in this process see them."""
    simd: Any = np.show_config(mode="dicts")
    simd = simd["SIMD Extensions"]
    numpy = [*simd["baseline"], *simd.get("found", [])]
    torch = framework("torch").backends.cpu.get_cpu_capability()
    return {
        "numpy": " ".join(numpy),
        "torch": torch,
        "xla": os.environ.get("XLA_FLAGS") or "all that the processor has",
    }


def measured_here(
    instructions: str,
    places: Sequence[Place],
    dtypes: Sequence[str],
    most: int = 2**32,
) -> Measurement:
    """Every place in this process, which has these instructions, with so many numbers."""
    implementations = [load(name) for name in MEASURED]
    rows = []
    for place in places:
        seen = [i for i in implementations if place.is_in(i.backend.framework)]
        for dtype in dtypes:
            found = measure(seen, place, dtype, min(place.points(dtype), most))
            for name, each in zip((i.name for i in seen), found, strict=True):
                row = Row(
                    function=place.function,
                    layer=place.layer,
                    dtype=dtype,
                    implementation=name,
                    ranges=[
                        (float(sign * low), float(sign * high))
                        for sign, low, high in place.ends(dtype)
                    ],
                    inputs=each.inputs,
                    every=each.inputs == place.all_there_are(dtype),
                    ulps=each.ulps,
                    at=each.at,
                )
                print(row, file=sys.stderr, flush=True)
                rows.append(row)
    return Measurement(
        platform=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        instructions=instructions,
        features=features(),
        versions=versions(),
        rows=rows,
    )


def main() -> None:
    """Renew the data of this machine, or of it what is of some functions and dtypes; or,
    with `--instructions`, print what is measured in this process.
    """
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("functions", nargs="*", help="which to measure (default: all)")
    parser.add_argument("--dtype", choices=DTYPES, help="one alone (default: both)")
    parser.add_argument("--instructions", help="those of this run, which are in force")
    given = parser.parse_args()
    functions = given.functions or list(ELEMENTARY)
    if unknown := [name for name in functions if name not in ELEMENTARY]:
        parser.error(f"expected some of {', '.join(ELEMENTARY)}, got {unknown[0]}")
    dtypes = [given.dtype] if given.dtype else list(DTYPES)
    for dtype in [d for d in dtypes if not is_wider(truth_dtype(d), d)]:
        print(f"{dtype} is not measured: no dtype is wider here", file=sys.stderr)
        dtypes.remove(dtype)
    if given.instructions:
        places = [place for place in PLACES if place.function in functions]
        print(measured_here(given.instructions, places, dtypes).model_dump_json())
        return
    new = []
    for name, switches in instructions_here().items():
        for dtype in dtypes:
            options = ["--instructions", name, "--dtype", dtype]
            output = subprocess.run(
                [sys.executable, "-m", __spec__.name, *options, *functions],
                env=os.environ | switches,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            new.append(Measurement.model_validate_json(output))
    write(renewed(measurements(), new))


if __name__ == "__main__":
    main()
