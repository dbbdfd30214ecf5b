"""The pages of `gradparity explain`: complete, true, and the numbers those of the run."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from latex2mathml.converter import convert
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from gradparity.parity_tests.implementations.contract import NotInstalled
from gradparity.parity_tests.implementations.registry import load
from gradparity.reference.datasets import load as load_data
from gradparity.reports.commands import application, explain
from gradparity.reports.explain import (
    aligned,
    as_html,
    as_markdown,
    as_text,
    making,
    observing,
    publishing,
    topics,
    wording,
)
from gradparity.reports.explain.blocks import (
    Aligned,
    Exercise,
    Folded,
    Formula,
    Listing,
    Page,
    Picture,
    Prose,
)
from gradparity.reports.explain.observing import Seen
from gradparity.reports.explain.topics import TOPICS
from gradparity.reports.explain.wording import LANGUAGES
from gradparity.reports.writing import UnusableTarget

pytest.importorskip("torch")
pytest.importorskip("jax")
# Here, and not in two threads at once: while modules are imported, the run-time checking
# of shapes parses them.
for room in ("reference", "torch_impl", "jax_impl"):
    import_module(f"gradparity.{room}.hood")
    import_module(f"gradparity.{room}.networks")

LAYERS = [name for name in TOPICS if name != "training"]
SECTIONS = ["idea", "graph", "hand", "torch", "jax", "aligned", "agree", "try"]
THREE = ("reference", "torch", "jax")


@cache
def made(topic: str) -> Callable[[str], Page]:
    data = load_data("digits") if topic == "training" else None
    return making.run(topic, {}, "float32", data)


@cache
def page(topic: str, lang: str = "en") -> Page:
    return made(topic)(lang)


def blocks(page: Page, kind: Any) -> Iterator[Any]:
    """All blocks of a kind, those inside others included."""

    def inside(found: Any) -> Iterator[Any]:
        for block in found:
            if isinstance(block, kind):
                yield block
            if isinstance(block, Folded):
                yield from inside(block.blocks)
            if isinstance(block, Exercise):
                yield from inside((*block.question, *block.broken, *block.why))

    for section in page.sections:
        yield from inside(section.blocks)


def text(page: Page) -> str:
    console = Console(file=StringIO(), width=80)
    as_text.render(page, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def html(page: Page) -> str:
    links = dict.fromkeys(("index", "other", "notebook", "report"), "")
    return as_html.render(page, links, "made")


# The tests of a topic stand together, for they share its run.
both = pytest.mark.parametrize("lang", LANGUAGES)
every = pytest.mark.parametrize("topic", TOPICS, scope="module")
layer = pytest.mark.parametrize("topic", LAYERS, scope="module")


def test_the_command_knows_the_topics() -> None:
    assert [*explain.TOPICS] == [*TOPICS]


# --- What is written ------------------------------------------------------------------


@every
@both
def test_a_page_is_whole(topic: str, lang: str) -> None:
    found = page(topic, lang)
    assert [section.name for section in found.sections] == SECTIONS
    assert all(section.blocks for section in found.sections)
    assert 2 <= len(list(blocks(found, Exercise))) <= 3
    assert list(blocks(found, Formula))
    assert list(blocks(found, Listing))
    told = list(blocks(found, Prose))
    for prose in told:
        assert "{{" not in prose.markdown
        assert "```" not in prose.markdown
        assert not re.search(r"\bNone\b", prose.markdown), prose.markdown
    letters = "".join(prose.markdown for prose in told[:4])
    assert bool(re.search("[ぁ-ん]", letters)) == (lang == "ja")


@every
@both
def test_a_terminal_of_eighty_columns_is_enough(topic: str, lang: str) -> None:
    lines = text(page(topic, lang)).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert not [line for line in lines if line != line.rstrip()]


@every
@both
def test_all_formats_say_the_same(topic: str, lang: str) -> None:
    found = page(topic, lang)
    printed, marked, shown = text(found), as_markdown.render(found), html(found)
    for section in found.sections:
        assert section.title in printed
        assert f"\n## {section.title}\n" in marked
        assert f">{as_html.escape(section.title)}</h2>" in shown
    for formula in blocks(found, Formula):
        assert formula.latex in marked
        assert formula.plain.splitlines()[0].strip() in printed
    assert shown.count(' display="block"') == len([*blocks(found, Formula)])
    for picture in blocks(found, Picture):
        assert picture.title in printed
        assert picture.title in marked
        assert picture.title in shown
    assert "<script src" not in shown
    assert not re.search(r'(src|href)="(?!#|https://|data:)', shown)


@every
@both
def test_what_words_are_written_in(topic: str, lang: str) -> None:
    """Formulas that both a browser and a terminal can show; and no HTML."""
    source = (wording.FOLDER / f"{topic}.{lang}.md").read_text(encoding="utf-8")
    plain = re.sub(r"```.*?```|`[^`\n]*`|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    assert not re.search(r"<[a-z/]", plain)
    for inline in re.findall(r"\$([^$\n]+)\$", plain):
        assert not set(inline) & set("\\^_{}"), inline
    for formula in blocks(page(topic, lang), Formula):
        assert "<math" in convert(formula.latex)
        assert max(map(cell_len, formula.plain.splitlines())) <= 72
        assert not set(formula.plain) & set("\\{}"), formula.plain


def test_mathematics_within_a_sentence() -> None:
    written = as_html.inline_math("yᵣ ≤ e⁻ˣ + 12.5 xₙⱼ")
    tags = re.sub(r"<math[^>]*>|</math>|</?mrow>|</?mtext>", "", written)
    assert tags == (
        "<msub><mi>y</mi>r</msub><mo>≤</mo><msup><mi>e</mi>−x</msup><mo>+</mo>"
        "<mn>12.5</mn><msub><mi>x</mi>nj</msub>"
    )
    assert 'aria-label="yᵣ ≤ e⁻ˣ + 12.5 xₙⱼ"' in written


@every
def test_both_languages_are_the_same_page(topic: str) -> None:
    english, japanese = page(topic), page(topic, "ja")
    for kind in (Formula, Listing, Picture, Aligned, Exercise):
        assert len([*blocks(english, kind)]) == len([*blocks(japanese, kind)]), kind
    for one, other in zip(
        blocks(english, Exercise), blocks(japanese, Exercise), strict=True
    ):
        assert (one.kind, one.name) == (other.kind, other.name)
        assert one.answer == other.answer
        rights = [[c.right for c in e.choices] for e in (one, other)]
        assert rights[0] == rights[1]
        assert one.kind in ("predict", "choose", "repair")
        assert (one.answer is not None) == (one.kind == "predict")
        assert (sum(rights[0]) == 1) == (one.kind == "choose")
        assert bool(one.broken) == (one.kind == "repair")


def test_the_shared_words_have_the_same_keys_and_gaps() -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: shape(part) for key, part in value.items()}
        if isinstance(value, list):
            return len(value)
        return sorted(re.findall(r"\{\w*\}", value))

    english, japanese = (dict(wording.ui(lang)) for lang in LANGUAGES)
    assert shape(english) == shape(japanese)


# --- Is it true? ----------------------------------------------------------------------


def looks(topic: str) -> list[dict[str, Seen]]:
    """What the page was made from."""
    build: Any = made(topic)
    found = build.args[0].looks
    assert all(isinstance(seen, Seen) for look in found for seen in look.values())
    return found


@layer
def test_the_columns_have_the_numbers_of_the_reference(topic: str) -> None:
    for look, example in zip(looks(topic), TOPICS[topic].examples, strict=True):
        inputs, dout = example.arrays("float32")
        if topic == "two_layer_net":
            given = dict(inputs)
            x, t = given.pop("x"), given.pop("t")
            run = load("reference").run_network
            assert run is not None
            flow = run(given, x, t)
            right = {"d" + name: flow["d" + name] for name in (*given, "x")}
            out = flow["loss"]
        else:
            kind = example.reference.rpartition(".")[2]
            right = load("reference").run_layer(kind, dict(inputs), dout)
            out = right.pop("out")
        for name in THREE:
            seen = look[name]
            np.testing.assert_allclose(seen.out, out, rtol=1e-6)
            assert seen.gradients.keys() == right.keys()
            for key, value in right.items():
                np.testing.assert_allclose(
                    seen.gradients[key], value, rtol=1e-5, atol=1e-7
                )
        drawn = observing.drawn(example, inputs, dout)
        np.testing.assert_allclose(drawn["edges"][-1]["value"], out, rtol=1e-6)
        edges = {edge["name"]: edge["gradient"] for edge in drawn["edges"]}
        for key, value in right.items():
            np.testing.assert_allclose(edges[key[1:]], value, rtol=1e-5, atol=1e-7)


@layer
def test_every_step_of_everybody_is_in_the_table(topic: str) -> None:
    for look, table in zip(looks(topic), blocks(page(topic), Aligned), strict=True):
        for phase in aligned.PHASES:
            rows = [row for row in table.rows if row.phase == phase]
            for name in ("torch", "jax"):
                told = [code for row in rows for code in row.does.get(name, ())]
                ran = [
                    step["code"]
                    for step in look[name].steps[phase]
                    if step["owner"] != "bookkeeping"
                ]
                assert {*ran} == {*told}, (name, phase)
        for name in THREE:
            kept = [s for row in table.rows for s in row.keeps.get(name, ())]
            assert len(kept) == len(look[name].kept)


@layer
def test_every_step_has_its_formula(topic: str) -> None:
    for table in blocks(page(topic), Aligned):
        for row in table.rows:
            assert row.title, row.does
        titles = [row.title for row in table.rows]
        assert len({*titles}) == len(titles)


def row_with(topic: str, code: str, example: int = 0) -> aligned.Row:
    table = list(blocks(page(topic), Aligned))[example]
    rows = [
        row
        for row in table.rows
        if any(
            line.startswith(code) or code in line for line in row.does.get("torch", ())
        )
    ]
    assert len(rows) == 1, code
    return rows[0]


SIDE_BY_SIDE = {  # what PyTorch, NumPy and JAX do in the same row
    "buy_fruit": [("aten::add(", "fruit_price = self.add_fruit", "= add")],
    "relu": [
        ("aten::relu", "np.where(self.mask, 0, x)", "= max x"),
        ("aten::threshold_backward", "0, dout)", "= select_n"),
    ],
    "sigmoid": [("aten::sigmoid(", "self.out = sigmoid(x)", "= logistic x")],
    "affine": [("aten::addmv", "self.x @ self.W + self.b", "= add")],
    "softmax_with_loss": [("aten::nll_loss_forward", "self.loss =", "= neg")],
    "two_layer_net": [
        ("aten::addmm(b1, x, W1)", "flow[layer.name]", "x W1"),
        ("aten::relu", "flow[layer.name]", "= max"),
        ("aten::threshold_backward", 'flow["d" + before]', "select_n"),
    ],
}


@layer
def test_the_three_are_side_by_side(topic: str) -> None:
    for operator, numpy, equation in SIDE_BY_SIDE[topic]:
        row = row_with(topic, operator)
        assert any(numpy in line for line in row.does["reference"])
        assert any(equation in line for line in row.does["jax"])


def test_a_wrong_step_would_not_be_put_there() -> None:
    """Steps are matched by their numbers: another number, another place."""
    (look,) = looks("relu")
    wrong = deepcopy(look["torch"])
    (forward,) = [s for s in wrong.generic["forward"] if s["owner"] != "bookkeeping"]
    forward["value"] = forward["value"] + 1e-6
    rows = aligned.align(look["reference"], [wrong])
    fitting = [row for row in rows if row.has(forward["value"])]
    assert not fitting


def test_what_relu_remembers() -> None:
    (look,) = looks("relu")
    (mask,) = look["reference"].kept
    assert (mask["name"], mask["dtype"], mask["bytes"]) == ("mask", "bool", 4)
    (result,) = look["torch"].kept
    assert (result["name"], result["dtype"], result["bytes"]) == (
        "result",
        "float32",
        16,
    )
    assert result["same_as"] == "out"
    kept = {saved["name"]: saved for saved in look["jax"].kept}
    assert (kept["gt"]["dtype"], kept["gt"]["bytes"]) == ("bool", 4)
    totals = aligned.totals([*look.values()])
    assert totals["reference"][0] == aligned.Total(4, 4)
    assert totals["torch"][0] == aligned.Total(16, 0)
    assert totals["reference"][1] == aligned.Total(5_000, 5_000)
    assert totals["torch"][1] == aligned.Total(20_000, 0)


@layer
def test_the_source_is_as_it_stands(topic: str) -> None:
    root = Path(topics.__file__).parents[2]
    for listing in blocks(page(topic), Listing):
        file = re.findall(r"\((.*)\)", listing.title)[0]
        lines = (root / file).read_text(encoding="utf-8").splitlines()
        for number, line, _ in listing.lines:
            assert line.strip() == lines[number - 1].strip()
        assert any(made for _, _, made in listing.lines) or "to_labels" in listing.title


def test_other_numbers_are_other_numbers_in_all_three_columns() -> None:
    before = page("relu")
    given = {"x": np.array([[-7, 5.25, 0.125]], "float32")}
    after = making.run("relu", given, "float32")("en")
    (one,), (other,) = (p.facts()["examples"] for p in (before, after))
    expected = np.array([[0, 5.25, 0.125]], "float32")
    for name in THREE:
        old, new = (e["implementations"][name] for e in (one, other))
        assert old["out"].shape != new["out"].shape
        np.testing.assert_array_equal(new["out"], expected)
        np.testing.assert_array_equal(new["gradients"]["dx"], expected > 0)
        written = str(making.plain(new["steps"]))
        assert "5.25" in written
        assert "5.25" not in str(making.plain(old["steps"]))
    for render in (text, html, as_markdown.render):
        assert "5.25" in render(after)
        assert "5.25" not in render(before)


@pytest.mark.parametrize("topic", ["relu", "softmax_with_loss"])
@both
def test_divergences_are_told_in_the_language_of_the_page(
    topic: str, lang: str
) -> None:
    known = wording.divergences(lang)
    told = " ".join(block.markdown for block in blocks(page(topic, lang), Prose))
    ids = {"relu": "relu-derivative-at-nan", "softmax_with_loss": "loss-masked-one-hot"}
    there = known.get(ids[topic])
    if there and "where" in there:
        assert there["where"] in told
        assert there["why"] in told
    assert told.count("](https://") >= 1


# --- What is given --------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "functions_of_mine.py").write_text(MINE, encoding="utf-8")
    yield tmp_path
    sys.modules.pop("functions_of_mine", None)


MINE = """
import torch, jax.numpy as jnp
number = 3
def either(x, y):
    return x * y + x / y
