"""Where pages go: the terminal, a file, or a small site with all of them.

Files are there whole or not at all, and so is the site's folder. What only some formats
need is imported with them: a page in the terminal should not have to wait for it.
"""

import json
from collections.abc import Iterator
from functools import partial
from io import StringIO
from pathlib import Path

from gradparity.reference.data.cleanup import write_together
from gradparity.reference.datasets import Dataset
from gradparity.reports import console, writing
from gradparity.reports.explain import as_markdown, as_text, drawing, making
from gradparity.reports.explain.blocks import Loop, Page, Picture
from gradparity.reports.explain.topics import TOPICS
from gradparity.reports.explain.wording import LANGUAGES

MARK = "pages.json"  # what makes a directory a site
REPORT = "gradparity-report/report.html"  # beside the site, where `make` puts both


def show(page: Page, kind: str, command: str) -> None:
    """Print a page on standard output."""
    if kind == "text":
        as_text.render(page, console.output)
    else:
        console.output.file.write(rendered(page, kind, command))


def save(page: Page, kind: str, path: Path, command: str) -> None:
    """Write a page to a file; a Markdown page's pictures beside it.

    Raises `UnusableTarget` if it cannot be written.
    """
    files = {path: ""}
    if kind == "md":
        name = partial("{}-{}.svg".format, path.stem)
        files |= {path.with_name(name(n)): svg for n, svg in pictures(page)}
        files[path] = as_markdown.render(page, name)
    else:
        files[path] = rendered(page, kind, command, writing.beside(path, REPORT, "."))
    contents = {target: text.encode() for target, text in files.items()}
    with writing.to_be_written(path, {t.name: c for t, c in contents.items()}):
        write_together(contents)


def rendered(page: Page, kind: str, command: str, report: str = "") -> str:
    """The text of a page; `report` is the address of a report, where there is one."""
    if kind == "text":
        paper = console.Screen(file=StringIO(), width=as_text.PROSE)
        as_text.render(page, paper)
        return paper.file.getvalue()  # type: ignore[attr-defined]
    if kind == "md":
        return as_markdown.render(page)
    if kind == "ipynb":
        from gradparity.reports.explain import as_notebook

        return as_notebook.render(page)
    from gradparity.reports.explain import as_html

    links = dict.fromkeys(("index", "other", "notebook"), "") | {"report": report}
    return as_html.render(page, links, making.produced(command, page.lang))


def pictures(page: Page) -> Iterator[tuple[str, str]]:
    """Name and SVG of every picture of a page."""
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                svg = drawing.draw(block.graph, block.name, block.title, page.lang)
                yield block.name, svg
            elif isinstance(block, Loop):
                steps = list(block.steps)
                yield block.name, drawing.draw_loop(steps, block.name, block.title)


def address(name: str, lang: str, suffix: str = ".html") -> str:
    """`relu.html`; in another language than the first, `relu.ja.html`."""
    return name + ("" if lang == LANGUAGES[0] else f".{lang}") + suffix


def other(lang: str) -> str:
    (found,) = (name for name in LANGUAGES if name != lang)
    return found


def write_site(
    target: Path, data: Dataset, dtype: str, advance: console.Advance
) -> None:
    """All topics in all languages: an index, pages, notebooks.

    Raises `UnusableTarget` if something cannot be written; what was there is there still.
    """
    from gradparity.reports.explain import as_html, as_notebook

    report = writing.beside(target, REPORT)
    files: dict[str, str] = {}
    entries: dict[str, list[tuple[Page, str]]] = {lang: [] for lang in LANGUAGES}
    for name in TOPICS:
        build = making.run(name, {}, dtype, data)
        for lang in LANGUAGES:
            page = build(lang)
            links = {
                "index": address("index", lang),
                "other": address(name, other(lang)),
                "notebook": "notebooks/" + address(name, lang, ".ipynb"),
                "report": report,
            }
            command = f"gradparity explain {name} --format html --lang {lang}"
            produced = making.produced(command, lang)
            files[address(name, lang)] = as_html.render(page, links, produced)
            files[links["notebook"]] = as_notebook.render(page)
            entries[lang].append((page, address(name, lang)))
            advance()
    for lang, found in entries.items():
        links = {"other": address("index", other(lang)), "report": report}
        files[address("index", lang)] = as_html.render_index(lang, found, links)
    files[MARK] = json.dumps({"pages": sorted(files)}, indent=1) + "\n"
    writing.write_folder(target, files)
