"""Where the interpreter and the libraries lie: what a submission reads beside its own.

It imports what is installed, NumPy, PyTorch or JAX, and not this project.
"""

import os
import sys
import sysconfig
from pathlib import Path

from gradparity.parity_tests.grading.landlock import around

OURS = "gradparity"
INSTALLED = ("site-packages", "dist-packages")  # how folders of packages are called
# What the C library, OpenMP, fonts, time zones and certificates are read from; none of it
# is anybody's secret.
SYSTEM = (
    *("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64"),
    *("/usr/local/lib", "/usr/local/lib64", "/usr/share", "/usr/local/share"),
    *("/nix/store", "/gnu/store"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/fonts"),
    *("/etc/mime.types", "/etc/apache2/mime.types", "/etc/nsswitch.conf"),
    *("/etc/ssl/openssl.cnf", "/etc/ssl/certs", "/etc/pki/tls"),
    *("/dev/zero", "/dev/random", "/dev/urandom"),
    *(
        "/proc/self",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/filesystems",
    ),
    *("/proc/version", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel"),
    *("/sys/bus", "/sys/class", "/sys/devices", "/sys/kernel/mm/transparent_hugepage"),
)


def search_path() -> list[str]:
    """The folders of `sys.path` that there are, each once, links followed."""
    found = [str(Path(each).resolve()) for each in sys.path if each]
    return [each for each in dict.fromkeys(found) if Path(each).exists()]


def import_path() -> list[str]:
    """Those folders of `sys.path` that packages and the standard library lie in, and not
    the folder of whoever started Python.
    """
    inside = tuple(map(str, _of_python()))
    return [
        each
        for each in search_path()
        if Path(each).name in INSTALLED or each.startswith(inside)
    ]


def readable() -> list[Path]:
    """The folders and files of interpreter, libraries and system that there are, without
    this project.
    """
    more = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    fonts = os.environ.get("MPLCONFIGDIR", "")
    named = [*import_path(), *SYSTEM, *more, fonts]
    roots = {Path(each).resolve() for each in named if each and os.path.exists(each)}
    roots |= {path for path in _of_python() if path.exists()}
    hidden = {
        path / OURS for path in map(Path, import_path()) if (path / OURS).exists()
    }
    return [*around(roots, hidden)]


def _of_python() -> list[Path]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [sysconfig.get_path(name) for name in names]
    found.append(sysconfig.get_config_var("LIBDIR"))
    return [Path(each).resolve() for each in found if each]
