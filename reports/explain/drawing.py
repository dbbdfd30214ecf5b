"""A computational graph as a picture, the way the lecture draws it: nodes are circles,
values flow to the right above the edges, gradients flow back below them.

The picture is SVG in `currentColor` on nothing, so that it takes on the colours of the
page around it; standing alone it brings its own, for light and dark. Each part carries
the step (`data-step`) with which it appears when the graph is walked through: 0 is what
is given, then come the steps of `reports.explain.walk.sentences`.
"""

import math
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from markupsafe import Markup

from gradparity.reports.explain import walk
from gradparity.reports.explain.layout import (
    BACK,
    EM,
    LEADING,
    MARGIN,
    NAME,
    OVER,
    PAD,
    RADIUS,
    SPACE,
    UNDER,
    VALUE,
    Note,
    Route,
    Spot,
    arrange,
    clean,
    columns_of,
    leading,
    lines_in_node,
    node_width,
    note_of,
    set_heights,
    set_widths,
    shortened,
    spots_and_routes,
    text_width,
    written,
)

SVG = "http://www.w3.org/2000/svg"
FONT = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"
STYLE = (  # `svg:root` is only there while the picture is not part of a page
    "svg:root{color-scheme:light dark;color:#22252b;--forward:#14587f;"
    "--backward:#9a4200}@media(prefers-color-scheme:dark){svg:root{color:#e9e7e2;"
    "--forward:#8cc4ea;--backward:#f0a868}}"
    "#ID .forward{fill:var(--forward,currentColor)}"
    "#ID .backward{fill:var(--backward,currentColor)}"
    "#ID .forward path{stroke:var(--forward,currentColor)}"
    "#ID .backward path{stroke:var(--backward,currentColor)}"
)
WORDS = {
    "en": {
        "key": ("above: the value, forward →", "below: the gradient, back ←"),
        "buttons": ("Start", "Back", "Forward", "All"),
        "hint": "Everything is shown. “Forward” or the → key walks through it.",
        "region": "scrolls sideways",
        "words": "The same in words",
    },
    "ja": {
        "key": ("線の上：値（順伝播 →）", "線の下：勾配（逆伝播 ←）"),
        "buttons": ("最初", "戻る", "進む", "全部"),
        "hint": "すべて表示しています。「進む」か → キーで、一歩ずつたどれます。",
        "region": "横にスクロールできます",
        "words": "言葉で読む",
    },
}


def figure(graph: walk.Graph, name: str, title: str, lang: str) -> str:
    """The picture as HTML with all that `walk.js.j2` needs to walk through it.

    Without that script the whole picture is there, and the buttons are not.
    """
    words: Any = WORDS[lang]
    first, back, forward, last = words["buttons"]
    ident = _ident(name)
    steps = Markup("").join(
        Markup('<li data-node="{}">{}</li>\n').format(step.node, clean(step.text))
        for step in walk.sentences(graph, lang)
    )
    return Markup(
        '<figure class="walk" tabindex="0" aria-labelledby="{ident}-caption" '
        'data-hint="{hint}">\n<figcaption id="{ident}-caption">{title}</figcaption>\n'
        '<div class="picture" role="region" tabindex="0" '
        'aria-label="{title} ({region})">\n'
        "{svg}</div>\n"
        '<p class="key"><span class="forward">{above}</span> '
        '<span class="backward">{below}</span></p>\n'
        '<div class="buttons" hidden>\n'
        '<button type="button" data-go="first"><span aria-hidden="true">⇤</span> '
        "{first}</button>\n"
        '<button type="button" data-go="back"><span aria-hidden="true">←</span> '
        "{back}</button>\n"
        '<button type="button" data-go="forward">{forward} '
        '<span aria-hidden="true">→</span></button>\n'
        '<button type="button" data-go="last">{last} '
        '<span aria-hidden="true">⇥</span></button>\n</div>\n'
        '<p class="said" aria-live="polite"></p>\n'
        "<details><summary>{words}</summary>\n<p>{given}</p>\n"
        "<ol>\n{steps}</ol></details>\n</figure>\n"
    ).format(
        ident=ident,
        hint=words["hint"],
        title=clean(title),
        region=words["region"],
        svg=Markup(draw(graph, name, title, lang)),
        above=words["key"][0],
        below=words["key"][1],
        first=first,
        back=back,
        forward=forward,
        last=last,
        words=words["words"],
        given=clean(walk.given(graph, lang)),
        steps=steps,
    )


