"""The calls of Linux that the standard library does not have, made through ctypes."""

import ctypes
import errno
import os
import sys

NO_NEW_PRIVILEGES = 38  # what prctl is asked, before a process may confine itself


def prctl(*arguments: int) -> None:
    """Raises OSError."""
    words = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:5]]
    checked(c_library().prctl(*words))


def call(number: int, *arguments: bytes | int | None) -> int:
    """What a system call returns, by its number. Raises OSError."""
    words = [
        each if each is None or isinstance(each, bytes) else ctypes.c_long(each)
        for each in arguments
    ]
    return checked(c_library().syscall(ctypes.c_long(number), *words))


def give_up_privileges() -> None:
    """Root without its capabilities is nearly a user like others. Raises OSError."""
    header = ctypes.create_string_buffer(
        (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)  # version 3, this process
    )
    checked(c_library().capset(header, bytes(24)))


def c_library() -> ctypes.CDLL:
    """Raises OSError where it is not that of Linux."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "not Linux")
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def checked(returned: int) -> int:
    """What a call returned, if that is no error. Raises OSError."""
    if returned < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return returned
