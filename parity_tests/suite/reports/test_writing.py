"""Where the last write fails nothing is lost, and two commands write one whole output."""

import errno
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradparity.parity_tests.suite.reference.test_reading import small_results
from gradparity.parity_tests.suite.reports.test_cli import (
    COMMAND,
    QUICK,
    Called,
    called,
    environment,
)
from gradparity.reference.data.cleanup import UNFINISHED, write_together
from gradparity.reference.networks import parameters
from gradparity.reports import console, runner, writing
from gradparity.reports.commands import grade
from gradparity.reports.explain import making, publishing
from gradparity.reports.results import Results

__all__ = ["called"]  # a fixture

posix = pytest.mark.skipif(os.name == "nt", reason="links and processes of POSIX")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], Path]:
    """Nothing can be written in `full` from now on, but in `elsewhere`: what is kept there
    is returned when it is called.
    """
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    write_bytes = Path.write_bytes

    def none_left(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(path: Path, content: bytes) -> None:
        (write_bytes if elsewhere in path.parents else none_left)(path, content)

    monkeypatch.setattr(os, "fsync", none_left)
    monkeypatch.setattr(Path, "write_bytes", write)

    def kept() -> Path:
        (found,) = elsewhere.glob("gradparity-kept-*")
        return found

    return kept


def test_train_shows_accuracies_and_keeps_parameters(
    called: Called, full: Callable[[], Path]
) -> None:
    more = ("--steps", "5", "--dtype", "float32", "--save", "full")
    done = called("train", *QUICK, *more)
    assert done.returncode == 2
    assert "reference" in done.stdout
    assert done.stderr.splitlines()[-1] == (
        f"gradparity: full cannot be written: {os.strerror(errno.ENOSPC)}; "
        f"it is kept in {full()}"
    )
    parameters.load(full() / "reference-float32.safetensors")


def test_a_report_says_what_it_found_and_is_kept(
    called: Called, full: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = small_results()
    monkeypatch.setattr(runner, "report", lambda *_, **__: results)
    monkeypatch.setattr(writing, "pages", lambda *_: {"report.md": "# Report\n"})
    done = called("report", *QUICK, "--steps", "5", "--output", "full")
    assert done.returncode == 2
    assert "checks differ by rounding at most" in done.stdout
    assert "report.html" not in done.stdout
    assert done.stderr.splitlines()[-1].endswith(f"; it is kept in {full()}")
    assert Results.read(full()).text() == results.text()
    assert not Path("full").exists()


def test_a_run_is_kept_whose_pages_cannot_be_made(
    called: Called, full: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> dict[str, str]:
        raise OSError(errno.ENOSPC, "no room for fonts")

    results = small_results()
    monkeypatch.setattr(runner, "report", lambda *_, **__: results)
    monkeypatch.setattr(writing, "pages", broken)
    done = called("report", *QUICK, "--steps", "5", "--output", "full")
    assert done.returncode == 2
    *_, where, why = done.stderr.splitlines()
    assert where == f"it is kept in {full()}"
    assert "no room for fonts" in why
    assert Results.read(full()).text() == results.text()


def test_a_page_that_cannot_be_written_is_kept(
    called: Called, full: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "run", lambda *_: lambda lang: None)
    monkeypatch.setattr(publishing, "rendered", lambda *_: "<html></html>")
    done = called("explain", "relu", "--output", "relu.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith(f"; it is kept in {full()}")
    assert (full() / "relu.html").read_text().rstrip().endswith("</html>")


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's full device")
@pytest.mark.parametrize("output", ["full", "closed pipe", "closed"])
def test_files_are_written_though_nobody_can_read_what_is_shown(
    output: str, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("class Relu: pass\n")
    reading, writing_end = os.pipe()
    os.close(reading)
    stdout = os.open("/dev/full", os.O_WRONLY) if output == "full" else writing_end
    close = 'exec "$@" >&-' if output == "closed" else 'exec "$@"'
    done = subprocess.run(
        ["sh", "-c", close, "sh", *COMMAND, "grade", "a.py", "--csv", "a.csv"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path),
        check=False,
    )
    for descriptor in {stdout, writing_end}:
        os.close(descriptor)
    assert '"a.py","fail"' in (tmp_path / "a.csv").read_text()
    why = {"full": "No space left on device", "closed pipe": "Broken pipe"}
    said = f"gradparity: standard output cannot be written: {why.get(output)}"
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (
        (1, []) if output == "closed" else (2, [said])
    )


@posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    link, real = tmp_path / "link.csv", tmp_path / "below" / "real.csv"
    link.symlink_to(real)
    for text in (
        "first",
        "second",
    ):  # before there is such a file, and when there is one
        writing.write_file(link, text)
        assert link.is_symlink()
        assert real.read_text() == text
    assert [path.name for path in real.parent.iterdir()] == ["real.csv"]


@posix
@pytest.mark.parametrize(
    "call",
    [
        "report --dataset digits --output loop",
        "report --dataset digits --output loop/below",
        "train --dataset digits --save loop",
        "train --dataset digits --checkpoint loop/below",
        "grade a.py --csv loop",
        "grade a.py --html loop",
        "grade . --html loop",
        "bench sweep --figure loop.svg",
        "explain relu --output loop",
        "explain --all --output loop",
        "train --dataset mnist --data-dir loop",
        "compare loop loop",
        "grade loop",
    ],
)
def test_a_loop_of_links_gets_one_sentence(
    call: str, called: Called, tmp_path: Path
) -> None:
    for name in ("loop", "loop.svg"):
        Path(name).symlink_to(name)
    Path("a.py").write_text("class Relu: pass\n")
    done = called(*call.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("gradparity: ")
    assert "loop" in done.stderr
    assert Path("loop").is_symlink()


@posix
def test_what_is_no_file_is_not_replaced(called: Called, tmp_path: Path) -> None:
    os.mkfifo("pipe")
    done = called("explain", "relu", "--output", "pipe")
    assert (done.returncode, done.stderr) == (
        2,
        "gradparity: --output must name a file, but pipe is none\n",
    )
    assert Path("pipe").is_fifo()
    with pytest.raises(OSError, match="there is no regular file there"):
        write_together({Path("other"): b"", Path("pipe"): b""})
    assert {path.name for path in tmp_path.iterdir()} == {"home", "pipe"}


SEVERAL = """
import sys
from pathlib import Path
from gradparity.reference.data.cleanup import write_together
from gradparity.reports import writing
own, folder = sys.argv[1], Path(sys.argv[2])
names = [f"{number}.txt" for number in range(20)]
for turn in range(10):
    writing.write_folder(folder / "report", dict.fromkeys(names, own * 1000))
    write_together({folder / name: own.encode() * 1000 for name in names})
"""


@posix
def test_two_commands_on_one_output_leave_that_of_one(tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SEVERAL, own, str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for own in "ab"
    ]
    for each in both:
        assert (each.communicate()[1], each.returncode) == ("", 0)
    for folder in (tmp_path, tmp_path / "report"):
        contents = {path.read_text() for path in folder.glob("*.txt")}
        assert len(contents) == 1
        assert len([*folder.glob("*.txt")]) == 20
        assert [*folder.glob(f".*{UNFINISHED}")] == []


def test_both_of_what_a_grading_writes_are_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from gradparity.reports import grade_book
    from gradparity.reports.pages import grading_html

    def fails(path: Path, *_: Any) -> None:
        raise writing.UnusableTarget(f"{path} cannot be written: it is full")

    monkeypatch.setattr(grade_book, "write_csv", fails)
    monkeypatch.setattr(grading_html, "write", fails)
    options = grade.Options(path=tmp_path, html=Path("a.html"), csv=Path("a.csv"))
    with pytest.raises(writing.UnusableTarget, match=r"a\.csv cannot .*; a\.html"):
        grade.write(options, [], False)


def test_what_was_shown_has_left_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results go by a console of their own, and not by `sys.stdout`."""
    reached = io.BytesIO()
    monkeypatch.setattr(console.output, "_file", io.TextIOWrapper(reached))
    console.print_json(result=1)
    with writing.to_be_written(tmp_path, {}):
        assert reached.getvalue() == b'{"result": 1}\n'
