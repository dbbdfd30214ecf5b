"""What readers of files say to what is no file of theirs: their own word, and soon."""

import gzip
import io
import json
import os
import random
import socket
import time
import zipfile
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations import user_supplied
from gradparity.parity_tests.suite.support import ROOT
from gradparity.parity_tests.training import checkpoints
from gradparity.parity_tests.training.checkpoints import (
    RUN,
    CheckpointError,
    Checkpoints,
)
from gradparity.parity_tests.training.plan import Plan
from gradparity.reference.data import mnist_files
from gradparity.reference.data.mnist_files import MNIST_FILES, DatasetError
from gradparity.reference.data.reading import parse_json, read_regular
from gradparity.reference.datasets import load as load_dataset
from gradparity.reference.networks import parameters
from gradparity.reports.compare import compare, tables
from gradparity.reports.explain import UnusableInput, making
from gradparity.reports.results import Results, UnreadableResults

posix = pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")
LABELS = MNIST_FILES["test_labels"]
PUBLISHED = ROOT / "reports" / "published" / "results.json"


@cache
def plan() -> Plan:
    return Plan.of(load_dataset("digits"), 2)


def read_labels(path: Path) -> Any:
    return mnist_files._read(LABELS, path)


def read_results(path: Path) -> Any:
    """What `compare` makes of them, too."""
    found = Results.read(path)
    return tables(compare(found, small_results()))


@cache
def small_results() -> Results:
    return Results.model_validate_json(valid("results.json"))


def read_stop(path: Path) -> Any:
    stored = checkpoints.read(path, "run reference float64 2")
    checkpoints._check(stored, {"W": np.zeros((2, 3))}, 2, True)
    return stored


def read_run(path: Path) -> Any:
    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    (folder / RUN).unlink(missing_ok=True)
    (folder / RUN).symlink_to(path)
    return Checkpoints.open(folder, plan(), True, {"numpy": "2"}, lambda said: None)


def read_input(path: Path) -> Any:
    return making.parse_value("x", str(path), "float32")


READERS: dict[str, tuple[Callable[[Path], Any], tuple[type[Exception], ...]]] = {
    "IDX": (read_labels, (DatasetError,)),
    "results.json": (read_results, (UnreadableResults,)),
    "checkpoint": (read_stop, (checkpoints.Damaged,)),
    "run.json": (read_run, (CheckpointError,)),
    "parameters": (parameters.load, (OSError, parameters.UnreadableParameters)),
    "values.npy": (read_input, (UnusableInput,)),
    "own.py": (
        lambda path: user_supplied.import_target(str(path)),
        (user_supplied.UnusableImplementation,),
    ),
}


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path has to be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_hole(path: Path) -> None:
    path.touch()
    os.truncate(path, 50 << 30)


def a_directory(path: Path) -> None:
    path.mkdir()


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


