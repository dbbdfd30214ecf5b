"""The page of functions that were compared in a real browser: that it can be read, and
walked through with keys.

Run with `pytest -m browser`, as all tests that need a Chromium.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from gradparity.parity_tests.suite import browsing
from gradparity.parity_tests.suite.reports.test_functions_page import BAD, page

pytestmark = pytest.mark.browser

PHONE = (390, 844)
PAGES = {
    "differ": ("mine", "theirs"),
    "same": ("mine", "again"),
    "three": ("mine", "again", "theirs"),
    "many": ("many", "many_more"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("functions")
    for name, functions in PAGES.items():
        (path / f"{name}.html").write_text(page(*functions), encoding="utf-8")
    bad = page("mine", "theirs", called=(f"f.py:{BAD}", "g.py:" + "b" * 80))
    (path / "bad.html").write_text(bad, encoding="utf-8")
    return path


@pytest.fixture
def visit(browser: Browser, folder: Path) -> Iterator[browsing.Open]:
    with browsing.visits(browser) as open_page:
        yield lambda name, *seen_as: open_page(
            (folder / f"{name}.html").as_uri(), *seen_as
        )


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        *(
            (name, size, scheme)
            for name in ("differ", "same", "three")
            for size, scheme in ((PHONE, "dark"), (browsing.DESKTOP, "light"))
        ),
        ("differ", PHONE, "light"),
        ("differ", browsing.DESKTOP, "dark"),
        ("bad", PHONE, "light"),
    ],
)
def test_a_page_can_be_read(
    visit: browsing.Open, name: str, size: tuple[int, int], scheme: str, opened: bool
) -> None:
    page = visit(name, size, scheme)
    if opened:
        for button in page.get_by_role("button", name="Open every step").all():
            button.click()
    assert not browsing.overflows(page)
    words = "h1, h2, h3, h4, p, li, dt, dd, tbody th, td, button, .box, .heads span"
    if size == browsing.DESKTOP:  # on a phone every cell has its head
        words += ", thead th"
    assert browsing.cut_off(page, words) == []
    apart = "h1, header > p, .counts div, h2, .group > .step .box, .fold[open] .box"
    opens = "details[open] .step[open] .told, .group > .step[open] .told"
    assert browsing.overlapping(page, f"{apart}, {opens}") == []
    browsing.ground(page, scheme == "light")
    assert browsing.violations(page) == []


def test_the_answer_is_seen_first_and_in_words(visit: browsing.Open) -> None:
    for name, said in {
        "differ": "✗ Not the same function",
        "same": "✓ The same function",
    }.items():
        line = visit(name, PHONE).locator(".verdict-line")
        assert line.inner_text() == said
        box = line.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < PHONE[1]


def test_on_a_desktop_the_whole_width_is_used(visit: browsing.Open) -> None:
    page = visit("differ", browsing.DESKTOP)
    for selector in (".finding", ".group", "#rounding .wide", "#operators .wide"):
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        assert box["width"] > 0.9 * browsing.DESKTOP[0]


def test_on_a_phone_a_row_is_a_card_in_which_every_number_has_its_head(
    visit: browsing.Open,
) -> None:
    for name in ("differ", "same"):
        page = visit(name, PHONE)
        for table in page.locator(".wide").all():
            assert table.evaluate("e => e.scrollWidth <= e.clientWidth")
        heads = page.locator("#rounding thead").first.locator("th").all_inner_texts()
        cells = page.locator("#rounding tbody tr").first.locator("td")
        said = cells.evaluate_all("all => all.map(e => e.dataset.label)")
        assert said == heads[1:]
        label = "e => getComputedStyle(e, '::before').content"
        assert cells.nth(1).evaluate(label) == f'"{said[1]}"'


def test_joined_steps_stand_side_by_side(visit: browsing.Open) -> None:
    for size in (PHONE, browsing.DESKTOP):
        page = visit("differ", size)
        first, other = page.locator(".step.differ .box").all()
        one, two = first.bounding_box(), other.bounding_box()
        assert one is not None
        assert two is not None
        assert one["y"] == two["y"]
        assert one["x"] + one["width"] < two["x"]
        assert "first to differ" in first.inner_text()


def test_steps_are_walked_through_with_keys(visit: browsing.Open) -> None:
    page = visit("differ")
    summary = page.locator(".step.differ > summary")
    told = page.locator(".step.differ .open")
    assert not told.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    assert told.is_visible()
    said = told.inner_text()
    assert "root = torch.sqrt(variance + 1e-5)" in said
    assert "aten::add(v5, 1e-06)" in said
    assert "furthest apart by 9e-06" in said
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the step that the first operand comes of
    opened = page.locator(".step[open]")
    opened.nth(1).wait_for()  # the address changes first
    assert opened.count() == 2
    assert opened.first.evaluate("e => e.contains(document.activeElement)")


def test_what_is_folded_unfolds(visit: browsing.Open) -> None:
    page = visit("many")
    fold = page.locator(".fold").first
    assert not fold.locator(".step").first.is_visible()
    fold.locator("> summary").press("Enter")
    assert fold.locator(".step").count() == 37
    assert fold.locator(".step").last.is_visible()


def test_without_scripts_it_is_all_there(browser: Browser, folder: Path) -> None:
    with browsing.visits(browser) as open_page:
        address = (folder / "differ.html").as_uri()
        page = open_page(address, java_script_enabled=False)
        assert page.locator(".buttons").first.is_hidden()
        page.locator(".step.differ > summary").click()
        assert page.locator(".step.differ .open").is_visible()


def test_on_paper_it_is_black_and_not_wider(visit: browsing.Open) -> None:
    page = visit("differ", (720, 1000), "dark")
    page.emulate_media(media="print")
    assert not browsing.overflows(page)
    for selector in (".verdict-line", ".box", ".state", "td"):
        ink = browsing.colour(page, selector, "color")
        assert browsing.contrast(ink, [1, 1, 1]) >= 4.5
