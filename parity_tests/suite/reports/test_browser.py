"""The HTML page in a real browser: what a reader sees and what the controls do.

These tests need a Chromium (`apt-get install chromium`, or CHROMIUM=path) and run only
when asked for, with `pytest -m browser`.
"""

from collections.abc import Iterator
from functools import partial
from math import isfinite
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from gradparity.parity_tests.suite import browsing
from gradparity.parity_tests.suite.reports.test_page import BAD, make, sample
from gradparity.reports.pages.report_html import COLOURS, INPUTS, SYMBOLS
from gradparity.reports.tables.gradients import gradient_rows
from gradparity.reports.tables.verdicts import SEVERITY

pytestmark = pytest.mark.browser

COLUMNS = [
    *("layer", "quantity", "dtype", "implementation", "inputs", "cases"),
    *("max_abs", "max_rel"),
    *("max_ulp", "bound_ratio", "probable_ratio", "local_ratio"),
    "max_abs_reference",
    *("verdict", "worst_case"),
]
RESULTS = sample(missing=("jax-jit",))
RESULTS.checks[1].note = BAD
ROWS = [row | {"inputs": INPUTS[row["kind"]]} for row in gradient_rows(RESULTS.checks)]
BODY = "#gradient-table tbody tr"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(make(RESULTS).page, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[browsing.Open]:
    with browsing.visits(browser) as open_page:
        yield partial(open_page, address)


def cells(page: Page, column: int) -> list[str]:
    """What a column of the visible rows says, in their order."""
    return page.locator(f"{BODY}:visible > :nth-child({column + 1})").all_inner_texts()


def keys(page: Page) -> list[tuple[str, ...]]:
    """Which rows are visible, in their order."""
    return list(zip(*(cells(page, column) for column in range(5)), strict=True))


def key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in COLUMNS[:5])


def in_order(column: str, descending: bool) -> list[tuple[str, ...]]:
    """The rows as they should be: sorted, equal ones as before, no number last."""

    def value(row: dict[str, Any]) -> Any:
        found = row[column]
        return SEVERITY.index(found) if column == "verdict" else found

    def is_last(row: dict[str, Any]) -> bool:
        found = value(row)
        return found is None or (isinstance(found, float) and not isfinite(found))

    rows = [row for row in ROWS if not is_last(row)]
    rows.sort(key=value, reverse=descending)
    return [key(row) for row in rows + [row for row in ROWS if is_last(row)]]


@pytest.mark.parametrize("column", ["layer", "max_abs", "bound_ratio", "verdict"])
@pytest.mark.parametrize("size", [browsing.PHONE, browsing.DESKTOP])
def test_a_header_sorts_up_and_down(
    visit: browsing.Open, column: str, size: tuple[int, int]
) -> None:
    page = visit(size)
    head = page.locator("#gradient-table thead th").nth(COLUMNS.index(column))
    button = head.get_by_role("button")
    assert keys(page) == [key(row) for row in ROWS]
    for press in (button.click, lambda: button.press("Enter")):
        press()
        assert head.get_attribute("aria-sort") == "ascending"
        assert keys(page) == in_order(column, descending=False)
        button.press("Space")
        assert head.get_attribute("aria-sort") == "descending"
        assert keys(page) == in_order(column, descending=True)
    button.click()
    page.locator("#gradient-table thead button").first.click()
    assert page.locator("#gradient-table [aria-sort]").count() == 1


@pytest.mark.parametrize(
    "name", ["layer", "dtype", "implementation", "inputs", "verdict"]
)
@pytest.mark.parametrize("size", [browsing.PHONE, browsing.DESKTOP])
def test_each_choice_filters(
    visit: browsing.Open, name: str, size: tuple[int, int]
) -> None:
    page = visit(size)
    choice = page.get_by_role("combobox", name=name, exact=True)
    options = choice.locator("option").all_inner_texts()
    assert options[0] == "all"
    assert set(options[1:]) == {str(row[name]) for row in ROWS}
    for option in options[1:]:
        choice.select_option(option)
        wanted = [key(row) for row in ROWS if str(row[name]) == option]
        assert keys(page) == wanted
        said = f"{len(wanted)} of {len(ROWS)} rows"
        assert page.locator("#count").inner_text() == said
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function(
        f"document.querySelectorAll('{BODY}:not([hidden])').length === {len(ROWS)}"
    )
    assert choice.input_value() == ""
    assert keys(page) == [key(row) for row in ROWS]


