"""What `gradparity grade` hands to other programs, and what it says of a whole class."""

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.records import GradedFile, Skipped
from gradparity.parity_tests.mutants import MUTANTS
from gradparity.parity_tests.suite.reports.test_cli import gradparity
from gradparity.parity_tests.suite.reports.test_grades import (
    ALL_HOSTILE,
    command,
    diagnosis,
    failing,
    graded_class,
    harmless,
    partly,
    passing,
    passing_but,
    right,
    skipped,
    unloadable,
    wrong,
)
from gradparity.reports import grade_book, grades, grades_class

__all__ = ["command"]  # a fixture

# As the format is described; "text" is shown as it is.
OF_ALL = {
    *("score", "execution_time", "output", "output_format", "test_output_format"),
    *("test_name_format", "visibility", "stdout_visibility", "extra_data", "tests"),
}
OF_A_TEST = {
    *("score", "max_score", "status", "name", "output", "output_format", "visibility"),
}


def stopped(path: str = "class/dan.py") -> GradedFile:
    """One that came to its first class and then to no end."""
    return GradedFile(
        path=path,
        status="fail",
        problem="ran longer than 5 s in Affine",
        classes=[graded_class("Relu", *right("out", "dx"))],
    )


def in_part(path: str = "class/fuji") -> GradedFile:
    """One that has a class in a file that cannot be loaded."""
    broken = Skipped(
        path="net.py", names=["TwoLayerNet"], why="cannot be loaded", kind="not loaded"
    )
    classes = [graded_class("Relu", *right("out", "dx"))]
    return GradedFile(path=path, status="fail", classes=classes, skipped=[broken])


def ungraded(path: str = "class/eri.py") -> GradedFile:
    problem = "could not be graded: OSError: No space left on device"
    return GradedFile(path=path, status="ungraded", problem=problem)


# --- A class ----------------------------------------------------------------------------


def test_what_is_no_wrong_answer_is_apart_from_wrong_answers() -> None:
    both = failing("class/ito.py").model_copy(update={"problem": "ran longer than 5 s"})
    files = [failing(), both, in_part(), stopped(), unloadable(), skipped(), ungraded()]
    assert [*map(grades_class.became, files)] == [
        *("fail", "fail", "partly", "stopped", "unloadable", "skipped", "ungraded")
    ]
    assert grades_class.without_verdict(files) == [
        "1 of 7 could be loaded in part only: fuji.",
        "1 of 7 ran too long or broke a rule: dan.py.",
        "1 of 7 cannot be loaded: broken.py.",
        "1 of 7 was passed over: aoki.ipynb.",
        "1 of 7 could not be graded: eri.py.",
    ]
    assert grades_class.class_sentence(files) == (
        "Of 7 submissions 2 are wrong, 1 could be loaded in part only, 1 ran too long or "
        "broke a rule, 1 cannot be loaded, 1 was passed over and 1 could not be graded. "
        "4 of 7 graded."
    )
    assert grades.closing(in_part()) == (
        "fuji: what could be loaded of it is right; 1 class or function could not be "
        "loaded."
    )


def test_what_to_talk_about_comes_first_and_nothing_is_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "long-name-" * 20
    files = [passing(f"class/{name}.py"), failing(), failing("class/b.py"), partly()]
    grades_class.show_all(files)
    said = capsys.readouterr().out
    heads = ("What to talk about in class", "By class and function", "Submissions\n")
    places = [said.index(each) for each in (*heads, "Found and not graded", "Of 4 ")]
    assert places[0] == 0
    assert places == sorted(places)
    assert f"\n{name}.py " in said
    assert "..." not in said.partition("Submissions\n")[2]


def test_of_much_that_is_not_graded_a_class_is_told_the_first() -> None:
    count = grades_class.TOLD + 3
    graded = passing_but({f"{k}.ipynb": "is old" for k in range(count)})
    (said,) = grades_class.found_and_not_graded([graded, passing()])
    assert said.endswith(f"{grades_class.TOLD - 1}.ipynb is old; and 3 more.")
    table = grades_class.summary_table([graded])
    assert table.rows[0][table.headers.index("not graded")] == str(count)


def test_a_known_mistake_is_told_as_what_the_class_does() -> None:
    mutant = next(m for m in MUTANTS if m.name == "mask-below-zero")
    sentences = [
        f"{before}`Relu` {mutant.predicate}"
        for before in ("", "Your `dx` is right except where x = 0. ")
    ]
    rows = [
        diagnosis("Relu", mistake=mutant.name, sentence=sentence)
        for sentence in sentences
    ]
    files = [GradedFile(path="a", status="fail", diagnosis=[row]) for row in rows]
    assert grades_class.commonest(files) == [
        f"2 of 2: `Relu` {mutant.predicate} (Relu dx: mask-below-zero)"
    ]
    alone = diagnosis(
        "Relu", mistake=mutant.name, sentence=f"Alone, {sentences[0]}", quantities=["y"]
    )
    files.append(GradedFile(path="b", status="fail", diagnosis=[alone]))
    assert grades_class.commonest(files) == [
        f"3 of 3: For instance: {sentences[0]} (Relu dx and y: mask-below-zero)"
    ]


