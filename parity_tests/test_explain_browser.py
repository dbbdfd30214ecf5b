"""The pages of `gradparity explain` in a real browser: the graphs that one walks through,
the exercises, and how all of it looks on a phone, on paper and without a script.

Like those of the report these tests need a Chromium and run with `pytest -m browser`.
What the pages say is tested in `test_explain`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page

from parity_tests.browsing import (
    DESKTOP,
    PHONE,
    Open,
    colour,
    contrast,
    cut_off,
    luminance,
    overflows,
    overlapping,
    rgb,
    visits,
)
from reference.datasets import load
from reference.layers import Affine, BuyFruit, Relu, SoftmaxWithLoss
from reference.networks import TwoLayerNet
from reports.explain import drawing, looking, making, output, walk
from reports.explain.topics import TOPICS
from reports.explain.words import LANGUAGES, ui

pytestmark = pytest.mark.browser
pytest.importorskip("torch")
pytest.importorskip("jax")
for room in ("torch_impl", "jax_impl"):  # one after the other, see test_explain
    import_module(f"{room}.hood")
    import_module(f"{room}.networks")

PAGES = [(name, lang) for name in ("index", *TOPICS) for lang in LANGUAGES]
DRAWN = [name for name, topic in TOPICS.items() if topic.examples]
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
PAPER = (718, 1047)  # A4 within margins of a centimetre
# Three digits of the number that each topic's first exercise asks for.
ANSWERS = {
    "buy_fruit": "6.5",
    "relu": "5",
    "sigmoid": "0.197",
    "affine": "1",
    "softmax_with_loss": "0.737",
    "two_layer_net": "-0.0397",
    "training": "100",
}
SEEN = """figure => {
    const all = (selector) => [...figure.querySelectorAll(selector)];
    const seen = (e) => e.checkVisibility({ visibilityProperty: true });
    const written = (e) => e.querySelectorAll("text").values().map((t) => t.textContent);
    const of = (selector) => all(selector).filter(seen).map((e) => [...written(e)]);
    const steps = all("[data-step]");
    return {
        now: steps.filter((e) => e.classList.contains("now")).map((e) => e.dataset.step),
        shown: steps.filter(seen).map((e) => Number(e.dataset.step)),
        hidden: steps.filter((e) => !seen(e)).map((e) => Number(e.dataset.step)),
        nodes: of("svg .node").map((lines) => lines.join(" ")),
        values: of("svg .forward").flat(),
        gradients: of("svg .backward").flat(),
        said: figure.querySelector(".said").textContent,
        current: all("[aria-current=step]").map((e) => e.textContent),
    };
}"""
# The lines of the value above a name's edge, or of the gradient below it. An input's name
# stands before its edge, that of the output above its value.
BESIDE = """(svg, [name, kind]) => {
    const label = [...svg.querySelectorAll("text")]
        .find((e) => e.textContent === name && !e.closest(".node, .forward, .backward"));
    const box = (e) => e.getBoundingClientRect();
    const at = box(label), middle = (at.top + at.bottom) / 2;
    const gaps = label.getAttribute("text-anchor") === "end"
        ? (to) => [to.left - at.right, kind === "forward" ? middle - to.bottom : to.top - middle]
        : (to) => [-Math.abs(to.left + to.right - at.left - at.right), to.top - at.bottom];
    const found = [...svg.querySelectorAll("g." + kind)]
        .map((e) => [e, gaps(box(e))])
        .filter(([, gaps]) => Math.min(...gaps) > -4)
        .sort(([, a], [, b]) => a[0] + 5 * a[1] - b[0] - 5 * b[1]);
    return [...found[0][0].querySelectorAll("text")].map((e) => e.textContent);
}"""
# What is said of each of these texts as an answer.
SAID = """(exercise, texts) => texts.map((text) => {
    exercise.querySelector("input").value = text;
    exercise.querySelector("button").click();
    return exercise.querySelector(".said").textContent;
})"""

Press = Callable[[str], None]
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, as `gradparity explain --all` writes them."""
    import os
    if os.environ.get("DEVSITE"):
        return Path(os.environ["DEVSITE"])
    target = tmp_path_factory.mktemp("explain") / "site"
    output.write_site(target, load("digits"), "float32", lambda: None)
    return target


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    with visits(browser) as open_page:
        yield open_page


def at(site: Path, name: str, lang: str = "en") -> str:
    """The address of a page."""
    return (site / output.address(name, lang)).as_uri()


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((e) => e.open = true)")


# --- Walking through a graph ----------------------------------------------------------


def by_keys(figure: Locator, lang: str) -> Press:
    keys = {"first": "Home", "back": "ArrowLeft", "forward": "ArrowRight", "last": "End"}
    figure.focus()
    return lambda where: figure.page.keyboard.press(keys[where])