def draw(graph: walk.Graph, name: str, title: str, lang: str) -> str:
    """The graph as SVG; `name` keeps its ids apart from those of others on the page."""
    spots, routes = spots_and_routes(graph)
    columns = columns_of(spots)
    arrange(columns)
    height = set_heights(columns, {node["output"] for node in graph["nodes"]})
    width = set_widths(columns)
    said = " ".join(
        [walk.given(graph, lang), *(s.text for s in walk.sentences(graph, lang))]
    )
    svg = _root(name, title, said, width, height)
    svg.set("lang", lang)
    _Pen(graph, svg).draw(spots, routes)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def draw_loop(steps: Sequence[str], name: str, title: str) -> str:
    """Something that is repeated, as SVG: boxes with numbers, and arrows from each to
    the next and from the last to the first.
    """
    boxes = [_wrapped(step) for step in steps]
    width = max(text_width(line, VALUE) for box in boxes for line in box) + 2 * PAD
    height = max(map(len, boxes)) * leading(VALUE) + leading(NAME) + 2 * PAD
    across, down = width + 46, height + 42
    upper, lower = (len(boxes) + 1) // 2, len(boxes) // 2
    # Clockwise; an odd one out stands between those above it.
    middles = [(float(k), 0) for k in range(upper)]
    middles += [(k + (upper - lower) / 2, 1) for k in reversed(range(lower))]
    left, top = MARGIN + width / 2, MARGIN + height / 2
    centres = [(left + x * across, top + y * down) for x, y in middles]
    right, bottom = (max(found) for found in zip(*centres, strict=True))
    said = " → ".join([*steps, steps[0]])
    svg = _root(name, title, said, right + left, bottom + top)
    svg.set("font-family", "system-ui,sans-serif")
    for k, (lines, (x, y)) in enumerate(zip(boxes, centres, strict=True)):
        box = _add(svg, "rect", x=x - width / 2, y=y - height / 2, width=width)
        _set(box, height=height, rx=10, fill="none", stroke="currentColor")
        _set(box, stroke_width=2)
        y -= len(lines) * leading(VALUE) / 2
        number = _add(svg, "g")
        number.set("class", "forward")
        _write(number, x, y, str(k + 1), NAME)
        y += (leading(NAME) + leading(VALUE)) / 2
        for line in lines:
            _write(svg, x, y, line, VALUE)
            y += leading(VALUE)
        end = centres[(k + 1) % len(centres)]
        _arrow(svg, centres[k], end, (width / 2 + 5, height / 2 + 5))
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


