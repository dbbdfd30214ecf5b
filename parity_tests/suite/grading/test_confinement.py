"""Submissions that mean harm: what each did is told, and nothing of it stays."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from gradparity.parity_tests.grading import confinement
from gradparity.parity_tests.grading.confinement import LACKING, Limits
from gradparity.parity_tests.grading.grade import grade_all
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.launching import lacking_here
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.suite.grading.test_launching import launch
from gradparity.parity_tests.suite.support import SUBMISSIONS
from gradparity.reference.data.cleanup import remove
from gradparity.reference.layers import activations

HOSTILE = SUBMISSIONS / "hostile"
GOOD = SUBMISSIONS / "colab" / "layers.py"
SECRET = "GRADPARITY_SECRET"
MIB = 1 << 20
SMALL = Limits(20, memory=512 * MIB, file_size=MIB, folder_size=MIB, threads=40)
SHORT = Limits(3, memory=512 * MIB, file_size=MIB, folder_size=MIB)

linux = pytest.mark.skipif(sys.platform != "linux", reason="seccomp and Landlock")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="only time is limited there")

NOT_ALLOWED = "tried to start a process, to reach the network, to signal another"
NO_FILE = "tried to reach a file that it may not"
DISTURBED = "disturbed the channel that results go through"
LOADED = "while it was loaded"
# What is said of each: parts of the problem. Those of the first group take all the time
# that they get.
ENDLESS = {
    "loops": ["ran longer than 3 s", LOADED],
    "loops_in_forward": ["ran longer than 3 s", "in Relu"],
    "sleeps_in_init": ["ran longer than 3 s", "in Relu"],
    "stops_itself": ["ran longer than 3 s", LOADED],
    "ignores_signals": ["ran longer than 3 s", LOADED],
    "fork_bomb": ["ran longer than 3 s", LOADED],
}
BROKE = {
    "forks": [NOT_ALLOWED, "(line 7: if os.fork() == 0:)"],
    "runs_a_program": [NOT_ALLOWED, "(line 4: subprocess.run("],
    "fills_memory": ["needed more than 512 MiB of memory", LOADED, "(line 4: "],
    "writes_a_big_file": ["wrote more than 1 MiB to a file", "(line 4: "],
    "writes_many_files": ["filled its folder with more than 1 MiB"],
    "writes_deep_folders": ["filled its folder with more than 1 MiB"],
    "kills_its_parent": [NOT_ALLOWED, "(line 7: os.kill(os.getppid(), "],
    "kills_its_group": [NOT_ALLOWED, "(line 7: os.killpg(0, "],
    "kills_itself": ["was killed by signal SIGKILL", LOADED],
    "exits": ["called sys.exit(0)", LOADED, "(line 4: sys.exit(0))"],
    "exits_in_forward": ["called sys.exit(0)", "in Relu", "(line 6: sys.exit(0))"],
    "exits_with_three": ["ended its process, with status 3", LOADED],
    "starts_many_threads": ["started more threads than it may", "(line 9: threading."],
    "exits_at_once": ["ended its process, with status 0", LOADED],
    "raises_anything": ["raised Anything in Relu", "(line 13: raise Anything)"],
    "writes_everywhere": [DISTURBED],
    "closes_everything": ["closed or " + DISTURBED],
    "forges_the_end": [DISTURBED],
    "replaces_builtins": [DISTURBED],
    "returns_evil_objects": ["ended its process, with status 0", "in Relu"],
    "opens_a_socket": [NOT_ALLOWED, "(line 3: socket.create_connection("],
    "asks_for_a_name": [NOT_ALLOWED, "(line 3: urllib.request.urlopen("],
    "reads_secrets": [NO_FILE, "(line 5: for number in os.listdir("],
    "rewrites_itself": [NO_FILE, "(line 4: with open(__file__"],
    "writes_at_home": [NO_FILE, "(line 6: with open(os.path.join(home"],
    "changes_rights": [NOT_ALLOWED, "(line 4: os.chmod("],
    "hides_what_it_writes": [NO_FILE, "(line 6: os.remove("],
    "deletes_its_folder": [NO_FILE, "(line 7: shutil.rmtree("],
}
# It depends on the version of Python what becomes of these.
ANYHOW = ("recurses_without_end",)
# An exception like others.
UNLOADABLE = {
    "interrupts": "KeyboardInterrupt: an interrupt from within",
    "recurses": "RecursionError: maximum recursion depth exceeded",
    "reads_stdin": "ValueError: read ''",
}
# No rule is broken, but what it answers is wrong: the comparison finds that.
WRONG = (
    "forks_in_forward",
    "prints_a_verdict",
    "patches_numpy",
    "returns_a_subclass",
    "returns_too_much",
    "starts_threads",
    "never_leaves",
)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the folders of submissions are made."""
    path = tmp_path_factory.mktemp("submissions")
    before, tempfile.tempdir = tempfile.tempdir, str(path)
    yield path
    tempfile.tempdir = before


