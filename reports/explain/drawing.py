"""A computational graph as a picture, the way the lecture draws it: nodes are circles,
values flow to the right above the edges, gradients flow back below them.

The picture is SVG in `currentColor` on nothing, so that it takes on the colours of the
page around it; standing alone it brings its own, for light and dark. Each part carries
the step (`data-step`) with which it appears when the graph is walked through: 0 is what
is given, then come the steps of `reports.explain.walk.sentences`.
"""

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from textwrap import wrap
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from gradparity.reports.explain.walk import (
    Graph,
    backward_order,
    block,
    contributions,
    given,
    is_matrix,
    is_small,
    sentences,
    uses,
)

SVG = "http://www.w3.org/2000/svg"
FONT = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"
EM = 0.62  # an upper bound of how wide a letter of FONT is
VALUE, NAME, SIGN = 15, 13, 22  # sizes of text
LEADING = 1.3
RADIUS = 26
PAD = 9  # beside what is written along an edge
APART = 13  # between what is above and below each other
OVER, BACK, UNDER = 6, 9, 16  # from an edge to its value, to the arrow back, gradient
LONGEST = 24  # letters of a name; the rest is cut
MARGIN = 6
SPACE = "\N{NO-BREAK SPACE}"

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


def figure(graph: Graph, name: str, title: str, lang: str) -> str:
    """The picture as HTML with all that `walk.js.j2` needs to walk through it.

    Without that script the whole picture is there, and the buttons are not.
    """
    words: Any = WORDS[lang]
    first, back, forward, last = words["buttons"]
    ident = _ident(name)
    steps = Markup("").join(
        Markup('<li data-node="{}">{}</li>\n').format(step.node, _clean(step.text))
        for step in sentences(graph, lang)
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
        title=_clean(title),
        region=words["region"],
        svg=Markup(draw(graph, name, title, lang)),
        above=words["key"][0],
        below=words["key"][1],
        first=first,
        back=back,
        forward=forward,
        last=last,
        words=words["words"],
        given=_clean(given(graph, lang)),
        steps=steps,
    )


def draw(graph: Graph, name: str, title: str, lang: str) -> str:
    """The graph as SVG; `name` keeps its ids apart from those of others on the page."""
    spots, routes = _spots(graph)
    columns = _columns(spots)
    _arrange(columns)
    height = _set_heights(columns, {node["output"] for node in graph["nodes"]})
    width = _set_widths(columns)
    said = " ".join([given(graph, lang), *(s.text for s in sentences(graph, lang))])
    svg = _root(name, title, said, width, height)
    svg.set("lang", lang)
    _Pen(graph, svg).draw(spots, routes)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def draw_loop(steps: Sequence[str], name: str, title: str) -> str:
    """Something that is repeated, as SVG: boxes with numbers, and arrows from each to
    the next and from the last to the first.
    """
    boxes = [_wrapped(step) for step in steps]
    width = max(_width(line, VALUE) for box in boxes for line in box) + 2 * PAD
    height = max(map(len, boxes)) * _leading(VALUE) + _leading(NAME) + 2 * PAD
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
        y -= len(lines) * _leading(VALUE) / 2
        number = _add(svg, "g")
        number.set("class", "forward")
        _write(number, x, y, str(k + 1), NAME)
        y += (_leading(NAME) + _leading(VALUE)) / 2
        for line in lines:
            _write(svg, x, y, line, VALUE)
            y += _leading(VALUE)
        end = centres[(k + 1) % len(centres)]
        _arrow(svg, centres[k], end, (width / 2 + 5, height / 2 + 5))
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


# --- What is where: columns of spots, and the lines from spot to spot -----------------


@dataclass(frozen=True)
class _Note:
    """A value or a gradient as it is written along an edge."""

    lines: Sequence[str]
    bracketed: bool = False

    @property
    def width(self) -> float:
        return max(_width(line, VALUE) for line in self.lines) + 16 * self.bracketed

    @property
    def height(self) -> float:
        return len(self.lines) * VALUE * LEADING