class _Pen:
    """Draws the parts of a graph into an SVG, each with the step it appears with."""

    def __init__(self, graph: walk.Graph, svg: Element) -> None:
        self.graph, self.svg = graph, svg
        self.makers = {node["output"]: n for n, node in enumerate(graph["nodes"])}
        self.used = walk.uses(graph)
        first = len(graph["nodes"]) + 1
        order: list[int | None] = [*walk.backward_order(graph)]
        self.back = {n: first + k for k, n in enumerate(order)}
        self.last = first + len(self.back) - 1

    def draw(self, starts: Sequence[Spot], routes: Sequence[Route]) -> None:
        for route in routes:
            self.route(route)
        for spot in starts:
            self.start(spot)

    def start(self, spot: Spot) -> None:
        """A node or an input's name, and what is written along the edge from there."""
        edge, maker = self.graph["edges"][spot.edge], self.makers.get(spot.edge)
        step = 0 if maker is None else maker + 1
        group = self.group(step)
        _line(group, f"M{spot.middle:.0f} {spot.y:.0f}H{spot.right:.0f}")
        if maker is None:
            x = spot.middle - PAD + 2
            _write(group, x, spot.y, shortened(edge["name"]), VALUE, "end")
        else:
            self.node(spot, maker)
            if not self.used[spot.edge]:
                _head(group, spot.right, spot.y)
        small, value, gradient = written(self.graph, spot.edge)
        x, top = (spot.middle + spot.right) / 2, spot.y - OVER - value.height
        self.note(self.group(step, "forward"), x, top, value)
        if small:
            group = self.group(step)
            group.set("opacity", "0.75")
            _write(group, x, top - leading(NAME) / 2, small, NAME)
        if gradient:
            # The first to send forward is the last to send back. What no node sends has
            # come from outside: it is there when the node it arrives at begins.
            sent = walk.contributions(self.graph, spot.edge)
            self.gradient(spot, gradient, sent[0][0] if sent else maker)

    def node(self, spot: Spot, n: int) -> None:
        op = self.graph["nodes"][n]["op"]
        group = self.group(n + 1, "node")
        group.set("data-node", str(n))
        lines, width = lines_in_node(op), node_width(op)
        circle = _add(group, "rect", x=spot.middle - width, y=spot.y - RADIUS)
        _set(circle, width=width, height=2 * RADIUS, rx=RADIUS)
        _set(circle, fill="none", stroke="currentColor", stroke_width=2)
        y = spot.y - sum(leading(size) for _, size in lines[1:]) / 2
        for text, size in lines:
            _write(group, spot.middle - width / 2, y, text, size)
            y += leading(size)

    def gradient(self, spot: Spot, note: Note, sender: int | None) -> None:
        """Below a line: an arrow back, and the gradient that a node sends along it."""
        group = self.group(self.back.get(sender, self.last), "backward")
        x, y, half = (spot.middle + spot.right) / 2, spot.y + BACK, spot.label / 2 - PAD
        _line(group, f"M{x + half:.1f} {y:.0f}H{x - half:.1f}m5 -3.5l-5 3.5l5 3.5", 1.2)
        self.note(group, x, spot.y + UNDER - 1, note)

    def note(self, group: Element, x: float, top: float, note: Note) -> None:
        for k, text in enumerate(note.lines):
            y = top + (k + 0.5) * VALUE * LEADING
            kept = text.replace(" ", SPACE) if note.bracketed else text
            _write(group, x, y, kept, VALUE)
        if note.bracketed:
            for side in (-1, 1):
                edge = x + side * (note.width / 2 - 4)
                across = f"h{side * 4}v{note.height - 2:.1f}h{-side * 4}"
                _line(group, f"M{edge:.1f} {top + 1:.1f}{across}", 1.2)

    def route(self, route: Route) -> None:
        node = self.graph["nodes"][route.node]
        start, *way, end = route.spots
        group = self.group(route.node + 1)
        x, y = start.right, start.y
        path = f"M{x:.0f} {y:.0f}"
        for spot in way:
            path += _curve(x, y, spot.left, spot.y) + f"H{spot.right:.0f}"
            x, y = spot.right, spot.y
        to_y = end.y + (offset := _port(end, route.slot))
        round_off = RADIUS - (RADIUS**2 - offset**2) ** 0.5
        tip = end.middle - node_width(node["op"]) + round_off - 1
        path += _curve(x, y, end.left, to_y) + f"H{tip - 6:.1f}"
        _line(group, path)
        _head(group, tip, to_y)
        if len(self.used[route.edge]) > 1:
            _add(group, "circle", cx=start.right, cy=start.y, r=4)
            if sent := note_of(node["gradients"][route.slot]):
                self.gradient(way[0], sent, route.node)

    def group(self, step: int, kind: str = "") -> Element:
        found = _add(self.svg, "g", data_step=step)
        if kind:
            found.set("class", kind)
        return found