def test_all_are_tried() -> None:
    tried = {*ENDLESS, *BROKE, *UNLOADABLE, *WRONG, *ANYHOW, "hides_a_folder"}
    apart = {"fills_memory_in_forward", "reaches_processes"}
    assert tried | apart == {path.stem for path in HOSTILE.glob("*.py")}


@linux
def test_hostile_submissions_fail_and_nothing_of_them_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Side by side, and with one among them, and one after them, that is good."""
    monkeypatch.setenv(SECRET, "swordfish")
    others = [HOSTILE / f"{name}.py" for name in (*BROKE, *UNLOADABLE, *WRONG, *ANYHOW)]
    endless = [HOSTILE / f"{name}.py" for name in ENDLESS]
    results = [*grade_all([*others[:9], GOOD, *others[9:]], 3, SMALL)]
    results += grade_all(endless, len(endless), SHORT)
    results += grade_all([GOOD], 1, SMALL)

    names = [Path(result.path).stem for result in results]
    assert names == [
        path.stem for path in [*others[:9], GOOD, *others[9:], *endless, GOOD]
    ]
    assert [r.status for r in results if r.path == str(GOOD)] == ["pass", "pass"]
    surprises = {
        name: (result.status, result.problem)
        for name, result in zip(names, results, strict=True)
        if result.path != str(GOOD) and not as_expected(name, result)
    }
    assert surprises == {}
    assert all("swordfish" not in each.model_dump_json() for each in results)
    assert list(folder.iterdir()) == []
    assert processes(folder) == []
    assert not (Path.home() / ".gradparity-was-here").exists()


def as_expected(name: str, result: GradedFile) -> bool:
    problem = result.problem or ""
    if name in ANYHOW:
        return result.status in ("fail", "unloadable")
    if name in UNLOADABLE:
        return (result.status, problem) == ("unloadable", UNLOADABLE[name])
    if name in WRONG:
        verdicts = [each.verdict for each in result.classes]
        return (result.status, problem, verdicts) == ("fail", "", ["FAIL"])
    parts = (ENDLESS | BROKE)[name]
    if (
        result.status == "pass"
    ):  # what it did at its top level was left out, and is told
        left_out = [w.sentence for w in result.warnings if w.kind == "top level"]
        return any(all(part in said for part in parts) for said in left_out)
    return result.status == "fail" and all(part in problem for part in parts)


def processes(folder: Path) -> list[str]:
    """The command lines that name the folder, of all processes that are alive."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = (
                Path("/proc", number, "cmdline").read_bytes().decode("utf-8", "replace")
            )
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@linux
@pytest.mark.deep
def test_a_class_with_every_kind_in_it_is_graded(folder: Path, tmp_path: Path) -> None:
    """Whoever is right passes, whoever else is handed in."""
    hostile, good = sorted(HOSTILE.glob("*.py")), SUBMISSIONS / "correct_lists.py"
    path = tmp_path / "class"
    path.mkdir()
    for number in range(150):
        source = good if number % 15 in (3, 9) else hostile[number % len(hostile)]
        shutil.copy(source, path / f"{number:03}-{source.stem}.py")
    results = [*grade_all(sorted(path.iterdir()), 2, replace(SMALL, seconds=5))]
    right = [r for r in results if r.path.endswith(f"-{good.name}")]
    assert [r.status for r in right] == ["pass"] * 20
    assert "ungraded" not in {r.status for r in results}
    assert list(folder.iterdir()) == []
    assert processes(folder) == []