def by_buttons(figure: Locator, lang: str) -> Press:
    ways: Any = drawing.WORDS[lang]["buttons"]
    names = dict(zip(("first", "back", "forward", "last"), ways, strict=True))

    def press(where: str) -> None:
        figure.get_by_role("button", name=names[where], exact=True).click()

    return press


def route(last: int) -> list[tuple[str, int]]:
    """Through all steps and back, and past both ends: what is pressed, and the step that
    is come to.
    """
    there = [("forward", step) for step in range(1, last + 1)]
    back = [("back", step) for step in reversed(range(last))]
    again = [("forward", 0)]  # after the last comes the first
    return [*again, *there, *again, ("last", last), *back, ("back", 0), ("last", last)]


def expected(graph: walk.Graph, step: int) -> dict[str, list[str]]:
    """What has been drawn after so many steps, from the graph alone."""
    nodes, edges = graph["nodes"], graph["edges"]
    back = walk.backward_order(graph)[: max(step - len(nodes), 0)]
    makers = {node["output"]: n for n, node in enumerate(nodes)}
    values, gradients = [], []
    for e, edge in enumerate(edges):
        if makers.get(e, -1) < step:
            values.append(edge["value"])
        sent = walk.contributions(graph, e)
        whole = sent[0][0] if sent else makers.get(e)  # who completes the gradient
        if edge["gradient"] is not None and whole in back:
            gradients.append(edge["gradient"])
        if len(walk.uses(graph)[e]) > 1:  # the parts that come together
            gradients += [value for sender, _, value in sent if sender in back]
    return {
        "nodes": sorted(node["op"] for node in nodes[:step]),
        "values": sorted(line for value in values for line in walk.block(value)),
        "gradients": sorted(line for value in gradients for line in walk.block(value)),
    }


@pytest.mark.parametrize(("lang", "pressing"), [("en", by_keys), ("ja", by_buttons)])
@pytest.mark.parametrize("topic", DRAWN)
def test_a_graph_is_walked_forward_and_backward(
    visit: Open,
    site: Path,
    topic: str,
    lang: str,
    pressing: Callable[[Locator, str], Press],
) -> None:
    page = visit(at(site, topic, lang), reduced_motion="reduce")
    assert page.locator("figure.walk").count() == len(TOPICS[topic].examples)
    for k, example in enumerate(TOPICS[topic].examples):
        figure = page.locator("figure.walk").nth(k)
        graph = looking.drawn(example, *example.arrays("float32"))
        texts = [step.text for step in walk.sentences(graph, lang)]
        before = figure.evaluate(SEEN)
        assert before["hidden"] == []
        assert before["said"] == drawing.WORDS[lang]["hint"]
        press = pressing(figure, lang)
        steps = [("", len(texts)), *route(len(texts))]
        place = page.evaluate("scrollY")
        for where, step in steps:
            if where:
                press(where)
                said = [walk.given(graph, lang), *texts][step]
                now = figure.evaluate(SEEN)
                assert now["said"] == said
                assert now["current"] == [said]
            else:
                now = before
            assert max(now["shown"]) == step
            assert step < min(now["hidden"], default=len(texts) + 1)
            for kind, wanted in expected(graph, step).items():
                found = [text.replace(drawing.SPACE, " ") for text in now[kind]]
                assert sorted(found) == wanted, (kind, step)
        if pressing is by_keys:
            assert page.evaluate("scrollY") == place  # the keys are not the page's


def test_other_keys_are_the_browsers(visit: Open, site: Path) -> None:
    page = visit(at(site, "relu"))
    figure = page.locator("figure.walk")
    press = by_keys(figure, "en")
    press("first")
    for key in ("Shift+ArrowRight", "Control+End", "ArrowDown", "PageDown"):
        page.keyboard.press(key)
        assert max(figure.evaluate(SEEN)["shown"]) == 0


