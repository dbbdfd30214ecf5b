"""The processor's floating-point mode, which every thread has for itself.

`torch.set_flush_denormal`, or a library that was built for speed, may have set it so that
subnormal numbers are zero. What is judged runs in the mode that is in force; what judges
runs as IEEE 754 has it.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

ENVIRONMENT = 256  # bytes; no C library's fenv_t is larger
DEFAULT = ctypes.c_void_p(1 if sys.platform == "darwin" else -1)  # FE_DFL_ENV


@contextmanager
def ieee() -> Iterator[None]:
    """In this thread, and until the end of the block, compute as IEEE 754 has it.

    Where the C library does not offer that, the mode stays as it is.
    """
    with mode_kept():
        if library := _c_library():
            library.fesetenv(DEFAULT)
        yield


@contextmanager
def mode_kept() -> Iterator[None]:
    """Whatever happens to this thread's mode in the block, put it back at the end."""
    library, before = _c_library(), ctypes.create_string_buffer(ENVIRONMENT)
    if library:
        library.fegetenv(before)
    try:
        yield
    finally:
        if library:
            library.fesetenv(before)


@cache
def _c_library() -> ctypes.CDLL | None:
    """The library that has fegetenv and fesetenv, if there is one."""
    if sys.platform == "win32":
        return None
    for name in (None, "libm.so.6"):
        try:
            library = ctypes.CDLL(name)
            if library.fegetenv and library.fesetenv:
                return library
        except (OSError, AttributeError):
            continue
    return None
