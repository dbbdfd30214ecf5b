"""A training that is killed ends with the same bits as one that is not."""

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.records import Training
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.parity_tests.training.checkpoints import (
    RUN,
    CheckpointError,
    Checkpoints,
    Damaged,
    read,
)
from gradparity.parity_tests.training.plan import Plan, TrainingDiverged, Trajectory
from gradparity.parity_tests.training.run import train
from gradparity.reference.data.cleanup import UNFINISHED
from gradparity.reference.datasets import load as load_dataset
from gradparity.reference.networks.parameters import load as load_parameters
from gradparity.reports.commands.application import main

STEPS = 12
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

# Runs the command in forks of a process that has imported everything and started nothing,
# so that twenty of them take seconds, and kills each as told: after so many new files and
# so many seconds more.
DRIVER = """
import json, os, signal, sys, time
from pathlib import Path
import jax, sklearn.datasets, torch
import gradparity.jax_impl.training, gradparity.torch_impl.training
import gradparity.parity_tests.catalogue.cases, gradparity.parity_tests.catalogue.edges
import gradparity.reports.runner, gradparity.reports.writing
from gradparity.reports.commands.application import main

arguments, folder, kills = map(json.loads, sys.argv[1:])
folder = Path(folder)

def start(*more):
    child = os.fork()
    if child:
        return child
    sys.argv = ["gradparity", *arguments, *more]
    status = 3
    try:
        main()
    except SystemExit as ended:
        status = ended.code
    finally:
        sys.stdout.flush()
        os._exit(status)

def files():
    return sum(1 for _ in folder.rglob("*.npz"))

for new, wait in kills:
    before = files()
    child = start("--checkpoint", str(folder), "--resume")
    while files() < before + new:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            sys.exit("it ended before it could be killed")
        time.sleep(0.002)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    unfinished = sum(1 for _ in folder.rglob(".*.unfinished"))
    print(json.dumps([files(), unfinished]), file=sys.stderr, flush=True)
_, status = os.waitpid(start("--checkpoint", str(folder), "--resume"), 0)
assert status == 0, status
_, status = os.waitpid(start("--save", str(folder.parent / "uninterrupted")), 0)
assert status == 0, status
"""


@posix
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.deep)])
def test_killed_so_many_times_it_ends_with_the_same_bits(
    tmp_path: Path, times: int
) -> None:
    for name in ("torch", "jax"):
        load_or_skip(name)
    rng = np.random.default_rng(20)
    # Some while it starts, most while it trains or writes.
    starts = times // 5
    kills = [(0, rng.uniform(0, 0.5)) for _ in range(starts)]
    kills += [
        (int(rng.integers(5, 45)), rng.uniform(0, 0.01)) for _ in range(times - starts)
    ]
    kills = [kills[i] for i in rng.permutation(times)]
    print(f"new files and seconds before each kill: {kills}")
    arguments = ["train", "--dataset", "digits", "--steps", "300", "--json"]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    given = map(json.dumps, (arguments, str(tmp_path / "saved"), kills))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *given],
        capture_output=True,
        text=True,
        env=os.environ | one_thread,
        check=False,
    )
    assert done.returncode == 0, done
    said = done.stderr.splitlines()
    at = [json.loads(line) for line in said if line.startswith("[")]
    print(f"saved states and unfinished files at each kill: {at}")
    assert len(at) == times
    resumed, uninterrupted = (
        json.loads(line)["training"] for line in done.stdout.splitlines()
    )
    assert len({states for states, _ in at}) >= times * 3 // 4
    files = sorted((tmp_path / "saved").rglob("*.npz"))
    assert all(states < len(files) for states, _ in at)
    assert not any("is not used" in line for line in said)
    assert list((tmp_path / "saved").rglob(f".*{UNFINISHED}")) == []
    assert len(resumed) == 6
    for training in (*resumed, *uninterrupted):
        assert training.pop("seconds") > 0
    assert resumed == uninterrupted
    for training in resumed:
        name = f"{training['implementation']}-{training['dtype']}"
        last = [path for path in files if path.parent.name == name][-1]
        saved = load_parameters(tmp_path / "uninterrupted" / f"{name}.safetensors")
        with np.load(last) as state:
            assert_same({k: state[k] for k in saved}, saved)


def assert_same(a: Arrays, b: Arrays) -> None:
    """Bit for bit."""
    assert {k: v.dtype for k, v in a.items()} == {k: v.dtype for k, v in b.items()}
    for name, value in a.items():
        assert value.tobytes() == b[name].tobytes(), name


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.of(load_dataset("digits"), STEPS)


class Said(list[str]):
    def __call__(self, sentence: str) -> None:
        self.append(sentence)


