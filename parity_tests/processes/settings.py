"""How a process that computes is set up, before it imports any framework.

None of it changes a result: it is about threads that wait, and memory that is given back
only to be asked for again. The command does it for itself, and for those that it starts.
"""

import ctypes
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# NumPy's OpenBLAS lets its threads wait for more work without sleeping, and that for so
# long (2^26 cycles) that PyTorch's, which come next, have to share processors with them:
# a training took three times as long. 2^20 cycles are half a millisecond, which is longer
# than a training step needs from one product to the next.
WAITING: Mapping[str, str] = MappingProxyType({"OPENBLAS_THREAD_TIMEOUT": "20"})

OWN_DESCRIPTORS, DESCRIPTORS = (
    16,
    8,
)  # a process's own, and those for each that it starts
ENOUGH = 8192  # descriptors
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def threads(count: int) -> dict[str, str]:
    """The environment of a process whose arithmetic is to use so many threads."""
    names = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"
    found = {name: str(count) for name in names}  # the last is XLA's
    if count == 1:
        flags = os.environ.get("XLA_FLAGS", ""), "--xla_cpu_multi_thread_eigen=false"
        found["XLA_FLAGS"] = " ".join(flags).strip()
    return found


def keep_memory() -> None:
    """Do not give memory back to the system with every array that is no longer needed.

    Where glibc does, a training step asks for hundreds of pages anew, and each comes
    filled with zeros: measured, up to 700 page faults and twice the time.
    """
    _glibc("mallopt", M_TRIM_THRESHOLD, 2**24)
    _glibc("mallopt", M_MMAP_THRESHOLD, 2**23)


def most_processes() -> int:
    """How many processes can be started side by side with the file descriptors that this
    one may have; it gives itself as many as the system lets it.
    """
    if resource is None:  # Windows
        return sys.maxsize
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= ENOUGH:
        return ENOUGH // DESCRIPTORS
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max((most - OWN_DESCRIPTORS) // DESCRIPTORS, 1)


def give_back_memory() -> None:
    """To the system, as far as it is no longer used: what `keep_memory` keeps."""
    _glibc("malloc_trim", 0)


def forget_programs() -> None:
    """What JAX has compiled, a megabyte for each program."""
    jax = sys.modules.get("jax")
    if jax is not None:
        jax.clear_caches()


def _glibc(name: str, *arguments: int) -> None:
    """Call a function that only glibc has; elsewhere, do nothing."""
    function = getattr(ctypes.CDLL(None), name, None) if os.name != "nt" else None
    if function is not None:
        function(*arguments)
