"""The manual in `docs/`, as pages of the site that `gradparity explain --all` writes.

    python -m gradparity.reports.explain.manual docs gradparity-docs

`docs/LANG/index.md` lists the pages in their order, and becomes the front page of the
site. Links between pages lead to pages, links to files of the repository become plain
text, and a paragraph that is nothing but a link to a Python file becomes that file.
"""

import re
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from gradparity.reference.data.cleanup import write_whole
from gradparity.reports.explain.publishing import MARK, address, other
from gradparity.reports.explain.wording import LANGUAGES, ui
from gradparity.reports.pages.templating import environment

CARDS = re.compile(r'<ol class="cards">.*?</ol>', re.DOTALL)
FRONT = "index"


@dataclass(frozen=True)
class Source:
    """A page of the manual as it is written: its file, and its tokens without the heading
    and without the link to the other language.
    """

    path: Path
    lang: str
    title: list[Token]
    tokens: list[Token]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def address(self) -> str:
        return address(self.name, self.lang)

    @property
    def heading(self) -> Markup:
        """The title, as HTML."""
        return rendered(self, self.title)

    @property
    def plain(self) -> str:
        """The title, as text."""
        return text(self.title[0])

    @property
    def parts(self) -> list[tuple[str, Markup]]:
        """Anchor and HTML of each heading of the second level."""
        return [
            (anchor(inline), rendered(self, [inline]))
            for opening, inline in pairwise(self.tokens)
            if opening.type == "heading_open" and opening.tag == "h2"
        ]


@dataclass(frozen=True)
class Group:
    """Pages that stand together in the contents, under a heading."""

    title: str
    pages: list[Source]


@cache
def parser() -> MarkdownIt:
    """CommonMark with tables; what it writes differs where a site differs from a file."""
    found = MarkdownIt("commonmark", {"html": False}).enable("table")
    for name, rule in RULES.items():
        found.add_render_rule(name, rule)
    return found


def read(path: Path, lang: str) -> Source:
    """A page of the manual. It begins with a title and a link to the other language."""
    tokens = parser().parse(path.read_text(encoding="utf-8"))
    return Source(path, lang, tokens[1:2], list(with_files(tokens[6:], path)))


def contents(docs: Path, lang: str) -> list[Group]:
    """What the index of a language lists, in its order."""
    front = docs / lang / f"{FRONT}.md"
    tokens = parser().parse(front.read_text(encoding="utf-8"))
    groups: list[Group] = []
    for before, token in pairwise(tokens):
        if before.type == "heading_open" and before.tag == "h2":
            groups.append(Group(text(token), []))
        elif groups:
            for child in token.children or ():
                if child.type == "link_open":
                    page = docs / lang / str(child.attrGet("href"))
                    groups[-1].pages.append(read(page, lang))
    return groups


def site(docs: Path, cards: Mapping[str, str], report: bool) -> dict[str, str]:
    """The texts of all pages in all languages, by their addresses.

    `cards` are the topics of `explain` by language, as HTML; `report` says whether a report
    lies beside the site.
    """
    template = environment().get_template("manual.html.j2")
    found = {}
    for lang in LANGUAGES:
        groups = contents(docs, lang)
        front = read(docs / lang / f"{FRONT}.md", lang)
        pages = [front, *(page for group in groups for page in group.pages)]
        for before, page, after in zip(
            [None, *pages], pages, [*pages[1:], None], strict=False
        ):
            is_front = page is front
            found[page.address] = template.render(
                page=page,
                body=rendered(page, lead(page.tokens) if is_front else page.tokens),
                groups=groups,
                front=front,
                is_front=is_front,
                before=before,
                after=after,
                cards=Markup(cards[lang]),
                other=address(page.name, other(lang)),
                report=report,
                ui=ui(lang),
                lang=lang,
            )
    return found


def lead(tokens: Sequence[Token]) -> list[Token]:
    """What stands before the first heading."""
    headings = [k for k, token in enumerate(tokens) if token.type == "heading_open"]
    return list(tokens[: headings[0]])


def write(docs: Path, target: Path) -> None:
    """Add the manual to a site that `gradparity explain --all` has written there.

    The cards of the topics are taken over from its index, in whose place the manual's front
    page is put.
    """
    if not (target / MARK).is_file():
        sys.exit(f"{target} must be what `gradparity explain --all` has written")
    cards = {}
    for lang in LANGUAGES:
        index = target / address(FRONT, lang)
        found = CARDS.search(index.read_text(encoding="utf-8"))
        assert found, f"{index} has no cards"
        cards[lang] = found[0]
    report = (target.parent / "gradparity-report" / "report.html").is_file()
    for name, page in site(docs, cards, report).items():
        write_whole(target / name, page.encode())