def run(
    folder: Path | None, plan: Plan, name: str = "reference", dtype: str = "float32"
) -> tuple[Training, Trajectory, Said]:
    """A training that is saved in a folder, or resumed from there; what it says."""
    said = Said()
    saved = folder and Checkpoints.open(folder, plan, True, {}, said)
    implementation = load_or_skip(name)
    return *train(plan, dtype, implementation, None, checkpoints=saved or None), said


def assert_same_run(a: tuple[Any, ...], b: tuple[Any, ...]) -> None:
    assert a[0].model_copy(update={"seconds": 0}) == b[0].model_copy(
        update={"seconds": 0}
    )
    assert len(a[1].params) == len(b[1].params)
    for one, other in zip(a[1].params, b[1].params, strict=True):
        assert list(one) == list(other)
        assert_same(one, other)
    np.testing.assert_array_equal(a[1].scores, b[1].scores)


def stop(folder: Path, step: int) -> Path:
    return folder / "reference-float32" / f"{step:08}.npz"


def test_what_is_saved_is_taken_from_any_stop_on(
    tmp_path: Path, plan: Plan, dtype: str, trainable_name: str
) -> None:
    whole = run(None, plan, trainable_name, dtype)
    saved = run(tmp_path / "all", plan, trainable_name, dtype)
    assert_same_run(saved, whole)
    files = sorted((tmp_path / "all").rglob("*.npz"))
    assert [int(path.stem) for path in files] == list(plan.stops)
    for kept in (1, 7, STEPS):
        folder = tmp_path / str(kept)
        shutil.copytree(tmp_path / "all", folder)
        for path in sorted(folder.rglob("*.npz"))[kept:]:
            path.unlink()
        resumed = run(folder, plan, trainable_name, dtype)
        assert_same_run(resumed, whole)
        expected = [f"{trainable_name} in {dtype} goes on from step {kept}"]
        assert resumed[2] == (expected if kept < STEPS else [])


class Momentum(NamedTuple):
    """An optimizer with state, whose arrays are those of any framework."""

    learning_rate: Any

    def start(self, params: Any) -> Any:
        """Return one velocity for each parameter."""
        return {"v" + name: 0 * value for name, value in params.items()}

    def step(self, params: Any, gradients: Any, state: Any) -> Any:
        """Return new parameters and velocities."""
        moved = {
            "v" + n: 0.9 * state["v" + n] - self.learning_rate * gradient
            for n, gradient in gradients.items()
        }
        return {n: value + moved["v" + n] for n, value in params.items()}, moved


@pytest.mark.parametrize("name", ["reference", "jax"])
def test_the_state_of_an_optimizer_is_saved_and_taken_up(
    tmp_path: Path, plan: Plan, name: str
) -> None:
    implementation: Any = copy(load_or_skip(name))
    implementation.train = partial(implementation.train, optimizer=Momentum)
    whole = train(plan, "float64", implementation, None)
    for resume in range(2):
        saved = Checkpoints.open(tmp_path, plan, True, {}, Said())
        again = train(plan, "float64", implementation, None, checkpoints=saved)
        assert_same_run(again, whole)
        files = sorted(tmp_path.rglob("*.npz"))
        with np.load(files[3]) as stored:
            assert stored["state.vW1"].any()
        if not resume:
            for path in files[4:]:
                path.unlink()
    plain = run(None, plan, name, "float64")
    assert not np.array_equal(plain[1].scores, whole[1].scores)


def test_the_seconds_add_up(tmp_path: Path, plan: Plan) -> None:
    first, _, _ = run(tmp_path / "saved", plan)
    second, _, _ = run(tmp_path / "saved", plan)
    assert second.seconds > 0.9 * first.seconds
    with np.load(stop(tmp_path / "saved", 5)) as state:
        changed = {**state, "seconds": np.array(1000.0)}
    np.savez(stop(tmp_path / "saved", 5), **changed)
    assert 1000 < run(tmp_path / "saved", plan)[0].seconds < 1000 + STEPS


def altered(**changes: Any) -> Callable[[Path], object]:
    def alter(path: Path) -> None:
        with np.load(path) as state:
            values = {**state, **changes}
        np.savez(path, **{k: v for k, v in values.items() if v is not None})

    return alter


def cut(length: int) -> Callable[[Path], object]:
    def alter(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: length % len(content)])

    return alter


