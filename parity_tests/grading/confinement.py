"""Limits that a process puts on itself before it runs what somebody else has written.

What a process gives up in this way nothing gives back to it: no privilege is needed to
confine oneself, and none helps out of it. Every system offers something else; `confine`
takes what there is and says what is lacking. Linux offers most: a filter of system calls
(seccomp) takes away new processes, the network and signals, and Landlock takes away
writing. The standard library reaches neither, so they are called through ctypes.
"""

import ctypes
import errno
import math
import os
import struct
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Of one submission: seconds by the clock, bytes of address space, of any one file,
    of all that it leaves in its working folder, and of all results; and processes, of
    which it is the first.
    """

    seconds: float = 30.0
    memory: int = 2048 * MIB
    file_size: int = 16 * MIB
    folder_size: int = 64 * MIB
    answer_size: int = 64 * MIB
    processes: int = 1


# What can be lacking, and what that means to whoever grades.
LACKING = {
    "memory": "the memory of a submission is not limited",
    "sizes": "the size of a file that a submission writes is not limited",
    "writing": "a submission can write wherever the user can, and see the environment of "
    "other processes",
    "calls": "a submission can reach the network and signal other processes",
    "processes": "a submission can start processes",
}
OPEN_FILES = 64


def confine(limits: Limits, writable: Path, without: Collection[str] = ()) -> list[str]:
    """Confine this process, for good; it must have one thread only.

    Args:
        writable: the one folder in which files may be written from now on.
        without: keys of `LACKING` that are to be lacking here as on another system.

    Returns:
        The keys of `LACKING` that this system does not offer.
    """
    _done(_give_up_privileges)
    steps: dict[str, Callable[[], None]] = {
        "memory": lambda: _limit_memory(limits),
        "sizes": lambda: _limit_sizes(limits),
        "writing": lambda: _write_only_in(writable),
        "calls": _filter_calls,
    }
    lacking = [key for key in steps if key in without or not _done(steps[key])]
    if "calls" in lacking and (
        "processes" in without or not _done(lambda: _limit_processes(limits))
    ):
        lacking.append("processes")
    return lacking


def _done(step: Callable[[], None]) -> bool:
    try:
        step()
    except (ImportError, OSError, ValueError):
        return False
    return True


def _limit_memory(limits: Limits) -> None:
    if sys.platform == "darwin":
        raise OSError(errno.ENOSYS, "macOS does not keep to RLIMIT_AS")
    _limit("AS", limits.memory)


def _limit_sizes(limits: Limits) -> None:
    """And the processor's time, should nobody look at the clock."""
    seconds = math.ceil(limits.seconds) + 1
    for name, value in (
        ("FSIZE", limits.file_size),
        ("CORE", 0),
        ("NOFILE", OPEN_FILES),
        ("CPU", seconds),
    ):
        _limit(name, value)


def _limit_processes(limits: Limits) -> None:
    """All processes of the user count, so that there can be none beside."""
    if os.name == "nt" or os.getuid() == 0:
        raise OSError(errno.EPERM, "there is no limit of processes that would bind")
    _limit("NPROC", limits.processes)


def _limit(name: str, value: int) -> None:
    import resource  # Windows has none

    kind = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(kind)[1]
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (most, most))


# The C library, and the three calls of Landlock, which are the same on all machines.

_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1


def _c_library() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "not Linux")
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def _checked(returned: int) -> int:
    if returned < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return returned


def _prctl(*arguments: int) -> None:
    words = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:5]]
    _checked(_c_library().prctl(*words))


def _call(number: int, *arguments: bytes | int | None) -> int:
    words = [
        each if each is None or isinstance(each, bytes) else ctypes.c_long(each)
        for each in arguments
    ]
    return _checked(_c_library().syscall(ctypes.c_long(number), *words))


def end_with_parent(parent: int) -> None:
    """Have this process killed when the thread that started it is no more (Linux)."""
    if sys.platform == "linux":
        _prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
        if os.getppid() != parent:  # which is no more already
            os._exit(1)


def _give_up_privileges() -> None:
    """Root without its capabilities is nearly a user like others: with them, it may read
    the environment of the process that grades.
    """
    header = struct.pack("=Ii", 0x20080522, 0)  # version 3 of the format, this process
    _checked(_c_library().capset(header, bytes(24)))


# Writing. Landlock knows rights by the number of their bit, and in version after version
# more of them: those that it does not know must not be asked for.