def test_all_is_reached_by_tab(visit: Open, site: Path) -> None:
    """The skip link first; figure, buttons and words; nothing that only might scroll."""
    page = visit(at(site, "relu"))
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    box = skip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    stops = []
    while not stops or not stops[-1].startswith("INPUT"):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate("""(() => {
                const e = document.activeElement, s = getComputedStyle(e);
                return e.tagName + ":" + e.className + ":" + e.textContent.trim()
                    + ":" + (s.outlineStyle !== "none");
            })()""")
        )
        assert len(stops) < 100
        assert stops[-1].endswith(":true"), "without an outline"
    kinds = [":".join(stop.split(":")[:2]) for stop in stops]
    first = kinds.index("FIGURE:walk")
    assert kinds[first + 1 : first + 6] == [*["BUTTON:"] * 4, "SUMMARY:"]
    assert not {"DIV:wide", "DIV:formula", "PRE:", "DIV:picture"} & set(kinds)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_on_a_phone_the_picture_follows(visit: Open, site: Path, lang: str) -> None:
    """It is wider than the phone: the node of a step is brought into sight."""
    page = visit(at(site, "two_layer_net", lang), PHONE, reduced_motion="reduce")
    figure = page.locator("figure.walk")
    picture = figure.locator(".picture")
    assert picture.get_attribute("role") == "region"
    assert picture.evaluate("e => e.scrollWidth > 2 * e.clientWidth")
    press = by_keys(figure, lang)
    seen = set()
    for where, step in route(figure.locator("ol li").count()):
        press(where)
        inside = picture.evaluate(
            """e => {
            const frame = e.getBoundingClientRect();
            const node = e.querySelector(".node.now")?.getBoundingClientRect();
            if (!node) return e.scrollLeft === 0;
            return frame.left <= node.left && node.right <= frame.right;
            }"""
        )
        assert inside, step
        seen.add(picture.evaluate("e => e.scrollLeft"))
    assert len(seen) > 2


# --- The numbers in the picture are the reference's -----------------------------------


def bill(inputs: Arrays, dout: Any) -> Arrays:
    layer = BuyFruit()
    out = layer.forward(**inputs)
    return {"out": out, **dict(zip(inputs, layer.backward(dout), strict=True))}


def one_input(layer: Any) -> Callable[[Arrays, Any], Arrays]:
    return lambda inputs, dout: {
        "out": layer.forward(**inputs),
        "x": layer.backward(dout),
    }


def affine(inputs: Arrays, dout: Any) -> Arrays:
    layer = Affine(inputs["W"], inputs["b"])
    out = layer.forward(inputs["x"])
    return {"out": out, "x": layer.backward(dout), "W": layer.dW, "b": layer.db}


def network(inputs: Arrays, dout: Any) -> Arrays:
    found = TwoLayerNet(3, 3, 2)
    found.params = {key: inputs[key] for key in ("W1", "b1", "W2", "b2")}
    x, t = inputs["x"], inputs["t"]
    return {"out": found.loss(x, t), **found.gradient(x, t)}


@pytest.mark.parametrize(
    ("topic", "given", "truth"),
    [
        ("buy_fruit", [], bill),
        ("buy_fruit", ["apple=80", "apple_num=5", "tax=1.08", "dout=2"], bill),
        ("relu", ["x=[[-3,4],[0.5,-6]]"], one_input(Relu())),
        ("affine", ["x=[2,-1,0.5]", "dout=[3,-1]"], affine),
        ("softmax_with_loss", [], one_input(SoftmaxWithLoss())),
        ("softmax_with_loss", ["x=[[2,-1,0.5]]", "t=[1]"], one_input(SoftmaxWithLoss())),
        ("two_layer_net", ["b1=[1,0,-2]", "t=[0,0]"], network),
    ],
)
def test_the_numbers_in_the_picture_are_the_references(
    visit: Open,
    tmp_path: Path,
    topic: str,
    given: Sequence[str],
    truth: Callable[[Arrays, Any], Arrays],
) -> None:
    own = making.parse_inputs(given, "float32")
    path = tmp_path / "page.html"
    output.save(making.run(topic, own, "float32", None)("en"), "html", path, "")
    picture = visit(path.as_uri()).locator("svg.graph").last
    inputs, dout = TOPICS[topic].examples[-1].arrays("float32")
    inputs = {name: own.get(name, value) for name, value in inputs.items()}
    dout = own.get("dout", dout)
    right = truth(inputs, dout)
    for name, value in {**inputs, "out": right["out"]}.items():
        assert_written(picture, name, "forward", value)
        if name in right:
            gradient = dout if name == "out" else right[name]
            assert_written(picture, name, "backward", gradient)


def assert_written(picture: Locator, name: str, kind: str, value: Any) -> None:
    """Numbers are written with four digits."""
    lines = picture.evaluate(BESIDE, [name, kind])
    text = " ".join(lines).replace("−", "-")
    found = [float(number) for number in re.findall(r"-?\d[\d.]*(?:e-?\d+)?", text)]
    np.testing.assert_allclose(
        found, np.ravel(value), rtol=5e-4, err_msg=f"{name}, {kind}: {text}"
    )


def test_the_bill_is_the_lectures(visit: Open, site: Path) -> None:
    picture = visit(at(site, "buy_fruit")).locator("svg.graph")
    wanted = {"apple": "2.2", "apple_num": "110", "orange": "3.3", "orange_num": "165"}
    for name, text in {**wanted, "tax": "650"}.items():
        assert picture.evaluate(BESIDE, [name, "backward"]) == [text]
    assert picture.evaluate(BESIDE, ["out", "forward"]) == ["715"]


# --- Exercises ------------------------------------------------------------------------


