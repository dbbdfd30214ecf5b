"""What of the machine's files a process can still reach: Landlock, of Linux 5.13 and later.

A submission reads the interpreter, the libraries and its own copy, and writes into its
working folder. All else is shut: homes, terminals, other submissions, other processes, and
this project's own layers.
"""

import os
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from gradparity.parity_tests.grading.linux import NO_NEW_PRIVILEGES, call, prctl

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all machines
VERSION, PATH_BENEATH = 1, 1
# Landlock knows rights by the number of their bit, and in version after version more of
# them: those that it does not know must not be asked for.
RIGHTS = {
    "execute": (0, 1),
    "write": (1, 1),
    "read": (2, 1),
    "list": (3, 1),
    "remove a folder": (4, 1),
    "remove a file": (5, 1),
    "make a character device": (6, 1),
    "make a folder": (7, 1),
    "make a file": (8, 1),
    "make a socket": (9, 1),
    "make a pipe": (10, 1),
    "make a block device": (11, 1),
    "make a link": (12, 1),
    "move between folders": (13, 2),
    "truncate": (14, 3),
    "control a device": (15, 5),
}
# A file that is removed while it is mapped still takes its space, and nobody sees it: what
# is written stays.
TO_WRITE = (
    *("read", "list", "write", "truncate", "remove a folder"),
    *("make a folder", "make a file", "make a link", "move between folders"),
)
TO_READ = ("read", "list")
OF_A_FILE = frozenset({"read", "write", "truncate", "control a device"})
NOWHERE = {Path(os.devnull): ("read", "write", "truncate", "control a device")}
NET, SCOPES = (4, 0b11), (6, 0b11)  # TCP; sockets without a name, and signals


def reach_only(readable: Collection[Path], writable: Collection[Path]) -> None:
    """Shut everything but these folders and files, for good.

    Raises OSError where the kernel has no Landlock.
    """
    version = call(CREATE_RULESET, None, 0, VERSION)
    words = [_bits(RIGHTS, version)]
    words += [bits for since, bits in (NET, SCOPES) if version >= since]
    attribute = struct.pack(f"={len(words)}Q", *words)
    rules = call(CREATE_RULESET, attribute, len(attribute), 0)
    granted = dict.fromkeys(readable, TO_READ) | dict.fromkeys(writable, TO_WRITE)
    for path, rights in (granted | NOWHERE).items():
        with suppress(OSError):  # what cannot be opened now, cannot be reached then
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            possible = rights if path.is_dir() else OF_A_FILE.intersection(rights)
            rule = struct.pack("=Qi", _bits(possible, version), place)
            call(ADD_RULE, rules, PATH_BENEATH, rule, 0)
            os.close(place)
    prctl(NO_NEW_PRIVILEGES, 1)
    call(RESTRICT_SELF, rules, 0)
    os.close(rules)


def _bits(rights: Collection[str], version: int) -> int:
    known = [RIGHTS[name] for name in rights]
    return sum(1 << bit for bit, since in known if since <= version)


def around(roots: Collection[Path], hidden: Collection[Path]) -> Iterator[Path]:
    """The roots; of one that has something hidden in it, whatever is around that.

    A rule is for all that is below a folder, and none can take a part of it away.
    """
    for root in roots:
        if root in hidden:
            continue
        if any(each.is_relative_to(root) for each in hidden):
            yield from around([*root.iterdir()], hidden)
        else:
            yield root