@dataclass(eq=False)
class Spot:
    """What stands at one height of a column: the beginning of an edge, with the node
    that it leaves or the name of an input; a branch of it; or a line that only passes.
    """

    edge: int
    column: int
    head: float = 0  # width of node or name
    label: float = 0  # width of what is written along the edge
    above: float = 4  # how far it reaches up and down
    below: float = 4
    before: list["Spot"] = field(default_factory=list)  # in the order of the inputs
    after: list["Spot"] = field(default_factory=list)
    y: float = 0
    left: float = 0  # of its column; then where head and label end
    middle: float = 0
    right: float = 0


@dataclass(frozen=True)
class _Route:
    """The way of an edge into one input of a node, from where the edge begins."""

    edge: int
    node: int
    slot: int
    spots: Sequence[Spot]


def _note(value: Any) -> _Note | None:
    return None if value is None else _Note(block(value), is_matrix(value))


def _written(graph: Graph, edge: int) -> tuple[str, _Note, _Note | None]:
    """What is written along an edge: small, its name (that of an input stands before
    it) and the type of a large array; its value; its gradient.
    """
    told = graph["edges"][edge]
    made = any(node["output"] == edge for node in graph["nodes"])
    large = not is_small(told["value"])
    small = [_cut(told["name"])] * made + [str(np.asarray(told["value"]).dtype)] * large
    value = _Note(block(told["value"]), is_matrix(told["value"]))
    return " ".join(small), value, _note(told["gradient"])


