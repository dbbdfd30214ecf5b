"""A Chromium for the tests of pages, and what these look for on every page.

Whoever opens a page through `visits` also finds out at the end whether it was quiet: no
console message, no error, no request but for the page itself.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]
PHONE, DESKTOP = (360, 740), (1280, 900)
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
Open = Callable[..., Page]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium as it is installed, or as CHROMIUM names it.

    Raises LookupError with what to do where there is none.
    """
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]
    found = next(filter(None, candidates), None)
    if found is None or not Path(found).exists():
        raise LookupError(
            "The browser tests need Chromium, and there is none: install Debian's with "
            "`apt-get install chromium`, or name one with CHROMIUM=/path/to/chromium."
        )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield launched
        launched.close()


@contextmanager
def visits(browser: Browser) -> Iterator[Open]:
    """Opens pages; afterwards: was there an error, was anything else asked for?"""
    troubles: list[str] = []
    requests: list[str] = []
    addresses = set()
    pages = []

    def open_page(
        address: str,
        size: tuple[int, int] = DESKTOP,
        scheme: Any = "light",
        **options: Any,
    ) -> Page:
        width, height = size
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",  # there is no waiting until it has scrolled
            **options,
        )
        page.set_default_timeout(10_000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        addresses.add(address)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not troubles
    assert {url for url in requests if not url.startswith("data:")} == addresses


# --- Nothing is cut off ---------------------------------------------------------------


def overflows(page: Page) -> bool:
    """Whether the page as a whole is wider than what it is seen through."""
    width = "document.scrollingElement.{}Width"
    return bool(page.evaluate(f"{width.format('scroll')} > {width.format('client')}"))


def cut_off(page: Page, selector: str, above: float = 1) -> list[str]:
    """Text that is wider or higher than its box, unless the box scrolls; `above` is how
    many pixels higher it may be.
    """
    found: list[str] = page.evaluate(
        """([selector, above]) => [...document.querySelectorAll(selector)]
        .filter((e) => e.clientWidth && !/auto|scroll/.test(getComputedStyle(e).overflow)
            && (e.scrollWidth > e.clientWidth + 1
            || e.scrollHeight > e.clientHeight + above))
        .map((e) => e.outerHTML.slice(0, 120))""",
        [selector, above],
    )
    return found


def overlapping(page: Page, selector: str) -> list[str]:
    """What lies on one another, of what a page shows without anything inside another."""
    found: list[str] = page.evaluate(
        """(selector) => {
        const all = [...document.querySelectorAll(selector)];
        const boxes = all.map((e) => e.getBoundingClientRect());
        const on = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
            && a.top < b.bottom - 1 && b.top < a.bottom - 1;
        return all.flatMap((e, i) => boxes.slice(i + 1).filter((b) => on(boxes[i], b))
            .map(() => e.outerHTML.slice(0, 120)));
        }""",
        selector,
    )
    return found


# --- Colours --------------------------------------------------------------------------


def colour(page: Page, selector: str, field: str) -> list[float]:
    script = f"e => getComputedStyle(e).{field}"
    return rgb(page.locator(selector).first.evaluate(script))


def rgb(text: str) -> list[float]:
    return [float(part) / 255 for part in re.findall(r"[\d.]+", text)[:3]]


def luminance(colour: list[float]) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ground(page: Page, is_light: bool) -> list[float]:
    """The colour behind everything, after it has been seen to be a light or a dark one."""
    found = colour(page, "html", "backgroundColor")
    assert (luminance(found) > 0.5) == is_light
    return found


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def violations(page: Page) -> list[Any]:
    """What axe finds, of levels A and AA: the rule, the element, and what is wrong."""
    options = {"resultTypes": ["violations"], "runOnly": LEVELS}
    found = Axe().run(page, options=options).response
    assert found["testEngine"]["name"] == "axe-core"
    return [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
