"""The data sets as networks train on them: MNIST, or else scikit-learn's digits.

What is called to get one is in here. Where MNIST's files lie and whether they are the
right ones is apart, in `reference.data.mnist_files`; so is fetching them, in
`reference.data.mirrors`.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Num

from gradparity.reference.arrays import Float
from gradparity.reference.data.mirrors import Progress, fetch_mnist
from gradparity.reference.data.mnist_files import (
    CACHE,
    MNIST_FILES,
    DatasetError,
    Folder,
    MnistUnavailable,
    Tables,
    find_mnist,
    read_folder,
    verify_mnist,
)

__all__ = [
    "Dataset",
    "DatasetError",
    "fetch_mnist",
    "load",
    "load_digits",
    "load_mnist",
    "verify_mnist",
]

Split = tuple[Num[np.ndarray, "..."], Num[np.ndarray, "..."]]  # x, t
BRIGHTEST = {"mnist": 255, "digits": 16}  # the value of a white pixel


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, where they came from and why these were taken.

    x: float64 from 0 to 1, a row of pixels for every image. t: int64 labels, 0 to 9.
    """

    name: str  # "mnist" or "digits"
    source: str
    why: str
    sha256: dict[str, str]  # of MNIST's raw files, or of the digits' bytes
    x_train: Float[np.ndarray, "train pixels"]
    t_train: Int[np.ndarray, "train"]
    x_test: Float[np.ndarray, "test pixels"]
    t_test: Int[np.ndarray, "test"]

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of one image: (28, 28) or (8, 8)."""
        side = math.isqrt(self.x_train.shape[1])
        return side, side

    def astype(self, dtype: Any) -> "Dataset":
        """The same with x in another dtype: pixel / brightest, rounded to it."""
        x_train, x_test = (
            x.astype(dtype, copy=False) for x in (self.x_train, self.x_test)
        )
        return replace(self, x_train=x_train, x_test=x_test)


def load(
    name: str = "auto",
    *,
    data_dir: Folder | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """The data set of that name, ready for training.

    Args:
        name: "mnist"; "digits", which needs no network; or "auto", which is MNIST where
            it is present or can be fetched and digits otherwise (`why` says which).
        data_dir: a folder with MNIST's four files, raw or .gz. Without it they are
            looked for in $GRADPARITY_DATA and in the user cache.
        download: whether MNIST may be fetched into the user cache.
        progress: is told how far a download is, see `fetch_mnist`.

    Raises:
        DatasetError: the name is unknown; MNIST was asked for and cannot be had; or,
            for "auto" too, `data_dir` does not hold all of it, or a file is damaged in
            a folder that `data_dir` or $GRADPARITY_DATA names.
    """
    if name not in ("auto", "mnist", "digits"):
        raise DatasetError(f"dataset must be auto, mnist or digits, got {name!r}")
    if name == "digits":
        return _digits_dataset("The digits were asked for by name.")
    try:
        tables, folder, how = _obtain_mnist(data_dir, download, progress)
    except MnistUnavailable as error:
        if name == "mnist":
            raise
        return _digits_dataset(
            f"MNIST {error.reason}, so scikit-learn's bundled digits were taken."
        )
    sha256 = {file.stem: file.sha256 for file in MNIST_FILES.values()}
    return _to_dataset("mnist", str(folder), f"MNIST {how}.", sha256, tables)


def load_mnist(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    *,
    data_dir: Folder | None = None,
    download: bool = True,
) -> tuple[Split, Split]:
    """MNIST as the lecture loads it: (x_train, t_train), (x_test, t_test).

    Args:
        normalize: x as float32 from 0.0 to 1.0; otherwise as uint8 from 0 to 255.
        flatten: x of shape (samples, 784); otherwise (samples, 1, 28, 28).
        one_hot_label: t of shape (samples, 10), float64; otherwise labels, int64.
        data_dir, download: see `load`.

    Raises DatasetError where MNIST cannot be had, or is damaged.
    """
    tables, _, _ = _obtain_mnist(data_dir, download, None)
    return _to_lecture("mnist", tables, normalize, flatten, one_hot_label)


def load_digits(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[Split, Split]:
    """scikit-learn's 1,797 digits of 8 x 8 pixels, in the manner of `load_mnist`.

    Not normalized, a pixel is 0 to 16. 1,500 images are for training and 297 for
    testing, drawn at random but always the same: the original order goes writer by
    writer, and its end would test on people nobody trained on.

    The images are the test part of "Optical Recognition of Handwritten Digits"
    (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998).
    """
    return _to_lecture("digits", _read_digits(), normalize, flatten, one_hot_label)


def _obtain_mnist(
    data_dir: Folder | None, download: bool, progress: Progress | None
) -> tuple[Tables, Path, str]:
    """MNIST's tables, the folder they were read from, and how they came to be there."""
    place, passed = find_mnist(data_dir)
    how = f"was not found in {' or '.join(passed)}"
    if place is not None:
        found = f"was found in {place.folder} ({place.how})"
        found = f"{found}; it {how}" if passed else found
        try:
            return read_folder(place.folder), place.folder, found
        except DatasetError as error:
            # In a folder that somebody named, a damaged file is theirs to know about;
            # in the cache it is ours to replace.
            if place.how != CACHE:
                raise
            how = f"in the {CACHE} is damaged ({error})"
    if not download:
        raise MnistUnavailable(f"{how} and was not to be downloaded")
    try:
        folder = fetch_mnist(progress=progress)
    except MnistUnavailable as error:
        raise MnistUnavailable(f"{how} and {error.reason}") from error
    return read_folder(folder), folder, f"{how} and was fetched into {folder}"


def _to_dataset(
    name: str, source: str, why: str, sha256: dict[str, str], tables: Tables
) -> Dataset:
    images, labels = {}, {}
    for part in ("train", "test"):
        pixels = tables[f"{part}_images"]
        images[f"x_{part}"] = pixels.reshape(len(pixels), -1) / BRIGHTEST[name]
        labels[f"t_{part}"] = tables[f"{part}_labels"].astype(np.int64)
    return Dataset(name, source, why, sha256, **images, **labels)


def _to_lecture(
    name: str, tables: Tables, normalize: bool, flatten: bool, one_hot_label: bool
) -> tuple[Split, Split]:
    def split(part: str) -> Split:
        x, t = tables[f"{part}_images"], tables[f"{part}_labels"].astype(np.int64)
        x = x.reshape(len(x), -1) if flatten else x[:, np.newaxis]
        x = (
            x.astype(np.float32) / np.float32(BRIGHTEST[name])
            if normalize
            else x.copy()
        )
        return x, np.eye(10)[t] if one_hot_label else t

    return split("train"), split("test")


def _read_digits() -> Tables:
    from sklearn import datasets

    digits = datasets.load_digits()
    # RandomState and not default_rng: its stream is frozen for good (NEP 19), and the
    # split must not change with the version of NumPy.
    order = np.random.RandomState(0).permutation(len(digits.target))
    images, labels = (
        part[order].astype(np.uint8) for part in (digits.images, digits.target)
    )
    return {
        "train_images": images[:1500],
        "train_labels": labels[:1500],
        "test_images": images[1500:],
        "test_labels": labels[1500:],
    }


def _digits_dataset(why: str) -> Dataset:
    tables = _read_digits()
    data = b"".join(table.tobytes() for table in tables.values())
    sha256 = {"digits": hashlib.sha256(data).hexdigest()}
    return _to_dataset("digits", "scikit-learn's bundled digits", why, sha256, tables)
