"""What must be put in order when a program ends, however it ends.

Python turns Ctrl-C into an exception wherever the program happens to be, and there it
can be lost: in a callback it is dropped, in a class that is being defined it becomes
another error, and libraries catch it. A program that calls `obey_signals` ends from
within the signal's handler instead, once everything that waits in `at_end` is done.
"""

import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_waiting: list[Callable[[], object]] = []


@contextmanager
def at_end(act: Callable[[], object]) -> Iterator[None]:
    """Do it when the block is left: at its end, by an exception, or by a signal.

    A signal may come at any point of the block, even when the act has been done: it
    must be one that can be done twice.
    """
    _waiting.append(act)
    try:
        yield
    finally:
        act()
        _waiting.remove(act)


@contextmanager
def passing_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new, empty folder in `parent` that is gone when the block is left."""
    folder = parent / f"{prefix}{secrets.token_hex(4)}"
    with at_end(partial(shutil.rmtree, folder, ignore_errors=True)):
        folder.mkdir()
        yield folder


def obey_signals() -> None:
    """From now on, end as soon as a signal asks for it, with everything in order.

    To the shell, the program then has died of that signal, as is usual. A signal that
    the program was started to ignore (nohup) still is.
    """

    def end(number: int, frame: object) -> None:
        for each in obeyed:
            signal.signal(each, signal.SIG_IGN)
        while _waiting:
            with suppress(Exception):  # the others are still to be done
                _waiting.pop()()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    known = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    obeyed = [each for each in known if signal.getsignal(each) != signal.SIG_IGN]
    for each in obeyed:
        signal.signal(each, end)
