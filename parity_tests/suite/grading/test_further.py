"""What is further in the course: what is right passes, and each mistake is named."""

import pytest

from gradparity.parity_tests.grading.course import SUBJECTS, subject_of
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.mutants import MUTANTS, OF_THE_COURSE, Mutant
from gradparity.parity_tests.suite.grading.test_grading import (
    graded,
    offered_by,
    ran,
    warned,
)
from gradparity.parity_tests.suite.support import SUBMISSIONS

FURTHER = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((SUBMISSIONS / "further").glob("*.py"))
}


@pytest.mark.parametrize("name", FURTHER)
def test_what_is_right_passes(name: str) -> None:
    found = graded(FURTHER[name])
    assert found.status == "pass", found.diagnosis
    assert found.warnings == found.diagnosis == []
    for each in found.classes:
        for row in each.quantities:
            assert row.cases > 0
            assert row.bound_ratio is not None
            assert row.bound_ratio <= 1


def test_all_of_it_is_tried() -> None:
    tried = {name for source in FURTHER.values() for name in offered_by(source)}
    planted = {mutant.layer for mutant in OF_THE_COURSE}
    assert {mutant.layer for mutant in OF_THE_COURSE} <= tried
    assert len(planted) >= 9


def test_nobody_is_told_that_he_does_not_have_it() -> None:
    found = graded("def relu(x):\n    return x * (x > 0)\n")
    assert found.status == "pass"
    assert not any(SUBJECTS[name].further for name in found.missing)


@pytest.mark.parametrize("mutant", OF_THE_COURSE, ids=lambda m: f"{m.layer}-{m.name}")
def test_a_planted_mistake_is_named(mutant: Mutant) -> None:
    found = judge("", ran({mutant.layer: mutant.definition}))
    assert found.status == "fail"
    (named,) = found.diagnosis
    assert (named.mistake, named.known) == (mutant.name, True)
    assert mutant.sentence[1:] in named.sentence


def test_the_catalogue_of_the_course() -> None:
    assert not {m.name for m in MUTANTS} & {m.name for m in OF_THE_COURSE}
    for mutant in OF_THE_COURSE:
        assert SUBJECTS[mutant.layer].further
        assert mutant.sentence[0].isupper(), mutant.name
        assert mutant.sentence.endswith("."), mutant.name


@pytest.mark.parametrize(
    ("name", "is_class", "subject"),
    [
        ("step_func", False, "step_function"),
        ("ReLU", False, "relu"),
        ("num_diff", False, "numerical_diff"),
        ("MSE", False, "mean_squared_error"),
        ("im2Col", False, "im2col"),
    ],
)
def test_it_is_known_by_the_names_that_people_use(
    name: str, is_class: bool, subject: str
) -> None:
    found = subject_of(name, is_class=is_class)
    assert found is not None
    assert found.name == subject


# --- Functions ------------------------------------------------------------------------


def mistake_in(source: str) -> list[str | None]:
    return [d.mistake for d in graded("import numpy as np\n" + source).diagnosis]


def test_a_step_function_of_numbers_alone_is_one() -> None:
    found = graded(
        "def step_function(x):\n    if x > 0:\n        return 1\n    return 0\n"
    )
    assert found.status == "pass"
    assert warned(found) == {("step_function", "arrays")}


@pytest.mark.parametrize(
    "value", ["0.5 * {}.sum()", "{}.mean()", "{}.sum() / 2 / len(y)"]
)
def test_a_mean_squared_error_is_any_that_goes_by_that_name(value: str) -> None:
    error = f"(y, t):\n    return {value.format('((y - t) ** 2)')}\n"
    assert graded("def mean_squared_error" + error).status == "pass"
    is_sum = graded("def sum_squared_error" + error).status == "pass"
    assert is_sum == value.startswith("0.5")


def test_arguments_of_im2col_are_given_by_their_names() -> None:
    inner = FURTHER["functions"].replace("def im2col", "def inner")
    source = inner + (
        "def im2col(x, pad, stride, FW, FH):\n"
        "    return inner(x, FH, FW, stride, pad)\n"
    )
    found = judge("", ran({"im2col": offered_by(source)["im2col"]}))
    assert found.status == "pass", found.diagnosis


def test_known_mistakes_in_functions_are_named_as_they_are_written() -> None:
    assert mistake_in("def relu(x):\n    return np.abs(x)\n") == [
        "absolute-value-taken"
    ]
    assert mistake_in(
        "def numerical_diff(f, x):\n    return (f(x + 1e-4) - f(x - 1e-4)) / 2 * 1e-4\n"
    ) == ["divided-and-then-multiplied"]
    source = FURTHER["functions"].replace("fw] += next", "fw] = next")
    found = judge("", ran({"col2im": offered_by(source)["col2im"]}))
    assert [d.mistake for d in found.diagnosis] == [
        "overlaps-overwritten-by-later-places"
    ]
