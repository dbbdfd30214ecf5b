"""Implementations of somebody's own: in every style, in part, by announcement, in a list
of expected failures, and as an assertion.
"""

import json
import os
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    NETWORK_CASES,
    SHAPE_CASES,
    SMALL_CASES,
)
from gradparity.parity_tests.checking.assertions import assert_parity
from gradparity.parity_tests.checking.values import Prepared, check, try_load
from gradparity.parity_tests.implementations import hips_autograd, user_supplied
from gradparity.parity_tests.implementations.backends import (
    BACKENDS,
    NUMPY,
    UNKNOWN,
    Backend,
    of_framework,
)
from gradparity.parity_tests.implementations.contract import NotInstalled
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.implementations.user_supplied import (
    Own,
    UnusableImplementation,
)
from gradparity.parity_tests.measuring.records import Check, Verdict
from gradparity.parity_tests.suite.planted import clear_of_zero, most_drift
from gradparity.parity_tests.suite.support import ROOT, expected_failures
from gradparity.parity_tests.training.agreement import disagreements
from gradparity.parity_tests.training.plan import Plan
from gradparity.parity_tests.training.run import train
from gradparity.reference import layers
from gradparity.reference.datasets import load as load_dataset
from gradparity.reference.networks import TwoLayerNet

HIPS = "gradparity.parity_tests.implementations.hips_autograd"
XFAILS = Path(hips_autograd.__file__).with_suffix(".xfails")
DTYPES = ("float64", "float32")


def rows(implementation: Own, *names: str, kind: str = "typical") -> list[Check]:
    """The checks of these layers, in both dtypes."""
    cases: list[Any] = [*LAYER_CASES, *NETWORK_CASES]
    return [
        row
        for case in cases
        if case.layer in names and case.kind == kind
        for dtype in DTYPES
        for row in check(Prepared.of(case, dtype), implementation.name, implementation)[
            0
        ]
    ]


def verdicts(found: list[Check]) -> set[Verdict]:
    return {row.verdict for row in found}


RIGHT = {Verdict.IDENTICAL, Verdict.WITHIN_BOUND}


# --- Styles ---------------------------------------------------------------------------


class MyRelu:
    """In the lecture's style, under names of its own."""

    def forward(self, values: Any) -> Any:
        self.closed = values <= 0
        return np.where(self.closed, 0, values)

    def backward(self, upper: Any) -> Any:
        return np.where(self.closed, 0, upper)


def relu_and_gradient(x: Any, dout: Any) -> Any:
    return np.where(x <= 0, 0, x), np.where(x <= 0, 0, dout)


def relu_by_name(x: Any, dout: Any) -> Any:
    out, dx = relu_and_gradient(x, dout)
    return {"dx": dx, "out": out}


def torch_relu(z: Any) -> Any:
    import torch

    return torch.relu(z)


def jax_relu(z: Any) -> Any:
    import jax

    return jax.nn.relu(z)


@pytest.mark.parametrize(
    "names",
    [
        {"Relu": MyRelu},
        {"relu": relu_and_gradient},
        {"relu": relu_by_name},
        {"relu": torch_relu},
        {"relu": jax_relu},
        {"relu": hips_autograd.relu, "vjp": hips_autograd.vjp},
    ],
    ids=["class", "tuple", "dict", "torch", "jax", "vjp"],
)
def test_every_style(names: dict[str, Any]) -> None:
    for layer in ("torch", "jax"):
        if names.get("relu") is globals()[f"{layer}_relu"]:
            pytest.importorskip(layer)
    found = rows(Own("mine", names), "Relu")
    assert len(found) == 2 * 2 * 2
    assert verdicts(found) <= RIGHT


