"""Work that is done when it is asked for, where it might be done in a pool of threads."""

from concurrent.futures import Executor, Future
from typing import Any


class AtOnce(Executor):
    """Does what it is to do when it is told to, in this thread."""

    def submit(self, do: Any, /, *values: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(do(*values, **named))
        return future