def wide(text: str) -> str:
    """As it comes out of a Japanese keyboard."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("topic", TOPICS)
def test_a_number_is_right_or_not_yet_or_no_number(
    visit: Open, site: Path, topic: str, lang: str
) -> None:
    page = visit(at(site, topic, lang))
    exercise = page.locator(".exercise").filter(has=page.get_by_role("textbox"))
    field = exercise.get_by_role("textbox", name=ui(lang)["answer"])
    said = exercise.get_by_role("status")
    check = exercise.get_by_role("button", name=ui(lang)["check"])
    answer = ANSWERS[topic]
    right = [answer, f" {answer} ", wide(answer), f"{answer}e0"]
    right += [answer.replace("-", minus) for minus in "−ー‐–"]
    wrong = [f"{float(answer) * factor:.6g}" for factor in (-1, 0, 0.98, 1.02, 1000)]
    no_number = ["", " ", "five", "1,5", "--1", "五"]
    assert said.text_content() == ""
    for verdict, sign, texts in [
        ("right", "✓", right),
        ("not_right", "✗", wrong),
        ("not_a_number", "✗", no_number),
    ]:
        field.fill(texts[0])
        if verdict == "not_right":
            field.press("Enter")
        else:
            check.click()
        assert said.text_content() == ui(lang)[verdict]
        # Not by colour alone.
        assert sign in said.evaluate("e => getComputedStyle(e, '::before').content")
        assert exercise.evaluate(SAID, texts) == [ui(lang)[verdict]] * len(texts)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("topic", TOPICS)
def test_a_choice_is_right_or_not_yet_and_the_answer_opens(
    visit: Open, site: Path, topic: str, lang: str
) -> None:
    page = visit(at(site, topic, lang))
    exercises = page.locator(".exercise")
    assert exercises.count() == 3
    for exercise in exercises.filter(has=page.get_by_role("radio")).all():
        said = exercise.get_by_role("status")
        choices = exercise.locator("label")
        right = exercise.locator("label:has([data-right])").inner_text().strip()
        verdicts = []
        for choice in choices.all():
            choice.click()
            is_right = choice.inner_text().strip() == right
            verdicts.append(is_right)
            expected = ui(lang)["right" if is_right else "not_right"]
            assert said.text_content() == expected
        assert sorted(verdicts)[-2:] == [False, True]
        for _ in choices.all():  # round, with the arrow keys
            page.keyboard.press("ArrowDown")
        assert said.text_content() == expected
    for exercise in exercises.all():
        summary = exercise.locator("summary", has_text=ui(lang)["reveal"])
        answer = summary.locator("xpath=following-sibling::p").last
        assert not answer.is_visible()
        summary.click()
        assert answer.is_visible()
        assert answer.inner_text().strip()
        summary.press("Enter")
        assert not answer.is_visible()


# --- Everywhere: sizes, schemes, paper, no script -------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "lang"), PAGES)
def test_nothing_is_cut_off_or_overlaps(
    visit: Open, site: Path, name: str, lang: str, scheme: str
) -> None:
    for size in (PHONE, DESKTOP):
        page = visit(at(site, name, lang), size, scheme)
        ground = colour(page, "html", "backgroundColor")
        assert (luminance(ground) > 0.5) == (scheme == "light")
        assert not overflows(page)
        unfold(page)
        assert not overflows(page)
        words = "h1, h2, h3, p, li, th, td, caption span, label, button, figcaption"
        words += ", summary, legend, .formula, pre"
        # Fractions reach a little above and below their line.
        assert cut_off(page, words, above=4) == []
        apart = "header > *, section > *, .walk > *, .cards > li, .exercise > *"
        leaves = ", ".join(f"{part}:not(:has(> figure, > article))" for part in [apart])
        assert overlapping(page, "header > *, main > section") == []
        assert overlapping(page, leaves.replace("section > *", "h2, h3")) == []
        assert lying_on_one_another(page) == []


def lying_on_one_another(page: Page) -> list[str]:
    """Words of pictures that lie on others or reach out of their picture."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll("svg[role=img]")].flatMap((svg) => {
        const frame = svg.getBoundingClientRect();
        const texts = [...svg.querySelectorAll("text")].filter((e) => e.textContent.trim());
        const boxes = texts.map((e) => e.getBoundingClientRect());
        const apart = (a, b) => a.right <= b.left || b.right <= a.left
            || a.bottom <= b.top + 2 || b.bottom <= a.top + 2;
        const out = (a) => a.left < frame.left || a.right > frame.right
            || a.top < frame.top || a.bottom > frame.bottom;
        return texts.filter((e, i) => out(boxes[i])
            || boxes.some((other, k) => k < i && !apart(other, boxes[i])))
            .map((e) => e.textContent);
        })"""
    )
    return found
