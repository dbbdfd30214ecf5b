"""Computational graphs as pictures, sentences and plain text, made of small graphs that
no run has to compute.

What is looked at here is what is written and where; what a browser makes of it, and of
the keys and buttons, is tested in a browser.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest

from gradparity.reports.explain import drawing
from gradparity.reports.explain.walk import (
    backward_order,
    block,
    given,
    sentences,
    text_graph,
    tidy,
)

BAD = "<script>alert(1)</script>\"'&{{ 7 * 7 }}\x00\x1b"
SVG = "{http://www.w3.org/2000/svg}"
Given = dict[str, Any]
Node = tuple[str, str, str, Any, list[Any]]


def graph(inputs: Given, nodes: list[Node], dout: Any = 1.0) -> dict[str, Any]:
    """Of inputs by name, and nodes as (op, names it takes, name, value, gradients)."""
    edges = [_edge(*item) for item in inputs.items()]
    edges += [_edge(name, value) for _, _, name, value, _ in nodes]
    index = {edge["name"]: k for k, edge in enumerate(edges)}
    edges[-1]["gradient"] = np.asarray(dout)
    made = []
    for op, taken, name, _, sent in nodes:
        gradients = [None if g is None else np.asarray(g) for g in sent]
        places = [index[one] for one in taken.split()]
        made.append(
            {
                "op": op,
                "inputs": places,
                "output": index[name],
                "gradients": gradients,
                "where": "",
            }
        )
        for place, gradient in zip(places, gradients, strict=True):
            before = edges[place]["gradient"]
            if gradient is not None:
                after = gradient if before is None else before + gradient
                edges[place]["gradient"] = np.asarray(after)
    return {"nodes": made, "edges": edges}


def _edge(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "value": np.asarray(value), "gradient": None}


BILL = graph(
    {"apple": 100.0, "apple_num": 2.0, "orange": 150.0, "orange_num": 3.0, "tax": 1.1},
    [
        ("×", "apple apple_num", "apple_price", 200.0, [2.2, 110.0]),
        ("×", "orange orange_num", "orange_price", 450.0, [3.3, 165.0]),
        ("+", "apple_price orange_price", "fruit_price", 650.0, [1.1, 1.1]),
        ("×", "fruit_price tax", "out", 715.0, [1.1, 650.0]),
    ],
)
RELU = graph(
    {"x": [[1, -0.5], [-2, 3.0]]},
    [("relu", "x", "out", [[1, 0], [0, 3.0]], [[[1, 0], [0, 4.0]]])],
    [[1, 2], [3, 4.0]],
)
E = [[0.02472, 0.3329, 1.0], [1.0, 0.2231, 0.4493]]
BRANCH = graph(  # as in softmax with loss, with labels that have no gradient
    {"z": [[-3.7, -1.1, 0.0], [0.0, -1.5, -0.8]], "t": [2, 0]},
    [
        ("exp", "z", "e", E, [np.full((2, 3), 1.25)]),
        ("sum", "e", "total", [[1.358], [1.672]], [np.full((2, 3), 0.2)]),
        ("÷", "e total", "y", E, [np.full((2, 3), -0.1), [[0.3683], [0.299]]]),
        ("− mean at t", "y t", "out", 0.41, [np.full((2, 3), -0.5), None]),
    ],
)
NET = graph(
    {
        "x": np.zeros((100, 784), np.float32),
        "t": np.zeros(100, np.int64),
        "W1": np.zeros((784, 50), np.float32),
        "b1": np.zeros(50, np.float32),
    },
    [
        (
            "affine",
            "x W1 b1",
            "Affine1",
            np.zeros((100, 50), np.float32),
            [np.zeros((100, 784)), np.zeros((784, 50)), np.zeros(50)],
        ),
        ("softmax with loss", "Affine1 t", "out", 2.3, [np.zeros((100, 50)), None]),
    ],
)
CHAIN = graph(
    {"x": 0.5},
    [
        ("sin", f"v{k}" if k else "x", f"v{k + 1}" if k < 24 else "out", -k / 7, [-k])
        for k in range(25)
    ],
)
WOVEN = graph(  # squares, skipped columns, crossing lines, a result that is not used
    {"x": 1.5, "y": -0.5},
    [
        ("×", "x x", "a", 2.25, [1.685, 1.685]),
        ("×", "x y", "b", -0.75, [-0.07986, 0.2396]),
        ("+", "a b", "c", 1.5, [0.1597, 0.1597]),
        ("sin", "x", "d", 0.9975, [0.01699]),
        ("tanh", "y", "unused", -0.4621, [None]),
        ("×", "d c", "e", 1.496, [0.2402, 0.1597]),
        ("−", "e y", "f", 1.996, [0.1601, -0.1601]),
        ("×", "f a", "h", 2.168, [2.25, 0.9638]),
        ("+", "h x", "out", 3.668, [1.0, 1.0]),
    ],
)
RESIDUAL = graph(
    {f"w{k}": [1.0, -k / 3] for k in range(10)} | {"v0": [0.5, -1.0]},
    [
        node
        for k in range(10)
        for node in (
            ("×", f"v{k} w{k}", f"p{k}", [0.5, -1e-7], [[1.0, 2e-5], [np.inf, np.nan]]),
            ("tanh", f"p{k}", f"h{k}", [0.4621, -0.0], [[1.0, -1234567.0]]),
            ("+", f"v{k} h{k}", f"v{k + 1}", [1.5, 12345.678], [[1, 1], [1, 1]]),
        )
    ],
    [1.0, 1.0],
)
names = {"a": BAD, "b": "とても長い名前の入力です" * 3, "o": "</title>" + "o" * 40}
HOSTILE = graph(
    {"a": 1.0, "b": np.nan, "unused": True},
    [("</text><b>" + "x" * 40, "a b", "o", -np.inf, [np.inf, None])],
)
for edge in HOSTILE["edges"]:
    edge["name"] = names.get(edge["name"], edge["name"])
SAMPLES = {
    "bill": BILL,
    "relu": RELU,
    "branch": BRANCH,
    "net": NET,
    "chain": CHAIN,
    "woven": WOVEN,
    "residual": RESIDUAL,
    "hostile": HOSTILE,
}
every = pytest.mark.parametrize("name", SAMPLES)


# --- Pictures -------------------------------------------------------------------------


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def on(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def drawn(name: str, lang: str = "en") -> ElementTree.Element:
    svg = drawing.draw(SAMPLES[name], name, f"Graph of {BAD}", lang)
    return ElementTree.fromstring(svg)


def number(element: ElementTree.Element, name: str) -> float:
    return float(element.get(name, "nan"))


def extent(text: ElementTree.Element) -> Box:
    """Of a text in a font whose letters are 0.61 of their size, or all of it, wide."""
    size, x, y = (number(text, name) for name in ("font-size", "x", "y"))
    wide = [unicodedata.east_asian_width(c) in "WF" for c in text.text or ""]
    width = size * sum(1 if w else 0.61 for w in wide)
    left = x - width * {"middle": 0.5, "end": 1}[text.get("text-anchor", "")]
    return Box(left, y - 0.8 * size, left + width, y + 0.22 * size)


def circle(rect: ElementTree.Element) -> Box:
    x, y, width, height = (number(rect, name) for name in ("x", "y", "width", "height"))
    return Box(x, y, x + width, y + height)


def points(path: str) -> Iterator[tuple[float, float]]:
    """Along a path of the commands that edges are drawn with: M, H and C."""
    x = y = 0.0
    for command, arguments in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        values = [float(v) for v in arguments.split()]
        assert command in "MHC", path
        if command == "M":
            x, y = values
        elif command == "H":
            for k in range(101):
                yield x + (values[0] - x) * k / 100, y
            x = values[0]
        else:
            across, down = ([start, *values[i::2]] for i, start in enumerate((x, y)))
            for t in np.linspace(0, 1, 40):
                weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield float(np.dot(weights, across)), float(np.dot(weights, down))
            x, y = values[-2:]


@every
def test_nothing_overlaps_and_nothing_is_cut_off(name: str) -> None:
    svg = drawn(name)
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    page = Box(0, 0, width, height)
    texts = [(group, text) for group in svg for text in group.findall(f"{SVG}text")]
    nodes = {group: circle(r) for group in svg for r in group.findall(f"{SVG}rect")}
    boxes = [extent(text) for _, text in texts]
    assert len(nodes) == len(SAMPLES[name]["nodes"])
    for k, (group, text) in enumerate(texts):
        box = boxes[k]
        assert page.left <= box.left, text.text
        assert box.right <= page.right, text.text
        assert page.top <= box.top, text.text
        assert box.bottom <= page.bottom, text.text
        for other, (_, its) in zip(boxes[:k], texts, strict=False):
            assert not box.on(other), (text.text, its.text)
        for owner, node in nodes.items():
            if owner is group:  # the sign of a node is inside it
                assert node.left < box.left
                assert box.right < node.right
            else:
                assert not box.on(node), text.text
    circles = list(nodes.values())
    for k, node in enumerate(circles):
        assert not any(node.on(other) for other in circles[:k])


@every
def test_no_edge_runs_through_words_or_nodes(name: str) -> None:
    svg = drawn(name)
    boxes = [extent(text) for text in svg.iter(f"{SVG}text")]
    boxes += [circle(rect) for rect in svg.iter(f"{SVG}rect")]
    lines = [
        path.get("d", "")
        for group in svg
        if group.get("class") is None
        for path in group.findall(f"{SVG}path")
        if "l" not in path.get("d", "")  # the head of an arrow
    ]
    edges = len(SAMPLES[name]["edges"])
    assert len(lines) == edges + sum(len(n["inputs"]) for n in SAMPLES[name]["nodes"])
    for line in lines:
        for x, y in points(line):
            hit = [
                b
                for b in boxes
                if b.left + 1 < x < b.right - 1 and b.top < y < b.bottom
            ]
            # A round node's box has corners that are not its own.
            assert not [b for b in hit if abs(y - (b.top + b.bottom) / 2) < 18], line


@every
def test_every_value_and_gradient_is_there(name: str) -> None:
    svg, sample = drawn(name), SAMPLES[name]
    shown = {
        kind: [
            (text.text or "").replace("\N{NO-BREAK SPACE}", " ")
            for group in svg
            if group.get("class") == kind
            for text in group.findall(f"{SVG}text")
        ]
        for kind in ("forward", "backward")
    }
    values = [line for edge in sample["edges"] for line in block(edge["value"])]
    assert sorted(shown["forward"]) == sorted(values)
    uses = [e for node in sample["nodes"] for e in node["inputs"]]
    gradients = [edge["gradient"] for edge in sample["edges"]]
    gradients += [  # on each branch its own, the sum is on the stem
        gradient
        for node in sample["nodes"]
        for e, gradient in zip(node["inputs"], node["gradients"], strict=True)
        if uses.count(e) > 1
    ]
    lines = [line for g in gradients if g is not None for line in block(g)]
    assert sorted(shown["backward"]) == sorted(lines)


def test_values_are_above_and_gradients_below_the_edge() -> None:
    written = [
        (number(text, "x"), number(text, "y"), group.get("class"), text.text)
        for group in drawn("bill")
        if group.get("class") in ("forward", "backward")
        for text in group.findall(f"{SVG}text")
    ]
    for value, gradient in (("100", "2.2"), ("2", "110"), ("1.1", "650"), ("715", "1")):
        ((x, y, _, _),) = [w for w in written if w[2:] == ("forward", value)]
        below = [w for w in written if w[0] == x and w[1] > y]
        assert min(below, key=lambda w: w[1])[2:] == ("backward", gradient)


def test_the_first_input_is_above_the_second_and_all_flows_to_the_right() -> None:
    svg = drawn("bill")
    where = {t.text: t for t in svg.iter(f"{SVG}text")}
    heights = [
        number(where[n], "y") for n in ("apple", "apple_num", "orange", "orange_num")
    ]
    assert heights == sorted(heights)
    across = ["apple", "apple_price", "fruit_price", "out"]
    columns = [number(where[n], "x") for n in across]
    assert columns == sorted(columns)


def test_a_chain_is_straight_also_with_inputs_beside_it() -> None:
    for name, last in (("chain", 25), ("bill", 2)):
        nodes = [circle(rect) for rect in drawn(name).iter(f"{SVG}rect")]
        assert len({node.top for node in sorted(nodes)[-last:]}) == 1


def test_lines_arrive_in_the_order_of_the_inputs() -> None:
    groups = drawn("bill").findall(f"{SVG}g")[:8]  # two lines into each of four nodes
    ends = [list(points(group[0].get("d", "")))[-1] for group in groups]
    for (x, y), (to_x, to_y) in zip(ends[::2], ends[1::2], strict=True):
        assert abs(x - to_x) < drawing.RADIUS
        assert y < to_y - 15


def test_a_branch_has_a_dot_where_the_stem_splits() -> None:
    dots = list(drawn("branch").iter(f"{SVG}circle"))
    assert len(dots) == 2  # one over the other: each comes with its own branch
    assert len({(c.get("cx"), c.get("cy")) for c in dots}) == 1
    assert not list(drawn("bill").iter(f"{SVG}circle"))


def test_each_part_comes_with_its_step() -> None:
    svg = drawn("branch")
    steps: dict[str, set[str]] = {}
    for group in svg.findall(f"{SVG}g"):
        for text in group.findall(f"{SVG}text"):
            kind = group.get("class", "other")
            key = f"{kind} {(text.text or '').split(chr(0xA0))[0]}"
            steps.setdefault(key, set()).add(group.get("data-step", ""))
    assert steps["other z"] == steps["other t"] == {"0"}
    assert steps["forward [2, 0]"] == {"0"}
    assert steps["node exp"] == steps["other e"] == {"1"}
    assert steps["node ÷"] == {"3"}
    assert steps["forward 0.41"] == {"4"}
    assert steps["backward 1"] == {"5"}  # arrives at the last node, which then sends
    assert steps["backward −0.5"] == {"5"}
    assert steps["backward −0.1"] == {"6"}  # the first branch
    assert steps["backward 0.2"] == {"7"}  # the second branch,
    assert steps["backward 0.1"] == {"7"}  # and with it the sum
    assert steps["backward 1.25"] == {"8"}


@every
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_picture_says_what_it_shows(name: str, lang: str) -> None:
    svg, sample = drawn(name, lang), SAMPLES[name]
    assert svg.get("role") == "img"
    said = {element.get("id"): element.text or "" for element in svg.iter()}
    assert said[svg.get("aria-labelledby")].startswith("Graph of <script>")
    desc = said[svg.get("aria-describedby")]
    for step in sentences(sample, lang):
        assert step.text[:40].split("\x00")[0] in desc
    assert desc.startswith(given(sample, lang)[:10])
    ids = [element.get("id") for element in svg.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) == 3


def test_the_figure_escapes_names_and_holds_every_sentence() -> None:
    html = drawing.figure(HOSTILE, BAD, BAD, "en")
    assert "<script" not in html
    assert "<b>" not in html
    page = ElementTree.fromstring(str(html).replace(" hidden>", ' hidden="">'))
    items = page.findall(".//ol/li")
    assert [item.get("data-node") for item in items] == ["0", "0"]
    assert page.get("tabindex") == "0"
    buttons = ["".join(b.itertext()) for b in page.iter("button")]
    assert buttons == ["⇤ Start", "← Back", "Forward →", "All ⇥"]


def test_a_graph_without_nodes_is_a_line() -> None:
    svg = drawing.draw(graph({"x": 3.0}, []), "x", "x", "en")
    assert ">3</text>" in svg


def test_the_loop_has_a_box_for_each_step_and_arrows_round() -> None:
    steps = ["mini-batch of 100 & more", "<gradient>", "パラメータを更新する", "repeat"]
    svg = ElementTree.fromstring(drawing.draw_loop(steps, "loop", "The loop"))
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    assert width <= 360
    boxes = [circle(rect) for rect in svg.findall(f"{SVG}rect")]
    assert len(boxes) == 4
    for text in svg.iter(f"{SVG}text"):
        box = extent(text)
        assert any(
            b.left < box.left and box.right < b.right and b.top < box.top for b in boxes
        )
    for k, box in enumerate(boxes):
        assert not any(box.on(other) for other in boxes[:k])
        assert box.right < width
        assert box.bottom < height
    arrows = [
        g.get("transform", "") for g in svg.findall(f"{SVG}g") if g.get("transform")
    ]
    turns = [re.findall(r"rotate\((.*)\)", arrow)[0] for arrow in arrows]
    assert turns == ["0.0", "90.0", "180.0", "-90.0"]


# --- Words ----------------------------------------------------------------------------


def test_the_bill_in_english() -> None:
    assert given(BILL, "en") == (
        "Given: apple = 100, apple_num = 2, orange = 150, orange_num = 3, tax = 1.1."
    )
    assert [step.text for step in sentences(BILL, "en")] == [
        "Forward 1 of 4: apple × apple_num: 100 × 2 = 200 (apple_price).",
        "Forward 2 of 4: orange × orange_num: 150 × 3 = 450 (orange_price).",
        "Forward 3 of 4: apple_price + orange_price: 200 + 450 = 650 (fruit_price).",
        "Forward 4 of 4: fruit_price × tax: 650 × 1.1 = 715 (out).",
        "Backward 1 of 4: at ×, 1 arrives; fruit_price gets 1.1, tax gets 650.",
        "Backward 2 of 4: at +, 1.1 arrives; apple_price gets 1.1, orange_price gets "
        "1.1.",
        "Backward 3 of 4: at ×, 1.1 arrives; orange gets 3.3, orange_num gets 165.",
        "Backward 4 of 4: at ×, 1.1 arrives; apple gets 2.2, apple_num gets 110.",
    ]


def test_the_bill_in_japanese() -> None:
    said = [step.text for step in sentences(BILL, "ja")]
    assert said[0] == (
        "順伝播（1/4）：apple × apple_numを計算すると、100 × 2 = 200となります"
        "（apple_price）。"
    )
    assert (
        said[4]
        == "逆伝播（1/4）：×に1が届きます。fruit_priceへ1.1、taxへ650を返します。"
    )
    assert len(said) == 8


def test_steps_are_counted_by_kind_and_know_their_node() -> None:
    steps = [(step.kind, step.number, step.node) for step in sentences(BILL, "en")]
    assert steps[:4] == [("forward", k + 1, k) for k in range(4)]
    assert steps[4:] == [("backward", k + 1, 3 - k) for k in range(4)]


def test_a_branch_gets_a_sum() -> None:
    said = [step.text for step in sentences(WOVEN, "en")]
    assert said[10] == (
        "Backward 2 of 8: at ×, 1 arrives; f gets 2.25, a gets 0.9638 (a part; more "
        "comes later)."
    )
    assert said[-2].endswith(
        "y gets 0.2396 from × and −0.1601 from −, together 0.0795."
    )
    assert said[-1] == (
        "Backward 8 of 8: at ×, 1.123 arrives; x gets 1.685 from ×, 1.685 from ×, "
        "−0.07986 from ×, 0.01699 from sin and 1 from +, together 4.307."
    )
    japanese = sentences(WOVEN, "ja")[-2].text
    assert japanese.endswith(
        "yには×から0.2396、−から−0.1601が届き、合わせて0.0795になります。"
    )


def test_what_no_gradient_arrives_at_is_passed_over() -> None:
    assert backward_order(WOVEN) == [8, 7, 6, 5, 3, 2, 1, 0]
    assert backward_order(BRANCH) == [3, 2, 1, 0]
    assert "t gets" not in " ".join(step.text for step in sentences(BRANCH, "en"))


@pytest.mark.parametrize(
    ("op", "values", "out", "said"),
    [
        ("exp", [-1.0], 0.36788, "exp(a): exp(−1) = 0.3679"),
        ("×(−1)", [-2.0], 2.0, "a × (−1): −2 × (−1) = 2"),
        ("+1", [0.25], 1.25, "a + 1: 0.25 + 1 = 1.25"),
        ("1/x", [-4.0], -0.25, "1/a: 1/(−4) = −0.25"),
        ("−", [1.0, -2.0], 3.0, "a − b: 1 − (−2) = 3"),
        ("relu", [[1.0, -2.0]], [1.0, 0.0], "relu(a): [1, −2] → [1, 0]"),
        ("+", [[1, 2], [3, 4]], [4, 6], "a + b: [1, 2] + [3, 4] = [4, 6]"),
        (
            "dot",
            [np.ones((9, 9))] * 2,
            np.ones((9, 9)),
            "a dot b: (9, 9) dot (9, 9) → (9, 9)",
        ),
        ("max", [1.0, 2.0], 2.0, "max(a, b): max(1, 2) = 2"),
        ("softmax with loss", [[1.0], 0], 0.0, "softmax with loss (a, b): [1], 0 → 0"),
        ("iota", [], [0, 1], "iota: → [0, 1]"),
    ],
)
def test_a_node_is_written_as_one_writes_it(
    op: str, values: list[Any], out: Any, said: str
) -> None:
    names = "ab"[: len(values)]
    inputs = dict(zip(names, values, strict=True))
    made = graph(inputs, [(op, " ".join(names), "out", out, [None] * len(names))])
    assert sentences(made, "en")[0].text == f"Forward 1 of 1: {said} (out)."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"),
        (-0.5, "−0.5"),
        (-0.0, "−0"),
        (1 / 3, "0.3333"),
        (np.float32(1.1), "1.1"),
        (np.float32(650.00006), "650"),
        (12345.0, "12345"),
        (12345.678, "1.235e4"),
        (1e-5, "1e−5"),
        (-1.5e30, "−1.5e30"),
        (np.nan, "NaN"),
        (-np.inf, "−∞"),
        (np.int64(-1234567), "−1234567"),
        (True, "True"),
        (1 - 2j, "1−2j"),
        ([1, -0.5], "[1, −0.5]"),
        ([[1.0, -0.5], [-2.0, 3.0]], "[[1, −0.5], [−2, 3]]"),
        (np.zeros((3, 4), bool), str([[False] * 4] * 3)),
        (np.zeros((4, 3)), "(4, 3)"),
        (np.zeros(5), "(5,)"),
        (np.zeros((1, 1, 1)), "(1, 1, 1)"),
        (np.zeros((0, 2)), "(0, 2)"),
    ],
)
def test_numbers_are_written_one_way(value: Any, text: str) -> None:
    assert tidy(value) == text


def test_the_points_of_a_matrix_stand_below_each_other() -> None:
    assert block([[1, -0.5], [-2.25, 30]]) == [" 1     −0.5", "−2.25  30  "]
    assert block([1, 2]) == ["[1, 2]"]


# --- Plain text -----------------------------------------------------------------------


def test_the_bill_in_plain_text() -> None:
    assert text_graph(BILL) == (
        "        node  name          value ↓  gradient ↑\n"
        "●             apple         100      2.2\n"
        "│ ●           apple_num     2        110\n"
        "○─╯     ×     apple_price   200      1.1\n"
        "│ ●           orange        150      3.3\n"
        "│ │ ●         orange_num    3        165\n"
        "│ ○─╯   ×     orange_price  450      1.1\n"
        "○─╯     +     fruit_price   650      1.1\n"
        "│ ●           tax           1.1      650\n"
        "○─╯     ×     out           715      1"
    )


def test_a_lane_goes_on_to_where_it_is_used_again() -> None:
    lanes = [line[:4].rstrip() for line in text_graph(BRANCH).splitlines()]
    assert [lane for lane in lanes if lane.strip("│ ")] == [
        *("●", "○", "├─○", "○─╯", "│ ●", "○─╯")
    ]


@every
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_plain_text_fits_into_a_terminal(name: str, lang: str) -> None:
    text = text_graph(SAMPLES[name], 80, lang)
    for line in text.splitlines():
        wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
        assert len(line) + wide <= 80, line
    signs = re.findall("[●○]", text)
    assert signs.count("○") == len(SAMPLES[name]["nodes"])
    assert len(signs) == len(SAMPLES[name]["edges"])


def test_what_does_not_fit_is_written_as_a_shape() -> None:
    assert "[0.02472 0.3329 1     ]" in text_graph(BRANCH, 80)
    assert "[0.02472 0.3329 1     ]" not in text_graph(BRANCH, 60)
    assert "(2, 3)" in text_graph(BRANCH, 60)
