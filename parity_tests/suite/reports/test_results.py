"""results.json: written, read back, refused where it is broken, and compared."""

import json
import re
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gradparity.parity_tests.catalogue.divergences import GONE
from gradparity.parity_tests.measuring.records import (
    Check,
    Summary,
    TruthCheck,
    Verdict,
    Worst,
)
from gradparity.parity_tests.suite.reports.test_page import sample
from gradparity.reports.compare import compare, tables
from gradparity.reports.results import Environment, Results, UnreadableResults
from gradparity.reports.tables.gradients import cell, gradient_rows, gradient_tables
from gradparity.reports.tables.overview import headline, problems
from gradparity.reports.tables.reference_checks import truth_tables
from gradparity.reports.tables.table import Table


def check(**changes: Any) -> Check:
    row: dict[str, Any] = {
        "scope": "layer",
        "case": "Relu/batch",
        "kind": "typical",
        "layer": "Relu",
        "quantity": "dx",
        "dtype": "float32",
        "implementation": "torch",
        "max_abs": 1e-7,
        "max_rel": 1e-7,
        "max_ulp": 1.0,
        "bound_ratio": 0.5,
        "probable_ratio": 0.5,
        "max_abs_reference": 0.0,
        "verdict": Verdict.WITHIN_BOUND,
    }
    return Check(**(row | changes))


def results(*checks: Check, **environment: Any) -> Results:
    known: dict[str, Any] = {
        "gradparity": "0.1.0",
        "python": "3.11.7",
        "numpy": "2.4.6",
        "torch": "2.13.0",
        "jax": None,
        "platform": "Linux",
        "cpu": "a processor",
        "blas": "openblas",
        "threads": {"blas": 2},
    }
    return Results(
        environment=Environment(**(known | environment)),
        checks=list(checks),
        training=[],
        divergences=[],
        summary=Summary.of(list(checks)),
    )


def test_infinity_and_nan_survive(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    infinite = check(max_abs=float("inf"), verdict=Verdict.FAIL)
    results(infinite).write(path)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert Results.read(path).checks[0].max_abs == float("inf")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "is not a JSON object"),
        (b"[]", "is not a JSON object"),
        (b"\xff\xfe", "it is not a text file"),
        (b"{}", "expected schema_version 1, got None"),
        (b'{"schema_version": 2}', "expected schema_version 1, got 2"),
        (b'{"schema_version": 1}', "environment: Field required"),
    ],
)
def test_broken_results_are_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableResults, match=expected):
        Results.read(path)


