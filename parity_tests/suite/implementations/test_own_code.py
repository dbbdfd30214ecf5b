"""Whatever code of somebody's own does, the command ends with a status that tells of it,
a sentence that names it, and nothing but results on standard output.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradparity.parity_tests.catalogue.cases import LAYER_CASES, NETWORK_CASES
from gradparity.parity_tests.checking.assertions import assert_parity
from gradparity.parity_tests.checking.values import Prepared, check
from gradparity.parity_tests.implementations import user_supplied
from gradparity.parity_tests.measuring.records import Verdict

RELU = next(case for case in LAYER_CASES if case.id == "Relu/batch")
LAYERS = (
    "import ctypes, os, signal, subprocess, sys, time\n"
    "import gradparity.reference.layers as right\n"
    "from gradparity.reference.layers import Affine, SoftmaxWithLoss\n"
)
FORWARD = """
class Relu(right.Relu):
    def forward(self, x):
        {}
        return super().forward(x)
"""
BACKWARD = """
class Relu(right.Relu):
    def backward(self, dout):
        {}
"""
NETWORK = """
class TwoLayerNet:
    @classmethod
    def from_params(cls, params):
        {}
"""


def written(folder: Path, code: str, style: str = FORWARD) -> str:
    """The name of a file with such an implementation."""
    path = folder / "mine.py"
    path.write_text(LAYERS + style.format(code), encoding="utf-8")
    return path.name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder; what was loaded by these names before is forgotten. Ctrl-C
    is obeyed as by the command.
    """
    monkeypatch.chdir(tmp_path)
    user_supplied.load.cache_clear()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield tmp_path
    signal.signal(signal.SIGINT, before)


def command(
    folder: Path, *arguments: str, names: str = "reference,mine.py"
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gradparity", *arguments, "--implementations", names],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=120,
    )


CHECK = "check", "Relu", "--dtype", "float64"
SMALL = "train", "--dataset", "digits", "--dtype", "float64", "--steps", "2"

RAISED = {
    "sys.exit(0)": "SystemExit: 0",
    "sys.exit('done')": "SystemExit: done",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise type('Own', (BaseException,), {})('x')": "Own: x",
}


@pytest.mark.parametrize("style", [FORWARD, BACKWARD, NETWORK])
@pytest.mark.parametrize("code", RAISED)
def test_what_is_no_error_fails_as_an_error_does(
    code: str, style: str, folder: Path
) -> None:
    mine = user_supplied.load(written(folder, code, style))
    case = NETWORK_CASES[0] if style is NETWORK else RELU
    rows, _ = check(Prepared.of(case, "float64"), "mine.py", mine)
    assert {row.verdict for row in rows} == {Verdict.FAIL}
    (said,) = {row.note for row in rows}
    line = (LAYERS + style.partition("{}")[0]).count("\n") + 1
    assert (
        said == f"{case.layer} of mine.py raised {RAISED[code]} (mine.py, line {line})"
    )
    if style is FORWARD:
        with pytest.raises(AssertionError, match="Relu of Relu raised "):
            assert_parity(vars(user_supplied.import_target("mine.py"))["Relu"], "Relu")


@pytest.mark.parametrize("code", RAISED)
def test_what_is_no_error_is_no_import(code: str, folder: Path) -> None:
    expected = f"^mine.py cannot be imported: {RAISED[code]} \\(mine.py, line 4\\)$"
    with pytest.raises(user_supplied.UnusableImplementation, match=expected):
        user_supplied.load(written(folder, code, "{}"))