@pytest.mark.parametrize("framework", ["torch", "jax.numpy"])
def test_inputs_come_by_position_whatever_they_are_called(framework: str) -> None:
    """JAX puts the names of a dictionary into the order of the alphabet."""
    of = pytest.importorskip(framework)

    def affine(x: Any, weight: Any, bias: Any) -> Any:
        flat = x if x.ndim == 1 else of.reshape(x, (len(x), -1))
        return of.matmul(flat, weight) + bias

    def softmax_with_loss(scores: Any, answers: Any, reduce: Any) -> Any:
        rows = scores if scores.ndim > 1 else scores[None]
        if answers.shape == scores.shape:
            answers = answers.argmax(-1)
        picked = rows[of.arange(len(rows)), answers.reshape(-1)]
        return reduce(of.log(of.exp(rows).sum(-1)) - picked)

    loss = partial(softmax_with_loss, reduce=of.mean)
    mine = Own("mine", {"affine": affine, "softmax_with_loss": loss})
    assert mine.judged_as("Affine") == mine.judged_as("SoftmaxWithLoss")
    assert mine.judged_as("Affine")[0].framework == framework.partition(".")[0]
    assert verdicts(rows(mine, "Affine", "SoftmaxWithLoss")) <= RIGHT


def test_the_framework_is_the_one_that_a_function_uses() -> None:
    torch, jax = SimpleNamespace(), SimpleNamespace()
    for name, module in (("torch", torch), ("jax", jax)):
        module.relu = lambda x: x
        module.relu.__module__ = f"{name}.functional"
    both: dict[str, Any] = {"torch_": torch.relu, "jax_": jax.relu}
    code = """
        def plain(x): return x * x
        def by_torch(x): return torch_(x)
        def by_jax(x): return jax_(x)
        def through_another(x): return by_jax(x) + 1
        def imported_inside(x):
            import jax
            return jax.numpy.maximum(x, 0)
        def closing_over(function):
            return lambda x: function(x)
    """
    exec(textwrap.dedent(code), both)
    expected = {
        "plain": "torch",  # its module has both, and it runs on either
        "by_torch": "torch",
        "by_jax": "jax",
        "through_another": "jax",
        "imported_inside": "jax",
    }
    pytest.importorskip("jax")
    for name, framework in expected.items():
        function = both[name]
        found = user_supplied.framework_of(function) or user_supplied.framework_around(
            function
        )
        assert found == framework, name
    assert user_supplied.framework_of(both["plain"]) is None
    assert user_supplied.framework_of(both["closing_over"](jax.relu)) == "jax"
    assert user_supplied.framework_of(relu_by_name) is None


def test_flushing_is_allowed_to_those_who_are_written_in_jax_only() -> None:
    pytest.importorskip("jax")
    mine = Own("mine", {"relu": jax_relu, "Sigmoid": layers.Sigmoid})
    assert mine.judged_as("Relu") == of_framework("jax")
    assert mine.judged_as("Sigmoid") == (UNKNOWN, Backend("unknown", "composed"), NUMPY)
    found = rows(mine, "Relu", kind="edge")
    assert Verdict.FAIL not in verdicts(found)
    assert Verdict.DOCUMENTED in verdicts(found)


def test_a_function_without_gradients_is_a_helper_and_no_layer() -> None:
    """As in the lecture's layers.py, which imports softmax."""
    mine = Own("mine", {"Relu": MyRelu, "softmax": lambda x: x, "exp": np.exp})
    assert [layer for layer in ("Relu", "Softmax", "Exp") if mine.offers(layer)] == [
        "Relu"
    ]
    with pytest.raises(UnusableImplementation) as caught:
        Own("mine", {"softmax": lambda x: x, "exp": np.exp})
    assert (
        "mine offers no layer; nobody can tell how to differentiate exp, softmax:"
        in (str(caught.value))
    )


def test_functions_that_are_written_in_c_are_known_by_their_framework() -> None:
    torch = pytest.importorskip("torch")
    mine = Own("mine", {"relu": torch.relu})
    assert mine.judged_as("Relu") == of_framework("torch")
    assert Verdict.FAIL not in verdicts(rows(mine, "Relu"))