@linux
def test_memory_that_forward_needs_is_limited(folder: Path) -> None:
    ran = launch(HOSTILE / "fills_memory_in_forward.py", tasks_of("Relu")[:1], SMALL)
    assert {o.raised.kind for o in ran.outcomes if o.raised} == {"MemoryError"}
    assert len(ran.outcomes) == len(tasks_of("Relu")[0].calls)


@linux
def test_other_processes_are_out_of_reach(folder: Path) -> None:
    ran = launch(HOSTILE / "reaches_processes.py", tasks_of("Relu"))
    assert (ran.broke, ran.first_printed) == (None, "[]")


@linux
def test_files_of_others_are_shut(tmp_path: Path, folder: Path) -> None:
    """Whoever catches the exception gets a remark, and whoever does not fails."""
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    paths = [
        *(secret, tmp_path, GOOD, Path("/proc/1/cmdline"), Path("/etc/passwd")),
        *(Path(confinement.__file__), Path(activations.__file__), Path("/dev/ptmx")),
        *map(
            Path,
            (f"/proc/{os.getpid()}/environ", os.ttyname(0) if os.isatty(0) else "/"),
        ),
    ]
    path = tmp_path / "reads.py"
    look = "    os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(1)\n"
    text = f"import os\nfor path in {[*map(str, paths)]}:\n{{}}\nclass Relu: pass\n"
    path.write_text(
        text.format(f"  try:\n{look}    print(path)\n  except OSError: pass")
    )
    ran = launch(path, tasks_of("Relu"))
    assert (ran.broke, ran.unloadable, ran.printed) == (None, None, 0)
    seen = [str(path) for path in paths if path != Path(confinement.__file__)]
    assert sorted(ran.reached_for) == sorted(seen)
    assert ran.reached_for[-1] in (str(tmp_path), "/")  # folders come last
    (warned,) = [
        each for each in judge("reads.py", ran).warnings if each.kind == "reads"
    ]
    assert warned.sentence.startswith(
        f"Reaches for what it did not bring: `{secret}`, "
    )

    path.write_text(text.format(look))
    (note,) = launch(path, tasks_of("Relu")).notes
    assert note.raised
    assert (note.kind, note.raised.message) == ("top level", NO_FILE)


@linux
def test_what_is_installed_can_be_imported(tmp_path: Path, folder: Path) -> None:
    """The libraries read what they need, and no remark is made of that."""
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    path = tmp_path / "imports.py"
    path.write_text(
        "import mimetypes, ssl, zoneinfo\n"
        "import jax, matplotlib.pyplot, numpy, torch\n"
        "mimetypes.guess_type('a.py')\n"
        "matplotlib.pyplot.plot([1, 2])\n"
        "matplotlib.pyplot.savefig('a.png')\n"
        "x = torch.ones(3, requires_grad=True)\n"
        "(x @ x).backward()\n"
        "print(x.grad.tolist(), jax.jit(jax.grad(lambda x: x @ x))(numpy.ones(3)))\n"
        "class Relu: pass\n"
    )
    ran = launch(path, tasks_of("Relu"), Limits(120, memory=1 << 40))
    assert (ran.broke, ran.unloadable) == (None, None)
    assert (ran.first_printed, ran.reached_for) == ("[2.0, 2.0, 2.0] [2. 2. 2.]", ())