_RIGHTS = {
    "execute": (0, 1),
    "write": (1, 1),
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
_IN_FOLDER = (
    "write",
    "remove a folder",
    "make a folder",
    "make a file",
    "make a pipe",
    "make a link",
    "move between folders",
    "truncate",
)
_TO_NOWHERE = ("write", "truncate", "control a device")
_NET, _SCOPES = (4, 0b11), (6, 0b11)  # TCP; sockets without a name, and signals


def _write_only_in(writable: Path) -> None:
    version = _call(_CREATE_RULESET, None, 0, _VERSION)
    words = [_bits(_RIGHTS, version)]
    words += [bits for since, bits in (_NET, _SCOPES) if version >= since]
    attribute = struct.pack(f"={len(words)}Q", *words)
    rules = _call(_CREATE_RULESET, attribute, len(attribute), 0)
    for path, rights in ((writable, _IN_FOLDER), (Path(os.devnull), _TO_NOWHERE)):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", _bits(rights, version), place)
        _call(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
        os.close(place)
    _prctl(_NO_NEW_PRIVS, 1)
    _call(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _bits(rights: Collection[str], version: int) -> int:
    known = [_RIGHTS[name] for name in rights]
    return sum(1 << bit for bit, since in known if since <= version)


# System calls: their numbers on x86_64 and on aarch64, and None where there is none. All
# that is not named here is left as it is; what takes a privilege fails without being named.

Number = int | None
_FORBIDDEN: dict[str, dict[str, tuple[Number, Number]]] = {
    "the network": {
        "socket": (41, 198),
        "socketpair": (53, 199),
        "connect": (42, 203),
        "bind": (49, 200),
        "listen": (50, 201),
        "accept": (43, 202),
        "accept4": (288, 242),
        "sendto": (44, 206),
        "sendmsg": (46, 211),
        "sendmmsg": (307, 269),
    },
    "new processes, and leaving the group of one's own": {
        "fork": (57, None),
        "vfork": (58, None),
        "execve": (59, 221),
        "execveat": (322, 281),
        "setsid": (112, 157),
        "setpgid": (109, 154),
        "unshare": (272, 97),
        "setns": (308, 268),
    },
    "other processes": {
        "rt_sigqueueinfo": (129, 138),
        "rt_tgsigqueueinfo": (297, 240),
        "pidfd_open": (434, 434),
        "pidfd_send_signal": (424, 424),
        "pidfd_getfd": (438, 438),
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "process_madvise": (440, 440),
        "process_mrelease": (448, 448),
        "kcmp": (312, 272),
        "setpriority": (141, 140),
        "ioprio_set": (251, 30),
        "sched_setscheduler": (144, 119),
        "sched_setparam": (142, 118),
        "sched_setattr": (314, 274),
        "sched_setaffinity": (203, 122),
        "migrate_pages": (256, 238),
        "move_pages": (279, 239),
    },
    "other ways to make a system call": {
        "io_uring_setup": (425, 425),
        "io_uring_enter": (426, 426),
        "io_uring_register": (427, 427),
        "bpf": (321, 280),
        "perf_event_open": (298, 241),
        "userfaultfd": (323, 282),
    },
    "memory and space that nobody counts": {
        "fallocate": (285, 47),
        "shmget": (29, 194),
        "msgget": (68, 186),
        "semget": (64, 190),
        "mq_open": (240, 180),
        "memfd_create": (319, 279),
        "memfd_secret": (447, 447),
        "add_key": (248, 217),
        "request_key": (249, 218),
        "keyctl": (250, 219),
        "setrlimit": (160, 164),
    },
    "what Landlock leaves open: rights, owners and times of files, and until version 3 to "
    "truncate them": {
        "truncate": (76, 45),
        "chmod": (90, None),
        "fchmod": (91, 52),
        "fchmodat": (268, 53),
        "fchmodat2": (452, 452),
        "chown": (92, None),
        "lchown": (94, None),
        "fchown": (93, 55),
        "fchownat": (260, 54),
        "setxattr": (188, 5),
        "lsetxattr": (189, 6),
        "fsetxattr": (190, 7),
        "setxattrat": (463, 463),
        "removexattr": (197, 14),
        "lremovexattr": (198, 15),
        "fremovexattr": (199, 16),
        "removexattrat": (466, 466),
        "file_setattr": (469, 469),
        "utime": (132, None),
        "utimes": (235, None),
        "futimesat": (261, None),
        "utimensat": (280, 88),
        "open_by_handle_at": (304, 265),
    },
}
# Allowed only if these 32 bits of its arguments are so.
_CLONE, _PRLIMIT = (56, 220), (302, 261)
_TO_ONESELF = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
_THREAD = 0x10000
# Not there: of what they are asked for, a filter sees nothing, and there are older ones.
_UNSEEN = {"clone3": (435, 435), "openat2": (437, 437)}
# Opened with these bits of these 32, a file has no name, and so nobody sees what it takes;
# or it is emptied without being written to, which Landlock saw from version 3 on.
_OPEN = {"open": ((2, None), 2), "openat": ((257, 56), 4)}
_NAMELESS, _EMPTIED, _WRITE, _READ_AND_WRITE = 0x400000, 0x200, 1, 2
# What can be asked of a terminal, a pipe or any file; others change what Landlock takes for
# being read: a terminal's settings, attributes of a file.
_IOCTL, _ASKED = (
    (16, 29),
    (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451),
)
# F_SETOWN and F_SETOWN_EX: who else gets a signal when there is something to be read.
_FCNTL, _OWNERS = (72, 25), (8, 15)

# The machines: which column of the tables, and what the kernel calls their system calls.
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32 = 0x40000000  # from here on, x86_64 has all calls a second time

# The filter is a program of few words: load, compare and jump, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # where they are, in bytes
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_DENY = _ERROR | errno.EPERM
Word = tuple[
    int, int, int, int
]  # what, how far to jump if true, if false, and with what


def _filter_calls() -> None:
    machine = os.uname().machine if sys.platform == "linux" else sys.platform
    if machine not in _MACHINES or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"no numbers of system calls for {machine}")
    words = filter_program(machine, os.getpid())
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", *w) for w in words)
    )
    program = struct.pack("@HP", len(words), ctypes.addressof(code))
    held = ctypes.create_string_buffer(program)
    _prctl(_NO_NEW_PRIVS, 1)
    _prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(held))


