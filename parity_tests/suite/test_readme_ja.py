"""The README in Japanese says what the English one says.

Nobody can test a translation, but what need not be translated can be compared: the
headings' levels, the code, the names in each section, and where the links lead.
"""

import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gradparity.parity_tests.suite.support import ROOT

ENGLISH, JAPANESE = READMES = ("README.md", "README.ja.md")


@cache
def tokens(readme: str) -> list[Token]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    return MarkdownIt("commonmark").enable("table").parse(text)


def inline(parents: list[Token]) -> Iterator[Token]:
    """What paragraphs, headings and cells are made of: text, code, links, pictures."""
    for token in parents:
        yield from token.children or []


def code_blocks(readme: str) -> list[tuple[str, str]]:
    """The language, if it has one, and the text of each, fenced or indented."""
    blocks = [t for t in tokens(readme) if t.type in ("fence", "code_block")]
    return [(t.info, t.content) for t in blocks]


def headings(readme: str) -> list[tuple[str, str]]:
    """Level and text of each, as h1 and gradparity."""
    pairs = zip(tokens(readme), tokens(readme)[1:], strict=False)
    return [(a.tag, b.content) for a, b in pairs if a.type == "heading_open"]


def names(readme: str) -> list[set[str]]:
    """What stands in code type in the prose, section by section."""
    sections: list[set[str]] = [set()]
    for token in tokens(readme):
        if token.type == "heading_open":
            sections.append(set())
        found = [t for t in inline([token]) if t.type == "code_inline"]
        sections[-1] |= {t.content for t in found}
    return sections


def blocks(readme: str) -> list[str]:
    """What it is made of, but for the line that leads to the other language."""
    opened = [t.tag for t in tokens(readme) if t.nesting >= 0 and t.type != "inline"]
    leads_away = any(link in READMES for link in links(readme))
    return opened[:1] + opened[1 + leads_away :]


def links(readme: str) -> list[str]:
    """Where its links lead and its pictures come from."""
    addresses = [
        t.attrGet("href") or t.attrGet("src")
        for t in inline(tokens(readme))
        if t.type in ("link_open", "image")
    ]
    return [unquote(str(address)) for address in addresses]


def anchor(heading: str) -> str:
    """The fragment that leads to a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_code_is_the_same() -> None:
    assert len(code_blocks(ENGLISH)) > 10
    assert code_blocks(JAPANESE) == code_blocks(ENGLISH)


def test_it_is_made_of_the_same_blocks() -> None:
    """Paragraphs, items of lists and rows of tables are as many, in the same order."""
    assert blocks(JAPANESE) == blocks(ENGLISH)


def test_headings_are_of_the_same_levels() -> None:
    levels = [[level for level, _ in headings(readme)] for readme in READMES]
    assert levels[0] == levels[1]


def test_names_are_the_same_in_every_section() -> None:
    for (_, heading), japanese, english in zip(
        [("", ""), *headings(JAPANESE)], names(JAPANESE), names(ENGLISH), strict=True
    ):
        assert japanese == english, heading


@pytest.mark.parametrize("readme", READMES)
def test_links_lead_somewhere(readme: str) -> None:
    anchors = {anchor(text) for _, text in headings(readme)}
    assert links(readme)
    for link in links(readme):
        if link.startswith("#"):
            assert link[1:] in anchors
        elif "://" not in link:
            assert (ROOT / link).is_relative_to(ROOT)
            assert (ROOT / link).exists(), link


def test_links_are_the_same() -> None:
    japanese, english = (
        {link for link in links(readme) if not link.startswith("#")} - {*READMES}
        for readme in READMES
    )
    assert japanese == english


def test_the_japanese_one_begins_with_a_link_to_the_english_one() -> None:
    lines = (ROOT / JAPANESE).read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["# gradparity", "", f"[English]({ENGLISH})"]


def test_every_paragraph_is_in_japanese() -> None:
    pairs = zip(tokens(JAPANESE), tokens(JAPANESE)[1:], strict=False)
    prose = [b.content for a, b in pairs if a.type == "paragraph_open"]
    assert len(prose) > 40
    for text in prose[1:]:  # after the link to the English one
        assert re.search("[\u3041-\u3093]", text), text
