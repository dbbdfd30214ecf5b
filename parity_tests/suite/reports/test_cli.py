"""The command as a person meets it: what it prints, refuses, leaves behind."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS, OUTSIDERS
from gradparity.parity_tests.implementations.contract import NotInstalled
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.records import Verdict
from gradparity.parity_tests.mutants import Mutant
from gradparity.parity_tests.suite.planted import Wide, plant
from gradparity.parity_tests.training.plan import Plan
from gradparity.reference.datasets import load as load_dataset
from gradparity.reference.layers import Affine
from gradparity.reports import writing
from gradparity.reports.commands import application
from gradparity.reports.results import Results

COMMAND = [sys.executable, "-m", "gradparity"]
QUICK = ["--dataset", "digits", "--implementations", "reference"]

Called = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(tmp_path: Path, **changes: str) -> dict[str, str]:
    """No MNIST, nowhere to fetch it from, and an empty home."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GRADPARITY")}
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    clean |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    clean |= {
        "LOCALAPPDATA": str(home),
        "GRADPARITY_MNIST_MIRRORS": "http://127.0.0.1:9",
        "TMPDIR": str(home),  # where a process that is killed leaves what it had there
    }
    return clean | changes


def gradparity(tmp_path: Path, *arguments: str, **changes: str) -> Any:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        env=environment(tmp_path, **changes),
        check=False,
    )


