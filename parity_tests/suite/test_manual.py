"""The READMEs and the manual: what is shown runs, what is linked is there, and the Japanese
pages say what the English ones say.

Nobody can test a translation, but what need not be translated can be compared: the
headings' levels, the code, the names in each section, and where the links lead.
"""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

import gradparity
from gradparity.reference.datasets import load_digits
from gradparity.reports.commands import application
from gradparity.reports.environment import VARIABLES, describe, with_accuracy
from gradparity.reports.explain import manual
from gradparity.reports.explain.publishing import address
from gradparity.reports.explain.topics import TOPICS
from gradparity.reports.explain.wording import LANGUAGES, ui
from gradparity.reports.tables.overview import environment_table

ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").is_file())
DOCS = ROOT / "docs"
NAMES = sorted(path.stem for path in (DOCS / "en").glob("*.md"))
ENGLISH = [ROOT / "README.md", *(DOCS / "en" / f"{name}.md" for name in NAMES)]
JAPANESE = [ROOT / "README.ja.md", *(DOCS / "ja" / f"{name}.md" for name in NAMES)]
PAIRS = list(zip(ENGLISH, JAPANESE, strict=True))
PAGES = [*ENGLISH, *JAPANESE]
PYTHON = ["checkpoints", "functions", "python"]  # the pages with Python to be run
NOT_OURS = {"--index-url", "--xfails-file"}  # options of pip and of pytest


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


in_pairs = pytest.mark.parametrize(
    ("english", "japanese"), PAIRS, ids=[named(english) for english, _ in PAIRS]
)
on_pages = pytest.mark.parametrize("page", PAGES, ids=named)


@cache
def tokens(page: Path) -> list[Token]:
    text = page.read_text(encoding="utf-8")
    return MarkdownIt("commonmark").enable("table").parse(text)


def inline(parents: list[Token]) -> Iterator[Token]:
    """What paragraphs, headings and cells are made of: text, code, links, pictures."""
    for token in parents:
        yield from token.children or []


def code_blocks(page: Path) -> list[tuple[str, str]]:
    """The language, if it has one, and the text of each, fenced or indented."""
    blocks = [t for t in tokens(page) if t.type in ("fence", "code_block")]
    return [(t.info, t.content) for t in blocks]


def headings(page: Path) -> list[tuple[str, Token]]:
    """The level of each, and what it says."""
    found = pairwise(tokens(page))
    return [(a.tag, b) for a, b in found if a.type == "heading_open"]


def names(page: Path) -> list[set[str]]:
    """What stands in code type in the prose, section by section."""
    sections: list[set[str]] = [set()]
    for token in tokens(page):
        if token.type == "heading_open":
            sections.append(set())
        found = [t for t in inline([token]) if t.type == "code_inline"]
        sections[-1] |= {t.content for t in found}
    return sections


def blocks(page: Path) -> list[str]:
    """Paragraphs, items of lists, rows of tables: what the page is made of."""
    return [t.tag for t in tokens(page) if t.nesting >= 0 and t.type != "inline"]


def links(page: Path) -> list[str]:
    """Where its links lead and its pictures come from."""
    addresses = [
        t.attrGet("href") or t.attrGet("src")
        for t in inline(tokens(page))
        if t.type in ("link_open", "image")
    ]
    return [unquote(str(address)) for address in addresses]


# --- Two languages --------------------------------------------------------------------


def test_both_languages_have_the_same_pages() -> None:
    assert len(NAMES) > 15
    assert sorted(path.stem for path in (DOCS / "ja").glob("*.md")) == NAMES


@in_pairs
def test_code_is_the_same(english: Path, japanese: Path) -> None:
    assert code_blocks(japanese) == code_blocks(english)


@in_pairs
def test_they_are_made_of_the_same_blocks(english: Path, japanese: Path) -> None:
    """Paragraphs, items of lists and rows of tables are as many, in the same order."""
    assert blocks(japanese) == blocks(english)