def filter_program(machine: str, pid: int) -> list[Word]:
    """What the kernel runs before every system call of the process `pid`.

    The C library makes threads with clone3 and falls back on clone where that is not
    there.
    """
    column, architecture = _MACHINES[machine]
    words = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        words += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for group in _FORBIDDEN.values():
        for numbers in group.values():
            words += _on(numbers[column], [(_RETURN, 0, 0, _DENY)])
    for numbers in _UNSEEN.values():
        words += _on(numbers[column], [(_RETURN, 0, 0, _ERROR | errno.ENOSYS)])
    words += _on(_CLONE[column], _only_if((0, _ANY_BIT, _THREAD)))
    # Limits may be asked for, with no new ones; a pointer is of two times 32 bits.
    words += _on(_PRLIMIT[column], _only_if((4, _EQUAL, 0), (5, _EQUAL, 0)))
    for numbers in _TO_ONESELF.values():
        words += _on(numbers[column], _only_if((0, _EQUAL, pid)))
    words += _on(_IOCTL[column], _among(2, _ASKED, _ALLOW, _DENY))
    words += _on(_FCNTL[column], _among(2, _OWNERS, _DENY, _ALLOW))
    for numbers, half in _OPEN.values():
        words += _on(numbers[column], _opened(half))
    return [*words, (_RETURN, 0, 0, _ALLOW)]


def _on(number: Number, then: list[Word]) -> list[Word]:
    """If it is this call, `then`, which returns; otherwise on behind that."""
    return [] if number is None else [(_EQUAL, 0, len(then), number), *then]


def _only_if(*tests: tuple[int, int, int]) -> list[Word]:
    """Each is which half of which argument, how it is compared, and with what."""
    words: list[Word] = []
    for done, (half, comparison, value) in enumerate(tests):
        to_deny = 2 * (len(tests) - done) - 1
        words.append((_LOAD, 0, 0, _ARGUMENTS + 4 * half))
        words.append((comparison, 0, to_deny, value))
    return [*words, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]


def _among(half: int, values: Sequence[int], then: int, otherwise: int) -> list[Word]:
    """Whether half of an argument is one of these values."""
    tests = [
        (_EQUAL, left, 0, value)
        for left, value in zip(range(len(values), 0, -1), values, strict=True)
    ]
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 4 * half),
        *tests,
        (_RETURN, 0, 0, otherwise),
        (_RETURN, 0, 0, then),
    ]


def _opened(half: int) -> list[Word]:
    """By the flags of a file that is opened: emptied only with one of the two bits that
    are for writing. With both it can be neither read nor written.
    """
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 4 * half),
        (_ANY_BIT, 5, 0, _NAMELESS),
        (_ANY_BIT, 0, 3, _EMPTIED),
        (_ANY_BIT, 0, 1, _WRITE),
        (_ANY_BIT, 2, 1, _READ_AND_WRITE),
        (_ANY_BIT, 0, 1, _READ_AND_WRITE),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]
