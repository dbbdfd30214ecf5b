"""The filter of system calls, run here as the kernel runs it."""

import struct
from pathlib import Path

import pytest

from gradparity.parity_tests.grading import seccomp

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, DENY, NOT_THERE = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


OPENED = {  # by its flags, in octal as in the kernel's headers
    0o0: ALLOW,
    0o2000000: ALLOW,  # O_CLOEXEC
    0o1101: ALLOW,  # to write, made and emptied
    0o1002: ALLOW,
    0o1000: DENY,  # O_TRUNC, to read
    0o1003: DENY,  # and to do neither
    0o3: ALLOW,
    0o20200002: DENY,  # O_TMPFILE
    0o20000001: DENY,
}


def verdict(machine: str, number: int, *arguments: int, architecture: int = 0) -> int:
    words = seccomp.program(machine, 4711)
    six = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    place = architecture or MACHINES[machine]
    data = struct.pack("<IIQ6Q", number, place, 0, *six)
    at, loaded = 0, 0
    while True:
        code, true, false, value = words[at]
        if code == 0x06:
            return value
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
            at += 1
            continue
        holds = {
            0x15: loaded == value,
            0x35: loaded >= value,
            0x45: bool(loaded & value),
        }[code]
        at += 1 + (true if holds else false)


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_of_system_calls(machine: str) -> None:
    column = [*MACHINES].index(machine)
    clone, kill, limits, fcntl, ioctl, prctl = (
        numbers[column]
        for numbers in (
            seccomp.CLONE,
            seccomp.TO_ONESELF["kill"],
            seccomp.PRLIMIT,
            seccomp.FCNTL,
            seccomp.IOCTL,
            seccomp.PRCTL,
        )
    )
    assert clone
    assert kill
    read = (0, 63)[column]
    assert verdict(machine, read) == ALLOW
    assert verdict(machine, read, architecture=0x40000003) == KILL
    for unseen in seccomp.UNSEEN.values():
        assert verdict(machine, unseen[column]) == NOT_THERE
    assert verdict(machine, clone, 0x3D0F00) == ALLOW  # as the C library makes a thread
    assert verdict(machine, clone, 0x1200011) == DENY  # and as it forks
    assert verdict(machine, kill, 4711, 9) == ALLOW
    for other in (4712, 1, 0, (1 << 32) - 1, (1 << 64) - 4711):
        assert verdict(machine, kill, other, 9) == DENY
    assert verdict(machine, limits, 0, 9, 0, 0x7FFF00001000) == ALLOW
    for pointer in (0x1000, 0x100000000, 0x7FFF00001000):
        assert verdict(machine, limits, 0, 9, pointer) == DENY
    for command in (0, 1, 2, 3, 4, 1030):
        assert verdict(machine, fcntl, 3, command) == ALLOW
    for command in (6, 8, 10, 15, 36, 1024, 1026, 1031):  # locks, owners, leases, sizes
        assert verdict(machine, fcntl, 3, command) == DENY
    assert verdict(machine, prctl, 15) == ALLOW
    for option in (
        1,
        4,
        36,
        62,
        0x59616D61,
    ):  # not to end with the guard; who may trace
        assert verdict(machine, prctl, option) == DENY
    for request in seccomp.ASKED:
        assert verdict(machine, ioctl, 1, request) == ALLOW
    for request in (0x5402, 0x5412, 0x40086602, 0x8901):  # TCSETS, TIOCSTI, attributes
        assert verdict(machine, ioctl, 1, request) == DENY
    openat = seccomp.OPEN["openat"][0][column]
    assert openat
    for flags, expected in OPENED.items():
        assert verdict(machine, openat, 3, 0, flags) == expected
        if machine == "x86_64":
            assert verdict(machine, 2, 0, flags) == expected
    if machine == "x86_64":
        assert verdict(machine, 0x40000000 + read) == KILL
    for numbers in seccomp.ALLOWED.values():
        number = numbers[column]
        assert number is None or verdict(machine, number) == ALLOW


# What reaches beyond the process that makes the call, by its number on the two machines.
REACHING = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "socket": (41, 198),
    "execve": (59, 221),
    "setsid": (112, 157),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "inotify_add_watch": (254, 27),
    "flock": (73, 32),
    "setrlimit": (160, 164),
    "keyctl": (250, 219),
    "pidfd_open": (434, 434),
    "mount": (165, 40),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_not_needed_is_refused(machine: str) -> None:
    column = [*MACHINES].index(machine)
    for name, numbers in REACHING.items():
        number = numbers[column]
        assert number is not None
        assert verdict(machine, number) == DENY, name
    named = [numbers for table in tables().values() for numbers in [table[column]]]
    others = {*range(442)} - {*named}
    assert all(verdict(machine, number) == DENY for number in others)
    assert all(verdict(machine, number) == NOT_THERE for number in range(442, 600))


def tables() -> dict[str, tuple[int | None, int | None]]:
    """All the calls that the filter knows."""
    return {
        **seccomp.ALLOWED,
        **seccomp.TO_ONESELF,
        **seccomp.UNSEEN,
        **{name: numbers for name, (numbers, _) in seccomp.OPEN.items()},
        "clone": seccomp.CLONE,
        "prlimit64": seccomp.PRLIMIT,
        "fcntl": seccomp.FCNTL,
        "ioctl": seccomp.IOCTL,
        "prctl": seccomp.PRCTL,
    }


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_system_calls_have_the_kernels_numbers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    known: dict[str, int] = {}
    for line in HEADERS[machine].read_text().splitlines():
        words = line.split()
        if words[:1] == ["#define"] and words[-1].isdigit():
            name = words[1].removeprefix("__NR3264_").removeprefix("__NR_")
            known[name] = int(words[-1])
    column = [*MACHINES].index(machine)
    for name, numbers in (tables() | REACHING).items():
        told = {"newfstatat": "fstatat"}.get(name, name)
        number = known.get(name, known.get(told))
        assert number == numbers[column], name