def test_jax_in_a_class_and_with_gradients_of_its_own_has_64_bits() -> None:
    pytest.importorskip("jax")

    class Relu:
        def forward(self, x: Any) -> Any:
            import jax

            self.mask = jax.numpy.asarray(x) <= 0
            return jax.numpy.where(self.mask, 0, x)

        def backward(self, dout: Any) -> Any:
            import jax

            return jax.numpy.where(self.mask, 0, dout)

    def relu(x: Any, dout: Any) -> Any:
        import jax

        out, back = jax.vjp(jax.nn.relu, x)
        return out, *back(dout)

    for names in ({"Relu": Relu}, {"relu": relu}):
        mine = Own("mine", names)
        assert mine.judged_as("Relu")[-1] == BACKENDS["jax-jit"]
        assert verdicts(rows(mine, "Relu")) <= RIGHT


def test_a_class_without_backward_is_a_helper() -> None:
    torch = pytest.importorskip("torch")
    mine = Own("mine", {"Sigmoid": torch.nn.Sigmoid, "sigmoid": torch.sigmoid})
    assert mine.offers("Sigmoid")
    assert mine.helpers == ["Sigmoid"]
    assert Verdict.FAIL not in verdicts(rows(mine, "Sigmoid"))


def test_a_function_that_returns_too_little_is_told_what_is_expected() -> None:
    mine = Own("mine", {"relu": lambda x, dout: x})
    notes = {row.note for row in rows(mine, "Relu")}
    assert notes == {"raised TypeError: expected a tuple of out, dx, got one thing"}


# --- In part --------------------------------------------------------------------------


def test_what_is_not_offered_is_missing_and_not_failed() -> None:
    mine = Own("mine", {"Relu": MyRelu})
    found = rows(mine, "Affine", "Softmax")
    assert verdicts(found) == {Verdict.MISSING}
    assert {row.note for row in found} == {"not offered"}
    assert mine.train is None
    for kind in ("invalid",):
        assert not rows(mine, "Relu", kind=kind)


def test_a_gradient_that_is_not_returned_is_a_failure() -> None:
    mine = Own("mine", {"relu": lambda x, dout: {"out": np.where(x <= 0, 0, x)}})
    notes = {row.note for row in rows(mine, "Relu") if row.verdict == Verdict.FAIL}
    assert notes == {"dx was not returned"}


# --- The network ----------------------------------------------------------------------


