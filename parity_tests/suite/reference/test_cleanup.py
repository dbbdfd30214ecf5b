"""A signal ends a program wherever it finds it, and everything is in order then."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gradparity.reference.data.cleanup import (
    at_end,
    passing_folder,
    remove_abandoned,
    write_together,
)
from gradparity.reference.data.guard import SIGNALS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

# In each of these Python, or somebody's code, would lose an exception.
PLACES = {
    "a callback": """
import weakref
class Thing: pass
thing = Thing()
ref = weakref.ref(thing, lambda _: strike())
del thing
""",
    "a class being defined": """
class Striking:
    def __set_name__(self, owner, name): strike()
try:
    class Thing:
        attribute = Striking()
except RuntimeError: pass
""",
    "an import that may fail": """
try: strike()
except BaseException: pass
""",
    "the cleaning up itself": """
with at_end(strike): pass
""",
}


def struck(kind: signal.Signals, place: str, folder: Path) -> "tuple[int, str, str]":
    code = (
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "from gradparity.reference.data.cleanup import at_end, obey_signals\n"
        "from gradparity.reference.data.cleanup import passing_folder\n"
        f"def strike(): signal.raise_signal({int(kind)})\n"
        "obey_signals()\n"
        "with at_end(lambda: print('in order', flush=True)):\n"
        "    with passing_folder(Path(sys.argv[1]), 'unfinished-') as folder:\n"
        "        (folder / 'half').write_text('half')\n"
        "        with at_end(lambda: 1 / 0):\n"
        + "".join(f"            {line}\n" for line in place.splitlines())
        + "            print('still here')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_is_obeyed_in(place: str, name: str, tmp_path: Path) -> None:
    kind = signal.Signals[name]
    assert struck(kind, PLACES[place], tmp_path) == (-kind, "in order\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As under nohup."""
    code = (
        "import signal\n"
        "from gradparity.reference.data.cleanup import obey_signals\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "obey_signals()\n"
        "signal.raise_signal(signal.SIGHUP)\n"
        "print('still here')\n"
    )
    assert subprocess.check_output([sys.executable, "-c", code]) == b"still here\n"


def test_without_a_signal_things_are_done_once_and_in_order(tmp_path: Path) -> None:
    done: list[str] = []
    with (
        at_end(lambda: done.append("outer")),
        at_end(lambda: done.append("inner")),
        passing_folder(tmp_path, "x-") as folder,
    ):
        assert folder.is_dir()
    assert done == ["inner", "outer"]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), at_end(lambda: done.append("last")):
        1 / 0  # noqa: B018
    assert done == ["inner", "outer", "last"]


def killed_in_a_passing_folder(parent: Path) -> Path:
    """What a process leaves that is ended by SIGKILL."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from gradparity.reference.data.cleanup import passing_folder\n"
        "with passing_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'images').write_bytes(bytes(1000))\n"
        "    print(folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    return Path(done.stdout.strip())


def test_what_a_killed_process_leaves_is_removed_and_nothing_else(
    tmp_path: Path,
) -> None:
    left = killed_in_a_passing_folder(tmp_path)
    assert (left / "images").stat().st_size == 1000
    theirs = tmp_path / "somebody-elses"
    theirs.mkdir()
    (tmp_path / f"{left.name}-link").symlink_to(theirs)
    (theirs / "kept").touch()
    with passing_folder(tmp_path) as alive:
        (alive / "images").touch()
        remove_abandoned(tmp_path)
        assert (alive / "images").exists()
        assert not left.exists()
    assert not alive.exists()
    assert (theirs / "kept").exists()


MOMENTS = {
    "before it is locked": "cleanup._locked = lambda *_: end()",
    "before anything is in it": "at_least = 0",
    "with something in it": "at_least = 1000",
}


@pytest.mark.parametrize("kind", ["folder", "file", "files that are moved"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_nothing_is_left_after_the_next(
    moment: str, kind: str, tmp_path: Path
) -> None:
    uses = {
        "folder": "with cleanup.passing_folder(here) as made: fill(made / 'x')",
        "file": "with cleanup.passing_file() as made: fill(Path(made))",
        "files that are moved": "cleanup.os.fsync = lambda file: end()\n"
        "cleanup.write_together({here / 'x': bytes(at_least)})",
    }
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from gradparity.reference.data import cleanup\n"
        "here, at_least = Path(sys.argv[1]), 1\n"
        "def end(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "def fill(path):\n"
        "    if at_least: path.write_bytes(bytes(at_least))\n"
        "    end()\n"
        f"{MOMENTS[moment]}\n{uses[kind]}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    if kind == "file" and Path("/proc/self/fd").exists():
        assert [*tmp_path.iterdir()] == []  # with nobody's help
    remove_abandoned(tmp_path)
    if kind == "files that are moved":
        write_together({tmp_path / "x": b"whole"})
        (tmp_path / "x").unlink()
    assert [*tmp_path.iterdir()] == []


def test_what_somebody_is_writing_is_not_taken_for_left(tmp_path: Path) -> None:
    """Two processes write one file: neither removes what the other is about to move."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from gradparity.reference.data.cleanup import write_whole\n"
        "for _ in range(100): write_whole(Path(sys.argv[1]), b'whole')\n"
    )
    call = [sys.executable, "-c", code, str(tmp_path / "x")]
    both = [subprocess.Popen(call, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    assert [each.communicate()[1] for each in both] == ["", ""]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