@pytest.fixture
def called(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    without_shape_checks: None,
) -> Called:
    """`gradparity` in this process, which need not import everything anew."""
    for name in [name for name in os.environ if name.startswith("GRADPARITY")]:
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.setattr(sys, "argv", ["gradparity", *arguments])
        with pytest.raises(SystemExit) as ended:
            application.main()
        status = ended.value.code
        assert isinstance(status, int)
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A quick report in a/b, and what the command said; its `args` are the folder."""
    folder = tmp_path_factory.mktemp("report")
    alone = ("--implementations", "reference", "--steps", "30")
    done = gradparity(folder, "report", *alone, "--output", "a/b")
    assert done.returncode == 0, done
    done.args = folder
    return done


@pytest.fixture(scope="module")
def written(reported: Any) -> Results:
    """What that report holds."""
    return Results.read(reported.args / "a" / "b")


def without(tmp_path: Path, *frameworks: str) -> str:
    """A PYTHONPATH on which these cannot be imported."""
    folder = tmp_path / "without"
    folder.mkdir(exist_ok=True)
    for name in frameworks:
        (folder / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n")
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "Rleu"], "unknown layer 'Rleu': expected AddLayer, MulLayer"),
        (["check", "--dtype", "float16"], "'float16': expected float64, float32"),
        (["check", "--implementations", "tf"], "'tf': expected reference, torch"),
        (["check", "--sensitivity", "--dtype", "float32"], "tries both dtypes: leave"),
        (["check", "Relu", "--implementations", ""], "'': expected reference, torch"),
        (["check", "--edges", "--implementations", ""], "'': expected reference"),
        (["check", "--exhaustive", "--implementations", ""], "'': expected reference"),
        (["train", "--implementations", ""], "'': expected reference, torch"),
        (["train", "--dataset", "cifar"], "'cifar': expected auto, mnist, digits"),
        (["train", "--learning-rate", "-1"], "must be a positive number, got -1"),
        (["train", "--learning-rate", "nan"], "must be a positive number, got nan"),
        (["report", "--dataset", "mnist"], "run `gradparity data fetch`, or put"),
        (["report", "--data-dir", "nowhere"], "nowhere, but there is no such folder"),
        (["compare", "a.json", "b.json"], "cannot read a.json: No such file"),
        (["compare", "a.json"], "compare takes two or more, got only a.json"),
        (["compare", "a", "b", "c"], "compare takes two results.json, got 3"),
        (["compare", "a.json", "b.py:f"], "functions or results.json, not both, got a"),
        (["compare", "a.py", "b.py:f"], "a.py is a file of functions: expected one"),
        (["compare", "a.py:f", "b.py:"], "b.py is a file of functions: expected one"),
        (["compare", "a", "b", "--input", "x=1"], "--input goes with functions"),
        (["compare", "a", "b", "--shape", "x=1"], "--shape goes with functions"),
        (["compare", "a", "b", "--dtype", "float32"], "--dtype goes with functions"),
        (["compare", "a", "b", "--html", "p.html"], "--html goes with functions"),
        (
            ["compare", "a:f", "b:f", "--dtype", "x"],
            "unknown dtype 'x': expected float64",
        ),
        (["compare", "a:f", "b:f", "--html", "no/p.html"], "there is no folder no"),
        (["compare", "a.py:f", "b.py:f"], "a.py cannot be imported: FileNotFoundError"),
        (
            ["compare", "a.py:f", "b.py:f", "--input", "x"],
            "must be NAME=VALUE, as in x=",
        ),
        (["train", "--dataset", "digits", "--steps", "9" * 12], "Unable to allocate"),
        (
            ["report", "--exhaustive", "--dtype", "float64"],
            "every float32, got --dtype",
        ),
        (["data", "fetch"], "MNIST"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_unusable_gets_one_sentence(
    tmp_path: Path, called: Called, arguments: list[str], expected: str
) -> None:
    done = called(*arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    *notes, sentence = done.stderr.splitlines()
    assert all(note.startswith("data set: ") for note in notes)
    assert sentence.startswith("gradparity: ")
    assert expected in sentence
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


def test_it_tells_its_version(called: Called) -> None:
    done = called("--version")
    assert done.returncode == 0
    assert done.stdout == f"gradparity {version('gradparity')}\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments", [["train", "--steps", "0"], ["chekc"], ["train", "-x"]]
)
def test_what_cannot_be_parsed_exits_with_2(
    called: Called, arguments: list[str]
) -> None:
    done = called(*arguments)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["check", "Rleu"], ["train", "-x"]])
def test_a_refusal_ends_the_process_with_2(
    tmp_path: Path, arguments: list[str]
) -> None:
    done = gradparity(tmp_path, *arguments)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert done.stderr
    assert done.stdout == ""


def test_check_prints_json(tmp_path: Path) -> None:
    done = gradparity(tmp_path, "check", "Relu", "--json")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert set(found) == {"checks", "divergences", "exceeded", "summary"}
    assert found["summary"]["failed"] == 0
    assert found["summary"]["checks"] == len(found["checks"])
    assert {row["layer"] for row in found["checks"]} == {"Relu"}
    assert "relu-of-minus-zero" in {row["id"] for row in found["divergences"]}


def test_check_exits_with_1_and_names_what_is_spoilt(
    called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Affine.backward_params

    def wrong(self: Affine, dout: Any) -> None:
        right(self, dout)
        if self.dW.dtype == "float32":
            self.dW = self.dW * (1 + 1e-4)

    monkeypatch.setattr(Affine, "backward_params", wrong)
    done = called("check", "Affine", "--json", "--implementations", "reference,torch")
    assert done.returncode == 1, done
    found = [r for r in json.loads(done.stdout)["checks"] if r["verdict"] == "FAIL"]
    named = {
        (r["layer"], r["quantity"], r["dtype"], r["implementation"]) for r in found
    }
    assert named == {("Affine", "dW", "float32", "reference")}


def test_check_is_plain_text_when_piped(tmp_path: Path) -> None:
    done = gradparity(tmp_path, "check", "AddLayer", "--implementations", "reference")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert "Gradient differences, float64" in done.stdout


@pytest.mark.parametrize(
    ("absent", "missing", "present"),
    [
        (["torch"], {"torch", "torch-composed"}, {"jax-jit"}),
        (["jax"], {"jax", "jax-composed", "jax-jit"}, {"torch"}),
    ],
    ids=["without torch", "without jax"],
)
def test_what_is_not_installed_is_missing(
    tmp_path: Path, absent: list[str], missing: set[str], present: set[str]
) -> None:
    path = without(tmp_path, *absent)
    names = ",".join([*missing, *present])
    narrow = ("--dtype", "float32")
    done = gradparity(
        *(tmp_path, "check", "SoftmaxWithLoss", "--json", "--implementations", names),
        *narrow,
        PYTHONPATH=path,
    )
    assert done.returncode == 0, done
    rows: dict[str, set[str]] = {}
    for row in json.loads(done.stdout)["checks"]:
        rows.setdefault(row["implementation"], set()).add(row["verdict"])
    for name in missing:
        assert rows[name] == {Verdict.MISSING}
    for name in present:
        assert Verdict.MISSING not in rows[name]
    trained = gradparity(
        *(tmp_path, "train", "--dataset", "digits", "--steps", "5", *narrow),
        PYTHONPATH=path,
    )
    assert trained.returncode == 0
    assert f"missing: {absent[0]}" in trained.stderr


ABSENT = "torch cannot be imported: ImportError: no torch here"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("check Relu --implementations torch", f"nothing was checked: {ABSENT}"),
        ("check Relu --implementations torch --edges", f"was checked: {ABSENT}"),
        ("check Relu --implementations torch --exhaustive", f"was checked: {ABSENT}"),
        ("check Affine --implementations torch --sensitivity", "nothing was checked"),
        ("check Relu --implementations mine.py", "mine.py offers nothing of Relu"),
        ("check Relu --implementations mine.py --exhaustive", "offers nothing of Relu"),
        (
            "train --dataset digits --implementations torch,torch-sgd",
            f"nothing was trained: {ABSENT}",
        ),
        (
            "train --dataset digits --seeds 2 --implementations torch-composed",
            "nothing was trained: torch-composed is checked, but not trained",
        ),
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["", "json"])
def test_where_nothing_was_checked_nothing_agrees(
    tmp_path: Path,
    called: Called,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    expected: str,
    more: list[str],
) -> None:
    def absent() -> Any:
        raise NotInstalled(ABSENT)

    for name in ("torch", "torch-composed"):
        monkeypatch.setitem(IMPLEMENTATIONS, name, absent)
    monkeypatch.setitem(OUTSIDERS, "torch-sgd", absent)
    monkeypatch.setattr(Mutant, "load", lambda mutant: absent())
    (tmp_path / "mine.py").write_text("def affine(x, W, b, dout): ...\n")
    done = called(*command.split(), *more)
    assert done.returncode == 2, done
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("gradparity: nothing was ")
    assert expected in sentence
    assert bool(done.stdout) == bool(more)
    if more:
        assert json.loads(done.stdout)


@pytest.mark.parametrize(
    "absent",
    [pytest.param(["jax"], marks=pytest.mark.deep), ["torch", "jax"]],
    ids=" and ".join,
)
def test_a_report_tells_what_is_not_installed(
    tmp_path: Path, absent: list[str]
) -> None:
    done = gradparity(
        tmp_path,
        *("report", "--dataset", "digits", "--steps", "20", "--dtype", "float32"),
        PYTHONPATH=without(tmp_path, *absent),
    )
    assert done.returncode == 0, done
    results = Results.read(tmp_path / "gradparity-report")
    assert results.summary.failed == 0
    assert results.summary.missing > 0
    trained = {t.implementation for t in results.training}
    assert trained == {"reference", "torch", "jax"} - set(absent)
    page = (tmp_path / "gradparity-report" / "report.html").read_text(encoding="utf-8")
    assert "missing" in page
    for name in absent:
        assert getattr(results.environment, name) is None
    checked = gradparity(
        tmp_path, "check", "Relu", PYTHONPATH=without(tmp_path, *absent)
    )
    assert checked.returncode == 0
    assert "missing" in checked.stdout


def test_auto_falls_back_to_digits_and_says_so(called: Called, reported: Any) -> None:
    started = time.monotonic()
    trained = called("train", "--steps", "10", "--implementations", "reference")
    assert time.monotonic() - started < 30
    assert trained.stderr.startswith("data set: digits. MNIST was not found")
    assert reported.stderr.startswith("data set: digits. MNIST was not found")
    for name in ("report.md", "report.html"):
        text = (reported.args / "a" / "b" / name).read_text(encoding="utf-8")
        assert "scikit-learn&#39;s bundled digits were taken" in text.replace(
            "'", "&#39;"
        )


def test_report_is_whole_and_reads_back(
    tmp_path: Path, called: Called, reported: Any
) -> None:
    target = reported.args / "a" / "b"
    assert {"results.json", "report.md", "report.html", "figures"} == {
        p.name for p in target.iterdir()
    }
    assert [p.name for p in target.parent.iterdir()] == ["b"]
    results = Results.read(target)
    raw = json.loads((target / "results.json").read_text(encoding="utf-8"))
    assert raw["schema_version"] == 1
    assert set(raw) == {
        *("schema_version", "environment", "checks"),
        *("training", "divergences", "truth", "exhaustive", "summary"),
        *("elementary", "partings", "together", "outsiders", "untrained"),
        *("seeds", "bands", "bench", "budgets", "power"),
    }
    assert results.environment.dataset is not None
    assert results.environment.dataset.name == "digits"
    assert results.environment.command.startswith("gradparity report")
    assert results.environment.threads["each process"]
    assert results.environment.jax_compile_seconds is None  # nobody asked for JAX
    assert results.training[0].steps == 30
    shutil.copytree(target.parent, tmp_path / "a")
    shorter = results.training[0].model_copy(update={"steps": 20})
    again = results.model_copy(update={"training": [shorter]})
    writing.write(again, load_dataset("digits"), writing.check_target(Path("a/b")))
    assert Results.read(Path("a/b")).training[0].steps == 20
    compared = called("compare", "a/b", "a/b/results.json")
    assert compared.returncode == 0
    assert "Changed: environment 0, verdicts 0" in compared.stdout


def test_train_finds_partings(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    make, wide = Plan.of, Wide(load("torch"))
    monkeypatch.setattr(Plan, "of", lambda *options: plant(make(*options), step=4))
    monkeypatch.setitem(IMPLEMENTATIONS, "torch", lambda: wide)
    call = ["train", "--dataset", "digits", "--steps", "10"]
    call += ["--implementations", "torch", "--forensics"]
    done = called(*call, "--json")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    (parting,), (together,) = found["partings"], found["together"]
    assert {"implementation", "dtype", "step", "sample", "label", "unit"} < set(parting)
    assert {"reference", "torch", "truth"} == set(parting["preactivation"])
    assert parting["verified"]
    assert parting["bound"] > 0
    assert (parting["dtype"], together["dtype"]) == ("float32", "float64")
    said = called(*call)
    assert "torch in float32 parts from the reference at step 4" in said.stdout
    assert "torch in float64 never parts from the reference" in said.stdout
    assert "partings" not in json.loads(called(*call[:-1], "--json").stdout)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--resume"], "--resume and --checkpoint-every go with --checkpoint"),
        (["--checkpoint", "a", "--resume", "--forensics"], "leave --resume out"),
        (["--seeds", "2", "--forensics"], "--seeds goes without --forensics"),
        (["--seeds", "2", "--save", "a"], "--seeds goes without --forensics"),
    ],
)
def test_what_does_not_go_together(
    tmp_path: Path, called: Called, more: list[str], expected: str
) -> None:
    done = called("train", "--dataset", "digits", *more)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "ways",
    [
        ("--edges", "--sensitivity"),
        ("--edges", "--exhaustive"),
        ("--sensitivity", "--exhaustive"),
    ],
    ids=" ".join,
)
def test_check_goes_one_way_at_a_time(called: Called, ways: tuple[str, str]) -> None:
    done = called("check", "Relu", *ways)
    assert done.returncode == 2
    assert done.stderr == (
        "gradparity: --edges, --sensitivity, --power and --exhaustive go one at a time, "
        f"got {' and '.join(ways)}\n"
    )


@pytest.mark.parametrize(
    "command",
    ["train --dataset digits", "report --dataset digits", "explain training"],
)
def test_a_folder_of_mnist_is_not_ignored(
    tmp_path: Path, called: Called, command: str
) -> None:
    done = called(*command.split(), "--data-dir", "mnist")
    assert done.returncode == 2
    assert done.stderr == (
        "gradparity: --data-dir goes with --dataset auto or mnist, but the data set is "
        "digits\n"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


def test_report_does_not_replace_what_is_no_report(
    tmp_path: Path, called: Called
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    for target in ("thesis", "file", "file/below", ".", ""):
        done = called("report", *QUICK, "--output", target)
        assert done.returncode == 2, done
        (sentence,) = done.stderr.splitlines()
        assert sentence.startswith("gradparity: --output")
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's full device")
def test_output_that_cannot_be_written_gets_one_sentence(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "data", "where"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path),
            check=False,
        )
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("moments", [1, pytest.param(3, marks=pytest.mark.deep)])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_killed_at_any_moment_the_report_is_whole_or_absent(
    tmp_path: Path, name: str, moments: int
) -> None:
    kind = signal.Signals[name]
    for moment in random.Random(kind).sample(range(8, 45), 3)[:moments]:
        running = subprocess.Popen(
            [*COMMAND, "report", *QUICK, "--steps", "300"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(moment / 10)
        running.send_signal(kind)
        _, said = running.communicate()
        assert "Traceback" not in said
        target = tmp_path / "gradparity-report"
        if target.exists():
            assert Results.read(target).training
            assert (target / "report.html").read_text().rstrip().endswith("</html>")
        else:
            assert running.returncode == -kind
        if name != "SIGKILL":
            assert {p.name for p in tmp_path.iterdir()} <= {"home", "gradparity-report"}


def test_interrupted_on_a_terminal_the_cursor_is_there_again(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("terminals of POSIX")
    import pty

    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [*COMMAND, "train", *QUICK, "--steps", "200000"],
        env=environment(tmp_path, TERM="xterm"),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while b"Training" not in said:
        said += os.read(ours, 4096)
    running.send_signal(signal.SIGINT)
    with suppress(OSError):  # Linux's way to say that nobody is left to read from
        while more := os.read(ours, 4096):
            said += more
    os.close(ours)
    assert running.wait() == -signal.SIGINT
    hidden, shown = (said.rfind(code) for code in (b"\x1b[?25l", b"\x1b[?25h"))
    assert 0 < hidden < shown
    assert b"Traceback" not in said


def test_a_report_that_fails_in_writing_leaves_the_old_one(
    tmp_path: Path, written: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, digits = tmp_path / "report", load_dataset("digits")
    writing.write(written, digits, target)
    before = (target / "results.json").read_bytes()

    def full(self: Path, *arguments: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def refuse(self: Path, name: Path) -> None:
        if self.name == "whole":
            raise OSError(errno.EACCES, "Permission denied")
        os.rename(self, name)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    failures: list[tuple[type, str, Any, str]] = [
        (Path, "write_bytes", full, "No space left on device; nor anywhere else"),
        (Path, "rename", refuse, "Permission denied; it is kept in .*elsewhere"),
    ]
    for kind, method, instead, said in failures:
        with monkeypatch.context() as patch:
            patch.setattr(kind, method, instead)
            with pytest.raises(writing.UnusableTarget, match=said):
                writing.write(written, digits, target)
        assert (target / "results.json").read_bytes() == before
        assert {p.name for p in tmp_path.iterdir()} == {"report", "elsewhere"}
    (kept,) = elsewhere.iterdir()
    assert Results.read(kept).text() == written.text()


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_a_report_is_written_where_a_link_points(
    tmp_path: Path, written: Results
) -> None:
    link, folder = tmp_path / "link", tmp_path / "folder"
    link.symlink_to("folder")
    for _ in ("nothing is there yet", "a report is there"):
        target = writing.check_target(link)
        writing.write(written, load_dataset("digits"), target)
        assert link.is_symlink()
        assert (folder / "report.html").is_file()
        assert {p.name for p in tmp_path.iterdir()} == {"link", "folder"}


def test_train_prints_accuracies(called: Called) -> None:
    call = ("train", *QUICK, "--steps", "50", "--dtype", "float32")
    done = called(*call)
    assert done.returncode == 0, done
    assert "Accuracy on train/test, float32" in done.stdout
    as_json = called(*call, "--json")
    (training,) = json.loads(as_json.stdout)["training"]
    assert training["steps"] == 50


def test_a_failure_of_ours_is_no_answer(
    called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise KeyError("not there")

    monkeypatch.setattr(application, "app", fails)
    done = called("compare", "a.py:f", "a.py:g")
    assert done.returncode == 2
    assert "KeyError: 'not there'" in done.stderr
    assert "a defect of gradparity" in done.stderr


def test_env_prints_versions_and_switches(tmp_path: Path, called: Called) -> None:
    done = gradparity(tmp_path, "env", "--json", JAX_ENABLE_X64="1")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["switches"]["JAX_ENABLE_X64"] == "1"
    assert {"scipy", "scikit-learn", "typer", "rich"} <= found["packages"].keys()
    assert found["threads"]["torch"] >= 1
    assert "torch" in called("env").stdout


def test_data_commands(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"not gzip at all")
    where = gradparity(tmp_path, "data", "where", GRADPARITY_DATA=str(folder))
    assert where.returncode == 0
    assert "GRADPARITY_DATA" in where.stdout
    verify = gradparity(tmp_path, "data", "verify", "--json", "--data-dir", str(folder))
    assert verify.returncode == 1
    states = [row["status"] for row in json.loads(verify.stdout)["files"]]
    assert states.count("damaged") == 1
    assert states.count("missing") == 7


BROKEN = """
import sys
if hasattr(sys, "torch_was_tried"):
    raise RuntimeError("function '_has_torch_function' already has a docstring")
sys.torch_was_tried = True
raise OSError("libcudart.so.13: cannot open shared object file")
"""
WHY = (
    "torch cannot be imported: OSError: libcudart.so.13: cannot open shared object file"
)


TRAIN = "train --dataset digits --steps 3 --implementations"


@pytest.mark.parametrize(
    "command",
    [
        "env",
        "check Relu SoftmaxWithLoss --implementations reference,torch",
        "check Relu --implementations torch,torch-composed --json",
        f"{TRAIN} torch,torch-sgd",
        f"{TRAIN} torch --json",
    ],
)
def test_a_framework_that_cannot_be_imported_is_told_with_the_reason(
    command: str, tmp_path: Path
) -> None:
    """The first one: whoever tries again hears another."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(BROKEN, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [*COMMAND, *command.split()],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    in_results = command == "env" or command.endswith("--json")
    assert WHY in (done.stdout if in_results else done.stderr)
    some = command == "env" or "reference" in command
    assert done.returncode == (0 if some else 2), done
    assert "docstring" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