class LectureNet:
    """What the lecture's network shows to the outside."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        self.net = TwoLayerNet(inputs, hidden, outputs)
        self.params, self.layers = self.net.params, self.net.layers
        self.net._bind = lambda: None  # type: ignore[method-assign]

    def predict(self, x: Any) -> Any:
        return self.net.predict(x)

    def loss(self, x: Any, t: Any) -> Any:
        return self.net.loss(x, t)

    def gradient(self, x: Any, t: Any) -> Any:
        return self.net.gradient(x, t)


class WrongNet(LectureNet):
    """Its first bias learns twice as fast."""

    def gradient(self, x: Any, t: Any) -> Any:
        found = super().gradient(x, t)
        return found | {"b1": 2 * found["b1"]}


def network_rows(mine: Own) -> dict[str, set[Verdict]]:
    (case,) = (c for c in SMALL_CASES if isinstance(c, NetworkCase))
    found: dict[str, set[Verdict]] = {}
    for dtype in DTYPES:
        for row in check(Prepared.of(case, dtype), mine.name, mine)[0]:
            found.setdefault(row.quantity, set()).add(row.verdict)
    return found


def test_a_network_is_put_together_from_the_layers() -> None:
    found = network_rows(Own("mine", vars(layers)))
    assert found.pop("y") == {Verdict.MISSING}
    assert len(found) == 12
    assert set().union(*found.values()) == {Verdict.IDENTICAL}


def test_of_a_network_of_ones_own_is_compared_what_can_be_seen() -> None:
    names = {"TwoLayerNet": LectureNet, "Relu": MyRelu}
    found = network_rows(Own("mine", names))
    seen = {name for name, said in found.items() if said != {Verdict.MISSING}}
    assert seen == {"Affine2", "loss", "dW1", "db1", "dW2", "db2"}
    assert set().union(*(found[name] for name in seen)) <= RIGHT
    wrong = network_rows(Own("mine", names | {"TwoLayerNet": WrongNet}))
    assert [n for n, said in wrong.items() if Verdict.FAIL in said] == ["db1"]


@pytest.mark.parametrize("names", [vars(layers), {"TwoLayerNet": LectureNet}])
def test_it_can_be_trained(names: dict[str, Any]) -> None:
    plan = Plan.of(load_dataset("digits", download=False), steps=20)
    _, baseline = train(plan, "float64", load("reference"), None)
    training, _ = train(plan, "float64", Own("mine", names), baseline)
    assert training.largest_drift <= most_drift(plan, "float64")
    assert training.epochs[-1].test_accuracy > 0


# --- By name --------------------------------------------------------------------------


def test_a_file_a_module_and_what_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradparity.reports import environment
    from gradparity.reports.commands import choices
    from gradparity.reports.tables.overview import environment_table

    (tmp_path / "one.py").write_text("from two import Relu\n", encoding="utf-8")
    (tmp_path / "two.py").write_text(
        "from gradparity.reference.layers import Relu\n", "utf-8"
    )
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "inside.py").write_text("from two import Relu\n", "utf-8")
    info = tmp_path / "announcing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: announcing\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(
        f"[{user_supplied.GROUP}]\nmine = two\nbroken = no.such\ntorch = two\n", "utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    user_supplied.announced.cache_clear()
    try:
        assert user_supplied.announced() == {"mine": "two", "broken": "no.such"}
        for name in ("one.py", "packed.inside", "mine", str(tmp_path / "one.py")):
            assert user_supplied.is_own(name)
            assert load(name).offers("Relu"), name
        assert isinstance(try_load("broken"), NotInstalled)
        names = choices.choose_implementations(None)  # which has loaded them
        assert user_supplied.load.cache_info().currsize >= 4
        assert names == ["reference", "torch", "jax", "mine", "broken"]
        assert "mine" in choices.choose_implementations("all")
        assert choices.choose_implementations("mine,one.py") == ["mine", "one.py"]
        found = environment.describe()
        assert found.announced == {"mine": "two", "broken": "no.such"}
        shown = environment_table(found).rows
        assert ["implementation: mine", "two"] in shown
    finally:
        user_supplied.announced.cache_clear()
        user_supplied.load.cache_clear()


def test_a_function_in_a_file_can_be_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradparity.parity_tests.functions import UnusableFunction
    from gradparity.parity_tests.functions.targets import load as load_function

    path = tmp_path / "of_mine.py"
    path.write_text("def twice(x):\n    return 2 * x\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for target in ("of_mine.py:twice", f"{path}:twice"):
        assert load_function(target).function(3) == 6
    with pytest.raises(UnusableFunction, match=r"there is no thrice in of_mine\.py"):
        load_function("of_mine.py:thrice")


def test_two_files_may_have_neighbours_of_the_same_name(tmp_path: Path) -> None:
    mine = []
    for folder, wrong in (("first", ""), ("second", " + 1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "functions.py").write_text(
            f"def act(x):\n    return (x > 0) * x{wrong}\n", encoding="utf-8"
        )
        path = tmp_path / folder / "layers.py"
        path.write_text(
            "from functions import act\n"
            "def relu(x, dout):\n    return act(x), (x > 0) * dout\n",
            encoding="utf-8",
        )
        mine.append(user_supplied.load(str(path)))
    failed = [Verdict.FAIL in verdicts(rows(each, "Relu")) for each in mine]
    assert failed == [False, True]


MINE = """
import layers, own, reference  # which stand beside this file

