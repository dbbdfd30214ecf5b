"""Which of a submission's own classes and functions are used by another one of it.

This runs in the submission's own process, as `exercise` does.
"""

import sys
from collections.abc import Iterator, Mapping
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
    """The set of those names, but for what is asked itself, whose code runs meanwhile.

    None is known where a profiler runs that is not written in Python.
    """
    owners: dict[int, set[str]] = {}  # equal codes may be those of two files
    for name, offered in names.items():
        for code in codes_of(offered):
            owners.setdefault(id(code), set()).add(name)
    whose = {code: min(them) for code, them in owners.items() if len(them) == 1}
    used: set[str] = set()
    before = getprofile()
    if set(whose.values()) <= {asked} or not (before is None or callable(before)):
        yield used  # there is nothing to notice, or somebody else notices
        return

    def notice(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and (name := whose.get(id(frame.f_code))):
            used.add(name)

    setprofile(notice)
    try:
        yield used
    finally:
        setprofile(before)
        used.discard(asked)
