"""Pages of gradings in a real browser: what is handed back to a student, and the class.

Run with `pytest -m browser`, as all tests that need a Chromium.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.suite import browsing
from gradparity.parity_tests.suite.reports.test_grades import (
    ALL_HOSTILE,
    failing,
    hostile,
    partly,
    passing,
    unloadable,
)
from gradparity.reports.pages import grading_html

pytestmark = pytest.mark.browser

SEEN_AS = [
    (size, scheme)
    for size in (browsing.PHONE, browsing.DESKTOP)
    for scheme in ("light", "dark")
]
BODY = "#gradient-table tbody tr"


def everything() -> GradedFile:
    """A submission that passes, fails and is warned, and says bad things all over."""
    bad = hostile("class/<script>alert(1);.py")
    return bad.model_copy(
        update={"absent": [], "skipped": []}
        | {
            name: getattr(failing(), name) + getattr(bad, name)
            for name in ("classes", "diagnosis", "warnings", "missing")
        }
    )


CLASS = [
    passing("class/ueda.py"),
    failing("class/aoki"),
    unloadable("class/mori.py"),
    partly(f"class/{'a-long-name-' * 9}"),
    *ALL_HOSTILE,
]
PAGES = {
    "everything": everything(),
    "right": passing(),
    "broken": unloadable(),
    "partly": partly(),
    "hostile": hostile("class/<script>alert(1);.py"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page for each of PAGES, and `class/`."""
    path = tmp_path_factory.mktemp("graded")
    for name, graded in PAGES.items():
        grading_html.write(path / f"{name}.html", [graded], None)
    grading_html.write(path / "class", CLASS, "class of <b>2024")
    return path


@pytest.fixture
def visit(browser: Browser, folder: Path) -> Iterator[browsing.Open]:
    """Opens a page by its name, and finds out at the end whether all were quiet."""
    with browsing.visits(browser) as open_page:
        yield lambda name, *seen_as: open_page(
            (folder / f"{name}.html").as_uri(), *seen_as
        )


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        *(("everything", *seen_as) for seen_as in SEEN_AS),
        ("class/index", *SEEN_AS[0]),
        ("class/index", *SEEN_AS[3]),
        ("broken", *SEEN_AS[1]),
        ("partly", *SEEN_AS[1]),
        ("hostile", *SEEN_AS[0]),
        # These hold nothing that the others do not.
        *(
            pytest.param(name, *seen_as, marks=pytest.mark.deep)
            for name in ("class/index", "right", "broken")
            for seen_as in SEEN_AS
        ),
    ],
)
def test_a_page_can_be_read(
    visit: browsing.Open, name: str, size: tuple[int, int], scheme: str
) -> None:
    page = visit(name, size, scheme)
    assert not browsing.overflows(page)
    words = "h1, h2, h3, p, li, dt, dd, th, td, label, button, figcaption"
    assert browsing.cut_off(page, words) == []
    apart = "h1, header > p, .counts div, h2, .findings li, .warned li, #filters label"
    assert browsing.overlapping(page, apart) == []
    browsing.ground(page, scheme == "light")
    assert browsing.violations(page) == []


def test_the_verdict_is_seen_first_and_in_words(visit: browsing.Open) -> None:
    for name, said in {
        "everything": "✗ 4 of 7 classes and functions are wrong",
        "right": "✓ All 2 classes and functions are right",
        "broken": "✗ It cannot be loaded",
        "partly": "✓ All 2 classes and functions that were graded are right; 2 classes and "
        "functions could not be loaded; 1 more was found and not graded; 1 file was passed "
        "over",
    }.items():
        line = visit(name, browsing.PHONE).locator(".verdict-line")
        assert line.inner_text() == said
        box = line.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < browsing.PHONE[1]


def test_every_class_is_a_section_with_its_verdict(visit: browsing.Open) -> None:
    page = visit("everything")
    for one in everything().classes[:6]:
        section = page.get_by_role("region", name=f"{one.name} {one.verdict}")
        rows = section.locator("tbody tr")
        said = [row.locator("td").first.inner_text() for row in rows.all()]
        marks = {"pass": "✓ pass", "FAIL": "✗ FAIL"}
        assert said == [marks[row.verdict] for row in one.quantities]
    link = page.locator(".overview").get_by_role("link", name="SoftmaxWithLoss")
    link.click()
    assert page.locator("h3:target, section:target").is_visible()


