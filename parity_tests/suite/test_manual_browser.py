"""The manual in a real browser: on a phone and on a desktop, by day and by night."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gradparity.parity_tests.suite.browsing import (
    DESKTOP,
    PHONE,
    Open,
    colour,
    cut_off,
    luminance,
    overflows,
    violations,
    visits,
)
from gradparity.reports.explain import manual
from gradparity.reports.explain.wording import LANGUAGES

pytestmark = pytest.mark.browser
DOCS = (
    next(p for p in Path(__file__).parents if (p / "pyproject.toml").is_file()) / "docs"
)
SEEN_AS: list[tuple[tuple[int, int], Any]] = [(PHONE, "light"), (DESKTOP, "dark")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manual")
    for name, html in manual.site(
        DOCS, dict.fromkeys(LANGUAGES, ""), report=True
    ).items():
        (folder / name).write_text(html, encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    with visits(browser) as open_page:
        yield open_page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_fits_and_loads_nothing(visit: Open, site: Path, lang: str) -> None:
    for name in sorted(path.name for path in site.glob("*.html")):
        if name.endswith(".ja.html") == (lang == "ja"):
            page = visit((site / name).as_uri(), PHONE)
            for (width, height), scheme in SEEN_AS:
                page.set_viewport_size({"width": width, "height": height})
                page.emulate_media(color_scheme=scheme)
                assert not overflows(page), name
                cut = cut_off(page, "h1, h2, p, li, td, th, figcaption")
                assert cut == [], name
                ground = colour(page, "html", "backgroundColor")
                assert (luminance(ground) > 0.5) == (scheme == "light"), name


@pytest.mark.parametrize(("size", "scheme"), SEEN_AS, ids=["phone", "desktop"])
def test_axe_finds_nothing(
    visit: Open, site: Path, size: tuple[int, int], scheme: str
) -> None:
    for name in ("index.html", "grade.ja.html", "implementations.html", "json.html"):
        page = visit((site / name).as_uri(), size, scheme)
        assert violations(page) == [], name


def test_one_goes_from_page_to_page_and_to_the_other_language(
    browser: Browser, site: Path
) -> None:
    page = browser.new_page()
    page.goto((site / "check.html").as_uri())
    heading = page.get_by_role("heading", level=1)
    page.locator("a[rel=next]").click()
    expect(heading).to_have_text("check --edges: where they part")
    page.get_by_role("link", name="日本語").click()
    expect(heading).to_have_text("check --edges：食い違うところ")
    page.get_by_role("navigation", name="目次").get_by_text("インストール").click()
    expect(heading).to_have_text("インストール")
    page.get_by_role("link", name="English").click()
    expect(heading).to_have_text("Installation")
    page.close()


@pytest.mark.parametrize(
    ("size", "side"), [(PHONE, False), (DESKTOP, True)], ids=["phone", "desktop"]
)
def test_the_contents_stand_beside_the_page_or_below_it(
    visit: Open, site: Path, size: tuple[int, int], side: bool
) -> None:
    page = visit((site / "bounds.html").as_uri(), size)
    main: Any = page.locator("main").bounding_box()
    contents: Any = page.locator("#contents").bounding_box()
    assert (contents["x"] + contents["width"] <= main["x"]) == side
    assert (contents["y"] >= main["y"] + main["height"]) == (not side)
    assert page.locator(".to-contents").is_visible() == (not side)
    assert page.locator("[aria-current=page]").inner_text().startswith("How to read")
