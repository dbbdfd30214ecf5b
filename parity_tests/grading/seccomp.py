"""A filter of system calls: what a submission needs is allowed, and nothing else.

All of Linux's calls were read for what reaches beyond the process that makes them, such as
shared memory and semaphores, which outlive it, or signals, leases and traces of other
processes. What is allowed here reaches nothing but files, which are Landlock's to look
after. A call that is not named is refused, and so is every one that is still to come.

The filter is a program that the kernel runs before each system call (seccomp, BPF). Of a
new thread it asks the process that watches, which counts them.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress

from gradparity.parity_tests.grading.linux import NO_NEW_PRIVILEGES, call, prctl

# The machines: which number of the tables, and what the kernel calls their system calls.
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
X32 = 0x40000000  # from here on, x86_64 has all calls a second time
# A call from here on is newer than these tables: it is answered as by a kernel that does
# not have it, and a library then takes an older one.
NEWER = 442

# Each with its number on x86_64 and on aarch64.
_TABLE = {
    "memory of its own": """
        brk 12 214, mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216,
        madvise 28 233, msync 26 227, mbind 237 235, get_mempolicy 239 236,
        set_mempolicy 238 237
    """,
    "threads of its own": """
        exit 60 93, exit_group 231 94, futex 202 98, set_robust_list 273 99,
        set_tid_address 218 96, rseq 334 293, sched_yield 24 124,
        gettid 186 178, getcpu 309 168, arch_prctl 158 -, sched_getaffinity 204 123,
        sched_getscheduler 145 120, sched_getparam 143 121
    """,
    "signals to itself": """
        rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigpending 127 136,
        rt_sigreturn 15 139, rt_sigsuspend 130 133, rt_sigtimedwait 128 137,
        sigaltstack 131 132, restart_syscall 219 128, pause 34 -, alarm 37 -,
        getitimer 36 102, setitimer 38 103
    """,
    "time": """
        clock_getres 229 114, clock_gettime 228 113, clock_nanosleep 230 115,
        nanosleep 35 101, gettimeofday 96 169, time 201 -, times 100 153,
        getrusage 98 165
    """,
    "who and where it is": """
        getpid 39 172, getppid 110 173, getpgrp 111 -, getuid 102 174, geteuid 107 175,
        getgid 104 176, getegid 108 177, getresuid 118 148, getresgid 120 150,
        getgroups 115 158, uname 63 160, sysinfo 99 179, getrlimit 97 163,
        getrandom 318 278, umask 95 166, wait4 61 260, waitid 247 95
    """,
    "files, which Landlock looks after": """
        read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68,
        preadv 295 69, pwritev 296 70, preadv2 327 286, pwritev2 328 287, close 3 57,
        close_range 436 436, lseek 8 62, stat 4 -, lstat 6 -, fstat 5 80,
        newfstatat 262 79, statx 332 291, statfs 137 43, fstatfs 138 44, access 21 -,
        faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78,
        getdents 78 -, getdents64 217 61, getcwd 79 17, chdir 80 49, fchdir 81 50,
        mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35,
        rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37,
        symlink 88 -, symlinkat 266 36, ftruncate 77 46, fsync 74 82, fdatasync 75 83,
        fadvise64 221 223, sendfile 40 71, copy_file_range 326 285
    """,
    # The descriptor that is asked of threads leaves the process so; later there is no
    # socket, and so nothing to send with.
    "for the guard": "sendmsg 46 211",
    "descriptors of its own": """
        dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, eventfd2 290 19,
        epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -,
        epoll_pwait 281 22, epoll_pwait2 441 441, poll 7 -, ppoll 271 73, select 23 -,
        pselect6 270 72
    """,
}
Numbers = tuple[int | None, int | None]


def _parsed(table: str) -> dict[str, Numbers]:
    rows = [row.split() for row in table.split(",")]
    numbers = {name: [None if n == "-" else int(n) for n in two] for name, *two in rows}
    return {name: (two[0], two[1]) for name, two in numbers.items()}


ALLOWED = {
    name: two for table in _TABLE.values() for name, two in _parsed(table).items()
}
# Of what these are asked for, a filter sees nothing; the older ones say it.
UNSEEN = {"clone3": (435, 435), "openat2": (437, 437)}
# Allowed only if 32 bits of their arguments are so: a thread and no process; limits that
# are asked for and not changed (a pointer is of two times 32 bits); signals to oneself.
CLONE, THREAD = (56, 220), 0x10000
PRLIMIT = (302, 261)
TO_ONESELF = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
# What may be asked of a descriptor: all but who else gets a signal when there is something
# to read (F_SETOWN, F_NOTIFY), leases and locks, which keep others waiting.
FCNTL, DESCRIPTORS = (72, 25), (0, 1, 2, 3, 4, 1030)
# Of a terminal, a pipe or any file; others change what Landlock takes for being read: a
# terminal's settings, attributes of a file.
IOCTL, ASKED = (16, 29), (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Of the process: the names of threads and of memory, and what can only be read. Not
# whether it is to end with the process that started it.
PRCTL, OF_ITSELF = (157, 167), (3, 15, 16, 23, 51, 0x53564D41)
# Opened with these bits of these 32, a file has no name, and so nobody sees what it takes;
# or it is emptied without being written to, which Landlock saw from version 3 on.
OPEN: dict[str, tuple[Numbers, int]] = {
    "open": ((2, None), 2),
    "openat": ((257, 56), 4),
}
NAMELESS, EMPTIED, WRITE, READ_AND_WRITE = 0x400000, 0x200, 1, 2

# The program is of few words: load, compare and jump, return.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16  # where they are, in bytes
ALLOW, ASK, KILL, ERROR = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000
DENY, NOT_THERE = ERROR | errno.EPERM, ERROR | errno.ENOSYS
Word = tuple[
    int, int, int, int
]  # what, how far to jump if true, if false, and with what


# With SECCOMP_FILTER_FLAG_NEW_LISTENER, _TSYNC and _TSYNC_ESRCH, the last of which came
# after all that is needed; or without any, through prctl.
SECCOMP, SET_FILTER, LISTENER = (317, 277), 1, 8 | 1 | 16
SET_SECCOMP, FILTER = 22, 2
# What is asked through a listener and answered: SECCOMP_IOCTL_NOTIF_RECV and _SEND.
RECEIVE, SEND, GO_ON = 0xC0502100, 0xC0182101, 1


def filter_calls() -> int | None:
    """Have the calls of this process filtered, for good.

    Returns:
        The descriptor for `answer_threads`, which this process must not keep; or None
        where nobody can be asked (Linux before 5.7), so that threads are not counted.

    Raises:
        OSError: there is no filter, or no table for the machine.
    """
    machine = os.uname().machine if sys.platform == "linux" else sys.platform
    if machine not in MACHINES or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"no numbers of system calls for {machine}")
    held: list[object] = []  # until the kernel has read it

    def coded(words: list[Word]) -> ctypes.Array[ctypes.c_char]:
        code = b"".join(struct.pack("=HBBI", *word) for word in words)
        held.append(ctypes.create_string_buffer(code))
        place = ctypes.addressof(held[-1])  # type: ignore[arg-type]
        return ctypes.create_string_buffer(struct.pack("@HP", len(words), place))

    prctl(NO_NEW_PRIVILEGES, 1)
    with suppress(OSError):
        asking = coded(program(machine, os.getpid(), ASK))
        number = SECCOMP[MACHINES[machine][0]]
        return call(number, SET_FILTER, LISTENER, ctypes.addressof(asking))
    prctl(SET_SECCOMP, FILTER, ctypes.addressof(coded(program(machine, os.getpid()))))
    return None


def answer_threads(listener: int, process: int, most: int) -> None:
    """Let a process have as many threads as that; then there are no more for it.

    Returns when the process has ended.
    """
    import fcntl  # Windows has none

    with suppress(OSError):
        while True:
            asked = bytearray(80)
            fcntl.ioctl(listener, RECEIVE, asked)
            full = threads_of(process) >= most
            (name,) = struct.unpack_from("=Q", asked)
            answer = (-errno.EAGAIN, 0) if full else (0, GO_ON)
            with suppress(FileNotFoundError):  # who asked has ended meanwhile
                fcntl.ioctl(listener, SEND, struct.pack("=QqiI", name, 0, *answer))


def threads_of(process: int) -> int:
    """How many threads a process has; 0 where they are not counted, or it has ended."""
    try:
        return len(os.listdir(f"/proc/{process}/task"))
    except OSError:
        return 0


def program(machine: str, pid: int, thread: int = ALLOW) -> list[Word]:
    """What the kernel runs before every system call of the process `pid`; `thread` is
    what it does of a new one.

    The C library makes threads with clone3 and falls back on clone where that is not
    there.
    """
    column, architecture = MACHINES[machine]
    words = [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        words += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    words += [(AT_LEAST, 0, 1, NEWER), (RETURN, 0, 0, NOT_THERE)]
    for numbers in ALLOWED.values():
        words += _on(numbers[column], [(RETURN, 0, 0, ALLOW)])
    for numbers in UNSEEN.values():
        words += _on(numbers[column], [(RETURN, 0, 0, NOT_THERE)])
    words += _on(CLONE[column], _only_if((0, ANY_BIT, THREAD), then=thread))
    words += _on(PRLIMIT[column], _only_if((0, EQUAL, 0), (4, EQUAL, 0), (5, EQUAL, 0)))
    for numbers in TO_ONESELF.values():
        words += _on(numbers[column], _only_if((0, EQUAL, pid)))
    for numbers, half, values in (
        (FCNTL, 2, DESCRIPTORS),
        (IOCTL, 2, ASKED),
        (PRCTL, 0, OF_ITSELF),
    ):
        words += _on(numbers[column], _among(half, values))
    for numbers, half in OPEN.values():
        words += _on(numbers[column], _opened(half))
    return [*words, (RETURN, 0, 0, DENY)]


def _on(number: int | None, then: list[Word]) -> list[Word]:
    """If it is this call, `then`, which returns; otherwise on behind that."""
    return [] if number is None else [(EQUAL, 0, len(then), number), *then]


def _only_if(*tests: tuple[int, int, int], then: int = ALLOW) -> list[Word]:
    """Each is which half of which argument, how it is compared, and with what."""
    words: list[Word] = []
    for done, (half, comparison, value) in enumerate(tests):
        to_deny = 2 * (len(tests) - done) - 1
        words.append((LOAD, 0, 0, ARGUMENTS + 4 * half))
        words.append((comparison, 0, to_deny, value))
    return [*words, (RETURN, 0, 0, then), (RETURN, 0, 0, DENY)]


def _among(half: int, values: Sequence[int]) -> list[Word]:
    """Only if half of an argument is one of these values."""
    tests = [
        (EQUAL, left, 0, value)
        for left, value in zip(range(len(values), 0, -1), values, strict=True)
    ]
    load = (LOAD, 0, 0, ARGUMENTS + 4 * half)
    return [load, *tests, (RETURN, 0, 0, DENY), (RETURN, 0, 0, ALLOW)]


def _opened(half: int) -> list[Word]:
    """By the flags of a file that is opened: emptied only with one of the two bits that
    are for writing. With both it can be neither read nor written.
    """
    return [
        (LOAD, 0, 0, ARGUMENTS + 4 * half),
        (ANY_BIT, 5, 0, NAMELESS),
        (ANY_BIT, 0, 3, EMPTIED),
        (ANY_BIT, 0, 1, WRITE),
        (ANY_BIT, 2, 1, READ_AND_WRITE),
        (ANY_BIT, 0, 1, READ_AND_WRITE),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, DENY),
    ]