def in_torch(x):
    return torch.tanh(x).sum()
def in_jax(x):
    return jnp.tanh(x).sum()
def nothing(x):
    return None
def crash(x):
    raise RuntimeError("somebody's own trouble")
"""


def run(*arguments: str) -> Any:
    """What the command does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gradparity", "explain", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


BAD = {
    "": "expected a topic, buy_fruit, relu",
    "rellu": "unknown topic 'rellu': expected buy_fruit, relu",
    "relu --lang fr": "unknown language 'fr': expected en, ja",
    "relu --format pdf": "unknown format 'pdf': expected text, md, html, ipynb",
    "relu --dtype float16": "unknown dtype 'float16'",
    "relu --input x": "--input must be NAME=VALUE",
    "relu --input x=abc": "--input x must be a number",
    "relu --input x=[1,[2]]": "--input x must be a number",
    "relu --input x=[]": "--input x must hold numbers, got '[]'",
    'relu --input x="1"': "--input x must hold numbers",
    "relu --input x=none.npy": "--input x: none.npy: No such file",
    "relu --input y=1": "--input y: relu takes x, dout",
    "relu --input dout=[1,2]": "--input dout: relu gives shape (2, 2), got (2,)",
    "affine --input x=[1,2]": "Affine: x has 2 features, W expects 3",
    "softmax_with_loss --input t=[7,1]": "t (labels) must lie in 0..2, got 7",
    "two_layer_net --input dout=2": "ends in its loss, where dout is 1, got 2",
    "relu --input x=1 --input x=2": "--input x is given twice",
    "training --input x=1": "training takes none",
    "training --dtype float64": "training is shown in float32, got --dtype float64",
    "relu --data-dir .": "--dataset and --data-dir go with training, got relu",
    "relu --dataset mnist": "--dataset and --data-dir go with training, got relu",
    "relu --json --format md": "--json goes without --format and --output",
    "relu --json --output relu.md": "--json goes without --format and --output",
    "relu --output relu.pdf": "must end in .txt, .md, .html, .ipynb, got relu.pdf",
    "relu --output relu.v2": "must end in .txt, .md, .html, .ipynb, got relu.v2",
    "relu --format html --output relu.pdf": "must end in .html, got relu.pdf",
    "relu --format md --output relu.html": "must end in .md, got relu.html",
    "relu --output none/relu.html": "there is no folder none",
    "--all": "--all needs --output DIR",
    "relu --all --output site": "--all needs --output DIR, and goes without a topic",
    "--all --lang ja --output site": "--all needs --output DIR, and goes without a topic",
    "mine.py": "mine.py is a file of functions: expected one of them, as in mine.py:name",
    "none:f --input x=1": "none cannot be imported: ModuleNotFoundError",
    "functions_of_mine:f --input x=1": "there is no f in functions_of_mine",
    "functions_of_mine:number --input x=1": "is of type int: expected a function",
    "functions_of_mine:either --input x=1": "the input y is missing",
    "functions_of_mine:either --input x=1 --input y=1 --input z=1": (
        "the input z is taken by no function"
    ),
    "functions_of_mine:nothing --input x=1": "nothing returns nothing: expected tensors",
    "functions_of_mine:crash --input x=1": "somebody's own trouble",
}


