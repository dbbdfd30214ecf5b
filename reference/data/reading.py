"""Reads files that may be anything: of a known kind, and no more than they may hold.

What a path leads to may be a pipe that nobody writes into, a device that never ends, or
fifty gigabytes of nothing; and JSON can be nested until there is no stack left. All of
that is an OSError or a ValueError here, within no time.
"""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
MIB = 2**20  # bytes
LARGEST_WHOLE = 2**63  # no whole number in JSON is as large, here


def check_regular(path: Path, most: int) -> None:
    """Raise OSError unless there is a regular file of at most so many bytes."""
    _check(os.stat(path), path, most)


def read_regular(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises OSError, whose `strerror` says what is there instead.
    """
    check_regular(path, most)  # to open a device can do something already
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        _check(status, path, most)
        content = file.read(status.st_size + 1)
    if len(content) > status.st_size:
        raise OSError(errno.EFBIG, "it is growing as it is read", str(path))
    return content


def _check(status: os.stat_result, path: Path, most: int) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind != stat.S_IFREG:
        found = KINDS.get(kind, "something else")
        raise OSError(errno.EINVAL, f"expected a regular file, got {found}", str(path))
    if status.st_size > most:
        expected = f"{most // MIB} MiB" if most >= MIB else f"{most} bytes"
        raise OSError(
            errno.EFBIG,
            f"expected at most {expected}, got {status.st_size:,} bytes",
            str(path),
        )


def parse_json(content: bytes) -> Any:
    """What JSON in UTF-8 says, where it is JSON in the strict sense: every key once,
    numbers that have a value, and text that can be written.

    Raises ValueError, also for what is nested too deeply and for whole numbers that do
    not fit into 64 bits.
    """
    text = content.decode()
    try:
        found = json.loads(
            text,
            object_pairs_hook=_each_once,
            parse_constant=_refused,
            parse_int=_whole,
        )
        if "\\ud" in text.lower():  # halves of a character, if the other one is missing
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"it has the key {twice!r} twice")
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number in JSON")


def _whole(digits: str) -> int:
    # Python refuses to read what has very many digits, in words about itself.
    if len(digits) > 20 or not -LARGEST_WHOLE <= int(digits) < LARGEST_WHOLE:
        raise ValueError(f"{digits[:20]}... does not fit into 64 bits")
    return int(digits)
