"""The pages of `gradparity explain` in a real browser: the graphs that one walks through,
the exercises, and how all of it looks on a phone, on paper and without a script.

Like those of the report these tests need a Chromium and run with `pytest -m browser`.
What the pages say is tested in `test_explain`.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from gradparity.parity_tests.suite import browsing
from gradparity.reference.layers import Affine, BuyFruit, Relu, Sigmoid, SoftmaxWithLoss
from gradparity.reference.networks import TwoLayerNet
from gradparity.reports.explain import drawing, making, observing, publishing, walk
from gradparity.reports.explain.topics import TOPICS
from gradparity.reports.explain.wording import LANGUAGES, ui

pytestmark = pytest.mark.browser
pytest.importorskip("torch")
pytest.importorskip("jax")
for room in ("torch_impl", "jax_impl"):  # one after the other, see test_explain
    import_module(f"gradparity.{room}.hood")
    import_module(f"gradparity.{room}.networks")

PAGES = [(name, lang) for name in ("index", *TOPICS) for lang in LANGUAGES]
IN_TURN = [(name, LANGUAGES[k % 2]) for k, name in enumerate(TOPICS)]
DRAWN = [name for name, topic in TOPICS.items() if topic.examples]
SEEN_AS: list[tuple[tuple[int, int], Any]] = [
    *(
        (browsing.PHONE, "light"),
        (browsing.PHONE, "dark"),
        (browsing.DESKTOP, "light"),
        (browsing.DESKTOP, "dark"),
    )
]
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
SHOWN = """figure => {
    const all = (selector) => [...figure.querySelectorAll(selector)];
    const seen = (e) => e.checkVisibility({ visibilityProperty: true });
    const written = (e) => [...e.querySelectorAll("text")].map((t) => t.textContent);
    const of = (selector) => all(selector).filter(seen).map(written);
    const steps = all("[data-step]");
    const numbers = (test) => steps.filter(test).map((e) => Number(e.dataset.step));
    return {
        shown: numbers(seen),
        hidden: numbers((e) => !seen(e)),
        stressed: numbers((e) => seen(e) && getComputedStyle(e).fontWeight === "700"),
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
    const sideways = (to) => label.getAttribute("text-anchor") === "end"
        ? to.left - at.right : -Math.abs(to.left + to.right - at.left - at.right);
    const down = (to) => label.getAttribute("text-anchor") !== "end" ? to.top - at.bottom
        : kind === "forward" ? middle - to.bottom : to.top - middle;
    const [nearest] = [...svg.querySelectorAll("g." + kind)]
        .map((e) => [sideways(box(e)), down(box(e)), e])
        .filter(([x, y]) => x > -4 && y > -4)
        .sort((one, other) => one[0] + 5 * one[1] - other[0] - 5 * other[1]);
    return [...nearest[2].querySelectorAll("text")].map((e) => e.textContent);
}"""
# What is said of each of these texts as an answer.
SAID = """(exercise, texts) => texts.map((text) => {
    exercise.querySelector("input").value = text;
    exercise.querySelector("button").click();
    return exercise.querySelector(".said").textContent;
})"""

Press = Callable[[str], None]
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, as `gradparity explain --all` writes them."""
    target = tmp_path_factory.mktemp("explain") / "site"
    # In a process of its own, where nothing checks every shape.
    command = [sys.executable, "-m", "gradparity", "explain", "--all"]
    subprocess.run([*command, "--output", str(target)], check=True, capture_output=True)
    return target


@pytest.fixture
def visit(browser: Browser) -> Iterator[browsing.Open]:
    with browsing.visits(browser) as open_page:
        yield open_page


def at(site: Path, name: str, lang: str = "en") -> str:
    """The address of a page."""
    return (site / publishing.address(name, lang)).as_uri()


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((e) => e.open = true)")


# --- Walking through a graph ----------------------------------------------------------


def by_keys(figure: Locator, lang: str) -> Press:
    keys = {
        "first": "Home",
        "back": "ArrowLeft",
        "forward": "ArrowRight",
        "last": "End",
    }
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


@pytest.mark.parametrize(
    ("topic", "lang", "pressing"),
    [
        *((topic, "en", by_keys) for topic in DRAWN),
        ("relu", "ja", by_buttons),
        ("softmax_with_loss", "ja", by_buttons),
        *(pytest.param(t, "ja", by_buttons, marks=pytest.mark.deep) for t in DRAWN),
    ],
)
def test_a_graph_is_walked_forward_and_backward(
    visit: browsing.Open,
    site: Path,
    topic: str,
    lang: str,
    pressing: Callable[[Locator, str], Press],
) -> None:
    page = visit(at(site, topic, lang))
    assert page.locator("figure.walk").count() == len(TOPICS[topic].examples)
    for k, example in enumerate(TOPICS[topic].examples):
        figure = page.locator("figure.walk").nth(k)
        graph = observing.drawn(example, *example.arrays("float32"))
        texts = [step.text for step in walk.sentences(graph, lang)]
        before = figure.evaluate(SHOWN)
        assert before["hidden"] == []
        assert before["said"] == drawing.WORDS[lang]["hint"]
        press = pressing(figure, lang)
        steps = [("", len(texts)), *route(len(texts))]
        place = page.evaluate("scrollY")
        for where, step in steps:
            if where:
                press(where)
                said = [walk.given(graph, lang), *texts][step]
                now = figure.evaluate(SHOWN)
                assert now["said"] == said
                assert now["current"] == [said]
                assert step in now["stressed"]
            else:
                now = before
            assert max(now["shown"]) == step
            assert step < min(now["hidden"], default=len(texts) + 1)
            for kind, wanted in expected(graph, step).items():
                found = [text.replace(drawing.SPACE, " ") for text in now[kind]]
                assert sorted(found) == wanted, (kind, step)
        if pressing is by_keys:
            assert page.evaluate("scrollY") == place  # the keys are not the page's


def test_other_keys_are_the_browsers(visit: browsing.Open, site: Path) -> None:
    page = visit(at(site, "relu"))
    figure = page.locator("figure.walk")
    press = by_keys(figure, "en")
    press("first")
    for key in ("Shift+ArrowRight", "Control+End", "ArrowDown", "PageDown"):
        page.keyboard.press(key)
        assert max(figure.evaluate(SHOWN)["shown"]) == 0


def test_all_is_reached_by_tab(visit: browsing.Open, site: Path) -> None:
    """The skip link first; figure, buttons and words; nothing that only might scroll."""
    page = visit(at(site, "relu"))
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    box = skip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    stops: list[str] = []
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
def test_on_a_phone_the_picture_follows(
    visit: browsing.Open, site: Path, lang: str
) -> None:
    """It is wider than the phone: the node of a step is brought into sight."""
    page = visit(at(site, "two_layer_net", lang), browsing.PHONE)
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


def one_input(kind: Any) -> Callable[[Arrays, Any], Arrays]:
    def run(inputs: Arrays, dout: Any) -> Arrays:
        layer = kind()
        return {"out": layer.forward(**inputs), "x": layer.backward(dout)}

    return run


def affine(inputs: Arrays, dout: Any) -> Arrays:
    layer = Affine(inputs["W"], inputs["b"])
    out = layer.forward(inputs["x"])
    return {"out": out, "x": layer.backward(dout), "W": layer.dW, "b": layer.db}


def network(inputs: Arrays, dout: Any) -> Arrays:
    found = TwoLayerNet(3, 3, 2)
    found.params = {key: inputs[key] for key in ("W1", "b1", "W2", "b2")}
    x, t = inputs["x"], inputs["t"]
    return {"out": found.loss(x, t), **found.gradient(x, t)}


# The output, and by an input's name its gradient.
BY_HAND: dict[str, Callable[[Arrays, Any], Arrays]] = {
    "buy_fruit": bill,
    "relu": one_input(Relu),
    "sigmoid": one_input(Sigmoid),
    "affine": affine,
    "softmax_with_loss": one_input(SoftmaxWithLoss),
    "two_layer_net": network,
}


@pytest.mark.parametrize(
    ("topic", "given"),
    [
        *((topic, []) for topic in DRAWN),
        ("buy_fruit", ["apple=80", "apple_num=5", "tax=1.08", "dout=2"]),
        pytest.param(
            *("softmax_with_loss", ["x=[[2,-1,0.5]]", "t=[1]"]), marks=pytest.mark.deep
        ),
    ],
)
def test_the_numbers_in_the_picture_are_the_references(
    visit: browsing.Open, site: Path, tmp_path: Path, topic: str, given: Sequence[str]
) -> None:
    """Also if they are the reader's own, given with --input."""
    own = making.parse_inputs(given, "float32")
    address = at(site, topic)
    if own:
        path = tmp_path / "page.html"
        publishing.save(making.run(topic, own, "float32", None)("en"), "html", path, "")
        address = path.as_uri()
    picture = visit(address).locator("svg.graph").last
    inputs, dout = TOPICS[topic].examples[-1].arrays("float32")
    inputs = {name: own.get(name, value) for name, value in inputs.items()}
    dout = own.get("dout", dout)
    right = BY_HAND[topic](inputs, dout)
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


def test_the_bill_is_the_lectures(visit: browsing.Open, site: Path) -> None:
    picture = visit(at(site, "buy_fruit")).locator("svg.graph")
    wanted = {"apple": "2.2", "apple_num": "110", "orange": "3.3", "orange_num": "165"}
    for name, text in {**wanted, "tax": "650"}.items():
        assert picture.evaluate(BESIDE, [name, "backward"]) == [text]
    assert picture.evaluate(BESIDE, ["out", "forward"]) == ["715"]


# --- Exercises ------------------------------------------------------------------------


def wide(text: str) -> str:
    """As it comes out of a Japanese keyboard."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


@pytest.mark.parametrize(("topic", "lang"), IN_TURN)
def test_a_number_is_right_or_not_yet_or_no_number(
    visit: browsing.Open, site: Path, topic: str, lang: str
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


@pytest.mark.parametrize(("topic", "lang"), IN_TURN)
def test_a_choice_is_right_or_not_yet_and_the_answer_opens(
    visit: browsing.Open, site: Path, topic: str, lang: str
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
            verdict = ui(lang)["right" if is_right else "not_right"]
            assert said.text_content() == verdict
        assert sorted(verdicts)[-2:] == [False, True]
        for _ in choices.all():  # round, with the arrow keys
            page.keyboard.press("ArrowDown")
        assert said.text_content() == verdict
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


@pytest.mark.parametrize(("name", "lang"), PAGES)
def test_nothing_is_cut_off_or_overlaps(
    visit: browsing.Open, site: Path, name: str, lang: str
) -> None:
    page = visit(at(site, name, lang), browsing.PHONE)
    assert not browsing.overflows(page)
    unfold(page)
    words = "h1, h2, h3, p, li, th, td, caption span, label, button, figcaption, "
    words += "summary, legend"
    for (width, height), scheme in SEEN_AS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        browsing.ground(page, scheme == "light")
        assert not browsing.overflows(page)
        # Fractions reach a little above and below their line.
        assert browsing.cut_off(page, words, above=4) == []
        assert browsing.overlapping(page, "header > *, section > *") == []
        assert browsing.overlapping(page, ".walk > *, .exercise > *, .cards > li") == []
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


@pytest.mark.parametrize(
    ("name", "lang", "size", "scheme"),
    [
        *((*page, *SEEN_AS[0]) for page in (("index", "en"), *IN_TURN)),
        ("relu", "en", *SEEN_AS[3]),
        # The other language has other words, elsewhere widths and colours are others.
        *(
            pytest.param(*page, *seen_as, marks=pytest.mark.deep)
            for page in PAGES
            for seen_as in SEEN_AS
        ),
    ],
)
def test_axe_finds_nothing(
    visit: browsing.Open,
    site: Path,
    name: str,
    lang: str,
    size: tuple[int, int],
    scheme: str,
) -> None:
    page = visit(at(site, name, lang), size, scheme)
    assert page.locator("html").get_attribute("lang") == lang
    unfold(page)
    for choice in page.get_by_role("radio").all():  # so that verdicts are there
        choice.check()
    assert browsing.violations(page) == []


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_drawn_and_said_in_colour_can_be_read(
    visit: browsing.Open, site: Path, scheme: str, media: Any
) -> None:
    """WCAG's contrast of 4.5 for words, 3 for lines; axe does not look into pictures."""
    page = visit(at(site, "two_layer_net"), browsing.DESKTOP, scheme)
    page.locator(".exercise input[type=text]").fill(ANSWERS["two_layer_net"])
    page.locator(".exercise .ask button").click()
    page.locator(".exercise input[type=radio]:not([data-right])").first.check()
    page.emulate_media(media=media)
    ground = browsing.ground(page, scheme == "light" or media == "print")
    words = ["h1", "a", ".key .forward", ".key .backward", ".keeps"]
    for selector in [*words, ".said.right", ".said.wrong"]:
        assert (
            browsing.contrast(browsing.colour(page, selector, "color"), ground) >= 4.5
        ), selector
    raised = browsing.colour(page, ".listing .made td", "backgroundColor")
    for selector in (".listing .made td:last-child", ".aligned .phase th"):
        assert (
            browsing.contrast(browsing.colour(page, selector, "color"), raised) >= 4.5
        ), selector
    drawn = page.locator("svg.graph").evaluate(
        """svg => [...svg.querySelectorAll("text, path, rect, circle")].map((e) => {
            const style = getComputedStyle(e);
            let opacity = 1;
            for (let at = e; at !== svg; at = at.parentNode)
                opacity *= getComputedStyle(at).opacity;
            const line = style.fill === "none";
            return [e.tagName, opacity, line ? style.stroke : style.fill];
        })"""
    )
    assert {tag for tag, _, _ in drawn} >= {"text", "path", "rect"}
    seen = set()
    for tag, opacity, ink in drawn:
        mixed = [
            opacity * part + (1 - opacity) * behind
            for part, behind in zip(browsing.rgb(ink), ground, strict=True)
        ]
        needed = 4.5 if tag == "text" else 3
        assert browsing.contrast(mixed, ground) >= needed, (tag, opacity, ink)
        seen.add(ink)
    assert len(seen) == (3 if media == "screen" else 1)  # words, forward and backward


@pytest.mark.parametrize(("topic", "lang"), IN_TURN)
def test_paper_shows_all_of_the_graph(
    visit: browsing.Open, site: Path, topic: str, lang: str
) -> None:
    """Whatever step it is at; nothing to press is printed, and nothing is cut off."""
    page = visit(at(site, topic, lang), PAPER)
    for button in page.locator("[data-go=first]").all():
        button.click()
    page.emulate_media(media="print")
    for figure in page.locator("figure.walk").all():
        assert figure.evaluate(SHOWN)["hidden"] == []
    for picture in page.locator("svg[role=img]").all():
        box = picture.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PAPER[0]
    for control in page.locator("button, input, summary, .said").all():
        assert not control.is_visible()
    unfold(page)
    assert not browsing.overflows(page)
    scrolling = page.evaluate(
        """[...document.querySelectorAll(".wide, pre, .formula, .picture")].filter((e) =>
            e.clientWidth && /auto|scroll/.test(getComputedStyle(e).overflow)).length"""
    )
    assert scrolling == 0


@pytest.mark.parametrize(("topic", "lang"), IN_TURN)
def test_without_a_script_all_is_there(
    browser: Browser, site: Path, topic: str, lang: str
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(at(site, topic, lang))
    for figure in page.locator("figure.walk").all():
        assert figure.evaluate(SHOWN)["hidden"] == []
        assert figure.evaluate(SHOWN)["said"] == ""
        words = figure.locator("details li")
        assert not words.first.is_visible()
        figure.locator("summary").click()
        assert all(sentence.is_visible() for sentence in words.all())
    for control in page.locator("button, input").all():
        assert not control.is_visible()
    for exercise in page.locator(".exercise").all():
        exercise.locator("summary", has_text=ui(lang)["reveal"]).click()
        assert exercise.locator("details[open] p").first.is_visible()
    page.close()


def test_a_reader_finds_the_way(browser: Browser, site: Path) -> None:
    """From the index to a topic, to the other language and back."""
    page = browser.new_page()
    page.goto(at(site, "index"))
    links = page.locator(".cards a")
    assert links.count() == len(TOPICS)
    links.nth(1).click()
    assert page.url == at(site, "relu")
    page.get_by_role("link", name=ui("en")["other_language"]).click()
    assert page.url == at(site, "relu", "ja")
    page.get_by_role("link", name=ui("ja")["sections"]["jax"], exact=True).click()
    assert page.locator("#jax-title").is_visible()
    page.get_by_role("link", name=ui("ja")["site"]).click()
    assert page.url == at(site, "index", "ja")
    page.close()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page on two functions that differ."""
    folder = tmp_path_factory.mktemp("functions")
    (folder / "mine.py").write_text(
        "import jax.numpy as jnp, numpy as np, torch\n"
        "def a(x):\n    return torch.exp(x) * 2\n"
        "def b(x):\n    return jnp.sin(x) * 3\n"
        "def c(x, dout):\n    return np.exp(x) * 2, dout * np.exp(x) * 2\n",
        encoding="utf-8",
    )
    targets = ",".join(f"{folder / 'mine.py'}:{name}" for name in "abc")
    found = making.run(targets, {"x": np.array([1.0, 2.0])}, "float32")("en")
    path = folder / "page.html"
    publishing.save(found, "html", path, "")
    return path.as_uri()


@pytest.mark.parametrize(("size", "scheme"), SEEN_AS)
def test_a_page_on_functions_says_the_answer_first_and_can_be_read(
    visit: browsing.Open, of_two: str, size: tuple[int, int], scheme: Any
) -> None:
    page = visit(of_two, size, scheme)
    answer = page.locator("header > :first-child")
    assert "a and b differ: out[1] is 14.778" in answer.inner_text()
    assert page.locator("svg.graph").count() == 3
    heads = page.locator(".aligned thead th").all_inner_texts()
    assert heads[1:] == ["a (PyTorch)", "b (JAX)", "c (NumPy)"]
    assert not browsing.overflows(page)
    assert browsing.violations(page) == []
