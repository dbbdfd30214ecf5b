"""The data sets: found, verified, fetched from good mirrors and from every bad one.

The mirrors are real servers on loopback, with four small files in MNIST's format behind
them; nothing here can reach any other address. The tests of the real MNIST run where
GRADPARITY_DATA names it.
"""

import gzip
import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from gradparity.parity_tests.suite.support import ROOT
from gradparity.reference.data import mirrors
from gradparity.reference.data.mirrors import fetch_mnist
from gradparity.reference.data.mnist_files import (
    MNIST_FILES,
    DatasetError,
    MnistFile,
    MnistUnavailable,
    cache_folder,
    find_mnist,
    verify_mnist,
)
from gradparity.reference.datasets import load, load_digits, load_mnist

REAL_MNIST = os.environ.get("GRADPARITY_DATA", "")
REAL_CACHE = cache_folder()
NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
GZ = sorted(f"{stem}.gz" for stem in NAMES.values())
FIRST = "train-images-idx3-ubyte.gz"
# Long enough for a server on loopback, short enough to wait for one that never answers.
hasty_fetch = partial(fetch_mnist, connect_timeout=1.0, read_timeout=0.5)
SOON = 5.0  # seconds in which to give up: those of `hasty_fetch`, on a busy machine
FOREVER = 20.0  # seconds: so much longer that it fails the test, and yet does not hang


# --- Four small files, and a machine without any --------------------------------------


def idx(table: np.ndarray) -> bytes:
    lengths = b"".join(length.to_bytes(4, "big") for length in table.shape)
    return bytes((0, 0, 8, table.ndim)) + lengths + table.tobytes()