def test_ctrl_c_where_it_is_an_exception_stays_one(folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    mine = user_supplied.load(written(folder, "raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        check(Prepared.of(RELU, "float64"), "mine.py", mine)


PRINTING = """print('p'); sys.__stdout__.write('s'); os.write(1, b'w'); os.system('echo e')
        ctypes.CDLL(None).puts(b'c'); sys.stdout = sys.__stdout__ = open(os.devnull, 'w')
"""


def test_what_it_prints_is_no_result(folder: Path) -> None:
    """Nor does what it does to `sys.stdout` take the results away."""
    done = command(
        folder, *CHECK, "--json", names=f"reference,{written(folder, PRINTING)}"
    )
    assert done.returncode == 0, done
    assert {*json.loads(done.stdout)} == {
        "checks",
        "divergences",
        "exceeded",
        "summary",
    }
    assert {*"pswec"} <= {*done.stderr}
    assert command(folder, *CHECK).stdout.startswith("Gradient differences, float64")


needs_a_guard = pytest.mark.skipif(os.name == "nt", reason="a guard is forked off")
GUARDED = {
    ("os._exit(0)", FORWARD, CHECK): "the process ended itself with status 0 in Relu",
    (
        "os._exit(0)",
        "{}",
        CHECK,
    ): "the process ended itself with status 0 in the import",
    (
        "os.abort()",
        BACKWARD,
        (*CHECK, "--edges"),
    ): "the process was ended by SIGABRT in Relu",
    ("os._exit(0)", FORWARD, (*SMALL, "--seeds", "2", "--jobs", "2")): "a process that "
    "trained or compared was ended with exit status 0 in Relu",
}


@needs_a_guard
@pytest.mark.parametrize(("code", "style", "arguments"), GUARDED)
def test_what_ends_the_process_is_told(
    code: str, style: str, arguments: tuple[str, ...], folder: Path
) -> None:
    written(folder, code, style)
    done = command(folder, *arguments, "--json")
    assert (done.returncode, done.stdout) == (2, ""), done
    *_, said = done.stderr.splitlines()
    assert said == f"gradparity: {GUARDED[code, style, arguments]} of mine.py"


@needs_a_guard
def test_a_signal_ends_the_command_in_its_c_code(folder: Path) -> None:
    written(folder, "open('there', 'w').close(); 9**9**9")
    process = subprocess.Popen(
        [sys.executable, "-m", "gradparity", *CHECK, "--implementations", "mine.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    while not (folder / "there").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert process.wait(60) == -signal.SIGTERM


@needs_a_guard
@pytest.mark.parametrize(
    "code",
    [
        "sys.exit = lambda *_: None; os._exit = lambda *_: os.kill(os.getpid(), 0)\n",
        "\nclass Odd(Exception):\n    def __str__(self): sys.exit(0)\nraise Odd\n",
    ],
)
def test_what_it_replaces_or_raises_makes_no_success(code: str, folder: Path) -> None:
    """The command ends with what it has come to, by whatever means."""
    path = folder / "mine.py"
    indented = code.replace("\n", "\n        ")
    path.write_text(
        LAYERS + FORWARD.format(indented).replace("(x)", "(x) * 2"), encoding="utf-8"
    )
    command = [
        sys.executable,
        "-m",
        "gradparity",
        "check",
        "Relu",
        "--dtype",
        "float64",
    ]
    done = subprocess.run(
        [*command, "--implementations", "mine.py"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "FAIL" in done.stdout


def test_a_child_that_it_forks_off_does_not_come_back(folder: Path) -> None:
    once = "hasattr(right, 'forked') or (setattr(right, 'forked', 1), os.fork())"
    written(folder, once)
    done = command(folder, *CHECK)
    assert done.returncode == 1, done
    assert done.stdout.count("Gradient differences") == 1
    assert done.stderr == (
        "gradparity: Relu of mine.py forked, and the child came back from it: the child "
        "was ended\n"
    )
    written(folder, "os.fork() or sys.exit(0)")  # as children do that have work to do
    done = command(folder, "check", "Relu", "--dtype", "float64", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done


def test_a_function_that_is_to_be_explained(folder: Path) -> None:
    pytest.importorskip("torch")
    (folder / "mine.py").write_text(
        "import sys, torch\ndef f(x):\n    print('p')\n    sys.exit(0)\n", "utf-8"
    )
    code = "import sys; from gradparity.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "explain", "mine.py:f", "--input", "x=[1]"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.returncode, done.stdout) == (2, "")
    said = "mine.py:f (PyTorch) raised SystemExit: 0 (mine.py, line 4)"
    assert said in done.stderr


def test_every_float32_stops_at_an_error(folder: Path) -> None:
    written(folder, "raise ValueError('no')")
    done = command(folder, "check", "Relu", "--exhaustive", "--stride", "16777216")
    line = (LAYERS + FORWARD.partition("{}")[0]).count("\n") + 1
    said = f"gradparity: Relu of mine.py raised ValueError: no (mine.py, line {line})\n"
    assert (done.returncode, done.stderr) == (2, said)