def test_what_is_wrong_says_what_to_reread(visit: browsing.Open) -> None:
    page = visit("everything", browsing.PHONE)
    first = page.locator(".findings li").first
    assert first.locator(".finding code").all_inner_texts() == [
        *("dx", "SoftmaxWithLoss.backward", "batch_size")
    ]
    assert "slide 46, SoftmaxWithLoss" in first.locator(".reread").inner_text()


def test_where_things_are_and_what_is_not_graded_is_said(visit: browsing.Open) -> None:
    page = visit("partly", browsing.PHONE)
    relu = page.get_by_role("region", name="Relu pass")
    assert relu.locator(".beside").inner_text() == "ReLU in hw.ipynb, cell 3, line 2"
    assert relu.locator("tbody .verdict").all_inner_texts() == ["✓ pass", "○ not run"]
    left_out = page.get_by_role("region", name="Found and not graded")
    assert left_out.locator("li").count() == len(partly().skipped)
    assert page.locator(".looked-at code").all_inner_texts() == partly().looked_at
    folded = page.locator(".of-the-book li")
    assert not folded.first.is_visible()
    page.locator(".of-the-book summary").click()
    assert folded.first.is_visible()


@pytest.mark.parametrize("name", ["partly", "class/index"])
def test_on_a_phone_every_row_is_a_card(visit: browsing.Open, name: str) -> None:
    page = visit(name, browsing.PHONE)
    for table in page.locator(".wide").all():
        assert table.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    cell = page.locator("tbody td[data-label]:not(:has(.verdict))").first
    assert cell.evaluate("e => getComputedStyle(e, '::before').content") == (
        f'"{cell.get_attribute("data-label")}"'
    )


def test_on_paper_it_is_black_and_all_there(visit: browsing.Open) -> None:
    page = visit("everything", (720, 1000), "dark")
    page.emulate_media(media="print")
    assert not browsing.overflows(page)
    for selector in (".verdict-line", ".finding", ".verdict", "td", "p.quiet"):
        assert (
            browsing.contrast(browsing.colour(page, selector, "color"), [1, 1, 1])
            >= 4.5
        )
    for table in page.locator("section.class .wide").all():
        assert table.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    assert page.locator(".source code").evaluate(
        "e => getComputedStyle(e).whiteSpace.startsWith('pre-wrap')"
    )


# --- The class ------------------------------------------------------------------------


def column(page: Page, number: int) -> list[str]:
    """What a column of the visible rows says, in their order."""
    return page.locator(f"{BODY}:visible > :nth-child({number})").all_inner_texts()


@pytest.mark.parametrize("size", [browsing.PHONE, browsing.DESKTOP])
def test_the_class_sorts(visit: browsing.Open, size: tuple[int, int]) -> None:
    page = visit("class/index", size)
    names = column(page, 1)
    assert names[:3] == ["ueda.py", "aoki", "mori.py"]
    sort = partial(page.locator("#gradient-table thead button").nth)
    sort(0).click()
    assert column(page, 1) == sorted(names)
    sort(0).press("Enter")
    assert column(page, 1) == sorted(names, reverse=True)
    sort(1).click()
    said = column(page, 2)
    assert (said[:2], said[-1]) == (["✓ right"] * 2, "✗ cannot be loaded")
    assert set(said[2:-1]) == {"✗ wrong"}
    sort(6).click()
    sort(6).click()
    assert [text.strip() for text in column(page, 7)[:2]] == ["2", "1"]


def test_the_class_is_filtered_and_leads_to_its_pages(
    visit: browsing.Open, folder: Path
) -> None:
    page = visit("class/index")
    page.get_by_role("searchbox", name="any text").fill("mean-forgotten")
    assert column(page, 1) == ["aoki"]
    assert page.locator("#count").inner_text() == f"1 of {len(CLASS)} rows"
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("combobox", name="verdict").select_option("cannot be loaded")
    assert column(page, 1) == ["mori.py"]
    address: Any = page.get_by_role("link", name="mori.py").get_attribute("href")
    led = visit(f"class/{address.removesuffix('.html')}")
    assert led.locator("h1").inner_text() == "mori.py"
    assert (folder / "class" / address).is_file()