@in_pairs
def test_headings_are_of_the_same_levels(english: Path, japanese: Path) -> None:
    levels = [[level for level, _ in headings(page)] for page in (english, japanese)]
    assert levels[0] == levels[1]
    assert levels[0][0] == "h1"


@in_pairs
def test_names_are_the_same_in_every_section(english: Path, japanese: Path) -> None:
    sections = zip(
        [None, *headings(japanese)], names(japanese), names(english), strict=True
    )
    for heading, one, other in sections:
        assert one == other, heading


@in_pairs
def test_links_are_the_same(english: Path, japanese: Path) -> None:
    """But for headings, whose names are in another language."""

    def leads(page: Path) -> list[str]:
        found = [link.partition("#")[0] for link in links(page)[1:]]
        return sorted(re.sub(r"\bdocs/(en|ja)/", "docs/", link) for link in found)

    assert leads(japanese) == leads(english)


@in_pairs
def test_they_begin_with_a_title_and_a_link_to_each_other(
    english: Path, japanese: Path
) -> None:
    for page, other, word in (
        (english, japanese, "日本語"),
        (japanese, english, "English"),
    ):
        title, empty, link, end, *_ = page.read_text(encoding="utf-8").splitlines()
        assert title.startswith("# ")
        assert empty == end == ""
        found = re.fullmatch(rf"\[{word}\]\((.+)\)", link)
        assert found
        assert (page.parent / found[1]).resolve() == other


@pytest.mark.parametrize("page", JAPANESE, ids=named)
def test_every_paragraph_is_in_japanese(page: Path) -> None:
    for opening, paragraph in pairwise(tokens(page)):
        if opening.type == "paragraph_open":
            said = [t for t in inline([paragraph]) if t.type == "text"]
            is_link = [t.type for t in inline([paragraph])][:1] == ["link_open"]
            text = "".join(t.content for t in said)
            assert is_link or not text or re.search("[ぁ-んァ-ン]", text), text


# --- What is shown --------------------------------------------------------------------


@on_pages
def test_links_lead_somewhere(page: Path) -> None:
    assert links(page)
    for link in links(page):
        if "://" not in link:
            target, _, fragment = link.partition("#")
            path = (page.parent / target).resolve() if target else page
            assert path.is_relative_to(ROOT)
            assert path.exists(), link
            if fragment:
                assert fragment in {manual.anchor(token) for _, token in headings(path)}


@cache
def options() -> dict[str, set[str]]:
    """The options of each command."""
    group: Any = typer.main.get_command(application.app)
    found: dict[str, set[str]] = {}

    def collect(command: Any, *path: str) -> None:
        subcommands = getattr(command, "commands", {})
        for name, subcommand in subcommands.items():
            collect(subcommand, *path, name)
        if not subcommands:
            given = {option for p in command.params for option in p.opts}
            found[" ".join(path)] = {option for option in given if option[:2] == "--"}

    collect(group)
    return found


@pytest.mark.parametrize("page", ENGLISH, ids=named)
def test_the_commands_shown_exist(page: Path) -> None:
    every = set().union(*options().values()) | NOT_OURS
    for used in set().union(*names(page)):
        assert set(re.findall(r"(?<!\S)--[a-z-]+", used)) <= every, used
    lines = "\n".join(text for _, text in code_blocks(page)).splitlines()
    for line in lines:
        if call := re.match(r"(?:\$ )?gradparity ([a-z]+(?: [a-z]+)?)", line):
            words = call[1].split()
            known = options().get(call[1], options().get(words[0]))
            assert known is not None, line
            before_comment = line.partition(" # ")[0]
            assert set(re.findall(r" (--[a-z-]+)", before_comment)) <= known, line


def test_every_row_of_the_environment_is_shown() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    printed = [name for name, _ in environment_table(with_accuracy(describe())).rows]
    printed = [n for n in printed if n not in VARIABLES and n[:15] != "implementation:"]
    shown = code_blocks(DOCS / "en" / "tests.md")[0][1].splitlines()
    begin = next(at for at, line in enumerate(shown) if line.startswith("---")) + 1
    assert [re.split("  +", line)[0] for line in shown[begin:]] == printed


