"""The figure and the tables of which step makes the error."""

from typing import Any

import pytest

from gradparity.parity_tests.checking.budgets import RANDOM
from gradparity.parity_tests.measuring.records import ErrorBudget, StepError
from gradparity.parity_tests.suite.reports.test_page import Made, Reader, make, sample
from gradparity.reports.pages import report_markdown
from gradparity.reports.results import Results
from gradparity.reports.tables.budgets import BUDGETS, NO_CLAIM, budget_tables, shown

NAMES = ("reference", "torch")


def budget(name: str, dtype: str = "float32", **changed: Any) -> ErrorBudget:
    """One of which the step dW1 makes nearly all."""
    own = NAMES.index(name) + 1
    actual = dtype == "float32"
    steps = [("dW1", 8e-6, 2e-6, -3e-8 * own), ("Affine1", 2e-6, 1e-6, 0.0)]
    row: dict[str, Any] = {
        "case": "TwoLayerNet/trained",
        "dtype": dtype,
        "implementation": name,
        "quantity": "dW1",
        "of": RANDOM,
        "value": -2.0,
        "composed": 4.0,
        "certain": 1e-5,
        "probable": 3e-6,
        "actual": 4e-8 * own,
        "steps": [
            StepError(step=s, certain=c, probable=p, actual=a if actual else None)
            for s, c, p, a in steps
        ],
    }
    return ErrorBudget(**(row | changed))


def report(*budgets: ErrorBudget) -> Results:
    found = sample()
    assert found.environment.dataset is not None
    found.environment.dataset.train = found.environment.dataset.test = 20
    found.budgets = list(budgets)
    return found


@pytest.fixture(scope="module")
def made() -> Made:
    both = [budget(name, dtype) for dtype in ("float32", "float64") for name in NAMES]
    none = [budget(n, quantity="loss", of="", certain=None) for n in NAMES]
    return make(report(*both, *none))


def test_the_tables_hold_shares_of_the_number(made: Made) -> None:
    by_step, numbers = budget_tables(made.results.budgets)
    assert by_step.headers == ["step", "certain", "probable", *NAMES]
    assert by_step.rows == [
        ["dW1", "4.0e-06", "1.0e-06", "-1.5e-08", "-3.0e-08"],
        ["Affine1", "1.0e-06", "5.0e-07", "0", "0"],
    ]
    assert "float32" in by_step.title
    assert [row[3:7] for row in numbers.rows] == [
        ["-2.0e+00", "2.0e+00", "5.0e-06", "1.5e-06"],
        ["-2.0e+00", "2.0e+00", "5.0e-06", "1.5e-06"],
        ["-2.0e+00", "2.0e+00", NO_CLAIM, "1.5e-06"],
    ]


def test_the_figure_stands_in_its_section_with_what_it_shows_in_words(
    made: Made,
) -> None:
    (figure,) = (f for f in made.figures if f.name == BUDGETS)
    for said in ("dW1: at most 4.0e-06, probably 1.0e-06", "3.0e-08 (torch)"):
        assert said in figure.alt
    page = made.page
    section = page[page.index('<section id="budgets"') :].partition("</section>")[0]
    assert section.count("<svg") == 1
    assert section.count("<table") == 2
    assert page.count(f'id="fig-{BUDGETS}"') == 1
    assert '<a href="#budgets">' in page
    assert not Reader(page).open
    markdown = report_markdown.render(made.results, made.figures)
    assert markdown.count(f"(figures/{BUDGETS}.svg)") == 1
    assert "## Which step makes the error" in markdown


def test_without_budgets_there_is_no_section() -> None:
    nothing = make(report())
    assert "budgets" not in nothing.page
    assert BUDGETS not in {figure.name for figure in nothing.figures}


def test_in_float64_alone_there_are_tables_and_no_figure() -> None:
    """For what each step lost is not known there."""
    wide = [budget(name, "float64") for name in NAMES]
    assert shown(wide) is None
    (table,) = budget_tables(wide)
    assert len(table.rows) == 1
    assert BUDGETS not in {figure.name for figure in make(report(*wide)).figures}


def test_a_bound_that_is_no_claim_is_not_drawn() -> None:
    drawn = make(report(*(budget(n, certain=None, probable=None) for n in NAMES)))
    (figure,) = (f for f in drawn.figures if f.name == BUDGETS)
    assert f"all steps: {NO_CLAIM}" in figure.alt


def test_a_number_that_is_zero_is_left_out() -> None:
    assert [*budget_tables([budget("torch", value=0.0)])] == []


def test_budgets_are_read_back(made: Made, tmp_path: Any) -> None:
    made.results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json").budgets == made.results.budgets