def _spots(graph: Graph) -> tuple[list[Spot], list[_Route]]:
    """Where each edge begins, and the ways from there."""
    ranks, used = _ranks(graph), uses(graph)
    forks = {ranks[e] for e, ways in enumerate(used) if len(ways) > 1}
    starts = [_start(graph, e, 2 * rank) for e, rank in enumerate(ranks)]
    routes = []
    for n, node in enumerate(graph["nodes"]):
        for slot, e in enumerate(node["inputs"]):
            start, end = starts[e], starts[node["output"]]
            between = range(start.column + 1, end.column)
            way = [Spot(e, c) for c in between if c % 2 == 0 or c // 2 in forks]
            sent = _note(node["gradients"][slot])
            if len(used[e]) > 1 and sent:
                way[0].label = max(30, sent.width) + 2 * PAD
                way[0].below = UNDER + sent.height
            for one, other in pairwise([start, *way, end]):
                one.after.append(other)
                other.before.append(one)
            routes.append(_Route(e, n, slot, [start, *way, end]))
    return starts, routes


def _start(graph: Graph, edge: int, column: int) -> Spot:
    """Where an edge begins, with room for what is written there."""
    maker = next((n for n in graph["nodes"] if n["output"] == edge), None)
    name = graph["edges"][edge]["name"]
    small, value, gradient = _written(graph, edge)
    notes = [note for note in (value, gradient) if note]
    width = max(30, _width(small, NAME), *(note.width for note in notes))
    spot = Spot(edge, column, label=width + 2 * PAD)
    head = RADIUS if maker else VALUE
    spot.above = max(head, OVER + value.height + _leading(NAME) * bool(small))
    spot.below = max(head, UNDER + gradient.height if gradient else 0)
    if maker:
        spot.head = _node_width(maker["op"])
    elif name:
        spot.head = _width(_cut(name), VALUE) + PAD
    return spot


def _ranks(graph: Graph) -> list[int]:
    """In which column each edge begins: after all that its node takes; inputs, and what
    only they lead to, as far to the right as they can.
    """
    nodes, used = graph["nodes"], uses(graph)
    ranks = [0] * len(used)
    for node in nodes:
        ranks[node["output"]] = 1 + max((ranks[e] for e in node["inputs"]), default=0)
    made = {node["output"] for node in nodes}

    def latest(edge: int) -> int:
        return min(ranks[nodes[n]["output"]] for n, _ in used[edge]) - 1

    for node in reversed(nodes):
        edge = node["output"]
        if used[edge] and all(
            e not in made or len(used[e]) == 1 for e in node["inputs"]
        ):
            ranks[edge] = latest(edge)
    for edge, ways in enumerate(used):
        if ways and edge not in made:
            ranks[edge] = latest(edge)
    return ranks


def _columns(starts: Sequence[Spot]) -> list[list[Spot]]:
    """The columns from left to right, each from top to bottom as one meets the spots on
    the way back from the end; so the first input of a node is above the second.
    """
    found = defaultdict(list)
    waiting = [spot for spot in starts if not spot.after]
    seen = set()
    while waiting:
        spot = waiting.pop()
        if spot not in seen:
            seen.add(spot)
            found[spot.column].append(spot)
            waiting += reversed(spot.before)
    return [found[column] for column in sorted(found)]


def _arrange(columns: list[list[Spot]]) -> None:
    """Order each column so that few lines cross: sweeps of barycentres and of swaps of
    neighbours, of which the best is kept.
    """
    place = {spot: k for column in columns for k, spot in enumerate(column)}

    def into(spot: Spot, target: Spot) -> float:
        """Where a line arrives: at the height of the input that it is."""
        return place[target] + (target.before.index(spot) + 0.5) / len(target.before)

    def ends(spot: Spot) -> tuple[list[float], list[float]]:
        return [place[s] for s in spot.before], [into(spot, s) for s in spot.after]

    def crossings(one: Spot, other: Spot) -> int:
        """Of the lines of two spots, of which `one` is above."""
        return sum(
            a > b
            for upper, lower in zip(ends(one), ends(other), strict=True)
            for a in upper
            for b in lower
        )

    def total() -> int:
        lines = [
            [(place[s], into(s, spot)) for spot in column for s in spot.before]
            for column in columns
        ]
        return sum(
            (a[0] - b[0]) * (a[1] - b[1]) < 0
            for gap in lines
            for k, a in enumerate(gap)
            for b in gap[:k]
        )

    def put(column: list[Spot]) -> None:
        place.update((spot, k) for k, spot in enumerate(column))

    fewest, best = total(), [list(column) for column in columns]
    for sweep in range(8):
        if not fewest:
            break
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            means = {s: ends(s)[sweep % 2] or [place[s]] for s in column}
            column.sort(key=lambda s: sum(means[s]) / len(means[s]))
            put(column)
        for column in columns:
            for k in range(len(column) - 1):
                one, other = column[k : k + 2]
                if crossings(other, one) < crossings(one, other):
                    column[k : k + 2] = other, one
                    put(column)
        if (now := total()) < fewest:
            fewest, best = now, [list(column) for column in columns]
    for column, kept in zip(columns, best, strict=True):
        column[:] = kept


def _set_heights(columns: Sequence[Sequence[Spot]], made: set[int]) -> float:
    """Set each spot's y, and return the height of all.

    Lines that go on alone are straight, and so is the one that comes from a node where
    the others that join it are inputs. Beyond that the heights are those with the least
    sum of squared steps along the lines, with room for what is written.
    """
    pairs = [pair for column in columns for pair in pairwise(column)]
    every = [spot for column in columns for spot in column]
    band = {spot: spot for spot in every}  # of those at one height, the first

    def above() -> dict[Spot, set[Spot]]:
        found: dict[Spot, set[Spot]] = {band[spot]: set() for spot in every}
        for one, other in pairs:
            found[band[other]].add(band[one])
        return found

    lines = [(one, other) for other in every for one in other.before]
    for one, other in sorted(lines, key=lambda line: len(line[1].before)):
        main = [s for s in other.before if len(other.before) == 1 or s.edge in made]
        if main != [one] or len(one.after) > 1:
            continue
        kept = dict(band)
        band.update((s, band[one]) for s in every if kept[s] is kept[other])
        try:
            TopologicalSorter(above()).prepare()
        except CycleError:
            band = kept
    order = list(TopologicalSorter(above()).static_order())
    index = {spot: k for k, spot in enumerate(order)}
    rooms: dict[tuple[int, int], float] = {}
    for one, other in pairs:
        key = index[band[one]], index[band[other]]
        room = np.ceil(one.below + other.above + APART)
        rooms[key] = max(rooms.get(key, 0), room)
    # An input is more for one node than for all: so nodes stand amid their inputs.
    ties = [
        (index[band[one]], index[band[other]], 1 if one.before else 6)
        for one, other in lines
    ]
    y = np.round(_relaxed(len(order), ties, rooms))
    for (a, b), room in sorted(rooms.items(), key=lambda item: item[0][1]):
        y[b] = max(y[b], y[a] + room)
    top = min(y[index[band[s]]] - s.above for s in every) - MARGIN
    for spot in every:
        spot.y = float(y[index[band[spot]]] - top)
    return max(spot.y + spot.below for spot in every) + MARGIN


def _relaxed(
    count: int,
    ties: Iterable[tuple[int, int, float]],
    rooms: dict[tuple[int, int], float],
) -> Float[np.ndarray, "band"]:
    """Heights with the least sum of squared differences along `ties`, of which the
    second of each pair in `rooms` is that much below the first (Hildreth's method).
    """
    stiff = np.eye(count) * 1e-4
    for one, other, weight in ties:
        if one != other:
            stiff[[one, other], [one, other]] += weight
            stiff[[one, other], [other, one]] -= weight
    inverse = np.linalg.inv(stiff)
    y = np.zeros(count)
    pushes = []
    for (one, other), room in rooms.items():
        moved = inverse[:, other] - inverse[:, one]
        pushes.append((one, other, room, moved, moved[other] - moved[one]))
    force = np.zeros(len(pushes))
    for _ in range(500):
        largest = 0.0
        for k, (one, other, room, moved, give) in enumerate(pushes):
            missing = room - (y[other] - y[one])
            push = max(missing / give, -force[k])
            if push:
                force[k] += push
                y += push * moved
                largest = max(largest, abs(push * give))
        if largest < 0.1:
            break
    return y


def _set_widths(columns: Sequence[Sequence[Spot]]) -> float:
    """Set where each spot's column begins and ends, and return the width of all."""
    x = float(MARGIN)
    for column in columns:
        steps = [abs(s.y - spot.y) for spot in column for s in spot.before]
        if steps:
            x += min(max(28, 0.4 * max(steps)), 120)
        middle = x + max(spot.head for spot in column)
        right = middle + max(spot.label for spot in column)
        for spot in column:
            spot.left, spot.middle, spot.right = x, middle, right
        x = right
    return x + MARGIN


# --- Drawing --------------------------------------------------------------------------


class _Pen:
    """Draws the parts of a graph into an SVG, each with the step it appears with."""

    def __init__(self, graph: Graph, svg: Element) -> None:
        self.graph, self.svg = graph, svg
        self.makers = {node["output"]: n for n, node in enumerate(graph["nodes"])}
        self.used = uses(graph)
        first = len(graph["nodes"]) + 1
        order: list[int | None] = [*backward_order(graph)]
        self.back = {n: first + k for k, n in enumerate(order)}
        self.last = first + len(self.back) - 1

    def draw(self, starts: Sequence[Spot], routes: Sequence[_Route]) -> None:
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
            _write(group, x, spot.y, _cut(edge["name"]), VALUE, "end")
        else:
            self.node(spot, maker)
            if not self.used[spot.edge]:
                _head(group, spot.right, spot.y)
        small, value, gradient = _written(self.graph, spot.edge)
        x, top = (spot.middle + spot.right) / 2, spot.y - OVER - value.height
        self.note(self.group(step, "forward"), x, top, value)
        if small:
            group = self.group(step)
            group.set("opacity", "0.75")
            _write(group, x, top - _leading(NAME) / 2, small, NAME)
        if gradient:
            # The first to send forward is the last to send back. What no node sends has
            # come from outside: it is there when the node it arrives at begins.
            sent = contributions(self.graph, spot.edge)
            self.gradient(spot, gradient, sent[0][0] if sent else maker)

    def node(self, spot: Spot, n: int) -> None:
        op = self.graph["nodes"][n]["op"]
        group = self.group(n + 1, "node")
        group.set("data-node", str(n))
        lines, width = _sign(op), _node_width(op)
        circle = _add(group, "rect", x=spot.middle - width, y=spot.y - RADIUS)
        _set(circle, width=width, height=2 * RADIUS, rx=RADIUS)
        _set(circle, fill="none", stroke="currentColor", stroke_width=2)
        y = spot.y - sum(_leading(size) for _, size in lines[1:]) / 2
        for text, size in lines:
            _write(group, spot.middle - width / 2, y, text, size)
            y += _leading(size)

    def gradient(self, spot: Spot, note: _Note, sender: int | None) -> None:
        """Below a line: an arrow back, and the gradient that a node sends along it."""
        group = self.group(self.back.get(sender, self.last), "backward")
        x, y, half = (spot.middle + spot.right) / 2, spot.y + BACK, spot.label / 2 - PAD
        _line(group, f"M{x + half:.1f} {y:.0f}H{x - half:.1f}m5 -3.5l-5 3.5l5 3.5", 1.2)
        self.note(group, x, spot.y + UNDER - 1, note)

    def note(self, group: Element, x: float, top: float, note: _Note) -> None:
        for k, text in enumerate(note.lines):
            y = top + (k + 0.5) * VALUE * LEADING
            kept = text.replace(" ", SPACE) if note.bracketed else text
            _write(group, x, y, kept, VALUE)
        if note.bracketed:
            for side in (-1, 1):
                edge = x + side * (note.width / 2 - 4)
                across = f"h{side * 4}v{note.height - 2:.1f}h{-side * 4}"
                _line(group, f"M{edge:.1f} {top + 1:.1f}{across}", 1.2)

    def route(self, route: _Route) -> None:
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
        tip = end.middle - _node_width(node["op"]) + round_off - 1
        path += _curve(x, y, end.left, to_y) + f"H{tip - 6:.1f}"
        _line(group, path)
        _head(group, tip, to_y)
        if len(self.used[route.edge]) > 1:
            _add(group, "circle", cx=start.right, cy=start.y, r=4)
            if sent := _note(node["gradients"][route.slot]):
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


def _sign(op: str) -> list[tuple[str, float]]:
    """What is written into a node: lines and their sizes."""
    op = _clean(op)
    if len(op) == 1:
        return [(op, SIGN)]
    lines = wrap(op, 12, break_long_words=False)
    return [(line, VALUE) for line in lines if len(lines) == 2] or [(_cut(op), VALUE)]


def _node_width(op: str) -> float:
    """Of a circle, drawn out sideways as far as what is written in it needs."""
    return max(2.0 * RADIUS, *(_width(text, size) + 14 for text, size in _sign(op)))


def _root(name: str, title: str, said: str, width: float, height: float) -> Element:
    """An empty picture with its text alternative."""
    ident = _ident(name)
    svg = Element("svg", {"xmlns": SVG, "id": ident, "class": "graph", "role": "img"})
    svg.set("viewBox", f"0 0 {width:.0f} {height:.0f}")
    svg.set("width", f"{width:.0f}")
    svg.set("height", f"{height:.0f}")
    svg.set("aria-labelledby", f"{ident}-title")
    svg.set("aria-describedby", f"{ident}-desc")
    svg.set("font-family", FONT)
    svg.set("fill", "currentColor")
    _add(svg, "title", title, id=f"{ident}-title")
    _add(svg, "desc", said, id=f"{ident}-desc")
    _add(svg, "style", STYLE.replace("ID", ident))
    return svg


def _add(parent: Element, tag: str, text: str = "", **attributes: Any) -> Element:
    found = SubElement(parent, tag)
    found.text = _clean(text)
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
    for word in re.findall(r"[^\W\u3000-\u9fff]+\S*\s*|.", _clean(text)):
        if _width((lines[-1] + word).rstrip(), 1) > 14 * EM and lines[-1]:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def _write(
    parent: Element, x: float, y: float, text: str, size: float, anchor: str = "middle"
) -> None:
    """Text whose letters are centred at the height y."""
    found = _add(parent, "text", text, x=round(x, 1), y=round(y + 0.35 * size, 1))
    _set(found, font_size=size, text_anchor=anchor)


def _leading(size: float) -> float:
    return size * LEADING


def _width(text: str, size: float) -> float:
    """An upper bound of the width of a text."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return size * (wide + EM * (len(text) - wide))


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(c if c.isprintable() or c == SPACE else " " for c in text)


def _cut(text: str) -> str:
    text = _clean(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _ident(name: str) -> str:
    return "graph-" + re.sub(r"[^\w-]", "-", name, flags=re.ASCII)
