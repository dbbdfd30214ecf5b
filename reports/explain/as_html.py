"""A page as one HTML file that asks for nothing else: formulas are MathML, pictures SVG.

Whatever comes from a run is escaped by Jinja; only what this package has drawn itself
goes in as it is.
"""

import re
from collections.abc import Sequence
from functools import cache, singledispatch
from html import escape
from typing import Any

from jinja2 import Environment
from latex2mathml.converter import convert
from markupsafe import Markup

from gradparity.reports.explain import drawing, walk
from gradparity.reports.explain.as_text import kept, total_rows
from gradparity.reports.explain.blocks import Block, Formula, Loop, Page, Picture, Prose
from gradparity.reports.explain.inline import parse, parser
from gradparity.reports.explain.wording import ui
from gradparity.reports.pages.templating import environment

LOW, HIGH = "₀-₉ₐ-ₜᵢᵣᵤᵥⱼ", "⁰-⁹⁺⁻ⁱⁿˣᵀ"
WORD = re.compile(
    rf"(?P<word>[^\W\d_{LOW}{HIGH}]+)(?P<low>[{LOW}]*)(?P<high>[{HIGH}]*)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<other>\S)|(?P<space>\s+)"
)
SCRIPTS = str.maketrans(
    "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁱⁿˣᵀ",
    "0123456789aehijklmnoprstuvx0123456789+−inxT",
)


def render(page: Page, links: dict[str, str], produced: str) -> str:
    """The page, as the text of an HTML file.

    `links` are addresses, relative to the page: of the `index`, of the same page in the
    `other` language, of the `notebook` and of the `report`, where there are any.
    `produced` says what made it.
    """
    template = templates().get_template("explain.html.j2")
    return template.render(page=page, ui=ui(page.lang), links=links, produced=produced)


def render_index(lang: str, entries: Sequence[Any], links: dict[str, str]) -> str:
    """The first page of the site: a card for each topic."""
    template = templates().get_template("explain_index.html.j2")
    return template.render(lang=lang, ui=ui(lang), entries=entries, links=links)


@cache
def templates() -> Environment:
    found = environment()
    found.filters |= {
        "drawn": drawn,
        "prose": prose,
        "line": line,
        "kept": kept,
        "total_rows": total_rows,
        "tidy": walk.tidy,
        "kind": lambda block: type(block).__name__.lower(),
    }
    return found


@singledispatch
def drawn(block: Block, lang: str) -> Markup:
    """What the template does not write itself."""
    raise TypeError(f"nothing draws {type(block).__name__}")


@drawn.register
def _(block: Prose, lang: str) -> Markup:
    return prose(block.markdown)


@drawn.register
def _(block: Formula, lang: str) -> Markup:
    # For those who hear the page, the formula is also there as text.
    math = convert(block.latex, display="block")
    label = escape(" ".join(block.plain.split()))
    return Markup(math.replace("<math ", f'<math aria-label="{label}" ', 1))


@drawn.register
def _(block: Picture, lang: str) -> Markup:
    return Markup(drawing.figure(block.graph, block.name, block.title, lang))


@drawn.register
def _(block: Loop, lang: str) -> Markup:
    svg = drawing.draw_loop(list(block.steps), block.name, block.title)
    return Markup(f"<figure>{svg}</figure>")


def prose(markdown: str) -> Markup:
    """Paragraphs and lists."""
    return Markup(renderer().render(parse(markdown), parser().options, {}))


def line(markdown: str) -> Markup:
    """A line of prose, without a paragraph around it."""
    parts = (token.children for token in parse(markdown) if token.children)
    options = parser().options
    return Markup("".join(renderer().renderInline(p, options, {}) for p in parts))


@cache
def renderer() -> Any:
    """As markdown-it renders it, with mathematics as MathML."""
    found: Any = parser().renderer
    found.rules["math"] = lambda tokens, i, *_: inline_math(tokens[i].content)
    return found


def inline_math(text: str) -> str:
    """MathML of a formula in plain Unicode: `xₖ ≤ eʸ`."""
    parts = []
    for found in WORD.finditer(text):
        if word := found["word"]:
            base = f"<mi>{escape(word)}</mi>"
            low, high = (
                f"<mrow><mtext>{escape(found[k].translate(SCRIPTS))}</mtext></mrow>"
                if found[k]
                else ""
                for k in ("low", "high")
            )
            if low and high:
                base = f"<msubsup>{base}{low}{high}</msubsup>"
            elif low or high:
                tag = "msub" if low else "msup"
                base = f"<{tag}>{base}{low}{high}</{tag}>"
            parts.append(base)
        elif number := found["number"]:
            parts.append(f"<mn>{number}</mn>")
        elif other := found["other"]:
            parts.append(f"<mo>{escape(other)}</mo>")
    label = escape(text)
    return f'<math aria-label="{label}"><mrow>{"".join(parts)}</mrow></math>'