@linux
def test_threads_are_counted(tmp_path: Path, folder: Path) -> None:
    """Whoever goes on without more of them may go on."""
    path = tmp_path / "threads.py"
    path.write_text(
        "import threading, time\n"
        "started = 0\n"
        "for _ in range(200):\n"
        "    try:\n"
        "        threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
        "    except RuntimeError: break\n"
        "    started += 1\n"
        "print(started)\n"
        "class Relu: pass\n"
    )
    ran = launch(path, tasks_of("Relu"), Limits(threads=12))
    assert (ran.broke, ran.first_printed) == (None, "11")


@linux
def test_what_cannot_be_looked_into_is_gone_as_well(folder: Path) -> None:
    ran = launch(HOSTILE / "hides_a_folder.py", tasks_of("Relu"), SHORT)
    hidden = "made a folder that cannot be looked into"  # but for root, who sees it all
    assert ran.broke
    assert ran.broke.startswith((hidden, "filled its folder", "ran longer"))
    assert list(folder.iterdir()) == []


@linux
@pytest.mark.parametrize(
    ("name", "broke"),
    [
        ("kills_its_parent", "was killed by signal SIGKILL"),
        ("kills_its_group", "was killed by signal SIGKILL"),
        ("forks", None),
        ("ignores_signals", "ran longer than 1 s"),
        ("closes_everything", "closed or disturbed the channel"),
        ("never_leaves", None),
    ],
)
def test_the_guard_suffices_where_system_calls_are_not_filtered(
    name: str, broke: str | None, folder: Path
) -> None:
    """As on macOS, where who kills its parent kills the guard."""
    without = [key for key in LACKING if key != "sizes"]
    path = HOSTILE / f"{name}.py"
    limits = replace(SMALL, seconds=1) if name == "ignores_signals" else SMALL
    ran = launch(path, tasks_of("Relu"), limits, without=without)
    if broke is None:
        assert ran.broke is None
        assert ran.outcomes
    else:
        assert ran.broke
        assert ran.broke.startswith(broke)
    until(lambda: processes(folder) == [])
    assert list(folder.iterdir()) == []


def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for it, and not for ever."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it has not come to that"
        time.sleep(0.01)


GRADER = """
import sys, tempfile
from pathlib import Path
from gradparity.parity_tests.grading.grade import grade_all
from gradparity.reference.data.cleanup import obey_signals
tempfile.tempdir = sys.argv[1]
obey_signals()
list(grade_all([Path(path) for path in sys.argv[2:]], 2))
"""


@linux
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_submissions_end_with_the_grader(kind: str, tmp_path: Path) -> None:
    """However it ends; what it can still put in order is in order."""
    path = str(HOSTILE / "ignores_signals.py")
    command = [sys.executable, "-c", GRADER, str(tmp_path), *[path] * 5]
    with subprocess.Popen(command) as grader:
        in_progress = f"{tmp_path}/gradparity-"
        # The grader's own line names the folder; of a submission, so does a guard's.
        until(lambda: sum(in_progress in p for p in processes(tmp_path)) == 4)
        grader.send_signal(signal.Signals[kind])
    assert grader.returncode == -signal.Signals[kind]
    until(lambda: processes(tmp_path) == [])
    if kind != "SIGKILL":
        assert list(tmp_path.iterdir()) == []


def test_grading_may_be_given_up(folder: Path) -> None:
    """Whoever asks for no more results is not kept waiting for those in progress."""
    results = grade_all([GOOD, HOSTILE / "loops.py", GOOD], 2, Limits(600))
    assert next(results).status == "pass"
    results.close()  # type: ignore[attr-defined]
    assert list(folder.iterdir()) == []