def flipped(position: int) -> Callable[[Path], object]:
    def alter(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[position % len(content)] ^= 0x10
        path.write_bytes(content)

    return alter


class Boom:
    """What must never be unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("unpickled",)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "a text": lambda path: path.write_text("epoch,loss\n1,0.3\n"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Boom())),
    "an object": altered(W2=np.array([Boom()], dtype=object)),
    "missing": Path.unlink,
    **{f"cut to {n}": cut(n) for n in (1, 4, 30, 1000, 9000, -1000, -22, -1)},
    **{f"flipped at {n}": flipped(n) for n in (0, 90, 300, 5000, 9000, -20, -10)},
    "of another step": lambda path: shutil.copy(path.with_stem(f"{4:08}"), path),
    "of another shape": altered(b2=np.zeros(9, np.float32)),
    "of another dtype": altered(b2=np.zeros(10)),
    "without b2": altered(b2=None),
    "with more": altered(b3=np.zeros(9, np.float32)),
    "with other losses": altered(losses=np.zeros(2, np.float32)),
    "with accuracies": altered(accuracies=np.zeros(2)),
    "without losses": altered(losses=None),
}


@pytest.fixture(scope="module")
def saved(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("saved")
    return folder, run(folder, plan)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_used(
    damage: str, tmp_path: Path, plan: Plan, saved: tuple[Path, Any]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(saved[0], folder)
    DAMAGES[damage](stop(folder, 5))
    resumed = run(folder, plan)
    assert_same_run(resumed, saved[1])
    (sentence,) = resumed[2]
    assert sentence.startswith(f"{stop(folder, 5)} is not used, it ")
    assert sentence.endswith(": reference in float32 goes on from step 4")
    assert "unsafe" not in sentence
    again = run(folder, plan)  # what was damaged has been replaced
    assert_same_run(again, saved[1])
    assert again[2] == []


def test_damage_to_the_first_checkpoint(
    tmp_path: Path, plan: Plan, saved: tuple[Path, Any]
) -> None:
    shutil.copytree(saved[0], tmp_path / "copy")
    cut(10)(stop(tmp_path / "copy", 1))
    resumed = run(tmp_path / "copy", plan)
    assert_same_run(resumed, saved[1])
    assert resumed[2][0].endswith("goes on from the beginning")


def test_no_flipped_byte_changes_what_is_read(
    tmp_path: Path, saved: tuple[Path, Any]
) -> None:
    """It is refused; or it was in a time stamp or the like, which nobody reads."""
    original, path = stop(saved[0], STEPS), tmp_path / "state.npz"
    length = original.stat().st_size
    with np.load(original) as state:
        belongs = str(state["belongs"])
    whole = read(original, belongs)
    positions = {*range(0, length, 101), *range(0, 300, 2), *range(-900, 0, 3)}
    refused = 0
    for position in positions:
        shutil.copy(original, path)
        flipped(position)(path)
        try:
            found = read(path, belongs)
        except Damaged:
            refused += 1
        else:
            assert_same(found.params, whole.params)
            assert found.losses.tobytes() == whole.losses.tobytes()
            assert found[2:] == whole[2:]
    print(f"refused: {refused} of {len(positions)}")
    assert refused > 0.8 * len(positions)


# Where a write is cut short: half of it on the disk, or all of it, but not in place.
ENDS = {
    "half written": "os.fsync = lambda file: (os.truncate(file, 1000), end())",
    "not in place": "os.replace = lambda *paths: end()",
}


@posix
@pytest.mark.parametrize("where", ENDS)
def test_killed_while_it_writes(
    where: str, tmp_path: Path, plan: Plan, saved: tuple[Path, Any]
) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from gradparity.parity_tests.training.checkpoints import Checkpoints
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.training.plan import Plan
from gradparity.parity_tests.training.run import train
from gradparity.reference.datasets import load as load_dataset
def end(): os.kill(os.getpid(), signal.SIGKILL)
def progress(steps):
    global done
    done += steps
    if done == 7:
        {ENDS[where]}
done = 0
plan = Plan.of(load_dataset("digits"), {STEPS})
checkpoints = Checkpoints.open(Path(sys.argv[1]), plan, False, {{}}, print)
train(plan, "float32", load("reference"), None, progress, checkpoints)
"""
    folder = tmp_path / "saved"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert done.returncode == -9
    assert len([*folder.rglob(f".*{UNFINISHED}")]) == 1
    assert not stop(folder, 8).exists()
    resumed = run(folder, plan)
    assert_same_run(resumed, saved[1])
    assert resumed[2] == ["reference in float32 goes on from step 7"]
    assert [*folder.rglob(f".*{UNFINISHED}")] == []


def test_a_full_disk_leaves_what_was_saved(
    tmp_path: Path, plan: Plan, saved: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fsync(file: int) -> None:
        synced.append(file)
        if len(synced) > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        _, _, told = whole = run(tmp_path, plan)
    assert "06.npz cannot be written (No space left on dev" in told[0]
    assert len(told) == 1
    assert_same_run(whole, saved[1])  # nothing of what it computed is lost
    assert len([*tmp_path.rglob("*.npz")]) == 5
    assert [*tmp_path.rglob(f".*{UNFINISHED}")] == []
    assert_same_run(run(tmp_path, plan), saved[1])


def test_a_training_that_diverged_says_so_again(tmp_path: Path) -> None:
    plan = Plan.of(load_dataset("digits"), 30, learning_rate=1e30)
    for _ in range(2):
        with (
            np.errstate(all="ignore"),
            pytest.raises(TrainingDiverged, match="not finite at step"),
        ):
            run(tmp_path, plan)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seed": 1}, "are of another run: seed 0 there, 1 here"),
        ({"steps": 13, "batch_size": 9}, "steps 12 there, 13 here; batch size 100 the"),
        ({"learning_rate": 0.2}, "are of another run: learning rate 0.1 there, 0.2 he"),
        (
            {"data set": "other"},
            "are of another run: data set digits there, other here",
        ),
        (
            {"x": 1},
            "another run: the initial parameters, the mini-batches, the data or",
        ),
    ],
    ids=str,
)
def test_another_run_is_refused(
    changes: dict[str, Any], expected: str, plan: Plan, saved: tuple[Path, Any]
) -> None:
    data = plan.dataset
    if name := changes.pop("data set", None):
        data = replace(data, name=name)
    if changes.pop("x", None):
        data = replace(data, x_test=data.x_test + 2**-40)
    other = Plan.of(data, **({"steps": STEPS} | changes))
    before = contents(saved[0])
    with pytest.raises(CheckpointError, match=expected):
        run(saved[0], other)
    assert contents(saved[0]) == before


