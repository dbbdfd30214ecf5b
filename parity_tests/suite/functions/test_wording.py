"""The sentences about functions: they tell apart what differs, say whose is which, and are
right in number.
"""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import (
    UnusableInput,
    inputs,
    targets,
    wording,
)
from gradparity.parity_tests.functions.comparison import Comparison, compare_functions
from gradparity.parity_tests.functions.operators import Failed
from gradparity.parity_tests.measuring.wording import listed
from gradparity.reports.tables.functions import facts, tables

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
jnp = jax.numpy
X = np.random.default_rng(0).standard_normal((2, 3))


def compared(*functions: Any, dtypes: Any = ("float64",), **given: Any) -> Comparison:
    named = [targets.of(f, name=f"f{number}") for number, f in enumerate(functions, 1)]
    return compare_functions(named, inputs.of(given or {"x": X}), dtypes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.5, 0.25], ["0.5", "0.25"]),
        ([1.0, 1 + 1e-10], ["1", "1.0000000001"]),
        ([0.1, 0.1 + 3e-16], ["0.10000000000000001", "0.10000000000000031"]),
        ([1 / 3, 1 / 3], ["0.333333333"] * 2),
        ([1 / 3 + 2e-12, 1 / 3], ["0.333333333335", "0.333333333333"]),
        ([0.0, -0.0], ["0", "-0"]),
        ([np.nan, float("nan")], ["nan", "nan"]),
        ([2, 3], ["2", "3"]),
        ([], []),
    ],
)
def test_what_differs_has_digits_that_differ(values: Any, said: Any) -> None:
    assert wording.told_apart(values) == said


def test_two_that_hardly_differ_are_told_apart_wherever_they_stand() -> None:
    found = compared(torch.sin, lambda x: torch.sin(x) * (1 + 1e-11))
    number = found.pairs[0].tried[0].wrong[0]
    one, other = wording.told_apart(number.values)
    assert one != other
    assert f"is {one} (f1) and {other} (f2)" in wording.answer(found)
    row = next(tables(found)).rows[0]
    assert row[5:7] == [one, other]


def test_whose_shape_is_which() -> None:
    found = compared(lambda x: x.sum(), lambda x: x.sum(0))
    assert "out has shape () in f1 and shape (3,) in f2" in wording.answer(found)
    assert next(tables(found)).rows[0][5:7] == ["shape ()", "shape (3,)"]
    row = json.loads(json.dumps(facts(found)["quantities"][0]))
    assert row["values"] == {"f1": "shape ()", "f2": "shape (3,)"}
    found = compared(lambda x: x.long(), lambda x: x.trunc())
    assert "has dtype int64 in f1 and dtype float64 in f2" in wording.answer(found)


def test_one_agrees_and_several_agree() -> None:
    found = compared(np.sin, lambda x: np.sin(x) * 1)
    assert "function: out agrees in float64" in wording.answer(found)
    found = compared(torch.sin, lambda x: torch.sin(x) * 1)
    assert "function: out and dx agree in float64" in wording.answer(found)


def test_a_list_names_some_and_counts_the_rest() -> None:
    words = [*"abcde"]
    assert listed(words) == "a, b, c, d and e"
    assert listed(words, 4) == "a, b, c, d and e"
    assert listed(words, 2) == "a, b and 3 more"
    assert listed(["a"], 2) == "a"


def test_gradients_that_are_zero_are_so_in_number() -> None:
    def product(x: Any, y: Any) -> Any:
        return torch.sin(x) * y

    def none(x: Any, y: Any) -> Any:
        return product(x.detach(), y.detach()) + 0 * (x + y)

    def half(x: Any, y: Any) -> Any:
        return product(x.detach(), y)

    for stopped, said in (
        (none, "f2 returns 0 for dx and dy"),
        (half, "f2 returns 0 for dx:"),
    ):
        mistake = compared(product, stopped, x=X, y=X + 1).pairs[0].mistake
        assert mistake is not None
        assert said in mistake.sentence


def test_of_many_that_are_computed_wrong_the_worst_is_told() -> None:
    found = compared(torch.sin, lambda x: torch.sin(x) * 1)
    each = found.operators["f2", "float64"]
    step = found.ran["f2", "float64"].recording.executed[0]
    failed = [Failed(step, ratio, (0, 1), 1.0, 1 + 1e-12) for ratio in (3.0, 2.0)]
    found.operators["f1", "float64"] = replace(each, failed=failed[1:])
    found.operators["f2", "float64"] = replace(each, failed=failed)
    said = wording.answer(found)
    assert said.startswith("The same function, but not computed right: f2 in float64: ")
    assert "gives 1 at [0, 1], exact is 1.000000000001: 3 times as far off" in said
    assert said.endswith("; and 2 more")


def test_of_several_that_differ_each_has_its_sentence() -> None:
    found = compared(torch.sin, torch.cos, torch.tanh)
    first, *rest = wording.report(found)
    assert first.startswith("f1 and f2 differ: out[")
    assert first.endswith("; so do f1 and f3.")
    assert first.count(" differ: ") == 1
    assert any(line.startswith("  f1 and f3 differ: out[") for line in rest)


def test_what_is_computed_for_the_backward_is_called_so() -> None:
    def steps(function: Any) -> list[str]:
        recording = compared(function, function).ran["f1", "float64"].recording
        return [each.stage for each in recording.executed]

    assert steps(jnp.sin) == ["forward", "forward, kept for the backward", "backward"]
    assert {*steps(torch.sin)} == {"forward", "backward"}


def test_steps_in_json_have_shapes() -> None:
    found = facts(compared(lambda x: x.sum(0) * 2, lambda x: x.sum(0) * 3))
    for step in json.loads(json.dumps(found))["first_difference"]["steps"].values():
        assert step["results"] == [{"shape": [3], "dtype": "float64"}]
        assert step["kept"] is False


def test_what_a_function_prints_is_shown_once(capsys: Any) -> None:
    def loud(x: Any) -> Any:
        print("a shape,", x.shape, flush=True)
        print("and more")
        return torch.sin(x)

    compared(torch.sin, loud)
    assert capsys.readouterr().out == "a shape, torch.Size([2, 3])\nand more\n"
    compared(loud, torch.sin)
    assert "and more" in capsys.readouterr().out


def test_where_there_are_no_numbers_nothing_is_the_same() -> None:
    with pytest.raises(UnusableInput, match="out and dx hold no numbers"):
        compared(torch.sin, torch.cos, x=np.zeros((0, 3)))
    found = compared(torch.sum, lambda x: torch.sum(x * 2), x=np.zeros((0, 3)))
    assert "dx holds no numbers" in found.notes


def test_where_numbers_stop_being_finite_is_told() -> None:
    def naive(x: Any) -> Any:
        e = torch.exp(x)
        return e / e.sum(-1, keepdim=True)

    right = lambda x: torch.softmax(x, -1)  # noqa: E731
    found = compared(right, naive, dtypes=("float32",), x=90 + np.abs(X))
    assert not found.same
    (told,) = [line for line in wording.report(found) if line.startswith("  range: ")]
    assert "in float32 f2 leaves the finite numbers in forward  aten::exp(v0)" in told