def test_every_page_with_python_is_run() -> None:
    found = {p.stem for p in ENGLISH if any(i == "python" for i, _ in code_blocks(p))}
    assert found == {*PYTHON}


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", PYTHON)
def test_python_prints_what_the_page_says(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every block is run; a block of text after it is what it prints or raises."""
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    monkeypatch.chdir(tmp_path)
    datasets = import_module("gradparity.reference.datasets")
    monkeypatch.setattr(datasets, "load_mnist", digits_as_mnist)  # in the same shapes
    shown = [*code_blocks(DOCS / "en" / f"{name}.md"), ("", "")]
    for (kind, code), (next_kind, expected) in pairwise(shown):
        if "--save" in code:
            command: Any = typer.main.get_command(application.app)
            command.main(code.split()[2:], standalone_mode=False)
        if kind == "python":
            said = said_by(code, capsys)
            assert settled(said) == settled(expected if next_kind == "text" else "")


def digits_as_mnist(**options: Any) -> Any:
    def enlarged(split: Any) -> Any:
        x, t = split
        return np.pad(x, ((0, 0), (0, 784 - x.shape[1]))), t

    return [enlarged(split) for split in load_digits(**options)]


def test_every_name_of_the_package_is_documented() -> None:
    text = (DOCS / "en" / "python.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(documented) == sorted(gradparity.__all__)


def said_by(code: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a block prints, or the message of the assertion that fails in its tests."""
    scope: dict[str, Any] = {"__name__": "page"}
    capsys.readouterr()
    try:
        exec(compile(code, "block", "exec"), scope)
        for name, test in list(scope.items()):
            if name.startswith("test_"):
                test()
    except AssertionError as error:
        return f"AssertionError: {error}"
    return capsys.readouterr().out


@pytest.mark.usefixtures("without_shape_checks")
def test_functions_are_compared_as_their_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files that the page shows are compared with the commands that it shows: the
    answer, the mistake and notes are those on the page.
    """
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    monkeypatch.chdir(tmp_path)
    command: Any = typer.main.get_command(application.app)
    compared = 0
    for kind, text in code_blocks(DOCS / "en" / "functions.md"):
        first, *shown = text.splitlines()
        if kind == "python" and first.startswith("# "):
            Path(first[2:]).write_text(text, encoding="utf-8")
        elif first.startswith("$ "):
            capsys.readouterr()
            status = command.main(shlex.split(first)[2:], standalone_mode=False)
            said = capsys.readouterr().out.splitlines()
            assert sentences(said) == sentences(shown)
            assert status == ("the same function" not in shown[0])
            compared += 1
    assert compared == 5


def sentences(lines: list[str]) -> list[str]:
    """Those before the first table. Steps are told as the framework's version prints them,
    and how far beyond rounding a number is depends on the machine.
    """
    found = takewhile(bool, lines)
    told = [line for line in found if not line.startswith("  first to differ")]
    return [settled(re.sub(r"[-+.e\d]+ times as", "so many times as", x)) for x in told]


def settled(text: str) -> str:
    """The same with two digits of each number, which are the same on every machine."""
    number = re.compile(r"\d+\.\d+(?:e[-+]?\d+)?")
    return number.sub(lambda found: f"{float(found[0]):.1e}", text).strip()


def test_numbers_are_settled_to_two_digits() -> None:
    assert settled("it is 0.16291 of 4.5e+15") == "it is 1.6e-01 of 4.5e+15"
    assert settled("0.9663") != settled("0.95")


# --- The site -------------------------------------------------------------------------


@cache
def site() -> dict[str, str]:
    cards = {lang: f'<ol class="cards"><li>{lang}</li></ol>' for lang in LANGUAGES}
    return manual.site(DOCS, cards, report=False)


def test_the_index_lists_every_page() -> None:
    for lang in LANGUAGES:
        groups = manual.contents(DOCS, lang)
        listed = [page.name for group in groups for page in group.pages]
        assert sorted([*listed, "index"]) == NAMES
        for group in groups:
            assert group.pages, group.title


def test_the_site_has_every_page_and_none_of_explain() -> None:
    ours = {address(name, lang) for name in NAMES for lang in LANGUAGES}
    theirs = {address(name, lang) for name in TOPICS for lang in LANGUAGES}
    assert {*site()} == ours
    assert not ours & theirs


def test_its_links_lead_to_its_pages_and_it_loads_nothing() -> None:
    identities = {
        name: set(re.findall(r' id="([^"]+)"', site()[name])) for name in site()
    }
    for name, html in site().items():
        for source in re.findall(r'(?:\ssrc="|url\()([^")]+)', html):
            assert source.startswith("data:")
        assert "<script" not in html
        for href in re.findall(r'<a [^>]*href="([^"]+)"', html):
            if "://" not in href:
                target, _, fragment = unquote(href).partition("#")
                assert (target or name) in site(), href
                assert not fragment or fragment in identities[target or name], href


def test_a_page_has_its_title_its_language_and_its_neighbours() -> None:
    page = site()["check.ja.html"]
    assert '<html lang="ja">' in page
    assert "<h1><code>check</code>：層ごとに確かめる</h1>" in page
    assert 'href="check.html" lang="en"' in page
    assert '<a rel="prev" href="rooms.ja.html">' in page
    assert '<a rel="next" href="edges.ja.html">' in page
    assert "[English]" not in page
    assert ">English</a>" in page


def test_a_file_that_is_linked_alone_is_shown() -> None:
    shown = site()["implementations.html"]
    path = ROOT / "parity_tests" / "implementations" / "hips_autograd.py"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    for line in lines:
        assert str(manual.escape(line)) in shown


def test_what_is_printed_is_escaped(tmp_path: Path) -> None:
    for lang in LANGUAGES:
        (tmp_path / lang).mkdir()
        index = (
            "# T\n\n[o](o)\n\n```console\n$ a <b>\n<i> c\n```\n\n## G\n\n- [p](p.md)\n"
        )
        (tmp_path / lang / "index.md").write_text(index, encoding="utf-8")
        page = "# A <u> & `<s>`\n\n[o](o)\n\n<script>x</script>\n"
        (tmp_path / lang / "p.md").write_text(page, encoding="utf-8")
    pages = manual.site(tmp_path, dict.fromkeys(LANGUAGES, ""), report=True)
    assert "<b>$ a &lt;b&gt;</b>\n<span>&lt;i&gt; c</span>" in pages["index.html"]
    assert "<h1>A &lt;u&gt; &amp; <code>&lt;s&gt;</code></h1>" in pages["p.html"]
    assert "<title>A &lt;u&gt; &amp; &lt;s&gt;" in pages["p.html"]
    assert "<script" not in pages["p.html"]
    assert "gradparity-report/report.html" in pages["p.html"]


def test_it_takes_the_place_of_the_index_and_keeps_its_cards(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="must be what `gradparity explain --all`"):
        manual.write(DOCS, tmp_path)
    (tmp_path / "pages.json").write_text("{}", encoding="utf-8")
    for lang in LANGUAGES:
        index = f'<p>of explain alone</p><ol class="cards">\n<li>{lang}!</li>\n</ol>'
        (tmp_path / address("index", lang)).write_text(index, encoding="utf-8")
    for _ in range(2):  # the second time, the index is our own
        manual.write(DOCS, tmp_path)
        for lang in LANGUAGES:
            front = (tmp_path / address("index", lang)).read_text(encoding="utf-8")
            assert f'<ol class="cards">\n<li>{lang}!</li>\n</ol>' in front
            assert ui(lang)["site"] in front
            assert "of explain alone" not in front