def test_choices_words_and_order_combine(visit: browsing.Open) -> None:
    page = visit()
    page.get_by_role("combobox", name="dtype").select_option("float32")
    page.get_by_role("combobox", name="implementation").select_option("torch")
    page.locator("#gradient-table thead button").nth(COLUMNS.index("max_abs")).click()
    words = page.get_by_role("searchbox", name="any text")
    words.fill("AFFINE dw")
    assert keys(page) == [("Affine", "dW", "float32", "torch", "typical")]
    words.fill("nothing says this")
    assert keys(page) == []
    assert page.locator("#count").inner_text() == f"0 of {len(ROWS)} rows"


def test_a_verdict_is_a_word_and_a_symbol(visit: browsing.Open) -> None:
    said = {
        tuple(text.split(maxsplit=1))
        for text in cells(visit(), COLUMNS.index("verdict"))
    }
    present = {row["verdict"] for row in ROWS}
    assert said == {(SYMBOLS[verdict], str(verdict)) for verdict in present}


@pytest.mark.parametrize("size", [browsing.PHONE, browsing.DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_or_overlaps(
    visit: browsing.Open, size: tuple[int, int], scheme: str
) -> None:
    page = visit(size, scheme)
    assert not browsing.overflows(page)
    words = "h1, h2, h3, p, li, dt, dd, th, td, label, button, figcaption"
    assert browsing.cut_off(page, words) == []
    # Headings, key numbers and controls.
    apart = "h1, header p, header li, .counts div, h2, h3, #filters label, figure > svg"
    assert browsing.overlapping(page, apart) == []


@pytest.mark.parametrize("size", [browsing.PHONE, browsing.DESKTOP])
def test_headers_stay_in_sight(visit: browsing.Open, size: tuple[int, int]) -> None:
    page = visit(size)
    table = page.locator("#gradient-table")
    box = page.get_by_role("region", name="Differences in detail")
    box.evaluate("box => { box.style.maxHeight = '12rem'; box.scrollTo(300, 200); }")
    frame = box.bounding_box()
    corner = table.locator("thead th").first.bounding_box()
    assert frame is not None
    assert corner is not None
    assert abs(corner["x"] - frame["x"]) <= 2
    assert abs(corner["y"] - frame["y"]) <= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_its_ground(visit: browsing.Open, scheme: str) -> None:
    """WCAG's contrast of 4.5 for words, 3 for what figures draw with."""
    page = visit(browsing.DESKTOP, scheme)
    ground = browsing.ground(page, scheme == "light")
    words = ["h1", "p.quiet", "a[href='#reading']", "td", "figure text", "dl .v0 dt"]
    words += [f".terms .{colour}" for colour in {*COLOURS.values()}]
    for selector in words:
        field = "fill" if "text" in selector else "color"
        assert (
            browsing.contrast(browsing.colour(page, selector, field), ground) >= 4.5
        ), selector
    drawn = page.evaluate(
        """[...new Set([...document.querySelectorAll("figure svg")]
        .flatMap((svg) => [...svg.querySelectorAll("path, use, text")])
        .filter((e) => !e.closest("defs"))
        .map((e) => getComputedStyle(e))
        .flatMap((s) => [s.fillOpacity > 0 ? s.fill : "none", s.stroke]))]
        .filter((c) => c.startsWith("rgb"))"""
    )
    assert len(drawn) > 3
    for found in drawn:
        assert browsing.contrast(browsing.rgb(found), ground) >= 3, found
