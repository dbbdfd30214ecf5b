"""MNIST on this machine: where it is looked for, and whether a file is the right one.

An agreement between implementations means something only if all of them trained on the
same bytes, so a file is used only if its SHA-256 is right, wherever it came from. This
is apart because both sides need it: what loads a data set, and what fetches one.
"""

import gzip
import hashlib
import math
import os
import zlib
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8

from gradparity.reference.data.reading import read_regular

Folder = str | os.PathLike[str]
Tables = dict[str, UInt8[np.ndarray, "..."]]  # named as in MNIST_FILES


class MnistFile(NamedTuple):
    """One of MNIST's files, and what its bytes must add up to."""

    stem: str  # the raw file's name
    md5: str  # of the .gz, as the mirrors have it
    sha256: str  # of the raw bytes, whoever compressed them

    @property
    def gz(self) -> str:
        """The compressed file's name."""
        return f"{self.stem}.gz"


MNIST_FILES = {
    "train_images": MnistFile(
        "train-images-idx3-ubyte",
        md5="f68b3c2dcbeaaa9fbdd348bbdeb94873",
        sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train_labels": MnistFile(
        "train-labels-idx1-ubyte",
        md5="d53e105ee54ea40749a09fcbcd1e9432",
        sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "test_images": MnistFile(
        "t10k-images-idx3-ubyte",
        md5="9fb629c4189551a2d022fa330f9573f3",
        sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "test_labels": MnistFile(
        "t10k-labels-idx1-ubyte",
        md5="ec29112dd5afa0611ce80d1b7f02629c",
        sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
LARGEST = 47_040_016  # bytes, of the raw images for training
FRAMING = 2**16  # bytes that gzip may add to what it cannot make smaller
ARGUMENT, VARIABLE, CACHE = "--data-dir", "GRADPARITY_DATA", "user cache"


class DatasetError(ValueError):
    """A data set cannot be used as asked: what was expected, and what came."""


class MnistUnavailable(DatasetError):
    """MNIST is not on this machine, and not to be fetched either: `reason` says why."""

    @property
    def reason(self) -> str:
        """The predicate of a sentence whose subject is MNIST."""
        return str(self.args[0])

    def __str__(self) -> str:
        return (
            f"MNIST {self.reason}: run `gradparity data fetch`, or put its four files "
            f"into a folder and name it with {ARGUMENT} or {VARIABLE}"
        )


# --- Finding --------------------------------------------------------------------------


class Place(NamedTuple):
    """A folder in which MNIST is looked for, and what names it."""

    how: str  # "--data-dir", "GRADPARITY_DATA" or "user cache"
    folder: Path


class FileStatus(NamedTuple):
    """What is known of one of MNIST's files in one place."""

    place: Place
    file: str  # the raw file's name
    path: Path | None  # raw or .gz; None where there is neither
    status: Literal["ok", "missing", "damaged"]
    sha256: str | None  # of the raw bytes of a good file
    detail: str  # of a damaged file: what was expected, and what came


def cache_folder() -> Path:
    """The user cache of this operating system, which MNIST is fetched into."""
    import pooch

    return Path(pooch.os_cache("gradparity"))


def mnist_places(data_dir: Folder | None = None) -> list[Place]:
    """Where MNIST is looked for, in this order; not every place need exist."""
    named = ((ARGUMENT, data_dir), (VARIABLE, os.environ.get(VARIABLE)))
    # os.path.expanduser, unlike Path's, leaves the ~ of an unknown user as it is.
    return [
        *(Place(how, Path(os.path.expanduser(at))) for how, at in named if at),
        Place(CACHE, cache_folder()),
    ]


def find_mnist(data_dir: Folder | None = None) -> tuple[Place | None, list[str]]:
    """The first place with all four files, and what each place before it lacks.

    The contents are not looked at. A folder named by `data_dir` is an order, and
    DatasetError is raised if it lacks a file; $GRADPARITY_DATA is where to look first.
    """
    passed: list[str] = []
    for place in mnist_places(data_dir):
        lack = _lack_of(place.folder)
        if lack is None:
            return place, passed
        if place.how == ARGUMENT:
            raise DatasetError(
                f"{ARGUMENT} must name a folder with MNIST's four files, "
                f"got {place.folder}, but {lack}"
            )
        passed.append(f"{place.folder} ({place.how}: {lack})")
    return None, passed


def verify_mnist(data_dir: Folder | None = None) -> list[FileStatus]:
    """The state of every file in every place, in the order of the search."""
    return [
        _status_of(file, place)
        for place in mnist_places(data_dir)
        for file in MNIST_FILES.values()
    ]


def is_good(file: MnistFile, folder: Path) -> bool:
    """Whether the folder has the file, and the right one."""
    return _status_of(file, Place(CACHE, folder)).status == "ok"


def _lack_of(folder: Path) -> str | None:
    if not os.path.isdir(folder):
        return "there is no such folder"
    files = MNIST_FILES.values()
    missing = [f"{file.stem}[.gz]" for file in files if _locate(file, folder) is None]
    if len(missing) == len(files):
        return "none of the four files is there"
    return f"it lacks {', '.join(missing)}" if missing else None


def _locate(file: MnistFile, folder: Path) -> Path | None:
    # .gz first, so that a fresh download is taken rather than a damaged raw file.
    # os.path.exists, unlike Path.exists, is False where access is denied.
    paths = (folder / file.gz, folder / file.stem)
    return next((path for path in paths if os.path.exists(path)), None)


# --- Reading and checking -------------------------------------------------------------


def read_folder(folder: Path) -> Tables:
    """The four tables of a folder; DatasetError unless all are the right ones."""
    return {
        name: _read(file, _locate(file, folder) or folder / file.gz)
        for name, file in MNIST_FILES.items()
    }


def _status_of(file: MnistFile, place: Place) -> FileStatus:
    path = _locate(file, place.folder)
    if path is None:
        return FileStatus(place, file.stem, None, "missing", None, "")
    try:
        _read(file, path)
    except DatasetError as error:
        return FileStatus(place, file.stem, path, "damaged", None, str(error))
    return FileStatus(place, file.stem, path, "ok", file.sha256, "")


def _read(file: MnistFile, path: Path) -> UInt8[np.ndarray, "..."]:
    """The table in a raw or compressed file; DatasetError unless the right one."""
    try:
        raw = read_regular(path, LARGEST + FRAMING)
        # The content decides and not the name: browsers are known to decompress a file
        # and save it as .gz all the same.
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.GzipFile(fileobj=BytesIO(raw)).read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(
            f"{path} must be a whole, readable file, raw or gzip, got: {reason}"
        ) from error
    if len(raw) > LARGEST:
        raise DatasetError(
            f"{path} must hold at most {LARGEST:,} bytes (uncompressed), got more"
        )
    table = _parse_idx(raw, path, rank=3 if "idx3" in file.stem else 1)
    sha256 = hashlib.sha256(raw).hexdigest()
    if sha256 != file.sha256:
        raise DatasetError(
            f"{path} must have SHA-256 {file.sha256} (uncompressed), got {sha256}"
        )
    return table


def _parse_idx(raw: bytes, path: Path, rank: int) -> UInt8[np.ndarray, "..."]:
    """The bytes of an IDX file as an array.

    The format is Yann LeCun's: the bytes 0, 0, 8 (for unsigned bytes) and the rank; the
    length of every axis as a big-endian 32-bit integer; the elements in C order.
    """
    magic, start = bytes((0, 0, 8, rank)), 4 + 4 * rank
    if raw[:4] != magic or len(raw) < start:
        raise DatasetError(
            f"{path} must begin with {magic.hex()} and {4 * rank} bytes of lengths, as "
            f"IDX files do, got {raw[:start].hex() or 'an empty file'}"
        )
    shape = [int(length) for length in np.frombuffer(raw, ">u4", rank, offset=4)]
    if len(raw) - start != math.prod(shape):
        raise DatasetError(
            f"{path} must hold {math.prod(shape)} bytes of data, as its header says, "
            f"got {len(raw) - start}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
