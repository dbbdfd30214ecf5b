"""What a run depends on: versions, threads, and the switches that change arithmetic."""

import os
import platform
from collections.abc import Callable
from importlib import metadata
from types import ModuleType

import numpy as np
import threadpoolctl

from gradparity.parity_tests.checking.accuracy import less_accurate
from gradparity.parity_tests.implementations.contract import NotInstalled, framework
from gradparity.parity_tests.implementations.user_supplied import announced
from gradparity.parity_tests.measuring.devices import (
    numpy_flushes,
    numpy_rounds,
    processor,
)
from gradparity.parity_tests.measuring.elementary_errors import MEASURED
from gradparity.reports.results import Environment

VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("OPENBLAS_CORETYPE", "MKL_CBWR", "NVIDIA_TF32_OVERRIDE"),
    *("JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_PLATFORMS", "XLA_FLAGS"),
)
PACKAGES = ("jaxlib", "scipy", "scikit-learn", "optax", "typer", "rich")


def describe() -> Environment:
    """This machine, as it is now. Imports torch and JAX if they can be imported."""
    missing: dict[str, str] = {}
    torch, jax = module("torch", missing), module("jax", missing)
    switches = {
        "longdouble eps": f"{np.finfo(np.longdouble).eps:.3g}",
        "numpy subnormal numbers": "flushed to zero" if numpy_flushes() else "kept",
        "numpy rounding": numpy_rounds(),
    }
    if torch:
        switches |= read_switches(TORCH_SWITCHES, torch)
    if jax:
        switches |= read_switches(JAX_SWITCHES, jax)
    switches |= {name: os.environ[name] for name in VARIABLES if name in os.environ}
    pools = [p for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
    numpys = [p for p in pools if "numpy" in p["filepath"]] or pools
    blas = numpys[0] if numpys else {}
    named = (blas.get("internal_api"), blas.get("version"), blas.get("architecture"))
    return Environment(
        gradparity=metadata.version("gradparity"),
        python=platform.python_version(),
        numpy=np.__version__,
        torch=torch.__version__ if torch else None,
        jax=jax.__version__ if jax else None,
        platform=f"{platform.system()} {platform.machine()}",
        cpu=processor(),
        blas=" ".join(filter(None, named)) or "unknown",
        threads={
            "processors": os.cpu_count(),
            "blas": blas.get("num_threads"),
            "torch": torch.get_num_threads() if torch else None,
        },
        packages={name: found for name in PACKAGES if (found := version(name))},
        switches=switches,
        announced=announced(),
        missing=missing,
    )


def with_accuracy(environment: Environment) -> Environment:
    """The same with what the frameworks that are here compute less accurately than the
    bounds allow.
    """
    exceeded = less_accurate(MEASURED)
    return environment.model_copy(update={"exceeded": exceeded})


def version(package: str) -> str | None:
    """Its version, or None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def module(name: str, missing: dict[str, str]) -> ModuleType | None:
    """The module; or None where it cannot be imported: `missing` has the reason then."""
    try:
        return framework(name)
    except NotInstalled as reason:
        missing[name] = str(reason)
        return None


SMALL = 2.0**-126  # the smallest normal float32


def subnormals(eighth: object) -> str:
    """What became of an eighth of SMALL."""
    return "kept" if float(eighth) else "flushed to zero"  # type: ignore[arg-type]


TORCH_SWITCHES: dict[str, Callable[[ModuleType], object]] = {
    "torch float32 matmul precision": lambda t: t.get_float32_matmul_precision(),
    "torch TF32 in cuDNN": lambda t: t.backends.cudnn.allow_tf32,
    "torch deterministic": lambda t: t.are_deterministic_algorithms_enabled(),
    "torch oneDNN": lambda t: t.backends.mkldnn.is_available(),
    "torch CUDA": lambda t: t.version.cuda or "none",
    "torch CPU capability": lambda t: t.backends.cpu.get_cpu_capability(),
    "torch subnormal numbers": lambda t: subnormals(t.tensor(SMALL) * 0.125),
}
JAX_SWITCHES: dict[str, Callable[[ModuleType], object]] = {
    "jax x64 by default": lambda j: j.config.jax_enable_x64,
    "jax matmul precision": lambda j: (
        j.config.jax_default_matmul_precision or "default"
    ),
    "jax backend": lambda j: j.default_backend(),
    "jax subnormal numbers": lambda j: subnormals(j.numpy.float32(SMALL) * 0.125),
}


def read_switches(
    switches: dict[str, Callable[[ModuleType], object]], framework: ModuleType
) -> dict[str, str]:
    """The value of every switch that this version of the framework has."""
    found = {}
    for name, read in switches.items():
        try:
            found[name] = str(read(framework))
        except AttributeError:
            found[name] = "not available in this version"
    return found