@posix
@pytest.mark.parametrize(
    "make", [a_pipe, a_socket, a_device, a_hole, a_directory, a_loop]
)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_of_ours_is_refused(
    reader: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    read, refusals = READERS[reader]
    path = tmp_path / ("a.npy" if reader == "values.npy" else "a.py")
    make(path)
    with pytest.raises(refusals) as refusal:
        read(path)
    expected: dict[Callable[[Path], None], str] = {
        a_pipe: "expected a regular file, got a pipe",
        a_socket: "expected a regular file, got a socket",
        a_device: "expected a regular file, got a device",
        a_hole: "iB, got 53,687,091,200 bytes",
        a_loop: "Too many levels of symbolic links",
    }
    said = str(refusal.value)
    other: dict[tuple[str, Any], str] = {
        ("results.json", a_directory): "No such file",  # as a report without results
        ("checkpoint", a_loop): "missing",
    }
    words = other.get((reader, make)) or expected.get(make, "Is a directory")
    assert words in said
    assert "\n" not in said


def test_a_file_is_read_up_to_its_most(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="expected at most 4 bytes, got 5 bytes"):
        read_regular(path, 4)


def test_a_gzip_that_unfolds_to_more_than_there_can_be(tmp_path: Path) -> None:
    path = tmp_path / LABELS.gz
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(mnist_files.LARGEST // 2**20 + 2):
            file.write(bytes(2**20))
    with pytest.raises(DatasetError, match="at most 47,040,016 bytes"):
        read_labels(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a": 1, "b": 2, "a": 1}', "has the key 'a' twice"),
        ("[NaN]", "NaN is no number in JSON"),
        ("[-Infinity]", "-Infinity is no number in JSON"),
        ("9223372036854775808", "does not fit into 64 bits"),
        ("9" * 5000, "does not fit into 64 bits"),
        ('"\\ud800"', "surrogates not allowed"),
        ("", "Expecting value"),
    ],
)
def test_what_is_not_strictly_json_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_json(text.encode())
    assert parse_json(rb'{"a": [-9223372036854775808, "\ud83d\ude00"]}') == {
        "a": [-(2**63), "\N{GRINNING FACE}"]
    }


def test_a_training_without_epochs_is_refused(tmp_path: Path) -> None:
    found = json.loads(valid("results.json"))
    found["training"][0]["epochs"] = []
    path = tmp_path / "results.json"
    path.write_text(json.dumps(found))
    with pytest.raises(UnreadableResults, match=r"training\.0\.epochs: List should"):
        read_results(path)


def stop_bytes(**changes: Any) -> bytes:
    values: dict[str, Any] = {
        "W": np.ones((2, 3)),
        "state.m": np.ones(3),
        "losses": np.ones(2),
        "accuracies": np.ones(2),
        "seconds": 1.0,
        "belongs": "run reference float64 2",
    }
    file = io.BytesIO()
    np.savez(file, **(values | changes))
    return file.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        {"W": np.array([[1, 2, np.nan], [4, 5, 6]])},
        {"state.m": np.array([np.inf])},
        {"state.m": np.array(["m"])},
        {"losses": np.array([1, np.nan])},
        {"accuracies": np.array([1, np.nan])},
        {"accuracies": np.ones((2, 1))},
        {"accuracies": np.array(1.0)},
        {"seconds": np.nan},
    ],
    ids=str,
)
def test_a_stop_of_what_cannot_be_is_damaged(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "stop.npz"
    path.write_bytes(stop_bytes())
    assert read_stop(path).accuracies == (1.0, 1.0)
    path.write_bytes(stop_bytes(**changes))
    with pytest.raises(checkpoints.Damaged):
        read_stop(path)


def test_a_stop_that_unfolds_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "stop.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("W.npy", bytes(10**7))
    with pytest.raises(checkpoints.Damaged, match="unfold to more than there is"):
        read_stop(path)


# --- Mutations of what is right -------------------------------------------------------


@cache
def valid(reader: str) -> bytes:
    """A small file that the reader takes."""
    if reader == "IDX":
        content = bytes((0, 0, 8, 1, 0, 0, 0, 100)) + bytes(100)
        return gzip.compress(content, mtime=0)
    if reader == "results.json":
        found = json.loads(PUBLISHED.read_text(encoding="utf-8"))
        for name, value in found.items():
            if isinstance(value, list):
                found[name] = value[:2]
        for training in found["training"]:
            training.update({k: v[:2] for k, v in training.items() if type(v) is list})
        return json.dumps(found).encode()
    if reader == "checkpoint":
        return stop_bytes()
    if reader == "run.json":
        made = {"run": checkpoints.description(plan()), "made with": [{"numpy": "1"}]}
        return json.dumps(made).encode()
    if reader == "parameters":
        shapes = {"W1": (2, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}
        return parameters.content({n: np.ones(shape) for n, shape in shapes.items()})
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


VALUES: list[Any] = [
    *(None, True, 0, -1, 1 << 62, 10**30, 1e308, float("nan"), "Infinity", "NaN"),
    *("", "\x1b[31m", "\ud800", [], {}, [[]], [None], {"": ""}, "x" * 10_000),
]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The same with a few bytes changed, left out, put in or repeated; or where it is JSON,
    with another value in some place."""
    if content[:1] == b"{" and chance.random() < 0.7:
        found = json.loads(content)
        for _ in range(chance.randint(1, 3)):
            change(found, chance)
        return json.dumps(found).encode()
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(changed) + 1), chance.choice((1, 1, 2, 8, 50))
        new = chance.choice(
            (b"", chance.randbytes(length), changed[at : at + length] * 2)
        )
        changed[at : at + chance.choice((0, length))] = new
    return bytes(changed)


def change(found: Any, chance: random.Random) -> None:
    """Put another value in one place, at any depth."""
    while True:
        keys = [*found] if isinstance(found, dict) else [*range(len(found))]
        if not keys:
            return
        key = chance.choice(keys)
        inner = found[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.9:
            found = inner
            continue
        if chance.random() < 0.2:
            del found[key]
        else:
            found[key] = deepcopy(chance.choice(VALUES))
        return


FUZZED = [name for name in READERS if name != "own.py"]


def fuzz(reader: str, folder: Path, seed: int) -> bool:
    """Whether a mutation of a valid file is taken; anything but a refusal is raised."""
    read, refusals = READERS[reader]
    path = folder / "fuzzed.npy"
    path.write_bytes(mutated(valid(reader), random.Random(seed)))
    try:
        read(path)
    except refusals as refusal:
        str(refusal).encode()  # it can be printed
        return False
    return True


@posix
@pytest.mark.parametrize("reader", FUZZED)
def test_a_mutated_file_is_taken_or_refused(reader: str, tmp_path: Path) -> None:
    for seed in range(20):
        fuzz(reader, tmp_path, seed)


@posix
@pytest.mark.deep
@pytest.mark.parametrize("reader", FUZZED)
def test_many_mutated_files_are_taken_or_refused(reader: str, tmp_path: Path) -> None:
    """So many seconds for each reader: GRADPARITY_FUZZ, by default a quarter of an hour."""
    seconds = float(os.environ.get("GRADPARITY_FUZZ", "900"))
    first, until = time.time_ns(), time.monotonic() + seconds
    taken = seed = 0
    while time.monotonic() < until:
        seed += 1
        try:
            taken += fuzz(reader, tmp_path, first + seed)
        except Exception as error:
            raise AssertionError(f"{reader}, seed {first + seed}") from error
    print(f"{reader}: {seed} files, {taken} taken")