def rendered(page: Source, tokens: Sequence[Token]) -> Markup:
    """Tokens of a page as HTML."""
    return Markup(parser().renderer.render(tokens, parser().options, {"page": page}))


def text(inline: Token) -> str:
    """What an inline token says, without marks."""
    return "".join(child.content for child in inline.children or ())


def anchor(heading: Token) -> str:
    """The fragment that leads to a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", text(heading).lower()).replace(" ", "-")


def with_files(tokens: Sequence[Token], page: Path) -> Iterator[Token]:
    """The same, with a Python file in place of a paragraph that only links to one."""
    k = 0
    while k < len(tokens):
        file = linked_file(tokens[k : k + 2])
        if file:
            path = page.parent / file
            code = Token("fence", "code", 0, info="python")
            code.content = path.read_text(encoding="utf-8")
            code.meta["title"] = text(tokens[k + 1])
            yield code
            k += 3
        else:
            yield tokens[k]
            k += 1


def linked_file(tokens: Sequence[Token]) -> str:
    """The address of the Python file to which a paragraph links and does nothing else."""
    if tokens[0].type != "paragraph_open":
        return ""
    children = tokens[1].children or []
    kinds = [child.type for child in children]
    href = str(children[0].attrGet("href")) if kinds else ""
    is_file = kinds == ["link_open", "text", "link_close"] and href.endswith(".py")
    return href if is_file else ""


def page_of(href: str, lang: str) -> str | None:
    """Where a link of the manual leads on the site; None if it leads to a file that is not
    there.
    """
    target, _, fragment = href.partition("#")
    if "://" in href or not target:
        return href
    if "/" in target or not target.endswith(".md"):
        return None
    return address(target.removesuffix(".md"), lang) + (fragment and f"#{fragment}")


# --- What is written otherwise than by markdown-it ------------------------------------


def _heading(self: Any, tokens: Any, k: int, options: Any, env: Any) -> str:
    name = escape(anchor(tokens[k + 1]))
    return f'<{tokens[k].tag} id="{name}">'


def _fence(self: Any, tokens: Any, k: int, options: Any, env: Any) -> str:
    token = tokens[k]
    title = token.meta.get("title", "")
    label = escape(title or ui(env["page"].lang)["manual"]["code"])
    lines = token.content.rstrip("\n").split("\n")
    code = "\n".join(map(escape if token.info == "python" else _printed, lines))
    attributes = f'role="region" tabindex="0" aria-label="{label}"'
    block = f"<pre {attributes}><code>{code}</code></pre>"
    if not title:
        return block
    caption = f"<figcaption><code>{escape(title)}</code></figcaption>"
    return f'<figure class="file">{caption}{block}</figure>'


def _printed(line: str) -> str:
    """A line of a terminal: what was typed is bold, and a sentence may go on below; a row
    of a table, with its wide gaps, may not.
    """
    if line.startswith("$ "):
        return f"<b>{escape(line)}</b>"
    return escape(line) if "  " in line else f"<span>{escape(line)}</span>"


def _table_open(self: Any, tokens: Any, k: int, options: Any, env: Any) -> str:
    label = escape(ui(env["page"].lang)["manual"]["table"])
    return f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table>'


def _table_close(self: Any, tokens: Any, k: int, options: Any, env: Any) -> str:
    return "</table></div>"


def _image(self: Any, tokens: Any, k: int, options: Any, env: Any) -> str:
    page: Source = env["page"]
    path = page.path.parent / str(tokens[k].attrGet("src"))
    data = b64encode(path.read_bytes()).decode()
    alt = escape(tokens[k].content)
    return f'<img alt="{alt}" src="data:image/{path.suffix[1:]};base64,{data}">'


def _link_open(self: Any, tokens: Any, k: int, options: Any, env: Any) -> str:
    where = page_of(str(tokens[k].attrGet("href")), env["page"].lang)
    return "<span>" if where is None else f'<a href="{escape(where)}">'


def _link_close(self: Any, tokens: Any, k: int, options: Any, env: Any) -> str:
    opening = next(t for t in reversed(tokens[:k]) if t.type == "link_open")
    where = page_of(str(opening.attrGet("href")), env["page"].lang)
    return "</span>" if where is None else "</a>"


RULES = {
    "heading_open": _heading,
    "fence": _fence,
    "table_open": _table_open,
    "table_close": _table_close,
    "image": _image,
    "link_open": _link_open,
    "link_close": _link_close,
}


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:3]))