@pytest.mark.parametrize("arguments", BAD)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    folder: Path, arguments: str
) -> None:
    before = {*folder.rglob("*")}
    done = CliRunner().invoke(application.app, ["explain", *arguments.split()])
    assert done.exception is not None
    assert application.is_refusal(done.exception), repr(done.exception)  # type: ignore[arg-type]
    said = str(done.exception)
    assert BAD[arguments] in said
    assert "\n" not in said
    after = {p for p in folder.rglob("*") if "__pycache__" not in p.parts}
    assert after == before


def test_a_refusal_ends_the_command_with_two(folder: Path) -> None:
    done = run("relu", "--input", "x=abc")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("gradparity: --input x must be a number")
    assert "Traceback" not in done.stderr


def test_numbers_may_come_from_a_file(folder: Path) -> None:
    np.save(folder / "x.npy", np.array([[1.5, -1.5]]))
    found = making.parse_inputs(["x=x.npy", "t=[1, 0]", "y=3"], "float64")
    np.testing.assert_array_equal(found["x"], [[1.5, -1.5]])
    kinds = {name: value.dtype.name for name, value in found.items()}
    assert kinds == {"x": "float64", "t": "int64", "y": "float64"}


@pytest.mark.parametrize("gone", ["torch", "jax"])
def test_without_a_framework_the_rest_is_there(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    real: Callable[[str], Any] = observing.framework

    def framework(name: str) -> Any:
        if name == gone:
            raise NotInstalled(f"{gone} cannot be imported: it is gone")
        return real(name)

    monkeypatch.setattr(observing, "framework", framework)
    found = making.run("relu", {}, "float32")("en")
    (table,) = blocks(found, Aligned)
    assert gone not in table.names
    assert len(table.names) == 2
    section = next(s for s in found.sections if s.name == gone)
    assert any(
        isinstance(block, Prose) and "it is gone" in block.markdown
        for block in section.blocks
    )
    assert text(found)
    assert html(found)


# --- Where it goes --------------------------------------------------------------------


def test_the_command_prints_a_page_or_its_facts(folder: Path) -> None:
    done = run("relu")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "ReLU: a switch" in done.stdout
    assert "\x1b" not in done.stdout
    assert text(page("relu")).splitlines()[2] in done.stdout.splitlines()
    printed = CliRunner().invoke(application.app, ["explain", "relu", "--json"])
    facts = json.loads(printed.stdout)
    assert facts["topic"] == "relu"
    (example,) = facts["examples"]
    assert example["implementations"]["torch"]["out"] == [[1.0, 0.0], [0.0, 3.0]]


@pytest.mark.parametrize("suffix", ["", ".txt", ".md", ".HTML", ".html", ".ipynb"])
def test_a_file_says_in_its_name_what_it_is(folder: Path, suffix: str) -> None:
    path = folder / f"page{suffix}"
    done = CliRunner().invoke(
        application.app, ["explain", "relu", "--output", str(path)]
    )
    assert done.exit_code == 0, done.output
    written = path.read_text(encoding="utf-8")
    start = {".md": "# ReLU", ".html": "<!DOCTYPE", ".ipynb": "{"}
    assert written.lstrip("\n").startswith(start.get(suffix.lower(), "ReLU"))
    if suffix == ".md":
        (link,) = re.findall(r"!\[.*?\]\((.*?)\)", written)
        assert (folder / link).read_text(encoding="utf-8").startswith("<svg")
    names = {p.name for p in folder.iterdir()} - {"functions_of_mine.py", "__pycache__"}
    assert len(names) == (2 if suffix == ".md" else 1)


def test_a_page_links_to_a_report_beside_it(tmp_path: Path) -> None:
    for there in (False, True):
        if there:
            (tmp_path / "gradparity-report").mkdir()
            (tmp_path / publishing.REPORT).write_text("a report")
        publishing.save(page("training"), "html", tmp_path / "page.html", "a command")
        written = (tmp_path / "page.html").read_text("utf-8")
        assert (f'href="./{publishing.REPORT}"' in written) == there


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site of two topics."""
    two = {name: TOPICS[name] for name in ("buy_fruit", "relu")}
    monkeypatch.setattr(publishing, "TOPICS", two)


@pytest.mark.usefixtures("small")
def test_a_site_links_only_to_what_is_there(tmp_path: Path) -> None:
    site = tmp_path / "site"
    publishing.write_site(site, load_data("digits"), "float32", lambda steps=1: None)
    pages = sorted(path.name for path in site.glob("*.html"))
    assert pages == sorted(
        publishing.address(name, lang)
        for name in ("index", "buy_fruit", "relu")
        for lang in LANGUAGES
    )
    for path in site.glob("*.html"):
        shown = path.read_text(encoding="utf-8")
        for link in re.findall(r'href="([^"#]+)"', shown):
            if not link.startswith(("https:", "data:")):
                assert (site / link).is_file(), (path.name, link)
    assert not [path for path in tmp_path.iterdir() if path != site]
    (tmp_path / "gradparity-report").mkdir()
    (tmp_path / "gradparity-report/report.html").write_text("a report")
    publishing.write_site(site, load_data("digits"), "float32", lambda steps=1: None)
    assert f'href="../{publishing.REPORT}"' in (site / "relu.html").read_text("utf-8")


@pytest.mark.usefixtures("small")
def test_a_site_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / publishing.MARK).write_text("old")
    once = iter([made("relu")])

    def fails(*arguments: Any) -> Any:
        for found in once:
            return found
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "run", fails)
    with pytest.raises(OSError, match="No space"):
        publishing.write_site(
            site, load_data("digits"), "float32", lambda steps=1: None
        )
    assert (site / publishing.MARK).read_text() == "old"
    assert [*tmp_path.iterdir()] == [site]


def test_a_folder_that_is_no_site_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    arguments = ["explain", "--all", "--output", str(tmp_path)]
    done = CliRunner().invoke(application.app, arguments)
    assert isinstance(done.exception, UnusableTarget)
    assert "earlier site" in str(done.exception)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_blocks_of_a_new_kind_are_not_left_out_in_silence() -> None:
    class Unknown:
        pass

    unknown: Any = Unknown()
    for render in (
        lambda: as_text.draw(unknown, as_text.Shown("en", 80)),
        lambda: as_markdown.written(unknown, "en", None),
        lambda: as_html.drawn(unknown, "en"),
    ):
        with pytest.raises(TypeError, match="Unknown"):
            render()