def test_fields_of_a_later_version_are_let_pass(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results(check()).write(path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["checks"][0]["added_later"] = 1
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert Results.read(path).checks[0].layer == "Relu"


def test_compare_tells_what_changed() -> None:
    before = results(check())
    after = results(
        check(max_abs=2e-3, verdict=Verdict.FAIL), torch="2.14.0", threads={"blas": 1}
    )
    found = compare(before, after)
    assert found["environment"] == [
        {"name": "torch", "before": "2.13.0", "after": "2.14.0"},
        {"name": "threads: blas", "before": 2, "after": 1},
    ]
    (verdict,) = found["verdicts"]
    assert (verdict["before"], verdict["after"]) == ("within bound", "FAIL")
    assert found["differences"][0]["after"] == "2.0e-03"
    assert [table.title for table in tables(found)] == [
        "Environment: 2 changed",
        "Verdicts: 1 changed",
        "Differences: 1 changed",
    ]
    assert not any(compare(before, before).values())


def test_compare_tells_which_divergence_is_gone() -> None:
    gone = f"{GONE}: derivative at 0, was 1.0, now 0.0, which is the truth, at x = 0.0"
    documented = check(verdict=Verdict.DOCUMENTED, note="relu-as-clip, at-nan")
    identical, failing, still = (
        check(verdict=verdict, note=note)
        for verdict, note in (
            (Verdict.IDENTICAL, gone),
            (Verdict.FAIL, gone),
            (Verdict.DOCUMENTED, f"at-nan; {gone}"),
        )
    )
    for after in (identical, failing, still):
        found = compare(results(documented), results(after))
        (row,) = found["verdicts"]
        assert (row["before"], row["after"]) == (documented.verdict, after.verdict)
        assert row["note"] == after.note
        (table,) = tables({"verdicts": found["verdicts"]})
        assert gone in table.text()
        assert not compare(results(after), results(after))["verdicts"]


def test_compare_follows_trainings_over_their_steps() -> None:
    before, after = (sample() for _ in range(2))
    torch = next(t for t in after.training if t.implementation == "torch")
    torch.losses[1] = (100, 0.91)
    torch.drift[2].max_abs *= 2
    torch.flips[1] = (100, 3)
    torch.epochs[2].test_accuracy += 0.01
    after.partings[0].step = 101
    found = compare(before, after)
    assert [row["curve"] for row in found["curves"]] == [
        "torch float64 loss",
        "torch float64 test accuracy",
        "torch float64 drift of W1",
        "torch float64 flips",
    ]
    loss = found["curves"][0]
    assert (loss["from step"], loss["most at step"], loss["points"]) == (
        *(100, 100),
        "1 of 3",
    )
    assert (loss["before"], loss["after"]) == (0.9, 0.91)
    changed = {row["quantity"]: row for row in found["training"]}
    assert {
        "torch float64 test accuracy",
        "torch float64 largest drift",
        "torch float64 flips",
        "torch float32 parting (first)",
    } == changed.keys()
    assert changed["torch float64 flips"]["after"] == "3"
    parted = changed["torch float32 parting (first)"]
    assert parted["before"] == "step 100, sample 4, unit 2"
    assert parted["after"] == "step 101, sample 4, unit 2"
    assert all(table.text() for table in tables(found))


def test_a_row_takes_the_worst_of_its_cases() -> None:
    rows = gradient_rows(
        [
            check(),
            check(case="Relu/vector", max_abs=3e-7, bound_ratio=0.9),
            check(case="Relu/kink", max_abs=1.0, verdict=Verdict.DOCUMENTED),
            check(case="Relu/integers", kind="invalid", quantity="refusal"),
        ]
    )
    (row,) = rows
    assert row["cases"] == 3
    assert row["max_abs"] == 3e-7
    assert row["worst_case"] == "Relu/vector"
    assert row["verdict"] == Verdict.DOCUMENTED
    assert cell(row) == "3.0e-07 0.9/0.5 documented"


def test_special_inputs_do_not_hide_typical_ones() -> None:
    huge = {"kind": "edge", "case": "Relu/huge", "max_abs": 1e292}
    identical = {"verdict": Verdict.IDENTICAL, "implementation": "jax"}
    checks = [
        *(check(), check(dtype="float64"), check(**huge)),
        *(check(**identical), check(**huge | identical)),
    ]
    (single, double), (special,) = (
        list(gradient_tables(checks, kind)) for kind in ("typical", "edge")
    )
    assert single.title == "Gradient differences, float32"
    assert single.headers == ["layer", "quantity", "torch", "jax"]
    assert single.rows == [["Relu", "dx", "1.0e-07 0.5", "="]]
    assert double.rows == [["Relu", "dx", "1.0e-07 0.5"]]
    assert special.title == "Special inputs, float32"
    assert special.rows == [["Relu", "dx", "1.0e+292 0.5", "="]]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{"verdict": Verdict.IDENTICAL}], "="),
        # As the truth itself, but not as the reference, which is a bit away from it.
        ([{"max_abs": 0.0, "bound_ratio": 0.0, "probable_ratio": 0.0}], "0 0"),
        ([{"verdict": Verdict.DOCUMENTED, "max_abs": 0.5}], "documented"),
        (
            [{"verdict": Verdict.DOCUMENTED}, {"verdict": Verdict.IDENTICAL}],
            "= documented",
        ),
        ([{"verdict": Verdict.DOCUMENTED}, {}], "1.0e-07 0.5 documented"),
        ([{"verdict": Verdict.IDENTICAL}, {}], "1.0e-07 0.5"),
        ([{"verdict": Verdict.MISSING, "bound_ratio": None}], "missing"),
        (
            [{"verdict": Verdict.FAIL, "bound_ratio": 3.0}, {}],
            "FAIL 1.0e-07 (3 x bound)",
        ),
        ([{"bound_ratio": None}], "within bound"),
    ],
)
def test_a_cell_shows_as_equal_only_what_is(
    changes: list[dict[str, Any]], expected: str
) -> None:
    (row,) = gradient_rows(check(**each) for each in changes)
    assert cell(row) == expected