class Affine(layers.Affine): pass
class Relu(layers.Relu): pass
class SoftmaxWithLoss(layers.SoftmaxWithLoss): pass
"""
LAUNCHED = "import sys; del sys.path[0]; from gradparity.__main__ import main; main()"


def launched(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command in a folder, which Python itself does not look into for modules."""
    return subprocess.run(
        [sys.executable, "-c", LAUNCHED, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


SMALL = (
    *("train", "--dataset", "digits", "--dtype", "float64", "--steps", "5"),
    *("--seeds", "2", "--jobs", "2"),
)


def test_the_working_folder_takes_the_place_of_no_module_of_ours(
    tmp_path: Path,
) -> None:
    """Not in this process, nor in those that it starts; its own are found all the same."""
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "own.py").write_text("", encoding="utf-8")
    text = Path(layers.__file__).read_text(encoding="utf-8")
    (tmp_path / "layers.py").write_text(text, encoding="utf-8")
    for name in ("reference", "parity_tests", "torch_impl", "gradparity"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    done = launched(tmp_path, *SMALL, "--implementations", "reference,mine.py")
    assert done.returncode == 0, done
    assert "all 297 test predictions agree" in done.stdout


def test_what_cannot_be_loaded_in_another_process_is_told_in_a_sentence(
    tmp_path: Path,
) -> None:
    """It can in this one: the second time it raises an error."""
    (tmp_path / "once.py").write_text(
        "from pathlib import Path\n"
        "from gradparity.reference.layers import *\n"
        "Path('loaded').touch(exist_ok=False)\n",
        encoding="utf-8",
    )
    done = launched(tmp_path, *SMALL, "--implementations", "reference,once.py")
    assert done.returncode == 2, done
    *_, last = done.stderr.splitlines()
    assert last.startswith("gradparity: once.py cannot be imported: FileExistsError"), (
        done
    )
    assert "Traceback" not in done.stderr


def test_one_that_raises_while_it_trains_is_told_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "raising.py").write_text(
        "from gradparity.reference.layers import *\n"
        "class Relu(Relu):\n"
        "    def forward(self, x):\n"
        "        raise RuntimeError('no ReLU here')\n",
        encoding="utf-8",
    )
    names = "--implementations", "reference,raising.py"
    done = launched(tmp_path, *SMALL, *names, "--json")
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1  # which data set it is
    found = json.loads(done.stdout)
    assert {t["implementation"] for t in found["training"]} == {"reference"}
    assert [(u["seed"], u["verdict"]) for u in found["untrained"]] == [
        (0, "FAIL"),
        (1, "FAIL"),
    ]
    done = launched(tmp_path, *SMALL[:-4], *names)
    assert done.returncode == 1, done
    said = "raising.py in float64 does not train: raised RuntimeError: no ReLU here"
    assert said in done.stdout


REFUSED = {
    "nosuch.py": "nosuch.py cannot be imported: FileNotFoundError",
    "no.such": "no.such cannot be imported: ModuleNotFoundError: No module named 'no'$",
    "raising.py": r"ZeroDivisionError: division by zero \(raising.py, line 2\)$",
    "syntax.py": r"SyntaxError: .* \(syntax.py, line 1\)$",
    "empty.py": "empty.py offers no layer: expected a class such as AddLayer",
    "leaving.py": r"leaving.py cannot be imported: SystemExit: 0 \(leaving.py, line 2\)$",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradparity.reports.commands import application, choices

    (tmp_path / "raising.py").write_text("\n1 / 0\n", encoding="utf-8")
    (tmp_path / "syntax.py").write_text("def f(:\n", encoding="utf-8")
    (tmp_path / "empty.py").write_text("", encoding="utf-8")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(0)\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnusableImplementation, match=REFUSED[name]) as caught:
        choices.choose_implementations(f"reference,{name}")
    assert application.is_refusal(caught.value)
    with pytest.raises(choices.Unusable, match=r"nosuch.*module or path/to/file"):
        choices.choose_implementations("nosuch")


# --- HIPS autograd --------------------------------------------------------------------


@pytest.mark.deep
def test_hips_autograd_agrees_but_for_what_is_listed() -> None:
    """All layers that it offers, typical and edge, and the network."""
    mine = user_supplied.load(HIPS)
    assert {"MulLayer", "Sigmoid", "Affine", "SoftmaxWithLoss"} <= {*mine.layers}
    failed = []
    cases: list[Any] = [*LAYER_CASES, *SHAPE_CASES, *NETWORK_CASES[:1]]
    for case in cases:
        for dtype in DTYPES if case.kind != "invalid" else ():
            found, _ = check(Prepared.of(case, dtype), HIPS, mine)
            offered = mine.offers(case.layer)
            assert offered != (Verdict.MISSING in verdicts(found))
            if Verdict.FAIL in verdicts(found):
                failed.append(f"test_layer[{case.id}-{HIPS}-{dtype}]")
    listed = [line.partition("::")[2] for line in expected_failures(XFAILS)]
    assert sorted(failed) == sorted(listed)


def test_hips_autograd_learns_the_same() -> None:
    data = load_dataset("digits", download=False)
    plan = clear_of_zero(Plan.of(data, steps=50))  # no rounding flips a ReLU
    for dtype in DTYPES:
        expected, baseline = train(plan, dtype, load("reference"), None)
        training, _ = train(plan, dtype, load(HIPS), baseline)
        assert training.largest_drift <= most_drift(plan, dtype)
        assert disagreements([expected, training], len(data.t_test)) == []


# --- A list of expected failures ------------------------------------------------------


LEAKY = """
import numpy as np

class Relu:  # its gradient leaks at 0
    def forward(self, x):
        self.mask = x < 0
        return np.where(x <= 0, 0, x)
    def backward(self, dout):
        return np.where(self.mask, 0, dout)
"""
TEST = "parity_tests/test_layers.py::test_layer"
FAILS = [f"{TEST}[Relu/special numbers-leaky.py-{dtype}]" for dtype in DTYPES]


def run_pytest(tmp_path: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """`test_layers.py` on LEAKY, from a folder of somebody's own."""
    (tmp_path / "leaky.py").write_text(LEAKY, encoding="utf-8")
    (tmp_path / "xfails").write_text("\n".join(lines), encoding="utf-8")
    root = ROOT
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"--rootdir={root}", f"--config-file={root / 'pyproject.toml'}"]
    command += [str(root / "parity_tests" / "test_layers.py")]
    command += ["--implementations", "leaky.py", "--xfails-file", "xfails"]
    return subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )


def test_expected_failures_fail_no_run_and_stale_ones_do(tmp_path: Path) -> None:
    passing = f"{TEST}[Relu/batch-leaky.py-float64]"
    done = run_pytest(tmp_path, "# at 0", "", f"{FAILS[0]} # it leaks", passing)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    failed = [  # pytest says why as well, where the width of the terminal allows
        line.partition(" - ")[0].partition("::")[2]
        for line in lines
        if line.startswith("FAILED")
    ]
    listed_and_passing = passing.partition("::")[2]
    not_listed = FAILS[1].partition("::")[2]
    assert failed == [listed_and_passing, not_listed], done.stdout
    assert "1 xfailed" in done.stdout
    done = run_pytest(tmp_path, f"{TEST}[Relu/nothing-leaky.py-float64]")
    assert done.returncode == 4
    assert (
        "names no test: parity_tests/test_layers.py::test_layer[Relu/n" in done.stderr
    )


# --- As an assertion ------------------------------------------------------------------


def test_assert_parity() -> None:
    assert_parity(MyRelu, "Relu")
    assert_parity(hips_autograd.softmax, "Softmax", edges=False, vjp=hips_autograd.vjp)
    with pytest.raises(ValueError, match="unknown layer 'ReLU': expected AddLayer"):
        assert_parity(MyRelu, "ReLU")
    with pytest.raises(
        ValueError, match="<lambda> offers no layer; nobody can tell how"
    ):
        assert_parity(lambda x: x, "Relu")


def torch_loss(x: Any, t: Any) -> Any:
    import torch

    return torch.nn.functional.cross_entropy(x, t)


def jax_loss(x: Any, t: Any) -> Any:
    import jax

    rows = t if t.ndim == x.ndim else jax.nn.one_hot(t, x.shape[-1], dtype=x.dtype)
    return -(rows * jax.nn.log_softmax(x)).sum(-1).mean()


def loss_and_gradient(x: Any, t: Any, dout: Any) -> Any:
    """Its gradient has the wider dtype of the two that come."""
    rows = t if t.ndim == x.ndim else np.eye(x.shape[-1], dtype=x.dtype)[t]
    shifted = x - x.max(axis=-1, keepdims=True)
    sums = np.exp(shifted).sum(axis=-1, keepdims=True)
    count = x.dtype.type(len(x) if x.ndim > 1 else 1)
    picked = np.where(rows == 1, np.log(sums) - shifted, 0)
    return picked.sum() / count, (np.exp(shifted) / sums - rows) / count * dout