def test_the_environment_is_not_inherited(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "looks.py"
    path.write_text("import os\nprint(*sorted(os.environ))\nclass Relu: pass\n")
    names = set(launch(path, tasks_of("Relu")).first_printed.split())
    allowed = {
        *("HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LC_CTYPE", "MPLBACKEND"),
        *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
        *("VECLIB_MAXIMUM_THREADS", "PYTHONHASHSEED", "MPLCONFIGDIR"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "__CF_USER_TEXT_ENCODING"),
    }
    assert {"HOME", "OMP_NUM_THREADS"} <= names <= allowed


@linux
def test_what_is_lacking_is_named() -> None:
    assert lacking_here() == []  # with a kernel since 5.13, as those of today are
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from gradparity.parity_tests.grading.confinement import Limits, confine\n"
        "import json\n"
        "print(json.dumps(confine(Limits(), [], Path(), sys.argv[1:])[0]))\n"
    )
    for without in ([], ["files"], ["memory", "sizes"], ["threads"], [*LACKING]):
        command = [sys.executable, "-c", code, *without]
        said = json.loads(subprocess.check_output(command, text=True))
        assert said == [key for key in LACKING if key in without]


@linux
def test_what_is_written_in_its_folder_stays(tmp_path: Path, folder: Path) -> None:
    """It can be written again; and what is not its own stays as it is."""
    other = tmp_path / "other"
    other.write_text("as it was")
    path = tmp_path / "writes.py"
    path.write_text(
        f"import os, tempfile\nother = {str(other)!r}\n" + dedent(WRITES),
        encoding="utf-8",
    )
    ran = launch(path, tasks_of("Relu"))
    assert ran.first_printed == "[]"
    assert ran.unloadable is None
    assert other.read_text() == "as it was"


WRITES = """
    for name in "ab":
        open(name, "w").write("x")
    open("a", "w").write("y")
    os.link("a", "c")
    os.mkdir("d")
    os.rename("d", "e")
    os.rmdir("e")
    tempfile.mkdtemp()

    def attributes():
        import fcntl
        fcntl.ioctl(os.open(other, os.O_RDONLY), 0x40086602, bytes(8))

    done = []
    for act in (
        lambda: os.remove("a"),
        lambda: os.replace("a", "b"),
        lambda: os.open(".", os.O_TMPFILE | os.O_RDWR),
        lambda: os.open(other, os.O_RDONLY | os.O_TRUNC),
        lambda: os.truncate(other, 0),
        lambda: os.link(other, "f"),
        lambda: tempfile.TemporaryFile(),
        lambda: os.sched_setaffinity(os.getppid(), {0}),
        attributes,
    ):
        try:
            act()
            done.append(act.__code__.co_firstlineno)
        except OSError:
            pass
    print(done)
    class Relu: pass
"""


@linux
def test_threads_are_still_possible(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "threads.py"
    path.write_text(
        "import signal, threading, resource\n"
        "thread = threading.Thread(target=print, args=('from a thread',))\n"
        "thread.start()\n"
        "thread.join()\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('and a signal'))\n"
        "signal.raise_signal(signal.SIGUSR1)\n"
        "resource.getrlimit(resource.RLIMIT_AS)\n"
        "open('own', 'w').write('x')\n"
        "open('/dev/null', 'w').write('x')\n"
        "class Relu: pass\n"
    )
    ran = launch(path, tasks_of("Relu"))
    assert ran.broke is None
    assert ran.unloadable is None
    assert (ran.first_printed, ran.printed) == ("from a thread", 27)


def test_deep_folders_are_removed(tmp_path: Path) -> None:
    """A path to where they end would be longer than a path may be."""
    top = tmp_path / "top"
    top.mkdir()
    code = (
        "import os\n"
        "for _ in range(30):\n"
        "    os.mkdir('folder' * 30)\n    os.chdir('folder' * 30)\n"
        "open('file', 'w').close()\nos.symlink('/', 'link')\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=top, check=True)
    (top / "link").symlink_to(tmp_path)
    remove(top)
    assert list(tmp_path.iterdir()) == []
