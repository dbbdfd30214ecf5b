"""A computational graph in words: how numbers are written, a sentence for every step of
forward and backward, and the graph in plain text for a terminal.

A graph is what a room's `hood.graph` returns. What is said of it here is the text
equivalent of the picture in `reports.explain.drawing`, which counts steps the same way.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest
from textwrap import wrap
from typing import Any, Literal

import numpy as np

Graph = Mapping[str, Any]

ROWS, COLUMNS = 3, 4  # of the largest array that is written out
INFIX = ("×", "+", "−", "÷", "@", "·", "dot")
JOINTS = ("╰┴╯", "├┼┤")  # of a lane that ends at a node, of one that goes on

WORDS = {
    "en": {
        "given": "Given: {values}.",
        "forward": "Forward {k} of {n}: {formula}: {result} ({name}).",
        "backward": "Backward {k} of {n}: at {op}, {arrived} arrives; {sent}.",
        "gets": "{name} gets {value}",
        "part": "{name} gets {value} (a part; more comes later)",
        "sent": "{all}",
        "sum": "{name} gets {parts}, together {total}",
        "from": "{value} from {op}",
        "nothing": "nothing goes further back",
        "comma": ", ",
        "stop": ", ",
        "and": " and ",
        "heads": ["node", "name", "value ↓", "gradient ↑"],
    },
    "ja": {
        "given": "与えられる値：{values}。",
        "forward": "順伝播（{k}/{n}）：{formula}を計算すると、{result}となります"
        "（{name}）。",
        "backward": "逆伝播（{k}/{n}）：{op}に{arrived}が届きます。{sent}。",
        "gets": "{name}へ{value}",
        "part": "{name}へ{value}（一部。残りはあとで届きます）",
        "sent": "{all}を返します",
        "sum": "{name}には{parts}が届き、合わせて{total}になります",
        "from": "{op}から{value}",
        "nothing": "ここから先へは何も返しません",
        "comma": "、",
        "stop": "。",
        "and": "、",
        "heads": ["ノード", "名前", "値 ↓", "勾配 ↑"],
    },
}


@dataclass(frozen=True)
class Step:
    """One step of the walk: `number` counts the steps of its kind from 1."""

    kind: Literal["forward", "backward"]
    number: int
    node: int
    text: str


# --- Numbers --------------------------------------------------------------------------


def tidy(value: Any) -> str:
    """A number to four significant digits; a small array as its numbers in brackets, a
    larger one as its shape.

    Integers are written whole (numbers of type float up to a million), the minus sign is
    a true one, and what is not finite is NaN, ∞ or −∞.
    """
    array = np.asarray(value)
    if array.ndim == 0:
        return _number(array[()])
    if not is_small(array):
        return str(array.shape)
    return "[" + ", ".join(map(tidy, array)) + "]"


def is_small(value: Any) -> bool:
    """Whether all of its numbers are written out."""
    shape = np.shape(value)
    if len(shape) > 2 or 0 in shape:
        return False
    rows, columns = (1, 1, *shape)[-2:]
    return rows <= ROWS and columns <= COLUMNS


def is_matrix(value: Any) -> bool:
    """Whether `block` writes rows that brackets belong around."""
    return is_small(value) and np.ndim(value) == 2


def block(value: Any, gap: str = "  ") -> list[str]:
    """A value in lines of the same length. A small matrix has a line for each row,
    without brackets, its points below each other and `gap` between its columns;
    everything else is one line.
    """
    if not is_matrix(value):
        return [tidy(value)]
    columns = [_aligned([_number(x) for x in column]) for column in np.transpose(value)]
    return [gap.join(row) for row in zip(*columns, strict=True)]


def _number(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(value).replace("-", "−")
    if np.iscomplexobj(value):
        return f"{complex(value):.4g}".replace("-", "−")
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    whole = number.is_integer() and abs(number) < 1e6
    text = f"{number:.0f}" if whole else f"{number:.4g}"
    return re.sub(r"e\+?(-?)0*", r"e\1", text).replace("-", "−")


def _aligned(numbers: Sequence[str]) -> list[str]:
    """Padded so that their points stand below each other."""
    halves = [number.partition(".") for number in numbers]
    left = max(len(whole) for whole, _, _ in halves)
    right = max(len(point + rest) for _, point, rest in halves)
    return [f"{w:>{left}}{point + rest:<{right}}" for w, point, rest in halves]


# --- Steps ----------------------------------------------------------------------------


def uses(graph: Graph) -> list[list[tuple[int, int]]]:
    """For each edge: the nodes it goes into, and as which of their inputs."""
    found: list[list[tuple[int, int]]] = [[] for _ in graph["edges"]]
    for n, node in enumerate(graph["nodes"]):
        for slot, edge in enumerate(node["inputs"]):
            found[edge].append((n, slot))
    return found


def backward_order(graph: Graph) -> list[int]:
    """The nodes that a gradient arrives at, in the order of backward."""
    edges = graph["edges"]
    return [
        n
        for n, node in reversed(list(enumerate(graph["nodes"])))
        if edges[node["output"]]["gradient"] is not None
    ]


def given(graph: Graph, lang: str) -> str:
    """What the graph starts from, in a sentence: step 0."""
    words: Any = WORDS[lang]
    made = {node["output"] for node in graph["nodes"]}
    values = [
        f"{edge['name']} = {tidy(edge['value'])}"
        for e, edge in enumerate(graph["edges"])
        if e not in made
    ]
    return str(words["given"].format(values=words["comma"].join(values)))


def sentences(graph: Graph, lang: str) -> list[Step]:
    """A sentence for each node forward, then for each that a gradient arrives at."""
    backward = backward_order(graph)
    return [
        Step("forward", n + 1, n, _forward(graph, n, lang))
        for n in range(len(graph["nodes"]))
    ] + [
        Step("backward", k, n, _backward(graph, n, k, len(backward), lang))
        for k, n in enumerate(backward, 1)
    ]


def _forward(graph: Graph, n: int, lang: str) -> str:
    words: Any = WORDS[lang]
    node, edges = graph["nodes"][n], graph["edges"]
    taken = [edges[e] for e in node["inputs"]]
    out = edges[node["output"]]
    values = [tidy(edge["value"]) for edge in taken]
    result = tidy(out["value"])
    every = [edge["value"] for edge in (*taken, out)]
    if not values:
        result = f"→ {result}"
    elif _is_call(node["op"], len(values)):
        scalars = not any(map(np.ndim, every))
        left = _formula(node["op"], values) if scalars else ", ".join(values)
        result = f"{left} {'=' if scalars else '→'} {result}"
    else:
        left = _formula(node["op"], [values[0], *map(_apart, values[1:])])
        result = f"{left} {'=' if all(map(is_small, every)) else '→'} {result}"
    return str(
        words["forward"].format(
            k=n + 1,
            n=len(graph["nodes"]),
            formula=_formula(node["op"], [edge["name"] for edge in taken]),
            result=result,
            name=out["name"],
        )
    )


def _is_call(op: str, count: int) -> bool:
    """Whether it is written f(a, b), and not a + b, a + 1 or 1/a."""
    if count > 1:
        return op not in INFIX
    if _number_first(op):
        return False
    return not re.search(r"\bx\b", op) and op[:1] not in "×+−÷"


def _number_first(op: str) -> bool:
    """Whether it is a number with a sign behind it, as in 2 − a."""
    return re.fullmatch(r"\S+ [×+−÷@^]", op) is not None


def _formula(op: str, names: Sequence[str]) -> str:
    """A node and what goes into it, as one writes it: `a × b`, `exp(a)`, `1/a`."""
    if not names:
        return op
    if _is_call(op, len(names)):
        return f"{op}{' ' * (' ' in op)}({', '.join(names)})"
    if len(names) > 1:
        return f" {op} ".join(names)
    name = names[0]
    if _number_first(op):
        return f"{op} {_apart(name)}"
    if re.search(r"\bx\b", op):
        return re.sub(r"\bx\b", lambda _: _apart(name), op)
    return f"{name} {op[0]} {op[1:].lstrip()}"


def _apart(value: str) -> str:
    """In parentheses, where a minus sign would follow another sign."""
    return f"({value})" if value.startswith("−") else value


def _backward(graph: Graph, n: int, k: int, count: int, lang: str) -> str:
    words: Any = WORDS[lang]
    node, edges = graph["nodes"][n], graph["edges"]
    single, sums = [], []
    for e in dict.fromkeys(node["inputs"]):
        name, parts = edges[e]["name"], contributions(graph, e)
        own = [value for sender, _, value in parts if sender == n]
        if len(parts) > 1 and parts[0][0] == n:  # the last that backward comes to
            listed = [
                words["from"].format(value=tidy(value), op=graph["nodes"][sender]["op"])
                for sender, _, value in parts
            ]
            total = tidy(edges[e]["gradient"])
            both = words["comma"].join(listed[:-1]) + words["and"] + listed[-1]
            sums.append(words["sum"].format(name=name, parts=both, total=total))
        else:
            how = "gets" if len(parts) == 1 else "part"
            single += [words[how].format(name=name, value=tidy(v)) for v in own]
    arrived = tidy(edges[node["output"]]["gradient"])
    if single:
        sums.insert(0, words["sent"].format(all=words["comma"].join(single)))
    sent = words["stop"].join(sums) or words["nothing"]
    return str(
        words["backward"].format(
            k=k, n=count, op=node["op"], arrived=arrived, sent=sent
        )
    )


def contributions(graph: Graph, edge: int) -> list[tuple[int, int, Any]]:
    """Who sends a gradient to this edge: node, which of its inputs, and what; in the
    order of forward, so that the first is the one whose gradient arrives last.
    """
    return [
        (n, slot, graph["nodes"][n]["gradients"][slot])
        for n, slot in uses(graph)[edge]
        if graph["nodes"][n]["gradients"][slot] is not None
    ]


# --- The graph in plain text ----------------------------------------------------------


@dataclass
class _Line:
    """An input or a node: its lanes, those below it, and what stands beside them."""

    lanes: str
    below: str
    op: str
    edge: Mapping[str, Any]
    written: list[bool]  # of value and gradient: in numbers, else as a shape


def text_graph(graph: Graph, width: int = 80, lang: str = "en") -> str:
    """The graph from top to bottom: a lane for each value from where it is made to where
    it was last used, beside it the nodes, values and gradients.

    Arrays that do not fit into `width` columns, the widest first, are written as their
    shape; names that still do not fit are cut short.
    """
    lines = list(_lanes(graph))
    heads = [[""], *([head] for head in WORDS[lang]["heads"])]
    while True:
        rows = [heads, *map(_cells, lines)]
        columns = zip(*rows, strict=True)
        widths = [max(_width(t) for cell in column for t in cell) for column in columns]
        widths[1] = min(widths[1], 20)
        over = sum(widths) + 2 * (len(widths) - 1) - width
        if over <= 0 or not _shorten(lines):
            break
    widths[2] = min(widths[2], max(widths[2] - over, 4))
    return "\n".join(
        "  ".join(map(_fit, cells, widths)).rstrip()
        for row in rows
        for cells in zip_longest(*row, fillvalue="")
    ).rstrip()


def _cells(line: _Line) -> list[list[str]]:
    """What stands in each column, in lines of text."""
    op = wrap(line.op, 12, break_long_words=False) or [""]
    values = map(_cell, (line.edge["value"], line.edge["gradient"]), line.written)
    cells = [op, [str(line.edge["name"])], *values]
    height = max(map(len, cells))
    more = height - (height == 1)  # an empty line below what has several
    return [[line.lanes, *[line.below] * more], *cells]


def _cell(value: Any, written: bool) -> list[str]:
    if value is None:
        return ["–"]
    if not written:
        return [str(np.shape(value))]
    if is_matrix(value):
        return [f"[{row}]" for row in block(value, " ")]
    return block(value)


def _shorten(lines: Sequence[_Line]) -> bool:
    """Write the widest array that is written out as its shape, if there is one."""
    candidates = [
        (len(_cell(value, True)[0]), line, k)
        for line in lines
        for k, value in enumerate((line.edge["value"], line.edge["gradient"]))
        if line.written[k] and np.ndim(value)
    ]
    if not candidates:
        return False
    _, line, k = max(candidates, key=lambda found: found[0])
    line.written[k] = False
    return True


def _width(text: str) -> int:
    """In columns of a terminal."""
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _fit(text: str, size: int) -> str:
    """Padded or cut to a width."""
    if _width(text) > size:
        while _width(text) >= size:
            text = text[:-1]
        text += "…"
    return text + " " * (size - _width(text))


def _lanes(graph: Graph) -> Iterator[_Line]:
    """Inputs just before they are first used, nodes in the order of forward."""
    edges, nodes = graph["edges"], graph["nodes"]
    left = [len(used) for used in uses(graph)]
    inputs = dict.fromkeys(range(len(edges)))
    for node in nodes:
        inputs.pop(node["output"], None)
    lanes: dict[int, int] = {}  # the edge in each

    def line(op: str, edge: int, taken: Sequence[int] = ()) -> _Line:
        before = dict(lanes)
        for one in taken:
            left[one] -= 1
        joined = [lane for lane, one in before.items() if one in taken]
        ended = [lane for lane in joined if not left[before[lane]]]
        for lane in ended:
            del lanes[lane]
        own = min(ended, default=next(k for k in count() if k not in lanes))
        lanes[own] = edge
        drawn = _row(own, "○" if op else "●", joined, lanes)
        if not left[edge]:
            del lanes[own]
        below = "".join(
            "│ " if k in lanes else "  " for k in range(max(lanes, default=0) + 1)
        )
        return _Line(drawn, below, op, edges[edge], [True, True])

    for node in nodes:
        for edge in node["inputs"]:
            if edge in inputs:
                del inputs[edge]
                yield line("", edge)
        yield line(node["op"], node["output"], node["inputs"])
    for edge in inputs:
        yield line("", edge)


def _row(own: int, sign: str, joined: Sequence[int], lanes: Mapping[int, int]) -> str:
    """One line across the lanes: a sign in its own, tied to those that go into it."""
    low, high = min((own, *joined)), max((own, *joined))
    drawn = ""
    for lane in range(max((high, *lanes)) + 1):
        across = low < lane < high
        if lane == own:
            drawn += sign
        elif lane in joined:
            drawn += JOINTS[lane in lanes][
                0 if lane == low else 2 if lane == high else 1
            ]
        else:
            drawn += "│" if lane in lanes else "─" if across else " "
        drawn += "─" if low <= lane < high else " "
    return drawn