@pytest.mark.parametrize(
    "loss",
    [
        loss_and_gradient,
        torch_loss,
        pytest.param(jax_loss, marks=pytest.mark.deep),  # a compilation for each shape
    ],
)
def test_one_hot_labels_have_the_dtype_under_test(loss: Any) -> None:
    """As whoever trains in float32 has them. One that makes such rows of labels itself may
    part where those do, as at 0 * -inf.
    """
    if loss is not loss_and_gradient:
        pytest.importorskip(loss.__name__.removesuffix("_loss"))
    assert_parity(loss, "SoftmaxWithLoss")


def test_labels_in_every_dtype() -> None:
    cases: list[Any] = [*LAYER_CASES, *NETWORK_CASES, *SHAPE_CASES]
    labelled = [case for case in cases if "t" in case.arguments]
    kinds = set()
    for case in labelled:
        before = case.arguments["t"]
        for dtype in (*DTYPES, "longdouble"):
            expected = np.dtype(dtype) if before.dtype.kind == "f" else before.dtype
            after = case.to(dtype).arguments["t"]
            assert after.dtype == expected, case.id
            np.testing.assert_array_equal(after, before)
            kinds.add((before.dtype.kind, case.kind))
    assert {("f", "typical"), ("i", "typical"), ("f", "invalid")} <= kinds


def test_a_setting_that_a_layer_lacks_is_named() -> None:
    class LeakyRelu(MyRelu):
        def __init__(self) -> None:
            super().__init__()

    with pytest.raises(AssertionError, match=r"LeakyRelu is given slope=0.01 by keyw"):
        assert_parity(LeakyRelu, "LeakyRelu")


def test_a_failure_names_what_goes_into_the_element() -> None:
    def flat(x: Any, dout: Any) -> Any:
        return np.where(x <= 0, 0, x), np.where(x > 0, dout, 0)

    with pytest.raises(AssertionError, match=r"\(at x = nan, dout = [-\d.]+\)"):
        assert_parity(flat, "Relu")


def test_its_documented_divergences_have_a_table(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n\ndef relu(x):\n    return torch.relu(x)\n"
    )
    pytest.importorskip("torch")
    names = "reference,mine.py"
    done = launched(tmp_path, "check", "Relu", "--edges", "--implementations", names)
    assert done.returncode == 0
    (row,) = (r for r in done.stdout.splitlines() if r.startswith("1 "))
    assert row.split() == [
        "1",
        "Relu",
        "of",
        "-0.0",
        "float64",
        "float32",
        "0.0",
        "0.0",
        "-0.0",
    ]


def test_assert_parity_says_what_is_wrong_first() -> None:
    def doubled(x: Any, dout: Any) -> Any:
        out, dx = relu_and_gradient(x, dout)
        return out, 2 * dx

    def leaky(x: Any, dout: Any) -> Any:
        return np.where(x <= 0, 0, x), np.where(x < 0, 0, dout)

    def flat(x: Any, dout: Any) -> Any:
        return tuple(value.ravel() for value in relu_and_gradient(x, dout))

    case = next(c for c in LAYER_CASES if c.id == "Relu/batch")
    worst = np.abs(np.where(case.inputs["x"] <= 0, 0, case.dout)).max()
    with pytest.raises(AssertionError) as caught:
        assert_parity(doubled, "Relu", edges=False)
    said = str(caught.value)
    assert said.startswith("doubled is no Relu: dx of case 'Relu/batch' in float64 is ")
    assert "beyond the rounding bound of 0" in said
    assert worst > 1
    with pytest.raises(
        AssertionError, match=r"at \[\d+, \d+\] it is 1.0, the truth is 0"
    ):
        assert_parity(leaky, "Relu")
    assert_parity(leaky, "Relu", edges=False)
    with pytest.raises(
        AssertionError, match=r"expected shape \(100, 50\), got \(5000,"
    ):
        assert_parity(flat, "Relu")
    with pytest.raises(
        AssertionError, match=r"is [\d.e+]+ times the rounding bound of"
    ):
        assert_parity(lambda x, dout: (np.exp(x) * 1.01, dout), "Exp")