def test_classes_and_functions_are_counted_the_hardest_first() -> None:
    without = passing().model_copy(update={"missing": ["Affine"]})
    table = grades_class.subject_table([failing(), without, partly(), unloadable()])
    assert table.headers == [
        *(
            "class or function",
            "wrong",
            "right",
            "not loaded",
            "not graded",
            "not there",
        )
    ]
    assert [row[0] for row in table.rows[:3]] == [
        *("Affine", "SoftmaxWithLoss", "TwoLayerNet")
    ]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Affine"] == ["1", "1", "", "", "1"]
    assert rows["TwoLayerNet"] == ["1", "", "", "1", ""]
    assert rows["Relu"] == ["", "3", "", "", ""]
    assert rows["Sigmoid"] == ["", "", "1", "", ""]


def test_what_it_did_not_come_to_is_not_run() -> None:
    graded = stopped().model_copy(update={"missing": ["Sigmoid"]})
    said = [grades_class.of_subject(graded, n) for n in ("Relu", "Sigmoid", "Affine")]
    assert said == ["pass", "missing", "not run"]
    assert grades_class.of_subject(unloadable(), "Relu") == ""


# --- The table --------------------------------------------------------------------------


def test_the_table_has_a_column_for_each_that_anybody_offers() -> None:
    files = [passing(), failing(), partly(), in_part(), unloadable(), ungraded()]
    files[0] = files[0].model_copy(update={"missing": ["Affine"]})
    rows = [*csv.DictReader(StringIO(grade_book.csv_text(files)))]
    names = [*rows[0]][len(grade_book.COLUMNS) :]
    assert names == [name for name in SUBJECTS if name in names]
    assert [row["Affine"] for row in rows] == ["missing", "FAIL", "pass", "", "", ""]
    assert [row["TwoLayerNet"] for row in rows] == [
        *("", "FAIL", "not graded", "not loaded", "", "")
    ]
    assert [(row["points"], row["of"]) for row in rows] == [
        *(("2", "2"), ("3", "6"), ("2", "3"), ("1", "2"), ("0", "1"), ("", ""))
    ]
    assert rows[2]["looked at"] == "common/layers.py, hw.ipynb"
    assert rows[2]["not graded"].startswith("old.ipynb, cell 2, line 4 (Relu and")
    (row,) = csv.DictReader(
        StringIO(grade_book.csv_text(files[:1], ["Relu", "Affine"]))
    )
    assert (row["points"], row["of"]) == ("1", "2")


# --- results.json -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "graded",
    [
        *(passing(), failing(), partly(), in_part(), stopped()),
        *(unloadable(), skipped(), *ALL_HOSTILE),
    ],
    ids=lambda graded: graded.status,
)
@pytest.mark.parametrize("expected", [[], ["Relu", "Sigmoid"]], ids=["", "expected"])
def test_results_are_as_the_format_wants_them(
    graded: GradedFile, expected: list[str]
) -> None:
    text = grade_book.as_json(grade_book.results(graded, expected))
    found = json.loads(text)
    assert found.keys() <= OF_ALL
    assert grade_book.MARK in text[:1000]
    assert found["tests"]
    most = 0
    for test in found["tests"]:
        assert test.keys() <= OF_A_TEST
        assert test["status"] in ("passed", "failed")
        assert test["output_format"] == "text"
        assert 0 <= test.get("score", 0) <= test.get("max_score", 0) <= 1
        most += test.get("max_score", 0)
        assert harmless(test["name"])
        assert harmless(test["output"].replace("\n", ""))
    assert found["score"] == sum(test.get("score", 0) for test in found["tests"])
    assert found["extra_data"]["max_score"] == most
    assert not expected or most == len(expected)
    assert (found["score"] == most) <= (graded.status == "pass")


def test_a_test_says_what_is_wrong_and_where() -> None:
    tests = {t["name"]: t for t in grade_book.results(failing())["tests"]}
    assert tests["Affine"]["output"].startswith("Affine dW: Your `dW` is the transpose")
    assert "-0.7311 instead of -0.1462" in tests["Affine"]["output"]
    whole, relu, affine = grade_book.results(stopped(), ["Relu", "Affine"])["tests"]
    assert whole["output"] == "It ran longer than 5 s in Affine."
    assert (relu["score"], affine["score"]) == (1, 0)
    assert affine["output"] == "Affine is expected, and it did not come to it."
    output = grade_book.results(partly())["output"]
    assert "1 more was found and not graded; 1 file was passed over." in output
    assert "ch04/two_layer_net.py, line 8 (TwoLayerNet) is chapter 4's." in output