@pytest.fixture(autouse=True)
def bare_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[pytest.MonkeyPatch]:
    """No MNIST anywhere, mirrors that refuse, and no way to another address."""
    for variable in ("GRADPARITY_DATA", "GRADPARITY_MNIST_MIRRORS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # `cache_folder` asks pooch, whichever module asks `cache_folder`.
    monkeypatch.setattr("pooch.os_cache", lambda _: tmp_path / "cache")
    strangers: list[Any] = []
    resolve = socket.getaddrinfo

    def resolve_loopback(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "127.0.0.1":
            strangers.append(host)
            raise OSError(f"a test tried to reach {host}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_loopback)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        refusing = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        monkeypatch.setattr(mirrors, "MNIST_MIRRORS", (refusing,))
        yield monkeypatch
    assert not strangers


@pytest.fixture
def tables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "train_images": rng.integers(256, size=(20, 28, 28), dtype=np.uint8),
        "train_labels": rng.integers(10, size=20, dtype=np.uint8),
        "test_images": rng.integers(256, size=(12, 28, 28), dtype=np.uint8),
        "test_labels": rng.integers(10, size=12, dtype=np.uint8),
    }


@pytest.fixture
def raw(
    tables: dict[str, np.ndarray], bare_machine: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """The four files by their raw names, which are now taken for MNIST."""
    raw = {NAMES[name]: idx(table) for name, table in tables.items()}
    files = {
        name: MnistFile(
            stem,
            md5=hashlib.md5(compress(raw[stem])).hexdigest(),
            sha256=hashlib.sha256(raw[stem]).hexdigest(),
        )
        for name, stem in NAMES.items()
    }
    for name, file in files.items():
        bare_machine.setitem(MNIST_FILES, name, file)
    return raw


@pytest.fixture
def gz(raw: dict[str, bytes]) -> dict[str, bytes]:
    """The same by their compressed names, as a mirror has them."""
    return {f"{stem}.gz": compress(data) for stem, data in raw.items()}


def compress(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def put(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_whole(folder: Path, gz: dict[str, bytes]) -> None:
    assert listing(folder) == GZ
    assert {name: (folder / name).read_bytes() for name in GZ} == gz


# --- Mirrors, good and bad ------------------------------------------------------------


class Mirror(BaseHTTPRequestHandler):
    """A request to a good mirror; the classes below are what can be wrong with one."""

    server: "Server"

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        try:
            self.answer(self.server.contents[name])
        except ConnectionError:  # the client has given up, as it should
            self.close_connection = True

    def answer(self, data: bytes) -> None:
        self.head(len(data))
        self.wfile.write(data)

    def head(self, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def dribble(self) -> None:
        """A byte now and then, and never a silence as long as a timeout."""
        end = time.monotonic() + FOREVER
        while time.monotonic() < end and not self.server.closing.wait(0.02):
            self.wfile.write(b"x")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Missing(Mirror):
    def answer(self, data: bytes) -> None:
        self.send_error(404)


class Altered(Mirror):
    def answer(self, data: bytes) -> None:
        super().answer(data[:-1] + bytes([data[-1] ^ 1]))


class Truncated(Mirror):
    """Sends half a .gz and says that this is all."""

    def answer(self, data: bytes) -> None:
        super().answer(data[: len(data) // 2])


class Portal(Mirror):
    """Answers everything with a page, as the Wi-Fi of a hotel does."""

    def answer(self, data: bytes) -> None:
        super().answer(b"<html>Please log in</html>")


class BreaksOff(Mirror):
    def answer(self, data: bytes) -> None:
        self.head(len(data))
        self.wfile.write(data[: len(data) // 2])


class Silent(Mirror):
    def answer(self, data: bytes) -> None:
        self.server.closing.wait(FOREVER)


class DribblesHeader(Mirror):
    def answer(self, data: bytes) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Padding: ")
        self.dribble()


class Stalls(Mirror):
    def answer(self, data: bytes) -> None:
        self.head(len(data))
        self.wfile.write(data[: len(data) // 2])
        self.server.closing.wait(FOREVER)


class Dribbles(Mirror):
    def answer(self, data: bytes) -> None:
        self.head(len(data))
        self.dribble()


class Endless(Mirror):
    def answer(self, data: bytes) -> None:
        self.head(None)
        while not self.server.closing.is_set():
            self.wfile.write(bytes(2**16))


class Unsized(Mirror):
    """Good, but does not say how much there is."""

    def answer(self, data: bytes) -> None:
        self.head(None)
        self.wfile.write(data)


class Compresses(Mirror):
    """Good, but compresses what it sends, unless it is asked not to."""

    def answer(self, data: bytes) -> None:
        if self.headers["Accept-Encoding"] == "identity":
            return super().answer(data)
        data = compress(data)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


BAD: dict[type[Mirror], str] = {
    Missing: "404",
    Altered: "but got",
    Truncated: "but got",
    Portal: "but got",
    BreaksOff: "IncompleteRead",
    Silent: "timed out",
    DribblesHeader: "no answer within 1 s",
    Stalls: "timed out",
    Dribbles: "expected 10000 a second",
    Endless: "more than 16777216 bytes",
}


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing the server waits for its sockets

    def __init__(self, handler: type[Mirror], contents: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.contents = contents
        self.asked: list[str] = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mnist/"

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


@pytest.fixture
def serve(gz: dict[str, bytes]) -> Iterator[Callable[[type[Mirror]], Server]]:
    with ExitStack() as servers:
        yield lambda handler: servers.enter_context(Server(handler, gz))


Serve = Callable[[type[Mirror]], Server]


@pytest.fixture
def mirror(serve: Serve, bare_machine: pytest.MonkeyPatch) -> Server:
    """A good mirror, and the only one that is asked by default."""
    server = serve(Mirror)
    bare_machine.setattr(mirrors, "MNIST_MIRRORS", (server.url,))
    return server


# --- Fetching -------------------------------------------------------------------------


def test_fetch_puts_the_four_files_into_the_cache_and_nothing_else(
    serve: Serve, gz: dict[str, bytes], tmp_path: Path
) -> None:
    folder = fetch_mnist(mirrors=[serve(Mirror).url])
    assert folder == tmp_path / "cache"
    assert_whole(folder, gz)


@pytest.mark.parametrize("bad", BAD)
def test_bad_mirror_alone_is_given_up_soon_and_leaves_nothing(
    bad: type[Mirror], serve: Serve, tmp_path: Path
) -> None:
    server = serve(bad)
    start = time.monotonic()
    with pytest.raises(MnistUnavailable) as caught:
        hasty_fetch(mirrors=[server.url], cache=tmp_path / "there")
    assert time.monotonic() - start < SOON
    assert listing(tmp_path / "there") == []
    assert server.asked == [FIRST], "after the first file the others are not tried"
    assert BAD[bad] in str(caught.value)
    assert server.url.rstrip("/") in str(caught.value)
    assert FIRST in str(caught.value)


@pytest.mark.parametrize("bad", BAD)
def test_after_a_bad_mirror_the_next_one_delivers_everything(
    bad: type[Mirror], serve: Serve, gz: dict[str, bytes]
) -> None:
    worse, better = serve(bad), serve(Mirror)
    assert_whole(hasty_fetch(mirrors=[worse.url, better.url]), gz)
    assert worse.asked == [FIRST], "a mirror that failed once is not asked first again"
    assert sorted(better.asked) == GZ


def test_mirror_that_fails_later_is_replaced_by_one_that_failed_before(
    serve: Serve, gz: dict[str, bytes]
) -> None:
    first, second = serve(Mirror), serve(Mirror)
    first.contents = {**gz, FIRST: b"bad"}
    second.contents = {**gz, "t10k-labels-idx1-ubyte.gz": b"bad"}
    assert_whole(fetch_mnist(mirrors=[first.url, second.url]), gz)


def test_wrong_checksum_is_reported_with_both_sums(
    serve: Serve, gz: dict[str, bytes]
) -> None:
    came = hashlib.md5(b"<html>Please log in</html>").hexdigest()
    expected = hashlib.md5(gz[FIRST]).hexdigest()
    with pytest.raises(MnistUnavailable, match=f"{expected} but got {came}"):
        fetch_mnist(mirrors=[serve(Portal).url])


def test_no_connection_is_noticed_soon_and_named(raw: dict[str, bytes]) -> None:
    start = time.monotonic()
    with pytest.raises(MnistUnavailable, match="refused") as caught:
        fetch_mnist()
    assert time.monotonic() - start < SOON
    assert "HTTPConnectionPool" not in str(caught.value), "nobody wants to read that"


def test_name_that_is_never_resolved_is_given_up(
    raw: dict[str, bytes], bare_machine: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        released.wait(FOREVER)
        raise OSError("too late")

    bare_machine.setattr(socket, "getaddrinfo", hang)
    start = time.monotonic()
    with pytest.raises(MnistUnavailable, match=r"no answer within 0\.2 s"):
        fetch_mnist(mirrors=["http://mirror.invalid/"], connect_timeout=0.2)
    assert time.monotonic() - start < SOON
    released.set()


def test_address_that_is_none_is_refused(raw: dict[str, bytes]) -> None:
    with pytest.raises(MnistUnavailable, match="no-scheme"):
        fetch_mnist(mirrors=["no-scheme"])


def test_mirrors_come_from_the_environment(
    serve: Serve, gz: dict[str, bytes], bare_machine: pytest.MonkeyPatch
) -> None:
    missing, good = serve(Missing), serve(Mirror)
    bare_machine.setenv("GRADPARITY_MNIST_MIRRORS", f" {missing.url}\n{good.url} ")
    assert_whole(fetch_mnist(), gz)
    assert missing.asked == [FIRST]


def test_mirror_is_asked_for_the_file_as_it_is(
    serve: Serve, gz: dict[str, bytes]
) -> None:
    assert_whole(fetch_mnist(mirrors=[serve(Compresses).url]), gz)


def test_progress_is_told_every_file_from_start_to_end(
    serve: Serve, gz: dict[str, bytes]
) -> None:
    told: dict[str, list[tuple[int, int | None]]] = {}
    fetch_mnist(
        mirrors=[serve(Mirror).url],
        progress=lambda file, done, total: told.setdefault(file, []).append(
            (done, total)
        ),
    )
    assert sorted(told) == GZ
    for file, calls in told.items():
        assert calls == sorted(calls)
        assert calls[-1] == (len(gz[file]), len(gz[file]))


def test_progress_is_told_where_the_length_is_unknown(serve: Serve) -> None:
    totals: set[int | None] = set()
    fetch_mnist(
        mirrors=[serve(Unsized).url],
        progress=lambda _file, _done, total: totals.add(total),
    )
    assert totals == {None}


def test_only_what_the_cache_lacks_is_asked_for(
    serve: Serve, gz: dict[str, bytes], tmp_path: Path
) -> None:
    server = serve(Mirror)
    cache = put(tmp_path / "cache", gz)
    fetch_mnist(mirrors=[server.url])
    assert server.asked == []
    (cache / FIRST).write_bytes(gz[FIRST][:-9])
    (cache / "t10k-labels-idx1-ubyte.gz").unlink()
    fetch_mnist(mirrors=[server.url])
    assert server.asked == [FIRST, "t10k-labels-idx1-ubyte.gz"]
    assert_whole(cache, gz)


def test_pooch_logger_is_left_as_it_was(serve: Serve) -> None:
    import pooch

    before = pooch.get_logger().level
    pooch.get_logger().setLevel(logging.ERROR)
    try:
        fetch_mnist(mirrors=[serve(Mirror).url])
        assert pooch.get_logger().level == logging.ERROR
    finally:
        pooch.get_logger().setLevel(before)


def test_cache_that_cannot_be_written_to_is_named(
    serve: Serve, tmp_path: Path, bare_machine: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = tmp_path / "file" / "cache"
    with pytest.raises(MnistUnavailable) as caught:
        fetch_mnist(mirrors=[serve(Mirror).url], cache=cache)
    assert f"the cache {cache} cannot be written to" in str(caught.value)
    bare_machine.setattr("pooch.os_cache", lambda _: cache)
    assert load().name == "digits"


@pytest.mark.parametrize("other_was_first", [True, False])
def test_file_that_cannot_be_replaced_is_good_only_if_it_is_whole(
    other_was_first: bool,
    serve: Serve,
    gz: dict[str, bytes],
    bare_machine: pytest.MonkeyPatch,
) -> None:
    def replace(source: Path, target: Path) -> None:
        """As on Windows, where somebody has the target open."""
        target.write_bytes(gz[target.name] if other_was_first else b"")
        raise PermissionError("in use")

    bare_machine.setattr(os, "replace", replace)
    mirrors = [serve(Mirror).url]
    if other_was_first:
        assert_whole(fetch_mnist(mirrors=mirrors), gz)
    else:
        with pytest.raises(MnistUnavailable, match="in use"):
            fetch_mnist(mirrors=mirrors)


# --- Other processes ------------------------------------------------------------------

FETCH = """
import json, sys
from gradparity.reference.data.cleanup import obey_signals
from gradparity.reference.data.mirrors import fetch_mnist
from gradparity.reference.data.mnist_files import MNIST_FILES, MnistFile
files = json.loads(sys.argv[1])
MNIST_FILES.update({name: MnistFile(*file) for name, file in files.items()})
obey_signals()
fetch_mnist(cache=sys.argv[2], connect_timeout=60.0, read_timeout=60.0)
"""


def start_fetch(server: Server, cache: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, json.dumps(MNIST_FILES), str(cache)],
        env={
            **os.environ,
            "GRADPARITY_MNIST_MIRRORS": server.url,
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_bytes_in(folder: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if any(p.stat().st_size for p in folder.rglob("*") if p.is_file()):
                return
        except FileNotFoundError:  # it has been removed while we looked
            pass
        time.sleep(0.01)
    pytest.fail("waited in vain")


def test_killed_fetch_leaves_no_data_and_is_swept_away_later(
    serve: Serve, gz: dict[str, bytes], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with start_fetch(serve(Stalls), cache) as process:
        wait_for_bytes_in(cache)
        process.kill()
    remains = [path.name for path in cache.iterdir()]
    assert len(remains) == 1
    assert remains[0].startswith(".fetch-")
    assert {row.status for row in verify_mnist()} == {"missing"}

    # The folder is young, so for all we know somebody is at work in it.
    good = serve(Mirror)
    fetch_mnist(mirrors=[good.url])
    assert sorted(path.name for path in cache.iterdir()) == sorted([*remains, *GZ])

    long_ago = time.time() - 7200
    os.utime(cache / remains[0], (long_ago, long_ago))
    fetch_mnist(mirrors=[good.url])
    assert_whole(cache, gz)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_fetch_leaves_nothing(
    kind: signal.Signals, serve: Serve, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with start_fetch(serve(Stalls), cache) as process:
        wait_for_bytes_in(cache)
        process.send_signal(kind)
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == -kind
    assert list(cache.iterdir()) == []


def test_fetch_that_ends_while_another_sweeps_does_not_disturb_it(
    serve: Serve, tmp_path: Path, bare_machine: pytest.MonkeyPatch
) -> None:
    ended = tmp_path / "cache" / ".fetch-ended"
    bare_machine.setattr(Path, "glob", lambda *_: iter([ended]))
    assert fetch_mnist(mirrors=[serve(Mirror).url]) == ended.parent


def test_two_fetches_at_the_same_time_both_succeed_in_silence(
    serve: Serve, gz: dict[str, bytes], tmp_path: Path
) -> None:
    both_are_here = threading.Barrier(2, timeout=60)

    class Together(Mirror):
        def answer(self, data: bytes) -> None:
            if self.path.endswith(FIRST):
                both_are_here.wait()
            super().answer(data)

    server = serve(Together)
    processes = [start_fetch(server, tmp_path / "cache") for _ in range(2)]
    for process in processes:
        output = process.communicate(timeout=60)
        assert (process.returncode, *output) == (0, "", "")
    assert server.asked.count(FIRST) == 2
    assert_whole(tmp_path / "cache", gz)


def test_importing_the_module_imports_nothing_heavy() -> None:
    code = (
        "import sys, gradparity.reference.datasets; "
        "print({'pooch', 'requests', 'sklearn', 'torch', 'jax'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True).strip() == "set()"


# --- Finding and verifying ------------------------------------------------------------


def raw_under_gz_names(raw: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{stem}.gz": data for stem, data in raw.items()}


def compressed_otherwise(raw: dict[str, bytes]) -> dict[str, bytes]:
    return {
        f"{stem}.gz": gzip.compress(data, compresslevel=1, mtime=7)
        for stem, data in raw.items()
    }


@pytest.mark.parametrize("kept", [dict, raw_under_gz_names, compressed_otherwise])
def test_mnist_is_read_raw_and_compressed(
    kept: Callable[[dict[str, bytes]], dict[str, bytes]],
    raw: dict[str, bytes],
    tables: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    folder = put(tmp_path / "mnist", kept(raw))
    data = load("mnist", data_dir=folder)
    assert (data.name, data.source) == ("mnist", str(folder))
    assert data.why == f"MNIST was found in {folder} (--data-dir)."
    assert data.image_shape == (28, 28)
    assert data.sha256 == {
        stem: hashlib.sha256(content).hexdigest() for stem, content in raw.items()
    }
    for part, x, t in (
        ("train", data.x_train, data.t_train),
        ("test", data.x_test, data.t_test),
    ):
        images, labels = tables[f"{part}_images"], tables[f"{part}_labels"]
        assert x.dtype == np.float64
        assert np.array_equal(x, images.reshape(-1, 784) / 255)
        assert t.dtype == np.int64
        assert np.array_equal(t, labels)


def test_places_are_searched_in_order(
    gz: dict[str, bytes], tmp_path: Path, bare_machine: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert find_mnist()[0] is None
    put(tmp_path / "cache", gz)
    assert find_mnist()[0] == ("user cache", tmp_path / "cache")
    bare_machine.setenv("GRADPARITY_DATA", str(put(there, gz)))
    assert find_mnist()[0] == ("GRADPARITY_DATA", there)
    assert find_mnist(put(here, gz))[0] == ("--data-dir", here)
    bare_machine.setenv("GRADPARITY_DATA", "")
    assert find_mnist()[0] == ("user cache", tmp_path / "cache")


def test_real_cache_is_one_folder_of_our_own() -> None:
    assert REAL_CACHE.is_absolute()
    assert "gradparity" in REAL_CACHE.parts


def test_home_is_understood_in_a_folder_name(
    gz: dict[str, bytes], tmp_path: Path, bare_machine: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "USERPROFILE"):
        bare_machine.setenv(variable, str(tmp_path))
    put(tmp_path / "mine", gz)
    assert load("mnist", data_dir="~/mine").source == str(tmp_path / "mine")


@pytest.mark.parametrize("name", ["auto", "mnist"])
@pytest.mark.parametrize("folder", ["typo", "~nobody-of-that-name/mnist", "a\0b"])
def test_named_folder_that_does_not_exist_is_refused(
    folder: str, name: str, gz: dict[str, bytes], tmp_path: Path
) -> None:
    put(tmp_path / "cache", gz)  # which must not be taken instead
    with pytest.raises(DatasetError) as caught:
        load(name, data_dir=folder)
    assert str(Path(folder)) in str(caught.value)
    assert "there is no such folder" in str(caught.value)


@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_named_folder_that_lacks_a_file_is_refused(
    name: str, gz: dict[str, bytes], tmp_path: Path
) -> None:
    put(tmp_path / "cache", gz)
    folder = put(tmp_path / "mnist", gz)
    (folder / FIRST).unlink()
    with pytest.raises(DatasetError) as caught:
        load(name, data_dir=folder)
    assert str(folder) in str(caught.value)
    assert "it lacks train-images-idx3-ubyte[.gz]" in str(caught.value)


def test_folder_in_the_environment_that_lacks_files_is_passed_over_and_named(
    gz: dict[str, bytes], tmp_path: Path, bare_machine: pytest.MonkeyPatch
) -> None:
    bare_machine.setenv("GRADPARITY_DATA", str(tmp_path / "unmounted"))
    without = load("auto")
    put(tmp_path / "cache", gz)
    within = load("auto")
    assert (without.name, within.name) == ("digits", "mnist")
    passed = f"{tmp_path / 'unmounted'} (GRADPARITY_DATA: there is no such folder)"
    assert passed in without.why
    assert passed in within.why


def flip_a_pixel(data: bytes) -> bytes:
    return compress(data[:99] + bytes([data[99] ^ 1]) + data[100:])


def cut_the_gzip(data: bytes) -> bytes:
    return compress(data)[:-20]


def spoil_the_gzip(data: bytes) -> bytes:
    whole = compress(data)
    return whole[:10] + b"\xff" + whole[11:]  # no kind of block that deflate has


def append_to_the_gzip(data: bytes) -> bytes:
    return compress(data) + b"more"


def empty(data: bytes) -> bytes:
    return b""


def cut_the_raw(data: bytes) -> bytes:
    return data[:-1]


def cut_the_header(data: bytes) -> bytes:
    return data[:7]


def labels_instead(data: bytes) -> bytes:
    return idx(np.arange(20, dtype=np.uint8))


DAMAGE: dict[Callable[[bytes], bytes], str] = {
    flip_a_pixel: "must have SHA-256",
    cut_the_gzip: "must be a whole, readable file",
    spoil_the_gzip: "must be a whole, readable file",
    append_to_the_gzip: "must be a whole, readable file",
    empty: "got an empty file",
    cut_the_raw: "must hold 15680 bytes of data, as its header says, got 15679",
    cut_the_header: "12 bytes of lengths, as IDX files do, got 00000803000000",
    labels_instead: "must begin with 00000803",
}


@pytest.mark.parametrize("how", ["--data-dir", "GRADPARITY_DATA"])
@pytest.mark.parametrize("name", ["auto", "mnist"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_file_in_a_named_folder_is_refused(
    damage: Callable[[bytes], bytes],
    name: str,
    how: str,
    raw: dict[str, bytes],
    gz: dict[str, bytes],
    mirror: Server,
    tmp_path: Path,
    bare_machine: pytest.MonkeyPatch,
) -> None:
    folder = put(tmp_path / "mnist", gz)
    (folder / FIRST).write_bytes(damage(raw["train-images-idx3-ubyte"]))
    data_dir = folder if how == "--data-dir" else None
    bare_machine.setenv("GRADPARITY_DATA", "" if data_dir else str(folder))
    with pytest.raises(DatasetError) as caught:
        load(name, data_dir=data_dir)
    assert str(caught.value).startswith(f"{folder / FIRST} must ")
    assert DAMAGE[damage] in str(caught.value)
    assert mirror.asked == []


def test_wrong_content_is_reported_with_both_sums(
    raw: dict[str, bytes], gz: dict[str, bytes], tmp_path: Path
) -> None:
    changed = flip_a_pixel(raw["train-images-idx3-ubyte"])
    folder = put(tmp_path / "mnist", {**gz, FIRST: changed})
    with pytest.raises(DatasetError) as caught:
        load("mnist", data_dir=folder)
    for content in (raw["train-images-idx3-ubyte"], gzip.decompress(changed)):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)


@pytest.mark.parametrize("name", [FIRST, "train-images-idx3-ubyte"])
def test_damaged_file_in_the_cache_is_fetched_again(
    name: str,
    raw: dict[str, bytes],
    gz: dict[str, bytes],
    mirror: Server,
    tmp_path: Path,
) -> None:
    cache = put(tmp_path / "cache", gz)
    (cache / FIRST).unlink()
    (cache / name).write_bytes(b"damaged")
    data = load("auto")
    assert data.name == "mnist"
    assert "user cache is damaged" in data.why
    assert mirror.asked == [FIRST]
    assert (cache / FIRST).read_bytes() == gz[FIRST]


def test_damaged_cache_without_a_network_is_no_mnist(
    gz: dict[str, bytes], tmp_path: Path
) -> None:
    put(tmp_path / "cache", {**gz, FIRST: b"damaged"})
    for download, reason in ((True, "refused"), (False, "not to be downloaded")):
        with pytest.raises(MnistUnavailable, match="user cache is damaged"):
            load("mnist", download=download)
        data = load("auto", download=download)
        assert data.name == "digits"
        assert "user cache is damaged" in data.why
        assert reason in data.why


def test_verify_tells_of_every_file_in_every_place(
    raw: dict[str, bytes], gz: dict[str, bytes], tmp_path: Path
) -> None:
    folder = put(tmp_path / "mnist", {**gz, FIRST: b"damaged"})
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    rows = verify_mnist(folder)
    there, cache = rows[:4], rows[4:]
    assert [row.file for row in there] == list(NAMES.values())
    assert [row.status for row in there] == ["damaged", "ok", "ok", "missing"]
    assert [row.path for row in there] == [
        *(folder / f"{stem}.gz" for stem in list(NAMES.values())[:3]),
        None,
    ]
    assert [row.sha256 for row in there] == [
        None,
        *(hashlib.sha256(raw[stem]).hexdigest() for stem in list(NAMES.values())[1:3]),
        None,
    ]
    assert "must begin with 00000803" in there[0].detail
    assert {row.place.how for row in there} == {"--data-dir"}
    assert [row.status for row in cache] == ["missing"] * 4
    assert {row.place for row in cache} == {("user cache", tmp_path / "cache")}


# --- Which data set, and why ----------------------------------------------------------


@pytest.mark.parametrize("name", ["MNIST", "", "cifar10"])
def test_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    message = f"must be auto, mnist or digits, got {name!r}"
    with pytest.raises(DatasetError, match=message):
        load(name)


@pytest.mark.usefixtures("mirror")
def test_auto_fetches_mnist_where_it_can(tmp_path: Path) -> None:
    told: list[str] = []
    data = load(progress=lambda file, done, total: told.append(file))
    assert (data.name, data.source) == ("mnist", str(tmp_path / "cache"))
    assert data.why.endswith(f"and was fetched into {tmp_path / 'cache'}.")
    assert FIRST in told
    assert load().why == f"MNIST was found in {tmp_path / 'cache'} (user cache)."


def test_auto_takes_digits_where_it_cannot_and_says_why() -> None:
    data = load()
    assert (data.name, data.source) == ("digits", "scikit-learn's bundled digits")
    assert data.why.startswith("MNIST was not found in ")
    assert "could not be fetched" in data.why
    assert "refused" in data.why
    assert data.why.endswith(", so scikit-learn's bundled digits were taken.")
    assert "user cache: there is no such folder" in data.why
    assert "user cache: none of the four files is there" in load().why


def test_mnist_by_name_is_an_error_where_it_cannot_be_had() -> None:
    for get in (lambda: load("mnist"), load_mnist):
        with pytest.raises(DatasetError) as caught:
            get()
        for what_to_do in ("gradparity data fetch", "--data-dir", "GRADPARITY_DATA"):
            assert what_to_do in str(caught.value)


def test_nothing_is_downloaded_that_was_not_to_be(mirror: Server) -> None:
    assert "not to be downloaded" in load(download=False).why
    for get in (
        lambda: load("mnist", download=False),
        lambda: load_mnist(download=False),
    ):
        with pytest.raises(MnistUnavailable, match="not to be downloaded"):
            get()
    assert load("digits").why == "The digits were asked for by name."
    assert mirror.asked == []


# --- The arrays -----------------------------------------------------------------------


def test_load_mnist_as_the_lecture_calls_it(
    gz: dict[str, bytes], tables: dict[str, np.ndarray], tmp_path: Path
) -> None:
    put(tmp_path / "cache", gz)
    (x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)
    assert (x_train.shape, x_test.shape) == ((20, 784), (12, 784))
    assert x_train.dtype == x_test.dtype == np.float32
    pixels = tables["train_images"].reshape(20, 784)
    assert np.array_equal(x_train, pixels.astype(np.float32) / 255)
    assert t_train.dtype == t_test.dtype == np.int64
    assert np.array_equal(t_test, tables["test_labels"])


def test_load_mnist_options(
    gz: dict[str, bytes], tables: dict[str, np.ndarray], tmp_path: Path
) -> None:
    folder = put(tmp_path / "mnist", gz)
    (x_train, t_train), (x_test, t_test) = load_mnist(
        normalize=False, flatten=False, one_hot_label=True, data_dir=folder
    )
    assert x_train.dtype == np.uint8
    assert x_train.shape == (20, 1, 28, 28)
    assert np.array_equal(x_test[:, 0], tables["test_images"])
    assert t_train.shape == (20, 10)
    assert t_train.dtype == np.float64
    assert np.array_equal(t_test.sum(axis=1), np.ones(12))
    assert np.array_equal(t_train.argmax(axis=1), tables["train_labels"])


def test_arrays_may_be_written_to(gz: dict[str, bytes], tmp_path: Path) -> None:
    folder = put(tmp_path / "mnist", gz)
    data = load("mnist", data_dir=folder)
    (x, t), _ = load_mnist(normalize=False, data_dir=folder)
    for array in (data.x_train, data.t_train, x, t, *load_digits(normalize=False)[0]):
        assert array.flags.writeable


def test_pixels_in_float32_are_the_same_from_both_ways_of_loading(
    gz: dict[str, bytes], tables: dict[str, np.ndarray], tmp_path: Path
) -> None:
    assert len(np.unique(tables["train_images"])) == 256, "every value is looked at"
    folder = put(tmp_path / "mnist", gz)
    (x_train, _), _ = load_mnist(data_dir=folder)
    data = load("mnist", data_dir=folder).astype(np.float32)
    assert np.array_equal(data.x_train, x_train)


def test_dataset_in_another_dtype() -> None:
    data = load("digits")
    for dtype in (np.float32, np.longdouble):
        cast = data.astype(dtype)
        assert cast.x_train.dtype == cast.x_test.dtype == dtype
        assert np.array_equal(cast.x_test, data.x_test)  # sixteenths are exact
        assert cast.why == data.why
        assert cast.t_test.dtype == np.int64
    assert data.x_train.dtype == np.float64


def test_digits_are_scikit_learns_in_a_split_that_never_changes() -> None:
    from sklearn import datasets as bundled

    data = load("digits")
    assert data.image_shape == (8, 8)
    assert data.x_train.shape == (1500, 64)
    assert data.x_test.shape == (297, 64)
    assert data.t_train.dtype == np.int64
    rows = np.column_stack(
        [np.vstack([data.x_train, data.x_test]) * 16, [*data.t_train, *data.t_test]]
    )
    expected = bundled.load_digits()
    original = np.column_stack([expected.data, expected.target])
    assert np.array_equal(rows[np.lexsort(rows.T)], original[np.lexsort(original.T)])
    assert data.sha256 == {
        "digits": "0eb8fecd52cd266edf66f5c9e1fd4de2351a5fc0549f1a96fbc292512d69bdab"
    }


def test_load_digits_options() -> None:
    data = load("digits")
    (x_train, t_train), (x_test, t_test) = load_digits()
    assert x_train.dtype == np.float32
    assert np.array_equal(x_train, data.x_train)
    assert np.array_equal(x_test, data.x_test)
    assert np.array_equal(t_test, data.t_test)
    assert np.array_equal(t_train, data.t_train)
    (x, t), _ = load_digits(normalize=False, flatten=False, one_hot_label=True)
    assert x.dtype == np.uint8
    assert x.shape == (1500, 1, 8, 8)
    assert np.array_equal(x.reshape(1500, 64), data.x_train * 16)
    assert np.array_equal(t.argmax(axis=1), data.t_train)


# --- The real MNIST -------------------------------------------------------------------

needs_mnist = pytest.mark.skipif(
    not all(
        any((Path(REAL_MNIST) / f"{stem}{end}").is_file() for end in ("", ".gz"))
        for stem in NAMES.values()
    )
    or not REAL_MNIST,
    reason="GRADPARITY_DATA names no folder with MNIST",
)


@needs_mnist
def test_real_mnist(bare_machine: pytest.MonkeyPatch) -> None:
    bare_machine.setenv("GRADPARITY_DATA", REAL_MNIST)
    data = load()
    assert data.name == "mnist"
    assert data.x_train.shape == (60_000, 784)
    assert data.x_test.shape == (10_000, 784)
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert f"{data.x_train.mean():.4f} {data.x_train.std():.4f}" == "0.1307 0.3081"
    assert data.t_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(data.t_test).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]


@needs_mnist
def test_real_mnist_compressed_files_have_the_sums_that_a_download_must_have() -> None:
    found = [
        (Path(REAL_MNIST) / file.gz, file.md5)
        for file in MNIST_FILES.values()
        if (Path(REAL_MNIST) / file.gz).is_file()
    ]
    for path, md5 in found:
        assert hashlib.md5(path.read_bytes()).hexdigest() == md5


@needs_mnist
def test_real_mnist_with_one_pixel_changed_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    shutil.copytree(REAL_MNIST, folder)
    images = folder / "t10k-images-idx3-ubyte.gz"
    if not images.is_file():
        pytest.skip("this MNIST is kept raw")
    changed = bytearray(gzip.decompress(images.read_bytes()))
    changed[5000] ^= 1
    images.unlink()
    images.write_bytes(gzip.compress(changed, compresslevel=1))
    with pytest.raises(
        DatasetError, match=r"t10k-images-idx3-ubyte\.gz must have SHA-256"
    ):
        load("mnist", data_dir=folder)
