"""A guard ends its program when nothing else can, and says how it ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradparity.reference.data import guard
from gradparity.reference.data.guard import SIGNALS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

BEFORE = """
import os, signal, subprocess, sys, time
from pathlib import Path
from gradparity.reference.data import guard
from gradparity.reference.data.cleanup import obey_signals, passing_folder
guard.SOON, guard.LONG = 0.3, 0.2
obey_signals()
with guard.apart(), passing_folder(Path(sys.argv[1]), "unfinished-") as folder:
    (folder / "half").touch()
"""


def start(code: str, folder: Path, before: str = "") -> "subprocess.Popen[str]":
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    return subprocess.Popen(
        [sys.executable, "-c", before + BEFORE + lines, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(code: str, folder: Path) -> "tuple[int, str, str]":
    """Its status, and what it said."""
    process = start(code, folder)
    printed, said = process.communicate(timeout=60)
    return process.returncode, printed, said


@pytest.mark.parametrize("code", ["9**9**9", "time.sleep(99)"])
def test_a_signal_ends_what_runs_in_c_code(code: str, tmp_path: Path) -> None:
    """And what was to be removed at the end is removed."""
    code = f"print('ready', flush=True)\n{code}"
    running = {name: start(code, tmp_path) for name in SIGNALS}
    for name, process in running.items():
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[name])
    for name, process in running.items():
        printed, said = process.communicate(timeout=60)
        assert (process.returncode, printed, said) == (-signal.Signals[name], "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_is_ignored_stays_so_in_both_processes(tmp_path: Path) -> None:
    """As under nohup."""
    code = "print('ready', flush=True)\ntime.sleep(0.2)\nprint('done')"
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = start(code, tmp_path, ignored)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=60) == ("done\n", "")
    assert process.returncode == 0


ENDS = {
    "os._exit(0)": "ended itself with status 0",
    "os.abort()": "was ended by SIGABRT",
    "os.kill(os.getpid(), signal.SIGSEGV)": "was ended by SIGSEGV",
    "os.kill(os.getpid(), signal.SIGTERM)": "was ended by SIGTERM",
    "signal.signal(15, signal.SIG_IGN); os.kill(os.getpid(), 9)": "was ended by SIGKILL",
}


@pytest.mark.parametrize("code", ENDS)
def test_what_ends_the_process_is_told(code: str, tmp_path: Path) -> None:
    sentence = f"gradparity: the process {ENDS[code]} in Relu of mine.py\n"
    within = f"with guard.noted(guard.CODE, 'Relu of mine.py'): {code}"
    assert ended(within, tmp_path) == (2, "", sentence)
    assert list(tmp_path.iterdir()) == []


def test_elsewhere_it_ends_as_its_program_does(tmp_path: Path) -> None:
    assert ended("print('done')\nsys.exit(7)", tmp_path) == (7, "done\n", "")
    assert ended("os.abort()", tmp_path) == (-signal.SIGABRT, "", "")
    at_exit = "import atexit; atexit.register(os._exit, 0)\nsys.exit(1)"
    assert ended(at_exit, tmp_path) == (1, "", "")
    status, _, said = ended("1 / 0", tmp_path)
    assert (status, said.splitlines()[-1][:17]) == (1, "ZeroDivisionError")


def test_who_blocks_signals_dies_of_them(tmp_path: Path) -> None:
    """Also where its handler cannot raise the signal again: that is not its own end."""
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {15})"
    process = start(f"{block}\nprint('ready', flush=True)\nos._exit(143)", tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == 2  # nobody asked for it
    wait = f"{block}\nprint('ready', flush=True)\nsignal.sigwait({{15}})\nos._exit(143)"
    process = start(wait, tmp_path)
    assert process.stdout
    process.stdout.readline()
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (-signal.SIGTERM, "")


@pytest.mark.skipif(sys.platform != "linux", reason="a subreaper is Linux's")
def test_no_process_is_left(tmp_path: Path) -> None:
    """Whatever it has started: an orphan that holds standard output would be waited for."""
    orphan = "subprocess.Popen(['sleep', '1000'], start_new_session=True)"
    assert ended(orphan, tmp_path) == (0, "", "")
    process = start(f"{orphan}\nprint(os.getpid(), flush=True)\n9**9**9", tmp_path)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.terminate()
    assert process.communicate(timeout=60) == ("", "")
    assert not Path(f"/proc/{worker}").exists()


def test_what_is_waited_for_is_told_while_c_code_runs(tmp_path: Path) -> None:
    process = start(
        "with guard.noted(guard.CODE, 'Relu of mine.py'): 9**9**9", tmp_path
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said == "gradparity: waiting for Relu of mine.py, for 0.2 s so far\n"
    process.terminate()
    assert process.communicate(timeout=60) == ("", "")


def test_what_takes_long_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    notes = guard.Notes(bytearray(guard.SIZE))
    with notes.noted(guard.CODE, "Relu of mine.py"), notes.noted(guard.PATH, "folder"):
        notes.tell_what_takes_long()
        assert capfd.readouterr().err == ""
        monkeypatch.setattr(guard, "LONG", -1)
        notes.tell_what_takes_long()
        notes.tell_what_takes_long()
    notes.tell_what_takes_long()
    said = "gradparity: waiting for Relu of mine.py, for -1 s so far\n"
    assert capfd.readouterr().err == said


def test_what_finds_no_room_is_not_noted() -> None:
    notes = guard.Notes(bytearray(guard.HEAD + guard.NOTE.size))
    with notes.noted(guard.CODE, "a" * 5000):
        assert not guard.where(notes)
    with notes.noted(guard.CODE, "Relu"), notes.noted(guard.CODE, "Affine"):
        assert guard.where(notes, notes) == " in Relu"
    began = time.monotonic()
    with notes.noted(guard.CODE, "Affine"):
        ((since, _),) = notes.read(guard.CODE)
        assert since >= began
    assert not notes.read(guard.CODE)