def test_what_is_not_expected_has_no_points() -> None:
    graded = GradedFile(
        path="a.py",
        status="fail",
        classes=[
            graded_class("Relu", *right("out")),
            graded_class("Affine", wrong("dW")),
        ],
    )
    found = grade_book.results(graded, ["Relu"])
    assert (found["score"], found["extra_data"]["max_score"]) == (1, 1)
    assert [("score" in test, test["status"]) for test in found["tests"]] == [
        *((True, "passed"), (False, "failed"))
    ]


# --- The command ------------------------------------------------------------------------


def test_results_are_written(command: Callable[..., Any], tmp_path: Path) -> None:
    for _ in range(2):  # what we have written is ours to replace
        one = command([failing()], "a.py", "--results", "results.json")
        files = [passing(), failing("class/田中.py"), unloadable(), ungraded()]
        both = command(files, "class", "--results", "all", "--expect", "Relu, Affine")
    assert (one.status, both.status) == (1, 1)
    assert one.out.endswith("results.json\n")
    assert both.out.endswith("all/scores.json\n")
    assert {p.name for p in tmp_path.iterdir()} == {"results.json", "all"}
    assert json.loads((tmp_path / "results.json").read_text("utf-8"))["score"] == 3
    index = json.loads((tmp_path / "all" / "scores.json").read_text("utf-8"))
    rows = {row["path"]: row for row in index["submissions"]}
    assert [(row.get("score"), row.get("max_score")) for row in rows.values()] == [
        *((1, 2), (1, 2), (0, 2), (None, None))
    ]
    for row in rows.values():
        if place := row.get("results"):
            found = json.loads((tmp_path / "all" / place).read_text("utf-8"))
            assert found["score"] == row["score"]
    assert len([*(tmp_path / "all").iterdir()]) == 4


def test_what_cannot_be_loaded_has_results_and_what_was_not_graded_has_none(
    command: Callable[..., Any], tmp_path: Path
) -> None:
    done = command([unloadable()], "a.py", "--results", "r.json")
    assert (done.status, done.out) == (2, "r.json\n")
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    (test,) = found["tests"]
    assert (found["score"], test["status"]) == (0, "failed")
    assert "'(' was never closed" in test["output"]
    done = command([ungraded()], "a.py", "--results", "s.json")
    assert (done.status, done.out) == (2, "")
    said = "gradparity: s.json is not written, since class/eri.py could not be graded: "
    assert done.err == f"{said}OSError: No space left on device\n"
    assert [*tmp_path.iterdir()] == [tmp_path / "r.json"]


def test_an_autograder_is_told_that_nothing_was_handed_in(tmp_path: Path) -> None:
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "notes.txt").write_text("no Python")
    call = ["grade", "submission", "--one", "--results", "results.json"]
    done = gradparity(tmp_path, *call, "--expect", "Relu,Affine")
    assert (done.returncode, done.stdout) == (2, "results.json\n")
    found = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert (found["score"], found["extra_data"]["max_score"]) == (0, 2)
    assert found["tests"][0]["output"] == "It has no .py file in it."
    assert done.stderr.endswith("gradparity: submission has no .py file in it\n")
    done = gradparity(tmp_path, "grade", "nowhere", "--one", "--results", "none.json")
    assert (done.returncode, (tmp_path / "none.json").exists()) == (2, False)


def test_what_is_expected_and_absent_is_a_failure(command: Callable[..., Any]) -> None:
    absent = passing().model_copy(update={"missing": ["Affine"]})
    done = command([absent], "a.py", "--expect", "AddLayer,Affine")
    assert (done.status, done.err) == (1, "")
    assert "- Expected, and not in the submission: Affine.\n" in done.out
    said = "right.py: it is not passed; what was expected is not there: Affine.\n"
    assert done.out.endswith(said)
    done = command([absent], "a.py", "--expect", "AddLayer", "--json")
    assert (done.status, json.loads(done.out)["files"][0]["absent"]) == (0, [])


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        (
            "a.py",
            ["--results", "thesis"],
            "--results must name a new file or an earlier",
        ),
        ("a.py", ["--results", "no/r.json"], "--results: there is no folder no"),
        (
            "class",
            ["--results", "work"],
            "--results must be a new or empty directory or",
        ),
        (
            "a.py",
            ["--results", "a", "--csv", "./a"],
            "--csv and --results cannot both be",
        ),
        (
            "class",
            ["--html", "a", "--results", "a"],
            "--html and --results cannot both",
        ),
        (
            "a.py",
            ["--expect", "Relu,Linear"],
            "unknown class or function 'Linear': exp",
        ),
        ("a.py", ["--expect", ""], "unknown class or function '': expected sigmoid"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    command: Callable[..., Any],
    tmp_path: Path,
    path: str,
    options: list[str],
    sentence: str,
) -> None:
    (tmp_path / "thesis").write_text("years of work")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis").write_text("more of it")
    done = command([passing()], path, *options)
    assert (done.status, done.out, done.asked) == (2, "", [])
    assert done.err.startswith(f"gradparity: {sentence}")
    assert done.err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis", "work"]
    assert (tmp_path / "thesis").read_text() == "years of work"
