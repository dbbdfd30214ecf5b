"""What is answered about two functions: on the numbers given and on others, with ties, NaN
and zeros; and in which words.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import inputs, targets
from gradparity.parity_tests.functions.comparison import Comparison, compare_functions
from gradparity.parity_tests.functions.wording import answer, report
from gradparity.reports.tables.functions import facts, tables

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
jnp = jax.numpy
F = torch.nn.functional
Function = Callable[..., Any]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5))


def compared(
    *functions: Function, dtypes: Any = ("float32",), **given: Any
) -> Comparison:
    named = [targets.of(f, name=f"f{number}") for number, f in enumerate(functions, 1)]
    return compare_functions(named, inputs.of(given), dtypes)


def normalised(eps: float, fast: bool = False) -> Function:
    def in_jax(x: Any) -> Any:
        mean = x.mean(-1, keepdims=True)
        var = ((x - mean) ** 2).mean(-1, keepdims=True)
        if fast:
            var = (x * x).mean(-1, keepdims=True) - mean * mean
        return (x - mean) / jnp.sqrt(var + eps)

    return in_jax


def in_torch(x: Any) -> Any:
    return F.layer_norm(x, x.shape[-1:])


def test_an_eps_is_told_with_the_element_the_step_and_the_mistake() -> None:
    found = compared(in_torch, normalised(1e-6), x=X)
    first, one, other, *rest = report(found)
    assert not found.same
    assert first.startswith("f1 and f2 differ: out[")
    assert "times as far apart as rounding can take it in float64; so does dx." in first
    assert one.startswith("  first to differ in f1: forward  aten::native_layer_norm(")
    assert other.startswith("  first to differ in f2: forward  ")
    assert "test_answers.py:" in one
    assert "  the mistake: eps is 1e-05 in f1 and 1e-06 in f2" in rest


def test_the_same_is_told_with_what_rounding_does() -> None:
    found = compared(in_torch, normalised(1e-5), x=X)
    assert found.same
    assert answer(found).startswith(
        "f1 and f2 are the same function: out and dx agree in"
    )
    numbers = [n for tried in found.pairs[0].tried for n in tried.numbers]
    assert all(n.ratio is not None and n.ratio <= 1 for n in numbers)
    assert not any(n.estimated for n in numbers)
    for shares in found.budgets.values():
        assert sum(share.share for share in shares) <= 1 + 1e-9
    assert {key[:2] for key in found.budgets} >= {("f1", "float32"), ("f2", "float32")}
    assert all(each.judged == each.steps for each in found.operators.values())


def test_what_loses_digits_is_told_of_functions_that_are_the_same() -> None:
    found = compared(normalised(1e-5), normalised(1e-5, fast=True), x=X)
    assert found.same
    (note,) = found.notes
    assert note.startswith("f2: a variance is computed as E[x^2] - E[x]^2, which loses")


@pytest.mark.parametrize(
    ("x", "same"), [([0.0, 0.0], False), ([3.0, 4.0], True)], ids=["at 0", "elsewhere"]
)
def test_a_norm_at_zero_differs_in_the_backward(x: list[float], same: bool) -> None:
    found = compared(
        lambda x: torch.linalg.norm(x) ** 2,
        lambda x: jnp.linalg.norm(x) ** 2,
        x=np.array(x),
    )
    assert found.same == same
    if not same:
        assert "dx[0] is 0 (f1) and nan (f2)" in answer(found)
        partings = found.pairs[0].partings
        assert partings is not None
        of_torch, of_jax = (parting.steps[0] for parting in partings)
        assert of_torch.phase == "backward"
        # JAX computes what is left of the root's derivative ahead, in the forward pass.
        assert of_jax.operator == "div"


def test_ties_are_seen_at_the_numbers_given() -> None:
    clamp = lambda x: torch.clamp(x, -1.0, 1.0)  # noqa: E731
    clip = lambda x: jnp.clip(x, -1.0, 1.0)  # noqa: E731
    assert compared(clamp, clip, x=np.array([-2.0, 0.5, 3.0])).same
    found = compared(clamp, clip, x=np.array([-1.0, 0.0, 1.0]))
    assert "dx[0] is 1 (f1) and 0.5 (f2)" in answer(found)


def test_nan_in_the_same_places_is_the_same() -> None:
    found = compared(
        lambda x: torch.sqrt(x) * 2, lambda x: jnp.sqrt(x) * 2, x=np.array([-1.0, 9.0])
    )
    assert found.same


def test_a_difference_off_the_numbers_given_is_told_as_that() -> None:
    found = compared(torch.abs, lambda x: x * 1, x=np.array([1.0, 2.0]))
    assert found.same
    found = compared(
        torch.relu, lambda x: torch.clamp(x, 0, 2), x=np.linspace(1.9, 1.99, 9)
    )
    assert answer(found).startswith(
        "f1 and f2 differ, though not on the numbers given: "
    )


def test_shapes_and_numbers_of_outputs() -> None:
    found = compared(lambda x: torch.cat([x, x]), lambda x: x * 2, x=X)
    assert answer(found).startswith(
        "f1 and f2 differ: out has shape (8, 5) in f1 and shape (4, 5) in f2; so does dx"
    )
    found = compared(lambda x: (x * 2, x), lambda x: x * 2, x=X)
    assert "f1 returns out[0] and out[1], f2 returns out" in answer(found)


def test_more_than_two_are_held_against_the_first() -> None:
    found = compared(torch.tanh, jnp.tanh, torch.sin, x=X)
    assert [pair.same for pair in found.pairs] == [True, False]
    assert answer(found).startswith("f1 and f3 differ")


def test_what_is_told_for_machines() -> None:
    found = facts(compared(in_torch, normalised(1e-6), x=X))
    json.dumps(found)
    assert found["kind"] == "functions"
    assert found["targets"][1] == {"name": "f2", "framework": "jax"}
    assert found["same"] is False
    assert found["mistake"]["name"] == "eps"
    assert found["first_difference"]["phase"] == "forward"
    assert {*found["first_difference"]["steps"]} == {"f1", "f2"}
    row = found["quantities"][0]
    assert row["quantity"] == "out"
    assert not row["same"]
    assert row["bound_ratio"] > 1e6


def test_tables_have_a_row_for_whatever_was_judged() -> None:
    found = compared(torch.tanh, jnp.tanh, x=X)
    titles = [table.title for table in tables(found)]
    assert titles == [
        "How much is rounding",
        "Operator by operator, on what each was given",
        "Which steps the rounding comes of",
    ]


def test_the_command_ends_with_the_answer_as_its_status(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n\n\ndef f(x):\n    return torch.tanh(x)\n\n\n"
        "def g(x):\n    return torch.tanh(x) * 1.001\n"
    )

    def called(*arguments: str) -> Any:
        command = [sys.executable, "-m", "gradparity", "compare", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    same = called("mine.py:f", "mine.py:f", "--shape", "x=3", "--json")
    assert same.returncode == 0
    assert json.loads(same.stdout)["same"] is True
    other = called("mine.py:f", "mine.py:g", "--input", "x=[1, 2]")
    assert other.returncode == 1
    assert other.stdout.startswith("f and g differ: out[")
    assert other.stderr == ""
    unusable = called("mine.py:f", "mine.py:h", "--input", "x=[1, 2]")
    assert unusable.returncode == 2
    assert "there is no h in mine.py" in unusable.stderr


@pytest.mark.parametrize(
    "x", [[0.0, 1.0, 800.0], [-1.0, 0.0, np.inf], [np.nan, 1e200, 1e-300]]
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_no_warning_leaks_where_numbers_are_too_large(x: Any) -> None:
    def in_jax(x: Any) -> Any:
        return jnp.exp(x) * 1e300 / jnp.log(x * x)

    def theirs(x: Any) -> Any:
        return torch.exp(x) * 1e300 / torch.log(x * x)

    found = compared(in_jax, theirs, x=np.array(x))
    assert [*report(found)]
    assert [*tables(found)]
    assert facts(found)