def _port(end: Spot, slot: int) -> float:
    """How far above or below the middle of its node a line arrives: in the order of the
    inputs, and straight if it can be.
    """
    steps = [spot.y - end.y for spot in end.before]
    level = [k for k, step in enumerate(steps) if abs(step) < 8]
    if level and slot == level[0]:
        return steps[slot]
    middle = level[0] if level else (len(steps) - 1) / 2
    return (slot - middle) * 22 / max(middle, len(steps) - 1 - middle, 1)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    if y == to_y:
        return ""
    middle = (x + to_x) / 2
    return f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"


def _root(name: str, title: str, said: str, width: float, height: float) -> Element:
    """An empty picture with its text alternative."""
    ident = _ident(name)
    svg = Element("svg", {"xmlns": SVG, "id": ident, "class": "graph", "role": "img"})
    _set(svg, viewBox=f"0 0 {width:.0f} {height:.0f}")
    _set(svg, width=f"{width:.0f}", height=f"{height:.0f}")
    _set(svg, aria_labelledby=f"{ident}-title", aria_describedby=f"{ident}-desc")
    _set(svg, font_family=FONT, fill="currentColor")
    _add(svg, "title", title, id=f"{ident}-title")
    _add(svg, "desc", said, id=f"{ident}-desc")
    _add(svg, "style", STYLE.replace("ID", ident))
    return svg


def _add(parent: Element, tag: str, text: str = "", **attributes: Any) -> Element:
    found = SubElement(parent, tag)
    found.text = clean(text)
    _set(found, **attributes)
    return found


def _set(element: Element, **attributes: Any) -> None:
    for key, value in attributes.items():
        shown = f"{value:.5g}" if isinstance(value, float) else str(value)
        element.set(key.replace("_", "-"), shown)


def _line(parent: Element, path: str, width: float = 1.6) -> None:
    drawn = _add(parent, "path", d=path)
    _set(drawn, fill="none", stroke="currentColor", stroke_width=width)


def _head(parent: Element, x: float, y: float) -> None:
    """The head of an arrow to the right, whose tip is at x, y."""
    _add(parent, "path", d=f"M{x:.1f} {y:.1f}l-9 -4v8z")


def _arrow(
    parent: Element,
    start: tuple[float, float],
    end: tuple[float, float],
    half: tuple[float, float],
) -> None:
    """From one box to another of the same size, between their borders."""
    step = end[0] - start[0], end[1] - start[1]
    if step == (0, 0):
        return
    inside = min(h / abs(s) for h, s in zip(half, step, strict=True) if s)
    (x, y), (to_x, to_y) = (
        [s + part * d for s, d in zip(start, step, strict=True)]
        for part in (inside, 1 - inside)
    )
    turn = math.degrees(math.atan2(to_y - y, to_x - x))
    group = _add(
        parent, "g", transform=f"translate({to_x:.1f} {to_y:.1f})rotate({turn:.1f})"
    )
    _line(group, f"M0 0H{-math.dist((x, y), (to_x, to_y)):.1f}")
    _head(group, 0, 0)


def _wrapped(text: str) -> list[str]:
    """In lines that a box of the loop has room for, two of which fit on a phone."""
    lines = [""]
    for word in re.findall(r"[^\W\u3000-\u9fff]+\S*\s*|.", clean(text)):
        if text_width((lines[-1] + word).rstrip(), 1) > 14 * EM and lines[-1]:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def _write(
    parent: Element, x: float, y: float, text: str, size: float, anchor: str = "middle"
) -> None:
    """Text whose letters are centred at the height y."""
    found = _add(parent, "text", text, x=round(x, 1), y=round(y + 0.35 * size, 1))
    _set(found, font_size=size, text_anchor=anchor)


def _ident(name: str) -> str:
    return "graph-" + re.sub(r"[^\w-]", "-", name, flags=re.ASCII)