def test_states_saved_more_often(tmp_path: Path) -> None:
    data = load_dataset("digits")
    often, seldom = (Plan.of(data, 400, checkpoint_every=n) for n in (3, None))
    assert {*range(3, 400, 3)} <= {*often.stops}
    assert {*seldom.stops} < {*often.stops}
    Checkpoints.open(tmp_path / "often", often, False, {}, print)
    with pytest.raises(
        CheckpointError, match=r"run: saved states \d+ there, \d+ here$"
    ):
        Checkpoints.open(tmp_path / "often", seldom, True, {}, print)
    early, late = (Plan.of(data, 400, checkpoint_every=n) for n in (250, 350))
    assert len(early.stops) == len(late.stops)
    Checkpoints.open(tmp_path / "early", early, False, {}, print)
    with pytest.raises(
        CheckpointError, match="or the steps at which it is saved differ"
    ):
        Checkpoints.open(tmp_path / "early", late, True, {}, print)


def test_other_versions_are_remarked_on(tmp_path: Path, plan: Plan) -> None:
    said = Said()
    for version in ("1", "2", "2"):
        Checkpoints.open(tmp_path, plan, True, {"numpy": version, "torch": "3"}, said)
    sentence = f"checkpoints in {tmp_path} were made with numpy 1 (now 2): the results"
    assert [remark[: len(sentence)] for remark in said] == [sentence] * 2


def test_a_folder_of_something_else_is_refused(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(CheckpointError, match="must name a new or empty directory"):
        Checkpoints.open(tmp_path, plan, False, {}, print)
    with pytest.raises(CheckpointError, match="holds no checkpoints: run"):
        Checkpoints.open(tmp_path, plan, True, {}, print)
    (tmp_path / RUN).write_text("{}")
    with pytest.raises(CheckpointError, match=r"cannot be read \(not one of ours\)"):
        Checkpoints.open(tmp_path, plan, True, {}, print)
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex", RUN}


def test_killed_before_anything_was_saved(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / f".{RUN}-0123abcd{UNFINISHED}").write_text("{")
    Checkpoints.open(tmp_path, plan, True, {}, print)
    assert [path.name for path in tmp_path.iterdir()] == [RUN]
    Checkpoints.open(tmp_path, plan, True, {}, print)  # and now with run.json alone


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--resume"], "--resume and --checkpoint-every go with --checkpoint"),
        (
            ["--checkpoint-every", "5"],
            "--resume and --checkpoint-every go with --check",
        ),
        (["--checkpoint", "file"], "file is not a directory to write in (Not a direct"),
        (["--checkpoint", "file/x"], "file is not a directory to write in (Not a dire"),
        (["--save", "file"], "--save: "),
        (["--checkpoint", "full"], "full is not empty: --resume goes on from"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_command_refuses(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("...")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("...")
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    command = ["gradparity", "train", "--dataset", "digits", *arguments]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("gradparity: ")
    assert expected in err.splitlines()[-1]
    assert contents(tmp_path) == before
