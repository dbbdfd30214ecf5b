"""Which of a submission's own classes and functions are used by another one of it, and
how often.

This runs in the submission's own process, as `exercise` does.
"""

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from inspect import unwrap
from types import CodeType, FrameType
from typing import Any

getprofile, setprofile = sys.getprofile, sys.setprofile


def codes_of(offered: Any) -> Iterator[CodeType]:
    """The code of a function, or of all methods of a class."""
    kinds = offered.__mro__[:-1] if isinstance(offered, type) else ()
    members = [member for kind in kinds for member in vars(kind).values()]
    for member in members or [offered]:
        try:
            code = getattr(unwrap(member), "__code__", None)
        except Exception:  # of any kind: it is somebody else's object
            continue
        if isinstance(code, CodeType):
            yield code


@contextmanager
def noticing(names: Mapping[str, Any], asked: str) -> Iterator[set[str]]:
    """The set of those names, but for what is asked itself, whose code runs meanwhile."""
    owners: dict[int, set[str]] = {}  # equal codes may be those of two files
    for name, offered in names.items():
        for code in codes_of(offered):
            owners.setdefault(id(code), set()).add(name)
    others = {
        code: min(them)
        for code, them in owners.items()
        if len(them) == 1 and asked not in them
    }
    used: set[str] = set()
    with counting(others) as counts:
        yield used
    used.update(others[code] for code in counts)


@contextmanager
def counting(codes: Collection[int]) -> Iterator[dict[int, int]]:
    """How often each code of these ids is called meanwhile.

    None is known where a profiler runs that is not written in Python.
    """
    counts: dict[int, int] = {}
    before = getprofile()
    if not codes or not (before is None or callable(before)):
        yield counts  # there is nothing to count, or somebody else counts
        return

    def notice(frame: FrameType, event: Any, argument: Any) -> None:
        if event == "call" and (code := id(frame.f_code)) in codes:
            counts[code] = counts.get(code, 0) + 1
        if before is not None:
            before(frame, event, argument)

    setprofile(notice)
    try:
        yield counts
    finally:
        setprofile(before)