def test_results_are_written_one_record_a_line() -> None:
    found = sample()
    text = found.text()
    assert json.loads(text) == json.loads(found.model_dump_json())
    assert Results.model_validate_json(text).text() == text
    written = [line.strip().rstrip(",") for line in text.splitlines()]
    for record in [*found.checks, *found.divergences, *found.truth]:
        assert json.dumps(json.loads(record.model_dump_json())) in written
    training = found.training[0]
    for element in [*training.epochs, *training.drift]:
        assert json.dumps(json.loads(element.model_dump_json())) in written
    for pair in training.losses:
        assert json.dumps(pair) in written
    assert '"python": "3"' in written
    changed = found.model_copy(deep=True)
    changed.checks[3].max_abs = 0.25
    after = changed.text().splitlines()
    assert sum(a != b for a, b in zip(text.splitlines(), after, strict=True)) == 1


def test_headline_says_whether_they_agree() -> None:
    agree = results(check(), check(implementation="reference"))
    assert str(headline(agree)).startswith("NumPy and PyTorch agree: 2 of 2 checks")
    wrong = results(check(verdict=Verdict.FAIL), check(implementation="jax"))
    assert str(headline(wrong)).startswith(
        "PyTorch and JAX do not agree: Relu dx in float32"
    )
    alone = results(check(implementation="reference"))
    assert str(headline(alone)).startswith("Only NumPy was there")


def test_a_reference_that_is_not_what_mathematics_says_is_a_problem() -> None:
    found = results(check())
    right = TruthCheck(
        method="mpmath",
        layer="Relu",
        case="Relu/small",
        quantity="dx",
        dtype="float32",
        elements=12,
        mean_abs=0.1,
        max_abs=0.5,
        max_ulp=9.0,
        bound_ratio=0.25,
        worst=Worst(index=[0], value=1.5, truth=1.0),
        verdict=Verdict.WITHIN_BOUND,
    )
    wrong = right.model_copy(update={"bound_ratio": 4.0, "verdict": Verdict.FAIL})
    found.truth = [right]
    assert not problems(found)
    assert "1 of 1 tensors of the reference are confirmed (mpmath)" in str(
        headline(found)
    )
    found.truth = [right, wrong]
    assert problems(found) == [
        "the reference's Relu dx in float32 is 4 bounds from what the method 'mpmath' "
        "finds (Relu/small)"
    ]
    ((_, table),) = truth_tables(found.truth)
    assert table.rows == [["Relu", "dx", "FAIL 5.0e-01 4.00"]]


def test_tables_escape_what_would_break_them() -> None:
    table = Table("t", ["a"], [["x|y"]])
    assert r"x\|y" in table.markdown()
    assert "x|y" in table.text()


@pytest.mark.parametrize("width", range(20, 60))
def test_a_terminal_cuts_nothing_and_breaks_words_only_where_it_must(
    width: int,
) -> None:
    headers = ["quantity", "torch-composed", "jax-jit"]
    rows = [["out", "2.3e-15 0.04 documented", "="], ["dW", "=", "3.5e-18 0.99"]]
    screen = StringIO()
    Table("Affine", headers, rows).print(
        Console(file=screen, width=width, force_terminal=True, no_color=True)
    )
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    given = " ".join(["Affine", *headers, *rows[0], *rows[1]])
    drawn = Counter("".join(lines)) - Counter({" ": 10**6, "─": 10**6})
    assert drawn == Counter("".join(given.split()))
    longest = len("quantity") + len("documented") + len("3.5e-18")
    if width >= longest + 2 * 3:
        for word in given.replace("-c", "- c").replace("-j", "- j").split():
            assert any(word in line for line in lines), word


def on_screen(table: Table, width: int) -> list[str]:
    screen = StringIO()
    table.print(Console(file=screen, width=width, force_terminal=True, no_color=True))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
    return [" ".join(line.split()) for line in lines]


def test_a_table_that_is_too_wide_is_shown_row_by_row_where_it_may_be() -> None:
    rows = [["aten::native_layer_norm", "norms.py:9", ""], ["aten::mm", "", ""]]
    table = Table("t", ["operator", "line", "none"], rows, records=True)
    table = table.without_empty()
    assert table.headers == ["operator", "line"]
    assert "aten::native_layer_norm norms.py:9" in on_screen(table, 36)
    records = ["operator aten::native_layer_norm", "line norms.py:9", ""]
    assert on_screen(table, 35)[2:6] == [*records, "operator aten::mm"]


def test_a_parting_that_no_relu_explains_is_a_problem() -> None:
    found = sample()
    assert problems(found) == []
    found.partings[0].verified = False
    (problem,) = problems(found)
    assert "no ReLU explains it" in problem
