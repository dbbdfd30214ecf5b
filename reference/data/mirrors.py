"""MNIST from a mirror: downloaded into the user cache, file by file, each when whole.

What can go wrong on the way (no network, half a file, a mirror that stalls) ends within
seconds in one sentence, and never leaves anything in the cache that looks like data.
That takes more care than finding and reading do, so it is apart from them.
"""

import logging
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradparity.reference.data.cleanup import passing_folder
from gradparity.reference.data.mnist_files import (
    MNIST_FILES,
    Folder,
    MnistFile,
    MnistUnavailable,
    cache_folder,
    is_good,
)

if TYPE_CHECKING:
    import requests

Progress = Callable[[str, int, int | None], object]  # file, bytes so far, bytes in all
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
LARGEST = 2**24  # bytes; MNIST's largest .gz has 9.9 million


def fetch_mnist(
    *,
    mirrors: Sequence[str] | None = None,
    cache: Folder | None = None,
    progress: Progress | None = None,
    connect_timeout: float = 3.0,
    read_timeout: float = 10.0,
    least_rate: float = 10_000.0,
) -> Path:
    """Download those of MNIST's files that the cache lacks, and return its folder.

    Each file comes from the first mirror that delivers it with the right checksum. It
    is written into a temporary folder and moved into place when whole, so the cache
    holds no half of a file, even if the process is killed or another fetches beside it.

    Args:
        mirrors: base addresses; by default those in the environment variable
            GRADPARITY_MNIST_MIRRORS, separated by blanks, or else `MNIST_MIRRORS`.
        cache: the folder to fetch into, `cache_folder()` by default.
        progress: is called with a file's name, the bytes that have come, and the bytes
            there are (None where the mirror does not say); from 0 with every mirror.
        connect_timeout: seconds for a mirror to be found and to begin its answer.
        read_timeout: seconds for which a mirror may then be silent.
        least_rate: bytes per second it must send, on average over `read_timeout`.

    Raises MnistUnavailable if a file cannot be had from any mirror (the rest are then
    not tried), or if the cache cannot be written to.
    """
    import pooch

    folder = cache_folder() if cache is None else Path(cache)
    named = os.environ.get("GRADPARITY_MNIST_MIRRORS", "").split()
    order = deque(mirrors or named or MNIST_MIRRORS)
    download = _Download(progress, connect_timeout, read_timeout, least_rate)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with (
            passing_folder(folder, ".fetch-") as unfinished,
            _quiet(pooch.get_logger()),
        ):
            for file in MNIST_FILES.values():
                if not is_good(file, folder):
                    _fetch_file(file, order, unfinished, download)
                    _move_into_place(file, unfinished, folder)
    except OSError as error:
        raise MnistUnavailable(
            f"could not be fetched (the cache {folder} cannot be written to: {error})"
        ) from error
    return folder


def _sweep(folder: Path) -> None:
    """Remove what killed fetches left behind.

    A fetch that is running beside us is spared: at the least rate no file takes nearly
    as long as an hour, and every file renews the folder's date.
    """
    for unfinished in folder.glob(".fetch-*"):
        try:
            age = time.time() - unfinished.stat().st_mtime
        except FileNotFoundError:  # the fetch beside us has just finished
            continue
        if age > 3600:
            shutil.rmtree(unfinished, ignore_errors=True)


def _move_into_place(file: MnistFile, unfinished: Path, folder: Path) -> None:
    try:
        os.replace(unfinished / file.gz, folder / file.gz)
    except PermissionError:
        # On Windows an open file cannot be replaced. If another fetch was first and
        # somebody is reading its file, that one is as good as ours.
        if not is_good(file, folder):
            raise


def _fetch_file(
    file: MnistFile, mirrors: deque[str], folder: Path, download: "_Download"
) -> None:
    """Download a file from the first mirror that has it, and put that one in front."""
    import pooch
    import urllib3

    failures = []
    for _ in range(len(mirrors)):
        mirror = mirrors[0].rstrip("/")
        try:
            pooch.retrieve(
                f"{mirror}/{file.gz}",
                f"md5:{file.md5}",
                fname=file.gz,
                path=folder,
                downloader=download,
            )
            return
        # requests' errors are OSErrors; ValueError is pooch's for a wrong checksum.
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            failures.append(f"from {mirror}: {_root_of(error)}")
            mirrors.rotate(-1)
    raise MnistUnavailable(f"could not be fetched ({file.gz} {', '.join(failures)})")


def _root_of(error: BaseException) -> str:
    """`Connection refused`, and not the errors wrapped around it on its way."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    sentence = getattr(error, "strerror", None) or str(error).split(". ")[0]
    return sentence or type(error).__name__


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """pooch announces downloads on stderr; here `progress` does, if anything."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@dataclass(frozen=True)
class _Download:
    """What pooch calls to copy an address into a file, giving up on a bad mirror.

    pooch's own downloader reads in blocks, and a server that sends a byte every few
    seconds never fills one and yet is never silent for long. `read1` returns with
    whatever has come, so that the rate can be looked at.
    """

    progress: Progress | None
    connect_timeout: float
    read_timeout: float
    least_rate: float

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        with self._answer(url) as response, open(output_file, "wb") as output:
            response.raise_for_status()
            total = int(response.headers.get("Content-Length", 0)) or None
            done = 0
            for chunk in self._chunks(response.raw):
                output.write(chunk)
                done += len(chunk)
                if self.progress is not None:
                    self.progress(url.rpartition("/")[2], done, total)

    def _answer(self, url: str) -> "requests.Response":
        """The beginning of the mirror's answer; TimeoutError if there is none.

        requests' own timeout does not count finding the name, and it starts again with
        each of a host's addresses (Amazon's has eight) and each byte of the header. So
        requests is left to itself in a thread, and waited for only so long. An answer
        that comes later is garbage, and closed as such.
        """
        import requests

        answer: Future[requests.Response] = Future()
        timeouts = (self.connect_timeout, self.read_timeout)
        # A .gz is not to be compressed once more on its way.
        headers = {"Accept-Encoding": "identity"}

        def ask() -> None:
            try:
                answer.set_result(
                    requests.get(url, stream=True, timeout=timeouts, headers=headers)
                )
            except (OSError, ValueError) as error:
                answer.set_exception(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(self.connect_timeout)
        if thread.is_alive():
            raise TimeoutError(f"no answer within {self.connect_timeout:g} s")
        return answer.result(timeout=0)

    def _chunks(self, raw: Any) -> Iterator[bytes]:
        """The body as it comes; TimeoutError if too slowly, OSError if too much."""
        done, mark, since = 0, 0, time.monotonic()
        while chunk := raw.read1(2**16):
            done += len(chunk)
            if done > LARGEST:
                raise OSError(f"more than {LARGEST} bytes, too many for MNIST")
            seconds = time.monotonic() - since
            if seconds > self.read_timeout:
                if done - mark < self.least_rate * seconds:
                    raise TimeoutError(
                        f"{done - mark} bytes in {seconds:.3g} s, expected "
                        f"{self.least_rate:g} a second"
                    )
                mark, since = done, time.monotonic()
            yield chunk
