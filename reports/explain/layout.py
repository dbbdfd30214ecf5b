"""Where everything in the picture of a graph stands: columns of spots, the lines from spot
to spot, and the room that what is written needs. `drawing` draws it.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
from jaxtyping import Float

from gradparity.reports.explain import walk

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


@dataclass(frozen=True)
class Note:
    """A value or a gradient as it is written along an edge."""

    lines: Sequence[str]
    bracketed: bool = False

    @property
    def width(self) -> float:
        return max(text_width(line, VALUE) for line in self.lines) + 16 * self.bracketed

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
class Route:
    """The way of an edge into one input of a node, from where the edge begins."""

    edge: int
    node: int
    slot: int
    spots: Sequence[Spot]


def note_of(value: Any) -> Note | None:
    return None if value is None else Note(walk.block(value), walk.is_matrix(value))


def written(graph: walk.Graph, edge: int) -> tuple[str, Note, Note | None]:
    """What is written along an edge: small, its name (that of an input stands before
    it) and the type of a large array; its value; its gradient.
    """
    told = graph["edges"][edge]
    made = any(node["output"] == edge for node in graph["nodes"])
    large = not walk.is_small(told["value"])
    small = [shortened(told["name"])] * made + [
        str(np.asarray(told["value"]).dtype)
    ] * large
    value = Note(walk.block(told["value"]), walk.is_matrix(told["value"]))
    return " ".join(small), value, note_of(told["gradient"])


def spots_and_routes(graph: walk.Graph) -> tuple[list[Spot], list[Route]]:
    """Where each edge begins, and the ways from there."""
    ranks, used = _ranks(graph), walk.uses(graph)
    forks = {ranks[e] for e, ways in enumerate(used) if len(ways) > 1}
    starts = [_start(graph, e, 2 * rank) for e, rank in enumerate(ranks)]
    routes = []
    for n, node in enumerate(graph["nodes"]):
        for slot, e in enumerate(node["inputs"]):
            start, end = starts[e], starts[node["output"]]
            between = range(start.column + 1, end.column)
            way = [Spot(e, c) for c in between if c % 2 == 0 or c // 2 in forks]
            sent = note_of(node["gradients"][slot])
            if len(used[e]) > 1 and sent:
                way[0].label = max(30, sent.width) + 2 * PAD
                way[0].below = UNDER + sent.height
            for one, other in pairwise([start, *way, end]):
                one.after.append(other)
                other.before.append(one)
            routes.append(Route(e, n, slot, [start, *way, end]))
    return starts, routes


def _start(graph: walk.Graph, edge: int, column: int) -> Spot:
    """Where an edge begins, with room for what is written there."""
    maker = next((n for n in graph["nodes"] if n["output"] == edge), None)
    name = graph["edges"][edge]["name"]
    small, value, gradient = written(graph, edge)
    notes = [note for note in (value, gradient) if note]
    width = max(30, text_width(small, NAME), *(note.width for note in notes))
    spot = Spot(edge, column, label=width + 2 * PAD)
    head = RADIUS if maker else VALUE
    spot.above = max(head, OVER + value.height + leading(NAME) * bool(small))
    spot.below = max(head, UNDER + gradient.height if gradient else 0)
    if maker:
        spot.head = node_width(maker["op"])
    elif name:
        spot.head = text_width(shortened(name), VALUE) + PAD
    return spot


def _ranks(graph: walk.Graph) -> list[int]:
    """In which column each edge begins: after all that its node takes; inputs, and what
    only they lead to, as far to the right as they can.
    """
    nodes, used = graph["nodes"], walk.uses(graph)
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


def columns_of(starts: Sequence[Spot]) -> list[list[Spot]]:
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


def arrange(columns: list[list[Spot]]) -> None:
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


def set_heights(columns: Sequence[Sequence[Spot]], made: set[int]) -> float:
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


def set_widths(columns: Sequence[Sequence[Spot]]) -> float:
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


def lines_in_node(op: str) -> list[tuple[str, float]]:
    """What is written into a node: lines and their sizes."""
    op = clean(op)
    if len(op) == 1:
        return [(op, SIGN)]
    lines = wrap(op, 12, break_long_words=False)
    return [(line, VALUE) for line in lines if len(lines) == 2] or [
        (shortened(op), VALUE)
    ]


def node_width(op: str) -> float:
    """Of a circle, drawn out sideways as far as what is written in it needs."""
    return max(
        2.0 * RADIUS, *(text_width(text, size) + 14 for text, size in lines_in_node(op))
    )


def leading(size: float) -> float:
    return size * LEADING


def text_width(text: str, size: float) -> float:
    """An upper bound of the width of a text."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return size * (wide + EM * (len(text) - wide))


def clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(c if c.isprintable() or c == SPACE else " " for c in text)


def shortened(text: str) -> str:
    text = clean(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
